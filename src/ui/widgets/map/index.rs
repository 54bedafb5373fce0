//! A grid over the points: which ones are in view, under the pointer, in a box.
//!
//! Points are stored cell by cell, cells row by row, so that any box is one run of points per row of cells. Places in that
//! order are called *slots*. The grid spans the bulk of the points, not the outliers: those lie in the border cells, so one
//! far-off point can't push all others into a single cell.

use super::view::Area;
use std::ops::Range;

/// Points aimed at per cell.
const POINTS_PER_CELL: usize = 8;
/// Points looked at to find where the bulk lies.
const SAMPLE: usize = 4096;
/// Share of the sample that may lie outside of the grid on each side.
const OUTSIDE: f64 = 0.005;

/// Positions `[N]` ordered by grid cell. Never changes once it is built.
#[derive(Debug, Clone, Default)]
pub struct MapIndex {
    grid: Grid,
    /// First slot of every cell, and the number of slots at the end.
    starts: Vec<u32>,
    rows: Vec<u32>,
    points: Vec<[f32; 2]>,
    bounds: Option<Area>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Grid {
    origin: [f64; 2],
    /// Cells per map unit.
    density: f64,
    /// Columns and rows of cells.
    cells: [usize; 2],
}

impl Grid {
    fn over(points: &[[f32; 2]]) -> Self {
        let Some(bulk) = bulk_of(points) else { return Self::default() };
        let [width, height] = bulk.size();
        let wanted = (points.len() / POINTS_PER_CELL).max(1) as f64;
        let side = (width * height / wanted).sqrt().max(width.max(height) / wanted);
        let density = if side > 0.0 { side.recip() } else { 0.0 };
        let count = |length: f64| (length * density) as usize + 1;
        Self { origin: bulk.min, density, cells: [count(width), count(height)] }
    }

    /// Column (axis 0) or row (axis 1) of a coordinate. Never decreases with the coordinate: the whole index rests on that.
    fn along(&self, axis: usize, coordinate: f64) -> usize {
        (((coordinate - self.origin[axis]) * self.density) as usize).min(self.cells[axis].saturating_sub(1))
    }

    fn cell(&self, point: [f32; 2]) -> usize {
        let [x, y] = point.map(f64::from);
        self.along(1, y) * self.cells[0] + self.along(0, x)
    }
}

/// The box that holds most points, from an evenly spaced sample.
fn bulk_of(points: &[[f32; 2]]) -> Option<Area> {
    let step = points.len().div_ceil(SAMPLE).max(1);
    let range = |axis: usize| {
        let mut values: Vec<f32> =
            points.iter().step_by(step).filter(|point| is_drawn(**point)).map(|point| point[axis]).collect();
        values.sort_unstable_by(f32::total_cmp);
        let outside = (values.len() as f64 * OUTSIDE) as usize;
        let low = *values.get(outside)?;
        let high = *values.get(values.len() - 1 - outside)?;
        Some([f64::from(low), f64::from(high)])
    };
    let ([left, right], [low, high]) = (range(0)?, range(1)?);
    Some(Area { min: [left, low], max: [right, high] })
}

fn is_drawn(point: [f32; 2]) -> bool {
    point[0].is_finite() && point[1].is_finite()
}

impl MapIndex {
    /// Orders positions `[N]`, by row of the specimen. Positions that are not finite have no place on the map.
    pub fn build(positions: &[[f32; 2]]) -> Self {
        let grid = Grid::over(positions);
        let cell_of: Vec<u32> =
            positions.iter().map(|&point| if is_drawn(point) { grid.cell(point) as u32 } else { u32::MAX }).collect();
        let mut starts = vec![0_u32; grid.cells[0] * grid.cells[1] + 1];
        cell_of.iter().filter(|&&cell| cell != u32::MAX).for_each(|&cell| starts[cell as usize + 1] += 1);
        for cell in 1..starts.len() {
            starts[cell] += starts[cell - 1];
        }
        let drawn = starts.last().map_or(0, |&count| count as usize);
        let mut next = starts.clone();
        let (mut rows, mut points) = (vec![0; drawn], vec![[0.0; 2]; drawn]);
        let mut bounds = Area::NOTHING;
        for (row, (&point, &cell)) in positions.iter().zip(&cell_of).enumerate() {
            if cell == u32::MAX {
                continue;
            }
            let slot = &mut next[cell as usize];
            rows[*slot as usize] = row as u32;
            points[*slot as usize] = point;
            *slot += 1;
            bounds.extend(point.map(f64::from));
        }
        Self { grid, starts, rows, points, bounds: (drawn > 0).then_some(bounds) }
    }

    /// Number of points on the map.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no point is on the map.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The box around all points; `None` where there are none.
    pub fn bounds(&self) -> Option<Area> {
        self.bounds
    }

    /// The specimen row of every slot.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The position of every slot.
    pub fn points(&self) -> &[[f32; 2]] {
        &self.points
    }

    /// Number of cells of the grid.
    pub fn cells(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The slots of one cell.
    pub fn slots_of_cell(&self, cell: usize) -> Range<usize> {
        self.starts[cell] as usize..self.starts[cell + 1] as usize
    }

    /// The runs of cells that cover `area`, one per row of cells, from the lowest.
    pub fn cell_runs(&self, area: Area) -> impl Iterator<Item = Range<usize>> + '_ {
        let covered = !self.is_empty() && area.min[0] <= area.max[0] && area.min[1] <= area.max[1];
        let rows = if covered { self.grid.along(1, area.min[1])..self.grid.along(1, area.max[1]) + 1 } else { 0..0 };
        let [left, right] = [area.min[0], area.max[0]].map(|x| self.grid.along(0, x));
        let columns = self.grid.cells[0];
        rows.map(move |row| row * columns + left..row * columns + right + 1)
    }

    /// The runs of slots that hold every point of `area`, and some of its surroundings.
    pub fn runs(&self, area: Area) -> impl Iterator<Item = Range<usize>> + '_ {
        self.cell_runs(area).map(|cells| self.starts[cells.start] as usize..self.starts[cells.end] as usize)
    }

    /// The row of the point nearest to `at` within `radius` map units among those that `pickable` admits. Of points at the
    /// same distance the last row, which is drawn on top.
    pub fn nearest(&self, at: [f64; 2], radius: f64, pickable: impl Fn(u32) -> bool) -> Option<u32> {
        let around = Area::spanned(at, at).grown(radius);
        let mut best: Option<(f64, u32)> = None;
        for slot in self.runs(around).flatten() {
            let [x, y] = self.points[slot].map(f64::from);
            let distance = (x - at[0]).powi(2) + (y - at[1]).powi(2);
            let row = self.rows[slot];
            let better = match best {
                None => distance <= radius * radius,
                Some((least, of)) => distance < least || (distance == least && row > of),
            };
            if better && pickable(row) {
                best = Some((distance, row));
            }
        }
        best.map(|(_, row)| row)
    }

    /// How many points lie in this box.
    pub fn count_in(&self, area: Area) -> usize {
        let inside = |slot: &usize| area.contains(self.points[*slot].map(f64::from));
        self.runs(area).flatten().filter(inside).count()
    }

    /// The rows of the points in `area` that `pickable` admits, ascending.
    pub fn rows_in(&self, area: Area, pickable: impl Fn(u32) -> bool) -> Vec<u32> {
        let mut found: Vec<u32> = self
            .runs(area)
            .flatten()
            .filter(|&slot| area.contains(self.points[slot].map(f64::from)))
            .map(|slot| self.rows[slot])
            .filter(|&row| pickable(row))
            .collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finite_point_has_exactly_one_slot() {
        let positions = [[0.0, 0.0], [f32::NAN, 1.0], [1.0, 1.0], [1.0, f32::INFINITY], [1.0, 1.0], [-5.0, 1e30]];
        let index = MapIndex::build(&positions);
        let mut rows = index.rows().to_vec();
        rows.sort_unstable();
        assert_eq!(rows, [0, 2, 4, 5]);
        for (slot, &row) in index.rows().iter().enumerate() {
            assert_eq!(index.points()[slot], positions[row as usize]);
        }
        assert_eq!((0..index.cells()).map(|cell| index.slots_of_cell(cell).len()).sum::<usize>(), 4);
        assert_eq!(index.bounds().map(|area| area.min), Some([-5.0, 0.0]));
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let everywhere = Area { min: [-1e9; 2], max: [1e9; 2] };
        for index in [MapIndex::build(&[]), MapIndex::build(&[[f32::NAN; 2]]), MapIndex::default()] {
            assert!(index.is_empty());
            assert_eq!(index.bounds(), None);
            assert_eq!(index.nearest([0.0; 2], 1e9, |_| true), None);
            assert!(index.rows_in(everywhere, |_| true).is_empty());
        }
        let one = MapIndex::build(&[[3.0, 4.0]]);
        assert_eq!(one.nearest([0.0; 2], 5.0, |_| true), Some(0), "the rim belongs to the circle");
        assert_eq!(one.nearest([0.0; 2], 4.9, |_| true), None);
        assert!(one.rows_in(Area::NOTHING, |_| true).is_empty());
    }

    #[test]
    fn one_outlier_does_not_empty_the_grid() {
        let mut positions: Vec<[f32; 2]> =
            (0..10_000).map(|i| [(i % 100) as f32 * 0.01, (i / 100) as f32 * 0.01]).collect();
        positions.push([1e9, -1e9]);
        let index = MapIndex::build(&positions);
        let fullest = (0..index.cells()).map(|cell| index.slots_of_cell(cell).len()).max();
        assert!(fullest < Some(100), "{fullest:?} points in one cell");
        assert_eq!(index.nearest([1e9, -1e9], 1.0, |_| true), Some(10_000));
    }

    #[test]
    fn of_coinciding_points_the_last_pickable_row_is_taken() {
        let index = MapIndex::build(&[[1.0, 1.0]; 5]);
        assert_eq!(index.nearest([1.0, 1.0], 0.0, |_| true), Some(4));
        assert_eq!(index.nearest([1.0, 1.0], 0.0, |row| row < 3), Some(2));
        assert_eq!(index.nearest([1.0, 1.0], 0.0, |_| false), None);
    }
}
