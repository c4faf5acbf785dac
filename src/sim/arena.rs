//! Vectors with their own index type: the index of an instance cannot be used to look up a pool.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use thiserror::Error;

/// Index of an entry of an [`Arena`].
pub trait Id: Copy + Eq + Ord + fmt::Debug {
    /// Position in the arena.
    fn index(self) -> usize;
    /// The id of a position; `None` beyond the range of its integer type.
    fn from_index(index: usize) -> Option<Self>;
}

/// Implements [`Id`] for a one-field tuple struct around an unsigned integer.
macro_rules! impl_id {
    ($($id:ident($integer:ty)),+ $(,)?) => {$(
        impl $crate::sim::Id for $id {
            #[inline]
            fn index(self) -> usize {
                self.0 as usize
            }
            fn from_index(index: usize) -> Option<Self> {
                <$integer>::try_from(index).ok().map(Self)
            }
        }
    )+};
}
pub(crate) use impl_id;

/// More entries than the id's integer type can number: user error, from a scenario of excessive scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("found {found} {what}, expected at most {most}")]
pub struct TooMany {
    /// The kind of entry, in the plural.
    pub what: &'static str,
    /// Lower bound of the number requested.
    pub found: usize,
    /// Maximum number of entries.
    pub most: usize,
}

/// A vector indexed by `I`.
#[derive(Clone, PartialEq, Eq)]
pub struct Arena<I, T> {
    items: Vec<T>,
    id: PhantomData<I>,
}

impl<I: Id, T> Arena<I, T> {
    /// Appends an entry.
    ///
    /// # Errors
    /// [`TooMany`] `what` if its position has no id.
    pub fn push(&mut self, what: &'static str, item: T) -> Result<I, TooMany> {
        let index = self.items.len();
        let id = I::from_index(index).ok_or(TooMany { what, found: index + 1, most: index })?;
        self.items.push(item);
        Ok(id)
    }
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.items.len()
    }
    /// True without entries.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
    /// The entry of `id`, if there is one.
    pub fn get(&self, id: I) -> Option<&T> {
        self.items.get(id.index())
    }
    /// All ids in order.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = I> + use<I, T> {
        (0..self.items.len()).filter_map(I::from_index)
    }
    /// All entries with their ids, in order.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.items.iter().enumerate().filter_map(|(index, item)| Some((I::from_index(index)?, item)))
    }
    /// All entries in order.
    pub fn values(&self) -> std::slice::Iter<'_, T> {
        self.items.iter()
    }
    /// All entries in order, mutable.
    pub fn values_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.items.iter_mut()
    }
    /// One entry for each of another arena.
    pub fn mirror<U>(other: &Arena<I, U>, mut make: impl FnMut(I, &U) -> T) -> Self {
        Self { items: other.iter().map(|(id, entry)| make(id, entry)).collect(), id: PhantomData }
    }
    /// Builds an arena from the entries in order.
    ///
    /// # Errors
    /// [`TooMany`] `what` if there are more entries than ids.
    pub fn from_items(what: &'static str, items: impl IntoIterator<Item = T>) -> Result<Self, TooMany> {
        let mut arena = Self::default();
        for item in items {
            arena.push(what, item)?;
        }
        Ok(arena)
    }
}

impl<I, T> Default for Arena<I, T> {
    fn default() -> Self {
        Self { items: Vec::new(), id: PhantomData }
    }
}

impl<I: Id, T> Index<I> for Arena<I, T> {
    type Output = T;
    #[inline]
    fn index(&self, id: I) -> &T {
        &self.items[id.index()]
    }
}

impl<I: Id, T> IndexMut<I> for Arena<I, T> {
    #[inline]
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.items[id.index()]
    }
}

impl<I, T: fmt::Debug> fmt::Debug for Arena<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    struct Small(u8);
    impl_id!(Small(u8));

    #[test]
    fn push_fails_when_ids_are_exhausted() {
        let mut arena = Arena::<Small, usize>::from_items("things", 0..256).unwrap();
        assert_eq!((arena[Small(255)], arena.len()), (255, 256));
        let error = arena.push("things", 256).unwrap_err();
        assert_eq!(error.to_string(), "found 257 things, expected at most 256");
        assert_eq!((arena.len(), arena.ids().count(), arena.ids().next_back()), (256, 256, Some(Small(255))));
    }
}
