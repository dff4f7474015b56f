//! Cosigning over finalized blocks which a test makes: real signatures, several networks.

mod conflicts;
mod exchange;
mod gate;
mod intended;
mod requests;

use ciphersuite::group::GroupEncoding;
use coordinator_base_chain::{
    Block, CosignParameters, Event, Header, SetDeclaration, Signers, merkle_root, signing,
};
use coordinator_store::Store;
use modular_frost::{
    algorithm::{Hram, SchnorrSignature},
    curve::{Ciphersuite, IetfRistrettoHram, Ristretto},
};
use processor_messages::{
    Account, Amount, BaseBlock, BaseBlockHash, Burn, Bytes, Genesis, KeyPair, Network, Session, ValidatorSet,
};
use zeroize::Zeroizing;

use super::cluster::{CHAIN, Manner::Honest, Node, declaration};
use crate::{
    Error, base_chain,
    base_chain::Handled,
    cosign::{self, Cosign, Observed, Verdict},
    session::{
        SetSpec, own,
        transaction::{PROVIDED_KINDS, Provided},
    },
};

/// The distance of every chain here.
const DISTANCE: u32 = 5;

fn network(name: &str) -> Network {
    Network::new(name).unwrap()
}

fn set(name: &str, session: u32) -> ValidatorSet {
    ValidatorSet { network: network(name), session: Session(session) }
}

fn secret(set: ValidatorSet) -> Zeroizing<<Ristretto as Ciphersuite>::F> {
    Zeroizing::new(Ristretto::hash_to_F(b"cosign test", set.to_string().as_bytes()))
}

/// One validator, which is node 0, and this much stake.
fn declared(set: ValidatorSet, stake: u64) -> Event {
    let cosign = CosignParameters { distance_blocks: DISTANCE, stake_per_share: Amount(stake) };
    Event::SetDeclared(SetDeclaration { set, cosign, ..declaration(&[1], set.session) })
}

fn keys_set(set: ValidatorSet) -> Event {
    let base = (Ristretto::generator() * *secret(set)).to_bytes();
    let key_pair = KeyPair { base, network: Bytes::new(vec![1; 33]).unwrap() };
    Event::KeysSet { set, key_pair, signers: Signers::default() }
}

fn handed_over(retiring: ValidatorSet) -> Event {
    let accepted_by = retiring.session.next();
    Event::HandoverAccepted { retiring, accepted_by, slash_report_deadline: BaseBlock(1_000_000) }
}

fn burn(name: &str) -> Event {
    let burn = Burn { from: Account([1; 32]), amount: Amount(5), destination: Bytes::new(vec![2]).unwrap() };
    Event::Burn { network: network(name), burn }
}

fn sign_as(set: ValidatorSet, signer: ValidatorSet, block: BaseBlock, hash: BaseBlockHash) -> Cosign {
    let (secret, nonce) = (secret(signer), Ristretto::hash_to_F(b"cosign test nonce", &hash.0));
    let (point, key) = (Ristretto::generator() * nonce, Ristretto::generator() * *secret);
    let c = IetfRistrettoHram::hram(&point, &key, &signing::cosign_message(CHAIN, set, block, hash));
    let signature = SchnorrSignature::<Ristretto>::sign(&secret, Zeroizing::new(nonce), c);
    Cosign { set, block, hash, signature: signing::to_signature(&signature) }
}

/// Finalized blocks.
#[derive(Default)]
struct Finalized(Vec<Block>);

impl Finalized {
    fn push(&mut self, events: Vec<Event>) {
        let number = BaseBlock(self.0.len() as u64);
        let header = Header {
            chain: CHAIN,
            number,
            parent: self.0.last().map_or(BaseBlockHash::default(), Block::hash),
            time_unix_ms: 5_000 + number.0,
            transactions_root: merkle_root::<[u8; 32]>(&[]),
            events_root: merkle_root(&events),
            state_root: [0; 32],
        };
        self.0.push(Block { header, transactions: Vec::new(), events });
    }

    /// Session zero of these networks is declared in block 0 and has keys in block 1.
    fn keyed(stakes: &[(&str, u64)]) -> Self {
        let mut this = Self::default();
        this.push(stakes.iter().map(|(name, stake)| declared(set(name, 0), *stake)).collect());
        this.push(stakes.iter().map(|(name, _)| keys_set(set(name, 0))).collect());
        this
    }

    fn push_empty(&mut self, count: usize) {
        (0..count).for_each(|_| self.push(Vec::new()));
    }

    fn last(&self) -> u64 {
        self.0.len() as u64 - 1
    }

    fn block(&self, number: u64) -> &Block {
        &self.0[usize::try_from(number).unwrap()]
    }

    fn cosign(&self, of: ValidatorSet, number: u64) -> Cosign {
        sign_as(of, of, BaseBlock(number), self.block(number).hash())
    }
}

/// A coordinator of validator `index`.
fn coordinator(index: usize) -> Node {
    Node::new(index, Honest)
}

impl Node {
    fn try_observe(&mut self, block: &Block) -> Result<Observed, Error> {
        self.step(|step| cosign::observe(step, block))
    }

    /// Observes everything that is final.
    fn observe(&mut self, finalized: &Finalized) {
        let next = self.store.read(|db| cosign::next_block(db)).unwrap();
        for block in &finalized.0[usize::try_from(next.0).unwrap()..] {
            assert_eq!(self.try_observe(block).unwrap(), Observed::Done);
        }
    }

    /// Handles what the gate lets pass; the next block, and why it is not handled if it is final.
    fn follow(&mut self, finalized: &Finalized) -> (u64, Option<cosign::Hold>) {
        loop {
            let next = self.store.read(|db| base_chain::next_block(db)).unwrap();
            let Some(block) = finalized.0.get(usize::try_from(next.0).unwrap()) else {
                return (next.0, None);
            };
            match self.step(|step| base_chain::follow(step, block)).unwrap() {
                Handled::Done => {}
                Handled::Held(hold) => return (next.0, Some(hold)),
                other => panic!("{other:?}"),
            }
        }
    }

    fn take(&mut self, cosign: &Cosign) -> Verdict {
        self.step(|step| cosign::take(step, cosign)).unwrap()
    }

    fn cosign_status(&self) -> cosign::status::CosignStatus {
        self.store.read(|db| cosign::status::read(db)).unwrap()
    }

    /// What was derived for the tributary of a set.
    fn derived(&self, genesis: Genesis) -> Vec<Provided> {
        let of = |kind| self.store.read(|db| own::provided(db, genesis, kind, 0, 10_000)).unwrap();
        let payloads = PROVIDED_KINDS.into_iter().flat_map(of);
        payloads.map(|payload| Provided::from_bytes(&payload).unwrap()).collect()
    }

    fn derived_cosigns(&self, genesis: Genesis) -> Vec<u64> {
        let cosign = |payload| match payload {
            Provided::Cosign { block, .. } => Some(block.0),
            _ => None,
        };
        self.derived(genesis).into_iter().filter_map(cosign).collect()
    }

    fn derived_cosigned(&self, genesis: Genesis) -> Vec<u64> {
        let cosigned = |payload| match payload {
            Provided::Cosigned { block } => Some(block.0),
            _ => None,
        };
        self.derived(genesis).into_iter().filter_map(cosigned).collect()
    }
}

/// The tributary of a set which a block declared.
fn genesis_of(finalized: &Finalized, set: ValidatorSet) -> Genesis {
    let declared = finalized.0.iter().find_map(|block| {
        block.events.iter().find_map(|event| match event {
            Event::SetDeclared(declaration) if declaration.set == set => {
                SetSpec::new(CHAIN, block.number(), block.hash(), declaration)
            }
            _ => None,
        })
    });
    declared.unwrap().genesis
}
