//! The machine against recordings of Linux 6.18.44: random segments, and each state by each segment.

use kdp_packet::{Tcp, TcpOptions, flags};

use super::replay::{Outcome, Row, replay};
use super::{TcpState, after};
use crate::conntrack::{PacketState, Settings};

fn recording(name: &str) -> String {
    let path = format!("{}/../../tests/cases/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn flag_bits(text: &str) -> u8 {
    text.chars().fold(0, |bits, letter| {
        bits | match letter {
            'S' => flags::SYN,
            'A' => flags::ACK,
            'F' => flags::FIN,
            'R' => flags::RST,
            'P' => flags::PSH,
            'U' => flags::URG,
            'E' => flags::ECE,
            'C' => flags::CWR,
            '.' => 0,
            other => panic!("flag {other}"),
        }
    })
}

fn options(text: &str, ack: u32) -> TcpOptions {
    let mut options = TcpOptions { present: text != "-", ..TcpOptions::default() };
    for option in text.split(',') {
        match option.split_at(1) {
            ("w", scale) => options.window_scale = scale.parse().ok(),
            ("s", "") => options.sack_permitted = true,
            ("k", edges) => {
                let edge = edges.split_once('-').unwrap().1.parse().unwrap();
                let highest = options.sack_right_edge.unwrap_or(ack);
                options.sack_right_edge = Some(if after(edge, highest) { edge } else { highest });
            }
            ("-" | "+", "") => {}
            other => panic!("option {other:?}"),
        }
    }
    options
}

fn packet_letter(packet: Option<PacketState>) -> &'static str {
    match packet {
        Some(PacketState::New) => "N",
        Some(PacketState::Established) => "E",
        Some(PacketState::Related) => panic!("no segment is related"),
        None => "I",
    }
}

fn status_letters(seen_reply: bool, assured: bool) -> &'static str {
    match (seen_reply, assured) {
        (false, false) => ".",
        (true, false) => "R",
        (false, true) => "A",
        (true, true) => "RA",
    }
}

fn row(words: &[&str]) -> Row {
    let number = |i: usize| words[i].parse::<u32>().unwrap();
    let segment = Tcp {
        flags: flag_bits(words[1]),
        seq: number(2),
        ack: number(3),
        window: u16::try_from(number(4)).unwrap(),
        data_len: number(5),
        options: options(words[6], number(3)),
    };
    Row { sender: words[0].parse().unwrap(), segment }
}

/// An outcome as the recording writes it. The kernel's timeout may have lost a second or two by the time it was read.
fn outcome(outcome: &Outcome, recorded: &[&str]) -> Vec<String> {
    let mut words = vec![packet_letter(outcome.packet).to_owned()];
    if let Some(entry) = &outcome.entry {
        let read = recorded.get(5).and_then(|word| word.parse::<u32>().ok()).unwrap_or(entry.timeout);
        let timeout = if (entry.timeout.saturating_sub(2)..=entry.timeout).contains(&read) {
            read
        } else {
            entry.timeout
        };
        words.push(entry.state.name().to_owned());
        words.push(u8::from(entry.replaced).to_string());
        words.push(entry.original.to_string());
        words.push(status_letters(entry.seen_reply, entry.assured).to_owned());
        words.extend([timeout, entry.flags[0].into(), entry.flags[1].into()].map(|n| n.to_string()));
        words.extend(entry.scales.map(|n| n.to_string()));
    }
    words
}

/// Runs all connections of a recording; gives how many segments there were.
fn check_recording(name: &str, settings: &Settings) -> usize {
    let text = recording(name);
    let body = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>();
    let mut segments = 0;
    for connection in body.split(|line| line.is_empty()).filter(|lines| !lines.is_empty()) {
        let words: Vec<Vec<&str>> = connection.iter().map(|line| line.split(' ').collect()).collect();
        let rows: Vec<Row> = words.iter().map(|words| row(words)).collect();
        for (i, result) in replay(&rows, settings, Some(7777)).iter().enumerate() {
            let so_far = connection[..=i].join("\n");
            assert_eq!(outcome(result, &words[i][7..]), words[i][7..], "{name}, the last of:\n{so_far}");
        }
        segments += rows.len();
    }
    segments
}

#[test]
fn random_segments_are_judged_as_the_kernel_judged_them() {
    let liberal = Settings { tcp_be_liberal: 1, ..Settings::default() };
    assert_eq!(check_recording("tcp/fuzz_liberal.txt", &liberal), 4_200);
    let ignoring = Settings { tcp_ignore_invalid_rst: 1, ..Settings::default() };
    assert_eq!(check_recording("tcp/fuzz_ignore_invalid_rst.txt", &ignoring), 4_200);
}

/// A scripted connection: the next sequence number of each end.
struct Script {
    rows: Vec<Row>,
    next: [u32; 2],
}

const FIRST: [u32; 2] = [1_000_000, 5_000_000];

impl Script {
    fn send(&mut self, sender: u8, letters: &str, seq: u32, ack: u32, data_len: u32) {
        let segment = Tcp {
            flags: flag_bits(letters),
            seq,
            ack,
            window: 65_535,
            data_len,
            options: TcpOptions::default(),
        };
        self.rows.push(Row { sender, segment });
    }

    fn in_order(&mut self, sender: u8, letters: &str) {
        let [mine, other] = self.ends(sender);
        self.send(sender, letters, mine, other, 0);
        self.next[usize::from(sender)] += u32::from(letters.contains('F'));
    }

    fn ends(&self, sender: u8) -> [u32; 2] {
        [self.next[usize::from(sender)], self.next[usize::from(1 - sender)]]
    }

    /// A connection in `state`, closed first by `closer`.
    fn in_state(state: TcpState, closer: u8) -> Script {
        let mut script = Script { rows: Vec::new(), next: FIRST };
        if state == TcpState::None {
            return script;
        }
        script.send(0, "S", FIRST[0], 0, 0);
        script.next[0] += 1;
        if state == TcpState::SynSent {
            return script;
        }
        if state == TcpState::SynSent2 {
            script.send(1, "S", FIRST[1], 0, 0);
        } else {
            script.send(1, "SA", FIRST[1], FIRST[0] + 1, 0);
        }
        script.next[1] += 1;
        let steps: &[(u8, &str)] = match state {
            TcpState::SynRecv | TcpState::SynSent2 => &[],
            TcpState::Established => &[(0, "A")],
            TcpState::Close => &[(0, "A"), (closer, "RA")],
            TcpState::FinWait => &[(0, "A"), (closer, "FA")],
            TcpState::CloseWait => &[(0, "A"), (closer, "FA"), (1 - closer, "A")],
            TcpState::LastAck => &[(0, "A"), (closer, "FA"), (1 - closer, "A"), (1 - closer, "FA")],
            _ => &[(0, "A"), (closer, "FA"), (1 - closer, "A"), (1 - closer, "FA"), (closer, "A")],
        };
        for (sender, letters) in steps {
            script.in_order(*sender, letters);
        }
        script
    }

    fn test_segment(&mut self, state: TcpState, sender: u8, kind: &str) {
        let [mine, other] = self.ends(sender);
        let [isn, other_isn] = if sender == 0 { FIRST } else { [FIRST[1], FIRST[0]] };
        let opening =
            matches!(state, TcpState::None | TcpState::SynSent | TcpState::SynRecv | TcpState::SynSent2);
        let (letters, seq, ack, data_len) = match kind {
            "syn" => ("S", if opening { isn } else { mine + 100_000 }, 0, 0),
            "synack" => ("SA", isn, other_isn + 1, 0),
            "fin" => ("FA", mine, other, 0),
            "ack" => ("A", mine, other, 0),
            "rst" => ("RA", mine, other, 0),
            "none" => ("P", mine, other, 0),
            "rst_noack" => ("R", mine, 0, 0),
            "rst_seq0" => ("RA", 0, other, 0),
            "rst_low" => ("RA", mine - 1, other, 0),
            "rst_high" => ("RA", mine + 1_000, other, 0),
            "ack_old" => ("A", mine - 100, other, 0),
            "ack_far" => ("A", mine + 200_000, other, 0),
            "ack_future" => ("A", mine, other + 5_000, 0),
            "data" => ("PA", mine, other, 10),
            "fin_noack" => ("F", mine, 0, 0),
            "synfin" => ("SF", mine, 0, 0),
            "xmas" => ("FPU", mine, 0, 0),
            "null" => (".", mine, 0, 0),
            "syn_same" => ("S", isn, 0, 0),
            other => panic!("segment {other}"),
        };
        self.send(sender, letters, seq, ack, data_len);
    }
}

#[test]
fn each_state_by_each_segment_is_as_the_kernel_had_it() {
    let text = recording("tcp/table.txt");
    let mut cells = 0;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let state = TcpState::ALL.into_iter().find(|state| state.name() == words[1]).unwrap();
        let side = |word: &str| u8::from(word == "reply");
        let mut script = Script::in_state(state, side(words[0]));
        script.test_segment(state, side(words[2]), words[3]);
        let results = replay(&script.rows, &Settings::default(), Some(777));
        let before = results.iter().rev().nth(1).and_then(|result| result.entry);
        assert_eq!(before.map_or(TcpState::None, |entry| entry.state), state, "{line}");
        let result = results.last().unwrap();
        let mut got = vec![packet_letter(result.packet).to_owned()];
        match &result.entry {
            None => got.push("gone".to_owned()),
            Some(entry) => {
                let read: u32 = words[8].parse().unwrap();
                let timeout = if read + 1 == entry.timeout { read } else { entry.timeout };
                got.push(entry.state.name().to_owned());
                got.push(entry.original.to_string());
                got.push(status_letters(entry.seen_reply, entry.assured).to_owned());
                got.push(timeout.to_string());
                got.push(u8::from(entry.timeout != 777).to_string());
                got.push(u8::from(entry.replaced).to_string());
            }
        }
        assert_eq!(got, words[4..], "{line}");
        cells += 1;
    }
    assert_eq!(cells, 551);
}
