//! What works once: authorization codes, parked requests, one-time links.

#![expect(clippy::unwrap_used, reason = "tests")]

use portolan_db::{db_test, params};
use portolan_types::AppSessionId;
use portolan_types::id::IssuanceId;
use uuid::Uuid;

use super::*;
use crate::store::authorization_codes::{AuthorizationCode, NewCode};
use crate::store::authorization_requests::{PER_BROWSER, Parked};
use crate::store::{MIGRATIONS, authorization_codes, authorization_requests, grants, links};

fn insert_code(db: &Db, number: u8, code_challenge: Option<&'static str>) {
    write(db, move |tx| {
        authorization_codes::insert(
            tx,
            &NewCode {
                hash: hash(number),
                client_id: APP,
                identity_id: ALICE,
                identity_generation: 3,
                issuance_id: IssuanceId::from_u128(1),
                app_session_id: AppSessionId::from_u128(2),
                redirect_uri: "https://app.example/cb?a=b%20c",
                code_challenge,
                scope: "urn:write urn:read",
                granted: &[(WRITE_CONSENT, "urn:write".into()), (READ_CONSENT, "urn:read".into())],
                offline: true,
                nonce: Some("n-0S6_WzA2Mj"),
                state: None,
                auth_time: NOW,
                auth_time_requested: true,
                issued_at: NOW,
                expires_at: after(60),
            },
        )
    });
}

fn find_code(db: &Db, number: u8) -> Option<AuthorizationCode> {
    read(db, move |tx| {
        Ok(tx.fetch(&authorization_codes::by_hash(&hash(number)))?.pop())
    })
}

db_test!(a_code_comes_back_as_it_was_issued, MIGRATIONS, |db| {
    populate(db);
    insert_code(db, 1, Some("challenge"));
    let code = find_code(db, 1).unwrap();
    assert_eq!(
        (code.client_id, code.identity_id, code.identity_generation),
        (APP, ALICE, 3)
    );
    assert_eq!(
        (code.issuance_id, code.app_session_id),
        (IssuanceId::from_u128(1), AppSessionId::from_u128(2))
    );
    assert_eq!(code.redirect_uri, "https://app.example/cb?a=b%20c");
    assert_eq!(code.code_challenge.as_deref(), Some("challenge"));
    assert_eq!(code.scope, "urn:write urn:read");
    assert_eq!(
        code.granted(),
        [(WRITE_CONSENT, "urn:write".into()), (READ_CONSENT, "urn:read".into())]
    );
    assert_eq!(
        authorization_codes::encode_granted(&code.granted()),
        r#"[[102,"urn:write"],[101,"urn:read"]]"#
    );
    assert!(code.offline && code.auth_time_requested);
    assert_eq!((code.nonce.as_deref(), code.state), (Some("n-0S6_WzA2Mj"), None));
    assert_eq!(
        (code.auth_time, code.issued_at, code.expires_at, code.consumed_at),
        (NOW, NOW, after(60), None)
    );
    assert!(find_code(db, 2).is_none());
});

db_test!(a_code_knows_whether_its_person_is_still_the_same, MIGRATIONS, |db| {
    populate(db);
    insert_code(db, 1, None);
    let stands = || find_code(db, 1).unwrap().person_stands;
    let set = |sql: &'static str| {
        write(db, move |tx| {
            tx.execute(sql, params![])?;
            Ok(())
        });
    };
    assert!(!stands(), "another generation");
    set(
        "UPDATE authorization_codes SET identity_generation = (SELECT generation FROM identities WHERE id = identity_id)",
    );
    assert!(stands());
    for (change, back) in [
        ("UPDATE identities SET enabled = 0", "UPDATE identities SET enabled = 1"),
        (
            "UPDATE identities SET status = 'closed'",
            "UPDATE identities SET status = 'used'",
        ),
        (
            "UPDATE identity_providers SET enabled = 0",
            "UPDATE identity_providers SET enabled = 1",
        ),
    ] {
        set(change);
        assert!(!stands(), "{change}");
        set(back);
        assert!(stands(), "{back}");
    }
    write(db, |tx| grants::end(tx, Uuid::from_u128(2), NOW));
    assert!(!stands(), "its session was ended");
});

db_test!(a_code_is_consumed_once_and_before_its_end, MIGRATIONS, |db| {
    populate(db);
    insert_code(db, 1, None);
    insert_code(db, 2, None);
    let consume = |number, seconds| {
        write(db, move |tx| {
            authorization_codes::consume(tx, &hash(number), after(seconds))
        })
    };
    assert!(consume(1, 59));
    assert!(!consume(1, 59));
    assert!(!consume(2, 60), "it has expired");
    assert!(!consume(3, 0), "it never was");
    let code = find_code(db, 1).unwrap();
    assert_eq!(code.consumed_at, Some(after(59)), "a replay must be recognisable");
    assert_eq!(find_code(db, 2).unwrap().consumed_at, None);
});

fn parked(number: u128, seconds: u64) -> Parked {
    Parked {
        id: Uuid::from_u128(number),
        client_id: APP,
        parameters: r#"{"scope":"urn:read"}"#.into(),
        parked_at: after(seconds),
        authenticated_at: None,
        page_shown: false,
        decision: None,
        logins: Vec::new(),
    }
}

fn park(db: &Db, session: BrowserSessionId, request: Parked) -> bool {
    write(db, move |tx| {
        authorization_requests::insert(tx, &request, session, request.parked_at + Duration::from_secs(100))
    })
}

db_test!(
    a_parked_request_belongs_to_its_browser_until_its_end,
    MIGRATIONS,
    |db| {
        populate(db);
        let (mine, other) = (browser(db, 1), browser(db, 2));
        assert!(park(db, mine, parked(7, 0)));
        let find = |session, seconds| {
            read(db, move |tx| {
                authorization_requests::find(tx, Uuid::from_u128(7), session, after(seconds))
            })
        };
        assert_eq!(format!("{:?}", find(mine, 99).unwrap()), format!("{:?}", parked(7, 0)));
        assert!(find(other, 0).is_none(), "another browser");
        assert!(find(mine, 100).is_none(), "expired");
    }
);

db_test!(
    a_parked_request_remembers_its_steps_and_is_answered_once,
    MIGRATIONS,
    |db| {
        populate(db);
        let session = browser(db, 1);
        let id = Uuid::from_u128(7);
        park(db, session, parked(7, 0));
        park(db, session, parked(8, 0));
        let find = |id| read(db, move |tx| authorization_requests::find(tx, id, session, NOW));

        write(db, move |tx| {
            authorization_requests::mark_authenticated(tx, id, SERVICE.identity(), after(4))?;
            authorization_requests::mark_authenticated(tx, id, ALICE, after(5))
        });
        let request = find(id).unwrap();
        assert_eq!(
            (request.authenticated_at, request.page_shown, request.decision),
            (Some(after(5)), true, None)
        );
        assert_eq!(request.logins, [SERVICE.identity(), ALICE], "in their order");
        write(db, move |tx| authorization_requests::decide(tx, id, "allow"));
        assert_eq!(find(id).unwrap().decision.as_deref(), Some("allow"));
        let untouched = find(Uuid::from_u128(8)).unwrap();
        assert_eq!(
            (untouched.authenticated_at, untouched.page_shown, untouched.decision),
            (None, false, None)
        );

        assert!(write(db, move |tx| authorization_requests::consume(tx, id)));
        assert!(!write(db, move |tx| authorization_requests::consume(tx, id)));
        assert!(find(id).is_none());
        assert!(find(Uuid::from_u128(8)).is_some());
    }
);

db_test!(the_oldest_request_of_a_browser_gives_way, MIGRATIONS, |db| {
    populate(db);
    let (mine, other) = (browser(db, 1), browser(db, 2));
    assert!(park(db, other, parked(1000, 0)));
    let most = u64::try_from(PER_BROWSER).unwrap();
    for number in 0..=most {
        assert!(park(db, mine, parked(number.into(), number)));
    }
    let find = |number, session| {
        read(db, move |tx| {
            authorization_requests::find(tx, Uuid::from_u128(number), session, NOW)
        })
        .is_some()
    };
    assert!(!find(0, mine), "one too many: the oldest went");
    assert!((1..=u128::from(most)).all(|number| find(number, mine)));
    assert!(find(1000, other), "another browser's requests stay");
});

db_test!(a_link_is_for_one_purpose_and_one_use, MIGRATIONS, |db| {
    write(db, |tx| {
        links::insert(tx, &hash(1), links::FIRST_ADMINISTRATOR, NOW, after(60))?;
        links::insert(tx, &hash(2), links::FIRST_ADMINISTRATOR, NOW, after(60))?;
        links::insert(tx, &hash(3), "other", NOW, after(60))
    });
    let live = |number, purpose: &'static str, seconds| {
        read(db, move |tx| links::is_live(tx, &hash(number), purpose, after(seconds)))
    };
    let consume = |number, purpose: &'static str, seconds| {
        write(db, move |tx| links::consume(tx, &hash(number), purpose, after(seconds)))
    };
    assert!(live(1, links::FIRST_ADMINISTRATOR, 59));
    assert!(!live(1, links::FIRST_ADMINISTRATOR, 60), "expired");
    assert!(!live(1, "other", 0), "another purpose");
    assert!(!consume(1, "other", 0));
    assert!(!consume(2, links::FIRST_ADMINISTRATOR, 60));
    assert!(consume(1, links::FIRST_ADMINISTRATOR, 59));
    assert!(!consume(1, links::FIRST_ADMINISTRATOR, 59));
    assert!(!live(1, links::FIRST_ADMINISTRATOR, 0));

    write(db, |tx| links::delete_by_purpose(tx, links::FIRST_ADMINISTRATOR));
    assert!(!live(2, links::FIRST_ADMINISTRATOR, 0));
    assert!(live(3, "other", 0));
    let left = execute(db, "DELETE FROM one_time_links", params![]);
    assert_eq!(left, 1);
});
