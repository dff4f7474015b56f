//! The archive of an ended set: what an auditor needs, in one file which outlives the set's rows (`SIGN-22`).
//!
//! ```text
//! magic ‖ (length ‖ borsh(Entry))* ‖ 0 ‖ Blake2b-256 of all before
//! Set, Participations*, Keys, Slashes*, Report, End
//! ```
//!
//! An ended set does not change any more, so its entries are read in pages, each from a state of its own, and
//! an archive which is written again after a crash has the same bytes.
//!
//! What this deliberately does not do: open files; say whether a participation is valid, which takes the key
//! generation's own code. Lengths in a file choose no allocation.

use std::io::{self, Read as _};

use blake2::{Blake2b, Digest, digest::consts::U32};
use borsh::{BorshDeserialize, BorshSerialize};
use coordinator_base_chain::{SetKeys, SlashReportCall, signing};
use coordinator_store::{Read, StoreError};
use processor_messages::{KeyPair, SlashReport, TributaryBlock, Validator, encode};

use super::{
    Life, SetRecord, SetSpec, apply, confirmation,
    relay::{self, Ordered},
    report::{self, Reporting},
    retire::{self, Ended},
    slash::{self, Record},
};
use crate::{base_chain, halt};

const MAGIC: &[u8] = b"headwater archive v1\n";
/// The longest entry in bytes: the participations of the largest block.
pub const MAX_ENTRY_BYTES: u32 = 16 * 1024 * 1024;
/// Blocks of participations in a page.
const PAGE_BLOCKS: usize = 4;

/// One part of an archive.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
#[allow(clippy::large_enum_variant, reason = "one at a time is in memory")]
pub enum Entry {
    /// The set as declared; its tributary's id is a function of it.
    Set {
        /// The set.
        spec: SetSpec,
        /// The time of the declaring block, in milliseconds since the Unix epoch.
        declared_unix_ms: u64,
    },
    /// The participations of a block, in order.
    Participations {
        /// The tributary's block.
        block: TributaryBlock,
        /// Who, and the bytes.
        participations: Ordered,
    },
    /// The key generation's result.
    Keys {
        /// What our processor generated.
        ours: Option<KeyPair>,
        /// What the base chain has.
        chain: Option<KeyPair>,
        /// The confirmation which this node saw complete, with signers and signature.
        confirmation: Option<SetKeys>,
    },
    /// What was counted against a member.
    Slashes {
        /// Whom.
        validator: Validator,
        /// What.
        record: Record,
    },
    /// The slash report.
    Report {
        /// How it was agreed on.
        agreed: Option<Reporting>,
        /// With the signature which this node accepted.
        signed: Option<SlashReportCall>,
        /// What the base chain applied.
        applied: Option<SlashReport>,
    },
    /// Where it ended at this node.
    End {
        /// Whether it was retired or dropped.
        life: Life,
        /// By which block of the base chain.
        ended: Ended,
        /// The last applied block of the tributary.
        applied: TributaryBlock,
        /// Hash of the replicated state after it.
        state_hash: [u8; 32],
        /// Why it was halted.
        halted: Option<halt::Reason>,
    },
}

/// Where the reading of a set's entries stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Position {
    /// At the beginning.
    #[default]
    Set,
    /// At the participations from this block on.
    Participations(TributaryBlock),
    /// At what follows them.
    Rest,
    /// Behind the last.
    Done,
}

/// The entries of an ended set from a position on, and the next position.
///
/// # Errors
/// [`StoreError`] of the store.
pub fn page(
    db: &(impl Read + ?Sized),
    record: &SetRecord,
    from: Position,
) -> Result<(Vec<Entry>, Position), StoreError> {
    let SetRecord { spec, declared_unix_ms, .. } = record;
    match from {
        Position::Set => {
            let entry = Entry::Set { spec: spec.clone(), declared_unix_ms: *declared_unix_ms };
            Ok((vec![entry], Position::Participations(TributaryBlock(0))))
        }
        Position::Participations(block) => {
            let rows = relay::participations(db, spec, block, PAGE_BLOCKS)?;
            let full = rows.len() == PAGE_BLOCKS;
            let next = rows.last().filter(|_| full).map(|(last, _)| Position::Participations(last.next()));
            let entry = |(block, participations)| Entry::Participations { block, participations };
            Ok((rows.into_iter().map(entry).collect(), next.unwrap_or(Position::Rest)))
        }
        Position::Rest => Ok((rest(db, record)?, Position::Done)),
        Position::Done => Ok((Vec::new(), Position::Done)),
    }
}

fn rest(db: &(impl Read + ?Sized), record: &SetRecord) -> Result<Vec<Entry>, StoreError> {
    let (spec, set) = (&record.spec, record.spec.set());
    let mut entries = vec![Entry::Keys {
        ours: confirmation::own_key_pair(db, set)?,
        chain: base_chain::keys(db, set)?,
        confirmation: confirmation::confirmed(db, set)?,
    }];
    for validator in spec.indices().filter_map(|index| spec.validator(index)) {
        let record = slash::record(db, spec.genesis, validator)?;
        if record != Record::default() {
            entries.push(Entry::Slashes { validator, record });
        }
    }
    let retirement = retire::retirement(db, set)?;
    entries.push(Entry::Report {
        agreed: report::reporting(db, spec.genesis)?,
        signed: report::signed(db, spec.genesis)?,
        applied: retirement.applied,
    });
    entries.push(Entry::End {
        life: record.life,
        ended: retirement.ended.unwrap_or_default(),
        applied: apply::applied_through(db, spec.genesis)?,
        state_hash: apply::state_hash(db, spec.genesis)?,
        halted: halt::of_session(db, set)?,
    });
    Ok(entries)
}

/// Why an archive cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The bytes are none of an archive.
    #[error("not an archive: {0}")]
    Malformed(&'static str),
    /// The archive contradicts itself.
    #[error("the archive does not hold what it should: {0}")]
    Contradiction(&'static str),
}

/// Writes entries and then the hash.
pub struct Writer<W> {
    to: W,
    hash: Blake2b<U32>,
    bytes: u64,
}

impl<W: io::Write> Writer<W> {
    /// Begins an archive.
    ///
    /// # Errors
    /// That of `to`.
    pub fn new(to: W) -> Result<Self, ArchiveError> {
        let mut writer = Self { to, hash: Blake2b::new(), bytes: 0 };
        writer.write(MAGIC)?;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.to.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Appends an entry.
    ///
    /// # Errors
    /// That of the file; [`ArchiveError::Malformed`] if the entry is over [`MAX_ENTRY_BYTES`].
    pub fn entry(&mut self, entry: &Entry) -> Result<(), ArchiveError> {
        let bytes = encode(entry);
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= MAX_ENTRY_BYTES);
        let length = length.ok_or(ArchiveError::Malformed("an entry is too long"))?;
        self.write(&length.to_le_bytes())?;
        self.write(&bytes)
    }

    /// Ends the archive; the file, its length in bytes, and the hash.
    ///
    /// # Errors
    /// That of the file.
    pub fn finish(mut self) -> Result<(W, u64, [u8; 32]), ArchiveError> {
        self.write(&0_u32.to_le_bytes())?;
        let hash: [u8; 32] = self.hash.finalize().into();
        self.to.write_all(&hash)?;
        self.to.flush()?;
        Ok((self.to, self.bytes.saturating_add(hash.len() as u64), hash))
    }
}

/// Reads entries; the last `None` comes only after the hash was found right.
struct Entries<R> {
    from: R,
    hash: Blake2b<U32>,
}

impl<R: io::Read> Entries<R> {
    fn new(from: R) -> Result<Self, ArchiveError> {
        let mut entries = Self { from, hash: Blake2b::new() };
        if entries.read(MAGIC.len() as u64)? != MAGIC {
            return Err(ArchiveError::Malformed("it begins otherwise"));
        }
        Ok(entries)
    }

    /// Exactly so many bytes; memory grows with what is there, not with what is claimed.
    fn read(&mut self, length: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        (&mut self.from).take(length).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < length {
            return Err(ArchiveError::Malformed("it ends too early"));
        }
        self.hash.update(&bytes);
        Ok(bytes)
    }

    fn next(&mut self) -> Result<Option<Entry>, ArchiveError> {
        let length = <[u8; 4]>::try_from(self.read(4)?).map_or(0, u32::from_le_bytes);
        if length == 0 {
            return self.end().map(|()| None);
        }
        if length > MAX_ENTRY_BYTES {
            return Err(ArchiveError::Malformed("an entry is too long"));
        }
        let bytes = self.read(u64::from(length))?;
        borsh::from_slice(&bytes).map(Some).map_err(|_| ArchiveError::Malformed("an entry does not decode"))
    }

    fn end(&mut self) -> Result<(), ArchiveError> {
        let hash: [u8; 32] = self.hash.clone().finalize().into();
        if self.read(hash.len() as u64)? != hash {
            return Err(ArchiveError::Malformed("its hash is another"));
        }
        let mut further = Vec::new();
        (&mut self.from).take(1).read_to_end(&mut further)?;
        if further.is_empty() { Ok(()) } else { Err(ArchiveError::Malformed("bytes follow its end")) }
    }
}

/// A whole archive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Archive {
    /// The set as declared.
    pub spec: SetSpec,
    /// Every entry, in order.
    pub entries: Vec<Entry>,
}

impl Archive {
    /// Reads an archive, as long as it is.
    ///
    /// # Errors
    /// [`ArchiveError`] if it is none, was changed, or lacks its beginning or end.
    pub fn read(from: impl io::Read) -> Result<Self, ArchiveError> {
        let mut reader = Entries::new(from)?;
        let mut entries = Vec::new();
        while let Some(entry) = reader.next()? {
            entries.push(entry);
        }
        let complete = matches!(entries.last(), Some(Entry::End { .. }));
        match entries.first() {
            Some(Entry::Set { spec, .. }) if complete => Ok(Self { spec: spec.clone(), entries }),
            _ => Err(ArchiveError::Contradiction("it has no set, or no end")),
        }
    }

    /// Verifies what can be verified of it alone: the tributary's id, the confirmation's MuSig and weight, and
    /// the report's signature under the set's key.
    ///
    /// # Errors
    /// [`ArchiveError::Contradiction`]: what does not hold.
    pub fn verify(&self) -> Result<(), ArchiveError> {
        let wrong = |what| Err(ArchiveError::Contradiction(what));
        if self.spec.tributary.genesis() != self.spec.genesis {
            return wrong("the tributary's id is not that of the declaration");
        }
        let mut key = None;
        for entry in &self.entries {
            match entry {
                Entry::Keys { chain, confirmation, .. } => {
                    key = chain.as_ref().map(|pair| pair.base);
                    if confirmation.as_ref().is_some_and(|keys| !self.confirms(keys)) {
                        return wrong("the confirmation does not verify");
                    }
                }
                Entry::Report { signed: Some(call), .. } => {
                    let (chain, set) = (self.spec.tributary.chain, self.spec.set());
                    let message = signing::slash_report_message(chain, set, &call.report);
                    let verifies = key.is_some_and(|key| signing::verify(&key, &message, &call.signature));
                    if !verifies || (call.set != set) {
                        return wrong("the slash report's signature does not verify");
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn confirms(&self, keys: &SetKeys) -> bool {
        let members: Vec<Validator> =
            self.spec.indices().filter_map(|index| self.spec.validator(index)).collect();
        let Some(signers) = keys.signers.select(&members) else { return false };
        let signers: Vec<Validator> = signers.into_iter().copied().collect();
        let indices = signers.iter().filter_map(|validator| self.spec.index_of(*validator));
        let (chain, set) = (self.spec.tributary.chain, self.spec.set());
        self.spec.reaches_threshold(indices)
            && (keys.set == set)
            && signing::verify_set_keys(chain, set, &keys.key_pair, &signers, &keys.signature)
    }
}
