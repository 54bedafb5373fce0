//! `gap`

use super::super::args::{Common, GapArguments};
use super::super::prepare::embed_with;
use super::super::watch::Watch;
use super::{CommandError, facts};
use crate::data::frame::check_frames;
use crate::pipeline::Provenance;
use crate::pipeline::embed::fit_transform;
use crate::pipeline::gap::{gap, write_gap};
use crate::pipeline::review::Curated;

pub(super) fn run(arguments: &GapArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let (dataset, _) = arguments.reading.load(&arguments.files, watch)?;
    let frames = check_frames(&dataset, watch)?;
    let mut provenance = Provenance::new(common.seed(), &[&dataset]);
    let vectors = if arguments.bases_only {
        None
    } else {
        let embedded = embed_with(common, &common.open_model(watch)?, &dataset, watch)?;
        provenance = embedded.describe(provenance);
        let transform = fit_transform(&embedded, common.transform, watch)?;
        Some(embedded.vectors.transformed(&transform, watch)?)
    };
    let curated = Curated::new(&dataset, &[]);
    let found = gap(&curated, &frames, vectors.as_ref(), arguments.distance, provenance, watch)?;
    write_gap(&arguments.output, &found, &dataset)?;
    found.told().iter().for_each(|line| watch.remark(line));
    let [with, known] = found.with_gap();
    let told = serde_json::json!({
        "output": arguments.output,
        "species": found.species.len(),
        "species_with_gap": with,
        "species_with_several_barcodes": known,
        "best_thresholds": found.best,
        "outside_of_the_frame": found.outside,
        "provenance": found.provenance,
    });
    facts(common, watch, &told)
}
