//! Several models in one table: trained at different mask ratios, or to do different things.

mod picture;

pub use picture::{DRAWN, comparison_curves, comparison_figure};

use super::drawn::with_splits;
use super::{Benchmark, EvaluateSettings, EvaluationRow, MethodRun, TrainedOn};
use crate::data::dataset::Dataset;
use crate::model::{Model, ModelInfo, Objective};
use crate::pipeline::cache::Cache;
use crate::pipeline::classify::RESAMPLES;
use crate::pipeline::embed::embed;
use crate::pipeline::masking::{RANDOM, names};
use crate::pipeline::side::Method;
use crate::pipeline::{PipelineError, Provenance};
use crate::progress::Observer;
use serde::Serialize;
use std::time::Instant;

/// One number of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComparisonRow {
    /// Name of the model, or of the baseline.
    pub model: String,
    /// What the model was trained to do; `None` for baselines.
    pub objective: Option<Objective>,
    /// Share of the tokens that was masked in training, where the model's settings tell.
    pub trained_ratio: Option<f64>,
    /// The number.
    pub found: EvaluationRow,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// By model, the baselines last.
    pub rows: Vec<ComparisonRow>,
    /// How many queries each model was trained on, for those whose files tell.
    pub trained_on: Vec<(String, TrainedOn)>,
    /// Where the splits are from, in words.
    pub splits: String,
    /// Wall time.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}

/// The tasks of [`super::evaluate`] for every model, then for 6-mer counts, for alignment, and for an untrained encoder of the first
/// model's shape. A dataset without splits gets some by the seed: every fifth species is unseen, and of the others every fifth
/// specimen is asked about.
///
/// # Errors
/// As [`super::evaluate`]; [`PipelineError::Setting`] without a model, and where no splits can be drawn.
pub fn compare(
    dataset: &Dataset,
    models: &[Model],
    settings: &EvaluateSettings,
    cache: Option<&Cache>,
    observer: &dyn Observer,
) -> Result<Comparison, PipelineError> {
    let start = Instant::now();
    let first = models.first().ok_or_else(|| PipelineError::Setting("there is no model to compare".to_owned()))?;
    let (dataset, splits) = with_splits(dataset, settings.on, settings.seed)?;
    let benchmark = Benchmark::of(&dataset, settings.on)?;
    let (mut rows, mut trained_on) = (Vec::new(), Vec::new());
    let mut measure = |method, encoder: Option<&Model>, name: String, info: Option<&ModelInfo>| {
        let embedded = encoder.map(|model| embed(&benchmark.part, None, model, &settings.embed, cache, observer));
        let embedded = embedded.transpose()?;
        let run = MethodRun { benchmark: &benchmark, method, embedded: embedded.as_ref(), settings };
        let mut found = Vec::new();
        run.measure(&mut found, observer)?;
        if let (Some(embedded), Some(_)) = (&embedded, info) {
            trained_on.extend(benchmark.trained_on(embedded).into_iter().map(|known| (name.clone(), known)));
        }
        rows.extend(found.into_iter().map(|found| ComparisonRow {
            model: name.clone(),
            objective: info.map(|info| info.objective),
            trained_ratio: info.and_then(trained_ratio),
            found,
        }));
        Ok::<(), PipelineError>(())
    };
    for (model, name) in models.iter().zip(names(models)) {
        measure(Method::Model, Some(model), name, Some(model.info()))?;
    }
    for method in [Method::Kmer, Method::Align] {
        measure(method, None, method.key().to_owned(), None)?;
    }
    measure(Method::Random, Some(&first.random_like(settings.seed)?), RANDOM.to_owned(), None)?;
    let hashes: Vec<String> =
        models.iter().map(|model| format!("{} ({})", model.info().name, model.info().sha256)).collect();
    let provenance = Provenance::new(settings.seed, &[&dataset])
        .with("models", hashes.join(" "))
        .with("splits", &splits)
        .with("transform", settings.transform.map_or_else(|| "as each model says".to_owned(), |kind| kind.to_string()))
        .with("bootstrap over species", format!("{RESAMPLES} resamples"));
    Ok(Comparison { rows, trained_on, splits, seconds: start.elapsed().as_secs_f64(), provenance })
}

/// The mask ratio of a model's training, under the names of this program's settings and of the published ones.
fn trained_ratio(info: &ModelInfo) -> Option<f64> {
    ["mask_ratio", "masking_ratio"].iter().find_map(|key| info.training.get(*key)?.as_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeviceChoice;
    use crate::pipeline::evaluate::evaluate;
    use crate::pipeline::masking::tests::survey;
    use crate::progress::Silent;

    #[test]
    fn every_model_and_baseline_has_the_numbers_of_its_own_benchmark() {
        let dataset = survey(true, 0);
        let bundled = Model::bundled(&DeviceChoice::Cpu).unwrap();
        let settings = EvaluateSettings::default();
        let found = compare(&dataset, std::slice::from_ref(&bundled), &settings, None, &Silent).unwrap();
        let rows = found.rows;
        let mut expected = evaluate(&dataset, &bundled, &settings, None, &Silent).unwrap().results;
        expected.retain(|row| !matches!(row.method, Method::Both | Method::Fitted));
        assert_eq!(rows.len(), expected.len());
        for row in &rows {
            assert!(expected.contains(&row.found), "{row:?}");
            let is_model = row.found.method == Method::Model;
            assert_eq!(row.objective, is_model.then_some(Objective::Mae));
            assert_eq!(row.trained_ratio, is_model.then_some(0.5));
        }
        assert!(compare(&dataset, &[], &settings, None, &Silent).is_err());
        assert!(found.splits.contains("of the file") && found.provenance.setting("models").is_some());
        // the bundled model's record tells, and these specimens are invented
        let known: Vec<(&str, usize, usize)> =
            found.trained_on.iter().map(|(_, known)| (known.split, known.queries, known.trained_on)).collect();
        assert_eq!(known, [("test", 10, 0), ("test_unseen", 20, 0)]);
    }

    #[test]
    fn a_file_without_splits_is_compared_by_drawn_ones() {
        let bundled = Model::bundled(&DeviceChoice::Cpu).unwrap();
        let settings = EvaluateSettings::default();
        let found = compare(&survey(false, 0), &[bundled], &settings, None, &Silent).unwrap();
        assert!(found.splits.contains("drawn by the seed"), "{}", found.splits);
        let open = |row: &&ComparisonRow| (row.found.task, row.found.metric) == ("open_world", "accuracy");
        assert_eq!(found.rows.iter().filter(open).map(|row| row.found.n).collect::<Vec<_>>(), [12; 4]);
    }
}
