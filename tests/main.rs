//! All integration tests in one binary, a module per topic.
//!
//! `cfg(test)` holds here anyway; written out, it tells the lints that helpers of tests may unwrap.

#[cfg(test)]
mod analytic;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod determinism;
mod page;
#[cfg(test)]
mod robustness;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod support;
