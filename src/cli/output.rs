//! The folder of a run: written beside its place and moved there when complete, so that a run cut off leaves no half folder behind.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::exit::Failure;

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
        fs::create_dir_all(&making).map_err(|error| Failure::write(&making, &error))?;
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

    /// Moves the folder to its place; an older one of the same inputs gives way.
    pub(super) fn finish(self) -> Result<PathBuf, Failure> {
        let failed = |error: std::io::Error| Failure::write(&self.place, &error);
        if self.place.exists() {
            fs::remove_dir_all(&self.place).map_err(failed)?;
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
