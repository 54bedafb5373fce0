//! The audit on the command line: files, columns, exit codes, and that a planted error is found.

use crate::support::{Invented, Workplace, table};

/// Six genera of two species of five; the first specimen has the name of another genus' species.
fn write_survey(place: &Workplace) {
    let mut specimens = Invented { genera: 6, species_per_genus: 2, specimens_per_species: 5 }.specimens();
    let wrong = specimens.iter().position(|specimen| specimen.genus == "Inventa3").unwrap();
    let (genus, species) = (specimens[wrong].genus.clone(), specimens[wrong].species.clone());
    let first = specimens.iter().position(|specimen| specimen.genus == "Inventa0").unwrap();
    specimens[first].id = "WRONG-26".to_owned();
    (specimens[first].genus, specimens[first].species) = (genus, species);
    place.write("survey.csv", &table(&specimens));
}

#[test]
fn audit_writes_its_tables_and_a_page_and_ranks_a_planted_error_first() {
    let place = Workplace::new();
    write_survey(&place);
    let facts = place.run_json(&["audit", "survey.csv", "--method", "align", "-o", "audited"]);
    let causes = facts["causes"].as_object().unwrap();
    let counted: u64 = causes.values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!((facts["specimens"].as_u64(), counted), (Some(60), 60));
    let (header, rows) = place.read_table("audited/suspects.csv");
    assert_eq!(header.join(","), "id,label,proposed,cause,score,evidence");
    assert_eq!(rows.len(), 60);
    assert_eq!((rows[0][0].as_str(), rows[0][3].as_str()), ("WRONG-26", "misidentification"));
    assert!(rows[0][2].starts_with("Inventa0 "), "{:?}", rows[0]);
    assert!(rows[1..].iter().all(|row| row[2].is_empty()), "nobody else is to be renamed: {rows:?}");
    let (header, changes) = place.read_table("audited/changes.csv");
    assert_eq!(header.join(","), "id,field,old,new,reason");
    assert!(changes.iter().any(|row| row[0] == "WRONG-26" && row[1] == "species"), "{changes:?}");
    let (header, bins) = place.read_table("audited/concordance.csv");
    assert_eq!(header.join(","), "bin,accord,conflict,specimens,taxa");
    assert_eq!((bins[0][1].as_str(), bins[0][2].as_str()), ("discordant", "genus"));
    assert!(bins[1..].iter().all(|row| row[1] == "concordant"), "{bins:?}");
    let (header, grades) = place.read_table("audited/grades.csv");
    assert_eq!(header.join(","), "species,grade,specimens,with_bin,bins,shared_with");
    assert_eq!(grades.iter().filter(|row| row[1] == "E").count(), 2);
    let page = std::fs::read_to_string(place.path("audited/report.html")).unwrap();
    assert!(page.contains("WRONG-26"));
}

#[test]
fn a_threshold_that_is_no_share_is_refused_in_words() {
    let place = Workplace::new();
    write_survey(&place);
    let said = place.run(&["audit", "survey.csv", "--method", "align", "--same-species", "98", "-o", "audited"]);
    assert_eq!(said.status.code(), Some(1));
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("same species") && text.contains("between 0 and 1"), "{text}");
}

#[test]
fn a_named_contaminant_is_found_in_a_file_of_any_marker() {
    let place = Workplace::new();
    write_survey(&place);
    let specimens = Invented { genera: 6, species_per_genus: 2, specimens_per_species: 5 }.specimens();
    let dirt =
        specimens.iter().find(|specimen| specimen.genus == "Inventa0" && specimen.species.contains("0 ")).unwrap();
    place.write("dirt.fasta", &format!(">Homo_sapiens|16S\n{}\n", dirt.sequence));
    let run = [
        "audit",
        "survey.csv",
        "--method",
        "align",
        "--contaminants",
        "dirt.fasta",
        "--contaminant",
        "0.999",
        "-o",
        "a",
    ];
    place.run_well(&run);
    let (_, rows) = place.read_table("a/suspects.csv");
    let contaminated: Vec<&Vec<String>> = rows.iter().filter(|row| row[3] == "contamination").collect();
    assert!(contaminated.iter().any(|row| row[5].contains("the contaminant Homo_sapiens")), "{rows:?}");
    assert!(contaminated.len() <= 5, "only specimens of its own species are as like it: {contaminated:?}");
}

#[test]
fn the_barcode_gap_is_written_with_its_best_threshold() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let facts = place.run_json(&["gap", "survey.csv", "--bases-only", "-o", "gap"]);
    let (header, rows) = place.read_table("gap/gap.csv");
    assert_eq!(
        header.join(","),
        "species,specimens,within,nearest,nearest_species,gap,embedded_within,embedded_nearest"
    );
    assert_eq!(facts["species"].as_u64(), Some(rows.len() as u64));
    assert!(rows.iter().all(|row| row[5] == "yes" && row[6].is_empty()), "invented species are far apart: {rows:?}");
    let best = facts["best_thresholds"][0]["threshold"].as_f64().unwrap();
    let number = |row: &Vec<String>, at: usize| row[at].parse::<f64>().unwrap();
    assert!(rows.iter().all(|row| best < number(row, 3)), "no species is lumped at {best}");
    let (_, histogram) = place.read_table("gap/histogram.csv");
    assert!(histogram.iter().all(|row| row[0] == "bases"), "embeddings were left out");
    let pairs = |at: usize| histogram.iter().map(|row| number(row, at)).sum::<f64>();
    assert!(pairs(2) > 0.0 && pairs(3) > pairs(2));
    let (_, thresholds) = place.read_table("gap/thresholds.csv");
    assert!(thresholds.iter().all(|row| number(row, 1) + number(row, 2) == number(row, 3)));
    let refused = place.run(&["gap", "survey.csv", "--distance", "edit", "-o", "gap"]);
    assert_eq!(refused.status.code(), Some(2));
}
