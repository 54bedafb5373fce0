//! The search against the double loop.

use super::search::{TILE, panel_rows};
use super::*;
use crate::progress::{Progress, Silent};
use crate::seed::Seed;
use ndarray::{ArrayView2, array};
use proptest::prelude::*;
use rand::Rng;

/// The double loop, with its own arithmetic.
fn brute(
    queries: ArrayView2<f32>,
    references: ArrayView2<f32>,
    k: usize,
    excluded: &dyn Fn(usize, usize) -> bool,
) -> Neighbours {
    let mut found = Neighbours::nothing(queries.nrows(), k);
    for (q, query) in queries.rows().into_iter().enumerate() {
        let mut all: Vec<(f32, usize)> = Vec::new();
        for (r, reference) in references.rows().into_iter().enumerate() {
            let sum = |a: ndarray::ArrayView1<f32>, b: ndarray::ArrayView1<f32>| -> f64 {
                a.iter().zip(b).fold(0.0, |sum, (&a, &b)| sum + f64::from(a) * f64::from(b))
            };
            let lengths = (sum(query, query) * sum(reference, reference)).sqrt();
            let similarity = if lengths == 0.0 { 0.0 } else { sum(query, reference) / lengths };
            let usable = query.iter().chain(reference).all(|value| value.is_finite());
            if usable && !excluded(q, r) {
                all.push((similarity as f32, r));
            }
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (at, (similarity, r)) in all.into_iter().take(k).enumerate() {
            found.index[[q, at]] = r as u32;
            found.similarity[[q, at]] = similarity;
        }
    }
    found
}

fn all(queries: &Array2<f32>, references: &Array2<f32>, k: usize) -> Neighbours {
    nearest(queries, references, k, &|_, _| false, &Silent).unwrap()
}

fn random(rows: usize, dim: usize, name: &str) -> Array2<f32> {
    let mut rng = Seed(3).stream(name);
    Array2::from_shape_simple_fn((rows, dim), || rng.random_range(-1.0..1.0))
}

#[test]
fn finds_what_the_double_loop_finds_across_tiles_and_blocks() {
    let references = random(2 * TILE + 77, 33, "references");
    let queries = random(TILE + 9, 33, "queries");
    let found = all(&queries, &references, 7);
    assert_eq!(found, brute(queries.view(), references.view(), 7, &|_, _| false));
}

#[test]
fn finds_what_the_double_loop_finds_across_panels() {
    let references = random(panel_rows(3) + 1000, 3, "references");
    let queries = random(5, 3, "queries");
    assert_eq!(all(&queries, &references, 20), brute(queries.view(), references.view(), 20, &|_, _| false));
}

/// All similarities lie within the rounding of the matrix kernel; only the second scoring can tell them apart.
#[test]
fn tells_apart_what_the_matrix_product_cannot() {
    let mut rng = Seed(5).stream("near");
    let base = random(1, 768, "base");
    let mut near = |rows| {
        let reach = Array2::from_shape_simple_fn((rows, 1), || rng.random_range(1e-5f32..2e-3));
        &base + Array2::from_shape_fn((rows, 768), |(row, _)| rng.random_range(-1.0..1.0) * reach[[row, 0]])
    };
    let (references, queries) = (near(1200), near(20));
    assert_eq!(all(&queries, &references, 5), brute(queries.view(), references.view(), 5, &|_, _| false));
}

#[test]
fn identical_vectors_are_equally_similar_wherever_they_stand_and_the_earlier_wins() {
    let mut references = random(3 * TILE + 5, 101, "references");
    let copy = references.row(3).to_owned();
    let places = [3, 4, TILE - 1, TILE, 2 * TILE + 3, 3 * TILE + 4];
    places.into_iter().for_each(|place| references.row_mut(place).assign(&copy));
    // A copy of another length is just as similar: halving is exact.
    references.row_mut(TILE).mapv_inplace(|value| value / 2.0);
    let mut query = copy.to_shape((1, 101)).unwrap().to_owned();
    query[[0, 0]] += 0.1;
    let found = all(&query, &references, places.len());
    assert_eq!(found.index.row(0).to_vec(), places.map(|place| place as u32));
    assert!(found.similarity.iter().all(|&similarity| similarity == found.similarity[[0, 0]]));
    assert_eq!(all(&references, &references, 1).similarity.row(3)[0], 1.0);
}

#[test]
fn threads_change_nothing() {
    let references = random(900, 20, "references");
    let queries = random(700, 20, "queries");
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| all(&queries, &references, 4))
    };
    assert_eq!(with(1), with(5));
}

#[test]
fn a_specimen_left_out_finds_the_others() {
    let vectors = random(300, 8, "vectors");
    let found = nearest(&vectors, &vectors, 299, &|q, r| q == r, &Silent).unwrap();
    assert_eq!(found, brute(vectors.view(), vectors.view(), 299, &|q, r| q == r));
    assert!((0..300).all(|row| found.of(row).count() == 299 && found.of(row).all(|(r, _)| r as usize != row)));
}

#[test]
fn searches_among_chosen_rows_and_names_them_by_their_own_number() {
    let vectors = random(60, 5, "vectors");
    let rows: Vec<u32> = (0..60).filter(|row| row % 7 < 3).collect();
    let odd = |_: usize, r: usize| r % 2 == 1;
    let found = nearest_among(&vectors, &vectors, &rows, 30, &odd, &Silent).unwrap();
    let not_chosen = |_: usize, r: usize| r % 7 >= 3 || r % 2 == 1;
    assert_eq!(found, brute(vectors.view(), vectors.view(), 30, &not_chosen));
}

#[test]
fn zeros_are_similar_to_nothing_and_what_is_not_finite_is_never_chosen() {
    let references = array![[f32::NAN, 1.0], [0.0, 0.0], [-1.0, 0.0], [f32::INFINITY, 0.0], [1e-42, 1e-42]];
    let queries = array![[3e38, 0.0], [0.0, 0.0], [f32::NAN, 0.0]];
    let found = all(&queries, &references, 4);
    let none = Neighbours::NONE;
    assert_eq!(found.index, array![[4, 1, 2, none], [1, 2, 4, none], [none; 4]]);
    let half = 0.5f32.sqrt();
    let least = f32::NEG_INFINITY;
    assert_eq!(found.similarity, array![[half, 0.0, -1.0, least], [0.0, 0.0, 0.0, least], [least; 4]]);
}

#[test]
fn empty_sides_and_no_dimensions_are_answered() {
    let some = random(3, 4, "some");
    let none = Array2::zeros((0, 4));
    assert_eq!(all(&none, &some, 2).index.dim(), (0, 2));
    assert_eq!(all(&some, &none, 2).index, Array2::from_elem((3, 2), Neighbours::NONE));
    assert_eq!(all(&some, &some, 0).index.dim(), (3, 0));
    let flat = Array2::zeros((2, 0));
    assert_eq!(all(&flat, &flat, 1).index, array![[0], [0]]);
}

#[test]
fn stops_when_told_to() {
    struct Stop;
    impl Observer for Stop {
        fn progress(&self, at: Progress) -> Result<(), Cancelled> {
            if at.done > 0 { Err(Cancelled) } else { Ok(()) }
        }
    }
    let vectors = random(2000, 4, "vectors");
    assert_eq!(nearest(&vectors, &vectors, 1, &|_, _| false, &Stop), Err(Cancelled));
}

proptest! {
    /// Small whole numbers give many exact ties, zeros and copies.
    #[test]
    fn agrees_with_the_double_loop(
        (dim, values, references) in (1usize..20).prop_flat_map(|dim| {
            (Just(dim), prop::collection::vec(prop_oneof![20 => (-2i8..3).prop_map(f32::from), 1 => Just(f32::NAN)], dim * 60), 0usize..60)
        }),
        k in 0usize..12,
        out in 1usize..9,
    ) {
        let vectors = Array2::from_shape_vec((60, dim), values).unwrap();
        let (queries, references) = (vectors.slice(s![references.., ..]), vectors.slice(s![..references, ..]));
        let excluded = |q: usize, r: usize| (q + r) % out == 1;
        let found = nearest(&queries, &references, k, &excluded, &Silent).unwrap();
        prop_assert_eq!(found, brute(queries, references, k, &excluded));
    }
}

#[test]
fn overlap_is_the_share_of_common_neighbours() {
    let none = Neighbours::NONE;
    let list = |index: Vec<[u32; 3]>| {
        let index = Array2::from_shape_fn((index.len(), 3), |(query, rank)| index[query][rank]);
        Neighbours { similarity: index.mapv(|at| if at == none { f32::NEG_INFINITY } else { 0.5 }), index }
    };
    let ours = list(vec![[1, 2, 3], [0, 2, 3], [0, none, none], [none; 3], [none; 3]]);
    let theirs = list(vec![[3, 1, 2], [2, 5, 6], [4, 5, 6], [1, 2, none], [none; 3]]);
    assert_eq!(ours.overlap(&theirs), [1.0, 0.2, 0.0, 0.0, 1.0]);
}
