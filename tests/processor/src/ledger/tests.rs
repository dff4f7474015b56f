//! The network's payments: once each, signed, in each account's order, also over HTTP and after a restart.

use ciphersuite::group::GroupEncoding;
use coordinator_base_chain::NetworkCurve;
use coordinator_store::{MemoryStore, Store};
use modular_frost::{
    algorithm::{Hram, SchnorrSignature},
    curve::{Ciphersuite, Curve, Ed25519, IetfEd25519Hram, IetfSecp256k1Hram, Secp256k1},
};
use processor_messages::{Amount, BaseBlock, Bytes, ChainGenesis, List, Session};
use proptest::prelude::*;
use rand_core::OsRng;
use reqwest::StatusCode;
use zeroize::Zeroizing;

use super::{server::MAX_BODY_BYTES, *};

fn ledger(curve: NetworkCurve) -> Ledger {
    Ledger { chain: ChainGenesis([7; 32]), network: "bitcoin".parse().unwrap(), curve }
}

fn payment(block: u64) -> Payment {
    let destination = Bytes::new(b"somebody".to_vec()).unwrap();
    let outputs = List::new(vec![Output { destination, amount: Amount(3) }]).unwrap();
    Payment { session: Session(0), block: BaseBlock(block), index: 0, outputs }
}

/// Anybody's own key.
struct Account {
    curve: NetworkCurve,
    seed: [u8; 32],
}

fn signed_on<C: Curve, H: Hram<C>>(seed: &[u8], ledger: &Ledger, payment: Payment) -> SignedPayment {
    let secret = Zeroizing::new(<C as Ciphersuite>::hash_to_F(b"test", seed));
    let key = C::generator() * *secret;
    let nonce = C::random_nonce(&secret, &mut OsRng);
    let challenge = H::hram(&(C::generator() * *nonce), &key, &payment.message(ledger));
    let signature = SchnorrSignature::<C>::sign(&secret, nonce, challenge).serialize();
    let from = KeyBytes::new(key.to_bytes().as_ref().to_vec()).unwrap();
    SignedPayment { payment, from, signature: Bytes::new(signature).unwrap() }
}

impl Account {
    fn new(curve: NetworkCurve, tag: u8) -> Self {
        Self { curve, seed: [tag; 32] }
    }

    fn sign(&self, ledger: &Ledger, payment: Payment) -> SignedPayment {
        match self.curve {
            NetworkCurve::Secp256k1 => signed_on::<Secp256k1, IetfSecp256k1Hram>(&self.seed, ledger, payment),
            NetworkCurve::Ed25519 => signed_on::<Ed25519, IetfEd25519Hram>(&self.seed, ledger, payment),
        }
    }
}

const CURVES: [NetworkCurve; 2] = [NetworkCurve::Secp256k1, NetworkCurve::Ed25519];

fn submit(store: &MemoryStore, ledger: &Ledger, signed: &SignedPayment) -> Result<Accepted, Refusal> {
    store.write(|txn| ledger.submit(txn, signed)).unwrap().0
}

/// `PROC-15`.
#[test]
fn a_payment_is_taken_once_and_each_account_has_its_own_order() {
    for curve in CURVES {
        let (store, ledger) = (MemoryStore::default(), ledger(curve));
        let (alice, bob) = (Account::new(curve, 1), Account::new(curve, 2));
        let first = alice.sign(&ledger, payment(1));
        let second = alice.sign(&ledger, payment(2));
        let bobs = bob.sign(&ledger, payment(1));
        let places: Vec<_> = [&second, &bobs, &first, &second]
            .map(|signed| submit(&store, &ledger, signed).map(|a| (a.place, a.known)))
            .into();
        assert_eq!(places, [Ok((0, false)), Ok((0, false)), Ok((1, false)), Ok((0, true))]);
        // Another signature of the same payment is the same payment.
        assert!(submit(&store, &ledger, &alice.sign(&ledger, payment(1))).unwrap().known);
        let of =
            |account: &SignedPayment, from| store.read(|db| of_account(db, &account.from, from, 9)).unwrap();
        assert_eq!(of(&first, 0), [second.clone(), first.clone()]);
        assert_eq!(of(&first, 1), std::slice::from_ref(&first));
        assert_eq!(of(&bobs, 0), std::slice::from_ref(&bobs));
        assert_eq!(store.read(|db| all(db, 0, 9)).unwrap(), [second, bobs, first]);
    }
}

/// `PROC-15`: one tampering for each field.
#[test]
fn what_the_account_did_not_sign_for_this_network_is_refused() {
    for curve in CURVES {
        let ledger = ledger(curve);
        let store = MemoryStore::default();
        let right = Account::new(curve, 1).sign(&ledger, payment(1));
        let mut wrong = vec![right.clone(); 9];
        wrong[0].payment.session = Session(1);
        wrong[1].payment.block = BaseBlock(2);
        wrong[2].payment.index = 1;
        let output = Output { amount: Amount(4), ..right.payment.outputs[0].clone() };
        wrong[3].payment.outputs = List::new(vec![output]).unwrap();
        wrong[4].from = Account::new(curve, 2).sign(&ledger, payment(1)).from;
        let tampered = |at: usize| {
            let mut bytes = right.signature.to_vec();
            bytes[at] ^= 1;
            Bytes::new(bytes).unwrap()
        };
        wrong[5].signature = tampered(1);
        wrong[6].signature = tampered(40);
        wrong[7].signature = Bytes::default();
        wrong[8].from = KeyBytes::default();
        for (number, wrong) in wrong.iter().enumerate() {
            assert_eq!(submit(&store, &ledger, wrong), Err(Refusal::Signature), "{number}");
        }
        for other in [
            Ledger { chain: ChainGenesis([8; 32]), ..ledger },
            Ledger { network: "ethereum".parse().unwrap(), ..ledger },
        ] {
            assert_eq!(submit(&store, &other, &right), Err(Refusal::Signature));
        }
        let empty = Payment { outputs: List::default(), ..payment(1) };
        let empty = Account::new(curve, 1).sign(&ledger, empty);
        assert_eq!(submit(&store, &ledger, &empty), Err(Refusal::Empty));
        assert_eq!(store.read(|db| count(db)).unwrap(), 0);
        assert!(submit(&store, &ledger, &right).is_ok());
    }
}

#[test]
fn an_answer_holds_at_most_so_many_payments() {
    let (store, ledger) = (MemoryStore::default(), ledger(NetworkCurve::Ed25519));
    let account = Account::new(NetworkCurve::Ed25519, 1);
    let count = MAX_LISTED as u64 + 3;
    for block in 0..count {
        submit(&store, &ledger, &account.sign(&ledger, payment(block))).unwrap();
    }
    let from = account.sign(&ledger, payment(0)).from;
    let list = |start| store.read(|db| of_account(db, &from, start, usize::MAX)).unwrap();
    assert_eq!((list(0).len(), list(MAX_LISTED as u64).len(), list(count).len()), (MAX_LISTED, 3, 0));
    assert_eq!(store.read(|db| all(db, 0, usize::MAX)).unwrap().len(), MAX_LISTED);
}

#[test]
fn a_store_belongs_to_one_network() {
    let store = MemoryStore::default();
    let ledger = ledger(NetworkCurve::Ed25519);
    let claim = |ledger: Ledger| store.write(|txn| ledger.claim(txn)).unwrap().0;
    assert!(claim(ledger) && claim(ledger));
    assert!(!claim(Ledger { chain: ChainGenesis([8; 32]), ..ledger }));
    assert!(!claim(Ledger { network: "ethereum".parse().unwrap(), ..ledger }));
}

async fn serve(ledger: Ledger, store: MemoryStore) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, server::router(ledger, store)).await });
    url
}

#[tokio::test]
async fn payments_go_over_http_and_come_back_checked() {
    for curve in CURVES {
        let ledger = ledger(curve);
        let url = serve(ledger, MemoryStore::default()).await;
        let client = LedgerClient::new(&url, ledger).unwrap();
        let signed = Account::new(curve, 1).sign(&ledger, payment(1));
        let accepted = client.submit(&signed).await.unwrap();
        assert_eq!((accepted.id, accepted.place, accepted.known), (payment(1).id(&ledger), 0, false));
        assert!(client.submit(&signed).await.unwrap().known);
        assert_eq!(client.of_account(&signed.from, 0).await.unwrap(), std::slice::from_ref(&signed));
        assert_eq!(client.of_account(&signed.from, 1).await.unwrap(), []);
        let all: Vec<SignedPayment> =
            serde_json::from_slice(&get(&format!("{url}/payments")).await.1).unwrap();
        assert_eq!(all, std::slice::from_ref(&signed));
        let info: server::Info = serde_json::from_slice(&get(&url).await.1).unwrap();
        assert_eq!(info, server::Info { ledger, payments: 1 });
        // A client of another network does not believe it.
        let other = Ledger { chain: ChainGenesis([9; 32]), ..ledger };
        let other = LedgerClient::new(&url, other).unwrap();
        assert!(matches!(other.of_account(&signed.from, 0).await, Err(LedgerError::Wrong { .. })));
        assert!(matches!(other.submit(&signed).await, Err(LedgerError::Wrong { .. })));
    }
}

async fn get(url: &str) -> (StatusCode, Vec<u8>) {
    let answer = reqwest::get(url).await.unwrap();
    (answer.status(), answer.bytes().await.unwrap().to_vec())
}

/// `PROC-18`: one kind of refusal each, and the next request is served.
#[tokio::test]
async fn whatever_is_no_request_gets_a_code_and_harms_nobody() {
    let ledger = ledger(NetworkCurve::Secp256k1);
    let url = serve(ledger, MemoryStore::default()).await;
    let http = reqwest::Client::new();
    let post = async |body: Vec<u8>| {
        let answer = http.post(format!("{url}/payments")).body(body).send().await.unwrap();
        let status = answer.status();
        let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        (status.as_u16(), body["code"].as_str().unwrap().to_owned())
    };
    assert_eq!(post(b"{}".to_vec()).await, (422, "malformed".to_owned()));
    assert_eq!(post(vec![b'['; MAX_BODY_BYTES]).await, (422, "malformed".to_owned()));
    assert_eq!(post(vec![b' '; MAX_BODY_BYTES + 1]).await, (413, "too_large".to_owned()));
    let mut wrong = Account::new(NetworkCurve::Secp256k1, 1).sign(&ledger, payment(1));
    wrong.payment.index = 7;
    assert_eq!(post(serde_json::to_vec(&wrong).unwrap()).await, (422, "signature".to_owned()));
    for (path, status) in [
        ("/payments?from=x", 400),
        ("/payments?from=1&other=2", 400),
        ("/payments?limit=18446744073709551616", 400),
        ("/accounts/zz/payments", 400),
        ("/accounts/00/payments?from=18446744073709551615", 200),
        ("/nothing", 404),
    ] {
        assert_eq!(get(&format!("{url}{path}")).await.0.as_u16(), status, "{path}");
    }
    assert_eq!(get(&url).await.0, StatusCode::OK);
}

#[test]
fn the_largest_payment_fits_a_body() {
    let output = Output {
        destination: Bytes::new(vec![0xff; processor_messages::MAX_KEY_BYTES]).unwrap(),
        amount: Amount(u64::MAX),
    };
    let outputs = List::new(vec![output; MAX_OUTPUTS]).unwrap();
    let largest = SignedPayment {
        payment: Payment { session: Session(u32::MAX), block: BaseBlock(u64::MAX), index: u16::MAX, outputs },
        from: KeyBytes::new(vec![0xff; processor_messages::MAX_KEY_BYTES]).unwrap(),
        signature: Bytes::new(vec![0xff; 65]).unwrap(),
    };
    assert!(serde_json::to_vec(&largest).unwrap().len() <= MAX_BODY_BYTES);
}

proptest! {
    /// `PROC-18`: bytes of others never panic.
    #[test]
    fn any_key_and_signature_are_refused_and_never_panic(
        key in proptest::collection::vec(any::<u8>(), 0..97),
        signature in proptest::collection::vec(any::<u8>(), 0..66),
    ) {
        for curve in CURVES {
            let (from, signature) = (KeyBytes::new(key.clone()).unwrap(), Bytes::new(signature.clone()).unwrap());
            let signed = SignedPayment { payment: payment(1), from, signature };
            let refused = submit(&MemoryStore::default(), &ledger(curve), &signed);
            prop_assert_eq!(refused, Err(Refusal::Signature));
        }
    }
}
