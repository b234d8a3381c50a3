//! What can be wrong with a selector, a key or a value.

use thiserror::Error;

/// A selector, key or value that an API server would refuse. Positions are bytes from the start of the text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The text does not follow the grammar.
    #[error("selector {text:?}, byte {at}: found {found}, expected {expected}")]
    Syntax {
        /// The whole selector.
        text: String,
        /// Where the surprise begins.
        at: usize,
        /// The token found there.
        found: String,
        /// What could have stood there.
        expected: &'static str,
    },
    /// A label key that is not one.
    #[error("selector {text:?}, byte {at}: key {key:?}: {reason}")]
    Key {
        /// The whole selector, or the field of an object.
        text: String,
        /// Where the key begins.
        at: usize,
        /// The key found.
        key: String,
        /// What is allowed.
        reason: &'static str,
    },
    /// A label value that is not one.
    #[error("selector {text:?}, byte {at}: value {value:?}: {reason}")]
    Value {
        /// The whole selector, or the field of an object.
        text: String,
        /// Where the value begins.
        at: usize,
        /// The value found.
        value: String,
        /// What is allowed.
        reason: &'static str,
    },
    /// `>` and `<` compare with one whole number.
    #[error("selector {text:?}, byte {at}: {value:?} is not a whole number in -2^63..2^63")]
    Operand {
        /// The whole selector.
        text: String,
        /// Where the operand begins.
        at: usize,
        /// The operand found.
        value: String,
    },
    /// An operator of a `LabelSelector` object that does not exist.
    #[error("{field}: operator {found:?} is none of In, NotIn, Exists, DoesNotExist")]
    Operator {
        /// Path within the object.
        field: String,
        /// The operator found.
        found: String,
    },
    /// Too few or too many values for the operator of a `LabelSelector` object.
    #[error("{field}: operator {operator} with {found} values, allowed: {allowed}")]
    Values {
        /// Path within the object.
        field: String,
        /// The operator.
        operator: &'static str,
        /// Number of values found.
        found: usize,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A field selector that does not parse.
    #[error("field selector {text:?}: {term:?}: {reason}")]
    Field {
        /// The whole selector.
        text: String,
        /// The term at fault.
        term: String,
        /// What is allowed.
        reason: &'static str,
    },
}

/// Every code of [`Error`].
pub const CODES: &[&str] = &[
    "selector-syntax",
    "label-key-invalid",
    "label-value-invalid",
    "selector-operand",
    "selector-operator",
    "selector-values",
    "field-selector-syntax",
];

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Syntax { .. } => "selector-syntax",
            Error::Key { .. } => "label-key-invalid",
            Error::Value { .. } => "label-value-invalid",
            Error::Operand { .. } => "selector-operand",
            Error::Operator { .. } => "selector-operator",
            Error::Values { .. } => "selector-values",
            Error::Field { .. } => "field-selector-syntax",
        }
    }
}
