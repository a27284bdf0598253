//! Scopes in the developer area: what an app that is a service lets other apps ask people
//! for. The rules are those of the JSON interface (`domain::scope::registration`).
//!
//! The page of a scope is one form. Its buttons for looking for dependent scopes, for adding
//! and for removing one come back with the same page and all that was typed, so that it needs
//! no script; nothing is kept until it is saved.

use axum::extract::{Path, State};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::api::{Change, DependentScope, ScopeChanges};
use portolan_types::{ClientId, ScopeId};

use super::developers::{Developer, Visit, go_on, inside};
use super::pages::developers::Trail;
use super::pages::resource::{
    DependencyRow, ExistingScope, FoundScopes, OtherScope, ScopeDeletionPage, ScopeFields, ScopePage, ScopeRow,
    ScopesNotice, ScopesPage,
};
use super::pages::{FormErrors, Link};
use super::render;
use super::visit::Page;
use crate::app::{App, Ctx};
use crate::domain::scope::registration::{self, spellings};
use crate::domain::scope::{is_visible, search};
use crate::error::{Error, Kind, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Params, Query};
use crate::store::clients::Client;
use crate::store::consents;
use crate::store::projects::Project;
use crate::store::scopes::{self, Scope};

/// How many scopes the list shows; a page has its size.
const ROWS: usize = 50;
/// How many scopes a search shows.
const SHOWN: usize = 20;
/// How much of its description the list shows, in characters: there may be hundreds.
const LISTED: usize = 200;

fn list_path(client: impl std::fmt::Display) -> String {
    format!("apps/{client}/scopes")
}

/// `GET /p/developers/apps/{client_id}/scopes`
pub async fn scopes_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(client_id): Path<String>,
) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, list_path(&client_id));
    let text: String = params
        .get("find")
        .unwrap_or("")
        .chars()
        .take(search::MAXIMUM_TEXT)
        .collect();
    let words = search::words(&text);
    let (developer, (client, project, rows, total)) = visit
        .read(move |tx, developer| {
            let (client, project) = developer.app(tx, &client_id)?;
            let mut found = scopes::list_by_clients(tx, [client.id])?;
            let total = found.len();
            found.retain(|scope| search::fits(scope, &words));
            found.truncate(ROWS);
            let rows = rows(tx, client.id, found)?;
            Ok((client, project, rows, total))
        })
        .await?;
    let page = ScopesPage {
        layout: visit.layout(visit.ctx.text("scopes-title"), &developer),
        trail: visit.trail_in_app(&project, &client),
        scopes: rows,
        total,
        search: (total > ROWS).then_some(text),
        here: inside(&list_path(client.id)),
        notice: match params.get("notice") {
            Some("made") => Some(ScopesNotice::Made),
            Some("changed") => Some(ScopesNotice::Changed),
            Some("deleted") => Some(ScopesNotice::Deleted),
            _ => None,
        },
        new_scope: inside(&format!("{}/new", list_path(client.id))),
        domains: inside(&format!("apps/{}/domains", client.id)),
        app: client.name,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// Of a page beneath the list.
fn below_list(visit: &Visit, project: &Project, client: &Client) -> Trail {
    let mut trail = visit.trail_in_app(project, client);
    trail.above.push(Link {
        text: visit.ctx.text("scopes-title").to_owned(),
        href: inside(&list_path(client.id)),
    });
    trail
}

fn rows(tx: &mut ReadTx, client: ClientId, found: Vec<Scope>) -> Result<Vec<ScopeRow>> {
    let strings = scopes::list_strings_by_client(tx, client)?;
    let dependencies = scopes::list_dependencies(tx, found.iter().map(|scope| scope.id))?;
    let row = |scope: Scope| {
        let path = format!("{}/{}", list_path(client), scope.id);
        ScopeRow {
            required_domains: scope.required_domains(),
            scope_strings: strings
                .iter()
                .filter(|(id, _)| *id == scope.id)
                .map(|(_, string)| string.clone())
                .collect(),
            dependencies: dependencies.iter().filter(|one| one.scope_id == scope.id).count(),
            change: inside(&path),
            delete: inside(&format!("{path}/delete")),
            name: scope.name,
            description: beginning(&scope.description),
            advertised: scope.advertised,
            allows_refresh_token: scope.allows_refresh_token,
        }
    };
    Ok(found.into_iter().map(row).collect())
}

/// As much of a description as a list has room for.
fn beginning(text: &str) -> String {
    let mut shown: String = text.chars().take(LISTED).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Which scope a form is about.
#[derive(Clone, Debug)]
enum Subject {
    New,
    Existing(String),
}

impl Subject {
    fn path(&self, client_id: &str) -> String {
        match self {
            Subject::New => format!("{}/new", list_path(client_id)),
            Subject::Existing(id) => format!("{}/{id}", list_path(client_id)),
        }
    }

    /// The scope has to be one of this client: any other is not there.
    fn find(&self, tx: &mut ReadTx, client: &Client) -> Result<Option<Scope>> {
        match self {
            Subject::New => Ok(None),
            Subject::Existing(id) => find_own(tx, client, id).map(Some),
        }
    }
}

fn find_own(tx: &mut ReadTx, client: &Client, id: &str) -> Result<Scope> {
    let missing = || Error::not_found("scope");
    let id: ScopeId = id.parse().map_err(|_| missing())?;
    let scope = scopes::find(tx, id)?;
    scope.filter(|scope| scope.client_id == client.id).ok_or_else(missing)
}

/// `GET /p/developers/apps/{client_id}/scopes/new`
pub async fn new_scope_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(client_id): Path<String>,
) -> Page {
    let visit = Visit::new(app, ctx, &headers, Subject::New.path(&client_id));
    show(&visit, client_id, Subject::New, None, FormErrors::none()).await
}

/// `POST /p/developers/apps/{client_id}/scopes/new`
pub async fn make_scope(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(client_id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, Subject::New.path(&client_id))?;
    take(&visit, client_id, Subject::New, &form).await
}

/// `GET /p/developers/apps/{client_id}/scopes/{scope_id}`
pub async fn scope_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((client_id, scope_id)): Path<(String, String)>,
) -> Page {
    let subject = Subject::Existing(scope_id);
    let visit = Visit::new(app, ctx, &headers, subject.path(&client_id));
    show(&visit, client_id, subject, None, FormErrors::none()).await
}

/// `POST /p/developers/apps/{client_id}/scopes/{scope_id}`
pub async fn change_scope(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((client_id, scope_id)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let subject = Subject::Existing(scope_id);
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, subject.path(&client_id))?;
    take(&visit, client_id, subject, &form).await
}

/// What a form says.
#[derive(Clone, Debug, Default)]
struct Typed {
    fields: ScopeFields,
    chosen: Vec<DependentScope>,
    step: Step,
}

/// Which button was pressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Step {
    #[default]
    Save,
    /// In the list of dependencies: look again.
    Look,
}

impl Typed {
    fn read(form: &Params) -> Self {
        let text = |name| form.get(name).unwrap_or("").replace("\r\n", "\n");
        let ids = |name| -> Vec<ScopeId> { form.list(name).iter().filter_map(|id| id.parse().ok()).collect() };
        let mut chosen: Vec<DependentScope> = Vec::new();
        let (optional, refresh) = (ids("dependency_optional"), ids("dependency_refresh"));
        for scope in ids("dependency") {
            if !chosen.iter().any(|known| known.scope == scope) {
                chosen.push(DependentScope {
                    scope,
                    optional: optional.contains(&scope),
                    requires_refresh_token: refresh.contains(&scope),
                });
            }
        }
        let named = |name| form.get(name).and_then(|id| id.parse::<ScopeId>().ok());
        let mut step = match form.get("do") {
            Some("search") => Step::Look,
            // The key means the search while something stands in its field.
            Some("enter") if form.get("search").is_some() => Step::Look,
            _ => Step::Save,
        };
        if let Some(scope) = named("add") {
            step = Step::Look;
            if !chosen.iter().any(|known| known.scope == scope) {
                chosen.push(DependentScope {
                    scope,
                    optional: false,
                    requires_refresh_token: false,
                });
            }
        }
        if let Some(scope) = named("remove") {
            step = Step::Look;
            chosen.retain(|known| known.scope != scope);
        }
        Self {
            fields: ScopeFields {
                suffix: text("suffix").trim().to_owned(),
                name: text("name"),
                description: text("description"),
                advertised: form.get("advertised").is_some(),
                refresh: form.get("refresh").is_some(),
                required_domains: text("required_domains"),
                search: text("search"),
            },
            chosen,
            step,
        }
    }

    /// As it is in the store.
    fn of(scope: &Scope, dependencies: &[scopes::Dependency]) -> Self {
        Self {
            fields: ScopeFields {
                suffix: scope.suffix.clone().unwrap_or_default(),
                name: scope.name.clone(),
                description: scope.description.clone(),
                advertised: scope.advertised,
                refresh: scope.allows_refresh_token,
                required_domains: scope.required_domains().join("\n"),
                search: String::new(),
            },
            chosen: dependencies
                .iter()
                .map(|dependency| DependentScope {
                    scope: dependency.dependent_scope_id,
                    optional: dependency.optional,
                    requires_refresh_token: dependency.requires_refresh_token,
                })
                .collect(),
            step: Step::Save,
        }
    }

    /// What is new about `existing`, or all of it. A list that is as it was is left alone:
    /// it may hold what the person cannot see.
    fn changes(&self, existing: Option<&Typed>) -> ScopeChanges {
        let fields = &self.fields;
        let unchanged = |is_same: fn(&Typed, &Typed) -> bool| existing.is_some_and(|known| is_same(known, self));
        let same_dependencies = |a: &Typed, b: &Typed| {
            a.chosen.len() == b.chosen.len() && a.chosen.iter().all(|one| b.chosen.contains(one))
        };
        ScopeChanges {
            name: Change::Set(fields.name.clone()),
            description: Change::Set(fields.description.clone()),
            scope_suffix: if unchanged(|known, new| known.fields.suffix == new.fields.suffix) {
                Change::Keep
            } else {
                Change::Set(fields.suffix.clone())
            },
            advertised: Change::Set(fields.advertised),
            allows_refresh_token: Change::Set(fields.refresh),
            required_domains: Change::Set(super::policies::lines(&fields.required_domains)),
            dependent_scopes: if unchanged(same_dependencies) {
                Change::Keep
            } else {
                Change::Set(self.chosen.clone())
            },
        }
    }
}

async fn take(visit: &Visit, client_id: String, subject: Subject, form: &Params) -> Page {
    let typed = Typed::read(form);
    if typed.step == Step::Look {
        return show(visit, client_id, subject, Some(typed), FormErrors::none()).await;
    }
    let (ctx, prefix) = (visit.ctx.clone(), visit.app.config.scope_url_prefix.clone());
    let (wanted, id, of) = (typed.clone(), client_id.clone(), subject.clone());
    let saved = visit
        .change(move |tx, developer| {
            let (client, _) = developer.app_to_change(tx, &ctx, &id)?;
            match of.find(tx, &client)? {
                None => {
                    let changes = wanted.changes(None);
                    registration::create(tx, &ctx, &developer.manager, &prefix, &client, &changes)?;
                    Ok("made")
                }
                Some(scope) => {
                    let known = Typed::of(&scope, &scopes::list_dependencies(tx, [scope.id])?);
                    let changes = wanted.changes(Some(&known));
                    registration::update(tx, &ctx, &developer.manager, &prefix, scope.id, &changes)?;
                    Ok("changed")
                }
            }
        })
        .await?;
    match saved {
        Ok(notice) => Ok(go_on(&format!("{}?notice={notice}", list_path(client_id)))),
        Err(error) => {
            let errors = refusal(&visit.ctx, &error);
            show(visit, client_id, subject, Some(typed), errors).await
        }
    }
}

/// A refusal beside the input that it concerns.
fn refusal(ctx: &Ctx, error: &Error) -> FormErrors {
    let (member, reason) = error.detail().split_once(": ").unwrap_or(("", error.detail()));
    match member {
        "name" => FormErrors::field("name", ctx.text("scopes-error-name")),
        "description" => FormErrors::field("description", ctx.text("scopes-error-description")),
        "scope_suffix" if error.kind() == Kind::Conflict => {
            FormErrors::field("suffix", ctx.text("scopes-error-suffix-taken"))
        }
        "scope_suffix" if reason.contains("longer") => {
            FormErrors::field("suffix", ctx.text("scopes-error-suffix-long"))
        }
        "scope_suffix" => FormErrors::field("suffix", ctx.text("scopes-error-suffix")),
        "required_domains" => FormErrors::field(
            "required_domains",
            ctx.say("scopes-error-domains").arg("reason", reason).to_string(),
        ),
        "dependent_scopes" => FormErrors::field(
            "search",
            match reason.strip_prefix(registration::LEADS_BACK) {
                Some("") => ctx.text("scopes-error-self").to_owned(),
                Some(way) => ctx
                    .say("scopes-error-cycle")
                    .arg("scope", way.trim_start_matches(registration::BY_WAY_OF))
                    .to_string(),
                None if reason.starts_with("there is no scope") => ctx.text("scopes-error-unknown").to_owned(),
                None => ctx.say("scopes-error-dependencies").arg("reason", reason).to_string(),
            },
        ),
        _ => FormErrors::refusal(ctx.language, error),
    }
}

/// What the page of a scope needs of the store.
struct Shown {
    client: Client,
    project: Project,
    existing: Option<Scope>,
    typed: Typed,
    spellings: Vec<String>,
    dependencies: Vec<DependencyRow>,
    found: Option<FoundScopes>,
}

async fn show(visit: &Visit, client_id: String, subject: Subject, typed: Option<Typed>, errors: FormErrors) -> Page {
    let (ctx, prefix) = (visit.ctx.clone(), visit.app.config.scope_url_prefix.clone());
    let at_dependencies = typed.as_ref().is_some_and(|typed| typed.step == Step::Look);
    let of = subject.clone();
    let (developer, shown) = visit
        .read(move |tx, developer| {
            let (client, project) = developer.app_to_change(tx, &ctx, &client_id)?;
            let existing = of.find(tx, &client)?;
            let typed = match (&typed, &existing) {
                (Some(typed), _) => typed.clone(),
                (None, Some(scope)) => Typed::of(scope, &scopes::list_dependencies(tx, [scope.id])?),
                (None, None) => Typed {
                    fields: ScopeFields {
                        refresh: true,
                        ..ScopeFields::default()
                    },
                    ..Typed::default()
                },
            };
            let spellings = spellings(tx, &prefix, &client, &typed.fields.suffix).unwrap_or_default();
            Ok(Shown {
                spellings: spellings.into_iter().map(|(_, string)| string).collect(),
                dependencies: dependencies(tx, developer, &client, &typed.chosen)?,
                found: find(tx, developer, &client, &typed)?,
                client,
                project,
                existing,
                typed,
            })
        })
        .await?;
    let client_id = shown.client.id.to_string();
    let title = match shown.existing {
        Some(_) => "scopes-change-title",
        None => "scopes-new-title",
    };
    let page = ScopePage {
        layout: visit.layout(visit.ctx.text(title), &developer),
        trail: below_list(visit, &shown.project, &shown.client),
        action: inside(&subject.path(&client_id)),
        form_token: visit.form_token(),
        existing: shown.existing.map(|scope| ExistingScope {
            delete: inside(&format!("{}/{}/delete", list_path(&client_id), scope.id)),
            name: scope.name,
            id: scope.id.to_string(),
            has_suffix: scope.suffix.is_some(),
        }),
        prefix: format!("{}{client_id}/", visit.app.config.scope_url_prefix),
        spellings: shown.spellings,
        fields: shown.typed.fields,
        dependencies: shown.dependencies,
        found: shown.found,
        at_dependencies,
        list: inside(&list_path(&client_id)),
        app: shown.client.name,
        errors,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// The chosen scopes in the order of the form. Of one that the person may not see no more
/// than the id is shown.
fn dependencies(
    tx: &mut ReadTx,
    developer: &Developer,
    client: &Client,
    chosen: &[DependentScope],
) -> Result<Vec<DependencyRow>> {
    let known = scopes::list_by_ids(tx, chosen.iter().map(|one| one.scope))?;
    let mut rows = Vec::new();
    for one in chosen {
        let scope = known.iter().find(|scope| scope.id == one.scope);
        let visible = match scope {
            Some(scope) if is_visible(scope, client) || developer.manager.may_read_scope(tx, scope)? => Some(scope),
            _ => None,
        };
        rows.push(DependencyRow {
            scope: visible.map_or_else(
                || OtherScope {
                    id: one.scope.to_string(),
                    name: one.scope.to_string(),
                    scope_string: String::new(),
                    service: String::new(),
                },
                other,
            ),
            optional: one.optional,
            refresh: one.requires_refresh_token,
            never_refreshes: visible.is_some_and(|scope| !scope.allows_refresh_token),
        });
    }
    Ok(rows)
}

fn other(scope: &Scope) -> OtherScope {
    OtherScope {
        id: scope.id.to_string(),
        name: scope.name.clone(),
        scope_string: scope.scope_string.clone(),
        service: scope.owner_name.clone(),
    }
}

/// What the search finds that was not chosen yet.
fn find(tx: &mut ReadTx, developer: &Developer, client: &Client, typed: &Typed) -> Result<Option<FoundScopes>> {
    if typed.fields.search.trim().is_empty() {
        return Ok(None);
    }
    let limit = SHOWN + typed.chosen.len();
    let found = search::search(tx, &developer.manager, client, &typed.fields.search, limit)?;
    let is_chosen = |scope: &&Scope| typed.chosen.iter().any(|one| one.scope == scope.id);
    let mut others: Vec<OtherScope> = found
        .scopes
        .iter()
        .filter(|scope| !is_chosen(scope))
        .map(other)
        .collect();
    let more = found.more || others.len() > SHOWN;
    others.truncate(SHOWN);
    Ok(Some(FoundScopes {
        scopes: others,
        more,
        partial: found.partial,
    }))
}

/// `GET /p/developers/apps/{client_id}/scopes/{scope_id}/delete`: says first what will end.
pub async fn scope_deletion_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((client_id, scope_id)): Path<(String, String)>,
) -> Page {
    let path = format!("{}/{scope_id}/delete", list_path(&client_id));
    let visit = Visit::new(app, ctx, &headers, path);
    ask_deletion(&visit, client_id, scope_id, FormErrors::none()).await
}

async fn ask_deletion(visit: &Visit, client_id: String, scope_id: String, errors: FormErrors) -> Page {
    let ctx = visit.ctx.clone();
    let (developer, (client, project, scope, people, dependents)) = visit
        .read(move |tx, developer| {
            let (client, project) = developer.app_to_change(tx, &ctx, &client_id)?;
            let scope = find_own(tx, &client, &scope_id)?;
            let people = consents::count_people(tx, scope.id)?;
            let dependents = scopes::count_dependents(tx, scope.id)?;
            Ok((client, project, scope, people, dependents))
        })
        .await?;
    let list = inside(&list_path(client.id));
    let page = ScopeDeletionPage {
        layout: visit.layout(visit.ctx.text("scopes-delete-title"), &developer),
        trail: below_list(visit, &project, &client),
        action: inside(&format!("{}/{}/delete", list_path(client.id), scope.id)),
        form_token: visit.form_token(),
        app: client.name,
        name: scope.name,
        scope_string: scope.scope_string,
        people,
        dependents,
        keep: list,
        errors,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// `POST /p/developers/apps/{client_id}/scopes/{scope_id}/delete`
pub async fn delete_scope_by_person(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((client_id, scope_id)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let path = format!("{}/{scope_id}/delete", list_path(&client_id));
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, path)?;
    let ctx = visit.ctx.clone();
    let (client, scope) = (client_id.clone(), scope_id.clone());
    let deleted = visit
        .change(move |tx, developer| {
            let (client, _) = developer.app_to_change(tx, &ctx, &client)?;
            let scope = find_own(tx, &client, &scope)?;
            registration::delete(tx, &ctx, &developer.manager, scope.id)
        })
        .await?;
    match deleted {
        Ok(_) => Ok(go_on(&format!("{}?notice=deleted", list_path(client_id)))),
        Err(error) => {
            let errors = FormErrors::refusal(visit.ctx.language, &error);
            ask_deletion(&visit, client_id, scope_id, errors).await
        }
    }
}
