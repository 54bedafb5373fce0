//! Where models are found.

use super::checkpoint::is_model;
use std::path::{Path, PathBuf};

/// The models in the folder `extra` (`--models`; a single file or Hugging Face folder counts as itself), in the folder `models`
/// beside the executable, and in the user's data folder; each folder in order of names, no path twice.
pub fn find_models(extra: Option<&Path>) -> Vec<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.join("models")));
    let of_user = directories::ProjectDirs::from("", "", "barcodescope").map(|dirs| dirs.data_dir().join("models"));
    let mut found: Vec<PathBuf> = Vec::new();
    for place in extra.map(Path::to_owned).into_iter().chain(beside).chain(of_user) {
        for model in models_in(&place) {
            if !found.contains(&model) {
                found.push(model);
            }
        }
    }
    found
}

fn models_in(place: &Path) -> Vec<PathBuf> {
    if is_model(place) {
        return vec![place.to_owned()];
    }
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let mut models: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_model(path)).collect();
    models.sort();
    models
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn models_are_found_by_their_files_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b.safetensors", "a.pt", "c.PTH", "notes.txt", "a.json"] {
            fs::write(at(name), b"").unwrap();
        }
        fs::create_dir_all(at("hf")).unwrap();
        fs::create_dir_all(at("other")).unwrap();
        fs::write(at("hf/config.json"), b"{}").unwrap();
        fs::write(at("hf/model.safetensors"), b"").unwrap();
        let expected = ["a.pt", "b.safetensors", "c.PTH", "hf"].map(at).to_vec();
        assert_eq!(models_in(folder.path()), expected);
        assert_eq!(models_in(&at("hf")), [at("hf")]);
        assert_eq!(models_in(&at("a.pt")), [at("a.pt")]);
        assert!(models_in(&at("absent")).is_empty());
        let found = find_models(Some(folder.path()));
        assert_eq!(found[..4], expected);
    }
}
