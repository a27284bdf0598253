//! What a browser says about itself, in plain words.

use crate::texts::Language;

/// "Firefox on Linux". Browsers name each other, so the order counts.
pub fn describe(language: Language, user_agent: Option<&str>) -> String {
    let Some(text) = user_agent else {
        return language.text("sessions-unknown-browser").into();
    };
    let find = |table: &[(&'static str, &'static str)]| {
        let found = table.iter().find(|(mark, _)| text.contains(mark));
        found.map(|(_, name)| *name)
    };
    let browser = find(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser/", "Samsung Internet"),
        ("Vivaldi/", "Vivaldi"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    if let Some(device) = find(&[("iPhone", "iPhone"), ("iPad", "iPad")]) {
        return match browser {
            Some(browser) => language
                .say("sessions-browser-on-device")
                .arg("browser", browser)
                .arg("device", device)
                .to_string(),
            None => language
                .say("sessions-some-browser-on-device")
                .arg("device", device)
                .to_string(),
        };
    }
    let system = find(&[
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => language
            .say("sessions-browser-on")
            .arg("browser", browser)
            .arg("system", system)
            .to_string(),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => language
            .say("sessions-some-browser-on")
            .arg("system", system)
            .to_string(),
        // A program: its first word is its name, such as `curl/8.5.0`.
        (None, None) => match text.split(['/', ' ']).next() {
            Some(name) if !name.is_empty() => name.chars().take(40).collect(),
            _ => language.text("sessions-unknown-browser").into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_in_plain_words() {
        let table = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
                "Chrome on Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0 Mobile/15E148 Safari/604.1",
                "Chrome on an iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.5.0", "curl"),
            ("", "An unknown browser"),
            ("Something (Linux)", "A browser on Linux"),
        ];
        for (text, words) in table {
            assert_eq!(describe(Language::En, Some(text)), words, "{text}");
        }
        assert_eq!(describe(Language::En, None), "An unknown browser");
    }
}
