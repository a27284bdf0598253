//! Every route of the router, called by those who may not: nobody, a caller with somebody
//! else's or no genuine credentials, another person's browser; and every form without a
//! token, with a forged one, and with the token of another browser.
//!
//! The rule is that they are refused. What a route may give them all the same stands in
//! `coverage.txt` with the status and the reason, and an exception that is not needed
//! fails too. The calls stand in `routes/mod.rs`; a route of `router.rs` without one fails.
#![expect(clippy::unwrap_used, reason = "tests")]

mod routes;
mod support;

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use portolan_types::ClientId;
use routes::{Call, PageCall, ProgramCall, World, calls, send};
use support::{Answer, Auth, Browser, Form};

/// `coverage.txt`: what callers get although they are not the right ones, by route and check.
struct Exceptions {
    listed: BTreeMap<(String, String), u16>,
    used: BTreeSet<(String, String)>,
}

impl Exceptions {
    fn read() -> Self {
        let mut listed = BTreeMap::new();
        for line in include_str!("coverage.txt")
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert!(words.len() > 4, "method, path, check, status and a reason: {line}");
            let key = (format!("{} {}", words[0], words[1]), words[2].to_owned());
            let status = words[3].parse().expect("a status");
            assert!(listed.insert(key, status).is_none(), "twice: {line}");
        }
        Self {
            listed,
            used: BTreeSet::new(),
        }
    }

    /// The status that is right for this check, if it is not a refusal.
    fn find(&mut self, route: &str, check: &str) -> Option<u16> {
        for check in [check, "*"] {
            let key = (route.to_owned(), check.to_owned());
            if let Some(status) = self.listed.get(&key) {
                self.used.insert(key);
                return Some(*status);
            }
        }
        None
    }

    fn unused(&self) -> Vec<String> {
        let unused = self.listed.keys().filter(|key| !self.used.contains(*key));
        unused
            .map(|(route, check)| format!("{route} {check}: the exception is of no route or check"))
            .collect()
    }
}

/// Looks at one answer to somebody who is not the right caller.
fn judge(
    world: &World,
    exceptions: &mut Exceptions,
    route: &str,
    check: &str,
    answer: &Answer,
    refused: &[u16],
) -> Vec<String> {
    let mut wrong = Vec::new();
    let status = answer.status.as_u16();
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    match exceptions.find(route, check) {
        Some(expected) if status != expected => {
            wrong.push(format!("{route} {check}: {status}, the exception says {expected}"))
        }
        Some(expected) if refused.contains(&expected) => {
            wrong.push(format!("{route} {check}: refused, no exception is needed"))
        }
        None if !refused.contains(&status) => wrong.push(format!(
            "{route} {check}: {status} {}",
            text.chars().take(100).collect::<String>().replace('\n', " ")
        )),
        _ => {}
    }
    for secret in world.secrets() {
        let permitted = secret.contains('@') && exceptions.find(route, &format!("{check}/email")).is_some();
        if text.contains(&secret) && !permitted {
            wrong.push(format!("{route} {check}: the answer holds {secret}"));
        }
    }
    if text.contains(r#""active":true"#) || text.contains(r#""access_token":""#) {
        wrong.push(format!("{route} {check}: {text}"));
    }
    wrong
}

fn check_program(route: &str, make: fn(&World) -> ProgramCall, exceptions: &mut Exceptions) -> Vec<String> {
    let world = World::new();
    let method: Method = route.split(' ').next().unwrap().parse().unwrap();
    let call = make(&world);
    let app = world.app.id.to_string();
    let unknown = ClientId(portolan_server::app::new_uuid()).to_string();
    let secret = world.app.secret.clone().unwrap();
    let callers = [
        ("anonymous", Auth::None),
        ("id-alone", Auth::Id(app.clone())),
        ("public-client", world.native.auth()),
        ("wrong-secret", Auth::Basic(app.clone(), "not the secret".into())),
        ("wrong-secret-in-form", Auth::Body(app, "not the secret".into())),
        ("unknown-client", Auth::Basic(unknown, secret)),
        ("other-client", world.other_app.auth()),
        ("garbage-token", Auth::Bearer("AgPA.garbage".into())),
        ("refresh-token", Auth::Bearer(world.refresh_token.clone())),
        ("token-of-another-service", Auth::Bearer(world.service_token.clone())),
        ("other-persons-token", Auth::Bearer(world.others_token.clone())),
    ];
    let mut wrong = Vec::new();
    let refused = [400, 401, 403, 404];
    for (check, auth) in &callers {
        let answer = send(&world, &method, &call, auth, None);
        wrong.extend(judge(&world, exceptions, route, check, &answer, &refused));
    }
    let answer = send(&world, &method, &call, &Auth::None, Some(&world.browser));
    wrong.extend(judge(&world, exceptions, route, "cookie-alone", &answer, &refused));
    // None of them changed anything, and the call itself is a good one.
    let answer = send(&world, &method, &call, &call.right, None);
    if !answer.status.is_success() {
        wrong.push(format!("{route}: the right caller got {}", answer.summary()));
    }
    wrong
}

fn check_page(route: &str, make: fn(&World) -> PageCall, exceptions: &mut Exceptions) -> Vec<String> {
    let world = World::new();
    let method: Method = route.split(' ').next().unwrap().parse().unwrap();
    let call = make(&world);
    let fields = call.form.as_ref().map(|form| form.fields.clone());
    let mut wrong = Vec::new();
    let mut check = |name: &str, browser: &Browser, fields: Option<&[(String, String)]>, refused: &[u16]| {
        let answer = browser.clone().send(method.clone(), &call.path, fields);
        wrong.extend(judge(&world, exceptions, route, name, &answer, refused));
    };
    let not_theirs = [400, 403, 404];
    check("anonymous", &world.server.browser(), fields.as_deref(), &not_theirs);
    check("other-browser", &world.others_browser, fields.as_deref(), &not_theirs);
    if let Some(form) = &call.form {
        // The token is looked at before anything else, so nothing but 403 will do.
        let others_token = {
            world.others_browser.get("/v2/web/logout");
            world.others_browser.form().get("form_token").unwrap().to_owned()
        };
        let forged = "A".repeat(others_token.len());
        let without = Form {
            fields: form
                .fields
                .iter()
                .filter(|(name, _)| name != "form_token")
                .cloned()
                .collect(),
            ..form.clone()
        };
        check("missing-form-token", &world.browser, Some(&without.fields), &[403]);
        for (name, token) in [
            ("forged-form-token", forged.as_str()),
            ("others-form-token", &others_token),
            ("empty-form-token", ""),
        ] {
            let form = form.clone().set("form_token", token);
            check(name, &world.browser, Some(&form.fields), &[403]);
        }
        let theirs = form.clone().set("form_token", &others_token);
        check(
            "other-browser-with-its-token",
            &world.others_browser,
            Some(&theirs.fields),
            &not_theirs,
        );
    }
    let answer = world.browser.send(method.clone(), &call.path, fields.as_deref());
    let good = answer.status.is_success() || answer.status.is_redirection();
    if !good && exceptions.find(route, "right-browser-afterwards") != Some(answer.status.as_u16()) {
        wrong.push(format!("{route}: the right browser got {}", answer.summary()));
    }
    wrong
}

#[test]
fn every_route_is_covered() {
    routes::assert_complete(calls().iter().map(|(route, _)| *route));
}

#[test]
fn those_who_may_not_are_refused_everywhere() {
    let mut exceptions = Exceptions::read();
    let mut wrong = Vec::new();
    for (route, call) in calls() {
        wrong.extend(match call {
            Call::Program(make) => check_program(route, make, &mut exceptions),
            Call::Page(make) => check_page(route, make, &mut exceptions),
        });
    }
    wrong.extend(exceptions.unused());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nobody reaches into what belongs to another person, with a token that is good for their own.
#[test]
fn a_token_opens_the_own_things_alone() {
    let world = World::new();
    let token = Auth::Bearer(world.auth_token.clone());
    let bobs_consents = format!(
        "/v2/api/identities/{}/consents/{}",
        world.alice.id, world.others_consent
    );
    let answer = world
        .server
        .request(Method::DELETE, &bobs_consents)
        .authorization(&token)
        .send();
    assert_eq!(answer.status, 404, "{}", answer.summary());
    let path = format!("/v2/web/consents/{}", world.others_consent);
    let answer = world.browser.send(Method::GET, &path, None);
    assert_eq!(answer.status, 404, "{}", answer.summary());
    let still_there = world.others_consent;
    let found = world
        .server
        .read(move |tx| portolan_server::store::consents::find(tx, still_there));
    assert!(found.is_some_and(|consent| consent.is_approved()));
}
