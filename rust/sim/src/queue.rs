//! Events by time, then by the order in which they were put in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Time;

/// A queue of events: earliest first, and of one moment the first put in first.
#[derive(Debug, Clone)]
pub struct EventQueue<T> {
    heap: BinaryHeap<Reverse<Entry<T>>>,
    sequence: u64,
}

#[derive(Debug, Clone)]
struct Entry<T> {
    at: Time,
    sequence: u64,
    event: T,
}

impl<T> Default for EventQueue<T> {
    fn default() -> Self {
        EventQueue { heap: BinaryHeap::new(), sequence: 0 }
    }
}

impl<T> EventQueue<T> {
    /// Puts `event` in, to come out at `at`.
    pub fn push(&mut self, at: Time, event: T) {
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, event }));
        self.sequence += 1;
    }

    /// The time of the next event.
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next event out if it is due at `now` or before.
    pub fn pop_due(&mut self, now: Time) -> Option<(Time, T)> {
        if self.next_at()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }

    /// How many events wait.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}
impl<T> Eq for Entry<T> {}
impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The slow twin: a stable sort by time.
        #[test]
        fn comes_out_as_a_stable_sort_by_time(times in prop::collection::vec(0u64..8, 0..50)) {
            let mut queue = EventQueue::default();
            for (i, at) in times.iter().enumerate() {
                queue.push(Time(*at), i);
            }
            let mut wanted: Vec<_> = times.iter().copied().enumerate().map(|(i, at)| (Time(at), i)).collect();
            wanted.sort_by_key(|(at, _)| *at);
            let mut got = Vec::new();
            while let Some(event) = queue.pop_due(Time(100)) {
                got.push(event);
            }
            prop_assert_eq!(got, wanted);
        }
    }

    #[test]
    fn an_event_waits_for_its_time() {
        let mut queue = EventQueue::default();
        queue.push(Time(5), "later");
        assert_eq!(queue.pop_due(Time(4)), None);
        assert_eq!(queue.pop_due(Time(5)), Some((Time(5), "later")));
        assert!(queue.is_empty());
    }
}
