//! What members report of each other besides the log, put together so that less than a third of the weight
//! decides nothing (`SIGN-19`).
//!
//! ```text
//! reports ── each counts once for each key share of its author, who says nothing of itself (0)
//!    └─▶ median of each member, the lower one, by weight ──▶ minus what t of the shares have at most
//! ```
//!
//! Pure arithmetic. Between a share-weighted median of reports of weight t and the honest reports there is
//! always an honest report on either side. The offset takes away what everybody suffers, so that one
//! reporter's bad connection, or the whole network's, is nobody's fault.

/// A member's report: its place in the set, and what it says of each member, in set order.
pub(super) type Report<'a> = (usize, &'a [u32]);

/// The points of each member, in set order; none for anybody if the reports weigh less than `threshold`.
///
/// `weights` are the key shares in set order. A report which is too short says 0 of whom it does not reach.
pub(super) fn points(weights: &[u16], threshold: u16, reports: &[Report<'_>]) -> Vec<u32> {
    let weight_of = |place: usize| weights.get(place).copied().unwrap_or(0);
    let reported = reports.iter().fold(0_u16, |sum, (author, _)| sum.saturating_add(weight_of(*author)));
    if reported < threshold {
        return vec![0; weights.len()];
    }
    let said = |(author, says): &Report<'_>, of: usize| {
        let points = if *author == of { 0 } else { says.get(of).copied().unwrap_or(0) };
        (points, weight_of(*author))
    };
    let medians: Vec<u32> = (0..weights.len())
        .map(|of| {
            let said: Vec<_> = reports.iter().map(|report| said(report, of)).collect();
            // The smallest which at least half of the weight does not exceed.
            at_weight(said, reported.div_ceil(2))
        })
        .collect();
    let offset = at_weight(medians.iter().copied().zip(weights.iter().copied()).collect(), threshold);
    medians.into_iter().map(|median| median.saturating_sub(offset)).collect()
}

/// The `place`-th smallest value, from 1, if each stands there as often as its weight; 0 if there are fewer.
fn at_weight(mut values: Vec<(u32, u16)>, place: u16) -> u32 {
    values.sort_unstable();
    let mut passed = 0_u16;
    let reaches = |(_, weight): &(u32, u16)| {
        passed = passed.saturating_add(*weight);
        passed >= place
    };
    values.into_iter().find(reaches).map_or(0, |(value, _)| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points_of(weights: &[u16], reports: &[(usize, Vec<u32>)]) -> Vec<u32> {
        let n: u16 = weights.iter().sum();
        let reports: Vec<Report<'_>> =
            reports.iter().map(|(author, says)| (*author, says.as_slice())).collect();
        points(weights, n * 2 / 3 + 1, &reports)
    }

    #[test]
    fn what_t_of_the_weight_say_counts_and_what_everybody_suffers_does_not() {
        // SIGN-19.
        let agree = |says: [u32; 4]| (0..4).map(|author| (author, says.to_vec())).collect::<Vec<_>>();
        assert_eq!(points_of(&[1; 4], &agree([0, 0, 0, 9])), [0, 0, 0, 9]);
        assert_eq!(points_of(&[1; 4], &agree([5, 5, 5, 9])), [0, 0, 0, 4], "5 is everybody's");
        assert_eq!(points_of(&[1; 4], &agree([0, 0, 7, 9])), [0, 0, 0, 2], "t - 1 of the shares have less");
        assert_eq!(points_of(&[1; 4], &agree([0, 0, 0, 9])[..2]), [0; 4], "too few report");
        assert_eq!(points_of(&[1; 4], &agree([u32::MAX; 4])), [0; 4]);
    }

    #[test]
    fn the_median_is_the_lower_one_and_weighs_shares_not_validators() {
        // SIGN-19: two shares say 8 and two, with the member's own, say 0.
        let reports = [(0, vec![0, 0, 0, 8]), (1, vec![0, 0, 0, 8]), (2, vec![0; 4]), (3, vec![0; 4])];
        assert_eq!(points_of(&[1; 4], &reports), [0; 4]);
        assert_eq!(points_of(&[2, 1, 1, 1], &reports), [0, 0, 0, 8], "three shares of five");
    }

    #[test]
    fn ref_27_a_validators_word_about_itself_is_no_vote_against_itself() {
        let says = |author| (author, vec![0, 0, 0, u32::from(author == 3) * 50]);
        assert_eq!(points_of(&[1; 4], &(0..4).map(says).collect::<Vec<_>>()), [0; 4]);
    }

    /// Weights of a set, and which members lie: together less than a third.
    fn settings() -> impl Strategy<Value = (Vec<u16>, Vec<bool>)> {
        (proptest::collection::vec(1_u16..20, 4..12), proptest::collection::vec(any::<bool>(), 12)).prop_map(
            |(weights, wishes)| {
                let n: u16 = weights.iter().sum();
                let mut room = (n - 1) / 3;
                let lies = weights.iter().zip(wishes).map(|(weight, wish)| {
                    let lies = wish && (*weight <= room);
                    room -= if lies { *weight } else { 0 };
                    lies
                });
                let lies = lies.collect();
                (weights, lies)
            },
        )
    }

    proptest! {
        #[test]
        fn ref_27_less_than_a_third_of_the_weight_steers_no_median(
            (weights, lies) in settings(),
            honest in proptest::collection::vec((0_u32..100, 100_u32..200), 12),
            lie in proptest::collection::vec(any::<u32>(), 12),
            silent in any::<bool>(),
        ) {
            // Honest reports of a member are within a range; the median is within it as well, or 0 where the
            // member's own word counts. So no honest member gets more than the honest range allows.
            let n: u16 = weights.iter().sum();
            let t = n * 2 / 3 + 1;
            let reports: Vec<(usize, Vec<u32>)> = (0..weights.len())
                .filter(|author| !(silent && lies[*author]))
                .map(|author| {
                    let says = (0..weights.len()).map(|of| {
                        let (low, high) = honest[of];
                        if lies[author] { lie[(author + of) % 12] } else if author % 2 == 0 { low } else { high }
                    });
                    (author, says.collect())
                })
                .collect();
            let reports: Vec<Report<'_>> = reports.iter().map(|(a, s)| (*a, s.as_slice())).collect();
            let points = points(&weights, t, &reports);
            for (of, points) in points.iter().enumerate() {
                prop_assert!(*points <= honest[of].1, "member {of} got {points}");
            }
            // Whom every honest member accuses, it alone, gets exactly that, whatever the liars and it say.
            if let Some(accused) = (0..weights.len()).find(|of| lies[*of]) {
                let says = |author: usize| -> Vec<u32> {
                    let honest = |of| if of == accused { 100 } else { 0 };
                    (0..weights.len()).map(|of| if lies[author] { lie[(author + of) % 12] } else { honest(of) }).collect()
                };
                let reports: Vec<(usize, Vec<u32>)> = (0..weights.len()).map(|author| (author, says(author))).collect();
                let mut expected = vec![0; weights.len()];
                expected[accused] = 100;
                prop_assert_eq!(points_of(&weights, &reports), expected);
            }
            // The offset leaves points to at most n - t of the shares.
            let charged: u16 = points.iter().zip(&weights).filter(|(p, _)| **p > 0).map(|(_, w)| *w).sum();
            prop_assert!(charged <= n - t);
        }
    }
}
