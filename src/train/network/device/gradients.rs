//! Operations that get a gradient of their own: candle's fused ones have none, and what it finds for others takes many small
//! steps or, on a GPU, adds up rows one after another.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, D, DType, Device, Layout, MetalStorage, Result, Shape, Tensor};

/// Layer norm's epsilon in BERT.
const EPS: f64 = 1e-12;
/// Most values of the table that says which row has which id.
const MOST_IDS: usize = 1 << 26;

/// Puts a value that was computed without a gradient in the place of an operation on `x`; `backward` answers the gradient at `x`
/// from that at the value.
pub(super) fn with_gradient<F>(x: &Tensor, value: &Tensor, backward: F) -> Result<Tensor>
where
    F: Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static,
{
    let value = value.detach().contiguous()?;
    x.apply_op3(&value, &value, Known { backward: move |gradient: &Tensor| Ok((backward(gradient)?, None)) })
}

/// The same for an operation on `x` and `weights`; `backward` answers the gradients at both.
fn with_gradients<F>(x: &Tensor, weights: &Tensor, value: &Tensor, backward: F) -> Result<Tensor>
where
    F: Fn(&Tensor) -> Result<(Tensor, Option<Tensor>)> + Send + Sync + 'static,
{
    x.apply_op3(weights, &value.detach().contiguous()?, Known { backward })
}

/// An operation on the first and perhaps the second of its arguments, of which the third is the value.
struct Known<F> {
    backward: F,
}

impl<F: Fn(&Tensor) -> Result<(Tensor, Option<Tensor>)>> CustomOp3 for Known<F> {
    fn name(&self) -> &'static str {
        "known"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        value: &CpuStorage,
        layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok((value.try_clone(layout)?, layout.shape().clone()))
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        value: &CudaStorage,
        layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Ok((value.try_clone(layout)?, layout.shape().clone()))
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
        value: &MetalStorage,
        layout: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        Ok((value.try_clone(layout)?, layout.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (of_x, of_weights) = (self.backward)(gradient)?;
        Ok((Some(of_x), of_weights, None))
    }
}

/// Rows `[n, D]` plus a row `[D]`.
pub(super) fn shifted(rows: &Tensor, shift: &Tensor) -> Result<Tensor> {
    let value = rows.detach().broadcast_add(&shift.detach())?;
    with_gradients(rows, shift, &value, |gradient| Ok((gradient.clone(), Some(sum_of_rows(gradient)?))))
}

/// Rows `[n, D]`, each times a row `[D]`.
pub(super) fn scaled_by_column(rows: &Tensor, scale: &Tensor) -> Result<Tensor> {
    let (rows_now, scale_now) = (rows.detach(), scale.detach());
    let value = rows_now.broadcast_mul(&scale_now)?;
    with_gradients(rows, scale, &value, move |gradient| {
        Ok((gradient.broadcast_mul(&scale_now)?, Some(sum_of_rows(&(gradient * &rows_now)?)?)))
    })
}

/// The sum of rows `[n, D]`, `[D]`, as a product with a row of ones: on a GPU, sums across rows read memory a number at a time.
fn sum_of_rows(rows: &Tensor) -> Result<Tensor> {
    let ones = Tensor::ones((1, rows.dim(0)?), rows.dtype(), rows.device())?;
    ones.matmul(&rows.contiguous()?)?.squeeze(0)
}

/// `x` times factors that are no weights.
pub(super) fn scaled(x: &Tensor, factors: Tensor) -> Result<Tensor> {
    let value = x.detach().mul(&factors)?;
    with_gradient(x, &value, move |gradient| gradient.mul(&factors))
}

/// Softmax of `scale` times the scores `[B, H, L, L]`, to which `bias` is added; in 32 bits, whatever the scores are in.
pub(super) fn softmax(scores: &Tensor, scale: f64, bias: &Tensor) -> Result<Tensor> {
    let kind = scores.dtype();
    let shifted = scores.detach().to_dtype(DType::F32)?.affine(scale, 0.0)?.broadcast_add(bias)?;
    let weights = candle_nn::ops::softmax_last_dim(&shifted)?;
    with_gradient(scores, &weights.to_dtype(kind)?, move |gradient| {
        let gradient = gradient.to_dtype(DType::F32)?;
        let along = (&gradient * &weights)?.sum_keepdim(D::Minus1)?;
        (gradient.broadcast_sub(&along)? * &weights)?.affine(scale, 0.0)?.to_dtype(kind)
    })
}

/// Rows `[n, D]` with mean 0 and variance 1: a layer norm before its scale and shift.
pub(super) fn normal(rows: &Tensor) -> Result<Tensor> {
    let x = rows.detach();
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let factors = centred.sqr()?.mean_keepdim(D::Minus1)?.affine(1.0, EPS)?.sqrt()?.recip()?;
    let value = centred.broadcast_mul(&factors)?;
    let normal = value.clone();
    with_gradient(rows, &value, move |gradient| {
        let mean = gradient.mean_keepdim(D::Minus1)?;
        let along = (gradient * &normal)?.mean_keepdim(D::Minus1)?;
        let rest = (gradient.broadcast_sub(&mean)? - normal.broadcast_mul(&along)?)?;
        rest.broadcast_mul(&factors)
    })
}

/// GELU by the error function.
pub(super) fn gelu(x: &Tensor) -> Result<Tensor> {
    let inner = x.detach();
    let value = inner.gelu_erf()?;
    with_gradient(x, &value, move |gradient| {
        let below = (&inner * std::f64::consts::FRAC_1_SQRT_2)?.erf()?.affine(0.5, 0.5)?;
        let height = std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2 / 2.0;
        let density = inner.sqr()?.affine(-0.5, 0.0)?.exp()?.affine(height, 0.0)?;
        gradient * (below + (&inner * density)?)?
    })
}

/// Rows of a table `[V, D]` by their ids `[n]`.
pub(super) fn rows_of_table(table: &Tensor, ids: &Tensor) -> Result<Tensor> {
    let value = table.detach().index_select(ids, 0)?;
    let (count, ids) = (table.dim(0)?, ids.clone());
    with_gradient(table, &value, move |gradient| sums_by_id(gradient, &ids, count))
}

/// For each of `count` ids the sum of the rows that have it, as a product with the table of which row has which id.
fn sums_by_id(rows: &Tensor, ids: &Tensor, count: usize) -> Result<Tensor> {
    let all_ids = Tensor::arange(0, count as u32, ids.device())?.unsqueeze(0)?;
    let rows = rows.contiguous()?;
    let mut sums = Tensor::zeros((count, rows.dim(1)?), rows.dtype(), rows.device())?;
    let most = (MOST_IDS / count).max(1);
    for start in (0..rows.dim(0)?).step_by(most) {
        let length = most.min(rows.dim(0)? - start);
        let has = ids.narrow(0, start, length)?.unsqueeze(1)?.broadcast_eq(&all_ids)?.to_dtype(rows.dtype())?;
        sums = (sums + has.t()?.matmul(&rows.narrow(0, start, length)?)?)?;
    }
    Ok(sums)
}

/// Which rows of a table make another one: each at most once, so that the gradient is a choice of rows too.
#[derive(Debug)]
pub(super) struct Choice {
    /// For each row of the new table its row in the old one, whose number of rows stands for a row of zeros.
    forward: Tensor,
    /// The same from the old table to the new one.
    backward: Tensor,
}

impl Choice {
    /// The new table has the rows `chosen` of one with `count` rows; `None` stands for zeros.
    pub(super) fn new(chosen: &[Option<u32>], count: usize, device: &Device) -> Result<Self> {
        let mut backward = vec![chosen.len() as u32; count];
        for (row, chosen) in chosen.iter().enumerate() {
            if let Some(chosen) = chosen {
                backward[*chosen as usize] = row as u32;
            }
        }
        let forward: Vec<u32> = chosen.iter().map(|chosen| chosen.unwrap_or(count as u32)).collect();
        Ok(Self {
            forward: Tensor::from_vec(forward, chosen.len(), device)?,
            backward: Tensor::from_vec(backward, count, device)?,
        })
    }

    /// The chosen rows of `table` `[count, D]`.
    pub(super) fn of(self, table: &Tensor) -> Result<Tensor> {
        let Self { forward, backward } = self;
        let value = with_zeros(&table.detach())?.index_select(&forward, 0)?;
        with_gradient(table, &value, move |gradient| with_zeros(gradient)?.index_select(&backward, 0))
    }
}

/// Rows and one more of zeros.
fn with_zeros(rows: &Tensor) -> Result<Tensor> {
    rows.pad_with_zeros(0, 0, 1)
}

/// The weighted cross-entropy of scores `[n, classes]` in 32 bits: class and weight of every row, `[n, 1]` each.
pub(super) fn cross_entropy(scores: &Tensor, classes: &Tensor, weights: Tensor) -> Result<Tensor> {
    let x = scores.detach();
    let shifted = x.broadcast_sub(&x.max_keepdim(1)?)?;
    let powers = shifted.exp()?;
    let totals = powers.sum_keepdim(1)?;
    let each = (totals.log()? - shifted.gather(classes, 1)?)?;
    let value = (each * &weights)?.sum_all()?;
    let shares = powers.broadcast_div(&totals)?;
    let all_classes = Tensor::arange(0, x.dim(1)? as u32, x.device())?.unsqueeze(0)?;
    let wanted = classes.clone();
    with_gradient(scores, &value, move |gradient| {
        let is_wanted = wanted.broadcast_eq(&all_classes)?.to_dtype(DType::F32)?;
        (&shares - is_wanted)?.broadcast_mul(&weights)?.broadcast_mul(gradient)
    })
}
