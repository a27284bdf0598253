//! How an app, or every app of a project, looks on the pages that people see on their way to
//! it. The page itself shows the look: it wears what is saved, or what is being tried.

use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use tokio::sync::Semaphore;

use super::{Developer, Page, Visit, go_on, inside};
use crate::app::{App, Ctx};
use crate::domain::identity::check_text;
use crate::domain::skin::{self as rules, CONTRAST, Colour, Colours, LONGEST_SIDE, LogoChange, NoLogo, Unreadable};
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Params, Query};
use crate::http::upload::Upload;
use crate::store::clients::Client;
use crate::store::projects::Project;
use crate::store::skins::{self, Owner, Skin};
use crate::web::pages::FormErrors;
use crate::web::pages::developers::Trail;
use crate::web::pages::skin::{AppearanceNotice, AppearancePage};
use crate::web::{render, skin};

/// Decoding takes memory and time; so many at once, the others wait.
static DECODING: Semaphore = Semaphore::const_new(2);

/// Whose look is looked at.
#[derive(Clone)]
enum Subject {
    App(Box<Client>, Project),
    Project(Project),
}

impl Subject {
    fn owner(&self) -> Owner {
        match self {
            Subject::App(client, _) => Owner::Client(client.id),
            Subject::Project(project) => Owner::Project(project.id),
        }
    }

    fn name(&self) -> &str {
        match self {
            Subject::App(client, _) => &client.name,
            Subject::Project(project) => &project.display_name,
        }
    }

    /// The page of the app or project itself, beneath the area.
    fn path(&self) -> String {
        match self {
            Subject::App(client, _) => format!("apps/{}", client.id),
            Subject::Project(project) => format!("projects/{}", project.id),
        }
    }

    fn trail(&self, visit: &Visit) -> Trail {
        match self {
            Subject::App(client, project) => visit.trail_in_app(project, client),
            Subject::Project(project) => visit.trail_in_project(project),
        }
    }
}

/// What kind of thing an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    App,
    Project,
}

impl Kind {
    fn here(self, id: &str) -> String {
        match self {
            Kind::App => format!("apps/{id}/appearance"),
            Kind::Project => format!("projects/{id}/appearance"),
        }
    }

    /// Whoever sees the form may send it.
    fn find(self, tx: &mut ReadTx, ctx: &Ctx, developer: &Developer, id: &str) -> Result<Subject> {
        Ok(match self {
            Kind::App => {
                let (client, project) = developer.app_to_change(tx, ctx, id)?;
                Subject::App(Box::new(client), project)
            }
            Kind::Project => Subject::Project(developer.project_to_change(tx, ctx, id)?),
        })
    }
}

/// What stands in the form.
#[derive(Clone, Debug)]
struct Draft {
    header_text: String,
    band: String,
    text: String,
    has_background: bool,
    background: String,
}

const SEA: &str = "#eef2f1";

impl Draft {
    fn of(skin: Option<&Skin>) -> Self {
        let colours = skin.map_or_else(Colours::default, |skin| skin.colours);
        Self {
            header_text: skin.and_then(|skin| skin.header_text.clone()).unwrap_or_default(),
            band: colours.band.to_string(),
            text: colours.text.to_string(),
            has_background: colours.background.is_some(),
            background: colours
                .background
                .map_or_else(|| SEA.to_owned(), |colour| colour.to_string()),
        }
    }

    fn read(form: &Params) -> Self {
        let text = |name: &str| form.get(name).unwrap_or("").trim().to_owned();
        Self {
            header_text: text("header_text"),
            band: text("band"),
            text: text("band_text"),
            has_background: form.get("has_background").is_some(),
            background: text("background"),
        }
    }

    /// The colours, or what is wrong with the form.
    fn check(&self, ctx: &Ctx) -> Result<Colours, FormErrors> {
        let mut errors = FormErrors::none();
        let mut colour = |field: &'static str, text: &str| {
            let found = Colour::parse(text);
            if found.is_none() {
                errors = std::mem::take(&mut errors).and(field, ctx.text("appearance-no-colour"));
            }
            found.unwrap_or(Colour::WHITE)
        };
        let colours = Colours {
            band: colour("band", &self.band),
            text: colour("band_text", &self.text),
            background: self.has_background.then(|| colour("background", &self.background)),
        };
        if !self.header_text.is_empty()
            && (check_text("header_text", &self.header_text).is_err() || self.header_text.chars().count() > 80)
        {
            errors = errors.and("header_text", ctx.text("appearance-bad-text"));
        }
        if errors.is_empty() {
            for fault in colours.check() {
                let wanted = spoken(CONTRAST);
                let (field, said) = match fault {
                    Unreadable::Band { ratio } => (
                        "band_text",
                        ctx.say("appearance-unreadable-band")
                            .arg("ratio", spoken(ratio))
                            .arg("wanted", wanted),
                    ),
                    Unreadable::Background { ratio } => (
                        "background",
                        ctx.say("appearance-unreadable-background")
                            .arg("ratio", spoken(ratio))
                            .arg("wanted", wanted),
                    ),
                };
                errors = errors.and(field, said.to_string());
            }
        }
        if errors.is_empty() { Ok(colours) } else { Err(errors) }
    }
}

/// Rounded down: 4.499 is not 4.5.
fn spoken(ratio: f64) -> String {
    format!("{:.2}", (ratio * 100.0).floor() / 100.0)
}

/// What is to become of the logo, by the form.
async fn read_logo(form: &Upload) -> Result<Result<LogoChange, NoLogo>> {
    if form.params.get("remove_logo").is_some() {
        return Ok(Ok(LogoChange::Remove));
    }
    let bytes = match (form.file("logo"), form.params.get("tried_logo")) {
        (Some(bytes), _) => bytes.to_vec(),
        // What was tried before comes back with the form, and is an upload like any other.
        (None, Some(text)) => match STANDARD.decode(text) {
            Ok(bytes) => bytes,
            Err(_) => return Ok(Err(NoLogo::Broken)),
        },
        (None, None) => return Ok(Ok(LogoChange::Keep)),
    };
    // The permit goes along: if the browser leaves, the work goes on, and so does its place.
    let permit = DECODING.acquire().await.map_err(Error::internal)?;
    let decoded = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        rules::read_logo(&bytes)
    });
    // A decoder that panics has met something broken.
    Ok(decoded.await.unwrap_or(Err(NoLogo::Broken)).map(LogoChange::Set))
}

fn no_logo(ctx: &Ctx, fault: NoLogo) -> String {
    match fault {
        NoLogo::Format => ctx.text("appearance-logo-format").to_owned(),
        NoLogo::Broken => ctx.text("appearance-logo-broken").to_owned(),
        NoLogo::TooManyPoints { width, height } => ctx
            .say("appearance-logo-large")
            .arg("width", width)
            .arg("height", height)
            .arg("most", LONGEST_SIDE)
            .to_string(),
    }
}

/// What a visit is about.
struct Desk {
    developer: Developer,
    subject: Subject,
    saved: Option<Skin>,
}

impl Desk {
    /// Whoever sees the form may send it.
    async fn open(visit: &Visit, kind: Kind, id: &str) -> Result<Self, super::Stop> {
        let (ctx, id) = (visit.ctx.clone(), id.to_owned());
        let (developer, (subject, saved)) = visit
            .read(move |tx, developer| {
                let subject = kind.find(tx, &ctx, developer, &id)?;
                let saved = skins::find(tx, subject.owner())?;
                Ok((subject, saved))
            })
            .await?;
        Ok(Self {
            developer,
            subject,
            saved,
        })
    }

    fn page(
        &self,
        visit: &Visit,
        draft: Draft,
        tried: Option<(Colours, LogoChange)>,
        notice: Option<AppearanceNotice>,
        errors: FormErrors,
    ) -> AppearancePage {
        let subject = &self.subject;
        let title = match subject {
            Subject::App(..) => visit.ctx.say("appearance-app-title").arg("name", subject.name()),
            Subject::Project(_) => visit.ctx.say("appearance-project-title").arg("name", subject.name()),
        };
        let title = title.to_string();
        let mut layout = visit.layout(&title, &self.developer);
        let worn = self.saved.as_ref().map(|skin| skin::view(skin, subject.name()));
        let kept_logo = worn.as_ref().and_then(|worn| worn.logo.clone());
        let mut tried_logo = String::new();
        let is_tried = tried.is_some();
        layout.skin = match tried {
            None => worn,
            Some((colours, logo)) => {
                let logo = match &logo {
                    LogoChange::Set(logo) => {
                        tried_logo = STANDARD.encode(&logo.png);
                        Some(skin::inline(logo))
                    }
                    LogoChange::Keep => kept_logo.clone(),
                    LogoChange::Remove => None,
                };
                let header = match draft.header_text.as_str() {
                    "" => subject.name(),
                    text => text,
                };
                Some(skin::preview(&colours, logo, header))
            }
        };
        AppearancePage {
            layout,
            trail: subject.trail(visit),
            action: inside(&format!("{}/appearance", subject.path())),
            form_token: visit.form_token(),
            is_project: matches!(subject, Subject::Project(_)),
            header_text: draft.header_text,
            band: draft.band,
            band_text: draft.text,
            has_background: draft.has_background,
            background: draft.background,
            has_logo: kept_logo.is_some(),
            tried_logo,
            is_saved: self.saved.is_some(),
            is_tried,
            cancel: inside(&subject.path()),
            notice,
            errors,
        }
    }
}

async fn show(app: App, ctx: Ctx, headers: &HeaderMap, query: Result<Query>, kind: Kind, id: &str) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, headers, kind.here(id));
    let desk = Desk::open(&visit, kind, id).await?;
    let notice = match params.get("notice") {
        Some("saved") => Some(AppearanceNotice::Saved),
        Some("removed") => Some(AppearanceNotice::Removed),
        _ => None,
    };
    let draft = Draft::of(desk.saved.as_ref());
    let page = desk.page(&visit, draft, None, notice, FormErrors::none());
    Ok(render(&page, &PagePolicy::default())?)
}

async fn decide(app: App, ctx: Ctx, headers: &HeaderMap, form: Result<Upload>, kind: Kind, id: &str) -> Page {
    let form = form?;
    let visit = Visit::with_upload(app, ctx, headers, &form, kind.here(id))?;
    // Before anything is decoded.
    let desk = Desk::open(&visit, kind, id).await?;
    let decision = form.params.require("decision")?.to_owned();
    let (unit_ctx, wanted) = (visit.ctx.clone(), id.to_owned());
    if decision == "remove" {
        visit
            .change(move |tx, developer| {
                let subject = kind.find(tx, &unit_ctx, developer, &wanted)?;
                rules::remove(tx, &unit_ctx, developer.manager.actor, subject.owner())
            })
            .await??;
        return Ok(go_on(&format!("{}?notice=removed", kind.here(id))));
    }
    let draft = Draft::read(&form.params);
    let (colours, logo) = match (draft.check(&visit.ctx), read_logo(&form).await?) {
        (Ok(colours), Ok(logo)) => (colours, logo),
        (colours, logo) => {
            let mut errors = colours.err().unwrap_or_else(FormErrors::none);
            if let Err(fault) = logo {
                errors = errors.and("logo", no_logo(&visit.ctx, fault));
            }
            let page = desk.page(&visit, draft, None, None, errors);
            let mut response = render(&page, &PagePolicy::default())?;
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return Ok(response);
        }
    };
    if decision != "save" {
        let page = desk.page(&visit, draft, Some((colours, logo)), None, FormErrors::none());
        return Ok(render(&page, &PagePolicy::default())?);
    }
    let header_text = Some(draft.header_text).filter(|text| !text.is_empty());
    visit
        .change(move |tx, developer| {
            let owner = kind.find(tx, &unit_ctx, developer, &wanted)?.owner();
            let text = header_text.as_deref();
            rules::save(tx, &unit_ctx, developer.manager.actor, owner, colours, text, &logo)
        })
        .await??;
    Ok(go_on(&format!("{}?notice=saved", kind.here(id))))
}

/// `GET /p/developers/apps/{client_id}/appearance`
pub async fn app_appearance_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Page {
    show(app, ctx, &headers, query, Kind::App, &id).await
}

/// `POST /p/developers/apps/{client_id}/appearance`
pub async fn decide_app_appearance(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Upload>,
) -> Page {
    decide(app, ctx, &headers, form, Kind::App, &id).await
}

/// `GET /p/developers/projects/{project_id}/appearance`
pub async fn project_appearance_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Page {
    show(app, ctx, &headers, query, Kind::Project, &id).await
}

/// `POST /p/developers/projects/{project_id}/appearance`
pub async fn decide_project_appearance(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Upload>,
) -> Page {
    decide(app, ctx, &headers, form, Kind::Project, &id).await
}
