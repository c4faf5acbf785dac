//! Single-server queues with known results: sojourn times of two servers of different speed with the same requests.
//!
//! Owns: arrivals, services and Lindley's recursion. The tests of `src/study/statistics` read this file too.

use super::{Purpose, Stream, Streams};

/// Arrivals and the two servers. The mean service time of the first is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queue {
    /// Arrivals per unit of time.
    pub(crate) load: f64,
    /// Speed of the second server relative to the first.
    pub(crate) speed: f64,
    /// For bursty arrivals, mean requests in a busy and in a quiet period; the busy rate is four times the quiet one.
    pub(crate) burst: Option<f64>,
    /// True if the second server's service times are drawn independently of the first.
    pub(crate) independent: bool,
}

/// Arrivals: Poisson, or a Poisson process whose rate changes between two states of exponential length.
#[derive(Debug)]
struct Arrivals {
    /// Rates of the quiet and the busy state.
    rates: [f64; 2],
    /// Mean requests in a state; infinite without bursts.
    requests: f64,
    busy: bool,
    /// Remainder of the state.
    left: f64,
    gaps: Stream,
    states: Stream,
}

impl Arrivals {
    fn new(queue: &Queue, streams: Streams) -> Self {
        // Both states have the same mean number of requests, so the mean rate is the harmonic mean of x and 4x: 1.6x.
        let rates = if queue.burst.is_some() { [queue.load / 1.6, 4.0 * queue.load / 1.6] } else { [queue.load; 2] };
        let (gaps, states) = (streams.stream(Purpose::Arrivals, 0), streams.stream(Purpose::Arrivals, 1));
        Self { rates, requests: queue.burst.unwrap_or(f64::INFINITY), busy: false, left: 0.0, gaps, states }
    }

    /// Time to the next arrival.
    fn gap(&mut self) -> f64 {
        let (mut work, mut gap) = (self.gaps.exponential(), 0.0);
        loop {
            let rate = self.rates[usize::from(self.busy)];
            if work <= self.left * rate {
                self.left -= work / rate;
                return gap + work / rate;
            }
            gap += self.left;
            work -= self.left * rate;
            self.busy = !self.busy;
            self.left = self.states.exponential() * self.requests / self.rates[usize::from(self.busy)];
        }
    }
}

impl Queue {
    /// Sojourn times of `requests` at both servers, after a warm-up, one by one.
    pub(crate) fn each(&self, requests: usize, seed: u64, mut take: impl FnMut(f64, f64)) {
        let streams = Streams::new(seed);
        let mut arrivals = Arrivals::new(self, streams);
        let mut services = [0, 1].map(|server| streams.stream(Purpose::Lengths, server));
        let mut sojourns = [0.0_f64; 2];
        let warm_up = if self.burst.is_some() { 20_000 } else { 5000 };
        for request in 0..requests + warm_up {
            let gap = arrivals.gap();
            let first = services[0].exponential();
            let second = if self.independent { services[1].exponential() } else { first };
            // Lindley (1952): a request waits for the remainder of the previous sojourn.
            sojourns = [(sojourns[0] - gap).max(0.0) + first, (sojourns[1] - gap).max(0.0) + second / self.speed];
            if request >= warm_up {
                take(sojourns[0], sojourns[1]);
            }
        }
    }

    /// Sojourn times at both servers.
    pub(crate) fn pairs(&self, requests: usize, seed: u64) -> (Vec<f64>, Vec<f64>) {
        let mut pairs = (Vec::with_capacity(requests), Vec::with_capacity(requests));
        self.each(requests, seed, |a, b| {
            pairs.0.push(a);
            pairs.1.push(b);
        });
        pairs
    }

    /// Mean sojourn time at each server with Poisson arrivals: it is exponential with rate μ − λ, so a quantile is `−ln(1 − q)` times the mean
    /// (Kleinrock, *Queueing Systems*, volume 1).
    pub(crate) fn means(&self) -> [f64; 2] {
        [1.0, self.speed].map(|rate| 1.0 / (rate - self.load))
    }
}
