//! Liars: when they act, over which chains, and what their nodes say instead of what they should.

use std::sync::Arc;

use coordinator_base_chain::{SetKeys, Signers, Transaction};
use coordinator_core::session::SetSpec;
use coordinator_keys::SecretKey;
use coordinator_store::MemoryStore;
use processor_messages::{BatchId, Genesis, KeyBytes, KeyPair, List, SignedBatch};
use tributary::{Members, Output};

use super::{ACT, Actor, Arrival, Place, What, World};
use crate::{liar::Stage, manner::Manner};

/// One chain, as a liar is in it.
struct Scene {
    place: Place,
    key: SecretKey,
    members: Members,
    store: MemoryStore,
    spec: Option<SetSpec>,
}

impl Scene {
    fn stage(&self) -> Stage<'_> {
        Stage { key: &self.key, members: &self.members, store: &self.store, spec: self.spec.as_ref() }
    }
}

impl World {
    /// The chains in which a validator has nodes.
    fn scenes(&self, validator: usize) -> Vec<Scene> {
        let mut scenes = Vec::new();
        let Some(key) = self.setting.keys.get(validator).cloned() else { return scenes };
        let bases = self.bases.iter().filter(|base| base.validator == validator);
        scenes.extend(bases.map(|base| Scene {
            place: Place::Base(base.index),
            key: key.clone(),
            members: self.setting.members.clone(),
            store: base.disk.store.clone(),
            spec: None,
        }));
        let Some(node) = self.coordinators.get(validator) else { return scenes };
        scenes.extend(node.tributaries.values().map(|tributary| Scene {
            place: Place::Coordinator(validator),
            key: key.clone(),
            members: tributary.engine.node.members().clone(),
            store: node.disk.store.clone(),
            spec: Some(tributary.spec.clone()),
        }));
        scenes
    }

    fn lying(&self) -> bool {
        self.now() < self.faults.lies_until
    }

    pub(super) fn act(&mut self, actor: Actor) {
        if !self.lying() {
            return;
        }
        self.schedule.after(ACT, What::Act(actor));
        match actor {
            Actor::Validator(validator) => {
                let manner = self.manner(validator);
                for scene in self.scenes(validator) {
                    let says = scene.stage().act(manner, &self.ear, &mut self.rng);
                    self.tell(&scene, validator, manner, says);
                }
                match manner {
                    Manner::ForgedCertificate => self.submit_forged(validator),
                    Manner::FalseCosigner => self.tell_false_cosigns(validator),
                    _ => {}
                }
            }
            Actor::Stranger => {
                // It stands where the first validator does, with a key of its own.
                for mut scene in self.scenes(0) {
                    scene.key = self.setting.stranger.clone();
                    let says = scene.stage().act(Manner::NonMember, &self.ear, &mut self.rng);
                    self.tell(&scene, 0, Manner::NonMember, says);
                }
            }
        }
    }

    /// A liar says these to everybody, or only to some.
    fn tell(&mut self, scene: &Scene, validator: usize, manner: Manner, says: Vec<Vec<u8>>) {
        let from = processor_messages::Validator(scene.key.public().to_bytes());
        let genesis = scene.members.genesis();
        let mut others = self.others(scene.place);
        if manner == Manner::NonMember {
            others.push(scene.place);
        }
        for bytes in says {
            self.counts.lie(manner);
            let sides = self.below(1 << 16);
            let everybody = self.below(2) == 0;
            let bytes: Arc<[u8]> = bytes.into();
            let arrival = match (manner, self.below(4)) {
                (Manner::Replayer, 0) => Arrival::Request { from, id: u64::MAX, bytes },
                (Manner::Replayer, 1) => Arrival::Response { from, bytes },
                _ => Arrival::Message { from, bytes },
            };
            for (number, to) in others.clone().into_iter().enumerate() {
                if everybody || (sides >> (number % 16)) & 1 == 1 {
                    let link = (validator, self.validator_of(to));
                    self.deliver_over(link, to, genesis, &arrival);
                }
            }
        }
    }

    /// What a liar's node says, changed.
    pub(super) fn twisted(
        &mut self,
        place: Place,
        genesis: Genesis,
        manner: Manner,
        output: Output,
    ) -> Vec<Output> {
        let twists = matches!(manner, Manner::FalseProvider | Manner::Oversized | Manner::ForgedCertificate);
        if !self.lying() || !twists {
            return vec![output];
        }
        let scenes = self.scenes(self.validator_of(place));
        let scene = scenes.iter().find(|scene| scene.members.genesis() == genesis && scene.place == place);
        let Some(scene) = scene else { return vec![output] };
        let before = output.clone();
        let outputs = scene.stage().twist(manner, &mut self.ear, output, &mut self.rng);
        if outputs.first() != Some(&before) {
            self.counts.lie(manner);
        }
        outputs
    }

    /// A batch and keys which nobody signed, to every base-chain node.
    fn submit_forged(&mut self, validator: usize) {
        let network = self.below(self.setting.networks.len() as u64);
        let network = usize::try_from(network).unwrap_or_default();
        let Some(name) = self.setting.networks.get(network).copied() else { return };
        let Some(external) = self.setting.external(network) else { return };
        let id = BatchId(self.oracle.executed(name));
        let number = self.below(64) * 6;
        let mut says = Vec::new();
        let mut batch = external.batch(number, id);
        batch.instructions = List::default();
        says.push(Transaction::ExecuteBatch(SignedBatch { batch, signature: [7; 64] }));
        for spec in self.coordinators.get(validator).and_then(|node| node.sets().ok()).unwrap_or_default() {
            let key = self.setting.validator(validator).0;
            let key_pair = KeyPair { base: key, network: KeyBytes::new(vec![2; 33]).unwrap_or_default() };
            let signers = Signers(List::new(vec![true; spec.count()]).unwrap_or_default());
            says.push(Transaction::SetKeys(SetKeys {
                set: spec.set(),
                key_pair,
                signers,
                signature: [7; 64],
            }));
        }
        for index in 0..self.bases.len() {
            if !self.bases[index].disk.up {
                continue;
            }
            for transaction in &says {
                self.counts.lie(Manner::ForgedCertificate);
                match self.bases[index].submit(transaction) {
                    Ok(Ok(effects)) => self.settle(Place::Base(index), effects),
                    Ok(Err(_)) => {}
                    Err(error) => self.failed(Place::Base(index), &format!("failed: {error:?}")),
                }
            }
        }
    }
}
