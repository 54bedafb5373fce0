//! The specimen panel: everything about the specimen that was clicked last.

use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::jobs::{Against, Closest, Near};
use crate::session::Command;
use crate::session::results::{cluster_name, flags_text};
use crate::ui::scope::Scope;
use crate::ui::widgets::{sequence, state};
use crate::ui::{theme, words};
use egui::{Align, CollapsingHeader, Grid, Label, Layout, RichText, ScrollArea, Ui};

/// Draws it.
pub fn show(ui: &mut Ui, scope: &mut Scope<'_>) {
    let (Some(dataset), Some(row)) = (scope.dataset(), scope.session.selection.focus()) else {
        ui.heading("Specimen");
        ui.label("Click a point, or a row of a table, to see the specimen here.");
        return;
    };
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
        title(ui, scope, dataset, row);
        ui.scope(|ui| verdict(ui, scope, dataset, row));
        ui.separator();
        ui.scope(|ui| neighbours(ui, scope, dataset, row));
        ui.separator();
        barcode(ui, scope, dataset, row);
        ui.separator();
        fields(ui, dataset, row);
    });
}

fn title(ui: &mut Ui, scope: &mut Scope<'_>, dataset: &Dataset, row: usize) {
    ui.horizontal(|ui| {
        ui.add(Label::new(RichText::new(dataset.id(row)).heading()).truncate());
    });
    ui.horizontal(|ui| {
        if ui.small_button("Copy id").clicked() {
            ui.ctx().copy_text(dataset.id(row).to_owned());
        }
        let rows = scope.session.selection.rows();
        if rows.len() > 1
            && let Ok(at) = rows.as_slice().binary_search(&(row as u32))
        {
            for (name, next) in [("Previous", at.checked_sub(1)), ("Next", Some(at + 1))] {
                let next = next.and_then(|next| rows.get(next));
                if ui.add_enabled(next.is_some(), egui::Button::new(name).small()).clicked()
                    && let Some(next) = next
                {
                    scope.ask(Command::FocusOn(next));
                }
            }
            let text = format!("{} of {} selected", words::count(at + 1), words::count(rows.len()));
            ui.label(RichText::new(text).color(theme::tokens(ui).quiet));
        }
    });
}

/// What it is labelled, what it looks like, and how well the two agree.
fn verdict(ui: &mut Ui, scope: &Scope<'_>, dataset: &Dataset, row: usize) {
    let tokens = theme::tokens(ui);
    let session = scope.session;
    let rank = session.results.named().shown().map(|names| names.rank).or_else(|| session.rank());
    ui.spacing_mut().interact_size.y = 0.0;
    Grid::new("verdict").num_columns(2).spacing([theme::GAP, theme::GRID]).show(ui, |ui| {
        if let Some(rank) = rank {
            ui.label(RichText::new("labelled").color(tokens.quiet)).on_hover_text(rank.title());
            ui.label(RichText::new(dataset.label(row, rank).unwrap_or("no label")).strong());
            ui.end_row();
        }
        if let Some((names, call)) = session.results.call(row) {
            let name = call.predicted.map_or("nothing known", |code| names.name(code));
            let colour = match call.correct() {
                Some(false) => tokens.wrong,
                Some(true) => tokens.right,
                None => tokens.text,
            };
            ui.label(RichText::new("looks like").color(tokens.quiet))
                .on_hover_text("The name of the nearest labelled specimens");
            ui.label(RichText::new(name).strong().color(colour));
            ui.end_row();
        } else if session.results.named().shown().is_some() {
            ui.label(RichText::new("looks like").color(tokens.quiet));
            ui.label(RichText::new("in the training split, so not named").color(tokens.quiet));
            ui.end_row();
        }
        if let Some(clusters) = session.results.clusters.shown() {
            ui.label(RichText::new("cluster").color(tokens.quiet));
            ui.label(cluster_name(clusters.labels[row]));
            ui.end_row();
        }
        let flags = session.results.flags(dataset, row);
        if !flags.is_empty() {
            ui.label(RichText::new("flags").color(tokens.quiet));
            ui.label(RichText::new(flags_text(flags)).color(tokens.warning));
            ui.end_row();
        }
    });
    if let Some(text) = agreement(scope, dataset, row) {
        ui.label(text);
    }
}

/// `99.4 % identical to the nearest specimen with this name; 9 of the 10 nearest labelled specimens have it`
fn agreement(scope: &Scope<'_>, dataset: &Dataset, row: usize) -> Option<String> {
    let (names, call) = scope.session.results.call(row)?;
    let by_split = scope.session.against() == Against::TrainingSplit;
    let among = if by_split { " in the split 'train', which gave it" } else { "" };
    let identity = call.identity.map(|identity| {
        let identity = words::percent(f64::from(identity));
        format!("{identity} identical to the nearest specimen with this name{among}")
    });
    let label = call.label.filter(|&label| !names.nameable[label as usize]);
    let lacking = label.map(|label| {
        let name = names.name(label);
        if by_split { format!("no {name} is in that split") } else { format!("no other specimen is labelled {name}") }
    });
    // The nearest that are listed are those of the whole file.
    let votes = if by_split { None } else { votes(scope, dataset, row) };
    let parts: Vec<String> = identity.into_iter().chain(lacking).chain(votes).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// How many of the nearest labelled specimens have the name that it got.
fn votes(scope: &Scope<'_>, dataset: &Dataset, row: usize) -> Option<String> {
    let (names, call) = scope.session.results.call(row)?;
    let closest = scope.session.closest.shown().filter(|closest| closest.row == row)?;
    let name = names.name(call.predicted?);
    let labelled: Vec<&Near> =
        closest.neighbours.iter().filter(|near| dataset.label(near.row, names.rank).is_some()).collect();
    let agree = labelled.iter().filter(|near| dataset.label(near.row, names.rank) == Some(name)).count();
    let have = if agree == 1 { "has" } else { "have" };
    Some(format!("{agree} of the {} nearest labelled specimens {have} it", labelled.len()))
}

fn neighbours(ui: &mut Ui, scope: &mut Scope<'_>, dataset: &Dataset, row: usize) {
    let closest = &scope.session.closest;
    ui.label(RichText::new("Nearest specimens").strong());
    if let Some(problem) = closest.problem().filter(|problem| !problem.cancelled) {
        state::problem_box(ui, problem, None);
    }
    match closest.shown().filter(|closest| closest.row == row) {
        Some(closest) => near_table(ui, scope, dataset, closest),
        None => {
            ui.label(RichText::new("Looking for them…").color(theme::tokens(ui).quiet));
        }
    }
}

fn near_table(ui: &mut Ui, scope: &mut Scope<'_>, dataset: &Dataset, closest: &Closest) {
    let tokens = theme::tokens(ui);
    let how = if closest.by_model {
        "identity, and cosine of the model's embeddings"
    } else {
        "identity, and cosine of 6-mer counts until the embeddings are there"
    };
    ui.label(RichText::new(how).small().color(tokens.quiet));
    ui.spacing_mut().interact_size.y = 0.0;
    ui.spacing_mut().item_spacing.y = theme::GRID / 2.0;
    let rank = scope.session.rank().unwrap_or(Field::Species);
    let own = dataset.label(closest.row, rank);
    for near in &closest.neighbours {
        ui.horizontal(|ui| {
            if ui.link(dataset.id(near.row)).on_hover_text("Show this specimen").clicked() {
                scope.ask(Command::FocusOn(near.row));
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let identity = words::percent(f64::from(near.identity));
                ui.label(format!("{identity} · {:.3}", near.cosine)).on_hover_text(how);
            });
        });
        let name = dataset.label(near.row, rank);
        let colour = if name.is_some() && own.is_some() && name != own { tokens.wrong } else { tokens.quiet };
        let text = dataset.label(near.row, Field::Species).or(name).unwrap_or("no label");
        ui.add(Label::new(RichText::new(text).small().color(colour)).truncate());
        ui.add_space(theme::GRID / 2.0);
    }
}

fn barcode(ui: &mut Ui, scope: &Scope<'_>, dataset: &Dataset, row: usize) {
    let bases = dataset.sequence(row);
    ui.horizontal(|ui| {
        ui.label(RichText::new("Barcode").strong());
        ui.label(RichText::new(words::counted(bases.len(), "base", "bases")).color(theme::tokens(ui).quiet));
        if ui.small_button("Copy").on_hover_text("Copy as FASTA").clicked() {
            ui.ctx().copy_text(format!(">{}\n{}\n", dataset.id(row), String::from_utf8_lossy(bases)));
        }
    });
    let registration =
        scope.session.results.frames.shown().and_then(|frames| frames[dataset.unique_of(row)].registration);
    if let Some(found) = registration.filter(|found| found.is_coi()) {
        let text = format!("bases {} to {} of the 658-base COI-5P frame", found.start + 1, found.end);
        ui.label(RichText::new(text).small().color(theme::tokens(ui).quiet));
    }
    sequence::show(ui, bases);
}

/// Its labels, place, origin and other columns.
pub fn fields(ui: &mut Ui, dataset: &Dataset, row: usize) {
    let mut values: Vec<(String, String)> = Field::ALL
        .into_iter()
        .filter_map(|field| Some((words::capitalised(field.title()), dataset.label(row, field)?.to_owned())))
        .collect();
    if let Some([lat, lon]) = dataset.coordinates(row) {
        values.push(("Site".to_owned(), format!("{lat:.4}°, {lon:.4}°")));
    }
    let origin = dataset.origin(row);
    if let Some(file) = dataset.files().get(origin.file as usize) {
        let name = file.path.file_name().unwrap_or(file.path.as_os_str()).to_string_lossy();
        values.push(("Record".to_owned(), format!("{name}, line {}", words::count(origin.line as usize))));
    }
    list(ui, "fields", &values);
    let others: Vec<(String, String)> = dataset
        .other_columns()
        .iter()
        .enumerate()
        .map(|(column, name)| (name.clone(), dataset.other(row, column).to_owned()))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if !others.is_empty() {
        let title = format!("Other columns ({})", others.len());
        CollapsingHeader::new(title).id_salt("others").show(ui, |ui| list(ui, "other fields", &others));
    }
}

fn list(ui: &mut Ui, id: &str, values: &[(String, String)]) {
    ui.spacing_mut().interact_size.y = 0.0;
    Grid::new(id).num_columns(2).spacing([theme::GAP, theme::GRID]).show(ui, |ui| {
        for (name, value) in values {
            ui.label(RichText::new(name).color(theme::tokens(ui).quiet));
            ui.add(Label::new(value).wrap());
            ui.end_row();
        }
    });
}
