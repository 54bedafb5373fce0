//! How found clusters and given labels correspond, label by label.
//!
//! The four classes are those used to compare BINs with species (Ratnasingham & Hebert 2013): match, split, merge, mixture.

use crate::data::taxonomy::{Field, LabelColumn};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How the clusters of one label correspond to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Correspondence {
    /// One cluster, which holds nothing else.
    Match,
    /// Several clusters, which hold nothing else.
    Split,
    /// One cluster, which holds other labels too.
    Merge,
    /// Several clusters, and at least one holds other labels too.
    Mixture,
    /// No specimen of the label is in any cluster.
    Unclustered,
}

impl Correspondence {
    /// Every class, from agreement to the worst conflict.
    pub const ALL: [Self; 5] = [Self::Match, Self::Split, Self::Merge, Self::Mixture, Self::Unclustered];

    /// The word for it.
    pub fn key(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Split => "split",
            Self::Merge => "merge",
            Self::Mixture => "mixture",
            Self::Unclustered => "unclustered",
        }
    }
}

/// One cluster that holds specimens of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ClusterShare {
    /// The cluster.
    pub cluster: i32,
    /// Specimens of the label in it.
    pub specimens: usize,
    /// Labelled specimens in it, of any label.
    pub all: usize,
}

/// One label with the clusters that its specimens are in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ConcordanceRow {
    /// Code of the label in its column.
    pub label: u32,
    /// Its name.
    pub name: String,
    /// How its clusters correspond to it.
    pub correspondence: Correspondence,
    /// Specimens with the label.
    pub specimens: usize,
    /// Those of them that are in no cluster.
    pub unclustered: usize,
    /// Its clusters, the one with most of its specimens first.
    pub clusters: Vec<ClusterShare>,
    /// Names of the other labels in those clusters, in alphabetical order.
    pub shared_with: Vec<String>,
    /// The broadest rank at which labels that share a cluster differ; `None` without a shared cluster, or where no broader rank
    /// is known to differ.
    pub conflict: Option<Field>,
    /// Specimens in conflict: those of the label outside its largest cluster, and those of other labels in its clusters.
    pub in_conflict: usize,
}

/// The concordance table of one clustering with one label column.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Concordance {
    /// One row per label, the worst conflict first: the broadest rank in conflict, then most specimens in conflict.
    pub rows: Vec<ConcordanceRow>,
}

impl Concordance {
    /// Number of labels in each class, in the order of [`Correspondence::ALL`].
    pub fn counts(&self) -> [(Correspondence, usize); 5] {
        Correspondence::ALL.map(|kind| (kind, self.rows.iter().filter(|row| row.correspondence == kind).count()))
    }
}

/// Compares clusters `[N]` (-1: in no cluster) with labels `[N]`. Specimens without a label are left out.
///
/// `broader` names the ranks above the label, broadest first, with their columns `[N]`; they say how bad a shared cluster is.
///
/// # Panics
/// When the columns differ in length from `clusters`.
pub fn concordance(clusters: &[i32], labels: &LabelColumn, broader: &[(Field, &LabelColumn)]) -> Concordance {
    assert_eq!(clusters.len(), labels.len(), "one cluster per specimen");
    let table = Table::new(clusters, labels);
    let ranks: Vec<(Field, Vec<Option<u32>>)> =
        broader.iter().map(|&(field, column)| (field, labels.majority_in(column))).collect();
    let mut rows: Vec<ConcordanceRow> =
        (0..labels.distinct() as u32).filter_map(|label| table.row(label, labels, &ranks)).collect();
    rows.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| a.name.cmp(&b.name)));
    Concordance { rows }
}

/// Conflicts at a known rank first (the broadest first), then by specimens in conflict; without any, the largest label first.
fn order(row: &ConcordanceRow) -> (bool, Option<Field>, Reverse<usize>, Reverse<usize>) {
    (row.conflict.is_none(), row.conflict, Reverse(row.in_conflict), Reverse(row.specimens))
}

/// Who is where: labelled specimens by label and by cluster.
struct Table {
    by_label: BTreeMap<u32, BTreeMap<i32, usize>>,
    by_cluster: HashMap<i32, BTreeMap<u32, usize>>,
}

const NOISE: i32 = -1;

impl Table {
    fn new(clusters: &[i32], labels: &LabelColumn) -> Self {
        let mut table = Self { by_label: BTreeMap::new(), by_cluster: HashMap::new() };
        for (row, &cluster) in clusters.iter().enumerate() {
            let Some(label) = labels.code(row) else { continue };
            *table.by_label.entry(label).or_default().entry(cluster).or_default() += 1;
            if cluster != NOISE {
                *table.by_cluster.entry(cluster).or_default().entry(label).or_default() += 1;
            }
        }
        table
    }

    fn row(&self, label: u32, labels: &LabelColumn, ranks: &[(Field, Vec<Option<u32>>)]) -> Option<ConcordanceRow> {
        let places = self.by_label.get(&label)?;
        let mut clusters: Vec<ClusterShare> = places
            .iter()
            .filter(|&(&cluster, _)| cluster != NOISE)
            .map(|(&cluster, &specimens)| ClusterShare {
                cluster,
                specimens,
                all: self.by_cluster[&cluster].values().sum(),
            })
            .collect();
        clusters.sort_by_key(|share| (Reverse(share.specimens), share.cluster));
        let company: BTreeSet<u32> =
            clusters.iter().flat_map(|share| self.by_cluster[&share.cluster].keys().copied()).collect();
        let shared = company.len() > 1;
        let outside_largest: usize = clusters.iter().skip(1).map(|share| share.specimens).sum();
        let strangers: usize = clusters.iter().map(|share| share.all - share.specimens).sum();
        let mut shared_with: Vec<String> =
            company.iter().filter(|&&other| other != label).map(|&other| labels.name(other).to_owned()).collect();
        shared_with.sort_unstable();
        Some(ConcordanceRow {
            label,
            name: labels.name(label).to_owned(),
            correspondence: correspondence(clusters.len(), shared),
            specimens: places.values().sum(),
            unclustered: places.get(&NOISE).copied().unwrap_or(0),
            clusters,
            shared_with,
            conflict: shared.then(|| broadest_conflict(label, &company, ranks)).flatten(),
            in_conflict: outside_largest + strangers,
        })
    }
}

fn correspondence(clusters: usize, shared: bool) -> Correspondence {
    match (clusters, shared) {
        (0, _) => Correspondence::Unclustered,
        (1, false) => Correspondence::Match,
        (1, true) => Correspondence::Merge,
        (_, false) => Correspondence::Split,
        (_, true) => Correspondence::Mixture,
    }
}

fn broadest_conflict(label: u32, company: &BTreeSet<u32>, ranks: &[(Field, Vec<Option<u32>>)]) -> Option<Field> {
    let differs = |taxa: &[Option<u32>]| {
        let own = taxa[label as usize];
        own.is_some() && company.iter().any(|&other| taxa[other as usize].is_some_and(|taxon| Some(taxon) != own))
    };
    ranks.iter().find(|(_, taxa)| differs(taxa)).map(|&(rank, _)| rank)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(labels: &[&str]) -> LabelColumn {
        LabelColumn::from_labels(labels.iter().map(|label| Some(*label).filter(|label| !label.is_empty())))
    }

    fn classes(concordance: &Concordance) -> Vec<(&str, Correspondence)> {
        concordance.rows.iter().map(|row| (row.name.as_str(), row.correspondence)).collect()
    }

    #[test]
    fn the_four_classes() {
        let species = column(&["one", "one", "split", "split", "a", "b", "mixed", "mixed", "other", "", "lost"]);
        let clusters = [0, 0, 1, 2, 3, 3, 4, 5, 5, 0, -1];
        let table = concordance(&clusters, &species, &[]);
        let found: HashMap<&str, Correspondence> = classes(&table).into_iter().collect();
        assert_eq!(found["one"], Correspondence::Match, "an unlabelled specimen in the cluster is no conflict");
        assert_eq!(found["split"], Correspondence::Split);
        assert_eq!(found["a"], Correspondence::Merge);
        assert_eq!(found["mixed"], Correspondence::Mixture);
        assert_eq!(found["other"], Correspondence::Merge);
        assert_eq!(found["lost"], Correspondence::Unclustered);
        assert_eq!(table.counts().map(|(_, n)| n), [1, 1, 3, 1, 1]);
        let last = table.rows.last().unwrap();
        assert!(matches!(last.correspondence, Correspondence::Match | Correspondence::Unclustered));
    }

    #[test]
    fn a_conflict_between_orders_comes_before_a_larger_one_between_genera() {
        let species = column(&["bee", "beetle", "Apis a", "Bombus b", "Bombus b", "Bombus b"]);
        let orders = column(&["Hymenoptera", "Coleoptera", "Hymenoptera", "Hymenoptera", "Hymenoptera", "Hymenoptera"]);
        let genera = column(&["Melitta", "Carabus", "Apis", "Bombus", "Bombus", "Bombus"]);
        let table = concordance(&[0, 0, 1, 1, 1, 1], &species, &[(Field::Order, &orders), (Field::Genus, &genera)]);
        assert_eq!(table.rows[0].conflict, Some(Field::Order));
        assert_eq!(table.rows[1].conflict, Some(Field::Order));
        assert_eq!(table.rows[2].conflict, Some(Field::Genus));
        assert_eq!(table.rows[2].name, "Apis a", "it has more strangers in its cluster");
        assert_eq!(table.rows[2].shared_with, ["Bombus b"]);
        assert_eq!(table.rows[2].in_conflict, 3);
    }

    #[test]
    fn empty_input_gives_an_empty_table() {
        assert!(concordance(&[], &column(&[]), &[]).rows.is_empty());
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pairs in prop::collection::vec((-1_i32..5, 0_u8..5), 0..40)) {
            let clusters: Vec<i32> = pairs.iter().map(|pair| pair.0).collect();
            let names: Vec<String> = pairs.iter().map(|pair| format!("s{}", pair.1)).collect();
            let labels = LabelColumn::from_labels(names.iter().map(|name| Some(name.as_str())));
            for row in concordance(&clusters, &labels, &[]).rows {
                let own: BTreeSet<i32> = (0..pairs.len())
                    .filter(|&i| names[i] == row.name && clusters[i] != -1).map(|i| clusters[i]).collect();
                let shared = (0..pairs.len()).any(|i| names[i] != row.name && own.contains(&clusters[i]));
                prop_assert_eq!(row.clusters.len(), own.len());
                prop_assert_eq!(row.correspondence, correspondence(own.len(), shared));
                prop_assert_eq!(row.shared_with.is_empty(), !shared);
            }
        }
    }
}
