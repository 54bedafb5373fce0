//! Which labels do not fit their barcodes, why, and how well names and BINs agree.
//!
//! Every specimen is compared with all others ([`Evidence`]): with its nearest by the chosen method, with the nearest that bear its own
//! name, and with its BIN fellows. Written rules turn that into a proposed [`Cause`] ([`cause`](self) says in which order), and a
//! score ranks how strongly the evidence contradicts the label. Nothing is changed: what a curator accepts is for the curator to say.
//!
//! The kinds of errors are those that curators of barcode libraries meet (Radulovici et al. 2021; Fontes et al. 2020; BOLD handbook).

mod cause;
mod contaminants;
mod evidence;
mod names;
mod report;
mod wells;

pub use cause::{Cause, Suspect};
pub use contaminants::{Contaminant, Contaminants};
pub use evidence::{Evidence, Other};
pub use report::{write_audit, write_concordance, write_grades, write_report, write_suspects};

use super::side::{Method, Side};
use super::{PipelineError, Provenance};
use crate::analysis::discordance::{BinRow, discordance};
use crate::analysis::grades::{GradeRow, grades};
use crate::data::dataset::Dataset;
use crate::data::frame::check_frames;
use crate::data::reading::TransformKind;
use crate::data::taxonomy::Field;
use crate::progress::Observer;
use crate::seed::Seed;
use std::collections::HashSet;
use std::time::Instant;

/// How specimens are judged. Identities are shares of equal bases, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct AuditSettings {
    /// How the nearest specimens are found; identity decides among them in any case.
    pub method: Method,
    /// Transform of the embeddings; `None` as the model's settings say.
    pub transform: Option<TransformKind>,
    /// Nearest specimens that are asked for their name.
    pub neighbours: usize,
    /// Identity from which on a barcode of another family or order is no relative but the same animal: a contamination.
    pub contamination: f32,
    /// Identity from which on a barcode is taken for one of the contaminants that it is compared with.
    pub contaminant: f32,
    /// Identity from which on two barcodes may be of one species. 2 % is the usual first guess for COI (Hebert et al. 2003).
    pub same_species: f32,
    /// Identity below which a barcode that fits the COI-5P frame nowhere is another stretch of DNA rather than a copy gone astray: unrelated
    /// sequences of this composition align at 0.4 to 0.55.
    pub related: f32,
    /// By how much the nearest of another name must be more identical than the nearest of its own before a label is doubted.
    pub margin: f32,
    /// Seed, of which only the record needs to know: nothing is drawn.
    pub seed: Seed,
}

impl Default for AuditSettings {
    fn default() -> Self {
        Self {
            method: Method::Both,
            transform: None,
            neighbours: 10,
            contamination: 0.99,
            contaminant: 0.9,
            same_species: 0.98,
            related: 0.6,
            margin: 0.015,
            seed: Seed::default(),
        }
    }
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Every named specimen, the most suspicious first; equal ones in file order.
    pub suspects: Vec<Suspect>,
    /// Specimens without a name, which cannot be judged.
    pub unnamed: usize,
    /// Grades of the species.
    pub grades: Vec<GradeRow>,
    /// The BINs and the names in them.
    pub bins: Vec<BinRow>,
    /// Wall time, without embedding.
    pub seconds: f64,
    /// How it was made.
    pub provenance: Provenance,
}

impl Audit {
    /// Specimens against which something speaks.
    pub fn suspicious(&self) -> usize {
        self.suspects.iter().filter(|suspect| suspect.cause.is_suspicious()).count()
    }

    /// Specimens of a cause.
    pub fn count(&self, cause: Cause) -> usize {
        self.suspects.iter().filter(|suspect| suspect.cause == cause).count()
    }
}

/// The ranks that names are compared at, the broadest first.
pub(in crate::pipeline) const RANKS: [Field; 5] =
    [Field::Order, Field::Family, Field::Subfamily, Field::Genus, Field::Species];

/// Judges every specimen that has a species or a genus by all others.
///
/// # Errors
/// [`PipelineError::NoNames`] when none has, [`PipelineError::Setting`] for settings out of range or missing embeddings, and a stop.
pub fn audit(side: Side<'_>, settings: &AuditSettings, observer: &dyn Observer) -> Result<Audit, PipelineError> {
    audit_with(side, None, settings, observer)
}

/// The same, with a screen against contaminants.
///
/// # Errors
/// As [`audit`].
pub fn audit_with(
    side: Side<'_>,
    contaminants: Option<&Contaminants>,
    settings: &AuditSettings,
    observer: &dyn Observer,
) -> Result<Audit, PipelineError> {
    check_settings(settings)?;
    let start = Instant::now();
    let dataset = side.dataset;
    let rows: Vec<usize> = side.row_list().into_iter().filter(|&row| name_of(dataset, row).is_some()).collect();
    if rows.is_empty() {
        return Err(PipelineError::NoNames { dataset: dataset.name().to_owned() });
    }
    let frames = check_frames(dataset, observer)?;
    let mut evidence = evidence::gather(side, &rows, &frames, settings, observer)?;
    if let Some(contaminants) = contaminants {
        evidence::screen(dataset, &rows, contaminants, &mut evidence, observer)?;
    }
    // A wrong label puts a second species into a BIN and a species into a second BIN, for which the others are not to blame.
    let accused = cause::judge(dataset, &rows, evidence.clone(), settings);
    let trusted: HashSet<usize> =
        accused.iter().filter(|suspect| suspect.cause == Cause::LooksRight).map(|suspect| suspect.row).collect();
    evidence::add_bins(dataset, &rows, &trusted, &mut evidence);
    let mut suspects = cause::judge(dataset, &rows, evidence, settings);
    suspects.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
    let columns = RANKS.map(|field| (field, dataset.labels(field)));
    Ok(Audit {
        unnamed: side.row_list().len() - rows.len(),
        suspects,
        grades: grades(dataset.labels(Field::Species), dataset.labels(Field::Bin)),
        bins: discordance(dataset.labels(Field::Bin), &columns),
        seconds: start.elapsed().as_secs_f64(),
        provenance: provenance(side, settings).with("contaminants", contaminants.map_or(0, Contaminants::len)),
    })
}

/// The finest name that is judged: the species, else the genus.
pub(in crate::pipeline) fn name_of(dataset: &Dataset, row: usize) -> Option<&str> {
    dataset.label(row, Field::Species).or_else(|| dataset.label(row, Field::Genus))
}

fn check_settings(settings: &AuditSettings) -> Result<(), PipelineError> {
    let shares = [
        ("contamination", settings.contamination),
        ("contaminant", settings.contaminant),
        ("same species", settings.same_species),
        ("related", settings.related),
        ("margin", settings.margin),
    ];
    match shares.into_iter().find(|(_, share)| !(0.0..=1.0).contains(share)) {
        Some((name, share)) => {
            Err(PipelineError::Setting(format!("the {name} threshold is a share between 0 and 1, not {share}")))
        }
        None if settings.neighbours == 0 => {
            Err(PipelineError::Setting("at least one neighbour has to be asked".to_owned()))
        }
        None => Ok(()),
    }
}

fn provenance(side: Side<'_>, settings: &AuditSettings) -> Provenance {
    let result = Provenance::new(settings.seed, &[side.dataset]);
    let result = match side.embedded.filter(|_| settings.method.embeds()) {
        Some(embedded) => embedded.describe(result),
        None => result,
    };
    result
        .with("audit by", settings.method)
        .with("neighbours", settings.neighbours)
        .with("contamination identity", settings.contamination)
        .with("contaminant identity", settings.contaminant)
        .with("same species identity", settings.same_species)
        .with("related identity", settings.related)
        .with("margin", settings.margin)
}

#[cfg(test)]
mod tests;
