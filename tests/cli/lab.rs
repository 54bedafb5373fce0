//! The masking lab on the command line: columns, exit codes, and what the numbers must add up to.

use crate::support::{Workplace, survey};
use std::collections::BTreeSet;

const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reference/");

fn fixture(name: &str) -> String {
    format!("{REFERENCE}{name}")
}

#[test]
fn masking_writes_its_columns_for_every_model_mode_ratio_and_seed() {
    let place = Workplace::new();
    place.write_survey("bench.csv");
    let models = format!("{},{}", fixture("mae_k4.safetensors"), fixture("published_mlm_ddp_k4.pt"));
    let arguments = [
        "masking",
        "bench.csv",
        "--models",
        &models,
        "--ratios",
        "0,0.5",
        "--modes",
        "drop,combined",
        "--seeds",
        "2",
        "--queries",
        "10",
        "--references",
        "20",
        "-o",
        "m.csv",
        "--figure",
        "m.svg",
    ];
    let printed = place.run_well(&[&arguments[..], &["--quiet"]].concat());
    assert!(printed.contains("open_world accuracy") && printed.contains("drift cosine_distance"), "{printed}");
    let (header, rows) = place.read_table("m.csv");
    assert_eq!(header.join(","), "model,objective,mode,ratio,seed,task,metric,value,lo,hi,n");
    let accuracy: Vec<&Vec<String>> = rows.iter().filter(|row| row[5] == "open_world").collect();
    // two models and an untrained encoder in two modes, counts in one; two ratios, two seeds
    assert_eq!(accuracy.len(), (3 * 2 + 1) * 2 * 2);
    let kinds: BTreeSet<(&str, &str)> = accuracy.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
    let expected = [("kmer", "none"), ("mae_k4", "mae"), ("random", "none"), ("reference", "mlm")];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    for row in &rows {
        let number = |column: usize| row[column].parse::<f64>().unwrap();
        assert!(number(8) <= number(7) && number(7) <= number(9), "{row:?}");
        assert!(["1", "2"].contains(&row[4].as_str()) && ["0", "0.5"].contains(&row[3].as_str()));
        assert!(row[5] != "drift" || (row[3] == "0") == (number(7) == 0.0), "{row:?}");
    }
    assert!(accuracy.iter().all(|row| row[10] == "5"), "half of the queries are of unseen species");
    let figure = std::fs::read_to_string(place.path("m.svg")).unwrap();
    assert!(figure.contains("mae_k4 (mae)") && figure.contains("combined"));

    let first = std::fs::read_to_string(place.path("m.csv")).unwrap();
    place.run_well(&[&arguments[..], &["--quiet", "--threads", "1"]].concat());
    assert_eq!(first, std::fs::read_to_string(place.path("m.csv")).unwrap(), "the number of threads changes nothing");
}

#[test]
fn masking_takes_the_bundled_model_and_refuses_nonsense_before_any_work() {
    let place = Workplace::new();
    place.write_survey("bench.csv");
    let facts = place.run_json(&[
        "masking",
        "bench.csv",
        "--ratios",
        "0.5",
        "--modes",
        "mask",
        "--seeds",
        "1",
        "--queries",
        "6",
        "-o",
        "m.csv",
    ]);
    assert_eq!((facts["queries"].as_u64(), facts["references"].as_u64()), (Some(6), Some(24)));
    assert_eq!(facts["rows"][0]["objective"], "mae");
    assert!(
        facts["notes"].as_array().unwrap().iter().any(|note| note.as_str().unwrap().contains("true number of BINs"))
    );
    assert!(facts["notes"].to_string().contains("trained on exactly the barcodes of 0 of the 6 queries"), "{facts}");
    assert!(facts["provenance"]["settings"].to_string().contains("masking ratios"));
    let code =
        |arguments: &[&str]| place.run(&[&["masking", "bench.csv", "-o", "n.csv"], arguments].concat()).status.code();
    assert_eq!(code(&["--ratios", "0.95"]), Some(2));
    assert_eq!(code(&["--modes", "hide"]), Some(2));
    assert_eq!(code(&["--figure", "f.pdf"]), Some(2));
    assert_eq!(code(&["--models", "no such model"]), Some(1));
    assert_eq!(code(&["--ratios", "0", "--modes", "mask"]), Some(1));
    assert!(!place.path("n.csv").exists());
}

#[test]
fn reconstruct_lists_every_token_with_its_guesses() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let specimens = survey();
    let id = specimens[7].id.as_str();
    let facts =
        place.run_json(&["reconstruct", "survey.csv", "--ids", id, "--ratio", "0.25", "--top", "3", "-o", "r.csv"]);
    assert_eq!((facts["barcodes"].as_u64(), facts["left_out"].as_u64()), (Some(1), Some(0)));
    let (header, rows) = place.read_table("r.csv");
    assert_eq!(
        header.join(","),
        "id,position,base,kmer,masked,rank,guess,probability,right,amino_acids,guessed_amino_acids"
    );
    // 658 bases are 109 6-mers, of which a quarter, 27, are masked
    let masked: Vec<_> = rows.iter().filter(|row| row[4] == "yes").collect();
    assert_eq!((masked.len(), rows.len()), (27 * 3, 109 + 27 * 2));
    assert_eq!(facts["masked"], 27);
    let right = masked.iter().filter(|row| row[5] == "1" && row[8] == "yes").count() as u64;
    assert_eq!(facts["right"].as_u64(), Some(right));
    for row in &rows {
        let base: usize = row[2].parse().unwrap();
        assert_eq!(row[3], specimens[7].sequence[base - 1..base + 5]);
        assert_eq!(row[8] == "yes", row[6] == row[3], "{row:?}");
        assert_eq!((row[9].len(), row[10].len()), (2, 2), "a 6-mer begins two codons: {row:?}");
    }
}

#[test]
fn reconstruct_counts_by_position_over_a_sample() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let facts = place.run_json(&[
        "reconstruct",
        "survey.csv",
        "--split",
        "train",
        "--specimens",
        "12",
        "--by-position",
        "p.csv",
        "--figure",
        "p.png",
        "-o",
        "r.csv",
    ]);
    assert_eq!(facts["barcodes"], 12);
    let (header, rows) = place.read_table("p.csv");
    assert_eq!(header.join(","), "position,base,masked,right,accuracy,mean_probability,most_frequent");
    let sum = |column: usize| rows.iter().map(|row| row[column].parse::<u64>().unwrap()).sum::<u64>();
    assert_eq!((Some(sum(2)), Some(sum(3))), (facts["masked"].as_u64(), facts["right"].as_u64()));
    assert_eq!(std::fs::read(place.path("p.png")).unwrap()[1..4], *b"PNG");
}

#[test]
fn a_model_without_a_decoder_says_which_ones_have_one() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let model = fixture("published_mae_k4.pt");
    let output = place.run(&["reconstruct", "survey.csv", "--model", &model, "-o", "r.csv"]);
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("encoder alone") && errors.contains("bundled"), "{errors}");
    let head = fixture("published_mlm_ddp_k4.pt");
    let facts = place.run_json(&["reconstruct", "survey.csv", "--model", &head, "--specimens", "3", "-o", "r.csv"]);
    assert_eq!(facts["barcodes"], 3);
    assert_eq!(place.run(&["reconstruct", "survey.csv", "--ids", "nobody", "-o", "r.csv"]).status.code(), Some(1));
}

#[test]
fn compare_puts_models_and_baselines_into_one_table_and_lays_their_maps_together() {
    let place = Workplace::new();
    place.write_survey("bench.csv");
    let models = format!("{},{}", fixture("mae_k4.safetensors"), fixture("published_mae_k4.pt"));
    let facts = place.run_json(&[
        "compare",
        "bench.csv",
        "--models",
        &models,
        "-o",
        "c.csv",
        "--maps",
        "maps.csv",
        "--neighbours",
        "4",
    ]);
    let (header, rows) = place.read_table("c.csv");
    assert_eq!(header.join(","), "model,objective,trained_ratio,task,split,rank,metric,value,lo,hi,n,n_species");
    let genus: Vec<&str> = rows
        .iter()
        .filter(|row| (row[3].as_str(), row[6].as_str()) == ("open_world", "accuracy"))
        .map(|row| row[0].as_str())
        .collect();
    assert_eq!(genus, ["mae_k4", "reference", "kmer", "align", "random"]);
    let (header, rows) = place.read_table("maps.csv");
    assert_eq!(header.join(","), "id,x1,y1,x2,y2,kept");
    let kept: Vec<f64> = rows.iter().map(|row| row[5].parse().unwrap()).collect();
    assert!(kept.len() == 24 && kept.is_sorted() && kept[0] < 1.0, "{kept:?}");
    assert_eq!(facts["maps"]["most_changed"][0], rows[0][0].as_str());
    assert_eq!(
        place.run(&["compare", "bench.csv", "--models", "bundled", "--maps", "m.csv", "-o", "c.csv"]).status.code(),
        Some(2)
    );
}

#[test]
fn compare_draws_splits_where_there_are_none_and_draws_a_picture() {
    let place = Workplace::new();
    let named: Vec<String> = crate::support::table(&survey())
        .lines()
        .map(|line| line.rsplit_once(',').map_or(line, |(rest, _)| rest).to_owned())
        .collect();
    place.write("bare.csv", &(named.join("\n") + "\n"));
    let facts = place.run_json(&["compare", "bare.csv", "--models", "bundled", "-o", "c.csv", "--figure", "c.svg"]);
    assert!(facts["splits"].as_str().unwrap().contains("drawn by the seed"), "{facts}");
    let (_, rows) = place.read_table("c.csv");
    // of 12 species every fifth, 2, is unseen, with 4 specimens each
    let open = rows.iter().find(|row| (row[3].as_str(), row[6].as_str()) == ("open_world", "accuracy")).unwrap();
    assert_eq!(open[10], "8");
    assert!(std::fs::read_to_string(place.path("c.svg")).unwrap().contains("share masked in training"));
    assert_eq!(
        place.run(&["compare", "bare.csv", "--models", "bundled", "-o", "d.csv", "--figure", "d.pdf"]).status.code(),
        Some(2)
    );
    assert!(!place.path("d.csv").exists());
}
