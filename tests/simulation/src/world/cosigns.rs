//! The exchange of cosigns between coordinators, over the same links as everything else.

use processor_messages::Genesis;
use tributary::Output;

use super::{Arrival, Place, World};

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
}
