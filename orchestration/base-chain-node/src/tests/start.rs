//! BASE-60: what is wrong at start is named, with a code, the value and a remedy.

use coordinator_keys::write_key_file;
use coordinator_startup::Kind;

use super::{
    support::genesis,
    testnet::{Testnet, rewrite, stranger},
};
use crate::{Node, config::Config};

fn testnet() -> Testnet {
    let mut genesis = genesis(&[1, 1, 1, 1]);
    genesis.validators.iter_mut().skip(1).for_each(|validator| validator.consensus_weight = 0);
    Testnet::new(&genesis)
}

async fn failure(config: Config) -> (&'static str, u8, String) {
    let failure = Node::start(config).await.err().expect("it does not start");
    (failure.code, failure.kind.exit_code(), failure.to_string())
}

#[tokio::test]
async fn a_wrong_genesis_is_named_with_its_line() {
    let testnet = testnet();
    rewrite(&testnet.configs[0].genesis, "epoch_blocks = 20", "epoch_blocks = 0");
    let (code, exit, text) = failure(testnet.configs[0].clone()).await;
    assert_eq!((code, exit), ("CONFIG_INVALID", 78));
    assert!(text.contains("genesis.toml:5") && text.contains("epoch_blocks is zero"), "{text}");
}

#[tokio::test]
async fn a_key_that_makes_no_blocks_is_named() {
    let testnet = testnet();
    let mut config = testnet.configs[0].clone();
    config.key_file = testnet.dir.path().join("other");
    let (code, exit, _) = failure(config.clone()).await;
    assert_eq!((code, exit), ("KEY_FILE", 78));
    write_key_file(&config.key_file, &stranger()).unwrap();
    let (code, exit, text) = failure(config).await;
    assert_eq!((code, exit), ("KEY_NOT_REGISTERED", 78));
    assert!(text.contains(&hex::encode(stranger().public().to_bytes())), "{text}");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let testnet = testnet();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for rpc in [true, false] {
        let mut config = testnet.configs[0].clone();
        *(if rpc { &mut config.rpc_listen } else { &mut config.p2p_listen }) = address;
        let (code, exit, text) = failure(config).await;
        assert_eq!((code, exit), ("PORT_TAKEN", Kind::Unavailable.exit_code()));
        assert!(text.contains(&address.to_string()), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_chain_is_refused() {
    let testnet = testnet();
    let (node, _) = testnet.start(0).await;
    let chain = node.chain();
    node.stop().await;
    rewrite(&testnet.configs[0].genesis, "time_unix_ms = 1000", "time_unix_ms = 1001");
    let (code, exit, text) = failure(testnet.configs[0].clone()).await;
    assert_eq!((code, exit), ("WRONG_CHAIN", 78));
    assert!(text.contains(&chain.to_string()), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_use_or_not_a_store_is_named() {
    let testnet = testnet();
    let (node, _) = testnet.start(0).await;
    let (code, exit, _) = failure(testnet.configs[0].clone()).await;
    assert_eq!((code, exit), ("DATA_DIR_IN_USE", 74));
    node.stop().await;
    let mut config = testnet.configs[0].clone();
    config.data_dir = testnet.dir.path().to_owned();
    let (code, exit, _) = failure(config).await;
    assert_eq!((code, exit), ("DATA_DIR_FOREIGN", 74));
}

#[test]
fn settings_are_checked_and_paths_are_relative_to_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.toml");
    let text = |more: &str| {
        format!(
            "genesis = \"genesis.toml\"\ndata_dir = \"data\"\nkey_file = \"/keys/k\"\n\
             rpc_listen = \"127.0.0.1:1\"\np2p_listen = \"127.0.0.1:2\"\n{more}"
        )
    };
    let load = |more: &str| {
        std::fs::write(&path, text(more)).unwrap();
        Config::load(&path).map_err(|failure| failure.to_string())
    };
    let config = load("").unwrap();
    assert_eq!(config.genesis, dir.path().join("genesis.toml"));
    assert_eq!(config.key_file, std::path::Path::new("/keys/k"));
    assert_eq!(config.block_time_ms, 1_000);
    let error = load("block_time_ms = 5").unwrap_err();
    assert!(error.contains("node.toml:6") && error.contains("block_time_ms = 5"), "{error}");
    let error = load("blok_time = 5").unwrap_err();
    assert!(error.contains("node.toml:6") && error.contains("blok_time"), "{error}");
    let error = load("[[peers]]\nvalidator = \"xy\"\naddresses = []").unwrap_err();
    assert!(error.contains("node.toml:7"), "{error}");
}
