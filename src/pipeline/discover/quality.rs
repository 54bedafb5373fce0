//! Checks that keep pseudogenes, contaminations and poor reads from being sold as new species.

use crate::analysis::alignment::Alignment;
use crate::data::dataset::{Dataset, Flags};
use crate::data::frame::FrameCheck;
use crate::data::taxonomy::Field;
use crate::pipeline::check::flags_of;
use serde::Serialize;

/// Identity from which on a specimen of another order than its nearest reference is no animal of its own but a wrong label or a
/// contamination: barcodes of different orders are hardly ever so alike.
pub const CONFLICT_IDENTITY: f32 = 0.90;

/// What speaks against a specimen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// A stop codon in every reading frame: a nuclear copy (Song et al. 2008), or errors of sequencing.
    StopCodon,
    /// A gap beside the nearest reference that is not a multiple of three bases.
    FrameBreak,
    /// It fits the COI-5P frame nowhere.
    NotCoi,
    /// Its label is of another order than a reference that is nearly identical, or than others of its group.
    OtherOrder,
    /// It was read on the other strand, which makes it look strange.
    ReverseComplement,
    /// Fewer than 200 bases.
    Short,
    /// More than 1 % of its letters are not A, C, G or T.
    Ambiguous,
}

impl Doubt {
    /// Every doubt, the gravest first.
    pub const ALL: [Self; 7] = [
        Self::StopCodon,
        Self::FrameBreak,
        Self::NotCoi,
        Self::OtherOrder,
        Self::ReverseComplement,
        Self::Short,
        Self::Ambiguous,
    ];

    /// The name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::StopCodon => "stop_codon",
            Self::FrameBreak => "frame_break",
            Self::NotCoi => "not_coi",
            Self::OtherOrder => "other_order",
            Self::ReverseComplement => "reverse_complement",
            Self::Short => "short",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// What it may mean, in the window and in reports.
    pub fn title(self) -> &'static str {
        match self {
            Self::StopCodon => "stop codon: pseudogene or sequencing errors",
            Self::FrameBreak => "broken reading frame: pseudogene or sequencing errors",
            Self::NotCoi => "does not look like COI",
            Self::OtherOrder => "labelled as another order: contamination or wrong label",
            Self::ReverseComplement => "on the other strand",
            Self::Short => "fewer than 200 bases",
            Self::Ambiguous => "more than 1 % ambiguous bases",
        }
    }
}

/// Everything that speaks against query `row`, the gravest first. `alignment` is that of the query with its nearest reference.
pub(super) fn doubts_of(
    query: &Dataset,
    frames: &[FrameCheck],
    row: usize,
    nearest: Option<(&Dataset, usize, &Alignment)>,
) -> Vec<Doubt> {
    let flags = flags_of(query, frames, row);
    let other_order = nearest.is_some_and(|(reference, nearest, alignment)| {
        let orders = query.label(row, Field::Order).zip(reference.label(nearest, Field::Order));
        alignment.identity() >= CONFLICT_IDENTITY && orders.is_some_and(|(ours, theirs)| ours != theirs)
    });
    let holds = |doubt: Doubt| match doubt {
        Doubt::StopCodon => flags.contains(Flags::STOP_CODON),
        Doubt::FrameBreak => nearest.is_some_and(|(.., alignment)| breaks_frame(alignment)),
        Doubt::NotCoi => flags.contains(Flags::NOT_COI),
        Doubt::OtherOrder => other_order,
        Doubt::ReverseComplement => flags.contains(Flags::REVERSE_COMPLEMENT),
        Doubt::Short => flags.contains(Flags::SHORT),
        Doubt::Ambiguous => flags.contains(Flags::AMBIGUOUS),
    };
    Doubt::ALL.into_iter().filter(|&doubt| holds(doubt)).collect()
}

/// Whether a run of inner gaps is not a multiple of three columns long.
pub(in crate::pipeline) fn breaks_frame(alignment: &Alignment) -> bool {
    let inner = &alignment.columns[alignment.inner.clone()];
    let gap_in = |column: &[u8; 2]| column.iter().position(|&letter| letter == b'-');
    inner.chunk_by(|a, b| gap_in(a) == gap_in(b)).any(|run| gap_in(&run[0]).is_some() && run.len() % 3 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::alignment::align;

    #[test]
    fn only_inner_gaps_that_shift_the_frame_break_it() {
        let base = b"ATGGCATTACGACCTGGATCCTTAGCAACGTTAGGACCATTCGAGTACCTGATCGGAATGCCA";
        let without = |range: std::ops::Range<usize>| {
            let mut cut = base.to_vec();
            cut.drain(range);
            align(base, &cut)
        };
        assert!(breaks_frame(&without(30..31)) && breaks_frame(&without(28..32)));
        assert!(!breaks_frame(&without(30..33)), "a codon is missing");
        assert!(!breaks_frame(&without(0..4)) && !breaks_frame(&align(base, base)), "end gaps break nothing");
    }
}
