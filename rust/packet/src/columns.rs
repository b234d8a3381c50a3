//! A batch of flows as columns.

use crate::Proto;

/// The rows of a `Flows` batch, IPv4: each column has one entry a row, in host byte order.
#[derive(Clone, Copy, Debug)]
pub struct FlowColumns<'a> {
    /// Source addresses.
    pub src: &'a [u32],
    /// Source ports.
    pub sport: &'a [u16],
    /// Destination addresses.
    pub dst: &'a [u32],
    /// Destination ports.
    pub dport: &'a [u16],
    /// Protocol numbers.
    pub proto: &'a [u8],
}

impl FlowColumns<'_> {
    /// Rows; all columns have as many.
    pub fn len(&self) -> usize {
        self.src.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.src.is_empty()
    }

    /// The protocol of a row.
    pub fn proto_of(&self, row: usize) -> Proto {
        Proto(self.proto[row])
    }
}

/// What became of the rows, as columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// A code a row; what it stands for is the caller's (host's) to say.
    pub verdict: Vec<u8>,
    /// Source addresses as they left.
    pub src: Vec<u32>,
    /// Source ports as they left.
    pub sport: Vec<u16>,
    /// Destination addresses as they left.
    pub dst: Vec<u32>,
    /// Destination ports as they left.
    pub dport: Vec<u16>,
    /// Rules walked.
    pub rules_walked: Vec<u32>,
}

impl Verdicts {
    /// Room for `rows` rows in every column.
    pub fn with_capacity(rows: usize) -> Verdicts {
        Verdicts {
            verdict: Vec::with_capacity(rows),
            src: Vec::with_capacity(rows),
            sport: Vec::with_capacity(rows),
            dst: Vec::with_capacity(rows),
            dport: Vec::with_capacity(rows),
            rules_walked: Vec::with_capacity(rows),
        }
    }
}
