//! Bar charts: lengths that can be compared at a glance, with the numbers beside them.

use crate::ui::{theme, words};
use egui::{Align2, Rect, Response, Role, Sense, TextStyle, Ui, Vec2, WidgetInfo, pos2, vec2};

/// One bar of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// What is counted.
    pub name: String,
    /// How many.
    pub count: usize,
}

/// A list of bars as long as their share of `total`, names at the left, counts at the right.
/// Returns the index of the bar that was clicked.
pub fn list(ui: &mut Ui, bars: &[Bar], total: usize, hint: &str) -> Option<usize> {
    let mut clicked = None;
    let counts = 2.0 * theme::NAME_COLUMN / 3.0;
    for (index, bar) in bars.iter().enumerate() {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), theme::ROW), Sense::click());
        let share = if total == 0 { 0.0 } else { bar.count as f32 / total as f32 };
        draw(ui, rect, bar, share, counts, &response);
        let label = format!("{}: {}", bar.name, words::count(bar.count));
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label));
        let part = format!("{label} ({})\n{hint}", words::percent(f64::from(share)));
        if response.on_hover_text(part).clicked() {
            clicked = Some(index);
        }
    }
    clicked
}

fn draw(ui: &Ui, rect: Rect, bar: &Bar, share: f32, counts: f32, response: &Response) {
    let tokens = theme::tokens(ui);
    let painter = ui.painter();
    if response.hovered() || response.has_focus() {
        painter.rect_filled(rect, theme::RADIUS, tokens.control[0]);
    }
    let names = (rect.width() * 0.4).min(1.6 * theme::NAME_COLUMN);
    let font = TextStyle::Body.resolve(ui.style());
    let name = painter.with_clip_rect(Rect::from_min_size(rect.min, vec2(names - theme::GAP, rect.height())));
    name.text(rect.left_center(), Align2::LEFT_CENTER, &bar.name, font.clone(), tokens.text);
    let track = Rect::from_min_max(
        pos2(rect.left() + names, rect.center().y - theme::BAR / 2.0),
        pos2(rect.right() - counts, rect.center().y + theme::BAR / 2.0),
    );
    painter.rect_filled(track, 0.0, tokens.bars[1]);
    painter.rect_filled(
        Rect::from_min_size(track.min, vec2(track.width() * share, track.height())),
        0.0,
        tokens.bars[0],
    );
    painter.text(rect.right_center(), Align2::RIGHT_CENTER, words::count(bar.count), font, tokens.text);
}

/// Counts of values in bins of equal width.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// Where the first bin begins.
    pub start: usize,
    /// Width of a bin.
    pub width: usize,
    /// How many values fall into each.
    pub counts: Vec<usize>,
}

impl Histogram {
    /// Counts `values` in at most `bins` bins, whose width is 1, 2 or 5 times a power of ten.
    pub fn of(values: impl Iterator<Item = usize> + Clone, bins: usize) -> Self {
        let (Some(least), Some(most)) = (values.clone().min(), values.clone().max()) else { return Self::default() };
        let width = nice_width((most - least) / bins.max(1) + 1);
        let start = least / width * width;
        let mut counts = vec![0; (most - start) / width + 1];
        values.for_each(|value| counts[(value - start) / width] += 1);
        Self { start, width, counts }
    }

    /// The range of bin `index`, both ends included.
    pub fn range(&self, index: usize) -> [usize; 2] {
        let first = self.start + index * self.width;
        [first, first + self.width - 1]
    }
}

fn nice_width(least: usize) -> usize {
    let mut power = 1;
    loop {
        for factor in [1, 2, 5] {
            if factor * power >= least {
                return factor * power;
            }
        }
        power *= 10;
    }
}

/// Draws a histogram; `unit` names what the horizontal axis counts. Returns the bin that was clicked.
pub fn histogram(ui: &mut Ui, histogram: &Histogram, name: &str, unit: &str) -> Option<usize> {
    let tokens = theme::tokens(ui);
    let size = vec2(ui.available_width(), theme::CHART);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
    let most = histogram.counts.iter().copied().max().filter(|&most| most > 0)?;
    let axis = ui.text_style_height(&TextStyle::Small) + theme::GRID;
    let plot = Rect::from_min_max(rect.min, pos2(rect.right(), rect.bottom() - axis));
    let bin_width = plot.width() / histogram.counts.len() as f32;
    let hovered = response
        .hover_pos()
        .filter(|at| plot.contains(*at))
        .map(|at| (((at.x - plot.left()) / bin_width) as usize).min(histogram.counts.len() - 1));
    for (index, &count) in histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        // A bin that holds anything is seen, however little it is.
        let height = (plot.height() * count as f32 / most as f32).max(2.0 * theme::HAIRLINE);
        let left = plot.left() + index as f32 * bin_width;
        let bar = Rect::from_min_max(
            pos2(left, plot.bottom() - height),
            pos2(left + (bin_width - theme::HAIRLINE).max(theme::HAIRLINE), plot.bottom()),
        );
        let fill = if hovered == Some(index) { tokens.accent } else { tokens.bars[0] };
        ui.painter().rect_filled(bar, 0.0, fill);
    }
    ui.painter().hline(plot.x_range(), plot.bottom(), (theme::HAIRLINE, tokens.line));
    let [first, _] = histogram.range(0);
    let [_, last] = histogram.range(histogram.counts.len() - 1);
    let font = TextStyle::Small.resolve(ui.style());
    for (at, align, text) in [
        (rect.left_bottom(), Align2::LEFT_BOTTOM, words::count(first)),
        (rect.center_bottom(), Align2::CENTER_BOTTOM, unit.to_owned()),
        (rect.right_bottom(), Align2::RIGHT_BOTTOM, words::count(last)),
    ] {
        ui.painter().text(at, align, text, font.clone(), tokens.quiet);
    }
    if let Some(index) = hovered {
        let [first, last] = histogram.range(index);
        let count = words::counted(histogram.counts[index], "specimen", "specimens");
        let text = format!("{} to {} {unit}: {count}", words::count(first), words::count(last));
        let clicked = response.clicked();
        response.on_hover_text_at_pointer(text);
        return clicked.then_some(index);
    }
    None
}

/// A square of colour, as legends have it.
pub fn swatch(ui: &mut Ui, colour: egui::Color32) {
    let (rect, _) = ui.allocate_exact_size(Vec2::splat(theme::SMALL), Sense::hover());
    ui.painter().rect_filled(rect, theme::RADIUS / 2, colour);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_once_in_the_bin_whose_range_holds_it() {
        let values = [658, 658, 400, 399, 1545, 657];
        let histogram = Histogram::of(values.into_iter(), 40);
        assert_eq!(histogram.counts.iter().sum::<usize>(), values.len());
        assert!(histogram.counts.len() <= 41 && histogram.width == 50, "{histogram:?}");
        for (index, &count) in histogram.counts.iter().enumerate() {
            let [first, last] = histogram.range(index);
            assert_eq!(count, values.iter().filter(|value| (first..=last).contains(*value)).count());
        }
    }

    #[test]
    fn one_value_and_none_are_histograms_too() {
        assert_eq!(Histogram::of([7].into_iter(), 10), Histogram { start: 7, width: 1, counts: vec![1] });
        assert_eq!(Histogram::of(std::iter::empty(), 10), Histogram::default());
    }
}
