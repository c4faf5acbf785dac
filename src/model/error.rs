//! Errors in model descriptions.

use thiserror::Error;

/// An error in a model description. All are user errors.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A count outside its range.
    #[error("`{key}`: found {found}, expected {least} to {most}")]
    OutOfRange {
        /// Path of the key in the architecture.
        key: &'static str,
        /// The value given.
        found: u32,
        /// Least permitted value.
        least: u32,
        /// Greatest permitted value.
        most: u32,
    },
    /// Query heads that cannot be divided evenly among the key-value heads.
    #[error("`attention.kv_heads`: found {kv_heads}, expected a divisor of the {heads} heads")]
    UnevenGroups {
        /// Query heads.
        heads: u32,
        /// Key-value heads.
        kv_heads: u32,
    },
    /// Dense layers without a width.
    #[error("`dense_intermediate` is missing, but {layers} layers are dense")]
    NoDenseWidth {
        /// Number of dense layers.
        layers: u32,
    },
    /// Shares of the formats of a part that are no shares.
    #[error("`precision`: found {found}, expected shares from 0 to 1 that sum to 1")]
    Shares {
        /// The formats with their shares.
        found: String,
    },
    /// A format that only weights can have.
    #[error("`precision.kv`: found `{found}`, a format of weights; expected one that a KV cache can have, such as bf16, fp8 or int8")]
    KvFormat {
        /// The format.
        found: &'static str,
    },
    /// The file is not a model profile.
    #[error("cannot read the model profile `{name}`: {reason}")]
    Unreadable {
        /// Name of the profile or file.
        name: String,
        /// Message of the parser.
        reason: String,
    },
    /// A figure refers to a source that the profile does not list.
    #[error("model profile `{name}`: the figure `{figure}` names the source `{source_key}`, which is not among `sources`")]
    UnknownSource {
        /// Name of the profile.
        name: String,
        /// The figure.
        figure: &'static str,
        /// The missing key.
        source_key: String,
    },
    /// Unknown model.
    #[error("unknown model `{name}`{}", nearest.map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
    UnknownModel {
        /// The name given.
        name: String,
        /// The nearest known name.
        nearest: Option<&'static str>,
    },
}
