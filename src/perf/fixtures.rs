//! A chip for tests, independent of the shipped profiles, with the H100 figures of public data sheets and kernel tables rounded.

use std::collections::BTreeMap;

use super::ScaleUp;
use crate::hardware::{AllReduceRow, Chip, ChipKind, ChipPower, ChipPrice, Efficiency, Memory};
use crate::model::{Model, Precision, catalogue};
use crate::units::{Confidence, Dtype, Figure};

pub(super) fn figure<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> Figure<T> {
    Figure { value: text.parse().unwrap(), source: "test".to_owned(), confidence: Confidence::Assumed, note: None }
}

fn by_format<T: std::str::FromStr<Err: std::fmt::Debug>>(rows: &[(Dtype, &str)]) -> BTreeMap<Dtype, Figure<T>> {
    rows.iter().map(|&(format, text)| (format, figure(text))).collect()
}

/// An H100-like chip.
pub(super) fn h100() -> Chip {
    let two = |bf16, fp8| [(Dtype::Bf16, bf16), (Dtype::Fp8, fp8)];
    let row = |size: &str, time: &str| AllReduceRow { size: size.parse().unwrap(), time: BTreeMap::from([(4, time.parse().unwrap())]) };
    Chip {
        name: "test-h100".to_owned(),
        description: String::new(),
        kind: ChipKind::Gpu,
        vendor: String::new(),
        launched: "2022".to_owned(),
        memory: Memory { technology: "HBM3".to_owned(), capacity: figure("80 GB"), bandwidth: figure("3.35 TB/s") },
        compute: by_format(&two("989 TFLOP/s", "1978 TFLOP/s")),
        power: ChipPower {
            tdp: figure("700 W"),
            idle: figure("90 W"),
            busy_floor: figure("0.3"),
            compute_saturation: figure("0.55"),
            memory_weight: figure("0.45"),
        },
        efficiency: Some(Efficiency {
            gemm_compute: by_format(&two("0.82", "0.68")),
            gemm_memory: by_format(&two("0.89", "0.82")),
            prefill_attention: by_format(&two("0.55", "0.65")),
            gemm_start: by_format(&two("4 us", "6 us")),
            gemm_corner: by_format(&two("3", "2")),
            decode_attention: by_format(&two("0.92", "0.84")),
            decode_attention_compute: figure("0.7"),
            decode_attention_start: by_format(&two("12 us", "14 us")),
            decode_attention_head: by_format(&two("15 ns", "25 ns")),
            expert_compute: BTreeMap::from([
                (Dtype::Bf16, BTreeMap::from([(256, figure("0.3")), (1024, figure("0.5"))])),
                (Dtype::Fp8, BTreeMap::from([(256, figure("0.15")), (1024, figure("0.3"))])),
            ]),
            expert_memory: by_format(&two("0.86", "0.84")),
            expert_start: by_format(&two("30 us", "40 us")),
            iteration_overhead: figure("200 us"),
        }),
        all_reduce: vec![
            row("4 KiB", "2.7 us"),
            row("32 KiB", "3.1 us"),
            row("256 KiB", "5.5 us"),
            row("2 MiB", "16 us"),
            row("16 MiB", "85 us"),
            row("512 MiB", "2305 us"),
        ],
        all_reduce_source: None,
        all_to_all: None,
        price: ChipPrice::default(),
        sources: BTreeMap::new(),
    }
}

/// A link like `NVLink` 4.
pub(super) fn nvlink() -> ScaleUp {
    ScaleUp { bandwidth: "450 GB/s".parse().unwrap(), latency: "2 us".parse().unwrap(), efficiency: "0.8".parse().unwrap() }
}

/// A shipped model in its published formats.
pub(super) fn model(name: &str) -> Model {
    catalogue::find(name).unwrap().model().unwrap()
}

/// A shipped model in other formats.
pub(super) fn model_in(name: &str, weights: Dtype, kv: Dtype) -> Model {
    catalogue::find(name).unwrap().model_with(Precision::of(weights, kv)).unwrap()
}
