//! Number formats of the parts of a served model.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ModelError, UNQUANTIZED};
use crate::units::Dtype;

/// Greatest deviation of the sum of shares from 1.
const ROUNDING: f64 = 1e-3;

/// Number formats of a served model. Embedding, norms, biases and routers always stay in bf16, as in the published quantized checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Precision {
    /// All weights but those of the output head, unless their part has formats of its own.
    pub weights: Dtype,
    /// Attention projections; as `weights` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<Mix>,
    /// Dense feed-forward layers; as `weights` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dense: Option<Mix>,
    /// Experts; as `weights` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experts: Option<Mix>,
    /// Shared experts; as `experts` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_experts: Option<Mix>,
    /// Output head; bf16 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Dtype>,
    /// The KV cache.
    pub kv: Dtype,
}

/// A part of the weights with formats of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Attention projections.
    Attention,
    /// Dense feed-forward layers.
    Dense,
    /// Routed experts.
    Experts,
    /// Shared experts.
    SharedExperts,
    /// Output head.
    Head,
}

impl Part {
    /// All parts.
    pub const ALL: [Self; 5] = [Self::Attention, Self::Dense, Self::Experts, Self::SharedExperts, Self::Head];

    /// Its key in YAML, as words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Dense => "dense",
            Self::Experts => "experts",
            Self::SharedExperts => "shared experts",
            Self::Head => "head",
        }
    }
}

impl Precision {
    /// One format for all weights but the output head's, and one for the KV cache.
    pub const fn of(weights: Dtype, kv: Dtype) -> Self {
        Self { weights, attention: None, dense: None, experts: None, shared_experts: None, head: None, kv }
    }

    /// Formats of a part.
    pub fn part(&self, part: Part) -> Cow<'_, Mix> {
        let own = match part {
            Part::Attention => self.attention.as_ref(),
            Part::Dense => self.dense.as_ref(),
            Part::Experts => self.experts.as_ref(),
            Part::SharedExperts => self.shared_experts.as_ref().or(self.experts.as_ref()),
            Part::Head => return Cow::Owned(self.head.unwrap_or(UNQUANTIZED).into()),
        };
        own.map_or_else(|| Cow::Owned(self.weights.into()), Cow::Borrowed)
    }

    /// Checks the shares, and that the KV cache has a format that caches can have.
    ///
    /// # Errors
    /// [`ModelError::Shares`], [`ModelError::KvFormat`].
    pub fn validate(&self) -> Result<(), ModelError> {
        let parts = [&self.attention, &self.dense, &self.experts, &self.shared_experts];
        if let Some(mix) = parts.into_iter().flatten().find(|mix| !mix.is_whole()) {
            return Err(ModelError::Shares { found: mix.to_string() });
        }
        if self.kv.is_weight_only() { Err(ModelError::KvFormat { found: self.kv.name() }) } else { Ok(()) }
    }
}

/// `bf16, experts mxfp4, KV fp8`: the format of the weights, parts that differ from it, and the KV cache.
impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.weights.name())?;
        let parts =
            [("attention", &self.attention), ("dense", &self.dense), ("experts", &self.experts), ("shared experts", &self.shared_experts)];
        for (name, mix) in parts {
            if let Some(mix) = mix.as_ref().filter(|mix| mix.only() != Some(self.weights)) {
                write!(f, ", {name} {mix}")?;
            }
        }
        if let Some(head) = self.head.filter(|&head| head != UNQUANTIZED) {
            write!(f, ", head {}", head.name())?;
        }
        write!(f, ", KV {}", self.kv.name())
    }
}

/// Number formats of one part of the weights, each with its share of the parameters. In YAML a name, or a map of names and shares:
/// `{fp8: 0.94, bf16: 0.06}`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix(BTreeMap<Dtype, f64>);

impl Mix {
    /// Formats weighted by numbers of parameters; `None` if there are none.
    pub fn weighted(parameters: &BTreeMap<Dtype, u64>) -> Option<Self> {
        let all: u64 = parameters.values().sum();
        (all > 0).then(|| Self(parameters.iter().map(|(format, count)| (*format, *count as f64 / all as f64)).collect()))
    }

    /// Formats and their shares, which sum to 1.
    pub fn shares(&self) -> impl Iterator<Item = (Dtype, f64)> {
        self.0.iter().map(|(format, share)| (*format, *share))
    }

    /// Its format if it has only one.
    pub fn only(&self) -> Option<Dtype> {
        let mut formats = self.0.keys();
        formats.next().copied().filter(|_| formats.next().is_none())
    }

    /// Mean bytes of a weight.
    pub fn bytes(&self) -> f64 {
        self.shares().map(|(format, share)| share * format.bytes()).sum()
    }

    fn is_whole(&self) -> bool {
        self.0.values().all(|share| (0.0..=1.0).contains(share)) && (self.0.values().sum::<f64>() - 1.0).abs() <= ROUNDING
    }
}

impl From<Dtype> for Mix {
    fn from(format: Dtype) -> Self {
        Self(BTreeMap::from([(format, 1.0)]))
    }
}

/// `fp8`, or `94 % fp8 and 6 % bf16`, the largest share first.
impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(format) = self.only() {
            return f.write_str(format.name());
        }
        let mut shares: Vec<(Dtype, f64)> = self.shares().collect();
        shares.sort_by(|one, other| other.1.total_cmp(&one.1));
        let texts: Vec<String> = shares.iter().map(|(format, share)| format!("{:.1} % {}", 100.0 * share, format.name())).collect();
        f.write_str(&texts.join(" and "))
    }
}

impl Serialize for Mix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.only() {
            Some(format) => format.serialize(serializer),
            None => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Mix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Formats;

        impl<'de> Visitor<'de> for Formats {
            type Value = Mix;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number format, or a map of number formats and shares")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Mix, E> {
                Dtype::deserialize(de::value::StrDeserializer::new(name)).map(Mix::from)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Mix, A::Error> {
                BTreeMap::deserialize(de::value::MapAccessDeserializer::new(map)).map(Mix)
            }
        }

        deserializer.deserialize_any(Formats)
    }
}

impl JsonSchema for Mix {
    fn schema_name() -> Cow<'static, str> {
        "Mix".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let share = json_schema!({"type": "number", "minimum": 0, "maximum": 1});
        json_schema!({
            "description": "Number formats of one part of the weights: a name, or a map of names and shares that sum to 1",
            "anyOf": [
                generator.subschema_for::<Dtype>(),
                {"type": "object", "propertyNames": {"enum": Dtype::names()}, "additionalProperties": share, "minProperties": 1},
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn precision(yaml: &str) -> Result<Precision, String> {
        let precision: Precision = serde_yaml::from_str(yaml).map_err(|error| error.to_string())?;
        precision.validate().map(|()| precision).map_err(|error| error.to_string())
    }

    #[test]
    fn parts_have_one_format_or_shares_of_several() {
        let read = precision("{weights: fp8, attention: bf16, dense: {fp8: 0.9375, bf16: 0.0625}, experts: int4-g32, kv: fp8}").unwrap();
        approx::assert_relative_eq!(read.part(Part::Attention).bytes(), 2.0);
        approx::assert_relative_eq!(read.part(Part::Dense).bytes(), 1.0625);
        assert_eq!(read.part(Part::SharedExperts).only(), Some(Dtype::Int4G32));
        assert_eq!(read.part(Part::Head).only(), Some(Dtype::Bf16));
        assert_eq!(read.to_string(), "fp8, attention bf16, dense 93.8 % fp8 and 6.2 % bf16, experts int4-g32, KV fp8");
        assert_eq!(serde_yaml::from_str::<Precision>(&serde_yaml::to_string(&read).unwrap()).unwrap(), read);
    }

    #[test]
    fn shares_that_do_not_sum_to_one_and_formats_of_weights_alone_are_rejected() {
        assert!(precision("{weights: fp8, dense: {fp8: 0.5, bf16: 0.4}, kv: fp8}").unwrap_err().contains("sum to 1"));
        assert!(precision("{weights: fp8, dense: {fp8: 1.5, bf16: -0.5}, kv: fp8}").unwrap_err().contains("sum to 1"));
        assert!(precision("{weights: int4, kv: int4}").unwrap_err().contains("KV cache"));
        assert!(precision("{weights: fp8, dense: [fp8], kv: fp8}").unwrap_err().contains("a number format, or a map"));
    }
}
