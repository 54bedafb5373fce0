//! The rows of a long table in their order, found by a thread of its own, so that the window goes on meanwhile.

use egui::Context;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

/// Up to so many rows are sorted there and then: it takes less than a frame.
const FEW: usize = 4096;

/// Rows in order. `T` is what they are the rows of, `S` what their order depends on and `F` which of them are shown.
pub struct Sorted<T, S, F> {
    asked: Option<Key<T, S, F>>,
    found: Option<Found<T, S>>,
    coming: Option<Receiver<Found<T, S>>>,
    /// The place that was asked for last: of which row, and where it is.
    place: Option<(usize, Option<usize>)>,
}

struct Key<T, S, F> {
    of: Arc<T>,
    sorting: S,
    filter: F,
}

struct Found<T, S> {
    of: Arc<T>,
    sorting: S,
    /// All rows in order, so that another filter sorts nothing.
    all: Arc<Vec<u32>>,
    shown: Vec<u32>,
}

impl<T, S, F> Default for Sorted<T, S, F> {
    fn default() -> Self {
        Self { asked: None, found: None, coming: None, place: None }
    }
}

impl<T: Send + Sync + 'static, S: PartialEq + Clone + Send + 'static, F: PartialEq> Sorted<T, S, F> {
    /// Asks for the `many` rows of `of` in the order `sorting`, of which `choose` leaves those that pass `filter`. Where they are many, those before stay until the
    /// new ones are found, unless they are of something else, whose rows mean nothing any more.
    pub fn ask(
        &mut self,
        ctx: &Context,
        (of, sorting, filter): (&Arc<T>, S, F),
        many: usize,
        sort: impl FnOnce() -> Vec<u32> + Send + 'static,
        choose: impl FnOnce(&[u32]) -> Vec<u32> + Send + 'static,
    ) {
        self.listen();
        let is_asked = |key: &Key<T, S, F>| Arc::ptr_eq(&key.of, of) && key.sorting == sorting && key.filter == filter;
        if self.asked.as_ref().is_some_and(is_asked) {
            return;
        }
        self.found.take_if(|found| !Arc::ptr_eq(&found.of, of));
        self.place = None;
        self.asked = Some(Key { of: Arc::clone(of), sorting: sorting.clone(), filter });
        let of = Arc::clone(of);
        let known = self.found.as_ref().filter(|found| found.sorting == sorting).map(|found| Arc::clone(&found.all));
        let find = move || {
            let all = known.unwrap_or_else(|| Arc::new(sort()));
            let shown = choose(&all);
            Found { of, sorting, all, shown }
        };
        if many <= FEW {
            (self.found, self.coming) = (Some(find()), None);
            return;
        }
        let (sender, coming) = channel();
        self.coming = Some(coming);
        let woken = ctx.clone();
        std::thread::spawn(move || {
            // Nobody listens where something else was asked for meanwhile.
            let _ = sender.send(find());
            woken.request_repaint();
        });
    }

    /// Takes what was found.
    fn listen(&mut self) {
        match self.coming.as_ref().map(Receiver::try_recv) {
            Some(Ok(found)) => (self.found, self.coming, self.place) = (Some(found), None, None),
            // Asked for again.
            Some(Err(TryRecvError::Disconnected)) => (self.asked, self.coming) = (None, None),
            Some(Err(TryRecvError::Empty)) | None => {}
        }
    }

    /// The rows, in order.
    pub fn rows(&self) -> &[u32] {
        self.found.as_ref().map_or(&[], |found| &found.shown)
    }

    /// Whether others are being found.
    pub fn is_sorting(&self) -> bool {
        self.coming.is_some()
    }

    /// The place of the row for which `is` holds, looked for once for each `wanted`.
    pub fn place_of(&mut self, wanted: Option<usize>, is: impl Fn(u32) -> bool) -> Option<usize> {
        let wanted = wanted?;
        let known = self.place.filter(|&(row, _)| row == wanted);
        let (_, place) = known.unwrap_or_else(|| (wanted, self.rows().iter().position(|&row| is(row))));
        self.place = Some((wanted, place));
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    /// Rows of a content, up or down, of which those below a limit are shown.
    type Rows = Sorted<u8, bool, u32>;

    fn below(rows: &[u32], limit: u32) -> Vec<u32> {
        rows.iter().copied().filter(|&row| row < limit).collect()
    }

    fn ask(rows: &mut Rows, key: (&Arc<u8>, bool, u32), many: usize) {
        let (up, limit) = (key.1, key.2);
        let sort = move || if up { vec![1, 2, 3] } else { vec![3, 2, 1] };
        rows.ask(&Context::default(), key, many, sort, move |all| below(all, limit));
    }

    fn until_found(rows: &mut Rows, key: (&Arc<u8>, bool, u32)) {
        let start = Instant::now();
        loop {
            ask(rows, key, FEW + 1);
            if !rows.is_sorting() {
                return;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "it never comes");
            std::thread::yield_now();
        }
    }

    #[test]
    fn few_rows_are_there_at_once() {
        let (mut rows, of) = (Rows::default(), Arc::new(0));
        ask(&mut rows, (&of, false, 3), FEW);
        assert_eq!(rows.rows(), [2, 1]);
        rows.ask(&Context::default(), (&of, false, 3), FEW, || panic!("they are known"), |_| panic!("they are known"));
        rows.ask(&Context::default(), (&of, false, 2), FEW, || panic!("they are sorted"), |all| below(all, 2));
        assert_eq!(rows.rows(), [1]);
    }

    #[test]
    fn many_rows_come_later_and_those_before_stay_until_then() {
        let (mut rows, of) = (Rows::default(), Arc::new(0));
        ask(&mut rows, (&of, true, 9), FEW + 1);
        assert!(rows.rows().is_empty() && rows.is_sorting());
        until_found(&mut rows, (&of, true, 9));
        assert_eq!(rows.rows(), [1, 2, 3]);
        let (go, wait) = channel::<()>();
        let slow = move || {
            wait.recv().unwrap();
            vec![3, 2, 1]
        };
        rows.ask(&Context::default(), (&of, false, 9), FEW + 1, slow, <[u32]>::to_vec);
        assert!(rows.is_sorting());
        assert_eq!(rows.rows(), [1, 2, 3], "in the order before");
        go.send(()).unwrap();
        until_found(&mut rows, (&of, false, 9));
        assert_eq!(rows.rows(), [3, 2, 1]);
        until_found(&mut rows, (&of, false, 2));
        assert_eq!(rows.rows(), [1], "of those that are sorted");
    }

    #[test]
    fn what_was_asked_for_last_is_what_comes() {
        let (mut rows, of) = (Rows::default(), Arc::new(0));
        let (go, wait) = channel::<()>();
        let slow = move || {
            wait.recv().unwrap();
            vec![9]
        };
        rows.ask(&Context::default(), (&of, true, 4), FEW + 1, slow, <[u32]>::to_vec);
        until_found(&mut rows, (&of, false, 4));
        go.send(()).unwrap();
        assert_eq!(rows.rows(), [3, 2, 1]);
    }

    #[test]
    fn rows_of_something_else_are_gone_at_once() {
        let (mut rows, of) = (Rows::default(), Arc::new(0));
        until_found(&mut rows, (&of, true, 9));
        ask(&mut rows, (&Arc::new(0), true, 9), FEW + 1);
        assert!(rows.rows().is_empty());
    }

    #[test]
    fn a_place_is_looked_for_once() {
        let (mut rows, of) = (Rows::default(), Arc::new(0));
        ask(&mut rows, (&of, true, 9), FEW);
        assert_eq!(rows.place_of(Some(2), |row| row == 2), Some(1));
        assert_eq!(rows.place_of(Some(2), |_| panic!("it is known")), Some(1));
        assert_eq!(rows.place_of(Some(9), |row| row == 9), None);
        assert_eq!(rows.place_of(None, |_| true), None);
        ask(&mut rows, (&of, false, 3), FEW);
        assert_eq!(rows.place_of(Some(2), |row| row == 2), Some(0), "another order");
    }
}
