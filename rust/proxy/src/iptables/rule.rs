//! Rules in few words. Tests of the packet's head come first, as in the kernel and its listings.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_netfilter::{
    AddrType, AddrTypes, CtState, CtStates, Match, PortRange, RejectWith, Rule, Target, Test,
};
use kdp_packet::{Cidr, Family, Proto};

/// A rule that is being put together.
pub(super) struct Draft(Vec<Match>);

/// A rule that begins with these tests of the head: packets of local pods or not, destination, protocol.
pub(super) fn heads(local: Option<Match>, dst: Option<Cidr>, proto: Option<Proto>) -> Draft {
    let dst = dst.map(|dst| Match::Dst(Test::is(dst)));
    let (source, device) = if matches!(local, Some(Match::In(_))) { (None, local) } else { (local, None) };
    let proto = proto.map(|proto| Match::Proto(Test::is(proto)));
    let mut matches = Vec::with_capacity(4);
    matches.extend([source, dst, device, proto].into_iter().flatten());
    Draft(matches)
}

/// A rule for every packet.
pub(super) fn any() -> Draft {
    Draft(Vec::with_capacity(2))
}

/// A rule for packets to one address and port.
pub(super) fn to_vip(vip: IpAddr, proto: Proto) -> Draft {
    heads(None, Some(Cidr::host(vip)), Some(proto))
}

impl Draft {
    pub(super) fn with(mut self, test: Match) -> Draft {
        self.0.push(test);
        self
    }

    pub(super) fn comment(self, text: impl Into<Arc<str>>) -> Draft {
        self.with(Match::Comment(text.into()))
    }

    pub(super) fn dport(self, proto: Proto, port: u16) -> Draft {
        let dport = Some(Test::is(PortRange::one(port)));
        self.with(Match::Ports { proto, sport: None, dport, flags: None, option: None })
    }

    pub(super) fn src_type_local(self) -> Draft {
        self.with(Match::AddrType { src: Some(Test::is(AddrTypes::of(&[AddrType::Local]))), dst: None })
    }

    pub(super) fn dst_type_local(self) -> Draft {
        self.with(Match::AddrType { src: None, dst: Some(Test::is(AddrTypes::of(&[AddrType::Local]))) })
    }

    pub(super) fn ct_state(self, states: &[CtState]) -> Draft {
        self.with(Match::CtState(Test::is(CtStates::of(states))))
    }

    pub(super) fn nfacct(self, counter: &str) -> Draft {
        self.with(Match::Nfacct(counter.into()))
    }

    pub(super) fn then(self, target: Target) -> Rule {
        Rule { matches: self.0, target }
    }

    pub(super) fn jump(self, chain: &kdp_netfilter::Name) -> Rule {
        self.then(Target::Jump(chain.clone()))
    }
}

/// What REJECT without an option says.
pub(super) fn reject(family: Family) -> Target {
    Target::Reject(match family {
        Family::V4 => RejectWith::PORT_UNREACHABLE,
        Family::V6 => RejectWith::PORT_UNREACHABLE_V6,
    })
}
