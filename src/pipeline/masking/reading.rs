//! Masked barcodes to vectors, by a model or by counting.

use super::sample::Sample;
use super::work::Work;
use super::{KMER, MaskingSettings};
use crate::analysis::kmer::KmerCounts;
use crate::analysis::knn::VectorSource;
use crate::data::masking::{MaskMode, MaskOrder};
use crate::data::reading::{Layers, TransformKind};
use crate::data::tokens::TokensInPlace;
use crate::model::{MaskedTokens, Model, Objective};
use crate::pipeline::PipelineError;
use crate::pipeline::embed::{batch_size, default_transform};
use crate::seed::Seed;
use ndarray::{Array2, s};

/// Streams of the mask draws of references and queries.
const STREAMS: [&str; 2] = ["masking/masks of references", "masking/masks of queries"];
/// Barcodes that are counted between two reports.
const COUNTED_BATCH: usize = 512;

/// Something that turns masked barcodes into vectors.
pub(super) struct Reader<'a> {
    pub(super) name: String,
    pub(super) objective: Option<Objective>,
    /// What is done to the vectors before they are compared.
    pub(super) transform: TransformKind,
    /// Whose tokens are masked.
    model: &'a Model,
    /// Tokens of every different barcode, references and queries.
    barcodes: [Vec<TokensInPlace<'a>>; 2],
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Encoder(Layers),
    Counts,
}

/// Vectors of references `[R,D]` and queries `[Q,D]`, by unique barcode, untransformed.
pub(super) struct Vectors(pub(super) [Array2<f32>; 2]);

/// Which tokens of every barcode are masked, references and queries.
pub(super) struct Masks([Vec<Vec<bool>>; 2]);

impl Masks {
    /// Nothing is masked.
    pub(super) fn none(reader: &Reader<'_>) -> Self {
        Self([0, 1].map(|side| {
            let barcodes = reader.barcodes[side].iter();
            barcodes.map(|barcode| vec![false; barcode.tokens.ids.len()]).collect()
        }))
    }

    /// Every barcode by its own draw; models that cut it alike get the same.
    pub(super) fn draw(reader: &Reader<'_>, ratio: f64, seed: Seed) -> Self {
        Self([0, 1].map(|side| {
            let barcodes = reader.barcodes[side].iter().enumerate();
            let mask = |(unique, barcode): (usize, &TokensInPlace<'_>)| {
                let mut rng = seed.stream_at(STREAMS[side], unique as u64);
                MaskOrder::draw(&barcode.tokens, reader.model.tokenizer(), &mut rng).mask(ratio)
            };
            barcodes.map(mask).collect()
        }))
    }
}

impl<'a> Reader<'a> {
    /// An encoder.
    pub(super) fn of_model(
        name: String,
        objective: Option<Objective>,
        model: &'a Model,
        sample: &'a Sample,
        settings: &MaskingSettings,
    ) -> Self {
        let read = model.info().read;
        let layers = settings.embed.layers.unwrap_or(read.layers);
        let barcodes = sample.tokens(model, settings.embed.register.unwrap_or(read.register));
        let transform = settings
            .transform
            .unwrap_or_else(|| default_transform(read.transform, barcodes[0].len(), model.width(layers)));
        Self { name, objective, transform, model, barcodes, kind: Kind::Encoder(layers) }
    }

    /// 6-mer counts of the bases under a model's tokens.
    pub(super) fn of_kmers(model: &'a Model, sample: &'a Sample, settings: &MaskingSettings) -> Self {
        let barcodes = sample.tokens(model, settings.embed.register.unwrap_or(model.info().read.register));
        let transform = TransformKind::None;
        Self { name: KMER.to_owned(), objective: None, transform, model, barcodes, kind: Kind::Counts }
    }

    /// Its name and what is done to its vectors.
    pub(super) fn describe_transform(&self) -> String {
        format!("{}: {}", self.name, self.transform)
    }

    /// Whether it can read in this mode: to counts, a masked token is a missing one.
    pub(super) fn reads(&self, mode: MaskMode) -> bool {
        self.kind != Kind::Counts || mode == MaskMode::Drop
    }

    /// Reads all barcodes under their masks.
    pub(super) fn read(&self, masks: &Masks, mode: MaskMode, work: &Work<'_>) -> Result<Vectors, PipelineError> {
        let side = |side: usize| match self.kind {
            Kind::Encoder(layers) => self.encode(side, &masks.0[side], mode, layers, work),
            Kind::Counts => self.count(side, &masks.0[side], work),
        };
        Ok(Vectors([side(0)?, side(1)?]))
    }

    fn encode(
        &self,
        side: usize,
        masks: &[Vec<bool>],
        mode: MaskMode,
        layers: Layers,
        work: &Work<'_>,
    ) -> Result<Array2<f32>, PipelineError> {
        let barcodes: Vec<MaskedTokens<'_>> = self.barcodes[side]
            .iter()
            .zip(masks)
            .map(|(barcode, masked)| MaskedTokens { tokens: &barcode.tokens, masked })
            .collect();
        let longest = barcodes.iter().map(|barcode| barcode.masked.len()).max().unwrap_or(1);
        let mut vectors = Array2::zeros((barcodes.len(), self.model.width(layers)));
        let mut done = 0;
        for batch in barcodes.chunks(batch_size(self.model, longest)) {
            vectors.slice_mut(s![done..done + batch.len(), ..]).assign(&self.model.embed_masked(batch, mode, layers)?);
            done += batch.len();
            work.add(batch.len())?;
        }
        Ok(vectors)
    }

    fn count(&self, side: usize, masks: &[Vec<bool>], work: &Work<'_>) -> Result<Array2<f32>, PipelineError> {
        let k = self.model.tokenizer().k();
        let covered: Vec<Vec<u8>> =
            self.barcodes[side].iter().zip(masks).map(|(barcode, masked)| seen_bases(barcode, masked, k)).collect();
        let counts = KmerCounts::new(covered.iter().map(Vec::as_slice));
        let mut vectors = Array2::zeros((counts.len(), counts.dim()));
        for start in (0..counts.len()).step_by(COUNTED_BATCH) {
            let rows = start..counts.len().min(start + COUNTED_BATCH);
            let mut part = vectors.slice_mut(s![rows.clone(), ..]);
            counts.fill(rows.clone(), part.as_slice_mut().expect("whole rows of a fresh array are contiguous"));
            work.add(rows.len())?;
        }
        Ok(vectors)
    }
}

/// The bases that a barcode's tokens cover, N where a token is masked.
fn seen_bases(barcode: &TokensInPlace<'_>, masked: &[bool], k: usize) -> Vec<u8> {
    let covered = &barcode.bases[barcode.first_base..][..masked.len() * k];
    let tokens = covered.chunks_exact(k).zip(masked);
    tokens.flat_map(|(kmer, &masked)| kmer.iter().map(move |&base| if masked { b'N' } else { base })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tokens::Tokens;

    #[test]
    fn masked_tokens_lose_their_bases_and_nothing_beyond_the_tokens_is_seen() {
        let barcode = TokensInPlace {
            tokens: Tokens { ids: vec![5, 6, 7], first_position: 0 },
            bases: b"GACGTTTAACCG".as_slice().into(),
            first_base: 1,
        };
        assert_eq!(seen_bases(&barcode, &[false, true, false], 3), b"ACGNNNAAC");
    }
}
