//! Finding specimens by id and taxa by name.

use super::selection::Rows;
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;

/// Hits shown of either sort.
const SPECIMENS: usize = 8;
const TAXA: usize = 12;
/// Fields whose names are searched.
const FIELDS: [Field; 9] = [
    Field::Phylum,
    Field::Class,
    Field::Order,
    Field::Family,
    Field::Subfamily,
    Field::Genus,
    Field::Species,
    Field::Bin,
    Field::Country,
];

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hit {
    /// A specimen, by its row.
    Specimen(usize),
    /// All specimens of a taxon.
    Taxon(Taxon),
}

/// A name of one field, and how many specimens carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taxon {
    /// The rank, BIN or country.
    pub field: Field,
    /// Its code in that field's column.
    pub code: u32,
    /// Its name.
    pub name: String,
    /// Specimens that carry it.
    pub specimens: usize,
}

impl Taxon {
    /// The specimens that carry it.
    pub fn rows(&self, dataset: &Dataset) -> Rows {
        let labels = dataset.labels(self.field);
        (0..dataset.len()).filter(|&row| labels.code(row) == Some(self.code)).collect()
    }
}

/// What matches `text`: taxa first, those that begin with it before those that hold it, larger before smaller; then
/// specimens. Upper and lower case do not matter.
pub fn search(dataset: &Dataset, text: &str) -> Vec<Hit> {
    let wanted = text.trim().to_lowercase();
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut taxa: Vec<(u8, Taxon)> = FIELDS.into_iter().flat_map(|field| taxa_of(dataset, field, &wanted)).collect();
    taxa.sort_by(|(a, x), (b, y)| a.cmp(b).then(y.specimens.cmp(&x.specimens)).then(x.field.cmp(&y.field)));
    let mut specimens: Vec<(u8, usize)> =
        (0..dataset.len()).filter_map(|row| Some((closeness(dataset.id(row), &wanted)?, row))).collect();
    specimens.sort();
    let taxa = taxa.into_iter().take(TAXA).map(|(_, taxon)| Hit::Taxon(taxon));
    taxa.chain(specimens.into_iter().take(SPECIMENS).map(|(_, row)| Hit::Specimen(row))).collect()
}

fn taxa_of(dataset: &Dataset, field: Field, wanted: &str) -> Vec<(u8, Taxon)> {
    let labels = dataset.labels(field);
    let matching: Vec<(u8, usize)> =
        labels.names().iter().enumerate().filter_map(|(code, name)| Some((closeness(name, wanted)?, code))).collect();
    if matching.is_empty() {
        return Vec::new();
    }
    let counts = labels.counts();
    matching
        .into_iter()
        .map(|(closeness, code)| {
            let name = labels.names()[code].clone();
            (closeness, Taxon { field, code: code as u32, name, specimens: counts[code] })
        })
        .collect()
}

/// 0 equal, 1 begins with, 2 holds it, `None` does not match. `wanted` is in lower case.
fn closeness(name: &str, wanted: &str) -> Option<u8> {
    let name = name.to_lowercase();
    match name.find(wanted)? {
        0 if name.len() == wanted.len() => Some(0),
        0 => Some(1),
        _ => Some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::{DatasetBuilder, Record};

    fn dataset() -> Dataset {
        let mut builder = DatasetBuilder::new("test", Vec::new());
        for (id, genus) in [("APIS1", "Bombus"), ("x2", "Apis"), ("x3", "Apis"), ("x4", "Megapis"), ("x5", "Apisa")] {
            builder.push(Record {
                id: id.into(),
                sequence: b"ACGT".to_vec(),
                labels: [(Field::Genus, genus.to_owned())].into(),
                ..Record::default()
            });
        }
        builder.finish()
    }

    #[test]
    fn the_closest_names_come_first_and_lead_to_their_specimens() {
        let data = dataset();
        let hits = search(&data, " apis ");
        let names: Vec<String> = hits
            .iter()
            .map(|hit| match hit {
                Hit::Taxon(taxon) => taxon.name.clone(),
                Hit::Specimen(row) => data.id(*row).to_owned(),
            })
            .collect();
        assert_eq!(names, ["Apis", "Apisa", "Megapis", "APIS1"]);
        let Hit::Taxon(apis) = &hits[0] else { panic!("the genus comes first") };
        assert_eq!((apis.specimens, apis.rows(&data).as_slice()), (2, &[1, 2][..]));
    }

    #[test]
    fn nothing_is_found_for_nothing() {
        assert!(search(&dataset(), "  ").is_empty());
        assert!(search(&dataset(), "Lymantria").is_empty());
    }
}
