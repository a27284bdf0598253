//! The permissions that a person gave to apps: seen as a tree for each app, and taken back.
//!
//! Before anything ends, a page says what will: the consent with all beneath it, or the
//! whole tree where a part cannot be withdrawn alone (wire.md 1.12); all of one app, or all
//! of every app. The form names what that page showed; if it has changed meanwhile, the
//! person sees the new state instead. A consent of somebody else is not there at all.

use std::collections::{BTreeSet, HashMap, HashSet};

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::{BrowserSessionId, ClientId, ConsentId, IdentityId, ScopeId, Timestamp, TokenHash};

use super::destination::{CONSENTS, CameFrom, Destination};
use super::pages::consent::{
    AppConsents, AppLosses, ConsentNode, ConsentsPage, Loss, LostScope, RevocationExtent, RevocationPage,
    RevokeAllPage, Withdraw,
};
use super::pages::{CarriedField, ClientView, FormErrors, Href, Moment};
use super::{SignedIn, client_view, find_session, layout, render};
use crate::app::{App, Ctx};
use crate::domain::{consent, token_format};
use crate::error::{Error, Result};
use crate::http::browser::{Cookie, PagePolicy, checked_form};
use crate::http::extract::{Form, Params, Query};
use crate::store::audit::{self, Actor, Event};
use crate::store::clients::{self, Client};
use crate::store::consents::{self, Consent};
use crate::store::identities::{self, Identity};
use crate::store::scopes::{self, Scope};
use crate::store::sessions;
use crate::texts::Language;

/// `GET /v2/web/consents`
pub async fn consents_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
) -> Result<Response> {
    let Query(params) = query?;
    let came_from = CameFrom::read(&params);
    let Some(cookie) = Cookie::read(&headers, &app.config) else {
        return Ok(sign_in_first(came_from));
    };
    let (shared, unit_ctx, link) = (app.clone(), ctx.clone(), came_from.clone());
    let (permissions, client) = app
        .db
        .read(move |tx| {
            let permissions = Permissions::find(tx, &shared, &unit_ctx, &cookie.hash)?;
            Ok::<_, Error>((permissions, link.find_client(tx)?))
        })
        .await?;
    let Some(permissions) = permissions else {
        return Ok(sign_in_first(came_from));
    };
    let apps = permissions.apps(&came_from);
    let page = ConsentsPage {
        layout: layout(&app, &ctx, ctx.text("consents-title"), Some(&permissions.person)),
        withdraw_all: (apps.len() > 1).then(|| revocation_link(Extent::All, &came_from)),
        apps,
        withdrawn: params.get("notice") == Some("withdrawn"),
        back: came_from.way_back(client.as_ref()),
    };
    render(&page, &PagePolicy::default())
}

/// `GET /v2/web/consents/{consent_id}`: asks first, and says what will stop working. In place
/// of an id, `all` is everything that any app was allowed.
pub async fn revocation_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Result<Response> {
    let Query(params) = query?;
    let Some(cookie) = Cookie::read(&headers, &app.config) else {
        return Ok(sign_in_first(CameFrom::read(&params)));
    };
    let revocation = Revocation::read(&id, &params)?;
    ask(&app, &ctx, &cookie, &revocation, FormErrors::none()).await
}

/// `POST /v2/web/consents/{consent_id}`
pub async fn revoke_by_person(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Result<Response> {
    let (cookie, form) = checked_form(&app, &headers, form)?;
    let revocation = Revocation::read(&id, &form)?;
    let shown = form.get("shown").unwrap_or("").to_owned();
    let (shared, unit_ctx, wanted) = (app.clone(), ctx.clone(), revocation.clone());
    let outcome = app
        .db
        .write(move |tx| {
            let Some(permissions) = Permissions::find(tx, &shared, &unit_ctx, &cookie.hash)? else {
                return Ok(Outcome::SignedOut);
            };
            let cut = permissions.cut(&wanted)?;
            if cut.fingerprint() != shown {
                return Ok(Outcome::Changed);
            }
            sessions::touch(tx, permissions.session, unit_ctx.now)?;
            let owners: Vec<IdentityId> = permissions.identities.iter().map(|identity| identity.id).collect();
            for named in &cut.named {
                let revoked = consent::revoke(tx, &owners, named.id)?;
                let event = Event {
                    action: "consent.revoke",
                    actor: Actor::Identity(permissions.person.identity.id),
                    resource_kind: "consent",
                    resource_id: named.id.to_string(),
                    detail: serde_json::json!({
                        "scope": permissions.scope(named).scope_string,
                        "client": named.client_id,
                        "cut": revoked.cut,
                    }),
                };
                audit::insert(tx, &unit_ctx, &event)?;
            }
            Ok::<_, Error>(Outcome::Revoked)
        })
        .await?;
    match outcome {
        Outcome::Revoked => {
            let list = revocation.came_from.address(CONSENTS, &[("notice", "withdrawn")]);
            Ok(Redirect::to(&list).into_response())
        }
        Outcome::SignedOut => Ok(sign_in_first(revocation.came_from)),
        Outcome::Changed => {
            let errors = FormErrors::whole(ctx.text("consents-changed"));
            ask(&app, &ctx, &cookie, &revocation, errors).await
        }
    }
}

enum Outcome {
    Revoked,
    SignedOut,
    Changed,
}

fn sign_in_first(came_from: CameFrom) -> Response {
    Redirect::to(&Destination::Consents(came_from).login_path()).into_response()
}

/// The last part of the address for everything that any app was allowed.
const ALL: &str = "all";

/// What a person is about to withdraw.
#[derive(Clone, Debug)]
struct Revocation {
    extent: Extent,
    came_from: CameFrom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// The consent itself, as far as it can end alone.
    Consent(ConsentId),
    /// Everything that the app of this consent was allowed.
    App(ConsentId),
    /// Everything that any app was allowed.
    All,
}

impl Revocation {
    fn read(id: &str, params: &Params) -> Result<Self> {
        let consent = || id.parse().map_err(|_| Error::not_found("consent"));
        Ok(Self {
            extent: match params.get("extent") {
                _ if id == ALL => Extent::All,
                Some("app") => Extent::App(consent()?),
                _ => Extent::Consent(consent()?),
            },
            came_from: CameFrom::read(params),
        })
    }
}

async fn ask(app: &App, ctx: &Ctx, cookie: &Cookie, revocation: &Revocation, errors: FormErrors) -> Result<Response> {
    let (shared, unit_ctx, hash) = (app.clone(), ctx.clone(), cookie.hash);
    let found = app
        .db
        .read(move |tx| Permissions::find(tx, &shared, &unit_ctx, &hash))
        .await?;
    let Some(permissions) = found else {
        return Ok(sign_in_first(revocation.came_from.clone()));
    };
    let cut = permissions.cut(revocation)?;
    let field = |name, value: &str| CarriedField {
        name,
        value: value.to_owned(),
    };
    let mut carried = vec![field("shown", &cut.fingerprint())];
    if let Extent::App(_) = revocation.extent {
        carried.push(field("extent", "app"));
    }
    carried.extend(revocation.came_from.fields());
    let keep = Href::path(revocation.came_from.address(CONSENTS, &[]));
    let while_away = cut.ending.iter().any(|consent| consent.allows_refresh);
    let consent = match revocation.extent {
        Extent::Consent(consent) | Extent::App(consent) => consent,
        Extent::All => {
            let page = RevokeAllPage {
                layout: layout(app, ctx, ctx.text("withdrawal-title"), Some(&permissions.person)),
                action: format!("{CONSENTS}/{ALL}"),
                form_token: cookie.form_token(app),
                carried,
                apps: permissions.losses_by_app(&cut),
                while_away,
                keep,
                errors,
            };
            return render(&page, &PagePolicy::default());
        }
    };
    let client = permissions.app_of(&cut);
    let page = RevocationPage {
        layout: layout(app, ctx, ctx.text("consents-revoke-title"), Some(&permissions.person)),
        action: format!("{CONSENTS}/{consent}"),
        form_token: cookie.form_token(app),
        carried,
        client: permissions.client(client),
        extent: permissions.extent(&cut, revocation.extent),
        allowed_by: permissions.usernames(&cut.ending),
        last_used: last_used(&cut.ending),
        while_away,
        losses: permissions.losses(client, &cut.ending),
        kept: permissions.kept(client, &cut),
        keep,
        errors,
    };
    render(&page, &PagePolicy::default())
}

/// All that a person has allowed, at one moment.
struct Permissions {
    language: Language,
    session: BrowserSessionId,
    person: SignedIn,
    /// The identity set of the person.
    identities: Vec<Identity>,
    /// Approved ones. A parent of an approved consent is approved, so trees are whole.
    consents: Vec<Consent>,
    scopes: HashMap<ScopeId, Scope>,
    /// The apps, and the templates of those that are instances.
    clients: HashMap<ClientId, Client>,
}

/// What ends when a consent is withdrawn.
struct Cut<'a> {
    /// What the person takes back; never empty but for somebody who has allowed nothing.
    named: Vec<&'a Consent>,
    /// Each of them, or the root of its tree, with all beneath; parents before children.
    ending: Vec<&'a Consent>,
}

impl Cut<'_> {
    /// Names what a page shows.
    fn fingerprint(&self) -> String {
        let ids: BTreeSet<i64> = self.ending.iter().map(|consent| consent.id.0).collect();
        let text: Vec<String> = ids.iter().map(i64::to_string).collect();
        URL_SAFE_NO_PAD.encode(&token_format::hash(&text.join(",")).0[..16])
    }
}

impl Permissions {
    /// None if nobody is signed in.
    fn find(tx: &mut ReadTx, app: &App, ctx: &Ctx, cookie: &TokenHash) -> Result<Option<Self>> {
        let Some((session, Some(person))) = find_session(tx, app, ctx, cookie)? else {
            return Ok(None);
        };
        let mut identities = identities::list_set(tx, person.identity.set_id)?;
        identities.retain(|identity| identity.status != "closed");
        let mut found = Vec::new();
        for identity in &identities {
            found.extend(consents::list_by_identity(tx, identity.id)?);
        }
        found.retain(Consent::is_approved);
        let scope_ids: HashSet<ScopeId> = found.iter().map(|consent| consent.scope_id).collect();
        let scopes = scopes::list_by_ids(tx, scope_ids)?;
        let roots = found.iter().filter(|consent| consent.parent_id.is_none());
        let apps: HashSet<ClientId> = roots.map(|consent| consent.client_id).collect();
        let mut clients = clients::list_by_ids(tx, apps)?;
        let templates: HashSet<ClientId> = clients.iter().filter_map(template_of).collect();
        clients.extend(clients::list_by_ids(tx, templates)?);
        let mut permissions = Self {
            language: ctx.language,
            session,
            person,
            identities,
            consents: found,
            scopes: scopes.into_iter().map(|scope| (scope.id, scope)).collect(),
            clients: clients.into_iter().map(|client| (client.id, client)).collect(),
        };
        permissions.sort();
        Ok(Some(permissions))
    }

    /// Ids of consents are random; people read names. Parents come before their children.
    fn sort(&mut self) {
        let scopes = &self.scopes;
        let name = |consent: &Consent| scopes.get(&consent.scope_id).map(|scope| scope.name.to_lowercase());
        self.consents
            .sort_by_cached_key(|consent| (consent.path().len(), name(consent), consent.id.0));
    }

    fn scope(&self, consent: &Consent) -> &Scope {
        self.scopes
            .get(&consent.scope_id)
            .expect("a foreign key keeps the scope of a consent, read in the same transaction")
    }

    fn client(&self, id: ClientId) -> ClientView {
        let client = self
            .clients
            .get(&id)
            .expect("a foreign key keeps the client of a consent, read in the same transaction");
        client_view(
            client,
            template_of(client).and_then(|template| self.clients.get(&template)),
        )
    }

    fn roots(&self) -> impl Iterator<Item = &Consent> {
        self.consents.iter().filter(|consent| consent.parent_id.is_none())
    }

    fn root_of(&self, consent: &Consent) -> &Consent {
        self.roots()
            .find(|root| root.id == consent.root_id)
            .expect("an approved consent stands in an approved tree")
    }

    /// Each once, in the order of the identity set.
    fn usernames(&self, consents: &[&Consent]) -> Vec<String> {
        self.identities
            .iter()
            .filter(|identity| consents.iter().any(|consent| consent.identity_id == identity.id))
            .map(|identity| identity.username.clone())
            .collect()
    }

    /// The apps by name, each with its trees.
    fn apps(&self, came_from: &CameFrom) -> Vec<AppConsents> {
        let mut children: HashMap<ConsentId, Vec<&Consent>> = HashMap::new();
        for consent in &self.consents {
            if let Some(parent) = consent.parent_id {
                children.entry(parent).or_default().push(consent);
            }
        }
        let mut trees: HashMap<ClientId, Vec<&Consent>> = HashMap::new();
        for root in self.roots() {
            trees.entry(root.client_id).or_default().push(root);
        }
        let mut apps: Vec<(ClientId, AppConsents)> = trees
            .into_iter()
            .map(|(id, roots)| (id, self.app(id, &roots, &children, came_from)))
            .collect();
        apps.sort_by_cached_key(|(id, app)| (app.client.name.to_lowercase(), id.to_string()));
        apps.into_iter().map(|(_, app)| app).collect()
    }

    fn app(
        &self,
        id: ClientId,
        roots: &[&Consent],
        children: &HashMap<ConsentId, Vec<&Consent>>,
        came_from: &CameFrom,
    ) -> AppConsents {
        let client = self.client(id);
        let allowed_by = self.usernames(roots);
        let labels: BTreeSet<String> = roots.iter().filter_map(|root| root.label.clone()).collect();
        // Every device has an app of the same name.
        let name = match &client.registered_as {
            Some(device) => format!("{}, {device}", client.name),
            None => client.name.clone(),
        };
        let tree = Tree {
            language: self.language,
            permissions: self,
            children,
            came_from,
            app: &name,
            names_identities: allowed_by.len() > 1,
        };
        let nodes: Vec<ConsentNode> = roots.iter().map(|root| tree.node(root)).collect();
        let everything = roots.first().filter(|_| roots.len() > 1);
        AppConsents {
            allowed_by,
            labels: labels.into_iter().collect(),
            last_used: last_used(roots),
            while_away: nodes.iter().any(goes_on_while_away),
            withdraw_all: everything.map(|root| revocation_link(Extent::App(root.id), came_from)),
            consents: nodes,
            client,
        }
    }

    /// What ends. The consent has to belong to the person: any other is not there.
    fn cut(&self, revocation: &Revocation) -> Result<Cut<'_>> {
        let find = |id| {
            let named = self.consents.iter().find(|consent| consent.id == id);
            named.ok_or_else(|| Error::not_found("consent"))
        };
        let named: Vec<&Consent> = match revocation.extent {
            Extent::Consent(id) => vec![find(id)?],
            Extent::App(id) => {
                let app = self.root_of(find(id)?).client_id;
                self.roots().filter(|root| root.client_id == app).collect()
            }
            Extent::All => self.roots().collect(),
        };
        let cuts: HashSet<ConsentId> = named.iter().map(|consent| consent::cut_of(consent)).collect();
        let falls = |consent: &&Consent| consent.path().iter().any(|id| cuts.contains(id));
        Ok(Cut {
            named,
            ending: self.consents.iter().filter(falls).collect(),
        })
    }

    /// The app that loses something, where it is one.
    fn app_of(&self, cut: &Cut<'_>) -> ClientId {
        let named = cut.named.first().expect("a consent was named, or all of an app");
        self.root_of(named).client_id
    }

    fn extent(&self, cut: &Cut<'_>, extent: Extent) -> RevocationExtent {
        let [named] = cut.named[..] else {
            return RevocationExtent::App;
        };
        let name = self.scope(named).name.clone();
        match named.parent_id {
            _ if matches!(extent, Extent::App(_)) => RevocationExtent::App,
            None => RevocationExtent::Tree { name },
            Some(_) if consent::cut_of(named) == named.id => RevocationExtent::Branch { name },
            Some(_) => RevocationExtent::WholeTree {
                name,
                root: self.scope(self.root_of(named)).name.clone(),
            },
        }
    }

    /// The same for each app that loses something, by name.
    fn losses_by_app(&self, cut: &Cut<'_>) -> Vec<AppLosses> {
        let mut ending: HashMap<ClientId, Vec<&Consent>> = HashMap::new();
        for &consent in &cut.ending {
            ending.entry(self.root_of(consent).client_id).or_default().push(consent);
        }
        let mut apps: Vec<(ClientId, AppLosses)> = ending
            .into_iter()
            .map(|(id, ending)| {
                let losses = AppLosses {
                    client: self.client(id),
                    losses: self.losses(id, &ending),
                };
                (id, losses)
            })
            .collect();
        apps.sort_by_cached_key(|(id, app)| (app.client.name.to_lowercase(), id.to_string()));
        apps.into_iter().map(|(_, app)| app).collect()
    }

    /// Who loses what, the app first: a child is used by the owner of its parent's scope.
    fn losses(&self, app: ClientId, ending: &[&Consent]) -> Vec<Loss> {
        let mut losses: Vec<(Option<ClientId>, Loss)> = Vec::new();
        for consent in ending {
            let parent = self.consents.iter().find(|parent| Some(parent.id) == consent.parent_id);
            let (user, who) = match parent {
                None => (None, self.client(app).name),
                Some(parent) => {
                    let above = self.scope(parent);
                    (Some(above.client_id), above.owner_name.clone())
                }
            };
            let scope = self.scope(consent);
            let lost = LostScope {
                name: scope.name.clone(),
                description: scope.description.clone(),
                resource: scope.owner_name.clone(),
            };
            match losses.iter_mut().find(|(known, _)| *known == user) {
                Some((_, loss)) if loss.scopes.contains(&lost) => {}
                Some((_, loss)) => loss.scopes.push(lost),
                None => losses.push((
                    user,
                    Loss {
                        who,
                        is_app: user.is_none(),
                        scopes: vec![lost],
                    },
                )),
            }
        }
        losses.into_iter().map(|(_, loss)| loss).collect()
    }

    /// The app's permissions that stay, whole or without a branch.
    fn kept(&self, app: ClientId, cut: &Cut<'_>) -> Vec<String> {
        let ending: HashSet<ConsentId> = cut.ending.iter().map(|consent| consent.id).collect();
        let mut names: Vec<String> = Vec::new();
        for root in self.roots().filter(|root| root.client_id == app) {
            let name = &self.scope(root).name;
            if !ending.contains(&root.id) && !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    }
}

/// What all nodes of an app share.
struct Tree<'a> {
    language: Language,
    permissions: &'a Permissions,
    children: &'a HashMap<ConsentId, Vec<&'a Consent>>,
    came_from: &'a CameFrom,
    app: &'a str,
    names_identities: bool,
}

impl Tree<'_> {
    fn node(&self, consent: &Consent) -> ConsentNode {
        let scope = self.permissions.scope(consent);
        let is_root = consent.parent_id.is_none();
        let href = || revocation_link(Extent::Consent(consent.id), self.came_from);
        let withdraw = match consent.parent_id {
            None => Some(Withdraw::Tree(href())),
            Some(_) if consent::cut_of(consent) == consent.id => Some(Withdraw::Branch(href())),
            Some(_) => None,
        };
        let allowed_by = self
            .permissions
            .usernames(&[consent])
            .pop()
            .filter(|_| self.names_identities);
        let app = match &allowed_by {
            Some(username) => format!("{}, {username}", self.app),
            None => self.app.to_owned(),
        };
        let children = self.children.get(&consent.id).map_or(&[][..], Vec::as_slice);
        ConsentNode {
            language: self.language,
            name: scope.name.clone(),
            description: scope.description.clone(),
            resource: scope.owner_name.clone(),
            app,
            allowed_by: allowed_by.filter(|_| is_root),
            since: Moment::day(consent.created_at),
            last_used: consent.last_used_at.map(Moment::minute),
            while_away: consent.allows_refresh,
            withdraw,
            children: children.iter().map(|child| self.node(child)).collect(),
        }
    }
}

/// The template of an instance: people know the app by its name.
fn template_of(client: &Client) -> Option<ClientId> {
    client.parent_client_id.filter(|_| client.is_instance)
}

fn goes_on_while_away(node: &ConsentNode) -> bool {
    node.while_away || node.children.iter().any(goes_on_while_away)
}

fn last_used(consents: &[&Consent]) -> Option<Moment> {
    let newest: Option<Timestamp> = consents.iter().filter_map(|consent| consent.last_used_at).max();
    newest.map(Moment::minute)
}

fn revocation_link(extent: Extent, came_from: &CameFrom) -> Href {
    Href::path(match extent {
        Extent::Consent(id) => came_from.address(&format!("{CONSENTS}/{id}"), &[]),
        Extent::App(id) => came_from.address(&format!("{CONSENTS}/{id}"), &[("extent", "app")]),
        Extent::All => came_from.address(&format!("{CONSENTS}/{ALL}"), &[]),
    })
}
