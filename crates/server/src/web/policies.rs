//! Authentication policies in the developer area, with a trial: who would pass. The rules are
//! those of the JSON interface (`domain::policy`).
//!
//! The trial evaluates a policy for whoever looks as the authorization endpoint would, with
//! all linked accounts and the sign-ins of this browser. Of anybody else it knows what was
//! typed and looks nothing up: which accounts somebody has linked, how they sign in, and
//! whether there is such an account at all, is none of a developer's business, and a policy
//! made for the purpose could ask any of it.

use axum::extract::{Path, State};
use http::HeaderMap;
use portolan_db::ReadTx;
use portolan_types::api::{Change, PolicyChanges};
use portolan_types::{PolicyId, ProjectId};

use super::developers::{Visit, go_on, inside};
use super::pages::developers::Trail;
use super::pages::policies::{
    Demands, ExistingPolicy, PoliciesNotice, PoliciesPage, PolicyDeletionPage, PolicyFields, PolicyPage, PolicyRow,
    PolicyTrialPage, ProjectChoice, TimeSpan, TimeUnit, Trial, TriedAccount, TriedDomain, TriedLogin,
};
use super::pages::{FormErrors, Link, Moment};
use super::render;
use super::visit::Page;
use crate::app::{App, Ctx};
use crate::domain::policy::examination::{Examined, examine, examine_stranger};
use crate::domain::policy::{self, Standing, registration};
use crate::domain::session::Presence;
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Params, Query};
use crate::store::policies::{self, Policy};
use crate::store::projects::Project;

/// The longest username that is tried, in characters.
const MAXIMUM_USERNAME: usize = 255;

fn list_path(project: impl std::fmt::Display) -> String {
    format!("projects/{project}/policies")
}

/// What stands in a field of many lines, or after commas.
pub fn lines(text: &str) -> Vec<String> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Of a page beneath the list.
fn below_list(visit: &Visit, project: &Project) -> Trail {
    let mut trail = visit.trail_in_project(project);
    trail.above.push(Link {
        text: visit.ctx.text("policies-title").to_owned(),
        href: inside(&list_path(project.id)),
    });
    trail
}

/// A policy of this project: any other is not there.
fn find_own(tx: &mut ReadTx, project: &Project, id: &str) -> Result<Policy> {
    let missing = || Error::not_found("policy");
    let id: PolicyId = id.parse().map_err(|_| missing())?;
    let policy = policies::find(tx, id)?;
    policy
        .filter(|policy| policy.project_id == project.id)
        .ok_or_else(missing)
}

fn demands(policy: &Policy) -> Demands {
    Demands {
        high_assurance: policy.high_assurance,
        timeout: policy.authentication_assurance_timeout.map(TimeSpan::new),
        two_factors: policy.required_mfa,
        include: policy.domain_constraints_include.clone().unwrap_or_default(),
        exclude: policy.domain_constraints_exclude.clone().unwrap_or_default(),
    }
}

/// `GET /p/developers/projects/{project_id}/policies`
pub async fn policies_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(project_id): Path<String>,
) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, list_path(&project_id));
    let (developer, (project, found)) = visit
        .read(move |tx, developer| {
            let project = developer.project(tx, &project_id)?;
            let found = policies::list_by_projects(tx, [project.id])?;
            Ok((project, found))
        })
        .await?;
    let row = |policy: Policy| {
        let path = format!("{}/{}", list_path(project.id), policy.id);
        PolicyRow {
            demands: demands(&policy),
            id: policy.id.to_string(),
            name: policy.display_name,
            description: policy.description,
            try_out: inside(&format!("{path}/try")),
            delete: inside(&format!("{path}/delete")),
            change: inside(&path),
        }
    };
    let page = PoliciesPage {
        layout: visit.layout(visit.ctx.text("policies-title"), &developer),
        trail: visit.trail_in_project(&project),
        policies: found.into_iter().map(row).collect(),
        notice: match params.get("notice") {
            Some("made") => Some(PoliciesNotice::Made),
            Some("changed") => Some(PoliciesNotice::Changed),
            Some("deleted") => Some(PoliciesNotice::Deleted),
            _ => None,
        },
        new_policy: inside(&format!("{}/new", list_path(project.id))),
        project: project.display_name,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// Which policy a form is about.
#[derive(Clone, Debug)]
enum Subject {
    New,
    Existing(String),
}

impl Subject {
    fn path(&self, project_id: &str) -> String {
        match self {
            Subject::New => format!("{}/new", list_path(project_id)),
            Subject::Existing(id) => format!("{}/{id}", list_path(project_id)),
        }
    }

    fn find(&self, tx: &mut ReadTx, project: &Project) -> Result<Option<Policy>> {
        match self {
            Subject::New => Ok(None),
            Subject::Existing(id) => find_own(tx, project, id).map(Some),
        }
    }
}

/// `GET /p/developers/projects/{project_id}/policies/new`
pub async fn new_policy_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(project_id): Path<String>,
) -> Page {
    let visit = Visit::new(app, ctx, &headers, Subject::New.path(&project_id));
    show(&visit, project_id, Subject::New, None, FormErrors::none()).await
}

/// `POST /p/developers/projects/{project_id}/policies/new`
pub async fn make_policy(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(project_id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, Subject::New.path(&project_id))?;
    take(&visit, project_id, Subject::New, &form).await
}

/// `GET /p/developers/projects/{project_id}/policies/{policy_id}`
pub async fn policy_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((project_id, policy_id)): Path<(String, String)>,
) -> Page {
    let subject = Subject::Existing(policy_id);
    let visit = Visit::new(app, ctx, &headers, subject.path(&project_id));
    show(&visit, project_id, subject, None, FormErrors::none()).await
}

/// `POST /p/developers/projects/{project_id}/policies/{policy_id}`
pub async fn change_policy(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((project_id, policy_id)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let subject = Subject::Existing(policy_id);
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, subject.path(&project_id))?;
    take(&visit, project_id, subject, &form).await
}

/// What a form says.
#[derive(Clone, Debug, Default)]
struct Typed {
    fields: PolicyFields,
    /// Where it is to be, if there was a choice.
    project: Option<ProjectId>,
}

impl Typed {
    fn read(form: &Params) -> Self {
        let text = |name| form.get(name).unwrap_or("").replace("\r\n", "\n");
        let unit = form.get("timeout_unit").unwrap_or("");
        Self {
            fields: PolicyFields {
                name: text("name"),
                description: text("description"),
                high_assurance: form.get("high_assurance").is_some(),
                timeout: text("timeout").trim().to_owned(),
                timeout_unit: TimeUnit::ALL
                    .into_iter()
                    .find(|known| known.word() == unit)
                    .unwrap_or_default(),
                two_factors: form.get("two_factors").is_some(),
                include: text("include"),
                exclude: text("exclude"),
            },
            project: form.get("project").and_then(|id| id.parse().ok()),
        }
    }

    fn of(policy: &Policy) -> Self {
        let list = |domains: &Option<Vec<String>>| domains.as_deref().unwrap_or_default().join("\n");
        let timeout = policy.authentication_assurance_timeout.map(TimeSpan::new);
        Self {
            fields: PolicyFields {
                name: policy.display_name.clone(),
                description: policy.description.clone(),
                high_assurance: policy.high_assurance,
                timeout: timeout.map_or_else(String::new, |span| span.count.to_string()),
                timeout_unit: timeout.map(|span| span.unit).unwrap_or_default(),
                two_factors: policy.required_mfa,
                include: list(&policy.domain_constraints_include),
                exclude: list(&policy.domain_constraints_exclude),
            },
            project: Some(policy.project_id),
        }
    }

    /// The time-out in seconds; an error if it is no number.
    fn timeout(&self) -> Result<Change<i64>> {
        let text = &self.fields.timeout;
        if text.is_empty() {
            return Ok(Change::Clear);
        }
        let seconds = text
            .parse::<i64>()
            .ok()
            .and_then(|count| count.checked_mul(self.fields.timeout_unit.seconds()));
        seconds
            .map(Change::Set)
            .ok_or_else(|| Error::invalid_parameters("authentication_assurance_timeout: must be a number"))
    }

    /// Whether it demands high assurance never changes.
    fn changes(&self, project: ProjectId, is_new: bool) -> Result<PolicyChanges> {
        let list = |text: &str| {
            let domains = lines(text);
            if domains.is_empty() {
                Change::Clear
            } else {
                Change::Set(domains)
            }
        };
        let fields = &self.fields;
        Ok(PolicyChanges {
            project_id: Change::Set(self.project.filter(|_| !is_new).unwrap_or(project)),
            display_name: Change::Set(fields.name.clone()),
            description: Change::Set(fields.description.clone()),
            high_assurance: if is_new {
                Change::Set(fields.high_assurance)
            } else {
                Change::Keep
            },
            authentication_assurance_timeout: self.timeout()?,
            required_mfa: Change::Set(fields.two_factors),
            domain_constraints_include: list(&fields.include),
            domain_constraints_exclude: list(&fields.exclude),
        })
    }
}

async fn take(visit: &Visit, project_id: String, subject: Subject, form: &Params) -> Page {
    let typed = Typed::read(form);
    let (ctx, wanted, id, of) = (visit.ctx.clone(), typed.clone(), project_id.clone(), subject.clone());
    let saved = visit
        .change(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &id)?;
            match of.find(tx, &project)? {
                None => {
                    let changes = wanted.changes(project.id, true)?;
                    let policy = registration::create(tx, &ctx, &developer.manager, &changes)?;
                    Ok((policy, "made"))
                }
                Some(policy) => {
                    let changes = wanted.changes(project.id, false)?;
                    // The other project has to be one of the person's, or it is not there.
                    if let Some(other) = wanted.project {
                        developer.project_to_change(tx, &ctx, &other.to_string())?;
                    }
                    let policy = registration::update(tx, &ctx, &developer.manager, policy.id, &changes)?;
                    Ok((policy, "changed"))
                }
            }
        })
        .await?;
    match saved {
        Ok((policy, notice)) => Ok(go_on(&format!("{}?notice={notice}", list_path(policy.project_id)))),
        Err(error) => {
            let errors = refusal(&visit.ctx, &error);
            show(visit, project_id, subject, Some(typed), errors).await
        }
    }
}

/// A refusal beside the input that it concerns.
fn refusal(ctx: &Ctx, error: &Error) -> FormErrors {
    let (member, reason) = error.detail().split_once(": ").unwrap_or(("", error.detail()));
    let domains = |field| {
        FormErrors::field(
            field,
            ctx.say("policies-error-domains").arg("reason", reason).to_string(),
        )
    };
    match member {
        "display_name" => FormErrors::field("name", ctx.text("policies-error-name")),
        "description" => FormErrors::field("description", ctx.text("policies-error-description")),
        "authentication_assurance_timeout" => FormErrors::field("timeout", ctx.text("policies-error-timeout")),
        "required_mfa" => FormErrors::field("two_factors", ctx.text("policies-error-two-factors")),
        "domain_constraints_include" => domains("include"),
        "domain_constraints_exclude" => domains("exclude"),
        _ => FormErrors::refusal(ctx.language, error),
    }
}

async fn show(visit: &Visit, project_id: String, subject: Subject, typed: Option<Typed>, errors: FormErrors) -> Page {
    let (ctx, of) = (visit.ctx.clone(), subject.clone());
    let (developer, (project, existing, typed, others)) = visit
        .read(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &project_id)?;
            let existing = of.find(tx, &project)?;
            let typed = match (&typed, &existing) {
                (Some(typed), _) => typed.clone(),
                (None, Some(policy)) => Typed::of(policy),
                (None, None) => Typed::default(),
            };
            let others = match existing {
                Some(_) => developer.manager.list_projects(tx)?,
                None => Vec::new(),
            };
            Ok((project, existing, typed, others))
        })
        .await?;
    let title = match existing {
        Some(_) => "policies-change-title",
        None => "policies-new-title",
    };
    let list = inside(&list_path(project.id));
    let chosen = typed.project.unwrap_or(project.id);
    let choice = |other: Project| ProjectChoice {
        id: other.id.to_string(),
        name: other.display_name,
        chosen: other.id == chosen,
    };
    let page = PolicyPage {
        layout: visit.layout(visit.ctx.text(title), &developer),
        trail: below_list(visit, &project),
        action: inside(&subject.path(&project.id.to_string())),
        form_token: visit.form_token(),
        existing: existing.map(|policy| {
            let path = format!("{}/{}", list_path(project.id), policy.id);
            ExistingPolicy {
                name: policy.display_name,
                id: policy.id.to_string(),
                try_out: inside(&format!("{path}/try")),
                delete: inside(&format!("{path}/delete")),
            }
        }),
        fields: typed.fields,
        projects: if others.len() > 1 {
            others.into_iter().map(choice).collect()
        } else {
            Vec::new()
        },
        list,
        errors,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// `GET /p/developers/projects/{project_id}/policies/{policy_id}/delete`
pub async fn policy_deletion_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((project_id, policy_id)): Path<(String, String)>,
) -> Page {
    let path = format!("{}/{policy_id}/delete", list_path(&project_id));
    let visit = Visit::new(app, ctx, &headers, path);
    let ctx = visit.ctx.clone();
    let (developer, (project, policy)) = visit
        .read(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &project_id)?;
            let policy = find_own(tx, &project, &policy_id)?;
            Ok((project, policy))
        })
        .await?;
    let list = inside(&list_path(project.id));
    let page = PolicyDeletionPage {
        layout: visit.layout(visit.ctx.text("policies-delete-title"), &developer),
        trail: below_list(&visit, &project),
        action: inside(&format!("{}/{}/delete", list_path(project.id), policy.id)),
        form_token: visit.form_token(),
        name: policy.display_name,
        id: policy.id.to_string(),
        keep: list,
        errors: FormErrors::none(),
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// `POST /p/developers/projects/{project_id}/policies/{policy_id}/delete`
pub async fn delete_policy_by_person(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((project_id, policy_id)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let path = format!("{}/{policy_id}/delete", list_path(&project_id));
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, path)?;
    let ctx = visit.ctx.clone();
    let deleted = visit
        .change(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &project_id)?;
            let policy = find_own(tx, &project, &policy_id)?;
            registration::delete(tx, &ctx, &developer.manager, policy.id)
        })
        .await?;
    // Nothing that a form could say is in the way of it.
    let policy = deleted?;
    Ok(go_on(&format!("{}?notice=deleted", list_path(policy.project_id))))
}

/// `GET /p/developers/projects/{project_id}/policies/{policy_id}/try`
pub async fn try_policy(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path((project_id, policy_id)): Path<(String, String)>,
) -> Page {
    let Query(params) = query?;
    let who: String = params
        .get("who")
        .unwrap_or("")
        .trim()
        .chars()
        .take(MAXIMUM_USERNAME)
        .collect();
    let path = format!("{}/{policy_id}/try", list_path(&project_id));
    let visit = Visit::new(app, ctx, &headers, path);
    let (ctx, local_domain) = (visit.ctx.clone(), visit.app.config.local_domain.clone());
    let tried = who.clone();
    let (developer, (project, policy, trial)) = visit
        .read(move |tx, developer| {
            let project = developer.project(tx, &project_id)?;
            let policy = find_own(tx, &project, &policy_id)?;
            let mut username = tried.to_lowercase();
            if !username.is_empty() && !username.contains('@') {
                username = format!("{username}@{local_domain}");
            }
            let presence = Presence::of(tx, developer.session)?;
            let is_mine = username.is_empty() || presence.set.iter().any(|identity| identity.username == username);
            let trial = if is_mine {
                let (set, here) = (&presence.set, &presence.authentications);
                Trial::Myself {
                    passes: policy::evaluate(&policy, set, here, ctx.now),
                    accounts: examine(&policy, set, here, ctx.now)
                        .into_iter()
                        .map(|one| tried_account(&policy, one))
                        .collect(),
                }
            } else {
                Trial::Somebody(tried_account(&policy, examine_stranger(&policy, &username)))
            };
            Ok((project, policy, trial))
        })
        .await?;
    let list = inside(&list_path(project.id));
    let page = PolicyTrialPage {
        layout: visit.layout(visit.ctx.text("policies-trial-title"), &developer),
        trail: below_list(&visit, &project),
        action: inside(&format!("{}/{}/try", list_path(project.id), policy.id)),
        demands: demands(&policy),
        id: policy.id.to_string(),
        name: policy.display_name,
        who,
        trial,
        list,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

fn tried_account(policy: &Policy, examined: Examined) -> TriedAccount {
    let is_restricted = |list: &Option<Vec<String>>| list.as_deref().is_some_and(|list| !list.is_empty());
    TriedAccount {
        passes: examined.is_enough(),
        domain: match examined.standing {
            Standing::Excluded => TriedDomain::Excluded,
            Standing::NotIncluded => TriedDomain::NotIncluded,
            Standing::Counts if is_restricted(&policy.domain_constraints_include) => TriedDomain::Included,
            Standing::Counts => TriedDomain::Any,
        },
        login: examined.login.map(|login| TriedLogin {
            at: login.at.map(Moment::minute),
            undated: login.undated,
            in_time: login.in_time,
            two_factors: login.two_factors,
        }),
        username: examined.username,
    }
}
