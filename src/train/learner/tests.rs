//! A run by candle goes as one on the CPU does. It runs on candle's CPU here, and on GPUs where there are any.

use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::progress::Silent;
use crate::seed::Seed;
use crate::train::{Corpus, CorpusBuilder, Objective, Preset, SavedRun, TrainChanges, TrainSettings, Trainer};
use rand::Rng;
use std::sync::Arc;

fn settings(changes: TrainSettings) -> CheckedSettings {
    let settings = TrainSettings {
        k: 3,
        max_bases: 60,
        encoder_width: 16,
        encoder_inner: 32,
        decoder_width: 8,
        decoder_inner: 16,
        decoder_heads: 2,
        batch: 4,
        accumulation: 2,
        minutes: 0.0,
        steps: 12,
        report_every: 4,
        validate_every: 6,
        validation_share: 0.3,
        dropout: 0.1,
        peak_rate: 1e-2,
        ..changes
    };
    settings.checked().unwrap().remove(0)
}

fn tiny() -> TrainSettings {
    Preset::Tiny.settings()
}

fn corpus(settings: &CheckedSettings) -> Arc<Corpus> {
    let mut rng = Seed(5).stream("barcodes");
    let mut dataset = DatasetBuilder::new("invented", Vec::new());
    for index in 0..40 {
        let sequence = (0..40 + index % 17).map(|_| b"ACGTN"[rng.random_range(0..5)]).collect();
        dataset.push(Record { id: index.to_string(), sequence, ..Record::default() });
    }
    let mut builder = CorpusBuilder::new(settings);
    builder.add(&dataset.finish(), None);
    Arc::new(builder.finish().unwrap())
}

fn by_candle(settings: &CheckedSettings) -> Trainer {
    let learner = Learner::on(&Device::Cpu, settings).unwrap();
    Trainer::with(learner, settings.clone(), corpus(settings))
}

fn run(trainer: &mut Trainer, steps: usize) {
    for _ in 0..steps {
        trainer.step().unwrap();
        if trainer.validation_is_due() {
            trainer.validate(&Silent).unwrap();
        }
    }
}

#[test]
fn runs_by_candle_report_what_runs_on_the_cpu_report() {
    let kinds = [(Objective::Mae, 0.0), (Objective::Mlm, 0.0), (Objective::Causal, 0.0), (Objective::Mae, 0.5)];
    for (objective, contrast) in kinds {
        let changes = TrainSettings { objective, contrast, random_share: 0.1, masked_weight: 0.9, ..tiny() };
        let settings = settings(changes);
        let mut on_cpu = Trainer::new(settings.clone(), corpus(&settings)).unwrap();
        let mut by_candle = by_candle(&settings);
        assert_eq!(on_cpu.parameters(), by_candle.parameters());
        run(&mut on_cpu, 12);
        run(&mut by_candle, 12);
        let (expected, found) = (on_cpu.history(), by_candle.history());
        assert_eq!((found.reports.len(), found.validations.len()), (3, 2));
        for (expected, found) in expected.reports.iter().zip(&found.reports) {
            let loss = (found.loss / expected.loss - 1.0).abs();
            let norm = (found.gradient_norm / expected.gradient_norm - 1.0).abs();
            assert!(loss < 1e-4 && norm < 1e-2, "{objective}: {found:?} {expected:?}");
            assert_eq!(
                (found.step, found.epoch, found.learning_rate),
                (expected.step, expected.epoch, expected.learning_rate)
            );
            assert!((found.accuracy - expected.accuracy).abs() < 0.02);
            assert_eq!(found.contrast_loss.is_some(), contrast > 0.0);
            let contrasts = (found.contrast_loss.unwrap_or(1.0), expected.contrast_loss.unwrap_or(1.0));
            assert!((contrasts.0 / contrasts.1 - 1.0).abs() < 1e-2, "{contrasts:?}");
            assert_eq!(found.partners_found.map(|found| found > 0.0), expected.partners_found.map(|found| found > 0.0));
        }
        for (expected, found) in expected.validations.iter().zip(&found.validations) {
            assert!((found.loss / expected.loss - 1.0).abs() < 1e-4, "{objective}: {found:?} {expected:?}");
        }
    }
}

#[test]
fn a_run_by_candle_goes_on_from_its_checkpoint_there_or_on_the_cpu() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let settings = settings(tiny());
    let mut whole = by_candle(&settings);
    run(&mut whole, 12);
    let mut first = by_candle(&settings);
    run(&mut first, 7);
    first.save(&path).unwrap();
    let saved = || SavedRun::open(&path).unwrap();
    let settings = saved().settings(&TrainChanges::default()).unwrap();
    let learner = Learner::on(&Device::Cpu, &settings).unwrap();
    let there = saved().resume_on(learner, settings.clone(), corpus(&settings)).unwrap();
    let on_cpu = saved().resume(settings.clone(), corpus(&settings)).unwrap();
    let expected = *whole.history().validations.last().unwrap();
    for mut second in [there, on_cpu] {
        assert_eq!(second.steps(), 7);
        run(&mut second, 5);
        let found = *second.history().validations.last().unwrap();
        assert_eq!(found.step, 12);
        assert!((found.loss / expected.loss - 1.0).abs() < 1e-4, "{found:?} {expected:?}");
        let last = *second.history().reports.last().unwrap();
        assert!(last.step == 12 && last.loss.is_finite());
    }
}

#[test]
fn a_diverged_run_by_candle_says_so_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let settings = settings(tiny());
    let steep = TrainSettings { peak_rate: 1e38, clip: 0.0, ..settings.settings().clone() };
    let mut trainer = by_candle(&steep.checked().unwrap()[0]);
    trainer.save(&path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let error = (0..12).find_map(|_| trainer.step().err()).unwrap();
    assert!(matches!(error, TrainError::Diverged { step: 4, checkpoint: 0, .. }), "{error}");
    assert!(matches!(trainer.save(&path), Err(TrainError::Diverged { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before, "the last good checkpoint stays");
}

#[test]
fn lower_precision_and_gpus_are_refused_in_words_where_there_is_no_gpu() {
    use crate::model::DeviceChoice;
    if cfg!(any(feature = "cuda", feature = "metal")) {
        return;
    }
    let why = |settings: TrainSettings| settings.checked().unwrap_err().to_string();
    assert!(why(TrainSettings { device: DeviceChoice::Cuda, ..tiny() }).contains("built without cuda"));
    assert!(why(TrainSettings { precision: Precision::Bf16, ..tiny() }).contains("for GPUs"));
    assert!(why(TrainSettings { precision: Precision::F16, ..tiny() }).contains("bf16"));
    assert!(gpu(DeviceChoice::Cuda).unwrap_err().contains("built without it"));
    assert!(gpu(DeviceChoice::Auto).unwrap().is_none());
}
