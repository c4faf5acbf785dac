//! stdout, stderr and their colour support.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};

use super::arguments::Colour;
use super::exit::Failure;
use crate::document::{self, ConfigErrors, printable};

/// The two streams.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal {
    choice: Colour,
}

impl Terminal {
    pub(super) fn new(choice: Colour) -> Self {
        Self { choice }
    }

    fn colours(self, is_terminal: bool) -> bool {
        wants_colour(self.choice, is_terminal, |variable| std::env::var_os(variable))
    }

    /// True if stdout takes colour.
    pub(super) fn colour_stdout(self) -> bool {
        self.colours(std::io::stdout().is_terminal())
    }

    pub(super) fn error(self, problem: &str, hint: Option<&str>) {
        let red = self.style(AnsiColor::Red.on_default().bold());
        message(&format!("{red}error:{red:#} {}", printable(problem)));
        if let Some(hint) = hint {
            let cyan = self.style(AnsiColor::Cyan.on_default());
            message(&format!("\n{cyan}hint:{cyan:#} {}", printable(hint)));
        }
    }

    pub(super) fn note(self, text: &str) {
        let cyan = self.style(AnsiColor::Cyan.on_default());
        message(&format!("{cyan}note:{cyan:#} {}", printable(text)));
    }

    pub(super) fn config_errors(self, errors: &ConfigErrors) {
        let mut text = String::new();
        for segment in errors.segments() {
            let style = self.style(match segment.style {
                document::Style::Error => AnsiColor::Red.on_default().bold(),
                document::Style::Message => Style::new().bold(),
                document::Style::Frame => AnsiColor::Blue.on_default(),
                document::Style::Caret => AnsiColor::Red.on_default(),
                document::Style::Hint => AnsiColor::Cyan.on_default(),
                document::Style::Source | document::Style::Plain => Style::new(),
            });
            text.extend([style.render().to_string(), segment.text, style.render_reset().to_string()]);
        }
        message(text.trim_end());
    }

    /// The style, or none if stderr has no colour.
    pub(super) fn style(self, style: Style) -> Style {
        if self.colours(std::io::stderr().is_terminal()) { style } else { Style::new() }
    }
}

/// True if a stream gets colour: as chosen, otherwise if it is a capable terminal and `NO_COLOR` is not set.
fn wants_colour(choice: Colour, is_terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    match choice {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => {
            is_terminal && variable("NO_COLOR").is_none_or(|value| value.is_empty()) && variable("TERM").is_none_or(|term| term != "dumb")
        }
    }
}

/// True if stderr is a terminal, so that progress may be drawn.
pub(super) fn progress() -> bool {
    std::io::stderr().is_terminal()
}

/// Minimum number of columns for any output.
const FEWEST: usize = 40;

/// Columns of stdout: those of its terminal, otherwise `COLUMNS`, otherwise 80.
pub(super) fn width() -> usize {
    let terminal = terminal_size::terminal_size_of(std::io::stdout()).map(|(terminal_size::Width(columns), _)| usize::from(columns));
    columns(terminal, std::env::var_os("COLUMNS"))
}

/// Columns of stderr, by the same rule.
pub(super) fn stderr_width() -> usize {
    let terminal = terminal_size::terminal_size_of(std::io::stderr()).map(|(terminal_size::Width(columns), _)| usize::from(columns));
    columns(terminal, std::env::var_os("COLUMNS"))
}

/// The terminal's own width comes first. An invalid `COLUMNS` counts as unset, and one below the minimum as the minimum.
fn columns(terminal: Option<usize>, variable: Option<OsString>) -> usize {
    let said =
        || variable?.to_str()?.trim().parse().ok().filter(|columns| (1..=1000).contains(columns)).map(|columns: usize| columns.max(FEWEST));
    terminal.or_else(said).unwrap_or(80)
}

/// Prints a result.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        std::io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
        _ => Failure::NotWritten(format!("cannot write to stdout: {error}")),
    })
}

/// Prints a message. A failure to print cannot be handled.
pub(super) fn message(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_and_no_color_is_honoured() {
        let wants = |choice, is_terminal, set: &'static [(&str, &str)]| {
            wants_colour(choice, is_terminal, |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
        };
        assert!(wants(Colour::Auto, true, &[("TERM", "xterm")]));
        assert!(!wants(Colour::Auto, false, &[]));
        assert!(!wants(Colour::Auto, true, &[("TERM", "dumb")]));
        // An empty value means unset.
        assert!(wants(Colour::Auto, true, &[("NO_COLOR", "")]));
        assert!(!wants(Colour::Auto, true, &[("NO_COLOR", "1")]));
        // An explicit option overrides the variable.
        assert!(wants(Colour::Always, false, &[("NO_COLOR", "1")]));
        assert!(!wants(Colour::Never, true, &[]));
    }

    #[test]
    fn columns_is_honoured_without_a_terminal() {
        let of = |terminal, said: &str| columns(terminal, Some(OsString::from(said)));
        assert_eq!([of(None, "120"), of(None, " 60 "), of(Some(100), "120")], [120, 60, 100]);
        assert_eq!(["", "wide", "-5", "0", "99999999999"].map(|said| of(None, said)), [80; 5]);
        assert_eq!(["1", "12", "39", "40"].map(|said| of(None, said)), [40; 4]);
        assert_eq!(columns(None, None), 80);
    }
}
