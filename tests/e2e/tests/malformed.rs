//! Malformed input on every socket of one validator, while the testnet goes on.
//!
//! ```text
//! raw bytes ──▶ message queue, operator's port, base chain's JSON-RPC, both p2p ports
//! HTTP      ──▶ message queue (`MQ-6`, `MQ-7`, `MQ-9`), JSON-RPC (`BASE-51` to `BASE-53`), operator's port
//! then: no process ended, further batches are executed, no coordinator has a problem
//! ```

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use coordinator_base_chain::{
    Call, Coin, Refusal, SignedCall, Transaction,
    rpc::{INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, REFUSED, Response},
};
use coordinator_keys::SecretKey;
use coordinator_message_queue::wire::{
    self, Code, Operation, REQUEST_HEADER, Refusal as QueueRefusal, Request, SIGNATURE_HEADER,
};
use e2e::Net;
use orchestration::{cli::Until, generate::Addresses, layout::Service};
use processor_messages::{Account, Amount, ChainGenesis, encode};
use rand_core::{OsRng, RngCore};
use serde_json::{Value, json};

const NODE: &str = env!("CARGO_BIN_EXE_e2e-node");
/// Whose sockets they are.
const VICTIM: usize = 1;
/// How long a socket may take to answer or close: more than any time limit of a protocol.
const PATIENCE: Duration = Duration::from_secs(30);
const MIB: usize = 1 << 20;

fn random_bytes(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

/// Writes bytes and reads until the other side closes; `hold` keeps our half open, so that it has to.
fn exchange(address: SocketAddr, bytes: &[u8], hold: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    // The other side may close before it has read everything.
    let _ = stream.write_all(bytes);
    if !hold {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    if let Err(error) = stream.take(4 * 1024 * 1024).read_to_end(&mut answer) {
        let open = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!open, "{address} neither answers nor closes after {} bytes", bytes.len());
    }
    answer
}

/// Bytes that are no HTTP, or HTTP beyond its bounds: an error status or a closed connection.
fn garbage_on_http(address: SocketAddr, path: &str) {
    let huge_header = format!("GET {path} HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(MIB));
    let many_headers = format!("GET {path} HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(5_000));
    let bad_length = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n");
    let inputs: [&[u8]; 8] = [
        &random_bytes(4_096),
        &[0; 4_096],
        b"GET",
        b"POST / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        huge_header.as_bytes(),
        many_headers.as_bytes(),
        bad_length.as_bytes(),
    ];
    for input in inputs {
        let answer = exchange(address, input, false);
        let text = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || text.starts_with("HTTP/1.1 4"), "{address}: {text}");
    }
}

/// Strangers on a p2p port: each connection ends by itself (`P2P-2`).
fn garbage_on_p2p(address: SocketAddr) {
    let mut half_a_handshake = b"\x13/multistream/1.0.0\n\x1d/headwater/noise-ristretto/1\n\x00\x20".to_vec();
    half_a_handshake.extend(random_bytes(16));
    let inputs = [
        (random_bytes(4_096), false),
        (random_bytes(4_096), true),
        (Vec::new(), true),
        (half_a_handshake, true),
        (vec![0; MIB], true),
        (vec![255; MIB], false),
    ];
    let strangers = inputs.map(|(bytes, hold)| thread::spawn(move || exchange(address, &bytes, hold)));
    for stranger in strangers {
        stranger.join().unwrap();
    }
}

fn raw_input_everywhere(addresses: &Addresses) {
    let Addresses { rpc, base_chain_p2p, coordinator_p2p, queue, api } = *addresses;
    let p2p = [base_chain_p2p, coordinator_p2p].map(|address| thread::spawn(move || garbage_on_p2p(address)));
    for (address, path) in [(queue, wire::PATH), (api, "/status"), (rpc, "/")] {
        garbage_on_http(address, path);
    }
    for thread in p2p {
        thread.join().unwrap();
    }
}

/// A queue that a test speaks to as a processor would.
struct Queue {
    http: reqwest::Client,
    url: String,
}

impl Queue {
    async fn post(&self, headers: &[(&str, String)], body: Vec<u8>) -> (u16, Option<QueueRefusal>) {
        let mut request = self.http.post(format!("{}{}", self.url, wire::PATH)).timeout(PATIENCE).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).ok())
    }

    async fn signed(&self, key: &SecretKey, request: &Request, body: Vec<u8>) -> QueueRefusal {
        let headers =
            [(REQUEST_HEADER, hex(&encode(request))), (SIGNATURE_HEADER, hex(&request.sign(key).0))];
        let (status, refusal) = self.post(&headers, body).await;
        let refusal = refusal.expect("a refusal with its code");
        assert_eq!(status, refusal.code.status());
        assert!(!refusal.remedy.is_empty());
        refusal
    }

    async fn expect(&self, headers: &[(&str, String)], body: Vec<u8>, code: Code) {
        let (status, refusal) = self.post(headers, body).await;
        assert_eq!((status, refusal.unwrap().code), (code.status(), code));
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// `MQ-6`, `MQ-9`: whoever is not the processor.
async fn strangers_at_the_queue(queue: &Queue, network: processor_messages::Network) {
    let get = queue.http.get(format!("{}{}", queue.url, wire::PATH)).send().await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
    let unknown = queue.http.post(format!("{}/v2/queue", queue.url)).send().await.unwrap();
    assert_eq!(unknown.status().as_u16(), 404);

    queue.expect(&[], Vec::new(), Code::Unsigned).await;
    queue.expect(&[], b"{\"not\": \"borsh\"".to_vec(), Code::Unsigned).await;
    let no_hex = (REQUEST_HEADER, "zz".to_owned());
    queue.expect(&[no_hex], Vec::new(), Code::Unsigned).await;
    let signature = (SIGNATURE_HEADER, "00".repeat(64));
    for request in [random_bytes(40), vec![255; wire::MAX_REQUEST_BYTES], Vec::new(), vec![0; 4_000]] {
        let headers = [(REQUEST_HEADER, hex(&request)), signature.clone()];
        queue.expect(&headers, Vec::new(), Code::MalformedRequest).await;
    }
    let stranger = SecretKey::random(&mut OsRng);
    let next = Operation::Next { wait_ms: u32::MAX };
    let request = Request { network, boot: [0; 16], number: u64::MAX, operation: next };
    assert_eq!(queue.signed(&stranger, &request, vec![7; 64]).await.code, Code::WrongSignature);
    let elsewhere = Request { network: "dogecoin".parse().unwrap(), ..request };
    assert_eq!(queue.signed(&stranger, &elsewhere, Vec::new()).await.code, Code::UnknownNetwork);
}

/// A body that is longer than any message: claimed, or really sent. It is not read.
fn oversized_bodies(address: SocketAddr) {
    let head = |length: u64| {
        format!(
            "POST {} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n",
            wire::PATH
        )
    };
    let claimed = exchange(address, head(u64::MAX / 2).as_bytes(), true);
    assert!(claimed.starts_with(b"HTTP/1.1 401"), "{}", String::from_utf8_lossy(&claimed));
    let mut sent = head(3 * 1024 * 1024).into_bytes();
    sent.extend(vec![7; 3 * MIB]);
    // The answer may be lost, as the connection is closed while bytes still come.
    let answer = exchange(address, &sent, false);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 401"));
}

/// `MQ-7`, `MQ-9`: a processor's own key, and nonsense signed with it.
async fn a_mad_processor(queue: &Queue, network: processor_messages::Network, key: &SecretKey) {
    let garbage = random_bytes(1_000);
    let send = |length: usize, bytes: &[u8]| Operation::Send {
        length: u32::try_from(length).unwrap(),
        hash: wire::hash(bytes),
    };
    let cases = [
        (send(garbage.len(), &garbage), garbage.clone(), Code::MalformedMessage),
        (send(0, &[]), Vec::new(), Code::MalformedMessage),
        (send(garbage.len(), &[]), garbage.clone(), Code::BodyMismatch),
        (send(10, &garbage), garbage.clone(), Code::BodyMismatch),
        (send(3 * MIB, &garbage), garbage.clone(), Code::TooLarge),
        (Operation::Acknowledge { id: u64::MAX }, Vec::new(), Code::NotDelivered),
    ];
    for (operation, body, code) in cases {
        let mut request = Request { network, boot: [0; 16], number: 0, operation };
        // The true processor uses numbers meanwhile, so the first answers may be RESYNC.
        for _ in 0..50 {
            let refusal = queue.signed(key, &request, body.clone()).await;
            if refusal.code != Code::Resync {
                assert_eq!(refusal.code, code);
                break;
            }
            request.boot = boot(&refusal.boot.unwrap());
            request.number = refusal.last.unwrap() + 1;
        }
        assert_ne!(request.number, 0);
    }
}

fn boot(text: &str) -> wire::Boot {
    let byte = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(byte)
}

async fn rpc(url: &str, body: String) -> Response {
    let request = reqwest::Client::new().post(url).timeout(PATIENCE).body(body);
    let answer = request.send().await.unwrap();
    assert!(!answer.status().is_server_error());
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

fn request(method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

/// `BASE-51` to `BASE-53`.
async fn malformed_rpc(url: &str) {
    let batch = vec![request("chain_head", &json!({})); 3_000];
    let some = vec![request("chain_head", &json!({})); 100];
    let nested = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let huge_number = r#"{"jsonrpc":"2.0","id":1,"method":"chain_block","params":{"number":1e999}}"#;
    let bodies = [
        (String::new(), PARSE_ERROR),
        (hex(&random_bytes(500)), PARSE_ERROR),
        ("{\"jsonrpc\":".to_owned(), PARSE_ERROR),
        (nested.clone(), INVALID_REQUEST),
        (request("chain_head", &json!({})).replace("{}", &nested), INVALID_REQUEST),
        (huge_number.to_owned(), INVALID_REQUEST),
        (format!("[{}]", some.join(",")), INVALID_REQUEST),
        (format!("[{}]", batch.join(",")), INVALID_REQUEST),
        ("7".to_owned(), INVALID_REQUEST),
        (request("chain_head", &json!({ "x": "y".repeat(MIB) })), INVALID_REQUEST),
        (request("no_such_method", &json!({})), METHOD_NOT_FOUND),
        (request(&"x".repeat(50_000), &json!({})), METHOD_NOT_FOUND),
        (request("chain_block", &json!({ "number": -1 })), INVALID_PARAMS),
        (request("chain_block", &json!({ "number": 1e300 })), INVALID_PARAMS),
        (request("chain_block", &json!({ "number": "9".repeat(50_000) })), INVALID_PARAMS),
        (request("state_network", &json!({ "network": "n".repeat(50_000) })), INVALID_PARAMS),
        (request("transaction_submit", &json!({ "transaction": "zz" })), INVALID_PARAMS),
    ];
    for (body, code) in bodies {
        let start: String = body.chars().take(80).collect();
        let error = rpc(url, body).await.error.unwrap();
        assert_eq!(error.code, code, "{start}: {}", error.message);
        assert!((1..=300).contains(&error.message.len()), "{}", error.message);
    }
}

async fn malformed_transactions(url: &str, chain: ChainGenesis) {
    let key = SecretKey::random(&mut OsRng);
    let to = Account([7; 32]);
    let call = Call::Transfer { coin: Coin::Stake, to, amount: Amount(1) };
    let of_other_chain = SignedCall::sign(&key, ChainGenesis([9; 32]), 0, call.clone());
    let mut tampered = SignedCall::sign(&key, chain, 0, call);
    tampered.nonce = 1;
    let signed = |call: SignedCall| encode(&Transaction::Call(call));
    let transactions = [
        (Vec::new(), Refusal::Malformed),
        (vec![255; 30_000], Refusal::Malformed),
        (signed(of_other_chain), Refusal::BadSignature),
        (signed(tampered), Refusal::BadSignature),
    ];
    for (bytes, refusal) in transactions {
        let params = json!({ "transaction": hex(&bytes) });
        let error = rpc(url, request("transaction_submit", &params)).await.error.unwrap();
        assert_eq!((error.code, error.refusal()), (REFUSED, Some(refusal)));
    }
}

/// The operator's port reads nothing but a path.
async fn malformed_questions(api: SocketAddr) {
    let http = reqwest::Client::new();
    let url = |path: &str| format!("http://{api}{path}");
    for path in ["/", "/nothing", "/status/../../etc/passwd", "/%ff%00", &format!("/{}", "a".repeat(8_000))] {
        let answer = http.get(url(path)).timeout(PATIENCE).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 404, "{path}");
    }
    for path in ["/status", "/metrics", "/livez", "/readyz"] {
        let answer = http.post(url(path)).timeout(PATIENCE).body(vec![7; 1_000]).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 405, "{path}");
        let answer = http.delete(url(path)).timeout(PATIENCE).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 405, "{path}");
    }
}

/// Everything once.
fn attack(net: &Net) {
    let addresses = net.testnet.manifest.validators[VICTIM].addresses.clone();
    let network = net.networks()[0];
    let path = net.testnet.layout.config(VICTIM, Service::Processor(network));
    let config = simulated_processor::Config::read(&path).unwrap();
    let (secrets, _) = simulated_processor::secrets::open(&config).unwrap();
    let raw = {
        let addresses = addresses.clone();
        thread::spawn(move || raw_input_everywhere(&addresses))
    };
    let queue = Queue { http: reqwest::Client::new(), url: format!("http://{}", addresses.queue) };
    net.block_on(async {
        strangers_at_the_queue(&queue, network).await;
        a_mad_processor(&queue, network, &secrets.service).await;
        let url = format!("http://{}", addresses.rpc);
        malformed_rpc(&url).await;
        malformed_transactions(&url, net.testnet.manifest.chain).await;
        malformed_questions(addresses.api).await;
    });
    oversized_bodies(addresses.queue);
    raw.join().unwrap();
}

/// Whether a coordinator shows its set and no problem; nothing may ever be halted.
fn is_well(net: &Net, validator: usize) -> bool {
    let Some(status) = net.block_on(net.observer.raw_status(validator)) else { return false };
    let all = |list: &str| status[list].as_array().cloned().unwrap_or_default();
    for one in all("sets").iter().chain(&all("networks")) {
        assert!(one["halted"].is_null(), "{status:#}");
    }
    !all("sets").is_empty() && (status["ready"] == true) && all("problems").is_empty()
}

#[test]
fn malformed_input_on_every_socket_of_a_validator_stops_nothing() {
    let mut net = Net::up(NODE, &[1, 1, 1, 1], 1);
    let network = net.networks()[0];
    net.until("the victim's set is open", |net| net.set(VICTIM, network).is_some());
    attack(&net);
    net.until("the first batch", |net| net.observer.has_reached(Until::FirstBatch));
    let addresses = net.testnet.manifest.validators[VICTIM].addresses.clone();
    let silent: Vec<TcpStream> = [addresses.queue, addresses.api, addresses.rpc]
        .into_iter()
        .flat_map(|address| (0..20).map(move |_| TcpStream::connect(address).unwrap()))
        .collect();
    attack(&net);
    // Without another validator, batches need the one that was attacked.
    for service in net.services_of(3) {
        net.testnet.kill(3, service).unwrap();
    }
    net.until_more_batches(2);
    net.start_validator(3);
    net.until_more_batches(1);
    drop(silent);
    for validator in 0..net.validators() {
        net.until("a coordinator without a problem", |net| is_well(net, validator));
    }
}
