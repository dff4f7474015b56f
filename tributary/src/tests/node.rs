//! One node against crafted inputs.

use coordinator_store::{MemoryStore, Read, Store, Transaction as Txn};
use processor_messages::{
    BaseBlockHash, Bytes, ChainGenesis, EmbeddedKeys, Genesis, KeyShares, List, Network, Participant,
    Session, TributaryBlock, Validator, ValidatorSet, decode, encode,
};
use proptest::prelude::*;

use super::network::{Failed, config, key, members, validator};
use crate::{
    Application, Arrived, Block, BlockHash, Built, Certificate, DECIDED, DecidedBlock, Evidence, Halt,
    Header, Input, Limits, Members, MembersError, Node, Open, Output, Say, Slot, Spec, SpecValidator, Step,
    Timer, Verdict, halted, is_retired, latest_decided, prune, record_halt, signing,
    wire::{Answer, Ask, Message, Proposal, Vote},
};

/// An application whose verdict the test sets.
pub(super) struct Puppet {
    pub(super) verdict: Verdict,
    pub(super) due: bool,
    /// Bytes of the row that each decided block writes.
    pub(super) writes: usize,
    panics: bool,
    looked_at: usize,
}

impl Puppet {
    /// How many bodies it was shown before a step.
    pub(super) fn looked_at(&self) -> usize {
        self.looked_at
    }
}

impl Application for Puppet {
    type Input = Verdict;
    fn build(&mut self, _: &dyn Read, _: &Members, slot: Slot) -> Result<Built, Halt> {
        assert!(!self.panics, "the puppet panics");
        let body = Bytes::new(encode(&slot.height)).unwrap();
        Ok(Built { body, root: [0; 32], state: [0; 32] })
    }
    fn check(&mut self, _: &dyn Read, _: &Members, _: &Block) -> Result<Verdict, Halt> {
        Ok(self.verdict.clone())
    }
    fn decided(&mut self, txn: &mut dyn Txn, _: &Members, block: &DecidedBlock) -> Result<Vec<Say>, Halt> {
        if self.writes > 0 {
            txn.put(encode(&("test", block.height())), vec![0; self.writes]);
        }
        Ok(Vec::new())
    }
    fn prepare(&mut self, _: &Members, arrived: &[Arrived<'_>]) {
        self.looked_at += arrived.iter().filter(|arrived| matches!(arrived, Arrived::Body(..))).count();
    }
    fn input(&mut self, _: &mut dyn Txn, _: &Members, input: Verdict) -> Result<Vec<Say>, Halt> {
        self.verdict = input;
        Ok(Vec::new())
    }
    fn heard(&mut self, _: &mut dyn Txn, _: &Members, _: Validator, _: &[u8]) -> Result<Vec<Say>, Halt> {
        Ok(vec![Say::Event("heard".to_owned())])
    }
    fn equivocated(&mut self, _: &mut dyn Txn, _: &Members, _: Evidence) -> Result<Vec<Say>, Halt> {
        Ok(Vec::new())
    }
    fn resend(&mut self, _: &dyn Read, _: &Members) -> Result<Vec<Say>, Halt> {
        Ok(Vec::new())
    }
    fn due(&mut self, _: &dyn Read) -> Result<bool, Halt> {
        Ok(self.due)
    }
}

pub(super) fn puppet() -> Puppet {
    Puppet { verdict: Verdict::Valid, due: true, writes: 0, panics: false, looked_at: 0 }
}

pub(super) struct One {
    pub(super) members: Members,
    pub(super) store: MemoryStore,
    pub(super) node: Node<Puppet>,
}

impl One {
    pub(super) fn open(weights: &[u16], puppet: Puppet) -> (Self, Vec<Output>) {
        Self::reopen(members(weights), MemoryStore::default(), puppet)
    }

    pub(super) fn reopen(members: Members, store: MemoryStore, puppet: Puppet) -> (Self, Vec<Output>) {
        let open = Open { config: config(), store_is_current: true };
        let opened = store
            .write(|txn| Node::open(txn, members.clone(), key(0), puppet, open).map_err(Failed::from))
            .unwrap();
        let (node, outputs) = opened.0;
        (Self { members, store, node }, outputs)
    }

    pub(super) fn step(&mut self, input: Input<Verdict>) -> Result<Vec<Output>, Halt> {
        match self.store.write(|txn| self.node.step(txn, input).map_err(Failed::from)) {
            Ok((outputs, _)) => Ok(outputs),
            Err(Failed::Halt(halt)) => Err(halt),
            Err(Failed::Store) => unreachable!(),
        }
    }

    pub(super) fn hear(&mut self, from: u8, message: &Message) -> Result<Vec<Output>, Halt> {
        self.step(Input::Message { from: validator(from), bytes: message.encode() })
    }

    pub(super) fn decided(&self) -> u64 {
        self.store.read(|db| latest_decided(db, self.members.genesis())).unwrap().0
    }

    pub(super) fn block(
        &self,
        height: u64,
        round: u32,
        parent: BlockHash,
        former: Option<Certificate>,
    ) -> Block {
        let proposer = self.members.proposer(height, round).validator;
        let by = (0..9).find(|by| validator(*by) == proposer).unwrap();
        let body = Bytes::new(b"body".to_vec()).unwrap();
        let header = Header {
            height: TributaryBlock(height),
            round,
            proposer,
            parent,
            former: former.as_ref().map_or([0; 32], Certificate::hash),
            root: [0; 32],
            state: [0; 32],
            body: Block::body_hash(&body),
        };
        Block::sign(&self.members, &key(by), header, former, body)
    }

    pub(super) fn certificate(&self, height: u64, block: BlockHash, by: &[u8]) -> Certificate {
        let mut signatures: Vec<_> = by
            .iter()
            .map(|by| {
                let message =
                    signing::precommit(self.members.genesis(), height, 0, Some(block), validator(*by));
                (validator(*by), key(*by).sign(signing::CONSENSUS, &message))
            })
            .collect();
        signatures.sort_unstable_by_key(|(validator, _)| *validator);
        let signatures = List::new(signatures).unwrap();
        Certificate { height: TributaryBlock(height), round: 0, block, signatures }
    }

    pub(super) fn vote(&self, by: u8, step: Step, height: u64, value: Option<BlockHash>) -> Message {
        let message = match step {
            Step::Prevote => signing::prevote,
            Step::Precommit => signing::precommit,
        };
        let message = message(self.members.genesis(), height, 0, value, validator(by));
        let signature = key(by).sign(signing::CONSENSUS, &message);
        Message::Vote(Vote { step, height, round: 0, value, address: validator(by), signature })
    }

    pub(super) fn proposal(&self, block: &Block) -> Message {
        let (height, value) = (block.header.height.0, block.header.hash(self.members.genesis()));
        let address = block.header.proposer;
        let by = (0..9).find(|by| validator(*by) == address).unwrap();
        let message = signing::proposal(self.members.genesis(), height, 0, value, None, address);
        let signature = key(by).sign(signing::CONSENSUS, &message);
        Message::Proposal(Proposal { height, round: 0, value, valid_round: None, address, signature })
    }
}

pub(super) fn votes_sent(outputs: &[Output]) -> Vec<(Step, Option<BlockHash>)> {
    let vote = |output: &Output| match output {
        Output::Broadcast(bytes) => match Message::decode(bytes, Limits::default()).unwrap() {
            Message::Vote(vote) => Some((vote.step, vote.value)),
            _ => None,
        },
        _ => None,
    };
    outputs.iter().filter_map(vote).collect()
}

pub(super) fn spec() -> Spec {
    let entry = |by: u8, weight| SpecValidator {
        validator: validator(by),
        weight: KeyShares(weight),
        embedded: EmbeddedKeys {
            base: Bytes::new(vec![by]).unwrap(),
            network: Bytes::new(vec![by, 1]).unwrap(),
        },
    };
    Spec {
        chain: ChainGenesis([1; 32]),
        set: ValidatorSet { network: Network::new("bitcoin").unwrap(), session: Session(4) },
        block: BaseBlockHash([2; 32]),
        validators: List::new(vec![entry(0, 3), entry(1, 1), entry(2, 2)]).unwrap(),
        limits: Limits::default(),
    }
}

/// `TRIB-1`; defect 26 of older designs.
#[test]
fn the_genesis_commits_to_every_fact_of_the_spec() {
    type Edit = fn(&mut Spec);
    let validators = |spec: &mut Spec, edit: fn(&mut Vec<SpecValidator>)| {
        let mut list = spec.validators.clone().into_inner();
        edit(&mut list);
        spec.validators = List::new(list).unwrap();
    };
    let edits: [Edit; 6] = [
        |s| s.chain = ChainGenesis([9; 32]),
        |s| s.set.network = Network::new("ethereum").unwrap(),
        |s| s.set.session = Session(5),
        |s| s.block = BaseBlockHash([9; 32]),
        |s| s.limits.body_bytes -= 1,
        |s| s.limits.transaction_bytes -= 1,
    ];
    let list_edits: [fn(&mut Vec<SpecValidator>); 5] = [
        |l| l.swap(0, 1),
        |l| l[0].weight = KeyShares(4),
        |l| l[0].embedded.base = Bytes::new(vec![7]).unwrap(),
        |l| l[0].embedded.network = Bytes::new(vec![7]).unwrap(),
        |l| drop(l.pop()),
    ];
    let mut seen = std::collections::BTreeSet::from([spec().genesis()]);
    for edit in edits {
        let mut edited = spec();
        edit(&mut edited);
        assert!(seen.insert(edited.genesis()));
    }
    for edit in list_edits {
        let mut edited = spec();
        validators(&mut edited, edit);
        assert!(seen.insert(edited.genesis()));
    }
}

/// `TRIB-2`
#[test]
fn no_signed_message_is_one_of_another_kind_or_place() {
    let block = BlockHash([1; 32]);
    let mut seen = std::collections::BTreeSet::new();
    for genesis in [Genesis([1; 32]), Genesis([2; 32])] {
        for (height, round, by) in [(1, 1, 0), (1, 2, 0), (2, 1, 0), (1, 1, 1)] {
            for value in [None, Some(block), Some(BlockHash([2; 32]))] {
                assert!(seen.insert(signing::prevote(genesis, height, round, value, validator(by))));
                assert!(seen.insert(signing::precommit(genesis, height, round, value, validator(by))));
            }
            for valid_round in [None, Some(0)] {
                let by = validator(by);
                assert!(seen.insert(signing::proposal(genesis, height, round, block, valid_round, by)));
            }
        }
    }
    let domains = [signing::CONSENSUS, signing::BLOCK, signing::TRANSACTION];
    assert_eq!(std::collections::BTreeSet::from(domains).len(), 3);
}

#[test]
fn participants_are_consecutive_ranges_in_set_order() {
    let spec = spec();
    let of = |by| spec.participants(&validator(by)).into_iter().map(Participant::get).collect::<Vec<_>>();
    assert_eq!((of(0), of(1), of(2), of(3)), (vec![1, 2, 3], vec![4], vec![5, 6], vec![]));
    let holder = |index| spec.holder(Participant::new(index).unwrap());
    assert_eq!(holder(3), Some(validator(0)));
    assert_eq!(holder(4), Some(validator(1)));
    assert_eq!(holder(6), Some(validator(2)));
    assert_eq!(holder(7), None);
    assert_eq!((spec.n(), spec.t()), (KeyShares(6), KeyShares(5)));
}

#[test]
fn members_without_key_weight_or_uniqueness_are_refused() {
    let new = |list: &[(Validator, KeyShares)]| {
        Members::new(Genesis::default(), list, Limits::default()).map(|_| ()).unwrap_err()
    };
    let bad = Validator([0xff; 32]);
    assert_eq!(new(&[]), MembersError::Count(0));
    assert_eq!(new(&[(bad, KeyShares(1))]), MembersError::Key(bad));
    assert_eq!(new(&[(validator(0), KeyShares(0))]), MembersError::NoWeight(validator(0)));
    let twice = [(validator(0), KeyShares(1)), (validator(0), KeyShares(1))];
    assert_eq!(new(&twice), MembersError::Twice(validator(0)));
    let heavy = [(validator(0), KeyShares(u16::MAX))];
    assert_eq!(new(&heavy), MembersError::Weight(65_535));
}

/// `TRIB-8`
#[test]
fn members_propose_in_proportion_to_their_weight() {
    let members = members(&[3, 3, 2, 2]);
    let mut counts = std::collections::BTreeMap::new();
    for height in 1..=100 {
        *counts.entry(members.proposer(height, 0).validator).or_insert(0) += 1;
    }
    let count = |by| counts[&validator(by)];
    assert_eq!((count(0), count(1), count(2), count(3)), (30, 30, 20, 20));
}

/// `TRIB-6`; defect 4 of older designs.
#[test]
fn a_certificate_needs_distinct_members_of_more_than_two_thirds_who_signed_this_block() {
    let (one, _) = One::open(&[1, 1, 1, 1], puppet());
    let block = BlockHash([5; 32]);
    let good = one.certificate(3, block, &[1, 2, 3]);
    assert!(good.verify(&one.members));
    assert!(!one.certificate(3, block, &[1, 2]).verify(&one.members));
    assert!(!one.certificate(3, block, &[1, 2, 9]).verify(&one.members));
    assert!(!one.certificate(3, block, &[1, 2, 2, 2]).verify(&one.members));
    assert!(!one.certificate(3, block, &[]).verify(&one.members));

    let edit = |edit: &dyn Fn(&mut Vec<_>)| {
        let mut signatures = good.signatures.clone().into_inner();
        edit(&mut signatures);
        Certificate { signatures: List::new(signatures).unwrap(), ..good.clone() }
    };
    let wrong = [
        edit(&|s| s.swap(0, 1)),
        edit(&|s| s[0].0 = Validator([0xff; 32])),
        edit(&|s| s[0].1.0[7] ^= 1),
        edit(&|s| s[0].1.0 = [0xff; 64]),
        Certificate { height: TributaryBlock(4), ..good.clone() },
        Certificate { round: 1, ..good.clone() },
        Certificate { block: BlockHash([6; 32]), ..good.clone() },
    ];
    for certificate in wrong {
        assert!(!certificate.verify(&one.members));
    }
}

/// `TRIB-7`
#[test]
fn a_block_whose_parts_differ_from_its_signed_header_is_not_authentic() {
    let (one, _) = One::open(&[1, 1, 1, 1], puppet());
    let former = one.certificate(1, BlockHash([5; 32]), &[1, 2, 3]);
    let good = one.block(2, 0, BlockHash([5; 32]), Some(former));
    assert!(good.is_authentic(&one.members));
    let edits: [fn(&mut Block); 10] = [
        |b| b.header.height = TributaryBlock(3),
        |b| b.header.round = 1,
        |b| b.header.proposer = Validator([1; 32]),
        |b| b.header.parent = BlockHash([1; 32]),
        |b| b.header.former = [1; 32],
        |b| b.header.root = [1; 32],
        |b| b.header.state = [1; 32],
        |b| b.body = Bytes::new(b"other".to_vec()).unwrap(),
        |b| b.former = None,
        |b| b.signature.0[3] ^= 1,
    ];
    for (index, edit) in edits.into_iter().enumerate() {
        let mut block = good.clone();
        edit(&mut block);
        assert!(!block.is_authentic(&one.members), "{index}");
    }
}

/// `TRIB-9`: the interval holds a lone hurrier back, and more than a third of the weight does not wait.
#[test]
fn one_member_alone_does_not_quicken_the_chain() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    let vote = one.vote(1, Step::Prevote, 1, None);
    one.hear(1, &vote).unwrap();
    assert_eq!(one.node.status().running, None);
    let vote = one.vote(2, Step::Prevote, 1, None);
    one.hear(2, &vote).unwrap();
    assert!(one.node.status().running.is_some());

    let (mut one, _) = One::open(&[1, 1, 1, 1], Puppet { due: false, ..puppet() });
    one.step(Input::Fired(Timer::Interval)).unwrap();
    assert_eq!(one.node.status().running, None, "nothing is due");
    let forged = Message::Vote(match one.vote(1, Step::Prevote, 1, None) {
        Message::Vote(vote) => Vote { address: validator(2), ..vote },
        _ => unreachable!(),
    });
    one.hear(1, &forged).unwrap();
    assert_eq!(one.node.status().running, None, "a forged vote starts nothing");
    let vote = one.vote(1, Step::Prevote, 1, None);
    one.hear(1, &vote).unwrap();
    assert!(one.node.status().running.is_some());
}

#[test]
fn the_heartbeat_starts_a_height_without_content() {
    let (mut one, _) = One::open(&[1], Puppet { due: false, ..puppet() });
    one.step(Input::Fired(Timer::Interval)).unwrap();
    assert_eq!(one.decided(), 0);
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    assert_eq!(one.decided(), 1);
}

/// `TRIB-10`
#[test]
fn a_block_with_another_parent_is_not_voted_for() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    let block = one.block(1, 0, BlockHash([1; 32]), None);
    let mut outputs = one.hear(1, &one.proposal(&block)).unwrap();
    outputs.extend(one.hear(1, &Message::Block(Box::new(block))).unwrap());
    assert_eq!(votes_sent(&outputs), [(Step::Prevote, None)]);
}

/// `TRIB-11`: no prevote for a block with something missing, a prevote once it is there.
#[test]
fn a_block_is_voted_for_when_what_it_lacked_is_there() {
    let missing = Verdict::Missing("a batch".to_owned());
    let (mut one, _) = One::open(&[1, 1, 1, 1], Puppet { verdict: missing, ..puppet() });
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    let block = one.block(1, 0, BlockHash::default(), None);
    let hash = block.header.hash(one.members.genesis());
    let mut outputs = one.hear(1, &one.proposal(&block)).unwrap();
    outputs.extend(one.hear(1, &Message::Block(Box::new(block))).unwrap());
    assert_eq!(votes_sent(&outputs), []);
    assert_eq!(one.node.status().missing, ["a batch"]);
    let outputs = one.step(Input::Application(Verdict::Valid)).unwrap();
    assert_eq!(votes_sent(&outputs), [(Step::Prevote, Some(hash))]);
}

/// `TRIB-11`: what more than two thirds precommitted is decided although something is missing here.
#[test]
fn a_block_precommitted_by_a_quorum_is_decided_although_something_is_missing() {
    let missing = Verdict::Missing("a batch".to_owned());
    let (mut one, _) = One::open(&[1, 1, 1, 1], Puppet { verdict: missing, ..puppet() });
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    let block = one.block(1, 0, BlockHash::default(), None);
    let hash = block.header.hash(one.members.genesis());
    one.hear(1, &one.proposal(&block)).unwrap();
    one.hear(1, &Message::Block(Box::new(block))).unwrap();
    for by in 1..4 {
        assert_eq!(one.decided(), 0);
        let vote = one.vote(by, Step::Precommit, 1, Some(hash));
        one.hear(by, &vote).unwrap();
    }
    assert_eq!(one.decided(), 1);
}

/// `TRIB-22`
#[test]
fn a_decided_block_that_is_invalid_here_halts_this_chain_and_is_not_stored() {
    let invalid = Verdict::Invalid("state".to_owned());
    let (mut one, _) = One::open(&[1, 1, 1, 1], Puppet { verdict: invalid, ..puppet() });
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    let block = one.block(1, 0, BlockHash::default(), None);
    let hash = block.header.hash(one.members.genesis());
    one.hear(1, &Message::Height(2)).unwrap();
    let certificate = one.certificate(1, hash, &[1, 2, 3]);
    let answer = Answer::Blocks(List::new(vec![DecidedBlock { block, certificate }]).unwrap());
    let halt = one.step(Input::Response { from: validator(1), bytes: encode(&answer) }).unwrap_err();
    assert!(halt.reason.contains("invalid here"), "{halt}");
    assert_eq!(one.decided(), 0);
    assert_eq!(one.step(Input::Fired(Timer::Resend)).unwrap_err(), halt);
}

/// `TRIB-22`: a failed check inside the node is a halt, not the end of the process.
#[test]
fn a_panic_halts_the_chain_and_its_reason_is_kept() {
    let (mut one, _) = One::open(&[1], Puppet { panics: true, ..puppet() });
    let halt = one.step(Input::Fired(Timer::Heartbeat)).unwrap_err();
    assert!(halt.reason.contains("the puppet panics"), "{halt}");
    let genesis = one.members.genesis();
    let recorded = one.store.write(|txn| record_halt(txn, genesis, &halt)).unwrap();
    drop(recorded);
    assert_eq!(one.store.read(|db| halted(db, genesis)).unwrap(), Some(halt.clone()));
    let open = Open { config: config(), store_is_current: true };
    let members = one.members.clone();
    let again = one.store.write(|txn| Node::open(txn, members, key(0), puppet(), open).map_err(Failed::from));
    assert!(matches!(again, Err(Failed::Halt(again)) if again == halt));
}

/// `TRIB-23`
#[test]
fn a_non_members_messages_and_requests_are_dropped() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    assert_eq!(one.hear(9, &Message::Height(100)).unwrap(), []);
    assert_eq!(one.hear(9, &Message::Application(Bytes::new(vec![1]).unwrap())).unwrap(), []);
    let ask = Input::Request { from: validator(9), id: 1, bytes: encode(&Ask::Status) };
    assert_eq!(one.step(ask).unwrap(), []);
    assert!(one.node.status().peers.is_empty());
}

/// `TRIB-23`
#[test]
fn messages_beyond_the_bound_of_their_kind_are_not_decoded() {
    let limits = Limits::default();
    for (kind, limit) in [(0u8, 512), (1, 512), (2, 65_536), (3, 65_536), (5, 512), (7, 131_072)] {
        let mut bytes = vec![0; limit + 1];
        bytes[0] = kind;
        let error = Message::decode(&bytes, limits).unwrap_err();
        assert!(matches!(error, processor_messages::DecodeError::TooLong { .. }), "{kind}: {error}");
    }
    assert!(Message::decode(&[], limits).is_err());
    assert!(Message::decode(&[8], limits).is_err());
    assert!(Ask::decode(&[0; 65]).is_err());
}

/// `TRIB-24`
#[test]
fn a_proposer_of_many_blocks_fills_no_disk() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    for n in 0..20u8 {
        let good = one.block(1, 0, BlockHash::default(), None);
        let header = Header { root: [n; 32], ..good.header };
        let by = (0..4).find(|by| validator(*by) == header.proposer).unwrap();
        let block = Block::sign(&one.members, &key(by), header, None, good.body);
        one.hear(1, &Message::Block(Box::new(block))).unwrap();
    }
    let stored = one.store.read(|db| crate::log::bodies(db, one.members.genesis(), 1)).unwrap();
    assert_eq!(stored.len(), 2);
}

/// `TRIB-24`: judging a body costs as many signatures as fit into it; of far rounds none is, unless it is named.
#[test]
fn bodies_of_far_rounds_are_kept_only_if_they_are_named() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    for round in 0..12 {
        let block = one.block(1, round, BlockHash::default(), None);
        one.hear(1, &Message::Block(Box::new(block))).unwrap();
    }
    let rounds = |one: &One| {
        let stored = one.store.read(|db| crate::log::bodies(db, one.members.genesis(), 1)).unwrap();
        let mut rounds: Vec<_> = stored.iter().map(|(_, block)| block.header.round).collect();
        rounds.sort_unstable();
        rounds
    };
    assert_eq!(rounds(&one), [0, 1]);
    let block = one.block(1, 5, BlockHash::default(), None);
    let (address, value) = (block.header.proposer, block.header.hash(one.members.genesis()));
    let by = (0..4).find(|by| validator(*by) == address).unwrap();
    let message = signing::proposal(one.members.genesis(), 1, 5, value, None, address);
    let signature = key(by).sign(signing::CONSENSUS, &message);
    let named = Proposal { height: 1, round: 5, value, valid_round: None, address, signature };
    one.hear(1, &Message::Proposal(named)).unwrap();
    one.hear(1, &Message::Block(Box::new(block))).unwrap();
    assert_eq!(rounds(&one), [0, 1, 5]);
}

/// `TRIB-25`
#[test]
fn answers_hold_what_fits_and_start_where_asked() {
    let (mut one, _) = One::open(&[1], puppet());
    for _ in 0..40 {
        one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    }
    let mut ask = |height| {
        let ask = Input::Request { from: validator(0), id: 3, bytes: encode(&Ask::Blocks(height)) };
        match &one.step(ask).unwrap()[..] {
            [Output::Respond { id: 3, bytes }] => decode::<Answer>(bytes, 4 << 20).unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let heights = |answer: Answer| match answer {
        Answer::Blocks(blocks) => blocks.iter().map(|b| b.height().0).collect::<Vec<_>>(),
        Answer::Status(certificate) => vec![certificate.map_or(0, |c| c.height.0)],
        Answer::Body(block) => panic!("{block:?}"),
    };
    assert_eq!(heights(ask(1)), (1..=32).collect::<Vec<_>>());
    assert_eq!(heights(ask(39)), [39, 40]);
    assert_eq!(heights(ask(41)), [40]);
    assert_eq!(heights(ask(0)), [40]);
    assert_eq!(heights(ask(u64::MAX)), [40]);
}

/// `TRIB-25`: blocks that write much are applied over several steps, as many in each as it has room for.
#[test]
fn an_answer_whose_blocks_write_much_is_taken_in_parts() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], Puppet { writes: 1_500_000, ..puppet() });
    let (mut parent, mut former) = (BlockHash::default(), None);
    let mut all = Vec::new();
    for height in 1..=14 {
        let block = one.block(height, 0, parent, former);
        parent = block.header.hash(one.members.genesis());
        let certificate = one.certificate(height, parent, &[1, 2, 3]);
        former = Some(certificate.clone());
        all.push(DecidedBlock { block, certificate });
    }
    let members = [1, 2].map(validator);
    one.hear(1, &Message::Height(14)).unwrap();
    one.hear(2, &Message::Height(14)).unwrap();
    let mut steps = 0;
    while one.decided() < 14 {
        // The first did not answer in time, so the other one is asked, and both answers come in one step.
        one.step(Input::Fired(Timer::Sync)).unwrap();
        let from = one.decided() + 1;
        let rest: Vec<_> = all.iter().filter(|decided| decided.height().0 >= from).cloned().collect();
        let bytes = encode(&Answer::Blocks(List::new(rest).unwrap()));
        let answers = members.map(|from| Input::Response { from, bytes: bytes.clone() });
        let prepared = one.node.prepare(answers.into());
        let stepped = one.store.write(|txn| {
            for input in prepared {
                one.node.take(txn, input)?;
            }
            Ok::<_, Failed>(one.node.outputs()?)
        });
        let asked = asked(&stepped.expect("the step is not too large").0);
        let again = asked.iter().any(|(_, ask)| *ask == Ask::Blocks(one.decided() + 1));
        assert!(again || (one.decided() == 14), "the rest is asked for at once");
        steps += 1;
    }
    assert_eq!((one.decided(), steps), (14, 5));
}

/// `TRIB-25`: a block that alone writes more than the share of a step is taken all the same.
#[test]
fn a_block_that_writes_more_than_its_share_of_a_step_is_taken_alone() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], Puppet { writes: 9 << 20, ..puppet() });
    let block = one.block(1, 0, BlockHash::default(), None);
    let certificate = one.certificate(1, block.header.hash(one.members.genesis()), &[1, 2, 3]);
    let whom = asked(&one.hear(1, &Message::Height(9)).unwrap())[0].0;
    let bytes = encode(&Answer::Blocks(List::new(vec![DecidedBlock { block, certificate }]).unwrap()));
    let outputs = one.step(Input::Response { from: whom, bytes }).unwrap();
    assert_eq!(one.decided(), 1);
    assert_eq!(asked(&outputs), [(whom, Ask::Blocks(2))]);
}

pub(super) fn asked(outputs: &[Output]) -> Vec<(Validator, Ask)> {
    let ask = |output: &Output| match output {
        Output::Request { to, bytes } => Some((*to, Ask::decode(bytes).unwrap())),
        _ => None,
    };
    outputs.iter().filter_map(ask).collect()
}

/// `TRIB-29`: who voted for a block is asked for its body, another one each time, until somebody has it.
#[test]
fn a_lost_body_is_asked_of_those_who_signed_for_the_block() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    let (mut other, _) = One::open(&[1, 1, 1, 1], puppet());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    other.step(Input::Fired(Timer::Heartbeat)).unwrap();
    let block = one.block(1, 0, BlockHash::default(), None);
    let hash = block.header.hash(one.members.genesis());
    let proposer = block.header.proposer;
    let mut outputs = one.hear(1, &one.proposal(&block)).unwrap();
    let timer = |outputs: &[Output]| {
        outputs.iter().filter(|o| matches!(o, Output::SetTimer { timer: Timer::Body, .. })).count()
    };
    assert_eq!((timer(&outputs), asked(&outputs)), (1, Vec::new()), "it may be on its way");
    let vote = one.vote(3, Step::Prevote, 1, Some(hash));
    assert_eq!(timer(&one.hear(3, &vote).unwrap()), 0, "one timer at a time");

    let mut whom = std::collections::BTreeSet::new();
    for _ in 0..2 {
        outputs = one.step(Input::Fired(Timer::Body)).unwrap();
        assert_eq!(timer(&outputs), 1);
        let asked = asked(&outputs);
        assert_eq!(asked.iter().map(|(_, ask)| ask).collect::<Vec<_>>(), [&Ask::Body(1, hash)]);
        whom.extend(asked.iter().map(|(to, _)| *to));
    }
    assert_eq!(whom, [proposer, validator(3)].into());

    // Who has it gives it; who has not, or is elsewhere, says how far it is.
    let bytes = encode(&Ask::Body(1, hash));
    let question = |bytes: &Vec<u8>| Input::Request { from: validator(0), id: 7, bytes: bytes.clone() };
    let none = other.step(question(&bytes)).unwrap();
    assert_eq!(none, [Output::Respond { id: 7, bytes: encode(&Answer::Status(None)) }]);
    other.hear(1, &Message::Block(Box::new(block.clone()))).unwrap();
    let found = other.step(question(&bytes)).unwrap();
    let answer = encode(&Answer::Body(Box::new(block)));
    assert_eq!(found, [Output::Respond { id: 7, bytes: answer.clone() }]);
    let elsewhere = other.step(question(&encode(&Ask::Body(2, hash)))).unwrap();
    assert_eq!(elsewhere, [Output::Respond { id: 7, bytes: encode(&Answer::Status(None)) }]);

    let outputs = one.step(Input::Response { from: validator(3), bytes: answer }).unwrap();
    assert_eq!(votes_sent(&outputs), [(Step::Prevote, Some(hash))]);
    assert_eq!(asked(&one.step(Input::Fired(Timer::Body)).unwrap()), []);
}

/// `TRIB-5`: a driver has few requests under way; in a large set everybody is asked all the same.
#[test]
fn a_recovering_node_asks_every_member_a_few_at_a_time() {
    let members = members(&[1; 100]);
    let store = MemoryStore::default();
    let open = Open { config: config(), store_is_current: false };
    let opened =
        store.write(|txn| Node::open(txn, members.clone(), key(0), puppet(), open).map_err(Failed::from));
    let (node, outputs) = opened.unwrap().0;
    let mut one = One { members, store, node };
    let mut whom: Vec<_> = asked(&outputs).into_iter().map(|(to, _)| to).collect();
    let report = encode(&Answer::Status(None));
    one.step(Input::Response { from: whom[0], bytes: report }).unwrap();
    let reported = whom[0];
    for _ in 0..7 {
        let asked = asked(&one.step(Input::Fired(Timer::Sync)).unwrap());
        assert!(asked.len() <= 16, "{}", asked.len());
        whom.extend(asked.iter().map(|(to, _)| *to));
    }
    assert_eq!(whom.iter().filter(|to| **to == reported).count(), 1, "not again");
    let whom: std::collections::BTreeSet<_> = whom.into_iter().collect();
    assert_eq!(whom.len(), 99);
}

/// `TRIB-24`, `TRIB-29`: an answer fills no more of the disk than a broadcast does.
#[test]
fn bodies_that_nobody_asked_for_are_bounded_as_broadcast_ones_are() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    for n in 0..20u8 {
        let good = one.block(1, 0, BlockHash::default(), None);
        let header = Header { root: [n; 32], ..good.header };
        let by = (0..4).find(|by| validator(*by) == header.proposer).unwrap();
        let block = Block::sign(&one.members, &key(by), header, None, good.body);
        let bytes = encode(&Answer::Body(Box::new(block)));
        one.step(Input::Response { from: validator(1), bytes }).unwrap();
    }
    let stored = one.store.read(|db| crate::log::bodies(db, one.members.genesis(), 1)).unwrap();
    assert_eq!(stored.len(), 2);
}

/// `TRIB-23`: what came early for the height after the next survives the start of the next.
#[test]
fn messages_of_the_height_after_the_next_are_kept_when_the_next_starts() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    for by in 1..4 {
        let vote = one.vote(by, Step::Prevote, 2, None);
        one.hear(by, &vote).unwrap();
    }
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    let block = one.block(1, 0, BlockHash::default(), None);
    let hash = block.header.hash(one.members.genesis());
    one.hear(1, &one.proposal(&block)).unwrap();
    one.hear(1, &Message::Block(Box::new(block))).unwrap();
    let mut outputs = Vec::new();
    for by in 1..4 {
        let vote = one.vote(by, Step::Precommit, 1, Some(hash));
        outputs.extend(one.hear(by, &vote).unwrap());
    }
    assert_eq!(one.decided(), 1);
    assert_eq!(one.node.status().running.map(|(height, _)| height.0), Some(2), "they start it at once");
}

/// `TRIB-3`, `TRIB-4`: what was said before a restart is said again, byte for byte.
#[test]
fn a_restarted_node_says_the_same_again() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    let block = one.block(1, 0, BlockHash::default(), None);
    one.hear(1, &one.proposal(&block)).unwrap();
    let outputs = one.hear(1, &Message::Block(Box::new(block))).unwrap();
    let sent: Vec<_> = outputs.iter().filter(|o| matches!(o, Output::Broadcast(_))).collect();
    assert_eq!(sent.len(), 1);
    let (_, again) = One::reopen(one.members.clone(), one.store.clone(), puppet());
    assert!(sent.iter().all(|output| again.contains(output)));
}

fn rows_of_chains(store: &MemoryStore) -> usize {
    store.read(|db| db.scan(b"tributary", b"tributary", 1000)).unwrap().len()
}

/// `TRIB-30`
#[test]
fn pruning_deletes_so_many_rows_a_step_and_leaves_those_of_other_chains_and_the_reason_of_a_halt() {
    let (mut one, _) = One::open(&[1], puppet());
    let (genesis, other) = (one.members.genesis(), Genesis([8; 32]));
    for _ in 0..10 {
        one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    }
    let decided = one.store.read(|db| DECIDED.get(db, &(genesis, TributaryBlock(1)))).unwrap().unwrap();
    let written = one.store.write(|txn| {
        DECIDED.put(txn, &(other, TributaryBlock(1)), &decided);
        record_halt(txn, genesis, &Halt::new("a reason"))?;
        // A damaged row is deleted like any other.
        txn.put([&b"tributary/decided\0"[..], &genesis.0, &99u64.to_be_bytes()].concat(), vec![1]);
        Ok::<_, Failed>(())
    });
    drop(written.unwrap());
    let mut left = rows_of_chains(&one.store);
    let mut calls = 0;
    while !one.store.write(|txn| prune(txn, genesis, 3)).unwrap().0 {
        // The first call writes the mark of the retirement.
        let now = rows_of_chains(&one.store) - usize::from(calls == 0);
        assert!(left - now <= 3, "{left} rows, then {now}");
        (left, calls) = (now, calls + 1);
    }
    assert!(calls >= 3);
    assert_eq!(one.decided(), 0);
    assert_eq!(rows_of_chains(&one.store), 3, "another chain's block, the reason, the mark");
    assert_eq!(one.store.read(|db| DECIDED.get(db, &(other, TributaryBlock(1)))).unwrap(), Some(decided));
    assert_eq!(one.store.read(|db| halted(db, genesis)).unwrap(), Some(Halt::new("a reason")));
}

/// `TRIB-30`, `TRIB-4`: a chain whose log may be gone signs nothing again, also if pruning was interrupted.
#[test]
fn a_chain_that_began_to_be_pruned_is_not_opened_again() {
    let (mut one, _) = One::open(&[1], puppet());
    for _ in 0..10 {
        one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    }
    let genesis = one.members.genesis();
    assert!(!one.store.read(|db| is_retired(db, genesis)).unwrap());
    assert!(!one.store.write(|txn| prune(txn, genesis, 3)).unwrap().0);
    assert!(one.store.read(|db| is_retired(db, genesis)).unwrap());
    let open = Open { config: config(), store_is_current: true };
    let members = one.members.clone();
    let again = one.store.write(|txn| Node::open(txn, members, key(0), puppet(), open).map_err(Failed::from));
    assert!(matches!(again, Err(Failed::Halt(halt)) if halt.reason.contains("retired")));
}

type VoteMessage = fn(Genesis, u64, u32, Option<BlockHash>, Validator) -> Vec<u8>;

proptest! {
    /// `TRIB-23`
    #[test]
    fn no_bytes_of_a_member_panic_or_halt(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 0u8..9) {
        let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
        one.step(Input::Fired(Timer::Heartbeat)).unwrap();
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        let from = validator(1);
        one.step(Input::Message { from, bytes: bytes.clone() }).unwrap();
        one.step(Input::Request { from, id: 0, bytes: bytes.clone() }).unwrap();
        one.step(Input::Response { from, bytes }).unwrap();
    }

    /// `TRIB-23`: valid in form, with any content.
    #[test]
    fn no_vote_or_proposal_of_a_member_panics_or_halts(
        height in 0u64..4, round in prop_oneof![0u32..15, any::<u32>()], valid_round in proptest::option::of(0u32..15),
        precommit in any::<bool>(), by in 0u8..5, signer in 0u8..5, value in proptest::option::of(any::<[u8; 32]>()),
    ) {
        let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
        one.step(Input::Fired(Timer::Heartbeat)).unwrap();
        let genesis = one.members.genesis();
        let (step, of): (_, VoteMessage) =
            if precommit { (Step::Precommit, signing::precommit) } else { (Step::Prevote, signing::prevote) };
        let (address, value) = (validator(by), value.map(BlockHash));
        let signature = key(signer).sign(signing::CONSENSUS, &of(genesis, height, round, value, address));
        one.hear(1, &Message::Vote(Vote { step, height, round, value, address, signature })).unwrap();
        let value = value.unwrap_or_default();
        let message = signing::proposal(genesis, height, round, value, valid_round, address);
        let signature = key(signer).sign(signing::CONSENSUS, &message);
        one.hear(1, &Message::Proposal(Proposal { height, round, value, valid_round, address, signature })).unwrap();
    }
}
