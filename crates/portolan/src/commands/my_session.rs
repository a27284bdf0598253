//! `portolan session show|update`: how fresh the own login is, and making it do for more.

use anyhow::Result;
use clap::Args;
use portolan_sdk::AuthorizationParameters;
use serde_json::json;

use super::login::{Browser, log_in, who_logged_in};
use crate::exit::Exit;
use crate::options::Options;
use crate::output;
use crate::place;
use crate::profiles::Profiles;

/// Without a flag it is simply a fresh login. The tokens that are kept are those of the new
/// login; what it must be like is what a refused command says, so that it can be pasted.
#[derive(Args)]
pub struct Update {
    /// This account must log in: username or id; can be given several times
    #[arg(long = "identity", value_name = "IDENTITY")]
    identities: Vec<String>,
    /// The login must meet this policy; can be given several times
    #[arg(long = "policy", value_name = "ID")]
    policies: Vec<String>,
    /// An account of this domain must log in; of several, any of them
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<String>,
    /// A second factor must be used
    #[arg(long)]
    mfa: bool,
    /// Also allow this; can be given several times
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Print an address and ask for a code, instead of opening a browser
    #[arg(long)]
    no_browser: bool,
}

impl Update {
    pub fn run(self, options: &Options) -> Result<()> {
        options.refuse_store("a login is made at a running server")?;
        let all = Profiles::load()?;
        let Some((name, mut profile)) = options.find_profile(&all)? else {
            let server = options.server_address()?;
            return Err(place::not_logged_in(server.as_deref(), None));
        };
        let browser = Browser::of(self.no_browser);
        let runtime = place::runtime()?;
        log_in(&runtime, &name, &profile, self.parameters(), browser)?;
        who_logged_in(&runtime, &name, &mut profile)?;
        Profiles::change(|all| all.remember(&name, &profile))?;
        let document = json!({ "profile": name, "server": profile.server, "username": profile.username });
        output::print(options.format, &document, || {
            let who = profile.username.as_deref().unwrap_or_default();
            format!("{who} has a fresh login at {} (profile {name}).", profile.server)
        })
    }

    fn parameters(self) -> AuthorizationParameters {
        let list = |values: Vec<String>| Some(values).filter(|values| !values.is_empty());
        let parameters = AuthorizationParameters {
            session_required_identities: list(self.identities),
            session_required_policies: list(self.policies),
            session_required_single_domain: list(self.domains),
            session_required_mfa: self.mfa.then_some(true),
            required_scopes: list(self.scopes),
            ..AuthorizationParameters::default()
        };
        if parameters == AuthorizationParameters::default() {
            return AuthorizationParameters {
                prompt: Some("login".to_owned()),
                ..parameters
            };
        }
        parameters
    }
}

pub fn show(options: &Options) -> Result<()> {
    let session = options.session()?;
    if session.profile.is_none() {
        return Err(Exit::Usage.because(format!(
            "{} acts without a login, so it has no session; portolan whoami says who it is",
            session.who
        )));
    }
    let person = session.run(session.client.userinfo())?;
    let set = person.identity_set.as_deref().unwrap_or_default();
    let authentications: Vec<_> = set
        .iter()
        .map(|identity| {
            json!({
                "identity_id": identity.sub,
                "username": identity.username,
                "identity_provider": identity.identity_provider_display_name,
                "last_authentication": identity.last_authentication,
            })
        })
        .collect();
    let document = json!({
        "profile": session.profile,
        "server": session.server,
        "client_id": session.client_id,
        "identity_id": person.sub,
        "username": person.preferred_username,
        "authentications": authentications,
    });
    output::print(options.format, &document, || {
        let rows = set.iter().map(|identity| {
            let time = identity.last_authentication.map(output::time_of_seconds);
            let is_effective = identity.sub == person.sub;
            vec![
                if is_effective { "*" } else { "" }.to_owned(),
                identity.username.clone(),
                time.unwrap_or_else(|| "never".to_owned()),
                identity.identity_provider_display_name.clone().unwrap_or_default(),
            ]
        });
        let list = output::list(&["", "username", "last login (UTC)", "signs in at"], rows);
        format!(
            "{} (profile {})\n{list}",
            session.server,
            session.profile.as_deref().unwrap_or_default()
        )
    })
}
