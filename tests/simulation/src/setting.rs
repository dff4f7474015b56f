//! Who takes part: the genesis, keys and places of a run. Nothing here depends on the seed, so it is made once for each
//! shape.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use base_chain_node::rules::{self, GenesisKey, GenesisState, GenesisValidator};
use coordinator_base_chain::{EmbeddedCurve, NetworkCurve, NetworkParameters, TributaryParameters, signing};
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
    /// Key shares of each validator, in every network's set.
    pub weights: Vec<u16>,
    /// How many networks.
    pub networks: usize,
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
    /// Who decides its blocks.
    pub members: Members,
    /// The networks.
    pub networks: Vec<Network>,
}

impl Setting {
    /// The setting of a shape.
    pub fn of(shape: &Shape) -> Arc<Self> {
        static KNOWN: OnceLock<Mutex<BTreeMap<Shape, Arc<Setting>>>> = OnceLock::new();
        let known = KNOWN.get_or_init(Mutex::default);
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(shape.clone()).or_insert_with(|| Arc::new(Self::make(shape))).clone()
    }

    fn make(shape: &Shape) -> Self {
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
            networks: networks.iter().map(|name| parameters(*name)).collect(),
            validators: validators
                .map(|((key, secrets), weight)| validator(key, secrets, *weight, &networks, &mut rng))
                .collect(),
        };
        let (_, genesis) = MemoryStore::default()
            .read(|db| rules::init(db, &state))
            .expect("the genesis of a simulation obeys the rules");
        let chain = state.hash();
        let consensus: Vec<_> = keys.iter().map(|key| (of(key), KeyShares(1))).collect();
        let members = Members::new(Genesis(chain.0), &consensus, Limits::default()).expect("few validators");
        Self { shape: shape.clone(), keys, chain, genesis, members, networks }
    }

    /// A validator's account.
    pub fn validator(&self, index: usize) -> Validator {
        self.keys.get(index).map_or(Validator([0; 32]), of)
    }

    /// Which validator this is.
    pub fn index_of(&self, validator: Validator) -> Option<usize> {
        self.keys.iter().position(|key| of(key) == validator)
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

/// A validator's embedded secrets.
pub fn embedded_secrets(index: usize) -> EmbeddedSecrets {
    EmbeddedSecrets::random(&mut ChaCha8Rng::seed_from_u64(1_000 + index as u64))
}

fn of(key: &SecretKey) -> Validator {
    Validator(key.public().to_bytes())
}

fn parameters(name: Network) -> NetworkParameters {
    NetworkParameters {
        name,
        curve: NetworkCurve::Secp256k1,
        min_key_shares: 1,
        stake_per_share: Amount(STAKE_PER_SHARE),
        epoch_blocks: 50_000,
        key_gen_deadline_blocks: 5_000,
        slash_report_deadline_blocks: 5_000,
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
    let stake = Amount(u64::from(weight) * STAKE_PER_SHARE);
    GenesisValidator {
        validator: of(key),
        consensus_weight: 1,
        addresses: List::default(),
        free: Amount(STAKE_PER_SHARE),
        stakes: networks.iter().map(|network| (*network, stake)).collect(),
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
