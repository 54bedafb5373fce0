//! Colours of the values of a column.

use crate::data::dataset::Dataset;
use crate::data::taxonomy::{Field, LabelColumn};
use crate::pipeline::colour::{Shade, palette, ramp};
use crate::pipeline::discover::Decision;
use crate::session::columns::{ColumnKey, Values};
use crate::session::discover::share_of_darkness;
use egui::Color32;

/// A column with fewer different numbers than this is one of names: years, traps, sexes.
const NUMBERS: usize = 12;

/// The colours of a column.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::ui::views) struct Palette {
    /// By code, `[distinct]`.
    pub(in crate::ui::views) colours: Vec<Color32>,
    /// Smallest and largest value of a column of numbers, which are coloured by size.
    pub(in crate::ui::views) range: Option<[f64; 2]>,
}

impl Palette {
    /// The colours of `values`. `named_at` is the rank of predicted names.
    pub(in crate::ui::views) fn of(dataset: &Dataset, values: &Values, named_at: Option<Field>, dark: bool) -> Self {
        let shade = if dark { Shade::Dark } else { Shade::Light };
        let labels = &*values.labels;
        if let (ColumnKey::Other(_), Some(numbers)) = (values.column, numbers(labels)) {
            return Self::of_numbers(&numbers);
        }
        if let Some(colours) = of_discovery(values) {
            return Self { colours, range: None };
        }
        let broader: Vec<&LabelColumn> = ranks_above(values.column, named_at)
            .map(|rank| dataset.labels(rank))
            .filter(|column| column.distinct() > 0)
            .collect();
        let colours = palette(labels, &broader, shade).into_iter().map(opaque).collect();
        Self { colours, range: None }
    }

    fn of_numbers(numbers: &[f64]) -> Self {
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let share = |value: f64| ((value - low) / (high - low)) as f32;
        Self { colours: numbers.iter().map(|&value| opaque(ramp(share(value)))).collect(), range: Some([low, high]) }
    }
}

/// Colours that mean something of themselves: what is known and what is new, and how dark a neighbourhood is.
fn of_discovery(values: &Values) -> Option<Vec<Color32>> {
    let colour = |name: &String| match values.column {
        ColumnKey::Decision => Decision::ALL
            .into_iter()
            .find(|decision| decision.title() == name)
            .map(|decision| opaque(decision.colour())),
        // Dark is what nobody named; without the ends of viridis, which are hardly seen on white and on black.
        ColumnKey::Darkness => share_of_darkness(name).map(|share| opaque(ramp(0.95 - 0.75 * share))),
        _ => None,
    };
    values.labels.names().iter().map(colour).collect::<Option<Vec<Color32>>>().filter(|colours| !colours.is_empty())
}

fn opaque([red, green, blue]: [u8; 3]) -> Color32 {
    Color32::from_rgb(red, green, blue)
}

/// The ranks that group the values of a column: those above a rank, and all for BINs and clusters.
fn ranks_above(column: ColumnKey, named_at: Option<Field>) -> impl Iterator<Item = Field> {
    let limit = match column {
        ColumnKey::Field(field) if field.is_rank() => Some(field),
        ColumnKey::Field(Field::Bin) | ColumnKey::Cluster => Some(Field::Bin),
        ColumnKey::Predicted => named_at,
        ColumnKey::Field(_) | ColumnKey::Other(_) | ColumnKey::Flags | ColumnKey::Decision | ColumnKey::Darkness => {
            None
        }
    };
    Field::RANKS.into_iter().filter(move |&rank| limit.is_some_and(|limit| rank < limit))
}

/// The values as numbers, by code; `None` unless all are numbers, and enough of them.
fn numbers(labels: &LabelColumn) -> Option<Vec<f64>> {
    if labels.distinct() < NUMBERS {
        return None;
    }
    let number = |name: &String| name.trim().parse().ok().filter(|value: &f64| value.is_finite());
    labels.names().iter().map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::DatasetBuilder;
    use std::sync::Arc;

    fn palette_of(names: &[String]) -> Palette {
        let labels = LabelColumn::from_labels(names.iter().map(|name| Some(name.as_str())));
        let values = Values { column: ColumnKey::Other(0), labels: Arc::new(labels) };
        Palette::of(&DatasetBuilder::new("test", Vec::new()).finish(), &values, None, false)
    }

    #[test]
    fn numbers_are_coloured_by_size_and_names_are_not() {
        let numbers: Vec<String> = (0..20).rev().map(|value| format!("{}.5", value * 10)).collect();
        let palette = palette_of(&numbers);
        assert_eq!(palette.range, Some([0.5, 190.5]));
        assert_eq!((palette.colours[19], palette.colours[0]), (opaque(ramp(0.0)), opaque(ramp(1.0))));
        let years: Vec<String> = (2015..2020).map(|year| year.to_string()).collect();
        assert_eq!(palette_of(&years).range, None);
        let mut words = numbers;
        words[3] = "unknown".into();
        assert_eq!(palette_of(&words).range, None);
    }

    #[test]
    fn groups_are_ordered_by_the_ranks_above_them() {
        let above = |column, at| ranks_above(column, at).collect::<Vec<_>>();
        assert_eq!(above(ColumnKey::Field(Field::Order), None), [Field::Phylum, Field::Class]);
        assert_eq!(above(ColumnKey::Field(Field::Bin), None), Field::RANKS);
        assert_eq!(above(ColumnKey::Predicted, Some(Field::Class)), [Field::Phylum]);
        assert!(above(ColumnKey::Field(Field::Country), None).is_empty());
    }
}
