//! The links between validators: what is lost, late, early or doubled on them.
//!
//! ```text
//! change: nothing | a partition | a one-way partition | a slow link       every few seconds
//! carry(from, to) -> when it arrives: never, once, or twice
//! ```

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;

use crate::{
    faults::{Counts, Faults, Kind},
    time::{MS, SECOND, Time},
};

/// The delay of a healthy link.
const HEALTHY: Time = 20 * MS;

/// What is wrong with the links.
#[derive(Clone, Debug, Default)]
enum State {
    #[default]
    Whole,
    /// These validators and the others do not hear each other.
    Apart(BTreeSet<usize>),
    /// The others do not hear these.
    Unheard(BTreeSet<usize>),
    /// What one sends the other takes this much longer.
    Slow((usize, usize), Time),
}

/// The links between validators.
#[derive(Default)]
pub struct Links {
    state: State,
    /// When the latest message of a link arrives.
    latest: BTreeMap<(usize, usize), Time>,
}

fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    rng.next_u64() % bound.max(1)
}

impl Links {
    /// All links are whole.
    pub fn heal(&mut self) {
        self.state = State::Whole;
    }

    /// The links change.
    pub fn change(&mut self, faults: &Faults, validators: usize, rng: &mut ChaCha8Rng, counts: &mut Counts) {
        let which = usize::try_from(below(rng, faults.cuts.len() as u64 + 1)).unwrap_or_default();
        let sides = rng.next_u64();
        let some = || (0..validators).filter(|index| (sides >> (index % 64)) & 1 == 1).collect();
        let mut one = || usize::try_from(below(rng, validators as u64)).unwrap_or_default();
        let kind = faults.cuts.iter().nth(which).copied();
        self.state = match kind {
            Some(Kind::Partition) => State::Apart(some()),
            Some(Kind::OneWay) => State::Unheard(some()),
            Some(Kind::SlowLink) => State::Slow((one(), one()), SECOND + below(rng, 3 * SECOND)),
            _ => State::Whole,
        };
        if let Some(kind) = kind {
            counts.fault(kind);
        }
    }

    /// Whether nothing passes.
    fn is_cut(&self, from: usize, to: usize) -> bool {
        match &self.state {
            State::Whole | State::Slow(..) => false,
            State::Apart(side) => side.contains(&from) != side.contains(&to),
            State::Unheard(side) => side.contains(&from) && !side.contains(&to),
        }
    }

    fn extra(&self, from: usize, to: usize) -> Time {
        match &self.state {
            State::Slow(link, extra) if *link == (from, to) => *extra,
            _ => 0,
        }
    }

    /// After which delays a message arrives, which is sent now.
    pub fn carry(
        &mut self,
        (from, to): (usize, usize),
        now: Time,
        faults: Option<&Faults>,
        rng: &mut ChaCha8Rng,
        counts: &mut Counts,
    ) -> Vec<Time> {
        let Some(faults) = faults else { return vec![MS + below(rng, HEALTHY)] };
        if self.is_cut(from, to) {
            counts.fault(Kind::Loss);
            return Vec::new();
        }
        if faults.loss > 0 && below(rng, 1_000) < faults.loss {
            counts.fault(Kind::Loss);
            return Vec::new();
        }
        let mut arrives = now + MS + below(rng, faults.delay) + self.extra(from, to);
        if arrives > now + HEALTHY + MS {
            counts.fault(Kind::Delay);
        }
        let latest = self.latest.entry((from, to)).or_default();
        if arrives < *latest {
            if faults.reordering {
                counts.fault(Kind::Reordering);
            } else {
                arrives = *latest;
            }
        }
        *latest = arrives.max(*latest);
        let mut delays = vec![arrives - now];
        if faults.duplicated > 0 && below(rng, 1_000) < faults.duplicated {
            counts.fault(Kind::Duplication);
            delays.push(arrives - now + below(rng, faults.delay * 4));
        }
        delays
    }
}
