//! How apps look, and the page on which that is chosen. A module inside of `pages`, so that
//! its template sees what all pages share.

use askama::Template;

use super::developers::Trail;
use super::{FormErrors, Href, Layout};

/// What an app adds to the look of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkinView {
    /// A path of this server.
    pub stylesheet: String,
    pub logo: Option<LogoView>,
    /// What stands in the band.
    pub header: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoView {
    /// A path of this server, or the picture itself.
    pub src: String,
    pub width: u32,
    pub height: u32,
}

impl LogoView {
    /// Pictures are kept twice as large as they are shown.
    pub(super) fn shown_width(&self) -> u32 {
        (self.width / 2).max(1)
    }

    pub(super) fn shown_height(&self) -> u32 {
        (self.height / 2).max(1)
    }
}

/// Chooses a look; the page wears what is saved or tried. Posts `header_text`, `band`,
/// `band_text`, `has_background`, `background`, the file `logo`, `tried_logo`, `remove_logo`,
/// and `decision`: `try`, `save` or `remove`.
#[derive(Template)]
#[template(path = "pages/appearance.html")]
pub struct AppearancePage {
    pub layout: Layout,
    pub trail: Trail,
    pub action: Href,
    pub form_token: String,
    pub is_project: bool,
    pub header_text: String,
    pub band: String,
    pub band_text: String,
    pub has_background: bool,
    pub background: String,
    pub has_logo: bool,
    /// A logo that was uploaded to be tried, in base64.
    pub tried_logo: String,
    pub is_saved: bool,
    pub is_tried: bool,
    pub cancel: Href,
    pub notice: Option<AppearanceNotice>,
    pub errors: FormErrors,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppearanceNotice {
    Saved,
    Removed,
}
