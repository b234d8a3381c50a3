//! What an API server does with a controller's write.
//!
//! Source: Kubernetes API conventions ("generation"), registry strategies of `EndpointSlice` and Endpoints.

use std::sync::Arc;

use super::{Op, Write};
use crate::object::{EndpointSlice, Kind, Object};
use crate::store::Store;

/// Does the write, and returns the object as it is stored then. `None` for a delete, and for a write that is refused:
/// a create of what is there, an update of what is not.
pub fn perform(store: &mut Store, write: Write) -> Option<Arc<Object>> {
    let key = write.object.key();
    if write.op == Op::Delete {
        store.delete(&key);
        return None;
    }
    if store.get(&key).is_some() != (write.op == Op::Update) {
        return None;
    }
    put(store, write.object);
    store.get(&key).cloned()
}

/// Makes or replaces an object. A slice starts at generation 1, and each change outside its metadata raises that.
pub(super) fn put(store: &mut Store, mut object: Kind) {
    if let Kind::EndpointSlice(slice) = &mut object {
        let old = store.find::<EndpointSlice>(&slice.meta.namespace, &slice.meta.name);
        slice.meta.generation = old.map_or(1, |old| old.meta.generation + i64::from(differ(old, slice)));
    }
    store.put(Object::new(object));
}

fn differ(a: &EndpointSlice, b: &EndpointSlice) -> bool {
    (&a.address_type, &a.endpoints, &a.ports) != (&b.address_type, &b.endpoints, &b.ports)
}
