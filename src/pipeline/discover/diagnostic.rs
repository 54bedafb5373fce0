//! Bases by which a group can be told from its nearest relatives.

use crate::data::frame::{FRAME_LENGTH, FrameProfile, Registration};
use serde::Serialize;
use std::fmt;

/// A position at which all members of a group have one base that none of the relatives has (a pure diagnostic character, Sarkar,
/// Planet & DeSalle 2008).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DiagnosticBase {
    /// Position in the COI-5P frame, from 1.
    pub position: usize,
    /// The members' base.
    pub base: char,
    /// The relatives' most frequent base.
    pub instead: char,
}

impl fmt::Display for DiagnosticBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} (not {})", self.position, self.base, self.instead)
    }
}

/// Share of the barcodes that must have a base at a position for it to count.
const LEAST_SHARE: f64 = 0.8;

/// The diagnostic bases of `members` against `relatives`, in order. A position counts where at least four fifths of the barcodes on
/// either side have a base there. Barcodes that do not lie in the COI-5P frame are left out; insertions and deletions are not seen.
pub(super) fn diagnostic_bases(members: &[&[u8]], relatives: &[&[u8]]) -> Vec<DiagnosticBase> {
    let (members, relatives) = (columns(members), columns(relatives));
    members
        .iter()
        .zip(&relatives)
        .enumerate()
        .filter_map(|(at, (ours, theirs))| {
            let base = ours.only()?;
            let instead = theirs.most_frequent()?;
            (theirs.counts[base] == 0).then(|| DiagnosticBase {
                position: at + 1,
                base: char::from(BASES[base]),
                instead: char::from(BASES[instead]),
            })
        })
        .collect()
}

const BASES: [u8; 4] = *b"ACGT";

/// The bases at one position.
#[derive(Debug, Clone, Copy, Default)]
struct Column {
    counts: [usize; 4],
    barcodes: usize,
}

impl Column {
    fn is_filled(&self) -> bool {
        let bases: usize = self.counts.iter().sum();
        bases > 0 && bases as f64 >= LEAST_SHARE * self.barcodes as f64
    }

    /// The one base of all barcodes.
    fn only(&self) -> Option<usize> {
        let mut present = (0..4).filter(|&base| self.counts[base] > 0);
        let first = present.next().filter(|_| self.is_filled())?;
        present.next().is_none().then_some(first)
    }

    fn most_frequent(&self) -> Option<usize> {
        self.is_filled().then(|| (0..4).max_by_key(|&base| (self.counts[base], 4 - base)))?
    }
}

fn columns(barcodes: &[&[u8]]) -> Vec<Column> {
    let profile = FrameProfile::bundled();
    let place = |barcode: &&[u8]| -> Option<(Registration, Vec<u8>)> {
        let place = profile.register(barcode).filter(Registration::is_coi)?;
        Some((place, place.oriented(barcode).into_owned()))
    };
    let placed: Vec<(Registration, Vec<u8>)> = barcodes.iter().filter_map(place).collect();
    let mut columns = vec![Column { barcodes: placed.len(), ..Column::default() }; FRAME_LENGTH];
    for (place, barcode) in &placed {
        for (offset, &letter) in barcode.iter().enumerate() {
            let position = usize::try_from(place.start + offset as i32).ok();
            let base = BASES.iter().position(|&base| base == letter);
            if let (Some(column), Some(base)) = (position.and_then(|position| columns.get_mut(position)), base) {
                column.counts[base] += 1;
            }
        }
    }
    columns
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
        diagnostic_bases(&members, &relatives).iter().map(|base| base.position).collect()
    }

    #[test]
    fn a_base_counts_where_all_members_have_it_and_no_relative() {
        let (shared, partly, theirs) = ((100, other(100)), (200, other(200)), (300, other(300)));
        let members = [with(&[shared, partly, theirs]), with(&[shared, theirs])];
        let relatives = [with(&[theirs]), with(&[])];
        assert_eq!(found(&members, &relatives), [100], "200 is not fixed, 300 a relative has too");
        let base = diagnostic_bases(&[&members[0]], &[&relatives[1]])[0];
        let typical = FrameProfile::bundled().consensus()[99];
        assert_eq!((u8::try_from(base.base), u8::try_from(base.instead)), (Ok(other(100)), Ok(typical)));
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
