# What CI runs: the same script, in place.
check:
  bash .ci/run

# Fast feedback while writing.
quick:
  cargo fmt --all --check
  cargo clippy --workspace --all-targets -- -D warnings

test:
  cargo test --workspace

# A testnet of four validators and two networks; Ctrl-C stops it.
testnet:
  cargo run --release -p orchestration -- testnet up

bench:
  cargo bench -p dkg-evrf --bench targets
  cargo bench -p coordinator-store-disk
  cargo bench -p tributary
