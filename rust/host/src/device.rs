//! A box's network devices and the addresses on them.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use kdp_packet::{Cidr, Family};

/// A device's number: its place in [`Devices`], from 1 as the kernel counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u32);

/// The device `lo`, which every box has.
pub const LOOPBACK: DeviceId = DeviceId(1);

/// A network device.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its name: `eth0`, `cni0`.
    pub name: Arc<str>,
    /// Addresses with their prefix lengths, in the order in which the device's own come up: IPv4 as they were added, IPv6
    /// the latest first.
    pub addrs: Vec<(IpAddr, u8)>,
    /// Whether it is up.
    pub up: bool,
    /// The longest packet it carries, in bytes.
    pub mtu: u32,
}

impl Device {
    /// A device that is up, with an MTU of 1500.
    pub fn new(name: &str, addrs: &[(IpAddr, u8)]) -> Device {
        let mut device = Device { name: name.into(), addrs: Vec::new(), up: true, mtu: 1500 };
        for addr in addrs {
            device.add_addr(*addr);
        }
        device
    }

    /// Adds an address. Source: Linux `ipv6_link_dev_addr` (net/ipv6/addrconf.c), v6.12: an IPv6 address comes before those
    /// whose scope is not wider.
    pub fn add_addr(&mut self, addr: (IpAddr, u8)) {
        let near = |addr: IpAddr| matches!(addr, IpAddr::V6(addr) if addr.is_unicast_link_local());
        let before = |(other, _): &(IpAddr, u8)| other.is_ipv6() && (near(*other) || !near(addr.0));
        let place = self.addrs.iter().position(|other| addr.0.is_ipv6() && before(other));
        self.addrs.insert(place.unwrap_or(self.addrs.len()), addr);
    }

    /// The IPv4 source address that this device has for a packet to `next_hop`: the first address whose subnet holds the
    /// next hop, else the first. The loopback network's own address is no source towards others: its scope is the host.
    fn source_for_v4(&self, next_hop: IpAddr) -> Option<IpAddr> {
        let mut ours = self.addrs.iter().filter(|(addr, _)| addr.is_ipv4() && !addr.is_loopback());
        let near =
            ours.clone().find(|(addr, len)| Cidr::new(*addr, *len).is_some_and(|net| net.contains(next_hop)));
        near.or_else(|| ours.next()).map(|(addr, _)| *addr)
    }
}

impl Device {
    /// Whether `addr` is the broadcast address of a network on this device.
    pub fn is_broadcast(&self, addr: IpAddr) -> bool {
        let IpAddr::V4(wanted) = addr else { return false };
        let ends_net = |(own, len): &(IpAddr, u8)| match own {
            IpAddr::V4(own) if *len < 31 => u32::from(*own) | (u32::MAX >> len) == u32::from(wanted),
            _ => false,
        };
        self.addrs.iter().any(ends_net)
    }
}

/// All devices of a box.
#[derive(Clone, Debug)]
pub struct Devices {
    all: Vec<Device>,
    version: u64,
}

impl Default for Devices {
    fn default() -> Devices {
        let lo = [("127.0.0.1", 8), ("::1", 128)].map(|(addr, len)| (addr.parse().expect("an address"), len));
        Devices { all: vec![Device { mtu: 65_536, ..Device::new("lo", &lo) }], version: 0 }
    }
}

impl Devices {
    /// Adds a device.
    pub fn add(&mut self, device: Device) -> DeviceId {
        self.version += 1;
        self.all.push(device);
        DeviceId(u32::try_from(self.all.len()).expect("fewer than 2^32 devices"))
    }

    /// How often it was, or may have been, changed.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// A device by number.
    pub fn get(&self, id: DeviceId) -> &Device {
        &self.all[id.0 as usize - 1]
    }

    /// A device by number, to change it.
    pub fn get_mut(&mut self, id: DeviceId) -> &mut Device {
        self.version += 1;
        &mut self.all[id.0 as usize - 1]
    }

    /// A device by name.
    pub fn by_name(&self, name: &str) -> Option<DeviceId> {
        self.iter().find(|(_, device)| &*device.name == name).map(|(id, _)| id)
    }

    /// The source address for a packet to `dst` by `device` through `next_hop`: of IPv4 the device's own, else one of
    /// another device.
    /// Source: Linux `inet_select_addr` (net/ipv4/devinet.c), v6.12, as `nf_nat_masquerade_ipv4` calls it.
    pub fn source_for(&self, device: DeviceId, next_hop: IpAddr, dst: IpAddr) -> Option<IpAddr> {
        if let IpAddr::V6(dst) = dst {
            return self.source_for_v6(device, dst).map(IpAddr::V6);
        }
        let others = self.all.iter().flat_map(|other| &other.addrs).map(|(addr, _)| *addr);
        let mut others = others.filter(|addr| addr.is_ipv4() && !addr.is_loopback());
        self.get(device).source_for_v4(next_hop).or_else(|| others.next())
    }

    /// The best of all IPv6 addresses, the first of those that are equally good: the destination itself, one of the device,
    /// one with the same label, the one with the longest prefix in common.
    /// Source: RFC 6724 section 5; Linux `ipv6_dev_get_saddr` (net/ipv6/addrconf.c), v6.12.
    fn source_for_v6(&self, device: DeviceId, dst: Ipv6Addr) -> Option<Ipv6Addr> {
        let mut best: Option<((bool, bool, bool, u32), Ipv6Addr)> = None;
        for (id, other) in self.iter() {
            for (addr, len) in &other.addrs {
                let IpAddr::V6(addr) = *addr else { continue };
                let common = (addr.to_bits() ^ dst.to_bits()).leading_zeros().min(u32::from(*len));
                let worth = (addr == dst, id == device, label(addr) == label(dst), common);
                let is_candidate = addr == dst || !addr.is_loopback();
                if is_candidate && best.is_none_or(|(known, _)| known < worth) {
                    best = Some((worth, addr));
                }
            }
        }
        best.map(|(_, addr)| addr)
    }

    /// All, in the order in which they were added; `lo` first.
    pub fn iter(&self) -> impl Iterator<Item = (DeviceId, &Device)> {
        (1..).map(DeviceId).zip(&self.all)
    }

    /// Whether `addr` is on a device of this box, or in the loopback network.
    pub fn is_local(&self, addr: IpAddr) -> bool {
        addr.is_loopback() || self.all.iter().any(|device| device.addrs.iter().any(|(own, _)| *own == addr))
    }

    /// The first device behind `lo` that is up and has an address of the family.
    pub fn first_with(&self, family: Family) -> Option<DeviceId> {
        let has =
            |device: &Device| device.up && device.addrs.iter().any(|(addr, _)| Family::of(*addr) == family);
        self.iter().skip(1).find(|(_, device)| has(device)).map(|(id, _)| id)
    }

    /// Whether `addr` is a network on a device without its host bits: the address that every router on it answers to.
    /// Source: RFC 4291 section 2.6.1; Linux `addrconf_join_anycast`: from prefixes shorter than 127 bits.
    pub fn is_anycast(&self, addr: IpAddr) -> bool {
        let is = |(own, len): &(IpAddr, u8)| {
            own.is_ipv6() && *len < 127 && Cidr::new(*own, *len).is_some_and(|net| net.addr() == addr)
        };
        self.all.iter().skip(1).any(|device| device.addrs.iter().any(is))
    }

    /// Whether a device receives packets to a multicast group without anybody's asking: all nodes, and in IPv6 all routers
    /// and the solicited-node groups of its own addresses. Groups that a process joins are not known here.
    /// Source: Linux `ip_mc_up` (net/ipv4/igmp.c), `addrconf_join_solict`, `ipv6_add_dev` (net/ipv6), v6.12.
    pub fn listens(&self, device: DeviceId, group: IpAddr) -> bool {
        match group {
            IpAddr::V4(group) => group.octets() == [224, 0, 0, 1],
            IpAddr::V6(group) => {
                let last = group.to_bits() & 0xff_ffff;
                let asked = group.to_bits() >> 24 == 0x00ff_0200_0000_0000_0000_0000_01ff;
                let own = |(own, _): &(IpAddr, u8)| own.is_ipv6() && bits(*own) & 0xff_ffff == last;
                matches!(
                    group.segments(),
                    [0xff01 | 0xff02, 0, 0, 0, 0, 0, 0, 1 | 2] | [0xff05, 0, 0, 0, 0, 0, 0, 2]
                ) || asked && self.get(device).addrs.iter().any(own)
            }
        }
    }

    /// Whether `addr` is the broadcast address of a network on a device.
    pub fn is_broadcast(&self, addr: IpAddr) -> bool {
        self.all.iter().skip(1).any(|device| device.is_broadcast(addr))
    }
}

/// An address as a number, to compare prefixes.
fn bits(addr: IpAddr) -> u128 {
    match addr {
        IpAddr::V4(addr) => addr.to_bits().into(),
        IpAddr::V6(addr) => addr.to_bits(),
    }
}

/// The label of the longest of these networks that holds an address.
/// Source: RFC 6724 section 2.1; Linux `ip6addrlbl_init_table` (net/ipv6/addrlabel.c), v6.12.
fn label(addr: Ipv6Addr) -> u8 {
    match addr.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => 0,
        [0, 0, 0, 0, 0, 0xffff, _, _] => 4,
        [0, 0, 0, 0, 0, 0, _, _] => 3,
        [0x2001, 0, ..] => 6,
        [0x2001, second, ..] if second & 0xfff0 == 0x10 => 7,
        [0x2002, ..] => 2,
        [0x3ffe, ..] => 12,
        [first, ..] if first & 0xffc0 == 0xfec0 => 11,
        [first, ..] if first & 0xfe00 == 0xfc00 => 5,
        _ => 1,
    }
}
