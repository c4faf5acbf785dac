//! Highlighting in a terminal.

use anstyle::AnsiColor;

/// Highlighting styles. The plain style adds no escape sequences.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    pub(super) good: anstyle::Style,
    pub(super) bad: anstyle::Style,
    pub(super) strong: anstyle::Style,
    pub(super) caution: anstyle::Style,
    pub(super) label: anstyle::Style,
}

impl Style {
    /// No escape sequences: for pipes, files and `NO_COLOR`.
    pub fn plain() -> Self {
        Self::default()
    }

    /// The sixteen standard terminal colours, legible on dark and light backgrounds.
    pub fn colour() -> Self {
        Self {
            good: AnsiColor::Green.on_default().bold(),
            bad: AnsiColor::Red.on_default().bold(),
            strong: anstyle::Style::new().bold(),
            caution: AnsiColor::Yellow.on_default().bold(),
            label: AnsiColor::Cyan.on_default(),
        }
    }

    pub(crate) fn good(self, text: &str) -> String {
        painted(self.good, text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        painted(self.bad, text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        painted(self.strong, text)
    }

    pub(crate) fn caution(self, text: &str) -> String {
        painted(self.caution, text)
    }

    pub(crate) fn label(self, text: &str) -> String {
        painted(self.label, text)
    }
}

/// Text in a style.
pub(super) fn painted(style: anstyle::Style, text: &str) -> String {
    format!("{}{text}{}", style.render(), style.render_reset())
}
