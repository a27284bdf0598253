//! Access and refresh tokens, and what ends them.

#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::{db_test, params};
use portolan_types::AppSessionId;
use portolan_types::id::{FamilyId, IssuanceId};
use uuid::Uuid;

use super::*;
use crate::store::access_tokens::{ActiveToken, FullToken, NewAccessToken, Profile, TokenScope};
use crate::store::refresh_tokens::RefreshToken;
use crate::store::sessions::Authentication;
use crate::store::{MIGRATIONS, access_tokens, clients, consents, grants, identities, refresh_tokens, sessions};

const ISSUANCE: IssuanceId = IssuanceId::from_u128(0x1550);
const FAMILY: FamilyId = FamilyId::from_u128(0xfa);
const SESSION: AppSessionId = AppSessionId::from_u128(0x5e55);

fn access(number: u8) -> NewAccessToken {
    NewAccessToken {
        hash: hash(number),
        client_id: APP,
        identity_id: ALICE,
        identity_generation: 0,
        resource_server_id: SERVICE,
        resource_server: "service.example".into(),
        issuance_id: ISSUANCE,
        family_id: Some(FAMILY),
        app_session_id: Some(SESSION),
        profile: Profile::OPENID.with(Profile::EMAIL),
        issued_at: NOW,
        expires_at: after(100),
    }
}

fn refresh(number: u8, generation: i64) -> RefreshToken {
    RefreshToken {
        hash: hash(number),
        family_id: FAMILY,
        generation,
        client_id: APP,
        identity_id: ALICE,
        identity_generation: 0,
        resource_server_id: SERVICE,
        resource_server: "service.example".into(),
        issuance_id: ISSUANCE,
        app_session_id: Some(SESSION),
        profile: Profile::OPENID,
        issued_at: NOW,
        idle_since: NOW,
        expires_at: after(100),
        rotated_at: None,
        successor_used_at: None,
        revoked_at: None,
    }
}

fn both_consents() -> Vec<(ConsentId, String)> {
    vec![
        (READ_CONSENT, "urn:read".to_owned()),
        (WRITE_CONSENT, "urn:service:write".to_owned()),
    ]
}

/// Token 1 of each kind, resting on both consents.
fn issue(db: &Db) {
    populate(db);
    write(db, |tx| {
        access_tokens::insert(tx, &access(1))?;
        access_tokens::insert_consents(tx, &hash(1), &both_consents())?;
        refresh_tokens::insert(tx, &refresh(2, 0))?;
        access_tokens::insert_consents(tx, &hash(2), &both_consents())
    });
}

/// Everything outside of the token that ends it (decisions, section 1).
/// What is done to the store, with a name for the message.
type Change = (&'static str, fn(&mut WriteTx) -> Result<()>);

fn causes() -> Vec<Change> {
    fn run(tx: &mut WriteTx, sql: &str) -> Result<()> {
        assert!(tx.execute(sql, params![])? > 0, "{sql}");
        Ok(())
    }
    vec![
        ("client disabled", |tx| {
            run(tx, "UPDATE clients SET enabled = 0 WHERE name = 'App'")
        }),
        ("client deleted", |tx| clients::delete(tx, APP)),
        ("identity disabled", |tx| identities::set_enabled(tx, ALICE, false)),
        ("identity disabled and enabled again", |tx| {
            identities::set_enabled(tx, ALICE, false)?;
            identities::set_enabled(tx, ALICE, true)
        }),
        ("generation raised", |tx| identities::raise_generation(tx, ALICE)),
        ("identity closed", |tx| identities::close(tx, ALICE)),
        ("identity closed without its generation", |tx| {
            run(
                tx,
                "UPDATE identities SET status = 'closed' WHERE username = 'alice@portolan.local'",
            )
        }),
        ("provider disabled", |tx| {
            run(tx, "UPDATE identity_providers SET enabled = 0")
        }),
        ("issuance ended", |tx| grants::end(tx, ISSUANCE.0, NOW)),
        ("family ended", |tx| grants::end(tx, FAMILY.0, NOW)),
        ("session ended", |tx| grants::end(tx, SESSION.0, NOW)),
    ]
}

/// What ends a token through its consents: one of several is enough.
fn lost_consents() -> Vec<Change> {
    vec![
        ("consent deleted", |tx| consents::delete(tx, WRITE_CONSENT)),
        ("consent denied", |tx| {
            let mut consent = consents::find(tx, READ_CONSENT)?.unwrap();
            consent.status = "denied".into();
            consents::update(tx, &consent)
        }),
        ("scope deleted", |tx| {
            assert_eq!(
                tx.execute("DELETE FROM scopes WHERE scope_string = 'urn:read'", params![])?,
                1
            );
            Ok(())
        }),
        ("resource server deleted", |tx| clients::delete(tx, SERVICE)),
        ("no consent at all", |tx| {
            tx.execute("DELETE FROM token_consents", params![])?;
            Ok(())
        }),
    ]
}

db_test!(
    an_active_token_is_found_with_its_identity_and_scopes,
    MIGRATIONS,
    |db| {
        issue(db);
        let token = read(db, |tx| access_tokens::find_active(tx, &hash(1), NOW)).unwrap();
        assert_eq!(
            (
                token.client_id,
                token.identity_id,
                token.resource_server_id,
                token.set_id
            ),
            (APP, ALICE, SERVICE, ALICES_SET)
        );
        assert_eq!(
            (token.issuance_id, token.family_id, token.app_session_id),
            (ISSUANCE, Some(FAMILY), Some(SESSION))
        );
        assert_eq!(token.profile, Profile(5));
        assert_eq!((token.issued_at, token.expires_at), (NOW, after(100)));
        assert_eq!(
            (token.username.as_str(), token.provider_id),
            ("alice@portolan.local", LOCAL)
        );
        assert_eq!(token.scope_string(), "urn:read urn:service:write urn:write");
        assert!(token.has_scope("urn:write") && token.has_scope("urn:service:write") && !token.has_scope("urn"));

        let other = read(db, |tx| access_tokens::find_active(tx, &hash(9), NOW));
        assert!(other.is_none());
    }
);

fn in_full(tx: &mut ReadTx, number: u8) -> Result<Option<FullToken>> {
    Ok(FullToken::from_rows(
        tx.fetch(&access_tokens::active_in_full(&hash(number), NOW))?,
    ))
}

db_test!(a_token_in_full_has_its_session_and_what_is_below_it, MIGRATIONS, |db| {
    issue(db);
    let alone = read(db, |tx| in_full(tx, 1)).unwrap();
    assert!(alone.below.is_empty() && alone.authentications.is_empty());

    let browser = browser(db, 1);
    let first = Authentication::new(ALICE, LOCAL, after(7), &["pwd"]).with_acr(Some("urn:strong".into()));
    let second = Authentication::new(IdentityId::from_u128(0xb0b0b), LOCAL, after(8), &["hwk"]);
    let copied = [second.clone(), first.clone()];
    let children = [
        (ConsentId(201), READ_CONSENT, READ),
        (ConsentId(202), READ_CONSENT, WRITE),
        (ConsentId(203), WRITE_CONSENT, READ),
    ];
    write(db, move |tx| {
        sessions::upsert_app_session(tx, SESSION, browser, APP, NOW, after(100))?;
        sessions::copy_authentications(tx, SESSION, &copied)?;
        for (id, parent, scope) in children {
            let parent = consents::find(tx, parent)?.unwrap();
            let child = Consent::new(id, Some(&parent), ALICE, SERVICE, scope, after(id.0 as u64));
            consents::insert(tx, &child)?;
            consents::insert(
                tx,
                &Consent::new(ConsentId(id.0 + 100), Some(&child), ALICE, SERVICE, WRITE, NOW),
            )?;
        }
        Ok(())
    });
    let full = read(db, |tx| in_full(tx, 1)).unwrap();
    assert_eq!(full.token.scope_string(), "urn:read urn:service:write urn:write");
    assert_eq!(full.authentications, [first, second]);
    let stamps = children.map(|(id, _, _)| (id, after(id.0 as u64)));
    assert_eq!(full.below, stamps, "right below, and no deeper");

    write(db, |tx| {
        let mut denied = consents::find(tx, ConsentId(202))?.unwrap();
        denied.status = "denied".into();
        consents::update(tx, &denied)
    });
    assert_eq!(read(db, |tx| in_full(tx, 1)).unwrap().below, [stamps[0], stamps[2]]);
    assert!(read(db, |tx| in_full(tx, 9)).is_none());
});

db_test!(a_token_has_a_row_for_each_consent_it_rests_on, MIGRATIONS, |db| {
    issue(db);
    assert_eq!(
        read(db, |tx| Ok(tx.fetch(&access_tokens::active(&hash(1), NOW))?)).len(),
        2
    );
    assert_eq!(read(db, |tx| Ok(tx.fetch(&access_tokens::scopes(&hash(2)))?)).len(), 2);
    assert_eq!(
        read(db, |tx| Ok(tx.fetch(&refresh_tokens::by_hash(&hash(2)))?)).len(),
        1
    );
    assert_eq!(read(db, |tx| Ok(tx.fetch(&refresh_tokens::live(&hash(2), NOW))?)), [1]);
    assert!(ActiveToken::from_rows(Vec::new()).is_none() && TokenScope::from_rows(Vec::new()).is_none());
});

db_test!(whatever_a_token_belongs_to_ends_it, MIGRATIONS, |db| {
    issue(db);
    for (cause, end) in causes().into_iter().chain(lost_consents()) {
        let active = in_vain(db, move |tx| {
            end(tx)?;
            let active = access_tokens::find_active(tx, &hash(1), NOW)?.is_some();
            assert_eq!(in_full(tx, 1)?.is_some(), active);
            Ok(active)
        });
        assert!(!active, "{cause}");
    }
    for (cause, end) in causes() {
        let live = in_vain(db, move |tx| {
            end(tx)?;
            refresh_tokens::is_live(tx, &hash(2), NOW)
        });
        assert!(!live, "refresh token: {cause}");
    }
    for (cause, end) in lost_consents() {
        let scopes = in_vain(db, move |tx| {
            end(tx)?;
            access_tokens::live_scopes(tx, &hash(2))
        });
        assert!(scopes.is_none(), "refresh token: {cause}");
    }
    // All of that was rolled back: the tokens were good until the end.
    assert!(read(db, |tx| access_tokens::find_active(tx, &hash(1), NOW)).is_some());
    assert!(read(db, |tx| refresh_tokens::is_live(tx, &hash(2), NOW)));
    assert_eq!(
        read(db, |tx| access_tokens::live_scopes(tx, &hash(2))).unwrap().len(),
        2
    );
});

db_test!(a_token_ends_at_its_time, MIGRATIONS, |db| {
    issue(db);
    for (seconds, expected) in [(99, true), (100, false), (101, false)] {
        let now = after(seconds);
        let active = read(db, move |tx| access_tokens::find_active(tx, &hash(1), now));
        assert_eq!(active.is_some(), expected, "after {seconds} s");
        let live = read(db, move |tx| refresh_tokens::is_live(tx, &hash(2), now));
        assert_eq!(live, expected, "refresh token after {seconds} s");
    }
});

db_test!(revoking_ends_one_access_token_alone, MIGRATIONS, |db| {
    issue(db);
    write(db, |tx| {
        access_tokens::insert(tx, &access(3))?;
        access_tokens::insert_consents(tx, &hash(3), &both_consents())
    });
    write(db, |tx| access_tokens::revoke(tx, &hash(1), NOW));
    assert!(read(db, |tx| access_tokens::find_active(tx, &hash(1), NOW)).is_none());
    assert!(read(db, |tx| access_tokens::find_active(tx, &hash(3), NOW)).is_some());
    // The client is still known: revoking again is not an error of a stranger.
    assert_eq!(read(db, |tx| access_tokens::find_client(tx, &hash(1))), Some(APP));
    assert_eq!(read(db, |tx| access_tokens::find_client(tx, &hash(9))), None);
});

db_test!(a_successor_rests_on_the_consents_of_its_predecessor, MIGRATIONS, |db| {
    issue(db);
    for _ in 0..2 {
        write(db, |tx| {
            refresh_tokens::insert(tx, &refresh(3, 1))?;
            access_tokens::copy_consents(tx, &hash(2), &hash(3))
        });
    }
    let scopes = read(db, |tx| access_tokens::live_scopes(tx, &hash(3))).unwrap();
    let requested: Vec<&str> = scopes.iter().map(|scope| scope.requested.as_str()).collect();
    assert_eq!(requested, ["urn:read", "urn:service:write"]);
});

db_test!(a_refresh_token_is_found_as_it_was_stored, MIGRATIONS, |db| {
    issue(db);
    let found = read(db, |tx| refresh_tokens::find(tx, &hash(2))).unwrap();
    assert_eq!(format!("{found:?}"), format!("{:?}", refresh(2, 0)));
    assert!(read(db, |tx| refresh_tokens::find(tx, &hash(9))).is_none());
});

db_test!(one_rotation_wins, MIGRATIONS, |db| {
    issue(db);
    let rotate = |seconds| write(db, move |tx| refresh_tokens::rotate(tx, &hash(2), after(seconds)));
    assert!(rotate(1));
    assert!(!rotate(2));
    let rotated_at = read(db, |tx| refresh_tokens::find(tx, &hash(2))).unwrap().rotated_at;
    assert_eq!(rotated_at, Some(after(1)), "the loser changes nothing");
    assert!(!write(db, |tx| refresh_tokens::rotate(tx, &hash(9), NOW)));

    // Whether it may still be used is the grant's decision; here it is live.
    assert!(read(db, |tx| refresh_tokens::is_live(tx, &hash(2), NOW)));
    execute(
        db,
        "UPDATE refresh_tokens SET revoked_at = 1, rotated_at = NULL",
        params![],
    );
    assert!(!write(db, |tx| refresh_tokens::rotate(tx, &hash(2), NOW)), "revoked");
    assert!(!read(db, |tx| refresh_tokens::is_live(tx, &hash(2), NOW)));
});

db_test!(a_family_has_one_token_that_was_not_rotated, MIGRATIONS, |db| {
    issue(db);
    write(db, |tx| {
        refresh_tokens::rotate(tx, &hash(2), NOW)?;
        refresh_tokens::insert(tx, &refresh(3, 1))
    });
    assert_eq!(read(db, |tx| refresh_tokens::count_unrotated(tx, FAMILY)), 1);
    let used_at = |number| {
        read(db, move |tx| refresh_tokens::find(tx, &hash(number)))
            .unwrap()
            .successor_used_at
    };
    for seconds in [5, 6] {
        let now = after(seconds);
        write(db, move |tx| refresh_tokens::mark_successor_used(tx, FAMILY, 0, now));
    }
    assert_eq!(used_at(2), Some(after(5)), "the first use counts");
    assert_eq!(used_at(3), None, "another generation");
});

db_test!(the_idle_clock_restarts_at_most_once_a_day, MIGRATIONS, |db| {
    issue(db);
    let day = 86_400;
    for (seconds, expected) in [(day, NOW), (day + 1, after(day + 1)), (day + 2, after(day + 1))] {
        let now = after(seconds);
        write(db, move |tx| {
            refresh_tokens::touch(tx, &hash(2), now, now + Duration::from_secs(7))
        });
        let token = read(db, |tx| refresh_tokens::find(tx, &hash(2))).unwrap();
        assert_eq!(token.idle_since, expected, "after {seconds} s");
        if expected != NOW {
            assert_eq!(token.expires_at, expected + Duration::from_secs(7));
        }
    }
});

db_test!(what_is_ended_stays_ended, MIGRATIONS, |db| {
    let id = Uuid::from_u128(7);
    assert!(!read(db, move |tx| grants::is_ended(tx, id)));
    for _ in 0..2 {
        write(db, move |tx| grants::end(tx, id, NOW));
    }
    assert!(read(db, move |tx| grants::is_ended(tx, id)));
    assert!(!read(db, |tx| grants::is_ended(tx, Uuid::from_u128(8))));
});
