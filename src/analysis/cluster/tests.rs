use super::*;
use crate::analysis::agreement::agreement;
use crate::progress::{Progress, Silent};
use crate::seed::Seed;
use ndarray::array;
use proptest::prelude::*;
use rand::Rng;
use rand_distr::StandardNormal;
use std::sync::atomic::{AtomicUsize, Ordering};

fn codes(labels: &[i32]) -> Vec<u32> {
    labels.iter().map(|&label| u32::try_from(label).expect("no noise here")).collect()
}

fn same_partition(a: &[i32], b: &[i32]) -> bool {
    let renumbered = |labels: &[i32]| Clusters::of(labels.iter().copied()).labels;
    renumbered(a) == renumbered(b)
}

/// `sizes.len()` groups in `dim` dimensions, centres of length about 1, members `spread` from them; with the group of each row.
fn simulated(sizes: &[usize], dim: usize, spread: f32, seed: u64) -> (Array2<f32>, Vec<u32>) {
    let mut rng = Seed(seed).stream("test");
    let (mut rows, mut truth): (Vec<f32>, Vec<u32>) = (Vec::new(), Vec::new());
    for (group, &size) in (0u32..).zip(sizes) {
        let centre: Vec<f32> = (0..dim).map(|_| rng.sample::<f32, _>(StandardNormal)).collect();
        for _ in 0..size {
            rows.extend(centre.iter().map(|c| c + spread * rng.sample::<f32, _>(StandardNormal)));
            truth.push(group);
        }
    }
    (Array2::from_shape_vec((truth.len(), dim), rows).unwrap(), truth)
}

fn threshold(linkage: Linkage, threshold: f32) -> Recipe {
    Recipe::Threshold { linkage, threshold: Some(threshold) }
}

/// kodama over the whole matrix of distances, cut at `highest` or down to `clusters`.
fn kodama_twin(vectors: &Array2<f32>, method: kodama::Method, cut: Result<f64, usize>) -> Vec<i32> {
    let n = vectors.nrows();
    let unit = unit_rows(vectors.view());
    let distance = |i: usize, j: usize| -> f64 {
        let pairs = |v: &Array2<f32>| -> Vec<(f64, f64)> {
            v.row(i).iter().zip(v.row(j)).map(|(&a, &b)| (f64::from(a), f64::from(b))).collect()
        };
        match method {
            kodama::Method::Ward => pairs(vectors).iter().map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt(),
            _ => 1.0 - pairs(&unit).iter().map(|(a, b)| a * b).sum::<f64>(),
        }
    };
    let mut condensed: Vec<f64> =
        (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| distance(i, j)).collect();
    let tree = kodama::linkage(&mut condensed, n, method);
    let mut sets = Sets::new(n);
    let mut member: Vec<usize> = (0..n).collect();
    for (number, step) in tree.steps().iter().enumerate() {
        let apply = match cut {
            Ok(highest) => step.dissimilarity <= highest,
            Err(clusters) => number < n - clusters,
        };
        if apply {
            sets.join(member[step.cluster1], member[step.cluster2]);
        }
        member.push(member[step.cluster1]);
    }
    sets.labels().into_iter().map(|label| label as i32).collect()
}

#[test]
fn ward_agrees_with_scikit_learn() {
    let case: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/fixtures/reference/analysis.json")).unwrap();
    let rows: Vec<Vec<f32>> = serde_json::from_value(case["x"].clone()).unwrap();
    let x = Array2::from_shape_vec((300, 16), rows.concat()).unwrap();
    let expected: Vec<i32> = serde_json::from_value(case["ward12"].clone()).unwrap();
    let found = cluster(x.view(), &Recipe::Ward { clusters: 12 }, &Silent).unwrap();
    assert!(same_partition(&found.labels, &expected));
    assert_eq!(found.found, 12);
}

#[test]
fn linkages_agree_with_kodama_over_all_distances() {
    let (x, _) = simulated(&[1, 2, 9, 20, 30, 5, 1, 17], 6, 0.5, 3);
    for height in [0.0f32, 0.02, 0.1, 0.2, 0.4, 0.7, 1.0, 2.0] {
        for (linkage, method) in
            [(Linkage::Average, kodama::Method::Average), (Linkage::Single, kodama::Method::Single)]
        {
            let found = cluster(x.view(), &threshold(linkage, height), &Silent).unwrap();
            let expected = kodama_twin(&x, method, Ok(f64::from(height)));
            assert!(same_partition(&found.labels, &expected), "{linkage:?} at {height}");
        }
    }
    for clusters in [1, 2, 7, 40, 85] {
        let found = cluster(x.view(), &Recipe::Ward { clusters }, &Silent).unwrap();
        assert!(same_partition(&found.labels, &kodama_twin(&x, kodama::Method::Ward, Err(clusters))), "{clusters}");
        assert_eq!(found.found, clusters);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn average_linkage_by_means_by_matrix_and_by_kodama_agree(seed in 0u64..1000, height in 0.05f32..1.2, spread in 0.1f32..1.5) {
        let (x, _) = simulated(&[7, 1, 12, 4, 9], 5, spread, seed);
        let unit = unit_rows(x.view());
        let everything = f32::INFINITY;
        let by_means = agglomerate(&mut Means::new(unit.view(), Between::AverageCosine), everything, &Silent).unwrap();
        let matrix = cosine_distances(&unit, &Silent).unwrap();
        let by_matrix = agglomerate(&mut AverageOfMatrix::new(matrix), everything, &Silent).unwrap();
        let heights = |merges: &[Merge]| {
            let mut heights: Vec<f32> = merges.iter().map(|merge| merge.height).collect();
            heights.sort_by(f32::total_cmp);
            heights
        };
        prop_assert_eq!(by_means.len(), 32);
        for (a, b) in heights(&by_means).iter().zip(&heights(&by_matrix)) {
            prop_assert!((a - b).abs() < 1e-5);
        }
        // Not where rounding decides.
        prop_assume!(heights(&by_matrix).iter().all(|merge| (merge - height).abs() > 1e-5));
        let found = cluster(x.view(), &threshold(Linkage::Average, height), &Silent).unwrap();
        prop_assert!(same_partition(&found.labels, &kodama_twin(&x, kodama::Method::Average, Ok(f64::from(height)))));
    }
}

#[test]
fn single_linkage_spans_blocks() {
    // A chain of small steps on the circle, longer than a block, shuffled, and one point on the far side.
    let n = 601;
    let angle = |row: usize| if row == 600 { 3.0f32 } else { ((row * 7) % 600) as f32 * 0.002 };
    let circle =
        Array2::from_shape_fn((n, 2), |(row, axis)| if axis == 0 { angle(row).cos() } else { angle(row).sin() });
    let found = cluster(circle.view(), &threshold(Linkage::Single, 1e-5), &Silent).unwrap();
    assert_eq!(found.found, 2);
    assert!(found.labels[..600].iter().all(|&label| label == 0) && found.labels[600] == 1);
}

#[test]
fn hdbscan_finds_groups_noise_and_heaps_of_duplicates() {
    let (groups, truth) = simulated(&[40, 40, 40], 60, 0.2, 9);
    let found = cluster(groups.view(), &Recipe::Hdbscan { min_size: 5 }, &Silent).unwrap();
    assert_eq!(found.found, 3);
    let kept: Vec<usize> = (0..120).filter(|&row| found.labels[row] >= 0).collect();
    assert!(kept.len() > 100);
    let of = |row: &usize| (found.labels[*row], truth[*row]);
    assert!(kept.iter().all(|a| kept.iter().all(|b| (of(a).0 == of(b).0) == (of(a).1 == of(b).1))));

    let mut heaps = Array2::from_shape_fn((31, 2), |(row, axis)| if (row < 15) == (axis == 0) { 1.0 } else { 0.0 });
    heaps.row_mut(30).assign(&array![-1.0, -1.0]);
    let found = cluster(heaps.view(), &Recipe::Hdbscan { min_size: 4 }, &Silent).unwrap();
    assert_eq!((found.found, found.labels[0], found.labels[20], found.labels[30]), (2, 0, 1, -1));
}

/// Sixty genera of two species: the fifty directions of largest variance hold genera alone, and not even all of them.
#[test]
fn hdbscan_looks_in_all_dimensions() {
    let mut rng = Seed(6).stream("test");
    let (genera, specimens) = (60, 4);
    let x = Array2::from_shape_fn((2 * genera * specimens, 3 * genera), |(row, axis)| {
        let species = row / specimens;
        let own = match axis {
            _ if axis == species / 2 => 2.0,
            _ if axis == genera + species => 0.8,
            _ => 0.0,
        };
        own + 0.01 * rng.sample::<f32, _>(StandardNormal)
    });
    let truth: Vec<u32> = (0..x.nrows()).map(|row| (row / specimens) as u32).collect();
    let found = cluster(x.view(), &Recipe::Hdbscan { min_size: 3 }, &Silent).unwrap();
    let alone: Vec<u32> =
        (1000..).zip(&found.labels).map(|(own, &label)| u32::try_from(label).unwrap_or(own)).collect();
    let score = agreement(&truth, &alone).ami;
    assert!(score > 0.95, "{} clusters, AMI {score}", found.found);
}

/// The suggestion must recover groups of any spread, size and number of dimensions as well as nearly the best threshold does.
#[test]
fn the_suggested_threshold_finds_groups_of_any_spread() {
    let sizes: [&[usize]; 3] = [&[8; 40], &[2; 60], &[1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 1, 2, 2, 4, 9, 1, 1, 30]];
    for (dim, spread) in [(20, 0.02f32), (20, 0.1), (20, 0.2), (100, 0.05), (100, 0.3), (400, 0.02), (400, 0.5)] {
        for (kind, sizes) in sizes.iter().enumerate() {
            let (x, truth) = simulated(sizes, dim, spread, 17 + kind as u64);
            let recipe = Recipe::Threshold { linkage: Linkage::Average, threshold: None };
            let found = cluster(x.view(), &recipe, &Silent).unwrap();
            assert_eq!(found.threshold, found.suggested);
            let score = agreement(&truth, &codes(&found.labels)).ari;
            assert!(
                score > 0.97,
                "{dim} dimensions, spread {spread}, sizes {kind}: ARI {score}, {:?}",
                found.suggested
            );
        }
    }
}

/// Species within genera, each level with its own spread, as barcodes have them: the species' level is meant.
#[test]
fn the_suggested_threshold_prefers_species_to_genera() {
    for (species_spread, specimen_spread) in [(0.5f32, 0.05f32), (0.7, 0.1), (0.4, 0.02)] {
        let mut rng = Seed(4).stream("test");
        let mut normal =
            |scale: f32| -> Vec<f32> { (0..64).map(|_| scale * rng.sample::<f32, _>(StandardNormal)).collect() };
        let (mut rows, mut truth): (Vec<f32>, Vec<u32>) = (Vec::new(), Vec::new());
        for genus in 0..15 {
            let centre = normal(1.0);
            for species in 0..6 {
                let offset = normal(species_spread);
                for _ in 0..1 + (genus + species) % 7 {
                    let own = normal(specimen_spread);
                    rows.extend((0..64).map(|axis| centre[axis] + offset[axis] + own[axis]));
                    truth.push(genus * 6 + species);
                }
            }
        }
        let x = Array2::from_shape_vec((truth.len(), 64), rows).unwrap();
        let recipe = Recipe::Threshold { linkage: Linkage::Average, threshold: None };
        let found = cluster(x.view(), &recipe, &Silent).unwrap();
        let score = agreement(&truth, &codes(&found.labels)).ari;
        assert!(score > 0.97, "{species_spread}, {specimen_spread}: ARI {score} at {:?}", found.suggested);
    }
}

#[test]
fn degenerate_sizes_are_grouped() {
    let recipes = |points: usize| {
        [
            Recipe::Threshold { linkage: Linkage::Average, threshold: None },
            threshold(Linkage::Single, 0.1),
            Recipe::Hdbscan { min_size: 2 },
            Recipe::Ward { clusters: points.max(1) },
        ]
    };
    for points in 0..4 {
        let x = Array2::from_shape_fn((points, 3), |(row, axis)| if row == axis { 1.0 } else { 0.1 });
        for recipe in recipes(points) {
            let found = match cluster(x.view(), &recipe, &Silent) {
                Err(ClusterError::NoGap) if points > 1 => continue,
                outcome => outcome.unwrap(),
            };
            assert_eq!(found.labels.len(), points, "{recipe}");
            assert!(found.found <= points);
        }
    }
    let same = Array2::from_elem((30, 4), 0.3f32);
    let found =
        cluster(same.view(), &Recipe::Threshold { linkage: Linkage::Average, threshold: None }, &Silent).unwrap();
    assert_eq!((found.found, found.suggested), (1, None));
    assert_eq!(cluster(same.view(), &threshold(Linkage::Single, 0.0), &Silent).unwrap().found, 1);
    assert_eq!(cluster(same.view(), &Recipe::Ward { clusters: 3 }, &Silent).unwrap().found, 3);
    // Zeros have a direction towards nothing: each is alone.
    let zeros = Array2::<f32>::zeros((3, 2));
    assert_eq!(cluster(zeros.view(), &threshold(Linkage::Single, 0.5), &Silent).unwrap().found, 3);
}

#[test]
fn bad_settings_and_values_are_named() {
    let x = array![[1.0f32, 0.0], [0.0, 1.0]];
    for recipe in [
        threshold(Linkage::Average, -0.1),
        threshold(Linkage::Average, f32::NAN),
        Recipe::Hdbscan { min_size: 1 },
        Recipe::Ward { clusters: 0 },
        Recipe::Ward { clusters: 3 },
    ] {
        let outcome = cluster(x.view(), &recipe, &Silent);
        assert!(matches!(outcome, Err(ClusterError::Setting { .. })), "{recipe}: {outcome:?}");
    }
    // Sixty strangers: nothing says where a group would end.
    let (strangers, _) = simulated(&[1; 60], 50, 0.1, 1);
    let automatic = Recipe::Threshold { linkage: Linkage::Average, threshold: None };
    assert_eq!(cluster(strangers.view(), &automatic, &Silent), Err(ClusterError::NoGap));
    let holed = array![[1.0f32, 0.0], [0.0, f32::INFINITY]];
    let outcome = cluster(holed.view(), &threshold(Linkage::Single, 0.1), &Silent);
    assert_eq!(outcome, Err(ClusterError::NotFinite { row: 1 }));
}

#[test]
fn every_recipe_can_be_cancelled_at_any_time() {
    struct After(AtomicUsize);
    impl Observer for After {
        fn progress(&self, _at: Progress) -> Result<(), Cancelled> {
            let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
            left.map(|_| ()).map_err(|_| Cancelled)
        }
    }
    let (x, _) = simulated(&[20, 20], 60, 0.3, 1);
    let recipes = [threshold(Linkage::Average, 0.5), Recipe::Hdbscan { min_size: 3 }, Recipe::Ward { clusters: 2 }];
    for recipe in recipes {
        for calls in [0, 2, 6] {
            let outcome = cluster(x.view(), &recipe, &After(AtomicUsize::new(calls)));
            assert_eq!(outcome, Err(ClusterError::Cancelled(Cancelled)), "{recipe} after {calls}");
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let (x, _) = simulated(&[40; 15], 210, 0.3, 2);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let run = |recipe| cluster(x.view(), &recipe, &Silent).unwrap();
            let automatic = Recipe::Threshold { linkage: Linkage::Average, threshold: None };
            [run(automatic), run(Recipe::Ward { clusters: 9 }), run(Recipe::Hdbscan { min_size: 4 })]
        })
    };
    assert_eq!(with(1), with(3));
}
