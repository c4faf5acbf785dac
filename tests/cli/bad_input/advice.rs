//! Advice that can be followed: what is offered is right, what is blamed is to blame, and what would have no effect is refused.

use super::super::Place;
use super::{of_file, of_sets, of_sets_in};

/// What is said of one option of a scenario holds all the words.
fn told(place: &Place, scenario: &str, set: &str, words: &[&str]) {
    let said = of_sets_in(place, scenario, &[set]);
    for word in words {
        assert!(said.contains(word), "{set}: {word}: {said}");
    }
}

#[test]
fn options_without_effect_are_refused() {
    let place = Place::tiny();
    place.write("foo.yaml", "seed: 1\n");
    for (set, words) in [
        ("include=foo.yaml", ["error: `include` cannot be set", "hint: write `include: …` in the scenario"]),
        ("policies.router={mixed: random}", ["error: policies.router.mixed: no pool is `mixed`", "hint: leave `mixed` out"]),
        ("models.m.experts=fp8", ["error: models.m.experts: `llama-3.1-8b` has no experts", "hint: leave `experts` out"]),
        ("seed=", ["error: seed: no value after the `=`", "hint: write `seed=~` to remove the key"]),
        (".seed=1", ["error: the path begins with a dot", "hint: write `seed=1`"]),
    ] {
        told(&place, "tiny.yaml", set, &words);
    }
    place.good(&["validate", "tiny.yaml", "--set", "seed=~", "--set", "policies.router={prefill: random}"]);
}

#[test]
fn what_is_offered_is_right() {
    let place = Place::tiny();
    for (set, words) in [
        ("cluster.site.pue=0.5", ["found `0.5`", "expected a number from 1 to 10, such as `1.25`\n"]),
        ("workload.chat.synthetic.prompt_tokens=500", ["found `500`", "hint: write `{fixed: 500}`"]),
        ("cluster.pools.p.pricing=3", ["found `3`, expected one of `own`", "3\n"]),
        (
            "workload.chat.synthetic.prompt_tokens={lognormal: {median: 500, sigma: 0, max: 100}}",
            ["synthetic.prompt_tokens.lognormal: found `min: 1, max: 100`", "(this one keeps 0.000 %)"],
        ),
        (
            "workload.chat.synthetic.prompt_tokens={lognormal: {median: 500, sigma: 9}}",
            ["prompt_tokens.lognormal.sigma: found a mean of `", "at most 16,777,216"],
        ),
        ("workload.chat.synthetic.arrivals={weibull: {rate: 5 /s, cv: 1e-6}}", ["arrivals.weibull.cv: found", "a number from 0.01 to 100"]),
        ("cluster.pools.d.perf={roofline: {iteration_overhead: 1 y}}", ["perf.roofline.iteration_overhead: found `1 y`", "from 0 to 10 s"]),
        ("workload.chat.synthetic.shared_prefix={tokens: 8}", ["shared_prefix.tokens: found `8`", "expected at least 16 tokens"]),
        ("cluster.pools.d.perf={affine: {}}", ["perf: all coefficients are 0", "at least one of them"]),
        ("cluster.pools.d.model=foo", ["error: cluster.pools[1].model: unknown model `foo`", "expected one of `m`"]),
    ] {
        told(&place, "tiny.yaml", set, &words);
    }
    assert!(!of_sets(&["cluster.pools.p.pricing=3"]).contains("hint"));
    assert!(!of_sets(&["cluster.pools.d.model=foo"]).contains("problems found"));
    told(&place, "quickstart", "models.chat.kv=fp32", &["error: models.chat.kv: chip `h100-sxm` has no", "--set #1"]);
    assert!(!of_sets_in(&place, "quickstart", &["models.chat.kv=fp32"]).contains("problems found"));
    let little = "cluster.pools.decode.engine.gpu_memory_utilization=0.1";
    told(&place, "quickstart", little, &["does not fit", "hint: or raise `gpu_memory_utilization` (now 10 %)"]);
}

/// Counts are counts, whatever their width.
#[test]
fn whole_numbers_are_written_like_counts() {
    let place = Place::tiny();
    let sets = [
        "seed=1e3",
        "cluster.pools.d.instances=1k",
        "workload.chat.synthetic.shared_prefix={tokens: 16, groups: 1e3}",
        "cluster.pools.p.engine.max_num_seqs=2e2",
    ];
    let options: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    place.good(&[&["validate", "tiny.yaml"], &options[..]].concat());
    for wrong in ["1.5", "1.5e0", "x", "\"3\"", "5M"] {
        told(&place, "tiny.yaml", &format!("cluster.pools.d.instances={wrong}"), &["expected a whole number from 1 to 1,000,000"]);
    }
}

#[test]
fn a_window_beyond_the_trace_is_told_its_length() {
    let place = Place::tiny();
    place.write("t.csv", "arrival_s,prompt_tokens,output_tokens\n0,1,1\n1750.84,1,1\n");
    insta::assert_snapshot!(of_sets_in(&place, "tiny.yaml", &["workload.chat.trace={format: plain, path: t.csv, window: {from: 1 h}}"]), @"
    error: workload[0].trace.window: t.csv: the window contains no request: the trace is 1,750.8 s long
     --> --set #1:1:50
      |
    1 | workload.chat.trace={format: plain, path: t.csv, window: {from: 1 h}}
      |                                                  ^^^^^^
    ");
}

#[test]
fn files_that_are_not_what_is_needed() {
    let place = Place::tiny();
    assert!(place.refused(&["run", "nosuch"]).ends_with("hint: `tokenmill list scenarios` lists the shipped scenarios\n"));
    assert!(place.refused(&["validate", "nosuch"]).ends_with("hint: `tokenmill list scenarios` lists the shipped scenarios\n"));
    assert!(!place.refused(&["run", "no/such.yaml"]).contains("shipped"));
    let said = place.refused(&["run", "tiny.yaml", "--profiles", "nodir"]);
    assert!(said.ends_with("hint: `--profiles` takes a folder with `chips/`, `nodes/`, `links/`, `sites/` or `models/`\n"), "{said}");
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("name: x\n".bytes().flat_map(|byte| [byte, 0])).collect();
    insta::assert_snapshot!(of_file(utf16), @"
    error: is UTF-16 text, expected a YAML file
     --> bad.yaml
      |
    hint: save it as UTF-8
    ");
    insta::assert_snapshot!(place.refused(&["init", "tiny.yaml"]), @"
    error: `tiny.yaml` already exists and is left unchanged

    hint: name another file: `tokenmill init FILE`
    ");
}

/// A number that is wrong in form does not hide what is wrong with the meaning of the rest; what may follow from it is not told.
#[test]
fn numbers_without_units_do_not_hide_what_is_wrong_elsewhere() {
    let place = Place::tiny();
    let wrong = ["workload.chat.slo={ttft: 600}", "run.warmup=60 GB", "workload.chat.synthetic.arrivals.poisson.rate=5"];
    let pool = "cluster.pools.decode.parallelism.tp=3";
    let said = place.refused(&["validate", "quickstart", "--set", wrong[0], "--set", wrong[1], "--set", wrong[2], "--set", pool]);
    assert!(said.contains("4 problems found"), "{said}");
    for path in
        ["workload[0].slo.ttft: ", "run.warmup: ", "workload[0].synthetic.arrivals.poisson.rate: ", "cluster.pools[1].parallelism.tp: "]
    {
        assert!(said.contains(path), "{path}: {said}");
    }
    // Three chips per instance is one problem, and what the memory of such an instance holds is not known.
    let said = place.refused(&["validate", "quickstart", "--set", "cluster.pools.decode.instances=two", "--set", pool]);
    assert!(!said.contains("problems found"), "{said}");
    // Without its number format a model may not fit.
    let said = place.refused(&["validate", "quickstart", "--set", "models.chat.weights=fp7", "--set", pool]);
    assert!(!said.contains("problems found"), "{said}");
}
