//! `requests.csv`: one row a request, written as requests leave.

use std::io::{self, Write};

use crate::cluster::InstanceId;
use crate::metrics::{RequestRow, RequestSink, gap_std_ns, tpot_ns};
use crate::sim::SimTime;

/// Writes rows to a destination. The first error is kept and ends the writing; [`finish`](Self::finish) tells.
#[derive(Debug)]
pub struct RequestsCsv<W: Write> {
    out: csv::Writer<W>,
    classes: Vec<String>,
    /// By instance.
    instances: Vec<InstancePrice>,
    record: csv::ByteRecord,
    scratch: String,
    error: Option<io::Error>,
}

/// Where an instance belongs and what it costs.
#[derive(Debug, Clone, PartialEq)]
pub struct InstancePrice {
    /// Its pool.
    pub pool: String,
    /// $ per second, busy or idle, without energy.
    pub usd_per_s: f64,
    /// $ per joule at the IT boundary.
    pub usd_per_it_j: f64,
}

const HEADER: [&str; 32] = [
    "id",
    "workload",
    "outcome",
    "reason",
    "measured",
    "prompt_tokens",
    "cached_tokens",
    "output_tokens",
    "truncated",
    "preemptions",
    "recomputed_tokens",
    "prefill_pool",
    "prefill_instance",
    "decode_pool",
    "decode_instance",
    "arrival_s",
    "prefill_start_s",
    "first_token_s",
    "memory_wait_ms",
    "reserved_s",
    "transfer_start_s",
    "delivered_s",
    "decode_start_s",
    "done_s",
    "ttft_ms",
    "ttst_ms",
    "tpot_ms",
    "itl_std_ms",
    "e2e_ms",
    "energy_j",
    "cost_usd",
    "slo_met",
];

impl<W: Write> RequestsCsv<W> {
    /// `classes` are names by index, `instances` prices by index.
    pub fn new(out: W, classes: Vec<String>, instances: Vec<InstancePrice>) -> Self {
        let mut out = csv::Writer::from_writer(out);
        let error = out.write_record(HEADER).err().map(io::Error::from);
        Self { out, classes, instances, record: csv::ByteRecord::new(), scratch: String::new(), error }
    }

    /// Flushes.
    ///
    /// # Errors
    /// The first error that any row met.
    pub fn finish(mut self) -> io::Result<()> {
        match self.error {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    fn number(&mut self, value: impl std::fmt::Display) {
        use std::fmt::Write as _;
        self.scratch.clear();
        // Writing to a string cannot fail.
        let _ = write!(self.scratch, "{value}");
        self.record.push_field(self.scratch.as_bytes());
    }

    fn optional(&mut self, value: Option<f64>) {
        match value {
            Some(value) => self.number(value),
            None => self.record.push_field(b""),
        }
    }

    fn time(&mut self, at: Option<SimTime>) {
        // Nine digits: whole nanoseconds.
        match at {
            Some(at) => self.number(format_args!("{}.{:09}", at.ns() / 1_000_000_000, at.ns() % 1_000_000_000)),
            None => self.record.push_field(b""),
        }
    }

    fn flag(&mut self, value: Option<bool>) {
        self.record.push_field(match value {
            Some(true) => b"1".as_slice(),
            Some(false) => b"0",
            None => b"",
        });
    }

    fn instance(&mut self, instance: Option<u32>) {
        let price = instance.and_then(|index| self.instances.get(index as usize));
        self.record.push_field(price.map_or(b"".as_slice(), |price| price.pool.as_bytes()));
        match instance {
            Some(index) => self.number(index),
            None => self.record.push_field(b""),
        }
    }

    fn fill(&mut self, row: &RequestRow) {
        let record = &row.record;
        let since_arrival = |at: Option<SimTime>| at.map(|at| at.since(record.arrived).as_millis_f64());
        let completed = record.outcome == crate::cluster::Outcome::Completed;
        self.record.clear();
        self.number(record.id);
        self.record.push_field(self.classes[usize::from(record.class.0)].as_bytes());
        self.record.push_field(record.outcome.name().as_bytes());
        self.record.push_field(record.outcome.reason().as_bytes());
        self.flag(Some(row.measured));
        for count in [u64::from(record.prompt_tokens), u64::from(record.cached_tokens), u64::from(record.output_tokens)] {
            self.number(count);
        }
        self.flag(Some(record.truncated));
        self.number(record.preemptions);
        self.number(record.recomputed_tokens);
        self.instance(record.prefill_instance.map(|id| id.0));
        // Where prefill and decode are not apart, both happen on the same instance.
        let decoded = record.decode_instance.or(record.prefill_instance.filter(|_| record.output_tokens > 1));
        self.instance(decoded.map(|id| id.0));
        self.time(Some(record.arrived));
        for at in [record.prefill_start, record.first_token] {
            self.time(at);
        }
        self.number(record.memory_wait.as_millis_f64());
        for at in [record.reserved, record.transfer_start, record.delivered, record.decode_start] {
            self.time(at);
        }
        self.time(Some(record.done));
        self.optional(since_arrival(record.first_token));
        self.optional(since_arrival(record.second_token));
        self.optional(tpot_ns(record).filter(|_| completed).map(|ns| ns as f64 / 1e6));
        self.optional(gap_std_ns(record).map(|ns| ns as f64 / 1e6));
        self.optional(since_arrival(Some(record.done)).filter(|_| completed));
        self.number(record.energy_j());
        // Where it never was it spent nothing.
        let spent = |instance: Option<InstanceId>, seconds: f64, joules: f64| {
            let price = instance.and_then(|id| self.instances.get(id.0 as usize));
            price.map_or(0.0, |price| seconds * price.usd_per_s + joules * price.usd_per_it_j)
        };
        let cost = spent(record.prefill_instance, record.prefill_s, record.prefill_energy_j)
            + spent(decoded, record.decode_s, record.decode_energy_j);
        self.number(cost);
        self.flag(row.verdict.all);
    }
}

impl<W: Write> RequestSink for RequestsCsv<W> {
    fn request(&mut self, row: &RequestRow) {
        if self.error.is_some() {
            return;
        }
        self.fill(row);
        self.error = self.out.write_byte_record(&self.record).err().map(io::Error::from);
    }
}
