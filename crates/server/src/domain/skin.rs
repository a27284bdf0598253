//! How an app looks on the pages that people see on their way to it: a band with a logo and
//! a line of text, the buttons, the background.
//!
//! Safe by construction: a look is three colours, a text and a picture. Colours are numbers
//! and become a style sheet that this server writes; the text is escaped like any other; of
//! an uploaded picture nothing is kept but its points, which are written anew. What people
//! could not read is refused, by the contrast that WCAG 2.2 wants (1.4.3).

use std::fmt;
use std::io::Cursor;

use aws_lc_rs::digest;
use image::codecs::png::PngEncoder;
use image::{DynamicImage, ImageEncoder as _, ImageFormat, ImageReader, Limits};
use portolan_db::{ReadTx, WriteTx};
use serde_json::json;

use super::identity::check_text;
use crate::app::Ctx;
use crate::error::Result;
use crate::store::audit::{self, Actor, Event};
use crate::store::clients::Client;
use crate::store::skins::{self, Owner, Skin};

/// A colour without transparency: 0xRRGGBB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(u32);

impl Colour {
    pub const WHITE: Colour = Colour(0xff_ff_ff);
    /// The colours of text that stands on the background of every page, in the light scheme;
    /// the palest decides.
    const TEXT_ON_PAGES: [Colour; 3] = [Colour(0x17242c), Colour(0x4b5b64), Colour(0x0a3b4e)];

    /// `#0f5069`
    pub fn parse(text: &str) -> Option<Self> {
        Self::of_digits(text.strip_prefix('#')?)
    }

    fn of_digits(digits: &str) -> Option<Self> {
        let is_colour = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_colour.then(|| u32::from_str_radix(digits, 16).ok().map(Colour))?
    }

    /// As it is stored.
    pub fn number(self) -> i64 {
        self.0.into()
    }

    pub fn of_number(number: i64) -> Option<Self> {
        u32::try_from(number)
            .ok()
            .filter(|colour| *colour <= 0xff_ff_ff)
            .map(Colour)
    }

    fn digits(self) -> String {
        format!("{:06x}", self.0)
    }

    /// Relative luminance (WCAG 2.2).
    fn luminance(self) -> f64 {
        let part = |shift: u32| {
            let value = f64::from((self.0 >> shift) & 0xff) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
    }

    /// From 1, the same, to 21, black on white.
    pub fn contrast(self, other: Colour) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:06x}", self.0)
    }
}

/// What text needs to be read by most people (WCAG 2.2, 1.4.3).
pub const CONTRAST: f64 = 4.5;

/// The colours of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colours {
    /// Behind logo and text, and of the main button.
    pub band: Colour,
    /// Of the text on it.
    pub text: Colour,
    /// Of the page in the light scheme; none: that of every page.
    pub background: Option<Colour>,
}

impl Default for Colours {
    fn default() -> Self {
        Self {
            band: Colour(0x0f_50_69),
            text: Colour::WHITE,
            background: None,
        }
    }
}

/// Colours that people could not read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unreadable {
    /// The text on the band.
    Band { ratio: f64 },
    /// The text of every page on the background.
    Background { ratio: f64 },
}

impl Colours {
    pub fn check(&self) -> Vec<Unreadable> {
        let mut found = Vec::new();
        let ratio = self.band.contrast(self.text);
        if ratio < CONTRAST {
            found.push(Unreadable::Band { ratio });
        }
        if let Some(background) = self.background {
            let ratios = Colour::TEXT_ON_PAGES.iter().map(|text| background.contrast(*text));
            let ratio = ratios.fold(f64::INFINITY, f64::min);
            if ratio < CONTRAST {
                found.push(Unreadable::Background { ratio });
            }
        }
        found
    }

    /// The name of its style sheet says all that is in it, so it never changes.
    pub fn file(&self) -> String {
        let background = self
            .background
            .map_or_else(String::new, |colour| format!("-{}", colour.digits()));
        format!("{}-{}{background}.css", self.band.digits(), self.text.digits())
    }

    /// Reads that name. Nothing but colours can be in it.
    pub fn of_file(file: &str) -> Option<Self> {
        let mut parts = file.strip_suffix(".css")?.split('-');
        let band = Colour::of_digits(parts.next()?)?;
        let text = Colour::of_digits(parts.next()?)?;
        let background = match parts.next() {
            Some(digits) => Some(Colour::of_digits(digits)?),
            None => None,
        };
        let colours = Self { band, text, background };
        (parts.next().is_none() && colours.file() == file).then_some(colours)
    }

    pub fn stylesheet(&self) -> String {
        let (band, text) = (self.band, self.text);
        let mut css = format!(
            ".skin{{background:{band};color:{text}}}\n\
             main .button-primary,main .button-primary:hover{{background:{band};border-color:{band};color:{text}}}\n"
        );
        if let Some(background) = self.background {
            css.push_str(&format!(
                "@media (prefers-color-scheme:light) and (prefers-contrast:no-preference)\
                 {{:root{{--sea:{background}}}}}\n"
            ));
        }
        css
    }
}

/// A picture as this server wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logo {
    pub png: Vec<u8>,
    pub width: u32,
    pub height: u32,
}

impl Logo {
    pub fn hash(&self) -> Vec<u8> {
        digest::digest(&digest::SHA256, &self.png).as_ref().to_vec()
    }
}

/// Why an upload is no logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLogo {
    /// Neither PNG nor JPEG nor WebP, by its first bytes; its name does not count.
    Format,
    /// More points than anybody needs.
    TooManyPoints { width: u32, height: u32 },
    /// It begins like a picture, and does not go on like one.
    Broken,
}

/// The longest side of an upload.
pub const LONGEST_SIDE: u32 = 2048;
/// What decoding may take: a picture of that size with 16 bits for each part, and some.
const MEMORY: u64 = 64 * 1024 * 1024;
/// How large logos are kept: twice as large as they are shown, for good screens.
const WIDTH: u32 = 480;
const HEIGHT: u32 = 128;
/// A page with everything on it stays small.
const BYTES: usize = 48 * 1024;

/// Decodes an upload and writes it anew. Takes its time: not to be called on a thread that
/// serves others.
pub fn read_logo(bytes: &[u8]) -> Result<Logo, NoLogo> {
    let format = image::guess_format(bytes)
        .ok()
        .filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP))
        .ok_or(NoLogo::Format)?;
    let reader = || ImageReader::with_format(Cursor::new(bytes), format);
    // From its head alone: a bomb is refused before a point of it is made.
    let (width, height) = reader().into_dimensions().map_err(|_| NoLogo::Broken)?;
    if width == 0 || height == 0 {
        return Err(NoLogo::Broken);
    }
    if width > LONGEST_SIDE || height > LONGEST_SIDE {
        return Err(NoLogo::TooManyPoints { width, height });
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MEMORY);
    let mut reader = reader();
    reader.limits(limits);
    let picture = reader.decode().map_err(|_| NoLogo::Broken)?;
    write_logo(picture)
}

fn write_logo(picture: DynamicImage) -> Result<Logo, NoLogo> {
    let (mut width, mut height) = (WIDTH, HEIGHT);
    loop {
        let is_larger = picture.width() > width || picture.height() > height;
        let fitting = match is_larger {
            true => picture.thumbnail(width, height),
            false => picture.clone(),
        };
        let points = fitting.to_rgba8();
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(
                points.as_raw(),
                points.width(),
                points.height(),
                image::ExtendedColorType::Rgba8,
            )
            .map_err(|_| NoLogo::Broken)?;
        // What is all noise does not get small otherwise.
        if png.len() <= BYTES || height <= 16 {
            return Ok(Logo {
                width: points.width(),
                height: points.height(),
                png,
            });
        }
        (width, height) = (width / 2, height / 2);
    }
}

/// The look of an app: its own, or that of its project.
pub fn of_client(tx: &mut ReadTx, client: &Client) -> Result<Option<Skin>> {
    if let Some(own) = skins::find(tx, Owner::Client(client.id))? {
        return Ok(Some(own));
    }
    match client.project_id {
        Some(project) => skins::find(tx, Owner::Project(project)),
        None => Ok(None),
    }
}

/// What becomes of the logo when a look is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogoChange {
    Keep,
    Remove,
    Set(Logo),
}

/// Gives an app or a project its look. Colours that cannot be read were refused before.
pub fn save(
    tx: &mut WriteTx,
    ctx: &Ctx,
    actor: Actor,
    owner: Owner,
    colours: Colours,
    header_text: Option<&str>,
    logo: &LogoChange,
) -> Result<()> {
    if let Some(text) = header_text {
        check_text("header_text", text)?;
    }
    if !colours.check().is_empty() {
        return Err(crate::error::Error::invalid_parameters("colours: cannot be read"));
    }
    let kept = match (logo, skins::find(tx, owner)?.and_then(|skin| skin.logo)) {
        (LogoChange::Set(logo), _) => Some(logo.clone()),
        (LogoChange::Keep, Some(known)) => skins::find_logo(tx, &known.hash)?.map(|png| Logo {
            png,
            width: known.width,
            height: known.height,
        }),
        _ => None,
    };
    skins::replace(tx, owner, colours, header_text, kept.as_ref(), ctx.now)?;
    record(tx, ctx, actor, owner, "skin.update")
}

/// Back to how every page looks. False if there was nothing to take away.
pub fn remove(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, owner: Owner) -> Result<bool> {
    let removed = skins::delete(tx, owner)?;
    if removed {
        record(tx, ctx, actor, owner, "skin.delete")?;
    }
    Ok(removed)
}

fn record(tx: &mut WriteTx, ctx: &Ctx, actor: Actor, owner: Owner, action: &'static str) -> Result<()> {
    let (resource_kind, resource_id) = match owner {
        Owner::Client(id) => ("client", id.to_string()),
        Owner::Project(id) => ("project", id.to_string()),
    };
    let event = Event {
        action,
        actor,
        resource_kind,
        resource_id,
        detail: json!({}),
    };
    audit::insert(tx, ctx, &event)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use image::{Rgba, RgbaImage};

    use super::*;

    fn colour(text: &str) -> Colour {
        Colour::parse(text).unwrap()
    }

    /// The examples of WebAIM and of the definition itself.
    #[test]
    fn contrast_is_that_of_wcag() {
        for (one, two, ratio) in [
            ("#000000", "#ffffff", 21.0),
            ("#ffffff", "#ffffff", 1.0),
            ("#767676", "#ffffff", 4.54),
            ("#777777", "#ffffff", 4.48),
            ("#ff0000", "#ffffff", 4.0),
            ("#0f5069", "#ffffff", 8.85),
            // Dark parts are scaled by another rule than the others.
            ("#0a0a0a", "#000000", 1.06),
        ] {
            let found = colour(one).contrast(colour(two));
            assert!((found - ratio).abs() < 0.01, "{one} {two}: {found}");
            assert!((colour(two).contrast(colour(one)) - found).abs() < 1e-9);
        }
    }

    #[test]
    fn a_colour_is_a_number_of_six_digits_and_nothing_else() {
        assert_eq!(colour("#0F5069").to_string(), "#0f5069");
        for bad in [
            "", "#", "0f5069", "#0f506", "#0f50699", "#+f5069", "red", "#0f506g", "#0f50é",
        ] {
            assert_eq!(Colour::parse(bad), None, "{bad}");
        }
        assert_eq!(Colour::of_number(0x100_0000), None);
        assert_eq!(Colour::of_number(-1), None);
        assert_eq!(Colour::of_number(colour("#0f5069").number()), Some(colour("#0f5069")));
    }

    #[test]
    fn what_cannot_be_read_is_found() {
        let good = Colours::default();
        assert!(good.check().is_empty());
        let pale = Colours {
            band: colour("#777777"),
            ..good
        };
        assert!(matches!(pale.check()[..], [Unreadable::Band { ratio }] if ratio < 4.5));
        let dark = Colours {
            background: Some(colour("#555555")),
            ..good
        };
        assert!(matches!(dark.check()[..], [Unreadable::Background { .. }]));
        let light = Colours {
            background: Some(colour("#eef2f1")),
            ..good
        };
        assert!(light.check().is_empty());
    }

    #[test]
    fn the_name_of_a_style_sheet_holds_colours_and_nothing_else() {
        let colours = Colours {
            background: Some(colour("#eef2f1")),
            ..Colours::default()
        };
        for colours in [colours, Colours::default()] {
            assert_eq!(Colours::of_file(&colours.file()), Some(colours));
            let css = colours.stylesheet();
            assert!(
                css.contains("#0f5069") && !css.contains("url") && !css.contains("import"),
                "{css}"
            );
        }
        for bad in [
            "",
            ".css",
            "0f5069.css",
            "0f5069-ffffff",
            "0f5069-ffffff-eef2f1-000000.css",
            "0F5069-ffffff.css",
            "0f5069-ffffff-.css",
            "0f5069-fffff}.css",
            "red-white.css",
        ] {
            assert_eq!(Colours::of_file(bad), None, "{bad}");
        }
    }

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let points = RgbaImage::from_fn(width, height, |x, y| Rgba([(x / 16) as u8, (y / 8) as u8, 120, 255]));
        let picture = match format {
            ImageFormat::Jpeg => DynamicImage::ImageRgb8(DynamicImage::ImageRgba8(points).to_rgb8()),
            _ => DynamicImage::ImageRgba8(points),
        };
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_of_the_three_kinds_are_written_anew_and_fit() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let logo = read_logo(&picture(300, 90, format)).unwrap();
            assert_eq!((logo.width, logo.height), (300, 90), "{format:?}");
            assert_eq!(image::guess_format(&logo.png).unwrap(), ImageFormat::Png);
            let large = read_logo(&picture(2000, 500, format)).unwrap();
            assert_eq!((large.width, large.height), (480, 120), "{format:?}");
            assert!(large.png.len() <= BYTES);
        }
        for ((width, height), fitting) in [
            ((1000, 20), (480, 10)),
            ((100, 300), (43, 128)),
            ((LONGEST_SIDE, 64), (480, 15)),
            ((64, LONGEST_SIDE), (4, 128)),
        ] {
            let logo = read_logo(&picture(width, height, ImageFormat::Png)).unwrap();
            assert_eq!((logo.width, logo.height), fitting, "{width} × {height}");
        }
    }

    #[test]
    fn noise_gets_small_too() {
        let mut state = 1_u32;
        let mut noise = |width, height| {
            let points = RgbaImage::from_fn(width, height, |_, _| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                Rgba(state.to_be_bytes())
            });
            let mut bytes = Cursor::new(Vec::new());
            DynamicImage::ImageRgba8(points)
                .write_to(&mut bytes, ImageFormat::Png)
                .unwrap();
            bytes.into_inner()
        };
        for ((width, height), fitting) in [((480, 128), (120, 32)), ((480, 60), (240, 30)), ((200, 128), (100, 64))] {
            let logo = read_logo(&noise(width, height)).unwrap();
            assert!(logo.png.len() <= BYTES, "{}", logo.png.len());
            assert_eq!((logo.width, logo.height), fitting, "{width} × {height}");
        }
    }

    #[test]
    fn nothing_of_an_upload_survives_but_its_points() {
        let mut bytes = picture(30, 30, ImageFormat::Png);
        bytes.extend_from_slice(b"PK\x03\x04<script>alert(1)</script>");
        let logo = read_logo(&bytes).unwrap();
        let is_in = |needle: &[u8]| logo.png.windows(needle.len()).any(|window| window == needle);
        assert!(!is_in(b"<script>") && !is_in(b"PK\x03\x04"));
        // What was written here is written the same way again.
        assert_eq!(read_logo(&logo.png).unwrap(), logo);
    }

    /// A PNG of this size by its head, with no more points than its few bytes can hold.
    fn bomb(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = picture(8, 8, ImageFormat::Png);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let crc = crc32fast::hash(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    #[test]
    fn bombs_fragments_and_other_files_are_refused() {
        for (width, height) in [(20_000, 20_000), (2049, 10), (10, 2049), (u32::MAX >> 1, 1)] {
            assert!(
                matches!(
                    read_logo(&bomb(width, height)),
                    Err(NoLogo::TooManyPoints { .. } | NoLogo::Broken)
                ),
                "{width}x{height}"
            );
        }
        assert_eq!(
            read_logo(&bomb(20_000, 20_000)),
            Err(NoLogo::TooManyPoints {
                width: 20_000,
                height: 20_000
            })
        );
        // It says 2000 by 2000, and ends after a few lines.
        assert_eq!(read_logo(&bomb(2000, 2000)), Err(NoLogo::Broken));
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let bytes = picture(64, 64, format);
            for end in [12, 40, bytes.len() / 2] {
                assert!(read_logo(&bytes[..end]).is_err(), "{format:?} {end}");
            }
        }
        for other in [
            &b""[..],
            b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
            b"<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>",
            b"BM\x00\x00\x00\x00",
            b"%PDF-1.7",
            b"PK\x03\x04",
        ] {
            assert_eq!(read_logo(other), Err(NoLogo::Format));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic() {
        let mut state = 7_u32;
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let whole = picture(40, 40, format);
            for _ in 0..300 {
                let mut bytes = whole.clone();
                for _ in 0..4 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let at = state as usize % bytes.len();
                    bytes[at] = (state >> 24) as u8;
                }
                let _ = read_logo(&bytes);
            }
        }
    }
}
