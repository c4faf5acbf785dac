//! `always`: every request is let in.

use super::super::register::Entry;
use super::super::view::{Candidates, RequestView};
use super::{Admission, Admit};

/// Its line in the register.
pub(super) fn entry() -> Entry<dyn Admission> {
    Entry::<dyn Admission>::plain("always", "Every request that could ever be served.", |_| Box::new(Always))
}

#[derive(Debug)]
struct Always;

impl Admission for Always {
    fn admit(&mut self, _: &RequestView<'_>, _: &dyn Candidates) -> Admit {
        Admit::Now
    }
    fn admits_all(&self) -> bool {
        true
    }
}
