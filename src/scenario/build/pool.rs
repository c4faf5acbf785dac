//! One pool: step times, engine, power and cost of its instances.

use std::sync::Arc;

use super::super::file::{self, PerfChoice, Pool, Pricing, ScenarioFile};
use super::names::{NamedModel, PoolHardware};
use crate::cluster::{EngineSpec, PoolSpec, Role};
use crate::cost::{NodeCost, Ownership, Tariff};
use crate::document::Problems;
use crate::hardware::{Link, Site};
use crate::model::Mix;
use crate::perf::{
    Activity, Affine, AffineParameters, KvCapacity, MemoryParameters, Parallelism, PerfError, PerfModel, Roofline, RooflineOptions,
    RooflineParameters, ScaleUp, kv_capacity,
};
use crate::power::{ChipPowerModel, InstancePower, NodePower};
use crate::sim::SimDuration;
use crate::units::{Count, grouped};

/// One pool and its inputs.
pub(super) struct PoolBuilder<'a> {
    pub(super) pool: &'a Pool,
    pub(super) path: &'a str,
    pub(super) hardware: &'a PoolHardware,
    pub(super) model: &'a NamedModel,
    /// `None` if it is unknown, which has been noted.
    pub(super) site: Option<&'a Site>,
    pub(super) link: Option<&'a Link>,
    pub(super) file: &'a ScenarioFile,
}

impl PoolBuilder<'_> {
    /// The pool and its node cost; `None` if it cannot be built, which has been noted.
    pub(super) fn build(&self, problems: &mut Problems<'_>) -> Option<(PoolSpec, NodeCost)> {
        let parallelism = self.pool.parallelism;
        let node = &self.hardware.node;
        if let Err(error) = parallelism.validate(&self.model.model) {
            let error = error.within(node.scale_up_chips);
            let key = match &error {
                PerfError::ParallelismRange { key, .. } | PerfError::NotDivisible { key, .. } => key,
                PerfError::KvHeads { .. } => "tp",
                PerfError::NoExperts { ep: 1, .. } => "dp",
                _ => "ep",
            };
            problems.note(&format!("{}.parallelism.{key}", self.path), &error.to_string(), None);
            return None;
        }
        if parallelism.chips() > node.scale_up_chips {
            let problem = format!(
                "found {} chips in one instance, expected at most {}: the chips that `{}` joins by its scale-up link",
                parallelism.chips(),
                node.scale_up_chips,
                node.name
            );
            let key = if parallelism.dp > 1 { "dp" } else { "tp" };
            problems.note(&format!("{}.parallelism.{key}", self.path), &problem, None);
            return None;
        }
        let perf = self.perf(parallelism).map_err(|error| self.note_perf(&error, problems)).ok();
        let engine = self.engine(parallelism, problems);
        let power = self.power(parallelism).map_err(|error| problems.note(&format!("{}.node", self.path), &error, None)).ok();
        let cost = self.cost(problems);
        let link = self.link?;
        let overrides = self.file.cluster.network.kv.overrides.unwrap_or_default();
        let rate = overrides.bandwidth.unwrap_or(link.bandwidth.value).get() * overrides.efficiency.unwrap_or(link.efficiency.value).get();
        let (kv_bytes_per_token, kv_windowed_bytes_per_token) = self.kv_bytes_per_token(parallelism);
        let spec = PoolSpec {
            name: self.pool.name.clone(),
            role: match self.pool.role {
                file::Role::Prefill => Role::Prefill,
                file::Role::Decode => Role::Decode,
                file::Role::Mixed => Role::Mixed,
                file::Role::Frontend => return None,
            },
            model: self.model.id,
            instances: self.pool.instances,
            chips: parallelism.chips(),
            perf: perf?,
            engine: engine?,
            power: power?,
            kv_bytes_per_token,
            kv_windowed_bytes_per_token,
            layers: self.model.model.architecture().layers,
            window: self.model.model.architecture().window.map(|window| window.tokens),
            port_bytes_per_s: rate * f64::from(parallelism.chips()) * node.scale_out_per_chip.value.get(),
            groups: parallelism.dp,
            handoff_overhead: handoff_overhead(link, overrides.latency),
        };
        Some((spec, cost?))
    }

    /// A number format without figures for the chip is reported where it was chosen, once for all pools.
    fn note_perf(&self, error: &PerfError, problems: &mut Problems<'_>) {
        let precision = self.model.model.precision();
        let chosen = |wanted: &str| {
            let experts = precision.experts.as_ref().and_then(Mix::only);
            let formats = [("weights", Some(precision.weights)), ("experts", experts), ("kv", Some(precision.kv))];
            let keys = formats.into_iter().filter(|(_, format)| format.is_some_and(|format| format.name() == wanted));
            keys.map(|(key, _)| format!("models.{}.{key}", self.model.name)).find(|path| problems.has(path))
        };
        let key = if let PerfError::MissingFigure { wanted, .. } = error { chosen(wanted) } else { None };
        match key {
            Some(key) if problems.touch(&key) => {}
            Some(key) => problems.note(&key, &error.to_string(), None),
            None => problems.note(&format!("{}.perf", self.path), &error.to_string(), None),
        }
    }

    /// KV bytes of a token on the wire and, of these, in layers with a window. Given bytes are the total, the same for every token; otherwise
    /// every copy on the chips of a group is sent.
    fn kv_bytes_per_token(&self, parallelism: Parallelism) -> (f64, f64) {
        if let PerfChoice::Affine(file::Affine { kv_bytes_per_token: Some(bytes), .. }) = self.pool.perf {
            return (bytes.get(), 0.0);
        }
        let model = &self.model.model;
        let copies = f64::from(parallelism.kv_copies(model));
        let windowed = model.kv_bytes_per_token().saturating_sub(model.kv_bytes_per_token_beyond_window());
        (copies * model.kv_bytes_per_token() as f64, copies * windowed as f64)
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
                        efficiency.set_gemm_compute(value);
                    }
                    if let Some(value) = changes.gemm_memory {
                        efficiency.set_gemm_memory(value);
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
        let (default_tokens, default_seqs) = file::Engine::vllm_defaults(chip.memory.capacity.value, &chip.name);
        let max_num_batched_tokens = match engine.max_num_batched_tokens {
            Some(count) => whole(count, &format!("{path}.max_num_batched_tokens"), problems)?,
            None => default_tokens,
        };
        let max_num_seqs = engine.max_num_seqs.unwrap_or(default_seqs.min(max_num_batched_tokens));
        if max_num_seqs > max_num_batched_tokens {
            problems.at(
                &format!("{path}.max_num_batched_tokens"),
                format!("`{max_num_batched_tokens}`"),
                &format!("at least `max_num_seqs: {max_num_seqs}`, because every running sequence needs one token"),
                None,
            );
            return None;
        }
        let kv_blocks = match engine.num_gpu_blocks_override {
            Some(count) => {
                let path = format!("{path}.num_gpu_blocks_override");
                let given: u64 = whole(count, &path, problems)?;
                // Given coefficients may describe hardware with other memory.
                if matches!(self.pool.perf, PerfChoice::Roofline(_)) {
                    let fitting = self.fitting_blocks(parallelism, max_num_batched_tokens, max_num_seqs, problems)?;
                    if given > fitting {
                        problems.at(
                            &path,
                            format!("`{given}`"),
                            &format!("at most {} blocks, the capacity of one instance's memory", grouped(&fitting.to_string())),
                            None,
                        );
                        return None;
                    }
                }
                given
            }
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
            reserve_full_isl: engine.scheduler_reserve_full_isl,
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
                // Whole blocks of the given size in the memory of the model's own blocks.
                PerfChoice::Affine(file::Affine { kv_bytes_per_token: Some(bytes), .. }) => {
                    let block = bytes.whole().saturating_mul(self.pool.engine.block_size.into());
                    let fitting = kv_bytes.checked_div(block).filter(|&blocks| blocks > 0);
                    if fitting.is_none() {
                        let most = kv_bytes / u64::from(self.pool.engine.block_size);
                        let path = format!("{}.perf.affine.kv_bytes_per_token", self.path);
                        let expected = format!("1 to {most} bytes, so that the KV memory of one instance holds at least one block");
                        problems.at(&path, format!("`{bytes}`"), &expected, None);
                    }
                    fitting
                }
                _ => Some(blocks),
            },
            Err(error) => {
                let key = if matches!(error, PerfError::DoesNotFit { .. }) { ".parallelism.tp" } else { "" };
                problems.note(&format!("{}{key}", self.path), &error.to_string(), self.little_memory_hint(&error));
                None
            }
        }
    }

    /// Hint for a model that does not fit but may fit the whole memory.
    fn little_memory_hint(&self, error: &PerfError) -> Option<String> {
        let share = self.pool.engine.gpu_memory_utilization;
        let less = share.get() < file::Engine::default().gpu_memory_utilization.get();
        (less && matches!(error, PerfError::DoesNotFit { .. }))
            .then(|| format!("or raise `gpu_memory_utilization` (now {share}), the share of the memory that may be used"))
    }

    /// As given, else the model's context, limited by the KV memory.
    fn max_model_len(&self, kv_blocks: u64, path: &str, problems: &mut Problems<'_>) -> Option<u32> {
        let capacity = u128::from(kv_blocks) * u128::from(self.pool.engine.block_size);
        let context = self.model.model.architecture().max_context;
        let Some(count) = self.pool.engine.max_model_len else {
            // A capacity above 32 bits is larger than any context.
            return Some(u32::try_from(capacity).map_or(context, |capacity| context.min(capacity)));
        };
        let path = format!("{path}.max_model_len");
        let length: u32 = whole(count, &path, problems)?;
        if u128::from(length) > capacity {
            problems.at(&path, format!("`{length}`"), &format!("at most {capacity} tokens, the capacity of one instance's KV cache"), None);
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
            // Activity is unknown: constant power while busy.
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
                let site = self.site?;
                Tariff::Owned(Ownership {
                    price_usd: price.value.get(),
                    life_s: node.life.value.get(),
                    provisioned_w: NodePower::from_profile(node).max_it_w(&law),
                    hosting_usd_per_kw_month: site.hosting.value.get(),
                    electricity_usd_per_kwh: site.electricity.value.get(),
                    pue: site.pue.value.get(),
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

/// Set-up of a bulk transfer and the latency of the sender's link: paid once per handoff. A value beyond the clock's range ends the run with an
/// error.
fn handoff_overhead(link: &Link, latency: Option<crate::units::Duration>) -> SimDuration {
    let seconds = link.setup.value.get() + latency.unwrap_or(link.latency.value).get();
    SimDuration::from_secs_f64(seconds).unwrap_or(SimDuration::from_ns(u64::MAX))
}

/// A count as a whole number of the required width; the schema's range excludes larger ones.
fn whole<T: TryFrom<u64>>(count: Count, path: &str, problems: &mut Problems<'_>) -> Option<T> {
    let whole = count.whole().filter(|&n| n > 0).and_then(|n| T::try_from(n).ok());
    if whole.is_none() {
        problems.at(path, format!("`{count}`"), "a whole number of at least 1", None);
    }
    whole
}
