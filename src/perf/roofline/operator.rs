//! One operator of an iteration: its linear form, and its bound.

use super::collective::AllReduce;
use super::work::{Input, Load, Work};
use crate::perf::{IterationCost, Line};

/// The largest part of an operator's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Arithmetic.
    Compute,
    /// Memory traffic.
    Memory,
    /// Start and tail of the kernel.
    Latency,
    /// The scale-up link.
    Link,
    /// The host.
    Host,
}

impl Bound {
    /// As printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compute => "compute",
            Self::Memory => "memory",
            Self::Latency => "latency",
            Self::Link => "link",
            Self::Host => "host",
        }
    }
}

/// One row of the table behind an iteration's cost: an operator, all its layers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatorCost {
    /// Name of the operator.
    pub name: &'static str,
    /// Number of layers that run it; not whole where part of a layer's weights has another format.
    pub layers: f64,
    /// Arithmetic on the whole instance, FLOPs.
    pub flops: f64,
    /// Memory traffic on the whole instance, bytes.
    pub memory_bytes: f64,
    /// Bytes that each chip sends.
    pub link_bytes: f64,
    /// Time, nanoseconds.
    pub duration_ns: f64,
    /// Time of the arithmetic at peak, nanoseconds.
    pub compute_ns: f64,
    /// Time of the memory traffic at peak, nanoseconds.
    pub memory_ns: f64,
    /// Its bound.
    pub bound: Bound,
    /// Share caused by prefill.
    pub prefill_share: f64,
}

/// Sums over operators.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sums {
    pub cost: IterationCost,
    /// The part of the duration caused by prefill.
    pub prefill_ns: f64,
}

impl Sums {
    #[inline]
    pub(super) fn add_time(&mut self, duration_ns: f64, prefill_share: f64) {
        self.cost.duration_ns += duration_ns;
        self.prefill_ns += duration_ns * prefill_share;
    }

    /// Share of the time so far caused by prefill, which has `rows_share` of the rows.
    pub(super) fn prefill_share(&self, rows_share: f64) -> f64 {
        // Exact at both ends: rounding must not book energy of pure decode to prefill.
        if rows_share <= 0.0 || rows_share >= 1.0 { rows_share } else { self.prefill_ns / self.cost.duration_ns }
    }
}

/// How the roofs of arithmetic and memory traffic meet: `(c^p + m^p)^(1/p)`. A sharp corner would mean that both engines are busy from the
/// first instruction to the last; in a kernel that needs both, one stalls on the other at times, the more the closer their times are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Corner {
    /// `p = ∞`: the larger of the two.
    Sharp,
    /// `p = 2`.
    Two,
    /// `p = 3`.
    Three,
    /// `p = 4`.
    Four,
}

impl Corner {
    /// The corner of a profile's figure.
    pub(super) fn from_exponent(p: f64) -> Option<Self> {
        let known = [(2.0, Self::Two), (3.0, Self::Three), (4.0, Self::Four)];
        known.into_iter().find(|(value, _)| (value - p).abs() < f64::EPSILON).map(|(_, corner)| corner)
    }

    /// Combines two times that are not negative. Uses roots only, because powers are slow and differ between platforms.
    #[inline]
    pub(super) fn join(self, compute: f64, memory: f64) -> f64 {
        let (greater, lesser) = if compute > memory { (compute, memory) } else { (memory, compute) };
        if lesser <= 0.0 {
            return greater;
        }
        let ratio = lesser / greater;
        let square = ratio * ratio;
        greater
            * match self {
                Self::Sharp => 1.0,
                Self::Two => (1.0 + square).sqrt(),
                Self::Three => libm::cbrt(1.0 + square * ratio),
                Self::Four => (1.0 + square * square).sqrt().sqrt(),
            }
    }
}

/// A kernel on every chip: `start + start_x · x + (c^p + m^p)^(1/p)` a layer, FLOPs and bytes at their rates. All figures are per layer and
/// chip.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Kernel {
    pub name: &'static str,
    pub layers: f64,
    pub input: Input,
    pub flops_x: f64,
    pub flops_y: f64,
    pub bytes_once: f64,
    pub bytes_x: f64,
    pub bytes_y: f64,
    pub flop_ns: f64,
    pub ideal_flop_ns: f64,
    pub byte_ns: f64,
    pub ideal_byte_ns: f64,
    pub start_ns: f64,
    /// Nanoseconds per `x` beside arithmetic and traffic.
    pub start_x_ns: f64,
    pub corner: Corner,
}

/// Change of a kernel's cost as contexts grow by one token per sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Growth {
    pub duration_ns: f64,
    pub flops: f64,
    pub memory_bytes: f64,
    pub compute_ns: f64,
    pub memory_ns: f64,
    /// Number of iterations for which the same term of the maximum holds, at least 1.
    pub iterations: u64,
}

/// Limit of a run: far beyond any context, and small enough that `n²` stays exact in its closed form.
const LONGEST_RUN: u64 = 1 << 24;

impl Kernel {
    /// Nanoseconds of arithmetic and of memory traffic in one layer.
    fn terms(&self, load: Load) -> [f64; 2] {
        let compute = (self.flops_x * load.x + self.flops_y * load.flops_y) * self.flop_ns;
        let memory = (self.bytes_once + self.bytes_x * load.x + self.bytes_y * load.bytes_y) * self.byte_ns;
        [compute, memory]
    }

    /// Nanoseconds of all layers.
    fn duration_ns(&self, load: Load, [compute, memory]: [f64; 2]) -> f64 {
        self.layers * (self.start_ns + self.start_x_ns * load.x + self.corner.join(compute, memory))
    }

    /// Adds its cost on an instance of `chips`; nothing if the batch does not need it.
    #[inline]
    pub(super) fn add_to(&self, sums: &mut Sums, busy: Load, mean: Load, prefill_share: f64, chips: f64) {
        if busy.x <= 0.0 {
            return;
        }
        sums.add_time(self.duration_ns(busy, self.terms(busy)), prefill_share);
        let layers = self.layers;
        let flops = layers * (self.flops_x * mean.x + self.flops_y * mean.flops_y);
        let bytes = layers * (self.bytes_once + self.bytes_x * mean.x + self.bytes_y * mean.bytes_y);
        sums.cost.flops += flops * chips;
        sums.cost.memory_bytes += bytes * chips;
        sums.cost.compute_ns += flops * self.ideal_flop_ns;
        sums.cost.memory_ns += bytes * self.ideal_byte_ns;
    }

    /// Its bound under a load.
    fn bound(&self, load: Load) -> Bound {
        let [compute, memory] = self.terms(load);
        let roof = self.corner.join(compute, memory);
        match () {
            () if roof < 0.5 * (self.start_ns + self.start_x_ns * load.x + roof) => Bound::Latency,
            () if compute > memory => Bound::Compute,
            () => Bound::Memory,
        }
    }

    /// Growth of decode attention per iteration, from that of the context on the busiest and on the mean chip.
    pub(super) fn growth(&self, load: Load, [busy, mean]: [f64; 2], chips: f64) -> Growth {
        debug_assert!(self.input.sees_decode_context() && self.corner == Corner::Sharp, "a line only if the roofs meet sharply");
        let [compute, memory] = self.terms(load);
        let arithmetic = Line { first: compute, step: self.flops_y * busy * self.flop_ns };
        let traffic = Line { first: memory, step: self.bytes_y * busy * self.byte_ns };
        let (slope, iterations) = run_on_the_upper_line(arithmetic, traffic);
        let layers = self.layers;
        Growth {
            duration_ns: layers * slope,
            flops: layers * self.flops_y * mean * chips,
            memory_bytes: layers * self.bytes_y * mean * chips,
            compute_ns: layers * self.flops_y * mean * self.ideal_flop_ns,
            memory_ns: layers * self.bytes_y * mean * self.ideal_byte_ns,
            iterations,
        }
    }
}

/// Slope of the greater of two lines, and the number of iterations from the first for which it stays the greater.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by LONGEST_RUN and not negative")]
fn run_on_the_upper_line(one: Line, other: Line) -> (f64, u64) {
    let other_is_upper = other.first > one.first || (other.first >= one.first && other.step > one.step);
    let (upper, lower) = if other_is_upper { (other, one) } else { (one, other) };
    if lower.step <= upper.step {
        return (upper.step, LONGEST_RUN);
    }
    let last = ((upper.first - lower.first) / (lower.step - upper.step)).min(LONGEST_RUN as f64 - 1.0);
    (upper.step, last.max(0.0) as u64 + 1)
}

/// A collective of all chips.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Collective {
    AllReduce(AllReduce),
    /// `latency + bytes · byte_ns`, where `bytes` is what each chip sends.
    Linear {
        latency_ns: f64,
        byte_ns: f64,
    },
    /// The fastest of these kernels.
    Exchange(Vec<ExchangeLine>),
}

/// `max(least, start + bytes · per_byte)`, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ExchangeLine {
    pub start: f64,
    pub per_byte: f64,
    pub least: f64,
}

/// A transfer between the chips of the instance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transfer {
    pub name: &'static str,
    pub layers: u32,
    pub input: Input,
    /// Bytes to reduce or to send, per row.
    pub bytes_x: f64,
    pub collective: Collective,
}

impl Transfer {
    /// Nanoseconds and bytes sent in one layer.
    fn layer(&self, load: Load) -> (f64, f64) {
        let bytes = self.bytes_x * load.x;
        match &self.collective {
            Collective::AllReduce(all_reduce) => (all_reduce.time_ns(bytes), all_reduce.ring_bytes(bytes)),
            Collective::Linear { latency_ns, byte_ns } => (latency_ns + bytes * byte_ns, bytes),
            Collective::Exchange(kernels) => {
                let times = kernels.iter().map(|line| (line.start + bytes * line.per_byte).max(line.least));
                (times.fold(f64::INFINITY, f64::min), bytes)
            }
        }
    }

    /// Adds its cost.
    #[inline]
    fn add_to(&self, sums: &mut Sums, busy: Load, prefill_share: f64) {
        if busy.x <= 0.0 {
            return;
        }
        let (time, sent) = self.layer(busy);
        let layers = f64::from(self.layers);
        sums.add_time(layers * time, prefill_share);
        sums.cost.link_bytes += layers * sent;
    }
}

/// A step of an iteration.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operator {
    Kernel(Kernel),
    Transfer(Transfer),
}

impl Operator {
    /// The kernel, if its cost depends on the context of decoding sequences.
    pub(super) const fn decode_attention(&self) -> Option<&Kernel> {
        match self {
            Self::Kernel(kernel) if kernel.input.sees_decode_context() => Some(kernel),
            _ => None,
        }
    }

    const fn input(&self) -> Input {
        match self {
            Self::Kernel(kernel) => kernel.input,
            Self::Transfer(transfer) => transfer.input,
        }
    }

    /// Adds its cost on an instance of `chips`.
    #[inline]
    pub(super) fn add_to(&self, sums: &mut Sums, work: &Work, chips: f64) {
        match self {
            Self::Kernel(kernel) => {
                kernel.add_to(sums, work.busy(kernel.input), work.mean(kernel.input), work.prefill_share(kernel.input), chips);
            }
            Self::Transfer(transfer) => transfer.add_to(sums, work.busy(transfer.input), work.prefill_share(transfer.input)),
        }
    }

    /// The sums with its cost added.
    pub(super) fn added_to(&self, mut sums: Sums, work: &Work, chips: f64) -> Sums {
        self.add_to(&mut sums, work, chips);
        sums
    }

    /// Its row of the table; `None` if the batch does not need it.
    pub(super) fn cost(&self, work: &Work, chips: f64) -> Option<OperatorCost> {
        let load = work.busy(self.input());
        if load.x <= 0.0 {
            return None;
        }
        let mut sums = Sums::default();
        self.add_to(&mut sums, work, chips);
        let (name, layers, bound) = match self {
            Self::Kernel(kernel) => (kernel.name, kernel.layers, kernel.bound(load)),
            Self::Transfer(transfer) => (transfer.name, f64::from(transfer.layers), Bound::Link),
        };
        let IterationCost { duration_ns, compute_ns, memory_ns, flops, memory_bytes, link_bytes, .. } = sums.cost;
        let prefill_share = work.prefill_share(self.input());
        Some(OperatorCost { name, layers, flops, memory_bytes, link_bytes, duration_ns, compute_ns, memory_ns, bound, prefill_share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roofs_meet_in_the_norm_of_their_exponent() {
        for (corner, p) in [(Corner::Two, 2.0), (Corner::Three, 3.0), (Corner::Four, 4.0)] {
            assert_eq!(Corner::from_exponent(p), Some(corner));
            for (c, m) in [(3.0f64, 4.0f64), (1.0, 1.0), (1e6, 2.0), (7.0, 1e-9)] {
                approx::assert_relative_eq!(corner.join(c, m), (c.powf(p) + m.powf(p)).powf(1.0 / p), max_relative = 1e-14);
            }
            approx::assert_relative_eq!(corner.join(5.0, 0.0), 5.0);
            assert_eq!(corner.join(0.0, 0.0).to_bits(), 0);
        }
        approx::assert_relative_eq!(Corner::Sharp.join(3.0, 4.0), 4.0);
        assert_eq!(Corner::from_exponent(2.5), None);
    }

    #[test]
    fn a_run_ends_where_a_steeper_line_takes_over() {
        let line = |first, step| Line { first, step };
        for lines in [|one, other| run_on_the_upper_line(one, other), |one, other| run_on_the_upper_line(other, one)] {
            // 10 constant, 4 + 2j: equal at j = 3, which still lies on both; at 4 the second is greater.
            assert_eq!(lines(line(10.0, 0.0), line(4.0, 2.0)), (0.0, 4));
            // At equal values the steeper counts from the start.
            assert_eq!(lines(line(4.0, 0.0), line(4.0, 2.0)), (2.0, LONGEST_RUN));
            // 9.5 is reached at 2.75: iterations 0, 1, 2.
            assert_eq!(lines(line(9.5, 0.0), line(4.0, 2.0)), (0.0, 3));
            assert_eq!(lines(line(9.0, 1.0), line(4.0, 1.0)), (1.0, LONGEST_RUN));
        }
    }
}
