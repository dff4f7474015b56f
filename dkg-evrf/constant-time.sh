#!/usr/bin/env bash
# Whether what meets secrets executes as many instructions, branches and taken branches for one secret as for others: each operation of
# `examples/trace.rs` under valgrind's lackey, for three seeds. Ends with 1 if any number differs. Needs valgrind; not a part of CI.
# Arguments are names of operations; without any, all are compared. Decision 0087 records what was found.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked --quiet -p dkg-evrf --example trace
trace=${CARGO_TARGET_DIR:-target}/release/examples/trace
operations=("$@")
[ $# -gt 0 ] || mapfile -t operations < <("$trace")

# Branches, branches taken, instructions.
counts() {
  valgrind --tool=lackey --basic-counts=yes "$trace" "$1" "$2" 2>&1 >/dev/null |
    sed 's/^==[0-9]*==//' | awk '/total:|taken:/ { print $2 } /guest instrs:/ { print $3 }' | paste -sd' '
}

status=0
rustc --version
printf '%-28s %s\n' operation "branches, taken, instructions"
for operation in "${operations[@]}"; do
  first=$(counts "$operation" 1)
  [ -n "$first" ] || { echo "$operation: no counts"; exit 2; }
  verdict=equal
  for seed in 2 3; do
    other=$(counts "$operation" "$seed")
    [ "$other" = "$first" ] || { verdict="DIFFERENT: $other with seed $seed"; status=1; }
  done
  printf '%-28s %s  %s\n' "$operation" "$first" "$verdict"
done
exit $status
