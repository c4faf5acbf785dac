//! Labels of limits above a plot: each next to the top of its line, and no line crosses the label of another.
//!
//! Owns: sharing of labels, their sides and rows. Must not know: the drawing of lines and texts.

use super::super::super::number::limit_ms;
use super::super::super::text::shortened;
use super::super::canvas::{Look, TICK};
use super::super::palette::Colour;
use super::Line;

/// Text style of a label.
pub(super) const LOOK: Look = TICK.bold();
/// Space between a line and its label, and around labels.
const PAD: f64 = 5.0;

/// A limit with its label.
#[derive(Debug)]
pub(super) struct Flag {
    /// Index of its class; `None` for several.
    pub(super) of: Option<usize>,
    pub(super) colour: Colour,
    pub(super) text: String,
    /// Position of its line.
    pub(super) x: f64,
    /// Horizontal extent of its label.
    pub(super) span: (f64, f64),
    /// Row of the label, from the plot upwards.
    pub(super) row: usize,
}

impl Flag {
    fn covers(&self, x: f64) -> bool {
        x > self.span.0 - PAD && x < self.span.1 + PAD
    }

    /// The longest label that fits: with its names, with shortened ones, or the limit alone, whose colour still identifies the class.
    fn write(&mut self, names: &str, limit: f64, fits: impl Fn(f64) -> bool) {
        let limit = limit_ms(limit);
        let named = (names.chars().count().clamp(1, 5)..=names.chars().count())
            .rev()
            .map(|letters| format!("{} SLO {limit}", shortened(names, letters)));
        let mut labels = named.chain([format!("SLO {limit}")]);
        self.text = labels.find(|text| fits(LOOK.width(text))).unwrap_or(limit);
    }

    fn meets(&self, other: &Self) -> bool {
        self.span.0 < other.span.1 + PAD && self.span.1 > other.span.0 - PAD
    }
}

/// The limits of `lines` with their labels up to the right edge.
pub(super) fn flags(lines: &[Line], right: f64, place: impl Fn(f64) -> f64) -> Vec<Flag> {
    let mut limits: Vec<(f64, Vec<usize>)> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let Some(limit) = line.limit_ms else { continue };
        match limits.iter_mut().find(|(known, _)| known.total_cmp(&limit).is_eq()) {
            Some((_, of)) => of.push(i),
            None => limits.push((limit, vec![i])),
        }
    }
    limits.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut flags: Vec<Flag> = Vec::new();
    // From right to left: a label is to the right of its line unless it would cross the edge, or two labels would each cross the other's line.
    for (limit, of) in limits.iter().rev() {
        let x = place(*limit);
        let (names, colour) = names(of, lines);
        let only = if let [only] = of[..] { Some(only) } else { None };
        let mut flag = Flag { of: only, colour, text: String::new(), x, span: (x, x), row: 0 };
        flag.write(&names, *limit, |width| x + PAD + width <= right || x - PAD - width >= 0.0);
        let width = LOOK.width(&flag.text);
        flag.span = (x + PAD, x + PAD + width);
        if flag.span.1 > right || flags.iter().any(|other| flag.covers(other.x) && other.covers(x)) {
            flag.write(&names, *limit, |width| x - PAD - width >= 0.0);
            flag.span = ((x - PAD - LOOK.width(&flag.text)).max(0.0), x - PAD);
        }
        flags.push(flag);
    }
    rows(&mut flags);
    flags
}

/// The names of the classes that share a limit, empty if all do, and the colour: that of the class if there is only one.
fn names(of: &[usize], lines: &[Line]) -> (String, Colour) {
    let names: Vec<&str> = of.iter().filter_map(|&i| lines.get(i)).map(|line| line.name.as_str()).collect();
    match of {
        _ if of.len() == lines.len() => (String::new(), Colour::Ink),
        [only] => (names.join(", "), lines.get(*only).map_or(Colour::Ink, |line| line.colour)),
        _ => (names.join(", "), Colour::Ink),
    }
}

/// Raises labels above lines that would cross them, and apart from each other.
fn rows(flags: &mut [Flag]) {
    // Each pass raises labels in conflict by one row and settles at least one, so as many passes as flags suffice, and a few for ties.
    for _ in 0..=2 * flags.len() {
        for i in 0..flags.len() {
            let Some((flag, others)) = flags.split_at_mut_checked(i).and_then(|(before, rest)| {
                let (flag, after) = rest.split_first_mut()?;
                Some((flag, (before, after)))
            }) else {
                continue;
            };
            let (before, after) = others;
            let below = before.iter().chain(after.iter()).filter(|other| flag.covers(other.x) && !other.covers(flag.x));
            let mut row = below.map(|other| other.row + 1).max().unwrap_or(0);
            while row < 2 * MOST && before.iter().any(|other| other.row == row && flag.meets(other) && !other.covers(flag.x)) {
                row += 1;
            }
            flag.row = row.min(2 * MOST);
        }
    }
}

/// Maximum number of limits in one chart.
const MOST: usize = super::MOST_LINES;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(name: &str, limit: f64) -> Line {
        Line { name: name.to_owned(), colour: Colour::Ink, points: vec![(1.0, 1.0)], marks: [1.0; 3], limit_ms: Some(limit), count: 1 }
    }

    #[test]
    fn a_limit_shared_by_all_classes_has_no_name() {
        let all = flags(&[line("chat", 450.0), line("code", 450.0)], 400.0, |x| x / 2.0);
        assert_eq!(all.iter().map(|flag| flag.text.as_str()).collect::<Vec<_>>(), ["SLO 450 ms"]);
        let each = flags(&[line("chat", 450.0), line("code", 150.0)], 400.0, |x| x / 2.0);
        assert_eq!(
            each.iter().map(|flag| (flag.text.as_str(), flag.of)).collect::<Vec<_>>(),
            [("chat SLO 450 ms", Some(0)), ("code SLO 150 ms", Some(1))]
        );
    }

    proptest! {
        #[test]
        fn no_line_crosses_a_label_and_no_labels_overlap(limits in proptest::collection::vec(0.0f64..1.0, 1..=6)) {
            let lines: Vec<Line> = limits.iter().enumerate().map(|(i, x)| line(&"name".repeat(i % 3 + 1), 1.0 + x * 1e3)).collect();
            let flags = flags(&lines, 334.0, |x| 52.0 + x * 0.28);
            for (i, flag) in flags.iter().enumerate() {
                prop_assert!(flag.span.0 >= 0.0 && flag.span.1 <= 344.0, "{flag:?}");
                for (_, other) in flags.iter().enumerate().filter(|(j, _)| *j != i) {
                    prop_assert!(other.x < flag.span.0 || other.x > flag.span.1 || other.row < flag.row, "{flag:?} {other:?}");
                    prop_assert!(other.row != flag.row || other.span.1 < flag.span.0 || other.span.0 > flag.span.1, "{flag:?} {other:?}");
                }
            }
        }
    }
}
