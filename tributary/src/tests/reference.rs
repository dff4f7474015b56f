//! Defects which were found in an older system, by their numbers there: each must stay impossible here.

use std::{collections::BTreeMap, time::Duration};

use coordinator_store::{MemoryStore, Store};
use processor_messages::{Bytes, EmbeddedKeys, KeyShares, List, TributaryBlock, Validator, decode, encode};

use super::{
    network::{Failed, Faults, Network, SECOND, key, members, validator},
    node::{One, asked, puppet, spec, votes_sent},
    rules::{Bench, is_invalid, order, payload, signed, vote_evidence},
};
use crate::{
    Block, BlockHash, Certificate, Chain, ChainConfig, ChainInput, Config, Conflict, DecidedBlock, Evidence,
    Input, Kind, Limits, MAX_BODY_BYTES, Members, Node, Open, Output, Say, SignedTransaction, Step, Timer,
    Transaction, TransactionHash, Verdict, merkle_root, signing,
    wire::{Answer, Ask, Message, Polka, RoundVotes, Vote},
};

fn other_in_the_same_place(bench: &Bench, by: u8) -> Transaction {
    let genesis = bench.members.genesis();
    Transaction::Signed(SignedTransaction::sign(genesis, &key(by), order("a"), 0, payload("other")))
}

/// `TRIB-19`: whoever made two transactions with one nonce, blocks are built on, also after a restart.
#[test]
fn ref_03_two_transactions_in_one_place_do_not_break_block_building() {
    for by in [1, 0] {
        let mut bench = Bench::new();
        let submit = ChainInput::Submit { order: order("a"), payload: payload("ours") };
        if by == 0 {
            // Ours: the other one is of a former life of this validator.
            bench.input(submit).unwrap();
        } else {
            bench.hear(by, &signed(bench.members.genesis(), by, "a", 0));
        }
        let other = other_in_the_same_place(&bench, by);
        bench.hear(2, &other);
        assert_eq!(bench.build(0).len(), 1, "one of them is proposed");
        let says = bench.decide(std::slice::from_ref(&other)).unwrap();
        let told = says.iter().any(|say| matches!(say, Say::Event(event) if event.contains("in its place")));
        assert_eq!(told, by == 0);
        for restart in [false, true] {
            if restart {
                bench.chain = Chain::new(key(0), ChainConfig::default());
                let (chain, members) = (&mut bench.chain, &bench.members);
                let again = bench.store.read(|db| crate::Application::resend(chain, db, members)).unwrap();
                assert_eq!(again, []);
            }
            let built = bench.build(0);
            assert_eq!(built, []);
            assert_eq!(bench.check(&built), Verdict::Valid);
            assert!(is_invalid(&bench.check(std::slice::from_ref(&other))));
        }
    }
}

/// `TRIB-6`: an account that is no point, one of nobody, and one with a valid signature by nobody.
#[test]
fn ref_04_certificates_naming_unknown_validators_are_refused_and_harm_nothing() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    let block = one.block(1, 0, BlockHash::default(), None);
    let hash = block.header.hash(one.members.genesis());
    let good = one.certificate(1, hash, &[1, 2, 3]);
    let with = |validators: &[Validator]| {
        let of = good.signatures.iter().map(|(_, signature)| *signature);
        let mut signatures: Vec<_> = validators.iter().copied().zip(of).collect();
        signatures.sort_unstable_by_key(|(validator, _)| *validator);
        Certificate { signatures: List::new(signatures).unwrap(), ..good.clone() }
    };
    let bad = [
        with(&[Validator([0xff; 32]), validator(1), validator(2)]),
        with(&[Validator([0; 32]), validator(1), validator(2)]),
        one.certificate(1, hash, &[1, 2, 7]),
        one.certificate(1, hash, &[6, 7, 8]),
    ];
    for certificate in bad {
        assert!(!certificate.verify(&one.members));
        let decided = DecidedBlock { block: block.clone(), certificate: certificate.clone() };
        let answers = [
            Answer::Status(Some(certificate.clone())),
            Answer::Blocks(List::new(vec![decided]).unwrap()),
            Answer::Body(Box::new(one.block(2, 0, hash, Some(certificate)))),
        ];
        for answer in answers {
            one.hear(1, &Message::Height(1)).unwrap();
            one.step(Input::Fired(Timer::Sync)).unwrap();
            one.step(Input::Response { from: validator(1), bytes: encode(&answer) }).unwrap();
            assert_eq!(one.decided(), 0);
        }
    }
    one.hear(1, &Message::Height(1)).unwrap();
    one.step(Input::Fired(Timer::Sync)).unwrap();
    let decided = DecidedBlock { block, certificate: good };
    let answer = encode(&Answer::Blocks(List::new(vec![decided]).unwrap()));
    one.step(Input::Response { from: validator(1), bytes: answer }).unwrap();
    assert_eq!(one.decided(), 1, "the same block with a certificate of members is taken");
}

/// `TRIB-23`: a count says nothing: lists grow with what is there.
#[test]
fn ref_05_claimed_counts_allocate_nothing() {
    let count = u32::MAX.to_le_bytes();
    let claims = |prefix: &[u8]| [prefix, &count[..]].concat();
    let limits = Limits::default();
    assert!(decode::<List<Transaction, 65_536>>(&count, MAX_BODY_BYTES).is_err());
    assert!(decode::<Bytes<MAX_BODY_BYTES>>(&count, MAX_BODY_BYTES).is_err());
    // Within the bound of the list, and still more than there is.
    let many = 60_000u32.to_le_bytes();
    assert!(decode::<List<Transaction, 65_536>>(&many, MAX_BODY_BYTES).is_err());
    for kind in [6, 7] {
        assert!(Message::decode(&claims(&[kind]), limits).is_err());
    }
    assert!(Answer::decode(&claims(&[1]), limits).is_err());
    let polka = encode(&Message::Polka(Polka {
        height: 1,
        round: 0,
        value: BlockHash::default(),
        signatures: List::default(),
    }));
    let claimed = [&polka[..polka.len() - 4], &count[..]].concat();
    assert!(Message::decode(&claimed, limits).is_err());
    let mut bench = Bench::new();
    let mut block = bench.block(0, &[]);
    block.body = Bytes::new(count.to_vec()).unwrap();
    assert!(is_invalid(&bench.verdict(&block)));
    bench.heard(1, &claims(&[1]));
}

fn proposal_evidence(members: &Members, by: u8, sides: [(BlockHash, Option<u32>); 2]) -> Evidence {
    let sign = |(value, valid_round): (BlockHash, Option<u32>)| {
        let message = signing::proposal(members.genesis(), 3, 0, value, valid_round, validator(by));
        ((value, valid_round), key(by).sign(signing::CONSENSUS, &message))
    };
    let conflict = Conflict::Proposals(sign(sides[0]), sign(sides[1]));
    Evidence { validator: validator(by), height: 3, round: 0, conflict }
}

fn precommit_evidence(members: &Members, by: u8) -> Evidence {
    let sign = |value| {
        let message = signing::precommit(members.genesis(), 3, 0, value, validator(by));
        (value, key(by).sign(signing::CONSENSUS, &message))
    };
    let sides = [Some(BlockHash([1; 32])), Some(BlockHash([2; 32]))].map(sign);
    let conflict = Conflict::Votes(Step::Precommit, sides[0], sides[1]);
    Evidence { validator: validator(by), height: 3, round: 0, conflict }
}

/// `TRIB-16`: each kind as it is made verifies, and with any part of it changed it does not.
#[test]
fn ref_25_every_kind_of_evidence_verifies_and_only_untampered() {
    let mut bench = Bench::new();
    let block = |n| BlockHash([n; 32]);
    let kinds = [
        vote_evidence(&bench.members, 1),
        precommit_evidence(&bench.members, 1),
        proposal_evidence(&bench.members, 1, [(block(1), None), (block(2), None)]),
        proposal_evidence(&bench.members, 1, [(block(1), None), (block(1), Some(0))]),
    ];
    for good in &kinds {
        assert_eq!(bench.check(&[Transaction::Evidence(good.clone())]), Verdict::Valid);
        let swapped = match &good.conflict {
            Conflict::Votes(Step::Prevote, a, b) => Conflict::Votes(Step::Precommit, *a, *b),
            Conflict::Votes(Step::Precommit, a, b) => Conflict::Votes(Step::Prevote, *a, *b),
            Conflict::Proposals(a, _) => Conflict::Proposals(*a, *a),
        };
        let mut forged = good.clone();
        match &mut forged.conflict {
            Conflict::Votes(_, _, (_, signature)) | Conflict::Proposals(_, (_, signature)) => {
                signature.0[40] ^= 1;
            }
        }
        let bad = [
            Evidence { validator: validator(2), ..good.clone() },
            Evidence { validator: validator(8), ..good.clone() },
            Evidence { height: 4, ..good.clone() },
            Evidence { round: 1, ..good.clone() },
            Evidence { conflict: swapped, ..good.clone() },
            forged,
        ];
        for evidence in bad {
            assert!(is_invalid(&bench.check(&[Transaction::Evidence(evidence)])));
        }
    }
    // Of several members in one block; they take a part of it that no flood makes larger.
    let all: Vec<_> = (1..4).map(|by| Transaction::Evidence(vote_evidence(&bench.members, by))).collect();
    assert_eq!(bench.check(&all), Verdict::Valid);
    for evidence in &all {
        bench.hear(1, evidence);
        bench.hear(2, evidence);
    }
    bench.hear(2, &Transaction::Evidence(kinds[1].clone()));
    assert_eq!(bench.build(0).len(), 3);
}

/// `TRIB-26`: a quorum of nil prevotes counts whenever it is complete, not only when the first two thirds voted.
#[test]
fn ref_25_a_quorum_of_nil_prevotes_that_completes_late_is_seen() {
    let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
    one.step(Input::Fired(Timer::Heartbeat)).unwrap();
    let own = one.step(Input::Fired(Timer::Propose { height: 1, round: 0 })).unwrap();
    assert_eq!(votes_sent(&own), [(Step::Prevote, None)]);
    for (by, value) in [(1, Some(BlockHash([1; 32]))), (2, None)] {
        let vote = one.vote(by, Step::Prevote, 1, value);
        assert_eq!(votes_sent(&one.hear(by, &vote).unwrap()), [], "three votes that do not agree");
    }
    let vote = one.vote(3, Step::Prevote, 1, None);
    assert_eq!(votes_sent(&one.hear(3, &vote).unwrap()), [(Step::Precommit, None)]);
}

/// `TRIB-1`
#[test]
fn ref_26_the_genesis_commits_to_the_validators() {
    let with = |edit: &dyn Fn(&mut crate::SpecValidator)| {
        let mut spec = spec();
        let mut validators = spec.validators.clone().into_inner();
        edit(&mut validators[1]);
        spec.validators = List::new(validators).unwrap();
        spec.genesis()
    };
    let bytes = |byte| Bytes::new(vec![byte]).unwrap();
    let edited = [
        with(&|of| of.validator = validator(7)),
        with(&|of| of.weight = KeyShares(9)),
        with(&|of| of.embedded = EmbeddedKeys { base: bytes(9), network: bytes(9) }),
    ];
    assert!(edited.iter().all(|genesis| *genesis != spec().genesis()));
    assert_eq!(with(&|_| {}), spec().genesis());
}

/// One node of a whole chain, and what it was told to send.
struct Flooded {
    members: Members,
    store: MemoryStore,
    node: Node<Chain>,
}

impl Flooded {
    fn open(weights: &[u16], config: Config, bounds: ChainConfig) -> (Self, Vec<Output>) {
        let (members, store) = (members(weights), MemoryStore::default());
        let open = Open { config, store_is_current: true };
        let chain = Chain::new(key(0), bounds);
        let opened =
            store.write(|txn| Node::open(txn, members.clone(), key(0), chain, open).map_err(Failed::from));
        let (node, outputs) = opened.unwrap().0;
        (Self { members, store, node }, outputs)
    }

    fn step(&mut self, input: Input<ChainInput>) -> Vec<Output> {
        self.store.write(|txn| self.node.step(txn, input).map_err(Failed::from)).unwrap().0
    }

    fn hear(&mut self, message: &Message) -> Vec<Output> {
        self.step(Input::Message { from: validator(1), bytes: message.encode() })
    }

    fn gossip(&mut self, bytes: Vec<u8>) {
        self.hear(&Message::Application(Bytes::new(bytes).unwrap()));
    }

    fn vote(&self, by: u8, height: u64, round: u32) -> Message {
        let message = signing::prevote(self.members.genesis(), height, round, None, validator(by));
        let signature = key(by).sign(signing::CONSENSUS, &message);
        Message::Vote(Vote {
            step: Step::Prevote,
            height,
            round,
            value: None,
            address: validator(by),
            signature,
        })
    }

    fn rows(&self) -> usize {
        self.store.read(|db| db.scan(b"tributary", b"tributary", 100_000)).unwrap().len()
    }
}

/// `TRIB-19`, `TRIB-23`, `TRIB-24`: one member says as much as it can of everything; memory, rows and outputs stay
/// within their bounds, and what an honest one says is taken.
#[test]
fn ref_30_a_flood_of_everything_stays_within_bounds() {
    let bounds = ChainConfig { pending_per_signer: 32, unsigned_per_member: 16, ..ChainConfig::default() };
    let (mut node, _) = Flooded::open(&[1, 1, 1, 1], super::network::config(), bounds);
    node.step(Input::Fired(Timer::Heartbeat));
    let genesis = node.members.genesis();
    let before = node.rows();
    let mut outputs = Vec::new();
    for n in 0..200u32 {
        node.gossip(encode(&(0u8, signed(genesis, 1, &n.to_string(), 0))));
        node.gossip(encode(&(0u8, Transaction::Unsigned(payload(&n.to_string())))));
        // "I hold it", of every kind and far away.
        node.gossip(encode(&(1u8, vec![(Kind((n % 256) as u8), n * 1_000, [7u8; 32])])));
        outputs.extend(node.hear(&Message::Height(u64::from(n))));
        for height in [2, 3, u64::from(n) + 3] {
            let vote = node.vote(1, height, n);
            outputs.extend(node.hear(&vote));
        }
        let far = node.vote(1, 1, 1_000 + n);
        outputs.extend(node.hear(&far));
        let round = RoundVotes { height: 1, round: n, precommits: true, signatures: List::default() };
        outputs.extend(node.hear(&Message::Round(round)));
        let request = Input::Request { from: validator(1), id: 0, bytes: encode(&Ask::Blocks(u64::from(n))) };
        assert!(node.step(request).len() <= 1, "an answer at most");
    }
    assert_eq!(node.node.application().pending(), 32 + 16);
    assert!(node.node.kept_early() <= 8, "{}", node.node.kept_early());
    assert!(node.rows() <= before + 16, "{} rows, then {}", before, node.rows());
    let asked = outputs.iter().filter(|output| matches!(output, Output::Request { .. })).count();
    assert!(asked <= 1, "one question for blocks at a time: {asked}");
    let honest = encode(&(0u8, signed(genesis, 2, "a", 0)));
    let bytes = Message::Application(Bytes::new(honest).unwrap()).encode();
    node.step(Input::Message { from: validator(2), bytes });
    assert_eq!(node.node.application().pending(), 32 + 16 + 1);
}

/// `TRIB-9`, `TRIB-25`: an idle chain does nothing but its heartbeat, and to say its height now and then.
#[test]
fn ref_31_an_idle_chain_wakes_up_for_its_heartbeat_and_repetitions_only() {
    let config = Config::default();
    let (mut node, outputs) = Flooded::open(&[1], config, ChainConfig::default());
    let mut timers = BTreeMap::new();
    let mut fired: BTreeMap<Timer, u32> = BTreeMap::new();
    let (mut now, mut said) = (Duration::ZERO, 0u32);
    let mut note = |now: Duration, timers: &mut BTreeMap<Timer, Duration>, outputs: Vec<Output>| {
        for output in outputs {
            match output {
                Output::SetTimer { timer, after } => {
                    timers.insert(timer, now + after);
                }
                Output::CancelTimer(timer) => {
                    timers.remove(&timer);
                }
                Output::Broadcast(_) | Output::Request { .. } => said += 1,
                Output::Respond { .. } | Output::Decided(_) | Output::Event(_) => {}
            }
        }
    };
    note(now, &mut timers, outputs);
    while let Some((timer, at)) = timers.iter().min_by_key(|(_, at)| **at).map(|(t, at)| (*t, *at)) {
        if at > Duration::from_hours(1) {
            break;
        }
        now = at;
        timers.remove(&timer);
        *fired.entry(timer).or_default() += 1;
        let outputs = node.step(Input::Fired(timer));
        note(now, &mut timers, outputs);
    }
    let count = |timer| fired.get(&timer).copied().unwrap_or(0);
    assert_eq!(count(Timer::Heartbeat), 60, "a block a minute");
    assert_eq!(count(Timer::Interval), 60, "once after each");
    assert_eq!(count(Timer::Resend), 720, "every five seconds");
    assert_eq!(fired.values().sum::<u32>(), 60 + 60 + 720, "and nothing else: {fired:?}");
    assert!(said <= 720 + (60 * 8), "{said} messages");
    assert_eq!(node.node.status().decided.0, 60);
}

/// `TRIB-25`: one block behind is behind.
#[test]
fn ref_32_a_node_one_to_three_blocks_behind_is_answered() {
    for behind in 1..=3u64 {
        let (mut one, _) = One::open(&[1, 1, 1, 1], puppet());
        let (mut parent, mut former, mut decided) = (BlockHash::default(), None, Vec::new());
        for height in 1..=behind {
            let block = one.block(height, 0, parent, former);
            parent = block.header.hash(one.members.genesis());
            let certificate = one.certificate(height, parent, &[1, 2, 3]);
            former = Some(certificate.clone());
            decided.push(DecidedBlock { block, certificate });
        }
        let mut outputs = one.hear(1, &Message::Height(behind)).unwrap();
        if asked(&outputs).is_empty() {
            let armed = |output: &Output| matches!(output, Output::SetTimer { timer: Timer::Sync, .. });
            assert!(outputs.iter().any(armed), "{behind} behind: {outputs:?}");
            outputs = one.step(Input::Fired(Timer::Sync)).unwrap();
        }
        assert_eq!(asked(&outputs), [(validator(1), Ask::Blocks(1))]);
        let answer = encode(&Answer::Blocks(List::new(decided).unwrap()));
        one.step(Input::Response { from: validator(1), bytes: answer }).unwrap();
        assert_eq!(one.decided(), behind);
    }
}

/// `TRIB-25`: the same between whole nodes, when nothing new is ordered meanwhile.
#[test]
fn ref_32_a_node_that_missed_the_last_block_gets_it_while_the_others_are_idle() {
    let mut network = Network::new(5, &[1, 1, 1, 1], 0, Faults::none());
    network.work(1, 1, SECOND);
    assert!(network.run(30 * SECOND, Network::is_complete));
    network.stop(0);
    let stopped = network.height(0);
    let target = network.height(1) + 1;
    assert!(network.run(network.now + 30 * SECOND, |network| network.height(1) >= target));
    for peer in 1..4 {
        network.step(peer, Input::Application(ChainInput::Busy(false)));
    }
    network.resume(0);
    assert!(network.run(network.now + 10 * SECOND, |network| network.height(0) > stopped));
    assert!(network.violations.is_empty(), "{:?}", network.violations);
}

/// `TRIB-10`, `TRIB-21`: as in the tests of that system: an empty block, 64 transactions of one order, and what follows.
#[test]
fn blocks_follow_each_other_from_an_empty_one_over_sixty_four_nonces() {
    let mut bench = Bench::new();
    let genesis = bench.members.genesis();
    let empty: &[Transaction] = &[];
    assert_eq!(bench.check(empty), Verdict::Valid);
    assert_eq!(bench.block(0, empty).header.root, merkle_root(&[]));
    assert_ne!(merkle_root(&[]), merkle_root(&[TransactionHash::default()]));
    bench.decide(empty).unwrap();
    bench.decide(&[signed(genesis, 1, "a", 0)]).unwrap();
    let more: Vec<_> = (1..64).map(|nonce| signed(genesis, 1, "a", nonce)).collect();
    assert_eq!(bench.check(&more), Verdict::Valid);
    bench.decide(&more).unwrap();
    assert_eq!(bench.check(&[signed(genesis, 1, "a", 64)]), Verdict::Valid);
    assert!(is_invalid(&bench.check(&[signed(genesis, 1, "a", 63)])));

    let (mut node, _) = Flooded::open(&[1], super::network::config(), ChainConfig::default());
    for _ in 0..3 {
        node.step(Input::Fired(Timer::Heartbeat));
    }
    let block = |height| -> Block {
        let key = (genesis, TributaryBlock(height));
        node.store.read(|db| crate::DECIDED.get(db, &key)).unwrap().unwrap().block
    };
    let (first, second) = (block(1), block(2));
    assert_eq!(first.header.parent, BlockHash::default());
    assert_eq!(second.header.parent, first.header.hash(genesis));
    assert_eq!(second.former.as_ref().map(|former| former.block), Some(first.header.hash(genesis)));
    assert_eq!((first.header.height.0, second.header.height.0), (1, 2));
}
