//! What every point looks like, in the order of the index: derived once per change of colours, marks or theme.

use super::index::MapIndex;
use super::view::Area;
use egui::Color32;
use rayon::prelude::*;
use std::ops::Range;

/// How a specimen is treated on the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mark {
    /// Filtered out and not drawn.
    Hidden,
    /// Filtered out, drawn faintly, and never hit by the pointer.
    Ghost,
    /// Grey, as what is not selected or not searched for.
    Muted,
    /// In its colour.
    Shown,
    /// In its colour, on top of everything else: the selection.
    Lifted,
}

impl Mark {
    /// Whether clicks, boxes and lassos reach the specimen.
    pub fn is_pickable(self) -> bool {
        self >= Self::Muted
    }

    fn layer(self) -> Option<Layer> {
        match self {
            Self::Hidden => None,
            Self::Ghost | Self::Muted => Some(Layer::Back),
            Self::Shown => Some(Layer::Middle),
            Self::Lifted => Some(Layer::Front),
        }
    }
}

/// Points are drawn layer by layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Grey points.
    Back,
    /// Coloured points.
    Middle,
    /// The selection.
    Front,
}

impl Layer {
    /// From the lowest to the highest.
    pub const ALL: [Self; 3] = [Self::Back, Self::Middle, Self::Front];
}

/// Colours of points that are not in their own colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Greys {
    /// Of [`Mark::Ghost`].
    pub ghost: Color32,
    /// Of [`Mark::Muted`].
    pub muted: Color32,
}

/// Number of points per layer.
pub type LayerCounts = [usize; 3];

const NO_LAYER: u8 = u8::MAX;

/// Colour and layer of every slot of a [`MapIndex`].
#[derive(Debug, Clone, Default)]
pub struct Painted {
    fills: Vec<Color32>,
    layers: Vec<u8>,
    /// Points per layer in all cells before this one, `[cells + 1]`.
    before: Vec<[u32; 3]>,
    front: Vec<u32>,
    rings: Vec<u32>,
}

impl Painted {
    /// Orders `colours [N]` and `marks [N]` as the index does. `rings` are rows that get a ring, where they can be picked.
    pub fn new(index: &MapIndex, colours: &[Color32], marks: &[Mark], rings: &[u32], greys: Greys) -> Self {
        let of_row = |&row: &u32| -> (Color32, u8) {
            let mark = marks.get(row as usize).copied().unwrap_or(Mark::Shown);
            let own = colours.get(row as usize).copied().unwrap_or(greys.muted);
            let fill = match mark {
                Mark::Ghost => greys.ghost,
                Mark::Muted => greys.muted,
                Mark::Hidden | Mark::Shown | Mark::Lifted => own,
            };
            (fill, mark.layer().map_or(NO_LAYER, |layer| layer as u8))
        };
        let (fills, layers): (Vec<_>, Vec<_>) = index.rows().par_iter().map(of_row).unzip();
        let front = slots_where(&layers, |_, layer| layer == Layer::Front as u8);
        let rings = ring_slots(index, marks, rings);
        let before = counts_before(index, &layers);
        Self { fills, layers, before, front, rings }
    }

    /// Colour of every slot.
    pub fn fills(&self) -> &[Color32] {
        &self.fills
    }

    /// Whether a slot is drawn in `layer`.
    pub fn is_in(&self, slot: usize, layer: Layer) -> bool {
        self.layers[slot] == layer as u8
    }

    /// Colours of the slots of `run` that are drawn in `layer`.
    pub fn fills_in(&self, run: Range<usize>, layer: Layer) -> impl Iterator<Item = Option<Color32>> + '_ {
        let drawn = self.layers[run.clone()].iter().map(move |&of| of == layer as u8);
        self.fills[run].iter().zip(drawn).map(|(&fill, drawn)| drawn.then_some(fill))
    }

    /// Slots of [`Layer::Front`] within `run`, ascending.
    pub fn front_in(&self, run: Range<usize>) -> &[u32] {
        within(&self.front, run)
    }

    /// Slots with a ring within `run`, ascending.
    pub fn rings_in(&self, run: Range<usize>) -> &[u32] {
        within(&self.rings, run)
    }

    /// Points per layer in the cells that cover `area`: at least as many as there are in `area`.
    pub fn counts_near(&self, index: &MapIndex, area: Area) -> LayerCounts {
        index.cell_runs(area).fold([0; 3], |mut counts, cells| {
            for (layer, count) in counts.iter_mut().enumerate() {
                *count += (self.before[cells.end][layer] - self.before[cells.start][layer]) as usize;
            }
            counts
        })
    }
}

fn slots_where(layers: &[u8], wanted: impl Fn(usize, u8) -> bool) -> Vec<u32> {
    layers.iter().enumerate().filter(|&(slot, &layer)| wanted(slot, layer)).map(|(slot, _)| slot as u32).collect()
}

fn ring_slots(index: &MapIndex, marks: &[Mark], rings: &[u32]) -> Vec<u32> {
    if rings.is_empty() {
        return Vec::new();
    }
    let mut ringed = vec![false; marks.len()];
    for &row in rings {
        if let (Some(ring), Some(mark)) = (ringed.get_mut(row as usize), marks.get(row as usize)) {
            *ring = mark.is_pickable();
        }
    }
    let rows = index.rows().iter().enumerate();
    rows.filter(|(_, row)| ringed.get(**row as usize) == Some(&true)).map(|(slot, _)| slot as u32).collect()
}

fn counts_before(index: &MapIndex, layers: &[u8]) -> Vec<[u32; 3]> {
    let mut counts = [0; 3];
    let mut before = Vec::with_capacity(index.cells() + 1);
    before.push(counts);
    for cell in 0..index.cells() {
        for &layer in &layers[index.slots_of_cell(cell)] {
            if layer != NO_LAYER {
                counts[layer as usize] += 1;
            }
        }
        before.push(counts);
    }
    before
}

fn within(slots: &[u32], run: Range<usize>) -> &[u32] {
    let from = slots.partition_point(|&slot| (slot as usize) < run.start);
    let to = from + slots[from..].partition_point(|&slot| (slot as usize) < run.end);
    &slots[from..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREYS: Greys = Greys { ghost: Color32::from_gray(10), muted: Color32::from_gray(20) };

    #[test]
    fn every_slot_has_the_look_of_its_row() {
        let positions: Vec<[f32; 2]> = (0..5).map(|row| [-(row as f32), 0.0]).collect();
        let colours: Vec<Color32> = (0..5).map(|row| Color32::from_rgb(row, 0, 0)).collect();
        let marks = [Mark::Hidden, Mark::Ghost, Mark::Muted, Mark::Shown, Mark::Lifted];
        let index = MapIndex::build(&positions);
        let painted = Painted::new(&index, &colours, &marks, &[0, 1, 2, 4, 99], GREYS);
        let all = 0..index.len();
        for (slot, &row) in index.rows().iter().enumerate() {
            let expected = match row {
                1 => GREYS.ghost,
                2 => GREYS.muted,
                _ => colours[row as usize],
            };
            assert_eq!(painted.fills()[slot], expected);
            let layers = Layer::ALL.map(|layer| painted.is_in(slot, layer));
            assert_eq!(layers, [row == 1 || row == 2, row == 3, row == 4], "row {row}");
        }
        let rows_of = |slots: &[u32]| -> Vec<u32> { slots.iter().map(|&slot| index.rows()[slot as usize]).collect() };
        assert_eq!(rows_of(painted.front_in(all.clone())), [4]);
        let mut rings = rows_of(painted.rings_in(all));
        rings.sort_unstable();
        assert_eq!(rings, [2, 4], "filtered-out specimens have no ring");
        let everywhere = Area { min: [-9.0; 2], max: [9.0; 2] };
        assert_eq!(painted.counts_near(&index, everywhere), [2, 1, 1]);
    }
}
