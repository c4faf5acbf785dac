//! Lines of bounded length from a stream of any length. Owns the single line buffer; must not know the meaning of lines.

use std::io::{self, BufRead, Read};

/// Maximum line length, bytes: many times the prefix ids of the longest plausible prompt.
pub(super) const MAX_LINE: usize = 64 << 20;
/// A buffer that one long line has grown beyond this is released at the next line.
const KEEP: usize = 1 << 20;

/// Result of a read; the text of a `Whole` or `Torn` line is [`Lines::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A line with its line end.
    Whole,
    /// The last line, without a line end.
    Torn,
    /// A line beyond the maximum length; the next read skips the rest of it.
    TooLong,
    /// End of the stream.
    End,
}

/// Reads line by line.
pub(super) struct Lines {
    input: Box<dyn BufRead + Send>,
    longest: usize,
    buffer: Vec<u8>,
    number: u64,
    /// The last line was too long, and the rest of it must be skipped first.
    rest: bool,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Lines {
    /// Reads lines of at most `longest` bytes, line end included.
    pub(super) fn new(input: Box<dyn BufRead + Send>, longest: usize) -> Self {
        Self { input, longest, buffer: Vec::new(), number: 0, rest: false }
    }

    /// Number of the last line read, from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// The last line read, without its line end.
    pub(super) fn text(&self) -> &[u8] {
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// Reads the next line. After an error, the number is that of the line with the error.
    pub(super) fn read(&mut self) -> io::Result<Line> {
        self.buffer.clear();
        if self.buffer.capacity() > KEEP {
            self.buffer.shrink_to(KEEP);
        }
        if std::mem::take(&mut self.rest) {
            self.input.skip_until(b'\n')?;
        }
        self.number += 1;
        let read = self.input.by_ref().take(self.longest as u64).read_until(b'\n', &mut self.buffer)?;
        if self.buffer.ends_with(b"\n") {
            return Ok(Line::Whole);
        }
        if read == 0 {
            return Ok(Line::End);
        }
        if read == self.longest && !self.input.fill_buf()?.is_empty() {
            self.buffer.clear();
            self.rest = true;
            return Ok(Line::TooLong);
        }
        Ok(Line::Torn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufReader, Cursor};

    #[test]
    fn all_common_line_ends_are_accepted() {
        let mut lines = Lines::new(Box::new(Cursor::new(b"a\nbc\r\n\nlast".to_vec())), 100);
        let mut seen = Vec::new();
        loop {
            let line = lines.read().unwrap();
            if line == Line::End {
                break;
            }
            seen.push((lines.number(), line, String::from_utf8(lines.text().to_vec()).unwrap()));
        }
        let expected = [(1, Line::Whole, "a"), (2, Line::Whole, "bc"), (3, Line::Whole, ""), (4, Line::Torn, "last")];
        assert_eq!(seen, expected.map(|(n, line, text)| (n, line, text.to_owned())));
    }

    #[test]
    fn a_line_at_the_limit_is_read_and_a_longer_one_is_skipped() {
        let mut lines = Lines::new(Box::new(Cursor::new(b"abc\nabcd\nxy\nabcd".to_vec())), 4);
        assert_eq!(lines.read().unwrap(), Line::Whole);
        assert_eq!(lines.read().unwrap(), Line::TooLong);
        assert_eq!((lines.read().unwrap(), lines.text(), lines.number()), (Line::Whole, b"xy".as_slice(), 3));
        assert_eq!(lines.read().unwrap(), Line::Torn);
        assert_eq!(lines.read().unwrap(), Line::End);
    }

    /// A caller that stops there need not find its end.
    #[test]
    fn a_line_without_end_is_reported_before_its_end_is_searched() {
        let mut lines = Lines::new(Box::new(BufReader::new(io::repeat(0))), 1 << 16);
        assert_eq!(lines.read().unwrap(), Line::TooLong);
    }

    #[test]
    fn a_gigabyte_without_a_line_end_needs_no_memory() {
        let endless = io::repeat(b'x').take(1 << 30).chain(Cursor::new(b"\nok\n".to_vec()));
        let mut lines = Lines::new(Box::new(BufReader::new(endless)), 1 << 16);
        assert_eq!(lines.read().unwrap(), Line::TooLong);
        assert!(lines.buffer.capacity() <= 1 << 18);
        assert_eq!((lines.read().unwrap(), lines.text()), (Line::Whole, b"ok".as_slice()));
    }
}
