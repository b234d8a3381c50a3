//! Names, labels and owners of slices.
//!
//! Source: k8s.io/endpointslice `utils.go` (2026-07).

use std::collections::BTreeMap;

use crate::endpoints::words;
use crate::object::{EndpointPort, EndpointSlice, Meta, OwnerReference, Service};

/// What slices are made for.
pub(super) struct Kind<'a> {
    pub(super) service: &'a Service,
    pub(super) address_type: &'a str,
}

const RESERVED: [&str; 3] = [words::SERVICE_NAME, words::MANAGED_BY, words::HEADLESS];

/// A slice without endpoints and without a name: the store makes one from the prefix.
pub(super) fn new_slice(kind: &Kind<'_>, ports: Vec<EndpointPort>) -> EndpointSlice {
    let service = &kind.service.meta;
    let owner = OwnerReference {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        name: service.name.clone(),
        uid: service.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    };
    let meta = Meta {
        generate_name: words::slice_prefix(&service.name),
        namespace: service.namespace.clone(),
        labels: labels_of(kind.service),
        owner_references: vec![owner],
        ..Meta::default()
    };
    EndpointSlice { meta, address_type: kind.address_type.to_owned(), endpoints: Vec::new(), ports }
}

/// The Service's labels without the reserved ones, and the controller's own.
pub(super) fn labels_of(service: &Service) -> BTreeMap<String, String> {
    let own = service.meta.labels.iter().filter(|(key, _)| !is_reserved(key));
    let mut labels: BTreeMap<_, _> = own.map(|(key, value)| (key.clone(), value.clone())).collect();
    if has_no_cluster_ip(service) {
        labels.insert(words::HEADLESS.to_owned(), String::new());
    }
    labels.insert(words::SERVICE_NAME.to_owned(), service.meta.name.clone());
    labels.insert(words::MANAGED_BY.to_owned(), words::SLICE_CONTROLLER.to_owned());
    labels
}

/// Whether slice and Service agree in the labels that are not reserved.
pub(super) fn same_labels(service: &Service, slice: &EndpointSlice) -> bool {
    let of_slice = slice.meta.labels.iter().filter(|(key, _)| !is_reserved(key));
    of_slice.eq(service.meta.labels.iter().filter(|(key, _)| !is_reserved(key)))
}

/// Whether the slice belongs to this very Service, not to one of the same name before it.
pub(super) fn is_owned(service: &Service, slice: &EndpointSlice) -> bool {
    let owners = &slice.meta.owner_references;
    owners.iter().any(|o| o.uid == service.meta.uid && o.kind == "Service" && o.api_version == "v1")
}

/// Whether two slices without endpoints say the same. A missing label equals an empty one here.
pub(super) fn is_same_placeholder(a: &EndpointSlice, b: &EndpointSlice) -> bool {
    let covered = |a: &Meta, b: &Meta| {
        a.labels.iter().all(|(key, value)| b.labels.get(key).map_or("", String::as_str) == value)
    };
    a.meta.namespace == b.meta.namespace
        && (&a.address_type, &a.endpoints, &a.ports) == (&b.address_type, &b.endpoints, &b.ports)
        && covered(&a.meta, &b.meta)
        && covered(&b.meta, &a.meta)
}

/// Whether a Service counts as headless for labels: no cluster address, by choice or not yet.
pub(in crate::endpoints) fn has_no_cluster_ip(service: &Service) -> bool {
    matches!(service.spec.cluster_ip.as_str(), "" | "None")
}

fn is_reserved(key: &str) -> bool {
    RESERVED.contains(&key)
}
