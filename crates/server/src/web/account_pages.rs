//! Pages of the account that stand beside those of `pages`, whose templates they share.

use askama::Template;

use super::{CarriedField, ClientView, FormErrors, Href, Layout, Loss};

/// Asks before everything is withdrawn that any app was allowed.
#[derive(Template)]
#[template(path = "pages/consents_revoke_all.html")]
pub struct RevokeAllPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub carried: Vec<CarriedField>,
    /// By name; empty if nothing is allowed any more.
    pub apps: Vec<AppLosses>,
    /// Whether any of it allows going on while the person is away.
    pub while_away: bool,
    /// Leaves everything as it is.
    pub keep: Href,
    pub errors: FormErrors,
}

/// What one app loses, and the services beneath it where they work for it.
#[derive(Clone, Debug)]
pub struct AppLosses {
    pub client: ClientView,
    pub losses: Vec<Loss>,
}
