//! Invented names of taxa, BINs and places: unique, pronounceable, and nobody's.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// Orders that do not exist.
pub(super) const ORDERS: [&str; 10] = [
    "Velinoptera",
    "Taronoptera",
    "Miradoptera",
    "Oselinoptera",
    "Cadranoptera",
    "Lunaroptera",
    "Sifanoptera",
    "Branoptera",
    "Eduroptera",
    "Pelanoptera",
];

const SYLLABLES: [&str; 48] = [
    "ba", "be", "bi", "bo", "ca", "ce", "co", "da", "de", "di", "do", "du", "fa", "fe", "fi", "ga", "go", "la", "le",
    "li", "lo", "lu", "ma", "me", "mi", "mo", "na", "ne", "ni", "no", "pa", "pe", "pi", "po", "ra", "re", "ri", "ro",
    "sa", "se", "si", "so", "ta", "te", "ti", "to", "va", "ve",
];

const EPITHETS: [&str; 40] = [
    "alba",
    "nigra",
    "minor",
    "major",
    "montana",
    "borealis",
    "australis",
    "orientalis",
    "viridis",
    "gracilis",
    "similis",
    "nova",
    "littoralis",
    "palustris",
    "silvestris",
    "pallida",
    "obscura",
    "punctata",
    "striata",
    "maculata",
    "lineata",
    "rufa",
    "flava",
    "fulva",
    "grisea",
    "robusta",
    "elegans",
    "communis",
    "rara",
    "velox",
    "tenuis",
    "brevis",
    "longa",
    "rotunda",
    "lucida",
    "opaca",
    "nitida",
    "hirta",
    "glabra",
    "vulgaris",
];

/// Countries with a point inside each: latitude and longitude in degrees.
const COUNTRIES: [(&str, [f32; 2]); 10] = [
    ("Australia", [-26.0, 134.0]),
    ("Brazil", [-11.0, -52.0]),
    ("Canada", [54.0, -102.0]),
    ("Costa Rica", [10.0, -84.1]),
    ("Germany", [51.0, 10.3]),
    ("Japan", [36.3, 138.4]),
    ("Kenya", [0.6, 37.6]),
    ("Norway", [61.2, 9.4]),
    ("South Africa", [-29.5, 24.0]),
    ("Thailand", [15.9, 101.5]),
];

/// A stem that no other index has: three syllables, four beyond the first 110 592.
fn stem(index: u64) -> String {
    let base = SYLLABLES.len() as u64;
    let (syllables, index) = if index < base.pow(3) { (3, index) } else { (4, index - base.pow(3)) };
    // Multiplying by a number without a common factor visits every index once and makes neighbours look different.
    let mut rest = (index + 1).wrapping_mul(48_271) % base.pow(syllables);
    let mut stem = String::new();
    for _ in 0..syllables {
        stem.push_str(SYLLABLES[(rest % base) as usize]);
        rest /= base;
    }
    stem[..1].to_uppercase() + &stem[1..]
}

/// Name of the family whose type genus has this number.
pub(super) fn family(type_genus: u64) -> String {
    stem(type_genus) + "nidae"
}

/// Name of the subfamily whose type genus has this number.
pub(super) fn subfamily(type_genus: u64) -> String {
    stem(type_genus) + "ninae"
}

/// Name of genus number `index`.
pub(super) fn genus(index: u64) -> String {
    const ENDINGS: [&str; 5] = ["lla", "ris", "nus", "psis", "dia"];
    stem(index) + ENDINGS[(index % 5) as usize]
}

/// Epithet of species number `index` of a genus; different for the first forty.
pub(super) fn epithet(genus: u64, index: usize) -> &'static str {
    let at = (genus as usize).wrapping_mul(11).wrapping_add(index.wrapping_mul(7));
    EPITHETS[at % EPITHETS.len()]
}

/// A name under which the same species might stand in an older list.
pub(super) fn synonym(species: &str) -> String {
    if let Some(stem) = species.strip_suffix('a') {
        format!("{stem}us")
    } else if let Some(stem) = species.strip_suffix("is") {
        format!("{stem}e")
    } else {
        format!("{species}ensis")
    }
}

/// BIN number `index`, in BOLD's form but with a prefix that says what it is: `SIM:AAA0001`.
pub(super) fn bin(index: u64) -> String {
    let letter = |rest: u64| char::from(b'A' + (rest % 26) as u8);
    let block = index / 10_000;
    format!("SIM:{}{}{}{:04}", letter(block / 676), letter(block / 26), letter(block), index % 10_000)
}

/// Where a species lives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home {
    pub(super) country: &'static str,
    centre: [f32; 2],
}

impl Home {
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let (country, centre) = COUNTRIES[rng.random_range(0..COUNTRIES.len())];
        Self { country, centre }
    }

    /// A collecting site some tens of kilometres around the middle: latitude and longitude in degrees.
    pub(super) fn site(&self, rng: &mut ChaCha8Rng) -> [f32; 2] {
        let spread = Normal::new(0.0_f32, 0.35).expect("the spread is positive");
        self.centre.map(|degrees| ((degrees + spread.sample(rng)) * 1e4).round() / 1e4)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_taxa_share_a_name() {
        let genera: HashSet<String> = (0..200_000).map(genus).collect();
        assert_eq!(genera.len(), 200_000);
        let families: HashSet<String> = (0..200_000).map(family).collect();
        assert_eq!(families.len(), 200_000);
        let bins: HashSet<String> = (0..200_000).map(bin).collect();
        assert_eq!(bins.len(), 200_000);
        assert_eq!(bin(0), "SIM:AAA0000");
        for number in [0, 5, 77] {
            let epithets: HashSet<&str> = (0..40).map(|index| epithet(number, index)).collect();
            assert_eq!(epithets.len(), 40);
        }
    }

    #[test]
    fn a_synonym_is_another_name() {
        for name in EPITHETS {
            assert_ne!(synonym(name), name);
            assert!(!EPITHETS.contains(&synonym(name).as_str()), "{name}");
        }
    }
}
