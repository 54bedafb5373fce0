//! Disjoint sets, and single linkage by them.

use crate::progress::{Cancelled, Observer, Progress};
use ndarray::{ArrayView2, s};
use rayon::prelude::*;
use std::collections::HashMap;

/// Disjoint sets of numbers; a set is known by its smallest member.
#[derive(Debug, Clone)]
pub(super) struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    pub(super) fn new(len: usize) -> Self {
        Self { parent: (0..len).collect() }
    }

    pub(super) fn find(&mut self, mut member: usize) -> usize {
        while self.parent[member] != member {
            self.parent[member] = self.parent[self.parent[member]];
            member = self.parent[member];
        }
        member
    }

    /// Joins two sets; whether they were two.
    pub(super) fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        self.parent[a.max(b)] = a.min(b);
        a != b
    }

    /// The members of every set, ascending, sets by their first member.
    pub(super) fn members(&mut self) -> Vec<Vec<usize>> {
        let mut members: Vec<Vec<usize>> = Vec::new();
        for (member, label) in self.labels().into_iter().enumerate() {
            if label == members.len() {
                members.push(Vec::new());
            }
            members[label].push(member);
        }
        members
    }

    /// The set of every number, counted from 0 by first appearance.
    pub(super) fn labels(&mut self) -> Vec<usize> {
        let mut number = HashMap::new();
        (0..self.parent.len())
            .map(|member| {
                let next = number.len();
                *number.entry(self.find(member)).or_insert(next)
            })
            .collect()
    }
}

/// Sets of vectors that are linked by steps of cosine distance `highest` at most: single linkage cut at that height. `unit`
/// `[N,D]` are vectors of unit length. Works by blocks, without a matrix of all distances.
pub(super) fn linked(unit: ArrayView2<'_, f32>, highest: f32, observer: &dyn Observer) -> Result<Sets, Cancelled> {
    const TILE: usize = 256;
    let points = unit.nrows();
    let mut sets = Sets::new(points);
    for first in (0..points).step_by(TILE) {
        let rows = first..(first + TILE).min(points);
        let block = unit.slice(s![rows.clone(), ..]);
        let columns: Vec<usize> = (first..points).step_by(TILE).collect();
        let links: Vec<Vec<(usize, usize)>> = columns
            .into_par_iter()
            .map(|column| {
                observer.progress(Progress::new("linking", first, points, "barcodes"))?;
                let others = unit.slice(s![column..(column + TILE).min(points), ..]);
                let products = block.dot(&others.t());
                // A tile hands on no more links than it takes to hold its points together.
                let mut local = Sets::new(2 * TILE);
                let near = products.indexed_iter().filter(|&(_, &product)| 1.0 - product <= highest);
                let links = near.filter(|&((row, other), _)| local.join(row, TILE + other));
                Ok(links.map(|((row, other), _)| (first + row, column + other)).collect())
            })
            .collect::<Result<_, Cancelled>>()?;
        links.into_iter().flatten().for_each(|(a, b)| {
            sets.join(a, b);
        });
    }
    Ok(sets)
}
