//! Reading under masking: what is tried at the left, curves and table at the right.

use super::legend::{self, Hidden};
use super::{ask, models, start};
use crate::data::masking::MaskMode;
use crate::jobs::MaskedReadings;
use crate::pipeline::figure::CurvePoint;
use crate::pipeline::masking::{DRAWN, KMER, MAX_RATIO, MaskingPoint, MaskingSettings};
use crate::session::columns::{Sorting, order};
use crate::session::masking::{LabCommand, LabWork};
use crate::ui::scope::Scope;
use crate::ui::theme::{self, Tokens};
use crate::ui::widgets::curves::{CurveLine, Curves};
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::words;
use egui::{CollapsingHeader, DragValue, Frame, Grid, Panel, RichText, ScrollArea, TextEdit, Ui, vec2};
use egui_plot::LineStyle;
use std::cmp::Ordering;
use std::sync::Arc;

const COLUMNS: [TableColumn; 7] = [
    TableColumn::text("model", 150.0, "Who reads"),
    TableColumn::text("mode", 80.0, "What stands where a k-mer is masked"),
    TableColumn::number("masked", 60.0, "Share of the k-mers that is masked"),
    TableColumn::text("measure", 170.0, "What was measured"),
    TableColumn::number("value", 80.0, "Mean of the mask draws"),
    TableColumn::number("95 % interval", 130.0, "Mean of the draws' intervals, by bootstrap over species"),
    TableColumn::number("n", 60.0, "Queries"),
];
/// Rows of the table that are shown at once.
const ROWS: f32 = 12.0;
const ABOUT: &str = "Queries and references are masked alike, each barcode by its own draw, and read by each model. Shown is how \
                     many queries get their genus from the nearest reference, how well groups fit BINs, and how far embeddings drift \
                     from their unmasked selves. An untrained encoder (the floor) and 6-mer counts (the bar) are always measured, too.";

/// What the view remembers from frame to frame.
#[derive(Default)]
pub(super) struct ReadingView {
    /// The ratios as they are being typed, which need not make sense yet.
    ratios: Option<String>,
    hidden: Hidden,
    sorting: Option<Sorting>,
    derived: Option<Derived>,
}

/// What is made of the readings once.
struct Derived {
    of: Arc<MaskedReadings>,
    key: (bool, Hidden, Option<Sorting>),
    /// Names of the models, in their order.
    models: Vec<String>,
    modes: Vec<MaskMode>,
    panels: Vec<Panelled>,
    /// Points in the order of the table.
    rows: Vec<usize>,
}

struct Panelled {
    title: &'static str,
    hint: &'static str,
    range: [f64; 2],
    lines: Vec<CurveLine>,
}

impl ReadingView {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        Panel::left("readings").frame(Frame::NONE).resizable(false).exact_size(theme::FORM).show(ui, |ui| {
            ScrollArea::vertical().id_salt("readings form").auto_shrink(false).show(ui, |ui| self.form(ui, scope));
        });
        let session = scope.session;
        let Some(readings) = session.lab.readings.shown() else {
            return start::empty(ui, scope, LabWork::Readings, "Measure", &session.lab.readings, ABOUT);
        };
        self.derive(ui, readings);
        ScrollArea::vertical().id_salt("readings").auto_shrink(false).show(ui, |ui| self.results(ui, readings));
    }

    fn form(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        ui.set_max_width(theme::FORM - theme::GROUP_GAP);
        models::several(ui, scope);
        ui.separator();
        let before = &scope.session.lab.reading;
        let mut settings = before.clone();
        self.ratios(ui, &mut settings);
        modes(ui, &mut settings);
        numbers(ui, &mut settings);
        if settings != *before {
            ask(scope, LabCommand::Set(Box::new(settings)));
        }
        ui.add_space(theme::GAP);
        let session = scope.session;
        start::controls(ui, scope, LabWork::Readings, "Measure", &session.lab.readings);
    }

    fn ratios(&mut self, ui: &mut Ui, settings: &mut MaskingSettings) {
        let hint = format!("Shares of the k-mers that are masked, 0 to {MAX_RATIO}, with commas");
        let label = ui.label("Masked shares").on_hover_text(&hint);
        let mut text = self
            .ratios
            .clone()
            .unwrap_or_else(|| settings.ratios.iter().map(f64::to_string).collect::<Vec<_>>().join(", "));
        let field = ui.add(TextEdit::singleline(&mut text).desired_width(f32::INFINITY)).labelled_by(label.id);
        if field.changed() {
            let shares: Result<Vec<f64>, _> = text.split(',').map(|share| share.trim().parse::<f64>()).collect();
            if let Ok(shares) = shares {
                settings.ratios = shares;
            }
            self.ratios = Some(text);
        }
        if field.lost_focus() {
            self.ratios = None;
        }
        field.on_hover_text(hint);
    }

    fn derive(&mut self, ui: &Ui, readings: &Arc<MaskedReadings>) {
        let key = (ui.visuals().dark_mode, self.hidden.clone(), self.sorting);
        if self.derived.as_ref().is_some_and(|derived| Arc::ptr_eq(&derived.of, readings) && derived.key == key) {
            return;
        }
        let points = &readings.points;
        let mut models: Vec<String> = Vec::new();
        let mut modes: Vec<MaskMode> = points.iter().map(|point| point.mode).collect();
        modes.sort_unstable();
        modes.dedup();
        for point in points {
            if !models.contains(&point.model) {
                models.push(point.model.clone());
            }
        }
        let tokens = theme::tokens(ui);
        let panels = DRAWN.iter().filter_map(|drawn| panelled(points, *drawn, &models, &modes, &self.hidden, tokens));
        let rows = match self.sorting {
            None => (0..points.len()).collect(),
            Some(Sorting { column, ascending }) => {
                order(0..points.len(), ascending, |&a, &b| compare(&points[a], &points[b], column))
            }
        };
        self.derived = Some(Derived { of: Arc::clone(readings), key, panels: panels.collect(), models, modes, rows });
    }

    fn results(&mut self, ui: &mut Ui, readings: &MaskedReadings) {
        let Some(derived) = &self.derived else { return };
        let tokens = theme::tokens(ui);
        let report = &readings.report;
        let draws = readings.points.iter().map(|point| point.draws).max().unwrap_or(0);
        ui.label(format!(
            "{} and {}; means over {}, bands are 95 % intervals",
            words::counted(report.queries, "query", "queries"),
            words::counted(report.references, "reference", "references"),
            words::counted(draws, "mask draw", "mask draws"),
        ));
        ui.horizontal_wrapped(|ui| {
            for (at, model) in derived.models.iter().enumerate() {
                let colour = legend::colour(tokens, model, at);
                self.hidden.entry(ui, model, &legend::title(model), colour, LineStyle::Solid);
            }
        });
        ui.horizontal_wrapped(|ui| {
            for mode in &derived.modes {
                let name = format!("{mode}: {}", mode.title());
                self.hidden.entry(ui, mode.key(), &name, tokens.quiet, legend::style(*mode));
            }
        });
        plots(ui, &derived.panels);
        let answer = table(ui, readings, derived, self.sorting);
        if answer.is_some() {
            self.sorting = answer;
        }
        CollapsingHeader::new("How this was measured").show(ui, |ui| {
            for note in &report.notes {
                ui.label(note);
            }
            ui.label(report.provenance.settings_line());
        });
        ui.label(RichText::new(report.provenance.caption()).small().color(tokens.quiet));
    }
}

/// Ways of reading, each with what it does.
fn modes(ui: &mut Ui, settings: &mut MaskingSettings) {
    ui.label("Where a k-mer is masked");
    for mode in MaskMode::ALL {
        let mut is_chosen = settings.modes.contains(&mode);
        if ui.checkbox(&mut is_chosen, mode.key()).on_hover_text(mode.title()).changed() {
            settings.modes.retain(|known| *known != mode);
            if is_chosen {
                settings.modes.push(mode);
            }
        }
        ui.label(RichText::new(explanation(mode)).small().color(theme::tokens(ui).quiet));
    }
}

fn explanation(mode: MaskMode) -> &'static str {
    match mode {
        MaskMode::Drop => "Nothing stands there: the model reads a barcode with holes, as one with missing bases.",
        MaskMode::Combined => "[MASK] stands there, and the embedding is the mean over all places.",
        MaskMode::Mask => {
            "[MASK] stands there, and the embedding is the mean over the masked places only: what the model fills in."
        }
    }
}

fn numbers(ui: &mut Ui, settings: &mut MaskingSettings) {
    Grid::new("readings numbers").num_columns(2).show(ui, |ui| {
        let mut row = |name: &str, hint: &str, value: &mut usize, most: usize| {
            let label = ui.label(name).on_hover_text(hint);
            ui.add(DragValue::new(value).range(1..=most).speed(0.5)).labelled_by(label.id).on_hover_text(hint);
            ui.end_row();
        };
        row("Mask draws", "Each with its own seed, from the program's seed on", &mut settings.seeds, 100);
        row(
            "Queries, at most",
            "Specimens whose genus is looked for; half of them of unseen species",
            &mut settings.queries,
            1_000_000,
        );
        row("References, at most", "Specimens that give their genus", &mut settings.references, 10_000_000);
    });
}

fn panelled(
    points: &[MaskingPoint],
    (task, metric, title): (&'static str, &'static str, &'static str),
    models: &[String],
    modes: &[MaskMode],
    hidden: &Hidden,
    tokens: &Tokens,
) -> Option<Panelled> {
    let of_metric: Vec<&MaskingPoint> =
        points.iter().filter(|point| (point.task, point.metric) == (task, metric)).collect();
    if of_metric.is_empty() {
        return None;
    }
    let mut lines = Vec::new();
    for (at, model) in models.iter().enumerate().filter(|(_, model)| hidden.shows(model)) {
        for &mode in modes.iter().filter(|mode| hidden.shows(mode.key())) {
            let own = of_metric.iter().filter(|point| point.model == *model && point.mode == mode);
            let points: Vec<CurvePoint> =
                own.map(|point| CurvePoint { x: point.ratio, y: point.mean, interval: point.ci95 }).collect();
            if !points.is_empty() {
                let name = format!("{}, {mode}", legend::title(model));
                lines.push(CurveLine {
                    name,
                    colour: legend::colour(tokens, model, at),
                    style: legend::style(mode),
                    points,
                });
            }
        }
    }
    let top = of_metric.iter().map(|point| point.ci95.map_or(point.mean, |[_, high]| high)).fold(0.2, f64::max);
    Some(Panelled { title, hint: hint(task), range: [0.0, top], lines })
}

fn hint(task: &str) -> &'static str {
    match task {
        "closed_world" => {
            "Share of the queries whose nearest reference is of their genus; the references have their species"
        }
        "open_world" => {
            "Share of the queries whose nearest reference is of their genus; no reference is of their species"
        }
        "held_out" => {
            "Share of the queries whose nearest reference is of their genus; every fifth specimen of the file is a query"
        }
        "drift" => {
            "Mean cosine distance of an embedding from that of the unmasked barcode: 0 for the same, about 1 for a stranger"
        }
        _ => {
            "Adjusted mutual information of groups and BINs: 1 for the same, about 0 by chance; the true number of BINs is told"
        }
    }
}

fn plots(ui: &mut Ui, panels: &[Panelled]) {
    let columns = if ui.available_width() < theme::WIDE_VIEW { 1 } else { 2 };
    let width = (ui.available_width() - theme::GAP * (columns - 1) as f32) / columns as f32;
    for row in panels.chunks(columns) {
        ui.horizontal(|ui| {
            for Panelled { title, hint, range, lines } in row {
                let right = lines.iter().flat_map(|line| &line.points).map(|point| point.x).fold(0.1, f64::max);
                let curves = Curves {
                    title,
                    hint,
                    x_title: "masked share",
                    x_range: [0.0, right],
                    y_range: *range,
                    lines,
                    dots: true,
                };
                curves.show(ui, vec2(width, 1.3 * theme::CHART));
            }
        });
    }
}

fn table(ui: &mut Ui, readings: &MaskedReadings, derived: &Derived, sorting: Option<Sorting>) -> Option<Sorting> {
    let table = Table {
        id: "readings table",
        name: "readings",
        columns: &COLUMNS,
        rows: derived.rows.len(),
        sorting,
        height: Some(ROWS * theme::ROW),
        current: None,
        scroll_to: None,
    };
    let answer = table.show(
        ui,
        |_| false,
        |ui, position, column| {
            ui.label(text(&readings.points[derived.rows[position]], column));
        },
    );
    answer.sorting
}

fn text(point: &MaskingPoint, column: usize) -> String {
    let number = |value: f64| if point.task == "drift" { format!("{value:.3}") } else { words::percent(value) };
    match column {
        0 => legend::title(&point.model),
        1 if point.model == KMER => "left out".to_owned(),
        1 => point.mode.to_string(),
        2 => point.ratio.to_string(),
        3 => measure(point).to_owned(),
        4 => number(point.mean),
        5 => match point.ci95 {
            None => "–".to_owned(),
            Some([low, high]) if point.task == "drift" => format!("{low:.3} to {high:.3}"),
            Some(ends) => words::interval(ends),
        },
        _ => words::count(point.n),
    }
}

fn measure(point: &MaskingPoint) -> &'static str {
    let drawn = DRAWN.iter().find(|(task, metric, _)| (point.task, point.metric) == (*task, *metric));
    drawn.map_or("BINs, AMI (threshold)", |(_, _, title)| title)
}

fn compare(a: &MaskingPoint, b: &MaskingPoint, column: usize) -> Ordering {
    let low = |point: &MaskingPoint| point.ci95.map_or(f64::NEG_INFINITY, |[low, _]| low);
    match column {
        0 => a.model.cmp(&b.model),
        1 => a.mode.cmp(&b.mode),
        2 => a.ratio.total_cmp(&b.ratio),
        3 => measure(a).cmp(measure(b)),
        4 => a.mean.total_cmp(&b.mean),
        5 => low(a).total_cmp(&low(b)),
        _ => a.n.cmp(&b.n),
    }
}
