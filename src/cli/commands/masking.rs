//! `masking`

use super::super::args::{Common, MaskingArguments};
use super::super::watch::Watch;
use super::{CommandError, facts, print};
use crate::pipeline::export::{write_figure, write_masking};
use crate::pipeline::masking::{MaskingPoint, MaskingReport, MaskingSettings, masking, masking_figure, summary};
use std::fmt::Write;
use std::path::Path;

/// Pixels across a PNG.
pub(super) const PNG_WIDTH: u32 = 2_000;

pub(super) fn run(arguments: &MaskingArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    if let Some(figure) = &arguments.figure {
        check_picture(figure)?;
    }
    let models = common.open_models(&arguments.models, watch)?;
    let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
    let settings = MaskingSettings {
        ratios: arguments.ratios.clone(),
        modes: arguments.modes.clone(),
        queries: arguments.queries,
        references: arguments.references,
        seeds: arguments.seeds,
        on: arguments.on,
        embed: common.embed_settings(),
        transform: common.transform,
        seed: common.seed(),
    };
    let report = masking(&dataset, &models, &settings, watch)?;
    write_masking(&arguments.output, &report.rows)?;
    if let Some(figure) = &arguments.figure {
        write_figure(figure, &masking_figure(&report), PNG_WIDTH)?;
    }
    if common.json { facts(common, watch, &report) } else { print(watch, &in_words(&report)) }
}

/// A picture's name, looked at before any work.
pub(super) fn check_picture(path: &Path) -> Result<(), CommandError> {
    let known =
        path.extension().is_some_and(|ending| ["svg", "png"].iter().any(|known| ending.eq_ignore_ascii_case(known)));
    if known {
        return Ok(());
    }
    Err(CommandError::Usage(format!("'{}': pictures are written as .svg or .png", path.display())))
}

/// One line per model, mode and measure, one column per ratio; means of the mask draws.
fn in_words(report: &MaskingReport) -> String {
    let points = summary(&report.rows);
    let mut ratios: Vec<f64> = points.iter().map(|point| point.ratio).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.dedup();
    let mut text = format!("{:<28} {:<9} {:<34}{:>6}", "model", "mode", "measure", "n");
    ratios.iter().for_each(|ratio| {
        let _ = write!(text, "{ratio:>8}");
    });
    text.push('\n');
    let same = |a: &MaskingPoint, b: &MaskingPoint| {
        (&a.model, a.mode, a.task, a.metric) == (&b.model, b.mode, b.task, b.metric)
    };
    for (at, point) in points.iter().enumerate() {
        if points[..at].iter().any(|known| same(known, point)) {
            continue;
        }
        let what = format!("{} {}", point.task, point.metric);
        let _ = write!(text, "{:<28} {:<9} {what:<34}{:>6}", point.model, point.mode.key(), point.n);
        for &ratio in &ratios {
            let found = points.iter().find(|other| other.ratio == ratio && same(other, point));
            let _ = write!(text, "{:>8}", found.map_or_else(String::new, value_in_words));
        }
        text.push('\n');
    }
    let _ = writeln!(text, "\n{:.0} s", report.seconds);
    report.notes.iter().for_each(|note| {
        let _ = writeln!(text, "- {note}");
    });
    text
}

/// Shares in per cent, distances as they are.
fn value_in_words(point: &MaskingPoint) -> String {
    if point.task == "drift" { format!("{:.3}", point.mean) } else { format!("{:.1}", 100.0 * point.mean) }
}
