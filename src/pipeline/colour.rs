//! Colours of taxa and numbers, the same in the window and in exported pictures.
//!
//! A few groups get the palette of Okabe & Ito (2008), which colour-blind readers tell apart, without its vermilion: red means
//! "wrong" throughout the program. More groups share the circle of hues by their place in the hierarchy: an order owns a range,
//! its families and genera divide it, and neighbours differ in lightness. The circle is that of OKLCH (Ottosson 2020), where equal
//! steps look equal.

use crate::data::taxonomy::LabelColumn;

/// Red, green and blue, 0 to 255.
pub type Rgb = [u8; 3];

/// What a picture is drawn on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shade {
    /// Dark colours on white.
    Light,
    /// Light colours on black.
    Dark,
}

impl Shade {
    /// The grey of specimens without a label.
    pub fn unlabelled(self) -> Rgb {
        match self {
            Self::Light => [176, 182, 188],
            Self::Dark => [92, 99, 107],
        }
    }

    /// Colours for few groups.
    pub(in crate::pipeline) fn few(self) -> [Rgb; 7] {
        match self {
            Self::Light => [
                [0, 114, 178],
                [230, 159, 0],
                [0, 158, 115],
                [204, 121, 167],
                [86, 180, 233],
                [140, 109, 49],
                [200, 184, 0],
            ],
            Self::Dark => [
                [64, 156, 214],
                [240, 173, 30],
                [24, 184, 140],
                [222, 146, 188],
                [128, 205, 250],
                [186, 152, 88],
                [240, 228, 66],
            ],
        }
    }

    /// Lightness of neighbouring groups, in OKLCH.
    fn lightness(self) -> [f64; 3] {
        match self {
            Self::Light => [0.62, 0.48, 0.74],
            Self::Dark => [0.74, 0.62, 0.86],
        }
    }
}

/// Hues of taxa in degrees: the circle without red, which stands near 29 degrees.
const HUES: [f64; 2] = [55.0, 354.0];
const CHROMA: f64 = 0.14;

/// One colour per name of `labels`, indexed by code. `broader` are the columns of the ranks above, broadest first; without any,
/// names share the hues by size alone.
///
/// # Panics
/// When a broader column differs in length from `labels`.
pub fn palette(labels: &LabelColumn, broader: &[&LabelColumn], shade: Shade) -> Vec<Rgb> {
    let counts = labels.counts();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&code| (std::cmp::Reverse(counts[code]), code));
    if counts.len() <= shade.few().len() {
        let mut colours = vec![shade.unlabelled(); counts.len()];
        order.iter().zip(shade.few()).for_each(|(&code, colour)| colours[code] = colour);
        return colours;
    }
    let above: Vec<Vec<Option<u32>>> = broader.iter().map(|column| labels.majority_in(column)).collect();
    let leaves = order.into_iter().map(|code| Leaf {
        code,
        weight: (counts[code] as f64).sqrt(),
        path: above.iter().map(|taxa| taxa[code]).collect(),
    });
    let mut colours = vec![shade.unlabelled(); counts.len()];
    divide(leaves.collect(), 0, HUES, shade, &mut colours);
    colours
}

/// A name with its place in the hierarchy.
struct Leaf {
    code: usize,
    /// Share of the hues that it asks for: the root of its size, so that small taxa keep a visible part.
    weight: f64,
    path: Vec<Option<u32>>,
}

/// Divides a range of hues among the taxa of one rank, and each part among those below.
fn divide(leaves: Vec<Leaf>, depth: usize, [from, to]: [f64; 2], shade: Shade, colours: &mut [Rgb]) {
    let total: f64 = leaves.iter().map(|leaf| leaf.weight).sum();
    let width = |weight: f64| if total > 0.0 { (to - from) * weight / total } else { 0.0 };
    let mut at = from;
    if leaves.first().is_none_or(|leaf| depth == leaf.path.len()) {
        for (place, leaf) in leaves.iter().enumerate() {
            let hue = at + width(leaf.weight) / 2.0;
            at += width(leaf.weight);
            colours[leaf.code] = oklch(shade.lightness()[place % 3], CHROMA, hue);
        }
        return;
    }
    for part in by_taxon(leaves, depth) {
        let part_width = width(part.iter().map(|leaf| leaf.weight).sum());
        divide(part, depth + 1, [at, at + part_width], shade, colours);
        at += part_width;
    }
}

/// Leaves with the same taxon at this depth together, in the order in which the taxa first appear.
fn by_taxon(leaves: Vec<Leaf>, depth: usize) -> Vec<Vec<Leaf>> {
    let mut taxa: Vec<Option<u32>> = Vec::new();
    let mut parts: Vec<Vec<Leaf>> = Vec::new();
    for leaf in leaves {
        let taxon = leaf.path[depth];
        match taxa.iter().position(|&known| known == taxon) {
            Some(place) => parts[place].push(leaf),
            None => {
                taxa.push(taxon);
                parts.push(vec![leaf]);
            }
        }
    }
    parts
}

/// sRGB of a colour in OKLCH, with the chroma lowered until it can be shown.
fn oklch(lightness: f64, chroma: f64, hue_degrees: f64) -> Rgb {
    let hue = hue_degrees.to_radians();
    let steps = (0..=20).map(|step| chroma * (1.0 - f64::from(step) / 20.0));
    let shown = steps.map(|chroma| linear_rgb(lightness, chroma * hue.cos(), chroma * hue.sin()));
    let fits = |linear: &[f64; 3]| linear.iter().all(|channel| (-1e-6..=1.000_001).contains(channel));
    shown.into_iter().find(fits).unwrap_or([lightness.powi(3); 3]).map(|channel| {
        let channel = channel.clamp(0.0, 1.0);
        let encoded = if channel <= 0.003_130_8 { 12.92 * channel } else { 1.055 * channel.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0).round() as u8
    })
}

/// Linear sRGB of an OKLab colour; the matrices are those of its definition (Ottosson 2020).
fn linear_rgb(lightness: f64, a: f64, b: f64) -> [f64; 3] {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ]
}

/// The colour of a number as a share of its range, 0 to 1: viridis (Smith & van der Walt 2015).
pub fn ramp(share: f32) -> Rgb {
    use colorgrad::Gradient;
    let [red, green, blue, _] = colorgrad::preset::viridis().at(share.clamp(0.0, 1.0)).to_rgba8();
    [red, green, blue]
}

/// One line of a legend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegendEntry {
    /// The name, or what sums up the rest.
    pub name: String,
    /// Its colour.
    pub colour: Rgb,
    /// Specimens.
    pub count: usize,
}

/// The legend of a column: its `most` largest names, then one line for all others, then one for specimens without a label.
///
/// # Panics
/// When `colours` has no entry for a code.
pub fn legend(labels: &LabelColumn, colours: &[Rgb], most: usize, shade: Shade) -> Vec<LegendEntry> {
    let counts = labels.counts();
    let mut codes: Vec<usize> = (0..counts.len()).collect();
    codes.sort_by_key(|&code| (std::cmp::Reverse(counts[code]), code));
    let (listed, rest) = codes.split_at(most.min(codes.len()));
    let entry =
        |&code: &usize| LegendEntry { name: labels.names()[code].clone(), colour: colours[code], count: counts[code] };
    let summed = |name: String, count: usize| LegendEntry { name, colour: shade.unlabelled(), count };
    let others =
        summed(format!("{} others, each in its own colour", rest.len()), rest.iter().map(|&c| counts[c]).sum());
    let missing = summed("no label".to_owned(), labels.len() - labels.labelled());
    let summary = [others, missing].into_iter().filter(|line| line.count > 0);
    listed.iter().map(entry).chain(summary).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(names: &[String]) -> LabelColumn {
        LabelColumn::from_labels(names.iter().map(|name| Some(name.as_str())))
    }

    fn numbered(prefix: &str, n: usize) -> Vec<String> {
        (0..n).map(|i| format!("{prefix}{i}")).collect()
    }

    /// Hue in OKLCH degrees, by the inverse of the definition's matrices.
    fn hue(colour: Rgb) -> f64 {
        let [r, g, b] = colour.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
        let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
        let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
        let a = 1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s;
        let b = 0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s;
        b.atan2(a).to_degrees().rem_euclid(360.0)
    }

    #[test]
    fn known_colours_come_out_of_oklch() {
        // White, and the primary green and blue of sRGB (lightness, chroma and hue as CSS Color 4 gives them).
        assert_eq!(oklch(1.0, 0.0, 0.0), [255, 255, 255]);
        let near = |a: Rgb, b: Rgb| a.iter().zip(b).all(|(x, y)| x.abs_diff(y) <= 2);
        assert!(near(oklch(0.866_44, 0.294_8, 142.495), [0, 255, 0]));
        assert!(near(oklch(0.452_01, 0.313_2, 264.052), [0, 0, 255]));
    }

    #[test]
    fn few_groups_are_told_apart_and_the_largest_come_first() {
        let names: Vec<String> = ["b", "a", "a", "c"].map(str::to_owned).to_vec();
        let labels = column(&names);
        let colours = palette(&labels, &[], Shade::Light);
        assert_eq!(colours, [[230, 159, 0], [0, 114, 178], [0, 158, 115]], "a is the largest");
        assert!(palette(&column(&[]), &[], Shade::Dark).is_empty());
    }

    #[test]
    fn thousands_of_taxa_keep_their_orders_apart_and_none_is_red() {
        let species = numbered("species", 3000);
        let orders: Vec<String> = (0..3000).map(|i| format!("order{}", i % 10)).collect();
        let (species, orders) = (column(&species), column(&orders));
        for shade in [Shade::Light, Shade::Dark] {
            let colours = palette(&species, &[&orders], shade);
            let distinct: std::collections::HashSet<Rgb> = colours.iter().copied().collect();
            assert!(distinct.len() > 600, "only {} colours", distinct.len());
            let mut ranges = [[f64::MAX, f64::MIN]; 10];
            for (code, &colour) in colours.iter().enumerate() {
                let hue = hue(colour);
                assert!(!(5.0..50.0).contains(&hue), "{colour:?} looks red");
                let range = &mut ranges[code % 10];
                *range = [range[0].min(hue), range[1].max(hue)];
            }
            ranges.sort_by(|a, b| a[0].total_cmp(&b[0]));
            for pair in ranges.windows(2) {
                assert!(pair[0][1] < pair[1][0] + 4.0, "orders overlap: {pair:?}");
            }
        }
    }

    #[test]
    fn the_legend_sums_up_what_it_does_not_list() {
        let labels = LabelColumn::from_labels([
            Some("a"),
            Some("a"),
            Some("b"),
            Some("c"),
            None,
            Some("d"),
            Some("d"),
            Some("d"),
        ]);
        let colours = palette(&labels, &[], Shade::Light);
        let lines = legend(&labels, &colours, 2, Shade::Light);
        let text: Vec<(&str, usize)> = lines.iter().map(|line| (line.name.as_str(), line.count)).collect();
        assert_eq!(text, [("d", 3), ("a", 2), ("2 others, each in its own colour", 2), ("no label", 1)]);
    }

    #[test]
    fn the_ramp_goes_from_dark_to_light() {
        let brightness = |colour: Rgb| colour.iter().map(|&channel| u32::from(channel)).sum::<u32>();
        assert!(brightness(ramp(0.0)) < brightness(ramp(0.5)) && brightness(ramp(0.5)) < brightness(ramp(1.0)));
        assert_eq!(ramp(-3.0), ramp(0.0));
    }
}
