//! Numbers for readers: three significant digits, always a unit, thousands separators or SI prefixes.
//!
//! Owns: rounding, prefixes, separators, the sign for "no value". Must not know: the meaning of a number.

use crate::units::grouped;
pub use crate::units::percent;

/// Placeholder for a missing value.
pub const NONE: &str = "–";

/// SI prefixes from 10⁻⁹ upwards, three powers of ten apart; the empty one is at index 3.
const PREFIXES: [&str; 10] = ["n", "µ", "m", "", "k", "M", "G", "T", "P", "E"];

/// Default number of significant digits.
const DIGITS: usize = 3;
/// Number of digits that distinguish any `f64` from its neighbours.
const ALL_DIGITS: usize = 17;

/// `value` rounded to three significant digits with its decimal exponent; `None` if it is not finite.
fn rounded(value: f64) -> Option<(f64, i32)> {
    rounded_to(DIGITS, value)
}

fn rounded_to(digits: usize, value: f64) -> Option<(f64, i32)> {
    if !value.is_finite() {
        return None;
    }
    let text = format!("{value:.*e}", digits - 1);
    let exponent = text.split_once('e')?.1.parse().ok()?;
    Some((text.parse().ok()?, exponent))
}

/// Three significant digits in plain notation: `0.0412`, `4.12`, `412`, `41,200`.
fn plain(value: f64, exponent: i32) -> String {
    plain_to(DIGITS, value, exponent)
}

fn plain_to(digits: usize, value: f64, exponent: i32) -> String {
    let decimals = i64::try_from(digits).map_or(0, |digits| digits - 1 - i64::from(exponent));
    let decimals = usize::try_from(decimals).unwrap_or(0);
    grouped(&format!("{value:.decimals$}"))
}

/// A number without unit: `0.0412`, `41,200`, `4.12 M`; below 0.0001 in scientific notation.
pub fn number(value: f64) -> String {
    match rounded(value) {
        None => NONE.to_owned(),
        Some((r, _)) if r.abs() < f64::MIN_POSITIVE => "0".to_owned(),
        Some((r, e)) if e < -4 => format!("{r:.2e}"),
        Some((r, e)) if e < 6 => plain(r, e),
        Some(_) => si(value, ""),
    }
}

/// A number formatted as by [`number`], with more digits until `telling` accepts the rounded one: a number compared with a limit must not appear on
/// the other side. From a million on all digits are written in this case.
pub fn telling_number(value: f64, telling: impl Fn(f64) -> bool) -> String {
    let rounded_well = |digits: &usize| rounded_to(*digits, value).is_none_or(|(r, _)| telling(r));
    match (DIGITS..ALL_DIGITS).find(rounded_well).unwrap_or(ALL_DIGITS) {
        DIGITS => number(value),
        digits => match rounded_to(digits, value) {
            None => NONE.to_owned(),
            Some((r, e)) if e < -4 => format!("{r:.*e}", digits - 1),
            Some((r, e)) => plain_to(digits, r, e),
        },
    }
}

/// A count, exact: `20,000`.
pub fn count(value: u64) -> String {
    grouped(&value.to_string())
}

/// A quantity with an SI prefix before its unit: `12.3 kW`, `4.56 MJ`. An empty unit leaves the bare prefix: `4.12 M`.
pub fn si(value: f64, unit: &str) -> String {
    let Some((r, exponent)) = rounded(value) else { return NONE.to_owned() };
    if r.abs() < f64::MIN_POSITIVE {
        return format!("0 {unit}").trim_end().to_owned();
    }
    let step = exponent.div_euclid(3);
    match usize::try_from(step + 3).ok().and_then(|i| PREFIXES.get(i)) {
        // Powers of a thousand are exact in f64 up to 10²², beyond the last prefix.
        Some(prefix) => {
            let scaled = if step >= 0 { r / 1000f64.powi(step) } else { r * 1000f64.powi(-step) };
            format!("{} {prefix}{unit}", plain(scaled, exponent - 3 * step)).trim_end().to_owned()
        }
        None => format!("{r:.2e} {unit}").trim_end().to_owned(),
    }
}

/// A mass: grams below a kilogram, tonnes from a thousand kilograms.
pub fn grams(value: f64) -> String {
    if value.abs() < 999_500.0 { si(value, "g") } else { si(value / 1e6, "t") }
}

/// A duration given in milliseconds, in a suitable unit from ns to days: `34.0 ms`, `1.31 s`, `3.03 min`.
pub fn duration_ms(ms: f64) -> String {
    let Some((r, _)) = rounded(ms) else { return NONE.to_owned() };
    if r.abs() < f64::MIN_POSITIVE {
        return "0 ms".to_owned();
    }
    let (factor, unit) = match r.abs() {
        a if a < 1e-3 => (1e6, "ns"),
        a if a < 1.0 => (1e3, "µs"),
        a if a < 1e3 => (1.0, "ms"),
        a if a < 120e3 => (1e-3, "s"),
        a if a < 7_200e3 => (1.0 / 60e3, "min"),
        a if a < 172_800e3 => (1.0 / 3_600e3, "h"),
        _ => (1.0 / 86_400e3, "d"),
    };
    format!("{} {unit}", number(ms * factor))
}

/// A duration given in seconds.
pub fn duration_s(s: f64) -> String {
    duration_ms(s * 1e3)
}

/// A user's limit, in milliseconds: like [`duration_ms`] without trailing zeros (`2 s`).
pub fn limit_ms(ms: f64) -> String {
    trimmed(&duration_ms(ms))
}

/// Drops trailing zeros from the number at the start of `text`.
pub(crate) fn trimmed(text: &str) -> String {
    let (number, unit) = text.split_once(' ').map_or((text, None), |(n, u)| (n, Some(u)));
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    unit.map_or_else(|| number.to_owned(), |unit| format!("{number} {unit}"))
}

/// US dollars: `$0.412`, `$41.20`, `$41,200`, `$4.12 M`.
pub fn usd(value: f64) -> String {
    let Some((r, exponent)) = rounded(value) else { return NONE.to_owned() };
    let (sign, size) = if r < 0.0 { ("-", -value) } else { ("", value) };
    // Between ten and a hundred dollars, cents are written out.
    if exponent == 1 { format!("{sign}${size:.2}") } else { format!("{sign}${}", number(size)) }
}

/// A gauge such as a queue length: below one, two decimals are enough.
pub fn gauge(value: f64) -> String {
    match value.abs() {
        a if a < f64::MIN_POSITIVE => "0".to_owned(),
        a if a < 0.005 => "< 0.01".to_owned(),
        a if a < 0.995 => format!("{value:.2}"),
        _ => number(value),
    }
}

/// A share in percent, to a tenth of a percent.
pub fn share(fraction: f64) -> String {
    match fraction.abs() {
        a if a < f64::MIN_POSITIVE => "0 %".to_owned(),
        a if a < 0.0005 => "< 0.1 %".to_owned(),
        a if a < 0.0995 => format!("{:.1} %", fraction * 100.0),
        _ => percent(fraction),
    }
}

/// A relative difference with its sign, the minus as wide as the plus: `−22.9 %`, `+1.20 %`.
pub fn signed_percent(share: f64) -> String {
    let size = percent(share.abs());
    match share {
        s if s < 0.0 => format!("−{size}"),
        s if s > 0.0 => format!("+{size}"),
        _ => size,
    }
}

/// A number of a metric with its unit: `34.0 ms`, `12.3 kW`, `99.7 %`, `$23.70/M tokens`, `1,200 tokens/s`. Counted things and tokens
/// per joule are named in the heading of the number.
pub fn quantity(value: f64, unit: &str) -> String {
    match unit {
        _ if !value.is_finite() => NONE.to_owned(),
        "share" => percent(value),
        "ms" => duration_ms(value),
        "s" => duration_s(value),
        "J" | "W" => si(value, unit),
        "bytes" => si(value, "B"),
        "g CO2e" => grams(value),
        _ if unit.starts_with('$') => format!("{}{}", usd(value), &unit[1..]),
        "tokens/J" => number(value),
        _ if unit.contains('/') => format!("{} {unit}", number(value)),
        _ => gauge(value),
    }
}

/// `–` without a value.
pub fn or_none(value: Option<f64>, write: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| NONE.to_owned(), write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_have_three_significant_digits_and_separators() {
        assert_eq!(number(0.0), "0");
        assert_eq!(number(0.041_234), "0.0412");
        assert_eq!(number(9.996), "10.0");
        assert_eq!(number(41_234.0), "41,200");
        assert_eq!(number(999_600.0), "1.00 M");
        assert_eq!(number(-1234.0), "-1,230");
        assert_eq!(number(1.2345e-7), "1.23e-7");
        assert_eq!(number(f64::NAN), NONE);
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(count(999), "999");
    }

    #[test]
    fn prefixes_follow_the_rounded_value() {
        assert_eq!(si(12_345.0, "W"), "12.3 kW");
        assert_eq!(si(999.6, "W"), "1.00 kW");
        assert_eq!(si(0.0, "J"), "0 J");
        assert_eq!(si(0.004_56, "W"), "4.56 mW");
        assert_eq!(si(1e300, "J"), "1.00e300 J");
        assert_eq!(grams(12_345.0), "12.3 kg");
        assert_eq!(grams(12_345_678.0), "12.3 t");
        assert_eq!(si(4.2e9, "B"), "4.20 GB");
    }

    #[test]
    fn durations_choose_their_unit() {
        assert_eq!(duration_ms(0.0), "0 ms");
        assert_eq!(duration_ms(0.0123), "12.3 µs");
        assert_eq!(duration_ms(34.04), "34.0 ms");
        assert_eq!(duration_ms(999.7), "1.00 s");
        assert_eq!(duration_ms(1310.0), "1.31 s");
        assert_eq!(duration_ms(182_000.0), "3.03 min");
        assert_eq!(duration_s(7_300.0), "2.03 h");
        assert_eq!(duration_s(1e6), "11.6 d");
        assert_eq!(limit_ms(2000.0), "2 s");
        assert_eq!(limit_ms(50.0), "50 ms");
        assert_eq!(limit_ms(100_000.0), "100 s");
    }

    #[test]
    fn money_and_shares_have_their_usual_form() {
        assert_eq!(usd(0.4123), "$0.412");
        assert_eq!(usd(41.2), "$41.20");
        assert_eq!(usd(41_234.0), "$41,200");
        assert_eq!(usd(4.12e6), "$4.12 M");
        assert_eq!(usd(0.0), "$0");
        assert_eq!(percent(0.9973), "99.7 %");
        assert_eq!(percent(0.999_99), "> 99.9 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.0456), "4.56 %");
        assert_eq!(percent(1.234), "123 %");
        assert_eq!(or_none(None, percent), NONE);
    }

    #[test]
    fn gauges_and_shares_drop_insignificant_digits() {
        assert_eq!([0.0, 0.0012, 0.0136, 0.97, 6.294, 1250.0].map(gauge), ["0", "< 0.01", "0.01", "0.97", "6.29", "1,250"]);
        assert_eq!([0.0, 0.00023, 0.00663, 0.0285, 0.2851, 1.0].map(share), ["0 %", "< 0.1 %", "0.7 %", "2.9 %", "28.5 %", "100 %"]);
        assert_eq!((gauge(f64::NAN), share(f64::NAN)), (NONE.to_owned(), NONE.to_owned()));
    }

    #[test]
    fn quantities_have_the_form_of_their_unit() {
        for (value, unit, text) in [
            (0.9973, "share", "99.7 %"),
            (34.04, "ms", "34.0 ms"),
            (5.0, "s", "5.00 s"),
            (30.8e6, "J", "30.8 MJ"),
            (4.2e9, "bytes", "4.20 GB"),
            (7950.0, "g CO2e", "7.95 kg"),
            (24.7, "$", "$24.70"),
            (2.09, "$/M tokens", "$2.09/M tokens"),
            (1197.9, "tokens/s", "1,200 tokens/s"),
            (0.116, "requests", "0.12"),
            (1.744, "", "1.74"),
            (f64::NAN, "$/h", NONE),
        ] {
            assert_eq!(quantity(value, unit), text);
        }
    }

    proptest! {
        #[test]
        fn writers_never_panic(bits in any::<u64>()) {
            let v = f64::from_bits(bits);
            for text in [number(v), si(v, "W"), duration_ms(v), usd(v), percent(v), grams(v), gauge(v), share(v)] {
                prop_assert!(!text.is_empty());
            }
        }

        #[test]
        fn a_number_parses_back_within_half_a_percent(v in 1e-4f64..9.99e5) {
            let back: f64 = number(v).replace(',', "").parse().unwrap();
            prop_assert!((back - v).abs() <= 0.005 * v + 1e-12);
        }
    }
}
