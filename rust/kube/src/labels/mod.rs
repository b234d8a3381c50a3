//! Labels: the grammar of selectors, what they match, and the index that answers both directions.
//!
//! A [`Selector`] is parsed once, from text ([`Selector::parse`]), from a `LabelSelector` object
//! ([`Selector::from_object`]) or from a Service's map ([`Selector::from_map`]), and then only matched.
//! [`LabelIndex`] keeps Pods and selectors of many namespaces and tells which pairs began or ceased to match.
//! Field selectors ([`FieldSelector`]) look alike and are another language: see their page.

mod error;
mod field;
mod index;
mod interner;
mod lexer;
mod object;
mod parse;
mod selector;
mod syntax;

pub use error::{CODES, Error};
pub use field::{FieldSelector, FieldTerm};
pub use index::{Delta, LabelIndex, PodId, SelectorId};
pub use selector::{Labels, Operator, Requirement, Selector};
pub use syntax::{validate_key, validate_value};

#[cfg(test)]
mod tests;
