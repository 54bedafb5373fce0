//! Barcodes under each other: only the columns in which they differ.

use crate::data::dataset::Dataset;
use crate::pipeline::dossier::{DifferingColumn, Stack};
use crate::ui::{theme, words};
use egui::{Align2, Color32, FontId, Rect, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

/// Width of a column, in points.
const COLUMN: f32 = 11.0;
/// Height of a line, in points.
const LINE: f32 = 17.0;
/// Lines above those of the neighbours: position, base of its codon, the specimen, its amino acid.
const HEAD: usize = 4;
/// Every this many columns the position is written.
const POSITIONS: usize = 5;

/// Draws it. `name` gives the name of a row.
pub fn show(ui: &mut Ui, stack: &Stack, dataset: &Dataset, row: usize, name: impl Fn(usize) -> String) {
    if stack.columns.is_empty() {
        ui.label("The nearest specimens have the same bases.");
        return;
    }
    let names = 2.4 * theme::NAME_COLUMN;
    let lines = HEAD + 2 * stack.lines.len();
    let size = vec2(names + stack.columns.len() as f32 * COLUMN + theme::GAP, lines as f32 * LINE);
    ScrollArea::horizontal().id_salt("stack").show(ui, |ui| {
        let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
        let drawn = Drawn { ui, rect, names };
        drawn.titles(dataset, row, stack, name);
        drawn.letters(stack);
        let about = format!(
            "{} in which the nearest {} differ",
            words::counted(stack.columns.len(), "column", "columns"),
            words::counted(stack.lines.len(), "specimen", "specimens")
        );
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &about));
        let hovered = response.hover_pos().and_then(|at| drawn_column(at.x - rect.left() - names, stack));
        if let Some(column) = hovered {
            response.on_hover_text(told(column));
        }
    });
}

fn drawn_column(x: f32, stack: &Stack) -> Option<&DifferingColumn> {
    (x >= 0.0).then(|| stack.columns.get((x / COLUMN) as usize)).flatten()
}

fn told(column: &DifferingColumn) -> String {
    let place = column.position.map_or_else(
        || format!("base {} of the barcode", column.offset + 1),
        |position| format!("position {position} of the COI-5P frame"),
    );
    match column.in_codon {
        Some(at) => format!("{place}, base {at} of its codon"),
        None => place,
    }
}

struct Drawn<'a> {
    ui: &'a Ui,
    rect: Rect,
    names: f32,
}

impl Drawn<'_> {
    fn at(&self, line: usize) -> f32 {
        self.rect.top() + (line as f32 + 0.5) * LINE
    }

    fn text(&self, line: usize, text: &str, colour: Color32) {
        let font = FontId::proportional(theme::SMALL);
        let place = pos2(self.rect.left(), self.at(line));
        let room = Rect::from_min_size(self.rect.min, vec2(self.names - theme::GAP, self.rect.height()));
        self.ui.painter().with_clip_rect(room.intersect(self.ui.clip_rect())).text(
            place,
            Align2::LEFT_CENTER,
            text,
            font,
            colour,
        );
    }

    fn letter(&self, line: usize, column: usize, letter: u8, colour: Color32, behind: Option<Color32>) {
        let centre = pos2(self.rect.left() + self.names + (column as f32 + 0.5) * COLUMN, self.at(line));
        if let Some(behind) = behind {
            self.ui.painter().rect_filled(Rect::from_center_size(centre, vec2(COLUMN, LINE)), 0.0, behind);
        }
        let font = FontId::monospace(theme::SMALL);
        self.ui.painter().text(centre, Align2::CENTER_CENTER, char::from(letter), font, colour);
    }

    fn titles(&self, dataset: &Dataset, row: usize, stack: &Stack, name: impl Fn(usize) -> String) {
        let tokens = theme::tokens(self.ui);
        self.text(0, "position", tokens.quiet);
        self.text(1, "base of its codon", tokens.quiet);
        self.text(2, &format!("{}  {}", dataset.id(row), name(row)), tokens.text);
        self.text(3, "amino acid", tokens.quiet);
        for (at, line) in stack.lines.iter().enumerate() {
            let identity = words::percent(f64::from(line.identity));
            let inserted = match line.inserted {
                0 => String::new(),
                more => format!(", {more} inserted"),
            };
            let title = format!("{}  {}", dataset.id(line.row), name(line.row));
            self.text(HEAD + 2 * at, &title, tokens.text);
            self.text(HEAD + 2 * at + 1, &format!("{identity}{inserted}; amino acids that differ"), tokens.quiet);
        }
    }

    fn letters(&self, stack: &Stack) {
        let tokens = theme::tokens(self.ui);
        for (at, column) in stack.columns.iter().enumerate() {
            if at % POSITIONS == 0 {
                let place = pos2(self.rect.left() + self.names + at as f32 * COLUMN, self.at(0));
                let number = column.position.unwrap_or(column.offset as i32 + 1).to_string();
                self.ui.painter().text(
                    place,
                    Align2::LEFT_CENTER,
                    number,
                    FontId::monospace(theme::SMALL),
                    tokens.quiet,
                );
            }
            if let Some(place) = column.in_codon {
                self.letter(1, at, b'0' + place, tokens.quiet, None);
            }
            self.base(2, at, column.base);
            if let Some(acid) = column.amino_acid {
                self.letter(3, at, acid, tokens.quiet, None);
            }
            for (number, line) in stack.lines.iter().enumerate() {
                let row = HEAD + 2 * number;
                match line.letters[at] {
                    same if same == column.base => self.letter(row, at, b'.', tokens.quiet, None),
                    other => self.base(row, at, other),
                }
                if let Some(acid) = line.amino_acids[at] {
                    self.letter(row + 1, at, acid, tokens.wrong, None);
                }
            }
        }
    }

    fn base(&self, line: usize, column: usize, letter: u8) {
        let (colour, behind) = theme::base(theme::tokens(self.ui), letter);
        self.letter(line, column, letter, colour, Some(behind));
    }
}
