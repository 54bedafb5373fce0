//! Weights as they come from a file, and the names and shapes that a BERT must have.

use crate::model::config::{EncoderShape, WeightKind};
use half::{bf16, f16};

/// A tensor in main memory, widened to 32 bits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredTensor {
    /// Row-major shape.
    pub(crate) shape: Vec<usize>,
    /// The values.
    pub(crate) values: Vec<f32>,
    /// How the file stores them; narrowing back to it loses nothing.
    pub(crate) kind: WeightKind,
}

/// Number formats that checkpoints use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    F16,
    Bf16,
    F32,
    F64,
    I8,
    U8,
    I16,
    I32,
    I64,
}

impl Number {
    /// Bytes of one value.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// The smallest format that holds such weights.
    pub(super) fn weight_kind(self) -> WeightKind {
        match self {
            Self::F16 => WeightKind::F16,
            Self::Bf16 => WeightKind::Bf16,
            _ => WeightKind::F32,
        }
    }

    /// Little-endian values as 32-bit floats.
    pub(super) fn widen(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::F16 => convert(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => convert(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Self::F32 => convert(bytes, f32::from_le_bytes),
            Self::F64 => convert(bytes, |b| f64::from_le_bytes(b) as f32),
            Self::I8 => convert(bytes, |b| f32::from(i8::from_le_bytes(b))),
            Self::U8 => convert(bytes, |b| f32::from(u8::from_le_bytes(b))),
            Self::I16 => convert(bytes, |b| f32::from(i16::from_le_bytes(b))),
            Self::I32 => convert(bytes, |b| i32::from_le_bytes(b) as f32),
            Self::I64 => convert(bytes, |b| i64::from_le_bytes(b) as f32),
        }
    }
}

fn convert<const N: usize>(bytes: &[u8], one: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    let (values, _) = bytes.as_chunks::<N>();
    values.iter().map(|&value| one(value)).collect()
}

/// The tensors of one BERT without pooler: names below its prefix, and shapes.
pub(crate) fn bert_tensors(shape: &EncoderShape, vocabulary: usize, token_types: usize) -> Vec<(String, Vec<usize>)> {
    let &EncoderShape { layers, width, inner, positions, .. } = shape;
    let mut tensors = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![vocabulary, width]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![positions, width]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![token_types, width]),
    ];
    let mut pair = |name: &str, weight: Vec<usize>| {
        let outputs = weight[0];
        tensors.push((format!("{name}.weight"), weight));
        tensors.push((format!("{name}.bias"), vec![outputs]));
    };
    pair("embeddings.LayerNorm", vec![width]);
    for layer in 0..layers {
        let layer = format!("encoder.layer.{layer}");
        for projection in ["query", "key", "value"] {
            pair(&format!("{layer}.attention.self.{projection}"), vec![width, width]);
        }
        pair(&format!("{layer}.attention.output.dense"), vec![width, width]);
        pair(&format!("{layer}.attention.output.LayerNorm"), vec![width]);
        pair(&format!("{layer}.intermediate.dense"), vec![inner, width]);
        pair(&format!("{layer}.output.dense"), vec![width, inner]);
        pair(&format!("{layer}.output.LayerNorm"), vec![width]);
    }
    tensors
}
