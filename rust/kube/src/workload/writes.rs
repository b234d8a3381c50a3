//! Writes of an API client: read, change, write if anything changed.

use super::Workloads;
use crate::object::{Condition, Object, ObjectKey, Typed};
use crate::store::Store;
use kdp_sim::Time;

/// Changes an object's status or metadata. Whether there was anything to write.
pub(super) fn edit<T: Typed>(store: &mut Store, key: &ObjectKey, change: impl FnOnce(&mut T)) -> bool {
    let Some(old) = store.get(key).cloned() else { return false };
    let mut new = Object::clone(&old);
    change(new.get_mut::<T>().expect("a key names its kind"));
    if new.kind == old.kind {
        return false;
    }
    store.put(new);
    true
}

/// Changes an object's spec, which raises its generation. Whether there was anything to write.
pub(super) fn edit_spec<T: Typed>(store: &mut Store, key: &ObjectKey, change: impl FnOnce(&mut T)) -> bool {
    let Some(old) = store.get(key).cloned() else { return false };
    let mut new = Object::clone(&old);
    change(new.get_mut::<T>().expect("a key names its kind"));
    if new.kind == old.kind {
        return false;
    }
    new.meta_mut().generation += 1;
    store.put(new);
    true
}

/// Writes an object with a new spec, which raises its generation; nothing if it is as it was.
pub fn write_spec(store: &mut Store, mut new: Object) {
    if store.get(&new.key()).is_none_or(|old| old.kind != new.kind) {
        new.meta_mut().generation += 1;
        store.put(new);
    }
}

/// Sets a condition; its time moves only with its status.
/// Source: `pkg/api/v1/pod/util.go` `UpdatePodCondition`, v1.33.
pub(super) fn set_condition(conditions: &mut Vec<Condition>, new: Condition) {
    let Some(old) = conditions.iter_mut().find(|old| old.type_ == new.type_) else {
        conditions.push(new);
        return;
    };
    let since = if old.status == new.status { old.last_transition_time.clone() } else { None };
    let since = since.or(new.last_transition_time);
    *old = Condition { last_transition_time: since, ..new };
}

impl Workloads {
    /// A condition that begins now.
    pub(super) fn condition(&self, type_: &str, status: bool, reason: &str, now: Time) -> Condition {
        Condition {
            type_: type_.to_owned(),
            status: if status { "True" } else { "False" }.to_owned(),
            last_transition_time: Some(self.epoch.text(now)),
            reason: reason.to_owned(),
            message: String::new(),
        }
    }
}
