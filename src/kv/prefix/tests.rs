//! Segments and residues, worked out by hand.

use super::super::Blocks;
use super::*;

fn run(first: u64, count: u32) -> Piece {
    Piece { first, count, continues: false }
}

fn one(id: u64) -> Piece {
    run(id, 1)
}

fn lookup(cache: &PrefixCache, ids: &[u64]) -> u32 {
    let blocks = Blocks::from(ids);
    cache.lookup(blocks.pieces(0..blocks.len()))
}

fn segments(cache: &PrefixCache) -> Vec<(u64, u32, u32)> {
    cache.index.values().map(|&slot| cache.segment(slot)).map(|of| (of.first, of.count, of.holders)).collect()
}

#[test]
fn evicts_the_least_recently_released_first() {
    let mut cache = PrefixCache::new(4);
    for id in [10, 20, 30] {
        cache.hold_or_insert(one(id));
    }
    assert!(!cache.evict(1), "all are held");
    for id in [20, 10, 30] {
        cache.release(one(id), 0, &mut None);
    }
    assert_eq!(cache.hold(one(10)), 1, "a hold saves it from eviction");
    assert!(cache.evict(1));
    assert_eq!(lookup(&cache, &[20]), 0, "20 was released first");
    assert!(cache.evict(1));
    assert_eq!((lookup(&cache, &[30]), lookup(&cache, &[10])), (0, 1));
    assert!(!cache.evict(1));
}

#[test]
fn lookup_stops_at_the_first_miss() {
    let mut cache = PrefixCache::new(1);
    for id in [1, 3] {
        cache.hold_or_insert(one(id));
    }
    assert_eq!(lookup(&cache, &[1, 2, 3]), 1);
}

#[test]
fn segments_are_cut_where_holders_differ_and_joined_when_they_are_released() {
    let mut cache = PrefixCache::new(2);
    cache.hold_or_insert(run(1, 4));
    cache.hold_or_insert(Piece { continues: true, ..run(5, 6) });
    assert_eq!(segments(&cache), [(1, 10, 1)], "the next chunk of one prompt");
    assert_eq!(cache.hold(run(1, 3)), 3);
    cache.hold_or_insert(run(20, 2));
    assert_eq!(segments(&cache), [(1, 3, 2), (4, 7, 1), (20, 2, 1)]);
    cache.release(run(1, 10), 0, &mut None);
    assert_eq!((segments(&cache), cache.held()), (vec![(1, 3, 1), (4, 7, 0), (20, 2, 1)], 10));
    assert_eq!(cache.evictable_among([run(1, 6)].into_iter()), 6, "three groups of two blocks");
    // Three blocks take two groups, from the end.
    assert!(cache.evict(3));
    assert_eq!(lookup(&cache, &[1, 2, 3, 4, 5, 6, 7, 8, 9]), 8);
    cache.release(run(20, 2), 0, &mut None);
    cache.release(run(1, 3), 0, &mut None);
    assert_eq!(segments(&cache), [(1, 3, 0), (4, 5, 0), (20, 2, 0)], "others were used in between");
    assert_eq!((cache.hold(run(1, 8)), cache.held()), (8, 16));
    cache.release(run(1, 8), 0, &mut None);
    assert_eq!((segments(&cache), cache.blocks(), cache.held()), (vec![(1, 8, 0), (20, 2, 0)], 20, 0));
    // The middle of a segment that nobody holds.
    assert_eq!(cache.hold(run(3, 2)), 2);
    assert!((0..4).all(|_| cache.evict(u64::MAX)) || segments(&cache) == [(3, 2, 1)]);
    assert_eq!(segments(&cache), [(3, 2, 1)]);
}

#[test]
fn groups_and_residues_are_evicted_in_lru_order() {
    let mut cache = PrefixCache::new(4);
    for id in [10, 20] {
        cache.hold_or_insert(one(id));
    }
    cache.release(one(10), 0, &mut None);
    let first = cache.leave(3, 0);
    cache.release(one(20), 0, &mut None);
    let second = cache.leave(2, 0);
    assert_eq!((cache.blocks(), cache.held(), cache.residues()), (13, 0, 5));
    let seen = |cache: &PrefixCache| (lookup(cache, &[10]), cache.left(&first), lookup(cache, &[20]), cache.left(&second));
    let mut states = Vec::new();
    // Each step evicts at most one block of a residue; the last step allows nine, but only two are left.
    for blocks in [1, 1, 1, 1, 1, 9] {
        assert!(cache.evict(blocks));
        states.push(seen(&cache));
    }
    assert_eq!(states, [(0, 3, 1, 2), (0, 2, 1, 2), (0, 1, 1, 2), (0, 0, 1, 2), (0, 0, 0, 2), (0, 0, 0, 0)]);
    assert!(!cache.evict(1));
    cache.discard(first);
    cache.discard(second);
    assert_eq!((cache.blocks(), cache.entries.places()), (0, [4, 4]));
}

#[test]
fn discarding_a_residue_keeps_the_lru_order() {
    let mut cache = PrefixCache::new(1);
    let places: Vec<Place> = (1..=3).map(|blocks| cache.leave(blocks, 0)).collect();
    let [first, second, third] = places.try_into().unwrap();
    cache.discard(second);
    assert_eq!(cache.residues(), 4);
    assert!(cache.evict(9) && cache.evict(2));
    assert_eq!((cache.left(&first), cache.left(&third)), (0, 1));
}
