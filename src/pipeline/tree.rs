//! A neighbour-joining tree of some specimens.

use super::PipelineError;
use super::export::write_text;
use super::review::Curated;
use crate::analysis::gap::{Distance, Packed};
use crate::analysis::tree::{Tree, neighbour_joining};
use crate::data::dataset::Dataset;
use crate::data::frame::{FrameCheck, Registration};
use crate::progress::{Observer, Progress};
use ndarray::Array2;
use std::path::Path;

/// Specimens of a tree at most: the time grows with their cube.
pub const MOST_TIPS: usize = 1000;
/// Distance of two barcodes that have too little in common, or differ too much, for it to be defined.
const UNDEFINED: f64 = 1.0;

/// A tree of specimens.
#[derive(Debug, Clone)]
pub struct SpecimenTree {
    /// The tree; its tips are `rows`.
    pub tree: Tree,
    /// The specimens.
    pub rows: Vec<usize>,
    /// Specimens that were asked for and do not lie in the COI-5P frame.
    pub outside: usize,
    /// How barcodes were compared.
    pub distance: Distance,
}

/// Joins the given specimens by the distances of their barcodes in the COI-5P frame. Those that do not lie in it are left out.
///
/// # Errors
/// [`PipelineError::Setting`] for more than [`MOST_TIPS`], and a stop.
pub fn specimen_tree(
    dataset: &Dataset,
    frames: &[FrameCheck],
    rows: &[usize],
    distance: Distance,
    observer: &dyn Observer,
) -> Result<SpecimenTree, PipelineError> {
    if rows.len() > MOST_TIPS {
        return Err(PipelineError::Setting(format!(
            "a tree holds at most {MOST_TIPS} specimens, not {}: select fewer",
            rows.len()
        )));
    }
    let placed: Vec<(usize, Registration)> = rows
        .iter()
        .filter_map(|&row| Some((row, frames[dataset.unique_of(row)].registration.filter(Registration::is_coi)?)))
        .collect();
    let barcodes: Vec<Packed> =
        placed.iter().map(|(row, place)| Packed::new(&place.aligned(dataset.sequence(*row)))).collect();
    let n = barcodes.len();
    let mut distances = Array2::zeros((n, n));
    for a in 0..n {
        observer.progress(Progress::new("measuring distances", a, n, "specimens"))?;
        for b in a + 1..n {
            distances[[a, b]] = barcodes[a].distance(&barcodes[b], distance).map_or(UNDEFINED, f64::from);
        }
    }
    observer.progress(Progress::new("joining neighbours", 0, 1, "trees"))?;
    Ok(SpecimenTree {
        tree: neighbour_joining(&distances),
        outside: rows.len() - n,
        rows: placed.into_iter().map(|(row, _)| row).collect(),
        distance,
    })
}

impl SpecimenTree {
    /// The names of the tips: id, then the name in force, with `_` between.
    pub fn names(&self, curated: &Curated<'_>) -> Vec<String> {
        let dataset = curated.dataset();
        self.rows
            .iter()
            .map(|&row| [Some(dataset.id(row)), curated.name(row)].into_iter().flatten().collect::<Vec<_>>().join("_"))
            .collect()
    }

    /// Writes the tree in Newick's format.
    ///
    /// # Errors
    /// [`PipelineError::Write`].
    pub fn write_newick(&self, path: &Path, curated: &Curated<'_>) -> Result<(), PipelineError> {
        write_text(path, &self.tree.newick(&self.names(curated)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};
    use crate::data::frame::{FrameProfile, check_frames};
    use crate::data::taxonomy::Field;
    use crate::progress::Silent;

    fn specimens(sequences: &[Vec<u8>]) -> Dataset {
        let mut builder = DatasetBuilder::new("x", Vec::new());
        for (row, sequence) in sequences.iter().enumerate() {
            builder.push(Record {
                id: format!("s{row}"),
                sequence: sequence.clone(),
                labels: [(Field::Species, "Aus bus".to_owned())].into_iter().collect(),
                ..Record::default()
            });
        }
        builder.finish()
    }

    fn differing(places: usize) -> Vec<u8> {
        let mut barcode = FrameProfile::bundled().consensus();
        for at in 0..places {
            barcode[9 * at] = if barcode[9 * at] == b'A' { b'C' } else { b'A' };
        }
        barcode
    }

    #[test]
    fn barcodes_along_a_line_are_joined_along_it_and_others_left_out() {
        let dataset = specimens(&[differing(0), differing(3), differing(20), b"ACGT".repeat(20)]);
        let frames = check_frames(&dataset, &Silent).unwrap();
        let found = specimen_tree(&dataset, &frames, &[0, 1, 2, 3], Distance::P, &Silent).unwrap();
        assert_eq!((found.rows.as_slice(), found.outside), (&[0, 1, 2][..], 1));
        for (a, b, places) in [(0, 1, 3.0), (0, 2, 20.0), (1, 2, 17.0)] {
            assert!((found.tree.path(a, b) - places / 658.0).abs() < 1e-6, "{a} {b}");
        }
        let curated = Curated::new(&dataset, &[]);
        assert!(found.tree.newick(&found.names(&curated)).contains("s1_Aus_bus:"));
    }

    #[test]
    fn too_many_are_refused_and_none_is_a_tree_without_tips() {
        let dataset = specimens(&[differing(0)]);
        let frames = check_frames(&dataset, &Silent).unwrap();
        let many = vec![0; MOST_TIPS + 1];
        let error = specimen_tree(&dataset, &frames, &many, Distance::K2p, &Silent).unwrap_err();
        assert!(error.to_string().contains("select fewer"), "{error}");
        assert_eq!(specimen_tree(&dataset, &frames, &[], Distance::K2p, &Silent).unwrap().tree.tips, 0);
    }
}
