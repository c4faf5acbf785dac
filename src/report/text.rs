//! Typography of running text: line breaks and shortened names.
//!
//! Owns: break points. Must not know: the content.

/// Units that [`glue`] keeps on the line of their number.
const UNITS: [&str; 38] = [
    "%", "s", "ms", "µs", "ns", "min", "h", "d", "W", "kW", "MW", "GW", "J", "kJ", "MJ", "GJ", "TJ", "PJ", "B", "kB", "MB", "GB", "TB",
    "PB", "g", "kg", "t", "kt", "k", "M", "G", "T", "/s", "/min", "MJ.", "s.", "ms.", "%.",
];

/// Joins numbers with their units and signs by no-break spaces, so that no line breaks between them.
pub(crate) fn glue(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        out.push_str(word);
        let Some(next) = words.peek() else { break };
        let unit = UNITS.contains(&next.trim_end_matches([',', ';', ')', ':', '.']));
        let joined = unit && word.ends_with(|c: char| c.is_ascii_digit()) || matches!(word, "<" | ">");
        out.push(if joined { '\u{a0}' } else { ' ' });
    }
    out
}

/// Text with an initial capital. Text that begins with a percentile keeps its lower case.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if first != 'p' || !chars.as_str().starts_with(|c: char| c.is_ascii_digit()) => {
            first.to_uppercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

/// Control characters would let a name move the cursor.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A name of at most `width` characters: longer names keep their beginning and end, which distinguish similar names.
pub(crate) fn shortened(name: &str, width: usize) -> String {
    let n = name.chars().count();
    if n <= width {
        return name.to_owned();
    }
    let tail = width / 3;
    let head = width.saturating_sub(tail + 1);
    name.chars().take(head).chain(std::iter::once('…')).chain(name.chars().skip(n - tail)).collect()
}

/// Text escaped for markup, also between quotes.
#[cfg(feature = "report")]
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

/// Wraps text to lines of at most `width` characters; only a single word may be longer.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in glue(text).split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(|line| line.replace('\u{a0}', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_on_the_line_of_its_unit() {
        assert_eq!(glue("KV < 0.1 % of it"), "KV <\u{a0}0.1\u{a0}% of it");
        assert_eq!(glue("p99 TTFT 1.31 s of 2 s, then 3 pools"), "p99 TTFT 1.31\u{a0}s of 2\u{a0}s, then 3 pools");
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        assert_eq!(shortened("prefill-h100-tp4-0", 12), "prefill…p4-0");
        assert_eq!(shortened("decode", 12), "decode");
    }

    #[test]
    fn lines_keep_their_width_and_all_words() {
        let text = "p99 TTFT 1.31 s of 2 s and averyveryverylongword that cannot fit";
        let lines = wrapped(text, 12);
        assert_eq!(lines.join(" "), text);
        assert!(lines.iter().all(|line| line.chars().count() <= 12 || !line.contains(' ')));
    }
}
