//! Models by the share that was masked in their training.

use super::{Comparison, ComparisonRow};
use crate::data::taxonomy::Field;
use crate::model::Objective;
use crate::pipeline::colour::{Rgb, Shade};
use crate::pipeline::figure::{Curve, CurvePanel, CurvePoint, CurvesFigure, Figure, Series, curves};
use crate::pipeline::masking::RANDOM;

/// One number that is drawn: task, rank, metric, title.
pub const DRAWN: [(&str, Field, &str, &str); 5] = [
    ("closed_world", Field::Genus, "accuracy", "genus, known species"),
    ("closed_world", Field::Species, "accuracy", "species, known species"),
    ("open_world", Field::Genus, "accuracy", "genus, unseen species"),
    ("bin_reconstruction", Field::Bin, "ami", "BINs, AMI (true number)"),
    ("harmonic_mean", Field::Genus, "harmonic_mean", "harmonic mean"),
];
const BASELINE_COLOURS: [Rgb; 3] = [[27, 31, 36], [110, 90, 60], [128, 136, 144]];

/// One panel for each number that there is; a model whose training ratio is known is a point above it, any other and the baselines
/// are lines across.
pub fn comparison_curves(found: &Comparison) -> CurvesFigure {
    let mut models: Vec<&ComparisonRow> = Vec::new();
    for row in &found.rows {
        if !models.iter().any(|known| known.model == row.model) {
            models.push(row);
        }
    }
    let is = |row: &ComparisonRow, (task, rank, metric, _): (&str, Field, &str, &str)| {
        (row.found.task, row.found.rank, row.found.metric) == (task, rank, metric)
    };
    let panel = |drawn: (&'static str, Field, &'static str, &'static str)| {
        let rows: Vec<&ComparisonRow> = found.rows.iter().filter(|row| is(row, drawn)).collect();
        let curve = |row: &&ComparisonRow| {
            let point = |x| CurvePoint { x, y: row.found.value, interval: row.found.ci95 };
            let points = row.trained_ratio.map_or_else(|| vec![point(0.0), point(1.0)], |ratio| vec![point(ratio)]);
            Curve { series: models.iter().position(|known| known.model == row.model).unwrap_or(0), points }
        };
        // lines lie below points
        let mut curves: Vec<Curve> = rows.iter().map(curve).collect();
        curves.sort_by_key(|curve| std::cmp::Reverse(curve.points.len()));
        (!curves.is_empty()).then(|| CurvePanel { title: drawn.3.to_owned(), range: [0.0, 1.0], curves })
    };
    CurvesFigure {
        title: "Models by their training ratio".to_owned(),
        subtitle: found.provenance.caption(),
        x_title: "share masked in training".to_owned(),
        x_range: [0.0, 1.0],
        panels: DRAWN.into_iter().filter_map(panel).collect(),
        columns: 3,
        series: models.iter().enumerate().map(|(at, row)| series(at, row, models.len())).collect(),
    }
}

/// The same as a picture.
pub fn comparison_figure(found: &Comparison) -> Figure {
    curves(&comparison_curves(found))
}

fn series(at: usize, row: &ComparisonRow, all: usize) -> Series {
    let palette = Shade::Light.few();
    match row.objective {
        Some(objective) => Series {
            name: named(&row.model, objective, row.trained_ratio),
            colour: palette[at % palette.len()],
            dashed: row.trained_ratio.is_none(),
        },
        None => {
            let name = match row.model.as_str() {
                "kmer" => "6-mer counts",
                "align" => "alignment",
                RANDOM => "untrained encoder",
                other => other,
            };
            let colour = BASELINE_COLOURS[(all - 1 - at) % BASELINE_COLOURS.len()];
            Series { name: name.to_owned(), colour, dashed: true }
        }
    }
}

fn named(model: &str, objective: Objective, ratio: Option<f64>) -> String {
    match ratio {
        Some(ratio) => format!("{model} ({objective}, {ratio})"),
        None => format!("{model} ({objective})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::evaluate::EvaluationRow;
    use crate::pipeline::{Method, Provenance};
    use crate::seed::Seed;

    #[test]
    fn a_known_ratio_is_a_point_and_a_baseline_a_line() {
        let row = |model: &str, objective, trained_ratio, value| ComparisonRow {
            model: model.into(),
            objective,
            trained_ratio,
            found: EvaluationRow {
                task: "open_world",
                split: "test_unseen".into(),
                method: Method::Model,
                rank: Field::Genus,
                metric: "accuracy",
                value,
                ci95: Some([value - 0.1, value + 0.1]),
                n: 10,
                n_species: 3,
            },
        };
        let found = Comparison {
            rows: vec![
                row("a", Some(Objective::Mae), Some(0.25), 0.5),
                row("b", Some(Objective::Causal), None, 0.4),
                row("kmer", None, None, 0.7),
            ],
            trained_on: Vec::new(),
            splits: String::new(),
            seconds: 0.0,
            provenance: Provenance::new(Seed(1), &[]),
        };
        let figure = comparison_curves(&found);
        assert_eq!(figure.panels.len(), 1, "nothing is drawn that was not measured");
        let curves: Vec<(usize, usize)> =
            figure.panels[0].curves.iter().map(|curve| (curve.series, curve.points.len())).collect();
        assert_eq!(curves, [(1, 2), (2, 2), (0, 1)]);
        assert_eq!((figure.panels[0].curves[2].points[0].x, figure.panels[0].curves[2].points[0].y), (0.25, 0.5));
        let names: Vec<&str> = figure.series.iter().map(|series| series.name.as_str()).collect();
        assert_eq!(names, ["a (mae, 0.25)", "b (causal)", "6-mer counts"]);
        assert!(comparison_figure(&found).png(400).is_ok());
        assert!(comparison_figure(&Comparison { rows: Vec::new(), ..found }).png(400).is_ok());
    }
}
