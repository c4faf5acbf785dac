//! KV blocks of one instance: held by sequences, shared through the prefix cache, evictable, free.
//!
//! A sequence holds its blocks through a [`Lease`], which only the store creates and takes back. Sequences in a decode batch take their
//! blocks together, so that an iteration costs the same whatever the batch: these blocks are *pooled* until a sequence leaves the batch and
//! its part moves into its lease.
//!
//! A preempted sequence leaves a [`Residue`]: full blocks that only that sequence can find again, until they are evicted. The rules are
//! those of vLLM v1 (`vllm/v1/core`): blocks keep their hashes when a preempted request frees them, the last one first
//! (`SingleTypeKVCacheManager.free`), and a starting request takes the longest run of cached full blocks from the first on that leaves at
//! least one token to compute (`KVCacheManager.get_computed_blocks`). Unlike there, blocks that no request can find again are reused before
//! all others.
//!
//! Invariant: `leased + pooled + held groups + evictable groups + residues ≤ total`. Evictable groups and residues count as free memory.

use thiserror::Error;

use super::blocks::Blocks;
use super::index::{Member, SharedIndex};
use super::prefix::{Freed, Place, PrefixCache, Ranks};

/// Blocks held by a sequence in one store. Neither copied nor cloned: it is returned to the store that created it.
#[derive(Debug, PartialEq, Eq, Default)]
#[must_use]
pub struct Lease {
    /// Unshared blocks.
    own: u64,
    /// Leading groups of its prompt held in the prefix cache.
    groups: u32,
}

impl Lease {
    /// Unshared blocks.
    pub const fn own(&self) -> u64 {
        self.own
    }
    /// Leading groups of the prompt held in the prefix cache.
    pub const fn groups(&self) -> u32 {
        self.groups
    }
    /// True if nothing is held.
    pub const fn is_empty(&self) -> bool {
        self.own == 0 && self.groups == 0
    }
}

/// Cached blocks of a preempted sequence, behind the leading groups that it held. Neither copied nor cloned: it is returned to the store
/// that created it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Residue {
    place: Place,
    /// Leading groups of its prompt before these blocks.
    groups: u32,
}

/// Invalid parameters of a store: user error, found when the cluster is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KvError {
    /// A block size of zero tokens.
    #[error("found a KV block size of 0 tokens, expected at least 1")]
    NoBlockSize,
    /// A group that is not a whole number of blocks.
    #[error("found prefixes in steps of {group_tokens} tokens, expected a multiple of the KV block size {block_size}")]
    Group {
        /// Tokens that one prefix identity covers.
        group_tokens: u32,
        /// Tokens per block.
        block_size: u32,
    },
}

/// The KV memory of one instance.
#[derive(Debug)]
pub struct KvStore {
    total: u64,
    block_size: u32,
    /// Tokens per group of the prefix cache; 0 without identities or without a prefix cache.
    group_tokens: u32,
    /// True with a prefix cache.
    caching: bool,
    leased: u64,
    pooled: u64,
    prefix: PrefixCache,
}

impl KvStore {
    /// A store of `total` blocks of `block_size` tokens (≥ 1). `group_tokens`: tokens that one prefix identity covers, a multiple of
    /// `block_size`, or 0 if prompts have no identities; `None` for no prefix cache.
    ///
    /// # Errors
    /// [`KvError`] if the sizes are inconsistent.
    pub fn new(total: u64, block_size: u32, group_tokens: Option<u32>) -> Result<Self, KvError> {
        let caching = group_tokens.is_some();
        let group_tokens = group_tokens.unwrap_or_default();
        let group_blocks = group_tokens.checked_div(block_size).ok_or(KvError::NoBlockSize)?;
        if !group_tokens.is_multiple_of(block_size) {
            return Err(KvError::Group { group_tokens, block_size });
        }
        let prefix = PrefixCache::new(group_blocks.into());
        Ok(Self { total, block_size, group_tokens, caching, leased: 0, pooled: 0, prefix })
    }

    /// All blocks.
    pub const fn total(&self) -> u64 {
        self.total
    }
    /// Blocks held by sequences, shared or not.
    pub fn used(&self) -> u64 {
        self.private() + self.prefix.held()
    }
    /// Unshared blocks held by sequences.
    pub const fn private(&self) -> u64 {
        self.leased + self.pooled
    }
    /// Unshared blocks in no lease.
    pub const fn pooled(&self) -> u64 {
        self.pooled
    }
    /// Blocks of residues.
    pub const fn residues(&self) -> u64 {
        self.prefix.residues()
    }
    /// Blocks that are held or cached.
    pub fn taken(&self) -> u64 {
        self.private() + self.prefix.blocks()
    }
    /// Blocks available, by eviction if necessary.
    pub fn free(&self) -> u64 {
        self.total - self.used()
    }
    /// Blocks that `tokens` occupy.
    pub const fn blocks(&self, tokens: u64) -> u64 {
        tokens.div_ceil(self.block_size as u64)
    }
    /// Tokens that `groups` identities cover.
    pub const fn group_tokens(&self, groups: u32) -> u32 {
        groups * self.group_tokens
    }
    /// Tokens that `groups` identities and `left` residue blocks behind them cover.
    #[expect(clippy::cast_possible_truncation, reason = "tokens of a sequence, which are 32 bits")]
    pub const fn found_tokens(&self, groups: u32, left: u64) -> u32 {
        self.group_tokens(groups) + left as u32 * self.block_size
    }
    /// Whole groups within `tokens`.
    pub const fn whole_groups(&self, tokens: u32) -> u32 {
        match tokens.checked_div(self.group_tokens) {
            Some(groups) => groups,
            None => 0,
        }
    }
    /// Unshared blocks of a sequence of `tokens` behind its leading shared `groups`.
    pub const fn own_blocks(&self, tokens: u64, groups: u32) -> u64 {
        self.blocks(tokens) - groups as u64 * self.prefix.group_blocks()
    }

    /// Enters what its prefix cache has, and from now on what it gains and loses, in an index, as cache number `holder`; once and for all.
    pub fn enter(&mut self, index: &SharedIndex, holder: u32) {
        if self.group_tokens > 0 {
            self.prefix.enter(|| Member::new(index, holder));
        }
    }

    /// Leading groups of `blocks` that are cached, at most `most`.
    pub fn lookup(&self, blocks: &Blocks, most: u32) -> u32 {
        if self.group_tokens == 0 {
            return 0;
        }
        self.prefix.lookup(blocks.pieces(0..blocks.len().min(most)))
    }

    /// Blocks left in a residue, whether the sequence can find them or not.
    pub fn left_of(&self, residue: &Residue) -> u64 {
        self.prefix.left(&residue.place)
    }

    /// Blocks of a residue that the sequence can find again behind the first `hit` groups of its prompt; `hit` comes from a `lookup` just
    /// made. Groups of one rank are evicted after the residue behind them; without those it is of no use. If more groups are cached than the
    /// sequence had, they contain the tokens of its residue.
    pub fn found_again(&self, residue: &Residue, hit: u32) -> u64 {
        if hit == residue.groups { self.left_of(residue) } else { 0 }
    }

    /// True if a sequence can hold `hit` cached groups of `blocks` and take `own` blocks besides. Blocks of residues are free memory,
    /// including the sequence's own residue, so blocks found again are among `own`.
    pub fn fits(&self, blocks: &Blocks, hit: u32, own: u64) -> bool {
        own + self.prefix.evictable_among(blocks.pieces(0..hit)) <= self.free()
    }

    /// Holds the first `hit` groups of `blocks`, where `hit` comes from a `lookup` just made, and takes `own` blocks; `None`, and nothing
    /// taken, if there are not enough.
    pub fn lease(&mut self, blocks: &Blocks, hit: u32, own: u64) -> Option<Lease> {
        if !self.fits(blocks, hit, own) {
            return None;
        }
        for piece in blocks.pieces(0..hit) {
            let held = self.prefix.hold(piece);
            debug_assert!(held == piece.count, "held a group that is not cached");
        }
        let mut lease = Lease { own: 0, groups: hit };
        let grown = self.grow(&mut lease, own);
        debug_assert!(grown, "a lease that fits is granted");
        Some(lease)
    }

    /// Adds `blocks` to a lease, evicting as necessary. False, and nothing taken, if there are not enough.
    #[must_use]
    pub fn grow(&mut self, lease: &mut Lease, blocks: u64) -> bool {
        if blocks > self.free() {
            return false;
        }
        self.leased += blocks;
        lease.own += blocks;
        self.evict();
        true
    }

    /// Takes `blocks` for the decode batch as a whole. False, and nothing taken, if there are not enough.
    #[must_use]
    pub fn grow_pooled(&mut self, blocks: u64) -> bool {
        if blocks > self.free() {
            return false;
        }
        self.pooled += blocks;
        self.evict();
        true
    }

    /// Moves pooled blocks into the lease of a sequence that leaves the decode batch, until its unshared blocks are `own`.
    pub fn settle(&mut self, lease: &mut Lease, own: u64) {
        debug_assert!(own >= lease.own && own - lease.own <= self.pooled, "more blocks than the batch has taken");
        self.pooled -= own - lease.own;
        self.leased += own - lease.own;
        lease.own = own;
    }

    /// Evicts until no more blocks are taken than the store has.
    fn evict(&mut self) {
        while let Some(over) = self.taken().checked_sub(self.total).filter(|&over| over > 0) {
            if !self.prefix.evict(over) {
                debug_assert!(false, "free memory is evictable");
                return;
            }
        }
    }

    /// Evicts what no sequence holds and ranks below `floor`.
    pub fn expire(&mut self, floor: u64) {
        while self.prefix.lowest_rank().is_some_and(|rank| rank < floor) {
            self.prefix.evict(u64::MAX);
        }
    }

    /// Evicts everything that no sequence holds.
    pub fn clear(&mut self) {
        while self.prefix.evict(u64::MAX) {}
    }

    /// Publishes the groups of `blocks` covered by the first `tokens` computed tokens: unshared blocks of the sequence become shared. If a
    /// group has been published meanwhile, it is shared and the duplicate is freed. True if any group was published: waiting requests may
    /// then need fewer blocks, or get a hit.
    pub fn publish(&mut self, blocks: &Blocks, tokens: u32, lease: &mut Lease) -> bool {
        let whole = self.whole_groups(tokens).min(blocks.len());
        let Some(more) = whole.checked_sub(lease.groups).filter(|&more| more > 0) else { return false };
        for piece in blocks.pieces(lease.groups..whole) {
            self.prefix.hold_or_insert(piece);
        }
        let taken = u64::from(more) * self.prefix.group_blocks();
        self.leased -= taken;
        lease.own -= taken;
        lease.groups = whole;
        true
    }

    /// Releases a lease. Trailing groups become evictable before leading ones, so that shared prefixes stay cached longest. With `ranks`, groups
    /// that no other sequence holds are evicted in the order of the ranks that it gives them, which are asked for from the end of the text on;
    /// a group that ranks higher than one before it may outlive that one, and is then of no use.
    #[expect(clippy::needless_pass_by_value, reason = "a released lease is invalid")]
    pub fn release(&mut self, blocks: &Blocks, lease: Lease, mut ranks: Ranks<'_>) {
        let Lease { own, groups } = lease;
        debug_assert!(own <= self.leased, "blocks that were not leased");
        self.leased -= own;
        let mut left = groups;
        for piece in blocks.pieces(0..groups).rev() {
            left -= piece.count;
            self.prefix.release(piece, left, &mut ranks);
        }
    }

    /// Releases the lease of a preempted sequence with `tokens` computed tokens, but keeps its full blocks as a residue until they are
    /// evicted: the last blocks first, its groups after them. A block that is not full is free at once. With `ranks`, the residue is new.
    pub fn retire(&mut self, blocks: &Blocks, lease: Lease, tokens: u64, mut ranks: Ranks<'_>) -> Option<Residue> {
        let groups = lease.groups;
        let full = tokens / u64::from(self.block_size);
        let left = full.saturating_sub(u64::from(groups) * self.prefix.group_blocks()).min(lease.own);
        let residue = (self.caching && left > 0).then(|| {
            let rank = ranks.as_mut().map_or(0, |ranks| ranks(&Freed { before: groups, groups: 0, uses: 1, previous: 0 }));
            Residue { place: self.prefix.leave(left, rank), groups }
        });
        self.release(blocks, lease, ranks);
        residue
    }

    /// Ends a residue and frees its remaining blocks. Called when the sequence takes the blocks it has found again, together with the
    /// others that it needs, and when it never will.
    pub fn discard(&mut self, residue: Residue) {
        self.prefix.discard(residue.place);
    }
}
