//! What accounts ask of the base chain in a run: validators who join and leave.

use std::collections::VecDeque;

use coordinator_base_chain::{Call, SignedCall, Transaction};
use processor_messages::{Account, Amount, BaseBlock};

use super::{Place, What, World};
use crate::{
    setting::{Setting, stake_for},
    time::SECOND,
};

/// One account's call, due from a block on.
struct Due {
    at: BaseBlock,
    validator: usize,
    call: Call,
    /// Its nonce, once it was submitted.
    nonce: Option<u64>,
}

/// All calls which are still to be made, in order.
#[derive(Default)]
pub(super) struct Calls(VecDeque<Due>);

impl Calls {
    /// Those of a setting: each change of a weight, in each network.
    pub(super) fn of(setting: &Setting) -> Self {
        let mut weights = setting.shape.weights.clone();
        let mut calls = VecDeque::new();
        for change in &setting.shape.changes {
            let Some(weight) = weights.get_mut(change.validator) else { continue };
            let (from, to) = (stake_for(*weight).0, stake_for(change.weight).0);
            *weight = change.weight;
            for network in &setting.networks {
                let network = *network;
                let call = if to > from {
                    Call::Allocate { network, amount: Amount(to - from) }
                } else {
                    Call::Deallocate { network, amount: Amount(from - to) }
                };
                let at = BaseBlock(change.at);
                calls.push_back(Due { at, validator: change.validator, call, nonce: None });
            }
        }
        Self(calls)
    }

    /// Whether all were made.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl World {
    /// Submits calls which are due, again and again until the chain holds them.
    pub(super) fn call(&mut self) {
        self.schedule.after(SECOND, What::Calls);
        self.burn_some();
        self.watch_payments();
        let mut waiting = std::mem::take(&mut self.calls.0);
        let mut left = VecDeque::new();
        let mut asked: Vec<usize> = Vec::new();
        while let Some(mut due) = waiting.pop_front() {
            // One of an account at a time, in order.
            if due.at > self.finalized || asked.contains(&due.validator) || !self.submit_call(&mut due) {
                asked.push(due.validator);
                left.push_back(due);
            }
        }
        self.calls.0 = left;
    }

    /// Submits a call to a node which runs; true once the chain holds it.
    fn submit_call(&mut self, due: &mut Due) -> bool {
        let Some(key) = self.setting.keys.get(due.validator) else { return true };
        let account = Account(key.public().to_bytes());
        let Some(index) = self.bases.iter().position(|base| base.disk.up && !base.disk.has_failed()) else {
            return false;
        };
        let Ok(next) = self.bases[index].nonce(account) else { return false };
        let nonce = *due.nonce.get_or_insert(next);
        if next > nonce {
            return true;
        }
        let signed = SignedCall::sign(key, self.setting.chain, nonce, due.call.clone());
        match self.bases[index].submit(&Transaction::Call(signed)) {
            Ok(Ok(effects)) => self.settle(Place::Base(index), effects),
            Ok(Err(_)) => {}
            Err(error) => self.failed(Place::Base(index), &format!("failed: {error:?}")),
        }
        false
    }
}
