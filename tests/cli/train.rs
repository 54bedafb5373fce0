//! Runs that are trained, ended by force and gone on with.

use crate::support::{Workplace, names_in};
use rand::Rng;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Settings of a small model whose steps, with a checkpoint after each, take some hundredths of a second.
const SMALL: &str = r#"
k = 4
encoder_layers = 1
encoder_width = 32
encoder_inner = 64
decoder_layers = 1
decoder_width = 32
decoder_inner = 64
batch = 16
dropout = 0.1
validation_share = 0.1
validate_every = 7
checkpoint_minutes = 0.0
"#;

/// The tensors of a run, with the moments of the optimizer.
fn tensors(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(path).expect("the run was written");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).expect("a checkpoint is whole at any time");
    let mut all: Vec<_> = tensors.tensors().into_iter().map(|(name, view)| (name, view.data().to_vec())).collect();
    all.sort();
    all
}

/// Steps of a run.
fn steps(path: &Path) -> u64 {
    let bytes = std::fs::read(path).expect("the run was written");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a checkpoint is whole at any time");
    let notes = header.metadata().clone().expect("it has notes");
    let progress: serde_json::Value = serde_json::from_str(&notes["training.progress"]).expect("they are JSON");
    progress["counters"]["steps"].as_u64().expect("steps are counted")
}

fn small_place() -> Workplace {
    let place = Workplace::new();
    place.write_survey("survey.csv");
    place.write("small.toml", SMALL);
    place
}

fn arguments<'a>(folder: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["train", "survey.csv", "--out", folder, "--config", "small.toml"], more].concat()
}

/// Waits until a file is there or the program has ended.
fn wait_for(path: &Path, child: &mut Child) {
    let start = Instant::now();
    while !path.exists() && child.try_wait().expect("it can be asked").is_none() {
        assert!(start.elapsed() < Duration::from_secs(60), "no checkpoint within a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn forty_steps_are_the_same_bits_with_and_without_being_killed() {
    let place = small_place();
    let began = Instant::now();
    place.run_well(&arguments("whole", &["--steps", "40"]));
    let takes = began.elapsed();
    let run = place.path("parts/run.safetensors");
    let mut killed_at = Vec::new();
    for attempt in 0..3 {
        let resume: &[&str] = if attempt == 0 { &["--steps", "40"] } else { &["--resume"] };
        let mut child =
            place.program(&arguments("parts", resume)).stderr(Stdio::null()).spawn().expect("the program starts");
        wait_for(&run, &mut child);
        // anywhere: in a step, in a validation, while a checkpoint is being written
        std::thread::sleep(takes.mul_f64(rand::rng().random_range(0.0..0.3)));
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
        killed_at.push(steps(&run));
    }
    assert!(killed_at.iter().any(|&at| 0 < at && at < 40), "it was killed in the middle: {killed_at:?}");
    place.run_well(&arguments("parts", &["--resume"]));
    assert_eq!(steps(&run), 40);
    assert!(tensors(&run) == tensors(&place.path("whole/run.safetensors")), "killed at {killed_at:?}");
    let model = |folder: &str| tensors(&place.path(&format!("{folder}/model.safetensors")));
    assert!(model("parts") == model("whole"), "killed at {killed_at:?}");
}

#[test]
fn the_trained_model_reads_and_tells_what_it_knows() {
    let place = small_place();
    let outcome = place.run_json(&arguments("run", &["--steps", "8", "--objective", "mlm", "--splits", "train"]));
    assert_eq!((outcome[0]["steps"].as_u64(), outcome[0]["run"]["from_step"].as_u64()), (Some(8), Some(0)));
    assert_eq!(
        names_in(&place.path("run")),
        ["best.safetensors", "model.safetensors", "run.safetensors", "settings.toml"]
    );
    let info = place.run_json(&["model", "info", "run/model.safetensors"]);
    assert_eq!((info["name"].as_str(), info["training"]["objective"].as_str()), (Some("run"), Some("mlm")));
    assert_eq!(info["training"]["trained_on"]["settings"]["encoder_width"], 32);
    assert_eq!(info["read"]["register"], false);
    let trained = outcome[0]["run"]["barcodes"].as_u64().expect("barcodes are counted");
    for model in ["run/model.safetensors", "run/run.safetensors", "run/best.safetensors"] {
        let named = place.run_json(&[
            "classify",
            "--reference",
            "survey.csv",
            "--query",
            "survey.csv",
            "--model",
            model,
            "--no-cache",
            "-o",
            "o.csv",
        ]);
        assert_eq!(named["trained_on"].as_u64(), Some(trained), "{model}");
    }
    let report = place.run_json(&["evaluate", "survey.csv", "--model", "run/model.safetensors", "--no-cache"]);
    assert_eq!(report["trained_on"][0]["split"], "test");
    assert_eq!(
        (report["trained_on"][0]["trained_on"].as_u64(), report["trained_on"][1]["trained_on"].as_u64()),
        (Some(0), Some(0))
    );
}

#[test]
fn a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on_when_there_is_room() {
    let place = small_place();
    place.run_well(&arguments("run", &["--steps", "3"]));
    let run = place.path("run/run.safetensors");
    let before = std::fs::read(&run).expect("the run was written");
    // files of more than ten kilobytes cannot be written, as on a full disk
    let program = env!("CARGO_BIN_EXE_barcodescope");
    let line = format!("trap '' XFSZ; ulimit -f 20; exec {program} train survey.csv --out run --resume --steps 6");
    let output =
        Command::new("sh").args(["-c", &line]).current_dir(place.path(".")).output().expect("there is a shell");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("cannot be written") && errors.contains("run.safetensors"), "{errors}");
    assert!(std::fs::read(&run).expect("it is still there") == before, "the last checkpoint is as it was");
    let left = names_in(&place.path("run"));
    assert!(
        left.iter().all(|name| name.ends_with(".safetensors") || name == "settings.toml"),
        "half-written: {left:?}"
    );
    place.run_well(&["train", "survey.csv", "--out", "run", "--resume", "--steps", "6"]);
    assert_eq!(steps(&run), 6);
}

#[test]
fn a_stop_writes_the_run_first() {
    let place = small_place();
    let run = place.path("run/run.safetensors");
    let mut child = place
        .program(&arguments("run", &["--steps", "100000"]))
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    wait_for(&run, &mut child);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill is there");
    assert!(sent.success());
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let stopped = steps(&run);
    assert!(stopped > 0);
    place.run_well(&["train", "survey.csv", "--out", "run", "--resume", "--steps", &(stopped + 2).to_string()]);
    assert_eq!(steps(&run), stopped + 2);
}

#[test]
fn several_ratios_make_a_model_each() {
    let place = small_place();
    let outcomes = place.run_json(&arguments("runs", &["--steps", "2", "--mask-ratio", "0.25,0.75"]));
    for (index, ratio) in [0.25, 0.75].into_iter().enumerate() {
        assert_eq!(outcomes[index]["run"]["mask_ratio"], ratio);
        let info = place.run_json(&["model", "info", &format!("runs/ratio-{ratio}/model.safetensors")]);
        assert_eq!(info["training"]["mask_ratio"], ratio);
    }
    // both go on, one of them from its beginning
    std::fs::remove_dir_all(place.path("runs/ratio-0.75")).expect("it can be removed");
    let outcomes = place.run_json(&["train", "survey.csv", "--out", "runs", "--resume", "--steps", "4"]);
    let from = |index: usize| outcomes[index]["run"]["from_step"].as_u64();
    let steps = |index: usize| outcomes[index]["steps"].as_u64();
    assert_eq!((from(0), steps(0), from(1), steps(1)), (Some(2), Some(4), Some(0), Some(4)));
}

#[test]
fn what_makes_no_run_is_said_before_any_work() {
    let place = small_place();
    let failing = |arguments: &[&str]| {
        let output = place.run(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, errors) = failing(&arguments("run", &["--steps", "2", "--encoder-heads", "3"]));
    assert!(code == Some(1) && errors.contains("encoder_heads"), "{code:?} {errors}");
    let (code, errors) = failing(&["train", "survey.csv", "--out", "run", "--resume"]);
    assert!(code == Some(1) && errors.contains("without --resume"), "{code:?} {errors}");
    place.write("odd.toml", "leyers = 3\n");
    let (code, errors) = failing(&["train", "survey.csv", "--out", "run", "--config", "odd.toml"]);
    assert!(code == Some(2) && errors.contains("leyers"), "{code:?} {errors}");
    assert!(!place.path("run").exists());
    place.run_well(&arguments("run", &["--steps", "2"]));
    let (code, errors) = failing(&arguments("run", &["--steps", "2"]));
    assert!(code == Some(1) && errors.contains("--resume"), "{code:?} {errors}");
    let (code, errors) = failing(&["train", "survey.csv", "--out", "run", "--resume", "--seed", "5"]);
    assert!(code == Some(1) && errors.contains("seed"), "{code:?} {errors}");
}
