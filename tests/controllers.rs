//! Controllers of a crate outside, named in YAML.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokenmill::document::Input;
use tokenmill::policy::{Controller, Entry, FleetView, Life, Order, Policies, Signal};
use tokenmill::scenario::{Library, Scenario};
use tokenmill::sim::{SimDuration, SimTime};

use crate::cli::TINY;
use crate::policies::every_way;

const MS: u64 = 1_000_000;

/// Reads all that there is to read, every few milliseconds; gives no orders.
#[derive(Debug)]
struct Watcher {
    next: SimTime,
}

impl Controller for Watcher {
    fn next(&self) -> Option<SimTime> {
        Some(self.next)
    }
    fn tick(&mut self, now: SimTime, fleet: &dyn FleetView, _: &mut Vec<Order>) {
        self.next = now + SimDuration::from_ns(7 * MS);
        for i in 0..=fleet.len() {
            let read = Signal::ALL.map(|signal| fleet.read(i, signal));
            assert!(read.iter().all(|value| *value >= 0.0), "{read:?}");
            assert!(fleet.read(i, Signal::FreeBlocks) <= fleet.read(i, Signal::KvBlocks));
            assert!(fleet.read(i, Signal::Running) <= fleet.read(i, Signal::InFlight), "{i}: {read:?}");
        }
        assert_eq!((0..3).map(|i| fleet.pool(i)).collect::<Vec<_>>(), [0, 1, 1]);
    }
}

/// Parameters of `thrifty`.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Parameters {
    /// When.
    at: SimDuration,
}

/// Drains the last instance of pool 1 at a given time.
#[derive(Debug)]
struct Thrifty {
    at: Option<SimTime>,
}

impl Controller for Thrifty {
    fn next(&self) -> Option<SimTime> {
        self.at
    }
    fn tick(&mut self, _: SimTime, fleet: &dyn FleetView, orders: &mut Vec<Order>) {
        self.at = None;
        let last = (0..fleet.len()).rfind(|&i| fleet.pool(i) == 1 && fleet.life(i) == Life::Active);
        orders.extend(last.map(Order::Drain));
    }
}

fn library() -> Library {
    let mut policies = Policies::default();
    policies.controllers = policies
        .controllers
        .with(Entry::<dyn Controller>::plain("watcher", "Reads.", |_| Box::new(Watcher { next: SimTime::ZERO })))
        .with(Entry::<dyn Controller>::with("thrifty", "Drains one.", |parameters: &Parameters, _| {
            Box::new(Thrifty { at: Some(SimTime::ZERO + parameters.at) })
        }));
    Library::default().with_policies(policies)
}

fn load(control: &str) -> Result<Scenario, String> {
    let sets = ["run.warmup=0 s".to_owned(), format!("policies.control={control}")];
    Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library()).map_err(|errors| errors.to_string())
}

#[test]
fn a_controller_that_only_reads_changes_no_result() {
    let rows = |control: &str| format!("{:?}", every_way(&load(control).unwrap()));
    let quiet = rows("fixed");
    assert!(quiet == rows("watcher"));
    assert!(quiet == rows("static"));
}

#[test]
fn a_controller_is_named_with_its_parameters() {
    let scenario = load("{thrifty: {at: 2 s}}").unwrap();
    assert!(scenario.resolved_yaml.contains("at: 2 s"), "{}", scenario.resolved_yaml);
    let rows = every_way(&scenario);
    // The second decode instance, number 2 of the fleet, takes nothing more.
    let of_last = |after: bool| {
        let later = rows.iter().filter(move |row| (row.record.reserved.is_some_and(|at| at.ns() > 2_000 * MS)) == after);
        later.filter(|row| row.record.decode_instance.is_some_and(|id| id.0 == 2)).count()
    };
    assert!(of_last(false) > 10);
    assert_eq!(of_last(true), 0);
    let told = load("{thrifty: {at: 2}}").unwrap_err();
    assert!(told.contains("policies.control.thrifty.at") && told.contains("a duration"), "{told}");
    let told = load("thrift").unwrap_err();
    assert!(told.contains("did you mean `thrifty`?"), "{told}");
}
