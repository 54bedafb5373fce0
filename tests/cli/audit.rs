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
