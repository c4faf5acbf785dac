//! The `cluster` section: pools from nodes, chips, links and models.

use std::sync::Arc;

use super::super::load::{Document, Problems};
use super::super::meaning::model_of;
use super::super::scenario::{self, KvOverlap, PerfChoice, Pool, Pricing, Profiles, Router, RouterChoice, ScenarioFile};
use super::library::Library;
use super::provenance;
use super::workload::{WorkloadSource, limits};
use super::{ClassId, span};
use crate::cluster::{ClassSpec, ClusterSpec, EngineSpec, ModelId, NetworkSpec, Overlap, PoolSpec, Role, RouterSpec};
use crate::cost::{NodeCost, Ownership, Tariff};
use crate::hardware::{Catalogue, Chip, Link, Node, Profile, Site};
use crate::metrics::{ClassParameters, PoolParameters, ProvenanceEntry, RecorderParameters};
use crate::model::{Model, ModelProfile, hugging_face};
use crate::perf::{
    Activity, Affine, AffineParameters, KvCapacity, MemoryParameters, Parallelism, PerfError, PerfModel, Roofline, RooflineOptions,
    RooflineParameters, ScaleUp, kv_capacity,
};
use crate::policy::RouterKind;
use crate::power::{ChipPowerModel, InstancePower, NodePower};
use crate::sim::{SimDuration, Streams};
use crate::units::Count;

/// Everything that comes out of the `cluster` section.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) spec: ClusterSpec,
    pub(super) pue: f64,
    pub(super) carbon_g_per_kwh: f64,
    pub(super) node_costs: Vec<NodeCost>,
    pub(super) provenance: Vec<ProvenanceEntry>,
    /// Every profile that the scenario depends on.
    pub(super) profiles: Profiles,
    /// The scenario's models by profile, for the resolved scenario.
    pub(super) model_profiles: Vec<(String, String)>,
    nodes: Vec<Node>,
}

/// Length of a timeline interval to begin with; the recorder doubles it when a run gets long.
const FIRST_INTERVAL: SimDuration = SimDuration::from_ns(100_000_000);

/// Builds the cluster; `None` if something is missing, which has been noted then.
pub(super) fn build(
    file: &ScenarioFile,
    document: &Document,
    library: &Library,
    workloads: &Option<Vec<WorkloadSource>>,
    problems: &mut Problems<'_>,
) -> Option<Parts> {
    let mut profiles = Profiles::default();
    let models = models(file, document, library, &mut profiles, problems);
    let site = site(file, library, &mut profiles, problems);
    let kv_link =
        file.cluster.network.kv.link.as_ref().map(|name| find::<Link>(library.hardware(), name, "cluster.network.kv.link", problems));
    let mut built = Vec::new();
    for (index, pool) in file.cluster.pools.iter().enumerate() {
        let path = format!("cluster.pools[{index}]");
        let hardware = PoolHardware::find(pool, &path, library.hardware(), problems);
        let model = model_of(file, pool.model.as_deref()).and_then(|name| models.iter().find(|model| model.name == name));
        if let (Some(hardware), Some(model), Some(site)) = (hardware, model, &site) {
            let link = kv_link.clone().unwrap_or_else(|| Some(hardware.scale_out.clone()));
            let builder = PoolBuilder { pool, path: &path, hardware: &hardware, model, site, link: link.as_ref(), file };
            built.extend(builder.build(problems).map(|(spec, cost)| (spec, cost, hardware.node.clone())));
            hardware.keep(&mut profiles);
            if let Some(link) = link {
                profiles.links.insert(link.name.clone(), link);
            }
        }
    }
    let site = site?;
    let workloads = workloads.as_ref()?;
    if built.len() != file.cluster.pools.len() || models.len() != file.models.len() {
        return None;
    }
    let classes = classes(file, &built, workloads, problems)?;
    let overhead = handoff_overhead(file, &profiles, kv_link.flatten());
    let (pools, rest): (Vec<PoolSpec>, Vec<(NodeCost, Node)>) = built.into_iter().map(|(spec, cost, node)| (spec, (cost, node))).unzip();
    let (node_costs, nodes) = rest.into_iter().unzip();
    let spec = ClusterSpec {
        seed: file.seed,
        pools,
        network: NetworkSpec {
            overlap: match file.cluster.network.kv.overlap {
                KvOverlap::AfterPrefill => Overlap::AfterPrefill,
                KvOverlap::LayerWise => Overlap::LayerWise,
            },
            handoff_overhead: overhead,
            fabric_bytes_per_s: file.cluster.network.kv.fabric_bandwidth.map(crate::units::BytesPerSecond::get),
        },
        classes,
        routers: routers(file),
        end: None,
        fast_forward: true,
        audit: false,
    };
    Some(Parts {
        spec,
        pue: site.pue.value.get(),
        carbon_g_per_kwh: site.carbon.value.get(),
        node_costs,
        provenance: provenance::collect(&profiles),
        model_profiles: models.iter().map(|model| (model.name.clone(), model.profile.clone())).collect(),
        profiles,
        nodes,
    })
}

/// A model of the scenario.
struct NamedModel {
    name: String,
    profile: String,
    id: ModelId,
    model: Model,
}

fn models(
    file: &ScenarioFile,
    document: &Document,
    library: &Library,
    profiles: &mut Profiles,
    problems: &mut Problems<'_>,
) -> Vec<NamedModel> {
    let mut models = Vec::new();
    for (index, (name, choice)) in file.models.iter().enumerate() {
        let path = format!("models.{name}");
        let Some((key, profile)) = model_profile(name, choice, &path, document, library, problems) else { continue };
        let mut precision = profile.precision;
        if let Some(weights) = choice.weights {
            precision.weights = weights;
            precision.experts = None;
        }
        precision.experts = choice.experts.or(precision.experts);
        precision.kv = choice.kv.unwrap_or(precision.kv);
        match Model::new(name.clone(), profile.architecture.clone(), precision) {
            Ok(model) => models.push(NamedModel {
                name: name.clone(),
                profile: key.clone(),
                id: ModelId(u16::try_from(index).unwrap_or(u16::MAX)),
                model,
            }),
            Err(error) => problems.note(&path, &error.to_string(), None),
        }
        profiles.models.insert(key, profile);
    }
    models
}

fn model_profile(
    name: &str,
    choice: &scenario::ModelChoice,
    path: &str,
    document: &Document,
    library: &Library,
    problems: &mut Problems<'_>,
) -> Option<(String, ModelProfile)> {
    if let Some(config) = &choice.hugging_face {
        let key = format!("{path}.hugging_face");
        let file = document.resolve(&key, config);
        let read = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()));
        let profile = read.and_then(|text| hugging_face::read(name, &text).map_err(|error| format!("{}: {error}", file.display())));
        return match profile {
            Ok(profile) => Some((name.to_owned(), profile)),
            Err(problem) => {
                problems.note(&key, &problem, None);
                None
            }
        };
    }
    let wanted = choice.profile.as_deref()?;
    match library.model(wanted) {
        Ok(profile) => Some((wanted.to_owned(), profile)),
        Err(error) => {
            let known = library.model_names();
            if known.iter().any(|name| name == wanted) {
                problems.note(&format!("{path}.profile"), &error.to_string(), None);
            } else {
                problems.unknown(&format!("{path}.profile"), "model", wanted, &known.iter().map(String::as_str).collect::<Vec<_>>());
            }
            None
        }
    }
}

/// A hardware profile by name.
fn find<P: Profile>(catalogue: &Catalogue, name: &str, path: &str, problems: &mut Problems<'_>) -> Option<P> {
    match catalogue.find(name) {
        Ok(profile) => Some(profile),
        Err(error) => {
            if catalogue.contains(P::KIND, name) {
                problems.note(path, &error.to_string(), None);
            } else {
                let known: Vec<&str> = catalogue.names(P::KIND).collect();
                problems.unknown(path, P::KIND.name(), name, &known);
            }
            None
        }
    }
}

fn site(file: &ScenarioFile, library: &Library, profiles: &mut Profiles, problems: &mut Problems<'_>) -> Option<Site> {
    let choice = &file.cluster.site;
    let mut site: Site = find(library.hardware(), &choice.profile, "cluster.site.profile", problems)?;
    profiles.sites.insert(site.name.clone(), site.clone());
    if let Some(value) = choice.electricity {
        site.electricity.value = value;
    }
    if let Some(value) = choice.pue {
        site.pue.value = value;
    }
    if let Some(value) = choice.carbon {
        site.carbon.value = value;
    }
    if let Some(value) = choice.hosting {
        site.hosting.value = value;
    }
    Some(site)
}

/// What an instance of a pool stands on.
struct PoolHardware {
    node: Node,
    chip: Chip,
    scale_up: Link,
    scale_out: Link,
}

impl PoolHardware {
    fn find(pool: &Pool, path: &str, catalogue: &Catalogue, problems: &mut Problems<'_>) -> Option<Self> {
        let path = format!("{path}.node");
        let node: Node = find(catalogue, &pool.node, &path, problems)?;
        Some(Self {
            chip: find(catalogue, &node.chip, &path, problems)?,
            scale_up: find(catalogue, &node.scale_up, &path, problems)?,
            scale_out: find(catalogue, &node.scale_out, &path, problems)?,
            node,
        })
    }

    fn keep(self, profiles: &mut Profiles) {
        for link in [self.scale_up, self.scale_out] {
            profiles.links.insert(link.name.clone(), link);
        }
        profiles.chips.insert(self.chip.name.clone(), self.chip);
        profiles.nodes.insert(self.node.name.clone(), self.node);
    }
}

struct PoolBuilder<'a> {
    pool: &'a Pool,
    path: &'a str,
    hardware: &'a PoolHardware,
    model: &'a NamedModel,
    site: &'a Site,
    link: Option<&'a Link>,
    file: &'a ScenarioFile,
}

impl PoolBuilder<'_> {
    fn build(&self, problems: &mut Problems<'_>) -> Option<(PoolSpec, NodeCost)> {
        let parallelism = Parallelism { tp: self.pool.parallelism.tp, ep: self.pool.parallelism.ep, dp: self.pool.parallelism.dp, pp: 1 };
        if let Err(error) = parallelism.validate(&self.model.model) {
            problems.note(&format!("{}.parallelism", self.path), &error.to_string(), None);
            return None;
        }
        let node = &self.hardware.node;
        if parallelism.chips() > node.scale_up_chips {
            let problem = format!(
                "found {} chips in one instance, expected at most {}: the chips that `{}` joins by its scale-up link",
                parallelism.chips(),
                node.scale_up_chips,
                node.name
            );
            problems.note(&format!("{}.parallelism", self.path), &problem, None);
            return None;
        }
        let perf = self.perf(parallelism).map_err(|error| problems.note(&format!("{}.perf", self.path), &error.to_string(), None)).ok();
        let engine = self.engine(parallelism, problems);
        let power = self.power(parallelism).map_err(|error| problems.note(&format!("{}.node", self.path), &error, None)).ok();
        let cost = self.cost(problems);
        let link = self.link?;
        let overrides = self.file.cluster.network.kv.overrides.unwrap_or_default();
        let rate = overrides.bandwidth.unwrap_or(link.bandwidth.value).get() * overrides.efficiency.unwrap_or(link.efficiency.value).get();
        let spec = PoolSpec {
            name: self.pool.name.clone(),
            role: match self.pool.role {
                scenario::Role::Prefill => Role::Prefill,
                scenario::Role::Decode => Role::Decode,
                scenario::Role::Mixed => Role::Mixed,
            },
            model: self.model.id,
            instances: self.pool.instances,
            chips: parallelism.chips(),
            perf: perf?,
            engine: engine?,
            power: power?,
            kv_bytes_per_token: self.kv_bytes_per_token(),
            layers: self.model.model.architecture().layers,
            window: self.model.model.architecture().window.map(|window| window.tokens),
            port_bytes_per_s: rate * f64::from(parallelism.chips()) * node.scale_out_per_chip.value.get(),
        };
        Some((spec, cost?))
    }

    fn kv_bytes_per_token(&self) -> f64 {
        match self.pool.perf {
            PerfChoice::Affine(affine) => affine.kv_bytes_per_token.map(crate::units::Bytes::get),
            PerfChoice::Roofline(_) => None,
        }
        .unwrap_or(self.model.model.kv_bytes_per_token() as f64)
    }

    fn perf(&self, parallelism: Parallelism) -> Result<Arc<dyn PerfModel>, PerfError> {
        match &self.pool.perf {
            PerfChoice::Affine(affine) => {
                let none = Activity { compute: 0.0, memory: 0.0 };
                Ok(Arc::new(Affine::new(AffineParameters {
                    base: affine.base,
                    per_prefill_token: affine.per_prompt_token,
                    per_prefill_pair: crate::units::Duration::ZERO,
                    per_decode_sequence: affine.per_sequence,
                    per_decode_context: affine.per_context_token,
                    prefill_activity: none,
                    decode_activity: none,
                })?))
            }
            PerfChoice::Roofline(changes) => {
                let mut chip = self.hardware.chip.clone();
                let mut options = RooflineOptions::default();
                if let Some(efficiency) = &mut chip.efficiency {
                    if let Some(value) = changes.gemm_compute {
                        efficiency.gemm_compute.values_mut().for_each(|figure| figure.value = value);
                    }
                    if let Some(value) = changes.gemm_memory {
                        efficiency.gemm_memory.values_mut().for_each(|figure| figure.value = value);
                    }
                }
                options.iteration_overhead_s = changes.iteration_overhead.map(crate::units::Duration::get);
                let scale_up = ScaleUp::from(&self.hardware.scale_up);
                Ok(Arc::new(Roofline::new(&RooflineParameters { model: &self.model.model, chip: &chip, scale_up, parallelism, options })?))
            }
        }
    }

    fn engine(&self, parallelism: Parallelism, problems: &mut Problems<'_>) -> Option<EngineSpec> {
        let engine = &self.pool.engine;
        let path = format!("{}.engine", self.path);
        let chip = &self.hardware.chip;
        let (default_tokens, default_seqs) = scenario::Engine::vllm_defaults(chip.memory.capacity.value, &chip.name);
        let max_num_batched_tokens = match engine.max_num_batched_tokens {
            Some(count) => whole(count, &format!("{path}.max_num_batched_tokens"), problems)?,
            None => default_tokens,
        };
        let max_num_seqs = engine.max_num_seqs.unwrap_or(default_seqs.min(max_num_batched_tokens));
        if max_num_seqs > max_num_batched_tokens {
            problems.at(
                &format!("{path}.max_num_batched_tokens"),
                format!("`{max_num_batched_tokens}`"),
                &format!("at least `max_num_seqs: {max_num_seqs}`, for every running sequence needs one token"),
                None,
            );
            return None;
        }
        let kv_blocks = match engine.num_gpu_blocks_override {
            Some(count) => u64::from(whole(count, &format!("{path}.num_gpu_blocks_override"), problems)?),
            None => self.fitting_blocks(parallelism, max_num_batched_tokens, max_num_seqs, problems)?,
        };
        let max_model_len = self.max_model_len(kv_blocks, &path, problems)?;
        if !engine.enable_chunked_prefill && max_model_len > max_num_batched_tokens {
            let expected =
                format!("at least `max_model_len: {max_model_len}`, because prompts are not split (`enable_chunked_prefill: false`)");
            problems.at(&format!("{path}.max_num_batched_tokens"), format!("`{max_num_batched_tokens}`"), &expected, None);
            return None;
        }
        Some(EngineSpec {
            max_num_seqs,
            max_num_batched_tokens,
            block_size: engine.block_size,
            chunked_prefill: engine.enable_chunked_prefill,
            prefix_caching: engine.enable_prefix_caching,
            max_model_len,
            kv_blocks,
        })
    }

    fn fitting_blocks(
        &self,
        parallelism: Parallelism,
        max_num_batched_tokens: u32,
        max_num_seqs: u32,
        problems: &mut Problems<'_>,
    ) -> Option<u64> {
        let parameters = MemoryParameters {
            model: &self.model.model,
            chip: &self.hardware.chip,
            parallelism,
            gpu_memory_utilization: self.pool.engine.gpu_memory_utilization.get(),
            max_num_batched_tokens,
            max_num_seqs,
            block_size: self.pool.engine.block_size,
        };
        match kv_capacity(&parameters) {
            Ok(KvCapacity { blocks, kv_bytes, .. }) => match self.pool.perf {
                PerfChoice::Affine(affine) => Some(affine.kv_bytes_per_token.map_or(blocks, |bytes| {
                    // Whole blocks of the given size in the memory that the model's own blocks would take.
                    (kv_bytes as f64 / (bytes.get() * f64::from(self.pool.engine.block_size))) as u64
                })),
                PerfChoice::Roofline(_) => Some(blocks),
            },
            Err(error) => {
                problems.note(self.path, &error.to_string(), None);
                None
            }
        }
    }

    /// As given, else what the model allows and the KV memory holds.
    fn max_model_len(&self, kv_blocks: u64, path: &str, problems: &mut Problems<'_>) -> Option<u32> {
        let capacity = u32::try_from(kv_blocks * u64::from(self.pool.engine.block_size)).unwrap_or(u32::MAX);
        let context = self.model.model.architecture().max_context;
        let Some(count) = self.pool.engine.max_model_len else {
            return Some(context.min(capacity));
        };
        let path = format!("{path}.max_model_len");
        let length = whole(count, &path, problems)?;
        if length > capacity {
            problems.at(
                &path,
                format!("`{length}`"),
                &format!("at most {capacity} tokens, which is what the KV cache of one instance holds"),
                None,
            );
            return None;
        }
        if length > context {
            problems.at(&path, format!("`{length}`"), &format!("at most {context} tokens, the context of `{}`", self.model.name), None);
            return None;
        }
        Some(length)
    }

    fn power(&self, parallelism: Parallelism) -> Result<InstancePower, String> {
        let node = NodePower::from_profile(&self.hardware.node);
        let law = ChipPowerModel::from_profile(&self.hardware.chip.power).map_err(|error| error.to_string())?;
        let law = match &self.pool.perf {
            PerfChoice::Roofline(_) => law,
            // Nothing is known of activity: one constant power while busy.
            PerfChoice::Affine(affine) => {
                let busy = affine.busy_power.map_or(law.tdp_w(), crate::units::Watts::get);
                ChipPowerModel::new(law.idle_w().min(busy), 1.0, busy, 1.0, 0.0).map_err(|error| error.to_string())?
            }
        };
        InstancePower::new(parallelism.chips(), law, node).map_err(|error| error.to_string())
    }

    fn cost(&self, problems: &mut Problems<'_>) -> Option<NodeCost> {
        let path = format!("{}.pricing", self.path);
        let node = &self.hardware.node;
        let tariff = match self.pool.pricing {
            Pricing::Own => {
                let Some(price) = &node.price else {
                    problems.note(
                        &path,
                        &format!("`{}` has no price", node.name),
                        Some("give the node profile a price, or write `pricing: {rent-at: $…/h}`".into()),
                    );
                    return None;
                };
                let law = ChipPowerModel::from_profile(&self.hardware.chip.power).ok()?;
                Tariff::Owned(Ownership {
                    price_usd: price.value.get(),
                    life_s: node.life.value.get(),
                    provisioned_w: NodePower::from_profile(node).max_it_w(&law),
                    hosting_usd_per_kw_month: self.site.hosting.value.get(),
                    electricity_usd_per_kwh: self.site.electricity.value.get(),
                    pue: self.site.pue.value.get(),
                })
            }
            Pricing::RentAt(price) => Tariff::RentedChip { usd_per_hour: price.get() },
            Pricing::Rent => match (&node.rent, &self.hardware.chip.price.rent) {
                (Some(rent), _) => Tariff::RentedNode { usd_per_hour: rent.value.get() },
                (None, Some(rent)) => Tariff::RentedChip { usd_per_hour: rent.value.get() },
                (None, None) => {
                    problems.note(
                        &path,
                        &format!("neither `{}` nor `{}` has a rent", node.name, node.chip),
                        Some("write `pricing: {rent-at: $…/h}`, per chip and hour".into()),
                    );
                    return None;
                }
            },
        };
        NodeCost::new(node.chips, tariff).map_err(|error| problems.note(&path, &error.to_string(), None)).ok()
    }
}

fn whole(count: Count, path: &str, problems: &mut Problems<'_>) -> Option<u32> {
    let whole = count.whole().and_then(|n| u32::try_from(n).ok()).filter(|&n| n > 0);
    if whole.is_none() {
        problems.at(path, format!("`{count}`"), "a whole number from 1 to 4294967295", None);
    }
    whole
}

/// Set-up of a bulk transfer and the latency of the link: paid once per handoff.
fn handoff_overhead(file: &ScenarioFile, profiles: &Profiles, kv_link: Option<Link>) -> SimDuration {
    let latency = file.cluster.network.kv.overrides.unwrap_or_default().latency;
    let link = kv_link.or_else(|| {
        let prefill = file.cluster.pools.iter().find(|pool| pool.role == scenario::Role::Prefill)?;
        profiles.links.get(&profiles.nodes.get(&prefill.node)?.scale_out).cloned()
    });
    link.and_then(|link| SimDuration::from_secs_f64(link.setup.value.get() + latency.unwrap_or(link.latency.value).get()))
        .unwrap_or(SimDuration::ZERO)
}

fn routers(file: &ScenarioFile) -> RouterSpec {
    let kind = |router: Router| match router {
        Router::RoundRobin => RouterKind::RoundRobin,
        Router::Random => RouterKind::Random,
        Router::LeastRequest => RouterKind::LeastRequest,
        Router::LeastTokens => RouterKind::LeastTokens,
        Router::PowerOfTwo => RouterKind::PowerOfTwo,
    };
    match &file.policies.router {
        RouterChoice::All(router) => RouterSpec { entry: kind(*router), decode: kind(*router) },
        RouterChoice::ByRole(by_role) => {
            let has_prefill = file.cluster.pools.iter().any(|pool| pool.role == scenario::Role::Prefill);
            RouterSpec { entry: kind(if has_prefill { by_role.prefill } else { by_role.mixed }), decode: kind(by_role.decode) }
        }
    }
}

/// Workloads as the cluster sees them. Prefix identities of all workloads of one model must cover equally many tokens.
fn classes(
    file: &ScenarioFile,
    pools: &[(PoolSpec, NodeCost, Node)],
    workloads: &[WorkloadSource],
    problems: &mut Problems<'_>,
) -> Option<Vec<ClassSpec>> {
    let names: Vec<&String> = file.models.keys().collect();
    let mut classes: Vec<ClassSpec> = Vec::new();
    for (index, (entry, source)) in file.workload.iter().zip(workloads).enumerate() {
        let path = format!("workload[{index}]");
        let class = ClassId(u16::try_from(index).ok()?);
        let model = model_of(file, entry.model.as_deref())?;
        let model = ModelId(u16::try_from(names.iter().position(|name| *name == model)?).ok()?);
        let opened = source.open(class, &Streams::new(file.seed)).map_err(|error| problems.note(&path, &error.to_string(), None)).ok()?;
        let prefix_tokens = opened.prefix_block_tokens(class).unwrap_or_default();
        for (pool, ..) in pools.iter().filter(|(pool, ..)| pool.model == model && pool.engine.prefix_caching && prefix_tokens > 0) {
            if !prefix_tokens.is_multiple_of(pool.engine.block_size) {
                let problem = format!(
                    "its prefixes come in blocks of {prefix_tokens} tokens, which `block_size: {}` of pool `{}` does not divide",
                    pool.engine.block_size, pool.name
                );
                problems.note(&path, &problem, Some("choose a block size that divides it, or write `enable_prefix_caching: false`".into()));
            }
        }
        if let Some(other) = classes
            .iter()
            .find(|other| other.model == model && other.prefix_tokens > 0 && prefix_tokens > 0 && other.prefix_tokens != prefix_tokens)
        {
            let problem = format!(
                "its prefixes come in blocks of {prefix_tokens} tokens, those of another workload of the same model in blocks of {}",
                other.prefix_tokens
            );
            problems.note(&path, &problem, Some("workloads that share a cache must agree; run them apart".into()));
        }
        classes.push(ClassSpec { model, timeout: entry.timeout.and_then(span), prefix_tokens });
    }
    Some(classes)
}

/// What the recorder must know.
pub(super) fn recorder(file: &ScenarioFile, parts: &Parts, workloads: &[WorkloadSource]) -> RecorderParameters {
    debug_assert_eq!(workloads.len(), file.workload.len());
    let pools = parts.spec.pools.iter().zip(&parts.nodes).map(|(pool, node)| PoolParameters {
        name: pool.name.clone(),
        role: pool.role.name().into(),
        hardware: node.name.clone(),
        model: file.models.keys().nth(usize::from(pool.model.0)).cloned().unwrap_or_default(),
        instances: pool.instances,
        chips_per_instance: pool.chips,
        kv_blocks: pool.engine.kv_blocks,
        block_size: pool.engine.block_size,
        perf: pool.perf.provenance(),
    });
    RecorderParameters {
        classes: file.workload.iter().map(|entry| ClassParameters { name: entry.name.clone(), slo: limits(entry.slo.as_ref()) }).collect(),
        pools: pools.collect(),
        warmup: file.run.warmup.and_then(span).unwrap_or(SimDuration::ZERO),
        interval: file.timeline.interval.and_then(span).unwrap_or(FIRST_INTERVAL),
    }
}
