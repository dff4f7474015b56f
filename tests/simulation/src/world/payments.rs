//! What networks pay: a ledger for each, which processors give signed payments and look at.

use coordinator_base_chain::Transaction;
use coordinator_store::Store;
use processor_messages::{Account, Amount, Burn, KeyBytes};
use simulated_processor::ledger::{self, SignedPayment};

use super::{Place, World};
use crate::faults::Kind;

/// Payments of an account looked at in one step.
const MAX_PAYMENTS: usize = 16;

/// How much each burn is of; deposits are of a thousand at least.
const BURNT: Amount = Amount(100);
/// How many deposits of a block are burnt.
const BURNS: u16 = 2;

impl World {
    /// Burns some of what was minted first, again and again until the chain holds it.
    pub(super) fn burn_some(&mut self) {
        for network in 0..self.setting.networks.len() {
            let Some(block) = self.oracle.deposit(self.setting.networks[network]) else { continue };
            for index in 0..BURNS {
                let destination = KeyBytes::new(vec![u8::try_from(index).unwrap_or(u8::MAX)]);
                let content = (BURNT, destination.unwrap_or_default());
                if let Some((transaction, burn)) = self.burn(network, (block, index), 0, content) {
                    self.submit_burn(&transaction, burn.from);
                }
            }
        }
    }

    fn submit_burn(&mut self, transaction: &Transaction, from: Account) {
        let runs = |base: &crate::base::Base| base.disk.up && !base.disk.has_failed();
        let Some(index) = self.bases.iter().position(runs) else { return };
        if self.bases[index].nonce(from).is_ok_and(|nonce| nonce > 0) {
            return;
        }
        match self.bases[index].submit(transaction) {
            Ok(Ok(effects)) => self.settle(Place::Base(index), effects),
            Ok(Err(_)) => {}
            Err(error) => self.failed(Place::Base(index), &format!("failed: {error:?}")),
        }
    }

    /// What each network paid is what was burnt of its coins, as far as it came: nothing else, and nothing twice.
    pub(super) fn watch_payments(&mut self) {
        for (network, name) in self.setting.networks.clone().into_iter().enumerate() {
            let (paid, burns) = (self.outputs(network), self.oracle.burns(name));
            let mut left: Vec<_> = burns.iter().map(|b| (b.destination.to_vec(), b.amount)).collect();
            for output in paid {
                match left.iter().position(|burn| *burn == output) {
                    Some(place) => drop(left.remove(place)),
                    None => {
                        self.oracle.violated(format!("{name} pays {output:?}, which nobody burnt, or twice"));
                    }
                }
            }
        }
    }

    /// What a network paid: where, and how much.
    fn outputs(&self, network: usize) -> Vec<(Vec<u8>, Amount)> {
        let payments = self.paid(network, 0);
        let outputs = payments.iter().flat_map(|signed| signed.payment.outputs.iter());
        outputs.map(|output| (output.destination.to_vec(), output.amount)).collect()
    }

    /// How many of the burns of a network are not paid yet.
    pub(super) fn unpaid(&self, network: usize) -> usize {
        let burns = self.setting.networks.get(network).map_or(0, |name| self.oracle.burns(*name).len());
        burns.saturating_sub(self.outputs(network).len())
    }

    /// Hands the network a payment which a processor's set signed; the answer may be lost.
    pub(super) fn pay(&mut self, index: usize) {
        let node = &self.processors[index];
        let Some(processor) = node.processor.clone().filter(|_| !node.disk.syncing) else { return };
        let Ok(payments) = processor.payments(1) else { return };
        let Some(signed) = payments.first() else { return };
        if self.chance(self.faults.http, 1_000) {
            return self.counts.fault(Kind::Queue);
        }
        let ledger = processor.ledger();
        let taken = self.ledgers[self.processors[index].network].write(|txn| ledger.submit(txn, signed));
        match taken {
            Ok((Ok(_), _)) => {}
            Ok((Err(refusal), _)) => return self.processor_failed(index, &refusal),
            Err(error) => return self.processor_failed(index, &error),
        }
        if self.chance(self.faults.http, 1_000) {
            return self.counts.fault(Kind::Queue);
        }
        match processor.taken(&signed.payment) {
            Ok(commit) => {
                drop(commit);
                self.settle(Place::Processor(index), Vec::new());
            }
            Err(error) => self.processor_failed(index, &error),
        }
    }

    /// A processor looks at what its network's accounts paid.
    pub(super) fn watch_accounts(&mut self, index: usize) {
        let node = &self.processors[index];
        let Some(processor) = node.processor.clone().filter(|_| !node.disk.syncing) else { return };
        let Ok(accounts) = processor.accounts() else { return };
        let ledger = self.ledgers[node.network].clone();
        for (session, account) in accounts {
            let paid = ledger.read(|db| ledger::of_account(db, &account.key, account.next, MAX_PAYMENTS));
            let Some(paid) = paid.ok().filter(|paid| !paid.is_empty()) else { continue };
            match processor.seen(session, account.next, &paid) {
                Ok((_, commit)) => {
                    drop(commit);
                    return self.settle(Place::Processor(index), Vec::new());
                }
                Err(error) => return self.processor_failed(index, &error),
            }
        }
    }

    /// A burn of what the deposit `(block, index)` of a network minted, to be given to the base chain, and the burn as
    /// it is to be paid; `None` if there is no such network or deposit.
    ///
    /// `nonce` is how often the deposit's account burnt before; the deposit's batch must have been executed, and the
    /// account must hold `amount`.
    pub fn burn(
        &self,
        network: usize,
        (block, index): (u64, u16),
        nonce: u64,
        (amount, destination): (Amount, KeyBytes),
    ) -> Option<(Transaction, Burn)> {
        let external = self.setting.external(network)?;
        external.deposit(block, index)?;
        Some(external.burn(self.setting.chain, (block, index), nonce, (amount, destination)))
    }

    /// What a network's accounts paid from a number on, in order; at most [`ledger::MAX_LISTED`].
    pub fn paid(&self, network: usize, from: u64) -> Vec<SignedPayment> {
        let ledger = self.ledgers.get(network);
        ledger
            .and_then(|store| store.read(|db| ledger::all(db, from, ledger::MAX_LISTED)).ok())
            .unwrap_or_default()
    }
}
