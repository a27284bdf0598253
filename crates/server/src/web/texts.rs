//! How pages say something.
//!
//! The words stand in `locales/{en,de}/AREA.ftl`, never in a template or a handler. An id begins
//! with its area: `login-title` is in `login.ftl`. A template has them from its layout, a handler
//! from its `Ctx`, everything else from a [`Language`]:
//!
//! - `{{ layout.text("login-title") }}`: a message without arguments.
//! - `{{ layout.say("login-hello").arg("name", name).count("apps", apps.len()) }}`: with arguments,
//!   of which numbers choose the plural. Askama escapes it like any other value.
//! - `{{ layout.markup("login-for").strong("client", client.name).link("terms", href, text) }}`:
//!   arguments that are elements in the sentence. It escapes the message and every argument itself,
//!   so translators write `{ $client }` and no tags, and nobody can bring in markup.
//! - In Rust: `ctx.text("login-title")`, `ctx.say("login-hello").arg("name", name).to_string()`.
//!
//! Every id is written out as a literal, so that the test in `texts_tests.rs` finds it: it fails if
//! an id is missing in a language or used nowhere.

use std::fmt;

use askama::filters::{Escaper, Html, HtmlSafe};
use fluent_bundle::types::FluentNumber;

use super::pages::{Href, Layout, Moment};
use crate::texts::{Language, Message};

impl Layout {
    pub fn text<'a>(&self, id: &'a str) -> &'a str {
        self.language.text(id)
    }

    pub fn say<'a>(&self, id: &'a str) -> Message<'a> {
        self.language.say(id)
    }

    pub fn markup<'a>(&self, id: &'a str) -> Markup<'a> {
        self.language.markup(id)
    }

    /// The words alone, for an argument.
    pub fn moment(&self, moment: &Moment) -> String {
        moment.words(self.language)
    }

    pub fn time(&self, moment: &Moment) -> Markup<'static> {
        self.language.time(moment)
    }
}

impl Language {
    /// Nodes of trees have no layout and say it by their language.
    pub fn markup(self, id: &str) -> Markup<'_> {
        Markup {
            message: self.say(id),
            elements: Vec::new(),
        }
    }

    /// A moment alone, outside of a sentence.
    pub fn time(self, moment: &Moment) -> Markup<'static> {
        self.markup("time-alone").time("moment", moment)
    }
}

/// In a message under way the place of its first element. What people send may contain these
/// characters too, so they are taken out of plain arguments.
const FIRST_PLACE: char = '\u{e000}';
const LAST_PLACE: char = '\u{e0ff}';

fn is_place(c: char) -> bool {
    (FIRST_PLACE..=LAST_PLACE).contains(&c)
}

/// A sentence with elements in it.
pub struct Markup<'a> {
    message: Message<'a>,
    /// In the order of their places, escaped.
    elements: Vec<String>,
}

impl Markup<'_> {
    pub fn arg(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        let text = value.to_string().replace(is_place, "\u{fffd}");
        self.message = self.message.arg(name, text);
        self
    }

    /// A number by which the message may choose its words.
    pub fn count(mut self, name: &'static str, value: impl Into<FluentNumber>) -> Self {
        self.message = self.message.count(name, value);
        self
    }

    pub fn strong(self, name: &'static str, value: impl fmt::Display) -> Self {
        self.element(name, "<strong>", value, "</strong>")
    }

    pub fn code(self, name: &'static str, value: impl fmt::Display) -> Self {
        self.element(name, "<code>", value, "</code>")
    }

    pub fn quote(self, name: &'static str, value: impl fmt::Display) -> Self {
        self.element(name, "<q>", value, "</q>")
    }

    /// What a stranger has written, with its lines.
    pub fn quoted(self, name: &'static str, value: impl fmt::Display) -> Self {
        self.element(name, "<q class=\"quoted\">", value, "</q>")
    }

    pub fn time(self, name: &'static str, moment: &Moment) -> Self {
        let open = format!("<time datetime=\"{}\">", escaped(moment.machine()));
        let words = moment.words(self.message.language());
        self.element(name, &open, words, "</time>")
    }

    pub fn link(self, name: &'static str, href: &Href, value: impl fmt::Display) -> Self {
        let open = format!("<a href=\"{}\">", escaped(href));
        self.element(name, &open, value, "</a>")
    }

    /// A link that leaves this page as it is.
    pub fn link_in_new_tab(self, name: &'static str, href: &Href, value: impl fmt::Display) -> Self {
        let open = format!("<a href=\"{}\" target=\"_blank\" rel=\"noopener\">", escaped(href));
        let hint = escaped(self.message.language().text("common-new-tab"));
        let close = format!("<span class=\"visually-hidden\"> {hint}</span></a>");
        self.element(name, &open, value, &close)
    }

    fn element(mut self, name: &'static str, open: &str, value: impl fmt::Display, close: &str) -> Self {
        let place = char::from_u32(FIRST_PLACE as u32 + self.elements.len() as u32).filter(|c| is_place(*c));
        self.elements.push(format!("{open}{}{close}", escaped(value)));
        // There is no sentence with 256 elements.
        self.message = self.message.arg(name, place.unwrap_or(LAST_PLACE));
        self
    }
}

fn escaped(value: impl fmt::Display) -> String {
    let text = value.to_string();
    let mut escaped = String::with_capacity(text.len());
    // Writing to a string cannot fail.
    let _ = Html.write_escaped_str(&mut escaped, &text);
    escaped
}

impl fmt::Display for Markup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = self.message.to_string();
        let mut rest = sentence.as_str();
        while let Some(at) = rest.find(is_place) {
            Html.write_escaped_str(&mut *f, &rest[..at])?;
            let mut characters = rest[at..].chars();
            let place = characters.next().map_or(0, |c| c as usize - FIRST_PLACE as usize);
            if let Some(element) = self.elements.get(place) {
                f.write_str(element)?;
            }
            rest = characters.as_str();
        }
        Html.write_escaped_str(f, rest)
    }
}

// It prints nothing that was not escaped above.
impl HtmlSafe for Markup<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<b>&\u{e000}\"";

    #[test]
    fn a_sentence_with_elements_is_escaped_piece_by_piece() {
        let sentence = Language::En.markup("login-linking").strong("username", HOSTILE);
        assert_eq!(
            sentence.to_string(),
            "to link it with <strong>&#60;b&#62;&#38;\u{e000}&#34;</strong>"
        );
    }

    #[test]
    fn a_plain_argument_cannot_name_the_place_of_an_element() {
        let sentence = Language::En
            .markup("login-linking")
            .strong("other", "secret")
            .arg("username", HOSTILE);
        assert_eq!(sentence.to_string(), "to link it with &#60;b&#62;&#38;\u{fffd}&#34;");
    }
}
