//! Canonical form of documents: aliases replaced, one document merged over another.
//!
//! Owns: the meaning of aliases, of whole numbers with a suffix and of includes. Must not know: files, whether values are valid.

use super::schema::{At, Shape, Variant};
use super::tree::{Entry, FileId, Kind, Node};
use crate::units::Count;

/// Replaces aliases of keys and variants: `isl`, `round_robin`, `perf: roofline`. `wins` is the source whose spelling stays if both are
/// present.
pub(super) fn canonical(node: &mut Node, at: At<'_>, wins: FileId) {
    match at.shape() {
        Shape::Map => canonical_map(node, at, wins),
        Shape::List(Some(items)) => {
            if let Kind::List(list) = &mut node.kind {
                for item in list {
                    canonical(item, items, wins);
                }
            }
        }
        Shape::Variants(variants) => canonical_variant(node, at, &variants, wins),
        Shape::AnyOf(all) => {
            if let Some(one) = best(node, &all) {
                canonical(node, one, wins);
            }
        }
        Shape::Integer => {
            if let Some(whole) = whole_number(&node.kind) {
                node.kind = Kind::Int(whole);
            }
        }
        _ => {}
    }
}

/// Whole numbers in the notations of counts: `1e3`, `20k`.
fn whole_number(kind: &Kind) -> Option<i128> {
    let count: Count = match kind {
        Kind::Float(value) => Count::new(*value)?,
        // A plain number in quotes is meant as text.
        Kind::Text(text) if text.parse::<f64>().is_err() => text.parse().ok()?,
        _ => return None,
    };
    count.whole().map(i128::from)
}

fn canonical_map(node: &mut Node, at: At<'_>, wins: FileId) {
    let keys: Vec<&str> = at.keys().collect();
    let Kind::Map(entries) = &mut node.kind else { return };
    let mut i = 0;
    while let Some(entry) = entries.get(i) {
        if at.key(&entry.key).is_none()
            && let Some(right) = at.right_spelling(&entry.key, &keys)
        {
            match entries.iter().position(|e| e.key == right) {
                // Both spellings: the stronger source decides; within one file the alias stays and is reported as an unknown key.
                Some(other) if entry.key_span.file == wins => {
                    if let Some(target) = entries.get(other).filter(|o| o.key_span.file != wins).map(|_| other) {
                        let mut moved = entries.remove(i);
                        right.clone_into(&mut moved.key);
                        let target = if target > i { target - 1 } else { target };
                        if let Some(slot) = entries.get_mut(target) {
                            *slot = moved;
                        }
                        continue;
                    }
                }
                Some(_) => {}
                None => {
                    if let Some(entry) = entries.get_mut(i) {
                        right.clone_into(&mut entry.key);
                    }
                }
            }
        }
        i += 1;
    }
    for entry in entries {
        if let Some(inner) = at.under(&entry.key) {
            canonical(&mut entry.value, inner, wins);
        }
    }
}

fn canonical_variant(node: &mut Node, at: At<'_>, variants: &[Variant<'_>], wins: FileId) {
    let names: Vec<&str> = variants.iter().map(|v| v.name).collect();
    let right = |word: &str| if names.contains(&word) { None } else { at.right_spelling(word, &names) };
    match &mut node.kind {
        Kind::Text(word) => {
            if let Some(right) = right(word) {
                right.clone_into(word);
            }
            // A variant whose parameters all have defaults may be written as a word.
            let inner = variants.iter().find(|v| v.name == *word).and_then(|v| v.inner);
            if inner.is_some_and(all_optional) {
                let empty = Node { kind: Kind::Map(Vec::new()), span: node.span };
                node.kind = Kind::Map(vec![Entry { key: std::mem::take(word), key_span: node.span, value: empty }]);
            }
        }
        Kind::Map(entries) => {
            for entry in entries.iter_mut() {
                if let Some(right) = right(&entry.key) {
                    right.clone_into(&mut entry.key);
                }
            }
            let [entry] = entries.as_mut_slice() else { return };
            let Some(variant) = variants.iter().find(|v| v.name == entry.key) else { return };
            let nothing = matches!(&entry.value.kind, Kind::Null) || matches!(&entry.value.kind, Kind::Map(m) if m.is_empty());
            match variant.inner {
                None if nothing => node.kind = Kind::Text(std::mem::take(&mut entry.key)),
                Some(inner) => {
                    if nothing && all_optional(inner) {
                        entry.value.kind = Kind::Map(Vec::new());
                    }
                    canonical(&mut entry.value, inner, wins);
                }
                None => {}
            }
        }
        _ => {}
    }
}

/// True if a map may be empty.
fn all_optional(at: At<'_>) -> bool {
    matches!(at.shape(), Shape::Map) && at.required().next().is_none() && at.exactly_one().is_empty()
}

/// The most likely intended shape of a node among several.
pub(super) fn best<'s>(node: &Node, all: &[At<'s>]) -> Option<At<'s>> {
    let fits = |at: &&At<'s>| match (&node.kind, at.shape()) {
        (Kind::Text(_), Shape::Text | Shape::Variants(_) | Shape::Quantity(_))
        | (Kind::List(_), Shape::List(_))
        | (Kind::Bool(_), Shape::Bool)
        | (Kind::Int(_) | Kind::Float(_), Shape::Integer | Shape::Number | Shape::Quantity(_)) => true,
        (Kind::Map(entries), Shape::Map) => entries.is_empty() || entries.iter().any(|e| at.under(&e.key).is_some()),
        (Kind::Map(entries), Shape::Variants(variants)) => {
            let names: Vec<&str> = variants.iter().map(|v| v.name).collect();
            entries.iter().any(|e| names.contains(&e.key.as_str()) || at.right_spelling(&e.key, &names).is_some())
        }
        _ => false,
    };
    all.iter().find(fits).copied()
}

/// Removes keys without a value where the key may be absent: `slo:` with nothing after it is no SLO.
pub(super) fn drop_nulls(node: &mut Node, at: At<'_>) {
    match (&mut node.kind, at.shape()) {
        (Kind::Map(entries), Shape::Map) => {
            let required: Vec<&str> = at.required().collect();
            entries.retain(|e| e.value.kind != Kind::Null || required.contains(&e.key.as_str()) || at.key(&e.key).is_none());
            for entry in entries {
                if let Some(inner) = at.under(&entry.key) {
                    drop_nulls(&mut entry.value, inner);
                }
            }
        }
        (Kind::Map(entries), Shape::Variants(variants)) => {
            for entry in entries {
                if let Some(inner) = variants.iter().find(|v| v.name == entry.key).and_then(|v| v.inner) {
                    drop_nulls(&mut entry.value, inner);
                }
            }
        }
        (Kind::List(items), Shape::List(Some(inner))) => items.iter_mut().for_each(|i| drop_nulls(i, inner)),
        (_, Shape::AnyOf(all)) => {
            if let Some(one) = best(node, &all) {
                drop_nulls(node, one);
            }
        }
        _ => {}
    }
}

/// Merges `over` onto `base`: maps merge, everything else is replaced. A different variant replaces the whole choice. A null removes an entry
/// with a free key, as `models: {chat: ~}` does with an included model.
pub(super) fn overlay(base: Node, over: Node, at: Option<At<'_>>) -> Node {
    let at = at.map(|at| match at.shape() {
        Shape::AnyOf(all) => best(&over, &all).unwrap_or(at),
        _ => at,
    });
    let (mut entries, more) = match (base.kind, over.kind) {
        (Kind::Map(entries), Kind::Map(more)) => (entries, more),
        (_, kind) => return Node { kind, span: over.span },
    };
    for entry in more {
        make_room(&mut entries, &entry.key, at);
        let inner = at.and_then(|at| inside(at, &entry.key));
        match entries.iter().position(|e| e.key == entry.key) {
            Some(i) => {
                let old = entries.remove(i);
                if entry.value.kind == Kind::Null && at.is_some_and(|at| at.free_keys().is_some() && at.key(&entry.key).is_none()) {
                    continue;
                }
                let value = overlay(old.value, entry.value, inner);
                entries.insert(i, Entry { key: entry.key, key_span: entry.key_span, value });
            }
            None => entries.push(entry),
        }
    }
    Node { kind: Kind::Map(entries), span: over.span }
}

/// Schema under `key` of a map or a choice.
pub(super) fn inside<'s>(at: At<'s>, key: &str) -> Option<At<'s>> {
    match at.shape() {
        Shape::Map => at.under(key),
        Shape::Variants(variants) => variants.iter().find(|v| v.name == key).and_then(|v| v.inner),
        Shape::AnyOf(all) => all.into_iter().find_map(|a| inside(a, key)),
        _ => None,
    }
}

/// Removes the entries that exclude `key`: other variants of a choice, other keys of a group of which one is allowed.
pub(super) fn make_room(entries: &mut Vec<Entry>, key: &str, at: Option<At<'_>>) {
    let Some(at) = at else { return };
    match at.shape() {
        Shape::Variants(_) => entries.retain(|e| e.key == key),
        Shape::Map => {
            let group = at.exactly_one();
            if group.contains(&key) {
                entries.retain(|e| e.key == key || !group.contains(&e.key.as_str()));
            }
        }
        _ => {}
    }
}
