//! `portolan login`, `portolan logout` and what else begins a login.

use anyhow::Result;
use clap::Args;
use portolan_sdk::documents::UserInfo;
use portolan_sdk::storage::{TokenStorage as _, TokenValidationError};
use portolan_sdk::{
    AppConfig, AuthorizationParameters, CommandLineLogin, Error, FlowError, FlowOptions, GlobusApp, LocalServerLogin,
    NativeAppAuthClient, Request,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::exit::Exit;
use crate::explain::{self, explain};
use crate::options::{Options, variable};
use crate::output;
use crate::place::{self, CLIENT_ID, Credentials};
use crate::profiles::{self, Profile, Profiles};

/// Log in to a server, and remember it as a profile.
///
/// A browser opens on this machine; where there is none (over SSH, or with --no-browser) an
/// address is printed that can be opened anywhere, and the code shown there is pasted here.
/// The tokens lie in a file that only you can read; every other command renews and uses them.
#[derive(Args)]
#[command(after_help = "\
Every Portolan knows this command line. Other servers, such as Globus itself, need a client
of yours: register one there as an installed app, and name its id.

Examples:
  portolan login --server https://auth.example.org
  portolan login --server https://auth.example.org --profile lab --no-browser
  portolan login --scope urn:globus:auth:scope:transfer.api.globus.org:all
  portolan login --server https://auth.globus.org --client-id 95fdeba8-fac2-42bd-a357-e068d82ff78e")]
pub struct Login {
    /// Print an address and ask for a code, instead of opening a browser
    #[arg(long)]
    no_browser: bool,
    /// The client to log in with, where the server does not know this command line
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Also ask for this, for example to use another service; can be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Log in also if you are logged in already
    #[arg(long)]
    force: bool,
}

/// Log out: the tokens of a profile end at the server and are forgotten here.
#[derive(Args)]
#[command(after_help = "\
What you have allowed stays allowed: portolan consent list shows it. The browser may still be
signed in at the server.

Examples:
  portolan logout
  portolan logout --profile lab
  portolan logout --forget     where the server is gone for good")]
pub struct Logout {
    /// Forget the tokens also if the server cannot be told
    #[arg(long)]
    forget: bool,
}

impl Login {
    pub fn run(self, options: &Options) -> Result<()> {
        options.refuse_store("a login is made at a running server")?;
        if Credentials::from_variables()?.is_some() {
            output::note("The variables with an id and a secret name a service account, which acts without a login.");
        }
        let all = Profiles::load()?;
        let (name, mut profile) = self.profile(options, &all)?;
        let url = profiles::server_url(&profile.server)?;
        if profiles::is_in_the_clear(&url) {
            output::note(&format!(
                "Careful: what is sent to {} is not encrypted, tokens included.",
                profile.server
            ));
        }
        if !all.profiles.contains_key(&name) {
            // They would be sent to this server, and nobody knows which one they are of.
            profiles::remove_tokens(&name)?;
        }
        let runtime = place::runtime()?;
        let browser = Browser::of(self.no_browser);
        let client = app(&name, &profile, &browser)?.auth_client("").map_err(explain)?;
        let known = match runtime.block_on(client.userinfo()) {
            Ok(person) => Some(person.into_inner()),
            // Whatever else is wrong with the tokens that are here: a login mends it.
            Err(error @ Error::Network(_)) => return Err(explain(error)),
            Err(_) => None,
        };
        let person = match known {
            Some(person) if !self.force && self.scopes.is_empty() => {
                output::note(&format!(
                    "You are logged in at {} already; --force logs in again.",
                    profile.server
                ));
                person
            }
            _ => {
                check(&runtime, &profile, &self.scopes)?;
                // Before there are tokens, so that it is known which server they are of.
                Profiles::change(|all| all.remember(&name, &profile))?;
                let parameters = AuthorizationParameters {
                    required_scopes: Some(self.scopes).filter(|scopes| !scopes.is_empty()),
                    ..AuthorizationParameters::default()
                };
                log_in(&runtime, &name, &profile, parameters, browser)?;
                who_logged_in(&runtime, &name, &mut profile)?
            }
        };
        let id = person.sub;
        profile.username = Some(username(&person));
        let document = document(&name, &profile, json!({ "identity_id": id }));
        let text = format!(
            "{} is logged in at {} (profile {name}).",
            profile.username.as_deref().unwrap_or_default(),
            profile.server
        );
        Profiles::change(|all| {
            all.remember(&name, &profile)?;
            all.current = Some(name);
            Ok(())
        })?;
        output::print(options.format, &document, || text)
    }

    /// The profile that is logged in to; it may be a new one.
    fn profile(&self, options: &Options, all: &Profiles) -> Result<(String, Profile)> {
        let known_name = options.profile_name().filter(|name| !all.profiles.contains_key(name));
        let found = match &known_name {
            Some(new) => {
                profiles::check_name(new)?;
                None
            }
            None => options.find_profile(all)?,
        };
        if let Some((name, mut profile)) = found {
            if let Some(client_id) = self.client_id.clone().filter(|id| *id != profile.client_id) {
                if profiles::has_tokens(&name)? {
                    return Err(Exit::Usage.because(format!(
                        "the profile {name} is logged in with the client {}; type portolan logout --profile {name} \
                         first, or choose another --profile",
                        profile.client_id
                    )));
                }
                profile.client_id = client_id;
            }
            return Ok((name, profile));
        }
        // A profile that is known has its server; a new one takes it from the variables, too.
        let of_variables = || variable("PORTOLAN_SERVER").or_else(|| variable("GLOBUS_SDK_SERVICE_URL_AUTH"));
        let server = match options.server_address()? {
            Some(server) => server,
            None => of_variables().ok_or_else(|| {
                Exit::Usage.because("which server? Type: portolan login --server https://auth.example.org")
            })?,
        };
        let url = profiles::server_url(&server)?;
        let name = match known_name {
            Some(name) => name,
            None => profiles::name_for(&url),
        };
        let profile = Profile {
            server: profiles::without_slash(&url),
            client_id: self.client_id.clone().unwrap_or_else(|| CLIENT_ID.to_owned()),
            username: None,
        };
        all.refuse_taken(&name, &profile)?;
        if profile.client_id == CLIENT_ID && place::is_globus(&profile.server) {
            return Err(unknown_client(&profile));
        }
        Ok((name, profile))
    }
}

impl Logout {
    pub fn run(self, options: &Options) -> Result<()> {
        options.refuse_store("you are logged in at a running server")?;
        let all = Profiles::load()?;
        let Some((name, mut profile)) = options.find_profile(&all)? else {
            return Err(Exit::LoginNeeded.because("nobody is logged in: portolan profile list shows where you were"));
        };
        let ended = end_tokens(&name, &profile, self.forget)?;
        profile.username = None;
        let document = document(&name, &profile, json!({ "ended": ended }));
        let text = match ended {
            0 => format!("Nobody was logged in at {}.", profile.server),
            _ => format!("Logged out of {}; its tokens have ended.", profile.server),
        };
        Profiles::change(|all| {
            // Removed meanwhile, it stays so.
            if let Some(known) = all.profiles.get_mut(&name) {
                known.username = None;
            }
            Ok(())
        })?;
        output::print(options.format, &document, || text)
    }
}

/// Ends what a profile has stored, and says how many services it was for.
pub fn end_tokens(name: &str, profile: &Profile, forget: bool) -> Result<usize> {
    let storage = profiles::tokens(name)?;
    let stored = storage.all()?;
    if stored.is_empty() {
        return Ok(0);
    }
    let runtime = place::runtime()?;
    let config = AppConfig::with_options(place::client_options(&profile.server)?);
    let app = place::user_app(name, profile, config)?;
    match runtime.block_on(app.logout(true)) {
        Ok(()) => {}
        Err(error) if forget => {
            let why = explain(error);
            output::note(&format!("The server was not told: {why}."));
            for resource_server in stored.keys() {
                storage.remove(resource_server)?;
            }
        }
        Err(error) => {
            let why = explain(error);
            return Err(Exit::of(&why).because(format!(
                "{why}. The tokens are still here; to forget them all the same, type: portolan logout --profile \
                 {name} --forget"
            )));
        }
    }
    Ok(stored.len())
}

fn document(name: &str, profile: &Profile, more: Value) -> Value {
    let mut document = json!({ "profile": name, "server": profile.server, "username": profile.username });
    if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    document
}

/// How the person gets to a browser.
pub enum Browser {
    Here,
    Elsewhere,
}

impl Browser {
    pub fn of(no_browser: bool) -> Self {
        if no_browser || is_headless(variable) {
            Self::Elsewhere
        } else {
            Self::Here
        }
    }
}

/// Over SSH a browser would open on the wrong machine, and without a display there is none.
fn is_headless(variable: impl Fn(&str) -> Option<String>) -> bool {
    let any = |names: &[&str]| names.iter().any(|name| variable(name).is_some());
    any(&["SSH_TTY", "SSH_CONNECTION"])
        || (cfg!(target_os = "linux") && !any(&["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"]))
}

fn app(name: &str, profile: &Profile, browser: &Browser) -> Result<GlobusApp> {
    let config = AppConfig::with_options(place::client_options(&profile.server)?);
    let config = match browser {
        Browser::Here => config.login_flow(LocalServerLogin::default().announce(|address| {
            output::note(&format!(
                "A browser opens. If you do not see it, open this on this machine:\n{address}"
            ));
        })),
        Browser::Elsewhere => config.login_flow(CommandLineLogin::default().words(
            "Open this in a browser, on any machine, and log in:",
            "Paste the code that it shows: ",
        )),
    };
    let app = place::user_app(name, profile, config)?;
    app.auth_client(place::scopes_for(&profile.server)).map_err(explain)?;
    Ok(app)
}

/// Runs a login to its end, with demands on the session.
pub fn log_in(
    runtime: &Runtime,
    name: &str,
    profile: &Profile,
    parameters: AuthorizationParameters,
    browser: Browser,
) -> Result<()> {
    let first = app(name, profile, &browser)?;
    let result = match (runtime.block_on(first.login(Some(parameters.clone()), true)), browser) {
        // Said before anything was sent, so there is another way.
        (Err(Error::Login(why)), Browser::Here) => {
            output::note(&format!("{why}."));
            let second = app(name, profile, &Browser::Elsewhere)?;
            runtime.block_on(second.login(Some(parameters), true))
        }
        (result, _) => result,
    };
    result.map_err(|error| login_failed(name, profile, error))
}

/// Asks the server who it is, and notes the username in the profile.
pub fn who_logged_in(runtime: &Runtime, name: &str, profile: &mut Profile) -> Result<UserInfo> {
    // An app that was made before the login knows only the tokens of before.
    let client = app(name, profile, &Browser::Elsewhere)?
        .auth_client("")
        .map_err(explain)?;
    let person = runtime.block_on(client.userinfo()).map_err(explain)?.into_inner();
    profile.username = Some(username(&person));
    Ok(person)
}

fn username(person: &UserInfo) -> String {
    person
        .preferred_username
        .clone()
        .unwrap_or_else(|| person.sub.to_string())
}

fn login_failed(name: &str, profile: &Profile, error: Error) -> anyhow::Error {
    match error {
        Error::Flow(FlowError::Denied { error, description }) => anyhow::anyhow!(
            "the login was refused: {}; nothing has changed",
            output::one_line(&description.unwrap_or(error))
        ),
        Error::Flow(FlowError::MissingScopes { missing, .. }) => Exit::MoreNeeded.because(format!(
            "you did not allow all that this command line needs: {}; log in again and leave the boxes ticked",
            output::one_line(&missing.join(" "))
        )),
        Error::TokenValidation(TokenValidationError::IdentityMismatch { .. }) => anyhow::anyhow!(
            "somebody else is logged in with the profile {name}{}; type portolan logout --profile {name} first, or \
             choose another name with --profile",
            profile
                .username
                .as_ref()
                .map_or(String::new(), |who| format!(" ({})", output::one_line(who)))
        ),
        Error::Api(error) if error.oauth_error() == Some("invalid_grant") => anyhow::anyhow!(
            "the code was not accepted: {}. A code is good once and for a few minutes; type portolan login again",
            explain::words(&error)
        ),
        other => explain(other),
    }
}

/// Begins logins that show no page, to learn whether the server is there, and knows the client
/// and the scopes, before a person is sent to a page that says less.
fn check(runtime: &Runtime, profile: &Profile, scopes: &[String]) -> Result<()> {
    let refused = begin_quietly(runtime, profile, &["openid"])?;
    if refused.is_some() {
        return Err(unknown_client(profile));
    }
    let all: Vec<&str> = place::scopes_for(&profile.server)
        .into_iter()
        .chain(scopes.iter().map(String::as_str))
        .collect();
    match begin_quietly(runtime, profile, &all)? {
        None => Ok(()),
        Some(why) => Err(Exit::Usage.because(format!(
            "{} does not know all of what is asked for: {why}",
            profile.server
        ))),
    }
}

/// Why the server refuses to begin a login for these scopes, if it does.
fn begin_quietly(runtime: &Runtime, profile: &Profile, scopes: &[&str]) -> Result<Option<String>> {
    let options = place::client_options(&profile.server)?;
    let client = NativeAppAuthClient::with_options(profile.client_id.as_str(), options).map_err(explain)?;
    let redirect_uri = format!("{}/v2/web/auth-code", profile.server);
    let asked = FlowOptions::new(scopes.to_vec()).map_err(explain)?;
    let flow = client
        .start_flow(asked.redirect_uri(redirect_uri.as_str()))
        .map_err(explain)?;
    let quietly = AuthorizationParameters {
        prompt: Some("none".to_owned()),
        ..AuthorizationParameters::default()
    };
    let no_server = |why: String| {
        anyhow::anyhow!(
            "{} does not answer as an authorization server ({why}): is the address right?",
            profile.server
        )
    };
    match runtime.block_on(client.send(Request::get(flow.authorize_url_with(&quietly, &[])))) {
        Ok(answer) if (300..400).contains(&answer.status()) => {
            let location = answer.header("location").unwrap_or_default();
            // A proxy or a page for logins at a network sends everybody elsewhere. Of Globus it
            // is not known whether it knows logins without a page.
            if !location.starts_with(&redirect_uri) && !place::is_globus(&profile.server) {
                return Err(no_server(format!("it sends to {}", output::one_line(location))));
            }
            Ok(refused_scopes(location))
        }
        Ok(answer) => Err(no_server(answer.status().to_string())),
        Err(Error::Api(error)) if [400, 401, 403].contains(&error.status()) => Ok(Some(error.status().to_string())),
        Err(Error::Api(error)) => Err(no_server(error.status().to_string())),
        Err(error) => Err(explain(error)),
    }
}

/// Any other error, such as that nobody is signed in, is what was to be expected.
fn refused_scopes(location: &str) -> Option<String> {
    let url = url::Url::parse(location).ok()?;
    let value = |name: &str| {
        url.query_pairs()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.into_owned())
    };
    value("error").filter(|error| error == "invalid_scope")?;
    let why = value("error_description").unwrap_or_else(|| "invalid_scope".to_owned());
    Some(output::one_line(&why))
}

fn unknown_client(profile: &Profile) -> anyhow::Error {
    let (server, id) = (&profile.server, &profile.client_id);
    let knows = if id == CLIENT_ID {
        "this command line".to_owned()
    } else {
        format!("the client {id}")
    };
    Exit::Usage.because(format!(
        "{server} does not know {knows}. Register an installed app there (public, without a secret) with the \
         redirect URIs {server}/v2/web/auth-code and http://127.0.0.1, and then type: portolan login --server \
         {server} --client-id ITS_ID"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_opens_only_where_somebody_sees_it() {
        let with =
            |names: &'static [&'static str]| is_headless(move |asked| names.contains(&asked).then(|| "x".to_owned()));
        assert!(with(&["SSH_TTY", "DISPLAY"]) && with(&["SSH_CONNECTION", "WAYLAND_DISPLAY"]));
        assert_eq!(with(&[]), cfg!(target_os = "linux"));
        assert!(!with(&["DISPLAY"]) && !with(&["WAYLAND_DISPLAY"]) && !with(&["BROWSER"]));
    }
}
