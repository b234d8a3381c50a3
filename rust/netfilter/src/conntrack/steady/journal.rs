//! Rows that were decided, and the machine that settles them.

use std::time::Duration;

use kdp_sim::Time;

use super::super::connection::{Direction, Status};
use super::super::next_segment::next_data;
use super::super::settings::Settings;
use super::super::slots::{Flow, Short};
use super::super::table::Conntrack;
use super::super::tcp::Context;
use super::super::wheel::Wheel;

/// Rows in the order in which they were decided.
#[derive(Clone, Debug, Default)]
pub(super) struct Journal {
    /// Slots of the index, and the direction in the lowest bit.
    pub(super) rows: Vec<u32>,
    /// From which row on it was which time.
    times: Vec<(usize, Time)>,
}

impl Journal {
    /// The rows that follow are of `now`.
    pub(super) fn at(&mut self, now: Time) {
        if self.rows.is_empty() {
            self.times.clear();
        }
        if self.times.last().is_none_or(|(_, last)| *last != now) {
            self.times.push((self.rows.len(), now));
        }
    }

    /// The time of the oldest row.
    fn oldest(&self) -> Option<Time> {
        if self.rows.is_empty() { None } else { self.times.first().map(|(_, time)| *time) }
    }
}

/// Rows ahead for which the number of the entry is asked for, and for which the entry is.
const NUMBERS_AHEAD: usize = 32;
const ENTRIES_AHEAD: usize = 16;

impl Conntrack {
    /// Does to every connection what the rows that wait did to it.
    pub fn settle(&mut self) {
        if !self.rows_wait() {
            return;
        }
        let Journal { mut rows, mut times } = std::mem::take(&mut self.steady.journal);
        for (place, (from, now)) in times.iter().enumerate() {
            let end = times.get(place + 1).map_or(rows.len(), |(next, _)| *next);
            self.settle_rows(&rows[*from..end], *now);
        }
        rows.clear();
        // A batch may be on its way: what it decides from here on is of the same moment.
        times.drain(..times.len() - 1);
        times[0].0 = 0;
        self.steady.journal = Journal { rows, times };
    }

    /// Settles if a row that waits might have shortened a timeout that ends by `now`.
    pub(in super::super) fn settle_if_due(&mut self, now: Time) {
        let due = |oldest: Time| now >= oldest + shortest(&self.settings);
        if self.steady.journal.oldest().is_some_and(due) {
            self.settle();
        }
    }

    /// Whether rows wait.
    pub(in super::super) fn rows_wait(&self) -> bool {
        !self.steady.journal.rows.is_empty()
    }

    fn settle_rows(&mut self, rows: &[u32], now: Time) {
        let next = self.wheel.next();
        let Conntrack { index, slots, settings, .. } = self;
        let level = index.whole().expect("keys do not move while rows wait");
        let mut sooner = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            if let Some(row) = rows.get(place + NUMBERS_AHEAD) {
                level.prefetch_entries(row >> 1);
            }
            if let Some(row) = rows.get(place + ENTRIES_AHEAD) {
                slots.prefetch(level.entry(row >> 1));
            }
            let entry = level.entry(row >> 1);
            let direction = if row & 1 == 0 { Direction::Original } else { Direction::Reply };
            let (short, look_at) = slots.short_mut(entry).expect("a steady entry is short");
            short.settle(direction, now, settings);
            if Wheel::begins(look_at) > short.deadline || Wheel::begins(next) > short.deadline {
                sooner.push(entry);
            }
        }
        for entry in sooner {
            self.file_settled(entry, next);
        }
    }

    /// Files an entry that ends sooner than it did; one that ends within this second is no longer steady.
    fn file_settled(&mut self, entry: u32, next: u32) {
        let deadline = self.slots.deadline(entry).expect("a steady entry lives");
        self.file_if_sooner(entry, deadline);
        if Wheel::tick(deadline) < next {
            self.unprove(entry);
        }
    }
}

impl Short {
    /// The next segment of a well-behaved end, through the exact machine.
    fn settle(&mut self, direction: Direction, now: Time, settings: &Settings) {
        let remaining = self.deadline.since(now);
        let timeout = match &mut self.flow {
            Flow::Tcp(flow) => {
                let segment = next_data(flow, direction);
                let segment = kdp_packet::Tcp { window: WINDOW, ..segment };
                let context = Context { direction, seen_reply: true, assured: true, remaining };
                flow.step(&segment, context, settings).timeout
            }
            Flow::Udp(from) => {
                let stream = from.is_none_or(|from| now > from);
                Some(if stream { settings.udp_timeout_stream } else { settings.udp_timeout })
            }
        };
        debug_assert!(self.status().has(Status::ASSURED), "a steady connection is assured");
        if let Some(seconds) = timeout {
            self.deadline = now + Duration::from_secs(seconds.into());
        }
    }
}

/// The window of every segment of a flow.
const WINDOW: u16 = 64_240;

/// The shortest time that a row can leave a steady connection to live.
fn shortest(settings: &Settings) -> Duration {
    let timeouts = [
        settings.tcp_timeout_established,
        settings.tcp_timeout_unacknowledged,
        settings.tcp_timeout_max_retrans,
        settings.udp_timeout,
        settings.udp_timeout_stream,
    ];
    let shortest = timeouts.into_iter().min().expect("there are five");
    Duration::from_secs(shortest.into())
}
