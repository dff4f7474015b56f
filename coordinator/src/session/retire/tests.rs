use coordinator_base_chain::{
    BaseChain, CosignParameters, Event, MemoryChain, NetworkCurve, SetDeclaration, SetMember,
    TributaryParameters,
};
use coordinator_core::{Identity, base_chain, cosign, session};
use coordinator_keys::SecretKey;
use coordinator_message_queue::{Direction, Pushed};
use coordinator_store::{MemoryStore, Table};
use processor_messages::{
    BaseBlock, Bytes, ChainGenesis, EmbeddedKeys, FromProcessor, KeyShares, Network, Session, Validator,
    encode, key_gen,
};

use super::*;
use crate::{api::metrics::Metrics, task::Health, task::Wake};

const CHAIN: ChainGenesis = ChainGenesis([7; 32]);

fn set() -> ValidatorSet {
    ValidatorSet { network: Network::new("bitcoin").unwrap(), session: Session(0) }
}

fn identity() -> Identity {
    let key = SecretKey::from_bytes(&std::array::from_fn(|i| u8::from(i == 0))).unwrap();
    Identity { key, chain: CHAIN, networks: vec![set().network] }
}

/// A node whose only set was declared and dropped in one block.
async fn with_dropped_set() -> Node<MemoryStore> {
    let member = |index: u8| SetMember {
        validator: if index == 0 { identity().validator() } else { Validator(validator_key(index)) },
        shares: KeyShares(1),
        embedded: EmbeddedKeys { base: Bytes::default(), network: Bytes::default() },
    };
    let declaration = SetDeclaration {
        set: set(),
        curve: NetworkCurve::Secp256k1,
        members: (0..4).map(member).collect(),
        threshold: KeyShares(3),
        key_gen_deadline: BaseBlock(9),
        tributary: TributaryParameters::default(),
        cosign: CosignParameters::default(),
    };
    let events = vec![Event::SetDeclared(declaration), Event::SetDropped { set: set() }];
    let chain = MemoryChain::new("test", CHAIN, Vec::new(), 1, events);
    let block = chain.block(BaseBlock(0)).await.unwrap().unwrap();
    let node = Node {
        store: MemoryStore::default(),
        identity: std::sync::Arc::new(identity()),
        wake: Wake::default(),
        health: Health::default(),
        metrics: Metrics::default(),
    };
    node.step(|step| cosign::observe(step, &block)).await.unwrap().unwrap();
    node.step(|step| base_chain::follow(step, &block)).await.unwrap().unwrap();
    node
}

fn validator_key(index: u8) -> [u8; 32] {
    let key = SecretKey::from_bytes(&std::array::from_fn(|i| if i == 0 { index + 1 } else { 0 })).unwrap();
    key.public().to_bytes()
}

fn tombstone(node: &Node<MemoryStore>) -> Option<retire::Tombstone> {
    node.store.read(|db| retire::tombstone(db, set())).unwrap()
}

#[tokio::test]
async fn nothing_is_pruned_while_no_archive_can_be_written_and_all_goes_on_when_one_can() {
    // SIGN-22.
    let (dir, node) = (tempfile::tempdir().unwrap(), with_dropped_set().await);
    let directory = dir.path().join(ARCHIVES);
    fs::write(&directory, b"in the way").unwrap();
    let mut task = Retire::new(node.clone(), Sessions::default(), directory.clone());
    for _ in 0..2 {
        let error = task.run_once().await.unwrap_err();
        assert!(matches!(&error, TaskError::Retry(what) if what.contains(ARCHIVES)), "{error:?}");
    }
    assert!(tombstone(&node).is_none());
    assert!(node.store.read(|db| session::get(db, set())).unwrap().is_some());
    fs::remove_file(&directory).unwrap();
    let mut runs = 0;
    while task.run_once().await.unwrap() == Progress::Done {
        runs += 1;
    }
    assert!(runs >= 2, "the archive, then the rows");
    let tombstone = tombstone(&node).unwrap();
    assert!(tombstone.pruned && node.store.read(|db| session::get(db, set())).unwrap().is_none());
    let file = directory.join(&tombstone.archived.file);
    assert_eq!(fs::metadata(&file).unwrap().len(), tombstone.archived.bytes);
    assert_eq!(read_archive(&file).unwrap().spec.genesis, tombstone.genesis);
}

#[tokio::test]
async fn ref_38_what_was_said_of_an_ended_set_is_forgotten_with_it() {
    // MQ-10, in the steps which prune the set.
    const INTENTS: Table<(Network, Session, Direction, Vec<u8>), u64> = Table::new("queue/intent_of_session");
    let (dir, node) = (tempfile::tempdir().unwrap(), with_dropped_set().await);
    let say = |number: u64| {
        let (session, mut validator) = (set().session, [0; 32]);
        validator[..8].copy_from_slice(&number.to_le_bytes());
        let validator = Validator(validator);
        let said = FromProcessor::KeyGen(key_gen::FromProcessor::Blame { session, validator });
        let (network, intent) = (set().network, said.intent(set().network));
        let push = |txn: &mut dyn coordinator_store::Transaction| {
            queue::push(txn, network, Direction::FromProcessor, &intent, encode(&said))
        };
        node.store.write(push).unwrap().0
    };
    let remembered = || node.store.read(|db| INTENTS.scan(db, &(), None, usize::MAX)).unwrap().len();
    for number in 0..600 {
        assert_eq!(say(number), Pushed::Queued(number));
    }
    assert_eq!(remembered(), 600);
    let mut task = Retire::new(node.clone(), Sessions::default(), dir.path().to_owned());
    while task.run_once().await.unwrap() == Progress::Done {}
    assert_eq!(remembered(), 0);
    assert!(tombstone(&node).unwrap().pruned, "and so is the set");
    assert_eq!((say(0), say(9_999)), (Pushed::Past, Pushed::Past));
}

#[tokio::test]
async fn what_a_crash_left_is_replaced_by_a_whole_archive() {
    // SIGN-22: half a file under another name, or a whole one whose row was lost.
    let (dir, node) = (tempfile::tempdir().unwrap(), with_dropped_set().await);
    let record = node.store.read(|db| session::get(db, set())).unwrap().unwrap();
    fs::write(dir.path().join(".bitcoin-0.archive.new"), b"headwater archive v1\nhalf").unwrap();
    let first = write_archive(&node.store, &record, dir.path()).unwrap();
    let bytes = fs::read(dir.path().join(&first.file)).unwrap();
    assert_eq!(write_archive(&node.store, &record, dir.path()).unwrap(), first);
    assert_eq!(fs::read(dir.path().join(&first.file)).unwrap(), bytes);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_set_whose_driver_is_opened_or_not_gone_is_left_alone() {
    // SIGN-22: it may still write rows.
    let (dir, node) = (tempfile::tempdir().unwrap(), with_dropped_set().await);
    let sessions = Sessions::default();
    let mut task = Retire::new(node.clone(), sessions.clone(), dir.path().to_owned());
    let opening = sessions.opening(set());
    assert_eq!(task.run_once().await.unwrap(), Progress::Idle);
    drop(opening);
    assert_eq!(task.run_once().await.unwrap(), Progress::Done);
}

#[test]
fn a_file_which_is_no_archive_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(read_archive(&dir.path().join("none")), Err(ArchiveError::Io(_))));
    fs::write(dir.path().join("some"), b"headwater archive v2\n").unwrap();
    assert!(matches!(read_archive(&dir.path().join("some")), Err(ArchiveError::Malformed(_))));
}
