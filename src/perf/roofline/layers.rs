//! The operators of a model on an instance, in execution order.
//!
//! Projections are split over the tensor-parallel group: half of them by output columns, half by input rows, with an all-reduce after each
//! such pair. Norms, routers, latent down-projections and the residual stream are replicated. Tokens are sent to whole experts (all-to-all)
//! only if attention is data-parallel; inside one tensor-parallel group every chip already has every token.

use super::collective::AllReduce;
use super::operator::{Collective, Corner, ExchangeLine, Kernel, Operator, Transfer};
use super::options::{RooflineOptions, ScaleUp};
use super::rates::{Rate, Rates};
use super::work::Input;
use crate::hardware::{AllToAll, Exchange};
use crate::model::{Attention, Experts, Model, Part, UNQUANTIZED};
use crate::perf::{Parallelism, PerfError};

/// Bytes of one element of the residual stream and of attention's inputs and outputs.
const ELEMENT: f64 = 2.0;
const NS_PER_S: f64 = 1e9;

/// Collects the operators.
pub(super) struct Builder<'a, 'b> {
    pub model: &'a Model,
    pub parallelism: Parallelism,
    pub options: &'a RooflineOptions,
    pub scale_up: &'a ScaleUp,
    pub all_reduce: AllReduce,
    pub all_to_all: Option<&'a AllToAll>,
    pub rates: &'b mut Rates<'a>,
    pub operators: Vec<Operator>,
}

impl Builder<'_, '_> {
    /// All operators of one iteration.
    pub(super) fn build(mut self) -> Result<Vec<Operator>, PerfError> {
        let shape = self.model.architecture();
        let hidden = f64::from(shape.hidden);
        self.elementwise("embedding", 1, Input::Rows, 2.0 * hidden * ELEMENT);
        self.all_reduce("embedding all-reduce", 1);
        self.norm("attention norm", shape.layers);
        match shape.attention {
            Attention::Grouped { heads, kv_heads, head_dim } => self.grouped(heads, kv_heads, head_dim)?,
            Attention::Latent { heads, q_lora, kv_lora, nope, rope, value } => {
                self.latent(heads, q_lora, [kv_lora, nope, rope, value])?;
            }
        }
        self.all_reduce("attention all-reduce", shape.layers);
        self.norm("feed-forward norm", shape.layers);
        if let Some(width) = shape.dense_intermediate {
            let weights = self.weights(Part::Dense)?;
            self.feed_forward(["gate and up", "activation", "down"], shape.dense_layers(), width, &weights);
        }
        if let Some(experts) = shape.experts {
            self.experts(&experts)?;
        }
        self.all_reduce("feed-forward all-reduce", shape.layers);
        self.head()?;
        Ok(self.operators)
    }

    fn tp(&self) -> f64 {
        f64::from(self.parallelism.tp)
    }

    fn hidden(&self) -> f64 {
        f64::from(self.model.architecture().hidden)
    }

    fn kernel(&mut self, layers: u32, kernel: Kernel) {
        self.kernel_in(f64::from(layers), kernel);
    }

    /// A kernel in some layers; not whole where a share of the weights has its format.
    fn kernel_in(&mut self, layers: f64, kernel: Kernel) {
        if layers > 0.0 {
            self.operators.push(Operator::Kernel(Kernel { layers, ..kernel }));
        }
    }

    /// Rates of matrix products with the weights of a part, by format, with the share of each.
    fn weights(&mut self, part: Part) -> Result<Vec<(Rate, f64)>, PerfError> {
        self.model.precision().part(part).shares().map(|(format, share)| Ok((self.rates.gemm(format)?, share))).collect()
    }

    /// A matrix product of `inner × outer` weights on each chip.
    fn gemm(&mut self, name: &'static str, layers: u32, input: Input, inner: f64, outer: f64, weights: &[(Rate, f64)]) {
        for &(rate, share) in weights {
            let mut kernel = self.plain(name, input, rate);
            kernel.flops_x = 2.0 * inner * outer;
            kernel.bytes_once = inner * outer * rate.weight_bytes;
            kernel.bytes_x = inner * rate.input_bytes + outer * ELEMENT;
            self.kernel_in(f64::from(layers) * share, kernel);
        }
    }

    /// A kernel at `rate`, without work.
    fn plain(&self, name: &'static str, input: Input, rate: Rate) -> Kernel {
        Kernel {
            name,
            layers: 0.0,
            input,
            flops_x: 0.0,
            flops_y: 0.0,
            bytes_once: 0.0,
            bytes_x: 0.0,
            bytes_y: 0.0,
            flop_ns: rate.flop_ns,
            ideal_flop_ns: rate.ideal_flop_ns,
            byte_ns: rate.byte_ns,
            ideal_byte_ns: self.rates.ideal_byte_ns,
            start_ns: rate.start_ns,
            start_x_ns: 0.0,
            corner: rate.corner,
        }
    }

    /// A kernel that only moves `bytes` per row.
    fn elementwise(&mut self, name: &'static str, layers: u32, input: Input, bytes: f64) {
        let byte_ns = self.rates.elementwise_byte_ns;
        let start_ns = self.rates.elementwise_latency_ns;
        let rate = Rate { start_ns, corner: Corner::Sharp, flop_ns: 0.0, ideal_flop_ns: 0.0, byte_ns, weight_bytes: 0.0, input_bytes: 0.0 };
        let kernel = self.plain(name, input, rate);
        self.kernel(layers, Kernel { bytes_x: bytes, ..kernel });
    }

    /// Residual addition and norm: two streams read, two written.
    fn norm(&mut self, name: &'static str, layers: u32) {
        let bytes = 4.0 * self.hidden() * ELEMENT;
        self.elementwise(name, layers, Input::Rows, bytes);
    }

    fn all_reduce(&mut self, name: &'static str, layers: u32) {
        if self.parallelism.tp > 1 {
            let collective = Collective::AllReduce(self.all_reduce.clone());
            let bytes_x = self.hidden() * ELEMENT;
            self.operators.push(Operator::Transfer(Transfer { name, layers, input: Input::Rows, bytes_x, collective }));
        }
    }

    /// Attention over the layers with full attention and those with a window, per (query, key) pair or cached token and chip.
    fn attention(&mut self, prefill: Kernel, decode: Kernel) {
        let shape = self.model.architecture();
        let (full, windowed) = (shape.full_layers(), shape.windowed_layers());
        self.kernel(full, prefill);
        self.kernel(windowed, Kernel { name: "windowed prefill attention", input: Input::PrefillWindowed, ..prefill });
        self.kernel(full, decode);
        self.kernel(windowed, Kernel { name: "windowed decode attention", input: Input::DecodeWindowed, ..decode });
    }

    fn grouped(&mut self, heads: u32, kv_heads: u32, head_dim: u32) -> Result<(), PerfError> {
        let (layers, hidden) = (self.model.architecture().layers, self.hidden());
        let (weights, attention) = (self.weights(Part::Attention)?, self.rates.attention(self.model.precision().kv)?);
        let d = f64::from(head_dim);
        let query = f64::from(heads) * d / self.tp();
        let kv_heads = f64::from(self.parallelism.kv_heads_per_chip(kv_heads));
        let cached = 2.0 * kv_heads * d;
        self.gemm("query, key, value", layers, Input::Rows, hidden, query + cached, &weights);
        if self.model.architecture().qk_norm {
            self.elementwise("query norm", layers, Input::Rows, 2.0 * query * ELEMENT);
            self.elementwise("key norm", layers, Input::Rows, cached * ELEMENT);
        }
        // Rotary embedding reads and writes queries and keys, and the new keys and values go to the cache.
        let rotary = 2.0 * (query + 0.5 * cached) * ELEMENT + 0.5 * cached * ELEMENT + cached * attention.decode.weight_bytes;
        self.elementwise("rotary embedding, cache write", layers, Input::Rows, rotary);
        let work = |kernel: Kernel| Kernel {
            flops_y: 4.0 * query,
            bytes_x: 2.0 * query * ELEMENT,
            bytes_y: cached * attention.decode.weight_bytes,
            ..kernel
        };
        let prefill = work(self.plain("prefill attention", Input::PrefillFull, attention.prefill));
        let decode = work(self.plain("decode attention", Input::DecodeFull, attention.decode));
        self.attention(prefill, Kernel { start_x_ns: attention.head_ns * kv_heads, ..decode });
        self.gemm("output projection", layers, Input::Rows, query, hidden, &weights);
        Ok(())
    }

    /// Latent attention: prefill expands the latents of chunk and prefix to keys and values; decode absorbs the expansion into queries
    /// and outputs, two products in 16 bits, and attends over the latents themselves, one key-value head for all.
    fn latent(&mut self, heads: u32, q_lora: Option<u32>, widths: [u32; 4]) -> Result<(), PerfError> {
        let (layers, hidden) = (self.model.architecture().layers, self.hidden());
        let (weights, attention) = (self.weights(Part::Attention)?, self.rates.attention(self.model.precision().kv)?);
        let heads = f64::from(heads) / self.tp();
        let [kv_lora, nope, rope, value] = widths.map(f64::from);
        let latent = kv_lora + rope;
        let query = heads * (nope + rope);
        match q_lora.map(f64::from) {
            Some(rank) => {
                self.gemm("latent down-projections", layers, Input::Rows, hidden, rank + latent, &weights);
                self.elementwise("query latent norm", layers, Input::Rows, 2.0 * rank * ELEMENT);
                self.gemm("query up-projection", layers, Input::Rows, rank, query, &weights);
            }
            None => self.gemm("query, latent down-projection", layers, Input::Rows, hidden, query + latent, &weights),
        }
        self.elementwise("latent norm", layers, Input::Rows, 2.0 * kv_lora * ELEMENT);
        let rotary = 2.0 * (heads * rope + rope) * ELEMENT + 2.0 * latent * ELEMENT + latent * attention.decode.weight_bytes;
        self.elementwise("rotary embedding, cache write", layers, Input::Rows, rotary);
        self.gemm("latent expansion", layers, Input::Expanded, kv_lora, heads * (nope + value), &weights);
        let plain = self.rates.gemm(UNQUANTIZED)?;
        self.absorption("query absorption", layers, heads, [nope, kv_lora], plain);
        let mut prefill = self.plain("prefill attention", Input::PrefillFull, attention.prefill);
        prefill.flops_y = 2.0 * heads * (nope + rope + value);
        prefill.bytes_x = heads * (nope + rope + value) * ELEMENT;
        prefill.bytes_y = heads * (nope + rope + value) * ELEMENT;
        let mut decode = self.plain("decode attention", Input::DecodeFull, attention.decode);
        decode.start_x_ns = attention.head_ns;
        decode.flops_y = 2.0 * heads * (latent + kv_lora);
        decode.bytes_x = heads * (latent + kv_lora) * ELEMENT;
        decode.bytes_y = latent * attention.decode.weight_bytes;
        self.attention(prefill, decode);
        self.absorption("output absorption", layers, heads, [kv_lora, value], plain);
        self.gemm("output projection", layers, Input::Rows, heads * value, hidden, &weights);
        Ok(())
    }

    /// One product per head with its own matrix, for decoding tokens.
    fn absorption(&mut self, name: &'static str, layers: u32, heads: f64, [inner, outer]: [f64; 2], rate: Rate) {
        let mut kernel = self.plain(name, Input::Absorbed, rate);
        kernel.flops_x = 2.0 * heads * inner * outer;
        kernel.bytes_once = heads * inner * outer * rate.weight_bytes;
        kernel.bytes_x = heads * (inner * rate.input_bytes + outer * ELEMENT);
        self.kernel(layers, kernel);
    }

    /// Gate, up and down projections of inner width `width`, split over the tensor-parallel group.
    fn feed_forward(&mut self, names: [&'static str; 3], layers: u32, width: u32, weights: &[(Rate, f64)]) {
        let (hidden, width) = (self.hidden(), f64::from(width) / self.tp());
        self.gemm(names[0], layers, Input::Rows, hidden, 2.0 * width, weights);
        self.elementwise(names[1], layers, Input::Rows, 3.0 * width * ELEMENT);
        self.gemm(names[2], layers, Input::Rows, width, hidden, weights);
    }

    fn experts(&mut self, experts: &Experts) -> Result<(), PerfError> {
        let layers = self.model.architecture().expert_layers();
        let plain = self.rates.gemm(UNQUANTIZED)?;
        let routed = f64::from(experts.routed);
        self.gemm("router", layers, Input::Rows, self.hidden(), routed, &[(plain, 1.0)]);
        self.elementwise("expert choice", layers, Input::Rows, 2.0 * routed * ELEMENT);
        if experts.shared > 0 {
            let weights = self.weights(Part::SharedExperts)?;
            self.feed_forward(["shared gate and up", "shared activation", "shared down"], layers, experts.shared_width(), &weights);
        }
        self.all_to_all("expert dispatch", layers, experts, self.options.dispatch.bytes(), |measured| &measured.dispatch);
        let shards = if self.parallelism.ep == 1 { self.tp() } else { 1.0 };
        let (hidden, width) = (self.hidden(), f64::from(experts.intermediate) / shards);
        for (format, share) in self.model.precision().part(Part::Experts).shares() {
            let rate = self.rates.experts(format, width)?;
            let mut kernel = self.plain("routed experts", Input::Experts, rate);
            kernel.flops_x = 6.0 * hidden * width;
            kernel.flops_y = kernel.flops_x;
            kernel.bytes_x = (hidden + width) * rate.input_bytes + (2.0 * width + hidden) * ELEMENT;
            kernel.bytes_y = 3.0 * hidden * width * rate.weight_bytes;
            self.kernel_in(f64::from(layers) * share, kernel);
        }
        self.all_to_all("expert combine", layers, experts, self.options.combine.bytes(), |measured| &measured.combine);
        Ok(())
    }

    /// The rows of one data-parallel group are shared by its `tp` chips; each sends its share to `k` experts, 1/ep of which are local.
    fn all_to_all(&mut self, name: &'static str, layers: u32, experts: &Experts, element: f64, part: fn(&AllToAll) -> &[Exchange]) {
        if self.parallelism.dp == 1 {
            return;
        }
        let elsewhere = 1.0 - 1.0 / f64::from(self.parallelism.ep);
        let bytes_x = f64::from(experts.active) * self.hidden() * element * elsewhere / self.tp();
        let collective = match self.all_to_all {
            Some(measured) => {
                let line_ns = NS_PER_S / self.scale_up.bandwidth.get();
                let kernels = part(measured).iter().map(|kernel| ExchangeLine {
                    start: kernel.start.value.get() * NS_PER_S,
                    per_byte: line_ns / kernel.efficiency.value.get(),
                    least: kernel.least.value.get() * NS_PER_S,
                });
                Collective::Exchange(kernels.collect())
            }
            None => Collective::Linear { latency_ns: self.options.all_to_all_latency_s * NS_PER_S, byte_ns: self.link_byte_ns() },
        };
        self.operators.push(Operator::Transfer(Transfer { name, layers, input: Input::Rows, bytes_x, collective }));
    }

    fn link_byte_ns(&self) -> f64 {
        NS_PER_S / (self.scale_up.bandwidth.get() * self.scale_up.efficiency.get())
    }

    /// Last norm, output head for the tokens that need logits, gather of the vocabulary's parts, sampling.
    fn head(&mut self) -> Result<(), PerfError> {
        let vocab = f64::from(self.model.architecture().vocab);
        let weights = self.weights(Part::Head)?;
        let (hidden, tp) = (self.hidden(), self.tp());
        self.norm("last norm", 1);
        self.gemm("output head", 1, Input::Logits, hidden, vocab / tp, &weights);
        if self.parallelism.tp > 1 {
            let latency_ns = self.scale_up.latency.get() * NS_PER_S;
            let collective = Collective::Linear { latency_ns, byte_ns: self.link_byte_ns() };
            let bytes_x = vocab * ELEMENT * (tp - 1.0) / tp;
            self.operators.push(Operator::Transfer(Transfer {
                name: "logits gather",
                layers: 1,
                input: Input::Logits,
                bytes_x,
                collective,
            }));
        }
        // Logits are widened to 32 bits and read once more.
        self.elementwise("sampling", 1, Input::Logits, vocab * (ELEMENT + 2.0 * 4.0));
        Ok(())
    }
}
