//! What a dossier says of barcodes whose differences are known.

use super::*;
use crate::analysis::kmer::KmerShortlist;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::data::frame::{FrameProfile, check_frames, reverse_complement};
use crate::progress::Silent;
use crate::seed::Seed;
use ndarray::Array2;
use proptest::prelude::*;

/// The typical barcode of the frame with other bases at some positions, from 1.
fn barcode(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut barcode = FrameProfile::bundled().consensus();
    changes.iter().for_each(|&(position, base)| barcode[position - 1] = base);
    barcode
}

/// A base that the typical barcode does not have there.
fn other(position: usize) -> u8 {
    let typical = FrameProfile::bundled().consensus()[position - 1];
    if typical == b'A' { b'C' } else { b'A' }
}

/// Specimens of species, BIN and barcode.
fn specimens(rows: &[(&str, &str, Vec<u8>)]) -> Dataset {
    let mut builder = DatasetBuilder::new("survey", Vec::new());
    for (row, (species, bin, sequence)) in rows.iter().enumerate() {
        builder.push(Record {
            id: format!("s{row}"),
            sequence: sequence.clone(),
            labels: [(Field::Species, (*species).to_owned()), (Field::Bin, (*bin).to_owned())].into_iter().collect(),
            ..Record::default()
        });
    }
    builder.finish()
}

fn made(dataset: &Dataset, row: usize) -> Dossier {
    let frames = check_frames(dataset, &Silent).unwrap();
    let barcodes: Vec<&[u8]> = (0..dataset.unique_len()).map(|unique| dataset.unique_sequence(unique)).collect();
    let shortlist = KmerShortlist::new(&barcodes, &Silent).unwrap();
    let vectors = Array2::from_shape_fn((barcodes.len(), 2), |(unique, axis)| [1.0, unique as f32][axis]).into();
    let curated = Curated::new(dataset, &[]);
    let input = DossierInput {
        curated: &curated,
        vectors: &vectors,
        shortlist: &shortlist,
        frames: &frames,
        suspect: None,
        row,
    };
    dossier(&input, Provenance::new(Seed(1), &[dataset]), &Silent).unwrap()
}

fn typical_and_one(changes: &[(usize, u8)]) -> Dataset {
    specimens(&[("Aus bus", "X", barcode(&[])), ("Aus cus", "X", barcode(changes))])
}

#[test]
fn only_differing_columns_are_shown_with_their_places_in_the_codon() {
    let found = made(&typical_and_one(&[(2, other(2)), (4, other(4)), (300, other(300))]), 0);
    let columns = &found.stack.columns;
    let places: Vec<_> = columns.iter().map(|column| (column.position.unwrap(), column.in_codon.unwrap())).collect();
    // The frame begins with the last base of a codon: position 2 is the first of one.
    assert_eq!(places, [(2, 1), (4, 3), (300, 2)]);
    let line = &found.stack.lines[0];
    assert_eq!(line.letters, [other(2), other(4), other(300)]);
    let consensus = FrameProfile::bundled().consensus();
    assert!(columns.iter().all(|column| column.base == consensus[column.offset]));
}

#[test]
fn amino_acids_are_those_of_both_codons() {
    let consensus = barcode(&[]);
    let found = made(&typical_and_one(&[(299, other(299))]), 0);
    let codon = |barcode: &[u8]| [barcode[298], barcode[299], barcode[300]];
    let code = crate::data::genetic_code::GeneticCode::InvertebrateMitochondrial;
    let (ours, theirs) = (code.amino_acid(codon(&consensus)), code.amino_acid(codon(&barcode(&[(299, other(299))]))));
    assert_eq!(found.stack.columns[0].amino_acid, Some(ours));
    assert_eq!(found.stack.lines[0].amino_acids, [Some(theirs).filter(|&theirs| theirs != ours)]);
}

#[test]
fn a_barcode_from_the_other_strand_is_turned_before_it_is_compared() {
    let turned = reverse_complement(&barcode(&[]));
    let dataset = specimens(&[("Aus bus", "X", turned), ("Aus bus", "X", barcode(&[(300, other(300))]))]);
    let found = made(&dataset, 0);
    assert!(found.frame.is_reversed);
    assert_eq!(found.stack.columns.len(), 1);
    assert_eq!(found.stack.columns[0].position, Some(300));
}

#[test]
fn a_shorter_neighbour_differs_only_where_it_reaches_and_insertions_are_counted() {
    let mut short = barcode(&[(300, other(300))]);
    short.drain(..100);
    let mut longer = barcode(&[]);
    longer.splice(400..400, *b"ACG");
    let dataset = specimens(&[("Aus bus", "X", barcode(&[])), ("Aus bus", "X", short), ("Aus bus", "X", longer)]);
    let found = made(&dataset, 0);
    let line = |row: usize| found.stack.lines.iter().find(|line| line.row == row).unwrap();
    assert_eq!((line(1).inserted, line(2).inserted), (0, 3));
    assert!(found.stack.columns.iter().all(|column| column.offset >= 100), "the first hundred bases have no partner");
}

#[test]
fn diagnostic_bases_say_which_name_a_barcode_bears() {
    let marked = || barcode(&[(100, other(100)), (200, other(200))]);
    let dataset = specimens(&[
        ("Aus bus", "X", marked()),
        ("Aus bus", "Y", barcode(&[])),
        ("Aus bus", "Y", barcode(&[])),
        ("Aus cus", "X", marked()),
        ("Aus cus", "X", marked()),
    ]);
    let telling = made(&dataset, 0).telling.unwrap();
    assert_eq!((telling.labelled.as_str(), telling.other.as_str()), ("Aus bus", "Aus cus"));
    assert_eq!((telling.of_labelled[0].len(), telling.of_labelled[1].len()), (0, 2));
    assert_eq!((telling.of_other[0].len(), telling.of_other[1].len()), (2, 2));
    assert!(telling.told().contains("2 of the 2 that tell Aus cus from Aus bus"), "{}", telling.told());
    let bin = made(&dataset, 0).bin.unwrap();
    assert_eq!((bin.bin.as_str(), bin.others, bin.names), ("X", 2, vec![("Aus cus".to_owned(), 2)]));
}

#[test]
fn one_specimen_alone_has_a_dossier_too() {
    let dataset = specimens(&[("Aus bus", "X", barcode(&[]))]);
    let found = made(&dataset, 0);
    assert!(found.by_embedding.is_empty() && found.by_identity.is_empty() && found.telling.is_none());
    assert!(found.stack.columns.is_empty() && found.frame.stops.is_empty());
    assert_eq!(found.bin.unwrap().others, 0);
}

#[test]
fn the_page_holds_everything_and_lets_no_name_break_it() {
    let dataset = specimens(&[
        ("Aus <b>bus", "X", barcode(&[])),
        ("Aus cus", "X", barcode(&[(300, other(300))])),
        ("Aus cus", "X", barcode(&[(300, other(300))])),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dossier.html");
    let opinions = [["the model".to_owned(), "Aus".to_owned(), "very".to_owned()]];
    write_dossier(&path, &made(&dataset, 0), &Curated::new(&dataset, &[]), &opinions, None).unwrap();
    let html = std::fs::read_to_string(&path).unwrap();
    for part in ["Aus &lt;b&gt;bus", "s1", "300", "the model", "Its reading frame", "BIN", "Methods"] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("<b>") && !html.contains("http"), "nothing from outside");
}

proptest! {
    #[test]
    fn columns_are_exactly_the_places_that_differ(places in proptest::collection::btree_set(20usize..640, 0..12)) {
        let changes: Vec<(usize, u8)> = places.iter().map(|&position| (position, other(position))).collect();
        let found = made(&typical_and_one(&changes), 0);
        let shown: Vec<usize> = found.stack.columns.iter().map(|column| column.position.unwrap() as usize).collect();
        prop_assert_eq!(shown, places.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn neighbours_stand_in_order_and_without_the_specimen_itself() {
    let at = |differing: usize| barcode(&(0..differing).map(|n| (20 + 9 * n, other(20 + 9 * n))).collect::<Vec<_>>());
    let rows: Vec<(&str, &str, Vec<u8>)> = [0, 7, 2, 4, 2].into_iter().map(|n| ("Aus bus", "X", at(n))).collect();
    let found = made(&specimens(&rows), 0);
    let identity: Vec<usize> = found.by_identity.iter().map(|near| near.row).collect();
    assert_eq!(identity, [2, 4, 3, 1], "two of one barcode in file order, then farther ones");
    assert!((found.by_identity[0].identity - (1.0 - 2.0 / 658.0)).abs() < 1e-6);
    // The vectors are (1, number of the unique barcode): nearest by number, whatever the bases.
    let embedding: Vec<usize> = found.by_embedding.iter().map(|near| near.row).collect();
    assert_eq!(embedding, [1, 2, 4, 3]);
    assert!(found.by_embedding.is_sorted_by(|a, b| a.cosine >= b.cosine));
    assert_eq!(found.in_both, 4);
}

#[test]
fn stops_and_broken_frames_are_seen_where_they_are() {
    // Position 299 is the first of a codon, as 2 is.
    let stop = barcode(&[(299, b'T'), (300, b'A'), (301, b'A')]);
    let mut broken = barcode(&[]);
    broken.remove(300);
    let dataset = specimens(&[
        ("Aus bus", "X", stop),
        ("Aus bus", "X", broken),
        ("Aus bus", "X", barcode(&[])),
        ("Aus bus", "X", barcode(&[(30, b'N')])),
    ]);
    let frame = |row: usize| made(&dataset, row).frame;
    assert_eq!((frame(0).stops, frame(2).stops), (vec![299], Vec::new()));
    assert!(frame(1).breaks_frame && !frame(3).breaks_frame);
    assert_eq!((frame(3).ambiguous, frame(1).length, frame(1).usual_length), (1, 657, 658));
    assert!(frame(0).told().iter().any(|line| line.contains("299")));
    assert!(frame(3).told().iter().any(|line| line == "Its reading frame is open."));
}

#[test]
fn the_page_marks_the_collecting_site() {
    let mut builder = DatasetBuilder::new("survey", Vec::new());
    builder.push(Record {
        id: "here".into(),
        sequence: barcode(&[]),
        coordinates: Some([-41.25, 174.5]),
        ..Record::default()
    });
    let dataset = builder.finish();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dossier.html");
    write_dossier(&path, &made(&dataset, 0), &Curated::new(&dataset, &[]), &[], None).unwrap();
    let html = std::fs::read_to_string(&path).unwrap();
    assert!(html.contains("cx=\"174.5\" cy=\"41.25\""), "east is right, north is up");
}
