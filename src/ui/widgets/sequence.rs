//! A barcode with coloured bases.

use crate::ui::{theme, words};
use egui::text::LayoutJob;
use egui::{FontId, Label, TextFormat, TextStyle, Ui};

/// Bases between two spaces.
const GROUP: usize = 10;

/// Draws a barcode in lines as wide as there is room for, with the position of each line's first base.
pub fn show(ui: &mut Ui, sequence: &[u8]) {
    let tokens = theme::tokens(ui);
    let font = TextStyle::Monospace.resolve(ui.style());
    let width = ui.fonts_mut(|fonts| fonts.glyph_width(&font, 'A'));
    let digits = words::count(sequence.len()).chars().count() + 1;
    let letters = (ui.available_width() / width).floor() as usize;
    let per_line = (letters.saturating_sub(digits) / (GROUP + 1)).max(1) * GROUP;
    let job = layout(sequence, per_line, digits, &font, tokens);
    ui.add(Label::new(job).selectable(true));
}

fn layout(sequence: &[u8], per_line: usize, digits: usize, font: &FontId, tokens: &theme::Tokens) -> LayoutJob {
    let mut job = LayoutJob::default();
    let quiet = TextFormat::simple(font.clone(), tokens.quiet);
    for (line, bases) in sequence.chunks(per_line).enumerate() {
        if line > 0 {
            job.append("\n", 0.0, quiet.clone());
        }
        job.append(&format!("{:>digits$}", line * per_line + 1), 0.0, quiet.clone());
        for group in bases.chunks(GROUP) {
            job.append(" ", 0.0, quiet.clone());
            for run in group.chunk_by(|a, b| a == b) {
                let (colour, behind) = theme::base(tokens, run[0]);
                let format = TextFormat { background: behind, ..TextFormat::simple(font.clone(), colour) };
                job.append(&String::from_utf8_lossy(run), 0.0, format);
            }
        }
    }
    job
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_base_is_shown_once_and_lines_say_where_they_begin() {
        let sequence: Vec<u8> = b"ACGTN".iter().copied().cycle().take(47).collect();
        let job = layout(&sequence, 20, 3, &FontId::monospace(12.0), &theme::LIGHT);
        let lines: Vec<&str> = job.text.lines().collect();
        assert_eq!(lines[0], "  1 ACGTNACGTN ACGTNACGTN");
        assert_eq!(lines[2], " 41 ACGTNAC");
        let bases: String = job.text.chars().filter(char::is_ascii_uppercase).collect();
        assert_eq!(bases.as_bytes(), sequence);
    }
}
