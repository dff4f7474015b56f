//! Claims, what they put on the tape, and the rows and constraints that prove them.
//!
//! ```text
//! tape      digits of scalar 0 │ digits of scalar 1 │ … │ claim 0: coefficients (, x, y) │ claim 1: … │ …
//! rows      claim: three of value · quotient = derivative; with a committed output one of (μ + y + λx) · inverse = 1
//! ```
//!
//! One constraint for each claim ties them: Σ quotients = ⟨digits, weights of the table⟩ + 1/(μ − z(−Q)), rule GADGET-4.

use std::sync::Arc;

use arithmetic_bulletproofs::{Circuit, LinearCombination, Row, Variable, parallel};
use embedded_curves::{
    Affine, Base,
    field::{Element, Modulus, batch_invert},
};
use ff::Field;
use zeroize::Zeroizing;

use crate::{
    Challenge, Digits, Error, Table,
    divisor::{Divisor, divisors},
    parameters::DivisorCurve,
};

/// One of the scalars that claims are about; made by [`Claims::scalar`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScalarIndex(usize);

/// One of the tables; made by [`Claims::table`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableIndex(usize);

/// The coordinates of a committed output, as variables of the circuit. It is on the curve, by the claim itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Output {
    /// Its x-coordinate.
    pub x: Variable,
    /// Its y-coordinate.
    pub y: Variable,
}

/// What a claim says the multiple is.
enum Target<C: DivisorCurve> {
    Public(Affine<C>),
    Committed,
}

struct Claim<C: DivisorCurve> {
    scalar: usize,
    table: usize,
    target: Target<C>,
    /// Where its coefficients start on the tape; a committed output follows them.
    start: usize,
}

/// A list of claims: the same for prover and verifier, and made in the same order.
///
/// All scalars come before the first claim.
pub struct Claims<C: DivisorCurve> {
    scalars: usize,
    tables: Vec<Arc<Table<C>>>,
    list: Vec<Claim<C>>,
    tape_len: usize,
}

/// The prover's values.
pub struct Witness<C: DivisorCurve> {
    /// The tape of these claims.
    pub tape: Zeroizing<Vec<Base<C>>>,
    /// The output of each claim.
    pub outputs: Zeroizing<Vec<Affine<C>>>,
}

impl<C: DivisorCurve> Default for Claims<C> {
    fn default() -> Self {
        Self { scalars: 0, tables: Vec::new(), list: Vec::new(), tape_len: 0 }
    }
}

impl<C: DivisorCurve> Claims<C> {
    /// No claims yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another scalar to claim about.
    ///
    /// # Panics
    /// If there are claims already.
    pub fn scalar(&mut self) -> ScalarIndex {
        assert!(self.list.is_empty(), "scalars come before claims");
        self.scalars += 1;
        self.tape_len += 2 * C::DIGITS;
        ScalarIndex(self.scalars - 1)
    }

    /// Another table to claim about. Share one among all claims with the same point.
    pub fn table(&mut self, table: &Arc<Table<C>>) -> TableIndex {
        self.tables.push(Arc::clone(table));
        TableIndex(self.tables.len() - 1)
    }

    /// Claims that a public point is scalar·table.
    pub fn public(&mut self, scalar: ScalarIndex, table: TableIndex, output: Affine<C>) {
        self.push(scalar, table, Target::Public(output), 0);
    }

    /// Claims that a committed point is scalar·table.
    pub fn committed(&mut self, scalar: ScalarIndex, table: TableIndex) -> Output {
        self.push(scalar, table, Target::Committed, 2);
        Output { x: Variable::Committed(self.tape_len - 2), y: Variable::Committed(self.tape_len - 1) }
    }

    fn push(&mut self, scalar: ScalarIndex, table: TableIndex, target: Target<C>, extra: usize) {
        self.list.push(Claim { scalar: scalar.0, table: table.0, target, start: self.tape_len });
        self.tape_len += C::POLES + extra;
    }

    /// How many scalars the claims put on the tape.
    pub fn tape_len(&self) -> usize {
        self.tape_len
    }

    /// How many rows they add.
    pub fn rows(&self) -> usize {
        self.list.iter().map(|claim| if matches!(claim.target, Target::Committed) { 4 } else { 3 }).sum()
    }

    /// Draws the line. The seed comes from a transcript that has absorbed the statement and every commitment to the tape.
    pub fn challenge(&self, seed: &[u8; 64]) -> Challenge<C> {
        Challenge::new(seed, &self.tables, &self.public_outputs())
    }

    pub(crate) fn public_outputs(&self) -> Vec<Affine<C>> {
        let public = |claim: &Claim<C>| match &claim.target {
            Target::Public(output) => Some(*output),
            Target::Committed => None,
        };
        self.list.iter().filter_map(public).collect()
    }

    /// The tape and the outputs, from one vector of digits for each scalar; on so many threads.
    ///
    /// # Errors
    /// [`Error::Scalars`] and [`Error::FalseClaim`] for a caller's mistake; [`Error::Degenerate`] with negligible probability.
    pub fn witness(&self, digits: &[Digits<C>], threads: usize) -> Result<Witness<C>, Error> {
        if digits.len() != self.scalars {
            return Err(Error::Scalars { expected: self.scalars, given: digits.len() });
        }
        let inputs: Vec<_> =
            self.list.iter().map(|claim| (&digits[claim.scalar], &*self.tables[claim.table])).collect();
        // Each thread takes claims of its own through the levels: an inversion for each level and thread.
        let shares: Vec<_> = inputs.chunks(inputs.len().div_ceil(threads.max(1)).max(1)).collect();
        let divided = parallel::map(&shares, threads, |share| divisors(share));
        let divided = divided.into_iter().collect::<Result<Vec<_>, _>>()?;
        let divisors = || divided.iter().flatten();
        let mut tape = Zeroizing::new(Vec::with_capacity(self.tape_len));
        for digits in digits {
            digits.write(&mut tape);
        }
        for (index, (claim, divisor)) in self.list.iter().zip(divisors()).enumerate() {
            claim.write(divisor, &mut tape).ok_or(Error::FalseClaim { claim: index })?;
        }
        // Reserved at once: a vector that grows leaves secrets behind.
        let mut outputs = Zeroizing::new(Vec::with_capacity(self.list.len()));
        outputs.extend(divisors().map(|divisor| divisor.output));
        Ok(Witness { tape, outputs })
    }

    /// Adds the rows and constraints of all claims. The tape of these claims is the beginning of the circuit's tape.
    ///
    /// # Errors
    /// [`Error::ZeroDenominator`], on the prover's side, with negligible probability.
    pub fn constrain(&self, circuit: &mut Circuit<Base<C>>, challenge: &Challenge<C>) -> Result<(), Error> {
        let rows: Vec<_> = self.list.iter().flat_map(|claim| claim.divisions(challenge)).collect();
        let mut added = divide(circuit, rows)?.into_iter();
        let mut public = challenge.outputs.iter();
        for claim in &self.list {
            let digits = claim.scalar * 2 * C::DIGITS;
            let mut sum =
                LinearCombination::zero().block(digits, &challenge.tables[claim.table], -Base::<C>::ONE);
            for row in added.by_ref().take(3) {
                sum = sum.term(row.right, Base::<C>::ONE);
            }
            circuit.constrain(match claim.target {
                Target::Public(_) => public.next().map_or(sum.clone(), |inverse| sum.plus(-*inverse)),
                Target::Committed => {
                    added.next().map_or(sum.clone(), |row| sum.term(row.right, -Base::<C>::ONE))
                }
            });
        }
        Ok(())
    }
}

impl<C: DivisorCurve> Claim<C> {
    /// Appends its part of the tape; none if the claim is false.
    fn write(&self, divisor: &Divisor<C>, tape: &mut Vec<Base<C>>) -> Option<()> {
        tape.extend_from_slice(&divisor.coefficients);
        match &self.target {
            Target::Public(output) => (*output == divisor.output).then_some(()),
            Target::Committed => {
                tape.extend([divisor.output.x(), divisor.output.y()]);
                Some(())
            }
        }
    }

    /// Denominators and numerators: of the logarithmic derivative at three points, and of 1/(μ − z(−Q)).
    fn divisions(&self, challenge: &Challenge<C>) -> Vec<Division<Base<C>>> {
        let one = Base::<C>::ONE;
        let mut divisions: Vec<_> = challenge
            .points
            .iter()
            .map(|point| Division {
                denominator: LinearCombination::constant(one).block(self.start, &point.values, one),
                numerator: LinearCombination::zero().block(self.start, &point.derivatives, one),
            })
            .collect();
        if matches!(self.target, Target::Committed) {
            let x = Variable::Committed(self.start + C::POLES);
            let y = Variable::Committed(self.start + C::POLES + 1);
            divisions.push(Division {
                denominator: LinearCombination::constant(challenge.intercept)
                    .term(x, challenge.slope)
                    .term(y, one),
                numerator: LinearCombination::constant(one),
            });
        }
        divisions
    }
}

/// A quotient to be proven.
struct Division<F> {
    denominator: LinearCombination<F>,
    numerator: LinearCombination<F>,
}

/// Adds a row `denominator · quotient = numerator` for each division; the quotients are the rows' right factors.
fn divide<M: Modulus>(
    circuit: &mut Circuit<Element<M>>,
    divisions: Vec<Division<Element<M>>>,
) -> Result<Vec<Row>, Error> {
    let values = |part: fn(&Division<Element<M>>) -> &LinearCombination<Element<M>>| {
        // Reserved at once: a vector that grows leaves secrets behind.
        let mut values = Zeroizing::new(Vec::with_capacity(divisions.len()));
        for division in &divisions {
            values.push(circuit.value(part(division))?);
        }
        Some(values)
    };
    let witness = values(|division| &division.denominator).zip(values(|division| &division.numerator));
    let factors = witness.map(|(denominators, mut quotients)| {
        let mut inverses = denominators.clone();
        batch_invert(&mut inverses);
        quotients.iter_mut().zip(inverses.iter()).for_each(|(quotient, inverse)| *quotient *= inverse);
        (denominators, quotients)
    });
    if let Some((denominators, _)) = &factors
        && denominators.iter().any(|denominator| bool::from(denominator.is_zero()))
    {
        return Err(Error::ZeroDenominator);
    }
    let minus_one = -Element::<M>::ONE;
    let mut rows = Vec::with_capacity(divisions.len());
    for (index, division) in divisions.into_iter().enumerate() {
        let row = circuit.advise(factors.as_ref().map(|(left, right)| (left[index], right[index])));
        circuit.constrain(division.denominator.term(row.left, minus_one));
        circuit.constrain(division.numerator.term(row.output, minus_one));
        rows.push(row);
    }
    Ok(rows)
}
