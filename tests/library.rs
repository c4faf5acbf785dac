//! The library as a program uses it.

use tokenmill::metrics::RequestRow;
use tokenmill::perf::{BatchShape, IterationCost, PerfModel};
use tokenmill::policy::{Entry, Router};
use tokenmill::workload::{ClassId, RequestSpec};
use tokenmill::{Simulation, SimulationError};

use crate::cli::TINY;
use crate::support::{Listed, request, router};

/// Every iteration takes as many nanoseconds.
#[derive(Debug)]
struct Flat(f64);

impl PerfModel for Flat {
    fn iteration(&self, _: &BatchShape) -> IterationCost {
        IterationCost { duration_ns: self.0, compute_ns: self.0, ..IterationCost::default() }
    }
    fn provenance(&self) -> String {
        "a test".to_owned()
    }
}

fn tiny() -> Simulation {
    Simulation::text("tiny.yaml", TINY).set("run.warmup=0 s")
}

fn problem(simulation: Simulation) -> String {
    simulation.run().unwrap_err().to_string()
}

#[test]
fn a_simulation_is_the_run_of_its_scenario() {
    let (result, rows, _) = tiny().seed(5).audit(true).run_with(Vec::<RequestRow>::new(), tokenmill::cluster::Silent).unwrap();
    let scenario = tiny().seed(5).scenario().unwrap();
    assert_eq!((result.summary.seed, &result.summary.input_hash), (5, &scenario.input_hash));
    assert_eq!(rows.len() as u64, result.summary.requests.arrived);
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), TINY).unwrap();
    let again = Simulation::file(file.path()).set("run.warmup=0 s").seed(5).run().unwrap();
    assert_eq!(format!("{:?}", again.summary.latency), format!("{:?}", result.summary.latency));
}

#[test]
fn what_a_simulation_is_made_of_can_be_replaced() {
    let slow = || tiny().perf("p", Flat(5e8));
    let p50 = |simulation: Simulation| simulation.run().unwrap().summary.latency.ttft_ms.unwrap().p50;
    assert!(p50(slow()) > 500.0 && p50(tiny()) < 500.0);
    // Limits of the scenario hold for requests that are not its own.
    let requests = || Listed::new((0..50).map(|n| (n * 1_000_000, request(100, 5))));
    assert_eq!(tiny().workload(requests()).run().unwrap().summary.requests.arrived, 50);
    assert_eq!(tiny().set("run.requests=7").workload(requests()).run().unwrap().summary.requests.arrived, 7);
    let mine = Entry::<dyn Router>::plain("mine", "A twin.", |stream| router("least-request").build(stream));
    assert_eq!(tiny().router(mine).set("policies.router=mine").run().unwrap().summary.requests.failed, 0);
}

#[test]
fn what_cannot_be_simulated_is_told() {
    assert_eq!(problem(Simulation::shipped("quickstrat")), "there is no shipped scenario `quickstrat`");
    assert!(problem(tiny().set("seed=x")).contains("seed"));
    assert!(matches!(tiny().set("policies.router=mine").run(), Err(SimulationError::Scenario(_))));
    assert_eq!(problem(tiny().perf("q", Flat(1.0))), "there is no pool `q`, expected one of p, d");
    assert!(problem(tiny().profiles("/nonexistent")).contains("/nonexistent"));
    let stranger = RequestSpec::new(ClassId(3), 100, 5);
    assert_eq!(
        problem(tiny().workload(Listed::new([(0, stranger)]))),
        "found a request of workload 3, expected one of the 1 that the cluster serves"
    );
}
