//! The folder of a run: written next to its final path and moved there when complete, so that an interruption leaves no partial folder.

use std::fs::{self, File, TryLockError};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::exit::Failure;

/// Files written by a run.
const OURS: [&str; 13] = [
    "summary.json",
    "requests.csv",
    "requests.csv.gz",
    "timeline.csv",
    "report.html",
    "plots",
    "resolved.yaml",
    "manifest.json",
    "trace.json",
    "compare.json",
    "compare.html",
    "seeds.json",
    "variants",
];

/// Buffer size for writing files, bytes.
pub(super) const BUFFER: usize = 1 << 16;

/// Maximum attempts to create a folder, or to move it to its final path.
const ATTEMPTS: u32 = 100;

/// Entries of a folder not written by a run.
fn foreign(folder: &Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    let names: Result<Vec<_>, _> = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name())).collect();
    Ok(names?.into_iter().filter(|name| !OURS.iter().any(|ours| name == ours)).collect())
}

/// Removes folders left in `parent` by killed runs of this machine. A run keeps its folder locked, and the system releases the lock when the process
/// ends for any reason; on shared file systems a lock may be visible on its own machine only. If the state cannot be determined, or the folder has
/// foreign entries, it stays.
fn remove_abandoned(parent: &Path) {
    let (Ok(entries), Some(host)) = (fs::read_dir(parent), host()) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let ours = || path.is_dir() && foreign(&path).is_ok_and(|others| others.is_empty());
        if is_unfinished(&path, &host) && ours() && matches!(lock(&path), Ok(Some(_))) {
            // A folder that cannot be removed does no harm.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// True if the name is that of an unfinished folder of that machine, or of an older one being replaced.
fn is_unfinished(path: &Path, host: &str) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix('.'));
    let Some(inner) = name.and_then(|name| name.strip_suffix(".partial").or_else(|| name.strip_suffix(".old"))) else { return false };
    let mut parts = inner.rsplitn(4, '.');
    let number = |part: Option<&str>| part.is_some_and(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    number(parts.next()) && number(parts.next()) && parts.next() == Some(host) && parts.next().is_some()
}

/// Name of an unfinished folder: `.quickstart-1-0123abcd.myhost.4711.0.partial`.
fn unfinished_name(name: &str, attempt: u32) -> String {
    format!(".{name}.{}.{}.{attempt}.partial", host().as_deref().unwrap_or("unknown"), std::process::id())
}

/// The name of this machine, in letters, digits and hyphens; `None` if unknown.
pub(super) fn host() -> Option<String> {
    let of_file = |path: &str| fs::read_to_string(path).ok();
    let of_variable = |name: &str| std::env::var(name).ok();
    let name = of_file("/proc/sys/kernel/hostname").or_else(|| of_file("/etc/hostname")).or_else(|| of_variable("COMPUTERNAME"))?;
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    Some(name.trim().chars().map(plain).collect()).filter(|name: &String| !name.is_empty())
}

fn is_protected(folder: &Path) -> bool {
    fs::metadata(folder).is_ok_and(|metadata| metadata.permissions().readonly())
}

/// The lock of a folder, held until it is dropped; `None` if another process holds it.
///
/// # Errors
/// Folders cannot be locked on this file system.
fn lock(folder: &Path) -> std::io::Result<Option<File>> {
    let opened = File::open(folder)?;
    match opened.try_lock() {
        Ok(()) => Ok(Some(opened)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Creates a folder for `name` in `parent` that no other run writes to, and its lock if locks are supported.
fn claim(parent: &Path, name: &str) -> std::io::Result<(PathBuf, Option<File>)> {
    for attempt in 0..ATTEMPTS {
        let making = parent.join(unfinished_name(name, attempt));
        fs::create_dir_all(&making)?;
        match lock(&making) {
            Ok(Some(lock)) if making.is_dir() => return Ok((making, Some(lock))),
            Err(error) if error.kind() != ErrorKind::NotFound => return Ok((making, None)),
            // Taken by a process of another container with the same number, or considered abandoned before it was locked.
            Ok(_) | Err(_) => {}
        }
    }
    Err(std::io::Error::other("other runs use the same folder"))
}

/// A folder being written.
#[derive(Debug)]
pub(super) struct Folder {
    place: PathBuf,
    making: PathBuf,
    /// Marks the folder as in use; released when it is complete.
    _lock: Option<File>,
}

impl Folder {
    /// Prepares `parent/name`.
    pub(super) fn create(parent: &Path, name: &str) -> Result<Self, Failure> {
        if let Some(file) = parent.ancestors().find(|above| above.is_file()) {
            let message = format!("cannot create a folder in `{}`: it is a file", file.display());
            return Err(Failure::hinted(message, "`--out` takes the parent folder of the run's own folder"));
        }
        let place = parent.join(name);
        if [place.clone(), place.join("plots")].iter().any(|folder| is_protected(folder)) {
            let message = format!("`{}` holds an earlier run of the same inputs and is write-protected", place.display());
            return Err(Failure::hinted(message, "remove the write protection, or name another folder with `--out`"));
        }
        remove_abandoned(parent);
        let (making, lock) = claim(parent, name).map_err(|error| {
            Failure::hinted(format!("cannot write in `{}`: {error}", parent.display()), "name a writable folder with `--out`")
        })?;
        Ok(Self { place, making, _lock: lock })
    }

    /// Final path of the folder.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// A buffered file, written incrementally.
    pub(super) fn stream(&self, name: &str) -> Result<BufWriter<File>, Failure> {
        Ok(BufWriter::with_capacity(BUFFER, self.file(name)?))
    }

    /// An unbuffered file, written incrementally.
    pub(super) fn file(&self, name: &str) -> Result<File, Failure> {
        File::create(self.making.join(name)).map_err(|error| Failure::write(&self.place.join(name), &error))
    }

    /// Writes a complete file; creates folders in its name.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::write(&self.place.join(name), &error);
        if let Some(folder) = self.making.join(name).parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut out = self.stream(name)?;
        out.write_all(content).and_then(|()| out.flush()).map_err(failed)
    }

    /// Moves the folder to its final path; an older one of the same inputs is replaced, except for foreign files in it.
    pub(super) fn finish(self) -> Result<PathBuf, Failure> {
        let failed = |error: std::io::Error| Failure::write(&self.place, &error);
        let aside = self.making.with_extension("old");
        // Another process may finish the same run at the same time: the last one wins, and both are equal.
        for _ in 0..ATTEMPTS {
            let older = fs::rename(&self.place, &aside).is_ok();
            if older && let Err(error) = self.keep_foreign(&aside) {
                let _ = fs::rename(&aside, &self.place);
                return Err(failed(error));
            }
            if fs::rename(&self.making, &self.place).is_ok() {
                // Protected files cannot be removed: the old folder stays next to the new one.
                let _ = fs::remove_dir_all(&aside);
                return Ok(self.place.clone());
            }
            if older && fs::rename(&aside, &self.place).is_err() {
                // Another process has taken the path meanwhile. Foreign files are already in the new folder; the rest has been replaced, and would
                // block the next attempt.
                let _ = fs::remove_dir_all(&aside);
            }
        }
        fs::rename(&self.making, &self.place).map_err(failed)?;
        Ok(self.place.clone())
    }

    /// Moves foreign files from an older folder.
    fn keep_foreign(&self, older: &Path) -> std::io::Result<()> {
        for name in foreign(older)? {
            fs::rename(older.join(&name), self.making.join(&name))?;
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Already gone if finished; otherwise the remains of a failed run.
        let _ = fs::remove_dir_all(&self.making);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_with_our_names_are_considered_ours() {
        let ours = |name: &str| is_unfinished(Path::new("outputs").join(name).as_path(), "box-1");
        for name in [".tiny-7-0123abcd.box-1.4711.0.partial", ".v1.5-1-ab.box-1.1.12.partial", ".tiny.box-1.1.0.old"] {
            assert!(ours(name), "{name}");
        }
        for name in [
            "tiny-7-0123abcd",
            ".tiny.partial",
            ".tiny.box-1.4711.partial",
            ".box-1.4711.0.partial",
            "tiny.box-1.1.0.partial",
            ".tiny.box-2.1.0.partial",
            ".tiny.box-1.x.0.partial",
        ] {
            assert!(!ours(name), "{name}");
        }
        if let Some(host) = host() {
            assert!(is_unfinished(Path::new(&unfinished_name("v1.5", 3)), &host));
        }
    }

    #[cfg(unix)]
    #[test]
    fn folders_of_killed_runs_are_removed_and_those_of_live_runs_kept() {
        let parent = tempfile::tempdir().unwrap();
        let at = |name: &str| parent.path().join(name);
        let made = |name: &str, file: &str| {
            fs::create_dir_all(at(name)).unwrap();
            fs::write(at(name).join(file), "").unwrap();
        };
        let (killed, theirs) = (unfinished_name("killed-1-ab", 7), unfinished_name("theirs-1-ab", 8));
        made(&killed, "requests.csv");
        made(&theirs, "diary.txt");
        made("finished-1-ab", "summary.json");
        let alive = Folder::create(parent.path(), "alive-1-ab").unwrap();
        let again = Folder::create(parent.path(), "alive-1-ab").unwrap();
        assert!(!at(&killed).exists());
        assert!(at(&theirs).exists() && at("finished-1-ab").exists());
        assert!(alive.making.exists() && again.making.exists() && alive.making != again.making);
        let (making, place) = (alive.making.clone(), alive.finish().unwrap());
        assert!(place.exists() && !making.exists());
        drop(again);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 3);
    }
}
