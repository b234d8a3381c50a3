//! Addresses of Pods, given and taken back on each node.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kdp_packet::{Cidr, parse_ip_lenient};

use super::timing::AddressOrder;
use crate::complete::Options;
use crate::object::{Node, Pod, PodIp};

/// The first number of a network that a Pod gets: 0 is the network, 1 the bridge.
const FIRST: u64 = 2;

/// The networks of the nodes' Pods and what of them is given.
#[derive(Clone, Debug)]
pub(super) struct Addresses {
    order: AddressOrder,
    /// Lends to nodes that have no network of their own.
    whole: Network,
    nodes: BTreeMap<Box<str>, Vec<Network>>,
}

#[derive(Clone, Debug)]
struct Network {
    cidr: Cidr,
    /// Numbers in the network that are given.
    given: BTreeSet<u64>,
    /// The number given last.
    last: u64,
}

impl Addresses {
    pub(super) fn new(order: AddressOrder) -> Addresses {
        let whole = Network::of(Options::default().pod_cidr);
        Addresses { order, whole, nodes: BTreeMap::new() }
    }

    /// A node has these networks now; addresses of a network that stays stay given.
    pub(super) fn set_node(&mut self, node: &Node) {
        let networks = self.nodes.entry(node.meta.name.as_str().into()).or_default();
        let cidrs: Vec<Cidr> = node.pod_cidrs().filter_map(Cidr::parse).collect();
        networks.retain(|network| cidrs.contains(&network.cidr));
        for cidr in cidrs {
            if !networks.iter().any(|network| network.cidr == cidr) {
                networks.push(Network::of(cidr));
            }
        }
    }

    /// Takes note of the addresses that a Pod has.
    pub(super) fn keep(&mut self, pod: &Pod) {
        self.with_numbers(pod, |network, number| {
            network.given.insert(number);
            network.last = network.last.max(number);
        });
    }

    /// Addresses for a Pod on its node, one a network. Empty if the node has no network, or a network is full.
    pub(super) fn give(&mut self, node: &str) -> Vec<PodIp> {
        let order = self.order;
        let Some(networks) = self.nodes.get_mut(node).filter(|networks| !networks.is_empty()) else {
            return self.lend().into_iter().collect();
        };
        let numbers: Option<Vec<u64>> = networks.iter().map(|network| network.free(order)).collect();
        let Some(numbers) = numbers else { return Vec::new() };
        let given = networks.iter_mut().zip(numbers);
        given.map(|(network, number)| PodIp { ip: network.take(number).to_string() }).collect()
    }

    /// An address of the whole range that is in no node's network.
    fn lend(&mut self) -> Option<PodIp> {
        loop {
            let number = self.whole.free(self.order)?;
            let ip = self.whole.take(number);
            if !self.nodes.values().flatten().any(|network| network.cidr.contains(ip)) {
                return Some(PodIp { ip: ip.to_string() });
            }
        }
    }

    /// Takes a Pod's addresses back.
    pub(super) fn release(&mut self, pod: &Pod) {
        self.with_numbers(pod, |network, number| _ = network.given.remove(&number));
    }

    fn with_numbers(&mut self, pod: &Pod, mut act: impl FnMut(&mut Network, u64)) {
        if pod.spec.host_network {
            return;
        }
        let networks = self.nodes.get_mut(pod.spec.node_name.as_str()).into_iter().flatten();
        let mut networks: Vec<&mut Network> = networks.chain([&mut self.whole]).collect();
        for ip in pod.addresses().filter_map(parse_ip_lenient) {
            for network in networks.iter_mut().filter(|network| network.cidr.contains(ip)) {
                act(network, number_in(network.cidr, ip));
            }
        }
    }
}

impl Network {
    fn of(cidr: Cidr) -> Network {
        Network { cidr, given: BTreeSet::new(), last: FIRST - 1 }
    }

    /// The number that is given next.
    fn free(&self, order: AddressOrder) -> Option<u64> {
        let from = match order {
            AddressOrder::RoundRobin => self.last + 1,
            AddressOrder::Lowest => FIRST,
        };
        self.first_free(from).or_else(|| self.first_free(FIRST))
    }

    /// The first number from there on that is not given. The last address of a network is its broadcast address.
    fn first_free(&self, from: u64) -> Option<u64> {
        let mut number = from;
        for given in self.given.range(from..) {
            if *given != number {
                break;
            }
            number += 1;
        }
        self.cidr.nth(number + 1).is_some().then_some(number)
    }

    fn take(&mut self, number: u64) -> IpAddr {
        self.given.insert(number);
        self.last = number;
        self.cidr.nth(number).expect("the number after it is in the network")
    }
}

/// The number of an address in its network.
fn number_in(cidr: Cidr, ip: IpAddr) -> u64 {
    let whole = |addr: IpAddr| match addr {
        IpAddr::V4(addr) => u128::from(u32::from(addr)),
        IpAddr::V6(addr) => u128::from(addr),
    };
    u64::try_from(whole(ip) - whole(cidr.addr())).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(cidr: &str) -> Node {
        let mut node = Node::default();
        node.meta.name = "n".to_owned();
        node.spec.pod_cidrs = vec![cidr.to_owned()];
        node
    }

    fn pod(ip: &str) -> Pod {
        let mut pod = Pod::default();
        pod.spec.node_name = "n".to_owned();
        pod.status.pod_ip = ip.to_owned();
        pod
    }

    fn addresses(order: AddressOrder, cidr: &str) -> Addresses {
        let mut addresses = Addresses::new(order);
        addresses.set_node(&node(cidr));
        addresses
    }

    #[test]
    fn an_address_comes_back_after_all_others_or_at_once() {
        for (order, expected) in [(AddressOrder::RoundRobin, "10.0.0.4"), (AddressOrder::Lowest, "10.0.0.2")]
        {
            let mut addresses = addresses(order, "10.0.0.0/29");
            addresses.give("n");
            addresses.give("n");
            addresses.release(&pod("10.0.0.2"));
            assert_eq!(addresses.give("n")[0].ip, expected, "{order:?}");
        }
        let mut full = addresses(AddressOrder::RoundRobin, "10.0.0.0/29");
        let all: Vec<String> = (0..5).map(|_| full.give("n")[0].ip.clone()).collect();
        assert_eq!(all.last().unwrap(), "10.0.0.6", "7 is the broadcast address");
        assert!(full.give("n").is_empty());
        full.release(&pod("10.0.0.3"));
        assert_eq!(full.give("n")[0].ip, "10.0.0.3");
    }

    #[test]
    fn a_node_without_a_network_borrows_what_no_other_node_has() {
        let mut addresses = addresses(AddressOrder::Lowest, "10.244.0.0/24");
        assert_eq!(addresses.give("other")[0].ip, "10.244.1.0");
        let mut lent = pod("10.244.1.0");
        lent.spec.node_name = "other".to_owned();
        assert_eq!(addresses.give("other")[0].ip, "10.244.1.1");
        addresses.release(&lent);
        assert_eq!(addresses.give("other")[0].ip, "10.244.1.0");
        assert_eq!(addresses.give("n")[0].ip, "10.244.0.2");
    }

    proptest! {
        /// The slow twin: a walk over every number, round from the last one given.
        #[test]
        fn the_next_address_is_the_first_free_one_in_turn(steps in prop::collection::vec((any::<bool>(), 2u64..15), 0..60)) {
            let mut addresses = addresses(AddressOrder::RoundRobin, "10.0.0.0/28");
            let (mut given, mut last) = (BTreeSet::new(), 1);
            for (gives, number) in steps {
                if gives {
                    let wanted = (last + 1..15).chain(2..=last).find(|number| !given.contains(number));
                    let got = addresses.give("n").pop();
                    prop_assert_eq!(got.map(|ip| ip.ip), wanted.map(|number| format!("10.0.0.{number}")));
                    if let Some(number) = wanted {
                        given.insert(number);
                        last = number;
                    }
                } else {
                    addresses.release(&pod(&format!("10.0.0.{number}")));
                    given.remove(&number);
                }
            }
        }
    }
}
