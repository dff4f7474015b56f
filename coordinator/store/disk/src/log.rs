//! The append-only log: segments of records, in a directory of their own.
//!
//! ```text
//! 00000000000000000001.log  00000000000000004711.log ...   named by their first sequence
//!   header, fsync, fsync of the directory; then batches, each written at once and fsynced
//! ```
//!
//! A segment is created only when all records before it are durable, and a batch is written only when the
//! batch before it is. So whatever proves that a later one was begun proves that the earlier was whole:
//! this is how recovery tells a torn tail, which it cuts off, from damage, which it refuses. It deletes
//! nothing by itself; the engine says from which sequence on the table store needs no log.

use std::io;

use crate::{
    error::OpenError,
    fs::{LogFile as _, LogFs},
    record::{HEADER_BYTES, Header, Operations, Record, find_proof},
};

/// The log, open for appending. After an error it must not be used again.
pub(crate) struct Log<F: LogFs> {
    fs: F,
    segment_bytes: u64,
    /// Segments on disk but the last: first sequence and size.
    closed: Vec<(u64, u64)>,
    open: Option<Segment<F::File>>,
    /// The last durable sequence.
    synced: u64,
    buffer: Vec<u8>,
}

struct Segment<File> {
    file: File,
    header: Header,
    bytes: u64,
}

/// A batch buffer larger than this is given back after use.
const KEEP_BUFFER_BYTES: usize = 1024 * 1024;

impl<F: LogFs> Log<F> {
    /// A log without segments, whose next sequence is the one after `synced`. Its first segment is created by
    /// the first append.
    pub(crate) fn new(fs: F, segment_bytes: u64, synced: u64) -> Self {
        Self { fs, segment_bytes, closed: Vec::new(), open: None, synced, buffer: Vec::new() }
    }

    /// Appends steps and makes them durable, with one fsync unless a segment begins.
    pub(crate) fn append<'a>(
        &mut self,
        steps: impl Iterator<Item = (u64, &'a Operations)>,
    ) -> io::Result<()> {
        let mut segment = self.writable()?;
        self.buffer.clear();
        let mut last = self.synced;
        for (sequence, operations) in steps {
            Record::encode(segment.header.salt, sequence, self.synced, operations, &mut self.buffer);
            last = sequence;
        }
        segment.file.append(&self.buffer)?;
        segment.file.sync()?;
        segment.bytes = segment.bytes.saturating_add(length(&self.buffer));
        self.open = Some(segment);
        self.synced = last;
        if self.buffer.capacity() > KEEP_BUFFER_BYTES {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// The open segment, or a new one if there is none or it is full.
    fn writable(&mut self) -> io::Result<Segment<F::File>> {
        match self.open.take() {
            Some(segment) if segment.bytes < self.segment_bytes => return Ok(segment),
            Some(full) => self.closed.push((full.header.first, full.bytes)),
            None => {}
        }
        let header = Header { first: self.synced.saturating_add(1), salt: self.fs.salt() };
        let mut file = self.fs.create(&name(header.first))?;
        let bytes = header.encode();
        file.append(&bytes)?;
        file.sync()?;
        self.fs.sync_dir()?;
        Ok(Segment { file, header, bytes: length(&bytes) })
    }

    /// How many bytes the segments hold.
    pub(crate) fn bytes(&self) -> u64 {
        let open = self.open.as_ref().map_or(0, |segment| segment.bytes);
        self.closed.iter().map(|(_, bytes)| *bytes).sum::<u64>().saturating_add(open)
    }

    /// Removes every segment, because the table store is known to hold everything durably.
    pub(crate) fn remove_all(&mut self) -> io::Result<()> {
        let open = self.open.take().map(|segment| segment.header.first);
        for first in self.closed.drain(..).map(|(first, _)| first).chain(open) {
            self.fs.remove(&name(first))?;
        }
        self.fs.sync_dir()
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a length fits")
}

fn name(first: u64) -> String {
    format!("{first:020}.log")
}

fn parse(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log").filter(|digits| digits.len() == 20)?;
    digits.parse().ok()
}

/// Reads the log from after `position` on and gives each record to `replay`; returns the last sequence that
/// is in the table store or the log.
pub(crate) fn recover<F: LogFs>(
    fs: &F,
    position: u64,
    mut replay: impl FnMut(Record) -> Result<(), OpenError>,
) -> Result<u64, OpenError> {
    let segments = needed(list(fs)?, position);
    let Some(mut expected) = segments.first().copied() else { return Ok(position) };
    if expected > position.saturating_add(1) {
        let reason = format!("sequence {} should come first: a segment before it is missing", position + 1);
        return Err(damaged(expected, 0, reason));
    }
    for (index, first) in segments.iter().copied().enumerate() {
        let next = segments.get(index + 1).copied();
        let bytes = fs.read(&name(first)).map_err(OpenError::io("read", name(first)))?;
        let records = Records::new(first, &bytes, expected, next)?;
        expected = records.read(|record| if record.sequence > position { replay(record) } else { Ok(()) })?;
        if next.is_some_and(|next| next != expected) {
            return Err(damaged(first, bytes.len(), format!("sequence {expected} is missing")));
        }
    }
    Ok(position.max(expected - 1))
}

/// Removes every segment there is, at boot, when the table store holds everything.
pub(crate) fn remove_all<F: LogFs>(fs: &F) -> Result<(), OpenError> {
    let segments = list(fs)?;
    for first in &segments {
        fs.remove(&name(*first)).map_err(OpenError::io("remove", name(*first)))?;
    }
    if !segments.is_empty() {
        fs.sync_dir().map_err(OpenError::io("sync the directory", "log"))?;
    }
    Ok(())
}

fn list<F: LogFs>(fs: &F) -> Result<Vec<u64>, OpenError> {
    let names = fs.list().map_err(OpenError::io("list", "log"))?;
    let mut segments: Vec<_> = names.iter().filter_map(|name| parse(name)).collect();
    segments.sort_unstable();
    Ok(segments)
}

/// The segments that may hold a sequence after `position`.
fn needed(mut segments: Vec<u64>, position: u64) -> Vec<u64> {
    let covered = segments.iter().filter(|first| **first <= position.saturating_add(1)).count();
    segments.drain(..covered.saturating_sub(1));
    segments
}

fn damaged(first: u64, offset: usize, reason: impl Into<String>) -> OpenError {
    let offset = u64::try_from(offset).unwrap_or(u64::MAX);
    OpenError::CorruptLog { file: format!("log/{}", name(first)), offset, reason: reason.into() }
}

/// The records of one segment.
struct Records<'a> {
    first: u64,
    salt: u64,
    bytes: &'a [u8],
    expected: u64,
    last_segment: bool,
}

impl<'a> Records<'a> {
    /// Reads a segment's header; `next` is the first sequence of the segment after it.
    fn new(first: u64, bytes: &'a [u8], expected: u64, next: Option<u64>) -> Result<Self, OpenError> {
        let last_segment = next.is_none();
        match Header::decode(bytes) {
            Some(header) if header.first == first => {
                Ok(Self { first, salt: header.salt, bytes, expected, last_segment })
            }
            // Created but never synced, so never written to.
            None if last_segment && bytes.len() <= HEADER_BYTES => {
                tracing::warn!(
                    segment = name(first),
                    "the log's last segment was never begun; it is cut off"
                );
                Ok(Self { first, salt: 0, bytes: &[], expected, last_segment })
            }
            _ => Err(damaged(first, 0, "its header does not check")),
        }
    }

    /// Gives each record to `each`; returns the sequence after the last.
    fn read(mut self, mut each: impl FnMut(Record) -> Result<(), OpenError>) -> Result<u64, OpenError> {
        let mut rest = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
        while !rest.is_empty() {
            let mut after = rest;
            match Record::decode(self.salt, &mut after).filter(|record| record.sequence == self.expected) {
                Some(record) => each(record)?,
                None => return self.cut(rest),
            }
            self.expected = self.expected.saturating_add(1);
            rest = after;
        }
        Ok(self.expected)
    }

    /// Decides about a tail without a record at its front: torn, or damaged.
    fn cut(self, tail: &[u8]) -> Result<u64, OpenError> {
        let offset = self.bytes.len() - tail.len();
        let lost = self.expected;
        if !self.last_segment {
            return Err(damaged(self.first, offset, "a record does not check, and a later segment exists"));
        }
        if let Some(proof) = find_proof(self.salt, tail, lost) {
            let reason =
                format!("the record of sequence {lost} does not check, one at byte {} does", offset + proof);
            return Err(damaged(self.first, offset, reason));
        }
        tracing::warn!(
            segment = name(self.first),
            offset,
            bytes = tail.len(),
            sequence = lost,
            "the log ends in a torn write that was never reported durable; it is cut off"
        );
        Ok(lost)
    }
}
