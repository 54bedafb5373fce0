//! Dark regions: where specimens have neighbours, but few that anybody named.

use crate::analysis::knn::nearest;
use crate::pipeline::PipelineError;
use crate::pipeline::likeness::{Reference, uniques_of};
use crate::pipeline::side::{Method, Side};
use crate::progress::Observer;

/// Barcodes that make a neighbourhood.
pub const NEIGHBOURHOOD: usize = 15;

/// For every row of a dataset how many of its barcode's [`NEIGHBOURHOOD`] nearest other barcodes no specimen of the reference has,
/// by cosine of the embeddings, `[N]`; `None` for rows that are neither in the reference nor among the queries. Of fewer barcodes
/// all others are the neighbourhood.
///
/// # Errors
/// What [`Reference::new`] says, and a stop.
pub fn darkness(
    reference: Side<'_>,
    query: &[usize],
    observer: &dyn Observer,
) -> Result<Vec<Option<u8>>, PipelineError> {
    let dataset = reference.dataset;
    let named_rows = reference.row_list();
    let rows: Vec<usize> = named_rows.iter().chain(query).copied().collect();
    let uniques = uniques_of(dataset, &rows);
    let mut is_named = vec![false; dataset.unique_len()];
    named_rows.iter().for_each(|&row| is_named[dataset.unique_of(row)] = true);

    let model = Reference::new(Method::Model, reference, None, observer)?;
    let mut dark = vec![None; dataset.unique_len()];
    if let Some(vectors) = model.query_vectors(&reference, observer)? {
        let vectors = vectors.select(&uniques);
        let found = nearest(&vectors, &vectors, NEIGHBOURHOOD, &|a, b| a == b, observer)?;
        for (at, &unique) in uniques.iter().enumerate() {
            let unnamed = found.of(at).filter(|&(other, _)| !is_named[uniques[other as usize]]);
            dark[unique] = Some(unnamed.count() as u8);
        }
    }
    let mut of_row = vec![None; dataset.len()];
    rows.into_iter().for_each(|row| of_row[row] = dark[dataset.unique_of(row)]);
    Ok(of_row)
}
