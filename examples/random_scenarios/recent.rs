//! Keys known only to newer commits: admission by engines, frontends, the source of the first token, faults and retries, and sessions.
//!
//! It has its own draws, so that a scenario with it extends the one without it. All keys except the first token let requests wait or leave at the
//! same instant, and are reserved for contended scenarios.

use std::fmt::Write as _;

use crate::Frame;
use crate::rng::Rng;

/// The draws of one scenario, and the instances that may fail.
pub(crate) struct Recent {
    rng: Rng,
    instances: Vec<String>,
}

impl Recent {
    pub(crate) fn new(seed: u64, index: u64) -> Self {
        Self { rng: Rng::new(seed ^ 0x7465_6E61_6E74_7300, index), instances: Vec::new() }
    }

    /// A pool of engines.
    pub(crate) fn pool(&mut self, name: &str, instances: u64) {
        self.instances.extend((0..instances).map(|i| format!("{name}/{i}")));
    }

    /// A key of an engine.
    pub(crate) fn engine(&mut self, frame: &Frame) -> Option<&'static str> {
        (frame.contended && self.rng.percent(40)).then_some("scheduler_reserve_full_isl: false")
    }

    /// Frontends of a model, if any.
    pub(crate) fn frontends(&mut self, frame: &Frame, name: &str) -> String {
        let rng = &mut self.rng;
        if !frame.contended || !rng.percent(35) {
            return String::new();
        }
        let mut station = vec![format!("workers: {}", rng.spread(1, 64))];
        if frame.round {
            station.push(format!("per_request: {} ms", rng.pick(&[0, 10, 50, 100])));
        } else {
            station.push(format!("per_request: {} us", rng.spread(10, 60_000)));
            if rng.percent(60) {
                station.push(format!("per_prompt_token: {} ns", rng.spread(10, 20_000)));
            }
            if rng.percent(30) {
                station.push(format!("per_output_token: {} ns", rng.spread(10, 50_000)));
            }
        }
        let mut text = format!("    - name: {name}-frontend\n      role: frontend\n      instances: {}\n", rng.range(1, 3));
        if frame.models.len() > 1 {
            let _ = writeln!(text, "      model: {name}");
        }
        text + &format!("      station: {{{}}}\n", station.join(", "))
    }

    /// An additional workload, of sessions, for a model with prefix blocks of 16 tokens.
    pub(crate) fn sessions(&mut self, frame: &Frame) -> String {
        let rng = &mut self.rng;
        let Some(plan) = frame.models.iter().find(|plan| plan.prefix_tokens == 16) else { return String::new() };
        if !frame.contended || !rng.percent(40) {
            return String::new();
        }
        let mut text = String::from("  - name: sessions\n");
        if frame.models.len() > 1 {
            let _ = writeln!(text, "    model: {}", plan.name);
        }
        if rng.percent(40) {
            let _ = writeln!(text, "    timeout: {} ms", rng.spread(100, 20_000));
        }
        text.push_str("    sessions:\n");
        let _ = match rng.range(1, 2) {
            1 => writeln!(text, "      at_once: {}", rng.spread(1, 30)),
            _ => writeln!(text, "      arrivals: {{poisson: {{rate: {} /s}}}}", rng.spread(1, 20)),
        };
        let _ = writeln!(text, "      sessions: {}", rng.spread(5, 40));
        let _ = writeln!(text, "      messages: {{uniform: {{min: 1, max: {}}}}}", rng.spread(1, 8));
        let _ = writeln!(text, "      message_tokens: {{uniform: {{min: 1, max: {}}}}}", plan.prompt);
        let _ = writeln!(text, "      output_tokens: {{uniform: {{min: 1, max: {}}}}}", plan.output);
        let _ = match rng.range(1, 3) {
            1 => writeln!(text, "      think_time: {{fixed: {} ms}}", rng.range(0, 10) * 20),
            2 => writeln!(text, "      think_time: {{exponential: {{mean: {} ms}}}}", rng.spread(1, 2_000)),
            _ => writeln!(text, "      think_time: {{lognormal: {{median: 100 ms, mean: {} ms}}}}", rng.spread(100, 2_000)),
        };
        if rng.percent(50) {
            let tokens = rng.spread(16, plan.prompt.max(32));
            let _ = writeln!(text, "      system_prompt: {{tokens: {tokens}, groups: {}}}", rng.spread(1, 5));
        }
        if rng.percent(50) {
            let time = rng.range(0, 5) * 30;
            let _ = writeln!(
                text,
                "      tools: {{probability: {} %, result_tokens: {{fixed: {}}}, time: {{fixed: {time} ms}}}}",
                rng.range(0, 90),
                rng.spread(1, plan.prompt)
            );
        }
        if rng.percent(30) {
            let _ = writeln!(text, "      max_context: {}", rng.spread(100, plan.prompt * 8));
        }
        text
    }

    /// The part after the network section for split models: the sender timeout of a handoff, and the source of the first token.
    pub(crate) fn handoff(&mut self, frame: &Frame) -> String {
        let mut text = String::new();
        if frame.contended && self.rng.percent(60) {
            let _ = writeln!(text, "      failure_timeout: {} ms", self.time(frame, 10_000));
        }
        let first_token = self.rng.pick(&["immediate", "seeded", "recomputed"]);
        text + &format!("  handoff: {{first_token: {first_token}}}\n")
    }

    /// Further keys of `policies`.
    pub(crate) fn policies(&mut self, frame: &Frame) -> String {
        let mut text = String::new();
        if !frame.contended {
            return text;
        }
        if self.rng.percent(60) {
            let (attempts, multiplier) = (*self.rng.pick(&[0, 1, 3, 3, 10]), *self.rng.pick(&["1", "1.5", "3"]));
            let (back_off, most) = (self.time(frame, 2_000), self.time(frame, 10_000));
            let _ = write!(
                text,
                ", retry: {{attempts: {attempts}, back_off: {back_off} ms, multiplier: {multiplier}, max_back_off: {} ms}}",
                most.max(back_off)
            );
        }
        if self.rng.percent(35) {
            let _ = write!(text, ", health_check: {} ms", self.time(frame, 5_000));
        }
        text
    }

    /// Instances that fail or are restarted during the arrivals, often several at once.
    pub(crate) fn faults(&mut self, frame: &Frame) -> String {
        if !frame.contended || !self.rng.percent(75) {
            return String::new();
        }
        let lasts = frame.requests * 1000 / frame.rate + 1;
        let mut text = String::from("faults:\n");
        let mut at = 0;
        for _ in 0..self.rng.range(1, 8) {
            if at == 0 || !self.rng.percent(25) {
                // Closed loops may end long before.
                let latest = if self.rng.percent(50) { lasts } else { self.rng.spread(1, lasts) };
                at = if frame.round { self.rng.range(0, latest / 100 + 1) * 100 } else { self.rng.range(0, latest) };
            }
            let mut keys = format!("at: {at} ms, instance: {}", self.rng.pick(&self.instances));
            if self.rng.percent(85) {
                let down = if self.rng.percent(10) { 0 } else { self.time(frame, lasts.max(1_000)) };
                let _ = write!(keys, ", down: {down} ms");
            }
            if self.rng.percent(50) {
                let _ = write!(keys, ", start: {} ms", self.time(frame, lasts.max(1_000)));
            }
            if self.rng.percent(30) {
                keys.push_str(", drain: true");
            }
            let _ = writeln!(text, "  - {{{keys}}}");
        }
        text
    }

    /// Milliseconds up to `most`, 1000 or more.
    fn time(&mut self, frame: &Frame, most: u64) -> u64 {
        if frame.round { self.rng.range(1, most / 100) * 100 } else { self.rng.spread(1, most) }
    }
}
