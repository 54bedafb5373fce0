//! `evaluate`

use super::super::args::{Common, EvaluateArguments};
use super::super::watch::Watch;
use super::{CommandError, facts, print};
use crate::pipeline::evaluate::{
    Cost, EvaluateSettings, EvaluationReport, EvaluationRow, evaluate as evaluate_dataset,
};
use crate::pipeline::export::write_json;
use crate::pipeline::side::Method;
use std::fmt::Write;

pub(super) fn evaluate(arguments: &EvaluateArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
    let model = common.open_model(watch)?;
    let settings = EvaluateSettings {
        on: arguments.on,
        embed: common.embed_settings(),
        transform: common.transform,
        seed: common.seed(),
    };
    let report = evaluate_dataset(&dataset, &model, &settings, common.cache().as_ref(), watch)?;
    if let Some(path) = &arguments.output {
        write_json(path, &report)?;
    }
    if common.json { facts(common, watch, &report) } else { print(watch, &in_words(&report)) }
}

/// One line per measure, one column per method.
fn in_words(report: &EvaluationReport) -> String {
    let mut text = String::new();
    let _ = write!(text, "{:<44}{:>8}{:>9}", "", "n", "species");
    Method::ALL.iter().for_each(|method| {
        let _ = write!(text, "{:>22}", method.key());
    });
    text.push('\n');
    let same = |a: &EvaluationRow, b: &EvaluationRow| {
        (a.task, &a.split, a.rank, a.metric) == (b.task, &b.split, b.rank, b.metric)
    };
    let mut told: Vec<&EvaluationRow> = Vec::new();
    for row in &report.results {
        if told.iter().any(|known| same(known, row)) {
            continue;
        }
        told.push(row);
        let what = format!("{} {} {}", row.task, row.rank, row.metric);
        let _ = write!(text, "{what:<44}{:>8}{:>9}", row.n, row.n_species);
        for method in Method::ALL {
            let found = report.results.iter().find(|other| other.method == method && same(other, row));
            let _ = write!(text, "{:>22}", found.map_or_else(String::new, value_in_words));
        }
        text.push('\n');
    }
    let _ = write!(text, "{:<61}", "seconds");
    report.seconds_by_method.iter().for_each(|(_, seconds)| {
        let _ = write!(text, "{seconds:>22.1}");
    });
    add_costs(&mut text, report);
    let _ = writeln!(text, "\n\nmodel {}\ndata  {}", report.model_sha256, report.data_sha256);
    let _ = writeln!(text, "seed {}, version {}, {:.0} s in all", report.seed, report.version, report.seconds);
    if report.trained_on.is_empty() {
        text.push_str("- The model's file does not tell which barcodes it was trained on.\n");
    }
    report.trained_on.iter().for_each(|known| {
        let (queries, split) = (known.queries, known.split);
        let _ = writeln!(text, "- The model was trained on {} of the {queries} barcodes of {split}.", known.trained_on);
    });
    report.notes.iter().for_each(|note| {
        let _ = writeln!(text, "- {note}");
    });
    text
}

/// Two lines: what embedding and what naming take.
fn add_costs(text: &mut String, report: &EvaluationReport) {
    for (what, seconds) in [
        ("seconds for 1 000 barcodes: embedding", (|cost| cost.embedding) as fn(&Cost) -> Option<f64>),
        ("seconds for 1 000 barcodes: naming", |cost| Some(cost.naming)),
    ] {
        let _ = write!(text, "\n{what:<61}");
        report.costs.iter().for_each(|cost| {
            let _ =
                write!(text, "{:>22}", seconds(cost).map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}")));
        });
    }
}

fn value_in_words(row: &EvaluationRow) -> String {
    if row.metric.starts_with("clusters") {
        return format!("{:.0}", row.value);
    }
    let value = format!("{:.1}", 100.0 * row.value);
    match row.ci95 {
        Some([low, high]) => format!("{value} ({:.1}-{:.1})", 100.0 * low, 100.0 * high),
        None => value,
    }
}
