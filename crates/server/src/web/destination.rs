//! Ways between pages: where signing in leads when no app waits, and the way back to the
//! app that sent a person here.
//!
//! Both begin with words of whoever made the link. So the places that signing in leads to
//! are a closed list, never an address (an open redirect would lend our name to a phishing
//! page); and the way back is offered only as a link, only to an origin that the app has
//! registered.

use portolan_db::ReadTx;
use portolan_types::{ClientId, Timestamp};

use super::SignedIn;
use super::account_sessions::SESSIONS;
use super::pages::{CarriedField, Href, Link};
use crate::domain::{client, session};
use crate::error::Result;
use crate::http::extract::Params;
use crate::store::clients::{self, Client};
use crate::store::identity_providers::LOCAL;

pub const CONSENTS: &str = "/v2/web/consents";
pub const ADDRESS: &str = "/p/address";
pub const SECURITY: &str = "/p/account/security";

/// Pages that change how a person signs in: each with its name in `next` and its path.
const SECURITY_PAGES: [(&str, &str); 5] = [
    ("security", SECURITY),
    ("security-password", "/p/account/security/password"),
    ("security-totp", "/p/account/security/totp"),
    ("security-passkeys", "/p/account/security/passkeys"),
    ("security-recovery-codes", "/p/account/security/recovery-codes"),
];

/// A page of this server that needs a person who is signed in.
#[derive(Clone, Debug)]
pub enum Destination {
    Home,
    Consents(CameFrom),
    Sessions,
    /// The e-mail address of the account.
    Address,
    /// By its name and its path.
    Security(&'static str, &'static str),
}

impl Destination {
    /// What the login page was asked to lead to. Anything unknown is the start page.
    pub fn read(params: &Params) -> Self {
        match params.get("next") {
            Some("consents") => Destination::Consents(CameFrom::read(params)),
            Some("sessions") => Destination::Sessions,
            Some("address") => Destination::Address,
            Some(name) => SECURITY_PAGES
                .into_iter()
                .find(|(known, _)| *known == name)
                .map_or(Destination::Home, |(name, path)| Destination::Security(name, path)),
            None => Destination::Home,
        }
    }

    /// The page that changes how a person signs in at this path, or the list of them.
    pub fn security(path: &str) -> Self {
        let (name, path) = SECURITY_PAGES
            .into_iter()
            .find(|(_, known)| *known == path)
            .unwrap_or(SECURITY_PAGES[0]);
        Destination::Security(name, path)
    }

    /// Whether the person has to sign in again before they can go there.
    pub fn needs_new_login(&self, person: &SignedIn, now: Timestamp) -> bool {
        let is_fresh = session::is_fresh(&person.authentication, now);
        let is_local = person.identity.provider_id == LOCAL;
        let is_enough = is_fresh && (is_local || !matches!(self, Destination::Security(..)));
        self.needs_fresh_sign_in() && !is_enough
    }

    /// What changes an account asks for a recent sign-in (decisions, section 6).
    pub fn needs_fresh_sign_in(&self) -> bool {
        matches!(self, Destination::Address | Destination::Security(..))
    }

    pub fn path(&self) -> String {
        match self {
            Destination::Home => "/".into(),
            Destination::Consents(came_from) => came_from.address(CONSENTS, &[]),
            Destination::Sessions => SESSIONS.into(),
            Destination::Address => ADDRESS.into(),
            Destination::Security(_, path) => (*path).into(),
        }
    }

    /// The login page that leads here.
    pub fn login_path(&self) -> String {
        match self {
            Destination::Home => "/p/login".into(),
            Destination::Consents(came_from) => came_from.address("/p/login", &[("next", "consents")]),
            Destination::Sessions => "/p/login?next=sessions".into(),
            Destination::Address => "/p/login?next=address".into(),
            Destination::Security(name, _) => CameFrom::default().address("/p/login", &[("next", name)]),
        }
    }

    /// What the form of the login page brings along.
    pub fn fields(&self) -> Vec<CarriedField> {
        match self {
            Destination::Home => Vec::new(),
            Destination::Security(name, _) => vec![CarriedField {
                name: "next",
                value: (*name).to_owned(),
            }],
            Destination::Address => vec![CarriedField {
                name: "next",
                value: "address".into(),
            }],
            Destination::Consents(came_from) => {
                let next = CarriedField {
                    name: "next",
                    value: "consents".into(),
                };
                std::iter::once(next).chain(came_from.fields()).collect()
            }
            Destination::Sessions => vec![CarriedField {
                name: "next",
                value: "sessions".into(),
            }],
        }
    }
}

/// The app that a person came from, as the link said (wire.md 2.9): `client_id`, or
/// `client` as older apps spell it, `redirect_uri` and `redirect_name`.
#[derive(Clone, Debug, Default)]
pub struct CameFrom(Vec<(&'static str, String)>);

impl CameFrom {
    pub fn read(params: &Params) -> Self {
        let names = ["client_id", "client", "redirect_uri", "redirect_name"];
        let given = names
            .into_iter()
            .filter_map(|name| Some((name, params.get(name)?.to_owned())));
        Self(given.collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// For the forms of the page.
    pub fn fields(&self) -> Vec<CarriedField> {
        let field = |(name, value): &(&'static str, String)| CarriedField {
            name,
            value: value.clone(),
        };
        self.0.iter().map(field).collect()
    }

    /// A path of this server that remembers where the person came from.
    pub fn address(&self, path: &str, more: &[(&str, &str)]) -> String {
        if self.0.is_empty() && more.is_empty() {
            return path.to_owned();
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(more);
        query.extend_pairs(&self.0);
        format!("{path}?{}", query.finish())
    }

    pub fn find_client(&self, tx: &mut ReadTx) -> Result<Option<Client>> {
        let named = self.get("client_id").or_else(|| self.get("client"));
        match named.and_then(|id| id.parse::<ClientId>().ok()) {
            Some(id) => clients::find(tx, id),
            None => Ok(None),
        }
    }

    /// The way back, if it leads to an origin that the client has registered.
    pub fn way_back(&self, client: Option<&Client>) -> Option<Link> {
        let (client, uri) = (client?, self.get("redirect_uri")?);
        let name = self.get("redirect_name")?;
        if !client::is_registered_origin(client, uri) {
            return None;
        }
        Some(Link {
            text: name.chars().take(100).collect(),
            href: Href::web(uri)?,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn signing_in_leads_to_pages_of_the_list_and_nowhere_else() {
        let table = [
            ("", "/"),
            ("next=consents", "/v2/web/consents"),
            ("next=sessions", "/p/account/sessions"),
            ("next=home", "/"),
            ("next=security", "/p/account/security"),
            ("next=security-totp", "/p/account/security/totp"),
            ("next=security-nothing", "/"),
            ("next=address", "/p/address"),
            ("next=/v2/web/consents", "/"),
            ("next=https://evil.example/", "/"),
            ("next=//evil.example", "/"),
            ("next=consents%0d%0aLocation:%20https://evil.example", "/"),
            (
                "next=consents&client_id=c&redirect_uri=https%3A%2F%2Fevil.example%2F%3Fa%3D1%26b&redirect_name=%0d%0ax",
                "/v2/web/consents?client_id=c&redirect_uri=https%3A%2F%2Fevil.example%2F%3Fa%3D1%26b&redirect_name=%0D%0Ax",
            ),
        ];
        for (query, path) in table {
            let destination = Destination::read(&Params::parse(query.as_bytes()).unwrap());
            assert_eq!(destination.path(), path, "{query}");
            // The login page on the way there asks for the same place again.
            let login = destination.login_path();
            let query = login.split_once('?').map_or("", |(_, query)| query);
            let again = Destination::read(&Params::parse(query.as_bytes()).unwrap());
            assert_eq!(again.path(), path, "{login}");
        }
    }
}
