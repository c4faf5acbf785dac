//! `requests.csv`: one row per request, written as requests leave.

use std::io::{self, Write};

use super::line::Line;
#[cfg(feature = "report")]
use super::number::percent;
use crate::cluster::{InstanceId, Outcome};
#[cfg(feature = "report")]
use crate::metrics::RowChoice;
use crate::metrics::{RequestRow, RequestSink, gap_std_ns, tpot_ns};
use crate::sim::{SimDuration, SimTime};

/// The name of the rows file.
pub const fn requests_file(gzip: bool) -> &'static str {
    if gzip { "requests.csv.gz" } else { "requests.csv" }
}

/// Remark on the rows in the file, unless it has the default name and all requests.
#[cfg(feature = "report")]
pub(super) fn rows_note(choice: RowChoice, gzip: bool) -> Option<String> {
    let file = requests_file(gzip);
    match choice {
        RowChoice::All if !gzip => None,
        RowChoice::All => Some(format!("The rows of all requests are in {file}.")),
        RowChoice::Sample(share) => Some(format!("{file} has the rows of a sample: {} of all requests.", percent(share))),
        RowChoice::None => Some(format!("The scenario writes no rows of requests: there is no {file}.")),
    }
}

/// Writes rows to a destination. The first error is kept and ends the writing; [`finish`](Self::finish) returns it.
#[derive(Debug)]
pub struct RequestsCsv<W: Write> {
    out: W,
    /// Class names by index, in CSV form.
    classes: Vec<String>,
    /// Pools and prices by instance, names in CSV form.
    instances: Vec<InstancePrice>,
    extra: ExtraColumns,
    line: Line,
    error: Option<io::Error>,
}

/// Pool and price of an instance.
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

/// Further columns with instance failures.
const FAILURE_HEADER: [&str; 2] = ["failures", "recovery_ms"];
/// A further column with frontends.
const FRONTEND_HEADER: [&str; 1] = ["frontend_ms"];

/// Further columns with sessions.
const SESSION_HEADER: [&str; 2] = ["session", "call"];

/// Optional columns.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExtraColumns {
    /// Effect of instance failures.
    pub failures: bool,
    /// Time in frontends.
    pub frontends: bool,
    /// Session and number of the call.
    pub sessions: bool,
}

impl<W: Write> RequestsCsv<W> {
    /// `classes` are names by index, `instances` prices by index; `extra` selects optional columns. Each row is one write, so `out` should be
    /// buffered.
    pub fn new(mut out: W, mut classes: Vec<String>, mut instances: Vec<InstancePrice>, extra: ExtraColumns) -> Self {
        let mut begin = || -> io::Result<()> {
            for name in &mut classes {
                *name = in_csv(name)?;
            }
            // The instances of a pool are consecutive.
            let mut last = (String::new(), in_csv("")?);
            for InstancePrice { pool, .. } in &mut instances {
                if *pool != last.0 {
                    last = (pool.clone(), in_csv(pool)?);
                }
                pool.clone_from(&last.1);
            }
            let mut columns = HEADER.to_vec();
            let further: [(&[&str], bool); 3] =
                [(&FAILURE_HEADER, extra.failures), (&FRONTEND_HEADER, extra.frontends), (&SESSION_HEADER, extra.sessions)];
            further.iter().filter(|(_, wanted)| *wanted).for_each(|(names, _)| columns.extend_from_slice(names));
            out.write_all(format!("{}\n", columns.join(",")).as_bytes())
        };
        let error = begin().err();
        Self { out, classes, instances, extra, line: Line::default(), error }
    }

    /// Flushes and returns the destination.
    ///
    /// # Errors
    /// The first error of any row.
    pub fn finish(mut self) -> io::Result<W> {
        match self.error {
            Some(error) => Err(error),
            None => self.out.flush().map(|()| self.out),
        }
    }

    fn fill(&mut self, row: &RequestRow) {
        let Self { line, classes, instances, extra, .. } = self;
        let record = &row.record;
        // Without a separate decode instance, prefill and decode happen on the same instance.
        let decoded = record.decode_instance.or(record.prefill_instance.filter(|_| record.output_tokens > 1));
        line.clear();
        line.whole(record.id);
        line.text(classes[usize::from(record.class.0)].as_bytes());
        line.text(record.outcome.name().as_bytes());
        line.text(record.outcome.reason().as_bytes());
        line.flag(Some(row.measured));
        for count in [record.prompt_tokens, record.cached_tokens, record.output_tokens] {
            line.whole(count.into());
        }
        line.flag(Some(record.truncated));
        line.whole(record.preemptions.into());
        line.whole(record.recomputed_tokens);
        for instance in [record.prefill_instance, decoded] {
            let pool = instance.and_then(|id| instances.get(id.0 as usize)).map_or("", |price| &price.pool);
            line.text(pool.as_bytes());
            match instance {
                Some(id) => line.whole(id.0.into()),
                None => line.text(b""),
            }
        }
        times(line, row);
        line.float(record.energy_j());
        // Without an instance there is no cost.
        let spent = |instance: Option<InstanceId>, seconds: f64, joules: f64| {
            let price = instance.and_then(|id| instances.get(id.0 as usize));
            price.map_or(0.0, |price| seconds * price.usd_per_s + joules * price.usd_per_it_j)
        };
        let cost = spent(record.prefill_instance, record.prefill_s, record.prefill_energy_j)
            + spent(decoded, record.decode_s, record.decode_energy_j);
        line.float(cost);
        line.flag(row.limits.all);
        if extra.failures {
            line.whole(record.failures.into());
            line.millis(Some(record.recovery()));
        }
        if extra.frontends {
            line.millis(Some(record.admitted.since(record.arrived)));
        }
        if extra.sessions {
            match record.turn {
                Some(turn) => {
                    line.whole(turn.session);
                    line.whole(turn.number.into());
                }
                None => [b"", b""].into_iter().for_each(|empty| line.text(empty)),
            }
        }
    }
}

/// The columns from `arrival_s` to `e2e_ms`.
fn times(line: &mut Line, row: &RequestRow) {
    let record = &row.record;
    let completed = record.outcome == Outcome::Completed;
    let since_arrival = |at: SimTime| at.since(record.arrived);
    for at in [Some(record.arrived), record.prefill_start, record.first_token] {
        line.seconds(at);
    }
    line.millis(Some(record.memory_wait));
    for at in [record.reserved, record.transfer_start, record.delivered, record.decode_start, Some(record.done)] {
        line.seconds(at);
    }
    line.millis(record.first_token.map(since_arrival));
    line.millis(record.second_token.map(since_arrival));
    line.millis(tpot_ns(record).filter(|_| completed).map(SimDuration::from_ns));
    line.millis(gap_std_ns(record).map(SimDuration::from_ns));
    line.millis(completed.then(|| since_arrival(record.done)));
}

/// A name as a field of CSV, in quotes if it needs them.
fn in_csv(name: &str) -> io::Result<String> {
    let mut out = csv::Writer::from_writer(Vec::new());
    // A single empty field would be quoted too.
    out.write_record([name, ""])?;
    let record = out.into_inner().map_err(csv::IntoInnerError::into_error)?;
    let text = String::from_utf8(record).map_err(io::Error::other)?;
    Ok(text.strip_suffix(",\n").unwrap_or(&text).to_owned())
}

impl<W: Write> RequestSink for RequestsCsv<W> {
    fn request(&mut self, row: &RequestRow) {
        if self.error.is_some() {
            return;
        }
        self.fill(row);
        self.error = self.out.write_all(self.line.finished()).err();
    }

    fn failed(&self) -> bool {
        self.error.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_describes_the_rows_file() {
        let note = |choice, gzip| rows_note(choice, gzip).unwrap_or_default();
        assert_eq!(note(RowChoice::All, false), "");
        assert_eq!(note(RowChoice::All, true), "The rows of all requests are in requests.csv.gz.");
        assert_eq!(note(RowChoice::Sample(0.01), false), "requests.csv has the rows of a sample: 1.00 % of all requests.");
        assert_eq!(note(RowChoice::Sample(1e-6), true), "requests.csv.gz has the rows of a sample: 0.000100 % of all requests.");
        assert_eq!(note(RowChoice::None, false), "The scenario writes no rows of requests: there is no requests.csv.");
    }

    #[test]
    fn names_are_quoted_if_necessary() {
        for (name, field) in [("chat", "chat"), ("", ""), ("a b", "a b"), ("a,b", "\"a,b\""), ("a\nb", "\"a\nb\""), ("\"", "\"\"\"\"")] {
            assert_eq!(in_csv(name).unwrap(), field);
        }
    }
}
