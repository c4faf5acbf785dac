//! YAML to a validated scenario, with diagnostics.

pub mod scenario;

#[cfg(test)]
mod dump {
    #[test]
    fn dump() {
        println!("{}", serde_json::to_string_pretty(&schemars::schema_for!(super::scenario::ScenarioFile)).unwrap());
    }
}
