//! The timers of one node. Pure: time is handed in.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;
use tributary::Timer;

/// When which timer fires.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeMap<Timer, Instant>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.due.insert(timer, at);
    }

    pub(crate) fn cancel(&mut self, timer: Timer) {
        self.due.remove(&timer);
    }

    /// When the next one fires.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.values().min().copied()
    }

    /// Takes one that is due, the earliest first.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let (timer, at) = self.due.iter().min_by_key(|(_, at)| **at)?;
        let (timer, at) = (*timer, *at);
        if at > now {
            return None;
        }
        self.due.remove(&timer);
        Some(timer)
    }

    /// Brings forward what repeats or asks: somebody became reachable who may lack what was said, or know
    /// what we asked for.
    pub(crate) fn hasten(&mut self, now: Instant, within: Duration) {
        for (timer, at) in &mut self.due {
            if matches!(timer, Timer::Resend | Timer::Rebroadcast { .. } | Timer::Sync) {
                *at = (*at).min(now + within);
            }
        }
    }
}
