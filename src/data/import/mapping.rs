//! Which column of a table is read as what: guessed from names and content, shown, and changed by the user.

use super::layouts;
use super::names::{is_bare_bin, is_bin, is_epithet, is_genus, is_missing_label};
use super::sequence::{looks_like_sequence, may_be_sequence};
use crate::data::taxonomy::Field;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// What a column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Role {
    /// The record's id.
    Id,
    /// The nucleotides.
    Sequence,
    /// The marker, as in `COI-5P`.
    Marker,
    /// A rank, the BIN, the split or the country.
    Label(Field),
    /// Latitude in degrees.
    Latitude,
    /// Longitude in degrees.
    Longitude,
    /// Latitude and longitude in one.
    Coordinates,
}

impl Role {
    /// Every role, in the order in which they are shown.
    pub fn all() -> impl Iterator<Item = Self> {
        let places = [Self::Latitude, Self::Longitude, Self::Coordinates];
        [Self::Id, Self::Sequence, Self::Marker].into_iter().chain(Field::ALL.map(Self::Label)).chain(places)
    }

    /// The name on the command line and in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Sequence => "sequence",
            Self::Marker => "marker",
            Self::Label(field) => field.key(),
            Self::Latitude => "latitude",
            Self::Longitude => "longitude",
            Self::Coordinates => "coordinates",
        }
    }

    /// Names that columns with this content have, in lower case without anything but letters and digits; the surest first.
    fn column_names(self) -> &'static [&'static str] {
        match self {
            Self::Id => &[
                "processid",
                "materialsampleid",
                "asv",
                "asvid",
                "otu",
                "otuid",
                "zotu",
                "featureid",
                "seqid",
                "sequenceid",
                "sequencename",
                "seqname",
                "recordid",
                "id",
                "specimenid",
                "sampleid",
                "accession",
                "accessionnumber",
                "genbankaccession",
                "geneticaccessionnumber",
                "specimenvoucher",
                "voucher",
                "specimen",
                "name",
            ],
            Self::Sequence => &[
                "nucleotides",
                "nuc",
                "nucraw",
                "dnabarcode",
                "consensussequence",
                "barcodesequence",
                "dnasequence",
                "nucleotidesequence",
                "sequence",
                "seq",
                "barcode",
                "dna",
                "coisequence",
                "nucleotide",
                "coi5p",
                "coi",
            ],
            Self::Marker => {
                &["markercode", "marker", "gene", "locus", "targetgene", "genelocus", "markername", "genename"]
            }
            Self::Label(Field::Phylum) => &["phylum", "phylumname"],
            Self::Label(Field::Class) => &["class", "classname"],
            Self::Label(Field::Order) => &["order", "ordername"],
            Self::Label(Field::Family) => &["family", "familyname"],
            Self::Label(Field::Subfamily) => &["subfamily", "subfamilyname"],
            Self::Label(Field::Genus) => &["genus", "genusname"],
            Self::Label(Field::Species) => {
                &["species", "speciesname", "scientificname", "organism", "organismname", "taxonname", "binomial"]
            }
            Self::Label(Field::Bin) => &["binuri", "dnabin", "boldbin", "boldbinuri", "bin", "binid"],
            Self::Label(Field::Split) => &["split"],
            Self::Label(Field::Country) => &["country", "countryocean", "countryname"],
            Self::Latitude => &["lat", "latitude", "decimallatitude", "coordlat"],
            Self::Longitude => &["lon", "long", "lng", "longitude", "decimallongitude", "coordlon"],
            Self::Coordinates => &["coord", "coords", "coordinates", "geographicalcoordinates", "latlon", "latlong"],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = match text.trim().to_ascii_lowercase().as_str() {
            "lat" => "latitude".to_owned(),
            "lon" => "longitude".to_owned(),
            "coord" => "coordinates".to_owned(),
            other => other.to_owned(),
        };
        Self::all().find(|role| role.key() == wanted).ok_or_else(|| {
            let known: Vec<&str> = Self::all().map(Self::key).collect();
            format!("'{text}' is nothing that a column can hold; known are {}", known.join(", "))
        })
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        role.key().into()
    }
}

impl TryFrom<String> for Role {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Which column holds what, by the columns' names. Written `id=COL,sequence=COL,genus=COL`; `genus=` means that no column does.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ColumnMapping {
    columns: BTreeMap<Role, String>,
}

impl ColumnMapping {
    /// The column read as `role`.
    pub fn column(&self, role: Role) -> Option<&str> {
        self.columns.get(&role).map(String::as_str).filter(|column| !column.is_empty())
    }

    /// Sets or, with `None`, forbids the column for `role`.
    pub fn set(&mut self, role: Role, column: Option<&str>) {
        self.columns.insert(role, column.unwrap_or_default().to_owned());
    }

    /// Roles and columns, in the order of [`Role::all`]; a forbidden role has an empty column.
    pub fn iter(&self) -> impl Iterator<Item = (Role, &str)> {
        self.columns.iter().map(|(&role, column)| (role, column.as_str()))
    }

    /// What the columns of a table hold, by the layout, the names of the columns, and what stands in the first `rows`.
    pub fn guess(header: &[String], rows: &[Vec<String>]) -> Self {
        if let Some(mapping) = layouts::recognise(header).and_then(|layout| layout.mapping(header)) {
            return mapping;
        }
        let mut guess = Guess { header, rows, roles: BTreeMap::new() };
        guess.by_name();
        guess.sequence_by_content();
        guess.bin_by_content();
        guess.species_by_content();
        guess.id_by_content();
        let columns = guess.roles.into_iter().map(|(role, index)| (role, header[index].clone())).collect();
        Self { columns }
    }

    /// This mapping where `changes` says nothing for a table with these columns, else what `changes` says.
    pub(super) fn changed_by(&self, changes: &Self, header: &[String]) -> Self {
        let mut result = self.clone();
        for (role, column) in changes.iter() {
            if column.is_empty() {
                result.columns.remove(&role);
            } else if let Some(index) = find_column(header, column) {
                result.columns.retain(|other, taken| *taken != header[index] || changes.column(*other).is_some());
                result.columns.insert(role, header[index].clone());
            }
        }
        result
    }

    /// Index of the column read as `role`.
    pub(super) fn index(&self, role: Role, header: &[String]) -> Option<usize> {
        self.column(role).and_then(|column| find_column(header, column))
    }
}

/// The column with this name, letter for letter or else without regard to case.
pub(super) fn find_column(header: &[String], name: &str) -> Option<usize> {
    let exact = header.iter().position(|column| column == name);
    exact.or_else(|| header.iter().position(|column| column.eq_ignore_ascii_case(name.trim())))
}

impl fmt::Display for ColumnMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.iter().map(|(role, column)| format!("{role}={column}")).collect();
        f.write_str(&pairs.join(","))
    }
}

impl FromStr for ColumnMapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut pairs: Vec<(Role, String)> = Vec::new();
        for piece in text.split(',').filter(|piece| !piece.trim().is_empty()) {
            let parsed = piece.split_once('=').map(|(role, column)| (role.parse::<Role>(), column));
            match (parsed, pairs.last_mut()) {
                (Some((Ok(role), column)), _) => pairs.push((role, column.trim().to_owned())),
                // A comma within the name of a column.
                (None, Some((_, column))) => *column = format!("{column},{piece}"),
                (Some((Err(problem), _)), _) => return Err(problem),
                (None, None) => {
                    return Err(format!("'{piece}' is no ROLE=COLUMN, as in id=sample,sequence=dna,genus=Genus"));
                }
            }
        }
        for (index, (role, _)) in pairs.iter().enumerate() {
            if pairs[..index].iter().any(|(other, _)| other == role) {
                return Err(format!("'{role}' is given twice"));
            }
        }
        Ok(Self { columns: pairs.into_iter().collect() })
    }
}

/// The name of a column without namespace, case and signs: `dwc:decimalLatitude` as `decimallatitude`.
pub(super) fn plain_name(column: &str) -> String {
    let name = column.rsplit(':').next().unwrap_or(column);
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Whether a species column holds whole scientific names, perhaps of higher taxa, rather than species.
pub(super) fn is_name_column(column: &str) -> bool {
    matches!(plain_name(column).as_str(), "scientificname" | "organism" | "organismname" | "taxonname" | "binomial")
}

/// Whether a column with this name holds ids of some kind.
pub(super) fn is_id_name(column: &str) -> bool {
    Role::Id.column_names().contains(&plain_name(column).as_str())
}

struct Guess<'a> {
    header: &'a [String],
    rows: &'a [Vec<String>],
    roles: BTreeMap<Role, usize>,
}

impl Guess<'_> {
    fn cells(&self, column: usize) -> impl Iterator<Item = &str> {
        let cells = self.rows.iter().filter_map(move |row| row.get(column)).map(|cell| cell.trim());
        cells.filter(|cell| !is_missing_label(cell))
    }

    fn share(&self, column: usize, test: impl Fn(&str) -> bool) -> f64 {
        let (mut fitting, mut all) = (0usize, 0usize);
        for cell in self.cells(column) {
            all += 1;
            fitting += usize::from(test(cell));
        }
        if all == 0 { 0.0 } else { fitting as f64 / all as f64 }
    }

    fn is_free(&self, column: usize) -> bool {
        !self.roles.values().any(|&taken| taken == column)
    }

    fn free(&self) -> Vec<usize> {
        (0..self.header.len()).filter(|&column| self.is_free(column)).collect()
    }

    fn by_name(&mut self) {
        let names: Vec<String> = self.header.iter().map(|column| plain_name(column)).collect();
        for role in Role::all() {
            let mut fitting =
                role.column_names().iter().filter_map(|name| names.iter().position(|other| other == name));
            let found = fitting.find(|&column| {
                // A column of ids that is mostly empty identifies nothing.
                self.is_free(column) && (role != Role::Id || self.cells(column).count() * 2 >= self.rows.len())
            });
            if let Some(column) = found {
                self.roles.insert(role, column);
            }
        }
    }

    fn sequence_by_content(&mut self) {
        if let Some(&column) = self.roles.get(&Role::Sequence)
            && self.cells(column).next().is_some()
            && self.share(column, may_be_sequence) < 0.1
        {
            self.roles.remove(&Role::Sequence);
        }
        if self.roles.contains_key(&Role::Sequence) {
            return;
        }
        let best = (0..self.header.len())
            .map(|column| (column, self.share(column, looks_like_sequence)))
            .filter(|(_, share)| *share >= 0.5)
            .max_by(|(first, a), (second, b)| a.total_cmp(b).then(second.cmp(first)));
        if let Some((column, _)) = best {
            self.roles.retain(|_, taken| *taken != column);
            self.roles.insert(Role::Sequence, column);
        }
    }

    fn bin_by_content(&mut self) {
        let bin = Role::Label(Field::Bin);
        if self.roles.contains_key(&bin) {
            return;
        }
        let is_uri = |column: usize| plain_name(&self.header[column]) == "uri";
        let found = self.free().into_iter().find(|&column| {
            self.share(column, is_bin) >= 0.5 || is_uri(column) && self.share(column, is_bare_bin) >= 0.5
        });
        if let Some(column) = found {
            self.roles.insert(bin, column);
        }
    }

    /// Some tables call the genus "species" and hold the binomial elsewhere.
    fn species_by_content(&mut self) {
        let (genus, species) = (Role::Label(Field::Genus), Role::Label(Field::Species));
        let Some(&column) = self.roles.get(&species) else { return };
        if self.roles.contains_key(&genus) || self.share(column, is_genus) < 0.9 {
            return;
        }
        let begins_with_it = |other: usize| {
            let pairs = self.rows.iter().filter_map(|row| Some((row.get(column)?.trim(), row.get(other)?.trim())));
            let (mut fitting, mut all) = (0usize, 0usize);
            for (short, long) in pairs.filter(|(short, long)| !is_missing_label(short) && !is_missing_label(long)) {
                all += 1;
                fitting += usize::from(long.strip_prefix(short).is_some_and(|rest| rest.starts_with([' ', '_'])));
            }
            all > 0 && fitting * 10 >= all * 9
        };
        let longer = self.free().into_iter().find(|&other| begins_with_it(other));
        self.roles.insert(genus, column);
        self.roles.remove(&species);
        if let Some(other) = longer {
            self.roles.insert(species, other);
        }
    }

    /// The first column whose values all differ and look like codes.
    fn id_by_content(&mut self) {
        if self.roles.contains_key(&Role::Id) {
            return;
        }
        let found = self.free().into_iter().find(|&column| {
            let mut cells: Vec<&str> = self.cells(column).collect();
            let whole = !cells.is_empty() && cells.len() == self.rows.len();
            let measured = cells.iter().all(|cell| cell.contains('.') && cell.parse::<f64>().is_ok());
            let wordy = cells.iter().any(|cell| cell.len() > 100) || cells.iter().all(|cell| is_epithet(cell));
            cells.sort_unstable();
            whole && !measured && !wordy && cells.windows(2).all(|pair| pair[0] != pair[1])
        });
        if let Some(column) = found {
            self.roles.insert(Role::Id, column);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARCODE: &str = "AACATTATATTTTATTTTTGGAATTTGATCAGGAATAGTAGGAACTTC";

    fn guess(header: &[&str], rows: &[&[&str]]) -> String {
        let header: Vec<String> = header.iter().map(ToString::to_string).collect();
        let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        ColumnMapping::guess(&header, &rows).to_string()
    }

    #[test]
    fn columns_are_guessed_by_name() {
        assert_eq!(
            guess(&["dwc:materialSampleID", "ggbn:marker", "ggbn:consensusSequence"], &[&["a", "COI-5P", BARCODE]]),
            "id=dwc:materialSampleID,sequence=ggbn:consensusSequence,marker=ggbn:marker"
        );
        assert_eq!(
            guess(
                &["#OTU ID", "seq", "order_name", "decimalLatitude", "country/ocean"],
                &[&["a", BARCODE, "Diptera", "1", "Peru"]]
            ),
            "id=#OTU ID,sequence=seq,order=order_name,country=country/ocean,latitude=decimalLatitude"
        );
    }

    #[test]
    fn columns_are_guessed_by_content() {
        assert_eq!(
            guess(
                &["Sample", "Sub-Species", "Species", "Code", "Group"],
                &[
                    &["s1", "Apis mellifera", "Apis", BARCODE, "BOLD:AAA1111"],
                    &["s2", "Apis cerana", "Apis", BARCODE, "BOLD:AAA1112"]
                ]
            ),
            "id=Sample,sequence=Code,genus=Species,species=Sub-Species,bin=Group"
        );
        assert_eq!(guess(&["id", "sequence"], &[&["a", "ACGT"], &["b", ""]]), "id=id,sequence=sequence");
        // A column called "sequence" that holds accession numbers holds no sequences.
        assert_eq!(guess(&["id", "sequence", "text"], &[&["a", "KP123456", BARCODE]]), "id=id,sequence=text");
        assert_eq!(
            guess(&["genus", "sequence"], &[&["Apis", BARCODE], &["Apis", BARCODE]]),
            "sequence=sequence,genus=genus"
        );
    }

    #[test]
    fn a_mapping_is_read_and_written() {
        let mapping: ColumnMapping = "id=Sample No, 1,sequence=dna,genus=,lat=Y".parse().unwrap();
        assert_eq!(mapping.column(Role::Id), Some("Sample No, 1"));
        assert_eq!(mapping.column(Role::Label(Field::Genus)), None);
        assert_eq!(mapping.to_string().parse::<ColumnMapping>().unwrap(), mapping);
        let json = serde_json::to_string(&mapping).unwrap();
        assert_eq!(json, r#"{"id":"Sample No, 1","sequence":"dna","genus":"","latitude":"Y"}"#);
        assert_eq!(serde_json::from_str::<ColumnMapping>(&json).unwrap(), mapping);
        assert!("tribe=a".parse::<ColumnMapping>().unwrap_err().contains("genus"));
        assert!("a".parse::<ColumnMapping>().is_err() && "id=a,id=b".parse::<ColumnMapping>().is_err());
    }

    #[test]
    fn what_the_user_says_goes_before_the_guess() {
        let header: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let guessed: ColumnMapping = "id=a,sequence=b,genus=c".parse().unwrap();
        let changed = |text: &str| guessed.changed_by(&text.parse().unwrap(), &header).to_string();
        assert_eq!(changed("id=C"), "id=c,sequence=b");
        assert_eq!(changed("genus="), "id=a,sequence=b");
        assert_eq!(changed("sequence=elsewhere"), "id=a,sequence=b,genus=c");
        assert_eq!(changed("id=c,species=c"), "id=c,sequence=b,species=c");
    }
}
