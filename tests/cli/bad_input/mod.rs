//! Bad input: exit 2, nothing on stdout, and a message that says what to write instead, word for word.
//!
//! Commands run in their folder and name files relative to it, so that no path of the machine is in a message.

mod advice;
mod meaning;

use super::{Place, TINY};

/// What `run` says about `bad.yaml` with this content.
fn of_file(content: impl AsRef<[u8]>) -> String {
    let place = Place::new();
    place.write("bad.yaml", content);
    place.refused(&["run", "bad.yaml"])
}

/// What `run` says about the tiny scenario with these values.
pub(super) fn of_sets(sets: &[&str]) -> String {
    of_sets_in(&Place::tiny(), "tiny.yaml", sets)
}

fn of_sets_in(place: &Place, scenario: &str, sets: &[&str]) -> String {
    let options: Vec<&str> = sets.iter().flat_map(|set| ["--set", set]).collect();
    place.refused(&[&["run", scenario], &options[..]].concat())
}

#[test]
fn files_that_are_no_scenario() {
    insta::assert_snapshot!(of_file(""), @"
    error: the file is empty
     --> bad.yaml
      |
    hint: `tokenmill init` writes one to start from
    ");
    insta::assert_snapshot!(of_file([0, 159, 146, 150]), @"
    error: is not a text file (byte 0 is zero), expected a YAML file
     --> bad.yaml
    ");
    insta::assert_snapshot!(of_file(b"name: \xff\xfe"), @"
    error: is not a text file (byte 6 is not UTF-8), expected a YAML file
     --> bad.yaml
    ");
    insta::assert_snapshot!(of_file("just words"), @"
    error: found `just words`, expected a map: `key: value` on each line
     --> bad.yaml:1:1
      |
    1 | just words
      | ^^^^^^^^^^
    ");
    insta::assert_snapshot!(of_file("name: [tiny\n"), @"
    error: not valid YAML: unclosed bracket '['
     --> bad.yaml:1:7
      |
    1 | name: [tiny
      |       ^
    ");
    let place = Place::tiny();
    insta::assert_snapshot!(place.refused(&["run", "."]), @"
    error: is a directory, expected a YAML file
     --> .
      |
    hint: name a file in it, such as `./tiny.yaml`
    ");
    insta::assert_snapshot!(place.refused(&["run", "tiny.yml"]), @"
    error: no such file
     --> tiny.yml
      |
    hint: did you mean `tiny.yaml`?
    ");
}

#[test]
fn includes_in_a_circle() {
    let place = Place::new();
    place.write("a.yaml", "include: b.yaml\n");
    place.write("b.yaml", "seed: 1\ninclude: [a.yaml]\n");
    insta::assert_snapshot!(place.refused(&["run", "a.yaml"]), @"
    error: include: circular include: a.yaml → b.yaml → a.yaml
     --> b.yaml:2:11
      |
    2 | include: [a.yaml]
      |           ^^^^^^
    ");
}

#[test]
fn keys_given_twice_and_keys_unknown() {
    insta::assert_snapshot!(of_file(TINY.replace("seed: 7", "sede: 7\nname: again")), @"
    error: unknown key `sede`
     --> bad.yaml:2:1
      |
    2 | sede: 7
      | ^^^^
      |
    hint: did you mean `seed`?

    error: key `name` is given twice
     --> bad.yaml:3:1
      |
    3 | name: again
      | ^^^^
      |
    hint: it is already on line 1; keep one of the two

    2 problems found
    ");
}

#[test]
fn numbers_that_are_none() {
    insta::assert_snapshot!(of_sets(&["run.requests=.nan", "run.warmup=-3 s", "seed=-1", "cluster.pools.d.instances=0"]), @"
    error: run.requests: found `.nan`, expected a whole number above 0, such as `20000` or `20k`
     --> --set #1:1:14
      |
    1 | run.requests=.nan
      |              ^^^^

    error: run.warmup: found `-3 s`, expected a duration of at least 0, such as `50 ms`, `2 s` or `10 min`
     --> --set #2:1:12
      |
    1 | run.warmup=-3 s
      |            ^^^^

    error: seed: found `-1`, expected a whole number of at least 0
     --> --set #3:1:6
      |
    1 | seed=-1
      |      ^^

    error: cluster.pools[1].instances: found `0`, expected a whole number from 1 to 1,000,000
     --> --set #4:1:27
      |
    1 | cluster.pools.d.instances=0
      |                           ^

    4 problems found
    ");
    insta::assert_snapshot!(of_sets(&["run.requests=1e300", "run.warmup=1e300 s", "cluster.pools.d.instances=1e300"]), @"
    error: run.requests: found `1e300`, expected a whole number above 0 and at most 1e15, such as `20000` or `20k`
     --> --set #1:1:14
      |
    1 | run.requests=1e300
      |              ^^^^^

    error: run.warmup: found `1e300 s`, expected a duration from 0 to 100 y, such as `50 ms`, `2 s` or `10 min`
     --> --set #2:1:12
      |
    1 | run.warmup=1e300 s
      |            ^^^^^^^

    error: cluster.pools[1].instances: found `1e300`, expected a whole number from 1 to 1,000,000
     --> --set #3:1:27
      |
    1 | cluster.pools.d.instances=1e300
      |                           ^^^^^

    3 problems found
    ");
}

/// The side on which the range was left is told, in numbers and units that people write.
#[test]
fn bounds_are_told_on_the_side_that_was_left() {
    for (set, expected) in [
        ("run.requests=-1", "a whole number above 0, such as"),
        ("run.requests=2000000G", "a whole number above 0 and at most 1e15, such as"),
        ("run.warmup=101 y", "a duration from 0 to 100 y, such as"),
        ("seed=18446744073709551616", "a whole number from 0 to 18,446,744,073,709,551,615"),
        ("seed=1e30", "a whole number from 0 to 18,446,744,073,709,551,615"),
        ("workload.chat.requests=0", "a whole number above 0, such as"),
        ("workload.chat.synthetic.diurnal={amplitude: -50 %}", "a number from 0 to 1, such as"),
        ("workload.chat.synthetic.diurnal={amplitude: 150 %}", "a number from 0 to 1, such as"),
        ("workload.chat.synthetic.arrivals.poisson.rate=-5 /s", "a rate of at least 0.000001 /s, such as"),
        ("workload.chat.synthetic.arrivals.poisson.rate=1e10 /s", "a rate from 0.000001 /s to 1,000,000,000 /s, such as"),
        ("workload.chat.synthetic.prompt_tokens.uniform.max=100M", "a whole number above 0 and at most 16,777,216, such as"),
        ("workload.chat.trace={format: plain, path: x, rate_scale: 1e12}", "a number from 0.000001 to 1,000,000, such as"),
        ("workload.chat.trace={format: plain, path: x, rate_scale: -10 %}", "a number from 0.000001 to 1,000,000, such as"),
        ("cluster.network.kv.overrides={bandwidth: 1e20 B/s}", "a bandwidth above 0 and at most 1,000 PB/s, such as"),
    ] {
        let said = of_sets(&[set]);
        assert!(said.contains(&format!("expected {expected}")), "{set}: {said}");
    }
}

#[test]
fn wrong_units() {
    insta::assert_snapshot!(of_sets(&["run.warmup=5 GB", "workload.chat.slo.ttft=50", "workload.chat.synthetic.arrivals.poisson.rate=5 s"]), @"
    error: run.warmup: found `5 GB`, expected a duration such as `50 ms`, `2 s` or `10 min`
     --> --set #1:1:12
      |
    1 | run.warmup=5 GB
      |            ^^^^
      |
    hint: `GB` is not a unit of a duration

    error: workload[0].slo.ttft: found `50`, expected a duration above 0, such as `50 ms`, `2 s` or `10 min`
     --> --set #2:1:24
      |
    1 | workload.chat.slo.ttft=50
      |                        ^^
      |
    hint: `50` has no unit; a duration needs one

    error: workload[0].synthetic.arrivals.poisson.rate: found `5 s`, expected a rate of at least 0.000001 /s, such as `5.5 /s` or `300 /min`
     --> --set #3:1:47
      |
    1 | workload.chat.synthetic.arrivals.poisson.rate=5 s
      |                                               ^^^
      |
    hint: `s` is not a unit of a rate; did you mean `/s`?

    3 problems found
    ");
}

#[test]
fn profiles_that_are_wrong_are_shown_where_they_are() {
    let place = Place::tiny();
    let chip = place.good(&["show", "chip", "h100-sxm", "--yaml"]);
    assert!(chip.contains("\n  bf16:") && chip.contains("\n  fp8:"), "{chip}");
    place.write("prof/chips/h100-sxm.yaml", chip.replace("\n  bf16:", "\n  bf17:").replace("\n  fp8:", "\n  fp9:"));
    let said = place.refused(&["run", "tiny.yaml", "--profiles", "prof"]);
    for word in ["unknown choice `bf17`", "unknown choice `fp9`", "did you mean `bf16`?", " --> prof/chips/h100-sxm.yaml:"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}

#[test]
fn places_that_cannot_be_written() {
    let place = Place::tiny();
    place.write("file", "");
    insta::assert_snapshot!(place.refused(&["run", "tiny.yaml", "--out", "file"]), @"
    error: cannot create a folder in `file`: it is a file

    hint: `--out` takes the parent folder of the run's own folder
    ");
    insta::assert_snapshot!(place.refused(&["run", "tiny.yaml", "--out", "file/below"]), @"
    error: cannot create a folder in `file`: it is a file

    hint: `--out` takes the parent folder of the run's own folder
    ");
    let said = place.refused(&["trace", "generate", "tiny.yaml", "--out", "nowhere/t.csv"]);
    assert!(said.starts_with("error: cannot write `nowhere/t.csv`: "), "{said}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_read_only() {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    let place = Place::tiny();
    fs::create_dir(place.path("out")).unwrap();
    fs::set_permissions(place.path("out"), fs::Permissions::from_mode(0o555)).unwrap();
    if fs::write(place.path("out/probe"), "").is_ok() {
        println!("skipped: this user may write to read-only folders");
        return;
    }
    let said = place.refused(&["run", "tiny.yaml", "--out", "out"]);
    assert!(said.starts_with("error: cannot write in `out`: ") && said.contains("--out"), "{said}");
}

#[test]
fn times_beyond_what_a_clock_can_hold() {
    insta::assert_snapshot!(of_sets(&["cluster.pools.p.perf.affine.base=100 y"]), @"error: simulated time passes 292 years, more than it can hold; look for a rate, bandwidth or step time that is out of scale");
    insta::assert_snapshot!(of_sets(&["cluster.network.kv.overrides.bandwidth=1e-300 B/s"]), @"error: simulated time passes 292 years, more than it can hold; look for a rate, bandwidth or step time that is out of scale");
}

#[test]
fn options_that_are_no_numbers() {
    insta::assert_snapshot!(Place::tiny().refused(&["run", "tiny.yaml", "--seed", "-4"]), @"
    error: invalid value '-4' for '--seed <N>': expected a whole number from 0 to 18446744073709551615

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(Place::tiny().refused(&["run", "tiny.yaml", "--jobs", "many"]), @"
    error: invalid value 'many' for '--jobs <N>': expected a whole number from 1 to 1024

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(Place::tiny().refused(&["run", "tiny.yaml", "--jobs", "0"]), @"
    error: invalid value '0' for '--jobs <N>': expected a whole number from 1 to 1024

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(Place::tiny().refused(&["run", "tiny.yaml", "--set", "seed"]), @"
    error: no `=` in the option, expected `--set path.to.key=value`
     --> --set #1:1:1
      |
    1 | seed
      | ^^^^
    ");
}
