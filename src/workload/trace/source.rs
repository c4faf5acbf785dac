//! The bytes of a trace, and the progress through them. Owns opening and decompression; must not know formats.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::super::WorkloadError;

const BUFFER: usize = 64 * 1024;
/// First bytes of a gzip file (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A trace file, or its bytes. May be gzip, also with several members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceSource {
    /// A file.
    File(PathBuf),
    /// Bytes in memory, such as a built-in trace.
    Memory {
        /// Name for messages.
        name: String,
        /// Content.
        bytes: Arc<[u8]>,
    },
}

impl TraceSource {
    /// The name used in messages.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory { name, .. } => name.clone(),
        }
    }

    /// The text from its start, and a meter of the bytes read.
    pub(super) fn open(&self) -> Result<(Box<dyn BufRead + Send>, Meter), WorkloadError> {
        let opened = match self {
            Self::File(path) => open_file(path).and_then(|(file, size)| metered(file, size)),
            Self::Memory { bytes, .. } => metered(Cursor::new(Arc::clone(bytes)), Some(bytes.len() as u64)),
        };
        opened.map_err(|source| WorkloadError::Io { file: self.name(), source })
    }
}

/// Bytes of a source read so far, before decompression. Ahead of the text by the content of the buffers.
#[derive(Debug, Clone)]
pub(super) struct Meter {
    read: Arc<AtomicU64>,
    size: Option<u64>,
}

impl Meter {
    /// Share read, 0 to 1; `None` if the size is unknown, as for a pipe.
    pub(super) fn share(&self) -> Option<f64> {
        let size = self.size.filter(|&size| size > 0)?;
        Some((self.read.load(Ordering::Relaxed) as f64 / size as f64).min(1.0))
    }
}

/// Counts the bytes read from another source.
struct Metered<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

fn metered(inner: impl Read + Send + 'static, size: Option<u64>) -> io::Result<(Box<dyn BufRead + Send>, Meter)> {
    let read = Arc::new(AtomicU64::new(0));
    let text = decompress(Metered { inner, read: Arc::clone(&read) })?;
    Ok((text, Meter { read, size }))
}

/// A file and its size, if known.
fn open_file(path: &PathBuf) -> io::Result<(File, Option<u64>)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory, expected a trace file"));
    }
    Ok((file, metadata.is_file().then_some(metadata.len())))
}

fn decompress(mut raw: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    // A pipe may return one byte at a time, and cannot be rewound.
    let mut start = Vec::with_capacity(GZIP_MAGIC.len());
    raw.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
    let compressed = start == GZIP_MAGIC;
    let whole = BufReader::with_capacity(BUFFER, Cursor::new(start).chain(raw));
    Ok(if compressed { Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole))) } else { Box::new(whole) })
}
