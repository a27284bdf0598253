//! As much of HTTP and of a browser as these tests need. What goes wrong on the line is an
//! error that they can see, which the comfort of a library would hide.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;
use url::form_urlencoded;

use super::load::{Family, Token};
use super::place::People;
use super::{AUTH_RESOURCE_SERVER, CHALLENGE, PASSWORD, PATIENCE, VERIFIER};

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn text(&self, member: &str) -> String {
        let document = self.json();
        let text = document[member].as_str();
        text.unwrap_or_else(|| panic!("no {member} in {document}")).to_owned()
    }
}

/// One connection, used again and again. An error means that no answer came.
pub struct Connection {
    stream: BufReader<TcpStream>,
    pub port: u16,
    /// A new connection for each request, so that a proxy chooses again.
    hops: bool,
}

impl Connection {
    pub fn open(port: u16) -> io::Result<Self> {
        Ok(Self {
            stream: dial(port)?,
            port,
            hops: false,
        })
    }

    /// Straight to the server at `port`, whose public address is at another one.
    pub fn behind(public: u16, port: u16) -> io::Result<Self> {
        let stream = dial(port)?;
        Ok(Self {
            stream,
            port: public,
            hops: false,
        })
    }

    pub fn hopping(port: u16) -> io::Result<Self> {
        let connection = Self::open(port)?;
        Ok(Self {
            hops: true,
            ..connection
        })
    }

    pub fn post(&mut self, path: &str, form: &[(&str, &str)], headers: &str) -> io::Result<Answer> {
        let body = encode(form);
        let length = body.len();
        let more = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n{headers}");
        self.send("POST", path, &more, &body)
    }

    pub fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) -> io::Result<Answer> {
        let port = self.port;
        if self.hops {
            self.stream = dial(port)?;
        }
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{headers}\r\n{body}");
        self.stream.get_mut().write_all(request.as_bytes())?;
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).and_then(|text| text.parse().ok());
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut answer = Answer {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            headers,
            body: String::new(),
        };
        let length = answer.header("content-length").and_then(|text| text.parse().ok());
        let mut bytes = vec![0; length.ok_or(io::ErrorKind::InvalidData)?];
        self.stream.read_exact(&mut bytes)?;
        answer.body = String::from_utf8(bytes).map_err(io::Error::other)?;
        Ok(answer)
    }

    pub fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        // Half a line is what a killed server leaves.
        let whole = line.strip_suffix("\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(whole.to_owned())
    }

    /// A code of the program.
    pub fn redeem(&mut self, people: &People, code: &str) -> io::Result<Answer> {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &people.program),
            ("redirect_uri", &display_page(self)),
            ("code_verifier", VERIFIER),
            ("code", code),
        ];
        self.post("/v2/oauth2/token", &form, "")
    }

    pub fn refresh(&mut self, people: &People, token: &str) -> io::Result<Answer> {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &people.program),
            ("refresh_token", token),
        ];
        self.post("/v2/oauth2/token", &form, "")
    }

    /// The form as a revocation wants it, by the client that the token was issued to.
    pub fn revoke(&mut self, client: &[(&str, &str)], token: &str) -> io::Result<Answer> {
        self.post("/v2/oauth2/token/revoke", &[client, &[("token", token)]].concat(), "")
    }

    pub fn is_active(&mut self, people: &People, token: &str) -> bool {
        let form = [
            ("client_id", AUTH_RESOURCE_SERVER),
            ("client_secret", &people.checker_secret),
            ("token", token),
        ];
        let answer = self.post("/v2/oauth2/token/introspect", &form, "").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["active"].as_bool().unwrap()
    }
}

fn dial(port: u16) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

pub fn encode(form: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

/// As much of a browser as it takes to sign in and to allow.
#[derive(Clone)]
pub struct Browser {
    pub cookies: HashMap<String, String>,
    pub logins: u32,
}

impl Browser {
    pub fn new() -> Self {
        Self {
            cookies: HashMap::new(),
            logins: 0,
        }
    }

    pub fn send(&mut self, connection: &mut Connection, path: &str, form: Option<&[(&str, &str)]>) -> Answer {
        self.send_with(connection, path, form, "")
    }

    pub fn send_with(
        &mut self,
        connection: &mut Connection,
        path: &str,
        form: Option<&[(&str, &str)]>,
        headers: &str,
    ) -> Answer {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let headers = format!("Cookie: {}\r\n{headers}", pairs.join("; "));
        let answer = match form {
            Some(form) => connection.post(path, form, &headers),
            None => connection.send("GET", path, &headers, ""),
        };
        let answer = answer.unwrap();
        for (name, value) in &answer.headers {
            if let ("set-cookie", Some((name, rest))) = (name.as_str(), value.split_once('=')) {
                let value = rest.split(';').next().unwrap_or("");
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// A code for the program, with whatever pages it takes. All boxes stay ticked.
    pub fn code(&mut self, connection: &mut Connection, people: &People, scope: &str) -> String {
        let answer = self.authorize(connection, people, scope, "");
        let display_page = display_page(connection);
        parameter(&self.come_back(connection, answer, &display_page), "code")
    }

    /// Goes on from an answer, with whatever pages it takes, until it is sent to an address
    /// that begins like this.
    pub fn come_back(&mut self, connection: &mut Connection, mut answer: Answer, to: &str) -> String {
        loop {
            match answer.header("location").map(str::to_owned) {
                Some(location) if location.starts_with(to) => return location,
                Some(location) => answer = self.send(connection, &location, None),
                None => {
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    answer = self.fill_in(connection, &answer.body);
                }
            }
        }
    }

    /// The first answer of the authorization endpoint.
    pub fn authorize(&mut self, connection: &mut Connection, people: &People, scope: &str, prompt: &str) -> Answer {
        let query = encode(&[
            ("client_id", &people.program),
            ("redirect_uri", &display_page(connection)),
            ("response_type", "code"),
            ("scope", scope),
            ("access_type", "offline"),
            ("prompt", prompt),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ]);
        self.send(connection, &format!("/v2/oauth2/authorize?{query}"), None)
    }

    /// A new family of refresh tokens. Only the first one needs pages: the session and the
    /// consent are kept.
    pub fn family(&mut self, connection: &mut Connection, people: &People) -> Family {
        let code = self.code(connection, people, "openid");
        let answer = connection.redeem(people, &code).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        Family {
            chain: vec![answer.text("refresh_token")],
            access: vec![Token::acknowledged(answer.text("access_token"))],
            revocation: None,
        }
    }

    /// Signs in where a page asks for a password, and allows whatever else is asked.
    fn fill_in(&mut self, connection: &mut Connection, page: &str) -> Answer {
        let form = page.split_once("<form").expect("a page with a form").1;
        let form = form.split_once("</form>").expect("the form ends").0;
        let action = attribute(form, "action");
        let inputs = form.split("<input ").skip(1);
        let sent = inputs.filter(|input| {
            let tag = input.split('>').next().unwrap_or("");
            tag.contains("type=\"hidden\"") || tag.contains(" checked")
        });
        let mut fields: Vec<(&str, &str)> = sent
            .map(|input| (attribute(input, "name"), attribute(input, "value")))
            .collect();
        if form.contains("name=\"password\"") {
            self.logins += 1;
            fields.extend([("username", "alice"), ("password", PASSWORD)]);
        } else {
            fields.push(("decision", "allow"));
        }
        self.send(connection, action, Some(&fields))
    }
}

/// Where a code is shown, at the address of the place.
fn display_page(connection: &Connection) -> String {
    format!("http://localhost:{}/v2/web/auth-code", connection.port)
}

/// A parameter of the answer in a redirect.
pub fn parameter(location: &str, name: &str) -> String {
    let url = url::Url::parse(location).unwrap();
    let found = url.query_pairs().find(|(known, _)| known == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {location}"))
        .1
        .into_owned()
}

/// The value of the next attribute of that name. Ids and tokens have nothing to unescape.
pub fn attribute<'a>(html: &'a str, name: &str) -> &'a str {
    let after = html
        .split_once(&format!("{name}=\""))
        .expect("the attribute is there")
        .1;
    after.split_once('"').expect("the attribute ends").0
}
