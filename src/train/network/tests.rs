//! The network agrees with PyTorch, and its gradient with differences of its own loss.

use super::rows::Dropout;
use super::*;
use crate::arithmetic::product::Table;
use crate::seed::Seed;
use crate::train::optimizer::{AdamW, norm_of};
use crate::train::schedule::{Schedule, ScheduleKind};
use rand::Rng;
use serde_json::Value as Json;
use std::path::Path;

fn reference(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reference").join(name)).unwrap()
}

pub(super) fn json(name: &str) -> Json {
    serde_json::from_slice(&reference(name)).unwrap()
}

pub(super) fn table(value: &Json) -> Vec<Vec<u32>> {
    serde_json::from_value(value.clone()).unwrap()
}

/// The autoencoder of the reference cases.
pub(super) fn reference_network() -> (Network, Vec<f32>) {
    let shape = EncoderShape { layers: 2, width: 48, inner: 96, heads: 6, positions: 512 };
    let network = Network::new(Architecture {
        encoder: shape,
        decoder: Some(shape),
        vocabulary: 258,
        classes: 256,
        mask: 0,
        causal: false,
        frozen_mask: true,
    });
    let bytes = reference("mae_k4.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut weights = vec![0.0; network.layout().count];
    for entry in network.layout().entries() {
        let tensor = tensors.tensor(&entry.name).unwrap();
        assert_eq!(tensor.shape(), entry.shape, "{}", entry.name);
        let values = tensor.data().as_chunks::<4>().0.iter().map(|&value| f32::from_le_bytes(value));
        weights[entry.span.clone()].iter_mut().zip(values).for_each(|(weight, value)| *weight = value);
    }
    let others: Vec<&str> = tensors.names().into_iter().filter(|name| !name.contains("pooler")).collect();
    assert_eq!(others.len(), network.layout().entries().len(), "no tensor is left over");
    (network, weights)
}

/// The batch of the reference cases: padding stays away, masked tokens are for the decoder alone.
pub(super) fn batch_of(ids: &[Vec<u32>], attention: &[Vec<u32>], masked: &[Vec<u32>]) -> Batch {
    let mut batch = Batch { decoder: Some(DecoderRows::default()), ..Batch::default() };
    let rows = batch.decoder.as_mut().unwrap();
    for ((ids, attention), masked) in ids.iter().zip(attention).zip(masked) {
        let (start, decoder_start) = (batch.ids.len(), rows.sources.len());
        for at in (0..ids.len()).filter(|&at| attention[at] == 1) {
            rows.places.positions.push(at as u32);
            if masked[at] == 1 {
                let row = rows.sources.len() as u32;
                batch.targets.push(Target { row, class: ids[at] - 2, weight: 1.0, scored: true });
                rows.sources.push(None);
            } else {
                rows.sources.push(Some(batch.ids.len() as u32));
                batch.ids.push(ids[at]);
                batch.places.positions.push(at as u32);
            }
        }
        batch.places.sequences.push(start..batch.ids.len());
        rows.places.sequences.push(decoder_start..rows.sources.len());
    }
    let share = 1.0 / batch.targets.len() as f32;
    batch.targets.iter_mut().for_each(|target| target.weight = share);
    batch
}

pub(super) fn assert_relative(found: f64, expected: &Json, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap();
    let off = (found / expected - 1.0).abs();
    assert!(off <= tolerance, "{what}: {found} where {expected} is expected, {off:e} off");
}

#[test]
fn the_forward_pass_agrees_with_pytorch() {
    let case = json("mae_forward_k4.json");
    let (ids, attention) = (table(&case["ids"]), table(&case["attention"]));
    let (mut network, weights) = reference_network();
    for (ratio, expected) in case["by_ratio"].as_object().unwrap() {
        let batch = batch_of(&ids, &attention, &table(&expected["masked"]));
        let outcome = network.run(&weights, &batch, &Drops::default(), None);
        assert_relative(outcome.loss, &expected["loss"], 2e-6, &format!("loss at {ratio}"));
        let accuracy = outcome.right as f64 / outcome.scored as f64;
        assert!((accuracy - expected["masked_accuracy"].as_f64().unwrap()).abs() < 1e-6, "accuracy at {ratio}");
        let logits = logits_of(&network, &weights, &batch);
        let first: Vec<f32> = serde_json::from_value(expected["logits_first_masked_row0"].clone()).unwrap();
        let largest = first.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let off = logits[0].iter().zip(&first).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= 1e-5 * largest, "logits at {ratio}: {off:e} of {largest}");
        let sums: Vec<f64> = serde_json::from_value(expected["logits_sum_masked"].clone()).unwrap();
        let mut start = 0;
        for (tokens, expected) in batch.decoder.as_ref().unwrap().places.sequences.iter().zip(sums) {
            let count = batch.targets.iter().filter(|target| tokens.contains(&(target.row as usize))).count();
            let rows = &logits[start..start + count];
            let sum: f64 = rows.iter().flatten().map(|&value| f64::from(value)).sum();
            let size: f64 = rows.iter().flatten().map(|&value| f64::from(value.abs())).sum();
            assert!((sum - expected).abs() <= 1e-6 * size, "sum of logits at {ratio}: {sum} {expected}");
            start += count;
        }
    }
}

/// The logits of every target after a pass.
fn logits_of(network: &Network, weights: &[f32], batch: &Batch) -> Vec<Vec<f32>> {
    let width = 48;
    let hidden = network.memory.decoder.output(width);
    let mut head = Right::default();
    lay_out([&mut head], [&network.spans.head], weights, Way::Forward);
    let bias = &weights[network.spans.head.bias.clone()];
    let rows = chosen::rows_of(&batch.targets);
    let of = |target: &Target| {
        let mut row = vec![0.0; bias.len()];
        product(&hidden[Chosen::of(&rows).place(target.row) * width..][..width], &head, &mut row);
        add_bias(&mut row, bias);
        row
    };
    batch.targets.iter().map(of).collect()
}

#[test]
fn thirty_steps_agree_with_pytorch() {
    let case = json("mae_train_k4.json");
    let forward = json("mae_forward_k4.json");
    let (ids, attention) = (table(&forward["ids"]), table(&forward["attention"]));
    let (mut network, mut weights) = reference_network();
    let mut adamw = AdamW::new(weights.len(), case["weight_decay"].as_f64().unwrap());
    let schedule = Schedule { kind: ScheduleKind::OneCycle, peak: case["peak_lr"].as_f64().unwrap() };
    let steps = case["steps"].as_array().unwrap();
    for (step, expected) in steps.iter().enumerate() {
        let batch = batch_of(&ids, &attention, &table(&expected["masked"]));
        let mut gradients = vec![0.0; weights.len()];
        let outcome = network.run(&weights, &batch, &Drops::default(), Some(&mut gradients));
        let rates = schedule.at(step as f64, steps.len() as f64);
        assert_relative(outcome.loss, &expected["loss"], 2e-6, &format!("loss of step {step}"));
        assert_relative(norm_of(&gradients), &expected["grad_norm"], 1e-5, &format!("gradient of step {step}"));
        assert_relative(rates.learning_rate, &expected["lr"], 1e-9, &format!("learning rate of step {step}"));
        assert_relative(rates.beta1, &expected["beta1"], 1e-9, &format!("beta1 of step {step}"));
        adamw.step(&mut weights, &gradients, 1.0, rates);
    }
}

/// A network of one block each and a batch of two sequences, by objective.
pub(super) fn small(kind: &str) -> (Network, Vec<f32>, Batch) {
    let shape = EncoderShape { layers: 1, width: 12, inner: 20, heads: 3, positions: 16 };
    let decoder = EncoderShape { width: 8, heads: 2, inner: 12, ..shape };
    let network = Network::new(Architecture {
        encoder: shape,
        decoder: (kind == "mae").then_some(decoder),
        vocabulary: 18,
        classes: 16,
        mask: 0,
        causal: kind == "causal",
        frozen_mask: false,
    });
    let mut rng = Seed(4).stream("small network");
    let weights: Vec<f32> = (0..network.layout().count).map(|_| rng.random_range(-0.6..0.6)).collect();
    let ids: Vec<Vec<u32>> = [9, 6].map(|length| (0..length).map(|_| rng.random_range(1..18)).collect()).to_vec();
    let attention: Vec<Vec<u32>> = ids.iter().map(|ids| vec![1; ids.len()]).collect();
    let masked: Vec<Vec<u32>> = ids
        .iter()
        .map(|ids| ids.iter().enumerate().map(|(at, &id)| u32::from(at % 2 == 0 && id > 1)).collect())
        .collect();
    let mut batch = batch_of(&ids, &attention, &masked);
    if kind != "mae" {
        let decoder = batch.decoder.take().unwrap();
        batch.places = decoder.places;
        batch.ids = ids.concat();
        if kind == "mlm" {
            batch.targets.iter().for_each(|target| batch.ids[target.row as usize] = 0);
        }
    }
    (network, weights, batch)
}

#[test]
fn gradients_agree_with_differences_of_the_loss() {
    for kind in ["mae", "mlm", "causal"] {
        for rate in [0.0, 0.3] {
            let (mut network, weights, mut batch) = small(kind);
            batch.pairs = (rate > 0.0).then(|| Pairs { weight: 0.6, temperature: 0.3, groups: vec![None; 2] });
            let drops = Drops::new(&network.architecture, rate, &mut Seed(9).stream("drops"));
            let mut gradients = vec![0.0; weights.len()];
            network.run(&weights, &batch, &drops, Some(&mut gradients));
            let largest = gradients.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
            for entry in network.layout().entries().to_vec() {
                // the largest gradient of the tensor and one in its middle
                let by_size = |&a: &usize, &b: &usize| gradients[a].abs().total_cmp(&gradients[b].abs());
                let steepest = entry.span.clone().max_by(by_size).unwrap();
                for at in [steepest, (entry.span.start + entry.span.end) / 2] {
                    let mut loss_at = |change: f32| {
                        let mut moved = weights.clone();
                        moved[at] += change;
                        let outcome = network.run(&moved, &batch, &drops, None);
                        outcome.loss + outcome.matches.loss
                    };
                    const STEP: f32 = 4e-3;
                    let slope = (loss_at(STEP) - loss_at(-STEP)) / f64::from(2.0 * STEP);
                    let off = (slope - f64::from(gradients[at])).abs();
                    let allowed = 2e-3 * f64::from(largest) + 5e-3 * slope.abs();
                    assert!(
                        off <= allowed,
                        "{kind}, dropout {rate}, {} at {at}: {slope} {}",
                        entry.name,
                        gradients[at]
                    );
                }
            }
        }
    }
}

#[test]
fn every_tensor_has_a_gradient() {
    for kind in ["mae", "mlm", "causal"] {
        let (mut network, weights, batch) = small(kind);
        let mut gradients = vec![0.0; weights.len()];
        network.run(&weights, &batch, &Drops::default(), Some(&mut gradients));
        for entry in network.layout().entries() {
            let moves = gradients[entry.span.clone()].iter().any(|&gradient| gradient != 0.0);
            assert!(moves, "{kind}: {} has no gradient", entry.name);
        }
    }
}

#[test]
fn the_embedding_of_mask_is_trained_unless_it_is_frozen() {
    let row_of = |frozen: bool| {
        let (mut network, weights, batch) = small("mlm");
        network.architecture.frozen_mask = frozen;
        let mut gradients = vec![0.0; weights.len()];
        network.run(&weights, &batch, &Drops::default(), Some(&mut gradients));
        gradients[..12].to_vec()
    };
    assert!(row_of(false).iter().all(|&gradient| gradient != 0.0));
    assert_eq!(row_of(true), [0.0; 12]);
}

#[test]
fn a_causal_network_does_not_see_what_comes_later() {
    let (mut network, weights, mut batch) = small("causal");
    batch.targets.retain(|target| target.row < 4);
    let before = network.run(&weights, &batch, &Drops::default(), None);
    batch.ids[5] = if batch.ids[5] == 3 { 4 } else { 3 };
    assert_eq!(network.run(&weights, &batch, &Drops::default(), None), before);
    batch.ids[1] = if batch.ids[1] == 3 { 4 } else { 3 };
    assert_ne!(network.run(&weights, &batch, &Drops::default(), None), before);
}

#[test]
fn only_targets_enter_the_loss() {
    for kind in ["mae", "mlm", "causal"] {
        let (mut network, weights, mut batch) = small(kind);
        let all = network.run(&weights, &batch, &Drops::default(), None);
        let mut sum = 0.0;
        let targets = std::mem::take(&mut batch.targets);
        for target in &targets {
            batch.targets = vec![*target];
            sum += network.run(&weights, &batch, &Drops::default(), None).loss;
        }
        assert!((all.loss - sum).abs() < 1e-6, "{kind}");
        batch.targets = Vec::new();
        let mut gradients = vec![0.0; weights.len()];
        let nothing = network.run(&weights, &batch, &Drops::default(), Some(&mut gradients));
        assert_eq!(nothing, Outcome::default());
        assert!(gradients.iter().all(|&gradient| gradient == 0.0), "{kind}");
    }
}

#[test]
fn a_barcode_that_is_hidden_whole_is_trained_on_too() {
    let (mut network, weights, _) = small("mae");
    let ids = vec![vec![5], vec![4, 7, 1], vec![1, 1]];
    let attention: Vec<Vec<u32>> = ids.iter().map(|ids| vec![1; ids.len()]).collect();
    let batch = batch_of(&ids, &attention, &[vec![1], vec![1, 1, 0], vec![0, 0]]);
    assert_eq!(batch.places.sequences, [0..0, 0..1, 1..3]);
    let mut gradients = vec![0.0; weights.len()];
    let outcome = network.run(&weights, &batch, &Drops::default(), Some(&mut gradients));
    assert!(outcome.loss.is_finite() && outcome.scored == 3);
    assert!(gradients.iter().all(|gradient| gradient.is_finite()) && gradients.iter().any(|&gradient| gradient != 0.0));
    // alone, nothing at all reaches the encoder
    let batch = batch_of(&ids[..1], &attention[..1], &[vec![1]]);
    assert!(network.run(&weights, &batch, &Drops::default(), Some(&mut gradients)).loss.is_finite());
}

#[test]
fn dropout_drops_its_share_and_keeps_the_mean() {
    for rate in [0.1f32, 0.5] {
        let dropout = Dropout::new(rate, 77);
        let mut values = vec![1.0f32; 100_000];
        dropout.apply(&mut values, 0);
        let dropped = values.iter().filter(|&&value| value == 0.0).count() as f32 / 1e5;
        let mean = values.iter().map(|&value| f64::from(value)).sum::<f64>() / 1e5;
        assert!((dropped - rate).abs() < 0.005 && (mean - 1.0).abs() < 0.01, "{rate}: {dropped} {mean}");
        let mut tail = vec![1.0f32; 50];
        dropout.apply(&mut tail, 500);
        assert_eq!(tail, values[500..550], "a value's draw follows from its position");
    }
    let (mut network, weights, batch) = small("mae");
    let with = |network: &mut Network, rate: f32, key: u64| {
        let drops = Drops::new(&network.architecture, rate, &mut Seed(key).stream("drops"));
        network.run(&weights, &batch, &drops, None).loss
    };
    let without = network.run(&weights, &batch, &Drops::default(), None).loss;
    assert_eq!(with(&mut network, 0.0, 1), without);
    assert_eq!(with(&mut network, 0.1, 1), with(&mut network, 0.1, 1));
    assert_ne!(with(&mut network, 0.1, 1), without);
    assert_ne!(with(&mut network, 0.1, 1), with(&mut network, 0.1, 2));
}

#[test]
fn what_a_thread_has_left_behind_changes_no_bit() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for kind in ["mae", "mlm", "causal"] {
        for rate in [0.0, 0.3] {
            let (mut network, weights, batch) = small(kind);
            let drops = Drops::new(&network.architecture, rate, &mut Seed(9).stream("drops"));
            let mut gradients_of = || {
                let mut gradients = vec![0.0; weights.len()];
                let outcome = pool.install(|| network.run(&weights, &batch, &drops, Some(&mut gradients)));
                (outcome, gradients)
            };
            let before = gradients_of();
            pool.install(|| {
                products::with_room(1 << 16, |room| room.fill(f32::NAN));
                let factor = Right::of_columns(Table::new(&[f32::NAN; 64], 64));
                product(&[f32::NAN; 1 << 14], &factor, &mut [0.0; 1 << 8]);
            });
            assert!(before.1.iter().all(|gradient| gradient.is_finite()));
            assert_eq!(gradients_of(), before, "{kind}, dropout {rate}");
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (_, weights) = reference_network();
    let case = json("mae_forward_k4.json");
    let masked = table(&case["by_ratio"]["0.5"]["masked"]);
    let batch = batch_of(&table(&case["ids"]), &table(&case["attention"]), &masked);
    let gradients_on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (mut network, _) = reference_network();
        let drops = Drops::new(&network.architecture, 0.1, &mut Seed(2).stream("drops"));
        let mut gradients = vec![0.0; weights.len()];
        pool.install(|| network.run(&weights, &batch, &drops, Some(&mut gradients)));
        gradients
    };
    let one = gradients_on(1);
    assert!([2, 3, 5].into_iter().all(|threads| gradients_on(threads) == one));
}
