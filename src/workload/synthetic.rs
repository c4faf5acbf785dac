//! The open loop: arrivals are independent of the cluster. Owns the pairing of arrivals with shapes.

use super::arrivals::{ArrivalClock, ArrivalProcess};
use super::envelope::DiurnalEnvelope;
use super::error::{ParameterProblem, Problems, WorkloadError, refuse};
use super::request::{ClassId, RequestSpec, Workload};
use super::shape::{RequestDraws, RequestShape};
use crate::sim::{Purpose, SimTime, Streams};

/// Parameters of an open-loop workload.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticParameters {
    /// Arrival process.
    pub arrivals: ArrivalProcess,
    /// Diurnal variation of the rate, if any.
    pub envelope: Option<DiurnalEnvelope>,
    /// Shape of the requests.
    pub shape: RequestShape,
    /// Maximum number of requests, at least 1. Without it the workload never ends, so the run must be limited.
    pub requests: Option<u64>,
}

impl SyntheticParameters {
    /// All problems of these parameters; empty if valid.
    pub fn validate(&self) -> Vec<ParameterProblem> {
        let mut problems = Problems::default();
        problems.within("arrivals", self.arrivals.validate());
        problems.within("envelope", self.envelope.map(|envelope| envelope.validate()).unwrap_or_default());
        problems.within("", self.shape.validate());
        problems.require(self.requests != Some(0), "requests", 0, "at least 1 request");
        problems.into_vec()
    }
}

/// Requests of an open loop, generated on demand.
#[derive(Debug)]
pub struct SyntheticWorkload {
    class: ClassId,
    clock: ArrivalClock,
    draws: RequestDraws,
    left: Option<u64>,
    taken: u64,
    /// The next arrival, drawn ahead; `None` if there is none.
    head: Option<SimTime>,
    /// True if the next arrival is beyond the range of simulated time.
    beyond: bool,
}

impl SyntheticWorkload {
    /// The workload of `class`; its draws depend only on the seed of `streams` and on the class.
    ///
    /// # Errors
    /// [`WorkloadError::Parameters`] with all problems.
    pub fn new(class: ClassId, parameters: &SyntheticParameters, streams: &Streams) -> Result<Self, WorkloadError> {
        refuse(parameters.validate())?;
        let stream = streams.stream(Purpose::Arrivals, u32::from(class.0));
        let mut workload = Self {
            class,
            clock: ArrivalClock::new(&parameters.arrivals, parameters.envelope.as_ref(), stream),
            draws: RequestDraws::new(class, &parameters.shape, *streams),
            left: parameters.requests,
            taken: 0,
            head: None,
            beyond: false,
        };
        workload.advance();
        Ok(workload)
    }

    fn advance(&mut self) {
        self.head = None;
        if self.left != Some(0) {
            self.head = self.clock.next_arrival();
            self.beyond = self.head.is_none();
        }
    }
}

impl Workload for SyntheticWorkload {
    fn peek(&mut self) -> Result<Option<SimTime>, WorkloadError> {
        if std::mem::take(&mut self.beyond) {
            return Err(WorkloadError::BeyondTime { class: self.class.0, request: self.taken + 1 });
        }
        Ok(self.head)
    }

    fn next(&mut self) -> Result<Option<(SimTime, RequestSpec)>, WorkloadError> {
        let Some(at) = self.peek()? else { return Ok(None) };
        self.taken += 1;
        self.left = self.left.map(|left| left - 1);
        let request = self.draws.next();
        self.advance();
        Ok(Some((at, request)))
    }

    fn is_exhausted(&self) -> bool {
        self.head.is_none() && !self.beyond
    }

    fn handed_out(&self) -> Option<f64> {
        self.left.map(|left| self.taken as f64 / (self.taken + left) as f64)
    }

    fn block_tokens(&self, class: ClassId) -> Option<u32> {
        self.draws.block_tokens().filter(|_| class == self.class)
    }
}

#[cfg(test)]
mod tests {
    use super::super::lengths::LengthDistribution;
    use super::*;

    fn parameters(arrivals: ArrivalProcess) -> SyntheticParameters {
        SyntheticParameters {
            arrivals,
            envelope: None,
            shape: RequestShape {
                prompt: LengthDistribution::Uniform { min: 1, max: 2000 },
                output: LengthDistribution::Uniform { min: 1, max: 500 },
                shared_prefix: None,
            },
            requests: Some(1000),
        }
    }

    fn all(parameters: &SyntheticParameters, class: u16, seed: u64) -> Vec<(SimTime, RequestSpec)> {
        let mut workload = SyntheticWorkload::new(ClassId(class), parameters, &Streams::new(seed)).unwrap();
        let mut requests = Vec::new();
        while let Some(request) = workload.next().unwrap() {
            requests.push(request);
        }
        assert!(workload.is_exhausted() && workload.peek().unwrap().is_none());
        requests
    }

    #[test]
    fn equal_seeds_give_equal_requests_and_different_seeds_and_classes_do_not() {
        let poisson = parameters(ArrivalProcess::Poisson { rate: 10.0 });
        assert_eq!(all(&poisson, 0, 1), all(&poisson, 0, 1));
        assert_eq!(all(&poisson, 0, 1).len(), 1000);
        assert_ne!(all(&poisson, 0, 1)[0].0, all(&poisson, 0, 2)[0].0);
        assert_ne!(all(&poisson, 0, 1)[0].0, all(&poisson, 1, 1)[0].0);
    }

    #[test]
    fn lengths_do_not_depend_on_the_arrival_process() {
        let lengths = |arrivals| all(&parameters(arrivals), 0, 1).into_iter().map(|(_, request)| request).collect::<Vec<_>>();
        assert_eq!(lengths(ArrivalProcess::Poisson { rate: 10.0 }), lengths(ArrivalProcess::Gamma { rate: 3.0, cv: 4.0 }));
    }

    #[test]
    fn peeking_takes_nothing() {
        let mut workload =
            SyntheticWorkload::new(ClassId(0), &parameters(ArrivalProcess::Poisson { rate: 1.0 }), &Streams::new(1)).unwrap();
        let first = workload.peek().unwrap();
        assert_eq!(workload.peek().unwrap(), first);
        assert_eq!(workload.next().unwrap().map(|(at, _)| at), first);
    }

    #[test]
    fn a_million_requests_are_streamed_in_order() {
        let mut many = parameters(ArrivalProcess::Gamma { rate: 100.0, cv: 2.0 });
        many.requests = Some(1_000_000);
        let mut workload = SyntheticWorkload::new(ClassId(0), &many, &Streams::new(1)).unwrap();
        let (mut last, mut count) = (SimTime::ZERO, 0);
        while let Some((at, _)) = workload.next().unwrap() {
            assert!(at >= last);
            (last, count) = (at, count + 1);
        }
        assert_eq!(count, 1_000_000);
        // The workload does not grow: its only heap memory is that of empirical lengths.
        approx::assert_relative_eq!(last.as_secs_f64(), 10_000.0, max_relative = 0.02);
    }

    #[test]
    fn time_beyond_its_range_is_an_error() {
        let mut endless = parameters(ArrivalProcess::Constant { rate: 1e-6 });
        endless.requests = None;
        // 292 years are 9.2e9 s, so 9200 arrivals a million seconds apart fit.
        let mut workload = SyntheticWorkload::new(ClassId(3), &endless, &Streams::new(1)).unwrap();
        let error = loop {
            match workload.next() {
                Ok(request) => assert!(request.is_some()),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, WorkloadError::BeyondTime { class: 3, request: 9201 }), "{error}");
        assert!(workload.is_exhausted());
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let mut bad = parameters(ArrivalProcess::Gamma { rate: 0.0, cv: 1e300 });
        bad.shape.output = LengthDistribution::Fixed { tokens: 0 };
        bad.requests = Some(0);
        let error = SyntheticWorkload::new(ClassId(0), &bad, &Streams::new(1)).unwrap_err();
        let WorkloadError::Parameters(problems) = error else { panic!("{error}") };
        let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["arrivals.rate", "arrivals.cv", "output.tokens", "requests"]);
    }
}
