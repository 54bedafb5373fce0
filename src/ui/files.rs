//! Choosing files: the system's dialog where there is one, a field to type a path into where there is none.

use crate::session::SHARD;
use crate::session::export::Exported;
use crate::session::review::EXTENSION;
use crate::ui::theme;
use egui::{Context, Key, Modal, TextEdit};
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::task::{Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Endings of files that hold barcodes, and of sessions.
const DATA_ENDINGS: [&str; 13] =
    ["fa", "fas", "fasta", "fna", "ffn", "tsv", "csv", "txt", "gz", "zst", "zip", EXTENSION, SHARD];
/// Endings of models.
const MODEL_ENDINGS: [&str; 3] = ["safetensors", "pt", "pth"];
/// A dialog that is gone sooner than this was never there: the system has none after all.
const NEVER_SHOWN: Duration = Duration::from_millis(400);

/// What a file is wanted for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Purpose {
    /// To open it.
    Open,
    /// To use it as the model.
    Model,
    /// To try it as a model in the masking lab.
    LabModel,
    /// To add it to the session that is open.
    Add,
    /// To compare barcodes with the contaminants in it.
    Contaminants,
    /// To save everything as a session.
    Session,
    /// To write something into it.
    Save(Exported),
}

impl Purpose {
    fn title(&self) -> &'static str {
        match self {
            Self::Open => "Open barcodes",
            Self::Model | Self::LabModel => "Open a model",
            Self::Add => "Add to this session",
            Self::Contaminants => "Open contaminants",
            Self::Session => "Save as a session",
            Self::Save(what) => what.title().trim_end_matches('…'),
        }
    }

    fn verb(&self) -> &'static str {
        if matches!(self, Self::Save(_) | Self::Session) { "Save" } else { "Open" }
    }

    fn hint(&self) -> String {
        match self {
            Self::Open => "Path of a FASTA file, a table or a session; several are separated by ;".to_owned(),
            Self::Model | Self::LabModel => "Path of a .safetensors, .pt or .pth file, or of a model folder".to_owned(),
            Self::Add => "Paths of files to add, separated by ;".to_owned(),
            Self::Contaminants => "Path of a FASTA file of contaminants".to_owned(),
            Self::Session => format!("Path of the session; its ending is .{EXTENSION}"),
            Self::Save(what) => {
                format!("Path of the file; its ending says the format: .{}", what.endings().join(", ."))
            }
        }
    }

    /// The file name that is proposed.
    fn proposal(&self) -> String {
        match self {
            Self::Save(what) => format!("{}.{}", what.file_stem(), what.endings()[0]),
            Self::Session => format!("work.{EXTENSION}"),
            Self::Open | Self::Add | Self::Contaminants | Self::Model | Self::LabModel => String::new(),
        }
    }
}

/// A file that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// What for.
    pub purpose: Purpose,
    /// Which.
    pub paths: Vec<PathBuf>,
}

struct Waiting {
    purpose: Purpose,
    since: Instant,
    answer: Receiver<Option<Vec<PathBuf>>>,
}

struct Prompt {
    purpose: Purpose,
    text: String,
    fresh: bool,
}

/// Asks for files.
#[derive(Default)]
pub struct Chooser {
    waiting: Option<Waiting>,
    prompt: Option<Prompt>,
}

impl Chooser {
    /// Asks for a file: with the system's dialog, or with a field for the path.
    pub fn ask(&mut self, ctx: &Context, purpose: Purpose) {
        if system_has_dialogs() {
            self.waiting = Some(show_dialog(ctx, purpose));
        } else {
            self.prompt = Some(Prompt { text: purpose.proposal(), purpose, fresh: true });
        }
    }

    /// Whether the path field is open.
    pub fn is_prompting(&self) -> bool {
        self.prompt.is_some()
    }

    /// The file that was chosen since the last call.
    pub fn poll(&mut self) -> Option<Chosen> {
        let waiting = self.waiting.as_ref()?;
        let paths = match waiting.answer.try_recv() {
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => None,
            Ok(paths) => paths,
        };
        let waiting = self.waiting.take()?;
        if paths.is_none() && waiting.since.elapsed() < NEVER_SHOWN {
            self.prompt = Some(Prompt { text: waiting.purpose.proposal(), purpose: waiting.purpose, fresh: true });
            return None;
        }
        paths.map(|paths| Chosen { purpose: waiting.purpose, paths })
    }

    /// Draws the path field while it is open.
    pub fn show(&mut self, ctx: &Context) -> Option<Chosen> {
        let prompt = self.prompt.as_mut()?;
        let mut done = false;
        let modal = Modal::new(egui::Id::unique("path prompt")).show(ctx, |ui| {
            ui.set_width(theme::DIALOG);
            ui.heading(prompt.purpose.title());
            let label = ui.label(prompt.purpose.hint());
            let field =
                ui.add(TextEdit::singleline(&mut prompt.text).desired_width(f32::INFINITY)).labelled_by(label.id);
            if std::mem::take(&mut prompt.fresh) {
                field.request_focus();
            }
            let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            ui.horizontal(|ui| {
                let named = !prompt.text.trim().is_empty();
                done = ui.add_enabled(named, egui::Button::new(prompt.purpose.verb())).clicked() || (entered && named);
                if ui.button("Cancel").clicked() {
                    ui.close();
                }
            });
        });
        if done {
            let prompt = self.prompt.take()?;
            return Some(Chosen { paths: typed_paths(&prompt.text), purpose: prompt.purpose });
        }
        if modal.should_close() {
            self.prompt = None;
        }
        None
    }
}

/// The paths that somebody typed: separated by `;`, with or without quotes and `~`.
pub fn typed_paths(text: &str) -> Vec<PathBuf> {
    let home = directories::UserDirs::new().map(|user| user.home_dir().to_owned());
    text.split(';')
        .map(|part| part.trim().trim_matches(['"', '\'']))
        .filter(|part| !part.is_empty())
        .map(|part| match (part.strip_prefix("~/"), &home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(part),
        })
        .collect()
}

fn show_dialog(ctx: &Context, purpose: Purpose) -> Waiting {
    let (send, answer) = channel();
    let dialog = rfd::AsyncFileDialog::new().set_title(purpose.title());
    let paths = |file: rfd::FileHandle| vec![file.path().to_owned()];
    // The dialog is made here, because macOS makes windows on the first thread only, and waited for elsewhere.
    let chosen: std::pin::Pin<Box<dyn Future<Output = Option<Vec<PathBuf>>> + Send>> = match purpose {
        Purpose::Open | Purpose::Add => {
            let files = dialog.add_filter("Barcodes", &DATA_ENDINGS).add_filter("All files", &["*"]).pick_files();
            Box::pin(async move { Some(files.await?.into_iter().flat_map(paths).collect()) })
        }
        Purpose::Contaminants => {
            let file = dialog.add_filter("Sequences", &DATA_ENDINGS).add_filter("All files", &["*"]).pick_file();
            Box::pin(async move { file.await.map(paths) })
        }
        Purpose::Model | Purpose::LabModel => {
            let file = dialog.add_filter("Models", &MODEL_ENDINGS).add_filter("All files", &["*"]).pick_file();
            Box::pin(async move { file.await.map(paths) })
        }
        Purpose::Session => {
            let file = dialog.set_file_name(purpose.proposal()).add_filter("Sessions", &[EXTENSION]).save_file();
            Box::pin(async move { file.await.map(paths) })
        }
        Purpose::Save(what) => {
            let file = what
                .endings()
                .iter()
                .fold(dialog.set_file_name(purpose.proposal()), |dialog, ending| dialog.add_filter(*ending, &[ending]))
                .save_file();
            Box::pin(async move { file.await.map(paths) })
        }
    };
    let ctx = ctx.clone();
    std::thread::spawn(move || {
        // Nobody listens any more when the window is closed meanwhile.
        let _ = send.send(wait_for(chosen));
        ctx.request_repaint();
    });
    Waiting { purpose, since: Instant::now(), answer }
}

/// Whether the system can show a file dialog: a desktop portal over D-Bus, or zenity. Other systems always can.
fn system_has_dialogs() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let has_bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        || std::env::var_os("XDG_RUNTIME_DIR").is_some_and(|folder| PathBuf::from(folder).join("bus").exists());
    let path = std::env::var_os("PATH").unwrap_or_default();
    has_bus || std::env::split_paths(&path).any(|folder| folder.join("zenity").exists())
}

/// Wakes a parked thread.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_paths_may_be_quoted_and_several() {
        let paths = typed_paths(" \"a b.fasta\" ; c.tsv;; 'd.csv' ");
        assert_eq!(paths, ["a b.fasta", "c.tsv", "d.csv"].map(PathBuf::from));
        if let Some(user) = directories::UserDirs::new() {
            assert_eq!(typed_paths("~/x.fa"), [user.home_dir().join("x.fa")]);
        }
        assert!(typed_paths(" ; ").is_empty());
    }

    #[test]
    fn waiting_ends_when_another_thread_delivers() {
        let (send, receive) = channel();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            send.send(7).unwrap();
        });
        let answer = std::future::poll_fn(|context| match receive.try_recv() {
            Ok(value) => Poll::Ready(value),
            Err(_) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        });
        assert_eq!(wait_for(answer), 7);
    }
}
