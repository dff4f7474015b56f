use processor_messages::{BaseBlock, BaseBlockHash};
use proptest::prelude::*;

use super::CHAIN;
use crate::{Block, Header, Inclusion, TransactionHash, merkle_path, merkle_root, verify_inclusion};

fn block(count: u8) -> Block {
    let transactions: Vec<_> = (0..count).map(|i| TransactionHash([i; 32])).collect();
    let header = Header {
        chain: CHAIN,
        number: BaseBlock(3),
        parent: BaseBlockHash([1; 32]),
        time_unix_ms: 5,
        transactions_root: merkle_root(&transactions),
        events_root: merkle_root::<crate::Event>(&[]),
        state_root: [2; 32],
    };
    Block { header, transactions, events: vec![] }
}

fn proof(block: &Block, index: usize) -> Inclusion {
    Inclusion {
        header: block.header.clone(),
        transaction: block.transactions[index],
        index: u32::try_from(index).unwrap(),
        count: u32::try_from(block.transactions.len()).unwrap(),
        path: merkle_path(&block.transactions, index),
    }
}

/// BASE-4
#[test]
fn every_transaction_of_a_block_of_any_size_is_provable() {
    for count in 1..40 {
        let block = block(count);
        assert!(block.is_consistent());
        for index in 0..usize::from(count) {
            assert!(verify_inclusion(block.hash(), &proof(&block, index)), "{index} of {count}");
        }
    }
}

proptest! {
    /// BASE-4
    #[test]
    fn no_proof_holds_for_another_transaction_place_count_or_block(
        count in 1..20_u8, at in any::<prop::sample::Index>(), kind in 0..6_u8, by in 1..255_u8,
    ) {
        let block = block(count);
        let mut proof = proof(&block, at.index(usize::from(count)));
        match kind {
            0 => proof.transaction.0[0] = proof.transaction.0[0].wrapping_add(by),
            1 => proof.index = proof.index.wrapping_add(u32::from(by)),
            2 => proof.count = proof.count.wrapping_add(u32::from(by)),
            3 => proof.header.time_unix_ms += u64::from(by),
            4 => proof.path.push([by; 32]),
            _ => { proof.path.pop(); }
        }
        prop_assume!((kind < 5) || (count > 1));
        prop_assert!(!verify_inclusion(block.hash(), &proof));
    }
}

#[test]
fn a_block_whose_parts_differ_from_its_header_is_inconsistent() {
    let mut block = block(3);
    block.transactions.swap(0, 1);
    assert!(!block.is_consistent());
}
