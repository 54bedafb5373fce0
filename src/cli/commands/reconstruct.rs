//! `reconstruct`

use super::super::args::{Common, ReconstructArguments};
use super::super::watch::Watch;
use super::masking::{PNG_WIDTH, check_picture};
use super::{CommandError, facts};
use crate::data::dataset::Dataset;
use crate::pipeline::export::{write_figure, write_positions, write_reconstructions};
use crate::pipeline::reconstruct::{ReconstructSettings, Reconstructions, position_figure, reconstruct, sample_rows};
use crate::pipeline::subset::rows_of_split;

pub(super) fn run(arguments: &ReconstructArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    if let Some(figure) = &arguments.figure {
        check_picture(figure)?;
    }
    let model = common.open_model(watch)?;
    let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
    let rows = chosen_rows(&dataset, arguments, common)?;
    let settings = ReconstructSettings {
        ratio: arguments.ratio,
        top: arguments.top,
        register: common.embed_settings().register,
        seed: common.seed(),
    };
    let found = reconstruct(&dataset, &rows, &model, &settings, watch)?;
    write_reconstructions(&arguments.output, &dataset, &found)?;
    if let Some(path) = &arguments.by_position {
        write_positions(path, &found)?;
    }
    if let Some(path) = &arguments.figure {
        write_figure(path, &position_figure(&found, &model.info().name), PNG_WIDTH)?;
    }
    tell(arguments, &found, common, watch)
}

/// The specimens that were named, or a sample by the seed, in file order.
fn chosen_rows(
    dataset: &Dataset,
    arguments: &ReconstructArguments,
    common: &Common,
) -> Result<Vec<usize>, CommandError> {
    if !arguments.ids.is_empty() {
        let row = |id: &String| {
            let unknown = || CommandError::Other(format!("no specimen of '{}' has the id '{id}'", dataset.name()));
            dataset.row_of(id).ok_or_else(unknown)
        };
        return arguments.ids.iter().map(row).collect();
    }
    let among = match &arguments.split {
        Some(split) => rows_of_split(dataset, split)?,
        None => (0..dataset.len()).collect(),
    };
    Ok(sample_rows(&among, arguments.specimens, common.seed()))
}

fn tell(
    arguments: &ReconstructArguments,
    found: &Reconstructions,
    common: &Common,
    watch: &Watch,
) -> Result<(), CommandError> {
    let (masked, right) = found.score();
    watch.remark(&format!(
        "{right} of {masked} masked {}-mers of {} barcodes guessed right ({:.1} %); {} too short were left out",
        found.k,
        found.barcodes.len(),
        100.0 * right as f64 / masked.max(1) as f64,
        found.left_out.len(),
    ));
    facts(
        common,
        watch,
        &serde_json::json!({
            "output": arguments.output,
            "barcodes": found.barcodes.len(),
            "left_out": found.left_out.len(),
            "masked": masked,
            "right": right,
            "accuracy": (masked > 0).then(|| right as f64 / masked as f64),
            "provenance": found.provenance,
        }),
    )
}
