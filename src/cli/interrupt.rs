//! Requests by the user or the system to end the program.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use super::exit::{Failure, INCOMPLETE};

/// Set when the user presses Ctrl-C or closes the terminal, or the system asks the program to end. A second signal ends it at once.
pub(super) fn watch() -> Result<Arc<AtomicBool>, Failure> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [Some(SIGINT), Some(SIGTERM), hangup()].into_iter().flatten() {
        flag::register_conditional_shutdown(signal, INCOMPLETE.into(), Arc::clone(&asked))
            .and_then(|_| flag::register(signal, Arc::clone(&asked)))
            .map_err(|error| Failure::Internal(error.to_string()))?;
    }
    Ok(asked)
}

/// The signal of a closed terminal. Without a terminal the inherited disposition is kept, as when started by `nohup`.
#[cfg(unix)]
fn hangup() -> Option<std::ffi::c_int> {
    (io::stdout().is_terminal() || io::stderr().is_terminal()).then_some(signal_hook::consts::SIGHUP)
}

#[cfg(not(unix))]
fn hangup() -> Option<std::ffi::c_int> {
    None
}
