use super::full::{align_full, identity_full, score_of_steps};
use super::*;
use crate::seed::Seed;
use proptest::prelude::*;
use rand::Rng;

const LETTERS: [u8; 15] = *b"ACGTRYSWKMBDHVN";

fn bases(length: usize, rng: &mut impl Rng) -> Vec<u8> {
    (0..length).map(|_| b"AACGTTT"[rng.random_range(0..7)]).collect()
}

fn with_substitutions(sequence: &[u8], rate: f64, rng: &mut impl Rng) -> Vec<u8> {
    sequence.iter().map(|&base| if rng.random_bool(rate) { b"ACGT"[rng.random_range(0..4)] } else { base }).collect()
}

/// A pair that lost and gained pieces, ends and single letters since it was one.
fn related_pair(rng: &mut impl Rng) -> (Vec<u8>, Vec<u8>) {
    let length = rng.random_range(30..400);
    let mut a = bases(length, rng);
    let rate = rng.random_range(0.0..0.3);
    let mut b = with_substitutions(&a, rate, rng);
    for sequence in [&mut a, &mut b] {
        for _ in 0..rng.random_range(0..3) {
            let at = rng.random_range(0..sequence.len());
            let gap = rng.random_range(1..12).min(sequence.len() - at);
            if rng.random_bool(0.5) {
                sequence.drain(at..at + gap);
            } else {
                let piece = bases(gap, rng);
                sequence.splice(at..at, piece);
            }
        }
        for _ in 0..rng.random_range(0..4_usize).saturating_sub(1) {
            if !sequence.is_empty() {
                let at = rng.random_range(0..sequence.len());
                sequence[at] = LETTERS[rng.random_range(0..LETTERS.len())];
            }
        }
        let cut = rng.random_range(0..30).min(sequence.len());
        sequence.drain(..cut);
    }
    (a, b)
}

/// The alignment must have the score of the whole matrix, and be that of the whole matrix or one without inner gaps.
fn assert_as_full(aligner: &mut Aligner, a: &[u8], b: &[u8]) {
    let (score, steps) = align_full(a, b);
    let found = aligner.align(a, b);
    let context = || format!("{}\n{}", String::from_utf8_lossy(a), String::from_utf8_lossy(b));
    assert_eq!(found.score, score, "{}", context());
    assert_eq!(score_of_steps(a, b, &aligner.steps), score, "{}", context());
    let inner = &aligner.steps[found.inner.clone()];
    if inner.contains(&Step::FirstOnly) || inner.contains(&Step::SecondOnly) {
        assert_eq!(aligner.steps, steps, "{}", context());
        assert_eq!(found.identity(), identity_full(a, b), "{}", context());
    }
    assert_eq!(aligner.identity(a, b), found.identity(), "{}", context());
}

#[test]
fn the_band_gives_what_the_whole_matrix_gives() {
    let mut rng = Seed(11).stream("alignment pairs");
    let mut aligner = Aligner::new();
    for _ in 0..300 {
        let (a, b) = related_pair(&mut rng);
        assert_as_full(&mut aligner, &a, &b);
    }
    for _ in 0..20 {
        let (a, b) = (bases(rng.random_range(1..200), &mut rng), bases(rng.random_range(1..200), &mut rng));
        assert_as_full(&mut aligner, &a, &b);
    }
}

#[test]
fn every_pair_of_tiny_sequences_is_aligned_as_by_the_whole_matrix() {
    let mut aligner = Aligner::new();
    let tiny: Vec<Vec<u8>> = (0..=4_u32)
        .flat_map(|length| {
            (0..3_u32.pow(length))
                .map(move |number| (0..length).map(|k| b"ACN"[(number / 3_u32.pow(k) % 3) as usize]).collect())
        })
        .collect();
    for a in &tiny {
        for b in &tiny {
            assert_as_full(&mut aligner, a, b);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn low_complexity_sequences_are_aligned_as_by_the_whole_matrix(
        a in proptest::collection::vec(proptest::sample::select(b"AAT".to_vec()), 0..60),
        b in proptest::collection::vec(proptest::sample::select(b"AAT".to_vec()), 0..60),
    ) {
        assert_as_full(&mut Aligner::new(), &a, &b);
    }

    #[test]
    fn wide_penalties_give_what_narrow_ones_give(
        a in proptest::collection::vec(proptest::sample::select(b"ACGTN".to_vec()), 0..80),
        b in proptest::collection::vec(proptest::sample::select(b"ACGTN".to_vec()), 0..80),
    ) {
        let mut pair = Pair::default();
        pair.read(&a, &b);
        let lone_words = vec![0; b.len() + 1];
        let matrix = Matrix::new(a.len(), b.len(), 4 * (a.len() + b.len()) as i32 + 8, &lone_words);
        let (mut narrow, mut wide) = (Vec::new(), Vec::new());
        let least = Band::<i16>::default().least_penalty(&pair, matrix);
        let penalty = Band::<i16>::default().align(&pair, matrix, &mut narrow);
        prop_assert_eq!(penalty, Band::<i32>::default().align(&pair, matrix, &mut wide));
        prop_assert!(penalty.is_some());
        prop_assert_eq!(penalty, least);
        prop_assert_eq!(narrow, wide);
    }
}

/// Simulated pairs with what vsearch makes of them.
#[test]
fn identities_are_those_of_vsearch() {
    let table = include_str!("../../../tests/fixtures/alignment/vsearch_pairs.tsv");
    let mut aligner = Aligner::new();
    let mut pairs = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [kind, a, b, matches, columns, score, _] = cells[..] else { panic!("seven columns: {line}") };
        let found = aligner.align(a.as_bytes(), b.as_bytes());
        let shown = format!("{kind}\n{a}\n{b}");
        assert_eq!(found.score, score.parse::<i32>().unwrap(), "{shown}");
        let expected = (matches.parse::<usize>().unwrap(), columns.parse::<usize>().unwrap());
        assert_eq!((found.matches, found.inner.len()), expected, "{shown}");
        pairs += 1;
    }
    assert_eq!(pairs, 96);
}

#[test]
fn end_gaps_do_not_count_and_shared_bases_match() {
    assert_eq!(identity(b"ACGTACGTAC", b"GTACGTAC"), 1.0);
    assert_eq!(identity(b"ACGTACGTAC", b"ACGTACGTCC"), 0.9);
    assert_eq!(identity(b"ACGTRCGTAC", b"ACGTACGTAC"), 1.0);
    assert_eq!(identity(b"ACGTYCGTAC", b"ACGTACGTAC"), 0.9);
    assert_eq!(identity(b"NNNNNNNN", b"NNNNNNNN"), 1.0);
    assert_eq!(identity(b"", b"ACGT"), 0.0);
    assert_eq!(identity(b"", b""), 0.0);
}

#[test]
fn columns_show_both_sequences_in_full() {
    let a = b"AAAACCCCGGGGTTTTACGTACGTGGCCATATATCCGG";
    let b = b"CCCCGGGGTTTTACGTTTTACGTGGCCATATATCCGGA";
    let found = align(a, b);
    let side = |which: usize| -> Vec<u8> {
        found.columns.iter().map(|column| column[which]).filter(|&letter| letter != b'-').collect()
    };
    assert_eq!((side(0), side(1)), (a.to_vec(), b.to_vec()));
    assert!(found.inner.clone().all(|column| found.inner.start <= column));
    assert_eq!((0..found.columns.len()).filter(|&column| found.matches_at(column)).count(), found.matches);
    assert_eq!(found.columns[..found.inner.start], [[b'A', b'-']; 4]);
    assert_eq!(found.columns[found.inner.end..], [[b'-', b'A']; 1]);
}

#[test]
fn sequences_too_long_for_small_numbers_are_aligned_too() {
    let mut rng = Seed(12).stream("long alignment");
    let a = bases(5_000, &mut rng);
    let mut b = with_substitutions(&a, 0.02, &mut rng);
    b.drain(2_000..2_030);
    assert!(!Band::<i16>::holds(a.len(), b.len()));
    let found = align(&a, &b);
    assert_eq!(found.inner.len(), 5_000);
    assert!((found.identity() - (4_970.0 * 0.985 / 5_000.0)).abs() < 0.006, "{}", found.identity());
}
