//! Cosigns which arrive, of our processor and of peers (`COSIGN-4`).

use coordinator_base_chain::signing;
use coordinator_store::{Read, StoreError};
use processor_messages::{BaseBlock, BaseBlockHash, BaseSignature, ChainGenesis, ValidatorSet};

use super::{Cosign, closing, conflict, exchange, facts};
use crate::{Error, Notice, Step, notice::Event};

/// What a cosign is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Valid, and beyond what we had of its network.
    New,
    /// We have as much of its network, or the same evidence against it.
    Stale,
    /// Of a block of which we know nothing: not final here, or too old.
    Unknown,
    /// Valid, and of another block than ours of that number.
    Conflict,
    /// Not the signature of who cosigns that block: whoever sent it is to blame.
    Invalid,
}

/// What a cosign is, without any effect. A signature is verified only where it may matter.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn judge(db: &(impl Read + ?Sized), chain: ChainGenesis, cosign: &Cosign) -> Result<Verdict, StoreError> {
    let Some(fact) = facts::fact(db, cosign.block)? else { return Ok(Verdict::Unknown) };
    let cosigners = facts::cosigners(db, fact.era)?;
    let Some(cosigner) = cosigners.iter().find(|cosigner| cosigner.set == cosign.set) else {
        return Ok(Verdict::Invalid);
    };
    let same = fact.hash == cosign.hash;
    let network = cosign.set.network;
    let stale = if same {
        exchange::cosign_of(db, fact.era, network)?.is_some_and(|latest| latest.block >= cosign.block)
    } else {
        !conflict::is_news(db, fact.era, cosign)?
    };
    if stale {
        return Ok(Verdict::Stale);
    }
    let message = signing::cosign_message(chain, cosign.set, cosign.block, cosign.hash);
    if !mutated!(UnsignedCosign) && !signing::verify(&cosigner.key, &message, &cosign.signature) {
        return Ok(Verdict::Invalid);
    }
    Ok(if same { Verdict::New } else { Verdict::Conflict })
}

/// Takes a cosign: keeps it, or the evidence which it is.
///
/// # Errors
/// [`Error`]; nothing of the step may be kept then.
pub fn take(step: &mut Step<'_>, cosign: &Cosign) -> Result<Verdict, Error> {
    let verdict = judge(step.txn, step.me.chain, cosign)?;
    match (verdict, facts::fact(step.txn, cosign.block)?) {
        (Verdict::New, Some(fact)) => {
            exchange::keep(step.txn, fact.era, cosign)?;
            step.notice(Notice::of_set(cosign.set, Event::Cosigned { block: cosign.block }));
            closing::settle(step, cosign.set)?;
        }
        (Verdict::Conflict, Some(fact)) => conflict::record(step, fact, cosign)?,
        _ => {}
    }
    Ok(verdict)
}

/// Our processor holds a cosign; whether it is one.
pub(crate) fn signed(
    step: &mut Step<'_>,
    set: ValidatorSet,
    (block, hash, signature): (BaseBlock, BaseBlockHash, BaseSignature),
) -> Result<(), Error> {
    let cosign = Cosign { set, block, hash, signature };
    match take(step, &cosign)? {
        Verdict::New => exchange::keep_own(step.txn, &cosign),
        // A peer was faster, or the evidence is recorded.
        Verdict::Stale | Verdict::Conflict => {}
        Verdict::Unknown | Verdict::Invalid => {
            let what = "a cosign whose signature does not verify";
            step.notice(Notice::of_set(set, Event::MessageDropped { what }));
        }
    }
    Ok(())
}
