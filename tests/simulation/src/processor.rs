//! A processor: its real rules, with keys dealt instead of generated, over a simulated disk.

use std::sync::Arc;

use coordinator_base_chain::NetworkCurve;
use coordinator_store::{Store, StoreError};
use processor_messages::{Incarnation, Network, Validator};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use simulated_processor::{
    dkg::{self, KeyGenError, dealt::Dealt},
    processor::{Done, Processor},
    rules::{self, Identity, key_gen::Job, keys::Opened},
    vault::Sealer,
};

use crate::{
    disk::Disk,
    setting::{KeyGeneration, START_UNIX_MS, Setting, embedded_secrets},
    time::{MS, Time},
};

type Memory = coordinator_store::MemoryStore;

/// A computation, and what it results in when its time is over.
pub type Computation = (Job, Result<Done, KeyGenError>);

/// A processor of one validator and network.
pub struct ProcessorNode {
    /// Which validator's.
    pub validator: usize,
    /// Of which network, by number.
    pub network: usize,
    /// Its disk.
    pub disk: Disk,
    /// The processor, while it runs.
    pub processor: Option<Processor<Memory>>,
    /// Whether a computation is under way.
    pub computing: bool,
    /// Whether its disk was lost before.
    pub wiped: bool,
    /// Until when it does nothing.
    pub hangs_until: Time,
    seed: u64,
}

impl ProcessorNode {
    /// A processor with an empty disk.
    pub fn new(validator: usize, network: usize, seed: u64) -> Self {
        let disk = Disk::default();
        Self {
            validator,
            network,
            disk,
            processor: None,
            computing: false,
            wiped: false,
            hangs_until: 0,
            seed,
        }
    }

    /// Its network's name.
    pub fn name(&self, setting: &Setting) -> Network {
        setting.networks.get(self.network).copied().expect("a network of the setting")
    }

    /// Starts it.
    ///
    /// # Errors
    /// [`rules::Error`].
    pub fn start(&mut self, setting: &Setting, now: Time) -> Result<(), rules::Error> {
        let (network, validator) = (self.name(setting), setting.validator(self.validator));
        let first = !self.wiped;
        let ((), _) = self.disk.store.write(|txn| {
            rules::claim(txn, (setting.chain, network, validator))?;
            rules::incarnation(txn, first, START_UNIX_MS.saturating_add(now / MS))?;
            Ok::<_, StoreError>(())
        })?;
        // Its own life is needed before the step is durable; a process would wait here.
        self.disk.store.sync();
        let incarnation = self.disk.store.write(|txn| rules::incarnation(txn, first, 1))?.0;
        let processor = self.make(setting, validator, network, incarnation);
        drop(processor.begin()?);
        self.processor = Some(processor);
        self.computing = false;
        self.disk.up = true;
        Ok(())
    }

    fn make(
        &self,
        setting: &Setting,
        validator: Validator,
        network: Network,
        incarnation: Incarnation,
    ) -> Processor<Memory> {
        let me = Identity {
            network,
            curve: NetworkCurve::Secp256k1,
            validator,
            chain: setting.chain,
            incarnation,
            sealer: Sealer::new(&[u8::try_from(self.validator).unwrap_or(u8::MAX); 32]),
            opened: Opened::default(),
            external: setting.external(self.network).expect("a network of the setting"),
        };
        let secrets = embedded_secrets(self.validator);
        let dkg: Arc<dyn dkg::KeyGeneration> = match setting.key_generation {
            KeyGeneration::Dealt => Arc::new(Dealt),
            KeyGeneration::Real => Arc::new(dkg::Evrf::default()),
        };
        let processor = Processor::new(self.disk.store.clone(), me, secrets, dkg);
        // Another life draws other nonces, as the system's source would.
        processor.with_randomness(ChaCha20Rng::seed_from_u64(self.seed ^ (self.disk.life << 32)))
    }

    /// The next computation, if none is under way.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_job(&mut self) -> Result<Option<Computation>, StoreError> {
        let Some(processor) = self.processor.as_ref().filter(|_| !self.computing) else { return Ok(None) };
        let Some(job) = processor.next_job()? else { return Ok(None) };
        let done = processor.compute(&job);
        self.computing = true;
        Ok(Some((job, done)))
    }

    /// Where it stands.
    pub fn describe(&self) -> Vec<String> {
        let read = self.disk.store.read(|db| {
            let (scan, stages) = (rules::batches::scan_state(db)?, rules::key_gen::stages(db)?);
            let letters = rules::LETTERS.list(db, &(), 0, 4)?.len();
            Ok::<_, StoreError>(format!(
                "{scan:?}, {stages:?}, letters {letters}, computing {}, wiped {}",
                self.computing, self.wiped
            ))
        });
        vec![read.unwrap_or_else(|error| error.to_string())]
    }
}
