//! Gives a tributary what we derived and what we have to say, each in the step which takes it from its outbox.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use coordinator_core::{
    halt,
    session::{
        self, SetSpec, own, slash,
        status::is_busy,
        transaction::{PROVIDED_KINDS, Slot},
    },
};
use coordinator_drive::Handle;
use coordinator_store::{Read, Store, StoreError, Transaction};
use processor_messages::{Bytes, Genesis, TributaryBlock, Validator, ValidatorSet};
use tokio::sync::watch;
use tributary::{ChainInput, Kind, chain};

use crate::{
    node::Node,
    task::{Progress, Task, TaskError},
};

/// Transactions of a kind handed over in one step.
const MAX_AT_ONCE: usize = 32;

/// The task of one set.
pub struct Publish<S> {
    node: Node<S>,
    spec: SetSpec,
    drive: Handle<ChainInput>,
    busy: Option<bool>,
}

impl<S: Store> Publish<S> {
    /// Feeds the tributary of this set.
    pub fn new(node: Node<S>, spec: SetSpec, drive: Handle<ChainInput>) -> Self {
        Self { node, spec, drive, busy: None }
    }

    /// The latest decided height of the tributary.
    pub fn decided(&self) -> watch::Receiver<TributaryBlock> {
        self.drive.decided()
    }

    async fn tell_busy(&mut self) -> Result<(), TaskError> {
        let set = self.spec.set();
        let busy = self.node.store.read(|db| match session::get(db, set)? {
            Some(record) => is_busy(db, &record),
            None => Ok(false),
        })?;
        if self.busy != Some(busy) {
            self.drive.input(ChainInput::Busy(busy)).await.map_err(|e| TaskError::Retry(e.to_string()))?;
            self.busy = Some(busy);
        }
        Ok(())
    }
}

/// Whether anything waits to be handed to a tributary.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn is_due(db: &dyn Read, genesis: Genesis) -> Result<bool, StoreError> {
    let mut waits = !own::pending(db, genesis, 1)?.is_empty();
    for kind in PROVIDED_KINDS {
        let next = u64::from(chain::provided_count(db, genesis, kind)?);
        waits |= !own::provided(db, genesis, kind, next, 1)?.is_empty();
    }
    Ok(waits)
}

/// What is due on the tributary of a set, as its inputs, in the step which takes it from where it waits; nothing
/// if the session is halted (`COORD-9`).
///
/// # Errors
/// [`StoreError`] of the store.
pub fn due_inputs(
    txn: &mut dyn Transaction,
    (set, genesis): (ValidatorSet, Genesis),
    me: Validator,
) -> Result<Vec<ChainInput>, StoreError> {
    let mut inputs = Vec::new();
    if halt::of_session(txn, set)?.is_some() {
        return Ok(inputs);
    }
    for kind in PROVIDED_KINDS {
        let next = u64::from(chain::provided_count(txn, genesis, kind)?);
        let rows = own::provided(txn, genesis, kind, next, MAX_AT_ONCE)?;
        inputs.extend(rows.into_iter().filter_map(|payload| provide(kind, payload)));
    }
    if slash::record(txn, genesis, me)?.fatal.is_some() {
        // Of no effect, whoever orders it: what waited when we were slashed is dropped.
        for (slot, _) in own::pending(txn, genesis, MAX_AT_ONCE)? {
            own::handed_over(txn, genesis, &slot);
        }
        return Ok(inputs);
    }
    let mut orders: Vec<(Vec<u8>, u32)> = Vec::new();
    for (slot, payload) in own::pending(txn, genesis, MAX_AT_ONCE)? {
        let Ok(order) = Bytes::new(slot.order.clone()) else { continue };
        let known = orders.iter_mut().find(|(order, _)| *order == slot.order);
        let next = match &known {
            Some((_, next)) => *next,
            None => chain::own_next(txn, genesis, me, &order)?,
        };
        // Behind: ordered before our store knew of it. Ahead: waits for the one before it.
        if slot.nonce <= next {
            own::handed_over(txn, genesis, &slot);
        }
        if slot.nonce == next {
            match known {
                Some((_, next)) => *next = next.saturating_add(1),
                None => orders.push((slot.order.clone(), next.saturating_add(1))),
            }
            inputs.extend(submit(&slot, payload));
        }
    }
    Ok(inputs)
}

fn provide(kind: Kind, payload: Vec<u8>) -> Option<ChainInput> {
    Some(ChainInput::Provide { kind, payload: Bytes::new(payload).ok()? })
}

fn submit(slot: &Slot, payload: Vec<u8>) -> Option<ChainInput> {
    let order = Bytes::new(slot.order.clone()).ok()?;
    Some(ChainInput::Submit { order, payload: Bytes::new(payload).ok()? })
}

impl<S: Store> Task for Publish<S> {
    fn name(&self) -> String {
        format!("session/publish/{}", self.spec.set())
    }

    async fn run_once(&mut self) -> Result<Progress, TaskError> {
        self.tell_busy().await?;
        let (set, genesis, me) = (self.spec.set(), self.spec.genesis, self.node.identity.validator());
        if !self.node.store.read(|db| is_due(db, genesis))? {
            return Ok(Progress::Idle);
        }
        let taken = Arc::new(AtomicBool::new(false));
        let took = taken.clone();
        let act = move |txn: &mut dyn Transaction| {
            let inputs = due_inputs(txn, (set, genesis), me)?;
            took.store(!inputs.is_empty(), Ordering::Relaxed);
            Ok(inputs)
        };
        self.drive.transact(act).await.map_err(|e| TaskError::Retry(e.to_string()))?;
        Ok(if taken.load(Ordering::Relaxed) { Progress::Done } else { Progress::Idle })
    }

    fn longest_wait(&self) -> Duration {
        Duration::from_secs(2)
    }
}
