//! Each state by each chunk, against what Linux 6.18.44 did.

use kdp_packet::{Headers, Proto, Sctp, SctpChunk};
use kdp_sim::{Chance, Time};

use super::{SctpState, chunk};
use crate::conntrack::{Conntrack, Direction, PacketState, Settings, Status, Tracked};

const TAGS: [u32; 2] = [0xaaaa, 0xbbbb];

const CHUNKS: [(&str, u8); 12] = [
    ("init", chunk::INIT),
    ("init_ack", chunk::INIT_ACK),
    ("abort", chunk::ABORT),
    ("shutdown", chunk::SHUTDOWN),
    ("shutdown_ack", chunk::SHUTDOWN_ACK),
    ("error", chunk::ERROR),
    ("cookie_echo", chunk::COOKIE_ECHO),
    ("cookie_ack", chunk::COOKIE_ACK),
    ("shutdown_complete", chunk::SHUTDOWN_COMPLETE),
    ("heartbeat", chunk::HEARTBEAT),
    ("heartbeat_ack", chunk::HEARTBEAT_ACK),
    ("data", chunk::DATA),
];

fn packet(direction: Direction, name: &str) -> Headers {
    let kind = CHUNKS.iter().find(|(known, _)| *known == name).unwrap().1;
    let ends = [([10, 0, 0, 5].into(), 2_000), ([10, 244, 0, 2].into(), 80)];
    let [mine, peer] = [direction.index(), direction.flip().index()];
    let init_tag = if matches!(kind, chunk::INIT | chunk::INIT_ACK) { TAGS[mine] } else { 0 };
    let tag = if kind == chunk::INIT { 0 } else { TAGS[peer] };
    let chunks = vec![SctpChunk { kind, flags: 0, init_tag }];
    Headers {
        sctp: Some(Box::new(Sctp { tag, chunks })),
        ..Headers::plain(Proto::SCTP, ends[mine], ends[peer])
    }
}

fn send(table: &mut Conntrack, direction: Direction, name: &str) -> Tracked {
    let tracked = table.track(&packet(direction, name), 0, true, Time::ZERO);
    if let Tracked::New(connection) = &tracked {
        table.confirm(connection.clone(), Time::ZERO);
    }
    tracked
}

/// A table with one association in `state`.
fn in_state(state: SctpState) -> Conntrack {
    use Direction::{Original, Reply};
    let closer = if state == SctpState::ShutdownRecd { Reply } else { Original };
    let opening = [(Original, "init"), (Reply, "init_ack"), (Original, "cookie_echo"), (Reply, "cookie_ack")];
    let closing = [(closer, "shutdown"), (Reply, "shutdown_ack")];
    let (steps, more): (usize, usize) = match state {
        SctpState::None | SctpState::HeartbeatSent => (0, 0),
        SctpState::Closed => (1, 0),
        SctpState::CookieWait => (2, 0),
        SctpState::CookieEchoed => (3, 0),
        SctpState::Established => (4, 0),
        SctpState::ShutdownSent | SctpState::ShutdownRecd => (4, 1),
        SctpState::ShutdownAckSent => (4, 2),
    };
    let mut table = Conntrack::new(Settings::default(), Chance::new(1));
    if state == SctpState::HeartbeatSent {
        send(&mut table, Original, "heartbeat");
    }
    for (direction, name) in opening.into_iter().take(steps).chain(closing.into_iter().take(more)) {
        send(&mut table, direction, name);
    }
    table
}

#[test]
fn each_state_by_each_chunk_is_as_the_kernel_had_it() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cases/sctp/table.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let mut cells = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let state = SctpState::ALL.into_iter().find(|state| state.name() == words[0]).unwrap();
        let direction = if words[1] == "orig" { Direction::Original } else { Direction::Reply };
        let mut table = in_state(state);
        let before = table.entries(Time::ZERO).first().map(|entry| (entry.id(), entry.state_name()));
        assert_eq!(before.and_then(|(_, name)| name).unwrap_or("NONE"), state.name(), "{line}");
        if let Some((id, _)) = before {
            assert!(table.set_timeout(id, 777, Time::ZERO));
        }
        let packet = match send(&mut table, direction, words[2]) {
            Tracked::New(_) | Tracked::Known { state: PacketState::New, .. } => "N",
            Tracked::Known { state: PacketState::Established, .. } => "E",
            Tracked::Invalid => "I",
            other => panic!("{other:?}"),
        };
        let mut got = vec![packet.to_owned()];
        match table.entries(Time::ZERO).first() {
            None => got.push("gone".to_owned()),
            Some(entry) => {
                let letters = |bit, letter: &str| entry.status().has(bit).then(|| letter.to_owned());
                let flags: String = letters(Status::SEEN_REPLY, "R")
                    .into_iter()
                    .chain(letters(Status::ASSURED, "A"))
                    .collect();
                got.push(entry.state_name().unwrap().to_owned());
                got.push(if flags.is_empty() { ".".to_owned() } else { flags });
                let read: u64 = words[6].parse().unwrap();
                let timeout = entry.remaining().as_secs();
                got.push(if read + 1 == timeout { read } else { timeout }.to_string());
            }
        }
        assert_eq!(got, words[3..], "{line}");
        cells += 1;
    }
    assert_eq!(cells, 204);
}
