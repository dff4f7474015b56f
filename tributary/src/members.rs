//! Who takes part in one chain, with which weight, and the chain's identity.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_keys::PublicKey;
use processor_messages::{Genesis, KeyShares, Validator};

/// The most validators of one chain.
pub const MAX_MEMBERS: usize = 256;
/// The greatest sum of weights of one chain; bounds the proposer schedule.
pub const MAX_TOTAL_WEIGHT: u64 = 10_000;
/// The largest block body any chain may be configured with, in bytes.
pub const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;
/// The largest transaction any chain may be configured with, in bytes.
pub const MAX_TRANSACTION_BYTES: usize = 4 * 1024 * 1024;

/// What a body needs beside its transactions: their count.
const COUNT_BYTES: usize = 4;

/// Bounds every member must agree on, as they decide which block is valid; part of the genesis hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Limits {
    /// The largest block body, in bytes; at most [`MAX_BODY_BYTES`].
    pub body_bytes: u32,
    /// The largest encoded transaction, in bytes; at most [`MAX_TRANSACTION_BYTES`], and four less than
    /// the body, as that also holds their count.
    pub transaction_bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 2 * 1024 * 1024, transaction_bytes: 1024 * 1024 }
    }
}

impl Limits {
    /// The largest block body, in bytes.
    pub fn body(self) -> usize {
        usize::try_from(self.body_bytes).unwrap_or(usize::MAX)
    }

    /// The largest encoded transaction, in bytes.
    pub fn transaction(self) -> usize {
        usize::try_from(self.transaction_bytes).unwrap_or(usize::MAX)
    }
}

/// Why a list of validators is not a chain.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MembersError {
    /// Nobody, or more than [`MAX_MEMBERS`].
    #[error("{0} validators where 1 to {MAX_MEMBERS} are allowed")]
    Count(usize),
    /// A validator's account is no Ristretto key.
    #[error("validator {0} is not a public key; the base chain must not admit such an account")]
    Key(Validator),
    /// A validator appears twice.
    #[error("validator {0} appears twice")]
    Twice(Validator),
    /// A validator holds no key share.
    #[error("validator {0} holds no key share")]
    NoWeight(Validator),
    /// More weight than [`MAX_TOTAL_WEIGHT`].
    #[error("total weight {0} where at most {MAX_TOTAL_WEIGHT} is allowed")]
    Weight(u64),
    /// The limits contradict themselves or the bounds of this program.
    #[error("limits {0:?} are not usable: 1 ≤ transaction ≤ body - 4 ≤ {MAX_BODY_BYTES} - 4")]
    Limits(Limits),
}

/// One validator of a chain.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its account.
    pub validator: Validator,
    /// Its key, decompressed once.
    pub key: PublicKey,
    /// Its key shares.
    pub weight: KeyShares,
}

/// The validators of one chain in set order, and the chain's genesis.
#[derive(Clone, Debug)]
pub struct Members {
    genesis: Genesis,
    limits: Limits,
    list: Vec<Member>,
    index: BTreeMap<Validator, usize>,
    total: u64,
    /// Member indices; the proposer of (height, round) is at `(height + round) mod length` (`TRIB-8`).
    schedule: Vec<usize>,
}

impl Members {
    /// Builds the set from the chain's genesis and the validators in set order.
    ///
    /// # Errors
    /// [`MembersError`] unless every validator is a key, appears once, and holds weight within bounds.
    pub fn new(
        genesis: Genesis,
        validators: &[(Validator, KeyShares)],
        limits: Limits,
    ) -> Result<Self, MembersError> {
        if !(1..=MAX_MEMBERS).contains(&validators.len()) {
            return Err(MembersError::Count(validators.len()));
        }
        if (limits.transaction() == 0)
            || (limits.transaction() > MAX_TRANSACTION_BYTES)
            || (limits.transaction() > limits.body().saturating_sub(COUNT_BYTES))
            || (limits.body() > MAX_BODY_BYTES)
        {
            return Err(MembersError::Limits(limits));
        }
        let mut members = Vec::new();
        let mut index = BTreeMap::new();
        for (validator, weight) in validators {
            let key = PublicKey::from_bytes(validator.0).map_err(|_| MembersError::Key(*validator))?;
            if weight.0 == 0 {
                return Err(MembersError::NoWeight(*validator));
            }
            if index.insert(*validator, members.len()).is_some() {
                return Err(MembersError::Twice(*validator));
            }
            members.push(Member { validator: *validator, key, weight: *weight });
        }
        let total = members.iter().map(|m| u64::from(m.weight.0)).sum();
        if total > MAX_TOTAL_WEIGHT {
            return Err(MembersError::Weight(total));
        }
        let schedule = schedule(&members, total);
        Ok(Self { genesis, limits, list: members, index, total, schedule })
    }

    /// The chain's id, which every signature binds.
    pub fn genesis(&self) -> Genesis {
        self.genesis
    }

    /// What bounds blocks and transactions.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// All members in set order.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.list.iter()
    }

    /// The number of members.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// The member of this account.
    pub fn get(&self, validator: &Validator) -> Option<&Member> {
        self.list.get(*self.index.get(validator)?)
    }

    /// The member at this place of the set order.
    pub fn at(&self, index: usize) -> Option<&Member> {
        self.list.get(index)
    }

    /// The sum of weights.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Whether `weight` is more than two thirds of the total.
    pub fn is_quorum(&self, weight: u64) -> bool {
        if mutated!(BelowQuorum) {
            return weight.saturating_mul(4) >= self.total;
        }
        weight.saturating_mul(3) > self.total.saturating_mul(2)
    }

    /// The sum of weights of distinct members among `validators`.
    pub fn weight_of<'a>(&self, validators: impl IntoIterator<Item = &'a Validator>) -> u64 {
        let distinct: std::collections::BTreeSet<_> = validators.into_iter().collect();
        distinct.into_iter().filter_map(|v| self.get(v)).map(|m| u64::from(m.weight.0)).sum()
    }

    /// The sum of weights of these, each of whom must be a member and there once.
    pub(crate) fn distinct_weight<'a>(
        &self,
        validators: impl IntoIterator<Item = &'a Validator>,
    ) -> Option<u64> {
        let mut seen = std::collections::BTreeSet::new();
        let mut weight = 0u64;
        for validator in validators {
            let member = self.get(validator).filter(|_| seen.insert(validator))?;
            weight = weight.saturating_add(u64::from(member.weight.0));
        }
        Some(weight)
    }

    /// Who proposes in `(height, round)`.
    pub fn proposer(&self, height: u64, round: u32) -> &Member {
        let length = u64::try_from(self.schedule.len()).expect("bounded by the greatest total weight");
        let at = height.wrapping_add(u64::from(round)).checked_rem(length).unwrap_or(0);
        let member = usize::try_from(at).ok().and_then(|at| self.schedule.get(at)).and_then(|m| self.at(*m));
        member.expect("the schedule holds indices of members and is not empty")
    }
}

/// Smooth weighted round robin: each member appears as often as its weight, spread evenly.
fn schedule(members: &[Member], total: u64) -> Vec<usize> {
    let total = i64::try_from(total).expect("bounded by the greatest total weight");
    let mut credit = vec![0i64; members.len()];
    let mut schedule = Vec::new();
    for _ in 0..total {
        for (credit, member) in credit.iter_mut().zip(members) {
            *credit += i64::from(member.weight.0);
        }
        // The first of equal credits, so the order is a function of the set order alone.
        let mut best = 0;
        let mut most = i64::MIN;
        for (index, credit) in credit.iter().enumerate() {
            if *credit > most {
                (best, most) = (index, *credit);
            }
        }
        if let Some(credit) = credit.get_mut(best) {
            *credit -= total;
        }
        schedule.push(best);
    }
    schedule
}
