//! Simulated tournaments: when matches end, and who wins.

use turnpike_random::Rng;

use super::Sizes;

/// How a side of a match behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Player {
    /// Moves five minutes after its turn, as soon as L1 does not censor it: from, until.
    Honest {
        /// Stretches of censorship, in order.
        censored: Vec<(u64, u64)>,
    },
    /// Says nothing.
    Silent,
    /// Moves at once.
    Prompt,
    /// Uses an increment for each move.
    Grace,
    /// Uses up its clock at one stage.
    Last(u64),
    /// Says nothing from one stage on.
    Stall(u64),
    /// Moves at a random time, rarely not at all.
    Random,
}

/// A child of the contested parent: when it joins, and who speaks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrant {
    /// Seconds after the parent's first child.
    pub joined: u64,
    /// Who speaks for it.
    pub player: Player,
}

/// What a tournament came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// When it was decided, in seconds after the parent's first child.
    pub at: u64,
    /// Whether the honest child won.
    pub honest_won: bool,
    /// Rivals that the honest child met.
    pub met: u64,
}

/// How long an honest side takes for its moves when nothing hinders it.
const HONEST_DELAY_S: u64 = 300;

impl Player {
    /// When a side makes a move that is due at `from` and may be made until `limit`.
    fn acts(
        &self,
        from: u64,
        limit: u64,
        stage: u64,
        sizes: &Sizes,
        random: &mut Rng,
    ) -> Option<u64> {
        match self {
            Self::Honest { censored } => {
                let act = |at: u64, (first, last): &(u64, u64)| {
                    if (*first..*last).contains(&at) { *last } else { at }
                };
                Some(censored.iter().fold(from + HONEST_DELAY_S, act))
            }
            Self::Silent => None,
            Self::Prompt => Some(from),
            Self::Grace => Some(limit.min(from + sizes.parameters.increment_s)),
            Self::Last(at) => Some(if stage == *at { limit } else { from }),
            Self::Stall(at) => (stage < *at).then_some(from),
            Self::Random if random.percent(10) => None,
            Self::Random => {
                let part = random.unit().powi(3) * (limit - from) as f64;
                Some(from + part as u64)
            }
        }
    }
}

/// A simulation of tournaments with these sizes.
#[derive(Debug)]
pub struct Simulation<'a> {
    /// Sizes.
    pub sizes: &'a Sizes,
    /// Seeded.
    pub random: Rng,
    /// Whether groups without the honest child take as long as they can, instead of being played.
    pub slow_groups: bool,
}

/// A side of a match: its player, and its clock.
type Side<'a> = (&'a Player, u64);

impl Simulation<'_> {
    /// Plays a match that begins at `from`. `honest` is the side, 0 or 1, of the honest child.
    /// Returns the side that loses, and when.
    fn play(&mut self, sides: [Side<'_>; 2], from: u64, honest: Option<usize>) -> (usize, u64) {
        let sizes = self.sizes;
        let increment = sizes.parameters.increment_s;
        let (mut left, mut at) = (sides.map(|(_, left)| left), from);
        for stage in 0..sizes.reveals {
            let limits = left.map(|left| at + left.max(increment));
            let mut ends = [at; 2];
            let mut failed: Option<(u64, usize)> = None;
            // Of equal limits, y's counts.
            for side in [1, 0] {
                let limit = limits[side];
                let made = sides[side].0.acts(at, limit, stage, sizes, &mut self.random);
                match made.filter(|end| *end <= limit) {
                    Some(end) => ends[side] = end,
                    None if failed.is_none_or(|(first, _)| limit < first) => {
                        failed = Some((limit, side));
                    }
                    None => {}
                }
            }
            if let Some((limit, side)) = failed {
                return (side, limit);
            }
            for side in [0, 1] {
                left[side] = left[side].saturating_sub(ends[side] - at);
            }
            at = ends[0].max(ends[1]);
        }
        // y accuses, x answers, and so on. The last move proves a step.
        for number in 0..=sizes.moves {
            let side = usize::from(number % 2 == 0);
            let limit = at + left[side].max(increment);
            // The accuser proves, if it is right; a liar has nothing left to say.
            let proves = number == sizes.moves;
            let is_lost = number + 1 >= sizes.moves
                && match honest {
                    Some(honest) => side != honest,
                    None => self.random.percent(50),
                };
            if is_lost {
                return (side, limit);
            }
            let stage = sizes.reveals + number.div_ceil(2);
            let made = sides[side].0.acts(at, limit, stage, sizes, &mut self.random);
            let Some(end) = made.filter(|end| *end <= limit) else { return (side, limit) };
            if proves {
                return (1 - side, end);
            }
            left[side] = left[side].saturating_sub(end - at).max(increment);
            at = end;
        }
        unreachable!("invariant: the last move decides")
    }

    /// Plays a tournament. Entrants are in the order in which they join.
    pub fn tournament(&mut self, entrants: &[Entrant], honest: usize) -> Ended {
        let parameters = &self.sizes.parameters;
        let (window, clock) = (parameters.window_s, parameters.clock_s);
        let group_size = usize::try_from(parameters.group_size).expect("invariant: at most 128");
        let mut since: Vec<u64> = entrants.iter().map(|it| it.joined).collect();
        let mut left: Vec<u64> = since.iter().map(|at| clock.min(window - at)).collect();
        let mut members: Vec<usize> = (0..entrants.len()).collect();
        let (mut met, mut over) = (0, window);
        loop {
            let groups: Vec<Vec<usize>> =
                members.chunks(group_size).map(<[usize]>::to_vec).collect();
            let mut winners = Vec::new();
            for group in &groups {
                let mut ends = Vec::new();
                let is_slow = self.slow_groups && !group.contains(&honest);
                let last = *group.last().expect("not empty");
                for (place, x) in group.iter().enumerate() {
                    for y in &group[place + 1..] {
                        let from = since[*x].max(since[*y]);
                        let side = [x, y].into_iter().position(|it| *it == honest);
                        met += u64::from(side.is_some());
                        let (loser, at) = if is_slow {
                            (usize::from(*y != last), self.slowest(from, [left[*x], left[*y]]))
                        } else {
                            let sides = [*x, *y].map(|it| (&entrants[it].player, left[it]));
                            self.play(sides, from, side)
                        };
                        let (loser, winner) = if loser == 0 { (*x, *y) } else { (*y, *x) };
                        ends.push((at, loser, winner));
                    }
                }
                ends.sort_unstable();
                let mut alive: Vec<usize> = group.clone();
                let mut at = group.iter().map(|it| since[*it]).max().unwrap_or(0).max(over);
                for (end, loser, winner) in ends {
                    if alive.len() > 1 && alive.contains(&loser) && alive.contains(&winner) {
                        alive.retain(|it| *it != loser);
                        at = at.max(end);
                    }
                }
                assert_eq!(alive.len(), 1, "one of a group is left");
                winners.push(alive[0]);
                (since[alive[0]], left[alive[0]]) = (at, clock);
            }
            over = 0;
            if let [winner] = winners[..] {
                return Ended { at: since[winner], honest_won: winner == honest, met };
            }
            members = winners;
        }
    }

    /// When two rivals that use up everything are done with each other.
    fn slowest(&self, from: u64, left: [u64; 2]) -> u64 {
        let increment = self.sizes.parameters.increment_s;
        let clocks: u64 = left.map(|left| left.max(increment)).into_iter().sum();
        from + clocks + self.sizes.moves * increment
    }
}
