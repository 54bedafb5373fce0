//! The program behind the window: takes in what jobs tell, draws, and passes on what was asked for.

use super::files::{Chooser, Chosen, Purpose};
use super::frames::FrameLog;
use super::panels::columns::ColumnForm;
use super::scope::{Asked, Overlay, Scope};
use super::shell;
use super::theme;
use super::topbar::TopBar;
use super::views::Views;
use crate::jobs::{Live, Output, Runner, Workshop};
use crate::seed::Seed;
use crate::session::masking::LabCommand;
use crate::session::review::ReviewCommand;
use crate::session::settings::{Settings, Shade};
use crate::session::{Command, Effect, Input, Session, apply};
use egui::{Context, ThemePreference};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time per frame for news of jobs; what is left comes with the next frame.
const NEWS_BUDGET: Duration = Duration::from_millis(5);
/// Time that jobs have to end when the window is closed.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// What the window starts with.
#[derive(Debug, Clone, Default)]
pub struct Beginning {
    /// Files to open.
    pub files: Vec<PathBuf>,
    /// Open the demo.
    pub demo: bool,
    /// The model to use in this run; `None` takes the one used last.
    pub model: Option<PathBuf>,
    /// Models that were found on this machine.
    pub models: Vec<PathBuf>,
    /// Where models that are trained are kept; `None` for a folder `models` where the program was started.
    pub models_home: Option<PathBuf>,
    /// Where decisions are kept that have no session of their own; `None` nowhere.
    pub decisions_home: Option<PathBuf>,
    /// Seed of everything random.
    pub seed: Seed,
    /// Where the settings are kept; `None` neither reads nor writes any.
    pub settings_file: Option<PathBuf>,
    /// Where the time of every frame is written down; `None` nowhere.
    pub frame_log: Option<PathBuf>,
}

/// The program behind the window.
pub struct App {
    pub(super) session: Session,
    runner: Option<Runner<Output>>,
    workshop: Arc<Workshop>,
    settings_file: Option<PathBuf>,
    frames: Option<FrameLog>,
    pub(super) chooser: Chooser,
    pub(super) top_bar: TopBar,
    pub(super) views: Views,
    pub(super) columns: ColumnForm,
    pub(super) overlay: Option<Overlay>,
}

impl App {
    /// A program with its first commands given.
    ///
    /// # Errors
    /// When the system gives no threads, or the log of the frames can't be written.
    pub fn new(ctx: &Context, beginning: &Beginning, workshop: Workshop) -> std::io::Result<Self> {
        theme::install(ctx);
        let woken = ctx.clone();
        let runner = Runner::new(move || woken.request_repaint())?;
        let (settings, complaint) = match beginning.settings_file.as_deref().map(Settings::read) {
            None => (Settings::default(), None),
            Some(Ok(settings)) => (settings, None),
            Some(Err(complaint)) => (Settings::default(), Some(complaint)),
        };
        let mut app = Self {
            session: Session::new(settings, beginning.seed),
            runner: Some(runner),
            workshop: Arc::new(workshop),
            settings_file: beginning.settings_file.clone(),
            frames: beginning.frame_log.as_deref().map(FrameLog::create).transpose()?,
            chooser: Chooser::default(),
            top_bar: TopBar::default(),
            views: Views::default(),
            columns: ColumnForm::default(),
            overlay: None,
        };
        app.show_settings(ctx);
        // The model of this run is no setting: the next run takes the one used last.
        app.session.choices.model.clone_from(&beginning.model);
        app.session.models.clone_from(&beginning.models);
        app.session.keep_runs_in(beginning.models_home.as_deref().unwrap_or(Path::new("models")));
        if let Some(home) = &beginning.decisions_home {
            let effect = app.session.look_for_recoveries(home.clone());
            app.take_effect(ctx, effect);
        }
        let file = match (beginning.files.is_empty(), beginning.demo) {
            (false, _) => Some(Command::Open(beginning.files.clone())),
            (true, true) => Some(Command::OpenDemo),
            (true, false) => None,
        };
        for command in complaint.map(Command::Note).into_iter().chain(file) {
            app.obey(ctx, command);
        }
        Ok(app)
    }

    /// The state that is shown.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Gives a command, as if it had been asked for in the window.
    pub fn obey(&mut self, ctx: &Context, command: Command) {
        self.tell(ctx, Input::Command(command));
    }

    fn tell(&mut self, ctx: &Context, input: Input) {
        for effect in apply(&mut self.session, input) {
            self.take_effect(ctx, effect);
        }
    }

    fn take_effect(&mut self, ctx: &Context, effect: Effect) {
        match effect {
            Effect::Start(id, task) => {
                let Some(runner) = &mut self.runner else { return };
                let workshop = Arc::clone(&self.workshop);
                runner.start(id, task.kind(), task.name(), move |observer| workshop.run(*task, observer));
            }
            Effect::Stop(id) => self.runner.iter().for_each(|runner| runner.cancel(id)),
            Effect::SaveSettings => {
                self.save_settings();
                self.show_settings(ctx);
            }
        }
    }

    fn save_settings(&mut self) {
        let Some(file) = &self.settings_file else { return };
        if let Err(error) = self.session.settings.write(file) {
            let text = format!("the settings cannot be kept in {}: {error}", file.display());
            self.session.log.add(crate::session::log::Level::Warning, "Barcodescope", text, Vec::new());
        }
    }

    fn show_settings(&self, ctx: &Context) {
        let settings = &self.session.settings;
        ctx.set_theme(match settings.shade {
            Shade::System => ThemePreference::System,
            Shade::Light => ThemePreference::Light,
            Shade::Dark => ThemePreference::Dark,
        });
        if let Some(zoom) = settings.zoom {
            ctx.set_zoom_factor(zoom);
        }
    }

    /// The latest news of the job that the status bar is about.
    pub(super) fn live(&self) -> Option<Live> {
        self.runner.as_ref()?.live(self.session.job()?)
    }

    fn take_news(&mut self, ctx: &Context) {
        let start = Instant::now();
        while let Some(event) = self.runner.as_mut().and_then(Runner::poll) {
            self.tell(ctx, Input::Job(event));
            if start.elapsed() > NEWS_BUDGET {
                ctx.request_repaint();
                break;
            }
        }
        if let Some(chosen) = self.chooser.poll() {
            self.take_file(ctx, chosen);
        }
    }

    pub(super) fn take_file(&mut self, ctx: &Context, chosen: Chosen) {
        let command = match chosen.purpose {
            Purpose::Open => Some(Command::Open(chosen.paths)),
            Purpose::Add => Some(Command::Review(ReviewCommand::AddFiles(chosen.paths))),
            Purpose::Contaminants => {
                let path = chosen.paths.into_iter().next();
                path.map(|path| Command::Review(ReviewCommand::Screen(Some(path))))
            }
            Purpose::Session => {
                let path = chosen.paths.into_iter().next();
                path.map(|path| Command::Review(ReviewCommand::SaveAs(path)))
            }
            Purpose::Save(what) => chosen.paths.into_iter().next().map(|path| Command::Export(what, path)),
            Purpose::Model => chosen.paths.into_iter().next().map(|path| Command::UseModel(Some(path))),
            Purpose::LabModel => {
                let path = chosen.paths.into_iter().next();
                path.map(|path| Command::Lab(LabCommand::Offer(path)))
            }
        };
        if let Some(command) = command {
            self.obey(ctx, command);
        }
    }

    /// Does what was asked for while drawing.
    pub(super) fn answer(&mut self, ctx: &Context, asked: Vec<Asked>) {
        if !asked.is_empty() {
            // What was asked for shows in the next frame.
            ctx.request_repaint();
        }
        for asked in asked {
            match asked {
                Asked::Command(command) => self.obey(ctx, command),
                Asked::File(purpose) => self.chooser.ask(ctx, purpose),
                Asked::Overlay(overlay) => self.overlay = Some(overlay),
                Asked::Search => self.top_bar.to_search = true,
            }
        }
    }

    /// Draws one frame.
    pub fn show(&mut self, ui: &mut egui::Ui) {
        let live = self.live();
        let asked = {
            let mut scope = Scope::new(&self.session, live.as_ref());
            shell::show(
                ui,
                &mut scope,
                &mut shell::Parts {
                    top_bar: &mut self.top_bar,
                    views: &mut self.views,
                    columns: &mut self.columns,
                    overlay: &mut self.overlay,
                    prompting: self.chooser.is_prompting(),
                },
            );
            scope.asked
        };
        let ctx = ui.ctx().clone();
        if let Some(chosen) = self.chooser.show(&ctx) {
            self.take_file(&ctx, chosen);
        }
        self.answer(&ctx, asked);
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, frame: &mut eframe::Frame) {
        if let (Some(frames), Some(seconds)) = (&mut self.frames, frame.info().cpu_usage) {
            frames.note(seconds, self.runner.as_ref().map_or(0, |runner| runner.jobs().count()));
        }
        self.take_news(ctx);
    }

    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        self.show(ui);
    }
}

impl Drop for App {
    /// Files that are being written are waited for. `App::on_exit` would do, too, but its signature changes with the renderer.
    fn drop(&mut self) {
        if let Some(runner) = self.runner.take() {
            runner.shutdown(LAST_WAIT);
        }
    }
}
