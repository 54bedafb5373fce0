//! Bars, histograms and confusion matrices.

use super::Figure;
use super::svg::{Anchor, Canvas, INK, LINE, MARK, QUIET, fitted, thousands};
use crate::pipeline::colour::Rgb;

/// One bar of [`horizontal_bars`].
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What it stands for.
    pub name: String,
    /// Its length, in the unit of the chart.
    pub value: f64,
    /// Ends of its interval.
    pub interval: Option<[f64; 2]>,
    /// The number as it is to be read.
    pub note: String,
}

const NAMES: f64 = 220.0;
const BAR: f64 = 22.0;

/// Bars from left to right, one per line, over a range from 0 to `most`.
pub fn horizontal_bars(title: &str, subtitle: &str, bars: &[Bar], most: f64) -> Figure {
    let mut canvas = Canvas::new(900.0, 100.0 + bars.len() as f64 * (BAR + 12.0));
    canvas.title(title, subtitle);
    let room = canvas.width - NAMES - 190.0;
    let length = |value: f64| if most > 0.0 { room * (value / most).clamp(0.0, 1.0) } else { 0.0 };
    for (index, bar) in bars.iter().enumerate() {
        let y = 84.0 + index as f64 * (BAR + 12.0);
        canvas.text([NAMES, y + 16.0], &fitted(&bar.name, NAMES - 30.0), INK, Anchor::End);
        canvas.rectangle([NAMES + 12.0, y], [length(bar.value), BAR], MARK);
        let mut end = length(bar.value);
        if let Some(ends) = bar.interval {
            let [low, high] = ends.map(|value| NAMES + 12.0 + length(value));
            canvas.line([low, y + BAR / 2.0], [high, y + BAR / 2.0], INK);
            for at in [low, high] {
                canvas.line([at, y + BAR / 2.0 - 5.0], [at, y + BAR / 2.0 + 5.0], INK);
            }
            end = end.max(length(ends[1]));
        }
        canvas.text([NAMES + 20.0 + end, y + 16.0], &bar.note, QUIET, Anchor::Start);
    }
    Figure { svg: canvas.finish() }
}

/// How many of `values` fall into each of `bins` equal ranges.
pub fn histogram(title: &str, unit: &str, values: &[usize], bins: usize) -> Figure {
    let mut canvas = Canvas::new(760.0, 380.0);
    canvas.title(title, &format!("n = {}", thousands(values.len())));
    let (left, top, width, height) = (60.0, 84.0, 670.0, 236.0);
    canvas.line([left, top + height], [left + width, top + height], LINE);
    if let (Some(&low), Some(&high)) = (values.iter().min(), values.iter().max()) {
        let span = (high - low + 1).div_ceil(bins.max(1)).max(1);
        let mut counts = vec![0; (high - low) / span + 1];
        values.iter().for_each(|value| counts[(value - low) / span] += 1);
        let most = counts.iter().copied().max().unwrap_or(0).max(1);
        let step = width / counts.len() as f64;
        for (index, &count) in counts.iter().enumerate() {
            let bar = height * count as f64 / most as f64;
            canvas.rectangle([left + step * index as f64 + 0.5, top + height - bar], [step - 1.0, bar], MARK);
        }
        canvas.text([left, top + height + 20.0], &thousands(low), QUIET, Anchor::Start);
        canvas.text([left + width, top + height + 20.0], &thousands(high), QUIET, Anchor::End);
        canvas.text([left - 8.0, top + 10.0], &thousands(most), QUIET, Anchor::End);
    }
    canvas.text([left + width / 2.0, top + height + 40.0], unit, QUIET, Anchor::Middle);
    Figure { svg: canvas.finish() }
}

/// True classes in rows, predicted classes in columns; `counts[truth][predicted]`. Right calls are blue, wrong ones red.
///
/// # Panics
/// When `counts` is not square with one row per name.
pub fn confusion(title: &str, subtitle: &str, names: &[String], counts: &[Vec<usize>]) -> Figure {
    assert!(counts.len() == names.len() && counts.iter().all(|row| row.len() == names.len()), "a square of names");
    let cell = 30.0;
    let side = cell * names.len() as f64;
    let (left, top) = (220.0, 100.0);
    let mut canvas = Canvas::new((left + side + 60.0).max(560.0), top + side + 190.0);
    canvas.title(title, subtitle);
    for (truth, row) in counts.iter().enumerate() {
        let y = top + cell * truth as f64;
        canvas.text([left - 10.0, y + 20.0], &fitted(&names[truth], left - 40.0), INK, Anchor::End);
        let all: usize = row.iter().sum();
        for (predicted, &count) in row.iter().enumerate() {
            let share = if all == 0 { 0.0 } else { count as f64 / all as f64 };
            let x = left + cell * predicted as f64;
            canvas.rectangle([x, y], [cell - 1.0, cell - 1.0], shade(share, truth == predicted));
            if count > 0 {
                let ink = if share > 0.55 { [255; 3] } else { INK };
                canvas.text([x + cell / 2.0, y + 19.0], &count.to_string(), ink, Anchor::Middle);
            }
        }
    }
    canvas.text([left - 10.0, top - 12.0], "label", QUIET, Anchor::End);
    canvas.text([left, top - 12.0], "predicted, in the same order", QUIET, Anchor::Start);
    Figure { svg: canvas.finish() }
}

fn shade(share: f64, right: bool) -> Rgb {
    let (from, to): ([f64; 3], [f64; 3]) = if right {
        ([241.0, 246.0, 249.0], [10.0, 100.0, 140.0])
    } else {
        ([250.0, 247.0, 247.0], [179.0, 38.0, 30.0])
    };
    std::array::from_fn(|channel| (from[channel] + (to[channel] - from[channel]) * share).round() as u8)
}
