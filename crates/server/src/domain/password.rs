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
mod tests;
