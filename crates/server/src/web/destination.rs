//! Ways between pages: where signing in leads when no app waits, and the way back to the
//! app that sent a person here.
//!
//! Both begin with words of whoever made the link. So the places that signing in leads to
//! are a closed list, never an address (an open redirect would lend our name to a phishing
//! page); and the way back is offered only as a link, only to an origin that the app has
//! registered.

use portolan_db::ReadTx;
use portolan_types::{ClientId, IdentityId, Timestamp};
use uuid::Uuid;

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
pub const IDENTITIES: &str = "/v2/web/identities";
/// Where linking begins.
pub const LINK: &str = "/p/link";
/// Where it ends, if the person agrees.
pub const LINK_CONFIRM: &str = "/p/link/confirm";
pub const SECURITY: &str = "/p/account/security";
pub const DEVELOPERS: &str = "/p/developers";
/// The pages for administrators of the server.
pub const CONSOLE: &str = "/p/console";

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
    Identities(CameFrom),
    /// Linking another account, for an authorization request that waits if there is one.
    BeginLink(CameFrom, Option<Uuid>),
    /// The proof is for this pending link: nobody is signed in by it.
    Link(Uuid),
    Unlink(IdentityId, CameFrom),
    MakePrimary(IdentityId, CameFrom),
    /// By its name and its path.
    Security(&'static str, &'static str),
    Developers(Inside),
    /// The same, for somebody whose sign-ins in this browser are not enough to change
    /// something there. Names an identity that would be.
    Administer(Inside, Option<IdentityId>),
    /// For administrators of the server, whose sign-ins in this browser are not enough.
    Console(Inside),
}

/// A page of the developer area or of the operator console: its path beneath [`DEVELOPERS`] or
/// [`CONSOLE`]. It is made of names and ids alone, so whoever writes it cannot lead anywhere
/// else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside(String);

impl Inside {
    /// The page at this path beneath the area, or its first page.
    pub fn new(path: impl Into<String>) -> Self {
        let path = path.into();
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && segment
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let is_path = path.len() <= 200 && path.split('/').all(is_segment);
        Self(if is_path { path } else { String::new() })
    }

    pub fn path(&self) -> String {
        self.beneath(DEVELOPERS)
    }

    fn beneath(&self, area: &str) -> String {
        if self.0.is_empty() {
            return area.into();
        }
        format!("{area}/{}", self.0)
    }
}

impl Destination {
    /// Whether it is a page to change an account, or what belongs to one; others only show.
    pub fn changes_something(&self) -> bool {
        let only_shows = matches!(
            self,
            Destination::Home
                | Destination::Consents(_)
                | Destination::Sessions
                | Destination::Identities(_)
                | Destination::Developers(_)
        );
        !only_shows
    }

    /// What the login page was asked to lead to. Anything unknown is the start page.
    pub fn read(params: &Params) -> Self {
        let came_from = || CameFrom::read(params);
        let uuid = |name| params.get(name).and_then(|id| id.parse::<Uuid>().ok());
        let identity = || uuid("identity").map(IdentityId);
        let inside = || Inside::new(params.get("page").unwrap_or(""));
        match params.get("next") {
            Some("consents") => Destination::Consents(came_from()),
            Some("identities") => Destination::Identities(came_from()),
            Some("begin-link") => Destination::BeginLink(came_from(), uuid("waiting")),
            Some("link") => uuid("link").map_or(Destination::Home, Destination::Link),
            Some("unlink") => identity().map_or(Destination::Home, |id| Destination::Unlink(id, came_from())),
            Some("primary") => identity().map_or(Destination::Home, |id| Destination::MakePrimary(id, came_from())),
            Some("sessions") => Destination::Sessions,
            Some("address") => Destination::Address,
            Some("developers") => Destination::Developers(inside()),
            Some("administer") => Destination::Administer(inside(), identity()),
            Some("console") => Destination::Console(inside()),
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
        if matches!(self, Destination::Administer(..) | Destination::Console(_)) {
            // The page has looked at the sign-ins of this browser already.
            return true;
        }
        let is_fresh = session::is_fresh(&person.authentication, now);
        let is_local = person.identity.provider_id == LOCAL;
        let is_enough = is_fresh && (is_local || !matches!(self, Destination::Security(..)));
        self.needs_fresh_sign_in() && !is_enough
    }

    pub fn path(&self) -> String {
        match self {
            Destination::Home => "/".into(),
            Destination::Consents(came_from) => came_from.address(CONSENTS, &[]),
            Destination::Sessions => SESSIONS.into(),
            Destination::Address => ADDRESS.into(),
            Destination::Security(_, path) => (*path).into(),
            Destination::Developers(page) | Destination::Administer(page, _) => page.path(),
            Destination::Console(page) => page.beneath(CONSOLE),
            Destination::Identities(came_from) => came_from.address(IDENTITIES, &[]),
            Destination::BeginLink(came_from, None) => came_from.address(LINK, &[]),
            Destination::BeginLink(_, Some(request)) => format!("{LINK}?request={request}"),
            Destination::Link(id) => format!("{LINK_CONFIRM}?link={id}"),
            Destination::Unlink(id, came_from) => came_from.address(&format!("{IDENTITIES}/{id}/unlink"), &[]),
            Destination::MakePrimary(id, came_from) => came_from.address(&format!("{IDENTITIES}/{id}/primary"), &[]),
        }
    }

    /// Whether it is for people alone who have just signed in.
    pub fn needs_fresh_sign_in(&self) -> bool {
        match self {
            Destination::Home
            | Destination::Sessions
            | Destination::Consents(_)
            | Destination::Identities(_)
            | Destination::Developers(_)
            | Destination::Link(_) => false,
            Destination::Address
            | Destination::Administer(..)
            | Destination::Security(..)
            | Destination::Console(_)
            | Destination::BeginLink(..)
            | Destination::Unlink(..)
            | Destination::MakePrimary(..) => true,
        }
    }

    /// Whether it changes which accounts belong together, for which one sign-in may not do.
    pub fn changes_links(&self) -> bool {
        matches!(
            self,
            Destination::BeginLink(..) | Destination::Unlink(..) | Destination::MakePrimary(..)
        )
    }

    /// The login page that leads here.
    pub fn login_path(&self) -> String {
        let fields = self.fields();
        if fields.is_empty() {
            return "/p/login".into();
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(fields.iter().map(|field| (field.name, &field.value)));
        format!("/p/login?{}", query.finish())
    }

    /// What the form of the login page brings along.
    pub fn fields(&self) -> Vec<CarriedField> {
        let field = |name, value: &dyn ToString| CarriedField {
            name,
            value: value.to_string(),
        };
        let next = |name: &str| vec![field("next", &name)];
        let page_field = |page: &Inside| {
            let named = Some(&page.0).filter(|path| !path.is_empty());
            named.map(|path| field("page", path)).into_iter().collect::<Vec<_>>()
        };
        let (mut fields, came_from) = match self {
            Destination::Home => return Vec::new(),
            Destination::Sessions => (next("sessions"), None),
            Destination::Address => (next("address"), None),
            Destination::Security(name, _) => (next(name), None),
            Destination::Console(page) => ([next("console"), page_field(page)].concat(), None),
            Destination::Developers(page) => ([next("developers"), page_field(page)].concat(), None),
            Destination::Administer(page, identity) => {
                let mut fields = [next("administer"), page_field(page)].concat();
                fields.extend(identity.as_ref().map(|id| field("identity", id)));
                (fields, None)
            }
            Destination::Consents(came_from) => (next("consents"), Some(came_from)),
            Destination::Identities(came_from) => (next("identities"), Some(came_from)),
            Destination::BeginLink(came_from, request) => {
                let mut fields = next("begin-link");
                fields.extend(request.as_ref().map(|request| field("waiting", request)));
                (fields, Some(came_from))
            }
            Destination::Link(id) => ([next("link"), vec![field("link", id)]].concat(), None),
            Destination::Unlink(id, came_from) => {
                ([next("unlink"), vec![field("identity", id)]].concat(), Some(came_from))
            }
            Destination::MakePrimary(id, came_from) => {
                ([next("primary"), vec![field("identity", id)]].concat(), Some(came_from))
            }
        };
        fields.extend(came_from.into_iter().flat_map(CameFrom::fields));
        fields
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

    /// As a query, to be kept; [`CameFrom::from_query`] reads it.
    pub fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.0)
            .finish()
    }

    pub fn from_query(query: &str) -> Self {
        Params::parse(query.as_bytes()).map_or_else(|_| Self::default(), |params| Self::read(&params))
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
            ("next=console", "/p/console"),
            (
                "next=console&page=people/00000000-0000-0000-0000-000000000007/disable",
                "/p/console/people/00000000-0000-0000-0000-000000000007/disable",
            ),
            ("next=console&page=//evil.example", "/p/console"),
            ("next=console&page=../../v2/web/logout", "/p/console"),
            ("next=console&page=a%0d%0ab", "/p/console"),
            ("next=console&page=a%3fb", "/p/console"),
            ("next=/v2/web/consents", "/"),
            ("next=https://evil.example/", "/"),
            ("next=//evil.example", "/"),
            ("next=consents%0d%0aLocation:%20https://evil.example", "/"),
            ("next=identities", "/v2/web/identities"),
            ("next=identities&client=c", "/v2/web/identities?client=c"),
            ("next=developers", "/p/developers"),
            (
                "next=developers&page=projects/00000000-0000-0000-0000-000000000007/edit",
                "/p/developers/projects/00000000-0000-0000-0000-000000000007/edit",
            ),
            (
                "next=administer&page=apps/new&identity=00000000-0000-0000-0000-000000000007",
                "/p/developers/apps/new",
            ),
            ("next=developers&page=//evil.example", "/p/developers"),
            ("next=developers&page=../../v2/web/logout", "/p/developers"),
            ("next=developers&page=a?b", "/p/developers"),
            ("next=developers&page=a%0d%0ab", "/p/developers"),
            ("next=developers&page=a%5cb", "/p/developers"),
            ("next=begin-link", "/p/link"),
            ("next=begin-link&waiting=https://evil.example", "/p/link"),
            (
                "next=begin-link&waiting=00000000-0000-0000-0000-000000000007",
                "/p/link?request=00000000-0000-0000-0000-000000000007",
            ),
            (
                "next=link&link=00000000-0000-0000-0000-000000000007",
                "/p/link/confirm?link=00000000-0000-0000-0000-000000000007",
            ),
            ("next=link&link=//evil.example", "/"),
            (
                "next=unlink&identity=00000000-0000-0000-0000-000000000007&client_id=c",
                "/v2/web/identities/00000000-0000-0000-0000-000000000007/unlink?client_id=c",
            ),
            ("next=unlink&identity=../../logout", "/"),
            (
                "next=primary&identity=00000000-0000-0000-0000-000000000007",
                "/v2/web/identities/00000000-0000-0000-0000-000000000007/primary",
            ),
            ("next=primary", "/"),
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
