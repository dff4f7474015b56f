#![allow(clippy::unwrap_used)]

mod misplaced;

use std::sync::Arc;

use ff::Field;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};

use crate::batch::{seed, weight};
use crate::malicious::{Lie, prove_falsely};
use crate::{
    Batch, Circuit, Claims, CommittedTape, Element, Equation, Error, Generators, LinearCombination, Member,
    Proof, ProofCurve, Ristretto, Secp256k1, Transcript, Variable, prove, verify,
};

/// A statement with every kind of variable: openings `v_k = k + 5 blinded`, a tape, and rows over both.
struct Sample<C: ProofCurve> {
    tape: Vec<C::Scalar>,
    values: Vec<C::Scalar>,
    blinds: Vec<C::Scalar>,
    rows: usize,
    used: usize,
}

struct Sent<C: ProofCurve> {
    tape: Vec<Element<C>>,
    openings: Vec<Element<C>>,
    proof: Proof<C>,
}

impl<C: ProofCurve> Sample<C> {
    fn new(rng: &mut ChaCha20Rng, rows: usize, used: usize, tape_len: usize) -> Self {
        let mut random = |len: usize| (0..len).map(|_| C::random_scalar(rng)).collect::<Vec<_>>();
        let (tape, blinds) = (random(tape_len), random(2));
        let values = vec![tape.iter().sum(), tape.iter().map(Field::square).sum()];
        Self { tape, values, blinds, rows, used }
    }

    /// Row `i` squares the tape's scalar `i`; opening 0 is the sum of the tape, opening 1 the sum of the first squares, plus the rest's
    /// squares as a public constant of this sample; a further row multiplies two outputs.
    fn build(&self, circuit: &mut Circuit<C::Scalar>, challenge: C::Scalar) {
        let ones: Arc<[_]> = vec![C::Scalar::ONE; self.tape.len()].into();
        circuit.constrain(
            LinearCombination::from(Variable::Opening(0)).block(0, &ones, -C::Scalar::ONE) * challenge,
        );
        let rest: C::Scalar = self.tape[self.used..].iter().map(Field::square).sum();
        let mut squares = LinearCombination::constant(rest) - Variable::Opening(1).into();
        for i in 0..self.used {
            let row = circuit.multiply(Variable::Committed(i).into(), Variable::Committed(i).into());
            squares = squares + row.output.into();
        }
        circuit.constrain(squares);
    }

    fn transcript(openings: &[Element<C>], tape: &[Element<C>], rows: usize) -> (Transcript, C::Scalar) {
        let mut transcript = Transcript::new(b"test");
        for opening in openings {
            transcript.append(b"V", opening.bytes());
        }
        transcript.vector_commitments(rows, tape);
        let challenge = C::scalar_from_wide(&transcript.challenge(b"challenge"));
        (transcript, challenge)
    }

    fn prove_with(&self, tape: Vec<C::Scalar>, rng: &mut ChaCha20Rng) -> Result<Sent<C>, Error> {
        let generators = Generators::<C>::cached(self.rows)?;
        let commit = |(v, b): (&C::Scalar, &C::Scalar)| {
            Element::new(C::mul(v, &generators.g) + C::mul(b, &generators.h))
        };
        let openings = self.values.iter().zip(&self.blinds).map(commit).collect::<Vec<_>>();
        let committed = CommittedTape::new(&generators, &tape, rng, 2);
        let (mut transcript, challenge) = Self::transcript(&openings, committed.elements(), self.rows);
        let mut circuit = Circuit::proving(tape, self.values.clone());
        self.build(&mut circuit, challenge);
        let proof = prove(&generators, &mut transcript, &circuit, &committed, &self.blinds, rng, 2)?;
        Ok(Sent { tape: committed.elements().to_vec(), openings, proof })
    }

    fn prove(&self, rng: &mut ChaCha20Rng) -> Sent<C> {
        self.prove_with(self.tape.clone(), rng).unwrap()
    }

    fn equations(&self, sent: &Sent<C>) -> Result<Vec<Equation<C>>, Error> {
        let generators = Generators::<C>::cached(self.rows)?;
        let (mut transcript, challenge) = Self::transcript(&sent.openings, &sent.tape, self.rows);
        let mut circuit = Circuit::verifying(self.tape.len(), 2);
        self.build(&mut circuit, challenge);
        let claims = verify(&generators, &mut transcript, &circuit, &sent.tape, &sent.proof)?;
        let Claims { mut identity, vectors, opening_scalars } = claims;
        for (scalar, element) in opening_scalars.iter().zip(&sent.openings) {
            identity.add(*scalar, element.point());
        }
        Ok(vec![identity, vectors])
    }

    fn is_valid(&self, sent: &Sent<C>) -> bool {
        let generators = Generators::<C>::cached(self.rows).unwrap();
        self.equations(sent).is_ok_and(|equations| equations.iter().all(|e| e.holds(&generators, 1)))
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn completeness<C: ProofCurve>() {
    let rng = &mut rng(1);
    for (rows, used, tape_len) in
        [(1, 1, 1), (1, 0, 3), (2, 1, 3), (4, 4, 4), (8, 3, 40), (16, 16, 16), (32, 20, 33), (64, 64, 200)]
    {
        let sample = Sample::<C>::new(rng, rows, used, tape_len);
        let sent = sample.prove(rng);
        assert!(sample.is_valid(&sent), "{rows} {used} {tape_len}");
        let mut bytes = Vec::new();
        sent.proof.encode(&mut bytes);
        assert_eq!(bytes.len(), Proof::<C>::encoded_len(rows, tape_len));
        assert_eq!(Proof::decode(&bytes, rows, tape_len), Ok(sent.proof));
    }
}

/// GBP-1.
#[test]
fn gbp_1_true_statements_have_valid_proofs() {
    completeness::<Ristretto>();
    completeness::<Secp256k1>();
}

fn every_value_matters<C: ProofCurve>() {
    let rng = &mut rng(2);
    let sample = Sample::<C>::new(rng, 8, 5, 19);
    for i in 0..sample.tape.len() {
        let mut tape = sample.tape.clone();
        tape[i] += C::Scalar::ONE;
        let sent = sample.prove_with(tape, rng).unwrap();
        assert!(!sample.is_valid(&sent), "tape {i}");
    }
    for k in 0..2 {
        let mut wrong = Sample::<C>::new(rng, 8, 5, 19);
        wrong.values[k] += C::Scalar::ONE;
        let sent = wrong.prove(rng);
        assert!(!wrong.is_valid(&sent), "opening {k}");
    }
}

/// GBP-1.
#[test]
fn gbp_1_a_false_statement_has_no_valid_proof_by_the_prover() {
    every_value_matters::<Ristretto>();
    every_value_matters::<Secp256k1>();
}

/// A wrong product in a row, which every linear constraint is content with.
/// GBP-7.
#[test]
fn gbp_7_a_row_whose_product_is_wrong_is_refused() {
    let rng = &mut rng(3);
    let sample = Sample::<Ristretto>::new(rng, 4, 3, 3);
    let generators = Generators::<Ristretto>::cached(4).unwrap();
    let committed = CommittedTape::new(&generators, &sample.tape, rng, 1);
    let (mut transcript, challenge) = Sample::transcript(&[], committed.elements(), 4);
    let mut circuit = Circuit::proving(sample.tape.clone(), sample.values.clone());
    sample.build(&mut circuit, challenge);
    let witness = circuit.witness.as_mut().unwrap();
    witness.output[0] += <Ristretto as ProofCurve>::Scalar::ONE;
    witness.openings[1] += <Ristretto as ProofCurve>::Scalar::ONE;
    assert_eq!(circuit.unsatisfied(), None);
    let proof =
        prove(&generators, &mut transcript, &circuit, &committed, &[Field::ZERO, Field::ZERO], rng, 1)
            .unwrap();
    let values = circuit.witness.as_ref().unwrap().openings.clone();
    let openings = values.iter().map(|v| Element::new(Ristretto::mul(v, &generators.g))).collect();
    let sent = Sent { tape: committed.elements().to_vec(), openings, proof };
    // The transcript is without the openings here, on both sides.
    let (mut transcript, challenge) = Sample::<Ristretto>::transcript(&[], &sent.tape, 4);
    let mut circuit = Circuit::verifying(3, 2);
    sample.build(&mut circuit, challenge);
    let mut claims = verify(&generators, &mut transcript, &circuit, &sent.tape, &sent.proof).unwrap();
    for (scalar, element) in claims.opening_scalars.iter().zip(&sent.openings) {
        claims.identity.add(*scalar, element.point());
    }
    assert!(claims.vectors.holds(&generators, 1), "the vectors are what the prover says");
    assert!(!claims.identity.holds(&generators, 1));
}

fn tampering<C: ProofCurve>() {
    let rng = &mut rng(4);
    let sample = Sample::<C>::new(rng, 4, 3, 6);
    let sent = sample.prove(rng);
    let mut bytes = Vec::new();
    sent.proof.encode(&mut bytes);
    let points = 4 + 9 + 4;
    assert_eq!(bytes.len(), (points * C::POINT_LEN) + (5 * 32));
    let other = Element::<C>::new(C::generator());
    let mut start = 0;
    let field_lens = core::iter::repeat_n(C::POINT_LEN, 13)
        .chain([32; 3])
        .chain([C::POINT_LEN; 4])
        .chain([32; 2])
        .collect::<Vec<_>>();
    for (i, len) in field_lens.into_iter().enumerate() {
        let mut tampered = bytes.clone();
        let field = &mut tampered[start..start + len];
        if (13..16).contains(&i) || (i >= 20) {
            let one = ff::PrimeField::to_repr(&C::Scalar::ONE);
            field.copy_from_slice(one.as_ref());
        } else {
            field.copy_from_slice(other.bytes());
        }
        start += len;
        let proof = Proof::decode(&tampered, 4, 6).unwrap();
        let sent = Sent { tape: sent.tape.clone(), openings: sent.openings.clone(), proof };
        assert!(!sample.is_valid(&sent), "field {i}");
    }
    assert_eq!(start, bytes.len());
}

/// GBP-6.
#[test]
fn gbp_6_each_field_of_a_proof_counts() {
    tampering::<Ristretto>();
    tampering::<Secp256k1>();
}

/// GBP-6.
#[test]
fn gbp_6_only_canonical_encodings_of_the_right_length_are_read() {
    let rng = &mut rng(5);
    let sample = Sample::<Ristretto>::new(rng, 4, 3, 6);
    let mut bytes = Vec::new();
    sample.prove(rng).proof.encode(&mut bytes);
    let decode = |bytes: &[u8]| Proof::<Ristretto>::decode(bytes, 4, 6);
    assert!(decode(&bytes).is_ok());
    for len in 0..bytes.len() {
        assert_eq!(decode(&bytes[..len]), Err(Error::Encoding));
    }
    assert_eq!(decode(&[&*bytes, &[0]].concat()), Err(Error::Encoding));
    let mut identity = bytes.clone();
    identity[..32].fill(0);
    assert_eq!(decode(&identity), Err(Error::Encoding));
    let mut scalar = bytes.clone();
    scalar[13 * 32..14 * 32].fill(0xff);
    assert_eq!(decode(&scalar), Err(Error::Encoding));
    let mut random = vec![0; bytes.len()];
    for _ in 0..100 {
        rng.fill_bytes(&mut random);
        assert_eq!(decode(&random), Err(Error::Encoding));
        assert_eq!(Proof::<Secp256k1>::decode(&random, 4, 6), Err(Error::Encoding));
    }
}

/// With a lie in each message of a true statement, exactly these equations object: the identity, the vectors.
fn lies<C: ProofCurve>() {
    let rng = &mut rng(21);
    let sample = Sample::<C>::new(rng, 8, 5, 19);
    let generators = Generators::<C>::cached(8).unwrap();
    let openings = sample.values.iter().zip(&sample.blinds);
    let openings = openings.map(|(v, b)| Element::new(C::mul(v, &generators.g) + C::mul(b, &generators.h)));
    let openings = openings.collect::<Vec<_>>();
    let mut told = |tape: &[C::Scalar], lie| {
        let committed = CommittedTape::new(&generators, tape, rng, 1);
        let (mut transcript, challenge) = Sample::transcript(&openings, committed.elements(), 8);
        let mut circuit = Circuit::proving(tape.to_vec(), sample.values.clone());
        sample.build(&mut circuit, challenge);
        let sides = (&committed, &*sample.blinds);
        let proof = prove_falsely(&generators, &mut transcript, &circuit, sides, rng, lie).unwrap();
        let sent = Sent { tape: committed.elements().to_vec(), openings: openings.clone(), proof };
        let equations = sample.equations(&sent).unwrap();
        (circuit.objections(), [0, 1].map(|i: usize| !equations[i].holds(&generators, 1)))
    };
    let (identity, vectors) = ([true, false], [false, true]);
    let both = [true, true];
    let cases = [
        (Lie::Tau, identity),
        (Lie::Mu, vectors),
        (Lie::LastA, vectors),
        (Lie::LastB, vectors),
        (Lie::ProductOffByOne, both),
    ];
    let of_commitments = (0..4).map(|i| (Lie::Commitment(i), vectors));
    let of_coefficients = [0, 4, 10].map(|i| (Lie::Coefficient(i), identity));
    let of_rounds = (0..3).flat_map(|i| [(Lie::Left(i), vectors), (Lie::Right(i), vectors)]);
    for (lie, objecting) in cases.into_iter().chain(of_commitments).chain(of_coefficients).chain(of_rounds) {
        assert_eq!(told(&sample.tape, lie), (vec![], objecting), "{lie:?}");
    }
    // Nothing to demand of a true statement; of a false one, the vectors have to object.
    assert_eq!(told(&sample.tape, Lie::Product), (vec![], [false, false]));
    let mut tape = sample.tape.clone();
    tape[0] += C::Scalar::ONE;
    let (objections, objecting) = told(&tape, Lie::Product);
    assert!(!objections.is_empty());
    assert_eq!(objecting, vectors);
}

/// GBP-7.
#[test]
fn gbp_7_a_lie_in_any_message_is_refused() {
    lies::<Ristretto>();
    lies::<Secp256k1>();
}

/// Members with distinct bindings.
fn bound<C: ProofCurve>(members: &[Vec<Equation<C>>]) -> Vec<Member<C>> {
    let member = |(i, equations): (u8, &Vec<_>)| Member { binding: [i; 64], equations: equations.clone() };
    (0..).zip(members).map(member).collect()
}

/// A generator that fails without saying so.
struct Zeros;

impl RngCore for Zeros {
    fn next_u32(&mut self) -> u32 {
        0
    }
    fn next_u64(&mut self) -> u64 {
        0
    }
    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        bytes.fill(0);
        Ok(())
    }
}

impl CryptoRng for Zeros {}

fn batch<C: ProofCurve>() {
    let rng = &mut rng(6);
    let generators = Generators::<C>::cached(4).unwrap();
    let samples = (0..7).map(|_| Sample::<C>::new(rng, 4, 3, 6)).collect::<Vec<_>>();
    for faulty in [&[][..], &[0], &[6], &[2, 3], &[0, 1, 2, 3, 4, 5, 6]] {
        let members = samples.iter().enumerate().map(|(i, sample)| {
            let mut sent = sample.prove(rng);
            if faulty.contains(&i) {
                sent.proof.tau += C::Scalar::ONE;
            }
            sample.equations(&sent).unwrap()
        });
        let members = members.collect::<Vec<_>>();
        for threads in [1, 2] {
            let verdicts =
                Batch::new(bound(&members)).verify(&generators, rng, threads, &mut || true).unwrap();
            let found = (0..7).filter(|i| !verdicts[*i]).collect::<Vec<_>>();
            assert_eq!(found, faulty);
        }
        let mut left = 0;
        let cancelled = Batch::new(bound(&members)).verify(&generators, rng, 1, &mut || {
            left += 1;
            left > 9
        });
        assert_eq!(cancelled, Err(Error::Cancelled));
    }
}

/// GBP-8.
#[test]
fn gbp_8_a_batch_names_exactly_its_faulty_members() {
    batch::<Ristretto>();
    batch::<Secp256k1>();
}

/// Two faults that cancel in an unweighted sum.
/// GBP-8.
#[test]
fn gbp_8_faults_do_not_cancel_in_a_batch() {
    let generators = Generators::<Ristretto>::cached(1).unwrap();
    let rng = &mut rng(7);
    let (mut plus, mut minus) = (Equation::<Ristretto>::new(), Equation::new());
    plus.add_generator(Field::ONE);
    minus.add(-<Ristretto as ProofCurve>::Scalar::ONE, Ristretto::generator());
    let split = Batch::new(bound(&[vec![plus.clone()], vec![minus.clone()]]));
    assert_eq!(split.verify(&generators, rng, 1, &mut || true), Ok(vec![false, false]));
    let joint = Batch::new(bound(&[vec![plus, minus]]));
    assert_eq!(joint.verify(&generators, rng, 1, &mut || true), Ok(vec![false]));
}

/// A machine which computes the sums of a batch, one of them wrongly: how many it was asked for, and what came of it.
fn with_a_wrong_sum<C: ProofCurve>(
    members: &[Vec<Equation<C>>],
    wrong: Option<usize>,
) -> (usize, Result<Vec<bool>, Error>) {
    let generators = Generators::<C>::cached(4).unwrap();
    let mut asked = 0;
    let found = Batch::new(bound(members)).verify_summing(&mut rng(20), &mut |members| {
        let mut all = Equation::new();
        members.iter().flat_map(|member| &member.equations).for_each(|equation| all.accumulate(equation));
        if wrong == Some(asked) {
            all.add_generator(C::Scalar::ONE);
        }
        asked += 1;
        Ok(all.sum(&generators, 1))
    });
    (asked, found)
}

/// Each sum of the search in turn is wrong: nobody is blamed, whoever is faulty.
fn wrong_sums<C: ProofCurve>() {
    let equation = |scalar| {
        let mut equation = Equation::<C>::new();
        equation.add(scalar, C::generator());
        equation
    };
    for faulty in [&[][..], &[0], &[6], &[2, 3], &[1, 4, 5], &[0, 1, 2, 3, 4, 5, 6]] {
        let members = (0..7).map(|i| {
            let scalar = if faulty.contains(&i) { C::Scalar::from(9 + i) } else { C::Scalar::ZERO };
            vec![equation(C::Scalar::ZERO), equation(scalar)]
        });
        let members = members.collect::<Vec<_>>();
        let (sums, verdicts) = with_a_wrong_sum(&members, None);
        assert_eq!(verdicts, Ok((0..7).map(|i| !faulty.contains(&i)).collect()));
        for wrong in 0..sums {
            let (_, found) = with_a_wrong_sum(&members, Some(wrong));
            assert_eq!(found, Err(Error::WrongSum), "sum {wrong} of {sums}, faulty {faulty:?}");
        }
    }
}

/// GBP-8.
#[test]
fn gbp_8_a_wrong_sum_blames_nobody() {
    wrong_sums::<Ristretto>();
    wrong_sums::<Secp256k1>();
}

/// Without randomness weights still differ, end, and depend on everything that was sent.
/// GBP-8.
#[test]
fn gbp_8_weights_do_not_rest_on_the_callers_generator_alone() {
    let generators = Generators::<Ristretto>::cached(1).unwrap();
    let equation = |scalar| {
        let mut equation = Equation::<Ristretto>::new();
        equation.add_generator(scalar);
        equation
    };
    let one = <Ristretto as ProofCurve>::Scalar::ONE;
    let verify = |members| Batch::new(members).verify(&generators, &mut Zeros, 1, &mut || true).unwrap();
    let members = bound(&[vec![equation(one)], vec![equation(-one)], vec![equation(Field::ZERO)]]);
    assert_eq!(verify(members), [false, false, true]);
    assert_eq!(verify(bound(&[vec![equation(one), equation(-one)]])), [false]);
    // Two equations that cancel for one binding: with weights w and v, w·1 + v·(-w/v).
    let weights = |binding| {
        let seed = seed::<Ristretto>(&[Member { binding, equations: Vec::new() }], &mut Zeros);
        [0, 1].map(|index| weight::<Ristretto>(&seed, index))
    };
    let [w, v] = weights([1; 64]);
    let cancelling = -(w * v.invert().unwrap());
    let [w, v] = weights([2; 64]);
    assert_ne!(w + (v * cancelling), Field::ZERO, "what is sent changes the weights");
}

fn multiscalar<C: ProofCurve>() {
    let rng = &mut rng(8);
    let mut scalars = Vec::new();
    let mut points = Vec::new();
    for len in [0, 1, 2, 3, 17, 64, 300] {
        scalars = (0..len).map(|_| C::random_scalar(rng)).collect::<Vec<_>>();
        if let [first, second, third, ..] = &mut *scalars {
            (*first, *second, *third) = (Field::ZERO, Field::ONE, -C::Scalar::ONE);
        }
        points = (0..len).map(|_| C::mul(&C::random_scalar(rng), &C::generator())).collect::<Vec<_>>();
        if let [.., a, b, c, d] = &mut *points {
            // Equal, opposite and neutral points, which additions in affine form trip over.
            (*b, *c, *d) = (*a, -*a, C::identity());
        }
        let expected = scalars
            .iter()
            .zip(&points)
            .fold(C::identity(), |sum, (scalar, point)| sum + C::mul(scalar, point));
        assert_eq!(C::vartime_multiscalar_mul(&scalars, &points), expected);
    }
    // Prepared points are never the identity, which is the last one here.
    points.truncate(299);
    let prepared = C::prepare(&points);
    for len in [0, 1, 2, 99, 299] {
        let expected = scalars[..len]
            .iter()
            .zip(&points)
            .fold(C::identity(), |sum, (scalar, point)| sum + C::mul(scalar, point));
        assert_eq!(C::prepared_multiscalar_mul(&prepared, &scalars[..len]), expected);
    }
    // The same point many times: all in the same buckets.
    let scalars = vec![C::random_scalar(rng); 200];
    let points = vec![C::generator(); 200];
    let expected = C::mul(&(scalars[0] * C::Scalar::from(200)), &C::generator());
    assert_eq!(C::vartime_multiscalar_mul(&scalars, &points), expected);
}

/// GBP-9.
#[test]
fn gbp_9_multiscalar_multiplications_agree_with_single_ones() {
    multiscalar::<Ristretto>();
    multiscalar::<Secp256k1>();
}

/// Many sums with the same scalars, over equal, opposite and neutral points.
fn folds<C: ProofCurve>() {
    let rng = &mut rng(22);
    let one = C::Scalar::ONE;
    for scalars in [vec![one], vec![one, -one], vec![C::Scalar::ZERO, one, C::random_scalar(rng), -one]] {
        let mut points = (0..12).map(|_| C::mul(&C::random_scalar(rng), &C::generator())).collect::<Vec<_>>();
        (points[6], points[7]) = (points[0], -points[1]);
        for neutral in [None, Some(0), Some(11)] {
            points.iter_mut().enumerate().filter(|(i, _)| Some(*i) == neutral).for_each(|(_, point)| {
                *point = C::identity();
            });
            let len = points.len() / scalars.len();
            let expected = (0..len).map(|i| {
                let terms = scalars.iter().zip(points.iter().skip(i).step_by(len));
                terms.fold(C::identity(), |sum, (scalar, point)| sum + C::mul(scalar, point))
            });
            assert_eq!(C::vartime_fold(&scalars, &points), expected.collect::<Vec<_>>());
        }
    }
}

/// GBP-9.
#[test]
fn gbp_9_folds_agree_with_single_multiplications() {
    folds::<Ristretto>();
    folds::<Secp256k1>();
}

/// GBP-1.
#[test]
fn gbp_1_wrong_calls_are_errors() {
    let rng = &mut rng(9);
    assert_eq!(Generators::<Ristretto>::cached(3).err(), Some(Error::Rows { rows: 3 }));
    assert_eq!(Generators::<Ristretto>::cached(0).err(), Some(Error::Rows { rows: 0 }));
    assert_eq!(Generators::<Ristretto>::cached(1 << 16).err(), Some(Error::Rows { rows: 1 << 16 }));
    let sample = Sample::<Ristretto>::new(rng, 4, 5, 6);
    assert_eq!(
        sample.prove_with(sample.tape.clone(), rng).err(),
        Some(Error::CircuitTooLarge { needed: 5, rows: 4 })
    );
}

fn generators<C: ProofCurve>() -> String {
    let generators = Generators::<C>::cached(2).unwrap();
    let hex = |point: &C::Point| {
        C::encode(point).as_ref().iter().take(8).fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
    };
    assert_eq!(generators.h, generators.blinding());
    [&generators.h, &generators.g_bold[0], &generators.g_bold[1], &generators.h_bold[1]].map(hex).join(" ")
}

/// GBP-2.
#[test]
fn gbp_2_the_generators_are_frozen() {
    assert_eq!(
        generators::<Ristretto>(),
        "c09d926d846ad4f7 f02680382875f1a5 f8411f598e921f2e b25729b38881d591"
    );
    assert_eq!(
        generators::<Secp256k1>(),
        "020539e19332f081 02322e67ac8850b8 03695063a6976b51 02a5f5dd52276e7c"
    );
}

/// GBP-2: the generators of a small argument are the first ones of a greater argument.
#[test]
fn gbp_2_generators_do_not_depend_on_the_number_of_rows() {
    let (small, great) =
        (Generators::<Ristretto>::cached(4).unwrap(), Generators::<Ristretto>::cached(16).unwrap());
    assert_eq!(small.g_bold, great.g_bold[..4]);
    assert_eq!(small.h_bold, great.h_bold[..4]);
    let mut all = [&*great.g_bold, &great.h_bold, &[great.g, great.h]].concat();
    all.dedup();
    assert_eq!(all.len(), 34);
}

/// GBP-4: kind, labels, lengths and order all count.
#[test]
fn gbp_4_each_part_of_a_transcript_counts() {
    let challenge = |absorb: &dyn Fn(&mut Transcript)| {
        let mut transcript = Transcript::new(b"test");
        absorb(&mut transcript);
        transcript.challenge(b"c")
    };
    let variants: [&dyn Fn(&mut Transcript); 7] = [
        &|_| {},
        &|t| t.append(b"a", b"bc"),
        &|t| t.append(b"ab", b"c"),
        &|t| t.append(b"a", b""),
        &|t| {
            t.challenge(b"a");
        },
        &|t| {
            t.append(b"a", b"bc");
            t.append(b"a", b"");
        },
        &|t| {
            t.append(b"a", b"");
            t.append(b"a", b"bc");
        },
    ];
    let challenges = variants.map(challenge);
    for (i, first) in challenges.iter().enumerate() {
        for second in &challenges[..i] {
            assert_ne!(first, second);
        }
    }
    let mut other = Transcript::new(b"other");
    assert_ne!(other.challenge(b"c"), challenges[0]);
    assert_ne!(other.challenge(b"c"), other.challenge(b"c"));
    assert_eq!(challenges[1][..8], [92, 210, 50, 198, 159, 187, 161, 97]);
}

/// GBP-4: a proof is bound to what the transcript absorbed before it.
#[test]
fn gbp_4_a_proof_is_valid_under_its_own_transcript_only() {
    let rng = &mut rng(10);
    let sample = Sample::<Ristretto>::new(rng, 4, 3, 6);
    let sent = sample.prove(rng);
    assert!(sample.is_valid(&sent));
    let mut openings = sent.openings.clone();
    openings.swap(0, 1);
    assert!(!sample.is_valid(&Sent { openings, ..sent }));
}

/// GBP-5.
#[test]
fn gbp_5_a_wrong_last_scalar_is_refused() {
    let rng = &mut rng(11);
    let sample = Sample::<Ristretto>::new(rng, 4, 3, 6);
    for side in 0..2 {
        let mut sent = sample.prove(rng);
        let scalar =
            if side == 0 { &mut sent.proof.inner_product.a } else { &mut sent.proof.inner_product.b };
        *scalar += <Ristretto as ProofCurve>::Scalar::ONE;
        assert!(!sample.is_valid(&sent));
    }
}
