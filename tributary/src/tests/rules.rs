//! Rules of blocks and transactions, one by one.

use coordinator_keys::Signature;
use coordinator_store::{MemoryStore, Store};
use processor_messages::{Bytes, Genesis, TributaryBlock, encode};
use proptest::prelude::*;

use super::network::{Failed, key, members, validator};
use crate::{
    Application, Arrived, Block, Certificate, Chain, ChainConfig, ChainInput, Conflict, DecidedBlock,
    Evidence, Halt, Header, Kind, Members, Order, Payload, Say, SignedTransaction, Slot, Step, Transaction,
    TransactionHash, Verdict,
    chain::{self, MAX_UNSIGNED},
    merkle_root, signing,
};

pub(super) fn payload(text: &str) -> Payload {
    Bytes::new(text.as_bytes().to_vec()).unwrap()
}

pub(super) fn order(text: &str) -> Order {
    Bytes::new(text.as_bytes().to_vec()).unwrap()
}

pub(super) fn signed(genesis: Genesis, by: u8, of: &str, nonce: u32) -> Transaction {
    Transaction::Signed(SignedTransaction::sign(genesis, &key(by), order(of), nonce, payload("data")))
}

pub(super) fn provided(kind: u8, text: &str) -> Transaction {
    Transaction::Provided { kind: Kind(kind), payload: payload(text) }
}

pub(super) fn vote_evidence(members: &Members, by: u8) -> Evidence {
    let sign = |value| {
        let message = signing::prevote(members.genesis(), 3, 0, value, validator(by));
        (value, key(by).sign(signing::CONSENSUS, &message))
    };
    let conflict = Conflict::Votes(Step::Prevote, sign(None), sign(Some(crate::BlockHash([1; 32]))));
    Evidence { validator: validator(by), height: 3, round: 0, conflict }
}

/// A chain of validator 0 over a store, without consensus.
pub(super) struct Bench {
    pub(super) members: Members,
    pub(super) store: MemoryStore,
    pub(super) chain: Chain,
    height: u64,
}

impl Bench {
    pub(super) fn new() -> Self {
        let chain = Chain::new(key(0), ChainConfig::default());
        Self { members: members(&[1, 1, 1, 1]), store: MemoryStore::default(), chain, height: 0 }
    }

    pub(super) fn block(&self, round: u32, transactions: &[Transaction]) -> Block {
        let state = self.store.read(|db| chain::state_hash(db, self.members.genesis())).unwrap();
        let hashes: Vec<_> = transactions.iter().map(Transaction::hash).collect();
        let body = Bytes::new(encode(&transactions)).unwrap();
        let header = Header {
            height: TributaryBlock(self.height + 1),
            round,
            proposer: self.members.proposer(self.height + 1, round).validator,
            parent: crate::BlockHash::default(),
            former: [0; 32],
            root: merkle_root(&hashes),
            state,
            body: Block::body_hash(&body),
        };
        Block::sign(&self.members, &key(0), header, None, body)
    }

    pub(super) fn verdict(&mut self, block: &Block) -> Verdict {
        let (chain, members) = (&mut self.chain, &self.members);
        self.store.read(|db| chain.check(db, members, block)).unwrap()
    }

    pub(super) fn check(&mut self, transactions: &[Transaction]) -> Verdict {
        let block = self.block(0, transactions);
        self.verdict(&block)
    }

    pub(super) fn decide(&mut self, transactions: &[Transaction]) -> Result<Vec<Say>, Halt> {
        let block = self.block(0, transactions);
        self.height += 1;
        let certificate = Certificate {
            height: TributaryBlock(self.height),
            round: 0,
            block: block.header.hash(self.members.genesis()),
            signatures: <_>::default(),
        };
        let decided = DecidedBlock { block, certificate };
        let (chain, members) = (&mut self.chain, &self.members);
        let result = self.store.write(|txn| chain.decided(txn, members, &decided).map_err(Failed::from));
        match result {
            Ok((says, _)) => Ok(says),
            Err(Failed::Halt(halt)) => Err(halt),
            Err(Failed::Store) => unreachable!(),
        }
    }

    pub(super) fn input(&mut self, input: ChainInput) -> Result<Vec<Say>, Halt> {
        let (chain, members) = (&mut self.chain, &self.members);
        let result = self.store.write(|txn| chain.input(txn, members, input).map_err(Failed::from));
        match result {
            Ok((says, _)) => Ok(says),
            Err(Failed::Halt(halt)) => Err(halt),
            Err(Failed::Store) => unreachable!(),
        }
    }

    pub(super) fn heard(&mut self, from: u8, bytes: &[u8]) {
        let (chain, members) = (&mut self.chain, &self.members);
        let result = self
            .store
            .write(|txn| chain.heard(txn, members, validator(from), bytes).map_err(Failed::from))
            .unwrap();
        drop(result);
    }

    pub(super) fn hear(&mut self, from: u8, transaction: &Transaction) {
        self.heard(from, &encode(&(0u8, transaction)));
    }

    pub(super) fn build(&mut self, round: u32) -> Vec<Transaction> {
        let slot = Slot { height: TributaryBlock(self.height + 1), round, limit: 2 << 20 };
        let (chain, members) = (&mut self.chain, &self.members);
        let built = self.store.read(|db| chain.build(db, members, slot)).unwrap();
        processor_messages::decode(&built.body, 4 << 20).unwrap()
    }

    pub(super) fn slash(&self, by: u8) {
        let genesis = self.members.genesis();
        let slashed = self.store.write(|txn| {
            chain::slash(txn, genesis, validator(by));
            Ok::<_, Failed>(())
        });
        drop(slashed.unwrap());
    }

    pub(super) fn handleable(&self) -> u64 {
        self.store.read(|db| chain::handleable(db, self.members.genesis())).unwrap().0
    }

    pub(super) fn provide(&mut self, kind: u8, text: &str) -> Result<Vec<Say>, Halt> {
        self.input(ChainInput::Provide { kind: Kind(kind), payload: payload(text) })
    }
}

pub(super) fn is_invalid(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Invalid(_))
}

/// `TRIB-14`
#[test]
fn nonces_of_a_signers_order_are_consecutive_from_zero() {
    let mut bench = Bench::new();
    let tx = |of: &str, nonce| signed(Genesis([7; 32]), 1, of, nonce);
    assert_eq!(bench.check(&[tx("a", 0), tx("b", 0), tx("a", 1)]), Verdict::Valid);
    assert!(is_invalid(&bench.check(&[tx("a", 1)])));
    assert!(is_invalid(&bench.check(&[tx("a", 0), tx("a", 0)])));
    assert!(is_invalid(&bench.check(&[tx("a", 0), tx("a", 2)])));
    bench.decide(&[tx("a", 0)]).unwrap();
    assert!(is_invalid(&bench.check(&[tx("a", 0)])));
    assert_eq!(bench.check(&[tx("a", 1)]), Verdict::Valid);
}

/// `TRIB-14`; a non-member's signature, even a valid one, is worth nothing (defects 1 and 2 of older designs).
#[test]
fn signed_transactions_are_by_members_for_this_chain_and_untampered() {
    let mut bench = Bench::new();
    assert!(is_invalid(&bench.check(&[signed(Genesis([7; 32]), 9, "a", 0)])), "not a member");
    assert!(is_invalid(&bench.check(&[signed(Genesis([8; 32]), 1, "a", 0)])), "another chain");
    let Transaction::Signed(good) = signed(Genesis([7; 32]), 1, "a", 0) else { unreachable!() };
    let tampered = [
        SignedTransaction { signer: validator(2), ..good.clone() },
        SignedTransaction { order: order("b"), ..good.clone() },
        SignedTransaction { payload: payload("other"), ..good.clone() },
        SignedTransaction { signature: Signature([1; 64]), ..good.clone() },
    ];
    for transaction in tampered {
        assert!(is_invalid(&bench.check(&[Transaction::Signed(transaction)])));
    }
    bench.decide(&[Transaction::Signed(good.clone())]).unwrap();
    let later = SignedTransaction { nonce: 1, ..good };
    assert!(is_invalid(&bench.check(&[Transaction::Signed(later)])), "the next nonce, not signed for it");
}

/// `TRIB-15`
#[test]
fn an_unsigned_transaction_is_included_once_for_ever() {
    let mut bench = Bench::new();
    let tx = Transaction::Unsigned(payload("x"));
    assert!(is_invalid(&bench.check(&[tx.clone(), tx.clone()])));
    bench.decide(std::slice::from_ref(&tx)).unwrap();
    assert!(is_invalid(&bench.check(std::slice::from_ref(&tx))));
    bench.hear(1, &tx);
    assert_eq!(bench.build(0), []);
}

/// `TRIB-15`: each leaves a row at every member, so a proposer may not take as many as a body has room for.
#[test]
fn a_block_holds_few_unsigned_transactions() {
    let mut bench = Bench::new();
    let all: Vec<_> = (0..=MAX_UNSIGNED).map(|n| Transaction::Unsigned(payload(&n.to_string()))).collect();
    let (_, allowed) = all.split_last().unwrap();
    assert_eq!(bench.check(allowed), Verdict::Valid);
    assert!(is_invalid(&bench.check(&all)));
    for unsigned in &all {
        bench.hear(1, unsigned);
    }
    assert!(bench.build(0).len() <= MAX_UNSIGNED);
}

/// `TRIB-32`: garbage between transactions makes nobody look through them again and again.
#[test]
fn what_a_step_hears_was_prepared_in_its_order() {
    let mut bench = Bench::new();
    let transaction = |nonce| encode(&(0_u8, signed(Genesis([7; 32]), 1, "a", nonce)));
    let heard = [transaction(0), vec![255, 255], vec![255, 255], transaction(1)];
    let arrived: Vec<_> = heard.iter().map(|bytes| Arrived::Gossip(validator(1), bytes)).collect();
    bench.chain.prepare(&bench.members, &arrived);
    for (at, bytes) in heard.iter().enumerate() {
        bench.heard(1, bytes);
        assert_eq!(bench.chain.prepared(), heard.len() - 1 - at);
    }
    assert_eq!(bench.build(0).len(), 2);
}

/// `TRIB-16`
#[test]
fn evidence_is_proven_and_one_per_validator_and_ends_its_transactions() {
    let mut bench = Bench::new();
    let evidence = vote_evidence(&bench.members, 2);
    let tx = Transaction::Evidence(evidence.clone());
    let later = signed(Genesis([7; 32]), 2, "a", 0);
    assert_eq!(bench.check(std::slice::from_ref(&tx)), Verdict::Valid);
    assert!(is_invalid(&bench.check(&[tx.clone(), tx.clone()])));
    assert!(is_invalid(&bench.check(&[tx.clone(), later.clone()])));

    let same = |evidence: &Evidence| match &evidence.conflict {
        Conflict::Votes(step, first, _) => Conflict::Votes(*step, *first, *first),
        Conflict::Proposals(..) => unreachable!(),
    };
    let wrong = [
        Evidence { validator: validator(1), ..evidence.clone() },
        Evidence { validator: validator(9), ..evidence.clone() },
        Evidence { height: 4, ..evidence.clone() },
        Evidence { round: 1, ..evidence.clone() },
        Evidence { conflict: same(&evidence), ..evidence.clone() },
    ];
    for evidence in wrong {
        assert!(is_invalid(&bench.check(&[Transaction::Evidence(evidence)])));
    }

    bench.hear(3, &later);
    assert_eq!(bench.build(0), std::slice::from_ref(&later));
    bench.decide(std::slice::from_ref(&tx)).unwrap();
    assert!(is_invalid(&bench.check(&[tx])));
    assert!(is_invalid(&bench.check(std::slice::from_ref(&later))));
    assert_eq!(bench.build(0), []);
}

/// `TRIB-31`: from the step on in which the rules above slash a validator, nothing of it waits or is proposed; a block
/// of somebody who does not know yet is as valid as before.
#[test]
fn transactions_of_a_slashed_validator_are_skipped_and_blocks_with_them_stay_valid() {
    let mut bench = Bench::new();
    let genesis = bench.members.genesis();
    let (its, brought) = (signed(genesis, 2, "a", 0), Transaction::Unsigned(payload("it brought this")));
    let others = signed(genesis, 1, "a", 0);
    for (by, transaction) in [(2, &its), (2, &brought), (1, &others)] {
        bench.hear(by, transaction);
    }
    assert_eq!(bench.build(0).len(), 3);
    bench.slash(2);
    assert_eq!(bench.build(0), std::slice::from_ref(&others));
    assert_eq!(bench.chain.pending(), 1);
    for (by, transaction) in [(2, &its), (2, &brought), (3, &signed(genesis, 2, "b", 0))] {
        bench.hear(by, transaction);
    }
    assert_eq!(bench.chain.pending(), 1);
    assert_eq!(bench.check(&[brought, its]), Verdict::Valid);
    let evidence = Transaction::Evidence(vote_evidence(&bench.members, 2));
    bench.hear(3, &evidence);
    assert_eq!(bench.build(0), [evidence, others], "evidence against it is ordered all the same");
}

fn slash_of(by: u8) -> Transaction {
    let payload = Bytes::new(validator(by).0.to_vec()).unwrap();
    Transaction::Provided { kind: Kind::SLASHED, payload }
}

/// `TRIB-31`: once it is agreed that validators are slashed, nothing of theirs is valid: not what they signed, in nobody's
/// block, nor what is unsigned in a block of their own. Evidence is.
#[test]
fn an_agreed_slash_makes_blocks_with_transactions_of_the_slashed_invalid() {
    let mut bench = Bench::new();
    let genesis = bench.members.genesis();
    let (its, anothers) = (signed(genesis, 2, "a", 0), signed(genesis, 3, "a", 0));
    let unsigned = Transaction::Unsigned(payload("signed by nobody"));
    let not_a_validator = provided(Kind::SLASHED.0, "short");
    for by in [2, 1] {
        let Transaction::Provided { kind, payload } = slash_of(by) else { unreachable!() };
        bench.input(ChainInput::Provide { kind, payload }).unwrap();
    }
    assert_eq!(bench.check(std::slice::from_ref(&its)), Verdict::Valid);
    assert_eq!(bench.check(&[slash_of(2), anothers.clone()]), Verdict::Valid);
    assert!(is_invalid(&bench.check(&[slash_of(2), its.clone()])), "in that block");
    assert!(is_invalid(&bench.check(&[not_a_validator])));
    // Validator 1 proposes at the first height, 2 at the second, 3 at the third.
    assert_eq!(bench.check(&[slash_of(2), unsigned.clone()]), Verdict::Valid, "the proposer is another");
    assert!(is_invalid(&bench.check(&[slash_of(2), slash_of(1), unsigned.clone()])));

    bench.hear(2, &its);
    bench.decide(&[slash_of(2), slash_of(1)]).unwrap();
    assert_eq!(bench.chain.pending(), 0);
    bench.hear(3, &its);
    assert_eq!(bench.build(0), [], "nothing of it is kept");
    assert!(is_invalid(&bench.check(std::slice::from_ref(&its))), "after it, of itself");
    assert!(is_invalid(&bench.check(std::slice::from_ref(&unsigned))), "and what nobody signed");
    assert!(is_invalid(&bench.check(&[signed(genesis, 1, "a", 0)])), "and of another who is slashed");
    assert_eq!(bench.check(&[Transaction::Evidence(vote_evidence(&bench.members, 2))]), Verdict::Valid);
    assert_eq!(bench.check(std::slice::from_ref(&anothers)), Verdict::Valid);
    bench.decide(&[]).unwrap();
    assert_eq!(bench.check(&[unsigned]), Verdict::Valid, "in the block of one who is not slashed");
}

/// `TRIB-31`: who is slashed itself neither sends nor repeats its transactions, after a restart too.
#[test]
fn a_slashed_validator_sends_nothing_of_its_own() {
    let mut bench = Bench::new();
    let submit = |text: &str| ChainInput::Submit { order: order("o"), payload: payload(text) };
    assert_eq!(bench.input(submit("first")).unwrap().len(), 1);
    bench.slash(0);
    let says = bench.input(submit("second")).unwrap();
    assert!(matches!(&says[..], [Say::Event(event)] if event.contains("slashed")), "{says:?}");
    bench.chain = Chain::new(key(0), ChainConfig::default());
    let (chain, members) = (&mut bench.chain, &bench.members);
    assert_eq!(bench.store.read(|db| chain.resend(db, members)).unwrap(), []);
    assert_eq!(bench.build(0), []);
}

/// Gossip of each of these transactions, as it arrives.
fn gossiped(transactions: &[Transaction]) -> Vec<Vec<u8>> {
    transactions.iter().map(|transaction| encode(&(0u8, transaction))).collect()
}

/// `TRIB-32`: what arrives together is verified together, and each of it gets its own verdict.
#[test]
fn one_forged_transaction_among_many_is_dropped_and_the_others_are_taken() {
    let genesis = Genesis([7; 32]);
    let mut all: Vec<_> = (0..20).map(|n| signed(genesis, 1 + n % 3, &n.to_string(), 0)).collect();
    let Transaction::Signed(forged) = &mut all[13] else { unreachable!() };
    forged.payload = payload("other");
    for prepared in [true, false] {
        let mut bench = Bench::new();
        let gossip = gossiped(&all);
        if prepared {
            let arrived: Vec<_> = gossip.iter().map(|bytes| Arrived::Gossip(validator(1), bytes)).collect();
            bench.chain.prepare(&bench.members, &arrived);
        }
        for bytes in &gossip {
            bench.heard(1, bytes);
        }
        assert_eq!(bench.chain.pending(), 19);
        assert!(!bench.build(0).contains(&all[13]));
    }
}

/// `TRIB-32`: a body may hold more signatures than are remembered.
#[test]
fn a_body_with_more_signatures_than_are_remembered_gets_its_verdict() {
    let mut bench = Bench::new();
    let mut all: Vec<_> =
        (0_u8..150).map(|n| signed(Genesis([7; 32]), 1 + (n % 3), &n.to_string(), 0)).collect();
    assert_eq!(bench.check(&all), Verdict::Valid);
    let Transaction::Signed(forged) = &mut all[0] else { unreachable!() };
    forged.signature.0[40] ^= 1;
    assert!(is_invalid(&bench.check(&all)));
}

/// `TRIB-32`: looking at a body before the step changes no verdict, also of bodies that differ in one signature.
#[test]
fn a_body_looked_at_before_gets_the_verdict_of_its_own_bytes() {
    let genesis = Genesis([7; 32]);
    let mut bench = Bench::new();
    let good: Vec<_> = (0..8).map(|n| signed(genesis, 1 + n % 3, &n.to_string(), 0)).collect();
    let mut bad = good.clone();
    let Transaction::Signed(forged) = &mut bad[5] else { unreachable!() };
    forged.signature.0[40] ^= 1;
    let blocks = [bench.block(0, &good), bench.block(0, &bad)];
    let arrived: Vec<_> = blocks.iter().map(|block| Arrived::Body(block.header.proposer, block)).collect();
    bench.chain.prepare(&bench.members, &arrived);
    let [good, bad] = &blocks;
    assert_eq!(bench.verdict(good), Verdict::Valid);
    assert!(is_invalid(&bench.verdict(bad)));
    let swapped = Block { body: bad.body.clone(), ..good.clone() };
    assert!(is_invalid(&bench.verdict(&swapped)), "the header of one and the body of the other");
    assert_eq!(bench.verdict(good), Verdict::Valid);
}

/// `TRIB-12`
#[test]
fn kinds_of_transactions_appear_in_their_order() {
    let mut bench = Bench::new();
    bench.provide(0, "p").unwrap();
    let evidence = Transaction::Evidence(vote_evidence(&bench.members, 2));
    let all = [
        provided(0, "p"),
        evidence,
        Transaction::Unsigned(payload("u")),
        signed(Genesis([7; 32]), 1, "a", 0),
    ];
    assert_eq!(bench.check(&all), Verdict::Valid);
    for at in 0..3 {
        let mut swapped = all.clone();
        swapped.swap(at, at + 1);
        assert!(is_invalid(&bench.check(&swapped)), "{at}");
    }
}

/// `TRIB-10`
#[test]
fn a_header_that_does_not_fit_the_body_or_the_state_is_invalid() {
    let mut bench = Bench::new();
    let good = bench.block(0, &[signed(Genesis([7; 32]), 1, "a", 0)]);
    assert_eq!(bench.verdict(&good), Verdict::Valid);
    let mut root = good.clone();
    root.header.root = [1; 32];
    assert!(is_invalid(&bench.verdict(&root)));
    let mut state = good.clone();
    state.header.state = [1; 32];
    assert!(is_invalid(&bench.verdict(&state)));
    let mut body = good;
    body.body = Bytes::new(vec![0xff; 40]).unwrap();
    assert!(is_invalid(&bench.verdict(&body)));
}

/// `TRIB-13`
#[test]
fn provided_transactions_wait_for_the_local_ones_of_their_kind_in_order() {
    let mut bench = Bench::new();
    let both = [provided(0, "one"), provided(0, "two")];
    assert!(matches!(bench.check(&both), Verdict::Missing(_)));
    bench.provide(0, "one").unwrap();
    assert!(matches!(bench.check(&both), Verdict::Missing(_)));
    bench.provide(0, "two").unwrap();
    assert_eq!(bench.check(&both), Verdict::Valid);
    assert!(is_invalid(&bench.check(&[provided(0, "two")])));
    assert!(is_invalid(&bench.check(&[provided(99, "one")])));
}

/// `TRIB-13`: a kind is a queue, so what was derived once has one place in it, before and after it is included.
#[test]
fn what_was_provided_is_included_as_often_as_it_was_derived() {
    let mut bench = Bench::new();
    let one = [provided(0, "one")];
    bench.provide(0, "one").unwrap();
    assert!(
        matches!(bench.check(&[one.clone(), one.clone()].concat()), Verdict::Missing(_)),
        "twice in a block"
    );
    bench.decide(&one).unwrap();
    assert!(matches!(bench.check(&one), Verdict::Missing(_)), "included already");

    bench.provide(0, "one").unwrap();
    assert_eq!(bench.check(&one), Verdict::Valid, "derived a second time: the second of its kind");
    bench.decide(&one).unwrap();
    assert!(matches!(bench.check(&one), Verdict::Missing(_)));
}

/// `TRIB-13`, `TRIB-18`: who derives last what the others agreed on does not offer it again, after a restart neither.
#[test]
fn what_is_agreed_before_it_was_derived_here_is_not_offered_again() {
    let mut bench = Bench::new();
    let one = [provided(0, "one")];
    bench.decide(&one).unwrap();
    assert_eq!(bench.provide(0, "one").unwrap(), []);
    assert_eq!(bench.build(0), []);
    bench.chain = Chain::new(key(0), ChainConfig::default());
    let (chain, members) = (&mut bench.chain, &bench.members);
    assert_eq!(bench.store.read(|db| chain.resend(db, members)).unwrap(), []);
    assert!(matches!(bench.check(&one), Verdict::Missing(_)), "included already");
}

/// `TRIB-13`
#[test]
fn a_block_of_a_later_round_holds_nothing_provided() {
    let mut bench = Bench::new();
    bench.provide(0, "one").unwrap();
    let block = bench.block(1, &[provided(0, "one")]);
    assert!(is_invalid(&bench.verdict(&block)));
}

/// `TRIB-13`
#[test]
fn a_provided_transaction_is_proposed_once_more_than_two_thirds_hold_it_in_round_zero_only() {
    let mut bench = Bench::new();
    let says = bench.provide(3, "p").unwrap();
    let Some(Say::Gossip(holding)) = says.first() else { panic!("nothing announced") };
    assert_eq!(bench.build(0), []);
    bench.heard(1, holding);
    bench.heard(9, holding);
    assert_eq!(bench.build(0), []);
    bench.heard(2, holding);
    assert_eq!(bench.build(0), [provided(3, "p")]);
    assert_eq!(bench.build(1), []);
}

/// `TRIB-18`
#[test]
fn handling_waits_for_what_is_agreed_and_not_derived_yet() {
    let mut bench = Bench::new();
    bench.decide(&[]).unwrap();
    assert_eq!(bench.handleable(), 1);
    bench.decide(&[provided(0, "one"), provided(1, "x")]).unwrap();
    bench.decide(&[]).unwrap();
    assert_eq!(bench.handleable(), 1);
    bench.provide(0, "one").unwrap();
    assert_eq!(bench.handleable(), 1);
    // In this bench no node stores which height is decided, so the next block moves it.
    bench.provide(1, "x").unwrap();
    bench.decide(&[]).unwrap();
    assert_eq!(bench.handleable(), 4);
}

/// `TRIB-18`
#[test]
fn a_derived_transaction_that_differs_from_the_agreed_one_halts() {
    let mut bench = Bench::new();
    bench.decide(&[provided(0, "agreed")]).unwrap();
    let halt = bench.provide(0, "other").unwrap_err();
    assert!(halt.reason.contains("differs from what the validators agreed on"), "{halt}");

    let mut bench = Bench::new();
    bench.provide(0, "other").unwrap();
    assert!(is_invalid(&bench.check(&[provided(0, "agreed")])));
    let halt = bench.decide(&[provided(0, "agreed")]).unwrap_err();
    assert!(halt.reason.contains("differs from what the validators agreed on"), "{halt}");
}

/// `TRIB-17`
#[test]
fn the_state_hash_is_a_function_of_the_blocks() {
    let (mut first, mut second) = (Bench::new(), Bench::new());
    let blocks = [vec![signed(Genesis([7; 32]), 1, "a", 0)], vec![Transaction::Unsigned(payload("u"))]];
    let hash = |bench: &Bench| bench.store.read(|db| chain::state_hash(db, Genesis([7; 32]))).unwrap();
    second.provide(0, "local things do not count").unwrap();
    for block in &blocks {
        let before = hash(&first);
        first.decide(block).unwrap();
        second.decide(block).unwrap();
        assert_eq!(hash(&first), hash(&second));
        assert_ne!(hash(&first), before);
    }
}

/// `TRIB-19`; defect 3 of older designs: two transactions with one nonce.
#[test]
fn of_two_transactions_with_one_nonce_the_other_leaves_memory_when_one_is_included() {
    let mut bench = Bench::new();
    let ours = signed(Genesis([7; 32]), 1, "a", 0);
    let other = SignedTransaction::sign(Genesis([7; 32]), &key(1), order("a"), 0, payload("other"));
    bench.hear(1, &ours);
    bench.hear(1, &Transaction::Signed(other.clone()));
    assert_eq!(bench.build(0), [ours]);
    bench.decide(&[Transaction::Signed(other)]).unwrap();
    assert_eq!(bench.build(0), []);
    assert_eq!(bench.chain.pending(), 0);
}

/// `TRIB-19`
#[test]
fn memory_is_bounded_by_signer_and_by_member() {
    let config = ChainConfig { pending_per_signer: 64, ..ChainConfig::default() };
    let mut bench = Bench::new();
    bench.chain = Chain::new(key(0), config);
    for n in 0..100 {
        bench.hear(1, &signed(Genesis([7; 32]), 2, &n.to_string(), 0));
        bench.hear(1, &Transaction::Unsigned(payload(&n.to_string())));
    }
    assert_eq!(bench.chain.pending(), config.pending_per_signer + config.unsigned_per_member);
    bench.hear(1, &signed(Genesis([7; 32]), 3, "far", config.nonces_ahead + 1));
    bench.hear(1, &signed(Genesis([7; 32]), 9, "nobody", 0));
    assert_eq!(bench.chain.pending(), config.pending_per_signer + config.unsigned_per_member);
    let large = Payload::new(vec![0; 600_000]).unwrap();
    for n in 0..10u32 {
        let tx = SignedTransaction::sign(Genesis([7; 32]), &key(3), order(&n.to_string()), 0, large.clone());
        bench.hear(1, &Transaction::Signed(tx));
    }
    let fit = config.pending_bytes_per_signer / 600_100;
    assert_eq!(bench.chain.pending(), config.pending_per_signer + config.unsigned_per_member + fit);
}

/// `TRIB-27`: members who fill memory with what nobody signed, or with large transactions, keep nobody else's out.
#[test]
fn nobody_crowds_the_transactions_of_others_out_of_a_block() {
    let mut bench = Bench::new();
    let genesis = Genesis([7; 32]);
    for (by, n) in [(2u8, 0u8), (2, 1), (3, 2), (3, 3)] {
        let unsigned = Payload::new(vec![n; 500_000]).unwrap();
        bench.hear(by, &Transaction::Unsigned(unsigned));
        let large = Payload::new(vec![n; 900_000]).unwrap();
        let large = SignedTransaction::sign(genesis, &key(by), order(&n.to_string()), 0, large);
        bench.hear(by, &Transaction::Signed(large));
    }
    let honest: Vec<_> = (0..3).map(|nonce| signed(genesis, 1, "a", nonce)).collect();
    for transaction in &honest {
        bench.hear(1, transaction);
    }
    assert_eq!(bench.chain.pending(), 4 + 4 + 3);
    for _ in 0..4 {
        let block = bench.build(0);
        let unsigned = block.iter().filter(|t| matches!(t, Transaction::Unsigned(_))).count();
        assert_eq!(unsigned, 1, "they have a share, and no more");
        assert!(honest.iter().all(|transaction| block.contains(transaction)));
        assert!(!is_invalid(&bench.check(&block)));
        // The chain moves on with nothing of it, so that another signer comes first.
        bench.decide(&[]).unwrap();
    }
}

fn large(by: u8, of: &str, bytes: usize) -> Transaction {
    let payload = Payload::new(vec![by; bytes]).unwrap();
    Transaction::Signed(SignedTransaction::sign(Genesis([7; 32]), &key(by), order(of), 0, payload))
}

/// `TRIB-34`: validator 1 proposes at the first height. Others' transactions fill its block, its own a quarter of it.
#[test]
fn a_proposer_fills_a_quarter_of_its_block_by_itself_and_no_more() {
    let mut bench = Bench::new();
    let name = |n: usize| n.to_string();
    let its: Vec<_> = (0..9).map(|n| large(1, &name(n), 100_000)).collect();
    let others: Vec<_> = (0..9).map(|n| large(2, &name(n), 100_000)).collect();
    assert_eq!(bench.check(&its[..5]), Verdict::Valid);
    assert!(is_invalid(&bench.check(&its[..6])), "its own");
    assert_eq!(bench.check(&others), Verdict::Valid);
    let unsigned = |n| Transaction::Unsigned(Payload::new(vec![n; 200_000]).unwrap());
    assert_eq!(bench.check(&[unsigned(0), unsigned(1)]), Verdict::Valid);
    assert!(is_invalid(&bench.check(&[unsigned(0), unsigned(1), unsigned(2)])), "signed by nobody");
    let both = [unsigned(0), unsigned(1), its[0].clone(), its[1].clone()];
    assert_eq!(bench.check(&both[..3]), Verdict::Valid);
    assert!(is_invalid(&bench.check(&both)), "both together");
    let exact = 2 * 1024 * 1024 / 4;
    let beside = entry_size(&large(1, "a", 0));
    assert_eq!(bench.check(&[large(1, "a", exact - beside)]), Verdict::Valid);
    assert!(is_invalid(&bench.check(&[large(1, "a", exact - beside + 1)])));

    for (by, transaction) in its.iter().map(|t| (1, t)).chain(others.iter().map(|t| (2, t))) {
        bench.hear(by, transaction);
    }
    let built = bench.build(0);
    assert_eq!(bench.check(&built), Verdict::Valid);
    let held = |of: &[Transaction]| of.iter().filter(|transaction| built.contains(transaction)).count();
    assert_eq!((held(&its), held(&others)), (5, 9));
    bench.decide(&built).unwrap();
    let rest = bench.build(0);
    assert!(its[5..].iter().all(|transaction| rest.contains(transaction)), "the next proposer takes them");
}

fn entry_size(transaction: &Transaction) -> usize {
    encode(transaction).len()
}

/// `TRIB-34`, `TRIB-26`: who is a quorum by itself may be the only honest member, and orders all it has.
#[test]
fn who_is_a_quorum_by_itself_fills_its_blocks() {
    let its: Vec<_> = (0..9).map(|n| large(0, &n.to_string(), 100_000)).collect();
    for (weights, alone) in [([3, 1], true), ([2, 1], false)] {
        let mut bench = Bench::new();
        bench.members = members(&weights);
        while bench.members.proposer(bench.height + 1, 0).validator != validator(0) {
            bench.decide(&[]).unwrap();
        }
        assert_eq!(is_invalid(&bench.check(&its)), !alone, "{weights:?}");
        for transaction in &its {
            bench.hear(0, transaction);
        }
        let built = bench.build(0);
        assert_eq!(built.len(), if alone { 9 } else { 5 });
        bench.decide(&built).unwrap();
    }
}

/// Bytes of keys and values of this chain.
fn stored(bench: &Bench) -> usize {
    let rows = bench.store.read(|db| db.scan(b"tributary", b"tributary", usize::MAX)).unwrap();
    rows.iter().map(|(key, value)| key.len() + value.len()).sum()
}

/// `TRIB-34`, `TRIB-25`: what a proposer alone leaves at every member, beside the block itself: not more than a quarter of
/// the body limit again, whatever it fills its block with.
#[test]
fn a_proposer_alone_leaves_few_rows() {
    let quarter = 2 * 1024 * 1024 / 4;
    let smallest = |n: u32| {
        let order = Bytes::new(n.to_le_bytes().to_vec()).unwrap();
        let its = SignedTransaction::sign(Genesis([7; 32]), &key(1), order, 0, Payload::default());
        Transaction::Signed(its)
    };
    let unsigned = |n: u32| Transaction::Unsigned(Bytes::new(n.to_le_bytes().to_vec()).unwrap());
    let most_unsigned = (0..u32::try_from(MAX_UNSIGNED).unwrap()).map(unsigned);
    let mut all: Vec<_> = most_unsigned.collect();
    let taken: usize = all.iter().map(entry_size).sum();
    let room = (quarter - taken) / entry_size(&smallest(0));
    all.extend((0..u32::try_from(room).unwrap()).map(smallest));
    let mut bench = Bench::new();
    assert_eq!(bench.check(&all), Verdict::Valid);
    let before = stored(&bench);
    bench.decide(&all).unwrap();
    let left = stored(&bench) - before;
    assert!((all.len() > 4_000) && (left <= quarter), "{} transactions leave {left} bytes", all.len());
    all.push(smallest(u32::MAX));
    let mut bench = Bench::new();
    assert!(is_invalid(&bench.check(&all)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// `TRIB-34`, `TRIB-31`: whatever waits at a proposer, and whoever it knows to be slashed, its block is valid at a
    /// member that knows of nobody.
    #[test]
    fn what_a_proposer_builds_is_valid_whoever_is_slashed_at_it(
        waiting in proptest::collection::vec((0u8..4, 0u8..6, 1_000usize..300_000, any::<bool>()), 0..24),
        slashed in proptest::collection::btree_set(0u8..4, 0..3), height in 0u32..4,
    ) {
        let (mut builder, mut judge) = (Bench::new(), Bench::new());
        for _ in 0..height {
            builder.decide(&[]).unwrap();
            judge.decide(&[]).unwrap();
        }
        for (n, (by, of, bytes, is_unsigned)) in waiting.into_iter().enumerate() {
            let unsigned = Payload::new(vec![u8::try_from(n).unwrap(); bytes]).unwrap();
            let transaction = if is_unsigned { Transaction::Unsigned(unsigned) } else { large(by, &of.to_string(), bytes) };
            builder.hear(by, &transaction);
        }
        for by in slashed {
            builder.slash(by);
        }
        let built = builder.build(0);
        prop_assert_eq!(judge.check(&built), Verdict::Valid);
        judge.decide(&built).unwrap();
    }
}

/// `TRIB-13`: what does not fit into a block keeps its ordinal; what follows it waits too.
#[test]
fn a_provided_transaction_that_does_not_fit_holds_back_those_after_it() {
    let mut bench = Bench::new();
    let large = |byte| Payload::new(vec![byte; 1_000_000]).unwrap();
    let payloads = [large(1), large(2), large(3), payload("small")];
    for payload in &payloads {
        let provide = ChainInput::Provide { kind: Kind(0), payload: payload.clone() };
        let says = bench.input(provide).unwrap();
        let [Say::Gossip(holding)] = &says[..] else { panic!("{says:?}") };
        (1..4).for_each(|by| bench.heard(by, holding));
    }
    let first = bench.build(0);
    let provided = |n: usize| Transaction::Provided { kind: Kind(0), payload: payloads[n].clone() };
    assert_eq!(first, [provided(0), provided(1)]);
    assert_eq!(bench.check(&first), Verdict::Valid);
    bench.decide(&first).unwrap();
    assert_eq!(bench.build(0), [provided(2), provided(3)]);
}

/// `TRIB-12`, `TRIB-22`: what can never be ordered stops the chain with a reason instead of silently.
#[test]
fn deriving_more_than_a_transaction_may_hold_halts() {
    let mut bench = Bench::new();
    let payload = Payload::new(vec![0; 1024 * 1024]).unwrap();
    let halt = bench.input(ChainInput::Provide { kind: Kind(0), payload }).unwrap_err();
    assert!(halt.reason.contains("can never be ordered"), "{halt}");
}

/// `TRIB-28`: many of one kind that nobody else holds do not silence those of another.
#[test]
fn what_is_held_of_every_kind_is_announced_again() {
    let mut bench = Bench::new();
    for n in 0..70 {
        bench.provide(0, &n.to_string()).unwrap();
    }
    bench.provide(1, "of another kind").unwrap();
    let (chain, members) = (&mut bench.chain, &bench.members);
    let says = bench.store.read(|db| chain.resend(db, members)).unwrap();
    let [Say::Gossip(bytes)] = &says[..] else { panic!("{says:?}") };
    // The kind of gossip, the count, then kind, ordinal and hash of each.
    let mut kinds: Vec<_> = bytes[5..].chunks(37).map(|holding| holding[0]).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [&[0; 16][..], &[1]].concat());
}

/// `TRIB-20`
#[test]
fn an_own_transaction_is_stored_and_its_successor_waits_for_it() {
    let mut bench = Bench::new();
    let submit = |text: &str| ChainInput::Submit { order: order("o"), payload: payload(text) };
    assert_eq!(bench.input(submit("first")).unwrap().len(), 1);
    assert_eq!(bench.input(submit("second")).unwrap().len(), 0);
    let next = bench.store.read(|db| chain::own_next(db, Genesis([7; 32]), validator(0), &order("o")));
    assert_eq!(next.unwrap(), 2);
    let first = bench.build(0);
    assert_eq!(first.len(), 1);

    // A restart: memory is lost, rows are not.
    bench.chain = Chain::new(key(0), ChainConfig::default());
    let (chain, members) = (&mut bench.chain, &bench.members);
    let says = bench.store.read(|db| chain.resend(db, members)).unwrap();
    assert_eq!(says.len(), 1);
    assert_eq!(bench.build(0), first);

    let says = bench.decide(&first).unwrap();
    assert_eq!(says.len(), 1, "the successor is sent now");
    let second = bench.build(0);
    assert!(
        matches!(&second[..], [Transaction::Signed(s)] if (s.nonce == 1) && (s.payload == payload("second")))
    );
    bench.decide(&second).unwrap();
    let waiting = bench.store.read(|db| chain::own_waiting(db, Genesis([7; 32]))).unwrap();
    assert_eq!((waiting, bench.build(0).len()), (0, 0));
}

/// Defect 23 of older designs: rows of two chains in one store do not meet.
#[test]
fn two_chains_in_one_store_do_not_meet() {
    let mut first = Bench::new();
    let other = Members::new(
        Genesis([8; 32]),
        &(0..4).map(|i| (validator(i), processor_messages::KeyShares(1))).collect::<Vec<_>>(),
        first.members.limits(),
    );
    let mut second = Bench { members: other.unwrap(), store: first.store.clone(), ..Bench::new() };
    let submit = ChainInput::Submit { order: order("dkg"), payload: payload("x") };
    first.input(submit.clone()).unwrap();
    first.provide(0, "p").unwrap();
    assert_eq!(second.build(0), []);
    second.input(submit).unwrap();
    let (of_first, of_second) = (first.build(0), second.build(0));
    assert_eq!((of_first.len(), of_second.len()), (1, 1));
    assert_ne!(of_first, of_second);
    first.decide(&of_first).unwrap();
    assert_eq!(second.build(0), of_second);
}

/// `TRIB-21`
#[test]
fn a_merkle_root_binds_every_leaf_its_place_and_their_number() {
    let leaf = |n: u8| TransactionHash([n; 32]);
    let mut roots = std::collections::BTreeSet::new();
    let lists = [
        vec![],
        vec![leaf(0)],
        vec![leaf(1)],
        vec![leaf(1), leaf(0)],
        vec![leaf(0), leaf(1)],
        vec![leaf(0), leaf(1), leaf(2)],
        vec![leaf(0), leaf(1), leaf(2), leaf(2)],
        vec![leaf(0), leaf(1), leaf(2), TransactionHash([0; 32])],
    ];
    for list in &lists {
        assert!(roots.insert(merkle_root(list)));
    }
}

proptest! {
    /// Gossip of a member is anything.
    #[test]
    fn no_gossip_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), tag in 0u8..3) {
        let mut bench = Bench::new();
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = tag;
        }
        bench.heard(1, &bytes);
    }

    /// Bodies of members are anything; defect 5 of older designs: a count which the bytes do not hold.
    #[test]
    fn no_body_panics_or_allocates_what_it_claims(bytes in proptest::collection::vec(any::<u8>(), 0..200), count in any::<u32>()) {
        let mut bench = Bench::new();
        let mut block = bench.block(0, &[]);
        let mut body = count.to_le_bytes().to_vec();
        body.extend(bytes);
        block.body = Bytes::new(body).unwrap();
        prop_assert!(count == 0 || is_invalid(&bench.verdict(&block)));
    }
}
