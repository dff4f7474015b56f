//! What processors say of what is halted: nothing of it is lost, and nothing else waits for it.

use coordinator_base_chain::Event;
use coordinator_store::Store;
use processor_messages::{
    BaseBlock, BaseBlockHash, BatchId, Bytes, FromProcessor, Incarnation, List, Network, Session,
    ToProcessor, TransactionId, ValidatorSet, base_chain, key_gen,
};

use super::{
    base_chain::{block, messages_of},
    cluster::{Manner::Honest, Node, batch, declaration, network, set, status},
};
use crate::{
    Error, batch as batches,
    halt::{self, Reason, Scope},
    processor,
    session::{
        self, own,
        transaction::{Provided, Signed},
    },
    shelf,
};

/// A node in two sessions of one network, and with another network's processor.
fn in_two_sessions() -> Node {
    let mut node = Node::new(0, Honest);
    node.identity.networks = vec![network(), other_network()];
    let declared = |session| Event::SetDeclared(declaration(&[1; 4], Session(session)));
    let block = block(0, BaseBlockHash::default(), vec![declared(0), declared(1)]);
    node.step(|step| crate::base_chain::apply(step, &block)).unwrap();
    messages_of(&node, network());
    node
}

fn other_network() -> Network {
    Network::new("monero").unwrap()
}

fn second() -> ValidatorSet {
    ValidatorSet { session: Session(1), ..set() }
}

fn why() -> Reason {
    Reason::Internal { what: "a test".to_owned() }
}

fn halt_session(node: &mut Node) {
    node.step(|step| Ok(halt::session(step, set(), why())?)).unwrap();
}

fn lift(node: &mut Node, scope: Scope) {
    let lifted = node.step(|step| Ok(halt::lift(step.txn, scope)?)).unwrap();
    assert!(lifted.is_some());
}

/// Goes on with what waits, as the service does; how many steps that took.
fn go_on(node: &mut Node) -> usize {
    let mut steps = 0;
    while node.store.read(|db| processor::owes(db, network())).unwrap() {
        node.step(|step| processor::deliver(step, network())).unwrap();
        steps += 1;
    }
    steps
}

fn participation(session: u32, byte: u8) -> FromProcessor {
    let (session, participation) = (Session(session), Bytes::new(vec![byte; 3]).unwrap());
    FromProcessor::KeyGen(key_gen::FromProcessor::Participation { session, participation })
}

fn made(id: u32) -> FromProcessor {
    FromProcessor::BaseChain(base_chain::FromProcessor::Batch { session: Session(0), batch: batch(id) })
}

fn completed(byte: u8) -> FromProcessor {
    let (session, id) = (Session(0), TransactionId([byte; 32]));
    FromProcessor::BaseChain(base_chain::FromProcessor::TransactionCompleted { session, id })
}

/// What the tributary of a set of ours is to be given of our own.
fn published(node: &Node, set: ValidatorSet) -> Vec<Vec<u8>> {
    let genesis = genesis(node, set);
    let pending = node.store.read(|db| own::pending(db, genesis, 99)).unwrap();
    pending.into_iter().map(|(_, payload)| payload).collect()
}

fn provided(node: &Node, set: ValidatorSet, like: &Provided) -> Vec<Provided> {
    let genesis = genesis(node, set);
    let rows = node.store.read(|db| own::provided(db, genesis, like.kind(), 0, 99)).unwrap();
    rows.iter().map(|payload| Provided::from_bytes(payload).unwrap()).collect()
}

fn genesis(node: &Node, set: ValidatorSet) -> processor_messages::Genesis {
    node.store.read(|db| session::get(db, set)).unwrap().unwrap().spec.genesis
}

fn expected(node: &Node, network: Network) -> BatchId {
    node.store.read(|db| batches::progress(db, network)).unwrap().expected
}

#[test]
fn what_is_said_of_a_halted_network_stays_first_in_its_queue_and_other_networks_go_on() {
    // COORD-24: nothing of the step is kept, so the queue keeps the message.
    let mut node = in_two_sessions();
    node.step(|step| Ok(halt::network(step, network(), why())?)).unwrap();
    for message in [made(0), participation(0, 1), participation(1, 1), completed(1)] {
        let refused = node.step(|step| processor::apply(step, network(), message)).unwrap_err();
        let Error::Halted { network: halted, .. } = &refused else { panic!("{refused:?}") };
        assert_eq!(*halted, network());
        assert!(refused.to_string().contains("waits until an operator lifts the halt"), "{refused}");
    }
    let mut of_other = batch(0);
    of_other.network = other_network();
    let said = base_chain::FromProcessor::Batch { session: Session(0), batch: of_other };
    node.step(|step| processor::apply(step, other_network(), FromProcessor::BaseChain(said))).unwrap();
    assert_eq!((expected(&node, network()), expected(&node, other_network())), (BatchId(0), BatchId(1)));
    assert_eq!(go_on(&mut node), 0, "and nothing is due meanwhile");

    lift(&mut node, Scope::Network(network()));
    for message in [made(0), participation(0, 1), made(1)] {
        node.hear(message);
    }
    assert_eq!(expected(&node, network()), BatchId(2));
    assert_eq!(published(&node, set()).len(), 1);
    assert!(
        node.store.read(|db| halt::of_network(db, network())).unwrap().is_none(),
        "it does not halt again"
    );
}

#[test]
fn what_is_said_of_a_halted_session_is_handled_in_order_once_the_halt_is_lifted_and_others_go_on() {
    // COORD-9, COORD-24.
    let mut node = in_two_sessions();
    halt_session(&mut node);
    for message in [participation(0, 1), completed(7), completed(8), participation(1, 2), made(0)] {
        node.hear(message);
    }
    let like = Provided::TransactionCompleted { id: TransactionId([0; 32]) };
    assert!(published(&node, set()).is_empty() && provided(&node, set(), &like).is_empty());
    assert_eq!(published(&node, second()).len(), 1, "the other session goes on");
    assert_eq!(expected(&node, network()), BatchId(1), "so does the network");
    assert_eq!(status(&node).kept_messages, 3);
    assert_eq!(go_on(&mut node), 0, "not while it is halted");

    lift(&mut node, Scope::Session(set()));
    // What is said before all of that is handled comes after it.
    for message in [completed(9), participation(0, 3)] {
        node.hear(message);
    }
    assert_eq!(status(&node).kept_messages, 5);
    assert_eq!(go_on(&mut node), 5, "one message in a step");
    let first = Signed::DkgParticipation(Bytes::new(vec![1; 3]).unwrap());
    assert_eq!(published(&node, set()), [first.to_bytes()], "the first one counts");
    let ids = [7, 8, 9].map(|byte| Provided::TransactionCompleted { id: TransactionId([byte; 32]) });
    assert_eq!(provided(&node, set(), &like), ids);
    assert_eq!(status(&node).kept_messages, 0);
    node.hear(completed(10));
    assert_eq!(provided(&node, set(), &like).len(), 4, "and then at once");
}

#[test]
fn a_message_about_several_sessions_waits_for_the_halted_one_alone() {
    // COORD-17, COORD-24.
    let mut node = in_two_sessions();
    halt_session(&mut node);
    let pays = |session: u32, byte| (Session(session), TransactionId([byte; 32]));
    let transactions = List::new(vec![pays(1, 1), pays(0, 2), pays(1, 3), pays(7, 4)]).unwrap();
    let acknowledged = base_chain::FromProcessor::BlockAcknowledged { block: BaseBlock(9), transactions };
    node.hear(FromProcessor::BaseChain(acknowledged));
    let agreed = |bytes: &[u8]| Provided::BaseBlock {
        block: BaseBlock(9),
        transactions: List::new(bytes.iter().map(|byte| TransactionId([*byte; 32])).collect()).unwrap(),
    };
    assert_eq!(provided(&node, second(), &agreed(&[])), [agreed(&[1, 3])]);
    assert_eq!(provided(&node, set(), &agreed(&[])), []);
    lift(&mut node, Scope::Session(set()));
    go_on(&mut node);
    assert_eq!(provided(&node, set(), &agreed(&[])), [agreed(&[2])]);
    assert_eq!(provided(&node, second(), &agreed(&[])), [agreed(&[1, 3])], "once");
}

#[test]
fn at_the_shelfs_bound_the_queue_waits_and_nothing_is_lost() {
    // COORD-24.
    let mut node = in_two_sessions();
    halt_session(&mut node);
    (0..shelf::MAX_MESSAGES).for_each(|_| node.hear(completed(1)));
    let refused = node.step(|step| processor::apply(step, network(), participation(0, 1)));
    assert!(matches!(refused, Err(Error::Halted { .. })), "{refused:?}");
    node.hear(participation(1, 1));
    lift(&mut node, Scope::Session(set()));
    assert_eq!(go_on(&mut node) as u64, shelf::MAX_MESSAGES);
    node.hear(participation(0, 1));
    assert_eq!(published(&node, set()).len(), 1);
}

#[test]
fn a_wiped_processor_of_a_halted_session_gets_the_networks_history_now_and_the_sessions_later() {
    // COORD-10, COORD-24.
    let mut node = in_two_sessions();
    halt_session(&mut node);
    let (session, incarnation) = (Session(0), Incarnation(3));
    node.hear(FromProcessor::KeyGen(key_gen::FromProcessor::Resend { session, incarnation }));
    let begins = |message: &ToProcessor| {
        matches!(message, ToProcessor::BaseChain(base_chain::ToProcessor::FromTheBeginning { .. }))
    };
    let generates = |message: &ToProcessor| {
        matches!(message, ToProcessor::KeyGen(key_gen::ToProcessor::GenerateKey { session: Session(0), .. }))
    };
    let sent = messages_of(&node, network());
    assert!((sent.len() == 1) && begins(&sent[0]), "{sent:?}");
    lift(&mut node, Scope::Session(set()));
    go_on(&mut node);
    let sent = messages_of(&node, network());
    assert!((sent.len() == 1) && generates(&sent[0]), "the feed not once more: {sent:?}");
}

#[test]
fn what_waits_stays_when_its_session_halts_again() {
    // COORD-19, COORD-24: as it does if what was wrong still is.
    let mut node = in_two_sessions();
    let like = Provided::TransactionCompleted { id: TransactionId([0; 32]) };
    halt_session(&mut node);
    node.hear(completed(1));
    lift(&mut node, Scope::Session(set()));
    halt_session(&mut node);
    assert_eq!(go_on(&mut node), 0, "halted again before anything was handled");
    assert_eq!(status(&node).kept_messages, 1);
    lift(&mut node, Scope::Session(set()));
    assert_eq!(go_on(&mut node), 1);
    assert_eq!(provided(&node, set(), &like).len(), 1);
}

#[test]
fn what_waits_for_a_set_which_ends_goes_with_it() {
    // COORD-24, SIGN-22.
    use crate::session::retire::{self, Archived};
    let mut node = in_two_sessions();
    halt_session(&mut node);
    (0..retire::MAX_ROWS + 9).for_each(|_| node.hear(completed(1)));
    let waits = |node: &Node| node.store.read(|db| shelf::len(db, set())).unwrap();
    assert_eq!(waits(&node), retire::MAX_ROWS as u64 + 9);
    let hash = node.store.read(|db| session::get(db, set())).unwrap().unwrap();
    let ended = session::SetRecord { life: session::Life::Dropped, ..hash };
    node.step(|step| {
        session::SETS.put(step.txn, &set(), &ended);
        Ok(())
    })
    .unwrap();
    node.hear(completed(2));
    assert_eq!(waits(&node), retire::MAX_ROWS as u64 + 9, "nothing more is kept");
    let file = Archived { file: "a".to_owned(), bytes: 1, hash: [1; 32] };
    node.step(|step| retire::archived(step, &ended, file)).unwrap();
    while !node.step(|step| retire::prune(step, set())).unwrap() {}
    assert_eq!(waits(&node), 0);
    let rows = node.store.read(|db| db.scan(&[], &[], usize::MAX)).unwrap();
    assert!(!rows.iter().any(|(key, _)| key.starts_with(b"processor/shelf")));
}

#[test]
fn a_batch_which_came_too_early_is_taken_once_the_missing_one_is_there() {
    // COORD-19, COORD-24: the processor which was rebuilt says the missing one, and cannot say the early one again.
    let mut node = in_two_sessions();
    let code = |node: &Node| {
        let reason = node.store.read(|db| halt::of_network(db, network())).unwrap();
        reason.map(|reason| reason.code())
    };
    for message in [made(0), made(2)] {
        node.hear(message);
    }
    assert_eq!(code(&node), Some("BATCH_GAP"));
    // Whatever is still wrong halts it again.
    lift(&mut node, Scope::Network(network()));
    node.hear(made(3));
    assert_eq!(code(&node), Some("BATCH_GAP"));
    assert_eq!(expected(&node, network()), BatchId(1));
    lift(&mut node, Scope::Network(network()));
    node.hear(made(1));
    assert_eq!((code(&node), expected(&node, network())), (None, BatchId(4)));
    node.hear(made(4));
    assert_eq!((code(&node), expected(&node, network())), (None, BatchId(5)));
    let offered = provided(&node, set(), &Provided::Batch { id: BatchId(0), hash: [0; 32] });
    assert_eq!(offered.len(), 5, "each once, in order: {offered:?}");
}
