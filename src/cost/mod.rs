//! Dollars: from prices, life, hosting, energy and rent to $ per token.
//!
//! Owns: what a second of a node costs and how cost is split. Must not know: requests, YAML, how energy was drawn.
//!
//! A node is either owned (capital over its life, hosting of the power provisioned for it, facility energy) or rented (one price that includes
//! all three). Not in it yet: cost of capital, residual value, maintenance and staff beyond hosting, idle nodes nobody provisioned.

mod per_token;
mod tariff;

pub use per_token::{per_million, split_by_share};
pub use tariff::{CostError, NodeCost, Ownership, Spent, Tariff};
