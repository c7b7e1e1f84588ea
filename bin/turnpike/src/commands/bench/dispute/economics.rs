//! What the next version of disputes costs and how long it takes: the model's tables at the sizes of production.

use std::fmt;

use serde::Serialize;
use turnpike_dispute_model::economics::{
    ComputeRow, CostRow, DAY, DelayRow, GasTable, HOUR, PriceBounds, Sizes, compute_rows,
    cost_rows, delay_rows,
};

use crate::common::Format;

/// Rivals of each row.
const RIVALS: [u64; 6] = [1, 10, 100, 127, 1_000, 10_000];

/// Cores of the honest party's machine.
const CORES: u64 = 2;

/// L1's price of gas in gwei.
const GWEI: f64 = 100.0;

/// The tables.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct EconomicsReport {
    delays: Vec<DelayRow>,
    cores: u64,
    compute: Vec<ComputeRow>,
    gwei: f64,
    costs: Vec<CostRow>,
    price_bounds: PriceBounds,
}

/// Prints the tables.
pub(super) fn print(format: Format) -> anyhow::Result<()> {
    let (sizes, gas) = (Sizes::PRODUCTION, GasTable::MEASURED);
    let report = EconomicsReport {
        delays: delay_rows(&sizes, &RIVALS),
        cores: CORES,
        compute: compute_rows(&sizes, CORES),
        gwei: GWEI,
        costs: cost_rows(&sizes, &gas, GWEI, &RIVALS),
        price_bounds: PriceBounds::of(&sizes, &gas),
    };
    match format {
        Format::Text => println!("{report}"),
        Format::Json => println!("{}", serde_json::to_string(&report)?),
    }
    Ok(())
}

impl fmt::Display for EconomicsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "delay beyond the window against rivals of the true output, in days")?;
        writeln!(
            f,
            "{:>8} {:>7} {:>7} {:>16} {:>5}",
            "rivals", "rounds", "bound", "simulated worst", "met"
        )?;
        for DelayRow { rivals, rounds, bound_s, worst_s, met } in &self.delays {
            let [bound, worst] = [bound_s, worst_s].map(|seconds| *seconds as f64 / DAY as f64);
            writeln!(f, "{rivals:>8} {rounds:>7} {bound:>7.2} {worst:>16.2} {met:>5}")?;
        }
        writeln!(
            f,
            "\nmachine time of the honest party on {} cores, in hours; every accused block takes 2^37 steps",
            self.cores
        )?;
        writeln!(
            f,
            "{:<40} {:>6} {:>14} {:>14}",
            "attack", "runs", "first answers", "later answers"
        )?;
        for ComputeRow { attack, traces, first_answers_s, later_answers_s } in &self.compute {
            let [first, later] =
                [first_answers_s, later_answers_s].map(|seconds| *seconds as f64 / HOUR as f64);
            writeln!(f, "{attack:<40} {traces:>6} {first:>14.1} {later:>14.1}")?;
        }
        writeln!(
            f,
            "\nether of one honest account at {} gwei, with two games against each stake it meets",
            self.gwei
        )?;
        writeln!(
            f,
            "{:>8} {:>5} {:>9} {:>8} {:>17} {:>17}",
            "rivals", "met", "Mgas", "paid", "burned, at least", "credited, at most"
        )?;
        for CostRow { rivals, met, gas, ether, burned, credited_max } in &self.costs {
            let mgas = *gas as f64 / 1e6;
            writeln!(
                f,
                "{rivals:>8} {met:>5} {mgas:>9.1} {ether:>8.1} {burned:>17.0} {credited_max:>17.0}"
            )?;
        }
        let PriceBounds { bond, stake, dearest_step } = self.price_bounds;
        write!(
            f,
            "\na quarter of a bond pays for a rival up to {bond:.0} gwei, half of a stake for two games up to {stake:.0} gwei, \
             {dearest_step:.0} gwei with the dearest step"
        )
    }
}
