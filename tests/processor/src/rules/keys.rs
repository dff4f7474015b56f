//! Our keys of a session: sealed in the store, compared with those on the base chain, destroyed when it is retired.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_store::{Read, StoreError, Table};
use processor_messages::{KeyPair, Session, sign::SigningId};

use super::{Error, Identity, Step};
use crate::{dkg::Keys, frost::SigningKeys};

const KEYS: Table<Session, StoredKeys> = Table::new("key_gen/keys");
const CONFIRMED: Table<Session, KeyPair> = Table::new("key_gen/confirmed");
/// The name under which keys are sealed.
const SEALED: &str = "keys";
/// The most sessions whose keys stay open: the former set's, the present one's and the next one's, and some more.
const MAX_OPENED: usize = 8;

/// Keys which were opened, each with the sealed bytes that it was opened from: reading a key share checks a point for
/// each share of the set, which would else be done for every message of the exchange (`PROC-21`).
#[derive(Default)]
pub struct Opened(Mutex<BTreeMap<Session, (Vec<u8>, Keys)>>);

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

impl Opened {
    /// The keys of these sealed bytes, opened by `open` unless they were before.
    fn get(
        &self,
        session: Session,
        sealed: &[u8],
        open: impl FnOnce() -> Result<Keys, Error>,
    ) -> Result<Keys, Error> {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, keys)) = opened.get(&session)
            && of == sealed
        {
            return Ok(keys.clone());
        }
        let keys = open()?;
        opened.insert(session, (sealed.to_vec(), keys.clone()));
        while opened.len() > MAX_OPENED {
            opened.pop_first();
        }
        Ok(keys)
    }

    fn forget(&self, session: Session) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&session);
    }

    /// The sessions whose keys are open.
    #[cfg(test)]
    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }
}

#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct StoredKeys {
    pair: KeyPair,
    sealed: Vec<u8>,
}

/// Keeps our keys, which were checked share by share.
///
/// # Errors
/// [`Error`].
pub(super) fn store(step: &mut Step<'_>, session: Session, keys: &Keys, pair: &KeyPair) -> Result<(), Error> {
    let sealed = step.me.sealer.seal(step.rng, SEALED, &session.0.to_le_bytes(), &keys.serialize());
    KEYS.put(step.txn, &session, &StoredKeys { pair: pair.clone(), sealed });
    compare(step, session)
}

/// These keys of a session are on the base chain.
///
/// # Errors
/// [`Error`].
pub(super) fn confirm(step: &mut Step<'_>, session: Session, pair: &KeyPair) -> Result<(), Error> {
    CONFIRMED.put(step.txn, &session, pair);
    compare(step, session)
}

/// Whether a session has keys on the base chain.
///
/// # Errors
/// [`StoreError`].
pub(super) fn is_confirmed(db: &(impl Read + ?Sized), session: Session) -> Result<bool, StoreError> {
    Ok(CONFIRMED.get(db, &session)?.is_some())
}

/// Destroys our shares.
pub(super) fn destroy(step: &mut Step<'_>, session: Session) {
    step.me.opened.forget(session);
    KEYS.delete(step.txn, &session);
    CONFIRMED.delete(step.txn, &session);
}

/// Keys on the base chain which are not ours stop us from signing for the session.
fn compare(step: &mut Step<'_>, session: Session) -> Result<(), Error> {
    let (Some(confirmed), Some(keys)) = (CONFIRMED.get(step.txn, &session)?, KEYS.get(step.txn, &session)?)
    else {
        return Ok(());
    };
    if confirmed != keys.pair {
        step.halt(session, "the keys on the base chain are not those which we generated")?;
    }
    Ok(())
}

/// Our keys of a session with which something is signed: what goes to the network with the network's key, all else
/// with the base key. `None` if we have none or the session is halted.
///
/// # Errors
/// [`Error`].
pub fn signing_keys(step: &Step<'_>, session: Session, id: &SigningId) -> Result<Option<SigningKeys>, Error> {
    if step.is_halted(session)? {
        return Ok(None);
    }
    let Some(keys) = load_keys(step.txn, step.me, session)? else { return Ok(None) };
    let keys = match id {
        SigningId::Transaction(_) => keys.network.into(),
        SigningId::Cosign(_) | SigningId::Batch(_) | SigningId::SlashReport => {
            SigningKeys::Ristretto(keys.base)
        }
    };
    Ok(Some(keys).filter(|keys| !keys.is_empty()))
}

/// Our keys of a session.
///
/// # Errors
/// [`Error`].
pub fn load_keys(db: &(impl Read + ?Sized), me: &Identity, session: Session) -> Result<Option<Keys>, Error> {
    let Some(stored) = KEYS.get(db, &session)? else { return Ok(None) };
    let open = || {
        let bytes = me.sealer.open(SEALED, &session.0.to_le_bytes(), &stored.sealed)?;
        Ok(Keys::deserialize(me.curve, &bytes)?)
    };
    me.opened.get(session, &stored.sealed, open).map(Some)
}

/// The key pair which we generated, and whether the base chain has it.
///
/// # Errors
/// [`StoreError`].
pub fn key_pair(db: &(impl Read + ?Sized), session: Session) -> Result<Option<(KeyPair, bool)>, StoreError> {
    let Some(keys) = KEYS.get(db, &session)? else { return Ok(None) };
    let confirmed = CONFIRMED.get(db, &session)?.is_some_and(|pair| pair == keys.pair);
    Ok(Some((keys.pair, confirmed)))
}

#[cfg(test)]
mod tests;
