//! The exchange of cosigns between coordinators, as the service's tasks `cosign/{request, gossip, intake, ask}` do it,
//! over the simulated network: messages are lost, late, doubled and forged as all others.

use coordinator_base_chain::Block;
use coordinator_core::cosign::{self, Cosigns, MAX_MESSAGE_BYTES, Observed, Verdict};
use coordinator_store::{Store, StoreError};
use processor_messages::{BaseBlock, Genesis, Network, decode, encode};

use crate::{
    coordinator::{CoordinatorNode, Did},
    time::{SECOND, Time},
};

/// How often what everybody may have heard is told again.
const AGAIN: Time = 60 * SECOND;
/// Between questions.
const PAUSE: Time = 5 * SECOND;

/// What a coordinator keeps of the exchange while it runs.
#[derive(Default)]
pub struct Exchange {
    told: Option<(Vec<(Network, BaseBlock)>, Time)>,
    asked: Option<Time>,
    turn: usize,
}

/// What a coordinator has to say.
pub struct Said {
    /// To everybody.
    pub told: Option<Vec<u8>>,
    /// A question, to the other of this number, counted round.
    pub asked: Option<(usize, Vec<u8>)>,
}

impl CoordinatorNode {
    /// Where cosigns are exchanged.
    pub fn cosign_topic(&self) -> Genesis {
        cosign::topic(self.identity.chain)
    }

    pub(crate) fn observe(&mut self, block: Option<Block>) -> Result<Did, StoreError> {
        let Some(block) = block else { return Ok(Did::Later) };
        let observed = self.step(|step| cosign::observe(step, &block))?;
        Ok(if observed == Some(Observed::Done) { Did::Step(Vec::new()) } else { Did::Later })
    }

    /// What is due to be said now.
    ///
    /// # Errors
    /// [`StoreError`] if the store stopped.
    pub fn cosigns_to_say(&mut self, now: Time) -> Result<Said, StoreError> {
        let (own, latest, wanted) = self
            .disk
            .store
            .read(|db| Ok::<_, StoreError>((cosign::own(db)?, cosign::latest(db)?, cosign::wanted(db)?)))?;
        let exchange = &mut self.exchange;
        let news = exchange.told.as_ref().is_none_or(|(told, at)| (*told != own) || (now >= at + AGAIN));
        if news {
            exchange.told = Some((own, now));
        }
        let due = exchange.asked.is_none_or(|asked| now >= asked + PAUSE);
        let asked = wanted.filter(|_| due).map(|from| {
            exchange.asked = Some(now);
            exchange.turn += 1;
            (exchange.turn, encode(&from))
        });
        Ok(Said { told: (news && !latest.is_empty()).then(|| encode(&latest)), asked })
    }

    /// Takes what a peer sent; true if a step was made.
    ///
    /// # Errors
    /// [`StoreError`] if the store stopped.
    pub fn hear_cosigns(&mut self, bytes: &[u8]) -> Result<bool, StoreError> {
        let Ok(cosigns) = decode::<Cosigns>(bytes, MAX_MESSAGE_BYTES) else { return Ok(false) };
        let chain = self.identity.chain;
        let mut stepped = false;
        for cosign in cosigns {
            match self.disk.store.read(|db| cosign::judge(db, chain, &cosign))? {
                Verdict::New | Verdict::Conflict => {
                    stepped |= self.step(|step| cosign::take(step, &cosign))?.is_some();
                }
                Verdict::Stale | Verdict::Unknown => {}
                Verdict::Invalid => break,
            }
        }
        Ok(stepped)
    }

    /// Answers a question; `None` if it is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store stopped.
    pub fn answer_cosigns(&self, question: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(from) = cosign::question(question) else { return Ok(None) };
        Ok(Some(encode(&self.disk.store.read(|db| cosign::since(db, from))?)))
    }
}
