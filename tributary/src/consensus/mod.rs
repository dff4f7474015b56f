//! Tendermint on Malachite's core: the only module that names it.
//!
//! The core is a coroutine of effects. Every effect is answered from the step's transaction and from memory,
//! never with an error: what fails is kept aside and fails the step when the core returns, so nothing of the
//! step is committed. Published messages, timers, decisions are collected as [`Act`]s in order.
//!
//! The core runs in the mode `ProposalAndParts`, with block hashes as values: it asks for a verdict on every
//! block, and bodies are messages of ours. Blocks fetched with their certificate do not pass through it: the
//! node applies them and starts the next height.

pub(crate) mod claims;
mod context;
mod convert;
mod effects;

use std::{collections::BTreeSet, sync::Arc};

use coordinator_keys::SecretKey;
use coordinator_store::Transaction;
use malachitebft_core_consensus::{self as core, LocallyProposedValue, Params, State};
use malachitebft_core_types::{
    Round, SignedVote, Threshold, ThresholdParams, Timeout, ValuePayload, VoteExtensionPolicy, VoteType,
};
use processor_messages::{Validator, encode};
use std::time::Duration;

use crate::{
    Block, BlockHash, Certificate, Config, Evidence, Halt, Header, Members, Timer,
    log::Log,
    signing,
    verified::Claims,
    wire::{self, Entry, TimeoutStep},
};

/// Under which target the engine logs every vote, for a log filter to quiet.
pub const ENGINE_LOG_TARGET: &str = "arc_malachitebft_core_consensus";
use claims::vote_message;
use context::{Address, Ctx, CtxMembers, Height};
use effects::Effects;

/// What the core wants done, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Act {
    /// Broadcast a message.
    Send(wire::Message),
    /// Set a timer.
    SetTimer(Timer, Duration),
    /// Forget a timer.
    CancelTimer(Timer),
    /// We propose in this consensus round: build a block.
    Build(u32),
    /// The height is decided.
    Decided(Certificate),
}

/// The consensus of the height in progress.
pub(crate) struct Consensus {
    state: State<Ctx>,
    set: CtxMembers,
    effects: Effects,
}

impl Consensus {
    /// Before its first height; [`Consensus::start`] comes next.
    pub(crate) fn new(members: &Arc<Members>, key: SecretKey, config: Config) -> Self {
        let set = CtxMembers::new(members);
        let address = Address(Validator(key.public().to_bytes()));
        let params = Params {
            address,
            threshold_params: ThresholdParams::default(),
            value_payload: ValuePayload::ProposalAndParts,
            enabled: true,
        };
        // The node keeps messages of later heights itself, so the core's queue stays empty.
        let state = State::new(Ctx(Arc::clone(members)), Height(0), set.clone(), params, 1, 1);
        Self { state, set, effects: Effects::new(Arc::clone(members), key, config) }
    }

    /// Starts a height. `entries` is its log if a former run left one; `votes` says whether to sign.
    pub(crate) fn start(
        &mut self,
        txn: &mut dyn Transaction,
        log: Log,
        height: u64,
        entries: &[Entry],
        votes: bool,
    ) -> Result<(), Halt> {
        self.state.params.enabled = votes;
        self.effects.start(log, height, entries)?;
        let inputs: Vec<_> = entries.iter().map(|entry| convert::entry_in(height, entry)).collect();
        let replay = !inputs.is_empty();
        if replay {
            self.state.index_wal_entries(&inputs);
        }
        let policy = VoteExtensionPolicy::Disabled;
        let start = core::Input::StartHeight(Height(height), self.set.clone(), replay, None, policy);
        self.feed(txn, start)?;
        for input in inputs {
            self.feed(txn, input)?;
        }
        self.state.reset_entries_index();
        self.effects.replayed();
        Ok(())
    }

    fn feed(&mut self, txn: &mut dyn Transaction, input: core::Input<Ctx>) -> Result<(), Halt> {
        let Self { state, effects, .. } = self;
        let result: Result<(), core::Error<Ctx>> = core::process!(
            input: input,
            state: state,
            metrics: &(),
            with: effect => Ok::<_, std::convert::Infallible>(effects.perform(txn, effect))
        );
        if let Some(failure) = self.effects.failure.take() {
            return Err(failure);
        }
        result.map_err(|e| {
            Halt::new(format!("the consensus core failed ({e}); keep the data directory and report this"))
        })
    }

    /// Takes what the core wants done since the last call.
    pub(crate) fn take_acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.effects.acts)
    }

    /// Takes proofs of equivocation which the core found, also those of a height it did not finish.
    pub(crate) fn take_evidence(&mut self) -> Vec<Evidence> {
        let proposals = self.state.driver.take_proposal_evidence();
        let votes = self.state.driver.take_vote_evidence();
        self.effects.note_evidence(&core::MisbehaviorEvidence { proposals, votes });
        std::mem::take(&mut self.effects.evidence)
    }

    pub(crate) fn height(&self) -> u64 {
        self.state.height().0
    }

    pub(crate) fn round(&self) -> u32 {
        self.state.round().as_u32().unwrap_or(0)
    }

    /// A signed vote.
    pub(crate) fn vote(&mut self, txn: &mut dyn Transaction, vote: &wire::Vote) -> Result<(), Halt> {
        self.feed(txn, core::Input::Vote(convert::vote_in(vote)))
    }

    /// A signed proposal.
    pub(crate) fn proposal(
        &mut self,
        txn: &mut dyn Transaction,
        proposal: &wire::Proposal,
    ) -> Result<(), Halt> {
        self.feed(txn, core::Input::Proposal(convert::proposal_in(proposal)))
    }

    /// A quorum's prevotes for a block.
    pub(crate) fn polka(&mut self, txn: &mut dyn Transaction, polka: &wire::Polka) -> Result<(), Halt> {
        if polka.round > self.round().saturating_add(core::MAX_FUTURE_ROUND_LOOKAHEAD) {
            return Ok(());
        }
        self.feed(txn, core::Input::PolkaCertificate(convert::polka_in(polka)))
    }

    /// Votes which justify a round.
    pub(crate) fn round_votes(
        &mut self,
        txn: &mut dyn Transaction,
        votes: &wire::RoundVotes,
    ) -> Result<(), Halt> {
        if votes.round > self.round().saturating_add(core::MAX_FUTURE_ROUND_LOOKAHEAD) {
            return Ok(());
        }
        self.feed(txn, core::Input::RoundCertificate(convert::round_in(votes)))
    }

    /// A block with the application's verdict on it.
    pub(crate) fn value(
        &mut self,
        txn: &mut dyn Transaction,
        header: &Header,
        hash: BlockHash,
        valid: bool,
    ) -> Result<(), Halt> {
        let (height, proposer) = (header.height.0, Address(header.proposer));
        self.feed(txn, convert::value_in(height, header.round, proposer, hash, valid))
    }

    /// The block we built for a round.
    pub(crate) fn propose(
        &mut self,
        txn: &mut dyn Transaction,
        round: u32,
        hash: BlockHash,
    ) -> Result<(), Halt> {
        let value = LocallyProposedValue::new(self.state.height(), Round::new(round), hash);
        self.feed(txn, core::Input::Propose(value))
    }

    /// A timer of ours fired; others and those of other heights are ignored.
    pub(crate) fn fired(&mut self, txn: &mut dyn Transaction, timer: Timer) -> Result<(), Halt> {
        self.effects.timers.remove(&timer);
        let (height, timeout) = match timer {
            Timer::Propose { height, round } => (height, convert::timeout_in(TimeoutStep::Propose, round)),
            Timer::Prevote { height, round } => (height, convert::timeout_in(TimeoutStep::Prevote, round)),
            Timer::Precommit { height, round } => {
                (height, convert::timeout_in(TimeoutStep::Precommit, round))
            }
            Timer::Rebroadcast { height, round } => (height, Timeout::rebroadcast(Round::new(round))),
            _ => return Ok(()),
        };
        if height != self.height() {
            return Ok(());
        }
        self.feed(txn, core::Input::TimeoutElapsed(timeout))
    }

    /// Our proposal of the round in progress, if there is one.
    pub(crate) fn proposed(&self) -> Option<&wire::Proposal> {
        self.effects.proposed.as_ref().filter(|proposal| proposal.round == self.round())
    }

    /// Ends the height: cancels its timers and clears its log.
    pub(crate) fn finish(&mut self, txn: &mut dyn Transaction) {
        self.effects.finish(txn);
    }

    /// Whether we signed a proposal in this round.
    pub(crate) fn has_proposed(&self, round: u32) -> bool {
        self.effects.has_proposed(round)
    }

    /// Whether more than two thirds of the weight precommitted this block in one round.
    pub(crate) fn is_precommitted(&self, hash: BlockHash) -> bool {
        self.has_quorum(VoteType::Precommit, hash)
    }

    fn has_quorum(&self, kind: VoteType, hash: BlockHash) -> bool {
        let votes = self.state.driver.votes();
        let mut rounds = votes.all_rounds().keys();
        rounds.any(|round| votes.is_threshold_met(round, kind, Threshold::Value(hash)))
    }

    /// Whether a proposal or a quorum of prevotes or precommits names this block: then its body is needed.
    pub(crate) fn wants(&self, hash: BlockHash) -> bool {
        self.effects.named.contains_key(&hash)
            || self.state.driver.polka_certificates().iter().any(|polka| polka.value_id == hash)
            || self.has_quorum(VoteType::Prevote, hash)
            || self.has_quorum(VoteType::Precommit, hash)
    }

    /// Every vote known of this height.
    fn votes(&self) -> impl Iterator<Item = &SignedVote<Ctx>> {
        self.state.driver.votes().all_rounds().values().flat_map(|votes| votes.received_votes().iter())
    }

    /// Blocks without which this height cannot go on: proposed in this consensus round, or voted for by a quorum.
    pub(crate) fn needs(&self) -> BTreeSet<BlockHash> {
        let round = self.round();
        let proposed = self.effects.named.iter().filter(|(_, (of, _))| *of == round).map(|(hash, _)| *hash);
        let voted: BTreeSet<_> = self.votes().filter_map(convert::value_of).collect();
        let quorum = |hash: &BlockHash| {
            self.has_quorum(VoteType::Prevote, *hash) || self.has_quorum(VoteType::Precommit, *hash)
        };
        let polkas = self.state.driver.polka_certificates().iter().map(|polka| polka.value_id);
        proposed.chain(voted.into_iter().filter(quorum)).chain(polkas).collect()
    }

    /// Who said by a signature to hold this block: its proposer, and who voted for it.
    pub(crate) fn holders(&self, hash: BlockHash) -> BTreeSet<Validator> {
        let of_it = |vote: &&SignedVote<Ctx>| convert::value_of(vote) == Some(hash);
        let voters = self.votes().filter(of_it).map(|vote| vote.message.address.0);
        voters.chain(self.effects.named.get(&hash).map(|(_, proposer)| *proposer)).collect()
    }

    /// Whether a member signed this vote; remembers that it did.
    pub(crate) fn check_vote(&mut self, vote: &wire::Vote) -> bool {
        let members = Arc::clone(&self.effects.members);
        let message = vote_message(members.genesis(), vote);
        let verified = &mut self.effects.verified;
        members
            .get(&vote.address)
            .is_some_and(|member| verified.check(member, signing::CONSENSUS, &message, &vote.signature))
    }

    /// Whether the proposer of its round signed this proposal; remembers that it did.
    pub(crate) fn check_proposal(&mut self, proposal: &wire::Proposal) -> bool {
        let members = Arc::clone(&self.effects.members);
        let member = members.proposer(proposal.height, proposal.round);
        (member.validator == proposal.address)
            && self.effects.verified.check(
                member,
                signing::CONSENSUS,
                &effects::proposal_message(members.genesis(), proposal),
                &proposal.signature,
            )
    }

    /// Whether a commit certificate is valid; each signature is verified once.
    pub(crate) fn check_certificate(&mut self, certificate: &Certificate) -> bool {
        let members = Arc::clone(&self.effects.members);
        let verified = &mut self.effects.verified;
        certificate.verify_with(&members, |member, message, signature| {
            verified.check(member, signing::CONSENSUS, message, signature)
        })
    }

    /// Whether a block's parts and signature are its builder's; the signature is verified once.
    pub(crate) fn check_block(&mut self, block: &Block) -> bool {
        let members = Arc::clone(&self.effects.members);
        let verified = &mut self.effects.verified;
        block.is_authentic_with(&members, |member, message, signature| {
            verified.check(member, signing::BLOCK, message, signature)
        })
    }

    /// Verifies what was claimed, together, so that the checks above find it done.
    pub(crate) fn verify_all(&mut self, claims: Claims<'_>) {
        self.effects.verified.verify_all(claims);
    }

    /// How many signatures of consensus were verified.
    #[cfg(test)]
    pub(crate) fn verified(&self) -> usize {
        self.effects.verified.work
    }
}

/// The encodings of log entries, to tell new ones from replayed ones.
fn known(entries: &[Entry]) -> BTreeSet<Vec<u8>> {
    entries.iter().map(encode).collect()
}
