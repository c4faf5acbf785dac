//! Tokenmill simulates *token factories*: clusters that serve large language models with prefill and decode split apart.
//!
//! The modules form layers; a module uses only those below it, and a test fails on an arrow that points back:
//!
//! ```text
//! cli → report → study → config → {cost, metrics} → cluster → policy
//!     → {kv, network, power, workload} → perf → {hardware, model} → sim → units
//! ```
//!
//! `ARCHITECTURE.md` has the code map, the invariants and the recipes for extending each layer.

pub mod cli;
pub mod cluster;
pub mod config;
pub mod cost;
pub mod hardware;
pub mod kv;
pub mod metrics;
pub mod model;
pub mod network;
pub mod perf;
pub mod policy;
pub mod power;
pub mod report;
pub mod sim;
pub mod study;
pub mod units;
pub mod workload;
