//! Runs a testnet: see the library of this package.

fn main() -> std::process::ExitCode {
    orchestration::main()
}
