//! Diagnostic bases: positions at which all specimens of a taxon have one base that none of its relatives has (the pure
//! characters of Sarkar, Planet & DeSalle 2008, Mol. Ecol. Resour. 8: 1256-1259).

use crate::data::iupac::base_code;

/// A position that tells a taxon from its relatives.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DiagnosticBase {
    /// Column of the alignment, from 0.
    pub position: usize,
    /// The base of the taxon: A, C, G or T.
    pub base: u8,
    /// Specimens of the taxon whose base is known there: all of them have it.
    pub members: usize,
    /// The bases of the relatives, each once, in the order A, C, G, T.
    pub others: Vec<u8>,
    /// Relatives whose base is known there.
    pub relatives: usize,
}

/// The diagnostic positions of aligned `members` against aligned `relatives`, from left to right. Letters other than A, C, G and T
/// are unknown; a position counts only where at least one relative and more than half of the members are known.
pub fn diagnostic_bases(members: &[&[u8]], relatives: &[&[u8]]) -> Vec<DiagnosticBase> {
    let columns = members.iter().map(|member| member.len()).max().unwrap_or(0);
    let counts = |sequences: &[&[u8]], position: usize| {
        let mut counts = [0; 4];
        let known = sequences.iter().filter_map(|sequence| base_code(*sequence.get(position)?));
        known.for_each(|base| counts[base] += 1);
        counts
    };
    let at = |position: usize| {
        let (ours, theirs) = (counts(members, position), counts(relatives, position));
        let (known, base) = (0..4).map(|base| (ours[base], base)).max()?;
        let relatives = theirs.iter().sum();
        let is_pure = ours.iter().sum::<usize>() == known && theirs[base] == 0;
        let is_known = 2 * known > members.len() && relatives > 0;
        (is_pure && is_known).then(|| DiagnosticBase {
            position,
            base: b"ACGT"[base],
            members: known,
            others: (0..4).filter(|&other| theirs[other] > 0).map(|other| b"ACGT"[other]).collect(),
            relatives,
        })
    };
    (0..columns).filter_map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes<'a>(texts: &[&'a str]) -> Vec<&'a [u8]> {
        texts.iter().map(|text| text.as_bytes()).collect()
    }

    fn positions(members: &[&str], relatives: &[&str]) -> Vec<(usize, char)> {
        let found = diagnostic_bases(&bytes(members), &bytes(relatives));
        found.into_iter().map(|base| (base.position, char::from(base.base))).collect()
    }

    #[test]
    fn only_what_all_have_and_no_relative_has_counts() {
        // 0 diagnostic; 1 a relative has it, too; 2 the members differ; 3 one member is unknown, the rest agree.
        assert_eq!(positions(&["ACGA", "ACTA", "ACGN"], &["TCAC", "GAAG"]), [(0, 'A'), (3, 'A')]);
        assert_eq!(positions(&["A", "N"], &["C"]), [], "half of the members are not enough");
        assert_eq!(positions(&["A"], &["N", "-"]), [], "nothing is known of the relatives");
        assert_eq!(positions(&["A"], &[]), []);
        assert_eq!(positions(&[], &["A"]), []);
    }

    #[test]
    fn what_a_position_rests_on_is_told() {
        let found = diagnostic_bases(&[b"A", b"A"], &[b"T", b"C", b"T", b"N"]);
        assert_eq!(
            found,
            [DiagnosticBase { position: 0, base: b'A', members: 2, others: b"CT".to_vec(), relatives: 3 }]
        );
    }

    fn view(sequences: &[Vec<u8>]) -> Vec<&[u8]> {
        sequences.iter().map(Vec::as_slice).collect()
    }

    proptest! {
        #[test]
        fn a_diagnostic_base_sorts_all_known_letters(
            members in prop::collection::vec("[ACGTN]{6}", 1..6), relatives in prop::collection::vec("[ACGTN]{6}", 0..6),
        ) {
            let slices = |texts: &[String]| texts.iter().map(|text| text.clone().into_bytes()).collect::<Vec<_>>();
            let (members, relatives) = (slices(&members), slices(&relatives));
            let found = diagnostic_bases(&view(&members), &view(&relatives));
            for position in 0..6 {
                let known: Vec<u8> = members.iter().map(|m| m[position]).filter(|&b| b != b'N').collect();
                let theirs: Vec<u8> = relatives.iter().map(|m| m[position]).filter(|&b| b != b'N').collect();
                let expected = !theirs.is_empty() && 2 * known.len() > members.len()
                    && known.iter().all(|&base| base == known[0]) && !theirs.contains(&known[0]);
                prop_assert_eq!(found.iter().any(|base| base.position == position), expected);
            }
        }
    }
}
