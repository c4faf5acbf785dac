//! Parallelism: how one instance spreads a model over its chips.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PerfError;
use crate::model::{Attention, Model};

/// How one instance spreads a model over its chips. It has `tp · dp` chips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("x-aliases" = {"tensor_parallel_size": "tp", "tensor_parallel": "tp", "expert_parallel": "ep"}))]
pub struct Parallelism {
    /// Tensor parallelism: chips that share every layer. Divides the attention heads; at most one scale-up domain.
    #[schemars(range(min = 1, max = 1024))]
    pub tp: u32,
    /// Expert parallelism: 1 (each expert is split over the chips) or `tp · dp` (each chip has whole experts).
    #[schemars(range(min = 1, max = 1024))]
    pub ep: u32,
    /// Data parallelism of attention inside one instance, for mixture-of-experts models with `ep: tp · dp`; further copies of a model are
    /// further instances. The KV of a request lies on the `tp` chips of one group, so one handoff uses the network attachments of no more than
    /// these.
    #[schemars(range(min = 1, max = 1024))]
    pub dp: u32,
}

impl Default for Parallelism {
    fn default() -> Self {
        Self { tp: 1, ep: 1, dp: 1 }
    }
}

impl Parallelism {
    /// Tensor parallelism alone.
    pub fn tensor(tp: u32) -> Self {
        Self { tp, ..Self::default() }
    }

    /// Chips of one instance.
    pub const fn chips(&self) -> u32 {
        self.tp.saturating_mul(self.dp)
    }

    /// Checks that `model` can be spread like this.
    pub fn validate(&self, model: &Model) -> Result<(), PerfError> {
        let shape = model.architecture();
        for (key, value) in [("tp", self.tp), ("ep", self.ep), ("dp", self.dp)] {
            if !(1..=MOST_CHIPS).contains(&value) {
                return Err(PerfError::ParallelismRange { key, found: value, most: MOST_CHIPS });
            }
        }
        divides("tp", self.tp, "attention heads", shape.attention.heads(), model)?;
        if let Attention::Grouped { kv_heads, .. } = shape.attention
            && !kv_heads.is_multiple_of(self.tp)
            && !self.tp.is_multiple_of(kv_heads)
        {
            return Err(PerfError::KvHeads { tp: self.tp, kv_heads, model: model.name().to_owned() });
        }
        if shape.dense_layers() > 0 {
            divides("tp", self.tp, "columns of the dense feed-forward layers", shape.dense_intermediate.unwrap_or(self.tp), model)?;
        }
        let Some(experts) = shape.experts else {
            return if self.ep == 1 && self.dp == 1 {
                Ok(())
            } else {
                Err(PerfError::NoExperts { ep: self.ep, dp: self.dp, model: model.name().to_owned() })
            };
        };
        if self.ep == 1 && self.dp == 1 {
            return divides("tp", self.tp, "columns of an expert", experts.intermediate, model);
        }
        if self.ep != self.chips() {
            return Err(PerfError::ExpertSpread { ep: self.ep, tp: self.tp, dp: self.dp, chips: self.chips() });
        }
        divides("ep", self.ep, "routed experts", experts.routed, model)
    }

    /// Key-value heads that each chip holds: at least one, so they are replicated if `tp` exceeds them.
    pub(crate) fn kv_heads_per_chip(&self, kv_heads: u32) -> u32 {
        (kv_heads / self.tp).max(1)
    }

    /// Copies of the KV cache inside one tensor-parallel group: 1 if `tp` divides the KV heads, `tp / kv_heads` if it exceeds them, `tp`
    /// for latent attention, whose one vector every chip needs.
    pub fn kv_copies(&self, model: &Model) -> u32 {
        match model.architecture().attention {
            Attention::Grouped { kv_heads, .. } => self.kv_heads_per_chip(kv_heads) * self.tp / kv_heads,
            Attention::Latent { .. } => self.tp,
        }
    }
}

/// Largest accepted value of any dimension.
const MOST_CHIPS: u32 = 1 << 14;

fn divides(key: &'static str, parts: u32, what: &'static str, count: u32, model: &Model) -> Result<(), PerfError> {
    if count.is_multiple_of(parts) {
        return Ok(());
    }
    let divisors = (1..=count.min(1024)).filter(|d| count.is_multiple_of(*d)).collect();
    Err(PerfError::NotDivisible { key, found: parts, what, count, model: model.name().to_owned(), divisors })
}
