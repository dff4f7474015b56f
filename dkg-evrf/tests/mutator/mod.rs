//! Structured mutations of valid participations, and what must be true of them: they are decoded to one encoding or refused, nothing
//! panics, and none is valid but the unchanged. Registrations likewise; and noise for [every decoder](decoders).
//!
//! What is changed, and how, is chosen at random, or by a script: bytes that a fuzzer finds.

mod decoders;

use std::collections::VecDeque;

use dkg_evrf::malicious::{Fault, Field, fields, participate_faultily};
use dkg_evrf::{
    Parameters, Participation, Purpose, Session, SigningCurve, Validator, ValidatorIndex, Verdict, Work,
    verify_encoded,
};
use embedded_curves::EmbeddedCurve;
use embedded_curves::registration::{self, EmbeddedSecret, ProofBytes};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// One session's parameters and honest participations, to be mutated.
pub(crate) struct Target<C: SigningCurve> {
    parameters: Parameters<C>,
    /// The last one is of another session.
    honest: Vec<Vec<u8>>,
    /// Start and kind of each field.
    fields: Vec<(usize, Field)>,
    secrets: Vec<EmbeddedSecret>,
    /// Of each secret's key, for the validator of its number.
    registrations: Vec<ProofBytes>,
    choices: Choices,
}

/// Where choices come from.
enum Choices {
    Random(Box<ChaCha20Rng>),
    /// When they have run out, everything is 0.
    Script(VecDeque<u8>),
}

impl Choices {
    fn fill(&mut self, bytes: &mut [u8]) {
        match self {
            Self::Random(rng) => rng.fill_bytes(bytes),
            Self::Script(script) => bytes.fill_with(|| script.pop_front().unwrap_or(0)),
        }
    }

    /// A number below the bound, of which a script spends two bytes.
    fn below(&mut self, bound: usize) -> usize {
        let mut bytes = [0; 2];
        self.fill(&mut bytes);
        usize::from(u16::from_le_bytes(bytes)) % bound
    }

    fn is_spent(&self) -> bool {
        matches!(self, Self::Script(script) if script.is_empty())
    }
}

const CHAIN: [u8; 32] = [0; 32];

fn parameters<C: SigningCurve>(session: u32, secrets: &[EmbeddedSecret]) -> Parameters<C> {
    let validator = |(i, secret): (u8, &EmbeddedSecret)| Validator {
        key: [i; 32],
        weight: 1 + u16::from(i % 2),
        embedded_key: secret.key(),
    };
    let validators = (0..).zip(secrets).map(validator).collect::<Vec<_>>();
    let session = Session { chain_genesis: CHAIN, network: b"fuzz".to_vec(), session };
    Parameters::new(&session, Purpose::Network, 3, &validators).unwrap()
}

impl<C: SigningCurve> Target<C> {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let secrets = (0..3).map(|_| EmbeddedSecret::random(C::Embedded::ID, &mut rng)).collect::<Vec<_>>();
        let (here, there) = (parameters::<C>(0, &secrets), parameters::<C>(1, &secrets));
        let mut take_part = |parameters: &Parameters<C>, dealer: u16| {
            let secret = &secrets[usize::from(dealer)];
            let made =
                participate_faultily(parameters, ValidatorIndex(dealer), secret, Fault::None, &mut rng);
            made.unwrap().encode()
        };
        let honest =
            vec![take_part(&here, 0), take_part(&here, 1), take_part(&here, 2), take_part(&there, 0)];
        let mut start = 1;
        let place = |field: Field| {
            start += field.len::<C>();
            (start - field.len::<C>(), field)
        };
        let fields = fields(&here).into_iter().map(place).collect();
        let register =
            |(i, secret): (u8, &EmbeddedSecret)| registration::prove(&CHAIN, &[i; 32], secret, &mut rng);
        let registrations = (0..).zip(&secrets).map(register).collect();
        let choices = Choices::Random(Box::new(rng));
        Self { parameters: here, honest, fields, secrets, registrations, choices }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.choices.below(bound)
    }

    /// Any bytes for every decoder.
    #[allow(dead_code, reason = "for fuzzers that find bytes")]
    pub(crate) fn decode(&self, bytes: &[u8]) {
        decoders::participation(&self.parameters, bytes);
        decoders::all::<C>(bytes);
    }

    /// A round by a script, of at most so many mutants as it has bytes for.
    #[allow(dead_code, reason = "for fuzzers that write scripts")]
    pub(crate) fn scripted(&mut self, script: &[u8], mutants: usize) {
        self.choices = Choices::Script(script.iter().copied().collect());
        self.round(mutants);
    }

    /// A field's bytes of some honest participation.
    fn field(&mut self, kind: Field) -> Vec<u8> {
        let of_kind = self.fields.iter().filter(|(_, field)| *field == kind).copied().collect::<Vec<_>>();
        let (start, _) = of_kind[self.below(of_kind.len())];
        let from = self.below(self.honest.len());
        self.honest[from][start..start + kind.len::<C>()].to_vec()
    }

    /// Changes something of a participation.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let at = self.below(self.fields.len());
        let (start, kind) = self.fields[at];
        let end = start + kind.len::<C>();
        if bytes.len() != self.honest[0].len() {
            return bytes.push(0);
        }
        match self.below(8) {
            // Another valid value of that kind: of this, or of another dealer or session.
            0..=2 => bytes[start..end].copy_from_slice(&self.field(kind)),
            // The neighbouring values of the same kind, in another order.
            3 => {
                if let Some((next, _)) = self.fields.get(at + 1).filter(|(_, next)| *next == kind) {
                    let (first, second) = bytes[start..*next + kind.len::<C>()].split_at_mut(next - start);
                    first.swap_with_slice(second);
                }
            }
            // Edge values, of which many are no encodings.
            4 => bytes[start..end].fill([0, 1, 0xff, 0x80][self.below(4)]),
            // A bit: of a point, its sign or its x; of a scalar, its value.
            5 => bytes[start + self.below(end - start)] ^= 1 << self.below(8),
            // Everything from somewhere on of another participation.
            6 => {
                let other = self.below(self.honest.len());
                let from = self.below(self.fields.len());
                let from = self.fields[from].0;
                bytes.splice(from.., self.honest[other][from..].iter().copied());
            }
            _ => self.mutate_length(bytes),
        }
    }

    fn mutate_length(&mut self, bytes: &mut Vec<u8>) {
        match self.below(3) {
            0 => bytes.truncate(self.below(bytes.len() + 1)),
            1 => bytes.push(0),
            // Another version; twice, this one again.
            _ => bytes[0] ^= 1 << self.below(8),
        }
    }

    /// One round: a batch of mutants with an honest participation, and some noise.
    ///
    /// # Panics
    /// If anything is not as it must be: that is a finding.
    pub(crate) fn round(&mut self, mutants: usize) {
        let mut all = vec![(ValidatorIndex(0), self.honest[0].clone())];
        for _ in 0..mutants {
            if self.choices.is_spent() {
                break;
            }
            let dealer = self.below(4);
            let from = self.below(self.honest.len());
            let mut bytes = self.honest[from].clone();
            for _ in 0..=self.below(3) {
                self.mutate(&mut bytes);
            }
            all.push((ValidatorIndex(u16::try_from(dealer).unwrap()), bytes));
        }
        for (_, bytes) in &all {
            decoders::participation(&self.parameters, bytes);
        }
        let mut seed = [0; 32];
        self.choices.fill(&mut seed);
        let seeded = &mut ChaCha20Rng::from_seed(seed);
        let verdicts = verify_encoded(&self.parameters, &all, seeded, Work::default()).unwrap();
        for ((dealer, bytes), verdict) in all.iter().zip(&verdicts) {
            let honest = self.honest[..3].get(usize::from(dealer.0)) == Some(bytes);
            assert_eq!(Verdict::is_valid(verdict), honest, "dealer {dealer}: {bytes:?}");
        }
        self.registration();
        self.declaration();
        self.noise();
    }

    /// A mutant of a registration: whatever of chain, validator, curve, key or proof is another one makes it invalid.
    fn registration(&mut self) {
        let from = self.below(self.secrets.len());
        let validator = [u8::try_from(from).unwrap(); 32];
        let (key, proof) = (self.secrets[from].key(), self.registrations[from]);
        let mut all = [&CHAIN[..], &validator, &key, &proof].map(<[u8]>::to_vec);
        for _ in 0..=self.below(2) {
            let part = self.below(all.len());
            match self.below(4) {
                // A bit.
                0..=1 => {
                    let (at, bit) = (self.below(all[part].len()), self.below(8));
                    all[part][at] ^= 1 << bit;
                }
                // Another valid value.
                2 => {
                    let other = self.below(self.secrets.len());
                    all[2] = self.secrets[other].key().to_vec();
                    if part == 3 {
                        all[3] = self.registrations[other].to_vec();
                    }
                }
                _ if part >= 2 => drop(all[part].pop()),
                _ => all[part].fill(0xff),
            }
            if all[2..].iter().any(Vec::is_empty) {
                return;
            }
        }
        let [chain, of, key_now, proof_now] = &all;
        let (chain, of) = (chain.as_slice().try_into().unwrap(), of.as_slice().try_into().unwrap());
        let unchanged = all.iter().zip([&CHAIN[..], &validator, &key, &proof]).all(|(now, then)| now == then);
        let verified = registration::verify(C::Embedded::ID, chain, of, key_now, proof_now);
        assert_eq!(verified.is_ok(), unchanged, "{all:?}");
    }

    /// A declared set with a changed key: accepted only if the key is another point's one encoding.
    fn declaration(&mut self) {
        let at = self.below(self.secrets.len());
        let mut keys = self.secrets.iter().map(EmbeddedSecret::key).collect::<Vec<_>>();
        match self.below(3) {
            0 => {
                let (byte, bit) = (self.below(keys[at].len()), self.below(8));
                keys[at][byte] ^= 1 << bit;
            }
            1 => keys[at] = keys[self.below(self.secrets.len())],
            _ => self.choices.fill(&mut keys[at]),
        }
        let is_key =
            |key: &[u8; 33]| embedded_curves::Affine::<C::Embedded>::from_bytes_vartime(key).is_some();
        let repeated = keys.iter().filter(|key| key[..32] == keys[at][..32]).count() > 1;
        let validator = |(i, key): (u8, &[u8; 33])| Validator { key: [i; 32], weight: 1, embedded_key: *key };
        let validators = (0..).zip(&keys).map(validator).collect::<Vec<_>>();
        let session = Session { chain_genesis: CHAIN, network: b"fuzz".to_vec(), session: 0 };
        let accepted = Parameters::<C>::new(&session, Purpose::Network, 2, &validators).is_ok();
        assert_eq!(accepted, is_key(&keys[at]) && !repeated, "{keys:?}");
    }

    /// Chosen bytes for every decoder.
    fn noise(&mut self) {
        let mut noise = vec![0; self.honest[0].len()];
        self.choices.fill(&mut noise);
        assert!(Participation::<C>::decode(&self.parameters, &noise).is_err());
        decoders::all::<C>(&noise);
        // As far as the version, so that the fields are read.
        noise[0] = dkg_evrf::VERSION;
        decoders::participation(&self.parameters, &noise);
    }
}
