//! One line of CSV as bytes: numbers as `Display` prints them, at a fraction of its cost.
//!
//! Owns: the digits. Must not know: which columns there are.

use std::io::Write;

use crate::sim::{SimDuration, SimTime};

/// From here on a millisecond count in nanosecond steps is finer than an `f64` (2³³ ms, 99 days): neighbours share one value, and the
/// shortest decimal of that value may be another than the one of the nanoseconds.
const EXACT_MILLIS_NS: u64 = (1 << 33) * 1_000_000;

/// 2²⁵. The middle between two decimals of at most 17 digits has at most 18 digits, and a value with more than 25 binary places has more: it
/// lies in no such middle. In the middle `Display` takes the upper decimal and `zmij` the even one.
const TIED_PLACES: f64 = (1u64 << 25) as f64;

/// A line in the making; the memory is reused from line to line.
#[derive(Debug, Default)]
pub(super) struct Line(Vec<u8>);

impl Line {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The line with its end. At least one field comes before.
    pub(super) fn finished(&mut self) -> &[u8] {
        if let Some(last) = self.0.last_mut() {
            *last = b'\n';
        }
        &self.0
    }

    /// A field that is in the form of CSV already.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
        self.0.push(b',');
    }

    pub(super) fn flag(&mut self, value: Option<bool>) {
        self.text(match value {
            Some(true) => b"1",
            Some(false) => b"0",
            None => b"",
        });
    }

    pub(super) fn whole(&mut self, value: u64) {
        self.text(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A value in the shortest decimal form that reads back to the same bits.
    pub(super) fn float(&mut self, value: f64) {
        let mut buffer = zmij::Buffer::new();
        // The fraction of an infinity is no number, and not above 0.
        let alike = (value * TIED_PLACES).fract().abs() > 0.0;
        let text = if alike { buffer.format_finite(value) } else { "e" };
        if text.contains('e') {
            // `Display` knows no exponents. Writing to memory cannot fail.
            let _ = write!(self.0, "{value},");
        } else {
            self.text(text.as_bytes());
        }
    }

    /// In seconds with nine digits: whole nanoseconds.
    pub(super) fn seconds(&mut self, at: Option<SimTime>) {
        if let Some(at) = at {
            self.0.extend_from_slice(itoa::Buffer::new().format(at.ns() / 1_000_000_000).as_bytes());
            self.0.push(b'.');
            // The digit in front keeps the zeros.
            self.0.extend_from_slice(&itoa::Buffer::new().format(1_000_000_000 + at.ns() % 1_000_000_000).as_bytes()[1..]);
        }
        self.0.push(b',');
    }

    /// In milliseconds with as many digits as it has.
    pub(super) fn millis(&mut self, span: Option<SimDuration>) {
        match span {
            Some(span) if span.ns() < EXACT_MILLIS_NS => {
                self.0.extend_from_slice(itoa::Buffer::new().format(span.ns() / 1_000_000).as_bytes());
                let mut buffer = itoa::Buffer::new();
                let part = buffer.format(1_000_000 + span.ns() % 1_000_000)[1..].trim_end_matches('0');
                if !part.is_empty() {
                    self.0.push(b'.');
                    self.0.extend_from_slice(part.as_bytes());
                }
                self.0.push(b',');
            }
            Some(span) => self.float(span.as_millis_f64()),
            None => self.0.push(b','),
        }
    }
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

    /// Spans of all magnitudes, and such with many zeros at the end.
    fn spans() -> impl Strategy<Value = u64> {
        let magnitude = (0u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift);
        let round = (0u32..16, 0u64..10_000).prop_map(|(zeros, digits)| digits * 10u64.pow(zeros));
        prop_oneof![magnitude, round, (0..2 * EXACT_MILLIS_NS)]
    }

    /// Any bits, and values of the size that energies and costs have.
    fn floats() -> impl Strategy<Value = f64> {
        let usual = (-9i32..9, 0u64..1 << 53).prop_map(|(power, digits)| digits as f64 * 10f64.powi(power - 15));
        let few_places = (any::<u64>(), 0u32..64, 0i32..70).prop_map(|(bits, shift, places)| (bits >> shift) as f64 / 2f64.powi(places));
        prop_oneof![any::<u64>().prop_map(f64::from_bits), usual, few_places]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

        #[test]
        fn numbers_are_those_of_display(ns in spans(), value in floats()) {
            prop_assert_eq!(millis(ns), format!("{}\n", ns as f64 / 1e6));
            let seconds = line(|line| line.seconds(Some(SimTime::from_ns(ns))));
            prop_assert_eq!(seconds, format!("{}.{:09}\n", ns / 1_000_000_000, ns % 1_000_000_000));
            prop_assert_eq!(line(|line| line.whole(ns)), format!("{ns}\n"));
            prop_assert_eq!(float(value), format!("{value}\n"));
        }
    }

    #[test]
    fn numbers_at_the_edges_are_those_of_display() {
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
    fn fields_are_apart_and_may_be_empty() {
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
