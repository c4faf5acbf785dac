//! A custom observer: the longest time without a first token, and the outcomes of requests.
//!
//! ```sh
//! cargo run --release --example own_observer
//! ```

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use tokenmill::cluster::{Observation, Observer};
use tokenmill::sim::SimTime;
use tokenmill::{Simulation, SimulationError};

/// The longest time without a first token in the cluster, and counts of outcomes.
#[derive(Debug, Default)]
struct Silence {
    last: SimTime,
    longest_s: f64,
    completed: u64,
    others: u64,
}

impl Observer for Silence {
    fn on(&mut self, at: SimTime, what: &Observation<'_>) {
        match what {
            Observation::FirstToken { .. } => {
                self.longest_s = self.longest_s.max(at.since(self.last).as_secs_f64());
                self.last = at;
            }
            Observation::Ended(record) if record.outcome.name() == "completed" => self.completed += 1,
            Observation::Ended(_) => self.others += 1,
            _ => {}
        }
    }
}

fn main() -> Result<(), SimulationError> {
    let (result, rows, silence) = Simulation::shipped("quickstart").run_with(Vec::new(), Silence::default())?;
    let longest = rows.iter().map(|row| row.record.output_tokens).max().unwrap_or_default();
    println!("{} completed, {} otherwise; the longest answer has {longest} tokens", silence.completed, silence.others);
    println!("no first token for {:.2} s; {} of {} requests count", silence.longest_s, result.summary.requests.completed, rows.len());
    Ok(())
}
