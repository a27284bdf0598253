//! The pages through the router, one file per page. The names are statements about the
//! server; where one is a point of a standard, the comment above it names the point.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

#[path = "web/app_logout.rs"]
mod app_logout;
#[path = "web/appearance.rs"]
mod appearance;
#[path = "web/auth_code.rs"]
mod auth_code;
#[path = "web/brute_force.rs"]
mod brute_force;
#[path = "web/consent.rs"]
mod consent;
#[path = "web/consents.rs"]
mod consents;
#[path = "web/console.rs"]
mod console;
#[path = "web/continue_as.rs"]
mod continue_as;
#[path = "web/developers.rs"]
mod developers;
#[path = "web/domains.rs"]
mod domains;
#[path = "web/factors.rs"]
mod factors;
#[path = "web/first_run.rs"]
mod first_run;
#[path = "web/headers.rs"]
mod headers;
#[path = "web/identities.rs"]
mod identities;
#[path = "web/language.rs"]
mod language;
#[path = "web/login.rs"]
mod login;
#[path = "web/logout.rs"]
mod logout;
#[path = "web/notices.rs"]
mod notices;
#[path = "web/parked.rs"]
mod parked;
#[path = "web/policies.rs"]
mod policies;
#[path = "web/provider_choice.rs"]
mod provider_choice;
#[path = "web/provider_faults.rs"]
mod provider_faults;
#[path = "web/provider_login.rs"]
mod provider_login;
#[path = "web/reset.rs"]
mod reset;
#[path = "web/scopes.rs"]
mod scopes;
#[path = "web/sessions.rs"]
mod sessions;
#[path = "web/setup.rs"]
mod setup;
#[path = "web/sign_up.rs"]
mod sign_up;
