use super::*;
use crate::data::dataset::{DatasetBuilder, Record};
use std::collections::HashMap;

/// Specimens with order, family, genus, species and BIN; empty for none.
fn dataset(rows: &[[&str; 5]]) -> Dataset {
    let mut builder = DatasetBuilder::new("made up", Vec::new());
    let fields = [Field::Order, Field::Family, Field::Genus, Field::Species, Field::Bin];
    for (at, row) in rows.iter().enumerate() {
        let named = fields.into_iter().zip(row).filter(|(_, name)| !name.is_empty());
        builder.push(Record {
            id: format!("S{at}"),
            sequence: b"ACGTACGTACGT".repeat(5),
            labels: named.map(|(field, name)| (field, (*name).to_owned())).collect::<HashMap<_, _>>(),
            ..Record::default()
        });
    }
    builder.finish()
}

fn usual() -> Dataset {
    dataset(&[
        ["Diptera", "Fliesidae", "Aus", "Aus alba", "X"],
        ["Diptera", "Fliesidae", "Aus", "Aus nigra", "X"],
        ["Coleoptera", "Beetlidae", "Bus", "Bus major", "Y"],
        ["Diptera", "Fliesidae", "Aus", "Aus albus", "Z"],
    ])
}

fn fine() -> Evidence {
    Evidence {
        flags: Flags::NONE,
        breaks_frame: false,
        near: Vec::new(),
        contaminant: None,
        own: Some((0, 0.999)),
        other: Some(Other { row: 1, identity: 0.93, rank: Field::Species }),
        against: 0.0,
        bin_fellows: [3, 0],
        bins_of_species: 1,
    }
}

fn near(row: usize, identity: f32, rank: Field) -> Evidence {
    Evidence { own: Some((0, 0.9)), other: Some(Other { row, identity, rank }), against: 1.0, ..fine() }
}

fn judge_first(dataset: &Dataset, evidence: Evidence) -> Suspect {
    judge(dataset, &[0], vec![evidence], &AuditSettings::default()).remove(0)
}

fn cause_of(evidence: Evidence) -> Cause {
    judge_first(&usual(), evidence).cause
}

#[test]
fn what_agrees_looks_right_and_scores_nothing() {
    let found = judge_first(&usual(), fine());
    assert_eq!((found.cause, found.score, found.proposed), (Cause::LooksRight, 0.0, None));
    assert_eq!(
        cause_of(Evidence { own: None, ..fine() }),
        Cause::LooksRight,
        "the only one of its species, far from others"
    );
}

#[test]
fn the_other_strand_comes_before_everything() {
    let flags = Flags::REVERSE_COMPLEMENT | Flags::AMBIGUOUS;
    let found = judge_first(&usual(), Evidence { flags, ..near(2, 1.0, Field::Order) });
    assert_eq!(found.cause, Cause::ReverseComplement);
}

#[test]
fn a_barcode_of_another_order_is_a_contamination_from_the_threshold_on() {
    let found = judge_first(&usual(), near(2, 0.99, Field::Order));
    assert_eq!((found.cause, found.proposed), (Cause::Contamination, None));
    assert!(found.because.contains("S2 (Bus major)") && found.because.contains("99.0 %"), "{}", found.because);
    assert_eq!(cause_of(near(2, 0.989, Field::Order)), Cause::Misidentification);
    assert_eq!(cause_of(near(2, 0.979, Field::Order)), Cause::Unexplained);
    let its_own_as_near = Evidence { own: Some((0, 0.99)), against: 0.4, ..near(2, 0.995, Field::Order) };
    assert_eq!(cause_of(its_own_as_near), Cause::LooksRight, "the one that was contaminated with is not to blame");
}

#[test]
fn labels_are_exchanged_only_where_both_fit_the_other_way_round() {
    let fly = ["Diptera", "Fliesidae", "Aus", "Aus alba", ""];
    let beetle = ["Coleoptera", "Beetlidae", "Bus", "Bus major", ""];
    let dataset = dataset(&[fly, fly, beetle, beetle]);
    let causes = |evidence: [Evidence; 4]| {
        let found = judge(&dataset, &[0, 1, 2, 3], evidence.to_vec(), &AuditSettings::default());
        [found[0].cause, found[2].cause]
    };
    let far = |row| near(row, 0.999, Field::Order);
    let exchanged = judge(&dataset, &[0, 1, 2, 3], vec![far(3), fine(), far(1), fine()], &AuditSettings::default());
    assert_eq!([exchanged[0].partner, exchanged[2].partner], [Some(2), Some(0)]);
    assert!(exchanged[0].because.contains("S2 has the label"), "{}", exchanged[0].because);
    assert_eq!(causes([far(3), fine(), far(1), fine()]), [Cause::SwappedLabel; 2]);
    assert_eq!(causes([far(3), fine(), fine(), fine()]), [Cause::Contamination, Cause::LooksRight]);
    let alone = |row| Evidence { own: None, ..far(row) };
    assert_eq!(
        causes([alone(2), fine(), alone(0), fine()]),
        [Cause::Contamination; 2],
        "they only point at each other"
    );
}

#[test]
fn a_specimen_far_from_its_own_name_is_no_witness() {
    let dataset = usual();
    let lonely = Evidence { own: None, ..near(1, 0.999, Field::Species) };
    let witness = |own| Evidence { own: Some((1, own)), other: None, ..fine() };
    let cause = |own| judge(&dataset, &[0, 1], vec![lonely.clone(), witness(own)], &AuditSettings::default())[0].cause;
    assert_eq!((cause(0.99), cause(0.9)), (Cause::Misidentification, Cause::LooksRight));
}

#[test]
fn a_contradiction_that_is_not_near_enough_stays_unexplained() {
    let found = judge_first(&usual(), near(2, 0.93, Field::Order));
    assert_eq!((found.cause, found.proposed), (Cause::Unexplained, None));
    assert_eq!(cause_of(Evidence { against: 0.4, ..near(2, 0.93, Field::Order) }), Cause::LooksRight);
}

#[test]
fn a_broken_frame_is_a_pseudogene_only_with_divergence() {
    let stop = Evidence { flags: Flags::STOP_CODON, ..fine() };
    assert_eq!(cause_of(stop.clone()), Cause::LowQuality, "its species' barcodes are identical: errors of sequencing");
    assert_eq!(cause_of(Evidence { own: Some((0, 0.95)), ..stop.clone() }), Cause::Pseudogene);
    assert_eq!(cause_of(Evidence { own: Some((0, 0.95)), breaks_frame: true, ..fine() }), Cause::Pseudogene);
    assert_eq!(cause_of(Evidence { own: None, ..stop }), Cause::Pseudogene, "alone and far from all");
    assert_eq!(cause_of(Evidence { own: Some((0, 0.95)), ..fine() }), Cause::LooksRight, "divergence alone is none");
    let twin = Evidence { flags: Flags::STOP_CODON, ..near(1, 0.999, Field::Species) };
    assert_eq!(cause_of(twin), Cause::Misidentification, "it is as broken as another species");
}

#[test]
fn another_stretch_of_dna_is_no_pseudogene() {
    let elsewhere = Evidence { flags: Flags::STOP_CODON | Flags::NOT_COI, own: Some((0, 0.47)), ..fine() };
    assert_eq!(cause_of(elsewhere.clone()), Cause::LowQuality);
    assert_eq!(
        cause_of(Evidence { own: Some((0, 0.7)), ..elsewhere.clone() }),
        Cause::Pseudogene,
        "a relative, if a far one"
    );
    assert_eq!(cause_of(Evidence { own: None, ..elsewhere.clone() }), Cause::LowQuality, "no other bears its name");
    assert_eq!(cause_of(Evidence { flags: Flags::STOP_CODON, ..elsewhere }), Cause::Pseudogene, "it fits the frame");
}

#[test]
fn poor_reads_are_told_with_every_reason() {
    let found = judge_first(&usual(), Evidence { flags: Flags::SHORT | Flags::AMBIGUOUS, ..fine() });
    assert_eq!(found.cause, Cause::LowQuality);
    assert!(found.because.contains("200 bases") && found.because.contains("1 %") && found.score >= 0.5);
    assert_eq!(cause_of(Evidence { flags: Flags::NOT_COI, ..fine() }), Cause::LowQuality);
}

#[test]
fn the_rarer_spelling_is_put_right() {
    let rows = [
        ["Diptera", "Fliesidae", "Aus", "Aus albus", ""],
        ["Diptera", "Fliesidae", "Aus", "Aus alba", ""],
        ["Diptera", "Fliesidae", "Aus", "Aus alba", ""],
    ];
    let alike = |row| Evidence { against: 0.4, own: Some((row, 1.0)), ..near(1 - row, 0.999, Field::Species) };
    let found = judge(&dataset(&rows), &[0, 1], vec![alike(0), alike(1)], &AuditSettings::default());
    assert_eq!((found[0].cause, found[0].proposed.as_deref()), (Cause::SpellingVariant, Some("Aus alba")));
    assert_eq!(found[1].cause, Cause::LooksRight, "the common spelling stays");
}

#[test]
fn a_clearly_nearer_species_of_the_genus_is_proposed() {
    let found = judge_first(&usual(), near(1, 0.985, Field::Species));
    assert_eq!((found.cause, found.proposed.as_deref()), (Cause::Misidentification, Some("Aus nigra")));
    let close = Evidence { own: Some((0, 0.975)), against: 0.5, ..near(1, 0.985, Field::Species) };
    assert_eq!(cause_of(close), Cause::LooksRight, "within the margin");
}

#[test]
fn bins_are_asked_about_last() {
    assert_eq!(cause_of(Evidence { bin_fellows: [4, 1], bins_of_species: 2, ..fine() }), Cause::SharedBin);
    assert_eq!(cause_of(Evidence { bins_of_species: 2, ..fine() }), Cause::SplitSpecies);
}

#[test]
fn the_score_is_the_documented_one() {
    let score_of = |evidence| judge_first(&usual(), evidence).score;
    let half = Evidence { against: 0.5, bin_fellows: [4, 1], ..near(1, 0.985, Field::Species) };
    assert!((score_of(half.clone()) - 0.6 * (1.0 + 0.25) / 3.0).abs() < 1e-6);
    assert!((score_of(Evidence { bin_fellows: [0, 0], ..half.clone() }) - 0.3).abs() < 1e-6);
    let order = Evidence { other: Some(Other { row: 2, identity: 0.985, rank: Field::Order }), ..half };
    assert!((score_of(order) - 1.25 / 3.0).abs() < 1e-6);
}

#[test]
fn another_species_in_the_next_well_splashed_over_and_one_farther_off_was_misidentified() {
    let plated = |wells: [&str; 2]| {
        let mut builder = DatasetBuilder::new("plate", vec!["plate".into(), "well".into()]);
        for (at, (species, well)) in ["Aus alba", "Aus nigra"].into_iter().zip(wells).enumerate() {
            builder.push(Record {
                id: format!("S{at}"),
                sequence: b"ACGTACGTACGT".repeat(5),
                labels: [(Field::Genus, "Aus".to_owned()), (Field::Species, species.to_owned())].into_iter().collect(),
                other: vec!["P1".into(), well.into()],
                ..Record::default()
            });
        }
        builder.finish()
    };
    let judged = |wells, identity| judge_first(&plated(wells), near(1, identity, Field::Species));
    let splashed = judged(["B2", "C3"], 0.995);
    assert_eq!(splashed.cause, Cause::Contamination);
    assert!(splashed.because.contains("B2 and C3"), "{}", splashed.because);
    assert_eq!(judged(["B2", "C4"], 0.995).cause, Cause::Misidentification, "two wells apart");
    assert_eq!(judged(["B2", "C3"], 0.985).cause, Cause::Misidentification, "not the same animal");
}

#[test]
fn only_what_is_about_the_specimen_is_suspicious() {
    let unsuspicious: Vec<Cause> = Cause::ALL.into_iter().filter(|cause| !cause.is_suspicious()).collect();
    assert_eq!(unsuspicious, [Cause::SplitSpecies, Cause::LooksRight]);
}
