//! The settings of the next run.

use super::fields::{number, row, small, splits, switch, width_and_heads};
use super::{estimate, two_views};
use crate::data::taxonomy::Field;
use crate::jobs::ModelSource;
use crate::model::{DeviceChoice, Precision};
use crate::session::training::TrainCommand;
use crate::session::{Command, Session};
use crate::train::{Objective, Preset, Ratios, ScheduleKind, TrainSettings};
use crate::ui::scope::Scope;
use crate::ui::{theme, words};
use egui::{CollapsingHeader, ComboBox, DragValue, Grid, RichText, TextEdit, Ui};
use std::path::Path;

/// The form, while it is being filled in.
#[derive(Default)]
pub(super) struct Form {
    /// The mask ratios as they are being typed, which need not make sense yet.
    ratios: Option<String>,
    /// The splits as they are being typed.
    splits: Option<String>,
}

impl Form {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        preset(ui, scope);
        let known = scope.dataset().map_or(&[][..], |dataset| dataset.labels(Field::Split).names());
        let before = &scope.session.training.settings;
        let mut settings = before.clone();
        self.main(ui, &mut settings);
        CollapsingHeader::new("Size of the model").show(ui, |ui| size(ui, &mut settings));
        CollapsingHeader::new("Learning").show(ui, |ui| learning(ui, scope.session, &mut settings));
        CollapsingHeader::new("Two views of a barcode").show(ui, |ui| two_views::show(ui, &mut settings));
        CollapsingHeader::new("Validation and checkpoints").show(ui, |ui| {
            checks(ui, &mut settings, known, &mut self.splits);
        });
        if settings != *before {
            ask(scope, TrainCommand::Set(Box::new(settings)));
        }
        ui.add_space(theme::GAP);
        begin(ui, scope);
        estimate::show(ui, scope);
    }

    fn main(&mut self, ui: &mut Ui, settings: &mut TrainSettings) {
        Grid::new("train main").num_columns(2).show(ui, |ui| {
            row(ui, "objective", |ui| {
                let list = ComboBox::from_id_salt("objective").selected_text(objective_name(settings.objective));
                let list = list.show_ui(ui, |ui| {
                    for objective in [Objective::Mae, Objective::Mlm, Objective::Causal] {
                        ui.selectable_value(&mut settings.objective, objective, objective_name(objective))
                            .on_hover_text(objective_hint(objective));
                    }
                });
                list.response.on_hover_text(objective_hint(settings.objective))
            });
            if settings.objective != Objective::Causal {
                self.mask_ratio(ui, settings);
            }
            length(ui, settings);
            number(ui, "seed", &mut settings.seed, 0..=u64::MAX);
            switch(ui, "register", &mut settings.register, true, "to the COI-5P frame");
            device(ui, settings);
        });
    }

    /// One ratio or several, each of which makes a run.
    fn mask_ratio(&mut self, ui: &mut Ui, settings: &mut TrainSettings) {
        let mut text = self.ratios.clone().unwrap_or_else(|| in_words(&settings.mask_ratio));
        let mut is_list = true;
        row(ui, "mask_ratio", |ui| {
            let field = ui.add(TextEdit::singleline(&mut text).desired_width(theme::NAME_COLUMN));
            if field.changed() {
                self.ratios = Some(text.clone());
            }
            match text.parse::<Ratios>() {
                Ok(ratios) if field.changed() => settings.mask_ratio = ratios,
                Ok(_) => {}
                Err(_) => is_list = false,
            }
            if field.lost_focus() {
                self.ratios = None;
            }
            field
        });
        if !is_list {
            ui.label("");
            ui.label(RichText::new("Shares such as 0.25, 0.5").color(theme::tokens(ui).wrong));
            ui.end_row();
        }
    }
}

fn in_words(ratios: &Ratios) -> String {
    ratios.0.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
}

fn ask(scope: &mut Scope<'_>, command: TrainCommand) {
    scope.ask(Command::Train(command));
}

fn preset(ui: &mut Ui, scope: &mut Scope<'_>) {
    ui.label(RichText::new("Next run").strong());
    ui.horizontal_wrapped(|ui| {
        let settings = &scope.session.training.settings;
        for preset in Preset::ALL {
            let is_chosen = settings.keeping_place(preset.settings()) == *settings;
            let button = egui::Button::new(preset.title()).selected(is_chosen);
            if ui.add(button).on_hover_text(preset_hint(preset)).clicked() {
                ask(scope, TrainCommand::Preset(preset));
            }
        }
    });
}

fn preset_hint(preset: Preset) -> &'static str {
    match preset {
        Preset::Laptop => "Width 256, 4 + 2 layers; becomes good in hours",
        Preset::Tiny => "A small model that learns something within minutes",
        Preset::BarcodeMae666 => "The published size; meant for a graphics card",
    }
}

fn objective_name(objective: Objective) -> &'static str {
    match objective {
        Objective::Mae => "Masked autoencoder",
        Objective::Mlm => "Masked language model",
        Objective::Causal => "Next k-mer (causal)",
    }
}

fn objective_hint(objective: Objective) -> &'static str {
    match objective {
        Objective::Mae => "The encoder never sees hidden k-mers; a decoder puts them back (BarcodeMAE)",
        Objective::Mlm => "Hidden k-mers are shown as [MASK], which never occurs when the model is used (BERT)",
        Objective::Causal => "Each k-mer is named from those before it",
    }
}

/// How long the run is: minutes, passes or steps.
fn length(ui: &mut Ui, settings: &mut TrainSettings) {
    let unit = if settings.minutes > 0.0 {
        0
    } else if settings.epochs > 0.0 {
        1
    } else {
        2
    };
    row(ui, ["minutes", "epochs", "steps"][unit], |ui| {
        let shown = ui.horizontal(|ui| {
            let field = match unit {
                0 => DragValue::new(&mut settings.minutes).range(0.1..=100_000.0).speed(1.0),
                1 => DragValue::new(&mut settings.epochs).range(0.01..=10_000.0).speed(0.1),
                _ => DragValue::new(&mut settings.steps).range(1..=100_000_000).speed(10.0),
            };
            let field = ui.add(field);
            let mut chosen = unit;
            let list = ComboBox::from_id_salt("length unit").width(theme::NAME_COLUMN / 2.0).selected_text(UNITS[unit]);
            let list = list.show_ui(ui, |ui| {
                for (index, name) in UNITS.into_iter().enumerate() {
                    ui.selectable_value(&mut chosen, index, name);
                }
            });
            list.response.on_hover_text("What the length is counted in");
            if chosen != unit {
                (settings.minutes, settings.epochs, settings.steps) =
                    [(20.0, 0.0, 0), (0.0, 10.0, 0), (0.0, 0.0, 1000)][chosen];
            }
            field
        });
        shown.inner
    });
}

const UNITS: [&str; 3] = ["minutes", "passes", "steps"];

fn size(ui: &mut Ui, settings: &mut TrainSettings) {
    Grid::new("train size").num_columns(2).show(ui, |ui| {
        number(ui, "k", &mut settings.k, 2..=8);
        number(ui, "max_bases", &mut settings.max_bases, 60..=1000);
        number(ui, "encoder_layers", &mut settings.encoder_layers, 1..=48);
        let names = ["encoder_width", "encoder_heads"];
        width_and_heads(ui, names, &mut settings.encoder_width, &mut settings.encoder_heads);
        number(ui, "encoder_inner", &mut settings.encoder_inner, 8..=16_384);
        if settings.objective == Objective::Mae {
            number(ui, "decoder_layers", &mut settings.decoder_layers, 1..=48);
            let names = ["decoder_width", "decoder_heads"];
            width_and_heads(ui, names, &mut settings.decoder_width, &mut settings.decoder_heads);
            number(ui, "decoder_inner", &mut settings.decoder_inner, 8..=16_384);
        }
    });
}

fn learning(ui: &mut Ui, session: &Session, settings: &mut TrainSettings) {
    Grid::new("train learning").num_columns(2).show(ui, |ui| {
        begin_with(ui, session, settings);
        number(ui, "batch", &mut settings.batch, 1..=4096);
        number(ui, "accumulation", &mut settings.accumulation, 1..=256);
        small(ui, "peak_rate", &mut settings.peak_rate, 1e-7..=1.0);
        small(ui, "weight_decay", &mut settings.weight_decay, 0.0..=0.5);
        small(ui, "clip", &mut settings.clip, 0.0..=1000.0);
        small(ui, "dropout", &mut settings.dropout, 0.0..=0.9);
        schedule(ui, settings);
        if settings.objective != Objective::Causal {
            let [random, kept] = [settings.random_share, settings.kept_share];
            small(ui, "random_share", &mut settings.random_share, 0.0..=(1.0 - kept).max(0.0));
            small(ui, "kept_share", &mut settings.kept_share, 0.0..=(1.0 - random).max(0.0));
            small(ui, "masked_weight", &mut settings.masked_weight, 0.01..=1.0);
        }
        if settings.objective == Objective::Mlm {
            switch(ui, "frozen_mask", &mut settings.frozen_mask, true, "as it began");
        }
        switch(ui, "random_offset", &mut settings.random_offset, !settings.register, "0 to k-1 bases");
    });
}

/// Where the model is trained, and with which numbers.
fn device(ui: &mut Ui, settings: &mut TrainSettings) {
    row(ui, "device", |ui| {
        let list = ComboBox::from_id_salt("train device").selected_text(device_name(settings.device));
        let list = list.show_ui(ui, |ui| {
            for choice in DeviceChoice::ALL {
                ui.selectable_value(&mut settings.device, choice, device_name(choice));
            }
        });
        list.response
    });
    if settings.device.may_be_gpu() || settings.precision != Precision::F32 {
        row(ui, "precision", |ui| {
            let list = ComboBox::from_id_salt("train precision").selected_text(precision_name(settings.precision));
            let list = list.show_ui(ui, |ui| {
                for precision in [Precision::F32, Precision::Bf16] {
                    ui.selectable_value(&mut settings.precision, precision, precision_name(precision));
                }
            });
            list.response
        });
    }
}

fn device_name(choice: DeviceChoice) -> &'static str {
    match choice {
        DeviceChoice::Auto => "Automatic",
        DeviceChoice::Cpu => "Processor",
        DeviceChoice::Cuda => "NVIDIA graphics card",
        DeviceChoice::Metal => "Apple graphics card",
    }
}

fn precision_name(precision: Precision) -> &'static str {
    match precision {
        Precision::F32 => "32 bits",
        Precision::Bf16 => "bfloat16, faster",
        Precision::F16 => "16 bits",
    }
}

/// The weights that the run begins with: random ones, or those of a model that is known here.
fn begin_with(ui: &mut Ui, session: &Session, settings: &mut TrainSettings) {
    row(ui, "begin_with", |ui| {
        let chosen = match Path::new(&settings.begin_with) {
            path if path.as_os_str().is_empty() => "Random".to_owned(),
            path => words::file_in_folder(path),
        };
        let list = ComboBox::from_id_salt("begin with").width(theme::NAME_COLUMN).truncate().selected_text(chosen);
        let list = list.show_ui(ui, |ui| {
            ui.selectable_value(&mut settings.begin_with, String::new(), "Random");
            for model in session.lab_models() {
                if let ModelSource::File(path) = model.source {
                    let text = words::file_in_folder(&path);
                    let file = path.display().to_string();
                    ui.selectable_value(&mut settings.begin_with, file, text).on_hover_text(model.about);
                }
            }
        });
        list.response
    });
}

fn schedule(ui: &mut Ui, settings: &mut TrainSettings) {
    row(ui, "schedule", |ui| {
        let list = ComboBox::from_id_salt("schedule").selected_text(settings.schedule.to_string());
        let list = list.show_ui(ui, |ui| {
            for kind in [ScheduleKind::OneCycle, ScheduleKind::WarmupCosine] {
                ui.selectable_value(&mut settings.schedule, kind, kind.to_string()).on_hover_text(match kind {
                    ScheduleKind::OneCycle => {
                        "Up in the first 30 % of the run, then down to almost nothing, as published"
                    }
                    ScheduleKind::WarmupCosine => "Up in the first 5 % of the run, then down to nothing",
                });
            }
        });
        list.response
    });
}

fn checks(ui: &mut Ui, settings: &mut TrainSettings, known: &[String], typed: &mut Option<String>) {
    Grid::new("train checks").num_columns(2).show(ui, |ui| {
        splits(ui, settings, known, typed);
        if settings.validation_split.is_empty() {
            small(ui, "validation_share", &mut settings.validation_share, 0.0..=0.5);
        }
        number(ui, "validation_barcodes", &mut settings.validation_barcodes, 0..=1_000_000);
        number(ui, "validate_every", &mut settings.validate_every, 1..=1_000_000);
        number(ui, "patience", &mut settings.patience, 0..=10_000);
        number(ui, "report_every", &mut settings.report_every, 1..=10_000);
        small(ui, "checkpoint_minutes", &mut settings.checkpoint_minutes, 0.1..=600.0);
    });
}

fn begin(ui: &mut Ui, scope: &mut Scope<'_>) {
    let training = &scope.session.training;
    let mut name = training.name.clone();
    let obstacle = training.obstacle();
    let weights =
        training.settings.checked().ok().and_then(|runs| runs.first().map(crate::train::CheckedSettings::parameters));
    let home = training.home.display().to_string();
    ui.horizontal(|ui| {
        let label = ui.label("Name");
        let field = ui.add(TextEdit::singleline(&mut name).desired_width(theme::NAME_COLUMN)).labelled_by(label.id);
        if field.on_hover_text(format!("Kept in {home}")).changed() {
            ask(scope, TrainCommand::Name(name));
        }
        let start = ui.add_enabled(obstacle.is_none(), egui::Button::new(RichText::new("Start").strong()));
        if start.clicked() {
            ask(scope, TrainCommand::Start);
        }
    });
    let tokens = theme::tokens(ui);
    if let Some(obstacle) = obstacle {
        ui.label(RichText::new(words::capitalised(&obstacle)).color(tokens.wrong));
    } else if let Some(weights) = weights.filter(|_| !scope.session.estimate_is_current()) {
        let text = format!("{} weights", words::count(weights));
        ui.label(RichText::new(text).small().color(tokens.quiet));
    }
}
