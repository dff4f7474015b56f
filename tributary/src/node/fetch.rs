//! Blocks from others: finding out that we are behind, asking again until we are not, and coming back with a
//! store which may be old.
//!
//! A member's claim to be ahead only chooses whom to ask; what counts is the certificate that comes with a
//! block. One question for blocks is open at a time; the timer `Sync` asks the next member.

use std::collections::{BTreeMap, BTreeSet};

use coordinator_store::{Counted, MAX_STEP_BYTES, StoreError, Table, Transaction};
use processor_messages::{Genesis, List, TributaryBlock, Validator, encode};

use super::{Core, Phase};
use crate::{
    Application, Certificate, DECIDED, DecidedBlock, Halt, Output, Timer,
    wire::{Answer, Ask, MAX_BLOCKS},
};

/// The most members asked for their height at a time.
const MOST_ASKED: usize = 16;

/// What applying fetched blocks may write in one step, in bytes, one block aside: far below the store's bound, as a step
/// takes other things too. The rest of an answer is asked for again.
const MOST_WRITTEN: usize = MAX_STEP_BYTES / 4;
/// What a block writes is estimated as so many times its body: once as it is, once for the rows of its transactions.
const WRITES_OF_A_BODY: usize = 2;

/// The greatest working height reported to a node that comes back, once enough weight reported.
const RECOVERY: Table<Genesis, Option<u64>> = Table::new("tributary/recovery");

pub(super) fn forget(txn: &mut dyn Transaction, genesis: Genesis) {
    RECOVERY.delete(txn, &genesis);
}

/// What members claim, and whom we asked. Bounded by the number of members.
#[derive(Debug, Default)]
pub(super) struct Peers {
    heights: BTreeMap<Validator, u64>,
    asked: Option<Validator>,
    /// Whose answer may still come, also one we no longer wait for: a slow link must not mean no blocks.
    owing: BTreeSet<Validator>,
    armed: bool,
    last: Option<Validator>,
}

impl Peers {
    pub(super) fn saw(&mut self, from: Validator, decided: u64) {
        let height = self.heights.entry(from).or_default();
        *height = decided.max(*height);
    }

    pub(super) fn heights(&self) -> &BTreeMap<Validator, u64> {
        &self.heights
    }

    /// Whether an answer of this member may still come.
    pub(super) fn owes(&self, validator: &Validator) -> bool {
        self.owing.contains(validator)
    }

    fn is_behind(&self, decided: u64) -> bool {
        self.heights.values().any(|height| *height > decided)
    }

    /// The next member in turn who claims more than `decided`.
    fn next(&self, decided: u64) -> Option<Validator> {
        let ahead: Vec<_> = self.heights.iter().filter(|(_, h)| **h > decided).map(|(v, _)| *v).collect();
        let after = ahead.iter().find(|v| self.last.is_none_or(|last| **v > last));
        after.or_else(|| ahead.first()).copied()
    }
}

/// A node whose store may be older than what it signed (`TRIB-5`).
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Proven working heights of other members, reported since this start.
    reports: BTreeMap<Validator, u64>,
    /// The greatest of them, once more than two thirds of the weight reported.
    floor: Option<u64>,
    /// How many of those who have not reported were asked last.
    turn: usize,
}

impl Recovery {
    pub(super) fn open(
        txn: &mut dyn Transaction,
        genesis: Genesis,
        current: bool,
    ) -> Result<Option<Self>, StoreError> {
        if !current {
            RECOVERY.put(txn, &genesis, &None);
        }
        let floor = RECOVERY.get(txn, &genesis)?;
        Ok(floor.map(|floor| Self { reports: BTreeMap::new(), floor, turn: 0 }))
    }
}

impl<A: Application> Core<A> {
    /// Asks for blocks at once if far behind; if one block behind, after a while, as votes are on their way.
    pub(super) fn pursue(&mut self) {
        if self.peers.asked.is_some() || !self.peers.is_behind(self.tip.height) {
            return;
        }
        if self.peers.is_behind(self.next()) {
            self.ask_blocks();
        } else if !self.peers.armed {
            self.arm();
        }
    }

    fn arm(&mut self) {
        self.peers.armed = true;
        self.outputs.push(Output::SetTimer { timer: Timer::Sync, after: self.config.sync });
    }

    fn ask_blocks(&mut self) {
        let Some(to) = self.peers.next(self.tip.height) else { return };
        self.peers.asked = Some(to);
        self.peers.last = Some(to);
        self.peers.owing.insert(to);
        self.outputs.push(Output::Request { to, bytes: encode(&Ask::Blocks(self.next())) });
        self.arm();
    }

    /// Asks members that have not reported, others each time: a driver has few requests under way.
    pub(super) fn ask_status(&mut self) {
        let Some(recovery) = self.recovery.as_mut() else { return };
        let members = self.members.iter().map(|member| member.validator);
        let mut silent: Vec<_> =
            members.filter(|v| (*v != self.me) && !recovery.reports.contains_key(v)).collect();
        let at = recovery.turn.checked_rem(silent.len()).unwrap_or(0);
        silent.rotate_left(at);
        silent.truncate(MOST_ASKED);
        recovery.turn = at.saturating_add(silent.len());
        for to in silent {
            self.outputs.push(Output::Request { to, bytes: encode(&Ask::Status) });
        }
        self.arm();
    }

    /// The timer `Sync`: what was asked is taken as lost.
    pub(super) fn fetch_again(&mut self) {
        self.peers.armed = false;
        self.peers.asked = None;
        if self.recovery.as_ref().is_some_and(|recovery| recovery.floor.is_none()) {
            self.ask_status();
        }
        if self.peers.is_behind(self.tip.height) {
            self.ask_blocks();
        }
    }

    /// A member asks.
    pub(super) fn asked(
        &mut self,
        txn: &mut dyn Transaction,
        from: Validator,
        id: u64,
        bytes: &[u8],
    ) -> Result<(), Halt> {
        if self.members.get(&from).is_none() {
            return Ok(());
        }
        let status = || Answer::Status(self.tip.certificate.clone());
        let answer = match Ask::decode(bytes) {
            Ok(Ask::Body(height, hash)) => self.body_for(txn, height, hash)?.unwrap_or_else(status),
            Ok(Ask::Blocks(height)) if (height > 0) && (height <= self.tip.height) => {
                Answer::Blocks(self.decided_from(txn, height)?)
            }
            Ok(Ask::Status | Ask::Blocks(_)) => status(),
            Err(_) => return Ok(()),
        };
        self.outputs.push(Output::Respond { id, bytes: encode(&answer) });
        Ok(())
    }

    /// Decided blocks from a height on, as many as fit into an answer.
    fn decided_from(
        &self,
        txn: &mut dyn Transaction,
        height: u64,
    ) -> Result<List<DecidedBlock, MAX_BLOCKS>, Halt> {
        let mut blocks = Vec::new();
        // One byte for the kind of the answer and four for the count.
        let mut bytes = 5usize;
        for height in (height..=self.tip.height).take(MAX_BLOCKS) {
            let key = (self.members.genesis(), TributaryBlock(height));
            let Some(decided) = DECIDED.get(txn, &key)? else { break };
            bytes = bytes.saturating_add(encode(&decided).len());
            if bytes > Answer::limit(self.members.limits()) {
                break;
            }
            blocks.push(decided);
        }
        List::new(blocks).map_err(|e| Halt::new(e.to_string()))
    }

    /// A member answered.
    pub(super) fn answered(
        &mut self,
        txn: &mut dyn Transaction,
        from: Validator,
        answer: Option<Answer>,
    ) -> Result<(), Halt> {
        match answer {
            Some(Answer::Status(certificate)) => self.reported(txn, from, certificate.as_ref()),
            Some(Answer::Blocks(blocks)) if self.peers.owing.remove(&from) => {
                self.peers.asked = self.peers.asked.filter(|asked| *asked != from);
                self.take_blocks(txn, from, blocks)?;
            }
            Some(Answer::Body(block)) => {
                if (self.phase == Phase::Running) && (block.header.height.0 == self.next()) {
                    self.take_block(txn, &block)?;
                }
            }
            Some(Answer::Blocks(_)) => {}
            None => {
                self.peers.heights.remove(&from);
            }
        }
        Ok(())
    }

    /// Takes the blocks of an answer in order, as many as a step has room for. Who answered and has none for us is
    /// asked no more before it claims another height.
    fn take_blocks(
        &mut self,
        txn: &mut dyn Transaction,
        from: Validator,
        blocks: List<DecidedBlock, MAX_BLOCKS>,
    ) -> Result<(), Halt> {
        let before = self.tip.height;
        for decided in blocks {
            // An answer may overlap with what was decided meanwhile.
            if decided.height().0 <= self.tip.height {
                continue;
            }
            if !self.has_room_for(&decided) {
                return Ok(());
            }
            let mut counted = Counted::new(txn);
            let taken = self.take_decided(&mut counted, decided)?;
            self.written = self.written.saturating_add(counted.bytes());
            if !taken {
                break;
            }
        }
        if self.tip.height == before {
            self.peers.heights.remove(&from);
        }
        Ok(())
    }

    /// Whether this step may apply another fetched block; the first one always.
    fn has_room_for(&self, decided: &DecidedBlock) -> bool {
        let writes = decided.block.body.len().saturating_mul(WRITES_OF_A_BODY);
        (self.written == 0) || (self.written.saturating_add(writes) <= MOST_WRITTEN)
    }

    /// A member proved its latest decided height.
    fn reported(&mut self, txn: &mut dyn Transaction, from: Validator, certificate: Option<&Certificate>) {
        let decided = match certificate {
            None => 0,
            Some(certificate) if self.consensus.check_certificate(certificate) => certificate.height.0,
            Some(_) => return,
        };
        if self.peers.asked == Some(from) {
            // It claimed blocks and has none for us.
            self.peers.asked = None;
            self.peers.owing.remove(&from);
        }
        self.peers.heights.insert(from, decided);
        let (members, me) = (&self.members, self.me);
        let Some(recovery) = self.recovery.as_mut().filter(|r| r.floor.is_none() && (from != me)) else {
            return;
        };
        recovery.reports.insert(from, decided.saturating_add(1));
        if members.is_quorum(members.weight_of(recovery.reports.keys())) {
            recovery.floor = recovery.reports.values().max().copied();
            RECOVERY.put(txn, &members.genesis(), &recovery.floor);
        }
    }

    /// After a decision: signs again once a height above all reported ones was decided without us.
    pub(super) fn recovered(&mut self, txn: &mut dyn Transaction) {
        let floor = self.recovery.as_ref().and_then(|recovery| recovery.floor);
        if floor.is_some_and(|floor| self.tip.height > floor) {
            self.recovery = None;
            RECOVERY.delete(txn, &self.members.genesis());
            self.outputs.push(Output::Event("this node signs again".to_owned()));
        }
    }
}
