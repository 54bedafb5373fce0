//! Progress and cancellation of a whole run.

use super::MaskingSettings;
use super::reading::Reader;
use super::sample::Sample;
use crate::progress::{Cancelled, Observer, Progress};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Tells how far the whole run is, whatever step is under way.
pub(super) struct Work<'a> {
    observer: &'a dyn Observer,
    done: AtomicUsize,
    total: usize,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        readers: &[Reader<'_>],
        sample: &Sample,
        settings: &MaskingSettings,
        observer: &'a dyn Observer,
    ) -> Self {
        let masked_ratios = settings.ratios.iter().filter(|&&ratio| ratio > 0.0).count();
        let modes = |reader: &Reader<'_>| settings.modes.iter().filter(|&&mode| reader.reads(mode)).count();
        let readings: usize = readers.iter().map(|reader| 1 + modes(reader) * masked_ratios * settings.seeds).sum();
        let barcodes = sample.references.unique_len() + sample.queries.unique_len();
        Self { observer, done: AtomicUsize::new(0), total: readings * barcodes }
    }

    pub(super) fn add(&self, barcodes: usize) -> Result<(), Cancelled> {
        self.done.fetch_add(barcodes, Ordering::Relaxed);
        self.tell()
    }

    fn tell(&self) -> Result<(), Cancelled> {
        let done = self.done.load(Ordering::Relaxed);
        self.observer.progress(Progress::new("reading masked barcodes", done, self.total, "barcodes"))
    }
}

impl Observer for Work<'_> {
    /// Steps within a measurement are too short to be told of, but may be stopped.
    fn progress(&self, _at: Progress) -> Result<(), Cancelled> {
        self.tell()
    }

    /// The same remark would come at many ratios; what is missing is missing in the table.
    fn warn(&self, _message: &str) {}
}
