//! Sampling of requests for rows.
//!
//! Owns: the selection, which depends only on the seed and the request's number. Must not know: the destination of rows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::recorder::RequestSink;
use super::row::RequestRow;
use crate::sim::{Purpose, Streams};
use crate::units::{Plain, Ratio};

/// Which requests get a row in `requests.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum RowChoice {
    /// Every request.
    #[default]
    All,
    /// No request: the file is not written.
    None,
    /// A uniform sample of this share of all requests, whatever their outcome, drawn by seed and number of the request: the same requests
    /// under every policy.
    Sample(
        #[serde(with = "Plain::<Ratio>")]
        #[schemars(with = "Ratio", extend("x-above" = 0, "x-most" = 1))]
        f64,
    ),
}

impl RowChoice {
    /// True if every request gets a row.
    pub const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}

/// Passes on the rows of a uniform sample: requests are drawn by number, regardless of outcome, so the sample is the same under every policy and in
/// every order of departures.
#[derive(Debug)]
pub struct Sampled<S> {
    streams: Streams,
    /// Draws below this limit, out of 2⁶⁴, are in the sample.
    limit: u128,
    sink: S,
}

impl<S> Sampled<S> {
    /// `streams` are those of the run.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2⁶⁴")]
    pub fn new(choice: RowChoice, streams: Streams, sink: S) -> Self {
        const ALL: f64 = 18_446_744_073_709_551_616.0;
        let share = match choice {
            RowChoice::All => 1.0,
            RowChoice::None => 0.0,
            RowChoice::Sample(share) => share.clamp(0.0, 1.0),
        };
        Self { streams, limit: (share * ALL) as u128, sink }
    }

    /// The underlying sink.
    pub fn into_inner(self) -> S {
        self.sink
    }

    fn takes(&self, id: u64) -> bool {
        u128::from(self.streams.number(Purpose::Rows, id)) < self.limit
    }
}

impl<S: RequestSink> RequestSink for Sampled<S> {
    fn request(&mut self, row: &RequestRow) {
        if self.takes(row.record.id) {
            self.sink.request(row);
        }
    }

    fn failed(&self) -> bool {
        self.sink.failed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(choice: RowChoice, seed: u64) -> Vec<u64> {
        let sampled = Sampled::new(choice, Streams::new(seed), ());
        (0..100_000).filter(|id| sampled.takes(*id)).collect()
    }

    #[test]
    fn a_sample_has_its_share_in_every_part_of_the_run() {
        for seed in 0..4 {
            let sample = taken(RowChoice::Sample(0.1), seed);
            // Binomial: 10,000 ± 95, and 1,000 ± 30 of each tenth.
            assert!((9_600..10_400).contains(&sample.len()), "{}", sample.len());
            for tenth in 0..10 {
                let part = sample.iter().filter(|id| **id / 10_000 == tenth).count();
                assert!((850..1_150).contains(&part), "seed {seed}, tenth {tenth}: {part}");
            }
        }
    }

    #[test]
    fn a_smaller_sample_is_a_subset_of_a_larger_one_and_differs_between_seeds() {
        let (small, large) = (taken(RowChoice::Sample(0.01), 7), taken(RowChoice::Sample(0.1), 7));
        assert!(small.len() > 800 && small.iter().all(|id| large.binary_search(id).is_ok()));
        let common = taken(RowChoice::Sample(0.1), 8).iter().filter(|id| large.binary_search(id).is_ok()).count();
        // One in ten of the 10,000.
        assert!((850..1_150).contains(&common), "{common}");
    }

    #[test]
    fn all_keeps_every_row_and_none_keeps_no_row() {
        assert_eq!(taken(RowChoice::All, 7).len(), 100_000);
        assert_eq!(taken(RowChoice::Sample(1.0), 7).len(), 100_000);
        assert_eq!(taken(RowChoice::None, 7).len(), 0);
    }
}
