//! Names of taxa on the map: where they stand, and which ones fit.

use super::view::{Area, Viewport};
use egui::{Rect, Vec2, vec2};

/// A name and its place on the map.
#[derive(Debug, Clone, PartialEq)]
pub struct TaxonLabel {
    /// What is written.
    pub name: String,
    /// That of the taxon's points nearest to their median, in map units: a name never stands where none of its points is.
    pub place: [f64; 2],
    /// Number of points that it stands for.
    pub count: usize,
}

/// Space between labels, in points of the screen.
const GAP: f32 = 4.0;
/// A screen of whole map shows taxa that hold at least this share of the points; closer views show smaller ones.
const LEAST_SHARE: f64 = 1.0 / 400.0;

/// One label per taxon, the largest first. `taxon_of` gives the code of a row's taxon, `None` for rows that do not count.
pub fn taxon_labels(
    positions: &[[f32; 2]],
    names: &[String],
    taxon_of: impl Fn(usize) -> Option<u32>,
) -> Vec<TaxonLabel> {
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); names.len()];
    for (row, point) in positions.iter().enumerate() {
        if let Some(taxon) = taxon_of(row).filter(|_| point[0].is_finite() && point[1].is_finite()) {
            members[taxon as usize].push(row as u32);
        }
    }
    let mut labels: Vec<TaxonLabel> = names
        .iter()
        .zip(&members)
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(name, rows)| TaxonLabel { name: name.clone(), place: middle(positions, rows), count: rows.len() })
        .collect();
    labels.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
    labels
}

/// The place of the member nearest to the median of all, the first of those that are as near.
fn middle(positions: &[[f32; 2]], rows: &[u32]) -> [f64; 2] {
    let of = |row: &u32| positions[*row as usize].map(f64::from);
    let median = [0, 1].map(|axis| median(rows.iter().map(|&row| positions[row as usize][axis])));
    let distance = |row: &&u32| {
        let [x, y] = of(row);
        (x - median[0]).powi(2) + (y - median[1]).powi(2)
    };
    rows.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map_or(median, of)
}

fn median(values: impl Iterator<Item = f32>) -> f64 {
    let mut values: Vec<f32> = values.collect();
    let middle = values.len() / 2;
    let (_, upper, _) = values.select_nth_unstable_by(middle, f32::total_cmp);
    let upper = f64::from(*upper);
    if middle > 0 && values.len().is_multiple_of(2) {
        let lower = values[..middle].iter().copied().fold(f32::NEG_INFINITY, f32::max);
        0.5 * (f64::from(lower) + upper)
    } else {
        upper
    }
}

/// Which labels can be shown without touching each other, and where: indices into `labels` (the largest first) and the places
/// of their texts, just above their points. `closer` is how much nearer the view is than the whole map; `size_of` measures a
/// text in points.
pub fn place_labels(
    labels: &[TaxonLabel],
    viewport: Viewport,
    closer: f64,
    most: usize,
    mut size_of: impl FnMut(&TaxonLabel) -> Vec2,
) -> Vec<(usize, Rect)> {
    let all: usize = labels.iter().map(|label| label.count).sum();
    let least = all as f64 * LEAST_SHARE / closer.max(1.0).powi(2);
    let area: Area = viewport.area(0.0);
    let mut placed: Vec<(usize, Rect)> = Vec::new();
    for (at, label) in labels.iter().enumerate() {
        if placed.len() >= most || (label.count as f64) < least {
            break;
        }
        if !area.contains(label.place) {
            continue;
        }
        let size = size_of(label);
        let above = vec2(0.0, 0.5 * size.y + GAP);
        let text = Rect::from_center_size(viewport.to_screen(label.place) - above, size);
        let free = placed.iter().all(|(_, other)| !other.expand(GAP).intersects(text));
        if free && viewport.rect.contains_rect(text) {
            placed.push((at, text));
        }
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::super::view::View;
    use super::*;
    use egui::pos2;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_label_stands_on_the_point_nearest_to_the_median() {
        let positions = [[0.0, 0.0], [1.0, 10.0], [50.0, 2.0], [7.0, 7.0], [9.0, 9.0], [f32::NAN, 0.0], [9.5, 9.0]];
        let taxa = [Some(0), Some(0), Some(0), Some(1), Some(1), Some(1), Some(1)];
        let labels = taxon_labels(&positions, &names(&["Apis", "Bombus", "Osmia"]), |row| taxa[row]);
        assert_eq!(labels.len(), 2, "a taxon without points has no label");
        assert_eq!((labels[0].name.as_str(), labels[0].place, labels[0].count), ("Apis", [0.0, 0.0], 3), "median 1, 2");
        assert_eq!((labels[1].name.as_str(), labels[1].place, labels[1].count), ("Bombus", [9.0, 9.0], 3));
    }

    #[test]
    fn medians_are_those_of_the_sorted_values() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(median([7.0].into_iter()), 7.0);
    }

    #[test]
    fn labels_never_touch_and_the_larger_taxon_wins() {
        let label = |name: &str, x: f64, count| TaxonLabel { name: name.into(), place: [x, 0.0], count };
        let labels = [label("A", 0.0, 90), label("B", 1.0, 50), label("C", 5.0, 40), label("far", 99.0, 30)];
        let rect = Rect::from_min_max(pos2(0.0, 0.0), pos2(400.0, 100.0));
        let show = |scale: f64, closer: f64, most: usize| -> Vec<usize> {
            let viewport = View { centre: [2.0, 0.0], scale }.on(rect);
            let placed = place_labels(&labels, viewport, closer, most, |_| vec2(30.0, 12.0));
            for (at, (_, rect)) in placed.iter().enumerate() {
                assert!(placed[..at].iter().all(|(_, other)| !other.intersects(*rect)));
            }
            placed.into_iter().map(|(at, _)| at).collect()
        };
        assert_eq!(show(20.0, 1.0, 9), [0, 2], "B is too near to A");
        assert_eq!(show(40.0, 2.0, 9), [0, 1, 2], "and appears closer by");
        assert_eq!(show(40.0, 2.0, 1), [0]);
    }

    #[test]
    fn small_taxa_wait_for_a_closer_view() {
        let mut labels = vec![TaxonLabel { name: "many".into(), place: [0.0; 2], count: 10_000 }];
        labels.push(TaxonLabel { name: "few".into(), place: [0.0, 1.0], count: 5 });
        let rect = Rect::from_min_max(pos2(0.0, 0.0), pos2(400.0, 400.0));
        let viewport = View { centre: [0.0; 2], scale: 50.0 }.on(rect);
        let count = |closer| place_labels(&labels, viewport, closer, 9, |_| vec2(30.0, 12.0)).len();
        assert_eq!((count(1.0), count(3.0)), (1, 2));
    }
}
