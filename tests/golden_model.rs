//! The reader agrees with PyTorch and Transformers on every reference case.
//!
//! Token ids exactly; embeddings to 1e-5, the largest absolute difference over the largest absolute value of the embedding.

#![expect(clippy::unwrap_used, reason = "a test that can't read its fixtures fails there and then")]
#![expect(clippy::print_stdout, reason = "a skipped test says so")]

use barcodescope::data::import::{ImportOptions, load};
use barcodescope::data::reading::{Layers, ReadSettings, TransformKind};
use barcodescope::data::tokens::{DEFAULT_MAX_BASES, LEGACY_SPECIAL_TOKENS, SPECIAL_TOKENS, Tokenizer, Tokens};
use barcodescope::model::{Checkpoint, CheckpointLayout, DeviceChoice, EncoderShape, Model, ModelError, OpenOptions};
use barcodescope::progress::Silent;
use barcodescope::seed::Seed;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

const TOLERANCE: f32 = 1e-5;
const SHAPE: EncoderShape = EncoderShape { layers: 2, width: 48, inner: 96, heads: 6, positions: 512 };

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name)
}

fn json(name: &str) -> Json {
    serde_json::from_str(&std::fs::read_to_string(reference(name)).unwrap()).unwrap()
}

fn open(name: &str) -> Model {
    Model::open(&reference(name), &OpenOptions { device: DeviceChoice::Cpu, ..OpenOptions::default() }).unwrap()
}

fn numbers<T: serde::de::DeserializeOwned>(value: &Json) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Names and letters of the ten awkward sequences; they are the same for every k.
fn sequences() -> Vec<(String, Vec<u8>)> {
    let cases = json("encoder_k4.json");
    let sequences = cases["sequences"].as_object().unwrap();
    sequences.iter().map(|(name, letters)| (name.clone(), letters.as_str().unwrap().into())).collect()
}

fn assert_close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
    assert!(difference <= TOLERANCE * largest, "{what}: {difference:e} off, largest value {largest}");
}

/// Holds a model's embeddings of all sequences, one by one, against the case.
fn assert_embeddings(model: &Model, expected: &Json, what: &str) {
    for (name, letters) in sequences() {
        let tokens = model.tokenizer().read(&letters);
        let found = model.embed(&[&tokens], Layers::Last).unwrap();
        assert_close(found.row(0).as_slice().unwrap(), &numbers(&expected[&name]), &format!("{what}, {name}"));
    }
}

#[test]
fn tokens_and_attention_agree_exactly() {
    for (file, k) in [("encoder_k4.json", 4), ("encoder_k6.json", 6)] {
        let case = json(file);
        let tokenizer = Tokenizer::new(k, DEFAULT_MAX_BASES, &SPECIAL_TOKENS).unwrap();
        for (name, letters) in case["sequences"].as_object().unwrap() {
            let letters = letters.as_str().unwrap().as_bytes();
            let (ids, attention) = tokenizer.padded(letters, 0);
            assert_eq!(ids, numbers::<u32>(&case["tokens"][name]), "{file} {name}");
            assert_eq!(attention, numbers::<u8>(&case["attention"][name]), "{file} {name}");
            assert_eq!(tokenizer.padded(letters, 2).0, numbers::<u32>(&case["tokens_offset_2"][name]), "{file} {name}");
            let read = tokenizer.read(letters);
            let attended = attention.iter().filter(|&&attention| attention == 1).count();
            assert_eq!(read, Tokens { ids: ids[..attended].to_vec(), first_position: 0 }, "{file} {name}");
        }
    }
    let case = json("legacy_k5.json");
    let tokenizer = Tokenizer::new(5, DEFAULT_MAX_BASES, &LEGACY_SPECIAL_TOKENS).unwrap();
    assert_eq!(tokenizer.special_tokens(), numbers::<String>(&case["special_tokens"]));
    for (name, letters) in sequences() {
        assert_eq!(tokenizer.padded(&letters, 0).0, numbers::<u32>(&case["tokens"][&name]), "legacy {name}");
    }
}

#[test]
fn published_checkpoints_agree() {
    for k in [4, 6] {
        let case = json(&format!("encoder_k{k}.json"));
        let layouts = [("mae", CheckpointLayout::BarcodeMae), ("mlm_ddp", CheckpointLayout::BarcodeMlm)];
        for (kind, layout) in layouts {
            let file = format!("published_{kind}_k{k}.pt");
            let model = open(&file);
            let info = model.info();
            assert_eq!((info.layout, info.k, info.encoder), (layout, k, SHAPE));
            assert_eq!(info.special_tokens, SPECIAL_TOKENS);
            assert_eq!(info.read, ReadSettings::default());
            assert!(info.warnings.is_empty(), "{:?}", info.warnings);
            assert_eq!(info.training["lr_relative"], 1e-4);
            assert_eq!(info.training["epoch"], 3);
            assert_embeddings(&model, &case["embeddings"][&file], &file);
        }
    }
    let pooler = ["embeddings.position_ids", "pooler.dense.bias", "pooler.dense.weight"];
    assert_eq!(open("published_mae_k4.pt").info().ignored_tensors, pooler);
    assert!(open("published_mlm_ddp_k4.pt").info().ignored_tensors.is_empty());
}

#[test]
fn the_hugging_face_folder_agrees_with_the_published_file_of_the_same_weights() {
    for k in [4, 6] {
        let case = json(&format!("encoder_k{k}.json"));
        let published = format!("published_mlm_ddp_k{k}.pt");
        let model = open(&format!("hf_mlm_k{k}"));
        assert_eq!((model.info().layout, model.info().encoder), (CheckpointLayout::HuggingFace, SHAPE));
        assert_embeddings(&model, &case["embeddings"][&published], "Hugging Face");
        let by_file = open(&format!("hf_mlm_k{k}/model.safetensors"));
        assert_eq!(by_file.info().id, model.info().id);
        // the same weights and settings are the same model, whatever they came in
        assert_eq!(open(&published).info().id, model.info().id);
    }
}

#[test]
fn the_legacy_state_dict_agrees() {
    let case = json("legacy_k5.json");
    let model = open("legacy_barcodebert_k5.pth");
    let info = model.info();
    assert_eq!((info.layout, info.k, info.encoder), (CheckpointLayout::LegacyBarcodeBert, 5, SHAPE));
    assert_eq!(info.special_tokens, LEGACY_SPECIAL_TOKENS);
    assert!(info.ignored_tensors.is_empty() && info.head, "{:?}", info.ignored_tensors);
    assert!(info.warnings.is_empty(), "{:?}", info.warnings);
    assert_embeddings(&model, &case["embeddings"], "legacy");
}

#[test]
fn the_whole_autoencoder_is_read() {
    let model = open("mae_k4.safetensors");
    let info = model.info();
    assert_eq!((info.layout, info.k, info.encoder, info.decoder), (CheckpointLayout::Own, 4, SHAPE, Some(SHAPE)));
    assert_eq!(info.ignored_tensors, ["encoder.pooler.dense.bias", "encoder.pooler.dense.weight"]);
    assert!(info.warnings.is_empty(), "{:?}", info.warnings);
    let tokens = model.tokenizer().read(&sequences()[0].1);
    assert!(model.embed(&[&tokens], Layers::All).unwrap().iter().all(|value| value.is_finite()));
}

#[test]
fn the_bundled_model_is_what_its_settings_say() {
    let model = Model::bundled(&DeviceChoice::Cpu).unwrap();
    let info = model.info();
    assert_eq!(info.encoder, EncoderShape { layers: 2, width: 256, inner: 1024, heads: 4, positions: 512 });
    assert_eq!(info.decoder, Some(EncoderShape { layers: 1, width: 128, inner: 512, ..info.encoder }));
    assert_eq!((info.k, info.max_bases), (6, 660));
    let read = ReadSettings { register: true, layers: Layers::All, transform: TransformKind::Whiten(Some(512)) };
    assert_eq!(info.read, read);
    assert!(info.warnings.is_empty() && info.ignored_tensors.is_empty());
    assert_eq!(info.sha256.to_string(), "a82e3bef0c23f8fd72f20c26bbbd3a3bffafc44aa9ddc411d22ab760e0401648");
    assert_eq!(model.width(Layers::All), 768);
    assert_eq!(info.training["trained_on"]["sequences_seen"], 1_940_480);
}

#[test]
fn the_bundled_model_knows_its_training_barcodes() {
    let checkpoint = Checkpoint::bundled();
    let seen = checkpoint.seen().unwrap();
    assert_eq!(seen.len(), 125_886);
    let Some(folder) = std::env::var_os("BARCODESCOPE_DATA") else {
        return println!("skipped: BARCODESCOPE_DATA names no folder with coi_benchmark.csv.gz");
    };
    let file = Path::new(&folder).join("coi_benchmark.csv.gz");
    let (dataset, _) = load(&[file], &ImportOptions::default(), &Silent).unwrap();
    let known = |split: &str| {
        let rows = dataset.rows_in_split(split);
        rows.iter().filter(|&&row| seen.contains(dataset.sequence(row))).count()
    };
    // 2 % were set aside for validation
    assert_eq!(known("pretrain") + known("train"), 125_886);
    assert_eq!(["val", "val_unseen", "test", "test_unseen"].map(known), [0; 4]);
}

#[test]
fn a_barcode_reads_the_same_alone_and_in_any_company() {
    for name in ["published_mae_k6.pt", "published_mlm_ddp_k4.pt"] {
        let model = open(name);
        let tokens: Vec<Tokens> = sequences().iter().map(|(_, letters)| model.tokenizer().read(letters)).collect();
        let orders: [Vec<usize>; 3] = [(0..10).collect(), (0..10).rev().collect(), vec![4, 4, 0, 4, 2, 2, 4]];
        for layers in [Layers::Last, Layers::All] {
            let alone: Vec<_> = tokens.iter().map(|tokens| model.embed(&[tokens], layers).unwrap()).collect();
            for order in &orders {
                let batch: Vec<&Tokens> = order.iter().map(|&index| &tokens[index]).collect();
                let together = model.embed(&batch, layers).unwrap();
                for (row, &index) in together.rows().into_iter().zip(order) {
                    let difference = row.iter().zip(&alone[index]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                    assert!(difference <= 1e-6, "{name} {layers} {index}: {difference:e}");
                }
            }
        }
    }
}

#[test]
fn all_layers_are_unit_vectors_that_end_with_the_last_layer() {
    let model = open("published_mae_k4.pt");
    let tokens = model.tokenizer().read(&sequences()[0].1);
    let (all, last) = (model.embed(&[&tokens], Layers::All).unwrap(), model.embed(&[&tokens], Layers::Last).unwrap());
    assert_eq!((all.ncols(), model.width(Layers::All), model.width(Layers::Last)), (144, 144, 48));
    let all = all.row(0).to_vec();
    for part in all.chunks(48) {
        assert!((part.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let length = last.iter().map(|x| x * x).sum::<f32>().sqrt();
    let scaled: Vec<f32> = last.iter().map(|x| x / length).collect();
    assert_close(&all[96..], &scaled, "last part");

    // the first part is the embedding layer, computed here from the weights by its formula
    let weights = embedding_layer_by_hand(&reference("mae_k4.safetensors"), &tokens);
    let model = open("mae_k4.safetensors");
    let first = model.embed(&[&tokens], Layers::All).unwrap();
    assert_close(&first.row(0).to_vec()[..48], &weights, "first part");
}

/// Mean over the tokens of layer norm(word + position + token type 0), scaled to unit length, in 64 bits.
fn embedding_layer_by_hand(file: &Path, tokens: &Tokens) -> Vec<f32> {
    let bytes = std::fs::read(file).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = |name: &str| -> Vec<f64> {
        let view = tensors.tensor(&format!("encoder.embeddings.{name}")).unwrap();
        view.data().as_chunks::<4>().0.iter().map(|&value| f64::from(f32::from_le_bytes(value))).collect()
    };
    let (words, positions) = (values("word_embeddings.weight"), values("position_embeddings.weight"));
    let (types, scale, shift) =
        (values("token_type_embeddings.weight"), values("LayerNorm.weight"), values("LayerNorm.bias"));
    let mut mean = vec![0.0; 48];
    for (position, &id) in tokens.ids.iter().enumerate() {
        let sum: Vec<f64> =
            (0..48).map(|i| words[id as usize * 48 + i] + positions[position * 48 + i] + types[i]).collect();
        let centre = sum.iter().sum::<f64>() / 48.0;
        let variance = sum.iter().map(|x| (x - centre) * (x - centre)).sum::<f64>() / 48.0;
        for i in 0..48 {
            mean[i] += (sum[i] - centre) / (variance + 1e-12).sqrt() * scale[i] + shift[i];
        }
    }
    let length = mean.iter().map(|x| x * x).sum::<f64>().sqrt();
    mean.iter().map(|x| (x / length) as f32).collect()
}

#[test]
fn a_random_model_has_the_shape_and_reading_and_other_weights() {
    let model = open("published_mae_k4.pt");
    let tokens = model.tokenizer().read(&sequences()[0].1);
    let (first, again, other) =
        (model.random_like(Seed(1)).unwrap(), model.random_like(Seed(1)).unwrap(), model.random_like(Seed(2)).unwrap());
    assert_eq!((first.info().encoder, first.info().k, first.info().read), (SHAPE, 4, model.info().read));
    assert_eq!(first.info().parameters, model.info().parameters);
    assert_eq!(first.info().id, again.info().id);
    assert!(first.info().id != other.info().id && first.info().id != model.info().id);
    let embed = |model: &Model| model.embed(&[&tokens], Layers::All).unwrap();
    assert_eq!(embed(&first), embed(&again));
    assert_ne!(embed(&first), embed(&other));
}

#[test]
fn what_is_written_reads_back_identically() {
    let folder = tempfile::tempdir().unwrap();
    let sources = [
        "published_mae_k6.pt",
        "published_mlm_ddp_k4.pt",
        "hf_mlm_k4",
        "legacy_barcodebert_k5.pth",
        "mae_k4.safetensors",
    ];
    let mut checkpoints: Vec<Checkpoint> =
        sources.iter().map(|name| Checkpoint::open(&reference(name), None).unwrap()).collect();
    checkpoints.push(Checkpoint::bundled());
    for (index, checkpoint) in checkpoints.iter().enumerate() {
        let path = folder.path().join(format!("{index}.safetensors"));
        assert_eq!(checkpoint.write(&path).unwrap(), path.with_extension("json"));
        let back = Checkpoint::open(&path, None).unwrap();
        let (before, after) = (checkpoint.info(), back.info());
        assert_eq!(after.layout, CheckpointLayout::Own);
        assert_eq!((before.id, &before.name, before.read), (after.id, &after.name, after.read));
        assert_eq!((before.encoder, before.decoder, before.weights), (after.encoder, after.decoder, after.weights));
        assert_eq!((&before.special_tokens, before.max_bases), (&after.special_tokens, after.max_bases));
        assert!(after.warnings.is_empty() && after.ignored_tensors.is_empty(), "{after:?}");
        let options = |checkpoint| Model::from_checkpoint(checkpoint, DeviceChoice::Cpu, Default::default()).unwrap();
        let (before, after) = (options(checkpoint), options(&back));
        let tokens = before.tokenizer().read(&sequences()[1].1);
        assert_eq!(before.embed(&[&tokens], Layers::All).unwrap(), after.embed(&[&tokens], Layers::All).unwrap());
        // a second conversion writes the same bytes
        let again = folder.path().join("again.safetensors");
        back.write(&again).unwrap();
        assert_eq!(std::fs::read(&again).unwrap(), std::fs::read(&path).unwrap());
    }
    assert!(checkpoints[0].write(&folder.path().join("model.pt")).is_err());
}

#[test]
fn what_can_not_be_read_is_an_error_that_names_the_barcode() {
    let model = open("published_mae_k4.pt");
    let good = model.tokenizer().read(&sequences()[0].1);
    let embed = |wrong: Tokens| model.embed(&[&good, &wrong], Layers::Last).unwrap_err();
    assert!(matches!(embed(Tokens::default()), ModelError::NoTokens { row: 1 }));
    assert!(matches!(embed(Tokens { ids: vec![258], first_position: 0 }), ModelError::ForeignTokens { row: 1 }));
    assert!(matches!(embed(Tokens { ids: vec![2, 2], first_position: 511 }), ModelError::ForeignTokens { row: 1 }));
    assert!(model.embed(&[&Tokens { ids: vec![257], first_position: 511 }], Layers::Last).is_ok());
    assert_eq!(model.embed(&[], Layers::All).unwrap().dim(), (0, 144));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let model = open("mae_k4.safetensors");
    let tokens: Vec<Tokens> = sequences().iter().map(|(_, letters)| model.tokenizer().read(letters)).collect();
    let batch: Vec<&Tokens> = tokens.iter().cycle().take(33).collect();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| model.embed(&batch, Layers::All).unwrap())
    };
    assert_eq!(with(1), with(3));
}
