//! A plain implementation of the law: all rates from scratch at every change, in floating point. The test decides when transfers end.

use crate::sim::{SimDuration, SimTime};

#[derive(Debug, Clone)]
pub(super) struct Flow {
    ports: Vec<usize>,
    /// Bytes per nanosecond.
    limit: f64,
    pub(super) remaining: f64,
    pub(super) rate: f64,
}

/// Transfers by the number that the test gives them; `None` once ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Reference {
    pub(super) capacities: Vec<f64>,
    pub(super) flows: Vec<Option<Flow>>,
    pub(super) carried: Vec<f64>,
    now: SimTime,
}

impl Reference {
    pub(super) fn add_port(&mut self, bytes_per_s: f64) {
        self.capacities.push(bytes_per_s / 1e9);
        self.carried.push(0.0);
    }

    pub(super) fn start(&mut self, now: SimTime, ports: &[usize], limit: f64, bytes: f64) {
        self.advance_to(now);
        self.flows.push(Some(Flow { ports: ports.to_vec(), limit: limit / 1e9, remaining: bytes, rate: 0.0 }));
        self.fill();
    }

    pub(super) fn extend(&mut self, now: SimTime, flow: usize, bytes: f64) {
        self.advance_to(now);
        if let Some(flow) = &mut self.flows[flow] {
            flow.remaining += bytes;
        }
    }

    /// Ends a transfer, finished or not; returns its remaining bytes.
    pub(super) fn end(&mut self, now: SimTime, flow: usize) -> f64 {
        self.advance_to(now);
        let left = self.flows[flow].take().map_or(0.0, |flow| flow.remaining);
        self.fill();
        left
    }

    pub(super) fn set_capacity(&mut self, now: SimTime, port: usize, bytes_per_s: f64) {
        self.advance_to(now);
        self.capacities[port] = bytes_per_s / 1e9;
        self.fill();
    }

    /// Time of a transfer's last byte if nothing changes.
    pub(super) fn finish(&self, flow: usize) -> Option<SimTime> {
        let flow = self.flows[flow].as_ref()?;
        SimDuration::from_secs_f64(flow.remaining / flow.rate / 1e9).map(|span| self.now + span)
    }

    pub(super) fn next_finish(&self) -> Option<SimTime> {
        (0..self.flows.len()).filter_map(|flow| self.finish(flow)).min()
    }

    fn advance_to(&mut self, now: SimTime) {
        let span = now.since(self.now).ns() as f64;
        for flow in self.flows.iter_mut().flatten() {
            let moved = (flow.rate * span).min(flow.remaining);
            flow.remaining -= moved;
            flow.ports.iter().for_each(|&port| self.carried[port] += moved);
        }
        self.now = now;
    }

    fn fill(&mut self) {
        let mut unsettled: Vec<usize> = (0..self.flows.len()).filter(|&i| self.flows[i].is_some()).collect();
        let mut left = self.capacities.clone();
        while !unsettled.is_empty() {
            let crossing = |flows: &[Option<Flow>], port: usize| {
                unsettled.iter().copied().filter(|&i| flows[i].as_ref().is_some_and(|flow| flow.ports.contains(&port))).collect::<Vec<_>>()
            };
            let ports = (0..left.len()).map(|port| (port, crossing(&self.flows, port))).filter(|(_, crossing)| !crossing.is_empty());
            let offers = ports.map(|(port, crossing)| (left[port] / crossing.len() as f64, crossing));
            let limits = unsettled.iter().map(|&i| (self.flows[i].as_ref().unwrap().limit, vec![i]));
            let (rate, settled) = offers.chain(limits).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
            for &i in &settled {
                let flow = self.flows[i].as_mut().unwrap();
                flow.rate = rate;
                flow.ports.iter().for_each(|&port| left[port] -= rate);
            }
            unsettled.retain(|i| !settled.contains(i));
        }
    }
}
