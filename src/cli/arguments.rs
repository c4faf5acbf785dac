//! Command-line arguments.

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
    after_help = "Exit codes: 0 done, 1 an assertion failed, 2 bad input or usage, 3 incomplete, 70 internal error, 74 output could not be written."
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
    /// Simulate a scenario: SLO, cost per token, tokens per joule.
    Run(RunOptions),
    /// Compare scenarios, or variants of one: which is better, and is the difference significant?
    Compare(CompareOptions),
    /// Check scenarios and profiles without running them.
    Validate(ValidateOptions),
    /// List chips, nodes, links, sites, models, policies or scenarios.
    List(ListOptions),
    /// Show a profile or scenario with its sources, or a policy.
    Show(ShowOptions),
    /// Write a starter scenario.
    Init(InitOptions),
    /// Print the JSON Schema of a file type.
    Schema(SchemaOptions),
    /// Explain a metric.
    Explain(ExplainOptions),
    /// Inspect, convert or generate request traces.
    Trace(TraceOptions),
    /// Print a completion script for a shell.
    Completions(CompletionsOptions),
    /// Print the manual page of the program or of one of its commands.
    Man(ManOptions),
}

/// Sources of profiles, and overrides.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct InputOptions {
    /// Change a value of the scenario: `path.to.key=value`. May be repeated.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub(super) sets: Vec<String>,
    #[command(flatten)]
    pub(super) library: LibraryOptions,
}

/// Sources of profiles.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct LibraryOptions {
    /// A folder with `chips/`, `nodes/`, `links/`, `sites/` or `models/` whose profiles override built-in ones. May be repeated.
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
    /// Run with this many consecutive seeds, starting at the scenario's, and report means with 95 % intervals.
    #[arg(long, value_name = "N", value_parser = seeds, allow_negative_numbers = true, conflicts_with = "trace_events")]
    pub(super) seeds: Option<u64>,
    /// Folder for results; the run gets its own folder in it.
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub(super) out: PathBuf,
    /// Print summary.json on stdout and nothing else there.
    #[arg(long)]
    pub(super) json: bool,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(super) quiet: bool,
    /// Maximum number of busy threads. Default: the number of cores. From 2 on, metrics are recorded on a separate thread. Does not affect results.
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
    /// Create a variant of each scenario for each value: `PATH=a,b,c`. May be repeated; all combinations are run, the first is the baseline.
    #[arg(long = "vary", value_name = "PATH=A,B,…")]
    pub(super) varied: Vec<String>,
    #[command(flatten)]
    pub(super) input: InputOptions,
    /// Run every variant with this many consecutive seeds, starting at the scenario's. Default: 10 for random requests, 1 if all come from traces.
    #[arg(long, value_name = "N", value_parser = seeds, allow_negative_numbers = true)]
    pub(super) seeds: Option<u64>,
    /// The first seed, instead of the scenario's.
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Show this metric instead of the default ones: a path in summary.json, or a prefix of one, such as `pools.decode`. May be repeated.
    #[arg(long = "metric", value_name = "PATH")]
    pub(super) metrics: Vec<String>,
    /// Folder for results; the comparison gets its own folder in it. Finished runs are cached there too.
    #[arg(long, value_name = "DIR", default_value = "outputs")]
    pub(super) out: PathBuf,
    /// Maximum number of concurrent runs. Default: the number of cores. Does not affect results.
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub(super) jobs: Option<usize>,
    #[command(flatten)]
    pub(super) runs: RunsOptions,
    #[command(flatten)]
    pub(super) printed: PrintedOptions,
}

/// Execution of the runs of a study; does not affect results.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct RunsOptions {
    /// Run everything again, ignoring cached runs.
    #[arg(long)]
    pub(super) fresh: bool,
    /// Check the invariants of the simulation after every event (slower).
    #[arg(long)]
    pub(super) audit: bool,
}

/// Output.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct PrintedOptions {
    /// Print compare.json on stdout and nothing else there.
    #[arg(long)]
    pub(super) json: bool,
    /// Print nothing but errors.
    #[arg(long, short)]
    pub(super) quiet: bool,
}

/// Execution of the simulation; does not affect results.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct HowOptions {
    /// Also write trace.json, a timeline for Perfetto or Chrome's tracing page (slower).
    #[arg(long)]
    pub(super) trace_events: bool,
    /// Check the invariants of the simulation after every event (slower).
    #[arg(long)]
    pub(super) audit: bool,
    /// Step through every iteration instead of fast-forwarding undisturbed ones (slower, same result).
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
    /// Type of the files, if not given by their folder.
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(schema::KINDS))]
    pub(super) kind: Option<String>,
    /// Print the result as JSON: the files, each with its problems.
    #[arg(long)]
    pub(super) json: bool,
}

/// Kinds of items to list.
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
    /// Kind of items to list.
    #[arg(value_enum)]
    pub(super) what: Listed,
    #[command(flatten)]
    pub(super) library: LibraryOptions,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// Kinds of items to show.
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
    /// Kind of item.
    #[arg(value_enum)]
    pub(super) kind: Shown,
    /// Name of the item; of a model also the path of a Hugging Face `config.json` or of its folder.
    pub(super) name: String,
    #[command(flatten)]
    pub(super) library: LibraryOptions,
    /// Print the YAML file itself; for a `config.json`, the profile read from it.
    #[arg(long, conflicts_with = "json")]
    pub(super) yaml: bool,
    /// Print a model as JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct InitOptions {
    /// File to write; an existing file is never overwritten.
    #[arg(default_value = "scenario.yaml")]
    pub(super) path: PathBuf,
    /// Shipped scenario to copy.
    #[arg(long, value_name = "NAME", default_value = "quickstart")]
    pub(super) from: String,
}

#[derive(Debug, Args)]
pub(super) struct SchemaOptions {
    /// The file type.
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
    /// Show the definition of a metric; without a name, of all.
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
        /// File to write. Default: stdout.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write the requests of a scenario's workload as plain CSV.
    Generate {
        /// A scenario file, or the name of a shipped scenario.
        scenario: PathBuf,
        /// The workload; may be left out if there is only one.
        #[arg(long, value_name = "NAME")]
        workload: Option<String>,
        /// Maximum number of requests, instead of the scenario's `run.requests`.
        #[arg(long, value_name = "N", value_parser = requests, allow_negative_numbers = true)]
        requests: Option<u64>,
        /// Seed of all random streams, instead of the scenario's.
        #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
        seed: Option<u64>,
        #[command(flatten)]
        input: InputOptions,
        /// File to write. Default: stdout.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Clone, Args)]
pub(super) struct ReadOptions {
    /// Format of the file. Default: detected from the first line.
    #[arg(long, value_name = "FORMAT", value_parser = trace_format())]
    pub(super) format: Option<TraceFormat>,
    /// Skip and count invalid lines instead of stopping at the first.
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
    /// The command, such as `run` or `trace import`. Default: the program itself.
    #[arg(value_name = "COMMAND")]
    pub(super) command: Vec<String>,
}

/// Parses the name of a trace format.
fn trace_format() -> impl TypedValueParser<Value = TraceFormat> {
    PossibleValuesParser::new(TraceFormat::ALL.map(TraceFormat::name)).try_map(|name| name.parse::<TraceFormat>())
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("expected a whole number from 0 to {}", u64::MAX))
}

/// Number of seeds of a study.
fn seeds(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST_SEEDS).contains(count));
    count.ok_or_else(|| format!("expected a whole number from 1 to {MOST_SEEDS}"))
}

/// Maximum number of seeds.
const MOST_SEEDS: u64 = 10_000;

/// In the format of `run.requests`.
fn requests(text: &str) -> Result<u64, String> {
    let count = text.parse().ok().and_then(Count::whole).filter(|count| *count > 0);
    count.ok_or_else(|| "expected a whole number above 0 and at most 1e15, such as `20000` or `20k`".to_owned())
}

/// Maximum number of threads.
const MOST_THREADS: usize = 1024;

fn threads(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MOST_THREADS).contains(count));
    count.ok_or_else(|| format!("expected a whole number from 1 to {MOST_THREADS}"))
}
