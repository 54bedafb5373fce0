//! Several models in one table: trained at different mask ratios, or to do different things.

use super::{Benchmark, EvaluateSettings, EvaluationRow, MethodRun};
use crate::data::dataset::Dataset;
use crate::model::{Model, ModelInfo, Objective};
use crate::pipeline::PipelineError;
use crate::pipeline::cache::Cache;
use crate::pipeline::embed::embed;
use crate::pipeline::masking::{RANDOM, names};
use crate::pipeline::side::Method;
use crate::progress::Observer;
use serde::Serialize;

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

/// The tasks of [`super::evaluate`] for every model, then for 6-mer counts, for alignment, and for an untrained encoder of the first
/// model's shape.
///
/// # Errors
/// As [`super::evaluate`]; [`PipelineError::Setting`] without a model.
pub fn compare(
    dataset: &Dataset,
    models: &[Model],
    settings: &EvaluateSettings,
    cache: Option<&Cache>,
    observer: &dyn Observer,
) -> Result<Vec<ComparisonRow>, PipelineError> {
    let first = models.first().ok_or_else(|| PipelineError::Setting("there is no model to compare".to_owned()))?;
    let benchmark = Benchmark::of(dataset, settings.on)?;
    let mut rows = Vec::new();
    let mut measure = |method, encoder: Option<&Model>, name: String, info: Option<&ModelInfo>| {
        let embedded = encoder.map(|model| embed(&benchmark.part, None, model, &settings.embed, cache, observer));
        let embedded = embedded.transpose()?;
        let run = MethodRun { benchmark: &benchmark, method, embedded: embedded.as_ref(), settings };
        let mut found = Vec::new();
        run.measure(&mut found, observer)?;
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
    Ok(rows)
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
        let starter = Model::bundled(&DeviceChoice::Cpu).unwrap();
        let settings = EvaluateSettings::default();
        let rows = compare(&dataset, std::slice::from_ref(&starter), &settings, None, &Silent).unwrap();
        let expected = evaluate(&dataset, &starter, &settings, None, &Silent).unwrap().results;
        assert_eq!(rows.len(), expected.len());
        for row in &rows {
            assert!(expected.contains(&row.found), "{row:?}");
            let is_model = row.found.method == Method::Model;
            assert_eq!(row.objective, is_model.then_some(Objective::Mae));
            assert_eq!(row.trained_ratio, is_model.then_some(0.5));
        }
        assert!(compare(&dataset, &[], &settings, None, &Silent).is_err());
    }
}
