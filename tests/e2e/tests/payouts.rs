//! Burns on the base chain, paid out on the network by real processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use coordinator_base_chain::{BaseChain, Event, TransactionStatus};
use e2e::{Net, stores::processor_payments};
use orchestration::{cli::Until, layout::Service};
use processor_messages::{Amount, BaseBlock, Burn, KeyBytes, Network, Session};
use simulated_processor::{
    Config,
    external_network::ExternalNetwork,
    ledger::{Ledger, LedgerClient, Output, SignedPayment},
    rules::payments::Standing,
};

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");

/// The simulated network as its processors know it.
fn external(net: &Net, network: Network) -> (Config, ExternalNetwork) {
    let path = net.testnet.layout.config(0, Service::Processor(network));
    let config = Config::read(&path).unwrap();
    let external = ExternalNetwork::new(config.chain.unwrap(), network, config.pace);
    (config, external)
}

/// A deposit which the base chain has minted: its network block.
fn minted(net: &mut Net, network: Network, external: &ExternalNetwork) -> u64 {
    let mut found = None;
    let mut next = BaseBlock(0);
    net.until("a batch with deposits", |net| {
        let node = net.observer.node(0).unwrap();
        while let Ok(Some(block)) = net.block_on(node.block(next)) {
            next = next.next();
            for event in &block.events {
                if let Event::BatchExecuted { network: of, batch } = event
                    && (*of == network)
                    && !batch.results.is_empty()
                {
                    assert!(batch.results.iter().all(|succeeded| *succeeded));
                    found = external.number(&batch.block);
                    return true;
                }
            }
        }
        false
    });
    found.unwrap()
}

/// Burns of the first account of a block's deposits, and waits until that is final; the burn.
fn burn(net: &mut Net, external: &ExternalNetwork, config: &Config, at: (u64, u64), amount: Amount) -> Burn {
    let (block, nonce) = at;
    let destination = KeyBytes::new(format!("payee {nonce}").into_bytes()).unwrap();
    let (transaction, burn) = external.burn(config.chain.unwrap(), (block, 0), nonce, (amount, destination));
    let hash = net.block_on(net.observer.node(1).unwrap().submit(&transaction)).unwrap();
    net.until("the burn is final", |net| {
        let status = net.block_on(net.observer.node(1).unwrap().transaction(hash));
        matches!(status, Ok(TransactionStatus::Final { .. }))
    });
    burn
}

/// What the first session's account paid, as the network shows it.
fn paid(net: &Net, network: Network, config: &Config) -> Vec<SignedPayment> {
    let ledger = Ledger { chain: config.chain.unwrap(), network, curve: config.curve };
    let account = net.observer.networks[&network].keys.as_ref().unwrap().0.network.clone();
    let client = LedgerClient::new(&config.network_url, ledger).unwrap();
    net.block_on(client.of_account(&account, 0)).unwrap_or_default()
}

/// How often a processor's log says that the network has a payment.
fn completed(net: &Net, validator: usize, network: Network) -> usize {
    let log = net.testnet.layout.log(validator, Service::Processor(network));
    std::fs::read_to_string(log).unwrap_or_default().matches("the network has a payment").count()
}

/// Whether a coordinator has neither an open topic of a transaction nor anything wrong.
fn is_quiet(net: &Net, validator: usize) -> bool {
    let Some(status) = net.block_on(net.observer.raw_status(validator)) else { return false };
    status["sets"].as_array().is_some_and(|sets| !sets.is_empty())
        && !status.to_string().contains("Transaction(")
}

/// `NET-9`, `PROC-14` to `PROC-18` between real processes: from an account's burn to everybody's knowledge that it is paid,
/// also while a processor and the network's own process are dead in between.
#[test]
fn burns_are_paid_out_and_every_coordinator_s_topic_closes() {
    let mut net = Net::up(NODE, &[1, 1, 1, 1], 1);
    net.until("the first batch", |net| net.observer.has_reached(Until::FirstBatch));
    let network = net.networks()[0];
    let (config, external) = external(&net, network);
    let block = minted(&mut net, network, &external);
    let (_, balance) = external.deposit(block, 0).unwrap();

    let first = burn(&mut net, &external, &config, (block, 0), Amount(400));
    net.until("the first payment", |net| !paid(net, network, &config).is_empty());
    net.until("everybody has seen it", |net| {
        (0..4).all(|validator| completed(net, validator, network) == 1 && is_quiet(net, validator))
    });

    // Nobody can pay while the network is down, and one processor sees nothing at all.
    net.testnet.kill_network(network).unwrap();
    net.testnet.kill(3, Service::Processor(network)).unwrap();
    let rest = Amount(balance.0 - 400);
    let second = burn(&mut net, &external, &config, (block, 1), rest);
    net.until("the second transaction is agreed on", |net| !is_quiet(net, 0));
    net.testnet.start_network(network).unwrap();
    net.until("the second payment", |net| paid(net, network, &config).len() == 2);
    net.testnet.start(3, Service::Processor(network)).unwrap();
    net.until("everybody has seen both", |net| {
        (0..4).all(|validator| completed(net, validator, network) == 2 && is_quiet(net, validator))
    });

    let outputs: Vec<_> =
        paid(&net, network, &config).into_iter().flat_map(|signed| signed.payment.outputs).collect();
    let owed = [first, second].map(|burn| Output { destination: burn.destination, amount: burn.amount });
    assert_eq!(outputs, owed);
    net.testnet.stop();
    for validator in 0..4 {
        let standings = processor_payments(&net.testnet.layout, validator, network);
        assert_eq!(standings, [Standing { session: Session(0), open: 0, completed: 2 }]);
    }
}
