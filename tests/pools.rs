//! Routers of a crate outside that choose between pools of different hardware.

use tokenmill::document::Input;
use tokenmill::policy::{Candidates, Entry, Pick, Policies, RequestView, Router, Signal};
use tokenmill::scenario::{Library, Scenario};

use crate::cli::TINY;
use crate::policies::every_way;

/// Short prompts to pool 0, others to pool 1; in each the instance with the smallest share of its KV memory in use.
#[derive(Debug)]
struct ByLength {
    limit: u32,
}

impl Router for ByLength {
    fn route(&mut self, request: &RequestView<'_>, candidates: &dyn Candidates) -> Pick {
        let used = |i: usize| 1.0 - candidates.read(i, Signal::FreeBlocks) / candidates.read(i, Signal::KvBlocks);
        let pool = u32::from(request.prompt_tokens >= self.limit);
        let inside = (0..candidates.len()).filter(|&i| candidates.pool(i) == pool && candidates.eligible(i));
        inside.min_by(|&a, &b| used(a).total_cmp(&used(b))).into()
    }
}

#[test]
fn pools_are_chosen_by_the_length_of_the_prompt() {
    let mut policies = Policies::default();
    policies.routers = policies.routers.with(Entry::<dyn Router>::plain("by-length", "Two pools.", |_| Box::new(ByLength { limit: 100 })));
    let pool = |name: &str, instances: u32, blocks: u32| {
        format!(
            "{{name: {name}, role: mixed, node: dgx-h100, instances: {instances}, engine: {{num_gpu_blocks_override: {blocks}}}, perf: {{affine: {{base: 2 ms, per_prompt_token: 20 us}}}}}}"
        )
    };
    let sets = ["policies.router=by-length".to_owned(), format!("cluster.pools=[{}, {}]", pool("short", 2, 100), pool("long", 3, 200))];
    let library = Library::default().with_policies(policies);
    let scenario =
        Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library).unwrap_or_else(|errors| panic!("{errors}"));
    let mut served = [0; 5];
    for row in every_way(&scenario) {
        let instance = row.record.prefill_instance.unwrap().0;
        assert_eq!(instance >= 2, row.record.prompt_tokens >= 100, "{:?}", row.record);
        served[instance as usize] += 1;
    }
    assert!(served.iter().all(|&requests| requests > 10), "{served:?}");
}
