//! Session files as the command line uses them: kept whatever happens to the program, and never believed where they were altered.

use crate::support::{Invented, Workplace, table};
use barcodescope::seed::Seed;
use rand::Rng;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

const SPECIMEN: &str = "INV000000-26";

fn with_session(place: &Workplace) -> PathBuf {
    place.write_survey("survey.csv");
    place.run_well(&["session", "create", "survey.csv", "-o", "work.scope", "--quiet"]);
    place.path("work.scope")
}

fn relabel(specimen: &str, species: &str) -> Value {
    json!({ "kind": "relabel", "specimen": specimen, "field": "species", "new": species, "who": "A. Person" })
}

/// Hands lines to `session decide`; answers what came of it.
fn decide(place: &Workplace, session: &str, lines: &[Value]) -> Output {
    let mut child = deciding(place, session);
    let mut input = child.stdin.take().unwrap();
    // A program that refuses a line reads no further.
    let _ = lines.iter().try_for_each(|line| writeln!(input, "{line}"));
    drop(input);
    child.wait_with_output().unwrap()
}

fn deciding(place: &Workplace, session: &str) -> Child {
    let mut command = place.program(&["session", "decide", session, "--quiet"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn info(place: &Workplace, session: &str) -> Value {
    place.run_json(&["session", "info", session])
}

/// What the program says of a session that it must refuse: an error, not a fault.
fn refused(place: &Workplace, session: &str) -> String {
    let output = place.run(&["session", "info", session]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty(), "nothing of it is shown");
    said
}

#[test]
fn decisions_are_kept_taken_back_and_compared() {
    let place = Workplace::new();
    with_session(&place);
    std::fs::copy(place.path("work.scope"), place.path("before.scope")).unwrap();
    let (a, b) = ("INV000001-26", "INV010000-26");
    let lines = [
        relabel(a, "Nova prima"),
        relabel(b, "Nova secunda"),
        json!({ "undo": 1 }),
        json!({ "kind": "tag", "specimen": a, "new": "MIS-ID" }),
        json!({ "undo": 2 }),
        json!({ "redo": 2 }),
    ];
    let output = decide(&place, "work.scope", &lines);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), ["1", "2", "1", "4", "2", "2"]);
    let facts = info(&place, "work.scope");
    let undone: Vec<bool> =
        facts["decisions"].as_array().unwrap().iter().map(|entry| entry["undone"].as_bool().unwrap()).collect();
    assert_eq!((facts["specimens"].as_u64(), undone), (Some(48), vec![true, false, false]));
    assert_eq!(facts["sources"][0]["state"], "unchanged");
    assert_eq!(facts["results"][0]["name"], "frames");

    let compared = place.run_json(&["session", "compare", "before.scope", "work.scope"]);
    assert_eq!((compared["shared"].as_u64(), &compared["decisions"]), (Some(48), &json!([0, 3])));
    let differences = compared["differences"].as_array().unwrap();
    assert_eq!(differences.len(), 1, "the one that was taken back makes no difference: {differences:?}");
    assert_eq!((&differences[0]["specimen"], &differences[0]["second"]), (&json!(b), &json!("Nova secunda")));
    assert_eq!((&differences[0]["field"], &differences[0]["first"]), (&json!("species"), &json!("Inventa1 species0")));
}

#[test]
fn a_decision_about_nothing_is_refused_and_changes_nothing() {
    let place = Workplace::new();
    with_session(&place);
    for (line, why) in [
        (relabel("nobody", "x"), "no specimen 'nobody'"),
        (json!({ "kind": "relabel", "specimen": SPECIMEN, "new": "x" }), "needs a field"),
        (json!({ "kind": "guess", "specimen": SPECIMEN }), "no decision"),
        (json!({ "undo": 7 }), "no decision 7"),
    ] {
        let output = decide(&place, "work.scope", &[line]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(why), "{said}");
    }
    assert_eq!(info(&place, "work.scope")["decisions"], json!([]));
}

/// Kills the program after it acknowledged `acknowledged` decisions and `pause` more; answers the highest number it wrote.
fn killed_while_deciding(place: &Workplace, acknowledged: usize, pause: Duration, round: usize) -> usize {
    let mut child = deciding(place, "work.scope");
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for number in 0.. {
            let line = relabel(SPECIMEN, &format!("round {round} number {number}"));
            if writeln!(input, "{line}").is_err() {
                break;
            }
        }
    });
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = 0;
    for _ in 0..acknowledged {
        last = lines.next().unwrap().unwrap().parse().unwrap();
    }
    std::thread::sleep(pause);
    child.kill().unwrap();
    child.wait().unwrap();
    writer.join().unwrap();
    // What stands in the pipe was acknowledged, too; a number cut in two was not.
    for line in lines.map_while(Result::ok) {
        last = line.parse().ok().filter(|&number| number > last).unwrap_or(last);
    }
    last
}

#[test]
fn no_decision_that_was_acknowledged_is_lost_when_the_program_is_killed() {
    let place = Workplace::new();
    with_session(&place);
    let mut rng = Seed(5).stream("moments of a kill");
    let mut before = 0;
    for round in 0..40 {
        let pause = Duration::from_micros(rng.random_range(0..4000));
        let last = killed_while_deciding(&place, rng.random_range(0..30), pause, round);
        let decisions = info(&place, "work.scope")["decisions"].as_array().unwrap().clone();
        assert!(decisions.len() >= last, "round {round}: {last} were acknowledged, {} are there", decisions.len());
        for (number, entry) in decisions.iter().enumerate().skip(before) {
            let expected = format!("round {round} number {}", number - before);
            assert_eq!((&entry["id"], &entry["value"]["new"]), (&json!(number + 1), &json!(expected)));
        }
        before = decisions.len();
    }
    assert!(before > 100, "kills hit a program at work: {before} decisions");
}

#[test]
fn a_session_stands_whole_under_its_name_or_not_at_all_when_its_maker_is_killed() {
    let place = Workplace::new();
    let many = Invented { genera: 20, species_per_genus: 5, specimens_per_species: 10 };
    place.write("many.csv", &table(&many.specimens()));
    let mut rng = Seed(6).stream("moments of a kill");
    let started = std::time::Instant::now();
    place.run_well(&["session", "create", "many.csv", "-o", "whole.scope", "--quiet"]);
    let whole = started.elapsed();
    let mut finished = 0;
    for round in 0..30 {
        let name = format!("round{round}.scope");
        let arguments = ["session", "create", "many.csv", "-o", name.as_str(), "--quiet"];
        let mut child = place.program(&arguments).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(rng.random_range(0.0..1.2)));
        child.kill().unwrap();
        child.wait().unwrap();
        if place.path(&name).exists() {
            assert_eq!(info(&place, &name)["specimens"], 1000);
            finished += 1;
        } else {
            place.run_well(&arguments);
        }
    }
    assert!(finished < 30, "some were killed before they were done");
}

#[test]
fn a_session_has_one_writer_and_any_readers() {
    let place = Workplace::new();
    with_session(&place);
    let mut first = deciding(&place, "work.scope");
    let mut input = first.stdin.take().unwrap();
    writeln!(input, "{}", relabel(SPECIMEN, "first")).unwrap();
    let mut answers = BufReader::new(first.stdout.take().unwrap()).lines();
    assert_eq!(answers.next().unwrap().unwrap(), "1");

    let second = decide(&place, "work.scope", &[relabel(SPECIMEN, "second")]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(second.status.code() == Some(1) && said.contains("open in another window"), "{said}");
    assert!(said.contains(&first.id().to_string()), "it says which: {said}");
    let facts = info(&place, "work.scope");
    assert_eq!((facts["decisions"].as_array().unwrap().len(), &facts["in_use"]), (1, &json!(true)));

    drop(input);
    assert!(first.wait().unwrap().success());
    assert_eq!(info(&place, "work.scope")["in_use"], false);
    assert!(decide(&place, "work.scope", &[relabel(SPECIMEN, "third")]).status.success());
}

#[test]
fn an_existing_file_is_never_replaced() {
    let place = Workplace::new();
    with_session(&place);
    let before = std::fs::read(place.path("work.scope")).unwrap();
    let output = place.run(&["session", "create", "survey.csv", "-o", "work.scope"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("already a file"));
    assert_eq!((output.status.code(), std::fs::read(place.path("work.scope")).unwrap()), (Some(1), before));
    assert_eq!(place.files().iter().filter(|name| name.contains("unfinished")).count(), 0);
}

#[test]
fn what_became_of_the_source_files_is_told() {
    let place = Workplace::new();
    with_session(&place);
    let state = || info(&place, "work.scope")["sources"][0]["state"].clone();
    let text = std::fs::read_to_string(place.path("survey.csv")).unwrap();
    place.write("survey.csv", &text.replacen("Inventa0", "Inventa9", 1));
    assert_eq!(state(), "changed");
    place.write("survey.csv", &text);
    assert_eq!(state(), "unchanged");
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    std::fs::rename(place.path("survey.csv"), place.path("elsewhere/survey.csv")).unwrap();
    assert_eq!(state(), "missing");
    std::fs::copy(place.path("work.scope"), place.path("elsewhere/work.scope")).unwrap();
    let moved = info(&place, "elsewhere/work.scope")["sources"][0]["state"]["moved"].clone();
    assert_eq!(moved, "elsewhere/survey.csv");
    assert_eq!(info(&place, "work.scope")["specimens"], 48, "the session holds what was read");
}

#[test]
fn later_formats_are_named_and_other_files_are_no_sessions() {
    let place = Workplace::new();
    let session = with_session(&place);
    place.write("text.scope", "processid,genus\n");
    place.write("empty.scope", "");
    Connection::open(place.path("other.scope")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    for name in ["text.scope", "empty.scope", "other.scope"] {
        assert!(refused(&place, name).contains("is no session"), "{name}");
    }
    assert!(refused(&place, "nothing.scope").contains("cannot reach"));
    Connection::open(session).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
    let said = refused(&place, "work.scope");
    assert!(said.contains("format 9") && said.contains(env!("CARGO_PKG_VERSION")), "{said}");
}

#[test]
fn nothing_that_somebody_put_into_a_session_is_run_or_believed() {
    let place = Workplace::new();
    let session = with_session(&place);
    decide(&place, "work.scope", &[relabel(SPECIMEN, "a"), relabel(SPECIMEN, "b"), relabel(SPECIMEN, "c")]);
    let untouched = std::fs::read(&session).unwrap();
    for (change, why) in [
        ("CREATE TRIGGER t AFTER INSERT ON journal BEGIN DELETE FROM journal; END", "tables that no session has"),
        ("CREATE VIEW v AS SELECT * FROM journal", "tables that no session has"),
        ("ALTER TABLE journal RENAME TO j; CREATE VIEW journal AS SELECT * FROM j", "tables that no session has"),
        ("CREATE INDEX i ON journal (length(kind))", "tables that no session has"),
        ("DROP TABLE block", "block is missing"),
        ("DELETE FROM journal WHERE id = 2", "does not fit its hash"),
        (
            "UPDATE journal SET payload = replace(payload, 'A. Person', 'Somebody') WHERE id = 1",
            "does not fit its hash",
        ),
        ("UPDATE journal SET hash = x'00' WHERE id = 1", "damaged"),
        ("UPDATE document SET json = '{}' WHERE name = 'about'", "about does not fit its hash"),
        ("DELETE FROM document WHERE name = 'sources'", "sources"),
        ("UPDATE block SET content = zeroblob(9) WHERE part = 'specimens'", "specimens"),
        ("UPDATE part SET bytes = 4000000000 WHERE name = 'specimens'", "specimens"),
        ("DELETE FROM part WHERE name = 'specimens'", "no specimens"),
    ] {
        std::fs::write(&session, &untouched).unwrap();
        Connection::open(&session).unwrap().execute_batch(change).unwrap();
        let said = refused(&place, "work.scope");
        assert!(said.contains(why), "{change}: {said}");
    }
}

#[test]
fn a_session_cut_short_or_with_changed_bytes_is_refused_or_whole() {
    let place = Workplace::new();
    let session = with_session(&place);
    decide(&place, "work.scope", &[relabel(SPECIMEN, "a")]);
    let untouched = std::fs::read(&session).unwrap();
    let whole = info(&place, "work.scope");
    let mut rng = Seed(7).stream("damage");
    for _ in 0..20 {
        std::fs::write(&session, &untouched[..rng.random_range(0..untouched.len())]).unwrap();
        refused(&place, "work.scope");
    }
    for _ in 0..40 {
        let mut bytes = untouched.clone();
        bytes[rng.random_range(0..untouched.len())] ^= 1 << rng.random_range(0..8);
        std::fs::write(&session, bytes).unwrap();
        let output = place.run(&["session", "info", "work.scope", "--json"]);
        match output.status.code() {
            Some(0) => assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), whole),
            code => assert_eq!(code, Some(1), "{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
}

#[test]
fn corrected_copies_have_the_labels_in_force_and_the_log_every_decision() {
    let place = Workplace::new();
    with_session(&place);
    let (relabelled, excluded) = (SPECIMEN, "INV000001-26");
    let lines = [
        relabel(relabelled, "Nova prima"),
        json!({ "kind": "exclude", "specimen": excluded, "who": "A. Person", "reason": "mixed up" }),
        relabel("INV010000-26", "Nova secunda"),
        json!({ "undo": 3 }),
    ];
    assert!(decide(&place, "work.scope", &lines).status.success());
    let before = std::fs::read(place.path("survey.csv")).unwrap();
    let facts = place.run_json(&["session", "export", "work.scope", "-o", "corrected"]);
    assert_eq!((facts["excluded"].as_u64(), facts["decisions"].as_u64()), (Some(1), Some(2)));
    let fasta = std::fs::read_to_string(place.path("corrected/corrected.fasta")).unwrap();
    assert!(
        fasta.contains(&format!(">{relabelled}|Nova prima")) && !fasta.contains(excluded) && !fasta.contains("secunda")
    );
    let records = fasta.lines().filter(|line| line.starts_with('>')).count() as u64;
    assert_eq!(facts["specimens"].as_u64(), Some(records));
    let (header, log) = place.read_table("corrected/changes.csv");
    assert_eq!(header.join(","), "number,time,who,id,decision,field,old,new,reason,taken_back");
    assert_eq!(log.iter().map(|row| row[9].as_str()).collect::<Vec<_>>(), ["no", "no", "yes"]);
    assert!(log[1][8] == "mixed up" && log[0][1].ends_with('Z'), "{log:?}");
    // A corrected table is read as any other file is.
    let again = place.run_json(&["check", "corrected/corrected.tsv"]);
    assert!(again.to_string().contains(&records.to_string()), "{again}");
    assert_eq!(std::fs::read(place.path("survey.csv")).unwrap(), before, "the file is not touched");
}
