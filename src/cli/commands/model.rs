//! `model info` and `model convert`

use super::super::args::{Common, ModelCommand};
use super::super::watch::Watch;
use super::{CommandError, facts, print};
use crate::model::ModelInfo;
use std::fmt::Write;

pub(super) fn model(command: &ModelCommand, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    match command {
        ModelCommand::Info { file } => {
            let model = match file {
                Some(file) => common.open_named(file)?,
                None => common.open_model(watch)?,
            };
            if common.json { facts(common, watch, model.info()) } else { print(watch, &in_words(model.info())) }
        }
        ModelCommand::Convert { file, output } => {
            if !output.extension().is_some_and(|extension| extension == "safetensors") {
                return Err(CommandError::Usage(format!("'{}' does not end in .safetensors", output.display())));
            }
            let model = common.open_named(file)?;
            model.write(output)?;
            watch.remark(&format!("{} written, with its settings beside it", output.display()));
            facts(common, watch, model.info())
        }
    }
}

fn in_words(info: &ModelInfo) -> String {
    let shape = &info.encoder;
    let mut text = format!(
        "{}\n  layout: {}\n  {} weights; {} layers, width {}, inner {}, {} heads, {} positions\n  k = {}, special tokens {}\n",
        info.name,
        info.layout,
        info.parameters,
        shape.layers,
        shape.width,
        shape.inner,
        shape.heads,
        shape.positions,
        info.k,
        info.special_tokens.join(" "),
    );
    let read = &info.read;
    let register = if read.register { "on" } else { "off" };
    let _ = writeln!(text, "  reads with register {register}, layers {}, transform {}", read.layers, read.transform);
    let _ = writeln!(text, "  file SHA-256 {}", info.sha256);
    let decoder = if info.decoder.is_some() { "with its decoder" } else { "encoder only" };
    let _ = writeln!(text, "  {decoder}");
    if !info.ignored_tensors.is_empty() {
        let _ = writeln!(text, "  known and not needed: {}", info.ignored_tensors.join(", "));
    }
    info.warnings.iter().for_each(|warning| {
        let _ = writeln!(text, "  warning: {warning}");
    });
    text
}
