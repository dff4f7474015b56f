//! Accounts: nonces, free coins, networks' coins (`BASE-30` to `BASE-33`).

use coordinator_base_chain::{Call, Coin, Event, Refusal, SignedCall};
use coordinator_store::{Read, StoreError};
use processor_messages::{Account, Amount, Burn, Network, Validator};

use super::{
    Ruling, Stop, Work,
    batches::MAX_BURNS_IN_BLOCK,
    registration, stake,
    state::{ACCOUNTS, AccountRecord, COINS, NETWORKS, NetworkRecord},
};

/// How far ahead of its account a call's nonce may be while it waits.
pub(crate) const MAX_NONCE_AHEAD: u64 = 64;

pub(super) fn call(work: &mut Work<'_>, signed: &SignedCall) -> Ruling {
    let mut account = account(&*work.txn, signed.account)?;
    let (nonce, next) = (signed.nonce, account.nonce);
    if nonce < next {
        return Err(Refusal::NonceUsed { nonce, next }.into());
    }
    if !signed.verify(work.chain) {
        return Err(Refusal::BadSignature.into());
    }
    if nonce > next {
        return Err(Refusal::NonceAhead { nonce, next }.into());
    }
    account.nonce = next.checked_add(1).ok_or(Refusal::Overflow)?;
    ACCOUNTS.put(work.txn, &signed.account.0, &account);
    let validator = Validator(signed.account.0);
    match &signed.call {
        Call::Allocate { network, amount } => stake::allocate(work, validator, *network, *amount),
        Call::Deallocate { network, amount } => stake::deallocate(work, validator, *network, *amount),
        Call::RegisterEmbeddedKey { curve, key, proof } => {
            registration::embedded_key(work, validator, *curve, key, proof)
        }
        Call::RegisterAddresses { addresses } => registration::addresses(work, validator, addresses),
        Call::Transfer { coin, to, amount } => transfer(work, signed.account, *coin, *to, *amount),
        Call::Burn { network, amount, destination } => {
            let burn = Burn { from: signed.account, amount: *amount, destination: destination.clone() };
            execute_burn(work, *network, burn)
        }
    }
}

pub(super) fn account(db: &(impl Read + ?Sized), account: Account) -> Result<AccountRecord, StoreError> {
    Ok(ACCOUNTS.get(db, &account.0)?.unwrap_or_default())
}

pub(super) fn network(work: &Work<'_>, network: Network) -> Ruling<NetworkRecord> {
    NETWORKS.get(&*work.txn, &network)?.ok_or(Stop::Refused(Refusal::UnknownNetwork))
}

pub(super) fn not_zero(amount: Amount) -> Ruling {
    if amount.0 == 0 { Err(Refusal::ZeroAmount.into()) } else { Ok(()) }
}

/// Adds to an account's free coins.
pub(super) fn deposit_free(work: &mut Work<'_>, to: Account, amount: Amount) -> Ruling {
    let mut record = account(&*work.txn, to)?;
    record.free = Amount(record.free.0.checked_add(amount.0).ok_or(Refusal::Overflow)?);
    ACCOUNTS.put(work.txn, &to.0, &record);
    Ok(())
}

/// Takes from an account's free coins.
pub(super) fn withdraw_free(work: &mut Work<'_>, from: Account, amount: Amount) -> Ruling {
    let mut record = account(&*work.txn, from)?;
    record.free = Amount(record.free.0.checked_sub(amount.0).ok_or(Refusal::InsufficientFunds)?);
    ACCOUNTS.put(work.txn, &from.0, &record);
    Ok(())
}

/// Adds to what an account holds of a network's coins.
pub(super) fn deposit_coins(work: &mut Work<'_>, to: Account, of: Network, amount: Amount) -> Ruling {
    let held = COINS.get(&*work.txn, &(to.0, of))?.unwrap_or_default();
    let held = held.0.checked_add(amount.0).ok_or(Refusal::Overflow)?;
    COINS.put(work.txn, &(to.0, of), &Amount(held));
    Ok(())
}

fn withdraw_coins(work: &mut Work<'_>, from: Account, of: Network, amount: Amount) -> Ruling {
    let held = COINS.get(&*work.txn, &(from.0, of))?.unwrap_or_default();
    match held.0.checked_sub(amount.0) {
        None => Err(Refusal::InsufficientFunds.into()),
        Some(0) => {
            COINS.delete(work.txn, &(from.0, of));
            Ok(())
        }
        Some(rest) => {
            COINS.put(work.txn, &(from.0, of), &Amount(rest));
            Ok(())
        }
    }
}

fn transfer(work: &mut Work<'_>, from: Account, coin: Coin, to: Account, amount: Amount) -> Ruling {
    not_zero(amount)?;
    match coin {
        Coin::Stake => {
            withdraw_free(work, from, amount)?;
            deposit_free(work, to, amount)
        }
        Coin::Of(of) => {
            network(work, of)?;
            withdraw_coins(work, from, of, amount)?;
            deposit_coins(work, to, of, amount)
        }
    }
}

fn execute_burn(work: &mut Work<'_>, of: Network, burn: Burn) -> Ruling {
    not_zero(burn.amount)?;
    let mut record = network(work, of)?;
    let before = if record.burns_in.0 == work.number { record.burns_in.1 } else { 0 };
    if before >= MAX_BURNS_IN_BLOCK {
        return Err(Refusal::BurnsInBlock.into());
    }
    withdraw_coins(work, burn.from, of, burn.amount)?;
    record.burns_in = (work.number, before + 1);
    record.supply = Amount(record.supply.0.checked_sub(burn.amount.0).ok_or(Refusal::InsufficientFunds)?);
    NETWORKS.put(work.txn, &of, &record);
    work.events.push(Event::Burn { network: of, burn });
    Ok(())
}
