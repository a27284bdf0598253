//! The calls of the operator console, for which Alice becomes an administrator, and of the
//! look of apps.

use portolan_types::Timestamp;

use super::{Call, PageCall, World, page};

const CONSOLE: &str = "/p/console";

fn administering(world: &World) {
    let alice = world.alice.id;
    world.server.write(move |tx| {
        portolan_server::store::identities::insert_administrator(tx, alice, Timestamp::from_seconds(0))
    });
}

fn look(world: &World, path: &str) -> PageCall {
    administering(world);
    page(&format!("{CONSOLE}{path}"))
}

fn send(world: &World, path: &str, fields: &[(&str, &str)]) -> PageCall {
    administering(world);
    let path = format!("{CONSOLE}{path}");
    let call = world.filled_in(&path, fields);
    PageCall { path, ..call }
}

/// A look without a logo; such a form may come as any other.
fn saving(world: &World, path: &str) -> PageCall {
    world.filled_in(path, &[("decision", "save")])
}

pub fn calls() -> Vec<(&'static str, Call)> {
    use Call::Page;
    vec![
        ("GET /p/console", Page(|w| look(w, ""))),
        ("GET /p/console/people", Page(|w| look(w, "/people"))),
        (
            "GET /p/console/people/{identity_id}",
            Page(|w| look(w, &format!("/people/{}", w.alice.id))),
        ),
        (
            "GET /p/console/people/{identity_id}/{action}",
            Page(|w| look(w, &format!("/people/{}/disable", w.bob.id))),
        ),
        (
            "POST /p/console/people/{identity_id}/{action}",
            Page(|w| {
                send(
                    w,
                    &format!("/people/{}/end-sessions", w.server.user("carol").create().id),
                    &[],
                )
            }),
        ),
        ("GET /p/console/providers", Page(|w| look(w, "/providers"))),
        (
            "GET /p/console/providers/new",
            Page(|w| look(w, "/providers/new?preset=orcid")),
        ),
        (
            "POST /p/console/providers/new",
            Page(|w| send(w, "/providers/new?preset=github", &[("client_id", "portolan")])),
        ),
        (
            "GET /p/console/providers/{provider_id}",
            Page(|w| look(w, &format!("/providers/{}", w.provider()))),
        ),
        (
            "GET /p/console/providers/{provider_id}/edit",
            Page(|w| look(w, &format!("/providers/{}/edit", w.provider()))),
        ),
        (
            "POST /p/console/providers/{provider_id}/edit",
            Page(|w| send(w, &format!("/providers/{}/edit", w.provider()), &[("name", "Another")])),
        ),
        (
            "GET /p/console/providers/{provider_id}/{action}",
            Page(|w| look(w, &format!("/providers/{}/delete", w.provider()))),
        ),
        (
            "POST /p/console/providers/{provider_id}/{action}",
            Page(|w| send(w, &format!("/providers/{}/disable", w.provider()), &[])),
        ),
        ("GET /p/console/clients", Page(|w| look(w, "/clients"))),
        (
            "GET /p/console/clients/{client_id}",
            Page(|w| look(w, &format!("/clients/{}", w.owned))),
        ),
        (
            "GET /p/console/clients/{client_id}/{action}",
            Page(|w| look(w, &format!("/clients/{}/disable", w.owned))),
        ),
        (
            "POST /p/console/clients/{client_id}/{action}",
            Page(|w| send(w, &format!("/clients/{}/disable", w.owned), &[])),
        ),
        ("GET /p/console/audit", Page(|w| look(w, "/audit"))),
        ("GET /p/console/keys", Page(|w| look(w, "/keys"))),
        ("GET /p/console/keys/rotate", Page(|w| look(w, "/keys/rotate"))),
        (
            "POST /p/console/keys/rotate",
            Page(|w| send(w, "/keys/rotate", &[("schedule", "published")])),
        ),
        ("GET /p/console/setup/address", Page(|w| look(w, "/setup/address"))),
        ("GET /p/console/setup/app", Page(|w| look(w, "/setup/app"))),
        ("POST /p/console/setup/app", Page(|w| send(w, "/setup/app", &[]))),
        (
            "GET /p/console/setup/token",
            Page(|w| look(w, &format!("/setup/token?app={}", w.native.id))),
        ),
        ("GET /p/console/server", Page(|w| look(w, "/server"))),
        (
            "GET /p/developers/apps/{client_id}/appearance",
            Page(|w| page(&format!("/p/developers/apps/{}/appearance", w.owned))),
        ),
        (
            "POST /p/developers/apps/{client_id}/appearance",
            Page(|w| saving(w, &format!("/p/developers/apps/{}/appearance", w.owned))),
        ),
        (
            "GET /p/developers/projects/{project_id}/appearance",
            Page(|w| page(&format!("/p/developers/projects/{}/appearance", w.project))),
        ),
        (
            "POST /p/developers/projects/{project_id}/appearance",
            Page(|w| saving(w, &format!("/p/developers/projects/{}/appearance", w.project))),
        ),
        ("GET /p/skin/{file}", Page(|_| page("/p/skin/0f5069-ffffff.css"))),
    ]
}
