//! The query of a request.

use super::refusal::Refusal;
use super::resource::Resource;
use crate::labels::Selector;
use crate::object::Object;
use crate::published::{Fields, Refused};

/// What a list or a watch is confined to.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// The namespace; `None` for all.
    pub namespace: Option<String>,
    /// Labels.
    pub labels: Option<Selector>,
    /// Fields.
    pub fields: Fields,
}

impl Filter {
    /// Reads `labelSelector` and `fieldSelector`.
    pub(super) fn read(
        query: &Query<'_>,
        namespace: Option<&str>,
        resource: &Resource,
    ) -> Result<Filter, Refusal> {
        let labels = query.get("labelSelector").filter(|text| !text.is_empty());
        let labels = labels
            .map(Selector::parse)
            .transpose()
            .map_err(|error| Refusal::bad_request(format!("unable to parse requirement: {error}")))?;
        Ok(Filter {
            namespace: namespace.map(str::to_owned),
            labels,
            fields: fields(query.get("fieldSelector").unwrap_or_default(), resource)?,
        })
    }

    /// Whether an object is meant.
    pub(super) fn matches(&self, object: &Object) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| namespace == object.meta().namespace)
            && self.labels.as_ref().is_none_or(|labels| labels.matches(&object.meta().labels))
            && self.fields.matches(object)
    }
}

/// The pairs of a query, unescaped, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a>(pub &'a [(String, String)]);

impl<'a> Query<'a> {
    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a flag is set: `true`, `1`.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| matches!(value, "true" | "1" | "True" | "t" | "T" | "TRUE"))
    }

    /// A number; an empty one is none.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let wrong = |_| Refusal::bad_request(format!("{name}: {text:?} is not a whole number"));
        text.parse().map(Some).map_err(wrong)
    }

    /// Whether nothing is to be written.
    pub fn dry_run(&self) -> Result<bool, Refusal> {
        match self.get("dryRun") {
            None | Some("") => Ok(false),
            Some("All") => Ok(true),
            Some(other) => Err(Refusal::bad_request(format!(
                "dryRun: Unsupported value: {other:?}: supported values: \"All\""
            ))),
        }
    }
}

/// Reads a field selector for a resource; a field that it does not publish is refused.
pub(super) fn fields(text: &str, resource: &Resource) -> Result<Fields, Refusal> {
    Fields::parse(&resource.kind_name(), text).map_err(|refused| {
        let why = match refused {
            Refused::Syntax(error) => error.to_string(),
            Refused::Unpublished { field, .. } => format!("field label not supported: {field}"),
        };
        let kind = format!("{}, Kind={}", resource.group_version(), resource.kind);
        Refusal::bad_request(format!(
            "Unable to find {kind:?} that match label selector \"\", field selector {text:?}: {why}"
        ))
    })
}
