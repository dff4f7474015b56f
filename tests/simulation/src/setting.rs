//! Who takes part: the genesis, keys and places of a run. Nothing here depends on the seed, so it is made once for each
//! shape.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use base_chain_node::rules::{self, GenesisKey, GenesisState, GenesisValidator};
use coordinator_base_chain::{
    Block, EmbeddedCurve, NetworkCurve, NetworkParameters, TributaryParameters, signing,
};
use coordinator_keys::SecretKey;
use coordinator_store::{MemoryStore, Store, Writes};
use embedded_curves::registration;
use processor_messages::{Amount, Bytes, ChainGenesis, Genesis, KeyShares, List, Network, Validator};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use simulated_processor::{
    external_network::{ExternalNetwork, Pace},
    secrets::EmbeddedSecrets,
};
use tributary::{Config, Limits, Members};

/// When every run begins.
pub const START_UNIX_MS: u64 = 1_700_000_000_000;
/// From a base-chain block to the next.
pub const BLOCK_TIME_MS: u64 = 1_000;
const CHAIN_ID: &str = "simulation";
const STAKE_PER_SHARE: u64 = 1_000;
/// Far enough that blocks are skipped and carried over, and short enough for runs of minutes.
const COSIGN_DISTANCE: u32 = 5;

/// Who takes part, by number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Shape {
    /// Key shares of each validator at the beginning, in every network's set; 0 for one who joins later.
    pub weights: Vec<u16>,
    /// How many networks.
    pub networks: usize,
    /// Blocks of the base chain from one rotation to the next.
    pub epoch_blocks: u64,
    /// Who leaves and joins.
    pub changes: Vec<Change>,
}

/// A validator changes its stake in every network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Change {
    /// From which block of the base chain on.
    pub at: u64,
    /// Who.
    pub validator: usize,
    /// How many key shares its stake is for from then on.
    pub weight: u16,
}

/// An epoch which does not end within a run.
const NEVER: u64 = 50_000;

impl Shape {
    /// A set which stays.
    pub fn lasting(weights: &[u16], networks: usize) -> Self {
        Self { weights: weights.to_vec(), networks, epoch_blocks: NEVER, changes: Vec::new() }
    }

    /// Two rotations in a row: of each set of four, one stays and three are new; the last to join were members before.
    /// Each has one key share.
    pub fn rotating(networks: usize) -> Self {
        Self::rotating_with([1; 8], networks)
    }

    /// The same with two or three key shares each, ten in a set, of which nobody has a third.
    pub fn rotating_weighted(networks: usize) -> Self {
        Self::rotating_with([3, 2, 2, 3, 2, 2, 3, 2], networks)
    }

    /// These are the key shares of each validator while it is a member.
    fn rotating_with(shares: [u16; 8], networks: usize) -> Self {
        let sets: [&[usize]; 3] = [&[0, 1, 2, 3], &[3, 4, 5, 6], &[6, 7, 0, 1]];
        let mut changes = Vec::new();
        for (epoch, pair) in (0_u64..).zip(sets.windows(2)) {
            let (Some(former), Some(next)) = (pair.first(), pair.last()) else { continue };
            let at = epoch * Self::EPOCH + Self::EPOCH / 4;
            let of = |validator: &usize, weight| Change { at, validator: *validator, weight };
            let share = |validator: &usize| shares.get(*validator).copied().unwrap_or_default();
            changes.extend(next.iter().filter(|v| !former.contains(v)).map(|v| of(v, share(v))));
            changes.extend(former.iter().filter(|v| !next.contains(v)).map(|v| of(v, 0)));
        }
        let first = |(index, share): (usize, u16)| if sets[0].contains(&index) { share } else { 0 };
        let weights = shares.into_iter().enumerate().map(first).collect();
        Self { weights, networks, epoch_blocks: Self::EPOCH, changes }
    }

    /// The epoch of [`Shape::rotating`].
    const EPOCH: u64 = 48;

    /// Seven of one share, of whom two may lie.
    pub const TWO_LIARS: [u16; 7] = [1; 7];

    /// Whether the others can go on without these validators, on every chain.
    pub fn tolerates(&self, validators: &[usize]) -> bool {
        let below_a_third = |weights: &[u16]| {
            let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
            let of: u64 = validators.iter().filter_map(|v| weights.get(*v)).map(|w| u64::from(*w)).sum();
            of * 3 < total
        };
        let consensus: Vec<u16> = self.weights.iter().map(|weight| u16::from(*weight > 0)).collect();
        below_a_third(&self.weights) && below_a_third(&consensus)
    }

    /// Blocks in which the rotations of a run come: an epoch for each, and one in case a set is not ready when its turn is.
    pub fn rotation_blocks(&self) -> u64 {
        let rotations = u64::from(self.sessions().saturating_sub(1));
        if rotations == 0 { 0 } else { self.epoch_blocks * (rotations + 1) }
    }

    /// How many sessions a network has in the end.
    pub fn sessions(&self) -> u32 {
        let mut ends: Vec<u64> = self.changes.iter().map(|change| change.at).collect();
        ends.dedup();
        u32::try_from(ends.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// All that is fixed before a run.
pub struct Setting {
    /// The shape.
    pub shape: Shape,
    /// Each validator's key.
    pub keys: Vec<SecretKey>,
    /// The base chain.
    pub chain: ChainGenesis,
    /// What its store begins with.
    pub genesis: Writes,
    /// Its block 0.
    pub genesis_block: Block,
    /// Who decides its blocks: those who have stake at the beginning, by number.
    pub deciders: Vec<usize>,
    /// The same, as the engine knows them.
    pub members: Members,
    /// A key which is no validator's.
    pub stranger: SecretKey,
    /// How keys are generated.
    pub key_generation: KeyGeneration,
    /// The networks.
    pub networks: Vec<Network>,
}

impl Setting {
    /// The setting of a shape.
    pub fn of(shape: &Shape, key_generation: KeyGeneration) -> Arc<Self> {
        static KNOWN: OnceLock<Mutex<BTreeMap<Known, Arc<Setting>>>> = OnceLock::new();
        let known = KNOWN.get_or_init(Mutex::default);
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Self::make(shape, key_generation));
        known.entry((shape.clone(), key_generation)).or_insert_with(make).clone()
    }

    fn make(shape: &Shape, key_generation: KeyGeneration) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let names = ["bitcoin", "ethereum", "monero"];
        let networks: Vec<_> =
            names.iter().take(shape.networks).map(|name| Network::new(name).expect("valid")).collect();
        let keys: Vec<_> = shape.weights.iter().map(|_| SecretKey::random(&mut rng)).collect();
        let secrets: Vec<_> = (0..keys.len()).map(embedded_secrets).collect();
        let validators = keys.iter().zip(&secrets).zip(&shape.weights);
        let state = GenesisState {
            chain_id: CHAIN_ID.to_owned(),
            time_unix_ms: START_UNIX_MS,
            cosign_distance: COSIGN_DISTANCE,
            networks: networks.iter().map(|name| parameters(*name, shape)).collect(),
            validators: validators
                .map(|((key, secrets), weight)| validator(key, secrets, *weight, &networks, &mut rng))
                .collect(),
        };
        let (genesis_block, genesis) = MemoryStore::default()
            .read(|db| rules::init(db, &state))
            .expect("the genesis of a simulation obeys the rules");
        let chain = state.hash();
        let weights = shape.weights.iter().enumerate();
        let deciders: Vec<_> = weights.filter(|(_, weight)| **weight > 0).map(|(index, _)| index).collect();
        let consensus: Vec<_> =
            deciders.iter().filter_map(|index| keys.get(*index)).map(|key| (of(key), KeyShares(1))).collect();
        let members = Members::new(Genesis(chain.0), &consensus, Limits::default()).expect("few validators");
        let stranger = SecretKey::random(&mut rng);
        let shape = shape.clone();
        Self {
            shape,
            keys,
            chain,
            genesis,
            genesis_block,
            deciders,
            members,
            stranger,
            key_generation,
            networks,
        }
    }

    /// A validator's account.
    pub fn validator(&self, index: usize) -> Validator {
        self.keys.get(index).map_or(Validator([0; 32]), of)
    }

    /// Which validator this is.
    pub fn index_of(&self, validator: Validator) -> Option<usize> {
        self.keys.iter().position(|key| of(key) == validator)
    }

    /// Which base-chain node a validator asks: its own, if it decides blocks.
    pub fn base_of(&self, validator: usize) -> usize {
        let own = self.deciders.iter().position(|decider| *decider == validator);
        own.unwrap_or_else(|| validator.checked_rem(self.deciders.len()).unwrap_or_default())
    }

    /// The simulated external network of this number.
    pub fn external(&self, network: usize) -> Option<ExternalNetwork> {
        let pace = Pace {
            start_unix_ms: START_UNIX_MS,
            block_interval_ms: 2_000,
            blocks_between_deposits: 2,
            deposits: 2,
        };
        Some(ExternalNetwork::new(self.chain, *self.networks.get(network)?, pace))
    }
}

type Known = (Shape, KeyGeneration);

/// How processors generate keys.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum KeyGeneration {
    /// Keys are dealt: the same messages, no proofs.
    Dealt,
    /// By the eVRF DKG.
    Real,
}

/// The stake for so many key shares: half a share more, so that slash points cost no share.
pub fn stake_for(weight: u16) -> Amount {
    let half = if weight == 0 { 0 } else { STAKE_PER_SHARE / 2 };
    Amount(u64::from(weight) * STAKE_PER_SHARE + half)
}

/// A validator's embedded secrets.
pub fn embedded_secrets(index: usize) -> EmbeddedSecrets {
    EmbeddedSecrets::random(&mut ChaCha8Rng::seed_from_u64(1_000 + index as u64))
}

fn of(key: &SecretKey) -> Validator {
    Validator(key.public().to_bytes())
}

fn parameters(name: Network, shape: &Shape) -> NetworkParameters {
    // A set which cannot generate its keys is dropped, and the next one declared, within an epoch.
    let deadline = if shape.changes.is_empty() { 5_000 } else { shape.epoch_blocks - 4 };
    NetworkParameters {
        name,
        curve: NetworkCurve::Secp256k1,
        min_key_shares: 1,
        stake_per_share: Amount(STAKE_PER_SHARE),
        epoch_blocks: shape.epoch_blocks,
        key_gen_deadline_blocks: deadline,
        slash_report_deadline_blocks: deadline,
        tributary: TributaryParameters { attempt_blocks: 10, longest_attempt: 3, grace_blocks: 3 },
    }
}

fn validator(
    key: &SecretKey,
    secrets: &EmbeddedSecrets,
    weight: u16,
    networks: &[Network],
    rng: &mut ChaCha8Rng,
) -> GenesisValidator {
    let mut prove = |curve, secret: &registration::EmbeddedSecret| {
        let context = signing::registration_chain(CHAIN_ID);
        let proof = registration::prove(&context.0, &of(key).0, secret, rng);
        GenesisKey {
            curve,
            key: Bytes::new(secret.key().to_vec()).expect("33 bytes"),
            proof: Bytes::new(proof.to_vec()).expect("65 bytes"),
        }
    };
    let embedded_keys = vec![
        prove(EmbeddedCurve::Embedwards25519, secrets.base()),
        prove(EmbeddedCurve::Secq256k1, secrets.network(NetworkCurve::Secp256k1)),
    ];
    let stakes = networks.iter().filter(|_| weight > 0).map(|network| (*network, stake_for(weight)));
    GenesisValidator {
        validator: of(key),
        consensus_weight: u16::from(weight > 0),
        addresses: List::default(),
        free: Amount(1_000 * STAKE_PER_SHARE),
        stakes: stakes.collect(),
        embedded_keys,
    }
}

/// The timing of base-chain nodes.
pub fn base_timing() -> Config {
    Config { interval: ms(BLOCK_TIME_MS), heartbeat: ms(BLOCK_TIME_MS), ..tributary_timing() }
}

/// The timing of tributaries.
pub fn tributary_timing() -> Config {
    Config {
        interval: ms(500),
        heartbeat: ms(20_000),
        propose: ms(1_000),
        vote: ms(400),
        max_timeout: ms(5_000),
        rebroadcast: ms(1_000),
        sync: ms(700),
        resend: ms(1_000),
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
