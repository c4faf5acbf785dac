//! The `cluster` section: pools, network, routers, and the request classes of the workloads.

use super::super::MOST_NUMBERED;
use super::super::file::{self, Choice, Family, Profiles, Router, RouterChoice, ScenarioFile};
use super::super::library::Library;
use super::super::meaning::model_of;
use super::faults;
use super::names::{NamedModel, PoolHardware, find, models, site};
use super::pool::PoolBuilder;
use super::provenance::Basis;
use super::workload::{WorkloadSource, limits};
use crate::cluster::{ClassSpec, ClusterSpec, FrontendSpec, ModelId, NetworkSpec, PoolSpec, Role, RouterSpec, SchedulerSpec};
use crate::cost::NodeCost;
use crate::document::{Document, Problems};
use crate::hardware::{Link, Node, Site};
use crate::metrics::{ClassParameters, FrontendParameters, PoolParameters, ProvenanceEntry, RecorderParameters};
use crate::policy::Configured;
use crate::sim::{SimDuration, Streams};
use crate::workload::ClassId;

/// Everything built from the `cluster` section.
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
    /// Label of each model in reports, in the same order.
    model_labels: Vec<String>,
    nodes: Vec<Node>,
    /// Warning about the network.
    pub(super) caution: Option<String>,
}

/// Initial length of a timeline interval; the recorder doubles it in long runs.
const FIRST_INTERVAL: SimDuration = SimDuration::from_ns(100_000_000);

/// Builds the cluster; `None` if a part is missing, which has been noted.
pub(super) fn build(
    file: &ScenarioFile,
    document: &Document,
    library: &Library,
    workloads: Option<&[WorkloadSource]>,
    problems: &mut Problems<'_>,
) -> Option<Parts> {
    let mut profiles = Profiles::default();
    let models = models(file, document, library, &mut profiles, problems);
    let site = site(file, library, &mut profiles, problems);
    let kv_link =
        file.cluster.network.kv.link.as_ref().map(|name| find::<Link>(library.hardware(), name, "cluster.network.kv.link", problems));
    let mut basis = Basis::default();
    let parts = PoolParts { file, library, models: &models, site: site.as_ref(), kv_link: kv_link.as_ref() };
    let built = parts.pools(&mut basis, &mut profiles, problems);
    let faults = faults::faults(file, problems);
    let routers = routers(file, library, problems);
    let admission = configured("policies.admission", &file.policies.admission, library, problems);
    let scheduler = scheduler(file, library, problems);
    let disaggregation = configured("policies.disaggregation", &file.policies.disaggregation, library, problems);
    let control = configured("policies.control", &file.policies.control, library, problems);
    let site = site?;
    let owned = engines(file).any(|(_, pool)| matches!(pool.pricing, file::Pricing::Own));
    basis.site(&site, &file.cluster.site, owned);
    let workloads = workloads?;
    if built.len() != engines(file).count() || models.len() != file.models.len() {
        return None;
    }
    let classes = classes(file, &built, workloads, problems)?;
    let (pools, rest): (Vec<PoolSpec>, Vec<(NodeCost, Node)>) = built.into_iter().map(|(spec, cost, node)| (spec, (cost, node))).unzip();
    let (node_costs, nodes): (Vec<NodeCost>, Vec<Node>) = rest.into_iter().unzip();
    let caution = super::reach::caution(kv_link.flatten().as_ref(), &pools, &nodes);
    let spec = ClusterSpec {
        seed: file.seed,
        pools,
        network: network(file),
        frontends: frontends(file),
        classes,
        admission: admission?,
        scheduler: scheduler?,
        disaggregation: disaggregation?,
        control: control?,
        reports: file.policies.reports,
        routers: routers?,
        faults,
        retry: file.policies.retry,
        health_check: file.policies.health_check,
        end: None,
        fast_forward: true,
        audit: false,
    };
    Some(Parts {
        spec,
        pue: site.pue.value.get(),
        carbon_g_per_kwh: site.carbon.value.get(),
        node_costs,
        provenance: basis.collect(&profiles),
        model_labels: models.iter().map(NamedModel::label).collect(),
        model_profiles: models.iter().map(|model| (model.name.clone(), model.profile.clone())).collect(),
        profiles,
        nodes,
        caution,
    })
}

/// Inputs of the pools.
struct PoolParts<'a> {
    file: &'a ScenarioFile,
    library: &'a Library,
    models: &'a [NamedModel],
    site: Option<&'a Site>,
    /// The link named by the scenario, if any; `None` inside if it is unknown, which has been noted.
    kv_link: Option<&'a Option<Link>>,
}

impl PoolParts<'_> {
    /// The pools that can be built; the problems of the others have been noted.
    fn pools(&self, basis: &mut Basis, profiles: &mut Profiles, problems: &mut Problems<'_>) -> Vec<(PoolSpec, NodeCost, Node)> {
        let Self { file, library, models, site, kv_link } = *self;
        let overrides = file.cluster.network.kv.overrides.unwrap_or_default();
        let mut built = Vec::new();
        for (index, pool) in engines(file) {
            let path = format!("cluster.pools[{index}]");
            let hardware = PoolHardware::find(pool, &path, library.hardware(), profiles, problems);
            let model = model_of(file, pool.model.as_deref()).and_then(|name| models.iter().find(|model| model.name == name));
            let (Some(hardware), Some(model)) = (hardware, model) else { continue };
            let link = kv_link.cloned().unwrap_or_else(|| Some(hardware.scale_out.clone()));
            let builder = PoolBuilder { pool, path: &path, hardware: &hardware, model, site, link: link.as_ref(), file };
            if let Some((spec, cost)) = builder.build(problems) {
                basis.pool(pool, &hardware, &spec);
                if let (true, Some(link)) = (pool.role != file::Role::Mixed, &link) {
                    basis.handoffs(link, overrides, &hardware, pool.role == file::Role::Prefill);
                }
                built.push((spec, cost, hardware.node.clone()));
            }
            hardware.keep(profiles);
            if let Some(link) = link {
                profiles.links.insert(link.name.clone(), link);
            }
        }
        built
    }
}

/// The pools that are engines, with their index among all pools.
pub(super) fn engines(file: &ScenarioFile) -> impl Iterator<Item = (usize, &file::Pool)> {
    file.cluster.pools.iter().enumerate().filter(|(_, pool)| pool.role != file::Role::Frontend)
}

/// The pools that are frontends.
fn frontends(file: &ScenarioFile) -> Vec<FrontendSpec> {
    let ns = |duration: crate::units::Duration| duration.get() * 1e9;
    let mut built = Vec::new();
    for pool in file.cluster.pools.iter().filter(|pool| pool.role == file::Role::Frontend) {
        let model = model_of(file, pool.model.as_deref()).and_then(|name| (0..).zip(file.models.keys()).find(|(_, known)| *known == name));
        let (Some(station), Some((model, _))) = (pool.station, model) else { continue };
        built.push(FrontendSpec {
            name: pool.name.clone(),
            model: ModelId(model),
            instances: pool.instances,
            workers: station.workers,
            per_request_ns: ns(station.per_request),
            per_prompt_token_ns: ns(station.per_prompt_token),
            per_output_token_ns: ns(station.per_output_token),
        });
    }
    built
}

/// The network between pools.
fn network(file: &ScenarioFile) -> NetworkSpec {
    NetworkSpec {
        overlap: file.cluster.network.kv.overlap,
        first_token: file.cluster.handoff.first_token,
        failure_timeout: file.cluster.network.kv.failure_timeout,
        fabric_bytes_per_s: file.cluster.network.kv.fabric_bandwidth.map(crate::units::BytesPerSecond::get),
    }
}

/// A policy of a family; an unknown one, or one with invalid parameters, is noted.
fn configured<F: Family>(path: &str, choice: &Choice<F>, library: &Library, problems: &mut Problems<'_>) -> Option<Configured<F::Policy>> {
    let found = choice.configure(library.policies());
    found.map_err(|error| problems.note(path, &error.to_string(), None)).ok()
}

/// The policies of schedulers.
fn scheduler(file: &ScenarioFile, library: &Library, problems: &mut Problems<'_>) -> Option<SchedulerSpec> {
    let policies = &file.policies;
    let queue = configured("policies.queue", &policies.queue, library, problems);
    let preemption = configured("policies.preemption", &policies.preemption, library, problems);
    let batching = configured("policies.batching", &policies.batching, library, problems);
    let eviction = configured("policies.eviction", &policies.eviction, library, problems);
    Some(SchedulerSpec { queue: queue?, preemption: preemption?, batching: batching?, eviction: eviction? })
}

/// The routers; an unknown one, or one with invalid parameters, is noted.
fn routers(file: &ScenarioFile, library: &Library, problems: &mut Problems<'_>) -> Option<RouterSpec> {
    let mut configured = |path: &str, router: &Router| configured(path, router, library, problems);
    match &file.policies.router {
        RouterChoice::All(router) => Some(RouterSpec::all(&configured("policies.router", router)?)),
        RouterChoice::ByRole(by_role) => {
            let prefill = configured("policies.router.prefill", &by_role.prefill);
            let decode = configured("policies.router.decode", &by_role.decode);
            let mixed = match &by_role.mixed {
                Some(mixed) => configured("policies.router.mixed", mixed),
                None => prefill.clone(),
            };
            Some(RouterSpec { prefill: prefill?, decode: decode?, mixed: mixed? })
        }
    }
}

/// Request classes of the workloads. Prefix identities of all workloads of one model must cover the same number of tokens.
fn classes(
    file: &ScenarioFile,
    pools: &[(PoolSpec, NodeCost, Node)],
    workloads: &[WorkloadSource],
    problems: &mut Problems<'_>,
) -> Option<Vec<ClassSpec>> {
    let names: Vec<&String> = file.models.keys().collect();
    let mut classes: Vec<ClassSpec> = Vec::new();
    for ((class, entry), source) in (0..MOST_NUMBERED).map(ClassId).zip(&file.workload).zip(workloads) {
        let path = format!("workload[{}]", class.0);
        let model = model_of(file, entry.model.as_deref())?;
        let model = (0..MOST_NUMBERED).map(ModelId).zip(&names).find(|(_, name)| **name == model)?.0;
        check_loop(source, &path, pools.iter().map(|(pool, ..)| pool).filter(|pool| pool.model == model), problems);
        let opened = source.open(class, &Streams::new(file.seed)).map_err(|error| problems.note(&path, &error.to_string(), None)).ok()?;
        let prefix_tokens = opened.block_tokens(class).unwrap_or_default();
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
            problems.note(&path, &problem, Some("workloads that share a cache must use the same block size; run them separately".into()));
        }
        let sessions = opened.has_sessions(class);
        let limits = entry.slo.as_ref().map(file::Slo::limits).unwrap_or_default();
        classes.push(ClassSpec { model, timeout: entry.timeout, prefix_tokens, sessions, limits });
    }
    Some(classes)
}

/// A closed loop none of whose requests can be served never ends, and without think time the clock does not advance.
fn check_loop<'p>(source: &WorkloadSource, path: &str, pools: impl Iterator<Item = &'p PoolSpec> + Clone, problems: &mut Problems<'_>) {
    let WorkloadSource::ClosedLoop(parameters) = source else { return };
    let shortest = parameters.shape.prompt.shortest();
    // A request must fit its first pool and, if handed off, every decode pool, with at least one output token.
    let decode = pools.clone().filter(|pool| pool.role == Role::Decode).map(|pool| pool.engine.max_model_len).min();
    let entries = pools.filter(|pool| pool.role != Role::Decode);
    let room = |pool: &PoolSpec| {
        let handed_on = decode.filter(|_| pool.role == Role::Prefill);
        handed_on.map_or(pool.engine.max_model_len, |decode| pool.engine.max_model_len.min(decode))
    };
    if let Some(longest) = entries.map(room).max().filter(|&longest| shortest >= longest) {
        problems.at(
            &format!("{path}.closed_loop.prompt_tokens"),
            format!("prompts of at least {shortest} tokens"),
            &format!("some shorter than {longest} tokens, the longest context (`max_model_len`) of its pools"),
            Some("every request would be rejected, and the clients would send new ones forever".into()),
        );
    }
}

/// Parameters of the recorder.
pub(super) fn recorder(file: &ScenarioFile, parts: &Parts, workloads: &[WorkloadSource]) -> RecorderParameters {
    debug_assert_eq!(workloads.len(), file.workload.len());
    let model = |pool: &PoolSpec| parts.model_labels.get(usize::from(pool.model.0)).cloned().unwrap_or_default();
    let pools = parts.spec.pools.iter().zip(&parts.nodes);
    RecorderParameters {
        classes: file.workload.iter().map(|entry| ClassParameters { name: entry.name.clone(), slo: limits(entry.slo.as_ref()) }).collect(),
        pools: pools.map(|(pool, node)| PoolParameters::new(pool, node.name.clone(), model(pool))).collect(),
        frontends: parts.spec.frontends.iter().map(FrontendParameters::from).collect(),
        warmup: file.run.warmup.unwrap_or_default(),
        interval: file.timeline.interval.unwrap_or(FIRST_INTERVAL),
    }
}
