//! The arrows of the layers point one way, files stay small and say what they own.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::fs;
use std::path::{Path, PathBuf};

/// The layers from the top. A module uses those of later lines only; modules of one line do not use each other.
const LAYERS: [&[&str]; 13] = [
    &["cli"],
    &["report"],
    &["study"],
    &["scenario"],
    &["cost", "metrics"],
    &["cluster"],
    &["policy"],
    &["network", "power", "workload"],
    &["kv", "perf"],
    &["hardware", "model"],
    &["document", "sim"],
    &["units"],
    &[],
];

/// A file below 400 lines can be read in one sitting.
const MOST_LINES: usize = 400;

fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    assert!(found.len() > 100, "{} files found", found.len());
    found
}

/// Path below `src/`.
fn short(path: &Path) -> &Path {
    path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn may_use(from: &str, to: &str) -> bool {
    match (layer(from), layer(to)) {
        (Some(above), Some(below)) => from == to || above < below,
        _ => false,
    }
}

/// The code of a file that is neither comment nor text, its test modules left out, lines kept.
fn code(text: &str) -> String {
    let mut kept = String::new();
    let mut tests: Option<usize> = None;
    let mut attribute = false;
    for line in text.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if let Some(outer) = tests {
            // rustfmt puts the closing brace of a module below its first letter.
            if bare == "}" && indent == outer {
                tests = None;
            }
        } else if bare.starts_with("#[cfg(") && bare.contains("test") {
            attribute = true;
        } else if attribute && bare.starts_with("mod ") && bare.ends_with('{') {
            (attribute, tests) = (false, Some(indent));
        } else {
            attribute &= bare.starts_with("#[");
            kept.push_str(if bare.starts_with("//") { "" } else { line });
        }
        kept.push('\n');
    }
    kept
}

/// Where code names something by its place below the root: after `crate::`, or after as many `super::` as lead there from a module
/// `depth` levels below. Start of the path and of what follows.
fn from_root(code: &str, depth: usize) -> Vec<(usize, usize)> {
    const UP: &str = "super::";
    let mut found: Vec<(usize, usize)> = code.match_indices("crate::").map(|(at, word)| (at, at + word.len())).collect();
    for (at, _) in code.match_indices(UP).filter(|(at, _)| !code[..*at].ends_with(UP)) {
        let rest = code[at..].trim_start_matches(UP);
        let end = code.len() - rest.len();
        if (end - at) / UP.len() >= depth {
            found.push((at, end));
        }
    }
    found.sort_unstable();
    found
}

/// The modules below the root that code names, with the line of each.
fn uses(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, start) in from_root(code, depth) {
        let rest = &code[start..];
        // `use crate::{a::B, c::D}` names several.
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(group) => top_level(group),
            None => vec![rest],
        };
        let line = code[..at].lines().count().max(1);
        for name in names {
            let module: String = name.trim_start().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if !module.is_empty() {
                found.push((line, module));
            }
        }
    }
    found
}

/// The items of a group of imports: cut at commas outside further braces, up to the brace that closes it.
fn top_level(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0_u32, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(&group[start..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(&group[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

/// `cluster` of `cluster/mod.rs` and `cluster/arrival.rs`.
fn module_of(path: &Path) -> String {
    let first = short(path).components().next().unwrap();
    Path::new(first.as_os_str()).file_stem().unwrap().to_string_lossy().into_owned()
}

/// How many modules a file is below the root: 1 for `sim/mod.rs`, 2 for `sim/queue.rs`.
fn depth_of(path: &Path) -> usize {
    short(path).components().count() - usize::from(path.ends_with("mod.rs"))
}

fn upward(module: &str, depth: usize, text: &str) -> Vec<(usize, String)> {
    uses(&code(text), depth).into_iter().filter(|(_, used)| !may_use(module, used)).collect()
}

#[test]
fn a_module_uses_only_the_layers_below_it() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let of_tests = short(&path).components().any(|part| Path::new(part.as_os_str()).file_stem().is_some_and(|stem| stem == "tests"));
        if of_tests || matches!(module.as_str(), "lib" | "main") {
            continue;
        }
        assert!(layer(&module).is_some(), "src/{}: `{module}` has no place among the layers of tests/layering.rs", short(&path).display());
        for (line, used) in upward(&module, depth_of(&path), &text) {
            wrong.push(format!("src/{}:{line}: `{module}` uses `{used}`", short(&path).display()));
        }
    }
    assert!(wrong.is_empty(), "arrows that point up or across:\n{}", wrong.join("\n"));
}

/// The modules below `crate::cluster` that code names by their full path or from `super`, with the line of each.
fn storeys(code: &str, own: &[&str]) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for (at, word) in line.match_indices("crate::cluster::") {
            found.push((number + 1, line[at + word.len()..].to_owned()));
        }
        for (at, _) in line.match_indices("super::").filter(|(at, _)| !line[..*at].ends_with("super::")) {
            let rest = line[at..].trim_start_matches("super::");
            let ups = (line.len() - at - rest.len()) / "super::".len();
            let path: Vec<&str> = own[..own.len().saturating_sub(ups)].to_vec();
            found.push((
                number + 1,
                [path.join("::"), rest.to_owned()].iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("::"),
            ));
        }
    }
    found
}

/// `process/engine` of `cluster/process/engine/batch.rs`; `None` outside the two storeys.
fn room(path: &Path) -> Option<Vec<String>> {
    let parts: Vec<String> =
        short(path).with_extension("").components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    let below = parts.strip_prefix(&["cluster".to_owned()][..])?;
    matches!(below.first()?.as_str(), "state" | "process").then(|| below.iter().filter(|part| *part != "mod").cloned().collect())
}

/// Of paths below `crate::cluster`: does a store or a process in the room `own` name what it must not?
fn crosses(own: &[String], used: &str) -> bool {
    let (storey, name) = (own[0].as_str(), own.get(1).map(String::as_str));
    let mut used = used.split("::");
    match (storey, used.next()) {
        ("state", Some("process")) => true,
        ("process", Some("process")) => name.is_some() && used.next().is_some_and(|other| !other.starts_with('{') && Some(other) != name),
        _ => false,
    }
}

#[test]
fn a_store_names_no_process_and_a_process_no_other() {
    let (mut wrong, mut rooms) = (Vec::new(), 0);
    for (path, text) in sources() {
        let Some(own) = room(&path) else { continue };
        rooms += 1;
        let names: Vec<&str> = own.iter().map(String::as_str).collect();
        for (line, used) in storeys(&code(&text), &names) {
            if crosses(&own, &used) {
                wrong.push(format!("src/{}:{line}: names `{used}`", short(&path).display()));
            }
        }
    }
    assert!(rooms > 20, "{rooms} files in the storeys of the cluster");
    assert!(wrong.is_empty(), "a store names a process, or a process another:\n{}", wrong.join("\n"));
    let own = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    assert!(crosses(&own("state/leave"), "process::engine::form"));
    assert!(crosses(&own("process/arrive"), "process::handoff::Handoffs"));
    assert!(!crosses(&own("process/engine/batch"), "process::engine::continuous") && !crosses(&own("process/arrive"), "state::World"));
    assert_eq!(storeys("use super::timeout::expire;", &["process", "arrive"]), [(1, "process::timeout::expire;".into())]);
}

/// The stores that a store names, by file.
fn store_imports() -> std::collections::BTreeMap<String, Vec<String>> {
    let mut arrows = std::collections::BTreeMap::new();
    for (path, text) in sources() {
        let Some(own) = room(&path).filter(|own| own[0] == "state" && own.len() == 2) else { continue };
        let names: Vec<&str> = own.iter().map(String::as_str).collect();
        let used = storeys(&code(&text), &names).into_iter().filter_map(|(_, used)| used.strip_prefix("state::").map(str::to_owned));
        let files = used.flat_map(|used| match used.strip_prefix('{') {
            Some(group) => group.split(['}', ',']).map(|name| name.trim().to_owned()).collect::<Vec<_>>(),
            None => vec![used],
        });
        let file = |name: String| name.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
        let mut files: Vec<String> = files.map(file).filter(|name| !name.is_empty() && *name != own[1]).collect();
        files.dedup();
        arrows.insert(own[1].clone(), files);
    }
    arrows
}

#[test]
fn stores_do_not_name_each_other_in_a_circle() {
    let mut arrows = store_imports();
    assert!(arrows.len() > 15 && arrows["world"].contains(&"fleet".to_owned()), "{arrows:?}");
    // What names nothing that is left is below all the rest; a circle never gets there.
    while let Some(lowest) =
        arrows.iter().find(|(_, used)| used.iter().all(|name| !arrows.contains_key(name))).map(|(name, _)| name.clone())
    {
        arrows.remove(&lowest);
    }
    assert!(arrows.is_empty(), "a circle among {arrows:?}");
}

/// What follows the generic parameters of an `impl`.
fn after_generics(rest: &str) -> &str {
    let mut depth = 0_i32;
    for (at, c) in rest.char_indices() {
        depth += i32::from(c == '<') - i32::from(c == '>');
        if depth == 0 {
            return rest[at..].trim_start_matches('>');
        }
    }
    rest
}

/// Lines of `impl` that one type may have in the cluster: more is a class that does everything.
const MOST_IMPL_LINES: usize = 400;

#[test]
fn no_type_of_the_cluster_owns_everything() {
    let mut lines = std::collections::BTreeMap::<String, usize>::new();
    for (path, text) in sources() {
        if short(&path).starts_with("cluster") {
            let mut owner = None;
            for line in code(&text).lines() {
                if let Some(rest) = line.strip_prefix("impl") {
                    let subject = after_generics(rest).rsplit(" for ").next().unwrap_or_default().trim();
                    owner = Some(subject.chars().take_while(char::is_ascii_alphanumeric).collect::<String>());
                }
                if let Some(owner) = &owner {
                    *lines.entry(owner.clone()).or_default() += 1;
                }
                if line.starts_with('}') {
                    owner = None;
                }
            }
        }
    }
    assert!(lines.get("World").is_some_and(|&lines| lines > 50), "{lines:?}");
    let large: Vec<_> = lines.iter().filter(|(_, lines)| **lines > MOST_IMPL_LINES).collect();
    assert!(large.is_empty(), "{large:?}");
}

#[test]
fn the_layer_check_sees_every_way_to_name_a_module() {
    let in_file = |module, text| upward(module, 2, text);
    assert_eq!(in_file("sim", "use crate::units::Watts;\nuse crate::cluster::Role;\n"), [(2, "cluster".into())]);
    assert_eq!(in_file("sim", "use crate::{units, cluster::{Role, run::{self}}, cli};"), [(1, "cluster".into()), (1, "cli".into())]);
    assert_eq!(in_file("kv", "fn f(x: &crate::network::Fabric) {}"), [(1, "network".into())], "modules of one line do not use each other");
    assert_eq!(in_file("perf", "use crate::hardware::Chip;\nuse crate::perf::Batch;\n"), []);
    assert_eq!(
        in_file("perf", "// use crate::cli\n#[cfg(test)]\nmod tests {\n    use crate::cli;\n}\nuse crate::kv;\n"),
        [(6, "kv".into())]
    );
    assert_eq!(in_file("sim", "use super::time;\nuse super::super::{units::Watts, cluster};\n"), [(2, "cluster".into())]);
    assert_eq!(in_file("sim", "fn f(x: super::super::cluster::Role) {}"), [(1, "cluster".into())]);
    assert_eq!(upward("sim", 1, "use super::cluster;"), [(1, "cluster".into())]);
    assert_eq!(upward("sim", 3, "use super::super::queue;\nuse super::super::super::units;"), []);
}

#[test]
fn a_file_is_as_deep_as_its_path() {
    let depth = |path: &str| depth_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(path));
    assert_eq!(["lib.rs", "sim/mod.rs", "sim/queue.rs", "workload/trace/mod.rs", "workload/trace/pass.rs"].map(depth), [1, 1, 2, 2, 3]);
}

#[test]
fn files_have_less_than_400_lines() {
    let long = |(path, text): (PathBuf, String)| {
        let lines = text.lines().count();
        (lines >= MOST_LINES).then(|| format!("src/{}: {lines} lines", short(&path).display()))
    };
    let long: Vec<String> = sources().into_iter().filter_map(long).collect();
    assert!(long.is_empty(), "too long:\n{}", long.join("\n"));
}

/// A line of code that says one of these, without comments and tests.
fn lines_with(says: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources() {
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        let lines = code.lines().zip(1..).filter(|(line, _)| !line.trim_start().starts_with("//") && says(line));
        found.extend(lines.map(|(line, number)| format!("src/{}:{number}: {}", short(&path).display(), line.trim())));
    }
    found
}

#[test]
fn what_does_not_fit_is_an_error_and_not_the_largest_number() {
    let clamped =
        lines_with(|line| ["u8", "u16", "u32", "u64", "usize"].iter().any(|width| line.contains(&format!("unwrap_or({width}::MAX)"))));
    assert!(clamped.is_empty(), "narrowed without a word:\n{}", clamped.join("\n"));
}

#[test]
fn roles_outcomes_and_confidences_are_compared_as_types() {
    let roles = ["prefill", "decode", "mixed", "frontend"];
    let outcomes = ["completed", "rejected", "timed_out", "failed", "in_flight"];
    let confidences = ["assumed", "estimate", "press", "official", "measured", "given"];
    let words = [&roles[..], &outcomes, &confidences].concat();
    let compared =
        lines_with(|line| words.iter().any(|word| ["== ", "!= "].iter().any(|sign| line.contains(&format!("{sign}\"{word}\"")))));
    assert!(compared.is_empty(), "compared as words:\n{}", compared.join("\n"));
}

#[test]
fn every_file_begins_with_what_it_is_for() {
    let silent = |(path, text): (PathBuf, String)| (!text.starts_with("//! ")).then(|| short(&path).display().to_string());
    let silent: Vec<String> = sources().into_iter().filter_map(silent).collect();
    assert!(silent.is_empty(), "no `//!` at the top of:\n{}", silent.join("\n"));
}

#[test]
fn every_layer_says_what_it_owns_and_what_it_must_not_know() {
    for module in LAYERS.iter().copied().flatten() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module).join("mod.rs");
        let text = fs::read_to_string(&path).unwrap();
        let about: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        // The kernel says it in its first sentence.
        let limits = about.contains("Owns:") && about.contains("Must not know:") || about.contains("Knows nothing of");
        assert!(limits, "src/{module}/mod.rs does not say what it owns and what it must not know");
    }
}
