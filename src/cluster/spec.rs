//! The specification of a cluster: typed, validated elsewhere, free of YAML.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::ids::ModelId;
use crate::kv::KvError;
use crate::network::NetworkError;
use crate::perf::PerfModel;
use crate::policy::{
    Admission, Batching, Configured, Controller, Decider, Eviction, Fault, Limits, PolicyError, Preemption, QueueOrder, Role, Router,
    routers,
};
use crate::power::InstancePower;
use crate::sim::{SimDuration, TooMany};
use crate::units::{Plain, Ratio, nearest};

/// A cluster that cannot be built: user error.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Too many of something to number.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// An invalid bandwidth.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A fault of an instance that does not exist.
    #[error("found a fault of instance {0}, expected one of the {1} instances")]
    Fault(usize, usize),
    /// A frontend without workers.
    #[error("found a frontend of 0 workers, expected at least 1")]
    NoWorkers,
    /// Invalid KV memory of a pool.
    #[error(transparent)]
    Kv(#[from] KvError),
}

/// Settings of the serving engine, with vLLM's names and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineSpec {
    /// Maximum number of running sequences, at least 1.
    pub max_num_seqs: u32,
    /// Tokens computed per iteration, at least `max_num_seqs`.
    pub max_num_batched_tokens: u32,
    /// Tokens per KV block, at least 1.
    pub block_size: u32,
    /// True: a prompt may be computed over several iterations. False: it waits until all of it fits into one.
    pub chunked_prefill: bool,
    /// True: a waiting or preempted request starts only if its whole sequence so far fits into free memory. False: if its first chunk fits.
    pub reserve_full_isl: bool,
    /// True: blocks of known prefixes are kept and shared.
    pub prefix_caching: bool,
    /// Longest prompt plus output, tokens; at most the KV capacity. For prompts that are handed off: longest prompt plus its first token.
    pub max_model_len: u32,
    /// KV blocks of one instance, at least 1.
    pub kv_blocks: u64,
}

/// A pool of equal instances.
#[derive(Debug, Clone)]
pub struct PoolSpec {
    /// Name in the scenario.
    pub name: String,
    /// Role of its instances.
    pub role: Role,
    /// The model they serve.
    pub model: ModelId,
    /// Number of instances, at least 1.
    pub instances: u32,
    /// Chips of one instance.
    pub chips: u32,
    /// Performance model: the duration of an iteration.
    pub perf: Arc<dyn PerfModel>,
    /// Engine settings.
    pub engine: EngineSpec,
    /// Power model.
    pub power: InstancePower,
    /// KV bytes on the wire for one token sent to an instance of the pool: all layers, once for each copy that the chips of a group keep,
    /// because every rank fetches its own copy, even of a latent cache that is the same on all (`SGLang`, pull request 5681).
    pub kv_bytes_per_token: f64,
    /// The part of these bytes in layers that keep only the last `window` tokens; 0 without a window.
    pub kv_windowed_bytes_per_token: f64,
    /// Layers of the model, for `layer-wise` overlap.
    pub layers: u32,
    /// Sliding window of the model, tokens; `None` without one.
    pub window: Option<u32>,
    /// Bandwidth of the instance's network attachment per direction, bytes per second (> 0), efficiency included.
    pub port_bytes_per_s: f64,
    /// Data-parallel groups of an instance, at least 1. The KV of a request lies on the chips of one group and moves over that group's
    /// share of the attachment. Concurrent handoffs are assumed to use different groups as long as there are enough.
    pub groups: u32,
    /// Fixed time of every handoff sent by its instances: set-up and latency, added after the last byte.
    pub handoff_overhead: SimDuration,
}

impl PoolSpec {
    /// Bandwidth available to one handoff on an instance's attachment, bytes per second.
    pub(crate) fn handoff_bytes_per_s(&self) -> f64 {
        self.port_bytes_per_s / f64::from(self.groups)
    }

    /// Bytes on the wire to an instance of this pool, for the KV of positions `from..to` of a prompt of `prompt` tokens. Layers with a
    /// window keep and send only the tokens inside it.
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
    /// Number of stations, each with its own queue; requests go to them round-robin.
    pub instances: u32,
    /// Requests that a station serves concurrently, at least 1.
    pub workers: u32,
    /// Service time per request, ns.
    pub per_request_ns: f64,
    /// Service time per prompt token, ns.
    pub per_prompt_token_ns: f64,
    /// Service time per output token to be generated, ns.
    pub per_output_token_ns: f64,
}

impl FrontendSpec {
    /// Service time of a request on one worker.
    pub(crate) fn service(&self, prompt: u32, output: u32) -> SimDuration {
        let tokens = self.per_prompt_token_ns * f64::from(prompt) + self.per_output_token_ns * f64::from(output);
        SimDuration::from_ns(nearest(self.per_request_ns + tokens))
    }
}

/// When the KV of a request moves from prefill to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Overlap {
    /// All at once, when its prefill is done.
    #[default]
    AfterPrefill,
    /// Layer by layer while later layers are computed; only the rest delays the request.
    LayerWise,
}

/// Source of the first token of a prompt that is handed off, and when it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FirstToken {
    /// From the prefill side, as soon as the prompt is computed.
    #[default]
    Immediate,
    /// From the prefill side; it travels with the KV and leaves when the KV has arrived, as in `SGLang` and TensorRT-LLM.
    Seeded,
    /// From the decode side, which recomputes the prompt's last token in its first iteration. The token that prefill generated is dropped, as in
    /// vLLM with NIXL.
    Recomputed,
}

/// The network between pools.
#[derive(Debug, Clone, Copy)]
pub struct NetworkSpec {
    /// When KV moves.
    pub overlap: Overlap,
    /// Source of the first token.
    pub first_token: FirstToken,
    /// Bandwidth shared by all handoffs, bytes per second; `None`: only the attachments of the instances limit them.
    pub fabric_bytes_per_s: Option<f64>,
    /// Sender timeout: how long a sender keeps the KV of a handoff whose receiver has failed before offering it again; with `layer-wise`
    /// overlap also how long an offer may wait for a receiver.
    pub failure_timeout: SimDuration,
}

/// A workload, as the cluster sees it.
#[derive(Debug, Clone)]
pub struct ClassSpec {
    /// The model of its requests.
    pub model: ModelId,
    /// Client timeout until the last token; `None`: no timeout.
    pub timeout: Option<SimDuration>,
    /// Tokens covered by one prefix identity of its requests; 0: no identities.
    pub prefix_tokens: u32,
    /// True if its requests are calls of sessions.
    pub sessions: bool,
    /// Limits on latency, which policies may read.
    pub limits: Limits,
}

/// Reports of the instances to the policies: running and waiting requests, and free blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reporting {
    /// Time from one report to the next.
    #[schemars(extend("x-above" = 0))]
    pub period: SimDuration,
    /// Time until a report is seen.
    #[serde(default)]
    pub delay: SimDuration,
}

/// Routers by role.
#[derive(Debug, Clone)]
pub struct RouterSpec {
    /// Chooses among prefill and mixed instances when a request arrives whose model has prefill instances.
    pub prefill: Configured<dyn Router>,
    /// Chooses among decode instances when a prompt is handed off.
    pub decode: Configured<dyn Router>,
    /// Chooses among mixed instances when a request arrives whose model has no prefill instances.
    pub mixed: Configured<dyn Router>,
}

impl RouterSpec {
    /// The same router everywhere.
    pub fn all(router: &Configured<dyn Router>) -> Self {
        Self { prefill: router.clone(), decode: router.clone(), mixed: router.clone() }
    }

    /// The router of a name everywhere, of those that come with the library, without parameters.
    ///
    /// # Errors
    /// An unknown name.
    pub fn named(name: &str) -> Result<Self, PolicyError> {
        Ok(Self::all(&routers().configure(name, None)?))
    }
}

/// Policies of an instance's scheduler, made once for each instance.
#[derive(Debug, Clone)]
pub struct SchedulerSpec {
    /// Which waiting request starts next.
    pub queue: Configured<dyn QueueOrder>,
    /// Which running sequence gives its memory back.
    pub preemption: Configured<dyn Preemption>,
    /// How much prompt work an iteration takes on.
    pub batching: Configured<dyn Batching>,
    /// Which cached prefix is evicted first.
    pub eviction: Configured<dyn Eviction>,
}

/// Retries of a request whose instance fails, or that no instance accepts.
///
/// Defaults: three attempts, as the documentation of NVIDIA Dynamo advises for `--migration-limit`; times of the model gateway `smg`
/// (50 ms, times 1.5, at most 30 s), 2026.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Maximum number of retries; after that the request has failed.
    #[schemars(range(max = 1000))]
    pub attempts: u32,
    /// Back-off before the first retry.
    #[schemars(extend("x-above" = 0))]
    pub back_off: SimDuration,
    /// Growth of the back-off from one retry to the next.
    #[serde(with = "Plain::<Ratio>")]
    #[schemars(with = "Ratio", extend("x-least" = 1, "x-most" = 100))]
    pub multiplier: f64,
    /// Upper limit of the back-off.
    #[schemars(extend("x-above" = 0))]
    pub max_back_off: SimDuration,
}

impl Default for Retry {
    fn default() -> Self {
        let (back_off, max_back_off) = (SimDuration::from_ns(50_000_000), SimDuration::from_ns(30_000_000_000));
        Self { attempts: 3, back_off, multiplier: 1.5, max_back_off }
    }
}

impl Retry {
    /// Back-off before retry `n`, counted from 1.
    pub(crate) fn back_off(&self, n: u32) -> SimDuration {
        // Integer powers by repeated multiplication give the same bits on every machine.
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

/// Everything that a run of the cluster depends on, except the workload.
#[derive(Debug, Clone)]
pub struct ClusterSpec {
    /// Seed of all random streams.
    pub seed: u64,
    /// Pools, at least one.
    pub pools: Vec<PoolSpec>,
    /// The network between them.
    pub network: NetworkSpec,
    /// Frontends; requests of a model without one go directly to the router.
    pub frontends: Vec<FrontendSpec>,
    /// Workloads by class.
    pub classes: Vec<ClassSpec>,
    /// Routers.
    pub routers: RouterSpec,
    /// Whether an arriving request is let in.
    pub admission: Configured<dyn Admission>,
    /// The schedulers of the instances.
    pub scheduler: SchedulerSpec,
    /// Whether prompts are computed apart from outputs, where a model has prefill and decode instances.
    pub disaggregation: Configured<dyn Decider>,
    /// When instances are started, drained and given other roles.
    pub control: Configured<dyn Controller>,
    /// When instances report; `None`: routers see them as they are.
    pub reports: Option<Reporting>,
    /// Scheduled failures and recoveries of instances.
    pub faults: Vec<Fault>,
    /// Retries after failed attempts.
    pub retry: Retry,
    /// Interval of the routers' health checks; `None`: routers see every change at once.
    pub health_check: Option<SimDuration>,
    /// End of the run; `None`: when the last request is done.
    pub end: Option<SimDuration>,
    /// Passes over undisturbed decode iterations without queueing them. Never changes a result.
    pub fast_forward: bool,
    /// Checks the invariants after every event.
    pub audit: bool,
}
