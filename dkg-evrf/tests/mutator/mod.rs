//! Structured mutations of valid participations, and what must be true of them: they are decoded to one encoding or refused, nothing
//! panics, and none is valid but the unchanged.

use dkg_evrf::malicious::{Fault, Field, fields, participate_faultily};
use dkg_evrf::{
    Parameters, Participation, Purpose, Session, SigningCurve, Validator, ValidatorIndex, Verdict, Work,
    verify_encoded,
};
use embedded_curves::registration::{EmbeddedSecret, PROOF_BYTES, verify as verify_registration};
use embedded_curves::{EmbeddedCurve, POINT_BYTES};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// One session's parameters and honest participations, to be mutated.
pub(crate) struct Target<C: SigningCurve> {
    parameters: Parameters<C>,
    /// The last one is of another session.
    honest: Vec<Vec<u8>>,
    /// Start and kind of each field.
    fields: Vec<(usize, Field)>,
    rng: ChaCha20Rng,
}

fn parameters<C: SigningCurve>(session: u32, secrets: &[EmbeddedSecret]) -> Parameters<C> {
    let validator = |(i, secret): (u8, &EmbeddedSecret)| Validator {
        key: [i; 32],
        weight: 1 + u16::from(i % 2),
        embedded_key: secret.key(),
    };
    let validators = (0..).zip(secrets).map(validator).collect::<Vec<_>>();
    let session = Session { chain_genesis: [0; 32], network: b"fuzz".to_vec(), session };
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
        Self { parameters: here, honest, fields, rng }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.next_u64() % u64::try_from(bound).unwrap()).unwrap()
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
            let dealer = self.below(4);
            let from = self.below(self.honest.len());
            let mut bytes = self.honest[from].clone();
            for _ in 0..=self.below(3) {
                self.mutate(&mut bytes);
            }
            all.push((ValidatorIndex(u16::try_from(dealer).unwrap()), bytes));
        }
        for (_, bytes) in &all {
            if let Ok(decoded) = Participation::decode(&self.parameters, bytes) {
                assert_eq!(&decoded.encode(), bytes, "one encoding for each participation");
            }
        }
        let seeded = &mut ChaCha20Rng::seed_from_u64(self.rng.next_u64());
        let verdicts = verify_encoded(&self.parameters, &all, seeded, Work::default()).unwrap();
        for ((dealer, bytes), verdict) in all.iter().zip(&verdicts) {
            let honest = self.honest[..3].get(usize::from(dealer.0)) == Some(bytes);
            assert_eq!(Verdict::is_valid(verdict), honest, "dealer {dealer}: {bytes:?}");
        }
        self.noise();
    }

    /// Random bytes for every decoder.
    fn noise(&mut self) {
        let mut noise = vec![0; self.honest[0].len()];
        self.rng.fill_bytes(&mut noise);
        assert!(Participation::<C>::decode(&self.parameters, &noise).is_err());
        let (mut key, mut proof) = ([0; POINT_BYTES], [0; PROOF_BYTES]);
        self.rng.fill_bytes(&mut key);
        self.rng.fill_bytes(&mut proof);
        assert!(verify_registration(C::Embedded::ID, &[0; 32], &[0; 32], &key, &proof).is_err());
        key[32] &= 1;
        if let Some(point) = embedded_curves::Affine::<C::Embedded>::from_bytes_vartime(&key) {
            assert_eq!(point.to_bytes(), key, "one encoding for each point");
        }
    }
}
