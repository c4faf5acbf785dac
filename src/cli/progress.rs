//! A progress bar with an estimate of the time left, on stderr, for runs longer than a second.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal;
use crate::report::number;
use crate::scenario::Scenario;
use crate::study::{Progress, Step};

const PATIENCE: Duration = Duration::from_secs(1);
/// Width of the text next to the bar for ten million requests.
const TEXT: usize = 70;
/// Steps of a full bar.
const STEPS: u64 = 1000;
/// Below this share of the run no estimate of the remaining time is shown.
const LEAST_DONE: f64 = 1e-4;

/// Progress of a run.
#[derive(Debug)]
pub(super) struct RunProgress {
    started: Instant,
    bar: Option<ProgressBar>,
    total: Option<u64>,
    wanted: bool,
}

impl RunProgress {
    #[expect(clippy::disallowed_methods, reason = "the wall clock belongs to cli")]
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
        let bar = self.bar.get_or_insert_with(|| bar(now.done.is_some()));
        bar.set_message(text);
        bar.set_position(position(now.done));
        // Set before the bar is shown, so that the first frame is complete.
        if bar.is_hidden() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Progress of a study.
#[derive(Debug)]
pub(super) struct StudyProgress {
    started: Instant,
    wanted: bool,
    state: Mutex<StudyState>,
}

#[derive(Debug)]
struct StudyState {
    bar: Option<ProgressBar>,
    /// Progress by run.
    parts: Vec<f64>,
    /// Sum of the progress of all runs.
    sum: f64,
    done: usize,
    /// Cached runs, excluded from the estimate of the time left.
    known: usize,
}

impl StudyProgress {
    #[expect(clippy::disallowed_methods, reason = "the wall clock belongs to cli")]
    pub(super) fn new(runs: usize, wanted: bool) -> Self {
        let state = StudyState { bar: None, parts: vec![0.0; runs], sum: 0.0, done: 0, known: 0 };
        Self { started: Instant::now(), wanted: wanted && terminal::progress(), state: Mutex::new(state) }
    }

    /// Finished runs.
    pub(super) fn done(&self) -> usize {
        self.state().done
    }

    pub(super) fn show(&self, run: usize, step: Step) {
        let mut state = self.state();
        let part = match step {
            Step::Runs(part) => part.unwrap_or_default(),
            Step::Ran | Step::Known => 1.0,
        };
        state.done += usize::from(!matches!(step, Step::Runs(_)));
        state.known += usize::from(step == Step::Known);
        if let Some(before) = state.parts.get_mut(run) {
            let gained = part - *before;
            *before = part;
            state.sum += gained;
        }
        let elapsed_s = self.started.elapsed().as_secs_f64();
        if self.wanted && elapsed_s >= PATIENCE.as_secs_f64() {
            state.draw(elapsed_s);
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.state().bar {
            bar.finish_and_clear();
        }
    }

    /// A panic while drawing leaves no inconsistent state that matters.
    fn state(&self) -> MutexGuard<'_, StudyState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StudyState {
    fn draw(&mut self, elapsed_s: f64) {
        let (all, known) = (self.parts.len(), self.known as f64);
        let share = (self.sum - known) / (all as f64 - known).max(1.0);
        let left = left_s(share, elapsed_s).map(|s| format!(", {} left", rough(s))).unwrap_or_default();
        let text = format!("{}/{} runs{left}", number::count(self.done as u64), number::count(all as u64));
        let bar = self.bar.get_or_insert_with(|| bar(true));
        bar.set_message(text);
        bar.set_position(position(Some(self.sum / all.max(1) as f64)));
        if bar.is_hidden() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

/// Text next to the bar: requests, their rate by the wall clock, simulated time, and the time left at the average speed so far.
fn text(now: Progress, total: Option<u64>, elapsed_s: f64) -> String {
    let departed = number::count(now.departed);
    let requests = total.map_or_else(|| format!("{departed} requests"), |total| format!("{departed}/{} requests", number::count(total)));
    let rate = now.departed as f64 / elapsed_s;
    let left = now.done.and_then(|done| left_s(done, elapsed_s)).map(|s| format!(", {} left", rough(s)));
    let simulated = number::duration_s(now.now.as_secs_f64());
    format!("{requests} ({}/s), {simulated} simulated{}", number::number(rate), left.unwrap_or_default())
}

/// Seconds until the end at the average speed since the start; `None` without progress.
fn left_s(done: f64, elapsed_s: f64) -> Option<f64> {
    (done > LEAST_DONE).then(|| (1.0 - done).max(0.0) / done * elapsed_s)
}

/// Position of the bar, out of [`STEPS`].
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and STEPS")]
fn position(done: Option<f64>) -> u64 {
    (done.unwrap_or(0.0).clamp(0.0, 1.0) * STEPS as f64) as u64
}

/// An estimate without decimals: `12 s`, `3 min`, `2 h`.
fn rough(s: f64) -> String {
    match s {
        s if s < 100.0 => format!("{s:.0} s"),
        s if s < 100.0 * 60.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3600.0),
    }
}

/// A hidden bar; a spinner if the end is unknown.
fn bar(with_end: bool) -> ProgressBar {
    let (steps, template) = if with_end {
        // As wide as the terminal allows from the start: it must not change with the text.
        let columns = terminal::stderr_width().saturating_sub(TEXT).clamp(10, 40);
        (Some(STEPS), format!("{{bar:{columns}}} {{msg}}"))
    } else {
        (None, "{spinner} {msg}".to_owned())
    };
    let bar = ProgressBar::with_draw_target(steps, ProgressDrawTarget::hidden());
    // A template that does not parse would be an internal error; the default style is sufficient.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimTime;

    fn at(departed: u64, simulated_s: u64, done: Option<f64>) -> Progress {
        Progress { now: SimTime::from_ns(simulated_s * 1_000_000_000), departed, in_flight: 0, events: 0, done }
    }

    #[test]
    fn the_time_left_follows_the_rate_since_the_start() {
        // A tenth in 12 s: nine tenths take 108 s.
        approx::assert_relative_eq!(left_s(0.1, 12.0).unwrap(), 108.0, max_relative = 1e-12);
        approx::assert_relative_eq!(left_s(1.0, 12.0).unwrap(), 0.0);
        assert_eq!(text(at(4_000, 800, Some(0.1)), Some(40_000), 12.0), "4,000/40,000 requests (333/s), 13.3 min simulated, 2 min left");
        assert_eq!(text(at(4_000, 800, Some(0.1)), None, 12.0), "4,000 requests (333/s), 13.3 min simulated, 2 min left");
        assert_eq!((position(Some(0.1)), position(Some(1.0)), position(None)), (100, STEPS, 0));
    }

    #[test]
    fn no_estimate_is_shown_without_progress() {
        assert_eq!(text(at(0, 3, Some(0.0)), Some(40_000), 1.5), "0/40,000 requests (0/s), 3.00 s simulated");
        assert_eq!(text(at(7, 3, None), None, 2.0), "7 requests (3.50/s), 3.00 s simulated");
    }

    #[test]
    fn the_text_of_a_long_run_leaves_space_for_the_bar() {
        let longest = text(at(9_999_999, 86_000, Some(0.5)), Some(10_000_000), 9_999.0);
        assert!(longest.chars().count() < TEXT, "{longest}");
    }
}
