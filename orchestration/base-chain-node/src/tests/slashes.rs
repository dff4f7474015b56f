//! BASE-44, BASE-45: the report is the retiring set's own, and it is applied.

use coordinator_base_chain::{
    BaseChain, Call, Event, Refusal, SetState, SlashReportCall, Transaction, signing,
};
use coordinator_keys::SecretKey;
use processor_messages::{Amount, MAX_KEY_SHARES, Slash, Validator, ValidatorSet};

use super::{
    support::{EPOCH, REPORT, TestChain, bitcoin, free, key, set, sign, staked, state_of, validator},
    testnet::serve,
};
use crate::{application::lock, query};

/// Session 0 retires, session 1 is in charge.
fn retiring() -> TestChain {
    retiring_of(&[2, 2, 2, 2], 3)
}

/// The same with these key shares, where so many confirm.
fn retiring_of(shares: &[u64], signers: usize) -> TestChain {
    let (chain, signers) = (TestChain::new(shares), (0..signers).collect::<Vec<_>>());
    chain.block(&[chain.set_keys(0, &key(50), &signers)]);
    chain.run_to(EPOCH);
    chain.block(&[chain.set_keys(1, &key(51), &signers)]);
    chain.block(&[chain.batch(0, &key(51), &[])]);
    chain
}

fn members(chain: &TestChain) -> Vec<Validator> {
    chain.read(|db| query::set(db, set(0))).unwrap().unwrap().declaration.validators()
}

fn owner(chain: &TestChain, place: usize) -> SecretKey {
    let member = members(chain)[place];
    chain.keys.iter().find(|key| validator(key) == member).unwrap().clone()
}

fn report(
    chain: &TestChain,
    of: ValidatorSet,
    by: &SecretKey,
    slashes: &[(Validator, Slash)],
) -> Transaction {
    let report = slashes.to_vec().try_into().unwrap();
    let signature = sign(by, &signing::slash_report_message(chain.chain, of, &report));
    Transaction::ReportSlashes(SlashReportCall { set: of, report, signature })
}

#[test]
fn a_report_costs_in_proportion_and_retires_the_set() {
    let chain = retiring();
    let (first, third) = (owner(&chain, 0), owner(&chain, 2));
    let slashes = [(validator(&first), Slash::Points(2_500)), (validator(&third), Slash::Fatal)];
    let block = chain.block(&[report(&chain, set(0), &key(50), &slashes)]);
    assert!(block.events.contains(&Event::SetRetired { set: set(0), reported: true }));
    assert!(
        block
            .events
            .iter()
            .any(|event| matches!(event, Event::SlashesReported { set: of, .. } if *of == set(0)))
    );
    assert_eq!(state_of(&chain, 0), SetState::Retired);
    assert_eq!((staked(&chain, &first), staked(&chain, &third)), (150, 0));

    let back = Call::Allocate { network: bitcoin(), amount: Amount(500) };
    assert_eq!(chain.judge(&chain.call(&third, back)), Err(Refusal::Excluded));
    assert_eq!(chain.judge(&report(&chain, set(0), &key(50), &slashes)), Err(Refusal::NoReportPending));
}

#[test]
fn points_beyond_all_cost_all_behind_the_shares() {
    let chain = retiring();
    let first = owner(&chain, 0);
    chain.block(&[chain.call(&first, Call::Allocate { network: bitcoin(), amount: Amount(300) })]);
    chain.block(&[report(&chain, set(0), &key(50), &[(validator(&first), Slash::Points(u32::MAX))])]);
    assert_eq!(staked(&chain, &first), 300);
}

#[test]
fn stake_that_unlocks_is_slashed_too() {
    let chain = retiring();
    let first = owner(&chain, 0);
    chain.block(&[chain.call(&first, Call::Deallocate { network: bitcoin(), amount: Amount(200) })]);
    chain.block(&[report(&chain, set(0), &key(50), &[(validator(&first), Slash::Fatal)])]);
    assert_eq!((staked(&chain, &first), free(&chain, &first)), (0, 1_000));
    let bonded = chain.read(|db| crate::rules::state::ACCOUNTS.get(db, &validator(&first).0));
    assert_eq!(bonded.unwrap().unwrap().bonded, Amount(0));
}

/// Defect of the reference system: there the accepting set's key and session were used.
#[test]
fn only_the_retiring_sets_key_reports_and_only_on_itself() {
    let chain = retiring();
    let slashes = [(validator(&owner(&chain, 1)), Slash::Points(1))];
    assert_eq!(chain.judge(&report(&chain, set(0), &key(51), &slashes)), Err(Refusal::BadSignature));
    assert_eq!(chain.judge(&report(&chain, set(1), &key(51), &slashes)), Err(Refusal::NoReportPending));
    assert_eq!(chain.judge(&report(&chain, set(7), &key(50), &slashes)), Err(Refusal::UnknownSet));
    assert_eq!(chain.judge(&report(&chain, set(0), &key(50), &slashes)), Ok(()));
}

#[test]
fn a_report_names_members_once_in_set_order() {
    let chain = retiring();
    let at = |place: usize| (members(&chain)[place], Slash::Points(1));
    let judge = |slashes: &[(Validator, Slash)]| chain.judge(&report(&chain, set(0), &key(50), slashes));
    assert_eq!(judge(&[at(1), at(0)]), Err(Refusal::BadReport));
    assert_eq!(judge(&[at(1), at(1)]), Err(Refusal::BadReport));
    assert_eq!(judge(&[(validator(&key(88)), Slash::Fatal)]), Err(Refusal::BadReport));
    assert_eq!(judge(&[at(0), at(3)]), Ok(()));
    assert_eq!(judge(&[]), Ok(()));
}

#[tokio::test]
async fn ref_11_the_longest_report_is_taken_off_the_wire_and_applied() {
    // BASE-45: of the largest set, none of whom is spared.
    let chain = retiring_of(&[1; MAX_KEY_SHARES as usize], 101);
    let slash = |place: usize| if place.is_multiple_of(2) { Slash::Fatal } else { Slash::Points(u32::MAX) };
    let slashes: Vec<_> =
        members(&chain).into_iter().enumerate().map(|(place, member)| (member, slash(place))).collect();
    assert_eq!(slashes.len(), usize::from(MAX_KEY_SHARES));
    let transaction = report(&chain, set(0), &key(50), &slashes);
    let served = serve(&chain).await;
    assert_eq!(served.client.submit(&transaction).await, Ok(transaction.hash()));
    let waiting = lock(&served.pool).candidates();
    let block = chain.block(&[waiting[0].transaction.clone()]);
    assert!(block.events.contains(&Event::SetRetired { set: set(0), reported: true }));
    let applied =
        |event: &Event| matches!(event, Event::SlashesReported { report, .. } if report.len() == 150);
    assert!(block.events.iter().any(applied));
    assert_eq!(state_of(&chain, 0), SetState::Retired);
    assert!((0..150).all(|place| staked(&chain, &owner(&chain, place)) == 0));
}

#[test]
fn past_its_deadline_a_set_retires_without_a_report() {
    let chain = retiring();
    let late = report(&chain, set(0), &key(50), &[]);
    chain.run_to(chain.number() + REPORT);
    assert_eq!(chain.judge(&late), Err(Refusal::NoReportPending));
}
