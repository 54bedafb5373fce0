//! Laying one map over another: orthogonal Procrustes analysis in two dimensions.

/// A rotation, reflected or not, with scale and shift: `p -> matrix p + shift`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment {
    /// Scaled rotation, `matrix[row][column]`.
    pub matrix: [[f64; 2]; 2],
    /// What is added behind it.
    pub shift: [f64; 2],
    /// Whether the map is turned over.
    pub mirrored: bool,
    /// Share of the second map's variance that the first does not explain after alignment, 0 to 1.
    pub residual: f64,
}

impl Alignment {
    /// Leaves every point where it is.
    const IDENTITY: Self = Self { matrix: [[1.0, 0.0], [0.0, 1.0]], shift: [0.0; 2], mirrored: false, residual: 0.0 };

    /// Where a point of the first map comes to lie.
    pub fn apply(&self, [x, y]: [f32; 2]) -> [f32; 2] {
        let (x, y) = (f64::from(x), f64::from(y));
        [0, 1].map(|row| (self.matrix[row][0] * x + self.matrix[row][1] * y + self.shift[row]) as f32)
    }
}

/// The alignment of the map `from` `[N]` that brings its points nearest, by least squares, to those of `to` `[N]` (Schönemann &
/// Carroll 1970). Pairs with a point that is not finite are left out. A map whose points are all the same is only shifted.
///
/// # Panics
/// When the maps differ in length.
pub fn align(from: &[[f32; 2]], to: &[[f32; 2]]) -> Alignment {
    assert_eq!(from.len(), to.len(), "both maps show the same specimens");
    let finite = |point: &[f32; 2]| point.iter().all(|value| value.is_finite());
    let pairs: Vec<[[f64; 2]; 2]> = from
        .iter()
        .zip(to)
        .filter(|(a, b)| finite(a) && finite(b))
        .map(|(a, b)| [a.map(f64::from), b.map(f64::from)])
        .collect();
    if pairs.is_empty() {
        return Alignment::IDENTITY;
    }
    let centres = [0, 1].map(|map| centre(&pairs, map));
    let Products { cross, squares } = Products::of(&pairs, centres);
    // the best rotation [[c,-s],[s,c]] and the best reflection [[c,s],[s,-c]] maximise the sum of products, each in closed form
    let rotation = [cross[0][0] + cross[1][1], cross[1][0] - cross[0][1]];
    let reflection = [cross[0][0] - cross[1][1], cross[1][0] + cross[0][1]];
    let mirrored = length(reflection) > length(rotation);
    let best = if mirrored { reflection } else { rotation };
    let gain = length(best);
    let known = gain > 0.0 && squares[0] > 0.0;
    let [c, s] = if known { best.map(|part| part / squares[0]) } else { [1.0, 0.0] };
    let matrix = if mirrored { [[c, s], [s, -c]] } else { [[c, -s], [s, c]] };
    let shift = [0, 1].map(|row| centres[1][row] - matrix[row][0] * centres[0][0] - matrix[row][1] * centres[0][1]);
    let explained = if known && squares[1] > 0.0 { gain * gain / (squares[0] * squares[1]) } else { 0.0 };
    Alignment { matrix, shift, mirrored, residual: (1.0 - explained).clamp(0.0, 1.0) }
}

/// Mean of the points of one of two maps.
fn centre(pairs: &[[[f64; 2]; 2]], map: usize) -> [f64; 2] {
    [0, 1].map(|axis| pairs.iter().map(|pair| pair[map][axis]).sum::<f64>() / pairs.len() as f64)
}

/// Sums of products of two centred maps.
struct Products {
    /// `cross[i][j]`: of axis `i` of the second map and axis `j` of the first.
    cross: [[f64; 2]; 2],
    /// Of each map with itself.
    squares: [f64; 2],
}

impl Products {
    fn of(pairs: &[[[f64; 2]; 2]], centres: [[f64; 2]; 2]) -> Self {
        let (mut cross, mut squares) = ([[0.0; 2]; 2], [0.0; 2]);
        for pair in pairs {
            let [a, b] = [0, 1].map(|map| [0, 1].map(|axis| pair[map][axis] - centres[map][axis]));
            squares[0] += a[0] * a[0] + a[1] * a[1];
            squares[1] += b[0] * b[0] + b[1] * b[1];
            for (row, b) in cross.iter_mut().zip(b) {
                row[0] += b * a[0];
                row[1] += b * a[1];
            }
        }
        Self { cross, squares }
    }
}

fn length([x, y]: [f64; 2]) -> f64 {
    x.hypot(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moved(points: &[[f32; 2]], angle: f64, scale: f64, mirror: bool, shift: [f64; 2]) -> Vec<[f32; 2]> {
        let move_one = |&[x, y]: &[f32; 2]| {
            let (x, y) = (f64::from(x), if mirror { -f64::from(y) } else { f64::from(y) });
            let turned = [angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y];
            [0, 1].map(|axis| (scale * turned[axis] + shift[axis]) as f32)
        };
        points.iter().map(move_one).collect()
    }

    /// Sum of squared distances after alignment.
    fn misfit(alignment: &Alignment, from: &[[f32; 2]], to: &[[f32; 2]]) -> f64 {
        let square = |(a, b): (&[f32; 2], &[f32; 2])| {
            let at = alignment.apply(*a);
            (0..2).map(|axis| f64::from(at[axis] - b[axis]).powi(2)).sum::<f64>()
        };
        from.iter().zip(to).map(square).sum()
    }

    proptest! {
        #[test]
        fn a_moved_map_is_brought_back(
            points in prop::collection::vec(prop::array::uniform2(-10.0f32..10.0), 3..30),
            angle in 0.0..std::f64::consts::TAU,
            scale in 0.1f64..8.0,
            mirror in any::<bool>(),
            shift in prop::array::uniform2(-50.0f64..50.0),
        ) {
            let to = moved(&points, angle, scale, mirror, shift);
            let alignment = align(&points, &to);
            for (a, b) in points.iter().zip(&to) {
                let at = alignment.apply(*a);
                prop_assert!((0..2).all(|axis| (at[axis] - b[axis]).abs() < 2e-3 * scale as f32), "{at:?} {b:?}");
            }
            prop_assert!(alignment.residual < 1e-4);
        }

        #[test]
        fn no_other_alignment_fits_better(
            pairs in prop::collection::vec((prop::array::uniform2(-5.0f32..5.0), prop::array::uniform2(-5.0f32..5.0)), 2..12),
        ) {
            let (from, to): (Vec<[f32; 2]>, Vec<[f32; 2]>) = pairs.into_iter().unzip();
            let best = align(&from, &to);
            let fit = misfit(&best, &from, &to);
            // brute force over turns, sides and scales, with the best shift for each
            for (step, mirror) in (0..90).flat_map(|step| [(step, false), (step, true)]) {
                for scale in [0.0, 0.25, 0.5, 1.0, 2.0].map(|factor| factor * (best.matrix[0][0].hypot(best.matrix[1][0]))) {
                    let turned = moved(&from, f64::from(step) * 0.0698, scale, mirror, [0.0; 2]);
                    let n = from.len() as f64;
                    let shift = [0, 1].map(|axis| {
                        to.iter().zip(&turned).map(|(b, a)| f64::from(b[axis] - a[axis])).sum::<f64>() / n
                    });
                    let square = |(b, a): (&[f32; 2], &[f32; 2])| {
                        (0..2).map(|axis| (f64::from(b[axis] - a[axis]) - shift[axis]).powi(2)).sum::<f64>()
                    };
                    let other: f64 = to.iter().zip(&turned).map(square).sum();
                    prop_assert!(fit <= other + 1e-3 * (1.0 + other), "{fit} against {other}");
                }
            }
        }
    }

    #[test]
    fn empty_single_and_constant_maps_are_only_shifted() {
        assert_eq!(align(&[], &[]), Alignment::IDENTITY);
        assert_eq!(align(&[[1.0, 2.0]], &[[4.0, -1.0]]).apply([1.0, 2.0]), [4.0, -1.0]);
        let constant = align(&[[1.0, 1.0]; 3], &[[0.0, 0.0], [3.0, 0.0], [0.0, 3.0]]);
        assert_eq!(constant.apply([1.0, 1.0]), [1.0, 1.0]);
        assert_eq!(constant.residual, 1.0);
        let holes = align(&[[0.0, 0.0], [f32::NAN, 9.0], [1.0, 0.0]], &[[5.0, 5.0], [0.0, 0.0], [5.0, 6.0]]);
        assert_eq!(holes.apply([1.0, 0.0]), [5.0, 6.0]);
    }
}
