//! One operator of an iteration: what it is linear in and what bounds it.

use super::collective::AllReduce;
use super::work::{Quantities, Work};

/// Which quantities an operator is linear in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Rows,
    Logits,
    PrefillFull,
    PrefillWindowed,
    DecodeFull,
    DecodeWindowed,
    Experts,
    /// Tokens whose latent is expanded to keys and values.
    Expanded,
    /// Tokens whose queries and outputs are absorbed.
    Absorbed,
}

impl Input {
    /// (x, what else FLOPs are linear in, what else bytes are linear in).
    fn of(self, q: &Quantities) -> (f64, f64, f64) {
        match self {
            Self::Rows => (q.rows, 0.0, 0.0),
            Self::Logits => (q.logits, 0.0, 0.0),
            Self::PrefillFull => (q.prefill_tokens, q.prefill_pairs, q.prefill_context),
            Self::PrefillWindowed => (q.prefill_tokens, q.prefill_windowed_pairs, q.prefill_windowed_context),
            Self::DecodeFull => (q.decode_sequences, q.decode_context, q.decode_context),
            Self::DecodeWindowed => (q.decode_sequences, q.decode_windowed_context, q.decode_windowed_context),
            Self::Experts => (q.expert_rows, q.expert_padding, q.active_experts),
            Self::Expanded => (q.prefill_context, 0.0, 0.0),
            Self::Absorbed => (q.decode_sequences, 0.0, 0.0),
        }
    }

    /// Fraction of the operator that prefill causes.
    const fn prefill_share(self, work: &Work) -> f64 {
        match self {
            Self::Rows | Self::Experts => work.rows_share,
            Self::Logits => work.logits_share,
            Self::PrefillFull | Self::PrefillWindowed | Self::Expanded => 1.0,
            Self::DecodeFull | Self::DecodeWindowed | Self::Absorbed => 0.0,
        }
    }
}

/// What an operator's time is made of, most of all.
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
    /// What it is.
    pub name: &'static str,
    /// How many layers run it.
    pub layers: u32,
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
    /// What bounds it.
    pub bound: Bound,
    /// Fraction that prefill causes.
    pub prefill_share: f64,
}

/// How the roofs of arithmetic and memory traffic meet: `(c^p + m^p)^(1/p)`. At a sharp corner both engines would be kept busy from the first
/// instruction to the last; in a kernel that needs both, one waits for the other now and then, the more the nearer their times.
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
    /// From a profile's figure.
    pub(super) fn from_exponent(p: f64) -> Option<Self> {
        let known = [(2.0, Self::Two), (3.0, Self::Three), (4.0, Self::Four)];
        known.into_iter().find(|(value, _)| (value - p).abs() < f64::EPSILON).map(|(_, corner)| corner)
    }

    /// Both times not negative. Roots only: powers are slow and differ between platforms.
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
    pub layers: u32,
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

/// How a kernel's cost moves as contexts grow by one token a sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Growth {
    pub duration_ns: f64,
    pub flops: f64,
    pub memory_bytes: f64,
    pub compute_ns: f64,
    pub memory_ns: f64,
    /// Steps for which the same term of the maximum holds, at least 1.
    pub iterations: u64,
}

/// A run longer than this is cut: far beyond any context, and `n²` stays exact in its closed form.
const LONGEST_RUN: u64 = 1 << 24;

impl Kernel {
    /// Nanoseconds of arithmetic and of memory traffic in one layer, and of memory traffic.
    fn terms(&self, q: &Quantities) -> (f64, f64) {
        let (x, y_flops, y_bytes) = self.input.of(q);
        let compute = (self.flops_x * x + self.flops_y * y_flops) * self.flop_ns;
        let memory = (self.bytes_once + self.bytes_x * x + self.bytes_y * y_bytes) * self.byte_ns;
        (compute, memory)
    }

    /// Cost on an instance of `chips`; `None` if the batch does not need the kernel.
    pub(super) fn cost(&self, work: &Work, chips: f64) -> Option<OperatorCost> {
        let (x, ..) = self.input.of(&work.busy);
        if x <= 0.0 {
            return None;
        }
        let (compute, memory) = self.terms(&work.busy);
        let roof = self.corner.join(compute, memory);
        let time = self.start_ns + self.start_x_ns * x + roof;
        let bound = match () {
            () if roof < 0.5 * time => Bound::Latency,
            () if compute > memory => Bound::Compute,
            () => Bound::Memory,
        };
        let (x, y_flops, y_bytes) = self.input.of(&work.mean);
        let layers = f64::from(self.layers);
        let flops = layers * (self.flops_x * x + self.flops_y * y_flops);
        let bytes = layers * (self.bytes_once + self.bytes_x * x + self.bytes_y * y_bytes);
        Some(OperatorCost {
            name: self.name,
            layers: self.layers,
            flops: flops * chips,
            memory_bytes: bytes * chips,
            link_bytes: 0.0,
            duration_ns: layers * time,
            compute_ns: flops * self.ideal_flop_ns,
            memory_ns: bytes * self.ideal_byte_ns,
            bound,
            prefill_share: self.input.prefill_share(work),
        })
    }

    /// How decode attention grows when the context of the busiest and the mean chip do; `None` for kernels that do not see context.
    pub(super) fn growth(&self, work: &Work, busy: ContextGrowth, mean: ContextGrowth, chips: f64) -> Option<Growth> {
        let (busy, mean) = match self.input {
            Input::DecodeFull => (busy.full, mean.full),
            Input::DecodeWindowed => (busy.windowed, mean.windowed),
            _ => return None,
        };
        let (compute, memory) = self.terms(&work.busy);
        let (slope_c, slope_m) = (self.flops_y * busy * self.flop_ns, self.bytes_y * busy * self.byte_ns);
        debug_assert_eq!(self.corner, Corner::Sharp, "a line only if the roofs meet sharply");
        let (slope, iterations) = run_on_the_upper_line(&[(compute, slope_c), (memory, slope_m)]);
        let layers = f64::from(self.layers);
        Some(Growth {
            duration_ns: layers * slope,
            flops: layers * self.flops_y * mean * chips,
            memory_bytes: layers * self.bytes_y * mean * chips,
            compute_ns: layers * self.flops_y * mean * self.ideal_flop_ns,
            memory_ns: layers * self.bytes_y * mean * self.ideal_byte_ns,
            iterations,
        })
    }
}

/// KV tokens by which the decode context of one chip grows in an iteration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ContextGrowth {
    pub full: f64,
    pub windowed: f64,
}

/// Slope of the greatest of `lines` (value at 0, slope) and for how many steps from 0 it stays the greatest.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded by LONGEST_RUN and not negative")]
fn run_on_the_upper_line(lines: &[(f64, f64)]) -> (f64, u64) {
    let (value, slope) = lines
        .iter()
        .copied()
        .fold((f64::NEG_INFINITY, 0.0), |best, line| if line.0 > best.0 || (line.0 >= best.0 && line.1 > best.1) { line } else { best });
    let overtaken = lines.iter().filter(|line| line.1 > slope).map(|line| (value - line.0) / (line.1 - slope));
    let last = overtaken.fold(LONGEST_RUN as f64 - 1.0, f64::min);
    (slope, last.max(0.0) as u64 + 1)
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
    pub(super) fn cost(&self, work: &Work) -> Option<OperatorCost> {
        let (x, ..) = self.input.of(&work.busy);
        if x <= 0.0 {
            return None;
        }
        let bytes = self.bytes_x * x;
        let (time, sent) = match &self.collective {
            Collective::AllReduce(all_reduce) => (all_reduce.time_ns(bytes), all_reduce.ring_bytes(bytes)),
            Collective::Linear { latency_ns, byte_ns } => (latency_ns + bytes * byte_ns, bytes),
            Collective::Exchange(kernels) => {
                let times = kernels.iter().map(|line| (line.start + bytes * line.per_byte).max(line.least));
                (times.fold(f64::INFINITY, f64::min), bytes)
            }
        };
        let layers = f64::from(self.layers);
        Some(OperatorCost {
            name: self.name,
            layers: self.layers,
            flops: 0.0,
            memory_bytes: 0.0,
            link_bytes: layers * sent,
            duration_ns: layers * time,
            compute_ns: 0.0,
            memory_ns: 0.0,
            bound: Bound::Link,
            prefill_share: self.input.prefill_share(work),
        })
    }
}

/// A step of an iteration.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operator {
    Kernel(Kernel),
    Transfer(Transfer),
}

impl Operator {
    /// The kernel, if it is one that sees the context of decoding sequences.
    pub(super) const fn decode_attention(&self) -> Option<&Kernel> {
        match self {
            Self::Kernel(kernel) if matches!(kernel.input, Input::DecodeFull | Input::DecodeWindowed) => Some(kernel),
            _ => None,
        }
    }

    pub(super) fn cost(&self, work: &Work, chips: f64) -> Option<OperatorCost> {
        match self {
            Self::Kernel(kernel) => kernel.cost(work, chips),
            Self::Transfer(transfer) => transfer.cost(work),
        }
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
        // 10 constant, 4 + 2j: equal at j = 3, which still lies on both; at 4 the second is greater.
        assert_eq!(run_on_the_upper_line(&[(10.0, 0.0), (4.0, 2.0)]), (0.0, 4));
        // At equal values the steeper counts from the start.
        assert_eq!(run_on_the_upper_line(&[(4.0, 0.0), (4.0, 2.0)]), (2.0, LONGEST_RUN));
        // 9.5 is reached at 2.75: iterations 0, 1, 2.
        assert_eq!(run_on_the_upper_line(&[(9.5, 0.0), (4.0, 2.0)]), (0.0, 3));
    }
}
