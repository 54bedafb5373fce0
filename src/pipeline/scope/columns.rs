//! Columns of numbers and texts as bytes, little-endian; read back with every length checked.

use super::ScopeError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::Path;

/// A number of fixed size.
pub(super) trait Number: Copy {
    const BYTES: usize;
    fn put(self, bytes: &mut Vec<u8>);
    fn of(bytes: &[u8]) -> Self;
}

macro_rules! numbers {
    ($($kind:ty),*) => {
        $(impl Number for $kind {
            const BYTES: usize = size_of::<$kind>();

            fn put(self, bytes: &mut Vec<u8>) {
                bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn of(bytes: &[u8]) -> Self {
                let mut own = [0; size_of::<$kind>()];
                own.copy_from_slice(bytes);
                Self::from_le_bytes(own)
            }
        })*
    };
}

numbers!(u8, u32, u64, i32, f32);

/// What stands for a missing code.
const MISSING: u32 = u32::MAX;

/// Columns on their way into a file.
#[derive(Debug, Default)]
pub(super) struct ColumnWriter {
    pub(super) bytes: Vec<u8>,
}

impl ColumnWriter {
    /// Facts that are no columns, as JSON.
    pub(super) fn facts(&mut self, facts: &impl Serialize) -> serde_json::Result<()> {
        let json = serde_json::to_vec(facts)?;
        self.numbers(json.into_iter());
        Ok(())
    }

    pub(super) fn numbers<T: Number>(&mut self, numbers: impl ExactSizeIterator<Item = T>) {
        self.bytes.reserve(8 + numbers.len() * T::BYTES);
        (numbers.len() as u64).put(&mut self.bytes);
        numbers.for_each(|number| number.put(&mut self.bytes));
    }

    /// Codes of which some are missing.
    pub(super) fn codes(&mut self, codes: impl ExactSizeIterator<Item = Option<u32>>) {
        self.numbers(codes.map(|code| code.unwrap_or(MISSING)));
    }

    /// Values of which some are missing.
    pub(super) fn values(&mut self, values: impl ExactSizeIterator<Item = Option<f32>> + Clone) {
        self.numbers(values.clone().map(|value| u8::from(value.is_some())));
        self.numbers(values.map(|value| value.unwrap_or(0.0)));
    }

    pub(super) fn texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a [u8]> + Clone) {
        let mut end = 0;
        self.numbers(texts.clone().map(|text| {
            end += text.len() as u64;
            end
        }));
        texts.for_each(|text| self.bytes.extend_from_slice(text));
    }
}

/// Texts in one stretch of bytes.
#[derive(Debug)]
pub(super) struct Texts<'a> {
    ends: Vec<u64>,
    bytes: &'a [u8],
}

impl<'a> Texts<'a> {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, index: usize) -> &'a [u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.bytes[start as usize..self.ends[index] as usize]
    }
}

/// Columns on their way out of a file.
#[derive(Debug)]
pub(super) struct ColumnReader<'a> {
    path: &'a Path,
    what: &'a str,
    rest: &'a [u8],
}

impl<'a> ColumnReader<'a> {
    /// The columns in `bytes`; errors name the file and `what` they are of.
    pub(super) fn new(path: &'a Path, what: &'a str, bytes: &'a [u8]) -> Self {
        Self { path, what, rest: bytes }
    }

    pub(super) fn wrong(&self, why: &str) -> ScopeError {
        ScopeError::damaged(self.path, format!("{}: {why}", self.what))
    }

    /// Goes on only where `holds`.
    pub(super) fn ensure(&self, holds: bool, why: &str) -> Result<(), ScopeError> {
        if holds { Ok(()) } else { Err(self.wrong(why)) }
    }

    fn take(&mut self, bytes: usize) -> Result<&'a [u8], ScopeError> {
        if bytes > self.rest.len() {
            return Err(self.wrong("it ends too early"));
        }
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        Ok(taken)
    }

    fn bytes_of<T: Number>(&mut self) -> Result<&'a [u8], ScopeError> {
        let count = u64::of(self.take(8)?);
        let bytes = usize::try_from(count).ok().and_then(|count| count.checked_mul(T::BYTES));
        self.take(bytes.unwrap_or(usize::MAX))
    }

    pub(super) fn facts<T: DeserializeOwned>(&mut self) -> Result<T, ScopeError> {
        let json = self.bytes_of::<u8>()?;
        serde_json::from_slice(json).map_err(|error| self.wrong(&error.to_string()))
    }

    pub(super) fn numbers<T: Number>(&mut self) -> Result<Vec<T>, ScopeError> {
        Ok(self.bytes_of::<T>()?.chunks_exact(T::BYTES).map(T::of).collect())
    }

    /// As many numbers as there should be.
    pub(super) fn column<T: Number>(&mut self, len: usize) -> Result<Vec<T>, ScopeError> {
        let numbers = self.numbers()?;
        self.ensure(numbers.len() == len, "a column is too long or too short")?;
        Ok(numbers)
    }

    /// As many codes below `codes` as there should be, some of them missing.
    pub(super) fn codes(&mut self, len: usize, codes: usize) -> Result<Vec<Option<u32>>, ScopeError> {
        let numbers: Vec<u32> = self.column(len)?;
        let known = |&code: &u32| code == MISSING || (code as usize) < codes;
        self.ensure(numbers.iter().all(known), "a code has no name")?;
        Ok(numbers.into_iter().map(|code| Some(code).filter(|&code| code != MISSING)).collect())
    }

    pub(super) fn values(&mut self, len: usize) -> Result<Vec<Option<f32>>, ScopeError> {
        let there: Vec<u8> = self.column(len)?;
        let values: Vec<f32> = self.column(len)?;
        Ok(there.into_iter().zip(values).map(|(there, value)| (there != 0).then_some(value)).collect())
    }

    pub(super) fn texts(&mut self) -> Result<Texts<'a>, ScopeError> {
        let ends: Vec<u64> = self.numbers()?;
        self.ensure(ends.is_sorted(), "texts overlap")?;
        let total = ends.last().map_or(Ok(0), |&end| usize::try_from(end));
        let bytes = self.take(total.unwrap_or(usize::MAX))?;
        Ok(Texts { ends, bytes })
    }

    /// A text that must be letters.
    pub(super) fn letters(&self, text: &'a [u8]) -> Result<&'a str, ScopeError> {
        std::str::from_utf8(text).map_err(|_| self.wrong("a text is no UTF-8"))
    }

    /// Nothing may be left.
    pub(super) fn end(self) -> Result<(), ScopeError> {
        self.ensure(self.rest.is_empty(), "something follows that nobody wrote")
    }
}
