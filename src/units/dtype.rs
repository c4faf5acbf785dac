//! Number formats of weights, KV cache and arithmetic.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 32-bit IEEE float.
    Fp32,
    /// 16-bit IEEE float.
    Fp16,
    /// 16-bit brain float.
    Bf16,
    /// 8-bit float (E4M3 or E5M2).
    Fp8,
    /// 8-bit integer.
    Int8,
    /// 4-bit float in blocks of 16 with one 8-bit scale (NVFP4).
    Fp4,
    /// 4-bit float in blocks of 32 with one 8-bit scale (OCP MXFP4).
    Mxfp4,
    /// 4-bit integer in groups of 128 with one 16-bit scale (AWQ, GPTQ); computed in 16 bits.
    Int4,
    /// The same in groups of 64.
    #[serde(rename = "int4-g64")]
    Int4G64,
    /// The same in groups of 32.
    #[serde(rename = "int4-g32")]
    Int4G32,
    /// 8-bit weights of either kind, computed in 16 bits: weight-only quantization.
    W8a16,
}

impl Dtype {
    /// All formats.
    pub const ALL: [Self; 11] = [
        Self::Fp32,
        Self::Fp16,
        Self::Bf16,
        Self::Fp8,
        Self::Int8,
        Self::Fp4,
        Self::Mxfp4,
        Self::Int4,
        Self::Int4G64,
        Self::Int4G32,
        Self::W8a16,
    ];

    /// The spellings used in YAML, in the order of [`Self::ALL`].
    pub fn names() -> [&'static str; 11] {
        Self::ALL.map(Self::name)
    }

    /// Bytes per element, scales of blocks and groups included: 4 bit + 8 bit / 16 = 0.5625 for `fp4`, 4 bit + 8 bit / 32 = 0.53125 for
    /// `mxfp4`, 4 bit + 16 bit / 128 = 0.515625 for `int4`.
    pub const fn bytes(self) -> f64 {
        match self {
            Self::Fp32 => 4.0,
            Self::Fp16 | Self::Bf16 => 2.0,
            Self::Fp8 | Self::Int8 | Self::W8a16 => 1.0,
            Self::Fp4 | Self::Int4G32 => 0.5625,
            Self::Mxfp4 | Self::Int4G64 => 0.53125,
            Self::Int4 => 0.515_625,
        }
    }

    /// The spelling used in YAML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Fp8 => "fp8",
            Self::Int8 => "int8",
            Self::Fp4 => "fp4",
            Self::Mxfp4 => "mxfp4",
            Self::Int4 => "int4",
            Self::Int4G64 => "int4-g64",
            Self::Int4G32 => "int4-g32",
            Self::W8a16 => "w8a16",
        }
    }

    /// True if only weights have this format: products with them are computed in 16 bits on every chip.
    pub const fn is_weight_only(self) -> bool {
        matches!(self, Self::Int4 | Self::Int4G64 | Self::Int4G32 | Self::W8a16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_the_yaml_spellings() {
        for dtype in Dtype::ALL {
            assert_eq!(serde_json::to_value(dtype).unwrap(), dtype.name());
        }
        let schema = schemars::schema_for!(Dtype);
        assert_eq!(schema.get("oneOf").and_then(|o| o.as_array()).map(Vec::len), Some(Dtype::names().len()));
    }
}
