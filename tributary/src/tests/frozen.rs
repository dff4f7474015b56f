//! Encodings and hashes which running chains depend on; a change here is a new version of the protocol.

use coordinator_keys::Signature;
use processor_messages::{Bytes, Genesis, List, TributaryBlock, encode};

use super::network::{key, validator};
use crate::{
    Block, BlockHash, Certificate, Conflict, DecidedBlock, Evidence, Header, Kind, SignedTransaction, Step,
    Transaction,
    hash::hash,
    merkle_root,
    wire::{Answer, Ask, Entry, Message, Polka, Proposal, RoundVotes, TimeoutStep, Vote},
};

fn digest(bytes: &[u8]) -> String {
    BlockHash(hash("frozen", &[bytes])).to_string()[..16].to_owned()
}

fn vote() -> Vote {
    Vote {
        step: Step::Precommit,
        height: 7,
        round: 2,
        value: Some(BlockHash([3; 32])),
        address: validator(1),
        signature: Signature([4; 64]),
    }
}

fn proposal() -> Proposal {
    Proposal {
        height: 7,
        round: 2,
        value: BlockHash([3; 32]),
        valid_round: Some(1),
        address: validator(1),
        signature: Signature([4; 64]),
    }
}

fn polka() -> Polka {
    let signatures = List::new(vec![(validator(1), Signature([4; 64]))]).unwrap();
    Polka { height: 7, round: 2, value: BlockHash([3; 32]), signatures }
}

fn certificate() -> Certificate {
    let signatures = List::new(vec![(validator(1), Signature([4; 64]))]).unwrap();
    Certificate { height: TributaryBlock(6), round: 1, block: BlockHash([5; 32]), signatures }
}

fn block() -> Block {
    Block {
        header: Header {
            height: TributaryBlock(7),
            round: 2,
            proposer: validator(1),
            parent: BlockHash([5; 32]),
            former: certificate().hash(),
            root: [6; 32],
            state: [7; 32],
            body: Block::body_hash(b"body"),
        },
        signature: Signature([8; 64]),
        former: Some(certificate()),
        body: Bytes::new(b"body".to_vec()).unwrap(),
    }
}

fn transactions() -> Vec<Transaction> {
    let payload = Bytes::new(b"payload".to_vec()).unwrap();
    let order = Bytes::new(b"order".to_vec()).unwrap();
    let signed = SignedTransaction::sign(Genesis([9; 32]), &key(1), order, 3, payload.clone());
    let side = |value| (value, Signature([4; 64]));
    let conflict = Conflict::Votes(Step::Prevote, side(None), side(Some(BlockHash([1; 32]))));
    vec![
        Transaction::Provided { kind: Kind(2), payload: payload.clone() },
        Transaction::Evidence(Evidence { validator: validator(1), height: 7, round: 2, conflict }),
        Transaction::Unsigned(payload),
        Transaction::Signed(signed),
    ]
}

#[test]
fn encodings_and_hashes_are_frozen() {
    let decided = DecidedBlock { block: block(), certificate: certificate() };
    let round = RoundVotes {
        height: 7,
        round: 2,
        precommits: true,
        signatures: List::new(vec![(Step::Prevote, None, validator(1), Signature([4; 64]))]).unwrap(),
    };
    let messages = [
        Message::Vote(vote()),
        Message::Proposal(proposal()),
        Message::Polka(polka()),
        Message::Round(round),
        Message::Block(Box::new(block())),
        Message::Height(9),
        Message::Application(Bytes::new(vec![1, 2]).unwrap()),
    ];
    let said = |byte| Bytes::new(vec![byte]).unwrap();
    let together = Message::Applications(List::new(vec![said(1), said(2)]).unwrap());
    assert_eq!(encode(&together), [7, 2, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 2]);
    let entries = [
        Entry::Vote(vote()),
        Entry::Proposal(proposal()),
        Entry::Polka(polka()),
        Entry::Timeout { step: TimeoutStep::Precommit, round: 2 },
        Entry::Value { round: 2, proposer: validator(1), value: BlockHash([3; 32]), valid: true },
    ];
    let asks = [Ask::Status, Ask::Blocks(3)];
    let answers =
        [Answer::Status(Some(certificate())), Answer::Blocks(List::new(vec![decided.clone()]).unwrap())];
    let hashes: Vec<_> = transactions().iter().map(Transaction::hash).collect();
    let found = [
        digest(&encode(&messages.to_vec())),
        digest(&encode(&entries.to_vec())),
        digest(&encode(&asks.to_vec())),
        digest(&encode(&answers.to_vec())),
        digest(&encode(&decided)),
        digest(&encode(&transactions())),
        digest(&encode(&hashes)),
        digest(&merkle_root(&hashes)),
        digest(&block().header.hash(Genesis([9; 32])).0),
        digest(&super::node::spec().genesis().0),
    ];
    let frozen = [
        "69ce44dd6eeebf84", // messages
        "7161558f7b244a66", // log entries
        "94f9320dd479d010", // questions
        "11b8b2c679824b4d", // answers
        "aa622193540e4b3c", // a decided block
        "25e99f98ba033d7f", // transactions
        "ea03f9b9d329237b", // their hashes
        "fa98c2c863c5bd8e", // their root
        "b527848ee4a4f8b2", // the hash of a header
        "6e497926d980bffc", // the genesis of a spec
    ];
    assert_eq!(found, frozen);
}
