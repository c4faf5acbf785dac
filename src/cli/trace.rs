//! `tokenmill trace`: look into, convert or make request traces.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::arguments::{ReadOptions as ReadArguments, TraceAction, TraceOptions};
use super::exit::Failure;
use super::run::{library, load};
use super::terminal::Terminal;
use crate::report::number;
use crate::sim::Streams;
use crate::workload::{self, ClassId, LengthStatistics, ReadOptions, TraceFormat, TraceSource, TraceStatistics, WorkloadError};

pub(super) fn trace(options: &TraceOptions, terminal: &Terminal) -> Result<ExitCode, Failure> {
    match &options.action {
        TraceAction::Inspect { file, read, json } => inspect(file, read, *json, terminal)?,
        TraceAction::Import { file, read, out } => {
            let options = read_options(read)?;
            to_destination(out.as_ref(), |destination| workload::import(&TraceSource::File(file.clone()), options, destination), terminal)?;
        }
        TraceAction::Generate { scenario, workload, requests, input, out } => {
            let scenario = load(scenario, &input.sets, &library(input)?)?;
            let names: Vec<&str> = scenario.recorder.classes.iter().map(|class| class.name.as_str()).collect();
            let index = match workload {
                Some(name) => names.iter().position(|known| known == name),
                None if names.len() == 1 => Some(0),
                None => None,
            };
            let Some(index) = index else {
                return Err(Failure::hinted("which workload?", format!("write `--workload NAME`, one of: {}", names.join(", "))));
            };
            let class = ClassId(u16::try_from(index).map_err(|error| Failure::Internal(error.to_string()))?);
            let opened =
                scenario.workloads[index].open(class, &Streams::new(scenario.seed)).map_err(|error| Failure::input(error.to_string()))?;
            let limit = scenario.requests.unwrap_or(*requests).min(*requests);
            let mut limited = workload::LimitedWorkload::new(opened, Some(limit), scenario.duration);
            to_destination(out.as_ref(), |destination| workload::generate(&mut limited, class, limit, destination), terminal)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_options(read: &ReadArguments) -> Result<ReadOptions, Failure> {
    let format = match &read.format {
        None => None,
        Some(name) => Some(name.parse::<TraceFormat>().map_err(|_| {
            let known: Vec<&str> = TraceFormat::ALL.iter().map(|format| format.name()).collect();
            Failure::hinted(format!("unknown trace format `{name}`"), format!("known are: {}", known.join(", ")))
        })?),
    };
    Ok(ReadOptions { format, skip_bad_lines: read.skip_bad_lines })
}

fn inspect(file: &Path, read: &ReadArguments, json: bool, terminal: &Terminal) -> Result<(), Failure> {
    let statistics =
        workload::inspect(&TraceSource::File(file.to_owned()), read_options(read)?).map_err(|error| Failure::input(error.to_string()))?;
    if json {
        return terminal
            .print(&format!("{}\n", serde_json::to_string_pretty(&statistics).map_err(|error| Failure::Internal(error.to_string()))?));
    }
    terminal.print(&describe(&statistics))
}

fn describe(s: &TraceStatistics) -> String {
    let lengths = |name: &str, l: &LengthStatistics| {
        format!(
            "{name:16}{:>9} mean {:>8} p50 {:>8} p90 {:>8} p99 {:>8} max\n",
            number::number(l.mean),
            number::count(l.p50.into()),
            number::count(l.p90.into()),
            number::count(l.p99.into()),
            number::count(l.max.into())
        )
    };
    let mut text = format!("{} ({})\n\n", s.file, s.format);
    text += &format!("{:16}{} over {}\n", "requests", number::count(s.requests), number::duration_s(s.span_s));
    let rate = |r: f64| format!("{}/s", number::number(r));
    text += &format!(
        "{:16}{} mean, {} peak over 10 s, {} over 60 s\n",
        "rate",
        number::or_none(s.mean_rate_per_s, rate),
        rate(s.peak_rate_10s_per_s),
        rate(s.peak_rate_60s_per_s)
    );
    text += &format!("{:16}{} (1 = Poisson)\n", "gap cv", number::or_none(s.gap_cv, number::number));
    text += &lengths("prompt tokens", &s.prompt_tokens);
    text += &lengths("output tokens", &s.output_tokens);
    text += &format!("{:16}{}\n", "total tokens", number::count(s.total_tokens));
    if let (Some(block), Some(rate)) = (s.prefix_block_tokens, s.prefix_hit_rate) {
        text += &format!(
            "{:16}{} of prompt tokens repeat an earlier prefix (blocks of {block} tokens, cache without end)\n",
            "prefix reuse",
            number::percent(rate)
        );
    }
    if !s.skipped.is_empty() {
        text += &format!("{:16}{}\n", "skipped", s.skipped);
    }
    text
}

/// Writes to a file or to stdout and says what was written.
fn to_destination(
    out: Option<&PathBuf>,
    write: impl FnOnce(&mut dyn Write) -> Result<workload::Transcript, WorkloadError>,
    terminal: &Terminal,
) -> Result<(), Failure> {
    let done = match out {
        Some(path) => {
            let file = File::create(path).map_err(|error| Failure::write(path, &error))?;
            let mut destination = BufWriter::new(file);
            let done = write(&mut destination).map_err(failed)?;
            destination.flush().map_err(|error| Failure::write(path, &error))?;
            done
        }
        None => write(&mut std::io::stdout().lock()).map_err(failed)?,
    };
    if out.is_some() {
        terminal.message(&format!("{} requests written", number::count(done.requests)));
    }
    if !done.skipped.is_empty() {
        terminal.message(&format!("skipped: {}", done.skipped));
    }
    Ok(())
}

fn failed(error: WorkloadError) -> Failure {
    match &error {
        WorkloadError::Write(source) if source.kind() == std::io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        _ => Failure::input(error.to_string()),
    }
}
