//! Simulated tournaments: the true child wins, in time, and the tables hold what they promise.

use turnpike_dispute_model::{
    Parameters,
    economics::{
        Entrant, GasTable, HOUR, Player, PriceBounds, Simulation, Sizes, compute_rows, cost_rows,
        delay_rows,
    },
};
use turnpike_random::Rng;

const SIZES: Sizes = Sizes::PRODUCTION;

/// Tournaments, several times as many with `TURNPIKE_LONG=1`.
fn tournaments() -> u64 {
    if std::env::var_os("TURNPIKE_LONG").is_some() { 20_000 } else { 1_000 }
}

fn rival(kind: u64, random: &mut Rng) -> Player {
    let stage = random.between(0, SIZES.reveals + 1 + SIZES.moves / 2);
    match kind {
        0 => Player::Silent,
        1 => Player::Prompt,
        2 => Player::Grace,
        3 => Player::Last(stage),
        4 => Player::Stall(stage),
        _ => Player::Random,
    }
}

/// Stretches in which L1 takes nothing from the honest account, less than a clock in all.
fn censorship(random: &mut Rng) -> Vec<(u64, u64)> {
    let (window, clock) = (SIZES.parameters.window_s, SIZES.parameters.clock_s);
    let parts = random.between(1, 5);
    let length = random.between(0, clock - 5 * HOUR) / parts;
    let mut at = random.between(0, window + 2 * clock);
    (0..parts)
        .map(|_| {
            let stretch = (at, at + length);
            at = stretch.1 + random.between(0, 24 * HOUR);
            stretch
        })
        .collect()
}

#[test]
fn true_child_wins_within_the_bound() {
    let (window, clock) = (SIZES.parameters.window_s, SIZES.parameters.clock_s);
    let mut random = Rng::new(7);
    let mut played = 0;
    for _ in 0..tournaments() {
        let censored = censorship(&mut random);
        let lost: u64 = censored.iter().map(|(from, until)| until - from).sum();
        let honest = Player::Honest { censored: censored.clone() };
        // Posted by somebody else, or as soon as it can be.
        let act = |at: u64, (from, until): &(u64, u64)| {
            if (*from..*until).contains(&at) { *until } else { at }
        };
        let posted = random.pick(&[0, censored.iter().fold(300, act)]);
        if posted > window - clock {
            continue;
        }
        played += 1;
        let count = random.between(1, 40);
        let mixed = random.percent(30);
        let kind = random.between(0, 6);
        let mut entrants: Vec<(Entrant, bool)> = (0..count)
            .map(|_| {
                let within = random.between(0, window);
                let joined = random.pick(&[0, within, window - clock, window - 1]);
                let kind = if mixed { random.between(0, 6) } else { kind };
                (Entrant { joined, player: rival(kind, &mut random) }, false)
            })
            .collect();
        entrants.push((Entrant { joined: posted, player: honest }, true));
        entrants.sort_by_key(|(entrant, _)| entrant.joined);
        let at = entrants.iter().position(|(_, is_honest)| *is_honest).expect("it joined");
        let group_size = random.pick(&[2, 4, 8]);
        let sizes = Sizes { parameters: Parameters { group_size, ..SIZES.parameters }, ..SIZES };
        let entrants: Vec<_> = entrants.into_iter().map(|(entrant, _)| entrant).collect();
        let seed = Rng::new(random.next_u64());
        let mut simulation = Simulation { sizes: &sizes, random: seed, slow_groups: false };
        let ended = simulation.tournament(&entrants, at);
        assert!(ended.honest_won, "groups of {group_size}, {count} rivals: the true child lost");
        let late = ended.at.saturating_sub(window);
        assert!(late <= sizes.delay_max_s(count) + lost, "{late} s late, {lost} s censored");
    }
    assert!(played > tournaments() / 4, "{played} were played");
}

#[test]
fn delays_stay_below_the_bound() {
    let rows = delay_rows(&SIZES, &[1, 10, 100, 127, 1_000]);
    for row in &rows {
        assert!(row.worst_s <= row.bound_s, "{row:?}");
        assert!(row.worst_s * 2 > row.bound_s, "the bound is not far off: {row:?}");
    }
    let hours: Vec<_> = rows.iter().map(|row| (row.rounds, row.bound_s / HOUR)).collect();
    assert_eq!(hours, [(1, 7), (1, 7), (1, 7), (1, 7), (2, 182)]);
    assert_eq!(rows.iter().map(|row| row.met).collect::<Vec<_>>(), [1, 10, 100, 127, 134]);
}

#[test]
fn first_answers_come_within_half_of_the_clock() {
    let rows = compute_rows(&SIZES, 2);
    for row in rows.iter().filter(|row| row.traces <= 127) {
        assert!(row.first_answers_s * 2 < SIZES.parameters.clock_s, "{row:?}");
    }
    // 14 heights at once take a machine with more cores.
    let most = rows.last().expect("rows");
    assert!(most.first_answers_s > SIZES.parameters.clock_s, "{most:?}");
    let four = compute_rows(&SIZES, 4);
    assert!(four.last().expect("rows").first_answers_s < SIZES.parameters.clock_s);
}

#[test]
fn more_is_burned_than_the_honest_account_pays() {
    for row in cost_rows(&SIZES, &GasTable::MEASURED, 100.0, &[1, 10, 100, 1_000, 10_000]) {
        assert!(row.ether < row.burned, "{row:?}");
        assert!(row.credited_max <= row.burned, "{row:?}");
    }
    let bounds = PriceBounds::of(&SIZES, &GasTable::MEASURED);
    assert!(
        bounds.dearest_step > 100.0 && bounds.bond > 100.0 && bounds.stake > 100.0,
        "{bounds:?}"
    );
}
