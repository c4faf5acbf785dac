//! Colours by meaning: a phase and the pools of its role share a hue, classes and dollars have others. The hues of phases follow Okabe and
//! Ito ("Color Universal Design", 2008), darkened or lightened until every line has a contrast of 3:1 with the background of either scheme.
//!
//! Owns: the assignment of colours, and the style sheet with the two forms of each. Must not know: shapes.

use std::fmt::Write as _;

use plotters::style::RGBColor;

use crate::cluster::Role;

/// Meaning of a colour. Charts are drawn in stand-in colours, one per entry; each is then replaced by a class of the style sheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colour {
    Ink,
    Muted,
    Grid,
    Axis,
    Back,
    Prefill,
    PrefillDark,
    PrefillLight,
    Decode,
    DecodeDark,
    DecodeLight,
    Mixed,
    MixedDark,
    MixedLight,
    /// Queues and arrivals.
    Queue,
    Reserve,
    DecodeQueue,
    Transfer,
    Startup,
    Idle,
    Overhead,
    Capital,
    Energy,
    Hosting,
    Rent,
    Magenta,
    Violet,
    Olive,
    Brown,
    Teal,
}

/// Colour, name of its class and variable, light form, dark form.
const TABLE: [(Colour, &str, &str, &str); 30] = [
    (Colour::Ink, "ink", "#1b1f23", "#e8eaed"),
    (Colour::Muted, "muted", "#57606a", "#a3abb3"),
    (Colour::Grid, "grid", "#e4e7eb", "#2c3238"),
    (Colour::Axis, "axis", "#9aa2ab", "#6b747d"),
    (Colour::Back, "back", "#ffffff", "#16191d"),
    (Colour::Prefill, "prefill", "#b85a00", "#f0962e"),
    (Colour::PrefillDark, "prefill-2", "#6b3200", "#ffd2a0"),
    (Colour::PrefillLight, "prefill-3", "#db7b2b", "#b3650c"),
    (Colour::Decode, "decode", "#005fa8", "#3d9bd8"),
    (Colour::DecodeDark, "decode-2", "#002f63", "#b0d8f7"),
    (Colour::DecodeLight, "decode-3", "#4a96da", "#2b70ad"),
    (Colour::Mixed, "mixed", "#00825e", "#19bd8e"),
    (Colour::MixedDark, "mixed-2", "#004a35", "#9fead2"),
    (Colour::MixedLight, "mixed-3", "#4ba286", "#0c8160"),
    (Colour::Queue, "queue", "#8a1026", "#ff8d92"),
    (Colour::Reserve, "reserve", "#cb4450", "#d9485c"),
    (Colour::DecodeQueue, "decode-queue", "#df6e76", "#b0485a"),
    (Colour::Transfer, "transfer", "#bf62ac", "#e3a4da"),
    (Colour::Startup, "startup", "#2f363d", "#d5dae0"),
    (Colour::Idle, "idle", "#5f6973", "#9aa4ae"),
    (Colour::Overhead, "overhead", "#8a939d", "#6a747e"),
    (Colour::Capital, "capital", "#44505c", "#d0d7de"),
    (Colour::Energy, "energy", "#a67c00", "#e0b83a"),
    (Colour::Hosting, "hosting", "#7d8894", "#7d8894"),
    (Colour::Rent, "rent", "#8a4a2b", "#c07a55"),
    (Colour::Magenta, "magenta", "#c4387f", "#f27ab0"),
    (Colour::Violet, "violet", "#7a2f9e", "#b57ae0"),
    (Colour::Olive, "olive", "#6b7300", "#c3c93a"),
    (Colour::Brown, "brown", "#8c5a3c", "#c98f6e"),
    (Colour::Teal, "teal", "#00545c", "#5fb9c4"),
];

/// Tints of each role: prefill, decode, mixed.
const TINTS: [[Colour; 3]; 3] = [
    [Colour::Prefill, Colour::PrefillDark, Colour::PrefillLight],
    [Colour::Decode, Colour::DecodeDark, Colour::DecodeLight],
    [Colour::Mixed, Colour::MixedDark, Colour::MixedLight],
];
/// Colours of classes and of compared variants; none is used for a pool. Of the first three each is, ink aside, the one that differs
/// most from those before it, in both schemes, to eyes that see all colours and to those that do not see red, green or blue (simulated after
/// Machado et al. 2009, distances in Oklab).
const CLASSES: [Colour; 6] = [Colour::Magenta, Colour::Olive, Colour::Violet, Colour::Teal, Colour::Brown, Colour::Ink];

impl Colour {
    /// The stand-in used in drawing.
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

/// One colour per pool: a tint of the hue of its role; when those run out, one not needed by other roles.
pub(super) fn pool_colours(roles: &[Option<Role>]) -> Vec<Colour> {
    let hue = |role: Role| match role {
        Role::Prefill => 0,
        Role::Decode => 1,
        Role::Mixed => 2,
    };
    let mut out: Vec<Option<Colour>> = Vec::new();
    for &role in roles {
        let own = role.map(|role| &TINTS[hue(role)]).into_iter().flatten();
        out.push(own.copied().find(|tint| !out.contains(&Some(*tint))));
    }
    let mut spare =
        TINTS.iter().flat_map(|tints| tints.iter().rev().copied()).filter(|tint| !out.contains(&Some(*tint))).collect::<Vec<_>>();
    out.into_iter().map(|colour| colour.or_else(|| spare.pop()).unwrap_or(Colour::Idle)).collect()
}

/// Replaces the stand-ins in a drawing by classes.
pub(super) fn classes(svg: &str) -> String {
    let names = TABLE.map(|(colour, name, ..)| {
        let RGBColor(r, g, b) = colour.stand_in();
        (format!("{r:02X}{g:02X}{b:02X}\""), name)
    });
    let mut out = String::with_capacity(svg.len());
    let mut parts = svg.split("=\"#");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let attribute = [("stroke", "s"), ("fill", "f")].into_iter().find(|(attribute, _)| out.ends_with(attribute));
        let name = names.iter().find(|(colour, _)| part.starts_with(colour.as_str()));
        if let (Some((attribute, prefix)), Some((colour, name))) = (attribute, name) {
            out.truncate(out.len() - attribute.len());
            // Writing to a string does not fail.
            let _ = write!(out, "class=\"{prefix}-{name}\"{}", &part[colour.len()..]);
        } else {
            out.push_str("=\"#");
            out.push_str(part);
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
    out.push_str("\n.limits polyline{stroke-dasharray:10 7}\n");
    out.push_str(".chart text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",\"Liberation Sans\",sans-serif;");
    out.push_str("paint-order:stroke;stroke:var(--c-back);stroke-width:5px;stroke-linejoin:round;font-variant-numeric:tabular-nums}\n");
    out.push_str(".chart polyline{stroke-linejoin:round;stroke-linecap:round}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The three channels of linear light.
    fn linear(hex: &str) -> [f64; 3] {
        [1, 3, 5].map(|i| {
            let c = f64::from(u8::from_str_radix(&hex[i..i + 2], 16).unwrap()) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { libm::pow((c + 0.055) / 1.055, 2.4) }
        })
    }

    /// Relative luminance of WCAG 2.1.
    fn luminance(hex: &str) -> f64 {
        let [r, g, b] = linear(hex);
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn forms(colour: Colour) -> [&'static str; 2] {
        TABLE.iter().find(|(c, ..)| *c == colour).map(|(_, _, light, dark)| [*light, *dark]).unwrap()
    }

    #[test]
    fn text_reaches_a_contrast_of_4_5_and_shapes_one_of_3_in_both_schemes() {
        let back = forms(Colour::Back);
        for (colour, name, light, dark) in TABLE {
            let least = match colour {
                // Decorative colours: they carry no information.
                Colour::Grid | Colour::Axis | Colour::Back => continue,
                // Names of classes are shown in their colours.
                Colour::Ink | Colour::Muted => 4.5,
                colour if CLASSES.contains(&colour) => 4.5,
                _ => 3.0,
            };
            for (form, back) in [light, dark].into_iter().zip(back) {
                assert!(contrast(form, back) >= least, "{name} {form} has {:.2}", contrast(form, back));
            }
        }
    }

    /// Linear colour as eyes without red or green cones see it, after Machado, Oliveira and Fernandes (2009), table for severity 1.0.
    fn seen(hex: &str, by: [[f64; 3]; 3]) -> [f64; 3] {
        let light = linear(hex);
        let [r, g, b] = by.map(|row| row.iter().zip(light).map(|(share, of)| share * of).sum::<f64>().clamp(0.0, 1.0));
        let root = |t: f64| if t > 0.008_856 { libm::cbrt(t) } else { 7.787 * t + 16.0 / 116.0 };
        let reddish = root((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
        let bright = root(0.2126 * r + 0.7152 * g + 0.0722 * b);
        let bluish = root((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
        [116.0 * bright - 16.0, 500.0 * (reddish - bright), 200.0 * (bright - bluish)]
    }

    #[test]
    fn classes_and_pools_of_one_chart_differ_for_colour_blind_eyes_too() {
        let protan = [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]];
        let deutan = [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]];
        let usual = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        for together in [CLASSES.to_vec(), TINTS.concat()] {
            for (i, a) in together.iter().enumerate() {
                for b in &together[..i] {
                    for eyes in [usual, protan, deutan] {
                        for (a_form, b_form) in forms(*a).into_iter().zip(forms(*b)) {
                            let (p, q) = (seen(a_form, eyes), seen(b_form, eyes));
                            let far = p.iter().zip(q).map(|(p, q)| (p - q) * (p - q)).sum::<f64>().sqrt();
                            assert!(far >= 10.0, "{} and {} are {far:.1} apart", a.name(), b.name());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn classes_and_pools_have_distinct_colours() {
        assert!(CLASSES.iter().all(|class| !TINTS.concat().contains(class)));
    }

    #[test]
    fn every_colour_is_in_the_table_at_its_index() {
        for (i, (colour, name, ..)) in TABLE.iter().enumerate() {
            assert_eq!(*colour as usize, i);
            assert_eq!(colour.name(), *name);
        }
    }

    #[test]
    fn pools_take_tints_of_their_role_and_never_the_same_twice() {
        let colours =
            pool_colours(&[Some(Role::Prefill), Some(Role::Decode), Some(Role::Mixed), Some(Role::Prefill), Some(Role::Decode), None]);
        assert_eq!(&colours[..5], &[Colour::Prefill, Colour::Decode, Colour::Mixed, Colour::PrefillDark, Colour::DecodeDark]);
        for roles in [[Some(Role::Mixed); 6], [Some(Role::Prefill); 6], [None; 6]] {
            let colours = pool_colours(&roles);
            for (i, colour) in colours.iter().enumerate() {
                assert!(!colours[..i].contains(colour), "{colours:?}");
            }
        }
    }

    #[test]
    fn stand_ins_become_classes_and_text_is_unchanged() {
        let RGBColor(r, g, b) = Colour::Ink.stand_in();
        let hex = format!("#{r:02X}{g:02X}{b:02X}");
        assert_eq!(classes(&format!("<line stroke=\"{hex}\"/><text>{hex}</text>")), format!("<line class=\"s-ink\"/><text>{hex}</text>"));
    }
}
