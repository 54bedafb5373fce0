//! Every model in `models/` opens, is what its card says, and has the record of its training barcodes beside it.

use barcodescope::model::{Checkpoint, Objective, WeightKind};
use std::path::{Path, PathBuf};

/// Name, objective, k, layers, width, whether it can guess masked k-mers.
const MODELS: [(&str, Objective, usize, usize, usize, bool); 7] = [
    ("labelled_mae", Objective::Mae, 6, 2, 256, false),
    ("relatives_mae", Objective::Mae, 6, 2, 256, true),
    ("small_causal", Objective::Causal, 4, 3, 128, true),
    ("small_mae_25", Objective::Mae, 4, 3, 128, true),
    ("small_mae_50", Objective::Mae, 4, 3, 128, true),
    ("small_mae_75", Objective::Mae, 4, 3, 128, true),
    ("small_mlm", Objective::Mlm, 4, 3, 128, true),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models")
}

#[test]
fn every_model_in_the_folder_is_what_its_card_says() {
    let mut files: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().file_name().to_str()?.strip_suffix(".safetensors")?.to_owned()))
        .collect();
    files.sort();
    assert_eq!(files, MODELS.map(|model| model.0));
    let card = std::fs::read_to_string(folder().join("MODELS.md")).unwrap();
    for (name, objective, k, layers, width, guesses) in MODELS {
        let model = Checkpoint::open(&folder().join(format!("{name}.safetensors")), None).unwrap();
        let info = model.info();
        assert!(info.warnings.is_empty(), "{name}: {:?}", info.warnings);
        assert_eq!((info.objective, info.k, info.weights), (objective, k, WeightKind::F16), "{name}");
        assert_eq!((info.encoder.layers, info.encoder.width), (layers, width), "{name}");
        assert_eq!(info.decoder.is_some() || info.head, guesses, "{name}");
        assert!(info.read.register, "{name}");
        assert_eq!(model.seen().unwrap().len(), 125_886, "{name}");
        assert!(card.contains(&format!("`{name}`")), "{name} has no card");
    }
}

#[test]
fn the_models_take_no_more_than_25_mb() {
    let bytes: u64 = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes <= 25_000_000, "{bytes}");
}

#[test]
fn the_bundled_model_is_the_one_in_the_folder() {
    let file = Checkpoint::open(&folder().join("relatives_mae.safetensors"), None).unwrap();
    let bundled = Checkpoint::bundled();
    assert_eq!((bundled.info().id, &bundled.info().name), (file.info().id, &file.info().name));
    assert_eq!(bundled.seen(), file.seen());
}
