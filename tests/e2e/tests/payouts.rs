//! Burns on the base chain, paid out on the network by real processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Net, burns::Burns, stores::processor_payments};
use orchestration::{cli::Until, layout::Service};
use processor_messages::{Amount, Network, Session};
use simulated_processor::{ledger::Output, rules::payments::Standing};

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");

/// How often a processor's log says that the network has a payment.
fn completed(net: &Net, validator: usize, network: Network) -> usize {
    let log = net.testnet.layout.log(validator, Service::Processor(network));
    std::fs::read_to_string(log).unwrap_or_default().matches("the network has a payment").count()
}

/// Whether a coordinator has neither an open topic of a transaction nor anything wrong.
fn is_quiet(net: &Net, validator: usize) -> bool {
    let Some(status) = net.raw_status(validator) else { return false };
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
    let burns = Burns::of(&net, network);
    let (block, balance) = burns.minted(&mut net);

    let (first, _) = burns.burn(&mut net, (block, 0), Amount(400));
    net.until("the first payment", |net| !burns.paid(net).is_empty());
    net.until("everybody has seen it", |net| {
        (0..4).all(|validator| completed(net, validator, network) == 1 && is_quiet(net, validator))
    });

    // Nobody can pay while the network is down, and one processor sees nothing at all.
    net.testnet.kill_network(network).unwrap();
    net.testnet.kill(3, Service::Processor(network)).unwrap();
    let rest = Amount(balance.0 - 400);
    let (second, _) = burns.burn(&mut net, (block, 1), rest);
    net.until("the second transaction is agreed on", |net| !is_quiet(net, 0));
    net.testnet.start_network(network).unwrap();
    net.until("the second payment", |net| burns.paid(net).len() == 2);
    net.testnet.start(3, Service::Processor(network)).unwrap();
    net.until("everybody has seen both", |net| {
        (0..4).all(|validator| completed(net, validator, network) == 2 && is_quiet(net, validator))
    });

    let outputs: Vec<_> = burns.paid(&net).into_iter().flat_map(|signed| signed.payment.outputs).collect();
    let owed = [first, second].map(|burn| Output { destination: burn.destination, amount: burn.amount });
    assert_eq!(outputs, owed);
    net.testnet.stop();
    for validator in 0..4 {
        let standings = processor_payments(&net.testnet.layout, validator, network);
        assert_eq!(standings, [Standing { session: Session(0), open: 0, completed: 2 }]);
    }
}
