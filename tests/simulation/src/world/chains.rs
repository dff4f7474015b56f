//! Nodes of chains: what arrives at them, and what they say.

use std::{collections::BTreeMap, sync::Arc};

use base_chain_node::application::BaseInput;
use blake2::Digest as _;
use coordinator_store::Store;
use processor_messages::{BaseBlock, Genesis, TributaryBlock, Validator};
use tributary::{ChainInput, DECIDED, Input, Output, Timer};

use super::{Arrival, Place, What, World};
use crate::{manner::Manner, time::Time};

/// As [`Input`], for whichever application.
enum Given {
    Arrived(Arrival),
    Fired(Timer),
}

impl Given {
    fn input<I>(self) -> Input<I> {
        match self {
            Self::Arrived(Arrival::Message { from, bytes }) => Input::Message { from, bytes: bytes.to_vec() },
            Self::Arrived(Arrival::Request { from, id, bytes }) => {
                Input::Request { from, id, bytes: bytes.to_vec() }
            }
            Self::Arrived(Arrival::Response { from, bytes }) => {
                Input::Response { from, bytes: bytes.to_vec() }
            }
            Self::Fired(timer) => Input::Fired(timer),
        }
    }
}

impl World {
    pub(super) fn arrive(&mut self, place: Place, genesis: Genesis, arrival: Arrival) {
        self.step_chain(place, genesis, Given::Arrived(arrival));
    }

    /// A timer fires if it is still set as this event.
    pub(super) fn fire(&mut self, place: Place, genesis: Genesis, timer: Timer, number: u64) {
        let is_set = self.timers(place, genesis, |timers| {
            let is_set = timers.get(&timer) == Some(&number);
            if is_set {
                timers.remove(&timer);
            }
            is_set
        });
        if is_set == Some(true) {
            self.step_chain(place, genesis, Given::Fired(timer));
        }
    }

    fn step_chain(&mut self, place: Place, genesis: Genesis, given: Given) {
        if !self.disk(place).up {
            return;
        }
        match place {
            Place::Base(index) => {
                let base = &mut self.bases[index];
                let Some(engine) = base.engine.as_mut() else { return };
                match engine.step(&base.disk.store, given.input::<BaseInput>()) {
                    Ok(effects) => self.settle(place, effects),
                    Err(error) => self.failed(place, &format!("halted: {error:?}")),
                }
            }
            Place::Coordinator(index) => {
                match self.coordinators[index].chain(genesis, given.input::<ChainInput>()) {
                    Ok(effects) => {
                        self.watch_mempool(index, genesis);
                        self.settle(place, effects);
                    }
                    Err(error) => self.failed(place, &format!("failed: {error}")),
                }
                self.take_notices(index);
            }
            Place::Processor(_) => {}
        }
    }

    /// Where the other members' nodes of a chain are.
    pub(super) fn others(&self, place: Place) -> Vec<Place> {
        let me = self.validator_of(place);
        let all: Vec<_> = match place {
            Place::Base(_) => (0..self.bases.len()).map(Place::Base).collect(),
            Place::Coordinator(_) => (0..self.coordinators.len()).map(Place::Coordinator).collect(),
            Place::Processor(_) => Vec::new(),
        };
        all.into_iter().filter(|other| self.validator_of(*other) != me).collect()
    }

    pub(super) fn deliver(&mut self, from: Place, to: Place, genesis: Genesis, arrival: &Arrival) {
        let link = (self.validator_of(from), self.validator_of(to));
        self.deliver_over(link, to, genesis, arrival);
    }

    pub(super) fn deliver_over(
        &mut self,
        link: (usize, usize),
        to: Place,
        genesis: Genesis,
        arrival: &Arrival,
    ) {
        let now = self.schedule.now();
        let faults = (now < self.faults.until).then_some(&self.faults);
        for after in self.links.carry(link, now, faults, &mut self.rng, &mut self.counts) {
            self.schedule.after(after, What::Chain(to, genesis, arrival.clone()));
        }
    }

    /// A node's output happens; a liar's is first changed as the liar likes it.
    pub(super) fn output(&mut self, place: Place, genesis: Genesis, output: Output) {
        match self.manner(self.validator_of(place)) {
            Manner::Honest => self.say(place, genesis, output),
            manner => {
                for output in self.twisted(place, genesis, manner, output) {
                    self.say(place, genesis, output);
                }
            }
        }
    }

    fn say(&mut self, place: Place, genesis: Genesis, output: Output) {
        let from = self.setting.validator(self.validator_of(place));
        if let Output::Broadcast(bytes) | Output::Request { bytes, .. } | Output::Respond { bytes, .. } =
            &output
        {
            self.digest.update(bytes);
        }
        match output {
            Output::Broadcast(bytes) => self.broadcast(place, genesis, from, bytes),
            Output::Request { to, bytes } => {
                let id = self.next_question;
                self.next_question += 1;
                self.questions.insert(id, place);
                let to = self.setting.index_of(to);
                let arrival = Arrival::Request { from, id, bytes: bytes.into() };
                for other in self.others(place) {
                    if Some(self.validator_of(other)) == to {
                        self.deliver(place, other, genesis, &arrival);
                    }
                }
            }
            Output::Respond { id, bytes } => {
                if let Some(to) = self.questions.remove(&id) {
                    let arrival = Arrival::Response { from, bytes: bytes.into() };
                    self.deliver(place, to, genesis, &arrival);
                }
            }
            Output::SetTimer { timer, after } => self.set_timer(place, genesis, timer, after),
            Output::CancelTimer(timer) => drop(self.timers(place, genesis, |timers| timers.remove(&timer))),
            Output::Decided(height) => self.decided(place, genesis, height),
            Output::Event(_) => {}
        }
    }

    fn broadcast(&mut self, place: Place, genesis: Genesis, from: Validator, bytes: Vec<u8>) {
        self.ear.hear(genesis, &bytes);
        if self.is_honest(place) {
            self.oracle.says(from, genesis, &bytes);
        }
        let arrival = Arrival::Message { from, bytes: Arc::from(bytes) };
        for to in self.others(place) {
            self.deliver(place, to, genesis, &arrival);
        }
    }

    fn set_timer(&mut self, place: Place, genesis: Genesis, timer: Timer, after: std::time::Duration) {
        let speed = self.speeds.get(self.validator_of(place)).copied().unwrap_or(1_000);
        let after = Time::try_from(after.as_micros()).unwrap_or(Time::MAX);
        let number =
            self.schedule.after(after.saturating_mul(speed) / 1_000, What::Timer(place, genesis, timer));
        self.timers(place, genesis, |timers| timers.insert(timer, number));
    }

    fn timers<T>(
        &mut self,
        place: Place,
        genesis: Genesis,
        change: impl FnOnce(&mut BTreeMap<Timer, u64>) -> T,
    ) -> Option<T> {
        match place {
            Place::Base(index) => self.bases[index].engine.as_mut().map(|engine| change(&mut engine.timers)),
            Place::Coordinator(index) => {
                let tributary = self.coordinators[index].tributaries.get_mut(&genesis);
                tributary.map(|tributary| change(&mut tributary.engine.timers))
            }
            Place::Processor(_) => None,
        }
    }

    fn decided(&mut self, place: Place, genesis: Genesis, height: TributaryBlock) {
        self.digest.update(height.0.to_le_bytes());
        let decided = self.disk(place).store.read(|db| DECIDED.get(db, &(genesis, height)));
        let mut is_final = self.is_honest(place);
        match decided {
            Ok(Some(decided)) if is_final => self.oracle.decided(genesis, &decided),
            // What a liar's own node believes is its own affair; what a quorum decided is final wherever it is known
            // first.
            Ok(Some(decided)) => is_final = self.oracle.is_final(genesis, &decided),
            other => self.oracle.violated(format!("{place:?} decided {height} and has {other:?}")),
        }
        if let Place::Base(index) = place {
            self.finalize(index, BaseBlock(height.0), is_final);
        }
    }

    fn finalize(&mut self, index: usize, number: BaseBlock, is_final: bool) {
        if is_final && let Ok(Some(block)) = self.bases[index].block(number) {
            self.finalized = self.finalized.max(number);
            self.oracle.base_block(&block);
        }
        for other in 0..self.coordinators.len() {
            if self.setting.base_of(self.coordinators[other].validator) == index {
                self.wake_soon(Place::Coordinator(other));
            }
        }
    }
}
