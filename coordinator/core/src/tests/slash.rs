//! Slash points and the slash report of a retiring set.

use coordinator_base_chain::Event as ChainEvent;
use coordinator_store::Store;
use processor_messages::{
    Attempt, BaseBlock, BatchId, FromProcessor, Incarnation, List, MAX_KEY_SHARES, Session, Slash,
    SlashReport, ToProcessor, TributaryBlock, coordinator, key_gen, sign::SigningId,
};
use proptest::prelude::*;

use super::cluster::{Cluster, Manner::*, Node, declaration, set, signed_report, status};
use crate::{
    outbox,
    session::{
        self, own, report,
        slash::{self, Cause, MAX_PLACES},
        status::{ReportStage, is_busy},
        topic::Topic,
        transaction::{Ordered, OrderedBlock, Provided, Signed},
        votes::WINDOW_ATTEMPTS,
    },
};

fn preview(cluster: &Cluster, index: usize) -> SlashReport {
    let spec = cluster.spec();
    cluster.nodes[index].store.read(|db| report::preview(db, &spec)).unwrap()
}

fn fixed(cluster: &Cluster, index: usize) -> Option<(TributaryBlock, SlashReport)> {
    let genesis = cluster.spec().genesis;
    let reporting = cluster.nodes[index].store.read(|db| report::reporting(db, genesis)).unwrap();
    reporting.and_then(|reporting| reporting.fixed)
}

fn entries(cluster: &Cluster, entries: &[(usize, Slash)]) -> SlashReport {
    let entry = |(index, slash): &(usize, Slash)| (cluster.nodes[*index].validator(), *slash);
    List::new(entries.iter().map(entry).collect()).unwrap()
}

fn record(cluster: &Cluster, index: usize) -> slash::Record {
    let (genesis, validator) = (cluster.spec().genesis, cluster.nodes[index].validator());
    cluster.nodes[0].store.read(|db| slash::record(db, genesis, validator)).unwrap()
}

/// A cluster whose batch is executed, about to hand over.
fn ready(weights: &[u16], manners: &[super::cluster::Manner]) -> Cluster {
    let mut cluster = Cluster::new(weights, manners);
    cluster.run_to_batches(120);
    cluster
}

fn run_to_report(cluster: &mut Cluster) -> SlashReport {
    cluster.hand_over();
    cluster.run_until(60, |c| c.reported.is_some());
    cluster.reported.clone().unwrap()
}

#[test]
fn ref_15_the_retiring_set_makes_and_signs_the_report_which_the_base_chain_takes() {
    // SIGN-16, SIGN-18, SIGN-20: on its own tributary, under its own key, for its own session.
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.applies_reports = false;
    let report = run_to_report(&mut cluster);
    assert!(report.is_empty(), "nobody did wrong");
    cluster.assert_agreement();
    let waiting = |node: &Node| node.store.read(|db| outbox::slash_reports(db, 9)).unwrap();
    let calls: Vec<_> = cluster.nodes.iter().flat_map(waiting).collect();
    assert!(calls.len() >= 3, "each of the signers holds it until it is applied");
    assert!(calls.iter().all(|call| (call.set == set()) && (call.report == report)));
    for node in &cluster.nodes {
        assert_eq!(status(node).slash_report.deadline, Some(BaseBlock(500)));
    }
    cluster.applies_reports = true;
    cluster.turn();
    for node in &cluster.nodes {
        assert!(node.store.read(|db| outbox::slash_reports(db, 9)).unwrap().is_empty(), "applied");
        assert_eq!(status(node).slash_report.stage, ReportStage::Applied);
    }
}

#[test]
fn ref_16_points_accrue_for_causes_and_the_preview_is_the_report() {
    // SIGN-14, SIGN-18.
    let mut manners = [Honest; 7];
    manners[0] = WithholdsShares;
    let mut cluster = ready(&[1; 7], &manners);
    cluster.inject(3, &Signed::Blame { validator: processor_messages::Validator([9; 32]) });
    cluster.turn();
    let before = preview(&cluster, 1);
    assert_eq!(before, entries(&cluster, &[(0, Slash::Points(10)), (3, Slash::Fatal)]));
    let shown = status(&cluster.nodes[2]);
    assert_eq!(shown.slashed.len(), 2);
    assert_eq!((shown.slashed[0].points, shown.slashed[0].fatal.as_deref()), (10, None));
    assert!(shown.slashed[1].fatal.as_ref().unwrap().starts_with("NotAMember"));
    assert_eq!(run_to_report(&mut cluster), before);
    let shown = status(&cluster.nodes[2]).slashed;
    assert_eq!(shown[0].points, 10, "what is shown afterwards is the report too");
    for index in 0..7 {
        assert_eq!(fixed(&cluster, index).unwrap().1, before);
    }
    cluster.assert_agreement();
}

#[test]
fn each_counted_cause_says_where_the_log_shows_it() {
    // SIGN-14: two topics which fail together, since nobody is doubted before (SIGN-25).
    let mut cluster = Cluster::new(&[3, 3, 2, 2], &[Honest; 4]);
    cluster.batches = 2;
    cluster.run_until(60, |c| c.set_keys.is_some());
    cluster.nodes[0].manner = WithholdsShares;
    cluster.run_to_batches(120);
    let record = record(&cluster, 0);
    assert_eq!(record.counts, [(Cause::MissedShare, 2)]);
    let at: Vec<_> = record.places.iter().map(|place| place.at).collect();
    let batch = |id| Some((Topic::Signing(SigningId::Batch(BatchId(id))), Attempt(0)));
    assert_eq!(at, [batch(0), batch(1)]);
    assert!(record.places.windows(2).all(|pair| pair[0].block <= pair[1].block));
}

#[test]
fn points_end_with_the_handover_and_fatal_faults_with_the_report() {
    // SIGN-16.
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.applies_reports = false;
    cluster.nodes[3].manner = Silent;
    cluster.hand_over();
    cluster.turn();
    let begun = cluster.log.len() as u64;
    cluster.inject(3, &Signed::Blame { validator: processor_messages::Validator([9; 32]) });
    cluster.run_until(20, |c| fixed(c, 0).is_some());
    let (block, report) = fixed(&cluster, 0).unwrap();
    assert_eq!(report, entries(&cluster, &[(3, Slash::Fatal)]));
    assert!(block.0 <= begun + 2, "who is fatally slashed is not waited for");
    // Whoever is silent from here on misses shares of this very report: too late to be in it.
    let points: Vec<_> = (0..4).map(|i| cluster.points(i)).collect();
    (0..40).for_each(|_| cluster.turn());
    assert_eq!((0..4).map(|i| cluster.points(i)).collect::<Vec<_>>(), points);
    assert_eq!(fixed(&cluster, 0).unwrap().1, report);
}

#[test]
fn a_report_waits_for_silent_members_only_as_long_as_an_attempt() {
    // SIGN-18.
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest, Honest, Honest, Silent]);
    let before = preview(&cluster, 0);
    cluster.applies_reports = false;
    cluster.hand_over();
    cluster.turn();
    let record = cluster.nodes[0].store.read(|db| session::get(db, set())).unwrap().unwrap();
    assert!(cluster.nodes[0].store.read(|db| is_busy(db, &record)).unwrap(), "blocks are due until then");
    let since = cluster.log.len() as u64;
    assert_eq!(status(&cluster.nodes[0]).slash_report.stage, ReportStage::Reporting);
    cluster.run_until(20, |c| fixed(c, 0).is_some());
    let (block, report) = fixed(&cluster, 0).unwrap();
    assert_eq!(block.0, since + u64::from(cluster.spec().parameters.attempt_blocks));
    assert_eq!(report, before);
    cluster.run_until(40, |c| c.reported.is_some());
    assert_eq!(status(&cluster.nodes[0]).slash_report.stage, ReportStage::Publishing);
}

#[test]
fn without_a_quorum_there_is_no_report_and_the_set_retires_all_the_same() {
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.nodes[2].manner = Silent;
    cluster.nodes[3].manner = Silent;
    cluster.hand_over();
    (0..60).for_each(|_| cluster.turn());
    assert!(cluster.reported.is_none());
    assert!(status(&cluster.nodes[0]).halted.is_none());
    cluster.push_base(vec![ChainEvent::SetRetired { set: set(), reported: false }]);
    let record = cluster.nodes[0].store.read(|db| session::get(db, set())).unwrap().unwrap();
    assert_eq!(record.life, session::Life::Retired);
}

#[test]
fn a_report_too_early_or_of_a_wrong_length_is_a_fatal_fault() {
    // SIGN-18.
    let mut cluster = ready(&[1; 7], &[Honest; 7]);
    cluster.inject(5, &Signed::SlashReport(List::new(vec![0; 7]).unwrap()));
    cluster.turn();
    assert_eq!(cluster.fatal(5), Some(Cause::Premature));
    cluster.nodes[6].manner = Silent;
    cluster.hand_over();
    cluster.turn();
    cluster.inject(6, &Signed::SlashReport(List::new(vec![0; 6]).unwrap()));
    cluster.turn();
    assert_eq!(cluster.fatal(6), Some(Cause::Malformed));
    cluster.run_until(40, |c| c.reported.is_some());
    assert_eq!(cluster.reported, Some(entries(&cluster, &[(5, Slash::Fatal), (6, Slash::Fatal)])));
    cluster.assert_agreement();
}

#[test]
fn what_members_observed_is_added_to_what_was_counted() {
    // SIGN-18, SIGN-19: the place for it, before anything is observed.
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest; 4]);
    for node in &mut cluster.nodes {
        node.manner = Silent;
    }
    cluster.hand_over();
    cluster.turn();
    for index in 0..3 {
        cluster.inject(index, &Signed::SlashReport(List::new(vec![1, 1, 1, 41]).unwrap()));
    }
    // The fourth says that everybody else is to blame.
    cluster.inject(3, &Signed::SlashReport(List::new(vec![900, 900, 900, 0]).unwrap()));
    cluster.turn();
    assert_eq!(fixed(&cluster, 0).unwrap().1, entries(&cluster, &[(3, Slash::Points(40))]));
    cluster.assert_agreement();
}

#[test]
fn ref_17_a_processors_signature_is_taken_for_the_agreed_report_of_that_session_only() {
    // SIGN-20.
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest; 4]);
    let other = entries(&cluster, &[(1, Slash::Points(5))]);
    let hear = |node: &mut Node, message| node.hear(FromProcessor::Coordinator(message));
    let waiting = |node: &Node| node.store.read(|db| outbox::slash_reports(db, 9)).unwrap();
    let agreed = SlashReport::default();
    hear(&mut cluster.nodes[0], signed_report(Session(0), agreed.clone()));
    assert!(waiting(&cluster.nodes[0]).is_empty(), "nothing is agreed");
    cluster.applies_reports = false;
    cluster.hand_over();
    cluster.run_until(20, |c| fixed(c, 0).is_some());
    assert_eq!(fixed(&cluster, 0).unwrap().1, agreed);
    for wrong in [
        signed_report(Session(0), other),
        signed_report(Session(1), agreed.clone()),
        coordinator::FromProcessor::SignedSlashReport {
            session: Session(0),
            report: agreed.clone(),
            signature: [1; 64],
        },
    ] {
        hear(&mut cluster.nodes[0], wrong);
        assert!(waiting(&cluster.nodes[0]).is_empty());
    }
    hear(&mut cluster.nodes[0], signed_report(Session(0), agreed));
    assert_eq!(waiting(&cluster.nodes[0]).len(), 1);
}

#[test]
fn ref_11_the_longest_report_of_the_largest_set_is_made() {
    // A set of as many validators as key shares, all of whom did wrong.
    let mut node = Node::new(0, Honest);
    let declaration = declaration(&[1; MAX_KEY_SHARES as usize], Session(0));
    let members = declaration.validators();
    let chain = coordinator_base_chain::MemoryChain::new(
        "test",
        super::cluster::CHAIN,
        Vec::new(),
        1,
        vec![ChainEvent::SetDeclared(declaration)],
    );
    let block = super::cluster::futures_free_block(&chain);
    node.step(|step| crate::base_chain::apply(step, &block)).unwrap();
    // Too many fatal slashes would halt it: everybody else missed votes.
    let equivocate = members[..40].iter().map(|validator| Ordered::Equivocation { validator: *validator });
    let mut number = 1;
    let mut apply = |node: &mut Node, transactions, proposer| {
        let block =
            OrderedBlock { number: TributaryBlock(number), proposer, transactions, ..Default::default() };
        number += 1;
        assert_eq!(node.step(|step| session::apply(step, set(), &block)).unwrap(), session::Applied::Done);
    };
    apply(&mut node, equivocate.collect(), members[0]);
    for turn in 0..(WINDOW_ATTEMPTS as usize * 6).max(300) {
        apply(&mut node, Vec::new(), members[turn % 51]);
    }
    let handed_over = Provided::HandedOver { block: BaseBlock(3) };
    let handed_over = Ordered::Provided { kind: handed_over.kind(), payload: handed_over.to_bytes() };
    apply(&mut node, vec![handed_over], members[0]);
    (0..7).for_each(|_| apply(&mut node, Vec::new(), members[0]));
    let record = node.store.read(|db| session::get(db, set())).unwrap().unwrap();
    let reporting = node.store.read(|db| report::reporting(db, record.spec.genesis)).unwrap().unwrap();
    let (_, report) = reporting.fixed.unwrap();
    assert_eq!(report.len(), 40 + 150 - 51);
    assert_eq!(report.iter().filter(|(_, slash)| *slash == Slash::Fatal).count(), 40);
}

#[test]
fn a_wiped_processor_is_asked_for_the_report_again() {
    // COORD-10.
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.applies_reports = false;
    cluster.hand_over();
    cluster.run_until(20, |c| fixed(c, 0).is_some());
    cluster.turn();
    let asked = |node: &Node| {
        let is_request = |message: &&ToProcessor| {
            matches!(message, ToProcessor::Coordinator(coordinator::ToProcessor::SignSlashReport { .. }))
        };
        node.processor.received.iter().filter(is_request).count()
    };
    assert_eq!(asked(&cluster.nodes[0]), 1);
    let (session, incarnation) = (Session(0), Incarnation(1));
    cluster.nodes[0].hear(FromProcessor::KeyGen(key_gen::FromProcessor::Resend { session, incarnation }));
    cluster.turn();
    assert_eq!(asked(&cluster.nodes[0]), 2);
}

#[test]
fn a_benign_restart_of_a_selected_validator_costs_it_nothing() {
    // SIGN-8, SIGN-9, SIGN-17: it is selected, stops, and comes back within the attempt's time.
    for stopped in 0..4 {
        let mut cluster = Cluster::new(&[1, 1, 1, 1], &[Honest; 4]);
        cluster.run_until(40, |c| {
            c.nodes[0].notices.iter().any(|n| matches!(n.event, crate::notice::Event::Selected { .. }))
        });
        cluster.nodes[stopped].down = true;
        let pause = cluster.spec().parameters.attempt_blocks as usize - 2;
        (0..pause).for_each(|_| cluster.turn());
        cluster.restart(stopped);
        cluster.run_to_batches(60);
        cluster.assert_agreement();
        assert!((0..4).all(|i| preview(&cluster, i).is_empty()), "{stopped} was restarted");
        assert!(run_to_report(&mut cluster).is_empty());
    }
}

#[test]
fn a_benign_restart_costs_nothing_though_faulty_proposers_leave_the_restarted_out_of_their_certificates() {
    // SIGN-17: two of seven, who may both be faulty.
    for stopped in 0..5 {
        let mut cluster = Cluster::new(&[1; 7], &[Honest; 7]);
        cluster.left_out = Some((&[5, 6], stopped));
        cluster.run_until(40, |c| {
            c.nodes[0].notices.iter().any(|n| matches!(n.event, crate::notice::Event::Selected { .. }))
        });
        cluster.nodes[stopped].down = true;
        let pause = cluster.spec().parameters.attempt_blocks as usize - 2;
        (0..pause).for_each(|_| cluster.turn());
        cluster.restart(stopped);
        cluster.run_to_batches(60);
        run_windows(&mut cluster, 3);
        let (left_out, faulty) = (cluster.nodes[stopped].validator(), cluster.nodes[6].validator());
        let by_faulty = cluster.log.iter().filter(|block| block.proposer == faulty);
        assert!(
            by_faulty.clone().count() > 20 && by_faulty.into_iter().all(|b| !b.voters.contains(&left_out))
        );
        cluster.assert_agreement();
        for index in 0..7 {
            assert_eq!(
                (cluster.points(index), cluster.fatal(index)),
                (0, None),
                "{index}, restarted {stopped}"
            );
        }
        assert!(run_to_report(&mut cluster).is_empty());
    }
}

#[test]
fn ref_16_the_preview_at_each_block_is_the_report_which_is_signed_if_the_handover_is_there() {
    // SIGN-16, SIGN-18: not at rest only, but while a batch is being signed and points are added.
    let mut seen = std::collections::BTreeSet::new();
    for turns in 0..18 {
        let mut cluster = Cluster::new(&[3, 3, 2, 2], &[Honest; 4]);
        cluster.batches = 2;
        cluster.run_until(60, |c| c.set_keys.is_some());
        cluster.nodes[0].manner = WithholdsShares;
        (0..turns).for_each(|_| cluster.turn());
        cluster.applies_reports = false;
        cluster.hand_over();
        let genesis = cluster.spec().genesis;
        cluster
            .run_until(4, |c| c.nodes[0].store.read(|db| report::reporting(db, genesis)).unwrap().is_some());
        let shown = preview(&cluster, 0);
        let open = !status(&cluster.nodes[0]).topics.is_empty();
        while fixed(&cluster, 0).is_none() {
            assert!((0..4).all(|index| preview(&cluster, index) == shown), "after {turns} turns");
            cluster.turn();
        }
        cluster.run_until(60, |c| c.reported.is_some());
        assert_eq!(cluster.reported.as_ref(), Some(&shown), "after {turns} turns");
        cluster.assert_agreement();
        let points = shown.first().map(|(_, slash)| format!("{slash:?}"));
        seen.insert((points, open));
    }
    let points: std::collections::BTreeSet<_> = seen.iter().map(|(points, _)| points).collect();
    assert!(points.len() >= 2 && seen.iter().any(|(_, open)| *open), "{seen:?}");
}

/// Runs a cluster past `windows` windows.
fn run_windows(cluster: &mut Cluster, windows: u64) {
    let blocks = windows * WINDOW_ATTEMPTS * u64::from(cluster.spec().parameters.attempt_blocks);
    while (cluster.log.len() as u64) < blocks {
        cluster.turn();
    }
}

#[test]
fn who_takes_no_part_for_a_window_gets_points_and_who_comes_back_in_it_none() {
    // SIGN-17.
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest; 4]);
    run_windows(&mut cluster, 1);
    cluster.nodes[3].down = true;
    run_windows(&mut cluster, 3);
    let record = record(&cluster, 3);
    let missed = record.counts.iter().find(|(cause, _)| *cause == Cause::MissedVotes).unwrap();
    assert_eq!(missed.1, 2);
    let before = cluster.points(3);
    // Down for most of the next window, and back.
    let most = WINDOW_ATTEMPTS as usize * 6 - 10;
    (0..most).for_each(|_| cluster.turn());
    cluster.restart(3);
    run_windows(&mut cluster, 4);
    assert_eq!(cluster.points(3), before);
    assert!((0..3).all(|i| cluster.points(i) == 0));
    cluster.assert_agreement();
}

#[test]
fn the_places_where_the_log_shows_a_cause_are_bounded() {
    // SIGN-14.
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest, Honest, Honest, Silent]);
    run_windows(&mut cluster, MAX_PLACES as u64 + 2);
    let record = record(&cluster, 3);
    let of = |place: &&slash::Place| place.cause == Cause::MissedVotes;
    assert!(
        record.counts.iter().any(|(cause, count)| *cause == Cause::MissedVotes && *count > MAX_PLACES as u32)
    );
    assert_eq!(record.places.iter().filter(of).count(), MAX_PLACES);
}

#[test]
fn proposers_who_may_all_be_faulty_cost_nobody_anything_by_leaving_it_out() {
    // SIGN-17: two of seven leave the last one out of their certificates; nobody else proposes.
    let mut cluster = ready(&[1; 7], &[Honest; 7]);
    let (spec, from) = (cluster.spec(), cluster.log.len() as u64);
    let validators: Vec<_> = cluster.nodes.iter().map(Node::validator).collect();
    let node = &mut cluster.nodes[0];
    let mut number = from;
    let mut apply = |node: &mut Node, proposer: usize, voters: &[usize]| {
        number += 1;
        let voters = voters.iter().map(|i| validators[*i]).collect();
        let (number, proposer) = (TributaryBlock(number), validators[proposer]);
        let block = OrderedBlock { number, proposer, voters, ..OrderedBlock::default() };
        node.step(|step| session::apply(step, set(), &block)).unwrap();
    };
    let points =
        |node: &Node| node.store.read(|db| slash::record(db, spec.genesis, validators[6])).unwrap().points;
    // The window in progress ends, which the last one was seen in.
    let window = WINDOW_ATTEMPTS * 6;
    (from..window).for_each(|_| apply(node, 0, &[0, 1, 2, 3, 4, 5, 6]));
    for turn in 0..window * 5 {
        apply(node, turn as usize % 2, &[0, 1, 2, 3, 4, 5]);
    }
    assert_eq!(points(node), 0, "two of seven may both be faulty");
    // The first honest proposer saw it.
    apply(node, 2, &[0, 1, 2, 3, 6]);
    assert_eq!(points(node), 0);
    // Whom three of seven proposers saw nothing of, an honest one of them among these, was not there.
    for turn in 0..window {
        apply(node, turn as usize % 3, &[0, 1, 2, 3, 4, 5]);
    }
    assert_eq!(points(node), 1);
    // Slow votes: in no certificate, but it proposes.
    for turn in 0..window {
        apply(node, if turn == 70 { 6 } else { turn as usize % 3 }, &[0, 1, 2, 3, 4, 5]);
    }
    assert_eq!(points(node), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn members_agree_on_the_report_whatever_happens_before(
        withholds in 0_usize..6,
        silent in 0_usize..6,
        garbage in proptest::option::of(0_usize..4),
        turns in 0_usize..30,
    ) {
        // SIGN-1, SIGN-18.
        let mut manners = [Honest; 4];
        if withholds < 4 { manners[withholds] = WithholdsShares; }
        if silent < 4 && withholds >= 4 { manners[silent] = Silent; }
        let mut cluster = Cluster::new(&[1, 1, 1, 1], &manners);
        cluster.run_until(60, |c| c.set_keys.is_some());
        (0..turns).for_each(|_| cluster.turn());
        if let Some(index) = garbage {
            let slot = Signed::SlashReport(List::default()).slot();
            if manners.iter().all(|m| *m == Honest) {
                cluster.injected.push((index, slot, vec![0xff; 9]));
            }
        }
        cluster.applies_reports = false;
        cluster.hand_over();
        cluster.run_until(60, |c| fixed(c, 0).is_some());
        cluster.assert_agreement();
        let reports: Vec<_> = (0..4).map(|i| fixed(&cluster, i)).collect();
        prop_assert!(reports.iter().all(|report| *report == reports[0]));
        let members: Vec<_> = cluster.nodes.iter().map(Node::validator).collect();
        let (_, report) = reports[0].clone().unwrap();
        let places: Vec<_> =
            report.iter().map(|(v, _)| members.iter().position(|m| m == v).unwrap()).collect();
        prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "members, each once, in set order");
    }
}

#[test]
fn what_the_fatally_slashed_would_say_is_not_sent() {
    // SIGN-21: it would be ignored for ever, and fill blocks.
    let mut cluster = ready(&[1, 1, 1, 1], &[Honest; 4]);
    cluster.inject(3, &Signed::Blame { validator: processor_messages::Validator([9; 32]) });
    cluster.turn();
    cluster.hand_over();
    cluster.turn();
    let spec = cluster.spec();
    assert!(cluster.nodes[3].store.read(|db| own::pending(db, spec.genesis, 9)).unwrap().is_empty());
    // Each member's tributary proposes nothing of it.
    let slashed = cluster.nodes[3].validator();
    for node in &cluster.nodes {
        assert!(node.store.read(|db| tributary::chain::is_slashed(db, spec.genesis, slashed)).unwrap());
        let other = cluster.nodes[0].validator();
        assert!(!node.store.read(|db| tributary::chain::is_slashed(db, spec.genesis, other)).unwrap());
    }
}
