use std::sync::Arc;

use super::*;
use crate::{
    rules::key_gen::Work as KeyGenWork,
    tests::cluster::{Cluster, SESSION},
};

/// The real key generation, its keys used for a real signature, with a lost disk and a faulty dealer.
#[test]
fn real_keys_are_generated_by_weights_recovered_and_sign() {
    let mut cluster = Cluster::with(&[2, 1, 1, 1], Arc::new(Evrf::default()));
    cluster.declare();
    let mut all: Vec<_> = cluster.indices().map(|node| cluster.participation(node)).collect();
    // One validator sends another's: bound to the dealer, so invalid.
    all[3].1 = all[1].1.clone();
    cluster.block(all);
    cluster.work_all();
    let pairs: Vec<_> = cluster.indices().map(|node| cluster.generated(node).unwrap()).collect();
    assert!(pairs.windows(2).all(|two| two[0] == two[1]));
    let pair = pairs[0].clone();

    let before = cluster.nodes[0].processor.keys(SESSION).unwrap().unwrap().serialize();
    cluster.wipe(0, 9_000_000);
    drop(cluster.letters(0));
    cluster.resend(0, processor_messages::Incarnation(9_000_000));
    // Its own participation is in the log, so it makes none.
    assert!(matches!(
        cluster.nodes[0].processor.next_job().unwrap().unwrap().work,
        KeyGenWork::Verify(all) if all.len() == 4
    ));
    cluster.work(0);
    assert_eq!(cluster.generated(0), Some(pair.clone()));
    assert_eq!(*cluster.nodes[0].processor.keys(SESSION).unwrap().unwrap().serialize(), *before);

    cluster.tell_all(&Cluster::set_keys(&pair));
    let id = cluster.cosign(5);
    let mut preprocesses = cluster.preprocesses(id);
    preprocesses.remove(1);
    let selected = [0, 2, 3];
    cluster.send_preprocesses(&selected, id, &cluster.pieces(&preprocesses));
    let shares = cluster.shares(&selected, id);
    cluster.send_shares(&selected, id, &cluster.pieces(&shares));
    assert!(cluster.letters(3).iter().any(|letter| Cluster::verify_cosign(&pair, letter)));
}

/// The network's keys are on the curve it has, of the length it has, and the same at every processor.
#[test]
fn keys_of_a_network_on_ed25519_are_generated_and_kept() {
    let curve = NetworkCurve::Ed25519;
    let mut cluster = Cluster::on(curve, &[2, 1, 1, 1], Arc::new(Evrf::default()));
    cluster.declare();
    // A set of a network on another curve than the configuration says.
    let mut job = cluster.nodes[0].processor.next_job().unwrap().unwrap();
    job.embedded.network = KeyBytes::new(vec![2; 33]).unwrap();
    let refused = cluster.nodes[0].processor.compute(&job).err().unwrap();
    assert_eq!(refused, KeyGenError::EmbeddedKeyMissing);
    assert!(refused.to_string().contains("correct `curve`"), "{refused}");
    let all: Vec<_> = cluster.indices().map(|node| cluster.participation(node)).collect();
    cluster.block(all);
    cluster.work_all();
    let pairs: Vec<_> = cluster.indices().map(|node| cluster.generated(node).unwrap()).collect();
    assert!(pairs.windows(2).all(|two| two[0] == two[1]));
    assert!(coordinator_base_chain::signing::is_network_key(curve, &pairs[0].network));
    for node in cluster.indices() {
        let keys = cluster.nodes[node].processor.keys(SESSION).unwrap().unwrap();
        assert!(matches!(&keys.network, NetworkKeys::Ed25519(keys) if !keys.is_empty()));
        assert_eq!(keys.network.len(), keys.base.len());
        keys.check().unwrap();
        assert!(Keys::deserialize(NetworkCurve::Secp256k1, &keys.serialize()).is_err());
    }
}

#[test]
fn a_set_which_cannot_generate_a_key_is_refused() {
    let cluster = Cluster::with(&[1], Arc::new(Evrf::default()));
    cluster.declare();
    let job = cluster.nodes[0].processor.next_job().unwrap().unwrap();
    let refused = cluster.nodes[0].processor.compute(&job).err().unwrap();
    assert!(matches!(refused, KeyGenError::Parameters(_)));
}

#[test]
fn participations_of_any_bytes_are_invalid_and_nothing_else() {
    let cluster = Cluster::with(&[1, 1, 1, 1], Arc::new(Evrf::default()));
    cluster.declare();
    let context = cluster.nodes[0].processor.next_job().unwrap().unwrap().context;
    let part = |bytes: &[u8]| Part::new(bytes.to_vec()).unwrap();
    let cases = [
        vec![],
        vec![0; 3],
        vec![0xff; 64],
        encode(&(part(&[]), part(&[]))),
        encode(&(part(&[0; 2_500]), part(&[0xff; 2_600]))),
    ];
    let participations: Vec<_> = (0..4)
        .cycle()
        .zip(cases)
        .map(|(dealer, bytes)| (dealer, ParticipationBytes::new(bytes).unwrap()))
        .collect();
    assert_eq!(Evrf::default().verify(&context, &participations).unwrap(), [false; 5]);
}

#[test]
fn the_parameters_of_the_latest_sets_are_kept_and_no_more() {
    let cluster = Cluster::with(&[1, 1, 1, 1], Arc::new(Evrf::default()));
    cluster.declare();
    let context = cluster.nodes[0].processor.next_job().unwrap().unwrap().context;
    let evrf = Evrf::default();
    let set = |context: &Context| match evrf.set(context).unwrap() {
        AnySet::Secp256k1(set) => set,
        AnySet::Ed25519(_) => panic!("another curve"),
    };
    let first = set(&context);
    assert!(Arc::ptr_eq(&first, &set(&context)));
    for session in (1..).take(MAX_SETS) {
        let other = Context { session: processor_messages::Session(session), ..context.clone() };
        assert_ne!(set(&other).base.context(), first.base.context());
    }
    assert_eq!(lock(&evrf.sets).len(), MAX_SETS);
    assert!(!Arc::ptr_eq(&first, &set(&context)));
}

/// What a verification of these tells, and what it comes to if it is ended after so many times.
fn verify_telling(
    evrf: &Evrf,
    context: &Context,
    participations: &[(u16, ParticipationBytes)],
    stop: usize,
) -> (Vec<Progress>, Result<Vec<bool>, KeyGenError>) {
    let mut told = Vec::new();
    let result = evrf.verify_with(context, participations, &mut |progress| {
        if told.len() == stop {
            return ControlFlow::Break(());
        }
        told.push(progress);
        ControlFlow::Continue(())
    });
    (told, result)
}

/// `PROC-20`.
#[test]
fn a_verification_on_both_curves_tells_its_steps_and_ends_at_each() {
    let cluster = Cluster::with(&[1, 1, 1, 1], Arc::new(Evrf::default()));
    cluster.declare();
    let context = cluster.nodes[0].processor.next_job().unwrap().unwrap().context;
    let all = cluster.indices().map(|node| cluster.participation(node).1);
    let mut all: Vec<_> = (0..).zip(all).collect();
    let evrf = Evrf::default();
    // Each is read, then all are summed; on one curve, then on the other.
    let steps: Vec<usize> = vec![0, 1, 2, 3, 4, 4, 4, 5, 6, 7, 8, 8];
    for stop in 0..steps.len() {
        let (told, result) = verify_telling(&evrf, &context, &all, stop);
        assert_eq!(result, Err(KeyGenError::Cancelled));
        assert_eq!(told.len(), stop);
        assert!(lock(&evrf.secp256k1).is_empty());
    }
    let secrets = EmbeddedSecrets::from_bytes(cluster.secret(0)).unwrap();
    let end = &mut |_: Progress| ControlFlow::Break(());
    let recovered = evrf.recover_with(&context, 0, &secrets, &all, end);
    assert_eq!(recovered.err(), Some(KeyGenError::Cancelled));
    let (told, result) = verify_telling(&evrf, &context, &all, usize::MAX);
    assert_eq!(result, Ok(vec![true; 4]));
    assert_eq!(told, steps.iter().map(|done| Progress { done: *done, of: 8 }).collect::<Vec<_>>());
    assert_eq!(lock(&evrf.secp256k1).len(), 4);
    // Whoever is invalid on one curve is done on the other, and what is known needs no step.
    let invalid = encode(&(Part::new(Vec::new()).unwrap(), Part::new(Vec::new()).unwrap()));
    all[2].1 = ParticipationBytes::new(invalid).unwrap();
    let (told, result) = verify_telling(&evrf, &context, &all, usize::MAX);
    assert_eq!(result, Ok(vec![true, true, false, true]));
    assert_eq!(told.first(), Some(&Progress { done: 0, of: 2 }));
    assert_eq!(told.last(), Some(&Progress { done: 2, of: 2 }));
}
