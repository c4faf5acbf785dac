//! Where the bytes of a trace come from. Owns opening and decompression; must not know formats.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use super::super::WorkloadError;

const BUFFER: usize = 64 * 1024;
/// First bytes of a gzip file (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// A trace file, or the bytes of one. May be gzip, also of several members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceSource {
    /// A file.
    File(PathBuf),
    /// Bytes in memory, such as a trace inside the binary.
    Memory {
        /// Name for messages.
        name: String,
        /// Content.
        bytes: Arc<[u8]>,
    },
}

impl TraceSource {
    /// The name that messages use.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory { name, .. } => name.clone(),
        }
    }

    /// The text from its start.
    pub(super) fn open(&self) -> Result<Box<dyn BufRead + Send>, WorkloadError> {
        let text = match self {
            Self::File(path) => open_file(path).and_then(decompress),
            Self::Memory { bytes, .. } => decompress(Cursor::new(Arc::clone(bytes))),
        };
        text.map_err(|source| WorkloadError::Io { file: self.name(), source })
    }
}

fn open_file(path: &PathBuf) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "is a directory, expected a trace file"));
    }
    Ok(file)
}

fn decompress(mut raw: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    // A pipe may give one byte at a time, and cannot be rewound.
    let mut start = Vec::with_capacity(GZIP_MAGIC.len());
    raw.by_ref().take(GZIP_MAGIC.len() as u64).read_to_end(&mut start)?;
    let compressed = start == GZIP_MAGIC;
    let whole = BufReader::with_capacity(BUFFER, Cursor::new(start).chain(raw));
    Ok(if compressed { Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(whole))) } else { Box::new(whole) })
}
