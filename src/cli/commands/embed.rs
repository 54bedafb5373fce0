//! `embed`

use super::super::args::{Common, EmbedArguments};
use super::super::prepare::embed_with;
use super::super::watch::Watch;
use super::{CommandError, facts};
use crate::data::reading::TransformKind;
use crate::pipeline::Provenance;
use crate::pipeline::embed::{apply_transform, fit_transform};
use crate::pipeline::export::{EmbeddingFormat, write_embeddings};
use crate::pipeline::shards::{Share, embed_share};
use ndarray::CowArray;

pub(super) fn embed(arguments: &EmbedArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    if let Some(share) = arguments.shard {
        return one_share(arguments, share, common, watch);
    }
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
    let mut vectors = embedded.vectors.whole();
    if fits {
        let (fitted_on, _) = arguments.reading.load(&arguments.fit_on, watch)?;
        let reference = embed_with(common, &model, &fitted_on, watch)?;
        let transform = fit_transform(&reference, common.transform, watch)?;
        vectors = CowArray::from(apply_transform(&transform, &embedded.vectors, watch)?);
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

fn one_share(arguments: &EmbedArguments, share: Share, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let model = common.open_model(watch)?;
    let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
    let (settings, folder) = (common.embed_settings(), &arguments.output);
    let done = embed_share(&dataset, &model, &settings, share, folder, common.seed(), watch)?;
    let (barcodes, computed) = (done.barcodes, done.computed);
    watch.remark(&if done.was_done {
        format!("share {share} was there already: {barcodes} barcodes, checked by hash")
    } else {
        format!("share {share}: {computed} of its {barcodes} barcodes embedded now; {}", done.manifest.display())
    });
    facts(
        common,
        watch,
        &serde_json::json!({
            "output": done.manifest,
            "share": share,
            "barcodes": barcodes,
            "computed": computed,
            "was_done": done.was_done,
        }),
    )
}
