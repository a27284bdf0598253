//! Proof key for code exchange, RFC 7636, with the method S256 alone.
//!
//! `plain` is refused, also when it comes about by leaving the method out: it protects
//! against nobody who can read the authorization request. The developer guide of the
//! service we are compatible with spells S256 as `SHA256`; both are the same method.

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

/// A valid `code_challenge`: the SHA-256 of a verifier that only the client knows yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge([u8; 32]);

/// Why the parameters of an authorization request are refused (`invalid_request`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidChallenge {
    #[error("code_challenge_method is required with code_challenge, and must be S256")]
    MethodMissing,
    #[error("code_challenge_method must be S256; plain is not supported")]
    MethodPlain,
    #[error("code_challenge_method must be S256")]
    MethodUnknown,
    #[error("code_challenge_method without code_challenge")]
    ChallengeMissing,
    #[error("code_challenge must be the 43 base64url characters of a SHA-256")]
    Malformed,
}

impl Challenge {
    /// Reads both parameters of an authorization request; no challenge at all is `None`.
    /// Whether the client may leave it out is for the caller to say.
    pub fn from_parameters(challenge: Option<&str>, method: Option<&str>) -> Result<Option<Self>, InvalidChallenge> {
        match (challenge, method) {
            (None, None) => Ok(None),
            // A client that names a method believes that it is protected.
            (None, Some(_)) => Err(InvalidChallenge::ChallengeMissing),
            (Some(challenge), method) => Self::parse(challenge, method).map(Some),
        }
    }

    pub fn parse(challenge: &str, method: Option<&str>) -> Result<Self, InvalidChallenge> {
        match method {
            Some("S256" | "SHA256") => {}
            Some("plain") => return Err(InvalidChallenge::MethodPlain),
            Some(_) => return Err(InvalidChallenge::MethodUnknown),
            None => return Err(InvalidChallenge::MethodMissing),
        }
        Self::from_stored(challenge).ok_or(InvalidChallenge::Malformed)
    }

    /// Reads what `Display` wrote.
    pub fn from_stored(text: &str) -> Option<Self> {
        // 43 characters carry 258 bits; the decoder refuses the spellings whose last two
        // are not zero, which no SHA-256 has.
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().map(Self).ok()
    }

    /// Whether the verifier is well-formed and the one that the challenge was made from.
    pub fn verify(&self, verifier: &str) -> bool {
        if !is_verifier(verifier) {
            return false;
        }
        let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
        // Constant time: the verifier is chosen by whoever redeems the code.
        self.0.as_slice().ct_eq(digest.as_ref()).into()
    }
}

/// The 43 base64url characters, for the store.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// RFC 7636 section 4.1: 43 to 128 unreserved characters.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // The example of RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn challenge_of(verifier: &str) -> Challenge {
        let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
        Challenge(digest.as_ref().try_into().expect("32 bytes"))
    }

    #[test]
    fn the_example_of_the_rfc_holds() {
        for method in ["S256", "SHA256"] {
            let challenge = Challenge::parse(CHALLENGE, Some(method)).expect("valid");
            assert!(challenge.verify(VERIFIER));
            assert_eq!(challenge.to_string(), CHALLENGE);
            assert_eq!(Challenge::from_stored(CHALLENGE), Some(challenge));
        }
    }

    #[test]
    fn other_methods_and_forms_are_refused() {
        use InvalidChallenge::*;
        let long = "a".repeat(44);
        let cases = [
            (Some(CHALLENGE), None, MethodMissing),
            (Some(CHALLENGE), Some("plain"), MethodPlain),
            (Some(CHALLENGE), Some(""), MethodUnknown),
            (Some(CHALLENGE), Some("s256"), MethodUnknown),
            (Some(CHALLENGE), Some("S512"), MethodUnknown),
            (None, Some("S256"), ChallengeMissing),
            (Some(""), Some("S256"), Malformed),
            (Some(&CHALLENGE[..42]), Some("S256"), Malformed),
            (Some(long.as_str()), Some("S256"), Malformed),
            (
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM="),
                Some("S256"),
                Malformed,
            ),
            (
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"),
                Some("S256"),
                Malformed,
            ),
            (
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw/cM"),
                Some("S256"),
                Malformed,
            ),
            (
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN"),
                Some("S256"),
                Malformed,
            ),
            (
                Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw cM"),
                Some("S256"),
                Malformed,
            ),
        ];
        for (challenge, method, expected) in cases {
            assert_eq!(
                Challenge::from_parameters(challenge, method),
                Err(expected),
                "{challenge:?} {method:?}"
            );
        }
        assert_eq!(Challenge::from_parameters(None, None), Ok(None));
    }

    #[test]
    fn verifiers_of_another_form_are_refused_even_if_the_hash_matches() {
        let cases = [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("-._~".repeat(32), true),
            ("a".repeat(129), false),
            ("+".repeat(43), false),
            ("é".repeat(43), false),
            (" ".repeat(43), false),
            (String::new(), false),
        ];
        for (verifier, accepted) in cases {
            assert_eq!(challenge_of(&verifier).verify(&verifier), accepted, "{verifier}");
        }
    }

    #[test]
    fn the_challenge_itself_is_no_verifier() {
        let challenge = Challenge::parse(CHALLENGE, Some("S256")).expect("valid");
        assert!(!challenge.verify(CHALLENGE));
    }

    proptest! {
        #[test]
        fn only_the_very_verifier_passes(verifier in "[A-Za-z0-9._~-]{43,128}", index in 0_usize..43, other in "[A-Za-z0-9._~-]") {
            let challenge = challenge_of(&verifier);
            prop_assert!(challenge.verify(&verifier));
            let mut changed = verifier.clone();
            changed.replace_range(index..=index, &other);
            prop_assert_eq!(challenge.verify(&changed), changed == verifier);
        }

        #[test]
        fn whatever_is_accepted_has_43_characters_of_the_alphabet(text in "[A-Za-z0-9_=+/ -]{40,46}") {
            if Challenge::parse(&text, Some("S256")).is_ok() {
                prop_assert_eq!(text.len(), 43);
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
            }
        }
    }
}
