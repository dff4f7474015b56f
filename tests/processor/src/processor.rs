//! The processor's steps over a store: what the tasks of [`crate::service`] call, and nothing that waits.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use coordinator_store::{Outbox, Store, StoreError};
use processor_messages::{FromProcessor, Network, Session, ToProcessor, codec::MAX_MESSAGE_BYTES, decode};
use rand_core::OsRng;
use rustix::time::{ClockId, clock_gettime};

use crate::{
    dkg::{
        Context, KeyGenError, KeyGeneration, Keys,
        progress::{Hook, Progress, Quarters, to_the_end},
    },
    ledger::{Ledger, Payment, SignedPayment},
    rules::{
        self, Error, Identity, LETTERS, Randomness, Step, batches,
        key_gen::{self, Job, Work},
        payments::{self, Account, Standing},
    },
    secrets::EmbeddedSecrets,
    status::Notice,
};

/// A processor's durable state and what it computes with. Clones are handles of the same.
pub struct Processor<S: Store> {
    store: S,
    me: Arc<Identity>,
    embedded: Arc<EmbeddedSecrets>,
    dkg: Arc<dyn KeyGeneration>,
    randomness: Arc<Mutex<dyn Randomness + Send>>,
}

impl<S: Store> Clone for Processor<S> {
    fn clone(&self) -> Self {
        Self {
            store: self.store.clone(),
            me: self.me.clone(),
            embedded: self.embedded.clone(),
            dkg: self.dkg.clone(),
            randomness: self.randomness.clone(),
        }
    }
}

/// The result of a [`Job`].
pub enum Done {
    /// Of [`Work::Participate`].
    Participated(processor_messages::key_gen::ParticipationBytes),
    /// Of [`Work::Verify`].
    Verified(Vec<(u16, bool)>),
    /// Of [`Work::Recover`].
    Recovered(Result<Keys, KeyGenError>),
}

/// A letter which may leave: its intent, and the encoded message.
pub type Letter = (Vec<u8>, Vec<u8>);

impl<S: Store> Processor<S> {
    /// A processor over an open store.
    pub fn new(store: S, me: Identity, embedded: EmbeddedSecrets, dkg: Arc<dyn KeyGeneration>) -> Self {
        let randomness = Arc::new(Mutex::new(OsRng));
        Self { store, me: Arc::new(me), embedded: Arc::new(embedded), dkg, randomness }
    }

    /// Draws nonces from `randomness` instead of the system's: for a run which is to be repeated exactly.
    pub fn with_randomness(self, randomness: impl Randomness + Send + 'static) -> Self {
        Self { randomness: Arc::new(Mutex::new(randomness)), ..self }
    }

    /// The network served.
    pub fn network(&self) -> Network {
        self.me.network
    }

    fn step<T>(&self, rule: impl FnOnce(&mut Step<'_>) -> Result<T, Error>) -> Result<(T, S::Commit), Error> {
        let ((value, notices), commit) = self.store.write(|txn| {
            let mut randomness = self.randomness.lock().unwrap_or_else(PoisonError::into_inner);
            let mut step = Step::new(txn, &self.me, &mut *randomness);
            let value = rule(&mut step)?;
            Ok::<_, Error>((value, step.notices))
        })?;
        for notice in notices {
            notice.log();
        }
        Ok((value, commit))
    }

    /// What a new life of a disk begins with.
    ///
    /// # Errors
    /// [`Error`].
    pub fn begin(&self) -> Result<S::Commit, Error> {
        self.step(key_gen::begin).map(|((), commit)| commit)
    }

    /// Handles a message of the coordinator; acknowledge it once the commit is durable.
    ///
    /// # Errors
    /// [`Error`]; the message is to be handled again.
    pub fn handle(&self, message: ToProcessor) -> Result<S::Commit, Error> {
        self.step(|step| rules::handle(step, message)).map(|((), commit)| commit)
    }

    /// Looks at the network's blocks; true if there was anything.
    ///
    /// # Errors
    /// [`Error`].
    pub fn scan(&self, now_unix_ms: u64) -> Result<(bool, S::Commit), Error> {
        self.step(|step| batches::scan(step, now_unix_ms))
    }

    /// The next long computation.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_job(&self) -> Result<Option<Job>, StoreError> {
        self.store.read(|db| key_gen::next_job(db, (self.me.network, self.me.curve)))
    }

    /// Does a long computation to its end: seconds, on a thread which may block.
    ///
    /// # Errors
    /// [`KeyGenError`], to be given to [`Processor::record`].
    pub fn compute(&self, job: &Job) -> Result<Done, KeyGenError> {
        self.compute_hooked(job, &mut to_the_end)
    }

    /// As [`Processor::compute`], telling how far it is, and at the end what it took. It ends once `go_on` is false or the
    /// result would not count any more (`PROC-20`).
    ///
    /// # Errors
    /// [`KeyGenError`], to be given to [`Processor::record`]; [`KeyGenError::Cancelled`] if it ended so.
    pub fn compute_while(
        &self,
        job: &Job,
        go_on: impl Fn() -> bool,
        mut tell: impl FnMut(Notice),
    ) -> Result<Done, KeyGenError> {
        let (session, participations) = (job.context.session, job.work.participations());
        let (mut quarters, mut asking) = (Quarters::default(), Duration::ZERO);
        let mut hook = |progress: Progress| {
            let (goes_on, cpu) = with_cpu(|| go_on() && self.is_wanted(job));
            asking += cpu;
            if !goes_on {
                tell(Notice::Cancelled { session });
                return ControlFlow::Break(());
            }
            if let Some(percent) = quarters.reached(progress) {
                tell(Notice::Verifying { session, participations, percent });
            }
            ControlFlow::Continue(())
        };
        let (done, cpu) = with_cpu(|| self.compute_hooked(job, &mut hook));
        tell(Notice::Computed { session, work: job.work.name(), cpu: cpu.saturating_sub(asking) });
        done
    }

    /// A store which fails says so when the result is recorded.
    fn is_wanted(&self, job: &Job) -> bool {
        self.store.read(|db| key_gen::is_wanted(db, job)).unwrap_or(true)
    }

    fn compute_hooked(&self, job: &Job, hook: Hook<'_>) -> Result<Done, KeyGenError> {
        let Job { context, own, embedded, work } = job;
        self.dkg.check(context)?;
        if *embedded != self.embedded.public(context.curve) {
            return Err(KeyGenError::EmbeddedKeyMissing);
        }
        match work {
            Work::Participate => {
                Ok(Done::Participated(self.dkg.participate(context, *own, &self.embedded)?))
            }
            Work::Verify(participations) => {
                let verdicts = self.dkg.verify_with(context, participations, hook)?;
                if verdicts.len() != participations.len() {
                    return Err(KeyGenError::Internal("not one verdict for each participation".to_owned()));
                }
                let members = participations.iter().map(|(member, _)| *member);
                Ok(Done::Verified(members.zip(verdicts).collect()))
            }
            Work::Recover(dealers) => {
                Ok(Done::Recovered(self.dkg.recover_with(context, *own, &self.embedded, dealers, hook)))
            }
        }
    }

    /// Records what a computation resulted in.
    ///
    /// # Errors
    /// [`Error`]; the job is to be done again.
    pub fn record(&self, context: &Context, done: Result<Done, KeyGenError>) -> Result<S::Commit, Error> {
        let session = context.session;
        let recorded = self.step(|step| match done {
            Ok(Done::Participated(bytes)) => key_gen::participated(step, session, bytes),
            Ok(Done::Verified(verdicts)) => key_gen::verified(step, session, &verdicts),
            Ok(Done::Recovered(keys)) => key_gen::recovered(step, session, keys),
            Err(error) => key_gen::failed(step, session, error),
        });
        recorded.map(|((), commit)| commit)
    }

    /// The oldest letters which may leave, durable all of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn letters(&self, limit: usize) -> Result<Vec<Letter>, StoreError> {
        let letters = self.store.read(|db| LETTERS.list(db, &(), 0, limit))?;
        Ok(letters.into_iter().map(|letter| (letter.intent, letter.value)).collect())
    }

    /// Removes a letter which the coordinator has.
    ///
    /// # Errors
    /// [`Error`].
    pub fn sent(&self, intent: &[u8]) -> Result<S::Commit, Error> {
        let step = |step: &mut Step<'_>| -> Result<bool, Error> {
            Ok(Outbox::acknowledge(&LETTERS, step.txn, &(), intent)?)
        };
        self.step(step).map(|(_, commit)| commit)
    }

    /// Which network's payments these are.
    pub fn ledger(&self) -> Ledger {
        self.me.ledger()
    }

    /// Signed payments which the network is to be given, durable all of them, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn payments(&self, limit: usize) -> Result<Vec<SignedPayment>, StoreError> {
        self.store.read(|db| payments::waiting(db, limit))
    }

    /// The network has a payment.
    ///
    /// # Errors
    /// [`Error`].
    pub fn taken(&self, payment: &Payment) -> Result<S::Commit, Error> {
        self.step(|step| payments::taken(step, payment)).map(|((), commit)| commit)
    }

    /// The accounts of which to ask the network what they paid, from which place on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn accounts(&self) -> Result<Vec<(Session, Account)>, StoreError> {
        self.store.read(|db| payments::accounts(db))
    }

    /// Looks at what a session's account paid from a place on; true if anything came of it.
    ///
    /// # Errors
    /// [`Error`].
    pub fn seen(
        &self,
        session: Session,
        from: u64,
        paid: &[SignedPayment],
    ) -> Result<(bool, S::Commit), Error> {
        self.step(|step| payments::seen(step, session, from, paid))
    }

    /// How each session's payments stand.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn standings(&self) -> Result<Vec<Standing>, StoreError> {
        self.store.read(|db| payments::standings(db))
    }

    /// The key pair generated for a session, and whether the base chain has it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn key_pair(
        &self,
        session: Session,
    ) -> Result<Option<(processor_messages::KeyPair, bool)>, StoreError> {
        self.store.read(|db| key_gen::key_pair(db, session))
    }

    /// Our keys of a session: for a test which signs with them.
    ///
    /// # Errors
    /// [`Error`].
    pub fn keys(&self, session: Session) -> Result<Option<Keys>, Error> {
        self.store.read(|db| key_gen::load_keys(db, &self.me, session))
    }
}

/// The result, and the processor time of this thread which it took, whatever else the machine did.
fn with_cpu<T>(compute: impl FnOnce() -> T) -> (T, Duration) {
    let spent = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
    let before = spent();
    let result = compute();
    (result, spent().saturating_sub(before))
}

/// Decodes a letter, for logs and tests.
pub fn decode_letter(bytes: &[u8]) -> Option<FromProcessor> {
    decode(bytes, MAX_MESSAGE_BYTES).ok()
}
