//! Two maps of the same specimens by two models, one laid over the other, and whose neighbours changed.

use super::embed::Embedded;
use super::project::{ProjectSettings, ProjectSource, project, transformed};
use super::{PipelineError, Provenance};
use crate::analysis::knn::{Neighbours, nearest};
use crate::analysis::procrustes::{Alignment, align};
use crate::data::dataset::Dataset;
use crate::progress::Observer;

/// Neighbours that are compared, unless another number is asked for.
pub const DEFAULT_NEIGHBOURS: usize = 15;

/// Two maps of the same specimens.
#[derive(Debug, Clone, PartialEq)]
pub struct MapPair {
    /// Points of the first model, `[N]`.
    pub first: Vec<[f32; 2]>,
    /// Points of the second model, `[N]`, turned, scaled and shifted onto the first.
    pub second: Vec<[f32; 2]>,
    /// What was done to the second map.
    pub alignment: Alignment,
    /// Share of the nearest barcodes that both models see of those that either sees (Jaccard), `[N]`: 1 where nothing changed, 0
    /// where everything did. In the space in which barcodes are compared, not on the map.
    pub kept: Vec<f64>,
    /// How many nearest barcodes were compared.
    pub neighbours: usize,
    /// How it was made.
    pub provenance: Provenance,
}

impl MapPair {
    /// All rows, those whose neighbours changed most first, equal ones in file order.
    pub fn most_changed(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.kept.len()).collect();
        rows.sort_by(|&a, &b| self.kept[a].total_cmp(&self.kept[b]));
        rows
    }

    /// Mean share of the neighbours that both models see.
    pub fn mean_kept(&self) -> f64 {
        if self.kept.is_empty() { 1.0 } else { self.kept.iter().sum::<f64>() / self.kept.len() as f64 }
    }
}

/// Lays out the specimens of a dataset by the embeddings of two models, and compares each barcode's `neighbours` nearest others.
///
/// # Errors
/// As [`project`], and [`PipelineError::Setting`] for embeddings of another dataset or without neighbours to compare.
pub fn map_pair(
    dataset: &Dataset,
    embedded: [&Embedded; 2],
    neighbours: usize,
    settings: &ProjectSettings,
    observer: &dyn Observer,
) -> Result<MapPair, PipelineError> {
    if embedded.iter().any(|embedded| embedded.data != dataset.key()) {
        return Err(PipelineError::Setting(format!("'{}' has to be embedded by both models first", dataset.name())));
    }
    if neighbours == 0 {
        return Err(PipelineError::Setting("at least one neighbour has to be compared".to_owned()));
    }
    let layout = |embedded| project(dataset, ProjectSource::Embedded(embedded), settings, observer);
    let (first, second) = (layout(embedded[0])?, layout(embedded[1])?);
    let alignment = align(&second.points, &first.points);
    let near = |embedded: &Embedded| -> Result<Neighbours, PipelineError> {
        let kind = embedded.transform_for(settings.transform, embedded.vectors.nrows());
        let (vectors, _) = transformed(&embedded.vectors, kind, observer)?;
        let itself = |query: usize, other: usize| query == other;
        Ok(nearest(&*vectors, &*vectors, neighbours, &itself, observer)?)
    };
    let by_unique = near(embedded[0])?.overlap(&near(embedded[1])?);
    Ok(MapPair {
        first: first.points.to_vec(),
        second: second.points.iter().map(|&point| alignment.apply(point)).collect(),
        kept: (0..dataset.len()).map(|row| by_unique[dataset.unique_of(row)]).collect(),
        neighbours,
        provenance: provenance(dataset, embedded, neighbours, settings, &alignment),
        alignment,
    })
}

fn provenance(
    dataset: &Dataset,
    embedded: [&Embedded; 2],
    neighbours: usize,
    settings: &ProjectSettings,
    alignment: &Alignment,
) -> Provenance {
    let models = embedded.map(|embedded| format!("{} ({})", embedded.model.name, embedded.model.sha256));
    Provenance::new(settings.seed, &[dataset])
        .with("models", models.join(" "))
        .with("projection", settings.method)
        .with("neighbours compared", neighbours)
        .with("second map", if alignment.mirrored { "turned over and rotated" } else { "rotated" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::simulate::{SimulationSettings, simulated_dataset};
    use crate::model::{DeviceChoice, Model};
    use crate::pipeline::embed::{EmbedSettings, embed};
    use crate::pipeline::project::ProjectMethod;
    use crate::progress::Silent;
    use crate::seed::Seed;

    #[test]
    fn a_model_beside_itself_changes_nothing_and_beside_another_something() {
        let dataset = simulated_dataset(&SimulationSettings { specimens: 80, seed: Seed(1) }, &Silent).unwrap();
        let bundled = Model::bundled(&DeviceChoice::Cpu).unwrap();
        let read = |model: &Model| embed(&dataset, None, model, &EmbedSettings::default(), None, &Silent).unwrap();
        let (ours, other) = (read(&bundled), read(&bundled.random_like(Seed(1)).unwrap()));
        let settings = ProjectSettings { method: ProjectMethod::Pca, ..ProjectSettings::default() };
        let pair = |a, b| map_pair(&dataset, [a, b], DEFAULT_NEIGHBOURS, &settings, &Silent).unwrap();
        let same = pair(&ours, &ours);
        assert!(same.kept.iter().all(|&kept| kept == 1.0) && same.alignment.residual < 1e-6);
        assert_eq!(same.most_changed(), (0..80).collect::<Vec<_>>());
        for (first, second) in same.first.iter().zip(&same.second) {
            assert!((0..2).all(|axis| (first[axis] - second[axis]).abs() < 1e-3));
        }
        let changed = pair(&ours, &other);
        assert!(changed.mean_kept() < 1.0 && changed.mean_kept() > 0.1, "{}", changed.mean_kept());
        let order = changed.most_changed();
        assert!(order.is_sorted_by(|&a, &b| changed.kept[a] <= changed.kept[b]));
        assert_eq!(changed.kept, pair(&other, &ours).kept);
        let elsewhere = simulated_dataset(&SimulationSettings { specimens: 30, seed: Seed(1) }, &Silent).unwrap();
        assert!(map_pair(&elsewhere, [&ours, &other], 5, &settings, &Silent).is_err());
        assert!(map_pair(&dataset, [&ours, &other], 0, &settings, &Silent).is_err());
    }
}
