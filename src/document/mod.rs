//! YAML documents to typed values, with diagnostics. Knows JSON Schema, no scenario.
//!
//! Owns: how a user is told what is wrong with a document: all problems at once, each with file, line, caret, what was found, what was
//! expected and the nearest right word. Must not know: what any document means.
//!
//! A document goes through these steps (`load.rs`): texts are read (`source.rs`), parsed into a tree with places (`parse.rs`, `tree.rs`),
//! brought into one form and laid over what they include (`merge.rs`), changed by `--set` (`overrides.rs`), checked against a JSON Schema
//! (`check.rs`, `quantity.rs`), and read into a type. What the schema cannot say is checked afterwards by the caller, with
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
