//! What an API server fills in before anybody else sees an object.
//!
//! Source: Kubernetes API documentation of each field; `pkg/apis/core/v1/defaults.go`.

use crate::object::{Container, IntOrString, Kind, Object, Pod, PodIp, PodSpec, Service, ServiceSpec};

/// The namespace of an object that names none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// Fills in the defaults. Doing it again changes nothing.
///
/// An empty selector (`selector: {}`) becomes an absent one: a Service that was stored and read back has none, and
/// then its endpoints are not managed. Source: the API server drops an empty map when it stores an object.
pub fn apply(object: &mut Object) {
    if object.meta().namespace.is_empty() && object.kind.name().is_namespaced() == Some(true) {
        DEFAULT_NAMESPACE.clone_into(&mut object.meta_mut().namespace);
    }
    match &mut object.kind {
        Kind::Service(service) => fill_service(service),
        Kind::Pod(pod) => fill_pod(pod),
        Kind::Node(node) => in_step(&mut node.spec.pod_cidr, &mut node.spec.pod_cidrs),
        Kind::Namespace(namespace) => text(&mut namespace.status.phase, "Active"),
        Kind::EndpointSlice(slice) => slice.ports.iter_mut().for_each(fill_slice_port),
        Kind::Endpoints(endpoints) => {
            let ports = endpoints.subsets.iter_mut().flat_map(|subset| &mut subset.ports);
            ports.for_each(|port| _ = port.protocol.get_or_insert_with(|| "TCP".to_owned()));
        }
        Kind::Deployment(deployment) => {
            fill_replicas(&mut deployment.spec.replicas, &mut deployment.spec.template.spec);
            text(&mut deployment.spec.strategy.type_, "RollingUpdate");
        }
        Kind::ReplicaSet(set) => fill_replicas(&mut set.spec.replicas, &mut set.spec.template.spec),
        Kind::StatefulSet(set) => {
            fill_replicas(&mut set.spec.replicas, &mut set.spec.template.spec);
            text(&mut set.spec.pod_management_policy, "OrderedReady");
            text(&mut set.spec.update_strategy.type_, "RollingUpdate");
        }
        Kind::DaemonSet(set) => {
            fill_pod_spec(&mut set.spec.template.spec);
            text(&mut set.spec.update_strategy.type_, "RollingUpdate");
        }
        Kind::ServiceMonitor(_) | Kind::Prometheus(_) | Kind::Other(_) => {}
    }
}

fn text(field: &mut String, default: &str) {
    if field.is_empty() {
        default.clone_into(field);
    }
}

/// Keeps a field of one and a list of the same in step, whichever was given.
fn in_step(one: &mut String, all: &mut Vec<String>) {
    match all.first() {
        Some(first) if one.is_empty() => one.clone_from(first),
        None if !one.is_empty() => all.push(one.clone()),
        _ => {}
    }
}

fn fill_service(service: &mut Service) {
    let spec = &mut service.spec;
    text(&mut spec.type_, "ClusterIP");
    text(&mut spec.session_affinity, "None");
    if spec.selector.as_ref().is_some_and(std::collections::BTreeMap::is_empty) {
        spec.selector = None;
    }
    for port in &mut spec.ports {
        text(&mut port.protocol, "TCP");
        if port.target_port.is_unset() {
            port.target_port = IntOrString::Int(port.port.into());
        }
        port.node_port = port.node_port.filter(|port| *port != 0);
    }
    if spec.type_ == "ExternalName" {
        return;
    }
    text(&mut spec.internal_traffic_policy, "Cluster");
    in_step(&mut spec.cluster_ip, &mut spec.cluster_ips);
    fill_families(spec);
    fill_outside(spec);
}

/// Families from the addresses that are given; IPv4 alone if there are none.
fn fill_families(spec: &mut ServiceSpec) {
    if spec.ip_families.is_empty() {
        let families = spec.cluster_ips.iter().filter_map(|ip| kdp_packet::parse_ip_lenient(ip));
        spec.ip_families = families.map(|ip| kdp_packet::Family::of(ip).as_str().to_owned()).collect();
    }
    if spec.ip_families.is_empty() {
        spec.ip_families.push("IPv4".to_owned());
    }
    let policy = if spec.ip_families.len() > 1 { "RequireDualStack" } else { "SingleStack" };
    text(&mut spec.ip_family_policy, policy);
}

/// The fields of Services that are reached from outside.
fn fill_outside(spec: &mut ServiceSpec) {
    let outside = matches!(spec.type_.as_str(), "NodePort" | "LoadBalancer");
    if outside || !spec.external_ips.is_empty() {
        text(&mut spec.external_traffic_policy, "Cluster");
    }
    if spec.type_ == "LoadBalancer" {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
    }
    spec.health_check_node_port = spec.health_check_node_port.filter(|port| *port != 0);
}

fn fill_pod(pod: &mut Pod) {
    fill_pod_spec(&mut pod.spec);
    let status = &mut pod.status;
    match status.pod_ips.first() {
        Some(first) if status.pod_ip.is_empty() => status.pod_ip.clone_from(&first.ip),
        None if !status.pod_ip.is_empty() => status.pod_ips.push(PodIp { ip: status.pod_ip.clone() }),
        _ => {}
    }
}

fn fill_pod_spec(spec: &mut PodSpec) {
    text(&mut spec.restart_policy, "Always");
    text(&mut spec.dns_policy, "ClusterFirst");
    spec.termination_grace_period_seconds.get_or_insert(30);
    spec.containers.iter_mut().chain(&mut spec.init_containers).for_each(fill_container);
}

fn fill_container(container: &mut Container) {
    for port in &mut container.ports {
        text(&mut port.protocol, "TCP");
        port.host_port = port.host_port.filter(|port| *port != 0);
    }
}

fn fill_slice_port(port: &mut crate::object::EndpointPort) {
    port.name.get_or_insert_with(String::new);
    port.protocol.get_or_insert_with(|| "TCP".to_owned());
}

fn fill_replicas(replicas: &mut Option<i32>, template: &mut PodSpec) {
    replicas.get_or_insert(1);
    fill_pod_spec(template);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(json: &str) -> serde_json::Value {
        let source = crate::load::Source { name: "-", bytes: json.as_bytes() };
        let mut object = crate::load::load(&[source]).unwrap().objects.remove(0);
        apply(&mut object);
        let once = object.clone();
        apply(&mut object);
        assert_eq!(once, object, "a second time changes nothing");
        object.to_value()
    }

    #[test]
    fn a_service_gets_what_the_api_server_gives() {
        let value = filled(
            r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"selector":{},"ports":[{"port":80}]}}"#,
        );
        assert_eq!(value["metadata"]["namespace"], "default");
        let spec = &value["spec"];
        assert_eq!(spec["ports"].to_string(), r#"[{"port":80,"protocol":"TCP","targetPort":80}]"#);
        for (field, expected) in [
            ("type", "ClusterIP"),
            ("sessionAffinity", "None"),
            ("internalTrafficPolicy", "Cluster"),
            ("ipFamilyPolicy", "SingleStack"),
        ] {
            assert_eq!(spec[field], expected, "{field}");
        }
        assert_eq!(spec["ipFamilies"].to_string(), r#"["IPv4"]"#);
        assert!(spec.get("selector").is_none() && spec.get("externalTrafficPolicy").is_none());
    }

    #[test]
    fn addresses_and_their_lists_are_kept_in_step() {
        let value = filled(
            r#"{"apiVersion":"v1","kind":"Service","metadata":{"name":"web"},"spec":{"type":"NodePort","clusterIP":"fd00::1"}}"#,
        );
        assert_eq!(value["spec"]["clusterIPs"][0], "fd00::1");
        assert_eq!(value["spec"]["ipFamilies"][0], "IPv6");
        assert_eq!(value["spec"]["externalTrafficPolicy"], "Cluster");
        let value = filled(
            r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","ports":[{"containerPort":80}]}]},"status":{"podIP":"10.0.0.1"}}"#,
        );
        assert_eq!(value["status"]["podIPs"][0]["ip"], "10.0.0.1");
        assert_eq!(value["spec"]["containers"][0]["ports"][0]["protocol"], "TCP");
    }

    #[test]
    fn an_object_of_the_cluster_gets_no_namespace() {
        let value = filled(
            r#"{"apiVersion":"v1","kind":"Node","metadata":{"name":"n"},"spec":{"podCIDR":"10.244.0.0/24"}}"#,
        );
        assert!(value["metadata"].get("namespace").is_none());
        assert_eq!(value["spec"]["podCIDRs"][0], "10.244.0.0/24");
    }
}
