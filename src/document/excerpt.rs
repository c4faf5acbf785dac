//! Source excerpt of a diagnostic.
//!
//! Owns: finding lines, cutting long lines around the caret, the width of characters. Must not know: the problems.

use super::source::Sources;
use super::tree::Span;

/// Widest excerpt, in characters.
const WIDTH: usize = 100;
/// Bytes read around the caret of a line longer than this.
const LONG: usize = 2000;

/// Starts of the lines of all sources.
pub(super) struct Lines(Vec<Vec<usize>>);

/// One line, or the part of it around a span.
pub(super) struct Line<'s> {
    text: &'s str,
    /// Characters before the caret.
    at: usize,
    /// Characters under the caret.
    marked: usize,
    cut_left: bool,
    cut_right: bool,
}

impl Lines {
    pub(super) fn new(sources: &Sources) -> Self {
        let starts = |text: &str| std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        Self(sources.iter().map(|s| starts(&s.text)).collect())
    }

    /// The line of a span; `None` if the span is a source as a whole.
    pub(super) fn of<'s>(&self, span: &Span, sources: &'s Sources) -> Option<Line<'s>> {
        let text = &sources.get(span.file)?.text;
        let starts = self.0.get(span.file.0)?;
        let number = usize::try_from(span.line).ok()?.checked_sub(1)?;
        let start = *starts.get(number)?;
        let end = starts.get(number + 1).copied().unwrap_or(text.len());
        let line = text.get(start..end)?.trim_end_matches(['\n', '\r']);
        let marked = sources.slice(span).map_or(1, |t| t.chars().take(WIDTH).count());
        if line.len() <= LONG {
            let at = usize::try_from(span.column).ok()?.saturating_sub(1);
            return Some(Line { text: line, at, marked, cut_left: false, cut_right: false });
        }
        let middle = boundary(line, span.start.saturating_sub(start));
        let (from, to) = (boundary(line, middle.saturating_sub(LONG / 2)), boundary(line, middle + LONG / 2));
        let at = line.get(from..middle)?.chars().count();
        Some(Line { text: line.get(from..to)?, at, marked, cut_left: from > 0, cut_right: to < line.len() })
    }
}

/// The last character boundary not after `at`.
fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl Line<'_> {
    /// The text to show, the columns before the caret, the caret's length.
    pub(super) fn excerpt(&self) -> (String, usize, usize) {
        let chars: Vec<char> = self.text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
        let at = self.at.min(chars.len());
        let first = if chars.len() <= WIDTH { 0 } else { at.saturating_sub(WIDTH / 2).min(chars.len().saturating_sub(WIDTH)) };
        let last = chars.len().min(first + WIDTH);
        let mut text = String::new();
        let (mut offset, mut length) = (0, 0);
        if first > 0 || self.cut_left {
            text.push('…');
            offset = 1;
        }
        for (i, c) in chars.iter().enumerate().take(last).skip(first) {
            let width = if *c == '\t' { 4 } else { columns(*c) };
            if i < at {
                offset += width;
            } else if i < at + self.marked {
                length += width;
            }
            if *c == '\t' { text.push_str("    ") } else { text.push(*c) }
        }
        if last < chars.len() || self.cut_right {
            text.push('…');
        }
        (text, offset, length.max(1))
    }
}

/// Columns of a character, exact enough to place a caret (East Asian wide and emoji blocks).
fn columns(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0x1f300..=0x1faff => 2,
        _ => 1,
    }
}
