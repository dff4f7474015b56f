//! One chain's node in a process: its steps over the process's disk, and its timers.

use std::collections::BTreeMap;

use coordinator_store::{MemoryStore, Store, StoreError, Transaction};
use processor_messages::Genesis;
use tributary::{Application, Halt, Input, Node, Output, Timer};

use crate::disk::Effect;

/// Why a step was not made.
#[derive(Debug)]
pub enum Failed {
    /// The chain stopped itself.
    Halted(Halt),
    /// The store stopped.
    Store(StoreError),
}

impl From<Halt> for Failed {
    fn from(halt: Halt) -> Self {
        Self::Halted(halt)
    }
}
impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A running node. A timer is known by the number of the event that fires it.
pub struct Engine<A: Application> {
    /// The node.
    pub node: Node<A>,
    /// Timers which are set.
    pub timers: BTreeMap<Timer, u64>,
    genesis: Genesis,
}

impl<A: Application> Engine<A> {
    /// Holds an opened node.
    pub fn new(node: Node<A>, genesis: Genesis) -> Self {
        Self { node, timers: BTreeMap::new(), genesis }
    }

    /// Takes inputs in one step.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn step(&mut self, store: &MemoryStore, input: Input<A::Input>) -> Result<Vec<Effect>, Failed> {
        self.transact(store, |_| Ok(vec![input]))
    }

    /// Takes what a rule finds due, in the rule's step.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn transact(
        &mut self,
        store: &MemoryStore,
        due: impl FnOnce(&mut dyn Transaction) -> Result<Vec<Input<A::Input>>, StoreError>,
    ) -> Result<Vec<Effect>, Failed> {
        let node = &mut self.node;
        let stepped = store.write(|txn| {
            let mut outputs = Vec::new();
            for input in due(txn)? {
                outputs.extend(node.step(txn, input)?);
            }
            Ok::<_, Failed>(outputs)
        });
        Ok(effects(self.genesis, stepped?.0))
    }
}

/// Outputs of a node as effects of its step.
pub fn effects(genesis: Genesis, outputs: Vec<Output>) -> Vec<Effect> {
    outputs.into_iter().map(|output| Effect::Chain(genesis, output)).collect()
}
