//! Tables of the masking lab.

use super::{or_empty, write_rows};
use crate::data::dataset::Dataset;
use crate::model::Objective;
use crate::pipeline::PipelineError;
use crate::pipeline::evaluate::compare::ComparisonRow;
use crate::pipeline::masking::MaskingRow;
use crate::pipeline::overlay::MapPair;
use crate::pipeline::reconstruct::{Codon, ReconstructedToken, Reconstruction, Reconstructions, by_position};
use std::path::Path;

/// What was trained to do something, by name; what was not trained has the objective `none`.
fn objective(objective: Option<Objective>) -> String {
    objective.map_or("none", Objective::key).to_owned()
}

/// One end of an interval, where there is one.
fn end(ci95: Option<[f64; 2]>, which: usize) -> String {
    or_empty(ci95.map(|ends| share(ends[which])))
}

fn share(value: f64) -> String {
    format!("{value:.6}")
}

/// `model,objective,mode,ratio,seed,task,metric,value,lo,hi,n`.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_masking(path: &Path, rows: &[MaskingRow]) -> Result<(), PipelineError> {
    let header = ["model", "objective", "mode", "ratio", "seed", "task", "metric", "value", "lo", "hi", "n"];
    let cells = |row: &MaskingRow| {
        vec![
            row.model.clone(),
            objective(row.objective),
            row.mode.to_string(),
            row.ratio.to_string(),
            row.seed.to_string(),
            row.task.to_owned(),
            row.metric.to_owned(),
            share(row.value),
            end(row.ci95, 0),
            end(row.ci95, 1),
            row.n.to_string(),
        ]
    };
    write_rows(path, &header, rows.iter().map(cells))
}

/// `model,objective,trained_ratio,task,split,rank,metric,value,lo,hi,n,n_species`.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_comparison(path: &Path, rows: &[ComparisonRow]) -> Result<(), PipelineError> {
    let header = [
        "model",
        "objective",
        "trained_ratio",
        "task",
        "split",
        "rank",
        "metric",
        "value",
        "lo",
        "hi",
        "n",
        "n_species",
    ];
    let cells = |ComparisonRow { model, objective: trained_to, trained_ratio, found }: &ComparisonRow| {
        vec![
            model.clone(),
            objective(*trained_to),
            or_empty(*trained_ratio),
            found.task.to_owned(),
            found.split.clone(),
            found.rank.to_string(),
            found.metric.to_owned(),
            share(found.value),
            end(found.ci95, 0),
            end(found.ci95, 1),
            found.n.to_string(),
            found.n_species.to_string(),
        ]
    };
    write_rows(path, &header, rows.iter().map(cells))
}

/// `id,x1,y1,x2,y2,kept`: the places on both maps, and the share of the neighbours that both models see, most changed first.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_map_pair(path: &Path, dataset: &Dataset, pair: &MapPair) -> Result<(), PipelineError> {
    let cells = |&row: &usize| {
        let ([x1, y1], [x2, y2]) = (pair.first[row], pair.second[row]);
        let mut cells = vec![dataset.id(row).to_owned()];
        cells.extend([x1, y1, x2, y2].map(|value| value.to_string()));
        cells.push(share(pair.kept[row]));
        cells
    };
    write_rows(path, &["id", "x1", "y1", "x2", "y2", "kept"], pair.most_changed().iter().map(cells))
}

/// `id,position,base,kmer,masked,rank,guess,probability,right,amino_acids,guessed_amino_acids`: one line per guess of every masked
/// k-mer, one per other k-mer, in order. `base` counts the bases of the barcode as it was read from 1; the amino acids are those
/// of the codons that begin within the k-mer, in the second column with the best guesses filled in.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_reconstructions(path: &Path, dataset: &Dataset, found: &Reconstructions) -> Result<(), PipelineError> {
    let header = [
        "id",
        "position",
        "base",
        "kmer",
        "masked",
        "rank",
        "guess",
        "probability",
        "right",
        "amino_acids",
        "guessed_amino_acids",
    ];
    let of_barcode = |barcode: &Reconstruction| -> Vec<Vec<String>> {
        let id = dataset.id(barcode.row);
        barcode.tokens.iter().flat_map(|token| token_lines(id, barcode, token, found.k)).collect()
    };
    write_rows(path, &header, found.barcodes.iter().flat_map(of_barcode))
}

fn token_lines(id: &str, barcode: &Reconstruction, token: &ReconstructedToken, k: usize) -> Vec<Vec<String>> {
    let within = token.first_base..token.first_base + k;
    let letters = |letter: fn(&Codon) -> char| -> String {
        barcode.codons.iter().filter(|codon| within.contains(&codon.first_base)).map(letter).collect()
    };
    let line = |guess: [String; 4]| {
        let mut cells = vec![
            id.to_owned(),
            token.position.to_string(),
            (token.first_base + 1).to_string(),
            token.kmer.clone(),
            yes_or_no(token.masked),
        ];
        cells.extend(guess);
        cells.extend([letters(|codon| codon.amino_acid), letters(|codon| codon.guessed)]);
        cells
    };
    if !token.masked {
        return vec![line([const { String::new() }; 4])];
    }
    let guesses = token.guesses.iter().enumerate();
    let of_guess = |(rank, guess): (usize, &crate::pipeline::reconstruct::Guess)| {
        let right = yes_or_no(guess.kmer == token.kmer);
        line([(rank + 1).to_string(), guess.kmer.clone(), share(guess.probability), right])
    };
    guesses.map(of_guess).collect()
}

fn yes_or_no(flag: bool) -> String {
    if flag { "yes" } else { "no" }.to_owned()
}

/// `position,base,masked,right,accuracy,mean_probability,most_frequent`: guesses by position; `base` is the first base of the k-mer
/// in the window, from 1, `most_frequent` the accuracy of always guessing the most frequent k-mer there.
///
/// # Errors
/// [`PipelineError::Write`].
pub fn write_positions(path: &Path, found: &Reconstructions) -> Result<(), PipelineError> {
    let header = ["position", "base", "masked", "right", "accuracy", "mean_probability", "most_frequent"];
    let rows = by_position(found).into_iter().map(|score| {
        vec![
            score.position.to_string(),
            (score.position as usize * found.k + 1).to_string(),
            score.masked.to_string(),
            score.right.to_string(),
            share(score.accuracy()),
            share(score.mean_probability),
            share(score.bar()),
        ]
    });
    write_rows(path, &header, rows)
}
