//! The quantization of a checkpoint: the format of every matrix, and of the KV cache.
//!
//! Methods and their keys are those that vLLM reads (`vllm/model_executor/layers/quantization`), of `compressed-tensors`, `NVIDIA ModelOpt`,
//! `AutoAWQ`, `GPTQModel`, `AutoRound`, `bitsandbytes`, `AMD Quark` and the fp8 and mxfp4 loaders of `transformers`. A quantization that is
//! present and not understood is an error: reading it as 16 bits would double the weights.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::HuggingFaceError;
use super::families::Family;
use super::keys::contradicts;
use super::matrices::{Matrix, matrices};
use super::patterns::Patterns;
use crate::model::{Architecture, Mix, Part, Precision};
use crate::units::Dtype;

type Object = Map<String, Value>;

/// Keys of lists of modules that stay in 16 bits.
const IGNORED: [&str; 6] = ["ignore", "exclude_modules", "exclude", "modules_to_not_convert", "ignored_layers", "llm_int8_skip_modules"];

/// Floats of 4 bits with wider activations are no faster than integers that take as many bytes.
const NVFP4_ALONE: Dtype = Dtype::Int4G32;
const MXFP4_ALONE: Dtype = Dtype::Int4G64;

/// Formats by module.
#[derive(Debug, Default)]
pub(super) struct Scheme {
    /// Modules that stay in 16 bits, whatever else is said of them.
    ignored: Patterns,
    /// Modules with a format of their own; `None`: 16 bits.
    listed: Vec<(Patterns, Option<Dtype>)>,
    /// All other matrices; `None`: 16 bits.
    rest: Option<Dtype>,
    /// True if the output head is one of these.
    head: bool,
    /// `None`: as the activations.
    kv: Option<Dtype>,
}

impl Scheme {
    /// Reads the quantization of a checkpoint from its `quantization_config`, or from a `hf_quant_config.json` beside it.
    pub(super) fn read(config: &Object) -> Result<Self, HuggingFaceError> {
        // `ModelOpt`'s own file has everything one level down.
        let inner = config.get("quantization").and_then(Value::as_object).unwrap_or(config);
        let algorithm = text(inner, "quant_algo").map(str::to_uppercase);
        let mut scheme = Self { kv: kv(inner)?, ..Self::default() };
        for key in IGNORED {
            for pattern in texts(inner, key)? {
                scheme.ignored.add(key, pattern)?;
            }
        }
        let method = text(config, "quant_method").map(str::to_lowercase);
        match (method.as_deref(), algorithm.as_deref()) {
            (None | Some("modelopt" | "modelopt_fp4" | "modelopt_mixed"), Some(algorithm)) => scheme.model_opt(algorithm, inner)?,
            (Some("modelopt_fp4"), None) => (scheme.rest, scheme.head) = (Some(Dtype::Fp4), true),
            (Some("compressed-tensors" | "modelopt") | None, None) if inner.contains_key("config_groups") => scheme.groups(inner)?,
            (Some("fp8" | "fbgemm_fp8" | "ptpc_fp8" | "mxfp8"), _) => scheme.rest = Some(Dtype::Fp8),
            // Only the experts are quantized in these checkpoints.
            (Some("mxfp4"), _) => scheme.list("quant_method", ["experts"], Some(Dtype::Mxfp4))?,
            (Some("awq" | "awq_marlin" | "gptq" | "gptq_marlin" | "auto-round" | "auto_round"), _) => scheme.integers(inner)?,
            (Some("bitsandbytes"), _) => scheme.rest = Some(bits_and_bytes(inner)?),
            (Some("quark"), _) => scheme.quark(inner)?,
            (Some(other), _) => return Err(HuggingFaceError::Quantization(format!("the method `{other}`"))),
            (None, None) => return Err(HuggingFaceError::Quantization("a quantization without `quant_method` or `quant_algo`".to_owned())),
        }
        Ok(scheme)
    }

    /// Number formats of the parts of a model whose activations have the format `plain`.
    pub(super) fn precision(&self, architecture: &Architecture, family: &Family, plain: Dtype) -> Precision {
        let mut parts: BTreeMap<Part, BTreeMap<Dtype, u64>> = BTreeMap::new();
        for matrix in matrices(architecture, family.mlp) {
            let format = self.format(&matrix).unwrap_or(plain);
            *parts.entry(matrix.part).or_default().entry(format).or_default() += matrix.parameters;
        }
        let weights = self.rest.unwrap_or(plain);
        let mix = |part: Part, unless: Dtype| {
            let mix = parts.get(&part).and_then(Mix::weighted)?;
            (mix.only() != Some(unless)).then_some(mix)
        };
        let experts = mix(Part::Experts, weights);
        // Shared experts have the format of the routed ones if they have none of their own.
        let shared = parts.get(&Part::SharedExperts).and_then(Mix::weighted);
        let shared_experts = shared.filter(|shared| *shared != experts.clone().unwrap_or_else(|| weights.into()));
        Precision {
            weights,
            attention: mix(Part::Attention, weights),
            dense: mix(Part::Dense, weights),
            experts,
            shared_experts,
            head: mix(Part::Head, plain).and_then(|mix| mix.only()),
            kv: self.kv.unwrap_or(plain),
        }
    }

    fn format(&self, matrix: &Matrix) -> Option<Dtype> {
        if self.ignored.contain(matrix) || (matrix.part == Part::Head && !self.head) {
            return None;
        }
        self.listed.iter().find(|(patterns, _)| patterns.contain(matrix)).map_or(self.rest, |(_, format)| *format)
    }

    fn list<'a>(&mut self, key: &str, patterns: impl IntoIterator<Item = &'a str>, format: Option<Dtype>) -> Result<(), HuggingFaceError> {
        self.listed.push((Patterns::read(key, patterns)?, format));
        Ok(())
    }

    /// NVIDIA `ModelOpt`: one algorithm for all layers, or one for each.
    fn model_opt(&mut self, algorithm: &str, config: &Object) -> Result<(), HuggingFaceError> {
        self.head = true;
        if algorithm != "MIXED_PRECISION" {
            self.rest = Some(model_opt_format(algorithm, number(config, "group_size")?)?);
            return Ok(());
        }
        let key = "quantized_layers";
        let layers = config.get(key).and_then(Value::as_object);
        let layers = layers.ok_or_else(|| contradicts(key, "missing", "the algorithm of each layer, for MIXED_PRECISION"))?;
        let mut by_format: BTreeMap<Dtype, Patterns> = BTreeMap::new();
        for (name, layer) in layers {
            let layer = layer.as_object().ok_or_else(|| contradicts(key, &layer.to_string(), "an object with `quant_algo`"))?;
            let algorithm = text(layer, "quant_algo").unwrap_or_default().to_uppercase();
            let format = model_opt_format(&algorithm, number(layer, "group_size")?)?;
            by_format.entry(format).or_default().add(key, name)?;
        }
        self.listed.extend(by_format.into_iter().map(|(format, patterns)| (patterns, Some(format))));
        Ok(())
    }

    /// compressed-tensors: groups of modules, each with a scheme.
    fn groups(&mut self, config: &Object) -> Result<(), HuggingFaceError> {
        let key = "config_groups";
        self.head = true;
        let Some(groups) = config.get(key).and_then(Value::as_object) else {
            return Err(contradicts(key, "not an object", "groups of modules"));
        };
        for group in groups.values().filter_map(Value::as_object) {
            // Without weights only activations are quantized.
            let Some(weights) = group.get("weights").and_then(Value::as_object) else { continue };
            let format = compressed(weights, group, config)?;
            let targets = texts(group, "targets")?;
            // Classes of modules, of which only those of matrices count, or patterns of names.
            let is_class = |target: &&str| target.starts_with(char::is_uppercase);
            if targets.is_empty() || targets.contains(&"Linear") {
                self.rest = Some(format);
            }
            let names: Vec<&str> = targets.into_iter().filter(|target| !is_class(target)).collect();
            if !names.is_empty() {
                self.list(key, names, Some(format))?;
            }
        }
        // A checkpoint may quantize its KV cache alone.
        if self.rest.is_none() && self.listed.is_empty() && self.kv.is_none() {
            return Err(HuggingFaceError::Quantization("groups of compressed-tensors without matrices".to_owned()));
        }
        Ok(())
    }

    /// AWQ, GPTQ, `AutoRound`: integers in groups, with layers excepted or in other bits.
    fn integers(&mut self, config: &Object) -> Result<(), HuggingFaceError> {
        let bits = number(config, "bits")?.or(number(config, "w_bit")?);
        let group = number(config, "group_size")?.or(number(config, "q_group_size")?);
        self.rest = Some(integer(bits, group)?);
        self.head = config.get("lm_head").and_then(Value::as_bool).unwrap_or(false);
        // GPTQModel: `-:` excepts the modules that match, `+:` gives them other bits.
        for (pattern, other) in config.get("dynamic").and_then(Value::as_object).into_iter().flatten() {
            let mut patterns = Patterns::default();
            let regex = pattern.strip_prefix("-:").or(pattern.strip_prefix("+:")).unwrap_or(pattern);
            patterns.add_regex("dynamic", pattern, &format!("^(?:{regex})"))?;
            let other = other.as_object().cloned().unwrap_or_default();
            let bits = number(&other, "bits")?.or(bits);
            let format = if pattern.starts_with("-:") { None } else { Some(integer(bits, number(&other, "group_size")?.or(group))?) };
            self.listed.push((patterns, format));
        }
        // AutoRound: bits by module, 16 for those left alone.
        for (name, other) in config.get("extra_config").and_then(Value::as_object).into_iter().flatten() {
            let other = other.as_object().cloned().unwrap_or_default();
            let bits = number(&other, "bits")?.or(bits);
            let format = if bits.is_some_and(|bits| bits >= 16) { None } else { Some(integer(bits, group)?) };
            self.list("extra_config", [name.as_str()], format)?;
        }
        Ok(())
    }

    /// AMD Quark: one configuration for all layers, and others for layers by glob.
    fn quark(&mut self, config: &Object) -> Result<(), HuggingFaceError> {
        let all = config.get("global_quant_config").and_then(Value::as_object);
        self.rest = all.map(quark_format).transpose()?.flatten();
        for (name, layer) in config.get("layer_quant_config").and_then(Value::as_object).into_iter().flatten() {
            let format = layer.as_object().map(quark_format).transpose()?.flatten();
            self.list("layer_quant_config", [name.as_str()], format)?;
        }
        if self.rest.is_none() && self.listed.is_empty() {
            return Err(HuggingFaceError::Quantization("a quantization of `quark` without `global_quant_config`".to_owned()));
        }
        Ok(())
    }
}

/// The format of `ModelOpt`'s algorithms.
fn model_opt_format(algorithm: &str, group: Option<i64>) -> Result<Dtype, HuggingFaceError> {
    Ok(match algorithm {
        "FP8" | "FP8_PER_CHANNEL_PER_TOKEN" | "FP8_PB_WO" | "FP8_PB_REAL" | "MXFP8" => Dtype::Fp8,
        "NVFP4" | "NVFP4_AWQ" | "NVFP4_SVDQUANT" => Dtype::Fp4,
        "MXFP4" => Dtype::Mxfp4,
        "W4A16_NVFP4" | "W4A8_NVFP4_FP8" => NVFP4_ALONE,
        "W4A8_MXFP4_FP8" => MXFP4_ALONE,
        "INT8_SQ" | "W8A8_SQ_PER_CHANNEL" | "INT8" => Dtype::Int8,
        "W4A16" | "W4A16_AWQ" | "W4A8_AWQ" | "INT4_AWQ" => integer(Some(4), group)?,
        "W8A16" => Dtype::W8a16,
        other => return Err(HuggingFaceError::Quantization(format!("the algorithm `{other}` of ModelOpt"))),
    })
}

/// Integers of 4 or 8 bits for weights alone, by group size.
fn integer(bits: Option<i64>, group: Option<i64>) -> Result<Dtype, HuggingFaceError> {
    match (bits, group.unwrap_or(128)) {
        (Some(4), 1..=32) => Ok(Dtype::Int4G32),
        (Some(4), 33..=64) => Ok(Dtype::Int4G64),
        (Some(4), _) => Ok(Dtype::Int4),
        (Some(8), _) => Ok(Dtype::W8a16),
        (Some(bits), _) => Err(HuggingFaceError::Quantization(format!("weights of {bits} bits"))),
        (None, _) => Err(HuggingFaceError::Quantization("a quantization without `bits`".to_owned())),
    }
}

/// The format of a group of compressed-tensors.
fn compressed(weights: &Object, group: &Object, config: &Object) -> Result<Dtype, HuggingFaceError> {
    let (bits, kind) = (number(weights, "num_bits")?, text(weights, "type").unwrap_or("int"));
    let size = number(weights, "group_size")?;
    let packed = text(group, "format").or(text(config, "format")).unwrap_or_default();
    // Weights alone, if the group says that activations stay as they are.
    let alone = group.get("input_activations").is_some_and(Value::is_null);
    match (bits, kind) {
        (Some(8), "float") => Ok(if alone { Dtype::W8a16 } else { Dtype::Fp8 }),
        (Some(8), "int") => Ok(if alone || packed.contains("pack") { Dtype::W8a16 } else { Dtype::Int8 }),
        (Some(4), "float") => Ok(match (packed.contains("mxfp4") || size == Some(32), alone) {
            (true, false) => Dtype::Mxfp4,
            (true, true) => MXFP4_ALONE,
            (false, false) => Dtype::Fp4,
            (false, true) => NVFP4_ALONE,
        }),
        (Some(4), "int") => integer(bits, size),
        (bits, kind) => {
            let bits = bits.map_or_else(|| "unknown".to_owned(), |bits| bits.to_string());
            Err(HuggingFaceError::Quantization(format!("compressed-tensors weights of {bits} bits of type `{kind}`")))
        }
    }
}

/// `bitsandbytes`: 4 bits in blocks of 64 with a 32-bit scale each, half a bit per weight; double quantization reduces it to an eighth.
fn bits_and_bytes(config: &Object) -> Result<Dtype, HuggingFaceError> {
    let flag = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(false);
    match (flag("load_in_4bit") || flag("_load_in_4bit"), flag("load_in_8bit") || flag("_load_in_8bit")) {
        (true, _) if flag("bnb_4bit_use_double_quant") => Ok(Dtype::Int4),
        (true, _) => Ok(Dtype::Int4G32),
        (_, true) => Ok(Dtype::W8a16),
        _ => Err(HuggingFaceError::Quantization("a quantization of `bitsandbytes` without `load_in_4bit` or `load_in_8bit`".to_owned())),
    }
}

/// The format of one of Quark's configurations; `None` if it leaves weights alone.
fn quark_format(config: &Object) -> Result<Option<Dtype>, HuggingFaceError> {
    let Some(weights) = config.get("weight").and_then(Value::as_object) else { return Ok(None) };
    let size = number(weights, "group_size")?;
    let alone = config.get("input_tensors").is_none_or(Value::is_null);
    Ok(Some(match text(weights, "dtype").unwrap_or_default() {
        "fp8_e4m3" | "fp8_e5m2" | "mx" | "mxfp8" => Dtype::Fp8,
        "fp4" | "mxfp4" => Dtype::Mxfp4,
        "int8" | "uint8" => {
            if alone {
                Dtype::W8a16
            } else {
                Dtype::Int8
            }
        }
        "int4" | "uint4" => integer(Some(4), size)?,
        other => return Err(HuggingFaceError::Quantization(format!("the format `{other}` of `quark`"))),
    }))
}

/// The format of the KV cache; `None` if nothing is said of it.
fn kv(config: &Object) -> Result<Option<Dtype>, HuggingFaceError> {
    let said = ["kv_cache_scheme", "kv_cache_quant_algo"].iter().find_map(|key| Some((*key, config.get(*key).filter(|v| !v.is_null())?)));
    let Some((key, value)) = said else { return Ok(None) };
    let format = match value {
        Value::String(name) => match name.to_uppercase().as_str() {
            "" | "NONE" => return Ok(None),
            "FP8" | "FP8_E4M3" | "FP8_E5M2" => Some(Dtype::Fp8),
            "INT8" => Some(Dtype::Int8),
            "NVFP4" | "FP4" => Some(Dtype::Fp4),
            _ => None,
        },
        Value::Object(scheme) => match (number(scheme, "num_bits")?, text(scheme, "type").unwrap_or_default()) {
            (Some(8), "float") => Some(Dtype::Fp8),
            (Some(8), "int") => Some(Dtype::Int8),
            (Some(4), "float") => Some(Dtype::Fp4),
            _ => None,
        },
        _ => None,
    };
    format.map(Some).ok_or_else(|| HuggingFaceError::KvQuantization { key, found: value.to_string() })
}

fn text<'a>(config: &'a Object, key: &str) -> Option<&'a str> {
    config.get(key).and_then(Value::as_str)
}

fn number(config: &Object, key: &str) -> Result<Option<i64>, HuggingFaceError> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_i64().map(Some).ok_or_else(|| contradicts(key, &value.to_string(), "a whole number")),
    }
}

/// A list of texts; empty if absent.
fn texts<'a>(config: &'a Object, key: &str) -> Result<Vec<&'a str>, HuggingFaceError> {
    match config.get(key) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(value) => {
            let texts = value.as_array().and_then(|list| list.iter().map(Value::as_str).collect::<Option<Vec<&str>>>());
            texts.ok_or_else(|| contradicts(key, &value.to_string(), "a list of names"))
        }
    }
}
