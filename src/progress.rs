//! Progress, warnings and cancellation of long work: one call does all three.
//!
//! A long function takes `&dyn Observer`, reports through [`Observer::progress`] a few times a second or more often, and passes
//! the error on with `?`. That is the whole cancellation protocol: whoever watches answers [`Cancelled`], and the work unwinds.

use std::sync::Arc;

/// The watcher asked the work to stop. Nothing was written, nothing is half done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;

/// How far a piece of work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, in a biologist's words: "reading the barcodes", "embedding".
    pub stage: &'static str,
    /// Units done so far.
    pub done: u64,
    /// Units in all; `None` where nobody can know yet (a compressed file).
    pub total: Option<u64>,
    /// What is counted: "barcodes", "epochs", "bytes".
    pub unit: &'static str,
}

impl Progress {
    /// `done` of `total` units of a stage.
    pub fn new(stage: &'static str, done: usize, total: usize, unit: &'static str) -> Self {
        Self { stage, done: done as u64, total: Some(total as u64), unit }
    }

    /// Share done, 0 to 1, where the total is known.
    pub fn share(&self) -> Option<f32> {
        self.total.map(|total| if total == 0 { 1.0 } else { self.done as f32 / total as f32 })
    }
}

/// Watches long work. The window, the command line and the tests each have one.
pub trait Observer: Sync {
    /// Tells how far the work is; answers whether it may go on.
    ///
    /// # Errors
    /// [`Cancelled`] when the work should stop; pass it on with `?`.
    fn progress(&self, at: Progress) -> Result<(), Cancelled>;

    /// Something that the user should know and that does not stop the work.
    fn warn(&self, _message: &str) {}

    /// A projection in the making, `[N]` points in the order of the projected rows, to be shown while the work goes on.
    fn picture(&self, _points: &Arc<Vec<[f32; 2]>>) {}
}

/// Watches nothing and never cancels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn progress(&self, _at: Progress) -> Result<(), Cancelled> {
        Ok(())
    }
}

/// Stops whatever is in a stage whose name holds these words.
#[cfg(test)]
pub(crate) struct StopAt(pub(crate) &'static str);

#[cfg(test)]
impl Observer for StopAt {
    fn progress(&self, at: Progress) -> Result<(), Cancelled> {
        if at.stage.contains(self.0) { Err(Cancelled) } else { Ok(()) }
    }
}
