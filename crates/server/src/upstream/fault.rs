//! Why signing in at another provider failed: a code for the audit trail, words for the
//! person. The code never changes its meaning; operators search for it.

use super::fetch::FetchError;

/// Whose turn it is to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The person decides, or tries again.
    Person,
    /// The provider cannot be used now; later it may.
    Outage,
    /// The provider says something that cannot be believed.
    Provider,
    /// What the operator has set up does not fit.
    Setup,
}

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// In audit records.
    pub code: &'static str,
    pub blame: Blame,
    /// The message that says it, a whole sentence; the provider's name stands before it on the
    /// page.
    pub text: &'static str,
}

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $blame:ident $code:literal $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Fault = Fault { code: $code, blame: Blame::$blame, text: $text };)*

        /// All of them, for tests: no two share a code or a text.
        pub const ALL: &[Fault] = &[$($name),*];
    };
}

faults! {
    // The way back from the provider.
    UNKNOWN_STATE = Person "unknown_state" "provider-why-unknown-state";
    NO_ANSWER = Provider "no_code_and_no_error" "provider-why-no-answer";
    REFUSED = Person "provider_refused" "provider-why-refused";
    PROVIDER_ERROR = Outage "provider_error" "provider-why-provider-error";
    ISSUER_OF_ANSWER = Provider "answer_iss_mismatch" "provider-why-issuer-of-answer";
    ISSUER_OF_ANSWER_MISSING = Provider "answer_iss_missing" "provider-why-issuer-of-answer-missing";
    DISABLED = Setup "provider_disabled" "provider-why-disabled";
    NOT_CONFIGURED = Setup "provider_not_configured" "provider-why-not-configured";
    // Its servers.
    DOCUMENT_UNREACHABLE = Outage "discovery_unreachable" "provider-why-document-unreachable";
    DOCUMENT_REFUSED = Outage "discovery_status" "provider-why-document-refused";
    DOCUMENT_MALFORMED = Provider "discovery_malformed" "provider-why-document-malformed";
    DOCUMENT_ISSUER = Provider "discovery_issuer_mismatch" "provider-why-document-issuer";
    DOCUMENT_INCOMPLETE = Provider "discovery_incomplete" "provider-why-document-incomplete";
    DOCUMENT_ADDRESS = Provider "discovery_address_refused" "provider-why-document-address";
    DOCUMENT_NO_CODE = Provider "discovery_no_code_flow" "provider-why-document-no-code";
    DOCUMENT_ALGORITHMS = Provider "discovery_no_algorithm" "provider-why-document-algorithms";
    KEYS_UNREACHABLE = Outage "keys_unreachable" "provider-why-keys-unreachable";
    KEYS_REFUSED = Outage "keys_status" "provider-why-keys-refused";
    KEYS_MALFORMED = Provider "keys_malformed" "provider-why-keys-malformed";
    TOKEN_UNREACHABLE = Outage "token_unreachable" "provider-why-token-unreachable";
    TOKEN_REFUSED = Provider "token_refused" "provider-why-token-refused";
    TOKEN_CLIENT_REFUSED = Setup "token_client_refused" "provider-why-token-client-refused";
    TOKEN_MALFORMED = Provider "token_malformed" "provider-why-token-malformed";
    TOKEN_TYPE = Provider "token_type" "provider-why-token-type";
    NO_ACCESS_TOKEN = Provider "no_access_token" "provider-why-no-access-token";
    NO_ID_TOKEN = Provider "no_id_token" "provider-why-no-id-token";
    // The ID token.
    ID_TOKEN_MALFORMED = Provider "id_token_malformed" "provider-why-id-token-malformed";
    ID_TOKEN_TYPE = Provider "id_token_type" "provider-why-id-token-type";
    ID_TOKEN_CRITICAL = Provider "id_token_critical_header" "provider-why-id-token-critical";
    ID_TOKEN_ALGORITHM = Provider "id_token_algorithm" "provider-why-id-token-algorithm";
    ID_TOKEN_KEY = Provider "id_token_unknown_key" "provider-why-id-token-key";
    ID_TOKEN_SIGNATURE = Provider "id_token_signature" "provider-why-id-token-signature";
    ID_TOKEN_ISSUER = Provider "id_token_iss" "provider-why-id-token-issuer";
    ID_TOKEN_AUDIENCE = Provider "id_token_aud" "provider-why-id-token-audience";
    ID_TOKEN_PARTY = Provider "id_token_azp" "provider-why-id-token-party";
    ID_TOKEN_SUBJECT = Provider "id_token_sub" "provider-why-id-token-subject";
    ID_TOKEN_NONCE = Provider "id_token_nonce" "provider-why-id-token-nonce";
    ID_TOKEN_EXPIRY_MISSING = Provider "id_token_exp_missing" "provider-why-id-token-expiry-missing";
    ID_TOKEN_EXPIRED = Provider "id_token_expired" "provider-why-id-token-expired";
    ID_TOKEN_ISSUED_MISSING = Provider "id_token_iat_missing" "provider-why-id-token-issued-missing";
    ID_TOKEN_FUTURE = Provider "id_token_from_future" "provider-why-id-token-future";
    ID_TOKEN_OLD = Provider "id_token_old" "provider-why-id-token-old";
    ID_TOKEN_NOT_YET = Provider "id_token_not_before" "provider-why-id-token-not-yet";
    ID_TOKEN_ACCESS_HASH = Provider "id_token_at_hash" "provider-why-id-token-access-hash";
    ID_TOKEN_CODE_HASH = Provider "id_token_c_hash" "provider-why-id-token-code-hash";
    ID_TOKEN_TIME = Provider "id_token_auth_time" "provider-why-id-token-time";
    NOT_FRESH = Person "stale_authentication" "provider-why-not-fresh";
    AUTH_TIME_MISSING = Setup "auth_time_missing" "provider-why-auth-time-missing";
    /// Plain OAuth 2.0, which has no word for it.
    NO_RECENT_SIGN_IN = Setup "no_recent_sign_in" "provider-why-no-recent-sign-in";
    REQUIRED_CLAIM = Person "required_claim" "provider-why-required-claim";
    // Userinfo.
    USERINFO_UNREACHABLE = Outage "userinfo_unreachable" "provider-why-userinfo-unreachable";
    USERINFO_REFUSED = Provider "userinfo_status" "provider-why-userinfo-refused";
    USERINFO_MALFORMED = Provider "userinfo_malformed" "provider-why-userinfo-malformed";
    USERINFO_SUBJECT = Provider "userinfo_sub_mismatch" "provider-why-userinfo-subject";
    // Who it is here.
    NO_USERNAME = Setup "no_username" "provider-why-no-username";
    EMAIL_UNVERIFIED = Person "email_unverified" "provider-why-email-unverified";
    USERNAME_MALFORMED = Provider "username_malformed" "provider-why-username-malformed";
    FOREIGN_DOMAIN = Setup "username_domain" "provider-why-foreign-domain";
    USERNAME_TAKEN = Setup "username_taken" "provider-why-username-taken";
    ACCOUNT_DISABLED = Setup "account_disabled" "provider-why-account-disabled";
}

impl Fault {
    /// What an unreachable server means, as far as it is not an outage.
    pub fn of_fetch(error: FetchError, outage: Fault, malformed: Fault) -> Fault {
        match error {
            FetchError::NoAddress | FetchError::Forbidden | FetchError::NotHttps => DOCUMENT_ADDRESS,
            FetchError::TooLarge => malformed,
            FetchError::Unreachable | FetchError::TimedOut => outage,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::texts::Language;

    #[test]
    fn no_two_faults_share_a_code_or_a_text() {
        let codes: HashSet<&str> = ALL.iter().map(|fault| fault.code).collect();
        let texts: HashSet<&str> = ALL.iter().map(|fault| fault.text).collect();
        assert_eq!((codes.len(), texts.len()), (ALL.len(), ALL.len()));
        assert!(ALL.iter().all(|fault| Language::En.text(fault.text).ends_with('.')));
    }
}
