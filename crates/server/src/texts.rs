//! The words that people read, in their language: Fluent messages (projectfluent.org) from
//! `locales/en` and `locales/de`, one file for each area, all of them in the binary.
//!
//! English is complete by definition and stands in where another language lacks a message. Each
//! language is parsed once, when its first word is needed. A message without arguments is then
//! no more than a look-up. How pages say something is told in `web/texts.rs`.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::types::FluentNumber;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use fluent_syntax::ast::Entry;
use http::HeaderMap;
use http::header::ACCEPT_LANGUAGE;
use portolan_types::Timestamp;
use rust_embed::RustEmbed;
use unic_langid::LanguageIdentifier;

use crate::app::Ctx;

/// The folder is read from disk in debug builds.
#[derive(RustEmbed)]
#[folder = "locales/"]
struct Files;

/// A language that pages and mails speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    #[default]
    En,
    De,
}

/// Longer lists of languages than any browser sends are not read to their end.
const LONGEST_LIST: usize = 512;

impl Language {
    pub const ALL: [Language; 2] = [Language::En, Language::De];

    /// For `lang` and `Content-Language`, and the name of its folder.
    pub fn tag(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::De => "de",
        }
    }

    /// What its speakers call it.
    pub fn own_name(self) -> &'static str {
        match self {
            Language::En => "English",
            Language::De => "Deutsch",
        }
    }

    /// The language of a tag, whatever the region: `de-CH` is German. None if we do not speak it.
    pub fn of_tag(tag: &str) -> Option<Language> {
        let primary = tag.trim().split('-').next().unwrap_or_default();
        Language::ALL
            .into_iter()
            .find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// The first that we speak of a list as `ui_locales` is one: tags in order of preference,
    /// separated by spaces (OpenID Connect Core 3.1.2.1). What is no tag is ignored.
    pub fn of_locales(list: &str) -> Option<Language> {
        bounded(list).split(' ').find_map(Language::of_tag)
    }

    /// What a browser asks for (RFC 9110 section 12.5.4). None if it asks for nothing that we
    /// speak; `*` is nothing in particular.
    pub fn accepted(headers: &HeaderMap) -> Option<Language> {
        Language::of_ranges(headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?)
    }

    fn of_ranges(list: &str) -> Option<Language> {
        let mut best = None;
        let mut best_quality = 0;
        for range in bounded(list).split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            // The first of equals counts, so only a better one replaces it.
            if let Some(language) = Language::of_tag(tag)
                && let Some(quality) = quality(parameters)
                && quality > best_quality
            {
                (best, best_quality) = (Some(language), quality);
            }
        }
        best
    }

    /// A message without arguments.
    pub fn text(self, id: &str) -> &str {
        let text = |language: Language| catalogue(language).texts.get(id).map(String::as_str);
        text(self).or_else(|| text(Language::En)).unwrap_or(id)
    }

    pub fn words(self, words: &Words) -> String {
        let message = words.arguments.iter();
        message
            .fold(self.say(words.id), |message, (name, value)| message.arg(name, value))
            .to_string()
    }

    /// "3 February 2026"
    pub fn date(self, at: Timestamp) -> String {
        self.with_date("time-date", at)
    }

    /// "3 February 2026, 09:15 UTC"
    pub fn moment(self, at: Timestamp) -> String {
        self.with_date("time-moment", at)
    }

    fn with_date(self, id: &str, at: Timestamp) -> String {
        let Ok(time) = jiff::Timestamp::from_microsecond(at.micros()) else {
            return at.to_string();
        };
        let time = time.to_zoned(jiff::tz::TimeZone::UTC);
        let said = self.say(id).count("day", time.day()).count("month", time.month());
        let said = said.count("year", time.year());
        said.arg("clock", time.strftime("%H:%M")).to_string()
    }

    /// A length of time as people say it: "10 minutes", "48 hours", "6 months".
    pub fn length(self, length: &Duration) -> String {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        const MONTH: u64 = 30 * DAY;
        let seconds = length.as_secs();
        // A unit takes over where the smaller one would need an unfamiliar number.
        let (unit, id) = match seconds {
            0..60 => (1, "time-seconds"),
            60..=3_600 => (MINUTE, "time-minutes"),
            3_601..=172_800 => (HOUR, "time-hours"),
            172_801..5_184_000 => (DAY, "time-days"),
            _ => (MONTH, "time-months"),
        };
        // Rounded down: nobody should be promised more time than there is.
        self.say(id).count("count", seconds / unit).to_string()
    }

    /// The caption of a field within a sentence: English writes its nouns small there.
    pub fn in_sentence(self, caption: &str) -> String {
        match self {
            Language::En => caption.to_lowercase(),
            Language::De => caption.to_owned(),
        }
    }

    /// A message with arguments: `language.say("hello").arg("name", name)`.
    pub fn say(self, id: &str) -> Message<'_> {
        Message {
            language: self,
            id,
            arguments: FluentArgs::new(),
        }
    }
}

impl Ctx {
    pub fn text<'a>(&self, id: &'a str) -> &'a str {
        self.language.text(id)
    }

    pub fn say<'a>(&self, id: &'a str) -> Message<'a> {
        self.language.say(id)
    }
}

fn bounded(list: &str) -> &str {
    let mut end = list.len().min(LONGEST_LIST);
    while !list.is_char_boundary(end) {
        end -= 1;
    }
    &list[..end]
}

/// The weight in thousandths; none if what should be one is something else.
fn quality(parameters: &str) -> Option<u32> {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return Some(1000);
    }
    let value: f32 = parameters.strip_prefix("q=")?.trim().parse().ok()?;
    (0.0..=1.0).contains(&value).then_some((value * 1000.0) as u32)
}

/// A message with its arguments, ready to be written. Pages escape it as any other text.
pub struct Message<'a> {
    language: Language,
    id: &'a str,
    arguments: FluentArgs<'static>,
}

impl Message<'_> {
    pub fn language(&self) -> Language {
        self.language
    }

    pub fn arg(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.arguments.set(name, FluentValue::from(value.to_string()));
        self
    }

    /// A number by which the message may choose its words.
    pub fn count(mut self, name: &'static str, value: impl Into<FluentNumber>) -> Self {
        self.arguments.set(name, FluentValue::Number(value.into()));
        self
    }
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for language in [self.language, Language::En] {
            let bundle = &catalogue(language).bundle;
            if let Some(pattern) = bundle.get_message(self.id).and_then(|message| message.value()) {
                // A missing argument shows as its name; the test of all messages finds it first.
                let mut errors = Vec::new();
                return bundle.write_pattern(f, pattern, Some(&self.arguments), &mut errors);
            }
        }
        f.write_str(self.id)
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A message with its arguments, chosen where the language of the reader is not known:
/// `words("account-username-taken").arg("username", name)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    id: &'static str,
    arguments: Vec<(&'static str, String)>,
}

pub fn words(id: &'static str) -> Words {
    Words {
        id,
        arguments: Vec::new(),
    }
}

impl Words {
    pub fn arg(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.arguments.push((name, value.to_string()));
        self
    }
}

/// What there is of one language.
struct Catalogue {
    bundle: FluentBundle<FluentResource>,
    /// The messages that need no arguments, as they are shown.
    texts: HashMap<String, String>,
}

fn catalogue(language: Language) -> &'static Catalogue {
    static ENGLISH: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::En).0);
    static GERMAN: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::read(Language::De).0);
    match language {
        Language::En => &ENGLISH,
        Language::De => &GERMAN,
    }
}

impl Catalogue {
    /// With what was wrong with the files. It is left out and logged: a page without a word is
    /// better than none.
    fn read(language: Language) -> (Catalogue, Vec<String>) {
        let tag: LanguageIdentifier = language.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // The marks keep right-to-left names from turning a sentence around, but they also end up
        // in attributes and in what people copy. Names are kept apart by `<bdi>` and the like.
        bundle.set_use_isolating(false);
        let mut faults = Vec::new();
        let mut ids = Vec::new();
        for (name, source) in sources(language) {
            let resource = match FluentResource::try_new(source) {
                Ok(resource) => resource,
                Err((resource, errors)) => {
                    faults.extend(errors.iter().map(|error| format!("{name}: {error}")));
                    resource
                }
            };
            for entry in resource.entries() {
                if let Entry::Message(message) = entry {
                    ids.push(message.id.name.to_owned());
                }
            }
            if let Err(errors) = bundle.add_resource(resource) {
                faults.extend(errors.iter().map(|error| format!("{name}: {error}")));
            }
        }
        let mut texts = HashMap::new();
        for id in ids {
            let Some(pattern) = bundle.get_message(&id).and_then(|message| message.value()) else {
                faults.push(format!("{id} has no text"));
                continue;
            };
            let mut errors = Vec::new();
            let text = bundle.format_pattern(pattern, None, &mut errors).into_owned();
            if errors.is_empty() {
                texts.insert(id, text);
            }
        }
        for fault in &faults {
            tracing::error!(language = language.tag(), %fault, "a text cannot be read");
        }
        (Catalogue { bundle, texts }, faults)
    }
}

/// Name and content of the files of a language.
fn sources(language: Language) -> Vec<(String, String)> {
    let folder = format!("{}/", language.tag());
    let names = Files::iter().filter(|name| name.starts_with(&folder));
    names
        .filter_map(|name| {
            let file = Files::get(&name)?;
            let source = String::from_utf8_lossy(&file.data).into_owned();
            Some((name.into_owned(), source))
        })
        .collect()
}

#[cfg(test)]
#[path = "texts_tests.rs"]
mod tests;
