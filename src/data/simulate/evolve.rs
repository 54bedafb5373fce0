//! How a simulated barcode changes along a branch.
//!
//! Substitutions fall on sites by rate (third codon positions fast, second ones slow, and more where real barcodes vary),
//! propose a base by an AT-rich equilibrium with transitions favoured, and are accepted by their protein: never a stop codon of
//! the invertebrate mitochondrial code, rarely another amino acid. The form is that of codon models with a
//! transition/transversion ratio and an amino-acid acceptance (Goldman & Yang 1994; Muse & Gaut 1994).

use crate::data::frame::{FIRST_CODON, FRAME_LENGTH, FrameProfile};
use crate::data::genetic_code::{GeneticCode, STOP};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::weighted::WeightedAliasIndex;
use rand_distr::{Distribution, Poisson};

const BASES: [u8; 4] = *b"ACGT";
/// Equilibrium of A, C, G, T at free sites; insect mitochondria are about 70 % A and T.
const EQUILIBRIUM: [f64; 4] = [0.35, 0.10, 0.09, 0.46];
/// How much likelier a transition is proposed than a transversion.
const TRANSITION_BIAS: f64 = 4.0;
/// Share of the amino-acid changes that last.
const REPLACEMENT_ACCEPTED: f64 = 0.04;
/// Relative rate of the first, second and third position of a codon.
const CODON_RATES: [f64; 3] = [0.25, 0.08, 1.0];
/// Rate of a site that does not vary among real barcodes, relative to the most variable.
const LEAST_RATE: f64 = 0.05;

const CODE: GeneticCode = GeneticCode::InvertebrateMitochondrial;

/// The rates and preferences of every site of the COI-5P frame.
pub(super) struct Evolution {
    ancestor: Vec<u8>,
    sites: WeightedAliasIndex<f64>,
    /// Preferred bases per site, `[658][4]`.
    preferred: Vec<[f64; 4]>,
}

impl Evolution {
    /// Rates from the variability of each site in a base profile; the ancestor is its consensus.
    pub(super) fn new(profile: &FrameProfile) -> Self {
        let frequencies: Vec<[f64; 4]> = profile.counts().iter().map(frequencies).collect();
        let rates: Vec<f64> = frequencies
            .iter()
            .enumerate()
            .map(|(site, shares)| CODON_RATES[codon_position(site)] * (LEAST_RATE + entropy(shares)))
            .collect();
        let preferred = frequencies.iter().map(|shares| std::array::from_fn(|b| (shares[b] + EQUILIBRIUM[b]) / 2.0));
        Self {
            preferred: preferred.collect(),
            sites: WeightedAliasIndex::new(rates).expect("every rate is positive"),
            ancestor: without_stops(profile.consensus()),
        }
    }

    /// The barcode at the root, 658 bases without a stop codon.
    pub(super) fn ancestor(&self) -> &[u8] {
        &self.ancestor
    }

    /// A descendant of `parent` `[658]` after a branch of `length` substitutions per base.
    pub(super) fn descend(&self, parent: &[u8], length: f64, rng: &mut ChaCha8Rng) -> Vec<u8> {
        let mut barcode = parent.to_vec();
        let wanted = poisson(length * FRAME_LENGTH as f64, rng);
        let mut done = 0;
        while done < wanted {
            done += usize::from(self.substitute(&mut barcode, rng));
        }
        barcode
    }

    /// Tries one substitution and tells whether it lasted.
    fn substitute(&self, barcode: &mut [u8], rng: &mut ChaCha8Rng) -> bool {
        let site = self.sites.sample(rng);
        let old = barcode[site];
        let new = propose(old, &self.preferred[site], rng);
        let before = amino_acid_at(barcode, site);
        barcode[site] = new;
        let after = amino_acid_at(barcode, site);
        let lasts = after != Some(STOP) && (after == before || rng.random_bool(REPLACEMENT_ACCEPTED));
        if !lasts {
            barcode[site] = old;
        }
        lasts
    }
}

/// A copy of `barcode` that no longer codes: substitutions anywhere, and a few bases lost.
pub(super) fn decay(barcode: &[u8], length: f64, losses: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut copy = barcode.to_vec();
    for _ in 0..poisson(length * copy.len() as f64, rng) {
        let site = rng.random_range(0..copy.len());
        copy[site] = propose(copy[site], &EQUILIBRIUM, rng);
    }
    for _ in 0..losses {
        copy.remove(rng.random_range(copy.len() / 4..copy.len() * 3 / 4));
    }
    copy
}

fn propose(old: u8, preferred: &[f64; 4], rng: &mut ChaCha8Rng) -> u8 {
    let weight = |base: usize| match BASES[base] {
        new if new == old => 0.0,
        new if is_transition(old, new) => preferred[base] * TRANSITION_BIAS,
        _ => preferred[base],
    };
    let weights: [f64; 4] = std::array::from_fn(weight);
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    let drawn = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    BASES[drawn.unwrap_or_else(|| usize::from(old == b'A'))]
}

fn is_transition(a: u8, b: u8) -> bool {
    matches!((a, b), (b'A', b'G') | (b'G', b'A') | (b'C', b'T') | (b'T', b'C'))
}

/// 0, 1 or 2: the position of a site within its codon.
fn codon_position(site: usize) -> usize {
    (site + 3 - FIRST_CODON) % 3
}

/// The amino acid of the codon that holds `site`; `None` for the incomplete codon at the start.
fn amino_acid_at(barcode: &[u8], site: usize) -> Option<u8> {
    let start = site.checked_sub(codon_position(site))?;
    let codon: [u8; 3] = barcode.get(start..start + 3)?.try_into().ok()?;
    Some(CODE.amino_acid(codon))
}

fn without_stops(mut barcode: Vec<u8>) -> Vec<u8> {
    for start in (FIRST_CODON..FRAME_LENGTH - 2).step_by(3) {
        if amino_acid_at(&barcode, start) == Some(STOP) {
            // TAA and TAG become TTA and TTG, leucine.
            barcode[start + 1] = b'T';
        }
    }
    barcode
}

fn frequencies(counts: &[u32; 4]) -> [f64; 4] {
    let total = f64::from(counts.iter().sum::<u32>()).max(1.0);
    counts.map(|count| f64::from(count) / total)
}

/// Entropy of base frequencies as a share of the largest possible, 0 to 1.
fn entropy(shares: &[f64; 4]) -> f64 {
    shares.iter().filter(|&&share| share > 0.0).map(|share| -share * share.ln()).sum::<f64>() / 4_f64.ln()
}

fn poisson(mean: f64, rng: &mut ChaCha8Rng) -> usize {
    Poisson::new(mean).map_or(0, |distribution| distribution.sample(rng) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn evolution() -> Evolution {
        Evolution::new(FrameProfile::bundled())
    }

    fn differences(a: &[u8], b: &[u8], position: usize) -> usize {
        (0..a.len()).filter(|&site| codon_position(site) == position && a[site] != b[site]).count()
    }

    #[test]
    fn descendants_code_for_nearly_the_same_protein_and_change_at_third_positions() {
        let evolution = evolution();
        let ancestor = evolution.ancestor();
        assert!(!CODE.has_stop(ancestor, FIRST_CODON));
        let mut rng = Seed(3).stream("test");
        let descendant = evolution.descend(ancestor, 0.12, &mut rng);
        assert!(!CODE.has_stop(&descendant, FIRST_CODON));
        let [first, second, third] = [0, 1, 2].map(|position| differences(ancestor, &descendant, position));
        assert!(third > 4 * first && first >= second, "{first}, {second}, {third}");
        let proteins = [ancestor, &descendant[..]].map(|barcode| CODE.translate(barcode, FIRST_CODON));
        let replaced = proteins[0].iter().zip(&proteins[1]).filter(|(a, b)| a != b).count();
        assert!(replaced < third / 4, "{replaced} of 219 amino acids changed");
    }

    #[test]
    fn a_branch_of_no_length_changes_nothing_and_a_longer_one_more() {
        let evolution = evolution();
        let ancestor = evolution.ancestor();
        let mut rng = Seed(3).stream("test");
        assert_eq!(evolution.descend(ancestor, 0.0, &mut rng), ancestor);
        let changed = |length: f64, rng: &mut ChaCha8Rng| {
            let descendant = evolution.descend(ancestor, length, rng);
            ancestor.iter().zip(&descendant).filter(|(a, b)| a != b).count()
        };
        let (short, long) = (changed(0.01, &mut rng), changed(0.1, &mut rng));
        assert!((1..=16).contains(&short) && (40..=75).contains(&long), "{short} and {long} of 658");
    }

    #[test]
    fn decay_ignores_the_protein() {
        let mut rng = Seed(3).stream("test");
        let copy = decay(evolution().ancestor(), 0.06, 2, &mut rng);
        assert_eq!(copy.len(), FRAME_LENGTH - 2);
        assert!((0..3).all(|offset| CODE.has_stop(&copy, offset)), "a lost frame soon meets a stop");
    }
}
