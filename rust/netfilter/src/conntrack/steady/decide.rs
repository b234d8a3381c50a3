//! Rows to verdicts, as long as they find steady slots.

use kdp_packet::{FlowColumns, VerdictColumns};
use kdp_sim::Time;

use super::super::index::{Key, Level, prefetch};
use super::super::table::Conntrack;
use super::Steady;

/// Rows that were hashed, and whose lines were asked for, ahead of the one that is looked at.
///
/// A line is compared only at the head, so that a row sees what the row before it did.
#[derive(Clone, Debug)]
pub struct Ahead {
    keys: [Key; AHEAD],
    lines: [usize; AHEAD],
    hashed: usize,
    next: usize,
    end: usize,
}

/// Rows that are on their way to the head at once. Measured: 16 is slower on hits, 64 no faster.
const AHEAD: usize = 32;

/// How far ahead the columns themselves are asked for: the processor loses track of so many of them.
const COLUMNS_AHEAD: usize = 384;

impl Conntrack {
    /// Gets ready for rows `from..end` at `now`: no key moves until [`Conntrack::end_rows`]. Each may make one connection.
    pub fn begin_rows(&mut self, from: usize, end: usize, now: Time) -> Ahead {
        self.expire(now);
        let keys = 2 * (end - from);
        if self.index.moves(keys) {
            self.settle();
        }
        self.index.make_room(keys);
        let journal = &mut self.steady.journal;
        journal.at(now);
        journal.rows.reserve(end - from);
        let none = Key { addrs: 0, rest: 0 };
        Ahead { keys: [none; AHEAD], lines: [0; AHEAD], hashed: from, next: from, end }
    }

    /// Keys may move again.
    pub fn end_rows(&mut self) {
        self.index.release();
    }

    /// Decides rows until one is not steady: gives it, and goes on behind it the next time. `None` at the end of the rows.
    pub fn decide(
        &mut self,
        rows: &FlowColumns<'_>,
        ahead: &mut Ahead,
        out: &mut VerdictColumns<'_>,
    ) -> Option<usize> {
        let Some(level) = self.index.whole() else {
            let row = ahead.next;
            ahead.next += 1;
            return (row < ahead.end).then_some(row);
        };
        let cut = |key: Key| self.index.hash(key);
        run(level, cut, &mut self.steady, rows, ahead, out)
    }
}

/// The loop itself, over a level that holds every key.
#[inline(always)]
fn run(
    level: &Level,
    hash: impl Fn(Key) -> u64,
    steady: &mut Steady,
    rows: &FlowColumns<'_>,
    ahead: &mut Ahead,
    out: &mut VerdictColumns<'_>,
) -> Option<usize> {
    let Steady { actions, journal } = steady;
    let end = ahead.end;
    let rows = rows.cut(end);
    let out = out.cut(end);
    let mut at = ahead.next;
    while at < end {
        while ahead.hashed < end && ahead.hashed < at + AHEAD {
            ahead.ask(level, &rows, &hash);
        }
        let key = ahead.keys[at % AHEAD];
        let found = level.found(ahead.lines[at % AHEAD], key, || hash(key));
        let Some((slot, tag, action)) = found.and_then(|(slot, tag)| Some((slot, tag, actions.of(tag)?)))
        else {
            ahead.next = at + 1;
            return Some(at);
        };
        (out.src[at], out.sport[at]) = action.source(rows.src[at], rows.sport[at]);
        (out.dst[at], out.dport[at]) = action.destination(rows.dst[at], rows.dport[at]);
        out.verdict[at] = action.verdict;
        out.rules_walked[at] = action.rules_walked;
        journal.rows.push(slot << 1 | tag.0 >> 3 & 1);
        if at.is_multiple_of(16) {
            ask_for_columns(&rows, &out, &journal.rows, at + COLUMNS_AHEAD);
        }
        at += 1;
    }
    ahead.next = end;
    None
}

impl Ahead {
    /// Hashes the next row, and asks for its line.
    #[inline(always)]
    fn ask(&mut self, level: &Level, rows: &FlowColumns<'_>, hash: &impl Fn(Key) -> u64) {
        let row = self.hashed;
        let key =
            Key::narrow(rows.src[row], rows.dst[row], rows.sport[row], rows.dport[row], rows.proto[row]);
        let line = level.first(hash(key));
        level.prefetch(line);
        self.keys[row % AHEAD] = key;
        self.lines[row % AHEAD] = line;
        self.hashed += 1;
    }
}

/// Sixteen rows of four bytes are a cache line, thirty-two of two, sixty-four of one.
#[inline(always)]
fn ask_for_columns(rows: &FlowColumns<'_>, out: &VerdictColumns<'_>, journal: &[u32], at: usize) {
    prefetch(rows.src, at);
    prefetch(rows.dst, at);
    prefetch(out.src, at);
    prefetch(out.dst, at);
    prefetch(out.rules_walked, at);
    prefetch(journal, journal.len() + COLUMNS_AHEAD);
    if at.is_multiple_of(32) {
        prefetch(rows.sport, at);
        prefetch(rows.dport, at);
        prefetch(out.sport, at);
        prefetch(out.dport, at);
    }
    if at.is_multiple_of(64) {
        prefetch(rows.proto, at);
        prefetch(out.verdict, at);
    }
}
