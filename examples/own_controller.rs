//! A custom controller: at low load instances are powered down, and draw no power.
//!
//! ```sh
//! cargo run --release --example own_controller
//! ```

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use tokenmill::policy::{Controller, FleetView, Life, Order, Signal};
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::{Simulation, SimulationError};

const PERIOD: SimDuration = SimDuration::from_ns(10_000_000_000);
/// Time from power-on to the first request.
const START_UP: SimDuration = SimDuration::from_ns(60_000_000_000);

/// Every ten seconds: more than `high` requests in flight per active instance start one that is down, fewer than `low` drain the last.
#[derive(Debug)]
struct Sleeper {
    next: SimTime,
    low: f64,
    high: f64,
}

impl Controller for Sleeper {
    fn next(&self) -> Option<SimTime> {
        Some(self.next)
    }

    fn tick(&mut self, now: SimTime, fleet: &dyn FleetView, orders: &mut Vec<Order>) {
        self.next = now + PERIOD;
        let active: Vec<usize> = (0..fleet.len()).filter(|&i| fleet.life(i) == Life::Active).collect();
        let in_flight: f64 = active.iter().map(|&i| fleet.read(i, Signal::InFlight)).sum();
        let asleep = (0..fleet.len()).find(|&i| fleet.life(i) == Life::Down);
        match (asleep, active.as_slice()) {
            (Some(instance), _) if in_flight > self.high * active.len() as f64 => orders.push(Order::Start { instance, takes: START_UP }),
            (_, [_, .., last]) if in_flight < self.low * active.len() as f64 => orders.push(Order::Drain(*last)),
            _ => {}
        }
    }
}

fn main() -> Result<(), SimulationError> {
    let day = |name: &str, controller: Option<Sleeper>| {
        // A day compressed to two hours: the peak traffic is six times that of the trough.
        let simulation = Simulation::shipped("quickstart-colocated")
            .set("run={duration: 2 h, warmup: 0 s}")
            .set("cluster.pools=[{name: mixed, role: mixed, node: dgx-h100, instances: 4, parallelism: {tp: 4}}]")
            .set("workload.chat.synthetic.arrivals.poisson.rate=12 /s")
            .set("workload.chat.synthetic.diurnal={amplitude: 0.7, period: 2 h}");
        let simulation = match controller {
            Some(controller) => simulation.controller(controller),
            None => simulation,
        };
        let summary = simulation.run()?.summary;
        println!(
            "{name}: p99 TTFT {:.0} ms, {:.3} output tokens per joule",
            summary.latency.ttft_ms.map_or(f64::NAN, |ttft| ttft.p99),
            summary.energy.output_tokens_per_j.facility.unwrap_or(f64::NAN)
        );
        Ok::<_, SimulationError>(())
    };
    day("four at all times", None)?;
    day("down when there is little to do", Some(Sleeper { next: SimTime::ZERO + PERIOD, low: 8.0, high: 24.0 }))
}
