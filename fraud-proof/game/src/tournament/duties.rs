//! Which duties an honest account has now, by deadline.
//!
//! Only tournaments below outputs with a known truth are played: a false parent's children fall
//! with it. In them the account also ends what others leave open, in all groups, because a group
//! that nobody ends holds up the whole tournament.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use turnpike_l1::tournament::{
    Child, ChildStatus, Game, Player, StakeStatus, Tournament, TournamentId, Tournaments,
};
use turnpike_protocol::{History, MatchProgress, Rival};

use super::{
    Descent, Duty, ScheduledDuty,
    group::{Group, children},
};

/// What a player knows.
#[derive(Clone, Copy, Debug)]
pub struct PlayerView<'a> {
    /// The player's account.
    pub own: Address,
    /// Timestamp of L1's newest block, in seconds. The next block's is greater.
    pub l1_time: u64,
    /// What L1 recorded.
    pub records: &'a Tournaments,
    /// The true histories of the ranges after outputs that are true, by index of the output.
    pub truths: &'a BTreeMap<u64, History>,
}

/// A tournament that is played, and its true child.
#[derive(Clone, Copy)]
struct Played<'a> {
    id: TournamentId,
    tournament: &'a Tournament,
    truth: &'a History,
    own: Option<&'a Child>,
}

impl Played<'_> {
    fn is_own(&self, index: u64) -> bool {
        self.own.is_some_and(|own| own.index == index)
    }
}

impl<'a> PlayerView<'a> {
    /// Every call that is owed and that the next L1 block can include, the earliest deadline first.
    pub fn duties(&self) -> Vec<ScheduledDuty> {
        let mut duties = Vec::new();
        for played in self.played() {
            self.propose(&played, &mut duties);
            self.play_matches(&played, &mut duties);
            self.strike(&played, &mut duties);
            self.promote(&played, &mut duties);
            self.finalize(&played, &mut duties);
        }
        self.play_games(&mut duties);
        self.get_back(&mut duties);
        duties.retain(|scheduled| self.l1_time < scheduled.deadline);
        duties.sort_by_key(|scheduled| scheduled.deadline);
        // Matches with many rivals need the same nodes.
        let mut revealed = BTreeSet::new();
        duties.retain(|scheduled| match &scheduled.duty {
            Duty::Reveal { children, .. } => revealed.insert(children.clone()),
            _ => true,
        });
        duties
    }

    /// The tournaments of this generation with a known truth.
    fn played(&self) -> impl Iterator<Item = Played<'a>> {
        let view = *self;
        view.records.tournaments().iter().filter_map(move |(id, tournament)| {
            let truth = view.truths.get(&id.parent)?;
            let is_played = id.generation == view.records.generation() && tournament.covers(truth);
            let own =
                children(view.records, tournament).find(|child| child.history == truth.root());
            is_played.then_some(Played { id: *id, tournament, truth, own })
        })
    }

    fn ends_at(&self, tournament: &Tournament) -> u64 {
        tournament.first_at.saturating_add(self.records.sizes().challenge_window)
    }

    fn propose(&self, played: &Played<'_>, duties: &mut Vec<ScheduledDuty>) {
        let deadline = self.ends_at(played.tournament).saturating_sub(1);
        if played.own.is_none() {
            duties.push(by(deadline, Duty::Propose { parent: played.id.parent }));
        }
    }

    /// Reveals, accusations, and what is due between the members of each group.
    fn play_matches(&self, played: &Played<'a>, duties: &mut Vec<ScheduledDuty>) {
        if played.tournament.winner.is_some() {
            return;
        }
        for members in self.groups(played) {
            for (number, y) in members.iter().enumerate() {
                for x in &members[..number] {
                    self.play_match(played, [x, y], duties);
                }
            }
        }
    }

    /// The standing members of each group.
    fn groups(&self, played: &Played<'a>) -> Vec<Vec<&'a Child>> {
        let mut groups = BTreeMap::<Group, Vec<&Child>>::new();
        for child in children(self.records, played.tournament) {
            if self.records.status(child) == ChildStatus::Standing {
                groups.entry(Group::of(self.records, child)).or_default().push(child);
            }
        }
        groups.into_values().collect()
    }

    fn play_match(
        &self,
        played: &Played<'a>,
        [x, y]: [&'a Child; 2],
        duties: &mut Vec<ScheduledDuty>,
    ) {
        let rivals = [x.index, y.index];
        let descent = Descent::new(self.records, played.tournament, [x, y], played.truth);
        match descent.progress(self.l1_time) {
            MatchProgress::Waiting { reveal, revealed, limits } => {
                let own = rivals.iter().position(|rival| played.is_own(*rival));
                if let Some(side) = own
                    && !revealed[side]
                    && let Some(children) = descent.to_reveal(reveal, side)
                {
                    let (child, children) = (rivals[side], children.to_vec());
                    duties.push(by(limits[side], Duty::Reveal { child, children }));
                }
            }
            MatchProgress::Failed { rival, reveal, .. } => {
                let late = if rival == Rival::X { x } else { y };
                if !played.is_own(late.index)
                    && let Some(path) = descent.path_to(reveal)
                {
                    duties.push(at_any_time(Duty::TimeOut { rivals, path }));
                }
            }
            MatchProgress::Revealed { left: [left_x, _], accuse_until, .. } => {
                self.settle(played, &descent, rivals, accuse_until, duties);
                self.play_accusations(played, rivals, left_x, duties);
            }
        }
    }

    /// What is due in a match whose reveals are complete.
    fn settle(
        &self,
        played: &Played<'a>,
        descent: &Descent<'a>,
        rivals: [u64; 2],
        accuse_until: u64,
        duties: &mut Vec<ScheduledDuty>,
    ) {
        let (Some(leaf), Some(path)) = (descent.leaf(), descent.leaf_path()) else { return };
        let is_own_y = played.is_own(rivals[1]);
        let is_over = self.l1_time > accuse_until;
        let is_padding = leaf >= played.tournament.positions;
        let is_accused = self.records.accusations_of(rivals).next().is_some();
        if is_padding && let Some(before) = descent.leaf_before() {
            let deadline = if is_own_y && !is_over { accuse_until } else { u64::MAX };
            duties.push(by(deadline, Duty::SettlePadding { rivals, path, before }));
        } else if is_over && !is_accused && !is_own_y {
            duties.push(at_any_time(Duty::TimeOut { rivals, path }));
        } else if is_over && !is_own_y {
            let mut accusations = self.records.accusations_of(rivals);
            // Struck, not only fallen: the contract counts those.
            if accusations.all(|accusation| accusation.is_struck) {
                duties.push(at_any_time(Duty::SettleMatch { rivals }));
            }
        } else if is_own_y && self.may_accuse(played.id, rivals) {
            let Some(before) = descent.leaf_before() else { return };
            duties.push(by(accuse_until, Duty::Accuse { rivals, path, before }));
        }
    }

    /// Another account's accusation does not count: it may lose on purpose.
    fn may_accuse(&self, id: TournamentId, rivals: [u64; 2]) -> bool {
        let mut accusations = self.records.accusations_of(rivals);
        self.records.may_play(id, self.own)
            && accusations.all(|accusation| accusation.accuser != self.own)
    }

    /// What is due about the accusations of a match. The clock of x had `left_x` when it began.
    fn play_accusations(
        &self,
        played: &Played<'_>,
        rivals: [u64; 2],
        left_x: u64,
        duties: &mut Vec<ScheduledDuty>,
    ) {
        let is_own = played.is_own(rivals[0]);
        let time = left_x.max(self.records.sizes().game_increment);
        let accusations = self.records.accusations_of(rivals);
        for accusation in accusations.filter(|it| self.records.stands(it)) {
            let (index, until) = (accusation.index, accusation.at.saturating_add(time));
            let has_met = self.records.has_met(played.id, accusation.accuser, self.own);
            let may_answer = accusation.accuser != self.own
                && !has_met
                && self.records.may_play(played.id, self.own);
            if is_own && may_answer {
                duties.push(by(until, Duty::Answer { accusation: index }));
            }
            let stake = self.records.stakes().get(&(played.id, accusation.accuser));
            let has_open_games = stake.is_some_and(|stake| stake.open_games > 0);
            if !is_own && self.l1_time > until && !has_open_games {
                duties.push(at_any_time(Duty::SettleAccusation { accusation: index }));
            }
        }
    }

    /// Accusations that still count in a match although their accusers fell.
    fn strike(&self, played: &Played<'_>, duties: &mut Vec<ScheduledDuty>) {
        let accusations = self.records.accusations().iter();
        for accusation in accusations.filter(|it| it.tournament == played.id) {
            if !accusation.is_struck && !self.records.stands(accusation) {
                duties.push(at_any_time(Duty::Strike { accusation: accusation.index }));
            }
        }
    }

    /// Moves of the player's own, and what is due in the games of tournaments that it plays.
    fn play_games(&self, duties: &mut Vec<ScheduledDuty>) {
        let played: BTreeSet<_> = self.played().map(|played| played.id).collect();
        for game in self.records.games() {
            let (Some(to_move), Some(accusation)) =
                (game.status.to_move(), self.records.accusation(game.accusation))
            else {
                continue;
            };
            let id = accusation.tournament;
            let players = [accusation.accuser, game.defender];
            let is_ours = players.contains(&self.own);
            if id.generation != self.records.generation() || !(is_ours || played.contains(&id)) {
                continue;
            }
            if !players.iter().all(|account| self.records.may_play(id, *account)) {
                duties.push(at_any_time(Duty::Close { game: game.index }));
                continue;
            }
            let (mover, until) = turn(game, to_move, players);
            if mover == self.own {
                duties.push(by(until, Duty::Move { game: game.index }));
            } else if self.l1_time > until {
                duties.push(at_any_time(Duty::TimeOutGame { game: game.index }));
            }
        }
    }

    fn promote(&self, played: &Played<'_>, duties: &mut Vec<ScheduledDuty>) {
        let Played { tournament, .. } = played;
        // An only child wins without.
        let has_winner = tournament.winner.is_some() || tournament.children.len() == 1;
        if has_winner || self.l1_time < self.ends_at(tournament) {
            return;
        }
        for members in self.groups(played) {
            let [child] = members[..] else { continue };
            if Group::of(self.records, child).is_complete(self.records, tournament) {
                duties.push(at_any_time(Duty::Promote { child: child.index }));
            }
        }
    }

    fn finalize(&self, played: &Played<'_>, duties: &mut Vec<ScheduledDuty>) {
        let Played { id, tournament, .. } = played;
        let winner = match tournament.children[..] {
            [only] => Some(only),
            _ => tournament.winner,
        };
        let Some(child) = winner.and_then(|winner| self.records.child(winner)) else { return };
        let parent = self.records.child(id.parent).map(|parent| self.records.status(parent));
        let is_due = parent == Some(ChildStatus::Final)
            && self.records.status(child) == ChildStatus::Standing
            && self.l1_time >= self.ends_at(tournament);
        if is_due {
            duties.push(at_any_time(Duty::Finalize { child: child.index }));
        }
    }

    /// Stakes of the player and bonds of its outputs that nothing holds any more.
    fn get_back(&self, duties: &mut Vec<ScheduledDuty>) {
        for ((id, account), stake) in self.records.stakes() {
            let is_over = id.generation != self.records.generation();
            let is_free = is_over || (stake.open_games == 0 && self.is_decided(*id));
            if *account == self.own && stake.status == StakeStatus::Standing && is_free {
                duties.push(at_any_time(Duty::Release { tournament: *id }));
            }
        }
        for child in self.records.children() {
            let is_unpaid = child.recorded == ChildStatus::Standing
                && self.records.status(child) == ChildStatus::Void;
            if child.proposer == self.own && is_unpaid {
                duties.push(at_any_time(Duty::VoidOutput { child: child.index }));
            }
        }
    }

    fn is_decided(&self, id: TournamentId) -> bool {
        let winner = self.records.tournaments().get(&id).and_then(|found| found.winner);
        let parent = self.records.child(id.parent).map(|parent| self.records.status(parent));
        winner.is_some() || matches!(parent, Some(ChildStatus::Rejected | ChildStatus::Void))
    }
}

/// Who moves in a game, and until when.
fn turn(game: &Game, to_move: Player, [accuser, defender]: [Address; 2]) -> (Address, u64) {
    let (mover, clock) = match to_move {
        Player::Accuser => (accuser, game.clocks[0]),
        Player::Defender => (defender, game.clocks[1]),
    };
    (mover, game.moved_at.saturating_add(clock))
}

const fn by(deadline: u64, duty: Duty) -> ScheduledDuty {
    ScheduledDuty { deadline, duty }
}

const fn at_any_time(duty: Duty) -> ScheduledDuty {
    by(u64::MAX, duty)
}
