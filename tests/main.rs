//! All integration tests in one binary, a module per topic.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a helper of a test fails it by panicking and skips it by saying so; test values are small"
)]

mod analytic;
mod cli;
mod conservation;
mod controllers;
mod determinism;
mod disaggregation;
mod engine;
mod evictions;
mod failures;
mod first_token;
mod layering;
mod library;
mod metamorphic;
mod page;
mod pairs;
mod pitfalls;
mod policies;
mod pools;
mod preemption;
mod progress;
mod provenance;
mod published;
mod queues;
#[cfg(unix)]
mod readme;
mod real_traces;
mod robustness;
mod schedulers;
mod schemas;
mod sessions;
mod shipped;
mod stations;
mod support;
mod waiting;
