//! The one rule type: what parsers and proxies make, what printers print and what the evaluators walk.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_packet::{Cidr, Proto};

mod connection;
mod header;
mod prefix;
mod set;
mod unknown;

pub use self::connection::{ConnBytes, ConnMark, ConnMeasure, ConntrackTest, ZoneSide};
pub use self::header::{DeviceSide, HeaderEdit, HeaderTest, Limit, Log, ReversePath, TtlTest};
pub use self::prefix::PrefixTranslation;
pub use self::set::{SetSides, SetTest};
pub use self::unknown::Unknown;
use crate::Name;

/// A rule: tests in order, then a target.
///
/// Tests run one after another and stop at the first that fails, because some of them have effects (`recent`, `statistic`).
/// Header tests (`-s -d -i -o -p`) come first, as in the kernel, where they are part of the rule's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Tests, in order.
    pub matches: Vec<Match>,
    /// What happens to a packet that passes them all.
    pub target: Target,
}

/// A value, or anything but it (`! -s 10.0.0.0/8`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test<T> {
    /// Whether the test is turned round.
    pub invert: bool,
    /// What is tested for.
    pub value: T,
}

impl<T> Test<T> {
    /// Passes on `value`.
    pub const fn is(value: T) -> Test<T> {
        Test { invert: false, value }
    }

    /// Passes on anything but `value`.
    pub const fn not(value: T) -> Test<T> {
        Test { invert: true, value }
    }

    /// The verdict, given whether the value was met.
    pub fn holds(&self, met: bool) -> bool {
        met != self.invert
    }
}

/// One test of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// `-s`: source address.
    Src(Test<Cidr>),
    /// `-d`: destination address.
    Dst(Test<Cidr>),
    /// `-i`: the device it came in by; where there is none (OUTPUT, POSTROUTING of local packets) its name is empty.
    In(Test<DevicePattern>),
    /// `-o`: the device it leaves by.
    Out(Test<DevicePattern>),
    /// `-p`: protocol.
    Proto(Test<Proto>),
    /// `-m comment`: always passes.
    Comment(Arc<str>),
    /// `-m tcp`, `-m udp`, `-m sctp`: ports. `proto` names the module.
    Ports {
        /// The module's protocol.
        proto: Proto,
        /// `--sport`.
        sport: Option<Test<PortRange>>,
        /// `--dport`.
        dport: Option<Test<PortRange>>,
        /// `--tcp-flags`, `--syn` (TCP only).
        flags: Option<Test<TcpFlagTest>>,
        /// `--tcp-option`: a kind of option that is there (TCP only).
        option: Option<Test<u8>>,
    },
    /// `-m conntrack --ctstate`.
    CtState(Test<CtStates>),
    /// `-m state --state`: the same under its older name.
    State(Test<CtStates>),
    /// `-m multiport`.
    Multiport {
        /// Which port.
        side: PortSide,
        /// Ports, one of which it must be.
        ports: Test<Vec<PortRange>>,
    },
    /// `-m icmp --icmp-type`, `-m icmp6 --icmpv6-type`.
    Icmp(Test<IcmpType>),
    /// `-m length`: bytes of the IP packet, both ends included.
    Length(Test<PortRange>),
    /// `-m mark --mark value/mask`.
    Mark(Test<(u32, u32)>),
    /// `-m addrtype`.
    AddrType {
        /// `--src-type`.
        src: Option<Test<AddrTypes>>,
        /// `--dst-type`.
        dst: Option<Test<AddrTypes>>,
    },
    /// `-m addrtype` with `--limit-iface-in` or `--limit-iface-out`: types as that device sees them.
    AddrTypeOn {
        /// `--src-type`.
        src: Option<Test<AddrTypes>>,
        /// `--dst-type`.
        dst: Option<Test<AddrTypes>>,
        /// The device.
        side: DeviceSide,
    },
    /// `-m conntrack` with more than states.
    Conntrack(Box<ConntrackTest>),
    /// `-m connmark --mark value/mask`. Without a connection it never passes.
    ConnMark(Test<(u32, u32)>),
    /// A test of one field.
    Header(HeaderTest),
    /// `-m rpfilter`.
    ReversePath(ReversePath),
    /// `-m limit`.
    Limit(Limit),
    /// `-m quota --quota`: passes while its bytes last.
    Quota(Test<u64>),
    /// `-m statistic`.
    Statistic(Statistic),
    /// `-m recent`.
    Recent(Recent),
    /// `-m nfacct --nfacct-name`: counts and always passes.
    Nfacct(Arc<str>),
    /// `-m connbytes`.
    ConnBytes(ConnBytes),
    /// `-m set`.
    Set(SetTest),
    /// A test that depends on what is not known.
    Unknown(Unknown),
}

impl Match {
    /// How many places there are in [`Match::header_rank`].
    pub const HEADER_RANKS: u8 = 5;

    /// The place of a header test in the head of a rule; `None` for other tests, which stand behind.
    /// Source: iptables 1.8.9, `save_rule_details` in iptables/nft-shared.c: `-s -d -i -o -p`.
    pub fn header_rank(&self) -> Option<u8> {
        match self {
            Match::Src(_) => Some(0),
            Match::Dst(_) => Some(1),
            Match::In(_) => Some(2),
            Match::Out(_) => Some(3),
            Match::Proto(_) => Some(4),
            _ => None,
        }
    }
}

/// A device name; with `prefix` any name that begins with it (`cali+`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePattern {
    /// The name, or what it begins with.
    pub name: Arc<str>,
    /// Whether only the beginning counts.
    pub prefix: bool,
}

impl DevicePattern {
    /// Whether `device` is meant.
    pub fn matches(&self, device: &str) -> bool {
        if self.prefix { device.starts_with(&*self.name) } else { device == &*self.name }
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last, not below the first.
    pub last: u16,
}

impl PortRange {
    /// One port.
    pub const fn one(port: u16) -> PortRange {
        PortRange { first: port, last: port }
    }

    /// Whether `port` lies inside.
    pub fn contains(&self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

/// Which port `-m multiport` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortSide {
    /// `--sports`.
    Source,
    /// `--dports`.
    Destination,
    /// `--ports`: either of the two.
    Either,
}

/// A type of ICMP or ICMPv6 messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpType {
    /// The type; `None` is any.
    pub kind: Option<u8>,
    /// The code; `None` is any.
    pub code: Option<u8>,
}

/// `--tcp-flags MASK COMP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlagTest {
    /// Flags that are looked at.
    pub mask: u8,
    /// Flags among them that must be set; the others must not.
    pub set: u8,
}

/// A conntrack state as `--ctstate` names it. SNAT and DNAT are virtual: the entry's status bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CtState {
    /// No entry attached.
    Invalid,
    /// First of its kind.
    New,
    /// An error about, or an expected child of, an entry.
    Related,
    /// A flow with packets both ways.
    Established,
    /// Kept from tracking.
    Untracked,
    /// The entry's source was changed.
    Snat,
    /// The entry's destination was changed.
    Dnat,
}

impl CtState {
    /// All, in the order in which iptables-save prints them.
    /// Source: iptables, extensions/libxt_conntrack.c `conntrack_dump_state`.
    pub const ALL: [(CtState, &'static str); 7] = [
        (CtState::Invalid, "INVALID"),
        (CtState::New, "NEW"),
        (CtState::Related, "RELATED"),
        (CtState::Established, "ESTABLISHED"),
        (CtState::Untracked, "UNTRACKED"),
        (CtState::Snat, "SNAT"),
        (CtState::Dnat, "DNAT"),
    ];
}

/// A set of conntrack states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CtStates(u8);

impl CtStates {
    /// The set of these.
    pub fn of(states: &[CtState]) -> CtStates {
        CtStates(states.iter().fold(0, |bits, state| bits | 1 << *state as u8))
    }

    /// Whether `state` is in it.
    pub fn contains(self, state: CtState) -> bool {
        self.0 >> state as u8 & 1 == 1
    }

    /// This set and `state`.
    #[must_use]
    pub fn with(self, state: CtState) -> CtStates {
        CtStates(self.0 | 1 << state as u8)
    }

    /// Whether the two share a state.
    pub fn intersects(self, other: CtStates) -> bool {
        self.0 & other.0 != 0
    }
}

/// An address type as the routing tables see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AddrType {
    /// Nothing: `::`.
    Unspec,
    /// Routed elsewhere.
    Unicast,
    /// This host's own.
    Local,
    /// A broadcast address.
    Broadcast,
    /// A router's address of a network (IPv6).
    Anycast,
    /// Multicast.
    Multicast,
    /// A blackhole route. Like the types behind it, no address has it in IPv4: only the local table is asked.
    Blackhole,
    /// An unreachable route; in IPv6 any that says no.
    Unreachable,
    /// A prohibit route.
    Prohibit,
    /// A throw route.
    Throw,
    /// Not used by the kernel.
    Nat,
    /// Not used by the kernel.
    Xresolve,
}

impl AddrType {
    /// All, in the order in which iptables-save prints them.
    pub const ALL: [(AddrType, &'static str); 12] = [
        (AddrType::Unspec, "UNSPEC"),
        (AddrType::Unicast, "UNICAST"),
        (AddrType::Local, "LOCAL"),
        (AddrType::Broadcast, "BROADCAST"),
        (AddrType::Anycast, "ANYCAST"),
        (AddrType::Multicast, "MULTICAST"),
        (AddrType::Blackhole, "BLACKHOLE"),
        (AddrType::Unreachable, "UNREACHABLE"),
        (AddrType::Prohibit, "PROHIBIT"),
        (AddrType::Throw, "THROW"),
        (AddrType::Nat, "NAT"),
        (AddrType::Xresolve, "XRESOLVE"),
    ];
}

/// A set of address types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddrTypes(u16);

impl AddrTypes {
    /// The set of these.
    pub fn of(types: &[AddrType]) -> AddrTypes {
        AddrTypes(types.iter().fold(0, |bits, kind| bits | 1 << *kind as u8))
    }

    /// Whether `kind` is in it.
    pub fn contains(self, kind: AddrType) -> bool {
        self.0 >> kind as u8 & 1 == 1
    }
}

/// `-m statistic`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// `--mode random`: passes if a 31-bit random number is below `probability` (of 2^31).
    Random(Test<u32>),
    /// `--mode nth --every every --packet packet`: passes once in `every` packets.
    Nth {
        /// Whether the test is turned round.
        invert: bool,
        /// The period, at least 1.
        every: u32,
        /// Which packet of the period, from 0.
        packet: u32,
    },
}

/// `-m recent`, by source address with a full mask (what kube-proxy uses).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recent {
    /// The list.
    pub name: Name,
    /// What is done with it.
    pub op: RecentOp,
    /// `--seconds`.
    pub seconds: Option<u32>,
    /// `--hitcount`.
    pub hitcount: Option<u32>,
    /// `--reap`.
    pub reap: bool,
    /// `!`: the result turned round.
    pub invert: bool,
}

/// What `-m recent` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecentOp {
    /// `--set`: adds or stamps the address; passes.
    Set,
    /// `--rcheck`: passes if it was seen.
    Rcheck,
    /// `--update`: the same, and stamps it.
    Update,
    /// `--remove`: passes if it was there, and removes it.
    Remove,
}

/// What happens to a packet that passed a rule's tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Nothing: the next rule.
    Continue,
    /// The packet goes on behind this hook's table.
    Accept,
    /// It is gone.
    Drop,
    /// Back to the chain that called; the policy in a base chain.
    Return,
    /// The chain, then the next rule.
    Jump(Name),
    /// The chain, then back to the caller of this one.
    Goto(Name),
    /// It is gone, and its sender is told.
    Reject(RejectWith),
    /// `MARK --set-xmark value/mask`: the mark loses the bits of mask, then is xored with value.
    Mark {
        /// Bits that are xored in.
        value: u32,
        /// Bits that are cleared first.
        mask: u32,
    },
    /// `DNAT`.
    Dnat(NatRange),
    /// `SNAT`.
    Snat(NatRange),
    /// `MASQUERADE`: SNAT to an address of the device it leaves by. Addresses of the range are not used.
    Masquerade(NatRange),
    /// `REDIRECT`: DNAT to this host. Addresses of the range are not used.
    Redirect(NatRange),
    /// `NETMAP --to`: NAT that keeps the host's bits; of the destination in PREROUTING and OUTPUT, else of the source.
    Netmap(Cidr),
    /// `DNPT`, `SNPT`: the packet gets another prefix, and goes on.
    Prefix(PrefixTranslation),
    /// `CONNMARK`.
    ConnMark(ConnMark),
    /// A change of one header field.
    Edit(HeaderEdit),
    /// `LOG`, `NFLOG`.
    Log(Log),
    /// `CHECKSUM --checksum-fill`: for packets whose checksum a device would fill in. Others are as they were.
    Checksum,
    /// `TRACE`: the packet's way is reported.
    Trace,
    /// `NFQUEUE`: a process decides. Where nobody listens the packet is dropped, unless there is a `bypass`.
    Queue {
        /// `--queue-num`.
        number: u16,
        /// `--queue-bypass`.
        bypass: bool,
    },
    /// `CT --zone`.
    CtZone {
        /// The zone.
        zone: u16,
        /// Directions that are in it.
        side: ZoneSide,
    },
    /// `NOTRACK`.
    Notrack,
    /// `CT --notrack`: the same under its newer name.
    CtNotrack,
}

/// Addresses and ports that NAT may choose from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatRange {
    /// First and last address; `None` keeps the address.
    pub addrs: Option<(IpAddr, IpAddr)>,
    /// First and last port; `None` keeps the port where it can.
    pub ports: Option<PortRange>,
    /// `--random`.
    pub random: bool,
    /// `--random-fully`.
    pub random_fully: bool,
    /// `--persistent`.
    pub persistent: bool,
}

impl NatRange {
    /// One address and one port.
    pub fn to(addr: IpAddr, port: Option<u16>) -> NatRange {
        NatRange { addrs: Some((addr, addr)), ports: port.map(PortRange::one), ..NatRange::default() }
    }
}

/// What a rejected packet's sender is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RejectWith {
    /// ICMP destination unreachable with this code (ICMPv6 likewise).
    Unreachable(u8),
    /// A TCP reset.
    TcpReset,
}

impl RejectWith {
    /// iptables' default: ICMP port unreachable (3/3).
    pub const PORT_UNREACHABLE: RejectWith = RejectWith::Unreachable(3);
    /// ip6tables' default: ICMPv6 port unreachable (1/4).
    pub const PORT_UNREACHABLE_V6: RejectWith = RejectWith::Unreachable(4);
}
