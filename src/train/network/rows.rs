//! What is done to rows between the products: bias, GELU, layer norm, dropout, and their gradients.

use crate::arithmetic::vectors::{erf, exp_non_positive, sum_of, wide};
use pulp::{Simd, WithSimd};

/// Layer norm's epsilon in BERT.
pub(super) const EPS: f32 = 1e-12;

/// Adds `bias` to every row.
pub(super) fn add_bias(rows: &mut [f32], bias: &[f32]) {
    wide(|| {
        for row in rows.chunks_exact_mut(bias.len()) {
            row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
        }
    });
}

/// `out = gelu(x)` by the error function.
pub(super) fn gelu(rows: &[f32], out: &mut [f32]) {
    wide(Gelu { rows, out });
}

/// From `x` and the gradient at gelu(x): `x` becomes gelu(x) again and the gradient that at `x`.
pub(super) fn gelu_backward(x: &mut [f32], gradient: &mut [f32]) {
    wide(GeluBackward { x, gradient });
}

// Loops with so much in them are types of their own: a closure of their size is not inlined into [`wide`], and so not compiled
// for wide vectors.

struct Gelu<'a> {
    rows: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, &x) in self.out.iter_mut().zip(self.rows) {
            *out = 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2));
        }
    }
}

struct GeluBackward<'a> {
    x: &'a mut [f32],
    gradient: &'a mut [f32],
}

impl WithSimd for GeluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        /// 1 / sqrt(2 π), the height of the normal density.
        const HEIGHT: f32 = 0.398_942_3;
        for (x, gradient) in self.x.iter_mut().zip(self.gradient) {
            let below = 0.5 * (1.0 + erf(*x * std::f32::consts::FRAC_1_SQRT_2));
            let density = HEIGHT * exp_non_positive(-0.5 * *x * *x);
            *gradient *= below + *x * density;
            *x *= below;
        }
    }
}

/// Scale and shift `[D]` of a layer norm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Norm<'a> {
    pub(super) scale: &'a [f32],
    pub(super) shift: &'a [f32],
}

impl Norm<'_> {
    /// `rows = norm(rows)`; keeps the rows before scale and shift in `normal` `[n, D]` and what they were multiplied by in
    /// `factors` `[n]`, for the gradient.
    pub(super) fn forward(&self, rows: &mut [f32], normal: &mut [f32], factors: &mut [f32]) {
        let width = self.scale.len();
        let count = width as f32;
        wide(|| {
            let rows = rows.chunks_exact_mut(width).zip(normal.chunks_exact_mut(width));
            for ((row, normal), factor) in rows.zip(factors.iter_mut()) {
                let mean = sum_of(row, |value| value) / count;
                let variance = sum_of(row, |value| (value - mean) * (value - mean)) / count;
                *factor = 1.0 / (variance + EPS).sqrt();
                let both = row.iter_mut().zip(normal.iter_mut()).zip(self.scale.iter().zip(self.shift));
                for ((value, normal), (scale, shift)) in both {
                    *normal = (*value - mean) * *factor;
                    *value = *normal * scale + shift;
                }
            }
        });
    }

    /// The gradient at the output becomes that at the input; adds to the gradients of scale and shift.
    pub(super) fn backward(
        &self,
        gradient: &mut [f32],
        normal: &[f32],
        factors: &[f32],
        scale_gradient: &mut [f32],
        shift_gradient: &mut [f32],
    ) {
        let width = self.scale.len();
        let count = width as f32;
        wide(|| {
            let rows = gradient.chunks_exact_mut(width).zip(normal.chunks_exact(width));
            for ((row, normal), factor) in rows.zip(factors) {
                for ((value, normal), sum) in row.iter().zip(normal).zip(scale_gradient.iter_mut()) {
                    *sum += value * normal;
                }
                for ((value, sum), scale) in row.iter_mut().zip(shift_gradient.iter_mut()).zip(self.scale) {
                    *sum += *value;
                    *value *= scale;
                }
                let mean = sum_of(row, |value| value) / count;
                let along = dot(row, normal) / count;
                for (value, normal) in row.iter_mut().zip(normal) {
                    *value = factor * (*value - mean - normal * along);
                }
            }
        });
    }
}

/// The scalar product of two rows, in lanes.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let ((a_whole, a_rest), (b_whole, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0; LANES];
    for (a, b) in a_whole.iter().zip(b_whole) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

/// One place where values are dropped at random in training. The same key and position always answer the same, so that the
/// gradient needs no memory of what was dropped, and threads no order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dropout {
    key: u32,
    /// Draws below it drop.
    threshold: u32,
    /// What survives is multiplied by it.
    factor: f32,
}

impl Dropout {
    /// Drops the share `rate` of the values.
    pub(super) fn new(rate: f32, key: u32) -> Self {
        Self { key, threshold: (f64::from(rate) * f64::from(u32::MAX)) as u32, factor: 1.0 / (1.0 - rate) }
    }

    /// The share that is dropped.
    pub(super) fn rate(self) -> f32 {
        (f64::from(self.threshold) / f64::from(u32::MAX)) as f32
    }

    /// What survives is multiplied by it.
    pub(super) fn factor(self) -> f32 {
        self.factor
    }

    /// The draw that all others follow from.
    pub(super) fn key(self) -> u32 {
        self.key
    }

    /// 0 or the factor, for the value at position `index`.
    #[inline(always)]
    pub(super) fn at(self, index: u32) -> f32 {
        // two rounds of multiply and shift: every bit of position and key reaches every bit of the draw
        let mut draw = index.wrapping_mul(0x9e37_79b9) ^ self.key;
        draw = (draw ^ (draw >> 16)).wrapping_mul(0x7feb_352d);
        draw = (draw ^ (draw >> 15)).wrapping_mul(0x846c_a68b);
        draw ^= draw >> 16;
        if draw < self.threshold { 0.0 } else { self.factor }
    }

    /// Drops from values whose first one has position `start`.
    pub(super) fn apply(self, values: &mut [f32], start: usize) {
        wide(|| {
            for (offset, value) in values.iter_mut().enumerate() {
                *value *= self.at((start + offset) as u32);
            }
        });
    }
}

/// Drops where there is something to drop.
pub(super) fn drop_from(dropout: Option<Dropout>, values: &mut [f32], start: usize) {
    if let Some(dropout) = dropout {
        dropout.apply(values, start);
    }
}

/// `rows += others`.
pub(super) fn add(rows: &mut [f32], others: &[f32]) {
    wide(|| rows.iter_mut().zip(others).for_each(|(value, other)| *value += other));
}
