//! Whose curve is whose: one colour per model, one kind of line per mode.

use crate::data::masking::MaskMode;
use crate::pipeline::masking::{KMER, RANDOM};
use crate::ui::theme::Tokens;
use crate::ui::widgets::curves::legend_toggle;
use egui::{Color32, Ui};
use egui_plot::LineStyle;
use std::collections::BTreeSet;

/// What was clicked away.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Hidden(BTreeSet<String>);

impl Hidden {
    pub(super) fn shows(&self, name: &str) -> bool {
        !self.0.contains(name)
    }

    /// A line of the legend that can be clicked.
    pub(super) fn entry(&mut self, ui: &mut Ui, key: &str, name: &str, colour: Color32, style: LineStyle) {
        let shown = self.shows(key);
        if legend_toggle(ui, name, colour, style, shown) {
            if shown {
                self.0.insert(key.to_owned());
            } else {
                self.0.remove(key);
            }
        }
    }
}

/// The colour of model number `at`: baselines are grey and black.
pub(super) fn colour(tokens: &Tokens, name: &str, at: usize) -> Color32 {
    match name {
        KMER => tokens.text,
        "align" => tokens.bars[0],
        name if name.starts_with(RANDOM) => tokens.quiet,
        _ => tokens.series[at % tokens.series.len()],
    }
}

/// What a model is called in words.
pub(super) fn title(name: &str) -> String {
    match name {
        KMER => "6-mer counts".to_owned(),
        "align" => "alignment".to_owned(),
        name => match name.strip_prefix(RANDOM) {
            Some(like) => format!("untrained encoder{like}"),
            None => name.to_owned(),
        },
    }
}

/// How the curves of a mode are drawn.
pub(super) fn style(mode: MaskMode) -> LineStyle {
    match mode {
        MaskMode::Drop => LineStyle::Solid,
        MaskMode::Combined => LineStyle::Dashed { length: 8.0 },
        MaskMode::Mask => LineStyle::Dotted { spacing: 5.0 },
    }
}
