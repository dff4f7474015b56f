//! Whole chains fed with many inputs in one step.

use coordinator_store::{MemoryStore, Store};
use processor_messages::{Bytes, encode};

use super::network::{Failed, config, key, members, validator};
use crate::{
    Chain, ChainConfig, ChainInput, Input, Limits, Node, Open, Output, Prepared,
    wire::{MOST_TOGETHER, Message, TOGETHER_BYTES},
};

struct Whole {
    store: MemoryStore,
    node: Node<Chain>,
}

impl Whole {
    fn open(by: u8) -> Self {
        let store = MemoryStore::default();
        let open = Open { config: config(), store_is_current: true };
        let chain = Chain::new(key(by), ChainConfig::default());
        let members = members(&[1, 1, 1, 1]);
        let opened = store.write(|txn| Node::open(txn, members, key(by), chain, open).map_err(Failed::from));
        Self { node: opened.unwrap().0.0, store }
    }

    fn take(&mut self, inputs: Vec<Prepared<ChainInput>>) -> Vec<Output> {
        let stepped = self.store.write(|txn| {
            for input in inputs {
                self.node.take(txn, input)?;
            }
            Ok::<_, Failed>(self.node.outputs()?)
        });
        stepped.unwrap().0
    }

    fn submit(&mut self, count: u32, bytes: usize) -> Vec<Output> {
        let submit = |n: u32| ChainInput::Submit {
            order: Bytes::new(encode(&n)).unwrap(),
            payload: Bytes::new(vec![7; bytes]).unwrap(),
        };
        self.take((0..count).map(|n| Prepared::application(submit(n))).collect())
    }

    fn hear(&mut self, from: u8, messages: &[Vec<u8>]) {
        let from = validator(from);
        let message = |bytes: &Vec<u8>| Input::Message { from, bytes: bytes.clone() };
        let prepared = self.node.prepare(messages.iter().map(message).collect());
        self.take(prepared);
    }
}

fn broadcasts(outputs: &[Output]) -> Vec<Vec<u8>> {
    let broadcast = |output: &Output| match output {
        Output::Broadcast(bytes) => Some(bytes.clone()),
        _ => None,
    };
    outputs.iter().filter_map(broadcast).collect()
}

/// How many messages of the application a broadcast holds.
fn held(bytes: &[u8]) -> usize {
    match Message::decode(bytes, Limits::default()).unwrap() {
        Message::Application(_) => 1,
        Message::Applications(list) => list.len(),
        _ => 0,
    }
}

/// `TRIB-33`
#[test]
fn transactions_of_one_step_travel_in_one_broadcast_and_are_all_taken() {
    let mut author = Whole::open(0);
    let sent = broadcasts(&author.submit(100, 200));
    assert_eq!(sent.iter().map(|bytes| held(bytes)).collect::<Vec<_>>(), [100]);
    let mut other = Whole::open(1);
    other.hear(0, &sent);
    assert_eq!((author.node.application().pending(), other.node.application().pending()), (100, 100));
}

/// `TRIB-33`: the bound, in bytes and in number; nothing is lost at it.
#[test]
fn what_does_not_fit_one_broadcast_travels_in_the_next() {
    let mut author = Whole::open(0);
    let sent = broadcasts(&author.submit(5, 30_000));
    assert_eq!(sent.iter().map(|bytes| held(bytes)).collect::<Vec<_>>(), [2, 2, 1]);
    assert!(sent.iter().all(|bytes| bytes.len() <= TOGETHER_BYTES + 5));
    let mut author = Whole::open(0);
    let sent = broadcasts(&author.submit(300, 0));
    assert_eq!(sent.iter().map(|bytes| held(bytes)).sum::<usize>(), 300);
    const { assert!(MOST_TOGETHER >= 300) };
    let large = broadcasts(&Whole::open(0).submit(2, 100_000));
    assert_eq!(large.iter().map(|bytes| held(bytes)).collect::<Vec<_>>(), [1, 1]);
}

/// `TRIB-32`: a step over prepared inputs is the same as single steps over them.
#[test]
fn prepared_inputs_of_one_step_do_what_single_steps_do() {
    let mut author = Whole::open(0);
    let mut sent = broadcasts(&author.submit(30, 200));
    sent.extend([vec![], vec![7; 40], vec![6, 1, 0, 0, 0, 0], vec![255]]);
    let (mut together, mut alone) = (Whole::open(1), Whole::open(1));
    together.hear(0, &sent);
    for bytes in &sent {
        let input = Input::Message { from: validator(0), bytes: bytes.clone() };
        let stepped = alone.store.write(|txn| alone.node.step(txn, input).map_err(Failed::from));
        drop(stepped.unwrap());
    }
    assert_eq!(together.node.application().pending(), 30);
    assert_eq!(alone.node.application().pending(), 30);
    assert_eq!(together.node.status(), alone.node.status());
}
