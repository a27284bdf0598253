//! The secrets of an app: made with a description, shown once, deleted.

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use portolan_db::ReadTx;
use portolan_types::{ClientId, CredentialId};

use super::apps::{find_to_change, place};
use super::projects::show_removal;
use super::{Developer, Page, Visit, go_on, inside};
use crate::app::{App, Ctx};
use crate::domain::client::{check_name, registration};
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::Form;
use crate::store::clients::{self, Client, Credential};
use crate::store::projects::Project;
use crate::web::pages::FormErrors;
use crate::web::pages::developers::{NewSecretPage, Removal, RemovalPage, SecretPage};
use crate::web::render;

/// An app that can have secrets. A public one has none, so there is no page.
fn find_app(tx: &mut ReadTx, ctx: &Ctx, developer: &Developer, id: &str) -> Result<(Client, Project)> {
    let (client, project) = developer.app_to_change(tx, ctx, id)?;
    if client.is_public() {
        return Err(Error::not_found("secret"));
    }
    Ok((client, project))
}

/// Names the secrets that there are. A form that comes again, because somebody reloaded the
/// page that showed a secret, finds others and makes no second one.
fn state(tx: &mut ReadTx, id: ClientId) -> Result<String> {
    let secrets = clients::list_credentials(tx, id)?;
    let newest = secrets.last().map(|secret| secret.id.to_string());
    Ok(format!("{}-{}", secrets.len(), newest.unwrap_or_default()))
}

/// `GET /p/developers/apps/{client_id}/secrets`
pub async fn new_secret_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, Path(id): Path<String>) -> Page {
    let visit = Visit::new(app, ctx, &headers, format!("apps/{id}/secrets"));
    show_new(&visit, id, String::new(), FormErrors::none()).await
}

async fn show_new(visit: &Visit, id: String, name: String, errors: FormErrors) -> Page {
    let ctx = visit.ctx.clone();
    let (developer, (client, project, known)) = visit
        .read(move |tx, developer| {
            let (client, project) = find_app(tx, &ctx, developer, &id)?;
            let known = state(tx, client.id)?;
            Ok((client, project, known))
        })
        .await?;
    let page = NewSecretPage {
        layout: visit.layout(visit.ctx.text("developers-new-secret"), &developer),
        trail: visit.trail_in_app(&project, &client),
        action: inside(&place(&client, "/secrets")),
        form_token: visit.form_token(),
        known,
        name,
        cancel: inside(&place(&client, "")),
        errors,
    };
    let mut response = render(&page, &PagePolicy::default())?;
    if !page.errors.is_empty() {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    Ok(response)
}

/// `POST /p/developers/apps/{client_id}/secrets`: the answer is the only place where the
/// secret ever stands.
pub async fn make_secret(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path(id): Path<String>,
    form: Result<Form>,
) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, format!("apps/{id}/secrets"))?;
    let name = form.get("name").unwrap_or("").to_owned();
    let known = form.get("known").unwrap_or("").to_owned();
    let (developer, (client, project)) = find_to_change(&visit, id.clone()).await?;
    if check_name(&name).is_err() {
        let errors = FormErrors::field("name", visit.ctx.text("developers-error-name"));
        return show_new(&visit, id, name, errors).await;
    }
    let (ctx, named, wanted) = (visit.ctx.clone(), id.clone(), name.clone());
    let made = visit
        .change(move |tx, developer| {
            let (client, _) = find_app(tx, &ctx, developer, &named)?;
            if state(tx, client.id)? != known {
                return Ok(None);
            }
            registration::add_credential(tx, &ctx, &developer.manager, client.id, &wanted).map(Some)
        })
        .await?;
    let (credential, secret) = match made {
        Ok(Some(made)) => made,
        Ok(None) => return Ok(go_on(&place(&client, "?notice=secret-made"))),
        Err(refused) => return show_new(&visit, id, name, FormErrors::refusal(visit.ctx.language, &refused)).await,
    };
    let page = SecretPage {
        layout: visit.layout(visit.ctx.text("developers-secret-title"), &developer),
        trail: visit.trail_in_app(&project, &client),
        client_id: client.id.to_string(),
        name: credential.name,
        secret: secret.expose().to_owned(),
        done: inside(&place(&client, "")),
    };
    let policy = PagePolicy {
        form_target: None,
        no_referrer: true,
    };
    Ok(render(&page, &policy)?)
}

fn find_secret(tx: &mut ReadTx, client: &Client, id: &str) -> Result<Credential> {
    let missing = || Error::not_found("secret");
    let id: CredentialId = id.parse().map_err(|_| missing())?;
    let secrets = clients::list_credentials(tx, client.id)?;
    secrets.into_iter().find(|secret| secret.id == id).ok_or_else(missing)
}

/// `GET /p/developers/apps/{client_id}/secrets/{credential_id}/delete`
pub async fn secret_removal_page(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, secret)): Path<(String, String)>,
) -> Page {
    let visit = Visit::new(app, ctx, &headers, format!("apps/{id}/secrets/{secret}/delete"));
    let ctx = visit.ctx.clone();
    let (developer, (client, project, secret, others)) = visit
        .read(move |tx, developer| {
            let (client, project) = find_app(tx, &ctx, developer, &id)?;
            let secret = find_secret(tx, &client, &secret)?;
            let others = clients::list_credentials(tx, client.id)?.len() - 1;
            Ok((client, project, secret, others))
        })
        .await?;
    show_removal(&RemovalPage {
        layout: visit.layout(visit.ctx.text("developers-delete-secret"), &developer),
        trail: visit.trail_in_app(&project, &client),
        action: inside(&place(&client, &format!("/secrets/{}/delete", secret.id))),
        form_token: visit.form_token(),
        removal: Removal::Secret {
            name: secret.name,
            app: client.name.clone(),
            is_last: others == 0,
        },
        keep: inside(&place(&client, "")),
        errors: FormErrors::none(),
    })
}

/// `POST /p/developers/apps/{client_id}/secrets/{credential_id}/delete`
pub async fn delete_secret(
    State(app): State<App>,
    ctx: Ctx,
    headers: HeaderMap,
    Path((id, secret)): Path<(String, String)>,
    form: Result<Form>,
) -> Page {
    let here = format!("apps/{id}/secrets/{secret}/delete");
    let (visit, _) = Visit::with_form(app, ctx, &headers, form, here)?;
    let ctx = visit.ctx.clone();
    let deleted = visit
        .change(move |tx, developer| {
            let (client, _) = find_app(tx, &ctx, developer, &id)?;
            let secret = find_secret(tx, &client, &secret)?;
            registration::remove_credential(tx, &ctx, &developer.manager, client.id, secret.id)?;
            Ok(client)
        })
        .await??;
    Ok(go_on(&place(&deleted, "?notice=secret-deleted")))
}
