//! Files that are read part by part make the corpus that they make when they are read at once.

use super::*;
use crate::data::import::load;
use crate::data::simulate::{SimulationSettings, simulated_dataset, write_csv};
use crate::progress::Silent;
use crate::train::Names;
use std::fs;

/// A simulated file of labelled barcodes with repeats, as a table, and as FASTA with its labels in a table of their own.
fn files(folder: &Path) -> (PathBuf, [PathBuf; 2]) {
    let simulated = SimulationSettings { specimens: 120, ..SimulationSettings::default() };
    let dataset = simulated_dataset(&simulated, &Silent).unwrap();
    let table = folder.join("table.csv");
    write_csv(&simulated, fs::File::create(&table).unwrap(), &Silent).unwrap();
    let split = |row: usize| ["train", "train", "test", "val"][row % 4];
    let repeats = (0..dataset.len()).chain((0..dataset.len()).step_by(7)).enumerate();
    let (mut fasta, mut labels) = (String::new(), "id,split\n".to_owned());
    for (number, row) in repeats {
        let letters = std::str::from_utf8(dataset.sequence(row)).unwrap();
        fasta += &format!(">barcode{number}\n{letters}\n");
        labels += &format!("barcode{number},{}\n", split(number));
    }
    let both = [folder.join("barcodes.fasta"), folder.join("labels.csv")];
    fs::write(&both[0], fasta).unwrap();
    fs::write(&both[1], labels).unwrap();
    (table, both)
}

fn checked(settings: &TrainSettings) -> CheckedSettings {
    settings.checked().unwrap().remove(0)
}

fn in_parts(files: &[PathBuf], most: usize, settings: &CheckedSettings) -> Corpus {
    let register = settings.settings().register;
    let mut reader = CorpusReader { builder: CorpusBuilder::new(settings), register, observer: &Silent };
    load_in_parts(files, &ImportOptions::default(), most, &Silent, &mut reader).unwrap();
    reader.builder.finish().unwrap()
}

fn at_once(files: &[PathBuf], settings: &CheckedSettings) -> Corpus {
    let (dataset, _) = load(files, &ImportOptions::default(), &Silent).unwrap();
    let frames = settings.settings().register.then(|| check_frames(&dataset, &Silent).unwrap());
    let mut builder = CorpusBuilder::new(settings);
    builder.add(&dataset, frames.as_deref());
    builder.finish().unwrap()
}

#[test]
fn the_corpus_of_a_file_does_not_depend_on_how_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (table, with_labels) = files(folder.path());
    let by_share = checked(&TrainSettings { register: true, validation_share: 0.2, ..TrainSettings::default() });
    let by_split = checked(&TrainSettings {
        splits: Names(vec!["train".into()]),
        validation_split: "val".into(),
        ..TrainSettings::default()
    });
    for (files, settings) in [(&[table][..], &by_share), (&with_labels, &by_share), (&with_labels, &by_split)] {
        let expected = at_once(files, settings);
        assert!(
            expected.len() > 20 && expected.validation_len() > 5,
            "{} {}",
            expected.len(),
            expected.validation_len()
        );
        for most in [1, 7, 1000] {
            let found = in_parts(files, most, settings);
            assert_eq!((found.key(), found.seen()), (expected.key(), expected.seen()), "{files:?} in parts of {most}");
            assert_eq!((found.len(), found.validation_len()), (expected.len(), expected.validation_len()));
        }
    }
}

#[test]
fn files_without_barcodes_and_stops_are_told_when_reading_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let (table, [fasta, labels]) = files(folder.path());
    let empty = folder.path().join("short.fasta");
    fs::write(&empty, ">a\nACGT\n").unwrap();
    let settings = checked(&TrainSettings::default());
    let read = |files: &[&PathBuf], observer: &dyn Observer| {
        let paths: Vec<PathBuf> = files.iter().map(|&path| path.clone()).collect();
        let mut reader = CorpusReader { builder: CorpusBuilder::new(&settings), register: false, observer };
        load_in_parts(&paths, &ImportOptions::default(), 10, observer, &mut reader).map_err(PipelineError::from)
    };
    let why = |files: &[&PathBuf]| read(files, &Silent).unwrap_err().to_string();
    let said = why(&[&table, &empty, &fasta]);
    assert!(said.contains("short.fasta") && said.contains("none of the 1 records"), "{said}");
    assert!(!said.contains("table.csv"), "each file counts by itself: {said}");
    assert!(why(&[&labels]).contains("no column holds sequences"));
    assert!(matches!(read(&[&fasta], &Stopping), Err(PipelineError::Cancelled(_))));
}

struct Stopping;

impl Observer for Stopping {
    fn progress(&self, _: Progress) -> Result<(), Cancelled> {
        Err(Cancelled)
    }
}
