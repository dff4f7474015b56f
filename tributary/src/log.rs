//! The log of the height in progress, and block bodies not decided yet: rows of the same store, written in
//! the step that made them, cleared in the step that decides the height (`TRIB-3`).

use coordinator_store::{Read, StoreError, Table, Transaction};
use processor_messages::Genesis;

use crate::{Block, BlockHash, prune::Pruning, wire::Entry};

const LOG: Table<(Genesis, u64, u32), Entry> = Table::new("tributary/log");
const BODIES: Table<(Genesis, u64, [u8; 32]), Block> = Table::new("tributary/bodies");
/// Rows read at a time.
const PAGE: usize = 256;
/// More than a node admits of one height.
const MOST_BODIES: usize = 4096;

/// Where the next entry of a height goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    genesis: Genesis,
    height: u64,
    next: u32,
}

impl Log {
    pub(crate) fn new(genesis: Genesis, height: u64) -> Self {
        Self { genesis, height, next: 0 }
    }

    /// The log of a height as a former run left it, with its entries.
    pub(crate) fn open(
        db: &dyn Read,
        genesis: Genesis,
        height: u64,
    ) -> Result<(Self, Vec<Entry>), StoreError> {
        let mut log = Self::new(genesis, height);
        let mut entries = Vec::new();
        loop {
            let page = LOG.scan(db, &(genesis, height), Some(&(genesis, height, log.next)), PAGE)?;
            let end = page.len() < PAGE;
            for ((_, _, at), entry) in page {
                log.next = at.saturating_add(1);
                entries.push(entry);
            }
            if end {
                return Ok((log, entries));
            }
        }
    }

    pub(crate) fn append(&mut self, txn: &mut dyn Transaction, entry: &Entry) {
        LOG.put(txn, &(self.genesis, self.height, self.next), entry);
        self.next = self.next.saturating_add(1);
    }

    pub(crate) fn clear(&mut self, txn: &mut dyn Transaction) {
        for at in 0..self.next {
            LOG.delete(txn, &(self.genesis, self.height, at));
        }
        self.next = 0;
    }
}

pub(crate) fn put_body(txn: &mut dyn Transaction, genesis: Genesis, hash: BlockHash, block: &Block) {
    BODIES.put(txn, &(genesis, block.header.height.0, hash.0), block);
}

pub(crate) fn body(
    db: &dyn Read,
    genesis: Genesis,
    height: u64,
    hash: BlockHash,
) -> Result<Option<Block>, StoreError> {
    BODIES.get(db, &(genesis, height, hash.0))
}

pub(crate) fn delete_body(txn: &mut dyn Transaction, genesis: Genesis, height: u64, hash: BlockHash) {
    BODIES.delete(txn, &(genesis, height, hash.0));
}

/// The undecided blocks of a height; as many as the node admitted, which is bounded.
pub(crate) fn bodies(
    db: &dyn Read,
    genesis: Genesis,
    height: u64,
) -> Result<Vec<(BlockHash, Block)>, StoreError> {
    let rows = BODIES.scan(db, &(genesis, height), None, MOST_BODIES)?;
    Ok(rows.into_iter().map(|((_, _, hash), block)| (BlockHash(hash), block)).collect())
}

pub(crate) fn prune(txn: &mut dyn Transaction, pruning: &mut Pruning) -> Result<(), StoreError> {
    pruning.clear(&LOG, txn)?;
    pruning.clear(&BODIES, txn)
}
