//! The layouts in which barcodes are published as tables, recognised by their columns.

use super::mapping::{ColumnMapping, Role, find_column};

/// A published layout.
#[derive(Debug)]
pub(super) struct Layout {
    /// What it is called.
    pub(super) name: &'static str,
    /// Columns that only it has together.
    columns: &'static [&'static str],
    /// Columns that it does not have.
    without: &'static [&'static str],
    /// What its columns hold; empty where that is found by their names.
    mapping: &'static str,
}

const BCDM: &str = "id=processid,sequence=nuc,marker=marker_code,phylum=phylum,class=class,order=order,family=family,\
    subfamily=subfamily,genus=genus,species=species,bin=bin_uri,country=country/ocean,coordinates=coord";
const BOLD: &str = "id=processid,sequence=nucleotides,marker=markercode,phylum=phylum_name,class=class_name,order=order_name,\
    family=family_name,subfamily=subfamily_name,genus=genus_name,species=species_name,bin=bin_uri,country=country,latitude=lat,\
    longitude=lon";

/// Sorted by how much they ask for: the first that fits is it.
const LAYOUTS: [Layout; 13] = [
    Layout {
        name: "BIOSCAN-5M",
        columns: &["processid", "dna_bin", "dna_barcode"],
        without: &[],
        mapping: "id=processid,sequence=dna_barcode,phylum=phylum,class=class,order=order,family=family,subfamily=subfamily,\
            genus=genus,species=species,bin=dna_bin,split=split,country=country,latitude=coord-lat,longitude=coord-lon",
    },
    Layout {
        name: "BIOSCAN-1M",
        columns: &["processid", "uri", "nucraw", "image_file"],
        without: &[],
        mapping: "id=processid,sequence=nucraw,phylum=phylum,class=class,order=order,family=family,subfamily=subfamily,\
            genus=genus,species=species,bin=uri",
    },
    Layout {
        name: "BOLD v5 portal",
        columns: &["processid", "nuc", "marker_code", "pre_md5hash"],
        without: &[],
        mapping: BCDM,
    },
    Layout {
        name: "BCDM 2025",
        columns: &["processid", "nuc", "marker_code", "sovereign_inst"],
        without: &[],
        mapping: BCDM,
    },
    Layout { name: "BCDM 2024", columns: &["processid", "nuc", "marker_code", "bin_uri"], without: &[], mapping: BCDM },
    Layout {
        name: "BOLD data package 2023",
        columns: &["processid", "nucraw", "marker_code", "bin_uri"],
        without: &[],
        mapping: "id=processid,sequence=nucraw,marker=marker_code,phylum=phylum,class=class,order=order,family=family,\
            subfamily=subfamily,genus=genus,species=species,bin=bin_uri,country=country,coordinates=coord",
    },
    Layout {
        name: "BOLD v4 combined",
        columns: &["processid", "nucleotides", "markercode", "collectiondate_start"],
        without: &[],
        mapping: BOLD,
    },
    Layout {
        name: "BOLD v3 combined",
        columns: &["processid", "nucleotides", "markercode", "catalognum"],
        without: &[],
        mapping: BOLD,
    },
    Layout {
        name: "BOLD specimen data",
        columns: &["processid", "sampleid", "phylum_name", "species_name", "catalognum"],
        without: &["nucleotides"],
        mapping: BOLD,
    },
    Layout {
        name: "CANADA-1.5M",
        columns: &["processid", "nucleotides", "order_name", "species_name"],
        without: &["markercode"],
        mapping: BOLD,
    },
    Layout { name: "MetaCOXI", columns: &["Accession", "Provenance_DB"], without: &[], mapping: "" },
    Layout { name: "Darwin Core", columns: &["dwc:materialSampleID"], without: &[], mapping: "" },
    Layout { name: "Darwin Core", columns: &["occurrenceID", "scientificName"], without: &[], mapping: "" },
];

/// The layout that a table with these columns has.
pub(super) fn recognise(header: &[String]) -> Option<&'static Layout> {
    let has = |name: &&str| header.iter().any(|column| column == name);
    LAYOUTS.iter().find(|layout| layout.columns.iter().all(has) && !layout.without.iter().any(has))
}

impl Layout {
    /// What the columns hold that are there; `None` where the names of the columns must tell.
    pub(super) fn mapping(&self, header: &[String]) -> Option<ColumnMapping> {
        let whole: ColumnMapping = self.mapping.parse().expect("the layouts name known roles");
        let mut mapping = ColumnMapping::default();
        for (role, column) in whole.iter().filter(|(_, column)| find_column(header, column).is_some()) {
            mapping.set(role, Some(column));
        }
        mapping.column(Role::Id).is_some().then_some(mapping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mapping_names_known_roles_and_ids() {
        for layout in &LAYOUTS {
            let mapping: ColumnMapping = layout.mapping.parse().unwrap();
            assert!(layout.mapping.is_empty() || mapping.column(Role::Id).is_some(), "{}", layout.name);
        }
    }

    #[test]
    fn layouts_are_told_apart_by_their_columns() {
        let name = |columns: &str| {
            let header: Vec<String> = columns.split(' ').map(String::from).collect();
            recognise(&header).map(|layout| layout.name)
        };
        assert_eq!(
            name("nucleotides processid bin_uri order_name family_name genus_name species_name"),
            Some("CANADA-1.5M")
        );
        assert_eq!(name("processid nuc bin_uri marker_code sovereign_inst"), Some("BCDM 2025"));
        assert_eq!(name("processid nuc bin_uri marker_code"), Some("BCDM 2024"));
        assert_eq!(name("id sequence"), None);
    }
}
