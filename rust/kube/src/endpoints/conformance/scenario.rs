//! Scenarios of one controller: objects, changes, and what it writes.

use serde_json::{Value, json};

use super::world::{World, object_of, print_write};
use super::{CaseError, read};
use crate::endpoints::Settings;
use crate::endpoints::legacy::LegacySettings;
use crate::endpoints::slices::SliceSettings;
use crate::object::{Kind, KindName};

/// A scenario of the `EndpointSlice` controller.
///
/// # Errors
/// A case of another form.
pub fn run_slices(case: &Value) -> Result<Value, CaseError> {
    let max: Option<usize> = read(case.get("settings").unwrap_or(&Value::Null), "maxEndpointsPerSlice")?;
    let standard = SliceSettings::default();
    let settings = SliceSettings {
        endpoints_per_slice_max: max.unwrap_or(standard.endpoints_per_slice_max),
        prefer_same_traffic_distribution: flag(case, "preferSameTrafficDistribution")?,
        ..standard
    };
    run(case, Settings { slices: Some(settings), endpoints: None, mirroring: None }, &KindName::EndpointSlice)
}

/// A scenario of the Endpoints controller.
///
/// # Errors
/// A case of another form.
pub fn run_endpoints(case: &Value) -> Result<Value, CaseError> {
    let settings = Settings { slices: None, endpoints: Some(LegacySettings::default()), mirroring: None };
    run(case, settings, &KindName::Endpoints)
}

fn run(case: &Value, settings: Settings, results: &KindName) -> Result<Value, CaseError> {
    let before: Vec<Value> = read(case, "before")?;
    let before = before.iter().map(|value| object(case, value)).collect::<Result<_, _>>()?;
    let mut world = World::new(settings, before);
    let mut enqueued = Vec::new();
    if read::<String>(case, "mode")? == "incremental" {
        let (own, synced) = (flag(case, "slicesTrackedByController")?, flag(case, "startupSyncDone")?);
        world.controller.pose_as_running(own, synced);
        for change in read::<Option<Vec<Value>>>(case, "change")?.unwrap_or_default() {
            make(case, &mut world, &change)?;
        }
        enqueued = world.controller.queued().iter().map(ToString::to_string).collect();
    }
    let done = world.sync();
    Ok(json!({
        "objects": world.objects(results),
        "writes": done.writes.iter().map(print_write).collect::<Vec<_>>(),
        "syncErrors": done.sync_errors,
        "enqueued": enqueued,
        "events": done.events,
        "garbageCollected": world.collected,
    }))
}

fn make(case: &Value, world: &mut World, change: &Value) -> Result<(), CaseError> {
    let object = object(case, change.get("object").unwrap_or(&Value::Null))?;
    match change.get("op").and_then(Value::as_str) {
        Some("apply") => world.put(object),
        Some("delete") => world.delete(&object.key()),
        _ => return Err(CaseError::new(case, "change.op", "neither apply nor delete")),
    }
    Ok(())
}

fn object(case: &Value, value: &Value) -> Result<Kind, CaseError> {
    object_of(value).map_err(|error| CaseError::new(case, "object", error))
}

/// A setting that is on unless it is said to be off.
fn flag(case: &Value, name: &str) -> Result<bool, CaseError> {
    let settings = case.get("settings").unwrap_or(&Value::Null);
    Ok(read::<Option<bool>>(settings, name)?.unwrap_or(true))
}
