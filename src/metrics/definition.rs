//! Every metric, defined once: what `explain metric NAME` and the report print beside the number.

/// What a metric means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Definition {
    /// Name in `summary.json` or its section there.
    pub name: &'static str,
    /// Unit; empty for a pure number.
    pub unit: &'static str,
    /// What it is, in one sentence.
    pub text: &'static str,
}

const fn define(name: &'static str, unit: &'static str, text: &'static str) -> Definition {
    Definition { name, unit, text }
}

const DEFINITIONS: &[Definition] = &[
    define(
        "ttft",
        "ms",
        "Time to first token: first output token at the client minus arrival at the gateway; queueing and network included. The first token leaves at the end of prefill.",
    ),
    define("ttst", "ms", "Time to second token: second output token minus arrival; with prefill and decode apart it exposes the handoff."),
    define(
        "itl",
        "ms",
        "Inter-token latency: one gap between consecutive output tokens of a request; its distribution pools all gaps of all requests.",
    ),
    define(
        "tpot",
        "ms",
        "Time per output token of one request: (last token − first token) / (output tokens − 1); absent below two tokens.",
    ),
    define("e2e", "ms", "End-to-end latency: last token minus arrival."),
    define(
        "jitter",
        "ms",
        "Unevenness of the token stream, from the pooled gaps: standard deviation, coefficient of variation, p99 − p50, p99 / p50 and the longest gap; and per request the standard deviation of its own gaps (mean and p99 over requests).",
    ),
    define(
        "percentile",
        "",
        "Nearest-rank: the smallest value that at least the given share of all values do not exceed. Exact up to 262,144 values per workload and metric, within 0.1 % beyond that and for gaps.",
    ),
    define("goodput", "1/s", "Requests (and their output tokens) that completed and met all limits of their workload, per second."),
    define(
        "slo_attainment",
        "",
        "Requests that met all their limits / requests judged; rejected and timed-out ones have missed, those still inside at the end count only if they can no longer meet a limit.",
    ),
    define(
        "throughput",
        "1/s",
        "Amounts per second of measured time. Output tokens count when they leave, prompt tokens when their first token leaves.",
    ),
    define(
        "tokens_per_watt",
        "1/J",
        "Output tokens per joule, which is (tokens/s)/W, over all energy of the measured time, idle time included; at the chip, IT (chips, hosts, NICs, fans, supplies) and facility (IT × PUE) boundary.",
    ),
    define(
        "energy_by_phase",
        "J",
        "IT energy by what it was spent on: prefill and decode share an iteration by the time each causes; transfer is time without computation while KV is on the wire; the rest is idle.",
    ),
    define(
        "cost_per_token",
        "$",
        "Cost of all nodes over the measured time, busy or idle, per million output (or prompt and output) tokens; by phase: each pool's cost goes to prompt and output tokens by the share of its busy time that prefill and decode caused.",
    ),
    define("utilization", "", "Share of instance time spent computing."),
    define("mfu", "", "Model FLOPs utilisation while computing: time the arithmetic would take at the dense peak / time taken."),
    define("mbu", "", "Memory bandwidth utilisation while computing: time the traffic would take at peak bandwidth / time taken."),
    define("batch", "", "Running sequences per instance, time-weighted, idle time included."),
    define(
        "kv_utilization",
        "",
        "KV blocks held by sequences / all blocks, time-weighted; cached prefixes that nobody uses count as free.",
    ),
    define(
        "queue",
        "",
        "Requests that wait for an iteration in a pool (new, preempted, or arrived by handoff), time-weighted; requests that wait for decode memory count in the decode pool.",
    ),
    define(
        "lifecycle",
        "ms",
        "Mean time of a completed request in its queue, in prefill, waiting for decode memory, with its KV on the wire (as far as not hidden behind prefill), waiting to join a decode batch, and generating. The parts sum to mean E2E.",
    ),
    define(
        "preemption",
        "",
        "A running request loses its KV because blocks ran out, and is computed again from its prompt and output so far.",
    ),
];

/// All definitions, in the order of a report.
pub const fn definitions() -> &'static [Definition] {
    DEFINITIONS
}

/// The definition of a metric, by its name or a common alias of it.
pub fn definition(name: &str) -> Option<&'static Definition> {
    let name = name.trim_end_matches("_ms").replace('-', "_");
    let name = match name.as_str() {
        "tokens_per_joule" | "output_tokens_per_j" | "tokens_per_w" => "tokens_per_watt",
        "usd_per_m_output_tokens" | "cost" => "cost_per_token",
        "time_to_first_token" => "ttft",
        other => other,
    };
    DEFINITIONS.iter().find(|definition| definition.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_aliases_lead_somewhere() {
        for (i, a) in DEFINITIONS.iter().enumerate() {
            assert!(DEFINITIONS[i + 1..].iter().all(|b| b.name != a.name), "{} is defined twice", a.name);
        }
        assert_eq!(definition("ttft_ms").map(|d| d.name), Some("ttft"));
        assert_eq!(definition("tokens-per-joule").map(|d| d.name), Some("tokens_per_watt"));
        assert_eq!(definition("nonsense"), None);
    }
}
