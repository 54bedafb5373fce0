//! The command line: arguments in, the use cases of [`crate::pipeline`], results to the named files, diagnostics to standard
//! error, facts as JSON to standard output.

mod args;
mod commands;
mod prepare;
mod watch;

pub use args::{Arguments, Command, Common};

use crate::model::DeviceChoice;
use crate::pipeline::{PipelineError, threads};
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;
use watch::{CANCELLED, Watch, to_stderr};

/// Exit code when the work failed.
const FAILED: u8 = 1;
/// Exit code for what can be seen to be wrong before any work.
const WRONG_USAGE: u8 = 2;

/// Why a command did not end well.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// The use case failed or was stopped.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
    /// The arguments make no sense together.
    #[error("{0}")]
    Usage(String),
    /// Whatever else prevents it.
    #[error("{0}")]
    Other(String),
}

impl<E> From<E> for CommandError
where
    E: Into<PipelineError> + NotPipeline,
{
    fn from(error: E) -> Self {
        Self::Pipeline(error.into())
    }
}

/// The errors of lower layers that become a [`PipelineError`] on their way up.
trait NotPipeline {}
impl NotPipeline for crate::model::ModelError {}
impl NotPipeline for crate::data::import::ImportError {}
impl NotPipeline for crate::pipeline::scope::ScopeError {}
impl NotPipeline for crate::pipeline::shards::ShardError {}
impl NotPipeline for crate::progress::Cancelled {}

/// What the command line asks for.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per run of the program")]
pub enum Task {
    /// A command.
    Command(Command, Common),
    /// The window.
    Window(WindowWish),
}

/// What the window should open with.
#[derive(Debug, Clone)]
pub struct WindowWish {
    /// Files to open together; none for the demo.
    pub files: Vec<PathBuf>,
    /// Everything else that was said.
    pub common: Common,
}

impl WindowWish {
    /// Where the model runs.
    pub fn device(&self) -> DeviceChoice {
        self.common.device()
    }
}

/// Reads the command line; prints help, version or what is wrong with it, and ends the program, where that is all there is to do.
pub fn parse() -> Arguments {
    Arguments::parse()
}

impl Arguments {
    /// The task that the arguments name.
    pub fn task(self) -> Task {
        match self.command {
            Some(command) => Task::Command(command, self.common),
            None => Task::Window(WindowWish { files: self.files, common: self.common }),
        }
    }
}

/// Starts the log on standard error; `RUST_LOG` says how much of it.
pub fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if let Err(error) = log.try_init() {
        tracing::debug!("a log runs already: {error}");
    }
}

/// Runs a command and answers the program's exit code: 0 done, 1 failed, 2 wrong usage, 130 stopped.
pub fn run(command: Command, common: &Common) -> ExitCode {
    threads::limit(common.threads());
    let watch = Watch::new(common.quiet);
    let outcome = commands::run(command, common, &watch);
    watch.finish();
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            if let CommandError::Pipeline(PipelineError::Cancelled(_)) = error {
                to_stderr("stopped; no unfinished file was left");
                return ExitCode::from(CANCELLED);
            }
            tell(&error);
            ExitCode::from(if matches!(error, CommandError::Usage(_)) { WRONG_USAGE } else { FAILED })
        }
    }
}

/// An error on standard error, with the causes that it does not tell itself.
fn tell(error: &CommandError) {
    to_stderr(&format!("error: {error}"));
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            to_stderr(&format!("  because: {text}"));
            told = text;
        }
        cause = error.source();
    }
}

/// Opens the window; where there is no display, or what it needs is missing, says so in one line and does the job headless.
#[cfg(feature = "gui")]
pub fn or_without_display<E: std::fmt::Display>(
    wish: WindowWish,
    open: impl FnOnce(crate::ui::UiOptions) -> Result<(), E>,
) -> ExitCode {
    threads::limit(wish.common.threads.map_or_else(threads::all_but_one, usize::from));
    if let Err(error) = wish.common.check() {
        tell(&error);
        return ExitCode::from(FAILED);
    }
    let options = prepare::ui_options(&wish);
    match prepare::display() {
        Ok(()) => match open(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => headless(wish, &error.to_string()),
        },
        Err(missing) => headless(wish, &missing),
    }
}

/// A program without a window says so and does the job headless.
#[cfg(not(feature = "gui"))]
pub fn without_window(wish: WindowWish) -> ExitCode {
    headless(wish, "this program was built without it")
}

/// One line, then the same job as a report with pictures.
fn headless(wish: WindowWish, why: &str) -> ExitCode {
    let why = why.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let watch_line = format!("no window ({}); a report with pictures is written instead", why.trim_end_matches('.'));
    to_stderr(&watch_line);
    run(Command::Demo(args::DemoArguments::instead_of_window(wish.files)), &wish.common)
}
