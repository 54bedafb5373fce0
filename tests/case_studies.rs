//! Real files as their owners published them: every one opens, or is refused with the right reason.
//!
//! Runs when `BARCODESCOPE_DATA` names the folder with the data. The expected numbers were counted by a second, independent
//! reading of the files that follows the rules of the issue letter by letter.

#![allow(clippy::unwrap_used, reason = "a test that lacks what it needs fails there and then")]

use barcodescope::data::import::{Event, ImportError, ImportOptions, ImportReport, LeftOutReason, Repair, load};
use barcodescope::data::taxonomy::Field;
use barcodescope::progress::Silent;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use LeftOutReason::{NoSequence, OtherMarker, TooLong};

fn case_studies() -> Option<PathBuf> {
    let folder = std::env::var_os("BARCODESCOPE_DATA").map(|data| PathBuf::from(data).join("case_studies"));
    if folder.is_none() {
        // Not by a macro, whose text is only shown for tests that fail.
        let said = b"skipped: BARCODESCOPE_DATA does not name the folder with the case studies\n";
        std::io::stderr().write_all(said).unwrap();
    }
    folder
}

/// What one file holds.
struct Case {
    file: &'static str,
    read: usize,
    kept: usize,
    unique: usize,
    left_out: &'static [(LeftOutReason, usize)],
    short: usize,
    ambiguous: usize,
}

const fn case(
    file: &'static str,
    [read, kept, unique]: [usize; 3],
    left_out: &'static [(LeftOutReason, usize)],
    [short, ambiguous]: [usize; 2],
) -> Case {
    Case { file, read, kept, unique, left_out, short, ambiguous }
}

const CASES: [Case; 44] = [
    case("Astraptes_fulgerator_complex.fasta", [506, 506, 166], &[], [0, 11]),
    case("BCDM_chironominae_norway.tsv", [2006, 1648, 1155], &[(NoSequence, 1), (OtherMarker, 357)], [0, 13]),
    case("BOLD_NZ_Coleoptera.fas", [1921, 1908, 1386], &[(OtherMarker, 13)], [0, 14]),
    case("BOLD_NZ_Hymenoptera.fas", [4347, 4318, 3005], &[(OtherMarker, 29)], [7, 17]),
    case("BOLD_NZ_Lepidoptera.fas", [1166, 1163, 741], &[(OtherMarker, 3)], [3, 47]),
    case("BOLD_NZ_Myriapoda.fas", [56, 56, 53], &[], [0, 2]),
    case("BOLDv3_combined_one_species_stray_CR.tsv", [81, 79, 47], &[(NoSequence, 2)], [0, 7]),
    case("BOLDv4_combined_Bombus_France_CRLF.tsv", [57, 57, 54], &[], [0, 0]),
    case("BOLDv4_combined_Netherlands_match.tsv", [2537, 2286, 1428], &[(NoSequence, 167), (OtherMarker, 84)], [1, 95]),
    case("DS-PBBC2.fasta", [948, 947, 947], &[(OtherMarker, 1)], [0, 0]),
    case("DS-PBBC4.fasta", [9037, 9037, 6581], &[], [0, 68]),
    case("DwCA_Tanytarsus_sequences.tsv", [3588, 2790, 2090], &[(OtherMarker, 798)], [0, 5]),
    case("IBA_asv_418bp.fasta", [100, 100, 100], &[], [0, 0]),
    case("NEGATIVE_Proteobacteria_COI.fasta", [4550, 4550, 2161], &[], [0, 0]),
    case("NEGATIVE_agabus_COI3P.fas", [1477, 0, 0], &[(OtherMarker, 1477)], [0, 0]),
    case("NEGATIVE_itaxotools_TaxI2_cytb_CRLF.tab", [500, 500, 52], &[], [0, 0]),
    case("NZ_forest_plots_COI_1611.fasta", [1611, 1611, 1139], &[], [0, 19]),
    case("ONTbarcoder_Allbarcodes.fa", [251, 251, 156], &[], [0, 4]),
    case("ONTbarcoder_consensus_indels.fa", [249, 249, 165], &[], [0, 3]),
    case("agabus_COI5P_CRLF.fas", [992, 992, 195], &[], [0, 0]),
    case("barcodingr_pineMothCOI.fasta", [140, 140, 69], &[], [0, 0]),
    case("boldigger3_leray_OTUs_5000.fasta", [5000, 5000, 5000], &[], [373, 0]),
    case("carabus_mafft_delimitation_tutorial.fasta", [517, 517, 517], &[], [0, 0]),
    case("coil_example_barcodes_with_errors.fasta", [9, 9, 9], &[], [0, 0]),
    case("dimacs_ACG_Astraptes_hosts.csv", [4267, 4267, 2649], &[], [0, 59]),
    case("dimacs_BatGuyana.csv", [840, 840, 589], &[], [0, 35]),
    case("dimacs_Bird2_NorthAmericanBirds.csv", [2589, 2589, 2295], &[], [0, 171]),
    case("drosophila_NA_15sp_aligned_gaps.fa", [1080, 1080, 781], &[], [0, 1]),
    case("hacsim_Acyrthosiphon_pisum_CRLF.fas", [356, 356, 12], &[], [0, 0]),
    case("hacsim_Ixodes_scapularis_CRLF.fas", [349, 349, 83], &[], [0, 0]),
    case("hacsim_Lymantria_dispar_CRLF.fas", [365, 365, 58], &[], [0, 0]),
    case("itaxotools_Lophiotoma_COI.fas", [276, 276, 119], &[], [0, 0]),
    case("itaxotools_scaphio.tsv", [6, 6, 5], &[], [0, 0]),
    case("mkCOInr_one_per_order.fas", [568, 568, 568], &[], [0, 0]),
    case("spider_anoteropsis.fasta", [33, 33, 33], &[], [0, 0]),
    case("spider_dolomedes.fasta", [37, 37, 37], &[], [0, 0]),
    case("spider_salticidae.fasta", [41, 41, 41], &[], [0, 1]),
    case("szabo_spider_genera.csv", [100, 100, 98], &[], [0, 0]),
    case("taxondna_coi_final.txt", [1258, 1258, 1126], &[], [2, 67]),
    case("taxondna_diptera3123_unaligned_genbank.fasta", [3123, 3119, 2222], &[(TooLong, 4)], [3, 17]),
    case("trichoptera_Odontoceridae.fas", [398, 398, 224], &[], [0, 16]),
    case("trichoptera_Sericostomatoidea.fas", [892, 892, 687], &[], [0, 57]),
    case("weka_CypraeidaeTrain.fasta", [1656, 1656, 1161], &[], [0, 99]),
    case("weka_Drosophila_train.fasta", [499, 499, 327], &[], [0, 0]),
];

/// Tables without a sequence column, and how many rows they have.
const LABEL_TABLES: [&str; 5] = [
    "BOLDv4_specimen_only_no_sequences_testudines.txt",
    "DS-PBBC2.labels.tsv",
    "DS-PBBC4.labels.tsv",
    "DwCA_Tanytarsus_occurrences.tsv",
    "IBA_asv_taxonomy.tsv",
];

fn check(case: &Case, report: &ImportReport) {
    let file = case.file;
    assert_eq!(
        [report.records_read, report.records_kept, report.unique_barcodes],
        [case.read, case.kept, case.unique],
        "{file}"
    );
    assert_eq!(report.left_out, case.left_out.iter().copied().collect(), "{file}");
    assert_eq!(report.records_read, report.records_kept + report.left_out_total(), "{file}");
    let flagged = |name| report.flagged.get(name).copied().unwrap_or(0);
    assert_eq!([flagged("short"), flagged("ambiguous")], [case.short, case.ambiguous], "{file}");
    let listed: Vec<_> = report.entries.iter().filter(|entry| matches!(entry.event, Event::LeftOut(_))).collect();
    assert_eq!(listed.len(), report.left_out_total(), "{file}");
    assert!(listed.iter().all(|entry| entry.line > 0 && !entry.id.is_empty()), "{file}");
}

#[test]
fn every_file_opens_or_is_refused_with_the_right_reason() {
    let Some(folder) = case_studies() else { return };
    let mut left: BTreeSet<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for case in &CASES {
        assert!(left.remove(case.file), "{} is not there", case.file);
        match load(&[folder.join(case.file)], &ImportOptions::default(), &Silent) {
            Ok((_, report)) => check(case, &report),
            Err(ImportError::NothingUsable(report)) => {
                assert_eq!(case.file, "NEGATIVE_agabus_COI3P.fas");
                check(case, &report);
                assert_eq!(report.other_markers["COI-3P"], case.read);
            }
            Err(error) => panic!("{}: {error}", case.file),
        }
    }
    for file in LABEL_TABLES {
        assert!(left.remove(file), "{file} is not there");
        let error = load(&[folder.join(file)], &ImportOptions::default(), &Silent).unwrap_err();
        assert!(matches!(error, ImportError::NoSequences { .. }), "{file}: {error}");
    }
    assert!(left.is_empty(), "files without an expectation: {left:?}");
}

#[test]
fn label_tables_are_joined_to_their_sequences() {
    let Some(folder) = case_studies() else { return };
    // Sequences, labels, records kept, records without a row, rows without a record, records with a genus.
    let cases = [
        ("DS-PBBC2.fasta", "DS-PBBC2.labels.tsv", [947, 0, 1, 661]),
        ("DS-PBBC4.fasta", "DS-PBBC4.labels.tsv", [9037, 0, 793, 3188]),
        ("IBA_asv_418bp.fasta", "IBA_asv_taxonomy.tsv", [100, 0, 0, 70]),
    ];
    for (sequences, labels, [kept, without, unmatched, genus]) in cases {
        let paths = [folder.join(sequences), folder.join(labels)];
        let (dataset, report) = load(&paths, &ImportOptions::default(), &Silent).unwrap();
        let count = |repair| report.repaired.get(&repair).copied().unwrap_or(0);
        let found = [
            dataset.len(),
            report.records_without_label_row,
            count(Repair::UnmatchedLabels),
            dataset.labels(Field::Genus).labelled(),
        ];
        assert_eq!(found, [kept, without, unmatched, genus], "{sequences}");
        assert_eq!(count(Repair::AmbiguousLabels), 0, "{sequences}");
    }
    let paths = [folder.join("DwCA_Tanytarsus_occurrences.tsv"), folder.join("DwCA_Tanytarsus_sequences.tsv")];
    let (dataset, report) = load(&paths, &ImportOptions::default(), &Silent).unwrap();
    assert_eq!((dataset.len(), report.records_without_label_row), (2790, 0));
    assert_eq!(dataset.labels(Field::Family).labelled(), 2790);
    assert_eq!((0..dataset.len()).filter(|&row| dataset.coordinates(row).is_some()).count(), 2596);
}

#[test]
fn the_layouts_and_forms_of_headers_are_recognised() {
    let Some(folder) = case_studies() else { return };
    let open = |file: &str| load(&[folder.join(file)], &ImportOptions::default(), &Silent).unwrap();
    for (file, layout) in [
        ("BCDM_chironominae_norway.tsv", "BCDM 2025"),
        ("BOLDv3_combined_one_species_stray_CR.tsv", "BOLD v3 combined"),
        ("BOLDv4_combined_Bombus_France_CRLF.tsv", "BOLD v4 combined"),
        ("DwCA_Tanytarsus_sequences.tsv", "Darwin Core"),
        ("dimacs_BatGuyana.csv", "table"),
        ("agabus_COI5P_CRLF.fas", "FASTA"),
    ] {
        assert_eq!(open(file).1.files[0].layout, layout, "{file}");
    }
    // Records with family, genus, species and BIN.
    for (file, expected) in [
        ("agabus_COI5P_CRLF.fas", [0, 992, 992, 515]),
        ("carabus_mafft_delimitation_tutorial.fasta", [0, 517, 517, 0]),
        ("hacsim_Lymantria_dispar_CRLF.fas", [0, 365, 365, 0]),
        ("barcodingr_pineMothCOI.fasta", [140, 140, 68, 0]),
        ("itaxotools_Lophiotoma_COI.fas", [0, 0, 0, 0]),
        ("mkCOInr_one_per_order.fas", [503, 561, 526, 0]),
        ("taxondna_coi_final.txt", [1252, 1258, 1258, 0]),
        ("weka_CypraeidaeTrain.fasta", [0, 1656, 1656, 0]),
        ("szabo_spider_genera.csv", [0, 100, 0, 0]),
    ] {
        let (dataset, _) = open(file);
        let labelled =
            [Field::Family, Field::Genus, Field::Species, Field::Bin].map(|field| dataset.labels(field).labelled());
        assert_eq!(labelled, expected, "{file}");
    }
}
