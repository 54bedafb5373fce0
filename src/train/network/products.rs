//! The matrix products of a linear map and of its gradients, spread over the threads in blocks whose size is fixed, so that the
//! number of threads changes nothing.

use super::parameters::LinearSpans;
use crate::arithmetic::fit;
use crate::arithmetic::product::{self, Left, Right, Table, add_product};
use rayon::prelude::*;
use std::cell::RefCell;

/// Rows (tokens) that one task takes: whole blocks of rows of a product, which have 14 or 6.
pub(super) const BLOCK_ROWS: usize = 126;
/// Outputs of a map whose weights' gradients one task computes: whole blocks too.
const BLOCK_OUTPUTS: usize = 126;
/// Rows over which the gradients of weights are summed up at a time.
const SUMMED_ROWS: usize = 768;

/// Which product of a map's weights `[outputs, inputs]` is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From inputs to outputs.
    Forward,
    /// From the gradient at the outputs to that at the inputs.
    Back,
}

/// Lays out the weights of maps for the products that go one way.
pub(super) fn lay_out<const N: usize>(factors: [&mut Right; N], maps: [&LinearSpans; N], weights: &[f32], way: Way) {
    factors.into_par_iter().zip(maps).for_each(|(factor, map)| {
        let inputs = map.weight.len() / map.bias.len();
        let table = Table::new(&weights[map.weight.clone()], inputs);
        match way {
            Way::Forward => factor.pack_columns(table),
            Way::Back => factor.pack_rows(table),
        }
    });
}

thread_local! {
    /// Every thread's room for the left factor of a product, and for what a block of rows becomes in between: taken once, as memory that
    /// is given back after every task comes back page by page.
    static LEFT: RefCell<Left> = RefCell::default();
    static ROOM: RefCell<Vec<f32>> = RefCell::default();
}

/// Calls `work` with room for `count` values, which hold what was left there. `work` must not ask for room itself.
pub(super) fn with_room(count: usize, work: impl FnOnce(&mut [f32])) {
    ROOM.with_borrow_mut(|room| work(fit(room, count)));
}

/// `out = rows factor`: rows `[n, K]`, factor `[K, columns]`, out `[n, columns]`; on this thread.
pub(super) fn product(rows: &[f32], factor: &Right, out: &mut [f32]) {
    LEFT.with_borrow_mut(|left| {
        left.pack(Table::new(rows, factor.inner()));
        product::product(left, factor, out, factor.columns());
    });
}

/// `weight += outᵀ rows`, the gradient of the weights over all rows: out `[n, outputs]`, rows `[n, inputs]`, weight
/// `[outputs, inputs]`, with room for the rows in `factors`.
pub(super) fn weight_gradient(out: &[f32], rows: &[f32], inputs: usize, weight: &mut [f32], factors: &mut Vec<Right>) {
    let outputs = weight.len() / inputs;
    let steps = rows.par_chunks(SUMMED_ROWS * inputs);
    factors.resize_with(factors.len().max(steps.len()), Right::default);
    steps.zip(factors.par_iter_mut()).for_each(|(rows, factor)| factor.pack_rows(Table::new(rows, inputs)));
    let steps = out.chunks(SUMMED_ROWS * outputs).zip(&*factors);
    weight.par_chunks_mut(BLOCK_OUTPUTS * inputs).enumerate().for_each(|(block, weight)| {
        let width = weight.len() / inputs;
        for (out, factor) in steps.clone() {
            let columns = Table::with_stride(&out[block * BLOCK_OUTPUTS..], [out.len() / outputs, width], outputs);
            LEFT.with_borrow_mut(|left| {
                left.pack_columns(columns);
                add_product(left, factor, weight);
            });
        }
    });
}

/// `sums += ` the sums over all rows of every column.
pub(super) fn add_column_sums(rows: &[f32], sums: &mut [f32]) {
    let width = sums.len();
    let blocks: Vec<Vec<f32>> = rows
        .par_chunks(BLOCK_ROWS * width)
        .map(|rows| {
            let mut block = vec![0.0; width];
            add_rows(rows, &mut block);
            block
        })
        .collect();
    blocks.iter().for_each(|block| add_rows(block, sums));
}

/// `sum += ` every row, on this thread.
pub(super) fn add_rows(rows: &[f32], sum: &mut [f32]) {
    for row in rows.chunks_exact(sum.len()) {
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use rand::Rng;

    fn numbers(count: usize, name: &'static str) -> Vec<f32> {
        let mut rng = Seed(8).stream(name);
        (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    #[test]
    fn a_map_and_its_gradients_are_those_of_the_formula() {
        let (outputs, inputs) = (BLOCK_OUTPUTS + 31, 19);
        for count in [0, 1, 13, SUMMED_ROWS, 2 * SUMMED_ROWS + 7] {
            let (rows, at_outputs) = (numbers(count * inputs, "rows"), numbers(count * outputs, "gradient"));
            let (weights, before) = (numbers(outputs * inputs, "weights"), numbers(outputs * inputs, "before"));
            let map = LinearSpans { weight: 0..outputs * inputs, bias: 0..outputs };
            let [mut forward, mut back] = [(); 2].map(|()| Right::default());
            lay_out([&mut forward], [&map], &weights, Way::Forward);
            lay_out([&mut back], [&map], &weights, Way::Back);
            let (mut out, mut at_rows) = (vec![0.0; count * outputs], vec![0.0; count * inputs]);
            product(&rows, &forward, &mut out);
            product(&at_outputs, &back, &mut at_rows);
            // What a longer pass left behind counts for nothing.
            let mut room = vec![Right::of_columns(Table::new(&[f32::NAN; 64], 8)); 5];
            let mut of_weights = before.clone();
            weight_gradient(&at_outputs, &rows, inputs, &mut of_weights, &mut room);
            let close = |found: f32, terms: &mut dyn Iterator<Item = (f32, f32)>, start: f32| {
                let expected = terms.fold(f64::from(start), |sum, (a, b)| sum + f64::from(a) * f64::from(b));
                assert!((f64::from(found) - expected).abs() < 1e-4, "{found} {expected}");
            };
            for row in 0..count {
                for output in 0..outputs {
                    let terms = (0..inputs).map(|input| (rows[row * inputs + input], weights[output * inputs + input]));
                    close(out[row * outputs + output], &mut { terms }, 0.0);
                }
                for input in 0..inputs {
                    let of = |output| (at_outputs[row * outputs + output], weights[output * inputs + input]);
                    close(at_rows[row * inputs + input], &mut (0..outputs).map(of), 0.0);
                }
            }
            for (at, (found, before)) in of_weights.iter().zip(&before).enumerate() {
                let of = |row| (at_outputs[row * outputs + at / inputs], rows[row * inputs + at % inputs]);
                close(*found, &mut (0..count).map(of), *before);
            }
        }
    }
}
