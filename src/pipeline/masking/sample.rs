//! Which specimens are read.

use super::MaskingSettings;
use crate::data::dataset::Dataset;
use crate::data::frame::{FrameCheck, check_frames};
use crate::data::masking::masked_number;
use crate::data::taxonomy::Field;
use crate::data::tokens::TokensInPlace;
use crate::model::Model;
use crate::pipeline::PipelineError;
use crate::pipeline::subset::subset;
use crate::progress::Observer;
use rand::seq::index::sample;
use std::ops::Not;

/// The split that references are from.
const REFERENCE_SPLIT: &str = "train";

/// Specimens with a genus, drawn by seed, as two datasets.
pub(super) struct Sample {
    pub(super) references: Dataset,
    pub(super) queries: Dataset,
    /// Where the barcodes of both lie in the frame, by unique barcode.
    frames: [Vec<FrameCheck>; 2],
    /// Rows of the queries by task.
    pub(super) tasks: Vec<(&'static str, Vec<usize>)>,
    /// Where they are from, in words.
    pub(super) source: String,
    /// Drawn specimens whose barcodes are too short.
    pub(super) left_out: usize,
}

/// References and queries of a dataset before barcodes are looked at.
struct Drawn {
    references: Vec<usize>,
    queries: Vec<usize>,
    source: String,
    split: bool,
}

impl Sample {
    pub(super) fn draw(
        dataset: &Dataset,
        models: &[Model],
        settings: &MaskingSettings,
        observer: &dyn Observer,
    ) -> Result<Self, PipelineError> {
        let Drawn { references, queries, source, split } = draw_rows(dataset, settings)?;
        let asked = references.len() + queries.len();
        let (references, frames_of_references) = fit(dataset, "references", &references, models, settings, observer)?;
        let (queries, frames_of_queries) = fit(dataset, "queries", &queries, models, settings, observer)?;
        let left_out = asked - references.len() - queries.len();
        let tasks = if split {
            let of = |name: &str| queries.rows_in_split(name);
            vec![("closed_world", of(settings.on.seen())), ("open_world", of(settings.on.unseen()))]
        } else {
            vec![("held_out", (0..queries.len()).collect())]
        };
        let tasks = tasks.into_iter().filter(|(_, rows): &(_, Vec<usize>)| rows.is_empty().not()).collect();
        Ok(Self { references, queries, frames: [frames_of_references, frames_of_queries], tasks, source, left_out })
    }

    /// The tokens of every different barcode, references and queries.
    pub(super) fn tokens(&self, model: &Model, register: bool) -> [Vec<TokensInPlace<'_>>; 2] {
        let [of_references, of_queries] = &self.frames;
        [tokens(&self.references, of_references, model, register), tokens(&self.queries, of_queries, model, register)]
    }
}

fn draw_rows(dataset: &Dataset, settings: &MaskingSettings) -> Result<Drawn, PipelineError> {
    let genera = dataset.labels(Field::Genus);
    let named =
        |rows: Vec<usize>| -> Vec<usize> { rows.into_iter().filter(|&row| genera.code(row).is_some()).collect() };
    let (train, seen, unseen) = (
        named(dataset.rows_in_split(REFERENCE_SPLIT)),
        named(dataset.rows_in_split(settings.on.seen())),
        named(dataset.rows_in_split(settings.on.unseen())),
    );
    if !train.is_empty() && seen.len() + unseen.len() > 0 {
        // half from either split, more from one where the other has fewer
        let half = settings.queries.div_ceil(2);
        let of_seen = seen.len().min(half.max(settings.queries.saturating_sub(unseen.len())));
        let mut queries = some(&seen, of_seen, settings, "masking/closed-world");
        queries.extend(some(&unseen, settings.queries - of_seen, settings, "masking/open-world"));
        queries.sort_unstable();
        let references = some(&train, settings.references, settings, "masking/references");
        let source = format!("the splits {REFERENCE_SPLIT}, {} and {}", settings.on.seen(), settings.on.unseen());
        return Ok(Drawn { references, queries, source, split: true });
    }
    let all = named((0..dataset.len()).collect());
    if all.is_empty() {
        return Err(PipelineError::NoLabels { dataset: dataset.name().to_owned(), field: Field::Genus });
    }
    if all.len() < 2 {
        return Err(PipelineError::TooFew { what: "masking", needed: 2, found: all.len() });
    }
    let queries = some(&all, settings.queries.min(all.len().div_ceil(5)), settings, "masking/queries");
    let rest: Vec<usize> = all.into_iter().filter(|row| queries.binary_search(row).is_err()).collect();
    let references = some(&rest, settings.references, settings, "masking/references");
    let source = format!("'{}', which has no splits: at most every fifth specimen is a query", dataset.name());
    Ok(Drawn { references, queries, source, split: false })
}

/// At most `most` of some rows, in their order.
fn some(rows: &[usize], most: usize, settings: &MaskingSettings, stream: &str) -> Vec<usize> {
    let drawn = sample(&mut settings.seed.stream(stream), rows.len(), most.min(rows.len()));
    let mut chosen: Vec<usize> = drawn.into_iter().map(|at| rows[at]).collect();
    chosen.sort_unstable();
    chosen
}

/// The drawn rows as a dataset, without those whose barcodes some model can't read masked at every ratio.
fn fit(
    dataset: &Dataset,
    what: &'static str,
    rows: &[usize],
    models: &[Model],
    settings: &MaskingSettings,
    observer: &dyn Observer,
) -> Result<(Dataset, Vec<FrameCheck>), PipelineError> {
    let drawn = subset(dataset, what, rows);
    let frames = check_frames(&drawn, observer)?;
    let mut fits = vec![true; drawn.unique_len()];
    for model in models {
        let register = settings.embed.register.unwrap_or(model.info().read.register);
        let of_model = tokens(&drawn, &frames, model, register);
        for (fits, place) in fits.iter_mut().zip(&of_model) {
            *fits &= can_be_masked(model, place, settings);
        }
    }
    if fits.iter().all(|&fits| fits) {
        return Ok((drawn, frames));
    }
    let kept: Vec<usize> = (0..drawn.len()).filter(|&row| fits[drawn.unique_of(row)]).collect();
    if kept.is_empty() {
        return Err(PipelineError::TooFew { what: "masking at these ratios", needed: 1, found: 0 });
    }
    let frames = (0..drawn.unique_len()).filter(|&unique| fits[unique]).map(|unique| frames[unique]).collect();
    Ok((subset(&drawn, what, &kept), frames))
}

/// Whether at every ratio above 0 a token is masked, and one is left.
fn can_be_masked(model: &Model, place: &TokensInPlace<'_>, settings: &MaskingSettings) -> bool {
    let ids = &place.tokens.ids;
    let maskable = ids.iter().filter(|&&id| !model.tokenizer().is_special(id)).count();
    let masked = settings.ratios.iter().filter(|&&ratio| ratio > 0.0).map(|&ratio| masked_number(ratio, maskable));
    !ids.is_empty() && masked.into_iter().all(|masked| masked > 0 && masked < ids.len())
}

fn tokens<'a>(dataset: &'a Dataset, frames: &[FrameCheck], model: &Model, register: bool) -> Vec<TokensInPlace<'a>> {
    let registration = |unique: usize| frames[unique].registration.as_ref().filter(|found| register && found.is_coi());
    let read = |unique: usize| model.tokenizer().read_in_place(dataset.unique_sequence(unique), registration(unique));
    (0..dataset.unique_len()).map(read).collect()
}
