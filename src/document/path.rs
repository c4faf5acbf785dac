//! Paths into a document, such as `cluster.pools[1].instances` or `cluster.pools.decode.instances`.
//!
//! Owns: splitting a path into steps and following it. Must not know: the origin of paths.

use super::tree::{Kind, Node, Span};

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'p> {
    /// A key of a map, or an item of a list by its position or `name`.
    Key(&'p str),
    /// `[n]`: an item of a list.
    Index(&'p str),
}

/// Splits the first step off `path`. Keys of `node` that contain dots (`llama-3.1-8b`) are one step.
pub(super) fn first_step<'p>(node: &Node, path: &'p str) -> (Step<'p>, &'p str) {
    let path = path.strip_prefix('.').unwrap_or(path);
    if let Some(inner) = path.strip_prefix('[') {
        if let Some((index, rest)) = inner.split_once(']') {
            return (Step::Index(index), rest);
        }
        return (Step::Index(inner), "");
    }
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
    let whole = names(node).filter(|k| path.strip_prefix(*k).is_some_and(ends)).map(str::len).max();
    let length = whole.or_else(|| path.find(['.', '['])).unwrap_or(path.len());
    let (key, rest) = path.split_at(length);
    (Step::Key(key), rest)
}

/// Keys of a map, or the `name`s of a list's items.
pub(super) fn names(node: &Node) -> impl Iterator<Item = &str> {
    let (entries, items): (&[_], &[_]) = match &node.kind {
        Kind::Map(entries) => (entries, &[]),
        Kind::List(items) => (&[], items),
        _ => (&[], &[]),
    };
    entries.iter().map(|e| e.key.as_str()).chain(items.iter().filter_map(item_name))
}

/// The `name` of a list's item.
pub(super) fn item_name(item: &Node) -> Option<&str> {
    match &item.get("name")?.kind {
        Kind::Text(name) => Some(name),
        _ => None,
    }
}

/// Position of a step in a list: its index, or that of the item with its name.
pub(super) fn position(items: &[Node], step: Step<'_>) -> Option<usize> {
    let (Step::Key(word) | Step::Index(word)) = step;
    let by_name = || items.iter().position(|i| item_name(i) == Some(word));
    word.parse::<usize>().ok().filter(|i| *i < items.len()).or_else(by_name)
}

/// Follows `path` as far as it goes. Returns the node reached, the place of its key if it has one, and whether the path ended there.
pub(super) fn follow<'n>(root: &'n Node, path: &str) -> (&'n Node, Option<Span>, bool) {
    let (mut node, mut key, mut rest) = (root, None, path);
    while !rest.is_empty() {
        let (step, after) = first_step(node, rest);
        let next = match (&node.kind, step) {
            (Kind::Map(entries), Step::Key(k)) => entries.iter().find(|e| e.key == k).map(|e| (&e.value, Some(e.key_span))),
            (Kind::List(items), step) => position(items, step).and_then(|i| items.get(i)).map(|n| (n, None)),
            _ => None,
        };
        let Some((found, found_key)) = next else { return (node, key, false) };
        (node, key, rest) = (found, found_key, after);
    }
    (node, key, true)
}

/// `path` with a key appended.
pub(super) fn join(path: &str, key: &str) -> String {
    // A key of one megabyte above 100,000 values must not be copied for each of them.
    let key = key.char_indices().nth(80).map_or(key, |(end, _)| key.get(..end).unwrap_or(key));
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::super::tree::FileId;
    use super::*;

    #[test]
    fn lists_are_entered_by_index_and_by_name() {
        let root = parse("a: {pools: [{name: p, n: 1}, {name: d, n: 2}]}", FileId(0)).0.unwrap();
        for path in ["a.pools[1].n", "a.pools.1.n", "a.pools.d.n", "a.pools[d].n"] {
            let (node, key, whole) = follow(&root, path);
            assert!(whole && key.is_some(), "{path}");
            assert_eq!(node.kind, Kind::Int(2), "{path}");
        }
    }

    #[test]
    fn keys_with_dots_are_one_step() {
        let root = parse("models: {llama-3.1-8b: {kv: fp8}, llama-3: {kv: fp16}}", FileId(0)).0.unwrap();
        assert_eq!(follow(&root, "models.llama-3.1-8b.kv").0.kind, Kind::Text("fp8".into()));
        assert_eq!(follow(&root, "models.llama-3.kv").0.kind, Kind::Text("fp16".into()));
    }

    #[test]
    fn a_path_that_does_not_exist_ends_at_its_nearest_ancestor() {
        let root = parse("a: {b: 1}", FileId(0)).0.unwrap();
        let (node, _, whole) = follow(&root, "a.c.d");
        assert!(!whole);
        assert!(node.get("b").is_some());
        for odd in ["[", "]", "..", "a[", "a..b", "a[999999999999999999999]"] {
            let _ = follow(&root, odd);
        }
    }
}
