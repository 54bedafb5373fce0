//! Everything about the specimen that is looked at.

use crate::data::dataset::Dataset;
use crate::data::taxonomy::Field;
use crate::pipeline::dossier::{Dossier, Neighbour};
use crate::pipeline::review::Curated;
use crate::session::export::{Exported, ReviewFile};
use crate::session::selection::Rows;
use crate::session::{Command, Page};
use crate::ui::files::Purpose;
use crate::ui::panels::specimen::fields;
use crate::ui::scope::Scope;
use crate::ui::widgets::{sequence, site, stack, state};
use crate::ui::{theme, words};
use egui::{Align, Grid, Label, Layout, Modifiers, RichText, ScrollArea, Ui};

/// Draws it.
pub(super) fn show(ui: &mut Ui, scope: &mut Scope<'_>, row: usize) {
    let Some(dataset) = scope.dataset() else { return };
    let session = scope.session;
    if let Some(problem) = session.reviewing.dossier.problem().filter(|problem| !problem.cancelled) {
        state::problem_box(ui, problem, None);
    }
    let width = ui.available_width() - theme::GROUP_GAP;
    // Lists that are wider than the panel are scrolled to; text is not.
    ScrollArea::both().id_salt("dossier").auto_shrink(false).show(ui, |ui| {
        ui.set_max_width(width);
        cause(ui, scope, row);
        let dossier = session.reviewing.dossier.shown().filter(|dossier| dossier.row == row).cloned();
        let (Some(dossier), Some(curated)) = (dossier, session.curated()) else {
            ui.label(RichText::new("Looking closer…").color(theme::tokens(ui).quiet));
            return;
        };
        opinions(ui, scope, row);
        section(ui, "Nearest specimens", |ui| neighbours(ui, scope, dataset, &curated, &dossier));
        section(ui, "Where the bases differ", |ui| {
            let name = |row: usize| curated.name(row).unwrap_or("no name").to_owned();
            stack::show(ui, &dossier.stack, dataset, row, name);
        });
        section(ui, "Bases that tell the names apart", |ui| telling(ui, &dossier));
        section(ui, "Its BIN", |ui| bin(ui, &dossier));
        section(ui, "The barcode", |ui| {
            dossier.frame.told().into_iter().for_each(|line| {
                ui.label(line);
            });
        });
        section(ui, "The record", |ui| {
            fields(ui, dataset, row);
            sequence::show(ui, dataset.sequence(row));
        });
        if let Some(place) = dataset.coordinates(row) {
            section(ui, "Where it was collected", |ui| site::show(ui, place, theme::READING));
        }
    });
}

fn section(ui: &mut Ui, title: &str, body: impl FnOnce(&mut Ui)) {
    ui.add_space(theme::GAP);
    ui.label(RichText::new(title).strong());
    ui.scope(|ui| {
        // Whatever was wider above does not make text run out of view.
        ui.set_max_width(ui.clip_rect().width() - theme::GROUP_GAP);
        body(ui);
    });
}

fn cause(ui: &mut Ui, scope: &mut Scope<'_>, row: usize) {
    let tokens = theme::tokens(ui);
    ui.horizontal(|ui| {
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            let dossier = scope.session.reviewing.dossier.shown().filter(|dossier| dossier.row == row).cloned();
            let can = dossier.is_some();
            let hint = "Save all this as one page for any browser";
            if ui.add_enabled(can, egui::Button::new("Save page…")).on_hover_text(hint).clicked() {
                scope.choose(Purpose::Save(Exported::Review(ReviewFile::Dossier)));
            }
            let hint = "Selects it with its nearest specimens and turns to the Atlas";
            if ui.add_enabled(can, egui::Button::new("On the map")).on_hover_text(hint).clicked()
                && let Some(dossier) = dossier
            {
                let near = dossier.by_embedding.iter().chain(&dossier.by_identity).map(|near| near.row);
                scope.select(near.chain([row]).collect::<Rows>(), Modifiers::NONE);
                scope.ask(Command::FocusOn(row));
                scope.ask(Command::Show(Page::Atlas));
            }
            ui.with_layout(Layout::left_to_right(Align::Min), |ui| {
                let text = match scope.session.reviewing.suspect(row) {
                    None => RichText::new("It has neither a genus nor a species, so it was not judged."),
                    Some(suspect) => {
                        let is_right = !suspect.cause.is_suspicious();
                        let because = words::capitalised(&suspect.because);
                        let text = format!("{}. {because}.", words::capitalised(suspect.cause.title()));
                        RichText::new(text).color(if is_right { tokens.right } else { tokens.wrong })
                    }
                };
                ui.add(Label::new(text).wrap());
            });
        });
    });
}

/// What each method says.
fn opinions(ui: &mut Ui, scope: &Scope<'_>, row: usize) {
    let opinions = scope.session.opinions(row);
    if opinions.is_empty() {
        return;
    }
    section(ui, "What the methods say", |ui| {
        let quiet = theme::tokens(ui).quiet;
        Grid::new("opinions").num_columns(3).spacing([2.0 * theme::GAP, theme::GRID]).show(ui, |ui| {
            for [method, name, sure] in opinions {
                ui.label(RichText::new(method).color(quiet));
                ui.label(RichText::new(name).strong());
                ui.label(sure);
                ui.end_row();
            }
        });
    });
}

fn neighbours(ui: &mut Ui, scope: &mut Scope<'_>, dataset: &Dataset, curated: &Curated<'_>, dossier: &Dossier) {
    let text = format!(
        "{} of the {} nearest by embedding are among the most identical.",
        dossier.in_both,
        dossier.by_embedding.len()
    );
    ui.label(RichText::new(text).color(theme::tokens(ui).quiet));
    let own = curated.name(dossier.row);
    ui.horizontal_top(|ui| {
        for (title, list) in
            [("By the model's embedding", &dossier.by_embedding), ("By identity", &dossier.by_identity)]
        {
            ui.vertical(|ui| {
                ui.label(title);
                Grid::new(title).num_columns(4).spacing([theme::GAP, theme::GRID / 2.0]).striped(true).show(ui, |ui| {
                    for near in list {
                        neighbour(ui, scope, dataset, curated, near, own);
                    }
                });
            });
            ui.add_space(theme::GROUP_GAP);
        }
    });
}

fn neighbour(
    ui: &mut Ui,
    scope: &mut Scope<'_>,
    dataset: &Dataset,
    curated: &Curated<'_>,
    near: &Neighbour,
    own: Option<&str>,
) {
    let tokens = theme::tokens(ui);
    if ui.link(dataset.id(near.row)).on_hover_text("Look at this specimen").clicked() {
        scope.ask(Command::FocusOn(near.row));
    }
    let name = curated.name(near.row);
    let differs = name.is_some() && own.is_some() && name != own;
    ui.label(RichText::new(name.unwrap_or("no name")).color(if differs { tokens.wrong } else { tokens.text }));
    let cosine = near.cosine.map_or_else(String::new, |cosine| format!(" · {cosine:.3}"));
    ui.label(format!("{}{cosine}", words::percent(f64::from(near.identity))))
        .on_hover_text("identity, and cosine of the embeddings");
    ui.label(RichText::new(dataset.label(near.row, Field::Bin).unwrap_or("")).color(tokens.quiet));
    ui.end_row();
}

fn telling(ui: &mut Ui, dossier: &Dossier) {
    let Some(telling) = &dossier.telling else {
        ui.label("There are no two species to compare.");
        return;
    };
    ui.add(Label::new(telling.told()).wrap());
    for (name, bases) in [&telling.labelled, &telling.other].into_iter().zip(telling.bases()) {
        if !bases.is_empty() {
            ui.add(Label::new(RichText::new(format!("Of {name}: {bases}")).small()).wrap());
        }
    }
}

fn bin(ui: &mut Ui, dossier: &Dossier) {
    let Some(bin) = &dossier.bin else {
        ui.label("It has none.");
        return;
    };
    let names: Vec<String> = bin.names.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    let others = words::counted(bin.others, "other specimen", "other specimens");
    let text = if names.is_empty() {
        format!("{}: {others}.", bin.bin)
    } else {
        format!("{}: {others}: {}.", bin.bin, names.join(", "))
    };
    ui.add(Label::new(text).wrap());
}
