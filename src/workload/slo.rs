//! Service-level objectives of one workload. Owns the limits; must not know how a metric is measured.

use serde::Serialize;

use super::error::{ParameterProblem, Problems};
use crate::sim::SimDuration;

/// The limits a request must keep to count as good. A limit that is absent is always kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Slo {
    /// Longest time to first token.
    pub ttft: Option<SimDuration>,
    /// Longest mean time per output token after the first.
    pub tpot: Option<SimDuration>,
    /// Longest time from arrival to the last token.
    pub e2e: Option<SimDuration>,
}

impl Slo {
    /// True if nothing is promised.
    pub const fn is_empty(&self) -> bool {
        self.ttft.is_none() && self.tpot.is_none() && self.e2e.is_none()
    }

    /// All problems of these limits; empty if they can be used.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        for (field, limit) in [("ttft", self.ttft), ("tpot", self.tpot), ("e2e", self.e2e)] {
            problems.require(limit != Some(SimDuration::ZERO), field, "0 s", "a limit above zero, or none");
        }
        if let (Some(ttft), Some(e2e)) = (self.ttft, self.e2e) {
            problems.require(e2e >= ttft, "e2e", format_args!("{} s", e2e.as_secs_f64()), "at least the TTFT limit, which is part of it");
        }
        problems.into_vec()
    }
}

impl Serialize for Slo {
    /// As `{ttft_ms, tpot_ms, e2e_ms}`, with null for what is not promised.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Slo", 3)?;
        fields.serialize_field("ttft_ms", &self.ttft.map(SimDuration::as_millis_f64))?;
        fields.serialize_field("tpot_ms", &self.tpot.map(SimDuration::as_millis_f64))?;
        fields.serialize_field("e2e_ms", &self.e2e.map(SimDuration::as_millis_f64))?;
        fields.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_zero_and_an_e2e_below_the_ttft_are_refused() {
        let ms = |n: u64| Some(SimDuration::from_ns(n * 1_000_000));
        assert!(Slo::default().is_empty() && Slo::default().validate().is_empty());
        assert!(Slo { ttft: ms(2000), tpot: ms(50), e2e: None }.validate().is_empty());
        let problems = Slo { ttft: ms(2000), tpot: ms(0), e2e: ms(1000) }.validate();
        assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), ["tpot", "e2e"]);
    }

    #[test]
    fn an_absent_limit_is_null_in_results() {
        let slo = Slo { ttft: Some(SimDuration::from_ns(2_000_000_000)), tpot: None, e2e: None };
        assert_eq!(serde_json::to_string(&slo).unwrap(), r#"{"ttft_ms":2000.0,"tpot_ms":null,"e2e_ms":null}"#);
    }
}
