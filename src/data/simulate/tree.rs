//! The simulated tree, one family at a time: any family can be grown alone, from the seed and its number.

use super::evolve::Evolution;
use super::names::{self, Home};
use crate::seed::Seed;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Geometric};

/// Largest numbers of genera in a family, species in a genus and specimens of a species.
const MOST_GENERA: u64 = 12;
const MOST_SPECIES: u64 = 20;
const MOST_SPECIMENS: u64 = 60;
/// BIN numbers set aside for each family: two for every species that it could have, and some to spare.
const BINS_PER_FAMILY: u64 = 512;

/// Branch lengths in substitutions per base, drawn evenly between the two.
const TO_ORDER: [f64; 2] = [0.07, 0.11];
const TO_FAMILY: [f64; 2] = [0.04, 0.07];
const TO_GENUS: [f64; 2] = [0.045, 0.095];
const TO_SPECIES: [f64; 2] = [0.017, 0.072];
/// To the second lineage of a species that holds two BINs.
const TO_LINEAGE: [f64; 2] = [0.025, 0.04];
/// Between two species that share a BIN.
const TO_TWIN: [f64; 2] = [0.001, 0.004];
/// From a lineage to one of its haplotypes.
const TO_HAPLOTYPE: [f64; 2] = [0.0, 0.005];

/// What is known of a species before anybody reads its barcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Among the labelled reference.
    Known,
    /// Named, but in the validation split only.
    UnseenInValidation,
    /// Named, but in the test split only.
    UnseenInTest,
    /// Without a name: its specimens are labelled to the genus.
    New,
    /// Named, of a genus that is in no other split.
    OfNovelGenus,
    /// Of a genus without a name: its specimens are labelled to the family.
    OfNewGenus,
}

/// How a species' BINs correspond to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BinPattern {
    /// One BIN of its own.
    Own,
    /// Two lineages with a BIN each.
    Split,
    /// One BIN together with a sister species.
    Shared,
}

/// Haplotypes that share a BIN.
#[derive(Debug, Clone)]
pub(super) struct Lineage {
    pub(super) bin: u64,
    pub(super) haplotypes: Vec<Vec<u8>>,
}

#[derive(Debug, Clone)]
pub(super) struct Species {
    pub(super) name: String,
    pub(super) standing: Standing,
    pub(super) bins: BinPattern,
    pub(super) lineages: Vec<Lineage>,
    pub(super) specimens: usize,
    pub(super) home: Home,
}

#[derive(Debug, Clone)]
pub(super) struct Genus {
    pub(super) name: String,
    pub(super) subfamily: String,
    pub(super) species: Vec<Species>,
}

#[derive(Debug, Clone)]
pub(super) struct Family {
    pub(super) order: usize,
    pub(super) name: String,
    pub(super) genera: Vec<Genus>,
}

/// Grows families by number.
pub(super) struct Tree {
    evolution: Evolution,
    /// The barcode at the root of each order.
    orders: Vec<Vec<u8>>,
    seed: Seed,
}

impl Tree {
    pub(super) fn new(evolution: Evolution, seed: Seed) -> Self {
        let orders = (0..names::ORDERS.len() as u64)
            .map(|order| {
                let mut rng = seed.stream_at("simulate/order", order);
                let length = between(TO_ORDER, &mut rng);
                evolution.descend(evolution.ancestor(), length, &mut rng)
            })
            .collect();
        Self { evolution, orders, seed }
    }

    /// Family number `index`: the same for the same seed, whatever was grown before.
    pub(super) fn family(&self, index: u64) -> Family {
        let mut rng = self.seed.stream_at("simulate/family", index);
        // Squaring makes the first orders large and the last ones small, as real faunas are.
        let order = (rng.random::<f64>().powi(2) * self.orders.len() as f64) as usize;
        let root = self.evolution.descend(&self.orders[order], between(TO_FAMILY, &mut rng), &mut rng);
        let mut bins = (index * BINS_PER_FAMILY)..;
        let genera = (0..count(0.25, MOST_GENERA, &mut rng))
            .map(|genus| self.genus(index * MOST_GENERA + genus, genus > 0, index, &root, &mut bins, &mut rng))
            .collect();
        Family { order, name: names::family(index * MOST_GENERA), genera }
    }

    fn genus(
        &self,
        number: u64,
        may_be_novel: bool,
        family: u64,
        root: &[u8],
        bins: &mut impl Iterator<Item = u64>,
        rng: &mut ChaCha8Rng,
    ) -> Genus {
        let name = names::genus(number);
        let root = self.evolution.descend(root, between(TO_GENUS, rng), rng);
        let novelty = if !may_be_novel {
            None
        } else {
            match rng.random::<f64>() {
                ..0.04 => Some(Standing::OfNovelGenus),
                ..0.08 => Some(Standing::OfNewGenus),
                _ => None,
            }
        };
        let mut species: Vec<Species> = Vec::new();
        for index in 0..count(0.28, MOST_SPECIES, rng) as usize {
            let standing = novelty.unwrap_or_else(|| standing(index, rng));
            let grown = self.species(&name, number, index, standing, &root, bins, rng);
            species.push(grown);
        }
        self.merge_bins(&mut species, rng);
        let halves = (number / 6) * 6;
        let subfamily = names::subfamily(family * MOST_GENERA + halves % MOST_GENERA);
        Genus { name, subfamily, species }
    }

    #[expect(clippy::too_many_arguments, reason = "each is one property of the species in the making")]
    fn species(
        &self,
        genus: &str,
        genus_number: u64,
        index: usize,
        standing: Standing,
        root: &[u8],
        bins: &mut impl Iterator<Item = u64>,
        rng: &mut ChaCha8Rng,
    ) -> Species {
        let stem = self.evolution.descend(root, between(TO_SPECIES, rng), rng);
        let split = standing == Standing::Known && rng.random_bool(0.04);
        let mut lineages = vec![self.lineage(&stem, bins, rng)];
        if split {
            let branch = self.evolution.descend(&stem, between(TO_LINEAGE, rng), rng);
            lineages.push(self.lineage(&branch, bins, rng));
        }
        Species {
            name: format!("{genus} {}", names::epithet(genus_number, index)),
            standing,
            bins: if split { BinPattern::Split } else { BinPattern::Own },
            lineages,
            // A species over two BINs needs specimens in both.
            specimens: count(0.22, MOST_SPECIMENS, rng).max(if split { 4 } else { 1 }) as usize,
            home: Home::draw(rng),
        }
    }

    fn lineage(&self, stem: &[u8], bins: &mut impl Iterator<Item = u64>, rng: &mut ChaCha8Rng) -> Lineage {
        let haplotypes =
            (0..count(0.35, 12, rng)).map(|_| self.evolution.descend(stem, between(TO_HAPLOTYPE, rng), rng)).collect();
        Lineage { bin: bins.next().expect("the numbers never end"), haplotypes }
    }

    /// Lets some known species share the BIN of the one before them, as young species do.
    fn merge_bins(&self, species: &mut [Species], rng: &mut ChaCha8Rng) {
        for later in 1..species.len() {
            let (before, after) = species.split_at_mut(later);
            let (first, second) = (&mut before[later - 1], &mut after[0]);
            let plain = |species: &Species| species.standing == Standing::Known && species.bins == BinPattern::Own;
            if plain(first) && plain(second) && rng.random_bool(0.05) {
                let stem = first.lineages[0].haplotypes[0].clone();
                let twin = self.evolution.descend(&stem, between(TO_TWIN, rng), rng);
                let bin = first.lineages[0].bin;
                second.lineages = vec![Lineage { bin, haplotypes: vec![twin] }];
                first.bins = BinPattern::Shared;
                second.bins = BinPattern::Shared;
            }
        }
    }

    /// A species of another order, by number; what a contaminated tube holds.
    pub(super) fn stranger(&self, order: usize, rng: &mut ChaCha8Rng) -> (String, Species) {
        loop {
            let mut family = self.family(rng.random_range(0..40));
            if family.order != order {
                let mut genus = family.genera.swap_remove(0);
                return (genus.name, genus.species.swap_remove(0));
            }
        }
    }
}

fn standing(index: usize, rng: &mut ChaCha8Rng) -> Standing {
    // The first species of a genus is always known, so that the genus can be found at all.
    if index == 0 {
        return Standing::Known;
    }
    match rng.random::<f64>() {
        ..0.12 => Standing::UnseenInTest,
        ..0.18 => Standing::UnseenInValidation,
        ..0.23 => Standing::New,
        _ => Standing::Known,
    }
}

/// 1 or more, most often few: geometric with stop probability `stop`, at most `most`.
fn count(stop: f64, most: u64, rng: &mut ChaCha8Rng) -> u64 {
    let geometric = Geometric::new(stop).expect("a probability above 0");
    (1 + geometric.sample(rng)).min(most)
}

fn between([low, high]: [f64; 2], rng: &mut ChaCha8Rng) -> f64 {
    rng.random_range(low..=high)
}
