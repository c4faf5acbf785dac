//! Blocks of one instance: held by sequences, held through the prefix cache, evictable, free.
//!
//! Invariant: `private + held groups + evictable groups ≤ total`. Memory that only holds evictable groups counts as free.

use super::prefix::PrefixCache;

/// What one sequence holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Blocks of its own.
    pub private: u64,
    /// Leading groups of its prompt held in the prefix cache.
    pub groups: u32,
}

/// The KV memory of one instance.
#[derive(Debug, Clone)]
pub struct KvCache {
    total: u64,
    block_size: u32,
    /// KV blocks per group of the prefix cache; 0 if there is no prefix cache.
    group_blocks: u64,
    private: u64,
    prefix: PrefixCache,
}

impl KvCache {
    /// `total` blocks of `block_size` tokens. `group_tokens`: tokens that one prefix identity covers, a multiple of `block_size`, or
    /// 0 for no prefix cache.
    pub fn new(total: u64, block_size: u32, group_tokens: u32) -> Self {
        debug_assert!(block_size > 0 && group_tokens.is_multiple_of(block_size));
        Self { total, block_size, group_blocks: u64::from(group_tokens / block_size), private: 0, prefix: PrefixCache::default() }
    }

    /// All blocks.
    pub const fn total(&self) -> u64 {
        self.total
    }
    /// Tokens per block.
    pub const fn block_size(&self) -> u32 {
        self.block_size
    }
    /// Blocks held by sequences, alone or shared.
    pub fn used(&self) -> u64 {
        self.private + (self.prefix.len() - self.prefix.evictable()) * self.group_blocks
    }
    /// Blocks held by sequences alone.
    pub const fn private(&self) -> u64 {
        self.private
    }
    /// Blocks that can be had, by eviction if need be.
    pub fn free(&self) -> u64 {
        self.total - self.used()
    }
    /// Blocks that `tokens` occupy.
    pub const fn blocks(&self, tokens: u64) -> u64 {
        tokens.div_ceil(self.block_size as u64)
    }
    /// Tokens that `groups` identities cover.
    pub const fn group_tokens(&self, groups: u32) -> u64 {
        groups as u64 * self.group_blocks * self.block_size as u64
    }
    /// Whole groups within `tokens`.
    #[expect(clippy::cast_possible_truncation, reason = "tokens of one prompt are far below 2^32 groups")]
    pub const fn whole_groups(&self, tokens: u64) -> u32 {
        if self.group_blocks == 0 { 0 } else { (tokens / (self.group_blocks * self.block_size as u64)) as u32 }
    }

    /// Leading groups of `ids` that are cached, at most `most`.
    #[expect(clippy::cast_possible_truncation, reason = "at most `most`")]
    pub fn lookup(&self, ids: &[u64], most: u32) -> u32 {
        if self.group_blocks == 0 {
            return 0;
        }
        self.prefix.lookup(&ids[..ids.len().min(most as usize)]) as u32
    }

    /// True if a sequence can take a hold on `hit` cached groups of `ids` and `private` blocks besides.
    pub fn fits(&self, ids: &[u64], hit: u32, private: u64) -> bool {
        private + self.prefix.evictable_among(&ids[..hit as usize]) * self.group_blocks <= self.free()
    }

    /// Takes a hold on the first `hit` groups of `ids`, which `lookup` has just found.
    pub fn hold(&mut self, ids: &[u64], hit: u32, held: &mut Held) {
        for &id in &ids[..hit as usize] {
            let cached = self.prefix.hold(id);
            debug_assert!(cached, "held a group that is not cached");
        }
        held.groups = hit;
    }

    /// Takes `blocks` for a sequence, evicting what nobody holds. False, and nothing taken, if there are not enough.
    #[must_use]
    pub fn take(&mut self, blocks: u64) -> bool {
        if blocks > self.free() {
            return false;
        }
        self.private += blocks;
        while self.private + self.prefix.len() * self.group_blocks > self.total {
            let evicted = self.prefix.evict_oldest();
            debug_assert!(evicted, "free memory is evictable");
        }
        true
    }

    /// Gives back blocks of a sequence.
    pub fn give_back(&mut self, blocks: u64) {
        debug_assert!(blocks <= self.private, "gave back blocks that were not taken");
        self.private -= blocks;
    }

    /// Publishes the groups of `ids` that the first `tokens` computed tokens cover: the sequence's own blocks become shared ones.
    /// A group that somebody else published meanwhile is shared and the duplicate given back. True if there was any: those who wait for
    /// memory may need less now, or find more.
    pub fn publish(&mut self, ids: &[u64], tokens: u64, held: &mut Held) -> bool {
        let whole = (self.whole_groups(tokens) as usize).min(ids.len());
        let any = (held.groups as usize) < whole;
        while (held.groups as usize) < whole {
            let id = ids[held.groups as usize];
            if !self.prefix.hold(id) {
                self.prefix.insert_held(id);
            }
            self.private -= self.group_blocks;
            held.private -= self.group_blocks;
            held.groups += 1;
        }
        any
    }

    /// Gives back all that a sequence holds. Its last groups become evictable first, so that shared beginnings live longest.
    pub fn release(&mut self, ids: &[u64], held: &mut Held) {
        self.give_back(held.private);
        for &id in ids[..held.groups as usize].iter().rev() {
            self.prefix.release(id);
        }
        *held = Held::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_second_request_with_the_same_prefix_shares_the_blocks() {
        // 100 blocks of 16 tokens; identities cover 64 tokens = 4 blocks.
        let mut kv = KvCache::new(100, 16, 64);
        let ids = [7, 8, 9];
        let mut first = Held::default();
        assert!(kv.take(kv.blocks(200)));
        first.private = kv.blocks(200);
        assert_eq!(first.private, 13);
        kv.publish(&ids, 200, &mut first);
        assert_eq!((first.groups, first.private, kv.used()), (3, 1, 13));
        // The second finds 3 groups (192 tokens) and needs one block of its own.
        let hit = kv.lookup(&ids, 3);
        assert_eq!(hit, 3);
        let mut second = Held::default();
        assert!(kv.fits(&ids, hit, 1));
        kv.hold(&ids, hit, &mut second);
        assert!(kv.take(1));
        second.private = 1;
        assert_eq!(kv.used(), 14);
        kv.release(&ids, &mut first);
        assert_eq!(kv.used(), 13);
        kv.release(&ids, &mut second);
        assert_eq!((kv.used(), kv.free(), kv.lookup(&ids, 3)), (0, 100, 3));
    }

    #[test]
    fn unheld_prefixes_give_way_and_the_end_of_a_prompt_goes_first() {
        let mut kv = KvCache::new(10, 16, 64);
        let ids = [1, 2];
        let mut held = Held { private: 8, groups: 0 };
        assert!(kv.take(8));
        kv.publish(&ids, 128, &mut held);
        kv.release(&ids, &mut held);
        assert_eq!(kv.lookup(&ids, 2), 2);
        assert!(kv.take(4), "two blocks are free, two come from eviction");
        assert_eq!(kv.lookup(&ids, 2), 1, "the second group was evicted, the first kept");
        assert!(!kv.take(7));
        assert!(kv.take(6));
        assert_eq!(kv.lookup(&ids, 2), 0);
    }

    #[test]
    fn a_duplicate_computed_by_two_requests_is_kept_once() {
        let mut kv = KvCache::new(20, 16, 16);
        let ids = [5];
        let (mut a, mut b) = (Held { private: 1, groups: 0 }, Held { private: 1, groups: 0 });
        assert!(kv.take(2));
        kv.publish(&ids, 16, &mut a);
        kv.publish(&ids, 16, &mut b);
        assert_eq!(kv.used(), 1);
        kv.release(&ids, &mut a);
        assert_eq!(kv.used(), 1, "b still holds it");
        kv.release(&ids, &mut b);
        assert_eq!(kv.used(), 0);
    }

    proptest! {
        /// Whatever the order of arrivals and departures: used + free = total, no more is taken than there is, and an empty house is empty.
        #[test]
        fn blocks_are_conserved(steps in proptest::collection::vec((0usize..6, 1u64..200, 0u64..4), 1..200)) {
            let mut kv = KvCache::new(40, 16, 32);
            let mut guests: Vec<Option<(Vec<u64>, Held)>> = vec![None; 6];
            for (who, tokens, family) in steps {
                if let Some((ids, mut held)) = guests[who].take() {
                    kv.release(&ids, &mut held);
                } else {
                    let ids: Vec<u64> = (0..tokens / 32).map(|i| family * 1000 + i).collect();
                    let most = kv.whole_groups(tokens - 1);
                    let hit = kv.lookup(&ids, most);
                    let need = kv.blocks(tokens) - kv.blocks(kv.group_tokens(hit));
                    if kv.fits(&ids, hit, need) {
                        let mut held = Held::default();
                        kv.hold(&ids, hit, &mut held);
                        prop_assert!(kv.take(need));
                        held.private = need;
                        kv.publish(&ids, tokens, &mut held);
                        guests[who] = Some((ids, held));
                    }
                }
                prop_assert_eq!(kv.used() + kv.free(), kv.total());
                let private: u64 = guests.iter().flatten().map(|(_, held)| held.private).sum();
                prop_assert_eq!(private, kv.private());
            }
            for guest in &mut guests {
                if let Some((ids, mut held)) = guest.take() {
                    kv.release(&ids, &mut held);
                }
            }
            prop_assert_eq!(kv.used(), 0);
        }
    }
}
