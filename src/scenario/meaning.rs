//! Checks that the schema cannot express: names that must be known, values that must be consistent.
//!
//! Owns: the checks that need only the scenario itself. Must not know: profiles and files; whether a model fits its chips is checked
//! when the cluster is built, into the same [`Problems`].

use std::collections::BTreeSet;

use super::assertion::Assertion;
use super::file::{Lengths, Pool, Role, RouterByRole, RouterChoice, Run, ScenarioFile, Slo, TraceSessions, WorkloadEntry};
use crate::document::{Problems, list_words};
use crate::metrics::RowChoice;
use crate::units::Count;

/// Notes every contradiction within `file`.
pub fn check_meaning(file: &ScenarioFile, problems: &mut Problems<'_>) {
    names(file, problems);
    for (i, workload) in file.workload.iter().enumerate() {
        check_workload(file, workload, &format!("workload[{i}]"), problems);
    }
    for (i, pool) in file.cluster.pools.iter().enumerate() {
        let path = format!("cluster.pools[{i}]");
        check_model(file, pool.model.as_deref(), &path, problems);
    }
    check_rows(&file.run, problems);
    check_roles(file, problems);
    check_stations(file, problems);
    check_routers(file, problems);
    assertions(file, problems);
}

/// The conditions of the scenario; invalid ones are noted.
pub fn assertions(file: &ScenarioFile, problems: &mut Problems<'_>) -> Vec<Assertion> {
    let mut good = Vec::new();
    for (i, text) in file.assert.iter().enumerate() {
        match text.parse() {
            Ok(assertion) => good.push(assertion),
            Err(error) => problems.note(&format!("assert[{i}]"), &format!("{error}"), None),
        }
    }
    good
}

/// The model of a pool or workload: the one named, or the only one.
pub fn model_of<'f>(file: &'f ScenarioFile, named: Option<&'f str>) -> Option<&'f str> {
    match named {
        Some(name) => file.models.get_key_value(name).map(|(key, _)| key.as_str()),
        None if file.models.len() == 1 => file.models.keys().next().map(String::as_str),
        None => None,
    }
}

fn names(file: &ScenarioFile, problems: &mut Problems<'_>) {
    let pools = file.cluster.pools.iter().map(|p| p.name.as_str()).enumerate();
    let workloads = file.workload.iter().map(|w| w.name.as_str()).enumerate();
    let mut seen = BTreeSet::new();
    for (kind, i, name) in pools.map(|(i, n)| ("cluster.pools", i, n)).chain(workloads.map(|(i, n)| ("workload", i, n))) {
        if !seen.insert((kind, name)) {
            problems.note(&format!("{kind}[{i}].name"), &format!("the name `{name}` is given twice"), Some("names must differ".into()));
        }
    }
}

fn check_model(file: &ScenarioFile, named: Option<&str>, path: &str, problems: &mut Problems<'_>) {
    let known: Vec<&str> = file.models.keys().map(String::as_str).collect();
    match named {
        Some(name) if !file.models.contains_key(name) => problems.unknown(&format!("{path}.model"), "model", name, &known),
        None if known.len() > 1 => {
            let hint = format!("add `model: …`, one of {}", list_words(&known));
            problems.note(&format!("{path}.model"), &format!("which of the {} models?", known.len()), Some(hint));
        }
        _ => {}
    }
}

fn check_workload(file: &ScenarioFile, workload: &WorkloadEntry, path: &str, problems: &mut Problems<'_>) {
    check_model(file, workload.model.as_deref(), path, problems);
    if let Some(model) = model_of(file, workload.model.as_deref())
        && file.cluster.pools.iter().all(|p| model_of(file, p.model.as_deref()).is_some_and(|served| served != model))
    {
        problems.note(path, &format!("no pool serves the model `{model}` of this workload"), None);
    }
    if let Some(Slo { ttft: Some(ttft), e2e: Some(e2e), .. }) = workload.slo
        && e2e.get() < ttft.get()
    {
        let hint = "the first token is part of the whole answer";
        problems.at(&format!("{path}.slo.e2e"), format!("`{e2e}`"), &format!("at least `ttft: {ttft}`"), Some(hint.into()));
    }
    if let Some(synthetic) = &workload.synthetic {
        let path = format!("{path}.synthetic");
        check_lengths(&synthetic.prompt_tokens, &format!("{path}.prompt_tokens"), problems);
        check_lengths(&synthetic.output_tokens, &format!("{path}.output_tokens"), problems);
    }
    if let Some(closed) = &workload.closed_loop {
        let path = format!("{path}.closed_loop");
        check_lengths(&closed.prompt_tokens, &format!("{path}.prompt_tokens"), problems);
        check_lengths(&closed.output_tokens, &format!("{path}.output_tokens"), problems);
    }
    if let Some(sessions) = &workload.sessions {
        let path = format!("{path}.sessions");
        check_lengths(&sessions.messages, &format!("{path}.messages"), problems);
        check_lengths(&sessions.message_tokens, &format!("{path}.message_tokens"), problems);
        check_lengths(&sessions.output_tokens, &format!("{path}.output_tokens"), problems);
        if let Some(tools) = &sessions.tools {
            check_lengths(&tools.result_tokens, &format!("{path}.tools.result_tokens"), problems);
        }
    }
    let generated = workload.sessions.as_ref().is_some_and(|sessions| sessions.sessions.is_some());
    let endless = workload.trace.is_none() && workload.requests.is_none() && !generated;
    if endless && file.run.requests.is_none() && file.run.duration.is_none() {
        let hint = "add `run: {requests: 10k}` or `run: {duration: 10 min}`, or `requests` here";
        problems.note(path, "this workload never ends", Some(hint.into()));
    }
    if let Some(TraceSessions { at_once: Some(count), arrivals: Some(_), .. }) = workload.trace.as_ref().and_then(|trace| trace.sessions) {
        let hint = "sessions start at a fixed concurrency or at random times";
        problems.at(
            &format!("{path}.trace.sessions.at_once"),
            format!("`{count}`"),
            "`arrivals` or `at_once`, not both",
            Some(hint.into()),
        );
    }
    if let Some(window) = workload.trace.as_ref().and_then(|t| t.window)
        && let Some(to) = window.to
        && to <= window.from
    {
        problems.at(&format!("{path}.trace.window.to"), format!("`{to}`"), &format!("a time after `from: {}`", window.from), None);
    }
}

fn check_rows(run: &Run, problems: &mut Problems<'_>) {
    if run.rows_gzip && run.rows == RowChoice::None {
        let hint = "leave `rows_gzip` out, or remove it with `--set run.rows_gzip=~`";
        problems.note("run.rows_gzip", "there are no rows to compress: `rows: none`", Some(hint.into()));
    }
}

fn check_lengths(lengths: &Lengths, path: &str, problems: &mut Problems<'_>) {
    let mut order = |low: Option<Count>, high: Option<Count>, key: &str, than: &str| {
        if let (Some(low), Some(high)) = (low, high)
            && high.get() < low.get()
        {
            problems.at(&format!("{path}.{key}"), format!("`{high}`"), &format!("at least `{than}: {low}`"), None);
        }
    };
    match lengths {
        Lengths::Fixed(_) => {}
        Lengths::Uniform { min, max } => order(Some(*min), Some(*max), "uniform.max", "min"),
        Lengths::Lognormal { median, mean, sigma, min, max } => {
            order(Some(*median), *mean, "lognormal.mean", "median");
            order(*min, *max, "lognormal.max", "min");
            if mean.is_some() == sigma.is_some() {
                let problem = if mean.is_some() { "both `mean` and `sigma` are given" } else { "neither `mean` nor `sigma` is given" };
                let hint = "give `median` and one of `mean` and `sigma`";
                problems.note(&format!("{path}.lognormal"), problem, Some(hint.into()));
            }
        }
        Lengths::Empirical { values, path: file } => {
            if values.is_empty() == file.is_none() {
                let problem = if file.is_some() { "both `values` and `path` are given" } else { "neither `values` nor `path` is given" };
                problems.note(&format!("{path}.empirical"), problem, Some("give one of the two".into()));
            }
            for (i, value) in values.iter().enumerate().filter(|(_, v)| v.get() < 1.0) {
                problems.at(&format!("{path}.empirical.values[{i}]"), format!("`{value}`"), "a length of at least 1", None);
            }
        }
    }
}

/// Prefill pools need a decode pool for their model, and decode pools a prefill pool.
fn check_roles(file: &ScenarioFile, problems: &mut Problems<'_>) {
    let model = |pool: &Pool| model_of(file, pool.model.as_deref()).map(str::to_owned);
    // An unknown model has been reported; its consequences are not.
    if file.cluster.pools.iter().any(|pool| model(pool).is_none()) {
        return;
    }
    for (i, pool) in file.cluster.pools.iter().enumerate() {
        let partner = match pool.role {
            Role::Prefill => Role::Decode,
            Role::Decode => Role::Prefill,
            Role::Mixed | Role::Frontend => continue,
        };
        if !file.cluster.pools.iter().any(|other| other.role == partner && model(other) == model(pool)) {
            let (has, lacks) = if partner == Role::Decode { ("prefill", "decode") } else { ("decode", "prefill") };
            let hint = format!("add a pool with `role: {lacks}`, or make this one `role: mixed`");
            let problem = format!("a {has} pool without a {lacks} pool for the same model");
            problems.note(&format!("cluster.pools[{i}].role"), &problem, Some(hint));
        }
    }
}

/// A frontend is a station on the hosts of other pools; every other pool is an engine on nodes.
fn check_stations(file: &ScenarioFile, problems: &mut Problems<'_>) {
    for (i, pool) in file.cluster.pools.iter().enumerate() {
        let path = format!("cluster.pools[{i}]");
        if pool.role != Role::Frontend {
            if pool.node.is_none() {
                problems.note(&path, "missing key `node`", None);
            }
            if pool.station.is_some() {
                let hint = "leave `station` out, or make the pool `role: frontend`".to_owned();
                problems.note(&format!("{path}.station"), "only a frontend has a `station`", Some(hint));
            }
            continue;
        }
        if pool.station.is_none() {
            let hint = "such as `station: {workers: 8, per_request: 5 ms, per_prompt_token: 15 us}`".to_owned();
            problems.note(&path, "missing key `station`, the workers of the frontend", Some(hint));
        }
        for key in ["node", "parallelism", "perf", "engine", "pricing"] {
            if problems.has(&format!("{path}.{key}")) {
                let hint = format!("leave `{key}` out: a frontend runs on the hosts of the other pools");
                problems.note(&format!("{path}.{key}"), &format!("a frontend has no `{key}`"), Some(hint));
            }
        }
    }
    if file.cluster.pools.iter().all(|pool| pool.role == Role::Frontend) {
        problems.note("cluster.pools", "every pool is a frontend", Some("add a pool that computes: `role: mixed`".into()));
    }
}

/// At most one router for each decision, and no router without a decision.
fn check_routers(file: &ScenarioFile, problems: &mut Problems<'_>) {
    let RouterChoice::ByRole(RouterByRole { prefill, mixed: Some(mixed), .. }) = &file.policies.router else { return };
    if !file.cluster.pools.iter().any(|pool| pool.role == Role::Mixed) {
        problems.note("policies.router.mixed", "no pool is `mixed`, so this router has no effect", Some("leave `mixed` out".into()));
        return;
    }
    let model = |pool: &Pool| model_of(file, pool.model.as_deref()).map(str::to_owned);
    let of = |role: Role| file.cluster.pools.iter().filter(move |pool| pool.role == role);
    let both = of(Role::Mixed).find(|pool| of(Role::Prefill).any(|other| model(other) == model(pool)));
    if let Some(pool) = both.filter(|_| mixed != prefill) {
        let problem = format!("pool `{}` serves a model that has prefill pools too, and `prefill` chooses among all of them", pool.name);
        problems.note("policies.router.mixed", &problem, Some("leave `mixed` out, or make both the same".into()));
    }
}
