//! Virtual time: a queue of events, ordered by when they are due and then by when they were scheduled.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Microseconds since the run began.
pub type Time = u64;
/// A millisecond.
pub const MS: Time = 1_000;
/// A second.
pub const SECOND: Time = 1_000 * MS;

struct Due<E> {
    at: Time,
    number: u64,
    event: E,
}

impl<E> PartialEq for Due<E> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}
impl<E> Eq for Due<E> {}
impl<E> PartialOrd for Due<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Due<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// What is to happen, and what time it is.
pub struct Schedule<E> {
    now: Time,
    number: u64,
    due: BinaryHeap<Reverse<Due<E>>>,
}

impl<E> Default for Schedule<E> {
    fn default() -> Self {
        Self { now: 0, number: 0, due: BinaryHeap::new() }
    }
}

impl<E> Schedule<E> {
    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// How many events were scheduled.
    pub fn scheduled(&self) -> u64 {
        self.number
    }

    /// Lets something happen after a delay. Returns its number, unique in the run.
    pub fn after(&mut self, delay: Time, event: E) -> u64 {
        self.number += 1;
        let (at, number) = (self.now.saturating_add(delay), self.number);
        self.due.push(Reverse(Due { at, number, event }));
        number
    }

    /// The next event and its number, if it is due by `until`; the clock then shows its time.
    pub fn next(&mut self, until: Time) -> Option<(u64, E)> {
        if self.due.peek().is_none_or(|Reverse(due)| due.at > until) {
            self.now = self.now.max(until);
            return None;
        }
        let Reverse(due) = self.due.pop()?;
        self.now = due.at;
        Some((due.number, due.event))
    }
}
