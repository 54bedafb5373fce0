//! What a row of a table says, by the column mapping.

use super::mapping::{ColumnMapping, Role, is_id_name, is_name_column};
use super::names::{
    LabelValue, is_epithet, is_genus, is_missing_label, label_value, position, position_of, scientific_name, text_value,
};
use super::report::Repair;
use super::table::Fields;
use crate::data::taxonomy::Field;
use std::borrow::Cow;

/// Labels in the order of [`Field::ALL`].
pub(super) type Labels<'a> = [Option<Cow<'a, str>>; Field::ALL.len()];

/// A column mapping by the places of the columns.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) id: Option<usize>,
    /// Other columns that hold ids, for joining.
    pub(super) other_ids: Vec<usize>,
    pub(super) sequence: Option<usize>,
    pub(super) marker: Option<usize>,
    labels: [Option<usize>; Field::ALL.len()],
    /// The species column holds names of any rank.
    species_is_name: bool,
    latitude: Option<usize>,
    longitude: Option<usize>,
    coordinates: Option<usize>,
    /// Columns kept as text.
    pub(super) text: Vec<usize>,
}

/// The labels of a row, read.
#[derive(Debug)]
pub(super) struct RowLabels<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) repairs: Vec<(Repair, Option<String>)>,
}

/// A row, read.
#[derive(Debug)]
pub(super) struct RowValues<'a> {
    pub(super) labels: Labels<'a>,
    pub(super) coordinates: Option<[f32; 2]>,
    pub(super) repairs: Vec<(Repair, Option<String>)>,
}

impl Columns {
    pub(super) fn new(mapping: &ColumnMapping, header: &[String]) -> Self {
        let index = |role| mapping.index(role, header);
        let labels = Field::ALL.map(|field| index(Role::Label(field)));
        let species = labels[Field::Species as usize];
        let species_is_name = species.is_some_and(|column| is_name_column(&header[column]));
        let (id, sequence, marker) = (index(Role::Id), index(Role::Sequence), index(Role::Marker));
        let (latitude, longitude, coordinates) =
            (index(Role::Latitude), index(Role::Longitude), index(Role::Coordinates));
        let read: Vec<usize> =
            [id, sequence, latitude, longitude, coordinates].into_iter().chain(labels).flatten().collect();
        // The marker stays as text, and so does a name of which only the species is read.
        let text = (0..header.len())
            .filter(|column| !read.contains(column) || species_is_name && species == Some(*column))
            .collect();
        let other_ids = (0..header.len()).filter(|&column| id != Some(column) && is_id_name(&header[column])).collect();
        Self { id, other_ids, sequence, marker, labels, species_is_name, latitude, longitude, coordinates, text }
    }

    /// The value of the id column, empty where missing, without the '>' that some tables copy from FASTA; the second value tells
    /// that it had one.
    pub(super) fn id<'f>(&self, fields: &'f Fields) -> (&'f str, bool) {
        let value = self.id.map_or("", |column| fields.get(column).trim());
        let value = if is_missing_label(value) { "" } else { value };
        let bare = value.trim_start_matches('>').trim_start();
        (bare, bare.len() != value.len())
    }

    /// The value of the marker column; empty where missing.
    pub(super) fn marker<'f>(&self, fields: &'f Fields) -> &'f str {
        let value = self.marker.map_or("", |column| fields.get(column).trim());
        if is_missing_label(value) { "" } else { value }
    }

    /// The value of the sequence column; empty where missing.
    pub(super) fn sequence<'f>(&self, fields: &'f Fields) -> &'f str {
        let value = self.sequence.map_or("", |column| fields.get(column).trim());
        if is_missing_label(value) { "" } else { value }
    }

    /// The text of column `column`; empty where missing.
    pub(super) fn text_of<'f>(&self, fields: &'f Fields, column: usize) -> &'f str {
        text_value(fields.get(column)).unwrap_or_default()
    }

    /// Labels and position of a row.
    pub(super) fn read<'f>(&self, fields: &'f Fields) -> RowValues<'f> {
        let RowLabels { labels, mut repairs } = self.read_labels(fields);
        let coordinates = self.read_position(fields, &mut repairs);
        RowValues { labels, coordinates, repairs }
    }

    /// The cells that [`Self::read_labels`] reads, in the order of [`Field::ALL`]; empty where there is no such column.
    pub(super) fn label_cells<'f>(&self, fields: &'f Fields) -> [&'f str; Field::ALL.len()] {
        self.labels.map(|column| column.map_or("", |column| fields.get(column)))
    }

    /// Labels of a row.
    pub(super) fn read_labels<'f>(&self, fields: &'f Fields) -> RowLabels<'f> {
        let mut values = RowLabels { labels: std::array::from_fn(|_| None), repairs: Vec::new() };
        for (field, column) in Field::ALL.into_iter().zip(self.labels) {
            let Some(column) = column else { continue };
            values.labels[field as usize] = match label_value(field, fields.get(column)) {
                LabelValue::Missing => None,
                LabelValue::Name(name) => Some(name),
                LabelValue::Placeholder => {
                    values.repairs.push((Repair::PlaceholderName, None));
                    None
                }
            };
        }
        self.complete_species(fields, &mut values);
        values
    }

    fn complete_species<'f>(&self, fields: &'f Fields, values: &mut RowLabels<'f>) {
        let (genus, species) = (Field::Genus as usize, Field::Species as usize);
        if self.species_is_name {
            let name = self.labels[species].and_then(|column| scientific_name(fields.get(column)));
            values.labels[species] = name.as_ref().and_then(|(_, species)| species.clone()).map(Cow::Owned);
            if self.labels[genus].is_none() {
                values.labels[genus] = name.map(|(genus, _)| Cow::Owned(genus));
            }
            return;
        }
        let Some(name) = values.labels[species].as_deref() else {
            // "Agabus sp." names a genus, and no other column does.
            if self.labels[genus].is_none() {
                let cell = self.labels[species].map_or("", |column| fields.get(column));
                values.labels[genus] = scientific_name(cell).map(|(genus, _)| Cow::Owned(genus));
            }
            return;
        };
        match (values.labels[genus].as_deref(), self.labels[genus]) {
            (Some(genus_name), _) if genus_name == name => values.labels[species] = None,
            (Some(genus_name), _) if is_epithet(name) => {
                values.labels[species] = Some(Cow::Owned(format!("{genus_name} {name}")));
                values.repairs.push((Repair::EpithetJoined, None));
            }
            (None, None) => {
                let first = name.split(' ').next().filter(|first| is_genus(first) && first.len() < name.len());
                let derived = first.map(|first| Cow::Owned(first.to_owned()));
                values.labels[genus] = derived;
            }
            _ => {}
        }
    }

    /// Position of a row.
    pub(super) fn read_position(
        &self,
        fields: &Fields,
        repairs: &mut Vec<(Repair, Option<String>)>,
    ) -> Option<[f32; 2]> {
        let cell = |column: Option<usize>| {
            column.map(|column| fields.get(column).trim()).filter(|cell| !is_missing_label(cell)).unwrap_or_default()
        };
        let (latitude, longitude, both) = (cell(self.latitude), cell(self.longitude), cell(self.coordinates));
        let (found, said) = if !latitude.is_empty() || !longitude.is_empty() {
            (position_of(latitude, longitude), [latitude, longitude])
        } else if !both.is_empty() {
            (position(both), [both, ""])
        } else {
            return None;
        };
        if found.is_none() {
            repairs.push((Repair::Coordinates, Some(said.join(" ").trim_end().to_owned())));
        }
        found
    }
}
