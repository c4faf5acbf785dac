//! Whether the link that carries KV caches reaches between its pools.

use crate::cluster::{PoolSpec, Role};
use crate::hardware::{Link, Node};

/// Warning if `link` joins only the chips inside one server (a switch of its own that ends there), while the pools of a model span more
/// than one.
pub(super) fn caution(link: Option<&Link>, pools: &[PoolSpec], nodes: &[Node]) -> Option<String> {
    let link = link?;
    let split = || pools.iter().zip(nodes).filter(|(pool, _)| pool.role != Role::Mixed);
    let beyond = |(pool, node): &(&PoolSpec, &Node)| {
        let of_model = || split().filter(|(other, _)| other.model == pool.model);
        let chips: u64 = of_model().map(|(other, _)| u64::from(other.instances) * u64::from(other.chips)).sum();
        let alike = of_model().all(|(_, other)| other.name == node.name);
        node.scale_up == link.name && (!alike || chips > u64::from(node.scale_up_chips))
    };
    let (_, node) = split().find(beyond)?;
    Some(format!(
        "KV caches travel over `{}`, which ends inside one `{}` of {} chips, between pools that fill more than one; `cluster.network.kv.link: {}` joins them",
        link.name, node.name, node.scale_up_chips, node.scale_out
    ))
}
