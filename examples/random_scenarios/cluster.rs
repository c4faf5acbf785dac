//! The `cluster` and `policies` sections.

use std::fmt::Write as _;

use crate::Frame;
use crate::models::{SERVED, Served, Shape};
use crate::recent::Recent;
use crate::rng::Rng;

/// Draws for a model, made before its workloads and pools.
pub(crate) struct Plan {
    pub(crate) name: String,
    pub(crate) served: &'static Served,
    /// Instances of (prefill, decode, mixed) pools.
    pools: Vec<(&'static str, u64)>,
    /// Typical prompt and output, tokens.
    pub(crate) prompt: u64,
    pub(crate) output: u64,
    /// Tokens per prefix identity; 0: no shared prefixes.
    pub(crate) prefix_tokens: u64,
    /// True if the memory holds only a few typical requests.
    tight: bool,
    affine: bool,
}

impl Plan {
    fn split(&self) -> bool {
        self.pools.iter().any(|&(role, _)| role == "decode")
    }
}

pub(crate) fn plans(rng: &mut Rng, contended: bool) -> Vec<Plan> {
    let count = *rng.pick(&[1, 1, 1, 1, 2, 3]);
    let plan = |(index, name): (usize, &&str)| {
        let mut pools = Vec::new();
        let topology = rng.range(1, 10);
        if topology > 3 {
            for role in ["prefill", "decode"] {
                let instances = if contended { rng.range(1, 3) } else { 1 };
                pools.push((role, instances));
                if contended && rng.percent(20) {
                    pools.push((role, rng.range(1, 2)));
                }
            }
        }
        if topology <= 3 || topology > 8 {
            pools.push(("mixed", rng.range(1, 3)));
            if rng.percent(20) {
                pools.push(("mixed", 1));
            }
        }
        Plan {
            name: (*name).to_owned(),
            served: rng.pick(if index == 0 { SERVED } else { &SERVED[..SERVED.len() / 2] }),
            pools,
            prompt: rng.spread(24, 2_000),
            output: rng.spread(4, 250),
            prefix_tokens: *rng.pick(&[0, 16, 16, 16, 32, 64]),
            tight: contended && rng.percent(75),
            affine: rng.percent(35),
        }
    };
    ["alpha", "beta", "gamma"][..count].iter().enumerate().map(plan).collect()
}

pub(crate) fn section(rng: &mut Rng, frame: &Frame, mut recent: Option<&mut Recent>) -> String {
    let mut text = String::from("cluster:\n  pools:\n");
    for plan in &frame.models {
        if let Some(recent) = recent.as_deref_mut() {
            text.push_str(&recent.frontends(frame, &plan.name));
        }
        let home = *rng.pick(plan.served.shapes);
        let mut of_role = 0;
        for &(role, instances) in &plan.pools {
            of_role += 1;
            let shape = if rng.percent(65) { home } else { *rng.pick(plan.served.shapes) };
            let name = format!("{}-{role}-{of_role}", plan.name);
            let _ = writeln!(text, "    - name: {name}\n      role: {role}");
            if frame.models.len() > 1 {
                let _ = writeln!(text, "      model: {}", plan.name);
            }
            text.push_str(&machine(shape, instances));
            text.push_str(&perf(rng, frame, plan));
            let more = recent.as_deref_mut().and_then(|recent| {
                recent.pool(&name, instances);
                recent.engine(frame)
            });
            text.push_str(&engine(rng, frame, plan, role, more));
            if rng.percent(10) {
                text.push_str("      pricing: {rent-at: $2/h}\n");
            }
        }
    }
    text += &network(rng, frame);
    let mut policies = routers(rng, frame);
    let mut faults = String::new();
    if let Some(recent) = recent {
        if frame.models.iter().any(Plan::split) {
            text += &recent.handoff(frame);
        }
        policies += &recent.policies(frame);
        faults = recent.faults(frame);
    }
    text + &format!("policies: {{{policies}}}\n") + &faults
}

fn machine((node, tp, dp, ep): Shape, instances: u64) -> String {
    format!("      node: {node}\n      instances: {instances}\n      parallelism: {{tp: {tp}, dp: {dp}, ep: {ep}}}\n")
}

fn perf(rng: &mut Rng, frame: &Frame, plan: &Plan) -> String {
    if frame.round {
        let (base, prompt, sequence) = (rng.pick(&[5, 10, 20]), rng.pick(&[0, 10, 100]), rng.pick(&[0, 0, 500]));
        return format!("      perf: {{affine: {{base: {base} ms, per_prompt_token: {prompt} us, per_sequence: {sequence} us}}}}\n");
    }
    if !plan.affine {
        return if rng.percent(20) {
            "      perf: {roofline: {gemm_memory: 0.5, iteration_overhead: 2 ms}}\n".into()
        } else {
            String::new()
        };
    }
    let (base, prompt, sequence, context) = (rng.spread(100, 20_000), rng.spread(1, 200), rng.spread(1, 500), rng.spread(1, 200));
    let mut keys = format!("base: {base} us, per_prompt_token: {prompt} us, per_sequence: {sequence} us, per_context_token: {context} ns");
    if rng.percent(40) {
        let _ = write!(keys, ", kv_bytes_per_token: {} kB", rng.spread(10, 400));
    }
    if rng.percent(20) {
        keys.push_str(", busy_power: 300 W");
    }
    format!("      perf: {{affine: {{{keys}}}}}\n")
}

fn engine(rng: &mut Rng, frame: &Frame, plan: &Plan, role: &str, more: Option<&str>) -> String {
    let mut keys = Vec::new();
    let caching = !rng.percent(20);
    let block = match plan.prefix_tokens {
        16 if caching => *rng.pick(&[4, 8, 16, 16]),
        32 | 64 if caching => *rng.pick(&[8, 16, 32]),
        _ => *rng.pick(&[8, 16, 32, 48]),
    };
    keys.push(format!("block_size: {block}"));
    if !caching {
        keys.push("enable_prefix_caching: false".into());
    }
    // Tokens: enough for the shortest prompt of any closed loop.
    let typical = plan.prompt + plan.output;
    let mut longest = 32_768;
    if plan.tight && rng.percent(85) {
        let tokens = if role == "decode" { rng.range(typical * 5 / 4, typical * 5) } else { rng.range(typical * 3 / 2, typical * 8) };
        let blocks = tokens.max(400).div_ceil(block);
        keys.push(format!("num_gpu_blocks_override: {blocks}"));
        longest = blocks * block;
    }
    // Requests that wait for a place on a decode instance compete for it.
    let may_wait = frame.contended || !(plan.split() && role == "decode");
    let seqs = if may_wait && rng.percent(30) { rng.spread(1, 24) } else { 256 };
    if seqs < 256 {
        keys.push(format!("max_num_seqs: {seqs}"));
    }
    let limit = longest.min(rng.range(typical, typical * 4).max(350));
    if rng.percent(20) {
        keys.push(format!("enable_chunked_prefill: false, max_model_len: {limit}, max_num_batched_tokens: {}", limit.max(256)));
    } else {
        if rng.percent(25) {
            keys.push(format!("max_model_len: {limit}"));
        }
        if rng.percent(45) {
            keys.push(format!("max_num_batched_tokens: {}", rng.spread(16, 4_096).max(seqs)));
        }
    }
    keys.extend(more.map(str::to_owned));
    format!("      engine: {{{}}}\n", keys.join(", "))
}

fn network(rng: &mut Rng, frame: &Frame) -> String {
    if !frame.models.iter().any(Plan::split) {
        return String::new();
    }
    let mut text = String::from("  network:\n    kv:\n");
    let overlap = rng.pick(&["after-prefill", "layer-wise"]);
    let _ = writeln!(text, "      overlap: {overlap}");
    if rng.percent(70) {
        let link = rng.pick(&["nvlink-4", "ib-ndr", "ib-xdr", "ethernet-10", "ethernet-400", "pcie-4"]);
        let _ = writeln!(text, "      link: {link}");
    }
    if rng.percent(40) {
        let (bandwidth, latency) = (rng.spread(20, 20_000), rng.spread(1, 20_000));
        let _ = writeln!(text, "      overrides: {{bandwidth: {bandwidth} MB/s, latency: {latency} us, efficiency: 0.8}}");
    }
    let senders = frame.models.iter().filter(|plan| plan.split()).count();
    if (frame.contended || senders == 1) && rng.percent(40) {
        let _ = writeln!(text, "      fabric_bandwidth: {} MB/s", rng.spread(50, 50_000));
    }
    text
}

fn routers(rng: &mut Rng, frame: &Frame) -> String {
    const ROUTERS: [&str; 5] = ["round-robin", "random", "least-request", "least-tokens", "power-of-two"];
    let has = |role: &str, plan: &Plan| plan.pools.iter().any(|&(other, _)| other == role);
    let (prefill, decode) = (*rng.pick(&ROUTERS), *rng.pick(&ROUTERS));
    if rng.percent(40) {
        return format!("router: {prefill}");
    }
    // Mixed instances next to prefill instances of their model are chosen by the prefill router.
    let beside = frame.models.iter().any(|plan| has("mixed", plan) && has("prefill", plan));
    let alone = frame.models.iter().any(|plan| has("mixed", plan) && !has("prefill", plan));
    let mixed = if alone && !beside { format!(", mixed: {}", rng.pick(&ROUTERS)) } else { String::new() };
    format!("router: {{prefill: {prefill}, decode: {decode}{mixed}}}")
}
