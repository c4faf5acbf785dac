//! The summary on one terminal screen: answer, warnings, latency table, one line each for the rest, path of the report.
//!
//! Owns: layout in columns of characters, and highlighting. Must not know: the terminal and its width.

mod latency;
mod style;

pub use style::Style;

use super::answer::{against, answer, arrived, binding_pool};
use super::jitter::{Shown, shown};
use super::number::{count, duration_ms, gauge, limit_ms, number, or_none, percent, share, si, usd};
use super::text::{clean, shortened, wrapped};
use crate::cluster::Role;
use crate::metrics::{ClassSummary, PoolSummary, RunResult, Summary, Verdict, checks};
use style::painted;

/// Column where the text of a labelled line begins.
const INDENT: usize = 12;
/// Maximum lines of warnings; the rest are on the page.
const WARNING_LINES: usize = 6;
/// Maximum number of pools; the rest are on the page.
const LIST: usize = 4;
/// Maximum number of classes; the rest are on the page.
const CLASSES: usize = 3;

/// Input of the summary.
#[derive(Debug, Clone, Copy)]
pub struct TerminalInput<'a> {
    /// The run.
    pub result: &'a RunResult,
    /// Location of the page, as shown to the user; `None` if none was written.
    pub report_path: Option<&'a str>,
    /// Columns of the terminal; 80 if unknown. Below 40, lines may overflow.
    pub width: usize,
}

/// The summary with a final newline; no line exceeds the width, except for single long words.
pub fn terminal(input: TerminalInput<'_>, style: Style) -> String {
    let mut screen = Screen { out: String::new(), width: input.width.clamp(40, 100), style };
    let summary = &input.result.summary;
    screen.answer(summary);
    screen.warnings(summary);
    if summary.measured_s > 0.0 {
        screen.latency(summary);
        screen.classes(&summary.classes);
        screen.lines(summary);
        screen.frontends(summary);
        screen.pools(&summary.pools);
    } else {
        // Without measured time there are no numbers to show.
        screen.requests(summary);
    }
    if let Some(path) = input.report_path {
        screen.labelled("report", &[clean(path)]);
    }
    screen.out
}

struct Screen {
    out: String,
    width: usize,
    style: Style,
}

impl Screen {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn answer(&mut self, summary: &Summary) {
        let answer = answer(summary);
        let paint = match answer.verdict {
            Verdict::Held => self.style.good,
            Verdict::NoSlo => self.style.strong,
            Verdict::TooClose | Verdict::NothingMeasured => self.style.caution,
            Verdict::Missed | Verdict::Overloaded | Verdict::NothingCompleted => self.style.bad,
        };
        for (i, line) in wrapped(&clean(&answer.sentence()), self.width).iter().enumerate() {
            match line.strip_prefix(&answer.headline) {
                Some(rest) if i == 0 => self.line(&format!("{}{rest}", painted(paint, &answer.headline))),
                _ => self.line(line),
            }
        }
        self.line("");
    }

    fn warnings(&mut self, summary: &Summary) {
        let mark = "warning: ";
        let mut lines = 0;
        for (i, warning) in summary.warnings.iter().enumerate() {
            let text = wrapped(&clean(&warning.message), self.width - mark.len());
            if i > 0 && lines + text.len() > WARNING_LINES {
                let more = summary.warnings.len() - i;
                self.line(&painted(
                    self.style.caution,
                    &format!("and {more} more warning{} in the report", if more == 1 { "" } else { "s" }),
                ));
                break;
            }
            lines += text.len();
            for (k, line) in text.iter().enumerate() {
                let head = if k == 0 { painted(self.style.caution, mark) } else { " ".repeat(mark.len()) };
                self.line(&format!("{head}{line}"));
            }
        }
        if !summary.warnings.is_empty() {
            self.line("");
        }
    }

    /// Several classes with their own limits, which the table over all classes does not show.
    fn classes(&mut self, classes: &[ClassSummary]) {
        if classes.len() < 2 {
            return;
        }
        let all = checks(classes);
        let shown = if classes.len() > CLASSES { CLASSES - 1 } else { CLASSES };
        let mut order: Vec<&ClassSummary> = classes.iter().collect();
        order.sort_by(|a, b| a.slo_attainment.unwrap_or(2.0).total_cmp(&b.slo_attainment.unwrap_or(2.0)));
        for (i, class) in order.iter().take(shown).enumerate() {
            let name = shortened(&clean(&class.name), 24);
            let mut parts = vec![match class.slo_attainment {
                Some(share) => format!("{name} {} met the SLO", percent(share)),
                None if class.slo.any() => format!("{name} –"),
                None => format!("{name} has no SLO"),
            }];
            parts.extend(all.iter().filter(|check| check.class == class.name).enumerate().map(|(k, check)| {
                let against = against(check);
                let percentile = if k == 0 { "p99 " } else { "" };
                format!("{percentile}{} {} {against} {}", check.metric.name(), or_none(check.p99_ms, duration_ms), limit_ms(check.limit_ms))
            }));
            self.labelled(if i == 0 { "classes" } else { "" }, &parts);
        }
        if classes.len() > CLASSES {
            self.labelled("", &[format!("and {} other classes in the report", classes.len() - shown)]);
        }
    }

    /// A label and parts joined by middle dots; full lines continue on the next.
    fn labelled(&mut self, label: &str, parts: &[String]) {
        let mut rows: Vec<String> = Vec::new();
        for part in parts {
            match rows.last_mut() {
                Some(row) if INDENT + row.chars().count() + 3 + part.chars().count() <= self.width => {
                    row.push_str(" · ");
                    row.push_str(part);
                }
                _ => rows.extend(wrapped(part, self.width - INDENT)),
            }
        }
        for (i, row) in rows.iter().enumerate() {
            let head = if i == 0 { painted(self.style.label, &format!("{label:<INDENT$}")) } else { " ".repeat(INDENT) };
            self.line(&format!("{head}{row}"));
        }
    }

    fn requests(&mut self, summary: &Summary) {
        let r = &summary.requests;
        let mut requests = vec![arrived(summary, "")];
        let all = r.completed == r.arrived && r.arrived > 0;
        if all {
            requests.push("all completed".to_owned());
        }
        for (name, n) in [
            ("completed", if all { 0 } else { r.completed }),
            ("rejected", r.rejected),
            ("timed out", r.timed_out),
            ("failed", r.failed),
            ("in flight", r.in_flight),
            ("preemptions", r.preemptions),
        ] {
            if n > 0 {
                requests.push(format!("{} {name}", count(n)));
            }
        }
        // With several classes each has its own line.
        let attainment = summary.goodput.and_then(|g| g.slo_attainment).filter(|_| summary.classes.len() == 1);
        requests.extend(attainment.map(|share| format!("{} met the SLO", percent(share))));
        self.labelled("requests", &requests);
    }

    fn lines(&mut self, summary: &Summary) {
        self.requests(summary);
        let (t, e, c) = (&summary.throughput, &summary.energy, &summary.cost);
        let Shown { class, jitter: j, .. } = shown(summary);
        let of = class.map_or_else(String::new, |class| format!("{}: ", clean(&class)));
        self.labelled(
            "jitter",
            &[
                format!("{of}ITL p99-p50 {}", or_none(j.itl_p99_minus_p50_ms, duration_ms)),
                format!("request std p99 {}", or_none(j.request_itl_std_ms.map(|std| std.p99), duration_ms)),
                format!("longest stall {}", or_none(j.longest_stall_ms, duration_ms)),
            ],
        );
        let rates = [
            format!("{} requests/s", or_none(t.requests_per_s, number)),
            format!(
                "{} output tokens/s ({} per chip)",
                or_none(t.output_tokens_per_s, number),
                or_none(t.output_tokens_per_s_per_chip, number)
            ),
        ];
        self.labelled("throughput", &rates);
        let per_joule = e.output_tokens_per_j;
        self.labelled(
            "energy",
            &[
                format!(
                    "{} output tokens/J at the facility ({} chips)",
                    or_none(per_joule.facility, number),
                    or_none(per_joule.chip, number)
                ),
                format!("{} mean", or_none(e.mean_power_w, |w| si(w, "W"))),
            ],
        );
        self.labelled(
            "cost",
            &[
                format!("{} per M output tokens", or_none(c.usd_per_m_output_tokens, usd)),
                format!("{} per M total", or_none(c.usd_per_m_total_tokens, usd)),
                format!("{}/h", or_none(c.usd_per_hour, usd)),
            ],
        );
    }

    fn frontends(&mut self, summary: &Summary) {
        for (i, frontend) in summary.frontends.iter().take(LIST).enumerate() {
            let name = shortened(&clean(&frontend.name), 24);
            let parts = [format!("{name} {} busy", share(frontend.utilization)), format!("queue {}", gauge(frontend.queue_mean))];
            self.labelled(if i == 0 { "frontends" } else { "" }, &parts);
        }
    }

    fn pools(&mut self, pools: &[PoolSummary]) {
        let mut order: Vec<&PoolSummary> = pools.iter().collect();
        if order.len() > LIST {
            // The pool named in the answer is always shown.
            let binding = binding_pool(pools).map(|pool| &pool.name);
            order.sort_by(|a, b| b.utilization.total_cmp(&a.utilization));
            order.sort_by_key(|pool| Some(&pool.name) != binding);
        }
        let shown = if order.len() > LIST { LIST - 1 } else { LIST };
        for (i, pool) in order.iter().take(shown).enumerate() {
            let mut parts = vec![format!("{} {} busy", shortened(&clean(&pool.name), 24), share(pool.utilization))];
            // A single prompt fills an iteration: the batch of a prefill pool adds nothing to its busy share.
            parts
                .extend(pool.batch_while_computing().filter(|_| pool.role != Role::Prefill).map(|batch| format!("batch {}", gauge(batch))));
            parts.push(format!("KV {}", share(pool.kv_utilization_mean)));
            parts.extend(pool.prefix_hit_rate.map(|rate| format!("prefix hits {}", share(rate))));
            parts.push(format!("queue {}", gauge(pool.queue_mean)));
            self.labelled(if i == 0 { "pools" } else { "" }, &parts);
        }
        if order.len() > LIST {
            self.labelled("", &[format!("and {} other pools in the report", order.len() - shown)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn plain(result: &RunResult, width: usize) -> String {
        terminal(TerminalInput { result, report_path: Some("outputs/chat-7-5f1c3a9b/report.html"), width }, Style::plain())
    }

    #[test]
    fn the_default_screen() {
        insta::assert_snapshot!(plain(&fixture::two_pools(), 80));
    }

    #[test]
    fn the_screen_of_an_overload() {
        insta::assert_snapshot!(plain(&fixture::overloaded(), 80));
    }

    #[test]
    fn every_fixture_fits_one_screen_of_eighty_columns() {
        for (name, result) in fixture::all() {
            let text = plain(&result, 80);
            assert!(text.lines().count() <= 31 || name == "hostile-names", "{name} has {} lines:\n{text}", text.lines().count());
            for line in text.lines() {
                assert!(line.chars().count() <= 80 || name == "hostile-names", "{name}: {line}");
            }
        }
    }

    #[test]
    fn a_percentile_too_close_to_call_is_not_called_missed() {
        let mut result = fixture::missed();
        let class = &mut result.summary.classes[0];
        (class.slo_attainment, class.slo_attainment_95) = (Some(0.986), Some(crate::metrics::ShareInterval { low: 0.981, high: 0.991 }));
        let text = plain(&result, 80);
        assert!(text.starts_with("Too close to call") && text.contains(" 2 s unsure\n") && !text.contains("missed"), "{text}");
    }

    #[test]
    fn a_narrow_terminal_wraps_instead_of_cutting() {
        let result = fixture::two_pools();
        let text = plain(&result, 46);
        assert!(text.lines().all(|line| line.chars().count() <= 50), "{text}");
        for word in ["batch-summaries: ITL p99-p50", "33.3 ms", "50 ms", "chips)"] {
            assert!(text.contains(word), "{word} is gone:\n{text}");
        }
    }

    #[test]
    fn no_cell_runs_into_the_next_on_a_narrow_terminal() {
        let mut result = fixture::overloaded();
        let l = &mut result.summary.latency;
        for d in [&mut l.ttft_ms, &mut l.e2e_ms].into_iter().flatten() {
            (d.mean, d.p50, d.p90, d.p99) = (107e3, 107e3, 146.4e3, 155.4e3);
        }
        let cells = |width: usize| {
            let text = plain(&result, width);
            assert!(text.lines().all(|line| line.chars().count() <= width || line.starts_with("report")), "{width}:\n{text}");
            let row = text.lines().find(|line| line.starts_with("TTFT  ")).unwrap();
            row.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for width in 57..=100 {
            assert_eq!(cells(width), "TTFT 107 s 107 s 2.44 min 2.59 min 2 s missed", "{width}");
        }
        for width in 48..57 {
            assert_eq!(cells(width), "TTFT 107 s 2.44 min 2.59 min 2 s missed", "{width}");
        }
        for width in 40..48 {
            assert_eq!(cells(width), "TTFT 107 s 2.59 min 2 s missed", "{width}");
        }
    }

    #[test]
    fn without_measured_time_there_are_no_lines_of_dashes() {
        let mut result = fixture::nothing_completed();
        let summary = &mut result.summary;
        (summary.requests, summary.measured_s, summary.arriving_s) = (crate::metrics::RequestCounts::default(), 0.0, 0.0);
        summary.warmup = crate::metrics::Warmup { s: 60.0, requests: 3 };
        summary.goodput = None;
        let text = plain(&result, 80);
        assert!(text.starts_with("Nothing measured: all 3 requests arrived within the warm-up of 60.0 s;"), "{text}");
        assert!(text.contains("requests    none arrived after the warm-up\n") && !text.contains('–'), "{text}");
    }

    #[test]
    fn colour_only_adds_escape_sequences() {
        for (name, result) in fixture::all() {
            let input = TerminalInput { result: &result, report_path: None, width: 80 };
            let coloured = terminal(input, Style::colour());
            assert!(coloured.contains('\u{1b}'));
            assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), terminal(input, Style::plain()), "{name}");
        }
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        let mut result = fixture::two_pools();
        result.summary.pools[1].name = "x\u{1b}[2Jy".to_owned();
        assert!(!plain(&result, 80).contains('\u{1b}'));
    }
}
