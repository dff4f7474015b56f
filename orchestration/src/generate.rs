//! Makes a testnet's directory: keys, genesis, configurations. Nothing is overwritten.
//!
//! ```text
//! plan ──▶ validator keys, passphrases ──▶ processors' init ──▶ bundles ──▶ genesis ──▶ configurations
//! ```
//!
//! A file `making` stands in the directory until the manifest does: what was interrupted before is made anew, since
//! nothing of it was ever started.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, bail};
use base_chain_node::rules::{GenesisKey, GenesisState, GenesisValidator};
use coordinator_base_chain::{NetworkParameters, TributaryParameters};
use coordinator_keys::{SecretKey, write_key_file};
use processor_messages::{Amount, Bytes, ChainGenesis, KeyShares, List, Network, Validator};
use rand_core::{OsRng, RngCore};
use serde::{Deserialize, Serialize};
use simulated_processor::Bundle;
use zeroize::Zeroizing;

use crate::{
    layout::{Layout, Service},
    plan::{Plan, curve_of},
    ports::free_ports,
};

/// What one key share is staked with.
const STAKE_PER_SHARE: u64 = 1_000;
/// Short: whoever tries a testnet waits for what is cosigned.
const COSIGN_DISTANCE: u32 = 5;
/// The version of a testnet's directory.
const VERSION: u32 = 2;

/// Where a validator's services listen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// The base-chain node's JSON-RPC.
    pub rpc: SocketAddr,
    /// The base-chain node's peers.
    pub base_chain_p2p: SocketAddr,
    /// The coordinator's peers.
    pub coordinator_p2p: SocketAddr,
    /// The coordinator's message queue.
    pub queue: SocketAddr,
    /// The coordinator's HTTP for operators.
    pub api: SocketAddr,
}

/// One validator of a testnet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ValidatorEntry {
    /// Its account.
    pub validator: Validator,
    /// Its key shares in every network's first set.
    pub shares: KeyShares,
    /// Where its services listen.
    pub addresses: Addresses,
}

/// What `up` resumes from: no secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of this directory's form.
    pub version: u32,
    /// Which base chain.
    pub chain: ChainGenesis,
    /// Its time between blocks, in milliseconds.
    pub block_time_ms: u64,
    /// After how many blocks each network's next set is declared.
    pub epoch_blocks: u64,
    /// The networks.
    pub networks: Vec<Network>,
    /// Where each simulated network listens.
    pub network_addresses: BTreeMap<Network, SocketAddr>,
    /// The validators.
    pub validators: Vec<ValidatorEntry>,
}

impl Manifest {
    /// All services of the validators in the order in which they start; the networks start before them.
    pub fn services(&self) -> Vec<(usize, Service)> {
        let each = |service: Service| (0..self.validators.len()).map(move |validator| (validator, service));
        let processors = self.networks.iter().flat_map(|network| each(Service::Processor(*network)));
        each(Service::BaseChain).chain(each(Service::Coordinator)).chain(processors).collect()
    }
}

/// Reads the directory's manifest, or makes the testnet if the directory has none.
///
/// # Errors
/// If the directory holds another plan's testnet, another version's, or something else; or cannot be written.
pub fn load_or_generate(plan: &Plan) -> anyhow::Result<Manifest> {
    let layout = Layout::new(&plan.dir);
    if !layout.manifest().exists() {
        return generate(plan);
    }
    let path = layout.manifest();
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let manifest: Manifest = serde_json::from_str(&text).with_context(|| {
        format!("{}: not a testnet of this version; choose another --dir", path.display())
    })?;
    check_same(plan, &manifest)?;
    Ok(manifest)
}

/// Whether a directory's testnet is the one asked for.
fn check_same(plan: &Plan, manifest: &Manifest) -> anyhow::Result<()> {
    let dir = plan.dir.display();
    if manifest.version != VERSION {
        bail!(
            "{dir} holds a testnet of version {}, this program makes {VERSION}; choose another --dir",
            manifest.version
        );
    }
    let weights: Vec<KeyShares> = manifest.validators.iter().map(|v| v.shares).collect();
    let block_time = plan.block_time.as_millis() == u128::from(manifest.block_time_ms);
    let pace = block_time && (plan.epoch_blocks == manifest.epoch_blocks);
    if (weights != plan.weights) || (manifest.networks != plan.networks) || !pace {
        let weights: Vec<String> = weights.iter().map(ToString::to_string).collect();
        bail!(
            "{dir} holds another testnet: --validators {} --weights {} --networks {} --block-time {}ms --epoch-blocks {}; give the same options or another --dir",
            weights.len(),
            weights.join(","),
            manifest.networks.len(),
            manifest.block_time_ms,
            manifest.epoch_blocks
        );
    }
    Ok(())
}

fn generate(plan: &Plan) -> anyhow::Result<Manifest> {
    let layout = Layout::new(&plan.dir);
    begin(&layout)?;
    let mut id = [0; 4];
    OsRng.fill_bytes(&mut id);
    let chain_id = format!("testnet-{}", hex::encode(id));
    let (entries, networks) = entries(plan, &layout)?;
    let now = unix_ms()?;

    let mut draft = Draft {
        plan,
        layout: &layout,
        entries: &entries,
        networks: &networks,
        chain_id: &chain_id,
        chain: None,
        now,
    };
    let bundles = draft.init_processors()?;
    let genesis = draft.genesis(&bundles)?;
    let text = base_chain_node::genesis_file::to_toml(&genesis)?;
    fs::write(layout.genesis(), text)?;
    draft.chain = Some(genesis.hash());
    draft.write_configurations(&bundles)?;

    let manifest = Manifest {
        version: VERSION,
        chain: genesis.hash(),
        block_time_ms: millis(plan.block_time),
        epoch_blocks: plan.epoch_blocks,
        networks: plan.networks.clone(),
        network_addresses: networks,
        validators: entries,
    };
    let draft = layout.making();
    fs::write(&draft, serde_json::to_string_pretty(&manifest)?)?;
    fs::rename(draft, layout.manifest())?;
    Ok(manifest)
}

/// Takes an empty directory, or one whose making was interrupted, which it empties.
fn begin(layout: &Layout) -> anyhow::Result<()> {
    private_dir(layout.dir())?;
    let dir = layout.dir().display();
    let interrupted = layout.making().exists();
    for entry in fs::read_dir(layout.dir())? {
        let path = entry?.path();
        if !interrupted {
            bail!("{dir} is not empty and holds no testnet; choose another --dir");
        }
        if path == layout.genesis() {
            fs::remove_file(path)?;
        } else if layout.is_validator(&path) || layout.is_network(&path) {
            fs::remove_dir_all(path)?;
        } else if path != layout.making() {
            bail!("{} is no part of a testnet; remove it, or choose another --dir", path.display());
        }
    }
    fs::write(layout.making(), b"").with_context(|| dir.to_string())
}

/// Makes the validators' keys, and finds their and the networks' ports.
fn entries(
    plan: &Plan,
    layout: &Layout,
) -> anyhow::Result<(Vec<ValidatorEntry>, BTreeMap<Network, SocketAddr>)> {
    let ports = free_ports(plan.validators() * 5 + plan.networks.len())?;
    let networks = plan.networks.iter().copied().zip(ports.iter().rev().copied()).collect();
    let mut entries = Vec::new();
    for (number, (shares, ports)) in plan.weights.iter().zip(ports.as_chunks::<5>().0).enumerate() {
        private_dir(&layout.validator(number))?;
        let key = SecretKey::random(&mut OsRng);
        write_key_file(&layout.validator_key(number), &key)?;
        let mut passphrase = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(passphrase.as_mut());
        let text = Zeroizing::new(hex::encode(passphrase.as_ref()));
        private_file(&layout.validator(number).join("passphrase"), text.as_bytes())?;
        let [rpc, base_chain_p2p, coordinator_p2p, queue, api] = *ports;
        entries.push(ValidatorEntry {
            validator: Validator(key.public().to_bytes()),
            shares: *shares,
            addresses: Addresses { rpc, base_chain_p2p, coordinator_p2p, queue, api },
        });
    }
    Ok((entries, networks))
}

/// A testnet while it is made.
struct Draft<'a> {
    plan: &'a Plan,
    layout: &'a Layout,
    entries: &'a [ValidatorEntry],
    networks: &'a BTreeMap<Network, SocketAddr>,
    chain_id: &'a str,
    chain: Option<ChainGenesis>,
    now: u64,
}

impl Draft<'_> {
    /// Makes every processor's keys; yields the bundles by validator and network.
    fn init_processors(&self) -> anyhow::Result<Vec<BTreeMap<Network, Bundle>>> {
        let mut bundles = Vec::new();
        for (number, entry) in self.entries.iter().enumerate() {
            let folder = self.layout.service(number, Service::Coordinator);
            private_dir(&folder)?;
            let service = SecretKey::random(&mut OsRng);
            write_key_file(&folder.join("service.key"), &service)?;
            let mut of_networks = BTreeMap::new();
            for network in &self.plan.networks {
                private_dir(&self.layout.service(number, Service::Processor(*network)))?;
                let path = self.write_processor(number, entry, *network, &service)?;
                let config = simulated_processor::Config::read(&path)?;
                of_networks.insert(*network, simulated_processor::init(&config)?);
            }
            bundles.push(of_networks);
        }
        Ok(bundles)
    }

    fn genesis(&self, bundles: &[BTreeMap<Network, Bundle>]) -> anyhow::Result<GenesisState> {
        let network = |name: &Network| NetworkParameters {
            name: *name,
            curve: curve_of(*name),
            min_key_shares: u16::try_from(self.entries.len().min(4)).unwrap_or(4),
            stake_per_share: Amount(STAKE_PER_SHARE),
            epoch_blocks: self.plan.epoch_blocks,
            key_gen_deadline_blocks: 5_000,
            slash_report_deadline_blocks: self.plan.epoch_blocks.saturating_mul(16).min(5_000),
            tributary: TributaryParameters::default(),
        };
        let validators = self.entries.iter().zip(bundles).map(|(entry, bundles)| {
            let stake = Amount(u64::from(entry.shares.0) * STAKE_PER_SHARE);
            // Who serves no network yet registers and stakes by calls of its own.
            let serves = entry.shares.0 > 0;
            let bundle = bundles.values().next().context("a testnet has a network")?;
            let keys = bundle.embedded.iter().filter(|_| serves).map(|key| {
                let proof = Bytes::new(key.proof.clone())?;
                Ok(GenesisKey { curve: key.curve, key: key.key.clone(), proof })
            });
            let address = Bytes::new(entry.addresses.coordinator_p2p.to_string().into_bytes())?;
            Ok(GenesisValidator {
                validator: entry.validator,
                consensus_weight: 1,
                addresses: List::new(vec![address])?,
                free: Amount(STAKE_PER_SHARE),
                stakes: self.plan.networks.iter().filter(|_| serves).map(|name| (*name, stake)).collect(),
                embedded_keys: keys.collect::<anyhow::Result<_>>()?,
            })
        });
        Ok(GenesisState {
            chain_id: self.chain_id.to_owned(),
            time_unix_ms: self.now,
            cosign_distance: COSIGN_DISTANCE,
            networks: self.plan.networks.iter().map(network).collect(),
            validators: validators.collect::<anyhow::Result<_>>()?,
        })
    }

    fn write_configurations(&self, bundles: &[BTreeMap<Network, Bundle>]) -> anyhow::Result<()> {
        for (network, listen) in self.networks {
            self.write_network(*network, *listen)?;
        }
        for (number, (entry, bundles)) in self.entries.iter().zip(bundles).enumerate() {
            private_dir(&self.layout.service(number, Service::BaseChain))?;
            self.write_base_chain(number, entry)?;
            self.write_coordinator(number, entry, bundles)?;
            let key = self.layout.service(number, Service::Coordinator).join("service.key");
            let service = coordinator_keys::read_key_file(&key)?;
            for network in &self.plan.networks {
                self.write_processor(number, entry, *network, &service)?;
            }
        }
        Ok(())
    }

    fn write_network(&self, network: Network, listen: SocketAddr) -> anyhow::Result<()> {
        let chain = self.chain.context("the genesis is made before the configurations")?;
        let config = simulated_processor::ledger::config::File {
            network,
            curve: curve_of(network),
            chain,
            data_dir: "data".into(),
            listen,
        };
        private_dir(&self.layout.network(network))?;
        let path = self.layout.network(network).join("config.toml");
        fs::write(&path, toml::to_string(&config)?).with_context(|| path.display().to_string())
    }

    fn write_base_chain(&self, number: usize, entry: &ValidatorEntry) -> anyhow::Result<()> {
        let peers = self.entries.iter().filter(|peer| peer.validator != entry.validator);
        let config = base_chain_node::config::Config {
            genesis: "../../genesis.toml".into(),
            data_dir: "data".into(),
            key_file: "../validator.key".into(),
            rpc_listen: entry.addresses.rpc,
            p2p_listen: entry.addresses.base_chain_p2p,
            block_time_ms: millis(self.plan.block_time),
            restored: false,
            peers: peers
                .map(|peer| base_chain_node::config::Peer {
                    validator: peer.validator,
                    addresses: vec![peer.addresses.base_chain_p2p.to_string()],
                })
                .collect(),
        };
        self.write(number, Service::BaseChain, &toml::to_string(&config)?)
    }

    fn write_coordinator(
        &self,
        number: usize,
        entry: &ValidatorEntry,
        bundles: &BTreeMap<Network, Bundle>,
    ) -> anyhow::Result<()> {
        let Addresses { rpc, coordinator_p2p, queue, api, .. } = entry.addresses;
        let chain = self.chain.context("the genesis is made before the configurations")?;
        let keys: Vec<String> = bundles
            .iter()
            .map(|(network, bundle)| format!("{network} = \"{}\"", hex::encode(bundle.service_key)))
            .collect();
        let text = format!(
            "data_dir = \"data\"\n\
             key_file = \"../validator.key\"\n\n\
             [base_chain]\nurl = \"http://{rpc}\"\nchain = \"{chain}\"\n\n\
             [p2p]\nlisten = \"{coordinator_p2p}\"\nadvertise = [\"{coordinator_p2p}\"]\n\n\
             [queue]\nlisten = \"{queue}\"\nkey_file = \"service.key\"\n[queue.processors]\n{}\n\n\
             [api]\nlisten = \"{api}\"\n\n\
             [tributary]\nblock_interval_ms = {}\n",
            keys.join("\n"),
            millis(self.plan.block_time),
        );
        self.write(number, Service::Coordinator, &text)
    }

    /// Writes a processor's configuration; yields its path.
    fn write_processor(
        &self,
        number: usize,
        entry: &ValidatorEntry,
        network: Network,
        coordinator: &SecretKey,
    ) -> anyhow::Result<std::path::PathBuf> {
        let service = Service::Processor(network);
        let payments = self.networks.get(&network).context("every network has its address")?;
        let text = format!(
            "network = \"{network}\"\n\
             curve = \"{}\"\n\
             validator = \"{}\"\n\
             chain_id = \"{}\"\n\
             chain = \"{}\"\n\
             data_dir = \"data\"\n\
             embedded_keys_file = \"../embedded.keys\"\n\
             service_keys_file = \"service.keys\"\n\
             passphrase_file = \"../passphrase\"\n\n\
             [coordinator]\nurl = \"http://{}\"\nservice_key = \"{}\"\n\n\
             [external_network]\nurl = \"http://{payments}\"\nstart_unix_ms = {}\nblock_interval_ms = {}\nblocks_between_deposits = 3\ndeposits = 2\n",
            curve_of(network),
            entry.validator,
            self.chain_id,
            self.chain.map(|chain| chain.to_string()).unwrap_or_default(),
            entry.addresses.queue,
            hex::encode(coordinator.public().to_bytes()),
            self.now,
            millis(self.plan.block_time) * 2,
        );
        self.write(number, service, &text)?;
        Ok(self.layout.config(number, service))
    }

    fn write(&self, number: usize, service: Service, text: &str) -> anyhow::Result<()> {
        let path = self.layout.config(number, service);
        fs::write(&path, text).with_context(|| path.display().to_string())
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn unix_ms() -> anyhow::Result<u64> {
    Ok(millis(SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?))
}

fn private_dir(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(|| path.display().to_string())
}

fn private_file(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| path.display().to_string())?;
    Ok(file.write_all(bytes)?)
}

#[cfg(test)]
mod tests;
