//! What is written as it should be and still cannot be simulated.

use super::super::Place;
use super::{of_sets, of_sets_in};

/// What `run` says about the tiny scenario replaying a trace with this content.
fn of_trace(format: &str, content: &str) -> String {
    let place = Place::tiny();
    place.write("trace", content);
    of_sets_in(&place, "tiny.yaml", &[&format!("workload.chat.trace={{format: {format}, path: trace}}"), "run.requests=~"])
}

#[test]
fn traces_that_are_not_there() {
    insta::assert_snapshot!(of_sets(&["workload.chat.trace={format: plain, path: nowhere.csv}"]), @"
    error: workload[0].trace.path: no such file: `nowhere.csv`
     --> --set #1:1:43
      |
    1 | workload.chat.trace={format: plain, path: nowhere.csv}
      |                                           ^^^^^^^^^^^
    ");
    let place = Place::tiny();
    place.write("trace.csv", "arrival_s,prompt_tokens,output_tokens\n0,1,1\n");
    insta::assert_snapshot!(of_sets_in(&place, "tiny.yaml", &["workload.chat.trace={format: plain, path: trase.csv}"]), @"
    error: workload[0].trace.path: no such file: `trase.csv`
     --> --set #1:1:43
      |
    1 | workload.chat.trace={format: plain, path: trase.csv}
      |                                           ^^^^^^^^^
      |
    hint: did you mean `trace.csv`?
    ");
}

#[test]
fn traces_that_are_damaged() {
    insta::assert_snapshot!(of_trace("plain", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n0.5,10,5\n1,10"), @"
    error: trace:4: found 2 columns in `1,10`, expected 3 (the last line, without a line end: the file may be truncated)

    hint: correct the line, or skip and count such lines: `skip_bad_lines: true` under `trace`, or `--skip-bad-lines` of `tokenmill trace`
    ");
    insta::assert_snapshot!(of_trace("plain", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n0.5,10,5\n1,10,5"), @"
    error: trace:4: found the last line `1,10,5` without a line end, so its last number may be truncated; expected one (add it if the line is complete)

    hint: correct the line, or skip and count such lines: `skip_bad_lines: true` under `trace`, or `--skip-bad-lines` of `tokenmill trace`
    ");
    insta::assert_snapshot!(of_trace("mooncake", "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 5, \"hash_ids\": []}\n{\"timestamp\": 9, \"inp"), @r#"
    error: trace:2: found `{"timestamp": 9, "inp`, expected a JSON object (EOF while parsing a string in column 21) (the last line, without a line end: the file may be truncated)

    hint: correct the line, or skip and count such lines: `skip_bad_lines: true` under `trace`, or `--skip-bad-lines` of `tokenmill trace`
    "#);
    insta::assert_snapshot!(of_trace("azure", "arrival_s,prompt_tokens,output_tokens\n0,10,5\n"), @"
    error: workload[0].trace.path: trace:1: header: found `arrival_s,prompt_tokens,output_tokens`, expected a column `TIMESTAMP`, as in `TIMESTAMP,ContextTokens,GeneratedTokens`; it looks like the format `plain`
     --> --set #1:1:43
      |
    1 | workload.chat.trace={format: azure, path: trace}
      |                                           ^^^^^
    ");
    insta::assert_snapshot!(of_trace("plain", ""), @"
    error: workload[0].trace.path: trace:1: the file is empty, expected a trace
     --> --set #1:1:43
      |
    1 | workload.chat.trace={format: plain, path: trace}
      |                                           ^^^^^
      |
    hint: a trace in the format `plain` begins like `arrival_s,prompt_tokens,output_tokens`
    ");
    insta::assert_snapshot!(of_trace("plain", "arrival_s,prompt_tokens,output_tokens\n0,10,0\n"), @"
    error: workload[0].trace.path: trace:2: output_tokens: found `0`, expected at least 1 token
     --> --set #1:1:43
      |
    1 | workload.chat.trace={format: plain, path: trace}
      |                                           ^^^^^
      |
    hint: fix the line, or write `skip_bad_lines: true` to skip and count such lines
    ");
}

#[test]
fn models_that_cannot_be_cut_or_do_not_fit() {
    let place = Place::new();
    let decode = "cluster.pools.decode.parallelism.tp";
    insta::assert_snapshot!(of_sets_in(&place, "quickstart", &[&format!("{decode}=3")]), @"
    error: cluster.pools[1].parallelism.tp: `tp: 3` does not divide the 64 attention heads of `chat`, expected one of 1, 2, 4, 8
     --> --set #1:1:37
      |
    1 | cluster.pools.decode.parallelism.tp=3
      |                                     ^
    ");
    // By how much is left to the tests of the memory model.
    let said = of_sets_in(&place, "quickstart", &[&format!("{decode}=1"), "models.chat.weights=bf16"]);
    for words in [
        "error: cluster.pools[1].parallelism.tp: `chat` (bf16 weights) does not fit on 1 × `h100-sxm`: needs ",
        " GB, short by ",
        "raise `tp` (now 1), choose a smaller weight format or a chip with more memory",
        "\n1 | cluster.pools.decode.parallelism.tp=1\n",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    insta::assert_snapshot!(of_sets_in(&place, "quickstart", &[&format!("{decode}=16")]), @"
    error: cluster.pools[1].parallelism.tp: found 16 chips in one instance, expected at most 8: the chips that `dgx-h100` joins by its scale-up link
     --> --set #1:1:37
      |
    1 | cluster.pools.decode.parallelism.tp=16
      |                                     ^^
    ");
}

#[test]
fn a_closed_loop_that_can_never_be_served() {
    // Limited by the decode pool, although the prefill pool could take more.
    let sets = [
        "cluster.pools.d.engine.max_model_len=4096",
        "workload=[{name: agents, closed_loop: {concurrency: 4, prompt_tokens: {uniform: {min: 4096, max: 9k}}, output_tokens: {fixed: 5}}}]",
    ];
    insta::assert_snapshot!(of_sets(&sets), @"
    error: workload[0].closed_loop.prompt_tokens: found prompts of at least 4096 tokens, expected some shorter than 4096 tokens, the longest context (`max_model_len`) of its pools
     --> --set #2:1:56
      |
    1 | …oad=[{name: agents, closed_loop: {concurrency: 4, prompt_tokens: {uniform: {min: 4096, max: 9k}}, ou…
      |                                                    ^^^^^^^^^^^^^
      |
    hint: every request would be rejected, and the clients would send new ones forever
    ");
    // One token shorter may be served.
    let place = Place::tiny();
    place.good(&["run", "tiny.yaml", "--quiet", "--set", sets[0], "--set", &sets[1].replace("min: 4096", "min: 4095")]);
}

#[test]
fn limits_that_contradict_each_other() {
    insta::assert_snapshot!(of_sets(&["workload.chat.slo={ttft: 2 s, e2e: 1 s}"]), @"
    error: workload[0].slo.e2e: found `1 s`, expected at least `ttft: 2 s`
     --> --set #1:1:36
      |
    1 | workload.chat.slo={ttft: 2 s, e2e: 1 s}
      |                                    ^^^
      |
    hint: the first token is part of the whole answer
    ");
}

#[test]
fn a_prefill_pool_alone() {
    insta::assert_snapshot!(of_sets(&["cluster.pools=[{name: p, role: prefill, node: dgx-h100, instances: 1}]"]), @"
    error: cluster.pools[0].role: a prefill pool without a decode pool for the same model
     --> --set #1:1:32
      |
    1 | cluster.pools=[{name: p, role: prefill, node: dgx-h100, instances: 1}]
      |                                ^^^^^^^
      |
    hint: add a pool with `role: decode`, or make this one `role: mixed`
    ");
}

#[test]
fn names_of_the_wrong_kind() {
    insta::assert_snapshot!(of_sets(&["cluster.pools.d.node=h100-sxm", "models.m.profile=dgx-h100", "cluster.network.kv.link=nvlnk-4"]), @"
    error: cluster.pools[1].node: unknown node `h100-sxm`, expected one of `dgx-a100`, `dgx-b200`, `dgx-h100`, `dgx-h200`, `gb200-nvl72` or `workstation-rtx-5090`
     --> --set #1:1:22
      |
    1 | cluster.pools.d.node=h100-sxm
      |                      ^^^^^^^^
      |
    hint: `h100-sxm` is a chip, which is in the node `dgx-h100`

    error: models.m.profile: unknown model `dgx-h100`, expected one of `deepseek-r1`, `gpt-oss-120b`, `gpt-oss-20b`, `kimi-k2`, `llama-3.1-405b`, `llama-3.1-8b`, `llama-3.3-70b`, `mixtral-8x7b`, `qwen3-235b-a22b`, `qwen3-30b-a3b`, `qwen3-32b` or `qwen3-8b`
     --> --set #2:1:18
      |
    1 | models.m.profile=dgx-h100
      |                  ^^^^^^^^
      |
    hint: `dgx-h100` is a node

    error: cluster.network.kv.link: unknown link `nvlnk-4`, expected one of `ethernet-10`, `ethernet-400`, `ethernet-800`, `ib-ndr`, `ib-xdr`, `nvlink-3`, `nvlink-4`, `nvlink-5`, `pcie-4` or `pcie-5`
     --> --set #3:1:25
      |
    1 | cluster.network.kv.link=nvlnk-4
      |                         ^^^^^^^
      |
    hint: did you mean `nvlink-4`?

    3 problems found
    ");
}

/// Contradictions, unknown names and conditions on nothing: told together.
#[test]
fn all_that_is_wrong_with_a_scenario() {
    let sets = [
        "cluster.pools.p.name=d",
        "cluster.pools.d.engine.max_model_len=1M",
        "cluster.site.profile=mars",
        "workload.chat.synthetic.output_tokens={uniform: {min: 5, max: 2}}",
    ];
    insta::assert_snapshot!(of_sets(&sets), @"
    error: cluster.pools[1].name: the name `d` is given twice
      --> tiny.yaml:16:14
       |
    16 |     - {name: d, role: decode, node: dgx-h100, instances: 2, perf: {affine: {base: 2 ms, per_sequence…
       |              ^
       |
    hint: names must differ

    error: cluster.pools[0].engine.max_model_len: found `1000000`, expected at most 445648 tokens, the capacity of one instance's KV cache
     --> --set #2:1:38
      |
    1 | cluster.pools.d.engine.max_model_len=1M
      |                                      ^^

    error: cluster.site.profile: unknown site `mars`, expected one of `us-hyperscale-2026`
     --> --set #3:1:22
      |
    1 | cluster.site.profile=mars
      |                      ^^^^

    error: workload[0].synthetic.output_tokens.uniform.max: found `2`, expected at least `min: 5`
     --> --set #4:1:63
      |
    1 | workload.chat.synthetic.output_tokens={uniform: {min: 5, max: 2}}
      |                                                               ^

    4 problems found
    ");
    insta::assert_snapshot!(of_sets(&["assert=[\"latency.ttft.p99 < 5\", \"p99 < 1\", \"pools.x.utilization < 1\"]"]), @r#"
    error: assert[0]: `latency.ttft.p99` is not in summary.json
     --> --set #1:1:9
      |
    1 | assert=["latency.ttft.p99 < 5", "p99 < 1", "pools.x.utilization < 1"]
      |         ^^^^^^^^^^^^^^^^^^^^^^
      |
    hint: did you mean `latency.ttft_ms.p99`?

    error: assert[1]: `p99` is not in summary.json
     --> --set #1:1:33
      |
    1 | assert=["latency.ttft.p99 < 5", "p99 < 1", "pools.x.utilization < 1"]
      |                                 ^^^^^^^^^
      |
    hint: did you mean `latency.ttft_ms.p99`?

    error: assert[2]: `pools.x.utilization` is not in summary.json
     --> --set #1:1:44
      |
    1 | assert=["latency.ttft.p99 < 5", "p99 < 1", "pools.x.utilization < 1"]
      |                                            ^^^^^^^^^^^^^^^^^^^^^^^^^
      |
    hint: did you mean `pools.p.utilization`?

    3 problems found
    "#);
}
