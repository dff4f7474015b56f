//! The executable whose processes the tests start: the same program as `orchestration`.

fn main() -> std::process::ExitCode {
    orchestration::main()
}
