//! The plain twin: the whole matrix, cell by cell, in scores instead of penalties.

use super::{Step, Tally, ratio};
use crate::data::iupac::{base_code, base_mask};

const NEVER: i32 = i32::MIN / 2;

/// vsearch's score of two letters.
fn column_score(a: u8, b: u8) -> i32 {
    match (base_code(a), base_code(b)) {
        (Some(a), Some(b)) if a == b => 2,
        (Some(_), Some(_)) => -4,
        _ => 0,
    }
}

/// Score and columns of the best alignment.
pub(super) fn align_full(a: &[u8], b: &[u8]) -> (i32, Vec<Step>) {
    let (n, m) = (a.len(), b.len());
    let index = |i: usize, j: usize| i * (m + 1) + j;
    let cells = (n + 1) * (m + 1);
    let (mut best, mut up, mut left) = (vec![NEVER; cells], vec![NEVER; cells], vec![NEVER; cells]);
    for i in 0..=n {
        for j in 0..=m {
            let (up_open, up_extend) = if j == 0 || j == m { (-2, -1) } else { (-20, -2) };
            let (left_open, left_extend) = if i == 0 || i == n { (-2, -1) } else { (-20, -2) };
            let mut both = if i + j == 0 { 0 } else { NEVER };
            if i > 0 {
                let above = index(i - 1, j);
                up[index(i, j)] = (best[above] + up_open).max(up[above] + up_extend);
            }
            if j > 0 {
                let beside = index(i, j - 1);
                left[index(i, j)] = (best[beside] + left_open).max(left[beside] + left_extend);
            }
            if i > 0 && j > 0 {
                both = best[index(i - 1, j - 1)] + column_score(a[i - 1], b[j - 1]);
            }
            best[index(i, j)] = both.max(up[index(i, j)]).max(left[index(i, j)]);
        }
    }
    let mut steps = Vec::new();
    let (mut i, mut j, mut within) = (n, m, Step::Both);
    while i + j > 0 {
        let here = index(i, j);
        let both = if i > 0 && j > 0 { best[index(i - 1, j - 1)] + column_score(a[i - 1], b[j - 1]) } else { NEVER };
        let step = match within {
            Step::Both if left[here] > both.max(up[here]) => Step::SecondOnly,
            Step::Both if up[here] > both => Step::FirstOnly,
            other => other,
        };
        steps.push(step);
        within = Step::Both;
        match step {
            Step::Both => (i, j) = (i - 1, j - 1),
            Step::FirstOnly => {
                i -= 1;
                let (open, extend) = if j == 0 || j == m { (-2, -1) } else { (-20, -2) };
                if up[index(i, j)] + extend > best[index(i, j)] + open {
                    within = Step::FirstOnly;
                }
            }
            Step::SecondOnly => {
                j -= 1;
                let (open, extend) = if i == 0 || i == n { (-2, -1) } else { (-20, -2) };
                if left[index(i, j)] + extend > best[index(i, j)] + open {
                    within = Step::SecondOnly;
                }
            }
        }
    }
    steps.reverse();
    (best[index(n, m)], steps)
}

/// Identity by the whole matrix.
pub(super) fn identity_full(a: &[u8], b: &[u8]) -> f32 {
    let tally = Tally::of_steps(a, b, &align_full(a, b).1);
    assert!(tally.matches <= a.iter().filter(|&&letter| base_mask(letter) != 0).count());
    ratio(tally.matches, tally.inner.len())
}

/// Score of an alignment, column by column and gap by gap.
pub(super) fn score_of_steps(a: &[u8], b: &[u8], steps: &[Step]) -> i32 {
    let (mut i, mut j, mut score) = (0, 0, 0);
    let mut before = Step::Both;
    for &step in steps {
        let (at_end, advances) = match step {
            Step::Both => (false, (1, 1)),
            Step::FirstOnly => (j == 0 || j == b.len(), (1, 0)),
            Step::SecondOnly => (i == 0 || i == a.len(), (0, 1)),
        };
        score += match (step, step == before, at_end) {
            (Step::Both, _, _) => column_score(a[i], b[j]),
            (_, true, true) => -1,
            (_, false, true) => -2,
            (_, true, false) => -2,
            (_, false, false) => -20,
        };
        (i, j, before) = (i + advances.0, j + advances.1, step);
    }
    assert_eq!((i, j), (a.len(), b.len()));
    score
}
