//! The serving engines of instances.

mod batch;
mod continuous;
pub(crate) mod station;

pub(crate) use continuous::{finish, form};
