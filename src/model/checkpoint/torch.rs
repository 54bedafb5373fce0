//! Files written by `torch.save` since PyTorch 1.6: the archive, its pickle, and the tensors beside it.

use super::Problem;
use super::archive::Archive;
use super::pickle::{Id, MAX_PICKLE_BYTES, Pickle, PickleError, Value};
use super::source::{Described, TensorError, TensorSource};
use super::tensors::{Number, StoredTensor};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek};

/// Longest list of numbers that is kept of a checkpoint's settings.
const MAX_SETTING_LIST: usize = 16;

/// How many bytes of tensors may be read per byte of the file. Tensors may share a storage; more than this is no model.
const READ_FACTOR: u64 = 4;

/// Where a tensor lies.
#[derive(Debug, Clone)]
struct Place {
    key: String,
    offset: u64,
    strides: Vec<u64>,
}

/// What stands in the pickle beside the weights.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Whether the outermost value is the state dict itself.
    pub(super) bare: bool,
    /// The run's settings, `config`.
    pub(super) config: Option<Map<String, Json>>,
    /// The model's settings, `bert_config`.
    pub(super) bert_config: Option<Map<String, Json>>,
    /// Numbers beside them: epoch, steps, accuracy.
    pub(super) counters: Map<String, Json>,
}

/// An open file of `torch.save`.
#[derive(Debug)]
pub(super) struct TorchFile<R> {
    archive: Archive<R>,
    root: String,
    described: BTreeMap<String, Described>,
    places: BTreeMap<String, Place>,
    /// Bytes of tensors that may still be read.
    budget: u64,
    /// The storage read last; flattened models keep many tensors in one.
    storage: Option<(String, Vec<u8>)>,
}

impl<R: Read + Seek> TorchFile<R> {
    /// Opens the archive and reads its pickle.
    pub(super) fn open(reader: R, length: u64) -> Result<(Self, Contents), Problem> {
        let mut archive = Archive::open(reader)?;
        let root = find_root(&archive)?;
        check_byte_order(&mut archive, &root)?;
        let bytes = archive.read(&format!("{root}data.pkl"), MAX_PICKLE_BYTES)?;
        let pickle = Pickle::read(&bytes).map_err(unreadable)?;
        let (state, contents) = find_state(&pickle)?;
        let (described, places) = describe(&pickle, state)?;
        let budget = length.saturating_mul(READ_FACTOR);
        Ok((Self { archive, root, described, places, budget, storage: None }, contents))
    }

    fn load(&mut self, name: &str) -> Result<StoredTensor, String> {
        let (Some(Described::Tensor { shape, number }), Some(place)) =
            (self.described.get(name), self.places.get(name))
        else {
            return Err("there is no such tensor".to_owned());
        };
        let elements = elements(shape).ok_or("its shape is too large")?;
        let bytes = elements.checked_mul(number.bytes() as u64).ok_or("its shape is too large")?;
        let left = self.budget.checked_sub(bytes).ok_or("the tensors claim more numbers than the file holds")?;
        self.budget = left;
        if self.storage.as_ref().is_none_or(|(key, _)| *key != place.key) {
            let data = self.archive.read(&format!("{}data/{}", self.root, place.key), u64::MAX);
            self.storage = Some((place.key.clone(), data.map_err(|problem| problem.to_string())?));
        }
        let storage = self.storage.as_ref().map_or(&[][..], |(_, data)| data);
        let values = gather(storage, *number, place, shape).ok_or("it reaches beyond its storage")?;
        Ok(StoredTensor { shape: shape.clone(), values, kind: number.weight_kind() })
    }
}

impl<R: Read + Seek> TensorSource for TorchFile<R> {
    fn described(&self) -> &BTreeMap<String, Described> {
        &self.described
    }

    fn read(&mut self, name: &str) -> Result<StoredTensor, TensorError> {
        self.load(name).map_err(|what| TensorError { name: name.to_owned(), what })
    }
}

/// The folder within the archive that holds everything; it is named after the file.
fn find_root<R: Read + Seek>(archive: &Archive<R>) -> Result<String, Problem> {
    let mut roots = archive.names().filter_map(|name| name.strip_suffix("data.pkl"));
    let root = match (roots.next(), roots.next()) {
        (Some(root), None) => root.to_owned(),
        (None, _) => return Err(Problem::NotACheckpoint("it is a zip archive without data.pkl".to_owned())),
        (Some(_), Some(_)) => return Err(Problem::Damaged("it has two data.pkl".to_owned())),
    };
    if archive.contains(&format!("{root}constants.pkl")) {
        let what = "a TorchScript program; save the model's state dict with torch.save instead";
        return Err(Problem::Unsupported(what.to_owned()));
    }
    Ok(root)
}

fn check_byte_order<R: Read + Seek>(archive: &mut Archive<R>, root: &str) -> Result<(), Problem> {
    let name = format!("{root}byteorder");
    if archive.contains(&name) && archive.read(&name, 16)? != b"little" {
        return Err(Problem::Unsupported("it was written on a big-endian machine".to_owned()));
    }
    Ok(())
}

/// The state dict, and what stands beside it.
fn find_state(pickle: &Pickle<'_>) -> Result<(Id, Contents), Problem> {
    let Some(outer) = pickle.entries(pickle.root()) else {
        let what = "it does not hold a state dict (a whole pickled model is not read: its code would have to be run)";
        return Err(Problem::NotACheckpoint(what.to_owned()));
    };
    let is_dict = |id: &&Id| matches!(pickle.get(**id), Value::Dict(_));
    let Some(&state) =
        ["model", "state_dict", "model_state_dict"].iter().find_map(|key| outer.get(key).filter(is_dict))
    else {
        return Ok((pickle.root(), Contents { bare: true, ..Contents::default() }));
    };
    let settings = |key: &str| outer.get(key).and_then(|&id| pickle.entries(id)).map(|entries| plain(pickle, &entries));
    let contents = Contents {
        bare: false,
        config: settings("config"),
        bert_config: settings("bert_config"),
        counters: plain(pickle, &outer),
    };
    Ok((state, contents))
}

/// The entries that are a number, a text, a truth value, None or a short list of numbers. Nothing nested is followed.
fn plain(pickle: &Pickle<'_>, entries: &HashMap<&str, Id>) -> Map<String, Json> {
    let scalar = |id: Id| match pickle.get(id) {
        Value::None => Some(Json::Null),
        Value::Bool(flag) => Some(Json::from(*flag)),
        Value::Int(number) => Some(Json::from(*number)),
        Value::Float(number) => Some(Json::from(*number)),
        Value::Text(text) => Some(Json::from(*text)),
        _ => None,
    };
    let mut names: Vec<_> = entries.iter().collect();
    names.sort_unstable();
    let value = |id: Id| match pickle.get(id) {
        Value::List(members) | Value::Tuple(members) if members.len() <= MAX_SETTING_LIST => {
            members.iter().map(|&member| scalar(member)).collect::<Option<Vec<_>>>().map(Json::from)
        }
        _ => scalar(id),
    };
    names.into_iter().filter_map(|(name, &id)| Some(((*name).to_owned(), value(id)?))).collect()
}

type Description = (BTreeMap<String, Described>, BTreeMap<String, Place>);

fn describe(pickle: &Pickle<'_>, state: Id) -> Result<Description, Problem> {
    let entries = pickle.entries(state).unwrap_or_default();
    let (mut described, mut places) = (BTreeMap::new(), BTreeMap::new());
    for (name, id) in entries {
        let description = match pickle.get(id) {
            Value::Tensor(view) => {
                let known = match pickle.get(view.storage) {
                    Value::Storage { kind, key } => number_of(kind).map(|number| (number, (*key).to_owned())),
                    _ => None,
                };
                let shape: Option<Vec<usize>> = view.shape.iter().map(|&size| usize::try_from(size).ok()).collect();
                match (known, shape) {
                    (Some((number, key)), Some(shape)) => {
                        places
                            .insert(name.to_owned(), Place { key, offset: view.offset, strides: view.strides.clone() });
                        Described::Tensor { shape, number }
                    }
                    _ => Described::Other("of a number format that is not read".to_owned()),
                }
            }
            // metadata beside the weights
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => continue,
            _ => Described::Other("no plain tensor (quantised, sparse or custom ones are not read)".to_owned()),
        };
        described.insert(name.to_owned(), description);
    }
    if places.is_empty() {
        return Err(Problem::NotACheckpoint("it holds no tensors".to_owned()));
    }
    Ok((described, places))
}

/// The number format of PyTorch's storage classes.
fn number_of(kind: &str) -> Option<Number> {
    Some(match kind {
        "HalfStorage" => Number::F16,
        "BFloat16Storage" => Number::Bf16,
        "FloatStorage" => Number::F32,
        "DoubleStorage" => Number::F64,
        "CharStorage" => Number::I8,
        "ByteStorage" | "BoolStorage" => Number::U8,
        "ShortStorage" => Number::I16,
        "IntStorage" => Number::I32,
        "LongStorage" => Number::I64,
        _ => return None,
    })
}

fn elements(shape: &[usize]) -> Option<u64> {
    shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64))
}

/// Copies a strided view into row-major order; `None` where it leaves the storage.
fn gather(storage: &[u8], number: Number, place: &Place, shape: &[usize]) -> Option<Vec<f32>> {
    let count = usize::try_from(elements(shape)?).ok()?;
    if count == 0 {
        return Some(Vec::new());
    }
    let reach = shape
        .iter()
        .zip(&place.strides)
        .try_fold(place.offset, |last, (&size, &stride)| last.checked_add(stride.checked_mul(size as u64 - 1)?))?;
    let width = number.bytes();
    if reach >= (storage.len() / width) as u64 {
        return None;
    }
    let (first, strides) = (place.offset as usize, place.strides.iter().map(|&stride| stride as usize));
    let strides: Vec<usize> = strides.collect();
    if is_row_major(shape, &strides) {
        return Some(number.widen(&storage[first * width..(first + count) * width]));
    }
    let mut index = vec![0; shape.len()];
    let mut row_major = Vec::with_capacity(count * width);
    for _ in 0..count {
        let at = first + index.iter().zip(&strides).map(|(i, stride)| i * stride).sum::<usize>();
        row_major.extend_from_slice(&storage[at * width..(at + 1) * width]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    Some(number.widen(&row_major))
}

fn is_row_major(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(&size, &stride)| {
        let fits = size == 1 || stride == expected;
        expected *= size;
        fits
    })
}

fn unreadable(error: PickleError) -> Problem {
    match error {
        PickleError::Protocol(_) => Problem::Unsupported(error.to_string()),
        other => Problem::Damaged(format!("its description of the weights is broken: {other}")),
    }
}
