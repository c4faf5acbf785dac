//! All integration tests in one binary, a module per topic.

mod analytic;
mod determinism;
mod engine;
mod page;
mod support;
