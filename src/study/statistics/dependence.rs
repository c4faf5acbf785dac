//! Range of dependence of a series, and the resulting block length.
//!
//! Politis and White, *Automatic block-length selection for the dependent bootstrap*, Econometric Reviews 23, 2004, with the correction of
//! Patton, Politis and White, Econometric Reviews 28, 2009: for autocovariances `R(k)` of `n` values and the flat-top window `λ`, whose width is
//! twice the lag `m` after which five consecutive autocorrelations are below `2·√(log₁₀ n / n)`, `g = Σ λ(k/2m)·R(k)`, `G = Σ λ(k/2m)·|k|·R(k)`, `D =
//! 2g²`, and the length is `(2G²/D)^(1/3) · n^(1/3) = (G/g)^(2/3) · n^(1/3)`.

/// Consecutive autocorrelations that must be small: `K_N` of the paper, for all lengths that fit into memory.
const QUIET: usize = 5;

/// Minimum number of values for a reliable estimate.
const LEAST: usize = 32;

/// Dependence within a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dependence {
    /// `G/g`: lags weighted by their autocovariances, in values of the series.
    pub(super) span: f64,
}

impl Dependence {
    /// Dependence of a series. If the autocorrelation does not die out within about `√n` lags, neighbours are added in pairs and the search is
    /// repeated, so that long memory costs no more than short; `None` if it never dies out.
    pub(super) fn of(series: &[f64]) -> Option<Self> {
        let mut values = series.to_vec();
        let mut joined = 1.0;
        loop {
            centre(&mut values);
            if autocovariance(&values, 0) <= 0.0 {
                return Some(Self { span: 0.0 });
            }
            if values.len() < LEAST {
                return None;
            }
            if let Some(span) = span(&values) {
                return Some(Self { span: span * joined });
            }
            values = values.chunks(2).map(|pair| pair.iter().sum()).collect();
            joined *= 2.0;
        }
    }

    /// Mean block length for a series of `n` values: 1 to `n`.
    pub(super) fn length(self, n: f64) -> f64 {
        libm::cbrt(self.span * self.span * n).max(1.0).min(n)
    }

    /// Factor by which the stationary bootstrap with this block length understates a standard deviation: the expectation of its variance is `g −
    /// G/length` to first order (Politis and Romano 1994) instead of `g`.
    pub(super) fn understated(self, length: f64) -> f64 {
        (1.0 / (1.0 - (self.span / length).clamp(0.0, 0.5))).sqrt()
    }
}

/// Subtracts the mean.
fn centre(values: &mut [f64]) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    for value in values {
        *value -= mean;
    }
}

/// Autocovariance of centred values.
fn autocovariance(values: &[f64], lag: usize) -> f64 {
    let late = values.get(lag..).unwrap_or_default();
    values.iter().zip(late).map(|(a, b)| a * b).sum::<f64>() / values.len() as f64
}

/// `G/g` of centred values; `None` if the autocorrelation does not die out. For a strongly alternating series, whose `g` is not positive, it is zero:
/// blocks of one overstate its variance.
fn span(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let mut covariances = vec![autocovariance(values, 0)];
    let small = covariances.first()? * 2.0 * (libm::log10(n) / n).sqrt();
    let most = values.len().isqrt() + QUIET;
    let mut quiet = 0;
    while quiet < QUIET {
        if covariances.len() > most {
            return None;
        }
        let covariance = autocovariance(values, covariances.len());
        quiet = if covariance.abs() < small { quiet + 1 } else { 0 };
        covariances.push(covariance);
    }
    let width = 2 * (covariances.len() - 1 - QUIET).max(1);
    covariances.extend((covariances.len()..=width).map(|lag| autocovariance(values, lag)).collect::<Vec<_>>());
    let (mut variance, mut weighted) = (0.0, 0.0);
    for (lag, covariance) in covariances.iter().enumerate().take(width + 1) {
        let window = (2.0 * (1.0 - lag as f64 / width as f64)).min(1.0);
        let both = if lag == 0 { 1.0 } else { 2.0 };
        variance += both * window * covariance;
        weighted += both * window * lag as f64 * covariance;
    }
    Some(if variance > 0.0 { weighted / variance } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::{Purpose, Streams};

    /// Autoregressive of order one: `x ← φ·x + ε`.
    fn autoregressive(phi: f64, n: usize) -> Vec<f64> {
        let mut stream = Streams::new(3).stream(Purpose::Arrivals, 0);
        let mut x = 0.0;
        let mut next = || {
            x = phi * x + stream.normal();
            x
        };
        (0..n).map(|_| next()).collect()
    }

    #[test]
    fn the_span_of_an_autoregression_matches_its_closed_form() {
        // R(k) ∝ φ^|k|: Σ|k|·R = 2φ/(1−φ)², ΣR = (1+φ)/(1−φ), so G/g = 2φ/(1−φ²).
        for (phi, n, tolerance) in [(0.5, 100_000, 0.15), (0.9, 100_000, 0.15), (0.95, 200_000, 0.2)] {
            let span = Dependence::of(&autoregressive(phi, n)).unwrap().span;
            approx::assert_relative_eq!(span, 2.0 * phi / (1.0 - phi * phi), max_relative = tolerance);
        }
    }

    #[test]
    fn independent_values_need_short_blocks() {
        let dependence = Dependence::of(&autoregressive(0.0, 10_000)).unwrap();
        assert!(dependence.length(10_000.0) < 4.0, "{dependence:?}");
        // Span 8 of 1,000 values: (64 · 1000)^(1/3) = 40, and 1 / (1 − 8/40) = 1.25.
        let by_hand = Dependence { span: 8.0 };
        approx::assert_relative_eq!(by_hand.length(1000.0), 40.0, max_relative = 1e-12);
        approx::assert_relative_eq!(by_hand.understated(40.0), 1.25_f64.sqrt(), max_relative = 1e-12);
    }

    #[test]
    fn long_memory_beyond_the_square_root_of_the_length_is_found() {
        // Correlation over 2,000 values; √100,000 is 316.
        let values: Vec<f64> = autoregressive(0.0, 200).iter().flat_map(|x| std::iter::repeat_n(*x, 2000)).collect();
        // R(k) is a triangle: Σ|k|·R ≈ 2000³/3 / 2000, ΣR ≈ 2000, so G/g ≈ 2000/3.
        let span = Dependence::of(&values).unwrap().span;
        assert!((400.0..1000.0).contains(&span), "{span}");
    }

    #[test]
    fn a_constant_has_no_memory_and_a_slope_unlimited_memory() {
        assert_eq!(Dependence::of(&[7.0; 100]), Some(Dependence { span: 0.0 }));
        assert_eq!(Dependence::of(&[]), None);
        let slope: Vec<f64> = (0..1000).map(f64::from).collect();
        assert!(Dependence::of(&slope).is_none_or(|dependence| dependence.length(1000.0) > 50.0));
    }
}
