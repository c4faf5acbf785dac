//! The store against examples worked out by hand, and against a plain list of single blocks.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

#[test]
fn a_second_request_with_the_same_prefix_shares_the_blocks() {
    // 100 blocks of 16 tokens; identities cover 64 tokens = 4 blocks.
    let mut kv = KvStore::new(100, 16, Some(64)).unwrap();
    let ids = Blocks::from([7, 8, 9].as_slice());
    let mut first = kv.lease(&ids, 0, kv.blocks(200)).unwrap();
    assert_eq!(first.own(), 13);
    kv.publish(&ids, 200, &mut first);
    assert_eq!((first.groups(), first.own(), kv.used()), (3, 1, 13));
    // The second finds 3 groups (192 tokens) and needs one block of its own.
    let hit = kv.lookup(&ids, 3);
    assert_eq!(hit, 3);
    let second = kv.lease(&ids, hit, 1).unwrap();
    assert_eq!((second.own(), kv.used()), (1, 14));
    kv.release(&ids, first, None);
    assert_eq!(kv.used(), 13);
    kv.release(&ids, second, None);
    assert_eq!((kv.used(), kv.free(), kv.lookup(&ids, 3)), (0, 100, 3));
}

#[test]
fn unheld_prefixes_are_evicted_from_the_end_of_the_prompt() {
    let mut kv = KvStore::new(10, 16, Some(64)).unwrap();
    let ids = Blocks::from([1, 2].as_slice());
    let mut lease = kv.lease(&ids, 0, 8).unwrap();
    kv.publish(&ids, 128, &mut lease);
    kv.release(&ids, lease, None);
    assert_eq!(kv.lookup(&ids, 2), 2);
    let mut lease = Lease::default();
    assert!(kv.grow(&mut lease, 4), "two blocks are free, two come from eviction");
    assert_eq!(kv.lookup(&ids, 2), 1, "the second group was evicted, the first kept");
    assert!(!kv.grow(&mut lease, 7));
    assert!(kv.grow(&mut lease, 6));
    assert_eq!(kv.lookup(&ids, 2), 0);
    assert_eq!(kv.lease(&ids, 0, 1), None);
}

#[test]
fn a_duplicate_computed_by_two_requests_is_kept_once() {
    let mut kv = KvStore::new(20, 16, Some(16)).unwrap();
    let ids = Blocks::from([5].as_slice());
    let (mut a, mut b) = (kv.lease(&ids, 0, 1).unwrap(), kv.lease(&ids, 0, 1).unwrap());
    kv.publish(&ids, 16, &mut a);
    kv.publish(&ids, 16, &mut b);
    assert_eq!(kv.used(), 1);
    kv.release(&ids, a, None);
    assert_eq!(kv.used(), 1, "b still holds it");
    kv.release(&ids, b, None);
    assert_eq!(kv.used(), 0);
}

#[test]
fn pooled_blocks_go_to_the_lease_of_a_leaving_sequence() {
    let mut kv = KvStore::new(10, 16, None).unwrap();
    let (mut a, b) = (kv.lease(&Blocks::default(), 0, 2).unwrap(), kv.lease(&Blocks::default(), 0, 3).unwrap());
    assert!(kv.grow_pooled(4));
    assert!(!kv.grow_pooled(2));
    kv.settle(&mut a, 5);
    assert_eq!((a.own(), kv.pooled(), kv.private()), (5, 1, 9));
    kv.release(&Blocks::default(), a, None);
    kv.release(&Blocks::default(), b, None);
    assert_eq!((kv.used(), kv.pooled()), (1, 1));
}

#[test]
fn inconsistent_sizes_are_refused() {
    assert_eq!(KvStore::new(10, 0, None).unwrap_err(), KvError::NoBlockSize);
    let error = KvStore::new(10, 16, Some(40)).unwrap_err();
    assert_eq!(error.to_string(), "found prefixes in steps of 40 tokens, expected a multiple of the KV block size 16");
}

#[test]
fn a_preempted_sequence_finds_its_full_blocks_until_they_are_evicted() {
    let mut kv = KvStore::new(14, 16, Some(0)).unwrap();
    let (mut first, second) = (kv.lease(&Blocks::default(), 0, 7).unwrap(), kv.lease(&Blocks::default(), 0, 7).unwrap());
    assert!(!kv.grow(&mut first, 1));
    // 109 tokens: six full blocks, and 13 tokens in the seventh, which cannot be found again.
    let residue = kv.retire(&Blocks::default(), second, 109, None).unwrap();
    assert_eq!((kv.used(), kv.free(), kv.taken(), kv.found_again(&residue, 0)), (7, 7, 13, 6));
    for (taken, left) in [(1, 6), (1, 5), (2, 3)] {
        assert!(kv.grow(&mut first, taken));
        assert_eq!((kv.found_again(&residue, 0), kv.taken()), (left, 14));
    }
    assert_eq!(kv.found_tokens(0, 3), 48);
    // It needs seven blocks, of which three are in its residue: all of them count as free memory.
    assert!(!kv.fits(&Blocks::default(), 0, 7) && kv.fits(&Blocks::default(), 0, 3));
    kv.release(&Blocks::default(), first, None);
    assert!(kv.fits(&Blocks::default(), 0, 14) && !kv.fits(&Blocks::default(), 0, 15), "the residue is not counted twice");
    kv.discard(residue);
    let second = kv.lease(&Blocks::default(), 0, 7).unwrap();
    assert_eq!((kv.used(), kv.taken(), kv.residues()), (7, 7, 0));
    kv.release(&Blocks::default(), second, None);
}

#[test]
fn no_residue_without_a_prefix_cache_or_a_full_block() {
    for (caching, tokens) in [(None, 100), (Some(0), 15)] {
        let mut kv = KvStore::new(10, 16, caching).unwrap();
        let lease = kv.lease(&Blocks::default(), 0, kv.blocks(tokens)).unwrap();
        assert_eq!(kv.retire(&Blocks::default(), lease, tokens, None), None);
        assert_eq!((kv.taken(), kv.free()), (0, 10));
    }
}

#[test]
fn a_residue_is_evicted_before_its_groups() {
    let mut kv = KvStore::new(12, 16, Some(64)).unwrap();
    let ids = Blocks::from([1, 2].as_slice());
    let mut lease = kv.lease(&ids, 0, 11).unwrap();
    kv.publish(&ids, 128, &mut lease);
    // 170 tokens: two groups of four blocks, two full blocks, one that is not.
    let residue = kv.retire(&ids, lease, 170, None).unwrap();
    let mut other = Lease::default();
    let mut states = Vec::new();
    for blocks in [2, 1, 1, 1, 3, 1] {
        assert!(kv.grow(&mut other, blocks));
        states.push((kv.lookup(&ids, 2), kv.left_of(&residue)));
    }
    assert_eq!(states, [(2, 2), (2, 1), (2, 0), (1, 0), (1, 0), (0, 0)]);
    kv.discard(residue);
    kv.release(&Blocks::default(), other, None);
}

#[test]
fn groups_published_by_another_request_replace_a_residue() {
    let mut kv = KvStore::new(20, 16, Some(64)).unwrap();
    let ids = Blocks::from([1, 2].as_slice());
    let mut lease = kv.lease(&ids, 0, 7).unwrap();
    kv.publish(&ids, 112, &mut lease);
    let residue = kv.retire(&ids, lease, 112, None).unwrap();
    assert_eq!((kv.lookup(&ids, 2), kv.found_again(&residue, 1)), (1, 3));
    let mut other = kv.lease(&ids, 1, 4).unwrap();
    kv.publish(&ids, 128, &mut other);
    let hit = kv.lookup(&ids, 2);
    assert_eq!((hit, kv.found_again(&residue, hit), kv.left_of(&residue)), (2, 0, 3));
    kv.discard(residue);
    kv.release(&ids, other, None);
}

/// Texts that begin alike and go on differently: identity of the block at a position.
fn branch(family: u64, position: u64) -> u64 {
    if position < family { position } else { family * 1000 + position }
}

proptest! {
    /// In any order of arrivals and departures: used + free = total, and a store without leases is empty.
    #[test]
    fn blocks_are_conserved(steps in proptest::collection::vec((0usize..6, 1u32..200, 0u64..4), 1..200)) {
        let mut kv = KvStore::new(40, 16, Some(32)).unwrap();
        let mut guests: Vec<Option<(Blocks, Lease)>> = (0..6).map(|_| None).collect();
        for (who, tokens, family) in steps {
            if let Some((ids, lease)) = guests[who].take() {
                kv.release(&ids, lease, None);
            } else {
                let ids: Blocks = (0..u64::from(tokens) / 32).map(|i| branch(family, i)).collect();
                let most = kv.whole_groups(tokens - 1);
                let hit = kv.lookup(&ids, most);
                let need = kv.own_blocks(tokens.into(), hit);
                prop_assert_eq!(need, kv.blocks(tokens.into()) - kv.blocks(kv.group_tokens(hit).into()));
                if let Some(mut lease) = kv.lease(&ids, hit, need) {
                    kv.publish(&ids, tokens, &mut lease);
                    guests[who] = Some((ids, lease));
                }
            }
            prop_assert_eq!(kv.used() + kv.free(), kv.total());
            let private: u64 = guests.iter().flatten().map(|(_, lease)| lease.own()).sum();
            prop_assert_eq!(private, kv.private());
        }
        for guest in &mut guests {
            if let Some((ids, lease)) = guest.take() {
                kv.release(&ids, lease, None);
            }
        }
        prop_assert_eq!(kv.used(), 0);
    }
}

/// A plain store: evictable blocks and groups in LRU order, one by one.
#[derive(Default)]
struct Plain {
    order: VecDeque<Item>,
    /// Cached groups and their holders.
    groups: BTreeMap<u64, u32>,
    private: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Item {
    Group(u64),
    /// A block in the residue of this guest.
    Block(usize),
}

const TOTAL: u64 = 40;
const GROUP: u64 = 2;

impl Plain {
    fn taken(&self) -> u64 {
        self.private + GROUP * self.groups.len() as u64 + self.order.iter().filter(|item| matches!(item, Item::Block(_))).count() as u64
    }
    fn lookup(&self, ids: &[u64], most: u32) -> usize {
        ids.iter().take(most as usize).take_while(|id| self.groups.contains_key(id)).count()
    }
    fn left(&self, guest: usize) -> u64 {
        self.order.iter().filter(|&&item| item == Item::Block(guest)).count() as u64
    }
    fn hold(&mut self, id: u64) {
        *self.groups.entry(id).or_default() += 1;
        self.order.retain(|&item| item != Item::Group(id));
    }
    fn take(&mut self, blocks: u64) {
        self.private += blocks;
        while self.taken() > TOTAL {
            if let Some(Item::Group(id)) = self.order.pop_front() {
                self.groups.remove(&id);
            }
        }
    }
    /// Releases a guest's memory and keeps `blocks` of it as a residue.
    fn release(&mut self, guest: usize, ids: &[u64], own: u64, blocks: u64) {
        self.private -= own;
        self.order.extend((0..blocks).map(|_| Item::Block(guest)));
        for &id in ids.iter().rev() {
            let holders = self.groups.get_mut(&id).unwrap();
            *holders -= 1;
            if *holders == 0 {
                self.order.push_back(Item::Group(id));
            }
        }
    }
}

#[derive(Default)]
struct Guest {
    ids: Vec<u64>,
    blocks: Blocks,
    prompt: u32,
    computed: u32,
    lease: Option<Lease>,
    residue: Option<Residue>,
}

/// A guest takes memory for `computed` tokens and one more, using cached groups and its residue; false if there is too little.
fn start(kv: &mut KvStore, plain: &mut Plain, who: usize, guest: &mut Guest) -> bool {
    let most = kv.whole_groups(guest.computed.min(guest.prompt));
    let hit = kv.lookup(&guest.blocks, most);
    assert_eq!(hit as usize, plain.lookup(&guest.ids, most));
    let left = guest.residue.as_ref().map_or(0, |residue| kv.found_again(residue, hit));
    assert!(left == 0 || left == plain.left(who));
    assert!(kv.found_tokens(hit, left) <= guest.computed, "one token is computed");
    let need = kv.own_blocks(u64::from(guest.computed) + 1, hit);
    if !kv.fits(&guest.blocks, hit, need) {
        return false;
    }
    if let Some(residue) = guest.residue.take() {
        kv.discard(residue);
        plain.order.retain(|&item| item != Item::Block(who));
    }
    let mut lease = kv.lease(&guest.blocks, hit, need).unwrap();
    guest.ids[..hit as usize].iter().for_each(|&id| plain.hold(id));
    plain.take(need);
    guest.computed += 1;
    for &id in guest.ids.iter().take(kv.whole_groups(guest.computed.min(guest.prompt)) as usize).skip(hit as usize) {
        plain.hold(id);
        plain.private -= GROUP;
    }
    kv.publish(&guest.blocks, guest.computed.min(guest.prompt), &mut lease);
    guest.lease = Some(lease);
    true
}

proptest! {
    /// Sequences arrive, grow, are preempted, resume and leave: cached groups and residues agree with a list of single blocks, the store
    /// never overflows, and evicted blocks are never found.
    #[test]
    fn residues_agree_with_a_list_of_blocks(steps in proptest::collection::vec((0usize..6, 2u32..200, 0u64..4, 0u32..4), 1..300)) {
        let mut kv = KvStore::new(TOTAL, 16, Some(32)).unwrap();
        let mut plain = Plain::default();
        let mut guests: Vec<Option<Guest>> = (0..6).map(|_| None).collect();
        for (who, tokens, family, what) in steps {
            let mut guest = guests[who].take();
            guests[who] = match (guest.take(), what) {
                (None, _) => {
                    let ids: Vec<u64> = (0..u64::from(tokens) / 32).filter(|_| family > 0).map(|i| branch(family, i)).collect();
                    let mut guest = Guest { blocks: ids.as_slice().into(), ids, prompt: tokens, computed: tokens - 1, ..Guest::default() };
                    start(&mut kv, &mut plain, who, &mut guest).then_some(guest)
                }
                (Some(mut guest), 0) => {
                    if let Some(lease) = guest.lease.take() {
                        plain.release(who, &guest.ids[..lease.groups() as usize], lease.own(), 0);
                        kv.release(&guest.blocks, lease, None);
                    }
                    if let Some(residue) = guest.residue.take() {
                        plain.order.retain(|&item| item != Item::Block(who));
                        kv.discard(residue);
                    }
                    None
                }
                (Some(mut guest), 1) if guest.lease.is_some() => {
                    let lease = guest.lease.take().unwrap();
                    let groups = lease.groups();
                    let full = u64::from(guest.computed) / 16 - u64::from(groups) * GROUP;
                    plain.release(who, &guest.ids[..groups as usize], lease.own(), full);
                    guest.residue = kv.retire(&guest.blocks, lease, guest.computed.into(), None);
                    prop_assert_eq!(guest.residue.is_some(), full > 0);
                    Some(guest)
                }
                (Some(mut guest), _) => {
                    if let Some(lease) = &mut guest.lease {
                        let more = u64::from(tokens / 64);
                        if kv.grow(lease, more) {
                            plain.take(more);
                            guest.computed += u32::try_from(more).unwrap() * 16;
                        }
                    } else {
                        start(&mut kv, &mut plain, who, &mut guest);
                    }
                    Some(guest)
                }
            };
            prop_assert_eq!(kv.used() + kv.free(), kv.total());
            prop_assert_eq!((kv.private(), kv.taken()), (plain.private, plain.taken()));
            prop_assert!(kv.taken() <= kv.total());
            let mut left = 0;
            for (who, guest) in guests.iter().enumerate() {
                let Some(guest) = guest else { continue };
                let residue = guest.residue.as_ref().map_or(0, |residue| kv.left_of(residue));
                prop_assert_eq!(residue, plain.left(who));
                left += residue;
            }
            prop_assert_eq!(left, kv.residues());
        }
    }
}
