//! ID tokens: which claims they carry (wire.md 2.2.7), and what we accept back as
//! `id_token_hint`.
//!
//! The claims follow the scopes that were granted; `openid` alone says who, to whom,
//! until when, and which identities are linked. `auth_time` of OpenID Connect stands
//! beside the `last_authentication` that Globus clients read.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use portolan_types::{AppSessionId, ClientId, IdentityId, IdentityProviderId, Timestamp};
use serde::{Deserialize, Serialize};

use super::keys::{JwsError, KeySet, SigningAlgorithm};

/// The `typ` in the header of an ID token.
pub const TYPE: &str = "JWT";

/// The life of an ID token, as in the recorded tokens.
pub const LIFETIME: Duration = Duration::from_secs(172_800);

/// What is known of an identity.
#[derive(Clone, Copy, Debug)]
pub struct IdentityDetails<'a> {
    pub id: IdentityId,
    pub username: &'a str,
    pub name: Option<&'a str>,
    pub organization: Option<&'a str>,
    pub email: Option<&'a str>,
    pub identity_provider: IdentityProviderId,
    pub identity_provider_display_name: &'a str,
    /// In this session, else the last known; `None` if never.
    pub last_authentication: Option<Timestamp>,
}

/// Which claims the granted scopes open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    pub profile: bool,
    pub email: bool,
}

/// All that an ID token is made from.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub issuer: &'a str,
    pub client_id: ClientId,
    /// The effective identity.
    pub sub: IdentityId,
    /// Whom the claims describe: the effective identity too, but for clients that want to see
    /// the one that the person signed in with.
    pub identity: IdentityDetails<'a>,
    /// The identities linked with it, itself among them; `None` leaves the claim out.
    pub identity_set: Option<&'a [IdentityDetails<'a>]>,
    pub granted: Granted,
    pub nonce: Option<&'a str>,
    /// When the person really authenticated, here or at another provider.
    pub auth_time: Option<Timestamp>,
    /// The session of the client, which a logout token names too.
    pub session_id: Option<AppSessionId>,
    pub acr: Option<&'a str>,
    pub amr: &'a [&'a str],
    /// The access token of the top-level document.
    pub access_token: Option<&'a str>,
    pub algorithm: SigningAlgorithm,
    pub now: Timestamp,
    pub lifetime: Duration,
}

/// The payload of an ID token.
#[derive(Clone, Debug, Serialize)]
pub struct Claims<'a> {
    sub: IdentityId,
    #[serde(flatten)]
    profile: Option<ProfileClaims<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_set: Option<Vec<LinkedIdentity<'a>>>,
    iss: &'a str,
    aud: ClientId,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<AppSessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "<[&str]>::is_empty")]
    amr: &'a [&'a str],
    #[serde(skip_serializing_if = "Option::is_none")]
    at_hash: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct ProfileClaims<'a> {
    preferred_username: &'a str,
    last_authentication: Option<i64>,
    #[serde(flatten)]
    known: ProfileDetails<'a>,
}

/// An element of `identity_set`. Here the name of the username is `username`.
#[derive(Clone, Debug, Serialize)]
struct LinkedIdentity<'a> {
    sub: IdentityId,
    username: &'a str,
    last_authentication: Option<i64>,
    #[serde(flatten)]
    known: Option<ProfileDetails<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

/// What `profile` opens, of the effective identity and of each linked one. An unknown
/// name is null and an unknown organization absent, as recorded.
#[derive(Clone, Debug, Serialize)]
struct ProfileDetails<'a> {
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<&'a str>,
    identity_provider: IdentityProviderId,
    identity_provider_display_name: &'a str,
}

impl<'a> Claims<'a> {
    pub fn new(request: &Request<'a>) -> Self {
        let Request { identity, granted, .. } = request;
        Self {
            sub: request.sub,
            profile: granted.profile.then(|| ProfileClaims {
                preferred_username: identity.username,
                last_authentication: seconds(identity.last_authentication),
                known: ProfileDetails::new(identity),
            }),
            email: identity.email.filter(|_| granted.email),
            identity_set: request.identity_set.map(|identities| {
                identities
                    .iter()
                    .map(|identity| LinkedIdentity::new(identity, *granted))
                    .collect()
            }),
            iss: request.issuer,
            aud: request.client_id,
            exp: (request.now + request.lifetime).seconds(),
            iat: request.now.seconds(),
            auth_time: seconds(request.auth_time),
            sid: request.session_id,
            nonce: request.nonce,
            acr: request.acr,
            amr: request.amr,
            at_hash: request.access_token.map(|token| at_hash(request.algorithm, token)),
        }
    }
}

impl<'a> LinkedIdentity<'a> {
    fn new(identity: &IdentityDetails<'a>, granted: Granted) -> Self {
        Self {
            sub: identity.id,
            username: identity.username,
            last_authentication: seconds(identity.last_authentication),
            known: granted.profile.then(|| ProfileDetails::new(identity)),
            email: identity.email.filter(|_| granted.email),
        }
    }
}

impl<'a> ProfileDetails<'a> {
    fn new(identity: &IdentityDetails<'a>) -> Self {
        Self {
            name: identity.name,
            organization: identity.organization,
            identity_provider: identity.identity_provider,
            identity_provider_display_name: identity.identity_provider_display_name,
        }
    }
}

fn seconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::seconds)
}

/// OpenID Connect Core 3.1.3.6: the left half of the hash that the signature uses.
pub fn at_hash(algorithm: SigningAlgorithm, access_token: &str) -> String {
    let hash = digest::digest(algorithm.digest(), access_token.as_bytes());
    let (left, _) = hash.as_ref().split_at(hash.as_ref().len() / 2);
    BASE64_URL_SAFE_NO_PAD.encode(left)
}

/// One of our ID tokens that came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedIdToken {
    pub identity_id: IdentityId,
    pub client_id: ClientId,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub auth_time: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Expired tokens pass: what a hint says is old by nature (OpenID Connect
    /// RP-Initiated Logout section 2, Core 3.1.2.1).
    Ignored,
    EnforcedAt(Timestamp),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidIdToken {
    #[error("the ID token cannot be trusted: {0}")]
    Signature(#[from] JwsError),
    #[error("the ID token comes from another issuer")]
    WrongIssuer,
    #[error("the ID token has other claims than ours have")]
    Claims,
    #[error("the ID token has expired")]
    Expired,
}

#[derive(Deserialize)]
struct ReadClaims {
    iss: String,
    sub: IdentityId,
    aud: ClientId,
    exp: i64,
    iat: i64,
    auth_time: Option<i64>,
}

impl KeySet {
    /// Checks an `id_token_hint`. The audience is returned, not checked: the caller
    /// knows whether the request names a client.
    pub fn verify_id_token(
        &self,
        token: &str,
        issuer: &str,
        expiry: Expiry,
    ) -> Result<VerifiedIdToken, InvalidIdToken> {
        let payload = self.verify_jws(token, TYPE)?;
        let claims: ReadClaims = serde_json::from_slice(&payload).map_err(|_| InvalidIdToken::Claims)?;
        if claims.iss != issuer {
            return Err(InvalidIdToken::WrongIssuer);
        }
        let expires_at = Timestamp::from_seconds(claims.exp);
        if let Expiry::EnforcedAt(now) = expiry
            && expires_at <= now
        {
            return Err(InvalidIdToken::Expired);
        }
        Ok(VerifiedIdToken {
            identity_id: claims.sub,
            client_id: claims.aud,
            issued_at: Timestamp::from_seconds(claims.iat),
            expires_at,
            auth_time: claims.auth_time.map(Timestamp::from_seconds),
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::super::keys::tests::{at, ec, key_set, rsa};
    use super::*;

    const ISSUER: &str = "https://auth.example.org";
    const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);

    fn robin() -> IdentityDetails<'static> {
        IdentityDetails {
            id: IdentityId::from_u128(1),
            username: "rdoe@example.edu",
            name: Some("Robin Doe"),
            organization: Some("Example University"),
            email: Some("robin.doe@example.edu"),
            identity_provider: IdentityProviderId::from_u128(10),
            identity_provider_display_name: "Example University",
            last_authentication: Some(NOW),
        }
    }

    fn robins_other_account() -> IdentityDetails<'static> {
        IdentityDetails {
            id: IdentityId::from_u128(2),
            username: "rdoe@portolan.local",
            name: None,
            organization: None,
            email: None,
            identity_provider: IdentityProviderId::from_u128(11),
            identity_provider_display_name: "Portolan",
            last_authentication: None,
        }
    }

    fn request<'a>(identities: Option<&'a [IdentityDetails<'a>]>, granted: Granted) -> Request<'a> {
        Request {
            issuer: ISSUER,
            client_id: ClientId::from_u128(3),
            sub: IdentityId::from_u128(1),
            identity: robin(),
            identity_set: identities,
            granted,
            nonce: None,
            auth_time: None,
            session_id: None,
            acr: None,
            amr: &[],
            access_token: None,
            algorithm: SigningAlgorithm::Rs256,
            now: NOW,
            lifetime: LIFETIME,
        }
    }

    const OPENID: Granted = Granted {
        profile: false,
        email: false,
    };
    const ALL: Granted = Granted {
        profile: true,
        email: true,
    };

    fn claims(request: &Request) -> Value {
        serde_json::to_value(Claims::new(request)).unwrap()
    }

    #[test]
    fn openid_alone_tells_who_to_whom_and_until_when() {
        let expected = json!({
            "iss": ISSUER,
            "sub": "00000000-0000-0000-0000-000000000001",
            "aud": "00000000-0000-0000-0000-000000000003",
            "iat": 1_790_000_000,
            "exp": 1_790_172_800,
        });
        assert_eq!(claims(&request(None, OPENID)), expected);
    }

    #[test]
    fn profile_and_email_open_the_recorded_claims() {
        let identities = [robin(), robins_other_account()];
        let expected = json!({
            "sub": "00000000-0000-0000-0000-000000000001",
            "organization": "Example University",
            "name": "Robin Doe",
            "preferred_username": "rdoe@example.edu",
            "identity_provider": "00000000-0000-0000-0000-00000000000a",
            "identity_provider_display_name": "Example University",
            "email": "robin.doe@example.edu",
            "last_authentication": 1_790_000_000,
            "identity_set": [
                {
                    "sub": "00000000-0000-0000-0000-000000000001",
                    "organization": "Example University",
                    "name": "Robin Doe",
                    "username": "rdoe@example.edu",
                    "identity_provider": "00000000-0000-0000-0000-00000000000a",
                    "identity_provider_display_name": "Example University",
                    "email": "robin.doe@example.edu",
                    "last_authentication": 1_790_000_000,
                },
                {
                    "sub": "00000000-0000-0000-0000-000000000002",
                    "name": null,
                    "username": "rdoe@portolan.local",
                    "identity_provider": "00000000-0000-0000-0000-00000000000b",
                    "identity_provider_display_name": "Portolan",
                    "last_authentication": null,
                },
            ],
            "iss": ISSUER,
            "aud": "00000000-0000-0000-0000-000000000003",
            "iat": 1_790_000_000,
            "exp": 1_790_172_800,
        });
        assert_eq!(claims(&request(Some(&identities), ALL)), expected);
    }

    #[test]
    fn linked_identities_follow_the_scopes_too() {
        let identities = [robin()];
        let element = |granted| claims(&request(Some(&identities), granted))["identity_set"][0].clone();
        let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();

        assert_eq!(members(&element(OPENID)), ["last_authentication", "sub", "username"]);
        let email = element(Granted {
            profile: false,
            email: true,
        });
        assert_eq!(members(&email), ["email", "last_authentication", "sub", "username"]);
        let profile = element(Granted {
            profile: true,
            email: false,
        });
        assert!(profile.get("email").is_none());
        assert_eq!(profile["organization"], "Example University");
    }

    #[test]
    fn what_was_asked_and_what_happened_stands_in_the_token() {
        let token = "ya29.eQETFbFOkAs8nWHcmYXKwEi0Zz46NfsrUU_KuQLOLTwWS40y6Fb99aVzEXC0U14m61lcPMIr1hEIBA";
        let nonce = "n-0S6_WzA2Mj".repeat(10);
        let full = Request {
            nonce: Some(&nonce),
            auth_time: Some(at(1_789_999_000)),
            acr: Some("https://refeds.org/profile/sfa"),
            amr: &["pwd"],
            access_token: Some(token),
            ..request(None, OPENID)
        };
        let claims = claims(&full);
        assert_eq!(claims["nonce"], nonce);
        assert_eq!(claims["auth_time"], 1_789_999_000);
        assert_eq!(claims["acr"], "https://refeds.org/profile/sfa");
        assert_eq!(claims["amr"], json!(["pwd"]));
        assert_eq!(claims["at_hash"], at_hash(SigningAlgorithm::Rs256, token));
    }

    #[test]
    fn the_access_token_hash_follows_the_algorithm() {
        // The example of OpenID Connect Core appendix A.3.
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(at_hash(SigningAlgorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!(at_hash(SigningAlgorithm::Es256, token), "77QmUPtjPfzWtF2AnpK9RQ");
        let long = at_hash(SigningAlgorithm::Rs512, token);
        assert_eq!(long.len(), 43);
        // printf %s TOKEN | sha512sum, left half, base64url.
        assert_eq!(long, "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM");
    }

    #[test]
    fn our_own_tokens_come_back_as_hints_also_when_old() {
        let keys = key_set(&[rsa(0, 0, 0, None), ec(0, 0, 0, None)]);
        let request = Request {
            auth_time: Some(at(5)),
            ..request(None, OPENID)
        };
        for algorithm in SigningAlgorithm::ALL {
            let token = keys.sign_jws(algorithm, NOW, TYPE, &Claims::new(&request)).unwrap();
            let end = NOW + LIFETIME;
            let expected = VerifiedIdToken {
                identity_id: IdentityId::from_u128(1),
                client_id: ClientId::from_u128(3),
                issued_at: NOW,
                expires_at: end,
                auth_time: Some(at(5)),
            };
            let before = Expiry::EnforcedAt(end - Duration::from_micros(1));
            assert_eq!(
                keys.verify_id_token(&token, ISSUER, Expiry::Ignored),
                Ok(expected.clone())
            );
            assert_eq!(keys.verify_id_token(&token, ISSUER, before), Ok(expected));
            let expired = keys.verify_id_token(&token, ISSUER, Expiry::EnforcedAt(end));
            assert_eq!(expired, Err(InvalidIdToken::Expired));
            let foreign = keys.verify_id_token(&token, "https://auth.example.org/", Expiry::Ignored);
            assert_eq!(foreign, Err(InvalidIdToken::WrongIssuer));
        }
    }

    #[test]
    fn a_retired_key_still_verifies_hints_and_a_removed_one_does_not() {
        let before = key_set(&[rsa(0, 0, 0, None)]);
        let token = before
            .sign_jws(
                SigningAlgorithm::Rs256,
                at(1),
                TYPE,
                &Claims::new(&request(None, OPENID)),
            )
            .unwrap();
        let after = key_set(&[rsa(0, 0, 0, Some(100)), rsa(1, 50, 60, None)]);
        assert!(after.verify_id_token(&token, ISSUER, Expiry::Ignored).is_ok());
        let later = key_set(&[rsa(1, 50, 60, None)]);
        let unknown = Err(InvalidIdToken::Signature(JwsError::UnknownKey));
        assert_eq!(later.verify_id_token(&token, ISSUER, Expiry::Ignored), unknown);
    }

    #[test]
    fn other_things_that_we_sign_are_no_id_tokens() {
        let keys = key_set(&[rsa(0, 0, 0, None)]);
        let sign = |typ: &str, claims: Value| keys.sign_jws(SigningAlgorithm::Rs256, NOW, typ, &claims).unwrap();
        let check = |token: &str| keys.verify_id_token(token, ISSUER, Expiry::Ignored).unwrap_err();
        let logout = sign(
            "logout+jwt",
            serde_json::to_value(Claims::new(&request(None, OPENID))).unwrap(),
        );
        assert_eq!(check(&logout), InvalidIdToken::Signature(JwsError::WrongType));
        assert_eq!(check(&sign(TYPE, json!({"iss": ISSUER}))), InvalidIdToken::Claims);
        assert_eq!(check(&sign(TYPE, json!([]))), InvalidIdToken::Claims);
        assert_eq!(check("x"), InvalidIdToken::Signature(JwsError::Malformed));
    }
}
