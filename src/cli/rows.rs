//! The file of rows: of all requests, a sample or none; plain or compressed.

use std::fs::File;
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::exit::Failure;
use super::output::{BUFFER, Folder};
use crate::config::Scenario;
use crate::metrics::{RequestRow, RequestSink, RowChoice, Sampled};
use crate::report::{InstancePrice, RequestsCsv, requests_file};
use crate::sim::Streams;

/// Where the rows of a run go.
#[derive(Debug)]
pub(super) struct RowFile {
    /// Where the file will be.
    place: PathBuf,
    /// `None` if there is to be no file.
    sink: Option<Sampled<RequestsCsv<BufWriter<Pack>>>>,
}

impl RowFile {
    /// Begins the file that the scenario wants.
    pub(super) fn create(scenario: &Scenario, folder: &Folder) -> Result<Self, Failure> {
        let name = requests_file(scenario.rows_gzip);
        let place = folder.place().join(name);
        if scenario.rows == RowChoice::None {
            return Ok(Self { place, sink: None });
        }
        let file = folder.file(name)?;
        let out = BufWriter::with_capacity(BUFFER, Pack::new(file, scenario.rows_gzip));
        let sink = Sampled::new(scenario.rows, Streams::new(scenario.seed), table(scenario, out));
        Ok(Self { place, sink: Some(sink) })
    }

    /// Ends the file.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Some(sink) = self.sink else { return Ok(()) };
        let end = |out: BufWriter<Pack>| out.into_inner().map_err(IntoInnerError::into_error)?.finish();
        sink.into_inner().finish().and_then(end).map_err(|error| Failure::write(&self.place, &error))
    }
}

impl RequestSink for RowFile {
    fn request(&mut self, row: &RequestRow) {
        if let Some(sink) = &mut self.sink {
            sink.request(row);
        }
    }

    fn failed(&self) -> bool {
        self.sink.as_ref().is_some_and(RequestSink::failed)
    }
}

fn table(scenario: &Scenario, out: BufWriter<Pack>) -> RequestsCsv<BufWriter<Pack>> {
    let classes = scenario.recorder.classes.iter().map(|class| class.name.clone()).collect();
    let mut instances = Vec::new();
    for (pool, cost) in scenario.cluster.pools.iter().zip(&scenario.node_costs) {
        let of = |seconds, joules| cost.spent(pool.chips, seconds, joules).total();
        let price = InstancePrice { pool: pool.name.clone(), usd_per_s: of(1.0, 0.0), usd_per_it_j: of(0.0, 1.0) };
        instances.extend((0..pool.instances).map(|_| price.clone()));
    }
    RequestsCsv::new(out, classes, instances)
}

/// A file that may be compressed.
#[derive(Debug)]
enum Pack {
    Plain(File),
    Gzip(GzEncoder<File>),
}

impl Pack {
    fn new(file: File, gzip: bool) -> Self {
        // The head of the compressed data holds neither time nor name: the bytes are the same every time.
        if gzip { Self::Gzip(GzEncoder::new(file, Compression::fast())) } else { Self::Plain(file) }
    }

    /// Writes what is still held back.
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(encoder) => encoder.finish().map(drop),
        }
    }
}

impl Write for Pack {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            // Would cut the compressed data into more blocks; `finish` writes the rest.
            Self::Gzip(_) => Ok(()),
        }
    }
}
