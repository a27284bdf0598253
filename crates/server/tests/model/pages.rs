//! What the consent page shows, read as a person would: nested lists of names, some with a
//! box to tick.

/// A permission on the page.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The number in the name "Scope 7".
    pub scope: usize,
    /// The value of its box, if it can be left out.
    pub place: Option<String>,
    pub below: Vec<Shown>,
}

/// The trees of a consent page; `None` if it is none or another one than expected.
pub fn shown(html: &str) -> Option<Vec<Shown>> {
    let (_, list) = html.split_once("<ul class=\"scopes scopes-top\">")?;
    let mut open: Vec<Vec<Shown>> = vec![Vec::new()];
    for piece in list.split('<').skip(1) {
        let (tag, text) = piece.split_once('>')?;
        let name = tag.split_whitespace().next()?;
        match name {
            "ul" => open.push(Vec::new()),
            "/ul" => {
                let finished = open.pop()?;
                match open.last_mut() {
                    None => return Some(finished),
                    Some(above) => above.last_mut()?.below = finished,
                }
            }
            "li" => open.last_mut()?.push(Shown::default()),
            "input" => {
                let (_, value) = tag.split_once(" value=\"")?;
                open.last_mut()?.last_mut()?.place = Some(value.split('"').next()?.to_owned());
            }
            "label" => open.last_mut()?.last_mut()?.scope = number(text)?,
            "p" if tag.contains("scope-name") => open.last_mut()?.last_mut()?.scope = number(text)?,
            _ => {}
        }
    }
    None
}

fn number(text: &str) -> Option<usize> {
    text.trim().strip_prefix("Scope ")?.trim().parse().ok()
}

/// The values of the boxes with the scopes on their paths.
pub fn boxes(shown: &[Shown]) -> Vec<(Vec<usize>, String)> {
    fn collect(shown: &[Shown], path: &mut Vec<usize>, found: &mut Vec<(Vec<usize>, String)>) {
        for node in shown {
            path.push(node.scope);
            found.extend(node.place.clone().map(|place| (path.clone(), place)));
            collect(&node.below, path, found);
            path.pop();
        }
    }
    let mut found = Vec::new();
    collect(shown, &mut Vec::new(), &mut found);
    found
}
