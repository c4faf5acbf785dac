//! The `tokenmill` binary: parses the command line, runs the command and converts its result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    tokenmill::cli::main()
}
