//! How much stake decides. Amounts are 64 bits and networks few, so sums of them fit 128 bits.

/// The stake which cosigns: more than two thirds of `total` (`COSIGN-6`).
pub fn quorum(total: u128) -> u128 {
    (total.saturating_mul(2) / 3).saturating_add(1)
}

/// Whether conflicting cosigns have enough stake that nothing is acted on any more: 17 % (`COSIGN-8`).
pub fn is_faulted(conflicting: u128, total: u128) -> bool {
    (total > 0) && (conflicting.saturating_mul(100) >= total.saturating_mul(17))
}
