//! A gap whose size is known.

use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::data::frame::{FrameProfile, check_frames};
use crate::progress::Silent;
use crate::seed::Seed;

/// The typical barcode of the frame with other bases at the first `changes` of every seventh position from `from` on.
fn barcode(from: usize, changes: usize) -> Vec<u8> {
    let mut barcode = FrameProfile::bundled().consensus();
    for position in (from..).step_by(7).take(changes) {
        barcode[position] = if barcode[position] == b'A' { b'C' } else { b'A' };
    }
    barcode
}

fn specimens(rows: &[(&str, Vec<u8>)]) -> Dataset {
    let mut builder = DatasetBuilder::new("survey", Vec::new());
    for (row, (species, sequence)) in rows.iter().enumerate() {
        let genus = species.split(' ').next().unwrap_or_default().to_owned();
        builder.push(Record {
            id: format!("s{row}"),
            sequence: sequence.clone(),
            labels: [(Field::Genus, genus), (Field::Species, (*species).to_owned())].into_iter().collect(),
            ..Record::default()
        });
    }
    builder.finish()
}

fn measured(dataset: &Dataset) -> Gap {
    let frames = check_frames(dataset, &Silent).unwrap();
    let vectors =
        ndarray::Array2::from_shape_fn((dataset.unique_len(), 2), |(unique, axis)| [1.0, unique as f32][axis]).into();
    let provenance = Provenance::new(Seed(1), &[dataset]);
    gap(&Curated::new(dataset, &[]), &frames, Some(&vectors), Distance::P, provenance, &Silent).unwrap()
}

#[test]
fn the_gap_is_between_the_farthest_of_its_own_and_the_nearest_other() {
    let dataset = specimens(&[
        ("Aus bus", barcode(0, 0)),
        ("Aus bus", barcode(0, 0)),
        ("Aus bus", barcode(0, 4)),
        ("Aus cus", barcode(3, 30)),
        ("Dus eus", barcode(4, 40)),
    ]);
    let found = measured(&dataset);
    let bus = found.species.iter().find(|row| row.name == "Aus bus").unwrap();
    let of = |differing: usize| differing as f32 / 658.0;
    assert_eq!((bus.specimens, bus.within), (3, Some(of(4))));
    assert_eq!(bus.nearest, Some((of(30), "Aus cus".to_owned())));
    assert_eq!((bus.has_gap(), found.with_gap()), (Some(true), [1, 1]), "the others have one barcode each");
    assert_eq!(found.ranks.iter().map(|spread| spread.pairs).collect::<Vec<_>>(), [1, 2, 0, 0, 3]);
    let [first, last] = found.best.unwrap();
    assert!(first.threshold >= of(4) && last.threshold < of(30), "{first:?} {last:?}");
    // The vectors are (1, unique): cosines of every pair, one by one.
    let cosine = |a: usize, b: usize| {
        let ([a, b], length) = ([a as f32, b as f32], |x: f32| (1.0 + x * x).sqrt());
        1.0 - (1.0 + a * b) / (length(a) * length(b))
    };
    let [within, nearest] = bus.embedded.unwrap().map(Option::unwrap);
    assert!((within - cosine(0, 1)).abs() < 1e-6);
    let to_others = [cosine(0, 2), cosine(0, 3), cosine(1, 2), cosine(1, 3)].into_iter().fold(f32::MAX, f32::min);
    assert!((nearest - to_others).abs() < 1e-6);
    let mut expected = [[0; BINS]; 2];
    for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        let bin = (cosine(a, b) / EMBEDDED_BIN) as usize;
        expected[usize::from((a, b) != (0, 1))][bin.min(BINS - 1)] += 1;
    }
    assert_eq!(found.embedded_histogram, Some(expected));
}

#[test]
fn a_barcode_under_two_names_has_no_gap_and_stands_first() {
    let dataset = specimens(&[
        ("Zus albus", barcode(0, 0)),
        ("Zus albus", barcode(0, 3)),
        ("Aus bus", barcode(0, 0)),
        ("Dus eus", barcode(4, 40)),
        ("Dus eus", barcode(4, 41)),
    ]);
    let found = measured(&dataset);
    assert_eq!(found.species[0].name, "Zus albus");
    assert_eq!(found.species[0].nearest, Some((0.0, "Aus bus".to_owned())));
    assert_eq!(found.species[0].has_gap(), Some(false));
    assert!(found.pairs.iter().any(|pair| pair.rows == [2, 0] || pair.rows == [0, 2]));
}

#[test]
fn barcodes_outside_of_the_frame_are_counted_and_nothing_is_a_gap() {
    let dataset = specimens(&[("Aus bus", b"ACGT".repeat(12)), ("Aus cus", barcode(0, 0))]);
    let found = measured(&dataset);
    assert_eq!((found.outside, found.with_gap(), found.species.len()), (1, [0, 0], 1));
    assert!(measured(&specimens(&[])).species.is_empty());
    let folder = tempfile::tempdir().unwrap();
    write_gap(folder.path(), &found, &dataset).unwrap();
    let table = std::fs::read_to_string(folder.path().join("gap.csv")).unwrap();
    assert!(table.contains("Aus cus,1,,,,,,"), "{table}");
}
