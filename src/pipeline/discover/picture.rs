//! Pictures of what was discovered and of how far it can be trusted.

use super::measures::{Listed, Measures};
use super::{Decision, Discovery, NoveltyScore};
use crate::data::dataset::Dataset;
use crate::pipeline::colour::{LegendEntry, Rgb};
use crate::pipeline::figure::{
    Curve, CurvePanel, CurvePoint, CurvesFigure, Figure, MapFigure, Series, map as draw_map,
};
use crate::pipeline::project::Projection;

/// Colours of curves (Okabe & Ito 2008).
const COLOURS: [Rgb; 4] = [[0, 114, 178], [230, 159, 0], [0, 158, 115], [213, 94, 0]];
const GREY: Rgb = [140, 147, 154];

/// The map of the queries, coloured by what they are taken for.
pub(super) fn decision_map(discovery: &Discovery, query: &Dataset, projection: &Projection) -> Figure {
    let mut colours = vec![GREY; query.len()];
    discovery.findings.iter().for_each(|found| colours[found.row] = found.decision.colour());
    let entry = |decision: Decision| LegendEntry {
        name: decision.title().to_owned(),
        colour: decision.colour(),
        count: discovery.count(decision),
    };
    draw_map(&MapFigure {
        title: "The queries, coloured by what they are taken for",
        subtitle: &format!("{}, {} specimens", query.name(), discovery.findings.len()),
        details: &projection.provenance.settings_line(),
        points: &projection.points,
        colours: &colours,
        legend_title: "taken for",
        legend: &Decision::ALL.map(entry),
    })
}

/// Accuracy of names against the share of the queries that are named, one curve per score.
pub fn coverage_curves(measures: &Measures) -> CurvesFigure {
    let series = measures.coverage.iter().map(|curve| Series {
        name: curve.score.title().to_owned(),
        colour: COLOURS[curve.score.index()],
        dashed: curve.score == NoveltyScore::PDistance,
    });
    let drawn = measures.coverage.iter().enumerate().map(|(at, curve)| Curve {
        series: at,
        points: curve
            .points
            .iter()
            .map(|point| CurvePoint { x: point.coverage, y: point.accuracy, interval: point.interval })
            .collect(),
    });
    CurvesFigure {
        title: "Names that are right, when the strangest specimens are left unnamed".to_owned(),
        subtitle: format!(
            "n = {}; the species of the most identical reference; bands: 95 % intervals over species",
            measures.coverage.first().map_or(0, |curve| curve.n)
        ),
        x_title: "share of the queries that are named".to_owned(),
        x_range: [0.0, 1.0],
        panels: vec![CurvePanel {
            title: "species named right".to_owned(),
            range: [0.0, 1.0],
            curves: drawn.collect(),
        }],
        columns: 1,
        series: series.collect(),
    }
}

/// Observed against nominal false-discovery rates, one panel per list.
pub fn control_curves(measures: &Measures) -> CurvesFigure {
    let of_list = |list: Listed| measures.control.iter().filter(move |row| row.list == list);
    let most = measures.control.iter().map(|row| row.nominal).fold(0.0, f64::max);
    let top = measures
        .control
        .iter()
        .filter(|row| row.listed > 0)
        .map(|row| row.interval.map_or(row.observed(), |[_, high]| high.max(row.observed())))
        .fold(most, f64::max);
    // An axis that ends at a round number of twentieths.
    let top = (top * 20.0).ceil() / 20.0;
    let panel = |list: Listed| {
        let bound = [0.0, most].map(|rate| CurvePoint { x: rate, y: rate, interval: None });
        let observed = of_list(list).filter(|row| row.listed > 0).map(|row| CurvePoint {
            x: row.nominal,
            y: row.observed(),
            interval: row.interval,
        });
        CurvePanel {
            title: list.title().to_owned(),
            range: [0.0, top],
            curves: vec![Curve { series: 1, points: bound.to_vec() }, Curve { series: 0, points: observed.collect() }],
        }
    };
    CurvesFigure {
        title: "False entries of each list: allowed and observed".to_owned(),
        subtitle: format!(
            "n = {} queries whose names tell; bands: 95 % intervals over species",
            measures.truth.iter().sum::<usize>()
        ),
        x_title: "share of false entries allowed".to_owned(),
        x_range: [0.0, most],
        panels: Listed::ALL.map(panel).into(),
        columns: 2,
        series: vec![
            Series { name: "observed".to_owned(), colour: COLOURS[0], dashed: false },
            Series { name: "allowed".to_owned(), colour: GREY, dashed: true },
        ],
    }
}
