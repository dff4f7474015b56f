//! Frozen sessions: context, participations, keys and shares, byte for byte (EVRF-2, EVRF-5, EVRF-9, EVRF-11).
//!
//! `UPDATE_VECTORS=1 cargo test -p dkg-evrf vectors` writes them anew, which is a new version of the format and a commit of its own.

use std::path::PathBuf;

use group::GroupEncoding;
use serde_json::{Value, json};

use super::{Set, close, session};
use crate::{
    Closed, Ed25519, Participation, Ristretto, Secp256k1, SigningCurve, ValidatorIndex, Verdict, recover,
};

fn path(curve: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(format!("{curve}.json"))
}

/// Everything that follows from the fixed secrets and randomness of a test session.
fn made<C: SigningCurve>() -> Value {
    let set = Set::<C>::in_session(&session(3), &[2, 1, 1], 3);
    let participations = [0, 1, 2].map(|dealer| set.participate(dealer).encode());
    let closed = closed(&set, &participations);
    let shares = (0..).zip(&set.secrets).flat_map(|(validator, secret)| {
        let keys = recover(&set.parameters, &closed, ValidatorIndex(validator), secret).unwrap();
        keys.into_iter().map(|key| hex::encode(ff::PrimeField::to_repr(&**key.original_secret_share())))
    });
    json!({
        "context": hex::encode(set.parameters.context()),
        "embedded_secrets": set.secrets.iter().map(|secret| hex::encode(*secret.to_bytes())).collect::<Vec<_>>(),
        "embedded_keys": set.secrets.iter().map(|secret| hex::encode(secret.key())).collect::<Vec<_>>(),
        "participations": participations.map(hex::encode),
        "group_key": hex::encode(closed.group_key().to_bytes()),
        "shares": shares.collect::<Vec<_>>(),
    })
}

fn closed<C: SigningCurve>(set: &Set<C>, participations: &[Vec<u8>]) -> Closed<C> {
    let decode = |bytes: &Vec<u8>| Participation::decode(&set.parameters, bytes).unwrap();
    let decoded: Vec<_> = (0..).map(ValidatorIndex).zip(participations.iter().map(decode)).collect();
    let verdicts = set.verify(&decoded).into_iter();
    close(&set.parameters, verdicts.map(|verdict| Verdict::verified(verdict).unwrap()).collect()).unwrap()
}

fn frozen<C: SigningCurve>(curve: &str) {
    let (made, path) = (made::<C>(), path(curve));
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let frozen: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for field in ["context", "embedded_keys", "participations", "group_key", "shares"] {
        assert!(frozen[field] == made[field], "{field} differs from the frozen one");
    }
    // The frozen participations are valid by themselves, however they were made.
    let set = Set::<C>::in_session(&session(3), &[2, 1, 1], 3);
    let bytes = frozen["participations"].as_array().unwrap().iter();
    let bytes: Vec<_> = bytes.map(|hex| hex::decode(hex.as_str().unwrap()).unwrap()).collect();
    assert_eq!(hex::encode(closed(&set, &bytes).group_key().to_bytes()), frozen["group_key"]);
}

/// EVRF-9.
#[test]
fn evrf_9_the_format_is_frozen() {
    frozen::<Ristretto>("ristretto");
    frozen::<Secp256k1>("secp256k1");
    frozen::<Ed25519>("ed25519");
}
