//! Facts about the objects that hold a Service's endpoints: its slices, and the older Endpoints.

use kdp_kube::Store;
use kdp_kube::endpoints::words;
use kdp_kube::labels::Labels;
use kdp_kube::object::{Endpoint, EndpointSlice, Endpoints, Service};
use serde_json::{Value, json};

/// The slices of a Service, in order of creation.
pub(super) fn slices_of<'s>(store: &'s Store, service: &Service) -> Vec<&'s EndpointSlice> {
    let name = service.meta.name.as_str();
    let of_service = |slice: &&EndpointSlice| slice.meta.labels.label(words::SERVICE_NAME) == Some(name);
    store.all::<EndpointSlice>(Some(&service.meta.namespace)).filter(of_service).collect()
}

/// The addresses in the slices, ready and not, each with its port.
pub(super) fn endpoints(slices: &[&EndpointSlice]) -> (Vec<Value>, Vec<Value>) {
    let (mut ready, mut not_ready) = (Vec::new(), Vec::new());
    for slice in slices {
        for endpoint in &slice.endpoints {
            let list = if endpoint.conditions.ready.unwrap_or(true) { &mut ready } else { &mut not_ready };
            list.extend(addresses(slice, endpoint));
        }
    }
    (ready, not_ready)
}

fn addresses(slice: &EndpointSlice, endpoint: &Endpoint) -> Vec<Value> {
    let pod = endpoint.target_ref.as_ref();
    let one = |address: &String, port: Option<i32>| {
        json!({
            "namespace": pod.map(|pod| &pod.namespace), "name": pod.map(|pod| &pod.name),
            "ip": address, "port": port, "node": endpoint.node_name,
        })
    };
    let ports: Vec<Option<i32>> =
        if slice.ports.is_empty() { vec![None] } else { slice.ports.iter().map(|port| port.port).collect() };
    let pairs = endpoint.addresses.iter().flat_map(|address| ports.iter().map(move |port| (address, *port)));
    pairs.map(|(address, port)| one(address, port)).collect()
}

/// Who wrote the slices: by manager, how many.
pub(super) fn managers(slices: &[&EndpointSlice]) -> Value {
    let mut found = serde_json::Map::new();
    for slice in slices {
        let manager = slice.meta.labels.label(words::MANAGED_BY).unwrap_or_default();
        let count = found.get(manager).and_then(Value::as_u64).unwrap_or_default();
        found.insert(manager.to_owned(), json!(count + 1));
    }
    Value::Object(found)
}

/// The Endpoints object of the same name; null if there is none.
pub(super) fn legacy(store: &Store, service: &Service) -> Value {
    let Some(found) = store.find::<Endpoints>(&service.meta.namespace, &service.meta.name) else {
        return Value::Null;
    };
    let ready: usize = found.subsets.iter().map(|subset| subset.addresses.len()).sum();
    let not_ready: usize = found.subsets.iter().map(|subset| subset.not_ready_addresses.len()).sum();
    json!({
        "ready": ready,
        "notReady": not_ready,
        "overCapacity": found.meta.annotations.get(words::OVER_CAPACITY),
        "skipsMirror": found.meta.labels.label("endpointslice.kubernetes.io/skip-mirror") == Some("true"),
        "isLock": found.meta.annotations.contains_key(words::LEADER_ELECTION),
    })
}
