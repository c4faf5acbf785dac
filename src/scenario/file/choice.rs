//! A policy as a scenario names it: a word, or a word with parameters under it. Which words there are says the register of its family.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::policy::{self, Configured, Policies, PolicyError, Register};

/// A family of policies, as scenarios name them.
pub trait Family {
    /// Its policies.
    type Policy: ?Sized + 'static;
    /// Name of its type in the schema.
    const SCHEMA: &'static str;
    /// What it decides.
    const ABOUT: &'static str;
    /// The policy where none is named.
    const DEFAULT: &'static str;
    /// Words that stand in the place of a name, and mean something else.
    const RESERVED: &'static [&'static str];

    /// Its register.
    fn register(policies: &Policies) -> &Register<Self::Policy>;
}

/// Declares a family: what it is called in code, in the schema and in `Policies`, what it decides, its default, and the words that stand in
/// the place of a name.
macro_rules! family {
    ($(#[$doc:meta])* $family:ident, $(#[$choice_doc:meta])* $choice:ident, $field:ident, $about:literal, $default:literal, [$($reserved:literal),*]) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $family {}

        impl Family for $family {
            type Policy = dyn policy::$choice;
            const SCHEMA: &'static str = stringify!($choice);
            const ABOUT: &'static str = $about;
            const DEFAULT: &'static str = $default;
            const RESERVED: &'static [&'static str] = &[$($reserved),*];

            fn register(policies: &Policies) -> &Register<Self::Policy> {
                &policies.$field
            }
        }

        $(#[$choice_doc])*
        pub type $choice = Choice<$family>;
    };
}

family!(
    /// Routers.
    Routers,
    /// A router.
    Router,
    routers,
    "Which instance of those that may serve a request gets it.",
    "least-request",
    ["prefill", "decode", "mixed"]
);
family!(
    /// Admission policies.
    Admissions,
    /// An admission policy.
    Admission,
    admissions,
    "Whether a request is let in.",
    "always",
    []
);
family!(
    /// Queue orders.
    Queues,
    /// A queue order.
    QueueOrder,
    queues,
    "Which waiting request of an instance starts next.",
    "fcfs",
    []
);
family!(
    /// Preemption policies.
    Preemptions,
    /// A preemption policy.
    Preemption,
    preemptions,
    "Which running sequence gives its memory back when KV blocks run out.",
    "last-admitted",
    []
);
family!(
    /// Batching policies.
    Batchings,
    /// A batching policy.
    Batching,
    batchings,
    "How much prompt work an iteration takes on beside the sequences that generate.",
    "vllm-v1",
    []
);

family!(
    /// Eviction policies.
    Evictions,
    /// An eviction policy.
    Eviction,
    evictions,
    "Which cached prefix of an instance is evicted first when KV blocks run out.",
    "lru",
    []
);

family!(
    /// Controllers.
    Controllers,
    /// A controller.
    Controller,
    controllers,
    "When instances are started, drained and given other roles.",
    "fixed",
    []
);

family!(
    /// Deciders on disaggregation.
    Deciders,
    /// A decider on disaggregation.
    Decider,
    deciders,
    "Whether the prompt of a request is computed apart from its output, where a model has prefill and decode instances.",
    "always",
    []
);

/// A policy of a family.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice<F> {
    /// Its name.
    pub name: String,
    /// Its parameters; `None` where none are given.
    pub parameters: Option<Value>,
    family: PhantomData<F>,
}

impl<F: Family> Choice<F> {
    /// By its name, without parameters.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), parameters: None, family: PhantomData }
    }

    /// The policy, ready to be made.
    ///
    /// # Errors
    /// An unknown name, or parameters that the policy does not have.
    pub fn configure(&self, policies: &Policies) -> Result<Configured<F::Policy>, PolicyError> {
        F::register(policies).configure(&self.name, self.parameters.as_ref())
    }

    /// The schema of a choice among the policies of its family, with the name of its type.
    pub fn schema(policies: &Policies) -> (&'static str, Value) {
        (F::SCHEMA, schema_of(F::ABOUT, F::register(policies)))
    }
}

impl<F: Family> Default for Choice<F> {
    fn default() -> Self {
        Self::named(F::DEFAULT)
    }
}

impl<F> Serialize for Choice<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.parameters {
            None => serializer.serialize_str(&self.name),
            Some(parameters) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(&self.name, parameters)?;
                map.end()
            }
        }
    }
}

impl<'de, F: Family> Deserialize<'de> for Choice<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named<F>(PhantomData<F>);

        impl<'de, F: Family> Visitor<'de> for Named<F> {
            type Value = Choice<F>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a policy, or one name with parameters under it")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Choice<F>, E> {
                Ok(Choice::named(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Choice<F>, A::Error> {
                let (name, parameters) = map.next_entry::<String, Value>()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                if F::RESERVED.contains(&name.as_str()) {
                    return Err(de::Error::unknown_field(&name, &[]));
                }
                match map.next_key::<String>()? {
                    None => Ok(Choice { name, parameters: Some(parameters), family: PhantomData }),
                    Some(_) => Err(de::Error::invalid_length(2, &self)),
                }
            }
        }

        deserializer.deserialize_any(Named(PhantomData))
    }
}

impl<F: Family> JsonSchema for Choice<F> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        F::SCHEMA.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::try_from(Self::schema(&Policies::default()).1).unwrap_or_default()
    }
}

/// A family as alternatives: words, and maps of one word to its parameters.
fn schema_of<P: ?Sized + 'static>(about: &str, register: &Register<P>) -> Value {
    let mut aliases = Map::new();
    let mut alternatives = Vec::new();
    for entry in register.entries() {
        aliases.extend(entry.aliases.iter().map(|alias| ((*alias).to_owned(), json!(entry.name))));
        alternatives.push(match &entry.parameters {
            None => json!({"type": "string", "const": entry.name, "description": entry.about}),
            // Its parameters all have defaults, so that the word alone is accepted too.
            Some(parameters) => json!({
                "type": "object", "properties": {entry.name: parameters}, "required": [entry.name], "additionalProperties": false, "description": entry.about,
            }),
        });
    }
    json!({"oneOf": alternatives, "description": about, "x-aliases": aliases})
}
