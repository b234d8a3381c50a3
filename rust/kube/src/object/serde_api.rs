//! How every API struct is read and written: absent, `null` and empty are one, and empty is not written.

use serde::{Deserialize, Deserializer};

/// Declares API structs: camelCase names, `null` read as the default, defaults not written.
///
/// Source: Kubernetes API conventions ("optional fields", `omitempty`); Go's decoder leaves a field at its zero value for `null`.
macro_rules! api {
    ($( $(#[$meta:meta])* pub struct $name:ident { $( $(#[$fmeta:meta])* pub $field:ident : $ty:ty ),* $(,)? } )*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
            #[serde(default, rename_all = "camelCase")]
            pub struct $name {
                $(
                    $(#[$fmeta])*
                    #[serde(
                        deserialize_with = "crate::object::serde_api::null_is_default",
                        skip_serializing_if = "crate::object::serde_api::is_default"
                    )]
                    pub $field: $ty,
                )*
            }
        )*
    };
}
pub(crate) use api;

/// Reads a value, and `null` as the default.
pub(crate) fn null_is_default<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: Deserialize<'de> + Default,
    D: Deserializer<'de>,
{
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// Whether a value would be left out by Go's `omitempty`.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
