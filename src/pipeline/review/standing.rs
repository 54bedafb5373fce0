//! How well names, barcodes and BINs of a file agree, before and after decisions.

use super::Curated;
use crate::analysis::discordance::{Accord, discordance};
use crate::analysis::grades::{Grade, grades, summary};
use crate::analysis::metrics::bootstrap_interval;
use crate::data::taxonomy::Field;
use crate::pipeline::audit::{Audit, RANKS};
use crate::seed::Seed;

/// Resamples of an interval.
const RESAMPLES: usize = 1000;

/// A share with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Share {
    /// How many.
    pub part: usize,
    /// Of how many.
    pub whole: usize,
    /// By bootstrap over species; `None` of nothing.
    pub interval: Option<[f64; 2]>,
}

impl Share {
    /// The share, 0 to 1; `None` of nothing.
    pub fn value(&self) -> Option<f64> {
        (self.whole > 0).then(|| self.part as f64 / self.whole as f64)
    }
}

/// How well names, barcodes and BINs agree.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Standing {
    /// Specimens that were not left out.
    pub specimens: usize,
    /// Specimens whose most identical other specimen with a species bears the same species.
    pub named: Share,
    /// BINs that are discordant, concordant and singletons, in the order of [`Accord::ALL`].
    pub bins: [usize; 3],
    /// Species and specimens of each grade, in the order of [`Grade::ALL`].
    pub grades: [(Grade, usize, usize); 5],
}

/// Measures the labels in force, by the neighbours that an audit of the same specimens found.
pub fn standing(audit: &Audit, curated: &Curated<'_>, seed: Seed) -> Standing {
    let species = curated.column(Field::Species);
    let excluded = (0..species.len()).filter(|&row| curated.is_excluded(row)).count();
    let bins = curated.column(Field::Bin);
    let ranks: Vec<_> = RANKS.map(|field| (field, curated.column(field))).into_iter().collect();
    let ranks: Vec<_> = ranks.iter().map(|(field, column)| (*field, column)).collect();
    let found = discordance(&bins, &ranks);
    let (mut hits, mut groups) = (Vec::new(), Vec::new());
    for suspect in &audit.suspects {
        let Some(own) = species.code(suspect.row) else { continue };
        let theirs = suspect.evidence.near.iter().find_map(|&(other, _)| species.code(other as usize));
        hits.push(theirs == Some(own));
        groups.push(own);
    }
    Standing {
        specimens: species.len() - excluded,
        named: Share {
            part: hits.iter().filter(|hit| **hit).count(),
            whole: hits.len(),
            interval: bootstrap_interval(&hits, &groups, RESAMPLES, seed),
        },
        bins: Accord::ALL.map(|accord| found.iter().filter(|row| row.accord == accord).count()),
        grades: summary(&grades(&species, &bins)),
    }
}
