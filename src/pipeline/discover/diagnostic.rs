//! Bases by which a group can be told from its nearest relatives, in the COI-5P frame.

use crate::analysis::diagnostic::{DiagnosticBase, diagnostic_bases};
use crate::data::frame::{FrameProfile, Registration};

/// Share of the barcodes that must have a base at a position for it to count.
const LEAST_SHARE: f64 = 0.8;

/// The diagnostic bases of `members` against `relatives`, in order. A position counts where at least four fifths of the barcodes on
/// either side have a base there. Barcodes that do not lie in the COI-5P frame are left out; insertions and deletions are not seen.
pub(in crate::pipeline) fn diagnostic_in_frame(members: &[&[u8]], relatives: &[&[u8]]) -> Vec<DiagnosticBase> {
    let (members, relatives) = (placed(members), placed(relatives));
    let is_filled = |bases: usize, barcodes: usize| bases as f64 >= LEAST_SHARE * barcodes as f64;
    let mut found = diagnostic_bases(&slices(&members), &slices(&relatives));
    found.retain(|base| is_filled(base.members, members.len()) && is_filled(base.relatives, relatives.len()));
    found
}

fn slices(barcodes: &[Vec<u8>]) -> Vec<&[u8]> {
    barcodes.iter().map(Vec::as_slice).collect()
}

/// A base with its position from 1, and what the relatives have: `403A (not CT)`.
pub fn told(base: &DiagnosticBase) -> String {
    format!("{} (not {})", short(base), String::from_utf8_lossy(&base.others))
}

/// A base with its position from 1: `403A`.
pub fn short(base: &DiagnosticBase) -> String {
    format!("{}{}", base.position + 1, char::from(base.base))
}

/// Barcodes that lie in the frame, each as long as it.
fn placed(barcodes: &[&[u8]]) -> Vec<Vec<u8>> {
    let profile = FrameProfile::bundled();
    let place = |barcode: &&[u8]| Some(profile.register(barcode).filter(Registration::is_coi)?.aligned(barcode));
    barcodes.iter().filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changes: &[(usize, u8)]) -> Vec<u8> {
        let mut barcode = FrameProfile::bundled().consensus();
        changes.iter().for_each(|&(position, base)| barcode[position - 1] = base);
        barcode
    }

    fn other(position: usize) -> u8 {
        let typical = FrameProfile::bundled().consensus()[position - 1];
        if typical == b'A' { b'C' } else { b'A' }
    }

    fn found(members: &[Vec<u8>], relatives: &[Vec<u8>]) -> Vec<usize> {
        let members: Vec<&[u8]> = members.iter().map(Vec::as_slice).collect();
        let relatives: Vec<&[u8]> = relatives.iter().map(Vec::as_slice).collect();
        diagnostic_in_frame(&members, &relatives).iter().map(|base| base.position + 1).collect()
    }

    #[test]
    fn a_base_counts_where_all_members_have_it_and_no_relative() {
        let (shared, partly, theirs) = ((100, other(100)), (200, other(200)), (300, other(300)));
        let members = [with(&[shared, partly, theirs]), with(&[shared, theirs])];
        let relatives = [with(&[theirs]), with(&[])];
        assert_eq!(found(&members, &relatives), [100], "200 is not fixed, 300 a relative has too");
        let bases = diagnostic_in_frame(&[&members[0]], &[&relatives[1]]);
        let typical = char::from(FrameProfile::bundled().consensus()[99]);
        assert_eq!(told(&bases[0]), format!("100{} (not {typical})", char::from(other(100))));
    }

    #[test]
    fn where_a_barcode_starts_and_on_which_strand_makes_no_difference() {
        let change = (400, other(400));
        let cut = with(&[change])[50..].to_vec();
        let turned = crate::data::frame::reverse_complement(&with(&[change]));
        assert_eq!(found(&[cut, turned], &[with(&[])]), [400]);
    }

    #[test]
    fn gaps_unplaced_barcodes_and_nothing() {
        // Bases that most relatives do not reach prove nothing.
        let short = with(&[])[300..].to_vec();
        assert!(found(&[with(&[(100, other(100))])], &[short.clone(), short, with(&[])]).is_empty());
        assert!(found(&[b"ACGT".to_vec()], &[with(&[])]).is_empty());
        assert!(found(&[], &[]).is_empty());
    }
}
