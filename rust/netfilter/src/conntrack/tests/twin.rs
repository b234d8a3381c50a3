//! The slow twin: a list of entries, searched from its beginning. It shares no code with the table.

use proptest::prelude::*;

use super::*;
use kdp_packet::Tuple;

/// What both are asked to do.
#[derive(Clone, Copy, Debug)]
enum Op {
    /// A packet comes; the first of a connection is held, with its destination rewritten if there is one.
    Packet { tuple: Tuple, rewrite: Option<IpAddr> },
    /// A held packet goes on to confirm.
    Confirm(usize),
    /// A held packet is dropped.
    Drop(usize),
    /// Time passes.
    Wait { millis: u64 },
    /// The entries of a client are deleted.
    Delete(IpAddr),
    /// All entries are.
    Flush,
}

#[derive(Clone, Debug)]
struct Plain {
    original: Tuple,
    reply: Tuple,
    deadline: Time,
    stream_from: Time,
    seen_reply: bool,
    assured: bool,
    hidden: bool,
}

#[derive(Clone, Debug)]
struct Held {
    original: Tuple,
    reply: Tuple,
    made: Time,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    New,
    Known(Tuple, Direction, PacketState),
    Full,
    Invalid,
}

#[derive(Default)]
struct Twin {
    entries: Vec<Plain>,
    max: usize,
}

const fn seconds(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

impl Twin {
    fn alive(&mut self, now: Time) {
        self.entries.retain(|entry| entry.deadline > now);
    }

    fn position(&self, tuple: &Tuple) -> Option<(usize, Direction)> {
        let owns = |entry: &Plain| {
            if entry.original == *tuple && !entry.hidden {
                Some(Direction::Original)
            } else {
                (entry.reply == *tuple).then_some(Direction::Reply)
            }
        };
        self.entries.iter().enumerate().find_map(|(i, entry)| owns(entry).map(|direction| (i, direction)))
    }

    fn packet(&mut self, tuple: &Tuple, now: Time) -> Answer {
        self.alive(now);
        let Some((i, direction)) = self.position(tuple) else {
            if tuple.inverse().is_none() {
                return Answer::Invalid;
            }
            if self.entries.len() >= self.max {
                // One bucket: all that are not assured go.
                let before = self.entries.len();
                self.entries.retain(|entry| entry.assured);
                if self.entries.len() == before {
                    return Answer::Full;
                }
            }
            let asks = tuple.proto != Proto::ICMP || tuple.dport == 8 << 8;
            return if asks { Answer::New } else { Answer::Invalid };
        };
        let entry = &mut self.entries[i];
        let state = if direction == Direction::Original && !entry.seen_reply { New } else { Established };
        let stream = entry.seen_reply && now > entry.stream_from;
        if !entry.hidden {
            entry.deadline = now
                + match tuple.proto {
                    Proto::UDP if stream => seconds(120),
                    Proto::UDP | Proto::ICMP => seconds(30),
                    _ => seconds(600),
                };
            entry.assured |= tuple.proto == Proto::UDP && stream;
        }
        entry.seen_reply |= direction == Direction::Reply;
        Answer::Known(entry.original, direction, state)
    }

    fn confirm(&mut self, held: &Held, now: Time) -> &'static str {
        self.alive(now);
        let life =
            if held.original.proto == Proto::UDP || held.original.proto == Proto::ICMP { 30 } else { 600 };
        let mut entry = Plain {
            original: held.original,
            reply: held.reply,
            deadline: now + seconds(life),
            stream_from: held.made + seconds(2),
            seen_reply: false,
            assured: false,
            hidden: false,
        };
        let reply_taken = self.position(&held.reply).is_some();
        let Some((i, _)) = self.position(&held.original).or(self.position(&held.reply)) else {
            self.entries.push(entry);
            return "inserted";
        };
        let winner = &self.entries[i];
        let same = winner.original == held.original && winner.reply == held.reply;
        let reversed = winner.original == held.reply && winner.reply == held.original;
        if held.original.proto != Proto::UDP {
            "dropped"
        } else if same || reversed {
            "merged"
        } else if reply_taken {
            "dropped"
        } else {
            entry.hidden = true;
            entry.deadline = now + seconds(1);
            self.entries.push(entry);
            "reply only"
        }
    }
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    (1u8..5).prop_map(|last| IpAddr::from([10, 0, 0, last]))
}

fn ops() -> impl Strategy<Value = Op> {
    let tuple = (addresses(), addresses(), 0u16..2, prop::sample::select(vec![1u8, 17, 99])).prop_map(
        |(src, dst, port, proto)| {
            let (sport, dport) = match proto {
                1 => (7, if port == 0 { 8 << 8 } else { 0 }),
                17 => (port, 1 - port),
                _ => (0, 0),
            };
            Tuple { src, dst, sport, dport, proto: Proto(proto), zone: 0 }
        },
    );
    prop_oneof![
        8 => (tuple, prop::option::weighted(0.3, addresses())).prop_map(|(tuple, rewrite)| Op::Packet { tuple, rewrite }),
        6 => (0usize..4).prop_map(Op::Confirm),
        1 => (0usize..4).prop_map(Op::Drop),
        2 => prop::sample::select(vec![1u64, 400, 1_000, 2_001, 29_000, 600_000]).prop_map(|millis| Op::Wait { millis }),
        1 => addresses().prop_map(Op::Delete),
        1 => Just(Op::Flush),
    ]
}

/// An entry as both can say it.
type Row = (Tuple, Tuple, Time, bool, bool);

struct Pair {
    bench: Bench,
    twin: Twin,
    held: Vec<(Box<Connection>, Held)>,
}

impl Pair {
    fn packet(&mut self, tuple: Tuple, rewrite: Option<IpAddr>) -> Result<(), TestCaseError> {
        let packet = Headers::plain(tuple.proto, (tuple.src, tuple.sport), (tuple.dst, tuple.dport));
        let wanted = self.twin.packet(&tuple, self.bench.now);
        let got = match self.bench.track(&packet) {
            Tracked::New(mut connection) => {
                connection.reply.src = rewrite.unwrap_or(connection.reply.src);
                let made = self.bench.now;
                self.held.push((connection.clone(), Held { original: tuple, reply: connection.reply, made }));
                Answer::New
            }
            Tracked::Known { id, direction, state } => {
                let entry = self.bench.table.get(id, self.bench.now).expect("a known entry lives");
                Answer::Known(*entry.tuple(Direction::Original), direction, state)
            }
            Tracked::Full => Answer::Full,
            Tracked::Invalid | Tracked::Untracked => Answer::Invalid,
        };
        prop_assert_eq!(got, wanted, "{}", tuple);
        Ok(())
    }

    fn run(&mut self, op: Op) -> Result<(), TestCaseError> {
        match op {
            Op::Packet { tuple, rewrite } => return self.packet(tuple, rewrite),
            Op::Confirm(i) if i < self.held.len() => {
                let (connection, held) = self.held.remove(i);
                let got = match self.bench.table.confirm(connection, self.bench.now) {
                    Confirmed::Inserted(_) => "inserted",
                    Confirmed::Merged { .. } => "merged",
                    Confirmed::ReplyOnly(_) => "reply only",
                    Confirmed::Dropped => "dropped",
                };
                prop_assert_eq!(got, self.twin.confirm(&held, self.bench.now), "{:?}", held);
            }
            Op::Drop(i) if i < self.held.len() => drop(self.held.remove(i)),
            Op::Confirm(_) | Op::Drop(_) => {}
            Op::Wait { millis } => self.bench.wait(millis),
            Op::Delete(client) => {
                let filter = Filter { orig_src: Some(Cidr::host(client)), ..Filter::default() };
                self.bench.table.delete(&filter, self.bench.now);
                self.twin.entries.retain(|entry| entry.original.src != client || entry.hidden);
            }
            Op::Flush => {
                self.bench.table.flush();
                self.twin.entries.clear();
            }
        }
        Ok(())
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        let now = self.bench.now;
        self.twin.alive(now);
        let plain = self.twin.entries.iter().filter(|entry| !entry.hidden);
        let wanted: Vec<Row> = plain
            .map(|entry| (entry.original, entry.reply, entry.deadline, entry.seen_reply, entry.assured))
            .collect();
        let row = |entry: &EntryView| -> Row {
            let [original, reply] = [Direction::Original, Direction::Reply].map(|way| *entry.tuple(way));
            let status = entry.status();
            let bits = (status.has(Status::SEEN_REPLY), status.has(Status::ASSURED));
            (original, reply, now + entry.remaining(), bits.0, bits.1)
        };
        let got: Vec<Row> = self.bench.table.entries(now).iter().map(row).collect();
        prop_assert_eq!(got, wanted);
        prop_assert_eq!(self.bench.table.count(now) as usize, self.twin.entries.len());
        Ok(())
    }
}

proptest! {
    #[test]
    fn the_table_agrees_with_a_plain_list(ops in prop::collection::vec(ops(), 1..80), max in 3u32..12) {
        let settings = Settings { max, buckets: 1, ..Settings::default() };
        let twin = Twin { max: max as usize, ..Twin::default() };
        let mut pair = Pair { bench: bench(settings), twin, held: Vec::new() };
        for op in ops {
            pair.run(op)?;
            pair.compare()?;
        }
    }
}
