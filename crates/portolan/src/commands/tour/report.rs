//! How the tour speaks: for people as it goes, with colours where there is a terminal; for
//! programs one document at the end.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use super::record::{Answer, Exchange, Recorder};
use crate::options::Format;
use crate::output;

/// Documents that every client reads at the start, and nobody wants to see again.
const LONG: [&str; 2] = ["/.well-known/openid-configuration", "/jwk.json"];
const WIDTH: usize = 88;
/// So many lines of a document are shown to people.
const HEIGHT: usize = 32;

pub struct Report {
    recorder: Recorder,
    format: Format,
    paint: bool,
    pause: bool,
    /// Names for the ids of people and clients.
    names: BTreeMap<String, &'static str>,
    steps: Vec<Value>,
    checks: usize,
}

#[derive(Clone, Copy)]
enum Ink {
    Title,
    Sent,
    Received,
    Good,
    Quiet,
}

impl Report {
    pub fn new(recorder: Recorder, format: Format, pause: bool, names: BTreeMap<String, &'static str>) -> Self {
        // https://no-color.org: whatever the value is, as long as there is one.
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            recorder,
            format,
            paint: io::stdout().is_terminal() && !plain,
            pause: pause && !matches!(format, Format::Json),
            names,
            steps: Vec::new(),
            checks: 0,
        }
    }

    /// Begins a step.
    pub async fn step(&mut self, title: &str, words: &str) -> Result<()> {
        if self.pause && !self.steps.is_empty() {
            self.line(&self.ink(Ink::Quiet, "  Enter goes on."))?;
            tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await??;
        }
        self.steps.push(json!({
            "step": self.steps.len() + 1, "title": title, "explanation": words, "events": [],
        }));
        let heading = format!("{}. {title}", self.steps.len());
        self.line("")?;
        self.line(&self.ink(Ink::Title, &heading))?;
        self.line("")?;
        self.words(words)
    }

    /// What was just asked and answered, with the sentence that says why.
    pub fn exchanges(&mut self, why: &str) -> Result<()> {
        self.line("")?;
        self.words(why)?;
        for exchange in self.recorder.take() {
            self.exchange(&exchange)?;
            self.note(json!({ "why": why, "exchange": document(&exchange) }));
        }
        Ok(())
    }

    /// Something to look at.
    pub fn show(&mut self, name: &str, picture: &str) -> Result<()> {
        self.line("")?;
        for line in picture.lines() {
            self.line(&format!("     {line}"))?;
        }
        self.note(json!({ "shown": name, "text": picture }));
        Ok(())
    }

    /// The tour says nothing that it has not looked at.
    pub fn check(&mut self, holds: bool, statement: &str) -> Result<()> {
        self.note(json!({ "check": statement, "holds": holds }));
        if !holds {
            let step = self.steps.len();
            bail!("step {step} of the tour did not end as it should: it does not hold that {statement}");
        }
        self.checks += 1;
        let mark = self.ink(Ink::Good, "✓");
        self.line(&format!("   {mark} {statement}"))
    }

    pub fn checks(&self) -> usize {
        self.checks
    }

    pub fn line(&self, text: &str) -> Result<()> {
        match self.format {
            Format::Json => Ok(()),
            _ => output::line(text),
        }
    }

    /// The whole record, for programs. Also of a tour that failed.
    pub fn finish(&self, outcome: &Result<()>, seconds: f64) -> Result<()> {
        let Format::Json = self.format else {
            return Ok(());
        };
        let error = outcome.as_ref().err().map(ToString::to_string);
        let document = json!({
            "steps": self.steps,
            "checks": self.checks,
            "seconds": (seconds * 1000.0).round() / 1000.0,
            "error": error,
        });
        output::line(&serde_json::to_string_pretty(&document)?)
    }

    fn note(&mut self, event: Value) {
        let events = self.steps.last_mut().and_then(|step| step["events"].as_array_mut());
        if let Some(events) = events {
            events.push(event);
        }
    }

    fn exchange(&self, exchange: &Exchange) -> Result<()> {
        let proof = exchange
            .proof
            .as_ref()
            .map(|proof| format!(", with {proof}"))
            .unwrap_or_default();
        let who = self.ink(Ink::Quiet, &format!("({}{proof})", exchange.who));
        let request = self.ink(Ink::Sent, &format!("→ {} {}", exchange.method, exchange.path));
        self.line(&format!("   {request}  {who}"))?;
        for (name, value) in &exchange.parameters {
            self.line(&format!("        {name} = {}", self.named(value)))?;
        }
        let (what, more) = match &exchange.answer {
            Answer::Nothing => (String::new(), None),
            Answer::Redirect(to) => (format!(" to {to}"), None),
            Answer::Page(heading) => (format!(" a page: {heading}"), None),
            Answer::Document(_) if LONG.contains(&exchange.path.as_str()) => {
                (" (known to every client)".to_owned(), None)
            }
            Answer::Document(document) => (String::new(), Some(serde_json::to_string_pretty(document)?)),
        };
        self.line(&format!(
            "   {}{what}",
            self.ink(Ink::Received, &format!("← {}", exchange.status))
        ))?;
        let lines: Vec<&str> = more.iter().flat_map(|text| text.lines()).collect();
        for line in lines.iter().take(HEIGHT) {
            self.line(&format!("        {}", self.named(line)))?;
        }
        match lines.len().saturating_sub(HEIGHT) {
            0 => Ok(()),
            left => {
                let words = format!("        … and {left} lines more (--format json has them)");
                self.line(&self.ink(Ink::Quiet, &words))
            }
        }
    }

    /// Says whose id it is.
    fn named(&self, text: &str) -> String {
        let known = self.names.iter().find(|(id, _)| text.contains(*id));
        match known {
            Some((_, name)) => format!("{text}  {}", self.ink(Ink::Quiet, &format!("({name})"))),
            None => text.to_owned(),
        }
    }

    /// Sentences, in lines of a width that can be read.
    fn words(&self, text: &str) -> Result<()> {
        let mut line = String::new();
        for word in text.split_whitespace() {
            if line.chars().count() + word.chars().count() > WIDTH {
                self.line(&format!("   {line}"))?;
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&format!("   {line}"))
    }

    fn ink(&self, ink: Ink, text: &str) -> String {
        if !self.paint {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Title => "1",
            Ink::Sent => "36",
            Ink::Received => "33",
            Ink::Good => "32",
            Ink::Quiet => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

fn document(exchange: &Exchange) -> Value {
    let parameters: Map<String, Value> = exchange
        .parameters
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let answer = match &exchange.answer {
        Answer::Nothing => json!({}),
        Answer::Redirect(to) => json!({ "location": to }),
        Answer::Page(heading) => json!({ "page": heading }),
        Answer::Document(document) => json!({ "document": document }),
    };
    json!({
        "who": exchange.who, "method": exchange.method, "path": exchange.path, "proof": exchange.proof,
        "parameters": parameters, "status": exchange.status, "answer": answer,
    })
}
