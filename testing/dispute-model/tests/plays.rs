//! Random plays: an honest account against attackers that lie, stall, come late, lose on purpose and
//! end what is due in any order. The true child always wins, in time, and wrong rules are found.

use std::{panic, rc::Rc};

use alloy_primitives::B256;
use turnpike_dispute_model::{
    Contracts, Fault, Parameters,
    contracts::{Move, OutputIndex, Proposal, Status},
};
use turnpike_protocol::{History, HistoryPath, MatchProgress};
use turnpike_random::Rng;

/// Depth 5: five reveals of one level each, or three of two.
const POSITIONS: u64 = 20;
const HONEST: u32 = 100;
const ANYONE: u32 = 101;

/// Times in ticks, so that everything happens within a few hundred of them.
fn parameters(group_size: u64, reveal_width: u32) -> Parameters {
    Parameters {
        window_s: 120,
        clock_s: 60,
        increment_s: 3,
        interval_s: 1,
        escape_s: 1 << 40,
        group_size,
        bond: 2_000,
        stake: 4_000,
        entries_max: 1,
        blocks_max: POSITIONS,
        reveal_width,
        game_moves: 3,
    }
}

struct Play {
    contracts: Contracts,
    random: Rng,
    truth: Rc<History>,
    /// The true child.
    honest: Option<OutputIndex>,
    attackers: u32,
    /// Chance in percent that an attacker does nothing.
    idle: u64,
    /// When L1 takes no transaction of the honest account.
    censored: (u64, u64),
}

impl Play {
    fn new(seed: u64, fault: Option<Fault>) -> Self {
        let mut random = Rng::new(seed);
        let mut contracts = Contracts::new(parameters(random.pick(&[2, 4]), random.pick(&[1, 2])));
        (contracts.inbox, contracts.now, contracts.fault) = (vec![0, 1], 2, fault);
        let truth = Rc::new(History::new(&(0..POSITIONS).map(truth).collect::<Vec<_>>()));
        contracts.tell_right(0, Rc::clone(&truth));
        let attackers = u32::try_from(random.between(1, 8)).expect("few");
        let censored_from = random.between(0, 300);
        let censored = (censored_from, random.pick(&[0, 27]));
        let idle = random.between(0, 100).pow(2) / 100;
        Self { contracts, truth, honest: None, attackers, idle, censored, random }
    }

    fn attacker(&mut self) -> u32 {
        u32::try_from(self.random.between(1, u64::from(self.attackers) + 1)).expect("few")
    }

    fn is_idle(&mut self) -> bool {
        self.random.percent(self.idle)
    }

    fn children(&self) -> std::ops::Range<OutputIndex> {
        1..self.contracts.outputs.len()
    }

    fn propose(&mut self, by: u32, history: Rc<History>) -> Option<OutputIndex> {
        self.contracts.propose(by, &Proposal { parent: 0, entry: 1, history }).ok()
    }

    /// True up to a random leaf, and anything from there on.
    fn lie(&mut self) -> Rc<History> {
        let first = self.random.between(0, POSITIONS);
        let leaf = |at: u64| match at {
            at if at < first => truth(at),
            _ => B256::with_last_byte(self.random.byte(255)),
        };
        Rc::new(History::new(&(0..POSITIONS).map(leaf).collect::<Vec<_>>()))
    }

    fn path(&self, x: OutputIndex, y: OutputIndex, depth: u32) -> Option<HistoryPath> {
        let of = |at: OutputIndex| self.contracts.outputs[at].history.as_deref();
        HistoryPath::between(of(x)?, of(y)?, depth)
    }

    /// The leaf's path, if every reveal down to it is there.
    fn leaf(&self, x: OutputIndex, y: OutputIndex) -> Option<HistoryPath> {
        self.contracts.check_rivals(x, y).ok()?;
        match self.contracts.progress(x, y)? {
            MatchProgress::Revealed { .. } => self.path(x, y, self.truth.depth()),
            _ => None,
        }
    }

    /// Reveals what a side lacks in a match.
    fn reveal(&mut self, by: u32, x: OutputIndex, y: OutputIndex, side: OutputIndex) {
        let waiting = self.contracts.check_rivals(x, y).ok();
        let waiting = waiting.and_then(|()| self.contracts.progress(x, y));
        let Some(MatchProgress::Waiting { reveal, .. }) = waiting else { return };
        let depth = self.truth.depth();
        let at = self.contracts.parameters.reveal_depths(depth).nth(reveal).expect("a reveal");
        let width = self.contracts.parameters.width_at(at, depth);
        let index = self.path(x, y, at).expect("rivals differ").index;
        let history = self.contracts.outputs[side].history.clone().expect("a child");
        let _ = self.contracts.reveal(by, &history.children(at, index, width));
    }

    fn attack(&mut self) {
        for _ in self.children() {
            let pair = self.random.pair_below(self.contracts.outputs.len());
            let (x, y) = (pair.0.min(pair.1), pair.0.max(pair.1));
            if self.is_idle() || x == 0 || x == y {
                continue;
            }
            let by = self.attacker();
            for side in [x, y] {
                if Some(side) != self.honest && self.random.percent(70) {
                    self.reveal(by, x, y, side);
                }
            }
            // Also before everything is revealed.
            if let Some(path) = self.path(x, y, self.truth.depth())
                && self.random.percent(60)
            {
                let _ = self.contracts.accuse(by, x, y, &path);
            }
        }
        for accusation in 0..self.contracts.accusations.len() {
            if !self.is_idle() && self.random.percent(20) {
                let by = self.attacker();
                let _ = self.contracts.answer(by, accusation);
            }
        }
        for game in 0..self.contracts.games.len() {
            let (turn, _) = self.contracts.turn(game);
            if turn == HONEST || self.is_idle() || self.random.percent(70) {
                continue;
            }
            let made = self.random.pick(&[Move::Best, Move::Thrown]);
            if self.contracts.move_(turn, game, made).is_err() {
                let _ = self.contracts.prove(turn, game);
            }
        }
    }

    /// What an honest account does at its next turn.
    fn defend(&mut self) {
        let first = self.contracts.ranges.get(&(0, 0)).map(|range| range.first_at);
        if self.honest.is_none() && first.is_some_and(|first| self.contracts.now > first) {
            self.honest = self.propose(HONEST, Rc::clone(&self.truth));
        }
        let Some(own) = self.honest else { return };
        for rival in self.children() {
            let (x, y) = (own.min(rival), own.max(rival));
            self.reveal(HONEST, x, y, own);
            if y == own
                && let Some(path) = self.leaf(x, y)
            {
                let _ = self.contracts.accuse(HONEST, x, y, &path);
            }
        }
        for accusation in 0..self.contracts.accusations.len() {
            if self.contracts.accusations[accusation].rivals.0 == own {
                let _ = self.contracts.answer(HONEST, accusation);
            }
        }
        for game in 0..self.contracts.games.len() {
            if self.contracts.turn(game).0 == HONEST
                && self.contracts.move_(HONEST, game, Move::Best).is_err()
            {
                let _ = self.contracts.prove(HONEST, game);
            }
        }
    }

    /// Ends what is due. Some of it only sometimes, since nobody has to.
    fn end(&mut self) {
        let depth = self.truth.depth();
        for game in 0..self.contracts.games.len() {
            let _ = self.contracts.time_out_game(ANYONE, game);
            if self.random.percent(30) {
                let _ = self.contracts.close(game);
            }
        }
        for accusation in 0..self.contracts.accusations.len() {
            if self.random.percent(30) {
                let _ = self.contracts.strike(ANYONE, accusation);
            }
        }
        for y in self.children().rev() {
            for x in 1..y {
                let reveals = self.contracts.parameters.reveal_depths(depth);
                for at in reveals.chain([depth]).collect::<Vec<_>>() {
                    if let Some(path) = self.path(x, y, at) {
                        let _ = self.contracts.time_out(ANYONE, x, y, &path);
                    }
                }
                let _ = self.contracts.settle_for_x(ANYONE, x, y);
            }
        }
        for accusation in 0..self.contracts.accusations.len() {
            let _ = self.contracts.settle_for_accusation(accusation);
        }
        for index in self.children() {
            let _ = self.contracts.promote(index);
        }
    }

    fn winner(&self) -> Option<OutputIndex> {
        let range = self.contracts.ranges.get(&(0, 0))?;
        (self.contracts.now >= range.first_at + self.contracts.parameters.window_s)
            .then(|| self.contracts.winner((0, 0)))
            .flatten()
    }

    /// Plays to the end.
    fn run(mut self) {
        let count = self.random.between(1, 14);
        let window = self.contracts.parameters.window_s;
        let clock = self.contracts.parameters.clock_s;
        let when = |random: &mut Rng| match random.between(0, 4) {
            0 => 0,
            1 => random.between(0, window),
            2 => window - clock,
            _ => window - 1,
        };
        let mut rivals: Vec<u64> = (0..count).map(|_| when(&mut self.random)).collect();
        rivals.sort_unstable();
        let start = self.contracts.now;
        if self.random.percent(30) {
            // An attacker posts the true claim, and goes silent.
            let truth = Rc::clone(&self.truth);
            let by = self.attacker();
            self.honest = self.propose(by, truth);
        }
        rivals[0] = 0;
        let winner = loop {
            let elapsed = self.contracts.now - start;
            assert!(elapsed < 4_000, "no end");
            while rivals.first().is_some_and(|at| *at <= elapsed) {
                rivals.remove(0);
                let (by, lie) = (self.attacker(), self.lie());
                self.propose(by, lie);
            }
            self.attack();
            let (from, length) = self.censored;
            if !(from..from + length).contains(&elapsed) {
                self.defend();
            }
            self.end();
            let stands = |index| self.contracts.status(index) == Status::Standing;
            assert!(self.honest.is_none_or(stands), "the true child is rejected");
            self.contracts.rollup.assert_conserved();
            self.contracts.dispute.assert_conserved();
            if let Some(winner) = self.winner() {
                break winner;
            }
            self.contracts.now += 1;
        };
        assert_eq!(Some(winner), self.honest, "a false child wins");
        self.check_delay();
        self.contracts.finalize(winner).expect("it won");
    }

    /// Ends within the rounds' bound beyond the window, and what L1 censored.
    fn check_delay(&self) {
        let Parameters { window_s, clock_s, increment_s, group_size, .. } =
            self.contracts.parameters;
        let reveals = self.contracts.parameters.reveal_depths(self.truth.depth()).count() as u64;
        let range = self.contracts.ranges[&(0, 0)];
        let rounds = (1..).find(|round| group_size.pow(*round) >= range.count).expect("one");
        let rounds = u64::from(rounds);
        // The rival's reveals, an accusation, the moves of a game, and its end.
        let round = (reveals + 2 + 3) * (increment_s + 2);
        let bound = rounds * round + 2 * clock_s * (rounds - 1) + self.censored.1;
        let late = (self.contracts.now - range.first_at).saturating_sub(window_s);
        assert!(late <= bound, "{late} ticks late with {rounds} rounds");
    }
}

fn truth(at: u64) -> B256 {
    B256::left_padding_from(&(1 << 32 | at).to_be_bytes())
}

/// Plays, several times as many with `TURNPIKE_LONG=1`.
fn plays() -> u64 {
    if std::env::var_os("TURNPIKE_LONG").is_some() { 20_000 } else { 400 }
}

#[test]
fn true_child_wins_in_time() {
    for seed in 0..plays() {
        let played = panic::catch_unwind(|| Play::new(seed, None).run());
        assert!(played.is_ok(), "seed {seed}");
    }
}

/// The first seed that finds a wrong rule.
fn found(fault: Fault) -> Option<u64> {
    (0..2_000).find(|seed| panic::catch_unwind(|| Play::new(*seed, Some(fault)).run()).is_err())
}

#[test]
fn plays_find_wrong_rules() {
    let faults = [
        Fault::SettleIgnoresOpenGames,
        Fault::AnswerTimeIgnoresClock,
        Fault::SettleIgnoresAccusations,
        Fault::PromoteIncompleteGroup,
        Fault::AlwaysFailsY,
        Fault::IncrementAlone,
        Fault::OneAccuserPerMatch,
        Fault::OneDefenderPerAccusation,
        Fault::FallenWinner,
        Fault::AccuseBeforeReveals,
        Fault::FullClockForLateSeats,
        Fault::StandingUntilStruck,
        Fault::PromoteFallen,
        Fault::GamesEndWithCommitments,
    ];
    let seeds = faults.map(|fault| (fault, found(fault)));
    println!("{seeds:?}");
    let missed: Vec<_> = seeds.iter().filter(|(_, seed)| seed.is_none()).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
