//! The form that registers or changes an app: what is typed, what is wrong with it, and what
//! it asks for.

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::IdentityProviderId;
use portolan_types::api::{Change, ClientChanges, ClientType, LinkChanges, Visibility};

use super::apps::place;
use super::{Page, Visit, go_on, inside};
use crate::app::{App, Ctx};
use crate::domain::client::{UriFault, check_links, check_name, find_uri_fault, registration};
use crate::domain::{logout, provider};
use crate::error::Result;
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Params};
use crate::store::clients::Client;
use crate::store::identity_providers::{self, CLIENTS, IdentityProvider};
use crate::store::projects::Project;
use crate::web::pages::FormErrors;
use crate::web::pages::developers::{AppFormPage, AppKind, ProviderOption};
use crate::web::render;

/// The most identity providers that a form proposes. Others are found by what is typed.
const PROPOSED: i64 = 100;
/// The most faulty lines that a form names at once.
const FAULTS: usize = 5;

/// What a person typed about an app, as it stands in the fields.
#[derive(Clone, Debug, Default)]
struct Typed {
    client_type: Option<ClientType>,
    name: String,
    redirect_uris: String,
    terms_and_conditions: String,
    privacy_policy: String,
    is_public: bool,
    required_idp: String,
    preselect_idp: String,
    /// "yes", "no", or as usual for the type.
    named_grant: String,
    effective_identity: bool,
    post_logout_redirect_uris: String,
    backchannel_logout_uri: String,
    backchannel_logout_session_required: bool,
}

impl Typed {
    fn read(form: &Params) -> Self {
        let text = |name| form.get(name).unwrap_or("").to_owned();
        Self {
            client_type: form.get("client_type").and_then(|name| name.parse().ok()),
            name: text("name"),
            redirect_uris: text("redirect_uris"),
            terms_and_conditions: text("terms_and_conditions"),
            privacy_policy: text("privacy_policy"),
            is_public: form.get("visibility") == Some("public"),
            required_idp: text("required_idp"),
            preselect_idp: text("preselect_idp"),
            named_grant: text("prompt_for_named_grant"),
            effective_identity: form.get("userinfo_from_effective_identity").is_some(),
            post_logout_redirect_uris: text("post_logout_redirect_uris"),
            backchannel_logout_uri: text("backchannel_logout_uri"),
            backchannel_logout_session_required: form.get("backchannel_logout_session_required").is_some(),
        }
    }

    fn of(tx: &mut ReadTx, client: &Client) -> Result<Self> {
        let logout = logout::registered(tx, client.id)?;
        let spelled = |tx: &mut ReadTx, id: Option<IdentityProviderId>| match id {
            Some(id) => Ok::<_, crate::Error>(spelling(&identity_providers::list_domains(tx, id)?, id)),
            None => Ok(String::new()),
        };
        Ok(Self {
            client_type: Some(AppKind::of(client).client_type()),
            name: client.name.clone(),
            redirect_uris: client.redirect_uris().join("\n"),
            terms_and_conditions: client.terms_and_conditions.clone().unwrap_or_default(),
            privacy_policy: client.privacy_policy.clone().unwrap_or_default(),
            is_public: client.visibility == "public",
            required_idp: spelled(tx, client.required_idp)?,
            preselect_idp: spelled(tx, client.preselect_idp)?,
            named_grant: String::new(),
            effective_identity: client.userinfo_from_effective_identity,
            post_logout_redirect_uris: logout.post_logout_redirect_uris.join("\n"),
            backchannel_logout_uri: logout.backchannel_logout_uri.unwrap_or_default(),
            backchannel_logout_session_required: logout.backchannel_logout_session_required,
        })
    }

    /// What is wrong, each with its field, or the changes that the form asks for.
    fn check(&self, ctx: &Ctx, tx: &mut ReadTx) -> Result<Result<ClientChanges, FormErrors>> {
        let mut errors = FormErrors::none();
        let client_type = self.client_type.unwrap_or(ClientType::Confidential);
        if self.client_type.is_none() {
            errors = errors.and("client_type", ctx.text("developers-error-type"));
        }
        if check_name(&self.name).is_err() {
            errors = errors.and("name", ctx.text("developers-error-name"));
        }
        let redirect_uris = lines(&self.redirect_uris);
        for fault in uri_faults(ctx, client_type, &redirect_uris) {
            errors = errors.and("redirect_uris", fault);
        }
        let post_logout = lines(&self.post_logout_redirect_uris);
        for fault in uri_faults(ctx, client_type, &post_logout) {
            errors = errors.and("post_logout_redirect_uris", fault);
        }
        let backchannel = self.backchannel_logout_uri.trim();
        if let Some(fault) = Some(backchannel).filter(|uri| !uri.is_empty()).and_then(|uri| {
            // Only a server can be told.
            find_uri_fault(ClientType::Confidential.as_str(), uri)
        }) {
            errors = errors.and("backchannel_logout_uri", ctx.text(uri_fault_text(fault)));
        }
        for (field, link) in self.links() {
            let other_is_given = self
                .links()
                .iter()
                .any(|(name, other)| *name != field && other.is_some());
            let text = match link {
                None if other_is_given => ctx.text("developers-error-both-links"),
                Some(link) if check_links(Some(link), Some(link)).is_err() => ctx.text("developers-error-link"),
                _ => continue,
            };
            errors = errors.and(field, text);
        }
        let mut providers = [Change::Clear, Change::Clear];
        for (place, (field, typed)) in [
            ("required_idp", &self.required_idp),
            ("preselect_idp", &self.preselect_idp),
        ]
        .into_iter()
        .enumerate()
        {
            match find_provider(tx, typed)? {
                Choice::Nothing => {}
                Choice::Provider(id) => providers[place] = Change::Set(id),
                Choice::Unknown => errors = errors.and(field, ctx.text("developers-error-provider")),
                Choice::Several(names) => {
                    let text = ctx.say("developers-error-providers").arg("names", names.join(", "));
                    errors = errors.and(field, text.to_string());
                }
            }
        }
        if !errors.is_empty() {
            return Ok(Err(errors));
        }
        let uris = |lines: Vec<(usize, &str)>| lines.into_iter().map(|(_, uri)| uri.to_owned()).collect();
        let [required_idp, preselect_idp] = providers;
        Ok(Ok(ClientChanges {
            name: Change::Set(self.name.clone()),
            visibility: Change::Set(if self.is_public {
                Visibility::Public
            } else {
                Visibility::Private
            }),
            redirect_uris: Change::Set(uris(redirect_uris)),
            links: match self.links() {
                [(_, Some(terms)), (_, Some(privacy))] => Change::Set(LinkChanges {
                    terms_and_conditions: Change::Set(terms.to_owned()),
                    privacy_policy: Change::Set(privacy.to_owned()),
                }),
                _ => Change::Clear,
            },
            required_idp,
            preselect_idp,
            post_logout_redirect_uris: Change::Set(uris(post_logout)),
            backchannel_logout_uri: match backchannel {
                "" => Change::Clear,
                uri => Change::Set(uri.to_owned()),
            },
            backchannel_logout_session_required: Change::Set(self.backchannel_logout_session_required),
            ..ClientChanges::default()
        }))
    }

    fn links(&self) -> [(&'static str, Option<&str>); 2] {
        let given = |text: &'_ str| !text.trim().is_empty();
        [
            (
                "terms_and_conditions",
                Some(self.terms_and_conditions.trim()).filter(|text| given(text)),
            ),
            (
                "privacy_policy",
                Some(self.privacy_policy.trim()).filter(|text| given(text)),
            ),
        ]
    }

    /// What is said once, when the app is registered.
    fn registration(&self, changes: ClientChanges, project: &Project) -> ClientChanges {
        ClientChanges {
            project: Change::Set(project.id),
            client_type: self.client_type.into(),
            userinfo_from_effective_identity: Change::Set(self.effective_identity),
            prompt_for_named_grant: match self.named_grant.as_str() {
                "yes" => Change::Set(true),
                "no" => Change::Set(false),
                _ => Change::Keep,
            },
            ..changes
        }
    }
}

/// The lines that are not empty, with their numbers.
fn lines(text: &str) -> Vec<(usize, &str)> {
    let numbered = text.lines().map(str::trim).enumerate();
    numbered
        .filter(|(_, line)| !line.is_empty())
        .map(|(at, line)| (at + 1, line))
        .collect()
}

fn uri_faults(ctx: &Ctx, client_type: ClientType, uris: &[(usize, &str)]) -> Vec<String> {
    let fault = |(line, uri): &(usize, &str)| {
        let fault = find_uri_fault(client_type.as_str(), uri)?;
        let shown: String = uri.chars().take(80).collect();
        let said = ctx
            .say("developers-error-line")
            .count("line", *line)
            .arg("uri", shown)
            .arg("reason", ctx.text(uri_fault_text(fault)));
        Some(said.to_string())
    };
    uris.iter().filter_map(fault).take(FAULTS).collect()
}

fn uri_fault_text(fault: UriFault) -> &'static str {
    match fault {
        UriFault::TooLong => "developers-uri-too-long",
        UriFault::Characters => "developers-uri-characters",
        UriFault::Fragment => "developers-uri-fragment",
        UriFault::Wildcard => "developers-uri-wildcard",
        UriFault::NotAbsolute => "developers-uri-not-absolute",
        UriFault::DotSegments => "developers-uri-dot-segments",
        UriFault::UserInfo => "developers-uri-user-info",
        UriFault::NoHost => "developers-uri-no-host",
        UriFault::PlainHttp => "developers-uri-plain-http",
        UriFault::SchemeWithoutDot => "developers-uri-scheme-without-dot",
        UriFault::NotHttps => "developers-uri-not-https",
    }
}

/// What somebody means who types the name of an identity provider.
enum Choice {
    Nothing,
    Provider(IdentityProviderId),
    Unknown,
    /// Their names with a domain each.
    Several(Vec<String>),
}

/// By domain or id, as the form proposes them, or by words of which one provider alone has all.
fn find_provider(tx: &mut ReadTx, typed: &str) -> Result<Choice> {
    let typed = typed.trim();
    if typed.is_empty() {
        return Ok(Choice::Nothing);
    }
    if let Ok(id) = typed.parse() {
        let exists = identity_providers::exists(tx, id)?;
        return Ok(if exists { Choice::Provider(id) } else { Choice::Unknown });
    }
    if let Some(provider) = identity_providers::find_by_domain(tx, &typed.to_lowercase())? {
        return Ok(Choice::Provider(provider.id));
    }
    let found = provider::search(tx, typed, 5)?.providers;
    match found.as_slice() {
        [] => Ok(Choice::Unknown),
        [only] => Ok(Choice::Provider(only.id)),
        several => {
            let mut names = Vec::new();
            for provider in several {
                names.push(format!(
                    "{} ({})",
                    provider.name,
                    spelling(&provider.domains, provider.id)
                ));
            }
            Ok(Choice::Several(names))
        }
    }
}

/// How the form spells a provider: by what no other has.
fn spelling(domains: &[String], id: IdentityProviderId) -> String {
    domains.first().cloned().unwrap_or_else(|| id.to_string())
}

/// The providers that the form proposes: the local accounts, and those to sign in through.
fn proposals(tx: &mut ReadTx) -> Result<Vec<ProviderOption>> {
    let mut found = identity_providers::list_by_ids(tx, &[identity_providers::LOCAL])?;
    found.extend(identity_providers::list_choices(tx, PROPOSED)?);
    let ids: Vec<IdentityProviderId> = found.iter().map(|provider| provider.id).collect();
    let domains = identity_providers::list_domains_of(tx, &ids)?;
    let option = |provider: IdentityProvider| {
        let first = domains.iter().find(|(id, _)| *id == provider.id);
        ProviderOption {
            value: first.map_or_else(|| provider.id.to_string(), |(_, domain)| domain.clone()),
            name: provider.name,
        }
    };
    Ok(found
        .into_iter()
        .filter(|provider| provider.enabled && provider.id != CLIENTS)
        .map(option)
        .collect())
}

/// `GET /p/developers/projects/{project_id}/apps/new`
pub async fn new_app_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(project_id): Path<String>,
) -> Page {
    let visit = Visit::new(app, ctx, &headers, format!("projects/{project_id}/apps/new"));
    let typed = Typed {
        effective_identity: true,
        ..Typed::default()
    };
    show_new(&visit, project_id, &typed, FormErrors::none()).await
}

async fn show_new(visit: &Visit, project_id: String, typed: &Typed, errors: FormErrors) -> Page {
    let ctx = visit.ctx.clone();
    let (developer, (project, providers)) = visit
        .read(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &project_id)?;
            Ok((project, proposals(tx)?))
        })
        .await?;
    let page = AppFormPage {
        trail: visit.trail_in_project(&project),
        layout: visit.layout(visit.ctx.text("developers-new-app"), &developer),
        action: inside(&format!("projects/{}/apps/new", project.id)),
        cancel: inside(&format!("projects/{}", project.id)),
        exists: false,
        ..form_page(visit, typed, providers, errors)
    };
    show_form(&page)
}

/// The form with what was typed; whoever shows it says whose page it is.
fn form_page(visit: &Visit, typed: &Typed, providers: Vec<ProviderOption>, errors: FormErrors) -> AppFormPage {
    let typed = typed.clone();
    AppFormPage {
        layout: Default::default(),
        trail: visit.trail(),
        action: inside(""),
        cancel: inside(""),
        exists: true,
        form_token: visit.form_token(),
        kind: typed.client_type.map(AppKind::from),
        name: typed.name,
        redirect_uris: typed.redirect_uris,
        terms_and_conditions: typed.terms_and_conditions,
        privacy_policy: typed.privacy_policy,
        is_public: typed.is_public,
        required_idp: typed.required_idp,
        preselect_idp: typed.preselect_idp,
        named_grant: typed.named_grant,
        effective_identity: typed.effective_identity,
        post_logout_redirect_uris: typed.post_logout_redirect_uris,
        backchannel_logout_uri: typed.backchannel_logout_uri,
        backchannel_logout_session_required: typed.backchannel_logout_session_required,
        providers,
        errors,
    }
}

fn show_form(page: &AppFormPage) -> Page {
    let mut response = render(page, &PagePolicy::default())?;
    if !page.errors.is_empty() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// `POST /p/developers/projects/{project_id}/apps/new`
pub async fn register_app(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(project_id): Path<String>,
    form: Result<Form>,
) -> Page {
    let here = format!("projects/{project_id}/apps/new");
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, here)?;
    let typed = Typed::read(&form);
    let (ctx, id, wanted) = (visit.ctx.clone(), project_id.clone(), typed.clone());
    let made = visit
        .change(move |tx, developer| {
            let project = developer.project_to_change(tx, &ctx, &id)?;
            let changes = match wanted.check(&ctx, tx)? {
                Ok(changes) => wanted.registration(changes, &project),
                Err(errors) => return Ok(Err(errors)),
            };
            registration::create(tx, &ctx, &developer.manager, &changes).map(Ok)
        })
        .await?;
    let errors = match made {
        Ok(Ok(client)) => return Ok(go_on(&place(&client, "?notice=created"))),
        Ok(Err(errors)) => errors,
        Err(refused) => FormErrors::refusal(visit.ctx.language, &refused),
    };
    show_new(&visit, project_id, &typed, errors).await
}

/// `GET /p/developers/apps/{client_id}/edit`
pub async fn edit_app_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, Path(id): Path<String>) -> Page {
    let visit = Visit::new(app, ctx, &headers, format!("apps/{id}/edit"));
    show_edit(&visit, id, None, FormErrors::none()).await
}

async fn show_edit(visit: &Visit, id: String, typed: Option<Typed>, errors: FormErrors) -> Page {
    let ctx = visit.ctx.clone();
    let (developer, (client, project, registered, providers)) = visit
        .read(move |tx, developer| {
            let (client, project) = developer.app_to_change(tx, &ctx, &id)?;
            let registered = Typed::of(tx, &client)?;
            Ok((client, project, registered, proposals(tx)?))
        })
        .await?;
    let kind = AppKind::of(&client);
    let page = AppFormPage {
        trail: visit.trail_in_app(&project, &client),
        layout: visit.layout(visit.ctx.text("developers-edit-app"), &developer),
        action: inside(&place(&client, "/edit")),
        cancel: inside(&place(&client, "")),
        kind: Some(kind),
        exists: true,
        ..form_page(visit, &typed.unwrap_or(registered), providers, errors)
    };
    show_form(&page)
}

/// `POST /p/developers/apps/{client_id}/edit`
pub async fn edit_app(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, format!("apps/{id}/edit"))?;
    let typed = Typed::read(&form);
    let (ctx, named, wanted) = (visit.ctx.clone(), id.clone(), typed.clone());
    let changed = visit
        .change(move |tx, developer| {
            let (client, _) = developer.app_to_change(tx, &ctx, &named)?;
            // The type never changes, and decides which addresses there may be.
            let wanted = Typed {
                client_type: Some(AppKind::of(&client).client_type()),
                ..wanted.clone()
            };
            let changes = match wanted.check(&ctx, tx)? {
                Ok(changes) => changes,
                Err(errors) => return Ok(Err(errors)),
            };
            registration::update(tx, &ctx, &developer.manager, client.id, &changes).map(Ok)
        })
        .await?;
    let errors = match changed {
        Ok(Ok(client)) => return Ok(go_on(&place(&client, "?notice=changed"))),
        Ok(Err(errors)) => errors,
        Err(refused) => FormErrors::refusal(visit.ctx.language, &refused),
    };
    show_edit(&visit, id, Some(typed), errors).await
}
