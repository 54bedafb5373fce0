//! `session`

use super::super::args::{Common, CreateArguments, SessionCommand};
use super::super::watch::Watch;
use super::{CommandError, facts, print};
use crate::data::frame::check_frames;
use crate::data::import::load;
use crate::data::taxonomy::Field;
use crate::pipeline::opened::Opened;
use crate::pipeline::review::{Curated, write_changes, write_corrected_fasta, write_corrected_table};
use crate::pipeline::scope::{
    self, Comparison, Decision, KeptResult, ResultName, ResultValue, ScopeFile, Source, SourceState, frames_key,
};
use serde::Deserialize;
use serde_json::json;
use std::fmt::Write;
use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;

/// Differences that are written out where nobody asked for JSON.
const SHOWN: usize = 20;

pub(super) fn session(command: &SessionCommand, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    match command {
        SessionCommand::Create(arguments) => create(arguments, common, watch),
        SessionCommand::Info { session } => info(session, common, watch),
        SessionCommand::Compare { first, second } => compare(first, second, common, watch),
        SessionCommand::Decide { session } => decide(session, watch),
        SessionCommand::Export { session, output } => export(session, output, common, watch),
    }
}

fn create(arguments: &CreateArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let reading = arguments.reading.options()?;
    let (dataset, report) = load(&arguments.files, &reading, watch)?;
    let frames = KeptResult {
        name: ResultName::Frames,
        key: frames_key(&dataset),
        value: ResultValue::Frames(Arc::new(check_frames(&dataset, watch)?)),
    };
    let opened = Opened { paths: arguments.files.clone(), dataset: Arc::new(dataset), reading, report };
    ScopeFile::create(&arguments.output, &opened, &[frames])?;
    let specimens = opened.dataset.len();
    watch.remark(&format!("{specimens} specimens kept in {}", arguments.output.display()));
    facts(common, watch, &json!({ "session": arguments.output, "specimens": specimens, "data": opened.dataset.key() }))
}

fn export(path: &Path, folder: &Path, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let file = ScopeFile::read(path)?;
    let (opened, entries) = (file.specimens()?, file.all::<Decision>()?);
    let curated = Curated::new(&opened.dataset, &entries);
    std::fs::create_dir_all(folder)
        .map_err(|error| CommandError::Other(format!("cannot make {}: {error}", folder.display())))?;
    write_corrected_fasta(&folder.join("corrected.fasta"), &curated)?;
    write_corrected_table(&folder.join("corrected.tsv"), &curated)?;
    write_changes(&folder.join("changes.csv"), &entries)?;
    let excluded = curated.decided_rows().filter(|&row| curated.is_excluded(row)).count();
    let specimens = opened.dataset.len() - excluded;
    watch.remark(&format!("{specimens} specimens written into {}, {excluded} left out", folder.display()));
    let decisions = entries.iter().filter(|entry| !entry.undone).count();
    facts(
        common,
        watch,
        &json!({ "output": folder, "specimens": specimens, "excluded": excluded, "decisions": decisions }),
    )
}

fn info(path: &Path, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let file = ScopeFile::read(path)?;
    let about = file.about()?;
    let opened = file.specimens()?;
    let decisions = file.all::<Decision>()?;
    let undone = decisions.iter().filter(|entry| entry.undone).count();
    let sources: Vec<(Source, SourceState)> =
        file.sources()?.into_iter().map(|source| (source.clone(), source.state(path))).collect();
    let mut results = Vec::new();
    for name in ResultName::ALL {
        if let Some(result) = file.result(name, &opened.dataset)? {
            results.push((name.key(), result.key));
        }
    }
    if common.json {
        let sources: Vec<_> = sources
            .iter()
            .map(|(source, state)| json!({ "path": source.path, "sha256": source.sha256, "state": state }))
            .collect();
        let results: Vec<_> = results.iter().map(|(name, key)| json!({ "name": name, "key": key })).collect();
        let all = json!({
            "session": path, "about": about, "specimens": opened.dataset.len(), "data": opened.dataset.key(),
            "barcodes": opened.dataset.unique_len(), "sources": sources, "results": results, "reading": file.reading()?,
            "decisions": decisions, "undone": undone, "in_use": ScopeFile::is_in_use(path),
        });
        return facts(common, watch, &all);
    }
    let mut text = format!(
        "session of Barcodescope {}: {} specimens, {} different barcodes\n",
        about.program,
        opened.dataset.len(),
        opened.dataset.unique_len()
    );
    let _ = writeln!(text, "{} decisions, {undone} of them taken back", decisions.len());
    for (source, state) in &sources {
        let _ = writeln!(text, "  from {}: {}", source.path.display(), in_words(state));
    }
    for (name, key) in &results {
        let _ = writeln!(text, "  result: {name} ({})", key.short());
    }
    if ScopeFile::is_in_use(path) {
        text.push_str("another program writes to it now\n");
    }
    print(watch, &text)
}

fn in_words(state: &SourceState) -> String {
    match state {
        SourceState::Unchanged => "unchanged".to_owned(),
        SourceState::Changed => "CHANGED since it was read; the session holds it as it was".to_owned(),
        SourceState::Moved(path) => format!("moved to {}", path.display()),
        SourceState::Missing => "not there any more; the session holds what was read of it".to_owned(),
        SourceState::Unreadable(why) => format!("cannot be read: {why}"),
    }
}

fn compare(first: &Path, second: &Path, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let comparison = scope::compare(&ScopeFile::read(first)?, &ScopeFile::read(second)?)?;
    if common.json {
        return facts(common, watch, &comparison);
    }
    print(watch, &told(&comparison))
}

fn told(comparison: &Comparison) -> String {
    let Comparison { shared, only_first, only_second, differences, decisions } = comparison;
    let mut text = format!(
        "{shared} specimens in both, {} only in the first, {} only in the second\n{} and {} decisions, {} differences\n",
        only_first.len(),
        only_second.len(),
        decisions[0],
        decisions[1],
        differences.len()
    );
    for difference in differences.iter().take(SHOWN) {
        let label = |label: &Option<String>| label.clone().unwrap_or_else(|| "none".to_owned());
        let what = difference.field.map_or("barcode", Field::key);
        let _ = match difference.field {
            None => writeln!(text, "  {}: another {what}", difference.specimen),
            Some(_) => writeln!(
                text,
                "  {}: {what} {} -> {}",
                difference.specimen,
                label(&difference.first),
                label(&difference.second)
            ),
        };
    }
    if differences.len() > SHOWN {
        let _ = writeln!(text, "  and {} more; --json writes all", differences.len() - SHOWN);
    }
    text
}

/// A line of what `decide` reads.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Undo { undo: i64 },
    Redo { redo: i64 },
    Decision(Decision),
}

fn decide(path: &Path, watch: &Watch) -> Result<(), CommandError> {
    let file = ScopeFile::open(path)?;
    let dataset = file.specimens()?.dataset;
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let wrong = |why: String| CommandError::Other(format!("line {}: {why}", number + 1));
        let line = line.map_err(|error| wrong(error.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        let parsed = serde_json::from_str(&line).map_err(|error| wrong(format!("this is no decision ({error})")))?;
        let kept = match parsed {
            Line::Undo { undo } => file.set_undone(&[undo], true).map(|()| undo),
            Line::Redo { redo } => file.set_undone(&[redo], false).map(|()| redo),
            Line::Decision(decision) => file.decide(&dataset, &decision),
        };
        let kept = kept.map_err(|error| wrong(error.to_string()))?;
        print(watch, &kept.to_string())?;
    }
    Ok(())
}
