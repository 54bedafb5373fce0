//! Copies of a model that are smaller, or read otherwise.

use super::{Checkpoint, StoredTensor, model_id};
use crate::data::reading::ReadSettings;
use crate::model::config::WeightKind;
use half::f16;
use std::collections::BTreeMap;

/// What a copy of a model is to be like; by default as it is.
#[derive(Debug, Clone, Default)]
pub struct Repack {
    /// What it is called; `None` as before.
    pub name: Option<String>,
    /// Whether weights are rounded to 16 bits.
    pub half: bool,
    /// Whether decoder and output layer are left out, with which masked k-mers are guessed and training goes on.
    pub encoder_only: bool,
    /// How it reads by default; `None` as before.
    pub read: Option<ReadSettings>,
}

impl Checkpoint {
    /// A copy of the model. Rounded weights make it another model, with another id.
    #[must_use]
    pub fn repacked(&self, wanted: &Repack) -> Self {
        let mut copy = self.clone();
        if wanted.encoder_only {
            copy.decoder.clear();
            copy.head.clear();
            copy.info.decoder = None;
            copy.info.head = false;
        }
        if wanted.half {
            [&mut copy.encoder, &mut copy.decoder, &mut copy.head].into_iter().for_each(round);
            copy.info.weights = WeightKind::F16;
        }
        copy.info.name = wanted.name.clone().unwrap_or(copy.info.name);
        copy.info.read = wanted.read.unwrap_or(copy.info.read);
        copy.info.id = model_id(&copy.info, &copy.encoder);
        copy
    }
}

fn round(tensors: &mut BTreeMap<String, StoredTensor>) {
    for tensor in tensors.values_mut() {
        tensor.kind = WeightKind::F16;
        tensor.values.iter_mut().for_each(|value| *value = f16::from_f32(*value).to_f32());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::reading::{Layers, TransformKind};
    use crate::data::seen::{SeenBarcodes, hash_of};
    use std::path::Path;
    use std::sync::Arc;

    fn small() -> Checkpoint {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference/mae_k4.safetensors");
        Checkpoint::open(&path, None).unwrap()
    }

    #[test]
    fn a_copy_reads_back_as_it_was_asked_for() {
        let read = ReadSettings { register: true, layers: Layers::All, transform: TransformKind::Whiten(Some(7)) };
        let name = Some("other".to_owned());
        let copy = small().repacked(&Repack { name, half: true, encoder_only: true, read: Some(read) });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("copy.safetensors");
        copy.write(&path).unwrap();
        let back = Checkpoint::open(&path, None).unwrap();
        assert_eq!(
            (back.info().name.as_str(), back.info().read, back.info().weights),
            ("other", read, WeightKind::F16)
        );
        assert_eq!((back.info().id, back.info().decoder, back.info().head), (copy.info().id, None, false));
        assert!(back.decoder().is_empty() && back.info().objective == small().info().objective);
        let whole = small();
        assert_ne!(back.info().id, whole.info().id, "rounded weights are another model");
        for (name, tensor) in whole.encoder() {
            let rounded = &back.encoder()[name];
            for (a, b) in tensor.values.iter().zip(&rounded.values) {
                assert!((a - b).abs() <= a.abs() / 1024.0 + 1e-7, "{name}: {a} became {b}");
            }
        }
        let halves = std::fs::metadata(&path).unwrap().len();
        whole.repacked(&Repack { encoder_only: true, ..Repack::default() }).write(&path).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() > halves * 3 / 2);
    }

    #[test]
    fn nothing_asked_for_is_nothing_changed() {
        let (whole, copy) = (small(), small().repacked(&Repack::default()));
        assert_eq!(copy.info(), whole.info());
        assert_eq!(copy.decoder().len(), whole.decoder().len());
    }

    fn with_seen(barcodes: &[&[u8]]) -> Checkpoint {
        let seen = SeenBarcodes::of_hashes(barcodes.iter().map(|barcode| hash_of(barcode)));
        Checkpoint { seen: Some(Arc::new(seen)), ..small() }
    }

    #[test]
    fn models_share_one_record_of_training_barcodes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let model = with_seen(&[b"ACGT", b"TTTT"]);
        for name in ["a.safetensors", "b.safetensors"] {
            model.write_with_record(&at(name), Some("both.seen")).unwrap();
            let back = Checkpoint::open(&at(name), None).unwrap();
            assert_eq!(back.seen(), model.seen());
            assert!(back.info().warnings.is_empty());
        }
        model.write(&at("alone.safetensors")).unwrap();
        assert_eq!(Checkpoint::open(&at("alone.safetensors"), None).unwrap().seen(), model.seen());
        let other = with_seen(&[b"CCCC"]).write_with_record(&at("c.safetensors"), Some("both.seen"));
        assert!(other.unwrap_err().to_string().contains("other training barcodes"));
        assert!(!at("c.safetensors").exists(), "a record that is not its own is left as it is");
        assert!(model.write_with_record(&at("c.safetensors"), Some("../both.seen")).is_err());
    }

    #[test]
    fn a_record_that_is_missing_is_told_and_one_that_is_damaged_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, record) = (folder.path().join("a.safetensors"), folder.path().join("a.seen"));
        with_seen(&[b"ACGT"]).write_with_record(&path, Some("a.seen")).unwrap();
        std::fs::write(&record, [200]).unwrap();
        let error = Checkpoint::open(&path, None).unwrap_err();
        assert!(error.to_string().contains("a.seen"), "{error}");
        std::fs::remove_file(&record).unwrap();
        let back = Checkpoint::open(&path, None).unwrap();
        assert!(back.seen().is_none());
        assert!(back.info().warnings.iter().any(|warning| warning.contains("a.seen")));
        let json = path.with_extension("json");
        let settings = std::fs::read_to_string(&json).unwrap().replace("a.seen", "../a.seen");
        std::fs::write(&json, settings).unwrap();
        assert!(Checkpoint::open(&path, None).unwrap_err().to_string().contains("beside the model"));
    }
}
