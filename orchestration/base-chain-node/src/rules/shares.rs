//! Key shares from stakes (`BASE-10` to `BASE-12`).
//!
//! No validator of a set may alone hold a third of its key shares, nor more than 20. The bound depends on
//! the total, which shrinks with what is removed. Removing one share at a time from whoever exceeds the
//! bound of the moment ends, in whatever order, at one and the same allocation: the greatest in which nobody
//! exceeds the bound. (If two allocations are within their bounds, so is their pointwise maximum, as a
//! greater total has no lower bound.) So it is computed by lowering the bound until it holds.

use processor_messages::{Amount, KeyShares, MAX_KEY_SHARES, MAX_VALIDATOR_SHARES, Validator};

/// The most key shares one validator may hold of a set of `n`: less than a third and at most 20, but at
/// least one. A set of fewer than 4 shares tolerates no fault, whatever is allowed here.
pub const fn most_shares(n: u16) -> u16 {
    let most = n.div_ceil(3).saturating_sub(1);
    if most == 0 {
        1
    } else if most > MAX_VALIDATOR_SHARES {
        MAX_VALIDATOR_SHARES
    } else {
        most
    }
}

/// The set which these stakes make, in set order: highest stake first, then by key.
///
/// Stakes below one share take no part. A stake per share of zero makes no set.
pub fn allocate_shares(
    mut stakes: Vec<(Validator, Amount)>,
    per_share: Amount,
) -> Vec<(Validator, KeyShares)> {
    stakes.sort_by(|(a, of_a), (b, of_b)| of_b.cmp(of_a).then(a.cmp(b)));
    let mut set = Vec::new();
    let mut total = 0_u16;
    for (validator, stake) in stakes {
        let shares = stake.0.checked_div(per_share.0).unwrap_or(0).min(u64::from(MAX_VALIDATOR_SHARES));
        let shares = u16::try_from(shares).unwrap_or(MAX_VALIDATOR_SHARES);
        if (shares == 0) || (total >= MAX_KEY_SHARES) {
            break;
        }
        total += shares;
        set.push((validator, shares));
    }
    remove_excess(&mut set, total.saturating_sub(MAX_KEY_SHARES));
    cap_each(&mut set);
    set.into_iter().map(|(validator, shares)| (validator, KeyShares(shares))).collect()
}

/// Takes away `excess` shares, one at a time, lowest stake first and round again; never a validator's last,
/// of which there are at most 150.
fn remove_excess(set: &mut [(Validator, u16)], mut excess: u16) {
    while excess > 0 {
        let mut removed = false;
        for (_, shares) in set.iter_mut().rev() {
            if (excess > 0) && (*shares > 1) {
                *shares -= 1;
                excess -= 1;
                removed = true;
            }
        }
        if !removed {
            return;
        }
    }
}

fn cap_each(set: &mut [(Validator, u16)]) {
    let mut cap = MAX_VALIDATOR_SHARES;
    loop {
        let total = set.iter().map(|(_, shares)| cap.min(*shares)).sum();
        let next = cap.min(most_shares(total));
        if next == cap {
            break;
        }
        cap = next;
    }
    for (_, shares) in set {
        *shares = cap.min(*shares);
    }
}
