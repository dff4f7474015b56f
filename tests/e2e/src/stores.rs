//! What processes left on disk, read after they stopped.

use std::collections::BTreeMap;

use coordinator_store::{Read, Store, StoreError, Table};
use coordinator_store_disk::DiskStore;
use orchestration::layout::{Layout, Service};
use processor_messages::{
    BaseBlock, BaseBlockHash, BaseSignature, Genesis, Incarnation, KeyPair, Network, Session, TributaryBlock,
    Validator, ValidatorSet,
};
use simulated_processor::{
    Config,
    dkg::Keys,
    external_network::ExternalNetwork,
    rules::{
        Identity, key_gen,
        keys::Opened,
        payments::{self, Standing},
    },
    secrets,
};
use tributary::{DECIDED, Transaction, chain};

/// The most blocks of a tributary that a test reads.
const MAX_BLOCKS: usize = 100_000;
/// The most eras and networks whose cosigns a test reads.
const MAX_COSIGNS: usize = 1_024;

/// A cosign as coordinators keep it and tell it to each other.
pub type Cosign = (ValidatorSet, BaseBlock, BaseBlockHash, BaseSignature);

/// The last cosign of each network in each era.
const COSIGNS: Table<(BaseBlock, Network), Cosign> = Table::new("cosign/cosign");
/// The latest cosign of each network.
const LATEST_COSIGNS: Table<Network, Cosign> = Table::new("cosign/latest");

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
        opened: Opened::default(),
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

/// A network's latest cosign as a stopped coordinator has it.
pub fn latest_cosign(layout: &Layout, validator: usize, network: Network) -> Cosign {
    let store = open_coordinator(layout, validator);
    let latest = store.read(|db| LATEST_COSIGNS.get(db, &network)).expect("a readable store");
    latest.expect("a cosign of the network")
}

/// Puts `told` in the place of a network's latest cosign, so that a stopped coordinator, once it is started, tells
/// it to everybody.
pub fn replace_latest_cosign(layout: &Layout, validator: usize, network: Network, told: &Cosign) {
    change(&open_coordinator(layout, validator), |txn| {
        let latest = LATEST_COSIGNS.get(txn, &network)?;
        for (key, cosign) in COSIGNS.scan(txn, &(), None, MAX_COSIGNS)? {
            if Some(&cosign) == latest.as_ref() {
                COSIGNS.put(txn, &key, told);
            }
        }
        LATEST_COSIGNS.put(txn, &network, told);
        Ok(())
    });
}

/// One step, durable.
fn change(
    store: &DiskStore,
    step: impl FnOnce(&mut dyn coordinator_store::Transaction) -> Result<(), StoreError>,
) {
    let ((), commit) = store.write(step).expect("a step of a test");
    commit.wait().expect("a disk that keeps it");
    store.close().expect("a store that closes");
}
