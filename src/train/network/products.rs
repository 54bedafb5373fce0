//! The matrix products of a linear map and of its gradients, spread over the threads in blocks whose size is fixed, so that the
//! number of threads changes nothing.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows (tokens) that one task takes.
pub(super) const BLOCK_ROWS: usize = 128;
/// Outputs of a map whose weights' gradients one task computes.
const BLOCK_OUTPUTS: usize = 128;

/// `out = rows weightᵀ`: rows `[n, in]`, weight `[outputs, in]`, out `[n, outputs]`; on this thread.
pub(super) fn product(rows: &[f32], weight: &[f32], inputs: usize, out: &mut [f32]) {
    let outputs = weight.len() / inputs;
    let count = rows.len() / inputs;
    matmul(
        MatMut::from_row_major_slice_mut(out, count, outputs),
        Accum::Replace,
        MatRef::from_row_major_slice(rows, count, inputs),
        MatRef::from_row_major_slice(weight, outputs, inputs).transpose(),
        1.0,
        Par::Seq,
    );
}

/// `rows = out weight`, the gradient at the input: out `[n, outputs]`, weight `[outputs, in]`, rows `[n, in]`; on this thread.
pub(super) fn input_gradient(out: &[f32], weight: &[f32], inputs: usize, rows: &mut [f32]) {
    let outputs = weight.len() / inputs;
    let count = rows.len() / inputs;
    matmul(
        MatMut::from_row_major_slice_mut(rows, count, inputs),
        Accum::Replace,
        MatRef::from_row_major_slice(out, count, outputs),
        MatRef::from_row_major_slice(weight, outputs, inputs),
        1.0,
        Par::Seq,
    );
}

/// `weight += outᵀ rows`, the gradient of the weights over all rows: out `[n, outputs]`, rows `[n, in]`, weight `[outputs, in]`.
pub(super) fn weight_gradient(out: &[f32], rows: &[f32], inputs: usize, weight: &mut [f32]) {
    let outputs = weight.len() / inputs;
    let count = rows.len() / inputs;
    if count == 0 {
        return;
    }
    weight.par_chunks_mut(BLOCK_OUTPUTS * inputs).enumerate().for_each(|(block, weight)| {
        let width = weight.len() / inputs;
        let start = block * BLOCK_OUTPUTS;
        let columns = &out[start..(count - 1) * outputs + start + width];
        matmul(
            MatMut::from_row_major_slice_mut(weight, width, inputs),
            Accum::Add,
            MatRef::from_row_major_slice_with_stride(columns, count, width, outputs).transpose(),
            MatRef::from_row_major_slice(rows, count, inputs),
            1.0,
            Par::Seq,
        );
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
