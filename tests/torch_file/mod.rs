//! Writes files as `torch.save` does, and as it never would.

use half::{bf16, f16};
use std::path::Path;

/// A value to be pickled.
#[derive(Debug, Clone)]
pub(crate) enum Py {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'static str),
    Global(&'static str, &'static str),
}

/// Number format of a storage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    F16,
    Bf16,
    F32,
    F64,
}

/// What stands under a tensor's name.
#[derive(Debug, Clone)]
enum Stored {
    Tensor { storage: usize, offset: i64, shape: Vec<i64>, strides: Vec<i64> },
    Other(Py),
}

/// A file in the making.
#[derive(Debug, Clone)]
pub(crate) struct TorchFile {
    tensors: Vec<(String, Stored)>,
    storages: Vec<Vec<f32>>,
    kind: Kind,
    run: Vec<(String, Py)>,
    bert: Vec<(String, Py)>,
    bare: bool,
    pickle: Option<Vec<u8>>,
}

impl TorchFile {
    /// The encoder of a reference model, k = 4, as a published checkpoint.
    pub(crate) fn published() -> Self {
        let mut file = Self::of("mae_k4.safetensors", |name| {
            name.strip_prefix("encoder.").filter(|name| !name.starts_with("pooler")).map(str::to_owned)
        });
        for (key, value) in [
            ("tokenizer", Py::Text("kmer")),
            ("k_mer", Py::Int(4)),
            ("stride", Py::Int(4)),
            ("max_len", Py::Int(660)),
            ("arch", Py::Text("maelm")),
            ("n_heads", Py::Int(6)),
            ("tokenize_n_nucleotide", Py::Bool(false)),
        ] {
            file.set_run(key, value);
        }
        for (key, value) in [
            ("vocab_size", Py::Int(258)),
            ("hidden_size", Py::Int(48)),
            ("num_attention_heads", Py::Int(6)),
            ("hidden_act", Py::Text("gelu")),
            ("layer_norm_eps", Py::Float(1e-12)),
            ("position_embedding_type", Py::Text("absolute")),
        ] {
            file.set_bert(key, value);
        }
        file
    }

    /// A bare state dict with all tensors of a safetensors file among the fixtures.
    pub(crate) fn bare_of(fixture: &str) -> Self {
        Self { bare: true, ..Self::of(fixture, |name| Some(name.to_owned())) }
    }

    fn of(fixture: &str, rename: impl Fn(&str) -> Option<String>) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(fixture);
        let bytes = std::fs::read(path).unwrap();
        let source = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut file = Self {
            tensors: Vec::new(),
            storages: Vec::new(),
            kind: Kind::F32,
            run: Vec::new(),
            bert: Vec::new(),
            bare: false,
            pickle: None,
        };
        let mut tensors = source.tensors();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, view) in tensors {
            let Some(name) = rename(&name) else { continue };
            let values: Vec<f32> =
                view.data().as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value)).collect();
            let shape: Vec<i64> = view.shape().iter().map(|&size| size as i64).collect();
            file.add(&name, &shape, &values);
        }
        file
    }

    fn slot(&mut self, name: &str) -> &mut Stored {
        if !self.tensors.iter().any(|(known, _)| known == name) {
            self.tensors.push((name.to_owned(), Stored::Other(Py::Bool(false))));
        }
        let found = self.tensors.iter_mut().find(|(known, _)| known == name);
        &mut found.unwrap().1
    }

    /// Adds or replaces a tensor.
    pub(crate) fn add(&mut self, name: &str, shape: &[i64], values: &[f32]) {
        self.storages.push(values.to_vec());
        let storage = self.storages.len() - 1;
        *self.slot(name) = Stored::Tensor { storage, offset: 0, shape: shape.to_vec(), strides: row_major(shape) };
    }

    /// Puts something else under a tensor's name.
    pub(crate) fn replace(&mut self, name: &str, value: Py) {
        *self.slot(name) = Stored::Other(value);
    }

    /// Takes a tensor away.
    pub(crate) fn remove(&mut self, name: &str) {
        self.tensors.retain(|(known, _)| known != name);
    }

    /// Another shape for the same values.
    pub(crate) fn reshape(&mut self, name: &str, new: &[i64]) {
        self.claim(name, new, &row_major(new));
    }

    /// Any shape and strides, whatever the storage holds.
    pub(crate) fn claim(&mut self, name: &str, shape: &[i64], strides: &[i64]) {
        let storage = match self.slot(name) {
            Stored::Tensor { storage, .. } => *storage,
            Stored::Other(_) => 0,
        };
        *self.slot(name) = Stored::Tensor { storage, offset: 0, shape: shape.to_vec(), strides: strides.to_vec() };
    }

    /// Overwrites the first number of a tensor.
    pub(crate) fn set_first_value(&mut self, name: &str, value: f32) {
        if let Stored::Tensor { storage, .. } = *self.slot(name) {
            self.storages[storage][0] = value;
        }
    }

    /// Keeps every table by columns, as `t()` leaves it.
    pub(crate) fn store_transposed(&mut self) {
        for (_, stored) in &mut self.tensors {
            if let Stored::Tensor { storage, shape, strides, .. } = stored
                && let [rows, columns] = shape[..]
            {
                let values = &self.storages[*storage];
                let (rows, columns) = (rows as usize, columns as usize);
                let by_columns = (0..rows * columns).map(|i| values[i % rows * columns + i / rows]).collect();
                self.storages[*storage] = by_columns;
                *strides = vec![1, rows as i64];
            }
        }
    }

    /// Keeps all tensors in one storage, one behind another.
    pub(crate) fn share_one_storage(&mut self) {
        let mut all = vec![0.0; 3];
        for (_, stored) in &mut self.tensors {
            if let Stored::Tensor { storage, offset, .. } = stored {
                *offset = all.len() as i64;
                all.extend(&self.storages[*storage]);
                *storage = 0;
            }
        }
        self.storages = vec![all];
    }

    /// The number format of all storages.
    pub(crate) fn store_as(&mut self, kind: Kind) {
        self.kind = kind;
    }

    /// A setting of the run.
    pub(crate) fn set_run(&mut self, key: &str, value: Py) {
        self.run.retain(|(known, _)| known != key);
        self.run.push((key.to_owned(), value));
    }

    /// Two settings of the run with one value.
    pub(crate) fn set_run_pair(&mut self, first: &str, second: &str, value: Py) {
        self.set_run(first, value.clone());
        self.set_run(second, value);
    }

    /// A setting of the model.
    pub(crate) fn set_bert(&mut self, key: &str, value: Py) {
        self.bert.retain(|(known, _)| known != key);
        self.bert.push((key.to_owned(), value));
    }

    /// Any bytes in place of the pickle.
    pub(crate) fn set_pickle(&mut self, pickle: Vec<u8>) {
        self.pickle = Some(pickle);
    }

    /// The pickle.
    pub(crate) fn pickle(&self) -> Vec<u8> {
        if let Some(pickle) = &self.pickle {
            return pickle.clone();
        }
        let mut out = b"\x80\x02}(".to_vec();
        if !self.bare {
            text(&mut out, "model");
            out.extend(b"ccollections\nOrderedDict\n)R(");
        }
        for (name, stored) in &self.tensors {
            text(&mut out, name);
            self.tensor(&mut out, stored);
        }
        if !self.bare {
            out.push(b'u');
            text(&mut out, "config");
            out.extend(b"cargparse\nNamespace\n)\x81}(");
            entries(&mut out, &self.run);
            out.extend(b"ub");
            text(&mut out, "bert_config");
            out.extend(b"}(");
            entries(&mut out, &self.bert);
            out.push(b'u');
        }
        out.extend(b"u.");
        out
    }

    fn tensor(&self, out: &mut Vec<u8>, stored: &Stored) {
        let (storage, offset, shape, strides) = match stored {
            Stored::Other(value) => return scalar(out, value),
            Stored::Tensor { storage, offset, shape, strides } => (*storage, *offset, shape, strides),
        };
        let class = match self.kind {
            Kind::F16 => "HalfStorage",
            Kind::Bf16 => "BFloat16Storage",
            Kind::F32 => "FloatStorage",
            Kind::F64 => "DoubleStorage",
        };
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(out, "storage");
        out.extend(format!("ctorch\n{class}\n").bytes());
        text(out, &storage.to_string());
        text(out, "cpu");
        scalar(out, &Py::Int(self.storages[storage].len() as i64));
        out.extend(b"tQ");
        scalar(out, &Py::Int(offset));
        for sizes in [shape, strides] {
            out.push(b'(');
            sizes.iter().for_each(|&size| scalar(out, &Py::Int(size)));
            out.push(b't');
        }
        out.extend(b"\x89ccollections\nOrderedDict\n)RtR");
    }

    /// The whole file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut parts = vec![Entry::stored("m/data.pkl", &self.pickle()), Entry::stored("m/byteorder", b"little")];
        for (index, values) in self.storages.iter().enumerate() {
            let data: Vec<u8> = match self.kind {
                Kind::F16 => values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect(),
                Kind::Bf16 => values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes()).collect(),
                Kind::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                Kind::F64 => values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect(),
            };
            parts.push(Entry::stored(&format!("m/data/{index}"), &data));
        }
        zip(&parts)
    }
}

fn row_major(shape: &[i64]) -> Vec<i64> {
    (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect()
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.bytes());
}

fn scalar(out: &mut Vec<u8>, value: &Py) {
    match value {
        Py::Bool(flag) => out.push(if *flag { 0x88 } else { 0x89 }),
        Py::Int(number) => {
            out.extend([0x8a, 8]);
            out.extend(number.to_le_bytes());
        }
        Py::Float(number) => {
            out.push(b'G');
            out.extend(number.to_be_bytes());
        }
        Py::Text(letters) => text(out, letters),
        Py::Global(module, name) => out.extend(format!("c{module}\n{name}\n").bytes()),
    }
}

fn entries(out: &mut Vec<u8>, entries: &[(String, Py)]) {
    for (key, value) in entries {
        text(out, key);
        scalar(out, value);
    }
}

/// A part of an archive, with everything that a header may claim.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) data: Vec<u8>,
    pub(crate) size: u32,
    pub(crate) packed: u32,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    pub(crate) extra: Vec<u8>,
    pub(crate) same_data_as_first: bool,
}

impl Entry {
    /// An honest part.
    pub(crate) fn stored(name: &str, data: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            data: data.to_vec(),
            size: data.len() as u32,
            packed: data.len() as u32,
            method: 0,
            flags: 0,
            extra: Vec::new(),
            same_data_as_first: false,
        }
    }
}

/// CRC-32 as zip has it, bit by bit.
pub(crate) fn crc32(data: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256u32)
        .map(|byte| (0..8).fold(byte, |crc, _| if crc & 1 == 1 { 0xedb8_8320 ^ (crc >> 1) } else { crc >> 1 }))
        .collect();
    !data.iter().fold(!0, |crc, &byte| table[((crc ^ u32::from(byte)) & 0xff) as usize] ^ (crc >> 8))
}

/// An archive of these parts.
pub(crate) fn zip(parts: &[Entry]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for part in parts {
        let header_at = if part.same_data_as_first { 0 } else { file.len() as u32 };
        let mut common = Vec::new();
        common.extend(part.flags.to_le_bytes());
        common.extend(part.method.to_le_bytes());
        common.extend([0; 4]);
        common.extend(crc32(&part.data).to_le_bytes());
        common.extend(part.packed.to_le_bytes());
        common.extend(part.size.to_le_bytes());
        common.extend((part.name.len() as u16).to_le_bytes());
        if !part.same_data_as_first {
            file.extend(b"PK\x03\x04\x14\0");
            file.extend(&common);
            file.extend([0, 0]);
            file.extend(part.name.bytes());
            file.extend(&part.data);
        }
        directory.extend(b"PK\x01\x02\x14\0\x14\0");
        directory.extend(&common);
        directory.extend((part.extra.len() as u16).to_le_bytes());
        directory.extend([0; 10]);
        directory.extend(header_at.to_le_bytes());
        directory.extend(part.name.bytes());
        directory.extend(&part.extra);
    }
    let start = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend((parts.len() as u16).to_le_bytes());
    file.extend((parts.len() as u16).to_le_bytes());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}
