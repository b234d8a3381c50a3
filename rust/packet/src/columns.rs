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

    /// The same columns, as far as row `end`.
    pub fn cut(&self, end: usize) -> FlowColumns<'_> {
        FlowColumns {
            src: &self.src[..end],
            sport: &self.sport[..end],
            dst: &self.dst[..end],
            dport: &self.dport[..end],
            proto: &self.proto[..end],
        }
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

/// Room for what becomes of rows: columns of one length, which are written in place.
#[derive(Debug)]
pub struct VerdictColumns<'a> {
    /// See [`Verdicts::verdict`].
    pub verdict: &'a mut [u8],
    /// See [`Verdicts::src`].
    pub src: &'a mut [u32],
    /// See [`Verdicts::sport`].
    pub sport: &'a mut [u16],
    /// See [`Verdicts::dst`].
    pub dst: &'a mut [u32],
    /// See [`Verdicts::dport`].
    pub dport: &'a mut [u16],
    /// See [`Verdicts::rules_walked`].
    pub rules_walked: &'a mut [u32],
}

impl VerdictColumns<'_> {
    /// The same columns, as far as row `end`.
    pub fn cut(&mut self, end: usize) -> VerdictColumns<'_> {
        VerdictColumns {
            verdict: &mut self.verdict[..end],
            src: &mut self.src[..end],
            sport: &mut self.sport[..end],
            dst: &mut self.dst[..end],
            dport: &mut self.dport[..end],
            rules_walked: &mut self.rules_walked[..end],
        }
    }
}

impl Verdicts {
    /// So many rows of zeros, to be written to.
    pub fn zeroed(rows: usize) -> Verdicts {
        Verdicts {
            verdict: vec![0; rows],
            src: vec![0; rows],
            sport: vec![0; rows],
            dst: vec![0; rows],
            dport: vec![0; rows],
            rules_walked: vec![0; rows],
        }
    }

    /// Its columns.
    pub fn columns(&mut self) -> VerdictColumns<'_> {
        VerdictColumns {
            verdict: &mut self.verdict,
            src: &mut self.src,
            sport: &mut self.sport,
            dst: &mut self.dst,
            dport: &mut self.dport,
            rules_walked: &mut self.rules_walked,
        }
    }

    /// Leaves the first rows alone.
    pub fn truncate(&mut self, rows: usize) {
        self.verdict.truncate(rows);
        self.src.truncate(rows);
        self.sport.truncate(rows);
        self.dst.truncate(rows);
        self.dport.truncate(rows);
        self.rules_walked.truncate(rows);
    }
}
