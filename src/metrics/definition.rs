//! The definition of every metric: printed by `explain metric NAME`, and by the report next to the number.

use serde::Serialize;

use super::metric::{MetricInfo, Statistic, rows};

/// A metric and its definition.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Definition {
    /// Kebab-case name: the target of links to it.
    pub id: &'static str,
    /// Name on the page.
    pub name: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// One or two sentences.
    pub text: &'static str,
}

const fn def(id: &'static str, name: &'static str, unit: &'static str, text: &'static str) -> Definition {
    Definition { id, name, unit, text }
}

const DEFINITIONS: &[Definition] = &[
    def(
        "ttft",
        "TTFT",
        "time",
        "Time to first token: first output token minus arrival at the gateway. Queueing, KV reservation and prefill are included; the network between client and gateway is not simulated, tokenisation and HTTP only if the scenario has a frontend. With `handoff.first_token: immediate` the token leaves when the prompt is computed; if it comes from the decode side (`seeded`, `recomputed`), transfer and decode queue are included too. A request without a token has no TTFT and counts as missed in the attainment.",
    ),
    def("ttst", "TTST", "time", "Time to second token: second output token minus arrival. It exposes the handoff from prefill to decode."),
    def(
        "itl",
        "ITL",
        "time",
        "Inter-token latency: the gap between two consecutive output tokens of a request. Its distribution pools the gaps of all requests.",
    ),
    def(
        "tpot",
        "TPOT",
        "time",
        "Time per output token of a request: (last token − first token) / (output tokens − 1). Undefined for a request with fewer than two tokens.",
    ),
    def("e2e", "E2E", "time", "End to end: last token minus arrival, of completed requests."),
    def(
        "percentile",
        "p50, p90, p99",
        "same as the metric",
        "Nearest-rank percentiles: the smallest value such that at least this share of all values does not exceed it.",
    ),
    def(
        "jitter",
        "Jitter",
        "time",
        "Variability of the token stream: standard deviation, coefficient of variation, p99 − p50, p99 / p50 and maximum of all gaps (ITL); and the standard deviation of the gaps within one request.",
    ),
    def("goodput", "Goodput", "requests/s", "Completed requests that met all their limits, and their output tokens, per second."),
    def(
        "slo",
        "SLO attainment",
        "share",
        "Requests that met all limits of their class / requests judged: rejected, timed-out and failed requests have missed, and so have those in flight at the end that can no longer meet the limits. The SLO is met if the attainment is at least 99 % and every 99th percentile is within its limit.",
    ),
    def(
        "interval",
        "95 % interval",
        "share",
        "95 % confidence interval of the share that meets every limit in a longer run of the same kind: from the spread between batches of consecutive requests, because requests that arrive together are correlated. If it contains 99 %, the run is too short to tell.",
    ),
    def(
        "tokens-per-joule",
        "Tokens per watt",
        "tokens/J",
        "Output tokens per joule, equal to tokens per second per watt. At the chips; with hosts, fans and supplies (IT); and at the facility (IT × PUE).",
    ),
    def(
        "cost-per-token",
        "Cost per token",
        "$ per million tokens",
        "Capital, energy, hosting and rent of the measured time over all tokens that left in it; idle time is included. Split into prompt and output by the pools that served them.",
    ),
    def(
        "utilization",
        "Busy",
        "share",
        "Share of instance time spent computing. A decode pool can be busy all the time with small batches; check its batch size and its memory bandwidth as well.",
    ),
    def(
        "mfu",
        "MFU",
        "share",
        "Arithmetic done / peak arithmetic of the chips, while computing. Undefined if the performance model gives durations only.",
    ),
    def(
        "mbu",
        "MBU",
        "share",
        "Bytes moved / peak memory bandwidth of the chips, while computing. Undefined if the performance model gives durations only.",
    ),
    def(
        "batch",
        "Batch",
        "sequences",
        "Running sequences of an instance, mean over its computing time. The `batch_mean` of summary.json, `running` in the report, includes idle time: it is this value times the busy share.",
    ),
    def("iteration", "Iteration", "time", "One engine step of an instance."),
    def("kv", "KV memory", "share", "Blocks of KV memory in use / all blocks. Prefix-cache blocks not in use count as free."),
    def("queue", "Queue", "requests", "Requests waiting in a pool: mean over time, and peak."),
    def("prefix", "Prefix hits", "share", "Prompt tokens found in the prefix cache / prompt tokens looked up."),
    def("preemption", "Preemptions", "times", "Number of times a running request lost its KV memory and was recomputed."),
    def(
        "lifecycle",
        "Where the time goes",
        "time",
        "Mean time of a completed request in each stage of its lifecycle; the stages add up to the mean E2E. Waiting stages are shown in shades of one colour.",
    ),
    def(
        "availability",
        "Availability",
        "share",
        "Share of instance time in which instances served, i.e. were neither off (after a failure or in a planned restart) nor starting. Nodes that are off still cost money, but draw no power.",
    ),
    def(
        "recovery",
        "Recovery",
        "time",
        "Time that a request loses to instance failures: from the start of a lost prompt until the request is queued again, and from a failure after the first token to the next token. Meanwhile the prompt and the tokens already delivered are recomputed.",
    ),
    def(
        "time",
        "Time",
        "s",
        "Simulated time runs from time 0 to the last event; measured time starts at the end of the warm-up. The time after the last arrival is the drain of the cluster.",
    ),
    def("energy", "Energy", "J", "Exact integral of power over the measured time. Every joule is attributed to a pool and a phase."),
    def(
        "power",
        "Power",
        "W",
        "Mean and peak power at the facility (of a pool: IT power). The peak is the highest mean over one interval of the timeline; intervals are longer in longer runs.",
    ),
    def("carbon", "Carbon", "g CO2e", "Facility energy × carbon intensity of the site."),
    def("transfer", "KV transfer", "time", "From the first byte offered to the last byte delivered."),
    def("port", "Busiest port", "share", "Bytes carried / (bandwidth × time of the whole run) of the port with the most traffic."),
    def(
        "offered",
        "Offered and served",
        "requests/s",
        "Arrivals, and completions in the same time, per second from the first arrival after the warm-up to the last. The drain after the last arrival is excluded.",
    ),
    def(
        "session",
        "Sessions",
        "calls",
        "Calls that share a growing context. The first call of a session brings no history. How fast a later one is depends on how much of its history is in a cache.",
    ),
    def(
        "throughput",
        "Throughput",
        "per second",
        "Completed requests and delivered tokens / measured time, regardless of when the requests arrived.",
    ),
    def(
        "requests",
        "Requests",
        "requests",
        "Requests that arrived in the measured time, after the warm-up. Arrived = completed + rejected + timed out + failed + in flight.",
    ),
    def(
        "tokens",
        "Tokens",
        "tokens",
        "All tokens that left in the measured time, including those of requests that timed out later. A prompt counts when its first token leaves; prompt tokens include those found in a prefix cache.",
    ),
    def(
        "confidence",
        "Confidence",
        "",
        "Origin of a figure: given (in the scenario), measured, official (from the vendor), press, estimate (derived), assumed (a plausible value without a published source).",
    ),
];

/// All definitions in the order of the page.
pub fn definitions() -> &'static [Definition] {
    DEFINITIONS
}

/// The explanation of a metric.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// Its definition.
    pub definition: &'static Definition,
    /// The requested numbers of `summary.json`; all that belong to the definition, if the definition was requested.
    pub rows: Vec<(String, &'static MetricInfo)>,
}

/// Explains a metric given by its id, its name in the report, or the path of a number in `summary.json` or the end of such a path.
pub fn explain(name: &str) -> Option<Explanation> {
    let plain = |name: &str| name.to_lowercase().replace([' ', '_'], "-");
    let wanted = plain(name);
    let by_name = DEFINITIONS.iter().find(|d| d.id == wanted || d.name.split(", ").any(|name| plain(name) == wanted));
    if let Some(definition) = by_name {
        return Some(Explanation { definition, rows: rows().filter(|(_, info)| info.about == definition.id).collect() });
    }
    // `latency.ttft_ms.p99` is looked up as the row `latency.ttft_ms`.
    let statistic = Statistic::ALL.iter().find_map(|s| wanted.strip_suffix(s.name())?.strip_suffix('.'));
    let wanted = statistic.unwrap_or(&wanted);
    let asked = |info: &MetricInfo| {
        let id = plain(info.id);
        let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        ends(&id, wanted) || ends(wanted, &id) || id.rsplit_once('.').is_some_and(|(group, _)| ends(group, wanted))
    };
    let mut rows: Vec<(String, &'static MetricInfo)> = rows().filter(|(_, info)| asked(info)).collect();
    // `pools.a.queue_mean` does not belong to a frontend.
    let list = |path: &str| path.split_once("[]").is_some_and(|(list, _)| wanted.starts_with(list));
    if rows.iter().any(|(path, _)| list(path)) {
        rows.retain(|(path, _)| list(path));
    }
    let about = rows.first()?.1.about;
    rows.retain(|(_, info)| info.about == about);
    let definition = DEFINITIONS.iter().find(|d| d.id == about)?;
    Some(Explanation { definition, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_and_report_names_find_their_metric() {
        let of = |name: &str| explain(name).map(|explanation| explanation.definition.id);
        for (name, id) in [
            ("TTFT", "ttft"),
            ("latency.ttft_ms.p99", "ttft"),
            ("classes.chat.latency.ttft_ms.p99", "ttft"),
            ("itl_ms", "itl"),
            ("p99", "percentile"),
            ("tokens per watt", "tokens-per-joule"),
            ("energy.output_tokens_per_j.facility", "tokens-per-joule"),
            ("output_tokens_per_j", "tokens-per-joule"),
            ("usd_per_m_prompt_tokens_by_phase", "cost-per-token"),
            ("busy", "utilization"),
            ("prefix_hit_rate", "prefix"),
            ("reserve_ms", "lifecycle"),
            ("kv_utilization_mean", "kv"),
            ("pools.decode.queue_mean", "queue"),
            ("peak_port_utilization", "port"),
            ("jitter.longest_stall_ms", "jitter"),
            ("slo_attainment_95", "interval"),
        ] {
            assert_eq!(of(name), Some(id), "{name}");
        }
        assert_eq!(of("speed"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn every_row_has_a_definition_and_every_metric_a_unit() {
        for (path, info) in rows() {
            assert!(DEFINITIONS.iter().any(|definition| definition.id == info.about), "{path}: {}", info.about);
            assert!(info.text.ends_with('.') && !info.text.is_empty(), "{path}");
        }
    }

    #[test]
    fn ids_are_unique_and_valid_in_links() {
        let mut ids: Vec<&str> = DEFINITIONS.iter().map(|d| d.id).collect();
        assert!(ids.iter().all(|id| id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), DEFINITIONS.len());
    }
}
