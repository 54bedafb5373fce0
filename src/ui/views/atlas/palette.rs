//! Colours of the values of a column.

use crate::data::dataset::Dataset;
use crate::session::columns::Values;
use egui::Color32;

/// A colour per code, `[distinct]`.
pub(super) fn palette_of(_dataset: &Dataset, values: &Values, dark: bool) -> Vec<Color32> {
    (0..values.labels.distinct())
        .map(|code| {
            let hue = (code as f32 * 0.618_034).fract();
            egui::ecolor::Hsva::new(hue, 0.7, if dark { 0.9 } else { 0.75 }, 1.0).into()
        })
        .collect()
}
