//! The bar at the top: the file, the model, the search box, appearance and help.

use super::files::Purpose;
use super::scope::{Asked, Overlay, Scope};
use super::{theme, words};
use crate::pipeline::stored::MemoryBudget;
use crate::session::Command;
use crate::session::search::Hit;
use crate::session::selection::Mode;
use crate::session::settings::Shade;
use egui::{Align, Key, Layout, Popup, PopupCloseBehavior, Response, RichText, Role, TextEdit, Ui, WidgetInfo};
use std::path::{Path, PathBuf};

/// The most that can be granted to embeddings: a terabyte.
const MOST_MEGABYTES: u32 = 1_000_000;

/// What the bar remembers from frame to frame.
#[derive(Default)]
pub struct TopBar {
    /// The keyboard should go to the search box.
    pub to_search: bool,
}

impl TopBar {
    /// Draws it.
    pub fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        ui.horizontal(|ui| {
            ui.label(RichText::new("Barcodescope").strong());
            ui.add_space(theme::GAP);
            file_menu(ui, scope);
            model_menu(ui, scope);
            device(ui, scope);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let help = ui.button("?").on_hover_text("Keyboard shortcuts (?)");
                help.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Help: keyboard shortcuts"));
                if help.clicked() {
                    scope.asked.push(Asked::Overlay(Overlay::Shortcuts));
                }
                appearance_menu(ui, scope);
                if scope.session.dataset().is_some() {
                    self.search(ui, scope);
                    history(ui, scope);
                }
            });
        });
    }

    fn search(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        let mut text = scope.session.look.search.clone();
        let field = TextEdit::singleline(&mut text)
            .id(egui::Id::unique("search"))
            .hint_text("Find specimen or taxon ( / )")
            .desired_width(theme::SEARCH);
        let response = ui.add(field);
        response.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Find specimen or taxon"));
        if std::mem::take(&mut self.to_search) {
            response.request_focus();
        }
        if response.changed() {
            scope.ask(Command::Search(text.clone()));
        }
        let entered = response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        if entered && let Some(hit) = scope.session.look.hits.first() {
            take(scope, hit.clone());
        }
        let popup_id = egui::Id::unique("search hits");
        let open = !text.trim().is_empty() && (response.has_focus() || Popup::is_id_open(ui.ctx(), popup_id));
        hits(&response, popup_id, open && !entered, scope);
    }
}

/// What the search found, below the search box.
fn hits(field: &Response, id: egui::Id, open: bool, scope: &mut Scope<'_>) {
    let popup = Popup::from_response(field)
        .id(id)
        .open_memory(Some(egui::SetOpenCommand::Bool(open)))
        .close_behavior(PopupCloseBehavior::CloseOnClick)
        .width(1.5 * theme::SEARCH)
        .accessible_name("Search results");
    popup.show(|ui| {
        let Some(dataset) = scope.dataset() else { return };
        if scope.session.look.hits.is_empty() {
            ui.label("Nothing has this name.");
        }
        for hit in scope.session.look.hits.clone() {
            let (text, note) = match &hit {
                Hit::Specimen(row) => (dataset.id(*row).to_owned(), "specimen".to_owned()),
                Hit::Taxon(taxon) => {
                    let count = words::counted(taxon.specimens, "specimen", "specimens");
                    (taxon.name.clone(), format!("{}, {count}", taxon.field.title()))
                }
            };
            let button = egui::Button::new(text).right_text(RichText::new(note).weak()).frame_when_inactive(false);
            if ui.add_sized([ui.available_width(), theme::CONTROL], button).clicked() {
                take(scope, hit);
            }
        }
    });
}

/// A specimen is selected; a taxon is lit up and its specimens are selected.
fn take(scope: &mut Scope<'_>, hit: Hit) {
    match hit {
        Hit::Specimen(row) => scope.ask(Command::FocusOn(row)),
        Hit::Taxon(taxon) => {
            if let Some(dataset) = scope.dataset() {
                scope.ask(Command::Select(taxon.rows(dataset), Mode::Replace));
            }
            scope.ask(Command::Light(Some(taxon)));
        }
    }
}

fn history(ui: &mut Ui, scope: &mut Scope<'_>) {
    let selection = &scope.session.selection;
    for (enabled, sign, name, command) in [
        (selection.can_go_forward(), "›", "Selection after (Alt and right arrow)", Command::Forward),
        (selection.can_go_back(), "‹", "Selection before (Alt and left arrow)", Command::Back),
    ] {
        let button = ui.add_enabled(enabled, egui::Button::new(sign)).on_hover_text(name);
        button.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
        if button.clicked() {
            scope.ask(command);
        }
    }
}

fn file_menu(ui: &mut Ui, scope: &mut Scope<'_>) {
    let name = scope.session.dataset().map_or("Open…".to_owned(), |opened| opened.dataset.name().to_owned());
    ui.menu_button(shortened(&name), |ui| {
        if ui.button("Open files…").clicked() {
            scope.choose(Purpose::Open);
        }
        if ui.button("Open the demo (simulated)").clicked() {
            scope.ask(Command::OpenDemo);
        }
        if scope.session.dataset().is_some()
            && ui
                .button("Save as a session…")
                .on_hover_text("Specimens, decisions and results in one file (Ctrl S)")
                .clicked()
        {
            scope.choose(Purpose::Session);
        }
        if scope.session.reviewing.session_file().is_some()
            && ui.button("Add files to this session…").on_hover_text("Only what is new is computed").clicked()
        {
            scope.choose(Purpose::Add);
        }
        if !scope.session.settings.recent.is_empty() {
            ui.separator();
            ui.label(RichText::new("Recent").weak());
            recent_files(ui, scope);
        }
    })
    .response
    .on_hover_text(name);
}

/// A button for each of the files opened before.
pub fn recent_files(ui: &mut Ui, scope: &mut Scope<'_>) {
    for paths in scope.session.settings.recent.clone() {
        let all = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("\n");
        let names: Vec<String> = paths.iter().map(|path| file_name(path)).collect();
        if ui.button(shortened(&names.join(", "))).on_hover_text(all).clicked() {
            scope.ask(Command::Open(paths));
        }
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn shortened(name: &str) -> String {
    const LETTERS: usize = 36;
    let letters = name.chars().count();
    if letters <= LETTERS { name.to_owned() } else { name.chars().take(LETTERS - 1).chain(['…']).collect() }
}

fn model_menu(ui: &mut Ui, scope: &mut Scope<'_>) {
    let name = scope.session.results.model.shown().map(|model| model.name.clone());
    let chosen = scope.session.model_file().map(file_name);
    let title = name.or(chosen).unwrap_or_else(|| "Bundled model".to_owned());
    ui.menu_button(shortened(&title), |ui| {
        let file = scope.session.model_file();
        if ui.radio(file.is_none(), "Bundled model").clicked() {
            scope.ask(Command::UseModel(None));
        }
        let others = scope.session.models.iter().map(PathBuf::as_path).filter(|known| Some(*known) != file);
        for path in file.into_iter().chain(others) {
            let radio = ui.radio(file == Some(path), file_name(path)).on_hover_text(path.display().to_string());
            if radio.clicked() {
                scope.asked.push(Asked::Command(Command::UseModel(Some(path.to_owned()))));
            }
        }
        if ui.button("Open a model…").clicked() {
            scope.choose(Purpose::Model);
        }
        ui.separator();
        memory(ui, scope);
    })
    .response
    .on_hover_text("The model that reads the barcodes");
}

/// What the embeddings may take of the memory.
fn memory(ui: &mut Ui, scope: &mut Scope<'_>) {
    ui.horizontal(|ui| {
        let mut megabytes = scope.session.settings.memory.megabytes;
        let label = ui.label("Memory for embeddings");
        let value = egui::DragValue::new(&mut megabytes).range(0..=MOST_MEGABYTES).speed(32.0).suffix(" MB");
        let value = ui.add(value.update_while_editing(false)).labelled_by(label.id).on_hover_text(
            "Embeddings that would take more are kept in 16 bits instead of 32: half the room, three digits of every number",
        );
        if value.drag_stopped() || (value.changed() && !value.dragged()) {
            scope.ask(Command::SetMemory(MemoryBudget { megabytes }));
        }
    });
}

/// Where the model runs, and why there.
fn device(ui: &mut Ui, scope: &Scope<'_>) {
    let note = &scope.session.results.device_note;
    if let Some(name) = note.split([' ', ',']).next().filter(|name| !name.is_empty()) {
        ui.label(RichText::new(format!("on {name}")).color(theme::tokens(ui).quiet)).on_hover_text(note);
    }
}

fn appearance_menu(ui: &mut Ui, scope: &mut Scope<'_>) {
    let menu = ui.menu_button("Appearance", |ui| {
        let settings = &scope.session.settings;
        for (shade, name) in [(Shade::System, "As the system"), (Shade::Light, "Light"), (Shade::Dark, "Dark")] {
            if ui.radio(settings.shade == shade, name).clicked() {
                scope.ask(Command::SetShade(shade));
            }
        }
        ui.separator();
        let mut still = settings.still;
        if ui.checkbox(&mut still, "Points jump rather than move").changed() {
            scope.ask(Command::SetStill(still));
        }
        let mut zoom = settings.zoom.unwrap_or(1.0);
        let slider = egui::Slider::new(&mut zoom, 0.75..=2.0)
            .step_by(0.05)
            .text("Size of everything")
            .update_while_editing(false);
        let slider = ui.add(slider);
        if slider.drag_stopped() || (slider.changed() && !slider.dragged()) {
            scope.ask(Command::SetZoom(zoom));
        }
    });
    menu.response.on_hover_text("Light or dark, and sizes");
}
