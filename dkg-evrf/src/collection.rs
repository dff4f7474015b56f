//! Participations as they arrive, verified in batches while others are still to come (rule EVRF-14).
//!
//! ```text
//! arrive(dealer, bytes) ──▶ waiting ── next_batch ──▶ Batch ── verify, on another thread ──▶ Verified batch ── record ──▶ decided
//!                              ▲                        │                                                           │
//!                              └─ put_back, or dropped ─┘ (undecided)                               verified(), weight() ──▶ Closed
//! ```
//!
//! A verdict belongs to the bytes that were verified: it is recorded for the same bytes only. A batch that is dropped, for instance
//! because its thread died, waits again by itself.
//!
//! The collection itself computes nothing and never blocks: it may live in an asynchronous task. A [`Batch`] holds what its
//! verification needs, and goes to a thread of the caller's.
//!
//! It deliberately does not know when a collection closes, or which participations count beyond the first of each dealer: that follows
//! from the session's log, which its caller reads.

#![deny(clippy::indexing_slicing)]

use std::sync::{Arc, Weak};

use rand_core::{CryptoRng, RngCore};

use crate::curves::SigningCurve;
use crate::error::VerifyError;
use crate::parameters::{Parameters, ValidatorIndex};
use crate::participation::Participation;
use crate::recover::Verified;
use crate::verify::{Verdict, verify_encoded};
use crate::work::Work;

/// What is known of a validator's participation.
#[derive(Clone, Debug, Default)]
pub enum Status<C: SigningCurve> {
    /// Nothing arrived.
    #[default]
    Missing,
    /// It waits for a batch.
    Waiting(Arc<[u8]>),
    /// It is in a batch, or waits again if that is gone.
    InBatch(Given),
    /// It is valid.
    Valid(Verified<C>),
    /// It is not, and the dealer is at fault.
    Invalid,
}

/// A participation that was given to a batch.
#[derive(Clone, Debug)]
pub struct Given {
    bytes: Arc<[u8]>,
    batch: Weak<Token>,
}

impl Given {
    /// Whether neither its batch nor the batch's verdicts exist any more, so that nothing will come of them.
    pub fn is_lost(&self) -> bool {
        self.batch.strong_count() == 0
    }

    fn is(&self, bytes: &Arc<[u8]>) -> bool {
        Arc::ptr_eq(&self.bytes, bytes) || (self.bytes == *bytes)
    }
}

/// Exists as long as a batch or its verdicts.
#[derive(Debug)]
struct Token;

/// What became of an arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It is the dealer's first: it waits for a batch.
    First,
    /// It is the dealer's first, but its length is not a participation's: it is invalid, and was not kept.
    Malformed,
    /// The dealer has a participation already; this one is ignored.
    Repeated,
    /// There is no such validator; it is ignored.
    NoSuchValidator,
}

/// The participations of one session, one for each validator at most: bounded by its parameters.
#[derive(Debug)]
pub struct Collection<C: SigningCurve> {
    parameters: Arc<Parameters<C>>,
    statuses: Vec<Status<C>>,
}

/// Participations that are to be verified together.
///
/// Dropping it, and what it decided, makes its participations wait again, as [`Collection::put_back`] does.
#[derive(Debug)]
pub struct Batch<C: SigningCurve> {
    parameters: Arc<Parameters<C>>,
    token: Arc<Token>,
    participations: Vec<(ValidatorIndex, Arc<[u8]>)>,
}

/// The verdicts of a batch, in its order.
#[derive(Debug)]
pub struct Decided<C: SigningCurve> {
    context: [u8; 64],
    /// Held, never read: while it is, the batch's participations do not wait again.
    _token: Arc<Token>,
    verdicts: Vec<(ValidatorIndex, Arc<[u8]>, Verdict<C>)>,
}

impl<C: SigningCurve> Status<C> {
    /// The bytes that wait for a batch.
    fn waiting(&self) -> Option<&Arc<[u8]>> {
        match self {
            Self::Waiting(bytes) => Some(bytes),
            Self::InBatch(given) if given.is_lost() => Some(&given.bytes),
            Self::InBatch(_) | Self::Missing | Self::Valid(_) | Self::Invalid => None,
        }
    }
}

impl<C: SigningCurve> Collection<C> {
    /// A session's collection, of which nothing has arrived.
    pub fn new(parameters: Arc<Parameters<C>>) -> Self {
        let statuses = (0..parameters.validators()).map(|_| Status::Missing).collect();
        Self { parameters, statuses }
    }

    /// The session's parameters.
    pub fn parameters(&self) -> &Arc<Parameters<C>> {
        &self.parameters
    }

    /// Takes what a validator sent. The first of each validator counts, valid or not.
    pub fn arrive(&mut self, dealer: ValidatorIndex, participation: &[u8]) -> Arrival {
        let Some(status) = self.statuses.get_mut(usize::from(dealer.0)) else {
            return Arrival::NoSuchValidator;
        };
        if !matches!(status, Status::Missing) {
            return Arrival::Repeated;
        }
        // Before anything is copied: what is not as long as a participation is none.
        if participation.len() != Participation::encoded_len(&self.parameters) {
            *status = Status::Invalid;
            return Arrival::Malformed;
        }
        *status = Status::Waiting(participation.into());
        Arrival::First
    }

    /// How many wait for a batch.
    pub fn waiting(&self) -> usize {
        self.statuses.iter().filter(|status| status.waiting().is_some()).count()
    }

    /// How many are in batches which may still come back.
    pub fn in_batches(&self) -> usize {
        let out = |status: &&Status<C>| matches!(status, Status::InBatch(given) if !given.is_lost());
        self.statuses.iter().filter(out).count()
    }

    /// A batch of at most so many that wait, in the set's order; `None` if none waits.
    ///
    /// Several batches may be out at once. A batch of many costs less for each than one of few, but is decided later.
    pub fn next_batch(&mut self, most: usize) -> Option<Batch<C>> {
        let token = Arc::new(Token);
        let waiting = (0..).map(ValidatorIndex).zip(&mut self.statuses).filter_map(|(dealer, status)| {
            let bytes = Arc::clone(status.waiting()?);
            *status = Status::InBatch(Given { bytes: Arc::clone(&bytes), batch: Arc::downgrade(&token) });
            Some((dealer, bytes))
        });
        let participations = waiting.take(most).collect::<Vec<_>>();
        let parameters = Arc::clone(&self.parameters);
        (!participations.is_empty()).then_some(Batch { parameters, token, participations })
    }

    /// Takes a batch back undecided, for instance because its verification was cancelled. What the collection has other bytes of is
    /// ignored.
    pub fn put_back(&mut self, batch: Batch<C>) {
        if batch.parameters.context != self.parameters.context {
            return;
        }
        for (dealer, bytes) in batch.participations {
            if let Some(status) = self.given(dealer, &bytes) {
                *status = Status::Waiting(bytes);
            }
        }
    }

    /// Takes a batch's verdicts. Those of another session, or about other bytes than the dealer's here, are ignored.
    pub fn record(&mut self, decided: Decided<C>) {
        if decided.context != self.parameters.context {
            return;
        }
        for (dealer, bytes, verdict) in decided.verdicts {
            if let Some(status) = self.given(dealer, &bytes) {
                *status = verdict.verified().map_or(Status::Invalid, Status::Valid);
            }
        }
    }

    /// A validator's status, if exactly these bytes of theirs were given to a batch, and are undecided.
    fn given(&mut self, dealer: ValidatorIndex, bytes: &Arc<[u8]>) -> Option<&mut Status<C>> {
        let status = self.statuses.get_mut(usize::from(dealer.0))?;
        matches!(status, Status::InBatch(given) if given.is(bytes)).then_some(status)
    }

    /// What is known of a validator's participation; `None` if there is no such validator.
    pub fn status(&self, dealer: ValidatorIndex) -> Option<&Status<C>> {
        self.statuses.get(usize::from(dealer.0))
    }

    /// The valid participations, in the set's order: what [`Closed::new`](crate::Closed::new) takes once it is agreed who counts.
    pub fn verified(&self) -> impl Iterator<Item = &Verified<C>> {
        self.statuses.iter().filter_map(|status| match status {
            Status::Valid(verified) => Some(verified),
            _ => None,
        })
    }

    /// The dealers whose participations are invalid, in the set's order.
    pub fn invalid(&self) -> impl Iterator<Item = ValidatorIndex> {
        let statuses = (0..).map(ValidatorIndex).zip(&self.statuses);
        statuses.filter(|(_, status)| matches!(status, Status::Invalid)).map(|(dealer, _)| dealer)
    }

    /// What the dealers of the valid participations weigh.
    pub fn valid_weight(&self) -> u16 {
        self.verified().filter_map(|verified| self.parameters.weight(verified.dealer())).sum()
    }

    /// What the validators weigh whose participation is valid, or may still be.
    pub fn possible_weight(&self) -> u16 {
        let undecided = (0..).map(ValidatorIndex).zip(&self.statuses);
        let undecided = undecided.filter(|(_, status)| !matches!(status, Status::Invalid));
        undecided.filter_map(|(dealer, _)| self.parameters.weight(dealer)).sum()
    }
}

impl<C: SigningCurve> Batch<C> {
    /// Whose participations they are.
    pub fn dealers(&self) -> impl Iterator<Item = ValidatorIndex> {
        self.participations.iter().map(|(dealer, _)| *dealer)
    }

    /// Verifies them: slow, and never to be called on an asynchronous runtime.
    ///
    /// # Errors
    ///
    /// A [`VerifyError`], and nothing was decided: put the batch back.
    pub fn verify(
        &self,
        rng: &mut (impl RngCore + CryptoRng),
        work: Work<'_>,
    ) -> Result<Decided<C>, VerifyError> {
        let verdicts = verify_encoded(&self.parameters, &self.participations, rng, work)?;
        let participations = self.participations.iter().zip(verdicts);
        let verdicts = participations.map(|((dealer, bytes), verdict)| (*dealer, Arc::clone(bytes), verdict));
        let token = Arc::clone(&self.token);
        Ok(Decided { context: self.parameters.context, _token: token, verdicts: verdicts.collect() })
    }
}
