//! A token bucket. Pure: time is handed in.

use std::time::{Duration, Instant};

/// Holds up to `capacity` tokens, filled at `rate` tokens a second.
#[derive(Debug)]
pub(crate) struct Bucket {
    capacity: u64,
    rate: u64,
    tokens: u64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn full(capacity: u64, rate: u64, now: Instant) -> Self {
        Self { capacity, rate, tokens: capacity, filled: now }
    }

    /// Takes `amount`; false, and nothing taken, if fewer are left.
    pub(crate) fn take(&mut self, amount: u64, now: Instant) -> bool {
        self.fill(now);
        match self.tokens.checked_sub(amount) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    /// Takes `amount` whatever is left: what is missing delays the next tokens.
    pub(crate) fn spend(&mut self, amount: u64, now: Instant) {
        self.fill(now);
        let missing = amount.saturating_sub(self.tokens);
        self.tokens = self.tokens.saturating_sub(amount);
        self.filled += self.time_for(missing);
    }

    fn time_for(&self, tokens: u64) -> Duration {
        let micros = u128::from(tokens).saturating_mul(1_000_000) / u128::from(self.rate.max(1));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    /// Adds whole tokens only, and moves the clock by what these took, so that no fraction is lost.
    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).as_micros();
        let gained = elapsed.saturating_mul(u128::from(self.rate)) / 1_000_000;
        let gained = u64::try_from(gained).unwrap_or(u64::MAX);
        if gained >= self.capacity.saturating_sub(self.tokens) {
            self.tokens = self.capacity;
            self.filled = self.filled.max(now);
        } else if gained > 0 {
            self.tokens += gained;
            self.filled += self.time_for(gained);
        }
    }
}
