//! The pictures of a point and of a ring, drawn for the pixels of the screen.

use egui::{Color32, ColorImage, Context, TextureHandle, TextureId, TextureOptions, Vec2, vec2};

/// A round mark of one size as a small white texture with a soft rim. A vertex colour gives it its colour.
pub(super) struct Sprite {
    texture: TextureHandle,
    /// Distance from the centre, in points, at which nothing is left of the mark.
    reach: f32,
    /// Half the width of the texture, in points.
    half: f32,
}

/// What decides how a sprite looks: in pixels, outer and inner radius, and its opacity.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub(super) outer: f32,
    /// 0 for a disc.
    pub(super) inner: f32,
    pub(super) opacity: f32,
}

impl Sprite {
    pub(super) fn new(context: &Context, name: &str, look: Look) -> Self {
        let image = look.picture();
        let half = 0.5 * image.size[0] as f32 / context.pixels_per_point();
        let reach = (look.outer + 1.0) / context.pixels_per_point();
        Self { texture: context.load_texture(name, image, TextureOptions::LINEAR), reach, half }
    }

    pub(super) fn texture(&self) -> TextureId {
        self.texture.id()
    }

    /// Corners of the triangle around the mark, relative to its centre in points, and their places in the texture. A triangle
    /// has a quarter fewer corners than a square; beyond the texture's transparent rim there is nothing to see.
    pub(super) fn triangle(&self, zoom: f32) -> [(Vec2, Vec2); 3] {
        let far = 2.0 * self.reach;
        let (sine, cosine) = (60_f32.to_radians().sin(), 60_f32.to_radians().cos());
        [vec2(0.0, -far), vec2(far * sine, far * cosine), vec2(-far * sine, far * cosine)]
            .map(|corner| (corner * zoom, vec2(0.5, 0.5) + corner / (2.0 * self.half)))
    }

    pub(super) fn reach(&self) -> f32 {
        self.reach
    }
}

impl Look {
    /// How much of the pixel at this distance from the centre the mark covers.
    fn coverage(self, distance: f32) -> f32 {
        let within = |radius: f32| (radius + 0.5 - distance).clamp(0.0, 1.0);
        let hole = if self.inner > 0.0 { within(self.inner) } else { 0.0 };
        (within(self.outer) - hole).max(0.0)
    }

    fn picture(self) -> ColorImage {
        let half = (self.outer + 0.5).ceil() as usize + 1;
        let size = 2 * half;
        let pixel = |place: usize| {
            let offset = |at: usize| at as f32 + 0.5 - half as f32;
            let distance = offset(place % size).hypot(offset(place / size));
            let level = (255.0 * self.opacity * self.coverage(distance)).round() as u8;
            Color32::from_rgba_premultiplied(level, level, level, level)
        };
        ColorImage::new([size, size], (0..size * size).map(pixel).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rim_of_the_picture_is_clear_and_its_area_right() {
        for outer in [1.5, 3.0, 7.25] {
            let disc = Look { outer, inner: 0.0, opacity: 1.0 }.picture();
            let [width, height] = disc.size;
            let rim = (0..width * height).filter(|at| at % width == 0 || at / width == 0 || at / width == height - 1);
            assert!(rim.into_iter().all(|at| disc.pixels[at].a() == 0), "radius {outer}");
            let area: f32 = disc.pixels.iter().map(|pixel| f32::from(pixel.a()) / 255.0).sum();
            let exact = std::f32::consts::PI * outer * outer;
            assert!((area / exact - 1.0).abs() < 0.15, "radius {outer}: {area} pixels, {exact} wanted");
        }
    }

    #[test]
    fn a_ring_is_open_in_the_middle() {
        let look = Look { outer: 6.0, inner: 4.0, opacity: 1.0 };
        assert_eq!((look.coverage(0.0), look.coverage(5.0), look.coverage(8.0)), (0.0, 1.0, 0.0));
    }
}
