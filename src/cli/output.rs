//! The folder of a run: written beside its place and moved there when complete, so that what is cut off leaves no half folder behind.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::exit::Failure;

/// What a run writes.
const OURS: [&str; 8] =
    ["summary.json", "requests.csv", "timeline.csv", "report.html", "plots", "resolved.yaml", "manifest.json", "trace.json"];

/// Times that a folder is moved to its place before the move's error is told.
const ATTEMPTS: u32 = 100;

/// Entries of a folder that no run wrote.
fn foreign(folder: &Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    let names: Result<Vec<_>, _> = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    Ok(names?.into_iter().filter(|name| !OURS.iter().any(|ours| name == ours)).collect())
}

/// A folder in the making.
#[derive(Debug)]
pub(super) struct Folder {
    place: PathBuf,
    making: PathBuf,
}

impl Folder {
    /// Prepares `parent/name`.
    pub(super) fn create(parent: &Path, name: &str) -> Result<Self, Failure> {
        let (place, making) = (parent.join(name), parent.join(format!(".{name}.{}.partial", std::process::id())));
        if let Some(file) = parent.ancestors().find(|above| above.is_file()) {
            let message = format!("cannot make a folder in `{}`: it is a file", file.display());
            return Err(Failure::hinted(message, "`--out` takes the folder in which the folder of the run is made"));
        }
        fs::create_dir_all(&making).map_err(|error| {
            Failure::hinted(format!("cannot write in `{}`: {error}", parent.display()), "name a folder that can be written with `--out`")
        })?;
        Ok(Self { place, making })
    }

    /// Where the folder will be.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// A file to be written bit by bit.
    pub(super) fn stream(&self, name: &str) -> Result<BufWriter<File>, Failure> {
        let path = self.making.join(name);
        File::create(&path)
            .map(|file| BufWriter::with_capacity(1 << 16, file))
            .map_err(|error| Failure::write(&self.place.join(name), &error))
    }

    /// A whole file; folders in its name are made.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::write(&self.place.join(name), &error);
        if let Some(folder) = self.making.join(name).parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut out = self.stream(name)?;
        out.write_all(content).and_then(|()| out.flush()).map_err(failed)
    }

    /// Moves the folder to its place; an older one of the same inputs gives way, but for files in it that are not ours.
    pub(super) fn finish(self) -> Result<PathBuf, Failure> {
        let failed = |error: std::io::Error| Failure::write(&self.place, &error);
        let aside = self.making.with_extension("old");
        // Another process may finish the same run at the same time: whoever comes last stays, and both are alike.
        for _ in 0..ATTEMPTS {
            if fs::rename(&self.place, &aside).is_ok() {
                for foreign in foreign(&aside).map_err(failed)? {
                    fs::rename(aside.join(&foreign), self.making.join(&foreign)).map_err(failed)?;
                }
                fs::remove_dir_all(&aside).map_err(failed)?;
            }
            if fs::rename(&self.making, &self.place).is_ok() {
                return Ok(self.place.clone());
            }
        }
        fs::rename(&self.making, &self.place).map_err(failed)?;
        Ok(self.place.clone())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Gone already if finished; otherwise what is left of a run that failed.
        let _ = fs::remove_dir_all(&self.making);
    }
}
