use std::{future::Future, pin::pin, task::Poll, time::Duration};

use processor_messages::{Amount, BaseBlock, BatchId, Session};

use super::{CHAIN, batch, key_pair, network, set};
use crate::{
    BaseChain, ChainError, CosignParameters, Event, MemoryChain, NetworkCurve, NetworkParameters, Refusal,
    SetDeclaration, SetState, Signers, Transaction, TransactionStatus, TributaryParameters, signing,
};

fn declared(session: u32) -> Event {
    Event::SetDeclared(SetDeclaration {
        set: set(session),
        curve: NetworkCurve::Secp256k1,
        members: vec![],
        threshold: processor_messages::KeyShares(1),
        key_gen_deadline: BaseBlock(100),
        tributary: TributaryParameters::default(),
        cosign: CosignParameters::default(),
    })
}

fn chain() -> MemoryChain {
    let parameters = NetworkParameters {
        name: network(),
        curve: NetworkCurve::Secp256k1,
        min_key_shares: 4,
        stake_per_share: Amount(1),
        epoch_blocks: 10,
        key_gen_deadline_blocks: 5,
        slash_report_deadline_blocks: 5,
        tributary: TributaryParameters::default(),
    };
    MemoryChain::new("memory", CHAIN, vec![parameters], 1, vec![declared(0)])
}

fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn keys_set(session: u32) -> Event {
    Event::KeysSet { set: set(session), key_pair: key_pair(), signers: Signers::default() }
}

fn state(chain: &MemoryChain, session: u32) -> SetState {
    now(chain.set(set(session))).unwrap().unwrap().unwrap().state
}

#[test]
fn sets_and_networks_are_read_off_the_events() {
    let chain = chain();
    assert_eq!(state(&chain, 0), SetState::Declared);
    chain.push(2, vec![], vec![keys_set(0), declared(1)]);
    assert_eq!(state(&chain, 0), SetState::InCharge);
    chain.push(3, vec![], vec![keys_set(1)]);
    assert_eq!(state(&chain, 1), SetState::Waiting);
    let handover = Event::HandoverAccepted {
        retiring: set(0),
        accepted_by: Session(1),
        slash_report_deadline: BaseBlock(9),
    };
    chain.push(4, vec![], vec![handover]);
    assert_eq!(state(&chain, 0), SetState::Retiring { deadline: BaseBlock(9) });
    let info = now(chain.network(network())).unwrap().unwrap().unwrap();
    assert_eq!((info.in_charge, info.latest_session), (Some(Session(1)), Some(Session(1))));
    assert_eq!((info.pending_slash_reports.len(), info.next_batch), (1, BatchId(0)));
    chain.push(5, vec![], vec![Event::SetRetired { set: set(0), reported: false }]);
    assert_eq!(state(&chain, 0), SetState::Retired);
}

#[test]
fn a_block_is_waited_for_without_a_clock() {
    let chain = chain();
    assert_eq!(now(chain.wait_block(BaseBlock(1), Duration::ZERO)).unwrap().unwrap(), None);
    let mut waiting = pin!(chain.wait_block(BaseBlock(1), Duration::from_secs(1)));
    assert!(now(waiting.as_mut()).is_none());
    let block = chain.push(2, vec![], vec![]);
    assert_eq!(now(waiting).unwrap().unwrap(), Some(block));
}

#[test]
fn a_submission_is_taken_once_and_refusals_are_scripted() {
    let chain = chain();
    let signed = processor_messages::SignedBatch { batch: batch(0), signature: [1; 64] };
    let transaction = Transaction::ExecuteBatch(signed);
    let hash = transaction.hash();
    assert_eq!(now(chain.transaction(hash)).unwrap().unwrap(), TransactionStatus::Unknown);
    for _ in 0..2 {
        assert_eq!(now(chain.submit(&transaction)).unwrap().unwrap(), hash);
    }
    assert_eq!(now(chain.transaction(hash)).unwrap().unwrap(), TransactionStatus::Waiting);
    assert_eq!(chain.take_submitted(), vec![transaction.clone()]);
    chain.push(2, vec![hash], vec![]);
    let last = TransactionStatus::Final { block: BaseBlock(1) };
    assert_eq!(now(chain.transaction(hash)).unwrap().unwrap(), last);
    now(chain.submit(&transaction)).unwrap().unwrap();
    assert!(chain.take_submitted().is_empty());

    chain.script_refusal(hash, Some(Refusal::BadSignature));
    assert_eq!(now(chain.submit(&transaction)).unwrap(), Err(ChainError::Refused(Refusal::BadSignature)));
    chain.script_unreachable(true);
    assert!(now(chain.head()).unwrap().unwrap_err().is_temporary());
}

#[test]
fn the_hash_of_instructions_is_that_of_the_list_alone() {
    let mut other = batch(0);
    other.id = BatchId(1);
    assert_eq!(signing::instructions_hash(&batch(0)), signing::instructions_hash(&other));
}
