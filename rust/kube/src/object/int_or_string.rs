//! A field that is a number or a name.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A port by number or by name. `"8080"` in quotes is a name, as in the API.
/// Source: Kubernetes API, `k8s.io/apimachinery/pkg/util/intstr`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntOrString {
    /// A number; 0 is "not given".
    Int(i32),
    /// A name.
    Str(String),
}

impl IntOrString {
    /// Whether nothing was given: the number 0 or an empty name.
    pub fn is_unset(&self) -> bool {
        match self {
            IntOrString::Int(number) => *number == 0,
            IntOrString::Str(name) => name.is_empty(),
        }
    }
}

impl Default for IntOrString {
    fn default() -> Self {
        IntOrString::Int(0)
    }
}

impl fmt::Display for IntOrString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IntOrString::Int(number) => number.fmt(f),
            IntOrString::Str(name) => name.fmt(f),
        }
    }
}

impl Serialize for IntOrString {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            IntOrString::Int(number) => to.serialize_i32(*number),
            IntOrString::Str(name) => to.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for IntOrString {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either)
    }
}

struct Either;

impl Visitor<'_> for Either {
    type Value = IntOrString;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a string")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<IntOrString, E> {
        i32::try_from(number)
            .map(IntOrString::Int)
            .map_err(|_| E::custom(format_args!("number {number} does not fit 32 bits")))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<IntOrString, E> {
        i32::try_from(number)
            .map(IntOrString::Int)
            .map_err(|_| E::custom(format_args!("number {number} does not fit 32 bits")))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<IntOrString, E> {
        Ok(IntOrString::Str(name.to_owned()))
    }
}
