//! The `workload` section, with its traces and lists of lengths.

use std::fmt::Write as _;

use crate::Frame;
use crate::cluster::Plan;
use crate::rng::Rng;

/// Name and text of a file.
type File = (String, String);

pub(crate) fn section(rng: &mut Rng, frame: &Frame, name: &str) -> (String, Vec<File>) {
    let mut text = String::from("workload:\n");
    let mut files = Vec::new();
    let classes = (frame.models.len() as u64).max(*rng.pick(&[1, 1, 2, 2, 3, 4]));
    let mut parts = Parts { frame, name, classes, from_zero: false };
    for class in 0..classes {
        let plan = &frame.models[usize::try_from(class).unwrap_or(0) % frame.models.len()];
        let _ = writeln!(text, "  - name: class-{class}");
        if frame.models.len() > 1 {
            let _ = writeln!(text, "    model: {}", plan.name);
        }
        text.push_str(&limits(rng, frame));
        text.push_str(&parts.source(rng, plan, class, &mut files));
    }
    (text, files)
}

fn limits(rng: &mut Rng, frame: &Frame) -> String {
    let mut text = String::new();
    if rng.percent(60) {
        let ttft = rng.spread(20, 4_000);
        let mut slo = vec![format!("ttft: {ttft} ms")];
        if rng.percent(70) {
            slo.push(format!("tpot: {} ms", rng.spread(5, 100)));
        }
        if rng.percent(30) {
            slo.push(format!("e2e: {} ms", ttft + rng.spread(100, 20_000)));
        }
        let _ = writeln!(text, "    slo: {{{}}}", slo.join(", "));
    }
    let patience_ends = match frame {
        Frame { round: true, .. } => 75,
        Frame { contended: true, .. } => 45,
        _ => 25,
    };
    if rng.percent(patience_ends) {
        let timeout = if frame.round { rng.range(1, 20) * 100 } else { rng.spread(100, 20_000) };
        let _ = writeln!(text, "    timeout: {timeout} ms");
    }
    text
}

struct Parts<'a> {
    frame: &'a Frame,
    name: &'a str,
    classes: u64,
    /// True if a class starts at time 0; only one may if nothing is contended.
    from_zero: bool,
}

impl Parts<'_> {
    fn source(&mut self, rng: &mut Rng, plan: &Plan, class: u64, files: &mut Vec<File>) -> String {
        let may_start = self.frame.contended || !self.from_zero;
        let kind = rng.range(1, 100);
        // Each class has its own limit, so that neither a duration nor a fast loop makes a run long.
        let requests = (self.frame.requests / self.classes).max(10);
        if kind <= 20 && may_start {
            self.from_zero = true;
            return format!("    requests: {requests}\n{}", self.closed_loop(rng, plan, class, files));
        }
        if kind <= 40 && may_start {
            self.from_zero = true;
            return self.trace(rng, plan, class, files, requests);
        }
        format!("    requests: {requests}\n{}", self.synthetic(rng, plan, class, files, may_start))
    }

    fn closed_loop(&self, rng: &mut Rng, plan: &Plan, class: u64, files: &mut Vec<File>) -> String {
        let concurrency = if self.frame.contended { rng.spread(1, 64) } else { 1 };
        let mut text = format!("    closed_loop:\n      concurrency: {concurrency}\n");
        // A rejected client without think time sends again at the same instant.
        if rng.percent(50) || !self.frame.contended {
            let think = if self.frame.round { rng.range(1, 10) * 20 } else { rng.spread(1, 2_000) };
            let _ = writeln!(text, "      think_time: {think} ms");
        }
        text + &self.shape(rng, plan, class, files)
    }

    fn synthetic(&mut self, rng: &mut Rng, plan: &Plan, class: u64, files: &mut Vec<File>, may_start: bool) -> String {
        let rate = rng.range(self.frame.rate, self.frame.rate * 3) as f64 / (2 * self.classes) as f64;
        // Bursty gaps are often shorter than a nanosecond.
        let cv = *rng.pick(if self.frame.contended { &["0.2", "0.7", "1.5", "4", "10"] } else { &["0.2", "0.7"] });
        let arrivals = match rng.range(1, 10) {
            // Gaps of whole milliseconds.
            1..=7 if self.frame.round => format!("constant: {{rate: {} /s}}", rng.pick(&[5, 10, 20, 50, 100])),
            1..=2 if may_start => {
                self.from_zero = true;
                format!("constant: {{rate: {rate} /s}}")
            }
            3..=4 => format!("gamma: {{rate: {rate} /s, cv: {cv}}}"),
            5..=6 => format!("weibull: {{rate: {rate} /s, cv: {cv}}}"),
            _ => format!("poisson: {{rate: {rate} /s}}"),
        };
        let mut text = format!("    synthetic:\n      arrivals: {{{arrivals}}}\n");
        if rng.percent(25) {
            let (amplitude, period) = (rng.pick(&["0.3", "0.9", "1"]), rng.spread(200, 30_000));
            let peak = rng.range(0, period - 1);
            let _ = writeln!(text, "      diurnal: {{amplitude: {amplitude}, period: {period} ms, peak: {peak} ms}}");
        }
        text + &self.shape(rng, plan, class, files)
    }

    fn shape(&self, rng: &mut Rng, plan: &Plan, class: u64, files: &mut Vec<File>) -> String {
        let prompt = self.lengths(rng, plan.prompt, &format!("{}-{class}-prompts.txt", self.name), files);
        let output = self.lengths(rng, plan.output, &format!("{}-{class}-outputs.txt", self.name), files);
        let mut text = format!("      prompt_tokens: {{{prompt}}}\n      output_tokens: {{{output}}}\n");
        if plan.prefix_tokens == 16 && rng.percent(50) {
            let (tokens, groups) = (rng.spread(16, plan.prompt.max(32)), rng.spread(1, 20));
            let _ = writeln!(text, "      shared_prefix: {{tokens: {tokens}, groups: {groups}}}");
        }
        text
    }

    /// A distribution around `typical`, always with lengths well below it.
    fn lengths(&self, rng: &mut Rng, typical: u64, file: &str, files: &mut Vec<File>) -> String {
        let short = (typical / 8).max(1);
        match rng.range(1, if self.frame.round { 4 } else { 10 }) {
            1..=2 => format!("fixed: {}", rng.range(short, typical)),
            3..=4 => format!("uniform: {{min: {short}, max: {}}}", rng.range(typical, typical * 2)),
            5..=6 => format!("lognormal: {{median: {typical}, sigma: {}, max: {}}}", rng.pick(&["0.3", "0.8", "1.4"]), typical * 6),
            7..=8 => format!("lognormal: {{median: {typical}, mean: {}, min: {short}, max: {}}}", typical * 5 / 4 + 1, typical * 4),
            9 => format!("empirical: {{values: [{short}, {typical}, {}, {}]}}", typical / 2 + 1, typical * 2),
            _ => {
                let list: Vec<String> = (0..rng.range(3, 40)).map(|_| rng.range(short, typical * 2).to_string()).collect();
                files.push((file.to_owned(), list.join("\n") + "\n"));
                format!("empirical: {{path: {file}}}")
            }
        }
    }

    fn trace(&self, rng: &mut Rng, plan: &Plan, class: u64, files: &mut Vec<File>, requests: u64) -> String {
        let file = format!("{}-{class}.csv", self.name);
        let rows = requests.min(rng.range(30, 300));
        // Microseconds between requests; on a grid several fall on the same instant.
        let gap = 1_000_000 * self.classes / self.frame.rate + 1;
        let grid = match self.frame {
            Frame { round: true, .. } => 10_000 * rng.range(1, 10),
            Frame { contended: true, .. } if rng.percent(60) => gap * rng.range(1, 6),
            _ => 1,
        };
        let mut text = String::from("arrival_s,prompt_tokens,output_tokens");
        let prefixes = plan.prefix_tokens > 0 && rng.percent(70);
        let sessions = rng.spread(1, 30);
        if prefixes {
            let _ = write!(text, ",prefix_ids_{}", plan.prefix_tokens);
        }
        text.push('\n');
        let mut at = 0;
        for _ in 0..rows {
            let shown = at / grid * grid;
            let (prompt, output) = (rng.spread(plan.prompt / 8 + 1, plan.prompt * 3), rng.spread(1, plan.output * 2));
            let _ = write!(text, "{}.{:06},{prompt},{output}", shown / 1_000_000, shown % 1_000_000);
            if prefixes {
                let session = rng.range(0, sessions - 1);
                let ids: Vec<String> = (0..prompt / plan.prefix_tokens).map(|block| format!("{:x}", session << 16 | block)).collect();
                let _ = write!(text, ",{}", ids.join(" "));
            }
            text.push('\n');
            at += rng.range(1, gap * 2);
        }
        files.push((file.clone(), text));
        let mut keys = format!("format: plain, path: {file}");
        if rng.percent(40) {
            let _ = write!(keys, ", rate_scale: {}", rng.pick(&["0.5", "1.7", "4"]));
        }
        if rng.percent(20) {
            let _ = write!(keys, ", repeat: 2");
        }
        if rng.percent(20) {
            let _ = write!(keys, ", window: {{to: {} us}}", gap * rows * 2 / 3 + 1);
        }
        format!("    trace: {{{keys}}}\n")
    }
}
