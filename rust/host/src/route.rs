//! Routes: the longest prefix wins.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use kdp_packet::{Cidr, Family};

use crate::device::DeviceId;

/// What a route does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteKind {
    /// Sends it out by a device, through a router if there is one.
    Unicast {
        /// The device.
        device: DeviceId,
        /// The router; `None` if the destination is on the device's own link.
        via: Option<IpAddr>,
    },
    /// Answers host unreachable.
    Unreachable,
    /// Answers administratively prohibited.
    Prohibit,
    /// Throws it away in silence.
    Blackhole,
    /// As if the table had no route: no other table is asked here.
    Throw,
}

/// Routes of both families.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    routes: HashMap<Cidr, RouteKind, FixedState>,
    /// Prefix lengths in use, longest first, with the number of routes of each.
    lengths: [Vec<(u8, u32)>; 2],
}

impl Routes {
    /// Adds a route, or replaces the one to the same network.
    pub fn add(&mut self, to: Cidr, kind: RouteKind) {
        if self.routes.insert(to, kind).is_none() {
            let lengths = &mut self.lengths[index(to.family())];
            match lengths.iter_mut().find(|(len, _)| *len == to.prefix_len()) {
                Some((_, count)) => *count += 1,
                None => lengths.push((to.prefix_len(), 1)),
            }
            lengths.sort_unstable_by_key(|(len, _)| std::cmp::Reverse(*len));
        }
    }

    /// Removes the route to a network; false if there is none.
    pub fn remove(&mut self, to: Cidr) -> bool {
        if self.routes.remove(&to).is_none() {
            return false;
        }
        let lengths = &mut self.lengths[index(to.family())];
        for (len, count) in lengths.iter_mut() {
            *count -= u32::from(*len == to.prefix_len());
        }
        lengths.retain(|(_, count)| *count > 0);
        true
    }

    /// The route that a packet to `dst` takes.
    pub fn lookup(&self, dst: IpAddr) -> Option<RouteKind> {
        let lengths = &self.lengths[index(Family::of(dst))];
        let found = lengths.iter().find_map(|(len, _)| self.routes.get(&Cidr::new(dst, *len)?)).copied();
        found.filter(|kind| *kind != RouteKind::Throw)
    }

    /// All routes, the longest prefixes first, then by network.
    pub fn iter(&self) -> impl Iterator<Item = (&Cidr, &RouteKind)> {
        let mut all: Vec<_> = self.routes.iter().collect();
        all.sort_unstable_by_key(|(to, _)| (std::cmp::Reverse(to.prefix_len()), **to));
        all.into_iter()
    }

    /// Removes all routes that leave by `device`: what happens when it goes down.
    pub fn remove_device(&mut self, gone: DeviceId) {
        let by = |kind: &RouteKind| matches!(kind, RouteKind::Unicast { device, .. } if *device == gone);
        let dead: Vec<Cidr> = self.routes.iter().filter(|(_, kind)| by(kind)).map(|(to, _)| *to).collect();
        for to in dead {
            self.remove(to);
        }
    }
}

fn index(family: Family) -> usize {
    usize::from(family == Family::V6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by(device: u32) -> RouteKind {
        RouteKind::Unicast { device: DeviceId(device), via: None }
    }

    #[test]
    fn the_longest_prefix_wins() {
        let mut routes = Routes::default();
        let net = |text| Cidr::parse(text).unwrap();
        routes.add(net("0.0.0.0/0"), by(1));
        routes.add(net("10.0.0.0/8"), by(2));
        routes.add(net("10.1.0.0/16"), RouteKind::Blackhole);
        let to = |a: [u8; 4]| routes.lookup(a.into());
        assert_eq!(to([10, 1, 2, 3]), Some(RouteKind::Blackhole));
        assert_eq!(to([10, 2, 2, 3]), Some(by(2)));
        assert_eq!(to([1, 1, 1, 1]), Some(by(1)));
        assert_eq!(routes.lookup("fd00::1".parse().unwrap()), None);
        routes.add(net("10.3.0.0/16"), RouteKind::Throw);
        assert_eq!(routes.lookup([10, 3, 2, 3].into()), None);
        routes.remove_device(DeviceId(2));
        assert_eq!(routes.lookup([10, 2, 2, 3].into()), Some(by(1)));
    }

    proptest! {
        /// The slow twin: the longest of all networks that contain the address.
        #[test]
        fn lookup_agrees_with_looking_at_all(nets in prop::collection::vec((any::<u32>(), 0u8..=32), 0..20), dst: u32) {
            let mut routes = Routes::default();
            let nets: Vec<Cidr> = nets.iter().map(|(a, len)| Cidr::new(IpAddr::V4((a & 0xff00_00ff).into()), *len).unwrap()).collect();
            for (i, net) in nets.iter().enumerate() {
                routes.add(*net, by(u32::try_from(i).unwrap() + 1));
            }
            let dst = IpAddr::V4((dst & 0xff00_00ff).into());
            let best = nets.iter().filter(|net| net.contains(dst)).max_by_key(|net| net.prefix_len());
            let last = best.map(|best| nets.iter().rposition(|net| net == best).unwrap());
            prop_assert_eq!(routes.lookup(dst), last.map(|i| by(u32::try_from(i).unwrap() + 1)));
        }
    }
}
