//! The `barcodescope` program.

use barcodescope::cli::{self, Task};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::parse();
    cli::start_log();
    match arguments.task() {
        Task::Command(command, common) => cli::run(command, &common),
        #[cfg(feature = "gui")]
        Task::Window(wish) => cli::or_without_display(wish, barcodescope::ui::run),
        #[cfg(not(feature = "gui"))]
        Task::Window(wish) => cli::without_window(wish),
    }
}
