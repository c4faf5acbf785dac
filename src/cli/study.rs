//! Commands with several runs: `tokenmill compare`, and `tokenmill run --seeds`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::arguments::{CompareOptions, RunOptions};
use super::exit::{FAILED, Failure};
use super::interrupt;
use super::output::{self, Folder};
use super::progress::StudyProgress;
use super::run::{HASH_LENGTH, cores, library, load, with_seed};
use super::store::{RunStore, program};
use super::terminal::{self, Terminal, print};
use super::variants::variants;
use crate::metrics::AssertionResult;
use crate::metrics::metric::{NoMetric, Reading, Shape};
use crate::policy::Policies;
use crate::report::{self, ComparisonInput, ComparisonPage, Style};
use crate::scenario::Scenario;
use crate::study::compare::{Comparison, Variant};
use crate::study::{Forgetful, Options, Outcome, RunnerOptions, Step, Store, StudyError, run_cells};

/// Default number of seeds for a comparison with random requests.
const SEEDS: u64 = 10;
/// Maximum number of runs in one study.
const MOST_RUNS: u64 = 100_000;

/// Common options of commands with several runs.
struct Study<'o> {
    out: &'o Path,
    /// True if cached runs are used.
    keeps: bool,
    jobs: Option<usize>,
    run: Options,
    wants_progress: bool,
}

/// A variant before its runs: its scenario with each seed.
struct Prepared {
    name: String,
    scenarios: Vec<Scenario>,
}

/// `tokenmill compare`.
pub(super) fn compare(options: &CompareOptions, terminal: Terminal, policies: &Policies) -> Result<ExitCode, Failure> {
    let inputs = variants(&options.scenarios, &options.varied)?;
    let library = library(&options.input.library, policies)?;
    let load_with = |place: usize, sets: &[String], seed: Option<u64>| -> Result<Scenario, Failure> {
        let mut all = with_seed(&options.input, None);
        all.extend(sets.iter().cloned().chain(seed.map(|seed| format!("seed={seed}"))));
        load(&options.scenarios[place], &all, &library)
    };
    let bases: Vec<Scenario> = inputs.iter().map(|input| load_with(input.scenario, &input.sets, options.seed)).collect::<Result<_, _>>()?;
    let metrics = metrics(&options.metrics, &bases[0])?;
    let seeds = seeds(&bases, options.seeds)?;
    let names = names(&inputs.iter().map(|input| (input.scenario, input.label.as_str())).collect::<Vec<_>>(), &bases, &options.scenarios);
    let mut prepared = Vec::new();
    for ((input, base), name) in inputs.iter().zip(bases).zip(names) {
        let mut scenarios = Vec::new();
        for &seed in &seeds {
            scenarios.push(if seed == base.seed { base.clone() } else { load_with(input.scenario, &input.sets, Some(seed))? });
        }
        prepared.push(Prepared { name, scenarios });
    }
    let stopped = interrupt::watch()?;
    let baseline = &prepared[0].scenarios[0].name;
    let folder = Folder::create(&options.out, &format!("{baseline}-compare-{}", hash(&prepared)))?;
    let study = Study {
        out: &options.out,
        // A cached run is not audited.
        keeps: !options.runs.fresh && !options.runs.audit,
        jobs: options.jobs,
        run: Options { audit: options.runs.audit || cfg!(debug_assertions), ..Options::default() },
        wants_progress: !options.printed.quiet && !options.printed.json,
    };
    let variants = run(&study, &prepared, seeds.len() == 1, &stopped, terminal)?;
    let comparison = Comparison::new(&variants, seeds);
    let json = report::comparison_json(&comparison).map_err(|error| Failure::Internal(error.to_string()))?;
    folder.write("compare.json", json.as_bytes())?;
    let scenario = scenarios(&prepared);
    let page = ComparisonPage { comparison: &comparison, scenario: &scenario, version: env!("CARGO_PKG_VERSION") };
    let page = report::comparison_page(page).map_err(|error| Failure::Internal(error.to_string()))?;
    folder.write("compare.html", page.as_bytes())?;
    write_inputs(&folder, &prepared)?;
    let place = folder.finish()?;
    let shown = place.join("compare.html").display().to_string();
    let input = ComparisonInput { comparison: &comparison, metrics: &metrics, place: Some(&shown), width: terminal::width() };
    if options.printed.json {
        print(&json)?;
    } else if !options.printed.quiet {
        print(&report::comparison_terminal(input, style(terminal)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The requested numbers, which the baseline must have.
fn metrics(asked: &[String], baseline: &Scenario) -> Result<Vec<String>, Failure> {
    let shape = Shape::of_parameters(&baseline.recorder, &baseline.cluster);
    let (mut known, mut problems) = (Vec::new(), Vec::new());
    for path in asked {
        match Reading::beginning(path, &shape) {
            Ok(path) => known.push(path),
            Err(NoMetric { problem, hint }) => problems.push(Failure::Input { message: format!("--metric: {problem}"), hint }),
        }
    }
    if problems.is_empty() { Ok(known) } else { Err(Failure::Inputs(problems)) }
}

/// `tokenmill run --seeds N`.
pub(super) fn run_seeds(options: &RunOptions, count: u64, terminal: Terminal, policies: &Policies) -> Result<ExitCode, Failure> {
    let library = library(&options.input.library, policies)?;
    let base = load(&options.scenario, &with_seed(&options.input, options.seed), &library)?;
    let seeds = seeds(std::slice::from_ref(&base), Some(count))?;
    let name = base.name.clone();
    let mut scenarios = Vec::new();
    for &seed in &seeds {
        scenarios.push(load(&options.scenario, &with_seed(&options.input, Some(seed)), &library)?);
    }
    let prepared = [Prepared { name, scenarios }];
    let stopped = interrupt::watch()?;
    let folder = Folder::create(&options.out, &format!("{}-seeds-{}", base.name, hash(&prepared)))?;
    let study = Study {
        out: &options.out,
        // The user requests this way of running, not only its result.
        keeps: !options.how.no_fast_forward && !options.how.audit,
        jobs: options.jobs,
        run: Options {
            fast_forward: !options.how.no_fast_forward,
            audit: options.how.audit || cfg!(debug_assertions),
            ..Options::default()
        },
        wants_progress: !options.quiet && !options.json,
    };
    let variants = run(&study, &prepared, seeds.len() == 1, &stopped, terminal)?;
    let comparison = Comparison::new(&variants, seeds);
    let json = report::comparison_json(&comparison).map_err(|error| Failure::Internal(error.to_string()))?;
    folder.write("seeds.json", json.as_bytes())?;
    write_inputs(&folder, &prepared)?;
    let place = folder.finish()?.join("seeds.json").display().to_string();
    let input = ComparisonInput { comparison: &comparison, metrics: &[], place: Some(&place), width: terminal::width() };
    if options.json {
        print(&json)?;
    } else if !options.quiet {
        print(&report::seeds_terminal(input, style(terminal)))?;
    }
    Ok(check_assertions(&variants[0].runs, terminal))
}

/// Reports conditions of the scenario that fail in some of its runs.
fn check_assertions(runs: &[Arc<Outcome>], terminal: Terminal) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let conditions = runs.first().map_or(0, |run| run.assertions.len());
    for place in 0..conditions {
        let results: Vec<&AssertionResult> = runs.iter().filter_map(|run| run.assertions.get(place)).collect();
        let failed: Vec<&AssertionResult> = results.iter().copied().filter(|result| !result.holds).collect();
        if let Some(first) = failed.first() {
            terminal
                .error(&format!("assertion failed in {} of {} runs, first: {}", failed.len(), results.len(), report::outcome(first)), None);
            code = ExitCode::from(FAILED);
        }
    }
    code
}

/// The names of all scenarios, without duplicates.
fn scenarios(variants: &[Prepared]) -> String {
    let mut names: Vec<&str> = variants.iter().map(|variant| variant.scenarios[0].name.as_str()).collect();
    names.dedup();
    names.join(", ")
}

fn style(terminal: Terminal) -> Style {
    if terminal.colour_stdout() { Style::colour() } else { Style::plain() }
}

/// The seeds of every variant, starting at that of the baseline.
fn seeds(bases: &[Scenario], asked: Option<u64>) -> Result<Vec<u64>, Failure> {
    let draws = bases.iter().any(Scenario::draws_requests);
    let count = asked.unwrap_or(if draws { SEEDS } else { 1 });
    if count > 1 && !draws {
        return Err(Failure::hinted(
            "all requests come from traces: every seed gives the same ones",
            "omit `--seeds`; differences between single runs are tested by resampling their requests",
        ));
    }
    if count.saturating_mul(bases.len() as u64) > MOST_RUNS {
        return Err(Failure::input(format!("too many runs, expected at most {MOST_RUNS}")));
    }
    let first = bases.first().map_or(0, |base| base.seed);
    (0..count)
        .map(|i| first.checked_add(i))
        .collect::<Option<_>>()
        .ok_or_else(|| Failure::hinted(format!("there are no {count} seeds from {first} on"), "use a smaller one: `--seed 1`"))
}

/// Names that distinguish variants: of the scenario if there are several, and of the varied values.
fn names(inputs: &[(usize, &str)], bases: &[Scenario], paths: &[PathBuf]) -> Vec<String> {
    let name_of =
        |place: usize| inputs.iter().zip(bases).find(|((scenario, _), _)| *scenario == place).map_or("", |(_, base)| base.name.as_str());
    let named = |&(place, label): &(usize, &str)| {
        let alike = (0..paths.len()).any(|other| other != place && name_of(other) == name_of(place));
        let scenario = if alike { paths[place].display().to_string() } else { name_of(place).to_owned() };
        match label {
            "" => scenario,
            label if paths.len() == 1 => label.to_owned(),
            label => format!("{scenario} {label}"),
        }
    };
    numbered(inputs.iter().map(named).collect())
}

/// Appends numbers to later names that are equal.
fn numbered(names: Vec<String>) -> Vec<String> {
    let alike = |place: usize| names[..place].iter().filter(|name| **name == names[place]).count();
    let numbers: Vec<usize> = (0..names.len()).map(alike).collect();
    names.into_iter().zip(numbers).map(|(name, before)| if before == 0 { name } else { format!("{name} ({})", before + 1) }).collect()
}

/// Prefix of a hash over all inputs.
fn hash(variants: &[Prepared]) -> String {
    let mut hasher = blake3::Hasher::new();
    for variant in variants {
        hasher.update(variant.name.as_bytes());
        variant.scenarios.iter().for_each(|scenario| {
            hasher.update(scenario.input_hash.as_bytes());
        });
    }
    hasher.finalize().to_hex()[..HASH_LENGTH].to_owned()
}

/// Runs all cells; single requests are kept if requested.
fn run(
    study: &Study<'_>,
    variants: &[Prepared],
    requests: bool,
    stopped: &AtomicBool,
    terminal: Terminal,
) -> Result<Vec<Variant>, Failure> {
    let scenarios: Vec<&Scenario> = variants.iter().flat_map(|variant| &variant.scenarios).collect();
    let program = program();
    let store = RunStore::new(study.out, study.keeps);
    let known = program.is_ok();
    let keeps: &dyn Store = if known { &store } else { &Forgetful };
    let options = RunnerOptions {
        run: Options { aside: true, ..study.run },
        jobs: study.jobs.unwrap_or_else(cores),
        requests,
        program: program.unwrap_or_default(),
    };
    let progress = StudyProgress::new(scenarios.len(), study.wants_progress);
    let watch = |cell: usize, step: Step| {
        progress.show(cell, step);
        !stopped.load(Ordering::Relaxed)
    };
    let ran = run_cells(&scenarios, &options, keeps, &watch);
    progress.finish();
    if let Some(error) = store.error() {
        terminal.note(&format!("finished runs are not kept: {error}"));
    }
    let outcomes = ran.map_err(|error| match error.error {
        StudyError::Interrupted(_) => {
            let (done, all) = (progress.done(), scenarios.len());
            let kept = if known && store.error().is_none() { "the same command continues from there" } else { "nothing was written" };
            Failure::Interrupted { message: format!("interrupted: {done} of {all} runs are done"), hint: kept.to_owned() }
        }
        other => Failure::of_run(other, scenarios[error.cell]),
    })?;
    let mut runs = outcomes.into_iter();
    let with_runs = variants
        .iter()
        .map(|variant| {
            let first = &variant.scenarios[0];
            let own: Vec<Arc<Outcome>> = runs.by_ref().take(variant.scenarios.len()).collect();
            Variant {
                name: variant.name.clone(),
                shape: Shape::of_parameters(&first.recorder, &first.cluster),
                draws: first.draws_requests(),
                runs: own,
            }
        })
        .collect();
    Ok(with_runs)
}

/// The inputs: each variant as a complete scenario, and the non-deterministic outputs.
#[expect(clippy::disallowed_methods, reason = "the manifest records the time of the comparison")]
fn write_inputs(folder: &Folder, variants: &[Prepared]) -> Result<(), Failure> {
    for (place, variant) in variants.iter().enumerate() {
        folder.write(&format!("variants/{place}.yaml"), variant.scenarios[0].resolved_yaml.as_bytes())?;
    }
    let made = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let named: Vec<_> = variants
        .iter()
        .enumerate()
        .map(|(place, variant)| {
            let hashes: Vec<&str> = variant.scenarios.iter().map(|scenario| scenario.input_hash.as_str()).collect();
            json!({"name": variant.name, "scenario": format!("variants/{place}.yaml"), "input_hashes": hashes})
        })
        .collect();
    let manifest = json!({
        "tokenmill": env!("CARGO_PKG_VERSION"),
        "variants": named,
        "made_unix_s": made,
        "host": output::host(),
        "os": std::env::consts::OS,
        "arch": std::env::consts::ARCH,
    });
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| Failure::Internal(error.to_string()))?;
    folder.write("manifest.json", format!("{text}\n").as_bytes())
}
