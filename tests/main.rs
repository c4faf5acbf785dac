//! All integration tests in one binary, a module per topic.

mod analytic;
mod determinism;
mod engine;
mod layering;
mod page;
#[cfg(unix)]
mod readme;
mod shipped;
mod support;
