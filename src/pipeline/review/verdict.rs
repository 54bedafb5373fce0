//! What a curator says about a specimen, as decisions that can be kept.

use super::Curated;
use crate::data::taxonomy::Field;
use crate::pipeline::scope::{Decision, DecisionKind};

/// Tags of curators of barcode libraries: misidentified, ambiguous, a complex of species, and BINs or barcodes shared by species
/// (Radulovici et al. 2021, Metabarcoding and Metagenomics 5: e67862).
pub const TAGS: [&str; 4] = ["MIS-ID", "AMBIG", "COMPLEX", "SHARE"];

/// What is said about a specimen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Its label is right.
    Accept,
    /// It bears the names of another specimen, at every rank.
    NameAs(usize),
    /// It bears this name at this rank; finer names are taken away.
    Name(Field, String),
    /// Its names finer than this rank are taken away.
    LiftTo(Field),
    /// It and another specimen exchange their names.
    SwapWith(usize),
    /// It is left out.
    Exclude,
    /// It is to be sequenced again.
    Resequence,
    /// It carries a tag.
    Tag(String),
    /// Only the reason is to be kept.
    Comment,
}

/// Who decides, and why.
#[derive(Debug, Clone, Copy)]
pub struct Curator<'a> {
    /// Who.
    pub who: &'a str,
    /// Why.
    pub reason: &'a str,
}

impl Verdict {
    /// The decisions that say this of a row: one step, empty where it would change nothing.
    pub fn decisions(&self, curated: &Curated<'_>, row: usize, by: Curator<'_>) -> Vec<Decision> {
        let one = |kind: DecisionKind| vec![decision(curated, row, kind, by)];
        let mut step = match self {
            Self::Accept => one(DecisionKind::Accept),
            Self::Exclude => one(DecisionKind::Exclude),
            Self::Resequence => one(DecisionKind::Resequence),
            Self::Comment if by.reason.is_empty() => Vec::new(),
            Self::Comment => one(DecisionKind::Comment),
            Self::Tag(tag) => {
                vec![Decision { new: Some(tag.clone()), ..decision(curated, row, DecisionKind::Tag, by) }]
            }
            Self::NameAs(other) => names_of(curated, row, *other, by),
            Self::SwapWith(other) => [names_of(curated, row, *other, by), names_of(curated, *other, row, by)].concat(),
            Self::LiftTo(rank) => finer(*rank).filter_map(|field| relabel(curated, row, field, None, by)).collect(),
            Self::Name(rank, name) => {
                let named = relabel(curated, row, *rank, Some(name.trim()).filter(|name| !name.is_empty()), by);
                named
                    .into_iter()
                    .chain(finer(*rank).filter_map(|field| relabel(curated, row, field, None, by)))
                    .collect()
            }
        };
        for later in step.iter_mut().skip(1) {
            later.continues = true;
        }
        step
    }
}

/// The ranks finer than one, the broadest first.
fn finer(rank: Field) -> impl Iterator<Item = Field> {
    Field::RANKS.into_iter().filter(move |&field| field > rank)
}

/// The decisions that give a row the names of another.
fn names_of(curated: &Curated<'_>, row: usize, other: usize, by: Curator<'_>) -> Vec<Decision> {
    Field::RANKS.into_iter().filter_map(|field| relabel(curated, row, field, curated.label(other, field), by)).collect()
}

/// The decision that gives a row a name; `None` where it has it.
fn relabel(curated: &Curated<'_>, row: usize, field: Field, name: Option<&str>, by: Curator<'_>) -> Option<Decision> {
    let old = curated.label(row, field);
    (old != name).then(|| Decision {
        field: Some(field),
        old: old.map(str::to_owned),
        new: name.map(str::to_owned),
        ..decision(curated, row, DecisionKind::Relabel, by)
    })
}

fn decision(curated: &Curated<'_>, row: usize, kind: DecisionKind, by: Curator<'_>) -> Decision {
    Decision {
        kind,
        specimen: curated.dataset().id(row).to_owned(),
        field: None,
        old: None,
        new: None,
        who: by.who.to_owned(),
        reason: by.reason.to_owned(),
        continues: false,
    }
}
