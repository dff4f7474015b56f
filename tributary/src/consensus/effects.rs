//! Answers to the core's effects.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use coordinator_keys::{SecretKey, Signature};
use coordinator_store::Transaction;
use malachitebft_core_consensus::{
    ConsensusMsg, Effect, Input, LivenessMsg, MisbehaviorEvidence, Resumable, Resume, VoteExtensionError,
};
use malachitebft_core_types::{
    CertificateError, CommitCertificate, NilOrVal, PolkaCertificate, RoundCertificate, RoundCertificateType,
    SignedMessage, Timeout, TimeoutKind, VoteType,
};
use processor_messages::{Genesis, Validator, encode};

use super::{
    Act,
    context::{Ctx, Proposal, Vote},
    convert, known,
};
use crate::{
    BlockHash, Config, Evidence, Halt, Member, Members, Step, Timer,
    hash::hash,
    log::Log,
    signing,
    verified::Verified,
    wire::{self, Entry, Message},
};

/// The most block hashes remembered as named by proposals of a height: two a round, over the rounds that the
/// core looks ahead, is far less.
const MOST_NAMED: usize = 1024;

/// What a vote or proposal of ours said, by its place; what is signed twice must say the same.
type Slot = (u8, u32);

pub(super) struct Effects {
    pub(super) members: Arc<Members>,
    key: SecretKey,
    me: Validator,
    config: Config,
    pub(super) verified: Verified,
    height: u64,
    log: Log,
    /// Encoded entries of a former run while they are replayed.
    replaying: Option<BTreeSet<Vec<u8>>>,
    /// What we signed at this height (`TRIB-4`).
    signed: BTreeMap<Slot, [u8; 32]>,
    /// Proposed blocks: the latest consensus round of a proposal, and its proposer.
    pub(super) named: BTreeMap<BlockHash, (u32, Validator)>,
    /// Our latest proposal of this height, to be said again.
    pub(super) proposed: Option<wire::Proposal>,
    pub(super) timers: BTreeSet<Timer>,
    pub(super) acts: Vec<Act>,
    pub(super) evidence: Vec<Evidence>,
    pub(super) failure: Option<Halt>,
}

impl Effects {
    pub(super) fn new(members: Arc<Members>, key: SecretKey, config: Config) -> Self {
        let log = Log::new(members.genesis(), 0);
        let me = Validator(key.public().to_bytes());
        Self {
            members,
            key,
            me,
            config,
            verified: Verified::default(),
            height: 0,
            log,
            replaying: None,
            signed: BTreeMap::new(),
            named: BTreeMap::new(),
            proposed: None,
            timers: BTreeSet::new(),
            acts: Vec::new(),
            evidence: Vec::new(),
            failure: None,
        }
    }

    pub(super) fn start(&mut self, log: Log, height: u64, entries: &[Entry]) -> Result<(), Halt> {
        self.log = log;
        self.height = height;
        self.named.clear();
        self.proposed = None;
        self.signed.clear();
        self.replaying = Some(known(entries));
        for entry in entries {
            self.remember(entry)?;
        }
        Ok(())
    }

    pub(super) fn replayed(&mut self) {
        self.replaying = None;
    }

    /// Notes what an entry of the log says about our own signatures and about named blocks.
    fn remember(&mut self, entry: &Entry) -> Result<(), Halt> {
        match entry {
            Entry::Vote(vote) if vote.address == self.me => {
                let content = hash("vote", &[&encode(&vote.value)]);
                self.guard(vote_slot(vote.step, vote.round), content)
            }
            Entry::Proposal(proposal) => {
                if self.named.len() < MOST_NAMED {
                    let named = (proposal.round, proposal.address);
                    let latest = self.named.entry(proposal.value).or_insert(named);
                    *latest = named.max(*latest);
                }
                if proposal.address != self.me {
                    return Ok(());
                }
                let content = hash("proposal", &[&encode(&(proposal.value, proposal.valid_round))]);
                self.guard((2, proposal.round), content)
            }
            _ => Ok(()),
        }
    }

    /// Refuses a second content for one place.
    fn guard(&mut self, slot: Slot, content: [u8; 32]) -> Result<(), Halt> {
        if *self.signed.entry(slot).or_insert(content) == content {
            return Ok(());
        }
        Err(Halt::new(format!(
            "about to sign two different messages of one kind at height {}, round {}; \
       the data directory is inconsistent: stop, keep it, and report this",
            self.height, slot.1
        )))
    }

    pub(super) fn cancel_all(&mut self) {
        for timer in std::mem::take(&mut self.timers) {
            self.acts.push(Act::CancelTimer(timer));
        }
    }

    /// Answers one effect. Never an error: the core would go on wrongly.
    #[allow(clippy::unit_arg, reason = "most effects are answered with nothing")]
    pub(super) fn perform(&mut self, txn: &mut dyn Transaction, effect: Effect<Ctx>) -> Resume<Ctx> {
        match effect {
            Effect::CancelAllTimeouts(r) => r.resume_with(self.cancel_all()),
            Effect::CancelTimeout(timeout, r) => r.resume_with(self.cancel(timeout)),
            Effect::ScheduleTimeout(timeout, r) => r.resume_with(self.schedule(timeout)),
            // The body of a proposal is sent along with every proposal of ours, and blocks with certificates do
            // not come this way.
            Effect::StartRound(.., r)
            | Effect::RestreamProposal(.., r)
            | Effect::CertVerifiedSyncValue(.., r)
            | Effect::CertRejectedSyncValue(.., r) => r.resume_with(()),
            Effect::PublishConsensusMsg(message, r) => {
                r.resume_with(self.publish(convert::consensus_out(&message)))
            }
            Effect::PublishLivenessMsg(message, r) => {
                r.resume_with(self.acts.push(Act::Send(liveness_out(&message))))
            }
            Effect::RepublishVote(vote, r) => {
                r.resume_with(self.acts.push(Act::Send(Message::Vote(convert::vote_out(&vote)))))
            }
            Effect::RepublishRoundCertificate(votes, r) => {
                r.resume_with(self.acts.push(Act::Send(Message::Round(convert::round_out(&votes)))))
            }
            Effect::GetValue(_, round, _, r) => {
                r.resume_with(self.acts.push(Act::Build(round.as_u32().unwrap_or(0))))
            }
            Effect::Decide(certificate, _, r) => {
                r.resume_with(self.acts.push(Act::Decided(convert::certificate_out(&certificate))))
            }
            Effect::Finalize(_, _, evidence, r) => r.resume_with(self.note_evidence(&evidence)),
            Effect::WalAppend(_, input, r) => r.resume_with(self.append(txn, &input)),
            Effect::SignVote(vote, r) => r.resume_with(self.sign_vote(vote)),
            Effect::SignProposal(proposal, r) => r.resume_with(self.sign_proposal(proposal)),
            Effect::VerifySignature(message, _, r) => r.resume_with(self.verify(&message)),
            Effect::VerifyCommitCertificate(certificate, _, _, r) => {
                r.resume_with(certificate_result(self.verify_commit(&certificate)))
            }
            Effect::VerifyPolkaCertificate(polka, _, _, r) => {
                r.resume_with(certificate_result(self.verify_polka(&polka)))
            }
            Effect::VerifyRoundCertificate(votes, _, _, r) => {
                r.resume_with(certificate_result(self.verify_round(&votes)))
            }
            // Vote extensions are disabled, and blocks with certificates do not come this way.
            Effect::VerifyExtendedCommitCertificate(.., r) => r.resume_with(certificate_result(false)),
            Effect::ExtendVote(.., r) => r.resume_with(None),
            Effect::VerifyVoteExtension(.., r) => {
                r.resume_with(Err(VoteExtensionError::InvalidVoteExtension))
            }
        }
    }

    fn publish(&mut self, message: Message) {
        if let Message::Proposal(proposal) = &message
            && (proposal.address == self.me)
        {
            self.proposed = Some(proposal.clone());
        }
        self.acts.push(Act::Send(message));
    }

    fn verify_commit(&mut self, certificate: &CommitCertificate<Ctx>) -> bool {
        let certificate = convert::certificate_out(certificate);
        let (members, verified) = (&self.members, &mut self.verified);
        certificate.verify_with(members, |member, message, signature| {
            verified.check(member, signing::CONSENSUS, message, signature)
        })
    }

    fn verify_polka(&mut self, polka: &PolkaCertificate<Ctx>) -> bool {
        let votes = polka.votes(&Ctx(Arc::clone(&self.members))).collect::<Vec<_>>();
        let is_quorum = self.weight_of(&votes).is_some_and(|weight| self.members.is_quorum(weight));
        is_quorum && self.are_signed(&votes)
    }

    /// Precommits of a quorum, or any votes of more than a third.
    fn verify_round(&mut self, certificate: &RoundCertificate<Ctx>) -> bool {
        let votes = certificate.votes(&Ctx(Arc::clone(&self.members))).collect::<Vec<_>>();
        let Some(weight) = self.weight_of(&votes) else { return false };
        let is_enough = match certificate.cert_type {
            RoundCertificateType::Precommit => {
                votes.iter().all(|vote| vote.message.kind == VoteType::Precommit)
                    && self.members.is_quorum(weight)
            }
            RoundCertificateType::Skip => weight.saturating_mul(3) > self.members.total(),
        };
        is_enough && self.are_signed(&votes)
    }

    fn append(&mut self, txn: &mut dyn Transaction, input: &Input<Ctx>) {
        let result = convert::entry_out(input).and_then(|entry| {
            self.remember(&entry)?;
            if !self.replaying.as_ref().is_some_and(|known| known.contains(&encode(&entry))) {
                self.log.append(txn, &entry);
            }
            Ok(())
        });
        self.keep_failure(result);
    }

    fn keep_failure(&mut self, result: Result<(), Halt>) {
        if let Err(halt) = result {
            self.failure.get_or_insert(halt);
        }
    }

    pub(super) fn finish(&mut self, txn: &mut dyn Transaction) {
        self.cancel_all();
        self.log.clear(txn);
    }

    pub(super) fn has_proposed(&self, round: u32) -> bool {
        self.signed.contains_key(&(2, round))
    }

    fn member(&self) -> Option<Member> {
        self.members.get(&self.me).cloned()
    }

    fn sign(&mut self, message: &[u8]) -> Signature {
        let signature = self.key.sign(signing::CONSENSUS, message);
        if let Some(member) = self.member() {
            self.verified.own(&member, signing::CONSENSUS, message, &signature);
        }
        signature
    }

    fn sign_vote(&mut self, vote: Vote) -> SignedMessage<Ctx, Vote> {
        let out = convert::vote_out(&SignedMessage::new(vote.clone(), Signature([0; 64])));
        let content = hash("vote", &[&encode(&out.value)]);
        let guarded = self.guard(vote_slot(out.step, out.round), content);
        // If the guard refused, the step fails, and this signature never leaves it.
        let signature =
            if guarded.is_ok() { self.sign(&self.vote_message(&vote)) } else { Signature([0; 64]) };
        self.keep_failure(guarded);
        SignedMessage::new(vote, signature)
    }

    fn sign_proposal(&mut self, proposal: Proposal) -> SignedMessage<Ctx, Proposal> {
        let out = convert::proposal_out(&SignedMessage::new(proposal.clone(), Signature([0; 64])));
        let content = hash("proposal", &[&encode(&(out.value, out.valid_round))]);
        let guarded = self.guard((2, out.round), content);
        let message = proposal_message(self.members.genesis(), &out);
        let signature = if guarded.is_ok() { self.sign(&message) } else { Signature([0; 64]) };
        self.keep_failure(guarded);
        SignedMessage::new(proposal, signature)
    }

    fn vote_message(&self, vote: &Vote) -> Vec<u8> {
        let message = match vote.kind {
            VoteType::Prevote => signing::prevote,
            VoteType::Precommit => signing::precommit,
        };
        let value = match vote.value {
            NilOrVal::Nil => None,
            NilOrVal::Val(value) => Some(value),
        };
        let round = vote.round.as_u32().unwrap_or(0);
        message(self.members.genesis(), vote.height.0, round, value, vote.address.0)
    }

    fn verify(&mut self, message: &SignedMessage<Ctx, ConsensusMsg<Ctx>>) -> bool {
        let (bytes, address) = match &message.message {
            ConsensusMsg::Vote(vote) => (self.vote_message(vote), vote.address.0),
            ConsensusMsg::Proposal(proposal) => {
                let signed = SignedMessage::new(proposal.clone(), message.signature);
                let out = convert::proposal_out(&signed);
                (proposal_message(self.members.genesis(), &out), proposal.address.0)
            }
        };
        let Some(member) = self.members.get(&address) else { return false };
        self.verified.check(member, signing::CONSENSUS, &bytes, &message.signature)
    }

    /// The weight of those who voted; `None` unless they are distinct members. Costs no signature.
    fn weight_of(&self, votes: &[SignedMessage<Ctx, Vote>]) -> Option<u64> {
        self.members.distinct_weight(votes.iter().map(|vote| &vote.message.address.0))
    }

    /// Whether all of them signed; ends at the first who did not.
    fn are_signed(&mut self, votes: &[SignedMessage<Ctx, Vote>]) -> bool {
        votes.iter().all(|vote| {
            let message = self.vote_message(&vote.message);
            self.members.get(&vote.message.address.0).is_some_and(|member| {
                self.verified.check(member, signing::CONSENSUS, &message, &vote.signature)
            })
        })
    }

    fn cancel(&mut self, timeout: Timeout) {
        let Some(timer) = self.timer(timeout) else { return };
        if self.timers.remove(&timer) {
            self.acts.push(Act::CancelTimer(timer));
        }
    }

    fn schedule(&mut self, timeout: Timeout) {
        let Some(timer) = self.timer(timeout) else { return };
        let after = self.duration(timer);
        self.timers.insert(timer);
        self.acts.push(Act::SetTimer(timer, after));
    }

    fn timer(&self, timeout: Timeout) -> Option<Timer> {
        let (height, round) = (self.height, timeout.round.as_u32()?);
        Some(match timeout.kind {
            TimeoutKind::Propose => Timer::Propose { height, round },
            TimeoutKind::Prevote => Timer::Prevote { height, round },
            TimeoutKind::Precommit => Timer::Precommit { height, round },
            TimeoutKind::Rebroadcast => Timer::Rebroadcast { height, round },
            // Only with a target time, which is never set: the node delays the start of a height instead.
            TimeoutKind::FinalizeHeight(_) => return None,
        })
    }

    fn duration(&self, timer: Timer) -> Duration {
        let grown = |base: Duration, round: u32| {
            let growth = (base / 2).saturating_mul(round);
            base.saturating_add(growth).min(self.config.max_timeout)
        };
        match timer {
            Timer::Propose { round, .. } => grown(self.config.propose, round),
            Timer::Prevote { round, .. } | Timer::Precommit { round, .. } => grown(self.config.vote, round),
            _ => self.config.rebroadcast,
        }
    }

    pub(super) fn note_evidence(&mut self, evidence: &MisbehaviorEvidence<Ctx>) {
        for (_, pairs) in evidence.votes.iter() {
            let first = pairs.first();
            self.evidence.extend(first.map(|(first, second)| convert::double_vote(first, second)));
        }
        for (_, pairs) in evidence.proposals.iter() {
            let first = pairs.first();
            self.evidence.extend(first.map(|(first, second)| convert::double_proposal(first, second)));
        }
    }
}

fn vote_slot(step: Step, round: u32) -> Slot {
    match step {
        Step::Prevote => (0, round),
        Step::Precommit => (1, round),
    }
}

fn liveness_out(message: &LivenessMsg<Ctx>) -> Message {
    match message {
        LivenessMsg::Vote(vote) => Message::Vote(convert::vote_out(vote)),
        LivenessMsg::PolkaCertificate(polka) => Message::Polka(convert::polka_out(polka)),
        LivenessMsg::SkipRoundCertificate(votes) => Message::Round(convert::round_out(votes)),
    }
}

#[allow(clippy::result_large_err, reason = "the core's type")]
fn certificate_result(valid: bool) -> Result<(), CertificateError<Ctx>> {
    if valid { Ok(()) } else { Err(CertificateError::VerificationError(None)) }
}

pub(super) fn proposal_message(genesis: Genesis, proposal: &wire::Proposal) -> Vec<u8> {
    signing::proposal(
        genesis,
        proposal.height,
        proposal.round,
        proposal.value,
        proposal.valid_round,
        proposal.address,
    )
}
