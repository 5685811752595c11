//! The `slotquake` command.

fn main() -> std::process::ExitCode {
    slotquake::cli::main()
}
