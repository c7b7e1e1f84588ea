//! What the parts tell about themselves, a struct for each. Names begin with `turnpike_sequencer_`.

mod admission;
mod api;
mod pool;

pub(crate) use self::{
    admission::{AdmissionMetrics, refused},
    api::ApiMetrics,
    pool::PoolMetrics,
};
