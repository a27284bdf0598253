//! `portolan api`: any call of the interface, with the login of the command line.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use portolan_sdk::{Error, Request};
use serde_json::Value;
use url::form_urlencoded;

use crate::exit::Exit;
use crate::options::Options;
use crate::output;

/// Call the interface of the server with your login, and print what it answers.
///
/// What the server refuses is printed as well; standard error says what to do about it, and
/// the exit status is not 0.
#[derive(Args)]
#[command(after_help = "\
Examples:
  portolan api GET /v2/api/projects
  portolan api GET '/v2/api/identities?usernames=rdoe@example.edu'
  portolan api POST /v2/api/projects --body '{\"project\": {\"display_name\": \"Beamline\",
      \"contact_email\": \"b@example.org\", \"admin_ids\": [\"9d3c1a52-7c55-4f0e-8b53-0c6a3a1b2c3d\"]}}'
  portolan api PUT /v2/api/clients/ID --body @client.json
  portolan api DELETE /v2/api/scopes/ID")]
pub struct Api {
    #[arg(value_enum, ignore_case = true)]
    method: Method,
    /// Below the address of the server; may have a query
    path: String,
    /// JSON; @FILE reads a file, - standard input
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
    /// A parameter of the query, encoded as need be; can be given several times
    #[arg(long = "query", value_name = "NAME=VALUE")]
    query: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    #[value(name = "GET")]
    Get,
    #[value(name = "POST")]
    Post,
    #[value(name = "PUT")]
    Put,
    #[value(name = "DELETE")]
    Delete,
}

impl Api {
    pub fn run(self, options: &Options) -> Result<()> {
        let request = self.request()?;
        let session = options.session()?;
        if self.method != Method::Get {
            session.announce();
        }
        match session.attempt(session.client.send(request)) {
            Ok(answer) => print(answer.json(), &answer.text()),
            Err(error) => {
                if let Error::Api(refusal) = &error {
                    print(refusal.raw_json(), &refusal.text())?;
                }
                Err(session.explain(error))
            }
        }
    }

    fn request(&self) -> Result<Request> {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        // A scope string in the query is an address, too, and goes to this server all the same.
        if path.contains("://") {
            return Err(Exit::Usage.because(
                "a token goes to its own server only: write a path such as /v2/api/projects, and name the server \
                 with --server or --profile",
            ));
        }
        let mut request = match self.method {
            Method::Get => Request::get(path),
            Method::Post => Request::post(path),
            Method::Put => Request::put(path),
            Method::Delete => Request::delete(path),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            request = request.query(name, value);
        }
        for pair in &self.query {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| Exit::Usage.because(format!("--query {pair}: write NAME=VALUE")))?;
            request = request.query(name, value);
        }
        match &self.body {
            Some(body) => Ok(request.json(read_body(body)?)),
            None => Ok(request),
        }
    }
}

fn read_body(text: &str) -> Result<Value> {
    let read = match (text, text.strip_prefix('@')) {
        ("-", _) => {
            let mut body = String::new();
            std::io::stdin().read_to_string(&mut body).context("standard input")?;
            body
        }
        (_, Some(file)) => std::fs::read_to_string(file).with_context(|| file.to_owned())?,
        _ => text.to_owned(),
    };
    serde_json::from_str(&read).map_err(|error| Exit::Usage.because(format!("--body is no JSON: {error}")))
}

/// The answer is a document in either format.
fn print(json: Option<&Value>, text: &str) -> Result<()> {
    match json {
        Some(json) => output::line(&output::escaped(&serde_json::to_string_pretty(json)?)),
        None => output::line(&output::shown(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_refused_as_a_path_only() {
        let request = |path: &str| {
            let api = Api {
                method: Method::Get,
                path: path.to_owned(),
                body: None,
                query: Vec::new(),
            };
            api.request().map(|_| ())
        };
        assert!(request("/v2/api/projects").is_ok());
        assert!(request("/v2/api/scopes?scope_strings=https://auth.example.org/scopes/x/read").is_ok());
        for path in ["https://auth.example.org/v2/api/projects", "http://x?y=https://z"] {
            let refusal = request(path);
            assert!(refusal.is_err_and(|error| Exit::of(&error) == Exit::Usage), "{path}");
        }
    }
}
