//! What can be typed.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::scenario::schema;
use crate::units::Count;
use crate::workload::TraceFormat;

/// Simulator and scheduler for token factories.
#[derive(Debug, Parser)]
#[command(name = "tokenmill", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 an assertion failed, 2 bad input or usage, 3 incomplete, 70 our own error, 74 output could not be written."
)]
pub(super) struct Arguments {
    /// When to use colour; the variable `NO_COLOR` is honoured.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto)]
    pub(super) color: Colour,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Simulate a scenario: does it hold its SLO, what does a token and a joule give?
    Run(RunOptions),
    /// Compare scenarios, or variants of one: is it better, and is that sure?
    Compare(CompareOptions),
    /// Check scenarios and profiles without running them.
    Validate(ValidateOptions),
    /// List what is known: chips, nodes, links, sites, models, policies, scenarios.
    List(ListOptions),
    /// Show a profile or scenario with its sources, or a policy.
    Show(ShowOptions),
    /// Write a scenario to start from.
    Init(InitOptions),
    /// Print the JSON Schema of a kind of file.
    Schema(SchemaOptions),
    /// Explain a metric.
    Explain(ExplainOptions),
    /// Look into, convert or make request traces.
    Trace(TraceOptions),
    /// Print a completion script for a shell.
    Completions(CompletionsOptions),
    /// Print the manual page of the program or of one of its commands.
    Man(ManOptions),
}

/// Where profiles come from and what is changed.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct InputOptions {
    /// Change a value of the scenario: `path.to.key=value`. May be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    #[command(flatten)]
    pub(super) library: LibraryOptions,
}

/// Where profiles come from.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LibraryOptions {
    /// A folder with `chips/`, `nodes/`, `links/`, `sites/` or `models/` whose profiles win over built-in ones. May be repeated.
    #[arg(long, value_name = "DIR")]
    pub(super) profiles: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct RunOptions {
    /// A scenario file, or the name of a shipped scenario (see `tokenmill list scenarios`).
    pub(super) scenario: PathBuf,
    #[command(flatten)]
    pub(super) input: InputOptions,
    /// Seed of all random streams, instead of the scenario's.
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Run once for each of so many seeds, from the scenario's on, and give means with 95 % intervals.
    #[arg(long, value_name = "N", value_parser = seeds, allow_negative_numbers = true, conflicts_with = "trace_events")]
    pub(super) seeds: Option<u64>,
    /// Folder in which a folder for this run is made.
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub(super) out: PathBuf,
    /// Print summary.json on stdout and nothing else there.
    #[arg(long)]
    pub(super) json: bool,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Most threads busy at once, as many as there are cores if absent: from 2 on, metrics are recorded on one of their own. Results never
    /// depend on it.
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub(super) jobs: Option<usize>,
    #[command(flatten)]
    pub(super) how: HowOptions,
}

#[derive(Debug, Args)]
pub(super) struct CompareOptions {
    /// Scenario files, or names of shipped scenarios. The first is the baseline.
    #[arg(required = true, value_name = "SCENARIO")]
    pub(super) scenarios: Vec<PathBuf>,
    /// Make a variant of each scenario for each value: `PATH=a,b,c`. May be repeated; all combinations are run, the first is the baseline.
    #[arg(long = "vary", value_name = "PATH=A,B,…")]
    pub(super) varied: Vec<String>,
    #[command(flatten)]
    pub(super) input: InputOptions,
    /// Run every variant for each of so many seeds, from the scenario's on: 10 if requests are drawn, 1 if they all come from traces.
    #[arg(long, value_name = "N", value_parser = seeds, allow_negative_numbers = true)]
    pub(super) seeds: Option<u64>,
    /// The first seed, instead of the scenario's.
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Show this number instead of the usual ones: a path in summary.json, or the beginning of one, such as `pools.decode`. May be repeated.
    #[arg(long = "metric", value_name = "PATH")]
    pub(super) metrics: Vec<String>,
    /// Folder in which a folder for this comparison is made, and where finished runs are kept.
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub(super) out: PathBuf,
    /// Most runs at a time, as many as there are cores if absent. Results never depend on it.
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub(super) jobs: Option<usize>,
    #[command(flatten)]
    pub(super) runs: RunsOptions,
    #[command(flatten)]
    pub(super) printed: PrintedOptions,
}

/// How the runs of a study are made; results never depend on it.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct RunsOptions {
    /// Run everything again, whatever is kept of it.
    #[arg(long)]
    pub(super) fresh: bool,
    /// Check the invariants of the simulation after every event (slower).
    #[arg(long)]
    pub(super) audit: bool,
}

/// What is printed.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct PrintedOptions {
    /// Print compare.json on stdout and nothing else there.
    #[arg(long)]
    pub(super) json: bool,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// How the simulation goes about it; results never depend on it.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct HowOptions {
    /// Also write trace.json, a timeline for Perfetto or Chrome's tracing page (slower).
    #[arg(long)]
    pub(super) trace_events: bool,
    /// Check the invariants of the simulation after every event (slower).
    #[arg(long)]
    pub(super) audit: bool,
    /// Step through every iteration instead of passing over undisturbed ones (slower, same result).
    #[arg(long)]
    pub(super) no_fast_forward: bool,
}

#[derive(Debug, Args)]
pub(super) struct ValidateOptions {
    /// Scenario files, or profiles of chips, nodes, links, sites or models.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) input: InputOptions,
    /// What the files are, where their folder does not tell.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(schema::KINDS))]
    pub(super) kind: Option<String>,
    /// Print what was found as JSON: the files, each with its problems.
    #[arg(long)]
    pub(super) json: bool,
}

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Listed {
    Chips,
    Nodes,
    Links,
    Sites,
    Models,
    Policies,
    Scenarios,
}

#[derive(Debug, Args)]
pub(super) struct ListOptions {
    /// What to list.
    #[arg(value_enum)]
    pub(super) what: Listed,
    #[command(flatten)]
    pub(super) library: LibraryOptions,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// What can be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shown {
    Chip,
    Node,
    Link,
    Site,
    Model,
    Policy,
    Scenario,
}

#[derive(Debug, Args)]
pub(super) struct ShowOptions {
    /// What it is.
    #[arg(value_enum)]
    pub(super) kind: Shown,
    /// Its name.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) library: LibraryOptions,
    /// Print the YAML file itself.
    #[arg(long)]
    pub(super) yaml: bool,
}

#[derive(Debug, Args)]
pub(super) struct InitOptions {
    /// File to write; never over one that is there.
    #[arg(default_value = "scenario.yaml")]
    pub(super) path: PathBuf,
    /// Which shipped scenario to copy.
    #[arg(long, value_name = "NAME", default_value = "quickstart")]
    pub(super) from: String,
}

#[derive(Debug, Args)]
pub(super) struct SchemaOptions {
    /// The kind of file.
    #[arg(value_parser = PossibleValuesParser::new(schema::KINDS))]
    pub(super) kind: String,
}

#[derive(Debug, Args)]
pub(super) struct ExplainOptions {
    #[command(subcommand)]
    pub(super) what: Explained,
}

#[derive(Debug, Subcommand)]
pub(super) enum Explained {
    /// The definition of a metric; of all without a name.
    Metric {
        /// Name, such as `ttft` or `tokens-per-watt`.
        name: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct TraceOptions {
    #[command(subcommand)]
    pub(super) action: TraceAction,
}

#[derive(Debug, Subcommand)]
pub(super) enum TraceAction {
    /// Statistics of a trace: rates, lengths, prefix reuse.
    Inspect {
        /// The trace, plain or gzip.
        file: PathBuf,
        #[command(flatten)]
        read: ReadOptions,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Convert a trace to plain CSV (`arrival_s,prompt_tokens,output_tokens`).
    Import {
        /// The trace, plain or gzip.
        file: PathBuf,
        #[command(flatten)]
        read: ReadOptions,
        /// File to write; stdout if absent.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write the requests of a scenario's workload as plain CSV.
    Generate {
        /// A scenario file, or the name of a shipped scenario.
        scenario: PathBuf,
        /// Which workload; the only one if absent.
        #[arg(long, value_name = "NAME")]
        workload: Option<String>,
        /// Most requests to write, instead of the scenario's `run.requests`.
        #[arg(long, value_name = "N", value_parser = requests, allow_negative_numbers = true)]
        requests: Option<u64>,
        /// Seed of all random streams, instead of the scenario's.
        #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
        seed: Option<u64>,
        #[command(flatten)]
        input: InputOptions,
        /// File to write; stdout if absent.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Args)]
pub(super) struct ReadOptions {
    /// Format of the file; recognised by the first line if absent.
    #[arg(long, value_name = "FORMAT", value_parser = trace_format())]
    pub(super) format: Option<TraceFormat>,
    /// Skip and count lines that cannot be used instead of stopping at the first.
    #[arg(long)]
    pub(super) skip_bad_lines: bool,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsOptions {
    /// The shell.
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManOptions {
    /// Whose page, such as `run` or `trace import`; the program's if absent.
    #[arg(value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

/// A trace format by its name.
fn trace_format() -> impl TypedValueParser<Value = TraceFormat> {
    PossibleValuesParser::new(TraceFormat::ALL.map(TraceFormat::name)).try_map(|name| name.parse::<TraceFormat>())
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

/// Seeds of a study.
fn seeds(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST_SEEDS).contains(count));
    count.ok_or_else(|| format!("expected a whole number from 1 to {MOST_SEEDS}"))
}

/// More seeds than this are a mistake.
const MOST_SEEDS: u64 = 10_000;

/// As `run.requests` is written.
fn requests(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().and_then(Count::whole).filter(|count| *count > 0);
    count.ok_or_else(|| "expected a whole number above 0 and at most 1e15, such as `20000` or `20k`".to_owned())
}

/// More threads than this are a mistake.
const MOST_THREADS: usize = 1024;

fn threads(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST_THREADS).contains(count));
    count.ok_or_else(|| format!("expected a whole number from 1 to {MOST_THREADS}"))
}
