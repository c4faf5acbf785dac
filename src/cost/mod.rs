//! Cost: from prices, life, hosting, energy and rent to $ per token.
//!
//! Owns: the cost of node time, and its split. Must not know: requests, YAML, the sources of energy use.
//!
//! A node is either owned (capital over its life, hosting of the power provisioned for it, facility energy) or rented (one price that includes all
//! three). Not included: cost of capital, residual value, maintenance and staff beyond hosting, idle nodes that are not provisioned.

mod per_token;
mod tariff;

pub use per_token::{per_million, split_by_share};
pub use tariff::{CostError, NodeCost, Ownership, Spent, Tariff};
