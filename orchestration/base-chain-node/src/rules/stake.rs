//! Stake: allocation, unlocking, slashing (`BASE-15` to `BASE-17`, `BASE-44`, `BASE-45`).
//!
//! ```text
//!   free ──Allocate──▶ staked ──Deallocate──▶ unlocking, while a set needs it ──▶ free
//!                          └────── slash report: destroyed ──────┘
//! ```

use coordinator_base_chain::{
    Event, NetworkParameters, Refusal, SetMember, SetState, SlashReportCall, signing,
};
use coordinator_store::StoreError;
use processor_messages::{Account, Amount, Network, Session, Slash, SlashReport, Validator, ValidatorSet};

use super::{
    Ruling, Work, accounts, sets,
    state::{ACCOUNTS, ALL, EXCLUDED, LIVE, SETS, STAKES, SetRecord, UNLOCKING},
};

/// So many points cost all the stake behind a validator's key shares.
pub(crate) const POINTS_FOR_ALL: u32 = 10_000;

fn stake_of(work: &Work<'_>, network: Network, validator: Validator) -> Result<Amount, StoreError> {
    Ok(STAKES.get(&*work.txn, &(network, validator))?.unwrap_or_default())
}

fn set_stake(work: &mut Work<'_>, network: Network, validator: Validator, stake: Amount) {
    if stake.0 == 0 {
        STAKES.delete(work.txn, &(network, validator));
    } else {
        STAKES.put(work.txn, &(network, validator), &stake);
    }
    work.events.push(Event::StakeChanged { validator, network, stake });
}

fn change_bonded(
    work: &mut Work<'_>,
    validator: Validator,
    change: impl FnOnce(u64) -> Option<u64>,
) -> Ruling {
    let mut account = accounts::account(&*work.txn, Account(validator.0))?;
    account.bonded = Amount(change(account.bonded.0).ok_or(Refusal::Overflow)?);
    ACCOUNTS.put(work.txn, &validator.0, &account);
    Ok(())
}

/// A stake below one key share takes no part in any set, and would be an entry that costs nothing.
fn enough(stake: Amount, parameters: &NetworkParameters) -> Ruling {
    if (stake.0 != 0) && (stake < parameters.stake_per_share) {
        return Err(Refusal::StakeTooSmall { least: parameters.stake_per_share }.into());
    }
    Ok(())
}

pub(super) fn allocate(
    work: &mut Work<'_>,
    validator: Validator,
    network: Network,
    amount: Amount,
) -> Ruling {
    accounts::not_zero(amount)?;
    let parameters = accounts::network(work, network)?.parameters;
    if EXCLUDED.get(&*work.txn, &(network, validator))?.is_some() {
        return Err(Refusal::Excluded.into());
    }
    let stake = stake_of(work, network, validator)?.0.checked_add(amount.0).ok_or(Refusal::Overflow)?;
    enough(Amount(stake), &parameters)?;
    accounts::withdraw_free(work, Account(validator.0), amount)?;
    change_bonded(work, validator, |bonded| bonded.checked_add(amount.0))?;
    set_stake(work, network, validator, Amount(stake));
    Ok(())
}

pub(super) fn deallocate(
    work: &mut Work<'_>,
    validator: Validator,
    network: Network,
    amount: Amount,
) -> Ruling {
    accounts::not_zero(amount)?;
    let parameters = accounts::network(work, network)?.parameters;
    let stake = stake_of(work, network, validator)?.0.checked_sub(amount.0);
    let stake = Amount(stake.ok_or(Refusal::InsufficientFunds)?);
    enough(stake, &parameters)?;
    set_stake(work, network, validator, stake);
    unlock(work, network, validator, amount)
}

/// Frees stake, or lets it wait for the latest live set which the validator is in.
fn unlock(work: &mut Work<'_>, network: Network, validator: Validator, amount: Amount) -> Ruling {
    let Some(session) = latest_live_session(work, network, validator)? else {
        change_bonded(work, validator, |bonded| bonded.checked_sub(amount.0))?;
        return accounts::deposit_free(work, Account(validator.0), amount);
    };
    let key = (network, session, validator);
    let waiting = UNLOCKING.get(&*work.txn, &key)?.unwrap_or_default();
    let waiting = waiting.0.checked_add(amount.0).ok_or(Refusal::Overflow)?;
    UNLOCKING.put(work.txn, &key, &Amount(waiting));
    Ok(())
}

fn latest_live_session(
    work: &Work<'_>,
    network: Network,
    validator: Validator,
) -> Result<Option<Session>, StoreError> {
    for (set, ()) in LIVE.scan(&*work.txn, &network, None, ALL)?.into_iter().rev() {
        if SETS.get(&*work.txn, &set)?.is_some_and(|record| record.declaration.contains(validator)) {
            return Ok(Some(set.session));
        }
    }
    Ok(None)
}

/// Frees what waited for a set that is no longer live, unless another live set needs it.
pub(super) fn release(work: &mut Work<'_>, set: ValidatorSet) -> Ruling {
    let scope = (set.network, set.session);
    for (key, amount) in UNLOCKING.scan(&*work.txn, &scope, None, ALL)? {
        UNLOCKING.delete(work.txn, &key);
        unlock(work, set.network, key.2, amount)?;
    }
    Ok(())
}

pub(super) fn report_slashes(work: &mut Work<'_>, call: &SlashReportCall) -> Ruling {
    let record = SETS.get(&*work.txn, &call.set)?.ok_or(Refusal::UnknownSet)?;
    let SetState::Retiring { .. } = record.state else { return Err(Refusal::NoReportPending.into()) };
    if !in_set_order(&record.declaration.members, &call.report) {
        return Err(Refusal::BadReport.into());
    }
    let message = signing::slash_report_message(work.chain, call.set, &call.report);
    let key = record.key_pair.as_ref().ok_or(Refusal::NoKeys)?.base;
    if !signing::verify(&key, &message, &call.signature) {
        return Err(Refusal::BadSignature.into());
    }
    let parameters = accounts::network(work, call.set.network)?.parameters;
    for (validator, slash) in &call.report {
        apply_slash(work, &record, &parameters, *validator, *slash)?;
    }
    work.events.push(Event::SlashesReported { set: call.set, report: call.report.clone() });
    sets::retire(work, call.set, record, true)
}

/// Whether the report names members only, each at most once, in set order.
fn in_set_order(members: &[SetMember], report: &SlashReport) -> bool {
    let mut members = members.iter();
    report.iter().all(|(validator, _)| members.any(|member| member.validator == *validator))
}

/// What a slash costs: points in proportion of the stake behind the key shares, a fatal slash everything.
fn apply_slash(
    work: &mut Work<'_>,
    record: &SetRecord,
    parameters: &NetworkParameters,
    validator: Validator,
    slash: Slash,
) -> Ruling {
    let network = parameters.name;
    let shares = record.declaration.members.iter().find(|member| member.validator == validator);
    let shares = shares.map_or(0, |member| member.shares.0);
    let cost = match slash {
        Slash::Points(points) => {
            let points = u128::from(points.min(POINTS_FOR_ALL));
            let behind = u128::from(shares) * u128::from(parameters.stake_per_share.0);
            u64::try_from((behind * points) / u128::from(POINTS_FOR_ALL)).unwrap_or(u64::MAX)
        }
        Slash::Fatal => {
            EXCLUDED.put(work.txn, &(network, validator), &());
            u64::MAX
        }
    };
    destroy(work, network, validator, cost)
}

/// Destroys up to `cost` of a validator's stake in a network: what is staked first, then what unlocks.
fn destroy(work: &mut Work<'_>, network: Network, validator: Validator, cost: u64) -> Ruling {
    let stake = stake_of(work, network, validator)?;
    let mut taken = stake.0.min(cost);
    if taken > 0 {
        set_stake(work, network, validator, Amount(stake.0 - taken));
    }
    for (set, ()) in LIVE.scan(&*work.txn, &network, None, ALL)? {
        let key = (network, set.session, validator);
        let waiting = UNLOCKING.get(&*work.txn, &key)?.unwrap_or_default();
        let more = waiting.0.min(cost - taken);
        if more == 0 {
            continue;
        }
        taken += more;
        if waiting.0 == more {
            UNLOCKING.delete(work.txn, &key);
        } else {
            UNLOCKING.put(work.txn, &key, &Amount(waiting.0 - more));
        }
    }
    change_bonded(work, validator, |bonded| bonded.checked_sub(taken))
}
