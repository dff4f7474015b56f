//! An application that speaks or fails on request: what leaves a step and when, and what ends one chain ends no other.

use coordinator_p2p::{Inbound, Inbox};
use coordinator_store::{MAX_STEP_BYTES, MemoryStore, Read, Store, StoreError, SyncMode, Transaction};
use processor_messages::{Bytes, Genesis, Validator};
use tributary::{
    Application, Block, Built, DecidedBlock, Evidence, Halt, Members, Open, Say, Slot, Verdict, halted,
};

use super::cluster::{introduce, key, members, network, reach, soon, timing};
use crate::{Driver, End, Handle};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    Halt,
    Panic,
    Speak(u8),
    /// Write so many bytes in a row of their own.
    Write(usize),
}

/// Empty blocks; says what it hears.
struct Fragile(tokio::sync::mpsc::UnboundedSender<(Validator, Vec<u8>)>);

impl Application for Fragile {
    type Input = Order;

    fn build(&mut self, _: &dyn Read, _: &Members, _: Slot) -> Result<Built, Halt> {
        Ok(Built { body: Bytes::default(), root: [0; 32], state: [0; 32] })
    }

    fn check(&mut self, _: &dyn Read, _: &Members, _: &Block) -> Result<Verdict, Halt> {
        Ok(Verdict::Valid)
    }

    fn decided(&mut self, _: &mut dyn Transaction, _: &Members, _: &DecidedBlock) -> Result<Vec<Say>, Halt> {
        Ok(Vec::new())
    }

    fn input(&mut self, txn: &mut dyn Transaction, _: &Members, order: Order) -> Result<Vec<Say>, Halt> {
        match order {
            Order::Write(bytes) => {
                txn.put(format!("test/{bytes}").into_bytes(), vec![0; bytes]);
                Ok(Vec::new())
            }
            Order::Halt => Err(Halt::new("told to")),
            Order::Panic => panic!("told to panic"),
            Order::Speak(word) => Ok(vec![Say::Gossip(vec![word; 3])]),
        }
    }

    fn heard(
        &mut self,
        _: &mut dyn Transaction,
        _: &Members,
        from: Validator,
        bytes: &[u8],
    ) -> Result<Vec<Say>, Halt> {
        self.0.send((from, bytes.to_vec())).expect("the test listens");
        Ok(Vec::new())
    }

    fn equivocated(&mut self, _: &mut dyn Transaction, _: &Members, _: Evidence) -> Result<Vec<Say>, Halt> {
        Ok(Vec::new())
    }

    fn resend(&mut self, _: &dyn Read, _: &Members) -> Result<Vec<Say>, Halt> {
        Ok(Vec::new())
    }

    fn due(&mut self, _: &dyn Read) -> Result<bool, Halt> {
        Ok(true)
    }
}

type Heard = tokio::sync::mpsc::UnboundedReceiver<(Validator, Vec<u8>)>;

/// Opens a chain at one node; its driver does not run yet.
async fn open(
    store: &MemoryStore,
    network: &coordinator_p2p::Handle,
    genesis: Genesis,
    (index, count): (u8, u8),
) -> Result<(Driver<MemoryStore, Fragile>, Handle<Order>, Heard), End> {
    let (heard, hearing) = tokio::sync::mpsc::unbounded_channel();
    let open = Open { config: timing(), store_is_current: true };
    let (members, key) = (members(genesis, count), key(index));
    let opened = Driver::open(store.clone(), network.clone(), members, key, Fragile(heard), open).await;
    let (driver, handle) = opened?;
    Ok((driver, handle, hearing))
}

async fn drive(
    store: &MemoryStore,
    network: &coordinator_p2p::Handle,
    genesis: Genesis,
    place: (u8, u8),
) -> Result<(Handle<Order>, Heard), End> {
    let (driver, handle, hearing) = open(store, network, genesis, place).await?;
    tokio::spawn(driver.run());
    Ok((handle, hearing))
}

/// P2P-23
#[tokio::test]
async fn a_chain_that_halts_or_panics_ends_alone_and_stays_halted() {
    let store = MemoryStore::new(SyncMode::Automatic);
    let network = network(0, None).await;
    let (well, _heard) = drive(&store, &network, Genesis([9; 32]), (0, 1)).await.unwrap();
    for (byte, order, reason) in [(1, Order::Halt, "told to"), (2, Order::Panic, "told to panic")] {
        let genesis = Genesis([byte; 32]);
        let (sick, _heard) = drive(&store, &network, genesis, (0, 1)).await.unwrap();
        assert!(soon(sick.input(order)).await.is_err());
        let mut status = sick.status();
        let status = soon(status.wait_for(|status| status.end.is_some())).await.unwrap().clone();
        let Some(End::Halted(halt)) = status.end else { panic!("not halted: {:?}", status.end) };
        assert!(halt.reason.contains(reason), "{}", halt.reason);
        assert_eq!(status.node.halted, Some(halt.clone()));
        soon(sick.stop()).await;

        assert_eq!(store.read(|db| halted(db, genesis)).unwrap(), Some(halt.clone()), "it is recorded");
        let again = drive(&store, &network, genesis, (0, 1)).await;
        assert_eq!(again.err(), Some(End::Halted(halt)), "a restart does not lift it");
    }
    let height = well.decided().borrow().0;
    reach(&well.decided(), height + 2).await;
}

/// P2P-23: a step that the store refuses for its size halts its chain with the reason, and is not kept; the store and the
/// others that use it are well.
#[tokio::test]
async fn a_step_that_is_too_large_halts_its_chain_alone() {
    let store = MemoryStore::new(SyncMode::Automatic);
    let network = network(0, None).await;
    let (well, _heard) = drive(&store, &network, Genesis([9; 32]), (0, 1)).await.unwrap();
    let genesis = Genesis([1; 32]);
    let (sick, _heard) = drive(&store, &network, genesis, (0, 1)).await.unwrap();
    soon(sick.input(Order::Write(MAX_STEP_BYTES / 2))).await.unwrap();
    assert!(soon(sick.input(Order::Write(MAX_STEP_BYTES))).await.is_err());
    let mut status = sick.status();
    let status = soon(status.wait_for(|status| status.end.is_some())).await.unwrap().clone();
    let Some(End::Halted(halt)) = status.end else { panic!("not halted: {:?}", status.end) };
    assert!(halt.reason.contains("larger than the store takes"), "{}", halt.reason);
    soon(sick.stop()).await;
    assert_eq!(store.read(|db| halted(db, genesis)).unwrap(), Some(halt.clone()), "it is recorded");
    let kept = |bytes: usize| store.read(|db| db.get(format!("test/{bytes}").as_bytes())).unwrap().is_some();
    assert_eq!((kept(MAX_STEP_BYTES / 2), kept(MAX_STEP_BYTES)), (true, false));
    let again = drive(&store, &network, genesis, (0, 1)).await;
    assert_eq!(again.err(), Some(End::Halted(halt)), "a restart does not lift it");
    let height = well.decided().borrow().0;
    reach(&well.decided(), height + 2).await;
}

/// P2P-20: what waits together and writes more than a step may is taken in several steps.
#[tokio::test]
async fn a_batch_that_writes_much_is_taken_in_several_steps() {
    let store = MemoryStore::new(SyncMode::Automatic);
    let network = network(0, None).await;
    let (handle, _heard) = drive(&store, &network, Genesis([1; 32]), (0, 1)).await.unwrap();
    let write = |n: usize| handle.input(Order::Write(MAX_STEP_BYTES / 2 + n));
    let (first, second, third, last) =
        soon(async { tokio::join!(write(1), write(2), write(3), handle.input(Order::Speak(1))) }).await;
    for written in [first, second, third, last] {
        written.unwrap();
    }
    for n in 1..=3 {
        let key = format!("test/{}", MAX_STEP_BYTES / 2 + n);
        assert!(store.read(|db| db.get(key.as_bytes())).unwrap().is_some(), "what was told to be durable is");
    }
    soon(handle.stop()).await;
}

/// P2P-22: nothing that was told to the node before the halt in the same step is kept.
#[tokio::test]
async fn an_act_whose_input_halts_the_chain_is_not_kept() {
    let store = MemoryStore::new(SyncMode::Automatic);
    let network = network(0, None).await;
    let (handle, _heard) = drive(&store, &network, Genesis([1; 32]), (0, 1)).await.unwrap();
    let act = handle.transact(|txn| {
        txn.put(b"test/taken".to_vec(), vec![1]);
        Ok(vec![Order::Halt])
    });
    assert!(soon(act).await.is_err());
    soon(handle.stop()).await;
    assert_eq!(store.read(|db| db.get(b"test/taken")), Ok::<_, StoreError>(None));
}

/// P2P-22, P2P-23: an act that panics halts its chain with the reason, leaves nothing, and ends no other chain.
#[tokio::test]
async fn an_act_that_panics_halts_its_chain_alone() {
    let store = MemoryStore::new(SyncMode::Automatic);
    let network = network(0, None).await;
    let (well, _heard) = drive(&store, &network, Genesis([9; 32]), (0, 1)).await.unwrap();
    let genesis = Genesis([1; 32]);
    let (sick, _heard) = drive(&store, &network, genesis, (0, 1)).await.unwrap();
    let act = sick.transact(|txn| {
        txn.put(b"test/taken".to_vec(), vec![1]);
        panic!("the act panics")
    });
    assert!(soon(act).await.is_err());
    let mut status = sick.status();
    let status = soon(status.wait_for(|status| status.end.is_some())).await.unwrap().clone();
    let Some(End::Halted(halt)) = status.end else { panic!("not halted: {:?}", status.end) };
    assert!(halt.reason.contains("the act panics"), "{}", halt.reason);
    assert_eq!(store.read(|db| halted(db, genesis)).unwrap(), Some(halt));
    assert_eq!(store.read(|db| db.get(b"test/taken")), Ok::<_, StoreError>(None));
    let height = well.decided().borrow().0;
    reach(&well.decided(), height + 2).await;
}

/// P2P-21: what an application says reaches the others under its author's name.
#[tokio::test]
async fn applications_hear_each_other_by_name() {
    let networks = [network(0, None).await, network(1, None).await];
    introduce(&networks).await;
    let genesis = Genesis([3; 32]);
    let (a, mut heard_by_a) = drive(&MemoryStore::default(), &networks[0], genesis, (0, 2)).await.unwrap();
    let (b, mut heard_by_b) = drive(&MemoryStore::default(), &networks[1], genesis, (1, 2)).await.unwrap();
    // Both take part once they reach each other; before, what is said is lost.
    reach(&a.decided(), 1).await;
    reach(&b.decided(), 1).await;
    a.input(Order::Speak(5)).await.unwrap();
    b.input(Order::Speak(6)).await.unwrap();
    let by = |index: u8| Validator(key(index).public().to_bytes());
    assert_eq!(soon(heard_by_b.recv()).await, Some((by(0), vec![5; 3])));
    assert_eq!(soon(heard_by_a.recv()).await, Some((by(1), vec![6; 3])));
}

/// What is said up to the first thing that satisfies the condition, with it.
async fn said_until(inbox: &mut Inbox, last: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let mut said = Vec::new();
    while !said.last().is_some_and(|bytes: &Vec<u8>| last(bytes)) {
        match soon(inbox.recv()).await.expect("the network runs") {
            Inbound::Gossip(gossip) => said.push(gossip.bytes),
            Inbound::Request(_) => panic!("nobody asks"),
        }
    }
    said
}

/// P2P-20: until a step is durable nothing that it says leaves, and its command is not answered.
#[tokio::test]
async fn a_step_says_and_answers_nothing_before_it_is_durable() {
    const MARK: &[u8] = b"a mark";
    let is_mark = |bytes: &[u8]| bytes == MARK;
    let is_word = |bytes: &[u8]| bytes.windows(3).any(|word| word == [0xab; 3]);
    let networks = [network(0, None).await, network(1, None).await];
    introduce(&networks).await;
    let genesis = Genesis([4; 32]);
    let store = MemoryStore::new(SyncMode::Automatic);
    let (driver, handle, _heard) = open(&store, &networks[0], genesis, (0, 2)).await.unwrap();
    let by = |index: u8| Validator(key(index).public().to_bytes());
    let mut peer = networks[1].open_chain(genesis, [by(0), by(1)].into()).await.unwrap();
    soon(async {
        while networks[0].publish(genesis, MARK.to_vec()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    said_until(&mut peer, is_mark).await;

    store.set_sync(SyncMode::Manual);
    let answer = tokio::spawn(async move { handle.input(Order::Speak(0xab)).await });
    // The command waits before the driver runs, so its first step takes it.
    tokio::task::yield_now().await;
    tokio::spawn(driver.run());
    soon(async {
        while store.pending() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // What one node says comes in order: what the step had said would come before this.
    networks[0].publish(genesis, MARK.to_vec()).await.unwrap();
    let said = said_until(&mut peer, is_mark).await;
    assert!(
        !said.iter().any(|bytes| is_word(bytes)),
        "nothing of the step leaves before it is durable: {said:?}"
    );
    assert!(!answer.is_finished(), "nor is its command answered");

    store.sync();
    soon(answer).await.unwrap().unwrap();
    said_until(&mut peer, is_word).await;
}
