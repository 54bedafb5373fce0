//! The Classify view: how well names are found, by the model and by simpler means, and where they are wrong.

use super::{confusion, recommendation};
use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::jobs::Against;
use crate::pipeline::Method;
use crate::pipeline::classify::Classification;
use crate::session::columns::{Sorting, order};
use crate::session::confusion::Confusion;
use crate::session::export::Exported;
use crate::session::ordering::{SortKey, order_by};
use crate::session::selection::Rows;
use crate::session::{Command, Step};
use crate::ui::scope::Scope;
use crate::ui::shell::view_title;
use crate::ui::widgets::sorted::Sorted;
use crate::ui::widgets::state;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::{theme, words};
use egui::{ComboBox, Grid, RichText, ScrollArea, Ui};
use std::cmp::Ordering;
use std::sync::Arc;

/// Classes that the confusion matrix shows one by one.
const SHOWN_CLASSES: usize = 20;

const CLASS_COLUMNS: [TableColumn; 6] = [
    TableColumn::text("class", 180.0, "The label of the specimens"),
    TableColumn::number("n", 60.0, "Specimens with this label"),
    TableColumn::number("found", 70.0, "Share of its specimens that are named right (recall)"),
    TableColumn::number("reliable", 70.0, "Share of the specimens given this name that have it (precision)"),
    TableColumn::number("F1", 60.0, "Harmonic mean of the two"),
    TableColumn::number("named so", 70.0, "Specimens that are given this name"),
];

const WRONG_COLUMNS: [TableColumn; 7] = [
    TableColumn::text("id", 140.0, "The specimen"),
    TableColumn::text("label", 150.0, "What it is labelled"),
    TableColumn::text("looks like", 150.0, "What the names shown say"),
    TableColumn::number("margin", 70.0, "How much nearer the predicted name is than any other, in cosine or identity"),
    TableColumn::number("cosine", 70.0, "Cosine with the nearest specimen of the predicted name; alignment has none"),
    TableColumn::number("identical", 80.0, "Identity of the two barcodes"),
    TableColumn::text("nearest", 120.0, "The nearest specimen of the predicted name"),
];

/// What is shown below the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Tab {
    #[default]
    Confusion,
    Classes,
    Wrong,
}

/// What the view remembers from frame to frame.
#[derive(Default)]
pub struct ClassifyView {
    tab: Tab,
    class_sorting: Option<Sorting>,
    wrong_sorting: Option<Sorting>,
    derived: Option<Derived>,
    /// Indices into the calls of those named wrong; the names and the window's filters that they depend on.
    wrong: Sorted<Classification, Option<Sorting>, u64>,
}

/// What is made of a classification once.
struct Derived {
    of: Arc<Classification>,
    sorting: Option<Sorting>,
    confusion: Confusion,
    /// Indices into the scores' classes, in the order of the table.
    classes: Vec<usize>,
    /// Number of specimens whose label no reference could have given them.
    unnameable: usize,
}

impl ClassifyView {
    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        title(ui, scope);
        if scope.session.rank().is_none() {
            ui.label("No record of this file carries a label, so there is nothing to learn names from.");
            return;
        }
        let Some(names) = scope.session.results.named().shown().cloned() else {
            let needed = [Step::Model, Step::Frames, Step::Embedding, Step::Names(scope.session.results.naming())];
            state::waiting(ui, scope, "the comparison of names", &needed);
            // Whoever chose a method that is slow, or failed, can choose another.
            if scope.session.results.naming() != Method::Model {
                comparison(ui, scope);
            }
            return;
        };
        state::of_step(ui, scope, Step::Names(scope.session.results.naming()));
        let Some(dataset) = scope.session.dataset().map(|opened| &opened.dataset) else { return };
        self.derive(&names);
        self.find_wrong(ui, scope, &names, dataset);
        comparison(ui, scope);
        self.unnameable(ui, scope, &names);
        trained_on(ui, &names);
        ui.add_space(theme::GAP);
        recommendation::show(ui, scope);
        ui.add_space(theme::GAP);
        if names.scores.is_none() {
            ui.label("No specimen that was named has a label to compare with.");
            return;
        }
        self.tabs(ui);
        match self.tab {
            Tab::Confusion => self.confusion(ui, scope, &names),
            Tab::Classes => self.classes(ui, scope, &names),
            Tab::Wrong => self.wrong(ui, scope, &names, dataset),
        }
    }

    fn derive(&mut self, names: &Arc<Classification>) {
        let is_same = |derived: &Derived| Arc::ptr_eq(&derived.of, names) && derived.sorting == self.class_sorting;
        if self.derived.as_ref().is_some_and(is_same) {
            return;
        }
        let number = names.scores.as_ref().map_or(0, |scores| scores.per_class.len());
        let sorting = self.class_sorting.unwrap_or(Sorting { column: 1, ascending: false });
        let classes = order(0..number, sorting.ascending, |&a, &b| compare_classes(names, sorting.column, a, b));
        let confusion = Confusion::of(names, SHOWN_CLASSES);
        let unnameable = names.unnameable();
        self.derived =
            Some(Derived { of: Arc::clone(names), sorting: self.class_sorting, confusion, classes, unnameable });
    }

    fn find_wrong(&mut self, ui: &Ui, scope: &Scope<'_>, names: &Arc<Classification>, dataset: &Arc<Dataset>) {
        let key = (names, self.wrong_sorting, scope.session.look.revision);
        let sorting = self.wrong_sorting.unwrap_or(Sorting { column: 3, ascending: false });
        let (dataset, visible) = (Arc::clone(dataset), scope.session.look.visible.clone());
        let (sorted, shown) = (Arc::clone(names), Arc::clone(names));
        let sort = move || {
            let calls = &sorted.calls;
            let wrong = (0..calls.len() as u32).filter(|&at| calls[at as usize].correct() == Some(false));
            order_by(wrong.collect(), sorting.ascending, |at| wrong_key(&sorted, &dataset, sorting.column, at as usize))
        };
        let keep = move |at: &u32| visible.as_ref().is_none_or(|rows| rows.contains(shown.calls[*at as usize].row));
        let choose = move |all: &[u32]| all.iter().copied().filter(keep).collect();
        self.wrong.ask(ui.ctx(), key, names.calls.len(), sort, choose);
    }

    /// Says how many specimens nobody could have named right.
    fn unnameable(&self, ui: &mut Ui, scope: &Scope<'_>, names: &Classification) {
        let Some(number) = self.derived.as_ref().map(|derived| derived.unnameable).filter(|&number| number > 0) else {
            return;
        };
        let specimens = words::counted(number, "specimen", "specimens");
        let (verb, rank) = (if number == 1 { "has" } else { "have" }, names.rank.title());
        let whom = match scope.session.against() {
            Against::Others => "no other specimen",
            Against::TrainingSplit => "no specimen in 'train'",
        };
        let text = format!("{specimens} {verb} a {rank} that {whom} has: no method can name them right.");
        ui.label(RichText::new(text).color(theme::tokens(ui).quiet));
    }

    fn tabs(&mut self, ui: &mut Ui) {
        let wrong = self.wrong.rows().len();
        ui.horizontal(|ui| {
            for (tab, name) in [
                (Tab::Confusion, "Who is taken for whom".to_owned()),
                (Tab::Classes, "Class by class".to_owned()),
                (Tab::Wrong, format!("Label and look differ ({})", words::count(wrong))),
            ] {
                ui.selectable_value(&mut self.tab, tab, name);
            }
        });
    }

    fn confusion(&self, ui: &mut Ui, scope: &mut Scope<'_>, names: &Classification) {
        let Some(derived) = &self.derived else { return };
        let note = "Rows are labels, columns are names given. Click a cell to select its specimens.";
        ui.label(RichText::new(note).color(theme::tokens(ui).quiet));
        ScrollArea::both().auto_shrink(false).show(ui, |ui| {
            if let Some((truth, predicted, keys)) = confusion::show(ui, names, &derived.confusion) {
                scope.select(derived.confusion.rows(names, truth, predicted), keys);
            }
        });
    }

    fn classes(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, names: &Classification) {
        let (Some(derived), Some(scores)) = (&self.derived, &names.scores) else { return };
        let table = Table {
            id: "classes",
            name: "classes",
            columns: &CLASS_COLUMNS,
            rows: derived.classes.len(),
            sorting: self.class_sorting,
            height: None,
            current: None,
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |_| false,
            |ui, position, column| {
                let class = &scores.per_class[derived.classes[position]];
                ui.label(match column {
                    0 => class.name.clone(),
                    1 => words::count(class.n),
                    2 => words::percent(class.recall),
                    3 if class.predicted == 0 => "–".to_owned(),
                    3 => words::percent(class.precision),
                    4 => format!("{:.2}", class.f1),
                    _ => words::count(class.predicted),
                });
            },
        );
        if let Some((position, keys)) = answer.chosen {
            let code = scores.per_class[derived.classes[position]].class;
            let rows: Rows = names.calls.iter().filter(|call| call.label == Some(code)).map(|call| call.row).collect();
            scope.select(rows, keys);
        }
        if answer.sorting.is_some() {
            self.class_sorting = answer.sorting;
        }
    }

    fn wrong(&mut self, ui: &mut Ui, scope: &mut Scope<'_>, names: &Classification, dataset: &Dataset) {
        if self.wrong.rows().is_empty() {
            let text = if self.wrong.is_sorting() {
                "Sorting…"
            } else {
                "Every specimen that is shown is named as it is labelled."
            };
            ui.label(text);
            return;
        }
        let selection = &scope.session.selection;
        let row_of = |at: u32| names.calls[at as usize].row;
        let current = self.wrong.place_of(selection.focus(), |at| Some(row_of(at)) == selection.focus());
        let wrong = self.wrong.rows();
        let row_at = |position: usize| row_of(wrong[position]);
        let table = Table {
            id: "wrong",
            name: "specimens",
            columns: &WRONG_COLUMNS,
            rows: wrong.len(),
            sorting: self.wrong_sorting,
            height: None,
            current,
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |position| selection.rows().contains(row_at(position)),
            |ui, position, column| {
                ui.label(wrong_text(names, dataset, wrong[position] as usize, column));
            },
        );
        if let Some((position, keys)) = answer.chosen {
            scope.select_row(row_at(position), keys);
        }
        if answer.sorting.is_some() {
            self.wrong_sorting = answer.sorting;
        }
    }
}

fn title(ui: &mut Ui, scope: &mut Scope<'_>) {
    let about = match scope.session.against() {
        Against::Others => "each specimen named by all others",
        Against::TrainingSplit => "specimens outside of the split 'train', named by those in it",
    };
    view_title(ui, scope, "Names", about, &[Exported::Names, Exported::Classes, Exported::Confusion]);
    let Some(rank) = scope.session.rank() else { return };
    ui.horizontal(|ui| {
        let label = ui.label("Rank");
        ComboBox::from_id_salt("rank")
            .selected_text(rank.title())
            .show_ui(ui, |ui| {
                let fields = scope.session.overview.fields.iter().map(|overview| overview.field);
                let choices: Vec<Field> = fields.filter(|field| field.is_rank() || *field == Field::Bin).collect();
                for field in choices {
                    if ui.selectable_label(field == rank, field.title()).clicked() {
                        scope.ask(Command::ClassifyAt(field));
                    }
                }
            })
            .response
            .labelled_by(label.id);
    });
}

/// Says when specimens are named by a model that was trained on their barcodes.
fn trained_on(ui: &mut Ui, names: &Classification) {
    let Some(known) = names.trained_on.filter(|&known| known > 0) else { return };
    let barcodes = words::counted(names.calls.len(), "named specimen", "named specimens");
    let text = format!(
        "The model was trained on the barcodes of {} of the {barcodes} (without their labels): its figures may flatter it.",
        words::count(known)
    );
    ui.label(RichText::new(text).color(theme::tokens(ui).warning));
}

/// The model beside the baselines.
fn comparison(ui: &mut Ui, scope: &mut Scope<'_>) {
    let tokens = theme::tokens(ui);
    let gap = if ui.available_width() < theme::WIDE_VIEW { 1.5 * theme::GRID } else { theme::GROUP_GAP };
    Grid::new("comparison").num_columns(7).spacing([gap, theme::GRID]).min_row_height(0.0).show(ui, |ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        for (title, hint) in [
            ("Names by", "How the nearest specimen is found; click one to show its names everywhere"),
            ("Named right", "Share of the labelled specimens that get their own label"),
            ("95 % interval", "By bootstrap over species, 1 000 resamples"),
            ("n", "Labelled specimens that were named"),
            ("Class average", "Balanced accuracy: the mean over classes of the share named right"),
            ("Macro F1", "Mean over classes of the harmonic mean of precision and recall"),
            ("Time", "Without embedding"),
        ] {
            ui.label(RichText::new(title).color(tokens.quiet)).on_hover_text(hint);
        }
        ui.end_row();
        for method in Method::ALL {
            comparison_row(ui, scope, method);
            ui.end_row();
        }
    });
}

fn comparison_row(ui: &mut Ui, scope: &mut Scope<'_>, method: Method) {
    let step = Step::Names(method);
    let is_shown = method == scope.session.results.naming();
    let strong = |text: String| if is_shown { RichText::new(text).strong() } else { RichText::new(text) };
    if ui.radio(is_shown, words::capitalised(method.title())).clicked() {
        scope.ask(Command::NameBy(method));
    }
    let stage = scope.session.results.names(method);
    let Some(names) = stage.shown() else {
        if let Some(problem) = stage.problem() {
            ui.label(if problem.cancelled { "stopped" } else { "failed" }).on_hover_text(&problem.message);
            if ui.small_button("Try again").clicked() {
                scope.ask(Command::Retry(step));
            }
        } else if stage.job().is_some() {
            ui.label("running…");
        } else if scope.session.waits_to_be_asked(method) {
            let (button, hint) = match method {
                Method::Fitted => (
                    "Fit",
                    "Weighs what the model sees by the genera of this file, in seconds; no specimen is named with help of its own species",
                ),
                _ => ("Compare", "This takes long with so many specimens"),
            };
            if ui.small_button(button).on_hover_text(hint).clicked() {
                scope.ask(Command::Compare(method));
            }
        } else {
            ui.label("waiting…");
        }
        return;
    };
    let Some(scores) = &names.scores else { return };
    ui.label(strong(words::percent(scores.accuracy)));
    ui.label(names.interval.map_or_else(|| "–".to_owned(), words::interval));
    ui.label(words::count(scores.n));
    ui.label(words::percent(scores.balanced_accuracy));
    ui.label(format!("{:.3}", scores.macro_f1));
    ui.label(words::duration(names.seconds as f32));
}

fn wrong_text(names: &Classification, dataset: &Dataset, index: usize, column: usize) -> String {
    let call = &names.calls[index];
    let name = |code: Option<u32>| code.map_or_else(String::new, |code| names.name(code).to_owned());
    let three = |value: Option<f32>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
    match column {
        0 => dataset.id(call.row).to_owned(),
        1 => name(call.label),
        2 => name(call.predicted),
        3 => three(call.margin),
        4 => three(call.cosine),
        5 => call.identity.map_or_else(|| "–".to_owned(), |share| words::percent(f64::from(share))),
        _ => call.neighbour.map_or_else(String::new, |row| dataset.id(row).to_owned()),
    }
}

fn wrong_key<'a>(names: &'a Classification, dataset: &'a Dataset, column: usize, index: usize) -> SortKey<'a> {
    let call = &names.calls[index];
    match column {
        0 => SortKey::words(Some(dataset.id(call.row))),
        1 => SortKey::words(call.label.map(|code| names.name(code))),
        2 => SortKey::words(call.predicted.map(|code| names.name(code))),
        3 => SortKey::number(call.margin),
        4 => SortKey::number(call.cosine),
        5 => SortKey::number(call.identity),
        _ => SortKey::words(call.neighbour.map(|row| dataset.id(row))),
    }
}

fn compare_classes(names: &Classification, column: usize, a: usize, b: usize) -> Ordering {
    let Some(scores) = &names.scores else { return Ordering::Equal };
    let (a, b) = (&scores.per_class[a], &scores.per_class[b]);
    match column {
        0 => a.name.cmp(&b.name),
        1 => a.n.cmp(&b.n),
        2 => a.recall.total_cmp(&b.recall),
        3 => a.precision.total_cmp(&b.precision),
        4 => a.f1.total_cmp(&b.f1),
        _ => a.predicted.cmp(&b.predicted),
    }
}
