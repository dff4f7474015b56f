//! The payloads of tributary transactions as bytes, frozen: a chain that runs holds them, and members of two versions read them.

use processor_messages::{
    Attempt, BaseBlock, BaseBlockHash, BatchId, Bytes, List, Participant, SigningPiece, TransactionId,
    Validator, sign::SigningId,
};

use super::cluster::key_pair;
use crate::session::transaction::{Provided, Round, Signed};

const ID: [u8; 32] = [0xaa; 32];

fn signed() -> [Signed; 7] {
    let attempt = Attempt(2);
    let piece = |byte| SigningPiece::new(vec![byte; 2]).unwrap();
    let pieces = List::new(vec![piece(1), piece(2)]).unwrap();
    let transaction = SigningId::Transaction(TransactionId(ID));
    let participant = Participant::new(5).unwrap();
    [
        Signed::DkgParticipation(Bytes::new(vec![7; 3]).unwrap()),
        Signed::Blame { validator: Validator(ID) },
        Signed::ConfirmationNonces { attempt, commitments: [3; 64], key_pair: key_pair(0) },
        Signed::ConfirmationShare { attempt, share: [4; 32] },
        Signed::SigningData { id: SigningId::Batch(BatchId(9)), attempt, round: Round::Share, pieces },
        Signed::InvalidParticipant { id: transaction, attempt, participant },
        Signed::SlashReport(List::new(vec![0, 1, u32::MAX]).unwrap()),
    ]
}

fn provided() -> [Provided; 8] {
    let (block, id) = (BaseBlock(6), TransactionId(ID));
    [
        Provided::Batch { id: BatchId(9), hash: ID },
        Provided::Cosign { block, hash: BaseBlockHash(ID) },
        Provided::BaseBlock { block, transactions: List::new(vec![id]).unwrap() },
        Provided::KeysSet,
        Provided::BatchExecuted { id: BatchId(9) },
        Provided::HandedOver { block },
        Provided::Cosigned { block },
        Provided::TransactionCompleted { id },
    ]
}

/// 32 times a byte.
fn id() -> String {
    "aa".repeat(32)
}

#[test]
fn signed_payloads_and_their_slots_are_frozen() {
    // SIGN-3: a payload in another slot than this is a fault of its signer.
    let pair = hex::encode(borsh::to_vec(&key_pair(0)).unwrap());
    let frozen = [
        ("0003000000070707".to_owned(), "00".to_owned(), 0),
        (format!("01{}", id()), format!("01{}", id()), 0),
        (format!("0202000000{}{pair}", "03".repeat(64)), "0202000000".to_owned(), 0),
        (format!("0302000000{}", "04".repeat(32)), "0202000000".to_owned(), 1),
        (
            "0401090000000200000001020000000200000001010200000002 02".replace(' ', ""),
            "05010900000002000000".to_owned(),
            1,
        ),
        (format!("0503{}020000000500", id()), format!("0303{}020000000500", id()), 0),
        ("06030000000000000001000000ffffffff".to_owned(), "04".to_owned(), 0),
    ];
    for (payload, (bytes, order, nonce)) in signed().into_iter().zip(frozen) {
        assert_eq!(hex::encode(payload.to_bytes()), bytes, "{payload:?}");
        let slot = payload.slot();
        assert_eq!((hex::encode(&slot.order), slot.nonce), (order, nonce), "{payload:?}");
        let encoded = payload.to_bytes();
        assert_eq!(Signed::from_bytes(&encoded).unwrap(), payload);
        assert!(Signed::from_bytes(&[&encoded[..], &[0]].concat()).is_err(), "{payload:?}");
        assert!(Signed::from_bytes(&encoded[..encoded.len() - 1]).is_err(), "{payload:?}");
    }
}

#[test]
fn provided_payloads_and_their_queues_are_frozen() {
    // SIGN-10.
    let frozen = [
        (format!("0009000000{}", id()), 0),
        (format!("010600000000000000{}", id()), 1),
        (format!("02060000000000000001000000{}", id()), 2),
        ("03".to_owned(), 3),
        ("0409000000".to_owned(), 3),
        ("050600000000000000".to_owned(), 3),
        ("060600000000000000".to_owned(), 4),
        (format!("07{}", id()), 5),
    ];
    for (payload, (bytes, kind)) in provided().into_iter().zip(frozen) {
        assert_eq!(hex::encode(payload.to_bytes()), bytes, "{payload:?}");
        assert_eq!(payload.kind().0, kind, "{payload:?}");
        let encoded = payload.to_bytes();
        assert_eq!(Provided::from_bytes(&encoded).unwrap(), payload);
        assert!(Provided::from_bytes(&[&encoded[..], &[0]].concat()).is_err(), "{payload:?}");
        assert!(Provided::from_bytes(&encoded[..encoded.len() - 1]).is_err(), "{payload:?}");
    }
}
