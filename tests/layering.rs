//! The direction of the dependencies: each layer uses the ones below it, never the ones above.

#![allow(clippy::unwrap_used, reason = "a test that lacks what it needs fails there and then")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module of the crate's root may use of the others.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("progress", &[]),
    ("seed", &[]),
    ("key", &[]),
    ("files", &[]),
    // its tests draw numbers
    ("arithmetic", &["seed"]),
    ("data", &["progress", "seed", "key"]),
    ("model", &["progress", "seed", "key", "files", "data", "arithmetic"]),
    ("train", &["progress", "seed", "key", "data", "model", "arithmetic"]),
    ("analysis", &["progress", "seed", "key", "data", "arithmetic"]),
    ("pipeline", &["progress", "seed", "key", "files", "data", "model", "train", "analysis"]),
    ("jobs", &["progress", "seed", "key", "data", "model", "train", "analysis", "pipeline"]),
    ("session", &["seed", "key", "data", "model", "train", "analysis", "pipeline", "jobs"]),
    ("ui", &["progress", "seed", "key", "data", "model", "train", "analysis", "pipeline", "jobs", "session"]),
];

/// `cli` opens the window, so it names the window's options, beside all that the use cases need.
const CLI: &[&str] = &["progress", "seed", "key", "data", "model", "train", "analysis", "pipeline", "jobs", "ui"];

/// Crates that only some modules may use.
const FENCED: [(&str, &[&str]); 13] = [
    ("candle_core", &["model", "train"]),
    ("candle_nn", &["model", "train"]),
    ("egui", &["ui"]),
    ("egui_extras", &["ui"]),
    ("egui_plot", &["ui"]),
    ("eframe", &["ui"]),
    ("rfd", &["ui"]),
    ("tokio", &["jobs"]),
    // the settings of a run are one list for flags, file and panel
    ("clap", &["cli", "train"]),
    ("indicatif", &["cli"]),
    ("ctrlc", &["cli"]),
    ("linfa", &["analysis"]),
    ("rusqlite", &["pipeline"]),
];

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(source_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// The code of a file without comments, documentation included.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The modules of the crate's root that some code names after `crate::`, also within braces.
fn used_modules(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_' || before == '$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => used.extend(first_word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut item = String::new();
                for letter in list.chars() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => used.extend(first_word(&std::mem::take(&mut item))),
                        _ if depth == 0 => item.push(letter),
                        _ => {}
                    }
                }
                used.extend(first_word(&item));
            }
        }
    }
    used
}

fn first_word(text: &str) -> Option<String> {
    let word: String =
        text.trim_start().chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// Whether some code names a crate: as `name::`, or in a `use name;`.
fn names_crate(code: &str, name: &str) -> bool {
    code.match_indices(name).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + name.len()..];
        let starts = before.is_none_or(|letter| !letter.is_alphanumeric() && !"_:.\"".contains(letter));
        starts && (after.starts_with("::") || after.starts_with(';') || after.starts_with(" as "))
    })
}

/// Every source file below `src` with the module of the crate's root that it belongs to.
fn modules() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    source_files(&root)
        .into_iter()
        .filter_map(|path| {
            let first = path.strip_prefix(&root).unwrap().components().next().unwrap();
            let module = first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
            (module != "lib" && module != "main").then_some((module, path))
        })
        .collect()
}

#[test]
fn no_layer_uses_one_above_it() {
    let mut faults = Vec::new();
    let mut seen = BTreeSet::new();
    for (module, path) in modules() {
        let allowed = match module.as_str() {
            "cli" => CLI,
            name => ALLOWED.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name} has no layer")).1,
        };
        for used in used_modules(&code(&path)) {
            if used != module && !allowed.contains(&used.as_str()) {
                faults.push(format!("{} uses crate::{used}", path.display()));
            }
        }
        seen.insert(module);
    }
    assert_eq!(seen.len(), ALLOWED.len() + 1, "every module was looked at: {seen:?}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_fenced_crate_stays_in_its_module() {
    let mut faults = Vec::new();
    let mut found = BTreeSet::new();
    for (module, path) in modules() {
        let code = code(&path);
        for (name, modules) in FENCED {
            if names_crate(&code, name) {
                found.insert(name);
                if !modules.contains(&module.as_str()) {
                    faults.push(format!("{} uses {name}", path.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for name in ["candle_core", "egui", "eframe", "tokio", "clap", "rfd", "rusqlite"] {
        assert!(found.contains(name), "{name} is used somewhere, so this test must have seen it");
    }
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let code =
        "use crate::{data::{a, b}, model};\nfn f() { crate::session::x(); $crate::ui::y(); my_crate::jobs::z() }";
    assert_eq!(used_modules(code).into_iter().collect::<Vec<_>>(), ["data", "model", "session"]);
    assert!(names_crate("use egui::Ui;", "egui") && names_crate("&egui::Ui", "egui") && names_crate("use rfd;", "rfd"));
    assert!(!names_crate("use egui_plot::Plot;", "egui") && !names_crate("crate::tokio_like::x", "tokio"));
}
