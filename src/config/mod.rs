//! YAML to a validated scenario, with diagnostics.
//!
//! Owns: what users may write and how they are told what is wrong with it: all problems at once, each with file, line, caret, what
//! was found, what was expected and the nearest right word. Must not know: how anything is simulated.
//!
//! A document goes through these steps (`load.rs`): texts are read (`source.rs`), parsed into a tree with places (`parse.rs`, `tree.rs`), brought
//! into one form and laid over what they include (`merge.rs`), changed by `--set` (`overrides.rs`), checked against the JSON Schema of
//! the type (`check.rs`, `quantity.rs`), and read into the type (`scenario/`). What the schema cannot say is checked afterwards (`meaning.rs`, and whoever
//! builds the simulation), with [`Document::problems`] to point at the right line.

mod assertion;
mod build;
mod check;
mod diagnostic;
mod excerpt;
mod load;
mod meaning;
mod mend;
mod merge;
mod overrides;
mod parse;
mod path;
mod quantity;
pub mod scenario;
pub mod schema;
mod shipped;
mod source;
#[cfg(test)]
mod tests;
mod tree;

pub use assertion::{Assertion, AssertionError, Op};
pub use build::{InputFile, Library, LibraryError, Scenario, WorkloadSource};
pub use diagnostic::{ConfigErrors, Diagnostic, Segment, Style, printable};
pub use load::{Document, Input, Loaded, Problems, load, load_scenario};
pub use meaning::{assertions, check_meaning, model_of};
pub use shipped::{shipped_scenario, shipped_scenarios};
pub use source::{Source, Sources, check_input};
pub use tree::{Entry, FileId, Kind, Node, Span};
