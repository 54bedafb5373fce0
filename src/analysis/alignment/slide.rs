//! Alignments without inner gaps: two barcodes slid along each other.

use super::letters::{AMBIGUOUS_CODE, Codes};
use super::{AMBIGUOUS, END_EXTEND, END_OPEN, INNER_OPEN, MISMATCH, Step};

/// Length of the words whose common places vote for a diagonal.
pub(super) const WORD: usize = 7;
const WORDS: usize = 1 << (2 * WORD);
/// Marks a word that the sequence does not have.
const ABSENT: u32 = u32::MAX;

/// Compares two barcodes by the words that they share. Keeps its buffers, and the words of the first barcode for as long as
/// that is the same.
#[derive(Debug, Default)]
pub(super) struct Slider {
    first: Vec<u8>,
    /// Last place of every word in the first sequence.
    place: Vec<u32>,
    votes: Vec<u32>,
    /// For every place in the second sequence and the one after its end: how many of the words that start there or later, at
    /// multiples of [`WORD`], the first sequence does not have.
    pub(super) lone_words: Vec<i32>,
}

/// The sequences side by side, letter `i` of the first with letter `i - diagonal` of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slide {
    pub(super) diagonal: isize,
    pub(super) penalty: i32,
    /// Whether no other alignment has a penalty as low.
    pub(super) is_surely_best: bool,
}

impl Slider {
    /// The best of the diagonals that come into question: that with most shared words and those of both corners. Leaves
    /// [`Self::lone_words`] behind.
    pub(super) fn best(&mut self, a: &Codes, b: &Codes) -> Slide {
        let corner = a.len() as isize - b.len() as isize;
        let mut best = Slide::new(a, b, 0);
        for diagonal in [corner, self.compare_words(a, b)] {
            let slide = Slide::new(a, b, diagonal);
            if slide.penalty < best.penalty {
                best = slide;
            }
        }
        best.is_surely_best = best.beats_all(a, b);
        best
    }

    /// Counts the lone words of `b`, and finds the diagonal on which most words agree.
    fn compare_words(&mut self, a: &Codes, b: &Codes) -> isize {
        self.remember(a);
        self.votes.clear();
        self.votes.resize(a.len() + b.len() + 1, 0);
        self.lone_words.clear();
        self.lone_words.resize(b.len() + 1, 0);
        for_each_word(b.letters(), |word, at| {
            let place = self.place[word];
            if place != ABSENT {
                self.votes[place as usize + b.len() - at] += 1;
            } else if at.is_multiple_of(WORD) {
                self.lone_words[at] = 1;
            }
        });
        if a.has_ambiguous {
            // A word may meet ambiguous letters at less than the penalty of a mismatch.
            self.lone_words.fill(0);
        }
        let mut from_here = 0;
        for lone in self.lone_words.iter_mut().rev() {
            from_here += *lone;
            *lone = from_here;
        }
        let most = self.votes.iter().max().copied().unwrap_or(0);
        let index = self.votes.iter().position(|&votes| votes == most).unwrap_or(0);
        index as isize - b.len() as isize
    }

    fn remember(&mut self, a: &Codes) {
        if self.place.is_empty() {
            self.place.resize(WORDS, ABSENT);
        }
        if self.first != a.letters() {
            for_each_word(&self.first, |word, _| self.place[word] = ABSENT);
            for_each_word(a.letters(), |word, at| self.place[word] = at as u32);
            self.first.clear();
            self.first.extend_from_slice(a.letters());
        }
    }
}

/// Calls `visit` with every word of unambiguous letters and the place of its first letter.
fn for_each_word(codes: &[u8], mut visit: impl FnMut(usize, usize)) {
    let (mut word, mut length) = (0, 0);
    for (at, &code) in codes.iter().enumerate() {
        word = ((word << 2) | usize::from(code & 3)) & (WORDS - 1);
        length = if code == AMBIGUOUS_CODE { 0 } else { length + 1 };
        if length >= WORD {
            visit(word, at + 1 - WORD);
        }
    }
}

impl Slide {
    fn new(a: &Codes, b: &Codes, diagonal: isize) -> Self {
        Self { diagonal, penalty: penalty_on(a, b, diagonal), is_surely_best: false }
    }

    /// Whether every other alignment has a higher penalty, as far as that can be told cheaply.
    ///
    /// Between the corners `0` and `corner` of the matrix an alignment that touches diagonal `x` has at least
    /// `|x| + |x - corner|` letters without a partner, each for 2 or more, and one with an inner gap pays for opening it.
    fn beats_all(&self, a: &Codes, b: &Codes) -> bool {
        let corner = a.len() as isize - b.len() as isize;
        if self.penalty > INNER_OPEN + END_EXTEND * corner.unsigned_abs() as i32 {
            return false;
        }
        let least = |x: isize| END_EXTEND * (x.unsigned_abs() + (x - corner).unsigned_abs()) as i32;
        let rivals = |step: isize| {
            (1..).map(move |k| self.diagonal + step * k).take_while(move |&x| {
                // Outside the corners the least penalty grows without end; between them it stays.
                let outside = if step < 0 { x < corner.min(0) } else { x > corner.max(0) };
                !(outside && least(x) > self.penalty)
            })
        };
        let within = |x: &isize| -(b.len() as isize) <= *x && *x <= a.len() as isize;
        let loses = |x: isize| least(x) > self.penalty || penalty_on(a, b, x) > self.penalty;
        [-1, 1].into_iter().flat_map(rivals).filter(within).all(loses)
    }

    /// Writes the columns of this alignment of sequences of `n` and `m` letters.
    pub(super) fn write_steps(&self, n: usize, m: usize, steps: &mut Vec<Step>) {
        let (before_a, before_b, overlap) = extent(n, m, self.diagonal);
        let run = |step, length| std::iter::repeat_n(step, length);
        steps.clear();
        steps.extend(run(Step::FirstOnly, before_a).chain(run(Step::SecondOnly, before_b)));
        steps.extend(run(Step::Both, overlap));
        steps.extend(run(Step::FirstOnly, n - before_a - overlap).chain(run(Step::SecondOnly, m - before_b - overlap)));
    }
}

/// Letters of the first and second sequence before they overlap, and the overlap. Where they do not meet, all of the one comes
/// before all of the other.
fn extent(n: usize, m: usize, diagonal: isize) -> (usize, usize, usize) {
    let before_a = (diagonal.max(0) as usize).min(n);
    let before_b = ((-diagonal).max(0) as usize).min(m);
    (before_a, before_b, (n - before_a).min(m - before_b))
}

fn end_gap(letters: usize) -> i32 {
    if letters == 0 { 0 } else { END_OPEN + END_EXTEND * letters as i32 }
}

fn penalty_on(a: &Codes, b: &Codes, diagonal: isize) -> i32 {
    let (before_a, before_b, overlap) = extent(a.len(), b.len(), diagonal);
    let a_there = &a.letters()[before_a..before_a + overlap];
    let b_there = &b.letters()[before_b..before_b + overlap];
    let count = |hit: fn(u8, u8) -> bool| a_there.iter().zip(b_there).map(|(&x, &y)| i32::from(hit(x, y))).sum::<i32>();
    let columns = if a.has_ambiguous || b.has_ambiguous {
        let ambiguous = count(|x, y| (x | y) & AMBIGUOUS_CODE != 0);
        let unlike = count(|x, y| (x | y) & AMBIGUOUS_CODE == 0 && x != y);
        AMBIGUOUS * ambiguous + MISMATCH * unlike
    } else {
        MISMATCH * count(|x, y| x != y)
    };
    let ends = [before_a, before_b, a.len() - before_a - overlap, b.len() - before_b - overlap];
    columns + ends.map(end_gap).iter().sum::<i32>()
}
