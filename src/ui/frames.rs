//! How long frames take, written down for whoever wants to know: a line for every frame, in a file of comma-separated values.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// What was noted is on the disk after this long, so that a program that is killed has lost no more.
const FLUSHED_AFTER: Duration = Duration::from_secs(1);

/// Writes a line for every frame.
#[derive(Debug)]
pub(super) struct FrameLog {
    file: BufWriter<File>,
    began: Instant,
    flushed: Instant,
}

impl FrameLog {
    /// A log in a new file.
    ///
    /// # Errors
    /// Where the file can't be made.
    pub(super) fn create(path: &Path) -> std::io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "at_s,frame_ms,jobs")?;
        let now = Instant::now();
        Ok(Self { file, began: now, flushed: now })
    }

    /// Notes a frame: the seconds that it took to draw, and how many jobs went on meanwhile. A disk that is full loses the line.
    pub(super) fn note(&mut self, frame_secs: f32, jobs: usize) {
        let at_s = self.began.elapsed().as_secs_f64();
        let _ = writeln!(self.file, "{at_s:.3},{:.3},{jobs}", 1000.0 * frame_secs);
        if self.flushed.elapsed() > FLUSHED_AFTER {
            let _ = self.file.flush();
            self.flushed = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_has_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frames.csv");
        let mut log = FrameLog::create(&path).unwrap();
        log.note(0.004_25, 2);
        log.note(0.016, 0);
        drop(log);
        let text = std::fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].ends_with(",4.250,2") && lines[2].ends_with(",16.000,0"), "{text}");
    }
}
