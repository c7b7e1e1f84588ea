//! Single rules of tournaments and disputes.

use std::rc::Rc;

use alloy_primitives::B256;
use turnpike_dispute_model::{
    Contracts, Fault, Parameters,
    contracts::{Move, OutputIndex, Proposal, Refusal, StakeStatus, Status},
    programs::program_of,
};
use turnpike_protocol::{History, HistoryPath};

const KEY: (u64, OutputIndex) = (0, 0);
const POSITIONS: u64 = 13;

/// Accounts.
const PROPOSER: u32 = 1;
const ACCUSER: u32 = 2;
const ACCOMPLICE: u32 = 3;
const HONEST: u32 = 4;

fn parameters() -> Parameters {
    Parameters {
        window_s: 700,
        clock_s: 350,
        increment_s: 30,
        interval_s: 10,
        group_size: 4,
        entries_max: 4,
        blocks_max: POSITIONS,
        reveal_width: 2,
        game_moves: 2,
        ..Parameters::PRODUCTION
    }
}

fn contracts(fault: Option<Fault>) -> Contracts {
    let mut contracts = Contracts::new(parameters());
    (contracts.inbox, contracts.now, contracts.fault) = (vec![0, 5], 11, fault);
    contracts
}

/// A history that is true before a leaf and false from it on.
fn history(false_from: u64, lie: u8) -> Rc<History> {
    let leaf = |at: u64| {
        let truth = B256::left_padding_from(&at.to_be_bytes());
        if at < false_from { truth } else { B256::repeat_byte(lie) }
    };
    Rc::new(History::new(&(0..POSITIONS).map(leaf).collect::<Vec<_>>()))
}

fn propose(contracts: &mut Contracts, history: &Rc<History>) -> Result<OutputIndex, Refusal> {
    let proposal = Proposal { parent: 0, entry: 1, history: Rc::clone(history) };
    contracts.propose(PROPOSER, &proposal)
}

fn path(contracts: &Contracts, x: OutputIndex, y: OutputIndex) -> HistoryPath {
    let history = |at: OutputIndex| contracts.outputs[at].history.clone().expect("a child");
    let (x, y) = (history(x), history(y));
    HistoryPath::between(&x, &y, x.depth()).expect("they differ")
}

/// Reveals all nodes of both sides down to their first difference.
fn reveal_all(contracts: &mut Contracts, x: OutputIndex, y: OutputIndex) {
    let leaf = path(contracts, x, y).index;
    for side in [x, y] {
        let history = contracts.outputs[side].history.clone().expect("a child");
        let depth = history.depth();
        for at in contracts.parameters.reveal_depths(depth) {
            let width = contracts.parameters.width_at(at, depth);
            let children = history.children(at, leaf >> (depth - at), width);
            let revealed = contracts.reveal(PROPOSER, &children);
            assert!(matches!(revealed, Ok(()) | Err(Refusal::Duplicate)));
        }
    }
}

/// A true child, and two false ones from leaf 9 on, all revealed.
fn three(fault: Option<Fault>) -> (Contracts, [OutputIndex; 3]) {
    let mut contracts = contracts(fault);
    contracts.tell_right(0, history(u64::MAX, 0));
    let children = [(u64::MAX, 0), (9, 7), (9, 8)];
    let children =
        children.map(|(from, lie)| propose(&mut contracts, &history(from, lie)).expect("first"));
    let [x, first, second] = children;
    reveal_all(&mut contracts, x, first);
    reveal_all(&mut contracts, x, second);
    (contracts, children)
}

/// Plays a game to its end, which the side to prove wins.
fn play(contracts: &mut Contracts, game: usize, of_accuser: Move) {
    while contracts.games[game].moves < contracts.parameters.game_moves {
        let (turn, _) = contracts.turn(game);
        let made = if turn == ACCUSER { of_accuser } else { Move::Best };
        contracts.move_(turn, game, made).expect("the clock runs");
    }
}

#[test]
fn program_of_an_entry_is_the_last_one_in_the_list() {
    // The third was put before the second by an escape.
    let programs = [(0, 1), (100, 2), (50, 3)];
    assert_eq!([0, 49, 50, 100].map(|entry| program_of(&programs, entry)), [1, 1, 3, 3].map(Some));
    assert_eq!(program_of(&[(5, 1)], 4), None);
}

#[test]
fn range_ends_where_the_interval_does() {
    let mut contracts = contracts(None);
    contracts.inbox = vec![0, 5, 10, 11];
    assert_eq!(contracts.entry_for(0), Some(2), "entry 3 is past the interval");
    contracts.now = 10;
    assert_eq!(contracts.entry_for(0), None, "another entry of this time may come");
    contracts.inbox = vec![0, 11];
    contracts.now = 12;
    assert_eq!(contracts.entry_for(0), Some(1), "one entry at least");
    contracts.inbox = vec![0, 1, 1, 1, 1, 1];
    contracts.now = 1;
    assert_eq!(contracts.entry_for(0), Some(4), "a full range does not wait");
}

#[test]
fn claim_is_made_once() {
    let mut contracts = contracts(None);
    propose(&mut contracts, &history(3, 7)).expect("first");
    assert_eq!(propose(&mut contracts, &history(3, 7)), Err(Refusal::Duplicate));
    let short = Rc::new(History::new(&[B256::ZERO; 12]));
    assert_eq!(propose(&mut contracts, &short), Err(Refusal::Path), "of another size");
    contracts.now += contracts.parameters.window_s;
    assert_eq!(propose(&mut contracts, &history(4, 7)), Err(Refusal::TooLate));
    contracts.rollup.assert_conserved();
}

/// An accuser of two matches who lets an accomplice win one does not keep the other accusation.
#[test]
fn accusation_ends_with_its_accuser_before_it_is_struck() {
    for fault in [None, Some(Fault::StandingUntilStruck), Some(Fault::FallenAccuses)] {
        let (mut contracts, [x, first, second]) = three(fault);
        let mut accuse = |y| {
            let path = path(&contracts, x, y);
            contracts.accuse(ACCUSER, x, y, &path).expect("revealed")
        };
        let accusations = [accuse(first), accuse(second)];
        let game = contracts.answer(ACCOMPLICE, accusations[0]).expect("in time");
        play(&mut contracts, game, Move::Thrown);
        contracts.prove(ACCOMPLICE, game).expect("the accuser has thrown it");
        assert_eq!(contracts.stakes[&(KEY, ACCUSER)].status, StakeStatus::Fallen);
        reveal_all(&mut contracts, first, second);
        let between = path(&contracts, first, second);
        let accused = contracts.accuse(ACCUSER, first, second, &between);
        assert_eq!(accused.is_ok(), fault == Some(Fault::FallenAccuses), "it fell");
        contracts.now += contracts.parameters.clock_s + 1;
        let settled = contracts.settle_for_accusation(accusations[1]);
        let is_lost = fault == Some(Fault::StandingUntilStruck);
        assert_eq!(settled.is_ok(), is_lost);
        assert_eq!(contracts.status(x) == Status::Rejected, is_lost, "{fault:?}");
        contracts.dispute.assert_conserved();
    }
}

#[test]
fn account_answers_an_accuser_once() {
    let (mut contracts, [x, first, second]) = three(None);
    let mut accuse = |y| {
        let path = path(&contracts, x, y);
        contracts.accuse(ACCUSER, x, y, &path).expect("revealed")
    };
    let accusations = [accuse(first), accuse(second)];
    contracts.answer(HONEST, accusations[0]).expect("in time");
    assert_eq!(contracts.answer(HONEST, accusations[1]), Err(Refusal::Duplicate));
    assert_eq!(contracts.answer(ACCUSER, accusations[1]), Err(Refusal::Self_));
    // The open game holds back both: the accuser's other accusation settles only after it.
    contracts.now += contracts.parameters.clock_s + 1;
    assert_eq!(contracts.settle_for_accusation(accusations[1]), Err(Refusal::OpenGames));
    let key = contracts.key_of(accusations[0]);
    assert_eq!(contracts.release(key, HONEST), Err(Refusal::TooEarly));
}

#[test]
fn group_with_one_standing_member_is_decided_once_the_window_is_over() {
    let (mut contracts, [x, first, second]) = three(None);
    for y in [first, second] {
        let path = path(&contracts, x, y);
        assert_eq!(contracts.time_out(HONEST, x, y, &path), Err(Refusal::TooEarly));
    }
    contracts.now += contracts.parameters.clock_s + 1;
    for y in [first, second] {
        let path = path(&contracts, x, y);
        assert_eq!(contracts.promote(x), Err(Refusal::TooEarly));
        contracts.time_out(HONEST, x, y, &path).expect("nobody has accused");
        assert_eq!(contracts.promote(y), Err(Refusal::NotStanding));
    }
    contracts.now += contracts.parameters.window_s;
    assert_eq!(contracts.finalize(x), Err(Refusal::NotWinner));
    contracts.promote(x).expect("decided");
    assert_eq!(contracts.promote(x), Err(Refusal::Decided));
    contracts.finalize(x).expect("the winner");
    assert_eq!((contracts.status(x), contracts.latest_output_index()), (Status::Final, x));
    assert_eq!(contracts.rollup.held, 0, "two bonds are lost, one is given back");
    contracts.rollup.assert_conserved();
}

#[test]
fn outputs_of_an_older_generation_are_void_after_an_escape() {
    let (mut contracts, [x, first, _]) = three(None);
    let path = path(&contracts, x, first);
    contracts.accuse(ACCUSER, x, first, &path).expect("revealed");
    assert_eq!(contracts.escape(), Err(Refusal::TooEarly));
    contracts.now = contracts.parameters.escape_s;
    contracts.escape().expect("nothing became final");
    for output in [x, first] {
        assert_eq!(contracts.status(output), Status::Void);
        contracts.void_output(output).expect("its generation is over");
    }
    contracts.release(KEY, ACCUSER).expect("its generation is over");
    let again = propose(&mut contracts, &history(u64::MAX, 0)).expect("a claim of its own");
    assert_eq!(contracts.status(again), Status::Standing);
    contracts.rollup.assert_conserved();
    assert_eq!(contracts.dispute.held, 0);
}

#[test]
fn second_fall_pays_nothing() {
    let (mut contracts, [x, first, second]) = three(None);
    let mut games = Vec::new();
    for (y, defender) in [(first, HONEST), (second, ACCOMPLICE)] {
        let path = path(&contracts, x, y);
        let accusation = contracts.accuse(ACCUSER, x, y, &path).expect("revealed");
        games.push(contracts.answer(defender, accusation).expect("in time"));
    }
    for game in &games {
        contracts.move_(ACCUSER, *game, Move::Best).expect("its turn");
    }
    contracts.prove(HONEST, games[0]).expect("the accusation is false");
    let burned = contracts.dispute.burned;
    assert_eq!(burned, contracts.parameters.stake / 2);
    let again = contracts.prove(ACCOMPLICE, games[1]);
    assert_eq!(again, Err(Refusal::GameOver), "its accuser fell elsewhere");
    contracts.close(games[1]).expect("its accuser fell elsewhere");
    assert_eq!(contracts.dispute.burned, burned);
    contracts.dispute.assert_conserved();
}

/// Two children of a group without the true one agree on leaves whose nodes nobody else has. If they
/// differ first past the blocks, only they could show the leaf before, so the later seat has no more
/// time for that than for an accusation.
#[test]
fn padding_that_nobody_shows_in_time_puts_y_out() {
    let mut contracts = contracts(None);
    let [x, y] = [7, 8].map(|lie| {
        let leaf = |at: u64| (B256::repeat_byte(u8::try_from(at).expect("small")), 1);
        let mut runs: Vec<_> = (0..POSITIONS).map(leaf).collect();
        runs.push((B256::repeat_byte(lie << 4), 1));
        let history = Rc::new(History::with_padding(&runs, POSITIONS));
        propose(&mut contracts, &history).expect("first")
    });
    reveal_all(&mut contracts, x, y);
    let path = path(&contracts, x, y);
    assert!(path.index >= POSITIONS, "they agree on all blocks");
    contracts.now += contracts.parameters.clock_s;
    assert_eq!(contracts.time_out(HONEST, x, y, &path), Err(Refusal::TooEarly));
    contracts.now += 1;
    contracts.time_out(HONEST, x, y, &path).expect("nobody has shown the leaf before");
    assert_eq!([x, y].map(|it| contracts.status(it)), [Status::Standing, Status::Rejected]);
}

/// Of two that agree on all blocks, the one whose padding differs is out, whichever seat it has.
#[test]
fn false_padding_is_out_once_everything_is_revealed() {
    let truth = history(u64::MAX, 0);
    let leaf = |at: u64| (B256::left_padding_from(&at.to_be_bytes()), 1);
    let mut runs: Vec<_> = (0..POSITIONS).map(leaf).collect();
    runs.push((B256::repeat_byte(9), 1));
    let padding = Rc::new(History::with_padding(&runs, POSITIONS));
    for fault in [None, Some(Fault::PaddingPutsYOut)] {
        for children in [[&truth, &padding], [&padding, &truth]] {
            let mut contracts = contracts(fault);
            let [x, y] = children.map(|it| propose(&mut contracts, it).expect("first"));
            let path = path(&contracts, x, y);
            assert_eq!(path.index, POSITIONS);
            let siblings = children[0].siblings(POSITIONS - 1);
            let before = (children[0].leaf(POSITIONS - 1), siblings.as_slice());
            let early = contracts.padded(HONEST, x, y, &path, before);
            assert_eq!(early, Err(Refusal::MatchOpen), "nothing is revealed");
            reveal_all(&mut contracts, x, y);
            assert_eq!(contracts.accuse(ACCUSER, x, y, &path), Err(Refusal::Padding));
            contracts.padded(HONEST, x, y, &path, before).expect("all is revealed");
            let is_true_out = contracts.status(x) == Status::Standing && children[0] != &truth
                || contracts.status(y) == Status::Standing && children[1] != &truth;
            assert_eq!(is_true_out, fault.is_some() && children[1] == &truth);
        }
    }
}
