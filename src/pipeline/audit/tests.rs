use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use crate::data::simulate::{SimulationSettings, simulated_dataset};
use crate::progress::{Cancelled, Progress, Silent};
use std::collections::HashMap;

fn by_alignment() -> AuditSettings {
    AuditSettings { method: Method::Align, ..AuditSettings::default() }
}

/// For each planted fault: specimens that bear it, those of them for which the cause was proposed, all for which it was.
fn found_of(dataset: &Dataset, audit: &Audit, fault: &str, causes: &[Cause]) -> (usize, usize, usize) {
    let column = dataset.other_columns().iter().position(|name| name == "truth").unwrap();
    let planted = |suspect: &&Suspect| dataset.other(suspect.row, column) == fault;
    let with_fault = audit.suspects.iter().filter(planted).count();
    let right = audit.suspects.iter().filter(planted).filter(|suspect| causes.contains(&suspect.cause)).count();
    (with_fault, right, causes.iter().map(|&cause| audit.count(cause)).sum())
}

/// The seed is none of those that the rules were looked at with.
#[test]
fn planted_faults_are_found() {
    let settings = SimulationSettings { specimens: 700, seed: Seed(4711) };
    let dataset = simulated_dataset(&settings, &Silent).unwrap();
    let audit = audit(Side::all(&dataset, None), &by_alignment(), &Silent).unwrap();
    assert_eq!(audit.suspects.len() + audit.unnamed, dataset.len());
    for (fault, causes) in [
        ("reverse_complement", vec![Cause::ReverseComplement]),
        ("swapped", vec![Cause::SwappedLabel, Cause::Misidentification, Cause::Unexplained]),
        // What it was contaminated with need not be in the file, and then nothing is nearly identical.
        ("contamination", vec![Cause::Contamination, Cause::Unexplained]),
        ("misidentified", vec![Cause::Misidentification]),
        ("pseudogene", vec![Cause::Pseudogene]),
        ("low_quality", vec![Cause::LowQuality, Cause::Pseudogene]),
    ] {
        let (planted, right, proposed) = found_of(&dataset, &audit, fault, &causes);
        assert!(planted > 0, "no {fault} was planted");
        assert!(3 * right >= 2 * planted, "{fault}: {right} of {planted} found");
        assert!(causes.len() > 1 || 2 * right >= proposed, "{fault}: {right} of {proposed} proposed are right");
    }
    let column = dataset.other_columns().iter().position(|name| name == "truth").unwrap();
    let sound = audit.suspects.iter().filter(|suspect| dataset.other(suspect.row, column) == "ok");
    let (all, accused) = sound.fold((0, 0), |(all, accused), suspect| {
        let is_accused = !matches!(suspect.cause, Cause::LooksRight | Cause::SharedBin | Cause::SplitSpecies);
        (all + 1, accused + usize::from(is_accused))
    });
    assert!(20 * accused <= all, "{accused} of {all} sound specimens are accused");
}

#[test]
fn the_most_suspicious_come_first_and_scores_are_shares() {
    let settings = SimulationSettings { specimens: 200, seed: Seed(5) };
    let dataset = simulated_dataset(&settings, &Silent).unwrap();
    let audit = audit(Side::all(&dataset, None), &by_alignment(), &Silent).unwrap();
    assert!(audit.suspects.is_sorted_by(|a, b| (a.score, b.row) >= (b.score, a.row) || a.score > b.score));
    assert!(audit.suspects.iter().all(|suspect| (0.0..=1.0).contains(&suspect.score) && !suspect.because.is_empty()));
    assert_eq!(Cause::ALL.map(|cause| audit.count(cause)).iter().sum::<usize>(), audit.suspects.len());
}

fn one(labels: HashMap<Field, String>) -> Dataset {
    let mut builder = DatasetBuilder::new("one", Vec::new());
    builder.push(Record { id: "A".to_owned(), sequence: b"ACGT".repeat(160), labels, ..Record::default() });
    builder.finish()
}

#[test]
fn a_specimen_alone_is_judged_by_itself_and_one_without_a_name_not_at_all() {
    let dataset = one(HashMap::from([(Field::Species, "Aus alba".to_owned())]));
    let found = audit(Side::all(&dataset, None), &by_alignment(), &Silent).unwrap();
    assert_eq!((found.suspects.len(), found.unnamed), (1, 0));
    assert!(found.suspects[0].evidence.own.is_none() && found.suspects[0].evidence.other.is_none());
    let nameless = one(HashMap::new());
    let error = audit(Side::all(&nameless, None), &by_alignment(), &Silent).unwrap_err();
    assert!(matches!(error, PipelineError::NoNames { .. }), "{error}");
}

#[test]
fn thresholds_out_of_range_and_a_stop_are_told() {
    let dataset = one(HashMap::from([(Field::Genus, "Aus".to_owned())]));
    for settings in [
        AuditSettings { margin: f32::NAN, ..by_alignment() },
        AuditSettings { contamination: 1.5, ..by_alignment() },
        AuditSettings { neighbours: 0, ..by_alignment() },
    ] {
        let error = audit(Side::all(&dataset, None), &settings, &Silent).unwrap_err();
        assert!(matches!(error, PipelineError::Setting(_)), "{error}");
    }
    struct Stopped;
    impl Observer for Stopped {
        fn progress(&self, _: Progress) -> Result<(), Cancelled> {
            Err(Cancelled)
        }
    }
    let error = audit(Side::all(&dataset, None), &by_alignment(), &Stopped).unwrap_err();
    assert!(matches!(error, PipelineError::Cancelled(_)));
}

#[test]
fn the_folder_holds_every_table_and_a_page_without_links() {
    let settings = SimulationSettings { specimens: 150, seed: Seed(3) };
    let dataset = simulated_dataset(&settings, &Silent).unwrap();
    let found = audit(Side::all(&dataset, None), &by_alignment(), &Silent).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let page = std::fs::read_to_string(write_audit(&folder.path().join("new"), &found, &dataset).unwrap()).unwrap();
    assert!(page.contains("The most suspicious first") && page.contains("Methods") && !page.contains("src=\"http"));
    let table = |name: &str| std::fs::read_to_string(folder.path().join("new").join(name)).unwrap();
    assert!(table("suspects.csv").starts_with("id,label,proposed,cause,score,evidence\n"));
    assert_eq!(table("suspects.csv").lines().count(), 1 + found.suspects.len());
    assert!(table("grades.csv").starts_with("species,grade,specimens,with_bin,bins,shared_with\n"));
    assert!(table("concordance.csv").starts_with("bin,accord,conflict,specimens,taxa\n"));
    let changes = table("changes.csv");
    let proposals = found.suspects.iter().filter(|suspect| suspect.proposed.is_some()).count();
    assert!(changes.starts_with("id,field,old,new,reason\n") && changes.lines().count() > proposals);
}

#[test]
fn a_barcode_like_a_contaminant_is_one_on_either_strand_and_nearer_to_it_than_to_its_own() {
    let random = |seed: &str| -> Vec<u8> {
        let mut random = Seed(9).stream(seed);
        (0..400).map(|_| b"ACGT"[rand::Rng::random_range(&mut random, 0..4)]).collect()
    };
    let mut errors = random("human");
    (0..20).for_each(|at| errors[19 * at] = b"CGTA"[at % 4]);
    let turned = crate::data::frame::reverse_complement(&random("human"));
    let build = |name: &str, rows: &[(&str, Vec<u8>)]| {
        let mut builder = DatasetBuilder::new(name, Vec::new());
        for (row, (genus, sequence)) in rows.iter().enumerate() {
            builder.push(Record {
                id: format!("{name}{row}"),
                sequence: sequence.clone(),
                labels: [(Field::Genus, (*genus).to_owned())].into_iter().collect(),
                ..Record::default()
            });
        }
        builder.finish()
    };
    let rows = [
        ("Aus", errors),
        ("Bus", turned),
        ("Cus", random("beetle")),
        ("Homo", random("human")),
        ("Homo", random("human")),
    ];
    let dataset = build("s", &rows);
    let contaminants = Contaminants::new(build("human", &[("Homo", random("human"))]), &Silent).unwrap();
    let found = audit_with(Side::all(&dataset, None), Some(&contaminants), &by_alignment(), &Silent).unwrap();
    let of = |row: usize| found.suspects.iter().find(|suspect| suspect.row == row).unwrap();
    assert!(of(0).cause == Cause::Contamination && of(0).because.contains("human0"), "{:?}", of(0));
    assert_eq!(of(1).evidence.contaminant.as_ref().map(|found| found.identity), Some(1.0));
    assert_ne!(of(2).cause, Cause::Contamination);
    assert_ne!(of(3).cause, Cause::Contamination, "people's own barcodes are as like those of people");
    assert_eq!(contaminants.len(), 1);
}
