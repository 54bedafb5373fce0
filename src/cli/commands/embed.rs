//! `embed`

use super::super::args::{Common, EmbedArguments};
use super::super::prepare::embed_with;
use super::super::watch::Watch;
use super::{CommandError, facts};
use crate::data::reading::TransformKind;
use crate::pipeline::Provenance;
use crate::pipeline::embed::{apply_transform, fit_transform};
use crate::pipeline::export::{EmbeddingFormat, write_embeddings};
use std::borrow::Cow;

pub(super) fn embed(arguments: &EmbedArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let output = &arguments.output;
    if EmbeddingFormat::of(output).is_none() {
        return Err(CommandError::Usage(format!(
            "'{}': embeddings are written as .csv, .tsv, .npy or .safetensors",
            output.display()
        )));
    }
    let fits = !arguments.fit_on.is_empty();
    if !fits && common.transform.is_some_and(|kind| kind != TransformKind::None) {
        return Err(CommandError::Usage(
            "--transform needs --fit-on FILE here: vectors of what should it fit?".to_owned(),
        ));
    }
    let model = common.open_model(watch)?;
    let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
    let embedded = embed_with(common, &model, &dataset, watch)?;
    let mut provenance = embedded.describe(Provenance::new(common.seed(), &[&dataset]));
    let mut vectors = Cow::Borrowed(&embedded.vectors);
    if fits {
        let (fitted_on, _) = arguments.reading.load(&arguments.fit_on, watch)?;
        let reference = embed_with(common, &model, &fitted_on, watch)?;
        let transform = fit_transform(&reference, common.transform, watch)?;
        vectors = Cow::Owned(apply_transform(&transform, &embedded.vectors, watch)?);
        provenance = provenance.with("transform", transform.describe()).with("fitted on", fitted_on.name());
    } else {
        provenance = provenance.with("transform", TransformKind::None);
    }
    write_embeddings(output, &dataset, vectors.view(), &provenance, watch)?;
    facts(
        common,
        watch,
        &serde_json::json!({
            "output": output,
            "specimens": dataset.len(),
            "unique_barcodes": dataset.unique_len(),
            "dimensions": vectors.ncols(),
            "computed": embedded.computed,
            "cached": embedded.cached,
            "seconds": embedded.seconds,
            "provenance": provenance,
        }),
    )
}
