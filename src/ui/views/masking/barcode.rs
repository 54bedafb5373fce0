//! A barcode in k-mers: what stands there, what was guessed, and the amino acids.

use crate::pipeline::reconstruct::{Guess, ReconstructedToken, Reconstruction};
use crate::ui::theme::{self, Tokens};
use crate::ui::words;
use egui::{
    Align2, Color32, FontId, Grid, Painter, Pos2, Rect, RichText, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2,
};

/// Lines of text of a row of k-mers: bases, guesses, amino acids.
const LINES: f32 = 3.0;
/// Size of a changed amino acid's letters: three of them are as wide as their codon, and the next codon may change, too.
const CHANGED: f32 = 0.8;

/// Where everything is drawn.
struct Layout {
    origin: Pos2,
    font: FontId,
    letter: f32,
    line: f32,
    k: usize,
    per_row: usize,
    first_base: usize,
    tokens: usize,
}

impl Layout {
    fn of(ui: &Ui, found: &Reconstruction, k: usize) -> Self {
        let font = TextStyle::Monospace.resolve(ui.style());
        let letter = ui.fonts_mut(|fonts| fonts.glyph_width(&font, 'A'));
        let line = ui.text_style_height(&TextStyle::Monospace) + 2.0 * theme::HAIRLINE;
        let per_row = (((ui.available_width() + theme::GRID) / (k as f32 * letter + theme::GRID)) as usize).max(1);
        let first_base = found.tokens.first().map_or(0, |token| token.first_base);
        Self { origin: Pos2::ZERO, font, letter, line, k, per_row, first_base, tokens: found.tokens.len() }
    }

    fn row_height(&self) -> f32 {
        LINES * self.line + theme::GAP
    }

    fn height(&self) -> f32 {
        self.tokens.div_ceil(self.per_row) as f32 * self.row_height()
    }

    /// The upper left corner of a base's column; `None` beyond the tokens.
    fn place(&self, base: usize) -> Option<Pos2> {
        let within = base.checked_sub(self.first_base)?;
        let (token, letter) = (within / self.k, within % self.k);
        if token >= self.tokens {
            return None;
        }
        let (row, column) = (token / self.per_row, token % self.per_row);
        let x = column as f32 * (self.k as f32 * self.letter + theme::GRID) + letter as f32 * self.letter;
        Some(self.origin + vec2(x, row as f32 * self.row_height()))
    }

    /// Bases and guess of a token.
    fn token(&self, at: usize) -> Option<Rect> {
        let corner = self.place(self.first_base + at * self.k)?;
        Some(Rect::from_min_size(corner, vec2(self.k as f32 * self.letter, 2.0 * self.line)))
    }
}

/// Draws the barcode. Answers the masked k-mer that was clicked.
pub(super) fn show(ui: &mut Ui, found: &Reconstruction, k: usize, chosen: Option<usize>) -> Option<usize> {
    let mut layout = Layout::of(ui, found, k);
    let (_, area) = ui.allocate_space(vec2(ui.available_width(), layout.height()));
    layout.origin = area.min;
    let tokens = theme::tokens(ui);
    let mut clicked = None;
    for (at, token) in found.tokens.iter().enumerate() {
        let Some(rect) = layout.token(at).filter(|rect| ui.is_rect_visible(*rect)) else { continue };
        draw(ui.painter(), &layout, rect, token, tokens);
        if let Some(is_right) = token.is_right() {
            let response = ui.interact(rect, ui.scope_id().with(("k-mer", at)), Sense::click());
            let name = described(token, is_right);
            response.widget_info(|| WidgetInfo::selected(Role::Button, true, chosen == Some(at), &name));
            if chosen == Some(at) || response.has_focus() || response.hovered() {
                let colour = if chosen == Some(at) { tokens.accent } else { tokens.text };
                let stroke = (1.5 * theme::HAIRLINE, colour);
                ui.painter().rect_stroke(rect.expand(1.0), 2.0, stroke, egui::StrokeKind::Outside);
            }
            if response.on_hover_ui(|ui| guesses(ui, token)).clicked() {
                clicked = Some(at);
            }
        }
    }
    let changed = FontId { size: CHANGED * layout.font.size, ..layout.font.clone() };
    for codon in &found.codons {
        // the letter stands below the middle base of its codon
        let Some(place) = layout
            .place(codon.first_base + 1)
            .filter(|place| ui.is_rect_visible(Rect::from_min_size(*place, vec2(1.0, layout.row_height()))))
        else {
            continue;
        };
        let at = place + vec2(layout.letter / 2.0, 2.0 * layout.line);
        let (text, font, colour) = if codon.amino_acid == codon.guessed {
            (codon.amino_acid.to_string(), &layout.font, tokens.quiet)
        } else {
            (format!("{}>{}", codon.amino_acid, codon.guessed), &changed, tokens.wrong)
        };
        ui.painter().text(at, Align2::CENTER_TOP, text, font.clone(), colour);
    }
    clicked
}

fn draw(painter: &Painter, layout: &Layout, rect: Rect, token: &ReconstructedToken, tokens: &Tokens) {
    let letters = |line: f32, text: &str, colour: Color32| {
        let at = pos2(rect.left(), rect.top() + line * layout.line);
        painter.text(at, Align2::LEFT_TOP, text, layout.font.clone(), colour);
    };
    let Some(is_right) = token.is_right() else {
        return letters(0.0, &token.kmer, tokens.quiet);
    };
    let (ink, behind) = verdict(tokens, is_right);
    painter.rect_filled(rect, 2.0, behind);
    letters(0.0, &token.kmer, tokens.text);
    if let Some(best) = token.guesses.first() {
        letters(1.0, &best.kmer, ink);
    }
}

/// Colour of a guess, and the one behind it.
pub(super) fn verdict(tokens: &Tokens, is_right: bool) -> (Color32, Color32) {
    if is_right { (tokens.right, tokens.base_backgrounds[0]) } else { (tokens.wrong, tokens.base_backgrounds[3]) }
}

fn described(token: &ReconstructedToken, is_right: bool) -> String {
    let best = token
        .guesses
        .first()
        .map_or_else(String::new, |best| format!(", guessed {} ({})", best.kmer, words::percent(best.probability)));
    let verdict = if is_right { "right" } else { "wrong" };
    format!("k-mer at base {}: {}{best}, {verdict}", token.first_base + 1, token.kmer)
}

/// The guesses of a masked k-mer as a small table.
pub(super) fn guesses(ui: &mut Ui, token: &ReconstructedToken) {
    let tokens = theme::tokens(ui);
    let quiet = |text: &str| RichText::new(text).color(tokens.quiet);
    let first = token.first_base + 1;
    ui.label(RichText::new(format!("Bases {first} to {}: {}", first + token.kmer.len() - 1, token.kmer)).strong());
    Grid::new(("guesses", first)).num_columns(4).spacing([theme::GAP, theme::GRID]).show(ui, |ui| {
        for title in ["", "guess", "probability", ""] {
            ui.label(quiet(title));
        }
        ui.end_row();
        let line = |ui: &mut Ui, rank: String, Guess { kmer, probability }: &Guess| {
            let is_right = *kmer == token.kmer;
            let colour = if is_right { tokens.right } else { tokens.wrong };
            ui.label(quiet(&rank));
            ui.label(RichText::new(kmer).monospace().color(colour));
            ui.label(words::percent(*probability));
            ui.label(RichText::new(if is_right { "right" } else { "wrong" }).color(colour));
            ui.end_row();
        };
        for (rank, guess) in token.guesses.iter().enumerate() {
            line(ui, (rank + 1).to_string(), guess);
        }
        if let Some(probability) =
            token.probability.filter(|_| token.guesses.iter().all(|guess| guess.kmer != token.kmer))
        {
            line(ui, "…".to_owned(), &Guess { kmer: token.kmer.clone(), probability });
        }
    });
}
