//! A queue order of one's own: chat goes ahead of batch jobs that arrived up to five seconds earlier.
//!
//! ```sh
//! cargo run --release --example own_queue
//! ```

#![expect(clippy::print_stdout, reason = "an example prints what comes of it")]

use tokenmill::policy::{Entry, Policies, QueueOrder, Rank, Ranked, RequestView};
use tokenmill::sim::{SimDuration, SimTime};
use tokenmill::workload::ClassId;
use tokenmill::{Simulation, SimulationError};

/// The first workload of the scenario.
const CHAT: ClassId = ClassId(0);
const HEAD_START: SimDuration = SimDuration::from_ns(5_000_000_000);

/// By time of arrival, later by the head start for all but chat; preempted requests first, as they were.
#[derive(Debug)]
struct HeadStart;

impl Rank for HeadStart {
    type Key = (bool, SimTime);

    fn key(&mut self, request: &RequestView<'_>, preempted: bool) -> Self::Key {
        let behind = if request.class == CHAT { SimDuration::ZERO } else { HEAD_START };
        (!preempted, request.arrived + behind)
    }
}

fn main() -> Result<(), SimulationError> {
    let mut policies = Policies::default();
    let entry = Entry::<dyn QueueOrder>::plain("head-start", "Chat ahead of batch jobs.", |_| Box::new(Ranked::new(HeadStart)));
    policies.queues = policies.queues.with(entry);
    for queue in ["fcfs", "head-start"] {
        let summary = Simulation::shipped("quickstart-colocated")
            .policies(policies.clone())
            .set(format!("policies.queue={queue}"))
            .set("run={duration: 10 min, warmup: 1 min}")
            .set("assert=[]")
            .set(
                "workload=[\
                 {name: chat, synthetic: {arrivals: {poisson: {rate: 6 /s}}, prompt_tokens: {fixed: 800}, output_tokens: {fixed: 200}}}, \
                 {name: batch, synthetic: {arrivals: {gamma: {rate: 1 /s, cv: 3}}, prompt_tokens: {fixed: 8000}, output_tokens: {fixed: 50}}}]",
            )
            .run()?
            .summary;
        for class in &summary.classes {
            let ttft = class.latency.ttft_ms.as_ref();
            println!("{queue}: {} p99 TTFT {:.0} ms", class.name, ttft.map_or(f64::NAN, |ttft| ttft.p99));
        }
    }
    Ok(())
}
