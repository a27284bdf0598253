//! Browsers that remember for which account they were used.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, HeaderValue};
use portolan_types::IdentityId;

use crate::app::{App, random_bytes};

/// A browser in which an account was signed in to before. It gives no access; it only
/// counts failed attempts apart from those of strangers.
pub struct Device {
    pub identity: IdentityId,
    pub nonce: String,
}

impl Device {
    pub fn new(identity: IdentityId) -> Self {
        Self {
            identity,
            nonce: URL_SAFE_NO_PAD.encode(random_bytes::<16>()),
        }
    }

    fn cookie_name(app: &App) -> String {
        format!("{}-device", crate::http::browser::cookie_name(&app.config))
    }

    fn signed_text(identity: IdentityId, nonce: &str) -> String {
        format!("device:{identity}:{nonce}")
    }

    pub fn set(&self, app: &App) -> HeaderValue {
        let mac = hmac::sign(
            &app.server_keys.form,
            Self::signed_text(self.identity, &self.nonce).as_bytes(),
        );
        let secure = if app.config.cookie_secure() { "; Secure" } else { "" };
        let text = format!(
            "{}={}.{}.{}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax{secure}",
            Self::cookie_name(app),
            self.identity,
            self.nonce,
            URL_SAFE_NO_PAD.encode(mac)
        );
        HeaderValue::from_str(&text).expect("ids and base64 are ASCII")
    }

    pub fn read(app: &App, headers: &HeaderMap) -> Option<Self> {
        let name = Self::cookie_name(app);
        let pairs = headers
            .get_all(http::header::COOKIE)
            .into_iter()
            .filter_map(|header| header.to_str().ok());
        let value = pairs.flat_map(|text| text.split(';')).find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        })?;
        let mut parts = value.splitn(3, '.');
        let (identity, nonce, mac) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
        hmac::verify(
            &app.server_keys.form,
            Self::signed_text(identity, nonce).as_bytes(),
            &mac,
        )
        .ok()?;
        Some(Self {
            identity,
            nonce: nonce.to_owned(),
        })
    }
}
