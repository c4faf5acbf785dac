//! A custom performance model: measured iteration times from a table.
//!
//! ```sh
//! cargo run --release --example own_perf_model
//! ```

#![expect(clippy::print_stdout, reason = "an example prints its results")]

use tokenmill::perf::{BatchShape, IterationCost, PerfModel};
use tokenmill::{Simulation, SimulationError};

/// Measured time of an iteration, ms, by the number of decoding sequences; linear interpolation in between.
const DECODE_MS: [(f64, f64); 5] = [(0.0, 0.0), (1.0, 11.0), (16.0, 13.5), (64.0, 19.0), (256.0, 41.0)];
/// Measured time per prompt token, µs.
const PROMPT_US: f64 = 95.0;

/// Iterations from a table.
#[derive(Debug)]
struct Measured;

impl PerfModel for Measured {
    fn iteration(&self, batch: &BatchShape) -> IterationCost {
        let sequences = f64::from(batch.decode_sequences);
        let (from, to) =
            DECODE_MS.windows(2).find(|pair| sequences <= pair[1].0).map_or((DECODE_MS[3], DECODE_MS[4]), |pair| (pair[0], pair[1]));
        let decode_ms = from.1 + (to.1 - from.1) * (sequences - from.0) / (to.0 - from.0);
        let prefill_ms = batch.prefill_tokens as f64 * PROMPT_US / 1e3;
        let duration_ns = (decode_ms + prefill_ms) * 1e6;
        IterationCost {
            duration_ns,
            compute_ns: duration_ns,
            prefill_share: prefill_ms / (decode_ms + prefill_ms),
            ..IterationCost::default()
        }
    }

    fn provenance(&self) -> String {
        "a table of this example".to_owned()
    }
}

fn main() -> Result<(), SimulationError> {
    let modelled = Simulation::shipped("quickstart-colocated").run()?;
    let measured = Simulation::shipped("quickstart-colocated").perf("mixed", Measured).run()?;
    for (name, result) in [("roofline", modelled), ("measured", measured)] {
        let latency = &result.summary.latency;
        println!("{name}: p50 TPOT {:.1} ms", latency.tpot_ms.map_or(f64::NAN, |tpot| tpot.p50));
    }
    Ok(())
}
