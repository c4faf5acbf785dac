//! Queue orders of a crate outside: the twin of first come, first served, orders by length, and two fair ones whose ranks change while
//! requests wait.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;
use tokenmill::document::Input;
use tokenmill::metrics::RequestRow;
use tokenmill::policy::{Entry, Outcome, Policies, QueueOrder, Rank, Ranked, RequestView, Ticket};
use tokenmill::scenario::{Library, Scenario};
use tokenmill::sim::SimTime;
use tokenmill::workload::ClassId;

use crate::cli::TINY;
use crate::policies::every_way;

/// A scenario whose instances take requests in the order of a policy of the test's.
fn ordered<Q: QueueOrder + 'static>(sets: &[String], make: impl Fn() -> Q + Send + Sync + 'static) -> Scenario {
    let mut policies = Policies::default();
    policies.queues = policies.queues.with(Entry::<dyn QueueOrder>::plain("tested", "Of a test.", move |_| Box::new(make())));
    let library = Library::default().with_policies(policies);
    let sets: Vec<String> =
        ["policies.queue=tested", "run.warmup=0 s"].map(str::to_owned).into_iter().chain(sets.iter().cloned()).collect();
    Scenario::load(Input::Text { name: "tiny.yaml", text: TINY }, &sets, &library).unwrap_or_else(|errors| panic!("{errors}"))
}

/// First come, first served, preempted requests in front: the order of the library, asked every time.
#[derive(Debug, Default)]
struct Twin(VecDeque<Ticket>);

impl QueueOrder for Twin {
    fn push(&mut self, _: &RequestView<'_>, ticket: Ticket, preempted: bool) {
        if preempted {
            self.0.push_front(ticket);
        } else {
            self.0.push_back(ticket);
        }
    }
    fn next(&mut self) -> Option<Ticket> {
        self.0.front().copied()
    }
    fn remove(&mut self, ticket: Ticket, _: bool) {
        self.0.retain(|&other| other != ticket);
    }
    /// Looks after every iteration, though nothing changes.
    fn changes_while_waiting(&self) -> bool {
        self.0.len() % 2 == 1
    }
}

/// Whatever the test breaks: a ticket that there is not, which stands for the oldest request.
#[derive(Debug, Default)]
struct Confused(u64);

impl QueueOrder for Confused {
    fn push(&mut self, _: &RequestView<'_>, _: Ticket, _: bool) {
        self.0 += 1;
    }
    fn next(&mut self) -> Option<Ticket> {
        (self.0 > 0).then_some(Ticket(u32::MAX))
    }
    fn remove(&mut self, _: Ticket, _: bool) {
        self.0 -= 1;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Rows are those of the library's own order under preemption, timeouts, caches, failures and handoffs, stepped and passed over.
    #[test]
    fn a_twin_of_first_come_first_served_decides_alike(
        mixed in any::<bool>(), layer_wise in any::<bool>(), blocks in 30u32..120, seats in 2u32..20, groups in 1u32..6, seed in 0u64..1000,
    ) {
        let engine = format!("engine: {{num_gpu_blocks_override: {blocks}, max_num_seqs: {seats}, max_num_batched_tokens: 256}}");
        let pools = if mixed {
            format!("cluster.pools=[{{name: m, role: mixed, node: dgx-h100, instances: 2, {engine}, perf: {{affine: {{base: 2 ms, per_prompt_token: 20 us, per_sequence: 100 us}}}}}}]")
        } else {
            format!("cluster.pools.p.engine={{num_gpu_blocks_override: {blocks}, max_num_batched_tokens: 128, max_num_seqs: {seats}}}")
        };
        let sets: Vec<String> = [
            pools,
            format!("workload.chat.synthetic.shared_prefix={{groups: {groups}, tokens: 64}}"),
            "workload.chat.timeout=2 s".to_owned(),
            format!("cluster.network.kv.overlap={}", if layer_wise { "layer-wise" } else { "after-prefill" }),
            format!("faults=[{{at: 1 s, instance: {}/0, down: 500 ms}}]", if mixed { "m" } else { "d" }),
            format!("seed={seed}"),
        ].to_vec();
        let own: Vec<String> = sets.iter().cloned().chain(["policies.queue=fcfs".to_owned()]).collect();
        let expected = format!("{:?}", every_way(&ordered(&own, Twin::default)));
        prop_assert!(expected == format!("{:?}", every_way(&ordered(&sets, Twin::default))), "{:?}", sets);
        if !sets[0].contains("mixed") {
            // Without preemption the oldest request is the first that came.
            prop_assert!(expected == format!("{:?}", every_way(&ordered(&sets, Confused::default))), "{:?}", sets);
        }
    }
}

/// An overloaded instance with two workloads, of which `a` sends twice as much as `b`; half of what both send is more than it can do.
fn two_tenants() -> Vec<String> {
    let workload = |name: &str, rate: u32| {
        format!(
            "{{name: {name}, synthetic: {{arrivals: {{constant: {{rate: {rate} /s}}}}, prompt_tokens: {{uniform: {{min: 50, max: 150}}}}, output_tokens: {{fixed: 20}}}}}}"
        )
    };
    vec![
        format!("workload=[{}, {}]", workload("a", 200), workload("b", 100)),
        "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 1, engine: {max_num_seqs: 4}, \
         perf: {affine: {base: 1 ms, per_prompt_token: 20 us, per_sequence: 1 ms}}}]"
            .to_owned(),
        "run={duration: 20 s}".to_owned(),
    ]
}

/// Tokens of each workload, outputs twice, that have been computed while both still had requests waiting.
fn shares(rows: &[RequestRow]) -> [f64; 2] {
    let mut tokens = [0.0; 2];
    for row in rows {
        let record = row.record;
        if record.outcome == Outcome::Completed && record.done.as_secs_f64() < 20.0 {
            tokens[usize::from(record.class.0)] += f64::from(record.prompt_tokens) + 2.0 * f64::from(record.output_tokens);
        }
    }
    tokens
}

/// Virtual token counter (Sheng et al., OSDI 2024, arXiv 2401.00588, algorithm 2) with weights 1 and 2: the client with the least service is
/// next; one that comes back is lifted to the least of those that wait.
#[derive(Debug, Default)]
struct Vtc {
    service: BTreeMap<ClassId, u64>,
    waiting: BTreeMap<ClassId, VecDeque<(Ticket, u32)>>,
}

impl QueueOrder for Vtc {
    fn push(&mut self, request: &RequestView<'_>, ticket: Ticket, preempted: bool) {
        let client = request.class;
        if self.waiting.get(&client).is_none_or(VecDeque::is_empty) {
            let others = self.waiting.iter().filter(|(_, queue)| !queue.is_empty()).map(|(other, _)| self.service[other]);
            let least = others.min().unwrap_or_default();
            let service = self.service.entry(client).or_default();
            *service = least.max(*service);
        }
        let queue = self.waiting.entry(client).or_default();
        if preempted {
            queue.push_front((ticket, 0));
        } else {
            queue.push_back((ticket, request.prompt_tokens));
        }
    }
    fn next(&mut self) -> Option<Ticket> {
        let clients = self.waiting.iter().filter(|(_, queue)| !queue.is_empty());
        let (_, queue) = clients.min_by_key(|(client, _)| self.service[client])?;
        queue.front().map(|&(ticket, _)| ticket)
    }
    fn remove(&mut self, ticket: Ticket, started: bool) {
        for (client, queue) in &mut self.waiting {
            if let Some(place) = queue.iter().position(|&(other, _)| other == ticket) {
                let (_, prompt) = queue.remove(place).unwrap();
                *self.service.get_mut(client).unwrap() += u64::from(prompt) * u64::from(started);
            }
        }
    }
    fn served(&mut self, class: ClassId, _: u64, output_tokens: u64) {
        *self.service.entry(class).or_default() += 2 * output_tokens;
    }
    fn changes_while_waiting(&self) -> bool {
        true
    }
}

/// Deficit round robin (Shreedhar and Varghese, SIGCOMM 1995) over workloads, by prompt tokens; the second has twice the quantum.
#[derive(Debug, Default)]
struct Drr {
    queues: [VecDeque<(Ticket, i64)>; 2],
    deficit: [i64; 2],
    turn: usize,
}

impl QueueOrder for Drr {
    fn push(&mut self, request: &RequestView<'_>, ticket: Ticket, _: bool) {
        self.queues[usize::from(request.class.0)].push_back((ticket, request.prompt_tokens.into()));
    }
    fn next(&mut self) -> Option<Ticket> {
        if self.queues.iter().all(VecDeque::is_empty) {
            return None;
        }
        loop {
            match self.queues[self.turn].front() {
                Some(&(ticket, tokens)) if tokens <= self.deficit[self.turn] => return Some(ticket),
                Some(_) => {}
                None => self.deficit[self.turn] = 0,
            }
            self.turn = 1 - self.turn;
            self.deficit[self.turn] += [100, 200][self.turn];
        }
    }
    fn remove(&mut self, ticket: Ticket, started: bool) {
        for (queue, deficit) in self.queues.iter_mut().zip(&mut self.deficit) {
            if let Some(place) = queue.iter().position(|&(other, _)| other == ticket) {
                *deficit -= queue.remove(place).unwrap().1 * i64::from(started);
            }
        }
    }
}

/// First come, first served gives tenants what they send; a fair order gives each what it is due, in either case all that there is.
#[test]
fn fair_orders_share_an_overloaded_instance_by_service() {
    let sets = two_tenants();
    let fcfs: Vec<String> = sets.iter().cloned().chain(["policies.queue=fcfs".to_owned()]).collect();
    let fcfs = shares(&every_way(&ordered(&fcfs, Vtc::default)));
    let vtc = shares(&every_way(&ordered(&sets, Vtc::default)));
    let drr = shares(&every_way(&ordered(&sets, Drr::default)));
    println!("tokens of a and b, outputs twice: fcfs {fcfs:?}, vtc {vtc:?}, drr {drr:?}");
    approx::assert_relative_eq!(fcfs[0] / fcfs[1], 2.0, max_relative = 0.02);
    // Counters of clients that wait differ by no more than max(prompt, 2 · outputs of the batch) (theorem 4.4), of some 54,000 each.
    assert!((vtc[0] - vtc[1]).abs() < 2.0 * f64::max(150.0, 2.0 * 4.0 * 20.0), "{vtc:?}");
    // Prompts of both tenants are equally long in the mean, so that requests, and with them all tokens, are shared as quanta are.
    approx::assert_relative_eq!(drr[1] / drr[0], 2.0, max_relative = 0.03);
    let total = |shares: [f64; 2]| shares[0] + shares[1];
    approx::assert_relative_eq!(total(vtc), total(fcfs), max_relative = 0.02);
    approx::assert_relative_eq!(total(drr), total(fcfs), max_relative = 0.02);
}

/// Earliest deadline first: arrival and limit on the first token.
#[derive(Debug)]
struct Deadline;

impl Rank for Deadline {
    type Key = SimTime;
    fn key(&mut self, request: &RequestView<'_>, _: bool) -> SimTime {
        request.limits.ttft.map_or(SimTime::NEVER, |limit| request.arrived + limit)
    }
}

/// Two workloads, one in a hurry, on an instance that is loaded to nine tenths: by deadlines that one holds its limit, at little cost to the other.
#[test]
fn deadlines_come_from_the_limits_of_workloads() {
    let workload = |name: &str, limit: &str| {
        format!(
            "{{name: {name}, slo: {{ttft: {limit}}}, synthetic: {{arrivals: {{poisson: {{rate: 45 /s}}}}, prompt_tokens: {{fixed: 100}}, output_tokens: {{fixed: 1}}}}}}"
        )
    };
    let sets = [
        format!("workload=[{}, {}]", workload("a", "40 ms"), workload("b", "400 ms")),
        "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 1, engine: {max_num_seqs: 1}, perf: {affine: {per_prompt_token: 100 us}}}]"
            .to_owned(),
        "run={requests: 5k}".to_owned(),
    ];
    let met = |sets: &[String]| {
        let rows = every_way(&ordered(sets, || Ranked::new(Deadline)));
        [(0, 40), (1, 400)].map(|(class, limit)| {
            let waits =
                rows.iter().filter(|row| row.record.class.0 == class).map(|row| row.record.first_token.unwrap().since(row.record.arrived));
            let (met, all) = waits.fold((0, 0), |(met, all), wait| (met + u32::from(wait.ns() <= limit * 1_000_000), all + 1));
            f64::from(met) / f64::from(all)
        })
    };
    let fcfs = met(&[sets.to_vec(), vec!["policies.queue=fcfs".to_owned()]].concat());
    let edf = met(&sets);
    println!("limits met by a and b: fcfs {fcfs:?}, by deadline {edf:?}");
    assert!(edf[0] > fcfs[0] + 0.2 && edf[1] > 0.95);
}

#[derive(Debug)]
struct Shortest;

impl Rank for Shortest {
    type Key = u32;
    fn key(&mut self, request: &RequestView<'_>, _: bool) -> u32 {
        request.prompt_tokens
    }
}

/// One prompt at a time, all of them there at once: they start from the shortest to the longest.
#[test]
fn the_shortest_prompt_goes_first_and_the_mean_wait_falls() {
    let sets: Vec<String> = [
        "workload=[{name: a, synthetic: {arrivals: {constant: {rate: 1e6 /s}}, prompt_tokens: {uniform: {min: 10, max: 200}}, output_tokens: {fixed: 1}}}]",
        "cluster.pools=[{name: m, role: mixed, node: dgx-h100, instances: 1, engine: {max_num_seqs: 1}, perf: {affine: {per_prompt_token: 20 us}}}]",
        "run={requests: 50}",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut rows = every_way(&ordered(&sets, || Ranked::new(Shortest)));
    rows.sort_by_key(|row| row.record.prefill_start);
    // All but those that found the instance free before the others had come.
    let lengths: Vec<u32> = rows.iter().map(|row| row.record.prompt_tokens).collect();
    assert!(lengths[1..].is_sorted(), "{lengths:?}");
    let wait = |rows: &[RequestRow]| rows.iter().map(|row| row.record.prefill_start.unwrap().as_secs_f64()).sum::<f64>();
    let fcfs: Vec<String> = sets.iter().cloned().chain(["policies.queue=fcfs".to_owned()]).collect();
    assert!(wait(&rows) < 0.8 * wait(&every_way(&ordered(&fcfs, || Ranked::new(Shortest)))));
}
