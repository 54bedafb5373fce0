//! Pictures for reports and exports, as SVG and PNG.

mod charts;
mod curves;
mod map;
mod svg;

pub use charts::{Bar, confusion, histogram, horizontal_bars};
pub use curves::{Curve, CurvePanel, CurvePoint, CurvesFigure, Series, curves};
pub use map::{MapFigure, RASTER_ABOVE, map};

use resvg::{tiny_skia, usvg};
use std::sync::{Arc, OnceLock};

/// Regular and semibold of Inter (SIL Open Font License, see `assets/fonts/OFL.txt`).
const FONTS: [&[u8]; 2] = [
    include_bytes!("../../../assets/fonts/Inter-Regular.otf"),
    include_bytes!("../../../assets/fonts/Inter-SemiBold.otf"),
];

/// A finished picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    svg: String,
}

/// A picture that could not be turned into pixels.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// The drawing is not valid.
    #[error("the picture could not be drawn: {0}")]
    Drawing(#[from] usvg::Error),
    /// The wanted size is zero or too large for memory.
    #[error("a picture {0} pixels wide cannot be made; try 500 to 10 000")]
    Size(u32),
    /// The pixels could not be packed.
    #[error("the picture could not be packed as PNG: {0}")]
    Packing(String),
}

impl Figure {
    /// The picture as SVG.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The picture as PNG, `width` pixels wide. Text is drawn with the bundled font, the same on every machine.
    ///
    /// # Errors
    /// [`FigureError`] when the size is impossible.
    pub fn png(&self, width: u32) -> Result<Vec<u8>, FigureError> {
        let options = usvg::Options { fontdb: fonts(), font_family: "Inter".to_owned(), ..usvg::Options::default() };
        let tree = usvg::Tree::from_str(&self.svg, &options)?;
        let scale = width as f32 / tree.size().width();
        let height = (tree.size().height() * scale).ceil() as u32;
        if width > 20_000 || height > 20_000 {
            return Err(FigureError::Size(width));
        }
        let mut pixels = tiny_skia::Pixmap::new(width, height).ok_or(FigureError::Size(width))?;
        resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
        pixels.encode_png().map_err(|cause| FigureError::Packing(cause.to_string()))
    }
}

fn fonts() -> Arc<usvg::fontdb::Database> {
    static LOADED: OnceLock<Arc<usvg::fontdb::Database>> = OnceLock::new();
    let load = || {
        let mut database = usvg::fontdb::Database::new();
        FONTS.iter().for_each(|font| database.load_font_data(font.to_vec()));
        Arc::new(database)
    };
    LOADED.get_or_init(load).clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::colour::LegendEntry;

    /// How many pixels of the left half are not white.
    fn drawn(png: &[u8]) -> usize {
        let pixels = tiny_skia::Pixmap::decode_png(png).unwrap();
        let left = (0..pixels.width() / 2).flat_map(|x| (0..pixels.height()).map(move |y| (x, y)));
        left.filter_map(|(x, y)| pixels.pixel(x, y)).filter(|pixel| pixel.red() < 255).count()
    }

    fn small_map(n: usize) -> Figure {
        let points: Vec<[f32; 2]> = (0..n).map(|i| [(i % 200) as f32, (i / 200) as f32]).collect();
        let colours = vec![[0, 114, 178]; n];
        let legend = [LegendEntry { name: "<Apis> & \u{0}others".to_owned(), colour: [0, 114, 178], count: n }];
        map(&MapFigure {
            title: "A map",
            subtitle: "n points",
            details: "k: 5 & more",
            points: &points,
            colours: &colours,
            legend_title: "genus",
            legend: &legend,
        })
    }

    #[test]
    fn names_from_files_cannot_break_the_drawing() {
        let figure = small_map(3);
        assert!(figure.svg().contains("&lt;Apis&gt; &amp;"));
        assert!(figure.svg().contains("<desc>k: 5 &amp; more</desc>"));
        assert!(figure.png(400).is_ok());
        assert!(matches!(figure.png(0), Err(FigureError::Size(0))));
        assert!(matches!(figure.png(1_000_000), Err(FigureError::Size(1_000_000))));
    }

    #[test]
    fn many_points_become_one_raster_and_few_stay_shapes() {
        let (few, many) = (small_map(200), small_map(RASTER_ABOVE + 1));
        assert_eq!(few.svg().matches("<circle").count(), 201, "one of them in the legend");
        assert_eq!(many.svg().matches("<circle").count(), 1);
        assert_eq!(many.svg().matches("<image").count(), 1);
        let [empty, full] = [small_map(0), many].map(|figure| drawn(&figure.png(800).unwrap()));
        assert!(full > empty + 10_000, "the raster is drawn: {full} pixels, {empty} without points");
    }

    #[test]
    fn an_empty_map_and_a_single_point_are_drawn() {
        for n in [0, 1] {
            assert!(small_map(n).png(300).is_ok());
        }
        let stacked = MapFigure {
            title: "",
            subtitle: "",
            details: "",
            points: &[[1.0, 1.0], [f32::NAN, 0.0]],
            colours: &[[0; 3]; 2],
            legend_title: "",
            legend: &[],
        };
        let figure = map(&stacked);
        assert_eq!(figure.svg().matches("<circle").count(), 1, "a point without a place is left out");
        assert!(!figure.svg().contains("NaN"));
    }

    #[test]
    fn charts_show_their_numbers() {
        let bars = [
            Bar { name: "model".into(), value: 0.747, interval: Some([0.73, 0.76]), note: "74.7 %".into() },
            Bar { name: "6-mers".into(), value: 0.712, interval: None, note: "71.2 %".into() },
        ];
        let chart = horizontal_bars("Genus", "n = 3 893", &bars, 1.0);
        assert!(chart.svg().contains("74.7 %") && chart.svg().contains("6-mers"));
        let lengths: Vec<usize> = (0..500).map(|i| 400 + i % 259).collect();
        let chart = histogram("Lengths", "bases", &lengths, 20);
        assert!(chart.svg().matches("<rect").count() > 15);
        assert!(histogram("Lengths", "bases", &[], 20).png(300).is_ok());
        let names = ["a".to_owned(), "b".to_owned()];
        let chart = confusion("Confusion", "", &names, &[vec![5, 1], vec![0, 7]]);
        assert!(chart.svg().contains(">7<") && chart.png(300).is_ok());
    }
}
