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
    /// A whole sentence; the provider's name stands before it on the page.
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
    UNKNOWN_STATE = Person "unknown_state" "This sign-in was not begun in this browser, has expired, or was finished already.";
    NO_ANSWER = Provider "no_code_and_no_error" "The provider sent you back without an answer.";
    REFUSED = Person "provider_refused" "The provider did not sign you in. Perhaps you cancelled, or it does not let your account use this service.";
    PROVIDER_ERROR = Outage "provider_error" "The provider reports that something went wrong on its side.";
    ISSUER_OF_ANSWER = Provider "answer_iss_mismatch" "The answer came from another provider than the one you were sent to.";
    ISSUER_OF_ANSWER_MISSING = Provider "answer_iss_missing" "The answer does not say which provider it comes from, although this provider promises that it will.";
    DISABLED = Setup "provider_disabled" "The operator has switched off signing in through this provider.";
    NOT_CONFIGURED = Setup "provider_not_configured" "Signing in through this provider is not set up completely.";
    // Its servers.
    DOCUMENT_UNREACHABLE = Outage "discovery_unreachable" "The provider's server cannot be reached.";
    DOCUMENT_REFUSED = Outage "discovery_status" "The provider does not tell how to use it.";
    DOCUMENT_MALFORMED = Provider "discovery_malformed" "What the provider tells about itself cannot be understood.";
    DOCUMENT_ISSUER = Provider "discovery_issuer_mismatch" "The provider calls itself by another name than the one it was set up with.";
    DOCUMENT_INCOMPLETE = Provider "discovery_incomplete" "What the provider tells about itself leaves out where people sign in.";
    DOCUMENT_ADDRESS = Provider "discovery_address_refused" "The provider names an address that this service does not use.";
    DOCUMENT_NO_CODE = Provider "discovery_no_code_flow" "The provider does not offer the way of signing in that this service uses.";
    DOCUMENT_ALGORITHMS = Provider "discovery_no_algorithm" "The provider signs in no way that this service accepts.";
    KEYS_UNREACHABLE = Outage "keys_unreachable" "The provider's keys cannot be fetched.";
    KEYS_REFUSED = Outage "keys_status" "The provider does not hand out its keys.";
    KEYS_MALFORMED = Provider "keys_malformed" "The provider's keys cannot be understood.";
    TOKEN_UNREACHABLE = Outage "token_unreachable" "The provider did not confirm your sign-in in time.";
    TOKEN_REFUSED = Provider "token_refused" "The provider did not confirm your sign-in to this service.";
    TOKEN_CLIENT_REFUSED = Setup "token_client_refused" "The provider does not know this service, or no longer accepts its secret.";
    TOKEN_MALFORMED = Provider "token_malformed" "The provider's confirmation cannot be understood.";
    TOKEN_TYPE = Provider "token_type" "The provider handed out a kind of token that this service cannot use.";
    NO_ACCESS_TOKEN = Provider "no_access_token" "The provider's confirmation lacks a part that this service needs.";
    NO_ID_TOKEN = Provider "no_id_token" "The provider's confirmation does not say who you are.";
    // The ID token.
    ID_TOKEN_MALFORMED = Provider "id_token_malformed" "What the provider says about you cannot be understood.";
    ID_TOKEN_TYPE = Provider "id_token_type" "The provider sent another kind of statement than one about who you are.";
    ID_TOKEN_CRITICAL = Provider "id_token_critical_header" "The provider's statement demands something that this service does not know.";
    ID_TOKEN_ALGORITHM = Provider "id_token_algorithm" "The provider's statement is signed in a way that is not accepted.";
    ID_TOKEN_KEY = Provider "id_token_unknown_key" "The provider's statement is signed with a key that the provider does not publish.";
    ID_TOKEN_SIGNATURE = Provider "id_token_signature" "The signature of the provider's statement is wrong.";
    ID_TOKEN_ISSUER = Provider "id_token_iss" "The provider's statement comes from another provider.";
    ID_TOKEN_AUDIENCE = Provider "id_token_aud" "The provider's statement is meant for another service.";
    ID_TOKEN_PARTY = Provider "id_token_azp" "The provider's statement was made for another service.";
    ID_TOKEN_SUBJECT = Provider "id_token_sub" "The provider's statement names nobody.";
    ID_TOKEN_NONCE = Provider "id_token_nonce" "The provider's statement belongs to another sign-in.";
    ID_TOKEN_EXPIRY_MISSING = Provider "id_token_exp_missing" "The provider's statement does not say how long it holds.";
    ID_TOKEN_EXPIRED = Provider "id_token_expired" "The provider's statement has expired.";
    ID_TOKEN_ISSUED_MISSING = Provider "id_token_iat_missing" "The provider's statement does not say when it was made.";
    ID_TOKEN_FUTURE = Provider "id_token_from_future" "The provider's statement comes from the future; its clock or ours is wrong.";
    ID_TOKEN_OLD = Provider "id_token_old" "The provider's statement was made too long ago.";
    ID_TOKEN_NOT_YET = Provider "id_token_not_before" "The provider's statement does not hold yet.";
    ID_TOKEN_ACCESS_HASH = Provider "id_token_at_hash" "The provider's statement belongs to another token.";
    ID_TOKEN_CODE_HASH = Provider "id_token_c_hash" "The provider's statement belongs to another answer.";
    ID_TOKEN_TIME = Provider "id_token_auth_time" "The provider says in a way that cannot be understood when you signed in.";
    NOT_FRESH = Person "stale_authentication" "You have to sign in anew for this, but the provider answered with an earlier sign-in.";
    AUTH_TIME_MISSING = Setup "auth_time_missing" "You have to sign in anew for this, but the provider does not say when you signed in there.";
    /// Plain OAuth 2.0, which has no word for it.
    NO_RECENT_SIGN_IN = Setup "no_recent_sign_in" "This needs a recent sign-in, and this provider has no way of telling whether yours is one.";
    REQUIRED_CLAIM = Person "required_claim" "You signed in through another institution than this one.";
    // Userinfo.
    USERINFO_UNREACHABLE = Outage "userinfo_unreachable" "The provider did not tell your name in time.";
    USERINFO_REFUSED = Provider "userinfo_status" "The provider refuses to tell your name.";
    USERINFO_MALFORMED = Provider "userinfo_malformed" "What the provider tells about your account cannot be understood.";
    USERINFO_SUBJECT = Provider "userinfo_sub_mismatch" "The provider tells about another person than the one it signed in.";
    // Who it is here.
    NO_USERNAME = Setup "no_username" "The provider does not tell the account name that this service needs.";
    EMAIL_UNVERIFIED = Person "email_unverified" "The provider has not verified your e-mail address, which would be your account name here.";
    USERNAME_MALFORMED = Provider "username_malformed" "The account name that the provider tells cannot be used here.";
    FOREIGN_DOMAIN = Setup "username_domain" "The provider may not vouch for account names of your organisation here.";
    USERNAME_TAKEN = Setup "username_taken" "Your account name belongs to an account of another provider here.";
    ACCOUNT_DISABLED = Setup "account_disabled" "The operator has switched off your account here.";
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

    #[test]
    fn no_two_faults_share_a_code_or_a_text() {
        let codes: HashSet<&str> = ALL.iter().map(|fault| fault.code).collect();
        let texts: HashSet<&str> = ALL.iter().map(|fault| fault.text).collect();
        assert_eq!((codes.len(), texts.len()), (ALL.len(), ALL.len()));
        assert!(ALL.iter().all(|fault| fault.text.ends_with('.')));
    }
}
