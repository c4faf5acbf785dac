//! `tokenmill trace`: inspect, convert or generate request traces.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use super::arguments::{ReadOptions as ReadArguments, TraceAction, TraceOptions};
use super::catalogue::print_json;
use super::exit::Failure;
use super::new_file::NewFile;
use super::run::{library, load, with_seed};
use super::terminal::{Terminal, message, print};
use crate::document::check_input;
use crate::policy::Policies;
use crate::report::number;
use crate::scenario::{Scenario, WorkloadSource};
use crate::sim::Streams;
use crate::study::StudyError;
use crate::units::nearest;
use crate::workload::{self, ClassId, LengthStatistics, ReadOptions, TraceSource, TraceStatistics, WorkloadError};

pub(super) fn trace(options: &TraceOptions, terminal: Terminal, policies: &Policies) -> Result<ExitCode, Failure> {
    match &options.action {
        TraceAction::Inspect { file, read, json } => inspect(file, read, *json)?,
        TraceAction::Import { file, read, out } => {
            let source = source(file)?;
            to_destination(out.as_deref(), terminal, |destination| workload::import(&source, read_options(read), destination))?;
        }
        TraceAction::Generate { scenario, workload, requests, seed, input, out } => {
            // The option overrides the scenario's own number.
            let requests = requests.map(|requests| format!("run.requests={requests}"));
            let sets: Vec<String> = with_seed(input, *seed).into_iter().chain(requests).collect();
            let scenario = load(scenario, &sets, &library(&input.library, policies)?)?;
            let (class, source) = choose(&scenario, workload.as_deref())?;
            let opened = source.open(class, &Streams::new(scenario.seed)).map_err(|error| Failure::input(error.to_string()))?;
            let mut limited = workload::LimitedWorkload::new(opened, scenario.requests, scenario.duration);
            to_destination(out.as_deref(), terminal, |destination| workload::generate(&mut limited, class, destination))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The workload with this name, or the only one.
fn choose<'s>(scenario: &'s Scenario, name: Option<&str>) -> Result<(ClassId, &'s WorkloadSource), Failure> {
    let names: Vec<&str> = scenario.recorder.classes.iter().map(|class| class.name.as_str()).collect();
    let index = match name {
        Some(name) => names.iter().position(|known| *known == name).ok_or_else(|| Failure::unknown("workload", name, &names))?,
        None if names.len() == 1 => 0,
        None => {
            return Err(Failure::hinted(
                "the scenario has several workloads",
                format!("write `--workload NAME`, one of: {}", names.join(", ")),
            ));
        }
    };
    let class = u16::try_from(index).ok().map(ClassId);
    class.zip(scenario.workloads.get(index)).ok_or_else(|| Failure::Internal(format!("workload {index} is not there")))
}

/// The trace in an existing file.
fn source(file: &Path) -> Result<TraceSource, Failure> {
    check_input(file, "a trace file").map_err(|(message, hint)| Failure::Input { message, hint })?;
    Ok(TraceSource::File(file.to_owned()))
}

fn read_options(read: &ReadArguments) -> ReadOptions {
    ReadOptions { format: read.format, skip_bad_lines: read.skip_bad_lines }
}

fn inspect(file: &Path, read: &ReadArguments, json: bool) -> Result<(), Failure> {
    let statistics = workload::inspect(&source(file)?, read_options(read)).map_err(failed)?;
    if json { print_json(&statistics) } else { print(&describe(&statistics)) }
}

fn describe(s: &TraceStatistics) -> String {
    let line = |name: &str, value: String| format!("{name:16}{value}\n");
    let lengths = |name: &str, l: &LengthStatistics| {
        let percentiles = [("p50", l.p50), ("p90", l.p90), ("p99", l.p99), ("max", l.max)];
        let percentiles = percentiles.map(|(name, value)| format!(" {:>8} {name}", number::count(value.into())));
        // Whole tokens, as for the percentiles; short lengths with decimals.
        let mean = if l.mean < 100.0 { number::number(l.mean) } else { number::count(nearest(l.mean)) };
        format!("{name:16}{mean:>9} mean{}\n", percentiles.concat())
    };
    let rate = |r: f64| format!("{}/s", number::number(r));
    let rates = [
        format!("{} mean", number::or_none(s.mean_rate_per_s, rate)),
        format!("{} peak over 10 s", number::or_none(s.peak_rate_10s_per_s, rate)),
        format!("{} over 60 s", number::or_none(s.peak_rate_60s_per_s, rate)),
    ];
    let mut lines = vec![format!("{} ({})\n\n", s.file, s.format)];
    match (&s.sessions, s.span_s) {
        (Some(sessions), _) => {
            lines.push(line("sessions", number::count(sessions.sessions)));
            lines.push(line("requests", number::count(s.requests)));
            lines.push(lengths("calls per session", &sessions.calls));
        }
        (None, span_s) => {
            lines.push(line("requests", format!("{} over {}", number::count(s.requests), number::or_none(span_s, number::duration_s))));
            lines.push(line("rate", rates.join(", ")));
            lines.push(line("gap cv", format!("{} (1 = Poisson)", number::or_none(s.gap_cv, number::number))));
        }
    }
    lines.push(lengths("prompt tokens", &s.prompt_tokens));
    lines.push(lengths("output tokens", &s.output_tokens));
    lines.push(line("total tokens", number::count(s.total_tokens)));
    if let Some(delays) = s.sessions.as_ref().and_then(|sessions| sessions.delays_s) {
        let percentiles = [("p50", delays.p50), ("p90", delays.p90), ("p99", delays.p99), ("max", delays.max)];
        let percentiles = percentiles.map(|(name, value)| format!(" {:>8} {name}", number::duration_s(value)));
        lines.push(format!("{:16}{:>9} mean{}\n", "delay", number::duration_s(delays.mean), percentiles.concat()));
    }
    if let (Some(block), Some(rate)) = (s.prefix_block_tokens, s.prefix_hit_rate) {
        let share = number::percent(rate);
        let text = format!("{share} of prompt tokens repeat an earlier prefix (blocks of {block} tokens, unlimited cache)");
        lines.push(line("prefix reuse", text));
    }
    if let Some(sessions) = &s.sessions {
        if let Some(rate) = sessions.prompt_hit_rate {
            lines.push(line("", format!("{} if answers are not cached", number::percent(rate))));
        }
        lines.extend(sessions.notes.sentences().into_iter().map(|sentence| line("note", sentence)));
    }
    if !s.skipped.is_empty() {
        lines.push(line("skipped", s.skipped.to_string()));
    }
    lines.concat()
}

/// Writes to a file or to stdout, and reports the result.
fn to_destination(
    out: Option<&Path>,
    terminal: Terminal,
    write: impl FnOnce(&mut dyn Write) -> Result<workload::Transcript, WorkloadError>,
) -> Result<(), Failure> {
    let done = match out {
        Some(path) => {
            let mut file = NewFile::create(path, terminal)?;
            let done = write(file.out()).map_err(failed)?;
            file.finish()?;
            message(&format!("{} requests written", number::count(done.requests)));
            done
        }
        None => write(&mut std::io::stdout().lock()).map_err(failed)?,
    };
    if !done.skipped.is_empty() {
        message(&format!("skipped: {}", done.skipped));
    }
    Ok(())
}

fn failed(error: WorkloadError) -> Failure {
    match error {
        WorkloadError::Write(source) if source.kind() == std::io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        error => Failure::from(StudyError::Workload(error)),
    }
}
