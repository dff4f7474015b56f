//! Provers that fill commitments along the wrong generators and are consistent about it: without effect where it can be made to fit,
//! and no help for a false statement (GBP-1, GBP-3).

use ff::Field;
use rand_chacha::ChaCha20Rng;

use super::{Sample, Sent, rng};
use crate::layout::Layout;
use crate::malicious::{Misplaced, Objection, prove_misplacing};
use crate::polynomials::{BlindingVectors, Polynomials};
use crate::weights::powers;
use crate::{Circuit, CommittedTape, Element, Generators, ProofCurve, Ristretto, Secp256k1};

const ROWS: usize = 8;
const COMMITMENTS: usize = 3;

/// Where something is misplaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Tape(usize),
    Outputs,
    BlindingLeft,
    BlindingRight,
}

/// The places that can be made to fit.
const FITTING: [Place; 5] =
    [Place::Tape(0), Place::Tape(1), Place::Tape(2), Place::Outputs, Place::BlindingLeft];

/// A sample whose tape leaves the rows free that the circuit does not use: the last three.
fn sample<C: ProofCurve>(rng: &mut ChaCha20Rng) -> Sample<C> {
    let mut sample = Sample::<C>::new(rng, ROWS, 5, 19);
    sample.tape[5..8].fill(C::Scalar::ZERO);
    sample.tape[13..16].fill(C::Scalar::ZERO);
    sample.values = vec![sample.tape.iter().sum(), sample.tape.iter().map(Field::square).sum()];
    sample
}

fn misplace<C: ProofCurve>(places: &[Place], mut vector: impl FnMut() -> Vec<C::Scalar>) -> Misplaced<C> {
    let mut misplaced = Misplaced::nothing(COMMITMENTS);
    for place in places {
        *(match place {
            Place::Tape(j) => &mut misplaced.tape[*j],
            Place::Outputs => &mut misplaced.outputs,
            Place::BlindingLeft => &mut misplaced.blinding_left,
            Place::BlindingRight => &mut misplaced.blinding_right,
        }) = vector();
    }
    misplaced
}

fn random<C: ProofCurve>(rng: &mut ChaCha20Rng) -> Vec<C::Scalar> {
    (0..ROWS).map(|_| C::random_scalar(rng)).collect()
}

/// What a prover is false about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Falsehood {
    None,
    /// A scalar of the tape that only linear constraints speak of.
    Tape,
    /// A row's output, and whatever follows from it.
    Output,
}

/// What the circuit objects to, and whether identity and vectors fail.
fn told<C: ProofCurve>(
    places: &[Place],
    fits: bool,
    falsehood: Falsehood,
    rng: &mut ChaCha20Rng,
) -> (Vec<Objection>, [bool; 2]) {
    let sample = sample::<C>(rng);
    let generators = Generators::<C>::cached(ROWS).unwrap();
    let mut tape = sample.tape.clone();
    if falsehood == Falsehood::Tape {
        tape[17] += C::Scalar::ONE;
    }
    let mut outputs = tape[..sample.used].iter().map(Field::square).collect::<Vec<_>>();
    if falsehood == Falsehood::Output {
        outputs[2] += C::Scalar::ONE;
    }
    let misplaced = misplace(places, || {
        if fits { Misplaced::fitting(&generators, (&tape, &outputs), rng) } else { random::<C>(rng) }
    });
    let openings = sample.values.iter().zip(&sample.blinds);
    let openings = openings.map(|(v, b)| Element::new(C::mul(v, &generators.g) + C::mul(b, &generators.h)));
    let openings = openings.collect::<Vec<_>>();
    let committed = CommittedTape::new(&generators, &tape, rng, 1).misplacing(&generators, &misplaced);
    let (mut transcript, challenge) = Sample::transcript(&openings, committed.elements(), ROWS);
    let mut circuit = Circuit::proving(tape, sample.values.clone());
    sample.build(&mut circuit, challenge);
    let [left, right, _] = circuit.row(2);
    circuit.set_row(2, [left, right, outputs[2]]);
    let sides = (&committed, &*sample.blinds);
    let proof = prove_misplacing(&generators, &mut transcript, &circuit, sides, rng, &misplaced).unwrap();
    let sent = Sent { tape: committed.elements().to_vec(), openings, proof };
    let equations = sample.equations(&sent).unwrap();
    (circuit.objections(), [0, 1].map(|i: usize| !equations[i].holds(&generators, 1)))
}

const NONE: [bool; 2] = [false, false];
const IDENTITY: [bool; 2] = [true, false];

fn true_statements<C: ProofCurve>() {
    let rng = &mut rng(30);
    let mut told = |places: &[Place], fits| told::<C>(places, fits, Falsehood::None, rng);
    assert_eq!(told(&[], true), (vec![], NONE));
    for place in FITTING {
        assert_eq!(told(&[place], true), (vec![], NONE), "{place:?}");
    }
    assert_eq!(told(&FITTING, true), (vec![], NONE));
    // The last commitment's components meet nothing without a T but S_L, which comes later and can be zero.
    assert_eq!(told(&[Place::Tape(COMMITMENTS - 1)], false), (vec![], NONE));
    for place in [Place::Tape(0), Place::Outputs, Place::BlindingLeft, Place::BlindingRight] {
        assert_eq!(told(&[place], false), (vec![], IDENTITY), "{place:?}");
    }
    assert_eq!(told(&[Place::BlindingRight], true), (vec![], IDENTITY));
}

/// GBP-1.
#[test]
fn gbp_1_components_along_the_wrong_generators_are_without_effect() {
    true_statements::<Ristretto>();
    true_statements::<Secp256k1>();
}

fn false_statements<C: ProofCurve>() {
    let rng = &mut rng(31);
    let everywhere = [&FITTING[..], &[Place::BlindingRight]].concat();
    let alone = everywhere.chunks(1);
    for falsehood in [Falsehood::Tape, Falsehood::Output] {
        for places in alone.clone().chain([&[][..], &FITTING, &everywhere]) {
            for fits in [true, false] {
                let (objections, fails) = told::<C>(places, fits, falsehood, rng);
                assert!(!objections.is_empty(), "{falsehood:?}");
                assert_eq!(fails, IDENTITY, "{falsehood:?} {places:?} {fits}");
            }
        }
    }
}

/// GBP-3, GBP-7.
#[test]
fn gbp_3_components_along_the_wrong_generators_help_no_false_statement() {
    false_statements::<Ristretto>();
    false_statements::<Secp256k1>();
}

/// GBP-3: what is misplaced changes coefficients, but not the checked one.
#[test]
fn gbp_3_components_along_the_wrong_generators_miss_the_checked_coefficient() {
    type Scalar = <Ristretto as ProofCurve>::Scalar;
    let rng = &mut rng(32);
    let sample = sample::<Ristretto>(rng);
    let mut circuit = Circuit::proving(sample.tape.clone(), sample.values.clone());
    sample.build(&mut circuit, Scalar::from(7));
    let layout = Layout::new(19, ROWS);
    assert_eq!(layout.commitments(), COMMITMENTS);
    let (y, z) = (Ristretto::random_scalar(rng), Ristretto::random_scalar(rng));
    let blinding = [random::<Ristretto>(rng), random::<Ristretto>(rng)];
    let mut coefficients = |places: &[Place]| {
        let vectors = BlindingVectors { left: &blinding[0], right: &blinding[1][..sample.used] };
        let inverses = powers(y.invert().unwrap(), ROWS);
        let witness = circuit.witness.as_ref().unwrap();
        let mut polynomials = Polynomials::new(&circuit, witness, vectors, ROWS, (y, &inverses, z));
        misplace::<Ristretto>(places, || random::<Ristretto>(rng)).place(layout, &mut polynomials, y);
        let all = polynomials.left.inner_product(&polynomials.right, layout.product());
        let checked = layout.product().position(|exponent| exponent == layout.target()).unwrap();
        (all[checked], all.to_vec())
    };
    let (checked, honest) = coefficients(&[]);
    for place in FITTING.into_iter().chain([Place::BlindingRight]) {
        let (still, all) = coefficients(&[place]);
        assert_eq!(still, checked, "{place:?}");
        assert_ne!(all, honest, "{place:?}");
    }
}
