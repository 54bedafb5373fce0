//! Ctrl-C leaves no half-written file.

#![cfg(unix)]

use crate::support::{Invented, Workplace, table};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

fn interrupt(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill is there");
    assert!(sent.success());
}

/// Starts the program, stops it as soon as it says that it is at `stage`, and answers its exit code.
fn stopped_at(place: &Workplace, arguments: &[&str], stage: &str, signal: &str) -> Option<i32> {
    let mut child = place.program(arguments).stderr(Stdio::piped()).spawn().expect("the program starts");
    let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let mut told = Vec::new();
    for line in lines.map_while(Result::ok) {
        let there = line.contains(stage);
        told.push(line);
        if there {
            interrupt(&child, signal);
            break;
        }
    }
    let code = child.wait().expect("it ends").code();
    assert!(told.last().is_some_and(|line| line.contains(stage)), "'{stage}' was never reached: {told:?}");
    code
}

#[test]
fn stopping_leaves_the_old_file_and_nothing_half_written() {
    let place = Workplace::new();
    let many = Invented { genera: 40, species_per_genus: 5, specimens_per_species: 5 };
    place.write("survey.csv", &table(&many.specimens()));
    place.write("out.csv", "the result of an earlier run\n");
    let before = place.files();
    for signal in ["-INT", "-TERM"] {
        let code = stopped_at(&place, &["embed", "survey.csv", "--no-cache", "-o", "out.csv"], "embedding", signal);
        assert_eq!(code, Some(130), "{signal}");
        assert_eq!(place.files(), before, "{signal}");
        assert_eq!(std::fs::read_to_string(place.path("out.csv")).unwrap(), "the result of an earlier run\n");
    }
    let code = stopped_at(&place, &["simulate", "--specimens", "5000000", "-o", "big.csv.gz"], "simulating", "-INT");
    assert_eq!(code, Some(130));
    assert_eq!(place.files(), before);
}
