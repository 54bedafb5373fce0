//! Discovery on the command line: columns, files, exit codes, and that what is decided follows from the numbers beside it.

use crate::support::{Invented, Workplace, table};
use std::collections::BTreeSet;

/// Ten genera of three species of six: of each genus one species is in no other split.
fn write_survey(place: &Workplace) {
    let specimens = Invented { genera: 10, species_per_genus: 3, specimens_per_species: 6 }.specimens();
    place.write("bench.csv", &table(&specimens));
}

const SPLITS: [&str; 9] = [
    "discover",
    "--reference",
    "bench.csv",
    "--query",
    "bench.csv",
    "--reference-split",
    "train",
    "--query-split",
    "test,test_unseen",
];

#[test]
fn discover_writes_its_tables_and_a_page() {
    let place = Workplace::new();
    write_survey(&place);
    let facts = place.run_json(&[&SPLITS[..], &["--fdr", "0.1", "--score", "p-distance", "-o", "found"]].concat());
    assert_eq!((facts["queries"].as_u64(), facts["references"].as_u64()), (Some(80), Some(100)));
    let (header, rows) = place.read_table("found/queries.csv");
    assert_eq!(header.join(","), "id,decision,taxon,p_species,p_genus,q,nearest,identity");
    assert_eq!(rows.len(), 80);
    let mut discovered = BTreeSet::new();
    for row in &rows {
        let number = |column: usize| row[column].parse::<f64>().unwrap();
        assert!((0.0..=1.0).contains(&number(3)) && (0.0..=1.0).contains(&number(4)));
        assert!(number(5) >= number(3) - 1e-6, "no rate is below its p-value: {row:?}");
        assert!(["known", "new_species", "new_genus", "unclear"].contains(&row[1].as_str()), "{row:?}");
        assert_eq!(row[2].is_empty(), ["new_genus", "unclear"].contains(&row[1].as_str()), "{row:?}");
        assert!(row[1] != "new_genus" || number(5) <= 0.1);
        if number(5) <= 0.1 {
            assert_ne!(row[1], "known");
            discovered.insert(row[0].clone());
        }
    }
    // The third species of each genus is in no reference, six specimens each; they lie far from all others.
    let unseen = |id: &String| id[5..7] == *"02";
    assert_eq!(discovered.iter().filter(|id| unseen(id)).count(), 60);
    assert_eq!(facts["discoveries"].as_u64(), Some(discovered.len() as u64));
    let (header, candidates) = place.read_table("found/candidates.csv");
    assert_eq!((header[0].as_str(), header[15].as_str()), ("candidate", "ids"));
    let members: BTreeSet<String> =
        candidates.iter().flat_map(|row| row[15].split(';').map(str::to_owned).collect::<Vec<_>>()).collect();
    assert_eq!(members, discovered);
    let (header, scores) = place.read_table("found/scores.csv");
    assert_eq!(header.join(","), "id,truth,cosine,p_distance,mahalanobis,combined,candidate,doubts");
    assert!(scores.iter().all(|row| row[1] == if unseen(&row[0]) { "new_species" } else { "known" }));
    let (header, measures) = place.read_table("found/measures.csv");
    assert_eq!(header.join(","), "measure,score,subject,at,value,lo,hi,n,species");
    let auroc = measures.iter().find(|row| row[..3] == ["auroc", "p-distance", "near"]).unwrap();
    assert_eq!(auroc[4], "1.000000");
    let page = std::fs::read_to_string(place.path("found/report.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("src=") && page.trim_end().ends_with("</html>"));

    let first = std::fs::read_to_string(place.path("found/queries.csv")).unwrap();
    place
        .run_well(&[&SPLITS[..], &["--fdr", "0.1", "--score", "p-distance", "-o", "found", "--threads", "1"]].concat());
    assert_eq!(first, std::fs::read_to_string(place.path("found/queries.csv")).unwrap(), "threads change nothing");
}

#[test]
fn taxa_of_one_file_are_held_out_by_name() {
    let place = Workplace::new();
    write_survey(&place);
    let facts = place.run_json(&[
        "discover",
        "bench.csv",
        "--taxa",
        "Inventa3,Inventa5 species1",
        "--known",
        "0.2",
        "-o",
        "found",
    ]);
    let truth: Vec<u64> =
        facts["measures"]["truth"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
    // One of the six specimens of each of the 26 species that stay.
    assert_eq!(truth, [26, 6, 18]);
    let (_, scores) = place.read_table("found/scores.csv");
    assert!(scores.iter().filter(|row| row[0].starts_with("INV03")).all(|row| row[1] == "new_genus"));
}

#[test]
fn nonsense_is_refused_before_any_work() {
    let place = Workplace::new();
    write_survey(&place);
    for (arguments, code, word) in [
        (&["--fdr", "0"][..], 2, "--fdr"),
        (&["--threshold", "3"], 2, "--threshold"),
        (&["--score", "bitscore"], 2, "bitscore"),
    ] {
        let output = place.run(&[&SPLITS[..], arguments, &["-o", "found"]].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{arguments:?}");
    }
    for (arguments, word) in
        [(&["--taxa", "Apis"][..], "'Apis'"), (&["--share", "2"], "share"), (&["--known", "-1"], "share")]
    {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let line = format!("{}={}", arguments[0], arguments[1]);
        let output = place.run(&["discover", "bench.csv", &line, "-o", "found"]);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(word), "{line}");
    }
    assert!(!place.path("found").exists(), "nothing is written before the work is done");
}
