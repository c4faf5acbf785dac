//! The rows file: all requests, a sample or none; plain or compressed.

use std::fs::File;
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::exit::Failure;
use super::output::{BUFFER, Folder};
use crate::metrics::{RequestRow, RequestSink, RowChoice, Sampled, Threaded};
use crate::report::{ExtraColumns, InstancePrice, RequestsCsv, requests_file};
use crate::scenario::Scenario;
use crate::sim::Streams;

/// Destination of the rows of a run.
#[derive(Debug)]
pub(super) struct RowFile {
    /// Final path of the file.
    place: PathBuf,
    /// `None` without a file.
    sink: Option<Sampled<Writer>>,
}

type Table = RequestsCsv<BufWriter<Pack>>;

/// Writer of rows.
#[derive(Debug)]
enum Writer {
    /// On the event thread.
    Here(Box<Table>),
    /// On its own thread.
    Aside(Threaded<Table>),
}

impl RowFile {
    /// Opens the file requested by the scenario, written on its own thread if requested.
    pub(super) fn create(scenario: &Scenario, folder: &Folder, aside: bool) -> Result<Self, Failure> {
        let name = requests_file(scenario.rows_gzip);
        let place = folder.place().join(name);
        if scenario.rows == RowChoice::None {
            return Ok(Self { place, sink: None });
        }
        let file = folder.file(name)?;
        let out = BufWriter::with_capacity(BUFFER, Pack::new(file, scenario.rows_gzip));
        let table = table(scenario, out);
        let writer = if aside {
            let none = |error| Failure::hinted(format!("cannot start a thread: {error}"), "`--jobs 1` needs only one");
            Writer::Aside(Threaded::new(table).map_err(none)?)
        } else {
            Writer::Here(Box::new(table))
        };
        // Sampling happens here, so that unsampled rows are not passed to the other thread.
        Ok(Self { place, sink: Some(Sampled::new(scenario.rows, Streams::new(scenario.seed), writer)) })
    }

    /// Completes the file.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Some(sink) = self.sink else { return Ok(()) };
        let table = match sink.into_inner() {
            Writer::Here(table) => *table,
            // The thread has already reported its panic.
            Writer::Aside(thread) => thread.into_inner().map_err(|_| Failure::Internal("the thread of the rows panicked".to_owned()))?,
        };
        let end = |out: BufWriter<Pack>| out.into_inner().map_err(IntoInnerError::into_error)?.finish();
        table.finish().and_then(end).map_err(|error| Failure::write(&self.place, &error))
    }
}

impl RequestSink for Writer {
    fn request(&mut self, row: &RequestRow) {
        match self {
            Self::Here(table) => table.request(row),
            Self::Aside(thread) => thread.request(row),
        }
    }

    fn failed(&self) -> bool {
        match self {
            Self::Here(table) => table.failed(),
            Self::Aside(thread) => thread.failed(),
        }
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

fn table(scenario: &Scenario, out: BufWriter<Pack>) -> Table {
    let classes = scenario.recorder.classes.iter().map(|class| class.name.clone()).collect();
    let mut instances = Vec::new();
    for (pool, cost) in scenario.cluster.pools.iter().zip(&scenario.node_costs) {
        let of = |seconds, joules| cost.spent(pool.chips, seconds, joules).total();
        let price = InstancePrice { pool: pool.name.clone(), usd_per_s: of(1.0, 0.0), usd_per_it_j: of(0.0, 1.0) };
        instances.extend((0..pool.instances).map(|_| price.clone()));
    }
    let extra = ExtraColumns {
        failures: !scenario.cluster.faults.is_empty(),
        frontends: !scenario.cluster.frontends.is_empty(),
        sessions: scenario.cluster.classes.iter().any(|class| class.sessions),
    };
    RequestsCsv::new(out, classes, instances, extra)
}

/// An optionally compressed file.
#[derive(Debug)]
enum Pack {
    Plain(File),
    Gzip(GzEncoder<File>),
}

impl Pack {
    fn new(file: File, gzip: bool) -> Self {
        // The header of the compressed data has no time or name, so the bytes are reproducible.
        if gzip { Self::Gzip(GzEncoder::new(file, Compression::fast())) } else { Self::Plain(file) }
    }

    /// Writes buffered data.
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
            // A flush would split the compressed data into more blocks; `finish` writes the rest.
            Self::Gzip(_) => Ok(()),
        }
    }
}
