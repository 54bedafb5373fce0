//! Content hashes: what a result was made from.

use sha2::{Digest, Sha256};
use std::fmt;

/// SHA-256 of some content. Shown and stored as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// Hash of one block of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Hash of several parts, each preceded by its length, so that no two lists of parts collide by concatenation.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = PartHasher::default();
        parts.into_iter().for_each(|part| hasher.part(part));
        hasher.finish()
    }

    /// The first eight digits, enough to tell results apart on screen.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

/// What [`ContentHash::of_parts`] makes of parts, one after the other, for parts that are not held in memory as bytes.
#[derive(Debug, Default)]
pub struct PartHasher(Sha256);

impl PartHasher {
    /// The next part.
    pub fn part(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    /// The next part: numbers, `B` bytes each.
    pub fn numbers<const B: usize>(&mut self, numbers: impl ExactSizeIterator<Item = [u8; B]>) {
        const AT_ONCE: usize = 4096;
        self.0.update(((numbers.len() * B) as u64).to_le_bytes());
        let mut bytes = Vec::with_capacity(AT_ONCE + B);
        for number in numbers {
            bytes.extend_from_slice(&number);
            if bytes.len() >= AT_ONCE {
                self.0.update(&bytes);
                bytes.clear();
            }
        }
        self.0.update(&bytes);
    }

    /// The hash of all parts.
    pub fn finish(self) -> ContentHash {
        ContentHash(self.0.finalize().into())
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::str::FromStr for ContentHash {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is no hash; a hash has 64 hexadecimal digits");
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl<'de> serde::Deserialize<'de> for ContentHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for ContentHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Which barcodes, labels and columns a result was made from.
pub type DatasetId = ContentHash;
/// Which weights and settings of the model a result was made with.
pub type ModelId = ContentHash;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_sha256_does_and_keeps_parts_apart() {
        assert_eq!(
            ContentHash::of(b"abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(ContentHash::of(b"abc").short(), "ba7816bf");
        assert_eq!(ContentHash::of(b"abc").to_string().parse(), Ok(ContentHash::of(b"abc")));
        assert!("ba78".parse::<ContentHash>().is_err() && "é".repeat(32).parse::<ContentHash>().is_err());
        assert_ne!(ContentHash::of_parts([&b"ab"[..], b"c"]), ContentHash::of_parts([&b"a"[..], b"bc"]));
    }

    #[test]
    fn numbers_are_hashed_as_their_bytes() {
        let numbers: Vec<u32> = (0..5000u32).map(|number| number.wrapping_mul(2_654_435_761)).collect();
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let mut hasher = PartHasher::default();
        hasher.part(b"before");
        hasher.numbers(numbers.iter().map(|number| number.to_le_bytes()));
        hasher.numbers(std::iter::empty::<[u8; 8]>());
        assert_eq!(hasher.finish(), ContentHash::of_parts([&b"before"[..], &bytes, b""]));
    }
}
