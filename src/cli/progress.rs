//! A bar with an estimate of the time left, on stderr, for runs that take longer than a second.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal;
use crate::config::Scenario;
use crate::report::number;
use crate::study::Progress;

const PATIENCE: Duration = Duration::from_secs(1);

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
        if !self.wanted || self.started.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| bar(self.total));
        bar.set_position(now.completed);
        let rate = now.completed as f64 / self.started.elapsed().as_secs_f64();
        bar.set_message(format!("{} simulated, {} requests/s", number::duration_s(now.now.as_secs_f64()), number::number(rate)));
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{wide_bar} {human_pos}/{human_len} requests, {msg}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {human_pos} requests done, {msg}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    // A template that does not parse would be our mistake; the default style serves as well.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
