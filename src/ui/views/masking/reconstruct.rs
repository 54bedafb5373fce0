//! Masked k-mers of a barcode and what a model guesses, and how often it is right along the barcode.

use super::{ask, barcode, models, start};
use crate::data::dataset::Dataset;
use crate::jobs::AlongBarcode;
use crate::pipeline::figure::CurvePoint;
use crate::pipeline::masking::MAX_RATIO;
use crate::pipeline::reconstruct::{PositionScore, Reconstruction};
use crate::session::Command;
use crate::session::masking::{LabCommand, LabWork, Offered};
use crate::ui::files::Purpose;
use crate::ui::scope::Scope;
use crate::ui::widgets::curves::{CurveLine, Curves, legend_entry};
use crate::ui::widgets::state;
use crate::ui::{theme, words};
use egui::{DragValue, RichText, ScrollArea, Slider, Ui, vec2};
use egui_plot::LineStyle;

/// What the view remembers from frame to frame.
#[derive(Default)]
pub(super) struct ReconstructView {
    /// The masked k-mer that was clicked: of which row, and which.
    chosen: Option<(usize, usize)>,
}

impl ReconstructView {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let offered = scope.session.lab_models();
        controls(ui, scope, &offered);
        ScrollArea::vertical().id_salt("reconstruction").auto_shrink(false).show(ui, |ui| {
            if scope.session.can_guess(&scope.session.lab_guesser()) == Some(false) {
                return no_guesses(ui, scope, &offered);
            }
            self.specimen(ui, scope, &offered);
            ui.add_space(theme::GAP);
            ui.separator();
            along(ui, scope);
        });
    }

    fn specimen(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, offered: &[Offered]) {
        let (Some(dataset), Some(row)) = (scope.dataset(), scope.session.selection.focus()) else {
            return choose_specimen(ui, scope);
        };
        let session = scope.session;
        if let Some(problem) = session.lab.guesses.problem() {
            if state::problem_box(ui, problem, Some("Try again")) {
                ask(scope, LabCommand::GuessAgain);
            }
            return others(ui, scope, offered);
        }
        // the guesses before stay until those of this specimen are there
        let Some(found) = session.lab.guesses.shown() else {
            ui.label("The model is guessing…");
            return;
        };
        let Some(shown) = found.barcodes.first() else {
            let id = dataset.id(row);
            let text =
                format!("The barcode of {id} is too short: at this share no k-mer would be masked, or none left.");
            ui.label(text);
            return;
        };
        facts(ui, dataset, shown, found.k);
        let masked = |at: usize| shown.tokens.get(at).is_some_and(|token| token.masked);
        let clicked = self.chosen.filter(|&(of, at)| of == shown.row && masked(at)).map(|(_, at)| at);
        let first = |wanted: Option<bool>| shown.tokens.iter().position(|token| token.is_right() == wanted);
        let chosen = clicked.or_else(|| first(Some(false))).or_else(|| first(Some(true)));
        if let Some(at) = barcode::show(ui, shown, found.k, chosen) {
            self.chosen = Some((shown.row, at));
        }
        if let Some(token) = chosen.and_then(|at| shown.tokens.get(at)) {
            barcode::guesses(ui, token);
        }
        ui.label(RichText::new(found.provenance.caption()).small().color(theme::tokens(ui).quiet));
    }
}

fn controls(ui: &mut Ui, scope: &mut Scope<'_>, offered: &[Offered]) {
    let mut mask = scope.session.lab.mask;
    ui.horizontal_wrapped(|ui| {
        if let Some(model) = models::one(ui, "Model", &scope.session.lab_guesser(), offered) {
            ask(scope, LabCommand::GuessWith(Some(model)));
        }
        if ui.button("Open a model…").on_hover_text("To let it guess").clicked() {
            scope.choose(Purpose::LabModel);
        }
    });
    // a line of its own: a slider would not break before the number that belongs to it
    ui.horizontal(|ui| {
        let label =
            ui.label("Masked share").on_hover_text("Share of the barcode's k-mers that is hidden from the model");
        let slider = Slider::new(&mut mask.ratio, 0.05..=MAX_RATIO).step_by(0.05).fixed_decimals(2);
        ui.add(slider).labelled_by(label.id);
        let label = ui.label("Seed").on_hover_text("Which k-mers are hidden: the same seed hides the same ones");
        ui.add(DragValue::new(&mut mask.seed.0).range(0..=u64::MAX).speed(0.05)).labelled_by(label.id);
        walk(ui, scope);
    });
    if mask != scope.session.lab.mask {
        ask(scope, LabCommand::Mask(mask));
    }
}

/// To the specimen before and after, in file order.
fn walk(ui: &mut Ui, scope: &mut Scope<'_>) {
    let (Some(dataset), Some(row)) = (scope.dataset(), scope.session.selection.focus()) else { return };
    let all = dataset.len();
    for (sign, name, to) in [("‹", "Specimen before", (row + all - 1) % all), ("›", "Specimen after", (row + 1) % all)]
    {
        let button = ui.button(sign).on_hover_text(name);
        button.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, name));
        if button.clicked() {
            scope.ask(Command::FocusOn(to));
        }
    }
}

fn choose_specimen(ui: &mut Ui, scope: &mut Scope<'_>) {
    ui.add_space(theme::GROUP_GAP);
    ui.vertical_centered(|ui| {
        ui.label("No specimen is chosen. Click one on the map, find one with / , or take the first one of the file.");
        if ui.button("Take the first specimen").clicked() {
            scope.ask(Command::FocusOn(0));
        }
    });
    ui.add_space(theme::GROUP_GAP);
}

/// A model that holds its encoder alone.
fn no_guesses(ui: &mut Ui, scope: &mut Scope<'_>, offered: &[Offered]) {
    let name = scope.session.title_of(&scope.session.lab_guesser());
    ui.add_space(theme::GAP);
    let text = format!(
        "{name} holds its encoder alone, as published masked autoencoders do: it turns barcodes into embeddings, and what would put \
         k-mers back is not in the file."
    );
    ui.label(text);
    others(ui, scope, offered);
}

/// Models that may guess, each with its button.
fn others(ui: &mut Ui, scope: &mut Scope<'_>, offered: &[Offered]) {
    let now = scope.session.lab_guesser();
    ui.add_space(theme::GAP);
    ui.label("These guess k-mers:");
    ui.horizontal_wrapped(|ui| {
        for other in offered.iter().filter(|other| other.source != now && other.guesses == Some(true)) {
            if ui.button(format!("Use {}", other.title)).on_hover_text(&other.about).clicked() {
                ask(scope, LabCommand::GuessWith(Some(other.source.clone())));
            }
        }
    });
    models::more(ui, scope);
}

fn facts(ui: &mut Ui, dataset: &Dataset, shown: &Reconstruction, k: usize) {
    let tokens = theme::tokens(ui);
    let (masked, right) = shown.score();
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(dataset.id(shown.row)).strong());
        let share = words::percent(right as f64 / masked.max(1) as f64);
        ui.label(format!("{masked} of {} {k}-mers masked, {right} guessed right ({share})", shown.tokens.len()));
        if shown.codons.is_empty() {
            ui.label(RichText::new("no place in the COI-5P frame, so no amino acids").color(tokens.quiet));
        } else {
            let (all, same) = shown.amino_acids();
            ui.label(format!("{same} of {all} amino acids stay as they are"));
        }
    });
    ui.horizontal_wrapped(|ui| {
        for (is_right, text) in [(true, " right "), (false, " wrong ")] {
            let (ink, behind) = barcode::verdict(tokens, is_right);
            ui.label(RichText::new(text).monospace().color(ink).background_color(behind));
        }
        let text =
            "above: the barcode; below masked k-mers: the best guess; then amino acids, X>Y where a guess changes one";
        ui.label(RichText::new(text).small().color(tokens.quiet));
    });
}

fn along(ui: &mut Ui, scope: &mut Scope<'_>) {
    let session = scope.session;
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new("Right guesses along the barcode").strong());
        let mut specimens = session.lab.specimens;
        let label = ui.label("over a sample of");
        let drag = DragValue::new(&mut specimens).range(1..=100_000).speed(1.0).update_while_editing(false);
        ui.add(drag).labelled_by(label.id);
        if specimens != session.lab.specimens {
            ask(scope, LabCommand::Sample(specimens));
        }
        ui.label("specimens");
        start::button(ui, scope, LabWork::Along, "Measure", &session.lab.along);
    });
    start::news(ui, scope, LabWork::Along, &session.lab.along);
    if let Some(along) = session.lab.along.shown() {
        course(ui, along);
    } else if session.lab.along.job().is_none() && session.lab.along.problem().is_none() {
        let text =
            "Shows where along the barcode the model is right, beside always guessing the most frequent k-mer there.";
        ui.label(RichText::new(text).color(theme::tokens(ui).quiet));
    }
}

fn course(ui: &mut Ui, along: &AlongBarcode) {
    let tokens = theme::tokens(ui);
    let (masked, right) = along.found.score();
    let interval = along.ci95.map_or_else(String::new, |ends| format!(", 95 % interval {}", words::interval(ends)));
    ui.label(format!(
        "{}: {} of {} masked k-mers of {} guessed right{interval}; the most frequent k-mer at each position, counted among these very \
         barcodes: {}",
        along.model,
        words::percent(right as f64 / masked.max(1) as f64),
        words::count(masked),
        words::counted(along.found.barcodes.len(), "barcode", "barcodes"),
        words::percent(along.bar()),
    ));
    let k = along.found.k as f64;
    let line = |name: &str, colour, style, value: fn(&PositionScore) -> f64| CurveLine {
        name: name.to_owned(),
        colour,
        style,
        points: along
            .scores
            .iter()
            .map(|score| CurvePoint { x: f64::from(score.position) * k, y: value(score), interval: None })
            .collect(),
    };
    let bar = "most frequent k-mer";
    let lines = [
        line(bar, tokens.quiet, LineStyle::dashed_dense(), PositionScore::bar),
        line(&along.model, tokens.series[0], LineStyle::Solid, PositionScore::accuracy),
    ];
    ui.horizontal_wrapped(|ui| {
        legend_entry(ui, &along.model, tokens.series[0], LineStyle::Solid);
        legend_entry(ui, bar, tokens.quiet, LineStyle::dashed_dense());
    });
    let last = along.scores.last().map_or(1.0, |score| f64::from(score.position) * k).max(1.0);
    let curves = Curves {
        title: "Share of right guesses by position",
        hint: "Of the masked k-mers that begin at this base, how many are guessed right",
        x_title: "first base of the k-mer",
        x_range: [0.0, last],
        y_range: [0.0, 1.0],
        lines: &lines,
        dots: false,
    };
    curves.show(ui, vec2(ui.available_width(), theme::CHART));
    ui.label(RichText::new(along.found.provenance.caption()).small().color(tokens.quiet));
}
