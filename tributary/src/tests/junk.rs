//! What false signatures, strangers' and useless ones cost who hears them: verifications, counted.

use std::collections::BTreeSet;

use coordinator_keys::Signature;
use coordinator_store::Store;
use processor_messages::{Bytes, Genesis, List, Validator, encode};
use proptest::prelude::*;

use super::{
    network::{Failed, key, validator},
    node::{One, asked, puppet, votes_sent},
    rules::{Bench, is_invalid, signed, vote_evidence},
};
use crate::{
    Application, Arrived, Block, BlockHash, Certificate, DecidedBlock, Evidence, Header, Input, Members,
    Output, Prepared, Step, Timer, Transaction, Verdict, signing,
    verified::{Claims, Verified},
    wire::{Answer, Message, Polka, Proposal, RoundVotes, Vote},
};

/// A signature of another message: nothing but verifying it tells that it is false.
fn false_signature(by: u8) -> Signature {
    key(by).sign(signing::CONSENSUS, b"something else")
}

fn running(members: usize) -> One {
    let (mut one, _) = One::open(&vec![1; members], puppet());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    one
}

/// How many verifications it takes to hear these in one step.
fn cost(one: &mut One, messages: &[(u8, Message)]) -> (usize, Vec<Output>) {
    let before = one.node.verified();
    let inputs = messages
        .iter()
        .map(|(from, message)| Input::Message { from: validator(*from), bytes: message.encode() });
    let prepared = one.node.prepare(inputs.collect());
    let outputs = take(one, prepared);
    (one.node.verified() - before, outputs)
}

fn take(one: &mut One, prepared: Vec<Prepared<Verdict>>) -> Vec<Output> {
    let stepped = one.store.write(|txn| {
        for input in prepared {
            one.node.take(txn, input)?;
        }
        Ok::<_, Failed>(one.node.outputs()?)
    });
    stepped.unwrap().0
}

fn polka(one: &One, round: u32, value: BlockHash, signers: &[(u8, bool)]) -> Message {
    let sign = |(by, honest): &(u8, bool)| {
        let message = signing::prevote(one.members.genesis(), 1, round, Some(value), validator(*by));
        let signature =
            if *honest { key(*by).sign(signing::CONSENSUS, &message) } else { false_signature(*by) };
        (validator(*by), signature)
    };
    let signatures = List::new(signers.iter().map(sign).collect()).unwrap();
    Message::Polka(Polka { height: 1, round, value, signatures })
}

fn round_votes(one: &One, round: u32, precommits: bool, signers: &[u8]) -> Message {
    let step = if precommits { Step::Precommit } else { Step::Prevote };
    let of = if precommits { signing::precommit } else { signing::prevote };
    let sign = |by: &u8| {
        let message = of(one.members.genesis(), 1, round, None, validator(*by));
        (step, None, validator(*by), key(*by).sign(signing::CONSENSUS, &message))
    };
    let signatures = List::new(signers.iter().map(sign).collect()).unwrap();
    Message::Round(RoundVotes { height: 1, round, precommits, signatures })
}

fn nil_vote(one: &One, by: u8) -> Message {
    one.vote(by, Step::Prevote, 1, None)
}

/// `TRIB-32`: the first message of false signatures spoils one batch, each further one costs one verification.
#[test]
fn a_certificate_of_false_signatures_costs_one_verification() {
    let mut one = running(200);
    let signers: Vec<_> = (1..200).map(|by| (by, false)).collect();
    let first = polka(&one, 0, BlockHash([1; 32]), &signers);
    let (first, _) = cost(&mut one, &[(1, first)]);
    assert_eq!(first, 199 + 1, "one sum over all, and the first alone");
    for n in 2..6u8 {
        let again = polka(&one, 0, BlockHash([n; 32]), &signers);
        assert_eq!(cost(&mut one, &[(1, again)]).0, 1, "{n}");
    }
    let precommits = Message::Round(RoundVotes {
        height: 1,
        round: 0,
        precommits: true,
        signatures: List::new(
            (1..200).map(|by| (Step::Precommit, None, validator(by), false_signature(by))).collect(),
        )
        .unwrap(),
    });
    assert_eq!(cost(&mut one, &[(1, precommits)]).0, 1);
}

/// `TRIB-32`: true signatures before a false one are remembered, so that they cost nobody a second time.
#[test]
fn true_signatures_in_front_of_a_false_one_are_verified_once() {
    let mut one = running(32);
    let value = BlockHash([1; 32]);
    let junk = |one: &One, last: u8| {
        let mut signers: Vec<_> = (1..22).map(|by| (by, true)).collect();
        signers.push((last, false));
        polka(one, 0, value, &signers)
    };
    let first = junk(&one, 30);
    cost(&mut one, &[(1, first)]);
    let second = junk(&one, 31);
    assert_eq!(cost(&mut one, &[(1, second)]).0, 1);
}

/// `TRIB-32`: votes of others that arrive with false signatures are verified with each other, not one by one; after the
/// first time not even twice.
#[test]
fn false_signatures_take_no_honest_ones_along() {
    let mut one = running(32);
    let false_ones: Vec<_> = (1..32).map(|by| (by, false)).collect();
    let with = |one: &One, n: u8, votes: std::ops::Range<u8>| {
        let mut all = vec![(1, polka(one, 0, BlockHash([n; 32]), &false_ones))];
        all.extend(votes.map(|by| (by, nil_vote(one, by))));
        all
    };
    let messages = with(&one, 1, 2..12);
    let (first, _) = cost(&mut one, &messages);
    assert!(first <= 2 * 41 + 1, "the sum over all, sums over the certificate and over votes: {first}");
    let messages = with(&one, 2, 12..22);
    let (second, _) = cost(&mut one, &messages);
    assert_eq!(second, 10 + 1, "the votes once, and one false signature");
    let messages = with(&one, 3, 22..23);
    assert_eq!(votes_sent(&cost(&mut one, &messages).1).len(), 0);
    assert_eq!(one.node.status().running.map(|(_, round)| round), Some(0));
}

/// `TRIB-32`, `TRIB-6`: what is refused for its form costs no verification, before the step or within it.
#[test]
fn what_cannot_count_is_not_verified() {
    let mut one = running(8);
    let honest = |by: std::ops::Range<u8>| by.map(|by| (by, true)).collect::<Vec<_>>();
    let value = BlockHash([1; 32]);
    let twice = [honest(1..5), honest(1..5)].concat();
    let useless = [
        polka(&one, 0, value, &honest(1..6)),
        polka(&one, 0, value, &honest(5..11)),
        polka(&one, 0, value, &twice),
        polka(&one, 11, value, &honest(1..8)),
        round_votes(&one, 0, true, &[1, 2, 3, 4, 5]),
        round_votes(&one, 0, false, &[1, 2]),
        round_votes(&one, 0, false, &[1, 1, 2, 2, 3, 3]),
        round_votes(&one, 0, false, &[1, 2, 3, 9]),
        round_votes(&one, 11, true, &[1, 2, 3, 4, 5, 6, 7]),
        one.vote(1, Step::Prevote, 3, None),
    ];
    for (n, message) in useless.into_iter().enumerate() {
        assert_eq!(cost(&mut one, &[(1, message)]).0, 0, "{n}");
    }
    for signers in [&[1u8, 2, 3, 4, 5][..], &[1, 2, 3, 4, 5, 9]] {
        let certificate = one.certificate(7, value, signers);
        let answer = encode(&Answer::Status(Some(certificate)));
        let before = one.node.verified();
        one.step(Input::Response { from: validator(1), bytes: answer }).unwrap();
        assert_eq!(one.node.verified(), before);
    }
    let good = polka(&one, 0, value, &honest(1..7));
    assert_eq!(cost(&mut one, &[(1, good)]).0, 6, "what counts is verified, once each");
}

/// `TRIB-23`: defect 2 of older designs: somebody who is no member, in the place of each signer there is. Its signatures are
/// true ones.
#[test]
fn ref_02_a_non_members_signature_costs_no_verification_and_does_nothing() {
    let mut one = running(4);
    let before = one.node.status();
    let stranger = validator(9);
    let proposal = |by: u8| {
        let message = signing::proposal(one.members.genesis(), 1, 0, BlockHash([1; 32]), None, validator(by));
        let signature = key(by).sign(signing::CONSENSUS, &message);
        let value = BlockHash([1; 32]);
        Message::Proposal(Proposal {
            height: 1,
            round: 0,
            value,
            valid_round: None,
            address: stranger,
            signature,
        })
    };
    let mut block = one.block(1, 0, BlockHash::default(), None);
    block.header.proposer = stranger;
    block.signature = key(9).sign(signing::BLOCK, &block.header.hash(one.members.genesis()).0);
    let said = [
        one.vote(9, Step::Prevote, 1, None),
        one.vote(9, Step::Precommit, 1, Some(BlockHash([1; 32]))),
        proposal(9),
        polka(&one, 0, BlockHash([1; 32]), &[(1, true), (2, true), (9, true)]),
        round_votes(&one, 0, true, &[1, 2, 9]),
        Message::Block(Box::new(block)),
    ];
    for (n, message) in said.into_iter().enumerate() {
        for from in [1, 9] {
            assert_eq!(cost(&mut one, &[(from, message.clone())]), (0, Vec::new()), "{n} from {from}");
        }
    }
    assert_eq!(one.node.status(), before);

    let mut bench = Bench::new();
    let its = signed(Genesis([7; 32]), 9, "a", 0);
    bench.hear(1, &its);
    let gossip = encode(&(0u8, &its));
    bench.chain.prepare(&bench.members, &[Arrived::Gossip(validator(1), &gossip)]);
    assert!(is_invalid(&bench.check(&[its])));
    assert_eq!((bench.chain.pending(), bench.chain.verified()), (0, 0));
    let evidence = Evidence { validator: stranger, ..vote_evidence(&bench.members, 1) };
    bench.hear(1, &Transaction::Evidence(evidence));
    assert_eq!(bench.chain.pending(), 0);
}

/// A chain of blocks on top of each other, with their certificates.
fn decided(one: &One, count: u64, signers: &[u8]) -> Vec<DecidedBlock> {
    let (mut parent, mut former) = (BlockHash::default(), None);
    let mut all = Vec::new();
    for height in 1..=count {
        let block = one.block(height, 0, parent, former);
        parent = block.header.hash(one.members.genesis());
        let certificate = one.certificate(height, parent, signers);
        former = Some(certificate.clone());
        all.push(DecidedBlock { block, certificate });
    }
    all
}

fn spoiled(certificate: &Certificate, at: usize) -> Certificate {
    let mut signatures = certificate.signatures.clone().into_inner();
    signatures[at].1 = false_signature(1);
    Certificate { signatures: List::new(signatures).unwrap(), ..certificate.clone() }
}

fn answer(one: &mut One, from: Validator, blocks: Vec<DecidedBlock>) -> usize {
    let before = one.node.verified();
    let bytes = encode(&Answer::Blocks(List::new(blocks).unwrap()));
    one.step(Input::Response { from, bytes }).unwrap();
    one.node.verified() - before
}

/// `TRIB-32`, `TRIB-25`: of an answer, the blocks before the first false signature are taken; of those after it neither a
/// signature nor a body is looked at.
#[test]
fn an_answer_is_looked_at_up_to_its_first_false_signature() {
    let (mut one, _) = One::open(&[1; 8], puppet());
    let good = decided(&one, 5, &[1, 2, 3, 4, 5, 6]);
    let mut bad = good.clone();
    bad[2].certificate = spoiled(&good[2].certificate, 0);
    let whom = asked(&one.hear(1, &Message::Height(5)).unwrap())[0].0;
    answer(&mut one, whom, bad.clone());
    assert_eq!(one.decided(), 2);
    assert_eq!(one.node.application().looked_at(), 2, "bodies that were shown to the application");
    for _ in 0..2 {
        one.hear(1, &Message::Height(5)).unwrap();
        one.step(Input::Fired(Timer::Sync)).unwrap();
        bad[2].certificate = spoiled(&good[2].certificate, 0);
        assert_eq!(answer(&mut one, whom, bad.clone()), 0, "what is known to be false is not verified again");
    }
    one.hear(1, &Message::Height(5)).unwrap();
    one.step(Input::Fired(Timer::Sync)).unwrap();
    answer(&mut one, whom, good);
    assert_eq!((one.decided(), one.node.application().looked_at()), (5, 5));
}

/// `TRIB-32`: blocks that do not fit together or are by too few are not verified.
#[test]
fn an_answer_that_does_not_fit_together_costs_nothing() {
    let (mut one, _) = One::open(&[1; 8], puppet());
    let good = decided(&one, 3, &[1, 2, 3, 4, 5, 6]);
    let edits: [fn(&mut DecidedBlock, &DecidedBlock); 4] = [
        |first, other| first.certificate = other.certificate.clone(),
        |first, other| first.block = other.block.clone(),
        |first, _| first.block.body = Bytes::new(vec![1]).unwrap(),
        |first, _| {
            let few = first.certificate.signatures.clone().into_inner().into_iter().take(5).collect();
            first.certificate.signatures = List::new(few).unwrap();
        },
    ];
    for (n, edit) in edits.into_iter().enumerate() {
        one.hear(1, &Message::Height(3)).unwrap();
        let mut bad = good.clone();
        edit(&mut bad[0], &good[1]);
        assert_eq!(answer(&mut one, validator(1), bad), 0, "{n}");
        assert_eq!((one.decided(), one.node.application().looked_at()), (0, 0), "{n}");
    }
}

/// `TRIB-32`, `TRIB-24`: a proposer that signs many blocks has two of them looked at, former certificates included.
#[test]
fn former_certificates_of_many_blocks_of_a_round_are_not_verified() {
    let (mut one, _) = One::open(&[1; 8], puppet());
    let good = decided(&one, 1, &[1, 2, 3, 4, 5, 6]);
    one.hear(1, &Message::Height(1)).unwrap();
    one.step(Input::Fired(Timer::Sync)).unwrap();
    answer(&mut one, validator(1), good.clone());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    let tip = good[0].block.header.hash(one.members.genesis());
    let with = |one: &One, n: u8| {
        let former = spoiled(&one.certificate(1, tip, &[1, 2, 3, 4, 5, 6, 7]), usize::from(n % 7));
        let block = one.block(2, 0, tip, Some(former));
        let header = Header { root: [n; 32], ..block.header.clone() };
        let by = (0..8).find(|by| validator(*by) == header.proposer).unwrap();
        Message::Block(Box::new(Block::sign(&one.members, &key(by), header, block.former, block.body)))
    };
    let mut costs = Vec::new();
    for n in 0..7 {
        let message = with(&one, n);
        costs.push(cost(&mut one, &[(2, message)]).0);
    }
    assert_eq!(costs[2..], [0; 5]);
}

/// `TRIB-32`: a body is one message: of a false one's signatures those before the first false are verified.
#[test]
fn a_body_of_false_signatures_costs_few_verifications() {
    let mut bench = Bench::new();
    let forged = |n: u8| match signed(Genesis([7; 32]), 1 + n % 3, &n.to_string(), 0) {
        Transaction::Signed(mut signed) => {
            signed.signature = false_signature(1);
            Transaction::Signed(signed)
        }
        _ => unreachable!(),
    };
    let blocks: Vec<_> = [0u8, 100]
        .map(|from| (from..from + 100).map(forged).collect::<Vec<_>>())
        .iter()
        .map(|all| bench.block(0, all))
        .collect();
    for (block, most) in blocks.iter().zip([100 + 1, 1]) {
        let before = bench.chain.verified();
        bench.chain.prepare(&bench.members, &[Arrived::Body(block.header.proposer, block)]);
        assert!(is_invalid(&bench.verdict(block)));
        assert_eq!(bench.chain.verified() - before, most);
    }
    let unprepared: Vec<_> = (200..250).map(forged).collect();
    let before = bench.chain.verified();
    assert!(is_invalid(&bench.check(&unprepared)));
    assert_eq!(bench.chain.verified() - before, 1);
}

/// Claims of these messages: who sent each, and which of its signatures are true.
fn claims<'a>(members: &'a Members, messages: &[(u8, Vec<(u8, bool)>)]) -> Claims<'a> {
    let mut claims = Claims::default();
    for (from, signatures) in messages {
        claims.begin(validator(*from));
        for (n, honest) in signatures {
            let member = members.get(&validator(*n % 4)).unwrap();
            claims.add(member, signing::CONSENSUS, vec![*n], &signature(*n, *honest));
        }
    }
    claims
}

fn signature(n: u8, honest: bool) -> Signature {
    if honest { key(n % 4).sign(signing::CONSENSUS, &[n]) } else { false_signature(n % 4) }
}

proptest! {
    /// `TRIB-32`: whatever arrives together, from whomever, each claim has the verdict that it gets alone, and what is
    /// heard again costs nothing.
    #[test]
    fn claims_that_arrive_together_get_the_verdicts_that_they_get_alone(
        steps in proptest::collection::vec(
            proptest::collection::vec((0u8..4, proptest::collection::vec((0u8..12, any::<bool>()), 0..6)), 0..6), 1..4,
        ),
    ) {
        let members = super::network::members(&[1, 1, 1, 1]);
        let mut verified = Verified::default();
        let mut all = BTreeSet::new();
        for messages in &steps {
            verified.verify_all(claims(&members, messages));
            all.extend(messages.iter().flat_map(|(_, signatures)| signatures.iter().copied()));
        }
        for (n, honest) in all {
            let member = members.get(&validator(n % 4)).unwrap();
            prop_assert_eq!(verified.check(member, signing::CONSENSUS, &[n], &signature(n, honest)), honest);
        }
        let before = verified.work;
        for messages in &steps {
            verified.verify_all(claims(&members, messages));
        }
        prop_assert_eq!(verified.work, before);
    }
}

/// `TRIB-32`: the vote of a member in another's name is false, and the sender is suspected, not who is named.
#[test]
fn the_sender_of_a_false_signature_is_suspected_and_not_whom_it_names() {
    let mut one = running(32);
    let forged = |n: u8| {
        let signature = false_signature(2);
        let value = Some(BlockHash([n; 32]));
        let address = validator(2);
        Message::Vote(Vote { step: Step::Prevote, height: 1, round: 0, value, address, signature })
    };
    cost(&mut one, &[(1, forged(1))]);
    let mut messages = vec![(1, forged(2))];
    messages.extend((2..12).map(|by| (by, nil_vote(&one, by))));
    assert_eq!(cost(&mut one, &messages).0, 1 + 10);
    let mut messages = vec![(2, forged(3))];
    messages.extend((12..22).map(|by| (by, nil_vote(&one, by))));
    assert!(cost(&mut one, &messages).0 > 1 + 10, "who sends its first spoils one batch");
}
