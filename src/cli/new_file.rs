//! An output file: written next to its final path and moved there when complete, so that a file can be written over its own input, and a failure or
//! interruption leaves nothing behind.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::exit::{Failure, INCOMPLETE};
use super::interrupt;
use super::terminal::Terminal;

/// Polling interval for interruptions: the longest delay before one is noticed.
const PATIENCE: Duration = Duration::from_millis(20);

/// Path to remove if the file is not finished; `None` if there is nothing to remove.
type Unfinished = Arc<Mutex<Option<PathBuf>>>;

/// A file being written.
#[derive(Debug)]
pub(super) struct NewFile {
    /// Path given by the user, for messages.
    name: PathBuf,
    place: PathBuf,
    unfinished: Unfinished,
    out: BufWriter<File>,
}

impl NewFile {
    /// Prepares the file `name`. Special files, such as pipes, are written directly.
    pub(super) fn create(name: &Path, terminal: Terminal) -> Result<Self, Failure> {
        // A link stays a link: its target is written, even if it does not exist yet.
        let of_link = || fs::read_link(name).ok().map(|target| name.parent().unwrap_or(Path::new("")).join(target));
        let place = fs::canonicalize(name).ok().or_else(of_link).unwrap_or_else(|| name.to_owned());
        // Paths of open files may refer to a file shared with other writers: it must not be replaced.
        let opened = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"].iter().any(|opened| name.starts_with(opened));
        let ordinary = !opened && (!place.exists() || place.is_file());
        let last = place.file_name().unwrap_or_default().to_string_lossy();
        let making = ordinary.then(|| place.with_file_name(format!(".{last}.{}.partial", std::process::id())));
        let unfinished = Arc::new(Mutex::new(making.clone()));
        if ordinary {
            remove_when_asked_to_end(Arc::clone(&unfinished), terminal)?;
        }
        let file = File::create(making.as_ref().unwrap_or(&place)).map_err(|error| Failure::create(name, &error))?;
        if let (Some(_), Ok(older)) = (&making, fs::metadata(&place)) {
            // Keeps the permissions of the old file.
            file.set_permissions(older.permissions()).map_err(|error| Failure::create(name, &error))?;
        }
        Ok(Self { name: name.to_owned(), place, unfinished, out: BufWriter::new(file) })
    }

    /// Where to write.
    pub(super) fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    /// Moves the file to its place.
    pub(super) fn finish(mut self) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::write(&self.name, &error);
        self.out.flush().map_err(failed)?;
        // Held until the file is moved: an interruption meanwhile leaves either all of it or nothing.
        let mut unfinished = held(&self.unfinished);
        if let Some(making) = unfinished.as_ref() {
            fs::rename(making, &self.place).map_err(failed)?;
        }
        *unfinished = None;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(making) = held(&self.unfinished).take() {
            // A failure to remove it cannot be handled.
            let _ = fs::remove_file(making);
        }
    }
}

fn held(unfinished: &Unfinished) -> MutexGuard<'_, Option<PathBuf>> {
    unfinished.lock().unwrap_or_else(PoisonError::into_inner)
}

/// On interruption, removes an unfinished file and ends the program, even while it waits for input.
fn remove_when_asked_to_end(unfinished: Unfinished, terminal: Terminal) -> Result<(), Failure> {
    let asked = interrupt::watch()?;
    let watch = move || {
        while !asked.load(Ordering::Relaxed) {
            std::thread::sleep(PATIENCE);
        }
        if let Some(making) = held(&unfinished).take() {
            let _ = fs::remove_file(making);
            // The exit code is known and has no receiver, so this thread ends the program.
            let _ = Failure::interrupted("interrupted before the trace was complete").report(terminal);
            std::process::exit(INCOMPLETE.into());
        }
    };
    std::thread::Builder::new().spawn(watch).map(drop).map_err(|error| Failure::Internal(error.to_string()))
}
