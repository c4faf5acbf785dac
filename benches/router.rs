//! Least-loaded routing with the loads kept in order, as the cluster does: a request goes to the least loaded instance, another leaves one.
//!
//! The work per request (nodes of the tree looked at) is checked first: with four times the instances it may grow by a step or two in each of
//! its walks, not more.
//!
//! `cargo bench --bench router`

#![expect(clippy::unwrap_used, reason = "what cannot run cannot be measured")]
#![expect(clippy::print_stdout, reason = "the table of work is a result")]

use std::cell::RefCell;

use divan::Bencher;
use divan::counter::ItemsCount;
use tokenmill::kv::Blocks;
use tokenmill::policy::router::first_in_order;
use tokenmill::policy::{Candidates, Pick, RequestView, Router, Signal, routers};
use tokenmill::sim::{Purpose, Stream, Streams, Tournament};

const INSTANCES: [usize; 4] = [64, 1_000, 4_000, 16_000];
const REQUESTS: u32 = 20_000;
/// Those of a hundred instances that never take anything: once refused, they stay out of the order.
const INELIGIBLE: usize = 1;

fn main() {
    let work = INSTANCES.map(|instances| {
        let mut fleet = Fleet::new(instances);
        let before = fleet.tournament.borrow().work();
        fleet.run();
        let work = fleet.tournament.borrow().work() - before;
        work as f64 / f64::from(REQUESTS)
    });
    println!("work per request {work:.1?} with {INSTANCES:?} instances");
    assert!(work[2] < 1.5 * work[1] && work[3] < 1.5 * work[2], "work grows with instances");
    divan::main();
}

/// Instances with two requests each on average.
struct Fleet {
    loads: Vec<u64>,
    tournament: RefCell<Tournament>,
    /// Where requests are.
    places: Vec<usize>,
    stream: Stream,
}

impl Candidates for Fleet {
    fn len(&self) -> usize {
        self.loads.len()
    }
    fn eligible(&self, i: usize) -> bool {
        i % 100 >= INELIGIBLE
    }
    fn instance(&self, i: usize) -> u32 {
        u32::try_from(i).unwrap()
    }
    fn pool(&self, _: usize) -> u32 {
        0
    }
    fn read(&self, i: usize, _: Signal) -> f64 {
        self.loads[i] as f64
    }
    fn least(&self, signal: Signal) -> Option<usize> {
        first_in_order(self, signal, |refused| {
            let mut tournament = self.tournament.borrow_mut();
            if let Some(refused) = refused {
                tournament.set(refused, Tournament::NONE);
            }
            tournament.smallest()
        })
    }
}

impl Fleet {
    fn new(instances: usize) -> Self {
        let loads = vec![0; instances];
        let tournament = RefCell::new(Tournament::new(loads.iter().copied()));
        let mut fleet = Self { loads, tournament, places: Vec::new(), stream: Streams::new(7).stream(Purpose::Lengths, 0) };
        let mut router = routers().configure("least-request", None).unwrap().build(Streams::new(7).stream(Purpose::Routing, 0));
        for _ in 0..2 * instances {
            fleet.start(&mut *router);
        }
        fleet
    }

    fn change(&mut self, i: usize, load: u64) {
        self.loads[i] = load;
        self.tournament.get_mut().set(i, load);
    }

    fn start(&mut self, router: &mut dyn Router) {
        let Pick::To(chosen) = router.route(&RequestView::first(100, &Blocks::default()), self) else { return };
        self.change(chosen, self.loads[chosen] + 1);
        self.places.push(chosen);
    }

    fn run(&mut self) {
        let mut router = routers().configure("least-request", None).unwrap().build(Streams::new(7).stream(Purpose::Routing, 0));
        for _ in 0..REQUESTS {
            let leaves = usize::try_from(self.stream.below(self.places.len() as u64)).unwrap();
            let i = self.places.swap_remove(leaves);
            self.change(i, self.loads[i] - 1);
            self.start(&mut *router);
        }
    }
}

#[divan::bench(args = INSTANCES, sample_count = 5)]
fn least_request(bencher: Bencher<'_, '_>, instances: usize) {
    bencher.counter(ItemsCount::new(REQUESTS)).with_inputs(|| Fleet::new(instances)).bench_local_values(|mut fleet| {
        fleet.run();
        fleet
    });
}
