//! One YAML text to one tree with places.
//!
//! Owns: parsing, and the limits against hostile documents (those of the YAML crate, left on). Must not know: files, schemas, scenarios.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::granit_parser::{Event, Parser};
use serde_yaml::{DuplicateKeyPolicy, Location, MessageFormatter, NonFiniteFloatPolicy, Options, Spanned, UserMessageFormatter};

use super::tree::{Entry, Fault, FileId, Kind, Node, Span};

/// Parses one document. A tree may come with faults (duplicate keys); without a tree there is at least one fault.
pub(super) fn parse(text: &str, file: FileId) -> (Option<Node>, Vec<Fault>) {
    match parse_with(text, DuplicateKeyPolicy::Error) {
        Ok(mut node) => {
            node.for_each_span(&mut |s| s.file = file);
            (Some(node), Vec::new())
        }
        Err(error) => {
            // All duplicate keys are reported at once; with the first of each, the rest of the file can still be checked.
            if let Ok(mut node) = parse_with(text, DuplicateKeyPolicy::FirstWins) {
                node.for_each_span(&mut |s| s.file = file);
                let mut faults = duplicate_keys(text, file);
                if faults.is_empty() {
                    faults.push(syntax_fault(&error, file));
                }
                (Some(node), faults)
            } else {
                (None, vec![syntax_fault(&error, file)])
            }
        }
    }
}

fn parse_with(text: &str, duplicates: DuplicateKeyPolicy) -> Result<Node, serde_yaml::Error> {
    let options: Options = serde_yaml::options! {
        strict_booleans: true,
        with_snippet: false,
        emit_comments: false,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        duplicate_keys: duplicates,
    };
    serde_yaml::from_str_with_options::<Node>(text, options)
}

fn syntax_fault(error: &serde_yaml::Error, file: FileId) -> Fault {
    let message = UserMessageFormatter.format_message(error);
    let (problem, hint): (Cow<'_, str>, Option<&str>) = if message.contains("tabs disallowed") {
        ("a tab is used for indentation".into(), Some("indent with spaces"))
    } else if message.contains("mapping values are not allowed") {
        ("a second `:` on one line".into(), Some("put text that contains `: ` in quotes, and check the indentation"))
    } else if message.contains("expected string scalar") {
        ("a key that is not text".into(), Some("put text that starts with `{` or `[` in quotes"))
    } else if message.contains("only single YAML document") {
        ("a second document starts here".into(), Some("keep one document in a file; remove the `---`"))
    } else if message.contains("recursion limit") || message.contains("depth") {
        ("nested too deeply".into(), None)
    } else {
        (message, None)
    };
    let mut span = error.location().map_or(Span { line: 1, column: 1, ..Span::default() }, |l| to_span(&l));
    span.file = file;
    Fault::new(span, format!("not valid YAML: {problem}")).hint(hint.map(str::to_owned))
}

fn to_span(location: &Location) -> Span {
    let bytes = location.span();
    let size = |n: Option<u64>| n.and_then(|n| usize::try_from(n).ok());
    Span {
        file: FileId(0),
        line: location.line(),
        column: location.column(),
        start: size(bytes.byte_offset()).unwrap_or(0),
        len: size(bytes.byte_len()).unwrap_or(0),
    }
}

/// A container that is open in the stream of events.
enum Open {
    List,
    /// Keys seen so far with their lines, and whether a key comes next.
    Map {
        keys: BTreeMap<String, usize>,
        key_next: bool,
    },
}

/// All keys that are given twice in one map. Reads the events of a text that is known to parse.
fn duplicate_keys(text: &str, file: FileId) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let Ok((event, place)) = event else { break };
        match event {
            Event::Scalar(value, ..) => {
                if let Some(Open::Map { keys, key_next: true }) = open.last_mut() {
                    let line = place.start.line();
                    if let Some(first) = keys.get(&*value) {
                        let start = place.start.byte_offset().unwrap_or(0);
                        let span = Span {
                            file,
                            line: line as u64,
                            column: place.start.col() as u64 + 1,
                            start,
                            len: place.end.byte_offset().map_or(0, |end| end.saturating_sub(start)),
                        };
                        let hint = format!("it is already on line {first}; keep one of the two");
                        faults.push(Fault::new(span, format!("key `{value}` is given twice")).hint(hint));
                    } else {
                        keys.insert(value.into_owned(), line);
                    }
                }
                complete(&mut open);
            }
            Event::Alias(_) => complete(&mut open),
            Event::SequenceStart(..) => open.push(Open::List),
            Event::MappingStart(..) => open.push(Open::Map { keys: BTreeMap::new(), key_next: true }),
            Event::SequenceEnd | Event::MappingEnd => {
                open.pop();
                complete(&mut open);
            }
            _ => {}
        }
    }
    faults
}

/// A node is complete: in a map, keys and values alternate.
fn complete(open: &mut [Open]) {
    if let Some(Open::Map { key_next, .. }) = open.last_mut() {
        *key_next = !*key_next;
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { kind: spanned.value, span: to_span(&spanned.referenced) })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        Kind::deserialize(deserializer)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Int(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Int(value.into()))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Kind, E> {
        Ok(Kind::Int(value))
    }
    fn visit_u128<E>(self, value: u128) -> Result<Kind, E> {
        Ok(i128::try_from(value).map_or(Kind::Float(value as f64), Kind::Int))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.into()))
    }
    fn visit_bytes<E>(self, value: &[u8]) -> Result<Kind, E> {
        Ok(Kind::Text(String::from_utf8_lossy(value).into_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = access.next_entry::<Spanned<String>, Node>()? {
            entries.push(Entry { key_span: to_span(&key.referenced), key: key.value, value });
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn good(text: &str) -> Node {
        let (node, faults) = parse(text, FileId(0));
        assert_eq!(faults, vec![]);
        node.unwrap()
    }

    fn text_of<'a>(text: &'a str, span: &Span) -> &'a str {
        &text[span.start..span.start + span.len]
    }

    #[test]
    fn every_key_and_value_has_its_place() {
        let text = "a: 1\npools:\n  - {name: décode, rate: 5.5 /s}\n";
        let root = good(text);
        let Kind::List(items) = &root.get("pools").unwrap().kind else { panic!("a list") };
        let name = items[0].entry("name").unwrap();
        assert_eq!((name.key_span.line, name.key_span.column), (3, 6));
        assert_eq!(text_of(text, &name.key_span), "name");
        let rate = items[0].entry("rate").unwrap();
        // Columns count characters: é is one, though two bytes.
        assert_eq!((rate.value.span.line, rate.value.span.column), (3, 26));
        assert_eq!(text_of(text, &rate.value.span), "5.5 /s");
    }

    #[test]
    fn all_duplicate_keys_are_found_and_the_tree_is_kept() {
        let text = "a: 1\nb: {c: 1, c: 2}\na: 2\nd: [{e: 1}, {e: 1}]\n";
        let (root, faults) = parse(text, FileId(0));
        let found: Vec<_> = faults.iter().map(|f| (f.span.line, f.span.column, f.problem.as_str())).collect();
        assert_eq!(found, [(2, 11, "key `c` is given twice"), (3, 1, "key `a` is given twice")]);
        assert_eq!(faults[1].hint.as_deref(), Some("it is already on line 1; keep one of the two"));
        assert_eq!(root.unwrap().get("a").unwrap().kind, Kind::Int(1));
    }

    #[test]
    fn numbers_are_numbers_and_words_are_words() {
        let root = good("[80, -4, 1e300, .nan, 20k, yes, on, '5', true, ~, 12:30]");
        let Kind::List(items) = root.kind else { panic!("a list") };
        let kinds: Vec<String> = items.iter().map(|i| format!("{:?}", i.kind)).collect();
        let expected =
            ["Int(80)", "Int(-4)", "Float(1e300)", "Float(NaN)", "Text(\"20k\")", "Text(\"yes\")", "Text(\"on\")", "Text(\"5\")"];
        assert_eq!(kinds[..8], expected);
        assert_eq!(kinds[8..], ["Bool(true)", "Null", "Text(\"12:30\")"]);
    }

    #[test]
    fn anchors_and_merge_keys_work() {
        let root = good("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\ne: *x\n");
        assert_eq!(root.get("d").unwrap().get("b").unwrap().kind, Kind::Int(1));
        assert_eq!(root.get("d").unwrap().get("c").unwrap().kind, Kind::Int(3));
        // The place of an alias is where it is used.
        assert_eq!(root.get("e").unwrap().span.line, 5);
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let item = format!("*a{}, ", i - 1);
            writeln!(text, "a{i}: &a{i} [{}]", item.repeat(9)).unwrap();
        }
        let (root, faults) = parse(&text, FileId(0));
        assert!(root.is_none());
        assert_eq!(faults.len(), 1);
    }

    #[test]
    fn syntax_errors_are_one_fault_with_a_place() {
        for (text, line, problem) in [
            ("a: [1,\n", 1, "not valid YAML: unclosed bracket '['"),
            ("a:\n\t- b\n", 2, "not valid YAML: a tab is used for indentation"),
            ("a: b: c\n", 1, "not valid YAML: a second `:` on one line"),
            ("--- a\n--- b\n", 2, "not valid YAML: a second document starts here"),
            ("a: {{ x }}\n", 1, "not valid YAML: a key that is not text"),
            ("a: *nope\n", 1, "not valid YAML: reference to unknown value"),
        ] {
            let (root, faults) = parse(text, FileId(0));
            assert!(root.is_none(), "{text}");
            assert_eq!((faults.len(), faults[0].span.line, faults[0].problem.as_str()), (1, line, problem));
        }
    }

    #[test]
    fn deep_nesting_is_refused_without_stack_overflow() {
        for open in ["[", "{a: "] {
            let (root, faults) = parse(&open.repeat(100_000), FileId(0));
            assert!(root.is_none());
            assert_eq!(faults.len(), 1);
        }
    }
}
