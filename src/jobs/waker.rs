//! Wakes the window, at most thirty times a second.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// The shortest time between two wakes: about 30 Hz.
pub(super) const INTERVAL: Duration = Duration::from_millis(33);

/// Asks for a wake; many requests within [`INTERVAL`] become one, and the last one is never lost.
#[derive(Clone)]
pub(super) struct Waker(Arc<Notify>);

impl Waker {
    /// Starts the task that calls `wake`, on the runtime of `handle`.
    pub(super) fn start(handle: &tokio::runtime::Handle, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let notify = Arc::new(Notify::new());
        let asked = Arc::clone(&notify);
        handle.spawn(async move {
            loop {
                // A `Notify` keeps one permit, so a request that arrives during the sleep is answered after it.
                asked.notified().await;
                wake();
                tokio::time::sleep(INTERVAL).await;
            }
        });
        Self(notify)
    }

    pub(super) fn ask(&self) {
        self.0.notify_one();
    }
}
