//! The variants of a comparison: scenarios, each with all combinations of varied values.

use std::path::PathBuf;

use super::exit::Failure;

/// A scenario with settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct VariantInput {
    /// Index of the scenario on the command line.
    pub(super) scenario: usize,
    /// Its `--vary` values as `--set` options.
    pub(super) sets: Vec<String>,
    /// Distinguishes the variant from others of the scenario: `router=random`; empty if nothing is varied.
    pub(super) label: String,
}

/// One `--vary` option.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Varied {
    path: String,
    values: Vec<String>,
}

/// Maximum number of variants of a comparison.
const MOST: usize = 10_000;

/// All variants in order: scenarios first, then the values of each option; the last option changes fastest.
pub(super) fn variants(scenarios: &[PathBuf], options: &[String]) -> Result<Vec<VariantInput>, Failure> {
    let varied: Vec<Varied> = options.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
    let count =
        varied.iter().try_fold(scenarios.len(), |count, option| count.checked_mul(option.values.len()).filter(|count| *count <= MOST));
    let Some(count) = count else { return Err(Failure::input(format!("too many variants, expected at most {MOST}"))) };
    if count < 2 {
        let hint = "name a second scenario, or vary a value: `--vary policies.router=round-robin,least-request`";
        return Err(Failure::hinted("only one variant, nothing to compare it with", hint));
    }
    if let Some(twice) = varied.iter().enumerate().find_map(|(i, v)| varied[..i].iter().find(|other| other.path == v.path)) {
        return Err(Failure::hinted(
            format!("`{}` is varied twice", twice.path),
            format!("give all its values at once: `--vary {}=a,b`", twice.path),
        ));
    }
    let mut all: Vec<VariantInput> =
        (0..scenarios.len()).map(|scenario| VariantInput { scenario, sets: Vec::new(), label: String::new() }).collect();
    for option in &varied {
        let name = short(&option.path, &varied);
        let with = |variant: &VariantInput, value: &String| {
            let mut more = variant.clone();
            more.sets.push(format!("{}={value}", option.path));
            more.label = [variant.label.as_str(), &format!("{name}={value}")]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" ");
            more
        };
        all = all.iter().flat_map(|variant| option.values.iter().map(|value| with(variant, value))).collect();
    }
    Ok(all)
}

/// The last key of a path, or all of it if another path has the same key.
fn short<'p>(path: &'p str, varied: &[Varied]) -> &'p str {
    let last = |path: &'p str| path.rsplit('.').next().unwrap_or(path);
    let alike = varied.iter().filter(|other| other.path.rsplit('.').next() == Some(last(path))).count();
    if alike > 1 { path } else { last(path) }
}

fn parse(text: &str) -> Result<Varied, Failure> {
    let form = "write `--vary path.to.key=a,b,c`";
    let Some((path, values)) = text.split_once('=') else {
        return Err(Failure::hinted(format!("no `=` in `--vary {text}`"), form));
    };
    let (path, values) = (path.trim().to_owned(), split(values));
    if path.is_empty() {
        return Err(Failure::hinted(format!("no path before the `=` of `--vary {text}`"), form));
    }
    if values.iter().any(String::is_empty) {
        return Err(Failure::hinted(format!("a value is missing in `--vary {text}`"), form));
    }
    if let Some(twice) = values.iter().enumerate().find_map(|(i, value)| values[..i].iter().find(|other| *other == value)) {
        return Err(Failure::input(format!("the value `{twice}` occurs twice in `--vary {text}`")));
    }
    Ok(Varied { path, values })
}

/// The values between commas, except for commas within brackets, braces or quotes.
fn split(text: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let (mut depth, mut quote) = (0_u32, None);
    for c in text.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('[' | '{', None) => depth += 1,
            (']' | '}', None) => depth = depth.saturating_sub(1),
            (',', None) if depth == 0 => {
                values.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = values.last_mut() {
            last.push(c);
        }
    }
    values.into_iter().map(|value| value.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels(scenarios: usize, options: &[&str]) -> Vec<String> {
        let files = vec![PathBuf::from("a.yaml"); scenarios];
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        variants(&files, &options).unwrap().into_iter().map(|v| format!("{}: {}", v.scenario, v.label)).collect()
    }

    fn refused(scenarios: usize, options: &[&str]) -> String {
        let files = vec![PathBuf::from("a.yaml"); scenarios];
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        match variants(&files, &options) {
            Err(Failure::Input { message, .. }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn several_options_make_a_grid_and_the_first_is_the_baseline() {
        assert_eq!(
            labels(1, &["policies.router=random,round-robin", "cluster.pools.p.instances=2, 4"]),
            [
                "0: router=random instances=2",
                "0: router=random instances=4",
                "0: router=round-robin instances=2",
                "0: router=round-robin instances=4"
            ]
        );
        assert_eq!(labels(2, &[]), ["0: ", "1: "]);
        assert_eq!(labels(2, &["seed=1,2"]), ["0: seed=1", "0: seed=2", "1: seed=1", "1: seed=2"]);
        // The last keys are equal.
        assert_eq!(labels(1, &["a.p.tp=1,2", "a.q.tp=1"]), ["0: a.p.tp=1 a.q.tp=1", "0: a.p.tp=2 a.q.tp=1"]);
    }

    #[test]
    fn commas_within_a_value_do_not_split_it() {
        assert_eq!(split("[1, 2],{a: 1, b: [2, 3]}, \"x, y\" "), ["[1, 2]", "{a: 1, b: [2, 3]}", "\"x, y\""]);
    }

    #[test]
    fn invalid_options_are_rejected() {
        assert_eq!(refused(1, &[]), "only one variant, nothing to compare it with");
        assert_eq!(refused(1, &["a=1"]), "only one variant, nothing to compare it with");
        assert_eq!(refused(1, &["a"]), "no `=` in `--vary a`");
        assert_eq!(refused(1, &["=1,2"]), "no path before the `=` of `--vary =1,2`");
        assert_eq!(refused(1, &["a=1,,2"]), "a value is missing in `--vary a=1,,2`");
        assert_eq!(refused(1, &["a=1,1"]), "the value `1` occurs twice in `--vary a=1,1`");
        assert_eq!(refused(1, &["a=1,2", "a=3,4"]), "`a` is varied twice");
        let many = format!("a={}", (0..200).map(|i| i.to_string()).collect::<Vec<_>>().join(","));
        assert_eq!(refused(1, &[&many, &many.replacen('a', "b", 1)]), "too many variants, expected at most 10000");
    }

    proptest! {
        #[test]
        fn the_parser_never_panics(text in "[a=,\\[\\]{}\"']{0,12}") {
            let _ = variants(&[PathBuf::from("a.yaml")], &[text]);
        }
    }
}
