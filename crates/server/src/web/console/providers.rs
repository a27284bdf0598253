//! Identity providers: which there are, and what went wrong with them lately. The form that
//! adds or changes one is in `provider_form`.

use axum::extract::{Path, State};
use http::HeaderMap;
use portolan_db::{ReadTx, WriteTx};
use portolan_types::IdentityProviderId;

use super::action::{self, Action, Question};
use super::provider_form::fields;
use super::{Administrator, Visit, Wants, inside, next_page, typed};
use crate::app::{App, Ctx};
use crate::domain::provider::{self as rules, Wanted};
use crate::domain::trail;
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Query};
use crate::store::audit;
use crate::store::identity_providers::{self, IdentityProvider};
use crate::texts::Language;
use crate::upstream::provider::{OAUTH2, OIDC, PRESETS, is_upstream};
use crate::web::pages::console::{
    FailureRow, ProviderAction, ProviderNotice, ProviderPage, ProviderRow, ProvidersPage,
};
use crate::web::pages::{Href, Link, Moment};
use crate::web::provider_login::redirect_uri;
use crate::web::render;
use crate::web::visit::Page;

/// The most that one page lists; a search finds the others.
const SHOWN: usize = 100;
const FAILURES: usize = 10;

/// `GET /p/console/providers`
pub async fn providers_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, "providers");
    let search = typed(&params, "q");
    let state = params.get("state").unwrap_or("").to_owned();
    let (text, wanted, language) = (search.clone(), state.clone(), visit.ctx.language);
    let (administrator, (rows, more)) = visit
        .read(Wants::Look, move |tx, _| list(tx, language, &text, &wanted))
        .await?;
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

fn kind_in_words(language: Language, kind: &str) -> String {
    let words = match kind {
        OIDC => "console-kind-oidc",
        OAUTH2 => "console-kind-oauth2",
        "local" => "console-kind-local",
        "client" => "console-kind-client",
        _ => "console-kind-placeholder",
    };
    language.text(words).to_owned()
}

/// All of them are few enough to be looked through.
fn list(tx: &mut ReadTx, language: Language, text: &str, state: &str) -> Result<(Vec<ProviderRow>, bool)> {
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
        kind: kind_in_words(language, &provider.kind),
        domains: of(provider.id).join(", "),
        enabled: provider.enabled,
        is_own: is_upstream(&provider.kind),
        href: inside(&format!("providers/{}", provider.id)),
    };
    Ok((found.iter().map(row).collect(), more))
}

pub(super) fn find(tx: &mut ReadTx, id: &str) -> Result<IdentityProvider> {
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
    let language = visit.ctx.language;
    let row = ProviderRow {
        name: provider.name.clone(),
        short_name: provider.short_name.clone(),
        kind: kind_in_words(language, &provider.kind),
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

fn actions(provider: &IdentityProvider) -> Vec<(ProviderAction, Href)> {
    let is = |action| match action {
        ProviderAction::Disable => provider.enabled,
        ProviderAction::Enable => !provider.enabled,
        ProviderAction::Delete => true,
    };
    action::offer(&provider.id.to_string(), |action| {
        is_upstream(&provider.kind) && is(action)
    })
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

impl Action for ProviderAction {
    type Thing = IdentityProvider;

    const AREA: &'static str = "providers";
    const NAMES: &'static [(&'static str, Self)] = &[
        ("disable", ProviderAction::Disable),
        ("enable", ProviderAction::Enable),
        ("delete", ProviderAction::Delete),
    ];
    const LAST: Option<Self> = Some(ProviderAction::Delete);

    fn find(tx: &mut ReadTx, id: &str) -> Result<IdentityProvider> {
        find(tx, id)
    }

    fn question(self, ctx: &Ctx, provider: &IdentityProvider) -> Question {
        let (title, text, button) = match self {
            ProviderAction::Disable => (
                ctx.say("console-disable-provider-title"),
                ctx.text("console-disable-provider-text"),
                ctx.text("console-disable"),
            ),
            ProviderAction::Enable => (
                ctx.say("console-enable-provider-title"),
                ctx.text("console-enable-provider-text"),
                ctx.text("console-enable"),
            ),
            ProviderAction::Delete => (
                ctx.say("console-delete-provider-title"),
                ctx.text("console-delete-provider-text"),
                ctx.text("console-delete"),
            ),
        };
        Question {
            title: title.arg("name", &provider.name).to_string(),
            text: vec![text.to_owned()],
            button,
            is_dangerous: self.is_dangerous(),
        }
    }

    fn run(
        self,
        tx: &mut WriteTx,
        _: &App,
        ctx: &Ctx,
        administrator: &Administrator,
        provider: &IdentityProvider,
    ) -> Result<()> {
        let actor = administrator.actor();
        match self {
            ProviderAction::Disable => rules::set_enabled(tx, ctx, actor, provider, false),
            ProviderAction::Enable => rules::set_enabled(tx, ctx, actor, provider, true),
            ProviderAction::Delete => rules::delete(tx, ctx, actor, provider),
        }
    }
}

/// `GET /p/console/providers/{provider_id}/{action}`
pub async fn provider_action_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
) -> Page {
    action::ask::<ProviderAction>(app, ctx, &headers, &id, &name).await
}

/// `POST /p/console/providers/{provider_id}/{action}`
pub async fn act_on_provider(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, name)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, format!("providers/{id}"))?;
    action::act::<ProviderAction>(&visit, &id, &name).await
}
