//! Fast elementary functions and sums over rows of 32-bit floats, for the loops of layers on the CPU.
//!
//! Everything here is inlined into a loop that [`wide`] compiles for the widest vectors that the processor has.

use pulp::{Arch, WithSimd};

/// Lanes of independent sums: enough for the widest vectors, and the same on every machine.
const LANES: usize = 16;
/// `exp(x)` for `x <= 0`, to 2e-7 relative; below -87 it is 0.
///
/// Cody and Waite's reduction to `|r| <= ln(2) / 2`, then the exponential series.
#[inline(always)]
pub(crate) fn exp_non_positive(x: f32) -> f32 {
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Added to a small number, it leaves the number rounded to a whole one in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let clamped = if x < -87.0 { -87.0 } else { x };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let r = clamped - whole * LN_2_HIGH - whole * LN_2_LOW;
    let series =
        1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    if x < -87.0 { 0.0 } else { series * power }
}

/// The error function to 5e-7: a quotient of two polynomials of `x^2`, fitted to it by iteratively reweighted least squares on
/// `|x| <= 3.92`, where it reaches 1 as far as 32 bits can tell.
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    const END: f32 = 3.92;
    const P: [f32; 7] =
        [1.128_378_7, 2.061_099_1e-1, 5.139_671e-2, 3.972_701e-3, 1.489_814_6e-4, -1.994_266_8e-6, 1.992_132_3e-8];
    const Q: [f32; 5] = [1.0, 5.159_889_5e-1, 1.175_627_7e-1, 1.488_884_5e-2, 1.024_075e-3];
    let polynomial = |square: f32, factors: &[f32]| factors.iter().rev().fold(0.0, |sum, factor| sum * square + factor);
    let x = if x > END { END } else { x };
    let x = if x < -END { -END } else { x };
    x * polynomial(x * x, &P) / polynomial(x * x, &Q)
}

/// `x` to the power of `b`, to 1e-5 relative, for a normal `x` and a power from 1e-38 to 1e38; smaller ones are 1e-38, and
/// larger ones are not for it.
///
/// Base 2: the logarithm by the series of `atanh` around 1, the exponential by its own.
#[inline(always)]
pub(crate) fn power(x: f32, b: f32) -> f32 {
    use std::f32::consts::{LN_2, LOG2_E};
    /// Bits of 0.7: the mantissa is taken between it and 1.4.
    const LOWEST: u32 = 0x3f33_3333;
    /// Added to a small number, it leaves the number rounded to a whole one in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let exponent = (x.to_bits().wrapping_sub(LOWEST) as i32) >> 23;
    let mantissa = f32::from_bits(x.to_bits().wrapping_sub((exponent as u32) << 23));
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let q = s * s;
    let logarithm = exponent as f32 + 2.0 * LOG2_E * s * (1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0))));
    let y = b * logarithm;
    let y = if y < -126.0 { -126.0 } else { y };
    let shifted = y + ROUND;
    let r = (y - (shifted - ROUND)) * LN_2;
    let series =
        1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    f32::from_bits((shifted.to_bits() << 23).wrapping_add(series.to_bits()))
}

/// Runs a loop compiled for the widest vectors that the processor has.
pub(crate) fn wide(work: impl WithSimd<Output = ()>) {
    Arch::new().dispatch(work);
}

/// The sum of `f` over a row, in lanes, so that it is both fast and accurate.
#[inline(always)]
pub(crate) fn sum_of(row: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for chunk in whole {
        for (sum, &value) in sums.iter_mut().zip(chunk) {
            *sum += f(value);
        }
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&value| f(value)).sum::<f32>()
}

/// The largest value of a row, in lanes.
#[inline(always)]
pub(crate) fn largest_of(row: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (whole, rest) = row.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in whole {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, value);
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |largest, &value| larger(largest, value))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The error function by its series (small x) and its continued fraction (large x), in 64 bits.
    pub(crate) fn erf_exact(x: f64) -> f64 {
        let size = x.abs();
        let value = if size < 3.0 {
            let (mut term, mut sum, mut n) = (size, size, 0.0);
            while term.abs() > 1e-18 {
                n += 1.0;
                term *= -size * size / n;
                sum += term / (2.0 * n + 1.0);
            }
            sum * 2.0 / std::f64::consts::PI.sqrt()
        } else {
            let mut fraction = 0.0;
            for n in (1..=60).rev() {
                fraction = f64::from(n) / 2.0 / (size + fraction);
            }
            1.0 - (-size * size).exp() / (std::f64::consts::PI.sqrt() * (size + fraction))
        };
        value.copysign(x)
    }

    #[test]
    fn erf_and_exp_are_accurate_everywhere() {
        assert!((erf_exact(0.5) - 0.520_499_877_813_046_5).abs() < 1e-15);
        assert!((erf_exact(3.5) - 0.999_999_256_901_628).abs() < 1e-12);
        let (mut worst_erf, mut worst_exp) = (0.0f64, 0.0f64);
        for step in -120_000..=120_000 {
            let x = step as f32 * 1e-4;
            worst_erf = worst_erf.max((f64::from(erf(x)) - erf_exact(f64::from(x))).abs());
            let negative = -x.abs() * 7.0;
            let exact = f64::from(negative).exp();
            worst_exp = worst_exp.max((f64::from(exp_non_positive(negative)) / exact - 1.0).abs());
        }
        assert!(worst_erf < 5e-7, "{worst_erf:e}");
        assert!(worst_exp < 3e-7, "{worst_exp:e}");
        assert_eq!(exp_non_positive(0.0), 1.0);
        assert_eq!(exp_non_positive(-88.0), 0.0);
        assert_eq!(exp_non_positive(f32::NEG_INFINITY), 0.0);
        assert!(exp_non_positive(f32::NAN).is_nan() && erf(f32::NAN).is_nan());
        assert!((erf(f32::INFINITY) - 1.0).abs() < 2e-7 && (erf(f32::NEG_INFINITY) + 1.0).abs() < 2e-7);
    }

    #[test]
    fn powers_are_accurate_over_all_sizes() {
        let mut worst = 0.0f64;
        for step in -110_000..=110_000 {
            let x = (f64::from(step) * 2.5e-4).exp() as f32;
            for b in [0.4, 0.895, 1.0, 2.5] {
                worst = worst.max((f64::from(power(x, b)) / f64::from(x).powf(f64::from(b)) - 1.0).abs());
            }
        }
        assert!(worst < 1e-5, "{worst:e}");
        assert!(power(0.0, 0.9) < 1e-30 && power(1e-38, 3.0) < 1e-30);
    }
}
