//! Damage that no crash explains is refused, with the place; a torn tail is cut off.

use coordinator_store::StoreError;

use super::sim::{Fsync, SimDisk};
use crate::{
    Config, OpenError,
    engine::{self, Worker},
    record::{HEADER_BYTES, Record},
};

const HONEST: Fsync = Fsync { file: true, directory: true };

fn open(disk: &SimDisk, config: Config) -> Result<Worker<SimDisk, SimDisk>, OpenError> {
    engine::open(disk.clone(), disk.clone(), config)
}

/// Writes steps 1 to `steps`, each a batch of its own.
fn write(worker: &mut Worker<SimDisk, SimDisk>, steps: u8) {
    for step in 1..=steps {
        let written = worker.shared().write(|txn| {
            txn.put(vec![step], vec![step; 50]);
            Ok::<_, StoreError>(())
        });
        worker.run_once().unwrap();
        assert_eq!(written.unwrap().1.outcome(), Some(Ok(())));
    }
}

fn count(worker: &Worker<SimDisk, SimDisk>) -> usize {
    worker.shared().read(|db| db.scan(&[], &[], 100).unwrap().len())
}

const FIRST: &str = "00000000000000000001.log";
/// Of each record here: head, sequence and synced, count, key, value.
const RECORD: usize = 8 + 16 + 4 + (4 + 1) + (1 + 4 + 50);

#[test]
fn a_torn_tail_is_cut_off() {
    // STORE-5. Every length of the last record but the whole.
    for torn in 1..RECORD {
        let disk = SimDisk::new(0, HONEST);
        write(&mut open(&disk, Config::default()).unwrap(), 3);
        let mut bytes = disk.bytes(FIRST);
        assert_eq!(bytes.len(), HEADER_BYTES + 3 * RECORD);
        bytes.truncate(bytes.len() - torn);
        disk.set_bytes(FIRST, bytes);
        assert_eq!(count(&open(&disk, Config::default()).unwrap()), 2);
    }
}

#[test]
fn a_damaged_middle_is_refused_with_its_offset() {
    // STORE-6. Any byte of the second of four records.
    for at in 0..RECORD {
        let disk = SimDisk::new(0, HONEST);
        write(&mut open(&disk, Config::default()).unwrap(), 4);
        let offset = HEADER_BYTES + RECORD;
        disk.damage(FIRST, offset + at);
        let Err(error) = open(&disk, Config::default()) else { panic!("byte {at} was not noticed") };
        let expected = u64::try_from(offset).unwrap();
        assert!(
            matches!(&error, OpenError::CorruptLog { file, offset, .. }
                if *file == format!("log/{FIRST}") && *offset == expected),
            "{error}"
        );
        assert!(error.to_string().contains("Restore the whole data directory"), "{error}");
        assert_eq!(disk.bytes(FIRST).len(), HEADER_BYTES + 4 * RECORD, "the evidence is untouched");
    }
}

#[test]
fn a_damaged_header_is_refused() {
    // STORE-6.
    let disk = SimDisk::new(0, HONEST);
    write(&mut open(&disk, Config::default()).unwrap(), 1);
    disk.damage(FIRST, 3);
    assert!(matches!(open(&disk, Config::default()), Err(OpenError::CorruptLog { offset: 0, .. })));
}

#[test]
fn a_missing_segment_is_refused() {
    // STORE-6.
    let config = Config { segment_bytes: 100, ..Config::default() };
    for lost in [FIRST, "00000000000000000002.log"] {
        let disk = SimDisk::new(0, HONEST);
        write(&mut open(&disk, config).unwrap(), 3);
        disk.lose(lost);
        assert!(matches!(open(&disk, config), Err(OpenError::CorruptLog { .. })), "{lost}");
    }
}

#[test]
fn a_tail_of_an_earlier_segment_is_damage() {
    // STORE-6.
    let config = Config { segment_bytes: 100, ..Config::default() };
    let disk = SimDisk::new(0, HONEST);
    write(&mut open(&disk, config).unwrap(), 3);
    let mut bytes = disk.bytes(FIRST);
    bytes.pop();
    disk.set_bytes(FIRST, bytes);
    assert!(matches!(open(&disk, config), Err(OpenError::CorruptLog { .. })));
}

#[test]
fn a_stored_value_cannot_pass_for_a_record() {
    // STORE-4. A value holds what would prove damage if the salt were known; the record after it is torn.
    let disk = SimDisk::new(0, HONEST);
    let mut worker = open(&disk, Config::default()).unwrap();
    let mut forged = Vec::new();
    Record::encode(0, 9, 8, &Vec::new(), &mut forged);
    let written = worker.shared().write(|txn| {
        txn.put(b"forged".to_vec(), forged);
        Ok::<_, StoreError>(())
    });
    worker.run_once().unwrap();
    drop(written);
    let mut bytes = disk.bytes(FIRST);
    bytes[HEADER_BYTES] ^= 1;
    disk.set_bytes(FIRST, bytes);
    assert_eq!(count(&open(&disk, Config::default()).unwrap()), 0);
}

#[test]
fn a_failed_write_stops_the_store_and_keeps_what_was_durable() {
    // STORE-9.
    let disk = SimDisk::new(0, HONEST);
    let mut worker = open(&disk, Config::default()).unwrap();
    write(&mut worker, 2);
    disk.fail_after(1);
    let write = |worker: &Worker<SimDisk, SimDisk>| {
        worker.shared().write(|txn| {
            txn.put(vec![9], vec![]);
            Ok::<_, StoreError>(())
        })
    };
    let ((), commit) = write(&worker).unwrap();
    assert!(matches!(worker.run_once(), Err(StoreError::Disk(_))));
    assert!(matches!(commit.outcome(), Some(Err(StoreError::Disk(_)))));
    assert!(matches!(write(&worker), Err(StoreError::Stopped(_))));
    assert_eq!(count(&worker), 2, "durable state stays readable");
    disk.crash();
    let reopened = open(&disk, Config::default()).unwrap();
    assert!(count(&reopened) >= 2);
}
