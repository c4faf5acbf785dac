//! The whole command line with a custom router: an external crate needs only this file.
//!
//! ```sh
//! cargo run --release --example own_router -- compare quickstart --set cluster.pools.prefill.instances=4 \
//!   --vary policies.router='least-tokens,{short-first: {limit: 512}}'
//! ```

use std::process::ExitCode;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokenmill::cli;
use tokenmill::policy::{Candidates, Entry, Pick, Policies, RequestView, Router, Signal};

/// Sends short prompts to the first instance, so that none waits behind a long one; others go to the one with the fewest pending tokens.
#[derive(Debug)]
struct ShortFirst {
    limit: u32,
}

impl Router for ShortFirst {
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        if request.prompt_tokens < self.limit && candidates.eligible(0) {
            return Pick::To(0);
        }
        candidates.least(Signal::PendingTokens).into()
    }
}

/// Parameters of `short-first`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ShortFirstParameters {
    /// Prompts with fewer tokens are short.
    limit: u32,
}

impl Default for ShortFirstParameters {
    fn default() -> Self {
        Self { limit: 256 }
    }
}

fn main() -> ExitCode {
    let about = "Short prompts to the first instance, others to the one with the fewest pending tokens.";
    let short_first = Entry::<dyn Router>::with("short-first", about, |parameters: &ShortFirstParameters, _| {
        Box::new(ShortFirst { limit: parameters.limit })
    });
    let mut policies = Policies::default();
    policies.routers = policies.routers.with(short_first);
    cli::main_with(&policies)
}
