//! A screen against usual contaminants: sequences that a user names, such as those of people, of Wolbachia and of bacteria.

use crate::analysis::alignment::Aligner;
use crate::analysis::kmer::{KmerShortlist, ShortlistSearch};
use crate::data::dataset::Dataset;
use crate::data::frame::reverse_complement;
use crate::data::import::{ImportOptions, load};
use crate::pipeline::PipelineError;
use crate::progress::{Cancelled, Observer};
use std::path::Path;

/// Contaminants that share most 8-mers with a barcode, which are aligned with it.
const ALIGNED: usize = 4;

/// Sequences of contaminants, ready to be searched.
#[derive(Debug)]
pub struct Contaminants {
    sequences: Dataset,
    index: KmerShortlist,
}

/// A contaminant that a barcode is like.
#[derive(Debug, Clone, PartialEq)]
pub struct Contaminant {
    /// Its name in the file of contaminants.
    pub name: String,
    /// Identity with it, 0 to 1.
    pub identity: f32,
}

impl Contaminants {
    /// Reads contaminants from a FASTA file or a table, whatever their marker.
    ///
    /// # Errors
    /// As any file that is read.
    pub fn read(path: &Path, observer: &dyn Observer) -> Result<Self, PipelineError> {
        let options =
            ImportOptions { markers: vec!["all".to_owned()], max_length: usize::MAX, ..ImportOptions::default() };
        let (sequences, _) = load(&[path.to_owned()], &options, observer)?;
        Ok(Self::new(sequences, observer)?)
    }

    /// Contaminants that were read.
    ///
    /// # Errors
    /// [`Cancelled`].
    pub fn new(sequences: Dataset, observer: &dyn Observer) -> Result<Self, Cancelled> {
        let all: Vec<&[u8]> = (0..sequences.len()).map(|row| sequences.sequence(row)).collect();
        let index = KmerShortlist::new(&all, observer)?;
        Ok(Self { sequences, index })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    pub(super) fn search(&self) -> Screen<'_> {
        Screen { contaminants: self, search: self.index.search(), aligner: Aligner::new() }
    }
}

/// One thread's search among contaminants.
pub(super) struct Screen<'a> {
    contaminants: &'a Contaminants,
    search: ShortlistSearch<'a>,
    aligner: Aligner,
}

impl Screen<'_> {
    /// The contaminant that a barcode is most like, on either strand.
    pub(super) fn most_alike(&mut self, barcode: &[u8]) -> Option<Contaminant> {
        let turned = reverse_complement(barcode);
        let found = [barcode, &turned].into_iter().flat_map(|barcode| {
            let near = self.search.most_shared(barcode, ALIGNED, |_| false);
            let rows: Vec<(usize, f32)> = near
                .into_iter()
                .map(|row| {
                    (row as usize, self.aligner.identity(barcode, self.contaminants.sequences.sequence(row as usize)))
                })
                .collect();
            rows
        });
        let (row, identity) = found.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))?;
        Some(Contaminant { name: self.contaminants.sequences.id(row).to_owned(), identity })
    }
}
