//! Domain names in the developer area: the record to set in the DNS, and the look at it
//! (wire.md 1.9). The rules are those of the JSON interface (`domain::client::registration`).

use axum::extract::{Path, State};
use http::HeaderMap;
use portolan_types::ClientId;

use super::developers::{Visit, go_on, inside, is_refusal};
use super::pages::FormErrors;
use super::pages::resource::{DnsAnswer, DomainsPage};
use super::render;
use super::visit::Page;
use crate::app::{App, Ctx};
use crate::domain::client::registration::{Fqdn, add_fqdn, check_fqdn, check_fqdn_proof, parse_fqdn};
use crate::error::{Error, Kind, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Query};
use crate::store::clients;
use crate::upstream::dns::{self, Found};

/// How many other records are shown, and how much of each.
const RECORDS: usize = 10;
const RECORD_LENGTH: usize = 200;
const EXAMPLE: &str = "service.example.org";

fn path(client: impl std::fmt::Display) -> String {
    format!("apps/{client}/domains")
}

/// What was tried, and what came of it.
#[derive(Default)]
struct Attempt {
    fqdn: String,
    answer: Option<DnsAnswer>,
    added: Option<String>,
    errors: FormErrors,
}

/// `GET /p/developers/apps/{client_id}/domains`
pub async fn domains_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    query: Result<Query>,
    Path(client_id): Path<String>,
) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, path(&client_id));
    let attempt = Attempt {
        added: params.get("added").and_then(|name| parse_fqdn(name).ok()),
        ..Attempt::default()
    };
    show(&visit, client_id, attempt).await
}

/// `POST /p/developers/apps/{client_id}/domains`: the DNS is asked between two units of work.
pub async fn register_domain(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(client_id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, path(&client_id))?;
    let typed = form.get("fqdn").unwrap_or("").trim().to_owned();
    let refused = |errors, answer| Attempt {
        fqdn: typed.clone(),
        answer,
        added: None,
        errors,
    };
    let (ctx, id, name) = (visit.ctx.clone(), client_id.clone(), typed.clone());
    // A stranger learns nothing, not even whether the name is one.
    let (_, checked) = visit
        .read(move |tx, developer| {
            let (client, _) = developer.app_to_change(tx, &ctx, &id)?;
            let checked = parse_fqdn(&name).and_then(|fqdn| {
                let known = check_fqdn(tx, &ctx, &developer.manager, client.id, &fqdn)?;
                Ok((client.id, fqdn, known))
            });
            match checked {
                Err(error) if is_refusal(&error) => Ok(Err(error)),
                checked => checked.map(Ok),
            }
        })
        .await?;
    let (client, fqdn, known) = match checked {
        Ok(checked) => checked,
        Err(error) => {
            let errors = FormErrors::field("fqdn", refusal(&visit.ctx, &error, &typed));
            return show(&visit, client_id, refused(errors, None)).await;
        }
    };
    if known == Fqdn::New {
        let found = dns::find_texts(visit.app.config.dns_resolver, &fqdn).await;
        if let Err(error) = check_fqdn_proof(&found, &fqdn, client) {
            let errors = FormErrors::field("fqdn", refusal(&visit.ctx, &error, &fqdn));
            return show(&visit, client_id, refused(errors, Some(answer(found)))).await;
        }
    }
    let (ctx, prefix, name) = (
        visit.ctx.clone(),
        visit.app.config.scope_url_prefix.clone(),
        fqdn.clone(),
    );
    let added = visit
        .change(move |tx, developer| {
            let (client, _) = developer.app_to_change(tx, &ctx, &client.to_string())?;
            add_fqdn(tx, &ctx, &developer.manager, &prefix, client.id, &name)
        })
        .await?;
    match added {
        Ok(_) => Ok(go_on(&format!("{}?added={fqdn}", path(client)))),
        Err(error) => {
            let errors = FormErrors::field("fqdn", refusal(&visit.ctx, &error, &fqdn));
            show(&visit, client_id, refused(errors, None)).await
        }
    }
}

fn refusal(ctx: &Ctx, error: &Error, fqdn: &str) -> String {
    match error.kind() {
        Kind::FqdnVerificationFailed => ctx.say("domains-error-proof").arg("name", fqdn).to_string(),
        Kind::Conflict if error.detail().starts_with("fqdn: ") => {
            ctx.say("domains-error-taken").arg("name", fqdn).to_string()
        }
        Kind::InvalidParameters => ctx.text("domains-error-name").to_owned(),
        _ => error.detail().to_owned(),
    }
}

/// Anybody can write anything into the DNS, so little of it is shown.
fn answer(found: Found) -> DnsAnswer {
    match found {
        Found::Nothing => DnsAnswer::Nothing,
        Found::NoAnswer => DnsAnswer::Silence,
        Found::Texts(texts) => DnsAnswer::Others(
            texts
                .iter()
                .take(RECORDS)
                .map(|text| {
                    let printable = text.chars().filter(|c| !c.is_control());
                    printable.take(RECORD_LENGTH).collect()
                })
                .collect(),
        ),
    }
}

async fn show(visit: &Visit, client_id: String, attempt: Attempt) -> Page {
    let (developer, (client, project, domains)) = visit
        .read(move |tx, developer| {
            let (client, project) = developer.app(tx, &client_id)?;
            let domains = clients::list_fqdns(tx, client.id)?;
            Ok((client, project, domains))
        })
        .await?;
    let id: ClientId = client.id;
    let page = DomainsPage {
        layout: visit.layout(visit.ctx.text("domains-title"), &developer),
        trail: visit.trail_in_app(&project, &client),
        action: inside(&path(id)),
        form_token: visit.form_token(),
        client_id: id.to_string(),
        resource_server: client.resource_server_name(),
        added: attempt.added.filter(|name| domains.contains(name)),
        domains,
        record_name: parse_fqdn(&attempt.fqdn).unwrap_or_else(|_| EXAMPLE.to_owned()),
        fqdn: attempt.fqdn,
        answer: attempt.answer,
        app: client.name,
        errors: attempt.errors,
    };
    Ok(render(&page, &PagePolicy::default())?)
}
