//! What an operator says about an identity provider, and the presets of well-known ones.
//!
//! Kept as JSON beside the provider. Whatever a provider says about itself (addresses,
//! keys) is not kept but asked for; see `discovery`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// OpenID Connect: an ID token proves who is there.
pub const OIDC: &str = "oidc";
/// Plain OAuth 2.0 with an interface that tells who the token is of, as GitHub has it.
pub const OAUTH2: &str = "oauth2";

/// Whether people can sign in through providers of this kind.
pub fn is_upstream(kind: &str) -> bool {
    matches!(kind, OIDC | OAUTH2)
}

/// How to use a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Configuration {
    /// The name of the preset that it began with.
    pub preset: String,
    /// Who we are there.
    pub client_id: String,
    pub scopes: Vec<String>,
    /// Completes usernames that come without a domain; empty: the first of the provider's.
    pub default_domain: String,
    /// `client_secret_basic`, `client_secret_post` or `none`; empty: what the provider offers.
    pub client_authentication: String,
    /// Signature algorithms that count; empty: those that the provider announces.
    pub algorithms: Vec<String>,
    pub claims: Claims,
    /// Whether the provider is believed when it says that two factors were used.
    pub trust_mfa: bool,
    /// Further parameters of the address that people are sent to, such as a hint which
    /// institution is meant.
    pub parameters: BTreeMap<String, String>,
    /// Claims that must have exactly this value, such as the institution behind a hub.
    pub required_claims: BTreeMap<String, String>,
    /// Of plain OAuth 2.0, which has no document that tells them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Endpoints>,
}

/// Addresses of a provider without a discovery document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoints {
    pub authorization: String,
    pub token: String,
    /// Tells who the token is of.
    pub user: String,
    /// Tells the person's addresses and which are verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emails: Option<String>,
}

/// Which claim holds what. Several names are tried in turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Claims {
    /// Who it is, for ever. Only plain OAuth 2.0 has another name for it than `sub`.
    pub subject: String,
    pub username: Vec<String>,
    pub name: Vec<String>,
    pub email: Vec<String>,
    pub organization: Vec<String>,
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            subject: "sub".into(),
            username: list(&["preferred_username"]),
            name: list(&["name"]),
            email: list(&["email"]),
            organization: list(&["organization"]),
        }
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            preset: "generic".into(),
            client_id: String::new(),
            scopes: list(&["openid", "email", "profile"]),
            default_domain: String::new(),
            client_authentication: String::new(),
            algorithms: Vec::new(),
            claims: Claims::default(),
            trust_mfa: false,
            parameters: BTreeMap::new(),
            required_claims: BTreeMap::new(),
            endpoints: None,
        }
    }
}

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

/// A well-known provider.
#[derive(Clone, Debug)]
pub struct Preset {
    pub name: &'static str,
    pub kind: &'static str,
    /// None: the operator has to say it.
    pub issuer: Option<&'static str>,
    pub title: &'static str,
    pub short_name: &'static str,
    /// None: the operator has to say them.
    pub domains: &'static [&'static str],
    pub configuration: Configuration,
}

pub const PRESETS: &[&str] = &[
    "cilogon",
    "github",
    "google",
    "keycloak",
    "microsoft",
    "orcid",
    "generic",
];

/// What is known about a provider of this name.
pub fn preset(name: &str) -> Option<Preset> {
    let base = |name| Preset {
        name,
        kind: OIDC,
        issuer: None,
        title: "",
        short_name: "",
        domains: &[],
        configuration: Configuration {
            preset: name.into(),
            ..Configuration::default()
        },
    };
    let found = match name {
        "generic" => base("generic"),
        "keycloak" => base("keycloak"),
        // A hub of institutions: the username is the one that the institution asserts.
        "cilogon" => Preset {
            issuer: Some("https://cilogon.org"),
            title: "CILogon",
            short_name: "cilogon",
            configuration: Configuration {
                scopes: list(&["openid", "email", "profile", "org.cilogon.userinfo"]),
                claims: Claims {
                    username: list(&["eppn"]),
                    organization: list(&["idp_name"]),
                    ..Claims::default()
                },
                ..base("cilogon").configuration
            },
            ..base("cilogon")
        },
        // Tells the ORCID iD as subject, and `amr` as a string.
        "orcid" => Preset {
            issuer: Some("https://orcid.org"),
            title: "ORCID",
            short_name: "orcid",
            domains: &["orcid.org"],
            configuration: Configuration {
                scopes: list(&["openid"]),
                claims: Claims {
                    username: list(&["sub"]),
                    ..Claims::default()
                },
                ..base("orcid").configuration
            },
            ..base("orcid")
        },
        "google" => Preset {
            issuer: Some("https://accounts.google.com"),
            title: "Google",
            short_name: "google",
            domains: &["gmail.com"],
            configuration: Configuration {
                claims: Claims {
                    username: list(&["email"]),
                    organization: list(&["hd"]),
                    ..Claims::default()
                },
                ..base("google").configuration
            },
            ..base("google")
        },
        // Each tenant is an issuer of its own; those for everybody name no issuer that could
        // be compared, so the operator names the tenant.
        "microsoft" => Preset {
            title: "Microsoft",
            short_name: "microsoft",
            ..base("microsoft")
        },
        // No ID token: the account number at its interface is the subject.
        "github" => Preset {
            kind: OAUTH2,
            issuer: Some("https://github.com"),
            title: "GitHub",
            short_name: "github",
            domains: &["github.com"],
            configuration: Configuration {
                scopes: list(&["read:user", "user:email"]),
                client_authentication: "client_secret_post".into(),
                claims: Claims {
                    subject: "id".into(),
                    username: list(&["login"]),
                    organization: list(&["company"]),
                    ..Claims::default()
                },
                endpoints: Some(Endpoints {
                    authorization: "https://github.com/login/oauth/authorize".into(),
                    token: "https://github.com/login/oauth/access_token".into(),
                    user: "https://api.github.com/user".into(),
                    emails: Some("https://api.github.com/user/emails".into()),
                }),
                ..base("github").configuration
            },
            ..base("github")
        },
        _ => return None,
    };
    Some(found)
}

/// The issuer of a Microsoft tenant.
pub fn microsoft_issuer(tenant: &str) -> String {
    format!("https://login.microsoftonline.com/{tenant}/v2.0")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_there_and_reads_back_as_it_was_written() {
        for name in PRESETS {
            let preset = preset(name).unwrap();
            assert_eq!(&preset.name, name);
            assert_eq!(preset.configuration.preset, *name);
            assert!(is_upstream(preset.kind));
            let text = serde_json::to_string(&preset.configuration).unwrap();
            let read: Configuration = serde_json::from_str(&text).unwrap();
            assert_eq!(read, preset.configuration, "{name}");
            assert!(!read.trust_mfa, "{name}: the operator says that");
        }
        assert!(preset("facebook").is_none());
        assert_eq!(
            serde_json::from_str::<Configuration>("{}").unwrap(),
            Configuration::default()
        );
    }
}
