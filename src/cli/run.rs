//! `tokenmill run`: simulate, write the folder, print the summary.

use std::num::NonZero;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::arguments::{InputOptions, LibraryOptions, RunOptions};
use super::catalogue::nearest_scenario;
use super::exit::{FAILED, Failure};
use super::interrupt;
use super::output::{self, Folder};
use super::progress::RunProgress;
use super::rows::RowFile;
use super::study::run_seeds;
use super::terminal::{self, Terminal, print};
use crate::cluster::Silent;
use crate::document::Input;
use crate::metrics::{RunResult, Summary};
use crate::policy::Policies;
use crate::report::{self, ReportInput, Style, TerminalInput, TraceEvents};
use crate::scenario::{Library, Scenario, shipped_scenario};
use crate::study::{Options, StudyError, Threads, simulate};

/// Characters of the input hash in the name of a folder.
pub(super) const HASH_LENGTH: usize = 8;

pub(super) fn run(options: &RunOptions, terminal: Terminal, policies: &Policies) -> Result<ExitCode, Failure> {
    // One seed is one run.
    if let Some(count) = options.seeds.filter(|count| *count > 1) {
        return run_seeds(options, count, terminal, policies);
    }
    let scenario = load(&options.scenario, &with_seed(&options.input, options.seed), &library(&options.input.library, policies)?)?;
    let hash = &scenario.input_hash[..HASH_LENGTH.min(scenario.input_hash.len())];
    // Interruptions must be handled before the folder is created, so that it can be removed.
    let stopped = interrupt::watch()?;
    let folder = Folder::create(&options.out, &format!("{}-{}-{hash}", scenario.name, scenario.seed))?;
    let mut progress = RunProgress::new(&scenario, !options.quiet && !options.json);
    let result = execute(&scenario, options, &folder, &stopped, &mut progress)?;
    write_results(&scenario, &result, &folder)?;
    write_manifest(&scenario, options, &folder, progress.elapsed_s())?;
    let place = folder.finish()?;
    let summary = report::summary_json(&result.summary).map_err(|error| Failure::Internal(error.to_string()))?;
    if options.json {
        print(&summary)?;
    } else if !options.quiet {
        let style = if terminal.colour_stdout() { Style::colour() } else { Style::plain() };
        let page = place.join("report.html").display().to_string();
        print(&report::terminal(TerminalInput { result: &result, report_path: Some(&page), width: terminal::width() }, style))?;
    }
    Ok(check_assertions(&result.summary, terminal))
}

/// Threads of a run. Without a number of jobs every core may be busy.
fn threads(jobs: Option<usize>) -> Threads {
    Threads::of(jobs.unwrap_or_else(cores))
}

/// Number of threads that the machine can run at once.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// The `--set` options, with the seed as another.
pub(super) fn with_seed(input: &InputOptions, seed: Option<u64>) -> Vec<String> {
    let seed = seed.map(|seed| format!("seed={seed}"));
    input.sets.iter().cloned().chain(seed).collect()
}

/// The profiles and policies available to scenarios.
pub(super) fn library(options: &LibraryOptions, policies: &Policies) -> Result<Library, Failure> {
    let mut library = Library::default().with_policies(policies.clone());
    for folder in &options.profiles {
        library.add_folder(folder)?;
    }
    Ok(library)
}

/// A scenario from a file, or a shipped one by name.
pub(super) fn load(path: &Path, sets: &[String], library: &Library) -> Result<Scenario, Failure> {
    if !path.exists()
        && let Some((name, text)) = shipped_scenario(path)
    {
        return Ok(Scenario::load(Input::Text { name: &name, text }, sets, library)?);
    }
    if !path.exists()
        && let Some(near) = nearest_scenario(path)
    {
        let message = format!("no such file: `{}`", path.display());
        return Err(Failure::hinted(message, format!("did you mean the shipped scenario `{near}`?")));
    }
    Ok(Scenario::load(Input::File(path), sets, library)?)
}

fn execute(
    scenario: &Scenario,
    options: &RunOptions,
    folder: &Folder,
    stopped: &AtomicBool,
    progress: &mut RunProgress,
) -> Result<RunResult, Failure> {
    let threads = threads(options.jobs);
    let mut rows = RowFile::create(scenario, folder, threads.rows)?;
    // Fast-forwarded iterations would be out of order in a trace of events.
    let how = Options {
        fast_forward: !options.how.no_fast_forward && !options.how.trace_events,
        audit: options.how.audit || cfg!(debug_assertions),
        aside: threads.recorder,
    };
    let show = |now| {
        progress.show(now);
        !stopped.load(Ordering::Relaxed)
    };
    let ran = if options.how.trace_events {
        let pools: Vec<String> = scenario.recorder.pools.iter().map(|pool| pool.name.clone()).collect();
        let events = TraceEvents::new(folder.stream("trace.json")?, &pools);
        simulate(scenario, how, &mut rows, events, show).map(|(result, _, events)| (result, Some(events)))
    } else {
        simulate(scenario, how, &mut rows, Silent, show).map(|(result, ..)| (result, None))
    };
    progress.finish();
    let (result, events) = match (ran, rows.finish()) {
        // The rows have ended the run, and their error is known here.
        (Ok(_) | Err(StudyError::RowsLost(_)), Err(failure)) => return Err(failure),
        (Err(error), _) => return Err(Failure::of_run(error, scenario)),
        (Ok(ran), Ok(())) => ran,
    };
    if let Some(events) = events {
        events.finish().map_err(|error| Failure::write(&folder.place().join("trace.json"), &error))?;
    }
    Ok(result)
}

fn write_results(scenario: &Scenario, result: &RunResult, folder: &Folder) -> Result<(), Failure> {
    let internal = |error: &dyn std::fmt::Display| Failure::Internal(error.to_string());
    folder.write("summary.json", report::summary_json(&result.summary).map_err(|e| internal(&e))?.as_bytes())?;
    folder.write("timeline.csv", &report::timeline_csv(&result.timeline).map_err(|e| internal(&e))?)?;
    folder.write("resolved.yaml", scenario.resolved_yaml.as_bytes())?;
    let charts = report::charts(result).map_err(|e| internal(&e))?;
    for chart in &charts {
        if let Some(svg) = chart.file() {
            folder.write(&format!("plots/{}.svg", chart.id), svg.as_bytes())?;
        }
    }
    let page = report::page(ReportInput {
        result,
        charts: &charts,
        scenario_yaml: &scenario.portable_yaml,
        rows: scenario.rows,
        rows_gzip: scenario.rows_gzip,
        version: env!("CARGO_PKG_VERSION"),
    });
    folder.write("report.html", page.map_err(|e| internal(&e))?.as_bytes())
}

/// The non-deterministic outputs.
#[expect(clippy::disallowed_methods, reason = "the manifest records the time of the run")]
fn write_manifest(scenario: &Scenario, options: &RunOptions, folder: &Folder, wall_s: f64) -> Result<(), Failure> {
    let made = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let files: Vec<Value> = scenario.files.iter().map(|file| json!({"name": file.name, "blake3": file.blake3})).collect();
    let manifest = json!({
        "tokenmill": env!("CARGO_PKG_VERSION"),
        "scenario": options.scenario,
        "set": options.input.sets,
        "seed": scenario.seed,
        "input_hash": scenario.input_hash,
        "profiles": options.input.library.profiles,
        "files": files,
        "made_unix_s": made,
        "wall_s": wall_s,
        "audit": options.how.audit,
        "host": output::host(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
    });
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| Failure::Internal(error.to_string()))?;
    folder.write("manifest.json", format!("{text}\n").as_bytes())
}

/// Reports failed conditions, and those that may hold by chance.
fn check_assertions(summary: &Summary, terminal: Terminal) -> ExitCode {
    for assertion in &summary.assertions {
        if !assertion.holds {
            terminal.error(&format!("assertion failed: {}", report::outcome(assertion)), None);
        }
        if let Some(doubt) = report::doubt(assertion, summary) {
            terminal.note(&doubt);
        }
    }
    if summary.assertions.iter().all(|assertion| assertion.holds) { ExitCode::SUCCESS } else { ExitCode::from(FAILED) }
}
