//! The curves of a masking run.

use super::{KMER, MaskingPoint, MaskingReport, RANDOM, summary};
use crate::data::masking::MaskMode;
use crate::model::Objective;
use crate::pipeline::colour::{Rgb, Shade};
use crate::pipeline::figure::{Curve, CurvePanel, CurvePoint, CurvesFigure, Figure, Series, curves};

/// What is drawn, from top to bottom: task, metric, title.
pub const DRAWN: [(&str, &str, &str); 5] = [
    ("closed_world", "accuracy", "genus, known species"),
    ("open_world", "accuracy", "genus, unseen species"),
    ("held_out", "accuracy", "genus, held out"),
    ("bin_reconstruction", "ami", "BINs, AMI (true number)"),
    ("drift", "cosine_distance", "drift from the unmasked"),
];
const COUNTS_COLOUR: Rgb = [27, 31, 36];
const UNTRAINED_COLOUR: Rgb = [128, 136, 144];

/// Modes from left to right, tasks from top to bottom; means over the mask draws with the means of their intervals. The counts,
/// which are read in the mode `drop` only, stand in every column.
pub fn masking_figure(report: &MaskingReport) -> Figure {
    let points = summary(&report.rows);
    let mut modes: Vec<MaskMode> = points.iter().map(|point| point.mode).collect();
    modes.sort_unstable();
    modes.dedup();
    let mut models: Vec<(&str, Option<Objective>)> = Vec::new();
    for point in &points {
        if !models.iter().any(|(name, _)| *name == point.model) {
            models.push((&point.model, point.objective));
        }
    }
    let drawn = DRAWN.iter().filter(|(task, metric, _)| points.iter().any(|point| is(point, task, metric)));
    let panels = drawn.flat_map(|&(task, metric, title)| {
        let (points, models, modes) = (&points, &models, &modes);
        let of_metric: Vec<&MaskingPoint> = points.iter().filter(|point| is(point, task, metric)).collect();
        let range = range_of(&of_metric);
        modes.iter().map(move |&mode| CurvePanel {
            title: format!("{title}: {mode}"),
            range,
            curves: curves_of(&of_metric, models, mode),
        })
    });
    let ratios = points.iter().map(|point| point.ratio);
    let draws = points.iter().map(|point| point.draws).max().unwrap_or(0);
    curves(&CurvesFigure {
        title: "Reading under masking".to_owned(),
        subtitle: format!(
            "{} queries, {} references; means over {draws} mask draw{}, bands: 95 % by bootstrap over species",
            report.queries,
            report.references,
            if draws == 1 { "" } else { "s" },
        ),
        x_title: "masked share".to_owned(),
        x_range: [0.0, fifths(ratios.fold(0.0, f64::max))],
        columns: modes.len(),
        panels: panels.collect(),
        series: models.iter().enumerate().map(|(at, model)| series(at, *model)).collect(),
    })
}

fn is(point: &MaskingPoint, task: &str, metric: &str) -> bool {
    (point.task, point.metric) == (task, metric)
}

fn curves_of(points: &[&MaskingPoint], models: &[(&str, Option<Objective>)], mode: MaskMode) -> Vec<Curve> {
    let of_model = |(series, (name, _)): (usize, &(&str, Option<Objective>))| {
        let fits = |point: &&&MaskingPoint| point.model == *name && (point.mode == mode || *name == KMER);
        let points = points.iter().filter(fits);
        Curve { series, points: points.map(|p| CurvePoint { x: p.ratio, y: p.mean, interval: p.ci95 }).collect() }
    };
    models.iter().enumerate().map(of_model).collect()
}

/// From 0 to the top of the highest interval, in steps of a fifth.
fn range_of(points: &[&MaskingPoint]) -> [f64; 2] {
    let top = points.iter().map(|point| point.ci95.map_or(point.mean, |[_, high]| high)).fold(0.0, f64::max);
    [0.0, fifths(top)]
}

/// The next fifth above, so that the axis has round numbers.
fn fifths(value: f64) -> f64 {
    (value * 5.0).ceil().max(1.0) / 5.0
}

fn series(at: usize, (name, objective): (&str, Option<Objective>)) -> Series {
    let palette = Shade::Light.few();
    match objective {
        Some(objective) => {
            Series { name: format!("{name} ({objective})"), colour: palette[at % palette.len()], dashed: false }
        }
        None if name == KMER => Series { name: "6-mer counts".to_owned(), colour: COUNTS_COLOUR, dashed: true },
        None => {
            let like = name.strip_prefix(RANDOM).unwrap_or_default();
            Series { name: format!("untrained encoder{like}"), colour: UNTRAINED_COLOUR, dashed: true }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Provenance;
    use crate::pipeline::masking::MaskingRow;
    use crate::seed::Seed;

    #[test]
    fn every_mode_has_its_panels_and_the_counts_stand_in_all_of_them() {
        let row = |model: &str, objective, mode, ratio, task, metric| MaskingRow {
            model: model.into(),
            objective,
            mode,
            ratio,
            seed: 1,
            task,
            metric,
            value: 0.5,
            ci95: Some([0.4, 0.61]),
            n: 7,
        };
        let mut rows = Vec::new();
        for (ratio, (task, metric)) in [0.0, 0.5]
            .into_iter()
            .flat_map(|r| [("open_world", "accuracy"), ("drift", "cosine_distance")].map(|t| (r, t)))
        {
            for mode in [MaskMode::Drop, MaskMode::Combined] {
                rows.push(row("starter", Some(Objective::Mae), mode, ratio, task, metric));
                rows.push(row(RANDOM, None, mode, ratio, task, metric));
            }
            rows.push(row(KMER, None, MaskMode::Drop, ratio, task, metric));
        }
        let report = MaskingReport {
            rows,
            queries: 7,
            references: 9,
            seconds: 0.0,
            provenance: Provenance::new(Seed(1), &[]),
            notes: Vec::new(),
        };
        let figure = masking_figure(&report);
        // four panels of three curves and their bands, and three lines of the legend
        assert_eq!(figure.svg().matches("<polygon").count(), 12);
        assert_eq!(figure.svg().matches("<polyline").count(), 15);
        for text in ["genus, unseen species: drop", "combined", "starter (mae)", "6-mer counts", "untrained encoder"] {
            assert!(figure.svg().contains(text), "{text}");
        }
        assert!(figure.png(500).is_ok());
        let nothing = MaskingReport { rows: Vec::new(), ..report };
        assert!(masking_figure(&nothing).png(300).is_ok());
    }
}
