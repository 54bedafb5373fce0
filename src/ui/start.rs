//! Opens the window, or says in one line why there is none.

use super::app::{App, Beginning};
use super::theme;
use crate::jobs::{Workshop, WorkshopOptions};
use crate::seed::Seed;
use crate::session::settings::Settings;
use eframe::NativeOptions;
use egui::ViewportBuilder;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The name that the system knows the window by.
const APP_ID: &str = "barcodescope";
/// The environment variable that names a file for the time of every frame.
const FRAME_LOG: &str = "BARCODESCOPE_FRAMES";
/// The icon, as a PNG.
const ICON: &[u8] = include_bytes!("../../assets/icon.png");

/// What the window opens with.
#[derive(Debug, Clone, Default)]
pub struct UiOptions {
    /// Files to open together.
    pub files: Vec<PathBuf>,
    /// The model to use; `None` takes the one used last, at first the bundled one.
    pub model: Option<PathBuf>,
    /// Models that were found on this machine.
    pub models: Vec<PathBuf>,
    /// Seed of everything random.
    pub seed: Seed,
    /// How everything is read and where it is kept.
    pub workshop: WorkshopOptions,
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum UiError {
    /// There is no display, or a library that the window needs is missing.
    #[error("{reason}")]
    NoDisplay {
        /// What is missing, and what to do about it.
        reason: String,
    },
}

/// Opens the window and returns when it is closed.
///
/// # Errors
/// [`UiError::NoDisplay`] when no window can be opened: without a display, without a library that it needs, without a way to
/// draw.
pub fn run(options: UiOptions) -> Result<(), UiError> {
    let opened = Arc::new(AtomicBool::new(false));
    let said = Arc::new(Mutex::new(None));
    let hook = silence_until(Arc::clone(&opened), Arc::clone(&said));
    let result = catch_unwind(AssertUnwindSafe(|| open(options, &opened)));
    drop(hook);
    match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(UiError::NoDisplay { reason: reason(&error.to_string()) }),
        // A fault of the program itself, after the window was there, is not about displays.
        Err(panic) if opened.load(Ordering::SeqCst) => resume_unwind(panic),
        Err(_) => {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner).take();
            Err(UiError::NoDisplay { reason: reason(&said.unwrap_or_default()) })
        }
    }
}

fn open(options: UiOptions, opened: &Arc<AtomicBool>) -> eframe::Result {
    let folders = directories::ProjectDirs::from("", "", APP_ID);
    let settings_file = folders.as_ref().map(|folders| folders.config_dir().join("settings.json"));
    // Somebody who opens the program for the first time sees what it does; later the welcome page has their files.
    let is_first_time = settings_file
        .as_deref()
        .is_none_or(|file| Settings::read(file).is_ok_and(|settings| settings == Settings::default()));
    let beginning = Beginning {
        demo: is_first_time,
        files: options.files,
        model: options.model,
        models: options.models,
        decisions_home: folders.as_ref().map(|folders| folders.data_dir().join("decisions")),
        models_home: folders.map(|folders| folders.data_dir().join("models")),
        seed: options.seed,
        settings_file,
        frame_log: std::env::var_os(FRAME_LOG).map(PathBuf::from),
    };
    let mut viewport = ViewportBuilder::default()
        .with_app_id(APP_ID)
        .with_title("Barcodescope")
        .with_inner_size(theme::FIRST_WINDOW)
        .with_min_inner_size(theme::MIN_WINDOW)
        .with_drag_and_drop(true);
    if let Ok(icon) = eframe::icon_data::from_png_bytes(ICON) {
        viewport = viewport.with_icon(icon);
    }
    let native = NativeOptions { viewport, ..NativeOptions::default() };
    let opened = Arc::clone(opened);
    eframe::run_native(
        APP_ID,
        native,
        Box::new(move |creation| {
            opened.store(true, Ordering::SeqCst);
            Ok(Box::new(App::new(&creation.egui_ctx, &beginning, Workshop::new(options.workshop))?))
        }),
    )
}

/// Puts the panic hook back when dropped.
struct HookGuard(Arc<Hook>);

type Hook = dyn Fn(&std::panic::PanicHookInfo<'_>) + Sync + Send;

impl Drop for HookGuard {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let before = Arc::clone(&self.0);
            std::panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}

/// Until the window is there, panics (winit's, when a library is missing) are kept in `said` and not printed.
fn silence_until(opened: Arc<AtomicBool>, said: Arc<Mutex<Option<String>>>) -> HookGuard {
    let before: Arc<Hook> = Arc::from(std::panic::take_hook());
    let loud = Arc::clone(&before);
    std::panic::set_hook(Box::new(move |info| {
        if opened.load(Ordering::SeqCst) {
            loud(info);
        } else {
            let text = info.payload_as_str().unwrap_or_default().to_owned();
            *said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        }
    }));
    HookGuard(before)
}

/// One readable line from what a library says.
fn reason(said: &str) -> String {
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = line.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let advice = if has(&["xkbcommon"]) {
        "the library libxkbcommon-x11 is missing; install libxkbcommon-x11-0 (Debian, Ubuntu) or libxkbcommon-x11 (Fedora, Arch)"
    } else if has(&["libx11", "libxcursor", "libxi.so", "libx11-xcb", "xcb"]) {
        "a library of the X Window System is missing; install libx11-6, libx11-xcb1, libxcursor1 and libxi6 (Debian, Ubuntu)"
    } else if has(&["adapter", "vulkan", "egl", "opengl", "libgl", "wgpu", "surface", "graphics"]) {
        "there is no way to draw: install a graphics driver, or mesa-vulkan-drivers and libvulkan1, or libegl1 and libgl1-mesa-dri"
    } else if has(&["display", "wayland", "xopendisplay", "event loop", "eventloop", "connection"]) {
        "no display can be reached; is one set in DISPLAY or WAYLAND_DISPLAY?"
    } else {
        "the window could not be opened"
    };
    if line.is_empty() { advice.to_owned() } else { format!("{advice} ({})", shortened(&line)) }
}

fn shortened(line: &str) -> String {
    const LETTERS: usize = 200;
    if line.chars().count() <= LETTERS { line.to_owned() } else { line.chars().take(LETTERS).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_in_one_line() {
        let xkb = reason("Library libxkbcommon-x11.so could not be loaded.\n  at somewhere");
        assert!(xkb.contains("libxkbcommon-x11-0") && !xkb.contains('\n'), "{xkb}");
        assert!(reason("WGPU error: No suitable adapter").contains("mesa-vulkan-drivers"));
        assert!(reason("winit EventLoopError: neither WAYLAND_DISPLAY nor DISPLAY is set").contains("no display"));
        assert_eq!(reason(""), "the window could not be opened");
        assert!(reason(&"x".repeat(1000)).chars().count() < 300);
    }
}
