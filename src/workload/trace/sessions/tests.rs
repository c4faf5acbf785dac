//! Small traces of sessions.

use super::*;
use crate::kv::Blocks;
use crate::sim::{SimDuration, Streams};
use crate::workload::session::own_blocks;
use crate::workload::trace::{ReadOptions, TraceParameters, TraceSource};
use crate::workload::{ClassId, SessionReplay, SessionSource, Step, TraceFormat, TraceWindow, WorkloadError, open_trace};

const MS: u64 = 1_000_000;

fn memory(text: &str) -> TraceSource {
    TraceSource::Memory { name: "trace".to_owned(), bytes: text.as_bytes().to_vec().into() }
}

fn open(text: &str, options: SessionOptions, skip_bad_lines: bool, repeat: u32) -> Result<SessionTrace, WorkloadError> {
    SessionTrace::open(&memory(text), ReadOptions { format: None, skip_bad_lines }, options, repeat).map(Option::unwrap)
}

fn scripts(text: &str, options: SessionOptions) -> Vec<Script> {
    let mut trace = open(text, options, false, 1).unwrap();
    std::iter::from_fn(|| trace.next_script().unwrap()).collect()
}

fn refusal(text: &str) -> String {
    let read = || -> Result<(), WorkloadError> {
        let mut trace = open(text, SessionOptions::default(), false, 1)?;
        while trace.next_script()?.is_some() {}
        Ok(())
    };
    read().unwrap_err().to_string()
}

/// Dependencies of each call, its delay and its earliest time in ms.
fn waits(steps: &[Step]) -> Vec<(&[u32], u64, u64)> {
    steps.iter().map(|step| (&*step.after, step.delay.ns() / MS, step.not_before.ns() / MS)).collect()
}

fn lengths(steps: &[Step]) -> Vec<(u32, u32, u32)> {
    steps.iter().map(|step| (step.prompt_tokens, step.output_tokens, step.blocks.len())).collect()
}

const AGENT: &str = concat!(
    r#"{"id":"a","block_size":64,"hash_id_scope":"local","requests":["#,
    r#"{"t":0.0,"in":200,"out":70,"api_s":3.5,"think_s":0.0,"h":[[1,3]]},"#,
    r#"{"t":10.0,"in":330,"out":0,"think_s":6.0,"h":[[1,5]]},"#,
    // Two sub-agents that end at 30 and 40 s, and one that starts at 20.5 s and is not waited for.
    r#"{"t":30.0,"sub":[{"t":0.0,"in":64,"out":9,"api_s":5.0,"think_s":0,"h":[[50,1]]},{"t":7.0,"in":128,"out":9,"api_s":3.0,"think_s":2.0,"h":[[50,2]]}]},"#,
    r#"{"t":40.0,"sub":[{"t":0.0,"in":64,"out":9,"api_s":25.0,"think_s":0,"h":[[60,1]]}]},"#,
    r#"{"t":40.5,"sub":[{"t":0.0,"in":64,"out":9,"api_s":300.0,"h":[[70,1]]}]},"#,
    r#"{"t":45.0,"in":340,"out":5,"api_s":1.0,"think_s":35.0,"h":[[1,4],[9,1]]},"#,
    r#"{"t":50.0,"in":340,"out":5,"api_s":1.0,"h":[[1,4],[9,1]]}"#,
    "]}\n",
);

#[test]
fn an_agent_waits_for_its_sub_agents_and_they_start_together() {
    let scripts = scripts(AGENT, SessionOptions::default());
    let steps = &scripts[0].steps;
    // The second answer has no recorded time: it is assumed complete at 10 s. The sub-agents began at 20 and 15 s.
    let expected: [(&[u32], u64, u64); 8] = [
        (&[], 0, 0),
        (&[0], 6_000, 0),
        (&[1], 10_000, 0),
        (&[2], 2_000, 0),
        (&[1], 5_000, 0),
        (&[1], 30_500, 0),
        (&[1, 3, 4], 5_000, 0),
        (&[6], 4_000, 0),
    ];
    assert_eq!(waits(steps), expected);
    // 200 + 70 − 1 tokens fill four blocks of 64, of which the next prompt has five; 330 + 1 − 1 five, but the next prompt has another fifth.
    assert_eq!(lengths(steps)[..3], [(200, 70, 4), (330, 1, 5), (64, 9, 1)]);
    let own = own_blocks(0);
    assert_eq!(steps[6].blocks, Blocks::of_runs([(own + 1, 4), (own + 9, 1)]));
    assert_eq!(scripts[0].fault(), None);
}

#[test]
fn sub_agents_and_answers_can_be_left_out() {
    let options = SessionOptions { sub_agents: false, cache_answers: false, ..SessionOptions::default() };
    let scripts = scripts(AGENT, options);
    let expected: [(&[u32], u64, u64); 4] = [(&[], 0, 0), (&[0], 6_000, 0), (&[1], 35_000, 0), (&[2], 4_000, 0)];
    assert_eq!(waits(&scripts[0].steps), expected);
    assert_eq!(lengths(&scripts[0].steps)[0], (200, 70, 3));
}

#[test]
fn ambiguities_of_an_agent_trace_are_counted() {
    let mut trace = open(AGENT, SessionOptions::default(), false, 1).unwrap();
    while trace.next_script().unwrap().is_some() {}
    let notes = trace.notes();
    assert_eq!((notes.empty_answers, notes.delays_with_service, trace.block_tokens()), (1, 0, Some(64)));
    assert_eq!(notes.sentences(), ["1 answer of 0 tokens counts as 1 token"]);
    let unknown = AGENT.replace(r#""api_s":3.5,"#, "");
    let mut trace = open(&unknown, SessionOptions::default(), false, 3).unwrap();
    let sessions: Vec<Script> = std::iter::from_fn(|| trace.next_script().unwrap()).collect();
    // Repeated sessions are distinct sessions: their text is not found in a cache.
    assert_eq!(sessions.iter().map(|script| script.session).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(sessions[0].steps[0].blocks.common(&sessions[1].steps[0].blocks), 0);
    assert_eq!(trace.notes().delays_with_service, 1, "counted once");
}

#[test]
fn errors_of_an_agent_trace_name_the_place() {
    for (from, to, expected) in [
        ("\"local\"", "\"global\"", "hash_id_scope: found `global`, expected `local`"),
        ("\"block_size\":64", "\"block_size\":0", "block_size: found 0, expected 1"),
        ("\"t\":10.0", "\"t\":41.0", "requests[2].t: found a time earlier"),
        ("[[1,3]]", "[[1,4]]", "call 0.h: found 4 ids, expected runs of at most 3"),
        ("[[1,3]]", "[[1,0]]", "call 0.h: found 0 ids"),
        ("[[1,3]]", "[[99999999,3]]", "call 0.h: found 3 ids"),
        ("\"in\":200", "\"in\":0", "call 0.in: found 0, expected tokens"),
        ("\"in\":200,", "", "requests[0]: found no `in`"),
        ("\"in\":200", "\"in\":\"x\"", "requests[0].in: invalid type"),
        ("\"in\":330", "\"in\":99999999", "call 1.in: found 99999999"),
        ("\"think_s\":6.0", "\"think_s\":1e300", "expected one below 9.2e9 s"),
        (
            "{\"t\":0.0,\"in\":64,\"out\":9,\"api_s\":25.0,\"think_s\":0,\"h\":[[60,1]]}",
            "{\"t\":0,\"sub\":[]}",
            "found a sub-agent of a sub-agent",
        ),
        (
            "{\"t\":0.0,\"in\":200,\"out\":70,\"api_s\":3.5,\"think_s\":0.0,\"h\":[[1,3]]},{\"t\":10.0,\"in\":330,\"out\":0,\"think_s\":6.0,\"h\":[[1,5]]},",
            "",
            "requests[0]: found a sub-agent, expected a call before it",
        ),
    ] {
        assert!(AGENT.contains(from));
        let found = refusal(&AGENT.replacen(from, to, 1));
        assert!(found.contains(expected), "{found}\n{expected}");
    }
    let torn = ReadOptions { format: Some(TraceFormat::KvCacheTester), skip_bad_lines: false };
    let mut trace = SessionTrace::open(&memory(&AGENT[..300]), torn, SessionOptions::default(), 1).unwrap().unwrap();
    assert!(trace.next_script().unwrap_err().to_string().contains("expected an object with `block_size`"));
    let empty = r#"{"id":"a","block_size":64,"hash_id_scope":"local","requests":[]}"#;
    assert!(refusal(empty).contains("found no call"));
    let mixed = format!("{AGENT}{}", AGENT.replace("\"block_size\":64", "\"block_size\":32"));
    assert!(refusal(&mixed).contains("trace:2: block_size: found 32, expected 64, the same in every session"));
    let mut trace = open(&format!("{empty}\n{AGENT}"), SessionOptions::default(), true, 1).unwrap();
    assert!(trace.next_script().unwrap().is_some_and(|script| script.session == 0) && trace.next_script().unwrap().is_none());
    assert_eq!(trace.skipped_lines().total, 1);
}

#[test]
fn a_context_without_identities_extends_the_previous_one_and_its_answer() {
    let turn = |turn: u32, delay: f64, input: u32, cached: u32, output: u32| {
        format!(
            r#"{{"turn": {turn}, "delay_before_s": {delay}, "input_tokens": {input}, "cached_input_tokens": {cached}, "output_tokens": {output}}}"#
        )
    };
    let line = |turns: &[String]| format!("{{\"session\": 0, \"turns\": [{}]}}\n", turns.join(", "));
    // Out of order; the third context has shrunk, and 100 tokens of it were cached.
    let text = line(&[turn(1, 2.5, 400, 320, 33), turn(0, 0.0, 320, 0, 40), turn(2, 60.0, 200, 100, 5)]);
    let script = &scripts(&text, SessionOptions::default())[0];
    let expected: [(&[u32], u64, u64); 3] = [(&[], 0, 0), (&[0], 2_500, 0), (&[1], 60_000, 0)];
    assert_eq!(waits(&script.steps), expected);
    // ⌊359 / 16⌋ blocks with the answer; the second loses its answer when the context shrinks.
    assert_eq!(lengths(&script.steps), [(320, 40, 22), (400, 33, 25), (200, 5, 12)]);
    assert_eq!(script.steps[1].blocks.common(&script.steps[2].blocks), 6);
    for (turns, expected) in [
        (vec![], "turns: found none"),
        (vec![turn(0, 0.0, 0, 0, 1)], "turns[0].input_tokens: found `0`, expected at least 1 token"),
        (vec![turn(0, -1.0, 9, 0, 1)], "turns[0].delay_before_s: found -1"),
        (vec![turn(3, 0.0, 9, 0, 1), turn(3, 0.0, 9, 0, 1)], "found the turn 3 twice"),
    ] {
        let found = refusal(&line(&turns));
        assert!(found.contains(expected), "{found}");
    }
}

/// The lines of the public formats: `session_id` joins turns, `delay` is ms after the answer.
#[test]
fn lines_of_one_session_are_its_turns() {
    let turns = "{\"session_id\": \"s1\", \"timestamp\": 0, \"input_length\": 300, \"output_length\": 40}\n\
                 {\"session_id\": \"s1\", \"delay\": 2000, \"input_length\": 150, \"output_length\": 20}\n";
    let read = scripts(turns, SessionOptions::default());
    assert_eq!((read.len(), read[0].start), (1, Some(SimDuration::ZERO)));
    let expected: [(&[u32], u64, u64); 2] = [(&[], 0, 0), (&[0], 2_000, 0)];
    assert_eq!((waits(&read[0].steps), lengths(&read[0].steps)), (expected.to_vec(), vec![(300, 40, 0), (150, 20, 0)]));
    // Without times all start at once; with new text only, the history is prepended.
    let no_times = "{\"session_id\": 7, \"input_length\": 1024, \"output_length\": 513, \"hash_ids\": [0, 1]}\n\
                    {\"session_id\": 7, \"input_length\": 192, \"output_length\": 104, \"hash_ids\": [2], \"delay\": 500}\n";
    assert_eq!(scripts(no_times, SessionOptions::default())[0].start, None);
    let delta = SessionOptions { turns: Turns::Delta, ..SessionOptions::default() };
    let own = own_blocks(0);
    let steps = &scripts(no_times, delta)[0].steps;
    assert_eq!(lengths(steps), [(1024, 513, 3), (1729, 104, 3)]);
    assert!(steps.iter().all(|step| step.blocks == Blocks::of_runs([(0, 2), (own + 2, 1)])));
}

#[test]
fn turns_may_be_interleaved_and_both_times_and_delays_apply() {
    let line = |session: &str, rest: &str| format!("{{{session}\"input_tokens\": 9, \"output_tokens\": 5{rest}}}\n");
    let text = [
        line("\"session_id\": \"b\", ", ", \"timestamp\": 3000"),
        line("\"session_id\": \"a\", ", ", \"created_time\": 1000"),
        line("", ", \"timestamp\": 2000"),
        line("\"session_id\": \"b\", ", ", \"timestamp\": 3500, \"delay_ms\": 40"),
        line("\"session_id\": \"a\", ", ", \"timestamp\": 9000"),
        line("\"session_id\": \"a\", ", ""),
    ]
    .concat();
    let mut trace = open(&text, SessionOptions::default(), false, 2).unwrap();
    let read: Vec<Script> = std::iter::from_fn(|| trace.next_script().unwrap()).collect();
    let starts: Vec<u64> = read.iter().map(|script| script.start.unwrap().ns() / MS).collect();
    // Starts at 1, 2 and 3 s: the second replay begins one mean gap after the last.
    assert_eq!(starts, [0, 1000, 2000, 3000, 4000, 5000]);
    assert_eq!(waits(&read[0].steps), [(&[][..], 0, 0), (&[0][..], 0, 8000), (&[1][..], 0, 0)]);
    assert_eq!(waits(&read[2].steps), [(&[][..], 0, 0), (&[0][..], 40, 0)]);
    assert_eq!((read[1].steps.len(), trace.notes().unused_times, trace.notes().turns_not_repeating), (1, 1, 0));
}

#[test]
fn inconsistent_turns_are_rejected() {
    let first = "{\"session_id\": \"s\", \"timestamp\": 5, \"input_length\": 9, \"output_length\": 5}\n";
    for (text, expected) in [
        (
            "{\"session_id\": \"t\", \"delay\": 5, \"timestamp\": 5, \"input_length\": 9, \"output_length\": 5}",
            "delay: found on the first turn",
        ),
        (
            "{\"session_id\": \"s\", \"timestamp\": 4, \"input_length\": 9, \"output_length\": 5}",
            "timestamp: found a turn earlier than that of line 1",
        ),
        ("{\"session_id\": \"s\", \"delay\": -1, \"input_length\": 9, \"output_length\": 5}", "delay: found `-1`, expected milliseconds"),
        (
            "{\"session_id\": \"s\", \"delay\": \"x\", \"input_length\": 9, \"output_length\": 5}",
            "delay: found `\"x\"`, expected milliseconds",
        ),
        ("{\"session_id\": \"\", \"timestamp\": 9, \"input_length\": 9, \"output_length\": 5}", "session_id: found an empty string"),
        ("{\"session_id\": [1], \"timestamp\": 9, \"input_length\": 9, \"output_length\": 5}", "session_id: found `[1]`, expected a name"),
        ("{\"session_id\": \"s\", \"input_length\": 0, \"output_length\": 5}", "input_length: found `0`"),
        (
            "{\"session_id\": \"t\", \"input_length\": 9, \"output_length\": 5}",
            "line 2: found the first turn of a session without a `timestamp`",
        ),
    ] {
        let found = refusal(&format!("{first}{text}\n"));
        assert!(found.contains(expected), "{found}\n{expected}");
    }
    // If the first turn of a session is skipped, the rest is played.
    let text = "{\"session_id\": 1, \"input_length\": 0, \"output_length\": 5}\n{\"session_id\": 1, \"delay\": 3, \"input_length\": 9, \"output_length\": 5}\n";
    let mut trace = open(text, SessionOptions::default(), true, 1).unwrap();
    assert_eq!(trace.next_script().unwrap().unwrap().steps.len(), 1);
}

#[test]
fn parameters_must_match_the_kind_of_trace() {
    let requests = "{\"timestamp\": 0, \"input_length\": 9, \"output_length\": 5}\n";
    let problem = |text: &str, change: &dyn Fn(&mut TraceParameters)| {
        let mut parameters = TraceParameters::new(memory(text));
        change(&mut parameters);
        open_trace(ClassId(0), &parameters, &Streams::new(1)).unwrap_err().to_string()
    };
    let replay = |parameters: &mut TraceParameters| parameters.sessions = Some(SessionReplay::default());
    assert!(problem(requests, &replay).contains("the trace has no sessions"));
    let window = TraceWindow { from: SimDuration::from_ns(5), to: None };
    assert!(problem(AGENT, &|parameters| parameters.window = window).contains("a trace of sessions has no window"));
    assert!(problem(requests, &|parameters| parameters.read.format = Some(TraceFormat::KvCacheTester)).contains("missing field"));
    let late = format!("{requests}{{\"session_id\": 1, \"timestamp\": 3, \"input_length\": 9, \"output_length\": 5}}\n");
    let mut workload = open_trace(ClassId(0), &TraceParameters::new(memory(&late)), &Streams::new(1)).unwrap();
    assert!(workload.next().unwrap().is_some());
    assert!(workload.peek().unwrap_err().to_string().contains("expected `session_id` from the first line on"));
}

#[test]
fn a_torn_or_missing_session_is_never_a_panic() {
    let whole = AGENT.trim_end();
    for end in 0..whole.len() {
        let Ok(Some(mut trace)) = SessionTrace::open(&memory(&whole[..end]), ReadOptions::default(), SessionOptions::default(), 1) else {
            continue;
        };
        assert!(trace.next_script().is_err(), "{end}");
    }
}

#[test]
fn an_answer_is_the_part_of_the_next_prompt_after_this_one() {
    let prompt = Blocks::run(1, 3);
    // 200 tokens are three blocks of 64 and 8 tokens; 56 + 64 more fill two blocks, and the last token is not stored.
    let stored = |next: Blocks, output| with_answer(&prompt, Some(&next), 200, output, 64).len();
    assert_eq!([stored(Blocks::run(1, 9), 56), stored(Blocks::run(1, 9), 57), stored(Blocks::run(1, 9), 121)], [3, 4, 5]);
    assert_eq!(stored(Blocks::run(1, 4), 121), 4, "the rest of the answer is not repeated");
    assert_eq!(stored(Blocks::of_runs([(1, 2), (9, 7)]), 121), 3, "another text");
    assert_eq!(with_answer(&prompt, None, 200, 121, 64), prompt);
    assert_eq!(with_answer(&prompt.leading(2), Some(&Blocks::run(1, 9)), 200, 121, 64).len(), 2, "a prompt only partly known");
}
