//! The cache of embeddings as the command line uses it.

use crate::support::Workplace;
use std::path::PathBuf;

fn packs(place: &Workplace) -> Vec<PathBuf> {
    let spaces = std::fs::read_dir(place.path("kept")).unwrap().map(|entry| entry.unwrap().path());
    spaces.flat_map(|space| std::fs::read_dir(space).unwrap().map(|entry| entry.unwrap().path())).collect()
}

#[test]
fn results_with_and_without_cache_are_identical_and_damage_is_found() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    let embed = |options: &[&str]| {
        let facts = place.run_json(&[&["embed", "survey.csv", "-o", "out.npy"], options].concat());
        let count = |name: &str| facts[name].as_u64().unwrap();
        (std::fs::read(place.path("out.npy")).unwrap(), count("computed"), count("cached"))
    };
    let kept = ["--cache-dir", "kept"];
    let (without, all, none) = embed(&["--no-cache"]);
    assert_eq!(none, 0);
    assert_eq!(embed(&kept), (without.clone(), all, 0));
    assert_eq!(embed(&kept), (without.clone(), 0, all), "everything is known the second time");
    let (half, none, known) = embed(&["--cache-dir", "kept", "--memory", "0"]);
    assert_eq!((none, known), (0, all), "what is kept on disk has all its bits, whatever the memory holds");
    assert!(half != without && half.len() == without.len());
    assert_eq!(embed(&kept), (without.clone(), 0, all));
    let (other_layers, computed, _) = embed(&["--cache-dir", "kept", "--layers", "last"]);
    assert_eq!(computed, all, "another reading shares nothing");
    assert_ne!(other_layers, without);

    for path in packs(&place) {
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        std::fs::write(&path, bytes).unwrap();
    }
    let output = place.run(&["embed", "survey.csv", "-o", "again.npy", "--cache-dir", "kept", "--quiet"]);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("damaged"), "the user is told");
    assert_eq!(std::fs::read(place.path("again.npy")).unwrap(), without);
    assert_eq!(embed(&kept), (without, 0, all), "and the damaged vectors were kept anew");
}

#[test]
fn clearing_removes_what_was_kept() {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    place.run_well(&["embed", "survey.csv", "-o", "out.npy", "--cache-dir", "kept", "--quiet"]);
    assert!(!packs(&place).is_empty());
    let facts = place.run_json(&["cache", "clear", "--cache-dir", "kept"]);
    assert!(facts["bytes_freed"].as_u64().unwrap() > 0);
    assert!(packs(&place).is_empty());
    assert_eq!(place.run(&["cache", "clear", "--no-cache"]).status.code(), Some(2));
}
