//! Validators who join and leave a network's sets, by calls which they sign.

use coordinator_base_chain::{BaseChain, Call, SignedCall, Transaction};
use coordinator_keys::read_key_file;
use orchestration::layout::Service;
use processor_messages::{Account, Amount, Bytes, Network};
use simulated_processor::Config;

use crate::Net;

/// What a key share costs in a testnet.
const SHARE: Amount = Amount(1_000);

/// Takes part in the sets declared from now on, for the first time: registers the keys which its processor made, and
/// stakes one key share.
pub fn join(net: &mut Net, validator: usize, network: Network) {
    let path = net.testnet.layout.config(validator, Service::Processor(network));
    let config = Config::read(&path).expect("a configuration which a processor runs with");
    let bundle = simulated_processor::init(&config).expect("the key files of the processor");
    let mut calls = Vec::new();
    for key in bundle.embedded {
        let proof = Bytes::new(key.proof).expect("a proof of a processor");
        calls.push(Call::RegisterEmbeddedKey { curve: key.curve, key: key.key, proof });
    }
    calls.push(Call::Allocate { network, amount: SHARE });
    submit(net, validator, calls);
}

/// Takes part in the sets declared from now on, with keys that are registered.
pub fn rejoin(net: &mut Net, validator: usize, network: Network) {
    submit(net, validator, vec![Call::Allocate { network, amount: SHARE }]);
}

/// Takes no part in the sets declared from now on.
pub fn leave(net: &mut Net, validator: usize, network: Network) {
    submit(net, validator, vec![Call::Deallocate { network, amount: SHARE }]);
}

/// Signs the calls with the account's next nonces, and gives them to its node once that answers.
fn submit(net: &mut Net, validator: usize, calls: Vec<Call>) {
    let key = read_key_file(&net.testnet.layout.validator_key(validator)).expect("a validator's key");
    let account = Account(key.public().to_bytes());
    let mut nonce = None;
    net.until("a base-chain node answers", |net| {
        let node = net.observer.node(validator).expect("a node");
        nonce = net.block_on(node.account(account)).ok().map(|info| info.nonce);
        nonce.is_some()
    });
    let node = net.observer.node(validator).expect("a node");
    for (nonce, call) in (nonce.expect("it was waited for")..).zip(calls) {
        let call = SignedCall::sign(&key, net.testnet.manifest.chain, nonce, call);
        net.block_on(node.submit(&Transaction::Call(call))).expect("a node takes a call");
    }
}

/// What a validator's account has free to be staked; `None` if its node does not answer.
pub fn free(net: &Net, validator: usize) -> Option<u64> {
    let account = Account(net.testnet.manifest.validators.get(validator)?.validator.0);
    let node = net.observer.node(validator)?;
    net.block_on(node.account(account)).ok().map(|info| info.free.0)
}
