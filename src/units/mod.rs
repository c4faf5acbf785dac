//! Quantities with units, parsed strictly from text such as `141 GB`, `4.8 TB/s`, `700 W`, `50 ms` or `$3.50/h`, and the provenance of figures.
//!
//! Owns: the units and their spellings, printing that parses back to the same bits, provenance.
//! Must not know: hardware, models, YAML.
//!
//! A bare number is rejected if a unit is expected; `Count` and `Ratio` are the two quantities without a unit.
//! Decimal prefixes are powers of 1000 (`GB`), binary ones powers of 1024 (`GiB`); a lower-case `b` is a bit (`400 Gb/s` = 50 GB/s).

mod dtype;
mod grouping;
mod parse;
mod percent;
mod provenance;
mod quantity;
mod rounding;
mod search;
mod spelling;

pub use dtype::Dtype;
pub use grouping::grouped;
pub use parse::{QuantityError, Unit};
pub use percent::percent;
pub use provenance::{Confidence, Figure, Source, Sources};
pub use quantity::{
    Bytes, BytesPerSecond, Count, Duration, FlopsPerSecond, GramsPerKwh, PerSecond, Plain, Ratio, Usd, UsdPerHour, UsdPerKwMonth,
    UsdPerKwh, Watts, check_quantity, show_quantity,
};
pub use rounding::{nearest, nearest_wide};
pub use search::first_where;
pub use spelling::nearest_word;
