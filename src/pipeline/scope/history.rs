//! What undoing takes back and redoing puts back: whole steps, the latest first.

use super::{Decision, Entry};

/// The decisions of the latest step in force, which undoing takes back; empty where there is none.
pub fn undoable(entries: &[Entry<Decision>]) -> Vec<i64> {
    let Some(last) = entries.iter().rposition(|entry| !entry.undone) else { return Vec::new() };
    step_at(entries, last)
}

/// The decisions of the step that was taken back last, which redoing puts back. A decision made since then closes the way to those
/// taken back before it.
pub fn redoable(entries: &[Entry<Decision>]) -> Vec<i64> {
    let first = entries.iter().rposition(|entry| !entry.undone).map_or(0, |last| last + 1);
    if first < entries.len() { step_at(entries, first) } else { Vec::new() }
}

/// The numbers of the decisions that are one step with that at a place, in order.
fn step_at(entries: &[Entry<Decision>], place: usize) -> Vec<i64> {
    let begin = (0..=place).rev().find(|&at| !entries[at].value.continues).unwrap_or(0);
    let rest = entries[begin + 1..].iter().take_while(|entry| entry.value.continues);
    std::iter::once(&entries[begin]).chain(rest).map(|entry| entry.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::scope::DecisionKind;

    fn entry(id: i64, continues: bool, undone: bool) -> Entry<Decision> {
        let value = Decision {
            kind: DecisionKind::Accept,
            specimen: format!("s{id}"),
            field: None,
            old: None,
            new: None,
            who: String::new(),
            reason: String::new(),
            continues,
        };
        Entry { id, time_secs: 0, kind: "accept".to_owned(), value, undone }
    }

    fn set(entries: &mut [Entry<Decision>], numbers: &[i64], undone: bool) {
        entries.iter_mut().filter(|entry| numbers.contains(&entry.id)).for_each(|entry| entry.undone = undone);
    }

    #[test]
    fn steps_are_undone_and_redone_whole_and_in_order() {
        let mut entries =
            vec![entry(1, false, false), entry(2, false, false), entry(3, true, false), entry(4, true, false)];
        assert_eq!((undoable(&entries), redoable(&entries)), (vec![2, 3, 4], vec![]));
        set(&mut entries, &[2, 3, 4], true);
        assert_eq!((undoable(&entries), redoable(&entries)), (vec![1], vec![2, 3, 4]));
        set(&mut entries, &[1], true);
        assert_eq!((undoable(&entries), redoable(&entries)), (vec![], vec![1]));
        set(&mut entries, &[1], false);
        assert_eq!(redoable(&entries), [2, 3, 4]);
    }

    #[test]
    fn a_decision_after_an_undo_closes_the_way_back() {
        let entries = [entry(1, false, false), entry(2, false, true), entry(3, false, false)];
        assert_eq!((undoable(&entries), redoable(&entries)), (vec![3], vec![]));
        assert!(undoable(&[]).is_empty() && redoable(&[]).is_empty());
    }
}
