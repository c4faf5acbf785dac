//! A document with valid numbers in place of wrong ones, so that problems of meaning in the rest are reported in the same run.
//!
//! Owns: the substitutes for wrong numbers, and which problems may follow from them. Must not know: the meaning of the numbers.

use super::merge::inside;
use super::path::{Step, first_step, position};
use super::quantity;
use super::schema::{At, Shape};
use super::tree::{Fault, Kind, Node};

/// Sections that much of a scenario depends on: with one of their numbers replaced, problems elsewhere may be mere consequences.
const FOUNDATIONS: [&str; 2] = ["models", "profiles"];

/// The document with each wrong number replaced by a valid one. `None` if anything but numbers is wrong, or if much of the rest may be
/// wrong only because of them.
pub(super) fn mended(root: &Node, at: At<'_>, faults: &[Fault]) -> Option<Node> {
    let mut root = root.clone();
    for fault in faults {
        if FOUNDATIONS.iter().any(|key| fault.path.starts_with(key)) {
            return None;
        }
        mend(&mut root, at, &fault.path)?;
    }
    Some(root)
}

/// Part of the document that contains a path: an item of a list, such as `cluster.pools[1]`, or else a top-level key.
pub(super) fn part(path: &str) -> &str {
    let end = path.find(']').map(|end| end + 1).or_else(|| path.find('.'));
    end.and_then(|end| path.get(..end)).unwrap_or(path)
}

fn mend(node: &mut Node, at: At<'_>, path: &str) -> Option<()> {
    let (step, rest) = first_step(node, path);
    match (&mut node.kind, step) {
        (Kind::Map(entries), Step::Key(key)) => {
            let index = entries.iter().position(|entry| entry.key == key)?;
            let inner = inside(at, key)?;
            let entry = entries.get_mut(index)?;
            if !rest.is_empty() {
                return mend(&mut entry.value, inner, rest);
            }
            entry.value.kind = right_number(inner)?;
            Some(())
        }
        (Kind::List(items), step) => {
            let index = position(items, step)?;
            let Shape::List(Some(inner)) = at.shape() else { return None };
            mend(items.get_mut(index)?, inner, rest)
        }
        _ => None,
    }
}

/// A valid number for a place; `None` if the place does not take numbers.
fn right_number(at: At<'_>) -> Option<Kind> {
    match at.shape() {
        Shape::Quantity(name) => quantity::right_value(name, at).map(Kind::Text),
        Shape::Integer | Shape::Number => Some(Kind::Int(1)),
        _ => None,
    }
}
