//! The sample is fixed, its accuracy is that of a double loop, and its map stays where it is.

use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::progress::{Cancelled, Progress, Silent};
use crate::train::{CorpusBuilder, Preset, TrainSettings};
use rand::Rng;
use std::sync::Mutex;

/// Barcodes that vary around that of their genus; every ninth has no genus, and the last genus one specimen only.
fn dataset(specimens: usize) -> Dataset {
    let mut rng = Seed(3).stream("invented");
    let mut builder = DatasetBuilder::new("invented", Vec::new());
    let kinds: Vec<Vec<u8>> = (0..4).map(|_| (0..90).map(|_| b"ACGT"[rng.random_range(0..4)]).collect()).collect();
    for row in 0..specimens {
        let mut sequence = kinds[row % 4].clone();
        for base in &mut sequence {
            if rng.random_bool(0.2) {
                *base = b"ACGT"[rng.random_range(0..4)];
            }
        }
        let genus = if row + 1 == specimens { "alone".to_owned() } else { format!("genus {}", row % 4) };
        let labels = if row % 9 == 4 { Vec::new() } else { vec![(Field::Genus, genus)] };
        builder.push(Record {
            id: row.to_string(),
            sequence,
            labels: labels.into_iter().collect(),
            ..Record::default()
        });
    }
    builder.finish()
}

fn trainer(dataset: &Dataset) -> Trainer {
    let settings = TrainSettings { k: 3, max_bases: 90, minutes: 0.0, steps: 30, batch: 8, ..Preset::Tiny.settings() };
    let settings = settings.checked().unwrap().remove(0);
    let mut builder = CorpusBuilder::new(&settings);
    builder.add(dataset, None);
    let corpus = Arc::new(builder.finish().unwrap());
    Trainer::new(settings, corpus).unwrap()
}

/// Keeps what it is shown.
#[derive(Default)]
struct Seen(Mutex<Vec<SampleReading>>);

impl Observer for Seen {
    fn progress(&self, _at: Progress) -> Result<(), Cancelled> {
        Ok(())
    }
}

impl TrainObserver for Seen {
    fn looked(&self, reading: &SampleReading) {
        self.0.lock().unwrap().push(reading.clone());
    }
}

#[test]
fn specimens_of_different_barcodes_with_a_genus_are_drawn_first_and_always_the_same() {
    let mut builder = DatasetBuilder::new("twins", Vec::new());
    for (row, genus) in [None, Some("A"), None, Some("B"), None].into_iter().enumerate() {
        // the first two share a barcode, of which the second one has a genus
        let sequence = if row < 2 { b"ACGTACGT".to_vec() } else { vec![b"ACGT"[row % 4]; 4 + row] };
        let labels = genus.map(|genus| (Field::Genus, genus.to_owned()));
        builder.push(Record {
            id: row.to_string(),
            sequence,
            labels: labels.into_iter().collect(),
            ..Record::default()
        });
    }
    let twins = builder.finish();
    let rows = |most: usize| Sample::draw(&twins, most, 5, false, Seed(1), &Silent).unwrap().rows.to_vec();
    assert_eq!((rows(2), rows(9)), (vec![1, 3], vec![1, 2, 3, 4]));
    let longer = Sample::draw(&twins, 9, 7, false, Seed(1), &Silent).unwrap();
    assert_eq!(*longer.rows, [1, 3, 4], "a barcode of six bases has no 7-mer");

    let many = dataset(200);
    let draw = |seed| Sample::draw(&many, 50, 3, false, Seed(seed), &Silent).unwrap();
    let (one, again, other) = (draw(1), draw(1), draw(2));
    assert_eq!(one.rows, again.rows);
    assert_ne!(one.rows, other.rows);
    assert!(one.rows.is_sorted() && one.rows.iter().all(|&row| many.label(row as usize, Field::Genus).is_some()));
    assert!(one.asked.iter().all(|&row| one.data.label(row, Field::Genus) != Some("alone")));
}

#[test]
fn accuracy_is_that_of_a_double_loop_over_the_specimens_that_have_another_of_their_genus() {
    let data = dataset(60);
    let trainer = trainer(&data);
    let sample = Sample::draw(&data, SAMPLE, 3, false, Seed(1), &Silent).unwrap();
    let model = Model::from_checkpoint(&trainer.reader().unwrap(), DeviceChoice::Cpu, Precision::F32).unwrap();
    let embedded = embed(&sample.data, None, &model, &EmbedSettings::default(), None, &Silent).unwrap();
    let cosine = |a: usize, b: usize| {
        let [a, b] = [a, b].map(|row| embedded.vectors.row(sample.data.unique_of(row)).mapv(f64::from));
        a.dot(&b) / (a.dot(&a) * b.dot(&b)).sqrt()
    };
    let genus = |row: usize| sample.data.label(row, Field::Genus);
    let right = |&row: &usize| {
        let others = sample.asked.iter().copied().filter(|&other| other != row);
        let nearest = others.max_by(|&a, &b| cosine(row, a).total_cmp(&cosine(row, b)));
        nearest.and_then(genus) == genus(row)
    };
    let expected = sample.asked.iter().filter(|row| right(row)).count() as f64 / sample.asked.len() as f64;
    let found = genus_accuracy(&sample.data, &sample.asked, &embedded, Seed(1), &Silent).unwrap().unwrap();
    assert!((found.accuracy - expected).abs() < 1e-12, "{found:?} {expected}");
    assert_eq!(found.n, (0..60).filter(|&row| row % 9 != 4 && row != 59).count());
    assert!(found.ci95[0] <= found.accuracy && found.accuracy <= found.ci95[1]);
    assert!(found.accuracy > 0.25 && found.accuracy < 1.0, "the test tells methods apart: {}", found.accuracy);
}

#[test]
fn a_run_is_looked_at_before_its_first_step_and_after_its_last_and_its_map_does_not_jump() {
    let data = dataset(60);
    let mut trainer = trainer(&data);
    let seen = Seen::default();
    let mut watched = Watched::begin(&SampleRequest::default(), &data, &trainer, &seen).unwrap();
    while !trainer.is_done() {
        trainer.step().unwrap();
        watched.look(&trainer, &seen).unwrap();
        watched.look(&trainer, &seen).unwrap();
    }
    let readings = seen.0.lock().unwrap();
    let steps: Vec<u64> = readings.iter().map(|reading| reading.step).collect();
    assert!(steps[0] == 0 && steps.last() == Some(&30) && steps.is_sorted_by(|a, b| a < b), "{steps:?}");
    let pair = [&readings[0], &readings[readings.len() - 1]];
    assert_ne!(pair[0].places, pair[1].places);
    let turned = align(&pair[1].places, &pair[0].places);
    assert!(!turned.mirrored && (turned.matrix[1][0] / turned.matrix[0][0]).abs() < 1e-3, "{turned:?}");
    for reading in pair {
        let square: f32 = reading.places.iter().map(|[x, y]| x * x + y * y).sum();
        assert!((square / reading.places.len() as f32 - 1.0).abs() < 1e-3);
    }

    let resumed = SampleRequest { before: Some(Arc::clone(&pair[1].places)), ..SampleRequest::default() };
    let silent = Seen::default();
    Watched::begin(&resumed, &data, &trainer, &silent).unwrap();
    assert!(silent.0.lock().unwrap().is_empty(), "a run that goes on knows its untrained model already");
}

#[test]
fn without_genera_there_is_a_map_alone() {
    let mut builder = DatasetBuilder::new("nameless", Vec::new());
    for (row, sequence) in ["ACGTACGTA", "ACGTTCGTA", "TTTTACGTA"].into_iter().enumerate() {
        builder.push(Record { id: row.to_string(), sequence: sequence.into(), ..Record::default() });
    }
    let data = builder.finish();
    let trainer = trainer(&data);
    let seen = Seen::default();
    Watched::begin(&SampleRequest::default(), &data, &trainer, &seen).unwrap();
    let readings = seen.0.lock().unwrap();
    assert_eq!((readings.len(), readings[0].genus, readings[0].places.len()), (1, None, 3));
}

#[test]
fn places_have_one_size_and_a_point_has_none() {
    let mut square = [[1.0, 1.0], [1.0, 3.0], [3.0, 1.0], [3.0, 3.0]];
    scale_to_one_size(&mut square);
    let half = 0.5f32.sqrt();
    assert_eq!(square, [[-half, -half], [-half, half], [half, -half], [half, half]]);
    let mut alike = [[2.0, 5.0]; 3];
    scale_to_one_size(&mut alike);
    assert_eq!(alike, [[0.0; 2]; 3]);
}
