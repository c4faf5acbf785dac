//! From a path to a typed value: read, include, override, check, convert.
//!
//! Owns: the order of these steps, the limits on includes, and the [`Document`] that keeps the place of every value.
//! Must not know: the meaning of the values.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::check::{check, found};
use super::diagnostic::ConfigErrors;
use super::mend::{mended, part};
use super::merge::{canonical, drop_nulls, overlay};
use super::overrides;
use super::parse::parse;
use super::path::follow;
use super::schema::{At, schema_of};
use super::source::{DOCUMENT, Source, Sources, read};
use super::tree::{Fault, FileId, Kind, Node, Span};

/// Most levels of nested includes.
const MAX_DEPTH: usize = 16;
/// Most included files.
const MAX_FILES: usize = 256;

/// Looks up a compiled-in text by the path under which a document includes it: its name for messages, and the text.
pub(crate) type BuiltIn = fn(&Path) -> Option<(String, &'static str)>;

/// Source of a document.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// A file.
    File(&'a Path),
    /// A text, compiled into the binary or otherwise in memory; its relative paths are relative to the current folder.
    Text {
        /// Name for messages.
        name: &'a str,
        /// The text.
        text: &'a str,
    },
}

/// A checked document with the place of every value.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    root: Node,
    sources: Sources,
}

/// A typed value and the document it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<T> {
    /// The value.
    pub value: T,
    /// The document, for the places of later errors.
    pub document: Document,
}

/// Problems with the meaning of a document, collected and reported together.
#[derive(Debug)]
pub struct Problems<'d> {
    document: &'d Document,
    faults: Vec<Fault>,
}

/// Structural problems of a document.
#[derive(Debug)]
pub(crate) struct Refused<T> {
    /// The problems.
    pub(crate) errors: ConfigErrors,
    /// If only numbers are wrong: the document with valid numbers in their places, and their paths.
    pub(crate) rest: Option<(Loaded<T>, Vec<String>)>,
}

impl<T> Refused<T> {
    /// These problems, and those that `meaning` finds in the rest, except possible consequences of the substituted numbers.
    pub(crate) fn with_meaning(self, meaning: impl FnOnce(Loaded<T>) -> Option<ConfigErrors>) -> ConfigErrors {
        let Some((rest, paths)) = self.rest else { return self.errors };
        let independent = |path: &str| !path.is_empty() && paths.iter().all(|wrong| part(wrong) != part(path));
        meaning(rest).into_iter().fold(self.errors, |all, more| all.and(more, independent))
    }
}

/// Reads a document of any type that has a schema.
pub fn load<T: DeserializeOwned + JsonSchema>(input: Input<'_>, sets: &[String]) -> Result<Loaded<T>, ConfigErrors> {
    try_load(input, sets, &schema_of::<T>(), |_| None).map_err(|refused| refused.errors)
}

/// The same against the caller's schema, with the texts that documents may include by name. The error carries the rest of the document.
pub(crate) fn try_load<T: DeserializeOwned>(
    input: Input<'_>,
    sets: &[String],
    schema: &Value,
    built_in: BuiltIn,
) -> Result<Loaded<T>, Box<Refused<T>>> {
    let refuse = |errors| Box::new(Refused { errors, rest: None });
    let mut loader = Loader { sources: Sources::default(), faults: Vec::new(), schema, built_in };
    let root = match input {
        Input::File(path) => {
            let name = path.display().to_string();
            let text = read(path, DOCUMENT).map_err(|e| refuse(ConfigErrors::file(&name, &e.problem, e.hint)))?;
            loader.document(&name, Some(path), &text, &mut Vec::new())
        }
        Input::Text { name, text } => loader.document(name, None, text, &mut Vec::new()),
    };
    let Some(mut root) = root else { return Err(refuse(ConfigErrors::new(loader.faults, &loader.sources))) };
    loader.overrides(&mut root, sets);
    drop_nulls(&mut root, At::root(schema));
    let Loader { sources, mut faults, .. } = loader;
    let found = check(&root, schema, &sources);
    // Keys that a broken include may have defined are not reported missing.
    let whole = faults.iter().all(|f| f.path != "include" && f.span.file == FileId::default());
    faults.extend(found.into_iter().filter(|f| whole || !f.problem.starts_with("missing ")));
    if faults.is_empty() {
        return typed(Document { root, sources }).map_err(refuse);
    }
    let rest = mended(&root, At::root(schema), &faults).filter(|root| check(root, schema, &sources).is_empty());
    let rest = rest.and_then(|root| typed(Document { root, sources: sources.clone() }).ok());
    let paths = faults.iter().map(|fault| fault.path.clone()).collect();
    Err(Box::new(Refused { errors: ConfigErrors::new(faults, &sources), rest: rest.map(|rest| (rest, paths)) }))
}

/// The value of a checked document.
fn typed<T: DeserializeOwned>(document: Document) -> Result<Loaded<T>, ConfigErrors> {
    match serde_path_to_error::deserialize(document.root.to_json()) {
        Ok(value) => Ok(Loaded { value, document }),
        Err(error) => {
            let mut problems = document.problems();
            let (mut path, message) = (error.path().to_string(), error.inner().to_string());
            // The path does not name a key of the wrong kind; the message begins with it.
            if let (Some(parent), Some(key)) = (path.strip_suffix(".?"), message.split('`').nth(1)) {
                path = super::path::join(parent, key);
            }
            problems.push(&path, message, None, None);
            Err(ConfigErrors::new(problems.faults, &document.sources))
        }
    }
}

struct Loader<'s> {
    sources: Sources,
    faults: Vec<Fault>,
    schema: &'s Value,
    built_in: BuiltIn,
}

impl Loader<'_> {
    /// Parses one text and its includes. `chain` holds the files that led here.
    fn document(&mut self, name: &str, path: Option<&Path>, text: &str, chain: &mut Vec<(PathBuf, String)>) -> Option<Node> {
        let file = self.sources.add(name, path.map(Path::to_path_buf), text);
        let (root, faults) = parse(text, file);
        self.faults.extend(faults);
        let mut root = root?;
        if root.kind == Kind::Null {
            let start = Span { file, ..Span::default() };
            self.faults.push(Fault::new(start, "the file is empty").hint("`tokenmill init` writes one to start from".to_owned()));
            return None;
        }
        let Kind::Map(entries) = &mut root.kind else {
            let what = found(&root, &self.sources);
            self.faults.push(Fault::new(root.span, format!("found {what}")).expected("a map: `key: value` on each line"));
            return None;
        };
        let include = entries.iter().position(|e| e.key == "include").map(|i| entries.remove(i).value);
        let at = At::root(self.schema);
        canonical(&mut root, at, file);
        let Some(include) = include else { return Some(root) };
        // The chain has this file by its real path, so that a cycle is found whichever way it is spelt; a text without a path by its name.
        let real = path.map_or_else(|| Some(PathBuf::from(name)), |p| p.canonicalize().ok()).unwrap_or_default();
        chain.push((real, name.to_owned()));
        let mut base: Option<Node> = None;
        for item in self.include_items(include) {
            if let Some(included) = self.include(&item, chain) {
                base = Some(match base {
                    Some(earlier) => overlay(earlier, included, Some(at)),
                    None => included,
                });
            }
        }
        chain.pop();
        Some(match base {
            Some(base) => overlay(base, root, Some(at)),
            None => root,
        })
    }

    fn include_items(&mut self, include: Node) -> Vec<Node> {
        let items = match include.kind {
            Kind::Null => return Vec::new(),
            Kind::List(items) => items,
            _ => vec![include],
        };
        let (good, bad): (Vec<Node>, Vec<Node>) = items.into_iter().partition(|i| matches!(&i.kind, Kind::Text(t) if !t.is_empty()));
        for node in bad {
            let what = found(&node, &self.sources);
            self.faults.push(Fault::new(node.span, format!("found {what}")).at("include").expected("the path of a file"));
        }
        good
    }

    fn include(&mut self, item: &Node, chain: &mut Vec<(PathBuf, String)>) -> Option<Node> {
        let Kind::Text(text) = &item.kind else { return None };
        let path = self.sources.folder(&item.span).join(text);
        let from_file = self.sources.get(item.span.file).is_some_and(|source| source.path.is_some());
        // Compiled-in texts include compiled-in texts; a file falls back on them if there is no such file on disk.
        let shipped = (self.built_in)(Path::new(text)).filter(|_| !from_file || !path.exists());
        let fail = |problem: String, hint: Option<String>| Fault::new(item.span, problem).at("include").hint(hint);
        if self.sources.iter().count() >= MAX_FILES {
            self.faults.push(fail(format!("more than {MAX_FILES} files are included"), None));
            return None;
        }
        let name = shipped.as_ref().map_or_else(|| path.display().to_string(), |(name, _)| name.clone());
        let real = if shipped.is_some() { PathBuf::from(&name) } else { path.canonicalize().unwrap_or_else(|_| path.clone()) };
        if let Some(start) = chain.iter().position(|(p, _)| *p == real) {
            let mut round: Vec<&str> = chain.iter().skip(start).map(|(_, n)| n.as_str()).collect();
            round.push(&name);
            self.faults.push(fail(format!("circular include: {}", round.join(" → ")), None));
            return None;
        }
        if chain.len() >= MAX_DEPTH {
            self.faults.push(fail(format!("includes nest more than {MAX_DEPTH} deep"), None));
            return None;
        }
        if let Some((name, text)) = shipped {
            return self.document(&name, None, text, chain);
        }
        match read(&path, DOCUMENT) {
            Ok(text) => self.document(&name, Some(&path), &text, chain),
            Err(error) => {
                self.faults.push(fail(error.sentence(&path), error.hint));
                None
            }
        }
    }

    fn overrides(&mut self, root: &mut Node, sets: &[String]) {
        for (i, text) in sets.iter().enumerate() {
            let file = overrides::add(&mut self.sources, i + 1, text);
            // An option that cannot be applied leaves the document unchanged.
            let mut changed = root.clone();
            match overrides::apply(&mut changed, text, file, At::root(self.schema)) {
                Ok(()) => {
                    canonical(&mut changed, At::root(self.schema), file);
                    *root = changed;
                }
                Err(faults) => self.faults.extend(faults),
            }
        }
    }
}

impl Document {
    /// A collector for problems with the meaning of this document.
    pub fn problems(&self) -> Problems<'_> {
        Problems { document: self, faults: Vec::new() }
    }

    /// Its source texts.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The tree, with includes and overrides applied.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Place of the value of `path`, or of its nearest ancestor if the value is not written.
    pub fn span(&self, path: &str) -> Span {
        let (node, key, whole) = follow(&self.root, path);
        match (key, &node.kind) {
            // A map or a missing key is best shown by the key above it.
            (Some(key), Kind::Map(_) | Kind::List(_) | Kind::Null) => key,
            (Some(key), _) if !whole => key,
            _ => match &node.kind {
                Kind::Map(entries) => entries.first().map_or(node.span, |e| e.key_span),
                _ => node.span,
            },
        }
    }

    /// True if the value of `path` is written, not left to its default.
    pub fn has(&self, path: &str) -> bool {
        follow(&self.root, path).2
    }

    /// `file` as written at `path`, resolved against the file that names it.
    pub fn resolve(&self, path: &str, file: &str) -> PathBuf {
        self.sources.folder(&self.span(path)).join(file)
    }
}

impl Problems<'_> {
    /// Notes `found` at `path` in place of `expected`: "found `3`", "a divisor of 64".
    pub fn at(&mut self, path: &str, found: impl std::fmt::Display, expected: &str, hint: Option<String>) {
        self.push(path, format!("found {found}"), Some(expected.to_owned()), hint);
    }

    /// Notes a problem in free text.
    pub fn note(&mut self, path: &str, problem: &str, hint: Option<String>) {
        self.push(path, problem.to_owned(), None, hint);
    }

    /// Notes that `word` at `path` is not among `known`; the nearest known word becomes the hint.
    pub fn unknown(&mut self, path: &str, what: &str, word: &str, known: &[&str]) {
        self.unknown_hinted(path, what, word, known, None);
    }

    /// The same with a hint that replaces the nearest word, if given.
    pub fn unknown_hinted(&mut self, path: &str, what: &str, word: &str, known: &[&str], better: Option<String>) {
        let nearest = || crate::units::nearest_word(word, known.iter().copied()).map(|n| format!("did you mean `{n}`?"));
        let hint = better.or_else(nearest);
        let expected = format!("one of {}", super::check::list_words(known));
        self.push(path, format!("unknown {what} `{word}`"), Some(expected), hint);
    }

    fn push(&mut self, path: &str, problem: String, expected: Option<String>, hint: Option<String>) {
        let span = self.document.span(path);
        self.faults.push(Fault { span, path: path.to_owned(), problem, expected, hint });
    }

    /// True if the value of `path` was written.
    pub fn has(&self, path: &str) -> bool {
        self.document.has(path)
    }

    /// True if the value of `path` was given on the command line.
    pub fn is_option(&self, path: &str) -> bool {
        let span = self.document.span(path);
        self.document.sources.get(span.file).is_some_and(Source::is_option)
    }

    /// True if something was noted at `path` or below it.
    pub fn touch(&self, path: &str) -> bool {
        let below = |found: &str| found.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        self.faults.iter().any(|fault| below(&fault.path))
    }

    /// True if nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// `Ok` if nothing was noted, all problems otherwise.
    pub fn finish(self) -> Result<(), ConfigErrors> {
        if self.faults.is_empty() { Ok(()) } else { Err(ConfigErrors::new(self.faults, &self.document.sources)) }
    }
}
