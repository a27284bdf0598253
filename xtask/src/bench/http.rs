//! As much HTTP/1.1 as a load generator needs: requests written once, answers read in place.

use std::{borrow::Cow, fmt::Write as _};

use anyhow::{Context, Result, bail};

/// Bytes of a request; a form makes it a POST.
pub fn request(target: &str, host: &str, headers: &[(&str, &str)], form: Option<&str>) -> Vec<u8> {
    let method = if form.is_some() { "POST" } else { "GET" };
    let mut text = head(method, target, host, headers);
    if let Some(form) = form {
        let length = form.len();
        let _ = write!(
            text,
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"
        );
    }
    text.push_str("\r\n");
    text.push_str(form.unwrap_or_default());
    text.into_bytes()
}

pub fn delete(target: &str, host: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    (head("DELETE", target, host, headers) + "\r\n").into_bytes()
}

fn head(method: &str, target: &str, host: &str, headers: &[(&str, &str)]) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    text
}

/// The value of an `Authorization` header.
pub fn basic(client_id: &str, secret: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("Basic ");
    for group in format!("{client_id}:{secret}").as_bytes().chunks(3) {
        let mut bits = 0_u32;
        for place in 0..3 {
            bits = bits << 8 | u32::from(group.get(place).copied().unwrap_or_default());
        }
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= group.len() { digit.into() } else { '=' });
        }
    }
    text
}

/// Encodes one value for a form or a query.
pub fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(byte.into());
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// `name=value&..`, encoded.
pub fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// One answer, borrowed from the buffer that it was read into.
#[derive(Debug)]
pub struct Answer<'a> {
    pub status: u16,
    head: &'a str,
    pub body: Cow<'a, [u8]>,
    /// How many bytes of the buffer it takes.
    pub length: usize,
}

impl Answer<'_> {
    /// The values of a header, in their order.
    pub fn headers<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b str> {
        values(self.head, name)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        values(self.head, name).next()
    }

    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Whether the body contains these bytes: a cheap proof that the answer is the expected one.
    pub fn contains(&self, marker: &str) -> bool {
        self.body
            .windows(marker.len())
            .any(|window| window == marker.as_bytes())
    }

    /// The text of a JSON member whose value is a plain string.
    pub fn member(&self, name: &str) -> Option<&str> {
        let text = std::str::from_utf8(&self.body).ok()?;
        let start = text.find(&format!("\"{name}\":\""))? + name.len() + 4;
        text[start..].split('"').next()
    }

    pub fn describe(&self) -> String {
        let body: String = self.text().chars().take(400).collect();
        let place = self
            .header("location")
            .map(|place| format!(", to {place}"))
            .unwrap_or_default();
        format!("{}{place}: {body}", self.status)
    }
}

fn values<'h, 'n>(head: &'h str, name: &'n str) -> impl Iterator<Item = &'h str> + use<'h, 'n> {
    head.split("\r\n").skip(1).filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The answer at the start of `bytes`, or `None` while some of it is missing.
pub fn parse(bytes: &[u8]) -> Result<Option<Answer<'_>>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).context("the head of an answer is not text")?;
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|digits| digits.parse().ok());
    let Some(status) = status else {
        bail!("not an HTTP answer: {head:.60}")
    };
    let start = end + 4;
    if let Some(length) = values(head, "content-length").next() {
        let length = start + length.parse::<usize>().context("Content-Length")?;
        let body = bytes.get(start..length).map(Cow::Borrowed);
        return Ok(body.map(|body| Answer {
            status,
            head,
            body,
            length,
        }));
    }
    if values(head, "transfer-encoding").any(|coding| coding.eq_ignore_ascii_case("chunked")) {
        let chunks = chunked(&bytes[start..])?;
        return Ok(chunks.map(|(body, length)| Answer {
            status,
            head,
            body: body.into(),
            length: start + length,
        }));
    }
    if status == 204 || status == 304 {
        return Ok(Some(Answer {
            status,
            head,
            body: Cow::Borrowed(&[]),
            length: start,
        }));
    }
    bail!("an answer without a length: {head}")
}

/// A chunked body and the length of its coded form.
fn chunked(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let mut body = Vec::new();
    let mut position = 0;
    loop {
        let rest = &bytes[position..];
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else {
            return Ok(None);
        };
        let digits = std::str::from_utf8(&rest[..line])?
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let size = usize::from_str_radix(digits, 16).context("the size of a chunk")?;
        let start = line + 2;
        let Some(chunk) = rest.get(start..start + size + 2) else {
            return Ok(None);
        };
        if !chunk.ends_with(b"\r\n") {
            bail!("a chunk is longer than it says");
        }
        body.extend_from_slice(&chunk[..size]);
        position += start + size + 2;
        if size == 0 {
            return Ok(Some((body, position)));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_complete() {
        let bytes = b"HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-LENGTH: 14\r\n\r\n{\"active\":\"x\"}HTTP/1.1 4";

        for cut in 0..bytes.len() - 10 {
            assert!(parse(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
        let answer = parse(bytes).unwrap().unwrap();

        assert_eq!(answer.status, 200);
        assert_eq!(answer.length, bytes.len() - 10);
        assert_eq!(answer.header("x-a"), Some("1"));
        assert_eq!(answer.member("active"), Some("x"));
        assert!(answer.contains("active") && !answer.contains("activated"));
    }

    #[test]
    fn chunks_are_joined() {
        let bytes =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x\r\n0123456789\r\n0\r\n\r\nrest";

        for cut in 0..bytes.len() - 4 {
            assert!(parse(&bytes[..cut]).unwrap().is_none(), "{cut}");
        }
        let answer = parse(bytes).unwrap().unwrap();

        assert_eq!(answer.body.as_ref(), b"abc0123456789");
        assert_eq!(answer.length, bytes.len() - 4);
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        for bytes in [
            &b"SSH-2.0\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        ] {
            assert!(parse(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn credentials_and_fields_are_encoded() {
        assert_eq!(basic("a", "b"), "Basic YTpi");
        assert_eq!(basic("a", "bc"), "Basic YTpiYw==");
        assert_eq!(basic("a", ""), "Basic YTo=");
        assert_eq!(
            form(&[("a", "b c"), ("d", "https://x/?y&z")]),
            "a=b%20c&d=https%3A%2F%2Fx%2F%3Fy%26z"
        );
    }

    #[test]
    fn a_request_has_a_body_only_with_a_form() {
        let get = String::from_utf8(request("/x", "h", &[("A", "b")], None)).unwrap();
        assert_eq!(get, "GET /x HTTP/1.1\r\nHost: h\r\nAccept: */*\r\nA: b\r\n\r\n");
        let post = String::from_utf8(request("/x", "h", &[], Some("a=b"))).unwrap();
        assert!(
            post.starts_with("POST /x ") && post.ends_with("Content-Length: 3\r\n\r\na=b"),
            "{post}"
        );
        let delete = String::from_utf8(delete("/x", "h", &[("A", "b")])).unwrap();
        assert_eq!(delete, get.replace("GET", "DELETE"));
    }
}
