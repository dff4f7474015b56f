//! Sets whose members leave, join and return, as real processes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use coordinator_base_chain::Event;
use e2e::{Net, history::History, staking};
use orchestration::layout::Service;
use processor_messages::{BatchId, Network, Session, Slash, Validator};
use serde_json::Value;

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");
/// Who serves each session: of each set three quarters were not in the former one.
const SETS: [[usize; 4]; 3] = [[0, 1, 2, 3], [3, 4, 5, 6], [6, 0, 1, 2]];
/// Enough for what the validators ask of the chain between two sets to be final.
const EPOCH_BLOCKS: u64 = 40;
/// What each validator has free once nothing of it is locked any more. Each began with 1,000; those of the first set had as
/// much at stake. Of the seven, those of the last set have it at stake now.
const FREE: [u64; 7] = [1_000, 1_000, 1_000, 2_000, 1_000, 1_000, 0];

fn members(net: &Net, of: &[usize]) -> BTreeSet<Validator> {
    of.iter().map(|number| net.testnet.manifest.validators[*number].validator).collect()
}

/// Lets who is not in `next` leave and who is not in `former` come, by calls of their own; waits until they are final.
fn change_members(net: &mut Net, history: &mut History, former: &[usize], next: &[usize]) {
    let network = net.networks()[0];
    let leaving: Vec<_> = former.iter().filter(|number| !next.contains(number)).copied().collect();
    for number in &leaving {
        staking::leave(net, *number, network);
    }
    let coming: Vec<_> = next.iter().filter(|number| !former.contains(number)).copied().collect();
    for number in &coming {
        let returns = SETS[0].contains(number);
        if returns { staking::rejoin(net, *number, network) } else { staking::join(net, *number, network) }
    }
    net.until("the stakes are changed", |net| {
        let history = history.read(net);
        let stake = |number: &usize| history.stake(net.testnet.manifest.validators[*number].validator);
        leaving.iter().all(|number| stake(number) == Some(0))
            && coming.iter().all(|number| stake(number) == Some(1_000))
    });
}

/// From a set that signs to its successor's second batch, and its own end with its report.
fn rotate(net: &mut Net, history: &mut History, session: Session, former: &[usize], next: &[usize]) {
    let successor = session.next();
    net.until("the set is declared", |net| history.read(net).declared(session).is_some());
    change_members(net, history, former, next);
    net.until("the next set is declared", |net| history.read(net).declared(successor).is_some());
    let declared = history.declared(successor).unwrap();
    assert_eq!(declared.validators().into_iter().collect::<BTreeSet<_>>(), members(net, next));
    net.until("the handover, the report, and the former set's end", |net| {
        let history = history.read(net);
        (history.batches_of(successor) >= 2) && history.retired_with(session).is_some()
    });
    let report = history.retired_with(session).unwrap();
    assert!(report.iter().all(|(_, slash)| *slash != Slash::Fatal), "nobody did anything wrong: {report:?}");
}

/// Whether a set is of one of these sessions; later ones come as long as the testnet runs.
fn is_of(set: &Value, sessions: &std::ops::Range<usize>) -> bool {
    let session = set["set"].as_str().and_then(|set| set.split_once('/')?.1.parse().ok());
    session.is_some_and(|session| sessions.contains(&session))
}

/// The sets of these sessions which a coordinator shows as `field`.
fn shown(status: &Value, field: &str, sessions: std::ops::Range<usize>) -> BTreeSet<String> {
    let sets = status[field].as_array().into_iter().flatten().filter(|set| is_of(set, &sessions));
    sets.filter_map(|set| Some(set["set"].as_str()?.to_owned())).collect()
}

/// Whether a coordinator acted on all blocks up to the end of the first two sets, and has of each of the three what its
/// part in it was: of the ended ones their archives alone, and of the last one its state, unless that ended too.
fn has_its_part(net: &Net, history: &History, validator: usize, network: Network) -> bool {
    let Some(status) = net.raw_status(validator) else { return false };
    let served = |sessions: std::ops::Range<usize>| -> BTreeSet<String> {
        let served = sessions.filter(|session| SETS[*session].contains(&validator));
        served.map(|session| format!("{network}/{session}")).collect()
    };
    let is_end = |event: &Event| matches!(event, Event::SetRetired { set, .. } if set.session < Session(2));
    let ended = history.last_with(is_end);
    let first_two = |set: &&Value| is_of(set, &(0..2));
    let pruned = status["retired"].as_array().into_iter().flatten().filter(first_two).all(|set| {
        let data = net.testnet.layout.service(validator, Service::Coordinator).join("data");
        let archive = data.join("archive").join(set["archive"].as_str().unwrap());
        (set["pruned"] == true) && (set["reported"] == true) && archive.is_file()
    });
    let mut last = shown(&status, "sets", 2..3);
    last.append(&mut shown(&status, "retired", 2..3));
    (status["base_chain"]["next_block"].as_u64() > ended.map(|block| block.0))
        && shown(&status, "sets", 0..2).is_empty()
        && (shown(&status, "retired", 0..2) == served(0..2))
        && (last == served(2..3))
        && pruned
}

/// `NET-11`, `BASE-13`, `BASE-15`, `BASE-16`, `BASE-43`, `BASE-44`, `SIGN-20`, `SIGN-22`: each set keeps one member of the former one; three come,
/// of whom those of the second set register their keys, and those of the third had left with the first. Batches go on
/// without a gap, each set ends with its report, and who left has its stake back.
#[test]
fn members_leave_join_and_return_over_two_rotations() {
    let mut net = Net::prepare_epochs(NODE, &[1, 1, 1, 1, 0, 0, 0], 1, EPOCH_BLOCKS);
    net.testnet.start_all(&[]).unwrap();
    let network = net.networks()[0];
    let mut history = History::default();
    for (session, pair) in (0..).map(Session).zip(SETS.windows(2)) {
        rotate(&mut net, &mut history, session, &pair[0], &pair[1]);
    }

    let batches = history.batches();
    assert!((0..).zip(&batches).all(|(due, (id, _))| *id == BatchId(due)), "without a gap: {batches:?}");
    assert!(batches.is_sorted_by_key(|(_, session)| *session), "one set after the other: {batches:?}");
    assert!((0..3).all(|session| history.batches_of(Session(session)) > 0), "{batches:?}");

    net.until("stakes of who left are free", |net| {
        (0..).zip(FREE).all(|(validator, free)| staking::free(net, validator) == Some(free))
    });
    net.until("everybody has its part of each set", |net| {
        (0..net.validators()).all(|validator| has_its_part(net, history.read(net), validator, network))
    });
}
