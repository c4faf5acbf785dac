//! One line of CSV as bytes: numbers as `Display` prints them, at a fraction of the cost.
//!
//! Owns: the digits. Must not know: the columns.

use crate::sim::{SimDuration, SimTime};

/// Above this limit, steps of one nanosecond in milliseconds are finer than an `f64` (2³³ ms, 99 days): neighbours share one value, and its shortest
/// decimal may differ from that of the nanoseconds.
const EXACT_MILLIS_NS: u64 = (1 << 33) * 1_000_000;

/// 2²⁵. The midpoint between two decimals of at most 17 digits has at most 18 digits, while a value with more than 25 binary places has more, so it
/// is not such a midpoint. At a midpoint `Display` takes the upper decimal and `zmij` the even one.
const TIED_PLACES: f64 = (1u64 << 25) as f64;

/// Space for any number: at most 20 digits before the point and 9 after it, and the comma.
const ROOM: usize = 32;

/// A number below 10⁸ as eight decimal digits, the first in the lowest byte. Halves, quarters and digits are divided in parallel within one word, by
/// multiplications that are exact in this range: `10486/2²⁰` for 1/100 below 10⁴, `103/2¹⁰` for 1/10 below 100.
const fn eight_digits(value: u32) -> u64 {
    let halves = (value / 10_000) as u64 | ((value % 10_000) as u64) << 32;
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | (halves - 100 * hundreds) << 16;
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    tens | (pairs - 10 * tens) << 8
}

/// Offset of the digits in ASCII.
const ASCII: u64 = 0x3030_3030_3030_3030;

/// Remainder of a value modulo a number that fits into 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "less than the number")]
const fn beyond(value: u64, number: u32) -> u32 {
    (value % number as u64) as u32
}

/// A line under construction; the memory is reused from line to line.
#[derive(Debug, Default)]
pub(super) struct Line {
    bytes: Vec<u8>,
    /// Number of bytes that belong to the line.
    length: usize,
}

impl Line {
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// The finished line. It must have at least one field.
    pub(super) fn finished(&mut self) -> &[u8] {
        let line = self.bytes.get_mut(..self.length).unwrap_or_default();
        if let Some(last) = line.last_mut() {
            *last = b'\n';
        }
        line
    }

    /// A field already in CSV form.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.end(|bytes| {
            if bytes.len() <= text.len() {
                return None;
            }
            let (field, rest) = bytes.split_at_mut(text.len());
            field.copy_from_slice(text);
            rest[0] = b',';
            Some(text.len() + 1)
        });
    }

    pub(super) fn flag(&mut self, value: Option<bool>) {
        match value {
            Some(value) => self.number(|room| put_digit(room, value.into())),
            None => self.empty(),
        }
    }

    pub(super) fn whole(&mut self, value: u64) {
        self.number(|room| match u8::try_from(value) {
            Ok(value) if value < 10 => put_digit(room, value),
            _ => {
                let digits = put_whole(room, value);
                room[digits] = b',';
                digits + 1
            }
        });
    }

    /// A value in the shortest decimal form that parses back to the same bits.
    pub(super) fn float(&mut self, value: f64) {
        let mut buffer = zmij::Buffer::new();
        // The fraction of an infinity is NaN, and not above 0.
        let alike = (value * TIED_PLACES).fract().abs() > 0.0;
        let text = if alike { buffer.format_finite(value) } else { "e" };
        if text.contains('e') {
            // `Display` writes no exponents.
            self.text(value.to_string().as_bytes());
        } else {
            self.text(text.as_bytes());
        }
    }

    /// A time in seconds with nine decimals: whole nanoseconds.
    pub(super) fn seconds(&mut self, at: Option<SimTime>) {
        let Some(at) = at else { return self.empty() };
        self.number(|room| {
            let digits = put_whole(room, at.ns() / 1_000_000_000).min(MOST_DIGITS);
            let part = beyond(at.ns(), 1_000_000_000);
            room[digits] = b'.';
            room[digits + 1] = b'0' + (part / 100_000_000) as u8;
            put(room, digits + 2, eight_digits(part % 100_000_000));
            room[digits + 10] = b',';
            digits + 11
        });
    }

    /// A time in milliseconds with as many decimals as needed.
    pub(super) fn millis(&mut self, span: Option<SimDuration>) {
        match span {
            Some(span) if span.ns() < EXACT_MILLIS_NS => self.number(|room| {
                let mut end = put_whole(room, span.ns() / 1_000_000).min(MOST_DIGITS);
                let part = eight_digits(100 * beyond(span.ns(), 1_000_000));
                if part > 0 {
                    room[end] = b'.';
                    put(room, end + 1, part);
                    // Trailing zeros are in the highest bytes.
                    end += 9 - part.leading_zeros() as usize / 8;
                }
                room[end] = b',';
                end + 1
            }),
            Some(span) => self.float(span.as_millis_f64()),
            None => self.empty(),
        }
    }

    fn empty(&mut self) {
        self.text(b"");
    }

    /// Adds a number and its comma, which `write` puts into the space; it returns their length.
    #[inline]
    fn number(&mut self, write: impl Fn(&mut [u8; ROOM]) -> usize) {
        self.end(|bytes| bytes.first_chunk_mut().map(&write));
    }

    /// Adds the bytes that `write` puts after the line; it returns their number, or `None` if there is too little space.
    #[inline]
    fn end(&mut self, write: impl Fn(&mut [u8]) -> Option<usize>) {
        loop {
            if let Some(written) = self.bytes.get_mut(self.length..).and_then(&write) {
                self.length += written;
                return;
            }
            self.grow();
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        self.bytes.resize(2 * self.bytes.len() + ROOM, 0);
    }
}

/// Digits of the largest number.
const MOST_DIGITS: usize = 20;

/// Writes eight digits at `at`.
#[inline]
fn put(room: &mut [u8; ROOM], at: usize, digits: u64) {
    room[at..at + 8].copy_from_slice(&(digits + ASCII).to_le_bytes());
}

/// Writes a digit and a comma to the beginning of the space; returns their length.
#[inline]
fn put_digit(room: &mut [u8; ROOM], digit: u8) -> usize {
    (room[0], room[1]) = (b'0' + digit, b',');
    2
}

/// Writes a number to the beginning of the space; returns its number of digits.
#[inline]
fn put_whole(room: &mut [u8; ROOM], value: u64) -> usize {
    const GROUP: u64 = 100_000_000;
    match u32::try_from(value) {
        Ok(value) if u64::from(value) < GROUP => {
            let digits = eight_digits(value);
            // Leading zeros are in the lowest bytes; the last digit always stays.
            let zeros = (digits | 1 << 56).trailing_zeros() / 8;
            room[..8].copy_from_slice(&((digits + ASCII) >> (8 * zeros)).to_le_bytes());
            8 - zeros as usize
        }
        _ => put_groups(room, value),
    }
}

/// As [`put_whole`], for numbers of more than eight digits.
#[cold]
#[inline(never)]
fn put_groups(room: &mut [u8; ROOM], value: u64) -> usize {
    const GROUP: u32 = 100_000_000;
    let digits = put_whole(room, value / u64::from(GROUP)).min(MOST_DIGITS);
    put(room, digits, eight_digits(beyond(value, GROUP)));
    digits + 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(fill: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::default();
        fill(&mut line);
        String::from_utf8(line.finished().to_vec()).unwrap()
    }

    fn millis(ns: u64) -> String {
        line(|line| line.millis(Some(SimDuration::from_ns(ns))))
    }

    fn float(value: f64) -> String {
        line(|line| line.float(value))
    }

    /// Spans of all magnitudes, some with many trailing zeros.
    fn spans() -> impl Strategy<Value = u64> {
        let magnitude = (0u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift);
        let round = (0u32..16, 0u64..10_000).prop_map(|(zeros, digits)| digits * 10u64.pow(zeros));
        prop_oneof![magnitude, round, (0..2 * EXACT_MILLIS_NS)]
    }

    /// Any bits, and values in the range of energies and costs.
    fn floats() -> impl Strategy<Value = f64> {
        let usual = (-9i32..9, 0u64..1 << 53).prop_map(|(power, digits)| digits as f64 * 10f64.powi(power - 15));
        let few_places = (any::<u64>(), 0u32..64, 0i32..70).prop_map(|(bits, shift, places)| (bits >> shift) as f64 / 2f64.powi(places));
        prop_oneof![any::<u64>().prop_map(f64::from_bits), usual, few_places]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

        #[test]
        fn numbers_match_display(ns in spans(), value in floats()) {
            prop_assert_eq!(millis(ns), format!("{}\n", ns as f64 / 1e6));
            let seconds = line(|line| line.seconds(Some(SimTime::from_ns(ns))));
            prop_assert_eq!(seconds, format!("{}.{:09}\n", ns / 1_000_000_000, ns % 1_000_000_000));
            prop_assert_eq!(line(|line| line.whole(ns)), format!("{ns}\n"));
            prop_assert_eq!(float(value), format!("{value}\n"));
        }
    }

    #[test]
    fn numbers_at_the_edges_match_display() {
        let near = |at: u64| (at.saturating_sub(2000)..at.saturating_add(2000)).step_by(7).chain([at - 1, at, at + 1]);
        for ns in [10_000, 1_000_000_000, 10u64.pow(15), EXACT_MILLIS_NS, 1 << 53, 1 << 62].into_iter().flat_map(near).chain([0, u64::MAX])
        {
            assert_eq!(millis(ns), format!("{}\n", ns as f64 / 1e6));
        }
        for power in 0..2047u64 {
            for bits in [power << 52, (power << 52) + 1, (power << 52).wrapping_sub(1)].map(f64::from_bits) {
                assert_eq!(float(bits), format!("{bits}\n"));
            }
        }
        for value in [0.0, -0.0, 0.1, 1e15, 1e16, 1e17, 1e21, 1e22, 1e23, 1e-4, 1e-5, 1e-6, 5e-324, f64::NAN, f64::INFINITY] {
            assert_eq!(float(value), format!("{value}\n"));
        }
    }

    #[test]
    fn fields_are_separated_and_may_be_empty() {
        let mut both = Line::default();
        for _ in 0..2 {
            both.clear();
            both.text(b"a");
            both.flag(Some(true));
            both.flag(Some(false));
            both.flag(None);
            both.seconds(None);
            both.millis(None);
            both.seconds(Some(SimTime::from_ns(1_000_000_020)));
            both.millis(Some(SimDuration::from_ns(1_250_000)));
            assert_eq!(String::from_utf8_lossy(both.finished()), "a,1,0,,,,1.000000020,1.25\n");
        }
    }
}
