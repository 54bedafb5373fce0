//! A model of given shape with random weights.

use super::checkpoint::{Checkpoint, StoredTensor, bert_tensors};
use super::config::{ModelInfo, WeightKind};
use crate::seed::Seed;
use rand_distr::{Distribution, Normal};

/// Standard deviation of BERT's initial weights (Devlin et al. 2019; `initializer_range` in Transformers).
const INITIAL_DEVIATION: f32 = 0.02;

/// Shape, tokens and reading of `info`; weights drawn from N(0, 0.02), biases 0, layer norm's scale 1.
pub(super) fn checkpoint_like(info: &ModelInfo, seed: Seed) -> Checkpoint {
    let mut rng = seed.stream("model/random-weights");
    let normal = Normal::new(0.0, INITIAL_DEVIATION).expect("a positive deviation");
    // Transformers' BERT has two token types; only the first is ever read
    let wanted = bert_tensors(&info.encoder, info.tokenizer().vocabulary(), 2);
    let tensors = wanted.into_iter().map(|(name, shape)| {
        let count = shape.iter().product();
        let values = if name.ends_with(".bias") {
            vec![0.0; count]
        } else if name.ends_with("LayerNorm.weight") {
            vec![1.0; count]
        } else {
            (0..count).map(|_| normal.sample(&mut rng)).collect()
        };
        (name, StoredTensor { shape, values, kind: WeightKind::F32 })
    });
    Checkpoint::randomised(info, tensors.collect(), seed)
}
