//! Cosigning by real processes: what sets sign is what is acted on, and nothing is once they contradict each other.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeMap;

use coordinator_base_chain::{BaseChain, Event, signing};
use e2e::{
    Net,
    burns::Burns,
    history::History,
    programs::{Ended, Program},
    stores::{Cosign, latest_cosign, processor_keys, replace_latest_cosign},
    threshold::random_subset_signature,
};
use modular_frost::curve::{IetfRistrettoHram, Ristretto};
use orchestration::{cli::Until, layout::Service};
use processor_messages::{Amount, BaseBlock, BaseBlockHash, Network, Session, ValidatorSet};
use serde_json::{Value, json};

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");
const EQUAL: [u16; 4] = [1, 1, 1, 1];

/// What of a coordinator's status is about the blocks that are acted on.
struct Seen {
    code: String,
    /// The last block that is to be cosigned, and the last that is.
    intended: Option<u64>,
    cosigned: Option<u64>,
    /// The next block to act on.
    next: u64,
    conflicts: Value,
    halted: Value,
}

/// What a coordinator shows; `None` if it does not answer.
fn seen(net: &Net, validator: usize) -> Option<Seen> {
    let status = net.raw_status(validator)?;
    let cosign = &status["cosign"];
    Some(Seen {
        code: cosign["code"].as_str()?.to_owned(),
        intended: cosign["intended"].as_u64(),
        cosigned: cosign["cosigned"].as_u64(),
        next: status["base_chain"]["next_block"].as_u64()?,
        conflicts: cosign["conflicts"].clone(),
        halted: cosign["halted"].clone(),
    })
}

/// Whether each of these coordinators answers, and shows this.
fn all_show(net: &Net, validators: &[usize], shows: impl Fn(&Seen) -> bool) -> bool {
    validators.iter().all(|validator| seen(net, *validator).is_some_and(|seen| shows(&seen)))
}

/// Waits until each of these coordinators has a cosign which covers a block, and acted on it.
fn until_acted_on(net: &mut Net, validators: &[usize], block: BaseBlock) {
    let covers = |seen: &Seen| {
        (seen.code == "COSIGN_ENFORCED") && (seen.cosigned >= Some(block.0)) && (seen.next > block.0)
    };
    net.until("a block is cosigned and acted on", |net| all_show(net, validators, covers));
}

/// The last block with such an event.
fn last_with(net: &Net, is_such: impl Fn(&Event) -> bool) -> BaseBlock {
    History::default().read(net).last_with(is_such).unwrap()
}

fn is_batch(event: &Event) -> bool {
    matches!(event, Event::BatchExecuted { .. })
}

/// What a coordinator, which is stopped for it, has as the latest cosign is the set's signature over the chain's block.
fn check_latest_cosign(net: &mut Net, validator: usize, network: Network) {
    net.testnet.kill(validator, Service::Coordinator).unwrap();
    let (set, number, hash, signature) = latest_cosign(&net.testnet.layout, validator, network);
    let block = net.block_on(net.observer.node(0).unwrap().block(number)).unwrap().unwrap();
    assert_eq!((set, hash), (ValidatorSet { network, session: Session(0) }, block.hash()));
    let message = signing::cosign_message(net.testnet.manifest.chain, set, number, hash);
    let (pair, _) = net.observer.networks[&network].keys.clone().unwrap();
    assert!(signing::verify(&pair.base, &message, &signature), "validator {validator}, block {number}");
}

/// `COSIGN-2` to `COSIGN-6`, `COSIGN-10`: before there are keys nobody can cosign; then every coordinator acts on what
/// the set cosigned, on batches as on burns, and goes on so while a validator is silent, who catches up by itself.
#[test]
fn cosigns_follow_keys_and_batches_also_while_a_validator_is_silent() {
    const SILENT: usize = 3;
    let mut net = Net::up(NODE, &EQUAL, 1);
    let network = net.networks()[0];
    net.until("a coordinator without keys on the chain", |net| {
        let bootstraps = |seen: &Seen| (seen.code == "COSIGN_BOOTSTRAP") && seen.cosigned.is_none();
        all_show(net, &[0], bootstraps) || net.have_keys()
    });
    assert!(!net.have_keys(), "keys before any coordinator answered");
    net.until("the first batch", |net| net.observer.has_reached(Until::FirstBatch));
    let (keys, batch) =
        (last_with(&net, |event| matches!(event, Event::KeysSet { .. })), last_with(&net, is_batch));
    assert!(keys < batch);
    until_acted_on(&mut net, &[0, 1, 2, SILENT], batch);

    for service in [Service::Coordinator, Service::Processor(network)] {
        net.testnet.kill(SILENT, service).unwrap();
    }
    // The first of them may have been under way.
    net.until_more_batches(2);
    let batch = last_with(&net, is_batch);
    until_acted_on(&mut net, &[0, 1, 2], batch);

    for service in [Service::Coordinator, Service::Processor(network)] {
        net.testnet.start(SILENT, service).unwrap();
    }
    until_acted_on(&mut net, &[SILENT], batch);
    for validator in 0..net.validators() {
        check_latest_cosign(&mut net, validator, network);
    }
}

/// The set's cosign of another block than the chain's, by the key shares of all its stopped processors.
fn forge(net: &Net, (set, number, ours, _): &Cosign) -> Cosign {
    let layout = &net.testnet.layout;
    let keys = |validator| processor_keys(layout, validator, set.network).unwrap().1;
    let shares: Vec<_> = (0..net.validators()).flat_map(|validator| keys(validator).base).collect();
    let theirs = BaseBlockHash(ours.0.map(|byte| !byte));
    let message = signing::cosign_message(net.testnet.manifest.chain, *set, *number, theirs);
    let signature = random_subset_signature::<Ristretto, IetfRistrettoHram>(&shares, &message).unwrap();
    (*set, *number, theirs, signing::to_signature(&signature))
}

/// The evidence as a status shows it.
fn evidence((set, number, ours, _): &Cosign, (_, _, theirs, _): &Cosign, lifted: bool) -> Value {
    let (set, ours, theirs) = (set.to_string(), ours.to_string(), theirs.to_string());
    json!({ "set": set, "block": number, "ours": ours, "theirs": theirs, "lifted": lifted })
}

/// Whether these coordinators have the same cosign as their last, and a block from `block` on is to be cosigned.
fn lack_alike(net: &Net, validators: &[usize], block: BaseBlock) -> bool {
    let first = validators.first().and_then(|validator| seen(net, *validator)?.cosigned);
    all_show(net, validators, |seen| {
        (seen.intended >= Some(block.0)) && (seen.cosigned < seen.intended) && (seen.cosigned == first)
    })
}

/// What an operator's client gets of a coordinator: status code and text.
fn get(net: &Net, validator: usize, path: &str) -> Option<(u16, String)> {
    let address = net.testnet.manifest.validators[validator].addresses.api;
    net.block_on(async {
        let response = reqwest::get(format!("http://{address}{path}")).await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    })
}

/// Whether a coordinator is halted by this evidence, and says so wherever an operator looks.
fn is_halted(net: &Net, validator: usize, evidence: &Value) -> bool {
    let Some(seen) = seen(net, validator).filter(|seen| seen.code == "COSIGN_HALTED") else { return false };
    assert_eq!(seen.halted["code"], "COSIGN_CONFLICT");
    let remedy = seen.halted["remedy"].as_str().unwrap();
    assert!(
        remedy.contains("coordinator resume --base-chain") && remedy.contains("node resume --base-chain")
    );
    assert_eq!(seen.conflicts, json!([evidence]));
    let (Some((code, problems)), Some((_, metrics))) =
        (get(net, validator, "/readyz"), get(net, validator, "/metrics"))
    else {
        return false;
    };
    let problems: Value = serde_json::from_str(&problems).unwrap();
    let problem =
        problems.as_array().unwrap().iter().find(|problem| problem["check"] == "base_chain").unwrap();
    assert!(problem["what"].as_str().unwrap().starts_with("COSIGN_CONFLICT: "), "{problem}");
    assert_eq!(code, 503);
    assert!(metrics.lines().any(|line| line == "coord_cosign_halted 1"), "{metrics}");
    true
}

/// Lifts the halt of acting on blocks as an operator does: by the commands that `up` tells.
fn lift_base_chain_halt(net: &mut Net, validator: usize, options: &[String]) {
    let commands = net.testnet.resume_commands(validator, options);
    let [stop, lift, start] = &commands[..] else { panic!("{commands:?}") };
    assert!(stop.starts_with("kill ") && start.contains(" node coordinator --config "), "{commands:?}");
    let run = || {
        let words: Vec<&str> = lift.split(' ').collect();
        Program::start(words[0], &words[1..]).end()
    };
    run().only_line(74, &["DATA_DIR_IN_USE"]);
    net.testnet.kill(validator, Service::Coordinator).unwrap();
    let Ended { code, stdout, stderr } = run();
    assert_eq!((code, stderr), (Some(0), Vec::new()));
    assert!(stdout.starts_with("lifted the halt of the base chain: COSIGN_CONFLICT: "), "{stdout}");
    run().only_line(78, &["NOT_HALTED", "the base chain is not halted"]);
    net.testnet.start(validator, Service::Coordinator).unwrap();
}

/// `COSIGN-7` to `COSIGN-10`, `COORD-19`, `NET-10`: a validator tells its peers a cosign of another block, by a set which
/// has all stake. Whoever hears it acts on nothing any more, neither after a restart nor once the set cosigns rightly
/// again, until its halt is lifted; then what was burnt meanwhile is paid. The evidence stays.
#[test]
fn a_conflicting_cosign_halts_every_coordinator_until_its_halt_is_lifted() {
    const LIAR: usize = 3;
    const OTHERS: [usize; 3] = [0, 1, 2];
    let mut net = Net::up(NODE, &EQUAL, 1);
    let network = net.networks()[0];
    let burns = Burns::of(&net, network);
    let (deposits, _) = burns.minted(&mut net);
    let batch = last_with(&net, is_batch);
    until_acted_on(&mut net, &[0, 1, 2, LIAR], batch);

    // Nobody cosigns the block with the burn, so that everybody asks everybody.
    for validator in 0..net.validators() {
        net.testnet.kill(validator, Service::Processor(network)).unwrap();
    }
    let (_, burnt_at) = burns.burn(&mut net, (deposits, 0), Amount(400));
    net.until("everybody lacks the same cosign", |net| lack_alike(net, &[0, 1, 2, LIAR], burnt_at));
    net.testnet.kill(LIAR, Service::Coordinator).unwrap();
    let honest = latest_cosign(&net.testnet.layout, LIAR, network);
    let forged = forge(&net, &honest);
    replace_latest_cosign(&net.testnet.layout, LIAR, network, &forged);
    net.testnet.start(LIAR, Service::Coordinator).unwrap();

    let standing = evidence(&honest, &forged, false);
    net.until("everybody else halts", |net| OTHERS.iter().all(|v| is_halted(net, *v, &standing)));
    net.testnet.kill(LIAR, Service::Coordinator).unwrap();

    // The halt stops acting alone: what is due is cosigned.
    for validator in OTHERS {
        net.testnet.start(validator, Service::Processor(network)).unwrap();
    }
    net.until("the burn is cosigned", |net| {
        all_show(net, &OTHERS, |seen| {
            assert!(seen.next <= burnt_at.0, "acted on a block in spite of the halt");
            seen.cosigned >= Some(burnt_at.0)
        })
    });
    for validator in OTHERS {
        net.testnet.kill(validator, Service::Coordinator).unwrap();
        net.testnet.start(validator, Service::Coordinator).unwrap();
    }
    net.until("it is halted again", |net| OTHERS.iter().all(|v| is_halted(net, *v, &standing)));
    assert_eq!(burns.paid(&net).len(), 0);

    let told = net.observer.take_halts().into_iter();
    let halts: BTreeMap<_, _> = told.filter(|(validator, _)| OTHERS.contains(validator)).collect();
    assert_eq!(halts.keys().copied().collect::<Vec<_>>(), OTHERS);
    for (validator, options) in halts {
        lift_base_chain_halt(&mut net, validator, &options);
    }
    until_acted_on(&mut net, &OTHERS, burnt_at);
    net.until("what was burnt is paid", |net| burns.paid(net).len() == 1);
    net.until_more_batches(1);
    let batch = last_with(&net, is_batch);
    until_acted_on(&mut net, &OTHERS, batch);
    let lifted = json!([evidence(&honest, &forged, true)]);
    assert!(all_show(&net, &OTHERS, |seen| seen.halted.is_null() && (seen.conflicts == lifted)));
}
