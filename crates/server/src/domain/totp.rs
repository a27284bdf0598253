//! Authenticator apps: time-based one-time codes, RFC 6238, as every app knows them
//! (SHA-1, six digits, 30 seconds). A code is accepted in its step and the two beside it,
//! because clocks differ; each step counts once (standards.md AA8).

use qrcode::{Color, EcLevel, QrCode};
use totp_rs::{Builder, Totp};
use uuid::Uuid;

use crate::error::{Error, Result};

/// As RFC 4226 section 4 recommends.
pub const SEED_LENGTH: usize = 20;

/// Where a seed is sealed.
pub fn seed_place(id: Uuid) -> String {
    format!("totp_secrets/sealed_seed/{id}")
}

fn totp(seed: &[u8]) -> Builder {
    let seed: Box<[u8]> = seed.into();
    Builder::new().with_secret(seed).with_skew(1)
}

/// The step that the code belongs to, if it is one of those that count now.
pub fn check(seed: &[u8], code: &str, now_seconds: i64) -> Result<Option<i64>> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let totp = totp(seed).build().map_err(Error::internal)?;
    let now = u64::try_from(now_seconds).map_err(Error::internal)?;
    let step = totp.check(&code, now);
    step.map(|step| i64::try_from(step).map_err(Error::internal))
        .transpose()
}

/// What an app is set up with.
pub struct Enrolment {
    /// In groups of four, to be typed.
    pub secret: String,
    /// `otpauth://totp/…`
    pub uri: String,
}

pub fn enrolment(seed: &[u8], issuer: &str, username: &str) -> Result<Enrolment> {
    // A colon separates issuer and account in the address.
    let issuer = issuer.replace(':', " ");
    let totp: Totp = totp(seed)
        .with_account_name(username.replace(':', " "))
        .with_issuer(Some(issuer))
        .build()
        .map_err(Error::internal)?;
    let secret = totp.secret().to_base32();
    let groups: Vec<String> = secret
        .as_bytes()
        .chunks(4)
        .map(|group| String::from_utf8_lossy(group).into_owned())
        .collect();
    Ok(Enrolment {
        secret: groups.join(" "),
        uri: totp.to_url().map_err(Error::internal)?,
    })
}

/// A QR code as the path of an SVG picture, and the length of a side in its units. Made
/// here: the seed goes to nobody else.
pub fn qr_path(text: &str) -> Result<(String, usize)> {
    const QUIET: usize = 4;
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(Error::internal)?;
    let width = code.width();
    let mut path = String::new();
    for (index, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (index % width + QUIET, index / width + QUIET);
            path.push_str(&format!("M{x} {y}h1v1h-1z"));
        }
    }
    Ok((path, width + 2 * QUIET))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The secret of RFC 6238, appendix B, whose codes have eight digits there: six are the end.
    const SEED: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_rfc() {
        for (at, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(check(SEED, code, at).unwrap(), Some(at / 30), "{at}");
        }
    }

    #[test]
    fn a_code_counts_in_its_step_and_one_beside_it() {
        let at = 1_111_111_109;
        let step = at / 30;
        let table = [(-60, false), (-30, true), (0, true), (30, true), (60, false)];
        for (offset, accepted) in table {
            let found = check(SEED, "081804", at + offset).unwrap();
            assert_eq!(found, accepted.then_some(step), "{offset}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for code in [
            "",
            "28708",
            "2870820",
            "28708a",
            "２８７０８２",
            "-87082",
            "287082\u{0}",
        ] {
            assert_eq!(check(SEED, code, 59).unwrap(), None, "{code}");
        }
        for code in ["+81804", " 81804", "81804", "0081804"] {
            assert_eq!(check(SEED, code, 1_111_111_109).unwrap(), None, "{code}: not 081804");
        }
        assert!(check(SEED, " 287 082 ", 59).unwrap().is_some(), "as apps show it");
    }

    #[test]
    fn the_address_is_what_apps_read() {
        let enrolment = enrolment(SEED, "auth.example.org:8080", "alice@portolan.local").unwrap();
        assert_eq!(enrolment.secret, "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
        assert!(
            enrolment
                .uri
                .starts_with("otpauth://totp/auth.example.org%208080:alice%40portolan.local?"),
            "{}",
            enrolment.uri
        );
        assert!(
            enrolment.uri.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
            "{}",
            enrolment.uri
        );
        assert!(
            enrolment.uri.contains("issuer=auth.example.org%208080"),
            "{}",
            enrolment.uri
        );
    }

    #[test]
    fn the_picture_has_a_quiet_border() {
        let (path, side) = qr_path("otpauth://totp/a").unwrap();
        assert!(path.starts_with("M4 4h1v1h-1z"), "{path}");
        assert!((29..60).contains(&side), "{side}");
    }
}
