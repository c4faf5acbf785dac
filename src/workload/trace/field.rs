//! Fields of a line: numbers, times, CSV columns. Owns the valid values and the wording of errors; must not know formats.

use serde::de::DeserializeOwned;

use super::super::lengths::MAX_TOKENS;
use super::skipped::SkipReason;

/// Nanoseconds of the latest time accepted: 292 years.
const MAX_NS: u128 = 9_200_000_000_000_000_000;
/// Maximum text in a message, characters.
const SHOWN: usize = 60;
/// Maximum part of a whole line shown below a message, characters.
const SHOWN_LINE: usize = 120;

/// Why a line is invalid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineProblem {
    pub(super) reason: SkipReason,
    /// Field, found and expected values.
    pub(super) text: String,
}

impl LineProblem {
    pub(super) fn new(reason: SkipReason, text: impl Into<String>) -> Self {
        Self { reason, text: text.into() }
    }

    /// The problem of a last line without a line end.
    pub(super) fn of_torn_line(self) -> Self {
        let text = format!("{} (the last line, without a line end: the file may be truncated)", self.text);
        Self { text, ..self }
    }
}

/// `name: found x, expected y`, the error of one field.
pub(super) fn unexpected(reason: SkipReason, name: &str, found: &[u8], expected: &str) -> LineProblem {
    LineProblem::new(reason, format!("{name}: found `{}`, expected {expected}", shown(found)))
}

/// Bytes of a file for a message: truncated, control characters escaped.
pub(super) fn shown(bytes: &[u8]) -> String {
    cut(bytes, SHOWN)
}

/// Bytes of a line shown on its own.
pub(super) fn shown_line(bytes: &[u8]) -> String {
    cut(bytes, SHOWN_LINE)
}

fn cut(bytes: &[u8], most: usize) -> String {
    let start = bytes.get(..4 * most).unwrap_or(bytes);
    let text = String::from_utf8_lossy(start);
    let mut out = String::new();
    for c in text.chars().take(most) {
        // Quotes stay readable; all other unprintable characters are escaped.
        if matches!(c, '"' | '\'') { out.push(c) } else { out.extend(c.escape_debug()) }
    }
    if text.chars().count() > most || start.len() < bytes.len() {
        out.push('…');
    }
    out
}

/// A number of tokens, 1 to [`MAX_TOKENS`].
pub(super) fn tokens(name: &str, field: &[u8]) -> Result<u32, LineProblem> {
    let Some(number) = whole(field) else {
        return Err(unexpected(SkipReason::Field, name, field, "a whole number of tokens, at least 1"));
    };
    match u32::try_from(number) {
        Ok(0) => Err(unexpected(SkipReason::ZeroTokens, name, field, "at least 1 token")),
        Ok(tokens) if tokens <= MAX_TOKENS => Ok(tokens),
        _ => Err(unexpected(SkipReason::TooManyTokens, name, field, "at most 16,777,216 tokens")),
    }
}

/// Parses digits; numbers that do not fit saturate. `None` if there is anything else.
pub(super) fn whole(field: &[u8]) -> Option<u64> {
    if field.is_empty() {
        return None;
    }
    let mut number = 0u64;
    for byte in field {
        let digit = u64::from(byte.wrapping_sub(b'0'));
        if digit > 9 {
            return None;
        }
        // Nineteen digits always fit.
        number = if field.len() < 20 { 10 * number + digit } else { number.saturating_mul(10).saturating_add(digit) };
    }
    Some(number)
}

/// Seconds since any origin, 0 or more, as whole nanoseconds: `12`, `0.000000001`, `1.5e3`. Decimal notation is parsed exactly, digits beyond
/// nanoseconds are dropped; exponents go through the nearest binary number.
pub(super) fn seconds(name: &str, field: &[u8]) -> Result<u64, LineProblem> {
    let refused = || unexpected(SkipReason::Field, name, field, "seconds, 0 or more and below 9.2e9");
    let ns = decimal_ns(field).or_else(|| exponent_ns(field)).ok_or_else(refused)?;
    u64::try_from(ns).ok().filter(|_| ns <= MAX_NS).ok_or_else(refused)
}

fn decimal_ns(field: &[u8]) -> Option<u128> {
    let point = field.iter().position(|&byte| byte == b'.').unwrap_or(field.len());
    let (integer, fraction) = (field.get(..point)?, field.get(point + 1..).unwrap_or_default());
    if integer.is_empty() && fraction.is_empty() {
        return None;
    }
    let integer = if integer.is_empty() { 0 } else { whole(integer)? };
    Some(u128::from(integer) * 1_000_000_000 + u128::from(fraction_ns(fraction)?))
}

/// The digits after a decimal point, in nanoseconds.
pub(super) fn fraction_ns(digits: &[u8]) -> Option<u64> {
    let (mut ns, mut place) = (0, 100_000_000);
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        ns += u64::from(byte - b'0') * place;
        place /= 10;
    }
    Some(ns)
}

fn exponent_ns(field: &[u8]) -> Option<u128> {
    if !field.first()?.is_ascii_digit() || !field.iter().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(byte)) {
        return None;
    }
    let seconds: f64 = std::str::from_utf8(field).ok()?.parse().ok()?;
    nearest_ns(seconds * 1e9)
}

/// Parses a line of JSON as a `T`; `expected` describes it in the error for any other line.
pub(super) fn from_json<T: DeserializeOwned>(line: &[u8], expected: &str) -> Result<T, LineProblem> {
    let structure = |why: String| LineProblem::new(SkipReason::Structure, format!("found `{}`, expected {expected}{why}", shown(line)));
    // Serde would accept an array in place of the object.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err(structure(String::new()));
    }
    let mut json = serde_json::Deserializer::from_slice(line);
    let (path, error) = match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => match json.end() {
            Ok(()) => return Ok(value),
            Err(error) => (String::new(), error),
        },
        Err(error) => (error.path().to_string(), error.into_inner()),
    };
    // The parser counts lines and columns of this one line; only the column is useful.
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    Err(match error.classify() {
        serde_json::error::Category::Data if path.is_empty() || path == "." => {
            LineProblem::new(SkipReason::Field, format!("{message}; expected {expected}"))
        }
        serde_json::error::Category::Data => LineProblem::new(SkipReason::Field, format!("{path}: {message}")),
        _ => structure(format!(" ({message} in column {})", error.column())),
    })
}

/// Rounds to whole nanoseconds; `None` outside the valid range.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked")]
pub(super) fn nearest_ns(ns: f64) -> Option<u128> {
    let ns = ns.round();
    (0.0..=9.2e18).contains(&ns).then_some(ns as u128)
}

/// A field without surrounding white space and quotes.
fn clean(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    field.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(field)
}

/// The fields of a CSV line. Fields may be quoted, but contain neither commas nor quotes: no field of a trace does.
pub(super) fn split(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b',').map(clean)
}

/// Positions of the named columns of a CSV file.
#[derive(Debug)]
pub(super) struct Columns<const N: usize> {
    positions: [usize; N],
    count: usize,
}

impl<const N: usize> Columns<N> {
    /// Finds each name in the header, ignoring case.
    pub(super) fn find(header: &[u8], names: [&str; N]) -> Result<Self, LineProblem> {
        let mut positions = [0; N];
        for (slot, name) in positions.iter_mut().zip(names) {
            let position = split(header).position(|found| found.eq_ignore_ascii_case(name.as_bytes()));
            *slot = position.ok_or_else(|| {
                unexpected(SkipReason::Structure, "header", header, &format!("a column `{name}`, as in `{}`", names.join(",")))
            })?;
        }
        Ok(Self { positions, count: split(header).count() })
    }

    /// The fields of a line in the order of the names.
    pub(super) fn fields<'a>(&self, line: &'a [u8]) -> Result<[&'a [u8]; N], LineProblem> {
        let mut fields: [&[u8]; N] = [&[]; N];
        let mut count = 0;
        for (i, field) in line.split(|&byte| byte == b',').enumerate() {
            for (slot, &position) in fields.iter_mut().zip(&self.positions) {
                if position == i {
                    *slot = clean(field);
                }
            }
            count += 1;
        }
        if count == self.count {
            return Ok(fields);
        }
        let columns = if count == 1 { "column" } else { "columns" };
        let text = format!("found {count} {columns} in `{}`, expected {}", shown(line), self.count);
        Err(LineProblem::new(SkipReason::Structure, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_whole_numbers_in_a_plausible_range() {
        assert_eq!(tokens("t", b"1"), Ok(1));
        assert_eq!(tokens("t", b"16777216"), Ok(MAX_TOKENS));
        let reason = |field: &[u8]| tokens("t", field).unwrap_err().reason;
        assert_eq!(reason(b"0"), SkipReason::ZeroTokens);
        assert_eq!(reason(b"000"), SkipReason::ZeroTokens);
        assert_eq!(reason(b"16777217"), SkipReason::TooManyTokens);
        assert_eq!(reason(b"99999999999999999999999999"), SkipReason::TooManyTokens);
        for field in [b"".as_slice(), b"-5", b"NaN", b"1.5", b"1e3", b"0x10", b"\xff"] {
            assert_eq!(reason(field), SkipReason::Field, "{field:?}");
        }
        assert_eq!(tokens("prompt", b"-5").unwrap_err().text, "prompt: found `-5`, expected a whole number of tokens, at least 1");
    }

    #[test]
    fn seconds_are_parsed_to_the_nanosecond() {
        for (text, ns) in [
            ("0", 0),
            ("0.1", 100_000_000),
            (".5", 500_000_000),
            ("5.", 5_000_000_000),
            ("1700000000.123456789", 1_700_000_000_123_456_789),
            ("1.9999999999", 1_999_999_999),
            ("1e-3", 1_000_000),
            ("1.5E3", 1_500_000_000_000),
        ] {
            assert_eq!(seconds("t", text.as_bytes()), Ok(ns), "{text}");
        }
        for text in ["", ".", "-1", "-0", "nan", "inf", "1e300", "1e", "9300000000", "99999999999999999999999", "1.2.3", "1,5", "+1", "1.x"]
        {
            assert!(seconds("t", text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn columns_are_found_by_name_and_counted() {
        let columns = Columns::find(b"id, \"B\" ,a", ["a", "b"]).unwrap();
        assert_eq!(columns.fields(b"7, 1 ,\"2\"").unwrap(), [b"2", b"1"]);
        assert_eq!(columns.fields(b"7,1").unwrap_err().text, "found 2 columns in `7,1`, expected 3");
        assert!(columns.fields(b"7,1,2,3").is_err());
        assert_eq!(columns.fields(b"7").unwrap_err().text, "found 1 column in `7`, expected 3");
        let error = Columns::find(b"x,y", ["a", "b"]).unwrap_err();
        assert_eq!(error.text, "header: found `x,y`, expected a column `a`, as in `a,b`");
    }

    #[test]
    fn junk_is_shown_short_and_printable() {
        assert_eq!(shown(b"a\x00\x1b\"b"), "a\\0\\u{1b}\"b");
        assert_eq!(shown(&[b'x'; 1000]).chars().count(), SHOWN + 1);
    }
}
