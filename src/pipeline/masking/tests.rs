use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::data::frame::FrameProfile;
use crate::data::taxonomy::Field;
use crate::model::{DeviceChoice, OpenOptions};
use crate::pipeline::Method;
use crate::pipeline::evaluate::{EvaluateSettings, evaluate};
use crate::progress::{Cancelled, Progress, Silent};
use rand::Rng;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

fn reference(name: &str) -> Model {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name);
    Model::open(&path, &OpenOptions { device: DeviceChoice::Cpu, ..OpenOptions::default() }).unwrap()
}

fn mutated(sequence: &[u8], share: f64, rng: &mut impl Rng) -> Vec<u8> {
    let change = |&base: &u8| if rng.random_bool(share) { b"ACGT"[rng.random_range(0..4)] } else { base };
    sequence.iter().map(change).collect()
}

/// 5 genera of 3 species of 4 specimens; the last species of a genus is unseen, the last specimen of the others is a test.
pub(in crate::pipeline) fn survey(splits: bool, short: usize) -> Dataset {
    let root = FrameProfile::bundled().consensus();
    let mut rng = Seed(11).stream("invented barcodes");
    let mut builder = DatasetBuilder::new("survey", Vec::new());
    for (genus, species) in (0..5).flat_map(|genus| (0..3).map(move |species| (genus, species))) {
        let mut of_genus = Seed(genus).stream("genus");
        let of_species = mutated(&mutated(&root, 0.15, &mut of_genus), 0.06, &mut rng);
        for specimen in 0..4 {
            let split = if species == 2 {
                "test_unseen"
            } else if specimen == 3 {
                "test"
            } else {
                "train"
            };
            let mut labels = std::collections::HashMap::from([
                (Field::Genus, format!("Inventa{genus}")),
                (Field::Species, format!("Inventa{genus} s{species}")),
                (Field::Bin, format!("BOLD:I{genus}{species}")),
            ]);
            if splits {
                labels.insert(Field::Split, split.to_owned());
            }
            let sequence = mutated(&of_species, 0.01, &mut rng);
            builder.push(Record { id: format!("I{genus}{species}{specimen}"), sequence, labels, ..Record::default() });
        }
    }
    for at in 0..short {
        let labels = [(Field::Genus, "Brevis".to_owned()), (Field::Split, "test".to_owned())].into();
        let sequence = root[at..at + 7].to_vec();
        builder.push(Record { id: format!("short{at}"), sequence, labels, ..Record::default() });
    }
    builder.finish()
}

fn settings(ratios: &[f64], modes: &[MaskMode]) -> MaskingSettings {
    MaskingSettings {
        ratios: ratios.to_vec(),
        modes: modes.to_vec(),
        seeds: 2,
        transform: Some(TransformKind::Centre),
        ..MaskingSettings::default()
    }
}

fn values<'a>(report: &'a MaskingReport, task: &str, metric: &str) -> Vec<&'a MaskingRow> {
    report.rows.iter().filter(|row| row.task == task && row.metric == metric).collect()
}

#[test]
fn with_nothing_masked_the_numbers_are_those_of_the_benchmark() {
    let (dataset, model) = (survey(true, 0), reference("mae_k4.safetensors"));
    let report =
        masking(&dataset, std::slice::from_ref(&model), &settings(&[0.0], &[MaskMode::Drop]), &Silent).unwrap();
    let expected = EvaluateSettings { transform: Some(TransformKind::Centre), ..EvaluateSettings::default() };
    let expected = evaluate(&dataset, &model, &expected, None, &Silent).unwrap();
    let mut compared = 0;
    for (name, method) in [(model.info().name.as_str(), Method::Model), (RANDOM, Method::Random)] {
        for row in report.rows.iter().filter(|row| row.model == name && row.seed == 1 && row.task != "drift") {
            let rank = if row.task == "bin_reconstruction" { Field::Bin } else { Field::Genus };
            let same = expected.results.iter().find(|other| {
                (other.task, other.metric, other.method, other.rank) == (row.task, row.metric, method, rank)
            });
            let same = same.unwrap_or_else(|| panic!("{row:?} has no twin"));
            assert_eq!((row.value, row.ci95, row.n), (same.value, same.ci95, same.n), "{row:?}");
            compared += 1;
        }
    }
    assert!(compared >= 6, "{compared}");
    assert!(
        values(&report, "drift", "cosine_distance").iter().all(|row| (row.value, row.ci95) == (0.0, Some([0.0; 2])))
    );
}

#[test]
fn every_mode_ratio_and_seed_has_its_rows_and_drift_grows() {
    let models = [reference("mae_k4.safetensors"), reference("published_mlm_ddp_k4.pt")];
    let tried = settings(&[0.5, 0.0, 0.9, 0.5], &[MaskMode::Mask, MaskMode::Combined, MaskMode::Drop]);
    let report = masking(&survey(true, 0), &models, &tried, &Silent).unwrap();
    assert_eq!((report.queries, report.references), (10 + 20, 30));
    let genus = values(&report, "open_world", "accuracy");
    // two models and one untrained encoder of their common shape in three modes, counts in one; 'mask' has no ratio 0
    assert_eq!(genus.len(), 3 * (3 + 3 + 2) * 2 + 3 * 2);
    let order: Vec<(MaskMode, f64, u64)> = genus[..16].iter().map(|row| (row.mode, row.ratio, row.seed)).collect();
    assert!(order.is_sorted_by(|a, b| a.partial_cmp(b) == Some(std::cmp::Ordering::Less)), "{order:?}");
    assert!(genus.iter().all(|row| row.mode != MaskMode::Mask || row.ratio > 0.0));
    assert!(genus.iter().all(|row| row.model != KMER || (row.mode == MaskMode::Drop && row.objective.is_none())));
    assert_eq!(genus.iter().filter(|row| row.objective == Some(Objective::Mlm)).count(), 16);
    assert!(report.notes.iter().any(|note| note.contains("no masked position")));
    for model in ["mae_k4", "reference", RANDOM, KMER] {
        let drift = |ratio: f64| {
            let rows = values(&report, "drift", "cosine_distance").into_iter();
            let of_model = rows.filter(|row| row.model == model && row.mode == MaskMode::Drop && row.ratio == ratio);
            of_model.map(|row| row.value).fold(f64::NAN, f64::max)
        };
        assert!(
            drift(0.0) < drift(0.5) && drift(0.5) < drift(0.9),
            "{model}: {} {} {}",
            drift(0.0),
            drift(0.5),
            drift(0.9)
        );
    }
    assert!(report.rows.iter().all(|row| row.value.is_finite()));
    let drawn_twice = |row: &&MaskingRow| row.metric != "ami_threshold";
    let rows: Vec<MaskingRow> = report.rows.iter().filter(drawn_twice).cloned().collect();
    assert_eq!(summary(&rows).len(), rows.len() / 2);
}

#[test]
fn without_splits_a_fifth_is_held_out_and_short_barcodes_are_left_out() {
    let models = [reference("mae_k4.safetensors")];
    let report = masking(&survey(false, 0), &models, &settings(&[0.5], &[MaskMode::Drop]), &Silent).unwrap();
    assert_eq!((report.queries, report.references), (12, 48));
    assert!(values(&report, "held_out", "accuracy").iter().all(|row| row.n == 12));
    // seven bases are one token, which can't be both masked and left
    let report = masking(&survey(true, 3), &models, &settings(&[0.5], &[MaskMode::Drop]), &Silent).unwrap();
    assert_eq!((report.queries, report.references), (30, 30));
    assert!(report.notes.iter().any(|note| note.starts_with("3 sampled specimens")), "{:?}", report.notes);
}

#[test]
fn the_sample_is_bounded_and_drawn_by_the_seed() {
    let models = [reference("mae_k4.safetensors")];
    let few = MaskingSettings { queries: 12, references: 9, ..settings(&[0.25], &[MaskMode::Combined]) };
    let run = |seed: u64| {
        masking(&survey(true, 0), &models, &MaskingSettings { seed: Seed(seed), ..few.clone() }, &Silent).unwrap()
    };
    let (first, again, other) = (run(1), run(1), run(2));
    assert_eq!((first.queries, first.references), (12, 9));
    assert_eq!(
        [values(&first, "closed_world", "accuracy")[0].n, values(&first, "open_world", "accuracy")[0].n],
        [6, 6]
    );
    assert_eq!(first.rows, again.rows);
    assert_ne!(first.rows, other.rows);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let models = [reference("mae_k4.safetensors")];
    let dataset = survey(true, 0);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| masking(&dataset, &models, &settings(&[0.0, 0.5], &MaskMode::ALL), &Silent).unwrap().rows)
    };
    assert_eq!(with(1), with(3));
}

/// Stops at its n-th look, and holds that progress never goes back.
struct StopsAt(AtomicUsize, std::sync::Mutex<u64>);

impl Observer for StopsAt {
    fn progress(&self, at: Progress) -> Result<(), Cancelled> {
        if at.stage == "reading masked barcodes" {
            let mut seen = self.1.lock().unwrap();
            assert!(at.done >= *seen && Some(at.done) <= at.total, "{at:?}");
            *seen = at.done;
        }
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 { Err(Cancelled) } else { Ok(()) }
    }
}

#[test]
fn it_can_be_stopped_anywhere() {
    let models = [reference("mae_k4.safetensors")];
    let dataset = survey(true, 0);
    for looks in [0, 1, 5, 40, 400] {
        let observer = StopsAt(AtomicUsize::new(looks), std::sync::Mutex::new(0));
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let stopped = pool.install(|| masking(&dataset, &models, &settings(&[0.0, 0.5], &MaskMode::ALL), &observer));
        assert!(stopped.is_err_and(|error| error.is_cancelled()), "{looks}");
    }
}

#[test]
fn settings_that_make_no_sense_are_refused_with_the_reason() {
    let (dataset, models) = (survey(true, 0), [reference("mae_k4.safetensors")]);
    let message =
        |models: &[Model], tried: &MaskingSettings| masking(&dataset, models, tried, &Silent).unwrap_err().to_string();
    let good = settings(&[0.5], &[MaskMode::Drop]);
    assert!(message(&models, &settings(&[0.5, 0.95], &[MaskMode::Drop])).contains("0.95"));
    assert!(message(&models, &settings(&[f64::NAN], &[MaskMode::Drop])).contains("NaN"));
    assert!(message(&models, &settings(&[0.0], &[MaskMode::Mask])).contains("above 0"));
    assert!(message(&models, &settings(&[0.5], &[])).contains("mode"));
    assert!(message(&models, &MaskingSettings { seeds: 0, ..good.clone() }).contains("seed"));
    assert!(message(&[], &good).contains("model"));
    let empty = DatasetBuilder::new("nothing", Vec::new()).finish();
    assert!(matches!(masking(&empty, &models, &good, &Silent), Err(PipelineError::NoLabels { .. })));
}
