//! What a base-chain node tells the coordinator which asks it: the truth, nothing, old blocks, or lies.
//!
//! | Lie | What the coordinator must see |
//! |---|---|
//! | a block of another chain | the chain in its header is not ours |
//! | a block which does not follow | its parent is not the block before it |
//! | a block with other events | its header does not commit to them |
//! | another block than was asked for | its number is not the next one |
//! | "taken", and the transaction is dropped | the event does not come: submitted again |

use coordinator_base_chain::{Block, merkle_root};
use processor_messages::{BaseBlock, BaseBlockHash, ChainGenesis};
use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;

/// How a base-chain node answers one call.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Answers {
    /// Truly.
    #[default]
    Truly,
    /// Not at all.
    Never,
    /// As if these latest blocks were not final yet.
    Late(u64),
    /// With a lie; the number chooses which.
    Falsely(u64),
}

/// A lie about a block.
pub fn falsified(mut block: Block, which: u64, rng: &mut ChaCha8Rng) -> Block {
    let mut noise = [0; 32];
    rng.fill_bytes(&mut noise);
    match which % 4 {
        0 => block.header.chain = ChainGenesis(noise),
        1 => block.header.parent = BaseBlockHash(noise),
        2 => {
            // Events which the header does not commit to: fewer, or as many again.
            if block.events.pop().is_none() {
                block.header.events_root = noise;
            }
        }
        _ => {
            // Consistent in itself, and of another place of the chain.
            block.header.number = BaseBlock(block.header.number.0.saturating_add(1 + which % 3));
            block.header.events_root = merkle_root(&block.events);
        }
    }
    block
}
