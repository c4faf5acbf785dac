//! A file that is made: written beside its place and moved there when complete, so that a file can be written over the one it is made
//! from, and what fails or is asked to end leaves nothing behind.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::exit::{Failure, INCOMPLETE};
use super::interrupt;
use super::terminal::Terminal;

/// How long whoever asks the program to end waits at most until it hears.
const PATIENCE: Duration = Duration::from_millis(20);

/// What has to go if the file is not finished; `None` once nothing has.
type Unfinished = Arc<Mutex<Option<PathBuf>>>;

/// A file in the making.
#[derive(Debug)]
pub(super) struct NewFile {
    /// As the user gave it, for messages.
    name: PathBuf,
    place: PathBuf,
    unfinished: Unfinished,
    out: BufWriter<File>,
}

impl NewFile {
    /// Prepares the file `name`. What is no ordinary file, such as a pipe, is written to at once.
    pub(super) fn create(name: &Path, terminal: Terminal) -> Result<Self, Failure> {
        // A link stays one: what it points at is meant, be it there or not.
        let of_link = || fs::read_link(name).ok().map(|target| name.parent().unwrap_or(Path::new("")).join(target));
        let place = fs::canonicalize(name).ok().or_else(of_link).unwrap_or_else(|| name.to_owned());
        // The names of open files may lead to a file that somebody else writes to as well: it must stay the same one.
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
            // Who may read it stays as it was.
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
        // Held until the file is there: who is asked to end meanwhile has written all of it or nothing.
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
            // If it cannot be removed there is nothing left to do.
            let _ = fs::remove_file(making);
        }
    }
}

fn held(unfinished: &Unfinished) -> MutexGuard<'_, Option<PathBuf>> {
    unfinished.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When the program is asked to end, an unfinished file is removed and the program ends, even if it waits for input.
fn remove_when_asked_to_end(unfinished: Unfinished, terminal: Terminal) -> Result<(), Failure> {
    let asked = interrupt::watch()?;
    let watch = move || {
        while !asked.load(Ordering::Relaxed) {
            std::thread::sleep(PATIENCE);
        }
        if let Some(making) = held(&unfinished).take() {
            let _ = fs::remove_file(making);
            // The exit code is known, and nobody is left to take it: this thread ends the program.
            let _ = Failure::interrupted("interrupted before the trace was complete").report(terminal);
            std::process::exit(INCOMPLETE.into());
        }
    };
    std::thread::Builder::new().spawn(watch).map(drop).map_err(|error| Failure::Internal(error.to_string()))
}
