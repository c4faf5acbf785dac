//! Writes random scenarios: `random_scenarios OUT_DIR COUNT [SEED] [--recent]`. `.ci/compare-bytes` runs them with two builds.
//!
//! Owns: the content of a scenario. Each depends only on (seed, index), is small, and is valid by construction: its text uses the keys of the first
//! commit compared by `.ci/compare-bytes`, and no code of the crate. `--recent` adds later keys (`recent.rs`).
//!
//! One in three is uncontended, as its description states: no two requests arrive at the same instant, no model has several prefill or several decode
//! instances beside a split, and nothing waits for memory. There the order among ties has no effect.

mod cluster;
mod models;
mod recent;
mod rng;
mod workload;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use cluster::Plan;
use recent::Recent;
use rng::Rng;

/// Properties shared by the parts of one scenario.
pub(crate) struct Frame {
    pub(crate) contended: bool,
    /// True if times are few round numbers, so that many events coincide.
    pub(crate) round: bool,
    /// Requests of the whole run.
    pub(crate) requests: u64,
    /// Arrivals per second of the whole run.
    pub(crate) rate: u64,
    pub(crate) models: Vec<Plan>,
}

const USAGE: &str = "usage: random_scenarios OUT_DIR COUNT [SEED] [--recent]";

fn main() -> Result<(), Box<dyn Error>> {
    let (options, arguments): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let (Some(out), Some(count)) = (arguments.first(), arguments.get(1)) else {
        return Err(USAGE.into());
    };
    let recent = !options.is_empty();
    if options.iter().any(|option| option != "--recent") {
        return Err(USAGE.into());
    }
    let seed = arguments.get(2).map_or(Ok(1), |seed| seed.parse())?;
    let (out, count) = (Path::new(out), count.parse()?);
    fs::create_dir_all(out)?;
    for index in 0..count {
        write_scenario(out, seed, index, recent.then(|| Recent::new(seed, index)))?;
    }
    Ok(())
}

fn write_scenario(out: &Path, seed: u64, index: u64, mut recent: Option<Recent>) -> std::io::Result<()> {
    let name = format!("{index:04}");
    let mut rng = Rng::new(seed, index);
    let contended = !index.is_multiple_of(3);
    let round = contended && rng.percent(30);
    let (requests, rate) = (rng.range(50, 400), rng.spread(1, 256));
    let mut frame = Frame { contended, round, requests, rate, models: cluster::plans(&mut rng, contended) };
    if !contended {
        // Below the default maximum number of running sequences: no request waits for a place.
        frame.requests = frame.requests.min(250);
    }
    let (workload, files) = workload::section(&mut rng, &frame, &name);
    let cluster = cluster::section(&mut rng, &frame, recent.as_mut());
    let workload = workload + &recent.as_mut().map(|recent| recent.sessions(&frame)).unwrap_or_default();
    let head = head(&mut rng, &frame, &name);
    for (file, text) in files {
        fs::write(out.join(file), text)?;
    }
    fs::write(out.join(format!("{name}.yaml")), head + &workload + &cluster)
}

fn head(rng: &mut Rng, frame: &Frame, name: &str) -> String {
    let kind = if frame.contended { "contended" } else { "uncontended" };
    let mut text = format!("name: random-{name}\ndescription: {kind}\nseed: {}\n", rng.range(0, 1_000_000));
    // Expected length of the run, in ms.
    let lasts = frame.requests * 1000 / frame.rate + 1;
    let mut run = Vec::new();
    let by_duration = rng.percent(30);
    if by_duration {
        run.push(format!("duration: {} ms", rng.range(lasts / 3, lasts) + 1));
    }
    if !by_duration || rng.percent(50) {
        run.push(format!("requests: {}", frame.requests));
    }
    if rng.percent(30) {
        run.push(format!("warmup: {} ms", rng.range(0, lasts / 2)));
    }
    let _ = writeln!(text, "run: {{{}}}", run.join(", "));
    if rng.percent(20) {
        let _ = writeln!(text, "timeline: {{interval: {} ms}}", rng.pick(&[3, 40, 700]));
    }
    if rng.percent(10) {
        let _ = writeln!(text, "assert:\n  - latency.ttft_ms.p99 < {}", rng.spread(50, 5_000));
    }
    text.push_str("models:\n");
    for plan in &frame.models {
        let _ = writeln!(text, "  {}: {{profile: {}{}}}", plan.name, plan.served.profile, plan.served.formats);
    }
    text
}
