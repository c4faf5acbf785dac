//! Made-up results for tests of the report: a plausible run of half an hour and the edges that break pages.
//!
//! Owns: invented numbers. Must not know: how a page looks. The integration tests include this file too, hence the path below.

use super::metrics::{
    AtBoundary, Cdf, ClassSummary, Cost, CostBreakdown, Distribution, Distributions, Energy, EnergyByPhase, Goodput, Jitter, Latency,
    Lifecycle, MeanAndP99, NetworkSummary, PoolSummary, PoolTimeline, ProvenanceEntry, RequestCounts, RunResult, SCHEMA_VERSION, SloLimits,
    Summary, Throughput, Timeline, TokenCounts, Warning,
};

/// Uniform numbers in [0, 1): a 64-bit linear congruential generator, enough for pictures.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Quantiles of a lognormal by Tukey's lambda approximation of the normal quantile.
fn lognormal(label: &str, median: f64, sigma: f64) -> Cdf {
    let fraction: Vec<f64> = (1..=400).map(|i| f64::from(i) / 400.0).collect();
    let value = fraction
        .iter()
        .map(|&f| {
            let p = (f - 0.00125f64).max(0.000_5);
            let z = 4.91 * (libm::pow(p, 0.14) - libm::pow(1.0 - p, 0.14));
            median * libm::exp(sigma * z)
        })
        .collect();
    Cdf { label: label.to_owned(), value, fraction }
}

fn distribution(cdf: &Cdf, count: u64) -> Distribution {
    let at = |q: f64| cdf.fraction.iter().position(|&f| f >= q).map_or(0.0, |i| cdf.value[i]);
    let n = cdf.value.len() as f64;
    let mean = cdf.value.iter().sum::<f64>() / n;
    let std = (cdf.value.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n).sqrt();
    Distribution { mean, std, min: cdf.value[0], p50: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), max: at(1.0), count }
}

fn latency(cdfs: [&Cdf; 4], count: u64) -> Latency {
    let [ttft, itl, tpot, e2e] = cdfs.map(|cdf| distribution(cdf, count));
    let mut ttst = ttft;
    for v in [&mut ttst.mean, &mut ttst.min, &mut ttst.p50, &mut ttst.p90, &mut ttst.p95, &mut ttst.p99, &mut ttst.max] {
        *v += 41.0;
    }
    let itl = Distribution { count: count * 210, ..itl };
    Latency { ttft_ms: Some(ttft), ttst_ms: Some(ttst), tpot_ms: Some(tpot), itl_ms: Some(itl), e2e_ms: Some(e2e) }
}

fn class(name: &str, slo: SloLimits, arrived: u64, cdfs: [&Cdf; 4]) -> ClassSummary {
    let completed = arrived - arrived / 500;
    ClassSummary {
        name: name.to_owned(),
        requests: RequestCounts { arrived, completed, in_flight: arrived - completed, truncated: 3, ..RequestCounts::default() },
        slo,
        slo_attainment: slo.ttft_ms.map(|_| 0.9962),
        ttft_attainment: slo.ttft_ms.map(|_| 0.9971),
        tpot_attainment: slo.tpot_ms.map(|_| 0.9991),
        latency: latency(cdfs, completed),
    }
}

/// A pool with gauges over `timeline`-many intervals; `level` is its load between 0 and 1.
fn pool(name: &str, role: &str, level: f64, wait_j: f64) -> PoolSummary {
    let prefill = role == "prefill";
    let energy = EnergyByPhase {
        prefill_j: if prefill { 26.4e6 } else { 0.0 },
        decode_j: if prefill { 0.0 } else { 34.9e6 },
        transfer_j: 0.31e6,
        idle_j: wait_j,
        startup_j: 0.0,
    };
    let energy_j = energy.prefill_j + energy.decode_j + energy.transfer_j + energy.idle_j;
    PoolSummary {
        name: name.to_owned(),
        role: role.to_owned(),
        hardware: "dgx-h100".to_owned(),
        model: "llama-3.3-70b".to_owned(),
        instances: 4,
        chips: 16,
        utilization: level,
        mfu: Some(if prefill { 0.512 } else { 0.081 }),
        mbu: Some(if prefill { 0.118 } else { 0.624 }),
        iterations: if prefill { 18_211 } else { 241_377 },
        iteration_ms_mean: Some(if prefill { 212.4 } else { 24.8 }),
        batch_mean: if prefill { 1.7 } else { 31.4 },
        kv_utilization_mean: level * 0.61,
        kv_utilization_peak: (level * 1.04).min(1.0),
        kv_capacity_tokens: 1_012_336,
        queue_mean: if prefill { 2.31 } else { 0.12 },
        queue_peak: if prefill { 41 } else { 5 },
        prefix_hit_rate: prefill.then_some(0.127),
        preemptions: if prefill { 0 } else { 17 },
        energy_j,
        mean_power_w: energy_j / 1740.0,
        energy_by_phase: energy,
        cost_usd: 24.7,
        perf: "roofline".to_owned(),
    }
}

fn provenance() -> Vec<ProvenanceEntry> {
    let entry = |profile: &str, figure: &str, value: &str, confidence: &str, source: &str, note: Option<&str>| ProvenanceEntry {
        profile: profile.to_owned(),
        figure: figure.to_owned(),
        value: value.to_owned(),
        confidence: confidence.to_owned(),
        source: source.to_owned(),
        note: note.map(str::to_owned),
    };
    vec![
        entry("chip h100-sxm", "compute.bf16", "989 TFLOP/s", "official", "NVIDIA H100 data sheet, 2023", None),
        entry("chip h100-sxm", "memory.bandwidth", "3.35 TB/s", "official", "NVIDIA H100 data sheet, 2023", None),
        entry("chip h100-sxm", "memory.capacity", "80 GB", "official", "NVIDIA H100 data sheet, 2023", None),
        entry("chip h100-sxm", "power.tdp", "700 W", "official", "NVIDIA H100 data sheet, 2023", None),
        entry("chip h100-sxm", "power.idle", "75 W", "measured", "nvidia-smi at rest, 2024", Some("varies by ±10 W from board to board")),
        entry("chip h100-sxm", "efficiency.gemm", "0.75", "estimate", "Fit to published GEMM sweeps, 2024", None),
        entry("node dgx-h100", "price", "$320k", "press", "Reseller quotes in the trade press, 2025", None),
        entry("node dgx-h100", "power.overhead", "2.3 kW", "estimate", "System maximum minus eight chips", None),
        entry("site us-hyperscale-2026", "pue", "1.15", "assumed", "Mean of operators' reports, 2025", Some("your own site is better")),
        entry("site us-hyperscale-2026", "electricity", "0.075 $/kWh", "assumed", "US industrial tariff, 2025", None),
    ]
}

fn timeline(pools: &[PoolSummary], intervals: u32, interval_s: f64) -> Timeline {
    let mut noise = Noise(7);
    let mut out = Timeline { interval_s, ..Timeline::default() };
    out.pools = pools.iter().map(|pool| PoolTimeline { name: pool.name.clone(), ..PoolTimeline::default() }).collect();
    for i in 0..intervals {
        let phase = f64::from(i) / f64::from(intervals);
        let swing = 1.0 + 0.35 * libm::sin(phase * 9.0) + if (0.55..0.62).contains(&phase) { 0.8 } else { 0.0 };
        let ramp = (f64::from(i) / 12.0).min(1.0);
        out.at_s.push(f64::from(i) * interval_s);
        let arrivals = 5.4 * swing + 2.0 * (noise.next() - 0.5);
        out.arrivals_per_s.push(arrivals);
        out.completions_per_s.push(ramp * (5.4 * swing.min(1.45) + 1.6 * (noise.next() - 0.5)));
        out.output_tokens_per_s.push(ramp * 1130.0 * swing);
        for (k, gauges) in out.pools.iter_mut().enumerate() {
            let shift = 1.0 + 0.13 * k as f64;
            let busy = pools[k].utilization;
            let jitter = noise.next();
            let pressure = (swing - 1.2).max(0.0);
            gauges.queue.push(ramp * pressure * (14.0 + 9.0 * jitter) / shift);
            gauges.running.push(ramp * pools[k].batch_mean * 4.0 * swing * (0.9 + 0.2 * jitter));
            gauges.kv_utilization.push((ramp * pools[k].kv_utilization_mean * swing * (0.95 + 0.1 * jitter)).min(1.0));
            gauges.power_w.push(9_400.0 + ramp * busy * 11_000.0 * (0.6 + 0.4 * swing) * (0.85 + 0.3 * jitter) / shift);
            gauges.instances.push(f64::from(pools[k].instances));
        }
    }
    out
}

fn energy(pools: &[PoolSummary], output_tokens: f64, total_tokens: f64, measured_s: f64) -> Energy {
    let mut by_phase = EnergyByPhase::default();
    for p in pools {
        by_phase.prefill_j += p.energy_by_phase.prefill_j;
        by_phase.decode_j += p.energy_by_phase.decode_j;
        by_phase.transfer_j += p.energy_by_phase.transfer_j;
        by_phase.idle_j += p.energy_by_phase.idle_j;
    }
    let it_j: f64 = pools.iter().map(|p| p.energy_j).sum();
    let (chip_j, facility_j) = (it_j * 0.81, it_j * 1.15);
    let per = |tokens: f64| AtBoundary { chip: Some(tokens / chip_j), it: Some(tokens / it_j), facility: Some(tokens / facility_j) };
    let mean_power_w = facility_j / measured_s;
    Energy {
        chip_j,
        it_j,
        facility_j,
        by_phase,
        output_tokens_per_j: per(output_tokens),
        total_tokens_per_j: per(total_tokens),
        mean_power_w,
        peak_power_w: mean_power_w * 1.37,
        output_tokens_per_s_per_mw: Some(output_tokens / measured_s / (mean_power_w / 1e6)),
        carbon_g: facility_j / 3.6e6 * 370.0,
    }
}

fn assemble(pools: Vec<PoolSummary>, classes: Vec<ClassSummary>, distributions: Distributions) -> RunResult {
    let measured_s = 1740.0;
    let tokens = TokenCounts { prompt: 11_263_402, output: 2_084_377, cached_prompt: 1_430_455, recomputed: 21_004 };
    let (output, total) = (tokens.output as f64, (tokens.output + tokens.prompt) as f64);
    let arrived: u64 = classes.iter().map(|c| c.requests.arrived).sum();
    let completed: u64 = classes.iter().map(|c| c.requests.completed).sum();
    let usd = 24.7 * pools.len() as f64;
    let summary = Summary {
        schema_version: SCHEMA_VERSION,
        scenario: "chat-on-h100-prefill-decode".to_owned(),
        seed: 7,
        input_hash: "5f1c3a9be27d4480a1d2c90b7e6f3341".to_owned(),
        simulated_s: 1800.0,
        measured_s,
        events: 1_284_019,
        requests: RequestCounts {
            arrived,
            completed,
            in_flight: arrived - completed,
            truncated: 3,
            preemptions: 17,
            ..RequestCounts::default()
        },
        tokens,
        throughput: Throughput {
            offered_requests_per_s: arrived as f64 / measured_s,
            requests_per_s: completed as f64 / measured_s,
            output_tokens_per_s: output / measured_s,
            total_tokens_per_s: total / measured_s,
            output_tokens_per_s_per_chip: output / measured_s / 32.0,
        },
        latency: classes[0].latency,
        jitter: Jitter {
            itl_std_ms: Some(5.81),
            itl_cov: Some(0.221),
            itl_p99_minus_p50_ms: Some(18.3),
            itl_p99_over_p50: Some(1.74),
            longest_stall_ms: Some(412.7),
            request_itl_std_ms: Some(MeanAndP99 { mean: 4.02, p99: 13.9 }),
        },
        goodput: Some(Goodput { requests_per_s: 5.41, output_tokens_per_s: 1191.0, slo_attainment: Some(0.9962) }),
        lifecycle: Lifecycle {
            queue_ms: 118.0,
            prefill_ms: 402.0,
            reserve_ms: 6.1,
            transfer_ms: 31.0,
            decode_queue_ms: 12.4,
            decode_ms: 5_530.0,
        },
        energy: energy(&pools, output, total, measured_s),
        cost: Cost {
            total_usd: usd,
            usd_per_hour: usd / measured_s * 3600.0,
            usd_per_m_output_tokens: Some(usd / output * 1e6),
            usd_per_m_total_tokens: Some(usd / total * 1e6),
            usd_per_m_prompt_tokens_by_phase: Some(usd / 2.1 / 11.26),
            usd_per_m_output_tokens_by_phase: Some(usd / 1.9 / 2.08),
            breakdown: CostBreakdown { capital: usd * 0.71, energy: usd * 0.08, hosting: usd * 0.21, rent: 0.0 },
        },
        network: NetworkSummary {
            transfers: completed,
            bytes: 3.69e12,
            transfer_ms_mean: Some(31.0),
            transfer_ms_p99: Some(118.0),
            peak_port_utilization: Some(0.34),
        },
        provenance: provenance(),
        warnings: Vec::new(),
        pools,
        classes,
    };
    let timeline = timeline(&summary.pools, 360, 5.0);
    RunResult { summary, timeline, distributions }
}

/// Latency limits of an interactive chat.
const CHAT: SloLimits = SloLimits { ttft_ms: Some(2000.0), tpot_ms: Some(50.0), e2e_ms: None };

fn chat_cdfs(label: &str, slower: f64) -> [Cdf; 4] {
    [
        lognormal(label, 430.0 * slower, 0.52),
        lognormal(label, 24.6 * slower, 0.21),
        lognormal(label, 25.9 * slower, 0.11),
        lognormal(label, 5_600.0 * slower, 0.74),
    ]
}

fn distributions(cdfs: Vec<[Cdf; 4]>) -> Distributions {
    let mut out = Distributions::default();
    for [ttft, itl, tpot, e2e] in cdfs {
        out.ttft_ms.push(ttft);
        out.itl_ms.push(itl);
        out.tpot_ms.push(tpot);
        out.e2e_ms.push(e2e);
    }
    out
}

/// The usual case: a prefill and a decode pool, one class with an SLO and one without, half an hour, two warnings.
pub(crate) fn two_pools() -> RunResult {
    let (chat, batch) = (chat_cdfs("azure-chat", 1.0), chat_cdfs("batch-summaries", 1.9));
    let classes =
        vec![class("azure-chat", CHAT, 8_214, chat.each_ref()), class("batch-summaries", SloLimits::default(), 1_261, batch.each_ref())];
    let pools = vec![pool("prefill", "prefill", 0.743, 4.1e6), pool("decode", "decode", 0.968, 1.2e6)];
    let mut out = assemble(pools, classes, distributions(vec![chat, batch]));
    out.summary.warnings = vec![
        Warning {
            code: "kv-saturation".to_owned(),
            message: "the KV memory of `decode` was full for 3.1 % of the time and 17 requests were preempted".to_owned(),
        },
        Warning {
            code: "assumed-figures".to_owned(),
            message: "31 % of the cost per token rests on assumed figures (electricity price, PUE)".to_owned(),
        },
    ];
    out
}

/// One class whose p99 TTFT misses its limit.
pub(crate) fn missed() -> RunResult {
    let chat = chat_cdfs("chat", 2.1);
    let mut chat_class = class("chat", CHAT, 8_214, chat.each_ref());
    chat_class.slo_attainment = Some(0.931);
    chat_class.ttft_attainment = Some(0.935);
    let pools = vec![pool("prefill", "prefill", 0.962, 1.1e6), pool("decode", "decode", 0.71, 3.0e6)];
    let mut out = assemble(pools, vec![chat_class], distributions(vec![chat]));
    out.summary.goodput = Some(Goodput { requests_per_s: 4.39, output_tokens_per_s: 1104.0, slo_attainment: Some(0.931) });
    out
}

/// No class has an SLO.
pub(crate) fn no_slo() -> RunResult {
    let chat = chat_cdfs("chat", 1.0);
    let pools = vec![pool("mixed", "mixed", 0.52, 3.0e6)];
    let mut out = assemble(pools, vec![class("chat", SloLimits::default(), 4_000, chat.each_ref())], distributions(vec![chat]));
    out.summary.goodput = None;
    out
}

/// More arrives than can be served.
pub(crate) fn overloaded() -> RunResult {
    let mut out = missed();
    let summary = &mut out.summary;
    summary.requests.arrived = 16_428;
    summary.requests.in_flight = 16_428 - summary.requests.completed;
    summary.throughput.offered_requests_per_s = 9.44;
    summary.warnings = vec![Warning {
        code: "overload".to_owned(),
        message: "9.44 requests per second arrived and 4.71 completed: the queue of `prefill` grew to 8,230 and would grow for ever"
            .to_owned(),
    }];
    out
}

/// Every request was refused: no latency, no tokens, no distribution.
pub(crate) fn nothing_completed() -> RunResult {
    let pools = vec![pool("prefill", "prefill", 0.0, 4.1e6), pool("decode", "decode", 0.0, 4.1e6)];
    let chat = chat_cdfs("chat", 1.0);
    let mut out = assemble(pools, vec![class("chat", CHAT, 12, chat.each_ref())], Distributions::default());
    let none = RequestCounts { arrived: 12, rejected: 12, ..RequestCounts::default() };
    let summary = &mut out.summary;
    summary.requests = none;
    summary.classes[0] = ClassSummary {
        requests: none,
        slo_attainment: Some(0.0),
        ttft_attainment: Some(0.0),
        tpot_attainment: Some(0.0),
        latency: Latency::default(),
        ..summary.classes[0].clone()
    };
    summary.tokens = TokenCounts::default();
    summary.latency = Latency::default();
    summary.jitter = Jitter::default();
    summary.lifecycle = Lifecycle::default();
    summary.network = NetworkSummary::default();
    summary.throughput = Throughput { offered_requests_per_s: 0.0069, ..Throughput::default() };
    summary.goodput = Some(Goodput { requests_per_s: 0.0, output_tokens_per_s: 0.0, slo_attainment: Some(0.0) });
    summary.energy.output_tokens_per_j = AtBoundary::default();
    summary.energy.total_tokens_per_j = AtBoundary::default();
    summary.energy.output_tokens_per_s_per_mw = None;
    summary.cost.usd_per_m_output_tokens = None;
    summary.cost.usd_per_m_total_tokens = None;
    summary.cost.usd_per_m_prompt_tokens_by_phase = None;
    summary.cost.usd_per_m_output_tokens_by_phase = None;
    for p in &mut summary.pools {
        (p.mfu, p.mbu, p.iteration_ms_mean, p.prefix_hit_rate, p.iterations) = (None, None, None, None, 0);
    }
    out.timeline = Timeline::default();
    out
}

/// A single request: every distribution is one point.
pub(crate) fn one_request() -> RunResult {
    let point = |v: f64| Cdf { label: "chat".to_owned(), value: vec![v], fraction: vec![1.0] };
    let cdfs = [point(311.0), point(23.9), point(23.9), point(2_401.0)];
    let mut out =
        assemble(vec![pool("mixed", "mixed", 0.02, 3e6)], vec![class("chat", CHAT, 1, cdfs.each_ref())], Distributions::default());
    out.distributions = distributions(vec![cdfs]);
    out.timeline.at_s.truncate(1);
    out
}

/// Twelve pools and five classes.
pub(crate) fn twelve_pools() -> RunResult {
    let pools = (0..12)
        .map(|i| {
            let role = ["prefill", "decode", "mixed"][i % 3];
            pool(&format!("{role}-{}", i / 3), role, 0.3 + 0.05 * i as f64, 1e6 * (i + 1) as f64)
        })
        .collect();
    let names = ["chat", "code", "agents", "batch", "search"];
    let cdfs: Vec<[Cdf; 4]> = names.iter().enumerate().map(|(i, name)| chat_cdfs(name, 1.0 + 0.3 * i as f64)).collect();
    let classes = names.iter().zip(&cdfs).map(|(name, cdfs)| class(name, CHAT, 2_000, cdfs.each_ref())).collect();
    let mut out = assemble(pools, classes, Distributions::default());
    out.timeline = timeline(&out.summary.pools, 5_000, 0.36);
    out.distributions = distributions(cdfs);
    out
}

/// Values far outside anything real.
pub(crate) fn huge_numbers() -> RunResult {
    let mut out = two_pools();
    let summary = &mut out.summary;
    summary.requests.arrived = u64::MAX;
    summary.requests.completed = u64::MAX - 1;
    summary.tokens.output = u64::MAX;
    summary.energy.facility_j = 1e300;
    summary.energy.by_phase.decode_j = 1e300;
    summary.energy.mean_power_w = f64::INFINITY;
    summary.cost.total_usd = 1e17;
    summary.cost.breakdown.capital = 1e17;
    summary.cost.usd_per_m_output_tokens = Some(1e-12);
    summary.lifecycle.decode_ms = f64::NAN;
    out.timeline.pools[0].power_w[3] = f64::NAN;
    out.timeline.pools[0].queue[3] = 1e12;
    out.distributions.ttft_ms[0].value[399] = 1e15;
    out.distributions.itl_ms[0].value[0] = 0.0;
    out
}

/// Names that would break out of HTML, SVG or a table.
pub(crate) fn hostile_names() -> RunResult {
    let mut out = two_pools();
    let bad = "<script>alert('x')</script>\"&--></style>{{ 7 * 7 }}";
    let long = "a-pool-whose-name-somebody-generated-from-every-parameter-of-it-tp4-pp2-ep8-dp16-h100-sxm-80gb-fp8-with-chunked-prefill";
    out.summary.scenario = String::from(bad);
    out.summary.pools[0].name = String::from(bad);
    out.timeline.pools[0].name = String::from(bad);
    out.summary.pools[1].name = String::from(long);
    out.timeline.pools[1].name = String::from(long);
    out.summary.classes[0].name = String::from(bad);
    out.summary.classes[1].name = String::from(long);
    let d = &mut out.distributions;
    for cdfs in [&mut d.ttft_ms, &mut d.itl_ms, &mut d.tpot_ms, &mut d.e2e_ms] {
        cdfs[0].label = String::from(bad);
        cdfs[1].label = String::from(long);
    }
    out.summary.warnings.push(Warning { code: bad.to_owned(), message: bad.to_owned() });
    out.summary.provenance.push(ProvenanceEntry {
        profile: long.to_owned(),
        figure: bad.to_owned(),
        value: bad.to_owned(),
        confidence: "assumed".to_owned(),
        source: format!("https://example.com/{long}"),
        note: Some(bad.to_owned()),
    });
    out
}

/// Every fixture with its name.
pub(crate) fn all() -> Vec<(&'static str, RunResult)> {
    vec![
        ("two-pools", two_pools()),
        ("missed", missed()),
        ("no-slo", no_slo()),
        ("overloaded", overloaded()),
        ("nothing-completed", nothing_completed()),
        ("one-request", one_request()),
        ("twelve-pools", twelve_pools()),
        ("huge-numbers", huge_numbers()),
        ("hostile-names", hostile_names()),
    ]
}
