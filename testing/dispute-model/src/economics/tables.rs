//! The tables: delays, machine time, gas and ether.

use turnpike_random::Rng;

use super::{Entrant, GasTable, Player, Simulation, Sizes};

/// Gwei of an ether.
const GWEI_PER_ETHER: f64 = 1e9;

/// Delay beyond the window against so many rivals, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DelayRow {
    /// Rivals.
    pub rivals: u64,
    /// Rounds of the tournament.
    pub rounds: u64,
    /// The bound.
    pub bound_s: u64,
    /// The worst of the simulated strategies.
    pub worst_s: u64,
    /// Rivals that the honest child meets.
    pub met: u64,
}

/// Machine time of the honest side, in seconds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComputeRow {
    /// What is attacked.
    pub attack: String,
    /// Runs of the program.
    pub traces: u64,
    /// Until the last first answer.
    pub first_answers_s: u64,
    /// For all later answers.
    pub later_answers_s: u64,
}

/// What an honest account pays and may get, against so many rivals with a stake each.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CostRow {
    /// Rivals.
    pub rivals: u64,
    /// Rivals that the honest child meets.
    pub met: u64,
    /// Gas of the honest account.
    pub gas: u64,
    /// Ether for it, at the price asked for.
    pub ether: f64,
    /// Ether of bonds and stakes that are burned at least.
    pub burned: f64,
    /// Ether credited, at most: half of each bond and stake that was met.
    pub credited_max: f64,
}

/// The delay table for these numbers of rivals, each in groups of the size of production.
pub fn delay_rows(sizes: &Sizes, rivals: &[u64]) -> Vec<DelayRow> {
    let (window, clock) = (sizes.parameters.window_s, sizes.parameters.clock_s);
    let stages = sizes.reveals + 1 + sizes.moves / 2;
    let players: Vec<_> =
        (0..stages).map(Player::Stall).chain([Player::Silent, Player::Grace]).collect();
    let strategies = [window - clock, window - 1]
        .into_iter()
        .flat_map(|joined| players.iter().map(move |player| (player, joined)));
    let row = |rivals: &u64| {
        let mut row = DelayRow {
            rivals: *rivals,
            rounds: sizes.rounds(*rivals),
            bound_s: sizes.delay_max_s(*rivals),
            worst_s: 0,
            met: 0,
        };
        for (player, joined) in strategies.clone() {
            let honest = Entrant { joined: 0, player: Player::Honest { censored: Vec::new() } };
            let rival = Entrant { joined, player: player.clone() };
            let count = usize::try_from(*rivals).expect("few");
            let entrants: Vec<_> =
                std::iter::once(honest).chain(std::iter::repeat_n(rival, count)).collect();
            let slow_groups = *rivals >= sizes.parameters.group_size;
            let random = Rng::new(*rivals);
            let mut simulation = Simulation { sizes, random, slow_groups };
            let ended = simulation.tournament(&entrants, 0);
            assert!(ended.honest_won, "the true child lost");
            row.worst_s = row.worst_s.max(ended.at.saturating_sub(window));
            row.met = row.met.max(ended.met);
        }
        row
    };
    rivals.iter().map(row).collect()
}

/// Machine time on so many cores, if every accused block takes as many steps as `sizes` says.
pub fn compute_rows(sizes: &Sizes, cores: u64) -> Vec<ComputeRow> {
    let group = sizes.parameters.group_size - 1;
    let (second, third) = (sizes.met(1_000), sizes.met(10_000));
    let rows = [
        ("1 rival".to_owned(), 1, 1),
        ("10 rivals at other blocks".to_owned(), 10, 10),
        ("100 rivals at other blocks".to_owned(), 100, 100),
        (format!("1,000 rivals, of which {second} are met"), second, second),
        (format!("10,000 rivals, of which {third} are met"), third, third),
        ("10,000 accusers in one match".to_owned(), 1, 10_000),
        (format!("14 heights with {group} rivals each"), 14 * group, 14 * group),
    ];
    let row = |(attack, traces, games): (String, u64, u64)| {
        // A later answer goes back to a snapshot at a quarter of the run, unless the runs are few and
        // keep everything.
        let second_cut = (1 << 31) / sizes.steps_per_s;
        let later = if games > 2 * traces {
            games * 3 / 10
        } else {
            games * (sizes.trace_s() / 4 + second_cut) + games * 3 / 10
        };
        ComputeRow {
            attack,
            traces,
            first_answers_s: traces.div_ceil(cores) * sizes.trace_s(),
            later_answers_s: later / cores,
        }
    };
    rows.into_iter().map(row).collect()
}

/// What an honest account pays against so many rivals, each at another block and with a stake of its
/// own, at a price in gwei.
pub fn cost_rows(sizes: &Sizes, gas: &GasTable, gwei: f64, rivals: &[u64]) -> Vec<CostRow> {
    let (bond, stake) = (ether(sizes.parameters.bond), ether(sizes.parameters.stake));
    let row = |rivals: &u64| {
        let met = sizes.met(*rivals);
        let once = gas.propose + gas.reveal + gas.promote * sizes.rounds(*rivals);
        let total = once + met * (gas.rival(sizes) + gas.stake(sizes));
        CostRow {
            rivals: *rivals,
            met,
            gas: total,
            ether: total as f64 * gwei / GWEI_PER_ETHER,
            burned: (*rivals as f64 * bond + met as f64 * stake) / 2.0,
            credited_max: met as f64 * (bond + stake) / 2.0,
        }
    };
    rivals.iter().map(row).collect()
}

/// L1's prices up to which what is lost pays for what it takes to win it, in gwei.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceBounds {
    /// A quarter of a bond pays for a rival without games.
    pub bond: f64,
    /// Half of a stake pays for two games with it.
    pub stake: f64,
    /// Half of a stake pays for them if one comes down to the dearest step.
    pub dearest_step: f64,
}

impl PriceBounds {
    /// The bounds at these sizes.
    pub fn of(sizes: &Sizes, gas: &GasTable) -> Self {
        let gwei = |amount: f64, gas: u64| amount * GWEI_PER_ETHER / gas as f64;
        let (bond, stake) = (ether(sizes.parameters.bond), ether(sizes.parameters.stake));
        Self {
            bond: gwei(bond / 4.0, gas.rival(sizes)),
            stake: gwei(stake / 2.0, gas.stake(sizes)),
            dearest_step: gwei(stake / 2.0, gas.stake(sizes) + gas.dearest_load),
        }
    }
}

/// Ether, from the thousandths in which parameters are.
fn ether(amount: u64) -> f64 {
    amount as f64 / 1e3
}
