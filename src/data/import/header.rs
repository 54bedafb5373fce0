//! Ids and labels from the headers of FASTA files.
//!
//! No label is guessed at: a word is read as a name only if its shape, its place and the rest of the header say so. The whole
//! header is kept as a text column in any case.

use super::names::{
    LabelValue, bin_value, is_bare_bin, is_bin, is_description_word, is_epithet, is_genus, is_marker, is_missing_label,
    is_open_name, is_process_id, label_value, scientific_name, with_blanks,
};
use super::taxa::{is_above_phylum, is_capitalised, rank_of_word};
use crate::data::taxonomy::Field;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Marks of databases that stand where an id would.
const DATABASES: [&str; 14] =
    ["gi", "gb", "gnl", "emb", "dbj", "ref", "sp", "tr", "lcl", "bbs", "pdb", "tpg", "tpe", "bold"];

/// What can only be known from all headers of a file.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// How often a first field, or its first word, occurs; by hash, since files have millions.
    occurrences: HashMap<u64, u32>,
    /// By place in the header: fields that are bare BINs, and other fields with digits.
    bare_bins: Vec<[u32; 2]>,
    headers: u32,
}

impl Survey {
    /// Takes note of one header.
    pub(super) fn add(&mut self, header: &str) {
        self.headers += 1;
        if let Some(field) = first_field(header) {
            let word = first_word(field);
            *self.occurrences.entry(hash_of(word)).or_default() += 1;
            if word.len() != field.len() {
                *self.occurrences.entry(hash_of(field)).or_default() += 1;
            }
        }
        for (place, field) in header.split('|').enumerate().skip(1).take(32) {
            if self.bare_bins.len() <= place {
                self.bare_bins.resize(place + 1, [0; 2]);
            }
            let field = field.trim();
            if is_bare_bin(field) || is_bin(field) {
                self.bare_bins[place][0] += 1;
            } else if field.bytes().any(|byte| byte.is_ascii_digit()) {
                self.bare_bins[place][1] += 1;
            }
        }
    }

    fn is_unique(&self, text: &str) -> bool {
        self.occurrences.get(&hash_of(text)) == Some(&1)
    }

    /// Whether bare codes in this place of the header are BINs: nothing else with digits stands there, and many do.
    fn is_bin_place(&self, place: usize) -> bool {
        self.bare_bins.get(place).is_some_and(|[bins, others]| *others == 0 && bins * 4 >= self.headers)
    }
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// What stands before the first `|`, `;` or `,`, where there is one.
fn first_field(header: &str) -> Option<&str> {
    header.find(['|', ';', ',']).map(|end| header[..end].trim()).filter(|field| !field.is_empty())
}

/// The id of a header: its first `|`, `;` or `,` field if that looks like a process id or is unique in the file, else the first
/// word. Of a field with several words the first is enough where it serves. Empty where the header is.
pub(super) fn id_of<'h>(header: &'h str, survey: &Survey) -> &'h str {
    match first_field(header) {
        Some(field) => {
            let word = first_word(field);
            if is_process_id(word) {
                word
            } else if DATABASES.contains(&word) {
                first_word(header)
            } else if survey.is_unique(word) {
                word
            } else if survey.is_unique(field) {
                field
            } else {
                first_word(header)
            }
        }
        None => first_word(header),
    }
}

/// What a header says of a specimen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct HeaderLabels {
    names: [Option<String>; Field::ALL.len()],
    /// The marker, where one is named.
    pub(super) marker: Option<String>,
}

impl HeaderLabels {
    pub(super) fn get(&self, field: Field) -> Option<&str> {
        self.names[field as usize].as_deref()
    }

    fn set(&mut self, field: Field, name: &str) {
        if let LabelValue::Name(name) = label_value(field, name) {
            self.names[field as usize].get_or_insert(name.into_owned());
        }
    }

    fn has_name(&self) -> bool {
        Field::RANKS.into_iter().any(|rank| self.get(rank).is_some())
    }

    fn set_name(&mut self, (genus, species): (String, Option<String>)) {
        self.set(Field::Genus, &genus);
        if let Some(species) = species {
            self.set(Field::Species, &species);
        }
    }
}

/// Labels and marker of a header.
pub(super) fn labels_of(header: &str, survey: &Survey) -> HeaderLabels {
    let mut labels = HeaderLabels::default();
    if let Some(at) = header.find("tax=") {
        sintax(&header[at + 4..], &mut labels);
    } else if header.matches(';').count() >= 3 {
        lineage(header, &mut labels);
    } else if header.contains('|') {
        let fields: Vec<&str> = header.split('|').map(str::trim).collect();
        piped(&fields, survey, &mut labels);
    } else {
        free(header, &mut labels);
    }
    if !labels.has_name() {
        described(header, &mut labels);
    }
    labels
}

/// `tax=d:Arthropoda,p:Insecta,…,s:BOLD:AAA0000`. Where the last is a BIN, all ranks are shifted up by one, and the names are
/// read from their end: BIN, species, genus, family, order, class, phylum.
fn sintax(text: &str, labels: &mut HeaderLabels) {
    let pairs: Vec<(&str, &str)> =
        text.trim_end_matches(';').split(',').filter_map(|pair| pair.trim().split_once(':')).collect();
    let shifted = pairs.last().is_some_and(|(_, name)| is_bin(name));
    let from_the_end =
        [Field::Bin, Field::Species, Field::Genus, Field::Family, Field::Order, Field::Class, Field::Phylum];
    for (index, (rank, name)) in pairs.iter().rev().enumerate() {
        let field = if shifted { from_the_end.get(index).copied() } else { rank_of_letter(rank) };
        if let Some(field) = field {
            labels.set(field, name);
        }
    }
    check_species(labels);
}

fn rank_of_letter(letter: &str) -> Option<Field> {
    match letter {
        "p" => Some(Field::Phylum),
        "c" => Some(Field::Class),
        "o" => Some(Field::Order),
        "f" => Some(Field::Family),
        "g" => Some(Field::Genus),
        "s" => Some(Field::Species),
        _ => None,
    }
}

/// `ID Kingdom;Phylum;Class;Order;Family;Genus;Genus species;BIN`, with or without taxon number, kingdom and BIN, or with the
/// ranks written as `p__Arthropoda`.
fn lineage(header: &str, labels: &mut HeaderLabels) {
    let first = first_word(header);
    let text =
        if first.contains(';') { header.split_once(';').map_or("", |(_, rest)| rest) } else { &header[first.len()..] };
    let mut items: Vec<&str> = text.trim().trim_end_matches(';').split(';').map(str::trim).collect();
    if items.iter().filter(|item| item.contains("__")).count() >= 3 {
        let ranked = items.iter().filter_map(|item| item.split_once("__"));
        ranked.for_each(|(letter, name)| {
            if let Some(field) = rank_of_letter(letter) {
                labels.set(field, name);
            }
        });
        return check_species(labels);
    }
    if let Some(bin) = items.pop_if(|item| is_bin(item)) {
        labels.set(Field::Bin, bin);
    }
    // The species may be unknown: keep its empty place.
    if text.trim().ends_with(';') && !items.is_empty() {
        items.push("");
    }
    let numbered = items.first().is_some_and(|item| !item.is_empty() && item.bytes().all(|byte| byte.is_ascii_digit()));
    let anchored = items.iter().rposition(|item| is_above_phylum(item));
    let names = &items[anchored.map_or(usize::from(numbered), |last| last + 1)..];
    let ranks: &[Field] = match names.len() {
        6 => &[Field::Phylum, Field::Class, Field::Order, Field::Family, Field::Genus, Field::Species],
        7 => &Field::RANKS,
        _ => &[],
    };
    let family_fits = ranks.iter().zip(names).all(|(rank, name)| {
        *rank != Field::Family
            || name.is_empty()
            || name.ends_with("idae")
            || name.ends_with("aceae")
            || is_missing_label(name)
    });
    let anchored = anchored.is_some() || names.first().is_some_and(|name| rank_of_word(name) == Some(Field::Phylum));
    if anchored && family_fits && !ranks.is_empty() {
        ranks.iter().zip(names).for_each(|(rank, name)| labels.set(*rank, name));
    } else {
        names.iter().for_each(|name| word_or_name(name, labels));
    }
    check_species(labels);
}

/// A species must begin with its genus; an epithet alone gets it, anything else is no species.
fn check_species(labels: &mut HeaderLabels) {
    let (Some(species), genus) = (labels.get(Field::Species), labels.get(Field::Genus)) else { return };
    let corrected = match genus {
        _ if is_capitalised(first_word(species)) && species.contains(' ') => return,
        Some(genus) if is_epithet(species) => Some(format!("{genus} {species}")),
        _ => None,
    };
    labels.names[Field::Species as usize] = corrected;
}

/// A field that is a scientific name, or one word of known rank; anything else says nothing.
fn word_or_name(field: &str, labels: &mut HeaderLabels) {
    let text = with_blanks(field);
    let (first, rest) = text.split_once(' ').unwrap_or((&text, ""));
    let rank = rank_of_word(first);
    if let Some(rank) = rank.filter(|_| is_open_name(rest)) {
        // "Spartaeinae sp. 3" names a subfamily.
        labels.set(rank, first);
    } else if rank == Some(Field::Family) && is_genus(first_word(rest)) {
        labels.set(Field::Family, first);
        labels.set_name(scientific_name(rest).unwrap_or_else(|| (first_word(rest).to_owned(), None)));
    } else if let Some(rank) = rank.filter(|_| rest.is_empty()) {
        labels.set(rank, first);
    } else if labels.get(Field::Species).is_none()
        && let Some(name) = scientific_name(&text)
    {
        labels.set_name(name);
    }
}

/// `PROCESSID|Taxon|COI-5P|ACCESSION` and its relatives: fields by shape, the taxon by its place before the marker.
fn piped(fields: &[&str], survey: &Survey, labels: &mut HeaderLabels) {
    let bold = is_process_id(first_word(fields[0]));
    let marker = (1..fields.len()).find(|&place| is_marker(fields[place], bold));
    labels.marker = marker.map(|place| fields[place].to_owned());
    for (place, field) in fields.iter().enumerate().skip(1) {
        if is_bin(field) || is_bare_bin(field) && survey.is_bin_place(place) {
            labels.set(Field::Bin, &bin_value(field));
        }
    }
    if let Some(marker) = marker {
        before_marker(&fields[1..marker], bold, labels);
    }
    if !labels.has_name() {
        fields.iter().skip(1).for_each(|field| word_or_name(field, labels));
    }
}

/// The taxon that stands before the marker, over a BIN, a database or nothing between them.
fn before_marker(fields: &[&str], bold: bool, labels: &mut HeaderLabels) {
    let skipped = |field: &str| {
        is_bare_bin(field) || is_bin(field) || is_missing_label(field) || field.eq_ignore_ascii_case("genbank")
    };
    let Some(place) = fields.iter().rposition(|field| !skipped(field)) else { return };
    let (field, adjacent) = (with_blanks(fields[place]), place + 1 == fields.len());
    if place > 0 && is_epithet(&field) && is_genus(fields[place - 1]) {
        labels.set(Field::Genus, fields[place - 1]);
        return labels.set(Field::Species, &format!("{} {field}", fields[place - 1]));
    }
    word_or_name(&field, labels);
    if labels.has_name() || !bold || !adjacent {
        return;
    }
    // In downloads from BOLD this place holds the finest name: a genus, an interim species, or a rank that the lists know.
    match field.split_once(' ') {
        None if is_genus(&field) => labels.set(Field::Genus, &field),
        Some((genus, "group" | "complex")) if is_genus(genus) => labels.set(Field::Genus, genus),
        Some((genus, _)) if is_genus(genus) => {
            labels.set(Field::Genus, genus);
            labels.set(Field::Species, &field);
        }
        _ => {}
    }
}

/// A header without `|`: `Genus_species`, `ID,Family_Genus_species`, `PROCESSID_Genus_species_COI-5P_ACCESSION`, `ID Genus species`.
fn free(header: &str, labels: &mut HeaderLabels) {
    if let Some((id, rest)) = header.split_once([',', ';']) {
        word_or_name(rest, labels);
        if labels.has_name() || id.contains(' ') {
            return;
        }
    }
    let mut words: Vec<&str> = header.split(|letter: char| letter == '_' || letter.is_whitespace()).collect();
    words.retain(|word| !word.is_empty());
    let bold = words.first().is_some_and(|word| is_process_id(word));
    let marker = words.iter().skip(1).position(|word| is_marker(word, bold)).map(|place| place + 1);
    labels.marker = marker.map(|place| words[place].to_owned());
    let name = &words[..marker.unwrap_or(words.len())];
    if bold && marker.is_some() && name.len() > 1 {
        return before_marker(&[&name[1..].join(" ")], true, labels);
    }
    // A binomial at the start or behind the id, then at most a voucher.
    for start in 0..name.len().min(2) {
        let rest = &name[start..];
        if rest.len() >= 2 && is_genus(rest[0]) && is_epithet(rest[1]) && rest[2..].len() <= 2 {
            return labels.set_name((rest[0].to_owned(), Some(format!("{} {}", rest[0], rest[1]))));
        }
    }
    if let [_, word] = name {
        word_or_name(word, labels);
    }
}

/// A description as GenBank writes it: `ACCESSION Genus species voucher X cytochrome oxidase … gene, partial cds`.
fn described(header: &str, labels: &mut HeaderLabels) {
    const SIGNS: [&str; 8] = [
        "mitochondri",
        "cytochrome",
        "partial cds",
        "complete cds",
        "complete genome",
        " voucher ",
        " isolate ",
        " coi ",
    ];
    let lower = header.to_ascii_lowercase();
    if !SIGNS.iter().any(|sign| lower.contains(sign)) {
        return;
    }
    if let Some(family) = lower.find("(family:").and_then(|at| header.get(at + 8..)?.split(')').next()).map(str::trim)
        && rank_of_word(family) == Some(Field::Family)
    {
        labels.set(Field::Family, family);
    }
    let description = header.rsplit('|').next().unwrap_or(header);
    let words: Vec<&str> = description.split_whitespace().collect();
    // Before the name stand at most the accession, a range, a family in brackets and a warning.
    let Some(start) = words.iter().take(4).position(|word| is_genus(word)) else { return };
    let end =
        words[start..].iter().position(|word| is_description_word(word)).map_or(words.len(), |length| start + length);
    let name = &words[start..end];
    match name {
        [genus, epithet, ..] if is_epithet(epithet) => {
            labels.set_name(((*genus).to_owned(), Some(format!("{genus} {epithet}"))));
        }
        [_, rest @ ..] if is_open_name(&rest.join(" ")) && name.len() <= 6 => {
            if let Some(name) = scientific_name(&name.join(" ")) {
                labels.set_name(name);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey(headers: &[&str]) -> Survey {
        let mut survey = Survey::default();
        headers.iter().for_each(|header| survey.add(header));
        survey
    }

    fn ids(headers: &[&str]) -> Vec<String> {
        let survey = survey(headers);
        headers.iter().map(|header| id_of(header, &survey).to_owned()).collect()
    }

    /// Labels as `field=name` pairs.
    fn labels(header: &str) -> String {
        shown(&labels_of(header, &survey(&[header, header])))
    }

    fn shown(labels: &HeaderLabels) -> String {
        let names = Field::ALL.into_iter().filter_map(|field| Some(format!("{field}={}", labels.get(field)?)));
        let marker = labels.marker.iter().map(|marker| format!("marker={marker}"));
        names.chain(marker).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ids_follow_the_rule() {
        assert_eq!(ids(&["ABCDE123-20|Apis|COI-5P", "ABCDE123-20|Apis|COI-5P"]), ["ABCDE123-20", "ABCDE123-20"]);
        assert_eq!(ids(&["S1,Apidae_Apis", "S2,Apidae_Apis"]), ["S1", "S2"]);
        assert_eq!(ids(&["gi|1|gb|X Apis", "gi|2|gb|Y Apis"]), ["gi|1|gb|X", "gi|2|gb|Y"]);
        assert_eq!(ids(&["gi|1|gb|X Apis"]), ["gi|1|gb|X"]);
        assert_eq!(ids(&["tag|a 1", "tag|b 2"]), ["tag|a", "tag|b"]);
        assert_eq!(ids(&["AB123456 | Apis_mellifera", "AB123457 | Apis_mellifera"]), ["AB123456", "AB123457"]);
        assert_eq!(ids(&["ABCDE123-20 Animalia;Arthropoda;Insecta"]), ["ABCDE123-20"]);
        assert_eq!(ids(&["NC_1_1 55;Metazoa;Mollusca", "NC_2_1 56;Metazoa;Mollusca"]), ["NC_1_1", "NC_2_1"]);
        assert_eq!(ids(&["Apis mellifera|1", "Apis cerana|2"]), ["Apis mellifera", "Apis cerana"]);
        assert_eq!(ids(&["Apis_mellifera", "otu 1 size=3", ""]), ["Apis_mellifera", "otu", ""]);
        assert_eq!(ids(&["all.fa;658;ambs=0"]), ["all.fa"]);
    }

    #[test]
    fn headers_of_bold_give_the_taxon_before_the_marker() {
        assert_eq!(labels("ABCDE123-20|Apis mellifera|COI-5P|KP1"), "genus=Apis species=Apis mellifera marker=COI-5P");
        assert_eq!(labels("ABCDE123-20|HQ1|8619680194|Agarodes|COI-5P"), "genus=Agarodes marker=COI-5P");
        assert_eq!(
            labels("ABCDE123-20|Lymantria_dispar_dispar|COI-5P|MF1"),
            "genus=Lymantria species=Lymantria dispar marker=COI-5P"
        );
        assert_eq!(labels("ABCDE123-20|Conoesucidae|COI-5P"), "family=Conoesucidae marker=COI-5P");
        assert_eq!(labels("ABCDE123-20|Cryptinae|COI-5P"), "subfamily=Cryptinae marker=COI-5P");
        assert_eq!(labels("ABCDE123-20|Lepidoptera|COI-5P"), "order=Lepidoptera marker=COI-5P");
        assert_eq!(
            labels("ABCDE123-20|Nylanderia NZsp3|COI-5P"),
            "genus=Nylanderia species=Nylanderia NZsp3 marker=COI-5P"
        );
        assert_eq!(labels("ABCDE123-20|Metopina_group|COI-5P"), "genus=Metopina marker=COI-5P");
        assert_eq!(labels("ABCDE123-20|Agabus sp.|COI-5P"), "genus=Agabus marker=COI-5P");
        assert_eq!(labels("ABCDE123-20"), "");
        assert_eq!(labels("S1|Apis|COI-5P"), "marker=COI-5P", "a single word is a genus only in a header of BOLD");
    }

    #[test]
    fn bare_bins_count_where_their_place_holds_nothing_else() {
        let headers =
            ["AB1-20|KP1|Agabus|ajax|AAC1111|COI-5P", "KP2|KP2|Agabus|ajax|GenBank|CYTOCHROMEOXIDASESUBUNIT1"];
        let known = survey(&headers);
        assert_eq!(
            shown(&labels_of(headers[0], &known)),
            "genus=Agabus species=Agabus ajax bin=BOLD:AAC1111 marker=COI-5P"
        );
        assert_eq!(
            shown(&labels_of(headers[1], &known)),
            "genus=Agabus species=Agabus ajax marker=CYTOCHROMEOXIDASESUBUNIT1"
        );
        let mixed = survey(&["a|AAC1111", "b|X12"]);
        assert_eq!(shown(&labels_of("a|AAC1111", &mixed)), "");
    }

    #[test]
    fn lineages_are_read_rank_by_rank() {
        let ranks = "phylum=Arthropoda class=Insecta order=Lepidoptera family=Pieridae genus=Gonepteryx species=Gonepteryx rhamni";
        assert_eq!(
            labels(
                "ABCDE123-20 Animalia;Arthropoda;Insecta;Lepidoptera;Pieridae;Gonepteryx;Gonepteryx rhamni;BOLD:AAA1111"
            ),
            format!("{ranks} bin=BOLD:AAA1111")
        );
        assert_eq!(
            labels(
                "X;tax=d:Arthropoda,p:Insecta,c:Lepidoptera,o:Pieridae,f:Gonepteryx,g:Gonepteryx_rhamni,s:BOLD:AAA1111"
            ),
            format!("{ranks} bin=BOLD:AAA1111")
        );
        assert_eq!(
            labels(
                "X;tax=d:Eukaryota,p:Arthropoda,c:Insecta,o:Lepidoptera,f:Pieridae,g:Gonepteryx,s:Gonepteryx_rhamni;"
            ),
            ranks
        );
        assert_eq!(
            labels("X k__Animalia;p__Arthropoda;c__Insecta;o__Lepidoptera;f__Pieridae;g__Gonepteryx;s__rhamni"),
            ranks
        );
        assert_eq!(
            labels("NC_1_1 2251;Metazoa;Mollusca;Gastropoda;;Lottiidae;Lottia;Lottia_digitalis"),
            "phylum=Mollusca class=Gastropoda family=Lottiidae genus=Lottia species=Lottia digitalis"
        );
        assert_eq!(
            labels("X 2035;Fungi;Basidiomycota;Cystobasidiomycetes;Cystobasidiales;Cystobasidiaceae;Cystobasidium;"),
            "phylum=Basidiomycota class=Cystobasidiomycetes order=Cystobasidiales family=Cystobasidiaceae genus=Cystobasidium"
        );
        assert_eq!(labels("all.fa;658;25;ambs=0;estgaps=0"), "");
    }

    #[test]
    fn free_headers_are_read_where_they_are_plain() {
        assert_eq!(labels("Artoria_flavimanus"), "genus=Artoria species=Artoria flavimanus");
        assert_eq!(labels("AY1 | Lyssomanes_viridis"), "genus=Lyssomanes species=Lyssomanes viridis");
        assert_eq!(labels("gnl|Drosophila_angor|DQ4_1"), "genus=Drosophila species=Drosophila angor");
        assert_eq!(
            labels("A1,Lasiocampidae_Dendrolimus_punctatus"),
            "family=Lasiocampidae genus=Dendrolimus species=Dendrolimus punctatus"
        );
        assert_eq!(
            labels("ABCDE123-20_Carabus_linnei_COI-5P_KM1"),
            "genus=Carabus species=Carabus linnei marker=COI-5P"
        );
        assert_eq!(labels("A1,Lasiocampidae_Dendrolimus_punctatusAuthor"), "family=Lasiocampidae genus=Dendrolimus");
        assert_eq!(labels("AY1 | Spartaeinae_sp._MCH-2003"), "subfamily=Spartaeinae");
        assert_eq!(labels("1|NZ1|Plot-5|Subplot-I|Leaf-Litter|Ptiliidae"), "family=Ptiliidae");
        assert_eq!(labels("ex_1|5|Rotifera|clean"), "phylum=Rotifera");
        for nothing in ["minorD003", "OTU_1", "IM1|polytropa", "1|Plot|Norway", "42b1d063e6528aca", "Plot_5", ""] {
            assert_eq!(labels(nothing), "", "{nothing}");
        }
    }

    #[test]
    fn descriptions_of_genbank_give_the_species() {
        assert_eq!(
            labels(
                "gi|1|gb|AY1.1| Musca domestica voucher MC 1 cytochrome c oxidase subunit I (COI) gene, partial cds"
            ),
            "genus=Musca species=Musca domestica"
        );
        assert_eq!(
            labels("gi|1|53-69 (family:Accipitridae) Buteo buteo mitochondrion, complete genome"),
            "family=Accipitridae genus=Buteo species=Buteo buteo"
        );
        assert_eq!(labels("AY1.1 UNVERIFIED: Apis sp. 3 isolate B2 mitochondrial"), "genus=Apis species=Apis sp. 3");
        assert_eq!(
            labels("gb|AY1| Phytomyza n. sp. 6 cytochrome oxidase"),
            "genus=Phytomyza species=Phytomyza n. sp. 6"
        );
        assert_eq!(labels("gb|AY1| Ceriodini sp. GKS-2003 cytochrome oxidase"), "");
        assert_eq!(labels("AY1.1 uncultured organism mitochondrial"), "");
    }
}
