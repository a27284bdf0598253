//! How a person logs in to an app on their own machine: by copying a code, or in a browser
//! that comes back to a small server of the app.

use std::fmt;
use std::io::{self, Write as _};
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use crate::auth::{AuthLoginClient, ConfidentialAppAuthClient, NativeAppAuthClient};
use crate::clock::BoxFuture;
use crate::error::{Error, Result};
use crate::flow::{Flow, FlowOptions};
use crate::gare::AuthorizationParameters;
use crate::response::TokenResponse;
use crate::scopes::Scope;

/// A client that logs people in, of either kind.
///
/// ```
/// # fn main() -> portolan_sdk::Result<()> {
/// use portolan_sdk::{LoginClient, NativeAppAuthClient};
///
/// let client = LoginClient::from(NativeAppAuthClient::new("95fdeba8-fac2-42bd-a357-e068d82ff78e")?);
/// assert_eq!(client.client_id(), "95fdeba8-fac2-42bd-a357-e068d82ff78e");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub enum LoginClient {
    /// Without a secret.
    Native(NativeAppAuthClient),
    /// With one.
    Confidential(ConfidentialAppAuthClient),
}

impl Deref for LoginClient {
    type Target = AuthLoginClient;

    fn deref(&self) -> &AuthLoginClient {
        match self {
            Self::Native(client) => client,
            Self::Confidential(client) => client,
        }
    }
}

impl From<NativeAppAuthClient> for LoginClient {
    fn from(client: NativeAppAuthClient) -> Self {
        Self::Native(client)
    }
}

impl From<ConfidentialAppAuthClient> for LoginClient {
    fn from(client: ConfidentialAppAuthClient) -> Self {
        Self::Confidential(client)
    }
}

/// What a login has to bring.
///
/// ```no_run
/// # fn run(login: portolan_sdk::Login) -> portolan_sdk::Result<()> {
/// let (flow, address) = login.start("http://127.0.0.1:8123")?;
/// println!("open {address}, it comes back to {}", flow.redirect_uri());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Login {
    /// Who asks.
    pub client: LoginClient,
    /// For what.
    pub scopes: Vec<Scope>,
    /// What the session must be like.
    pub parameters: AuthorizationParameters,
    /// Whether refresh tokens are wanted.
    pub refresh_tokens: bool,
    /// What the person's list of apps calls it.
    pub label: String,
    /// Where the browser comes back to, if the app says so.
    pub redirect_uri: Option<String>,
}

impl Login {
    /// Begins it. Returns the address that the person opens, too.
    pub fn start(&self, redirect_uri: &str) -> Result<(Flow, String)> {
        let options = FlowOptions::new(self.scopes.as_slice())?.refresh_tokens(self.refresh_tokens);
        let flow = match &self.client {
            LoginClient::Native(client) => {
                let options = options.redirect_uri(redirect_uri).prefill_named_grant(&self.label);
                client.start_flow(options)?
            }
            LoginClient::Confidential(client) => client.start_flow(redirect_uri, options)?,
        };
        let address = flow.authorize_url_with(&self.parameters, &[]);
        Ok((flow, address))
    }
}

/// Logs a person in.
///
/// ```
/// use portolan_sdk::{BoxFuture, Login, LoginFlow, Result, TokenResponse};
///
/// /// Shows the address somewhere and gets the code from there.
/// struct Kiosk;
///
/// impl LoginFlow for Kiosk {
///     fn run(&self, login: Login) -> BoxFuture<'_, Result<TokenResponse>> {
///         Box::pin(async move {
///             let (flow, address) = login.start("https://kiosk.example.org/code")?;
///             println!("{address}");
///             flow.exchange_code("AgPC").await
///         })
///     }
/// }
/// ```
pub trait LoginFlow: Send + Sync {
    /// Runs a login to its end.
    fn run(&self, login: Login) -> BoxFuture<'_, Result<TokenResponse>>;

    /// Whether it can work for this client at all; asked when the app is made.
    fn check(&self, client: &LoginClient, redirect_uri: Option<&str>) -> Result<()> {
        let _ = (client, redirect_uri);
        Ok(())
    }
}

/// The terminal of a login, or what takes its place.
///
/// ```
/// use portolan_sdk::Terminal;
///
/// /// Types the same code for ever.
/// struct Parrot;
///
/// impl Terminal for Parrot {
///     fn print(&self, text: &str) {
///         println!("{text}");
///     }
///
///     fn ask(&self, _prompt: &str) -> std::io::Result<Option<String>> {
///         Ok(Some("AgPC".to_owned()))
///     }
/// }
///
/// let login = portolan_sdk::CommandLineLogin::with_terminal(Parrot);
/// # let _ = login;
/// ```
pub trait Terminal: Send + Sync + 'static {
    /// Shows text.
    fn print(&self, text: &str);
    /// Asks and waits for a line; `None` if nobody will ever type one.
    fn ask(&self, prompt: &str) -> io::Result<Option<String>>;
}

/// Asks on standard error and reads standard input: standard output stays for data.
struct StandardTerminal;

impl Terminal for StandardTerminal {
    fn print(&self, text: &str) {
        eprintln!("{text}");
    }

    fn ask(&self, prompt: &str) -> io::Result<Option<String>> {
        eprint!("{prompt}");
        io::stderr().flush()?;
        let mut line = String::new();
        let length = io::stdin().read_line(&mut line)?;
        Ok((length > 0).then_some(line))
    }
}

/// The person opens an address on any machine, and copies the code back.
///
/// ```
/// use portolan_sdk::{AppConfig, CommandLineLogin};
///
/// # fn main() -> portolan_sdk::Result<()> {
/// let config = AppConfig::new()?.login_flow(CommandLineLogin::default());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CommandLineLogin {
    terminal: Arc<dyn Terminal>,
    invitation: String,
    prompt: String,
}

impl Default for CommandLineLogin {
    fn default() -> Self {
        Self::with_terminal(StandardTerminal)
    }
}

impl CommandLineLogin {
    /// Asks somewhere else.
    pub fn with_terminal(terminal: impl Terminal) -> Self {
        Self {
            terminal: Arc::new(terminal),
            invitation: "Please authenticate with Globus here:".to_owned(),
            prompt: "Enter the resulting Authorization Code here: ".to_owned(),
        }
    }

    /// What stands before the address, and what asks for the code.
    ///
    /// ```
    /// use portolan_sdk::CommandLineLogin;
    ///
    /// let login = CommandLineLogin::default().words("Open this to sign in to the lab:", "Code: ");
    /// # let _ = login;
    /// ```
    pub fn words(self, invitation: impl Into<String>, prompt: impl Into<String>) -> Self {
        Self {
            invitation: invitation.into(),
            prompt: prompt.into(),
            ..self
        }
    }
}

impl LoginFlow for CommandLineLogin {
    fn run(&self, login: Login) -> BoxFuture<'_, Result<TokenResponse>> {
        Box::pin(async move {
            let display_page = format!("{}v2/web/auth-code", login.client.base_url());
            let redirect_uri = login.redirect_uri.clone().unwrap_or(display_page);
            let (flow, address) = login.start(&redirect_uri)?;
            let line = "-".repeat(36);
            let text = format!("\n{}\n{line}\n{address}\n{line}\n", self.invitation);
            let (terminal, prompt) = (self.terminal.clone(), self.prompt.clone());
            let asked = tokio::task::spawn_blocking(move || {
                terminal.print(&text);
                terminal.ask(&prompt)
            });
            let typed = match asked.await {
                Ok(Ok(Some(typed))) => typed,
                Ok(Err(error)) => return Err(Error::Login(format!("the code cannot be read: {error}").into())),
                Ok(Ok(None)) | Err(_) => {
                    return Err(Error::Login(
                        "the input ended where a code was expected: is this an interactive terminal?".into(),
                    ));
                }
            };
            let typed = typed.trim();
            if typed.is_empty() {
                return Err(Error::Login("no code was typed".into()));
            }
            // Some copy the whole address that the browser ended at.
            if typed.starts_with(&redirect_uri) {
                flow.complete(typed).await
            } else {
                flow.exchange_code(typed).await
            }
        })
    }

    fn check(&self, client: &LoginClient, redirect_uri: Option<&str>) -> Result<()> {
        match (client, redirect_uri) {
            (LoginClient::Confidential(_), None) => Err(Error::usage(
                "a client with a secret needs a redirect URI for logins: AppConfig::login_redirect_uri",
            )),
            _ => Ok(()),
        }
    }
}

type Opener = Arc<dyn Fn(&str) -> io::Result<()> + Send + Sync>;
type Announcer = Arc<dyn Fn(&str) + Send + Sync>;

/// A browser opens on this machine, and comes back to a server that listens on 127.0.0.1 for
/// this login only. Not over SSH: the browser would be on another machine.
///
/// ```
/// use portolan_sdk::{AppConfig, LocalServerLogin};
///
/// # fn main() -> portolan_sdk::Result<()> {
/// let config = AppConfig::new()?.login_flow(LocalServerLogin::default());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LocalServerLogin {
    open: Option<Opener>,
    announce: Option<Announcer>,
    patience: Duration,
}

impl Default for LocalServerLogin {
    fn default() -> Self {
        let minutes = if cfg!(windows) { 15 } else { 60 };
        Self {
            open: None,
            announce: None,
            patience: Duration::from_secs(60 * minutes),
        }
    }
}

impl LocalServerLogin {
    /// Opens addresses in another way than with the browser of the system.
    ///
    /// ```
    /// use portolan_sdk::LocalServerLogin;
    ///
    /// let login = LocalServerLogin::default().open_with(|address| {
    ///     std::process::Command::new("firefox").arg(address).spawn().map(drop)
    /// });
    /// # let _ = login;
    /// ```
    pub fn open_with(mut self, open: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        self.open = Some(Arc::new(open));
        self
    }

    /// Is told the address when the browser opens, in case the person does not see it.
    ///
    /// ```
    /// use portolan_sdk::LocalServerLogin;
    ///
    /// let login = LocalServerLogin::default().announce(|address| eprintln!("Or open this: {address}"));
    /// # let _ = login;
    /// ```
    pub fn announce(mut self, announce: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.announce = Some(Arc::new(announce));
        self
    }

    /// How long the person may take: an hour, unless this says otherwise.
    ///
    /// ```
    /// use std::time::Duration;
    /// use portolan_sdk::LocalServerLogin;
    ///
    /// let login = LocalServerLogin::default().patience(Duration::from_secs(300));
    /// # let _ = login;
    /// ```
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    async fn wait(&self, listener: TcpListener, flow: &Flow) -> Result<TokenResponse> {
        let (sender, mut requests) = mpsc::channel(4);
        // A browser opens connections that it does not use: each is read on its own.
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                tokio::spawn(async move {
                    let read = tokio::time::timeout(Duration::from_secs(10), target_of(stream)).await;
                    if let Ok(Some(request)) = read {
                        let _ = sender.send(request).await;
                    }
                });
            }
        });
        let _stops = StopOnDrop(accepting);
        while let Some((target, stream)) = requests.recv().await {
            // Anybody on this machine can ask; only the end of this login counts.
            if !flow.is_answered_by(&target) {
                answer(stream, "404 Not Found", "This is not the page you are looking for.").await;
                continue;
            }
            let result = flow.complete(&target).await;
            let text = match &result {
                Ok(_) => "Login successful. You may close this tab.",
                Err(_) => "Login failed. The program that you started says why; you may close this tab.",
            };
            answer(stream, "200 OK", text).await;
            return result;
        }
        Err(Error::Login("the server for the login ended".into()))
    }
}

struct StopOnDrop(tokio::task::JoinHandle<()>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The path and query of a GET.
async fn target_of(mut stream: TcpStream) -> Option<(String, TcpStream)> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if bytes.len() > 64 * 1024 || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let mut words = text.lines().next()?.split(' ');
    (words.next()? == "GET").then_some(())?;
    Some((words.next()?.to_owned(), stream))
}

async fn answer(mut stream: TcpStream, status: &str, text: &str) {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Login</title></head>\
         <body><main><h1>Login</h1><p>{text}</p></main></body></html>\n"
    );
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         referrer-policy: no-referrer\r\nconnection: close\r\n\r\n{page}",
        page.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

impl LoginFlow for LocalServerLogin {
    fn run(&self, login: Login) -> BoxFuture<'_, Result<TokenResponse>> {
        Box::pin(async move {
            let open: Opener = match &self.open {
                Some(open) => open.clone(),
                None => {
                    check_surroundings(|name| std::env::var(name).ok())?;
                    Arc::new(open_browser)
                }
            };
            let failed = |error: io::Error| Error::Login(format!("the server for the login: {error}").into());
            let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
            let port = listener.local_addr().map_err(failed)?.port();
            let (flow, address) = login.start(&format!("http://127.0.0.1:{port}"))?;
            let shown = address.clone();
            let opened = tokio::task::spawn_blocking(move || open(&address)).await;
            if !matches!(opened, Ok(Ok(()))) {
                return Err(Error::Login(
                    "no browser can be opened here: log in by copying a code".into(),
                ));
            }
            if let Some(announce) = &self.announce {
                announce(&shown);
            }
            let waited = tokio::time::timeout(self.patience, self.wait(listener, &flow)).await;
            waited.unwrap_or_else(|_| Err(Error::Login("the login took too long: try again".into())))
        })
    }

    fn check(&self, client: &LoginClient, redirect_uri: Option<&str>) -> Result<()> {
        if redirect_uri.is_some() {
            return Err(Error::usage(
                "a login with a local server has a redirect URI of its own",
            ));
        }
        match client {
            LoginClient::Native(_) => Ok(()),
            LoginClient::Confidential(_) => Err(Error::usage(
                "a login with a local server is for clients without a secret",
            )),
        }
    }
}

/// Refuses where the browser would be on another machine, or is one without windows.
fn check_surroundings(variable: impl Fn(&str) -> Option<String>) -> Result<()> {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    if is_set("SSH_TTY") || is_set("SSH_CONNECTION") {
        return Err(Error::Login(
            "a browser would open on the machine that you are logged in to: log in by copying a code".into(),
        ));
    }
    let browser = variable("BROWSER").unwrap_or_default();
    let name = browser.rsplit('/').next().unwrap_or_default();
    let name = name.split(' ').next().unwrap_or_default();
    if ["lynx", "www-browser", "links", "elinks", "w3m"].contains(&name) {
        return Err(Error::Login(
            format!("{name} has no windows: log in by copying a code").into(),
        ));
    }
    Ok(())
}

fn open_browser(address: &str) -> io::Result<()> {
    let mut command = if cfg!(target_os = "macos") {
        std::process::Command::new("open")
    } else if cfg!(windows) {
        let mut command = std::process::Command::new("rundll32");
        command.arg("url.dll,FileProtocolHandler");
        command
    } else {
        std::process::Command::new("xdg-open")
    };
    let quiet = std::process::Stdio::null;
    let status = command
        .arg(address)
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet())
        .status()?;
    if status.success() {
        return Ok(());
    }
    Err(io::Error::other("no browser"))
}

impl fmt::Debug for CommandLineLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommandLineLogin")
    }
}

impl fmt::Debug for LocalServerLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalServerLogin")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// What the person's list of apps calls a login: the app, and the machine if it has a name.
pub(super) fn label(app_name: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok());
    match host.as_deref().map(str::trim) {
        Some(host) if !host.is_empty() => format!("{app_name} on {host}"),
        _ => app_name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_browser_is_opened_over_ssh_or_without_windows() {
        let with = |name: &'static str, value: &'static str| {
            check_surroundings(move |asked| (asked == name).then(|| value.to_owned())).is_ok()
        };
        assert!(with("SSH_TTY", "") && with("BROWSER", "firefox") && with("OTHER", "x"));
        assert!(!with("SSH_TTY", "/dev/pts/1") && !with("SSH_CONNECTION", "10.0.0.1 1 10.0.0.2 22"));
        assert!(!with("BROWSER", "/usr/bin/w3m") && !with("BROWSER", "lynx %s"));
    }
}
