//! Free-hand selection: which points lie inside a polygon.

use super::index::MapIndex;
use super::view::Area;
use rayon::prelude::*;

/// A closed polygon in map units. Where it crosses itself, a point is inside if a line from it to infinity meets the outline
/// an odd number of times (even-odd rule).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Lasso {
    corners: Vec<[f64; 2]>,
}

impl Lasso {
    /// The polygon through these corners; the last is joined to the first. Corners that are not finite are dropped.
    pub fn new(corners: impl IntoIterator<Item = [f64; 2]>) -> Self {
        Self { corners: corners.into_iter().filter(|[x, y]| x.is_finite() && y.is_finite()).collect() }
    }

    /// Whether a point is inside.
    pub fn contains(&self, point: [f64; 2]) -> bool {
        crossings_are_odd(self.edges(), point)
    }

    /// The rows of the points inside that `pickable` admits, ascending.
    pub fn rows_in(&self, index: &MapIndex, pickable: impl Fn(u32) -> bool + Sync) -> Vec<u32> {
        let mut around = Area::NOTHING;
        self.corners.iter().for_each(|&corner| around.extend(corner));
        let runs: Vec<_> = index.runs(around).collect();
        let mut found: Vec<u32> = runs
            .into_par_iter()
            .flat_map_iter(|run| {
                let points = &index.points()[run.clone()];
                let edges = self.edges_beside(points);
                let pickable = &pickable;
                run.filter(move |&slot| crossings_are_odd(edges.iter().copied(), index.points()[slot].map(f64::from)))
                    .map(|slot| index.rows()[slot])
                    .filter(move |&row| pickable(row))
                    .collect::<Vec<_>>()
            })
            .collect();
        found.par_sort_unstable();
        found
    }

    fn edges(&self) -> impl Iterator<Item = Edge> + '_ {
        let next = self.corners.iter().cycle().skip(1);
        self.corners.iter().zip(next).map(|(&from, &to)| Edge { from, to })
    }

    /// The edges that reach the heights of these points: no other can change the answer for any of them.
    fn edges_beside(&self, points: &[[f32; 2]]) -> Vec<Edge> {
        let (low, high) = points
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), point| (low.min(point[1]), high.max(point[1])));
        let (low, high) = (f64::from(low), f64::from(high));
        self.edges()
            .filter(|edge| edge.from[1].max(edge.to[1]) >= low && edge.from[1].min(edge.to[1]) <= high)
            .collect()
    }
}

#[derive(Debug, Clone, Copy)]
struct Edge {
    from: [f64; 2],
    to: [f64; 2],
}

/// Counts the edges that cross the level line to the right of the point. An edge holds its lower end and not its upper one, so
/// a corner on the line counts once.
fn crossings_are_odd(edges: impl Iterator<Item = Edge>, [x, y]: [f64; 2]) -> bool {
    edges.fold(false, |odd, Edge { from, to }| {
        let spans = (from[1] > y) != (to[1] > y);
        odd ^ (spans && x < from[0] + (y - from[1]) / (to[1] - from[1]) * (to[0] - from[0]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inside_follows_the_outline() {
        let notched = Lasso::new([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [2.0, 1.0], [0.0, 4.0]]);
        for (point, inside) in
            [([1.0, 1.0], true), ([2.0, 0.5], true), ([2.0, 3.0], false), ([3.9, 3.0], true), ([5.0, 1.0], false)]
        {
            assert_eq!(notched.contains(point), inside, "{point:?}");
        }
    }

    #[test]
    fn a_crossing_outline_leaves_its_twice_wound_middle_out() {
        let star: Vec<[f64; 2]> = (0..5)
            .map(|corner| {
                let angle = std::f64::consts::TAU * f64::from(corner * 2) / 5.0;
                [angle.sin(), angle.cos()]
            })
            .collect();
        let star = Lasso::new(star);
        assert!(!star.contains([0.0, 0.0]));
        assert!(star.contains([0.0, 0.8]));
    }

    #[test]
    fn a_line_or_less_holds_nothing() {
        let index = MapIndex::build(&[[0.0, 0.0], [1.0, 1.0]]);
        for corners in [vec![], vec![[0.0, 0.0]], vec![[0.0, 0.0], [1.0, 1.0]]] {
            assert!(Lasso::new(corners).rows_in(&index, |_| true).is_empty());
        }
        assert_eq!(Lasso::new([[f64::NAN, 0.0], [1.0, 1.0]]), Lasso::new([[1.0, 1.0]]));
    }

    #[test]
    fn corners_at_the_height_of_a_point_count_once() {
        let diamond = Lasso::new([[0.0, -1.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]);
        let index = MapIndex::build(&[[0.0, 0.0], [-2.0, 0.0], [2.0, 0.0], [-0.5, 0.0]]);
        assert_eq!(diamond.rows_in(&index, |_| true), [0, 3]);
    }
}
