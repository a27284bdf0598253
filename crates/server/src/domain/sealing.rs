//! Encryption of what the store keeps but a copy of the store must not show: signing
//! keys, seeds of second factors, secrets at other identity providers.
//!
//! One master key, kept outside the store and its backups, seals each value with
//! AES-256-GCM. The place of the value (table, column, row) is authenticated with it,
//! so that whoever can write to the store cannot put a value of one row into another.
//! In front stand the version and the id of the key, for `portolan keys rewrap`.

use std::fmt::{self, Write as _};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::digest;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::app::random_bytes;

const VERSION: u8 = 1;
const KEY_ID_LENGTH: usize = 8;
const PLACE_LENGTH: usize = 4;
const TAG_LENGTH: usize = 16;
const HEADER_LENGTH: usize = 1 + KEY_ID_LENGTH + PLACE_LENGTH + NONCE_LEN;

/// The first word of a master key file.
const FILE_LABEL: &str = "portolan-master-key-v1";
/// A master key file is one short line; whatever is longer is something else.
const FILE_LIMIT: u64 = 1024;

/// The key that seals all others.
pub struct MasterKey {
    cipher: RandomizedNonceKey,
    id: [u8; KEY_ID_LENGTH],
    check_value: String,
}

/// Why a sealed value cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("sealed with another master key ({sealed_by}; this server has {ours})")]
    WrongKey { sealed_by: String, ours: String },
    #[error("sealed for another place in the store")]
    WrongPlace,
    #[error("sealed by a later version (format {0})")]
    UnknownVersion(u8),
    #[error("damaged: the value was changed after it was sealed")]
    Damaged,
}

/// Why there is no master key. The words tell an operator what to do.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error(
        "the master key file {} does not exist. Without it the keys in the store cannot be read: \
         copy it from where it is kept safe (backups of the store do not contain it)",
        .0.display()
    )]
    Missing(PathBuf),
    #[error(
        "the master key file {} can be read by others (mode {mode:04o}); run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Permissions { path: PathBuf, mode: u32 },
    #[error("the master key file {} is not one line of the form `{FILE_LABEL} BASE64`", .0.display())]
    Malformed(PathBuf),
    #[error("the master key file {} cannot be {verb}: {source}", path.display())]
    Io {
        path: PathBuf,
        verb: &'static str,
        source: io::Error,
    },
}

impl MasterKey {
    pub fn from_bytes(key: &[u8; 32]) -> Self {
        let id = labelled_hash("portolan master key id", key);
        let check_value = labelled_hash("portolan master key check value", key);
        Self {
            cipher: RandomizedNonceKey::new(&AES_256_GCM, key).expect("AES-256 takes 32 bytes"),
            id: first_bytes(&id),
            check_value: hex(&check_value),
        }
    }

    /// Reads the key from its file, which nobody but its owner may read.
    pub fn load(path: &Path) -> Result<Self, MasterKeyError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => MasterKeyError::Missing(path.into()),
            _ => MasterKeyError::Io {
                path: path.into(),
                verb: "read",
                source,
            },
        };
        let file = File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(MasterKeyError::Permissions {
                path: path.into(),
                mode,
            });
        }
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_LIMIT as usize));
        file.take(FILE_LIMIT).read_to_end(&mut text).map_err(failed)?;
        let key = parse_file(&text).ok_or_else(|| MasterKeyError::Malformed(path.into()))?;
        Ok(Self::from_bytes(&key))
    }

    /// Reads the key, or makes one where there is none. Only for a store that is still
    /// empty: a new key next to sealed values would hide that the old one is lost.
    pub fn load_or_create(path: &Path) -> Result<Self, MasterKeyError> {
        match Self::load(path) {
            Err(MasterKeyError::Missing(_)) => {
                create_file(path).map_err(|source| MasterKeyError::Io {
                    path: path.into(),
                    verb: "written",
                    source,
                })?;
                // Read back: another process may have been first, and then its key counts.
                Self::load(path)
            }
            loaded => loaded,
        }
    }

    /// Names the key without telling anything about it: 16 hexadecimal digits.
    pub fn key_id(&self) -> String {
        hex(&self.id)
    }

    /// What the store keeps, so that a start with the wrong key is refused.
    pub fn check_value(&self) -> &str {
        &self.check_value
    }

    pub fn matches(&self, check_value: &str) -> bool {
        self.check_value.as_bytes().ct_eq(check_value.as_bytes()).into()
    }

    /// Whether a sealed value was sealed with this key; the rest are left to be rewrapped.
    pub fn has_sealed(&self, sealed: &[u8]) -> bool {
        sealed.get(1..=KEY_ID_LENGTH) == Some(self.id.as_slice())
    }

    /// Seals a value for one place in the store: `table/column/row`.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Vec<u8> {
        // With the whole capacity at once, no copy of the plain value stays behind in memory.
        let mut body = Vec::with_capacity(plain.len() + TAG_LENGTH);
        body.extend_from_slice(plain);
        let nonce = self
            .cipher
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut body)
            .expect("values are shorter than the 64 GiB that GCM can seal");
        let mut sealed = Vec::with_capacity(HEADER_LENGTH + body.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.id);
        sealed.extend_from_slice(&place(context));
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&body);
        sealed
    }

    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let Some((header, body)) = sealed.split_at_checked(HEADER_LENGTH) else {
            return Err(OpenError::Damaged);
        };
        let (version, header) = header.split_at(1);
        let (key_id, header) = header.split_at(KEY_ID_LENGTH);
        let (sealed_place, nonce) = header.split_at(PLACE_LENGTH);
        if version != [VERSION] {
            return Err(OpenError::UnknownVersion(version[0]));
        }
        if key_id != self.id {
            return Err(OpenError::WrongKey {
                sealed_by: hex(key_id),
                ours: self.key_id(),
            });
        }
        // Only for a better message: what really binds the value to its place is the
        // associated data below.
        if sealed_place != place(context) {
            return Err(OpenError::WrongPlace);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Damaged)?;
        let mut plain = Zeroizing::new(body.to_vec());
        let length = self
            .cipher
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut plain)
            .map_err(|_| OpenError::Damaged)?
            .len();
        plain.truncate(length);
        Ok(plain)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.key_id())
    }
}

/// A fingerprint of the place, which is no secret.
fn place(context: &str) -> [u8; PLACE_LENGTH] {
    first_bytes(&labelled_hash("portolan sealed place", context.as_bytes()))
}

fn labelled_hash(label: &str, value: &[u8]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    hash.update(label.as_bytes());
    hash.update(&[0]);
    hash.update(value);
    hash.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn first_bytes<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    std::array::from_fn(|index| hash[index])
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string cannot fail");
            text
        })
}

fn parse_file(bytes: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let encoded = text.trim_end().strip_prefix(FILE_LABEL)?.strip_prefix(' ')?;
    let decoded = Zeroizing::new(BASE64_STANDARD.decode(encoded).ok()?);
    decoded.as_slice().try_into().map(Zeroizing::new).ok()
}

/// Writes a new key beside its final place and links it there: the file is whole or
/// absent, also after a crash, and a key that is already there is never overwritten.
fn create_file(path: &Path) -> io::Result<()> {
    let key = Zeroizing::new(random_bytes::<32>());
    let line = Zeroizing::new(format!(
        "{FILE_LABEL} {}\n",
        Zeroizing::new(BASE64_STANDARD.encode(*key)).as_str()
    ));
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", hex(&random_bytes::<8>())));
    let beside = PathBuf::from(beside);

    let written = write_synced(&beside, line.as_bytes()).and_then(|()| match fs::hard_link(&beside, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = fs::remove_file(&beside);
    written?;
    removed?;
    // The name must survive a power cut as well as the content: without this key
    // everything that is sealed with it from now on would be lost.
    match std::path::absolute(path)?.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const PLACE: &str = "signing_keys/sealed_private/1";

    fn key() -> MasterKey {
        MasterKey::from_bytes(&[7; 32])
    }

    #[test]
    fn what_is_sealed_opens_at_its_place_only() {
        let sealed = key().seal(PLACE, b"a private key");

        assert_eq!(key().open(PLACE, &sealed).unwrap().as_slice(), b"a private key");
        assert_eq!(sealed.len(), HEADER_LENGTH + 13 + TAG_LENGTH);
        for elsewhere in ["signing_keys/sealed_private/2", "", "signing_keys/sealed_private/1 "] {
            assert_eq!(
                key().open(elsewhere, &sealed).unwrap_err(),
                OpenError::WrongPlace,
                "{elsewhere}"
            );
        }
    }

    #[test]
    fn the_fingerprint_of_the_place_is_not_what_protects() {
        let elsewhere = "signing_keys/sealed_private/2";
        let mut sealed = key().seal(PLACE, b"a private key");
        sealed[1 + KEY_ID_LENGTH..][..PLACE_LENGTH].copy_from_slice(&place(elsewhere));
        assert_eq!(key().open(elsewhere, &sealed).unwrap_err(), OpenError::Damaged);
    }

    #[test]
    fn another_key_is_named() {
        let other = MasterKey::from_bytes(&[8; 32]);
        let sealed = other.seal(PLACE, b"a private key");

        let error = key().open(PLACE, &sealed).unwrap_err();

        assert_eq!(
            error,
            OpenError::WrongKey {
                sealed_by: other.key_id(),
                ours: key().key_id()
            }
        );
        assert!(other.has_sealed(&sealed));
        assert!(!key().has_sealed(&sealed));
        assert!(!key().has_sealed(b""));
    }

    #[test]
    fn each_changed_byte_is_noticed() {
        let sealed = key().seal(PLACE, b"a private key");
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert!(key().open(PLACE, &changed).is_err(), "byte {index}");
        }
        for length in 0..sealed.len() {
            assert_eq!(
                key().open(PLACE, &sealed[..length]).unwrap_err(),
                OpenError::Damaged,
                "{length} bytes"
            );
        }
        let mut changed = sealed.clone();
        changed[0] = 2;
        assert_eq!(key().open(PLACE, &changed).unwrap_err(), OpenError::UnknownVersion(2));
        changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 0x80;
        assert_eq!(key().open(PLACE, &changed).unwrap_err(), OpenError::Damaged);
        changed = sealed;
        changed.push(0);
        assert_eq!(key().open(PLACE, &changed).unwrap_err(), OpenError::Damaged);
    }

    #[test]
    fn equal_values_are_sealed_differently() {
        assert_ne!(key().seal(PLACE, b"same"), key().seal(PLACE, b"same"));
        assert!(key().open(PLACE, &key().seal(PLACE, b"")).unwrap().is_empty());
    }

    #[test]
    fn the_plain_value_does_not_show() {
        let sealed = key().seal(PLACE, b"a private key");
        assert!(!sealed.windows(7).any(|window| window == b"private"));
        assert_eq!(format!("{:?}", key()), format!("MasterKey({})", key().key_id()));
    }

    #[test]
    fn the_check_value_tells_keys_apart() {
        let other = MasterKey::from_bytes(&[8; 32]);
        assert!(key().matches(key().check_value()));
        assert!(!key().matches(other.check_value()));
        assert!(!key().matches(""));
        assert_eq!(key().key_id().len(), 16);
        assert!(!key().check_value().contains(&key().key_id()));
    }

    #[test]
    fn a_missing_file_is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");

        let made = MasterKey::load_or_create(&path).unwrap();
        let again = MasterKey::load_or_create(&path).unwrap();

        assert_eq!(made.key_id(), again.key_id());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert!(
            fs::read_to_string(&path)
                .unwrap()
                .starts_with("portolan-master-key-v1 ")
        );
        let files = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 1, "nothing is left behind");
    }

    #[test]
    fn of_many_that_make_the_file_at_once_all_get_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let ids: Vec<String> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| MasterKey::load_or_create(&path).unwrap().key_id()))
                .collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKey::load_or_create(&path).unwrap();
        for (mode, accepted) in [
            (0o600, true),
            (0o400, true),
            (0o640, false),
            (0o604, false),
            (0o620, false),
        ] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let loaded = MasterKey::load_or_create(&path);
            assert_eq!(loaded.is_ok(), accepted, "{mode:o}");
            if let Err(error) = loaded {
                assert!(error.to_string().contains("chmod 600"), "{error}");
            }
        }
    }

    #[test]
    fn a_file_of_another_form_is_refused_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let encoded = BASE64_STANDARD.encode([7; 32]);
        let long = format!("{FILE_LABEL} {encoded}{}", " x".repeat(600));
        let cases = [
            (format!("{FILE_LABEL} {encoded}\n"), true),
            (format!("{FILE_LABEL} {encoded}"), true),
            (String::new(), false),
            (encoded.clone(), false),
            (format!("{FILE_LABEL}  {encoded}"), false),
            (format!("portolan-master-key-v2 {encoded}"), false),
            (format!("{FILE_LABEL} {}", &encoded[..40]), false),
            (format!("{FILE_LABEL} {}", BASE64_STANDARD.encode([7; 33])), false),
            (format!("{FILE_LABEL} {encoded}\n{encoded}"), false),
            (long, false),
        ];
        for (content, accepted) in cases {
            let _ = fs::remove_file(&path);
            write_synced(&path, content.as_bytes()).unwrap();
            match MasterKey::load_or_create(&path) {
                Ok(loaded) => assert!(accepted && loaded.key_id() == key().key_id(), "{content}"),
                Err(error) => assert!(
                    !accepted && matches!(error, MasterKeyError::Malformed(_)),
                    "{content}: {error}"
                ),
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn loading_never_makes_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        assert!(matches!(MasterKey::load(&path), Err(MasterKeyError::Missing(_))));
        assert!(!path.exists());
    }
}
