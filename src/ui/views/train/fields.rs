//! Fields of the form: every setting with its name, its plain explanation and its limits.

use crate::train::{Names, TrainSettings, fitting_heads, possible_heads};
use crate::ui::theme;
use egui::emath::Numeric;
use egui::{ComboBox, DragValue, Response, TextEdit, Ui};
use std::ops::RangeInclusive;

/// Every setting that the form has: its name in a file, its name here, and what it means.
const EXPLAINED: [(&str, &str, &str); 37] = [
    ("objective", "Objective", "What the model learns by"),
    ("mask_ratio", "Hidden share", "Share of the k-mers that is hidden; several, with commas, train one model each"),
    ("minutes", "Length", "How long the model learns, pauses not counted; it can be paused and stopped at any time"),
    ("epochs", "Length", "How often the model sees every barcode; it can be paused and stopped at any time"),
    ("steps", "Length", "How often the weights are changed; the run can be paused and stopped at any time"),
    ("seed", "Seed", "Of every random draw: the same seed, barcodes and settings give the same model"),
    (
        "register",
        "Registered",
        "Whether barcodes are shifted to the COI-5P frame before they are cut into k-mers, so that those \
        which begin at different bases share their k-mers",
    ),
    ("k", "Bases of a k-mer", "Larger k-mers make shorter barcodes and a larger table"),
    ("max_bases", "Bases read", "What lies beyond is not read; COI-5P has 658 bases"),
    ("encoder_layers", "Encoder layers", "Depth of the part that is kept and makes the embeddings"),
    ("encoder_width", "Encoder width", "Length of an embedding; twice the width is four times the work"),
    ("encoder_inner", "Encoder inner width", "Width inside its feed-forward blocks, by custom four times the width"),
    (
        "encoder_heads",
        "Encoder heads",
        "So many things a k-mer can look for in the others at once; they divide the width",
    ),
    ("decoder_layers", "Decoder layers", "Depth of the part that puts hidden k-mers back; it is not used for reading"),
    ("decoder_width", "Decoder width", "Its width"),
    ("decoder_inner", "Decoder inner width", "Width inside its feed-forward blocks, by custom four times the width"),
    (
        "decoder_heads",
        "Decoder heads",
        "So many things a k-mer can look for in the others at once; they divide the width",
    ),
    ("batch", "Batch", "Barcodes that pass through the network together; more need more memory"),
    ("accumulation", "Accumulation", "Batches that make one step: larger steps without more memory"),
    (
        "peak_rate",
        "Peak learning rate",
        "How far a step of 64 barcodes moves the weights at most; too high and the loss rises",
    ),
    ("weight_decay", "Weight decay", "How much every weight shrinks in a step; a little keeps weights small"),
    (
        "clip",
        "Longest gradient",
        "Longer ones are shortened to it, which keeps odd batches from doing harm; 0: none is",
    ),
    ("dropout", "Dropout", "Share of the values that is dropped at random in training; helps where barcodes are few"),
    ("schedule", "Schedule", "How the learning rate goes up and down in the course of the run"),
    ("random_share", "Shown as another", "Share of the hidden k-mers that is shown as another k-mer instead"),
    (
        "kept_share",
        "Shown as it is",
        "Share of the hidden k-mers that is shown as it is, and has to be named all the same",
    ),
    (
        "masked_weight",
        "Weight of the hidden",
        "Share of the loss that the hidden k-mers make; the seen ones make the rest",
    ),
    (
        "frozen_mask",
        "[MASK] stays",
        "Whether the vector that stands for a hidden k-mer stays as it began, as in the published code",
    ),
    (
        "random_offset",
        "Random offset",
        "Whether 0 to k-1 bases are cut off the front, so that every k-mer of a barcode is seen; \
        registered models never have one",
    ),
    ("splits", "Train on", "Splits to train on, with commas; empty: all specimens"),
    ("validation_split", "Validate on", "A split to validate on; empty: a share of the barcodes is set aside"),
    (
        "validation_share",
        "Set aside",
        "Share of the barcodes that is not trained on, to see whether the model learns them by heart",
    ),
    ("validate_every", "Validate every", "Steps between two validations"),
    ("patience", "Patience", "Validations without improvement before the run stops; 0: it never does"),
    (
        "checkpoint_minutes",
        "Checkpoint every",
        "Minutes between two checkpoints, from which a run goes on after a power cut",
    ),
    ("validation_barcodes", "At most", "Barcodes that a validation takes; more make it steadier and slower"),
    ("report_every", "Report every", "Steps that make one point of the curves"),
];

/// Name and explanation of a setting.
fn explained(setting: &'static str) -> (&'static str, &'static str) {
    EXPLAINED.iter().find(|(known, ..)| *known == setting).map_or((setting, ""), |(_, name, hint)| (name, hint))
}

/// A setting's name before its field, which `field` draws.
pub(super) fn row(ui: &mut Ui, setting: &'static str, field: impl FnOnce(&mut Ui) -> Response) {
    let (name, hint) = explained(setting);
    let label = ui.label(name).on_hover_text(hint);
    field(ui).labelled_by(label.id).on_hover_text(hint);
    ui.end_row();
}

/// A number within limits.
pub(super) fn number<N: Numeric>(ui: &mut Ui, setting: &'static str, value: &mut N, range: RangeInclusive<N>) {
    row(ui, setting, |ui| ui.add(DragValue::new(value).range(range).speed(0.1).update_while_editing(false)));
}

/// A number whose size spans several powers of ten.
pub(super) fn small(ui: &mut Ui, setting: &'static str, value: &mut f64, range: RangeInclusive<f64>) {
    row(ui, setting, |ui| {
        let speed = (*value / 50.0).max(1e-7);
        ui.add(
            DragValue::new(value)
                .range(range)
                .speed(speed)
                .custom_formatter(|value, _| format!("{value}"))
                .update_while_editing(false),
        )
    });
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Settings that the form has no field for: what follows from others, and where the model is trained.
    const WITHOUT_FIELD: [&str; 3] = ["positions", "device", "precision"];

    #[test]
    fn every_setting_is_explained_once() {
        let settings = toml::Table::try_from(TrainSettings::default()).unwrap();
        for name in settings.keys() {
            let explanations = EXPLAINED.iter().filter(|(known, ..)| known == name);
            let expected = usize::from(!WITHOUT_FIELD.contains(&name.as_str()));
            assert_eq!(explanations.count(), expected, "{name}");
        }
        for (name, title, hint) in EXPLAINED.iter() {
            assert!(settings.contains_key(*name) && !title.is_empty() && hint.len() > 8, "{name}");
        }
    }
}
