//! The next segment that a well-behaved end of a TCP connection sends.

use kdp_packet::{Headers, Tcp, Tuple, flags};

use super::connection::{Connection, Direction, ProtoState};
use super::tcp::{TcpFlow, TcpState};

/// Makes a TCP packet the next one of its connection: SYN where there is none, SYN again while nobody answered, SYN/ACK from
/// the other side, the ACK that completes the handshake, then one byte of data as long as the other end has room for it, and a
/// bare ACK where it has not.
pub fn next_segment(headers: &mut Headers, entry: Option<(&Connection, Direction)>) {
    let fresh = syn(&headers.tuple(0));
    let tcp = match entry {
        Some((entry, direction)) => match entry.proto_state() {
            ProtoState::Tcp(flow) => of_flow(flow, direction, entry.tuple(direction)),
            _ => fresh,
        },
        None => fresh,
    };
    headers.length += u16::from(tcp.data_len > 0);
    headers.tcp = Some(Tcp { window: headers.tcp.map_or(0, |tcp| tcp.window), ..tcp });
}

fn of_flow(flow: &TcpFlow, direction: Direction, tuple: &Tuple) -> Tcp {
    let (own, peer) = (flow.sides[direction.index()], flow.sides[direction.flip().index()]);
    let original = direction == Direction::Original;
    let segment = |bits, seq| Tcp { flags: bits, seq, ack: peer.end, ..Tcp::default() };
    match (flow.state, original) {
        (TcpState::SynSent, true) => {
            Tcp { flags: flags::SYN, seq: own.end.wrapping_sub(1), ..Tcp::default() }
        }
        (TcpState::SynSent, false) => segment(flags::SYN | flags::ACK, initial_sequence(tuple)),
        (TcpState::SynRecv, false) => segment(flags::SYN | flags::ACK, own.end.wrapping_sub(1)),
        (TcpState::TimeWait | TcpState::Close, true) => {
            Tcp { flags: flags::SYN, seq: own.end.wrapping_add(1), ..Tcp::default() }
        }
        (TcpState::Established, _) => next_data(flow, direction),
        _ => segment(flags::ACK, own.end),
    }
}

/// One byte of data, or a bare ACK where the other end has no room for it.
pub(super) fn next_data(flow: &TcpFlow, direction: Direction) -> Tcp {
    let (own, peer) = (flow.sides[direction.index()], flow.sides[direction.flip().index()]);
    let ack = Tcp { flags: flags::ACK, seq: own.end, ack: peer.end, ..Tcp::default() };
    let has_room = own.max_end.wrapping_sub(own.end).wrapping_sub(1) < 1 << 31;
    if has_room { Tcp { flags: flags::ACK | flags::PSH, data_len: 1, ..ack } } else { ack }
}

fn syn(tuple: &Tuple) -> Tcp {
    Tcp { flags: flags::SYN, seq: initial_sequence(tuple), ..Tcp::default() }
}

/// The sequence number that an end begins with: a function of its tuple, so that the same flow is the same bytes.
fn initial_sequence(tuple: &Tuple) -> u32 {
    let [a, b, c, d, ..] = tuple.digest().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
