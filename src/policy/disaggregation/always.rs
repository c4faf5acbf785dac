//! `always`: every prompt is computed on a prefill or mixed instance (`always-disagg` of llm-d, `always` of BLIS `sim/bundle.go`, 2026-08).

use super::super::register::Entry;
use super::{Decider, Path};
use crate::policy::{Candidates, RequestView};

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Decider> {
    let about = "Every prompt is computed on a prefill instance, where the model has some.";
    Entry::<dyn Decider>::plain("always", about, |_| Box::new(Always)).also(&["always-disagg"])
}

#[derive(Debug)]
struct Always;

impl Decider for Always {
    fn path(&mut self, _: &RequestView<'_>, _: &dyn Candidates, _: &dyn Candidates) -> Path {
        Path::Split
    }
    fn always_splits(&self) -> bool {
        true
    }
}
