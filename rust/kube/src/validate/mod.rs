//! What an API server would refuse, as far as kdp would go wrong with it.
//!
//! Source: Kubernetes `pkg/apis/core/validation` and the API documentation of each field.

mod addresses;
mod against;
mod service;
#[cfg(test)]
mod tests;
mod together;
mod words;

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::error::Error;
use crate::labels;
use crate::object::{
    Container, IntOrString, Kind, KindName, LabelSelector, Object, ObjectKey, PodTemplate, Service,
};
use crate::store::Store;
pub use words::{LABEL, PORT_NAME, SUBDOMAIN, is_label, is_port_name, is_subdomain};

/// Every fault of the objects, each alone and all together, in their order. Run [`crate::defaults::apply`] first.
///
/// A Pod without an address is no fault here; [`Error::PodWithoutAddress`] is for whoever needs the address.
pub fn check<'o>(objects: impl IntoIterator<Item = &'o Object> + Clone) -> Vec<Error> {
    let mut faults: Vec<Error> = objects.clone().into_iter().flat_map(check_one).collect();
    together::check(objects, &mut faults);
    faults
}

/// Every fault of objects that are to be written to a store: each alone, together with what stays there, and against the
/// store itself: its version, and the owners that they name.
pub fn check_writes(objects: &[Object], store: &Store) -> Vec<Error> {
    let mut faults: Vec<Error> = objects.iter().flat_map(check_one).collect();
    let given: HashSet<ObjectKey, FixedState> = objects.iter().map(Object::key).collect();
    let kept = store.objects().filter(|object| !given.contains(&object.key()));
    together::check(objects.iter().chain(kept.map(AsRef::as_ref)), &mut faults);
    for object in objects {
        against::check(object, &given, store, &mut faults);
    }
    faults
}

/// What an object shares with others of a store that no two may share.
pub fn check_beside(store: &Store, object: &Object) -> Vec<Error> {
    let key = object.key();
    if object.get::<Service>().is_none() {
        return Vec::new();
    }
    let others =
        store.list(&KindName::Service, None).map(AsRef::as_ref).filter(|it: &&Object| it.key() != key);
    let mut faults = Vec::new();
    together::check(others.chain([object]), &mut faults);
    faults
}

/// The faults of one object alone.
pub fn check_one(object: &Object) -> Vec<Error> {
    let key = object.key();
    let mut check = Check { key: &key, faults: Vec::new() };
    check.meta(object);
    match &object.kind {
        Kind::Service(service) => check.service(service),
        Kind::Pod(pod) => check.pod(pod),
        Kind::Node(node) => check.node(node),
        Kind::EndpointSlice(slice) => check.slice(slice),
        Kind::Endpoints(endpoints) => check.endpoints(endpoints),
        Kind::Deployment(it) => {
            check.replicas(it.spec.replicas);
            check.workload(it.spec.selector.as_ref(), &it.spec.template);
        }
        Kind::ReplicaSet(it) => {
            check.replicas(it.spec.replicas);
            check.workload(it.spec.selector.as_ref(), &it.spec.template);
        }
        Kind::StatefulSet(it) => {
            check.replicas(it.spec.replicas);
            check.workload(it.spec.selector.as_ref(), &it.spec.template);
        }
        Kind::DaemonSet(it) => check.workload(it.spec.selector.as_ref(), &it.spec.template),
        Kind::ServiceMonitor(it) => check.label_selector(".spec.selector", Some(&it.spec.selector)),
        Kind::Prometheus(it) => {
            check.label_selector(".spec.serviceMonitorSelector", it.spec.service_monitor_selector.as_ref());
            let namespaces = it.spec.service_monitor_namespace_selector.as_ref();
            check.label_selector(".spec.serviceMonitorNamespaceSelector", namespaces);
        }
        Kind::Namespace(_) | Kind::Other(_) => {}
    }
    check.faults
}

/// The object at hand, and what was found.
struct Check<'k> {
    key: &'k ObjectKey,
    faults: Vec<Error>,
}

impl Check<'_> {
    fn fault(&mut self, make: impl FnOnce(Box<ObjectKey>) -> Error) {
        self.faults.push(make(Box::new(self.key.clone())));
    }

    fn missing(&mut self, field: &str) {
        self.fault(|object| Error::FieldMissing { object, field: field.to_owned() });
    }

    fn name(&mut self, field: &str, found: &str, allowed: &'static str, is: fn(&str) -> bool) {
        if !is(found) {
            let (field, found) = (field.to_owned(), found.to_owned());
            self.fault(|object| Error::InvalidName { object, field, found, allowed });
        }
    }

    /// A field that must be one of the words in `allowed`, separated by comma and blank.
    fn one_of(&mut self, field: &str, found: &str, allowed: &'static str) {
        if !allowed.split(", ").any(|word| word == found) {
            let (field, found) = (field.to_owned(), found.to_owned());
            self.fault(|object| Error::ValueNotAllowed { object, field, found, allowed });
        }
    }

    fn port(&mut self, field: &str, found: i64) {
        if !(1..=65535).contains(&found) {
            self.faults.push(Error::PortOutOfRange {
                object: self.key.to_string(),
                field: field.to_owned(),
                found,
            });
        }
    }

    fn port_or_name(&mut self, field: &str, found: &IntOrString) {
        match found {
            IntOrString::Int(number) => self.port(field, (*number).into()),
            IntOrString::Str(name) => self.name(field, name, PORT_NAME, is_port_name),
        }
    }

    fn meta(&mut self, object: &Object) {
        let meta = object.meta();
        match (&object.kind, meta.name.as_str()) {
            (_, "") if meta.generate_name.is_empty() => self.missing(".metadata.name"),
            // Names of kinds that are not modelled follow rules of their own: `system:node`.
            (_, "") | (Kind::Other(_), _) => {}
            // Source: Services were held to RFC 1035 (no leading digit) until the gate RelaxedServiceNameValidation.
            (Kind::Service(_) | Kind::Namespace(_), name) => {
                self.name(".metadata.name", name, LABEL, is_label);
            }
            (_, name) => self.name(".metadata.name", name, SUBDOMAIN, is_subdomain),
        }
        if !meta.namespace.is_empty() {
            self.name(".metadata.namespace", &meta.namespace, LABEL, is_label);
        } else if object.kind.name().is_namespaced() == Some(true) {
            self.missing(".metadata.namespace");
        }
        self.size(".metadata.labels", &meta.labels);
        self.size(".metadata.annotations", &meta.annotations);
        self.labels(".metadata.labels", &meta.labels);
    }

    /// Source: `apimachinery/pkg/api/validation`, `TotalAnnotationSizeLimitB`; for labels the limit is kdp's own, since the
    /// API server knows none but that of a whole request.
    fn size(&mut self, field: &str, map: &BTreeMap<String, String>) {
        const BYTES_MAX: usize = 256 * 1024;
        let found: usize = map.iter().map(|(key, value)| key.len() + value.len()).sum();
        if found > BYTES_MAX {
            let field = field.to_owned();
            self.fault(|object| Error::MetadataTooLarge { object, field, found, allowed: BYTES_MAX });
        }
    }

    fn labels(&mut self, field: &str, labels: &BTreeMap<String, String>) {
        for (key, value) in labels {
            let faults = [(key, labels::validate_key(key)), (value, labels::validate_value(value))];
            for (found, reason) in faults.into_iter().filter_map(|(text, is)| Some((text, is.err()?))) {
                let short: String = found.chars().take(80).collect();
                let (field, found, reason) = (field.to_owned(), short, reason.to_owned());
                self.fault(|object| Error::InvalidLabel { object, field, found, reason });
            }
        }
    }

    /// The map of a Service: equalities, each a valid label.
    fn selector_map(&mut self, field: &str, map: &BTreeMap<String, String>) {
        for (key, value) in map {
            let fault = labels::validate_key(key).err().or(labels::validate_value(value).err());
            if let Some(reason) = fault {
                let (field, reason) = (field.to_owned(), format!("{key}={value}: {reason}"));
                self.fault(|object| Error::InvalidSelector { object, field, reason });
            }
        }
    }

    fn label_selector(&mut self, field: &str, selector: Option<&LabelSelector>) {
        if let Err(error) = labels::Selector::from_object(selector) {
            let (field, reason) = (field.to_owned(), error.to_string());
            self.fault(|object| Error::InvalidSelector { object, field, reason });
        }
    }

    /// The API allows any number from 0 on; a number of Pods that no cluster has is refused before they are made.
    fn replicas(&mut self, found: Option<i32>) {
        const REPLICAS_MAX: i32 = 200_000;
        if let Some(found) = found.filter(|found| !(0..=REPLICAS_MAX).contains(found)) {
            let (field, found) = (".spec.replicas".to_owned(), found.to_string());
            self.fault(|object| Error::ValueNotAllowed { object, field, found, allowed: "0..=200000" });
        }
    }

    fn workload(&mut self, selector: Option<&LabelSelector>, template: &PodTemplate) {
        if selector.is_none() {
            self.missing(".spec.selector");
        }
        self.label_selector(".spec.selector", selector);
        if selector.is_some() {
            self.selects_its_own(selector, template);
        }
        self.containers(".spec.template.spec.containers", &template.spec.containers);
    }

    /// Source: `pkg/apis/apps/validation`, `ValidatePodTemplateSpecForReplicaSet` and its like.
    fn selects_its_own(&mut self, selector: Option<&LabelSelector>, template: &PodTemplate) {
        let labels = &template.meta.labels;
        if labels::Selector::from_object(selector).is_ok_and(|selector| !selector.matches(labels)) {
            let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let reason =
                format!("does not match .spec.template.metadata.labels, which are {{{}}}", pairs.join(", "));
            self.fault(|object| Error::InvalidSelector {
                object,
                field: ".spec.selector".to_owned(),
                reason,
            });
        }
    }

    fn containers(&mut self, field: &str, containers: &[Container]) {
        for (i, container) in containers.iter().enumerate() {
            for (j, port) in container.ports.iter().enumerate() {
                let field = |last: &str| format!("{field}[{i}].ports[{j}].{last}");
                self.port(&field("containerPort"), port.container_port.into());
                self.one_of(&field("protocol"), &port.protocol, PROTOCOLS);
                if !port.name.is_empty() {
                    self.name(&field("name"), &port.name, PORT_NAME, is_port_name);
                }
            }
        }
    }
}

/// The protocols of ports.
const PROTOCOLS: &str = "TCP, UDP, SCTP";
