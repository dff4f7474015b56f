//! The life of validator sets (`BASE-40` to `BASE-43`).
//!
//! ```text
//!   epoch ends ─▶ Declared ──set keys──▶ Waiting ──its first batch──▶ InCharge ──the next set's first batch──▶
//!                    │  deadline         (InCharge at once if                     Retiring ──report or
//!                    ▼                    nobody is in charge)                       deadline──▶ Retired
//!                 Dropped
//! ```

use coordinator_base_chain::{
    CosignParameters, EmbeddedCurve, Event, Refusal, SetDeclaration, SetKeys, SetMember, SetState,
    UndeclaredReason, signing,
};
use coordinator_store::StoreError;
use processor_messages::{
    BaseBlock, EmbeddedKeys, KeyShares, Network, Session, Validator, ValidatorSet, threshold,
};

use super::{
    Ruling, Work,
    shares::allocate_shares,
    stake,
    state::{ALL, CHAIN, EXCLUDED, LIVE, NETWORKS, NetworkRecord, SETS, STAKES, SetRecord, VALIDATORS},
};

/// Deadlines pass first, so that a dropped set makes room for the next one in the same block.
pub(super) fn begin_block(work: &mut Work<'_>) -> Ruling {
    for (name, _) in NETWORKS.scan(&*work.txn, &(), None, ALL)? {
        for (set, ()) in LIVE.scan(&*work.txn, &name, None, ALL)? {
            pass_deadline(work, set)?;
        }
        // Read again: what passed may have changed it.
        if let Some(record) = NETWORKS.get(&*work.txn, &name)?
            && ends_epoch(work.number, record.parameters.epoch_blocks)
        {
            end_epoch(work, name, record)?;
        }
    }
    Ok(())
}

fn ends_epoch(number: BaseBlock, epoch_blocks: u64) -> bool {
    number.0.checked_rem(epoch_blocks) == Some(0)
}

fn pass_deadline(work: &mut Work<'_>, set: ValidatorSet) -> Ruling {
    let Some(mut record) = SETS.get(&*work.txn, &set)? else { return Ok(()) };
    match record.state {
        SetState::Declared if record.declaration.key_gen_deadline <= work.number => {
            record.state = SetState::Dropped;
            end(work, set, &record)?;
            work.events.push(Event::SetDropped { set });
            Ok(())
        }
        SetState::Retiring { deadline } if deadline <= work.number => retire(work, set, record, false),
        _ => Ok(()),
    }
}

/// The set's duty is over, with its report or without.
pub(super) fn retire(
    work: &mut Work<'_>,
    set: ValidatorSet,
    mut record: SetRecord,
    reported: bool,
) -> Ruling {
    record.state = SetState::Retired;
    end(work, set, &record)?;
    work.events.push(Event::SetRetired { set, reported });
    Ok(())
}

fn end(work: &mut Work<'_>, set: ValidatorSet, record: &SetRecord) -> Ruling {
    SETS.put(work.txn, &set, record);
    LIVE.delete(work.txn, &set);
    stake::release(work, set)
}

fn end_epoch(work: &mut Work<'_>, name: Network, record: NetworkRecord) -> Ruling {
    if !is_settled(work, name, &record)? {
        let reason = UndeclaredReason::HandoverPending;
        work.events.push(Event::SetNotDeclared { network: name, reason });
        return Ok(());
    }
    declare(work, name, record)
}

/// Whether the latest set took over from the former, or was dropped.
fn is_settled(work: &Work<'_>, network: Network, record: &NetworkRecord) -> Result<bool, StoreError> {
    let Some(session) = record.latest else { return Ok(true) };
    let set = SETS.get(&*work.txn, &ValidatorSet { network, session })?;
    Ok(set.is_none_or(|set| matches!(set.state, SetState::InCharge | SetState::Dropped)))
}

/// Declares the network's next set, if the stakes make one.
pub(super) fn declare(work: &mut Work<'_>, name: Network, mut record: NetworkRecord) -> Ruling {
    let parameters = &record.parameters;
    let members = members(work, &record)?;
    let total = members.iter().map(|member| member.shares.0).sum();
    if total < parameters.min_key_shares.max(1) {
        let reason = UndeclaredReason::TooFewValidators;
        work.events.push(Event::SetNotDeclared { network: name, reason });
        return Ok(());
    }
    let session = record.latest.map_or(Session(0), Session::next);
    let set = ValidatorSet { network: name, session };
    let declaration = SetDeclaration {
        set,
        curve: parameters.curve,
        members,
        threshold: threshold(KeyShares(total)),
        key_gen_deadline: BaseBlock(work.number.0.saturating_add(parameters.key_gen_deadline_blocks)),
        tributary: parameters.tributary,
        cosign: CosignParameters {
            distance_blocks: cosign_distance(work)?,
            stake_per_share: parameters.stake_per_share,
        },
    };
    record.latest = Some(session);
    NETWORKS.put(work.txn, &name, &record);
    let state = SetRecord {
        declaration: declaration.clone(),
        declared_at: work.number,
        key_pair: None,
        state: SetState::Declared,
    };
    SETS.put(work.txn, &set, &state);
    LIVE.put(work.txn, &set, &());
    work.events.push(Event::SetDeclared(declaration));
    Ok(())
}

fn cosign_distance(work: &Work<'_>) -> Ruling<u32> {
    let missing = || StoreError::Corrupt { table: "base/chain", reason: "no genesis".to_owned() };
    Ok(CHAIN.get(&*work.txn, &())?.ok_or_else(missing)?.cosign_distance)
}

fn members(work: &Work<'_>, record: &NetworkRecord) -> Ruling<Vec<SetMember>> {
    let parameters = &record.parameters;
    let mut stakes = Vec::new();
    for ((network, validator), stake) in STAKES.scan(&*work.txn, &parameters.name, None, ALL)? {
        let excluded = EXCLUDED.get(&*work.txn, &(network, validator))?.is_some();
        if !excluded && embedded_keys(work, record, validator)?.is_some() {
            stakes.push((validator, stake));
        }
    }
    let mut members = Vec::new();
    for (validator, shares) in allocate_shares(stakes, parameters.stake_per_share) {
        if let Some(embedded) = embedded_keys(work, record, validator)? {
            members.push(SetMember { validator, shares, embedded });
        }
    }
    Ok(members)
}

/// The keys which a set of this network refers to; `None` if the validator lacks one.
fn embedded_keys(
    work: &Work<'_>,
    record: &NetworkRecord,
    validator: Validator,
) -> Result<Option<EmbeddedKeys>, StoreError> {
    let Some(validator) = VALIDATORS.get(&*work.txn, &validator)? else { return Ok(None) };
    let base = validator.embedded_key(EmbeddedCurve::Embedwards25519).cloned();
    let network = validator.embedded_key(record.parameters.curve.embedded()).cloned();
    Ok(base.zip(network).map(|(base, network)| EmbeddedKeys { base, network }))
}

pub(super) fn set_keys(work: &mut Work<'_>, call: &SetKeys) -> Ruling {
    let mut record = SETS.get(&*work.txn, &call.set)?.ok_or(Refusal::UnknownSet)?;
    match record.state {
        SetState::Declared => {}
        SetState::Dropped => return Err(Refusal::SetDropped.into()),
        SetState::Waiting | SetState::InCharge | SetState::Retiring { .. } | SetState::Retired => {
            return Err(Refusal::KeysAlreadySet.into());
        }
    }
    check_confirmation(work, call, &record.declaration)?;
    let mut network = super::accounts::network(work, call.set.network)?;
    record.key_pair = Some(call.key_pair.clone());
    record.state = if network.in_charge.is_none() { SetState::InCharge } else { SetState::Waiting };
    SETS.put(work.txn, &call.set, &record);
    if network.in_charge.is_none() {
        network.in_charge = Some(call.set.session);
        NETWORKS.put(work.txn, &call.set.network, &network);
    }
    work.events.push(Event::KeysSet {
        set: call.set,
        key_pair: call.key_pair.clone(),
        signers: call.signers.clone(),
    });
    Ok(())
}

fn check_confirmation(work: &Work<'_>, call: &SetKeys, declaration: &SetDeclaration) -> Ruling {
    let pair = &call.key_pair;
    if !signing::is_base_key(&pair.base) || !signing::is_network_key(declaration.curve, &pair.network) {
        return Err(Refusal::BadKeyPair.into());
    }
    let weight = call.signers.weight(&declaration.shares()).ok_or(Refusal::BadSigners)?;
    let threshold = declaration.threshold;
    if weight < u32::from(threshold.0) {
        return Err(Refusal::TooFewSigners { weight, threshold }.into());
    }
    let validators = declaration.validators();
    let signers = call.signers.select(&validators).ok_or(Refusal::BadSigners)?;
    let signers: Vec<_> = signers.into_iter().copied().collect();
    if !signing::verify_set_keys(work.chain, call.set, pair, &signers, &call.signature) {
        return Err(Refusal::BadSignature.into());
    }
    Ok(())
}
