//! Burns on the base chain, and what the network shows as paid for them.

use coordinator_base_chain::{BaseChain, Event, TransactionStatus};
use orchestration::layout::Service;
use processor_messages::{Amount, BaseBlock, Burn, ChainGenesis, KeyBytes, Network};
use simulated_processor::{
    Config,
    external_network::ExternalNetwork,
    ledger::{Ledger, LedgerClient, SignedPayment},
};

use crate::Net;

/// The node of the base chain that is asked and told.
const NODE: usize = 1;

/// A simulated network as its processors know it.
pub struct Burns {
    network: Network,
    chain: ChainGenesis,
    config: Config,
    external: ExternalNetwork,
}

impl Burns {
    /// Reads the network's parameters from the first processor's configuration.
    pub fn of(net: &Net, network: Network) -> Self {
        let path = net.testnet.layout.config(0, Service::Processor(network));
        let config = Config::read(&path).expect("a configuration which a processor runs with");
        let chain = net.testnet.manifest.chain;
        let external = ExternalNetwork::new(chain, network, config.pace);
        Self { network, chain, config, external }
    }

    /// A network block whose deposits the base chain has minted, and what the first of them is.
    pub fn minted(&self, net: &mut Net) -> (u64, Amount) {
        let mut found = None;
        let mut next = BaseBlock(0);
        net.until("a batch with deposits", |net| {
            let node = net.observer.node(NODE).expect("a node");
            while let Ok(Some(block)) = net.block_on(node.block(next)) {
                next = next.next();
                found = block.events.iter().find_map(|event| self.minted_by(event));
                if found.is_some() {
                    return true;
                }
            }
            false
        });
        let number = found.expect("it was waited for");
        let (_, amount) = self.external.deposit(number, 0).expect("its batch has instructions");
        (number, amount)
    }

    /// The network block whose deposits an event says are minted.
    fn minted_by(&self, event: &Event) -> Option<u64> {
        match event {
            Event::BatchExecuted { network, batch }
                if (*network == self.network) && !batch.results.is_empty() =>
            {
                assert!(batch.results.iter().all(|succeeded| *succeeded));
                self.external.number(&batch.block)
            }
            _ => None,
        }
    }

    /// Burns of the first account of a block's deposits, and waits until that is final; the burn and where it is.
    pub fn burn(&self, net: &mut Net, (block, nonce): (u64, u64), amount: Amount) -> (Burn, BaseBlock) {
        let destination = format!("payee {nonce}").into_bytes();
        let destination = KeyBytes::new(destination).expect("a short destination");
        let (transaction, burn) = self.external.burn(self.chain, (block, 0), nonce, (amount, destination));
        let node = net.observer.node(NODE).expect("a node");
        let hash = net.block_on(node.submit(&transaction)).expect("a node takes a burn");
        let mut at = None;
        net.until("the burn is final", |net| {
            let node = net.observer.node(NODE).expect("a node");
            let Ok(TransactionStatus::Final { block }) = net.block_on(node.transaction(hash)) else {
                return false;
            };
            at = Some(block);
            true
        });
        (burn, at.expect("it was waited for"))
    }

    /// What the first session's account paid, as the network shows it.
    pub fn paid(&self, net: &Net) -> Vec<SignedPayment> {
        let ledger = Ledger { chain: self.chain, network: self.network, curve: self.config.curve };
        let Some((pair, _)) = &net.observer.networks[&self.network].keys else { return Vec::new() };
        let client = LedgerClient::new(&self.config.network_url, ledger).expect("a client");
        net.block_on(client.of_account(&pair.network, 0)).unwrap_or_default()
    }
}
