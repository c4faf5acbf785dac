//! Traces that are looked into, converted and made: what is written where, and what is said of those that cannot be used.

use super::Place;

/// The only names in the folder, sorted.
fn names(place: &Place) -> Vec<String> {
    let entries = std::fs::read_dir(place.path("")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The option wins over the scenario's own number, is written like it, and without it the scenario's holds.
#[test]
fn as_many_requests_are_generated_as_are_asked_for() {
    let place = Place::tiny();
    let lines = |arguments: &[&str]| place.good(&[&["trace", "generate", "tiny.yaml"], arguments].concat()).lines().count();
    assert_eq!(lines(&[]), 1 + 300);
    assert_eq!(lines(&["--requests", "7"]), 1 + 7);
    assert_eq!(lines(&["--requests", "2.5k"]), 1 + 2500);
    assert_eq!(lines(&["--requests", "1000000000000000", "--set", "workload.chat.requests=40"]), 1 + 40);
    assert_eq!(
        lines(&["--set", "run={requests: ~, duration: 1 min}", "--set", "workload.chat.synthetic.arrivals.poisson.rate=1 /min"]),
        1 + 1
    );
    for wrong in ["0", "-3", "1.5", "many", "2000000G"] {
        let said = place.refused(&["trace", "generate", "tiny.yaml", "--requests", wrong]);
        assert!(said.contains(&format!("'{wrong}'")) && said.contains("expected a whole number above 0"), "{said}");
    }
}

#[test]
fn a_trace_without_a_request_is_not_written() {
    let place = Place::tiny();
    let said = place.refused(&["trace", "generate", "tiny.yaml", "--set", "run={requests: ~, duration: 1 ns}", "--out", "g.csv"]);
    assert!(said.starts_with("error: there is no request to write") && said.contains("hint: let it go on for longer"), "{said}");
    assert_eq!(names(&place), ["tiny.yaml"]);
}
