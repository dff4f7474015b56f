//! What processes left on disk, read after they stopped.

use std::collections::BTreeMap;

use coordinator_store::{Read, Store};
use coordinator_store_disk::DiskStore;
use orchestration::layout::{Layout, Service};
use processor_messages::{Genesis, Incarnation, KeyPair, Network, Session, TributaryBlock, Validator};
use simulated_processor::{
    Config,
    dkg::Keys,
    external_network::ExternalNetwork,
    rules::{
        Identity, key_gen,
        payments::{self, Standing},
    },
    secrets,
};
use tributary::{DECIDED, Transaction, chain};

/// The most blocks of a tributary that a test reads.
const MAX_BLOCKS: usize = 100_000;

/// The keys which a stopped processor holds of its network's first session.
pub fn processor_keys(layout: &Layout, validator: usize, network: Network) -> Option<(KeyPair, Keys)> {
    let path = layout.config(validator, Service::Processor(network));
    let config = Config::read(&path).expect("a configuration which the processor ran with");
    let (secrets, _) = secrets::open(&config).expect("the key files of the processor");
    let store = DiskStore::open(&config.data_dir).expect("the store of a stopped processor");
    let chain = config.chain.expect("the chain is known once a processor ran");
    let me = Identity {
        network,
        curve: config.curve,
        validator: config.validator,
        chain,
        incarnation: Incarnation(0),
        sealer: secrets.sealer,
        external: ExternalNetwork::new(chain, network, config.pace),
    };
    store.read(|db| {
        let (pair, _) = key_gen::key_pair(db, Session(0)).expect("a readable store")?;
        let keys = key_gen::load_keys(db, &me, Session(0)).expect("readable keys")?;
        Some((pair, keys))
    })
}

/// How the payments of each session stand in a stopped processor.
pub fn processor_payments(layout: &Layout, validator: usize, network: Network) -> Vec<Standing> {
    let data = layout.service(validator, Service::Processor(network)).join("data");
    let store = DiskStore::open(data).expect("the store of a stopped processor");
    store.read(|db| payments::standings(db)).expect("a readable store")
}

/// One slot of a validator on a tributary: its order and nonce.
pub type SlotId = (Vec<u8>, u32);

/// The signed transactions of a validator in the decided blocks which a stopped coordinator holds.
///
/// # Panics
/// If one slot holds two payloads.
pub fn decided_slots(
    layout: &Layout,
    holder: usize,
    genesis: Genesis,
    author: Validator,
) -> BTreeMap<SlotId, Vec<u8>> {
    let store = open_coordinator(layout, holder);
    store.read(|db| slots(db, genesis, author))
}

fn slots(db: &dyn Read, genesis: Genesis, author: Validator) -> BTreeMap<SlotId, Vec<u8>> {
    let mut found = BTreeMap::new();
    let first = (genesis, TributaryBlock(0));
    let blocks = DECIDED.scan(db, &genesis, Some(&first), MAX_BLOCKS).expect("a readable store");
    for (_, decided) in blocks {
        for transaction in chain::transactions(&decided.block).expect("a decided block decodes") {
            if let Transaction::Signed(signed) = transaction
                && (signed.signer == author)
            {
                let slot = (signed.order.to_vec(), signed.nonce);
                let former = found.insert(slot.clone(), signed.payload.to_vec());
                assert_eq!(former, None, "two payloads for one slot {slot:?}");
            }
        }
    }
    found
}

/// Opens a stopped coordinator's store.
pub fn open_coordinator(layout: &Layout, validator: usize) -> DiskStore {
    let data = layout.service(validator, Service::Coordinator).join("data");
    DiskStore::open(&data).expect("the store of a stopped coordinator")
}
