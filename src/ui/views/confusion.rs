//! The confusion matrix as a picture whose cells select specimens.

use crate::pipeline::classify::Classification;
use crate::session::confusion::{Confusion, Slot};
use crate::ui::{theme, words};
use egui::{Align2, Modifiers, Rect, Role, Sense, TextStyle, Ui, WidgetInfo, pos2, vec2};

/// Draws the matrix: one row per true class, one column per predicted one. Returns the cell that was clicked.
pub fn show(ui: &mut Ui, names: &Classification, confusion: &Confusion) -> Option<(Slot, Slot, Modifiers)> {
    let side = confusion.classes.len() + 1;
    let labels = 1.3 * theme::NAME_COLUMN;
    let cell = ((ui.available_width() - labels) / side as f32).clamp(theme::SMALL, theme::CELL);
    let font = TextStyle::Small.resolve(ui.style());
    let mut clicked = None;
    let header = labels * 0.62;
    let (area, _) =
        ui.allocate_exact_size(vec2(labels + cell * side as f32, header + cell * side as f32), Sense::hover());
    let tokens = theme::tokens(ui);
    for (column, slot) in confusion.order().enumerate() {
        let at = pos2(area.left() + labels + (column as f32 + 0.7) * cell, area.top() + header - theme::GRID);
        slanted(ui, at, &slot_name(names, confusion, slot), tokens.text);
    }
    for (row, truth) in confusion.order().enumerate() {
        let top = area.top() + header + row as f32 * cell;
        let total = confusion.total(truth);
        let text = shortened(&slot_name(names, confusion, truth), 22);
        let at = pos2(area.left() + labels - theme::GRID, top + cell / 2.0);
        ui.painter().text(at, Align2::RIGHT_CENTER, text, font.clone(), tokens.text);
        for (column, predicted) in confusion.order().enumerate() {
            let corner = pos2(area.left() + labels + column as f32 * cell, top);
            let rect = Rect::from_min_size(corner, vec2(cell, cell)).shrink(theme::HAIRLINE / 2.0);
            if let Some(keys) = draw_cell(ui, rect, names, confusion, (truth, predicted), total) {
                clicked = Some((truth, predicted, keys));
            }
        }
    }
    clicked
}

fn draw_cell(
    ui: &Ui,
    rect: Rect,
    names: &Classification,
    confusion: &Confusion,
    (truth, predicted): (Slot, Slot),
    total: usize,
) -> Option<Modifiers> {
    let tokens = theme::tokens(ui);
    let count = confusion.count(truth, predicted);
    let share = if total == 0 { 0.0 } else { count as f32 / total as f32 };
    let is_right = truth == predicted && truth != Slot::Rest;
    let is_rest = truth == Slot::Rest && predicted == Slot::Rest;
    let ramp = if is_right || is_rest { tokens.correct_ramp } else { tokens.wrong_ramp };
    let fill = if count == 0 { tokens.panel } else { theme::blend(ramp, 0.15 + 0.85 * share.sqrt()) };
    ui.painter().rect_filled(rect, 0.0, fill);
    if count == 0 {
        return None;
    }
    let font = TextStyle::Small.resolve(ui.style());
    if rect.width() >= theme::HEADING {
        ui.painter().text(rect.center(), Align2::CENTER_CENTER, short_count(count), font, theme::text_on(fill));
    }
    let [truth_name, predicted_name] = [truth, predicted].map(|slot| slot_name(names, confusion, slot));
    let mut text = format!(
        "{} of {truth_name} named {predicted_name} ({} of its specimens)",
        words::counted(count, "specimen", "specimens"),
        words::percent(f64::from(share)),
    );
    if is_rest {
        text = format!(
            "{} of other classes, {} of them named wrong",
            words::count(count),
            words::count(confusion.wrong_in_rest)
        );
    }
    let response = ui.interact(rect, ui.scope_id().with((truth, predicted)), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &text));
    if response.hovered() || response.has_focus() {
        ui.painter().rect_stroke(rect, 0.0, (2.0 * theme::HAIRLINE, tokens.text), egui::StrokeKind::Inside);
    }
    let response = response.on_hover_text(text);
    response.clicked().then(|| ui.input(|input| input.modifiers))
}

fn slot_name(names: &Classification, confusion: &Confusion, slot: Slot) -> String {
    match slot {
        Slot::Class(at) => names.name(confusion.classes[at]).to_owned(),
        Slot::Rest => "all others".to_owned(),
    }
}

fn slanted(ui: &Ui, at: egui::Pos2, text: &str, colour: egui::Color32) {
    let font = TextStyle::Small.resolve(ui.style());
    let galley = ui.painter().layout_no_wrap(shortened(text, 16), font, colour);
    let height = galley.size().y;
    let shape =
        egui::epaint::TextShape::new(at - vec2(0.0, height), galley, colour).with_angle(-std::f32::consts::FRAC_PI_4);
    ui.painter().add(shape);
}

fn shortened(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        text.to_owned()
    } else {
        text.chars().take(letters - 1).chain(['…']).collect()
    }
}

/// At most three letters: 999, then 1k, 12k.
fn short_count(count: usize) -> String {
    if count < 1000 { count.to_string() } else { format!("{}k", count / 1000) }
}
