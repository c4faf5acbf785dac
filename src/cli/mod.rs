//! The command line: the only place with stdout, stderr, colour, progress and the wall clock.
//!
//! Owns: arguments, files that are written, exit codes. Must not know: how anything is simulated.
//!
//! Exit codes: 0 done, 1 a gate or assertion failed, 2 bad input or usage, 3 incomplete, 70 our own error, 74 output
//! could not be written.

mod arguments;
mod catalogue;
mod exit;
mod init;
mod interrupt;
mod new_file;
mod output;
mod progress;
mod rows;
mod run;
mod store;
mod study;
mod terminal;
mod trace;
mod validate;
mod variants;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use exit::Failure;
use terminal::Terminal;

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, everything else is usage. Printing fails only if nobody listens.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::BAD_INPUT) } else { ExitCode::SUCCESS };
        }
    };
    let terminal = Terminal::new(arguments.color);
    match dispatch(arguments.command, terminal) {
        Ok(code) => code,
        Err(failure) => failure.report(terminal),
    }
}

fn dispatch(command: Command, terminal: Terminal) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(options) => run::run(&options, terminal),
        Command::Compare(options) => study::compare(&options, terminal),
        Command::Validate(options) => validate::validate(&options, terminal),
        Command::List(options) => catalogue::list(&options),
        Command::Show(options) => catalogue::show(&options),
        Command::Init(options) => init::init(&options),
        Command::Schema(options) => catalogue::schema(&options),
        Command::Explain(options) => catalogue::explain(&options),
        Command::Trace(options) => trace::trace(&options, terminal),
        Command::Completions(options) => catalogue::completions(&options),
        Command::Man(options) => catalogue::man(&options),
    }
}
