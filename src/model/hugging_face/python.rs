//! JSON as Python writes it: with `NaN`, `Infinity` and `-Infinity`, which JSON does not have.

/// Replaces these words outside of texts by `null`; no key of interest has such a value.
pub(super) fn as_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut quoted) = (text, false);
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| !quoted && rest.starts_with(word));
        let taken = match word {
            Some(word) => {
                out.push_str("null");
                word.len()
            }
            // An escaped character neither begins nor ends a text.
            None if quoted && c == '\\' => {
                let taken = rest.chars().take(2).map(char::len_utf8).sum();
                out.extend(rest.chars().take(2));
                taken
            }
            None => {
                quoted ^= c == '"';
                out.push(c);
                c.len_utf8()
            }
        };
        rest = rest.get(taken..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::as_json;

    #[test]
    fn words_of_python_become_null_outside_of_texts() {
        let text = r#"{"a": NaN, "b": [-Infinity, Infinity], "NaN": "Infinity \" NaN", "é": 1}"#;
        assert_eq!(as_json(text), r#"{"a": null, "b": [null, null], "NaN": "Infinity \" NaN", "é": 1}"#);
        assert_eq!(as_json("\"\\"), "\"\\");
    }
}
