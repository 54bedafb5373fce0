//! Reading of every layout, of damaged files, and of files that are none: nothing is lost without a line in the report.

#![expect(clippy::unwrap_used, reason = "a test that can't read its fixtures fails there and then")]

use barcodescope::data::dataset::{Dataset, Flags};
use barcodescope::data::import::{
    Event, ImportError, ImportOptions, ImportReport, LeftOutReason, PartReader, Repair, Role, inspect, load,
    load_in_parts,
};
use barcodescope::data::simulate::{SimulationSettings, simulated_dataset, write_csv};
use barcodescope::data::taxonomy::Field;
use barcodescope::progress::{Cancelled, Observer, Progress, Silent};
use proptest::prelude::*;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

const BARCODE: &str = "AACATTATATTTTATTTTTGGAATTTGATCAGGAATAGTAGGAACTTCTTTAAGATTATTAATTCGAGCTGAATTAGG";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import").join(name)
}

fn open(names: &[&str]) -> (Dataset, ImportReport) {
    open_with(names, &ImportOptions::default())
}

fn open_with(names: &[&str], options: &ImportOptions) -> (Dataset, ImportReport) {
    let paths: Vec<PathBuf> = names.iter().map(|name| fixture(name)).collect();
    let (dataset, report) = load(&paths, options, &Silent).unwrap();
    assert_accounted(&dataset, &report);
    (dataset, report)
}

/// Every record read is kept or left out, and the report has a line for each that is left out.
fn assert_accounted(dataset: &Dataset, report: &ImportReport) {
    assert_eq!(report.records_kept, dataset.len());
    assert_eq!(report.records_read, report.records_kept + report.left_out_total());
    let listed = report.entries.iter().filter(|entry| matches!(entry.event, Event::LeftOut(_))).count();
    assert_eq!(listed, report.left_out_total());
    assert_eq!(dataset.files().len(), report.files.len());
}

/// Reads bytes as a file.
fn read(bytes: &[u8]) -> Result<(Dataset, ImportReport), ImportError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let result = load(&[file.path().to_owned()], &ImportOptions::default(), &Silent);
    match &result {
        Ok((dataset, report)) => assert_accounted(dataset, report),
        Err(ImportError::NothingUsable(report)) => assert_eq!(report.records_read, report.left_out_total()),
        Err(_) => {}
    }
    result
}

fn ids(dataset: &Dataset) -> Vec<&str> {
    (0..dataset.len()).map(|row| dataset.id(row)).collect()
}

fn labels(dataset: &Dataset, row: usize) -> String {
    let label = |field| dataset.label(row, field).map(|name| format!("{field}={name}"));
    Field::ALL.into_iter().filter_map(label).collect::<Vec<_>>().join(" ")
}

fn text<'d>(dataset: &'d Dataset, row: usize, column: &str) -> &'d str {
    let place = dataset.other_columns().iter().position(|name| name == column);
    dataset.other(row, place.unwrap_or_else(|| panic!("no column {column}")))
}

const LINEAGE: &str = "phylum=Arthropoda class=Insecta order=Diptera family=Fabulidae";

#[test]
fn bioscan_5m() {
    let (dataset, report) = open(&["bioscan_5m.csv"]);
    assert_eq!(report.files[0].layout, "BIOSCAN-5M");
    assert_eq!(ids(&dataset), ["FAKEA001-20", "FAKEA002-20", "FAKEA003-20"]);
    assert_eq!(
        labels(&dataset, 0),
        format!(
            "{LINEAGE} subfamily=Fabulinae genus=Fabula species=Fabula prima bin=BOLD:AAA0001 split=train country=Atlantis"
        )
    );
    assert_eq!(labels(&dataset, 1), "phylum=Arthropoda family=Fabulidae split=pretrain");
    assert_eq!(labels(&dataset, 2), "genus=Fabula split=test_unseen");
    assert_eq!(dataset.coordinates(0), Some([12.5, -70.25]));
    assert_eq!((dataset.coordinates(1), dataset.coordinates(2)), (None, None));
    assert_eq!(report.repaired[&Repair::Coordinates], 1, "a latitude of 95 degrees is none");
    assert_eq!(text(&dataset, 0, "sampleid"), "FK-1");
    assert_eq!(text(&dataset, 0, "taxon"), "Fabula prima");
    assert_eq!(report.left_out[&LeftOutReason::NoSequence], 1);
    assert_eq!((dataset.sequence(0).len(), dataset.unique_len()), (210, 2), "N at the end is cut");
    assert_eq!(dataset.origin(2).line, 4);
}

#[test]
fn a_simulation_is_read_back_as_it_was_made() {
    let settings = SimulationSettings { specimens: 300, ..SimulationSettings::default() };
    let mut table = Vec::new();
    write_csv(&settings, &mut table, &Silent).unwrap();
    let (dataset, report) = read(&table).unwrap();
    let made = simulated_dataset(&settings, &Silent).unwrap();
    assert_eq!((report.files[0].layout.as_str(), dataset.len()), ("BIOSCAN-5M", 300));
    for row in 0..made.len() {
        assert_eq!((dataset.id(row), dataset.sequence(row)), (made.id(row), made.sequence(row)));
        assert_eq!((labels(&dataset, row), dataset.flags(row)), (labels(&made, row), made.flags(row)));
        assert_eq!(dataset.coordinates(row), made.coordinates(row));
        assert_eq!(dataset.origin(row).line, made.origin(row).line);
        for column in ["truth", "true_genus", "true_species", "true_bin"] {
            assert_eq!(text(&dataset, row, column), text(&made, row, column));
        }
    }
}

#[test]
fn bioscan_1m_and_canada() {
    let (dataset, report) = open(&["bioscan_1m.tsv"]);
    assert_eq!(report.files[0].layout, "BIOSCAN-1M");
    assert_eq!(
        labels(&dataset, 0),
        format!("{LINEAGE} subfamily=Fabulinae genus=Fabula species=Fabula prima bin=BOLD:AAA0001")
    );
    assert_eq!(labels(&dataset, 1), "phylum=Arthropoda family=Fabulidae bin=BOLD:AAA0002");
    assert_eq!(text(&dataset, 0, "copyright_holder"), "", "not_classified is a missing value");
    let (dataset, report) = open(&["canada_1_5m.csv"]);
    assert_eq!(report.files[0].layout, "CANADA-1.5M");
    assert_eq!(labels(&dataset, 0), format!("{LINEAGE} genus=Fabula species=Fabula prima bin=BOLD:AAA0001"));
    assert_eq!(labels(&dataset, 1), "family=Fabulidae bin=BOLD:AAA0002");
}

#[test]
fn bold_v3_has_a_stray_carriage_return_in_every_line() {
    let (dataset, report) = open(&["bold_v3_combined.tsv"]);
    assert_eq!(report.files[0].layout, "BOLD v3 combined");
    assert_eq!((report.files[0].encoding.as_str(), report.files[0].columns.len()), ("Latin-1", 55));
    assert_eq!(ids(&dataset), ["FAKED001-20"]);
    assert_eq!(dataset.coordinates(0), Some([10.5, -85.25]));
    assert_eq!(text(&dataset, 0, "exactsite"), "Bahía");
    assert_eq!(text(&dataset, 0, "image_ids"), "1|2");
    assert_eq!(text(&dataset, 0, "markercode"), "COI-5P");
    assert_eq!(report.left_out[&LeftOutReason::NoSequence], 1);
    assert_eq!(report.other_markers["COI-3P"], 1);
    assert!(report.repaired[&Repair::StrayCarriageReturn] > 0);
    assert_eq!((report.repaired[&Repair::GapsRemoved], report.repaired[&Repair::LowerCase]), (1, 1));
    let entry = report.entries.iter().find(|entry| entry.event == Event::LeftOut(LeftOutReason::OtherMarker)).unwrap();
    assert_eq!(
        (entry.id.as_str(), entry.line, entry.length, entry.detail.as_deref()),
        ("FAKED003-20", 4, 210, Some("COI-3P"))
    );
}

#[test]
fn bold_v4_alone_and_with_specimen_data() {
    let (dataset, report) = open(&["bold_v4_combined.tsv"]);
    assert_eq!((report.files[0].layout.as_str(), report.files[0].line_ends.as_ref()), ("BOLD v4 combined", "CRLF"));
    assert_eq!(ids(&dataset), ["FAKEE001-20", "FAKEE003-20"], "markers are compared without regard to case");
    assert_eq!(text(&dataset, 0, "exactsite"), "Dünen \"Nord\"", "quotes within a field are letters");
    assert_eq!(labels(&dataset, 1), "genus=Fabula");
    let error = load(&[fixture("bold_v4_specimens.tsv")], &ImportOptions::default(), &Silent).unwrap_err();
    assert!(
        matches!(&error, ImportError::NoSequences { columns, .. } if columns.contains(&"processid".to_owned())),
        "{error}"
    );
}

#[test]
fn bold_package_and_bcdm() {
    let (dataset, report) = open(&["bold_package_2023.tsv"]);
    assert_eq!(report.files[0].layout, "BOLD data package 2023");
    assert_eq!(dataset.coordinates(0), Some([19.375, -88.25]));
    assert_eq!(report.other_markers["COI-LIKE"], 1);
    for (name, layout) in
        [("bcdm_2024.tsv", "BCDM 2024"), ("bcdm_2025.tsv", "BCDM 2025"), ("bold_v5_portal.tsv", "BOLD v5 portal")]
    {
        let (dataset, report) = open(&[name]);
        assert_eq!(report.files[0].layout, layout);
        assert_eq!(ids(&dataset), ["FAKEG001-20", "FAKEG002-20"]);
        assert_eq!(dataset.coordinates(0), Some([69.5, 30.25]));
        assert_eq!(
            labels(&dataset, 0),
            format!(
                "{LINEAGE} subfamily=Fabulinae genus=Fabula species=Fabula prima bin=BOLD:AAA0001 country=Atlantis"
            )
        );
        assert_eq!(labels(&dataset, 1), "genus=Fabula country=Atlantis");
        assert_eq!(text(&dataset, 0, "notes"), "12\" trap");
        assert_eq!(text(&dataset, 1, "notes"), "");
        assert_eq!((dataset.sequence(1).len(), report.left_out[&LeftOutReason::OtherMarker]), (210, 1));
    }
}

#[test]
fn darwin_core_tables_are_joined() {
    let (dataset, report) = open(&["dwca_occurrences.tsv", "dwca_sequences.tsv"]);
    assert_eq!(ids(&dataset), ["FAKEH001-20", "FAKEH002-20", "FAKEH003-20"]);
    assert_eq!(
        labels(&dataset, 0),
        "phylum=Arthropoda family=Fabulidae genus=Fabula species=Fabula prima bin=BOLD:AAA0001 country=Atlantis"
    );
    assert_eq!(dataset.coordinates(0), Some([-33.5, 140.25]));
    assert_eq!(text(&dataset, 0, "dwc:associatedSequences"), "XX0001; XX0002");
    assert_eq!(text(&dataset, 0, "dwc:scientificName"), "Fabula prima (Author, 1900)");
    // Two rows of the second specimen name different families: what they agree on is taken.
    assert_eq!(dataset.label(1, Field::Family), None);
    assert_eq!(dataset.label(1, Field::Genus), Some("Fabula"));
    assert_eq!(report.repaired[&Repair::AmbiguousLabels], 1);
    assert_eq!(report.repaired[&Repair::UnmatchedLabels], 1);
    assert_eq!(report.records_without_label_row, 1);
    assert_eq!((report.files[0].labels_only, report.files[0].records_read, report.files[0].records_kept), (true, 5, 4));
    let unmatched =
        report.entries.iter().find(|entry| entry.event == Event::Repaired(Repair::UnmatchedLabels)).unwrap();
    assert_eq!((unmatched.id.as_str(), unmatched.line, unmatched.file), ("FAKEH009-20", 6, 0));
    // The order of the files does not matter for the labels.
    let (other, _) = open(&["dwca_sequences.tsv", "dwca_occurrences.tsv"]);
    assert_eq!(
        (0..3).map(|row| labels(&other, row)).collect::<Vec<_>>(),
        (0..3).map(|row| labels(&dataset, row)).collect::<Vec<_>>()
    );
}

#[test]
fn labels_are_joined_on_id_and_marker_and_know_better_than_a_header() {
    let (dataset, report) = open(&["headers.fasta", "labels.tsv"]);
    let row = dataset.row_of("FAKEK001-08").unwrap();
    assert_eq!(labels(&dataset, row), "order=Diptera family=Fabulidae genus=Fabula species=Fabula prima");
    let row = dataset.row_of("FAKEK002-08").unwrap();
    assert_eq!(labels(&dataset, row), "order=Diptera family=Fabulidae genus=Fabula");
    let row = dataset.row_of("FAKEK005-08").unwrap();
    assert_eq!(labels(&dataset, row), "order=Diptera family=Fabulidae genus=Fabula");
    assert_eq!(report.repaired[&Repair::UnmatchedLabels], 2, "the row of marker 28S and the row of nobody");
    assert!(!report.repaired.contains_key(&Repair::LabelConflict));
    // MetaCOXI writes the marker behind the process id.
    let path = write("seq.fas", format!(">FAKEI001-20|x\n{BARCODE}\n").as_bytes());
    let (dataset, _) = load(&[path.1, fixture("metacoxi.tsv")], &ImportOptions::default(), &Silent).unwrap();
    assert_eq!(
        labels(&dataset, 0),
        "phylum=Arthropoda family=Fabulidae genus=Fabula species=Fabula prima country=Atlantis"
    );
    assert_eq!(dataset.coordinates(0), Some([46.5, -80.75]));
}

#[test]
fn a_label_table_that_contradicts_the_table_of_sequences_is_reported() {
    let sequences = write("s.csv", format!("id,genus,sequence\na,Fabula,{BARCODE}\n").as_bytes());
    let labels_file = write("l.csv", b"id,genus,family\na,Other,Fabulidae\n");
    let (dataset, report) = load(&[sequences.1, labels_file.1], &ImportOptions::default(), &Silent).unwrap();
    assert_eq!(labels(&dataset, 0), "family=Fabulidae genus=Fabula");
    let entry = report.entries.iter().find(|entry| entry.event == Event::Repaired(Repair::LabelConflict)).unwrap();
    assert!(entry.detail.as_deref().unwrap().contains("Other"));
}

/// A file that lives as long as the first value.
fn write(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn headers_of_every_kind() {
    let (dataset, report) = open(&["headers.fasta"]);
    assert_eq!(
        ids(&dataset),
        [
            "FAKEK001-08",
            "FAKEK002-08",
            "FAKEK003-13",
            "FAKEK004-14",
            "NC_000001_1",
            "FAKEK005-08",
            "FAKEK001-08#2",
            "gi|1|gb|XX1.1|",
            "gi|2|gb|XX2.1|",
            "FAKEK008-06_Fabula_tertia_COI-5P_XX047573",
            "OTU_1",
            "row13"
        ]
    );
    let names: Vec<String> = (0..dataset.len()).map(|row| labels(&dataset, row)).collect();
    let fabula = "genus=Fabula species=Fabula prima";
    assert_eq!(names[0], fabula);
    assert_eq!(names[1], "genus=Fabula");
    assert_eq!(names[2], format!("{LINEAGE} {fabula} bin=BOLD:AAA0001"));
    assert_eq!(names[3], format!("{LINEAGE} {fabula} bin=BOLD:AAA0002"));
    assert_eq!(names[4], format!("phylum=Mollusca class=Gastropoda family=Fabulidae {fabula}"));
    assert_eq!(names[5], "order=Diptera");
    assert_eq!(names[7], fabula);
    assert_eq!((names[9].as_str(), names[10].as_str()), ("genus=Fabula species=Fabula tertia", ""));
    assert_eq!(
        text(&dataset, 0, "header"),
        "FAKEK001-08|Fabula_prima_prima|COI-5P|XX131764",
        "the whole header is kept"
    );
    assert_eq!(report.other_markers["COI-3P"], 1);
    assert_eq!((report.repeated_ids, report.repaired[&Repair::MissingId]), (1, 1));
    let repeated = report.entries.iter().find(|entry| entry.event == Event::Repaired(Repair::RepeatedId)).unwrap();
    assert_eq!(
        (repeated.id.as_str(), repeated.detail.as_deref(), repeated.line),
        ("FAKEK001-08", Some("FAKEK001-08#2"), 22)
    );
}

#[test]
fn letters_lengths_and_flags() {
    let (dataset, report) = open(&["gapped_crlf.fas"]);
    assert_eq!(ids(&dataset), ["a", "c", "f", "g"]);
    assert_eq!((dataset.sequence(0).len(), dataset.sequence(1).len()), (210, 60));
    assert!(dataset.sequence(0).iter().all(|base| b"ACGT".contains(base)));
    assert_eq!(dataset.flags(1), Flags::SHORT);
    assert_eq!(dataset.flags(2), Flags::AMBIGUOUS);
    assert!(dataset.sequence(2).ends_with(b"RYSWKMBDHV"), "IUPAC codes are kept");
    assert!(dataset.sequence(3).starts_with(b"NN"));
    assert_eq!(report.left_out[&LeftOutReason::NoSequence], 1);
    assert_eq!(report.left_out[&LeftOutReason::TooShort], 1);
    assert_eq!(report.left_out[&LeftOutReason::TooLong], 1);
    assert_eq!((report.flagged["short"], report.flagged["ambiguous"]), (1, 1));
    assert_eq!(report.repaired[&Repair::LettersReplaced], 1);
    assert_eq!((report.lengths.shortest, report.lengths.longest), (60, 212));
    assert_eq!(report.ambiguous_letters, 12);
    let long = report.entries.iter().find(|entry| entry.event == Event::LeftOut(LeftOutReason::TooLong)).unwrap();
    assert_eq!((long.id.as_str(), long.length), ("e", 3200));
}

#[test]
fn limits_and_markers_can_be_changed() {
    let all = ImportOptions { min_length: 10, max_length: 5000, ..ImportOptions::default() };
    let (dataset, _) = open_with(&["gapped_crlf.fas"], &all);
    assert_eq!(ids(&dataset), ["a", "c", "d", "e", "f", "g"]);
    let other = ImportOptions { markers: vec!["coi-3p".into()], ..ImportOptions::default() };
    let (dataset, _) = open_with(&["bold_v3_combined.tsv"], &other);
    assert_eq!(ids(&dataset), ["FAKED003-20"]);
    let any = ImportOptions { markers: vec!["all".into()], ..ImportOptions::default() };
    assert_eq!(open_with(&["bcdm_2025.tsv"], &any).0.len(), 3);
}

#[test]
fn any_other_table_by_a_guess_that_can_be_changed() {
    let (dataset, report) = open(&["dimacs.csv"]);
    assert_eq!(ids(&dataset), ["FAKEJ001-03", "FAKEJ002-03"], "the '>' of FASTA is dropped");
    assert_eq!(labels(&dataset, 0), "genus=Fabula species=Fabula prima");
    assert_eq!(labels(&dataset, 1), "genus=Fabula species=Fabula SECUNDA");
    assert_eq!(report.files[0].mapping.as_ref().unwrap().column(Role::Sequence), Some("Code"));

    let (dataset, _) = open(&["semicolon_bom.csv"]);
    assert_eq!((ids(&dataset), labels(&dataset, 0).as_str()), (vec!["P1", "P2"], ""));
    assert_eq!(dataset.coordinates(0), Some([47.5, 8.25]));
    assert_eq!((text(&dataset, 0, "Fundort"), text(&dataset, 1, "Fundort")), ("Zürich; See", "a\nb"));
    let options =
        ImportOptions { mapping: Some("genus=Gattung,species=art,lat=".parse().unwrap()), ..ImportOptions::default() };
    let (dataset, _) = open_with(&["semicolon_bom.csv"], &options);
    assert_eq!(labels(&dataset, 0), "genus=Fabula species=Fabula prima");
    assert_eq!(dataset.coordinates(0), None);
    let shown = inspect(&fixture("semicolon_bom.csv"), &options).unwrap();
    assert_eq!(shown.mapping.unwrap().column(Role::Label(Field::Genus)), Some("Gattung"));
    assert_eq!((shown.sample.len(), shown.sample[0][0].as_str()), (2, "P1"));
    let wrong = ImportOptions { mapping: Some("genus=Nowhere".parse().unwrap()), ..ImportOptions::default() };
    let error = load(&[fixture("semicolon_bom.csv")], &wrong, &Silent).unwrap_err().to_string();
    assert!(error.contains("genus=Nowhere") && error.contains("Gattung"), "{error}");
}

#[test]
fn species_that_are_none_and_epithets() {
    let (dataset, report) = open(&["epithets.tsv"]);
    let names: Vec<String> = (0..4).map(|row| labels(&dataset, row)).collect();
    assert_eq!(names[..2], ["genus=Fabula species=Fabula prima", "genus=Fabula species=Fabula secunda"]);
    assert_eq!(names[2..], ["genus=Fabula", "genus=Fabula"]);
    assert_eq!((report.repaired[&Repair::EpithetJoined], report.repaired[&Repair::PlaceholderName]), (1, 1));
}

#[test]
fn tables_without_a_header_and_with_row_names() {
    let (dataset, _) = open(&["no_header.csv"]);
    assert_eq!((dataset.len(), text(&dataset, 0, "column 2")), (2, "Fabula prima"));
    assert_eq!(ids(&dataset), ["s1", "s2"]);
    let (dataset, _) = open(&["row_names.tsv"]);
    assert_eq!((ids(&dataset), labels(&dataset, 0).as_str()), (vec!["1", "2"], "genus=Fabula"));
}

#[test]
fn odd_rows_are_read_as_far_as_they_can_and_reported() {
    let (dataset, report) = open(&["ragged.csv"]);
    assert_eq!(ids(&dataset), ["a", "b", "c", "d", "e"]);
    assert_eq!(report.repaired[&Repair::RaggedRow], 2);
    assert_eq!(report.repaired[&Repair::UnclosedQuote], 1);
    assert_eq!(report.repaired[&Repair::RepeatedHeader], 1);
    assert_eq!(labels(&dataset, 3), "genus=\"Fabula");
    assert_eq!(dataset.origin(4).line, 9);
}

#[test]
fn several_files_are_one_dataset_and_repeated_ids_are_told() {
    let (dataset, report) = open(&["bcdm_2024.tsv", "bcdm_2025.tsv", "headers.fasta"]);
    assert_eq!(dataset.files().len(), 3);
    assert_eq!(dataset.id(2), "FAKEG001-20#2");
    assert_eq!((dataset.origin(2).file, dataset.origin(2).line), (1, 2));
    assert_eq!(report.repeated_ids, 3);
    assert_eq!(text(&dataset, 0, "header"), "");
    assert_eq!(dataset.name(), "bcdm_2024.tsv and 2 more");
}

#[test]
fn packed_files_read_as_unpacked_ones_and_give_the_hash_of_the_bytes_on_disk() {
    let plain = std::fs::read(fixture("bioscan_5m.csv")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&plain).unwrap();
    let expected = read(&plain).unwrap().0;
    for packed in [gzip.finish().unwrap(), zstd::encode_all(plain.as_slice(), 3).unwrap()] {
        let (dataset, _) = read(&packed).unwrap();
        assert_eq!(dataset.key(), expected.key());
        assert_eq!(dataset.files()[0].sha256, barcodescope::key::ContentHash::of(&packed));
    }
}

#[test]
fn truncated_files_keep_what_is_whole_and_report_the_rest() {
    let record = |index: usize| format!(">r{index}\n{}{}\n", BARCODE, "ACGT".repeat(index % 7));
    let plain: String = (0..3000).map(record).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(plain.as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let (dataset, report) = read(&packed[..packed.len() / 2]).unwrap();
    assert!(dataset.len() > 100 && dataset.len() < 2999);
    assert_eq!((report.left_out[&LeftOutReason::Truncated], report.repaired[&Repair::DamagedFile]), (1, 1));
    let last = dataset.len() - 1;
    assert_eq!(dataset.id(last), format!("r{last}"));
    assert!(
        record(last).as_bytes()[..]
            .windows(dataset.sequence(last).len())
            .any(|window| window == dataset.sequence(last))
    );

    let table = format!("id,sequence,site\na,{BARCODE},x\nb,{BARCODE}A");
    let (dataset, report) = read(table.as_bytes()).unwrap();
    assert_eq!((ids(&dataset), report.left_out[&LeftOutReason::Truncated]), (vec!["a"], 1));
}

#[test]
fn files_that_hold_no_barcodes_are_refused_in_words() {
    let refused = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert!(refused(b"").contains("empty"));
    assert!(refused(b"\n\n").contains("empty"));
    assert!(refused(b"\x00\x01\x02junk").contains("binary"));
    assert!(refused(b"PK\x03\x04....").contains("Excel"));
    assert!(refused(b">a\n>b\n").contains("2 without a sequence"));
    assert!(refused(b">a\nMLFSTWKELIQPEFLIPEELIQMLFSTWKELIQPEFLIPEELIQ\n").contains("not nucleotides"));
    assert!(
        refused(format!(">A1-20|Fabula|COI-3P\n{BARCODE}\n").as_bytes()).contains("1 of another marker (1 COI-3P)")
    );
    assert!(refused(b"a line of text\nand another\n").contains("no column holds sequences"));
    let wide = "x\t".repeat(1_000_000);
    assert!(refused(wide.as_bytes()).contains("1000001 columns"));
    let missing = load(&[PathBuf::from("no/such/file.fas")], &ImportOptions::default(), &Silent).unwrap_err();
    assert!(matches!(missing, ImportError::Io { .. }));
    assert!(matches!(load(&[], &ImportOptions::default(), &Silent), Err(ImportError::NoFiles)));
    assert!(matches!(load(&[PathBuf::from(".")], &ImportOptions::default(), &Silent), Err(ImportError::Io { .. })));
}

#[test]
fn lines_and_sequences_without_end_are_left_out_and_the_rest_is_read() {
    let long = "A".repeat(17_000_000);
    let fasta = format!(">long\n{long}\n>mito\n{}\n>ok\n{BARCODE}\n", "ACGT".repeat(4000));
    let (dataset, report) = read(fasta.as_bytes()).unwrap();
    assert_eq!((ids(&dataset), report.left_out[&LeftOutReason::TooLong]), (vec!["ok"], 2));
    let table = format!("id,sequence\na,{BARCODE}\nb,{long}\nc,{BARCODE}\nd,{}\n", ",".repeat(1_000_000));
    let (dataset, report) = read(table.as_bytes()).unwrap();
    assert_eq!(ids(&dataset), ["a", "c"]);
    assert_eq!((report.left_out[&LeftOutReason::Unreadable], report.left_out[&LeftOutReason::NoSequence]), (1, 1));
}

#[test]
fn missing_line_ends_comments_and_text_before_the_first_header() {
    let text = format!("; a comment\n\n>a\n{BARCODE}>b\n{BARCODE}A\n;between\n>>c\n1 {BARCODE}\n61 ACGT\n");
    let (dataset, report) = read(text.as_bytes()).unwrap();
    assert_eq!(ids(&dataset), ["a", "b", "c"]);
    assert_eq!((dataset.sequence(1).len(), dataset.sequence(2).len()), (BARCODE.len() + 1, BARCODE.len() + 4));
    assert_eq!((report.repaired[&Repair::MissingLineEnd], report.repaired[&Repair::IdPrefix]), (1, 1));
    let table = format!("# made by a program\n#OTU ID\tseq\nNone\t{BARCODE}\nb\t{BARCODE}\n");
    let (dataset, report) = read(table.as_bytes()).unwrap();
    assert_eq!(ids(&dataset), ["row1", "b"]);
    assert_eq!((report.repaired[&Repair::TextBeforeFirstHeader], report.repaired[&Repair::MissingId]), (1, 1));
    assert_eq!(read(format!("sep=;\nid;seq\na;{BARCODE}\n").as_bytes()).unwrap().0.id(0), "a");
    let macintosh = format!(">a\r{BARCODE}\r>b\r{BARCODE}A\r");
    assert_eq!(read(macintosh.as_bytes()).unwrap().0.len(), 2);
}

struct CancelAfter(AtomicUsize);

impl Observer for CancelAfter {
    fn progress(&self, at: Progress) -> Result<(), Cancelled> {
        assert!(at.done <= at.total.unwrap());
        let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| Cancelled)
    }
}

#[test]
fn reading_can_be_cancelled_and_tells_how_far_it_is() {
    let text: String = (0..20_000).map(|index| format!(">{index}\n{BARCODE}\n")).collect();
    let (_folder, path) = write("many.fas", text.as_bytes());
    let cancel =
        |after| load(std::slice::from_ref(&path), &ImportOptions::default(), &CancelAfter(AtomicUsize::new(after)));
    for after in [0, 1, 5, 40] {
        assert!(matches!(cancel(after), Err(ImportError::Cancelled(_))), "after {after}");
    }
    assert_eq!(cancel(usize::MAX).unwrap().0.len(), 20_000);
}

/// A table of several megabytes, more than its two threads hold between them, with odd rows here and there.
fn long_table(rows: usize) -> String {
    let mut table = "processid,genus,species,seq\n".to_owned();
    for row in 0..rows {
        let sequence = format!("{}{}", &BARCODE[row % 7..], BARCODE.repeat(8));
        match row % 1000 {
            500 => table += "processid,genus,species,seq\n",
            600 => table += &format!("id{row},Apis,mellifera\n"),
            700 => table += &format!("id{row},\"Apis\",\"Apis\nmellifera\",{sequence}\n"),
            _ => table += &format!("id{row},Genus{},sp{row},{sequence}\n", row % 13),
        }
    }
    table
}

#[test]
fn long_tables_keep_their_order_whatever_thread_read_a_row() {
    let rows = 9_000;
    let (dataset, report) = read(long_table(rows).as_bytes()).unwrap();
    let is_row = |row: &usize| row % 1000 != 500;
    let kept: Vec<usize> = (0..rows).filter(|row| is_row(row) && row % 1000 != 600).collect();
    assert_eq!(ids(&dataset), kept.iter().map(|row| format!("id{row}")).collect::<Vec<_>>());
    assert_eq!((report.records_read, report.repaired[&Repair::RepeatedHeader]), (rows - 9, 9));
    assert_eq!(report.left_out[&LeftOutReason::NoSequence], 9);
    assert_eq!(dataset.unique_len(), 7);
    let mut line = 2;
    for (at, &row) in kept.iter().enumerate() {
        let before = if at == 0 { 0 } else { kept[at - 1] };
        line += row - before + usize::from(before % 1000 == 700);
        assert_eq!(dataset.origin(at).line as usize, line, "row {row}");
        let expected = if row % 1000 == 700 { "Apis".to_owned() } else { format!("Genus{}", row % 13) };
        assert_eq!(dataset.label(at, Field::Genus), Some(expected.as_str()));
        assert!(dataset.sequence(at).starts_with(&BARCODE.as_bytes()[row % 7..]));
    }
}

#[test]
fn long_tables_stop_when_told_to_wherever_they_are() {
    let (_folder, path) = write("long.csv", long_table(9_000).as_bytes());
    let cancel =
        |after| load(std::slice::from_ref(&path), &ImportOptions::default(), &CancelAfter(AtomicUsize::new(after)));
    for after in [0, 1, 20, 60] {
        assert!(matches!(cancel(after), Err(ImportError::Cancelled(_))), "after {after}");
    }
}

/// Takes parts until it has enough.
struct Enough(usize);

impl PartReader for Enough {
    fn part(&mut self, records: &Dataset) -> Result<(), Cancelled> {
        self.0 = self.0.checked_sub(records.len()).ok_or(Cancelled)?;
        Ok(())
    }

    fn end_of_file(&mut self) {}
}

#[test]
fn whoever_takes_the_parts_of_a_long_table_can_end_its_reading() {
    let (_folder, path) = write("long.csv", long_table(9_000).as_bytes());
    let read = |enough| {
        load_in_parts(std::slice::from_ref(&path), &ImportOptions::default(), 100, &Silent, &mut Enough(enough))
    };
    assert!(matches!(read(150), Err(ImportError::Cancelled(_))));
    read(9_000).unwrap();
}

/// Keeps ids and genera of all parts.
#[derive(Default)]
struct Genera(Vec<(String, Option<String>)>);

impl PartReader for Genera {
    fn part(&mut self, records: &Dataset) -> Result<(), Cancelled> {
        let genus = |row: usize| records.label(row, Field::Genus).map(str::to_owned);
        self.0.extend((0..records.len()).map(|row| (records.id(row).to_owned(), genus(row))));
        Ok(())
    }

    fn end_of_file(&mut self) {}
}

/// Names are numbered anew in every part, and rows with the same labels share what was read of the first.
#[test]
fn every_part_of_a_table_has_the_labels_of_its_rows() {
    let genera = ["Apis", "Bombus", "", "Bombus", "Apis", "Osmia", "Osmia", "Apis"];
    let rows: String = genera.iter().enumerate().map(|(row, genus)| format!("r{row},{genus},{BARCODE}\n")).collect();
    let (_folder, path) = write("parts.csv", format!("id,genus,sequence\n{rows}").as_bytes());
    let expected: Vec<(String, Option<String>)> = (0..)
        .zip(genera)
        .map(|(row, genus): (usize, &str)| {
            (format!("r{row}"), Some(genus.to_owned()).filter(|genus| !genus.is_empty()))
        })
        .collect();
    for most in 1..=9 {
        let mut found = Genera::default();
        load_in_parts(std::slice::from_ref(&path), &ImportOptions::default(), most, &Silent, &mut found).unwrap();
        assert_eq!(found.0, expected, "parts of {most}");
    }
}

#[test]
fn the_report_is_json_that_adds_up() {
    let (_, report) = open(&["bcdm_2025.tsv"]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["records_read"], 3);
    assert_eq!(json["records_kept"], 2);
    assert_eq!(json["left_out"]["other_marker"], 1);
    assert_eq!(json["repaired"]["lower_case"], 1);
    assert_eq!(json["labels"]["genus"]["labelled"], 2);
    assert_eq!(json["files"][0]["mapping"]["sequence"], "nuc");
}

/// Bytes that look like files of barcodes, and are broken.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b">id|Fabula prima|COI-5P\n".to_vec()),
        Just(b"processid\tnucleotides\tmarkercode\n".to_vec()),
        Just(b"id,sequence,\"a \"\"b\"\"\",lat,lon\n".to_vec()),
        Just(BARCODE.as_bytes().to_vec()),
        Just(b"\"".to_vec()),
        Just(b",".to_vec()),
        Just(b"\t".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b">".to_vec()),
        Just(b"x;tax=d:A,p:,s:BOLD:AAA0001;;;;".to_vec()),
        Just(b"|(Family:".to_vec()),
        Just("é_sp. ".as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn no_bytes_panic_and_every_record_is_accounted_for(bytes in broken()) {
        let _ = read(&bytes);
    }

    #[test]
    fn no_damage_to_a_packed_file_panics(at in 0usize..2000, byte in any::<u8>(), cut in 0usize..2000) {
        let plain = std::fs::read(fixture("bcdm_2025.tsv")).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&plain).unwrap();
        let mut gzip = gzip.finish().unwrap();
        let mut zstd = zstd::encode_all(plain.as_slice(), 1).unwrap();
        for packed in [&mut gzip, &mut zstd] {
            let length = packed.len();
            packed[at % length] = byte;
            packed.truncate(length.saturating_sub(cut / 4).max(1));
            let _ = read(packed);
        }
    }

    #[test]
    fn what_is_written_as_a_table_is_read_back(
        rows in proptest::collection::vec(("[A-Za-z0-9 ,;\"'|äé]{1,12}", "[ACGT]{50,80}", "[^\u{0}-\u{1f}\u{7f}-\u{9f}\u{feff}]{0,12}"), 1..12)
    ) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["sampleid", "sequence", "note"]).unwrap();
        for (id, sequence, note) in &rows {
            writer.write_record([&format!("i{id}"), sequence, note]).unwrap();
        }
        let (dataset, report) = read(&writer.into_inner().unwrap()).unwrap();
        prop_assert_eq!(dataset.len(), rows.len());
        prop_assert!(!report.repaired.contains_key(&Repair::RaggedRow) && !report.repaired.contains_key(&Repair::UnclosedQuote));
        for (row, (id, sequence, note)) in rows.iter().enumerate() {
            let own = format!("i{id}");
            prop_assert!(dataset.id(row).starts_with(own.trim()));
            prop_assert_eq!(dataset.sequence(row), sequence.as_bytes());
            let note = note.trim();
            let missing = ["None", "not_classified", "no_data"].contains(&note);
            prop_assert_eq!(text(&dataset, row, "note"), if missing { "" } else { note });
        }
    }
}
