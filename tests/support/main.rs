//! The harness's own main, built under a name that tests can find.

fn main() -> std::process::ExitCode {
    slotquake::cli::main()
}
