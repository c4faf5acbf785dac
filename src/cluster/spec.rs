//! What a cluster is built from: typed, validated elsewhere, free of YAML.

use std::sync::Arc;

use thiserror::Error;

use super::ids::ModelId;
use crate::kv::KvError;
use crate::network::NetworkError;
use crate::perf::PerfModel;
use crate::policy::{Fault, Role, RouterKind};
use crate::power::InstancePower;
use crate::sim::{SimDuration, TooMany};
use crate::units::nearest;

/// A cluster that cannot be built: user error.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum SpecError {
    /// More of something than can be numbered.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// A bandwidth cannot be.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A fault concerns an instance that there is not.
    #[error("found a fault of instance {0}, expected one of the {1} instances")]
    Fault(usize, usize),
    /// A frontend serves nobody.
    #[error("found a frontend of 0 workers, expected at least 1")]
    NoWorkers,
    /// The KV memory of a pool cannot be.
    #[error(transparent)]
    Kv(#[from] KvError),
}

/// Settings of the serving engine, with vLLM's names and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSpec {
    /// Sequences that run at once, at least 1.
    pub max_num_seqs: u32,
    /// Tokens computed per iteration, at least `max_num_seqs`.
    pub max_num_batched_tokens: u32,
    /// Tokens per KV block, at least 1.
    pub block_size: u32,
    /// True: a prompt may be computed over several iterations. False: it waits until it fits whole.
    pub chunked_prefill: bool,
    /// True: a waiting or preempted request starts only if its whole sequence so far fits into free memory. False: if its first chunk does.
    pub reserve_full_isl: bool,
    /// True: blocks of known prefixes are kept and shared.
    pub prefix_caching: bool,
    /// Longest prompt plus output, tokens; at most the KV capacity. Where prompts are handed on: longest prompt plus its first token.
    pub max_model_len: u32,
    /// KV blocks of one instance, at least 1.
    pub kv_blocks: u64,
}

/// A pool of equal instances.
#[derive(Debug, Clone)]
pub struct PoolSpec {
    /// Name in the scenario.
    pub name: String,
    /// What its instances do.
    pub role: Role,
    /// The model they serve.
    pub model: ModelId,
    /// How many, at least 1.
    pub instances: u32,
    /// Chips of one instance.
    pub chips: u32,
    /// How long steps take.
    pub perf: Arc<dyn PerfModel>,
    /// Engine settings.
    pub engine: EngineSpec,
    /// How much power is drawn.
    pub power: InstancePower,
    /// KV bytes that one token occupies on the wire to an instance of the pool: all layers, and once for each copy that the chips of a group
    /// keep, because every rank fetches its own, also of a latent cache that is the same on all (`SGLang`, pull request 5681).
    pub kv_bytes_per_token: f64,
    /// Of these, in layers that see and keep only the last `window` tokens; 0 without a window.
    pub kv_windowed_bytes_per_token: f64,
    /// Layers of the model, for `layer-wise` overlap.
    pub layers: u32,
    /// Sliding window of the model, tokens; `None` without one.
    pub window: Option<u32>,
    /// Bandwidth of the instance's network attachment per direction, bytes per second (> 0), efficiency included.
    pub port_bytes_per_s: f64,
    /// Data-parallel groups of an instance, at least 1: the KV of a request lies on the chips of one, and moves over their part of the
    /// attachment. Handoffs are taken to fall on different groups as long as there are such.
    pub groups: u32,
    /// Fixed time of every handoff that its instances send: set-up and latency, paid after the last byte.
    pub handoff_overhead: SimDuration,
}

impl PoolSpec {
    /// What one handoff can use of an instance's attachment, bytes per second.
    pub(crate) fn handoff_bytes_per_s(&self) -> f64 {
        self.port_bytes_per_s / f64::from(self.groups)
    }

    /// Bytes on the wire, to an instance of this pool, of the KV of positions `from..to` of a prompt of `prompt` tokens. Layers with a window keep, and send, only its end.
    pub(crate) fn kv_bytes(&self, from: u32, to: u32, prompt: u32) -> f64 {
        let kept_from = self.window.map_or(from, |window| prompt.saturating_sub(window).clamp(from, to.max(from)));
        let (all, kept) = (f64::from(to.saturating_sub(from)), f64::from(to.saturating_sub(kept_from)));
        all * (self.kv_bytes_per_token - self.kv_windowed_bytes_per_token) + kept * self.kv_windowed_bytes_per_token
    }
}

/// A pool of equal stations that requests pass before they are routed: tokenisation, HTTP, dispatch.
#[derive(Debug, Clone, PartialEq)]
pub struct FrontendSpec {
    /// Name in the scenario.
    pub name: String,
    /// The model whose requests pass.
    pub model: ModelId,
    /// How many stations, each with a queue of its own; requests go to them in turn.
    pub instances: u32,
    /// Requests that one serves at once, at least 1.
    pub workers: u32,
    /// Time of a service, ns: of every request,
    pub per_request_ns: f64,
    /// of each token of its prompt,
    pub per_prompt_token_ns: f64,
    /// and of each token that it will generate.
    pub per_output_token_ns: f64,
}

impl FrontendSpec {
    /// Time in which a worker serves a request.
    pub(crate) fn service(&self, prompt: u32, output: u32) -> SimDuration {
        let tokens = self.per_prompt_token_ns * f64::from(prompt) + self.per_output_token_ns * f64::from(output);
        SimDuration::from_ns(nearest(self.per_request_ns + tokens))
    }
}

/// When KV moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// All at once, when the prompt is done.
    #[default]
    AfterPrefill,
    /// Layer by layer, while later layers are computed.
    LayerWise,
}

/// Where the first token of a prompt that is handed on comes from, and when its client gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstToken {
    /// From the prefill side, as soon as the prompt is computed.
    #[default]
    Immediate,
    /// From the prefill side, with the KV: it leaves when that has arrived.
    Seeded,
    /// From the decode side, which computes the last token of the prompt again in its first iteration. What prefill generated is dropped.
    Recomputed,
}

/// The network between pools.
#[derive(Debug, Clone, Copy)]
pub struct NetworkSpec {
    /// When KV moves.
    pub overlap: Overlap,
    /// Where the first token comes from.
    pub first_token: FirstToken,
    /// Bandwidth that all handoffs share, bytes per second; `None`: only the instances' own attachments limit.
    pub fabric_bytes_per_s: Option<f64>,
    /// How long a sender keeps the KV of a handoff whose receiver has failed before it offers it again.
    pub failure_timeout: SimDuration,
}

/// A workload as the cluster sees it.
#[derive(Debug, Clone)]
pub struct ClassSpec {
    /// The model its requests ask for.
    pub model: ModelId,
    /// How long a client waits for its last token; `None`: for ever.
    pub timeout: Option<SimDuration>,
    /// Tokens that one prefix identity of its requests covers; 0: none known.
    pub prefix_tokens: u32,
}

/// Routers by role.
#[derive(Debug, Clone, Copy, Default)]
pub struct RouterSpec {
    /// Chooses when a request arrives whose model has prefill instances, among them and the model's mixed ones.
    pub prefill: RouterKind,
    /// Chooses among decode instances when KV is to be handed on.
    pub decode: RouterKind,
    /// Chooses among mixed instances when a request arrives whose model has no prefill instances.
    pub mixed: RouterKind,
}

/// What becomes of a request whose instance fails, or that no instance takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Retry {
    /// How often it is sent again before it has failed.
    pub attempts: u32,
    /// Time before it is sent again the first time.
    pub back_off: SimDuration,
    /// By how much that grows from one time to the next, at least 1.
    pub multiplier: f64,
    /// The longest it becomes.
    pub max_back_off: SimDuration,
}

impl Retry {
    /// Time before attempt `n`, counted from 1.
    pub(crate) fn back_off(&self, n: u32) -> SimDuration {
        // Powers of whole numbers by multiplication: the same bits on every machine.
        let mut factor = 1.0;
        let most = self.max_back_off.ns() as f64 / self.back_off.ns().max(1) as f64;
        for _ in 1..n {
            if factor >= most {
                break;
            }
            factor *= self.multiplier;
        }
        SimDuration::from_ns(nearest(self.back_off.ns() as f64 * factor)).min(self.max_back_off)
    }
}

/// Everything that a run of the cluster depends on, beside the workload.
#[derive(Debug, Clone)]
pub struct ClusterSpec {
    /// Seed of all random streams.
    pub seed: u64,
    /// Pools, at least one.
    pub pools: Vec<PoolSpec>,
    /// The network between them.
    pub network: NetworkSpec,
    /// Frontends; requests of models without one are routed as they come.
    pub frontends: Vec<FrontendSpec>,
    /// Workloads by class.
    pub classes: Vec<ClassSpec>,
    /// Routers.
    pub routers: RouterSpec,
    /// Instances that go down, and come back.
    pub faults: Vec<Fault>,
    /// What becomes of their requests.
    pub retry: Retry,
    /// Time between two looks of the routers at which instances serve; `None`: they know at once.
    pub health_check: Option<SimDuration>,
    /// Where the clock stops; `None`: when the last request is done.
    pub end: Option<SimDuration>,
    /// Pass over undisturbed decode iterations without queueing them. Never changes a result.
    pub fast_forward: bool,
    /// Check the invariants after every event.
    pub audit: bool,
}
