//! A folder as Hugging Face's Transformers writes it.

use super::settings::Settings;
use super::{Beside, Checkpoint, Origin, Problem, read_text};
use crate::key::ContentHash;
use crate::model::config::CheckpointLayout;
use crate::model::error::ModelError;
use serde_json::{Map, Value as Json};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const PICKLED_WEIGHTS: &str = "pytorch_model.bin";

/// Whether a safetensors file belongs to such a folder: named as there, `config.json` beside it, and no settings of its own.
pub(super) fn is_in_folder(weights: &Path) -> bool {
    weights.file_name().is_some_and(|name| name == WEIGHTS)
        && weights.with_file_name(CONFIG).is_file()
        && super::settings::beside(weights).iter().all(|path| !path.is_file())
}

/// Whether a folder looks like one.
pub(super) fn is_folder(folder: &Path) -> bool {
    folder.join(CONFIG).is_file() && [WEIGHTS, PICKLED_WEIGHTS].iter().any(|name| folder.join(name).is_file())
}

/// Reads the folder.
pub(super) fn open_folder(folder: &Path, heads: Option<usize>) -> Result<Checkpoint, ModelError> {
    let at = |problem: Problem| problem.at(folder);
    if !folder.join(CONFIG).is_file() {
        return Err(at(Problem::NotACheckpoint(format!("a folder without {CONFIG}"))));
    }
    refuse_bpe(folder).map_err(at)?;
    let config_path = folder.join(CONFIG);
    let config: Map<String, Json> = serde_json::from_str(&read_text(&config_path)?)
        .map_err(|error| Problem::Settings(error.to_string()).at(&config_path))?;
    let settings = Settings::from_bert_config(&config).map_err(|what| Problem::Unsupported(what).at(&config_path))?;
    let mut checkpoint = if folder.join(WEIGHTS).is_file() {
        open_safetensors(&folder.join(WEIGHTS), settings, heads)
    } else if folder.join(PICKLED_WEIGHTS).is_file() {
        open_pickled(&folder.join(PICKLED_WEIGHTS), settings, heads)
    } else {
        let what = format!("a folder without {WEIGHTS} or {PICKLED_WEIGHTS} (weights in several parts are not read)");
        Err(at(Problem::NotACheckpoint(what)))
    }?;
    let name = folder.file_name().map_or_else(|| "model".into(), |name| name.to_string_lossy());
    checkpoint.info.name = name.into_owned();
    checkpoint.info.path = Some(folder.to_owned());
    checkpoint.info.training =
        config.into_iter().filter(|(_, value)| !matches!(value, Json::Object(_) | Json::Array(_))).collect();
    Ok(checkpoint)
}

fn open_safetensors(path: &Path, settings: Settings, heads: Option<usize>) -> Result<Checkpoint, ModelError> {
    let bytes = std::fs::read(path).map_err(|source| ModelError::Io { path: path.to_owned(), source })?;
    let mut source = super::safetensors::SafetensorsFile::open(&bytes).map_err(|problem| problem.at(path))?;
    let origin = Origin { path, sha256: ContentHash::of(&bytes), settings: None, heads };
    origin.assemble(&mut source, CheckpointLayout::HuggingFace, settings)
}

fn open_pickled(path: &Path, settings: Settings, heads: Option<usize>) -> Result<Checkpoint, ModelError> {
    let io = |source| ModelError::Io { path: path.to_owned(), source };
    let mut file = BufReader::new(File::open(path).map_err(io)?);
    let sha256 = super::hash_of(&mut file).map_err(io)?;
    let size = file.get_ref().metadata().map_err(io)?.len();
    let (mut source, _) = super::torch::TorchFile::open(file, size).map_err(|problem| problem.at(path))?;
    let origin = Origin { path, sha256, settings: None::<Beside>, heads };
    origin.assemble(&mut source, CheckpointLayout::HuggingFace, settings)
}

/// Tokenisers that learned their words, by the files that they leave.
fn refuse_bpe(folder: &Path) -> Result<(), Problem> {
    let refusal = || Problem::Unsupported("its tokeniser is a BPE tokeniser; only k-mers are read".to_owned());
    if folder.join("merges.txt").is_file() {
        return Err(refusal());
    }
    let Ok(text) = read_text(&folder.join("tokenizer.json")) else { return Ok(()) };
    let kind = serde_json::from_str::<Json>(&text).ok();
    let kind = kind.as_ref().and_then(|tokenizer| tokenizer.pointer("/model/type")).and_then(Json::as_str);
    match kind {
        Some("BPE" | "Unigram" | "WordPiece") => Err(refusal()),
        _ => Ok(()),
    }
}
