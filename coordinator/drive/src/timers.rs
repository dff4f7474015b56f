//! The timers of one node. Pure: time is handed in.

use std::{collections::BTreeMap, time::Duration};

use processor_messages::Validator;
use tokio::time::Instant;
use tributary::Timer;

/// How long one member's coming and going hastens nothing again.
const PATIENCE: Duration = Duration::from_secs(5);

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
            if matches!(timer, Timer::Resend | Timer::Rebroadcast { .. } | Timer::Sync | Timer::Body) {
                *at = (*at).min(now + within);
            }
        }
    }
}

/// Who became reachable when: a member that comes and goes must not make us repeat everything all the time. Bounded
/// by the members of the chain.
#[derive(Debug, Default)]
pub(crate) struct Newcomers(BTreeMap<Validator, Instant>);

impl Newcomers {
    /// Whether one of them has not been a newcomer for a while.
    pub(crate) fn admit(&mut self, newcomers: &[Validator], now: Instant) -> bool {
        let mut admitted = false;
        for validator in newcomers {
            let last = self.0.get(validator);
            if last.is_none_or(|last| now.saturating_duration_since(*last) >= PATIENCE) {
                self.0.insert(*validator, now);
                admitted = true;
            }
        }
        admitted
    }
}
