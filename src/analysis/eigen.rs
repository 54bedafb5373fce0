//! Eigenvectors of symmetric matrices.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, Par};
use ndarray::{Array1, Array2, ArrayView2, Axis};

/// Eigenvalues `[D]`, largest first, and eigenvectors `[D,D]` as rows in the same order, of a symmetric matrix of which the
/// lower triangle is read. `None` where the iteration does not converge (an entry is not finite).
///
/// Sequential on purpose: the result must not depend on the number of threads.
pub(crate) fn symmetric_eigen(matrix: ArrayView2<'_, f64>) -> Option<(Array1<f64>, Array2<f64>)> {
    let size = matrix.nrows();
    if matrix.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let a = Mat::from_fn(size, size, |row, column| matrix[[row, column]]);
    let (mut vectors, mut values) = (Mat::<f64>::zeros(size, size), Diag::<f64>::zeros(size));
    let scratch = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, Par::Seq, Default::default());
    self_adjoint_evd(
        a.as_ref(),
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        Default::default(),
    )
    .ok()?;
    let values = Array1::from_shape_fn(size, |i| values[size - 1 - i]);
    let vectors = Array2::from_shape_fn((size, size), |(i, column)| vectors[(column, size - 1 - i)]);
    Some((values, vectors))
}

/// Turns every row so that its entry of largest size is positive (the first of them where several are equally large): an
/// eigenvector's sign means nothing, and pictures must not flip between runs.
pub(crate) fn fix_signs(rows: &mut Array2<f64>) {
    for mut row in rows.axis_iter_mut(Axis(0)) {
        let largest = row.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let first = row.iter().find(|value| value.abs() >= largest * (1.0 - 1e-9)).copied().unwrap_or(0.0);
        if first < 0.0 {
            row.mapv_inplace(|value| -value);
        }
    }
}

/// Makes the rows orthonormal, from the first to the last (modified Gram-Schmidt, twice for accuracy). A row that depends on
/// the ones before it becomes zero.
pub(crate) fn orthonormalise(rows: &mut Array2<f64>) {
    for i in 0..rows.nrows() {
        let (before, mut rest) = rows.view_mut().split_at(Axis(0), i);
        let mut row = rest.row_mut(0);
        let length = row.dot(&row).sqrt();
        for _ in 0..2 {
            for earlier in before.rows() {
                let shared = row.dot(&earlier);
                row.scaled_add(-shared, &earlier);
            }
        }
        let left = row.dot(&row).sqrt();
        let scale = if left > 1e-12 * length { left.recip() } else { 0.0 };
        row.mapv_inplace(|value| value * scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use ndarray::array;
    use rand::Rng;

    #[test]
    fn a_matrix_is_put_together_again_from_its_eigenvectors() {
        let mut rng = Seed(3).stream("test");
        let half = Array2::from_shape_fn((9, 9), |_| rng.random_range(-1.0..1.0));
        let matrix = &half + &half.t();
        let (values, vectors) = symmetric_eigen(matrix.view()).unwrap();
        assert!(values.windows(2).into_iter().all(|pair| pair[0] >= pair[1]));
        let again = vectors.t().dot(&Array2::from_diag(&values)).dot(&vectors);
        assert!((again - &matrix).iter().all(|difference: &f64| difference.abs() < 1e-12));
        assert!(symmetric_eigen(array![[f64::NAN]].view()).is_none());
        assert_eq!(symmetric_eigen(Array2::zeros((0, 0)).view()).unwrap().0.len(), 0);
    }

    #[test]
    fn signs_follow_the_largest_entry() {
        let mut rows = array![[0.1, -0.9], [-0.5, 0.5], [0.0, 0.0]];
        fix_signs(&mut rows);
        assert_eq!(rows, array![[-0.1, 0.9], [0.5, -0.5], [0.0, 0.0]]);
    }

    #[test]
    fn dependent_rows_become_zero() {
        let mut rows = array![[3.0, 4.0, 0.0], [6.0, 8.0, 0.0], [1.0, 0.0, 2.0]];
        orthonormalise(&mut rows);
        assert_eq!(rows.row(1).to_vec(), [0.0; 3]);
        assert!((rows.row(2).dot(&rows.row(2)) - 1.0).abs() < 1e-14 && rows.row(0).dot(&rows.row(2)).abs() < 1e-14);
    }
}
