//! Burns on the base chain, paid out on the network by real processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use e2e::{Net, burns::Burns, stores::processor_payments};
use orchestration::{cli::Until, layout::Service, plan::curve_of};
use processor_messages::{Amount, Burn, Network, Session};
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

/// Whether every processor of these networks logged so many payments of its network, and every coordinator is quiet.
fn all_completed(net: &Net, counts: &[(Network, usize)]) -> bool {
    (0..net.validators()).all(|validator| {
        counts.iter().all(|(network, count)| completed(net, validator, *network) == *count)
            && is_quiet(net, validator)
    })
}

/// `NET-9`, `PROC-14` to `PROC-18` between real processes: from an account's burn to everybody's knowledge that it is paid, on
/// three networks of both curves at once; then on one also while a processor and the network's own process are dead in
/// between.
#[test]
fn burns_are_paid_out_and_every_coordinator_s_topic_closes() {
    let mut net = Net::up(NODE, &[1, 1, 1, 1], 3);
    net.until("the first batches", |net| net.observer.has_reached(Until::FirstBatch));
    let networks = net.networks();
    let curves: BTreeSet<String> = networks.iter().map(|name| curve_of(*name).to_string()).collect();
    assert_eq!(curves.into_iter().collect::<Vec<_>>(), ["ed25519", "secp256k1"]);
    let all: Vec<Burns> = networks.iter().map(|network| Burns::of(&net, *network)).collect();
    let minted: Vec<_> = all.iter().map(|burns| burns.minted(&mut net)).collect();
    let owed = |burn: Burn| Output { destination: burn.destination, amount: burn.amount };
    let outputs = |net: &Net, burns: &Burns| -> Vec<Output> {
        burns.paid(net).into_iter().flat_map(|signed| signed.payment.outputs).collect()
    };

    let mut due: Vec<Vec<Output>> = Vec::new();
    for (burns, (block, _)) in all.iter().zip(&minted) {
        due.push(vec![owed(burns.burn(&mut net, (*block, 0), Amount(400)).0)]);
    }
    let once: Vec<_> = networks.iter().map(|network| (*network, 1)).collect();
    net.until("everybody has seen a payment on each network", |net| all_completed(net, &once));
    for (burns, due) in all.iter().zip(&due) {
        assert_eq!(outputs(&net, burns), *due);
    }

    // Nobody can pay while the network is down, and one processor sees nothing at all.
    let (network, burns, (block, balance)) = (networks[0], &all[0], minted[0]);
    net.testnet.kill_network(network).unwrap();
    net.testnet.kill(3, Service::Processor(network)).unwrap();
    due[0].push(owed(burns.burn(&mut net, (block, 1), Amount(balance.0 - 400)).0));
    net.until("the second transaction is agreed on", |net| !is_quiet(net, 0));
    net.testnet.start_network(network).unwrap();
    net.until("the second payment", |net| burns.paid(net).len() == 2);
    net.testnet.start(3, Service::Processor(network)).unwrap();
    net.until("everybody has seen both", |net| all_completed(net, &[(network, 2)]));
    assert_eq!(outputs(&net, burns), due[0]);

    net.testnet.stop();
    for ((network, due), validator) in networks.iter().zip(&due).flat_map(|of| (0..4).map(move |v| (of, v))) {
        let standings = processor_payments(&net.testnet.layout, validator, *network);
        assert_eq!(standings, [Standing { session: Session(0), open: 0, completed: due.len() as u64 }]);
    }
}
