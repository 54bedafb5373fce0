//! Tensors in the safetensors format.

use super::Problem;
use super::source::{Described, TensorError, TensorSource};
use super::tensors::{Number, StoredTensor};
use crate::model::config::WeightKind;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, TensorView};
use safetensors::{SafeTensors, serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Bytes of the header's length at the start of the file.
const LENGTH_BYTES: usize = 8;

/// A safetensors file in memory.
#[derive(Debug)]
pub(super) struct SafetensorsFile<'a> {
    metadata: Metadata,
    data: &'a [u8],
    described: BTreeMap<String, Described>,
}

impl<'a> SafetensorsFile<'a> {
    /// Reads and checks the header.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Problem> {
        let (header_bytes, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|error| Problem::Damaged(format!("no safetensors: {error}")))?;
        let described = metadata.tensors().into_iter().map(|(name, info)| {
            let described = match number_of(info.dtype) {
                Some(number) => Described::Tensor { shape: info.shape.clone(), number },
                None => Described::Other(format!("of number format {:?}, which is not read", info.dtype)),
            };
            (name, described)
        });
        let described = described.collect();
        Ok(Self { metadata, data: &bytes[LENGTH_BYTES + header_bytes..], described })
    }
}

impl SafetensorsFile<'_> {
    /// A note in the header.
    pub(super) fn note(&self, name: &str) -> Option<&str> {
        self.metadata.metadata().as_ref()?.get(name).map(String::as_str)
    }

    /// The bytes of a tensor of bytes.
    pub(super) fn raw(&self, name: &str) -> Option<&[u8]> {
        let info = self.metadata.info(name).filter(|info| info.dtype == Dtype::U8)?;
        self.data.get(info.data_offsets.0..info.data_offsets.1)
    }
}

impl TensorSource for SafetensorsFile<'_> {
    fn described(&self) -> &BTreeMap<String, Described> {
        &self.described
    }

    fn read(&mut self, name: &str) -> Result<StoredTensor, TensorError> {
        let fail = |what: &str| TensorError { name: name.to_owned(), what: what.to_owned() };
        let info = self.metadata.info(name).ok_or_else(|| fail("there is no such tensor"))?;
        let number = number_of(info.dtype).ok_or_else(|| fail("its number format is not read"))?;
        let (start, end) = info.data_offsets;
        let data = self.data.get(start..end).ok_or_else(|| fail("it reaches beyond the file"))?;
        Ok(StoredTensor { shape: info.shape.clone(), values: number.widen(data), kind: number.weight_kind() })
    }
}

fn number_of(dtype: Dtype) -> Option<Number> {
    Some(match dtype {
        Dtype::F16 => Number::F16,
        Dtype::BF16 => Number::Bf16,
        Dtype::F32 => Number::F32,
        Dtype::F64 => Number::F64,
        Dtype::I8 => Number::I8,
        Dtype::U8 | Dtype::BOOL => Number::U8,
        Dtype::I16 => Number::I16,
        Dtype::I32 => Number::I32,
        Dtype::I64 => Number::I64,
        _ => return None,
    })
}

/// Something to be written as a tensor.
pub(super) struct Written<'a> {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Cow<'a, [u8]>,
}

impl<'a> Written<'a> {
    /// A tensor in the number format that it came in.
    pub(super) fn tensor(name: String, tensor: &StoredTensor) -> Self {
        let (dtype, bytes) = narrow(tensor);
        Self { name, dtype, shape: tensor.shape.clone(), bytes: bytes.into() }
    }

    /// Whether it is the tensor of this name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Plain bytes.
    pub(super) fn bytes(name: &str, bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        let bytes = bytes.into();
        Self { name: name.to_owned(), dtype: Dtype::U8, shape: vec![bytes.len()], bytes }
    }
}

/// The bytes of a safetensors file with these tensors and notes.
pub(super) fn to_bytes(tensors: &[Written<'_>], notes: &BTreeMap<String, String>) -> Vec<u8> {
    let views = tensors.iter().map(|Written { name, dtype, shape, bytes }| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).expect("shape and values of a tensor agree");
        (name, view)
    });
    let notes = (!notes.is_empty()).then(|| notes.clone().into_iter().collect());
    serialize(views, notes).expect("names and shapes of a model fit a header")
}

fn narrow(tensor: &StoredTensor) -> (Dtype, Vec<u8>) {
    let values = tensor.values.iter();
    match tensor.kind {
        WeightKind::F16 => (Dtype::F16, values.flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect()),
        WeightKind::Bf16 => (Dtype::BF16, values.flat_map(|&value| bf16::from_f32(value).to_le_bytes()).collect()),
        WeightKind::F32 => (Dtype::F32, values.flat_map(|value| value.to_le_bytes()).collect()),
    }
}
