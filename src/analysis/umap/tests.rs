use super::*;
use crate::progress::{Progress, Silent};
use rand_distr::Distribution;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn reference() -> serde_json::Value {
    serde_json::from_str(include_str!("../../../tests/fixtures/reference/analysis.json")).unwrap()
}

fn matrix<T: serde::de::DeserializeOwned + Clone>(value: &serde_json::Value) -> Array2<T> {
    let rows: Vec<Vec<T>> = serde_json::from_value(value.clone()).unwrap();
    let columns = rows[0].len();
    Array2::from_shape_vec((rows.len(), columns), rows.concat()).unwrap()
}

/// The reference's neighbours without each point itself, which stands first in its own row.
fn reference_neighbours(case: &serde_json::Value) -> NeighbourGraph {
    let index = matrix::<u32>(&case["umap"]["knn_index"]);
    let distance = matrix::<f32>(&case["umap"]["knn_cosine_distance"]);
    assert!(index.column(0).iter().zip(0u32..).all(|(&first, row)| first == row));
    NeighbourGraph {
        index: index.slice(ndarray::s![.., 1..]).to_owned(),
        distance: distance.slice(ndarray::s![.., 1..]).to_owned(),
    }
}

fn close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1e-3), "{what} {row}: {a} for {b}");
    }
}

/// `clusters` tight groups of `size` points in `dim` dimensions, one after the other.
fn groups(clusters: usize, size: usize, dim: usize) -> Array2<f32> {
    let mut rng = Seed(11).stream("test");
    let normal = StandardNormal;
    let centres = Array2::from_shape_fn((clusters, dim), |_| {
        let draw: f32 = normal.sample(&mut rng);
        3.0 * draw
    });
    Array2::from_shape_fn((clusters * size, dim), |(row, axis)| {
        let draw: f32 = normal.sample(&mut rng);
        centres[[row / size, axis]] + 0.4 * draw
    })
}

#[test]
fn sigma_and_rho_agree_with_umap_learn() {
    let case = reference();
    let (sigma, rho) = smooth_distances(reference_neighbours(&case).distance.view());
    let expected = |key: &str| -> Vec<f32> { serde_json::from_value(case["umap"][key].clone()).unwrap() };
    close(&rho, &expected("rho"), 0.0, "rho");
    close(&sigma, &expected("sigma"), 1e-6, "sigma");
}

#[test]
fn the_fuzzy_graph_agrees_with_umap_learn() {
    let case = reference();
    let graph = FuzzyGraph::from_neighbours(&reference_neighbours(&case));
    let expected = &case["umap"]["graph"];
    let targets: Vec<u32> = serde_json::from_value(expected["col"].clone()).unwrap();
    let weights: Vec<f32> = serde_json::from_value(expected["weight"].clone()).unwrap();
    let rows: Vec<usize> = serde_json::from_value(expected["row"].clone()).unwrap();
    let starts: Vec<usize> = (0..=300).map(|row| rows.partition_point(|&r| r < row)).collect();
    assert_eq!(graph.starts, starts);
    assert_eq!(graph.targets, targets);
    close(&graph.weights, &weights, 1e-4, "weight");
}

#[test]
fn own_neighbours_are_those_of_the_reference() {
    let case = reference();
    let x = matrix::<f32>(&case["x"]);
    let expected = reference_neighbours(&case);
    let found = NeighbourGraph::cosine(&x.view(), 14, Seed(1), &Silent).unwrap();
    assert_eq!(found.index, expected.index);
    let gap = (&found.distance - &expected.distance).iter().fold(0.0f32, |gap, d| gap.max(d.abs()));
    assert!(gap < 1e-5, "{gap}");
}

#[test]
fn euclidean_neighbours_agree_with_brute_force() {
    let mut x = groups(5, 20, 6);
    x += 1000.0; // far from the origin, where the fast formula alone would lose its digits
    let found = NeighbourGraph::euclidean(x.view(), 7, &Silent).unwrap();
    for row in 0..100 {
        let distance = |other: usize| {
            x.row(row).iter().zip(x.row(other)).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt()
        };
        let mut others: Vec<usize> = (0..100).filter(|&other| other != row).collect();
        others.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
        for (column, &other) in others[..7].iter().enumerate() {
            let (index, found) = (found.index[[row, column]] as usize, f64::from(found.distance[[row, column]]));
            assert!((found - distance(other)).abs() < 1e-3, "row {row}: {index} at {found}, not {other}");
        }
    }
}

#[test]
fn groups_stay_together_and_apart() {
    for (metric, start, components) in [
        (Metric::Cosine, Start::Spectral, 2),
        (Metric::Euclidean, Start::Pca, 2),
        (Metric::Euclidean, Start::Spectral, 5),
    ] {
        let x = groups(6, 40, 10);
        let settings = UmapSettings { metric, start, components, ..UmapSettings::default() };
        let map = umap(&x, &settings, &Silent).unwrap();
        assert_eq!(map.dim(), (240, components));
        let trust = trustworthiness(x.view(), map.view(), 10, metric, &Silent).unwrap();
        assert!(trust > 0.93, "{settings:?}: {trust}");
        // Every point's nearest neighbours on the map are of its own group.
        let near = NeighbourGraph::euclidean(map.view(), 5, &Silent).unwrap();
        let own = near.index.indexed_iter().filter(|&((row, _), &other)| row / 40 == other as usize / 40).count();
        assert!(own >= 1190, "{settings:?}: {own} of 1200");
    }
}

#[test]
fn a_seed_gives_one_map_on_any_number_of_threads() {
    let x = groups(7, 30, 8);
    let with = |threads, seed| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let settings = UmapSettings { seed: Seed(seed), epochs: Some(60), ..UmapSettings::default() };
        pool.install(|| umap(&x, &settings, &Silent).unwrap())
    };
    assert_eq!(with(1, 4), with(3, 4));
    assert_ne!(with(1, 4), with(1, 5));
}

#[test]
fn degenerate_sizes_have_a_map() {
    for metric in [Metric::Cosine, Metric::Euclidean] {
        for start in [Start::Spectral, Start::Pca] {
            let settings = UmapSettings { metric, start, epochs: Some(50), ..UmapSettings::default() };
            for n in [0, 1, 2, 3, 4, 14, 15, 16] {
                let map = umap(&groups(1, n, 4), &settings, &Silent).unwrap();
                assert_eq!(map.dim(), (n, 2));
                assert!(map.iter().all(|value| value.is_finite()), "{n} points, {settings:?}");
            }
            let duplicates = Array2::from_elem((40, 3), 0.5f32);
            let map = umap(&duplicates, &settings, &Silent).unwrap();
            assert!(map.iter().all(|value| value.is_finite()), "duplicates, {settings:?}");
            let zeros = Array2::<f32>::zeros((20, 3));
            assert!(umap(&zeros, &settings, &Silent).unwrap().iter().all(|value| value.is_finite()));
        }
    }
    let many = UmapSettings { components: 50, epochs: Some(20), ..UmapSettings::default() };
    assert_eq!(umap(&groups(2, 30, 3), &many, &Silent).unwrap().dim(), (60, 50));
}

#[test]
fn bad_settings_and_values_are_named() {
    let x = groups(2, 10, 3);
    for settings in [
        UmapSettings { neighbours: 1, ..UmapSettings::default() },
        UmapSettings { min_dist: 1.5, ..UmapSettings::default() },
        UmapSettings { min_dist: f32::NAN, ..UmapSettings::default() },
        UmapSettings { components: 0, ..UmapSettings::default() },
        UmapSettings { components: 51, ..UmapSettings::default() },
    ] {
        assert!(matches!(umap(&x, &settings, &Silent), Err(UmapError::Setting { .. })), "{settings:?}");
    }
    let mut holed = x.clone();
    holed[[7, 1]] = f32::NAN;
    assert_eq!(umap(&holed, &UmapSettings::default(), &Silent), Err(UmapError::NotFinite { row: 7 }));
    let neighbours = NeighbourGraph::cosine(&x.view(), 3, Seed(1), &Silent).unwrap();
    let other = groups(1, 5, 3);
    assert!(matches!(
        umap_of_graph(&neighbours, &other, &UmapSettings::default(), &Silent),
        Err(UmapError::Mismatch { neighbours: 20, vectors: 5 })
    ));
}

#[test]
fn a_cancelled_map_stops_and_pictures_are_shown() {
    struct Watch {
        epochs_left: AtomicUsize,
        pictures: AtomicUsize,
    }
    impl Observer for Watch {
        fn progress(&self, at: Progress) -> Result<(), Cancelled> {
            if at.unit != "epochs" {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
            let left = self.epochs_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            left.map(|_| ()).map_err(|_| Cancelled)
        }
        fn picture(&self, points: &Arc<Vec<[f32; 2]>>) {
            assert_eq!(points.len(), 300);
            self.pictures.fetch_add(1, Ordering::Relaxed);
        }
    }
    let watch = |epochs_left| Watch { epochs_left: AtomicUsize::new(epochs_left), pictures: AtomicUsize::new(0) };
    let x = groups(3, 100, 6);
    let settings = UmapSettings::default();
    // Long enough, by the sleep above, that a picture must have been shown before the end.
    let watcher = watch(32);
    assert_eq!(umap(&x, &settings, &watcher), Err(UmapError::Cancelled(Cancelled)));
    assert!(watcher.pictures.into_inner() > 0);
    assert_eq!(umap(&x, &settings, &watch(0)), Err(UmapError::Cancelled(Cancelled)));
}
