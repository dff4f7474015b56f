//! When the collection of participations closes: a pure function of the ordered log and the verdicts.
//!
//! ```text
//! every validator's first participation is in, valid weight >= t      -> closes at the end of that block
//! valid weight reached t in block r, and block r + grace has ended    -> closes at the end of that block
//! valid weight + weight still outstanding < t                         -> impossible
//! ```
//!
//! Blocks are looked at in order, and a block only once every first participation in it is verified, so the
//! result depends neither on when a verification finished nor on how many were verified together.

use processor_messages::TributaryBlock;

/// What the closing depends on besides the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Key shares of each validator, in set order.
    pub weights: Vec<u16>,
    /// Key shares needed to sign.
    pub threshold: u16,
    /// How many further blocks a collection stays open which has reached the threshold.
    pub grace: u32,
}

/// A validator's first participation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct First {
    /// The block it is in.
    pub block: TributaryBlock,
    /// Whose it is: the place in set order.
    pub member: u16,
    /// Whether it is valid; `None` until verified.
    pub valid: Option<bool>,
}

/// How far the collection is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Collection {
    /// Blocks or verdicts are missing.
    Open,
    /// These members' participations count, in set order.
    Closed {
        /// The block at whose end it closed.
        at: TributaryBlock,
        /// Whose participations count.
        dealers: Vec<u16>,
    },
    /// The validators still outstanding cannot bring valid weight to the threshold.
    Impossible {
        /// Whose participations were invalid, in set order.
        culprits: Vec<u16>,
    },
}

/// Decides about the log through the block `through` (`PROC-3`). At most one `First` for each member.
pub fn collection(rules: &Rules, firsts: &[First], through: TributaryBlock) -> Collection {
    let mut firsts: Vec<&First> = firsts.iter().filter(|f| f.block <= through).collect();
    firsts.sort_by_key(|f| (f.block, f.member));
    let mut state = State { rules, arrived: Vec::new(), reached: None };
    for block in firsts.chunk_by(|a, b| a.block == b.block) {
        let Some(number) = block.first().map(|f| f.block) else { continue };
        if let Some(at) = state.closes_by_grace().filter(|at| *at < number) {
            return state.closed(at);
        }
        if block.iter().any(|f| f.valid.is_none()) {
            return Collection::Open;
        }
        state.arrived.extend(block.iter().map(|f| (f.member, f.valid == Some(true))));
        if let Some(decided) = state.end_of(number) {
            return decided;
        }
    }
    match state.closes_by_grace() {
        Some(at) if at <= through => state.closed(at),
        _ => Collection::Open,
    }
}

struct State<'a> {
    rules: &'a Rules,
    arrived: Vec<(u16, bool)>,
    reached: Option<TributaryBlock>,
}

impl State<'_> {
    fn weight_where(&self, condition: impl Fn(u16) -> bool) -> u32 {
        let members = (0_u16..).zip(&self.rules.weights);
        members.filter(|(member, _)| condition(*member)).map(|(_, weight)| u32::from(*weight)).sum()
    }

    fn members_where(&self, valid: bool) -> Vec<u16> {
        let mut members: Vec<u16> =
            self.arrived.iter().filter(|(_, v)| *v == valid).map(|(member, _)| *member).collect();
        members.sort_unstable();
        members
    }

    fn end_of(&mut self, block: TributaryBlock) -> Option<Collection> {
        let threshold = u32::from(self.rules.threshold);
        let valid = self.weight_where(|member| self.arrived.contains(&(member, true)));
        let outstanding = self.weight_where(|member| self.arrived.iter().all(|(m, _)| *m != member));
        if (valid + outstanding) < threshold {
            return Some(Collection::Impossible { culprits: self.members_where(false) });
        }
        if valid >= threshold {
            self.reached.get_or_insert(block);
            if self.arrived.len() == self.rules.weights.len() {
                return Some(self.closed(block));
            }
        }
        None
    }

    fn closes_by_grace(&self) -> Option<TributaryBlock> {
        self.reached.map(|block| TributaryBlock(block.0.saturating_add(self.rules.grace.into())))
    }

    fn closed(&self, at: TributaryBlock) -> Collection {
        Collection::Closed { at, dealers: self.members_where(true) }
    }
}

#[cfg(test)]
mod tests;
