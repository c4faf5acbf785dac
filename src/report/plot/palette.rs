//! Colours by meaning: the qualitative palette of Okabe and Ito ("Color Universal Design", 2008) in a light and a dark form.
//!
//! Owns: which thing has which colour, and the style sheet that gives it its two forms. Must not know: shapes.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// What a colour stands for. Charts are drawn in stand-in colours, one a variant; each then becomes a class of the style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Ink,
    Muted,
    Grid,
    Axis,
    Back,
    Slo,
    Orange,
    Sky,
    Green,
    Yellow,
    Blue,
    Vermillion,
    Purple,
    Grey,
    Reserve,
    DecodeQueue,
    Idle,
    Overhead,
}

/// Colour, name of its class and variable, light form, dark form.
const TABLE: [(Colour, &str, &str, &str); 18] = [
    (Colour::Ink, "ink", "#1b1f23", "#e8eaed"),
    (Colour::Muted, "muted", "#57606a", "#a3abb3"),
    (Colour::Grid, "grid", "#e4e7eb", "#2c3238"),
    (Colour::Axis, "axis", "#9aa2ab", "#6b747d"),
    (Colour::Back, "back", "#ffffff", "#16191d"),
    (Colour::Slo, "slo", "#57606a", "#a3abb3"),
    (Colour::Orange, "orange", "#e69f00", "#e69f00"),
    (Colour::Sky, "sky", "#56b4e9", "#56b4e9"),
    (Colour::Green, "green", "#009e73", "#14b88a"),
    (Colour::Yellow, "yellow", "#d6c400", "#f0e442"),
    (Colour::Blue, "blue", "#0072b2", "#3d9bd8"),
    (Colour::Vermillion, "vermillion", "#d55e00", "#f07d2e"),
    (Colour::Purple, "purple", "#cc79a7", "#d98fb8"),
    (Colour::Grey, "grey", "#5f6973", "#c3c9cf"),
    (Colour::Reserve, "reserve", "#e8935a", "#b4632c"),
    (Colour::DecodeQueue, "decode-queue", "#f4c5a5", "#7d4a29"),
    (Colour::Idle, "idle", "#b3bac2", "#5c656e"),
    (Colour::Overhead, "overhead", "#dadee3", "#3b4249"),
];

/// Colours of pools beyond the first of each role, and of their rest.
const FURTHER_POOLS: [Colour; 5] = [Colour::Sky, Colour::Yellow, Colour::Purple, Colour::Vermillion, Colour::Grey];
/// Colours of classes. Orange and blue are left to prefill and decode.
const CLASSES: [Colour; 6] = [Colour::Green, Colour::Purple, Colour::Sky, Colour::Vermillion, Colour::Yellow, Colour::Grey];

impl Colour {
    /// The stand-in that charts are drawn in.
    pub(super) fn stand_in(self) -> RGBColor {
        RGBColor(0xC0, 0x10 + self as u8, 0x0D)
    }

    /// The class that replaces the stand-in: `s-NAME` for strokes, `f-NAME` for fills.
    pub(super) fn name(self) -> &'static str {
        TABLE.iter().find(|(colour, ..)| *colour == self).map_or("ink", |(_, name, ..)| name)
    }

    /// Colour of the class at `index`.
    pub(super) fn of_class(index: usize) -> Self {
        CLASSES[index % CLASSES.len()]
    }
}

/// One colour a pool: the first prefill, decode and mixed pool have the colour of their phase.
pub(super) fn pool_colours(roles: &[&str]) -> Vec<Colour> {
    let mut free = FURTHER_POOLS.iter().copied().cycle();
    let mut taken: Vec<Colour> = Vec::new();
    for role in roles {
        let first = match *role {
            "prefill" => Some(Colour::Orange),
            "decode" => Some(Colour::Blue),
            "mixed" => Some(Colour::Green),
            _ => None,
        };
        let colour = first.filter(|colour| !taken.contains(colour)).or_else(|| free.next());
        taken.push(colour.unwrap_or(Colour::Grey));
    }
    taken
}

/// Replaces the stand-ins of a drawing by classes.
pub(super) fn classes(svg: &str) -> String {
    let mut out = svg.to_owned();
    for (colour, name, ..) in TABLE {
        let RGBColor(r, g, b) = colour.stand_in();
        for (attribute, prefix) in [("stroke", "s"), ("fill", "f")] {
            out = out.replace(&format!("{attribute}=\"#{r:02X}{g:02X}{b:02X}\""), &format!("class=\"{prefix}-{name}\""));
        }
    }
    out
}

/// The style sheet of all charts: variables in both schemes and the classes that use them.
pub(super) fn style() -> String {
    let mut out = String::new();
    let variables = |out: &mut String, dark: bool| {
        for (_, name, light_form, dark_form) in TABLE {
            // Writing to a string does not fail.
            let _ = write!(out, "--c-{name}:{};", if dark { dark_form } else { light_form });
        }
    };
    out.push_str(":root{color-scheme:light dark;");
    variables(&mut out, false);
    out.push_str("}\n@media screen and (prefers-color-scheme:dark){:root{");
    variables(&mut out, true);
    out.push_str("}}\n");
    for (_, name, ..) in TABLE {
        let _ = write!(out, ".s-{name}{{stroke:var(--c-{name})}}.f-{name}{{fill:var(--c-{name})}}");
    }
    out.push_str("\n.s-slo{stroke-dasharray:10 7}\n");
    out.push_str(".chart text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"Liberation Sans\",sans-serif;");
    out.push_str("paint-order:stroke;stroke:var(--c-back);stroke-width:5px;stroke-linejoin:round;font-variant-numeric:tabular-nums}\n");
    out.push_str(".chart polyline{stroke-linejoin:round;stroke-linecap:round}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of WCAG 2.1.
    fn luminance(hex: &str) -> f64 {
        let channel = |i: usize| {
            let c = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { libm::pow((c + 0.055) / 1.055, 2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_reaches_a_contrast_of_4_5_in_both_schemes() {
        let form = |name: &str| TABLE.iter().find(|(_, n, ..)| *n == name).map(|(_, _, light, dark)| (*light, *dark)).unwrap();
        let back = form("back");
        for name in ["ink", "muted"] {
            assert!(contrast(form(name).0, back.0) >= 4.5 && contrast(form(name).1, back.1) >= 4.5, "{name}");
        }
    }

    #[test]
    fn every_colour_is_in_the_table_at_its_own_place() {
        for (i, (colour, name, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*colour as usize, i);
            assert_eq!(colour.name(), *name);
        }
    }

    #[test]
    fn pools_take_the_colour_of_their_phase_once() {
        let colours = pool_colours(&["prefill", "decode", "mixed", "prefill", "decode", "mixed"]);
        assert_eq!(&colours[..4], &[Colour::Orange, Colour::Blue, Colour::Green, Colour::Sky]);
        assert_eq!(colours.iter().filter(|c| **c == Colour::Orange).count(), 1);
    }

    #[test]
    fn stand_ins_become_classes_and_text_is_left_alone() {
        let RGBColor(r, g, b) = Colour::Ink.stand_in();
        let hex = format!("#{r:02X}{g:02X}{b:02X}");
        assert_eq!(classes(&format!("<line stroke=\"{hex}\"/><text>{hex}</text>")), format!("<line class=\"s-ink\"/><text>{hex}</text>"));
    }
}
