//! The matrices of a model by the names that checkpoints give them, so that lists of names decide their number formats.

use super::super::{Architecture, Attention, Part};

/// A matrix of the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matrix {
    pub(super) part: Part,
    pub(super) parameters: u64,
    /// Its names, as `model.layers.0.self_attn.q_proj`: families and releases differ, and engines fuse projections.
    pub(super) names: Vec<String>,
}

/// Names of the feed-forward projections: separate, fused, and those of Mixtral.
const GATE: &[&str] = &["gate_proj", "gate_up_proj", "w1"];
const UP: &[&str] = &["up_proj", "gate_up_proj", "w3"];
const DOWN: &[&str] = &["down_proj", "w2"];

/// Matrices that can have formats of their own; `mlp` is the module of the feed-forward part. Of the routed experts of a layer, one stands for all:
/// lists treat them alike.
pub(super) fn matrices(architecture: &Architecture, mlp: &str) -> Vec<Matrix> {
    let hidden = u64::from(architecture.hidden);
    let mut out = Vec::new();
    for layer in 0..architecture.layers {
        for (name, parameters) in attention(architecture) {
            let fused = matches!(name, "q_proj" | "k_proj" | "v_proj").then_some("qkv_proj");
            let names = std::iter::once(name).chain(fused).map(|name| format!("model.layers.{layer}.self_attn.{name}")).collect();
            out.push(Matrix { part: Part::Attention, parameters, names });
        }
        let mut projections = |part, inside: &[&str], parameters| {
            for projection in [GATE, UP, DOWN] {
                let mut names = Vec::new();
                for inside in inside {
                    names.extend(projection.iter().map(|name| format!("model.layers.{layer}.{mlp}{inside}.{name}")));
                }
                out.push(Matrix { part, parameters, names });
            }
        };
        match architecture.experts {
            Some(experts) if layer >= experts.first_dense_layers => {
                let routed = u64::from(experts.routed) * hidden * u64::from(experts.intermediate);
                projections(Part::Experts, &[".experts.0", ".experts"], routed);
                if experts.shared > 0 {
                    let shared = hidden * u64::from(experts.shared_width());
                    projections(Part::SharedExperts, &[".shared_experts", ".shared_expert"], shared);
                }
            }
            _ => projections(Part::Dense, &[""], hidden * u64::from(architecture.dense_intermediate.unwrap_or_default())),
        }
    }
    if !architecture.tied_embeddings {
        let names = vec!["lm_head".to_owned()];
        out.push(Matrix { part: Part::Head, parameters: u64::from(architecture.vocab) * hidden, names });
    }
    out
}

/// The projections of one attention layer, with their parameters.
fn attention(architecture: &Architecture) -> Vec<(&'static str, u64)> {
    let hidden = u64::from(architecture.hidden);
    match architecture.attention {
        Attention::Grouped { heads, kv_heads, head_dim } => {
            let (query, kv) = (hidden * u64::from(heads * head_dim), hidden * u64::from(kv_heads * head_dim));
            vec![("q_proj", query), ("k_proj", kv), ("v_proj", kv), ("o_proj", query)]
        }
        Attention::Latent { heads, q_lora, kv_lora, nope, rope, value } => {
            let [heads, kv_lora, nope, rope, value] = [heads, kv_lora, nope, rope, value].map(u64::from);
            let query = heads * (nope + rope);
            let mut out = match q_lora.map(u64::from) {
                Some(rank) => vec![("q_a_proj", hidden * rank), ("q_b_proj", rank * query)],
                None => vec![("q_proj", hidden * query)],
            };
            out.extend([
                ("kv_a_proj_with_mqa", hidden * (kv_lora + rope)),
                ("kv_b_proj", kv_lora * heads * (nope + value)),
                ("o_proj", heads * value * hidden),
            ]);
            out
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::catalogue;
    use super::*;

    /// Together with what always stays in 16 bits, the matrices are all parameters but biases and sinks.
    #[test]
    fn matrices_are_all_that_is_quantized() {
        for name in catalogue::names() {
            let architecture = catalogue::find(name).unwrap().architecture;
            let count = architecture.parameters();
            for part in Part::ALL {
                let all: u64 =
                    matrices(&architecture, "mlp").iter().filter(|matrix| matrix.part == part).map(|matrix| matrix.parameters).sum();
                let counted = count.part(part);
                assert!(all <= counted && (counted - all) * 200 <= counted, "{name} {part:?}: {all} of {counted}");
            }
        }
    }
}
