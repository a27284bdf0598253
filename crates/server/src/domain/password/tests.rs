use proptest::prelude::*;

use super::*;

/// Cheap, so that tests are quick; the real cost has a test of its own.
const CHEAP: Cost = Cost {
    memory_kib: 64,
    iterations: 1,
    lanes: 1,
};

fn cheap() -> Hasher {
    Hasher::new(&Settings {
        cost: CHEAP,
        parallel: 2,
        waiting: 100,
    })
}

fn secret(text: &str) -> Secret {
    Secret::new(text)
}

const RIGHT: Verified = Verified {
    ok: true,
    needs_rehash: false,
};
const WRONG: Verified = Verified {
    ok: false,
    needs_rehash: false,
};

#[tokio::test]
async fn only_the_very_password_passes() {
    let hasher = cheap();
    let stored = hasher.hash(secret("correct horse battery staple")).await.unwrap();

    assert_eq!(
        hasher
            .verify(&stored, secret("correct horse battery staple"))
            .await
            .unwrap(),
        RIGHT
    );
    for other in [
        "",
        "correct horse battery stapl",
        "correct horse battery staple ",
        "Correct horse battery staple",
    ] {
        assert_eq!(hasher.verify(&stored, secret(other)).await.unwrap(), WRONG, "{other}");
    }
}

#[tokio::test]
async fn the_form_says_algorithm_and_cost_and_salts_differ() {
    let hasher = Hasher::new(&Settings::default());
    let first = hasher.hash(secret("correct horse battery staple")).await.unwrap();
    let second = hasher.hash(secret("correct horse battery staple")).await.unwrap();
    assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
    assert_ne!(first, second);
    assert_eq!(
        hasher
            .verify(&first, secret("correct horse battery staple"))
            .await
            .unwrap(),
        RIGHT
    );
}

#[tokio::test]
async fn hashes_of_other_costs_pass_and_are_to_be_replaced() {
    let stored = cheap().hash(secret("correct horse battery staple")).await.unwrap();
    let dearer = Hasher::new(&Settings {
        cost: Cost { iterations: 2, ..CHEAP },
        parallel: 1,
        waiting: 1,
    });

    let verified = dearer
        .verify(&stored, secret("correct horse battery staple"))
        .await
        .unwrap();
    assert_eq!(
        verified,
        Verified {
            ok: true,
            needs_rehash: true
        }
    );
    assert_eq!(dearer.verify(&stored, secret("wrong")).await.unwrap(), WRONG);
}

#[tokio::test]
async fn hashes_of_another_variant_pass_and_are_to_be_replaced() {
    let password = "correct horse battery staple";
    for (algorithm, version, memory_kib, needs_rehash) in [
        (Algorithm::Argon2id, Version::V0x13, 64, false),
        (Algorithm::Argon2i, Version::V0x13, 64, true),
        (Algorithm::Argon2id, Version::V0x10, 64, true),
        (Algorithm::Argon2id, Version::V0x13, 128, true),
    ] {
        let params = Params::new(memory_kib, 1, 1, None).unwrap();
        let argon2 = Argon2::new(algorithm, version, params);
        let stored = argon2.hash_password_with_salt(password.as_bytes(), &[7; 16]).unwrap();
        let verified = cheap().verify(&stored.to_string(), secret(password)).await.unwrap();
        assert_eq!(verified, Verified { ok: true, needs_rehash }, "{stored}");
    }
}

#[tokio::test]
async fn nobody_never_logs_in_and_costs_as_much() {
    let hasher = cheap();
    let stored = PasswordHash::new(&hasher.hash(secret("x")).await.unwrap()).unwrap();
    let nobody = &hasher.0.nobody;
    assert_eq!(
        (&nobody.algorithm, &nobody.version, &nobody.params),
        (&stored.algorithm, &stored.version, &stored.params)
    );
    assert_eq!(nobody.hash.unwrap().len(), stored.hash.unwrap().len());
    assert_eq!(
        hasher
            .verify_nobody(secret("correct horse battery staple"))
            .await
            .unwrap(),
        WRONG
    );
    assert_eq!(hasher.verify_nobody(secret("")).await.unwrap(), WRONG);
}

#[tokio::test]
async fn a_stored_text_of_another_form_is_our_fault_not_the_callers() {
    for stored in [
        "",
        "secret",
        "$argon2id$v=19$m=64,t=1,p=1",
        "$argon2id$v=19$m=64,t=1,p=1$c2FsdCBhbmQgcGVwcGVy",
        "$2b$12$abcdefghijklmnopqrstuv",
    ] {
        let verified = cheap().verify(stored, secret("x")).await;
        assert!(
            matches!(verified, Err(PasswordError::Stored(_) | PasswordError::Hashing(_))),
            "{stored}: {verified:?}"
        );
    }
}

#[tokio::test]
async fn key_presses_count_not_code_points() {
    let hasher = cheap();
    let composed = hasher.hash(secret("Zürich-Genève-Åland")).await.unwrap();
    let decomposed: String = "Zürich-Genève-Åland".nfd().collect();
    assert_ne!(decomposed, "Zürich-Genève-Åland");
    assert_eq!(hasher.verify(&composed, secret(&decomposed)).await.unwrap(), RIGHT);
}

#[tokio::test]
async fn nothing_is_cut_off_and_too_long_is_refused_before_hashing() {
    let hasher = cheap();
    let longest = "ä".repeat(MAXIMUM);
    let stored = hasher.hash(secret(&longest)).await.unwrap();
    assert_eq!(hasher.verify(&stored, secret(&longest)).await.unwrap(), RIGHT);
    assert_eq!(hasher.verify(&stored, secret(&longest[2..])).await.unwrap(), WRONG);

    let too_long = format!("{longest}ä");
    hasher.0.running.close();
    assert!(matches!(
        hasher.hash(secret(&too_long)).await,
        Err(PasswordError::TooLong)
    ));
    assert_eq!(hasher.verify(&stored, secret(&too_long)).await.unwrap(), WRONG);
    assert_eq!(hasher.verify_nobody(secret(&too_long)).await.unwrap(), WRONG);
    assert_eq!(hasher.verify_nobody(secret(&"a".repeat(100_000))).await.unwrap(), WRONG);
}

#[tokio::test]
async fn a_full_queue_turns_callers_away_and_empties_again() {
    let hasher = Hasher::new(&Settings {
        cost: CHEAP,
        parallel: 1,
        waiting: 2,
    });
    let stored = hasher.hash(secret("correct horse battery staple")).await.unwrap();
    let held = hasher.0.running.clone().acquire_owned().await.unwrap();

    let mut waiting = Vec::new();
    for _ in 0..3 {
        let (hasher, stored) = (hasher.clone(), stored.clone());
        waiting.push(tokio::spawn(async move { hasher.verify(&stored, secret("x")).await }));
    }
    while hasher.0.admission.available_permits() > 0 {
        assert!(waiting.iter().all(|task| !task.is_finished()), "they wait");
        tokio::task::yield_now().await;
    }
    assert!(matches!(hasher.hash(secret("y")).await, Err(PasswordError::Busy)));

    // Who gives up makes room.
    waiting.pop().unwrap().abort();
    while hasher.0.admission.available_permits() == 0 {
        tokio::task::yield_now().await;
    }
    drop(held);
    for task in waiting {
        assert_eq!(task.await.unwrap().unwrap(), WRONG);
    }
    assert_eq!(hasher.0.admission.available_permits(), 3);
    assert_eq!(hasher.verify_nobody(secret("z")).await.unwrap(), WRONG);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_free_a_place_while_its_hash_runs() {
    let hasher = Hasher::new(&Settings {
        cost: CHEAP,
        parallel: 1,
        waiting: 0,
    });
    let (started, has_started) = std::sync::mpsc::channel();
    let (finish, may_finish) = std::sync::mpsc::channel::<()>();
    let caller = {
        let hasher = hasher.clone();
        tokio::spawn(async move {
            hasher
                .run(move |_| {
                    started.send(()).unwrap();
                    may_finish.recv().unwrap();
                    Ok(())
                })
                .await
        })
    };
    tokio::task::spawn_blocking(move || has_started.recv().unwrap())
        .await
        .unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    assert!(matches!(hasher.hash(secret("x")).await, Err(PasswordError::Busy)));
    finish.send(()).unwrap();
    while hasher.0.admission.available_permits() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(hasher.hash(secret("x")).await.is_ok());
}

#[tokio::test]
async fn a_panic_is_an_error_and_gives_its_place_back() {
    let hasher = Hasher::new(&Settings {
        cost: CHEAP,
        parallel: 1,
        waiting: 0,
    });
    let result: Result<(), _> = hasher.run(|_| panic!("on purpose")).await;
    assert!(matches!(result, Err(PasswordError::Aborted)));
    assert!(hasher.hash(secret("x")).await.is_ok());
}

const CONTEXT: [&str; 4] = [
    "rdoe@example.edu",
    "Robin Doe-Smith",
    "robin.doe@mail.example.org",
    "Portolan",
];

fn check(password: &str) -> Result<(), Weakness> {
    check_strength(&secret(password), Factors::PasswordAlone, &CONTEXT)
}

#[test]
fn length_is_counted_in_characters_after_normalising() {
    let short = Err(Weakness::TooShort { minimum: 15 });
    assert_eq!(check("kV9#tz!mQ2xW7b"), short);
    assert_eq!(check("kV9#tz!mQ2xW7bR"), Ok(()));
    // 14 characters in 18 code points.
    assert_eq!(check(&"kV9ütöämQ2xW7é".nfd().collect::<String>()), short);
    assert_eq!(check("🦀🌊🧭🗺️⚓🐙🪸🐚🦑🐡🦈🐋🌅🏝"), Ok(()));
    assert_eq!(check(""), short);
    let eight = check_strength(&secret("kV9#tz!m"), Factors::WithSecondFactor, &CONTEXT);
    assert_eq!(eight, Ok(()));
    for guessable in ["password", "passw0rd1", "qwertyui", "20061987", "aaaaaaaa", "abcdefgh"] {
        let weakness = check_strength(&secret(guessable), Factors::WithSecondFactor, &CONTEXT);
        assert!(
            matches!(weakness, Err(Weakness::Guessable { .. })),
            "{guessable}: {weakness:?}"
        );
    }
    let seven = check_strength(&secret("kV9#tz!"), Factors::WithSecondFactor, &CONTEXT);
    assert_eq!(seven, Err(Weakness::TooShort { minimum: 8 }));
    let long: String = "correct horse battery staple ".chars().cycle().take(MAXIMUM).collect();
    assert_eq!(check(&long), Ok(()));
    assert_eq!(check(&format!("{long}x")), Err(Weakness::TooLong));
}

#[test]
fn good_passwords_are_accepted_without_composition_rules() {
    for password in [
        "correct horse battery staple",
        "seven lamps beneath the harbour",
        "vier alte schiffe im nebel",
        "kein-Wind-und-kein-Segel",
        "九つの灯台と古い海図がある夜の港",
        "tr9mwk2zq8vxh4b",
        "robin flies over quiet lagoons",
        "an example of maritime folly",
    ] {
        assert_eq!(check(password), Ok(()), "{password}");
    }
}

#[test]
fn guessable_passwords_are_refused() {
    for password in [
        "passwordpassword",
        "password1234567",
        "123456789012345",
        "1234567890123456789",
        "aaaaaaaaaaaaaaaaaaaa",
        "abcabcabcabcabcabc",
        "abcdefghijklmnop",
        "qwertyuiopasdfgh",
        "qwertyuiop123456",
        "1qaz2wsx3edc4rfv",
        "iloveyouiloveyou",
        "iloveyou12345678",
        "letmeinletmeinletmein",
        "P@ssw0rdP@ssw0rd",
        "000000000000000",
        "1q2w3e4r5t6y7u8i",
        "asdfghjklasdfghjkl",
        "qwertyqwertyqwerty",
        "monkeymonkeymonkey",
        "zxcvbnmzxcvbnmzxcvbnm",
    ] {
        let weakness = check(password).expect_err(password);
        assert!(
            matches!(weakness, Weakness::Guessable { .. }),
            "{password}: {weakness:?}"
        );
    }
}

#[test]
fn what_others_know_of_the_person_is_no_password() {
    for password in [
        "rdoe@example.edu",
        "robin.doe@mail.example.org",
        "RobinDoe-Portolan-2026!",
        "portolanportolan",
        "Portolan1234567890",
        "RobinRobinRobinRobin",
        "robin-doe-smith-1",
        "doesmith.example.1999",
    ] {
        let weakness = check(password).expect_err(password);
        assert!(matches!(weakness, Weakness::Context { .. }), "{password}: {weakness:?}");
    }
}

#[test]
fn half_a_password_has_to_be_left_beside_known_words() {
    let words = ["portolan".to_owned()];
    for (password, minimum, enough) in [
        ("portolan2026kvtzmqx", 15, true),
        ("portolan2026kvtzmq", 15, false),
        ("portolan-kvtz", 8, true),
        ("portolan-kvt", 8, false),
        ("kvt", 8, true),
    ] {
        assert_eq!(check_context(password, &words, minimum).is_ok(), enough, "{password}");
    }
}

#[test]
fn short_parts_of_names_do_not_forbid_words() {
    let password = secret("a meadow in late october");
    assert_eq!(
        check_strength(&password, Factors::PasswordAlone, &["li", "a@b.org", "  ", ""]),
        Ok(())
    );
}

#[test]
fn a_weakness_is_a_sentence_without_the_password() {
    for password in ["short", "passwordpassword", "portolanportolan", &"x".repeat(2000)] {
        let sentence = check(password).expect_err(password).to_string();
        assert!(
            sentence.ends_with('.') && sentence.starts_with(char::is_uppercase),
            "{sentence}"
        );
        assert!(!sentence.contains(password), "{sentence}");
    }
}

proptest! {
    #[test]
    fn any_text_is_judged_without_a_panic(password in "\\PC{0,40}", word in "\\PC{0,12}") {
        let checked = check_strength(&secret(&password), Factors::WithSecondFactor, &[&word]);
        if password.nfc().count() < 8 {
            prop_assert_eq!(checked, Err(Weakness::TooShort { minimum: 8 }));
        }
    }
}
