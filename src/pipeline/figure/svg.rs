//! The few SVG elements that figures are made of.

use crate::pipeline::colour::Rgb;
use std::fmt::Write;

/// Ordinary text.
pub(super) const INK: Rgb = [27, 31, 36];
/// Captions, axes.
pub(super) const QUIET: Rgb = [87, 96, 106];
/// Hairlines.
pub(super) const LINE: Rgb = [213, 218, 223];
/// Bars and other marks without a meaning of their own.
pub(super) const MARK: Rgb = [75, 143, 179];
pub(super) const TITLE: f64 = 20.0;
pub(super) const TEXT: f64 = 13.0;

/// Where a text is anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture in the making; lengths in pixels, the origin at the top left.
pub(super) struct Canvas {
    pub(super) width: f64,
    pub(super) height: f64,
    body: String,
}

impl Canvas {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// What is kept in the file without being drawn.
    pub(super) fn description(&mut self, text: &str) {
        self.push(&format!("<desc>{}</desc>", escape(text)));
    }

    pub(super) fn title(&mut self, title: &str, subtitle: &str) {
        self.text_styled([24.0, 36.0], title, TITLE, INK, Anchor::Start, true);
        self.text([24.0, 58.0], &fitted(subtitle, self.width - 48.0), QUIET, Anchor::Start);
    }

    pub(super) fn text(&mut self, at: [f64; 2], text: &str, colour: Rgb, anchor: Anchor) {
        self.text_styled(at, text, TEXT, colour, anchor, false);
    }

    fn text_styled(&mut self, [x, y]: [f64; 2], text: &str, size: f64, colour: Rgb, anchor: Anchor, bold: bool) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if bold { 600 } else { 400 };
        self.push(&format!(
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" font-weight="{weight}" fill="{}" text-anchor="{anchor}">{}</text>"#,
            hex(colour),
            escape(text)
        ));
    }

    pub(super) fn rectangle(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2], colour: Rgb) {
        let (width, height) = (width.max(0.0), height.max(0.0));
        self.push(&format!(
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{}"/>"#,
            hex(colour)
        ));
    }

    pub(super) fn line(&mut self, from: [f64; 2], to: [f64; 2], colour: Rgb) {
        self.push(&format!(
            r#"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="{}"/>"#,
            from[0],
            from[1],
            to[0],
            to[1],
            hex(colour)
        ));
    }

    /// A line through points.
    pub(super) fn polyline(&mut self, points: &[[f64; 2]], colour: Rgb, dashed: bool) {
        let dashes = if dashed { r#" stroke-dasharray="5 4""# } else { "" };
        self.push(&format!(
            r#"<polyline points="{}" fill="none" stroke="{}" stroke-width="1.8"{dashes}/>"#,
            coordinates(points),
            hex(colour)
        ));
    }

    /// An area within points.
    pub(super) fn area(&mut self, points: &[[f64; 2]], colour: Rgb, opacity: f64) {
        self.push(&format!(
            r#"<polygon points="{}" fill="{}" fill-opacity="{opacity}"/>"#,
            coordinates(points),
            hex(colour)
        ));
    }

    pub(super) fn circle(&mut self, [x, y]: [f64; 2], radius: f64, colour: Rgb, opacity: f64) {
        self.push(&format!(
            r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius}" fill="{}" fill-opacity="{opacity}"/>"#,
            hex(colour)
        ));
    }

    pub(super) fn png(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2], png: &[u8]) {
        use base64::Engine;
        let data = base64::engine::general_purpose::STANDARD.encode(png);
        self.push(&format!(
            r#"<image x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" href="data:image/png;base64,{data}"/>"#
        ));
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    pub(super) fn finish(self) -> String {
        let mut svg = String::with_capacity(self.body.len() + 300);
        let (width, height) = (self.width, self.height);
        let _ = writeln!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="Inter, Helvetica, Arial, sans-serif">
<rect width="100%" height="100%" fill="#ffffff"/>"##
        );
        svg + &self.body + "</svg>\n"
    }
}

fn coordinates(points: &[[f64; 2]]) -> String {
    points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

fn hex([red, green, blue]: Rgb) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// Text that is safe between tags. Characters that XML does not allow at all become blanks.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

/// `text` cut to about `pixels` of ordinary text.
pub(super) fn fitted(text: &str, pixels: f64) -> String {
    // The mean width of Inter's lower-case letters is a little over half of their size.
    let most = (pixels / (TEXT * 0.55)).max(2.0) as usize;
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).collect::<String>() + "…"
}

/// A whole number with thin spaces between thousands.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{2009}');
        }
        text.push(digit);
    }
    text
}
