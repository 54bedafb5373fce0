use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::data::frame::FrameProfile;
use crate::model::DeviceChoice;
use crate::progress::{Cancelled, Silent};
use crate::seed::Seed;
use rand::Rng;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Barcodes of several lengths and starts, the first and the third the same.
fn barcodes() -> Vec<Vec<u8>> {
    let root = FrameProfile::bundled().consensus();
    let mut rng = Seed(9).stream("test barcodes");
    let mut all: Vec<Vec<u8>> = [0..658, 20..620, 0..658, 7..400, 100..658]
        .into_iter()
        .map(|part| {
            let mut barcode = root[part].to_vec();
            (0..30).for_each(|_| barcode[rng.random_range(0..300)] = b"ACGT"[rng.random_range(0..4)]);
            barcode
        })
        .collect();
    all[2] = all[0].clone();
    all
}

/// Different barcodes of several lengths.
fn many(count: usize) -> Vec<Vec<u8>> {
    let root = FrameProfile::bundled().consensus();
    let mut rng = Seed(10).stream("many test barcodes");
    let one = |row: usize| {
        let mut barcode = root[..658 - row % 7 * 20].to_vec();
        (0..40).for_each(|_| barcode[rng.random_range(0..500)] = b"ACGT"[rng.random_range(0..4)]);
        barcode
    };
    (0..count).map(one).collect()
}

fn dataset(barcodes: &[Vec<u8>]) -> Dataset {
    let mut builder = DatasetBuilder::new("test", Vec::new());
    for (row, barcode) in barcodes.iter().enumerate() {
        builder.push(Record { id: format!("id{row}"), sequence: barcode.clone(), ..Record::default() });
    }
    builder.finish()
}

fn model() -> Model {
    Model::bundled(&DeviceChoice::Cpu).unwrap()
}

fn embed_all(barcodes: &[Vec<u8>], cache: Option<&Cache>) -> Embedded {
    embed(&dataset(barcodes), None, &model(), &EmbedSettings::default(), cache, &Silent).unwrap()
}

#[test]
fn a_barcode_is_embedded_the_same_in_any_company_and_once() {
    let barcodes = barcodes();
    let together = embed_all(&barcodes, None);
    assert_eq!((together.vectors.nrows(), together.computed, together.cached), (4, 4, 0));
    for (unique, barcode) in [(0, 0), (1, 1), (2, 3), (3, 4)] {
        let alone = embed_all(&barcodes[barcode..=barcode], None);
        assert_eq!(alone.vectors.row(0), together.vectors.row(unique), "barcode {barcode}");
    }
}

#[test]
fn vectors_of_many_parts_are_those_of_their_own_barcodes() {
    let model = model();
    let all = dataset(&many(3 * batch_size(&model, 110) + 5));
    let found = embed(&all, None, &model, &EmbedSettings::default(), None, &Silent).unwrap();
    assert_eq!((found.computed, found.vectors.nrows()), (all.unique_len(), all.unique_len()));
    for unique in [0, 1, all.unique_len() / 2, all.unique_len() - 1] {
        let alone = dataset(&[all.unique_sequence(unique).to_vec()]);
        let alone = embed(&alone, None, &model, &EmbedSettings::default(), None, &Silent).unwrap();
        assert_eq!(alone.vectors.row(0), found.vectors.row(unique), "barcode {unique}");
    }
}

#[test]
fn what_is_told_while_embedding_grows_and_never_passes_the_number_of_barcodes() {
    struct Told(std::sync::Mutex<Vec<(u64, u64)>>);
    impl Observer for Told {
        fn progress(&self, at: Progress) -> Result<(), Cancelled> {
            if at.stage == "embedding" {
                self.0.lock().unwrap().push((at.done, at.total.unwrap()));
            }
            Ok(())
        }
    }
    let model = model();
    let all = dataset(&many(3 * batch_size(&model, 110)));
    let told = Told(std::sync::Mutex::default());
    embed(&all, None, &model, &EmbedSettings::default(), None, &told).unwrap();
    let told = told.0.into_inner().unwrap();
    let barcodes = all.unique_len() as u64;
    assert!(told.iter().all(|&(done, total)| done < total && total == barcodes), "{told:?}");
    let done = told.iter().map(|&(done, _)| done);
    // The last part to be begun leaves one for each other thread under way at most.
    assert!(done.clone().min() == Some(0) && done.max() >= Some(barcodes / 2), "{told:?}");
}

#[test]
fn a_cancelled_run_keeps_no_result_and_what_is_kept_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path());
    let first = embed_all(&barcodes(), Some(&cache));
    let again = embed_all(&barcodes(), Some(&cache));
    assert_eq!((again.computed, again.cached), (0, 4));
    assert_eq!(again.vectors, first.vectors);

    struct StopAfter(AtomicUsize);
    impl Observer for StopAfter {
        fn progress(&self, _: Progress) -> Result<(), Cancelled> {
            if self.0.fetch_sub(1, Ordering::Relaxed) == 0 { Err(Cancelled) } else { Ok(()) }
        }
    }
    for calls in 0..3 {
        let stopped = embed(
            &dataset(&barcodes()),
            None,
            &model(),
            &EmbedSettings::default(),
            None,
            &StopAfter(AtomicUsize::new(calls)),
        );
        assert!(matches!(stopped, Err(PipelineError::Cancelled(_))), "after {calls} calls");
    }
}

#[test]
fn registered_copies_that_start_elsewhere_read_almost_alike() {
    let whole = barcodes().remove(0);
    let part = whole[20..620].to_vec();
    let settings = |register| EmbedSettings { register: Some(register), layers: Some(Layers::Last), memory: None };
    let likeness = |register| {
        let found = embed(&dataset(&[whole.clone(), part.clone()]), None, &model(), &settings(register), None, &Silent)
            .unwrap();
        let (a, b) = (found.vectors.row(0), found.vectors.row(1));
        a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
    };
    let (with, without) = (likeness(true), likeness(false));
    assert!(with > 0.95 && 1.0 - with < (1.0 - without) / 10.0, "{with} registered, {without} not");
}

#[test]
fn a_small_budget_halves_the_room_and_says_so() {
    let data = dataset(&barcodes());
    let read = |megabytes| {
        let settings = EmbedSettings { memory: Some(MemoryBudget { megabytes }), ..EmbedSettings::default() };
        embed(&data, None, &model(), &settings, None, &Silent).unwrap()
    };
    let (half, single) = (read(0), read(1000));
    assert!(half.vectors.is_half() && !single.vectors.is_half());
    for row in 0..data.unique_len() {
        let (a, b) = (half.vectors.row(row), single.vectors.row(row));
        let cosine = a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt();
        assert!(cosine > 1.0 - 1e-6, "{row}: {cosine}");
    }
    let provenance = |embedded: &Embedded| format!("{:?}", embedded.describe(Provenance::new(Seed(1), &[&data])));
    assert!(provenance(&half).contains("16 bits") && provenance(&single).contains("32 bits"));
}

#[test]
fn default_whitening_is_limited_by_the_number_of_barcodes_and_a_choice_is_not() {
    let embedded = embed_all(&barcodes(), None);
    assert_eq!(embedded.model.read.transform, TransformKind::Whiten(Some(512)));
    for (barcodes, expected) in [
        (3, TransformKind::None),
        (511, TransformKind::None),
        (512, TransformKind::Whiten(Some(32))),
        (1600, TransformKind::Whiten(Some(100))),
        (8192, TransformKind::Whiten(Some(512))),
        (100_000, TransformKind::Whiten(Some(512))),
    ] {
        assert_eq!(embedded.transform_for(None, barcodes), expected, "{barcodes} barcodes");
        let chosen = TransformKind::Whiten(Some(256));
        assert_eq!(embedded.transform_for(Some(chosen), barcodes), chosen);
    }
}
