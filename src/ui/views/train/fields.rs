//! Fields of the form: every setting with its name, its plain explanation and its limits.

use super::explained::explained;
use crate::train::{Names, TrainSettings, fitting_heads, possible_heads};
use crate::ui::theme;
use egui::emath::Numeric;
use egui::{ComboBox, DragValue, Response, TextEdit, Ui};
use std::ops::RangeInclusive;

/// A setting's name before its field, which `field` draws.
pub(super) fn row(ui: &mut Ui, setting: &'static str, field: impl FnOnce(&mut Ui) -> Response) {
    explained_row(ui, setting, "", field);
}

fn explained_row(ui: &mut Ui, setting: &'static str, limits: &str, field: impl FnOnce(&mut Ui) -> Response) {
    let (name, hint) = explained(setting);
    let label = ui.label(name).on_hover_text(hint);
    field(ui).labelled_by(label.id).on_hover_text(format!("{hint}{limits}"));
    ui.end_row();
}

/// A number within limits.
pub(super) fn number<N: Numeric>(ui: &mut Ui, setting: &'static str, value: &mut N, range: RangeInclusive<N>) {
    let limits = limits(&range);
    explained_row(ui, setting, &limits, |ui| {
        ui.add(DragValue::new(value).range(range).speed(0.1).update_while_editing(false))
    });
}

/// A number whose size spans several powers of ten.
pub(super) fn small(ui: &mut Ui, setting: &'static str, value: &mut f64, range: RangeInclusive<f64>) {
    let limits = limits(&range);
    explained_row(ui, setting, &limits, |ui| {
        // at 0 there is no size yet that a step could be a share of
        let speed = if *value > 0.0 { *value / 50.0 } else { range.end() / 1000.0 };
        ui.add(
            DragValue::new(value)
                .range(range)
                .speed(speed)
                .custom_formatter(|value, _| format!("{value}"))
                .update_while_editing(false),
        )
    });
}

/// ` (2 to 8)`; nothing where the upper limit is that of the numbers.
fn limits<N: Numeric>(range: &RangeInclusive<N>) -> String {
    if *range.end() >= N::MAX {
        String::new()
    } else {
        format!(" ({} to {})", range.start().to_f64(), range.end().to_f64())
    }
}

/// Yes or no.
pub(super) fn switch(ui: &mut Ui, setting: &'static str, value: &mut bool, enabled: bool, text: &'static str) {
    row(ui, setting, |ui| ui.add_enabled(enabled, egui::Checkbox::new(value, text)));
}

/// A width with the heads that divide it: other numbers are not offered, and the heads follow the width.
pub(super) fn width_and_heads(
    ui: &mut Ui,
    [width_setting, heads_setting]: [&'static str; 2],
    width: &mut usize,
    heads: &mut usize,
) {
    number(ui, width_setting, width, 8..=4096);
    *heads = fitting_heads(*width, *heads);
    row(ui, heads_setting, |ui| {
        let list =
            ComboBox::from_id_salt(heads_setting).width(theme::NAME_COLUMN / 2.0).selected_text(heads.to_string());
        let list = list.show_ui(ui, |ui| {
            for possible in possible_heads(*width) {
                ui.selectable_value(heads, possible, possible.to_string());
            }
        });
        list.response
    });
}

/// Names of splits, as text.
pub(super) fn splits(ui: &mut Ui, settings: &mut TrainSettings, known: &[String], typed: &mut Option<String>) {
    let hint = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
    let text_field = |ui: &mut Ui, text: &mut String| {
        ui.add(TextEdit::singleline(text).hint_text(&hint).desired_width(theme::NAME_COLUMN))
    };
    row(ui, "splits", |ui| {
        let mut text = typed.clone().unwrap_or_else(|| settings.splits.0.join(", "));
        let field = text_field(ui, &mut text);
        if field.changed() {
            settings.splits = Names::of(&text);
            *typed = Some(text);
        }
        if field.lost_focus() {
            *typed = None;
        }
        field
    });
    row(ui, "validation_split", |ui| text_field(ui, &mut settings.validation_split));
}
