//! Connections, and the rows that are asked for: the same for every rival.

use kdp_packet::{FlowColumns, VerdictColumns, Verdicts};
use kdp_sim::{Chance, Time};

/// Rows of a round.
pub(crate) const QUERIES: usize = 1 << 20;

/// Cluster IPs, from 10.96.0.0 on. Each has one endpoint, so that it is known beforehand.
pub(crate) const SERVICES: u32 = 512;

/// The columns of rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rows {
    src: Vec<u32>,
    sport: Vec<u16>,
    dst: Vec<u32>,
    dport: Vec<u16>,
    proto: Vec<u8>,
}

/// How rows are drawn from the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Draw {
    Uniform,
    /// The k-th connection with a probability that goes as 1/k.
    Zipf,
}

impl Rows {
    /// The first packet of every connection: from Pods of 10.0.0.0/11 to cluster IPs, a quarter of them UDP.
    pub(crate) fn all(connections: u32) -> Rows {
        let mut rows = Rows::default();
        (0..connections).for_each(|number| rows.push(number, false));
        rows
    }

    /// The answers to them.
    pub(crate) fn answers(connections: u32) -> Rows {
        let mut rows = Rows::default();
        (0..connections).for_each(|number| rows.push(number, true));
        rows
    }

    /// Rows of both directions, drawn from the connections.
    pub(crate) fn drawn(connections: u32, draw: Draw) -> Rows {
        let mut rows = Rows::default();
        let mut chance = Chance::new(1).at("rows").packet(connections.into(), Time(0));
        for _ in 0..QUERIES {
            let number = match draw {
                Draw::Uniform => chance.below(connections),
                Draw::Zipf => zipf(chance.next_u64(), connections),
            };
            rows.push(number, chance.below(2) == 1);
        }
        rows
    }

    pub(crate) fn len(&self) -> usize {
        self.src.len()
    }

    pub(crate) fn columns(&self) -> FlowColumns<'_> {
        let Rows { src, sport, dst, dport, proto } = self;
        FlowColumns { src, sport, dst, dport, proto }
    }

    /// A row as two words.
    #[inline]
    pub(crate) fn key(&self, row: usize) -> (u64, u64) {
        let addrs = u64::from(self.src[row]) | u64::from(self.dst[row]) << 32;
        let rest =
            u64::from(self.sport[row]) | u64::from(self.dport[row]) << 16 | u64::from(self.proto[row]) << 32;
        (addrs, rest)
    }

    fn push(&mut self, number: u32, answer: bool) {
        let service = number % SERVICES;
        let client = (
            0x0a00_0000 + number / 32_768 * 7 + number % 7,
            1_024 + u16::try_from(number / 7 % 32_768).expect("16 bits"),
        );
        let proto = if number % 4 == 3 { 17 } else { 6 };
        let (src, dst) =
            if answer { (endpoint(service), client) } else { (client, (0x0a60_0000 + service, 80)) };
        self.src.push(src.0);
        self.sport.push(src.1);
        self.dst.push(dst.0);
        self.dport.push(dst.1);
        self.proto.push(proto);
    }
}

/// The endpoint of a Service.
pub(crate) fn endpoint(service: u32) -> (u32, u16) {
    (0x0af4_0000 + service, 8080)
}

/// A rank below `bound` with a probability that goes as one over it: the inverse of the harmonic sum, near enough.
fn zipf(bits: u64, bound: u32) -> u32 {
    #[expect(clippy::cast_precision_loss, reason = "a draw needs no more than 53 bits")]
    let even = (bits >> 11) as f64 / (1u64 << 53) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and `bound`")]
    let rank = f64::from(bound).powf(even) as u32;
    (rank - 1).wrapping_mul(0x9e37_79b1) % bound
}

/// Room for what becomes of rows.
pub(crate) struct Out(Verdicts);

impl Out {
    pub(crate) fn new(rows: usize) -> Out {
        Out(Verdicts::zeroed(rows))
    }

    pub(crate) fn columns(&mut self) -> VerdictColumns<'_> {
        self.0.columns()
    }

    pub(crate) fn verdicts(&self) -> &Verdicts {
        &self.0
    }
}
