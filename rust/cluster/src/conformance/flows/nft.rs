//! The same for a node in nftables mode.

use kdp_netfilter::conntrack::{Direction, Status};
use kdp_netfilter::nft::{Around, BaseChain, Ruleset, State};
use kdp_netfilter::vm::{Explore, Frame, Seen, Silent, Verdict};
use kdp_netfilter::{AddrType, CtState, CtStates, Hook};
use kdp_packet::Headers;

use super::{Locality, Node, Outcome, backend};

/// The first packet of a flow on its way, with what hooks made of it.
struct Packet {
    headers: Headers,
    mark: u32,
    status: Status,
    states: CtStates,
    masquerade: bool,
}

impl Node {
    pub(super) fn walk_nft(&self, ruleset: &Ruleset, headers: &Headers, choose: &mut Explore) -> Outcome {
        let mut packet = Packet {
            headers: headers.clone(),
            mark: 0,
            status: Status::default(),
            states: CtStates::of(&[CtState::New]),
            masquerade: false,
        };
        if let Some(end) = self.at_nft(ruleset, Hook::Prerouting, &mut packet, choose) {
            return end;
        }
        let local = self.addr_type(packet.headers.dst) == AddrType::Local;
        let hook = if local { Hook::Input } else { Hook::Forward };
        if let Some(end) = self.at_nft(ruleset, hook, &mut packet, choose) {
            return end;
        }
        if !packet.status.has(Status::DST_NAT) {
            return Outcome::Nothing;
        }
        if let Some(end) = self.at_nft(ruleset, Hook::Postrouting, &mut packet, choose) {
            return end;
        }
        Outcome::Dnat { backend: backend(&packet.headers), masquerade: packet.masquerade }
    }

    /// Takes the packet through the base chains of a hook, by priority; what ends its way.
    fn at_nft(
        &self,
        ruleset: &Ruleset,
        hook: Hook,
        packet: &mut Packet,
        choose: &mut Explore,
    ) -> Option<Outcome> {
        let family = packet.headers.family();
        let bases = |nat| ruleset.bases(hook, family, nat);
        let mut chains: Vec<&BaseChain> = bases(false).chain(bases(true)).collect();
        chains.sort_by_key(|chain| chain.base().priority);
        for chain in chains {
            match self.says(ruleset, chain, packet, choose) {
                Verdict::Drop => return Some(Outcome::Drop),
                Verdict::Reject(_) => return Some(Outcome::Reject),
                Verdict::Dnat(range) => {
                    let (addr, _) = range.addrs.expect("a proxy translates to an address");
                    packet.headers.dst = addr;
                    packet.headers.dport = range.ports.map_or(packet.headers.dport, |ports| ports.first);
                    packet.states = packet.states.with(CtState::Dnat);
                    packet.status.add(Status::DST_NAT);
                }
                Verdict::Masquerade(_) => packet.masquerade = true,
                _ => {}
            }
        }
        None
    }

    fn says(
        &self,
        ruleset: &Ruleset,
        chain: &BaseChain,
        packet: &mut Packet,
        choose: &mut Explore,
    ) -> Verdict {
        let tuple = packet.headers.tuple(0);
        let seen = Seen {
            original: tuple,
            reply: tuple.inverse().expect("a flow has ports"),
            direction: Direction::Original,
            status: packet.status,
            mark: 0,
            remaining: 0,
            counters: Default::default(),
        };
        let base = Frame::new(&packet.headers);
        let mut frame = Frame { mark: packet.mark, ct: packet.states, connection: Some(seen), ..base };
        let (mut state, mut trace) = (State::new(), Silent);
        let mut around = Around { locality: self, state: &mut state, choose, trace: &mut trace };
        let walk = ruleset.evaluate(chain, &mut frame, &mut around);
        packet.mark = frame.mark;
        walk.verdict
    }
}
