use coordinator_store::Store;
use processor_messages::{KeyShares, ToProcessor};

use super::*;
use crate::{
    dkg::dealt,
    tests::cluster::{Cluster, SESSION, validator},
};

fn blames(letters: &[FromProcessor]) -> Vec<Validator> {
    letters
        .iter()
        .filter_map(|letter| match letter {
            FromProcessor::KeyGen(key_gen::FromProcessor::Blame { validator, .. }) => Some(*validator),
            _ => None,
        })
        .collect()
}

fn failure(letters: &[FromProcessor]) -> Option<(FailureReason, Vec<Validator>)> {
    letters.iter().find_map(|letter| match letter {
        FromProcessor::KeyGen(key_gen::FromProcessor::Failed { reason, culprits, .. }) => {
            Some((reason.clone(), culprits.to_vec()))
        }
        _ => None,
    })
}

fn resends(letters: &[FromProcessor]) -> Vec<(Session, Incarnation)> {
    letters
        .iter()
        .filter_map(|letter| match letter {
            FromProcessor::KeyGen(key_gen::FromProcessor::Resend { session, incarnation }) => {
                Some((*session, *incarnation))
            }
            _ => None,
        })
        .collect()
}

#[test]
fn everybody_generates_the_same_key_pair() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.generate();
}

#[test]
fn validators_of_several_shares_hold_as_many_keys() {
    let mut cluster = Cluster::new(&[3, 3, 2, 2]);
    let pair = cluster.generate();
    for node in cluster.indices() {
        let keys = cluster.nodes[node].processor.keys(SESSION).unwrap().unwrap();
        assert_eq!(keys.pair().unwrap(), pair);
        let indices = crate::frost::SigningKeys::Ristretto(keys.base).participants();
        assert_eq!(indices, cluster.participants(node));
    }
}

#[test]
fn a_silent_validator_gets_its_keys_too() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.declare();
    let three = (0..3).map(|node| cluster.participation(node)).collect();
    cluster.block(three);
    for _ in 0..3 {
        cluster.work_all();
        assert_eq!(cluster.generated(0), None);
        cluster.block(vec![]);
    }
    cluster.work_all();
    let pair = cluster.generated(0).unwrap();
    assert_eq!(cluster.generated(3), Some(pair));
}

#[test]
fn an_invalid_participation_is_blamed_and_the_others_complete() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.declare();
    let mut all: Vec<_> = cluster.indices().map(|node| cluster.participation(node)).collect();
    all[2].1 = ParticipationBytes::new(b"garbage".to_vec()).unwrap();
    cluster.block(all);
    cluster.work_all();
    let letters = cluster.letters(0);
    assert_eq!(blames(&letters), [validator(2)]);
    assert!(
        letters
            .iter()
            .any(|l| matches!(l, FromProcessor::KeyGen(key_gen::FromProcessor::GeneratedKeyPair { .. })))
    );
}

/// `PROC-3`: valid or not, the first of each validator counts.
#[test]
fn a_second_participation_is_ignored_even_if_the_first_was_invalid() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.declare();
    let good: Vec<_> = cluster.indices().map(|node| cluster.participation(node)).collect();
    let bad = ParticipationBytes::new(b"garbage".to_vec()).unwrap();
    cluster.block(vec![(validator(2), bad)]);
    cluster.block(good);
    cluster.work_all();
    assert_eq!(blames(&cluster.letters(1)), [validator(2)]);
}

#[test]
fn a_stranger_s_participation_is_ignored() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.declare();
    cluster.block(vec![(Validator([99; 32]), dealt::participation(0))]);
    cluster.work(0);
    assert_eq!(blames(&cluster.letters(0)), []);
}

#[test]
fn too_few_valid_participations_fail_and_name_the_invalid() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.declare();
    cluster.work(0);
    drop(cluster.letters(0));
    let bad = ParticipationBytes::new(b"garbage".to_vec()).unwrap();
    cluster.block(vec![(validator(1), bad.clone()), (validator(3), bad)]);
    cluster.work(0);
    let letters = cluster.letters(0);
    let expected = vec![validator(1), validator(3)];
    assert_eq!(failure(&letters), Some((FailureReason::TooFewValid, expected)));
}

#[test]
fn a_declaration_which_cannot_be_ours_is_refused_with_a_reason() {
    let cluster = Cluster::new(&[1, 1, 1, 1]);
    let change = |change: &dyn Fn(&mut ChainGenesis, &mut List<Member, MEMBERS>)| {
        let ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey { mut chain, mut members, .. }) =
            cluster.generate_key(Incarnation(0))
        else {
            unreachable!("made so")
        };
        change(&mut chain, &mut members);
        ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey {
            session: SESSION,
            incarnation: Incarnation(0),
            chain,
            threshold: KeyShares(3),
            grace: 1,
            members,
        })
    };
    cluster.tell(0, change(&|chain, _| chain.0 = [0; 32]));
    cluster.tell(1, change(&|_, members| *members = List::new(members[2..].to_vec()).unwrap()));
    cluster.tell(
        2,
        change(&|_, members| {
            let mut all = members.to_vec();
            all[2].embedded = all[0].embedded.clone();
            *members = List::new(all).unwrap();
        }),
    );
    cluster.work(2);
    let reason = |node| failure(&cluster.letters(node)).map(|(reason, _)| reason);
    assert_eq!(reason(0), Some(FailureReason::InvalidParameters));
    assert_eq!(reason(1), Some(FailureReason::InvalidParameters));
    assert_eq!(reason(2), Some(FailureReason::EmbeddedKeyMissing));
}

/// `PROC-6`: a message which comes again has no effect.
#[test]
fn a_message_is_handled_once() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.declare();
    cluster.work(0);
    assert_eq!(cluster.letters(0).len(), 1);
    cluster.declare();
    cluster.work(0);
    assert_eq!(cluster.letters(0), []);
    cluster.block(vec![]);
    cluster.through -= 1;
    cluster.block(vec![(validator(1), dealt::participation(1))]);
    let store = cluster.nodes[0].store.clone();
    assert_eq!(store.read(|db| firsts(db, SESSION)).unwrap(), []);
}

/// `PROC-5`.
#[test]
fn a_processor_which_lost_its_disk_asks_and_has_the_same_shares_again() {
    let mut cluster = Cluster::new(&[2, 2, 2, 1]);
    let pair = cluster.generate();
    let before = cluster.nodes[1].processor.keys(SESSION).unwrap().unwrap().serialize().to_vec();
    cluster.wipe(1, 5_000_000);
    let asked = resends(&cluster.letters(1));
    assert_eq!(asked, [(SESSION, Incarnation(5_000_000))]);
    cluster.resend(1, asked[0].1);
    cluster.work(1);
    let after = cluster.nodes[1].processor.keys(SESSION).unwrap().unwrap();
    assert_eq!(after.serialize().to_vec(), before);
    assert_eq!(after.pair().unwrap(), pair);
}

#[test]
fn a_live_stream_seen_before_the_answer_changes_nothing() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    let pair = cluster.generate();
    cluster.wipe(1, 5_000_000);
    cluster.block(vec![]);
    let asked = resends(&cluster.letters(1));
    assert_eq!(asked.len(), 1);
    cluster.resend(1, asked[0].1);
    cluster.block(vec![]);
    cluster.work(1);
    assert_eq!(cluster.generated(1), Some(pair));
}

#[test]
fn a_new_life_asks_for_later_sessions_once_it_was_answered_or_heard_of_them() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    let pair = cluster.generate();
    cluster.wipe(1, 5_000_000);
    let life = Incarnation(5_000_000);
    drop(cluster.letters(1));
    cluster.resend(1, life);
    assert_eq!(resends(&cluster.letters(1)), [(Session(1), life)]);
    cluster.tell(1, crate::tests::cluster::from_the_beginning(life, 9));
    cluster.tell(
        1,
        ToProcessor::BaseChain(processor_messages::base_chain::ToProcessor::SetKeys {
            time_unix_secs: 1,
            session: Session(6),
            key_pair: pair,
        }),
    );
    assert_eq!(resends(&cluster.letters(1)), [(Session(6), life)]);
}

#[test]
fn the_first_life_never_asks() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.block(vec![]);
    assert_eq!(cluster.letters(0), []);
}

/// `PROC-4`.
#[test]
fn a_share_which_does_not_match_is_reported_and_not_used() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.declare();
    let all = cluster.indices().map(|node| cluster.participation(node)).collect();
    cluster.block(all);
    let processor = &cluster.nodes[0].processor;
    let verify = processor.next_job().unwrap().unwrap();
    drop(processor.record(&verify.context, processor.compute(&verify)).unwrap());
    let job = processor.next_job().unwrap().unwrap();
    let Ok(crate::processor::Done::Recovered(Ok(mut keys))) = processor.compute(&job) else {
        panic!("the collection is closed")
    };
    // The share of another validator under our index.
    let theirs = &cluster.nodes[1].processor;
    let job_1 = Job { own: 1, embedded: cluster.members[1].embedded.clone(), ..job.clone() };
    let Ok(crate::processor::Done::Recovered(Ok(other))) = theirs.compute(&job_1) else {
        panic!("the collection is closed")
    };
    let shares = (1..=4)
        .map(|i| {
            let i = ::dkg::Participant::new(i).unwrap();
            (i, keys.base[0].original_verification_share(i))
        })
        .collect();
    keys.base[0] = ::dkg::ThresholdKeys::new(
        keys.base[0].params(),
        ::dkg::Interpolation::Lagrange,
        other.base[0].original_secret_share().clone(),
        shares,
    )
    .unwrap();
    let done = Ok(crate::processor::Done::Recovered(Ok(keys)));
    drop(processor.record(&job.context, done).unwrap());
    assert_eq!(failure(&cluster.letters(0)).unwrap().0, FailureReason::ShareMismatch);
    assert!(cluster.nodes[0].processor.keys(SESSION).unwrap().is_none());
}

#[test]
fn a_restart_at_any_step_ends_with_the_same_key_pair_and_one_participation() {
    let mut reference = None;
    for stop in 0..8 {
        let mut cluster = Cluster::new(&[1, 1, 1, 1]);
        cluster.declare();
        let mut sent = Vec::new();
        let mut steps = 0;
        let mut restart = |cluster: &mut Cluster| {
            if steps == stop {
                cluster.restart(0);
            }
            steps += 1;
        };
        restart(&mut cluster);
        sent.push(cluster.participation(0));
        restart(&mut cluster);
        let others: Vec<_> = (1..4).map(|node| cluster.participation(node)).collect();
        for participation in sent.clone().into_iter().chain(others) {
            cluster.block(vec![participation]);
            restart(&mut cluster);
            cluster.work(0);
        }
        let pair = cluster.nodes[0].processor.key_pair(SESSION).unwrap().unwrap().0;
        // Embedded keys are fresh in each cluster, so only stability within one is compared.
        cluster.restart(0);
        cluster.work(0);
        assert_eq!(cluster.nodes[0].processor.key_pair(SESSION).unwrap().unwrap().0, pair);
        reference.get_or_insert(pair);
    }
    assert!(reference.is_some());
}

#[test]
fn a_retired_session_leaves_no_share() {
    let (cluster, _) = Cluster::with_keys(&[1, 1, 1, 1]);
    let retire = processor_messages::base_chain::ToProcessor::SlashesReported { session: SESSION };
    cluster.tell_all(&ToProcessor::BaseChain(retire));
    assert!(cluster.nodes[0].processor.keys(SESSION).unwrap().is_none());
}

#[test]
fn a_session_without_keys_is_forgotten_once_a_later_one_has_keys() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    let pair = cluster.generate();
    let stages = |cluster: &Cluster| cluster.nodes[0].store.read(|db| stages(db)).unwrap();
    assert_eq!(stages(&cluster), [(SESSION, Stage::Done)]);
    let set_keys = processor_messages::base_chain::ToProcessor::SetKeys {
        time_unix_secs: 1,
        session: Session(1),
        key_pair: pair,
    };
    cluster.tell(0, ToProcessor::BaseChain(set_keys));
    assert_eq!(stages(&cluster), []);
    assert!(cluster.nodes[0].processor.keys(SESSION).unwrap().is_none());
}

/// A cluster in which the participations of this many members are in, and the first node's job.
fn verifying(members: u16) -> (Cluster, Job) {
    let mut cluster = Cluster::new(&vec![1; usize::from(members)]);
    cluster.declare();
    cluster.work(0);
    drop(cluster.letters(0));
    let of = |member: u16| (validator(member.into()), dealt::participation(member));
    cluster.block((0..members).map(of).collect());
    let job = cluster.nodes[0].processor.next_job().unwrap().unwrap();
    assert_eq!(job.work.participations(), usize::from(members));
    (cluster, job)
}

/// Which computation tells last what it took of processor time (`PROC-20`).
fn take_computed(told: &mut Vec<Notice>) -> &'static str {
    match told.pop() {
        Some(Notice::Computed { session: SESSION, work, .. }) => work,
        other => panic!("not what a computation took: {other:?}"),
    }
}

/// `PROC-20`.
#[test]
fn each_computation_tells_once_what_it_took() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    let mut computed = Vec::new();
    let mut work = |cluster: &Cluster| {
        let processor = &cluster.nodes[0].processor;
        while let Some(job) = processor.next_job().unwrap() {
            let mut told = Vec::new();
            let done = processor.compute_while(&job, || true, |notice| told.push(notice));
            computed.push(take_computed(&mut told));
            assert_eq!(told, []);
            drop(processor.record(&job.context, done).unwrap());
        }
    };
    cluster.declare();
    work(&cluster);
    let all = cluster.indices().map(|node| cluster.participation(node)).collect();
    cluster.block(all);
    work(&cluster);
    assert_eq!(computed, ["participate", "verify", "recover"]);
}

/// `PROC-20`: what was verified as it arrived is not verified again, so that at the close the last arrivals alone remain.
#[test]
fn a_later_block_leaves_its_own_participations_to_verify_and_no_others() {
    let mut cluster = Cluster::new(&[1; 8]);
    cluster.declare();
    cluster.work(0);
    drop(cluster.letters(0));
    let of = |member: u16| (validator(member.into()), dealt::participation(member));
    let remaining =
        |cluster: &Cluster| cluster.nodes[0].processor.next_job().unwrap().unwrap().work.participations();
    for (members, new) in [(0..3, 3), (3..5, 2), (5..8, 3)] {
        assert_eq!(cluster.generated(0), None);
        cluster.block(members.map(of).collect());
        assert_eq!(remaining(&cluster), new);
        cluster.work(0);
    }
    assert!(cluster.generated(0).is_some());
}

/// `PROC-20`.
#[test]
fn a_verification_which_was_ended_decides_nothing_and_completes_when_done_again() {
    let (cluster, job) = verifying(40);
    let processor = &cluster.nodes[0].processor;
    let kept = || cluster.nodes[0].store.read(|db| firsts(db, SESSION)).unwrap();
    let (before, asked) = (kept(), std::cell::Cell::new(0));
    let go_on = || {
        asked.set(asked.get() + 1);
        asked.get() <= 15
    };
    let mut told = Vec::new();
    let ended = processor.compute_while(&job, go_on, |notice| told.push(notice)).err();
    assert_eq!(ended, Some(KeyGenError::Cancelled));
    // Nothing of the other 25 was looked at.
    assert_eq!(asked.get(), 16);
    assert_eq!(take_computed(&mut told), "verify");
    assert_eq!(told.last(), Some(&Notice::Cancelled { session: SESSION }));
    drop(processor.record(&job.context, Err(KeyGenError::Cancelled)).unwrap());
    assert_eq!(kept(), before);
    assert_eq!(cluster.letters(0), []);
    assert_eq!(processor.next_job().unwrap(), Some(job));
    cluster.work(0);
    assert!(kept().iter().all(|first| first.valid == Some(true)));
    assert!(cluster.generated(0).is_some());
}

/// `PROC-20`.
#[test]
fn a_verification_tells_each_quarter_of_its_way() {
    let (cluster, job) = verifying(40);
    let mut told = Vec::new();
    let done = cluster.nodes[0].processor.compute_while(&job, || true, |notice| told.push(notice));
    assert!(done.is_ok());
    assert_eq!(take_computed(&mut told), "verify");
    let quarter = |percent| Notice::Verifying { session: SESSION, participations: 40, percent };
    assert_eq!(told, [25, 50, 75].map(quarter));
}

/// What is told of a verification when a message comes at its first quarter.
fn told_when(message: &ToProcessor) -> (Cluster, Vec<Notice>) {
    let (cluster, job) = verifying(8);
    let processor = &cluster.nodes[0].processor;
    let mut told = Vec::new();
    let tell = |notice| {
        if told.is_empty() {
            cluster.tell(0, message.clone());
        }
        told.push(notice);
    };
    let done = processor.compute_while(&job, || true, tell);
    drop(processor.record(&job.context, done).unwrap());
    assert_eq!(take_computed(&mut told), "verify");
    (cluster, told)
}

/// `PROC-20`: its keys alone do not end it.
#[test]
fn a_verification_ends_when_its_session_is_retired_or_dropped() {
    let pair = Cluster::new(&[1, 1, 1, 1]).generate();
    let retired = processor_messages::base_chain::ToProcessor::SlashesReported { session: SESSION };
    let dropped = Cluster::set_keys_of(Session(1), &pair);
    for message in [ToProcessor::BaseChain(retired), dropped] {
        let (cluster, told) = told_when(&message);
        assert_eq!(told.len(), 2);
        assert_eq!(told[1], Notice::Cancelled { session: SESSION });
        assert_eq!(cluster.nodes[0].processor.next_job().unwrap(), None);
        assert_eq!(cluster.letters(0), []);
    }
    let (cluster, told) = told_when(&Cluster::set_keys(&pair));
    assert_eq!(told.len(), 3);
    cluster.work(0);
    assert!(cluster.generated(0).is_some());
}

/// `PROC-20`.
#[test]
fn a_computation_is_wanted_until_its_result_is_here() {
    let mut cluster = Cluster::new(&[1, 1, 1, 1]);
    cluster.declare();
    let mut jobs = vec![cluster.nodes[0].processor.next_job().unwrap().unwrap()];
    let all = cluster.indices().map(|node| cluster.participation(node)).collect();
    cluster.block(all);
    let processor = &cluster.nodes[0].processor;
    let wanted = |job: &Job| cluster.nodes[0].store.read(|db| is_wanted(db, job)).unwrap();
    while let Some(job) = processor.next_job().unwrap() {
        assert!(wanted(&job));
        assert!(!jobs.iter().any(wanted));
        drop(processor.record(&job.context, processor.compute(&job)).unwrap());
        jobs.push(job);
    }
    assert_eq!(jobs.len(), 3);
    assert!(!jobs.iter().any(wanted));
}
