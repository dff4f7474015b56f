//! What one topic tells the next of who made it fail.

use coordinator_store::Store;
use processor_messages::{BatchId, TributaryBlock, sign::SigningId};

use super::cluster::{Cluster, Manner::*, Node, status};
use crate::{
    notice::Event,
    session::{
        standing::{self, DOUBT_ATTEMPTS},
        topic::Topic,
    },
};

/// How many attempts after the first ones were begun.
fn further_attempts(node: &Node) -> usize {
    node.notices.iter().filter(|notice| matches!(notice.event, Event::AttemptStarted { .. })).count()
}

fn first_doubt(cluster: &Cluster) -> u64 {
    DOUBT_ATTEMPTS * u64::from(cluster.spec().parameters.attempt_blocks)
}

fn blocks(cluster: &Cluster) -> u64 {
    cluster.log.len() as u64
}

/// Lets the cluster's processors make one more batch; the base chain executes it.
fn one_more_batch(cluster: &mut Cluster) {
    cluster.make_batch();
    cluster.run_until(60, |c| c.executed.len() == c.batches as usize);
    (0..2).for_each(|_| cluster.turn());
}

#[test]
fn who_never_shares_costs_one_attempt_and_not_one_of_each_topic() {
    // SIGN-25.
    let mut cluster = Cluster::new(&[1; 4], &[WithholdsShares, Honest, Honest, Honest]);
    cluster.run_to_batches(120);
    assert_eq!((further_attempts(&cluster.nodes[1]), cluster.points(0)), (1, 10), "of the confirmation");
    let since = blocks(&cluster);
    while blocks(&cluster) < first_doubt(&cluster) {
        one_more_batch(&mut cluster);
        assert_eq!(further_attempts(&cluster.nodes[1]), 1, "batch {}", cluster.batches);
    }
    assert!(blocks(&cluster) > since + 20, "there were batches to fail");
    cluster.assert_agreement();
}

#[test]
fn each_doubt_is_twice_as_long_and_ends() {
    // SIGN-25.
    let mut cluster = Cluster::new(&[1; 4], &[WithholdsShares, Honest, Honest, Honest]);
    cluster.run_to_batches(120);
    let mut failed_at = vec![blocks(&cluster)];
    while failed_at.len() < 4 {
        let before = further_attempts(&cluster.nodes[1]);
        one_more_batch(&mut cluster);
        if further_attempts(&cluster.nodes[1]) > before {
            failed_at.push(blocks(&cluster));
        }
    }
    let pauses: Vec<u64> = failed_at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let first = first_doubt(&cluster);
    for (pause, times) in pauses.iter().zip([1, 2, 4]) {
        let expected = first * times..first * times + 40;
        assert!(expected.contains(pause), "{pauses:?}: {expected:?}");
    }
    cluster.assert_agreement();
}

#[test]
fn shares_make_good_what_was_failed() {
    // SIGN-25: the second failure is doubted as long as the first one.
    let mut cluster = Cluster::new(&[1; 4], &[WithholdsShares, Honest, Honest, Honest]);
    cluster.run_to_batches(120);
    let first = first_doubt(&cluster);
    cluster.nodes[0].manner = Honest;
    while blocks(&cluster) < first + 40 {
        one_more_batch(&mut cluster);
    }
    cluster.nodes[0].manner = WithholdsShares;
    let before = further_attempts(&cluster.nodes[1]);
    one_more_batch(&mut cluster);
    assert_eq!(further_attempts(&cluster.nodes[1]), before + 1, "it was selected again, and failed");
    let since = blocks(&cluster);
    while further_attempts(&cluster.nodes[1]) == before + 1 {
        one_more_batch(&mut cluster);
    }
    let pause = blocks(&cluster) - since;
    assert!((first..first + 40).contains(&pause), "{pause}");
}

#[test]
fn the_doubted_are_selected_after_a_grace_when_the_others_do_not_suffice() {
    // SIGN-25: an honest member missed a share; when another is away it is needed, and no attempt is lost for it.
    let mut cluster = Cluster::new(&[1; 4], &[WithholdsShares, Honest, Honest, Honest]);
    cluster.run_to_batches(120);
    assert_eq!(further_attempts(&cluster.nodes[1]), 1);
    cluster.nodes[0].manner = Honest;
    cluster.nodes[3].down = true;
    for _ in 0..3 {
        one_more_batch(&mut cluster);
    }
    assert_eq!(further_attempts(&cluster.nodes[1]), 1, "each was signed in its first attempt");
    let selected = |id| Topic::Signing(SigningId::Batch(BatchId(id)));
    let with_it = |notice: &crate::Notice| match &notice.event {
        Event::Selected { topic, own, .. } => *own && (*topic == selected(2)),
        _ => false,
    };
    assert!(cluster.nodes[0].notices.iter().any(with_it), "the doubted signed");
    assert!(status(&cluster.nodes[1]).topics.is_empty());
    let [(doubted, until)] = status(&cluster.nodes[1]).doubted[..] else { panic!("one is doubted") };
    assert_eq!(doubted, cluster.nodes[0].validator());
    assert!(until > TributaryBlock(blocks(&cluster)));
    cluster.restart(3);
    cluster.assert_agreement();
}

/// Until a further attempt began, seen by an honest node.
fn until_further_attempt(cluster: &mut Cluster) {
    let before = further_attempts(&cluster.nodes[1]);
    cluster.run_until(60, |c| further_attempts(&c.nodes[1]) > before);
}

#[test]
fn who_fails_while_doubted_is_doubted_longer_and_the_others_get_more_grace() {
    // SIGN-25.
    let mut cluster = Cluster::new(&[1; 4], &[WithholdsShares, Honest, Honest, Honest]);
    cluster.run_to_batches(120);
    let until = |cluster: &Cluster| status(&cluster.nodes[1]).doubted[0].1.0;
    assert!(until(&cluster) < blocks(&cluster) + first_doubt(&cluster));
    // Another is away, so that it is selected, and fails again.
    cluster.nodes[3].down = true;
    cluster.make_batch();
    until_further_attempt(&mut cluster);
    assert_eq!(until(&cluster), blocks(&cluster) + 2 * first_doubt(&cluster));
    cluster.restart(3);
    cluster.nodes[3].hear_batch(cluster.batches - 1);
    cluster.run_until(120, |c| c.executed.len() == c.batches as usize);
    (0..2).for_each(|_| cluster.turn());
    // The grace was one block, and is two: somebody who is one block late makes it unnecessary.
    let before = further_attempts(&cluster.nodes[1]);
    let arrived = |c: &Cluster| status(&c.nodes[1]).topics.first().is_some_and(|t| t.preprocess_weight == 3);
    cluster.nodes[3].down = true;
    cluster.make_batch();
    cluster.run_until(9, arrived);
    cluster.turn();
    cluster.restart(3);
    cluster.nodes[3].hear_batch(cluster.batches - 1);
    cluster.run_until(60, |c| c.executed.len() == c.batches as usize);
    assert_eq!(further_attempts(&cluster.nodes[1]), before);
    cluster.assert_agreement();
}

#[test]
fn the_confirmation_takes_the_doubted_too_when_they_are_needed() {
    // SIGN-25, CONF-4.
    let mut cluster = Cluster::new(&[1; 4], &[WithholdsShares, Honest, Honest, Honest]);
    until_further_attempt(&mut cluster);
    cluster.nodes[0].manner = Honest;
    cluster.nodes[3].down = true;
    cluster.run_until(60, |c| c.set_keys.is_some());
    let with_it = |notice: &crate::Notice| matches!(notice.event, Event::Selected { topic: Topic::Confirmation, own, attempt, .. } if own && attempt.0 > 0);
    assert!(cluster.nodes[0].notices.iter().any(with_it));
}

#[test]
fn standings_are_forgotten_with_their_set() {
    // SIGN-22, SIGN-25.
    let mut cluster = Cluster::new(&[1; 4], &[WithholdsShares, Honest, Honest, Honest]);
    cluster.run_to_batches(120);
    let genesis = cluster.spec().genesis;
    let kept = |node: &Node| node.store.read(|db| standing::doubted(db, genesis, TributaryBlock(0))).unwrap();
    let [(_, until)] = kept(&cluster.nodes[2])[..] else { panic!("one is doubted") };
    assert!(until > TributaryBlock(blocks(&cluster)));
    assert!(cluster.nodes[2].step(|step| Ok(standing::prune(step.txn, genesis, 9)?)).unwrap());
    assert!(kept(&cluster.nodes[2]).is_empty());
}
