//! The parser of all quantities: a number, optional space, a unit from a given table.

use thiserror::Error;

use super::grouping::grouped;

/// One spelling of a unit and its factor to the quantity's base unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// The spelling, such as `GB/s`. A leading currency sign is part of it: `$/h`.
    pub name: &'static str,
    /// Base units per one of this unit, for instance 1e9 for `GB`.
    pub factor: f64,
}

/// Shorthand for unit tables.
pub(super) const fn unit(name: &'static str, factor: f64) -> Unit {
    Unit { name, factor }
}

/// Why a text is not a quantity. User error.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// A bare number, but a unit is required.
    #[error("`{found}` has no unit, expected {what} such as {examples}")]
    MissingUnit {
        /// The text as written.
        found: String,
        /// The kind of quantity expected.
        what: &'static str,
        /// Two or three valid spellings.
        examples: &'static str,
    },
    /// A number followed by something that is not a unit of this quantity.
    #[error("`{unit}` is not a unit of {what}, expected one such as {examples}{}", hint(*nearest))]
    UnknownUnit {
        /// The unit as written.
        unit: String,
        /// The kind of quantity expected.
        what: &'static str,
        /// Two or three valid spellings.
        examples: &'static str,
        /// The nearest known spelling, if one is near.
        nearest: Option<&'static str>,
    },
    /// No number at the start.
    #[error("`{found}` is not {what}, expected one such as {examples}")]
    NotANumber {
        /// The text as written.
        found: String,
        /// The kind of quantity expected.
        what: &'static str,
        /// Two or three valid spellings.
        examples: &'static str,
    },
    /// Negative, not finite or too large.
    #[error("`{found}` is out of range for {what}, expected one from {least} to {most}")]
    OutOfRange {
        /// The text as written.
        found: String,
        /// The kind of quantity expected.
        what: &'static str,
        /// Smallest allowed value, in a readable unit.
        least: String,
        /// Largest allowed value, in a readable unit.
        most: String,
    },
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |n| format!("; did you mean `{n}`?"))
}

/// A kind of quantity: its name for messages, its units and its range in base units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    pub(super) what: &'static str,
    pub(super) examples: &'static str,
    /// Sorted from small to large where printing has a choice; the first unit with factor 1 is the base.
    pub(super) units: &'static [Unit],
    /// True if a bare number is allowed and means the base unit.
    pub(super) bare: bool,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Kind {
    /// Parses `text` to base units.
    pub(super) fn parse(&self, text: &str) -> Result<f64, QuantityError> {
        let trimmed = text.trim();
        let (number, unit) = split(trimmed);
        if number.parse::<f64>().is_err() {
            return Err(QuantityError::NotANumber { found: trimmed.into(), what: self.what, examples: self.examples });
        }
        let factor = self.factor(trimmed, &unit)?;
        let value = times(number, factor).unwrap_or(f64::NAN);
        if !value.is_finite() || value < self.least || value > self.most {
            return Err(QuantityError::OutOfRange {
                found: trimmed.into(),
                what: self.what,
                least: self.show(self.least),
                most: self.show(self.most),
            });
        }
        Ok(value)
    }

    fn factor(&self, text: &str, unit: &str) -> Result<f64, QuantityError> {
        if unit.is_empty() {
            return if self.bare {
                Ok(1.0)
            } else {
                Err(QuantityError::MissingUnit { found: text.into(), what: self.what, examples: self.examples })
            };
        }
        if let Some(u) = self.units.iter().find(|u| u.name == unit) {
            return Ok(u.factor);
        }
        let nearest = self
            .units
            .iter()
            .map(|u| (strsim::damerau_levenshtein(&u.name.to_lowercase(), &unit.to_lowercase()), u.name))
            // Any two letters are at edit distance 1, so a single letter may differ only in case.
            .filter(|(distance, name)| *distance <= 1.max(name.len() / 2) && *distance < name.len().max(unit.len()))
            .min_by_key(|(distance, _)| *distance)
            .map(|(_, name)| name);
        Err(QuantityError::UnknownUnit { unit: unit.into(), what: self.what, examples: self.examples, nearest })
    }

    /// Formats `value` for a message, such as a bound; it need not parse back.
    pub(super) fn show(&self, value: f64) -> String {
        if self.bare || value.abs() < f64::MIN_POSITIVE {
            return readable(value);
        }
        // Of units of the same size the first is the usual one.
        let fitting = self.units.iter().rev().filter(|unit| value.abs() >= unit.factor).max_by(|a, b| a.factor.total_cmp(&b.factor));
        match fitting.or_else(|| self.units.first()) {
            Some(unit) => in_unit(&readable(value / unit.factor), unit),
            None => readable(value),
        }
    }

    /// Prints `value` in the largest unit that keeps it at 1 or more and parses back to the same bits.
    pub(super) fn print(&self, value: f64) -> String {
        let mut candidates: Vec<&Unit> = self.units.iter().filter(|u| value.abs() >= u.factor).collect();
        candidates.sort_by(|a, b| b.factor.total_cmp(&a.factor));
        candidates.extend(self.units.iter().filter(|u| u.factor.to_bits() == 1.0f64.to_bits()));
        let mut written = format!("{value}");
        for unit in candidates {
            let text = in_unit(&per(value, unit.factor), unit);
            let exact = times(split(&text).0, unit.factor).is_some_and(|back| back.to_bits() == value.to_bits());
            if exact && text.len() <= 14 {
                return text;
            }
            if exact {
                written = text;
            }
        }
        if self.bare && self.units.is_empty() { format!("{value}") } else { written }
    }
}

/// A number before its unit; a currency sign goes before both.
fn in_unit(number: &str, unit: &Unit) -> String {
    unit.name.strip_prefix('$').map_or_else(|| format!("{number} {}", unit.name), |rest| format!("${number}{rest}"))
}

/// Groups digits, except in numbers with an exponent: `16,777,216`, `1e15`.
fn readable(number: f64) -> String {
    if number.abs() < 1e12 { grouped(&number.to_string()) } else { format!("{number:e}") }
}

/// The number written as `number`, times `factor`. Powers of ten move the decimal point before anything is rounded: `8.2` times 1e9 is a whole
/// number, unlike the product of the two floats.
fn times(number: &str, factor: f64) -> Option<f64> {
    let digits = format!("{factor:e}");
    match digits.strip_prefix("1e") {
        Some(exponent) if !number.contains(['e', 'E']) => format!("{number}e{exponent}").parse().ok(),
        _ => number.parse::<f64>().ok().map(|number| number * factor),
    }
}

/// `value` over `factor`, in digits. Powers of ten move the decimal point: 15e-9 over 1e-9 is 15, unlike the quotient of the two floats.
fn per(value: f64, factor: f64) -> String {
    let (number, power) = (format!("{value:e}"), format!("{factor:e}"));
    let moved = number.split_once('e').zip(power.strip_prefix("1e")).and_then(|((digits, exponent), power)| {
        let exponent = exponent.parse::<i32>().ok()? - power.parse::<i32>().ok()?;
        format!("{digits}e{exponent}").parse::<f64>().ok()
    });
    moved.unwrap_or(value / factor).to_string()
}

/// Splits `$3.50/h` into (`3.50`, `$/h`) and `4.8 TB/s` into (`4.8`, `TB/s`).
fn split(text: &str) -> (&str, String) {
    let (sign, rest) = text.strip_prefix('$').map_or(("", text), |rest| ("$", rest));
    let rest = rest.trim_start();
    let mut end = 0;
    let bytes = rest.as_bytes();
    while end < bytes.len() {
        let c = bytes[end];
        let exponent = (c == b'e' || c == b'E')
            && end > 0
            && bytes
                .get(end + 1)
                .is_some_and(|n| n.is_ascii_digit() || ((*n == b'-' || *n == b'+') && bytes.get(end + 2).is_some_and(u8::is_ascii_digit)));
        let sign_ok = (c == b'-' || c == b'+') && (end == 0 || matches!(bytes[end - 1], b'e' | b'E'));
        if c.is_ascii_digit() || c == b'.' || exponent || sign_ok {
            end += 1;
        } else {
            break;
        }
    }
    let unit = rest[end..].trim();
    // `$3.5M/kW` and `3.5 M$`: the sign belongs to the unit, wherever it is written.
    (&rest[..end], format!("{sign}{unit}"))
}
