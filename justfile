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
  cargo bench -p dkg-evrf --bench blame
  cargo bench -p simulated-processor --bench close
  cargo bench -p orchestration --bench keys
  cargo bench -p coordinator-drive
  cargo bench -p coordinator-keys
  cargo bench -p simulation --bench catch_up
  cargo bench -p coordinator-store-disk
  cargo bench -p tributary
