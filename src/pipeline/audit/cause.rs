//! What is probably wrong with a label: written rules, asked in order.
//!
//! 1. Read from the other strand: nothing else can be judged before it is turned.
//! 2. Two labels exchanged, 3. contamination (of another family, from the next well, or one of the contaminants that were named): they explain a conflict wholly, so they come before all doubts about quality.
//! 4. Pseudogene, 5. low quality: their names can't be judged by the barcode.
//! 6. Two spellings of one name, before 7. misidentification, which would look the same.
//! 8. A BIN that several species share. 9. Contradicted by most of its nearest, none of which is near enough to say why.
//! 10. A species in several BINs: a question about the species rather than the specimen.

use super::evidence::{Evidence, Other};
use super::names::are_variants;
use super::wells::Wells;
use super::{AuditSettings, name_of};
use crate::data::dataset::{Dataset, Flags};
use crate::data::taxonomy::Field;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// What is probably wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The barcode is written from the other strand.
    ReverseComplement,
    /// Its label and that of another specimen were exchanged.
    SwappedLabel,
    /// The barcode is that of an animal of another order or family.
    Contamination,
    /// A nuclear copy (Song et al. 2008): a stop codon or a broken frame in a barcode that differs from its own species.
    Pseudogene,
    /// Short, ambiguous, not COI, or with errors that break the frame.
    LowQuality,
    /// The name is another spelling of that of its nearest.
    SpellingVariant,
    /// Another species, or genus of its family, than the label says.
    Misidentification,
    /// Its nearest bear other names, but none is near enough to say more.
    Unexplained,
    /// Its BIN holds other species.
    SharedBin,
    /// Its species is in several BINs.
    SplitSpecies,
    /// Nothing speaks against the label.
    LooksRight,
}

impl Cause {
    /// Every cause, in the order in which they are asked about.
    pub const ALL: [Self; 11] = [
        Self::ReverseComplement,
        Self::SwappedLabel,
        Self::Contamination,
        Self::Pseudogene,
        Self::LowQuality,
        Self::SpellingVariant,
        Self::Misidentification,
        Self::Unexplained,
        Self::SharedBin,
        Self::SplitSpecies,
        Self::LooksRight,
    ];

    /// The name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::ReverseComplement => "reverse_complement",
            Self::SwappedLabel => "swapped_label",
            Self::Contamination => "contamination",
            Self::Pseudogene => "pseudogene",
            Self::LowQuality => "low_quality",
            Self::SpellingVariant => "spelling_variant",
            Self::Misidentification => "misidentification",
            Self::Unexplained => "unexplained",
            Self::SharedBin => "shared_bin",
            Self::SplitSpecies => "split_species",
            Self::LooksRight => "looks_right",
        }
    }

    /// The name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::ReverseComplement => "read from the other strand",
            Self::SwappedLabel => "labels exchanged",
            Self::Contamination => "contamination",
            Self::Pseudogene => "pseudogene",
            Self::LowQuality => "low quality",
            Self::SpellingVariant => "spelling of a name",
            Self::Misidentification => "misidentification",
            Self::Unexplained => "contradicted, cause unclear",
            Self::SharedBin => "BIN shared by species",
            Self::SplitSpecies => "species in several BINs",
            Self::LooksRight => "looks right",
        }
    }

    /// Whether something speaks against this specimen: that its species is in several BINs is a question about the species.
    pub fn is_suspicious(self) -> bool {
        !matches!(self, Self::LooksRight | Self::SplitSpecies)
    }

    /// Whether the barcode says nothing about the specimen's name.
    pub fn is_unusable(self) -> bool {
        matches!(self, Self::Contamination | Self::Pseudogene | Self::LowQuality)
    }
}

/// One specimen as the rules see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// Its row.
    pub row: usize,
    /// What is probably wrong.
    pub cause: Cause,
    /// The name that fits the barcode better, where there is one: that of the nearest of another name ([`Evidence::other`]).
    pub proposed: Option<String>,
    /// Row of the specimen with which its label seems to have been exchanged.
    pub partner: Option<usize>,
    /// How strongly the evidence contradicts the label, 0 to 1: the share of the nearest that bear another name ([`Evidence::against`]),
    /// with twice the weight of the share of its BIN fellows that do, times 0.6, 0.75, 0.9 or 1 where the nearest other name
    /// is of another species, genus, family or order. A barcode that can't be judged has at least 0.5.
    pub score: f32,
    /// Why, as one sentence.
    pub because: String,
    /// What it rests on.
    pub evidence: Evidence,
}

/// Judges every specimen by its evidence, in the order of `rows`.
pub(super) fn judge(
    dataset: &Dataset,
    rows: &[usize],
    evidence: Vec<Evidence>,
    settings: &AuditSettings,
) -> Vec<Suspect> {
    let discredited = discredited(rows, &evidence, settings);
    let contradiction =
        |evidence: &Evidence| contradiction(evidence, settings).filter(|other| !discredited.contains(&other.row));
    let mut moves: HashMap<(&str, &str), Vec<(usize, usize)>> = HashMap::new();
    for (&row, evidence) in rows.iter().zip(&evidence) {
        let Some(other) = contradiction(evidence) else { continue };
        if let Some(names) = moved(dataset, row, &other) {
            moves.entry(names).or_default().push((row, other.row));
        }
    }
    // Two specimens that only point at each other are one conflict, not two labels exchanged.
    let partner = |row: usize, other: &Other| {
        let (from, to) = moved(dataset, row, other)?;
        let back = moves.get(&(to, from))?.iter();
        back.copied().find(|&(partner, its_other)| partner != other.row && its_other != row).map(|(partner, _)| partner)
    };
    let wells = Wells::new(dataset);
    let cases = rows.iter().zip(evidence).map(|(&row, evidence)| {
        let contradiction = contradiction(&evidence);
        let partner = contradiction.and_then(|other| partner(row, &other));
        let has_witness = evidence.other.is_some_and(|other| !discredited.contains(&other.row));
        judged(&Case {
            dataset,
            row,
            evidence: &evidence,
            settings,
            contradiction,
            partner,
            has_witness,
            wells: &wells,
        })
    });
    cases.collect()
}

/// Specimens that are no witnesses against others: those of their own name are not near to them.
fn discredited(rows: &[usize], evidence: &[Evidence], settings: &AuditSettings) -> HashSet<usize> {
    let nearest = settings.same_species - settings.margin;
    let is_alone = |evidence: &Evidence| evidence.own.is_some_and(|(_, own)| own < nearest);
    rows.iter().zip(evidence).filter(|(_, evidence)| is_alone(evidence)).map(|(&row, _)| row).collect()
}

/// The name on the label and that of the barcode, at the finest rank at which both have one and they differ: genera, else species.
fn moved<'a>(dataset: &'a Dataset, row: usize, other: &Other) -> Option<(&'a str, &'a str)> {
    [Field::Genus, Field::Species].into_iter().find_map(|field| {
        let pair = dataset.label(row, field).zip(dataset.label(other.row, field));
        pair.filter(|(ours, theirs)| ours != theirs)
    })
}

/// The nearest of another name, where it fits the barcode clearly better than the nearest of its own.
fn contradiction(evidence: &Evidence, settings: &AuditSettings) -> Option<Other> {
    let other = evidence.other.filter(|other| other.identity >= settings.same_species)?;
    evidence.own.is_none_or(|(_, own)| other.identity - own > settings.margin).then_some(other)
}

/// A specimen before its judges.
struct Case<'a> {
    dataset: &'a Dataset,
    row: usize,
    evidence: &'a Evidence,
    settings: &'a AuditSettings,
    /// The nearest of another name, where it fits the barcode clearly better than the nearest of its own, and is credible.
    contradiction: Option<Other>,
    /// Another specimen whose barcode fits this one's label, and its label this one's barcode.
    partner: Option<usize>,
    /// Whether the nearest of another name is one that others of its name confirm.
    has_witness: bool,
    /// Where specimens stood.
    wells: &'a Wells<'a>,
}

/// A rule's verdict: the name that fits better, and why.
type Verdict = Option<(Option<String>, String)>;

/// A rule.
type Rule = fn(&Case<'_>) -> Verdict;

fn judged(case: &Case<'_>) -> Suspect {
    let evidence = case.evidence;
    let rules: [(Cause, Rule); 10] = [
        (Cause::ReverseComplement, reverse_complement),
        (Cause::SwappedLabel, swapped_label),
        (Cause::Contamination, contamination),
        (Cause::Pseudogene, pseudogene),
        (Cause::LowQuality, low_quality),
        (Cause::SpellingVariant, spelling_variant),
        (Cause::Misidentification, misidentification),
        (Cause::SharedBin, shared_bin),
        (Cause::Unexplained, unexplained),
        (Cause::SplitSpecies, split_species),
    ];
    let found = rules.into_iter().find_map(|(cause, rule)| rule(case).map(|verdict| (cause, verdict)));
    let (cause, (proposed, because)) = found.unwrap_or_else(|| (Cause::LooksRight, (None, right(case))));
    let floor = if cause.is_unusable() || cause == Cause::ReverseComplement { 0.5 } else { 0.0 };
    let partner = case.partner.filter(|_| cause == Cause::SwappedLabel);
    Suspect {
        row: case.row,
        cause,
        proposed,
        partner,
        score: score(evidence).max(floor),
        because,
        evidence: evidence.clone(),
    }
}

fn score(evidence: &Evidence) -> f32 {
    let [fellows, against] = evidence.bin_fellows;
    let share = match fellows {
        0 => evidence.against,
        _ => (2.0 * evidence.against + against as f32 / fellows as f32) / 3.0,
    };
    let gravity = match evidence.other.map(|other| other.rank) {
        Some(Field::Order) => 1.0,
        Some(Field::Family) => 0.9,
        Some(Field::Subfamily | Field::Genus) => 0.75,
        _ => 0.6,
    };
    gravity * share
}

impl Case<'_> {
    fn is(&self, flag: Flags) -> bool {
        self.evidence.flags.contains(flag)
    }

    fn name(&self, row: usize) -> &str {
        name_of(self.dataset, row).unwrap_or("no name")
    }

    /// `99.4 % identical to X (Apis mellifera), 81.0 % to the nearest of its own name`
    fn compared(&self, other: &Other) -> String {
        let own = match self.evidence.own {
            Some((_, own)) => format!("{} to the nearest of its own name", percent(own)),
            None => "and no other specimen bears its name".to_owned(),
        };
        format!(
            "the barcode is {} identical to {} ({}), {own}",
            percent(other.identity),
            self.dataset.id(other.row),
            self.name(other.row)
        )
    }

    fn proposal(&self, other: &Other) -> Option<String> {
        name_of(self.dataset, other.row).map(str::to_owned)
    }

    /// Whether it differs from its own species, and is near to no other.
    fn diverges(&self) -> bool {
        let nearest = [self.evidence.own.map(|(_, own)| own), self.evidence.other.map(|other| other.identity)];
        nearest.into_iter().flatten().all(|identity| identity < self.settings.same_species)
    }

    /// Whether it fits the frame nowhere and no barcode of its own name is like it: of another stretch of DNA, as far as anyone can tell,
    /// whose stop codons say nothing. Those of another name that are like it may be of that stretch, too.
    fn is_another_region(&self) -> bool {
        let own = self.evidence.own.map(|(_, own)| own);
        self.is(Flags::NOT_COI) && own.is_none_or(|own| own < self.settings.related)
    }

    fn breaks(&self) -> Option<&'static str> {
        if self.is(Flags::STOP_CODON) {
            Some("a stop codon in every reading frame")
        } else if self.evidence.breaks_frame {
            Some("a gap that breaks the reading frame")
        } else {
            None
        }
    }
}

fn percent(share: f32) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn reverse_complement(case: &Case<'_>) -> Verdict {
    case.is(Flags::REVERSE_COMPLEMENT)
        .then(|| (None, "it fits the COI-5P frame only as its reverse complement".to_owned()))
}

fn swapped_label(case: &Case<'_>) -> Verdict {
    let (other, partner) = case.contradiction.zip(case.partner)?;
    let partner = case.dataset.id(partner);
    Some((
        case.proposal(&other),
        format!("{}; {partner} has the label and the barcode the other way round", case.compared(&other)),
    ))
}

fn contamination(case: &Case<'_>) -> Verdict {
    contaminant(case).or_else(|| splash(case))
}

/// The barcode is one of the contaminants that were named, and not nearer to its own name.
fn contaminant(case: &Case<'_>) -> Verdict {
    let found = case.evidence.contaminant.as_ref()?;
    let own = case.evidence.own.map_or(0.0, |(_, own)| own);
    (found.identity >= case.settings.contaminant && found.identity > own).then(|| {
        (None, format!("the barcode is {} identical to the contaminant {}", percent(found.identity), found.name))
    })
}

/// The barcode is that of a specimen of another family, or of one of another genus or species in the next well.
fn splash(case: &Case<'_>) -> Verdict {
    let other = case.contradiction.filter(|other| other.identity >= case.settings.contamination)?;
    let beside = case.wells.beside(case.row, other.row);
    let is_far = matches!(other.rank, Field::Order | Field::Family);
    let [ours, theirs] = match beside {
        Some(wells) => wells,
        None if is_far => {
            return Some((None, format!("{}, which is of another {}", case.compared(&other), other.rank.title())));
        }
        None => return None,
    };
    let rank = other.rank.title();
    Some((
        None,
        format!("{}, which is of another {rank} and stood beside it ({ours} and {theirs})", case.compared(&other)),
    ))
}

fn pseudogene(case: &Case<'_>) -> Verdict {
    let broken = case.breaks().filter(|_| case.diverges() && !case.is_another_region())?;
    let own = case.evidence.own.map_or_else(
        || "it is near to no other specimen".to_owned(),
        |(_, own)| format!("it is only {} identical to the nearest of its own name", percent(own)),
    );
    Some((None, format!("{broken}, and {own}")))
}

fn low_quality(case: &Case<'_>) -> Verdict {
    let reasons = [
        case.is(Flags::SHORT).then_some("fewer than 200 bases"),
        case.is(Flags::AMBIGUOUS).then_some("more than 1 % of the letters are not A, C, G or T"),
        case.is(Flags::NOT_COI).then_some("it fits the COI-5P frame nowhere"),
        // One that is another species' twin down to its errors is misnamed rather than misread.
        case.breaks().filter(|_| case.contradiction.is_none()),
    ];
    let told: Vec<&str> = reasons.into_iter().flatten().collect();
    (!told.is_empty()).then(|| (None, told.join(", ")))
}

fn spelling_variant(case: &Case<'_>) -> Verdict {
    let other = case.evidence.other.as_ref().filter(|other| other.identity >= case.settings.same_species)?;
    let [ours, theirs] = [case.row, other.row].map(|row| case.dataset.label(row, Field::Species));
    let (ours, theirs) = ours.zip(theirs)?;
    let counts = |name: &str| case.dataset.labels(Field::Species).iter().filter(|&label| label == Some(name)).count();
    let is_rarer = || (counts(ours), theirs) < (counts(theirs), ours);
    (are_variants(ours, theirs) && is_rarer()).then(|| {
        let text = format!(
            "{} looks like another spelling of {theirs}, as {} is named, whose barcode is {} identical",
            ours,
            case.dataset.id(other.row),
            percent(other.identity)
        );
        (Some(theirs.to_owned()), text)
    })
}

fn misidentification(case: &Case<'_>) -> Verdict {
    let other = case.contradiction?;
    Some((case.proposal(&other), case.compared(&other)))
}

fn unexplained(case: &Case<'_>) -> Verdict {
    let other = case.evidence.other.filter(|_| case.has_witness)?;
    (case.evidence.against > 0.5).then(|| (None, case.compared(&other)))
}

fn shared_bin(case: &Case<'_>) -> Verdict {
    let [fellows, against] = case.evidence.bin_fellows;
    let bin = case.dataset.label(case.row, Field::Bin)?;
    (against > 0).then(|| (None, format!("{against} of the {fellows} others in {bin} bear another name")))
}

fn split_species(case: &Case<'_>) -> Verdict {
    let species = case.dataset.label(case.row, Field::Species)?;
    let bins = case.evidence.bins_of_species;
    (bins > 1).then(|| (None, format!("{species} is in {bins} BINs")))
}

fn right(case: &Case<'_>) -> String {
    match case.evidence.own {
        Some((row, own)) => format!("{} identical to {}, which bears its name", percent(own), case.dataset.id(row)),
        None => "no other specimen bears its name, and none of another is as near as its species would be".to_owned(),
    }
}

#[cfg(test)]
mod tests;
