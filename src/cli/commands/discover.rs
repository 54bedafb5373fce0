//! `discover`

use super::super::args::{Common, DiscoverArguments};
use super::super::prepare::embed_with;
use super::super::watch::Watch;
use super::{CommandError, facts};
use crate::data::dataset::Dataset;
use crate::pipeline::discover::{
    Decision, DiscoverSettings, Discovery, HoldOutSettings, discover, hold_out, write_discovery,
};
use crate::pipeline::side::Side;
use crate::pipeline::subset::{rows_of_split, subset};

pub(super) fn run(arguments: &DiscoverArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let settings = settings_of(arguments, common)?;
    let [reference, query] =
        if arguments.files.is_empty() { given(arguments, watch)? } else { held_out(arguments, common, watch)? };
    let model = common.open_model(watch)?;
    let ours = embed_with(common, &model, &reference, watch)?;
    let theirs = embed_with(common, &model, &query, watch)?;
    let queries = Side::all(&query, Some(&theirs));
    let found = discover(Side::all(&reference, Some(&ours)), queries, None, &settings, watch)?;
    let page = write_discovery(&arguments.output, &found, &reference, queries, watch)?;
    let sound = found.candidates.iter().filter(|candidate| candidate.is_sound()).count();
    watch.remark(&format!(
        "{} of {} specimens belong to no species of the reference (false-discovery rate {}), in {} candidates, {sound} of them sound",
        found.discoveries(),
        found.findings.len(),
        settings.fdr,
        found.candidates.len(),
    ));
    if let Some(known) = found.trained_on {
        watch.remark(&format!("the model was trained on {known} of the {} queries", found.findings.len()));
    }
    watch.remark(&format!("the report is {}", page.display()));
    facts(common, watch, &facts_of(arguments, &found, sound))
}

fn settings_of(arguments: &DiscoverArguments, common: &Common) -> Result<DiscoverSettings, CommandError> {
    if !(arguments.fdr > 0.0 && arguments.fdr < 1.0) {
        return Err(CommandError::Usage("--fdr is a share between 0 and 1".to_owned()));
    }
    if arguments.threshold.is_some_and(|threshold| !(0.0..=2.0).contains(&threshold)) {
        return Err(CommandError::Usage("--threshold is a cosine distance, from 0 to 2".to_owned()));
    }
    Ok(DiscoverSettings {
        score: arguments.score,
        neighbour: arguments.neighbour,
        fdr: arguments.fdr,
        calibration: arguments.calibration,
        transform: common.transform,
        threshold: arguments.threshold,
        seed: common.seed(),
    })
}

/// Reference and queries as they were named.
fn given(arguments: &DiscoverArguments, watch: &Watch) -> Result<[Dataset; 2], CommandError> {
    let (reference, _) = arguments.reading.load(&arguments.reference, watch)?;
    let reference = of_splits(reference, arguments.reference_split.as_slice())?;
    let (query, _) = arguments.reading.load(&arguments.query, watch)?;
    Ok([reference, of_splits(query, &arguments.query_splits)?])
}

fn of_splits(dataset: Dataset, splits: &[String]) -> Result<Dataset, CommandError> {
    if splits.is_empty() {
        return Ok(dataset);
    }
    let mut rows = Vec::new();
    for split in splits {
        rows.extend(rows_of_split(&dataset, split)?);
    }
    rows.sort_unstable();
    rows.dedup();
    Ok(subset(&dataset, &format!("{} ({})", dataset.name(), splits.join(", ")), &rows))
}

/// Reference and queries of one file, from which taxa are taken.
fn held_out(arguments: &DiscoverArguments, common: &Common, watch: &Watch) -> Result<[Dataset; 2], CommandError> {
    let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
    let settings = HoldOutSettings {
        ranks: arguments.hold_out.clone(),
        share: arguments.share,
        names: arguments.taxa.clone(),
        known: arguments.known,
        seed: common.seed(),
    };
    let held = hold_out(&dataset, &settings)?;
    watch.remark(&format!(
        "held out: {} genera and {} species of other genera; {} specimens stay to compare with, {} are queries",
        held.genera.len(),
        held.species.len(),
        held.reference.len(),
        held.query.len(),
    ));
    let part = |what: &str, rows: &[usize]| subset(&dataset, &format!("{} ({what})", dataset.name()), rows);
    Ok([part("what stays", &held.reference), part("held out", &held.query)])
}

fn facts_of(arguments: &DiscoverArguments, found: &Discovery, sound: usize) -> serde_json::Value {
    let decisions = Decision::ALL.map(|decision| (decision.key().to_owned(), found.count(decision).into()));
    serde_json::json!({
        "output": arguments.output,
        "queries": found.findings.len(),
        "references": found.references,
        "held_out": found.held_out,
        "decisions": serde_json::Map::from_iter(decisions),
        "discoveries": found.discoveries(),
        "candidates": found.candidates.len(),
        "sound_candidates": sound,
        "threshold": found.threshold,
        "measures": found.measures,
        "trained_on": found.trained_on,
        "seconds": found.seconds,
        "provenance": found.provenance,
    })
}
