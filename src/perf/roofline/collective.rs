//! Collectives among the chips of one instance.

use super::options::ScaleUp;
use crate::hardware::AllReduceRow;

const NS_PER_S: f64 = 1e9;

/// All-reduce among `chips`. If the table has measurements for that many chips, they are interpolated linearly (latency plus bytes per
/// bandwidth is a line), with the first time below the first row and the ring's slope beyond the last. Otherwise the better of a ring,
/// `2·S·(n−1)/n / BW + 2·(n−1)·α`, and one shot, `(n−1)·S / BW + α`, with `α` the link's latency.
///
/// A group larger than any measured one starts no faster than the largest measured one: `α` is at least the shortest time of that group,
/// and no size takes less time than there. A link's latency excludes the kernel's start and the barriers on both sides of the exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct AllReduce {
    chips: f64,
    /// (bytes, nanoseconds), ascending in bytes.
    table: Vec<(f64, f64)>,
    latency_ns: f64,
    byte_ns: f64,
    /// The largest measured group, if smaller than this one.
    smaller: Option<Box<AllReduce>>,
}

impl AllReduce {
    /// `chips` must be at least 1.
    pub fn new(chips: u32, table: &[AllReduceRow], link: &ScaleUp) -> Self {
        let measured = table.iter().flat_map(|row| row.time.keys().copied());
        let smaller = measured.filter(|&n| n <= chips).max().filter(|&n| n < chips);
        let mut times: Vec<_> =
            table.iter().filter_map(|row| row.time.get(&chips).map(|time| (row.size.get(), time.get() * NS_PER_S))).collect();
        times.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self {
            chips: f64::from(chips),
            table: times,
            latency_ns: link.latency.get() * NS_PER_S,
            byte_ns: NS_PER_S / (link.bandwidth.get() * link.efficiency.get()),
            smaller: smaller.map(|n| Box::new(Self::new(n, table, link))),
        }
    }

    /// True if measured times are used, of this group or of a smaller one.
    pub fn is_measured(&self) -> bool {
        !self.table.is_empty() || self.smaller.is_some()
    }

    /// True if a smaller group was measured and this one was not.
    pub fn is_extended(&self) -> bool {
        self.smaller.is_some()
    }

    /// Nanoseconds to reduce `bytes` on each chip.
    pub fn time_ns(&self, bytes: f64) -> f64 {
        if self.chips <= 1.0 {
            return 0.0;
        }
        let above = self.table.partition_point(|&(size, _)| size < bytes);
        match (above.checked_sub(1).and_then(|below| self.table.get(below)), self.table.get(above)) {
            (Some(&(s0, t0)), Some(&(s1, t1))) => t0 + (t1 - t0) * (bytes - s0) / (s1 - s0),
            (None, Some(&(_, first))) => first,
            (Some(&(size, time)), None) => time + self.ring_bytes(bytes - size) * self.byte_ns,
            (None, None) => self.formula_ns(bytes),
        }
    }

    /// Bytes that each chip sends to reduce `bytes`.
    pub fn ring_bytes(&self, bytes: f64) -> f64 {
        2.0 * bytes * (self.chips - 1.0) / self.chips
    }

    fn formula_ns(&self, bytes: f64) -> f64 {
        let others = self.chips - 1.0;
        let least = self.smaller.as_ref().map_or(0.0, |smaller| smaller.time_ns(0.0));
        let ring = self.ring_bytes(bytes) * self.byte_ns + (2.0 * others * self.latency_ns).max(least);
        let one_shot = others * bytes * self.byte_ns + self.latency_ns.max(least);
        ring.min(one_shot).max(self.smaller.as_ref().map_or(0.0, |smaller| smaller.time_ns(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::units::Duration;

    fn link() -> ScaleUp {
        ScaleUp { bandwidth: "450 GB/s".parse().unwrap(), latency: "2 us".parse().unwrap(), efficiency: "0.8".parse().unwrap() }
    }

    fn row(size: &str, times: [(u32, &str); 2]) -> AllReduceRow {
        let time = times.into_iter().map(|(n, t)| (n, t.parse::<Duration>().unwrap())).collect::<BTreeMap<_, _>>();
        AllReduceRow { size: size.parse().unwrap(), time }
    }

    fn table() -> [AllReduceRow; 3] {
        [
            row("32 KiB", [(4, "3.1 us"), (8, "3.8 us")]),
            row("4 KiB", [(4, "2.7 us"), (8, "3.5 us")]),
            row("256 KiB", [(4, "5.5 us"), (8, "9.4 us")]),
        ]
    }

    #[test]
    fn rows_are_exact_and_interpolated_linearly() {
        let four = AllReduce::new(4, &table(), &link());
        approx::assert_relative_eq!(four.time_ns(32_768.0), 3100.0, max_relative = 1e-12);
        approx::assert_relative_eq!(four.time_ns(4096.0), 2700.0, max_relative = 1e-12);
        // Half way between 32 KiB and 256 KiB: 3.1 + 1.2 µs.
        approx::assert_relative_eq!(four.time_ns(147_456.0), 4300.0, max_relative = 1e-12);
        approx::assert_relative_eq!(AllReduce::new(8, &table(), &link()).time_ns(147_456.0), 6600.0, max_relative = 1e-12);
        // Below the table the latency stays.
        approx::assert_relative_eq!(four.time_ns(1.0), 2700.0, max_relative = 1e-12);
        // Beyond it the ring's slope: 1 MiB more at 2·3/4 bytes sent per byte over 360 GB/s is 4.369 µs.
        approx::assert_relative_eq!(four.time_ns(262_144.0 + 1_048_576.0), 5500.0 + 1.5 * 1_048_576.0 / 360.0, max_relative = 1e-12);
    }

    #[test]
    fn without_a_table_the_better_formula_counts() {
        // Two chips are not in the table. One shot: 4096/360 + 2000 ns; ring: the same bytes and twice the latency.
        let two = AllReduce::new(2, &table(), &link());
        assert!(!two.is_measured());
        approx::assert_relative_eq!(two.time_ns(4096.0), 4096.0 / 360.0 + 2000.0, max_relative = 1e-12);
        // Eight chips, 64 MiB: ring 2·7/8·S/360 + 14·2000 ns.
        let eight = AllReduce::new(8, &[], &link());
        approx::assert_relative_eq!(eight.time_ns(67_108_864.0), 1.75 * 67_108_864.0 / 360.0 + 28_000.0, max_relative = 1e-12);
        approx::assert_abs_diff_eq!(AllReduce::new(1, &[], &link()).time_ns(1e9), 0.0);
    }

    #[test]
    fn a_group_larger_than_any_measured_is_never_faster_than_the_largest_measured() {
        let (eight, sixteen) = (AllReduce::new(8, &table(), &link()), AllReduce::new(16, &table(), &link()));
        assert!(sixteen.is_extended() && sixteen.is_measured() && !eight.is_extended());
        for bytes in [1.0, 4096.0, 16_384.0, 262_144.0, 1e6, 1e8] {
            assert!(sixteen.time_ns(bytes) >= eight.time_ns(bytes), "{bytes}");
        }
        // 4 KiB in one shot: 15 · 4096 / 360 + 3500 ns, the least time of eight, not the link's 2000 ns.
        approx::assert_relative_eq!(sixteen.time_ns(4096.0), 15.0 * 4096.0 / 360.0 + 3500.0, max_relative = 1e-12);
        // 1 GiB: the ring of sixteen, 2·15/16 bytes a byte and 30 latencies of 2 µs.
        let ring = 1.875 * 1_073_741_824.0 / 360.0 + 60_000.0;
        approx::assert_relative_eq!(sixteen.time_ns(1_073_741_824.0), ring, max_relative = 1e-12);
    }
}
