//! Signing with a session's keys: attempts, and the rule that a nonce signs one thing only.
//!
//! ```text
//! start(subject)       -> attempt 0: seeds drawn, sealed, stored -> Preprocesses
//! Reattempt k          -> attempt k, likewise
//! Preprocesses of k    -> ours as stored? one list ever? -> shares, stored with the list -> Shares
//! Shares of k          -> ours as stored? -> signature -> SignedBatch | CosignedBlock | SignedSlashReport | payment
//! foreign data invalid -> InvalidParticipant
//! ```
//!
//! Nonces (`PROC-7`): a seed is drawn for one attempt of one subject, which is stored with it and never replaced; it
//! signs with the first list of preprocesses which holds ours exactly as stored, and that list is stored in the same
//! commit as the shares. Anything else refuses the attempt.
//!
//! Of the blocks to cosign only the latest [`MAX_COSIGNS`] are remembered: a later one supersedes what was not signed,
//! and messages about a forgotten one are ignored (`PROC-19`).

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::signing;
use coordinator_store::Table;
use processor_messages::{
    Attempt, BaseBlock, BaseBlockHash, BaseSignature, Batch, FromProcessor, List, Participant, Session,
    SignedBatch, SigningPiece, SlashReport, TransactionId, ValidatorSet,
    base_chain::ExecutedBatch,
    coordinator, encode,
    sign::{self, OwnPieces, Pieces, SignId, SigningId},
};
use zeroize::Zeroizing;

use super::{Error, Step, key_gen, keys, payments};
use crate::{
    frost::{FrostFailure, Seed, SigningKeys},
    ledger::Payment,
    status::Notice,
};

const SIGNINGS: Table<(Session, Vec<u8>), Signing> = Table::new("signing/subject");
const ATTEMPTS: Table<(Session, Vec<u8>, Attempt), AttemptState> = Table::new("signing/attempt");
/// The name under which seeds are sealed.
const SEALED: &str = "seeds";
/// The most rows which are forgotten at a time.
const MAX_FORGOTTEN: usize = 4_096;
/// The most blocks to cosign of a session which are remembered.
pub const MAX_COSIGNS: usize = 512;

/// What a signing id stands for.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Subject {
    /// A block of the base chain.
    Cosign {
        /// Its number.
        block: BaseBlock,
        /// Its hash.
        hash: BaseBlockHash,
    },
    /// A batch which we made.
    Batch(Batch),
    /// The session's slash report.
    SlashReport(SlashReport),
    /// What the session pays on the network.
    Transaction {
        /// Its id.
        id: TransactionId,
        /// Who gets how much.
        payment: Payment,
    },
}

#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct Signing {
    subject: Subject,
    latest: Option<Attempt>,
}

#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct AttemptState {
    sealed_seeds: Vec<u8>,
    preprocesses: OwnPieces,
    round: Round,
}

#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
enum Round {
    Preprocessed,
    Shared { preprocesses: Pieces, shares: OwnPieces },
    Refused,
}

impl Subject {
    /// Its signing id.
    pub fn id(&self) -> SigningId {
        match self {
            Self::Cosign { block, .. } => SigningId::Cosign(*block),
            Self::Batch(batch) => SigningId::Batch(batch.id),
            Self::SlashReport(_) => SigningId::SlashReport,
            Self::Transaction { id, .. } => SigningId::Transaction(*id),
        }
    }

    fn message(&self, step: &Step<'_>, session: Session) -> Vec<u8> {
        let (chain, set) = (step.me.chain, ValidatorSet { network: step.me.network, session });
        match self {
            Self::Cosign { block, hash } => signing::cosign_message(chain, set, *block, *hash),
            Self::Batch(batch) => signing::batch_message(chain, batch),
            Self::SlashReport(report) => signing::slash_report_message(chain, set, report),
            Self::Transaction { payment, .. } => payment.message(&step.me.ledger()),
        }
    }

    /// Hands over what is signed: a payment to the network, all else to the coordinator.
    fn signed(self, step: &mut Step<'_>, session: Session, signature: Vec<u8>) -> Result<(), Error> {
        use coordinator::FromProcessor as C;
        let base = || BaseSignature::try_from(signature.as_slice()).expect("R and s of Ristretto");
        let message = match self {
            Self::Transaction { id, payment } => return payments::signed(step, id, payment, signature),
            Self::Cosign { block, hash } => C::CosignedBlock { session, block, hash, signature: base() },
            Self::Batch(batch) => C::SignedBatch { session, batch: SignedBatch { batch, signature: base() } },
            Self::SlashReport(report) => C::SignedSlashReport { session, report, signature: base() },
        };
        step.say(&FromProcessor::Coordinator(message))
    }
}

fn key(id: SignId) -> (Session, Vec<u8>) {
    (id.session, encode(&id.id))
}

fn attempt_key(id: SignId) -> (Session, Vec<u8>, Attempt) {
    (id.session, encode(&id.id), id.attempt)
}

/// Begins to sign a subject, with attempt 0. The first subject of a signing id counts.
///
/// # Errors
/// [`Error`].
pub fn start(step: &mut Step<'_>, session: Session, subject: Subject) -> Result<(), Error> {
    let id = SignId { session, id: subject.id(), attempt: Attempt(0) };
    if !expect(step, session, subject)? {
        return Ok(());
    }
    begin(step, id)
}

/// Makes a signing id known without beginning an attempt; false if it was known.
///
/// # Errors
/// [`Error`].
pub fn expect(step: &mut Step<'_>, session: Session, subject: Subject) -> Result<bool, Error> {
    let id = (session, encode(&subject.id()));
    if SIGNINGS.get(step.txn, &id)?.is_some() {
        return Ok(false);
    }
    let cosigns = matches!(subject, Subject::Cosign { .. });
    SIGNINGS.put(step.txn, &id, &Signing { subject, latest: None });
    if cosigns {
        supersede(step, session)?;
    }
    Ok(true)
}

/// Forgets the oldest blocks to cosign beyond [`MAX_COSIGNS`].
fn supersede(step: &mut Step<'_>, session: Session) -> Result<(), Error> {
    let mut blocks = Vec::new();
    for (_, Signing { subject, .. }) in SIGNINGS.scan(step.txn, &session, None, MAX_FORGOTTEN)? {
        if let Subject::Cosign { block, .. } = subject {
            blocks.push(block);
        }
    }
    blocks.sort_unstable();
    let beyond = blocks.len().saturating_sub(MAX_COSIGNS);
    for block in blocks.into_iter().take(beyond) {
        finish(step, session, &SigningId::Cosign(block))?;
    }
    Ok(())
}

/// Messages of the exchange.
///
/// # Errors
/// [`Error`].
pub fn handle(step: &mut Step<'_>, message: sign::ToProcessor) -> Result<(), Error> {
    match message {
        sign::ToProcessor::Reattempt { id } => {
            key_gen::learn_of(step, id.session)?;
            begin(step, id)
        }
        sign::ToProcessor::Preprocesses { id, preprocesses } => on_preprocesses(step, id, preprocesses),
        sign::ToProcessor::Shares { id, shares } => on_shares(step, id, &shares),
    }
}

/// Begins an attempt unless it, or a later one, was begun before.
fn begin(step: &mut Step<'_>, id: SignId) -> Result<(), Error> {
    let Some(mut signing) = SIGNINGS.get(step.txn, &key(id))? else {
        step.notice(Notice::Ignored { id, why: "nothing is known to sign under this id" });
        return Ok(());
    };
    let Some(keys) = keys::signing_keys(step, id.session, &id.id)? else { return Ok(()) };
    if signing.latest.is_some_and(|latest| latest >= id.attempt) {
        return Ok(());
    }
    let seeds: Vec<Seed> = keys.participants().iter().map(|_| draw(step)).collect();
    let pieces = own_pieces(keys.preprocess(&seeds));
    let state = AttemptState {
        sealed_seeds: seal(step, id, &seeds),
        preprocesses: pieces.clone(),
        round: Round::Preprocessed,
    };
    ATTEMPTS.put(step.txn, &attempt_key(id), &state);
    signing.latest = Some(id.attempt);
    SIGNINGS.put(step.txn, &key(id), &signing);
    step.say(&FromProcessor::Sign(sign::FromProcessor::Preprocesses { id, preprocesses: pieces }))
}

fn draw(step: &mut Step<'_>) -> Seed {
    let mut seed = Zeroizing::new([0; 32]);
    if !mutated!(ReuseNonce) {
        step.rng.fill_bytes(seed.as_mut());
    }
    seed
}

fn own_pieces(pieces: Vec<SigningPiece>) -> OwnPieces {
    List::new(pieces).expect("a validator holds at most as many key shares")
}

fn seal(step: &mut Step<'_>, id: SignId, seeds: &[Seed]) -> Vec<u8> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(32 * seeds.len()));
    for seed in seeds {
        bytes.extend_from_slice(seed.as_ref());
    }
    step.me.sealer.seal(step.rng, SEALED, &encode(&id), &bytes)
}

fn unseal(step: &Step<'_>, id: SignId, state: &AttemptState) -> Result<Vec<Seed>, Error> {
    let bytes = step.me.sealer.open(SEALED, &encode(&id), &state.sealed_seeds)?;
    Ok(bytes.as_chunks().0.iter().map(|seed| Zeroizing::new(*seed)).collect())
}

/// Whether our pieces among everybody's are exactly the stored ones.
fn holds_own(keys: &SigningKeys, own: &OwnPieces, pieces: &Pieces) -> bool {
    let participants = keys.participants();
    participants.len() == own.len()
        && participants.iter().zip(own).all(|(index, own)| {
            pieces.iter().any(|(participant, piece)| (participant == index) && (piece == own))
        })
}

struct Live {
    signing: Signing,
    state: AttemptState,
    keys: SigningKeys,
}

/// An attempt which can go on.
fn live(step: &mut Step<'_>, id: SignId) -> Result<Option<Live>, Error> {
    let signing = SIGNINGS.get(step.txn, &key(id))?;
    let state = ATTEMPTS.get(step.txn, &attempt_key(id))?;
    let keys = keys::signing_keys(step, id.session, &id.id)?;
    let live = signing.zip(state).zip(keys).map(|((signing, state), keys)| Live { signing, state, keys });
    if live.is_none() {
        step.notice(Notice::Ignored { id, why: "we hold no preprocess of this attempt" });
    }
    Ok(live)
}

fn refuse(step: &mut Step<'_>, id: SignId, mut state: AttemptState, why: &'static str) {
    state.round = Round::Refused;
    ATTEMPTS.put(step.txn, &attempt_key(id), &state);
    step.notice(Notice::Refused { id, why });
}

fn on_preprocesses(step: &mut Step<'_>, id: SignId, preprocesses: Pieces) -> Result<(), Error> {
    key_gen::learn_of(step, id.session)?;
    let Some(Live { signing, mut state, keys }) = live(step, id)? else { return Ok(()) };
    if state.round != Round::Preprocessed {
        step.notice(Notice::Ignored { id, why: "this attempt has its signing set" });
        return Ok(());
    }
    if !holds_own(&keys, &state.preprocesses, &preprocesses) {
        refuse(step, id, state, "our own preprocesses on the tributary are not those which we hold");
        return Ok(());
    }
    let message = signing.subject.message(step, id.session);
    let seeds = unseal(step, id, &state)?;
    match keys.share(&seeds, &preprocesses, &message) {
        Ok(shares) => {
            let shares = own_pieces(shares);
            state.round = Round::Shared { preprocesses, shares: shares.clone() };
            ATTEMPTS.put(step.txn, &attempt_key(id), &state);
            step.say(&FromProcessor::Sign(sign::FromProcessor::Shares { id, shares }))
        }
        Err(FrostFailure::Invalid(participant)) => {
            blame(step, id, participant)?;
            refuse(step, id, state, "a participant's preprocess is invalid");
            Ok(())
        }
        Err(FrostFailure::Unusable(why)) => {
            refuse(step, id, state, why);
            Ok(())
        }
    }
}

fn on_shares(step: &mut Step<'_>, id: SignId, shares: &Pieces) -> Result<(), Error> {
    let Some(Live { signing, state, keys }) = live(step, id)? else { return Ok(()) };
    let Round::Shared { preprocesses, shares: own } = &state.round else {
        step.notice(Notice::Ignored { id, why: "we made no shares in this attempt" });
        return Ok(());
    };
    if !holds_own(&keys, own, shares) {
        refuse(step, id, state, "our own shares on the tributary are not those which we hold");
        return Ok(());
    }
    let message = signing.subject.message(step, id.session);
    let seeds = unseal(step, id, &state)?;
    match keys.complete(&seeds, preprocesses, shares, &message) {
        Ok(signature) => {
            step.notice(Notice::Signed { id });
            signing.subject.clone().signed(step, id.session, signature)?;
            finish(step, id.session, &id.id)
        }
        Err(FrostFailure::Invalid(participant)) => {
            blame(step, id, participant)?;
            refuse(step, id, state, "a participant's share is invalid");
            Ok(())
        }
        Err(FrostFailure::Unusable(why)) => {
            refuse(step, id, state, why);
            Ok(())
        }
    }
}

fn blame(step: &mut Step<'_>, id: SignId, participant: Participant) -> Result<(), Error> {
    step.notice(Notice::InvalidParticipant { id, participant });
    step.say(&FromProcessor::Sign(sign::FromProcessor::InvalidParticipant { id, participant }))
}

/// Nothing is left to sign under this id: its nonces are destroyed.
pub(super) fn finish(step: &mut Step<'_>, session: Session, id: &SigningId) -> Result<(), Error> {
    let id = encode(id);
    while ATTEMPTS.clear(step.txn, &(session, id.clone()), MAX_FORGOTTEN)? > 0 {}
    SIGNINGS.delete(step.txn, &(session, id));
    Ok(())
}

/// The base chain executed a batch, so nobody needs to sign it again.
///
/// # Errors
/// [`Error`].
pub fn executed(step: &mut Step<'_>, batch: &ExecutedBatch) -> Result<(), Error> {
    finish(step, batch.publisher, &SigningId::Batch(batch.id))
}

/// The session is retired: nothing more is signed for it.
///
/// # Errors
/// [`Error`].
pub fn retire(step: &mut Step<'_>, session: Session) -> Result<(), Error> {
    while ATTEMPTS.clear(step.txn, &session, MAX_FORGOTTEN)? > 0 {}
    while SIGNINGS.clear(step.txn, &session, MAX_FORGOTTEN)? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests;
