//! `compare`

use super::super::args::{Common, CompareArguments};
use super::super::prepare::embed_with;
use super::super::watch::Watch;
use super::masking::{PNG_WIDTH, check_picture};
use super::{CommandError, facts, print};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::model::Model;
use crate::pipeline::evaluate::EvaluateSettings;
use crate::pipeline::evaluate::compare::{Comparison, ComparisonRow, compare, comparison_figure};
use crate::pipeline::export::{write_comparison, write_figure, write_map_pair};
use crate::pipeline::overlay::{MapPair, map_pair};
use crate::pipeline::project::ProjectSettings;
use crate::pipeline::subset::{rows_of_split, subset};
use std::fmt::Write;

/// Specimens with the most changed neighbours that are told of.
const TOLD: usize = 10;

pub(super) fn run(arguments: &CompareArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    if let Some(figure) = &arguments.figure {
        check_picture(figure)?;
    }
    if arguments.maps.is_some() && arguments.models.len() < 2 {
        return Err(CommandError::Usage("--maps needs two models".to_owned()));
    }
    let models = common.open_models(&arguments.models, watch)?;
    let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
    let settings = EvaluateSettings {
        on: arguments.on,
        embed: common.embed_settings(),
        transform: common.transform,
        seed: common.seed(),
    };
    let found = compare(&dataset, &models, &settings, common.cache().as_ref(), watch)?;
    watch.remark(&found.splits);
    write_comparison(&arguments.output, &found.rows)?;
    if let Some(figure) = &arguments.figure {
        write_figure(figure, &comparison_figure(&found), PNG_WIDTH)?;
    }
    let mut maps = None;
    if let (Some(path), [first, second, ..]) = (&arguments.maps, models.as_slice()) {
        let (queries, pair) = lay_out(&dataset, [first, second], arguments, common, watch)?;
        write_map_pair(path, &queries, &pair)?;
        maps = Some((queries, pair));
    }
    if common.json {
        as_json(&found, maps.as_ref(), common, watch)
    } else {
        print(watch, &in_words(&found.rows, maps.as_ref()))
    }
}

/// Maps of the queries by two models; of all specimens where there are no splits.
fn lay_out(
    dataset: &Dataset,
    models: [&Model; 2],
    arguments: &CompareArguments,
    common: &Common,
    watch: &Watch,
) -> Result<(Dataset, MapPair), CommandError> {
    let mut rows = Vec::new();
    if dataset.labels(Field::Split).labelled() == 0 {
        rows.extend(0..dataset.len());
    } else {
        rows.extend(rows_of_split(dataset, arguments.on.seen())?);
        rows.extend(rows_of_split(dataset, arguments.on.unseen())?);
        rows.sort_unstable();
    }
    let queries = subset(dataset, dataset.name(), &rows);
    let embedded = [embed_with(common, models[0], &queries, watch)?, embed_with(common, models[1], &queries, watch)?];
    let settings = ProjectSettings { transform: common.transform, seed: common.seed(), ..ProjectSettings::default() };
    let pair = map_pair(&queries, [&embedded[0], &embedded[1]], arguments.neighbours, &settings, watch)?;
    Ok((queries, pair))
}

fn as_json(
    found: &Comparison,
    maps: Option<&(Dataset, MapPair)>,
    common: &Common,
    watch: &Watch,
) -> Result<(), CommandError> {
    let of_maps = maps.map(|(queries, pair)| {
        let changed: Vec<_> = pair.most_changed().into_iter().take(TOLD).map(|row| queries.id(row)).collect();
        serde_json::json!({
            "neighbours": pair.neighbours,
            "mean_kept": pair.mean_kept(),
            "mirrored": pair.alignment.mirrored,
            "residual": pair.alignment.residual,
            "most_changed": changed,
        })
    });
    facts(
        common,
        watch,
        &serde_json::json!({
            "results": found.rows,
            "trained_on": found.trained_on,
            "splits": found.splits,
            "provenance": found.provenance,
            "maps": of_maps,
        }),
    )
}

/// One line per model and number.
fn in_words(rows: &[ComparisonRow], maps: Option<&(Dataset, MapPair)>) -> String {
    let mut text = String::new();
    for ComparisonRow { model, found, .. } in rows {
        let what = format!("{} {} {}", found.task, found.rank, found.metric);
        let value = if found.metric.starts_with("clusters") { found.value } else { 100.0 * found.value };
        let _ = write!(text, "{model:<28} {what:<44}{value:>9.1}");
        if let Some([low, high]) = found.ci95 {
            let _ = write!(text, " ({:.1}-{:.1})", 100.0 * low, 100.0 * high);
        }
        text.push('\n');
    }
    if let Some((queries, pair)) = maps {
        let changed: Vec<&str> = pair.most_changed().into_iter().take(TOLD).map(|row| queries.id(row)).collect();
        let _ = writeln!(
            text,
            "\nof the {} nearest barcodes {:.1} % are kept on average; most changed: {}",
            pair.neighbours,
            100.0 * pair.mean_kept(),
            changed.join(", "),
        );
    }
    text
}
