//! Products of matrices of 32-bit floats whose factors are laid out once and used often.
//!
//! The left factor is cut into blocks of rows, the right one into panels of columns, as wide as two of the processor's vectors. A block
//! meets a panel with all their sums in registers (Goto & van de Geijn 2008, ACM TOMS 34), so that what is read is read in order. A
//! general product lays out both factors anew each time; for the weights of a model, or references that many queries are compared
//! with, that takes longer than it need.
//!
//! Every sum is made of fused multiply-adds in the order of the inner index, so that a row's products are the same in any company, on
//! any number of threads, and on every processor that fuses.

use super::fit;
use super::prefetch::{LINE, prefetch};
use super::vectors::wide;
use pulp::{Arch, Simd, WithSimd, bytemuck};
use std::ops::Range;

/// Rows of a block, by the number of registers: twice as many hold sums, three the factors.
const ROWS_OF_32_REGISTERS: usize = 14;
const ROWS_OF_16_REGISTERS: usize = 6;
/// Inner indices that a block and a panel are gone through together: a block of as many stays in the first-level cache, a panel in the second.
const INNER_STEP: usize = 768;
/// Rows of a table that are laid out together where its columns lie side by side: few enough to stay in the first-level cache, however
/// far apart they stand.
const TOGETHER: usize = 8;

/// Rows of values that stand `stride` apart.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    stride: usize,
}

impl<'a> Table<'a> {
    /// All of `values`, `[values.len() / columns, columns]`, without gaps; without columns, no rows.
    pub(crate) fn new(values: &'a [f32], columns: usize) -> Self {
        Self { values, rows: values.len().checked_div(columns).unwrap_or(0), columns, stride: columns }
    }

    /// `[rows, columns]`, the first row at the start of `values` and each `stride` after the one before.
    pub(crate) fn with_stride(values: &'a [f32], [rows, columns]: [usize; 2], stride: usize) -> Self {
        Self { values, rows, columns, stride }
    }

    fn row(&self, row: usize) -> &'a [f32] {
        &self.values[row * self.stride..][..self.columns]
    }
}

/// The left factor `[M, K]`, laid out: for every step of inner indices the blocks of rows, in each the rows' values side by side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left {
    rows: usize,
    inner: usize,
    values: Vec<f32>,
}

impl Left {
    /// Lays out `table`, `[M, K]`, in the memory of what was there.
    pub(crate) fn pack(&mut self, table: Table<'_>) {
        for Step { inner, block, out } in self.steps(table.rows, table.columns) {
            for (at, out) in out.chunks_exact_mut(inner.len() * block).enumerate() {
                for row in at * block..((at + 1) * block).min(table.rows) {
                    let places = out[row % block..].iter_mut().step_by(block);
                    places.zip(&table.row(row)[inner.clone()]).for_each(|(place, value)| *place = *value);
                }
            }
        }
    }

    /// Lays out the matrix whose rows are the columns of `table`, `[K, M]`, in the memory of what was there.
    pub(crate) fn pack_columns(&mut self, table: Table<'_>) {
        for Step { inner, out, .. } in self.steps(table.columns, table.rows) {
            wide(LayOut { table, rows: inner, out, of_left: true });
        }
    }

    /// Makes room for `[rows, inner]`, and answers it step by step of the inner indices. What the last block has too many of keeps what
    /// was there: its sums are never written out.
    fn steps(&mut self, rows: usize, inner: usize) -> impl Iterator<Item = Step<'_>> {
        let block = Tile::of_processor().rows;
        let all_rows = rows.next_multiple_of(block);
        (self.rows, self.inner) = (rows, inner);
        let mut rest = fit(&mut self.values, all_rows * inner);
        steps(inner).map(move |inner| {
            let (out, after) = std::mem::take(&mut rest).split_at_mut(all_rows * inner.len());
            rest = after;
            Step { inner, block, out }
        })
    }
}

/// A left factor's room for one step of inner indices.
struct Step<'a> {
    inner: Range<usize>,
    /// Rows of a block.
    block: usize,
    out: &'a mut [f32],
}

/// The right factor `[K, N]`, laid out: panels of columns, in each the values of the columns side by side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Right {
    inner: usize,
    columns: usize,
    values: Vec<f32>,
}

impl Right {
    /// The right factor whose columns are the rows of `table`, `[N, K]`.
    pub(crate) fn of_columns(table: Table<'_>) -> Self {
        let mut right = Self::default();
        right.pack_columns(table);
        right
    }

    /// Lays out the matrix whose columns are the rows of `table`, `[N, K]`, in the memory of what was there.
    pub(crate) fn pack_columns(&mut self, table: Table<'_>) {
        let (width, values) = self.room(table.columns, table.rows);
        for (at, panel) in values.chunks_exact_mut((table.columns * width).max(1)).enumerate() {
            for column in at * width..((at + 1) * width).min(table.rows) {
                let places = panel[column % width..].iter_mut().step_by(width);
                places.zip(table.row(column)).for_each(|(place, value)| *place = *value);
            }
        }
    }

    /// Lays out `table`, `[K, N]`, in the memory of what was there.
    pub(crate) fn pack_rows(&mut self, table: Table<'_>) {
        let (_, out) = self.room(table.rows, table.columns);
        wide(LayOut { table, rows: 0..table.rows, out, of_left: false });
    }

    /// The width of a panel, and room for `[inner, columns]`. Columns that the last panel has too many of keep what was there: their
    /// sums are never written out.
    fn room(&mut self, inner: usize, columns: usize) -> (usize, &mut [f32]) {
        let width = Tile::of_processor().columns;
        (self.inner, self.columns) = (inner, columns);
        (width, fit(&mut self.values, columns.div_ceil(width) * width * inner))
    }

    /// Number of inner indices.
    pub(crate) fn inner(&self) -> usize {
        self.inner
    }

    /// Number of columns.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Numbers that it has room for.
    pub(crate) fn numbers(&self) -> usize {
        self.values.capacity()
    }
}

/// Cuts some rows of a table into strips of columns, as wide as a block of rows or a panel, and writes strip after strip, the last one
/// at its full width.
struct LayOut<'a> {
    table: Table<'a>,
    rows: Range<usize>,
    out: &'a mut [f32],
    /// Whether strips are as wide as a block of rows of a left factor, else as a panel.
    of_left: bool,
}

impl WithSimd for LayOut<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        // The widths are numbers to the compiler here, so that a strip's row is copied without a loop.
        let tile = Tile::of::<S>();
        if self.of_left { self.run(tile.rows) } else { self.run(tile.columns) }
    }
}

impl LayOut<'_> {
    #[inline(always)]
    fn run(self, width: usize) {
        let Self { table, rows, out, .. } = self;
        for start in rows.clone().step_by(TOGETHER) {
            let together = start..(start + TOGETHER).min(rows.end);
            for (at, strip) in out.chunks_exact_mut((rows.len() * width).max(1)).enumerate() {
                let places = strip[(start - rows.start) * width..].chunks_exact_mut(width);
                for (row, place) in together.clone().zip(places) {
                    let values = &table.row(row)[at * width..];
                    match values.get(..width) {
                        Some(values) => place.copy_from_slice(values),
                        None => place[..values.len()].copy_from_slice(values),
                    }
                }
            }
        }
    }
}

/// Writes the products of `left` `[M, K]` with `right` `[K, N]` to `out`: `[M, N]`, each row `stride` after the one before.
pub(crate) fn product(left: &Left, right: &Right, out: &mut [f32], stride: usize) {
    assert_eq!(left.inner, right.inner, "the factors have the same inner indices");
    if left.inner == 0 {
        (0..left.rows).for_each(|row| out[row * stride..][..right.columns].fill(0.0));
    }
    wide(Product { left, right, out, stride, adds: false });
}

/// Adds the products of `left` `[M, K]` with `right` `[K, N]` to `out` `[M, N]`, whose rows follow each other without gaps.
pub(crate) fn add_product(left: &Left, right: &Right, out: &mut [f32]) {
    assert_eq!(left.inner, right.inner, "the factors have the same inner indices");
    wide(Product { left, right, out, stride: right.columns, adds: true });
}

/// Ranges of inner indices that are gone through one after another.
fn steps(inner: usize) -> impl Iterator<Item = Range<usize>> {
    (0..inner).step_by(INNER_STEP).map(move |start| start..(start + INNER_STEP).min(inner))
}

/// What is summed in registers at a time.
#[derive(Debug, Clone, Copy)]
struct Tile {
    rows: usize,
    columns: usize,
}

impl Tile {
    #[inline(always)]
    fn of<S: Simd>() -> Self {
        let rows = if S::REGISTER_COUNT < 32 { ROWS_OF_16_REGISTERS } else { ROWS_OF_32_REGISTERS };
        Self { rows, columns: 2 * S::F32_LANES }
    }

    fn of_processor() -> Self {
        struct Ask;
        impl WithSimd for Ask {
            type Output = Tile;

            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> Tile {
                Tile::of::<S>()
            }
        }
        Arch::new().dispatch(Ask)
    }
}

struct Product<'a> {
    left: &'a Left,
    right: &'a Right,
    out: &'a mut [f32],
    stride: usize,
    /// Whether what stands in `out` belongs to the sums.
    adds: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if S::REGISTER_COUNT < 32 {
            self.run::<S, ROWS_OF_16_REGISTERS>(simd);
        } else {
            self.run::<S, ROWS_OF_32_REGISTERS>(simd);
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn run<S: Simd, const ROWS: usize>(mut self, simd: S) {
        let Self { left, right, .. } = self;
        let blocks = left.rows.div_ceil(ROWS);
        let mut parts = self.parts(2 * S::F32_LANES).peekable();
        while let Some(Part { inner, start, values }) = parts.next() {
            let rows = &left.values[inner.start * blocks * ROWS..inner.end * blocks * ROWS];
            let panel = S::as_simd_f32s(&right.values[values]).0;
            let mut ahead = parts.peek().map_or(&[][..], |next| &right.values[next.values.clone()]);
            let share = ahead.len().div_ceil(blocks.max(1)).next_multiple_of(LINE);
            for (block, rows) in rows.chunks_exact(inner.len() * ROWS).enumerate() {
                let counted = ROWS.min(left.rows - block * ROWS);
                let mut sums = [[simd.splat_f32s(0.0); 2]; ROWS];
                if self.adds || inner.start > 0 {
                    for (row, sums) in sums[..counted].iter_mut().enumerate() {
                        let before = self.place(block * ROWS + row, start, 2 * S::F32_LANES);
                        bytemuck::cast_slice_mut(sums)[..before.len()].copy_from_slice(before);
                    }
                }
                let wanted = ahead.split_off(..share.min(ahead.len())).unwrap_or_default();
                add_products(simd, rows, panel, wanted, &mut sums);
                for (row, sums) in sums[..counted].iter().enumerate() {
                    let out = self.place(block * ROWS + row, start, 2 * S::F32_LANES);
                    match S::as_mut_simd_f32s(out).0 {
                        [low, high] => [*low, *high] = *sums,
                        _ => out.copy_from_slice(&bytemuck::cast_slice(sums)[..out.len()]),
                    }
                }
            }
        }
    }

    /// Panels, step by step of the inner indices.
    #[inline(always)]
    fn parts(&self, width: usize) -> impl Iterator<Item = Part> + use<> {
        let (columns, all) = (self.right.columns, self.left.inner);
        steps(all).flat_map(move |inner| {
            (0..columns).step_by(width).map(move |start| {
                let values = start * all + inner.start * width..start * all + inner.end * width;
                Part { inner: inner.clone(), start, values }
            })
        })
    }

    /// The values of `row` that belong to the panel of columns from `start`.
    #[inline(always)]
    fn place(&mut self, row: usize, start: usize, width: usize) -> &mut [f32] {
        let at = row * self.stride + start;
        &mut self.out[at..at + width.min(self.right.columns - start)]
    }
}

/// A panel for one step of inner indices.
struct Part {
    inner: Range<usize>,
    /// Its first column.
    start: usize,
    /// Where its values are.
    values: Range<usize>,
}

/// Adds the products of a block of rows, `[K, ROWS]`, with a panel of columns, `[K, 2]` vectors, to `sums`, and asks for the values
/// `ahead` meanwhile.
#[inline(always)]
fn add_products<S: Simd, const ROWS: usize>(
    simd: S,
    rows: &[f32],
    panel: &[S::f32s],
    ahead: &[f32],
    sums: &mut [[S::f32s; 2]; ROWS],
) {
    /// Inner indices by which one line is asked for: about as long as it takes to come.
    const PACE: usize = 4;
    let mut held = *sums;
    let mut add = |rows: &[f32; ROWS], [low, high]: &[S::f32s; 2]| {
        for (row, held) in rows.iter().zip(&mut held) {
            let row = simd.splat_f32s(*row);
            *held = [simd.mul_add_e_f32s(row, *low, held[0]), simd.mul_add_e_f32s(row, *high, held[1])];
        }
    };
    let (rows, panel) = (rows.as_chunks::<ROWS>().0, panel.as_chunks::<2>().0);
    let (paced_rows, last_rows) = rows.as_chunks::<PACE>();
    let (paced_panel, last_panel) = panel.as_chunks::<PACE>();
    let mut lines = ahead.chunks(LINE);
    for (rows, panel) in paced_rows.iter().zip(paced_panel) {
        lines.next().into_iter().for_each(prefetch);
        rows.iter().zip(panel).for_each(|(rows, panel)| add(rows, panel));
    }
    last_rows.iter().zip(last_panel).for_each(|(rows, panel)| add(rows, panel));
    *sums = held;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;
    use proptest::prelude::*;
    use rand::Rng;

    fn numbers(count: usize, name: &'static str) -> Vec<f32> {
        let mut rng = Seed(5).stream(name);
        (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    /// Every sum by fused multiply-adds in the order of the inner index.
    fn twin(a: &[f32], b: &[f32], [rows, inner, columns]: [usize; 3]) -> Vec<f32> {
        let mut out = Vec::with_capacity(rows * columns);
        for row in 0..rows {
            for column in 0..columns {
                let terms = (0..inner).map(|at| (a[row * inner + at], b[at * columns + column]));
                out.push(terms.fold(0.0f32, |sum, (x, y)| x.mul_add(y, sum)));
            }
        }
        out
    }

    fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
        (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns).copied()).collect()
    }

    fn packed(rows: &[f32], inner: usize) -> Left {
        let mut left = Left::default();
        left.pack(Table::new(rows, inner));
        left
    }

    /// To the bit where the processor fuses, which all that have more than one lane do here.
    fn assert_alike(found: &[f32], expected: &[f32], inner: usize) {
        let fuses = Tile::of_processor().columns > 8;
        for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
            let bound = if fuses { 0.0 } else { inner as f32 * f32::EPSILON };
            assert!((found - expected).abs() <= bound, "{at}: {found} {expected}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn products_are_those_of_the_formula(rows in 0usize..40, inner in 0usize..90, columns in 0usize..100, gap in 0usize..9) {
            let (a, b) = (numbers(rows * inner, "a"), numbers(inner * columns, "b"));
            let expected = twin(&a, &b, [rows, inner, columns]);
            // What was there before, and stays in what the last block and panel have too many of, is in no sum.
            let mut left = packed(&[f32::NAN; 4096], 64);
            left.pack(Table::with_stride(&a, [rows, inner], inner));
            let mut turned = packed(&[f32::NAN; 4096], 64);
            turned.pack_columns(Table::with_stride(&transposed(&a, inner), [inner, rows], rows));
            prop_assert_eq!((turned.rows, turned.inner), (rows, inner));
            let mut right = Right::of_columns(Table::new(&[f32::NAN; 8192], 64));
            let stride = columns + gap;
            for by_rows in [true, false] {
                if by_rows {
                    right.pack_rows(Table::with_stride(&b, [inner, columns], columns));
                } else {
                    right.pack_columns(Table::with_stride(&transposed(&b, columns), [columns, inner], inner));
                }
                let mut out = vec![7.0; rows * stride];
                prop_assert_eq!((right.inner(), right.columns()), (inner, columns));
                product(if by_rows { &turned } else { &left }, &right, &mut out, stride);
                for row in 0..rows {
                    let (found, between) = out[row * stride..(row + 1) * stride].split_at(columns);
                    assert_alike(found, &expected[row * columns..(row + 1) * columns], inner);
                    prop_assert!(between.iter().all(|&value| value == 7.0), "what lies between rows is left alone");
                }
            }
        }
    }

    #[test]
    fn more_inner_indices_than_a_step_and_more_columns_than_a_panel() {
        let (rows, inner) = (2 * Tile::of_processor().rows + 3, 2 * INNER_STEP + 5);
        let columns = 3 * Tile::of_processor().columns + 3;
        let (a, b) = (numbers(rows * inner, "a"), numbers(inner * columns, "b"));
        let (left, mut right) = (packed(&a, inner), Right::default());
        right.pack_rows(Table::new(&b, columns));
        let mut out = vec![0.0; rows * columns];
        product(&left, &right, &mut out, columns);
        let expected = twin(&a, &b, [rows, inner, columns]);
        assert_alike(&out, &expected, inner);
        let mut turned = Left::default();
        turned.pack_columns(Table::new(&transposed(&a, inner), rows));
        product(&turned, &right, &mut out, columns);
        assert_alike(&out, &expected, inner);
    }

    #[test]
    fn products_are_added_to_what_is_there() {
        let [rows, inner, columns] = [Tile::of_processor().rows + 3, 37, Tile::of_processor().columns + 5];
        let (a, b, before) =
            (numbers(rows * inner, "a"), numbers(inner * columns, "b"), numbers(rows * columns, "before"));
        let (left, mut right) = (packed(&a, inner), Right::default());
        right.pack_rows(Table::new(&b, columns));
        let mut out = before.clone();
        add_product(&left, &right, &mut out);
        for (at, (found, before)) in out.iter().zip(&before).enumerate() {
            let (row, column) = (at / columns, at % columns);
            let terms = a[row * inner..(row + 1) * inner].iter().zip(b.iter().skip(column).step_by(columns));
            let expected = terms.fold(*before, |sum, (x, y)| x.mul_add(*y, sum));
            assert!((found - expected).abs() <= inner as f32 * f32::EPSILON, "{at}: {found} {expected}");
        }
        let nothing = Left::default();
        add_product(&nothing, &Right::default(), &mut []);
    }

    #[test]
    fn rows_that_stand_apart_are_read_where_they_stand() {
        let values: Vec<f32> = (0..20u8).map(f32::from).collect();
        let mut left = Left::default();
        left.pack(Table::with_stride(&values[1..], [3, 2], 7));
        let right = Right::of_columns(Table::with_stride(&values[2..], [2, 2], 5));
        let mut out = [0.0; 6];
        product(&left, &right, &mut out, 2);
        // rows (1, 2), (8, 9), (15, 16); columns (2, 3), (7, 8)
        assert_eq!(out, [8.0, 23.0, 43.0, 128.0, 78.0, 233.0]);
    }
}
