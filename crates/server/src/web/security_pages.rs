//! How a person signs in, and the ways to change it.

use askama::Template;

use super::{FormErrors, Href, Layout, Moment, password_hint};

/// How a person signs in, and the way to change it.
#[derive(Template)]
#[template(path = "pages/security.html")]
pub struct SecurityPage {
    pub layout: Layout,
    pub form_token: String,
    pub username: String,
    /// What has just been done.
    pub notice: Option<String>,
    /// Since when there is an authenticator app.
    pub totp: Option<Moment>,
    pub passkeys: Vec<PasskeyRow>,
    /// Whether browsers know passkeys under this address.
    pub passkeys_possible: bool,
    pub recovery_codes: i64,
}

impl SecurityPage {
    fn has_second_factor(&self) -> bool {
        self.totp.is_some() || !self.passkeys.is_empty()
    }
}

/// A passkey in the list.
#[derive(Clone, Debug)]
pub struct PasskeyRow {
    pub name: String,
    pub added: Moment,
    pub last_used: Option<Moment>,
    /// Whether it can sign in without a password.
    pub alone: bool,
    /// Whether it may be on several devices.
    pub synced: bool,
    pub change: Href,
    pub remove: Href,
}

/// Posts `password_now`, `password` and `password_again`.
#[derive(Template)]
#[template(path = "pages/security_password.html")]
pub struct PasswordPage {
    pub layout: Layout,
    pub form_token: String,
    pub username: String,
    pub password_min_length: usize,
    pub errors: FormErrors,
}

impl PasswordPage {
    fn password_hint(&self) -> String {
        password_hint(&self.layout, self.password_min_length)
    }
}

/// Sets an authenticator app up. Posts `otp`.
#[derive(Template)]
#[template(path = "pages/security_totp.html")]
pub struct TotpPage {
    pub layout: Layout,
    pub form_token: String,
    /// In groups.
    pub secret: String,
    pub uri: String,
    /// The QR code: a path of an SVG picture, and the length of a side.
    pub qr_path: String,
    pub qr_side: usize,
    pub errors: FormErrors,
}

/// Adds a passkey. Posts `name` and `credential`, which the script fills in.
#[derive(Template)]
#[template(path = "pages/security_passkey_new.html")]
pub struct NewPasskeyPage {
    pub layout: Layout,
    pub form_token: String,
    /// For the browser, as JSON.
    pub options: String,
    pub name: String,
    pub errors: FormErrors,
}

/// Renames a passkey. Posts `name`.
#[derive(Template)]
#[template(path = "pages/security_passkey.html")]
pub struct PasskeyPage {
    pub layout: Layout,
    pub form_token: String,
    pub action: Href,
    pub remove: Href,
    pub name: String,
    pub errors: FormErrors,
}

/// Asks before a factor is removed. Posts `password_now` if `last`.
#[derive(Template)]
#[template(path = "pages/security_remove.html")]
pub struct FactorRemovalPage {
    pub layout: Layout,
    pub form_token: String,
    pub action: Href,
    /// The name of the passkey; the authenticator app has none.
    pub passkey: Option<String>,
    /// Whether it is the last second factor.
    pub last: bool,
    pub errors: FormErrors,
}

/// Offers new recovery codes, or shows them.
#[derive(Template)]
#[template(path = "pages/security_recovery_codes.html")]
pub struct RecoveryCodesPage {
    pub layout: Layout,
    pub form_token: String,
    /// How many are left.
    pub left: i64,
    /// New ones; none before they are made.
    pub codes: Vec<String>,
}
