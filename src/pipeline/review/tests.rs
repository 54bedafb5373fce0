//! Decisions as they change labels, copies and figures.

use super::*;
use crate::data::dataset::{Dataset, DatasetBuilder, Record};
use crate::data::taxonomy::Field;
use crate::pipeline::audit::{AuditSettings, audit};
use crate::pipeline::scope::{Decision, Entry};
use crate::pipeline::{Method, Side};
use crate::progress::Silent;
use crate::seed::Seed;
use rand::Rng;

const BY: Curator<'_> = Curator { who: "me", reason: "seen" };

/// Rows of order, genus, species, BIN; `-` for none. Each species has a barcode of its own, drawn from `seed`.
fn specimens(rows: &[[&str; 4]]) -> Dataset {
    let mut builder = DatasetBuilder::new("survey", vec!["note".to_owned()]);
    for (row, cells) in rows.iter().enumerate() {
        let fields = [Field::Order, Field::Genus, Field::Species, Field::Bin];
        let named = fields.into_iter().zip(cells).filter(|(_, name)| **name != "-");
        let mut random = Seed(7).stream(cells[3]);
        builder.push(Record {
            id: format!("s{row}"),
            sequence: (0..300).map(|_| b"ACGT"[random.random_range(0..4)]).collect(),
            labels: named.map(|(field, name)| (field, (*name).to_owned())).collect(),
            other: vec![format!("trap {row}")],
            ..Record::default()
        });
    }
    builder.finish()
}

fn usual() -> Dataset {
    specimens(&[
        ["Diptera", "Aus", "Aus bus", "X"],
        ["Diptera", "Aus", "Aus bus", "X"],
        ["Diptera", "Aus", "Aus cus", "Y"],
        ["Diptera", "Aus", "Aus cus", "Y"],
        ["Coleoptera", "Dus", "Dus eus", "X"],
    ])
}

/// The list of decisions after these steps, made one after the other.
fn after(dataset: &Dataset, steps: &[(usize, Verdict)]) -> Vec<Entry<Decision>> {
    let mut entries: Vec<Entry<Decision>> = Vec::new();
    for (row, verdict) in steps {
        for value in verdict.decisions(&Curated::new(dataset, &entries), *row, BY) {
            let (id, kind) = (entries.len() as i64 + 1, value.kind.key().to_owned());
            entries.push(Entry { id, time_secs: 0, kind, value, undone: false });
        }
    }
    entries
}

#[test]
fn a_name_taken_over_comes_with_all_its_ranks_in_one_step() {
    let dataset = usual();
    let entries = after(&dataset, &[(4, Verdict::NameAs(0))]);
    let changes: Vec<_> = entries.iter().map(|entry| (entry.value.field.unwrap(), entry.value.continues)).collect();
    assert_eq!(changes, [(Field::Order, false), (Field::Genus, true), (Field::Species, true)]);
    let curated = Curated::new(&dataset, &entries);
    for field in Field::RANKS {
        assert_eq!(curated.label(4, field), dataset.label(0, field), "{field}");
    }
    assert_eq!(curated.label(4, Field::Bin), Some("X"), "a BIN is no name");
    assert_eq!(dataset.label(4, Field::Species), Some("Dus eus"), "what was read stays");
    assert!(Verdict::NameAs(1).decisions(&curated, 0, BY).is_empty(), "nothing would change");
}

#[test]
fn two_labels_are_exchanged_in_one_step_and_back_again() {
    let dataset = usual();
    let entries = after(&dataset, &[(0, Verdict::SwapWith(4))]);
    assert_eq!(entries.iter().filter(|entry| !entry.value.continues).count(), 1);
    let curated = Curated::new(&dataset, &entries);
    assert_eq!((curated.name(0), curated.name(4)), (Some("Dus eus"), Some("Aus bus")));
    let back = after(&dataset, &[(0, Verdict::SwapWith(4)), (0, Verdict::SwapWith(4))]);
    let curated = Curated::new(&dataset, &back);
    assert!((0..5).all(|row| curated.name(row) == dataset.label(row, Field::Species)));
}

#[test]
fn lifting_and_naming_take_finer_names_away() {
    let dataset = usual();
    let steps = [(0, Verdict::LiftTo(Field::Genus)), (2, Verdict::Name(Field::Order, " Diptera-like ".to_owned()))];
    let entries = after(&dataset, &steps);
    let curated = Curated::new(&dataset, &entries);
    assert_eq!((curated.label(0, Field::Species), curated.name(0)), (None, Some("Aus")));
    assert_eq!(curated.label(2, Field::Order), Some("Diptera-like"));
    assert_eq!((curated.label(2, Field::Genus), curated.label(2, Field::Species)), (None, None));
    assert!(Verdict::LiftTo(Field::Species).decisions(&curated, 0, BY).is_empty());
    assert!(Verdict::Comment.decisions(&curated, 0, Curator { who: "me", reason: "" }).is_empty());
}

#[test]
fn what_was_taken_back_or_is_about_nobody_changes_nothing() {
    let dataset = usual();
    let mut entries = after(&dataset, &[(0, Verdict::Exclude), (1, Verdict::LiftTo(Field::Genus))]);
    entries[0].undone = true;
    entries[1].value.specimen = "nobody".to_owned();
    let curated = Curated::new(&dataset, &entries);
    assert!(!curated.is_excluded(0) && curated.decisions(1).is_empty());
    assert_eq!(curated.decided_rows().count(), 0);
    assert_eq!(curated.label(1, Field::Species), Some("Aus bus"));
}

#[test]
fn a_specimen_that_is_accepted_after_all_is_in_again() {
    let dataset = usual();
    let out = [(0, Verdict::Exclude), (0, Verdict::Tag("AMBIG".to_owned()))];
    assert!(Curated::new(&dataset, &after(&dataset, &out)).is_excluded(0));
    let back = [(0, Verdict::Exclude), (0, Verdict::Accept)];
    assert!(!Curated::new(&dataset, &after(&dataset, &back)).is_excluded(0));
}

#[test]
fn copies_have_the_labels_in_force_and_the_log_has_everything() {
    let dataset = usual();
    let steps = [(4, Verdict::NameAs(0)), (3, Verdict::Exclude), (2, Verdict::Tag("COMPLEX".to_owned()))];
    let mut entries = after(&dataset, &steps);
    entries.last_mut().unwrap().undone = true;
    let curated = Curated::new(&dataset, &entries);
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();

    write_corrected_fasta(&folder.path().join("c.fasta"), &curated).unwrap();
    let headers: Vec<String> =
        read("c.fasta").lines().filter(|line| line.starts_with('>')).map(str::to_owned).collect();
    assert_eq!(headers, [">s0|Aus bus|X", ">s1|Aus bus|X", ">s2|Aus cus|Y", ">s4|Aus bus|X"]);

    write_corrected_table(&folder.path().join("c.tsv"), &curated).unwrap();
    let table = read("c.tsv");
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
    let column = |name: &str| rows[0].iter().position(|title| *title == name).unwrap();
    assert_eq!((rows.len(), rows[4][column("species")], rows[4][column("note")]), (5, "Aus bus", "trap 4"));
    assert!(rows[4][column("decisions")].contains("relabel species: Dus eus -> Aus bus (seen)"));
    assert_eq!(rows[3][column("decisions")], "", "a tag that was taken back is none");

    write_changes(&folder.path().join("log.csv"), &entries).unwrap();
    let log = read("log.csv");
    assert_eq!(log.lines().count(), 1 + entries.len());
    assert!(log.contains("3,1970-01-01T00:00:00Z,me,s4,relabel,species,Dus eus,Aus bus,seen,no"), "{log}");
    assert!(log.contains("tag,,,COMPLEX,seen,yes"), "{log}");
}

#[test]
fn figures_follow_the_labels_in_force() {
    let dataset = usual();
    let settings = AuditSettings { method: Method::Align, ..AuditSettings::default() };
    let audit = audit(Side::all(&dataset, None), &settings, &Silent).unwrap();
    let measured = |entries: &[Entry<Decision>]| standing(&audit, &Curated::new(&dataset, entries), Seed(1));
    let before = measured(&[]);
    // s4 has the barcode of s0 and s1, whose name it does not bear; s0 and s1 find each other or s4, which is as near.
    assert_eq!((before.specimens, before.bins, before.named.whole), (5, [1, 1, 0], 5));
    let expected = (0..5).filter(|&row| {
        let near = &audit.suspects.iter().find(|suspect| suspect.row == row).unwrap().evidence.near;
        dataset.label(near[0].0 as usize, Field::Species) == dataset.label(row, Field::Species)
    });
    assert_eq!(before.named.part, expected.count());
    let relabelled = measured(&after(&dataset, &[(4, Verdict::NameAs(0))]));
    assert_eq!((relabelled.bins, relabelled.named.part, relabelled.named.value()), ([0, 2, 0], 5, Some(1.0)));
    let excluded = measured(&after(&dataset, &[(4, Verdict::Exclude)]));
    assert_eq!((excluded.specimens, excluded.bins, excluded.named.part, excluded.named.whole), (4, [0, 2, 0], 4, 4));
    let grade = |standing: &Standing, at: usize| standing.grades[at].1;
    assert_eq!((grade(&before, 4), grade(&excluded, 4), grade(&excluded, 3)), (2, 0, 2), "E before, D after");
}

#[test]
fn nothing_judged_is_nothing_measured() {
    let share = Share { part: 0, whole: 0, interval: None };
    assert_eq!(share.value(), None);
    assert_eq!(Share { part: 1, whole: 4, interval: None }.value(), Some(0.25));
}
