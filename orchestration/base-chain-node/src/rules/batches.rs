//! Batches and the handover (`BASE-41`, `BASE-42`, `BASE-43`).

use coordinator_base_chain::{Event, Refusal, SetState, signing};
use coordinator_store::StoreError;
use processor_messages::{
    Amount, BaseBlock, BaseKey, Batch, Instruction, List, MAX_BATCH_BYTES, MAX_INSTRUCTIONS, Network,
    Session, SignedBatch, ValidatorSet, base_chain::ExecutedBatch, encode,
};

use super::{
    Ruling, Stop, Work, accounts,
    state::{NETWORKS, NetworkRecord, SETS},
};

/// The most burns of one network in one block: what one message to a processor can hold.
pub const MAX_BURNS_IN_BLOCK: u32 = 1_024;

pub(super) fn execute(work: &mut Work<'_>, signed: &SignedBatch) -> Ruling {
    let batch = &signed.batch;
    if encode(batch).len() > MAX_BATCH_BYTES {
        return Err(Refusal::BatchTooLarge.into());
    }
    let record = accounts::network(work, batch.network)?;
    check_turn(work, batch, &record)?;
    let publisher = publisher(work, signed, &record)?;
    let mut record = record;
    if record.in_charge != Some(publisher) {
        accept_handover(work, &mut record, publisher)?;
    }
    record.next_batch = batch.id.next();
    record.batch_in = Some(work.number);
    let results = execute_instructions(work, batch, &mut record)?;
    NETWORKS.put(work.txn, &batch.network, &record);
    let executed = ExecutedBatch {
        id: batch.id,
        publisher,
        block: batch.block,
        instructions_hash: signing::instructions_hash(batch),
        results,
    };
    work.events.push(Event::BatchExecuted { network: batch.network, batch: executed });
    Ok(())
}

fn check_turn(work: &Work<'_>, batch: &Batch, record: &NetworkRecord) -> Ruling {
    let (id, next) = (batch.id, record.next_batch);
    if id < next {
        return Err(Refusal::BatchStale { id, next }.into());
    }
    if (id > next) && !mutated!(PublishAhead) {
        return Err(Refusal::BatchAhead { id, next }.into());
    }
    if record.batch_in == Some(work.number) {
        return Err(Refusal::BatchInBlock.into());
    }
    Ok(())
}

/// Whose key signed: the set in charge, else the set which waits to take over.
fn publisher(work: &Work<'_>, signed: &SignedBatch, record: &NetworkRecord) -> Ruling<Session> {
    let in_charge = record.in_charge.ok_or(Refusal::NoKeys)?;
    let message = signing::batch_message(work.chain, &signed.batch);
    let latest = record.latest.filter(|latest| *latest != in_charge);
    for session in [Some(in_charge), latest].into_iter().flatten() {
        let key = publishing_key(work, record.parameters.name, session)?;
        let valid =
            |key: BaseKey| mutated!(UnsignedBatch) || signing::verify(&key, &message, &signed.signature);
        if key.is_some_and(valid) {
            return Ok(session);
        }
    }
    Err(Refusal::BadSignature.into())
}

fn publishing_key(
    work: &Work<'_>,
    network: Network,
    session: Session,
) -> Result<Option<BaseKey>, StoreError> {
    let record = SETS.get(&*work.txn, &ValidatorSet { network, session })?;
    let record = record.filter(|set| matches!(set.state, SetState::InCharge | SetState::Waiting));
    Ok(record.and_then(|set| set.key_pair).map(|pair| pair.base))
}

/// The waiting set takes over; the former one owes its slash report.
fn accept_handover(work: &mut Work<'_>, record: &mut NetworkRecord, accepted_by: Session) -> Ruling {
    let network = record.parameters.name;
    let former = record.in_charge.ok_or(Refusal::NoKeys)?;
    let deadline = work.number.0.saturating_add(record.parameters.slash_report_deadline_blocks);
    let deadline = BaseBlock(deadline);
    let retiring = ValidatorSet { network, session: former };
    set_state(work, retiring, SetState::Retiring { deadline })?;
    set_state(work, ValidatorSet { network, session: accepted_by }, SetState::InCharge)?;
    record.in_charge = Some(accepted_by);
    work.events.push(Event::HandoverAccepted { retiring, accepted_by, slash_report_deadline: deadline });
    Ok(())
}

fn set_state(work: &mut Work<'_>, set: ValidatorSet, state: SetState) -> Ruling {
    let mut record = SETS.get(&*work.txn, &set)?.ok_or(Refusal::UnknownSet)?;
    record.state = state;
    SETS.put(work.txn, &set, &record);
    Ok(())
}

fn execute_instructions(
    work: &mut Work<'_>,
    batch: &Batch,
    record: &mut NetworkRecord,
) -> Ruling<List<bool, MAX_INSTRUCTIONS>> {
    let mut results = Vec::new();
    for instruction in &batch.instructions {
        let result = match execute_instruction(work, instruction, record) {
            Ok(()) => true,
            Err(Stop::Refused(_)) => false,
            Err(Stop::Store(error)) => return Err(error.into()),
        };
        results.push(result);
    }
    Ok(List::new(results).expect("as many as the instructions, which have this bound"))
}

/// Fails without having changed anything.
fn execute_instruction(work: &mut Work<'_>, instruction: &Instruction, record: &mut NetworkRecord) -> Ruling {
    match instruction {
        Instruction::Mint { to, amount } => {
            accounts::not_zero(*amount)?;
            // No account holds more than the supply, so the deposit cannot overflow when this does not.
            let supply = record.supply.0.checked_add(amount.0).ok_or(Refusal::Overflow)?;
            accounts::deposit_coins(work, *to, record.parameters.name, *amount)?;
            record.supply = Amount(supply);
            Ok(())
        }
    }
}
