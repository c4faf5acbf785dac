//! Diagnostics for the user: message, place, source line with a caret, hint.
//!
//! Owns: the frame of a message, the order and the rendering (plain, or in styled pieces for a front end to colour). Must not know:
//! terminals, schemas.

use std::fmt;

use thiserror::Error;

use super::excerpt::Lines;
use super::source::Sources;
use super::tree::Fault;

/// More problems than this are counted, not shown.
const SHOWN: usize = 50;
/// More problems than this are counted, not kept.
const KEPT: usize = 1000;

/// One problem with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// Name of the file or option.
    pub file: String,
    /// Line, from 1; 0 for a problem with the file as a whole.
    pub line: u64,
    /// Column in characters, from 1.
    pub column: u64,
    /// Path of the value, such as `cluster.pools[1].instances`; empty for the document itself.
    pub path: String,
    /// What was found, as a clause: "found `four`", "unknown key `tpp`".
    pub found: String,
    /// Expected value; empty if `found` is enough.
    pub expected: String,
    /// Suggested fix.
    pub hint: Option<String>,
    /// The source line as shown: a long line is cut around the caret. Empty without a line.
    pub snippet: String,
    /// Columns of the snippet before the caret.
    pub caret: usize,
    /// Columns that the caret underlines, at least 1.
    pub underline: usize,
}

/// Style of a piece of a rendered diagnostic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// The word `error`.
    Error,
    /// The message.
    Message,
    /// Arrows, bars and line numbers.
    Frame,
    /// Source text.
    Source,
    /// The caret.
    Caret,
    /// The word `hint`.
    Hint,
    /// Anything else.
    Plain,
}

/// A piece of a rendered diagnostic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its style.
    pub style: Style,
    /// The text, line ends included.
    pub text: String,
}

/// All problems of an input, in the order of files and lines. User error; nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", self.render())]
pub struct ConfigErrors {
    /// At least one.
    diagnostics: Vec<Diagnostic>,
    /// Number of problems beyond those kept.
    more: usize,
}

impl Diagnostic {
    /// The message without its place: ``cluster.pools[0].instances: found `0`, expected a whole number of at least 1``.
    pub fn message(&self) -> String {
        let mut text = String::new();
        if !self.path.is_empty() {
            text.push_str(&self.path);
            text.push_str(": ");
        }
        text.push_str(&self.found);
        if !self.expected.is_empty() {
            text.push_str(", expected ");
            text.push_str(&self.expected);
        }
        text
    }

    fn of(fault: Fault, sources: &Sources, lines: &Lines) -> Self {
        let source = sources.get(fault.span.file);
        let (snippet, caret, underline) = lines.of(&fault.span, sources).map(|l| l.excerpt()).unwrap_or_default();
        Self {
            file: source.map(|s| s.name.clone()).unwrap_or_default(),
            line: fault.span.line,
            column: fault.span.column,
            path: fault.path,
            found: fault.problem,
            expected: fault.expected.unwrap_or_default(),
            hint: fault.hint,
            snippet,
            caret,
            underline: underline.max(1),
        }
    }

    /// The diagnostic in pieces; joined they are its plain text, which ends with a line end.
    pub fn segments(&self) -> Vec<Segment> {
        let mut out = Vec::new();
        let mut push = |style, text: String| out.push(Segment { style, text });
        push(Style::Error, "error".into());
        push(Style::Message, format!(": {}\n", printable(&self.message())));
        let gutter = if self.line == 0 { 1 } else { self.line.to_string().len() };
        let blank = " ".repeat(gutter);
        let place = if self.line == 0 { self.file.clone() } else { format!("{}:{}:{}", self.file, self.line, self.column) };
        push(Style::Frame, format!("{blank}--> "));
        push(Style::Plain, format!("{}\n", printable(&place)));
        if self.line > 0 && !self.snippet.trim().is_empty() {
            push(Style::Frame, format!("{blank} |\n{} | ", self.line));
            push(Style::Source, format!("{}\n", self.snippet));
            push(Style::Frame, format!("{blank} | "));
            push(Style::Caret, format!("{}{}\n", " ".repeat(self.caret), "^".repeat(self.underline)));
        }
        if let Some(hint) = &self.hint {
            push(Style::Frame, format!("{blank} |\n"));
            push(Style::Hint, "hint".into());
            push(Style::Plain, format!(": {}\n", printable(hint)));
        }
        out
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments().iter().try_for_each(|s| f.write_str(&s.text))
    }
}

impl ConfigErrors {
    /// Sorts, removes duplicates, and looks up the source lines.
    pub(super) fn new(mut faults: Vec<Fault>, sources: &Sources) -> Self {
        faults.sort_by_key(|f| (f.span.file, f.span.line, f.span.column));
        let mut kept: Vec<Fault> = Vec::new();
        for fault in faults {
            // A value used twice through an alias is reported once.
            let twice = kept.iter().rev().take_while(|k| k.span == fault.span).any(|k| k.problem == fault.problem);
            if !twice {
                kept.push(fault);
            }
        }
        let more = kept.len().saturating_sub(KEPT);
        kept.truncate(KEPT);
        let lines = Lines::new(sources);
        Self { diagnostics: kept.into_iter().map(|f| Diagnostic::of(f, sources, &lines)).collect(), more }
    }

    /// These problems, and those of `other` whose paths are `wanted`.
    pub(super) fn and(mut self, other: Self, wanted: impl Fn(&str) -> bool) -> Self {
        self.diagnostics.extend(other.diagnostics.into_iter().filter(|diagnostic| wanted(&diagnostic.path)));
        self.diagnostics.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self
    }

    /// A single problem with a file as a whole.
    pub(crate) fn file(name: &str, problem: &str, hint: Option<String>) -> Self {
        let mut sources = Sources::default();
        let file = sources.add(name, None, "");
        let span = super::tree::Span { file, ..Default::default() };
        Self::new(vec![Fault::new(span, problem).hint(hint)], &sources)
    }

    /// The same, with this hint for every problem that has none.
    #[must_use]
    pub(crate) fn hinted(mut self, hint: &str) -> Self {
        for diagnostic in &mut self.diagnostics {
            diagnostic.hint.get_or_insert_with(|| hint.to_owned());
        }
        self
    }

    /// The problems in the order of files and lines; never empty.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// All of them in pieces; joined they are the plain text.
    pub fn segments(&self) -> Vec<Segment> {
        let mut out = Vec::new();
        let plain = |text: String| Segment { style: Style::Plain, text };
        for (i, diagnostic) in self.diagnostics.iter().take(SHOWN).enumerate() {
            if i > 0 {
                out.push(plain("\n".into()));
            }
            out.extend(diagnostic.segments());
        }
        let count = self.diagnostics.len() + self.more;
        if count > SHOWN {
            out.push(plain(format!("\n… and {} more\n", count - SHOWN)));
        }
        if count > 1 {
            out.push(plain(format!("\n{count} problems found\n")));
        }
        out
    }

    /// The plain text.
    pub fn render(&self) -> String {
        self.segments().into_iter().map(|s| s.text).collect()
    }
}

/// The text with control characters replaced: input must not control the terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tree::Span;
    use super::*;

    fn diagnose(text: &str, line: u64, column: u64, start: usize, len: usize) -> String {
        let mut sources = Sources::default();
        let file = sources.add("a.yaml", None, text);
        let fault = Fault::new(Span { file, line, column, start, len }, "found `x`").at("a.b").expected("a number");
        ConfigErrors::new(vec![fault], &sources).render()
    }

    #[test]
    fn the_caret_is_under_the_value() {
        insta::assert_snapshot!(diagnose("a: {b: xyz}\n", 1, 8, 7, 3), @r"
        error: a.b: found `x`, expected a number
         --> a.yaml:1:8
          |
        1 | a: {b: xyz}
          |        ^^^
        ");
    }

    #[test]
    fn wide_characters_and_tabs_keep_the_caret_in_place() {
        // Two wide characters before the value take four columns; the tab is shown as four.
        let text = "日本:\tx\n";
        let out = diagnose(text, 1, 5, 8, 1);
        let caret = out.lines().last().unwrap().find('^').unwrap();
        let shown: usize = "1 | ".len() + 4 + 1 + 4;
        assert_eq!(caret, shown, "{out}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}x{}\n", "a".repeat(500), "b".repeat(500));
        let out = diagnose(&text, 1, 501, 500, 1);
        let lines: Vec<&str> = out.lines().collect();
        assert!(lines[3].chars().count() < 120, "{out}");
        let caret = lines[4].find('^').unwrap();
        assert_eq!(lines[3].chars().nth(caret), Some('x'), "{out}");
    }

    #[test]
    fn control_characters_of_the_input_are_replaced() {
        let out = diagnose("a: \u{1b}[31mred\n", 1, 4, 3, 1);
        assert!(!out.contains('\u{1b}'));
    }
}
