//! What can be wrong with the objects that were given.

use std::fmt;

use crate::object::ObjectKey;

/// Where in the input something is: source, line, column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The source's name: a file, or `-`.
    pub source: String,
    /// The line, from 1; 0 if not known.
    pub line: usize,
    /// The column in characters, from 1; 0 if not known.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// Bad input. [`Error::code`] is stable; the text names object, field, what was found and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes are no text.
    #[error("{place}: not a text in UTF-8: {found}")]
    NotText {
        /// Where.
        place: Place,
        /// What is there.
        found: String,
    },
    /// YAML that does not parse.
    #[error("{place}: YAML: {reason}")]
    YamlSyntax {
        /// Where.
        place: Place,
        /// Why.
        reason: String,
    },
    /// JSON that does not parse.
    #[error("{place}: JSON: {reason}")]
    JsonSyntax {
        /// Where.
        place: Place,
        /// Why.
        reason: String,
    },
    /// Aliases that would make the document grow beyond reason.
    #[error("{place}: YAML aliases expand to more than {allowed} bytes")]
    AliasBomb {
        /// Where the limit was passed.
        place: Place,
        /// The limit in bytes.
        allowed: usize,
    },
    /// A key twice in one mapping.
    #[error("{place}: key {key:?} is there twice in one mapping")]
    DuplicateKey {
        /// Where the second one is.
        place: Place,
        /// The key.
        key: String,
    },
    /// Nested too deeply.
    #[error("{place}: nested more than {allowed} deep")]
    NestingTooDeep {
        /// Where the limit was passed.
        place: Place,
        /// The limit.
        allowed: usize,
    },
    /// A document that is no Kubernetes object.
    #[error("{place}: not a Kubernetes object: {found}")]
    NotAnObject {
        /// Where.
        place: Place,
        /// What is there.
        found: String,
    },
    /// A field of the wrong type.
    #[error("{place}: {object} {field}: {reason}")]
    FieldWrongType {
        /// Where.
        place: Place,
        /// Kind, namespace and name as far as they are known.
        object: String,
        /// The field's path: `.spec.ports[0].port`.
        field: String,
        /// What was found and what is allowed.
        reason: String,
    },
    /// A field that must be there and is not.
    #[error("{object} {field}: is required")]
    FieldMissing {
        /// The object.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
    },
    /// A port out of range.
    #[error("{object} {field}: port {found} is outside 1..=65535")]
    PortOutOfRange {
        /// Kind, namespace and name.
        object: String,
        /// The field's path.
        field: String,
        /// The number.
        found: i64,
    },
    /// A name that the API does not allow.
    #[error("{object} {field}: name {found:?} {allowed}")]
    InvalidName {
        /// The object.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// The name.
        found: String,
        /// What a name must be.
        allowed: &'static str,
    },
    /// A value that is not one of those allowed.
    #[error("{object} {field}: {found:?} is not one of {allowed}")]
    ValueNotAllowed {
        /// The object.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// The value.
        found: String,
        /// The values that are allowed.
        allowed: &'static str,
    },
    /// A label whose key or value the API does not allow.
    #[error("{object} {field}: label {found:?}: {reason}")]
    InvalidLabel {
        /// The object.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// The key or value.
        found: String,
        /// Why not.
        reason: String,
    },
    /// A selector that is not valid.
    #[error("{object} {field}: selector: {reason}")]
    InvalidSelector {
        /// The object.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// Why not.
        reason: String,
    },
    /// An address that is none.
    #[error("{object} {field}: {found:?} is not {allowed}")]
    InvalidAddress {
        /// The object.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// The text.
        found: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Two ports of one Service that are the same.
    #[error("{object} {field}: {what} is already that of .spec.ports[{first}]")]
    DuplicateServicePort {
        /// The Service.
        object: Box<ObjectKey>,
        /// The second port's path.
        field: String,
        /// What is the same: `port 80/TCP`, `name "web"`.
        what: String,
        /// The index of the first.
        first: usize,
    },
    /// A cluster address that two Services have.
    #[error("{object} {field}: cluster IP {found} is already that of {other}")]
    DuplicateClusterIp {
        /// The second Service.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// The address.
        found: String,
        /// The first Service.
        other: Box<ObjectKey>,
    },
    /// A node port that two Service ports have.
    #[error("{object} {field}: node port {found} is already that of {other}")]
    DuplicateNodePort {
        /// The second Service.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// Port and protocol.
        found: String,
        /// The first Service.
        other: Box<ObjectKey>,
    },
    /// Two objects of one name.
    #[error("{object} is there twice")]
    DuplicateObject {
        /// The object.
        object: Box<ObjectKey>,
    },
    /// More labels or annotations than an object can carry.
    #[error("{object} {field}: {found} bytes are more than the {allowed} that are allowed")]
    MetadataTooLarge {
        /// The object.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// Bytes of all keys and values.
        found: usize,
        /// The limit in bytes.
        allowed: usize,
    },
    /// An object whose owner is not there.
    #[error("{object} {field}: owner {owner} does not exist; an object is made after its owner")]
    OwnerMissing {
        /// The object.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// The owner.
        owner: Box<ObjectKey>,
    },
    /// A version that no write has made yet.
    #[error(
        "{object} .metadata.resourceVersion: {found} is newer than the newest, {newest}; allowed is none, or one that was read here"
    )]
    VersionFromFuture {
        /// The object.
        object: Box<ObjectKey>,
        /// The version that it names.
        found: u64,
        /// The version of the last write.
        newest: u64,
    },
    /// A Pod whose address is needed and that has none.
    #[error("{object} .status.podIP: has no address (phase {phase:?}); nothing can be sent from or to it")]
    PodWithoutAddress {
        /// The Pod.
        object: Box<ObjectKey>,
        /// Its phase.
        phase: String,
    },
    /// No address or port is left to give.
    #[error("{object} {field}: {range} has nothing free")]
    RangeFull {
        /// The object that needs one.
        object: Box<ObjectKey>,
        /// The field's path.
        field: String,
        /// The range.
        range: String,
    },
    /// A name that nothing has.
    #[error("{wanted} does not exist{}", Nearest(nearest))]
    NoSuchObject {
        /// What was asked for.
        wanted: Box<ObjectKey>,
        /// The nearest names there are.
        nearest: Vec<String>,
    },
}

struct Nearest<'a>(&'a [String]);

impl fmt::Display for Nearest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        write!(f, "; nearest: {}", self.0.join(", "))
    }
}

impl Error {
    /// The code by which docs and programs know the error.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotText { .. } => "source-not-text",
            Error::YamlSyntax { .. } => "yaml-syntax",
            Error::JsonSyntax { .. } => "json-syntax",
            Error::AliasBomb { .. } => "yaml-alias-bomb",
            Error::DuplicateKey { .. } => "duplicate-key",
            Error::NestingTooDeep { .. } => "nesting-too-deep",
            Error::NotAnObject { .. } => "not-an-object",
            Error::FieldWrongType { .. } => "field-wrong-type",
            Error::FieldMissing { .. } => "field-missing",
            Error::PortOutOfRange { .. } => "port-out-of-range",
            Error::InvalidName { .. } => "invalid-name",
            Error::ValueNotAllowed { .. } => "value-not-allowed",
            Error::InvalidLabel { .. } => "invalid-label",
            Error::InvalidSelector { .. } => "invalid-selector",
            Error::InvalidAddress { .. } => "invalid-address",
            Error::DuplicateServicePort { .. } => "duplicate-service-port",
            Error::DuplicateClusterIp { .. } => "duplicate-cluster-ip",
            Error::DuplicateNodePort { .. } => "duplicate-node-port",
            Error::DuplicateObject { .. } => "duplicate-object",
            Error::MetadataTooLarge { .. } => "metadata-too-large",
            Error::OwnerMissing { .. } => "owner-missing",
            Error::VersionFromFuture { .. } => "resource-version-future",
            Error::PodWithoutAddress { .. } => "pod-without-address",
            Error::RangeFull { .. } => "range-full",
            Error::NoSuchObject { .. } => "no-such-object",
        }
    }
}

/// Every code of [`Error`].
pub const CODES: &[&str] = &[
    "source-not-text",
    "yaml-syntax",
    "json-syntax",
    "yaml-alias-bomb",
    "duplicate-key",
    "nesting-too-deep",
    "not-an-object",
    "field-wrong-type",
    "field-missing",
    "port-out-of-range",
    "invalid-name",
    "value-not-allowed",
    "invalid-label",
    "invalid-selector",
    "invalid-address",
    "duplicate-service-port",
    "duplicate-cluster-ip",
    "duplicate-node-port",
    "duplicate-object",
    "metadata-too-large",
    "owner-missing",
    "resource-version-future",
    "pod-without-address",
    "range-full",
    "no-such-object",
];

#[cfg(test)]
mod tests {
    use super::CODES;

    #[test]
    fn every_variant_has_a_code_that_is_listed() {
        let arms = include_str!("error.rs").lines().filter(|line| line.trim_start().starts_with("Error::"));
        let codes: Vec<&str> = arms.filter_map(|line| line.split('"').nth(1)).collect();
        assert_eq!(codes, CODES);
    }
}
