//! The core's metrics, one struct per component. Names begin with `turnpike_sequencer_`.

mod admission;
mod pool;

pub(crate) use self::{
    admission::{AdmissionMetrics, describe_refusals, refused},
    pool::PoolMetrics,
};
