//! Checks against schemas written by hand.

use super::*;
use crate::document::FileId;
use crate::document::parse::parse;

#[test]
fn keys_of_a_fixed_set_are_checked_if_the_schema_names_them() {
    let schema = serde_json::json!({
        "type": "object", "additionalProperties": {"type": "boolean"}, "propertyNames": {"enum": ["fp8", "bf16"]}
    });
    let root = parse("{fp8: true, bf17: true, int9: 3}", FileId(0)).0.unwrap();
    let faults = check(&root, &schema, &Sources::default());
    let problems: Vec<&str> = faults.iter().map(|f| f.problem.as_str()).collect();
    assert_eq!(problems, ["unknown choice `bf17`", "unknown choice `int9`", "found `3`"]);
    assert_eq!(faults[0].hint.as_deref(), Some("did you mean `bf16`?"));
}

#[test]
fn lists_and_maps_above_their_maximum_are_refused() {
    let schema = serde_json::json!({
        "type": "object",
        "properties": {"list": {"type": "array", "maxItems": 2}, "map": {"type": "object", "additionalProperties": true, "maxProperties": 1}}
    });
    let root = parse("{list: [1, 2, 3], map: {a: 1, b: 2}}", FileId(0)).0.unwrap();
    let faults = check(&root, &schema, &Sources::default());
    let told: Vec<_> = faults.iter().map(|f| (f.path.as_str(), f.problem.as_str(), f.expected.as_deref())).collect();
    assert_eq!(told, [("list", "found 3 items", Some("at most 2")), ("map", "found 2 entries", Some("at most 1"))]);
}
