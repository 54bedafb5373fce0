//! Work of other people's crates, which cannot be interrupted from inside.

use crate::progress::{Cancelled, Observer, Progress};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// How often the observer is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(50);

/// Runs `work` on a thread of its own, so that a cancellation is felt at once: then the thread runs to its end unheard, and its
/// result is dropped. Only for work of bounded length.
///
/// `None`: the work panicked.
pub(crate) fn run_apart<T: Send + 'static>(
    at: Progress,
    observer: &dyn Observer,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<Option<T>, Cancelled> {
    observer.progress(at)?;
    let (sender, receiver) = channel();
    let worker = thread::spawn(move || {
        // Nobody listens any more after a cancellation; that is no error.
        let _ = sender.send(work());
    });
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(result) => return Ok(Some(result)),
            Err(RecvTimeoutError::Timeout) => observer.progress(at)?,
            Err(RecvTimeoutError::Disconnected) => {
                let _ = worker.join();
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    const AT: Progress = Progress { stage: "test", done: 0, total: None, unit: "steps" };

    #[test]
    fn results_come_back_and_panics_do_not_spread() {
        assert_eq!(run_apart(AT, &Silent, || 6 * 7), Ok(Some(42)));
        assert_eq!(run_apart::<u8>(AT, &Silent, || panic!("expected by this test")), Ok(None));
    }

    #[test]
    fn cancellation_does_not_wait_for_the_work() {
        struct Impatient(AtomicUsize);
        impl Observer for Impatient {
            fn progress(&self, _at: Progress) -> Result<(), Cancelled> {
                if self.0.fetch_add(1, Ordering::Relaxed) > 0 { Err(Cancelled) } else { Ok(()) }
            }
        }
        let (release, held) = channel::<()>();
        let start = Instant::now();
        let outcome = run_apart(AT, &Impatient(AtomicUsize::new(0)), move || held.recv().is_ok());
        assert_eq!(outcome, Err(Cancelled));
        drop(release);
        assert!(start.elapsed() < Duration::from_secs(30), "the work would have waited for ever");
    }
}
