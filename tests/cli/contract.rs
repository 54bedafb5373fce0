//! The command line as scripts depend on it: names, files, columns, JSON and exit codes.

use crate::support::{Workplace, ids, survey, table};
use serde_json::Value;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn version_names_version_commit_and_features() {
    let line = Workplace::new().run_well(&["--version"]);
    assert!(line.starts_with("barcodescope ") && line.contains(env!("CARGO_PKG_VERSION")), "{line}");
    assert!(line.contains("commit") && line.contains("features"), "{line}");
}

#[test]
fn exit_codes_tell_done_failed_and_wrong_usage_apart() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let code = |arguments: &[&str]| place.run(arguments).status.code();
    assert_eq!(code(&["check", "survey.csv", "--quiet"]), Some(0));
    assert_eq!(code(&["check", "absent.csv"]), Some(1));
    assert_eq!(code(&["check"]), Some(2));
    assert_eq!(code(&["check", "survey.csv", "--no-such-option"]), Some(2));
    assert_eq!(code(&["embed", "survey.csv", "-o", "out.xlsx"]), Some(2));
    assert_eq!(code(&["embed", "survey.csv", "-o", "out.csv", "--transform", "whiten"]), Some(2));
    assert_eq!(code(&["cluster", "survey.csv", "--recipe", "hdbscan", "--threshold", "0.1", "-o", "o.csv"]), Some(2));
    assert_eq!(code(&["classify", "survey.csv", "--leave-one-out", "--temperature", "0", "-o", "o.csv"]), Some(2));
    assert_eq!(code(&["check", "survey.csv", "--map", "nonsense"]), Some(2));
}

#[test]
fn check_counts_every_record_and_lists_it() {
    let place = Workplace::new();
    let good = table(&survey()[..3]);
    let sequence = &survey()[0].sequence;
    let reverse: String = sequence
        .chars()
        .rev()
        .map(|base| match base {
            'A' => 'T',
            'C' => 'G',
            'G' => 'C',
            _ => 'A',
        })
        .collect();
    place.write("survey.csv", &format!("{good}EMPTY-1,,,,,\nSHORT-1,,,,ACGT,\nTURNED-1,,,,{reverse},\n"));
    let report = place.run_json(&["check", "survey.csv", "-o", "R.csv"]);
    let number = |name: &str| report[name].as_u64().unwrap_or_else(|| panic!("{name} is no number in {report}"));
    let left_out: u64 = report["left_out"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!((number("records_read"), number("records_kept"), left_out), (6, 4, 2));
    assert_eq!(report["flagged"]["reverse_complement"], 1);
    assert!(report["repaired"].is_object());

    let (header, rows) = place.read_table("R.csv");
    assert_eq!(header.join(","), "id,file,line,status,reason,length,start,end,score,strand,flags");
    assert_eq!(rows.len(), 6);
    let row = |id: &str| rows.iter().find(|row| row[0] == id).unwrap_or_else(|| panic!("{id} is missing"));
    assert_eq!(row("EMPTY-1")[3], "left_out");
    assert_eq!((row("SHORT-1")[3].as_str(), row("SHORT-1")[2].as_str()), ("left_out", "6"));
    assert_eq!((row("TURNED-1")[3].as_str(), row("TURNED-1")[9].as_str()), ("kept", "-"));
    assert!(row("TURNED-1")[10].contains("reverse_complement"));
    let first = &survey()[0];
    assert_eq!(row(&first.id)[5..8], [first.sequence.len().to_string(), "0".into(), first.sequence.len().to_string()]);
}

#[test]
fn check_fails_only_when_nothing_is_kept_and_reports_then_too() {
    let place = Workplace::new();
    place.write("bad.fas", ">A-1\nACGT\n>B-1\nACGTA\n");
    let output = place.run(&["check", "bad.fas", "--json", "-o", "R.csv"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((report["records_read"].as_u64(), report["records_kept"].as_u64()), (Some(2), Some(0)));
    assert!(text(&output.stderr).contains("error:"), "{}", text(&output.stderr));
    let (_, rows) = place.read_table("R.csv");
    assert!(rows.len() == 2 && rows.iter().all(|row| row[3] == "left_out" && row[4] == "too_short"), "{rows:?}");
}

#[test]
fn embeddings_come_in_file_order_with_identical_barcodes_alike() {
    let place = Workplace::new();
    let mut specimens = survey();
    specimens.truncate(6);
    specimens[4].sequence = specimens[1].sequence.clone();
    place.write("survey.csv", &table(&specimens));
    let facts = place.run_json(&["embed", "survey.csv", "-o", "out.csv"]);
    assert_eq!((facts["specimens"].as_u64(), facts["unique_barcodes"].as_u64()), (Some(6), Some(5)));
    let (header, rows) = place.read_table("out.csv");
    assert_eq!(header[..3], ["id", "e0", "e1"]);
    assert_eq!(header.len() as u64, 1 + facts["dimensions"].as_u64().unwrap());
    assert_eq!(ids(&rows), specimens.iter().map(|specimen| specimen.id.as_str()).collect::<Vec<_>>());
    assert_eq!(rows[4][1..], rows[1][1..]);
    assert_ne!(rows[0][1..], rows[1][1..]);

    place.run_well(&["embed", "survey.csv", "-o", "out.npy", "--quiet"]);
    let listed = std::fs::read_to_string(place.path("out.npy.ids.txt")).unwrap();
    assert_eq!(listed.lines().collect::<Vec<_>>(), ids(&rows));
    let array: ndarray::Array2<f32> = ndarray_npy::read_npy(place.path("out.npy")).unwrap();
    assert_eq!(array.shape(), [6, header.len() - 1]);

    place.run_well(&["embed", "survey.csv", "-o", "out.safetensors", "--quiet"]);
    let bytes = std::fs::read(place.path("out.safetensors")).unwrap();
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let stored: Vec<String> = serde_json::from_str(&metadata.metadata().as_ref().unwrap()["ids"]).unwrap();
    assert_eq!(stored, ids(&rows));
    let tensor = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let view = tensor.tensor("embeddings").unwrap();
    assert_eq!(view.shape(), array.shape());
    let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    assert_eq!(values, array.iter().copied().collect::<Vec<_>>());
    let written: Vec<f32> = rows.iter().flat_map(|row| &row[1..]).map(|value| value.parse().unwrap()).collect();
    assert_eq!(values, written, "all three formats say the same");
}

#[test]
fn embeddings_are_transformed_only_when_there_is_something_to_fit_on() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    place.run_well(&["embed", "survey.csv", "-o", "plain.npy", "--quiet"]);
    place.run_well(&[
        "embed",
        "survey.csv",
        "--fit-on",
        "survey.csv",
        "--transform",
        "centre",
        "-o",
        "fit.npy",
        "--quiet",
    ]);
    let read = |name: &str| ndarray_npy::read_npy::<_, ndarray::Array2<f32>>(place.path(name)).unwrap();
    let (plain, fitted) = (read("plain.npy"), read("fit.npy"));
    let mean = plain.mean_axis(ndarray::Axis(0)).unwrap();
    let largest = (&plain - &mean - &fitted).iter().fold(0.0_f32, |most, value| most.max(value.abs()));
    assert!(largest < 1e-5, "{largest}");
}

#[test]
fn classify_writes_one_line_per_query_and_the_neighbours_asked_for() {
    let place = Workplace::new();
    let specimens = survey();
    let mut reference = table(&specimens[..36]);
    // A reference without the label is skipped, however near.
    reference.push_str(&format!("NAMELESS-1,,,,{},train\n", specimens[40].sequence));
    place.write("reference.csv", &reference);
    let mut query = table(&specimens[36..]);
    query.push_str(&format!("UNKNOWN-1,,,,{},test\n", specimens[0].sequence));
    place.write("query.csv", &query);
    for method in ["kmer", "align", "both"] {
        let facts = place.run_json(&[
            "classify",
            "--reference",
            "reference.csv",
            "--query",
            "query.csv",
            "--rank",
            "species",
            "--method",
            method,
            "--neighbours",
            "N.csv",
            "--neighbour-count",
            "3",
            "-o",
            "out.csv",
        ]);
        assert_eq!((facts["queries"].as_u64(), facts["n"].as_u64()), (Some(13), Some(12)), "{method}");
        assert_eq!(facts["references"].as_u64(), Some(36));
        assert_eq!(facts["accuracy"].as_f64(), Some(1.0), "{method}");
        let (header, rows) = place.read_table("out.csv");
        assert_eq!(header.join(","), "id,label,predicted,score,margin,neighbour,cosine,identity");
        assert_eq!(rows.len(), 13);
        let last = &rows[12];
        assert_eq!((last[0].as_str(), last[1].as_str()), ("UNKNOWN-1", ""));
        assert_eq!((last[2].as_str(), last[5].as_str()), (specimens[0].species.as_str(), specimens[0].id.as_str()));
        assert_eq!(last[7].parse::<f32>(), Ok(1.0));
        for row in &rows {
            let number = |column: usize| row[column].parse::<f32>().unwrap();
            assert_ne!(row[5], "NAMELESS-1");
            assert!(number(4) > 0.0, "{row:?}");
            let aligns = method != "kmer";
            let measure = if aligns { 7 } else { 6 };
            assert_eq!(row[3], row[measure], "with one neighbour the score is its likeness");
            assert_eq!(row[6].is_empty(), aligns);
        }
        let (header, rows) = place.read_table("N.csv");
        assert_eq!(header.join(","), "id,rank,neighbour,label,cosine,identity");
        assert_eq!(rows.len(), 39);
        assert_eq!(rows.iter().map(|row| row[1].as_str()).take(4).collect::<Vec<_>>(), ["1", "2", "3", "1"]);
    }
}

#[test]
fn leave_one_out_by_the_model_finds_the_species() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let facts = place.run_json(&["classify", "survey.csv", "--leave-one-out", "--rank", "species", "-o", "out.csv"]);
    assert!(facts["accuracy"].as_f64().unwrap() > 0.95, "{facts}");
    let [low, high] = [0, 1].map(|end| facts["ci95"][end].as_f64().unwrap());
    assert!(low <= high && high <= 1.0);
    let provenance = &facts["provenance"];
    assert_eq!(provenance["seed"], 1);
    assert_eq!(provenance["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(provenance["files"][0][0], "survey.csv");
    let (_, rows) = place.read_table("out.csv");
    assert!(rows.iter().all(|row| row[0] != row[5]), "no specimen is its own neighbour");
}

#[test]
fn auto_takes_the_method_that_names_the_reference_best_and_shows_on_what_ground() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let arguments = ["classify", "survey.csv", "--leave-one-out", "--method", "auto", "-o", "out.csv"];
    let facts = place.run_json(&arguments);
    let found = &facts["recommendation"];
    let evidence = found["evidence"].as_array().unwrap();
    let methods: Vec<&str> = evidence.iter().map(|evidence| evidence["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["model", "both", "kmer", "align"]);
    let right = |evidence: &Value| evidence["right"].as_u64().unwrap();
    let most = evidence.iter().map(right).max().unwrap();
    let best = evidence.iter().find(|evidence| right(evidence) == most).unwrap();
    assert_eq!((&facts["method"], &found["best"]), (&best["method"], &best["method"]));
    assert!(found["n"].as_u64().unwrap() > 0 && found["without_species"] == true);
    let output = place.run(&arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("without its species") && said.contains("taken: "), "{said}");
    assert!(place.run_json(&["classify", "survey.csv", "--leave-one-out", "-o", "o.csv"])["recommendation"].is_null());
    // one species of each genus: nothing to compare by
    let one_each = "id,nucraw,genus,species\na,ACGTACGTACGTACGTACGTACGTACGT,Una,Una x\nb,ACGTACGTACGTACGTTTTTACGTACGT,Altera,Altera x\n";
    place.write("small.csv", one_each);
    let output = place.run(&[
        "classify",
        "small.csv",
        "--leave-one-out",
        "--method",
        "auto",
        "--min-length",
        "10",
        "-o",
        "o.csv",
    ]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("two species"), "{said}");
}

#[test]
fn identical_barcodes_can_be_set_aside() {
    let place = Workplace::new();
    let mut specimens = survey();
    specimens.truncate(24);
    specimens[20].sequence = specimens[3].sequence.clone();
    place.write("survey.csv", &table(&specimens));
    let neighbour_of = |options: &[&str]| {
        let common = ["classify", "survey.csv", "--leave-one-out", "--method", "kmer", "-o", "out.csv", "--quiet"];
        place.run_well(&[&common, options].concat());
        place.read_table("out.csv").1[20][5].clone()
    };
    assert_eq!(neighbour_of(&[]), specimens[3].id);
    assert_ne!(neighbour_of(&["--set-aside-identical"]), specimens[3].id);
}

#[test]
fn splits_choose_reference_and_queries() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let arguments = [
        "classify",
        "--reference",
        "survey.csv",
        "--query",
        "survey.csv",
        "--reference-split",
        "train",
        "--query-split",
        "test_unseen",
        "--method",
        "kmer",
        "-o",
        "out.csv",
    ];
    let facts = place.run_json(&arguments);
    assert_eq!((facts["queries"].as_u64(), facts["references"].as_u64()), (Some(16), Some(24)));
    let output = place.run(&[&arguments[..8], &["nowhere"], &arguments[9..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("train"), "{}", text(&output.stderr));
}

#[test]
fn clusters_and_maps_have_one_line_per_specimen() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let expected: Vec<String> = survey().into_iter().map(|specimen| specimen.id).collect();
    for recipe in ["threshold", "hdbscan", "ward"] {
        let facts = place.run_json(&["cluster", "survey.csv", "--recipe", recipe, "--min-size", "3", "-o", "c.csv"]);
        let (header, rows) = place.read_table("c.csv");
        assert_eq!(header.join(","), "id,cluster");
        assert_eq!(ids(&rows), expected);
        assert_eq!(facts["used_true_number"], recipe == "ward", "{facts}");
        assert_eq!((facts["against"].as_str(), facts["true_number"].as_u64()), (Some("bin"), Some(12)));
        assert!(facts["ami"].as_f64().unwrap() > 0.5, "{recipe}: {facts}");
        let noise = rows.iter().filter(|row| row[1] == "-1").count() as u64;
        assert_eq!(facts["noise"].as_u64(), Some(noise));
    }
    let facts = place.run_json(&["cluster", "survey.csv", "--recipe", "ward", "--clusters", "4", "-o", "c.csv"]);
    assert_eq!((facts["clusters"].as_u64(), facts["used_true_number"].as_bool()), (Some(4), Some(false)));
    for method in ["umap", "pca"] {
        place.run_well(&["project", "survey.csv", "--method", method, "-o", "p.csv", "--quiet"]);
        let (header, rows) = place.read_table("p.csv");
        assert_eq!(header.join(","), "id,x,y");
        assert_eq!(ids(&rows), expected);
        assert!(rows.iter().flat_map(|row| &row[1..]).all(|value| value.parse::<f32>().unwrap().is_finite()));
    }
}

#[test]
fn the_seed_decides_the_map() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let map = |seed: &str, threads: &str| {
        place.run_well(&["project", "survey.csv", "--seed", seed, "--threads", threads, "-o", "p.csv", "--quiet"]);
        std::fs::read_to_string(place.path("p.csv")).unwrap()
    };
    let first = map("1", "1");
    assert_eq!(first, map("1", "2"), "the number of threads changes nothing");
    assert_ne!(first, map("2", "1"));
}

#[test]
fn evaluate_writes_the_table_with_every_method() {
    let place = Workplace::new();
    place.write_survey("bench.csv");
    let printed = place.run_well(&["evaluate", "bench.csv", "-o", "report.json", "--quiet"]);
    for word in
        ["open_world", "closed_world", "bin_reconstruction", "harmonic_mean", "model", "kmer", "align", "random"]
    {
        assert!(printed.contains(word), "{word} is missing in {printed}");
    }
    let report: Value = serde_json::from_slice(&std::fs::read(place.path("report.json")).unwrap()).unwrap();
    for name in ["seed", "version", "model_sha256", "data_sha256", "seconds"] {
        assert!(!report[name].is_null(), "{name} is missing");
    }
    let results = report["results"].as_array().unwrap();
    for result in results {
        for name in ["task", "split", "method", "rank", "metric", "value", "ci95", "n", "n_species"] {
            assert!(result.get(name).is_some(), "{name} is missing in {result}");
        }
    }
    let find = |task: &str, method: &str, rank: &str, metric: &str| {
        let fits = |result: &&Value| {
            result["task"] == task && result["method"] == method && result["rank"] == rank && result["metric"] == metric
        };
        results.iter().find(fits).unwrap_or_else(|| panic!("no {task} {method} {rank} {metric}"))
    };
    for method in ["model", "both", "kmer", "align", "random"] {
        let species = find("closed_world", method, "species", "accuracy");
        assert_eq!(
            (species["split"].as_str(), species["n"].as_u64(), species["n_species"].as_u64()),
            (Some("test"), Some(8), Some(8))
        );
        assert_eq!(species["ci95"].as_array().unwrap().len(), 2);
        let genus = find("open_world", method, "genus", "accuracy")["value"].as_f64().unwrap();
        let ami = find("bin_reconstruction", method, "bin", "ami")["value"].as_f64().unwrap();
        let interval = &find("bin_reconstruction", method, "bin", "ami")["ci95"];
        assert!(interval[0].as_f64() <= Some(ami) && Some(ami) <= interval[1].as_f64(), "{method}: {interval}");
        let both = find("harmonic_mean", method, "genus", "harmonic_mean")["value"].as_f64().unwrap();
        assert!((both - 2.0 * genus * ami / (genus + ami)).abs() < 1e-9, "{method}");
        let ends = |task, rank, metric, end: usize| find(task, method, rank, metric)["ci95"][end].as_f64().unwrap();
        for end in [0, 1] {
            let genus = ends("open_world", "genus", "accuracy", end).max(0.0);
            let ami = ends("bin_reconstruction", "bin", "ami", end).max(0.0);
            let expected = if genus + ami == 0.0 { 0.0 } else { 2.0 * genus * ami / (genus + ami) };
            let found = ends("harmonic_mean", "genus", "harmonic_mean", end);
            assert!((found - expected).abs() < 1e-9, "{method}, end {end}: {found}, {expected}");
        }
    }
    let output = place.run(&["evaluate", "bench.csv", "--on", "val"]);
    assert_eq!(output.status.code(), Some(1), "there is no such split");
}

#[test]
fn model_info_and_convert_agree() {
    let place = Workplace::new();
    let bundled = place.run_json(&["model", "info"]);
    assert_eq!(bundled["k"], 6);
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reference/published_mae_k4.pt");
    let published = place.run_json(&["model", "info", fixture]);
    assert_eq!(published["read"]["register"], false);
    place.run_well(&["model", "convert", fixture, "own.safetensors", "--quiet"]);
    let own = place.run_json(&["model", "info", "own.safetensors"]);
    for name in ["k", "encoder", "read"] {
        assert_eq!(own[name], published[name], "{name}");
    }
    let output = place.run(&["model", "convert", fixture, "own.bin"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(place.run(&["model", "info", "no such model"]).status.code(), Some(1));
}

#[test]
fn several_files_are_one_dataset() {
    let place = Workplace::new();
    let specimens = survey();
    place.write("a.csv", &table(&specimens[..5]));
    place.write("b.csv", &table(&specimens[5..9]));
    let report = place.run_json(&["check", "a.csv", "b.csv"]);
    assert_eq!(report["records_kept"], 9);
}

#[test]
fn simulate_writes_what_check_reads() {
    let place = Workplace::new();
    place.run_well(&["simulate", "-o", "s.csv", "--specimens", "60", "--quiet"]);
    place.run_well(&["simulate", "-o", "s.csv.gz", "--specimens", "60", "--quiet"]);
    let plain = place.run_json(&["check", "s.csv"]);
    assert_eq!(plain["records_read"], 60);
    assert_eq!(place.run_json(&["check", "s.csv.gz"])["records_kept"], plain["records_kept"]);
    assert_eq!(std::fs::read(place.path("s.csv.gz")).unwrap()[..2], [0x1f, 0x8b], "the name asks for gzip");
}

#[test]
fn without_a_display_the_program_says_so_in_one_line_and_writes_the_report() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let output = place.run(&["survey.csv", "--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let errors = text(&output.stderr);
    assert_eq!(errors.lines().filter(|line| line.contains("no window")).count(), 1, "{errors}");
    let report = std::fs::read_to_string(place.path("barcodescope-report/index.html")).unwrap();
    assert!(report.contains("survey.csv") && report.contains(".svg"));
}

#[test]
fn the_demo_writes_a_report_with_pictures_that_says_it_is_simulated() {
    let place = Workplace::new();
    let facts = place.run_json(&["demo", "--specimens", "80", "-o", "here"]);
    assert_eq!(facts["simulated"], true);
    let names = crate::support::names_in(&place.path("here"));
    for ending in [".html", ".svg", ".png", ".csv"] {
        assert!(names.iter().any(|name| name.ends_with(ending)), "no {ending} in {names:?}");
    }
    assert!(std::fs::read_to_string(place.path("here/index.html")).unwrap().to_lowercase().contains("simulated"));
}
