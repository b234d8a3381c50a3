//! The conntrack tool: its commands, as its command line says them.

mod parse;

#[cfg(test)]
mod tests;

use kdp_packet::Tuple;
use kdp_sim::Time;

use super::connection::{Connection, Counter, Direction, ProtoState, Status};
use super::filter::Filter;
use super::listing::{Format, list};
use super::sctp::{SctpFlow, SctpState};
use super::table::{Conntrack, EntryId, EntryView};
use super::tcp::{Side, TcpFlow, TcpState};
use crate::NatRange;
use crate::nat::{Manip, PortDraw, null_binding, setup};

/// A command of the tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `-L`.
    List {
        /// Which entries.
        filter: Filter,
        /// How they are printed.
        format: Format,
    },
    /// `-D`.
    Delete(Filter),
    /// `-F`.
    Flush,
    /// `-C`: how many entries there are.
    Count,
    /// `-U`.
    Update {
        /// Which entries.
        filter: Filter,
        /// `--timeout`, in seconds.
        timeout: Option<u32>,
        /// `--mark`.
        mark: Option<u32>,
    },
    /// `-I`.
    Insert(Box<ByHand>),
}

/// An entry made by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByHand {
    /// The original tuple.
    pub original: Tuple,
    /// The reply tuple before NAT; usually the inverse of the original.
    pub reply: Tuple,
    /// `--timeout`, in seconds.
    pub timeout: u32,
    /// `--status`: [`Status::SEEN_REPLY`], [`Status::ASSURED`], [`Status::FIXED_TIMEOUT`].
    pub status: Status,
    /// `--mark`.
    pub mark: u32,
    /// `--state` of TCP or SCTP.
    pub state: Option<String>,
    /// `--src-nat`.
    pub src_nat: Option<NatRange>,
    /// `--dst-nat`.
    pub dst_nat: Option<NatRange>,
}

/// What a command did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ran {
    /// The exit status: 0, or 1 if nothing was found to delete, update or insert.
    pub status: u8,
    /// How many entries it showed, deleted, updated or made; `None` where the tool reports none.
    pub count: Option<usize>,
    /// What it prints on standard output.
    pub text: String,
}

impl Conntrack {
    /// Runs a command of the tool. `draw` gives ports to an entry that is made with a range.
    ///
    /// Source: conntrack-tools, src/conntrack.c `main`: a command other than a listing that met nothing fails.
    pub fn run(&mut self, command: &Command, now: Time, draw: &mut dyn PortDraw) -> Ran {
        match command {
            Command::List { filter, format } => {
                let entries = self.select(filter, now);
                let text = list(&entries, &self.settings, *format);
                Ran { status: 0, count: Some(entries.len()), text }
            }
            Command::Delete(filter) => {
                let entries = self.select(filter, now);
                let text = list(&entries, &self.settings, Format::default());
                met(self.delete(filter, now), text)
            }
            Command::Flush => {
                self.flush();
                Ran::default()
            }
            Command::Count => Ran { text: format!("{}\n", self.count(now)), ..Ran::default() },
            Command::Update { filter, timeout, mark } => {
                let ids: Vec<EntryId> = self.select(filter, now).iter().map(EntryView::id).collect();
                if !filter.names_family() {
                    // The kernel refuses an update that says no family. Source: conntrack-tools 1.4.7, observed: "Operation
                    // not supported"; with ports nothing is found at all.
                    let found = !ids.is_empty() && !filter.names_ports();
                    return if found { Ran { status: 1, ..Ran::default() } } else { met(0, String::new()) };
                }
                for id in &ids {
                    self.be_liberal(*id);
                    timeout.map(|seconds| self.set_timeout(*id, seconds, now));
                    mark.map(|mark| self.set_mark(*id, mark, now));
                }
                let entries = self.select(filter, now);
                let entries: Vec<_> = entries.into_iter().filter(|entry| ids.contains(&entry.id())).collect();
                let text = list(&entries, &self.settings, Format::default()).replace(" use=1\n", " use=2\n");
                met(ids.len(), text)
            }
            Command::Insert(by_hand) => match self.insert_by_hand(by_hand, now, draw) {
                Some(_) => met(1, String::new()),
                None => Ran { status: 1, ..Ran::default() },
            },
        }
    }

    /// An update of a TCP entry switches its windows off: the tool sends its flags along.
    /// Source: conntrack-tools 1.4.7, observed: both sides have `IP_CT_TCP_FLAG_BE_LIBERAL` afterwards.
    fn be_liberal(&mut self, id: EntryId) {
        self.edit(id, |connection, _| {
            if let ProtoState::Tcp(flow) = &mut connection.proto {
                flow.sides.iter_mut().for_each(|side| side.flags |= Side::BE_LIBERAL);
            }
        });
    }

    /// Makes an entry by hand; `None` if one of its tuples is taken. Packets follow it instead of the rules.
    ///
    /// Source: Linux 6.18, `nf_conntrack_netlink.c` `ctnetlink_create_conntrack`.
    pub fn insert_by_hand(
        &mut self,
        by_hand: &ByHand,
        now: Time,
        draw: &mut dyn PortDraw,
    ) -> Option<EntryId> {
        self.expire(now);
        let mut connection = Connection {
            original: by_hand.original,
            reply: by_hand.reply,
            status: Status::default(),
            mark: by_hand.mark,
            timeout: by_hand.timeout,
            deadline: Time::ZERO,
            proto: proto_state(by_hand),
            counters: [Counter::default(); 2],
            masquerade: None,
            timeouts: None,
        };
        for (manip, range) in [(Manip::Dst, &by_hand.dst_nat), (Manip::Src, &by_hand.src_nat)] {
            match range {
                Some(range) => setup(self, &mut connection, manip, range, now, draw),
                None => null_binding(self, &mut connection, manip, now, draw),
            }
        }
        connection.status.add(by_hand.status);
        let free = [Direction::Original, Direction::Reply]
            .into_iter()
            .all(|direction| self.lookup(connection.tuple(direction)).is_none());
        free.then(|| self.insert(connection, false, now))
    }
}

fn met(count: usize, text: String) -> Ran {
    Ran { status: u8::from(count == 0), count: Some(count), text }
}

/// What a tracker is told of an entry it has not seen grow: of TCP and SCTP the state alone.
fn proto_state(by_hand: &ByHand) -> ProtoState {
    use kdp_packet::Proto;
    let named = by_hand.state.as_deref();
    match by_hand.original.proto {
        Proto::TCP => {
            let state = TcpState::ALL.into_iter().find(|state| named == Some(state.name()));
            ProtoState::Tcp(TcpFlow::in_state(state.unwrap_or_default()))
        }
        Proto::SCTP => {
            let state = SctpState::ALL.into_iter().find(|state| named == Some(state.name()));
            ProtoState::Sctp(SctpFlow::in_state(state.unwrap_or_default()))
        }
        Proto::UDP | Proto::UDPLITE => ProtoState::Udp { stream_from: None },
        Proto::ICMP | Proto::ICMPV6 => ProtoState::Icmp,
        Proto::GRE => ProtoState::Gre,
        _ => ProtoState::Generic,
    }
}
