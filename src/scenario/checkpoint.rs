//! A model from the files of a Hugging Face checkpoint.

use std::path::Path;

use crate::document::read;
use crate::model::hugging_face::{Checkpoint, Imported, quantization_file};
use crate::units::Dtype;

/// Reads `config.json`, and `hf_quant_config.json` beside it. `weights` is the number format of the weights if the user gives it.
///
/// # Errors
/// The problem in a sentence, and a way out.
pub(crate) fn import_checkpoint(name: &str, config: &Path, weights: Option<Dtype>) -> Result<Imported, (String, Option<String>)> {
    let text = |file: &Path, what: &str| read(file, what).map_err(|problem| (problem.sentence(file), problem.hint));
    let quantization = quantization_file(config).map(|file| text(&file, "a `hf_quant_config.json`")).transpose()?;
    let config_text = text(config, "a Hugging Face `config.json`")?;
    let checkpoint = Checkpoint { config: &config_text, quantization: quantization.as_deref(), weights };
    checkpoint.read(name).map_err(|error| (format!("{}: {error}", config.display()), error.hint().map(str::to_owned)))
}
