//! Reading and writing checkpoints of every published layout.
//!
//! | layout | container | settings |
//! |---|---|---|
//! | BarcodeMAE `.pt`, and its encoder-only baseline | `torch.save` of a dict | inside: `config`, `bert_config` |
//! | BarcodeBERT `.pth` | `torch.save` of the bare state dict | `FILE.json` beside it, `--heads` |
//! | Hugging Face folder | `model.safetensors` or `pytorch_model.bin` | `config.json` |
//! | this program's own | safetensors | `NAME.json` (or `FILE.json`) beside it |
//!
//! Dimensions, k and special tokens follow from the weights; settings that contradict them are an error. No code in a file is
//! ever run, and what a file can make this program allocate is bounded by a few times its own length.

mod archive;
mod assemble;
mod head;
mod huggingface;
mod legacy;
mod own;
mod pickle;
mod repack;
mod safetensors;
mod settings;
mod source;
mod tensors;
mod torch;
mod trained;

pub(super) use assemble::model_id;
pub(super) use head::{TRANSFORM as HEAD_TRANSFORM, WEIGHT as HEAD_WEIGHT};
pub use repack::Repack;
pub use trained::{RunFile, Trained};

pub(super) use tensors::{StoredTensor, bert_tensors};

use super::config::{CheckpointLayout, ModelInfo, WeightKind};
use super::error::{Misshapen, ModelError};
use crate::data::seen::SeenBarcodes;
use crate::key::ContentHash;
use crate::seed::Seed;
use assemble::{Assembled, Parts, assemble};
use safetensors::SafetensorsFile;
use settings::Settings;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use torch::TorchFile;

/// Largest settings file that is read; the published ones have some hundred kilobytes.
const MAX_SETTINGS_BYTES: u64 = 64 << 20;

/// The note within a safetensors file that holds its settings, where no file beside it does.
const SETTINGS_NOTE: &str = "barcodescope";
/// Where a file of this program keeps what belongs to the training and not to the model.
const RUN_PREFIX: &str = "training.";
/// The tensor that holds the record of the training barcodes.
const SEEN_TENSOR: &str = "training.seen";

/// A model as read from a file, not yet on a device.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    info: ModelInfo,
    encoder: BTreeMap<String, StoredTensor>,
    decoder: BTreeMap<String, StoredTensor>,
    head: BTreeMap<String, StoredTensor>,
    seen: Option<Arc<SeenBarcodes>>,
}

impl Checkpoint {
    /// Reads a checkpoint file or a Hugging Face folder. `heads` counts where nothing in or beside the file says otherwise.
    ///
    /// # Errors
    /// [`ModelError`]: not readable, no checkpoint, damaged, a variant that is not supported, or tensors missing or misshapen.
    pub fn open(path: &Path, heads: Option<usize>) -> Result<Self, ModelError> {
        if path.is_dir() {
            return huggingface::open_folder(path, heads);
        }
        let io = |source| ModelError::Io { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let mut start = [0; 32];
        let length = read_up_to(&mut file, &mut start).map_err(io)?;
        match container(&start[..length]) {
            Container::Safetensors if huggingface::is_in_folder(path) => {
                huggingface::open_folder(path.parent().unwrap_or(Path::new(".")), heads)
            }
            Container::Safetensors => {
                let settings = read_settings_beside(path)?;
                let bytes = std::fs::read(path).map_err(io)?;
                let record = settings.as_ref().and_then(|beside| beside.settings.seen.clone());
                let checkpoint = Self::from_safetensors(path, &bytes, settings, heads)?;
                checkpoint.with_record_beside(path, record)
            }
            Container::Archive => {
                let settings = read_settings_beside(path)?;
                let sha256 = hash_of(&mut file).map_err(io)?;
                let size = file.get_ref().metadata().map_err(io)?.len();
                let origin = Origin { path, sha256, settings, heads };
                Self::from_torch(file, size, &origin)
            }
            Container::Other(what) => Err(ModelError::NotACheckpoint { path: path.to_owned(), what: what.to_owned() }),
        }
    }

    /// Reads a checkpoint that is already in memory: a safetensors file or a file of `torch.save`, with the text of the JSON
    /// file beside it where there is one. `name` stands for the path in messages.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn from_bytes(
        name: &str,
        bytes: &[u8],
        settings: Option<&str>,
        heads: Option<usize>,
    ) -> Result<Self, ModelError> {
        let path = Path::new(name);
        let settings = settings.map(|text| Beside::parse(&PathBuf::from(format!("{name}.json")), text)).transpose()?;
        let mut checkpoint = match container(bytes) {
            Container::Safetensors => Self::from_safetensors(path, bytes, settings, heads),
            Container::Archive => {
                let origin = Origin { path, sha256: ContentHash::of(bytes), settings, heads };
                Self::from_torch(Cursor::new(bytes), bytes.len() as u64, &origin)
            }
            Container::Other(what) => Err(ModelError::NotACheckpoint { path: path.to_owned(), what: what.to_owned() }),
        }?;
        checkpoint.info.path = None;
        Ok(checkpoint)
    }

    /// The model that is compiled into the program; see `models/MODELS.md`.
    pub fn bundled() -> Self {
        const WEIGHTS: &[u8] = include_bytes!("../../../models/relatives_mae.safetensors");
        const SETTINGS: &str = include_str!("../../../models/relatives_mae.json");
        const SEEN: &[u8] = include_bytes!("../../../models/pretrain_and_train.seen");
        let mut checkpoint = Self::from_bytes("relatives_mae.safetensors", WEIGHTS, Some(SETTINGS), None)
            .expect("the bundled model is read by the tests");
        checkpoint.seen = Some(Arc::new(SeenBarcodes::from_bytes(SEEN).expect("the record is read by the tests")));
        checkpoint
    }

    /// A checkpoint with these weights that is otherwise as `like` says.
    pub(super) fn randomised(like: &ModelInfo, encoder: BTreeMap<String, StoredTensor>, seed: Seed) -> Self {
        let mut info = ModelInfo {
            name: format!("random weights, seed {} (shape of {})", seed.0, like.name),
            path: None,
            layout: CheckpointLayout::Own,
            decoder: None,
            head: false,
            weights: WeightKind::F32,
            ignored_tensors: Vec::new(),
            warnings: Vec::new(),
            training: BTreeMap::new(),
            ..like.clone()
        };
        info.id = model_id(&info, &encoder);
        info.sha256 = info.id;
        Self { info, encoder, decoder: BTreeMap::new(), head: BTreeMap::new(), seen: None }
    }

    /// What is known about the model.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The encoder's tensors, by their names in Transformers' BERT.
    pub(super) fn encoder(&self) -> &BTreeMap<String, StoredTensor> {
        &self.encoder
    }

    /// The tensors of a masked autoencoder's projection, decoder and output layer; empty where the file holds none.
    pub(super) fn decoder(&self) -> &BTreeMap<String, StoredTensor> {
        &self.decoder
    }

    /// The tensors of a language model's output layer; empty where the file holds none.
    pub(super) fn head(&self) -> &BTreeMap<String, StoredTensor> {
        &self.head
    }

    /// A weight by its name in a file of this program: its shape and values.
    pub fn weights_of(&self, name: &str) -> Option<(&[usize], &[f32])> {
        let tensor = match name.strip_prefix("encoder.") {
            Some(name) => self.encoder.get(name),
            None => self.decoder.get(name).or_else(|| self.head.get(name)),
        };
        tensor.map(|tensor| (tensor.shape.as_slice(), tensor.values.as_slice()))
    }

    /// The record of the barcodes that the model was trained on, where the file has one.
    pub fn seen(&self) -> Option<&Arc<SeenBarcodes>> {
        self.seen.as_ref()
    }

    fn from_safetensors(
        path: &Path,
        bytes: &[u8],
        settings: Option<Beside>,
        heads: Option<usize>,
    ) -> Result<Self, ModelError> {
        let mut source = SafetensorsFile::open(bytes).map_err(|problem| problem.at(path))?;
        let origin = Origin { path, sha256: ContentHash::of(bytes), settings, heads };
        let inside = source.note(SETTINGS_NOTE).map(|text| Beside::parse(path, text)).transpose()?;
        let settings = origin.checked_settings()?.or(inside.map_or_else(Settings::default, |beside| beside.settings));
        let seen = source.raw(SEEN_TENSOR).map(SeenBarcodes::from_bytes).transpose();
        let seen = seen.map_err(|error| Problem::Damaged(error.to_string()).at(path))?;
        let mut checkpoint = origin.assemble(&mut source, CheckpointLayout::Own, settings)?;
        checkpoint.seen = seen.map(Arc::new);
        Ok(checkpoint)
    }

    /// With the record of training barcodes that the settings name, a file beside the weights that several models may share.
    fn with_record_beside(mut self, weights: &Path, record: Option<String>) -> Result<Self, ModelError> {
        let Some(record) = record.filter(|_| self.seen.is_none()) else { return Ok(self) };
        if Path::new(&record).file_name() != Some(record.as_ref()) {
            let what = format!("the record of training barcodes must be a file beside the model, not '{record}'");
            return Err(ModelError::Settings { path: weights.to_owned(), what });
        }
        let path = weights.with_file_name(&record);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let seen = SeenBarcodes::from_bytes(&bytes);
                let seen = seen.map_err(|error| Problem::Damaged(error.to_string()).at(&path))?;
                self.seen = Some(Arc::new(seen));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let missing = format!("the record of its training barcodes, {record}, is not beside it");
                self.info.warnings.push(missing);
            }
            Err(source) => return Err(ModelError::Io { path, source }),
        }
        Ok(self)
    }

    fn from_torch<R: Read + Seek>(reader: R, length: u64, origin: &Origin<'_>) -> Result<Self, ModelError> {
        let at = |problem: Problem| problem.at(origin.path);
        let (mut source, contents) = TorchFile::open(reader, length).map_err(at)?;
        let (layout, inside) = legacy::settings_inside(contents).map_err(at)?;
        let settings = inside.or(origin.checked_settings()?);
        origin.assemble(&mut source, layout, settings)
    }

    fn from_assembled(assembled: Assembled) -> Self {
        let Assembled { info, encoder, decoder, head } = assembled;
        Self { info, encoder, decoder, head, seen: None }
    }
}

/// Whether a path is named as a checkpoint is, or is a Hugging Face folder.
pub(super) fn is_model(path: &Path) -> bool {
    const EXTENSIONS: [&str; 3] = ["safetensors", "pt", "pth"];
    let named = |extension: &std::ffi::OsStr| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known));
    if path.is_dir() { huggingface::is_folder(path) } else { path.is_file() && path.extension().is_some_and(named) }
}

/// Where a checkpoint comes from, for messages and settings.
struct Origin<'a> {
    path: &'a Path,
    sha256: ContentHash,
    settings: Option<Beside>,
    heads: Option<usize>,
}

impl Origin<'_> {
    /// The settings beside the weights, if they were written for these weights.
    fn checked_settings(&self) -> Result<Settings, ModelError> {
        let Some(Beside { path, settings }) = &self.settings else { return Ok(Settings::default()) };
        let found = self.sha256.to_string();
        match &settings.sha256 {
            Some(expected) if !expected.eq_ignore_ascii_case(&found) => Err(ModelError::OtherWeights {
                weights: self.path.to_owned(),
                settings: path.clone(),
                expected: expected.clone(),
                found,
            }),
            _ => Ok(settings.clone()),
        }
    }

    fn assemble(
        &self,
        source: &mut dyn source::TensorSource,
        layout: CheckpointLayout,
        settings: Settings,
    ) -> Result<Checkpoint, ModelError> {
        let stem = self.path.file_stem().unwrap_or(self.path.as_os_str());
        let parts = Parts {
            source,
            layout,
            settings,
            heads: self.heads,
            sha256: self.sha256,
            path: Some(self.path.to_owned()),
            default_name: stem.to_string_lossy().into_owned(),
        };
        assemble(parts).map(Checkpoint::from_assembled).map_err(|problem| problem.at(self.path))
    }
}

/// A settings file beside a checkpoint.
struct Beside {
    path: PathBuf,
    settings: Settings,
}

impl Beside {
    fn parse(path: &Path, text: &str) -> Result<Self, ModelError> {
        let settings = Settings::from_own_json(text);
        let settings = settings.map_err(|what| ModelError::Settings { path: path.to_owned(), what })?;
        Ok(Self { path: path.to_owned(), settings })
    }
}

fn read_settings_beside(weights: &Path) -> Result<Option<Beside>, ModelError> {
    match settings::beside(weights).into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(Some(Beside::parse(&path, &read_text(&path)?)?)),
        None => Ok(None),
    }
}

/// A text file of bounded length.
fn read_text(path: &Path) -> Result<String, ModelError> {
    let io = |source| ModelError::Io { path: path.to_owned(), source };
    let mut text = String::new();
    let file = File::open(path).map_err(io)?;
    let read = file.take(MAX_SETTINGS_BYTES + 1).read_to_string(&mut text).map_err(io)?;
    if read as u64 > MAX_SETTINGS_BYTES {
        return Err(ModelError::Settings { path: path.to_owned(), what: "far too long for settings".to_owned() });
    }
    Ok(text)
}

/// What a file is, by its first bytes.
enum Container {
    Archive,
    Safetensors,
    Other(&'static str),
}

fn container(start: &[u8]) -> Container {
    /// The number that PyTorch wrote first before version 1.6, as a pickle of protocol 2.
    const BEFORE_1_6: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19";
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        Container::Archive
    } else if start.get(8) == Some(&b'{') {
        Container::Safetensors
    } else if start.starts_with(BEFORE_1_6) {
        Container::Other(
            "it was written by PyTorch before version 1.6; open it with a newer PyTorch and save it again with torch.save",
        )
    } else if start.starts_with(b"version https://git-lfs") {
        Container::Other("it is only the pointer of Git LFS; fetch the file itself (git lfs pull)")
    } else if start.starts_with(b"<") {
        Container::Other("it is a web page; the download needs the file's direct address")
    } else if start.is_empty() {
        Container::Other("it is empty")
    } else if start.starts_with(b"\x80") {
        Container::Other("it is a bare pickle, not a file of torch.save")
    } else {
        Container::Other("it is neither a file of torch.save nor safetensors")
    }
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}

/// Hash of a whole file, from its start.
fn hash_of(file: &mut (impl Read + Seek)) -> std::io::Result<ContentHash> {
    file.rewind()?;
    let mut hasher = Sha256::new();
    std::io::copy(file, &mut hasher)?;
    file.rewind()?;
    Ok(ContentHash(hasher.finalize().into()))
}

/// What is wrong with a file, before its path is known.
#[derive(Debug)]
enum Problem {
    Io(std::io::Error),
    NotACheckpoint(String),
    Damaged(String),
    Unsupported(String),
    Settings(String),
    Missing(Vec<String>),
    Misshapen(Vec<Misshapen>),
}

impl Problem {
    fn at(self, path: &Path) -> ModelError {
        let path = path.to_owned();
        match self {
            Self::Io(source) => ModelError::Io { path, source },
            Self::NotACheckpoint(what) => ModelError::NotACheckpoint { path, what },
            Self::Damaged(what) => ModelError::Damaged { path, what },
            Self::Unsupported(what) => ModelError::Unsupported { path, what },
            Self::Settings(what) => ModelError::Settings { path, what },
            Self::Missing(names) => ModelError::MissingTensors { path, names },
            Self::Misshapen(tensors) => ModelError::MisshapenTensors { path, tensors },
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::NotACheckpoint(what) | Self::Damaged(what) | Self::Unsupported(what) | Self::Settings(what) => {
                f.write_str(what)
            }
            Self::Missing(names) => write!(f, "missing: {}", names.join(", ")),
            Self::Misshapen(tensors) => tensors.iter().try_for_each(|tensor| write!(f, "{tensor} ")),
        }
    }
}
