//! The untrained encoders that stand beside models, and how models are called.

use crate::model::{Model, ModelInfo};
use crate::pipeline::PipelineError;
use crate::seed::Seed;

/// An untrained encoder.
pub(super) struct Floor {
    /// Name of the first model that has this shape.
    pub(super) like: String,
    pub(super) model: Model,
}

/// One untrained encoder for each different shape and way of reading.
pub(super) fn floors(models: &[Model], seed: Seed) -> Result<Vec<Floor>, PipelineError> {
    let mut floors: Vec<Floor> = Vec::new();
    for (model, name) in models.iter().zip(names(models)) {
        if !floors.iter().any(|floor| reads_alike(floor.model.info(), model.info())) {
            floors.push(Floor { like: name, model: model.random_like(seed)? });
        }
    }
    Ok(floors)
}

fn reads_alike(a: &ModelInfo, b: &ModelInfo) -> bool {
    (a.k, a.max_bases, &a.special_tokens, a.encoder) == (b.k, b.max_bases, &b.special_tokens, b.encoder)
        && (a.read, a.causal) == (b.read, b.causal)
}

/// The models' names, with the start of their hash where two have the same.
pub(in crate::pipeline) fn names(models: &[Model]) -> Vec<String> {
    let infos: Vec<&ModelInfo> = models.iter().map(Model::info).collect();
    let name = |info: &&ModelInfo| {
        let namesakes = infos.iter().filter(|other| other.name == info.name).count();
        if namesakes == 1 { info.name.clone() } else { format!("{} {}", info.name, info.id.short()) }
    };
    infos.iter().map(name).collect()
}
