//! The event queue under the hold model: take the earliest event, schedule another one. Events per second by number of pending events.
//!
//! A cluster has as many pending events as instances and transfers in flight, 10² to 10⁴. Floor: 10 M holds per second at 10⁴ pending
//! events, so that the queue takes at most a tenth of the 1 µs that an event may take altogether.
//!
//! `cargo bench --bench kernel`

use divan::Bencher;
use divan::counter::ItemsCount;
use tokenmill::sim::{EventKey, EventQueue, Purpose, SimTime, Streams};

const HOLDS: usize = 100_000;

fn main() {
    divan::main();
}

/// Delays with the mean of a decode iteration, 20 ms, drawn ahead.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "milliseconds as nanoseconds")]
fn delays() -> Vec<u64> {
    let mut stream = Streams::new(7).stream(Purpose::Arrivals, 0);
    (0..1 << 16).map(|_| (stream.exponential() * 20e6) as u64).collect()
}

#[divan::bench(args = [100, 1_000, 10_000])]
fn hold(bencher: Bencher<'_, '_>, pending: u32) {
    let delays = delays();
    let key = |ns: u64, entity: u32| EventKey::new(SimTime::from_ns(ns), 1, entity);
    let mut queue = EventQueue::default();
    for (entity, &delay) in (0..pending).zip(&delays) {
        queue.push(key(delay, entity), entity);
    }
    let mut next = delays.iter().cycle();
    bencher.counter(ItemsCount::new(HOLDS)).bench_local(|| {
        for _ in 0..HOLDS {
            if let (Some((at, entity)), Some(delay)) = (queue.pop(), next.next()) {
                queue.push(key(at.at().ns() + delay, entity), entity);
            }
        }
    });
}
