//! What honest nodes send: one vote, one proposal, one payload for each place.

use std::collections::BTreeMap;

use coordinator_core::session::transaction::Signed;
use processor_messages::{BatchId, Genesis, Validator, encode, sign::SigningId};
use tributary::{
    Members, Step, Transaction,
    wiretap::{self, Heard},
};

use super::{Hash, hash};

/// Heights whose votes are remembered.
const HEIGHTS: u64 = 16;

/// Which message of a validator: a vote's step, or a proposal.
type Place = (Genesis, u64, u32, u8, Validator);

/// What was sent.
#[derive(Default)]
pub(super) struct Wire {
    votes: BTreeMap<Place, Hash>,
    payloads: BTreeMap<(Genesis, Validator, Vec<u8>, u32), Hash>,
    stale: BTreeMap<Validator, Vec<BatchId>>,
}

/// Signing data for a batch is stale once so many later ones are executed: more than are ever under way.
const STALE: u32 = 32;

impl Wire {
    /// An honest node says this: not something else than before in the same place.
    pub(super) fn says(
        &mut self,
        by: Validator,
        members: &Members,
        executed: u32,
        bytes: &[u8],
    ) -> Result<(), String> {
        let genesis = members.genesis();
        let Some(heard) = wiretap::hear(bytes, members.limits()) else {
            return Err("what is no message".to_owned());
        };
        heard.into_iter().try_for_each(|heard| self.says_one(by, genesis, executed, heard))
    }

    pub(super) fn stale(&self, by: Validator) -> &[BatchId] {
        self.stale.get(&by).map(Vec::as_slice).unwrap_or_default()
    }

    fn says_one(
        &mut self,
        by: Validator,
        genesis: Genesis,
        executed: u32,
        heard: Heard,
    ) -> Result<(), String> {
        match heard {
            Heard::Vote { step, height, round, value, by: author } if author == by => {
                let kind = u8::from(step == Step::Precommit);
                self.once((genesis, height, round, kind, by), &encode(&value))
            }
            Heard::Proposal { height, round, value, valid_round, by: author } if author == by => {
                self.once((genesis, height, round, 2, by), &encode(&(value, valid_round)))
            }
            Heard::Transaction(transaction) => match *transaction {
                Transaction::Signed(signed) if signed.signer == by => {
                    let place = (genesis, by, signed.order.to_vec(), signed.nonce);
                    let hash = hash(&signed.payload);
                    let known = self.payloads.insert(place, hash);
                    // What was said before is said again until it is ordered.
                    if known.is_none() {
                        let stale = stale_batch(&signed.payload, executed);
                        self.stale.entry(by).or_default().extend(stale);
                    }
                    match known.filter(|known| *known != hash) {
                        Some(_) => Err(format!("two payloads for one slot, nonce {}", signed.nonce)),
                        None => Ok(()),
                    }
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn once(&mut self, place: Place, content: &[u8]) -> Result<(), String> {
        let hash = hash(content);
        match self.votes.insert(place, hash).filter(|known| *known != hash) {
            Some(_) => {
                let (_, height, round, kind, _) = place;
                let what = ["two prevotes", "two precommits", "two proposals"];
                let what = what.get(usize::from(kind)).copied().unwrap_or_default();
                Err(format!("{what} at height {height}, round {round}"))
            }
            None => Ok(()),
        }
    }

    /// A height is decided: votes far below it are no longer sent.
    pub(super) fn forget_below(&mut self, genesis: Genesis, height: u64) {
        let Some(height) = height.checked_sub(HEIGHTS) else { return };
        let least = (genesis, 0, 0, 0, Validator([0; 32]));
        let most = (genesis, height, 0, 0, Validator([0; 32]));
        let old: Vec<Place> = self.votes.range(least..most).map(|(place, _)| *place).collect();
        for place in old {
            self.votes.remove(&place);
        }
    }
}

fn stale_batch(payload: &[u8], executed: u32) -> Option<BatchId> {
    match Signed::from_bytes(payload) {
        Ok(Signed::SigningData { id: SigningId::Batch(id), .. }) => {
            (id.0.saturating_add(STALE) < executed).then_some(id)
        }
        _ => None,
    }
}
