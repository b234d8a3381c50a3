//! Sequences of Pod events, and the writes of both controllers on each.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::CaseError;
use super::world::{Done, World, object_of};
use crate::endpoints::legacy::LegacySettings;
use crate::endpoints::slices::SliceSettings;
use crate::endpoints::{Op, Settings};
use crate::object::{Kind, KindName, ObjectKey};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Setup {
    service: Value,
    nodes: Vec<Zoned>,
    max_endpoints_per_slice: usize,
    pod_defaults: PodDefaults,
}

#[derive(Deserialize)]
struct Zoned {
    name: String,
    zone: String,
}

#[derive(Deserialize)]
struct PodDefaults {
    namespace: String,
    labels: Map<String, Value>,
    uid: String,
}

#[derive(Deserialize)]
struct Step {
    events: Vec<Event>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    op: String,
    pod: String,
    #[serde(default)]
    node: String,
    #[serde(default)]
    phase: String,
    #[serde(default)]
    ready: bool,
    ready_at: Option<String>,
    ip: Option<String>,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    deleting: bool,
}

/// The lines of one churn file, parsed: the setup, the state at the start, then one step a line.
///
/// # Errors
/// Lines of another form.
pub fn run_churn(lines: &[Value]) -> Result<Value, CaseError> {
    let [setup, start, steps @ ..] = lines else {
        return Err(CaseError::new(&Value::Null, "lines", "a setup and a start are needed"));
    };
    let setup: Setup = parse(setup)?;
    let mut world = world(&setup)?;
    play(&setup, &mut world, &parse(start)?)?;
    let mut counts = [Vec::new(), Vec::new()];
    let mut events = 0;
    for line in steps {
        let step: Step = parse(line)?;
        events += step.events.len();
        let done = play(&setup, &mut world, &step)?;
        counts[0].push(count(&done, &KindName::EndpointSlice));
        counts[1].push(count(&done, &KindName::Endpoints));
    }
    let slices = world.objects(&KindName::EndpointSlice).len();
    let [of_slices, of_endpoints] = counts;
    Ok(json!({
        "endpointslice": {"steps": of_slices, "podEvents": events, "finalSlices": slices},
        "endpoints": {"steps": of_endpoints, "podEvents": events, "finalSlices": null},
    }))
}

/// The same lines: each write of the controllers as `{"step", "type", "object", "before"}`.
///
/// # Errors
/// Lines of another form.
pub fn list_churn(lines: &[Value]) -> Result<Value, CaseError> {
    let [setup, start, steps @ ..] = lines else {
        return Err(CaseError::new(&Value::Null, "lines", "a setup and a start are needed"));
    };
    let setup: Setup = parse(setup)?;
    let mut world = world(&setup)?;
    play(&setup, &mut world, &parse(start)?)?;
    let mut writes = Vec::new();
    for line in steps {
        play(&setup, &mut world, &parse(line)?)?;
        for change in &world.seen_last {
            let kind = match (&change.before, &change.after) {
                (None, _) => "ADDED",
                (Some(_), Some(_)) => "MODIFIED",
                (Some(_), None) => "DELETED",
            };
            writes.push(json!({
                "step": line["step"], "type": kind, "object": change.object().to_value(),
                "before": change.before.as_ref().map(|before| before.to_value()),
            }));
        }
    }
    Ok(Value::Array(writes))
}

fn world(setup: &Setup) -> Result<World, CaseError> {
    let node = |node: &Zoned| {
        json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": node.name, "labels": {"topology.kubernetes.io/zone": node.zone}},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
    };
    let mut values = vec![setup.service.clone()];
    values.extend(setup.nodes.iter().map(node));
    let objects = values.iter().map(object).collect::<Result<_, _>>()?;
    let slices =
        SliceSettings { endpoints_per_slice_max: setup.max_endpoints_per_slice, ..SliceSettings::default() };
    Ok(World::new(
        Settings { slices: Some(slices), endpoints: Some(LegacySettings::default()), mirroring: None },
        objects,
    ))
}

fn play(setup: &Setup, world: &mut World, step: &Step) -> Result<Done, CaseError> {
    for event in &step.events {
        if event.op == "delete" {
            world.delete(&ObjectKey::new(KindName::Pod, &setup.pod_defaults.namespace, &event.pod));
        } else {
            world.put(object(&pod(&setup.pod_defaults, event))?);
        }
    }
    Ok(world.sync())
}

fn pod(defaults: &PodDefaults, event: &Event) -> Value {
    let fill = |text: &str| text.replace("<hash>", &event.hash).replace("<pod>", &event.pod);
    let label =
        |(key, value): (&String, &Value)| (key.clone(), fill(value.as_str().unwrap_or_default()).into());
    let labels: Map<String, Value> = defaults.labels.iter().map(label).collect();
    let deleted = event.deleting.then_some("2024-01-01T00:00:00Z");
    let status = if event.ready { "True" } else { "False" };
    let ips: Vec<_> = event.ip.iter().map(|ip| json!({"ip": ip})).collect();
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": event.pod, "namespace": defaults.namespace, "uid": fill(&defaults.uid),
            "labels": labels, "deletionTimestamp": deleted},
        "spec": {"nodeName": event.node},
        "status": {"phase": event.phase, "podIP": event.ip, "podIPs": ips,
            "conditions": [{"type": "Ready", "status": status, "lastTransitionTime": event.ready_at}]}})
}

fn count(done: &Done, kind: &KindName) -> Value {
    let of = |op: Op| done.writes.iter().filter(|(o, key)| *o == op && key.kind == *kind).count();
    json!({"create": of(Op::Create), "update": of(Op::Update), "delete": of(Op::Delete)})
}

fn parse<T: serde::de::DeserializeOwned>(line: &Value) -> Result<T, CaseError> {
    T::deserialize(line).map_err(|error| CaseError::new(line, "line", error))
}

fn object(value: &Value) -> Result<Kind, CaseError> {
    object_of(value).map_err(|error| CaseError::new(value, "object", error))
}
