//! A run from its first step to a model that reads, on invented barcodes.

#![expect(clippy::unwrap_used, reason = "a test that can't make its run fails there and then")]

use barcodescope::data::dataset::{DatasetBuilder, Record};
use barcodescope::data::reading::Layers;
use barcodescope::data::taxonomy::Field;
use barcodescope::model::{Checkpoint, DeviceChoice, Model, ModelError, OpenOptions};
use barcodescope::progress::Silent;
use barcodescope::seed::Seed;
use barcodescope::train::{
    CheckedSettings, Corpus, CorpusBuilder, Objective, Partner, Preset, SavedRun, TrainChanges, TrainError,
    TrainSettings, Trainer,
};
use rand::Rng;
use std::path::Path;
use std::sync::Arc;

const OBJECTIVES: [Objective; 3] = [Objective::Mae, Objective::Mlm, Objective::Causal];

fn tiny(objective: Objective) -> TrainSettings {
    TrainSettings {
        objective,
        k: 3,
        max_bases: 90,
        encoder_width: 32,
        encoder_inner: 64,
        decoder_width: 16,
        decoder_inner: 32,
        batch: 8,
        minutes: 0.0,
        steps: 40,
        report_every: 5,
        validate_every: 10,
        validation_share: 0.2,
        peak_rate: 4e-2,
        ..Preset::Tiny.settings()
    }
}

fn checked(settings: &TrainSettings) -> CheckedSettings {
    settings.checked().unwrap().remove(0)
}

/// Barcodes that are variants of three others, so that there is something to learn.
fn barcodes(seed: u64, count: usize) -> Vec<String> {
    let mut rng = Seed(seed).stream("invented barcodes");
    let kinds: Vec<Vec<u8>> = (0..3).map(|_| (0..96).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()).collect();
    let mut one = |index: usize| {
        let of_kind = kinds[index % 3].iter();
        let letters = of_kind.map(|&base| if rng.random_bool(0.03) { b"ACGTN"[rng.random_range(0..5)] } else { base });
        String::from_utf8(letters.collect()).unwrap()
    };
    (0..count).map(|index| one(index)[..60 + index % 36].to_owned()).collect()
}

fn corpus(settings: &CheckedSettings, barcodes: &[String]) -> Arc<Corpus> {
    let mut dataset = DatasetBuilder::new("invented", Vec::new());
    for (index, barcode) in barcodes.iter().enumerate() {
        dataset.push(Record { id: index.to_string(), sequence: barcode.clone().into(), ..Record::default() });
    }
    let mut builder = CorpusBuilder::new(settings);
    builder.add(&dataset.finish(), None);
    Arc::new(builder.finish().unwrap())
}

fn trainer(settings: &TrainSettings) -> Trainer {
    let settings = checked(settings);
    let corpus = corpus(&settings, &barcodes(1, 60));
    Trainer::new(settings, corpus).unwrap()
}

fn run(trainer: &mut Trainer, steps: usize) {
    for _ in 0..steps {
        trainer.step().unwrap();
        if trainer.validation_is_due() {
            trainer.validate(&Silent).unwrap();
        }
    }
}

/// All numbers of a checkpoint, by name.
fn numbers(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = tensors.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect();
    all.sort();
    all
}

#[test]
fn models_of_every_objective_learn_and_read() {
    let folder = tempfile::tempdir().unwrap();
    for objective in OBJECTIVES {
        let mut trainer = trainer(&TrainSettings { steps: 160, validate_every: 40, ..tiny(objective) });
        run(&mut trainer, 160);
        assert!(trainer.is_done());
        let history = trainer.history();
        let (first, last) = (history.reports[0], *history.reports.last().unwrap());
        assert!(last.loss < 0.8 * first.loss, "{objective}: {} to {}", first.loss, last.loss);
        let validations: Vec<f64> = history.validations.iter().map(|validation| validation.loss).collect();
        assert!(validations.len() == 4 && validations[3] < validations[0], "{objective}: {validations:?}");
        assert_eq!(last.decoder_tokens_per_second > 0.0, objective == Objective::Mae);
        if objective == Objective::Mae {
            let ratio = last.encoder_tokens_per_second / last.decoder_tokens_per_second;
            assert!((0.45..0.55).contains(&ratio), "the encoder sees half of the tokens: {ratio}");
        }

        let path = folder.path().join(format!("{objective}.safetensors"));
        trainer.save_model(&path).unwrap();
        let options = OpenOptions { device: DeviceChoice::Cpu, ..OpenOptions::default() };
        let model = Model::open(&path, &options).unwrap();
        let info = model.info();
        assert!(info.warnings.is_empty() && info.ignored_tensors.is_empty(), "{info:?}");
        assert_eq!(
            (info.causal, info.decoder.is_some()),
            (objective == Objective::Causal, objective == Objective::Mae)
        );
        assert_eq!(info.training["objective"], objective.to_string());
        let seen = model.seen().unwrap();
        assert_eq!(seen.len(), trainer.corpus().len());
        assert!(!seen.contains(b"ACGTACGT"));
        let tokens = model.tokenizer().read(barcodes(1, 1)[0].as_bytes());
        assert!(model.embed(&[&tokens], Layers::All).unwrap().iter().all(|value| value.is_finite()));

        // what is converted keeps everything
        let copy = folder.path().join(format!("{objective}-copy.safetensors"));
        Checkpoint::open(&path, None).unwrap().write(&copy).unwrap();
        assert_eq!(numbers(&copy), numbers(&path));
        assert_eq!(Checkpoint::open(&copy, None).unwrap().info().id, info.id);
    }
}

/// A run whose views are compared: partners of one genus, bases replaced.
fn contrasting(partner: Partner) -> TrainSettings {
    TrainSettings { contrast: 1.0, partner, noise: 0.1, register: true, steps: 120, ..tiny(Objective::Mae) }
}

fn contrasting_trainer(settings: &TrainSettings) -> Trainer {
    let settings = checked(settings);
    let mut dataset = DatasetBuilder::new("invented", Vec::new());
    for (index, barcode) in barcodes(1, 60).iter().enumerate() {
        let labels =
            [(Field::Genus, format!("Genus{}", index % 3)), (Field::Species, format!("species {}", index % 12))];
        let labels = labels.into_iter().collect();
        let record = Record { id: index.to_string(), sequence: barcode.clone().into(), labels, ..Record::default() };
        dataset.push(record);
    }
    let mut builder = CorpusBuilder::new(&settings);
    builder.add(&dataset.finish(), None);
    let mut corpus = builder.finish().unwrap();
    corpus.find_partners(&settings, &Silent).unwrap();
    Trainer::new(settings, Arc::new(corpus)).unwrap()
}

#[test]
fn views_that_are_compared_find_their_partners_and_the_run_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    for partner in [Partner::Same, Partner::Genus] {
        let mut whole = contrasting_trainer(&contrasting(partner));
        run(&mut whole, 120);
        let (first, last) = (whole.history().reports[0], *whole.history().reports.last().unwrap());
        assert!(last.contrast_loss < first.contrast_loss, "{partner}: {first:?} {last:?}");
        assert!(last.partners_found > first.partners_found, "{partner}: {first:?} {last:?}");
        assert!(last.loss < first.loss, "k-mers are learned as well");

        let mut half = contrasting_trainer(&contrasting(partner));
        run(&mut half, 60);
        half.save(&path).unwrap();
        let saved = SavedRun::open(&path).unwrap();
        let settings = saved.settings(&TrainChanges::default()).unwrap();
        let corpus = contrasting_trainer(&contrasting(partner)).corpus().clone();
        let mut rest = saved.resume(settings, Arc::new(corpus)).unwrap();
        run(&mut rest, 60);
        let (a, b) = (folder.path().join("a.safetensors"), folder.path().join("b.safetensors"));
        whole.save_model(&a).unwrap();
        rest.save_model(&b).unwrap();
        assert_eq!(numbers(&a), numbers(&b), "{partner}");
    }
}

#[test]
fn a_run_begins_with_the_weights_of_another_and_remembers_its_barcodes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("before.safetensors");
    let mut before = trainer(&tiny(Objective::Mae));
    run(&mut before, 10);
    before.save_model(&path).unwrap();
    let settings = checked(&tiny(Objective::Mae));
    let others = corpus(&settings, &barcodes(7, 40));
    let mut after = Trainer::new(settings, Arc::clone(&others)).unwrap();
    after.begin_with(&path).unwrap();
    let copy = folder.path().join("after.safetensors");
    after.save_model(&copy).unwrap();
    let weights =
        |path: &Path| -> Vec<_> { numbers(path).into_iter().filter(|(name, _)| name != "training.seen").collect() };
    assert_eq!(weights(&copy), weights(&path));
    let seen = Checkpoint::open(&copy, None).unwrap().seen().unwrap().len();
    assert_eq!(seen, before.corpus().len() + others.len());
    let mut other_shape = trainer(&TrainSettings { encoder_inner: 48, ..tiny(Objective::Mae) });
    assert!(matches!(other_shape.begin_with(&path), Err(TrainError::OtherShape { .. })));
}

#[test]
fn a_causal_model_reads_as_it_was_trained() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("causal.safetensors");
    trainer(&tiny(Objective::Causal)).save_model(&path).unwrap();
    let model = Model::open(&path, &OpenOptions { device: DeviceChoice::Cpu, ..OpenOptions::default() }).unwrap();
    let barcode = &barcodes(2, 1)[0];
    let embed = |letters: &str| {
        let tokens = model.tokenizer().read(letters.as_bytes());
        let count = tokens.ids.len() as f32;
        model.embed(&[&tokens], Layers::Last).unwrap().row(0).mapv(|value| value * count)
    };
    // the sum over all tokens, less that over all but the last, is the last token's state: the others do not see it
    let (all, fewer) = (embed(&barcode[..60]), embed(&barcode[..57]));
    let last_alone = &all - &fewer;
    let norm = model.info().encoder.width as f32;
    let mean = last_alone.sum() / norm;
    let variance = last_alone.mapv(|value| (value - mean) * (value - mean)).sum() / norm;
    assert!((variance - 1.0).abs() < 1e-3 && mean.abs() < 1e-3, "a row of an untrained layer norm: {mean} {variance}");
}

#[test]
fn a_run_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    for objective in OBJECTIVES {
        let settings = TrainSettings {
            dropout: 0.1,
            accumulation: 2,
            random_share: 0.1,
            kept_share: 0.1,
            masked_weight: 0.9,
            ..tiny(objective)
        };
        let at = |name: &str| folder.path().join(format!("{objective}-{name}.safetensors"));
        let mut whole = trainer(&settings);
        run(&mut whole, 20);
        whole.save(&at("whole")).unwrap();
        for cut in [1, 7, 13] {
            let mut first = trainer(&settings);
            run(&mut first, cut);
            first.save(&at("part")).unwrap();
            drop(first);
            let saved = SavedRun::open(&at("part")).unwrap();
            assert_eq!(saved.steps(), cut as u64);
            let settings = saved.settings(&TrainChanges::default()).unwrap();
            let corpus = corpus(&settings, &barcodes(1, 60));
            let mut second = saved.resume(settings, corpus).unwrap();
            run(&mut second, 20 - cut);
            second.save(&at("part")).unwrap();
            assert!(numbers(&at("part")) == numbers(&at("whole")), "{objective}, cut after {cut}");
            assert_eq!(second.best().map(|best| best.step), whole.best().map(|best| best.step));
        }
    }
}

#[test]
fn a_run_does_not_depend_on_the_threads_and_does_on_the_seed() {
    let folder = tempfile::tempdir().unwrap();
    let numbers_of = |threads: usize, seed: u64| {
        let path = folder.path().join("run.safetensors");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut trainer = trainer(&TrainSettings { seed, dropout: 0.1, ..tiny(Objective::Mae) });
            run(&mut trainer, 5);
            trainer.save(&path).unwrap();
        });
        numbers(&path)
    };
    let one = numbers_of(1, 1);
    assert!(numbers_of(3, 1) == one);
    assert!(numbers_of(1, 2) != one);
}

#[test]
fn a_run_goes_on_with_other_rates_and_lengths_but_not_as_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    trainer(&tiny(Objective::Mae)).save(&path).unwrap();
    let changed = |changes: TrainChanges| SavedRun::open(&path).unwrap().settings(&changes);
    let longer =
        changed(TrainChanges { minutes: Some(3.0), peak_rate: Some(1e-4), clip: Some(0.5), ..Default::default() });
    assert_eq!(longer.unwrap().settings().minutes, 3.0);
    let other = changed(TrainChanges { k: Some(4), seed: Some(9), ..Default::default() }).unwrap_err();
    assert!(matches!(other, TrainError::OtherRun { .. }) && other.to_string().contains("k, seed"), "{other}");
    assert!(matches!(changed(TrainChanges { batch: Some(0), ..Default::default() }), Err(TrainError::Settings(_))));

    let saved = SavedRun::open(&path).unwrap();
    let settings = saved.settings(&TrainChanges::default()).unwrap();
    let other = corpus(&settings, &barcodes(2, 60));
    assert!(matches!(saved.resume(settings, other), Err(TrainError::OtherRun { .. })));
    assert!(matches!(SavedRun::open(&folder.path().join("absent")), Err(TrainError::NoRun { .. })));
    let model = folder.path().join("model.safetensors");
    trainer(&tiny(Objective::Mae)).save_model(&model).unwrap();
    let error = SavedRun::open(&model).unwrap_err().to_string();
    assert!(error.contains("training.settings"), "a model alone is no run: {error}");
}

#[test]
fn a_diverged_run_says_so_and_its_checkpoint_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let mut trainer = trainer(&TrainSettings { peak_rate: 1e38, clip: 0.0, ..tiny(Objective::Mae) });
    trainer.save(&path).unwrap();
    let before = numbers(&path);
    let error = (0..40).find_map(|_| trainer.step().err()).unwrap();
    assert!(matches!(error, TrainError::Diverged { checkpoint: 0, .. }), "{error}");
    assert!(error.to_string().contains("--resume"), "{error}");
    assert_eq!(numbers(&path), before);

    let saved = SavedRun::open(&path).unwrap();
    let settings = saved.settings(&TrainChanges { peak_rate: Some(1e-3), ..TrainChanges::default() }).unwrap();
    let corpus = corpus(&settings, &barcodes(1, 60));
    run(&mut saved.resume(settings, corpus).unwrap(), 20);
}

#[test]
fn a_vanished_folder_is_an_error_and_the_run_goes_on_when_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let path = gone.join("run.safetensors");
    let mut trainer = trainer(&tiny(Objective::Mlm));
    run(&mut trainer, 2);
    let error = trainer.save(&path).unwrap_err();
    assert!(matches!(&error, TrainError::Write { path: named, .. } if *named == path), "{error}");
    std::fs::create_dir(&gone).unwrap();
    run(&mut trainer, 2);
    trainer.save(&path).unwrap();
    assert_eq!(SavedRun::open(&path).unwrap().steps(), 4);
    assert_eq!(std::fs::read_dir(&gone).unwrap().count(), 1, "no unfinished file is left");
}

#[test]
fn a_damaged_record_of_training_barcodes_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    trainer(&tiny(Objective::Mlm)).save_model(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let cut = tensors.tensors().into_iter().map(|(name, view)| {
        let data = if name == "training.seen" { &view.data()[..view.data().len() - 1] } else { view.data() };
        let shape = if name == "training.seen" { vec![data.len()] } else { view.shape().to_vec() };
        (name, safetensors::tensor::TensorView::new(view.dtype(), shape, data).unwrap())
    });
    let notes = safetensors::SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone();
    std::fs::write(&path, safetensors::serialize(cut, notes).unwrap()).unwrap();
    let error = Checkpoint::open(&path, None).unwrap_err();
    assert!(matches!(error, ModelError::Damaged { .. }) && error.to_string().contains("training barcodes"), "{error}");
}

#[test]
fn training_stops_early_when_validation_does_not_improve() {
    let settings =
        TrainSettings { patience: 2, validate_every: 2, peak_rate: 1e-12, steps: 1000, ..tiny(Objective::Mae) };
    let mut trainer = trainer(&settings);
    let mut steps = 0;
    while !trainer.is_done() && steps < 1000 {
        run(&mut trainer, 1);
        steps += 1;
    }
    assert!(steps < 1000, "weights that do not move do not improve for long");
}

#[test]
fn every_barcode_is_seen_once_in_a_pass() {
    let settings = TrainSettings { steps: 0, epochs: 3.0, ..tiny(Objective::Mae) };
    let mut trainer = trainer(&settings);
    let barcodes = trainer.corpus().len();
    while !trainer.is_done() {
        trainer.step().unwrap();
    }
    assert!((trainer.epoch() - 3.0).abs() < 8.0 / barcodes as f64, "{}", trainer.epoch());
    assert_eq!(trainer.steps(), (3 * barcodes).div_ceil(8) as u64);
}
