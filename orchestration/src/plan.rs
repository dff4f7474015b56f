//! What testnet is asked for, validated once.

use std::{path::PathBuf, time::Duration};

use coordinator_base_chain::NetworkCurve;
use processor_messages::{KeyShares, MAX_KEY_SHARES, MAX_VALIDATOR_SHARES, Network};

/// A testnet's size and pace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Key shares of each validator in every network's first set; none if it serves no network in the beginning.
    pub weights: Vec<KeyShares>,
    /// The networks, each with one processor for each validator.
    pub networks: Vec<Network>,
    /// The base chain's time between blocks.
    pub block_time: Duration,
    /// After how many base-chain blocks each network's next set is declared.
    pub epoch_blocks: u64,
    /// Where everything lives.
    pub dir: PathBuf,
}

/// Why a testnet cannot be what was asked for; each says what to change.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PlanError {
    /// Too few validators for any fault to be survived, or too many.
    #[error("--validators {0}: a testnet on one machine has {MIN_VALIDATORS} to {MAX_VALIDATORS}")]
    Validators(usize),
    /// Too few who serve the networks in the beginning.
    #[error("--weights: {0} validators with key shares; a set has at least {MIN_VALIDATORS}")]
    Members(usize),
    /// No network, or too many.
    #[error("--networks {0}: a testnet has 1 to {max}", max = NETWORKS.len())]
    Networks(usize),
    /// Not one weight for each validator.
    #[error("--weights has {weights} values for {validators} validators: give one for each")]
    Weights {
        /// Weights given.
        weights: usize,
        /// Validators asked for.
        validators: usize,
    },
    /// A weight which the base chain would not grant.
    #[error(
        "--weights: {weight} of {total} key shares for one validator; the base chain grants at most {cap}, so that no validator alone can stop the set"
    )]
    Weight {
        /// The weight.
        weight: u16,
        /// All weights.
        total: u16,
        /// The most which is granted.
        cap: u16,
    },
    /// More key shares than a set has.
    #[error("--weights: {0} key shares in all; a set has at most {MAX_KEY_SHARES}")]
    Total(u32),
    /// A pace which the consensus cannot keep.
    #[error("--block-time {0:?}: from 200 ms to 60 s")]
    BlockTime(Duration),
    /// An epoch in which no set can generate its keys.
    #[error("--epoch-blocks {0}: at least {MIN_EPOCH_BLOCKS}")]
    Epoch(u64),
}

/// Long enough that a testnet of one evening keeps its sets.
pub const LONG_EPOCH_BLOCKS: u64 = 50_000;
/// Soon enough that somebody who waits for a handover sees one.
pub const SHORT_EPOCH_BLOCKS: u64 = 60;
/// The shortest epoch.
const MIN_EPOCH_BLOCKS: u64 = 10;

/// The most validators of a testnet: each is at least three processes.
pub const MAX_VALIDATORS: usize = 50;

/// The fewest validators of a set in which each holds less than a third.
pub const MIN_VALIDATORS: usize = 4;

/// The networks in the order in which a testnet takes them.
const NETWORKS: [(&str, NetworkCurve); 3] = [
    ("bitcoin", NetworkCurve::Secp256k1),
    ("ethereum", NetworkCurve::Secp256k1),
    ("monero", NetworkCurve::Ed25519),
];

/// The curve of a testnet's network.
pub fn curve_of(network: Network) -> NetworkCurve {
    let known = NETWORKS.iter().find(|(name, _)| *name == network.as_str());
    known.map_or(NetworkCurve::default(), |(_, curve)| *curve)
}

impl Plan {
    /// Checks what was asked for.
    ///
    /// # Errors
    /// [`PlanError`] naming the option, its value and the allowed range.
    pub fn new(
        validators: usize,
        networks: usize,
        weights: Option<Vec<u16>>,
        block_time: Duration,
        dir: PathBuf,
    ) -> Result<Self, PlanError> {
        if !(MIN_VALIDATORS..=MAX_VALIDATORS).contains(&validators) {
            return Err(PlanError::Validators(validators));
        }
        if !(1..=NETWORKS.len()).contains(&networks) {
            return Err(PlanError::Networks(networks));
        }
        if !(Duration::from_millis(200)..=Duration::from_mins(1)).contains(&block_time) {
            return Err(PlanError::BlockTime(block_time));
        }
        let weights = weights.unwrap_or_else(|| vec![1; validators]);
        check_weights(&weights, validators)?;
        let networks = NETWORKS
            .iter()
            .take(networks)
            .map(|(name, _)| Network::new(name).expect("the names above are valid"))
            .collect();
        let epoch_blocks = LONG_EPOCH_BLOCKS;
        let weights = weights.into_iter().map(KeyShares).collect();
        Ok(Self { weights, networks, block_time, epoch_blocks, dir })
    }

    /// The same with sets that are replaced after so many base-chain blocks.
    ///
    /// # Errors
    /// [`PlanError::Epoch`] if they are too few.
    pub fn with_epoch(self, epoch_blocks: u64) -> Result<Self, PlanError> {
        if epoch_blocks < MIN_EPOCH_BLOCKS {
            return Err(PlanError::Epoch(epoch_blocks));
        }
        Ok(Self { epoch_blocks, ..self })
    }

    /// How many validators there are.
    pub fn validators(&self) -> usize {
        self.weights.len()
    }
}

fn check_weights(weights: &[u16], validators: usize) -> Result<(), PlanError> {
    if weights.len() != validators {
        return Err(PlanError::Weights { weights: weights.len(), validators });
    }
    let total: u32 = weights.iter().map(|w| u32::from(*w)).sum();
    let total = u16::try_from(total).ok().filter(|t| *t <= MAX_KEY_SHARES).ok_or(PlanError::Total(total))?;
    let members = weights.iter().filter(|weight| **weight > 0).count();
    if members < MIN_VALIDATORS {
        return Err(PlanError::Members(members));
    }
    let cap = most_shares(total);
    match weights.iter().find(|weight| **weight > cap) {
        Some(weight) => Err(PlanError::Weight { weight: *weight, total, cap }),
        None => Ok(()),
    }
}

/// The most key shares which one validator of a set of `n` may hold: less than a third.
fn most_shares(n: u16) -> u16 {
    MAX_VALIDATOR_SHARES.min(n.div_ceil(3).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(validators: usize, weights: Option<Vec<u16>>) -> Result<Plan, PlanError> {
        Plan::new(validators, 2, weights, Duration::from_secs(1), PathBuf::from("x"))
    }

    #[test]
    fn the_documented_testnets_are_plans() {
        assert_eq!(plan(4, None).unwrap().weights, vec![KeyShares(1); 4]);
        assert!(plan(7, Some(vec![3, 2, 2, 1, 1, 1, 1])).is_ok());
        assert!(plan(4, Some(vec![3, 3, 2, 2])).is_ok());
        assert!(plan(7, Some(vec![1, 1, 1, 1, 0, 0, 0])).is_ok());
    }

    #[test]
    fn an_epoch_without_time_for_a_key_generation_is_refused() {
        assert_eq!(plan(4, None).unwrap().with_epoch(9), Err(PlanError::Epoch(9)));
        assert_eq!(plan(4, None).unwrap().with_epoch(10).unwrap().epoch_blocks, 10);
    }

    #[test]
    fn what_the_base_chain_would_not_grant_is_refused_with_the_bound() {
        assert_eq!(plan(3, None), Err(PlanError::Validators(3)));
        assert_eq!(plan(4, Some(vec![1, 1])), Err(PlanError::Weights { weights: 2, validators: 4 }));
        assert_eq!(plan(4, Some(vec![7, 1, 1, 1])), Err(PlanError::Weight { weight: 7, total: 10, cap: 3 }));
        assert_eq!(plan(5, Some(vec![1, 1, 1, 0, 0])), Err(PlanError::Members(3)));
        assert_eq!(plan(4, Some(vec![60000, 60000, 1, 1])), Err(PlanError::Total(120_002)));
    }
}
