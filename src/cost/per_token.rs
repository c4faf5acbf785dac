//! From dollars to dollars per token.

use super::tariff::Spent;

/// $ per million tokens; `None` without tokens, as the price is then undefined.
pub fn per_million(usd: f64, tokens: u64) -> Option<f64> {
    (tokens > 0).then(|| usd / tokens as f64 * 1e6)
}

/// Splits the cost of a pool between prompt and output tokens: `(prefill, decode)`, where `prefill_share` (clamped to 0 to 1) is the prefill share of
/// the pool's busy time: 1 in a prefill pool, 0 in a decode pool, in between if both share an instance. Idle cost is split in the same proportion.
/// The two parts add up to the whole within rounding.
pub fn split_by_share(spent: Spent, prefill_share: f64) -> (Spent, Spent) {
    let share = prefill_share.clamp(0.0, 1.0);
    let part = |f: f64| Spent { capital: spent.capital * f, energy: spent.energy * f, hosting: spent.hosting * f, rent: spent.rent * f };
    (part(share), part(1.0 - share))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{NodeCost, Tariff};
    use approx::assert_relative_eq;

    #[test]
    fn dollars_per_million_tokens_by_hand() {
        // Eight rented chips at $2.35/h write 5000 tokens/s: $18.80 / 18M tokens = $1.0444 per million.
        let hour = NodeCost::new(8, Tariff::RentedChip { usd_per_hour: 2.35 }).unwrap().spent(8, 3600.0, 0.0);
        assert_relative_eq!(per_million(hour.total(), 18_000_000).unwrap(), 1.044_444, max_relative = 1e-6);
        assert_eq!(per_million(hour.total(), 0), None);
    }

    #[test]
    fn the_split_keeps_the_sum_and_the_kinds() {
        let spent = Spent { capital: 8.0, energy: 4.0, hosting: 2.0, rent: 0.0 };
        let (prefill, decode) = split_by_share(spent, 0.25);
        assert_relative_eq!(prefill.capital, 2.0);
        assert_relative_eq!(decode.energy, 3.0);
        assert_relative_eq!(prefill.total() + decode.total(), 14.0);
        assert_relative_eq!(split_by_share(spent, 1.0).1.total(), 0.0);
    }
}
