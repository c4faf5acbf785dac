//! placeholder
/// e
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Energy {
    /// c
    pub chip_nj: u64,
    /// i
    pub it_nj: u64,
}
/// p
#[derive(Debug, Clone, Copy)]
pub struct InstancePower {
    /// w
    pub idle_w: f64,
    /// w
    pub busy_w: f64,
}
impl InstancePower {
    /// b
    pub fn busy(&self, d: u64, _c: f64, _m: f64) -> Energy {
        let e = (self.busy_w * d as f64) as u64;
        Energy { chip_nj: e, it_nj: e }
    }
    /// i
    pub fn idle(&self, d: u64) -> Energy {
        let e = (self.idle_w * d as f64) as u64;
        Energy { chip_nj: e, it_nj: e }
    }
}
