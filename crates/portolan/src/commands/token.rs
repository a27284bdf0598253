//! `portolan token`: tokens for scripts, and what services do with those that they are given.

use std::io::Read as _;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand};
use portolan_sdk::storage::{TokenData, TokenStorage as _};
use portolan_sdk::{
    AuthClient, ConfidentialAppAuthClient, DependentTokenRequest, IntrospectionRequest, Token as Issued,
};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::explain::{explain, quoted};
use crate::options::Options;
use crate::output;
use crate::place::{self, Session};
use crate::profiles;

#[derive(Subcommand)]
pub enum Token {
    /// Print an access token of the login, renewed if need be
    #[command(after_help = "\
A login has one token for each service that it asked for; portolan login --scope asks for
more. A service account asks for what --scope names.

Examples:
  portolan token get | sed 's/^/Authorization: Bearer /' |
      curl -H @- https://auth.example.org/v2/oauth2/userinfo
  portolan token get transfer.api.globus.org
  portolan token get --scope https://auth.globus.org/scopes/data.example.org/read")]
    Get(Get),
    /// Ask, as a service, whether a token is active and what it allows
    #[command(after_help = "\
Services ask, so the variables PORTOLAN_CLIENT_ID and PORTOLAN_CLIENT_SECRET must name one.

Examples:
  portolan token introspect - < token.txt
  portolan token introspect - --include identity_set,session_info --format json < token.txt")]
    Introspect(Introspect),
    /// End a token of this client; with a refresh token all that came from it
    #[command(after_help = "\
Example:
  portolan token get | portolan token revoke -")]
    Revoke {
        /// The token; - reads it from standard input, where no list of processes shows it
        token: String,
    },
    /// Exchange, as a service, a token that it was given for tokens of the services behind it
    #[command(after_help = "\
Services do this, so the variables PORTOLAN_CLIENT_ID and PORTOLAN_CLIENT_SECRET must name one.
The answer holds tokens: do not leave it lying about.

Example:
  portolan token dependent - --format json < token.txt")]
    Dependent(Dependent),
}

#[derive(Args)]
pub struct Get {
    /// The service, as token answers name it [default: the server itself]
    #[arg(value_name = "RESOURCE_SERVER")]
    resource_server: Option<String>,
    /// The one that allows this; for a service account, what to ask for
    #[arg(long = "scope", value_name = "SCOPE", conflicts_with = "resource_server")]
    scopes: Vec<String>,
}

#[derive(Args)]
pub struct Introspect {
    /// The token; - reads it from standard input, where no list of processes shows it
    token: String,
    /// More facts: identity_set, identity_set_detail, session_info
    #[arg(long, value_delimiter = ',', value_name = "FACTS")]
    include: Vec<String>,
}

#[derive(Args)]
pub struct Dependent {
    /// The token; - reads it from standard input, where no list of processes shows it
    token: String,
    /// Only these scopes; can be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Refresh tokens as well
    #[arg(long)]
    refresh_tokens: bool,
}

impl Token {
    pub fn run(self, options: &Options) -> Result<()> {
        let session = options.session()?;
        match self {
            Self::Get(get) => get.run(options, &session),
            Self::Introspect(introspect) => introspect.run(options, &session),
            Self::Revoke { token } => revoke(options, &session, &token),
            Self::Dependent(dependent) => dependent.run(options, &session),
        }
    }
}

impl Get {
    fn run(self, options: &Options, session: &Session) -> Result<()> {
        let data = match &session.profile {
            Some(name) => self.of_login(session, name)?,
            None => self.of_service_account(session)?,
        };
        let token = data.access_token.expose().to_owned();
        output::print(options.format, &document(&data), || token)
    }

    fn of_login(&self, session: &Session, name: &str) -> Result<TokenData> {
        let storage = profiles::tokens(name)?;
        let allows = |data: &TokenData| {
            let mut scopes = self.scopes.iter();
            scopes.all(|scope| data.scope.split_whitespace().any(|allowed| allowed == scope))
        };
        let resource_server = match &self.resource_server {
            Some(resource_server) => resource_server.clone(),
            None if self.scopes.is_empty() => AuthClient::RESOURCE_SERVER.to_owned(),
            None => {
                let found = storage.all()?.into_values().find(allows);
                let missing = || {
                    Exit::MoreNeeded.because(format!(
                        "no token of this login allows that; type: portolan login{}{}",
                        flags(self.scopes.iter().map(String::as_str)),
                        session.flag()
                    ))
                };
                found.ok_or_else(missing)?.resource_server
            }
        };
        let stored = storage.get(&resource_server)?.ok_or_else(|| {
            Exit::MoreNeeded.because(format!(
                "this login has no token for {resource_server}; ask for a scope of it: portolan login --scope SCOPE{}",
                session.flag()
            ))
        })?;
        if stored.refresh_token.is_none() {
            // A service may not let its scopes be refreshed; such a token just ends.
            return still_good(stored, session);
        }
        let authorizer = session.run(session.app.get_authorizer(&resource_server))?;
        session.run(authorizer.authorization())?;
        let renewed = storage.get(&resource_server)?;
        renewed.ok_or_else(|| anyhow!("the token for {resource_server} has just been removed"))
    }

    fn of_service_account(&self, session: &Session) -> Result<TokenData> {
        let scopes = match (&self.resource_server, self.scopes.is_empty()) {
            (Some(_), _) => {
                return Err(
                    Exit::Usage.because("a service account says what it needs: portolan token get --scope SCOPE")
                );
            }
            (None, true) => place::scopes_for(&session.server)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            (None, false) => self.scopes.clone(),
        };
        let client = service(session)?;
        let response = session.run(client.client_credentials_tokens(scopes))?;
        let tokens: Vec<&Issued> = response.tokens().collect();
        match tokens.as_slice() {
            [token] => Ok(data_of(token)),
            _ => Err(Exit::Usage.because("these scopes belong to several services: ask for one service at a time")),
        }
    }
}

fn still_good(data: TokenData, session: &Session) -> Result<TokenData> {
    let now = portolan_server::app::system_now().seconds();
    if data.expires_at_seconds > now {
        return Ok(data);
    }
    Err(Exit::LoginNeeded.because(format!(
        "the token for {} has ended and cannot be renewed; type: portolan login{}{}",
        output::one_line(&data.resource_server),
        flags(data.scope.split_whitespace()),
        session.flag()
    )))
}

/// To be typed. Dependent scopes have brackets, and what a server calls its scopes is its own
/// affair: nothing of it may run.
fn flags<'a>(scopes: impl Iterator<Item = &'a str>) -> String {
    scopes.map(|scope| format!(" --scope {}", quoted(scope))).collect()
}

fn data_of(token: &Issued) -> TokenData {
    TokenData {
        resource_server: token.resource_server.clone(),
        identity_id: None,
        scope: token.scope.clone(),
        access_token: token.access_token.clone(),
        refresh_token: token.refresh_token.clone(),
        expires_at_seconds: token.expires_at_seconds,
        token_type: token.token_type.clone(),
    }
}

/// Without the refresh token: nobody but this program needs it.
fn document(data: &TokenData) -> Value {
    json!({
        "resource_server": data.resource_server,
        "scope": data.scope,
        "access_token": data.access_token.expose(),
        "token_type": data.token_type,
        "expires_at_seconds": data.expires_at_seconds,
    })
}

impl Introspect {
    fn run(self, options: &Options, session: &Session) -> Result<()> {
        let client = service(session)?;
        let mut request = IntrospectionRequest::new(typed(self.token)?);
        if !self.include.is_empty() {
            request = request.param("include", self.include.join(","));
        }
        let answer = session.run(client.introspect(request))?;
        let json = answer.json().cloned().unwrap_or(Value::Null);
        output::print(options.format, &json, || {
            if !answer.active {
                return "inactive".to_owned();
            }
            let text = |value: &Option<String>| value.clone().unwrap_or_default();
            let facts = [
                ("active", "yes".to_owned()),
                ("username", text(&answer.username)),
                ("identity", answer.sub.map_or(String::new(), |id| id.to_string())),
                ("name", text(&answer.name)),
                ("e-mail", text(&answer.email)),
                ("app", answer.client_id.map_or(String::new(), |id| id.to_string())),
                ("scopes", answer.scopes().collect::<Vec<_>>().join("\n")),
                ("ends", answer.exp.map_or(String::new(), output::time_of_seconds)),
            ];
            output::facts(facts.into_iter().filter(|(_, value)| !value.is_empty()))
        })
    }
}

impl Dependent {
    fn run(self, options: &Options, session: &Session) -> Result<()> {
        let client = service(session)?;
        let mut request = DependentTokenRequest::new(typed(self.token)?).refresh_tokens(self.refresh_tokens);
        if !self.scopes.is_empty() {
            request = request.scopes(self.scopes).map_err(explain)?;
        }
        let response = session.run(client.dependent_tokens(request))?;
        let json = response.response().json().cloned().unwrap_or(Value::Null);
        output::print(options.format, &json, || {
            let rows = response.tokens().map(|token| {
                vec![
                    token.resource_server.clone(),
                    token.scope.split_whitespace().collect::<Vec<_>>().join("\n"),
                    output::time_of_seconds(token.expires_at_seconds),
                    token.access_token.expose().to_owned(),
                ]
            });
            output::list(&["service", "scopes", "ends (UTC)", "access token"], rows)
        })
    }
}

fn revoke(options: &Options, session: &Session, token: &str) -> Result<()> {
    let token = typed(token.to_owned())?;
    session.announce();
    let answer = session.run(session.login_client().revoke_token(&token))?;
    let json = answer.json().cloned().unwrap_or(Value::Null);
    output::print(options.format, &json, || {
        "If it was a token of this client, it has ended.".to_owned()
    })
}

/// The service that the variables name.
fn service(session: &Session) -> Result<ConfidentialAppAuthClient> {
    let Some(secret) = &session.secret else {
        return Err(Exit::Usage.because(
            "this is for services: name one with the variables PORTOLAN_CLIENT_ID and PORTOLAN_CLIENT_SECRET",
        ));
    };
    let options = place::client_options(&session.server)?;
    ConfidentialAppAuthClient::with_options(session.client_id.as_str(), secret.as_str(), options).map_err(explain)
}

fn typed(token: String) -> Result<String> {
    if token != "-" {
        return Ok(token);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).context("standard input")?;
    match text.trim() {
        "" => Err(anyhow!("standard input holds no token")),
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_offered_as_a_shell_reads_them() {
        let offered = flags("openid urn:a[*b] x;$(reboot)".split_whitespace());
        assert_eq!(offered, " --scope openid --scope 'urn:a[*b]' --scope 'x;$(reboot)'");
    }
}
