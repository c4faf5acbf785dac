//! Every metric, defined once: what `explain metric NAME` and the report print beside the number.

use serde::Serialize;

use super::metric::{MetricInfo, Statistic, rows};

/// A metric and its meaning.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Definition {
    /// Kebab-case name: the target of links to it.
    pub id: &'static str,
    /// As the page writes it.
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
        "Time to first token: first output token minus arrival at the gateway. Queueing, KV reservation and prefill are included; the network between client and gateway is not simulated, tokenisation and HTTP only where the scenario has a frontend. With `handoff.first_token: immediate` it leaves as the prompt is computed; where it comes from the decode side (`seeded`, `recomputed`), transfer and decode queue are included too. A request that never got a token has none and counts as missed in the attainment.",
    ),
    def("ttst", "TTST", "time", "Time to second token: second output token minus arrival. It exposes the handoff from prefill to decode."),
    def("itl", "ITL", "time", "One gap between consecutive output tokens of a request. Its distribution pools all gaps of all requests."),
    def(
        "tpot",
        "TPOT",
        "time",
        "Time per output token of a request: (last token − first token) / (output tokens − 1). A request with fewer than two tokens has none.",
    ),
    def("e2e", "E2E", "time", "End to end: last token minus arrival, of requests that got it."),
    def(
        "percentile",
        "p50, p90, p99",
        "same as the metric",
        "Nearest-rank percentiles: the smallest value that at least this share of all values does not exceed.",
    ),
    def(
        "jitter",
        "Jitter",
        "time",
        "How uneven the token stream is: standard deviation, coefficient of variation, p99 − p50, p99 / p50 and the longest of all gaps (ITL); and the standard deviation of the gaps within one request.",
    ),
    def("goodput", "Goodput", "requests/s", "Completed requests, and their output tokens, that met all their limits, per second."),
    def(
        "slo",
        "SLO attainment",
        "share",
        "Requests that met all limits of their class / requests whose fate is known: one that was rejected or gave up has missed, one still inside at the end counts once it can no longer meet them. The SLO holds where this is at least 99 % and every 99th percentile is within its limit.",
    ),
    def(
        "interval",
        "95 % interval",
        "share",
        "Where the share that meets every limit would lie in a longer run like this one, with 95 % confidence: from the spread between batches of consecutive requests, because requests that arrive together fare alike. Where it holds 99 %, the run is too short to tell.",
    ),
    def(
        "tokens-per-joule",
        "Tokens per watt",
        "tokens/J",
        "Output tokens per joule, which is tokens per second per watt. At the chips; with hosts, fans and supplies (IT); and at the facility (IT × PUE).",
    ),
    def(
        "cost-per-token",
        "Cost per token",
        "$ per million tokens",
        "Capital, energy, hosting and rent of the measured time over all tokens that left in it; idle time is paid too. Split into prompt and output by the pools that served them.",
    ),
    def(
        "utilization",
        "Busy",
        "share",
        "Share of instance time spent computing. A decode pool can be busy all the time with small batches; look at its batch and its memory bandwidth as well.",
    ),
    def(
        "mfu",
        "MFU",
        "share",
        "Arithmetic done / peak arithmetic of the chips, while computing. None where the steps are given as durations alone.",
    ),
    def(
        "mbu",
        "MBU",
        "share",
        "Bytes moved / peak memory bandwidth of the chips, while computing. None where the steps are given as durations alone.",
    ),
    def(
        "batch",
        "Batch",
        "sequences",
        "Running sequences of an instance, mean over the time it computes. The `batch_mean` of summary.json includes idle time: it is this times the busy share.",
    ),
    def("iteration", "Iteration", "time", "One engine step of an instance."),
    def("kv", "KV memory", "share", "Blocks of KV memory in use / all blocks. Blocks of a prefix cache that nobody uses count as free."),
    def("queue", "Queue", "requests", "Requests waiting in a pool, mean over time, and the most at any time."),
    def("prefix", "Prefix hits", "share", "Prompt tokens found in the prefix cache / prompt tokens looked up."),
    def("preemption", "Preemptions", "times", "How often a running request lost its KV memory and was computed again."),
    def(
        "lifecycle",
        "Where the time goes",
        "time",
        "Mean time of a completed request in each stage of its life; the stages add up to the mean E2E. Waiting has shades of one colour.",
    ),
    def(
        "availability",
        "Availability",
        "share",
        "Share of instance time in which instances served: were neither off, after a failure or in a planned restart, nor starting. Nodes are paid for while they are off, and draw nothing.",
    ),
    def(
        "recovery",
        "Recovery",
        "time",
        "What failures of instances cost a request: from the start of a prompt that was lost to the next queue, and from a failure after the first token to the next token. The prompt and the tokens that had left are computed again meanwhile.",
    ),
    def(
        "time",
        "Time",
        "s",
        "Simulated time runs from the first instant to the last event; the measured time of it begins with the end of the warm-up. What follows the last arrival is the time that the cluster takes to finish.",
    ),
    def("energy", "Energy", "J", "Exact integral of power over the measured time. Every joule is booked to a pool and a phase."),
    def(
        "power",
        "Power",
        "W",
        "Mean and highest power at the facility (of a pool: IT power). The highest is the mean over one interval of the timeline, which is longer in longer runs.",
    ),
    def("carbon", "Carbon", "g CO2e", "Facility energy × carbon intensity of the site."),
    def("transfer", "KV transfer", "time", "From the first byte offered to the last byte delivered."),
    def("port", "Busiest port", "share", "Bytes carried / (bandwidth × time of the whole run) of the port with the most traffic."),
    def(
        "offered",
        "Offered and served",
        "requests/s",
        "Arrivals, and completions meanwhile, per second from the first arrival after the warm-up to the last. What follows the last arrival is left out: it lasts as long as the cluster takes to finish.",
    ),
    def(
        "throughput",
        "Throughput",
        "per second",
        "Requests completed and tokens that left / measured time, whenever their requests arrived.",
    ),
    def(
        "requests",
        "Requests",
        "requests",
        "Those that arrived in the measured time, after the warm-up. Arrived = completed + rejected + timed out + failed + in flight.",
    ),
    def(
        "tokens",
        "Tokens",
        "tokens",
        "All that left in the measured time, those of requests that later gave up included. A prompt counts when its first token leaves; prompt tokens include those found in a prefix cache.",
    ),
    def(
        "confidence",
        "Confidence",
        "",
        "Where a figure comes from: given (in the scenario), measured, official (the maker's), press, estimate (derived), assumed (a plausible value that nobody published).",
    ),
];

/// All definitions in the order of the page.
pub fn definitions() -> &'static [Definition] {
    DEFINITIONS
}

/// What is known of a metric.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// What it means.
    pub definition: &'static Definition,
    /// The numbers of `summary.json` that were asked for; all that the definition explains, if it was.
    pub rows: Vec<(String, &'static MetricInfo)>,
}

/// What is known of a metric by its id, its name in the report, or the path of a number in `summary.json` or the end of it.
pub fn explain(name: &str) -> Option<Explanation> {
    let plain = |name: &str| name.to_lowercase().replace([' ', '_'], "-");
    let wanted = plain(name);
    let by_name = DEFINITIONS.iter().find(|d| d.id == wanted || d.name.split(", ").any(|name| plain(name) == wanted));
    if let Some(definition) = by_name {
        return Some(Explanation { definition, rows: rows().filter(|(_, info)| info.about == definition.id).collect() });
    }
    // `latency.ttft_ms.p99` is asked for as the row `latency.ttft_ms`.
    let statistic = Statistic::ALL.iter().find_map(|s| wanted.strip_suffix(s.name())?.strip_suffix('.'));
    let wanted = statistic.unwrap_or(&wanted);
    let asked = |info: &MetricInfo| {
        let id = plain(info.id);
        let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|before| before.is_empty() || before.ends_with('.'));
        ends(&id, wanted) || ends(wanted, &id) || id.rsplit_once('.').is_some_and(|(group, _)| ends(group, wanted))
    };
    let mut rows: Vec<(String, &'static MetricInfo)> = rows().filter(|(_, info)| asked(info)).collect();
    // `pools.a.queue_mean` is no frontend's.
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
    fn names_of_fields_and_of_the_report_lead_to_their_metric() {
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
    fn ids_are_unique_and_fit_for_links() {
        let mut ids: Vec<&str> = DEFINITIONS.iter().map(|d| d.id).collect();
        assert!(ids.iter().all(|id| id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), DEFINITIONS.len());
    }
}
