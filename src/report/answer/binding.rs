//! The bottleneck: the network, a pool's memory, a pool's time, or none.
//!
//! Owns: the choice of the bottleneck, and its wording. Must not know: limits.

use super::super::number::{gauge, percent, share};
use super::super::text::shortened;
use super::NAME;
use crate::cluster::Role;
use crate::metrics::{PoolSummary, Summary};

/// Number of pools whose load is shown if none is at its limit.
const SHOWN: usize = 3;

/// The pool that delays requests: one whose KV memory is full, otherwise the one with the longest queue.
pub(in crate::report) fn binding_pool(pools: &[PoolSummary]) -> Option<&PoolSummary> {
    let full = pools.iter().filter(|pool| pool.is_full()).max_by(|a, b| a.kv_utilization_mean.total_cmp(&b.kv_utilization_mean));
    let waiting = |a: &&PoolSummary, b: &&PoolSummary| a.waiting_per_instance().total_cmp(&b.waiting_per_instance());
    full.or_else(|| pools.iter().filter(|pool| pool.is_queued_for()).max_by(waiting))
}

/// The bottleneck, if any: the network comes before the memory that fills while KV transfers wait for it.
pub(super) fn bottleneck(summary: &Summary) -> Option<String> {
    if let Some(frontend) = summary.frontends.iter().find(|frontend| frontend.is_saturated()) {
        let (name, busy) = (shortened(&frontend.name, NAME), percent(frontend.utilization));
        let waiting = gauge(frontend.queue_mean);
        return Some(format!("the bottleneck is {name}: its workers are busy {busy} of the time, {waiting} requests wait on average"));
    }
    if let Some(share) = summary.network.peak_port_utilization.filter(|_| summary.network.is_full()) {
        return Some(format!("the bottleneck is the KV network: its busiest port uses {} of its bandwidth", percent(share)));
    }
    if summary.handoff.is_blocked() {
        let (share, waiting) = (percent(summary.handoff.blocked_share), gauge(summary.handoff.waiting_mean));
        let full = summary.pools.iter().find(|pool| pool.role == Role::Decode && pool.is_batch_full());
        let what = full.map_or_else(
            || "KV memory for decode: requests wait for it".to_owned(),
            |pool| {
                format!("`max_num_seqs: {}` of {}: requests wait for a place in its batch", pool.max_num_seqs, shortened(&pool.name, NAME))
            },
        );
        return Some(format!("the bottleneck is {what} {share} of the time, {waiting} on average"));
    }
    let pool = binding_pool(&summary.pools)?;
    let name = shortened(&pool.name, NAME);
    Some(if pool.is_full() {
        format!("the bottleneck is the KV memory of {name}: {} in use on average", percent(pool.kv_utilization_mean))
    } else {
        format!("the bottleneck is {name}: {} requests wait for it on average, it {}", gauge(pool.queue_mean), load(pool))
    })
}

/// Load of the pools relative to their limits.
pub(super) fn loads(pools: &[PoolSummary]) -> Option<String> {
    let mut tightest: Vec<&PoolSummary> = pools.iter().collect();
    if tightest.len() > SHOWN {
        tightest.sort_by(|a, b| b.utilization.total_cmp(&a.utilization));
    }
    let loads: Vec<String> = tightest.iter().take(SHOWN).map(|pool| format!("{} {}", shortened(&pool.name, NAME), load(pool))).collect();
    (!loads.is_empty()).then(|| format!("no pool is at its limit: {}", loads.join(", ")))
}

/// Load of a pool. For prefill this is the busy share; decode is busy even with a single sequence, so its batch is more informative.
fn load(pool: &PoolSummary) -> String {
    match pool.batch_while_computing() {
        Some(batch) if pool.role != Role::Prefill => {
            let batch = gauge(batch);
            let sequences = if batch == "1.00" { "sequence" } else { "sequences" };
            let kv = share(pool.kv_utilization_mean);
            let most = if pool.is_batch_full() { " (the limit of `max_num_seqs`)" } else { "" };
            format!("runs {batch} {sequences} at a time{most}{} in {kv} of its KV memory", reached(pool))
        }
        _ => format!("computes {} of the time{}", percent(pool.utilization), reached(pool)),
    }
}

/// The peak closest to being reached.
fn reached(pool: &PoolSummary) -> String {
    match (pool.mfu, pool.mbu) {
        (Some(mfu), Some(mbu)) if mbu < mfu => format!(" at {} of peak arithmetic", percent(mfu)),
        (_, Some(mbu)) => format!(" at {} of memory bandwidth", percent(mbu)),
        (Some(mfu), None) => format!(" at {} of peak arithmetic", percent(mfu)),
        (None, None) => String::new(),
    }
}
