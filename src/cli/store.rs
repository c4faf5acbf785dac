//! Cache of the finished runs of studies, in a folder, so that an interrupted study can continue and no run is repeated.
//!
//! Owns: the file format, and the identity of the writing program. Must not know: the content of a result.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::study::{Outcome, Store};

/// Subfolder of the results folder.
const FOLDER: &str = ".runs";
/// Start of each file: a later format gets another number.
const MAGIC: &[u8] = b"tokenmill-run-1\n";
/// Length of the hash of the following bytes.
const HASH: usize = 32;

/// A folder of finished runs.
#[derive(Debug)]
pub(super) struct RunStore {
    folder: PathBuf,
    /// True if cached runs are read.
    reads: bool,
    /// Why a result could not be stored.
    error: OnceLock<String>,
    next: AtomicU32,
}

impl RunStore {
    /// The cache in a results folder.
    pub(super) fn new(out: &Path, reads: bool) -> Self {
        Self { folder: out.join(FOLDER), reads, error: OnceLock::new(), next: AtomicU32::new(0) }
    }

    /// Why a result could not be stored; `None` if all were.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.get().map(String::as_str)
    }

    fn place(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.run"))
    }

    /// Writes to a temporary file and moves it, so that partial files are never read.
    fn write(&self, key: &str, bytes: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let making = self.folder.join(format!(".{key}.{}.{number}.partial", std::process::id()));
        let written = File::create(&making).and_then(|mut file| {
            file.write_all(MAGIC)?;
            file.write_all(blake3::hash(bytes).as_bytes())?;
            file.write_all(bytes)
        });
        let moved = written.and_then(|()| fs::rename(&making, self.place(key)));
        if moved.is_err() {
            let _ = fs::remove_file(&making);
        }
        moved
    }
}

impl Store for RunStore {
    fn load(&self, key: &str) -> Option<Outcome> {
        if !self.reads {
            return None;
        }
        let bytes = fs::read(self.place(key)).ok()?;
        let (hash, content) = bytes.strip_prefix(MAGIC)?.split_at_checked(HASH)?;
        (blake3::hash(content).as_bytes() == hash).then(|| postcard::from_bytes(content).ok()).flatten()
    }

    fn save(&self, key: &str, outcome: &Outcome) {
        let kept = postcard::to_stdvec(outcome).map_err(std::io::Error::other).and_then(|bytes| self.write(key, &bytes));
        if let Err(error) = kept {
            let _ = self.error.set(format!("`{}`: {error}", self.folder.display()));
        }
    }
}

/// Identity of this program: the hash of its executable, so that other versions or other user code count as different.
///
/// # Errors
/// The executable cannot be read.
pub(super) fn program() -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(std::env::current_exe()?)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Requests;

    fn outcome() -> Outcome {
        let requests = Requests { id: vec![3], ttft: vec![f64::INFINITY], tpot: vec![1.0 / 3.0], ..Requests::default() };
        Outcome {
            numbers: [("latency.ttft_ms.p99".to_owned(), Some(0.1 + 0.2)), ("cost.total_usd".to_owned(), None)].into(),
            requests,
            timeline: crate::metrics::Timeline::default(),
            distributions: crate::metrics::Distributions::default(),
            balance: Vec::new(),
            warnings: Vec::new(),
            assertions: Vec::new(),
        }
    }

    #[test]
    fn stored_results_are_restored_to_the_last_bit_and_damaged_ones_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let store = RunStore::new(folder.path(), true);
        assert!(store.load("ab").is_none());
        store.save("ab", &outcome());
        assert_eq!(store.load("ab"), Some(outcome()));
        assert!(RunStore::new(folder.path(), false).load("ab").is_none());
        let place = store.place("ab");
        let whole = fs::read(&place).unwrap();
        for (cut, flip) in [(whole.len() - 1, None), (20, None), (0, None), (whole.len(), Some(whole.len() - 1)), (whole.len(), Some(0))] {
            let mut bytes = whole[..cut].to_vec();
            if let Some(at) = flip {
                bytes[at] ^= 1;
            }
            fs::write(&place, bytes).unwrap();
            assert!(store.load("ab").is_none(), "{cut} {flip:?}");
        }
        assert_eq!(fs::read_dir(folder.path().join(FOLDER)).unwrap().count(), 1);
        assert_eq!(store.error(), None);
    }

    #[test]
    fn a_result_that_cannot_be_stored_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FOLDER), "a file").unwrap();
        let store = RunStore::new(folder.path(), true);
        store.save("ab", &outcome());
        assert!(store.error().unwrap().contains(FOLDER));
    }

    #[test]
    fn the_program_can_hash_itself() {
        assert_eq!(program().unwrap().len(), 64);
    }
}
