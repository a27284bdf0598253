//! What went wrong at a server, in words that name the next command to type.

use portolan_sdk::gare::Gare;
use portolan_sdk::storage::TokenValidationError;
use portolan_sdk::{AuthApiError, AuthorizationParameters, Error};

use crate::exit::Exit;
use crate::output;
use crate::place::{Session, not_logged_in};

/// Where nobody is logged in yet.
pub fn explain(error: Error) -> anyhow::Error {
    match error {
        Error::Network(error) => {
            let cause = root_cause(&error);
            Exit::Unreachable.because(format!(
                "{error}: {cause}; is the server running, and is its address right?"
            ))
        }
        Error::Api(error) => anyhow::anyhow!(words(&error)),
        Error::Usage(text) => Exit::Usage.because(text),
        other => anyhow::Error::from(other),
    }
}

/// Where somebody is, or was.
pub fn for_session(session: &Session, error: Error) -> anyhow::Error {
    if let Some(gare) = error.gare() {
        return more_needed(session, &gare);
    }
    let ended = |why: String| match &session.profile {
        Some(name) => Exit::LoginNeeded.because(format!(
            "the login of {} at {} {why}; type: portolan login --profile {name}",
            session.who, session.server
        )),
        None => Exit::LoginNeeded.because(format!("{} {why} at {}", session.who, session.server)),
    };
    match error {
        Error::TokenValidation(
            TokenValidationError::MissingToken { .. }
            | TokenValidationError::Expired { .. }
            | TokenValidationError::MissingIdentity,
        ) => not_logged_in(Some(&session.server), session.profile.as_deref()),
        Error::TokenValidation(TokenValidationError::UnmetScopeRequirements { .. }) => {
            ended("does not allow all that this command line needs".into())
        }
        Error::Api(error) => match (error.oauth_error(), error.status()) {
            // What a refresh is answered when its consent or its login was taken back.
            (Some("invalid_grant"), _) => ended(format!("has ended ({})", reason(&error))),
            // No login helps here: the variables must be corrected.
            (Some("invalid_client"), _) if session.profile.is_none() => Exit::Usage.because(format!(
                "{} does not accept this service account: its id or its secret is wrong, or it was deleted",
                session.server
            )),
            (Some("invalid_client"), _) => ended(format!(
                "has ended: the server does not know the client {} any more",
                session.client_id
            )),
            (_, 401) => ended(format!("has ended ({})", reason(&error))),
            _ => anyhow::anyhow!(words(&error)),
        },
        other => explain(other),
    }
}

/// What the server said, with what finds it in the server's log.
pub fn words(error: &AuthApiError) -> String {
    let code = error.code().or(error.oauth_error());
    let mut text = reason(error);
    text.push_str(&format!(" ({}", error.status()));
    if let Some(code) = code {
        text.push_str(&format!(" {code}"));
    }
    if let Some(id) = error.request_id() {
        text.push_str(&format!(", request {id}"));
    }
    text.push(')');
    output::one_line(&text)
}

/// In one line: a second one might pass for a message of ours.
fn reason(error: &AuthApiError) -> String {
    let description = error.oauth_error_description().map(str::to_owned);
    let message = error.message().or(description);
    let text = message.unwrap_or_else(|| error.reason().unwrap_or("the server refused").to_owned());
    output::one_line(&text)
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

/// The server lets this person do it, but not in this session, or not yet.
fn more_needed(session: &Session, gare: &Gare) -> anyhow::Error {
    let parameters = &gare.authorization_parameters;
    let message = match &parameters.session_message {
        // In quotes: these are the words of somebody else.
        Some(message) => format!(" (\"{}\")", output::one_line(message)),
        None => String::new(),
    };
    let Some(command) = command_for(parameters, &session.flag()).filter(|_| session.profile.is_some()) else {
        return Exit::MoreNeeded.because(format!(
            "{} demands more of {} ({}){message}",
            session.server,
            session.who,
            output::one_line(&gare.code)
        ));
    };
    Exit::MoreNeeded.because(format!(
        "{} wants {}{message}; type: {command}",
        session.server,
        if parameters.required_scopes.is_some() {
            "a consent first"
        } else {
            "a fresh login first"
        }
    ))
}

/// The command that meets these demands.
pub fn command_for(parameters: &AuthorizationParameters, place: &str) -> Option<String> {
    let mut command = String::new();
    let lists = [
        ("--identity", &parameters.session_required_identities),
        ("--policy", &parameters.session_required_policies),
        ("--domain", &parameters.session_required_single_domain),
        ("--scope", &parameters.required_scopes),
    ];
    for (flag, list) in lists {
        for value in list.iter().flatten() {
            command.push_str(&format!(" {flag} {}", quoted(value)));
        }
    }
    if parameters.session_required_mfa == Some(true) {
        command.push_str(" --mfa");
    }
    if command.is_empty() && parameters.prompt.as_deref() != Some("login") {
        return None;
    }
    Some(format!("portolan session update{command}{place}"))
}

/// As a shell reads it, in one line. The words come from a server: nothing of them may run.
pub fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.:/@+,=%".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", output::one_line(text).replace('\'', "'\\''"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use portolan_sdk::gare;
    use serde_json::{Value, json};

    use super::*;

    fn command(parameters: Value) -> Option<String> {
        let document = json!({"code": "AuthorizationRequired", "authorization_parameters": parameters});
        let gare = gare::from_value(&document).unwrap();
        command_for(&gare.authorization_parameters, " --profile lab")
    }

    #[test]
    fn each_demand_has_its_command() {
        for (parameters, expected) in [
            (
                json!({"session_required_policies": ["7a1f", "7a20"]}),
                Some("--policy 7a1f --policy 7a20"),
            ),
            (json!({"session_required_mfa": true}), Some("--mfa")),
            (
                json!({"session_required_identities": ["a@example.org"]}),
                Some("--identity a@example.org"),
            ),
            (
                json!({"session_required_single_domain": ["example.org"]}),
                Some("--domain example.org"),
            ),
            (
                json!({"required_scopes": ["urn:a[b *c]"]}),
                Some("--scope 'urn:a[b *c]'"),
            ),
            (json!({"session_message": "please"}), None),
        ] {
            let expected = expected.map(|flags| format!("portolan session update {flags} --profile lab"));
            assert_eq!(command(parameters.clone()), expected, "{parameters}");
        }
        let fresh = command(json!({"prompt": "login"}));
        assert_eq!(fresh.unwrap(), "portolan session update --profile lab");
    }

    #[test]
    fn nothing_that_a_server_says_runs_when_it_is_pasted() {
        assert_eq!(quoted("a'; rm -rf ~; '"), r"'a'\''; rm -rf ~; '\'''");
        assert_eq!(quoted("$(x)"), "'$(x)'");
        assert_eq!(quoted("a\nb"), "'a\u{fffd}b'");
    }
}
