//! YAML documents to typed values, with diagnostics. Knows JSON Schema, not scenarios.
//!
//! Owns: how the problems of a document are reported: all at once, each with file, line, caret, the value found, the value expected and
//! the nearest known word. Must not know: the meaning of any document.
//!
//! A document goes through these steps (`load.rs`): texts are read (`source.rs`), parsed into a tree with places (`parse.rs`, `tree.rs`),
//! brought into canonical form and merged over their includes (`merge.rs`), changed by `--set` (`overrides.rs`), checked against a JSON Schema
//! (`check.rs`, `quantity.rs`), and read into a type. Constraints that the schema cannot express are checked afterwards by the caller, with
//! [`Document::problems`] to point at the right line.

mod check;
mod diagnostic;
mod excerpt;
mod load;
mod mend;
mod merge;
mod overrides;
mod parse;
mod path;
mod quantity;
mod schema;
mod source;
mod tree;

pub use diagnostic::{ConfigErrors, Diagnostic, Segment, Style, printable};
pub use load::{Document, Input, Loaded, Problems, load};
pub use source::{Source, Sources, check_input};
pub use tree::{Entry, FileId, Kind, Node, Span};

pub(crate) use check::list_words;
pub(crate) use load::{Refused, try_load};
pub(crate) use schema::{for_editors, schema_of};
pub(crate) use source::{check_lasting, missing_folder, read};
