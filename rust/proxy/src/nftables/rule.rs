//! Rules, put together in the order in which kube-proxy spells them.

use std::net::IpAddr;
use std::sync::Arc;

use kdp_netfilter::nft::{
    Comparison, CtField, Element, Expr, Load, MapRef, MapsTo, Nat, NatKind, Reject, Right, Rule, SetRef,
    Settable, Span, Statement, TableFamily, Transport, Type, UpdateOp, Verdict,
};
use kdp_netfilter::{Name, NatRange};
use kdp_packet::{Cidr, Family, Proto};

use super::sets::Shared;
use crate::config::{LocalDetector, Settings};

/// `new` of `ct state`. Source: include/uapi/linux/netfilter/nf_conntrack_common.h, `NF_CT_STATE_BIT(IP_CT_NEW)`.
const CT_STATE_NEW: u32 = 1 << 3;
/// `dnat` of `ct status`. Source: the same file, `IPS_DST_NAT`.
const CT_STATUS_DNAT: u32 = 1 << 5;
/// `local` of an address type. Source: include/uapi/linux/rtnetlink.h, `RTN_LOCAL`.
const TYPE_LOCAL: u128 = 2;

/// The beginning of a rule in a family's table.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    family: Family,
    statements: Vec<Statement>,
}

/// A rule that begins with nothing.
pub(super) fn any(family: Family) -> Draft {
    Draft { family, statements: Vec::new() }
}

impl Draft {
    fn with(mut self, statement: Statement) -> Draft {
        self.statements.push(statement);
        self
    }

    fn any_bit(self, field: CtField, bits: u32) -> Draft {
        let left = Load::Ct(field).into();
        self.with(Statement::Match { left, comparison: Comparison::Equal, right: Right::AnyBit(bits) })
    }

    pub(super) fn ct_new(self) -> Draft {
        self.any_bit(CtField::State, CT_STATE_NEW)
    }

    pub(super) fn ct_dnat(self) -> Draft {
        self.any_bit(CtField::Status, CT_STATUS_DNAT)
    }

    pub(super) fn saddr(self, ip: IpAddr) -> Draft {
        let load = Load::Saddr(self.family);
        self.with(Statement::is(load, Span::addr(ip)))
    }

    pub(super) fn saddr_in(self, set: &Arc<str>) -> Draft {
        let load = Load::Saddr(self.family);
        self.with(Statement::in_set(load, set.clone()))
    }

    pub(super) fn saddr_outside(self, networks: &[Cidr]) -> Draft {
        let load = Load::Saddr(self.family);
        self.with(among(load, Comparison::Unequal, networks))
    }

    pub(super) fn daddr(self, ip: IpAddr) -> Draft {
        let load = Load::Daddr(self.family);
        self.with(Statement::is(load, Span::addr(ip)))
    }

    pub(super) fn daddr_within(self, networks: &[Cidr]) -> Draft {
        let load = Load::Daddr(self.family);
        self.with(among(load, Comparison::Equal, networks))
    }

    pub(super) fn daddr_not(self, network: Cidr) -> Draft {
        let load = Load::Daddr(self.family);
        self.with(Statement::is_not(load, Span::cidr(network)))
    }

    pub(super) fn daddr_in(self, set: Shared) -> Draft {
        let load = Load::Daddr(self.family);
        self.with(Statement::in_set(load, set.name()))
    }

    /// From one of this node's pods, or not; as it stands where there is no detector.
    ///
    /// DEVIATION(nft-iif-by-name): before 1.33 kube-proxy matches a bridge by its index, so that nft refuses all rules while
    /// there is none of that name; here it is matched by name in every release.
    pub(super) fn pods(self, settings: &Settings, pods: bool) -> Draft {
        let (load, span) = match &settings.local {
            LocalDetector::None => return self,
            LocalDetector::Cidr(cidr) => (Load::Saddr(self.family), Span::cidr(*cidr)),
            LocalDetector::Device(device) if device.prefix => (Load::InDevice, Span::devices(&device.name)),
            LocalDetector::Device(device) => (Load::InDevice, Span::device(&device.name)),
        };
        self.with(if pods { Statement::is(load, span) } else { Statement::is_not(load, span) })
    }

    pub(super) fn saddr_local(self) -> Draft {
        self.with(Statement::is(Load::FibSaddrType, Span::one(TYPE_LOCAL)))
    }

    pub(super) fn daddr_local(self) -> Draft {
        self.with(Statement::is(Load::FibDaddrType, Span::one(TYPE_LOCAL)))
    }

    pub(super) fn protocol(self, protocol: Proto) -> Draft {
        self.with(Statement::is(Load::L4Proto, Span::proto(protocol)))
    }

    pub(super) fn port(self, protocol: Proto, port: u16) -> Draft {
        let transport = match protocol {
            Proto::UDP => Transport::Udp,
            Proto::SCTP => Transport::Sctp,
            _ => Transport::Tcp,
        };
        self.with(Statement::is(Load::Dport(transport), Span::port(port)))
    }

    pub(super) fn marked(self, bit: u32, marked: bool) -> Draft {
        let left = Expr::Load(Load::Mark).and(bit);
        self.with(if marked {
            Statement::is_not(left, Span::one(0))
        } else {
            Statement::is(left, Span::one(0))
        })
    }

    /// A connection from an endpoint to itself.
    pub(super) fn hairpin(self) -> Draft {
        let family = self.family;
        let left = [Load::Saddr(family), Load::Daddr(family), Load::L4Proto, Load::Dport(Transport::Any)];
        self.with(Statement::in_set(Expr::concat(&left), Shared::HairpinConnections.name()))
    }

    pub(super) fn set_mark(self, bit: u32) -> Draft {
        let value = Expr::Load(Load::Mark).or(bit);
        self.with(Statement::Set { target: Settable::Mark, value })
    }

    pub(super) fn clear_mark(self, bit: u32) -> Draft {
        let value = Expr::Load(Load::Mark).xor(bit);
        self.with(Statement::Set { target: Settable::Mark, value })
    }

    pub(super) fn end(self) -> Rule {
        Rule::new(self.statements)
    }

    pub(super) fn verdict(self, verdict: Verdict) -> Rule {
        self.with(Statement::Verdict(verdict)).end()
    }

    pub(super) fn jump(self, chain: impl Into<Name>) -> Rule {
        self.verdict(Verdict::Jump(chain.into()))
    }

    pub(super) fn goto(self, chain: &Name) -> Rule {
        self.verdict(Verdict::Goto(chain.clone()))
    }

    pub(super) fn reject(self) -> Rule {
        let reject = Reject::default_of(TableFamily::from(self.family));
        self.with(Statement::Reject(reject)).end()
    }

    pub(super) fn masquerade(self) -> Rule {
        let range = NatRange { random_fully: true, ..NatRange::default() };
        self.with(Statement::Nat(Nat::to(NatKind::Masquerade, range))).end()
    }

    /// Where a map of frontends leads: `ip daddr . meta l4proto . th dport`.
    pub(super) fn vip_map(self, map: Shared) -> Rule {
        let key = [Load::Daddr(self.family), Load::L4Proto, Load::Dport(Transport::Any)];
        let map = SetRef::Named(map.name().into());
        self.with(Statement::Vmap { key: Expr::concat(&key), map }).end()
    }

    /// Where a map of node ports leads: `meta l4proto . th dport`.
    pub(super) fn port_map(self, map: Shared) -> Rule {
        let key = [Load::L4Proto, Load::Dport(Transport::Any)];
        let map = SetRef::Named(map.name().into());
        self.with(Statement::Vmap { key: Expr::concat(&key), map }).end()
    }

    /// One of these chains, each as likely as the others.
    pub(super) fn spread(self, chains: &[Name]) -> Rule {
        let element = |(i, chain): (usize, &Name)| {
            Element::to_verdict(&[Span::one(i as u128)], Verdict::Goto(chain.clone()))
        };
        let map = SetRef::Anonymous(chains.iter().enumerate().map(element).collect());
        self.with(Statement::Vmap { key: random(chains.len()), map }).end()
    }

    pub(super) fn update(self, set: &Arc<str>) -> Rule {
        let key = Load::Saddr(self.family).into();
        let update = Statement::Update { op: UpdateOp::Update, set: set.clone(), key, timeout: None };
        self.with(update).end()
    }

    pub(super) fn dnat(self, ip: IpAddr, port: u16) -> Rule {
        let range = NatRange::to(ip, Some(port));
        self.with(Statement::Nat(Nat::to(NatKind::Dnat, range))).end()
    }

    /// A translation to one of these, each as likely as the others.
    pub(super) fn dnat_spread(self, endpoints: &[(IpAddr, u16)]) -> Rule {
        let element = |(i, (ip, port)): (usize, &(IpAddr, u16))| {
            Element::to_values(&[Span::one(i as u128)], &[Span::addr(*ip), Span::port(*port)])
        };
        let set = SetRef::Anonymous(endpoints.iter().enumerate().map(element).collect());
        let data = MapsTo::Values(vec![Type::addr(self.family), Type::InetService]);
        let from = Expr::Map { key: Box::new(random(endpoints.len())), map: MapRef { set, data } };
        let nat = Nat {
            kind: NatKind::Dnat,
            family: Some(self.family),
            range: NatRange::default(),
            from: Some(from),
        };
        self.with(Statement::Nat(nat)).end()
    }
}

fn random(of: usize) -> Expr {
    let modulus = u32::try_from(of).expect("a service port has fewer endpoints than 2^32");
    Load::NumgenRandom { modulus, offset: 0 }.into()
}

/// In one of these networks, or in none of them.
fn among(load: Load, comparison: Comparison, networks: &[Cidr]) -> Statement {
    let spans = merge(networks.iter().map(|network| Span::cidr(*network)).collect());
    let right = match spans[..] {
        // nft makes no set of one element.
        [span] => Right::Span(span),
        _ => Right::Set(SetRef::Anonymous(spans.iter().map(|span| Element::new(&[*span])).collect())),
    };
    Statement::Match { left: load.into(), comparison, right }
}

/// What nft makes of the elements of an anonymous set: ordered, and one where they touch.
/// Source: nft, `src/intervals.c` (`set_automerge`).
fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(before) if span.first <= before.last.saturating_add(1) => {
                before.last = before.last.max(span.last);
            }
            _ => merged.push(span),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn merged_spans_hold_the_same_values(ends in prop::collection::vec((0..60u128, 0..8u128), 1..12)) {
            let spans: Vec<Span> =
                ends.into_iter().map(|(first, more)| Span { first, last: first + more }).collect();
            let merged = merge(spans.clone());
            for value in 0..70 {
                let holds = |spans: &[Span]| spans.iter().any(|span| span.contains(value));
                prop_assert_eq!(holds(&merged), holds(&spans));
            }
            prop_assert!(merged.windows(2).all(|pair| pair[0].last + 1 < pair[1].first));
        }
    }
}
