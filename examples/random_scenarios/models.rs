//! Models and hardware: only pairs that fit.

/// A model with its number formats, and instances that can hold it.
pub(crate) struct Served {
    pub(crate) profile: &'static str,
    pub(crate) formats: &'static str,
    pub(crate) shapes: &'static [Shape],
}

/// Node, `tp`, `dp`, `ep`.
pub(crate) type Shape = (&'static str, u32, u32, u32);

const fn served(profile: &'static str, formats: &'static str, shapes: &'static [Shape]) -> Served {
    Served { profile, formats, shapes }
}

/// Dense, sliding windows, mixtures of experts, latent attention.
pub(crate) const SERVED: &[Served] = &[
    served(
        "qwen3-8b",
        "",
        &[
            ("dgx-h100", 1, 1, 1),
            ("dgx-h100", 2, 1, 1),
            ("dgx-a100", 1, 1, 1),
            ("dgx-a100", 4, 1, 1),
            ("dgx-b200", 1, 1, 1),
            ("workstation-rtx-5090", 1, 1, 1),
            ("gb200-nvl72", 2, 1, 1),
        ],
    ),
    served("llama-3.1-8b", ", weights: fp8, kv: fp8", &[("dgx-h100", 1, 1, 1), ("dgx-h200", 1, 1, 1), ("dgx-b200", 2, 1, 1)]),
    served("llama-3.1-8b", "", &[("dgx-a100", 1, 1, 1), ("dgx-a100", 2, 1, 1), ("dgx-h100", 1, 1, 1)]),
    served("llama-3.3-70b", ", weights: fp8, kv: fp8", &[("dgx-h100", 2, 1, 1), ("dgx-h100", 4, 1, 1), ("dgx-h100", 8, 1, 1)]),
    served("llama-3.3-70b", "", &[("dgx-h100", 4, 1, 1), ("dgx-a100", 4, 1, 1), ("dgx-b200", 2, 1, 1), ("gb200-nvl72", 16, 1, 1)]),
    served("qwen3-32b", ", kv: fp8", &[("dgx-h100", 2, 1, 1), ("dgx-h100", 4, 1, 1), ("dgx-h200", 1, 1, 1)]),
    served("mixtral-8x7b", "", &[("dgx-h100", 2, 1, 1), ("dgx-h100", 4, 1, 4), ("dgx-h100", 2, 2, 4), ("dgx-h200", 1, 4, 4)]),
    served(
        "qwen3-30b-a3b",
        "",
        &[("dgx-h100", 1, 1, 1), ("dgx-h100", 2, 1, 2), ("dgx-h100", 4, 1, 1), ("dgx-h100", 2, 2, 4), ("dgx-h200", 1, 4, 4)],
    ),
    served("qwen3-235b-a22b", ", weights: fp8", &[("dgx-h100", 4, 1, 1), ("dgx-h100", 4, 2, 8), ("dgx-h200", 4, 1, 4)]),
    served("gpt-oss-20b", "", &[("dgx-h100", 1, 1, 1), ("dgx-h100", 2, 1, 2), ("dgx-h100", 1, 2, 2), ("dgx-b200", 1, 1, 1)]),
    served("gpt-oss-120b", "", &[("dgx-h100", 2, 1, 1), ("dgx-h100", 4, 1, 4), ("dgx-h100", 2, 2, 4), ("dgx-b200", 1, 1, 1)]),
    served("deepseek-r1", "", &[("dgx-h200", 8, 1, 1), ("dgx-h200", 8, 1, 8), ("dgx-b200", 1, 8, 8), ("gb200-nvl72", 4, 4, 16)]),
    served("kimi-k2", "", &[("dgx-b200", 8, 1, 8), ("gb200-nvl72", 4, 4, 16)]),
    served("llama-3.1-405b", ", weights: fp8, kv: fp8", &[("dgx-h200", 8, 1, 1), ("dgx-b200", 4, 1, 1)]),
];
