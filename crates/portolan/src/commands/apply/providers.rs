//! Identity providers: how the file describes them, and how they become so.

use portolan_server::domain::provider::{self as rules, Wanted};
use portolan_server::jobs::keys::provider_secret_place;
use portolan_server::store::audit::Actor;
use portolan_server::store::identity_providers;
use portolan_server::upstream::provider::{PRESETS, is_upstream, microsoft_issuer};
use portolan_server::{App, Error};
use portolan_types::{IdentityProviderId, Secret};
use serde_json::{Value, json};

use super::change::is_same;
use super::plan::{Action, Field};
use super::source::{Finding, Head, Table};
use super::work::Work;
use crate::commands::idp::members::{Members, read_secret};

#[derive(Clone, Debug)]
pub struct Provider {
    pub head: Head,
    /// A new provider has it, too, so that its redirect URI is known beforehand.
    pub id: Option<IdentityProviderId>,
    preset: Option<String>,
    tenant: Option<String>,
    members: Members,
    /// As it stands in the file that is named.
    secret: Option<Secret>,
    enabled: Option<bool>,
}

impl Provider {
    pub fn read(name: &str, mut table: Table<'_>) -> Self {
        let id = table.id();
        let preset = table.parsed("preset", |text| match PRESETS.contains(&text) {
            true => Ok(text.to_owned()),
            false => Err(format!("must be one of {}", PRESETS.join(", "))),
        });
        let folder = table.folder();
        let secret = table.parsed("client_secret_file", |text| {
            let path = folder.join(text);
            read_secret(&path)
                .map(Secret::new)
                .map_err(|error| format!("{}: {error}", path.display()))
        });
        let members = Members {
            short_name: Some(name.trim().to_owned()),
            name: table.text("name"),
            alternative_names: table.texts("alternative_names"),
            domains: table.texts("domains"),
            issuer: table.text("issuer"),
            client_id: table.text("client_id"),
            client_secret_file: None,
            client_authentication: table.text("client_authentication"),
            scopes: table.texts("scopes"),
            algorithms: table.texts("algorithms"),
            username_claims: table.texts("username_claims"),
            name_claims: table.texts("name_claims"),
            email_claims: table.texts("email_claims"),
            organization_claims: table.texts("organization_claims"),
            required_claims: table.pairs("required_claims"),
            trust_mfa: table.flag("trust_mfa"),
            parameters: table.pairs("parameters"),
            authorization_endpoint: table.text("authorization_endpoint"),
            token_endpoint: table.text("token_endpoint"),
            user_endpoint: table.text("user_endpoint"),
            emails_endpoint: table.text("emails_endpoint"),
        };
        let tenant = table.text("tenant");
        let enabled = table.flag("enabled");
        Self {
            head: table.end(name.trim()),
            id,
            preset,
            tenant,
            members,
            secret,
            enabled,
        }
    }
}

impl Work<'_> {
    pub fn provider(&mut self, app: &App, provider: &Provider) -> Result<(), Error> {
        let stored = match provider.id {
            Some(id) => identity_providers::find(self.tx, id)?,
            None => identity_providers::find_by_short_name(self.tx, &provider.head.name)?,
        };
        match stored {
            None => self.create_provider(app, provider),
            Some(stored) => {
                self.providers.insert(stored.id);
                let wanted = Wanted::of_stored(self.tx, stored);
                match self.judge(&provider.head, wanted)? {
                    Some(before) => self.change_provider(app, provider, before),
                    None => Ok(()),
                }
            }
        }
    }

    fn create_provider(&mut self, app: &App, provider: &Provider) -> Result<(), Error> {
        let id = provider
            .id
            .unwrap_or_else(|| IdentityProviderId(portolan_server::app::new_uuid()));
        let preset = provider.preset.as_deref().unwrap_or("generic");
        let wanted = Wanted::of_preset(id, preset, provider.tenant.as_deref());
        let Some(mut wanted) = self.judge(&provider.head, wanted)? else {
            return Ok(());
        };
        if !self.say(app, provider, &mut wanted) {
            return Ok(());
        }
        let created = rules::create(self.tx, self.ctx, Actor::Operator, &self.config.local_domain, &wanted);
        if self.judge(&provider.head, created)?.is_none() {
            return Ok(());
        }
        self.providers.insert(id);
        let mut fields: Vec<Field> = facts(&wanted)
            .into_iter()
            .filter(|(_, value)| !is_same("", &Value::Null, value))
            .map(|(name, new)| Field {
                name: name.to_owned(),
                old: Value::Null,
                new,
            })
            .collect();
        if provider.enabled == Some(false) {
            rules::set_enabled(self.tx, self.ctx, Actor::Operator, &wanted.provider, false)?;
            fields.push(enabled(true, false));
        }
        self.enter(Action::Create, "identity provider", &provider.head.name, id, fields);
        Ok(())
    }

    fn change_provider(&mut self, app: &App, provider: &Provider, before: Wanted) -> Result<(), Error> {
        let known = before.configuration.preset.as_str();
        if provider.preset.as_deref().is_some_and(|preset| preset != known) {
            let text = format!("never changes, and is {known} here; delete this provider and make another one");
            self.findings.push(provider.head.finding("preset", text));
            return Ok(());
        }
        if provider
            .tenant
            .as_deref()
            .is_some_and(|tenant| microsoft_issuer(tenant) != before.issuer)
        {
            let text = "never changes; delete this provider and make another one";
            self.findings.push(provider.head.finding("tenant", text));
            return Ok(());
        }
        let mut wanted = before.clone();
        if !self.say(app, provider, &mut wanted) {
            return Ok(());
        }
        let mut fields: Vec<Field> = facts(&before)
            .into_iter()
            .zip(facts(&wanted))
            .filter(|((name, old), (_, new))| !is_same(name, old, new))
            .map(|((name, old), (_, new))| Field {
                name: name.to_owned(),
                old,
                new,
            })
            .collect();
        if before.sealed_secret != wanted.sealed_secret {
            fields.push(Field {
                name: "client_secret_file".to_owned(),
                old: json!(before.sealed_secret.is_some().then_some("a secret")),
                new: json!("another secret"),
            });
        }
        if !fields.is_empty() {
            let changed = rules::update(self.tx, self.ctx, Actor::Operator, &self.config.local_domain, &wanted);
            if self.judge(&provider.head, changed)?.is_none() {
                return Ok(());
            }
        }
        if let Some(wanted_state) = provider.enabled.filter(|state| *state != before.provider.enabled) {
            rules::set_enabled(self.tx, self.ctx, Actor::Operator, &wanted.provider, wanted_state)?;
            fields.push(enabled(before.provider.enabled, wanted_state));
        }
        self.enter_change("identity provider", &provider.head.name, before.provider.id, fields);
        Ok(())
    }

    /// Puts what the file says in place of what is there. False if it cannot be said.
    fn say(&mut self, app: &App, provider: &Provider, wanted: &mut Wanted) -> bool {
        if let Err(error) = provider.members.apply(app, wanted) {
            let text = without_dashes(&error.to_string());
            self.findings.push(provider.head.finding("", text));
            return false;
        }
        let Some(secret) = &provider.secret else {
            return true;
        };
        let place = provider_secret_place(wanted.provider.id.0);
        let known = wanted.sealed_secret.as_deref();
        // Sealed twice, a secret looks different each time.
        let is_known = known
            .and_then(|sealed| app.master_key.open(&place, sealed).ok())
            .is_some_and(|known| Secret::new(String::from_utf8_lossy(&known).into_owned()) == *secret);
        if !is_known {
            wanted.sealed_secret = Some(app.master_key.seal(&place, secret.expose().as_bytes()));
        }
        true
    }

    /// Deletes those that the file does not have, if it says that it has all.
    pub fn prune_providers(&mut self, head: &Finding) -> Result<(), Error> {
        for provider in identity_providers::list(self.tx)? {
            if self.providers.contains(&provider.id) || !is_upstream(&provider.kind) {
                continue;
            }
            match rules::delete(self.tx, self.ctx, Actor::Operator, &provider) {
                Err(error) if super::work::is_theirs(&error) => self.findings.push(Finding {
                    text: format!(
                        "the identity provider {} is not in the file and cannot be deleted: {}",
                        provider.short_name,
                        error
                            .detail()
                            .replace("disable it instead", "describe it with enabled = false instead")
                    ),
                    ..head.clone()
                }),
                deleted => {
                    deleted?;
                    let id = provider.id;
                    self.enter(
                        Action::Delete,
                        "identity provider",
                        &provider.short_name,
                        id,
                        Vec::new(),
                    );
                }
            }
        }
        Ok(())
    }
}

fn enabled(old: bool, new: bool) -> Field {
    Field {
        name: "enabled".to_owned(),
        old: json!(old),
        new: json!(new),
    }
}

/// All that can be said of a provider, under the names of the file.
fn facts(wanted: &Wanted) -> Vec<(&'static str, Value)> {
    let configuration = &wanted.configuration;
    let claims = &configuration.claims;
    let endpoint = |pick: fn(&portolan_server::upstream::provider::Endpoints) -> Option<&String>| {
        json!(configuration.endpoints.as_ref().and_then(pick))
    };
    vec![
        ("name", json!(wanted.provider.name)),
        ("short_name", json!(wanted.provider.short_name)),
        ("alternative_names", json!(wanted.provider.alternative_names())),
        ("domains", json!(wanted.domains)),
        ("default_domain", json!(configuration.default_domain)),
        ("issuer", json!(wanted.issuer)),
        ("client_id", json!(configuration.client_id)),
        ("client_authentication", json!(configuration.client_authentication)),
        ("scopes", json!(configuration.scopes)),
        ("algorithms", json!(configuration.algorithms)),
        ("username_claims", json!(claims.username)),
        ("name_claims", json!(claims.name)),
        ("email_claims", json!(claims.email)),
        ("organization_claims", json!(claims.organization)),
        ("required_claims", json!(configuration.required_claims)),
        ("trust_mfa", json!(configuration.trust_mfa)),
        ("parameters", json!(configuration.parameters)),
        ("authorization_endpoint", endpoint(|known| Some(&known.authorization))),
        ("token_endpoint", endpoint(|known| Some(&known.token))),
        ("user_endpoint", endpoint(|known| Some(&known.user))),
        ("emails_endpoint", endpoint(|known| known.emails.as_ref())),
    ]
}

/// The words of the command line name options; in a file they are members without dashes.
/// Those inside of a value stay.
fn without_dashes(text: &str) -> String {
    let words = text.split(' ').map(|word| match word.strip_prefix("(--") {
        Some(option) => format!("({option}"),
        None => word.strip_prefix("--").unwrap_or(word).to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_lose_their_dashes_and_values_keep_theirs() {
        for (text, expected) in [
            (
                "--issuer: https://a--b.example.org/ is wrong",
                "issuer: https://a--b.example.org/ is wrong",
            ),
            (
                "plain OAuth 2.0 (--preset github); so",
                "plain OAuth 2.0 (preset github); so",
            ),
        ] {
            assert_eq!(without_dashes(text), expected);
        }
    }
}
