//! An attempt ends as soon as a member whose share it needs is fatally slashed, whatever for.

use processor_messages::{Attempt, BatchId, List, SigningPiece, Validator, sign::SigningId};

use super::cluster::{Cluster, Manner::*, status};
use crate::{
    notice::Event,
    session::{
        slash::Cause,
        status::Stage,
        topic::Topic,
        transaction::{Ordered, Round, Signed},
    },
};
use tributary::Kind;

/// Whether an honest node saw this attempt begin.
fn began(cluster: &Cluster, topic: Topic, attempt: Attempt) -> bool {
    cluster.nodes[1].notices.iter().any(|notice| notice.event == Event::AttemptStarted { topic, attempt })
}

/// Until a batch's first selection is made, with a member in it who will not share: the batch's topic.
fn selected_with_a_withholder(cluster: &mut Cluster, withholder: usize) -> SigningId {
    cluster.run_to_batches(60);
    cluster.nodes[withholder].manner = WithholdsShares;
    let id = SigningId::Batch(BatchId(cluster.batches));
    cluster.make_batch();
    let with_it = |notice: &crate::Notice| match &notice.event {
        Event::Selected { topic, own, .. } => *own && (*topic == Topic::Signing(id)),
        _ => false,
    };
    cluster.run_until(20, |c| c.nodes[withholder].notices.iter().any(with_it));
    id
}

#[test]
fn a_selected_member_who_is_fatally_slashed_ends_the_attempt_in_that_block() {
    // SIGN-8: whatever it is slashed for.
    type Fault = fn(&mut Cluster, SigningId);
    let faults: [(Cause, Fault); 4] = [
        (Cause::WrongCount, |cluster, id| {
            let pieces = List::new(vec![SigningPiece::default(); 2]).unwrap();
            let attempt = Attempt(0);
            cluster.inject(0, &Signed::SigningData { id, attempt, round: Round::Share, pieces });
        }),
        (Cause::Equivocation, |cluster, _| cluster.convict(0)),
        (Cause::NotAMember, |cluster, _| {
            cluster.inject(0, &Signed::Blame { validator: Validator([9; 32]) });
        }),
        (Cause::InvalidParticipation, |cluster, _| {
            let validator = cluster.nodes[0].validator();
            (1..4).for_each(|voter| cluster.inject(voter, &Signed::Blame { validator }));
        }),
    ];
    for (cause, commit) in faults {
        let mut cluster = Cluster::new(&[1; 4], &[Honest; 4]);
        let id = selected_with_a_withholder(&mut cluster, 0);
        assert!(!began(&cluster, Topic::Signing(id), Attempt(1)), "{cause:?}");
        commit(&mut cluster, id);
        cluster.turn();
        assert_eq!(cluster.fatal(0), Some(cause));
        assert!(began(&cluster, Topic::Signing(id), Attempt(1)), "{cause:?}");
        cluster.run_to_batches(10);
        assert!(!began(&cluster, Topic::Signing(id), Attempt(2)), "{cause:?}: the others sign");
        cluster.assert_agreement();
    }
}

#[test]
fn the_confirmation_ends_an_attempt_as_signing_does() {
    // SIGN-8, CONF-7.
    let mut cluster = Cluster::new(&[1; 4], &[WithholdsShares, Honest, Honest, Honest]);
    cluster.run_until(40, |c| status(&c.nodes[1]).stage == Stage::ConfirmationShares);
    cluster.convict(0);
    cluster.turn();
    assert!(began(&cluster, Topic::Confirmation, Attempt(1)));
    cluster.run_to_batches(40);
    assert!(!began(&cluster, Topic::Confirmation, Attempt(2)));
    assert_eq!(cluster.points(0), 0, "it missed nothing: the attempt was over");
    cluster.assert_agreement();
}

#[test]
fn a_member_whose_share_is_there_ends_nothing_by_what_it_does_later() {
    // SIGN-8: its share may be good, and if it is not, the processors say so.
    let mut cluster = Cluster::new(&[1; 4], &[Honest; 4]);
    let id = selected_with_a_withholder(&mut cluster, 0);
    (0..2).for_each(|_| cluster.turn());
    cluster.convict(1);
    cluster.turn();
    assert_eq!(cluster.fatal(1), Some(Cause::Equivocation));
    assert!(!began(&cluster, Topic::Signing(id), Attempt(1)));
}

#[test]
fn a_fatal_slash_is_provided_once_by_all_unless_the_chain_has_the_evidence() {
    // SIGN-21, TRIB-31.
    let mut cluster = Cluster::new(&[1; 7], &[Honest; 7]);
    cluster.run_to_batches(60);
    let barred = |cluster: &Cluster| -> Vec<Vec<u8>> {
        let transactions = cluster.log.iter().flat_map(|block| &block.transactions);
        let of_kind = |ordered: &Ordered| match ordered {
            Ordered::Provided { kind: Kind::SLASHED, payload } => Some(payload.clone()),
            _ => None,
        };
        transactions.filter_map(of_kind).collect()
    };
    cluster.convict(0);
    (0..3).for_each(|_| cluster.turn());
    assert_eq!((cluster.fatal(0), barred(&cluster)), (Some(Cause::Equivocation), vec![]));
    let validator = cluster.nodes[1].validator();
    cluster.inject(1, &Signed::Blame { validator: Validator([9; 32]) });
    cluster.turn();
    cluster.convict(1);
    (0..3).for_each(|_| cluster.turn());
    assert_eq!(barred(&cluster), [validator.0.to_vec()]);
    cluster.assert_agreement();
}
