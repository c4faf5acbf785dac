//! Error messages for bad input, verbatim.

use super::{bad, bad_set};

#[test]
fn an_unknown_key_names_the_nearest_right_one() {
    insta::assert_snapshot!(bad(&[("instances: 4,", "instnaces: 4,")]), @r#"
    error: cluster.pools[0]: unknown key `instnaces`
      --> pd.yaml:18:54
       |
    18 |     - {name: prefill, role: prefill, node: dgx-h100, instnaces: 4, parallelism: {tp: 4}}
       |                                                      ^^^^^^^^^
       |
    hint: did you mean `instances`?
    "#);
}

#[test]
fn several_errors_of_a_file_are_reported_at_once() {
    insta::assert_snapshot!(bad(&[("seed: 7", "seed: -7"), ("rate: 5.5 /s", "rate: 5.5"), ("role: decode", "role: decoder"), ("tp: 4", "tpp: 4"), ("instances: 4\n", "instances: 0\n"), ("{to: 10 min}", "{to: 10 mins}")]), @r#"
    error: seed: found `-7`, expected a whole number of at least 0
     --> pd.yaml:2:7
      |
    2 | seed: -7
      |       ^^

    error: workload[0].synthetic.arrivals.poisson.rate: found `5.5`, expected a rate of at least 0.000001 /s, such as `5.5 /s` or `300 /min`
      --> pd.yaml:10:34
       |
    10 |       arrivals: {poisson: {rate: 5.5}}
       |                                  ^^^
       |
    hint: `5.5` has no unit; a rate needs one

    error: workload[1].trace.window.to: found `10 mins`, expected a duration above 0, such as `50 ms`, `2 s` or `10 min`
      --> pd.yaml:14:57
       |
    14 |     trace: {format: azure, path: conv.csv, window: {to: 10 mins}}
       |                                                         ^^^^^^^
       |
    hint: `mins` is not a unit of a duration; did you mean `min`?

    error: cluster.pools[0].parallelism: unknown key `tpp`
      --> pd.yaml:18:82
       |
    18 |     - {name: prefill, role: prefill, node: dgx-h100, instances: 4, parallelism: {tpp: 4}}
       |                                                                                  ^^^
       |
    hint: did you mean `tp`?

    error: cluster.pools[1].role: unknown choice `decoder`, expected one of `prefill`, `decode`, `mixed` or `frontend`
      --> pd.yaml:20:13
       |
    20 |       role: decoder
       |             ^^^^^^^
       |
    hint: did you mean `decode`?

    error: cluster.pools[1].instances: found `0`, expected a whole number from 1 to 1,000,000
      --> pd.yaml:22:18
       |
    22 |       instances: 0
       |                  ^

    6 problems found
    "#);
}

#[test]
fn invalid_numbers_are_refused() {
    insta::assert_snapshot!(bad(&[("fp8, kv", "fp9, kv"), ("median: 928", "median: .nan"), ("mean: 1155", "mean: 1e300"), ("90 %", "-1"), ("max_num_seqs: 256", "max_num_seqs: .inf")]), @r#"
    error: models.chat.weights: unknown choice `fp9`, expected one of `fp32`, `fp16`, `bf16`, `fp8`, `int8`, `fp4`, `mxfp4`, `int4`, `int4-g64`, `int4-g32` or `w8a16`
     --> pd.yaml:5:43
      |
    5 |   chat: {profile: llama-3.3-70b, weights: fp9, kv: fp8}
      |                                           ^^^
      |
    hint: did you mean `fp8`?

    error: workload[0].synthetic.prompt_tokens.lognormal.median: found `.nan`, expected a whole number above 0 and at most 16,777,216, such as `20000` or `20k`
      --> pd.yaml:11:43
       |
    11 |       prompt_tokens: {lognormal: {median: .nan, mean: 1e300}}
       |                                           ^^^^

    error: workload[0].synthetic.prompt_tokens.lognormal.mean: found `1e300`, expected a whole number above 0 and at most 16,777,216, such as `20000` or `20k`
      --> pd.yaml:11:55
       |
    11 |       prompt_tokens: {lognormal: {median: .nan, mean: 1e300}}
       |                                                       ^^^^^

    error: cluster.pools[1].engine.max_num_seqs: found `.inf`, expected a whole number from 1 to 1,000,000
      --> pd.yaml:23:30
       |
    23 |       engine: {max_num_seqs: .inf, gpu_memory_utilization: -1}
       |                              ^^^^

    error: cluster.pools[1].engine.gpu_memory_utilization: found `-1`, expected a number above 0 and at most 1, such as `0.9` or `90 %`
      --> pd.yaml:23:60
       |
    23 |       engine: {max_num_seqs: .inf, gpu_memory_utilization: -1}
       |                                                            ^^

    5 problems found
    "#);
}

#[test]
fn a_misspelt_variant_names_the_nearest_right_one() {
    insta::assert_snapshot!(bad(&[("poisson: {", "poison: {")]), @r#"
    error: workload[0].synthetic.arrivals: unknown choice `poison`, expected one of `poisson`, `constant`, `gamma` or `weibull`
      --> pd.yaml:10:18
       |
    10 |       arrivals: {poison: {rate: 5.5 /s}}
       |                  ^^^^^^
       |
    hint: did you mean `poisson`?
    "#);
}

#[test]
fn two_variants_at_once_are_refused() {
    insta::assert_snapshot!(bad(&[("arrivals: {poisson: {rate: 5.5 /s}}", "arrivals: {poisson: {rate: 5.5 /s}, constant: {rate: 1 /s}}")]), @r#"
    error: workload[0].synthetic.arrivals: found `poisson` and `constant` together, expected exactly one of `poisson`, `constant`, `gamma` or `weibull`
      --> pd.yaml:10:43
       |
    10 |       arrivals: {poisson: {rate: 5.5 /s}, constant: {rate: 1 /s}}
       |                                           ^^^^^^^^
    "#);
}

#[test]
fn a_variant_without_its_parameters_shows_how_to_write_it() {
    insta::assert_snapshot!(bad(&[("arrivals: {poisson: {rate: 5.5 /s}}", "arrivals: poisson")]), @r#"
    error: workload[0].synthetic.arrivals: found `poisson` alone, expected `poisson: …` with a map with `rate`
      --> pd.yaml:10:17
       |
    10 |       arrivals: poisson
       |                 ^^^^^^^
       |
    hint: write `{poisson: {rate: …}}`
    "#);
}

#[test]
fn a_key_one_level_too_high_names_its_parent() {
    insta::assert_snapshot!(bad(&[("parallelism: {tp: 4}", "tp: 4")]), @r#"
    error: cluster.pools[0]: unknown key `tp`
      --> pd.yaml:18:68
       |
    18 |     - {name: prefill, role: prefill, node: dgx-h100, instances: 4, tp: 4}
       |                                                                    ^^
       |
    hint: `tp` belongs under `parallelism`
    "#);
}

#[test]
fn exactly_one_source_of_requests_is_allowed() {
    insta::assert_snapshot!(bad(&[("    trace: {format", "    closed_loop: {concurrency: 0, isl: {fixed: 1.5}, osl: 5}\n    trace: {format")]), @r#"
    error: workload[1].closed_loop.concurrency: found `0`, expected a whole number of at least 1
      --> pd.yaml:14:32
       |
    14 |     closed_loop: {concurrency: 0, isl: {fixed: 1.5}, osl: 5}
       |                                ^

    error: workload[1].closed_loop.prompt_tokens.fixed: found `1.5`, expected a whole number above 0 and at most 16,777,216, such as `20000` or `20k`
      --> pd.yaml:14:48
       |
    14 |     closed_loop: {concurrency: 0, isl: {fixed: 1.5}, osl: 5}
       |                                                ^^^

    error: workload[1].closed_loop.output_tokens: found `5`, expected one of `fixed`, `uniform`, `lognormal` or `empirical`
      --> pd.yaml:14:59
       |
    14 |     closed_loop: {concurrency: 0, isl: {fixed: 1.5}, osl: 5}
       |                                                           ^
       |
    hint: write `{fixed: 5}`

    error: workload[1]: both `closed_loop` and `trace` are given, expected exactly one of `synthetic`, `closed_loop`, `sessions` or `trace`
      --> pd.yaml:15:5
       |
    15 |     trace: {format: azure, path: conv.csv, window: {to: 10 min}}
       |     ^^^^^

    4 problems found
    "#);
}

#[test]
fn a_missing_key_is_shown_where_it_should_be() {
    insta::assert_snapshot!(bad(&[("  - name: replay\n    trace", "  - trace")]), @r#"
    error: workload[1]: missing key `name`
      --> pd.yaml:13:5
       |
    13 |   - trace: {format: azure, path: conv.csv, window: {to: 10 min}}
       |     ^^^^^
       |
    hint: add `name: …` (text)
    "#);
}

#[test]
fn values_of_the_wrong_type_are_described() {
    insta::assert_snapshot!(bad(&[("ttft: 2 s", "ttft: [2]"), ("node: dgx-h100\n", "node: 100\n"), ("assert: [\"latency.ttft_ms.p99 < 2000\"]", "assert: latency"), ("engine: {", "engine: {enable_prefix_caching: yes, ")]), @r#"
    error: workload[0].slo.ttft: found a list, expected a duration above 0, such as `50 ms`, `2 s` or `10 min`
     --> pd.yaml:8:17
      |
    8 |     slo: {ttft: [2], tpot: 50 ms}
      |                 ^

    error: cluster.pools[1].node: found `100`, expected text
      --> pd.yaml:21:13
       |
    21 |       node: 100
       |             ^^^
       |
    hint: put it in quotes

    error: cluster.pools[1].engine.enable_prefix_caching: found `yes`, expected `true` or `false`
      --> pd.yaml:23:39
       |
    23 |       engine: {enable_prefix_caching: yes, max_num_seqs: 256, gpu_memory_utilization: 90 %}
       |                                       ^^^
       |
    hint: write `true`

    error: assert: found `latency`, expected a list of texts
      --> pd.yaml:26:9
       |
    26 | assert: latency
       |         ^^^^^^^

    4 problems found
    "#);
}

#[test]
fn an_unknown_router_is_reported() {
    insta::assert_snapshot!(bad(&[("prefill: round_robin", "prefill: rund-robin"), ("queue: fcfs", "queue: [fcfs]")]), @r#"
    error: policies.router.prefill: unknown choice `rund-robin`, expected one of `round-robin`, `random`, `least-request`, `least-tokens`, `power-of-two` or `prefix-hit`
      --> pd.yaml:25:30
       |
    25 | policies: {router: {prefill: rund-robin, decode: jsq}, queue: [fcfs]}
       |                              ^^^^^^^^^^
       |
    hint: did you mean `round-robin`?

    error: policies.queue: found a list, expected `fcfs`
      --> pd.yaml:25:63
       |
    25 | policies: {router: {prefill: rund-robin, decode: jsq}, queue: [fcfs]}
       |                                                               ^

    2 problems found
    "#);
}

#[test]
fn an_unknown_router_with_parameters_is_reported() {
    insta::assert_snapshot!(bad(&[("router: {prefill: round_robin, decode: jsq}", "router: {least_tokns: {}}")]), @r#"
    error: policies.router: unknown choice `least_tokns`, expected one of `round-robin`, `random`, `least-request`, `least-tokens`, `power-of-two` or `prefix-hit`, or a map with `prefill`, `decode` or `mixed`
      --> pd.yaml:25:21
       |
    25 | policies: {router: {least_tokns: {}}, queue: fcfs}
       |                     ^^^^^^^^^^^
       |
    hint: did you mean `least-tokens`?
    "#);
}

#[test]
fn duplicate_keys_are_reported_with_other_errors() {
    insta::assert_snapshot!(bad(&[("seed: 7", "seed: 7\nname: x\nsed: 8")]), @r#"
    error: key `name` is given twice
     --> pd.yaml:3:1
      |
    3 | name: x
      | ^^^^
      |
    hint: it is already on line 1; keep one of the two

    error: unknown key `sed`
     --> pd.yaml:4:1
      |
    4 | sed: 8
      | ^^^
      |
    hint: did you mean `seed`?

    2 problems found
    "#);
}

#[test]
fn an_override_is_checked_like_the_file() {
    insta::assert_snapshot!(bad_set(&["cluster.pools.decode.instances=0", "cluster.pools[0].engine.block_sizes=3", "run.duration=5", "sed=3"]), @r#"
    error: cluster.pools[1].instances: found `0`, expected a whole number from 1 to 1,000,000
     --> --set #1:1:32
      |
    1 | cluster.pools.decode.instances=0
      |                                ^

    error: cluster.pools[0].engine: unknown key `block_sizes`
     --> --set #2:1:25
      |
    1 | cluster.pools[0].engine.block_sizes=3
      |                         ^^^^^^^^^^^
      |
    hint: did you mean `block_size`?

    error: run.duration: found `5`, expected a duration above 0, such as `50 ms`, `2 s` or `10 min`
     --> --set #3:1:14
      |
    1 | run.duration=5
      |              ^
      |
    hint: `5` has no unit; a duration needs one

    error: unknown key `sed`
     --> --set #4:1:1
      |
    1 | sed=3
      | ^^^
      |
    hint: did you mean `seed`?

    4 problems found
    "#);
}

#[test]
fn an_override_of_an_unknown_item_names_the_known_ones() {
    insta::assert_snapshot!(bad_set(&["cluster.pools.decod.instances=1", "cluster.pools[2].instances=1", "seed[0]=3"]), @r#"
    error: cluster.pools: no item `decod`, expected an item of a list with items `0` to `1`, called `prefill` or `decode`
     --> --set #1:1:15
      |
    1 | cluster.pools.decod.instances=1
      |               ^^^^^
      |
    hint: did you mean `decode`?

    error: cluster.pools: no item `2`, expected an item of a list with items `0` to `1`, called `prefill` or `decode`
     --> --set #2:1:15
      |
    1 | cluster.pools[2].instances=1
      |               ^

    error: seed: `[0]` is used on a value that is not a list
     --> --set #3:1:6
      |
    1 | seed[0]=3
      |      ^

    3 problems found
    "#);
}

#[test]
fn a_malformed_override_is_reported() {
    insta::assert_snapshot!(bad_set(&["seed", "=3", "a..b=3", "seed=[1"]), @r#"
    error: no `=` in the option, expected `--set path.to.key=value`
     --> --set #1:1:1
      |
    1 | seed
      | ^^^^

    error: no path before the `=`, expected `--set path.to.key=value`
     --> --set #2:1:1
      |
    1 | =3
      | ^

    error: a: an empty step in the path
     --> --set #3:1:3
      |
    1 | a..b=3
      |   ^

    error: not valid YAML: unclosed bracket '['
     --> --set #4:1:6
      |
    1 | seed=[1
      |      ^

    4 problems found
    "#);
}
