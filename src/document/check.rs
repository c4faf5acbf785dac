//! Checks of a document against a schema; all faults are collected.
//!
//! Owns: the wording of structural errors. Must not know: scenarios; the schema is the only source.

use serde_json::Value;

use super::merge::best;
use super::path::join;
use super::quantity;
use super::schema::{At, Shape, Variant};
use super::source::Sources;
use super::tree::{Entry, Fault, Kind, Node, Span};
use crate::units::grouped;
use crate::units::nearest_word;

/// Checks `root`; without faults it can be read into the type of the schema, except for constraints that the schema cannot express.
pub(super) fn check(root: &Node, schema: &Value, sources: &Sources) -> Vec<Fault> {
    let mut check = Check { sources, faults: Vec::new() };
    check.node(root, At::root(schema), "", root.span);
    check.faults
}

struct Check<'a> {
    sources: &'a Sources,
    faults: Vec<Fault>,
}

impl Check<'_> {
    /// `owner` is the place to point at for a key missing inside `node`.
    fn node(&mut self, node: &Node, at: At<'_>, path: &str, owner: Span) {
        match (at.shape(), &node.kind) {
            (Shape::Map, Kind::Map(entries)) => self.map(entries, at, path, owner),
            (Shape::List(items), Kind::List(list)) => self.list(list, items, at, path, node.span),
            (Shape::Variants(variants), _) => self.choice(node, &variants, path),
            (Shape::AnyOf(all), _) => match best(node, &all) {
                Some(one) => self.node(node, one, path, owner),
                None => self.no_shape_fits(node, &all, path),
            },
            (Shape::Quantity(name), _) => self.faults.extend(quantity::check(node, name, at, path, self.sources)),
            (Shape::Integer, Kind::Int(value)) => match integer_range(at) {
                (least, most) if *value > most => self.wrong(node, path, &whole_number(least, most)),
                (least, _) if *value < least => self.wrong(node, path, &in_words(at)),
                _ => {}
            },
            // Whole numbers beyond any integer type are read as floats; rounding may bring one just above the maximum down to it.
            (Shape::Integer, Kind::Float(value)) if *value >= integer_range(at).1 as f64 => {
                let (least, most) = integer_range(at);
                self.wrong(node, path, &whole_number(least, most));
            }
            (Shape::Bool, Kind::Bool(_)) | (Shape::Anything, _) => {}
            (Shape::Number, Kind::Int(value)) if is_within(*value as f64, at) => {}
            (Shape::Number, Kind::Float(value)) if value.is_finite() && is_within(*value, at) => {}
            (Shape::Text, Kind::Text(text)) => self.text(node, text, at, path),
            _ => self.wrong(node, path, &in_words(at)),
        }
    }

    fn map(&mut self, entries: &[Entry], at: At<'_>, path: &str, owner: Span) {
        let keys: Vec<&str> = at.keys().collect();
        let mut meant = Vec::new();
        for entry in entries {
            let inner = join(path, &entry.key);
            if let Some(known) = at.under(&entry.key) {
                self.free_key(entry, at, &inner);
                self.node(&entry.value, known, &inner, entry.key_span);
            } else if at.closed() {
                let near = nearest_word(&entry.key, keys.iter().copied());
                // A misspelt required key is reported once, not as missing too.
                meant.extend(near);
                self.unknown_key(entry, at, path, near);
            }
        }
        let has = |key: &str| entries.iter().any(|e| e.key == key) || meant.contains(&key);
        for key in at.required().filter(|k| !has(k)) {
            let what = at.key(key).map(in_words).unwrap_or_default();
            let fault = Fault::new(owner, format!("missing key `{key}`")).at(path);
            self.faults.push(fault.hint(Some(format!("add `{key}: …` ({what})"))));
        }
        self.exactly_one(entries, at, path, owner, &meant);
        let least = at.keyword("minProperties").and_then(Value::as_u64).unwrap_or(0);
        if (entries.len() as u64) < least {
            self.faults.push(Fault::new(owner, "found an empty map").at(path).expected(format!("at least {least} entry")));
        }
        self.not_too_many(entries.len() as u64, "entries", at.keyword("maxProperties"), path, owner);
    }

    /// Free keys: any text, or whole numbers if the map is numbered.
    fn free_key(&mut self, entry: &Entry, at: At<'_>, path: &str) {
        if at.numeric_keys() && entry.key.parse::<u32>().is_err() {
            let fault = Fault::new(entry.key_span, format!("found the key `{}`", cut(&entry.key, 80))).at(path);
            self.faults.push(fault.expected("a whole number as key"));
        }
        if let Some(names) = at.key_names() {
            let key = Node { kind: Kind::Text(entry.key.clone()), span: entry.key_span };
            self.node(&key, names, path, entry.key_span);
        }
    }

    fn unknown_key(&mut self, entry: &Entry, at: At<'_>, path: &str, near: Option<&str>) {
        let right: Vec<&str> = at.keys().collect();
        let hint = if let Some(other) = at.right_spelling(&entry.key, &right) {
            format!("it means the same as `{other}`, which is also given; keep one of the two")
        } else if let Some(parent) = at.keys().find(|k| at.key(k).is_some_and(|inner| inner.key(&entry.key).is_some())) {
            format!("`{}` belongs under `{parent}`", entry.key)
        } else if let Some(near) = near {
            format!("did you mean `{near}`?")
        } else {
            format!("known keys here: {}", list_words(&right))
        };
        self.faults.push(Fault::new(entry.key_span, format!("unknown key `{}`", cut(&entry.key, 80))).at(path).hint(hint));
    }

    fn exactly_one(&mut self, entries: &[Entry], at: At<'_>, path: &str, owner: Span, meant: &[&str]) {
        let group = at.exactly_one();
        if group.is_empty() || group.iter().any(|k| meant.contains(k)) {
            return;
        }
        let present: Vec<&Entry> = entries.iter().filter(|e| group.contains(&e.key.as_str())).collect();
        match present.as_slice() {
            [_] => {}
            [] => self.faults.push(Fault::new(owner, format!("missing one of {}", list_words(&group))).at(path)),
            [first, rest @ ..] => {
                for other in rest {
                    let problem = format!("both `{}` and `{}` are given", first.key, other.key);
                    let fault = Fault::new(other.key_span, problem).at(path);
                    self.faults.push(fault.expected(format!("exactly one of {}", list_words(&group))));
                }
            }
        }
    }

    fn list(&mut self, list: &[Node], items: Option<At<'_>>, at: At<'_>, path: &str, span: Span) {
        let least = at.keyword("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (list.len() as u64) < least {
            self.faults.push(Fault::new(span, "found an empty list").at(path).expected(format!("at least {least} item")));
        }
        self.not_too_many(list.len() as u64, "items", at.keyword("maxItems"), path, span);
        for (i, item) in list.iter().enumerate() {
            if let Some(items) = items {
                // A key missing in an item is shown at the item's first key.
                let first = match &item.kind {
                    Kind::Map(entries) => entries.first().map(|e| e.key_span),
                    _ => None,
                };
                self.node(item, items, &format!("{path}[{i}]"), first.unwrap_or(item.span));
            }
        }
    }

    fn not_too_many(&mut self, count: u64, what: &str, most: Option<&Value>, path: &str, span: Span) {
        if let Some(most) = most.and_then(Value::as_u64).filter(|most| count > *most) {
            self.faults.push(Fault::new(span, format!("found {count} {what}")).at(path).expected(format!("at most {most}")));
        }
    }

    fn choice(&mut self, node: &Node, variants: &[Variant<'_>], path: &str) {
        let names: Vec<&str> = variants.iter().map(|v| v.name).collect();
        let expected = || format!("{}{}", if names.len() > 1 { "one of " } else { "" }, list_words(&names));
        let hint = |word: &str| nearest_word(word, names.iter().copied()).map(|n| format!("did you mean `{n}`?"));
        match &node.kind {
            Kind::Text(word) => match variants.iter().find(|v| v.name == word) {
                Some(Variant { inner: None, .. }) => {}
                Some(Variant { inner: Some(inner), .. }) => {
                    let fault = Fault::new(node.span, format!("found `{word}` alone")).at(path);
                    let what = format!("`{word}: …` with {}", in_words(*inner));
                    self.faults.push(fault.expected(what).hint(example(word, *inner)));
                }
                None => {
                    let fault = Fault::new(node.span, format!("unknown choice `{}`", cut(word, 80))).at(path);
                    self.faults.push(fault.expected(expected()).hint(hint(word)));
                }
            },
            Kind::Map(entries) => match entries.as_slice() {
                [entry] => match variants.iter().find(|v| v.name == entry.key) {
                    Some(Variant { inner: Some(inner), .. }) => {
                        self.node(&entry.value, *inner, &join(path, &entry.key), entry.key_span);
                    }
                    Some(Variant { inner: None, .. }) => {
                        let fault = Fault::new(entry.value.span, format!("`{}` has no parameters", entry.key)).at(path);
                        self.faults.push(fault.hint(format!("write `{}` alone", entry.key)));
                    }
                    None => {
                        let fault = Fault::new(entry.key_span, format!("unknown choice `{}`", cut(&entry.key, 80))).at(path);
                        self.faults.push(fault.expected(expected()).hint(hint(&entry.key)));
                    }
                },
                [] => self.faults.push(Fault::new(node.span, "found an empty map").at(path).expected(expected())),
                [_, second, ..] => {
                    let found: Vec<String> = entries.iter().take(4).map(|e| format!("`{}`", cut(&e.key, 40))).collect();
                    let fault = Fault::new(second.key_span, format!("found {} together", found.join(" and "))).at(path);
                    self.faults.push(fault.expected(format!("exactly one of {}", list_words(&names))));
                }
            },
            _ => {
                let fault = Fault::new(node.span, format!("found {}", found(node, self.sources))).at(path).expected(expected());
                self.faults.push(fault.hint(self.in_its_place(node, variants)));
            }
        }
    }

    /// Hint for a bare number: the first choice that takes it as its parameter.
    fn in_its_place(&self, node: &Node, variants: &[Variant<'_>]) -> Option<String> {
        let fits = |variant: &&Variant<'_>| match variant.inner.map(|inner| (inner, inner.shape())) {
            Some((inner, Shape::Quantity(name))) => quantity::check(node, name, inner, "", self.sources).is_none(),
            _ => false,
        };
        let variant = variants.iter().find(fits).filter(|_| matches!(node.kind, Kind::Int(_) | Kind::Float(_)))?;
        self.sources.slice(&node.span).map(|text| format!("write `{{{}: {text}}}`", variant.name))
    }

    fn no_shape_fits(&mut self, node: &Node, all: &[At<'_>], path: &str) {
        let expected = all.iter().map(|a| in_words(*a)).collect::<Vec<_>>().join(", or ");
        let (Kind::Map(entries), mut names) = (&node.kind, Vec::new()) else { return self.wrong(node, path, &expected) };
        for at in all {
            match at.shape() {
                Shape::Variants(variants) => names.extend(variants.iter().map(|v| v.name)),
                _ => names.extend(at.keys()),
            }
        }
        let Some(entry) = entries.first().filter(|_| !names.is_empty()) else { return self.wrong(node, path, &expected) };
        let hint = nearest_word(&entry.key, names.into_iter()).map(|n| format!("did you mean `{n}`?"));
        self.faults
            .push(Fault::new(entry.key_span, format!("unknown choice `{}`", cut(&entry.key, 80))).at(path).expected(expected).hint(hint));
    }

    fn text(&mut self, node: &Node, text: &str, at: At<'_>, path: &str) {
        let length = text.chars().count() as u64;
        let least = at.keyword("minLength").and_then(Value::as_u64).unwrap_or(0);
        let most = at.keyword("maxLength").and_then(Value::as_u64);
        if length < least {
            self.faults.push(Fault::new(node.span, "found an empty text").at(path).expected("some text"));
        } else if let Some(most) = most.filter(|&most| length > most) {
            self.faults.push(Fault::new(node.span, format!("found {length} characters")).at(path).expected(format!("at most {most}")));
        } else if at.keyword("x-file-name").is_some() && !is_file_name(text) {
            self.wrong(node, path, "letters, digits, `-`, `_` and `.`, starting with a letter or digit");
        }
    }

    fn wrong(&mut self, node: &Node, path: &str, expected: &str) {
        let fault = Fault::new(node.span, format!("found {}", found(node, self.sources))).at(path).expected(expected);
        let hint = match &node.kind {
            Kind::Map(_) if expected.starts_with("a list") => Some("start each item of a list with `- `".to_owned()),
            Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) if expected == "text" => Some("put it in quotes".to_owned()),
            Kind::Text(word) if expected.starts_with("`true`") => as_bool(word).map(|b| format!("write `{b}`")),
            Kind::Text(word) if expected.contains("number") && word.parse::<f64>().is_ok() => Some("write it without quotes".to_owned()),
            _ => None,
        };
        self.faults.push(fault.hint(hint));
    }
}

fn as_bool(word: &str) -> Option<bool> {
    match word.to_lowercase().as_str() {
        "yes" | "on" | "true" | "y" | "1" => Some(true),
        "no" | "off" | "false" | "n" | "0" => Some(false),
        _ => None,
    }
}

fn is_file_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// Bounds of a whole number, from the schema's range and width.
fn integer_range(at: At<'_>) -> (i128, i128) {
    let bound = |name: &str| at.keyword(name).and_then(|v| v.as_i64().map(i128::from).or_else(|| v.as_u64().map(i128::from)));
    let (least, most) = match at.keyword("format").and_then(Value::as_str) {
        Some("uint8") => (0, u8::MAX.into()),
        Some("uint16") => (0, u16::MAX.into()),
        Some("uint32") => (0, u32::MAX.into()),
        Some("uint64" | "uint") => (0, u64::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        _ => (i64::MIN.into(), i64::MAX.into()),
    };
    (bound("minimum").unwrap_or(least), bound("maximum").unwrap_or(most))
}

/// Bounds of a plain number.
fn number_range(at: At<'_>) -> (Option<f64>, Option<f64>) {
    let bound = |name: &str| at.keyword(name).and_then(Value::as_f64);
    (bound("minimum"), bound("maximum"))
}

fn is_within(value: f64, at: At<'_>) -> bool {
    let (least, most) = number_range(at);
    least.is_none_or(|least| value >= least) && most.is_none_or(|most| value <= most)
}

fn whole_number(least: i128, most: i128) -> String {
    format!("a whole number from {} to {}", grouped(&least.to_string()), grouped(&most.to_string()))
}

/// Value expected at a place, for "expected …".
pub(super) fn in_words(at: At<'_>) -> String {
    match at.shape() {
        Shape::Map => {
            let keys: Vec<&str> = at.keys().collect();
            if keys.is_empty() { "a map".into() } else { format!("a map with {}", list_words(&keys)) }
        }
        Shape::List(items) => match items.map(|i| (i, i.shape())) {
            None => "a list".into(),
            Some((_, Shape::Map)) => "a list of maps".into(),
            Some((_, Shape::Text)) => "a list of texts".into(),
            Some((item, _)) => format!("a list, each item {}", in_words(item)),
        },
        Shape::Variants(variants) => format!("one of {}", list_words(&variants.iter().map(|v| v.name).collect::<Vec<_>>())),
        Shape::AnyOf(all) => all.into_iter().map(in_words).collect::<Vec<_>>().join(" or "),
        Shape::Quantity(name) => quantity::in_words(name, at),
        Shape::Integer => match integer_range(at) {
            // A bound this large is left out; a value above it is reported with the full range.
            (least, most) if most >= i128::from(u32::MAX) => format!("a whole number of at least {least}"),
            (least, most) => whole_number(least, most),
        },
        Shape::Number => match number_range(at) {
            (None, None) => "a number".into(),
            (Some(least), None) => format!("a number of at least {least}"),
            (None, Some(most)) => format!("a number of at most {most}"),
            (Some(least), Some(most)) => format!("a number from {least} to {most}"),
        },
        Shape::Text => "text".into(),
        Shape::Bool => "`true` or `false`".into(),
        Shape::Anything => "a value".into(),
    }
}

fn example(word: &str, inner: At<'_>) -> Option<String> {
    let keys: Vec<String> = inner.required().map(|k| format!("{k}: …")).collect();
    (!keys.is_empty()).then(|| format!("write `{{{word}: {{{}}}}}`", keys.join(", ")))
}

/// Description of a node, for "found …": a scalar as written, cut if long.
pub(super) fn found(node: &Node, sources: &Sources) -> String {
    let written = || match sources.slice(&node.span) {
        Some(text) => text.to_owned(),
        None => match &node.kind {
            Kind::Bool(value) => value.to_string(),
            Kind::Int(value) => value.to_string(),
            Kind::Float(value) => value.to_string(),
            Kind::Text(value) => value.clone(),
            _ => String::new(),
        },
    };
    match &node.kind {
        Kind::Null => "nothing".into(),
        Kind::List(items) if items.is_empty() => "an empty list".into(),
        Kind::List(_) => "a list".into(),
        Kind::Map(_) => "a map".into(),
        _ => format!("`{}`", cut(&written(), 60)),
    }
}

/// Text of at most `most` characters on one line.
pub(super) fn cut(text: &str, most: usize) -> String {
    let line: String = text.chars().take(most).map(|c| if c == '\n' { ' ' } else { c }).collect();
    if line.len() < text.len() { format!("{line}…") } else { line }
}

/// "`a`, `b` or `c`", at most twelve of them.
pub(crate) fn list_words(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().take(12).map(|w| format!("`{}`", cut(w, 40))).collect();
    if words.len() > 12 {
        return format!("{}, …", quoted.join(", "));
    }
    match quoted.as_slice() {
        [] => "nothing".into(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests;
