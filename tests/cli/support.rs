//! Invented barcodes and the program to run on them.

use barcodescope::data::frame::FrameProfile;
use barcodescope::seed::Seed;
use rand::Rng;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Invented specimens: genera far apart, species of a genus near, specimens of a species nearly the same.
pub(crate) struct Invented {
    pub(crate) genera: usize,
    pub(crate) species_per_genus: usize,
    pub(crate) specimens_per_species: usize,
}

pub(crate) struct Specimen {
    pub(crate) id: String,
    pub(crate) genus: String,
    pub(crate) species: String,
    pub(crate) bin: String,
    pub(crate) sequence: String,
    pub(crate) split: &'static str,
}

fn mutated(sequence: &[u8], share: f64, rng: &mut impl Rng) -> Vec<u8> {
    let change = |&base: &u8| if rng.random_bool(share) { b"ACGT"[rng.random_range(0..4)] } else { base };
    sequence.iter().map(change).collect()
}

impl Invented {
    /// The specimens, in an order in which species are mixed. The last species of each genus is `test_unseen`, of the others the
    /// last specimen is `test` and the rest `train`.
    pub(crate) fn specimens(&self) -> Vec<Specimen> {
        let root = FrameProfile::bundled().consensus();
        let mut rng = Seed(11).stream("invented barcodes");
        let mut all = Vec::new();
        for genus in 0..self.genera {
            let of_genus = mutated(&root, 0.2, &mut rng);
            for species in 0..self.species_per_genus {
                let of_species = mutated(&of_genus, 0.08, &mut rng);
                for specimen in 0..self.specimens_per_species {
                    let sequence = mutated(&of_species, 0.004, &mut rng);
                    let split = if species + 1 == self.species_per_genus {
                        "test_unseen"
                    } else if specimen + 1 == self.specimens_per_species {
                        "test"
                    } else {
                        "train"
                    };
                    all.push((
                        specimen,
                        Specimen {
                            id: format!("INV{genus:02}{species:02}{specimen:02}-26"),
                            genus: format!("Inventa{genus}"),
                            species: format!("Inventa{genus} species{species}"),
                            bin: format!("BOLD:INV{:04}", genus * 100 + species),
                            sequence: String::from_utf8(sequence).expect("bases are text"),
                            split,
                        },
                    ));
                }
            }
        }
        all.sort_by_key(|(specimen, _)| *specimen);
        all.into_iter().map(|(_, specimen)| specimen).collect()
    }
}

/// A table of the specimens in a layout with the usual column names.
pub(crate) fn table(specimens: &[Specimen]) -> String {
    let mut text = String::from("processid,genus,species,dna_bin,dna_barcode,split\n");
    for Specimen { id, genus, species, bin, sequence, split } in specimens {
        let _ = writeln!(text, "{id},{genus},{species},{bin},{sequence},{split}");
    }
    text
}

/// A folder for one test, with the program's cache inside.
pub(crate) struct Workplace {
    folder: tempfile::TempDir,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the temporary folder can be written to");
        path
    }

    /// Writes 48 invented specimens: 4 genera of 3 species of 4.
    pub(crate) fn write_survey(&self, name: &str) -> PathBuf {
        self.write(name, &table(&survey()))
    }

    /// The program, not run yet.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_barcodescope"));
        command.args(arguments).current_dir(self.folder.path());
        command.env("XDG_CACHE_HOME", self.path("cache")).env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.program(arguments).output().expect("the program starts")
    }

    /// Runs the program, which must succeed; answers its standard output.
    pub(crate) fn run_well(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} failed: {errors}");
        String::from_utf8(output.stdout).expect("output is UTF-8")
    }

    /// Runs the program with `--json`; answers what it printed.
    pub(crate) fn run_json(&self, arguments: &[&str]) -> serde_json::Value {
        let printed = self.run_well(&[arguments, &["--json"]].concat());
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error} in {printed}"))
    }

    /// Rows of a table, without the header, and the header.
    pub(crate) fn read_table(&self, name: &str) -> (Vec<String>, Vec<Vec<String>>) {
        let mut reader = csv::Reader::from_path(self.path(name)).expect("the table was written");
        let header = reader.headers().expect("it has a header").iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| row.expect("rows are whole").iter().map(str::to_owned).collect());
        (header, rows.collect())
    }

    /// Names of what lies in the folder, hidden files too.
    pub(crate) fn files(&self) -> Vec<String> {
        names_in(self.folder.path())
    }
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("it can be listed").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

pub(crate) fn survey() -> Vec<Specimen> {
    Invented { genera: 4, species_per_genus: 3, specimens_per_species: 4 }.specimens()
}

pub(crate) fn ids(rows: &[Vec<String>]) -> Vec<&str> {
    rows.iter().map(|row| row[0].as_str()).collect()
}
