//! The style sheet, the script and the icon of the pages, held in the binary.
//!
//! The address of a file contains the hash of its content, so a browser may keep
//! it for ever and still sees a new release at once. An address with another hash
//! is refused and not answered with what we have: a shared cache would keep the
//! wrong content under that address for a year.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::LazyLock;

use rust_embed::RustEmbed;

/// What the pages may load. The folder is read from disk in debug builds.
#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// Path under which [`serve`] expects to be asked; the router adds `/{*path}`.
pub const PREFIX: &str = "/static";

/// `Cache-Control` of an answer made from [`serve`].
pub const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

pub struct Asset {
    pub content_type: &'static str,
    /// Hash of the content in hexadecimal; between quotes it is the `ETag`.
    pub hash: String,
    pub bytes: Cow<'static, [u8]>,
}

/// Finds the file for the part of the path after `/static/`, that is `<hash>/<name>`.
pub fn serve(path: &str) -> Option<Asset> {
    let (hash, name) = path.split_once('/')?;
    find(name).filter(|asset| asset.hash == hash)
}

/// Finds a file by name alone, for addresses that others choose, such as `/favicon.ico`.
pub fn find(name: &str) -> Option<Asset> {
    let content_type = content_type(name)?;
    let file = Files::get(name)?;
    Some(Asset {
        content_type,
        hash: short_hash(&file.metadata.sha256_hash()),
        bytes: file.data,
    })
}

/// The address of a file that a page refers to.
pub fn asset_url(name: &str) -> Cow<'static, str> {
    static KNOWN: LazyLock<HashMap<Cow<'static, str>, String>> = LazyLock::new(|| {
        let all = Files::iter().filter_map(|name| Some((name.clone(), address(&name)?)));
        all.collect()
    });
    // A debug build follows the files while they are edited.
    let known = if cfg!(debug_assertions) {
        address(name).map(Cow::Owned)
    } else {
        KNOWN.get(name).map(|url| Cow::Borrowed(url.as_str()))
    };
    known.expect("pages refer only to files in static/, the catalogue test opens each")
}

fn address(name: &str) -> Option<String> {
    let file = Files::get(name)?;
    Some(format!("{PREFIX}/{}/{name}", short_hash(&file.metadata.sha256_hash())))
}

/// Only the kinds of file that we ship; `nosniff` makes browsers rely on it.
fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

/// Sixteen hexadecimal digits tell our few files and their releases apart.
fn short_hash(sha256: &[u8; 32]) -> String {
    sha256[..8].iter().fold(String::with_capacity(16), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn address_of_every_file_leads_to_its_content() {
        let mut names = 0;
        for name in Files::iter() {
            let url = asset_url(&name);
            let asset = serve(url.strip_prefix("/static/").unwrap()).unwrap();

            assert_eq!(asset.bytes, Files::get(&name).unwrap().data, "{name}");
            assert!(url.contains(&asset.hash), "{name}");
            names += 1;
        }
        assert!(names >= 3, "style sheet, script and icon");
    }

    #[test]
    fn stale_hash_and_foreign_paths_find_nothing() {
        for path in [
            "0000000000000000/portolan.css",
            "portolan.css",
            "",
            "/",
            "a/../portolan.css",
            "a//portolan.css",
        ] {
            assert!(serve(path).is_none(), "{path}");
        }
        let hash = find("portolan.css").unwrap().hash;
        for name in [
            "../Cargo.toml",
            "../static/portolan.css.map",
            "/etc/passwd",
            "portolan.css/",
            "nothing.css",
        ] {
            assert!(serve(&format!("{hash}/{name}")).is_none(), "{name}");
        }
    }

    #[test]
    fn files_load_nothing_from_elsewhere() {
        // The content security policy would block it and the page would look broken.
        for name in Files::iter() {
            let file = Files::get(&name).unwrap();
            let text = String::from_utf8(file.data.into_owned()).unwrap();
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for foreign in ["http:", "https:", "@import", "url(//", "eval(", "innerHTML"] {
                assert!(!text.contains(foreign), "{name} contains {foreign}");
            }
        }
    }
}
