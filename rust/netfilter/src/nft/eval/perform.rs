//! The statements of a rule, one after another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use kdp_packet::Family;

use super::state::Meter;
use super::trace::Listen;
use super::{Then, Walker};
use crate::conntrack::Status;
use crate::nft::ruleset::{Installed, Key};
use crate::nft::{Comparison, Data, Expr, Nat, NatKind, ObjectKind, Reject, Right, Statement, UpdateOp};
use crate::vm::{self, Choose, Frame, Locality};
use crate::{NatRange, PortRange, RejectWith};

impl<L: Locality, C: Choose, T: Listen> Walker<'_, '_, L, C, T> {
    /// Does what a rule says, until a statement is not met or decides.
    pub(super) fn perform(&mut self, rule: &Installed, frame: &mut Frame<'_>) -> Then {
        let mut meter = Meter { owner: rule.handle, place: 0 };
        for statement in &rule.rule.statements {
            match self.statement(statement, &mut meter, frame) {
                Then::Next => {}
                other => return other,
            }
        }
        Then::Next
    }

    fn statement(&mut self, statement: &Statement, meter: &mut Meter, frame: &mut Frame<'_>) -> Then {
        match statement {
            Statement::Match { left, comparison, right } => {
                met(self.compares((left, *comparison, right), meter, frame))
            }
            Statement::Verdict(verdict) => Then::Lead(verdict.clone()),
            Statement::Vmap { key, map } => {
                let key = self.values(key, meter, frame);
                match key.and_then(|key| self.mapped(map, &key, frame)) {
                    Some(Data::Verdict(verdict)) => Then::Lead(verdict),
                    Some(Data::Values(_)) => unreachable!("a verdict map gives verdicts"),
                    None => Then::Unmet,
                }
            }
            Statement::Set { target, value } => match self.values(value, meter, frame) {
                Some(value) => super::rewrite::set(*target, value[0], frame, self.around.locality),
                None => Then::Unmet,
            },
            Statement::Nat(nat) => self.nat(nat, meter, frame),
            Statement::Reject(reject) => self::reject(*reject, frame),
            Statement::Update { op, set, key, timeout } => {
                frame.varies.set(true);
                let Some(key) = self.values(key, meter, frame) else { return Then::Unmet };
                met(self.update(*op, set, key, *timeout, frame))
            }
            Statement::Notrack => {
                frame.notrack = true;
                Then::Next
            }
            Statement::Log(_) => Then::Next,
            Statement::CtTimeout(name) => {
                self.give_timeouts(name, frame);
                Then::Next
            }
            _ => {
                frame.varies.set(true);
                met(self.counts(statement, meter, frame))
            }
        }
    }

    fn compares(
        &mut self,
        (left, comparison, right): (&Expr, Comparison, &Right),
        meter: &mut Meter,
        frame: &Frame<'_>,
    ) -> bool {
        let Some(key) = self.values(left, meter, frame) else { return false };
        match right {
            Right::Set(set) => self.contains(set, &key, frame) == (comparison == Comparison::Equal),
            Right::AnyBit(bits) => (key[0] & u128::from(*bits) != 0) == (comparison == Comparison::Equal),
            Right::Span(span) => match comparison {
                Comparison::Equal => span.contains(key[0]),
                Comparison::Unequal => !span.contains(key[0]),
                Comparison::Less => key[0] < span.first,
                Comparison::AtMost => key[0] <= span.last,
                Comparison::Greater => key[0] > span.last,
                Comparison::AtLeast => key[0] >= span.first,
            },
        }
    }

    /// Source: net/netfilter/nft_dynset.c, v6.12: a full set ends the rule.
    fn update(
        &mut self,
        op: UpdateOp,
        set: &str,
        key: Key,
        timeout: Option<kdp_sim::Time>,
        frame: &Frame<'_>,
    ) -> bool {
        let (number, content) = self.home.set_named(set).expect("a set that a rule changes is there");
        let state = &mut *self.around.state;
        match op {
            UpdateOp::Add => state.put((number, content), key, (frame.now, timeout), false),
            UpdateOp::Update => state.put((number, content), key, (frame.now, timeout), true),
            UpdateOp::Delete => {
                state.take(number, key);
                true
            }
        }
    }

    /// Counters, quotas and limits, the rule's own and named ones.
    fn counts(&mut self, statement: &Statement, meter: &mut Meter, frame: &Frame<'_>) -> bool {
        let (length, now) = (frame.headers.length, frame.now);
        let home = self.home;
        let state = &mut *self.around.state;
        match statement {
            Statement::Counter(None) => state.count(meter, length),
            Statement::Quota(quota) => return state.quota(meter, *quota, length),
            Statement::Limit(limit) => return state.limit(meter, *limit, length, now),
            Statement::Counter(Some(name)) | Statement::QuotaName(name) | Statement::LimitName(name) => {
                let (number, object) = home.objects.get(name).expect("an object that a rule names is there");
                let mut meter = Meter::of_object(*number);
                match &object.kind {
                    ObjectKind::Counter => state.count(&mut meter, length),
                    ObjectKind::Quota(quota) => return state.quota(&mut meter, *quota, length),
                    ObjectKind::Limit(limit) => return state.limit(&mut meter, *limit, length, now),
                    ObjectKind::CtTimeout(_) => unreachable!("a rule names an object of its own kind"),
                }
            }
            _ => unreachable!("other statements are done elsewhere"),
        }
        true
    }

    /// Source: net/netfilter/nft_ct.c, v6.12, `nft_ct_timeout_obj_eval`: a connection of another protocol, a confirmed
    /// one and a packet before connection tracking are left alone.
    fn give_timeouts(&self, name: &str, frame: &mut Frame<'_>) {
        let (_, object) = self.home.objects.get(name).expect("an object that a rule names is there");
        let ObjectKind::CtTimeout(policy) = &object.kind else {
            unreachable!("a rule names an object of its own kind")
        };
        let fresh = frame.connection.is_some_and(|seen| !seen.status.has(Status::CONFIRMED));
        if fresh && frame.headers.proto == policy.proto {
            frame.timeouts = Some(policy.clone());
        }
    }

    fn nat(&mut self, nat: &Nat, meter: &mut Meter, frame: &Frame<'_>) -> Then {
        // In a table of both families the named family is asked for first.
        let family = frame.headers.family();
        if nat.family.is_some_and(|named| named != family) {
            return Then::Unmet;
        }
        let mut range = nat.range;
        if let Some(from) = &nat.from {
            let Some(values) = self.values(from, meter, frame) else { return Then::Unmet };
            let addr = address(family, values[0]);
            range.addrs = Some((addr, addr));
            range.ports = values.get(1).map(|port| PortRange::one(u16::try_from(*port).unwrap_or(u16::MAX)));
        }
        Then::Done(translation(nat.kind, range))
    }
}

fn met(met: bool) -> Then {
    if met { Then::Next } else { Then::Unmet }
}

fn translation(kind: NatKind, range: NatRange) -> vm::Verdict {
    match kind {
        NatKind::Dnat => vm::Verdict::Dnat(range),
        NatKind::Snat => vm::Verdict::Snat(range),
        NatKind::Masquerade => vm::Verdict::Masquerade(range),
        NatKind::Redirect => vm::Verdict::Redirect(range),
    }
}

pub(super) fn address(family: Family, bits: u128) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::from(u32::try_from(bits).unwrap_or(u32::MAX)).into(),
        Family::V6 => Ipv6Addr::from(bits).into(),
    }
}

/// Source: net/netfilter/nft_reject_inet.c, nft_reject.c, v6.12; include/uapi/linux/netfilter/nf_tables.h for icmpx codes.
fn reject(reject: Reject, frame: &Frame<'_>) -> Then {
    let family = frame.headers.family();
    let with = match (reject, family) {
        (Reject::TcpReset, _) if frame.headers.tcp.is_none() => return Then::Unmet,
        (Reject::TcpReset, _) => RejectWith::TcpReset,
        (Reject::Icmp(code), Family::V4) | (Reject::Icmpv6(code), Family::V6) => {
            RejectWith::Unreachable(code)
        }
        // nft puts a test of the family before them.
        (Reject::Icmp(_), Family::V6) | (Reject::Icmpv6(_), Family::V4) => return Then::Unmet,
        (Reject::Icmpx(code), Family::V4) => RejectWith::Unreachable([0, 3, 1, 13][usize::from(code & 3)]),
        (Reject::Icmpx(code), Family::V6) => RejectWith::Unreachable([0, 4, 3, 1][usize::from(code & 3)]),
    };
    Then::Done(vm::Verdict::Reject(with))
}
