//! First steps after the first administrator is there: whether people reach the server under
//! its address, a first project with an app, and the commands that get a token with it. Each
//! step can be left out, and is found again from the console.

use axum::extract::State;
use http::header::{HOST, REFERER};
use http::{HeaderMap, StatusCode};
use portolan_types::ClientId;
use portolan_types::api::{Change, ClientChanges, ClientType, ProjectChanges};
use url::Url;

use super::{Administrator, Visit, Wants, go_on, inside};
use crate::app::{App, Ctx};
use crate::config::Config;
use crate::domain::client::registration;
use crate::domain::project::{self, Gate, Manager};
use crate::error::{Error, Result};
use crate::http::browser::PagePolicy;
use crate::http::extract::{Form, Params, Query};
use crate::store::{clients, sessions};
use crate::web::developers::recipes;
use crate::web::pages::FormErrors;
use crate::web::pages::console::{AddressStepPage, AppStepPage, TokenStepPage};
use crate::web::visit::Page;
use crate::web::{developers, render};

/// `GET /p/console/setup/address`
pub async fn address_step_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Page {
    let visit = Visit::new(app, ctx, &headers, "setup/address");
    let (administrator, ()) = visit.read(Wants::Look, |_, _| Ok(())).await?;
    let seen = seen_address(&visit.app.config, &headers);
    let configured = visit.app.config.public_url();
    let page = AddressStepPage {
        layout: visit.layout(visit.ctx.text("first-address-title"), &administrator),
        agrees: seen.as_ref() == Some(&configured),
        // A command is only made of what is an address.
        seen,
        configured,
        is_plain: visit.app.config.public_url().starts_with("http://"),
        next: inside("setup/app"),
    };
    Ok(render(&page, &PagePolicy::default())?)
}

/// The address that stands in the browser, as far as it tells: the page that it comes from
/// is one of this server's, and no proxy rewrites that header. Without it the host that was
/// asked for, and the scheme that a proxy says or this server speaks.
fn seen_address(config: &Config, headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = |url: &str| {
        let url = Url::parse(url).ok()?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        is_web.then(|| url.origin().ascii_serialization())
    };
    if let Some(from) = text(REFERER.as_str()).and_then(origin) {
        return Some(from);
    }
    let scheme = match text("x-forwarded-proto") {
        Some(scheme @ ("http" | "https")) => scheme,
        _ if config.tls_certificate_file.is_some() => "https",
        _ => "http",
    };
    let host = text("x-forwarded-host").or_else(|| text(HOST.as_str()))?;
    origin(&format!("{scheme}://{host}"))
}

/// `GET /p/console/setup/app`
pub async fn app_step_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap) -> Page {
    let visit = Visit::new(app, ctx, &headers, "setup/app");
    let (administrator, ()) = visit.read(Wants::Prepare, |_, _| Ok(())).await?;
    let typed = Typed {
        project: visit.ctx.text("first-app-project-example").to_owned(),
        contact: administrator.person.identity.email.clone().unwrap_or_default(),
        app: visit.ctx.text("first-app-app-example").to_owned(),
    };
    Ok(render(
        &typed.page(&visit, &administrator, FormErrors::none()),
        &PagePolicy::default(),
    )?)
}

/// What stands in the form.
#[derive(Clone)]
struct Typed {
    project: String,
    contact: String,
    app: String,
}

impl Typed {
    fn read(form: &Params) -> Self {
        let text = |name: &str| form.get(name).unwrap_or("").trim().to_owned();
        Self {
            project: text("display_name"),
            contact: text("contact_email"),
            app: text("name"),
        }
    }

    fn page(&self, visit: &Visit, administrator: &Administrator, errors: FormErrors) -> AppStepPage {
        AppStepPage {
            layout: visit.layout(visit.ctx.text("first-app-title"), administrator),
            form_token: visit.form_token(),
            action: inside("setup/app"),
            display_name: self.project.clone(),
            contact_email: self.contact.clone(),
            name: self.app.clone(),
            skip: inside(""),
            errors,
        }
    }
}

/// `POST /p/console/setup/app`: a project, and an app for people at a terminal in it.
pub async fn make_first_app(State(app): State<App>, ctx: Ctx, headers: HeaderMap, form: Result<Form>) -> Page {
    let (visit, form) = Visit::with_form(app, ctx, &headers, form, "setup/app")?;
    let typed = Typed::read(&form);
    let (unit_ctx, wanted, gate) = (visit.ctx.clone(), typed.clone(), Gate::of(&visit.app.config));
    let made = visit
        .change(move |tx, administrator| {
            let here = sessions::list_authentications(tx, administrator.session)?;
            let person = &administrator.person.identity;
            let manager = Manager::of_person(tx, person, here, gate)?;
            let changes = ProjectChanges {
                display_name: Change::Set(wanted.project.clone()),
                contact_email: Change::Set(wanted.contact.clone()),
                admin_ids: Change::Set(vec![person.id.to_string()]),
                ..ProjectChanges::default()
            };
            let project = project::create(tx, &unit_ctx, &manager, &changes)?;
            let changes = ClientChanges {
                name: Change::Set(wanted.app.clone()),
                client_type: Change::Set(ClientType::PublicInstalled),
                project: Change::Set(project.id),
                ..ClientChanges::default()
            };
            registration::create(tx, &unit_ctx, &manager, &changes)
        })
        .await?;
    match made {
        Ok(client) => Ok(go_on(&format!("setup/token?app={}", client.id))),
        Err(refusal) => {
            let (administrator, ()) = visit.read(Wants::Prepare, |_, _| Ok(())).await?;
            let errors = FormErrors::at(visit.ctx.language, &refusal, &["display_name", "contact_email", "name"]);
            let page = typed.page(&visit, &administrator, errors);
            let mut response = render(&page, &PagePolicy::default())?;
            *response.status_mut() = StatusCode::BAD_REQUEST;
            Ok(response)
        }
    }
}

/// `GET /p/console/setup/token?app=..`
pub async fn token_step_page(State(app): State<App>, ctx: Ctx, headers: HeaderMap, query: Result<Query>) -> Page {
    let Query(params) = query?;
    let visit = Visit::new(app, ctx, &headers, "setup/address");
    let id: Option<ClientId> = params.get("app").and_then(|id| id.parse().ok());
    let (administrator, client) = visit
        .read(Wants::Look, move |tx, _| {
            let missing = || Error::not_found("app");
            clients::find(tx, id.ok_or_else(missing)?)?.ok_or_else(missing)
        })
        .await?;
    let page = TokenStepPage {
        layout: visit.layout(visit.ctx.text("first-token-title"), &administrator),
        recipes: recipes::of(&client, &visit.app.config.public_url()),
        app: developers::inside(&format!("apps/{}", client.id)),
        name: client.name,
        console: inside(""),
    };
    Ok(render(&page, &PagePolicy::default())?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    type Headers = &'static [(&'static str, &'static str)];

    #[test]
    fn the_address_is_the_one_that_stands_in_the_browser() {
        let table: [(Headers, Option<&str>); 8] = [
            (&[("host", "localhost:8080")], Some("http://localhost:8080")),
            (
                &[
                    ("host", "10.0.0.7:8080"),
                    ("referer", "https://auth.example.org/p/setup/x?y"),
                ],
                Some("https://auth.example.org"),
            ),
            (
                &[("host", "auth.example.org"), ("x-forwarded-proto", "https")],
                Some("https://auth.example.org"),
            ),
            (
                &[
                    ("host", "inner"),
                    ("x-forwarded-host", "auth.example.org"),
                    ("x-forwarded-proto", "https"),
                ],
                Some("https://auth.example.org"),
            ),
            (
                &[("host", "auth.example.org"), ("x-forwarded-proto", "gopher")],
                Some("http://auth.example.org"),
            ),
            (&[("host", "[::1]:8080")], Some("http://[::1]:8080")),
            (&[("host", "<script>")], None),
            (&[("referer", "javascript:alert(1)")], None),
        ];
        for (sent, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in sent {
                headers.insert(
                    http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                    value.parse().unwrap(),
                );
            }
            assert_eq!(
                seen_address(&Config::default(), &headers).as_deref(),
                expected,
                "{sent:?}"
            );
        }
    }
}
