//! Random calls, right and wrong ones, by accounts that know everything.

use std::{collections::BTreeMap, rc::Rc};

use alloy::primitives::B256;
use turnpike_dispute_model::{
    Account, Parameters,
    contracts::{Move, OutputIndex, Proposal},
};
use turnpike_protocol::{History, HistoryPath, MatchProgress};
use turnpike_random::Rng;

use crate::mirror::Mirror;

/// Calls that plays have to bring about.
pub(crate) const CALLS: [&str; 19] = [
    "propose",
    "reveal",
    "timeOut",
    "padded",
    "promote",
    "finalize",
    "voidOutput",
    "accuse",
    "answer",
    "move",
    "prove",
    "timeOutGame",
    "strike",
    "close",
    "settleAccusation",
    "settleMatch",
    "release",
    "activate",
    "escape",
];

const ACCOUNTS: Account = 6;
const TICKS: u64 = 100;

pub(crate) struct Play {
    mirror: Mirror,
    random: Rng,
    /// Chance in percent that a reveal, an accusation or an answer that is due is made.
    diligence: u64,
    /// Whether outputs become final at all. If not, an escape is due some time.
    finalizes: bool,
}

impl Play {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Rng::new(seed);
        let parameters = Parameters {
            window_s: 120,
            clock_s: random.pick(&[20, 60, 120]),
            increment_s: random.pick(&[1, 3]),
            interval_s: random.pick(&[1, 10]),
            escape_s: 450,
            group_size: random.pick(&[2, 4]),
            entries_max: random.pick(&[1, 3, 5]),
            blocks_max: random.pick(&[1, 4, 32, 256]),
            ..Parameters::PRODUCTION
        };
        let diligence = random.pick(&[40, 80, 98]);
        let finalizes = random.percent(70);
        Self { mirror: Mirror::new(parameters, ACCOUNTS), random, diligence, finalizes }
    }

    /// Plays, and returns how often each call was accepted.
    pub(crate) fn run(mut self) -> BTreeMap<&'static str, u64> {
        for tick in 0..TICKS {
            if self.random.percent(30) || tick == 0 {
                self.mirror.append();
            }
            if tick == 0 || self.random.percent(5) {
                self.mirror.announce();
            }
            let most = self.random.pick(&[2, 2, 12, 40]);
            let seconds = self.random.between(1, most);
            self.mirror.pass(seconds);
            self.propose();
            for _ in 0..6 {
                self.contend();
            }
            for _ in 0..8 {
                self.play_games();
            }
            self.end();
            if tick % 4 == 0 {
                self.mirror.compare();
            }
        }
        self.mirror.compare();
        self.mirror.withdraw(ACCOUNTS);
        self.mirror.accepted
    }

    fn account(&mut self) -> Account {
        Account::try_from(self.random.between(1, u64::from(ACCOUNTS) + 1)).expect("few")
    }

    /// A random place in a list; `None` if it is empty.
    fn place(&mut self, count: usize) -> Option<usize> {
        (count > 0).then(|| usize::try_from(self.random.between(0, count as u64)).expect("few"))
    }

    fn propose(&mut self) {
        let by = self.account();
        let outputs = self.mirror.model.outputs.len();
        // A few heights, and rarely another parent.
        let parent = match self.random.percent(70) {
            true => self.mirror.model.latest_output_index(),
            false => self.place(outputs).expect("genesis is there"),
        };
        let above = self.mirror.model.outputs[parent].entry;
        let right = self.mirror.model.entry_for(parent);
        let entry = match right {
            Some(entry) if self.random.percent(95) => entry,
            _ => above + self.random.between(0, 4),
        };
        if entry <= above || self.random.percent(40) {
            return;
        }
        let Parameters { blocks_max, .. } = self.mirror.model.parameters;
        let history = Rc::new(self.history((entry - above) * blocks_max));
        self.mirror.propose(by, &Proposal { parent, entry, history });
    }

    /// One of a few roots at each leaf, so that histories share a good part.
    fn history(&mut self, positions: u64) -> History {
        let leaf = |at: u64, value: u64| B256::left_padding_from(&(value << 32 | at).to_be_bytes());
        let root = self.random.between(0, 3);
        let last = self.mirror.l1.output_root(root);
        let first = self.random.between(0, positions);
        let lie = self.random.between(1, 4);
        let mut runs: Vec<(B256, u64)> =
            (0..positions - 1).map(|at| (leaf(at, if at < first { 0 } else { lie }), 1)).collect();
        runs.push((last, 1));
        let leaves = positions.next_power_of_two().max(2);
        if leaves == positions || self.random.percent(70) {
            return History::from_runs(&runs);
        }
        // Something else than the last block's root, past the blocks.
        let padding = leaves - positions;
        let repeated = self.random.between(0, padding);
        let told = self.mirror.l1.output_root(self.random.between(3, 6));
        runs.extend(
            [(last, repeated), (told, padding - repeated)].into_iter().filter(|it| it.1 > 0),
        );
        History::with_padding(&runs, positions)
    }

    fn path(&self, x: OutputIndex, y: OutputIndex, depth: u32) -> Option<HistoryPath> {
        let (a, b) = (self.mirror.history(x)?, self.mirror.history(y)?);
        if a.depth() != b.depth() || depth > a.depth() {
            return None;
        }
        HistoryPath::between(&a, &b, depth)
    }

    /// Changes something in a path, rarely.
    fn spoilt(&mut self, mut path: HistoryPath) -> HistoryPath {
        if self.random.percent(95) {
            return path;
        }
        match self.random.between(0, 5) {
            0 => path.index ^= 1,
            1 => path.depth += 1,
            2 => path.nodes.swap(0, 1),
            3 => drop(path.words.pop()),
            _ => path.words.push(B256::ZERO),
        }
        path
    }

    /// Two outputs, mostly of one group.
    fn pair(&mut self) -> Option<(OutputIndex, OutputIndex)> {
        let count = self.mirror.model.outputs.len();
        for _ in 0..8 {
            let (x, y) = (self.place(count)?, self.place(count)?);
            let (x, y) = (x.min(y), x.max(y));
            if self.mirror.model.check_rivals(x, y).is_ok() {
                return Some((x, y));
            }
        }
        let (x, y) = (self.place(count)?, self.place(count)?);
        (x > 0 && y > 0).then_some((x, y))
    }

    /// Reveals, accusations and what runs out, in one match.
    fn contend(&mut self) {
        let Some((x, y)) = self.pair() else { return };
        let by = self.account();
        let depth = self.mirror.history(x).expect("a child").depth();
        if let Some(MatchProgress::Waiting { reveal, .. }) = self
            .mirror
            .model
            .check_rivals(x, y)
            .ok()
            .and_then(|()| self.mirror.model.progress(x, y))
        {
            for side in [x, y] {
                if self.random.percent(self.diligence) {
                    self.reveal(by, x, y, side, reveal);
                }
            }
        }
        if self.random.percent(2) {
            self.mirror.reveal(by, &[B256::ZERO; 3]);
        }
        let reveals: Vec<_> = self.mirror.model.parameters.reveal_depths(depth).collect();
        for at in reveals.into_iter().chain([depth]) {
            if let Some(path) = self.path(x, y, at) {
                let path = self.spoilt(path);
                self.mirror.time_out(by, x, y, &path);
            }
        }
        if let Some(path) = self.path(x, y, depth) {
            let path = self.spoilt(path);
            self.settle_padding(by, x, y, &path);
            if self.random.percent(self.diligence) {
                self.mirror.accuse(by, x, y, &path);
            }
        }
        self.mirror.settle_match(by, x, y);
    }

    fn reveal(
        &mut self,
        by: Account,
        x: OutputIndex,
        y: OutputIndex,
        side: OutputIndex,
        reveal: usize,
    ) {
        let history = self.mirror.history(side).expect("a child");
        let parameters = &self.mirror.model.parameters;
        let at = parameters.reveal_depths(history.depth()).nth(reveal).expect("a reveal");
        let width = parameters.width_at(at, history.depth());
        let index = self.path(x, y, at).expect("rivals differ").index;
        self.mirror.reveal(by, &history.children(at, index, width));
    }

    fn settle_padding(&mut self, by: Account, x: OutputIndex, y: OutputIndex, path: &HistoryPath) {
        let history = self.mirror.history(x).expect("a child");
        let Some(leaf) = path.index.checked_sub(1) else { return };
        if leaf >= 1 << history.depth() {
            return;
        }
        let before = if self.random.percent(95) { history.leaf(leaf) } else { B256::ZERO };
        self.mirror.padded(by, x, y, path, (before, &history.siblings(leaf)));
    }

    fn play_games(&mut self) {
        let by = self.account();
        if let Some(accusation) = self.place(self.mirror.model.accusations.len()) {
            if self.random.percent(self.diligence) {
                self.mirror.answer(by, accusation);
            }
            self.mirror.strike(by, accusation);
            self.mirror.settle_accusation(by, accusation);
        }
        let Some(game) = self.place(self.mirror.model.games.len()) else { return };
        self.mirror.close(by, game);
        self.mirror.time_out_game(by, game);
        let mover = match self.random.percent(95) {
            true => self.mirror.model.turn(game).0,
            false => by,
        };
        for _ in 0..self.random.between(1, 8) {
            let made = self.random.pick(&[Move::Best, Move::Thrown]);
            self.mirror.move_(mover, game, made);
            let turn = self.mirror.model.turn(game).0;
            if self.random.percent(self.diligence) {
                self.mirror.move_(turn, game, Move::Best);
            }
        }
        let turn = self.mirror.model.turn(game).0;
        self.mirror.prove(turn, game);
    }

    fn end(&mut self) {
        let by = self.account();
        for index in 0..self.mirror.model.outputs.len() {
            if self.random.percent(50) {
                continue;
            }
            self.mirror.promote(by, index);
            self.mirror.void_output(by, index);
            if self.finalizes {
                self.mirror.finalize(by, index);
            }
        }
        let stakes: Vec<_> = self.mirror.model.stakes.keys().copied().collect();
        for (key, account) in stakes {
            if self.random.percent(20) {
                self.mirror.release(by, key, account);
            }
        }
        if self.random.percent(10) {
            self.mirror.activate(by);
        }
        if self.random.percent(if self.finalizes { 2 } else { 40 }) {
            self.mirror.escape(by);
        }
    }
}
