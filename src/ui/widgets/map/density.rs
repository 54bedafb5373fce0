//! The map as a picture: when there are more points than a mesh should hold, every point is counted in its pixel.
//!
//! A pixel has the mean colour of its points; how opaque it is grows with the logarithm of their number, so that one specimen is
//! seen and a thousand are seen as more than a hundred. A count is spread over the eight pixels around it with the weights
//! (½, 1, ½) ⊗ (½, 1, ½), which makes a lone point as visible as it is in the mesh.

use super::index::MapIndex;
use super::paint::{Layer, Painted};
use super::view::{Area, Viewport};
use egui::Color32;
use rayon::prelude::*;

/// Rows of pixels that one task fills. Fixed, so that the sums do not depend on the number of threads.
const BAND: usize = 64;
/// Pixels of a row that are skipped together where there are no points.
const BLOCK: usize = 16;
/// Weight of the neighbouring pixel, per axis.
const SPREAD: f32 = 0.5;

/// Red, green and blue, each summed over the points of a pixel, and their number.
type Sum = [f32; 4];

/// A picture of points, row by row from the top, `[height * width]`.
#[derive(Debug, Clone, Default)]
pub struct Raster {
    /// Pixels across and down.
    pub size: [usize; 2],
    /// Premultiplied colours.
    pub pixels: Vec<Color32>,
    sums: Vec<Sum>,
    /// Which blocks of a row of pixels hold points, `[height * blocks]`. Most of a map is empty, and all the rest is skipped.
    occupied: Vec<bool>,
}

impl Raster {
    /// Draws the layers of `layers` over each other. `pixels_per_point` is the pixel density of the screen; `opacity` that of
    /// a single point, 0 to 1.
    pub fn draw(
        &mut self,
        index: &MapIndex,
        painted: &Painted,
        layers: &[Layer],
        viewport: Viewport,
        pixels_per_point: f32,
        opacity: f32,
    ) {
        let size = viewport.rect.size() * pixels_per_point;
        self.resize([size.x.round().max(1.0) as usize, size.y.round().max(1.0) as usize]);
        let grid = PixelGrid::new(viewport, self.size);
        for &layer in layers {
            let most = self.count(index, painted, layer, &grid);
            if most > 0.0 {
                self.blend(&Tones::new(opacity, most));
            }
        }
    }

    /// How many points of the last drawn layer fell into each pixel.
    pub fn counts(&self) -> impl Iterator<Item = u32> + '_ {
        self.sums.iter().map(|sum| sum[3] as u32)
    }

    fn blocks(&self) -> usize {
        self.size[0].div_ceil(BLOCK)
    }

    fn resize(&mut self, size: [usize; 2]) {
        self.pixels.clear();
        self.pixels.resize(size[0] * size[1], Color32::TRANSPARENT);
        if self.size != size {
            self.size = size;
            self.sums = vec![[0.0; 4]; size[0] * size[1]];
            self.occupied = vec![false; size[1] * self.blocks()];
        }
    }

    /// Sums up the points of a layer; the largest number in a pixel.
    fn count(&mut self, index: &MapIndex, painted: &Painted, layer: Layer, grid: &PixelGrid) -> f32 {
        let ([width, height], blocks) = (self.size, self.blocks());
        let sums = self.sums.par_chunks_mut(width * BAND);
        let occupied = self.occupied.par_chunks_mut(blocks * BAND);
        let bands = sums.zip(occupied).enumerate().map(|(band, (sums, occupied))| {
            clear(sums, occupied, width);
            let rows = band * BAND..(band * BAND + BAND).min(height);
            let mut most = 0.0_f32;
            for run in index.runs(grid.area_of_rows(rows.clone())) {
                for (&point, fill) in index.points()[run.clone()].iter().zip(painted.fills_in(run, layer)) {
                    let (Some(fill), Some([x, y])) = (fill, grid.pixel(point)) else { continue };
                    if !rows.contains(&y) {
                        continue;
                    }
                    let line = y - rows.start;
                    let sum = &mut sums[line * width + x];
                    let [red, green, blue, _] = fill.to_array().map(f32::from);
                    *sum = [sum[0] + red, sum[1] + green, sum[2] + blue, sum[3] + 1.0];
                    most = most.max(sum[3]);
                    occupied[line * blocks + x / BLOCK] = true;
                }
            }
            most
        });
        bands.reduce(|| 0.0, f32::max)
    }

    fn blend(&mut self, tones: &Tones) {
        let ([width, height], blocks) = (self.size, self.blocks());
        let (sums, occupied) = (&self.sums, &self.occupied);
        let beyond = vec![[0.0; 4]; width];
        let line_of = |y: usize| if y < height { &sums[y * width..(y + 1) * width] } else { &beyond[..] };
        self.pixels.par_chunks_mut(width).enumerate().for_each(|(y, pixels)| {
            let (above, here, below) = (line_of(y.wrapping_sub(1)), line_of(y), line_of(y + 1));
            let down = |x: usize| match (above.get(x), here.get(x), below.get(x)) {
                (Some(above), Some(here), Some(below)) => spread(*here, *above, *below),
                _ => [0.0; 4],
            };
            let lines = y.saturating_sub(1)..(y + 2).min(height);
            for block in 0..blocks {
                let beside = block.saturating_sub(1)..(block + 2).min(blocks);
                let near = |line: usize| occupied[line * blocks..][beside.clone()].contains(&true);
                if !lines.clone().any(near) {
                    continue;
                }
                let first = block * BLOCK;
                let (mut left, mut middle) = (down(first.wrapping_sub(1)), down(first));
                let end = (first + BLOCK).min(width);
                for (pixel, x) in pixels[first..end].iter_mut().zip(first..) {
                    let right = down(x + 1);
                    let sum = spread(middle, left, right);
                    if sum[3] > 0.0 {
                        *pixel = over(*pixel, sum, tones);
                    }
                    (left, middle) = (middle, right);
                }
            }
        });
    }
}

/// Empties the blocks that held points.
fn clear(sums: &mut [Sum], occupied: &mut [bool], width: usize) {
    let blocks = width.div_ceil(BLOCK);
    for (line, occupied) in sums.chunks_mut(width).zip(occupied.chunks_mut(blocks)) {
        for (block, _) in line.chunks_mut(BLOCK).zip(&*occupied).filter(|(_, occupied)| **occupied) {
            block.fill([0.0; 4]);
        }
        occupied.fill(false);
    }
}

fn spread(middle: Sum, before: Sum, after: Sum) -> Sum {
    std::array::from_fn(|part| middle[part] + SPREAD * (before[part] + after[part]))
}

/// Opacity by spread count, tabled at 32 counts per doubling because a logarithm per pixel would cost more than all the rest.
struct Tones {
    opacity: Vec<f32>,
}

impl Tones {
    /// A count's place in the table: the exponent and the five leading digits of its binary number.
    const SHIFT: u32 = f32::MANTISSA_DIGITS - 1 - 5;
    /// The smallest count that can be, that of a corner next to a lone point.
    const LEAST: f32 = SPREAD * SPREAD;

    /// Proportional to the count up to `single` at one point, then with the logarithm up to 1 at `most` points.
    fn new(single: f32, most: f32) -> Self {
        let range = most.ln().max(1.0);
        let tone = |place: u32| {
            let count = f32::from_bits(place << Self::SHIFT);
            if count <= 1.0 { single * count } else { (single + (1.0 - single) * count.ln() / range).min(1.0) }
        };
        Self { opacity: (Self::place(Self::LEAST)..=Self::place(most.max(1.0))).map(tone).collect() }
    }

    fn place(count: f32) -> u32 {
        count.to_bits() >> Self::SHIFT
    }

    fn of(&self, count: f32) -> f32 {
        let place = Self::place(count).saturating_sub(Self::place(Self::LEAST)) as usize;
        self.opacity[place.min(self.opacity.len() - 1)]
    }
}

fn over(under: Color32, sum: Sum, tones: &Tones) -> Color32 {
    let alpha = tones.of(sum[3]);
    let scale = alpha / sum[3];
    let top = [sum[0] * scale, sum[1] * scale, sum[2] * scale, 255.0 * alpha];
    let below = under.to_array();
    let [r, g, b, a]: [u8; 4] =
        std::array::from_fn(|part| (top[part] + f32::from(below[part]) * (1.0 - alpha) + 0.5) as i32 as u8);
    Color32::from_rgba_premultiplied(r, g, b, a)
}

/// The pixels of a viewport, in map units.
struct PixelGrid {
    left: f64,
    top: f64,
    /// Pixels per map unit, across and down.
    density: [f64; 2],
    size: [usize; 2],
}

impl PixelGrid {
    fn new(viewport: Viewport, size: [usize; 2]) -> Self {
        let area = viewport.area(0.0);
        let [width, height] = area.size();
        Self { left: area.min[0], top: area.max[1], density: [size[0] as f64 / width, size[1] as f64 / height], size }
    }

    fn pixel(&self, point: [f32; 2]) -> Option<[usize; 2]> {
        let x = (f64::from(point[0]) - self.left) * self.density[0];
        let y = (self.top - f64::from(point[1])) * self.density[1];
        let inside = x >= 0.0 && y >= 0.0 && x < self.size[0] as f64 && y < self.size[1] as f64;
        inside.then_some([x as usize, y as usize])
    }

    /// The box around some rows of pixels, with one pixel more on every side.
    fn area_of_rows(&self, rows: std::ops::Range<usize>) -> Area {
        let right = self.left + self.size[0] as f64 / self.density[0];
        let y_of = |row: f64| self.top - row / self.density[1];
        Area { min: [self.left, y_of(rows.end as f64 + 1.0)], max: [right, y_of(rows.start as f64 - 1.0)] }
    }
}

#[cfg(test)]
mod tests {
    use super::super::paint::{Greys, Mark};
    use super::super::view::View;
    use super::*;
    use egui::{Rect, pos2};

    const GREYS: Greys = Greys { ghost: Color32::GRAY, muted: Color32::GRAY };

    fn painted(index: &MapIndex, colours: &[Color32]) -> Painted {
        Painted::new(index, colours, &vec![Mark::Shown; colours.len()], &[], GREYS)
    }

    fn viewport(scale: f64) -> Viewport {
        View { centre: [0.0, 0.0], scale }.on(Rect::from_min_max(pos2(5.0, 5.0), pos2(25.0, 15.0)))
    }

    #[test]
    fn a_lone_point_is_seen_in_its_colour_at_its_place() {
        let index = MapIndex::build(&[[0.05, -0.05]]);
        let mut raster = Raster::default();
        raster.draw(
            &index,
            &painted(&index, &[Color32::from_rgb(200, 100, 0)]),
            &[Layer::Middle],
            viewport(10.0),
            1.0,
            0.5,
        );
        assert_eq!(raster.size, [20, 10]);
        let at = |x: usize, y: usize| raster.pixels[y * 20 + x];
        assert_eq!(at(10, 5), Color32::from_rgba_premultiplied(100, 50, 0, 128));
        assert_eq!(at(11, 5), Color32::from_rgba_premultiplied(50, 25, 0, 64));
        assert_eq!(at(11, 6), Color32::from_rgba_premultiplied(25, 13, 0, 32));
        assert_eq!(raster.pixels.iter().filter(|pixel| pixel.a() > 0).count(), 9);
    }

    #[test]
    fn the_upper_layer_covers_the_lower() {
        let index = MapIndex::build(&[[0.05, 0.05]; 3]);
        let marks = [Mark::Muted, Mark::Muted, Mark::Shown];
        let painted = Painted::new(&index, &[Color32::RED; 3], &marks, &[], GREYS);
        let mut raster = Raster::default();
        raster.draw(&index, &painted, &[Layer::Back, Layer::Middle], viewport(10.0), 1.0, 1.0);
        assert_eq!(raster.pixels[4 * 20 + 10], Color32::RED);
    }

    #[test]
    fn no_points_leave_the_picture_empty_also_at_odd_sizes() {
        let index = MapIndex::build(&[]);
        let mut raster = Raster::default();
        let flat = View { centre: [0.0, 0.0], scale: 1.0 }.on(Rect::from_min_max(pos2(0.0, 0.0), pos2(0.0, 0.0)));
        raster.draw(&index, &painted(&index, &[]), &Layer::ALL, flat, 1.0, 0.5);
        assert_eq!(raster.size, [1, 1]);
        assert!(raster.pixels.iter().all(|pixel| *pixel == Color32::TRANSPARENT));
    }

    #[test]
    fn more_points_are_more_opaque_up_to_the_fullest_pixel() {
        let tones = Tones::new(0.4, 1000.0);
        let counts: Vec<f32> = (1..=2000).map(|quarters| 0.25 * quarters as f32).collect();
        assert!(counts.windows(2).all(|pair| tones.of(pair[0]) <= tones.of(pair[1])));
        assert_eq!((tones.of(0.25), tones.of(1.0)), (0.1, 0.4));
        assert!((tones.of(100.0) - 0.8).abs() < 0.01, "two thirds of the way to a thousand: {}", tones.of(100.0));
        assert!(tones.of(999.0) > 0.98 && tones.of(1e6) <= 1.0);
    }
}
