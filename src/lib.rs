//! Tokenmill simulates *token factories*: clusters that serve large language models with disaggregated prefill and decode.
//!
//! A [`Simulation`] loads a scenario, applies overrides, takes your own policies and models, and runs; it returns every number of `summary.json`,
//! typed. Here a custom router is compared with a built-in one:
//!
//! ```
//! use tokenmill::Simulation;
//! use tokenmill::policy::{Candidates, Entry, Pick, RequestView, Router, Signal};
//!
//! /// Short prompts go to the first instance, so that none waits behind a long one.
//! #[derive(Debug)]
//! struct ShortFirst;
//!
//! impl Router for ShortFirst {
//!     fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
//!         let short = request.prompt_tokens < 256 && candidates.eligible(0);
//!         if short { Pick::To(0) } else { candidates.least(Signal::PendingTokens).into() }
//!     }
//! }
//!
//! # fn main() -> Result<(), tokenmill::SimulationError> {
//! let simulation = |router: &str| {
//!     Simulation::shipped("quickstart-colocated")
//!         .set("run={requests: 500, warmup: 0 s}")
//!         .set(format!("policies={{router: {router}}}"))
//!         .router(Entry::<dyn Router>::plain("short-first", "Short prompts to the first instance.", |_| Box::new(ShortFirst)))
//! };
//! for router in ["least-tokens", "short-first"] {
//!     let summary = simulation(router).run()?.summary;
//!     let ttft = summary.latency.ttft_ms.expect("500 requests have a first token");
//!     println!("{router}: p50 TTFT {:.0} ms, p99 {:.0} ms", ttft.p50, ttft.p99);
//! #   assert_eq!(summary.requests.completed, 500);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `examples/` has a custom router behind the whole command line ([`cli::main_with`]), and a custom queue order, workload, controller,
//! performance model and observer. Stable interfaces: [`Simulation`], the traits it takes ([`policy::Router`], [`policy::QueueOrder`],
//! [`policy::Controller`], [`workload::Workload`], [`perf::PerfModel`], [`cluster::Observer`], [`metrics::RequestSink`]) and the
//! [`metrics::Summary`] it returns. Everything else may change with any release.
//!
//! Without the features `cli` and `report` (both on by default) the command line, the charts and pages, and their dependencies are left out.
//!
//! The modules form layers; a module uses only those below it, and a test rejects any upward dependency:
//!
//! ```text
//! cli → report → study → scenario → {cost, metrics} → cluster → policy
//!     → {network, power, workload} → {kv, perf} → {hardware, model} → {document, sim} → units
//! ```
//!
//! `ARCHITECTURE.md` has the code map, the invariants and the recipes for extending each layer.

#[cfg(feature = "cli")]
pub mod cli;
pub mod cluster;
pub mod cost;
pub mod document;
pub mod hardware;
pub mod kv;
pub mod metrics;
pub mod model;
pub mod network;
pub mod perf;
pub mod policy;
pub mod power;
pub mod report;
pub mod scenario;
pub mod sim;
pub mod study;
pub mod units;
pub mod workload;

pub use study::{Simulation, SimulationError};
