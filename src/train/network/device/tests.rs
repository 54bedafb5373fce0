//! candle's network agrees with the one on the CPU, and with PyTorch. What runs here on candle's CPU is what runs on a GPU.

use super::*;
use crate::seed::Seed;
use crate::train::network::tests::{assert_relative, batch_of, json, reference_network, small, table};
use crate::train::network::{Network, Pairs, Target};
use crate::train::optimizer::{AdamW, clip_factor, norm_of};
use crate::train::schedule::{Schedule, ScheduleKind};

fn learner(network: &Network, weights: &[f32], products: DType) -> DeviceLearner {
    DeviceLearner::new(network.architecture, weights, 1e-2, &Device::Cpu, products).unwrap()
}

/// Loss and gradient of a batch by the network on the CPU.
fn by_hand(network: &mut Network, weights: &[f32], batch: &Batch, drops: &Drops) -> (Outcome, Vec<f32>) {
    let mut gradients = vec![0.0; weights.len()];
    let outcome = network.run(weights, batch, drops, Some(&mut gradients));
    (outcome, gradients)
}

/// Loss and gradient of a batch by candle.
fn by_candle(learner: &mut DeviceLearner, batch: &Batch, drops: &Drops) -> (Outcome, Vec<f32>) {
    learner.learn(batch, drops).unwrap();
    let gradient = learner.gradient.take().map_or(vec![0.0; learner.parameters()], |row| row.to_vec1().unwrap());
    (learner.read().unwrap().0, gradient)
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

fn assert_alike(network: &mut Network, weights: &[f32], batch: &Batch, drops: &Drops, what: &str) {
    let (outcome, gradients) = by_hand(network, weights, batch, drops);
    let mut learner = learner(network, weights, DType::F32);
    let (found, found_gradients) = by_candle(&mut learner, batch, drops);
    assert!((found.loss - outcome.loss).abs() <= 1e-5 * outcome.loss, "{what}: {} {}", found.loss, outcome.loss);
    assert_eq!((found.right, found.scored), (outcome.right, outcome.scored), "{what}");
    let (of_views, expected) = (found.matches, outcome.matches);
    assert_eq!((of_views.found, of_views.views), (expected.found, expected.views), "{what}");
    assert!((of_views.loss - expected.loss).abs() < 1e-5, "{what}: {} {}", of_views.loss, expected.loss);
    // some gradients are 0 but for rounding, as those of the keys' biases, whatever the others are
    let rounding = 1e-7 * largest(&gradients);
    for entry in network.layout().entries() {
        let (expected, found) = (&gradients[entry.span.clone()], &found_gradients[entry.span.clone()]);
        let off = expected.iter().zip(found).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(off <= 2e-5 * largest(expected) + rounding, "{what}, {}: {off:e} of {}", entry.name, largest(expected));
    }
}

#[test]
fn loss_and_every_gradient_agree_with_the_network_on_the_cpu() {
    for kind in ["mae", "mlm", "causal"] {
        for (rate, frozen) in [(0.0, false), (0.0, true), (0.3, false)] {
            let (mut network, weights, mut batch) = small(kind);
            network.architecture.frozen_mask = frozen;
            // an unknown token among the others
            batch.ids[1] = 1;
            let drops = Drops::new(&network.architecture, rate, &mut Seed(9).stream("drops"));
            let what = format!("{kind}, dropout {rate}, frozen {frozen}");
            assert_alike(&mut network, &weights, &batch, &drops, &what);
            // others count too, with a weight of their own
            let named: Vec<u32> = batch.targets.iter().map(|target| target.row).collect();
            let others = (0..9).filter(|row| !named.contains(row));
            batch.targets.extend(others.map(|row| Target { row, class: row % 16, weight: 0.02, scored: false }));
            assert_alike(&mut network, &weights, &batch, &drops, &format!("{what}, others too"));
        }
    }
}

#[test]
fn views_are_compared_as_on_the_cpu() {
    let ids = [vec![5, 2, 9, 3], vec![4, 7, 2], vec![6, 5, 2, 2, 3], vec![8, 9], vec![3, 3, 4], vec![9, 2, 7, 7, 5]];
    let attention: Vec<Vec<u32>> = ids.iter().map(|ids| vec![1; ids.len()]).collect();
    let some: Vec<Vec<u32>> = ids.iter().map(|ids| (0..ids.len() as u32).map(|at| at % 2).collect()).collect();
    let none: Vec<Vec<u32>> = ids.iter().map(|ids| vec![0; ids.len()]).collect();
    let mut one_hidden = some.clone();
    one_hidden[2].fill(1);
    let (mut network, weights, _) = small("mae");
    for groups in [vec![None; 6], [1, 1, 2, 2, 1, 1].map(Some).to_vec(), [1, 1, 1, 1, 1, 1].map(Some).to_vec()] {
        for (masked, what) in [(&some, "half hidden"), (&none, "nothing to name"), (&one_hidden, "one unseen")] {
            let pairs = Pairs { weight: 0.7, temperature: 0.2, groups: groups.clone() };
            let batch = Batch { pairs: Some(pairs), ..batch_of(&ids, &attention, masked) };
            for rate in [0.0, 0.3] {
                let drops = Drops::new(&network.architecture, rate, &mut Seed(9).stream("drops"));
                assert_alike(&mut network, &weights, &batch, &drops, &format!("{what}, {groups:?}, dropout {rate}"));
            }
            let learner = learner(&network, &weights, DType::F32);
            let examined = learner.examine(&batch).unwrap().matches;
            let expected = network.run(&weights, &batch, &Drops::default(), None).matches;
            assert_eq!((examined.found, examined.views), (expected.found, 6), "{what}");
        }
    }
}

#[test]
fn the_reference_batch_agrees_with_dropout_at_every_place() {
    let (mut network, weights) = reference_network();
    let case = json("mae_forward_k4.json");
    let masked = table(&case["by_ratio"]["0.5"]["masked"]);
    let batch = batch_of(&table(&case["ids"]), &table(&case["attention"]), &masked);
    for rate in [0.0, 0.1] {
        let drops = Drops::new(&network.architecture, rate, &mut Seed(2).stream("drops"));
        assert_alike(&mut network, &weights, &batch, &drops, &format!("dropout {rate}"));
    }
}

#[test]
fn barcodes_that_are_hidden_whole_or_not_at_all_agree() {
    let (mut network, weights, _) = small("mae");
    let ids = vec![vec![5], vec![4, 7, 1], vec![1, 1]];
    let attention: Vec<Vec<u32>> = ids.iter().map(|ids| vec![1; ids.len()]).collect();
    let batch = batch_of(&ids, &attention, &[vec![1], vec![1, 1, 0], vec![0, 0]]);
    assert_alike(&mut network, &weights, &batch, &Drops::default(), "three barcodes");
    let batch = batch_of(&ids[..1], &attention[..1], &[vec![1]]);
    assert_alike(&mut network, &weights, &batch, &Drops::default(), "nothing reaches the encoder");
    let nothing = Batch { targets: Vec::new(), ..batch };
    let mut learner = learner(&network, &weights, DType::F32);
    let (outcome, gradients) = by_candle(&mut learner, &nothing, &Drops::default());
    assert_eq!((outcome, largest(&gradients)), (Outcome::default(), 0.0));
    assert_eq!(learner.examine(&nothing).unwrap(), Outcome::default());
}

#[test]
fn thirty_steps_agree_with_pytorch() {
    let case = json("mae_train_k4.json");
    let forward = json("mae_forward_k4.json");
    let (ids, attention) = (table(&forward["ids"]), table(&forward["attention"]));
    let (network, weights) = reference_network();
    let decay = case["weight_decay"].as_f64().unwrap();
    let mut learner = DeviceLearner::new(network.architecture, &weights, decay, &Device::Cpu, DType::F32).unwrap();
    let schedule = Schedule { kind: ScheduleKind::OneCycle, peak: case["peak_lr"].as_f64().unwrap() };
    let steps = case["steps"].as_array().unwrap();
    for (step, expected) in steps.iter().enumerate() {
        let batch = batch_of(&ids, &attention, &table(&expected["masked"]));
        learner.learn(&batch, &Drops::default()).unwrap();
        learner.step(0.0, schedule.at(step as f64, steps.len() as f64)).unwrap();
        let (outcome, norm) = learner.read().unwrap();
        assert_relative(outcome.loss, &expected["loss"], 2e-6, &format!("loss of step {step}"));
        assert_relative(norm, &expected["grad_norm"], 1e-5, &format!("gradient of step {step}"));
    }
}

#[test]
fn clipped_steps_of_several_batches_move_the_weights_as_on_the_cpu() {
    let (mut network, mut weights, batch) = small("mae");
    let mut learner = learner(&network, &weights, DType::F32);
    let mut adamw = AdamW::new(weights.len(), 1e-2);
    for (step, rate) in [1e-2, 2e-2, 5e-3].into_iter().enumerate() {
        let rates = Rates { learning_rate: rate, beta1: 0.9 };
        let mut gradients = vec![0.0; weights.len()];
        let mut loss = 0.0;
        for pass in 0..2 {
            let drops = Drops::new(&network.architecture, 0.2, &mut Seed(pass).stream("drops"));
            loss += network.run(&weights, &batch, &drops, Some(&mut gradients)).loss;
            learner.learn(&batch, &drops).unwrap();
        }
        let norm = norm_of(&gradients);
        assert!(norm > 0.1, "clipping does something");
        adamw.step(&mut weights, &gradients, clip_factor(norm, 0.1), rates);
        learner.step(0.1, rates).unwrap();
        let (outcome, found) = learner.read().unwrap();
        assert!((found / norm - 1.0).abs() < 1e-5 && (outcome.loss / loss - 1.0).abs() < 1e-5, "step {step}");
    }
    let state = learner.host_state().unwrap();
    let off = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    // AdamW divides by the root of the second moment: what is 0 but for rounding moves by its sign
    let by_rounding = network.layout().entries().iter().filter(|entry| entry.name.ends_with("key.bias"));
    by_rounding.for_each(|entry| weights[entry.span.clone()].copy_from_slice(&state.weights[entry.span.clone()]));
    assert!(off(&state.weights, &weights) < 1e-5, "{:e}", off(&state.weights, &weights));
    assert!(off(&state.first, &adamw.first) < 1e-6 && off(&state.second, &adamw.second) < 1e-6);

    let mut again = self::learner(&network, &vec![0.0; weights.len()], DType::F32);
    again.restore(&state, 3).unwrap();
    assert_eq!(again.host_state().unwrap(), state);
    let examined = again.examine(&batch).unwrap();
    assert_eq!(examined, learner.examine(&batch).unwrap());
    assert!((examined.loss / network.run(&weights, &batch, &Drops::default(), None).loss - 1.0).abs() < 1e-5);
}

#[test]
fn many_passes_are_read_back_whole() {
    let (network, weights, batch) = small("mlm");
    let mut learner = learner(&network, &weights, DType::F32);
    let passes = 2 * MOST_PENDING + 3;
    (0..passes).for_each(|_| learner.learn(&batch, &Drops::default()).unwrap());
    assert_eq!(learner.pending.len(), 3);
    let one = learner.examine(&batch).unwrap();
    let (all, _) = learner.read().unwrap();
    assert_eq!((all.right, all.scored), (passes * one.right, passes * one.scored));
    assert!((all.loss / (passes as f64 * one.loss) - 1.0).abs() < 1e-6);
    assert_eq!(learner.read().unwrap().0, Outcome::default(), "what was read is not read again");
}

#[test]
fn products_in_bfloat16_are_close() {
    for kind in ["mae", "mlm", "causal"] {
        let (mut network, weights, batch) = small(kind);
        let drops = Drops::new(&network.architecture, 0.1, &mut Seed(3).stream("drops"));
        let (outcome, gradients) = by_hand(&mut network, &weights, &batch, &drops);
        let mut learner = learner(&network, &weights, DType::BF16);
        let (found, found_gradients) = by_candle(&mut learner, &batch, &drops);
        assert!((found.loss / outcome.loss - 1.0).abs() < 2e-2, "{kind}: {} {}", found.loss, outcome.loss);
        let difference: Vec<f32> = gradients.iter().zip(&found_gradients).map(|(a, b)| a - b).collect();
        let share = norm_of(&difference) / norm_of(&gradients);
        assert!(share > 1e-4 && share < 5e-2, "{kind}: {share}");
        assert!(learner.leaves.iter().all(|leaf| leaf.dtype() == DType::F32), "weights stay in 32 bits");
    }
}
