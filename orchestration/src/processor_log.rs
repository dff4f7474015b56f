//! What a processor's log tells of its key generation: for figures, never for a decision.
//!
//! ```text
//! …Z  INFO …: a long computation ended stage="computed" session=0 work="verify" cpu_us=3176 --> Cryptography
//! ```
//!
//! Lines are those of the log as text. What has another form is passed over.

use std::{iter::Sum, time::Duration};

/// The processor time of long computations.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cryptography {
    /// For making one's own participation, with the set's parameters and tables.
    pub participate: Duration,
    /// For verifying the others' and one's own.
    pub verify: Duration,
    /// For recovering the keys.
    pub recover: Duration,
}

impl Cryptography {
    /// What a log tells, of all its sessions.
    pub fn of_log(log: &str) -> Self {
        log.lines().filter_map(Self::of_line).sum()
    }

    fn of_line(line: &str) -> Option<Self> {
        if field(line, "stage")? != "computed" {
            return None;
        }
        let cpu = Duration::from_micros(field(line, "cpu_us")?.parse().ok()?);
        Some(match field(line, "work")? {
            "participate" => Self { participate: cpu, ..Self::default() },
            "verify" => Self { verify: cpu, ..Self::default() },
            "recover" => Self { recover: cpu, ..Self::default() },
            _ => return None,
        })
    }

    /// All of it.
    pub fn total(&self) -> Duration {
        self.participate.saturating_add(self.verify).saturating_add(self.recover)
    }
}

impl Sum for Cryptography {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            participate: sum.participate.saturating_add(one.participate),
            verify: sum.verify.saturating_add(one.verify),
            recover: sum.recover.saturating_add(one.recover),
        })
    }
}

/// From the last participation that the processor was handed to its key pair; `None` without a key pair.
pub fn closing(log: &str) -> Option<Duration> {
    let is = |line: &&str, stage| field(line, "stage") == Some(stage);
    let generated = log.lines().position(|line| is(&line, "key_generated"))?;
    let last = log.lines().take(generated).filter(|line| is(line, "participation")).last()?;
    let seconds = second_of_day(log.lines().nth(generated)?)? - second_of_day(last)?;
    Duration::try_from_secs_f64(seconds.rem_euclid(86_400.0)).ok()
}

/// The value of a field, without its quotes.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('"'))
}

/// Of a line which begins as `2026-11-29T18:23:11.960015Z`.
fn second_of_day(line: &str) -> Option<f64> {
    let time = line.split_whitespace().next()?.split_once('T')?.1.trim_end_matches('Z');
    time.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use processor_messages::{KeyBytes, KeyPair, Session, Validator};
    use simulated_processor::{rules::key_gen::Work, status::Notice};
    use tracing_subscriber::util::SubscriberInitExt;

    use super::*;

    /// The log as a processor writes it.
    fn log_of(notices: &[Notice]) -> String {
        let log = tempfile::NamedTempFile::new().unwrap();
        let subscriber =
            tracing_subscriber::fmt().with_ansi(false).with_writer(log.reopen().unwrap()).finish();
        let captured = subscriber.set_default();
        notices.iter().for_each(Notice::log);
        drop(captured);
        fs::read_to_string(log.path()).unwrap()
    }

    fn computed(work: &Work, cpu_us: u64) -> Notice {
        let cpu = Duration::from_micros(cpu_us);
        Notice::Computed { session: Session(0), work: work.name(), cpu }
    }

    #[test]
    fn a_processors_computations_are_read_from_its_log_and_added_up() {
        let verify = Work::Verify(Vec::new());
        let log = log_of(&[
            computed(&Work::Participate, 110_000),
            Notice::Verified { session: Session(0), valid: 3, invalid: 0, weight: 3, needed: 3 },
            computed(&verify, 3_000),
            computed(&verify, 4_500),
            Notice::Cancelled { session: Session(0) },
            computed(&Work::Recover(Vec::new()), 900),
        ]);
        let found = Cryptography::of_log(&log);
        let expected = [110_000, 7_500, 900].map(Duration::from_micros);
        assert_eq!([found.participate, found.verify, found.recover], expected, "{log}");
        assert_eq!(found.total(), Duration::from_micros(118_400));
        let both: Cryptography = [found, found].into_iter().sum();
        assert_eq!(both.total(), Duration::from_micros(236_800));
    }

    #[test]
    fn what_is_no_computation_adds_nothing() {
        for line in [
            "",
            "stage=\"computed\" work=\"verify\"",
            "stage=\"computed\" work=\"verify\" cpu_us=-1",
            "stage=\"computed\" work=\"another\" cpu_us=1",
            "stage=\"verified\" work=\"verify\" cpu_us=1",
        ] {
            assert_eq!(Cryptography::of_log(line), Cryptography::default(), "{line}");
        }
    }

    #[test]
    fn a_closing_is_from_the_last_participation_to_the_key_pair_also_over_midnight() {
        let at =
            |time: &str, stage: &str| format!("2026-11-29T{time}Z  INFO x: y stage=\"{stage}\" session=0\n");
        let log = at("23:59:58.5", "participation") + &at("23:59:59.5", "participation");
        assert_eq!(closing(&log), None);
        let log = log + &at("00:00:01.75", "key_generated") + &at("00:00:09", "participation");
        assert_eq!(closing(&log), Some(Duration::from_millis(2_250)));
    }

    #[test]
    fn a_processors_own_lines_have_a_closing() {
        let pair = KeyPair { base: [0; 32], network: KeyBytes::new(vec![0; 33]).unwrap() };
        let log = log_of(&[
            Notice::Participation { session: Session(0), validator: Validator([1; 32]), bytes: 1 },
            Notice::KeyGenerated { session: Session(0), pair },
        ]);
        assert!(closing(&log).is_some(), "{log}");
    }
}
