//! `trace.json`: a timeline in the Chrome trace event format, for Perfetto or `chrome://tracing`.
//!
//! One process per pool, one thread per instance with its iterations; each request is an asynchronous slice with its stages inside.
//! Format: "Trace Event Format", Google, sections "Complete Events" and "Async Events"; times are microseconds.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cluster::{Observation, Observer, RequestRecord, RunSegment};
use crate::metrics::stages;
use crate::sim::SimTime;

/// Writes events as they happen. The first error is kept and ends the writing; [`finish`](Self::finish) returns it.
#[derive(Debug)]
pub struct TraceEvents<W: Write> {
    out: W,
    error: Option<io::Error>,
}

const STAGES: [&str; 6] = ["queue", "prefill", "reserve", "transfer", "decode queue", "decode"];
/// Process of the requests; pools follow.
const REQUESTS: u32 = 0;

impl<W: Write> TraceEvents<W> {
    /// `pools` in the order of the scenario.
    pub fn new(out: W, pools: &[String]) -> Self {
        let mut events = Self { out, error: None };
        events.raw(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n");
        events.put(&json!({"ph": "M", "name": "process_name", "pid": REQUESTS, "args": {"name": "requests"}}), true);
        for (index, name) in pools.iter().enumerate() {
            events.put(&json!({"ph": "M", "name": "process_name", "pid": index + 1, "args": {"name": format!("pool {name}")}}), false);
        }
        events
    }

    /// Ends the file.
    ///
    /// # Errors
    /// The first error of any event.
    pub fn finish(mut self) -> io::Result<()> {
        self.raw(b"\n]}\n");
        match self.error {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    fn raw(&mut self, bytes: &[u8]) {
        if self.error.is_none() {
            self.error = self.out.write_all(bytes).err();
        }
    }

    fn put(&mut self, event: &Value, first: bool) {
        if !first {
            self.raw(b",\n");
        }
        self.raw(event.to_string().as_bytes());
    }
}

fn us(at: SimTime) -> f64 {
    at.ns() as f64 / 1e3
}

impl<W: Write> TraceEvents<W> {
    fn iteration(&mut self, run: &RunSegment<'_>, n: u64) {
        let name = match (run.prefill_tokens, run.decode_sequences) {
            (0, n) => format!("decode {n}"),
            (tokens, 0) => format!("prefill {tokens}"),
            (tokens, n) => format!("prefill {tokens} + decode {n}"),
        };
        let (start, end) = (us(run.boundary(n)), us(run.boundary(n + 1)));
        let it_joules = run.energy(n, n + 1).it_j();
        let event = json!({
            "ph": "X", "name": name, "cat": "iteration", "pid": u32::from(run.pool.0) + 1, "tid": run.instance.0,
            "ts": start, "dur": end - start,
            "args": {"prefill_tokens": run.prefill_tokens, "decode_sequences": run.decode_sequences, "it_joules": it_joules},
        });
        self.put(&event, false);
    }

    fn request(&mut self, record: &RequestRecord) {
        let id = format!("{:#x}", record.id);
        let slice = |name: &str, ph: &str, at: SimTime, args: Value| json!({"ph": ph, "name": name, "cat": "request", "id": id, "pid": REQUESTS, "tid": 0, "ts": us(at), "args": args});
        let name = format!("request {}", record.id);
        let args = json!({"prompt_tokens": record.prompt_tokens, "output_tokens": record.output_tokens, "cached_tokens": record.cached_tokens, "outcome": record.outcome.name()});
        self.put(&slice(&name, "b", record.arrived, args), false);
        let mut at = record.arrived;
        for (stage, span) in STAGES.iter().zip(stages(record)) {
            if span.ns() > 0 {
                self.put(&slice(stage, "b", at, json!({})), false);
                at += span;
                self.put(&slice(stage, "e", at, json!({})), false);
            }
        }
        self.put(&slice(&name, "e", record.done, json!({})), false);
    }
}

impl<W: Write> Observer for TraceEvents<W> {
    fn on(&mut self, _: SimTime, what: &Observation<'_>) {
        match what {
            Observation::Run(run) => (run.first()..run.end()).for_each(|n| self.iteration(run, n)),
            Observation::Ended(record) => self.request(record),
            _ => {}
        }
    }
}
