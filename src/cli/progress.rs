//! A bar with an estimate of the time left, on stderr, for runs that take longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal;
use crate::config::Scenario;
use crate::report::number;
use crate::study::Progress;

const PATIENCE: Duration = Duration::from_secs(1);
/// Columns that the text beside the bar of ten million requests takes.
const TEXT: usize = 70;

/// What is drawn while a run goes on.
#[derive(Debug)]
pub(super) struct RunProgress {
    started: Instant,
    bar: Option<ProgressBar>,
    total: Option<u64>,
    wanted: bool,
}

impl RunProgress {
    #[expect(clippy::disallowed_methods, reason = "cli is where the wall clock belongs")]
    pub(super) fn new(scenario: &Scenario, wanted: bool) -> Self {
        Self { started: Instant::now(), bar: None, total: scenario.requests, wanted: wanted && terminal::progress() }
    }

    /// Wall-clock seconds since the start.
    pub(super) fn elapsed_s(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    pub(super) fn show(&mut self, now: Progress) {
        let elapsed_s = self.elapsed_s();
        if !self.wanted || elapsed_s < PATIENCE.as_secs_f64() {
            return;
        }
        let text = text(now, self.total, elapsed_s);
        match &self.bar {
            Some(bar) => {
                bar.set_message(text);
                bar.set_position(now.completed);
            }
            // Filled in before it is shown, so that the first frame is whole.
            None => self.bar = Some(bar(self.total, now.completed, text)),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// What stands beside the bar: requests, their rate by the wall clock, simulated time, and the time left at that rate once there is one.
fn text(now: Progress, total: Option<u64>, elapsed_s: f64) -> String {
    let done = number::count(now.completed);
    let requests = total.map_or_else(|| format!("{done} requests"), |total| format!("{done}/{} requests", number::count(total)));
    let rate = now.completed as f64 / elapsed_s;
    let left = total.and_then(|total| left_s(now.completed, total, elapsed_s)).map(|s| format!(", {} left", rough(s)));
    let simulated = number::duration_s(now.now.as_secs_f64());
    format!("{requests} ({}/s), {simulated} simulated{}", number::number(rate), left.unwrap_or_default())
}

/// Seconds until all are done if it goes on as it did since the start; `None` before the first is done.
fn left_s(done: u64, total: u64, elapsed_s: f64) -> Option<f64> {
    (done > 0).then(|| total.saturating_sub(done) as f64 / done as f64 * elapsed_s)
}

/// A guess needs no digits after the point: `12 s`, `3 min`, `2 h`.
fn rough(s: f64) -> String {
    match s {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 100.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}

fn bar(total: Option<u64>, done: u64, text: String) -> ProgressBar {
    let (bar, template) = match total {
        // As wide as the terminal leaves from the start: it must not change with the text.
        Some(total) => {
            let columns = terminal::stderr_width().saturating_sub(TEXT).clamp(10, 40);
            (ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden()), format!("{{bar:{columns}}} {{msg}}"))
        }
        None => (ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()), "{spinner} {msg}".to_owned()),
    };
    // A template that does not parse would be our mistake; the default style serves as well.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.set_message(text);
    bar.set_position(done);
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.tick();
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimTime;

    fn at(completed: u64, simulated_s: u64) -> Progress {
        Progress { now: SimTime::from_ns(simulated_s * 1_000_000_000), completed, in_flight: 0, events: 0 }
    }

    #[test]
    fn the_time_left_follows_the_rate_since_the_start() {
        // A tenth in 12 s: nine tenths take 108 s.
        approx::assert_relative_eq!(left_s(4_000, 40_000, 12.0).unwrap(), 108.0);
        approx::assert_relative_eq!(left_s(40_000, 40_000, 12.0).unwrap(), 0.0);
        assert_eq!(text(at(4_000, 800), Some(40_000), 12.0), "4,000/40,000 requests (333/s), 13.3 min simulated, 2 min left");
    }

    #[test]
    fn nothing_is_promised_before_the_first_request_is_done() {
        assert_eq!(text(at(0, 3), Some(40_000), 1.5), "0/40,000 requests (0/s), 3.00 s simulated");
        assert_eq!(text(at(7, 3), None, 2.0), "7 requests (3.50/s), 3.00 s simulated");
    }

    #[test]
    fn the_text_of_a_long_run_leaves_room_for_the_bar() {
        let longest = text(at(9_999_999, 86_000), Some(10_000_000), 9_999.0);
        assert!(longest.chars().count() < TEXT, "{longest}");
    }
}
