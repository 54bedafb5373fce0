//! The dynamic programme along antidiagonals, in a band that adapts to a bound on the penalty.
//!
//! Recurrences: Gotoh (1982), Journal of Molecular Biology 162: 705. Cells of one antidiagonal do not depend on each other, so
//! that compilers turn the loop over them into vector instructions.

use super::letters::{AMBIGUOUS_CODE, Codes, LANES};
use super::{AMBIGUOUS, END_EXTEND, END_OPEN, INNER_EXTEND, INNER_OPEN, MISMATCH, Step};

/// Set in the trace of a cell whose best penalty comes from a letter of `a` alone.
const UP: u8 = 1;
/// Set where it comes from a letter of `b` alone.
const LEFT: u8 = 2;
/// Set where the gap in `b` that ends in this cell began before it.
const UP_LONGER: u8 = 4;
/// Set where the gap in `a` that ends in this cell began before it.
const LEFT_LONGER: u8 = 8;
/// Antidiagonals from one narrowing of the band to the next.
const NARROWING: isize = 8;

/// A penalty of 16 or 32 bits; sums stop at the largest number, which stands for "never".
pub(super) trait Penalty: Copy + Ord + Default {
    const NEVER: Self;
    /// Largest sum of lengths whose penalties are sure to fit.
    const MOST_LETTERS: usize;
    fn of(penalty: i32) -> Self;
    fn plus(self, other: Self) -> Self;
    fn to_i32(self) -> i32;
}

impl Penalty for i16 {
    const NEVER: Self = Self::MAX;
    const MOST_LETTERS: usize = 8_000;
    fn of(penalty: i32) -> Self {
        penalty as Self
    }
    fn plus(self, other: Self) -> Self {
        self.saturating_add(other)
    }
    fn to_i32(self) -> i32 {
        i32::from(self)
    }
}

impl Penalty for i32 {
    const NEVER: Self = Self::MAX;
    const MOST_LETTERS: usize = usize::MAX;
    fn of(penalty: i32) -> Self {
        penalty
    }
    fn plus(self, other: Self) -> Self {
        self.saturating_add(other)
    }
    fn to_i32(self) -> i32 {
        self
    }
}

/// Penalties of the cells of one antidiagonal, by the number of letters of `a` before the cell, plus one.
#[derive(Debug, Default)]
struct Front<P> {
    /// Least penalty of all.
    best: Vec<P>,
    /// Least penalty of those that end in a letter of `a` alone.
    up: Vec<P>,
    /// Least penalty of those that end in a letter of `b` alone.
    left: Vec<P>,
    /// First and last cell in the band; empty where first > last.
    first: isize,
    last: isize,
}

impl<P: Penalty> Front<P> {
    fn reset(&mut self, cells: usize) {
        for row in [&mut self.best, &mut self.up, &mut self.left] {
            row.clear();
            row.resize(cells + 2 + LANES, P::NEVER);
        }
        self.keep_none();
    }

    fn set(&mut self, i: isize, best: P, up: P, left: P) {
        let at = (i + 1) as usize;
        (self.best[at], self.up[at], self.left[at]) = (best, up, left);
    }

    fn forget(&mut self, i: isize) {
        self.set(i, P::NEVER, P::NEVER, P::NEVER);
    }

    fn is_empty(&self) -> bool {
        self.first > self.last
    }

    fn keep_none(&mut self) {
        (self.first, self.last) = (isize::MAX / 2, -1);
    }

    /// Sets the cells of antidiagonal `t` in the first row and column, where they lie within `first..=end`: nothing but a gap.
    fn set_borders(&mut self, t: isize, first: isize, end: isize) {
        let gap = P::of(END_OPEN + END_EXTEND * t as i32);
        if t == 0 {
            self.set(0, P::of(0), P::NEVER, P::NEVER);
        } else {
            if first == 0 {
                self.set(0, gap, P::NEVER, gap);
            }
            if end == t {
                self.set(t, gap, gap, P::NEVER);
            }
        }
    }

    /// Narrows the cells of antidiagonal `t` from both sides as far as none of them can be part of a good alignment.
    fn drop_hopeless(&mut self, t: isize, matrix: Matrix<'_>) {
        let is_hopeless = |front: &Self, i: isize| matrix.is_hopeless(i, t - i, front.best[(i + 1) as usize].to_i32());
        while !self.is_empty() && is_hopeless(self, self.first) {
            self.forget(self.first);
            self.first += 1;
        }
        while !self.is_empty() && is_hopeless(self, self.last) {
            self.forget(self.last);
            self.last -= 1;
        }
        if self.is_empty() {
            self.keep_none();
        }
    }
}

/// Buffers of the dynamic programme.
#[derive(Debug, Default)]
pub(super) struct Band<P> {
    /// This antidiagonal, the last and the one before.
    fronts: [Front<P>; 3],
    trace: Vec<u8>,
    /// For every antidiagonal, where its traces start, and its first cell.
    rows: Vec<(usize, isize)>,
}

/// Two sequences as the matrix reads them.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) a: Codes,
    pub(super) b: Codes,
    /// `b` from its end, so that along an antidiagonal both sequences are read forwards.
    b_turned: Codes,
}

impl Pair {
    /// Takes the place of what was there before.
    pub(super) fn read(&mut self, a: &[u8], b: &[u8]) {
        self.a.read(a.iter().copied());
        self.b.read(b.iter().copied());
        self.b_turned.read(b.iter().rev().copied());
    }

    fn has_ambiguous(&self) -> bool {
        self.a.has_ambiguous || self.b.has_ambiguous
    }
}

/// Lengths of the sequences, and what decides that a cell is dropped.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    n: isize,
    m: isize,
    /// The penalty that the alignment may have at most.
    bound: i32,
    /// As [`Slider::lone_words`](super::slide::Slider::lone_words).
    lone_words: &'a [i32],
}

impl<'a> Matrix<'a> {
    /// The matrix of two sequences of `n` and `m` letters.
    pub(super) fn new(n: usize, m: usize, bound: i32, lone_words: &'a [i32]) -> Self {
        Self { n: n as isize, m: m as isize, bound, lone_words }
    }

    /// Whether no alignment through this cell can keep within the bound.
    ///
    /// What is left of one sequence more than of the other finds no partner. And each lone word that is still to come holds a
    /// mismatch, unless a gap takes letters from it or parts it: `L` letters without a partner spoil words worth `L + 5`
    /// where the gap goes on from this cell or ends the alignment, `L + 10` elsewhere, of the `2 L` or more that they cost.
    /// Only the first two kinds can be worth it, and earn at most 9 together.
    fn is_hopeless(&self, i: isize, j: isize, penalty: i32) -> bool {
        let unpaired = ((self.n - i) - (self.m - j)).unsigned_abs() as i32;
        let lone = MISMATCH * self.lone_words[j as usize];
        let rest = (END_EXTEND * unpaired).max(lone + unpaired - 9);
        penalty.saturating_add(rest) > self.bound
    }
}

impl<P: Penalty> Band<P> {
    /// Whether sequences of these lengths fit.
    pub(super) fn holds(n: usize, m: usize) -> bool {
        n + m <= P::MOST_LETTERS
    }

    /// The least penalty of all alignments, if it is within the bound of `matrix`.
    pub(super) fn least_penalty(&mut self, pair: &Pair, matrix: Matrix<'_>) -> Option<i32> {
        if pair.has_ambiguous() {
            self.fill::<true, false>(pair, matrix)
        } else {
            self.fill::<false, false>(pair, matrix)
        }
    }

    /// Finds the best alignment if its penalty is within the bound of `matrix`; writes its columns and returns its penalty.
    pub(super) fn align(&mut self, pair: &Pair, matrix: Matrix<'_>, steps: &mut Vec<Step>) -> Option<i32> {
        let penalty = if pair.has_ambiguous() {
            self.fill::<true, true>(pair, matrix)
        } else {
            self.fill::<false, true>(pair, matrix)
        }?;
        self.write_steps(matrix, steps);
        Some(penalty)
    }

    /// Fills the band antidiagonal by antidiagonal, with or without leaving a trace; the penalty of the last corner, if it was
    /// reached.
    fn fill<const AMBIGUOUS_LETTERS: bool, const TRACE: bool>(
        &mut self,
        pair: &Pair,
        matrix: Matrix<'_>,
    ) -> Option<i32> {
        let Matrix { n, m, .. } = matrix;
        self.fronts.iter_mut().for_each(|front| front.reset(n as usize + 1));
        self.trace.clear();
        self.rows.clear();
        let [mut new, mut last, mut before] = self.fronts.each_mut();
        let codes = (pair.a.padded(), pair.b_turned.padded());
        for t in 0..=n + m {
            (new, last, before) = (before, new, last);
            let (first, end) = if t == 0 { (0, 0) } else { reachable(last, before, t, (n, m)) };
            let row = self.trace.len();
            self.rows.push((row, first));
            if first > end {
                if last.is_empty() {
                    return None;
                }
                new.keep_none();
                continue;
            }
            if TRACE {
                self.trace.resize(row + (end - first) as usize + 1 + LANES, 0);
            }
            let trace = &mut self.trace[row..];
            let inner_first = first.max(1);
            let inner_last = end.min(t - 1);
            if inner_first <= inner_last {
                let cells = (inner_first, (inner_last - inner_first + 1) as usize, m - t);
                let fronts = (&mut *new, &*last, &*before);
                let inner_trace = if TRACE { &mut trace[(inner_first - first) as usize..] } else { &mut [][..] };
                sweep::<P, AMBIGUOUS_LETTERS, TRACE>(fronts, codes, cells, inner_trace);
                // Along the last row and column gaps are end gaps.
                for i in [t - m, n].into_iter().filter(|i| (inner_first..=inner_last).contains(i)) {
                    let fronts = (&mut *new, &*last, &*before);
                    let edge = edge_cell::<P, AMBIGUOUS_LETTERS>(fronts, codes, (i, t - i), (n, m));
                    if TRACE {
                        trace[(i - first) as usize] = edge;
                    }
                }
            }
            new.set_borders(t, first, end);
            new.forget(first - 1);
            new.forget(end + 1);
            (new.first, new.last) = (first, end);
            if t % NARROWING == 0 {
                // Both, for the next antidiagonal follows from either.
                new.drop_hopeless(t, matrix);
                last.drop_hopeless(t - 1, matrix);
            }
        }
        // Within the bound nothing was dropped that could be better; beyond it that is not known.
        let corner = new.best[n as usize + 1].to_i32();
        (corner <= matrix.bound).then_some(corner)
    }

    /// Walks back from the last corner.
    fn write_steps(&self, matrix: Matrix<'_>, steps: &mut Vec<Step>) {
        steps.clear();
        let (mut i, mut j) = (matrix.n, matrix.m);
        let mut within = Step::Both;
        while i > 0 || j > 0 {
            let step = if i == 0 {
                Step::SecondOnly
            } else if j == 0 {
                Step::FirstOnly
            } else {
                let (row, first) = self.rows[(i + j) as usize];
                let trace = self.trace[row + (i - first) as usize];
                let (step, longer) = match within {
                    Step::Both if trace & LEFT != 0 => (Step::SecondOnly, trace & LEFT_LONGER),
                    Step::Both if trace & UP != 0 => (Step::FirstOnly, trace & UP_LONGER),
                    Step::Both => (Step::Both, 0),
                    Step::FirstOnly => (Step::FirstOnly, trace & UP_LONGER),
                    Step::SecondOnly => (Step::SecondOnly, trace & LEFT_LONGER),
                };
                within = if longer != 0 { step } else { Step::Both };
                step
            };
            steps.push(step);
            i -= isize::from(step != Step::SecondOnly);
            j -= isize::from(step != Step::FirstOnly);
        }
        steps.reverse();
    }
}

/// First and last cell of antidiagonal `t` that the two before it lead to.
fn reachable<P>(last: &Front<P>, before: &Front<P>, t: isize, (n, m): (isize, isize)) -> (isize, isize) {
    let first = last.first.min(before.first + 1);
    let end = (last.last + 1).max(before.last + 1);
    (first.max(t - m).max(0), end.min(n).min(t))
}

/// Penalty of putting two letters together.
fn column_penalty<const AMBIGUOUS_LETTERS: bool>(a: u8, b: u8) -> i32 {
    if AMBIGUOUS_LETTERS && (a | b) & AMBIGUOUS_CODE != 0 {
        AMBIGUOUS
    } else if a == b {
        0
    } else {
        MISMATCH
    }
}

/// Computes `length` cells of an antidiagonal from `first` on, as inner cells of the matrix, in whole groups of [`LANES`]: up to
/// `LANES - 1` cells too many, whose values nobody reads. `shift` added to the number of a cell finds its letter in the turned
/// `b`.
fn sweep<P: Penalty, const AMBIGUOUS_LETTERS: bool, const TRACE: bool>(
    (new, last, before): (&mut Front<P>, &Front<P>, &Front<P>),
    codes: (&[u8], &[u8]),
    (first, length, shift): (isize, usize, isize),
    trace: &mut [u8],
) {
    let open = P::of(INNER_OPEN + INNER_EXTEND);
    let extend = P::of(INNER_EXTEND);
    let count = length.div_ceil(LANES);
    let above = first as usize;
    let here = above + 1;
    let (best_left, left_left) = (groups(&last.best, here, count), groups(&last.left, here, count));
    let (best_above, up_above) = (groups(&last.best, above, count), groups(&last.up, above, count));
    let best_before = groups(&before.best, above, count);
    let a = groups(codes.0, above - 1, count);
    let b = groups(codes.1, (first + shift) as usize, count);
    let best_new = groups_mut(&mut new.best, here, count);
    let up_new = groups_mut(&mut new.up, here, count);
    let left_new = groups_mut(&mut new.left, here, count);
    let traces = groups_mut(trace, 0, if TRACE { count } else { 0 });
    for group in 0..count {
        let (mut best, mut up, mut left) = ([P::NEVER; LANES], [P::NEVER; LANES], [P::NEVER; LANES]);
        let mut marks = [0; LANES];
        for k in 0..LANES {
            let column = column_penalty::<AMBIGUOUS_LETTERS>(a[group][k], b[group][k]);
            let both = best_before[group][k].plus(P::of(column));
            let (up_opened, up_extended) = (best_above[group][k].plus(open), up_above[group][k].plus(extend));
            let (left_opened, left_extended) = (best_left[group][k].plus(open), left_left[group][k].plus(extend));
            up[k] = up_opened.min(up_extended);
            left[k] = left_opened.min(left_extended);
            let without_left = both.min(up[k]);
            best[k] = without_left.min(left[k]);
            marks[k] = (u8::from(up[k] < both) * UP)
                | (u8::from(left[k] < without_left) * LEFT)
                | (u8::from(up_extended < up_opened) * UP_LONGER)
                | (u8::from(left_extended < left_opened) * LEFT_LONGER);
        }
        // Whole groups are stored at the end, so that compilers need not fear that results overwrite what is still to be read.
        (best_new[group], up_new[group], left_new[group]) = (best, up, left);
        if TRACE {
            traces[group] = marks;
        }
    }
}

/// The `count` groups of a row that start at `from`. Rows are longer than the matrix by a group.
fn groups<T>(row: &[T], from: usize, count: usize) -> &[[T; LANES]] {
    row[from..][..count * LANES].as_chunks().0
}

fn groups_mut<T>(row: &mut [T], from: usize, count: usize) -> &mut [[T; LANES]] {
    row[from..][..count * LANES].as_chunks_mut().0
}

/// Computes one cell of the last row or column, where a gap along the edge is an end gap; returns its trace.
fn edge_cell<P: Penalty, const AMBIGUOUS_LETTERS: bool>(
    (new, last, before): (&mut Front<P>, &Front<P>, &Front<P>),
    codes: (&[u8], &[u8]),
    (i, j): (isize, isize),
    (n, m): (isize, isize),
) -> u8 {
    let gap = |at_end: bool| if at_end { (END_OPEN, END_EXTEND) } else { (INNER_OPEN, INNER_EXTEND) };
    let ((up_open, up_extend), (left_open, left_extend)) = (gap(j == m), gap(i == n));
    let (here, above) = ((i + 1) as usize, i as usize);
    let column = column_penalty::<AMBIGUOUS_LETTERS>(codes.0[i as usize - 1], codes.1[(m - j) as usize]);
    let both = before.best[above].plus(P::of(column));
    let (up_opened, up_extended) =
        (last.best[above].plus(P::of(up_open + up_extend)), last.up[above].plus(P::of(up_extend)));
    let (left_opened, left_extended) =
        (last.best[here].plus(P::of(left_open + left_extend)), last.left[here].plus(P::of(left_extend)));
    let (up, left) = (up_opened.min(up_extended), left_opened.min(left_extended));
    let without_left = both.min(up);
    new.set(i, without_left.min(left), up, left);
    (u8::from(up < both) * UP)
        | (u8::from(left < without_left) * LEFT)
        | (u8::from(up_extended < up_opened) * UP_LONGER)
        | (u8::from(left_extended < left_opened) * LEFT_LONGER)
}
