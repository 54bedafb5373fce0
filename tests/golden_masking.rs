//! Masked reading and guessing agree with PyTorch's reference cases, and with a BERT written down plainly in 64 bits.

#![expect(clippy::unwrap_used, reason = "a test that can't read its fixtures fails there and then")]

use barcodescope::data::masking::{MaskMode, MaskOrder};
use barcodescope::data::reading::Layers;
use barcodescope::data::tokens::Tokens;
use barcodescope::model::{Checkpoint, DeviceChoice, MaskedTokens, Model, ModelError, Objective, OpenOptions};
use barcodescope::seed::Seed;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn reference(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name)
}

fn json(name: &str) -> Json {
    serde_json::from_str(&std::fs::read_to_string(reference(name)).unwrap()).unwrap()
}

fn open(path: &Path) -> Model {
    Model::open(path, &OpenOptions { device: DeviceChoice::Cpu, ..OpenOptions::default() }).unwrap()
}

/// Largest difference over the largest value.
fn relative(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    let worst = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    worst / largest
}

/// A BERT with its tensors by name, computed token by token in 64 bits.
struct Plain {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f64>)>,
    heads: usize,
}

type Row = Vec<f64>;

impl Plain {
    fn open(path: &Path, heads: usize) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.tensors().into_iter().map(|(name, view)| {
            let values = view.data().as_chunks::<4>().0.iter().map(|&value| f64::from(f32::from_le_bytes(value)));
            (name, (view.shape().to_vec(), values.collect()))
        });
        Self { tensors: tensors.collect(), heads }
    }

    fn row(&self, name: &str, row: usize) -> &[f64] {
        let (shape, values) = &self.tensors[name];
        let width = shape.last().unwrap();
        &values[row * width..(row + 1) * width]
    }

    fn linear(&self, name: &str, input: &[f64]) -> Row {
        let bias = &self.tensors[&format!("{name}.bias")].1;
        let weight = format!("{name}.weight");
        bias.iter().enumerate().map(|(at, bias)| bias + dot(self.row(&weight, at), input)).collect()
    }

    fn norm(&self, name: &str, input: &[f64]) -> Row {
        let (scale, shift) = (self.row(&format!("{name}.weight"), 0), self.row(&format!("{name}.bias"), 0));
        let mean = input.iter().sum::<f64>() / input.len() as f64;
        let variance = input.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / input.len() as f64;
        let normal = |x: f64| (x - mean) / (variance + 1e-12).sqrt();
        input.iter().zip(scale).zip(shift).map(|((&x, scale), shift)| normal(x) * scale + shift).collect()
    }

    /// The last hidden states of tokens with their positions.
    fn encode(&self, root: &str, tokens: &[(u32, u32)], causal: bool) -> Vec<Row> {
        let table = |name: &str, row: u32| self.row(&format!("{root}embeddings.{name}.weight"), row as usize).to_vec();
        let mut rows: Vec<Row> = tokens
            .iter()
            .map(|&(id, position)| {
                let sum = add(
                    &add(&table("word_embeddings", id), &table("position_embeddings", position)),
                    &table("token_type_embeddings", 0),
                );
                self.norm(&format!("{root}embeddings.LayerNorm"), &sum)
            })
            .collect();
        for layer in (0..).map(|layer| format!("{root}encoder.layer.{layer}")) {
            if !self.tensors.contains_key(&format!("{layer}.output.dense.weight")) {
                break;
            }
            rows = self.layer(&layer, &rows, causal);
        }
        rows
    }

    fn layer(&self, layer: &str, rows: &[Row], causal: bool) -> Vec<Row> {
        let all = |part: &str| -> Vec<Row> {
            rows.iter().map(|row| self.linear(&format!("{layer}.attention.self.{part}"), row)).collect()
        };
        let (queries, keys, values) = (all("query"), all("key"), all("value"));
        let width = rows[0].len() / self.heads;
        let mut out = Vec::new();
        for (at, row) in rows.iter().enumerate() {
            let seen = if causal { at + 1 } else { rows.len() };
            let mut attended = Vec::new();
            for head in 0..self.heads {
                let part = head * width..(head + 1) * width;
                let weights: Vec<f64> = (0..seen)
                    .map(|key| {
                        (dot(&queries[at][part.clone()], &keys[key][part.clone()]) / (width as f64).sqrt()).exp()
                    })
                    .collect();
                let total: f64 = weights.iter().sum();
                attended.extend(part.map(|i| (0..seen).map(|key| weights[key] / total * values[key][i]).sum::<f64>()));
            }
            let dense = self.linear(&format!("{layer}.attention.output.dense"), &attended);
            let middle = self.norm(&format!("{layer}.attention.output.LayerNorm"), &add(&dense, row));
            let inner: Row =
                self.linear(&format!("{layer}.intermediate.dense"), &middle).into_iter().map(gelu).collect();
            let dense = self.linear(&format!("{layer}.output.dense"), &inner);
            out.push(self.norm(&format!("{layer}.output.LayerNorm"), &add(&dense, &middle)));
        }
        out
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(a: &[f64], b: &[f64]) -> Row {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// GELU with the error function summed from its series.
fn gelu(x: f64) -> f64 {
    let z = x / std::f64::consts::SQRT_2;
    if z.abs() > 5.0 {
        return if z > 0.0 { x } else { 0.0 };
    }
    let (mut term, mut sum, mut n) = (z, z, 0.0);
    while f64::abs(term) > 1e-17 {
        n += 1.0;
        term *= -z * z / n;
        sum += term / (2.0 * n + 1.0);
    }
    0.5 * x * (1.0 + sum * 2.0 / std::f64::consts::PI.sqrt())
}

fn log_softmax(scores: &[f64]) -> Row {
    let largest = scores.iter().copied().fold(f64::MIN, f64::max);
    let level = largest + scores.iter().map(|score| (score - largest).exp()).sum::<f64>().ln();
    scores.iter().map(|score| score - level).collect()
}

/// The awkward sequences cut by a model, each with a mask at the ratio; those where the mask leaves nothing are left out.
fn masked_sequences(model: &Model, ratio: f64) -> Vec<(Tokens, Vec<bool>)> {
    let cases = json("encoder_k4.json");
    let sequences = cases["sequences"].as_object().unwrap().values();
    let masked = sequences.enumerate().map(|(index, letters)| {
        let mut tokens = model.tokenizer().read(letters.as_str().unwrap().as_bytes());
        tokens.first_position = [0, 7, 300][index % 3];
        let mut rng = Seed(5).stream_at("golden masks", index as u64);
        let mask = MaskOrder::draw(&tokens, model.tokenizer(), &mut rng).mask(ratio);
        (tokens, mask)
    });
    masked.filter(|(_, mask)| mask.contains(&true) && mask.contains(&false)).collect()
}

fn borrowed(barcodes: &[(Tokens, Vec<bool>)]) -> Vec<MaskedTokens<'_>> {
    barcodes.iter().map(|(tokens, masked)| MaskedTokens { tokens, masked }).collect()
}

/// A model as this program's own file, of which a plain twin can be made; with another objective where one is given.
fn as_own(name: &str, objective: Option<&str>, folder: &Path) -> PathBuf {
    let path = folder.join("own.safetensors");
    let settings = Checkpoint::open(&reference(name), None).unwrap().write(&path).unwrap();
    if let Some(objective) = objective {
        let mut json: Json = serde_json::from_str(&std::fs::read_to_string(&settings).unwrap()).unwrap();
        json["objective"] = objective.into();
        std::fs::write(&settings, json.to_string()).unwrap();
    }
    path
}

#[test]
fn the_decoder_agrees_with_the_reference_at_every_ratio() {
    let case = json("mae_forward_k4.json");
    let model = open(&reference("mae_k4.safetensors"));
    let numbers = |value: &Json| -> Vec<u32> { serde_json::from_value(value.clone()).unwrap() };
    for (ratio, expected) in case["by_ratio"].as_object().unwrap() {
        let barcodes: Vec<(Tokens, Vec<bool>)> = (0..4)
            .map(|row| {
                let real = numbers(&case["attention"][row]).iter().filter(|&&attention| attention == 1).count();
                let ids = numbers(&case["ids"][row])[..real].to_vec();
                let masked = numbers(&expected["masked"][row])[..real].iter().map(|&masked| masked == 1).collect();
                (Tokens { ids, first_position: 0 }, masked)
            })
            .collect();
        let found = model.guess(&borrowed(&barcodes)).unwrap();
        let (mut loss, mut right, mut all) = (0.0, 0, 0);
        for (row, ((tokens, masked), guesses)) in barcodes.iter().zip(&found).enumerate() {
            let truth: Vec<u32> =
                tokens.ids.iter().zip(masked).filter(|(_, masked)| **masked).map(|(&id, _)| id - 2).collect();
            assert_eq!(guesses.dim(), (truth.len(), 256));
            for (guess, &id) in guesses.rows().into_iter().zip(&truth) {
                loss -= f64::from(guess[id as usize]);
                let best = (0..256).max_by(|&a, &b| guess[a].total_cmp(&guess[b])).unwrap();
                right += usize::from(best == id as usize);
                all += 1;
            }
            if row == 0 {
                // the reference gives the scores before softmax
                let logits: Row = serde_json::from_value(expected["logits_first_masked_row0"].clone()).unwrap();
                let level = log_softmax(&logits)[0] - logits[0];
                let shifted: Vec<f32> = guesses.row(0).iter().map(|value| (f64::from(*value) - level) as f32).collect();
                let worst = relative(&shifted, &logits);
                assert!(worst < 1e-5, "ratio {ratio}: {worst:e}");
            }
        }
        let wanted = |name: &str| expected[name].as_f64().unwrap();
        assert!(
            (loss / f64::from(all) / wanted("loss") - 1.0).abs() < 2e-6,
            "ratio {ratio}: {}",
            loss / f64::from(all)
        );
        assert!((right as f64 / f64::from(all) - wanted("masked_accuracy")).abs() < 1e-6, "ratio {ratio}");
    }
}

#[test]
fn with_nothing_masked_a_barcode_reads_as_the_reference_says() {
    let case = json("encoder_k4.json");
    for name in ["published_mae_k4.pt", "published_mlm_ddp_k4.pt"] {
        let model = open(&reference(name));
        for (key, letters) in case["sequences"].as_object().unwrap() {
            let tokens = model.tokenizer().read(letters.as_str().unwrap().as_bytes());
            let expected: Row = serde_json::from_value(case["embeddings"][name][key].clone()).unwrap();
            let masked = vec![false; tokens.ids.len()];
            let barcode = MaskedTokens { tokens: &tokens, masked: &masked };
            for mode in [MaskMode::Drop, MaskMode::Combined] {
                let found = model.embed_masked(&[barcode], mode, Layers::Last).unwrap();
                assert!(relative(found.as_slice().unwrap(), &expected) < 1e-5, "{name} {key} {mode}");
            }
        }
    }
}

#[test]
fn masked_reading_agrees_with_the_plain_twin_in_every_mode() {
    let folder = tempfile::tempdir().unwrap();
    for (objective, causal) in [(None, false), (Some("causal"), true)] {
        let path = as_own("published_mlm_ddp_k4.pt", objective, folder.path());
        let (model, plain) = (open(&path), Plain::open(&path, 6));
        assert_eq!(model.info().objective, if causal { Objective::Causal } else { Objective::Mlm });
        for (ratio, mode) in MaskMode::ALL.into_iter().flat_map(|mode| [(0.3, mode), (0.9, mode)]) {
            let barcodes = masked_sequences(&model, ratio);
            assert!(barcodes.len() > 6);
            let found = model.embed_masked(&borrowed(&barcodes), mode, Layers::Last).unwrap();
            for ((tokens, masked), found) in barcodes.iter().zip(found.rows()) {
                let places = tokens.ids.iter().zip(tokens.first_position..).zip(masked);
                let given: Vec<(u32, u32)> = places
                    .filter(|(_, masked)| mode != MaskMode::Drop || !**masked)
                    .map(|((&id, position), &masked)| (if masked { 0 } else { id }, position))
                    .collect();
                let hidden = plain.encode("encoder.", &given, causal);
                let counted: Vec<&Row> = match mode {
                    MaskMode::Mask => {
                        hidden.iter().zip(masked).filter(|(_, masked)| **masked).map(|(row, _)| row).collect()
                    }
                    MaskMode::Drop | MaskMode::Combined => hidden.iter().collect(),
                };
                let sum = counted.iter().fold(vec![0.0; 48], |sum, row| add(&sum, row));
                let mean: Row = sum.iter().map(|value| value / counted.len() as f64).collect();
                let worst = relative(found.as_slice().unwrap(), &mean);
                assert!(worst < 1e-5, "{mode} {ratio}, causal {causal}: {worst:e}");
            }
        }
    }
}

#[test]
fn the_heads_of_language_models_agree_with_the_plain_twin() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("published_mlm_ddp_k4.pt", None),
        ("hf_mlm_k4", None),
        ("legacy_barcodebert_k5.pth", None),
        ("published_mlm_ddp_k4.pt", Some("causal")),
    ];
    for (name, objective) in cases {
        let path = as_own(name, objective, folder.path());
        let (model, plain) = (open(&path), Plain::open(&path, 6));
        assert!(open(&reference(name)).can_guess() && model.can_guess() && model.info().head);
        let causal = objective.is_some();
        let mut barcodes = masked_sequences(&model, 0.4);
        barcodes.iter_mut().for_each(|(_, masked)| masked[0] &= !causal);
        let found = model.guess(&borrowed(&barcodes)).unwrap();
        for ((tokens, masked), found) in barcodes.iter().zip(&found) {
            let places = tokens.ids.iter().zip(tokens.first_position..).zip(masked);
            let given: Vec<(u32, u32)> =
                places.map(|((&id, position), &masked)| (if masked && !causal { 0 } else { id }, position)).collect();
            let hidden = plain.encode("encoder.", &given, causal);
            let at: Vec<usize> = (0..masked.len()).filter(|&at| masked[at]).collect();
            assert_eq!(found.nrows(), at.len());
            for (guess, &at) in found.rows().into_iter().zip(&at) {
                let mut state = hidden[if causal { at - 1 } else { at }].clone();
                if plain.tensors.contains_key("classifier.transform.dense.weight") {
                    let dense: Row = plain.linear("classifier.transform.dense", &state).into_iter().map(gelu).collect();
                    state = plain.norm("classifier.transform.LayerNorm", &dense);
                }
                let expected = log_softmax(&plain.linear("classifier", &state));
                let worst = relative(guess.as_slice().unwrap(), &expected);
                assert!(worst < 1e-5, "{name}: {worst:e}");
            }
        }
    }
    // the legacy output layer has a transform, and loses the rows of special tokens
    let legacy = Plain::open(&as_own("legacy_barcodebert_k5.pth", None, folder.path()), 6);
    assert_eq!(legacy.tensors["classifier.weight"].0, [1024, 48]);
    assert!(legacy.tensors.contains_key("classifier.transform.dense.weight"));
}

/// Transformers leaves tensors out of a file that are the same as others: the output's weights are the table of tokens.
#[test]
fn an_output_layer_tied_to_the_table_of_tokens_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = as_own("published_mlm_ddp_k4.pt", None, folder.path());
    let bytes = std::fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let drawn = |count: usize| -> Vec<u8> {
        (0..count).flat_map(|at| (((at * 37 + 11) % 23) as f32 * 0.03 - 0.3).to_le_bytes()).collect()
    };
    let (dense, row, bias) = (drawn(48 * 48), drawn(48), drawn(258));
    let view =
        |shape: &[usize], data| safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.to_vec(), data);
    let mut tensors: Vec<_> = file.tensors().into_iter().filter(|(name, _)| !name.starts_with("classifier")).collect();
    for (name, shape, data) in [
        ("transform.dense.weight", &[48, 48][..], &dense),
        ("transform.dense.bias", &[48], &row),
        ("transform.LayerNorm.weight", &[48], &row),
        ("transform.LayerNorm.bias", &[48], &row),
        ("bias", &[258], &bias),
    ] {
        tensors.push((format!("cls.predictions.{name}"), view(shape, data).unwrap()));
    }
    let tied = folder.path().join("tied.safetensors");
    std::fs::write(&tied, safetensors::serialize(tensors, None).unwrap()).unwrap();
    std::fs::write(folder.path().join("tied.json"), r#"{"num_attention_heads": 6}"#).unwrap();
    let (model, plain) = (open(&tied), Plain::open(&tied, 6));
    assert!(model.info().ignored_tensors.is_empty() && model.info().warnings.is_empty(), "{:?}", model.info());
    let barcodes = masked_sequences(&model, 0.4);
    let found = model.guess(&borrowed(&barcodes)).unwrap();
    for ((tokens, masked), found) in barcodes.iter().zip(&found) {
        let places = tokens.ids.iter().zip(tokens.first_position..).zip(masked);
        let given: Vec<(u32, u32)> =
            places.map(|((&id, position), &masked)| (if masked { 0 } else { id }, position)).collect();
        let hidden = plain.encode("encoder.", &given, false);
        let states = hidden.iter().zip(masked).filter(|(_, masked)| **masked).map(|(state, _)| state);
        for (guess, state) in found.rows().into_iter().zip(states) {
            let dense: Row = plain.linear("cls.predictions.transform.dense", state).into_iter().map(gelu).collect();
            let state = plain.norm("cls.predictions.transform.LayerNorm", &dense);
            // ids 0 and 1 are special tokens
            let score = |id: usize| {
                dot(plain.row("encoder.embeddings.word_embeddings.weight", id), &state)
                    + plain.tensors["cls.predictions.bias"].1[id]
            };
            let expected = log_softmax(&(2..258).map(score).collect::<Row>());
            let worst = relative(guess.as_slice().unwrap(), &expected);
            assert!(worst < 1e-5, "{worst:e}");
        }
    }
}

#[test]
fn objectives_follow_from_layout_and_settings() {
    let objective = |name: &str| open(&reference(name)).info().objective;
    assert_eq!(objective("published_mae_k4.pt"), Objective::Mae);
    assert_eq!(objective("published_mlm_ddp_k6.pt"), Objective::Mlm);
    assert_eq!(objective("hf_mlm_k4"), Objective::Mlm);
    assert_eq!(objective("legacy_barcodebert_k5.pth"), Objective::Mlm);
    assert_eq!(objective("mae_k4.safetensors"), Objective::Mae);
    assert_eq!(Model::bundled(&DeviceChoice::Cpu).unwrap().info().objective, Objective::Mae);
    let folder = tempfile::tempdir().unwrap();
    for name in ["published_mae_k4.pt", "legacy_barcodebert_k5.pth", "mae_k4.safetensors"] {
        assert_eq!(open(&as_own(name, None, folder.path())).info().objective, objective(name), "{name}, converted");
    }
    let unheard = open(&as_own("published_mae_k4.pt", Some("jigsaw"), folder.path()));
    assert_eq!(unheard.info().objective, Objective::Unknown);
    let plain = open(&reference("published_mlm_ddp_k4.pt"));
    let causal = open(&as_own("published_mlm_ddp_k4.pt", Some("causal"), folder.path()));
    assert_ne!(plain.info().id, causal.info().id, "the same weights read otherwise are another model");
    assert_eq!(causal.random_like(Seed(1)).unwrap().info().objective, Objective::Causal);
}

#[test]
fn what_can_not_be_masked_or_guessed_is_an_error_that_says_why() {
    let published = open(&reference("published_mae_k4.pt"));
    let tokens = published.tokenizer().read(b"ACTTTATATTTTATTTTTGG");
    let message = |model: &Model, masked: &[bool]| {
        let error = model.guess(&[MaskedTokens { tokens: &tokens, masked }]).unwrap_err();
        assert!(matches!(error, ModelError::NoGuesses { .. } | ModelError::Mask { row: 0, .. }));
        error.to_string()
    };
    assert!(!published.can_guess());
    assert!(message(&published, &[true, false, false, false, false]).contains("bundled"));
    assert!(!published.random_like(Seed(1)).unwrap().can_guess());
    let whole = open(&reference("mae_k4.safetensors"));
    assert!(message(&whole, &[true; 5]).contains("all tokens are masked"));
    assert!(message(&whole, &[true; 4]).contains("4 tokens, it has 5"));
    assert_eq!(whole.guess(&[MaskedTokens { tokens: &tokens, masked: &[false; 5] }]).unwrap()[0].dim(), (0, 256));
    let folder = tempfile::tempdir().unwrap();
    let causal = open(&as_own("published_mlm_ddp_k4.pt", Some("causal"), folder.path()));
    assert!(message(&causal, &[true, false, false, false, false]).contains("nothing before it"));
    for (mode, masked, why) in
        [(MaskMode::Drop, [true; 5], "none is left"), (MaskMode::Mask, [false; 5], "no token is masked")]
    {
        let error =
            whole.embed_masked(&[MaskedTokens { tokens: &tokens, masked: &masked }], mode, Layers::All).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn the_number_of_threads_changes_neither_reading_nor_guesses() {
    let model = open(&reference("mae_k4.safetensors"));
    let barcodes = masked_sequences(&model, 0.5);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let read = model.embed_masked(&borrowed(&barcodes), MaskMode::Drop, Layers::All).unwrap();
            (read, model.guess(&borrowed(&barcodes)).unwrap())
        })
    };
    assert_eq!(with(1), with(3));
}
