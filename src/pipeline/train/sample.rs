//! What a model in training knows by now, on specimens that stay the same: their map, and how many find a specimen of their own
//! genus nearest.
//!
//! The specimens are read as the model will be read when it is used. Nothing of it reaches the training: the weights are copied,
//! and the only draw, that of the specimens, has a stream of its own.

use super::TrainObserver;
use crate::analysis::pca::pca;
use crate::analysis::procrustes::align;
use crate::data::dataset::Dataset;
use crate::data::frame::{FrameCheck, check_frames};
use crate::data::taxonomy::Field;
use crate::model::{Checkpoint, DeviceChoice, Model, Precision};
use crate::pipeline::classify::{ClassifySettings, leave_one_out};
use crate::pipeline::embed::{EmbedSettings, Embedded, apply_transform, embed, fit_transform};
use crate::pipeline::error::stop_or;
use crate::pipeline::subset::subset;
use crate::pipeline::{PipelineError, Side};
use crate::progress::Observer;
use crate::seed::Seed;
use crate::train::Trainer;
use rand::seq::SliceRandom;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// Most specimens of a sample.
pub const SAMPLE: usize = 600;
/// Share of the run's time that looking at the sample may take.
const SHARE: f64 = 0.1;
/// Seconds of training between two looks, at least: nobody sees more.
const BETWEEN: f64 = 2.0;

/// How a run is watched.
#[derive(Debug, Clone, Default)]
pub struct SampleRequest {
    /// How the model will be read; what is not chosen is as the model's own settings say.
    pub reading: EmbedSettings,
    /// Places of the specimens when the run was looked at last, `[S]`; `None` for one that begins.
    pub before: Option<Arc<Vec<[f32; 2]>>>,
}

/// A share of specimens whose nearest other one is of their genus.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GenusAccuracy {
    /// The share, 0 to 1.
    pub accuracy: f64,
    /// Its 95 % interval by bootstrap over species.
    pub ci95: [f64; 2],
    /// Specimens that were asked about: those that have a genus, and another specimen of it in the sample.
    pub n: usize,
}

/// The sample as a model sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleReading {
    /// Steps that the model had taken.
    pub step: u64,
    /// Whether it is the model with random weights, for comparison.
    pub untrained: bool,
    /// The specimens, as rows of the open dataset, `[S]`.
    pub rows: Arc<Vec<u32>>,
    /// Where they lie on the first two principal components of their embeddings, turned onto the reading before, `[S]`.
    pub places: Arc<Vec<[f32; 2]>>,
    /// `None` where no genus has two specimens in the sample.
    pub genus: Option<GenusAccuracy>,
}

/// Specimens of different barcodes, drawn by seed.
#[derive(Debug)]
struct Sample {
    data: Dataset,
    frames: Option<Vec<FrameCheck>>,
    /// Rows of the whole dataset.
    rows: Arc<Vec<u32>>,
    /// Rows of `data` that have a genus, and another one of it.
    asked: Vec<usize>,
}

impl Sample {
    /// At most `most` specimens with barcodes of `least_bases` or more; those with a genus come first. Of specimens with the same
    /// barcode one is taken.
    fn draw(
        dataset: &Dataset,
        most: usize,
        least_bases: usize,
        register: bool,
        seed: Seed,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let genera = dataset.labels(Field::Genus);
        let mut of_unique: Vec<usize> = (0..dataset.unique_len()).map(|unique| dataset.first_row_of(unique)).collect();
        for row in (0..dataset.len()).filter(|&row| genera.code(row).is_some()) {
            let taken = &mut of_unique[dataset.unique_of(row)];
            if genera.code(*taken).is_none() {
                *taken = row;
            }
        }
        of_unique.retain(|&row| dataset.sequence(row).len() >= least_bases);
        of_unique.shuffle(&mut seed.stream("train/sample"));
        of_unique.sort_by_key(|&row| genera.code(row).is_none());
        of_unique.truncate(most);
        of_unique.sort_unstable();
        let data = subset(dataset, "sample", &of_unique);
        let frames = if register { Some(check_frames(&data, observer)?) } else { None };
        let asked = with_another_of_its_genus(&data);
        Ok(Self { data, frames, rows: Arc::new(of_unique.into_iter().map(|row| row as u32).collect()), asked })
    }
}

fn with_another_of_its_genus(data: &Dataset) -> Vec<usize> {
    let genera = data.labels(Field::Genus);
    let mut counts: HashMap<u32, usize> = HashMap::new();
    (0..data.len()).filter_map(|row| genera.code(row)).for_each(|genus| *counts.entry(genus).or_default() += 1);
    (0..data.len()).filter(|&row| genera.code(row).is_some_and(|genus| counts[&genus] > 1)).collect()
}

/// Looks at a run now and then.
#[derive(Debug)]
pub(super) struct Watched {
    sample: Sample,
    reading: EmbedSettings,
    seed: Seed,
    places: Option<Arc<Vec<[f32; 2]>>>,
    /// Seconds that looking took so far.
    spent: f64,
    /// Seconds of training when the watching began, and when the run was last looked at.
    seconds: [f64; 2],
    /// The step that was looked at last; `None` where that was the untrained model.
    step: Option<u64>,
}

impl Watched {
    /// Draws the sample, and looks at the untrained model where the run begins, and at that with whose weights it begins.
    pub(super) fn begin(
        request: &SampleRequest,
        dataset: &Dataset,
        trainer: &Trainer,
        observer: &dyn TrainObserver,
    ) -> Result<Self, PipelineError> {
        let settings = trainer.settings();
        let register = request.reading.register.unwrap_or(settings.read().register);
        let sample = Sample::draw(dataset, SAMPLE, settings.tokenizer().k(), register, settings.seed(), observer)?;
        let places = request.before.clone().filter(|places| places.len() == sample.rows.len());
        let is_new = places.is_none();
        let mut watched = Self {
            sample,
            reading: request.reading,
            seed: settings.seed(),
            places,
            spent: 0.0,
            seconds: [trainer.seconds(); 2],
            step: None,
        };
        if is_new {
            watched.look_at(&trainer.untrained_reader(), None, observer)?;
            if !settings.settings().begin_with.is_empty() {
                watched.look_at(&trainer.reader()?, Some(trainer.steps()), observer)?;
            }
        }
        Ok(watched)
    }

    /// Looks at the run where it is time to: after long enough, so that looking takes a small part of the time, and at the end.
    pub(super) fn look(&mut self, trainer: &Trainer, observer: &dyn TrainObserver) -> Result<(), PipelineError> {
        let [began, last] = self.seconds;
        let affordable = trainer.seconds() - began >= self.spent * (1.0 / SHARE - 1.0);
        let is_due = affordable && trainer.seconds() - last >= BETWEEN;
        if self.step == Some(trainer.steps()) || !(is_due || trainer.is_done()) {
            return Ok(());
        }
        self.seconds[1] = trainer.seconds();
        self.look_at(&trainer.reader()?, Some(trainer.steps()), observer)
    }

    /// Looks at a model after `step`; at none it is the untrained one.
    fn look_at(
        &mut self,
        model: &Checkpoint,
        step: Option<u64>,
        observer: &dyn TrainObserver,
    ) -> Result<(), PipelineError> {
        let start = Instant::now();
        let reading = self.read(model, step, observer)?;
        self.places = Some(Arc::clone(&reading.places));
        self.step = step;
        self.spent += start.elapsed().as_secs_f64();
        observer.looked(&reading);
        Ok(())
    }

    fn read(
        &self,
        model: &Checkpoint,
        step: Option<u64>,
        observer: &dyn Observer,
    ) -> Result<SampleReading, PipelineError> {
        let Sample { data, frames, rows, asked } = &self.sample;
        let model = Model::from_checkpoint(model, DeviceChoice::Cpu, Precision::F32)?;
        let embedded = embed(data, frames.as_deref(), &model, &self.reading, None, observer)?;
        Ok(SampleReading {
            step: step.unwrap_or_default(),
            untrained: step.is_none(),
            rows: Arc::clone(rows),
            places: Arc::new(places(&embedded, data, self.places.as_deref().map(Vec::as_slice), observer)?),
            genus: genus_accuracy(data, asked, &embedded, self.seed, observer)?,
        })
    }
}

fn genus_accuracy(
    data: &Dataset,
    asked: &[usize],
    embedded: &Embedded,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<Option<GenusAccuracy>, PipelineError> {
    if asked.is_empty() {
        return Ok(None);
    }
    let settings = ClassifySettings { rank: Field::Genus, neighbours: 1, seed, ..ClassifySettings::default() };
    let named = leave_one_out(Side::of_rows(data, asked, Some(embedded)), &settings, observer)?;
    let found = named.scores.as_ref().zip(named.interval);
    Ok(found.map(|(scores, ci95)| GenusAccuracy { accuracy: scores.accuracy, ci95, n: scores.n }))
}

/// Places by specimen: two principal components, turned or mirrored so that they lie as near as can be to those before, and of one
/// size on all maps.
fn places(
    embedded: &Embedded,
    data: &Dataset,
    before: Option<&[[f32; 2]]>,
    observer: &dyn Observer,
) -> Result<Vec<[f32; 2]>, PipelineError> {
    let vectors = apply_transform(&fit_transform(embedded, None, observer)?, &embedded.vectors, observer)?;
    let found = pca(vectors.view(), 2, observer).map_err(|error| stop_or(error, "mapping the sample"))?.padded(2);
    let of_unique = |row: usize| {
        let at = found.row(data.unique_of(row));
        [at[0], at[1]]
    };
    let mut places: Vec<[f32; 2]> = (0..data.len()).map(of_unique).collect();
    if let Some(before) = before {
        let turned = align(&places, before);
        places.iter_mut().for_each(|place| *place = turned.apply(*place));
    }
    scale_to_one_size(&mut places);
    Ok(places)
}

/// Moves the middle of some places to the origin and scales their root mean square distance from it to 1. Places that are all the
/// same come to lie there.
fn scale_to_one_size(places: &mut [[f32; 2]]) {
    let count = places.len() as f64;
    let sum = |of: &dyn Fn(&[f32; 2]) -> f64| places.iter().map(of).sum::<f64>() / count;
    let middle = [sum(&|place| f64::from(place[0])), sum(&|place| f64::from(place[1]))];
    let square = sum(&|place| (0..2).map(|axis| (f64::from(place[axis]) - middle[axis]).powi(2)).sum());
    let factor = if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 };
    for place in places {
        *place = [0, 1].map(|axis| ((f64::from(place[axis]) - middle[axis]) * factor) as f32);
    }
}

#[cfg(test)]
mod tests;
