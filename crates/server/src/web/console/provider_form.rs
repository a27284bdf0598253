//! The form that adds or changes an identity provider. What it does not have, `portolan idp
//! update` has; that stays as it is.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use portolan_types::IdentityProviderId;
use serde_json::json;

use super::providers::find;
use super::{Administrator, Visit, Wants, go_on, inside};
use crate::app::{App, Ctx, new_uuid};
use crate::domain::provider::{self as rules, Wanted};
use crate::error::Result;
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Params, Query};
use crate::jobs::keys::provider_secret_place;
use crate::upstream::provider::OAUTH2;
use crate::web::pages::FormErrors;
use crate::web::pages::console::{ProviderFields, ProviderFormPage};
use crate::web::render;
use crate::web::visit::Page;

/// Inputs that a refusal can be about.
const FIELDS: [&str; 11] = [
    "name",
    "short_name",
    "alternative_names",
    "domains",
    "issuer",
    "client_id",
    "client_authentication",
    "scopes",
    "algorithms",
    "username_claims",
    "parameters",
];

/// Lists stand on one line, separated by commas; pairs one on each line.
pub(super) fn fields(wanted: &Wanted) -> ProviderFields {
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
        Err(refusal) => {
            again(
                visit,
                &draft,
                fields,
                FormErrors::at(visit.ctx.language, &refusal, &FIELDS),
            )
            .await
        }
    }
}

async fn again(visit: &Visit, draft: &Draft, fields: ProviderFields, errors: FormErrors) -> Page {
    let (administrator, ()) = visit.read(Wants::Prepare, |_, _| Ok(())).await?;
    let page = draft.page(visit, &administrator, fields, errors);
    let mut response = render(&page, &PagePolicy::default())?;
    *response.status_mut() = StatusCode::BAD_REQUEST;
    Ok(response)
}
