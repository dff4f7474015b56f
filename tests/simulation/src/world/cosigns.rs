//! The exchange of cosigns between coordinators, over the same links as everything else.

use coordinator_base_chain::signing;
use coordinator_core::cosign::{self, Cosign};
use coordinator_store::Store;
use processor_messages::{BaseBlock, BaseBlockHash, Genesis, Session, ValidatorSet, encode};
use tributary::Output;

use super::{Arrival, Place, World};
use crate::{manner::Manner, setting::Setting};

impl World {
    /// Whether this is where coordinators exchange cosigns, and not a chain.
    pub(super) fn is_cosign_topic(&self, place: Place, topic: Genesis) -> Option<usize> {
        let Place::Coordinator(index) = place else { return None };
        self.coordinators.get(index).filter(|node| node.cosign_topic() == topic).map(|_| index)
    }

    pub(super) fn say_cosigns(&mut self, index: usize) {
        let (place, now) = (Place::Coordinator(index), self.schedule.now());
        let node = &mut self.coordinators[index];
        if !node.disk.up {
            return;
        }
        let topic = node.cosign_topic();
        let said = match node.cosigns_to_say(now) {
            Ok(said) => said,
            Err(error) => return self.failed(place, &format!("failed: {error}")),
        };
        if let Some(bytes) = said.told {
            self.output(place, topic, Output::Broadcast(bytes));
        }
        let others = self.others(place);
        if let Some((turn, bytes)) = said.asked
            && let Some(to) = others.get(turn % others.len().max(1))
        {
            let to = self.setting.validator(self.validator_of(*to));
            self.output(place, topic, Output::Request { to, bytes });
        }
    }

    pub(super) fn hear_cosigns(&mut self, index: usize, topic: Genesis, arrival: Arrival) {
        let place = Place::Coordinator(index);
        if !self.coordinators[index].disk.up {
            return;
        }
        let heard = match arrival {
            Arrival::Message { bytes, .. } | Arrival::Response { bytes, .. } => {
                self.coordinators[index].hear_cosigns(&bytes)
            }
            Arrival::Request { id, bytes, .. } => {
                self.coordinators[index].answer_cosigns(&bytes).map(|answer| {
                    if let Some(bytes) = answer {
                        self.output(place, topic, Output::Respond { id, bytes });
                    }
                    false
                })
            }
        };
        match heard {
            Ok(true) => self.settle(place, Vec::new()),
            Ok(false) => {}
            Err(error) => self.failed(place, &format!("failed: {error}")),
        }
        self.take_notices(index);
    }

    /// A liar tells everybody of cosigns which no set made, beside those which were.
    pub(super) fn tell_false_cosigns(&mut self, validator: usize) {
        let Some(node) = self.coordinators.get(validator).filter(|node| node.disk.up) else { return };
        let (place, topic) = (Place::Coordinator(validator), node.cosign_topic());
        let latest = node.disk.store.read(|db| cosign::latest(db)).unwrap_or_default();
        for cosign in &latest {
            let told = falsified(&self.setting, validator, cosign);
            let which = usize::try_from(self.below(told.len() as u64)).unwrap_or_default();
            let Some(first) = told.get(which) else { continue };
            self.counts.lie(Manner::FalseCosigner);
            // The first is what is told; what follows it in the message is as it should be.
            let bytes = encode(&vec![first.clone(), cosign.clone()]);
            self.output(place, topic, Output::Broadcast(bytes));
        }
    }
}

/// A cosign, each time with something which its set did not sign.
fn falsified(setting: &Setting, liar: usize, cosign: &Cosign) -> Vec<Cosign> {
    let other = BaseBlockHash([9; 32]);
    let session = Session(cosign.set.session.0.wrapping_add(1));
    let own = setting.keys.get(liar).map(|key| {
        let message = signing::cosign_message(setting.chain, cosign.set, cosign.block, other);
        Cosign { hash: other, signature: key.sign("cosign", &message).0, ..cosign.clone() }
    });
    let false_ones = [
        Cosign { hash: other, ..cosign.clone() },
        Cosign { block: BaseBlock(cosign.block.0 + 1), ..cosign.clone() },
        Cosign { block: BaseBlock(u64::MAX), ..cosign.clone() },
        Cosign { set: ValidatorSet { session, ..cosign.set }, ..cosign.clone() },
        Cosign { signature: [7; 64], ..cosign.clone() },
    ];
    false_ones.into_iter().chain(own).collect()
}
