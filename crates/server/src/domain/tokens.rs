//! Issues tokens: one access token per resource server, resting on the consents behind
//! its scopes, and a refresh token where it was asked for and allowed.

use std::time::Duration;

use aws_lc_rs::hmac;
use portolan_db::WriteTx;
use portolan_types::id::{FamilyId, IssuanceId};
use portolan_types::oauth::TokenDocument;
use portolan_types::{AppSessionId, ClientId, ConsentId, IdentityId, Secret, Timestamp, TokenHash};

use crate::app::{Ctx, new_uuid, random_bytes};
use crate::config::Config;
use crate::domain::token_format::{self, TokenKind};
use crate::error::Result;
use crate::store::access_tokens::{self, NewAccessToken, Profile};
use crate::store::consents::{self, WithScope};
use crate::store::refresh_tokens::{self, RefreshToken};
use crate::store::scopes::Scope;
use crate::store::sessions;

/// A scope that an approved consent grants.
#[derive(Clone, Debug)]
pub struct GrantedScope {
    pub consent_id: ConsentId,
    /// The spelling that was asked for: what answers show.
    pub requested: String,
    pub scope: Scope,
    pub allows_refresh: bool,
    /// When a use of the consent was noted last.
    pub last_used_at: Option<Timestamp>,
}

/// What pairs of consent and spelling stand for today, from what was found of them. A
/// consent that is gone is left out: it was revoked meanwhile.
pub fn granted_today(pairs: &[(ConsentId, String)], found: &[WithScope]) -> Vec<GrantedScope> {
    let granted = pairs.iter().filter_map(|(id, requested)| {
        let consent = found.iter().find(|consent| consent.id == *id)?;
        Some(GrantedScope {
            consent_id: *id,
            requested: requested.clone(),
            scope: consent.scope.clone(),
            allows_refresh: consent.allows_refresh && consent.scope.allows_refresh_token,
            last_used_at: consent.last_used_at,
        })
    });
    granted.collect()
}

/// Which identity scopes are among the granted.
pub fn profile_of(granted: &[GrantedScope], resource_server: &str) -> Profile {
    granted.iter().fold(Profile::default(), |profile, granted| {
        profile.with(profile_bit(&granted.scope.scope_string, resource_server))
    })
}

fn profile_bit(scope_string: &str, resource_server: &str) -> Profile {
    match scope_string {
        "openid" => Profile::OPENID,
        "profile" => Profile::PROFILE,
        "email" => Profile::EMAIL,
        other => match other.strip_prefix("urn:globus:auth:scope:") {
            Some(rest) if rest.strip_prefix(resource_server) == Some(":view_identity_set") => Profile::IDENTITY_SET,
            _ => Profile::default(),
        },
    }
}

/// Whom and what tokens are issued for; the same for all of an issuance.
#[derive(Clone, Debug)]
pub struct Subject {
    pub client_id: ClientId,
    pub identity_id: IdentityId,
    pub identity_generation: i64,
    pub issuance_id: IssuanceId,
    pub app_session_id: Option<AppSessionId>,
    pub profile: Profile,
}

/// A token as it is stored and as it is answered; made before the transaction, which may
/// run twice.
#[derive(Clone, Debug)]
pub struct Prepared {
    access: NewAccessToken,
    refresh: Option<RefreshToken>,
    consents: Vec<(ConsentId, String)>,
    /// Consents whose use is to be noted.
    used: Vec<ConsentId>,
    pub document: TokenDocument,
}

/// How long tokens live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    pub access: Duration,
    pub refresh_idle: Duration,
    pub refresh_absolute: Option<Duration>,
}

impl Lifetimes {
    pub fn of(config: &Config) -> Self {
        Self {
            access: Duration::from_secs(config.access_token_lifetime_seconds),
            refresh_idle: Duration::from_secs(config.refresh_idle_lifetime_seconds),
            refresh_absolute: config.refresh_absolute_lifetime_seconds.map(Duration::from_secs),
        }
    }

    /// The idle end, or the absolute one of the family if that comes first.
    pub fn refresh_end(&self, family_issued_at: Timestamp, now: Timestamp) -> Timestamp {
        let idle = now + self.refresh_idle;
        self.refresh_absolute
            .map_or(idle, |absolute| idle.min(family_issued_at + absolute))
    }
}

/// Mints one token per resource server, in the order of the scopes. Nothing is stored yet.
pub fn prepare(
    ctx: &Ctx,
    subject: &Subject,
    granted: &[GrantedScope],
    lifetimes: &Lifetimes,
    offline: bool,
) -> Vec<Prepared> {
    let mut servers: Vec<(ClientId, Vec<&GrantedScope>)> = Vec::new();
    for scope in granted {
        match servers.iter_mut().find(|(id, _)| *id == scope.scope.client_id) {
            Some((_, scopes)) => scopes.push(scope),
            None => servers.push((scope.scope.client_id, vec![scope])),
        }
    }
    servers
        .into_iter()
        .map(|(id, scopes)| prepare_one(ctx, subject, id, &scopes, lifetimes, offline))
        .collect()
}

fn prepare_one(
    ctx: &Ctx,
    subject: &Subject,
    resource_server_id: ClientId,
    scopes: &[&GrantedScope],
    lifetimes: &Lifetimes,
    offline: bool,
) -> Prepared {
    let resource_server = scopes[0].scope.resource_server.clone();
    // A refresh token covers the whole resource server, so every scope must allow it.
    let family_id = (offline && scopes.iter().all(|scope| scope.allows_refresh)).then(|| FamilyId(new_uuid()));
    let refresh = family_id.map(|family_id| {
        let secret = token_format::mint(TokenKind::Refresh, random_bytes());
        let row = RefreshToken {
            hash: token_format::hash(secret.expose()),
            family_id,
            generation: 0,
            client_id: subject.client_id,
            identity_id: subject.identity_id,
            identity_generation: subject.identity_generation,
            resource_server_id,
            resource_server: resource_server.clone(),
            issuance_id: subject.issuance_id,
            app_session_id: subject.app_session_id,
            profile: subject.profile,
            issued_at: ctx.now,
            idle_since: ctx.now,
            expires_at: lifetimes.refresh_end(ctx.now, ctx.now),
            rotated_at: None,
            successor_used_at: None,
            revoked_at: None,
        };
        (secret, row)
    });
    let consents = scopes
        .iter()
        .map(|scope| (scope.consent_id, scope.requested.clone()))
        .collect();
    let (refresh_secret, refresh_row) = refresh.unzip();
    let mut prepared = prepare_access(
        ctx,
        subject,
        resource_server_id,
        &resource_server,
        family_id,
        consents,
        lifetimes,
    );
    prepared.document.refresh_token = refresh_secret;
    prepared.refresh = refresh_row;
    prepared.note_use(ctx, scopes.iter().map(|scope| (scope.consent_id, scope.last_used_at)));
    prepared
}

/// An access token alone: for a refresh, where the family exists already.
pub fn prepare_access(
    ctx: &Ctx,
    subject: &Subject,
    resource_server_id: ClientId,
    resource_server: &str,
    family_id: Option<FamilyId>,
    consents: Vec<(ConsentId, String)>,
    lifetimes: &Lifetimes,
) -> Prepared {
    let secret = token_format::mint(TokenKind::Access, random_bytes());
    let access = NewAccessToken {
        hash: token_format::hash(secret.expose()),
        client_id: subject.client_id,
        identity_id: subject.identity_id,
        identity_generation: subject.identity_generation,
        resource_server_id,
        resource_server: resource_server.to_owned(),
        issuance_id: subject.issuance_id,
        family_id,
        app_session_id: subject.app_session_id,
        profile: subject.profile,
        issued_at: ctx.now,
        expires_at: ctx.now + lifetimes.access,
    };
    let document = TokenDocument {
        access_token: secret,
        expires_in: lifetimes.access.as_secs(),
        scope: portolan_types::scope::flat(consents.iter().map(|(_, scope)| scope)),
        resource_server: resource_server.to_owned(),
        token_type: "Bearer".into(),
        state: None,
        refresh_token: None,
        id_token: None,
    };
    Prepared {
        access,
        refresh: None,
        consents,
        used: Vec::new(),
        document,
    }
}

impl Prepared {
    /// Has the use of these consents noted, where it was not within the last minute.
    pub fn note_use(&mut self, ctx: &Ctx, consents: impl IntoIterator<Item = (ConsentId, Option<Timestamp>)>) {
        // A client that acts as itself is not noted: its consents are used by many calls at
        // once, and a row that they all update would make them wait for each other.
        if self.access.app_session_id.is_some() {
            let due = consents
                .into_iter()
                .filter(|(_, last)| !consents::is_use_noted(*last, ctx.now));
            self.used = due.map(|(id, _)| id).collect();
        }
    }
}

/// Stores what was prepared: inserts only, so it may share a commit with others.
pub fn insert(tx: &mut WriteTx, ctx: &Ctx, prepared: &Prepared) -> Result<()> {
    access_tokens::insert(tx, &prepared.access)?;
    access_tokens::insert_consents(tx, &prepared.access.hash, &prepared.consents)?;
    if let Some(refresh) = &prepared.refresh {
        refresh_tokens::insert(tx, refresh)?;
        access_tokens::insert_consents(tx, &refresh.hash, &prepared.consents)?;
        if let Some(session) = refresh.app_session_id {
            sessions::extend_app_session(tx, session, refresh.expires_at)?;
        }
    }
    for consent_id in &prepared.used {
        consents::mark_used(tx, *consent_id, ctx.now)?;
    }
    Ok(())
}

/// The successor of a refresh token: the same for everybody who presents the predecessor,
/// so that a lost answer can be repeated without a fork (decisions, section 2).
pub fn successor(rotation_key: &hmac::Key, family_id: FamilyId, generation: i64, presented: &Secret) -> Secret {
    let mut mac = hmac::Context::with_key(rotation_key);
    mac.update(family_id.0.as_bytes());
    mac.update(&generation.to_be_bytes());
    mac.update(presented.expose().as_bytes());
    let tag = mac.sign();
    let mut bytes = [0; 32];
    bytes.copy_from_slice(tag.as_ref());
    token_format::mint(TokenKind::Refresh, bytes)
}

/// SHA-256 over what decides which dependent tokens can be had (decisions, section 8).
pub fn dependent_tokens_cache_id(
    seed: impl IntoIterator<Item = i64>,
    family: Option<FamilyId>,
    issuance: IssuanceId,
) -> String {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    digest.update(family.map_or(issuance.0, |family| family.0).as_bytes());
    for value in seed {
        digest.update(&value.to_be_bytes());
    }
    hex(digest.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The hash under which a presented token of this kind would be stored; `None` if it
/// cannot be one, so that no look-up is made.
pub fn presented(kind: TokenKind, token: &str) -> Option<TokenHash> {
    (token_format::parse(token) == Some(kind)).then(|| token_format::hash(token))
}

#[cfg(test)]
mod tests {
    use portolan_types::ScopeId;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn lifetimes(refresh_absolute: Option<Duration>) -> Lifetimes {
        Lifetimes {
            access: Duration::from_secs(100),
            refresh_idle: DAY,
            refresh_absolute,
        }
    }

    #[test]
    fn a_refresh_token_needs_consent_and_scope_to_allow_it() {
        for (consent, scope, allows) in [
            (true, true, true),
            (true, false, false),
            (false, true, false),
            (false, false, false),
        ] {
            let mut found = WithScope {
                id: ConsentId(1),
                allows_refresh: consent,
                last_used_at: None,
                scope: Scope::sample(ScopeId::from_u128(1), "urn:x"),
            };
            found.scope.allows_refresh_token = scope;
            let pairs = [(ConsentId(1), "urn:x".to_owned()), (ConsentId(2), "urn:y".to_owned())];
            let granted = granted_today(&pairs, &[found]);
            assert_eq!(granted.len(), 1, "the other consent is gone");
            assert_eq!(granted[0].allows_refresh, allows, "{consent} {scope}");
        }
    }

    #[test]
    fn identity_scopes_are_those_of_this_server() {
        for (scope, bit) in [
            ("openid", Profile::OPENID),
            ("profile", Profile::PROFILE),
            ("email", Profile::EMAIL),
            (
                "urn:globus:auth:scope:auth.example.org:view_identity_set",
                Profile::IDENTITY_SET,
            ),
            (
                "urn:globus:auth:scope:other.example.org:view_identity_set",
                Profile::default(),
            ),
            (
                "urn:globus:auth:scope:auth.example.org:view_identities",
                Profile::default(),
            ),
            ("auth.example.org:view_identity_set", Profile::default()),
        ] {
            assert_eq!(profile_bit(scope, "auth.example.org"), bit, "{scope}");
        }
    }

    #[test]
    fn the_first_of_both_ends_counts() {
        let (issued, now) = (Timestamp::from_seconds(0), Timestamp::from_seconds(86_400));
        for (absolute, end) in [(None, 2 * DAY), (Some(3 * DAY), 2 * DAY), (Some(DAY), DAY)] {
            assert_eq!(
                lifetimes(absolute).refresh_end(issued, now),
                issued + end,
                "{absolute:?}"
            );
        }
    }

    #[test]
    fn the_use_of_a_consent_is_noted_once_a_minute_and_for_people_alone() {
        let ctx = Ctx::at(Timestamp::from_seconds(1000));
        let seen = |seconds: i64| Some(Timestamp::from_seconds(seconds));
        let consents = [
            (ConsentId(1), None),
            (ConsentId(2), seen(1000)),
            (ConsentId(3), seen(900)),
        ];
        for (session, used) in [
            (Some(AppSessionId(new_uuid())), &[ConsentId(1), ConsentId(3)][..]),
            (None, &[]),
        ] {
            let subject = Subject {
                client_id: ClientId::from_u128(1),
                identity_id: IdentityId::from_u128(2),
                identity_generation: 0,
                issuance_id: IssuanceId(new_uuid()),
                app_session_id: session,
                profile: Profile::default(),
            };
            let server = ClientId::from_u128(3);
            let mut prepared = prepare_access(&ctx, &subject, server, "service", None, Vec::new(), &lifetimes(None));
            assert_eq!(prepared.access.expires_at, Timestamp::from_seconds(1100));
            prepared.note_use(&ctx, consents);
            assert_eq!(prepared.used, used);
        }
    }

    #[test]
    fn hexadecimal_digits_are_lower_case_and_two_a_byte() {
        assert_eq!(hex(&[0x00, 0x9f, 0xf0, 0x5a]), "009ff05a");
    }
}
