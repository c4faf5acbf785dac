//! The serving engines of instances.

mod batch;
mod continuous;

pub(crate) use continuous::{finish, form};
