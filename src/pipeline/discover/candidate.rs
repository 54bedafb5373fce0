//! What the discoveries are: groups of alike barcodes, each with its relatives and what speaks for and against it.

use super::Finding;
use super::calibration::HeldOut;
use super::decide::Decision;
use super::diagnostic::diagnostic_in_frame;
use super::quality::Doubt;
use super::score::Known;
use crate::analysis::alignment::Aligner;
use crate::analysis::cluster::Linkage;
use crate::analysis::diagnostic::DiagnosticBase;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::PipelineError;
use crate::pipeline::cluster::{ClusterRecipe, groups};
use crate::pipeline::side::Side;
use crate::progress::{Observer, Progress};
use crate::seed::Seed;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Nearest species that are named for each candidate.
const RELATIVES: usize = 3;
/// Different barcodes of a candidate, and of its nearest species, that are compared with each other; more change little.
const COMPARED: usize = 40;
/// Share of the held-out specimens of known species whose nearest fellow is within the distance of a group, where the discoveries
/// show no gap of their own.
const WITHIN: f64 = 0.95;

/// A known species near a candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Relative {
    /// Row of its most identical specimen, in the reference's dataset.
    pub row: usize,
    /// Its species.
    pub species: String,
    /// Highest identity with a member, 0 to 1.
    pub identity: f32,
}

/// A group of discoveries that may be one new species.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What its members are taken for: what most of them are.
    pub decision: Decision,
    /// The genus, for a new species of a known one.
    pub genus: Option<String>,
    /// Rows in the query's dataset, in file order.
    pub members: Vec<usize>,
    /// Different barcodes among them.
    pub barcodes: usize,
    /// The lowest of the members' rates: at which false-discovery rate the first of them is listed.
    pub q: f64,
    /// The nearest known species, the most identical first.
    pub relatives: Vec<Relative>,
    /// Lowest identity of two members, 0 to 1; `None` for a single barcode.
    pub within: Option<f32>,
    /// Smallest p-distance to the reference less the largest within: the barcode gap (Meyer & Paulay 2005); negative where a
    /// reference is nearer than some members are to each other. A single barcode has no distance within.
    pub gap: Option<f32>,
    /// Bases that all members have and no specimen of the nearest species.
    pub diagnostic: Vec<DiagnosticBase>,
    /// How many members each doubt speaks against, the gravest first.
    pub doubts: Vec<(Doubt, usize)>,
    /// Members against which nothing speaks.
    pub sound: usize,
}

impl Candidate {
    /// Whether at least half of the members are sound. What is not should be looked at before it is called a species.
    pub fn is_sound(&self) -> bool {
        2 * self.sound >= self.members.len()
    }

    /// Its name for the time being: that of its genus, or none, and its number.
    pub fn name(&self, number: usize) -> String {
        match (&self.genus, self.decision) {
            (Some(genus), _) => format!("{genus} sp. {}", number + 1),
            (None, Decision::NewGenus) => format!("new genus {}", number + 1),
            (None, _) => format!("new taxon {}", number + 1),
        }
    }
}

/// Groups the discoveries; answers the candidates, largest first, and the cosine distance at which groups were cut.
pub(super) fn candidates(
    known: &Known<'_>,
    held_out: &HeldOut,
    query: Side<'_>,
    findings: &[Finding],
    threshold: Option<f32>,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<(Vec<Candidate>, Option<f32>), PipelineError> {
    let discovered: Vec<&Finding> = findings.iter().filter(|finding| finding.is_discovery).collect();
    let mut uniques: Vec<usize> = discovered.iter().map(|finding| query.dataset.unique_of(finding.row)).collect();
    uniques.sort_unstable();
    uniques.dedup();
    let (labels, cut) = group_barcodes(known, held_out, query, &uniques, threshold, seed, observer)?;
    let label_of: HashMap<usize, i32> = uniques.iter().copied().zip(labels).collect();
    let mut by_group: BTreeMap<i32, Vec<&Finding>> = BTreeMap::new();
    for finding in discovered {
        by_group.entry(label_of[&query.dataset.unique_of(finding.row)]).or_default().push(finding);
    }
    let total = by_group.len();
    let mut made = Vec::with_capacity(total);
    let species_rows = rows_by_species(known);
    let mut aligner = Aligner::new();
    for (at, members) in by_group.into_values().enumerate() {
        observer.progress(Progress::new("describing what was found", at, total, "candidates"))?;
        made.push(describe(known, &species_rows, query.dataset, &members, &mut aligner));
    }
    made.sort_by(|a: &Candidate, b| b.members.len().cmp(&a.members.len()).then(a.members.cmp(&b.members)));
    Ok((made, cut))
}

/// Group of each of the query's unique barcodes `uniques`, and the distance used.
fn group_barcodes(
    known: &Known<'_>,
    held_out: &HeldOut,
    query: Side<'_>,
    uniques: &[usize],
    threshold: Option<f32>,
    seed: Seed,
    observer: &dyn Observer,
) -> Result<(Vec<i32>, Option<f32>), PipelineError> {
    let Some(vectors) = known.model().query_vectors(&query, observer)? else { return Ok((Vec::new(), None)) };
    if uniques.len() < 2 {
        return Ok((vec![0; uniques.len()], None));
    }
    let vectors = vectors.select(uniques);
    let recipe = |threshold| ClusterRecipe::Threshold { linkage: Linkage::Average, threshold };
    match groups(vectors.view(), recipe(threshold), seed, observer) {
        Err(PipelineError::NoThreshold) => {
            let within = held_out.cosine_within(WITHIN).ok_or(PipelineError::NoThreshold)?;
            let found = groups(vectors.view(), recipe(Some(within)), seed, observer)?;
            Ok((found.labels, found.threshold))
        }
        found => found.map(|found| (found.labels, found.threshold)),
    }
}

/// Reference rows by species code.
fn rows_by_species(known: &Known<'_>) -> HashMap<u32, Vec<usize>> {
    let mut rows: HashMap<u32, Vec<usize>> = HashMap::new();
    for &row in &known.named {
        if let Some(code) = known.species.code(row) {
            rows.entry(code).or_default().push(row);
        }
    }
    rows
}

fn describe(
    known: &Known<'_>,
    species_rows: &HashMap<u32, Vec<usize>>,
    query: &Dataset,
    members: &[&Finding],
    aligner: &mut Aligner,
) -> Candidate {
    let decision = most_frequent(members.iter().map(|member| member.decision)).unwrap_or(Decision::Unclear);
    let genus = match decision {
        Decision::NewSpecies => most_frequent(members.iter().filter_map(|member| member.taxon.clone())),
        _ => None,
    };
    let barcodes = different_barcodes(query, members.iter().map(|member| member.row));
    let within = (barcodes.len() > 1).then(|| lowest_identity(&barcodes, aligner));
    let relatives = relatives(known, members);
    let gap = relatives.first().map(|nearest| within.unwrap_or(1.0) - nearest.identity);
    let nearest_species = relatives.first().and_then(|nearest| known.species.code(nearest.row));
    let their_rows = nearest_species.and_then(|code| species_rows.get(&code)).map_or(&[][..], Vec::as_slice);
    let theirs = different_barcodes(known.dataset(), their_rows.iter().copied());
    let other_order = orders_conflict(query, members);
    let doubts_of = |member: &&Finding| -> Vec<Doubt> {
        let mut doubts = member.doubts.clone();
        if other_order && !doubts.contains(&Doubt::OtherOrder) {
            doubts.push(Doubt::OtherOrder);
        }
        doubts
    };
    let doubted: Vec<Vec<Doubt>> = members.iter().map(doubts_of).collect();
    let count = |doubt| doubted.iter().filter(|doubts| doubts.contains(&doubt)).count();
    Candidate {
        decision,
        genus,
        members: members.iter().map(|member| member.row).collect(),
        barcodes: barcodes.len(),
        q: members.iter().map(|member| member.rates.new).fold(1.0, f64::min),
        diagnostic: diagnostic_in_frame(
            &barcodes[..barcodes.len().min(COMPARED)],
            &theirs[..theirs.len().min(COMPARED)],
        ),
        relatives,
        within,
        gap,
        doubts: Doubt::ALL.into_iter().map(|doubt| (doubt, count(doubt))).filter(|&(_, members)| members > 0).collect(),
        sound: doubted.iter().filter(|doubts| doubts.is_empty()).count(),
    }
}

/// The most frequent of some values, of equally frequent ones the first in order.
fn most_frequent<T: Ord>(values: impl Iterator<Item = T>) -> Option<T> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().rev().max_by_key(|&(_, count)| count).map(|(value, _)| value)
}

fn different_barcodes(dataset: &Dataset, rows: impl Iterator<Item = usize>) -> Vec<&[u8]> {
    let mut seen = HashSet::new();
    rows.map(|row| dataset.unique_of(row))
        .filter(|&unique| seen.insert(unique))
        .map(|unique| dataset.unique_sequence(unique))
        .collect()
}

/// The lowest identity of any two of the first [`COMPARED`] barcodes.
fn lowest_identity(barcodes: &[&[u8]], aligner: &mut Aligner) -> f32 {
    let compared = &barcodes[..barcodes.len().min(COMPARED)];
    let mut lowest: f32 = 1.0;
    for (at, a) in compared.iter().enumerate() {
        for b in &compared[at + 1..] {
            lowest = lowest.min(aligner.identity(a, b));
        }
    }
    lowest
}

/// The species of the members' nearest references, the most identical first.
fn relatives(known: &Known<'_>, members: &[&Finding]) -> Vec<Relative> {
    let mut best: Vec<(usize, f32)> = Vec::new();
    let mut nearest: Vec<(usize, f32)> =
        members.iter().filter_map(|member| Some((member.nearest?, member.identity?))).collect();
    nearest.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    for (row, identity) in nearest {
        if best.len() < RELATIVES && best.iter().all(|&(other, _)| known.species.code(other) != known.species.code(row))
        {
            best.push((row, identity));
        }
    }
    let named =
        |(row, identity): (usize, f32)| Some(Relative { row, species: known.species.get(row)?.to_owned(), identity });
    best.into_iter().filter_map(named).collect()
}

/// Whether members carry the names of different orders.
fn orders_conflict(query: &Dataset, members: &[&Finding]) -> bool {
    let orders: HashSet<&str> = members.iter().filter_map(|member| query.label(member.row, Field::Order)).collect();
    orders.len() > 1
}

#[cfg(test)]
mod tests {
    use super::most_frequent;

    #[test]
    fn the_most_frequent_wins_and_the_first_of_equals() {
        assert_eq!(most_frequent([3, 1, 3, 2].into_iter()), Some(3));
        assert_eq!(most_frequent([2, 1, 1, 2].into_iter()), Some(1));
        assert_eq!(most_frequent(std::iter::empty::<u8>()), None);
    }
}
