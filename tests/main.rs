//! All integration tests in one binary, a module per topic.

mod analytic;
mod conservation;
mod determinism;
mod engine;
mod layering;
mod metamorphic;
mod page;
mod pitfalls;
mod published;
mod readme;
mod real_traces;
mod shipped;
mod support;
