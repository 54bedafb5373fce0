//! One function per command: settings in, use case, files and JSON out.

mod analyse;
mod audit;
mod check;
mod compare;
mod discover;
mod embed;
mod evaluate;
mod gap;
mod masking;
mod model;
mod reconstruct;
mod session;
mod simulate;
mod train;

use super::CommandError;
use super::args::{CacheCommand, Command, Common};
use super::watch::Watch;
use serde::Serialize;
use std::io::Write;

/// Runs a command; answers the exit code of one that ended, for better or worse.
pub(super) fn run(command: Command, common: &Common, watch: &Watch) -> Result<u8, CommandError> {
    common.check()?;
    match command {
        Command::Check(arguments) => return check::check(&arguments, common, watch),
        Command::Model(arguments) => model::model(&arguments, common, watch)?,
        Command::Embed(arguments) => embed::embed(&arguments, common, watch)?,
        Command::Classify(arguments) => analyse::classify(&arguments, common, watch)?,
        Command::Cluster(arguments) => analyse::cluster(&arguments, common, watch)?,
        Command::Project(arguments) => analyse::project(&arguments, common, watch)?,
        Command::Audit(arguments) => audit::run(&arguments, common, watch)?,
        Command::Gap(arguments) => gap::run(&arguments, common, watch)?,
        Command::Discover(arguments) => discover::run(&arguments, common, watch)?,
        Command::Evaluate(arguments) => evaluate::evaluate(&arguments, common, watch)?,
        Command::Masking(arguments) => masking::run(&arguments, common, watch)?,
        Command::Reconstruct(arguments) => reconstruct::run(&arguments, common, watch)?,
        Command::Compare(arguments) => compare::run(&arguments, common, watch)?,
        Command::Train(arguments) => train::train(&arguments, common, watch)?,
        Command::Simulate(arguments) => simulate::simulate(&arguments, common, watch)?,
        Command::Demo(arguments) => simulate::demo(&arguments, common, watch)?,
        Command::Session(command) => session::session(&command, common, watch)?,
        Command::Cache(CacheCommand::Clear) => clear_cache(common, watch)?,
    }
    Ok(0)
}

fn clear_cache(common: &Common, watch: &Watch) -> Result<(), CommandError> {
    let Some(cache) = common.cache() else {
        return Err(CommandError::Usage("there is no cache folder; name one with --cache-dir".to_owned()));
    };
    let folder = cache.folder().display().to_string();
    let bytes = cache.clear().map_err(|error| CommandError::Other(format!("cannot clear {folder}: {error}")))?;
    watch.remark(&format!("{:.1} MB freed in {folder}", bytes as f64 / 1e6));
    facts(common, watch, &serde_json::json!({ "cache": folder, "bytes_freed": bytes }))
}

/// Prints the facts of a run as JSON on standard output, where that was asked for.
fn facts(common: &Common, watch: &Watch, facts: &impl Serialize) -> Result<(), CommandError> {
    if !common.json {
        return Ok(());
    }
    let text = serde_json::to_string_pretty(facts).map_err(|error| CommandError::Other(error.to_string()))?;
    print(watch, &text)
}

/// Prints a result on standard output.
fn print(watch: &Watch, text: &str) -> Result<(), CommandError> {
    watch.finish();
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        // Whoever reads, `head` for example, has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(CommandError::Other(format!("cannot write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}
