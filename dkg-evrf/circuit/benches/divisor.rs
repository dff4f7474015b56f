//! `cargo bench -p divisor-circuit`: what each part of a claim costs, for 105 claims over 52 tables as at (50, 34).
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::{hint::black_box, sync::Arc, time::Instant};

use arithmetic_bulletproofs::Circuit;
use divisor_circuit::{Claims, Digits, DivisorCurve, Table};
use embedded_curves::{Affine, Embedwards25519, Point, Scalar, Secq256k1};
use ff::Field;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// Keys of other validators.
const KEYS: u16 = 50;

fn time<T>(name: &str, mut run: impl FnMut() -> T) -> T {
    let mut best = f64::INFINITY;
    let mut result = None;
    for _ in 0..30 {
        let start = Instant::now();
        result = Some(black_box(run()));
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("{name:<60} {:>10.3} ms", best * 1e3);
    result.unwrap()
}

fn point<C: DivisorCurve>(scalar: Scalar<C>) -> Affine<C> {
    (Point::GENERATOR * scalar).to_affine().unwrap()
}

fn bench<C: DivisorCurve>() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let scalars = [(); 3].map(|()| Scalar::<C>::random(&mut rng));
    let name = C::NAME;
    let points: Vec<_> = (0..KEYS + 2).map(|_| point::<C>(Scalar::<C>::random(&mut rng))).collect();
    time(&format!("{name}: one table"), || Table::new(points[0]));
    let tables = time(&format!("{name}: 52 tables"), || Table::many(&points));
    let tables: Vec<_> = tables.into_iter().map(Arc::new).collect();
    let generator = Arc::new(Table::new(Affine::GENERATOR));

    let mut claims = Claims::new();
    let indices = scalars.map(|_| claims.scalar());
    let base = claims.table(&generator);
    for (index, scalar) in indices.iter().zip(scalars) {
        claims.public(*index, base, point::<C>(scalar));
    }
    for (i, table) in tables.iter().enumerate() {
        let table = claims.table(table);
        // Two claims of the dealer's own key, then two for each validator's.
        let pair = if i < 2 { &indices[..1] } else { &indices[1..] };
        for index in pair {
            claims.committed(*index, table);
        }
    }
    println!("{name}: {} scalars on the tape, {} rows", claims.tape_len(), claims.rows());

    let digits =
        time(&format!("{name}: digits of three scalars"), || scalars.map(|s| Digits::new(&s).unwrap()));
    let witness = time(&format!("{name}: witness of all claims"), || claims.witness(&digits, 1).unwrap());
    let challenge = time(&format!("{name}: challenge"), || claims.challenge(&[7; 64]));
    time(&format!("{name}: constraints, verifying"), || {
        let mut circuit = Circuit::verifying(claims.tape_len(), 0);
        claims.constrain(&mut circuit, &challenge).unwrap();
        circuit.constraints()
    });
    time(&format!("{name}: constraints, proving"), || {
        let mut circuit = Circuit::proving(witness.tape.to_vec(), Vec::new());
        claims.constrain(&mut circuit, &challenge).unwrap();
        circuit.constraints()
    });
}

fn main() {
    bench::<Embedwards25519>();
    bench::<Secq256k1>();
}
