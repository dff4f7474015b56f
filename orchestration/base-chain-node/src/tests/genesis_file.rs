//! BASE-1: the genesis file.

use coordinator_base_chain::TributaryParameters;
use processor_messages::Amount;

use super::support::genesis;
use crate::genesis_file::{parse, to_toml};

fn problem(from: &str, to: &str) -> String {
    let text = to_toml(&genesis(&[1, 1, 1, 1])).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    let failure = parse("genesis.toml", &text.replacen(from, to, 1)).unwrap_err();
    assert_eq!(failure.kind.exit_code(), 78);
    failure.to_string()
}

#[test]
fn a_genesis_survives_its_file_and_comments_change_nothing() {
    let state = genesis(&[3, 3, 2, 2]);
    let text = to_toml(&state).unwrap();
    assert_eq!(parse("genesis.toml", &text).unwrap(), state);
    let commented = format!("# a chain\n\n{text}");
    assert_eq!(parse("genesis.toml", &commented).unwrap().hash(), state.hash());
}

#[test]
fn what_the_members_of_a_set_must_share_stands_in_the_file_or_is_the_usual() {
    // BASE-17.
    let mut state = genesis(&[1, 1, 1, 1]);
    state.networks[0].tributary =
        TributaryParameters { attempt_blocks: 7, longest_attempt: 3, grace_blocks: 0 };
    let text = to_toml(&state).unwrap();
    assert_eq!(parse("genesis.toml", &text).unwrap(), state);
    let usual = genesis(&[1, 1, 1, 1]);
    assert_ne!(state.hash(), usual.hash(), "it is another chain");
    let table = "[networks.tributary]\nattempt_blocks = 7\nlongest_attempt = 3\ngrace_blocks = 0\n";
    assert!(text.contains(table), "{text}");
    assert_eq!(parse("genesis.toml", &text.replace(table, "")).unwrap().hash(), usual.hash());
    for (wrong, what) in [("attempt_blocks = 0", "attempt_blocks is not 1 to 10000"), ("pace = 7", "pace")] {
        let text = text.replace("attempt_blocks = 7", wrong);
        let line = parse("genesis.toml", &text).unwrap_err().to_string();
        assert!(line.contains(what) && line.contains("genesis.toml:"), "{line}");
    }
}

#[test]
fn how_far_apart_cosigned_blocks_are_stands_in_the_file_or_is_the_usual() {
    // BASE-18.
    let mut state = genesis(&[1, 1, 1, 1]);
    state.cosign_distance = 50;
    let text = to_toml(&state).unwrap();
    assert_eq!(parse("genesis.toml", &text.replace("cosign_distance = 50\n", "")).unwrap(), state);
    for wrong in ["cosign_distance = 0", "cosign_distance = 10001"] {
        let line =
            parse("genesis.toml", &text.replace("cosign_distance = 50", wrong)).unwrap_err().to_string();
        assert!(line.contains("cosign_distance is not 1 to 10000"), "{line}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let text = problem("chain_id = \"headwater-test\"", "chain_id = \"Main Net\"");
    assert!(text.contains("genesis.toml:1") && text.contains("Main Net"), "{text}");
    let text = problem("curve = \"secp256k1\"", "curve = \"p256\"");
    assert!(text.contains("genesis.toml:7") && text.contains("p256"), "{text}");
    let text = problem("stake_per_share = 100", "stake_per_share = 0");
    assert!(text.contains("genesis.toml:5") && text.contains("stake_per_share is zero"), "{text}");
    let text = problem("epoch_blocks", "epochs");
    assert!(text.contains("unknown field"), "{text}");
    let text = problem("bitcoin = 100", "bitcoin = 99");
    assert!(text.contains("below that of one key share"), "{text}");
    let text = problem("bitcoin = 100", "dogecoin = 100");
    assert!(text.contains("a network which the chain does not have"), "{text}");
}

#[test]
fn a_wrong_proof_names_the_line_of_the_key() {
    let state = genesis(&[1, 1, 1, 1]);
    let text = to_toml(&state).unwrap();
    let proof = hex::encode(&state.validators[1].embedded_keys[1].proof[..]);
    let wrong = format!("{}00", &proof[..proof.len() - 2]);
    let failure = parse("genesis.toml", &text.replacen(&proof, &wrong, 1)).unwrap_err().to_string();
    let line = text.lines().position(|line| line.contains(&proof)).unwrap() + 1;
    // The entry begins two or three lines above its proof.
    assert!(
        (line - 3..line).any(|line| failure.contains(&format!("genesis.toml:{line}:"))),
        "{line} {failure}"
    );
    assert!(failure.contains("proof of knowledge"), "{failure}");
}

#[test]
fn amounts_use_all_64_bits() {
    let mut state = genesis(&[1, 1, 1, 1]);
    state.validators[0].free = Amount(u64::MAX - 1_000_000);
    assert_eq!(parse("genesis.toml", &to_toml(&state).unwrap()).unwrap(), state);
}
