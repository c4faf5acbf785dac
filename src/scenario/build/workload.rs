//! The `workload` section as parameters of the workload layer.

use super::super::file::{ClosedLoop, Lengths, ScenarioFile, SharedPrefix, Slo as SloEntry, Synthetic, Trace, WorkloadEntry};
use super::sessions;
use crate::document::{Document, Problems, check_lasting, missing_folder, read};
use crate::metrics::SloLimits;
use crate::sim::{SimDuration, Streams};
use crate::units::{Count, Duration, Ratio, grouped};
use crate::workload::{
    ClassId, ClosedLoopParameters, ClosedLoopWorkload, LengthDistribution, MAX_TOKENS, Pace, ParameterProblem, ReadOptions, RequestShape,
    SessionStart, SessionWorkload, SharedPrefix as SharedPrefixParameters, SyntheticParameters, SyntheticSessionParameters,
    SyntheticSessions, SyntheticWorkload, TraceFormat, TraceParameters, TraceReader, TraceSource, Workload, WorkloadError, open_trace,
};

/// Source of one workload.
#[derive(Debug, Clone)]
pub enum WorkloadSource {
    /// Open loop.
    Synthetic(SyntheticParameters),
    /// Generated sessions, when they start, and the limit of their calls.
    Sessions(Box<SyntheticSessionParameters>, SessionStart, Option<u64>),
    /// Fixed concurrency.
    ClosedLoop(ClosedLoopParameters),
    /// Replayed.
    Trace(TraceParameters),
}

impl WorkloadSource {
    /// The requests, from the first.
    ///
    /// # Errors
    /// A trace that cannot be read.
    pub fn open(&self, class: ClassId, streams: &Streams) -> Result<Box<dyn Workload>, WorkloadError> {
        Ok(match self {
            Self::Synthetic(parameters) => Box::new(SyntheticWorkload::new(class, parameters, streams)?),
            Self::ClosedLoop(parameters) => Box::new(ClosedLoopWorkload::new(class, parameters, streams)?),
            Self::Sessions(parameters, start, requests) => {
                let sessions = SyntheticSessions::new(class, (**parameters).clone(), streams)?;
                Box::new(SessionWorkload::new(class, Box::new(sessions), start, Pace::default(), *requests, streams)?)
            }
            Self::Trace(parameters) => open_trace(class, parameters, streams)?,
        })
    }
}

/// Tokens of one prefix block of synthetic prompts, as in common engines.
pub(super) const PREFIX_BLOCK_TOKENS: u32 = 16;

/// All workloads; `None` if any cannot be built, which has been noted.
pub(super) fn build(file: &ScenarioFile, document: &Document, problems: &mut Problems<'_>) -> Option<Vec<WorkloadSource>> {
    let mut sources = Vec::new();
    for (index, entry) in file.workload.iter().enumerate() {
        let path = format!("workload[{index}]");
        // Contradictions have been reported already.
        if !problems.touch(&path) {
            sources.extend(source(entry, &path, document, problems));
        }
    }
    (sources.len() == file.workload.len()).then_some(sources)
}

/// Latency limits in milliseconds.
pub(super) fn limits(slo: Option<&SloEntry>) -> SloLimits {
    let ms = |limit: Option<Duration>| limit.map(|d| d.get() * 1e3);
    slo.map_or_else(SloLimits::default, |slo| SloLimits { ttft_ms: ms(slo.ttft), tpot_ms: ms(slo.tpot), e2e_ms: ms(slo.e2e) })
}

fn source(entry: &WorkloadEntry, path: &str, document: &Document, problems: &mut Problems<'_>) -> Option<WorkloadSource> {
    let requests = entry.requests.and_then(Count::whole);
    let (source, found, at) = if let Some(synthetic) = &entry.synthetic {
        let at = format!("{path}.synthetic");
        let parameters = synthetic_parameters(synthetic, requests, &at, document, problems)?;
        let found = parameters.validate();
        (WorkloadSource::Synthetic(parameters), found, at)
    } else if let Some(closed) = &entry.closed_loop {
        let at = format!("{path}.closed_loop");
        let parameters = closed_parameters(closed, requests, &at, document, problems)?;
        let found = parameters.validate();
        (WorkloadSource::ClosedLoop(parameters), found, at)
    } else if let Some(generated) = &entry.sessions {
        let at = format!("{path}.sessions");
        let (parameters, start) = sessions::generated(generated, &at, document, problems)?;
        let found = parameters.validate().into_iter().chain(start.validate()).collect();
        (WorkloadSource::Sessions(Box::new(parameters), start, requests), found, at)
    } else {
        let trace = entry.trace.as_ref()?;
        let at = format!("{path}.trace");
        let parameters = trace_parameters(trace, requests, &at, document);
        let found = parameters.validate();
        (WorkloadSource::Trace(parameters), found, at)
    };
    let usable = found.is_empty();
    for problem in found {
        note(&problem, &at, problems);
    }
    let there = usable && can_be_opened(&source, &entry.name, &format!("{at}.path"), problems);
    there.then_some(source)
}

/// Opens a trace, so that a missing or invalid file is found before the run.
fn can_be_opened(source: &WorkloadSource, name: &str, at: &str, problems: &mut Problems<'_>) -> bool {
    let WorkloadSource::Trace(parameters) = source else { return true };
    let found = match &parameters.source {
        TraceSource::File(path) => check_lasting(path, "a trace").map_err(|problem| {
            // A path given on the command line needs no hint on how to give it.
            let elsewhere = (!problems.is_option(at)).then(|| format!("give its path with `--set workload.{name}.trace.path=…`"));
            let hint = match (elsewhere, missing_folder(path)) {
                (Some(elsewhere), Some(missing)) => Some(format!("{elsewhere}; {missing}")),
                (elsewhere, missing) => problem.hint.clone().or(elsewhere).or(missing),
            };
            (problem.sentence(path), hint, false)
        }),
        TraceSource::Memory { .. } => Ok(()),
    };
    let opened = found.and_then(|()| {
        open_trace(ClassId(0), parameters, &Streams::new(0)).map(drop).map_err(|error| {
            let hint = match &error {
                WorkloadError::BadLine { .. } => {
                    Some("fix the line, or write `skip_bad_lines: true` to skip and count such lines".to_owned())
                }
                WorkloadError::BadStart { formats, .. } => TraceFormat::beginnings(formats),
                WorkloadError::Damaged { remedy, .. } => Some((*remedy).to_owned()),
                _ => None,
            };
            (error.to_string(), hint, matches!(error, WorkloadError::Trace { .. }))
        })
    });
    let Err((problem, hint, nothing)) = opened else { return true };
    let window = at.replace(".path", ".window");
    match (nothing && problems.has(&window)).then(|| length_s(parameters)).flatten() {
        Some(length_s) => {
            let length = grouped(&format!("{length_s:.1}"));
            problems.note(&window, &format!("{problem}: the trace is {length} s long"), None);
        }
        None => problems.note(at, &problem, hint),
    }
    false
}

/// Seconds from the first request of a trace to its last, if it can be read.
fn length_s(parameters: &TraceParameters) -> Option<f64> {
    let mut reader = TraceReader::open(&parameters.source, parameters.read).ok()?;
    let first = reader.next_record().ok()??.at_ns;
    let mut last = first;
    while let Some(record) = reader.next_record().ok()? {
        last = record.at_ns;
    }
    Some(SimDuration::from_ns(last - first).as_secs_f64())
}

/// Points at the key of a parameter, as far as the names agree.
fn note(problem: &ParameterProblem, at: &str, problems: &mut Problems<'_>) {
    let key = |field| match field {
        "prompt" => "prompt_tokens",
        "output" => "output_tokens",
        "envelope" => "diurnal",
        other => other,
    };
    let field = problem.field.split('.').map(key).collect::<Vec<_>>().join(".");
    let mut path = format!("{at}.{field}");
    let mut found = format!("`{}`", problem.found);
    // A mean that is not given follows from `sigma`.
    if let Some(parent) = path.strip_suffix(".mean").filter(|parent| problems.has(&format!("{parent}.sigma"))) {
        path = format!("{parent}.sigma");
        found = format!("a mean of {found}");
    }
    problems.at(&path, found, &problem.expected, None);
}

fn synthetic_parameters(
    entry: &Synthetic,
    requests: Option<u64>,
    at: &str,
    document: &Document,
    problems: &mut Problems<'_>,
) -> Option<SyntheticParameters> {
    let shape = shape(&entry.prompt_tokens, &entry.output_tokens, entry.shared_prefix.as_ref(), at, document, problems);
    Some(SyntheticParameters { arrivals: entry.arrivals, envelope: entry.diurnal, shape: shape?, requests })
}

fn closed_parameters(
    entry: &ClosedLoop,
    requests: Option<u64>,
    at: &str,
    document: &Document,
    problems: &mut Problems<'_>,
) -> Option<ClosedLoopParameters> {
    let shape = shape(&entry.prompt_tokens, &entry.output_tokens, entry.shared_prefix.as_ref(), at, document, problems)?;
    Some(ClosedLoopParameters { concurrency: entry.concurrency, think_time: entry.think_time, shape, requests })
}

fn trace_parameters(entry: &Trace, limit: Option<u64>, at: &str, document: &Document) -> TraceParameters {
    let path = document.resolve(&format!("{at}.path"), &entry.path);
    TraceParameters {
        source: TraceSource::File(path),
        read: ReadOptions { format: Some(entry.format), skip_bad_lines: entry.skip_bad_lines },
        rate_scale: entry.rate_scale.get(),
        window: entry.window.unwrap_or_default(),
        repeat: entry.repeat,
        limit,
        sessions: entry.sessions.as_ref().map(sessions::replayed),
    }
}

fn shape(
    prompt: &Lengths,
    output: &Lengths,
    prefix: Option<&SharedPrefix>,
    at: &str,
    document: &Document,
    problems: &mut Problems<'_>,
) -> Option<RequestShape> {
    let prompt = lengths(prompt, &format!("{at}.prompt_tokens"), document, problems);
    let output = lengths(output, &format!("{at}.output_tokens"), document, problems);
    let shared_prefix = match prefix {
        None => None,
        Some(prefix) => Some(shared_prefix(*prefix, &format!("{at}.shared_prefix"), problems)?),
    };
    Some(RequestShape { prompt: prompt?, output: output?, shared_prefix })
}

pub(super) fn shared_prefix(entry: SharedPrefix, at: &str, problems: &mut Problems<'_>) -> Option<SharedPrefixParameters> {
    let path = format!("{at}.tokens");
    let tokens = tokens(entry.tokens, &path, problems)?;
    if tokens < PREFIX_BLOCK_TOKENS {
        let expected = format!("at least {PREFIX_BLOCK_TOKENS} tokens, because only full blocks of that size are shared");
        problems.at(&path, format!("`{tokens}`"), &expected, None);
        return None;
    }
    Some(SharedPrefixParameters { groups: entry.groups, tokens, block_tokens: PREFIX_BLOCK_TOKENS })
}

pub(super) fn lengths(entry: &Lengths, at: &str, document: &Document, problems: &mut Problems<'_>) -> Option<LengthDistribution> {
    match entry {
        Lengths::Fixed(count) => Some(LengthDistribution::Fixed { tokens: tokens(*count, &format!("{at}.fixed"), problems)? }),
        Lengths::Uniform { min, max } => {
            let (min, max) = (tokens(*min, &format!("{at}.uniform.min"), problems), tokens(*max, &format!("{at}.uniform.max"), problems));
            Some(LengthDistribution::Uniform { min: min?, max: max? })
        }
        Lengths::Lognormal { median, mean, sigma, min, max } => {
            let bound = |limit: Option<Count>, otherwise: u32, key: &str, problems: &mut Problems<'_>| {
                limit.map_or(Some(otherwise), |count| tokens(count, &format!("{at}.lognormal.{key}"), problems))
            };
            let (min, max) = (bound(*min, 1, "min", problems), bound(*max, MAX_TOKENS, "max", problems));
            let mean = mean_of(median.get(), *mean, *sigma);
            Some(LengthDistribution::Lognormal { mean, median: median.get(), min: min?, max: max? })
        }
        Lengths::Empirical { values, path } => empirical(values, path.as_deref(), at, document, problems),
    }
}

/// Mean of a lognormal: given, or median · exp(σ²/2).
fn mean_of(median: f64, mean: Option<Count>, sigma: Option<Ratio>) -> f64 {
    match (mean, sigma) {
        (Some(mean), _) => mean.get(),
        (None, Some(sigma)) => median * libm::exp(sigma.get() * sigma.get() / 2.0),
        (None, None) => median,
    }
}

fn empirical(
    values: &[Count],
    path: Option<&str>,
    at: &str,
    document: &Document,
    problems: &mut Problems<'_>,
) -> Option<LengthDistribution> {
    let mut all = Vec::new();
    for (index, value) in values.iter().enumerate() {
        all.push(tokens(*value, &format!("{at}.empirical.values[{index}]"), problems)?);
    }
    if let Some(path) = path {
        let key = format!("{at}.empirical.path");
        let file = document.resolve(&key, path);
        let text = match read(&file, "a text file with one length a line") {
            Ok(text) => text,
            Err(problem) => {
                problems.note(&key, &problem.sentence(&file), problem.hint);
                return None;
            }
        };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match line.trim().parse::<u32>() {
                Ok(tokens) if (1..=MAX_TOKENS).contains(&tokens) => all.push(tokens),
                _ => {
                    problems.note(
                        &key,
                        &format!("{}:{}: found `{}`, expected a whole number of tokens", file.display(), number + 1, line.trim()),
                        None,
                    );
                    return None;
                }
            }
        }
    }
    if all.is_empty() {
        let (key, problem) =
            path.map_or(("values", "found no lengths".to_owned()), |file| ("path", format!("found no lengths in `{file}`")));
        problems.note(&format!("{at}.empirical.{key}"), &problem, None);
        return None;
    }
    Some(LengthDistribution::Values(all))
}

pub(super) fn tokens(count: Count, at: &str, problems: &mut Problems<'_>) -> Option<u32> {
    let whole = count.whole().and_then(|n| u32::try_from(n).ok()).filter(|n| (1..=MAX_TOKENS).contains(n));
    if whole.is_none() {
        problems.at(at, format!("`{count}`"), &format!("a whole number of tokens from 1 to {}", grouped(&MAX_TOKENS.to_string())), None);
    }
    whole
}
