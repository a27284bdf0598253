//! Registering identity providers: what an operator may say of one, and by which words
//! people find it.

use std::borrow::Cow;

use portolan_db::{ReadTx, WriteTx};
use portolan_types::IdentityProviderId;
use serde_json::json;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::app::Ctx;
use crate::domain::identity::{self, check_text};
use crate::error::{Error, Result};
use crate::store::audit::{self, Actor, Event};
use crate::store::identity_providers::{self, CLIENTS_DOMAIN, IdentityProvider, Offered, Setup};
use crate::store::sessions;
use crate::texts::{self, Words};
use crate::upstream::discovery::asymmetric;
use crate::upstream::provider::{Configuration, OAUTH2, PRESETS, is_upstream, microsoft_issuer, preset};

/// A provider as it is to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub provider: IdentityProvider,
    /// In lower case.
    pub domains: Vec<String>,
    pub issuer: String,
    pub configuration: Configuration,
    pub sealed_secret: Option<Vec<u8>>,
}

/// Parameters that are ours; an operator's may not stand beside them.
const OUR_PARAMETERS: &[&str] = &[
    "response_type",
    "response_mode",
    "client_id",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
];

impl Wanted {
    /// What is known beforehand of a well-known provider. Each tenant of Microsoft is an
    /// issuer of its own; others have none.
    pub fn of_preset(id: IdentityProviderId, name: &str, tenant: Option<&str>) -> Result<Self> {
        let known = preset(name)
            .ok_or_else(|| Error::invalid_parameters(format!("preset: {name:?} is none of {}", PRESETS.join(", "))))?;
        let issuer = match (tenant, known.name) {
            (Some(tenant), "microsoft") => Some(microsoft_issuer(tenant)),
            (Some(_), _) => return Err(Error::invalid_parameters("tenant: is for the preset microsoft")),
            (None, _) => known.issuer.map(str::to_owned),
        };
        let mut wanted = Self {
            provider: IdentityProvider {
                id,
                name: known.title.into(),
                short_name: known.short_name.into(),
                kind: known.kind.into(),
                alternative_names: "[]".into(),
                enabled: true,
            },
            domains: known.domains.iter().map(|domain| (*domain).to_owned()).collect(),
            issuer: issuer.unwrap_or_default(),
            configuration: known.configuration,
            sealed_secret: None,
        };
        // A tenant that is named by its id stands in every token of it.
        if let Some(tenant) = tenant.filter(|tenant| tenant.parse::<IdentityProviderId>().is_ok()) {
            wanted.configuration.required_claims.insert("tid".into(), tenant.into());
        }
        Ok(wanted)
    }

    /// As it is, to be changed.
    pub fn of_stored(tx: &mut ReadTx, provider: IdentityProvider) -> Result<Self> {
        check_own(&provider)?;
        let setup = identity_providers::find_setup(tx, provider.id)?.unwrap_or_default();
        Ok(Self {
            configuration: serde_json::from_str(&setup.configuration).map_err(Error::internal)?,
            issuer: setup.issuer.unwrap_or_default(),
            sealed_secret: setup.sealed_secret,
            domains: identity_providers::list_domains(tx, provider.id)?,
            provider,
        })
    }

    /// Every finding names the option and says what to do.
    pub fn check(&self, local_domain: &str) -> Result<()> {
        check_text("name", &self.provider.name)?;
        let short = &self.provider.short_name;
        let is_short = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if short.is_empty() || short.len() > 64 || !short.chars().all(is_short) {
            return Err(refused(
                "short_name",
                "short name: 1 to 64 lower-case letters, digits, dots, dashes and underscores",
                texts::words("console-error-short-name"),
            ));
        }
        for name in self.provider.alternative_names() {
            check_text("alternative name", &name).map_err(|error| error.about("alternative_names"))?;
        }
        if self.domains.is_empty() {
            return Err(refused(
                "domains",
                "domain: name at least one; usernames of this provider end in it",
                texts::words("console-error-no-domain"),
            ));
        }
        for domain in &self.domains {
            if !is_domain(domain) {
                return Err(refused(
                    "domains",
                    format!("domain {domain}: write a domain such as example.edu"),
                    texts::words("console-error-domain").arg("domain", domain),
                ));
            }
            if domain == local_domain || domain == CLIENTS_DOMAIN {
                return Err(refused(
                    "domains",
                    format!("domain {domain}: is this server's own"),
                    texts::words("console-error-own-domain").arg("domain", domain),
                ));
            }
        }
        let configuration = &self.configuration;
        let default = &configuration.default_domain;
        if !default.is_empty() && !self.domains.contains(default) {
            return Err(Error::invalid_parameters(format!(
                "default domain {default}: is not one of the provider's domains"
            )));
        }
        if configuration.client_id.trim().is_empty() {
            return Err(refused(
                "client_id",
                "client id: is missing; the provider tells it when this server is registered there",
                texts::words("console-error-client-id"),
            ));
        }
        if self.issuer.trim().is_empty() {
            return Err(refused(
                "issuer",
                "issuer: is missing; the provider's documentation tells it",
                texts::words("console-error-issuer"),
            ));
        }
        if configuration.scopes.is_empty()
            || configuration
                .scopes
                .iter()
                .any(|scope| scope.is_empty() || scope.contains(char::is_whitespace))
        {
            return Err(refused(
                "scopes",
                "scope: name at least one, each without spaces",
                texts::words("console-error-scopes"),
            ));
        }
        if self.provider.kind != OAUTH2 && !configuration.scopes.iter().any(|scope| scope == "openid") {
            return Err(refused(
                "scopes",
                "scope: openid is missing, without which nobody is told who signed in",
                texts::words("console-error-openid"),
            ));
        }
        let ways = ["", "client_secret_basic", "client_secret_post", "none"];
        if !ways.contains(&configuration.client_authentication.as_str()) {
            return Err(refused(
                "client_authentication",
                "client authentication: client_secret_basic, client_secret_post or none",
                texts::words("console-error-client-authentication"),
            ));
        }
        if let Some(name) = configuration.algorithms.iter().find(|name| asymmetric(name).is_none()) {
            let text = format!("algorithm {name}: choose for example RS256, PS256, ES256 or EdDSA");
            return Err(refused(
                "algorithms",
                text,
                texts::words("console-error-algorithm").arg("name", name),
            ));
        }
        let ours = |name: &&String| OUR_PARAMETERS.contains(&name.as_str()) || name.is_empty();
        if let Some(name) = configuration.parameters.keys().find(ours) {
            return Err(refused(
                "parameters",
                format!("parameter {name}: is one that this server sets itself"),
                texts::words("console-error-parameter").arg("name", name),
            ));
        }
        if configuration.claims.username.is_empty() {
            return Err(refused(
                "username_claims",
                "username claim: name at least one",
                texts::words("console-error-username-claims"),
            ));
        }
        if self.provider.kind == OAUTH2 && configuration.endpoints.is_none() {
            return Err(Error::invalid_parameters(
                "endpoints: plain OAuth 2.0 has no document that tells them",
            ));
        }
        Ok(())
    }

    fn setup(&self) -> Result<Setup> {
        Ok(Setup {
            issuer: Some(self.issuer.clone()),
            configuration: serde_json::to_string(&self.configuration).map_err(Error::internal)?,
            sealed_secret: self.sealed_secret.clone(),
        })
    }

    fn words(&self) -> Vec<String> {
        let mut texts = vec![self.provider.name.clone(), self.provider.short_name.clone()];
        texts.extend(self.provider.alternative_names());
        texts.extend(self.domains.iter().cloned());
        let mut found: Vec<String> = texts.iter().flat_map(|text| words(text)).collect();
        found.sort();
        found.dedup();
        found
    }
}

/// A refusal for the command line, and for the field of a page in its language.
fn refused(field: &'static str, detail: impl Into<Cow<'static, str>>, said: Words) -> Error {
    Error::invalid_parameters(detail).said(said).about(field)
}

pub fn create(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, local_domain: &str, wanted: &Wanted) -> Result<()> {
    wanted.check(local_domain)?;
    if !identity_providers::insert(tx, &wanted.provider, &wanted.setup()?, ctx.now)? {
        return Err(name_taken(&wanted.provider.short_name));
    }
    set_domains(tx, wanted)?;
    identity_providers::replace_words(tx, wanted.provider.id, &wanted.words())?;
    record(tx, ctx, actor, "identity_provider.create", wanted.provider.id)
}

pub fn update(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, local_domain: &str, wanted: &Wanted) -> Result<()> {
    check_own(&wanted.provider)?;
    wanted.check(local_domain)?;
    let namesake = identity_providers::find_by_short_name(tx, &wanted.provider.short_name)?;
    if namesake.is_some_and(|other| other.id != wanted.provider.id) {
        return Err(name_taken(&wanted.provider.short_name));
    }
    identity_providers::update(tx, &wanted.provider, &wanted.setup()?)?;
    set_domains(tx, wanted)?;
    identity_providers::replace_words(tx, wanted.provider.id, &wanted.words())?;
    record(tx, ctx, actor, "identity_provider.update", wanted.provider.id)
}

/// Switches signing in through it off or on. Off: tokens of its people are inactive at
/// once, because whether a token is active looks at the provider, too. What its sign-ins
/// alone gave to identities that are linked with those of its people ends as well, and every
/// session with it: whoever could sign in there as they pleased is why it is switched off.
pub fn set_enabled(
    tx: &mut WriteTx,
    ctx: &Ctx,
    actor: Actor,
    provider: &IdentityProvider,
    enabled: bool,
) -> Result<()> {
    check_own(provider)?;
    identity_providers::set_enabled(tx, provider.id, enabled)?;
    if !enabled {
        for id in sessions::list_identities_of_provider(tx, provider.id)? {
            identity::forget(tx, ctx, id)?;
        }
    }
    let action = if enabled {
        "identity_provider.enable"
    } else {
        "identity_provider.disable"
    };
    record(tx, ctx, actor, action, provider.id)
}

/// Only one that nobody has ever come from: what its people own has to stay theirs.
pub fn delete(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, provider: &IdentityProvider) -> Result<()> {
    check_own(provider)?;
    if identity_providers::has_identities(tx, provider.id)? {
        return Err(Error::conflict(format!(
            "people have signed in through {}, or were prepared for it; disable it instead",
            provider.name
        ))
        .said(texts::words("refusal-provider-used").arg("provider", &provider.name)));
    }
    identity_providers::delete(tx, provider.id)?;
    record(tx, ctx, actor, "identity_provider.delete", provider.id)
}

fn check_own(provider: &IdentityProvider) -> Result<()> {
    if !is_upstream(&provider.kind) {
        return Err(
            Error::conflict(format!("{} is built in and stays as it is", provider.name))
                .said(texts::words("refusal-provider-stays").arg("provider", &provider.name)),
        );
    }
    Ok(())
}

fn name_taken(short_name: &str) -> Error {
    Error::conflict(format!(
        "another identity provider has the short name {short_name}; choose another one"
    ))
    .said(texts::words("console-error-short-name-taken"))
    .about("short_name")
}

/// A domain belongs to one provider. One of a placeholder, through which nobody can sign
/// in, may be taken over.
fn set_domains(tx: &mut WriteTx, wanted: &Wanted) -> Result<()> {
    let id = wanted.provider.id;
    for domain in identity_providers::list_domains(tx, id)? {
        if !wanted.domains.contains(&domain) {
            identity_providers::delete_domain(tx, &domain)?;
        }
    }
    for domain in &wanted.domains {
        match identity_providers::find_by_domain(tx, domain)? {
            Some(owner) if owner.id == id => continue,
            Some(owner) if owner.kind != "placeholder" => {
                let said = texts::words("console-error-domain-taken")
                    .arg("domain", domain)
                    .arg("name", &owner.name);
                return Err(
                    Error::conflict(format!("the domain {domain} belongs to {}", owner.name))
                        .said(said)
                        .about("domains"),
                );
            }
            Some(_) => identity_providers::delete_domain(tx, domain)?,
            None => {}
        }
        identity_providers::insert_domain(tx, id, domain)?;
    }
    Ok(())
}

fn record(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, action: &'static str, id: IdentityProviderId) -> Result<()> {
    let event = Event {
        action,
        actor,
        resource_kind: "identity_provider",
        resource_id: id.to_string(),
        detail: json!({}),
    };
    audit::insert(tx, ctx, &event)
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(label)
}

/// The words of a text as they are compared: in lower case, without accents.
pub fn words(text: &str) -> Vec<String> {
    let plain: String = text
        .nfkd()
        .filter(|c| !is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect();
    plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| word.chars().take(64).collect())
        .collect()
}

/// What was found for the text of a search.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub providers: Vec<Offered>,
    /// There are more than are told.
    pub more: bool,
}

/// As many words as a search looks at.
const WORDS: usize = 3;
/// A word that more begin like is a common one.
const COMMON: i64 = 100;

/// Providers that people can sign in through and whose words begin with those of the text,
/// or whose domain is that of the address.
pub fn search(tx: &mut ReadTx, text: &str, limit: usize) -> Result<Found> {
    let text = text.rsplit_once('@').map_or(text, |(_, domain)| domain);
    let mut words = words(&text.chars().take(100).collect::<String>());
    // Long words say more than short ones.
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words.truncate(WORDS);
    // A provider may come twice, with two words that begin alike.
    let most = 2 * limit;
    let found = match words.as_slice() {
        [] => return Ok(Found::default()),
        [word] => identity_providers::search_word(tx, word, most as i64)?,
        _ => {
            let rarest_first = rarest_first(tx, words)?;
            let word = |at: usize| rarest_first.get(at).unwrap_or(&rarest_first[0]).as_str();
            identity_providers::search(tx, [word(0), word(1), word(2)], most as i64)?
        }
    };
    let is_cut = found.len() >= most;
    let mut ids: Vec<IdentityProviderId> = Vec::new();
    for id in found {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let more = is_cut || ids.len() > limit;
    ids.truncate(limit);
    let providers = if ids.is_empty() {
        Vec::new()
    } else {
        identity_providers::list_offered(tx, &ids)?
    };
    Ok(Found { providers, more })
}

/// Thousands are a university, and few are in a town: what is read is the part of the index
/// that belongs to the first word.
fn rarest_first(tx: &mut ReadTx, words: Vec<String>) -> Result<Vec<String>> {
    let mut counted = Vec::new();
    for word in words {
        counted.push((identity_providers::count_words(tx, &word, COMMON)?, word));
    }
    counted.sort_by_key(|(count, _)| *count);
    Ok(counted.into_iter().map(|(_, word)| word).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_accents() {
        assert_eq!(words("Universität Zürich (UZH)"), ["universitat", "zurich", "uzh"]);
        assert_eq!(words("uchicago.edu"), ["uchicago", "edu"]);
        assert_eq!(words("ﬁrst  -- 東京大学"), ["first", "東京大学"]);
        assert!(words(" .,-' ").is_empty());
        assert_eq!(words(&"x".repeat(100))[0].len(), 64);
    }

    #[test]
    fn domains_have_labels_of_letters_and_digits() {
        for good in ["x.org", "a-b.c1.edu", "xn--bcher-kva.example"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in [
            "", "x", ".org", "x.", "x..org", "X.org", "a b.org", "*.org", "x.org/", "a@x.org",
        ] {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}
