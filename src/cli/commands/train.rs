//! `train`

use super::super::args::{Common, Switch, TrainArguments};
use super::super::watch::Watch;
use super::{CommandError, facts};
use crate::pipeline::train::{
    Estimate, RunFacts, TrainObserver, TrainOutcome, TrainRequest, TrainSource, estimate, train as train_models,
};
use crate::train::{Report, TrainChanges, Validation};
use std::path::Path;

pub(super) fn train(arguments: &TrainArguments, common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let mut changes = match &arguments.config {
        Some(path) => read_settings(path)?,
        None => TrainChanges::default(),
    };
    changes = changes.and(flags(arguments, common));
    let request = TrainRequest {
        source: TrainSource::Files(arguments.files.clone(), arguments.reading.options()?),
        folder: arguments.out.clone().unwrap_or_default(),
        settings: arguments.preset.unwrap_or_default().settings(),
        changes,
        resume: arguments.resume,
        sample: None,
    };
    if arguments.resume && arguments.preset.is_some() {
        return Err(CommandError::Usage("--preset is for new runs; a run that goes on has its settings".to_owned()));
    }
    if arguments.estimate {
        let estimates = estimate(&request, watch)?;
        estimates.iter().for_each(|estimate| watch.remark(&before_the_start(estimate)));
        return facts(common, watch, &estimates);
    }
    let outcomes = train_models(&request, watch).inspect_err(|error| {
        if error.is_cancelled() {
            watch.remark(&format!("what was trained is kept; go on with --out {} --resume", request.folder.display()));
        }
    })?;
    outcomes.iter().for_each(|outcome| watch.remark(&in_words(outcome)));
    facts(common, watch, &outcomes)
}

fn read_settings(path: &Path) -> Result<TrainChanges, CommandError> {
    let wrong = |what: String| CommandError::Usage(format!("{}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    toml::from_str(&text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))
}

/// The settings that flags change, those that every command has among them.
fn flags(arguments: &TrainArguments, common: &Common) -> TrainChanges {
    TrainChanges {
        register: common.register.map(|switch| switch == Switch::On),
        seed: common.seed,
        device: common.device,
        precision: common.precision,
        ..arguments.settings.clone()
    }
}

fn before_the_start(estimate: &Estimate) -> String {
    let mega = |bytes: u64| bytes as f64 / 1e6;
    let memory =
        estimate.memory_bytes.map_or_else(String::new, |bytes| format!(", about {:.0} MB of memory", mega(bytes)));
    format!(
        "mask ratio {}: {} weights, {:.1} MB on disk{memory}; on {}, {:.3} s a step of {} barcodes (timed on {} steps of \
         {}); {} steps, {:.2} passes over {} barcodes, {:.1} min and {:.1} min for validations",
        estimate.mask_ratio,
        estimate.parameters,
        mega(estimate.model_bytes),
        estimate.device,
        estimate.seconds_per_step,
        estimate.barcodes_per_step,
        estimate.timed_steps,
        estimate.timed_barcodes,
        estimate.steps,
        estimate.epochs,
        estimate.barcodes,
        estimate.training_seconds / 60.0,
        estimate.validation_seconds / 60.0,
    )
}

fn in_words(outcome: &TrainOutcome) -> String {
    let best = outcome.best.map_or_else(String::new, |best| {
        format!("; best validation at step {}: loss {:.4}, {:.1} % named", best.step, best.loss, 100.0 * best.accuracy)
    });
    let early = if outcome.stopped_early { ", stopped early" } else { "" };
    format!("{}: {} steps, {:.2} passes{early}{best}", outcome.model.display(), outcome.steps, outcome.epochs)
}

impl TrainObserver for Watch {
    fn began(&self, run: &RunFacts) {
        let from = if run.from_step > 0 { format!(", from step {}", run.from_step) } else { String::new() };
        self.remark(&format!(
            "{}: {} weights on {}, {} barcodes to train on, {} set aside{from}",
            run.folder.display(),
            run.parameters,
            run.device,
            run.barcodes,
            run.validation_barcodes,
        ));
    }

    fn reported(&self, report: &Report) {
        let compared = report.contrast_loss.zip(report.partners_found).map_or_else(String::new, |(loss, found)| {
            format!(", contrast {loss:.4}, {:.1} % of partners found", 100.0 * found)
        });
        self.now_and_then(&|| {
            format!(
                "step {}, pass {:.2}: loss {:.4}, {:.1} % named{compared}, gradient {:.2}, rate {:.2e}, {:.1} barcodes/s ({:.0} tokens/s in \
                 the encoder, {:.0} in the decoder)",
                report.step,
                report.epoch,
                report.loss,
                100.0 * report.accuracy,
                report.gradient_norm,
                report.learning_rate,
                report.sequences_per_second,
                report.encoder_tokens_per_second,
                report.decoder_tokens_per_second,
            )
        });
    }

    fn validated(&self, validation: &Validation, best: bool) {
        let best = if best { ", the best so far" } else { "" };
        self.remark(&format!(
            "validation at step {}: loss {:.4}, {:.1} % named{best}",
            validation.step,
            validation.loss,
            100.0 * validation.accuracy
        ));
    }
}
