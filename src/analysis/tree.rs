//! Neighbour-joining trees (Saitou & Nei 1987, Mol. Biol. Evol. 4: 406-425, with the criterion of Studier & Keppler 1988).

use ndarray::Array2;
use std::fmt::Write;

/// A node of a tree; tips come first, in the order of the distances.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TreeNode {
    /// The node above it; `None` for the one from which the tree is drawn.
    pub parent: Option<usize>,
    /// Length of the branch to the node above, never below 0.
    pub length: f32,
}

/// A tree whose first nodes are its tips.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree {
    /// The nodes.
    pub nodes: Vec<TreeNode>,
    /// How many of them are tips.
    pub tips: usize,
}

/// Joins tips by their distances `[N,N]`, of which only the upper triangle is read. Of equally good pairs the first is joined. Branches that
/// come out negative are set to 0. The tree is drawn from the middle of its longest path between two tips.
///
/// # Panics
/// When the matrix is not square.
pub fn neighbour_joining(distances: &Array2<f64>) -> Tree {
    let n = distances.nrows();
    assert_eq!(n, distances.ncols(), "a distance for each pair");
    if n == 0 {
        return Tree::default();
    }
    let mut joined = Joining::new(distances);
    while joined.active.len() > 2 {
        joined.join_best();
    }
    joined.finish(n)
}

/// A branch of the tree that has no root yet.
struct Branch {
    ends: [usize; 2],
    length: f64,
}

struct Joining {
    /// Distances between the nodes that are not joined yet, by their place in `active`.
    distances: Vec<Vec<f64>>,
    active: Vec<usize>,
    next: usize,
    branches: Vec<Branch>,
}

impl Joining {
    fn new(distances: &Array2<f64>) -> Self {
        let n = distances.nrows();
        let of = |a: usize, b: usize| if a == b { 0.0 } else { distances[[a.min(b), a.max(b)]] };
        Self {
            distances: (0..n).map(|a| (0..n).map(|b| of(a, b)).collect()).collect(),
            active: (0..n).collect(),
            next: n,
            branches: Vec::new(),
        }
    }

    fn join_best(&mut self) {
        let m = self.active.len();
        let sums: Vec<f64> = self.distances.iter().map(|row| row.iter().sum()).collect();
        let mut best = (f64::INFINITY, 0, 1);
        for a in 0..m {
            for b in a + 1..m {
                let worth = (m - 2) as f64 * self.distances[a][b] - sums[a] - sums[b];
                if worth < best.0 {
                    best = (worth, a, b);
                }
            }
        }
        let (_, a, b) = best;
        let between = self.distances[a][b];
        let to_a = between / 2.0 + (sums[a] - sums[b]) / (2.0 * (m - 2) as f64);
        let node = self.next;
        self.next += 1;
        self.branches.push(Branch { ends: [node, self.active[a]], length: to_a.max(0.0) });
        self.branches.push(Branch { ends: [node, self.active[b]], length: (between - to_a).max(0.0) });
        let row: Vec<f64> = (0..m)
            .filter(|&other| other != a && other != b)
            .map(|other| (self.distances[a][other] + self.distances[b][other] - between) / 2.0)
            .collect();
        for at in [b, a] {
            self.distances.remove(at);
            self.distances.iter_mut().for_each(|row| {
                row.remove(at);
            });
            self.active.remove(at);
        }
        self.distances.iter_mut().zip(&row).for_each(|(theirs, &distance)| theirs.push(distance));
        self.distances.push(row.into_iter().chain([0.0]).collect());
        self.active.push(node);
    }

    fn finish(mut self, tips: usize) -> Tree {
        if let &[a, b] = self.active.as_slice() {
            self.branches.push(Branch { ends: [a, b], length: self.distances[0][1].max(0.0) });
        }
        rooted(&self.branches, self.next, tips)
    }
}

/// The tree drawn from the middle of its longest path between tips.
fn rooted(branches: &[Branch], nodes: usize, tips: usize) -> Tree {
    let mut beside: Vec<Vec<(usize, f64)>> = vec![Vec::new(); nodes];
    for Branch { ends: [a, b], length } in branches {
        beside[*a].push((*b, *length));
        beside[*b].push((*a, *length));
    }
    if branches.is_empty() {
        return Tree { nodes: vec![TreeNode { parent: None, length: 0.0 }; nodes], tips };
    }
    let (first, _) = farthest_tip(&beside, 0, tips);
    let (last, above) = farthest_tip(&beside, first, tips);
    let (mut at, mut left) = (last, above[last].1 / 2.0);
    // From the far end up, until half of the path is behind.
    while let Some((up, length)) = above[at].0 {
        if left <= length {
            return split(&beside, [at, up], [left, length - left], tips);
        }
        left -= length;
        at = up;
    }
    split(&beside, [at, at], [0.0, 0.0], tips)
}

/// For each node the one before it on the way from the beginning with the length between, and the length of the way.
type Ways = Vec<(Option<(usize, f64)>, f64)>;

/// The tip farthest from a node, and the ways there.
fn farthest_tip(beside: &[Vec<(usize, f64)>], from: usize, tips: usize) -> (usize, Ways) {
    let mut ways: Ways = vec![(None, f64::NEG_INFINITY); beside.len()];
    ways[from].1 = 0.0;
    let mut waiting = vec![from];
    while let Some(at) = waiting.pop() {
        for &(next, length) in &beside[at] {
            if ways[next].1 == f64::NEG_INFINITY {
                ways[next] = (Some((at, length)), ways[at].1 + length);
                waiting.push(next);
            }
        }
    }
    let farthest = (0..tips).rev().max_by(|&a, &b| ways[a].1.total_cmp(&ways[b].1)).unwrap_or(from);
    (farthest, ways)
}

/// The tree with a new node on the branch between two nodes, from which it is drawn.
fn split(beside: &[Vec<(usize, f64)>], ends: [usize; 2], lengths: [f64; 2], tips: usize) -> Tree {
    let root = beside.len();
    let mut nodes = vec![TreeNode { parent: None, length: 0.0 }; root + 1];
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    let sides = if ends[0] == ends[1] { 1 } else { 2 };
    for side in 0..sides {
        nodes[ends[side]] = TreeNode { parent: Some(root), length: lengths[side] as f32 };
        waiting.push((ends[side], ends[1 - side]));
    }
    while let Some((at, from)) = waiting.pop() {
        for &(next, length) in &beside[at] {
            if next != from {
                nodes[next] = TreeNode { parent: Some(at), length: length as f32 };
                waiting.push((next, at));
            }
        }
    }
    Tree { nodes, tips }
}

impl Tree {
    /// The nodes below each node, in order of their number.
    pub fn children(&self) -> Vec<Vec<usize>> {
        let mut children = vec![Vec::new(); self.nodes.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(parent) = node.parent {
                children[parent].push(at);
            }
        }
        children
    }

    /// The node from which the tree is drawn; `None` of an empty tree.
    pub fn root(&self) -> Option<usize> {
        self.nodes.iter().rposition(|node| node.parent.is_none())
    }

    /// Length of the way from tip `a` to tip `b`.
    pub fn path(&self, a: usize, b: usize) -> f32 {
        let ways = |mut at: usize| {
            let mut ways = vec![(at, 0.0)];
            let mut so_far = 0.0;
            while let Some(parent) = self.nodes[at].parent {
                so_far += self.nodes[at].length;
                at = parent;
                ways.push((at, so_far));
            }
            ways
        };
        let (from_a, from_b) = (ways(a), ways(b));
        let shared = from_a.iter().find_map(|&(node, length)| {
            from_b.iter().find(|(other, _)| *other == node).map(|(_, other)| length + other)
        });
        shared.unwrap_or(f32::INFINITY)
    }

    /// The tips from top to bottom as the tree is drawn.
    pub fn drawn_tips(&self) -> Vec<usize> {
        let children = self.children();
        let mut waiting: Vec<usize> = self.root().into_iter().collect();
        let mut tips = Vec::with_capacity(self.tips);
        while let Some(at) = waiting.pop() {
            if at < self.tips {
                tips.push(at);
            }
            waiting.extend(children[at].iter().rev());
        }
        tips
    }

    /// The tree in Newick's format, with the names of the tips; signs that mean something in the format are written as `_`.
    pub fn newick(&self, names: &[String]) -> String {
        let mut text = String::new();
        if let Some(root) = self.root() {
            self.write_newick(root, &self.children(), names, &mut text);
        }
        text.push_str(";\n");
        text
    }

    fn write_newick(&self, root: usize, children: &[Vec<usize>], names: &[String], text: &mut String) {
        // Trees of many alike barcodes are deep: a list in place of recursion.
        enum Part {
            Node(usize),
            Text(&'static str),
            End(usize),
        }
        let mut waiting = vec![Part::Node(root)];
        while let Some(part) = waiting.pop() {
            match part {
                Part::Text(sign) => text.push_str(sign),
                Part::End(at) => {
                    if at < self.tips {
                        text.extend(
                            names[at]
                                .chars()
                                .map(|letter| if "()[]{},:;' \t\n\r".contains(letter) { '_' } else { letter }),
                        );
                    }
                    if self.nodes[at].parent.is_some() {
                        let _ = write!(text, ":{:.6}", self.nodes[at].length);
                    }
                }
                Part::Node(at) => {
                    waiting.push(Part::End(at));
                    if children[at].is_empty() {
                        continue;
                    }
                    waiting.push(Part::Text(")"));
                    for (place, &child) in children[at].iter().enumerate().rev() {
                        waiting.push(Part::Node(child));
                        if place > 0 {
                            waiting.push(Part::Text(","));
                        }
                    }
                    waiting.push(Part::Text("("));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(tree: &Tree) -> Vec<String> {
        (0..tree.tips).map(|tip| format!("t{tip}")).collect()
    }

    /// Distances along a tree in which node `n + i` joins earlier nodes, given as (first, second, length, length).
    fn additive(tips: usize, joins: &[(usize, usize, f64, f64)]) -> Array2<f64> {
        let nodes = tips + joins.len();
        let mut beside = vec![Vec::new(); nodes];
        for (at, &(a, b, to_a, to_b)) in joins.iter().enumerate() {
            for (end, length) in [(a, to_a), (b, to_b)] {
                beside[tips + at].push((end, length));
                beside[end].push((tips + at, length));
            }
        }
        Array2::from_shape_fn((tips, tips), |(a, b)| {
            let (_, ways) = farthest_tip(&beside, a, tips);
            ways[b].1
        })
    }

    #[test]
    fn the_example_of_the_textbooks() {
        // Distances of five taxa whose tree is known: (a, b), (c, (d, e)).
        let upper = [
            [0.0, 5.0, 9.0, 9.0, 8.0],
            [0.0, 0.0, 10.0, 10.0, 9.0],
            [0.0, 0.0, 0.0, 8.0, 7.0],
            [0.0, 0.0, 0.0, 0.0, 3.0],
            [0.0; 5],
        ];
        let distances = Array2::from_shape_fn((5, 5), |(a, b)| upper[a][b]);
        let tree = neighbour_joining(&distances);
        for (a, row) in upper.iter().enumerate() {
            for (b, &distance) in row.iter().enumerate().skip(a + 1) {
                assert!((f64::from(tree.path(a, b)) - distance).abs() < 1e-5, "{a} {b}: {}", tree.path(a, b));
            }
        }
        let text = tree.newick(&names(&tree));
        assert!(text.ends_with(";\n") && (0..5).all(|tip| text.contains(&format!("t{tip}:"))), "{text}");
        assert_eq!(tree.drawn_tips().len(), 5);
    }

    #[test]
    fn small_trees() {
        assert_eq!(neighbour_joining(&Array2::zeros((0, 0))).newick(&[]), ";\n");
        let one = neighbour_joining(&Array2::zeros((1, 1)));
        assert_eq!((one.newick(&names(&one)), one.drawn_tips()), ("t0;\n".to_owned(), vec![0]));
        let two = neighbour_joining(&Array2::from_shape_fn((2, 2), |(a, b)| if a == b { 0.0 } else { 0.5 }));
        assert_eq!(two.newick(&["a b".into(), "c:d".into()]), "(a_b:0.250000,c_d:0.250000);\n");
        let alike = neighbour_joining(&Array2::zeros((6, 6)));
        assert_eq!(alike.drawn_tips().len(), 6);
        assert!(alike.nodes.iter().all(|node| node.length == 0.0));
    }

    proptest! {
        #[test]
        fn distances_along_a_tree_give_that_tree_back(
            lengths in proptest::collection::vec((0.01f64..1.0, 0.01f64..1.0), 1..12),
            picks in proptest::collection::vec((0usize..100, 0usize..100), 12),
        ) {
            let tips = lengths.len() + 1;
            let mut free: Vec<usize> = (0..tips).collect();
            let mut joins = Vec::new();
            for (at, &(to_a, to_b)) in lengths.iter().enumerate() {
                let a = free.remove(picks[at].0 % free.len());
                let b = free.remove(picks[at].1 % free.len());
                joins.push((a, b, to_a, to_b));
                free.push(tips + at);
            }
            let distances = additive(tips, &joins);
            let tree = neighbour_joining(&distances);
            for a in 0..tips {
                for b in a + 1..tips {
                    prop_assert!((f64::from(tree.path(a, b)) - distances[[a, b]]).abs() < 1e-4);
                }
            }
            let mut drawn = tree.drawn_tips();
            drawn.sort_unstable();
            prop_assert_eq!(drawn, (0..tips).collect::<Vec<_>>());
            let longest = distances.iter().copied().fold(0.0, f64::max);
            let deepest = (0..tips).map(|tip| {
                let (mut at, mut depth) = (tip, 0.0);
                while let Some(parent) = tree.nodes[at].parent {
                    depth += f64::from(tree.nodes[at].length);
                    at = parent;
                }
                depth
            }).fold(0.0, f64::max);
            prop_assert!((deepest - longest / 2.0).abs() < 1e-4, "drawn from the middle");
        }
    }
}
