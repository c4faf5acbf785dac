//! A document as a tree with the place of every key and value.
//!
//! Owns: the tree and faults at its places. Must not know: YAML, files, schemas, scenarios.

/// Index of a file (or of a `--set`) among the sources of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FileId(pub usize);

/// Place in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The source.
    pub file: FileId,
    /// Line, from 1; 0 if the place is the whole source.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// First byte.
    pub start: usize,
    /// Length in bytes; 0 for a node without text of its own, such as a block map.
    pub len: usize,
}

/// Kind of a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Empty value, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i128),
    /// Any other number, `.nan` and `.inf` included.
    Float(f64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order written.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key as text.
    pub key: String,
    /// Place of the key.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its kind.
    pub kind: Kind,
    /// Its place.
    pub span: Span,
}

/// A fault at a place, before file names are known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    /// Its place.
    pub(super) span: Span,
    /// Path of the value in the document, such as `cluster.pools[1].instances`; empty for the document itself.
    pub(super) path: String,
    /// What was found, as a clause: "found `four`", "unknown key `tpp`".
    pub(super) problem: String,
    /// Expected value.
    pub(super) expected: Option<String>,
    /// Suggested fix.
    pub(super) hint: Option<String>,
}

impl Fault {
    /// A fault without a path.
    pub(super) fn new(span: Span, problem: impl Into<String>) -> Self {
        Self { span, path: String::new(), problem: problem.into(), expected: None, hint: None }
    }

    /// The same with a path.
    #[must_use]
    pub(super) fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The same with what was expected.
    #[must_use]
    pub(super) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    /// The same with a hint.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<Option<String>>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl Node {
    /// The value under `key`, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|e| &e.value)
    }

    /// The entry of `key`, if this is a map that has it.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.kind {
            Kind::Map(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    /// As JSON. Numbers that JSON cannot represent become `null`; the checks have refused them already.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(b) => Value::Bool(*b),
            Kind::Int(i) => u64::try_from(*i).map(Value::from).or_else(|_| i64::try_from(*i).map(Value::from)).unwrap_or(Value::Null),
            Kind::Float(f) => Value::from(*f),
            Kind::Text(t) => Value::String(t.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(entries) => Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_json())).collect()),
        }
    }

    /// Calls `f` on every span of the tree.
    pub(super) fn for_each_span(&mut self, f: &mut impl FnMut(&mut Span)) {
        f(&mut self.span);
        match &mut self.kind {
            Kind::List(items) => items.iter_mut().for_each(|i| i.for_each_span(f)),
            Kind::Map(entries) => {
                for entry in entries {
                    f(&mut entry.key_span);
                    entry.value.for_each_span(f);
                }
            }
            _ => {}
        }
    }
}
