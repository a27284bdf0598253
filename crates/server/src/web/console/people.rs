//! People: found by what they are called, looked at as a whole, switched off and on, signed
//! out, and helped back in.

use axum::extract::{Path, State};
use http::HeaderMap;
use portolan_db::{ReadTx, WriteTx};
use portolan_types::IdentityId;

use super::action::{self, Action, Question};
use super::{Administrator, Events, Visit, Wants, go_on, inside, next_page, typed};
use crate::app::{App, Ctx};
use crate::domain::address::{self, Site};
use crate::domain::factors::{self, Available, Removal};
use crate::domain::identity;
use crate::domain::session::{self, Place};
use crate::error::{Error, Result};
use crate::http::browser::{PagePolicy, session_lifetimes};
use crate::http::extract::{Form, Params, Query};
use crate::store::identities::{self, Identity, SearchBy};
use crate::store::identity_providers::{CLIENTS, LOCAL};
use crate::texts::Language;
use crate::web::account_sessions::app_names;
use crate::web::pages::console::{
    FactorRow, PeoplePage, PersonAction, PersonFacts, PersonNotice, PersonPage, PersonRow, PersonState, SessionRow,
};
use crate::web::pages::{Href, Link, Moment};
use crate::web::visit::Page;
use crate::web::{render, user_agent};

/// On one page of a list.
const PER_PAGE: usize = 25;

/// What people are looked for by.
#[derive(Clone, Debug)]
struct Search {
    text: String,
    /// None: in every way, as far as a page goes.
    by: Option<SearchBy>,
    after: (String, IdentityId),
}

const WAYS: [(SearchBy, &str); 3] = [
    (SearchBy::Username, "username"),
    (SearchBy::Name, "name"),
    (SearchBy::Email, "email"),
];

fn way_name(by: SearchBy) -> &'static str {
    WAYS.into_iter()
        .find(|(known, _)| *known == by)
        .map_or("", |(_, name)| name)
}

fn part(identity: &Identity, by: SearchBy) -> String {
    match by {
        SearchBy::Username => identity.username.clone(),
        SearchBy::Name => identity.name.clone().unwrap_or_default(),
        SearchBy::Email => identity.email.clone().unwrap_or_default(),
    }
}

/// What a search has found.
#[derive(Default)]
struct Found {
    people: Vec<Identity>,
    administrators: Vec<IdentityId>,
    next: Option<(String, IdentityId)>,
    /// The ways in which there are more than are shown.
    cut: Vec<SearchBy>,
}

impl Search {
    fn read(params: &Params) -> Self {
        let text = typed(params, "q");
        let by = params
            .get("by")
            .and_then(|wanted| WAYS.into_iter().find(|(_, name)| *name == wanted));
        Self {
            by: match by {
                Some((by, _)) => Some(by),
                None if text.is_empty() => Some(SearchBy::Username),
                None => None,
            },
            after: (
                typed(params, "after"),
                params
                    .get("id")
                    .and_then(|id| id.parse().ok())
                    .unwrap_or(IdentityId::from_u128(0)),
            ),
            text,
        }
    }

    fn run(&self, tx: &mut ReadTx) -> Result<Found> {
        let mut found = Found::default();
        if let Ok(id) = self.text.parse() {
            found.people = identities::find(tx, id)?
                .into_iter()
                .filter(|identity| identity.provider_id != CLIENTS)
                .collect();
        } else if let Some(by) = self.by {
            let after = (self.after.0.as_str(), self.after.1);
            found.people = identities::search(tx, by, &self.text, after, PER_PAGE as i64 + 1)?;
            if found.people.len() > PER_PAGE {
                found.people.truncate(PER_PAGE);
                found.next = found.people.last().map(|last| (part(last, by), last.id));
            }
        } else {
            self.run_everywhere(tx, &mut found)?;
        }
        for person in &found.people {
            if identities::is_administrator(tx, person.id)? {
                found.administrators.push(person.id);
            }
        }
        Ok(found)
    }

    fn run_everywhere(&self, tx: &mut ReadTx, found: &mut Found) -> Result<()> {
        for (by, _) in WAYS {
            let first = ("", IdentityId::from_u128(0));
            let mut people = identities::search(tx, by, &self.text, first, PER_PAGE as i64 + 1)?;
            if people.len() > PER_PAGE {
                people.truncate(PER_PAGE);
                found.cut.push(by);
            }
            for person in people {
                if !found.people.iter().any(|known| known.id == person.id) {
                    found.people.push(person);
                }
            }
        }
        found.people.sort_by(|a, b| a.username.cmp(&b.username));
        Ok(())
    }

    fn fields(&self, by: Option<SearchBy>) -> [(&'static str, &str); 2] {
        [("q", self.text.as_str()), ("by", by.map_or("", way_name))]
    }
}

/// `GET /p/console/people`
pub async fn people_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, "people");
    let search = Search::read(&params);
    let wanted = search.clone();
    let (administrator, found) = visit.read(Wants::Look, move |tx, _| wanted.run(tx)).await?;
    let narrow = |by: &SearchBy| Link {
        text: match by {
            SearchBy::Username => visit.ctx.text("console-people-more-username"),
            SearchBy::Name => visit.ctx.text("console-people-more-name"),
            SearchBy::Email => visit.ctx.text("console-people-more-email"),
        }
        .to_owned(),
        href: next_page("people", &search.fields(Some(*by))),
    };
    let page = PeoplePage {
        layout: visit.layout(visit.ctx.text("console-people-title"), &administrator),
        narrow: found.cut.iter().map(narrow).collect(),
        next: found.next.as_ref().map(|(after, id)| {
            let [text, by] = search.fields(search.by);
            next_page("people", &[text, by, ("after", after), ("id", &id.to_string())])
        }),
        rows: found
            .people
            .iter()
            .map(|person| row(person, found.administrators.contains(&person.id)))
            .collect(),
        search: search.text,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

fn row(person: &Identity, is_administrator: bool) -> PersonRow {
    PersonRow {
        username: person.username.clone(),
        name: person.name.clone(),
        email: person.email.clone(),
        provider: person.provider_name.clone(),
        state: state(person),
        is_administrator,
        href: inside(&format!("people/{}", person.id)),
    }
}

fn state(person: &Identity) -> PersonState {
    match person.status.as_str() {
        "closed" => PersonState::Closed,
        _ if !person.enabled => PersonState::Disabled,
        _ if !person.provider_enabled => PersonState::ProviderDisabled,
        "unused" => PersonState::Unused,
        _ => PersonState::Live,
    }
}

/// A person, a client's own identity is none.
fn find(tx: &mut ReadTx, id: &str) -> Result<Identity> {
    let missing = || Error::not_found("person");
    let id: IdentityId = id.parse().map_err(|_| missing())?;
    identities::find(tx, id)?
        .filter(|identity| identity.provider_id != CLIENTS)
        .ok_or_else(missing)
}

fn places(tx: &mut ReadTx, app: &App, ctx: &Ctx, person: &Identity) -> Result<Vec<Place>> {
    let ids = identities::list_set_ids(tx, person.set_id)?;
    let (idle, _) = session_lifetimes(&app.config);
    session::places(tx, &ids, ctx.now, idle)
}

/// All that the page of a person shows.
struct Whole {
    person: Identity,
    set: Vec<(Identity, bool)>,
    available: Available,
    sessions: Vec<SessionRow>,
    events: Events,
}

impl Whole {
    fn of(tx: &mut ReadTx, app: &App, ctx: &Ctx, id: &str) -> Result<Self> {
        let person = find(tx, id)?;
        let mut set = Vec::new();
        for identity in identities::list_set(tx, person.set_id)? {
            let is_administrator = identities::is_administrator(tx, identity.id)?;
            set.push((identity, is_administrator));
        }
        let mut sessions = Vec::new();
        for place in places(tx, app, ctx, &person)? {
            sessions.push(session_row(tx, ctx.language, &place)?);
        }
        Ok(Self {
            available: factors::available(tx, person.id)?,
            events: Events::recent(tx, "identity", person.id.0)?,
            person,
            set,
            sessions,
        })
    }
}

fn session_row(tx: &mut ReadTx, language: Language, place: &Place) -> Result<SessionRow> {
    let browser = place.browser.as_ref();
    Ok(SessionRow {
        id: place.id.to_string(),
        browser: user_agent::describe(language, browser.and_then(|browser| browser.user_agent.as_deref())),
        address: browser.and_then(|browser| browser.address.clone()),
        last_seen: browser.map(|browser| Moment::minute(browser.last_seen_at)),
        signed_in: place.is_live,
        apps: app_names(tx, place)?,
    })
}

fn possible(app: &App, whole: &Whole, administrator: &Administrator) -> Vec<(PersonAction, Href)> {
    let person = &whole.person;
    let is = |action: PersonAction| match action {
        PersonAction::Disable => person.enabled && person.status != "closed" && person.id != administrator.id(),
        PersonAction::Enable => !person.enabled && person.status != "closed",
        PersonAction::EndSessions => !whole.sessions.is_empty(),
        PersonAction::SendReset => app.config.sends_mail() && address::can_reset(person),
        PersonAction::RemoveFactors => whole.available.count() > 0,
    };
    action::offer(&person.id.to_string(), is)
}

/// `GET /p/console/people/{identity_id}`
pub async fn person_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, format!("people/{id}"));
    let (shared, unit_ctx) = (visit.app.clone(), visit.ctx.clone());
    let (administrator, whole) = visit
        .read(Wants::Look, move |tx, _| Whole::of(tx, &shared, &unit_ctx, &id))
        .await?;
    let actions = possible(&visit.app, &whole, &administrator);
    let person = &whole.person;
    let facts = |(place, (identity, is_administrator)): (usize, &(Identity, bool))| PersonFacts {
        row: row(identity, *is_administrator),
        id: identity.id.to_string(),
        organization: identity.organization.clone(),
        is_shown: identity.id == person.id,
        is_primary: place == 0,
        created: Moment::day(identity.created_at),
        last_authentication: identity.last_authentication_at.map(Moment::minute),
    };
    let mut identities: Vec<PersonFacts> = whole.set.iter().enumerate().map(facts).collect();
    identities.sort_by_key(|facts| !facts.is_shown);
    let page = PersonPage {
        layout: visit.layout(&person.username, &administrator),
        form_token: visit.form_token(),
        notice: params.get("notice").and_then(notice),
        id: person.id.to_string(),
        is_local: person.provider_id == LOCAL,
        identities,
        factors: factor_rows(&whole.available),
        recovery_codes: whole.available.recovery_codes,
        end_session: inside(&format!("people/{}/end-session", person.id)),
        trail: next_page("audit", &[("kind", "identity"), ("id", &person.id.to_string())]),
        actions,
        sessions: whole.sessions,
        events: visit.events(whole.events),
    };
    Ok(render(&page, &PagePolicy::default())?)
}

fn factor_rows(available: &Available) -> Vec<FactorRow> {
    let app = available.totp.iter().map(|totp| FactorRow {
        passkey: None,
        since: Moment::day(totp.created_at),
        last_used: totp.last_used_at.map(Moment::minute),
    });
    let passkeys = available.passkeys.iter().map(|passkey| FactorRow {
        passkey: Some(passkey.name.clone()),
        since: Moment::day(passkey.created_at),
        last_used: passkey.last_used_at.map(Moment::minute),
    });
    app.chain(passkeys).collect()
}

fn notice(name: &str) -> Option<PersonNotice> {
    Some(match name {
        "disable" => PersonNotice::Disabled,
        "enable" => PersonNotice::Enabled,
        "end-sessions" | "end-session" => PersonNotice::SignedOut,
        "send-reset" => PersonNotice::LinkSent,
        "remove-factors" => PersonNotice::FactorsRemoved,
        _ => return None,
    })
}

impl Action for PersonAction {
    type Thing = Identity;

    const AREA: &'static str = "people";
    const NAMES: &'static [(&'static str, Self)] = &[
        ("disable", PersonAction::Disable),
        ("enable", PersonAction::Enable),
        ("end-sessions", PersonAction::EndSessions),
        ("send-reset", PersonAction::SendReset),
        ("remove-factors", PersonAction::RemoveFactors),
    ];
    const LAST: Option<Self> = None;

    fn find(tx: &mut ReadTx, id: &str) -> Result<Identity> {
        find(tx, id)
    }

    fn question(self, ctx: &Ctx, person: &Identity) -> Question {
        let (title, text, button) = match self {
            PersonAction::Disable => (
                ctx.say("console-disable-person-title"),
                ctx.text("console-disable-person-text"),
                ctx.text("console-disable"),
            ),
            PersonAction::Enable => (
                ctx.say("console-enable-person-title"),
                ctx.text("console-enable-person-text"),
                ctx.text("console-enable"),
            ),
            PersonAction::EndSessions => (
                ctx.say("console-end-sessions-title"),
                ctx.text("console-end-sessions-text"),
                ctx.text("console-end-sessions"),
            ),
            PersonAction::SendReset => (
                ctx.say("console-send-reset-title"),
                ctx.text("console-send-reset-text"),
                ctx.text("console-send-reset"),
            ),
            PersonAction::RemoveFactors => (
                ctx.say("console-remove-factors-title"),
                ctx.text("console-remove-factors-text"),
                ctx.text("console-remove-factors"),
            ),
        };
        Question {
            title: title.arg("username", &person.username).to_string(),
            text: vec![text.to_owned()],
            button,
            is_dangerous: self.is_dangerous(),
        }
    }

    fn run(
        self,
        tx: &mut WriteTx,
        app: &App,
        ctx: &Ctx,
        administrator: &Administrator,
        person: &Identity,
    ) -> Result<()> {
        let actor = administrator.actor();
        match self {
            PersonAction::Disable => identity::switch(tx, ctx, actor, person.id, false),
            PersonAction::Enable => identity::switch(tx, ctx, actor, person.id, true),
            PersonAction::RemoveFactors => factors::remove(tx, ctx, actor, person, Removal::All).map(|_| ()),
            PersonAction::SendReset if !app.config.sends_mail() => Err(Error::conflict(
                "this server sends no mail: give it smtp_url and mail_from",
            )),
            PersonAction::SendReset => {
                let site = Site {
                    public_url: app.config.public_url(),
                    local_domain: app.config.local_domain.clone(),
                };
                address::send_reset_for(tx, ctx, actor, &app.master_key, &site, person)
            }
            PersonAction::EndSessions => end(tx, app, ctx, administrator, person, None),
        }
    }
}

/// Ends one session of a person, or all of them.
fn end(
    tx: &mut WriteTx,
    app: &App,
    ctx: &Ctx,
    administrator: &Administrator,
    person: &Identity,
    session: Option<&str>,
) -> Result<()> {
    for place in places(tx, app, ctx, person)? {
        // One that is gone was ended meanwhile: nothing is left to do.
        if session.is_none_or(|session| session == place.id.to_string()) {
            session::end_place(tx, ctx, administrator.actor(), &place)?;
        }
    }
    Ok(())
}

/// `GET /p/console/people/{identity_id}/{action}`
pub async fn person_action_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
) -> Page {
    action::ask::<PersonAction>(app, ctx, &headers, &id, &name).await
}

/// `POST /p/console/people/{identity_id}/{action}`, with `session` for one alone.
pub async fn act_on_person(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, format!("people/{id}"))?;
    if name != "end-session" {
        return action::act::<PersonAction>(&visit, &id, &name).await;
    }
    let session = form.require("session")?.to_owned();
    let (app, ctx, wanted) = (visit.app.clone(), visit.ctx.clone(), id.clone());
    visit
        .change(move |tx, administrator| {
            let person = find(tx, &wanted)?;
            end(tx, &app, &ctx, administrator, &person, Some(&session))
        })
        .await??;
    Ok(go_on(&format!("people/{id}?notice=end-sessions")))
}
