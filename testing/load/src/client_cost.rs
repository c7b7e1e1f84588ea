//! Measures the load generator itself, against a sink that accepts everything.

use std::time::Duration;

use serde::Serialize;

use crate::{
    drive::{DrivePlan, Wire, drive},
    measure::{each_us, steady_rate},
    plan::schedules,
    sign::SignedTransactions,
    sink,
};

/// Requests to the sink.
const REQUESTS: usize = 4_000;

/// Transactions to the sink, at most.
const TRANSACTIONS_MAX: usize = 100_000;

/// Time limit of the measurement.
const DURATION: Duration = Duration::from_secs(5);

/// Cost of the client, measured against a sink. The client shares the machine with the node.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClientCost {
    /// Processor time of the sending threads per transaction.
    pub(crate) cpu_us: f64,
    /// Transactions per second to a sink on the same machine.
    pub(crate) per_second: f64,
    /// Transactions sent.
    pub(crate) transactions: u64,
}

/// Sends transactions like these to a sink, in the same way as to the node.
pub(crate) async fn measure_client(
    wire: Wire,
    connections: usize,
    batch: usize,
    threads: usize,
    like: &SignedTransactions,
) -> anyhow::Result<ClientCost> {
    measure_within(DURATION, wire, connections, batch, threads, like).await
}

async fn measure_within(
    stop_after: Duration,
    wire: Wire,
    connections: usize,
    batch: usize,
    threads: usize,
    like: &SignedTransactions,
) -> anyhow::Result<ClientCost> {
    let mut signed = SignedTransactions::default();
    for index in 0..(REQUESTS * batch).min(TRANSACTIONS_MAX) {
        let of = index % like.len();
        signed.push(u32::try_from(index)?, like.raw(of), like.hashes()[of]);
    }
    let schedules = schedules(signed.senders(), None, connections);
    let endpoint = sink::start(wire)?;
    let work = DrivePlan { endpoint, wire, signed, schedules, batch, threads, stop_after };
    let (_, driven) = drive(work).await?;
    let transactions = driven.accepted.len() as u64;
    let times = driven.accepted.iter().map(|record| record.acknowledged).collect();
    let cpu_us = each_us(driven.cpu, transactions);
    Ok(ClientCost { cpu_us, per_second: steady_rate(times), transactions })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Format;

    #[tokio::test]
    async fn sink_accepts_everything_over_every_wire() {
        let mut like = SignedTransactions::default();
        like.push(0, &[2, 3, 4], alloy_primitives::B256::ZERO);
        for wire in [
            Wire::Http(Format::JsonRpc),
            Wire::Http(Format::Bulk),
            Wire::WebSocket { in_flight: 4 },
        ] {
            let cost = measure_client(wire, 2, 2, 2, &like).await.unwrap();
            assert_eq!(cost.transactions, 8_000, "{wire:?}");
            assert!(cost.cpu_us > 0.0 && cost.per_second > 0.0, "{wire:?}: {cost:?}");
        }
    }

    #[tokio::test]
    async fn sink_answers_while_it_receives() {
        // More in flight than both sides' buffers hold.
        let mut like = SignedTransactions::default();
        like.push(0, &[7; 2_000], alloy_primitives::B256::ZERO);
        let wire = Wire::WebSocket { in_flight: 100_000 };
        // The limit ends the test if neither side goes on.
        let cost = measure_within(Duration::from_mins(1), wire, 1, 25, 1, &like).await.unwrap();
        assert_eq!(cost.transactions, 100_000);
    }
}
