//! Which barcodes a model was trained on: a compact record of their hashes, so that every evaluation can say how many of its
//! queries the model knows.
//!
//! A barcode counts as known where its letters are exactly those of a training barcode. The record keeps the first 40 bits of
//! every hash, sorted, as differences of seven bits a byte: some four bytes a barcode. Of 100 000 barcodes that were not trained
//! on, with a record of 100 000, none is taken for known in 99 of 100 cases.

use crate::key::ContentHash;
use std::collections::BTreeSet;

/// Bits of a hash that are kept.
const BITS: u32 = 40;

/// Hashes of training barcodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenBarcodes {
    /// Sorted, without repeats.
    hashes: Vec<u64>,
}

/// A record that is cut short or altered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record of training barcodes is damaged")]
pub struct DamagedRecord;

/// The hash of a barcode that is kept: the first 40 bits of the SHA-256 of its letters.
pub fn hash_of(sequence: &[u8]) -> u64 {
    kept_of(long_hash_of(sequence))
}

/// The first 64 bits of the SHA-256 of a barcode's letters.
pub fn long_hash_of(sequence: &[u8]) -> u64 {
    ContentHash::of(sequence).0[..8].iter().fold(0, |hash, &byte| hash << 8 | u64::from(byte))
}

/// What a record keeps of [`long_hash_of`].
pub fn kept_of(long_hash: u64) -> u64 {
    long_hash >> (64 - BITS)
}

impl SeenBarcodes {
    /// The record of barcodes with these hashes, in any order.
    pub fn of_hashes(hashes: impl IntoIterator<Item = u64>) -> Self {
        Self { hashes: hashes.into_iter().collect::<BTreeSet<u64>>().into_iter().collect() }
    }

    /// The barcodes of both records.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self::of_hashes(self.hashes.iter().chain(&other.hashes).copied())
    }

    /// Number of different barcodes.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether a barcode is among them.
    pub fn contains(&self, sequence: &[u8]) -> bool {
        self.hashes.binary_search(&hash_of(sequence)).is_ok()
    }

    /// The record as bytes: the number of hashes, then the difference of each from the one before.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 * self.hashes.len() + 8);
        push_number(&mut bytes, self.hashes.len() as u64);
        let mut before = 0;
        for &hash in &self.hashes {
            push_number(&mut bytes, hash - before);
            before = hash;
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`DamagedRecord`] where it is something else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedRecord> {
        let mut rest = bytes;
        let count = take_number(&mut rest)?;
        let mut hashes = Vec::new();
        let mut before = 0u64;
        for index in 0..count {
            let step = take_number(&mut rest)?;
            before = before.checked_add(step).filter(|&hash| hash >> BITS == 0).ok_or(DamagedRecord)?;
            if step == 0 && index > 0 {
                return Err(DamagedRecord);
            }
            hashes.push(before);
        }
        if rest.is_empty() { Ok(Self { hashes }) } else { Err(DamagedRecord) }
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Result<u64, DamagedRecord> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(DamagedRecord)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).ok_or(DamagedRecord)?;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(DamagedRecord)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_are_read_back_and_know_their_barcodes(barcodes in proptest::collection::vec("[ACGT]{1,30}", 0..60)) {
            let seen = SeenBarcodes::of_hashes(barcodes.iter().map(|barcode| hash_of(barcode.as_bytes())));
            let bytes = seen.to_bytes();
            prop_assert_eq!(&SeenBarcodes::from_bytes(&bytes).unwrap(), &seen);
            prop_assert!(barcodes.iter().all(|barcode| seen.contains(barcode.as_bytes())));
            prop_assert!(!seen.contains(b"ACGTN"));
            for cut in 0..bytes.len() {
                prop_assert_eq!(SeenBarcodes::from_bytes(&bytes[..cut]), Err(DamagedRecord));
            }
        }

        #[test]
        fn no_bytes_are_a_record_by_accident_or_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(seen) = SeenBarcodes::from_bytes(&bytes) {
                prop_assert!(seen.hashes.is_sorted());
            }
        }
    }

    #[test]
    fn a_record_takes_four_bytes_a_barcode() {
        let many = SeenBarcodes::of_hashes((0..20_000u32).map(|number| hash_of(&number.to_le_bytes())));
        assert_eq!(many.len(), 20_000);
        assert!(many.to_bytes().len() <= 4 * many.len() + many.len() / 8, "{}", many.to_bytes().len());
        assert!(many.contains(&7u32.to_le_bytes()) && !many.contains(&20_000u32.to_le_bytes()));
    }
}
