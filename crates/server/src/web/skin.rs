//! The files behind the look of apps: a style sheet whose name says its colours, and a logo
//! whose name is the hash of its bytes. Neither ever changes, so both may be kept for ever.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use portolan_db::ReadTx;

use super::assets;
use super::pages::skin::{LogoView, SkinView};
use crate::app::App;
use crate::domain::skin::{self, Colours, Logo};
use crate::error::{Error, Result};
use crate::store::clients::Client;
use crate::store::skins::{self, Skin};

/// The look that pages have for an app.
pub fn of_client(tx: &mut ReadTx, client: &Client) -> Result<Option<SkinView>> {
    Ok(skin::of_client(tx, client)?.map(|skin| view(&skin, &client.name)))
}

pub fn view(skin: &Skin, name: &str) -> SkinView {
    SkinView {
        stylesheet: stylesheet(&skin.colours),
        logo: skin.logo.as_ref().map(|logo| LogoView {
            src: format!("/p/skin/{}.png", hex(&logo.hash)),
            width: logo.width,
            height: logo.height,
        }),
        header: skin.header_text.clone().unwrap_or_else(|| name.to_owned()),
    }
}

/// One that is not saved: its logo stands in the page itself.
pub fn preview(colours: &Colours, logo: Option<LogoView>, header: &str) -> SkinView {
    SkinView {
        stylesheet: stylesheet(colours),
        logo,
        header: header.to_owned(),
    }
}

fn stylesheet(colours: &Colours) -> String {
    format!("/p/skin/{}", colours.file())
}

/// A logo that is not saved, as an address that holds it.
pub fn inline(logo: &Logo) -> LogoView {
    LogoView {
        src: format!("data:image/png;base64,{}", STANDARD.encode(&logo.png)),
        width: logo.width,
        height: logo.height,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hex(text: &str) -> Option<Vec<u8>> {
    let is_hash = text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !is_hash {
        return None;
    }
    (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

/// `GET /p/skin/{file}`
pub async fn skin_file(State(app): State<App>, Path(file): Path<String>) -> Result<Response> {
    let missing = || Error::not_found("file");
    if let Some(colours) = Colours::of_file(&file) {
        return Ok(answer("text/css; charset=utf-8", colours.stylesheet().into_bytes()));
    }
    let hash = file.strip_suffix(".png").and_then(of_hex).ok_or_else(missing)?;
    let logo = app.db.read(move |tx| skins::find_logo(tx, &hash)).await?;
    Ok(answer("image/png", logo.ok_or_else(missing)?))
}

fn answer(content_type: &'static str, bytes: Vec<u8>) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(assets::CACHE_CONTROL));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Opened alone it is a document of this origin, which may do nothing.
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_digits_of_lower_case() {
        let text = "0a".repeat(32);
        assert_eq!(of_hex(&text), Some(vec![10; 32]));
        assert_eq!(hex(&[10; 32]), text);
        for bad in [
            "",
            &"0A".repeat(32),
            &"0a".repeat(31),
            &"é".repeat(32),
            &"0g".repeat(32),
        ] {
            assert_eq!(of_hex(bad), None, "{bad}");
        }
    }
}
