//! What a page says, and the form that it is about.

use super::browser::{Form, forms, unescape};

/// The words of the main part, without markup.
pub fn words(html: &str) -> String {
    let html = html.split_once("<main").map_or(html, |(_, main)| main);
    let html = html.split_once("</main>").map_or(html, |(main, _)| main);
    let mut text = String::new();
    let mut in_tag = true;
    for c in html.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                text.push(' ');
            }
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    let text = unescape(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first form that changes something.
pub fn main_form(html: &str) -> Form {
    let forms = forms(html);
    let found = forms.into_iter().find(|form| form.get("form_token").is_some());
    found.unwrap_or_else(|| panic!("no form: {}", words(html)))
}

#[track_caller]
pub fn assert_says(text: &str, expected: &str) {
    assert!(text.contains(expected), "{expected:?} is not in {text:?}");
}
