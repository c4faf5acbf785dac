//! The command line: the only place with stdout, stderr, colour, progress and the wall clock.
//!
//! Owns: arguments, output files, exit codes. Must not know: the simulation.
//!
//! Exit codes: 0 done, 1 a gate or assertion failed, 2 bad input or usage, 3 incomplete, 70 internal error, 74 output could not be written.

mod arguments;
mod catalogue;
mod exit;
mod init;
mod interrupt;
mod model;
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

use crate::policy::Policies;

/// Parses the command line and runs the command.
pub fn main() -> ExitCode {
    main_with(&Policies::default())
}

/// As [`main`], with additional policies, which scenarios can then name. A program of a few lines around it has every command: `run`, `compare`,
/// `list policies`, `schema scenario`, conditions and exit codes.
///
/// ```no_run
/// use tokenmill::policy::{Candidates, Entry, Pick, Policies, RequestView, Router, Signal};
///
/// /// Short prompts to the first instance, all others to the least loaded.
/// #[derive(Debug)]
/// struct ShortFirst;
///
/// impl Router for ShortFirst {
///     fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
///         let short = request.prompt_tokens < 256 && candidates.eligible(0);
///         if short { Pick::To(0) } else { candidates.least(Signal::PendingTokens).into() }
///     }
/// }
///
/// fn main() -> std::process::ExitCode {
///     let mut policies = Policies::default();
///     policies.routers = policies.routers.with(Entry::<dyn Router>::plain("short-first", "Short prompts to the first instance.", |_| Box::new(ShortFirst)));
///     tokenmill::cli::main_with(&policies)
/// }
/// ```
pub fn main_with(policies: &Policies) -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, everything else is a usage error. Printing fails only if the reader is gone.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(exit::BAD_INPUT) } else { ExitCode::SUCCESS };
        }
    };
    let terminal = Terminal::new(arguments.color);
    match dispatch(arguments.command, terminal, policies) {
        Ok(code) => code,
        Err(failure) => failure.report(terminal),
    }
}

fn dispatch(command: Command, terminal: Terminal, policies: &Policies) -> Result<ExitCode, Failure> {
    match command {
        Command::Run(options) => run::run(&options, terminal, policies),
        Command::Compare(options) => study::compare(&options, terminal, policies),
        Command::Validate(options) => validate::validate(&options, terminal, policies),
        Command::List(options) => catalogue::list(&options, policies),
        Command::Show(options) => catalogue::show(&options, policies),
        Command::Init(options) => init::init(&options),
        Command::Schema(options) => catalogue::schema(&options, policies),
        Command::Explain(options) => catalogue::explain(&options),
        Command::Trace(options) => trace::trace(&options, terminal, policies),
        Command::Completions(options) => catalogue::completions(&options),
        Command::Man(options) => catalogue::man(&options),
    }
}
