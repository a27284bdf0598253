//! The pages around e-mail: a new password, an address, an account. A module inside of
//! `pages`, so that their templates see what all pages share.

use askama::Template;

use super::{FormErrors, Layout, password_hint};

/// Asks whose password was lost. Posts `username`.
#[derive(Template)]
#[template(path = "pages/reset.html")]
pub struct ResetPage {
    pub layout: Layout,
    pub form_token: String,
    pub errors: FormErrors,
}

/// Behind the link in the mail. Posts `password` and `password_again`.
#[derive(Template)]
#[template(path = "pages/reset_password.html")]
pub struct NewPasswordPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    /// Of the account.
    pub username: String,
    pub errors: FormErrors,
    pub password_min_length: usize,
}

impl NewPasswordPage {
    fn password_hint(&self) -> String {
        password_hint(&self.layout, self.password_min_length)
    }
}

/// Asks for the address of a new account. Posts `email`.
#[derive(Template)]
#[template(path = "pages/sign_up.html")]
pub struct SignUpPage {
    pub layout: Layout,
    pub form_token: String,
    pub email: String,
    pub errors: FormErrors,
}

/// Behind the link in the mail. Posts `username`, `name` and the passwords.
#[derive(Template)]
#[template(path = "pages/sign_up_account.html")]
pub struct OpenAccountPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    /// The address that the link was sent to.
    pub address: String,
    pub username: String,
    pub name: String,
    pub errors: FormErrors,
    pub local_domain: String,
    pub password_min_length: usize,
}

impl OpenAccountPage {
    fn username_hint(&self) -> String {
        self.layout
            .say("account-username-hint")
            .arg("domain", &self.local_domain)
            .to_string()
    }

    fn password_hint(&self) -> String {
        password_hint(&self.layout, self.password_min_length)
    }
}

/// The e-mail address of an account. Posts `email`: the present one, to prove it, or another.
#[derive(Template)]
#[template(path = "pages/address.html")]
pub struct AddressPage {
    pub layout: Layout,
    pub form_token: String,
    pub username: String,
    pub address: Option<String>,
    pub is_verified: bool,
    /// What was typed before a refusal.
    pub email: String,
    pub errors: FormErrors,
}

/// Behind the link in the mail.
#[derive(Template)]
#[template(path = "pages/address_confirm.html")]
pub struct ConfirmAddressPage {
    pub layout: Layout,
    pub action: String,
    pub form_token: String,
    pub username: String,
    pub address: String,
}
