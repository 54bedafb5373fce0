//! `model info` and `model convert`

use super::super::args::{Common, ModelCommand};
use super::super::watch::Watch;
use super::{CommandError, facts, print};
use crate::data::reading::ReadSettings;
use crate::model::{Checkpoint, ModelInfo, Repack};
use crate::progress::Observer;
use std::fmt::Write;

pub(super) fn model(command: &ModelCommand, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    match command {
        ModelCommand::Info { file } => {
            let checkpoint = match file.as_ref().or(common.model.as_ref()) {
                Some(file) => Checkpoint::open(&common.find_model(file)?, common.heads)?,
                None => Checkpoint::bundled(),
            };
            let info = checkpoint.info();
            if common.json { facts(common, watch, info) } else { print(watch, &in_words(info)) }
        }
        ModelCommand::Convert { file, output, half, encoder_only, name, record } => {
            if output.extension().is_none_or(|extension| !extension.eq_ignore_ascii_case("safetensors")) {
                return Err(CommandError::Usage(format!("'{}' does not end in .safetensors", output.display())));
            }
            let checkpoint = Checkpoint::open(&common.find_model(file)?, common.heads)?;
            for warning in &checkpoint.info().warnings {
                watch.warn(warning);
            }
            let read = common.embed_settings();
            let before = checkpoint.info().read;
            let read = ReadSettings {
                register: read.register.unwrap_or(before.register),
                layers: read.layers.unwrap_or(before.layers),
                transform: common.transform.unwrap_or(before.transform),
            };
            let wanted = Repack { name: name.clone(), half: *half, encoder_only: *encoder_only, read: Some(read) };
            let checkpoint = checkpoint.repacked(&wanted);
            let settings = checkpoint.write_with_record(output, record.as_deref())?;
            watch.remark(&format!("{} written, its settings in {}", output.display(), settings.display()));
            facts(common, watch, checkpoint.info())
        }
    }
}

fn parts_in_words(info: &ModelInfo) -> &'static str {
    match (info.decoder, info.head) {
        (Some(_), _) => "with its decoder",
        (None, true) => "encoder with its output layer",
        (None, false) => "encoder only",
    }
}

fn in_words(info: &ModelInfo) -> String {
    let mut text = format!(
        "{}\n  layout: {}\n  {} weights; {}\n  k = {}, special tokens {}\n",
        info.name,
        info.layout,
        info.parameters,
        info.encoder,
        info.k,
        info.special_tokens.join(" "),
    );
    let read = &info.read;
    let register = if read.register { "on" } else { "off" };
    let _ = writeln!(text, "  reads with register {register}, layers {}, transform {}", read.layers, read.transform);
    let _ = writeln!(text, "  file SHA-256 {}", info.sha256);
    let _ = writeln!(text, "  objective: {}; {}", info.objective, parts_in_words(info));
    if !info.ignored_tensors.is_empty() {
        let _ = writeln!(text, "  known and not needed: {}", info.ignored_tensors.join(", "));
    }
    info.warnings.iter().for_each(|warning| {
        let _ = writeln!(text, "  warning: {warning}");
    });
    text
}
