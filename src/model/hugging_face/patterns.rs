//! Lists of module names in a checkpoint's configuration: names, globs and regular expressions.

use std::collections::BTreeSet;

use fancy_regex::Regex;

use super::HuggingFaceError;
use super::keys::contradicts;
use super::matrices::Matrix;

/// Characters that make a pattern a glob.
const WILD: [char; 3] = ['*', '?', '['];
/// Most expressions and general globs in one list; each is matched against every matrix.
const MOST: usize = 1000;

/// Some modules.
#[derive(Debug, Default)]
pub(super) struct Patterns {
    /// Runs of components of a name: `lm_head`, `self_attn`, `model.layers.0.mlp.down_proj`.
    names: BTreeSet<String>,
    /// Beginnings of names, from globs with one `*` at the end: files have one for each layer.
    beginnings: BTreeSet<String>,
    regexes: Vec<Regex>,
}

impl Patterns {
    /// Reads patterns: `re:` precedes a regular expression that matches from the start, `*` and `?` make a glob of the whole name; anything
    /// else is a name, or a part of one from dot to dot. `key` is for messages.
    pub(super) fn read<'a>(key: &str, patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, HuggingFaceError> {
        let mut out = Self::default();
        for pattern in patterns {
            out.add(key, pattern)?;
        }
        Ok(out)
    }

    /// Adds one pattern.
    pub(super) fn add(&mut self, key: &str, pattern: &str) -> Result<(), HuggingFaceError> {
        if let Some(regex) = pattern.strip_prefix("re:") {
            return self.add_regex(key, pattern, &format!("^(?:{regex})"));
        }
        if let Some(beginning) = pattern.strip_suffix('*').filter(|beginning| beginning.starts_with(char::is_alphanumeric)) {
            let name = as_in_text(beginning);
            if !name.is_empty() && !name.contains(WILD) {
                self.beginnings.insert(name);
                return Ok(());
            }
        }
        if pattern.contains(WILD) {
            return self.add_regex(key, pattern, &glob(pattern));
        }
        let name = as_in_text(pattern.trim_matches('.'));
        if !name.is_empty() {
            self.names.insert(name);
        }
        Ok(())
    }

    /// Adds a regular expression that matches anywhere from the start of the name.
    pub(super) fn add_regex(&mut self, key: &str, pattern: &str, regex: &str) -> Result<(), HuggingFaceError> {
        let regex = Regex::new(regex).map_err(|error| HuggingFaceError::WrongValue {
            key: key.to_owned(),
            found: format!("`{pattern}` ({error})"),
            expected: "a regular expression",
        })?;
        if self.regexes.len() == MOST {
            return Err(contradicts(key, &format!("a list with more than {MOST} expressions"), "names, and globs that end in `*`"));
        }
        self.regexes.push(regex);
        Ok(())
    }

    /// True if a name of the matrix is among them.
    pub(super) fn contain(&self, matrix: &Matrix) -> bool {
        matrix.names.iter().any(|name| self.contain_run_of(name) || self.contain_beginning_of(name) || self.match_any(name))
    }

    fn contain_run_of(&self, name: &str) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let starts = std::iter::once(0).chain(name.match_indices('.').map(|(at, _)| at + 1));
        starts.filter_map(|start| name.get(start..)).any(|tail| {
            let ends = tail.match_indices('.').map(|(at, _)| at).chain([tail.len()]);
            ends.filter_map(|end| tail.get(..end)).any(|run| self.names.contains(run))
        })
    }

    fn contain_beginning_of(&self, name: &str) -> bool {
        !self.beginnings.is_empty()
            && name.char_indices().any(|(at, c)| name.get(..at + c.len_utf8()).is_some_and(|name| self.beginnings.contains(name)))
    }

    fn match_any(&self, name: &str) -> bool {
        // A pattern that takes too long to match counts as one that does not.
        let matches = |name: &str| self.regexes.iter().any(|regex| regex.is_match(name).unwrap_or(false));
        !self.regexes.is_empty()
            && (matches(name)
                || matches(&format!("language_model.{name}"))
                || matches(&name.replacen("model.", "model.language_model.", 1)))
    }
}

/// A name without the modules around the language model: `model.layers.0.mlp`.
fn as_in_text(name: &str) -> String {
    match name.strip_prefix("model.language_model.") {
        Some(rest) => format!("model.{rest}"),
        None => name.strip_prefix("language_model.").unwrap_or(name).to_owned(),
    }
}

/// A glob as a regular expression for the whole name.
fn glob(pattern: &str) -> String {
    let mut out = "^".to_owned();
    for c in pattern.chars() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            // Character classes are the same in both, but for their negation.
            '[' | ']' | '-' => out.push(c),
            '!' => out.push('^'),
            _ if c.is_alphanumeric() || c == '_' => out.push(c),
            _ => out.extend(['\\', c]),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::super::super::Part;
    use super::*;

    fn contains(pattern: &str, name: &str) -> bool {
        let matrix = Matrix { part: Part::Dense, parameters: 1, names: vec![name.to_owned()] };
        Patterns::read("ignore", [pattern]).unwrap().contain(&matrix)
    }

    #[test]
    fn names_match_from_dot_to_dot() {
        let name = "model.layers.1.mlp.gate_proj";
        for pattern in [name, "gate_proj", "mlp", "model.layers.1", "layers.1.mlp", "language_model.model.layers.1.mlp", "mlp.gate_proj."] {
            assert!(contains(pattern, name), "{pattern}");
        }
        for pattern in ["mlp.gate", "gate", "model.layers.10", "lm_head", "", "."] {
            assert!(!contains(pattern, name), "{pattern}");
        }
    }

    #[test]
    fn globs_match_the_whole_name_and_expressions_its_start() {
        let name = "model.layers.12.self_attn.q_proj";
        for pattern in [
            "model.layers.12.self_attn*",
            "*self_attn*",
            "model.layers.1?.self_attn.[qk]_proj",
            "model.language_model.layers.*.self_attn.*",
            "model.language_model.layers.12*",
            "language_model.model.layers.1*",
            "language_model.*",
            "re:.*self_attn.*",
            "re:model\\.layers\\.(1[0-9])\\.",
            "re:^(?!.*experts).*$",
        ] {
            assert!(contains(pattern, name), "{pattern}");
        }
        for pattern in ["model.layers.1.self_attn*", "self_attn*", "re:self_attn", "re:.*mlp.*", "*lm_head"] {
            assert!(!contains(pattern, name), "{pattern}");
        }
        let error = Patterns::read("ignore", ["re:("]).unwrap_err().to_string();
        assert!(error.starts_with("the key `ignore` is `re:(`"), "{error}");
    }
}
