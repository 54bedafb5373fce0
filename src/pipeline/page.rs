//! Pages of HTML to open in any browser and to hand on: whatever they show is within them, unless a report links to files beside it.

use super::figure::Figure;
use std::fmt::Write;

/// A page in the making.
pub(super) struct Page {
    pub(super) html: String,
}

/// Text as it may stand in HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Page {
    pub(super) fn new(title: &str) -> Self {
        let title = escaped(title);
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n<style>{STYLE}</style></head>\
             <body>\n<h1>{title}</h1>\n",
        );
        Self { html }
    }

    pub(super) fn heading(&mut self, text: &str) {
        let _ = writeln!(self.html, "<h2>{}</h2>", escaped(text));
    }

    pub(super) fn paragraph(&mut self, text: &str) {
        let _ = writeln!(self.html, "<p>{}</p>", escaped(text));
    }

    /// A paragraph that must not be overlooked.
    pub(super) fn note(&mut self, text: &str) {
        let _ = writeln!(self.html, "<p class=\"note\">{}</p>", escaped(text));
    }

    pub(super) fn table(&mut self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| -> String {
            cells.map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect()
        };
        let _ = writeln!(self.html, "<table><tr>{}</tr>", cells("th", &mut header.iter().copied()));
        for row in rows {
            let _ = writeln!(self.html, "<tr>{}</tr>", cells("td", &mut row.iter().map(String::as_str)));
        }
        self.html.push_str("</table>\n");
    }

    /// A picture, as part of the page.
    pub(super) fn figure(&mut self, figure: &Figure) {
        let _ = writeln!(self.html, "<figure>{}</figure>", figure.svg());
    }

    /// The methods paragraph of the results.
    pub(super) fn methods(&mut self, text: &str) {
        self.heading("Methods");
        text.lines().filter(|line| !line.is_empty()).for_each(|line| self.paragraph(line));
    }

    pub(super) fn finish(mut self) -> String {
        self.html.push_str("</body></html>\n");
        self.html
    }
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2126}\
    h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem .2rem 0;\
    border-bottom:1px solid #d9dee3;text-align:left;vertical-align:top}td{overflow-wrap:anywhere;min-width:3.2rem}img,svg{max-width:100%;height:auto}figure{margin:1rem 0}\
    .note{background:#fff4d6;padding:.6rem 1rem}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::figure::horizontal_bars;

    #[test]
    fn names_from_files_cannot_break_a_page_and_pictures_are_within_it() {
        let mut page = Page::new("a < b & \"c\"");
        page.paragraph("<script>");
        page.table(&["name"], [vec!["<b>".to_owned()]]);
        page.figure(&horizontal_bars("Bars", "", &[], 1.0));
        let html = page.finish();
        assert!(html.contains("<title>a &lt; b &amp; &quot;c&quot;</title>") && html.contains("<td>&lt;b&gt;</td>"));
        assert!(!html.contains("<script>") && html.contains("<figure><svg") && !html.contains("href="));
    }
}
