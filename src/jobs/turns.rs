//! Turns of jobs that each could use every core that work may have: one computes at a time, so that the window keeps its own.
//!
//! A job keeps its turn until it reports progress; there it hands it over if another one waits that has had less time. Both then
//! get equal shares of the time, however long their pieces of work are.

use super::runner::JobId;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A turn is not handed over before it has lasted so long: what is in the cache should be of use.
const SHORTEST: Duration = Duration::from_millis(20);
/// How often a job that waits looks whether it should stop.
const LOOK: Duration = Duration::from_millis(25);

/// Whose turn it is, and how much time each had.
#[derive(Debug, Default)]
struct Table {
    /// Time that each job had; those that came later begin with the least that the others had.
    used: BTreeMap<JobId, Duration>,
    holder: Option<(JobId, Instant)>,
}

impl Table {
    /// Of the jobs that want to compute, the one that had least time; of equals the older.
    fn next(&self) -> Option<JobId> {
        self.used.iter().min_by_key(|(id, used)| (**used, **id)).map(|(id, _)| *id)
    }

    /// Ends the turn of the holder.
    fn let_go(&mut self, now: Instant) {
        if let Some((holder, since)) = self.holder.take()
            && let Some(used) = self.used.get_mut(&holder)
        {
            *used += now.saturating_duration_since(since);
        }
    }
}

/// Hands out the turns.
#[derive(Debug, Default)]
pub(super) struct Turns {
    table: Mutex<Table>,
    changed: Condvar,
}

/// A job's place among those that take turns. Dropping it leaves.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Arc<Turns>,
    id: JobId,
}

impl Turns {
    /// Joins those that take turns; [`Turn::wait`] comes before any work.
    pub(super) fn join(self: &Arc<Self>, id: JobId) -> Turn {
        let mut table = self.lock();
        let least = table.used.values().min().copied().unwrap_or_default();
        table.used.insert(id, least);
        drop(table);
        Turn { turns: Arc::clone(self), id }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Hands the turn over where another job had less time, and waits until it comes back; answers at once where the job has it
    /// and keeps it. Several threads of one job may call it together. Stops waiting when `stopped` says so.
    pub(super) fn wait(&self, stopped: &dyn Fn() -> bool) {
        let mut table = self.turns.lock();
        let now = Instant::now();
        if table.holder.is_some_and(|(holder, since)| holder == self.id && now.duration_since(since) >= SHORTEST) {
            table.let_go(now);
            if table.next() != Some(self.id) {
                self.turns.changed.notify_all();
            }
        }
        while !stopped() {
            match table.holder {
                Some((holder, _)) if holder == self.id => return,
                None if table.next() == Some(self.id) => {
                    table.holder = Some((self.id, Instant::now()));
                    self.turns.changed.notify_all();
                    return;
                }
                _ => {}
            }
            table = self.turns.changed.wait_timeout(table, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut table = self.turns.lock();
        if table.holder.is_some_and(|(holder, _)| holder == self.id) {
            table.let_go(Instant::now());
        }
        table.used.remove(&self.id);
        self.turns.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_with_least_time_is_next_and_a_newcomer_is_not_owed_the_past() {
        let turns = Arc::new(Turns::default());
        let (old, new) = (JobId::next(), JobId::next());
        let first = turns.join(old);
        turns.lock().used.insert(old, Duration::from_secs(5));
        let _second = turns.join(new);
        assert_eq!(turns.lock().used[&new], Duration::from_secs(5));
        assert_eq!(turns.lock().next(), Some(old), "of equals the older");
        turns.lock().used.insert(old, Duration::from_secs(6));
        assert_eq!(turns.lock().next(), Some(new));
        first.wait(&|| true);
        assert!(turns.lock().holder.is_none(), "who is told to stop takes no turn");
        drop(first);
        assert_eq!(turns.lock().used.len(), 1);
    }

    #[test]
    fn one_alone_keeps_its_turn() {
        let turns = Arc::new(Turns::default());
        let alone = turns.join(JobId::next());
        for _ in 0..3 {
            alone.wait(&|| false);
            assert_eq!(turns.lock().holder.map(|(holder, _)| holder), Some(alone.id));
        }
    }
}
