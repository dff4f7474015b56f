//! When to dial whom. Pure: time is handed in.
//!
//! Of two validators, the one with the smaller key dials at once and the other waits a little, so that two
//! who start together rarely end with two connections. Each failure doubles the delay up to its bound; a
//! connection that lived a while resets it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use processor_messages::Validator;

/// A connection that lived this long shows that the validator is well.
const LIVED: Duration = Duration::from_secs(10);
/// How many first delays the validator with the greater key waits before its first attempt.
const PATIENCE: u32 = 4;

#[derive(Debug)]
enum Phase {
    Waiting { until: Instant },
    Dialing,
    Connected { since: Instant },
}

#[derive(Debug)]
struct Target {
    addresses: Vec<String>,
    delay: Duration,
    phase: Phase,
}

/// The schedule for all validators on the allow-list.
#[derive(Debug)]
pub(crate) struct Dialer {
    me: Validator,
    first: Duration,
    most: Duration,
    targets: BTreeMap<Validator, Target>,
}

impl Dialer {
    pub(crate) fn new(me: Validator, first: Duration, most: Duration) -> Self {
        Self { me, first, most, targets: BTreeMap::new() }
    }

    /// Replaces the validators; new addresses of one that waits are tried at once.
    pub(crate) fn set(&mut self, peers: Vec<(Validator, Vec<String>)>, now: Instant) {
        let mut before = std::mem::take(&mut self.targets);
        for (validator, addresses) in peers {
            if validator == self.me {
                continue;
            }
            let target = match before.remove(&validator) {
                Some(target) if target.addresses == addresses => target,
                Some(Target { phase: phase @ (Phase::Connected { .. } | Phase::Dialing), .. }) => {
                    Target { addresses, delay: self.first, phase }
                }
                _ => Target {
                    addresses,
                    delay: self.first,
                    phase: Phase::Waiting { until: now + self.patience(&validator) },
                },
            };
            self.targets.insert(validator, target);
        }
    }

    fn patience(&self, other: &Validator) -> Duration {
        if self.me < *other { Duration::ZERO } else { self.first * PATIENCE }
    }

    /// Who is due, with addresses; each is then dialing until told otherwise.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<(Validator, Vec<String>)> {
        let mut due = Vec::new();
        for (validator, target) in &mut self.targets {
            if matches!(target.phase, Phase::Waiting { until } if until <= now)
                && !target.addresses.is_empty()
            {
                target.phase = Phase::Dialing;
                due.push((*validator, target.addresses.clone()));
            }
        }
        due
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        let waiting = self.targets.values().filter(|target| !target.addresses.is_empty());
        waiting.filter_map(|t| if let Phase::Waiting { until } = t.phase { Some(until) } else { None }).min()
    }

    pub(crate) fn failed(&mut self, validator: &Validator, now: Instant) {
        if let Some(target) = self.targets.get_mut(validator)
            && matches!(target.phase, Phase::Dialing)
        {
            target.phase = Phase::Waiting { until: now + target.delay };
            target.delay = (target.delay * 2).min(self.most);
        }
    }

    pub(crate) fn connected(&mut self, validator: &Validator, now: Instant) {
        if let Some(target) = self.targets.get_mut(validator)
            && !matches!(target.phase, Phase::Connected { .. })
        {
            target.phase = Phase::Connected { since: now };
        }
    }

    pub(crate) fn disconnected(&mut self, validator: &Validator, now: Instant) {
        let patience = self.patience(validator);
        if let Some(target) = self.targets.get_mut(validator)
            && let Phase::Connected { since } = target.phase
        {
            if now.saturating_duration_since(since) >= LIVED {
                target.delay = self.first;
            }
            target.phase = Phase::Waiting { until: now + target.delay + patience };
            target.delay = (target.delay * 2).min(self.most);
        }
    }
}
