//! What is known about a specimen beside its label.

use super::contaminants::{Contaminant, Contaminants};
use super::{AuditSettings, RANKS};
use crate::analysis::alignment::Aligner;
use crate::data::dataset::{Dataset, Flags};
use crate::data::frame::FrameCheck;
use crate::data::taxonomy::Field;
use crate::pipeline::PipelineError;
use crate::pipeline::check::flags_of;
use crate::pipeline::discover::{CONFLICT_IDENTITY, breaks_frame};
use crate::pipeline::likeness::{Pool, Queries, Reference, SHORTLIST_BY_MODEL, nearest_in_pool, uniques_of};
use crate::pipeline::side::Side;
use crate::pipeline::stored::StoredVectors;
use crate::progress::{Observer, Progress};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

/// By how much identity a neighbour must be behind the nearest for its voice to count e times less.
const TEMPERATURE: f32 = 0.01;
/// Specimens of the same name that are aligned where none is among the nearest.
const FELLOWS: usize = 4;

/// The nearest specimen whose name differs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Other {
    /// Its row.
    pub row: usize,
    /// Identity with it, 0 to 1.
    pub identity: f32,
    /// The broadest rank at which the names differ.
    pub rank: Field,
}

/// What is known about a specimen beside its label.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evidence {
    /// What reader and frame check saw.
    pub flags: Flags,
    /// Whether a gap beside the nearest specimen is not a multiple of three bases long.
    pub breaks_frame: bool,
    /// The most identical other specimens with their identities, as many as were asked for, the most identical first.
    pub near: Vec<(u32, f32)>,
    /// Row of the nearest specimen that bears the same name, and identity with it, 0 to 1.
    pub own: Option<(usize, f32)>,
    /// The nearest specimen of another name.
    pub other: Option<Other>,
    /// The contaminant that its barcode is most like, where it was compared with any.
    pub contaminant: Option<Contaminant>,
    /// Share of the nearest specimens that contradict the name, 0 to 1, each weighted by exp((identity − that of the nearest) / 0.01).
    /// Those that say nothing are left out: named at a broader rank only, or of another name and no nearer than other species
    /// may be.
    pub against: f32,
    /// Other specimens of its BIN whose own names are not in doubt, and how many of them bear another name.
    pub bin_fellows: [usize; 2],
    /// Number of BINs that its species is in, specimens in doubt left out.
    pub bins_of_species: usize,
}

/// The codes of a specimen's names, the broadest rank first.
type Names = [Option<u32>; RANKS.len()];

fn names_of(dataset: &Dataset, row: usize) -> Names {
    RANKS.map(|field| dataset.labels(field).code(row))
}

/// The broadest rank at which both have a name and the names differ.
fn differ(a: &Names, b: &Names) -> Option<Field> {
    let at = a.iter().zip(b).position(|pair| matches!(pair, (Some(a), Some(b)) if a != b))?;
    Some(RANKS[at])
}

/// Whether `b` bears the finest name of `a`.
fn same_name(a: &Names, b: &Names) -> bool {
    let finest = a.iter().rposition(Option::is_some);
    finest.is_some_and(|at| a[at] == b[at]) && differ(a, b).is_none()
}

/// The evidence on each of `rows`.
pub(super) fn gather(
    side: Side<'_>,
    rows: &[usize],
    frames: &[FrameCheck],
    settings: &AuditSettings,
    observer: &dyn Observer,
) -> Result<Vec<Evidence>, PipelineError> {
    let dataset = side.dataset;
    let reference = Reference::new(settings.method, side, settings.transform, observer)?;
    let named: HashSet<usize> = rows.iter().copied().collect();
    let pool = Pool::new(dataset, &reference.rows, |row| named.contains(&row));
    let vectors = reference.query_vectors(&side, observer)?;
    let queries = Queries { dataset, uniques: uniques_of(dataset, rows), vectors: vectors.as_deref() };
    let k = settings.neighbours.max(SHORTLIST_BY_MODEL).min(pool.len());
    let hits = nearest_in_pool(&reference, &pool, &queries, k, &|_, _| false, observer)?;
    let place: HashMap<usize, usize> = queries.uniques.iter().enumerate().map(|(at, &unique)| (unique, at)).collect();
    let names: HashMap<usize, Names> = rows.iter().map(|&row| (row, names_of(dataset, row))).collect();
    let fellows = Fellows::new(dataset, rows, vectors.as_deref());
    let looker = Looker { dataset, frames, settings, names: &names, fellows: &fellows };
    let done = AtomicUsize::new(0);
    rows.par_iter()
        .map_init(Aligner::new, |aligner, &row| {
            let at = done.fetch_add(1, Ordering::Relaxed);
            observer.progress(Progress::new("weighing the evidence", at, rows.len(), "specimens"))?;
            let found = hits.of(place[&dataset.unique_of(row)]);
            let candidates: Vec<&[u32]> =
                found.map(|(reference, _)| pool.rows[reference as usize].as_slice()).collect();
            Ok(looker.look(row, &candidates, aligner))
        })
        .collect()
}

/// Fills in which contaminants the barcodes are like.
pub(super) fn screen(
    dataset: &Dataset,
    rows: &[usize],
    contaminants: &Contaminants,
    evidence: &mut [Evidence],
    observer: &dyn Observer,
) -> Result<(), PipelineError> {
    let uniques = uniques_of(dataset, rows);
    let done = AtomicUsize::new(0);
    let found: Result<HashMap<usize, Option<Contaminant>>, PipelineError> = uniques
        .par_iter()
        .map_init(
            || contaminants.search(),
            |screen, &unique| {
                let at = done.fetch_add(1, Ordering::Relaxed);
                observer.progress(Progress::new("screening for contaminants", at, uniques.len(), "barcodes"))?;
                Ok((unique, screen.most_alike(dataset.unique_sequence(unique))))
            },
        )
        .collect();
    let found = found?;
    for (&row, evidence) in rows.iter().zip(evidence) {
        evidence.contaminant.clone_from(&found[&dataset.unique_of(row)]);
    }
    Ok(())
}

/// Whether a specimen of another name speaks against a label: it is as near as specimens of one species, nearer than those of the
/// label's own name, or of another order and nearer than orders ever are.
pub(super) fn contradicts(rank: Field, identity: f32, own: Option<f32>, settings: &AuditSettings) -> bool {
    identity >= settings.same_species
        || own.is_some_and(|own| identity > own + settings.margin)
        || (rank == Field::Order && identity >= CONFLICT_IDENTITY)
}

/// Fills in what the BINs tell, as far as `trusted` specimens are in them.
pub(super) fn add_bins(dataset: &Dataset, rows: &[usize], trusted: &HashSet<usize>, evidence: &mut [Evidence]) {
    let bins = Bins::new(dataset, trusted);
    for (&row, evidence) in rows.iter().zip(evidence) {
        evidence.bin_fellows = bins.fellows(dataset, row, trusted.contains(&row));
        evidence.bins_of_species = bins.of_species(dataset, row);
    }
}

struct Looker<'a> {
    dataset: &'a Dataset,
    frames: &'a [FrameCheck],
    settings: &'a AuditSettings,
    names: &'a HashMap<usize, Names>,
    fellows: &'a Fellows<'a>,
}

impl Looker<'_> {
    /// `candidates` are the specimens of each of the nearest barcodes.
    fn look(&self, row: usize, candidates: &[&[u32]], aligner: &mut Aligner) -> Evidence {
        let names = &self.names[&row];
        let sequence = self.dataset.sequence(row);
        let mut near: Vec<(usize, f32)> = Vec::new();
        for rows in candidates {
            let others = || rows.iter().map(|&other| other as usize).filter(|&other| other != row);
            let Some(first) = others().next() else { continue };
            let identity = aligner.identity(sequence, self.dataset.sequence(first));
            near.extend(others().map(|other| (other, identity)));
        }
        // The sort is stable: equally near ones stay in the order in which they were found.
        near.sort_by(|a, b| b.1.total_cmp(&a.1));
        let own = near.iter().copied().find(|(other, _)| same_name(names, &self.names[other]));
        let own = own.or_else(|| self.fellows.nearest(row, aligner));
        let other = near.iter().find_map(|&(other, identity)| {
            differ(names, &self.names[&other]).map(|rank| Other { row: other, identity, rank })
        });
        let breaks_frame = near
            .first()
            .is_some_and(|&(nearest, _)| breaks_frame(&aligner.align(sequence, self.dataset.sequence(nearest))));
        Evidence {
            flags: flags_of(self.dataset, self.frames, row),
            breaks_frame,
            near: near.iter().take(self.settings.neighbours).map(|&(row, identity)| (row as u32, identity)).collect(),
            own,
            other,
            contaminant: None,
            against: self.against(names, &near, own.map(|(_, identity)| identity)),
            bin_fellows: [0, 0],
            bins_of_species: 0,
        }
    }

    fn against(&self, names: &Names, near: &[(usize, f32)], own: Option<f32>) -> f32 {
        let Some(&(_, nearest)) = near.first() else { return 0.0 };
        let (mut against, mut all) = (0.0, 0.0);
        for (other, identity) in near.iter().take(self.settings.neighbours) {
            let weight = ((identity - nearest) / TEMPERATURE).exp();
            let theirs = &self.names[other];
            if let Some(rank) = differ(names, theirs) {
                if !contradicts(rank, *identity, own, self.settings) {
                    continue;
                }
                against += weight;
                all += weight;
            } else if same_name(names, theirs) {
                all += weight;
            }
        }
        if all > 0.0 { against / all } else { 0.0 }
    }
}

/// Who shares a BIN with whom.
struct Bins {
    names_in: HashMap<u32, HashMap<Names, usize>>,
    of_species: HashMap<u32, HashSet<u32>>,
}

impl Bins {
    fn new(dataset: &Dataset, trusted: &HashSet<usize>) -> Self {
        let (bins, species) = (dataset.labels(Field::Bin), dataset.labels(Field::Species));
        let mut found = Self { names_in: HashMap::new(), of_species: HashMap::new() };
        for &row in trusted {
            let Some(bin) = bins.code(row) else { continue };
            *found.names_in.entry(bin).or_default().entry(names_of(dataset, row)).or_default() += 1;
            if let Some(species) = species.code(row) {
                found.of_species.entry(species).or_default().insert(bin);
            }
        }
        found
    }

    fn fellows(&self, dataset: &Dataset, row: usize, is_among_them: bool) -> [usize; 2] {
        let bin = dataset.labels(Field::Bin).code(row);
        let Some(within) = bin.and_then(|bin| self.names_in.get(&bin)) else { return [0, 0] };
        let names = names_of(dataset, row);
        let against =
            within.iter().filter(|(theirs, _)| differ(&names, theirs).is_some()).map(|(_, count)| count).sum();
        [within.values().sum::<usize>() - usize::from(is_among_them), against]
    }

    fn of_species(&self, dataset: &Dataset, row: usize) -> usize {
        let species = dataset.labels(Field::Species).code(row);
        species.and_then(|species| self.of_species.get(&species)).map_or(0, HashSet::len)
    }
}

/// Who bears the same name.
struct Fellows<'a> {
    dataset: &'a Dataset,
    by_name: HashMap<&'a str, Vec<usize>>,
    /// By unique barcode, `[U,D]`.
    vectors: Option<&'a StoredVectors>,
}

impl<'a> Fellows<'a> {
    fn new(dataset: &'a Dataset, rows: &[usize], vectors: Option<&'a StoredVectors>) -> Self {
        let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
        for &row in rows {
            if let Some(name) = super::name_of(dataset, row) {
                by_name.entry(name).or_default().push(row);
            }
        }
        Self { dataset, by_name, vectors }
    }

    /// The most identical of the fellows, among those that are nearest by the embeddings where there are any, else among the first.
    fn nearest(&self, row: usize, aligner: &mut Aligner) -> Option<(usize, f32)> {
        let name = super::name_of(self.dataset, row)?;
        let mut fellows: Vec<usize> = self.by_name[name].iter().copied().filter(|&other| other != row).collect();
        if let Some(vectors) = self.vectors {
            let ours = vectors.row(self.dataset.unique_of(row));
            let cosine = |other: usize| {
                let theirs = vectors.row(self.dataset.unique_of(other));
                ours.dot(&theirs) / (ours.dot(&ours) * theirs.dot(&theirs)).sqrt().max(f32::MIN_POSITIVE)
            };
            let mut scored: Vec<(f32, usize)> = fellows.into_iter().map(|other| (cosine(other), other)).collect();
            scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            fellows = scored.into_iter().map(|(_, other)| other).collect();
        }
        let sequence = self.dataset.sequence(row);
        let aligned = fellows
            .into_iter()
            .take(FELLOWS)
            .map(|other| (other, aligner.identity(sequence, self.dataset.sequence(other))));
        aligned.max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_where_both_have_one_and_agree_where_one_is_silent() {
        let whole = [Some(1), Some(2), None, Some(3), Some(4)];
        let genus = [Some(1), Some(2), None, Some(3), None];
        let far = [Some(1), Some(9), None, Some(8), Some(4)];
        assert_eq!((differ(&whole, &genus), differ(&whole, &far)), (None, Some(Field::Family)));
        assert!(same_name(&whole, &whole) && same_name(&genus, &whole));
        assert!(!same_name(&whole, &genus), "a genus alone does not confirm a species");
        assert!(!same_name(&[None; 5], &whole) && !same_name(&far, &whole));
    }
}
