//! `--set path.to.key=value`.
//!
//! Owns: the syntax of an override and how it changes a document. Must not know: whether keys and values are valid; the later checks
//! report that, pointing into the option.

use super::check::list_words;
use super::merge::{best, inside, make_room};
use super::parse::parse;
use super::path::{Step, first_step, item_name, position};
use super::schema::{At, Shape};
use super::source::Sources;
use super::tree::{Entry, Fault, FileId, Kind, Node, Span};
use crate::units::nearest_word;

/// Most steps of a path.
const MAX_STEPS: usize = 32;

/// Applies one `--set` to the tree. `text` must be the text of source `file`.
pub(super) fn apply(root: &mut Node, text: &str, file: FileId, at: At<'_>) -> Result<(), Vec<Fault>> {
    let whole = Place { text, file };
    let Some((path, value)) = text.split_once('=') else {
        return Err(vec![Fault::new(whole.span(0, text.len()), "no `=` in the option").expected("`--set path.to.key=value`")]);
    };
    if path.trim().is_empty() {
        return Err(vec![Fault::new(whole.span(0, 0), "no path before the `=`").expected("`--set path.to.key=value`")]);
    }
    if let Some(fault) = without_effect(path, value, &whole, at) {
        return Err(vec![fault]);
    }
    let (node, mut faults) = parse(value, file);
    // The value starts after the `=`, on the first line of the option.
    let (bytes, columns) = (path.len() + 1, path.chars().count() + 1);
    let shift = |span: &mut Span| {
        span.start += bytes;
        span.column += if span.line <= 1 { columns as u64 } else { 0 };
    };
    for fault in &mut faults {
        shift(&mut fault.span);
    }
    let Some(mut node) = node.filter(|_| faults.is_empty()) else { return Err(faults) };
    node.for_each_span(&mut |s| shift(s));
    set(root, 0, Walk { path, place: &whole, value: node }, Some(at), 0).map_err(|fault| vec![*fault])
}

/// Faults of an option that can be read but not applied.
fn without_effect(path: &str, value: &str, whole: &Place<'_>, at: At<'_>) -> Option<Fault> {
    if path.starts_with('.') {
        return Some(
            Fault::new(whole.span(0, 1), "the path begins with a dot").hint(format!("write `{}={value}`", path.trim_start_matches('.'))),
        );
    }
    let first = path.split(['.', '[']).next().unwrap_or_default();
    if first == "include" && at.key(first).is_some() {
        let fault = Fault::new(whole.span(0, first.len()), "`include` cannot be set: files are included before options are applied");
        return Some(fault.hint("write `include: …` in the scenario".to_owned()));
    }
    if value.trim().is_empty() {
        let fault = Fault::new(whole.span(0, path.len()), "no value after the `=`").at(path);
        return Some(fault.expected("`--set path.to.key=value`").hint(format!("write `{path}=~` to remove the key")));
    }
    None
}

/// The text of an option, for spans into it.
struct Place<'t> {
    text: &'t str,
    file: FileId,
}

impl Place<'_> {
    fn span(&self, start: usize, len: usize) -> Span {
        let before = self.text.get(..start).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Span { file: self.file, line: line as u64, column: column as u64, start, len }
    }
}

/// Rest of a path to follow, and the value to put at its end.
struct Walk<'a> {
    path: &'a str,
    place: &'a Place<'a>,
    value: Node,
}

/// Follows the path, creating missing maps, and puts the value at its end. `done` bytes of the path have been followed.
fn set(node: &mut Node, done: usize, walk: Walk<'_>, at: Option<At<'_>>, depth: usize) -> Result<(), Box<Fault>> {
    let (before, rest) = walk.path.split_at(done);
    if rest.is_empty() {
        *node = walk.value;
        return Ok(());
    }
    let (step, after) = first_step(node, rest);
    let (Step::Key(word) | Step::Index(word)) = step;
    let span = walk.place.span(done + usize::from(rest.starts_with(['.', '['])), word.len());
    if word.is_empty() || depth >= MAX_STEPS {
        let problem = if word.is_empty() { "an empty step in the path" } else { "a path with too many steps" };
        return Err(Box::new(Fault::new(span, problem).at(before)));
    }
    let done = walk.path.len() - after.len();
    if let Kind::List(items) = &mut node.kind {
        let Some(item) = position(items, step).and_then(|i| items.get_mut(i)) else {
            return Err(Box::new(no_item(items, word, span, before)));
        };
        let inner = at.and_then(|a| match a.shape() {
            Shape::List(items) => items,
            _ => None,
        });
        return set(item, done, walk, inner, depth + 1);
    }
    if matches!(step, Step::Index(_)) {
        return Err(Box::new(Fault::new(span, format!("`[{word}]` is used on a value that is not a list")).at(before)));
    }
    let at = at.map(|a| match a.shape() {
        Shape::AnyOf(all) => best(node, &all).unwrap_or(a),
        _ => a,
    });
    // `router: random` becomes `router: {dynamo-kv: …}`; whether that is valid is checked later.
    if !matches!(node.kind, Kind::Map(_)) {
        *node = Node { kind: Kind::Map(Vec::new()), span };
    }
    let Kind::Map(entries) = &mut node.kind else { return Ok(()) };
    let word = right_key(word, at);
    // Removing a key leaves its alternatives as they are.
    if !(after.is_empty() && walk.value.kind == Kind::Null) {
        make_room(entries, &word, at);
    }
    let inner = at.and_then(|a| inside(a, &word));
    let index = entries.iter().position(|e| e.key == word).unwrap_or_else(|| {
        entries.push(Entry { key: word, key_span: span, value: Node { kind: Kind::Null, span } });
        entries.len() - 1
    });
    let Some(entry) = entries.get_mut(index) else { return Ok(()) };
    if after.is_empty() {
        entry.key_span = span;
    }
    set(&mut entry.value, done, walk, inner, depth + 1)
}

/// The schema's spelling of a key that may be an alias.
fn right_key(word: &str, at: Option<At<'_>>) -> String {
    let right = at.and_then(|a| match a.shape() {
        Shape::Map if a.key(word).is_none() => a.right_spelling(word, &a.keys().collect::<Vec<_>>()),
        Shape::Variants(variants) => {
            let names: Vec<&str> = variants.iter().map(|v| v.name).collect();
            if names.contains(&word) { None } else { a.right_spelling(word, &names) }
        }
        _ => None,
    });
    right.unwrap_or(word).to_owned()
}

fn no_item(items: &[Node], word: &str, span: Span, path: &str) -> Fault {
    let names: Vec<&str> = items.iter().filter_map(item_name).collect();
    let count = match items.len() {
        0 => "an empty list".to_owned(),
        1 => "a list with one item, `0`".to_owned(),
        n => format!("a list with items `0` to `{}`", n - 1),
    };
    let called = if names.is_empty() { String::new() } else { format!(", called {}", list_words(&names)) };
    let hint = nearest_word(word, names.into_iter()).map(|n| format!("did you mean `{n}`?"));
    Fault::new(span, format!("no item `{word}`")).at(path).expected(format!("an item of {count}{called}")).hint(hint)
}

/// Adds an option to the sources, under its name in messages.
pub(super) fn add(sources: &mut Sources, number: usize, text: &str) -> FileId {
    sources.add(format!("--set #{number}"), None, text)
}
