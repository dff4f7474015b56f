//! Building, judging, deciding and applying blocks.

use std::{collections::BTreeMap, sync::Arc};

use coordinator_store::{Read, Transaction};
use processor_messages::TributaryBlock;

use super::{Core, Phase, Tip};
use crate::{
    Application, Block, BlockHash, Certificate, DECIDED, DecidedBlock, Halt, Header, Output, Slot, Verdict,
    log,
    wire::{Entry, Message},
};

/// The most blocks kept of one consensus round which nothing names: a proposer can sign many.
pub(super) const UNNAMED_PER_ROUND: usize = 2;

/// An undecided block whose body is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Held {
    round: u32,
    verdict: Verdict,
}

impl Held {
    pub(super) fn missing(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Missing(reason) => Some(reason.clone()),
            Verdict::Valid | Verdict::Invalid(_) => None,
        }
    }
}

/// What a restarted node holds: verdicts in its log stand, other blocks are judged again.
pub(super) fn held_again(bodies: &[(BlockHash, Block)], entries: &[Entry]) -> BTreeMap<BlockHash, Held> {
    let logged = |hash: &BlockHash| {
        entries.iter().rev().find_map(|entry| match entry {
            Entry::Value { value, valid, .. } if value == hash => Some(*valid),
            _ => None,
        })
    };
    let held = |(hash, block): &(BlockHash, Block)| {
        let verdict = match logged(hash) {
            Some(true) => Verdict::Valid,
            Some(false) => Verdict::Invalid("judged before a restart".to_owned()),
            None => Verdict::Missing("not judged since the restart".to_owned()),
        };
        (*hash, Held { round: block.header.round, verdict })
    };
    bodies.iter().map(held).collect()
}

impl<A: Application> Core<A> {
    /// Builds the block of a round in which we propose, unless we have proposed in it before a restart.
    pub(super) fn build(&mut self, txn: &mut dyn Transaction, round: u32) -> Result<(), Halt> {
        if (round != self.consensus.round()) || self.consensus.has_proposed(round) {
            return Ok(());
        }
        let members = Arc::clone(&self.members);
        let height = TributaryBlock(self.next());
        let slot = Slot { height, round, limit: members.limits().body() };
        let built = self.application.build(txn, &members, slot)?;
        let former = self.tip.certificate.clone();
        let header = Header {
            height,
            round,
            proposer: self.me,
            parent: self.tip.hash,
            former: former.as_ref().map_or([0; 32], Certificate::hash),
            root: built.root,
            state: built.state,
            body: Block::body_hash(&built.body),
        };
        let block = Block::sign(&members, &self.key, header, former, built.body);
        if let verdict @ (Verdict::Missing(_) | Verdict::Invalid(_)) =
            self.application.check(txn, &members, &block)?
        {
            // Others would refuse it as well: let the round pass to the next proposer.
            self.outputs
                .push(Output::Event(format!("our own block is not valid: {verdict:?}; not proposed")));
            return Ok(());
        }
        let hash = block.header.hash(members.genesis());
        log::put_body(txn, members.genesis(), hash, &block);
        self.held.insert(hash, Held { round, verdict: Verdict::Valid });
        self.consensus.propose(txn, round, hash)
    }

    /// Sends the body of a block which we propose.
    pub(super) fn send_body(&mut self, db: &dyn Read, hash: BlockHash) -> Result<(), Halt> {
        if let Some(block) = log::body(db, self.members.genesis(), self.next(), hash)? {
            self.broadcast(&Message::Block(Box::new(block)));
        }
        Ok(())
    }

    /// Takes a block of the height in progress.
    pub(super) fn take_block(&mut self, txn: &mut dyn Transaction, block: &Block) -> Result<(), Halt> {
        let hash = block.header.hash(self.members.genesis());
        if self.held.contains_key(&hash) || !self.admits(block, hash) || !self.consensus.check_block(block) {
            return Ok(());
        }
        log::put_body(txn, self.members.genesis(), hash, block);
        let verdict = self.judge(txn, block)?;
        self.note(txn, &block.header, hash, verdict)
    }

    /// Bounds the bodies of a height, and the work of judging them: those which votes or proposals name, and two
    /// each of our round and the next. Another that gets a name later is asked for.
    fn admits(&self, block: &Block, hash: BlockHash) -> bool {
        let (round, ours) = (block.header.round, self.consensus.round());
        let near = (ours..=ours.saturating_add(1)).contains(&round);
        let same =
            self.held.iter().filter(|(held, block)| (block.round == round) && !self.consensus.wants(**held));
        self.consensus.wants(hash) || (near && (same.count() < UNNAMED_PER_ROUND))
    }

    fn judge(&mut self, db: &dyn Read, block: &Block) -> Result<Verdict, Halt> {
        let members = Arc::clone(&self.members);
        let former = block.former.as_ref();
        let linked = block.follows(&members, self.tip.height, self.tip.hash)
            && former.is_none_or(|former| self.consensus.check_certificate(former));
        if !linked {
            return Ok(Verdict::Invalid("not on top of the latest decided block".to_owned()));
        }
        self.application.check(db, &members, block)
    }

    /// Keeps a verdict and tells the core unless something is missing.
    fn note(
        &mut self,
        txn: &mut dyn Transaction,
        header: &Header,
        hash: BlockHash,
        verdict: Verdict,
    ) -> Result<(), Halt> {
        self.held.insert(hash, Held { round: header.round, verdict: verdict.clone() });
        match verdict {
            Verdict::Valid => self.consensus.value(txn, header, hash, true),
            Verdict::Missing(_) => Ok(()),
            Verdict::Invalid(reason) => {
                let (height, proposer) = (header.height, header.proposer);
                let event = format!("block {hash} of {proposer} at height {height} is invalid: {reason}");
                self.outputs.push(Output::Event(event));
                self.consensus.value(txn, header, hash, false)
            }
        }
    }

    /// Judges missing blocks again if something changed, and takes as valid what a quorum precommitted.
    /// Returns whether the core was told something.
    pub(super) fn judge_missing(&mut self, txn: &mut dyn Transaction) -> Result<bool, Halt> {
        if self.phase != Phase::Running {
            return Ok(false);
        }
        let rejudge = std::mem::take(&mut self.rejudge);
        let waiting = |held: &Held| held.verdict != Verdict::Valid;
        let hashes: Vec<_> =
            self.held.iter().filter(|(_, held)| waiting(held)).map(|(hash, _)| *hash).collect();
        for hash in hashes {
            let decided = self.consensus.is_precommitted(hash);
            let Some(held) = self.held.get(&hash) else { continue };
            let verdict = match (&held.verdict, decided) {
                (Verdict::Invalid(reason), true) => return Err(disagreement(self.next(), reason)),
                (Verdict::Missing(_), true) => Some(Verdict::Valid),
                (Verdict::Missing(_), false) if rejudge => None,
                _ => continue,
            };
            let genesis = self.members.genesis();
            let Some(block) = log::body(txn, genesis, self.next(), hash)? else { continue };
            let verdict = match verdict {
                Some(verdict) => verdict,
                None => self.judge(txn, &block)?,
            };
            let told = !matches!(verdict, Verdict::Missing(_));
            self.note(txn, &block.header, hash, verdict)?;
            if told {
                // Others of the list may be of a height that is over now.
                self.rejudge |= rejudge;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The core decided a block.
    pub(super) fn decide(&mut self, txn: &mut dyn Transaction, certificate: Certificate) -> Result<(), Halt> {
        let height = certificate.height;
        let block = log::body(txn, self.members.genesis(), height.0, certificate.block)?;
        let block = block.ok_or_else(|| {
            Halt::new(format!(
                "block {height} is decided and its body is not stored; restore the data directory"
            ))
        })?;
        self.apply(txn, DecidedBlock { block, certificate })
    }

    /// Takes a block fetched with its certificate. Returns whether it was the next one, and in order.
    pub(super) fn take_decided(
        &mut self,
        txn: &mut dyn Transaction,
        decided: DecidedBlock,
    ) -> Result<bool, Halt> {
        let (block, certificate) = (&decided.block, &decided.certificate);
        let next = self.next();
        let proven = (block.header.height.0 == next)
            && (certificate.height.0 == next)
            && (certificate.block == block.header.hash(self.members.genesis()))
            && (certificate.claims_quorum(&self.members) || mutated!(ForgedCertificate))
            && self.consensus.check_block(block)
            && (self.consensus.check_certificate(certificate) || mutated!(ForgedCertificate));
        if !proven {
            return Ok(false);
        }
        // A valid certificate: from here on, what does not fit is a broken chain, not a lying peer.
        if let Verdict::Invalid(reason) = self.judge(txn, block)? {
            return Err(disagreement(next, &reason));
        }
        self.apply(txn, decided)?;
        Ok(true)
    }

    /// Stores and applies a final block, clears the height's log, and waits for the next height.
    fn apply(&mut self, txn: &mut dyn Transaction, decided: DecidedBlock) -> Result<(), Halt> {
        let members = Arc::clone(&self.members);
        let genesis = members.genesis();
        let height = decided.height();
        DECIDED.put(txn, &(genesis, height), &decided);
        let says = self.application.decided(txn, &members, &decided)?;
        self.say(says);
        self.tip = Tip {
            height: height.0,
            hash: decided.block.header.hash(genesis),
            certificate: Some(decided.certificate),
        };
        self.tip.store(txn, genesis);
        for evidence in self.consensus.take_evidence() {
            let says = self.application.equivocated(txn, &members, evidence)?;
            self.say(says);
        }
        if self.phase == Phase::Running {
            self.consensus.finish(txn);
        }
        for hash in std::mem::take(&mut self.held).into_keys() {
            log::delete_body(txn, genesis, height.0, hash);
        }
        self.forget_looked_at();
        self.recovered(txn);
        self.outputs.push(Output::Decided(height));
        // Who missed a precommit learns that it is behind.
        self.broadcast(&Message::Height(height.0));
        self.wait();
        Ok(())
    }
}

fn disagreement(height: u64, reason: &str) -> Halt {
    Halt::new(format!(
        "more than two thirds of the weight decided block {height}, which is invalid here ({reason}); \
     compare versions and data with the other validators before reopening"
    ))
}
