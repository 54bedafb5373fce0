//! The layouts that other programs pickled: BarcodeMAE's checkpoints, and BarcodeBERT's bare state dict.

use super::Problem;
use super::settings::Settings;
use super::torch::Contents;
use crate::model::config::CheckpointLayout;
use serde_json::Value as Json;

/// Which layout a file of `torch.save` has, and what the settings inside say.
///
/// Architectures by the names of BarcodeMAE's training script: `maelm` is the masked autoencoder, whose published file holds
/// the encoder only; `transformer` is the encoder-only baseline.
pub(super) fn settings_inside(contents: Contents) -> Result<(CheckpointLayout, Settings), Problem> {
    let Contents { bare, config, bert_config, counters } = contents;
    if bare {
        return Ok((CheckpointLayout::LegacyBarcodeBert, Settings::default()));
    }
    let architecture = config.as_ref().and_then(|run| run.get("arch")).and_then(Json::as_str);
    let layout = match architecture {
        Some("maelm") => CheckpointLayout::BarcodeMae,
        Some("transformer") => CheckpointLayout::BarcodeMlm,
        Some(other) => return Err(Problem::Unsupported(format!("an architecture called {other}"))),
        None => CheckpointLayout::LegacyBarcodeBert,
    };
    let run = config.as_ref().map(Settings::from_run).transpose().map_err(Problem::Unsupported)?.unwrap_or_default();
    let bert = bert_config.as_ref().map(Settings::from_bert_config).transpose();
    let bert = bert.map_err(Problem::Unsupported)?.unwrap_or_default();
    let mut settings = bert.or(run);
    settings.training = counters.into_iter().chain(config.into_iter().flatten()).collect();
    Ok((layout, settings))
}
