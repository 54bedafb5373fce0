//! The settings of the next run.

use crate::model::{DeviceChoice, Precision};
use crate::session::Command;
use crate::session::training::TrainCommand;
use crate::train::{Objective, Preset, Ratios, ScheduleKind, TrainSettings};
use crate::ui::scope::Scope;
use crate::ui::{theme, words};
use egui::emath::Numeric;
use egui::{CollapsingHeader, ComboBox, DragValue, Grid, RichText, TextEdit, Ui};
use std::ops::RangeInclusive;

/// The form, while it is being filled in.
#[derive(Default)]
pub(super) struct Form {
    /// The mask ratios as they are being typed, which need not make sense yet.
    ratios: Option<String>,
}

impl Form {
    pub(super) fn show(&mut self, ui: &mut Ui, scope: &mut Scope<'_>) {
        preset(ui, scope);
        let before = &scope.session.training.settings;
        let mut settings = before.clone();
        self.main(ui, &mut settings);
        CollapsingHeader::new("Size of the model").show(ui, |ui| size(ui, &mut settings));
        CollapsingHeader::new("Learning").show(ui, |ui| learning(ui, &mut settings));
        CollapsingHeader::new("Validation and checkpoints").show(ui, |ui| checks(ui, &mut settings));
        if settings != *before {
            ask(scope, TrainCommand::Set(Box::new(settings)));
        }
        ui.add_space(theme::GAP);
        begin(ui, scope);
    }

    fn main(&mut self, ui: &mut Ui, settings: &mut TrainSettings) {
        Grid::new("train main").num_columns(2).show(ui, |ui| {
            let label = ui.label("Objective").on_hover_text("What the model learns by");
            ComboBox::from_id_salt("objective")
                .selected_text(objective_name(settings.objective))
                .show_ui(ui, |ui| {
                    for objective in [Objective::Mae, Objective::Mlm, Objective::Causal] {
                        ui.selectable_value(&mut settings.objective, objective, objective_name(objective))
                            .on_hover_text(objective_hint(objective));
                    }
                })
                .response
                .labelled_by(label.id)
                .on_hover_text(objective_hint(settings.objective));
            ui.end_row();
            if settings.objective != Objective::Causal {
                self.mask_ratio(ui, settings);
                ui.end_row();
            }
            length(ui, settings);
            ui.end_row();
            number(
                ui,
                "Seed",
                "Of every random draw: the same seed gives the same model",
                &mut settings.seed,
                0..=u64::MAX,
            );
            ui.end_row();
            ui.label("Registered")
                .on_hover_text("Whether barcodes are shifted to the COI-5P frame before they are cut into k-mers");
            ui.checkbox(&mut settings.register, "to the COI-5P frame");
            ui.end_row();
            device(ui, settings);
        });
    }

    /// One ratio or several, each of which makes a run.
    fn mask_ratio(&mut self, ui: &mut Ui, settings: &mut TrainSettings) {
        let hint = "Share of the k-mers that is hidden; several, with commas, train one model each";
        let label = ui.label("Hidden share").on_hover_text(hint);
        let mut text = self.ratios.clone().unwrap_or_else(|| in_words(&settings.mask_ratio));
        let field = ui.add(TextEdit::singleline(&mut text).desired_width(theme::NAME_COLUMN)).labelled_by(label.id);
        if field.changed() {
            if let Ok(ratios) = text.parse::<Ratios>() {
                settings.mask_ratio = ratios;
            }
            self.ratios = Some(text);
        }
        if field.lost_focus() {
            self.ratios = None;
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
        Preset::Laptop => "The size of the bundled model; learns for hours",
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
    let label = ui.label("Length").on_hover_text("How long the model learns; it can be paused and stopped at any time");
    ui.horizontal(|ui| {
        let unit = if settings.minutes > 0.0 {
            ui.add(DragValue::new(&mut settings.minutes).range(0.1..=100_000.0).speed(1.0)).labelled_by(label.id);
            0
        } else if settings.epochs > 0.0 {
            ui.add(DragValue::new(&mut settings.epochs).range(0.01..=10_000.0).speed(0.1)).labelled_by(label.id);
            1
        } else {
            ui.add(DragValue::new(&mut settings.steps).range(1..=100_000_000).speed(10.0)).labelled_by(label.id);
            2
        };
        let mut chosen = unit;
        ComboBox::from_id_salt("length unit")
            .width(theme::NAME_COLUMN / 2.0)
            .selected_text(UNITS[unit])
            .show_ui(ui, |ui| {
                for (index, name) in UNITS.into_iter().enumerate() {
                    ui.selectable_value(&mut chosen, index, name);
                }
            })
            .response
            .labelled_by(label.id);
        if chosen != unit {
            (settings.minutes, settings.epochs, settings.steps) =
                [(20.0, 0.0, 0), (0.0, 10.0, 0), (0.0, 0.0, 1000)][chosen];
        }
    });
}

const UNITS: [&str; 3] = ["minutes", "passes", "steps"];

fn number<N: Numeric>(ui: &mut Ui, name: &str, hint: &str, value: &mut N, range: RangeInclusive<N>) {
    let label = ui.label(name).on_hover_text(hint);
    ui.add(DragValue::new(value).range(range).speed(0.1)).labelled_by(label.id).on_hover_text(hint);
}

/// A number whose size spans several powers of ten.
fn small(ui: &mut Ui, name: &str, hint: &str, value: &mut f64, most: f64) {
    let label = ui.label(name).on_hover_text(hint);
    let speed = (*value / 50.0).max(1e-7);
    let field = DragValue::new(value).range(0.0..=most).speed(speed).custom_formatter(|value, _| format!("{value}"));
    ui.add(field).labelled_by(label.id).on_hover_text(hint);
}

fn size(ui: &mut Ui, settings: &mut TrainSettings) {
    Grid::new("train size").num_columns(2).show(ui, |ui| {
        let mut row = |name: &str, hint: &str, value: &mut usize, range: RangeInclusive<usize>| {
            number(ui, name, hint, value, range);
            ui.end_row();
        };
        row("Bases of a k-mer", "Larger k-mers make shorter barcodes and a larger table", &mut settings.k, 1..=8);
        row("Encoder layers", "Depth of the part that is kept", &mut settings.encoder_layers, 1..=48);
        row("Encoder width", "Length of an embedding", &mut settings.encoder_width, 8..=4096);
        row("Encoder inner width", "Width inside its feed-forward blocks", &mut settings.encoder_inner, 8..=16_384);
        row("Encoder heads", "They divide the width", &mut settings.encoder_heads, 1..=64);
        if settings.objective == Objective::Mae {
            row("Decoder layers", "Depth of the part that puts k-mers back", &mut settings.decoder_layers, 1..=48);
            row("Decoder width", "Its width", &mut settings.decoder_width, 8..=4096);
            row("Decoder inner width", "Width inside its feed-forward blocks", &mut settings.decoder_inner, 8..=16_384);
            row("Decoder heads", "They divide its width", &mut settings.decoder_heads, 1..=64);
        }
    });
}

fn learning(ui: &mut Ui, settings: &mut TrainSettings) {
    Grid::new("train learning").num_columns(2).show(ui, |ui| {
        number(ui, "Batch", "Barcodes that pass through the network together", &mut settings.batch, 1..=4096);
        ui.end_row();
        number(ui, "Accumulation", "Batches that make one step", &mut settings.accumulation, 1..=256);
        ui.end_row();
        small(
            ui,
            "Peak learning rate",
            "For a step of 64 barcodes; too high and the loss rises",
            &mut settings.peak_rate,
            1.0,
        );
        ui.end_row();
        small(ui, "Weight decay", "How much every weight shrinks", &mut settings.weight_decay, 1.0);
        ui.end_row();
        small(ui, "Longest gradient", "Longer ones are shortened to it; 0: none is", &mut settings.clip, 1000.0);
        ui.end_row();
        small(ui, "Dropout", "Share of the values that is dropped at random", &mut settings.dropout, 0.9);
        ui.end_row();
        let label = ui.label("Schedule").on_hover_text("How the learning rate goes");
        ComboBox::from_id_salt("schedule")
            .selected_text(settings.schedule.to_string())
            .show_ui(ui, |ui| {
                for kind in [ScheduleKind::OneCycle, ScheduleKind::WarmupCosine] {
                    ui.selectable_value(&mut settings.schedule, kind, kind.to_string());
                }
            })
            .response
            .labelled_by(label.id);
        ui.end_row();
        if settings.objective != Objective::Causal {
            small(
                ui,
                "Shown as another",
                "Share of the hidden k-mers shown as another k-mer",
                &mut settings.random_share,
                1.0,
            );
            ui.end_row();
            small(ui, "Shown as it is", "Share of the hidden k-mers shown as they are", &mut settings.kept_share, 1.0);
            ui.end_row();
            small(
                ui,
                "Weight of the hidden",
                "Share of the loss that the hidden k-mers make",
                &mut settings.masked_weight,
                1.0,
            );
            ui.end_row();
        }
        ui.label("Random offset").on_hover_text("Registered models never have one");
        ui.add_enabled(!settings.register, egui::Checkbox::new(&mut settings.random_offset, "cut 0 to k-1 bases off"));
        ui.end_row();
    });
}

/// Where the model is trained, and with which numbers.
fn device(ui: &mut Ui, settings: &mut TrainSettings) {
    let label =
        ui.label("Device").on_hover_text("Automatic: a graphics card where one can be used, else the processor");
    ComboBox::from_id_salt("train device")
        .selected_text(device_name(settings.device))
        .show_ui(ui, |ui| {
            for choice in DeviceChoice::ALL {
                ui.selectable_value(&mut settings.device, choice, device_name(choice));
            }
        })
        .response
        .labelled_by(label.id);
    ui.end_row();
    if settings.device.may_be_gpu() || settings.precision != Precision::F32 {
        let hint = "Of the products on a graphics card; weights, losses and the processor always have 32 bits";
        let label = ui.label("Numbers").on_hover_text(hint);
        ComboBox::from_id_salt("train precision")
            .selected_text(precision_name(settings.precision))
            .show_ui(ui, |ui| {
                for precision in [Precision::F32, Precision::Bf16] {
                    ui.selectable_value(&mut settings.precision, precision, precision_name(precision));
                }
            })
            .response
            .labelled_by(label.id)
            .on_hover_text(hint);
        ui.end_row();
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

fn checks(ui: &mut Ui, settings: &mut TrainSettings) {
    Grid::new("train checks").num_columns(2).show(ui, |ui| {
        small(ui, "Set aside", "Share of the barcodes that is not trained on", &mut settings.validation_share, 0.5);
        ui.end_row();
        number(ui, "At most", "Barcodes to validate on", &mut settings.validation_barcodes, 0..=1_000_000);
        ui.end_row();
        number(ui, "Every", "Steps between two validations", &mut settings.validate_every, 1..=1_000_000);
        ui.end_row();
        number(
            ui,
            "Patience",
            "Validations without improvement before it stops; 0: it never does",
            &mut settings.patience,
            0..=10_000,
        );
        ui.end_row();
        small(ui, "Checkpoint every", "Minutes", &mut settings.checkpoint_minutes, 600.0);
        ui.end_row();
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
    } else if let Some(weights) = weights {
        // Weights, their gradient and two moments, in 32 bits each.
        let mebibytes = (16 * weights).div_ceil(1 << 20);
        let text = format!(
            "{} weights; {} MiB of memory for them, and more for what passes through",
            words::count(weights),
            words::count(mebibytes)
        );
        ui.label(RichText::new(text).small().color(tokens.quiet));
    }
}
