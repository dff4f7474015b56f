//! Embedded keys and peer-to-peer addresses (`BASE-13`, `BASE-14`).

use coordinator_base_chain::{Addresses, EmbeddedCurve, Event, Refusal, signing::registration_chain};
use embedded_curves::{CurveId, registration};
use processor_messages::{Account, KeyBytes, Validator};

use super::{
    Ruling, Work, accounts,
    state::{USED_KEYS, VALIDATORS, ValidatorRecord},
};

const fn curve_id(curve: EmbeddedCurve) -> CurveId {
    match curve {
        EmbeddedCurve::Embedwards25519 => CurveId::Embedwards25519,
        EmbeddedCurve::Secq256k1 => CurveId::Secq256k1,
    }
}

/// The byte that stands for a curve in the table of used keys.
pub(super) const fn curve_byte(curve: EmbeddedCurve) -> u8 {
    curve_id(curve).to_byte()
}

/// Checks a key's encoding and its owner's knowledge of it; its x-coordinate.
pub(super) fn verify_key(
    chain_id: &str,
    validator: Validator,
    curve: EmbeddedCurve,
    key: &[u8],
    proof: &[u8],
) -> Result<[u8; 32], Refusal> {
    let (id, chain) = (curve_id(curve), registration_chain(chain_id));
    registration::verify(id, &chain.0, &validator.0, key, proof).map_err(|_| Refusal::BadKeyProof)?;
    registration::x_coordinate(id, key).map_err(|_| Refusal::BadKeyProof)
}

pub(super) fn embedded_key(
    work: &mut Work<'_>,
    validator: Validator,
    curve: EmbeddedCurve,
    key: &KeyBytes,
    proof: &[u8],
) -> Ruling {
    holds_stake_coins(work, validator)?;
    let x = verify_key(work.chain_id, validator, curve, key, proof)?;
    let used = (curve_byte(curve), x);
    if USED_KEYS.get(&*work.txn, &used)?.is_some() {
        return Err(Refusal::KeyReused.into());
    }
    USED_KEYS.put(work.txn, &used, &validator);
    let mut record = VALIDATORS.get(&*work.txn, &validator)?.unwrap_or_default();
    put_key(&mut record, curve, key.clone());
    VALIDATORS.put(work.txn, &validator, &record);
    Ok(())
}

/// Replaces a validator's key on a curve; sets which were declared keep the key they were declared with.
pub(super) fn put_key(record: &mut ValidatorRecord, curve: EmbeddedCurve, key: KeyBytes) {
    record.embedded.retain(|(of, _)| *of != curve);
    record.embedded.push((curve, key));
    record.embedded.sort_by_key(|(of, _)| *of);
}

pub(super) fn addresses(work: &mut Work<'_>, validator: Validator, addresses: &Addresses) -> Ruling {
    holds_stake_coins(work, validator)?;
    if !are_printable(addresses) {
        return Err(Refusal::BadAddress.into());
    }
    let mut record = VALIDATORS.get(&*work.txn, &validator)?.unwrap_or_default();
    record.addresses = addresses.clone();
    VALIDATORS.put(work.txn, &validator, &record);
    work.events.push(Event::AddressesChanged { validator, addresses: addresses.clone() });
    Ok(())
}

/// Whether each address is printable ASCII without spaces, so that it can be shown and logged.
pub(super) fn are_printable(addresses: &Addresses) -> bool {
    addresses.iter().all(|address| !address.is_empty() && address.iter().all(u8::is_ascii_graphic))
}

/// Registrations cost nothing, so only those who hold stake coins make entries.
fn holds_stake_coins(work: &Work<'_>, validator: Validator) -> Ruling {
    let record = accounts::account(&*work.txn, Account(validator.0))?;
    if (record.free.0 == 0) && (record.bonded.0 == 0) {
        return Err(Refusal::NotAValidator.into());
    }
    Ok(())
}
