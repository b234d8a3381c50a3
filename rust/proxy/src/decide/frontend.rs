//! Where a service port is reached.

use super::Arrival;
use crate::view::ServicePort;

/// A kind of address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ClusterIp,
    External,
    LoadBalancer,
    NodePort,
}

/// One way to a service port.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frontend<'v> {
    pub(super) kind: Kind,
    pub(super) own: &'v ServicePort,
}

/// The ways by which a packet comes to a service port; `node_port`: whether its destination takes node ports.
pub(super) fn kinds(
    own: &ServicePort,
    packet: &Arrival<'_>,
    node_port: bool,
) -> impl Iterator<Item = Kind> + use<> {
    let port = own.protocol == packet.proto && own.port == packet.port;
    let ways = [
        (Kind::ClusterIp, port && own.cluster_ip == packet.dst),
        (Kind::External, port && own.external_ips.contains(&packet.dst)),
        (Kind::LoadBalancer, port && own.load_balancer_vips.contains(&packet.dst)),
        (Kind::NodePort, node_port && own.protocol == packet.proto && own.node_port == Some(packet.port)),
    ];
    ways.into_iter().filter(|(_, comes)| *comes).map(|(kind, _)| kind)
}
