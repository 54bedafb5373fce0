//! Reading under masking: how much of a barcode may be hidden before names, groups and embeddings give way.
//!
//! A model that was trained with `[MASK]` in its input meets barcodes without one when it is used, one that was trained without
//! never meets it: the distribution shift of arXiv 2502.18405. Here references and queries are masked alike, each barcode by its
//! own draw, at several ratios and in the three modes of the published code, and measured as [`super::evaluate`] measures:
//!
//! | task | metric | what |
//! |---|---|---|
//! | `closed_world`, `open_world`; `held_out` without splits | `accuracy` | genus by the nearest reference (cosine), interval by bootstrap over species |
//! | `bin_reconstruction` | `ami` | groups of the queries that have a BIN by the published recipe (UMAP to 50 dimensions, 15 neighbours, Ward), which needs no threshold and is *told the true number of BINs* |
//! | `bin_reconstruction` | `ami_threshold` | the same by average linkage at the distance that the data suggest, told nothing; left out where they suggest none |
//! | `drift` | `cosine_distance` | mean distance of a query's embedding from its unmasked self |
//!
//! The transform is fitted on the masked references for names and groups, as on any references. For the drift it is fitted once, on
//! the unmasked references, and applied to both selves: whitened strangers are at a distance of about 1 for every model, so that the
//! drifts of models can be compared, which untransformed cosines, with their large common part, cannot.
//!
//! Beside the models stand an untrained encoder of the same shape, the floor (`random`), and 6-mer counts, the bar (`kmer`): of the
//! bases that the first model's tokens cover, without those of masked tokens, and so under the mode `drop` only.

mod floor;
mod measure;
mod picture;
mod reading;
mod sample;
mod summary;
#[cfg(test)]
pub(in crate::pipeline) mod tests;
mod work;

pub(in crate::pipeline) use floor::names;
pub use picture::{DRAWN, masking_figure};
pub use summary::{MaskingPoint, summary};

use super::embed::{EmbedSettings, which_are_known};
use super::evaluate::EvaluateOn;
use super::{PipelineError, Provenance};
use crate::data::dataset::Dataset;
use crate::data::masking::MaskMode;
use crate::data::reading::TransformKind;
use crate::model::{Model, Objective};
use crate::progress::Observer;
use crate::seed::Seed;
use floor::floors;
use measure::Measure;
use reading::{Masks, Reader};
use sample::Sample;
use serde::Serialize;
use std::time::Instant;
use work::Work;

/// Largest share that may be masked: something has to be left to read.
pub const MAX_RATIO: f64 = 0.9;
/// Name of the untrained encoder among the models.
pub const RANDOM: &str = "random";
/// Name of the 6-mer counts among the models.
pub const KMER: &str = "kmer";

/// What is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskingSettings {
    /// Shares of a barcode's maskable tokens that are masked, 0 to [`MAX_RATIO`].
    pub ratios: Vec<f64>,
    /// Ways of reading.
    pub modes: Vec<MaskMode>,
    /// Most queries.
    pub queries: usize,
    /// Most references.
    pub references: usize,
    /// Number of mask draws: the run's seed and those that follow it.
    pub seeds: usize,
    /// Which splits the queries are from, where there are splits.
    pub on: EvaluateOn,
    /// How barcodes are read.
    pub embed: EmbedSettings,
    /// Transform of the embeddings; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// Seed of the sample, of the untrained encoder, and of the first mask draw.
    pub seed: Seed,
}

impl Default for MaskingSettings {
    fn default() -> Self {
        Self {
            ratios: vec![0.0, 0.25, 0.5, 0.75],
            modes: vec![MaskMode::Drop, MaskMode::Combined],
            queries: 1_000,
            references: 4_000,
            seeds: 5,
            on: EvaluateOn::Test,
            embed: EmbedSettings::default(),
            transform: None,
            seed: Seed::default(),
        }
    }
}

impl MaskingSettings {
    /// These settings with ratios and modes in order and each once.
    ///
    /// # Errors
    /// [`PipelineError::Setting`] says what makes no sense.
    pub fn checked(&self) -> Result<Self, PipelineError> {
        let refuse = |what: String| Err(PipelineError::Setting(what));
        if let Some(ratio) = self.ratios.iter().find(|ratio| !(0.0..=MAX_RATIO).contains(*ratio)) {
            return refuse(format!("a masking ratio of {ratio} is outside of 0 to {MAX_RATIO}"));
        }
        let mut settings = self.clone();
        settings.ratios.sort_by(f64::total_cmp);
        settings.ratios.dedup();
        settings.modes.sort_unstable();
        settings.modes.dedup();
        if settings.modes == [MaskMode::Mask] {
            settings.ratios.retain(|&ratio| ratio > 0.0);
        }
        if settings.ratios.is_empty() || settings.modes.is_empty() {
            return refuse(
                "masking needs at least one mode, and one ratio (above 0 for the mode 'mask' alone)".to_owned(),
            );
        }
        if settings.queries == 0 || settings.references == 0 || settings.seeds == 0 {
            return refuse("masking needs at least one query, one reference and one seed".to_owned());
        }
        Ok(settings)
    }

    /// Seeds of the mask draws.
    fn draws(&self) -> Vec<Seed> {
        (0..self.seeds as u64).map(|draw| Seed(self.seed.0.wrapping_add(draw))).collect()
    }
}

/// One measured number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MaskingRow {
    /// Name of the model, [`RANDOM`] or [`KMER`].
    pub model: String,
    /// What the model was trained to do; `None` for what was not trained.
    pub objective: Option<Objective>,
    /// The way of reading.
    pub mode: MaskMode,
    /// Share of the maskable tokens that were masked.
    pub ratio: f64,
    /// Seed of the mask draw.
    pub seed: u64,
    /// The task; see the module's documentation.
    pub task: &'static str,
    /// What was measured.
    pub metric: &'static str,
    /// The value: a share, 0 to 1, or a cosine distance, 0 to 2.
    pub value: f64,
    /// 95 % interval by bootstrap over species.
    pub ci95: Option<[f64; 2]>,
    /// Number of queries.
    pub n: usize,
}

/// Everything that was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MaskingReport {
    /// By model, mode, ratio, seed and task.
    pub rows: Vec<MaskingRow>,
    /// Number of queries.
    pub queries: usize,
    /// Number of references.
    pub references: usize,
    /// Wall time.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
    /// What a reader of the numbers must know.
    pub notes: Vec<String>,
}

/// Measures models, an untrained encoder and 6-mer counts on masked barcodes.
///
/// # Errors
/// [`PipelineError::Setting`] for settings that make no sense and without a model, [`PipelineError::NoLabels`] where no genus is
/// known, [`PipelineError::TooFew`] where too few barcodes can be masked at every ratio, whatever the steps say, and a stop.
pub fn masking(
    dataset: &Dataset,
    models: &[Model],
    settings: &MaskingSettings,
    observer: &dyn Observer,
) -> Result<MaskingReport, PipelineError> {
    let start = Instant::now();
    let settings = settings.checked()?;
    let Some(first) = models.first() else {
        return Err(PipelineError::Setting("masking needs at least one model".to_owned()));
    };
    let floors = floors(models, settings.seed)?;
    let sample = Sample::draw(dataset, models, &settings, observer)?;
    let mut readers = Vec::new();
    for (model, name) in models.iter().zip(names(models)) {
        readers.push(Reader::of_model(name, Some(model.info().objective), model, &sample, &settings));
    }
    for floor in &floors {
        let name = if floors.len() == 1 { RANDOM.to_owned() } else { format!("{RANDOM} like {}", floor.like) };
        readers.push(Reader::of_model(name, None, &floor.model, &sample, &settings));
    }
    readers.push(Reader::of_kmers(first, &sample, &settings));
    let work = Work::new(&readers, &sample, &settings, observer);
    let mut rows = Vec::new();
    for reader in &readers {
        measure_reader(reader, &sample, &settings, &work, &mut rows)?;
    }
    rows.sort_by(|a, b| (a.mode, a.ratio).partial_cmp(&(b.mode, b.ratio)).unwrap_or(std::cmp::Ordering::Equal));
    let place = |row: &MaskingRow| readers.iter().position(|reader| reader.name == row.model);
    rows.sort_by_key(place);
    Ok(MaskingReport {
        rows,
        queries: sample.queries.len(),
        references: sample.references.len(),
        seconds: start.elapsed().as_secs_f64(),
        provenance: provenance(dataset, models, &readers, &sample, &settings),
        notes: notes(models, &sample, &settings),
    })
}

/// All numbers of one reader.
fn measure_reader(
    reader: &Reader<'_>,
    sample: &Sample,
    settings: &MaskingSettings,
    work: &Work<'_>,
    rows: &mut Vec<MaskingRow>,
) -> Result<(), PipelineError> {
    let unmasked = reader.read(&Masks::none(reader), MaskMode::Drop, work)?;
    let measure = Measure::new(reader, sample, &unmasked, work)?;
    let modes: Vec<MaskMode> = settings.modes.iter().copied().filter(|&mode| reader.reads(mode)).collect();
    for (ratio, draw) in settings.ratios.iter().flat_map(|&ratio| settings.draws().into_iter().map(move |s| (ratio, s)))
    {
        let mut add = |mode: MaskMode, found: &[measure::Measured]| {
            rows.extend(found.iter().map(|measured| MaskingRow {
                model: reader.name.clone(),
                objective: reader.objective,
                mode,
                ratio,
                seed: draw.0,
                task: measured.task,
                metric: measured.metric,
                value: measured.value,
                ci95: measured.ci95,
                n: measured.n,
            }));
        };
        if ratio == 0.0 {
            // Nothing is masked: 'drop' and 'combined' are the same, 'mask' has nothing to take the mean of.
            let found = measure.all(&unmasked, draw, work)?;
            modes.iter().filter(|&&mode| mode != MaskMode::Mask).for_each(|&mode| add(mode, &found));
            continue;
        }
        let masks = Masks::draw(reader, ratio, draw);
        for &mode in &modes {
            add(mode, &measure.all(&reader.read(&masks, mode, work)?, draw, work)?);
        }
    }
    Ok(())
}

fn provenance(
    dataset: &Dataset,
    models: &[Model],
    readers: &[Reader<'_>],
    sample: &Sample,
    settings: &MaskingSettings,
) -> Provenance {
    let joined = |values: Vec<String>| values.join(" ");
    let mut provenance = Provenance::new(settings.seed, &[dataset]);
    if let [model] = models {
        provenance = provenance.with_model(&model.info().name, model.info().id);
    }
    let hashes = models.iter().map(|model| format!("{} ({})", model.info().name, model.info().sha256)).collect();
    provenance
        .with("models", joined(hashes))
        .with("transforms", joined(readers.iter().map(Reader::describe_transform).collect()))
        .with("masking ratios", joined(settings.ratios.iter().map(f64::to_string).collect()))
        .with("masking modes", joined(settings.modes.iter().map(MaskMode::to_string).collect()))
        .with("mask seeds", joined(settings.draws().iter().map(|seed| seed.0.to_string()).collect()))
        .with("sampled from", &sample.source)
        .with("queries", sample.queries.len())
        .with("references", sample.references.len())
}

fn notes(models: &[Model], sample: &Sample, settings: &MaskingSettings) -> Vec<String> {
    let mut notes = vec![
        format!(
            "{} queries and {} references, sampled from {} and masked alike, each barcode by its own draw; of its k-mers exactly \
             round(ratio x number) are masked, [UNK] never.",
            sample.queries.len(),
            sample.references.len(),
            sample.source,
        ),
        "Intervals: 95 %, by bootstrap over species (1 000 resamples); 1.96 standard deviations for AMI.".to_owned(),
        "ami: UMAP to 50 dimensions, 15 neighbours, Ward, told the true number of BINs. ami_threshold: average linkage at the \
         distance that the data suggest, told nothing; it is missing where they suggest none."
            .to_owned(),
        "drift: mean cosine distance of a query from its unmasked self, under the transform fitted on the unmasked references; the \
         other tasks fit it on the masked references. Drifts of models compare only where it whitens."
            .to_owned(),
        "random: an untrained encoder of the same shape, read alike. kmer: 6-mer counts of the bases that the first model's tokens \
         cover, without those of masked tokens."
            .to_owned(),
    ];
    for (model, name) in models.iter().zip(names(models)) {
        let Some(seen) = model.seen() else { continue };
        let known = which_are_known(&sample.queries, seen);
        let rows = (0..sample.queries.len()).filter(|&row| known[sample.queries.unique_of(row)]).count();
        notes.push(format!(
            "{name}: trained on exactly the barcodes of {rows} of the {} queries.",
            sample.queries.len()
        ));
    }
    if settings.modes.contains(&MaskMode::Mask) && settings.ratios.first() == Some(&0.0) {
        notes.push("mask: at ratio 0 there is no masked position to take the mean of, so it has no row.".to_owned());
    }
    if sample.left_out > 0 {
        notes.push(format!(
            "{} sampled specimens were left out: their barcodes are too short for a token to be masked, and one to be left, at \
             every ratio.",
            sample.left_out
        ));
    }
    notes
}
