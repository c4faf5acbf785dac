//! Releases of KV memory: what stays cached, and how long, says the eviction policy of the instance.

use super::instance::Instance;
use super::request::Request;
use super::world::World;
use crate::cluster::ids::{InstanceId, Slot};
use crate::cluster::observe::Observer;
use crate::kv::{Freed, KvStore, Lease, Ranks};
use crate::policy::{Released, RequestView};

impl Request {
    /// Ends its residue: it takes the blocks over with the memory for its first chunk, or leaves.
    pub(super) fn discard_residue(&mut self, kv: &mut KvStore) {
        if let Some(residue) = self.progress.residue.take() {
            kv.discard(residue);
        }
    }
}

/// Releases the KV memory of a request and its residue on its instance.
pub(super) fn give_back<O: Observer>(world: &mut World<O>, slot: Slot) {
    let request = &mut world.requests[slot];
    let (id, held) = (request.progress.instance, std::mem::take(&mut request.progress.held));
    release(world, id, slot, held);
    world.requests[slot].discard_residue(&mut world.fleet.instances[id].kv);
}

/// Releases blocks that a request holds on an instance.
pub(super) fn release<O: Observer>(world: &mut World<O>, id: InstanceId, slot: Slot, lease: Lease) {
    ranked(world, id, slot, |kv, request, ranks| kv.release(&request.ask.blocks, lease, ranks));
}

/// Releases the KV memory of a preempted request on its instance; with a prefix cache, full blocks remain as a residue.
pub(super) fn retire<O: Observer>(world: &mut World<O>, slot: Slot) {
    let request = &mut world.requests[slot];
    debug_assert!(request.progress.residue.is_none(), "a running sequence has no residue");
    let (id, held) = (request.progress.instance, std::mem::take(&mut request.progress.held));
    let computed = std::mem::take(&mut request.progress.computed).into();
    let residue = ranked(world, id, slot, |kv, request, ranks| kv.retire(&request.ask.blocks, held, computed, ranks));
    world.requests[slot].progress.residue = residue;
}

/// Changes the memory of an instance for a request; what becomes evictable is ranked by the policy of the instance, if it has one.
fn ranked<O: Observer, T>(
    world: &mut World<O>,
    id: InstanceId,
    slot: Slot,
    change: impl FnOnce(&mut KvStore, &Request, Ranks<'_>) -> T,
) -> T {
    let now = world.now();
    let World { fleet, requests, classes, .. } = world;
    let (Instance { rules, kv, .. }, request) = (&mut fleet.instances[id], &requests[slot]);
    let Some(policy) = &mut rules.eviction else { return change(kv, request, None) };
    let view: RequestView<'_> = request.view(now, &request.ask.blocks, &classes[request.ask.class]);
    let tokens = |groups: u32| groups * view.block_tokens;
    let mut rank = |freed: &Freed| {
        let Freed { before, groups, uses, previous } = *freed;
        policy.rank(&Released { request: view, before: tokens(before), tokens: tokens(groups), uses, previous })
    };
    change(kv, request, Some(&mut rank))
}
