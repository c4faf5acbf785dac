//! The part of a run kept by a study: enough for comparisons, charts and warnings.

use std::borrow::Cow;
use std::collections::BTreeMap;

use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use crate::cluster::{InstanceId, Outcome as End};
use crate::metrics::metric::{Reading, Shape};
use crate::metrics::{AssertionResult, Distributions, LimitsMet, PoolParameters, RequestRow, RequestSink, RunResult, Timeline, tpot_ns};

/// Minimum share of the measured session calls of either run that must occur in both.
const LEAST_PAIRED: f64 = 0.95;

/// The result of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Every number of `summary.json`, by path.
    pub numbers: BTreeMap<String, Option<f64>>,
    /// Measured requests in order of arrival; empty unless requested.
    pub requests: Requests,
    /// Gauges over time.
    pub timeline: Timeline,
    /// Distributions for the charts.
    pub distributions: Distributions,
    /// Work per instance, one entry per pool.
    pub balance: Vec<Balance>,
    /// Warnings: code and message.
    pub warnings: Vec<(String, String)>,
    /// Results of the conditions of the scenario.
    pub assertions: Vec<AssertionResult>,
}

impl Outcome {
    /// The outcome of a run, from its result, its requests and the balance of its work.
    pub fn new(result: RunResult, requests: Requests, balance: Vec<Balance>) -> Self {
        let summary = &result.summary;
        let numbers = Reading::all(&Shape::of(summary)).into_iter().map(|(path, reading)| {
            let value = reading.of(summary);
            (path, value.filter(|value| value.is_finite()))
        });
        Self {
            numbers: numbers.collect(),
            requests,
            balance,
            warnings: summary.warnings.iter().map(|warning| (warning.code.name().to_owned(), warning.message.clone())).collect(),
            assertions: summary.assertions.clone(),
            timeline: result.timeline,
            distributions: result.distributions,
        }
    }

    /// The number at a path; `None` if the run has no such number.
    pub fn number(&self, path: &str) -> Option<f64> {
        *self.numbers.get(path)?
    }
}

/// Distribution of a pool's work over its instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// The pool.
    pub pool: String,
    /// Tokens computed per instance, ascending; for many instances an evenly spaced selection, minimum and maximum included.
    pub tokens: Vec<f64>,
    /// Their mean over all instances.
    pub mean: f64,
}

impl Balance {
    /// Maximum number of instances kept.
    const MOST: usize = 101;

    fn new(pool: String, mut tokens: Vec<u64>) -> Self {
        tokens.sort_unstable();
        let mean = tokens.iter().map(|&tokens| tokens as f64).sum::<f64>() / tokens.len().max(1) as f64;
        let last = tokens.len().saturating_sub(1);
        let kept: Vec<u64> = if tokens.len() > Self::MOST {
            (0..Self::MOST).filter_map(|i| tokens.get(i * last / (Self::MOST - 1))).copied().collect()
        } else {
            tokens
        };
        Self { pool, tokens: kept.into_iter().map(|tokens| tokens as f64).collect(), mean }
    }
}

/// Measured requests in order of arrival, one column per quantity. In latencies `INFINITY` means that the request never got that far, which is the
/// worst value, and `NAN` that the quantity is undefined for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Requests {
    /// Number in the order of arrival.
    pub id: Vec<u64>,
    /// Identity of the request in every run of the workload: its number in order of arrival, or session and number of the call.
    pub name: Vec<u64>,
    /// True if there are calls of sessions, whose order of arrival depends on earlier answers.
    pub sessions: bool,
    /// Class.
    pub class: Vec<u16>,
    /// Prompt tokens.
    pub prompt: Vec<u32>,
    /// Time to first token, ms.
    pub ttft: Vec<f64>,
    /// Time to second token, ms.
    pub ttst: Vec<f64>,
    /// Time per output token, ms.
    pub tpot: Vec<f64>,
    /// From arrival to the last token, ms.
    pub e2e: Vec<f64>,
    /// 1 if all limits were met, 0 if not, `NAN` without limits or verdict.
    pub met: Vec<f64>,
}

impl Requests {
    /// Their number.
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// True if empty.
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }

    /// The requests common to both runs, in the order of arrival of this one; `None` if they are not the same. For sessions a few calls may be
    /// missing: those measured in only one of the runs.
    pub fn paired<'r>(&'r self, other: &'r Self) -> Option<[Cow<'r, Self>; 2]> {
        if self.name == other.name && self.class == other.class {
            return (self.prompt == other.prompt).then_some([Cow::Borrowed(self), Cow::Borrowed(other)]);
        }
        if !self.sessions {
            return None;
        }
        let places: IndexMap<(u16, u64, u32), usize, FxBuildHasher> = (0..other.len()).map(|i| (other.key(i), i)).collect();
        let pairs: Vec<(usize, usize)> = (0..self.len()).filter_map(|i| Some((i, *places.get(&self.key(i))?))).collect();
        let enough = pairs.len() as f64 >= LEAST_PAIRED * self.len().max(other.len()) as f64;
        let (here, there): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
        enough.then(|| [Cow::Owned(self.clone().in_order(&here)), Cow::Owned(other.clone().in_order(&there))])
    }

    fn key(&self, i: usize) -> (u16, u64, u32) {
        (self.class[i], self.name[i], self.prompt[i])
    }

    /// Requests without their last token.
    pub fn unfinished(&self) -> usize {
        self.e2e.iter().filter(|e2e| e2e.is_infinite()).count()
    }

    fn push(&mut self, row: &RequestRow) {
        let record = &row.record;
        let ms = |ns: u64| ns as f64 / 1e6;
        let completed = record.outcome == End::Completed;
        let since = |at: Option<crate::sim::SimTime>| at.map(|at| ms(at.since(record.arrived).ns()));
        let missing = if completed { f64::NAN } else { f64::INFINITY };
        let met = match row.limits {
            LimitsMet { all: Some(met), .. } => f64::from(u8::from(met)),
            LimitsMet { all: None, .. } => f64::NAN,
        };
        self.id.push(record.id);
        self.name.push(record.turn.map_or(record.id, |turn| turn.session << 32 | u64::from(turn.number)));
        self.sessions |= record.turn.is_some();
        self.class.push(record.class.0);
        self.prompt.push(record.prompt_tokens);
        self.ttft.push(since(record.first_token).unwrap_or(missing));
        self.ttst.push(since(record.second_token).unwrap_or(missing));
        self.tpot.push(if completed { tpot_ns(record).map_or(f64::NAN, ms) } else { f64::INFINITY });
        self.e2e.push(if completed { ms(record.done.since(record.arrived).ns()) } else { f64::INFINITY });
        self.met.push(met);
    }

    /// Sorts requests, noted in order of departure, by arrival.
    fn sorted(self) -> Self {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.sort_unstable_by_key(|&i| self.id[i]);
        self.in_order(&order)
    }

    /// The requests at these indices, in their order.
    fn in_order(mut self, order: &[usize]) -> Self {
        by(order, &mut self.id);
        by(order, &mut self.name);
        by(order, &mut self.class);
        by(order, &mut self.prompt);
        for column in [&mut self.ttft, &mut self.ttst, &mut self.tpot, &mut self.e2e, &mut self.met] {
            by(order, column);
        }
        self
    }
}

/// Reorders a column.
fn by<T: Copy>(order: &[usize], column: &mut Vec<T>) {
    *column = order.iter().map(|&i| column[i]).collect();
}

/// Records the work of instances as requests leave, and the requests themselves if requested.
#[derive(Debug, Default)]
pub(super) struct Noted {
    wanted: bool,
    requests: Requests,
    /// Tokens computed per instance.
    tokens: Vec<u64>,
}

impl Noted {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// The requests in order of arrival, and the balance of pools, whose instances are numbered consecutively.
    pub(super) fn finish(self, pools: &[PoolParameters]) -> (Requests, Vec<Balance>) {
        let mut next = 0;
        let of_pool = |pool: &PoolParameters| {
            let instances = (next..).take(pool.instances as usize);
            next += pool.instances as usize;
            Balance::new(pool.name.clone(), instances.map(|instance| self.tokens.get(instance).copied().unwrap_or_default()).collect())
        };
        let balance = pools.iter().map(of_pool).collect();
        (self.requests.sorted(), balance)
    }

    fn add(&mut self, instance: Option<InstanceId>, tokens: u64) {
        let Some(place) = instance.map(|id| id.0 as usize) else { return };
        if self.tokens.len() <= place {
            self.tokens.resize(place + 1, 0);
        }
        self.tokens[place] += tokens;
    }
}

impl RequestSink for Noted {
    fn request(&mut self, row: &RequestRow) {
        if !row.measured {
            return;
        }
        let record = &row.record;
        if record.first_token.is_some() {
            self.add(record.prefill_instance, u64::from(record.prompt_tokens - record.cached_tokens.min(record.prompt_tokens)));
        }
        self.add(record.decode_instance.or(record.prefill_instance), record.output_tokens.into());
        if self.wanted {
            self.requests.push(row);
        }
    }
}
