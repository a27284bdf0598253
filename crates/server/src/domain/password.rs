//! Passwords of local accounts: which are accepted, and how they are kept.
//!
//! Argon2id with 19 MiB is meant to be slow, so it runs on blocking threads behind a
//! bounded queue: a storm of log-ins fills the queue and is turned away, it exhausts
//! neither memory nor the threads that serve everybody else. An unknown account costs
//! the same hash as a known one, or the time would tell which accounts exist.
//!
//! Passwords are normalised to Unicode NFC before anything else: the same key presses
//! give different code points on different systems. Rules follow NIST SP 800-63B:
//! length, no composition rules, nothing guessable, nothing made of the person's name.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use portolan_types::Secret;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;
use zxcvbn::feedback::Warning;
use zxcvbn::{Score, zxcvbn};

use crate::app::random_bytes;
use crate::error::Error;
use crate::texts::{Language, Words, words};

/// A password alone.
pub const MINIMUM_ALONE: usize = 15;
/// A password beside a second factor.
pub const MINIMUM_WITH_SECOND_FACTOR: usize = 8;
/// Far more than anybody types, little enough to hash. Nothing is ever cut off.
pub const MAXIMUM: usize = 1024;

/// Normalising gives at least one code point for twelve bytes or so; above this size it
/// is not worth trying.
const MAXIMUM_BYTES: usize = 16 * MAXIMUM;

/// When a caller who was turned away should try again.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            iterations: 2,
            lanes: 1,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub cost: Cost,
    /// Hashes at the same time; each takes its memory and a core.
    pub parallel: usize,
    /// Callers that wait for one; the next is turned away.
    pub waiting: usize,
}

/// As many hashes as cores, and a queue that is worked off within about a second.
impl Default for Settings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        Self {
            cost: Cost::default(),
            parallel: cores,
            waiting: 64 * cores,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    #[error("too many log-ins at this moment; try again")]
    Busy,
    /// Before any hashing: `check_length` tells it in time for a new password.
    #[error("a password has at most {MAXIMUM} characters")]
    TooLong,
    #[error("the stored password hash cannot be read: {0}")]
    Stored(argon2::password_hash::phc::Error),
    #[error("hashing failed: {0}")]
    Hashing(argon2::password_hash::Error),
    #[error("hashing ended early")]
    Aborted,
}

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Error::unavailable("too many log-ins at this moment; try again")
                .said(words("error-many-passwords"))
                .retry_after(RETRY_AFTER),
            PasswordError::TooLong => Error::invalid_request(Weakness::TooLong.to_string()),
            other => Error::internal(other),
        }
    }
}

/// The answer to a log-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub ok: bool,
    /// The password is right and kept with other costs than today's: hash it again.
    pub needs_rehash: bool,
}

/// Hashes passwords, a bounded number at a time. Cheap to clone.
#[derive(Clone)]
pub struct Hasher(Arc<Shared>);

struct Shared {
    argon2: Argon2<'static>,
    /// Well-formed, of today's cost, and the hash of nothing.
    nobody: PasswordHash,
    /// Places for those who hash or wait.
    admission: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

/// Both go back when the hash is done, not when its caller has gone: a blocking thread
/// cannot be stopped.
struct Permits {
    _admission: OwnedSemaphorePermit,
    _running: OwnedSemaphorePermit,
}

impl Hasher {
    /// Panics if the cost is outside what Argon2 allows; settings are checked at the start.
    pub fn new(settings: &Settings) -> Self {
        let Cost {
            memory_kib,
            iterations,
            lanes,
        } = settings.cost;
        let params = Params::new(memory_kib, iterations, lanes, None).expect("the cost is in the range of Argon2");
        let parallel = settings.parallel.max(1);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
        let nobody = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: (&params).try_into().expect("parameters of Argon2 can be written"),
            salt: Some(Salt::new(&[0; 16]).expect("16 bytes are a salt")),
            hash: Some(Output::new(&[0; Params::DEFAULT_OUTPUT_LEN]).expect("32 bytes are an output")),
        };
        Self(Arc::new(Shared {
            argon2,
            nobody,
            admission: Arc::new(Semaphore::new(parallel + settings.waiting)),
            running: Arc::new(Semaphore::new(parallel)),
        }))
    }

    /// The PHC string of a new password (`$argon2id$v=19$…`), with a salt of its own.
    pub async fn hash(&self, password: Secret) -> Result<String, PasswordError> {
        let password = normalise(&password).ok_or(PasswordError::TooLong)?;
        self.run(move |shared| {
            let salt = random_bytes::<16>();
            let hash = shared.argon2.hash_password_with_salt(password.as_bytes(), &salt);
            hash.map(|hash| hash.to_string()).map_err(PasswordError::Hashing)
        })
        .await
    }

    pub async fn verify(&self, stored: &str, password: Secret) -> Result<Verified, PasswordError> {
        let stored = PasswordHash::new(stored).map_err(PasswordError::Stored)?;
        // A hash stands behind a salt, so that is there as well.
        if stored.hash.is_none() {
            return Err(PasswordError::Stored(argon2::password_hash::phc::Error::MissingField));
        }
        self.verify_against(stored, password).await
    }

    /// For an account that does not exist: takes as long as the real thing, and fails.
    pub async fn verify_nobody(&self, password: Secret) -> Result<Verified, PasswordError> {
        self.verify_against(self.0.nobody.clone(), password).await?;
        // Whoever finds a password with the hash zero still is nobody.
        Ok(Verified {
            ok: false,
            needs_rehash: false,
        })
    }

    async fn verify_against(&self, stored: PasswordHash, password: Secret) -> Result<Verified, PasswordError> {
        let Some(password) = normalise(&password) else {
            return Ok(Verified {
                ok: false,
                needs_rehash: false,
            });
        };
        self.run(
            move |shared| match shared.argon2.verify_password(password.as_bytes(), &stored) {
                Ok(()) => Ok(Verified {
                    ok: true,
                    needs_rehash: shared.is_outdated(&stored),
                }),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verified {
                    ok: false,
                    needs_rehash: false,
                }),
                Err(error) => Err(PasswordError::Hashing(error)),
            },
        )
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let admission = self
            .0
            .admission
            .clone()
            .try_acquire_owned()
            .map_err(|_| PasswordError::Busy)?;
        let running = self
            .0
            .running
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| PasswordError::Aborted)?;
        let permits = Permits {
            _admission: admission,
            _running: running,
        };
        let shared = self.0.clone();
        let task = tokio::task::spawn_blocking(move || {
            let result = work(&shared);
            drop(permits);
            result
        });
        task.await.map_err(|_| PasswordError::Aborted)?
    }
}

impl Shared {
    fn is_outdated(&self, stored: &PasswordHash) -> bool {
        stored.algorithm != self.nobody.algorithm
            || stored.version != self.nobody.version
            || stored.params != self.nobody.params
    }
}

/// What is hashed and counted; `None` if it is too long.
fn normalise(password: &Secret) -> Option<Zeroizing<String>> {
    let text = password.expose();
    if text.len() > MAXIMUM_BYTES {
        return None;
    }
    // Room for the largest growth under NFC, so that no copy is left behind in memory.
    let mut normal = Zeroizing::new(String::with_capacity(3 * text.len()));
    normal.extend(text.nfc());
    (normal.chars().count() <= MAXIMUM).then_some(normal)
}

/// What stands beside a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factors {
    PasswordAlone,
    WithSecondFactor,
}

impl Factors {
    pub const fn minimum(self) -> usize {
        match self {
            Factors::PasswordAlone => MINIMUM_ALONE,
            Factors::WithSecondFactor => MINIMUM_WITH_SECOND_FACTOR,
        }
    }

    /// Eight characters out of a generator reach two of four, so more cannot be asked of
    /// a password that does not protect alone.
    const fn score(self) -> Score {
        match self {
            Factors::PasswordAlone => Score::Three,
            Factors::WithSecondFactor => Score::Two,
        }
    }
}

/// Why a new password is not accepted; prints a sentence for its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Weakness {
    TooShort {
        minimum: usize,
    },
    TooLong,
    /// Made of the name of the person or of this service.
    Context {
        word: String,
    },
    /// The message that says why.
    Guessable {
        reason: &'static str,
    },
}

impl Weakness {
    pub fn words(&self) -> Words {
        match self {
            Weakness::TooShort { minimum } => words("password-too-short").arg("minimum", minimum),
            Weakness::TooLong => words("password-too-long").arg("maximum", MAXIMUM),
            Weakness::Context { word } => words("password-context").arg("word", word),
            Weakness::Guessable { reason } => words(reason),
        }
    }
}

/// In English, for the command line.
impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&Language::En.words(&self.words()))
    }
}

impl std::error::Error for Weakness {}

/// Whether a new password may be used. `context` holds what others know: the username,
/// names, the e-mail address, the name of this service. Takes about a millisecond.
pub fn check_strength(password: &Secret, factors: Factors, context: &[&str]) -> Result<(), Weakness> {
    let password = normalise(password).ok_or(Weakness::TooLong)?;
    let minimum = factors.minimum();
    if password.chars().count() < minimum {
        return Err(Weakness::TooShort { minimum });
    }
    let words = context_words(context);
    check_context(&password, &words, minimum)?;
    check_guesses(&password, &words, factors)
}

/// Each name as a whole and in its parts, longest first: `rdoe@example.edu`, `example`, `rdoe`.
fn context_words(context: &[&str]) -> Vec<String> {
    let mut words: Vec<String> = context
        .iter()
        .flat_map(|name| std::iter::once(*name).chain(name.split(|letter: char| !letter.is_alphanumeric())))
        .map(|word| word.nfc().collect::<String>().to_lowercase())
        // Shorter parts are in too many words to say anything.
        .filter(|word| word.chars().count() >= 3)
        .collect();
    words.sort_by_key(|word| std::cmp::Reverse(word.len()));
    words.dedup();
    words
}

/// Without the known words, digits and signs between them, enough must be left to be a
/// password by itself. A known word among others does no harm.
fn check_context(password: &str, words: &[String], minimum: usize) -> Result<(), Weakness> {
    let mut rest = Zeroizing::new(password.to_lowercase());
    let mut found = None;
    for word in words {
        if rest.contains(word.as_str()) {
            // A separator, or what is left and right would join to another word.
            rest = Zeroizing::new(rest.replace(word.as_str(), " "));
            found = found.or(Some(word));
        }
    }
    let Some(word) = found else { return Ok(()) };
    let letters = rest.chars().filter(|letter| letter.is_alphabetic()).count();
    if letters < minimum / 2 {
        return Err(Weakness::Context { word: word.clone() });
    }
    Ok(())
}

fn check_guesses(password: &str, words: &[String], factors: Factors) -> Result<(), Weakness> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let estimate = zxcvbn(password, &words);
    if estimate.score() >= factors.score() {
        return Ok(());
    }
    let reason = match estimate.feedback().and_then(|feedback| feedback.warning()) {
        Some(Warning::StraightRowsOfKeysAreEasyToGuess | Warning::ShortKeyboardPatternsAreEasyToGuess) => {
            "password-keys"
        }
        Some(Warning::RepeatsLikeAaaAreEasyToGuess | Warning::RepeatsLikeAbcAbcAreOnlySlightlyHarderToGuess) => {
            "password-repeats"
        }
        Some(Warning::SequencesLikeAbcAreEasyToGuess) => "password-sequence",
        Some(
            Warning::ThisIsATop10Password
            | Warning::ThisIsATop100Password
            | Warning::ThisIsACommonPassword
            | Warning::ThisIsSimilarToACommonlyUsedPassword,
        ) => "password-common",
        Some(Warning::RecentYearsAreEasyToGuess | Warning::DatesAreOftenEasyToGuess) => "password-date",
        Some(Warning::NamesAndSurnamesByThemselvesAreEasyToGuess | Warning::CommonNamesAndSurnamesAreEasyToGuess) => {
            "password-names"
        }
        Some(Warning::AWordByItselfIsEasyToGuess) => "password-single",
        None => "password-easy",
    };
    Err(Weakness::Guessable { reason })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
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
}
