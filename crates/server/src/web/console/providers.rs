//! Identity providers: which there are, what went wrong with them lately, and the form that
//! adds or changes one. What the form does not have, `portolan idp update` has; it stays as
//! it is.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::IdentityProviderId;
use serde_json::json;

use super::{Administrator, Visit, Wants, go_on, inside, next_page, refused, typed};
use crate::app::{App, Ctx, new_uuid};
use crate::domain::provider::{self as rules, Wanted};
use crate::domain::trail;
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Params, Query};
use crate::jobs::keys::provider_secret_place;
use crate::store::audit;
use crate::store::identity_providers::{self, IdentityProvider};
use crate::upstream::provider::{OAUTH2, PRESETS, is_upstream};
use crate::web::developers::{Page, Stop};
use crate::web::pages::console::{
    ConfirmPage, FailureRow, ProviderAction, ProviderFields, ProviderFormPage, ProviderNotice, ProviderPage,
    ProviderRow, ProvidersPage,
};
use crate::web::pages::{FormErrors, Href, Link, Moment};
use crate::web::provider_login::redirect_uri;
use crate::web::render;

/// The most that one page lists; a search finds the others.
const SHOWN: usize = 100;
const FAILURES: usize = 10;

/// `GET /p/console/providers`
pub async fn providers_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, "providers");
    let search = typed(&params, "q");
    let state = params.get("state").unwrap_or("").to_owned();
    let (text, wanted) = (search.clone(), state.clone());
    let (administrator, (rows, more)) = visit.read(Wants::Look, move |tx, _| list(tx, &text, &wanted)).await?;
    let page = ProvidersPage {
        layout: visit.layout(visit.ctx.text("console-providers-title"), &administrator),
        search,
        state,
        rows,
        more,
        presets: PRESETS
            .iter()
            .map(|preset| Link {
                text: (*preset).to_owned(),
                href: inside(&format!("providers/new?preset={preset}")),
            })
            .collect(),
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// All of them are few enough to be looked through.
fn list(tx: &mut ReadTx, text: &str, state: &str) -> Result<(Vec<ProviderRow>, bool)> {
    let mut found = identity_providers::list(tx)?;
    found.retain(|provider| match state {
        "enabled" => provider.enabled,
        "disabled" => !provider.enabled,
        _ => true,
    });
    let ids: Vec<IdentityProviderId> = found.iter().map(|provider| provider.id).collect();
    let domains = identity_providers::list_domains_of(tx, &ids)?;
    let of = |id: IdentityProviderId| -> Vec<String> {
        let own = domains.iter().filter(|(owner, _)| *owner == id);
        own.map(|(_, domain)| domain.clone()).collect()
    };
    let wanted = rules::words(text);
    found.retain(|provider| {
        let mut texts = vec![
            provider.name.clone(),
            provider.short_name.clone(),
            provider.id.to_string(),
        ];
        texts.extend(provider.alternative_names());
        texts.extend(of(provider.id));
        let known: Vec<String> = texts.iter().flat_map(|text| rules::words(text)).collect();
        wanted
            .iter()
            .all(|word| known.iter().any(|known| known.starts_with(word.as_str())))
    });
    let more = found.len() > SHOWN;
    found.truncate(SHOWN);
    let row = |provider: &IdentityProvider| ProviderRow {
        name: provider.name.clone(),
        short_name: provider.short_name.clone(),
        kind: provider.kind.clone(),
        domains: of(provider.id).join(", "),
        enabled: provider.enabled,
        is_own: is_upstream(&provider.kind),
        href: inside(&format!("providers/{}", provider.id)),
    };
    Ok((found.iter().map(row).collect(), more))
}

fn find(tx: &mut ReadTx, id: &str) -> Result<IdentityProvider> {
    let missing = || Error::not_found("identity provider");
    let id: IdentityProviderId = id.parse().map_err(|_| missing())?;
    identity_providers::find(tx, id)?.ok_or_else(missing)
}

/// `GET /p/console/providers/{provider_id}`
pub async fn provider_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(id): Path<String>,
) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, format!("providers/{id}"));
    let (administrator, (provider, wanted, domains, failures)) = visit
        .read(Wants::Look, move |tx, _| {
            let provider = find(tx, &id)?;
            let domains = identity_providers::list_domains(tx, provider.id)?;
            let wanted = match is_upstream(&provider.kind) {
                true => Some(Wanted::of_stored(tx, provider.clone())?),
                false => None,
            };
            let failures = failures(tx, provider.id)?;
            Ok((provider, wanted, domains, failures))
        })
        .await?;
    let row = ProviderRow {
        name: provider.name.clone(),
        short_name: provider.short_name.clone(),
        kind: provider.kind.clone(),
        domains: domains.join(", "),
        enabled: provider.enabled,
        is_own: wanted.is_some(),
        href: inside(&format!("providers/{}", provider.id)),
    };
    let page = ProviderPage {
        layout: visit.layout(&provider.name, &administrator),
        notice: params.get("notice").and_then(notice),
        id: provider.id.to_string(),
        also_named: provider.alternative_names().join(", "),
        fields: wanted.as_ref().map(fields),
        redirect_uri: redirect_uri(&visit.app.config.public_url(), provider.id),
        edit: inside(&format!("providers/{}/edit", provider.id)),
        actions: actions(&provider),
        failures,
        trail: next_page(
            "audit",
            &[("kind", "identity_provider"), ("id", &provider.id.to_string())],
        ),
        row,
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// What went wrong with sign-ins through it lately.
fn failures(tx: &mut ReadTx, id: IdentityProviderId) -> Result<Vec<FailureRow>> {
    let filter = trail::Filter {
        kind: Some("identity_provider".into()),
        id: Some(id.to_string()),
        action: Some("login.refused".into()),
        ..trail::Filter::default()
    };
    let found = trail::search(tx, &filter, trail::place_before(None), FAILURES, 1)?;
    let row = |entry: &audit::Entry| FailureRow {
        at: Moment::minute(entry.happened_at),
        reason: trail::details(&entry.detail)
            .into_iter()
            .find(|(name, _)| name == "reason")
            .map_or_else(|| entry.action.clone(), |(_, reason)| reason),
        address: entry.address.clone(),
        request_id: entry.request_id.clone(),
    };
    Ok(found.entries.iter().map(row).collect())
}

const ACTIONS: [(&str, ProviderAction); 3] = [
    ("disable", ProviderAction::Disable),
    ("enable", ProviderAction::Enable),
    ("delete", ProviderAction::Delete),
];

fn actions(provider: &IdentityProvider) -> Vec<(ProviderAction, Href)> {
    let is = |action| match action {
        ProviderAction::Disable => provider.enabled,
        ProviderAction::Enable => !provider.enabled,
        ProviderAction::Delete => true,
    };
    ACTIONS
        .into_iter()
        .filter(|(_, action)| is_upstream(&provider.kind) && is(*action))
        .map(|(name, action)| (action, inside(&format!("providers/{}/{name}", provider.id))))
        .collect()
}

fn notice(name: &str) -> Option<ProviderNotice> {
    Some(match name {
        "added" => ProviderNotice::Added,
        "changed" => ProviderNotice::Changed,
        "enable" => ProviderNotice::Enabled,
        "disable" => ProviderNotice::Disabled,
        _ => return None,
    })
}

/// Lists stand on one line, separated by commas; pairs one on each line.
fn fields(wanted: &Wanted) -> ProviderFields {
    let configuration = &wanted.configuration;
    let claims = &configuration.claims;
    let pairs = |pairs: &BTreeMap<String, String>| {
        let lines: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        lines.join("\n")
    };
    ProviderFields {
        preset: configuration.preset.clone(),
        name: wanted.provider.name.clone(),
        short_name: wanted.provider.short_name.clone(),
        alternative_names: wanted.provider.alternative_names().join(", "),
        domains: wanted.domains.join(", "),
        is_oidc: wanted.provider.kind != OAUTH2,
        tenant: None,
        issuer: wanted.issuer.clone(),
        client_id: configuration.client_id.clone(),
        has_secret: wanted.sealed_secret.is_some(),
        client_authentication: configuration.client_authentication.clone(),
        scopes: configuration.scopes.join(" "),
        algorithms: configuration.algorithms.join(", "),
        username_claims: claims.username.join(", "),
        name_claims: claims.name.join(", "),
        email_claims: claims.email.join(", "),
        organization_claims: claims.organization.join(", "),
        required_claims: pairs(&configuration.required_claims),
        parameters: pairs(&configuration.parameters),
        trust_mfa: configuration.trust_mfa,
    }
}

/// What was typed, as it was typed: to be shown again.
fn read_fields(form: &Params, before: ProviderFields) -> ProviderFields {
    let text = |name: &str| form.get(name).unwrap_or("").trim().to_owned();
    ProviderFields {
        preset: before.preset,
        is_oidc: before.is_oidc,
        has_secret: before.has_secret,
        tenant: before.tenant.map(|_| text("tenant")),
        name: text("name"),
        short_name: text("short_name"),
        alternative_names: text("alternative_names"),
        domains: text("domains"),
        issuer: text("issuer"),
        client_id: text("client_id"),
        client_authentication: text("client_authentication"),
        scopes: text("scopes"),
        algorithms: text("algorithms"),
        username_claims: text("username_claims"),
        name_claims: text("name_claims"),
        email_claims: text("email_claims"),
        organization_claims: text("organization_claims"),
        required_claims: text("required_claims"),
        parameters: text("parameters"),
        trust_mfa: form.get("trust_mfa").is_some(),
    }
}

/// Puts what was typed in the place of what is there.
fn apply(app: &App, form: &Params, fields: &ProviderFields, wanted: &mut Wanted) -> Result<(), FormErrors> {
    let list = |text: &str| -> Vec<String> {
        let items = text.split([',', '\n']).map(str::trim).filter(|item| !item.is_empty());
        items.map(str::to_owned).collect()
    };
    wanted.provider.name = fields.name.clone();
    wanted.provider.short_name = fields.short_name.clone();
    wanted.provider.alternative_names = json!(list(&fields.alternative_names)).to_string();
    wanted.domains = list(&fields.domains.to_lowercase());
    if fields.tenant.is_none() {
        wanted.issuer = fields.issuer.clone();
    }
    let configuration = &mut wanted.configuration;
    configuration.default_domain = wanted.domains.first().cloned().unwrap_or_default();
    configuration.client_id = fields.client_id.clone();
    configuration.client_authentication = fields.client_authentication.clone();
    configuration.scopes = fields.scopes.split_whitespace().map(str::to_owned).collect();
    configuration.algorithms = list(&fields.algorithms);
    configuration.claims.username = list(&fields.username_claims);
    configuration.claims.name = list(&fields.name_claims);
    configuration.claims.email = list(&fields.email_claims);
    configuration.claims.organization = list(&fields.organization_claims);
    configuration.trust_mfa = fields.trust_mfa;
    let mut required = pairs("required_claims", &fields.required_claims)?;
    // What the tenant brought stays.
    if let (Some(_), Some(tid)) = (&fields.tenant, configuration.required_claims.get("tid")) {
        required.insert("tid".into(), tid.clone());
    }
    configuration.required_claims = required;
    configuration.parameters = pairs("parameters", &fields.parameters)?;
    if form.get("remove_secret").is_some() {
        wanted.sealed_secret = None;
    }
    if let Some(secret) = form.get("client_secret") {
        let place = provider_secret_place(wanted.provider.id.0);
        wanted.sealed_secret = Some(app.master_key.seal(&place, secret.trim().as_bytes()));
    }
    // Addresses of plain OAuth 2.0 are those of the preset, or were checked when they were set.
    if fields.is_oidc
        && !wanted.issuer.is_empty()
        && let Err(error) = app.fetcher.check(&wanted.issuer)
    {
        let text = format!("{error}; networks of your own are named in outgoing_allow.");
        return Err(FormErrors::field("issuer", text));
    }
    Ok(())
}

fn pairs(field: &'static str, text: &str) -> Result<BTreeMap<String, String>, FormErrors> {
    let mut found = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once('=') else {
            return Err(FormErrors::field(
                field,
                format!("{line}: write NAME=VALUE, one on each line."),
            ));
        };
        found.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    Ok(found)
}

/// `short name: must have ..` becomes a text at that field.
fn field_error(error: &Error) -> FormErrors {
    const FIELDS: [(&str, &str); 12] = [
        ("short name", "short_name"),
        ("another identity provider has the short name", "short_name"),
        ("alternative name", "alternative_names"),
        ("default domain", "domains"),
        ("the domain", "domains"),
        ("domain", "domains"),
        ("client id", "client_id"),
        ("issuer", "issuer"),
        ("tenant", "tenant"),
        ("scope", "scopes"),
        ("username claim", "username_claims"),
        ("name", "name"),
    ];
    const MORE: [(&str, &str); 3] = [
        ("client authentication", "client_authentication"),
        ("algorithm", "algorithms"),
        ("parameter", "parameters"),
    ];
    let detail = error.detail();
    let known = FIELDS
        .into_iter()
        .chain(MORE)
        .find(|(start, _)| detail.starts_with(start));
    match known {
        Some((start, field)) => {
            let rest = detail[start.len()..].strip_prefix(": ").unwrap_or(detail);
            let mut characters = rest.chars();
            let first = characters.next().into_iter().flat_map(char::to_uppercase);
            let sentence: String = first.chain(characters).collect();
            FormErrors::field(field, format!("{sentence}."))
        }
        None => FormErrors::whole(detail.to_owned()),
    }
}

/// A form for a provider that is not there yet, or for one that is.
struct Draft {
    wanted: Wanted,
    is_new: bool,
    path: String,
}

impl Draft {
    fn new(preset: &str, tenant: Option<&str>) -> Result<Self> {
        let wanted = Wanted::of_preset(IdentityProviderId(new_uuid()), preset, tenant)?;
        Ok(Self {
            path: format!("providers/new?preset={}", wanted.configuration.preset),
            wanted,
            is_new: true,
        })
    }

    fn of(wanted: Wanted) -> Self {
        Self {
            path: format!("providers/{}/edit", wanted.provider.id),
            wanted,
            is_new: false,
        }
    }

    fn fields(&self) -> ProviderFields {
        let asks_tenant = self.is_new && self.wanted.configuration.preset == "microsoft";
        ProviderFields {
            tenant: asks_tenant.then(String::new),
            ..fields(&self.wanted)
        }
    }

    fn page(
        &self,
        visit: &Visit,
        administrator: &Administrator,
        fields: ProviderFields,
        errors: FormErrors,
    ) -> ProviderFormPage {
        let title = match self.is_new {
            true => visit.ctx.text("console-provider-new-title").to_owned(),
            false => visit
                .ctx
                .say("console-provider-edit-title")
                .arg("name", &self.wanted.provider.name)
                .to_string(),
        };
        ProviderFormPage {
            layout: visit.layout(&title, administrator),
            form_token: visit.form_token(),
            action: inside(&self.path),
            is_new: self.is_new,
            fields,
            cancel: match self.is_new {
                true => inside("providers"),
                false => inside(&format!("providers/{}", self.wanted.provider.id)),
            },
            errors,
        }
    }
}

fn preset_of(params: &Params) -> String {
    params.get("preset").unwrap_or("generic").to_owned()
}

/// `GET /p/console/providers/new?preset=..`
pub async fn new_provider_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, "providers/new");
    let draft = Draft::new(&preset_of(&params), None)?;
    let (administrator, ()) = visit.read(Wants::Prepare, |_, _| Ok(())).await?;
    let page = draft.page(&visit, &administrator, draft.fields(), FormErrors::none());
    Ok(render(&page, &PagePolicy::default())?)
}

/// `POST /p/console/providers/new?preset=..`
pub async fn add_provider(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    form: Result<Form>,
) -> Page {
    let Query(params) = query?;
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, "providers/new")?;
    let draft = Draft::new(&preset_of(&params), form.get("tenant").map(str::trim))?;
    let mut before = draft.fields();
    if draft.wanted.configuration.preset == "microsoft" && form.get("tenant").is_none() {
        let errors = FormErrors::field("tenant", visit.ctx.text("console-provider-tenant-missing"));
        before.tenant = Some(String::new());
        return again(&visit, &draft, read_fields(&form, before), errors).await;
    }
    save(&visit, &form, draft, before).await
}

/// `GET /p/console/providers/{provider_id}/edit`
pub async fn edit_provider_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, Path(id): Path<String>) -> Page {
    let visit = Visit::new(app, ctx, &headers, format!("providers/{id}/edit"));
    let (administrator, wanted) = visit
        .read(Wants::Prepare, move |tx, _| {
            let provider = find(tx, &id)?;
            Wanted::of_stored(tx, provider)
        })
        .await?;
    let draft = Draft::of(wanted);
    let page = draft.page(&visit, &administrator, draft.fields(), FormErrors::none());
    Ok(render(&page, &PagePolicy::default())?)
}

/// `POST /p/console/providers/{provider_id}/edit`
pub async fn edit_provider(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, format!("providers/{id}/edit"))?;
    let (_, wanted) = visit
        .read(Wants::Prepare, move |tx, _| {
            let provider = find(tx, &id)?;
            Wanted::of_stored(tx, provider)
        })
        .await?;
    let draft = Draft::of(wanted);
    let before = draft.fields();
    save(&visit, &form, draft, before).await
}

async fn save(visit: &Visit, form: &Params, mut draft: Draft, before: ProviderFields) -> Page {
    let fields = read_fields(form, before);
    if let Err(errors) = apply(&visit.app, form, &fields, &mut draft.wanted) {
        return again(visit, &draft, fields, errors).await;
    }
    let (unit_ctx, local_domain) = (visit.ctx.clone(), visit.app.config.local_domain.clone());
    let (wanted, is_new) = (draft.wanted.clone(), draft.is_new);
    let saved = visit
        .change(move |tx, administrator| {
            let change = if is_new { rules::create } else { rules::update };
            change(tx, &unit_ctx, administrator.actor(), &local_domain, &wanted)
        })
        .await?;
    match saved {
        Ok(()) => {
            let notice = if draft.is_new { "added" } else { "changed" };
            Ok(go_on(&format!(
                "providers/{}?notice={notice}",
                draft.wanted.provider.id
            )))
        }
        Err(refusal) => again(visit, &draft, fields, field_error(&refusal)).await,
    }
}

async fn again(visit: &Visit, draft: &Draft, fields: ProviderFields, errors: FormErrors) -> Page {
    let (administrator, ()) = visit.read(Wants::Prepare, |_, _| Ok(())).await?;
    let page = draft.page(visit, &administrator, fields, errors);
    let mut response = render(&page, &PagePolicy::default())?;
    *response.status_mut() = StatusCode::BAD_REQUEST;
    Ok(response)
}

fn action(name: &str) -> Result<ProviderAction, Stop> {
    let found = ACTIONS.into_iter().find(|(known, _)| *known == name);
    Ok(found.ok_or_else(|| Error::not_found(""))?.1)
}

fn confirmation(
    visit: &Visit,
    administrator: &Administrator,
    provider: &IdentityProvider,
    action: ProviderAction,
    errors: FormErrors,
) -> ConfirmPage {
    let ctx = &visit.ctx;
    let (name, title, text, button) = match action {
        ProviderAction::Disable => (
            "disable",
            ctx.say("console-disable-provider-title").arg("name", &provider.name),
            ctx.text("console-disable-provider-text"),
            ctx.text("console-disable"),
        ),
        ProviderAction::Enable => (
            "enable",
            ctx.say("console-enable-provider-title").arg("name", &provider.name),
            ctx.text("console-enable-provider-text"),
            ctx.text("console-enable"),
        ),
        ProviderAction::Delete => (
            "delete",
            ctx.say("console-delete-provider-title").arg("name", &provider.name),
            ctx.text("console-delete-provider-text"),
            ctx.text("console-delete"),
        ),
    };
    let title = title.to_string();
    ConfirmPage {
        layout: visit.layout(&title, administrator),
        form_token: visit.form_token(),
        action: inside(&format!("providers/{}/{name}", provider.id)),
        text: vec![text.to_owned()],
        button: button.to_owned(),
        is_dangerous: action != ProviderAction::Enable,
        keep: inside(&format!("providers/{}", provider.id)),
        errors,
    }
}

/// `GET /p/console/providers/{provider_id}/{action}`
pub async fn provider_action_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
) -> Page {
    let action = action(&name)?;
    let visit = Visit::new(app, ctx, &headers, format!("providers/{id}/{name}"));
    let (administrator, provider) = visit.read(Wants::Prepare, move |tx, _| find(tx, &id)).await?;
    let page = confirmation(&visit, &administrator, &provider, action, FormErrors::none());
    Ok(render(&page, &PagePolicy::default())?)
}

/// `POST /p/console/providers/{provider_id}/{action}`
pub async fn act_on_provider(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let back = format!("providers/{id}");
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, &back)?;
    let action = action(&name)?;
    let (unit_ctx, wanted) = (visit.ctx.clone(), id.clone());
    let done = visit
        .change(move |tx, administrator| {
            let provider = find(tx, &wanted)?;
            let actor = administrator.actor();
            match action {
                ProviderAction::Disable => rules::set_enabled(tx, &unit_ctx, actor, &provider, false),
                ProviderAction::Enable => rules::set_enabled(tx, &unit_ctx, actor, &provider, true),
                ProviderAction::Delete => rules::delete(tx, &unit_ctx, actor, &provider),
            }
        })
        .await?;
    let Err(refusal) = done else {
        return Ok(match action {
            ProviderAction::Delete => go_on("providers"),
            _ => go_on(&format!("{back}?notice={name}")),
        });
    };
    let (administrator, provider) = visit.read(Wants::Prepare, move |tx, _| find(tx, &id)).await?;
    let errors = FormErrors::whole(refusal.detail().to_owned());
    refused(&confirmation(&visit, &administrator, &provider, action, errors))
}
