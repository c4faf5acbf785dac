//! Shares in percent, with three significant digits.

/// A fraction in percent: `99.7 %`. Values below one never read `100 %`; NaN and infinities read `–`.
pub fn percent(fraction: f64) -> String {
    let percent = fraction * 100.0;
    let rounded = format!("{percent:.2e}");
    let Some((value, exponent)) = rounded.split_once('e').and_then(|(_, e)| Some((rounded.parse::<f64>().ok()?, e.parse::<i32>().ok()?)))
    else {
        return "–".to_owned();
    };
    match (value, exponent) {
        (v, _) if v.abs() < f64::MIN_POSITIVE => "0 %".to_owned(),
        (v, 2) if v <= 100.0 => (if fraction < 1.0 { "> 99.9 %" } else { "100 %" }).to_owned(),
        (v, e) if e < -4 => (if v > 0.0 { "< 0.0001 %" } else { "> -0.0001 %" }).to_owned(),
        (v, e) => format!("{} %", super::grouped(&format!("{v:.*}", usize::try_from(2 - e).unwrap_or(0)))),
    }
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn values_just_below_one_are_not_shown_as_100_percent() {
        let cases = [
            (0.9973, "99.7 %"),
            (0.999_99, "> 99.9 %"),
            (1.0, "100 %"),
            (0.0456, "4.56 %"),
            (1.234, "123 %"),
            (0.0, "0 %"),
            (-0.5, "-50.0 %"),
            (1e-9, "< 0.0001 %"),
            (123.45, "12,300 %"),
            (f64::NAN, "–"),
            (f64::INFINITY, "–"),
        ];
        for (fraction, expected) in cases {
            assert_eq!(percent(fraction), expected, "{fraction}");
        }
    }
}
