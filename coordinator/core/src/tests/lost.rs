//! An attempt ends as soon as a member whose share it needs is fatally slashed, whatever for.

use coordinator_store::Store;
use processor_messages::{
    Attempt, BaseBlock, BatchId, List, SigningPiece, TransactionId, TributaryBlock, Validator,
    sign::SigningId,
};

use super::cluster::{Cluster, Manner::*, Node, set, status};
use crate::{
    notice::Event,
    session::{
        self,
        accumulate::MAX_ENDED,
        slash::Cause,
        status::Stage,
        topic::Topic,
        transaction::{Ordered, OrderedBlock, Provided, Round, Signed},
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

/// One node of four, no matter which, and 100 topics of which each has selected members 0, 1 and 2. Returns the number of its last
/// block.
fn many_selected() -> (Node, u64) {
    let mut cluster = Cluster::new(&[1; 4], &[Honest; 4]);
    let genesis = cluster.spec().genesis;
    let members: Vec<Validator> = (0..3).map(|index| cluster.nodes[index].validator()).collect();
    let mut node = cluster.nodes.remove(3);
    assert!(node.store.read(|db| session::state_hash(db, genesis)).is_ok());
    let ids: Vec<TransactionId> = (0..100).map(|n| TransactionId([n; 32])).collect();
    let opening = Provided::BaseBlock { block: BaseBlock(1), transactions: List::new(ids.clone()).unwrap() };
    let mut transactions = vec![Ordered::Provided { kind: opening.kind(), payload: opening.to_bytes() }];
    for (id, signer) in ids.iter().flat_map(|id| members.iter().map(move |signer| (*id, *signer))) {
        let pieces = List::new(vec![SigningPiece::default()]).unwrap();
        let (id, attempt, round) = (SigningId::Transaction(id), Attempt(0), Round::Preprocess);
        let payload = Signed::SigningData { id, attempt, round, pieces };
        transactions.push(Ordered::Signed { signer, slot: payload.slot(), payload: payload.to_bytes() });
    }
    apply(&mut node, 1, transactions);
    assert_eq!(count(&node, |event| matches!(event, Event::Selected { .. })), 100);
    (node, 1)
}

fn apply(node: &mut Node, number: u64, transactions: Vec<Ordered>) {
    let block = OrderedBlock { number: TributaryBlock(number), transactions, ..OrderedBlock::default() };
    assert_eq!(node.step(|step| session::apply(step, set(), &block)).unwrap(), session::Applied::Done);
}

fn count(node: &Node, is: impl Fn(&Event) -> bool) -> usize {
    node.notices.iter().filter(|notice| is(&notice.event)).count()
}

fn further_attempts(node: &Node) -> usize {
    count(node, |event| matches!(event, Event::AttemptStarted { .. }))
}

#[test]
fn a_slash_for_which_many_topics_wait_ends_so_many_with_each_block() {
    // SIGN-8: a step has a bound, and the next blocks go on.
    let (mut node, last) = many_selected();
    let culprit = Cluster::new(&[1; 4], &[Honest; 4]).nodes[0].validator();
    apply(&mut node, last + 1, vec![Ordered::Equivocation { validator: culprit }]);
    assert_eq!(further_attempts(&node), MAX_ENDED);
    apply(&mut node, last + 2, Vec::new());
    assert_eq!(further_attempts(&node), 100);
    apply(&mut node, last + 3, Vec::new());
    assert_eq!(further_attempts(&node), 100, "each once");
}

#[test]
fn attempts_which_are_over_together_end_so_many_with_each_block() {
    // SIGN-9.
    let (mut node, last) = many_selected();
    let attempt_blocks = 6;
    for number in last + 1..last + attempt_blocks {
        apply(&mut node, number, Vec::new());
    }
    assert_eq!(further_attempts(&node), 0);
    apply(&mut node, last + attempt_blocks, Vec::new());
    assert_eq!(further_attempts(&node), MAX_ENDED);
    apply(&mut node, last + attempt_blocks + 1, Vec::new());
    assert_eq!(further_attempts(&node), 100);
}
