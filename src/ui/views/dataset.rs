//! The Dataset view: what was read, and what the specimens are.

use crate::data::import::{Event, ImportReport, ReportEntry};
use crate::data::taxonomy::Field;
use crate::jobs::Opened;
use crate::session::columns::Sorting;
use crate::session::export::Exported;
use crate::session::ordering::{SortKey, order_by};
use crate::session::overview::FieldOverview;
use crate::session::selection::{Mode, Rows};
use crate::session::{Command, Step};
use crate::ui::scope::Scope;
use crate::ui::shell::view_title;
use crate::ui::widgets::bars::{self, Bar, Histogram};
use crate::ui::widgets::sorted::Sorted;
use crate::ui::widgets::state;
use crate::ui::widgets::table::{Table, TableColumn};
use crate::ui::{theme, words};
use egui::{ComboBox, Grid, RichText, ScrollArea, Ui};
use std::sync::Arc;

/// Names that are shown of a rank; the others stand together.
const NAMES: usize = 12;
/// Bins of the length histogram.
const BINS: usize = 60;
/// Height of the table of left-out and repaired records, in rows.
const REPORT_ROWS: f32 = 10.0;

const REPORT_COLUMNS: [TableColumn; 6] = [
    TableColumn::text("file", 140.0, "The file that the record is in"),
    TableColumn::number("line", 70.0, "The line of the record's first letter"),
    TableColumn::text("id", 140.0, "The record's id as it stands in the file"),
    TableColumn::text("status", 80.0, "Left out, or kept and put right"),
    TableColumn::text("reason", 180.0, "Why it was left out, or what was put right"),
    TableColumn::text("detail", 200.0, "What exactly"),
];

/// What the view remembers from frame to frame.
#[derive(Default)]
pub struct DatasetView {
    rank: Option<Field>,
    sorting: Option<Sorting>,
    derived: Option<Derived>,
    /// The report's entries.
    entries: Sorted<Opened, Option<Sorting>, ()>,
}

/// What is made of an opened file once.
struct Derived {
    of: Arc<Opened>,
    lengths: Histogram,
}

impl DatasetView {
    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let Some(opened) = scope.session.dataset().cloned() else { return };
        self.derive(ui, scope, &opened);
        let about = words::counted(opened.dataset.len(), "specimen", "specimens");
        view_title(ui, scope, opened.dataset.name(), &about, &[Exported::Report, Exported::Lengths]);
        state::of_step(ui, scope, Step::Frames);
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            side_by_side(ui, |left, right| {
                import_summary(left, scope, &opened);
                self.composition(right, scope);
            });
            ui.add_space(theme::GAP);
            side_by_side(ui, |left, right| {
                self.lengths(left, scope);
                missing(right, scope);
            });
            ui.add_space(theme::GAP);
            self.report_table(ui, &opened.report);
        });
    }

    fn derive(&mut self, ui: &Ui, scope: &Scope<'_>, opened: &Arc<Opened>) {
        let (sorted, sorting) = (Arc::clone(opened), self.sorting);
        let many = opened.report.entries.len();
        let sort = move || {
            let all: Vec<u32> = (0..many as u32).collect();
            match sorting {
                None => all,
                Some(Sorting { column, ascending }) => {
                    let report = &sorted.report;
                    order_by(all, ascending, |at| entry_key(report, &report.entries[at as usize], column))
                }
            }
        };
        self.entries.ask(ui.ctx(), (opened, sorting, ()), many, sort, <[u32]>::to_vec);
        if self.derived.as_ref().is_none_or(|derived| !Arc::ptr_eq(&derived.of, opened)) {
            let lengths = Histogram::of(scope.session.overview.lengths.iter().map(|&length| length as usize), BINS);
            self.derived = Some(Derived { of: Arc::clone(opened), lengths });
        }
    }

    fn composition(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let fields = &scope.session.overview.fields;
        let Some(overview) = fields.iter().find(|field| Some(field.field) == self.rank).or_else(|| first_rank(fields))
        else {
            ui.label(RichText::new("Composition").strong());
            ui.label("No record carries a label.");
            return;
        };
        ui.horizontal(|ui| {
            let label = ui.label(RichText::new("Composition by").strong());
            ComboBox::from_id_salt("composition")
                .selected_text(overview.field.title())
                .show_ui(ui, |ui| {
                    for field in fields {
                        let text = format!("{} ({})", field.field.title(), words::count(field.names.len()));
                        if ui.selectable_label(field.field == overview.field, text).clicked() {
                            self.rank = Some(field.field);
                        }
                    }
                })
                .response
                .labelled_by(label.id);
        });
        let total: usize = overview.names.iter().map(|name| name.specimens).sum::<usize>() + overview.missing;
        let mut rows: Vec<Bar> = overview
            .names
            .iter()
            .take(NAMES)
            .map(|name| Bar { name: name.name.clone(), count: name.specimens })
            .collect();
        let others = &overview.names[rows.len()..];
        if !others.is_empty() {
            let count = others.iter().map(|name| name.specimens).sum();
            rows.push(Bar { name: format!("{} others", words::count(others.len())), count });
        }
        if let Some(clicked) = bars::list(ui, &rows, total, "Click to select these specimens") {
            let chosen: Vec<u32> = match overview.names.get(clicked).filter(|_| clicked < NAMES) {
                Some(name) => vec![name.code],
                None => others.iter().map(|name| name.code).collect(),
            };
            select_names(scope, overview.field, &chosen);
        }
    }

    fn lengths(&self, ui: &mut Ui, scope: &mut Scope<'_>) {
        ui.label(RichText::new("Lengths").strong());
        let overview = &scope.session.overview;
        if let Some([shortest, median, longest]) = overview.length_range {
            let text = format!(
                "{} to {} bases, half have {} or fewer",
                words::count(shortest),
                words::count(longest),
                words::count(median)
            );
            ui.label(RichText::new(text).color(theme::tokens(ui).quiet));
        }
        let Some(derived) = &self.derived else { return };
        if let Some(bin) = bars::histogram(ui, &derived.lengths, "Histogram of barcode lengths", "bases") {
            let [first, last] = derived.lengths.range(bin);
            let lengths = overview.lengths.iter().enumerate();
            let rows: Rows = lengths
                .filter(|(_, length)| (first..=last).contains(&(**length as usize)))
                .map(|(row, _)| row)
                .collect();
            scope.ask(Command::Select(rows, Mode::Replace));
        }
    }

    fn report_table(&mut self, ui: &mut Ui, report: &ImportReport) {
        if report.entries.is_empty() {
            return;
        }
        let text = format!("Left out and put right: {}", words::counted(report.entries.len(), "line", "lines"));
        ui.label(RichText::new(text).strong());
        let entries = self.entries.rows();
        let table = Table {
            id: "report",
            name: "import report",
            columns: &REPORT_COLUMNS,
            rows: entries.len(),
            sorting: self.sorting,
            height: Some(REPORT_ROWS * theme::ROW),
            current: None,
            scroll_to: None,
        };
        let answer = table.show(
            ui,
            |_| false,
            |ui, position, column| {
                let entry = &report.entries[entries[position] as usize];
                ui.label(entry_text(report, entry, column));
            },
        );
        if answer.sorting.is_some() {
            self.sorting = answer.sorting;
        }
    }
}

/// Two columns with a gap between them.
fn side_by_side(ui: &mut Ui, show: impl FnOnce(&mut Ui, &mut Ui)) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GROUP_GAP;
        ui.columns_const(|[left, right]| {
            left.spacing_mut().item_spacing.x = theme::GAP;
            right.spacing_mut().item_spacing.x = theme::GAP;
            show(left, right);
        });
    });
}

fn first_rank(fields: &[FieldOverview]) -> Option<&FieldOverview> {
    fields.iter().find(|field| field.field.is_rank() && field.names.len() > 1).or(fields.first())
}

fn select_names(scope: &mut Scope<'_>, field: Field, codes: &[u32]) {
    let Some(dataset) = scope.dataset() else { return };
    let labels = dataset.labels(field);
    let mut chosen = vec![false; labels.distinct()];
    codes.iter().for_each(|&code| chosen[code as usize] = true);
    let rows: Rows =
        (0..dataset.len()).filter(|&row| labels.code(row).is_some_and(|code| chosen[code as usize])).collect();
    scope.ask(Command::Select(rows, Mode::Replace));
}

fn import_summary(ui: &mut Ui, scope: &mut Scope<'_>, opened: &Opened) {
    let report = &opened.report;
    ui.label(RichText::new("Import").strong());
    if opened.is_simulated() {
        ui.label(RichText::new("Simulated data: no specimen here is real.").color(theme::tokens(ui).warning));
    }
    ui.scope(|ui| facts(ui, scope, opened));
    for file in &report.files {
        let name = file.path.file_name().unwrap_or(file.path.as_os_str()).to_string_lossy();
        let text = format!("{name}: {}, {}, {} line ends", file.layout, file.encoding, file.line_ends);
        let label = ui.label(RichText::new(text).small().color(theme::tokens(ui).quiet));
        label.on_hover_text(format!("{}\nSHA-256 {}", file.path.display(), file.sha256));
    }
    if scope.session.overview.repeated_barcodes > 0 {
        ui.horizontal(|ui| {
            if ui.button("Select specimens that share a barcode").clicked() {
                let dataset = &opened.dataset;
                let mut shared = vec![0u32; dataset.unique_len()];
                (0..dataset.len()).for_each(|row| shared[dataset.unique_of(row)] += 1);
                let rows: Rows = (0..dataset.len()).filter(|&row| shared[dataset.unique_of(row)] > 1).collect();
                scope.ask(Command::Select(rows, Mode::Replace));
            }
        });
    }
}

fn facts(ui: &mut Ui, scope: &Scope<'_>, opened: &Opened) {
    let report = &opened.report;
    // Lines of text need not be as high as buttons.
    ui.spacing_mut().interact_size.y = 0.0;
    Grid::new("import").num_columns(2).spacing([theme::GROUP_GAP, theme::GRID]).show(ui, |ui| {
        fact(ui, "Records read", report.records_read);
        fact(ui, "Kept", report.records_kept);
        for (reason, &count) in &report.left_out {
            fact(ui, &format!("Left out: {}", reason.words()), count);
        }
        fact(ui, "Different barcodes", opened.dataset.unique_len());
        fact(ui, "Repeat an earlier barcode", scope.session.overview.repeated_barcodes);
        for (repair, &count) in &report.repaired {
            fact(ui, &format!("Put right: {}", repair.key().replace('_', " ")), count);
        }
        for &(flag, count) in scope.session.flag_counts() {
            fact(ui, &format!("Flagged: {}", flag.replace('_', " ")), count);
        }
    });
}

fn fact(ui: &mut Ui, name: &str, count: usize) {
    ui.label(RichText::new(name).color(theme::tokens(ui).quiet));
    ui.label(words::count(count));
    ui.end_row();
}

/// How many specimens lack each label.
fn missing(ui: &mut Ui, scope: &mut Scope<'_>) {
    ui.label(RichText::new("Missing labels").strong());
    let overview = &scope.session.overview;
    let total = overview.lengths.len();
    let wanted = Field::RANKS.into_iter().chain([Field::Bin]);
    let counts: Vec<(Field, usize)> =
        wanted.map(|field| (field, overview.field(field).map_or(total, |field| field.missing))).collect();
    let rows: Vec<Bar> =
        counts.iter().map(|&(field, count)| Bar { name: words::capitalised(field.title()), count }).collect();
    if let Some(clicked) = bars::list(ui, &rows, total, "Click to select the specimens without it")
        && let Some(dataset) = scope.dataset()
    {
        let labels = dataset.labels(counts[clicked].0);
        let rows: Rows = (0..dataset.len()).filter(|&row| labels.code(row).is_none()).collect();
        scope.ask(Command::Select(rows, Mode::Replace));
    }
}

fn entry_text(report: &ImportReport, entry: &ReportEntry, column: usize) -> String {
    match column {
        0 => report
            .files
            .get(entry.file as usize)
            .and_then(|file| file.path.file_name())
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        1 => entry.line.to_string(),
        2 => entry.id.clone(),
        3 => match entry.event {
            Event::LeftOut(_) => "left out".to_owned(),
            Event::Repaired(_) => "put right".to_owned(),
        },
        4 => match entry.event {
            Event::LeftOut(reason) => reason.words().to_owned(),
            Event::Repaired(repair) => repair.key().replace('_', " "),
        },
        _ => entry.detail.as_deref().unwrap_or_default().to_owned(),
    }
}

fn entry_key<'a>(report: &'a ImportReport, entry: &'a ReportEntry, column: usize) -> SortKey<'a> {
    match column {
        1 => SortKey::number(Some(entry.line)),
        2 => SortKey::words(Some(entry.id.as_str())),
        5 => SortKey::words(entry.detail.as_deref()),
        _ => SortKey::words(Some(entry_text(report, entry, column))),
    }
}
