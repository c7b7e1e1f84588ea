//! Stakes, accusations and games.

use turnpike_protocol::{HistoryPath, MatchProgress};

use super::{Contracts, Key, OutputIndex, Refusal, Status, ensure};
use crate::{Fault, ledger::Account};

/// What a stake has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StakeStatus {
    /// Its account may accuse and answer.
    Standing,
    /// Its account lost a game.
    Fallen,
    /// It was given back.
    Returned,
}

/// An account's stake in a tournament.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stake {
    /// What it has come to.
    pub status: StakeStatus,
    /// Games of the account that are not over.
    pub open_games: u32,
}

/// Two outputs about which somebody accused.
#[derive(Clone, Debug)]
pub struct Match {
    /// Until when y's side may accuse.
    pub accuse_until: u64,
    /// What the clock of x has left.
    pub clock_x: u64,
    /// Accusations that are not decided or struck.
    pub standing: u32,
    /// Who felled the last accuser.
    pub last_striker: Option<Account>,
    /// The path to the leaf.
    pub path: HistoryPath,
}

/// An account says that the block at a leaf comes to y's root.
#[derive(Clone, Debug)]
pub struct Accusation {
    /// The accuser.
    pub by: Account,
    /// When it was made.
    pub at: u64,
    /// x and y.
    pub rivals: (OutputIndex, OutputIndex),
    /// What the accuser's clock has left.
    pub clock: u64,
    /// Whether it is neither decided nor struck. See [`Contracts::stands`].
    pub is_open: bool,
}

/// A game between an accuser and a defender.
#[derive(Clone, Debug)]
pub struct Game {
    /// The accusation.
    pub accusation: usize,
    /// The defender.
    pub defender: Account,
    /// When the last move was made.
    pub moved_at: u64,
    /// What the clocks of accuser and defender have left.
    pub clocks: [u64; 2],
    /// Moves, the answer included.
    pub moves: u32,
    /// Which accounts have thrown the game: accuser, defender.
    pub thrown: [bool; 2],
    /// Whether it is over.
    pub is_over: bool,
}

/// A move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// The best one.
    Best,
    /// One that gives the game away.
    Thrown,
}

/// The places of accuser and defender in a game's pairs.
const ACCUSER: usize = 0;
const DEFENDER: usize = 1;

impl Contracts {
    /// The tournament of an accusation.
    pub fn key_of(&self, accusation: usize) -> Key {
        self.outputs[self.accusations[accusation].rivals.0].key
    }

    /// Whether an account's stake stands, or none was paid yet.
    pub fn may_play(&self, key: Key, account: Account) -> bool {
        self.stakes.get(&(key, account)).is_none_or(|it| it.status == StakeStatus::Standing)
    }

    /// Whether an accusation is Standing: it is not decided, and its accuser's stake stands.
    pub fn stands(&self, accusation: usize) -> bool {
        let it = &self.accusations[accusation];
        let reads_stake = !self.has(Fault::StandingUntilStruck);
        it.is_open && (!reads_stake || self.may_play(self.key_of(accusation), it.by))
    }

    /// Accuses x, for y.
    pub fn accuse(
        &mut self,
        by: Account,
        x: OutputIndex,
        y: OutputIndex,
        path: &HistoryPath,
    ) -> Result<usize, Refusal> {
        self.check_rivals(x, y)?;
        let (depth, progress) = self.check_path(x, y, path)?;
        ensure(path.depth == depth, Refusal::Path)?;
        let key = self.outputs[x].key;
        ensure(path.index < self.ranges[&key].positions, Refusal::Padding)?;
        let increment = self.parameters.increment_s;
        let (at, left, until) = match progress {
            MatchProgress::Revealed { at, left, accuse_until } => (at, left, accuse_until),
            MatchProgress::Waiting { .. } if self.has(Fault::AccuseBeforeReveals) => {
                (self.now, [0, 0], self.now + increment)
            }
            _ => return Err(Refusal::MatchOpen),
        };
        ensure(self.now <= until, Refusal::TooLate)?;
        let may = self.may_play(key, by) || self.has(Fault::FallenAccuses);
        ensure(may, Refusal::NotStanding)?;
        let made = |it: &&crate::contracts::Accusation| it.rivals == (x, y);
        let mut others = self.accusations.iter().filter(made);
        let one_only = self.has(Fault::OneAccuserPerMatch);
        ensure(others.all(|it| it.by != by && !(one_only && it.is_open)), Refusal::Duplicate)?;

        self.pay_stake(key, by);
        let entry = self.matches.entry((x, y)).or_insert_with(|| Match {
            accuse_until: until,
            clock_x: left[0],
            standing: 0,
            last_striker: None,
            path: path.clone(),
        });
        entry.standing += 1;
        let clock = increment.max(left[1].saturating_sub(self.now - at));
        let accusation = Accusation { by, at: self.now, rivals: (x, y), clock, is_open: true };
        self.accusations.push(accusation);
        Ok(self.accusations.len() - 1)
    }

    /// Until when an accusation may be answered.
    pub fn answer_until(&self, accusation: usize) -> u64 {
        let it = &self.accusations[accusation];
        it.at + self.parameters.increment_s.max(self.matches[&it.rivals].clock_x)
    }

    /// Answers an accusation and opens a game.
    pub fn answer(&mut self, by: Account, accusation: usize) -> Result<usize, Refusal> {
        ensure(self.stands(accusation), Refusal::NotStanding)?;
        let it = &self.accusations[accusation];
        let (accuser, (x, y)) = (it.by, it.rivals);
        self.check_rivals(x, y)?;
        let key = self.key_of(accusation);
        ensure(accuser != by, Refusal::Self_)?;
        ensure(self.may_play(key, by), Refusal::NotStanding)?;
        ensure(!self.met.contains_key(&(key, accuser, by)), Refusal::Duplicate)?;
        let taken = self.games.iter().any(|game| game.accusation == accusation);
        ensure(!(taken && self.has(Fault::OneDefenderPerAccusation)), Refusal::Duplicate)?;
        ensure(self.now <= self.answer_until(accusation), Refusal::TooLate)?;

        let used = self.now - it.at;
        let clock = self.matches[&(x, y)].clock_x.saturating_sub(used);
        let clocks = [it.clock, clock.max(self.parameters.increment_s)];
        self.pay_stake(key, by);
        self.met.insert((key, accuser, by), ());
        for account in [accuser, by] {
            self.stake_mut(key, account).open_games += 1;
        }
        self.games.push(Game {
            accusation,
            defender: by,
            moved_at: self.now,
            clocks,
            moves: 1,
            thrown: [false; 2],
            is_over: false,
        });
        Ok(self.games.len() - 1)
    }

    /// Accuser and defender of a game.
    pub fn players(&self, game: usize) -> [Account; 2] {
        [self.accusations[self.games[game].accusation].by, self.games[game].defender]
    }

    /// Whether a game is neither over nor lost by a fall elsewhere.
    pub fn is_playing(&self, game: usize) -> bool {
        let it = &self.games[game];
        let key = self.key_of(it.accusation);
        let ends = self.has(Fault::GamesEndWithCommitments) && {
            let (x, y) = self.accusations[it.accusation].rivals;
            self.check_rivals(x, y).is_err()
        };
        !it.is_over
            && !ends
            && key.0 == self.generation.0
            && self.players(game).iter().all(|account| self.may_play(key, *account))
    }

    /// Whose turn it is, and until when.
    pub fn turn(&self, game: usize) -> (Account, u64) {
        let it = &self.games[game];
        let side = side_of(it.moves);
        (self.players(game)[side], it.moved_at + it.clocks[side])
    }

    /// Makes a move.
    pub fn move_(&mut self, by: Account, game: usize, made: Move) -> Result<(), Refusal> {
        self.check_turn(by, game)?;
        ensure(self.games[game].moves < self.parameters.game_moves, Refusal::Proof)?;
        let (now, increment) = (self.now, self.parameters.increment_s);
        let it = &mut self.games[game];
        let side = side_of(it.moves);
        it.clocks[side] = increment.max(it.clocks[side] - (now - it.moved_at));
        it.moved_at = now;
        it.moves += 1;
        it.thrown[side] |= made == Move::Thrown;
        Ok(())
    }

    /// Proves a step after the last move. The other side falls.
    pub fn prove(&mut self, by: Account, game: usize) -> Result<(), Refusal> {
        self.check_turn(by, game)?;
        let it = &self.games[game];
        ensure(it.moves >= self.parameters.game_moves, Refusal::Proof)?;
        let side = side_of(it.moves);
        let is_right = self.right_side(it.accusation).is_none_or(|right| right == side);
        let can = !it.thrown[side] && (is_right || it.thrown[1 - side]);
        ensure(can, Refusal::Proof)?;
        self.fall(game, 1 - side, by);
        Ok(())
    }

    /// Ends a game whose turn ran out of time.
    pub fn time_out_game(&mut self, by: Account, game: usize) -> Result<(), Refusal> {
        ensure(self.is_playing(game), Refusal::GameOver)?;
        ensure(self.now > self.turn(game).1, Refusal::TooEarly)?;
        self.fall(game, side_of(self.games[game].moves), by);
        Ok(())
    }

    /// Takes an accusation out of its match whose accuser fell in another one.
    pub fn strike(&mut self, by: Account, accusation: usize) -> Result<(), Refusal> {
        let it = &self.accusations[accusation];
        let has_fallen = !self.may_play(self.key_of(accusation), it.by);
        ensure(it.is_open && has_fallen, Refusal::NotStanding)?;
        self.drop_accusation(accusation, by);
        Ok(())
    }

    /// Ends a game one of whose accounts fell elsewhere.
    pub fn close(&mut self, game: usize) -> Result<(), Refusal> {
        let key = self.key_of(self.games[game].accusation);
        let has_fallen = self.players(game).iter().any(|it| !self.may_play(key, *it));
        ensure(!self.games[game].is_over && has_fallen, Refusal::GameOver)?;
        self.end(game);
        Ok(())
    }

    /// (a) Rejects x: a standing accusation's time to answer is over, and its accuser has no open
    /// game in the tournament.
    pub fn settle_for_accusation(&mut self, accusation: usize) -> Result<(), Refusal> {
        let it = &self.accusations[accusation];
        let (by, (x, y)) = (it.by, it.rivals);
        self.check_rivals(x, y)?;
        ensure(self.stands(accusation), Refusal::NotStanding)?;
        let until = match self.fault {
            Some(Fault::AnswerTimeIgnoresClock) => it.at,
            _ => self.answer_until(accusation),
        };
        ensure(self.now > until, Refusal::TooEarly)?;
        let open = self.stakes[&(self.key_of(accusation), by)].open_games;
        let ignores = match self.fault {
            Some(Fault::SettleIgnoresOpenGames) => true,
            // Without games that go on, only games of standing commitments count.
            Some(Fault::GamesEndWithCommitments) => {
                !self.games_of(by, accusation).any(|game| self.is_playing(game))
            }
            _ => false,
        };
        ensure(open == 0 || ignores, Refusal::OpenGames)?;
        let path = self.matches[&(x, y)].path.clone();
        self.eliminate(x, y, &path, by);
        Ok(())
    }

    /// (b) Rejects y: the time to accuse is over, and no accusation is left.
    pub fn settle_for_x(
        &mut self,
        by: Account,
        x: OutputIndex,
        y: OutputIndex,
    ) -> Result<(), Refusal> {
        self.check_rivals(x, y)?;
        let it = self.matches.get(&(x, y)).ok_or(Refusal::MatchOpen)?;
        ensure(self.now > it.accuse_until, Refusal::TooEarly)?;
        let none_left = it.standing == 0 || self.has(Fault::SettleIgnoresAccusations);
        ensure(none_left, Refusal::MatchOpen)?;
        let (path, ender) = (it.path.clone(), it.last_striker.unwrap_or(by));
        self.eliminate(y, x, &path, ender);
        Ok(())
    }

    /// Gives a stake back once its tournament is decided or void, and the account has no open game.
    pub fn release(&mut self, key: Key, account: Account) -> Result<(), Refusal> {
        let it = self.stakes.get(&(key, account)).ok_or(Refusal::NotStanding)?;
        ensure(it.status == StakeStatus::Standing, Refusal::NotStanding)?;
        if key.0 == self.generation.0 {
            let is_void = matches!(self.status(key.1), Status::Rejected | Status::Void);
            ensure(self.ranges[&key].winner.is_some() || is_void, Refusal::TooEarly)?;
            ensure(it.open_games == 0, Refusal::OpenGames)?;
        }
        self.stake_mut(key, account).status = StakeStatus::Returned;
        self.dispute.give_back(account, self.parameters.stake);
        Ok(())
    }

    fn games_of(&self, accuser: Account, accusation: usize) -> impl Iterator<Item = usize> {
        let key = self.key_of(accusation);
        (0..self.games.len()).filter(move |game| {
            self.players(*game)[ACCUSER] == accuser
                && self.key_of(self.games[*game].accusation) == key
        })
    }

    /// The side that is right about an accusation, where it is known. An accusation is right if y's
    /// root follows from the leaf before.
    fn right_side(&self, accusation: usize) -> Option<usize> {
        let (x, y) = self.accusations[accusation].rivals;
        let right = self.right.get(&self.outputs[x].key.1)?;
        let leaf = self.matches[&(x, y)].path.index;
        let history = self.history(y)?;
        let is_known = match leaf.checked_sub(1) {
            Some(before) => history.leaf(before) == right.leaf(before),
            None => true,
        };
        let claims_right = history.leaf(leaf) == right.leaf(leaf);
        is_known.then_some(if claims_right { ACCUSER } else { DEFENDER })
    }

    fn check_turn(&self, by: Account, game: usize) -> Result<(), Refusal> {
        ensure(self.is_playing(game), Refusal::GameOver)?;
        let (turn, until) = self.turn(game);
        ensure(turn == by, Refusal::Turn)?;
        ensure(self.now <= until, Refusal::TooLate)
    }

    fn fall(&mut self, game: usize, side: usize, ender: Account) {
        let players = self.players(game);
        let (loser, winner) = (players[side], players[1 - side]);
        let accusation = self.games[game].accusation;
        let key = self.key_of(accusation);
        self.end(game);
        // No game goes on once one of its accounts fell, so nobody falls twice.
        self.stake_mut(key, loser).status = StakeStatus::Fallen;
        self.dispute.lose(self.parameters.stake, [winner, ender]);
        if side == ACCUSER && self.accusations[accusation].is_open {
            self.drop_accusation(accusation, winner);
        }
    }

    fn end(&mut self, game: usize) {
        let key = self.key_of(self.games[game].accusation);
        self.games[game].is_over = true;
        for account in self.players(game) {
            self.stake_mut(key, account).open_games -= 1;
        }
    }

    fn drop_accusation(&mut self, accusation: usize, striker: Account) {
        let it = &mut self.accusations[accusation];
        it.is_open = false;
        let about = self.matches.get_mut(&it.rivals).expect("invariant: made with it");
        about.standing -= 1;
        about.last_striker = Some(striker);
    }

    fn pay_stake(&mut self, key: Key, account: Account) {
        if self.stakes.contains_key(&(key, account)) {
            return;
        }
        let stake = Stake { status: StakeStatus::Standing, open_games: 0 };
        self.stakes.insert((key, account), stake);
        self.dispute.take(self.parameters.stake);
    }

    fn stake_mut(&mut self, key: Key, account: Account) -> &mut Stake {
        self.stakes.get_mut(&(key, account)).expect("invariant: it paid a stake")
    }
}

/// Whose turn it is: the defender answers first, then the accuser moves.
const fn side_of(moves: u32) -> usize {
    if moves % 2 == 1 { ACCUSER } else { DEFENDER }
}
