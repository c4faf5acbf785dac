//! Cost of instance time.

use std::ops::{Add, AddAssign};

use thiserror::Error;

/// Seconds of a Julian year, 365.25 days.
const YEAR_S: f64 = 365.25 * 86_400.0;
/// Seconds of a month, a twelfth of a year.
const MONTH_S: f64 = YEAR_S / 12.0;
/// Seconds of an hour.
const HOUR_S: f64 = 3600.0;
/// Joules of a kilowatt-hour.
const KWH_J: f64 = 3.6e6;

/// Invalid parameters of a price. User error.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CostError {
    /// A figure is negative, not finite, or a divisor of zero.
    #[error("cost: found {value} for {what}, expected {expected}")]
    OutOfRange {
        /// The figure.
        what: &'static str,
        /// The value given.
        value: f64,
        /// The valid range.
        expected: &'static str,
    },
}

/// Cost of owning one node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ownership {
    /// Price of the whole node, $.
    pub price_usd: f64,
    /// Straight-line depreciation period of the price, s, above 0.
    pub life_s: f64,
    /// IT power provisioned by the site for the node, W: its maximum.
    pub provisioned_w: f64,
    /// Hosting without energy, $ per kW of provisioned IT power and month.
    pub hosting_usd_per_kw_month: f64,
    /// Facility energy, $ per kWh.
    pub electricity_usd_per_kwh: f64,
    /// Facility energy per IT energy, at least 1.
    pub pue: f64,
}

/// Payment for a node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tariff {
    /// Bought, hosted and powered.
    Owned(Ownership),
    /// Rented by the chip, $ per chip and hour; energy and hosting are included.
    RentedChip {
        /// $ per chip and hour.
        usd_per_hour: f64,
    },
    /// Rented by the node, $ per node and hour; energy and hosting are included.
    RentedNode {
        /// $ per node and hour.
        usd_per_hour: f64,
    },
}

/// Dollars by kind of cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// Depreciation, $.
    pub capital: f64,
    /// Facility energy, $.
    pub energy: f64,
    /// Building, cooling, staff, $.
    pub hosting: f64,
    /// Rent, $.
    pub rent: f64,
}

impl Spent {
    /// Total, $.
    pub fn total(self) -> f64 {
        self.capital + self.energy + self.hosting + self.rent
    }
}

impl Add for Spent {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            capital: self.capital + other.capital,
            energy: self.energy + other.energy,
            hosting: self.hosting + other.hosting,
            rent: self.rent + other.rent,
        }
    }
}

impl AddAssign for Spent {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// Price of time and energy on nodes of one kind. Chips of a node share its cost equally, in use or not.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeCost {
    /// $ per chip and second, busy or idle.
    capital_per_chip_s: f64,
    hosting_per_chip_s: f64,
    rent_per_chip_s: f64,
    /// $ per joule of IT energy.
    energy_per_it_j: f64,
}

impl NodeCost {
    /// Nodes of `node_chips` chips (at least 1) paid by `tariff`.
    pub fn new(node_chips: u32, tariff: Tariff) -> Result<Self, CostError> {
        let chips = at_least("chips of a node", f64::from(node_chips), 1.0, "1 or more")?;
        let free = Self { capital_per_chip_s: 0.0, hosting_per_chip_s: 0.0, rent_per_chip_s: 0.0, energy_per_it_j: 0.0 };
        let rented = |usd_per_hour| Ok(Self { rent_per_chip_s: usd_per_hour / HOUR_S, ..free });
        match tariff {
            Tariff::Owned(own) => Self::owned(chips, &own),
            Tariff::RentedChip { usd_per_hour } => rented(not_negative("rent per chip and hour, $", usd_per_hour)?),
            Tariff::RentedNode { usd_per_hour } => rented(not_negative("rent per node and hour, $", usd_per_hour)? / chips),
        }
    }

    fn owned(chips: f64, own: &Ownership) -> Result<Self, CostError> {
        let price = not_negative("the price of a node, $", own.price_usd)?;
        let life = at_least("the life of a node, s", own.life_s, 1.0, "one second or more")?;
        let power = not_negative("provisioned power, W", own.provisioned_w)?;
        let hosting = not_negative("hosting, $/kW/month", own.hosting_usd_per_kw_month)?;
        let electricity = not_negative("electricity, $/kWh", own.electricity_usd_per_kwh)?;
        let pue = at_least("PUE", own.pue, 1.0, "1 or more")?;
        Ok(Self {
            capital_per_chip_s: price / life / chips,
            hosting_per_chip_s: hosting * (power / 1e3) / MONTH_S / chips,
            rent_per_chip_s: 0.0,
            energy_per_it_j: electricity * pue / KWH_J,
        })
    }

    /// Cost of `chips` chips over `seconds` during which they and their share of the node drew `it_j` joules. Idle time costs as much as busy time,
    /// except for energy.
    pub fn spent(&self, chips: u32, seconds: f64, it_j: f64) -> Spent {
        let chip_seconds = f64::from(chips) * seconds;
        Spent {
            capital: self.capital_per_chip_s * chip_seconds,
            energy: self.energy_per_it_j * it_j,
            hosting: self.hosting_per_chip_s * chip_seconds,
            rent: self.rent_per_chip_s * chip_seconds,
        }
    }

    /// $ per chip and hour without energy.
    pub fn usd_per_chip_hour(&self) -> f64 {
        self.spent(1, HOUR_S, 0.0).total()
    }
}

fn at_least(what: &'static str, value: f64, least: f64, expected: &'static str) -> Result<f64, CostError> {
    if value.is_finite() && value >= least { Ok(value) } else { Err(CostError::OutOfRange { what, value, expected }) }
}

fn not_negative(what: &'static str, value: f64) -> Result<f64, CostError> {
    at_least(what, value, 0.0, "0 or more")
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_relative_eq;

    /// A server of eight 700 W chips for $250k over 5 years: provisioned 8 · 700 · 1.105 + 1940 = 8128 W.
    fn dgx_h100() -> Ownership {
        Ownership {
            price_usd: 250_000.0,
            life_s: 5.0 * YEAR_S,
            provisioned_w: 8128.0,
            hosting_usd_per_kw_month: 185.0,
            electricity_usd_per_kwh: 0.09,
            pue: 1.12,
        }
    }

    #[test]
    fn cost_of_an_owned_dgx_h100_agrees_with_arithmetic_by_hand() {
        let cost = NodeCost::new(8, Tariff::Owned(dgx_h100())).unwrap();
        // All eight chips for a year: $50,000 of capital; 8.128 kW · $185 · 12 = $18,044.16 of hosting.
        // At 6 kW on average 6 · 8766 h = 52,596 kWh of IT, · 1.12 · $0.09 = $5,301.68.
        let year = cost.spent(8, YEAR_S, 6000.0 * YEAR_S);
        assert_relative_eq!(year.capital, 50_000.0, max_relative = 1e-12);
        assert_relative_eq!(year.hosting, 18_044.16, max_relative = 1e-12);
        assert_relative_eq!(year.energy, 5_301.676_8, max_relative = 1e-12);
        assert_relative_eq!(year.rent, 0.0);
        assert_relative_eq!(year.total(), 73_345.836_8, max_relative = 1e-12);
        // Per chip and hour without energy: (50,000 + 18,044.16) / 8 / 8766 = $0.970.
        assert_relative_eq!(cost.usd_per_chip_hour(), 0.970_285, max_relative = 1e-5);
    }

    #[test]
    fn half_the_chips_cost_half_and_two_spans_cost_their_sum() {
        let cost = NodeCost::new(8, Tariff::Owned(dgx_h100())).unwrap();
        let whole = cost.spent(8, 3600.0, 2e7);
        assert_relative_eq!(cost.spent(4, 3600.0, 1e7).total() * 2.0, whole.total(), max_relative = 1e-12);
        let mut parts = cost.spent(8, 1000.0, 5e6);
        parts += cost.spent(8, 2600.0, 1.5e7);
        assert_relative_eq!(parts.total(), whole.total(), max_relative = 1e-12);
    }

    #[test]
    fn rent_includes_energy_and_hosting() {
        // Four chips at $2.35/h for 90 minutes: $14.10, for any energy drawn.
        let chip = NodeCost::new(8, Tariff::RentedChip { usd_per_hour: 2.35 }).unwrap().spent(4, 5400.0, 1e9);
        assert_eq!((chip.capital, chip.energy, chip.hosting), (0.0, 0.0, 0.0));
        assert_relative_eq!(chip.rent, 14.10, max_relative = 1e-12);
        // The node at $18.80/h is the same price per chip.
        let node = NodeCost::new(8, Tariff::RentedNode { usd_per_hour: 18.80 }).unwrap().spent(4, 5400.0, 1e9);
        assert_relative_eq!(node.rent, 14.10, max_relative = 1e-12);
    }

    #[test]
    fn invalid_figures_are_rejected_by_name() {
        let own = |change: fn(&mut Ownership)| {
            let mut own = dgx_h100();
            change(&mut own);
            NodeCost::new(8, Tariff::Owned(own)).unwrap_err().to_string()
        };
        assert_eq!(own(|o| o.life_s = 0.0), "cost: found 0 for the life of a node, s, expected one second or more");
        assert!(own(|o| o.pue = 0.9).contains("PUE"));
        assert!(own(|o| o.price_usd = f64::NAN).contains("price"));
        assert!(NodeCost::new(0, Tariff::RentedChip { usd_per_hour: 1.0 }).is_err());
        assert!(NodeCost::new(1, Tariff::RentedChip { usd_per_hour: -1.0 }).is_err());
    }
}
