//! What a write must agree with in the store that it goes to.

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::error::Error;
use crate::object::{KindName, Object, ObjectKey};
use crate::store::Store;

/// A version from the future, and owners that are neither in the store nor among the objects given with it.
///
/// A dump may hold objects whose owners are not part of it; only a write to a running cluster is held to this. There the
/// garbage collector of a real one would delete the object at once.
pub(super) fn check(
    object: &Object,
    given: &HashSet<ObjectKey, FixedState>,
    store: &Store,
    faults: &mut Vec<Error>,
) {
    let key = object.key();
    if let Ok(found) = object.meta().resource_version.parse::<u64>()
        && found > store.version()
    {
        let newest = store.version();
        faults.push(Error::VersionFromFuture { object: Box::new(key.clone()), found, newest });
    }
    for (i, reference) in object.meta().owner_references.iter().enumerate() {
        let kind = KindName::of(&reference.api_version, &reference.kind);
        let Some(is_namespaced) = kind.is_namespaced() else { continue };
        let owner = ObjectKey::new(kind, if is_namespaced { &key.namespace } else { "" }, &reference.name);
        if !given.contains(&owner) && store.get(&owner).is_none() {
            let field = format!(".metadata.ownerReferences[{i}]");
            faults.push(Error::OwnerMissing { object: Box::new(key.clone()), field, owner: Box::new(owner) });
        }
    }
}
