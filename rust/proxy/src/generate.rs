//! Objects and changes for tests: a small world, so that chance meets itself.

use kdp_kube::object::{
    Endpoint, EndpointConditions, EndpointHints, EndpointPort, EndpointSlice, HintName, LoadBalancerIngress,
    Service, ServicePort,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// One event of the watches.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // a few dozen live at a time
pub(crate) enum Event {
    SetService(Service),
    DeleteService(String),
    SetSlice(EndpointSlice),
    DeleteSlice(String),
    /// What was taken so far becomes visible, and the proxies sync.
    Sync,
}

/// A ClusterIP Service `ns/name` of both families with one TCP port `p` at 80.
pub(crate) fn service(name: &str) -> Service {
    let mut service = Service::default();
    service.meta.namespace = "ns".into();
    service.meta.name = name.into();
    service.spec.type_ = "ClusterIP".into();
    service.spec.cluster_ip = "10.96.0.1".into();
    service.spec.cluster_ips = vec!["10.96.0.1".into(), "fd00:96::1".into()];
    service.spec.ip_families = vec!["IPv4".into(), "IPv6".into()];
    service.spec.ports = vec![port("p", "TCP", 80, None)];
    service
}

pub(crate) fn port(name: &str, protocol: &str, port: u16, node_port: Option<u16>) -> ServicePort {
    ServicePort { name: name.into(), protocol: protocol.into(), port, node_port, ..ServicePort::default() }
}

/// An IPv4 slice `ns/name` of a Service with TCP port `p` at 8080.
pub(crate) fn slice(name: &str, of: &str, endpoints: Vec<Endpoint>) -> EndpointSlice {
    let mut slice = EndpointSlice { address_type: "IPv4".into(), endpoints, ..EndpointSlice::default() };
    slice.meta.namespace = "ns".into();
    slice.meta.name = name.into();
    slice.meta.labels.insert("kubernetes.io/service-name".into(), of.into());
    slice.ports = vec![slice_port("p", "TCP", 8080)];
    slice
}

pub(crate) fn slice_port(name: &str, protocol: &str, port: i32) -> EndpointPort {
    let (name, protocol) = (Some(name.into()), Some(protocol.into()));
    EndpointPort { name, protocol, port: Some(port), app_protocol: None }
}

/// A ready endpoint on a node.
pub(crate) fn endpoint(address: &str, node: &str) -> Endpoint {
    let node_name = Some(node.into());
    Endpoint { addresses: vec![address.into()], node_name, ..Endpoint::default() }
}

/// An endpoint that is going away, and answers or not.
pub(crate) fn going(address: &str, node: &str, serving: bool) -> Endpoint {
    let conditions =
        EndpointConditions { ready: Some(false), serving: Some(serving), terminating: Some(true) };
    Endpoint { conditions, ..endpoint(address, node) }
}

/// The endpoint with hints for zones and nodes.
pub(crate) fn hinted(endpoint: Endpoint, zones: &[&str], nodes: &[&str]) -> Endpoint {
    let names = |names: &[&str]| names.iter().map(|name| HintName { name: (*name).into() }).collect();
    Endpoint { hints: Some(EndpointHints { for_zones: names(zones), for_nodes: names(nodes) }), ..endpoint }
}

pub(crate) fn services() -> impl Strategy<Value = Service> {
    let name = select(vec!["a", "b", "c", "d"]);
    let frontends = (0..3usize, any::<bool>(), any::<bool>(), option::of(30_000..30_003u16));
    let policies =
        (any::<bool>(), any::<bool>(), any::<bool>(), option::of(select(vec!["10.0.0.0/8", "0.0.0.0/0"])));
    let oddities = (0..12u8, 1..3usize);
    (name, frontends, policies, oddities).prop_map(
        |(name, (type_, external, ingress, node_port), (etp, itp, affinity, range), (odd, ports))| {
            let mut service = service(name);
            let spec = &mut service.spec;
            spec.type_ = ["ClusterIP", "NodePort", "LoadBalancer"][type_].into();
            spec.cluster_ip = format!("10.96.0.{}", name.as_bytes()[0]);
            spec.cluster_ips[0].clone_from(&spec.cluster_ip);
            spec.ports = vec![port("p", "TCP", 80, node_port), port("q", "UDP", 53, None)];
            spec.ports.truncate(ports);
            spec.external_ips.extend(external.then(|| "203.0.113.9".to_owned()));
            spec.external_traffic_policy = if etp { "Local" } else { "Cluster" }.into();
            spec.internal_traffic_policy = if itp { "Local" } else { "Cluster" }.into();
            spec.session_affinity = if affinity { "ClientIP" } else { "None" }.into();
            spec.load_balancer_source_ranges.extend(range.map(str::to_owned));
            spec.health_check_node_port = Some(30_900);
            match odd {
                0 => spec.cluster_ip = "None".into(),
                1 => spec.type_ = "ExternalName".into(),
                2 => spec.ip_families.truncate(1),
                3 => drop(
                    service
                        .meta
                        .labels
                        .insert("service.kubernetes.io/service-proxy-name".into(), String::new()),
                ),
                _ => {}
            }
            let vip = LoadBalancerIngress { ip: "192.0.2.1".into(), ..LoadBalancerIngress::default() };
            service.status.load_balancer.ingress.extend(ingress.then_some(vip));
            service
        },
    )
}

pub(crate) fn endpoints() -> impl Strategy<Value = Endpoint> {
    let place = (1..6u8, option::of(select(vec!["n1", "n2"])));
    let conditions = (option::of(any::<bool>()), option::of(any::<bool>()), option::of(any::<bool>()));
    let hints =
        (option::weighted(0.8, select(vec!["z1", "z2"])), option::weighted(0.3, select(vec!["n1", "n2"])));
    (place, conditions, hints).prop_map(|((host, node), (ready, serving, terminating), (zone, hint))| {
        let conditions = EndpointConditions { ready, serving, terminating };
        let node_name = node.map(str::to_owned);
        let endpoint = Endpoint { conditions, node_name, ..endpoint(&format!("10.1.0.{host}"), "") };
        hinted(endpoint, &zone.into_iter().collect::<Vec<_>>(), &hint.into_iter().collect::<Vec<_>>())
    })
}

pub(crate) fn slices() -> impl Strategy<Value = EndpointSlice> {
    let names = (select(vec!["s1", "s2", "s3", "s4", "s5"]), select(vec!["a", "b", "c", "d"]));
    let parts = (vec(endpoints(), 0..5), any::<bool>(), any::<bool>(), 0..8u8);
    (names, parts).prop_map(|((name, of), (endpoints, udp, v6, odd))| {
        let mut slice = slice(name, of, endpoints);
        slice.ports.extend(udp.then(|| slice_port("q", "UDP", 5353)));
        if v6 {
            slice.address_type = "IPv6".into();
            for endpoint in &mut slice.endpoints {
                endpoint.addresses[0] = endpoint.addresses[0].replace("10.1.0.", "fd00:1::");
            }
        }
        match odd {
            0 => slice.meta.labels.clear(),
            1 => drop(slice.meta.labels.insert("service.kubernetes.io/headless".into(), String::new())),
            2 => slice.ports[0].port = None,
            _ => {}
        }
        slice
    })
}

pub(crate) fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => services().prop_map(Event::SetService),
        1 => select(vec!["a", "b", "c", "d"]).prop_map(|name| Event::DeleteService(name.into())),
        6 => slices().prop_map(Event::SetSlice),
        1 => select(vec!["s1", "s2", "s3", "s4", "s5"]).prop_map(|name| Event::DeleteSlice(name.into())),
        3 => Just(Event::Sync),
    ]
}

pub(crate) fn events() -> impl Strategy<Value = Vec<Event>> {
    vec(event(), 1..40)
}
