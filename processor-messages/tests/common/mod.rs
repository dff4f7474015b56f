//! One message of every variant, with values that differ in every field.

#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use processor_messages::{
    Account, Amount, Attempt, BaseBlock, BaseBlockHash, Batch, BatchId, Burn, Bytes, ChainGenesis,
    EmbeddedKeys, FromProcessor, Incarnation, Instruction, KeyPair, KeyShares, List, Network,
    NetworkBlockHash, Participant, Session, SignedBatch, Slash, ToProcessor, TransactionId, TributaryBlock,
    Validator, base_chain, coordinator,
    key_gen::{self, FailureReason, Member},
    sign::{self, SignId, SigningId},
};

pub(crate) fn bytes<const MAX: usize>(value: &[u8]) -> Bytes<MAX> {
    Bytes::new(value.to_vec()).unwrap()
}

pub(crate) fn list<T: Clone, const MAX: usize>(values: &[T]) -> List<T, MAX> {
    List::new(values.to_vec()).unwrap()
}

fn participant(index: u16) -> Participant {
    Participant::new(index).unwrap()
}

fn id(id: SigningId) -> SignId {
    SignId { session: Session(3), id, attempt: Attempt(2) }
}

fn batch() -> Batch {
    Batch {
        network: Network::new("bitcoin").unwrap(),
        id: BatchId(9),
        block: NetworkBlockHash([4; 32]),
        instructions: list(&[Instruction::Mint { to: Account([5; 32]), amount: Amount(600) }]),
    }
}

fn key_gen_to_processor() -> Vec<(&'static str, ToProcessor)> {
    let member = Member {
        validator: Validator([1; 32]),
        shares: KeyShares(2),
        embedded: EmbeddedKeys { base: bytes(&[2; 32]), network: bytes(&[3; 33]) },
    };
    vec![
        (
            "to_key_gen_generate_key",
            ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey {
                session: Session(3),
                incarnation: Incarnation(7),
                chain: ChainGenesis([6; 32]),
                threshold: KeyShares(2),
                grace: 10,
                members: list(&[member]),
            }),
        ),
        (
            "to_key_gen_block",
            ToProcessor::KeyGen(key_gen::ToProcessor::Block {
                session: Session(3),
                incarnation: Incarnation(7),
                block: TributaryBlock(11),
                participations: list(&[(Validator([1; 32]), bytes(b"participation"))]),
            }),
        ),
    ]
}

/// One message to a processor of each variant, named like its fixture.
pub(crate) fn to_processor() -> Vec<(&'static str, ToProcessor)> {
    let mut all = key_gen_to_processor();
    let pieces = list(&[(participant(1), bytes(b"one")), (participant(4), bytes(b"four"))]);
    all.extend([
        (
            "to_sign_preprocesses",
            ToProcessor::Sign(sign::ToProcessor::Preprocesses {
                id: id(SigningId::Cosign(BaseBlock(12))),
                preprocesses: pieces.clone(),
            }),
        ),
        (
            "to_sign_shares",
            ToProcessor::Sign(sign::ToProcessor::Shares {
                id: id(SigningId::Batch(BatchId(9))),
                shares: pieces,
            }),
        ),
        (
            "to_sign_reattempt",
            ToProcessor::Sign(sign::ToProcessor::Reattempt { id: id(SigningId::SlashReport) }),
        ),
        (
            "to_coordinator_cosign_block",
            ToProcessor::Coordinator(coordinator::ToProcessor::CosignBlock {
                session: Session(3),
                block: BaseBlock(12),
                hash: BaseBlockHash([8; 32]),
            }),
        ),
        (
            "to_coordinator_sign_slash_report",
            ToProcessor::Coordinator(coordinator::ToProcessor::SignSlashReport {
                session: Session(3),
                report: list(&[(Validator([1; 32]), Slash::Points(5)), (Validator([2; 32]), Slash::Fatal)]),
            }),
        ),
    ]);
    all.extend(base_chain_to_processor());
    all
}

fn base_chain_to_processor() -> Vec<(&'static str, ToProcessor)> {
    vec![
        (
            "to_base_chain_set_keys",
            ToProcessor::BaseChain(base_chain::ToProcessor::SetKeys {
                time_unix_secs: 1_700_000_000,
                session: Session(3),
                key_pair: KeyPair { base: [9; 32], network: bytes(&[10; 33]) },
            }),
        ),
        (
            "to_base_chain_slashes_reported",
            ToProcessor::BaseChain(base_chain::ToProcessor::SlashesReported { session: Session(3) }),
        ),
        (
            "to_base_chain_block",
            ToProcessor::BaseChain(base_chain::ToProcessor::Block {
                number: BaseBlock(12),
                batches: list(&[base_chain::ExecutedBatch {
                    id: BatchId(9),
                    publisher: Session(3),
                    block: NetworkBlockHash([4; 32]),
                    instructions_hash: [11; 32],
                    results: list(&[true, false]),
                }]),
                burns: list(&[Burn {
                    from: Account([5; 32]),
                    amount: Amount(600),
                    destination: bytes(b"address"),
                }]),
            }),
        ),
        (
            "to_base_chain_from_the_beginning",
            ToProcessor::BaseChain(base_chain::ToProcessor::FromTheBeginning {
                incarnation: Incarnation(7),
                through: BaseBlock(12),
            }),
        ),
    ]
}

fn key_gen_from_processor() -> Vec<(&'static str, FromProcessor)> {
    vec![
        (
            "from_key_gen_participation",
            FromProcessor::KeyGen(key_gen::FromProcessor::Participation {
                session: Session(3),
                participation: bytes(b"participation"),
            }),
        ),
        (
            "from_key_gen_generated_key_pair",
            FromProcessor::KeyGen(key_gen::FromProcessor::GeneratedKeyPair {
                session: Session(3),
                key_pair: KeyPair { base: [9; 32], network: bytes(&[10; 33]) },
            }),
        ),
        (
            "from_key_gen_blame",
            FromProcessor::KeyGen(key_gen::FromProcessor::Blame {
                session: Session(3),
                validator: Validator([1; 32]),
            }),
        ),
        (
            "from_key_gen_failed",
            FromProcessor::KeyGen(key_gen::FromProcessor::Failed {
                session: Session(3),
                reason: FailureReason::ShareMismatch,
                culprits: list(&[Validator([1; 32])]),
            }),
        ),
        (
            "from_key_gen_resend",
            FromProcessor::KeyGen(key_gen::FromProcessor::Resend {
                session: Session(3),
                incarnation: Incarnation(7),
            }),
        ),
    ]
}

fn signatures_from_processor() -> Vec<(&'static str, FromProcessor)> {
    vec![
        (
            "from_coordinator_cosigned_block",
            FromProcessor::Coordinator(coordinator::FromProcessor::CosignedBlock {
                session: Session(3),
                block: BaseBlock(12),
                hash: BaseBlockHash([8; 32]),
                signature: [13; 64],
            }),
        ),
        (
            "from_coordinator_signed_batch",
            FromProcessor::Coordinator(coordinator::FromProcessor::SignedBatch {
                session: Session(3),
                batch: SignedBatch { batch: batch(), signature: [13; 64] },
            }),
        ),
        (
            "from_coordinator_signed_slash_report",
            FromProcessor::Coordinator(coordinator::FromProcessor::SignedSlashReport {
                session: Session(3),
                report: list(&[(Validator([2; 32]), Slash::Fatal)]),
                signature: [13; 64],
            }),
        ),
    ]
}

/// One message from a processor of each variant, named like its fixture.
pub(crate) fn from_processor() -> Vec<(&'static str, FromProcessor)> {
    let mut all = key_gen_from_processor();
    let pieces = list(&[bytes(b"one"), bytes(b"two")]);
    all.extend([
        (
            "from_sign_preprocesses",
            FromProcessor::Sign(sign::FromProcessor::Preprocesses {
                id: id(SigningId::Transaction(TransactionId([12; 32]))),
                preprocesses: pieces.clone(),
            }),
        ),
        (
            "from_sign_shares",
            FromProcessor::Sign(sign::FromProcessor::Shares {
                id: id(SigningId::Batch(BatchId(9))),
                shares: pieces,
            }),
        ),
        (
            "from_sign_invalid_participant",
            FromProcessor::Sign(sign::FromProcessor::InvalidParticipant {
                id: id(SigningId::Batch(BatchId(9))),
                participant: participant(4),
            }),
        ),
    ]);
    all.extend(signatures_from_processor());
    all.extend([
        (
            "from_base_chain_block_acknowledged",
            FromProcessor::BaseChain(base_chain::FromProcessor::BlockAcknowledged {
                block: BaseBlock(12),
                transactions: list(&[(Session(3), TransactionId([12; 32]))]),
            }),
        ),
        (
            "from_base_chain_batch",
            FromProcessor::BaseChain(base_chain::FromProcessor::Batch {
                session: Session(3),
                batch: batch(),
            }),
        ),
        (
            "from_base_chain_transaction_completed",
            FromProcessor::BaseChain(base_chain::FromProcessor::TransactionCompleted {
                session: Session(3),
                id: TransactionId([12; 32]),
            }),
        ),
    ]);
    all
}
