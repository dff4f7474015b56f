//! A simulated external network: the same blocks for every processor, from a seed and the time alone.
//!
//! ```text
//! block n exists from  start + n * interval  on
//! every `blocks_between_deposits`-th block holds `deposits` deposits, to accounts drawn from the seed
//! ```
//!
//! It replaces a full node, not the processor's duty: what a processor makes of a block is real. A block's hash
//! carries its number in the first eight bytes, so that a processor which sees a hash on the base chain finds the
//! block. There are no forks. What its accounts pay is no function of the time, and is the [`ledger`](crate::ledger).
//!
//! Anybody can spend what is deposited: an account's secret key is a hash of the seed ([`ExternalNetwork::account_key`]),
//! so that a test can burn it again ([`ExternalNetwork::burn`]).

use blake2::{Blake2b, Blake2b512, Digest, digest::consts::U32};
use coordinator_base_chain::{Call, SignedCall, Transaction};
use coordinator_keys::SecretKey;
use processor_messages::{
    Account, Amount, Batch, BatchId, Burn, ChainGenesis, Instruction, KeyBytes, List, Network,
    NetworkBlockHash,
};

/// The most deposits in one block.
pub const MAX_DEPOSITS: u16 = 256;

/// The pace of a simulated network; the same for all its processors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// When block 0 is made, in milliseconds since the Unix epoch.
    pub start_unix_ms: u64,
    /// Time from one block to the next, in milliseconds; at least 1.
    pub block_interval_ms: u64,
    /// Every how many blocks there are deposits; at least 1.
    pub blocks_between_deposits: u64,
    /// How many deposits such a block holds; at most [`MAX_DEPOSITS`].
    pub deposits: u16,
}

/// A simulated network.
#[derive(Clone, Debug)]
pub struct ExternalNetwork {
    network: Network,
    seed: [u8; 32],
    pace: Pace,
}

impl ExternalNetwork {
    /// The network of this name as the base chain `chain` knows it.
    pub fn new(chain: ChainGenesis, network: Network, pace: Pace) -> Self {
        let digest = Blake2b::<U32>::new()
            .chain_update(b"headwater simulated network v1")
            .chain_update(chain.0)
            .chain_update(network.as_str());
        Self { network, seed: digest.finalize().into(), pace }
    }

    fn digest(&self, label: &str, number: u64, index: u16) -> [u8; 64] {
        let digest = Blake2b512::new()
            .chain_update(self.seed)
            .chain_update(label)
            .chain_update(number.to_le_bytes())
            .chain_update(index.to_le_bytes());
        digest.finalize().into()
    }

    /// The number of the newest block at a time; `None` before block 0.
    pub fn tip(&self, now_unix_ms: u64) -> Option<u64> {
        Some(now_unix_ms.checked_sub(self.pace.start_unix_ms)? / self.pace.block_interval_ms.max(1))
    }

    /// When a block is made, in milliseconds since the Unix epoch.
    pub fn time_unix_ms(&self, number: u64) -> u64 {
        let since = number.saturating_mul(self.pace.block_interval_ms.max(1));
        self.pace.start_unix_ms.saturating_add(since)
    }

    /// The first block made at or after a time.
    pub fn first_from(&self, unix_ms: u64) -> u64 {
        unix_ms.saturating_sub(self.pace.start_unix_ms).div_ceil(self.pace.block_interval_ms.max(1))
    }

    /// A block's hash.
    pub fn hash(&self, number: u64) -> NetworkBlockHash {
        let mut hash = [0; 32];
        let rest = self.digest("block", number, 0);
        for (to, from) in hash.iter_mut().zip(number.to_be_bytes().iter().chain(&rest)) {
            *to = *from;
        }
        NetworkBlockHash(hash)
    }

    /// The number of the block with a hash; `None` if there is no such block.
    pub fn number(&self, hash: &NetworkBlockHash) -> Option<u64> {
        let number = u64::from_be_bytes(*hash.0.first_chunk()?);
        (self.hash(number) == *hash).then_some(number)
    }

    /// The secret key of the account which a deposit is for.
    ///
    /// # Panics
    /// Never: a scalar below 2^248 is canonical, and zero with probability 2^-248.
    pub fn account_key(&self, number: u64, index: u16) -> SecretKey {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().take(31).zip(self.digest("account", number, index)) {
            *to = from;
        }
        SecretKey::from_bytes(&bytes).expect("a scalar below 2^248, zero with probability 2^-248")
    }

    /// Who gets a deposit on the base chain, and how much; `None` if the block has no such deposit.
    pub fn deposit(&self, number: u64, index: u16) -> Option<(Account, Amount)> {
        (index < self.deposits(number)).then(|| self.minted(number, index))
    }

    fn minted(&self, number: u64, index: u16) -> (Account, Amount) {
        let [a, b, ..] = self.digest("amount", number, index);
        let amount = Amount(1_000 + u64::from(u16::from_le_bytes([a, b])));
        (Account(self.account_key(number, index).public().to_bytes()), amount)
    }

    /// A burn of what a deposit minted, to be submitted to the base chain `chain`, and the burn as its event will name
    /// it. The account's `nonce` is the number of its burns before, and it must hold `amount`: the batch of the deposit
    /// must have been executed.
    pub fn burn(
        &self,
        chain: ChainGenesis,
        (number, index): (u64, u16),
        nonce: u64,
        (amount, destination): (Amount, KeyBytes),
    ) -> (Transaction, Burn) {
        let key = self.account_key(number, index);
        let from = Account(key.public().to_bytes());
        let burn = Burn { from, amount, destination: destination.clone() };
        let call = Call::Burn { network: self.network, amount, destination };
        (Transaction::Call(SignedCall::sign(&key, chain, nonce, call)), burn)
    }

    fn deposits(&self, number: u64) -> u16 {
        let every = self.pace.blocks_between_deposits.max(1);
        if number.is_multiple_of(every) { self.pace.deposits.min(MAX_DEPOSITS) } else { 0 }
    }

    /// What a block asks of the base chain, as the batch `id`: without instructions if it holds no deposit.
    ///
    /// # Panics
    /// Never: a block has fewer deposits than a batch has instructions.
    pub fn batch(&self, number: u64, id: BatchId) -> Batch {
        let deposits = self.deposits(number);
        let mint = |index| {
            let (to, amount) = self.minted(number, index);
            Instruction::Mint { to, amount }
        };
        let instructions = List::new((0..deposits).map(mint).collect()).expect("at most 256 deposits");
        Batch { network: self.network, id, block: self.hash(number), instructions }
    }
}

#[cfg(test)]
mod tests {
    use processor_messages::{MAX_BATCH_BYTES, encode};

    use super::*;

    fn network(name: &str) -> ExternalNetwork {
        let pace =
            Pace { start_unix_ms: 1_000, block_interval_ms: 500, blocks_between_deposits: 3, deposits: 2 };
        ExternalNetwork::new(ChainGenesis([1; 32]), name.parse().unwrap(), pace)
    }

    /// `PROC-10`.
    #[test]
    fn every_processor_sees_the_same_blocks_and_each_network_its_own() {
        assert_eq!(network("a").batch(3, BatchId(0)), network("a").batch(3, BatchId(0)));
        assert_ne!(network("a").hash(3), network("b").hash(3));
        assert_ne!(network("a").batch(3, BatchId(0)), network("a").batch(6, BatchId(0)));
    }

    #[test]
    fn blocks_come_at_their_pace() {
        let network = network("a");
        assert_eq!(network.tip(999), None);
        assert_eq!(network.tip(1_000), Some(0));
        assert_eq!(network.tip(1_999), Some(1));
        assert_eq!(network.time_unix_ms(2), 2_000);
        assert_eq!((network.first_from(0), network.first_from(1_001), network.first_from(1_500)), (0, 1, 1));
    }

    #[test]
    fn deposits_come_at_their_pace() {
        let network = network("a");
        let with: Vec<u64> =
            (0..10).filter(|n| !network.batch(*n, BatchId(0)).instructions.is_empty()).collect();
        assert_eq!(with, [0, 3, 6, 9]);
        assert_eq!(network.batch(3, BatchId(0)).instructions.len(), 2);
    }

    #[test]
    fn what_a_deposit_minted_can_be_burnt_by_its_account() {
        let network = network("a");
        let (account, amount) = network.deposit(3, 1).unwrap();
        let minted = network.batch(3, BatchId(0)).instructions[1].clone();
        assert_eq!(minted, Instruction::Mint { to: account, amount });
        assert_eq!((network.deposit(3, 2), network.deposit(4, 0)), (None, None));
        let destination = KeyBytes::new(vec![1, 2]).unwrap();
        let chain = ChainGenesis([1; 32]);
        let (transaction, burn) = network.burn(chain, (3, 1), 0, (amount, destination.clone()));
        assert_eq!(burn, Burn { from: account, amount, destination });
        let Transaction::Call(call) = transaction else { panic!("a call") };
        assert!(call.account == account && call.verify(chain));
    }

    #[test]
    fn a_block_is_found_by_its_hash_and_by_no_other() {
        let network = network("a");
        assert_eq!(network.number(&network.hash(77)), Some(77));
        let mut wrong = network.hash(77);
        wrong.0[31] ^= 1;
        assert_eq!(network.number(&wrong), None);
    }

    #[test]
    fn the_fullest_block_fits_a_batch() {
        let pace =
            Pace { start_unix_ms: 0, block_interval_ms: 1, blocks_between_deposits: 1, deposits: u16::MAX };
        let network = ExternalNetwork::new(ChainGenesis([1; 32]), "sixteen-letters-".parse().unwrap(), pace);
        assert!(encode(&network.batch(1, BatchId(0))).len() <= MAX_BATCH_BYTES);
    }
}
