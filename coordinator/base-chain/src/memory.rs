//! A scripted chain in memory: whoever drives a test or a simulation decides what becomes final.
//!
//! It follows no rules of its own: blocks hold the events they are given, and what sets and networks
//! look like is read off those events. The driver takes what was submitted, decides (by script, or with the
//! rules of `base-chain-node`), and pushes the next block.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use processor_messages::{
    Account, Amount, BaseBlock, BaseBlockHash, BatchId, ChainGenesis, Network, Validator, ValidatorSet,
};
use tokio::sync::watch;

use crate::{
    AccountInfo, BaseChain, Block, ChainError, Event, Head, Header, NetworkInfo, NetworkParameters,
    PendingSlashReport, Refusal, SetInfo, SetState, Transaction, TransactionHash, TransactionStatus,
    ValidatorInfo, merkle_root,
};

/// The most transactions which wait to be taken; further ones are refused.
const MAX_SUBMITTED: usize = 4096;

/// A scripted chain; clones share it.
#[derive(Clone, Debug)]
pub struct MemoryChain {
    state: Arc<Mutex<State>>,
    height: watch::Sender<BaseBlock>,
}

#[derive(Debug)]
struct State {
    chain_id: String,
    chain: ChainGenesis,
    blocks: Vec<Block>,
    submitted: Vec<Transaction>,
    refused: BTreeMap<TransactionHash, Refusal>,
    networks: BTreeMap<Network, NetworkInfo>,
    sets: BTreeMap<ValidatorSet, SetInfo>,
    validators: BTreeMap<Validator, ValidatorInfo>,
    accounts: BTreeMap<Account, AccountInfo>,
    unreachable: bool,
}

impl MemoryChain {
    /// A chain of these networks whose genesis block holds these events.
    pub fn new(
        chain_id: &str,
        chain: ChainGenesis,
        networks: Vec<NetworkParameters>,
        time_unix_ms: u64,
        genesis: Vec<Event>,
    ) -> Self {
        let networks = networks.into_iter().map(|p| (p.name, fresh_network(p))).collect();
        let state = State {
            chain_id: chain_id.to_owned(),
            chain,
            blocks: Vec::new(),
            submitted: Vec::new(),
            refused: BTreeMap::new(),
            networks,
            sets: BTreeMap::new(),
            validators: BTreeMap::new(),
            accounts: BTreeMap::new(),
            unreachable: false,
        };
        let this = Self { state: Arc::new(Mutex::new(state)), height: watch::Sender::new(BaseBlock(0)) };
        this.push(time_unix_ms, Vec::new(), genesis);
        this
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reachable(&self) -> Result<MutexGuard<'_, State>, ChainError> {
        let state = self.state();
        if state.unreachable {
            return Err(ChainError::Unreachable { url: "memory".to_owned(), reason: "by script".to_owned() });
        }
        Ok(state)
    }

    /// Finalizes a block.
    pub fn push(&self, time_unix_ms: u64, transactions: Vec<TransactionHash>, events: Vec<Event>) -> Block {
        let mut state = self.state();
        let number = BaseBlock(state.blocks.len() as u64);
        let parent = state.blocks.last().map_or(BaseBlockHash::default(), Block::hash);
        let header = Header {
            chain: state.chain,
            number,
            parent,
            time_unix_ms,
            transactions_root: merkle_root(&transactions),
            events_root: merkle_root(&events),
            state_root: [0; 32],
        };
        let block = Block { header, transactions, events };
        state.observe(&block);
        state.blocks.push(block.clone());
        drop(state);
        self.height.send_replace(number);
        block
    }

    /// Takes what was submitted since, in order and without repeats.
    pub fn take_submitted(&self) -> Vec<Transaction> {
        std::mem::take(&mut self.state().submitted)
    }

    /// Refuses this transaction from now on, or no longer.
    pub fn script_refusal(&self, hash: TransactionHash, refusal: Option<Refusal>) {
        match refusal {
            Some(refusal) => self.state().refused.insert(hash, refusal),
            None => self.state().refused.remove(&hash),
        };
    }

    /// Stops or resumes answering.
    pub fn script_unreachable(&self, unreachable: bool) {
        self.state().unreachable = unreachable;
    }

    /// Sets a validator's answer.
    pub fn put_validator(&self, info: ValidatorInfo) {
        self.state().validators.insert(info.validator, info);
    }

    /// Sets an account's answer.
    pub fn put_account(&self, account: Account, info: AccountInfo) {
        self.state().accounts.insert(account, info);
    }
}

fn fresh_network(parameters: NetworkParameters) -> NetworkInfo {
    NetworkInfo {
        epoch_ends: BaseBlock(parameters.epoch_blocks),
        parameters,
        latest_session: None,
        in_charge: None,
        next_batch: BatchId(0),
        pending_slash_reports: Vec::new(),
        supply: Amount(0),
    }
}

impl State {
    fn observe(&mut self, block: &Block) {
        for event in &block.events {
            if let Event::SetDeclared(declaration) = event {
                let info = SetInfo {
                    declaration: declaration.clone(),
                    declared_at: block.number(),
                    declared_in: block.hash(),
                    key_pair: None,
                    state: SetState::Declared,
                };
                self.sets.insert(declaration.set, info);
            }
            if let Some(network) = event.network().and_then(|network| self.networks.get_mut(&network)) {
                observe_event(network, &mut self.sets, event);
            }
            if let Event::AddressesChanged { validator, addresses } = event
                && let Some(info) = self.validators.get_mut(validator)
            {
                info.addresses = addresses.clone();
            }
        }
    }
}

fn set_state(sets: &mut BTreeMap<ValidatorSet, SetInfo>, set: ValidatorSet, state: SetState) {
    if let Some(info) = sets.get_mut(&set) {
        info.state = state;
    }
}

fn observe_event(network: &mut NetworkInfo, sets: &mut BTreeMap<ValidatorSet, SetInfo>, event: &Event) {
    match event {
        Event::SetDeclared(declaration) => network.latest_session = Some(declaration.set.session),
        Event::SetDropped { set } => set_state(sets, *set, SetState::Dropped),
        Event::KeysSet { set, key_pair, .. } => {
            let first = network.in_charge.is_none();
            if first {
                network.in_charge = Some(set.session);
            }
            set_state(sets, *set, if first { SetState::InCharge } else { SetState::Waiting });
            if let Some(info) = sets.get_mut(set) {
                info.key_pair = Some(key_pair.clone());
            }
        }
        Event::BatchExecuted { batch, .. } => network.next_batch = batch.id.next(),
        Event::HandoverAccepted { retiring, accepted_by, slash_report_deadline: deadline } => {
            let accepting = ValidatorSet { network: retiring.network, session: *accepted_by };
            network.in_charge = Some(*accepted_by);
            network.pending_slash_reports.push(PendingSlashReport { set: *retiring, deadline: *deadline });
            set_state(sets, *retiring, SetState::Retiring { deadline: *deadline });
            set_state(sets, accepting, SetState::InCharge);
        }
        Event::SetRetired { set, .. } => {
            network.pending_slash_reports.retain(|pending| pending.set != *set);
            set_state(sets, *set, SetState::Retired);
        }
        Event::SetNotDeclared { .. }
        | Event::Burn { .. }
        | Event::SlashesReported { .. }
        | Event::AddressesChanged { .. }
        | Event::StakeChanged { .. } => {}
    }
}

impl BaseChain for MemoryChain {
    async fn head(&self) -> Result<Head, ChainError> {
        let state = self.reachable()?;
        let block = state.blocks.last().expect("the genesis block was pushed by the constructor");
        Ok(Head {
            chain_id: state.chain_id.clone(),
            chain: state.chain,
            number: block.number(),
            hash: block.hash(),
            time_unix_ms: block.header.time_unix_ms,
        })
    }

    async fn block(&self, number: BaseBlock) -> Result<Option<Block>, ChainError> {
        let index = usize::try_from(number.0).unwrap_or(usize::MAX);
        Ok(self.reachable()?.blocks.get(index).cloned())
    }

    /// Waits without a clock: until the block is pushed, whatever `wait` says, unless it is zero.
    async fn wait_block(&self, number: BaseBlock, wait: Duration) -> Result<Option<Block>, ChainError> {
        if !wait.is_zero() {
            let mut height = self.height.subscribe();
            // Fails only when the sender is gone, and `self` holds it.
            let _ = height.wait_for(|height| *height >= number).await;
        }
        self.block(number).await
    }

    async fn submit(&self, transaction: &Transaction) -> Result<TransactionHash, ChainError> {
        let mut state = self.reachable()?;
        let hash = transaction.hash();
        if let Some(refusal) = state.refused.get(&hash) {
            return Err(refusal.clone().into());
        }
        let known = state.submitted.contains(transaction)
            || state.blocks.iter().any(|b| b.transactions.contains(&hash));
        if !known {
            if state.submitted.len() >= MAX_SUBMITTED {
                return Err(Refusal::MempoolFull.into());
            }
            state.submitted.push(transaction.clone());
        }
        Ok(hash)
    }

    async fn transaction(&self, hash: TransactionHash) -> Result<TransactionStatus, ChainError> {
        let state = self.reachable()?;
        for block in state.blocks.iter().rev() {
            if block.transactions.contains(&hash) {
                return Ok(TransactionStatus::Final { block: block.number() });
            }
        }
        let waits = state.submitted.iter().any(|transaction| transaction.hash() == hash);
        Ok(if waits { TransactionStatus::Waiting } else { TransactionStatus::Unknown })
    }

    async fn networks(&self) -> Result<Vec<NetworkInfo>, ChainError> {
        Ok(self.reachable()?.networks.values().cloned().collect())
    }

    async fn network(&self, network: Network) -> Result<Option<NetworkInfo>, ChainError> {
        Ok(self.reachable()?.networks.get(&network).cloned())
    }

    async fn set(&self, set: ValidatorSet) -> Result<Option<SetInfo>, ChainError> {
        Ok(self.reachable()?.sets.get(&set).cloned())
    }

    async fn validator(&self, validator: Validator) -> Result<Option<ValidatorInfo>, ChainError> {
        Ok(self.reachable()?.validators.get(&validator).cloned())
    }

    async fn validators(&self) -> Result<Vec<ValidatorInfo>, ChainError> {
        Ok(self.reachable()?.validators.values().cloned().collect())
    }

    async fn account(&self, account: Account) -> Result<AccountInfo, ChainError> {
        Ok(self.reachable()?.accounts.get(&account).cloned().unwrap_or_default())
    }
}
