//! `timeline.csv`: one row per interval, units in the column names, six columns per pool.
//!
//! Owns: columns and their names. Must not know: the location of the file.

use crate::metrics::{PoolTimeline, Timeline};

/// Gauges of a pool in the order of their columns: suffix of the name and values.
type Gauge = (&'static str, fn(&PoolTimeline) -> &[f64]);

const GAUGES: [Gauge; 6] = [
    ("queue_requests", |p| &p.queue),
    ("queue_most_requests", |p| &p.queue_most),
    ("running_sequences", |p| &p.running),
    ("kv_utilization", |p| &p.kv_utilization),
    ("power_w", |p| &p.power_w),
    ("instances", |p| &p.instances),
];

/// The bytes of `timeline.csv`. A column of a pool is `POOL.gauge_unit`; a missing value is an empty field.
pub fn timeline_csv(timeline: &Timeline) -> Result<Vec<u8>, csv::Error> {
    let mut out = csv::Writer::from_writer(Vec::new());
    let mut row: Vec<String> =
        ["at_s", "arrivals_per_s", "completions_per_s", "lost_per_s", "output_tokens_per_s"].iter().map(|&name| name.to_owned()).collect();
    for pool in &timeline.pools {
        row.extend(GAUGES.iter().map(|(name, _)| format!("{}.{name}", pool.name)));
    }
    out.write_record(&row)?;
    for (i, at) in timeline.at_s.iter().enumerate() {
        row.clear();
        row.push(at.to_string());
        for column in [&timeline.arrivals_per_s, &timeline.completions_per_s, &timeline.lost_per_s, &timeline.output_tokens_per_s] {
            row.push(field(column, i));
        }
        for pool in &timeline.pools {
            row.extend(GAUGES.iter().map(|(_, values)| field(values(pool), i)));
        }
        out.write_record(&row)?;
    }
    out.into_inner().map_err(|error| error.into_error().into())
}

fn field(column: &[f64], i: usize) -> String {
    column.get(i).map_or_else(String::new, f64::to_string)
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn one_row_per_interval_with_units_in_the_header() {
        let timeline = fixture::two_pools().timeline;
        let text = String::from_utf8(timeline_csv(&timeline).unwrap()).unwrap();
        let mut lines = text.lines();
        assert_eq!(
            lines.next().unwrap(),
            "at_s,arrivals_per_s,completions_per_s,lost_per_s,output_tokens_per_s,\
             prefill.queue_requests,prefill.queue_most_requests,prefill.running_sequences,prefill.kv_utilization,prefill.power_w,prefill.instances,\
             decode.queue_requests,decode.queue_most_requests,decode.running_sequences,decode.kv_utilization,decode.power_w,decode.instances"
        );
        assert_eq!(lines.count(), timeline.at_s.len());
    }

    #[test]
    fn values_read_back_with_the_same_bits() {
        let timeline = fixture::two_pools().timeline;
        let bytes = timeline_csv(&timeline).unwrap();
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        for (i, record) in reader.records().enumerate() {
            let power: f64 = record.unwrap()[9].parse().unwrap();
            assert_eq!(power.to_bits(), timeline.pools[0].power_w[i].to_bits());
        }
    }

    #[test]
    fn an_empty_timeline_is_a_header() {
        assert_eq!(timeline_csv(&Timeline::default()).unwrap(), b"at_s,arrivals_per_s,completions_per_s,lost_per_s,output_tokens_per_s\n");
    }
}
