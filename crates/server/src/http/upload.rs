//! Forms with a file in them: `multipart/form-data` (RFC 7578), read as a whole. How large
//! the body may be is said by the route; a page that takes files has a limit of its own.

use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;

use super::extract::{Params, body};
use crate::error::{Error, Result};

/// No form of ours has as many parts.
const MOST_PARTS: usize = 32;
/// No part of ours has a longer head.
const LONGEST_HEAD: usize = 1024;

/// The fields of a form, and its files by the name of their field.
#[derive(Debug, Default)]
pub struct Upload {
    pub params: Params,
    files: Vec<(String, Vec<u8>)>,
}

impl Upload {
    /// A file that was chosen. What the browser calls it does not count and is not kept.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let found = self.files.iter().find(|(known, _)| known == name);
        found
            .map(|(_, bytes)| bytes.as_slice())
            .filter(|bytes| !bytes.is_empty())
    }

    fn parse(boundary: &str, body: &[u8]) -> Result<Self> {
        let malformed = || Error::invalid_request("the body is not multipart/form-data as browsers write it");
        let delimiter = format!("--{boundary}");
        let between = format!("\r\n{delimiter}");
        let mut upload = Self::default();
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        let mut rest = body.strip_prefix(delimiter.as_bytes()).ok_or_else(malformed)?;
        for _ in 0..MOST_PARTS {
            if rest.starts_with(b"--") {
                // Read once more as any other form: no name twice, no null character.
                upload.params = Params::parse(pairs.finish().as_bytes())?;
                return Ok(upload);
            }
            rest = rest.strip_prefix(b"\r\n").ok_or_else(malformed)?;
            let head_end = find(&rest[..rest.len().min(LONGEST_HEAD)], b"\r\n\r\n").ok_or_else(malformed)?;
            let head = std::str::from_utf8(&rest[..head_end]).map_err(|_| malformed())?;
            let (name, is_file) = disposition(head).ok_or_else(malformed)?;
            rest = &rest[head_end + 4..];
            let end = find(rest, between.as_bytes()).ok_or_else(malformed)?;
            let value = &rest[..end];
            rest = &rest[end + between.len()..];
            if is_file {
                if upload.files.iter().any(|(known, _)| *known == name) {
                    return Err(Error::invalid_request("a file is given twice"));
                }
                upload.files.push((name, value.to_vec()));
            } else {
                pairs.append_pair(&name, std::str::from_utf8(value).map_err(|_| malformed())?);
            }
        }
        Err(Error::invalid_request("the form has too many parts"))
    }
}

/// The name of a field, and whether it is a file: it has a file name, if only an empty one.
fn disposition(head: &str) -> Option<(String, bool)> {
    let line = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value.trim())
    })?;
    let rest = line.strip_prefix("form-data")?;
    let mut name = None;
    let mut is_file = false;
    for parameter in rest.split(';').skip(1) {
        // A file name with a semicolon in it comes apart here; it is not read anyway.
        let Some((key, value)) = parameter.split_once('=') else {
            continue;
        };
        match key.trim() {
            "name" if name.is_none() => name = value.trim().strip_prefix('"')?.strip_suffix('"'),
            "filename" | "filename*" => is_file = true,
            _ => {}
        }
    }
    let plain = |name: &&str| {
        (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    Some((name.filter(plain)?.to_owned(), is_file))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// The boundary of a content type (RFC 2046 section 5.1.1).
fn boundary(content_type: &str) -> Option<&str> {
    let (mime, parameters) = content_type.split_once(';')?;
    if !mime.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let value = parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case("boundary").then_some(value.trim())
    })?;
    let value = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or(value);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&b);
    ((1..=70).contains(&value.len()) && value.bytes().all(plain)).then_some(value)
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let content_type = request.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or("");
        let found = boundary(content_type).map(str::to_owned);
        let is_form = content_type
            .split(';')
            .next()
            .is_some_and(|mime| mime.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        let body = body(request, state).await?;
        match found {
            Some(boundary) => Self::parse(&boundary, &body),
            // A form without a file may come as any other.
            None if is_form || body.is_empty() => Ok(Self {
                params: Params::parse(&body)?,
                files: Vec::new(),
            }),
            None => Err(Error::invalid_request("the body must be multipart/form-data")),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const BODY: &[u8] = b"--xyz\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\nabc\r\n\
        --xyz\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"a;b.png\"\r\nContent-Type: image/png\r\n\r\n\
        \x89PNG\r\n--xy\x00\r\n--xyz\r\nContent-Disposition: form-data; name=\"header_text\"\r\n\r\nGr\xc3\xbc\xc3\x9fe & mehr\r\n--xyz--\r\n";

    #[test]
    fn fields_and_files_are_read() {
        let upload = Upload::parse("xyz", BODY).unwrap();
        assert_eq!(upload.params.get("form_token"), Some("abc"));
        assert_eq!(upload.params.get("header_text"), Some("Grüße & mehr"));
        assert_eq!(upload.file("logo"), Some(&b"\x89PNG\r\n--xy\x00"[..]));
        assert_eq!(upload.file("other"), None);
        assert_eq!(upload.params.get("logo"), None);
    }

    #[test]
    fn a_field_without_a_file_is_none() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n--x--";
        assert_eq!(Upload::parse("x", body).unwrap().file("logo"), None);
    }

    #[test]
    fn what_browsers_do_not_write_is_refused() {
        let part = |head: &str, value: &str| format!("--x\r\n{head}\r\n\r\n{value}\r\n");
        let field = |name: &str| part(&format!("Content-Disposition: form-data; name=\"{name}\""), "v");
        for body in [
            String::new(),
            "x".into(),
            "--x".into(),
            "--x\r\n".into(),
            field("a"),
            format!("{}--x", field("a")),
            format!("preamble\r\n{}--x--", field("a")),
            format!("{}{}--x--", field("a"), field("a")),
            format!("{}--x--", field("a b")),
            format!("{}--x--", field("")),
            format!("{}--x--", part("Content-Disposition: attachment; name=\"a\"", "v")),
            format!("{}--x--", part("X: y", "v")),
            format!("{}--x--", part("Content-Disposition: form-data; name=\"a\"", "a\0b")),
            format!("{}--x--", part(&format!("X: {}", "y".repeat(2000)), "v")),
            format!("{}--x--", (0..40).map(|n| field(&format!("f{n}"))).collect::<String>()),
        ] {
            assert!(Upload::parse("x", body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn no_cut_of_a_body_makes_the_parser_panic() {
        for end in 0..BODY.len() {
            let _ = Upload::parse("xyz", &BODY[..end]);
        }
    }

    #[test]
    fn a_boundary_is_plain_and_bounded() {
        for (text, expected) in [
            (
                "multipart/form-data; boundary=----WebKitFormBoundary7MA4",
                Some("----WebKitFormBoundary7MA4"),
            ),
            ("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", None),
            ("multipart/form-data; boundary=\"ab\"", Some("ab")),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data", None),
            ("multipart/mixed; boundary=ab", None),
        ] {
            assert_eq!(boundary(text), expected, "{text}");
        }
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        assert_eq!(boundary(&long), None);
    }
}
