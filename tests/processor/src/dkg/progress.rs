//! How far a verification is: who is told of it, and may end it (`PROC-20`).
//!
//! ```text
//! verification --Progress--> Hook --Continue--> the next participation
//!                                 `-Break-----> Cancelled: nothing was decided
//! ```

use std::ops::ControlFlow;

/// The shortest way of which quarters are told: four participations on two curves.
const MIN_STEPS: usize = 8;

/// How far a verification is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Steps done: a participation is one on each curve.
    pub done: usize,
    /// Steps in all.
    pub of: usize,
}

/// Asked before each participation, and before whatever else takes as long: `Break` ends the verification.
pub type Hook<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// The hook of a verification which nobody ends.
pub fn to_the_end(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Which progress is told: each quarter at most once, and not the end, of which the result tells.
#[derive(Default)]
pub struct Quarters {
    told: usize,
}

impl Quarters {
    /// The percentage to be told now.
    pub fn reached(&mut self, Progress { done, of }: Progress) -> Option<usize> {
        let quarter = done.saturating_mul(4).checked_div(of)?;
        if (of < MIN_STEPS) || (quarter <= self.told) || (quarter > 3) {
            return None;
        }
        self.told = quarter;
        Some(25 * quarter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(of: usize, at: impl IntoIterator<Item = usize>) -> Vec<(usize, usize)> {
        let mut quarters = Quarters::default();
        at.into_iter().filter_map(|done| Some((done, quarters.reached(Progress { done, of })?))).collect()
    }

    /// `PROC-20`.
    #[test]
    fn a_quarter_is_told_once_and_a_short_way_not_at_all() {
        assert_eq!(told(40, (0..=40).chain([40])), [(10, 25), (20, 50), (30, 75)]);
        // Several at once, on as many threads; and again, before a sum.
        assert_eq!(told(9, [0, 4, 4, 8, 9, 9]), [(4, 25), (8, 75)]);
        assert_eq!(told(MIN_STEPS - 1, 0..MIN_STEPS), []);
        assert_eq!(told(0, [0, 0]), []);
    }
}
