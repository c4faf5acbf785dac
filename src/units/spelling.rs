//! Suggestions for misspelled words.

/// The candidate most like `word`, if any is near. Case, `-` and `_` are ignored.
pub fn nearest_word<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |s: &str| s.to_lowercase().replace('-', "_");
    let wanted = plain(word);
    if wanted.chars().count() > 100 {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other = plain(candidate);
        let longest = wanted.chars().count().max(other.chars().count());
        let shortest = wanted.chars().count().min(other.chars().count());
        let distance = strsim::damerau_levenshtein(&wanted, &other);
        let starts = shortest >= 3 && (wanted.starts_with(&other) || other.starts_with(&wanted));
        if (distance <= 1.max(longest / 3) || starts) && best.is_none_or(|(d, _)| distance < d) && distance < longest {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let keys = ["instances", "parallelism", "tp", "max_num_seqs"];
        assert_eq!(nearest_word("instnaces", keys.into_iter()), Some("instances"));
        assert_eq!(nearest_word("tpp", keys.into_iter()), Some("tp"));
        assert_eq!(nearest_word("max-num-seq", keys.into_iter()), Some("max_num_seqs"));
        assert_eq!(nearest_word("banana", keys.into_iter()), None);
        assert_eq!(nearest_word("x", ["y"].into_iter()), None);
    }
}
