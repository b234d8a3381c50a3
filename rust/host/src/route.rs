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
    networks: HashMap<Cidr, RouteKind, FixedState>,
    /// Prefix lengths in use, longest first, with the number of routes of each.
    lengths: [Vec<(u8, u32)>; 2],
    /// Other tables by their numbers.
    tables: Vec<(u32, Routes)>,
    /// `ip rule`: packets with this mark (under this mask) ask that table first. The latest rule is asked first.
    rules: Vec<MarkRule>,
    version: u64,
}

/// A rule that sends packets with a mark to a table of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkRule {
    /// The family of the packets.
    pub family: Family,
    /// The mark.
    pub mark: u32,
    /// Bits of the mark that count.
    pub mask: u32,
    /// The number of the table.
    pub table: u32,
}

impl Routes {
    /// Adds a route, or replaces the one to the same network.
    pub fn add(&mut self, to: Cidr, kind: RouteKind) {
        self.version += 1;
        if self.networks.insert(to, kind).is_none() {
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
        self.version += 1;
        if self.networks.remove(&to).is_none() {
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
        let found = lengths.iter().find_map(|(len, _)| self.networks.get(&Cidr::new(dst, *len)?)).copied();
        found.filter(|kind| *kind != RouteKind::Throw)
    }

    /// The route that a packet with a mark takes: tables that rules send it to are asked before the main one, and a table
    /// without a route (or with a throw route) leaves it to the next.
    /// Source: Linux `fib_rules_lookup` (net/core/fib_rules.c), `fib4_rule_action`; iproute2 gives each new rule the place
    /// before those that are there.
    pub fn lookup_marked(&self, dst: IpAddr, mark: u32) -> Option<RouteKind> {
        let family = Family::of(dst);
        let asked = |rule: &&MarkRule| rule.family == family && mark & rule.mask == rule.mark;
        let tables = self.rules.iter().rev().filter(asked).filter_map(|rule| self.table(rule.table));
        tables.into_iter().find_map(|table| table.lookup(dst)).or_else(|| self.lookup(dst))
    }

    fn table(&self, number: u32) -> Option<&Routes> {
        self.tables.iter().find(|(known, _)| *known == number).map(|(_, table)| table)
    }

    /// A table by its number, made if it is not there; 254 is the main one.
    pub fn table_mut(&mut self, number: u32) -> &mut Routes {
        self.version += 1;
        if number == MAIN {
            return self;
        }
        let place = self.tables.iter().position(|(known, _)| *known == number).unwrap_or_else(|| {
            self.tables.push((number, Routes::default()));
            self.tables.len() - 1
        });
        &mut self.tables[place].1
    }

    /// Adds a rule; false if an equal one is there.
    pub fn add_rule(&mut self, rule: MarkRule) -> bool {
        self.version += 1;
        let new = !self.rules.contains(&rule);
        self.rules.extend(new.then_some(rule));
        new
    }

    /// Removes a rule; false if there is none.
    pub fn remove_rule(&mut self, rule: MarkRule) -> bool {
        self.version += 1;
        let before = self.rules.len();
        self.rules.retain(|known| *known != rule);
        self.rules.len() < before
    }

    /// Takes over other routes, in place of all that were there.
    pub fn replace(&mut self, routes: Routes) {
        *self = Routes { version: self.version + 1, ..routes };
    }

    /// How often it was, or may have been, changed.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// All routes, the longest prefixes first, then by network.
    pub fn iter(&self) -> impl Iterator<Item = (&Cidr, &RouteKind)> {
        let mut all: Vec<_> = self.networks.iter().collect();
        all.sort_unstable_by_key(|(to, _)| (std::cmp::Reverse(to.prefix_len()), **to));
        all.into_iter()
    }

    /// Removes all routes that leave by `device`: what happens when it goes down.
    pub fn remove_device(&mut self, gone: DeviceId) {
        self.version += 1;
        let by = |kind: &RouteKind| matches!(kind, RouteKind::Unicast { device, .. } if *device == gone);
        let dead: Vec<Cidr> = self.networks.iter().filter(|(_, kind)| by(kind)).map(|(to, _)| *to).collect();
        for to in dead {
            self.remove(to);
        }
        for (_, table) in &mut self.tables {
            table.remove_device(gone);
        }
    }
}

/// The number of the main table. Source: `RT_TABLE_MAIN`.
pub(crate) const MAIN: u32 = 254;

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

    #[test]
    fn marked_packets_ask_their_table_first() {
        let mut routes = Routes::default();
        let net = |text| Cidr::parse(text).unwrap();
        routes.add(net("0.0.0.0/0"), by(1));
        routes.table_mut(100).add(net("10.0.0.0/8"), by(2));
        routes.table_mut(101).add(net("10.1.0.0/16"), RouteKind::Throw);
        let rule = |mark, mask, table| MarkRule { family: Family::V4, mark, mask, table };
        assert!(routes.add_rule(rule(1, 0xf, 100)) && routes.add_rule(rule(0x11, u32::MAX, 101)));
        assert!(!routes.add_rule(rule(1, 0xf, 100)));
        let to = |routes: &Routes, a: [u8; 4], mark| routes.lookup_marked(a.into(), mark);
        assert_eq!(to(&routes, [10, 1, 0, 1], 0), Some(by(1)));
        assert_eq!(to(&routes, [10, 1, 0, 1], 0x11), Some(by(2)), "thrown out of 101");
        assert_eq!(to(&routes, [9, 1, 0, 1], 1), Some(by(1)), "no route in 100");
        assert!(routes.remove_rule(rule(1, 0xf, 100)));
        assert_eq!(to(&routes, [10, 1, 0, 1], 1), Some(by(1)));
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
