//! Progress, remarks and Ctrl-C on a terminal.

use crate::progress::{Cancelled, Observer, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Exit code after Ctrl-C.
pub(super) const CANCELLED: u8 = 130;

/// Watches a run from the command line.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    quiet: bool,
    bar: Option<ProgressBar>,
    shown: Mutex<Shown>,
}

/// What was last told.
struct Shown {
    stage: &'static str,
    began: Instant,
    told: Instant,
    /// When a line that may be left out was last told.
    remarked: Option<Instant>,
}

/// Between two plain lines of one stage.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Between two looks of the bar.
const BAR_EVERY: Duration = Duration::from_millis(80);

impl Watch {
    /// A bar on a terminal, plain lines elsewhere, nothing when `quiet`. Ctrl-C asks the work to stop; once more ends the program.
    pub(super) fn new(quiet: bool) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let handler = Arc::clone(&stop);
        let set = ctrlc::set_handler(move || {
            if handler.swap(true, Ordering::SeqCst) {
                std::process::exit(i32::from(CANCELLED));
            }
        });
        if let Err(error) = set {
            tracing::debug!("Ctrl-C ends the program at once: {error}");
        }
        let bar = (!quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(spinner());
            bar
        });
        let now = Instant::now();
        Self { stop, quiet, bar, shown: Mutex::new(Shown { stage: "", began: now, told: now, remarked: None }) }
    }

    /// Says something that is no result, on standard error.
    pub(super) fn remark(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// Says something that may be left out where there is much of it: at most once in ten seconds.
    pub(super) fn now_and_then(&self, text: &dyn Fn() -> String) {
        let mut shown = self.shown();
        if !self.quiet && shown.remarked.is_none_or(|last| last.elapsed() >= PLAIN_EVERY) {
            shown.remarked = Some(Instant::now());
            drop(shown);
            self.line(&text());
        }
    }

    /// Takes the bar away before results are printed.
    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| to_stderr(text)),
            None => to_stderr(text),
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, at: Progress) {
        let mut shown = self.shown();
        let fresh = shown.stage != at.stage;
        if fresh {
            shown.stage = at.stage;
            shown.began = Instant::now();
        }
        let every = if self.bar.is_some() { BAR_EVERY } else { PLAIN_EVERY };
        if !fresh && shown.told.elapsed() < every {
            return;
        }
        shown.told = Instant::now();
        match (&self.bar, at.total) {
            (Some(bar), total) => {
                if fresh {
                    bar.reset();
                    bar.set_style(if total.is_some() { counted() } else { spinner() });
                    bar.set_message(at.stage);
                }
                bar.set_length(total.unwrap_or(0));
                bar.set_position(at.done);
                bar.tick();
            }
            (None, Some(total)) if !fresh => {
                self.line(&format!("{}: {} of {total} {}", at.stage, at.done, at.unit));
            }
            (None, None) if !fresh => self.line(&format!("{}: {} {}", at.stage, at.done, at.unit)),
            (None, _) => self.line(at.stage),
        }
    }
}

fn counted() -> ProgressStyle {
    ProgressStyle::with_template("{msg} {wide_bar} {human_pos} of {human_len}, {eta} left")
        .expect("the template is constant and well formed")
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {msg} {human_pos}").expect("the template is constant and well formed")
}

impl Observer for Watch {
    fn progress(&self, at: Progress) -> Result<(), Cancelled> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Cancelled);
        }
        if !self.quiet {
            self.show(at);
        }
        Ok(())
    }

    fn warn(&self, message: &str) {
        self.line(&format!("warning: {message}"));
    }
}

/// A line on standard error. Whoever reads it may have gone away, which must not end the work.
pub(super) fn to_stderr(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}
