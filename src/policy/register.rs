//! The policies of a family by name: all that YAML, `list`, `show`, the JSON Schema and a crate outside need to know of one.
//!
//! Owns: what an entry says, and how parameters become a policy. Must not know: what any family decides.

use std::fmt::{self, Debug};
use std::sync::Arc;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use thiserror::Error;

use crate::sim::Stream;

/// Makes a policy; the stream is for those that draw.
type Make<P> = Arc<dyn Fn(Stream) -> Box<P> + Send + Sync>;
/// Reads parameters, all of which have defaults; the complete ones and what they make.
type Configure<P> = Arc<dyn Fn(Option<&Value>) -> Result<(Option<Value>, Make<P>), String> + Send + Sync>;

/// One policy.
pub struct Entry<P: ?Sized> {
    /// Its name in YAML, in kebab case.
    pub name: &'static str,
    /// Names that other stacks have for it.
    pub aliases: &'static [&'static str],
    /// One line.
    pub about: &'static str,
    /// The JSON Schema of its parameters; `None` if it has none.
    pub parameters: Option<Value>,
    configure: Configure<P>,
}

impl<P: ?Sized + 'static> Entry<P> {
    /// A policy without parameters.
    pub fn plain(name: &'static str, about: &'static str, make: impl Fn(Stream) -> Box<P> + Send + Sync + 'static) -> Self {
        let make: Make<P> = Arc::new(make);
        let configure: Configure<P> = Arc::new(move |parameters| match parameters {
            None => Ok((None, Arc::clone(&make))),
            Some(_) => Err(format!("`{name}` has no parameters")),
        });
        Self { name, aliases: &[], about, parameters: None, configure }
    }

    /// A policy with parameters, each of which has a default.
    pub fn with<T>(name: &'static str, about: &'static str, make: impl Fn(&T, Stream) -> Box<P> + Send + Sync + 'static) -> Self
    where
        T: Default + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static,
    {
        let make = Arc::new(make);
        let configure: Configure<P> = Arc::new(move |given| {
            let parameters = given.map_or_else(|| Ok(T::default()), |given| T::deserialize(given).map_err(|error| error.to_string()))?;
            let complete = serde_json::to_value(&parameters).map_err(|error| error.to_string())?;
            let make = Arc::clone(&make);
            let made: Make<P> = Arc::new(move |stream| make(&parameters, stream));
            Ok((Some(complete), made))
        });
        let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let parameters = Some(SchemaGenerator::new(settings).into_root_schema_for::<T>().to_value());
        Self { name, aliases: &[], about, parameters, configure }
    }

    /// The same, known by further names.
    #[must_use]
    pub const fn also(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// What there is to say of it.
    pub fn described(&self) -> Described {
        let defaults = (self.configure)(None).ok().and_then(|(parameters, _)| parameters);
        let Self { name, aliases, about, parameters, .. } = self;
        Described { name, aliases, about, parameters: parameters.clone(), defaults }
    }

    /// The policy with parameters, those left out at their defaults.
    ///
    /// # Errors
    /// Parameters that it does not have.
    pub fn configure(&self, parameters: Option<&Value>) -> Result<Configured<P>, PolicyError> {
        let failed = |problem| PolicyError::Parameters { name: self.name.to_owned(), problem };
        let (parameters, make) = (self.configure)(parameters).map_err(failed)?;
        Ok(Configured { name: self.name, parameters, make })
    }
}

/// What there is to say of a policy, whatever its family.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// Its name in YAML.
    pub name: &'static str,
    /// Names that other stacks have for it.
    pub aliases: &'static [&'static str],
    /// One line.
    pub about: &'static str,
    /// The JSON Schema of its parameters; `None` if it has none.
    pub parameters: Option<Value>,
    /// Its parameters where none is given.
    pub defaults: Option<Value>,
}

impl<P: ?Sized> Debug for Entry<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A policy that is ready to be made, once for each place where it decides.
pub struct Configured<P: ?Sized> {
    /// Its name.
    pub name: &'static str,
    /// Its parameters, all of them; `None` if it has none.
    pub parameters: Option<Value>,
    make: Make<P>,
}

impl<P: ?Sized> Configured<P> {
    /// Makes the policy; `stream` is for those that draw.
    pub fn build(&self, stream: Stream) -> Box<P> {
        (self.make)(stream)
    }
}

impl<P: ?Sized> Clone for Configured<P> {
    fn clone(&self) -> Self {
        Self { name: self.name, parameters: self.parameters.clone(), make: Arc::clone(&self.make) }
    }
}

impl<P: ?Sized> Debug for Configured<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configured").field("name", &self.name).field("parameters", &self.parameters).finish_non_exhaustive()
    }
}

/// Why there is no such policy. User error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// None has the name.
    #[error("there is no policy `{0}`")]
    Unknown(String),
    /// Parameters that the policy does not have.
    #[error("`{name}`: {problem}")]
    Parameters {
        /// The policy.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// The policies of a family, in the order in which they are listed.
pub struct Register<P: ?Sized> {
    entries: Vec<Arc<Entry<P>>>,
}

impl<P: ?Sized + 'static> Register<P> {
    /// Of these entries.
    pub fn new(entries: Vec<Entry<P>>) -> Self {
        Self { entries: entries.into_iter().map(Arc::new).collect() }
    }

    /// With one more, which wins over one of the same name.
    #[must_use]
    pub fn with(mut self, entry: Entry<P>) -> Self {
        self.entries.retain(|known| known.name != entry.name);
        self.entries.push(Arc::new(entry));
        self
    }

    /// All entries.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<P>> {
        self.entries.iter().map(Arc::as_ref)
    }

    /// The policy of a name, or of another name that it has.
    pub fn find(&self, name: &str) -> Option<&Entry<P>> {
        self.entries().find(|entry| entry.name == name).or_else(|| self.entries().find(|entry| entry.aliases.contains(&name)))
    }

    /// The policy of a name, with parameters.
    ///
    /// # Errors
    /// An unknown name, or parameters that the policy does not have.
    pub fn configure(&self, name: &str, parameters: Option<&Value>) -> Result<Configured<P>, PolicyError> {
        self.find(name).ok_or_else(|| PolicyError::Unknown(name.to_owned()))?.configure(parameters)
    }
}

impl<P: ?Sized> Clone for Register<P> {
    fn clone(&self) -> Self {
        Self { entries: self.entries.clone() }
    }
}

impl<P: ?Sized + 'static> Debug for Register<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries().map(|entry| entry.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::sim::{Purpose, Streams};

    trait Answer: Send {
        fn answer(&self) -> u64;
    }

    struct Fixed(u64);

    impl Answer for Fixed {
        fn answer(&self) -> u64 {
            self.0
        }
    }

    /// What it answers.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields, default)]
    struct Parameters {
        /// The answer.
        value: u64,
        /// What is added.
        more: u64,
    }

    impl Default for Parameters {
        fn default() -> Self {
            Self { value: 40, more: 2 }
        }
    }

    fn register() -> Register<dyn Answer> {
        Register::new(vec![
            Entry::plain("one", "answers one", |_| Box::new(Fixed(1)) as Box<dyn Answer>).also(&["uno"]),
            Entry::with("sum", "answers a sum", |parameters: &Parameters, _| {
                Box::new(Fixed(parameters.value + parameters.more)) as Box<dyn Answer>
            }),
        ])
    }

    fn answer(name: &str, parameters: Option<&Value>) -> Result<u64, PolicyError> {
        let stream = Streams::new(1).stream(Purpose::Routing, 0);
        Ok(register().configure(name, parameters)?.build(stream).answer())
    }

    #[test]
    fn policies_are_made_by_name_with_what_is_not_given_at_its_default() {
        assert_eq!((answer("one", None), answer("uno", None)), (Ok(1), Ok(1)));
        assert_eq!((answer("sum", None), answer("sum", Some(&json!({"value": 7})))), (Ok(42), Ok(9)));
        let configured = register().configure("sum", Some(&json!({"more": 3}))).unwrap();
        assert_eq!(configured.parameters, Some(json!({"value": 40, "more": 3})));
    }

    #[test]
    fn what_there_is_not_is_an_error() {
        assert_eq!(answer("two", None), Err(PolicyError::Unknown("two".to_owned())));
        assert_eq!(answer("one", Some(&json!({}))).unwrap_err().to_string(), "`one`: `one` has no parameters");
        assert!(answer("sum", Some(&json!({"wrong": 1}))).unwrap_err().to_string().starts_with("`sum`: unknown field `wrong`"));
    }

    #[test]
    fn a_users_policy_wins_over_one_of_the_same_name() {
        let more = register().with(Entry::plain("one", "answers eleven", |_| Box::new(Fixed(11)) as Box<dyn Answer>));
        let stream = Streams::new(1).stream(Purpose::Routing, 0);
        assert_eq!(more.configure("one", None).unwrap().build(stream).answer(), 11);
        assert_eq!(more.entries().count(), 2);
    }
}
