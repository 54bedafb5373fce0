//! One BERT: embeddings and layers (post-norm), on padded sequences.

use super::dropout::{drop_pairs, drop_rows};
use super::gradients::{gelu, rows_of_table, shifted, softmax};
use super::padded::Padded;
use super::pass::Pass;
use crate::model::EncoderShape;
use crate::train::network::Places;
use crate::train::network::bert::BertDrops;
use crate::train::network::layer::LayerDrops;
use crate::train::network::rows::Dropout;
use candle_core::{DType, Result, Tensor};

/// A BERT in the shape in which it is run.
#[derive(Clone, Copy)]
pub(super) struct Bert<'a> {
    pub(super) pass: &'a Pass<'a>,
    /// What the names of its tensors begin with.
    pub(super) root: &'static str,
    pub(super) shape: EncoderShape,
    pub(super) causal: bool,
    pub(super) drops: &'a BertDrops,
    pub(super) padded: &'a Padded,
}

impl Bert<'_> {
    /// From the embeddings of the tokens to the last layer's output, `[B L, D]` both, in 32 bits.
    pub(super) fn run(&self, tokens: &Tensor, places: &Places) -> Result<Tensor> {
        let table = |name: &str| self.pass.leaf(&format!("{}embeddings.{name}.weight", self.root));
        let positions = self.padded.spread(&places.positions, self.pass.device)?;
        let placed = (tokens + rows_of_table(table("position_embeddings")?, &positions)?)?;
        let embedded = shifted(&placed, &table("token_type_embeddings")?.narrow(0, 0, 1)?.squeeze(0)?)?;
        let normal = self.pass.norm(&format!("{}embeddings.LayerNorm", self.root), &embedded)?;
        let mut hidden = self.drop(&normal, self.drops.embeddings)?;
        let bias = self.padded.bias(self.causal, self.pass.device)?;
        for index in 0..self.shape.layers {
            hidden = self.layer(index, &hidden, &bias)?;
        }
        Ok(hidden)
    }

    fn layer(&self, index: usize, hidden: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let pass = self.pass;
        let drops: LayerDrops = self.drops.layers.get(index).copied().unwrap_or_default();
        let name = |part: &str| format!("{}encoder.layer.{index}.{part}", self.root);
        let attended = self.attend(&name("attention.self"), hidden, bias, drops.attention)?;
        let attended = pass.linear(&name("attention.output.dense"), &attended)?.to_dtype(DType::F32)?;
        let middle = (self.drop(&attended, drops.attention_output)? + hidden)?;
        let middle = pass.norm(&name("attention.output.LayerNorm"), &middle)?;
        let inner = gelu(&pass.linear(&name("intermediate.dense"), &middle)?)?;
        let output = pass.linear(&name("output.dense"), &inner)?.to_dtype(DType::F32)?;
        let output = (self.drop(&output, drops.output)? + middle)?;
        pass.norm(&name("output.LayerNorm"), &output)
    }

    /// Multi-head attention, `[B L, D]` to `[B L, D]`, in the numbers of the matrix products.
    fn attend(&self, name: &str, hidden: &Tensor, bias: &Tensor, dropout: Option<Dropout>) -> Result<Tensor> {
        let (sequences, longest) = self.padded.shape();
        let EncoderShape { width, heads, .. } = self.shape;
        let part = |part: &str| {
            let rows = self.pass.linear(&format!("{name}.{part}"), hidden)?;
            rows.reshape((sequences, longest, heads, width / heads))?.transpose(1, 2)?.contiguous()
        };
        let (queries, keys, values) = (part("query")?, part("key")?, part("value")?);
        let scale = 1.0 / ((width / heads) as f64).sqrt();
        let weights = softmax(&queries.matmul(&keys.t()?)?, scale, bias)?;
        let attended = drop_pairs(&weights, dropout, self.padded)?.matmul(&values)?;
        attended.transpose(1, 2)?.reshape((sequences * longest, width))
    }

    fn drop(&self, rows: &Tensor, dropout: Option<Dropout>) -> Result<Tensor> {
        drop_rows(rows, dropout, self.padded.packed())
    }
}
