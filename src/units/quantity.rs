//! The quantities themselves: newtypes over their base unit.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer, ser};

use super::parse::{Kind, QuantityError, Unit, unit};

/// Declares a quantity: its name, base unit, spellings and range.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $what:literal, $examples:literal, $bare:literal, $least:expr, $most:expr, [$(($unit:literal, $factor:expr)),* $(,)?]) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            const UNITS: &'static [Unit] = &[$(unit($unit, $factor)),*];
            const KIND: Kind = Kind { what: $what, examples: $examples, units: Self::UNITS, bare: $bare, least: $least, most: $most };

            /// From a value in base units; `None` if it is not finite or out of range.
            pub fn new(value: f64) -> Option<Self> {
                (value.is_finite() && value >= $least && value <= $most).then_some(Self(value))
            }

            /// The value in base units.
            pub const fn get(self) -> f64 {
                self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = QuantityError;
            fn from_str(text: &str) -> Result<Self, QuantityError> {
                Self::KIND.parse(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&Self::KIND.print(self.0))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if $bare { serialize_bare(self.0, serializer) } else { serializer.collect_str(self) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any(QuantityVisitor(&Self::KIND)).map(Self)
            }
        }

        impl From<$name> for f64 {
            fn from(quantity: $name) -> Self {
                quantity.0
            }
        }

        impl TryFrom<f64> for $name {
            type Error = QuantityError;
            fn try_from(value: f64) -> Result<Self, QuantityError> {
                Self::KIND.parse(&Self::KIND.print(value)).map(Self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let types = if $bare { serde_json::json!(["number", "string"]) } else { serde_json::json!("string") };
                json_schema!({"type": types, "x-quantity": stringify!($name), "description": concat!($what, ", such as ", $examples)})
            }
        }
    };
}

fn serialize_bare<S: Serializer>(value: f64, serializer: S) -> Result<S::Ok, S::Error> {
    // Whole numbers print as integers: `20000`, not `20000.0`.
    if value.fract() == 0.0 && value.abs() < 9.0e15 {
        #[expect(clippy::cast_possible_truncation, reason = "checked: whole and below 2^53")]
        let whole = value as i64;
        serializer.serialize_i64(whole)
    } else {
        serializer.serialize_f64(value)
    }
}

/// The written form of a number that code keeps in base units: `#[serde(with = "Plain::<PerSecond>")]` on an `f64`.
#[derive(Debug)]
pub struct Plain<Q>(PhantomData<Q>);

impl<Q> Plain<Q> {
    /// Writes a number as the quantity.
    ///
    /// # Errors
    /// A number out of the range of the quantity.
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error>
    where
        Q: TryFrom<f64, Error = QuantityError> + Serialize,
    {
        Q::try_from(*value).map_err(ser::Error::custom)?.serialize(serializer)
    }

    /// Reads the quantity.
    ///
    /// # Errors
    /// What is not one.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error>
    where
        Q: Into<f64> + Deserialize<'de>,
    {
        Q::deserialize(deserializer).map(Into::into)
    }
}

struct QuantityVisitor(&'static Kind);

impl QuantityVisitor {
    fn number<E: de::Error>(&self, value: f64) -> Result<f64, E> {
        self.0.parse(&format!("{value}")).map_err(E::custom)
    }
}

impl Visitor<'_> for QuantityVisitor {
    type Value = f64;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} such as {}", self.0.what, self.0.examples)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
        self.0.parse(text).map_err(E::custom)
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
        self.number(value as f64)
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
        self.number(value as f64)
    }
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
        self.number(value)
    }
}

quantity!(
    /// An amount of memory or data, base unit byte. Whole bytes up to 2^53.
    Bytes, "a memory size", "`80 GB` or `141 GiB`", false, 0.0, 9.0e15,
    [("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("PB", 1e15),
     ("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0), ("TiB", 1_099_511_627_776.0)]
);
quantity!(
    /// A bandwidth, base unit byte per second.
    BytesPerSecond, "a bandwidth", "`4.8 TB/s` or `400 Gb/s`", false, 0.0, 1e18,
    [("B/s", 1.0), ("kB/s", 1e3), ("MB/s", 1e6), ("GB/s", 1e9), ("TB/s", 1e12), ("PB/s", 1e15),
     ("GiB/s", 1_073_741_824.0), ("Mb/s", 1e6 / 8.0), ("Gb/s", 1e9 / 8.0), ("Tb/s", 1e12 / 8.0)]
);
quantity!(
    /// A rate of arithmetic, base unit operation per second. Dense peaks, not sparse ones.
    FlopsPerSecond, "a compute rate", "`989 TFLOP/s` or `1.2 PFLOP/s`", false, 0.0, 1e21,
    [("FLOP/s", 1.0), ("GFLOP/s", 1e9), ("TFLOP/s", 1e12), ("PFLOP/s", 1e15), ("TOP/s", 1e12), ("TOPS", 1e12), ("TFLOPS", 1e12), ("PFLOPS", 1e15)]
);
quantity!(
    /// A power, base unit watt.
    Watts, "a power", "`700 W` or `10.2 kW`", false, 0.0, 1e12,
    [("W", 1.0), ("mW", 1e-3), ("kW", 1e3), ("MW", 1e6), ("GW", 1e9)]
);
quantity!(
    /// A span of time, base unit second. At most 100 years.
    Duration, "a duration", "`50 ms`, `2 s` or `10 min`", false, 0.0, 3.155_76e9,
    [("s", 1.0), ("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0), ("y", 31_557_600.0)]
);
quantity!(
    /// An amount of money, base unit US dollar.
    Usd, "an amount of money", "`$250k` or `$3.5M`", false, 0.0, 1e15,
    [("$", 1.0), ("$k", 1e3), ("$M", 1e6), ("$B", 1e9)]
);
quantity!(
    /// A rent, base unit US dollar per hour.
    UsdPerHour, "a price per hour", "`$3.50/h`", false, 0.0, 1e9,
    [("$/h", 1.0)]
);
quantity!(
    /// An electricity price, base unit US dollar per kilowatt-hour.
    UsdPerKwh, "an electricity price", "`0.09 $/kWh` or `$90/MWh`", false, 0.0, 1e6,
    [("$/kWh", 1.0), ("$/MWh", 1e-3)]
);
quantity!(
    /// A hosting price, base unit US dollar per kilowatt of provisioned IT power and month.
    UsdPerKwMonth, "a hosting price", "`$185/kW/month`", false, 0.0, 1e6,
    [("$/kW/month", 1.0)]
);
quantity!(
    /// A carbon intensity, base unit gram of CO2 equivalent per kilowatt-hour.
    GramsPerKwh, "a carbon intensity", "`370 g/kWh`", false, 0.0, 1e5,
    [("g/kWh", 1.0), ("kg/MWh", 1.0)]
);
quantity!(
    /// A rate of events, base unit per second.
    PerSecond, "a rate", "`5.5 /s` or `300 /min`", false, 0.0, 1e9,
    [("/s", 1.0), ("/min", 1.0 / 60.0), ("/h", 1.0 / 3600.0)]
);
quantity!(
    /// A number of items (tokens, requests); code that needs a whole number checks for it.
    Count, "a number", "`20000` or `20k`", true, 0.0, 1e15,
    [("k", 1e3), ("M", 1e6), ("G", 1e9)]
);
quantity!(
    /// A fraction or factor without a unit.
    Ratio, "a number", "`0.9` or `90 %`", true, 0.0, 1e9,
    [("%", 0.01)]
);

impl Duration {
    /// Zero time.
    pub const ZERO: Self = Self(0.0);
}

impl Bytes {
    /// Whole bytes, rounded to nearest.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range 0 to 9e15 is part of the type")]
    pub fn whole(self) -> u64 {
        self.0.round() as u64
    }
}

impl Count {
    /// The number as an integer; `None` if it has a fraction.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range 0 to 1e15 is part of the type")]
    pub fn whole(self) -> Option<u64> {
        (self.0.fract() == 0.0).then_some(self.0 as u64)
    }
}

fn kind(name: &str) -> Option<&'static Kind> {
    Some(match name {
        "Bytes" => &Bytes::KIND,
        "BytesPerSecond" => &BytesPerSecond::KIND,
        "FlopsPerSecond" => &FlopsPerSecond::KIND,
        "Watts" => &Watts::KIND,
        "Duration" => &Duration::KIND,
        "Usd" => &Usd::KIND,
        "UsdPerHour" => &UsdPerHour::KIND,
        "UsdPerKwh" => &UsdPerKwh::KIND,
        "UsdPerKwMonth" => &UsdPerKwMonth::KIND,
        "GramsPerKwh" => &GramsPerKwh::KIND,
        "PerSecond" => &PerSecond::KIND,
        "Count" => &Count::KIND,
        "Ratio" => &Ratio::KIND,
        _ => return None,
    })
}

/// Parses `text` as the quantity named by a schema's `x-quantity`; `None` if there is no quantity of that name.
pub fn check_quantity(name: &str, text: &str) -> Option<Result<(), QuantityError>> {
    kind(name).map(|kind| kind.parse(text).map(|_| ()))
}

/// Formats a bound, in base units, of the quantity of that name for a message: `100 y`, `16,777,216`, `1,000 PB/s`; `None` if there is no such
/// quantity.
pub fn show_quantity(name: &str, value: f64) -> Option<String> {
    kind(name).map(|kind| kind.show(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parses_the_spellings_of_data_sheets() {
        assert_eq!("141 GB".parse::<Bytes>().unwrap().whole(), 141_000_000_000);
        assert_eq!("80GiB".parse::<Bytes>().unwrap().whole(), 85_899_345_920);
        approx::assert_relative_eq!("4.8 TB/s".parse::<BytesPerSecond>().unwrap().get(), 4.8e12);
        approx::assert_relative_eq!("400 Gb/s".parse::<BytesPerSecond>().unwrap().get(), 50e9);
        approx::assert_relative_eq!("989 TFLOP/s".parse::<FlopsPerSecond>().unwrap().get(), 989e12);
        approx::assert_relative_eq!("700 W".parse::<Watts>().unwrap().get(), 700.0);
        approx::assert_relative_eq!("50 ms".parse::<Duration>().unwrap().get(), 0.05);
        approx::assert_relative_eq!("$3.50/h".parse::<UsdPerHour>().unwrap().get(), 3.5);
        approx::assert_relative_eq!("0.09 $/kWh".parse::<UsdPerKwh>().unwrap().get(), 0.09);
        approx::assert_relative_eq!("$0.09/kWh".parse::<UsdPerKwh>().unwrap().get(), 0.09);
        approx::assert_relative_eq!("$3.5M".parse::<Usd>().unwrap().get(), 3.5e6);
        assert_eq!("20k".parse::<Count>().unwrap().whole(), Some(20_000));
        // 8.2 · 1e9 is 8199999999.999999 in floats.
        assert_eq!("8.2G".parse::<Count>().unwrap().whole(), Some(8_200_000_000));
        approx::assert_relative_eq!("85 %".parse::<Ratio>().unwrap().get(), 0.85);
        approx::assert_relative_eq!("1e3 W".parse::<Watts>().unwrap().get(), 1000.0);
    }

    #[test]
    fn rejects_ambiguous_spellings() {
        assert!(matches!("80".parse::<Bytes>(), Err(QuantityError::MissingUnit { .. })));
        assert!(matches!("50".parse::<Duration>(), Err(QuantityError::MissingUnit { .. })));
        assert!(matches!("-1 W".parse::<Watts>(), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!("1e300 W".parse::<Watts>(), Err(QuantityError::OutOfRange { .. })));
        assert!(matches!("NaN W".parse::<Watts>(), Err(QuantityError::NotANumber { .. })));
        assert!(matches!("inf GB".parse::<Bytes>(), Err(QuantityError::NotANumber { .. })));
        assert!(matches!("".parse::<Bytes>(), Err(QuantityError::NotANumber { .. })));
        assert!(matches!("80 GB/s".parse::<Bytes>(), Err(QuantityError::UnknownUnit { .. })));
        assert!(matches!("3 W 4 W".parse::<Watts>(), Err(QuantityError::UnknownUnit { .. })));
        // A gigabit is not a gigabyte: no silent factor of 8.
        assert!(matches!("80 Gb".parse::<Bytes>(), Err(QuantityError::UnknownUnit { nearest: Some("GB"), .. })));
    }

    #[test]
    fn errors_suggest_valid_spellings() {
        assert_eq!("80".parse::<Bytes>().unwrap_err().to_string(), "`80` has no unit, expected a memory size such as `80 GB` or `141 GiB`");
        assert_eq!(
            "5 mss".parse::<Duration>().unwrap_err().to_string(),
            "`mss` is not a unit of a duration, expected one such as `50 ms`, `2 s` or `10 min`; did you mean `ms`?"
        );
    }

    #[test]
    fn bounds_are_shown_in_readable_numbers() {
        let most = |text: &str, name: &str| match check_quantity(name, text) {
            Some(Err(QuantityError::OutOfRange { least, most, .. })) => {
                assert_eq!(least, "0", "{name}");
                most
            }
            other => panic!("{name}: {other:?}"),
        };
        for (text, name, expected) in [
            ("1e20 B", "Bytes", "9 PB"),
            ("1e20 B/s", "BytesPerSecond", "1,000 PB/s"),
            ("1e30 FLOP/s", "FlopsPerSecond", "1,000,000 PFLOP/s"),
            ("-1 W", "Watts", "1,000 GW"),
            ("101 y", "Duration", "100 y"),
            ("$1e20", "Usd", "$1,000,000B"),
            ("$1e20/h", "UsdPerHour", "$1,000,000,000/h"),
            ("1e20 $/kWh", "UsdPerKwh", "$1,000,000/kWh"),
            ("$1e20/kW/month", "UsdPerKwMonth", "$1,000,000/kW/month"),
            ("1e20 g/kWh", "GramsPerKwh", "100,000 g/kWh"),
            ("1e20 /s", "PerSecond", "1,000,000,000 /s"),
            ("1e20", "Count", "1e15"),
            ("-0.1", "Ratio", "1,000,000,000"),
        ] {
            assert_eq!(most(text, name), expected, "{name}");
        }
        assert_eq!(show_quantity("PerSecond", 1e-6).unwrap(), "0.000001 /s");
        assert_eq!(show_quantity("Duration", 0.05).unwrap(), "50 ms");
        assert_eq!(show_quantity("Nonsense", 1.0), None);
        let said = "-1 W".parse::<Watts>().unwrap_err().to_string();
        assert_eq!(said, "`-1 W` is out of range for a power, expected one from 0 to 1,000 GW");
    }

    #[test]
    fn prints_the_usual_spellings() {
        for text in ["15 ns", "17.5 ns", "25 ns", "2.5 ns", "1.5 us", "3 us", "14 us", "250 us", "0.3 ns", "1.2 ms", "90 s", "5 y"] {
            let printed = text.parse::<Duration>().unwrap().to_string();
            assert_eq!(printed, text.replace("90 s", "1.5 min").replace("0.3 ns", "0.0000000003 s"));
        }
        for text in ["3.35 TB/s", "8.2 GB/s", "0.9 B/s", "15 GB/s"] {
            assert_eq!(text.parse::<BytesPerSecond>().unwrap().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn printing_then_parsing_gives_the_same_bits(v in 0.0f64..9.0e14) {
            prop_assert_eq!(Bytes(v).to_string().parse::<Bytes>().unwrap().get().to_bits(), v.to_bits());
            prop_assert_eq!(Watts(v / 1e3).to_string().parse::<Watts>().unwrap().get().to_bits(), (v / 1e3).to_bits());
            prop_assert_eq!(Usd(v).to_string().parse::<Usd>().unwrap().get().to_bits(), v.to_bits());
            prop_assert_eq!(Duration(v / 1e6).to_string().parse::<Duration>().unwrap().get().to_bits(), (v / 1e6).to_bits());
        }

        #[test]
        fn the_parser_never_panics(text in ".{0,24}") {
            let _ = text.parse::<Bytes>();
            let _ = text.parse::<UsdPerKwMonth>();
            let _ = text.parse::<Count>();
        }
    }
}
