//! Cost of a run.

use crate::cost::{Spent, per_million, split_by_share};
use crate::metrics::{Cost, CostBreakdown, PoolUse, Summary};
use crate::scenario::Scenario;

/// Adds the cost of the run and of its pools to the summary.
pub(super) fn add(summary: &mut Summary, scenario: &Scenario, uses: &[PoolUse]) {
    let (mut all, mut prompt, mut output) = (Spent::default(), Spent::default(), Spent::default());
    for (((pool, used), cost), spec) in summary.pools.iter_mut().zip(uses).zip(&scenario.node_costs).zip(&scenario.cluster.pools) {
        let spent = cost.spent(spec.chips, used.instance_s, used.it_j);
        pool.cost_usd = spent.total();
        all += spent;
        // The cost of a pool that never computed is in the total only.
        if let Some(share) = used.prefill_share {
            let (for_prompts, for_outputs) = split_by_share(spent, share);
            prompt += for_prompts;
            output += for_outputs;
        }
    }
    let tokens = summary.tokens;
    summary.cost = Cost {
        total_usd: all.total(),
        usd_per_hour: (summary.measured_s > 0.0).then(|| all.total() / summary.measured_s * 3600.0),
        usd_per_m_output_tokens: per_million(all.total(), tokens.output),
        usd_per_m_total_tokens: per_million(all.total(), tokens.prompt + tokens.output),
        usd_per_m_prompt_tokens_by_phase: per_million(prompt.total(), tokens.prompt),
        usd_per_m_output_tokens_by_phase: per_million(output.total(), tokens.output),
        breakdown: CostBreakdown { capital: all.capital, energy: all.energy, hosting: all.hosting, rent: all.rent },
    };
}
