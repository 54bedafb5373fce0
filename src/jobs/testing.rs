//! Who listens to tasks in tests.

use super::runner::Reporter;
use super::task::{FirstRows, Output};
use crate::progress::{Cancelled, Observer, Progress};
use std::sync::Mutex;

/// Never cancels, and remembers what was warned of and shown.
#[derive(Default)]
pub(super) struct Listener {
    pub(super) warned: Mutex<Vec<String>>,
    pub(super) first_rows: Mutex<Vec<FirstRows>>,
}

impl Observer for Listener {
    fn progress(&self, _at: Progress) -> Result<(), Cancelled> {
        Ok(())
    }

    fn warn(&self, message: &str) {
        self.warned.lock().expect("no test panics with it").push(message.to_owned());
    }
}

impl Reporter<Output> for Listener {
    fn tell(&self, news: Output) {
        if let Output::FirstRows(rows) = news {
            self.first_rows.lock().expect("no test panics with it").push(rows);
        }
    }
}
