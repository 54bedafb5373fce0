//! The shapes of ids, names, markers, BINs and positions in files of barcodes.

use super::taxa::{is_capitalised, rank_of_word};
use crate::data::taxonomy::Field;
use std::borrow::Cow;

/// Words that stand for a missing value in any column.
fn is_missing_word(value: &str) -> bool {
    matches!(value, "" | "None" | "not_classified" | "no_data")
}

/// The value of a text column, or `None` where it is missing.
pub(super) fn text_value(value: &str) -> Option<&str> {
    Some(value.trim()).filter(|value| !is_missing_word(value))
}

/// Words that stand for a missing label: those of [`text_value`] and what spreadsheets and programs write.
pub(super) fn is_missing_label(value: &str) -> bool {
    let value = value.trim();
    let Some(first) = value.bytes().next() else { return true };
    // Asked of every cell of every row: most names begin with none of these letters.
    if !matches!(first, b'n' | b'N' | b'#' | b'-' | b'?' | b'.') {
        return false;
    }
    let words = ["none", "not_classified", "no_data", "na", "n/a", "#n/a", "nan", "null", "-", "--", "?", "."];
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Whether a word looks like a process id of BOLD: letters, digits, a hyphen and two digits, as in `ABCDE123-20`.
pub(super) fn is_process_id(word: &str) -> bool {
    let letters = word.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = word.bytes().skip(letters).take_while(u8::is_ascii_digit).count();
    let year = &word.as_bytes()[letters + digits..];
    (2..=9).contains(&letters)
        && (1..=7).contains(&digits)
        && year.len() >= 3
        && year[0] == b'-'
        && year[1..3].iter().all(u8::is_ascii_digit)
        && (year.len() == 3 || year[3] == b'.')
}

/// A process id without the marker that records of BOLD carry behind it: `ABCDE123-20.COI-5P` as `ABCDE123-20`.
pub(super) fn process_id_stem(id: &str) -> Option<&str> {
    let (stem, _) = id.split_once('.')?;
    is_process_id(stem).then_some(stem)
}

/// Whether a word is the code of a BIN without `BOLD:` before it: three letters, four digits.
pub(super) fn is_bare_bin(word: &str) -> bool {
    word.len() == 7
        && word.bytes().take(3).all(|byte| byte.is_ascii_uppercase())
        && word.bytes().skip(3).all(|byte| byte.is_ascii_digit())
}

/// Whether a word is a BIN as BOLD writes it.
pub(super) fn is_bin(word: &str) -> bool {
    word.strip_prefix("BOLD:").is_some_and(is_bare_bin)
}

/// The value of a BIN column: `BOLD:` is put before a bare code, all else stays as it is.
pub(super) fn bin_value(value: &str) -> Cow<'_, str> {
    if is_bare_bin(value) { Cow::Owned(format!("BOLD:{value}")) } else { Cow::Borrowed(value) }
}

/// A marker's name for comparing: letters and digits in upper case; written out, cytochrome oxidase subunit 1 is COI.
pub(super) fn marker_key(marker: &str) -> String {
    let key: String = marker.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_uppercase).collect();
    match key.as_str() {
        "CYTOCHROMEOXIDASESUBUNIT1"
        | "CYTOCHROMEOXIDASESUBUNITI"
        | "CYTOCHROMECOXIDASESUBUNIT1"
        | "CYTOCHROMECOXIDASESUBUNITI"
        | "CYTOCHROMECOXIDASEI"
        | "CYTOCHROMECOXIDASE1"
        | "CYTOCHROMEOXIDASEI"
        | "CYTOCHROMEOXIDASE1" => "COI".into(),
        _ => key,
    }
}

/// Whether a whole field of a header is the name of a marker. `bold` headers may hold the short names too, which elsewhere could
/// be anything.
pub(super) fn is_marker(field: &str, bold: bool) -> bool {
    const SURE: [&str; 34] = [
        "COI5P",
        "COI3P",
        "COILIKE",
        "COIPSEUDO",
        "COINUMT",
        "COI5PNMT1",
        "COI",
        "COX1",
        "CO1",
        "COII",
        "COX2",
        "COIII",
        "COX3",
        "CYTB",
        "12S",
        "16S",
        "18S",
        "28S",
        "18S5P",
        "18S3P",
        "28SD2",
        "ITS",
        "ITS1",
        "ITS2",
        "RBCL",
        "RBCLA",
        "MATK",
        "TRNHPSBA",
        "TRNLF",
        "EF1ALPHA",
        "EF1A",
        "WNT1",
        "ATP6",
        "RAG1",
    ];
    const BOLD_ONLY: [&str; 14] =
        ["H3", "H4", "CAD", "CAD4", "AATS", "PGD", "TPI", "CK1", "ND1", "ND2", "ND4", "RHO", "WG", "DLOOP"];
    let key = marker_key(field);
    SURE.contains(&key.as_str()) || bold && BOLD_ONLY.contains(&key.as_str())
}

/// Underscores as blanks and one blank between words.
pub(super) fn with_blanks(value: &str) -> Cow<'_, str> {
    let value = value.trim();
    let bytes = value.as_bytes();
    let odd = |byte: &u8| matches!(byte, b'_' | b'\t' | b'\n' | b'\r');
    if bytes.iter().any(odd) || bytes.windows(2).any(|pair| pair == b"  ") {
        let words: Vec<&str> = value.split(|letter: char| letter == '_' || letter.is_whitespace()).collect();
        Cow::Owned(words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
    } else {
        Cow::Borrowed(value)
    }
}

/// Whether a name is no name but a mark for "not known below this taxon": `Chironomidae_X`, `unclassified.Arthropoda`.
fn is_placeholder(value: &str) -> bool {
    let marked = value.rsplit_once('_').is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|byte| byte == b'X'));
    let words = ["unclassified", "unresolved", "unassigned", "unidentified", "unknown"];
    let begins = |word: &&str| {
        value.as_bytes().get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    let mut pieces = value.as_bytes().windows("incertae".len());
    marked || words.iter().any(begins) || pieces.any(|piece| piece.eq_ignore_ascii_case(b"incertae"))
}

/// A word that says that no name follows.
fn is_unnamed_word(word: &str) -> bool {
    matches!(word, "sp." | "sp" | "spp." | "spp" | "indet." | "indet")
}

/// Whether a species name ends where the name should begin: `Agabus sp.`
fn is_unnamed_species(name: &str) -> bool {
    is_unnamed_word(name.rsplit(' ').next().unwrap_or_default())
}

/// Whether what stands behind a genus leaves the species open: `sp. 3`, `n. sp. 3`, `cf. affinis`.
pub(super) fn is_open_name(rest: &str) -> bool {
    let first = rest.split(' ').next().unwrap_or_default();
    is_unnamed_word(first) || matches!(first, "n." | "nr." | "nr" | "cf." | "cf" | "aff." | "aff")
}

/// What a cell of a label column says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LabelValue<'a> {
    /// Nothing.
    Missing,
    /// A mark that stands for nothing.
    Placeholder,
    /// A name.
    Name(Cow<'a, str>),
}

/// Reads a cell of a label column.
pub(super) fn label_value(field: Field, value: &str) -> LabelValue<'_> {
    if is_missing_label(value) {
        return LabelValue::Missing;
    }
    let value = value.trim();
    match field {
        Field::Bin => LabelValue::Name(bin_value(value)),
        Field::Split | Field::Country => LabelValue::Name(Cow::Borrowed(value)),
        _ if is_placeholder(value) => LabelValue::Placeholder,
        _ => {
            let name = with_blanks(value);
            if field == Field::Species && is_unnamed_species(&name) {
                LabelValue::Placeholder
            } else {
                LabelValue::Name(name)
            }
        }
    }
}

/// Whether a word is shaped like the epithet of a species: lower case letters, at least three, perhaps hyphens.
pub(super) fn is_epithet(word: &str) -> bool {
    // Words that stand behind a capitalised word in free text and are no epithets.
    const NO_EPITHETS: [&str; 24] = [
        "sample",
        "plot",
        "site",
        "female",
        "male",
        "adult",
        "larva",
        "juvenile",
        "specimen",
        "isolate",
        "voucher",
        "clone",
        "strain",
        "species",
        "group",
        "complex",
        "litter",
        "soil",
        "forest",
        "trap",
        "gene",
        "mitochondrion",
        "haplotype",
        "consensus",
    ];
    word.len() >= 3
        && word.starts_with(|letter: char| letter.is_lowercase())
        && word.ends_with(char::is_lowercase)
        && word.chars().all(|letter| letter.is_lowercase() || letter == '-')
        && !NO_EPITHETS.contains(&word)
}

/// Whether a word is shaped like the name of a genus, and is not known to be a higher taxon, nor has the ending of a tribe, nor
/// is a word that stands in codes of samples.
pub(super) fn is_genus(word: &str) -> bool {
    const NO_GENERA: [&str; 28] = [
        "Barcode",
        "Blank",
        "Clone",
        "Cluster",
        "Consensus",
        "Contig",
        "Control",
        "East",
        "Group",
        "Haplotype",
        "Isolate",
        "Lake",
        "Leaf",
        "New",
        "North",
        "Plate",
        "Plot",
        "Pool",
        "Population",
        "River",
        "Sample",
        "Sequence",
        "Site",
        "South",
        "Species",
        "Specimen",
        "Unknown",
        "West",
    ];
    is_capitalised(word)
        && rank_of_word(word).is_none()
        && !(word.len() > 5 && word.ends_with("ini"))
        && !NO_GENERA.contains(&word)
}

/// Whether a word belongs to the description that GenBank writes behind a name.
pub(super) fn is_description_word(word: &str) -> bool {
    const WORDS: [&str; 18] = [
        "voucher",
        "isolate",
        "strain",
        "haplotype",
        "clone",
        "specimen",
        "mitochondrial",
        "mitochondrion",
        "cytochrome",
        "gene",
        "coi",
        "co1",
        "cox1",
        "partial",
        "from",
        "breed",
        "population",
        "culture",
    ];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Genus and species of a text that is a scientific name and nothing else: `Apis mellifera`, `Apis mellifera ligustica`,
/// `Apis cf. mellifera`, `Apis sp. 3`, with or without underscores and author.
///
/// The species is the binomial or the interim name; a subspecies, a subgenus and the author are dropped.
pub(super) fn scientific_name(text: &str) -> Option<(String, Option<String>)> {
    let text = with_blanks(text);
    let mut words =
        text.split(' ').filter(|word| !(word.starts_with('(') && word.ends_with(')') && is_capitalised(inner(word))));
    let genus = words.next().filter(|word| is_genus(word))?;
    let rest: Vec<&str> = words.collect();
    match rest.as_slice() {
        [open, which @ ..] if is_open_name(open) => {
            let which: Vec<&str> = which.iter().copied().skip_while(|word| is_unnamed_word(word)).collect();
            if which.len() > 4 || which.iter().any(|word| is_description_word(word)) {
                return None;
            }
            let species = (!which.is_empty()).then(|| format!("{genus} {}", rest.join(" ")));
            Some((genus.to_owned(), species))
        }
        [epithet, after @ ..] if is_epithet(epithet) && after.iter().all(|word| may_follow_binomial(word)) => {
            Some((genus.to_owned(), Some(format!("{genus} {epithet}"))))
        }
        _ => None,
    }
}

fn inner(word: &str) -> &str {
    word.trim_start_matches('(').trim_end_matches(')')
}

/// Subspecies, author or year.
fn may_follow_binomial(word: &str) -> bool {
    is_epithet(word)
        || matches!(word, "&" | "et" | "al." | "in" | "ex" | "de" | "von" | "van" | "der" | "ssp." | "subsp." | "var.")
        || word.starts_with(|letter: char| letter == '(' || letter.is_uppercase())
            && word.chars().all(|letter| letter.is_alphabetic() || "().,-'".contains(letter))
        || word
            .trim_matches(|letter: char| "(),.".contains(letter))
            .parse::<u16>()
            .is_ok_and(|year| (1750..2100).contains(&year))
}

/// A position in degrees from one text: `[lat, lon]`, `(lat,lon)`, `46.5 -80.99`, `46.5 N 80.99 W`.
pub(super) fn position(text: &str) -> Option<[f32; 2]> {
    let mut numbers: Vec<f64> = Vec::new();
    for word in
        text.split(|letter: char| letter.is_whitespace() || "[](),;".contains(letter)).filter(|word| !word.is_empty())
    {
        match (word, numbers.last_mut()) {
            ("N" | "E", Some(_)) => {}
            ("S" | "W", Some(number)) => *number = -*number,
            _ => numbers.push(degrees(word)?),
        }
    }
    match numbers.as_slice() {
        [latitude, longitude] => on_globe(*latitude, *longitude),
        _ => None,
    }
}

/// A position in degrees from latitude and longitude, with point or comma.
pub(super) fn position_of(latitude: &str, longitude: &str) -> Option<[f32; 2]> {
    on_globe(degrees(&latitude.trim().replace(',', "."))?, degrees(&longitude.trim().replace(',', "."))?)
}

fn degrees(word: &str) -> Option<f64> {
    word.parse::<f64>().ok().filter(|number| number.is_finite())
}

fn on_globe(latitude: f64, longitude: f64) -> Option<[f32; 2]> {
    ((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude))
        .then_some([latitude as f32, longitude as f32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_ids_have_their_shape() {
        for id in ["ABCDE123-20", "AB1-03", "GBMIN38043-13", "ABCDE123-20.COI-5P"] {
            assert!(is_process_id(id), "{id}");
        }
        for id in ["", "95-SRNP-8045", "ABC-12", "ABC12-345", "abc12-34", "KP420791", "ABC12-3", "ÄBC12-34"] {
            assert!(!is_process_id(id), "{id}");
        }
        assert_eq!(process_id_stem("ABCDE123-20.COI-5P"), Some("ABCDE123-20"));
        assert_eq!(process_id_stem("AY123456.1"), None);
    }

    #[test]
    fn names_of_organisms_are_taken_apart() {
        let name = |text: &str| scientific_name(text).map(|(genus, species)| (genus, species.unwrap_or_default()));
        let pair = |genus: &str, species: &str| Some((genus.to_owned(), species.to_owned()));
        assert_eq!(name("Apis mellifera"), pair("Apis", "Apis mellifera"));
        assert_eq!(name("Lymantria_dispar_dispar"), pair("Lymantria", "Lymantria dispar"));
        assert_eq!(name("Bombus (Psithyrus) rupestris (Fabricius, 1793)"), pair("Bombus", "Bombus rupestris"));
        assert_eq!(name("Apis sp."), pair("Apis", ""));
        assert_eq!(name("Tanytarsus sp. 2ES"), pair("Tanytarsus", "Tanytarsus sp. 2ES"));
        assert_eq!(name("Agabus cf. affinis"), pair("Agabus", "Agabus cf. affinis"));
        for text in [
            "Apis",
            "apis mellifera",
            "Leaf litter",
            "Plot 5",
            "Site alpha",
            "Insecta larva",
            "Chironomidae sp. 3",
            "",
            "New York",
        ] {
            assert_eq!(name(text), None, "{text}");
        }
    }

    #[test]
    fn cells_of_label_columns_are_names_or_missing() {
        let label = |field, value: &'static str| match label_value(field, value) {
            LabelValue::Name(name) => name.into_owned(),
            other => format!("{other:?}"),
        };
        for missing in ["", " ", "None", "not_classified", "no_data", "NA", "n/a", "nan"] {
            assert_eq!(label(Field::Genus, missing), "Missing", "{missing:?}");
        }
        for placeholder in ["Cecidomyiidae_X", "Cecidomyiidae_XX", "unclassified.Arthropoda", "Agabus sp."] {
            assert_eq!(label(Field::Species, placeholder), "Placeholder");
        }
        assert_eq!(label(Field::Species, " Apis  mellifera "), "Apis mellifera");
        assert_eq!(label(Field::Species, "Phlebotomus_papatasi"), "Phlebotomus papatasi");
        assert_eq!(label(Field::Bin, "AEC6988"), "BOLD:AEC6988");
        assert_eq!(label(Field::Bin, "BOLD:AEC6988"), "BOLD:AEC6988");
        assert_eq!(label(Field::Split, "test_unseen"), "test_unseen");
    }

    proptest::proptest! {
        /// The short-cuts against the rules as they are written: words without regard to case, blanks around them.
        #[test]
        fn what_is_missing_or_a_placeholder_is_found_in_any_case(
            value in "[ ]?(none|not_classified|no_data|na|n/a|#n/a|nan|null|-|--|[?]|[.]|nap|nul|-a)[ ]?|\
                (un(classified|resolved|assigned|identified|known)|incertae|uncia|tae|X)?[ _]?(incertae sedis|Apis|unknown|_X+)?",
            upper: u64,
        ) {
            let raise = |(at, letter): (usize, char)| if upper >> (at % 64) & 1 == 1 { letter.to_ascii_uppercase() } else { letter };
            let cell: String = value.chars().enumerate().map(raise).collect();
            let lower = cell.trim().to_ascii_lowercase();
            let missing = ["", "none", "not_classified", "no_data", "na", "n/a", "#n/a", "nan", "null", "-", "--", "?", "."];
            proptest::prop_assert_eq!(is_missing_label(&cell), missing.contains(&lower.as_str()));
            let words = ["unclassified", "unresolved", "unassigned", "unidentified", "unknown"];
            let marked = cell.rsplit_once('_').is_some_and(|(_, end)| !end.is_empty() && end.chars().all(|letter| letter == 'X'));
            let low = cell.to_ascii_lowercase();
            let expected = marked || words.iter().any(|word| low.starts_with(word)) || low.contains("incertae");
            proptest::prop_assert_eq!(is_placeholder(&cell), expected);
        }

        #[test]
        fn one_blank_stands_between_words(value in "[ab_ \t\n\r]{0,12}") {
            let words: Vec<&str> = value.split(['_', ' ', '\t', '\n', '\r']).filter(|word| !word.is_empty()).collect();
            proptest::prop_assert_eq!(with_blanks(&value), words.join(" "));
        }
    }

    #[test]
    fn markers_are_compared_without_case_and_hyphens() {
        assert_eq!(marker_key("coi-5p"), "COI5P");
        assert_eq!(marker_key("CYTOCHROMEOXIDASESUBUNITI"), "COI");
        assert!(
            is_marker("COI-3P", false) && is_marker("H3", true) && !is_marker("H3", false) && !is_marker("Apis", true)
        );
    }

    #[test]
    fn positions_are_read_in_every_form() {
        for text in ["[46.5, -80.99]", "(46.5,-80.99)", "46.5 -80.99 ", "46.5 N 80.99 W", "46.5;-80.99"] {
            assert_eq!(position(text), Some([46.5, -80.99]), "{text}");
        }
        for text in ["", "46.5", "96 10", "10 200", "north", "1 2 3", "nan 3", "inf 3"] {
            assert_eq!(position(text), None, "{text}");
        }
        assert_eq!(position_of("46,5", " -80.99"), Some([46.5, -80.99]));
        assert_eq!(position_of("-91", "0"), None);
    }
}
