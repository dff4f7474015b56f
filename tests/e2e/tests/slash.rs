//! What a member missed costs it stake, between real processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use e2e::{Net, history::History};
use orchestration::layout::Service;
use processor_messages::{Network, Session, Slash, Validator};
use serde_json::Value;

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");
/// n = 10 and t = 7: the last two weigh 4 together, which nobody else does, and sign with any third.
const WEIGHTS: [u16; 4] = [3, 3, 2, 2];
const OF_THE_LAST_TWO: u64 = 4;
/// Whose processor makes signing data and no share.
const ABSENT: usize = 3;
/// Whose coordinator is asked: its processor is never stopped.
const WITNESS: usize = 2;
/// Long enough for keys and a first missed share; the next set is declared after it.
const EPOCH_BLOCKS: u64 = 100;
/// What a missed share counts.
const MISSED_SHARE: u32 = 10;
/// What a key share costs in a testnet.
const STAKE_PER_SHARE: u64 = 1_000;

fn validator(net: &Net, number: usize) -> Validator {
    net.testnet.manifest.validators[number].validator
}

/// The first set as the witness shows it.
fn first_set(net: &Net, network: Network) -> Option<Value> {
    let name = format!("{network}/0");
    let status = net.raw_status(WITNESS)?;
    status["sets"].as_array()?.iter().find(|set| set["set"] == name.as_str()).cloned()
}

/// The open topics with their attempts for which the last two made signing data, and nobody is selected.
fn waiting(net: &Net, network: Network) -> Vec<(Value, Value)> {
    let Some(set) = first_set(net, network) else { return Vec::new() };
    let of_both = |topic: &&Value| {
        (topic["preprocess_weight"] == OF_THE_LAST_TWO) && topic["selected_weight"].is_null()
    };
    let topics = set["topics"].as_array().into_iter().flatten().filter(of_both);
    topics.map(|topic| (topic["topic"].clone(), topic["attempt"].clone())).collect()
}

/// Whether the witness counted a share which the absent one missed.
fn has_missed(net: &Net, network: Network) -> bool {
    let Some(set) = first_set(net, network) else { return false };
    let absent = validator(net, ABSENT).to_string();
    let slashed = set["slashed"].as_array().into_iter().flatten();
    let counts = slashed.filter(|of| of["validator"] == absent.as_str()).map(|of| of["counts"].to_string());
    counts.into_iter().any(|counts| counts.contains("MissedShare"))
}

/// Whether an attempt is still the topic's.
fn goes_on(net: &Net, network: Network, (topic, attempt): &(Value, Value)) -> bool {
    let Some(set) = first_set(net, network) else { return true };
    let mut topics = set["topics"].as_array().into_iter().flatten();
    topics.any(|of| (of["topic"] == *topic) && (of["attempt"] == *attempt))
}

/// Lets the absent one's processor be gone when its signing data are selected. While two more are gone nothing is
/// selected; what is then needs it, and nothing can be signed until it is back: the attempt passes, unless its time was over before
/// a third one was there.
fn try_to_miss_a_share(net: &mut Net, network: Network) {
    let processor = Service::Processor(network);
    net.testnet.kill(0, processor).unwrap();
    net.testnet.kill(1, processor).unwrap();
    net.until("signing data of the last two alone", |net| !waiting(net, network).is_empty());
    net.testnet.kill(ABSENT, processor).unwrap();
    let attempts = waiting(net, network);
    net.testnet.start(0, processor).unwrap();
    net.until("the end of the attempt", |net| {
        has_missed(net, network) || attempts.iter().all(|attempt| !goes_on(net, network, attempt))
    });
    net.testnet.start(1, processor).unwrap();
    net.testnet.start(ABSENT, processor).unwrap();
}

/// `SIGN-14`, `SIGN-18`, `BASE-45`: from a share that a processor did not make, to points which every coordinator counts, to the
/// report which the set signs at its handover, to stake that is gone: of everybody as much as its points say.
#[test]
fn a_missed_share_costs_its_points_of_the_stake() {
    let mut net = Net::prepare_epochs(NODE, &WEIGHTS, 1, EPOCH_BLOCKS);
    net.testnet.start_all(&[]).unwrap();
    let network = net.networks()[0];
    net.until("keys", Net::have_keys);
    while !has_missed(&net, network) {
        try_to_miss_a_share(&mut net, network);
    }

    let mut history = History::default();
    net.until("the report", |net| history.read(net).retired_with(Session(0)).is_some());
    let points =
        |of: Validator| match history.retired_with(Session(0)).unwrap().iter().find(|(v, _)| *v == of) {
            None => 0,
            Some((_, Slash::Points(points))) => *points,
            Some((_, Slash::Fatal)) => panic!("nobody did anything fatal"),
        };
    assert!(points(validator(&net, ABSENT)) >= MISSED_SHARE);
    for (number, weight) in WEIGHTS.into_iter().enumerate() {
        let of = validator(&net, number);
        let full = u64::from(weight) * STAKE_PER_SHARE;
        let left = history.stake(of).unwrap_or(full);
        assert_eq!(full - left, full * u64::from(points(of)) / 10_000, "validator {number}");
    }
}
