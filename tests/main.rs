//! All integration tests in one binary, a module per topic.

mod analytic;
mod determinism;
mod engine;
mod layering;
mod page;
mod shipped;
mod support;
