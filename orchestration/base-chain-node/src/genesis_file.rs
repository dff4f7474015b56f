//! The genesis file: TOML, the same for every node of a chain.
//!
//! What is wrong with it is said with file, line, value and remedy. Its identity is the hash of what it
//! says ([`GenesisState::hash`]), not of its bytes: comments and order of settings are free.

use std::{collections::BTreeMap, ops::Range, path::Path};

use coordinator_base_chain::{
    CosignParameters, EmbeddedCurve, KeyProof, NetworkCurve, NetworkParameters, TributaryParameters,
};
use coordinator_startup::{ConfigFile, Failure, MAX_CONFIG_BYTES};
use processor_messages::{Amount, Bytes, KeyBytes, Network, Validator};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::rules::{GenesisError, GenesisKey, GenesisState, GenesisValidator};

/// The fewest key shares of a set that tolerates a fault.
const USUAL_MIN_KEY_SHARES: u16 = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    chain_id: String,
    time_unix_ms: u64,
    #[serde(default = "usual_cosign_distance")]
    cosign_distance: u32,
    #[serde(default)]
    networks: Vec<Spanned<NetworkEntry>>,
    #[serde(default)]
    validators: Vec<Spanned<ValidatorEntry>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetworkEntry {
    name: Network,
    curve: NetworkCurve,
    #[serde(default = "usual_min_key_shares")]
    min_key_shares: u16,
    stake_per_share: Amount,
    epoch_blocks: u64,
    key_gen_deadline_blocks: u64,
    slash_report_deadline_blocks: u64,
    #[serde(default)]
    tributary: TributaryParameters,
}

fn usual_cosign_distance() -> u32 {
    CosignParameters::USUAL_DISTANCE
}

fn usual_min_key_shares() -> u16 {
    USUAL_MIN_KEY_SHARES
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ValidatorEntry {
    key: Validator,
    consensus_weight: u16,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    free: Amount,
    #[serde(default)]
    stakes: BTreeMap<Network, Amount>,
    #[serde(default)]
    embedded_keys: Vec<Spanned<KeyEntry>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    curve: EmbeddedCurve,
    key: KeyBytes,
    proof: KeyProof,
}

/// Where things stand in the text, to name lines.
struct Places {
    networks: Vec<usize>,
    validators: Vec<usize>,
    keys: Vec<Vec<usize>>,
}

/// Reads and checks a genesis file.
///
/// # Errors
/// [`Failure`] of kind `Config`, with the file, the line, the value and a remedy.
pub fn load(path: &Path) -> Result<GenesisState, Failure> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| {
        Failure::config(format!("cannot read {name}: {error}"), "name the chain's genesis file in `genesis`")
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_CONFIG_BYTES {
        return Err(Failure::config(
            format!("{name} has {size} bytes, at most {MAX_CONFIG_BYTES} are read"),
            "name the chain's genesis file in `genesis`",
        ));
    }
    parse(&name, &std::fs::read_to_string(path).map_err(unreadable)?)
}

/// Parses and checks the text of a genesis file called `name`.
///
/// # Errors
/// As [`load`].
pub fn parse(name: &str, text: &str) -> Result<GenesisState, Failure> {
    let file: File = ConfigFile::new(name, text).parse()?;
    let places = Places {
        networks: file.networks.iter().map(|entry| line(text, &entry.span())).collect(),
        validators: file.validators.iter().map(|entry| line(text, &entry.span())).collect(),
        keys: file.validators.iter().map(|entry| key_lines(text, entry.as_ref())).collect(),
    };
    let genesis = into_state(file).map_err(|(validator, reason)| {
        let line = places.validators.get(validator).copied().unwrap_or(1);
        Failure::config(format!("{name}:{line}: {reason}"), "correct the validator's entry")
    })?;
    genesis.check().map_err(|error| wrong(name, text, &places, &error))?;
    Ok(genesis)
}

fn line(text: &str, span: &Range<usize>) -> usize {
    text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1)
}

fn key_lines(text: &str, entry: &ValidatorEntry) -> Vec<usize> {
    entry.embedded_keys.iter().map(|key| line(text, &key.span())).collect()
}

fn wrong(name: &str, text: &str, places: &Places, error: &GenesisError) -> Failure {
    let at = match error {
        GenesisError::Chain(_) | GenesisError::Store(_) => {
            text.lines().position(|line| line.trim_start().starts_with("chain_id")).map_or(1, |line| line + 1)
        }
        GenesisError::Network(at, _) => places.networks.get(*at).copied().unwrap_or(1),
        GenesisError::Validator(at, _) => places.validators.get(*at).copied().unwrap_or(1),
        GenesisError::Key(at, key, _) => {
            places.keys.get(*at).and_then(|keys| keys.get(*key)).copied().unwrap_or(1)
        }
    };
    let value = text.lines().nth(at - 1).unwrap_or_default().trim();
    Failure::config(
        format!("{name}:{at}: {error}, at `{value}`"),
        "correct that entry; every node of a chain has the same genesis file",
    )
}

fn into_state(file: File) -> Result<GenesisState, (usize, String)> {
    let network = |entry: Spanned<NetworkEntry>| {
        let entry = entry.into_inner();
        NetworkParameters {
            name: entry.name,
            curve: entry.curve,
            min_key_shares: entry.min_key_shares,
            stake_per_share: entry.stake_per_share,
            epoch_blocks: entry.epoch_blocks,
            key_gen_deadline_blocks: entry.key_gen_deadline_blocks,
            slash_report_deadline_blocks: entry.slash_report_deadline_blocks,
            tributary: entry.tributary,
        }
    };
    let mut validators = Vec::new();
    for (place, entry) in file.validators.into_iter().enumerate() {
        validators.push(into_validator(entry.into_inner()).map_err(|reason| (place, reason))?);
    }
    Ok(GenesisState {
        chain_id: file.chain_id,
        time_unix_ms: file.time_unix_ms,
        cosign_distance: file.cosign_distance,
        networks: file.networks.into_iter().map(network).collect(),
        validators,
    })
}

fn into_validator(entry: ValidatorEntry) -> Result<GenesisValidator, String> {
    let mut addresses = Vec::new();
    for address in entry.addresses {
        let bytes = Bytes::new(address.into_bytes());
        addresses.push(bytes.map_err(|error| format!("an address is too long: {error}"))?);
    }
    let keys = entry.embedded_keys.into_iter().map(Spanned::into_inner);
    Ok(GenesisValidator {
        validator: entry.key,
        consensus_weight: entry.consensus_weight,
        addresses: addresses.try_into().map_err(|error| format!("too many addresses: {error}"))?,
        free: entry.free,
        stakes: entry.stakes.into_iter().collect(),
        embedded_keys: keys.map(|KeyEntry { curve, key, proof }| GenesisKey { curve, key, proof }).collect(),
    })
}

#[derive(Serialize)]
struct FileOut<'a> {
    chain_id: &'a str,
    time_unix_ms: u64,
    cosign_distance: u32,
    networks: Vec<NetworkEntry>,
    validators: Vec<ValidatorOut>,
}

#[derive(Serialize)]
struct ValidatorOut {
    key: Validator,
    consensus_weight: u16,
    addresses: Vec<String>,
    free: Amount,
    stakes: BTreeMap<String, Amount>,
    embedded_keys: Vec<KeyEntry>,
}

/// The text of a genesis file that says the same; [`parse`] gives the genesis back.
///
/// # Errors
/// [`Failure`] if an amount exceeds what TOML holds (63 bits) or an address is no text.
pub fn to_toml(genesis: &GenesisState) -> Result<String, Failure> {
    let network = |parameters: &NetworkParameters| NetworkEntry {
        name: parameters.name,
        curve: parameters.curve,
        min_key_shares: parameters.min_key_shares,
        stake_per_share: parameters.stake_per_share,
        epoch_blocks: parameters.epoch_blocks,
        key_gen_deadline_blocks: parameters.key_gen_deadline_blocks,
        slash_report_deadline_blocks: parameters.slash_report_deadline_blocks,
        tributary: parameters.tributary,
    };
    let key = |GenesisKey { curve, key, proof }: &GenesisKey| KeyEntry {
        curve: *curve,
        key: key.clone(),
        proof: proof.clone(),
    };
    let validator = |validator: &GenesisValidator| ValidatorOut {
        key: validator.validator,
        consensus_weight: validator.consensus_weight,
        addresses: validator.addresses.iter().map(|a| String::from_utf8_lossy(a).into_owned()).collect(),
        free: validator.free,
        stakes: validator.stakes.iter().map(|(name, stake)| (name.to_string(), *stake)).collect(),
        embedded_keys: validator.embedded_keys.iter().map(key).collect(),
    };
    let file = FileOut {
        chain_id: &genesis.chain_id,
        time_unix_ms: genesis.time_unix_ms,
        cosign_distance: genesis.cosign_distance,
        networks: genesis.networks.iter().map(network).collect(),
        validators: genesis.validators.iter().map(validator).collect(),
    };
    toml::to_string(&file).map_err(|error| {
        Failure::config(format!("the genesis is no TOML: {error}"), "keep amounts below 2^63")
    })
}
