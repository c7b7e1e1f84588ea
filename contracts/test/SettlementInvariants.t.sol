// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { L1StandardBridge } from "../src/L1/L1StandardBridge.sol";
import { Portal } from "../src/L1/Portal.sol";
import { Rollup } from "../src/L1/Rollup.sol";
import { OptimismMintableERC20 } from "../src/L2/OptimismMintableERC20.sol";
import { WithdrawalTransaction } from "../src/interfaces/IPortal.sol";
import { Status } from "../src/interfaces/IRollup.sol";
import { BridgeFixture } from "./utils/BridgeFixture.sol";
import { TestToken } from "./utils/Tokens.sol";
import { FuzzSelector } from "./utils/Vm.sol";

/// @notice Random actions: users deposit and withdraw, an honest proposer proposes, a liar proposes invented
///         withdrawals, challenges stop every lie in time and sometimes an honest output, and the guardian
///         pauses.
contract SettlementActors is BridgeFixture {
    /// @dev Maximum number of withdrawals in a run, because building tries takes quadratic time.
    uint256 private constant WITHDRAWALS_MAX = 10;

    TestToken public token;
    OptimismMintableERC20 public l2Token;

    /// @dev Ether on L2, and ether and tokens in withdrawals that are not finalized.
    uint256 public etherOnL2;
    uint256 public etherLeaving;
    uint256 public tokensLeaving;
    /// @dev Ether that finalized withdrawals should have paid.
    uint256 public etherPaid;
    uint256 public paidTwice;
    uint256 public paidForged;

    WithdrawalTransaction[] private _sent;
    uint256[] private _tokensOf;
    mapping(uint256 i => bool) private _paid;
    WithdrawalTransaction[] private _forged;
    uint256[] private _honest;
    uint256[] private _lies;
    /// @dev Number of withdrawals in an output's state.
    mapping(uint256 output => uint256) private _holds;

    function setUp() public override {
        super.setUp();
        token = new TestToken();
        l2Token = newL2Token(address(token));
        token.mint(USER, 1e24);
        vm.prank(USER);
        token.approve(address(bridge), 1e24);
        vm.deal(PROPOSER, 1e24);
        _honest.push(0);
    }

    function parties() external view returns (Portal, Rollup, L1StandardBridge) {
        return (portal, rollup, bridge);
    }

    function recipient() external view returns (address) {
        return RECIPIENT;
    }

    // --- users

    function depositEther(uint256 value) external {
        value = bound(value, 0, 10 ether);
        vm.deal(USER, value);
        vm.prank(USER, USER);
        portal.depositTransaction{ value: value }(USER, value, 21_000, false, "");
        etherOnL2 += value;
    }

    function depositTokens(uint256 amount) external {
        vm.prank(USER, USER);
        bridge.depositERC20(address(token), address(l2Token), bound(amount, 0, 1e18), 0, "");
        vm.assertTrue(relayDeposit());
    }

    function withdrawEther(uint256 value) external {
        if (_sent.length == WITHDRAWALS_MAX) return;
        value = bound(value, 0, etherOnL2);
        _sent.push(newWithdrawal(USER, RECIPIENT, value, 21_000, ""));
        _tokensOf.push(0);
        etherOnL2 -= value;
        etherLeaving += value;
    }

    function withdrawTokens(uint256 amount) external {
        if (_sent.length == WITHDRAWALS_MAX) return;
        amount = bound(amount, 0, l2Token.balanceOf(USER));
        vm.prank(USER, USER);
        L2_BRIDGE.withdrawTo(address(l2Token), RECIPIENT, amount, 0, "");
        _sent.push(findWithdrawal());
        _tokensOf.push(amount);
        tokensLeaving += amount;
    }

    function proveSomething(uint256 seed, uint256 output) external {
        bool forged = seed % 3 == 0 && _forged.length != 0;
        uint256 count = forged ? _forged.length : _sent.length;
        if (count == 0) return;
        WithdrawalTransaction memory w = forged ? _forged[seed % count] : _sent[seed % count];
        uint256 index = forged ? _lies[seed % count] : _honest[output % _honest.length];
        if (!forged && seed % count >= _holds[index]) return;
        try this.proveOn(w, index) { } catch { }
    }

    function proveOn(WithdrawalTransaction memory w, uint256 index) external {
        prove(w, index);
    }

    /// @dev Tries to finalize each withdrawal. Most are too young or were finalized.
    function finalizeEverything() external {
        for (uint256 i; i < _sent.length; ++i) {
            try portal.finalizeWithdrawalTransaction(_sent[i]) {
                if (_paid[i]) ++paidTwice;
                _paid[i] = true;
                etherLeaving -= _sent[i].value;
                etherPaid += _sent[i].value;
                tokensLeaving -= _tokensOf[i];
            } catch { }
        }
        for (uint256 i; i < _forged.length; ++i) {
            try portal.finalizeWithdrawalTransaction(_forged[i]) {
                ++paidForged;
            } catch { }
        }
    }

    // --- outputs

    function proposeHonest() external {
        uint256 parentIndex = _honest[_honest.length - 1];
        bytes32[] memory keys = new bytes32[](_sent.length + 1);
        for (uint256 i; i < _sent.length; ++i) {
            keys[i] = keyOf(_sent[i]);
        }
        keys[_sent.length] = keccak256("another");
        uint256 index = proposeHolding(parentIndex, 1 + uint64(rollup.outputCount() % ENTRIES_MAX), keys);
        _honest.push(index);
        _holds[index] = _sent.length;
    }

    /// @dev Proposes an output with an invented withdrawal of the portal's whole balance.
    function proposeLie(bool onLie) external {
        if (_forged.length == WITHDRAWALS_MAX) return;
        uint256 parentIndex =
            onLie && _lies.length != 0 ? _lies[_lies.length - 1] : _honest[_honest.length - 1];
        Status parent = rollup.output(parentIndex).status;
        if (parent == Status.Rejected || parent == Status.Void) return;
        bool isOld = rollup.output(parentIndex).entry < rollup.output(rollup.lastFinalIndex()).entry;
        if (isOld) parentIndex = _honest[_honest.length - 1];
        WithdrawalTransaction memory w = newWithdrawal(USER, RECIPIENT, address(portal).balance, 21_000, "");
        uint256 index =
            proposeHolding(parentIndex, 1 + uint64(rollup.outputCount() % ENTRIES_MAX), keysWith(w));
        _forged.push(w);
        _lies.push(index);
    }

    /// @dev Challenges the newest honest output.
    function challengeHonest(uint256 seed) external {
        uint256 index = _honest[_honest.length - 1];
        Status status = rollup.output(index).status;
        bool open = (status == Status.Proposed || status == Status.Challenged)
            && block.timestamp < rollup.output(index).proposedAt + WINDOW;
        if (seed % 4 == 0 && open) challenge(index);
    }

    /// @dev Decides the challenge of an honest output: it is upheld, or rejected because nobody defended it,
    ///      and then its descendants are void.
    function decideHonest(uint256 seed) external {
        uint256 place = bound(seed, 0, _honest.length - 1);
        uint256 index = _honest[place];
        if (rollup.output(index).status != Status.Challenged) return;
        if (seed % 4 != 0) return uphold(index);
        reject(index);
        while (_honest.length > place) _honest.pop();
    }

    /// @dev Time passes. Before that, every lie that is still unchallenged is challenged.
    function wait(uint256 secs) external {
        for (uint256 i; i < _lies.length; ++i) {
            if (rollup.output(_lies[i]).status == Status.Proposed) challenge(_lies[i]);
        }
        // Deposits of one L1 block share its gas.
        vm.roll(block.number + 1);
        vm.warp(block.timestamp + bound(secs, 0, WINDOW));
    }

    function rejectLie(uint256 seed) external {
        if (_lies.length == 0) return;
        uint256 index = _lies[seed % _lies.length];
        if (rollup.output(index).status == Status.Challenged) reject(index);
    }

    function pause(bool on) external {
        vm.prank(GUARDIAN);
        (bool ok,) =
            address(portal).call(on ? abi.encodeCall(portal.pause, ()) : abi.encodeCall(portal.unpause, ()));
        ok; // too soon, or nothing to end
    }
}

contract SettlementInvariants is BridgeFixture {
    SettlementActors private actors;

    function setUp() public override {
        actors = new SettlementActors();
        actors.setUp();
        (portal, rollup, bridge) = actors.parties();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector({ addr: address(actors), selectors: new bytes4[](15) });
        targets[0].selectors[0] = SettlementActors.depositEther.selector;
        targets[0].selectors[1] = SettlementActors.depositTokens.selector;
        targets[0].selectors[2] = SettlementActors.withdrawEther.selector;
        targets[0].selectors[3] = SettlementActors.withdrawTokens.selector;
        targets[0].selectors[4] = SettlementActors.proveSomething.selector;
        targets[0].selectors[5] = SettlementActors.finalizeEverything.selector;
        targets[0].selectors[6] = SettlementActors.proposeHonest.selector;
        targets[0].selectors[7] = SettlementActors.proposeLie.selector;
        targets[0].selectors[8] = SettlementActors.challengeHonest.selector;
        targets[0].selectors[9] = SettlementActors.wait.selector;
        targets[0].selectors[10] = SettlementActors.pause.selector;
        // Repeats the actions that make progress, so that they occur more often.
        targets[0].selectors[11] = SettlementActors.proveSomething.selector;
        targets[0].selectors[12] = SettlementActors.wait.selector;
        targets[0].selectors[13] = SettlementActors.decideHonest.selector;
        targets[0].selectors[14] = SettlementActors.rejectLie.selector;
    }

    /// @dev One campaign checks all invariants, because each campaign takes seconds.
    function invariant_settlement_isSound() public view {
        etherIsConserved();
        tokensAreConserved();
        viewsFollowUndisputedOutputs();
    }

    /// @dev The portal holds exactly the ether on L2 and in withdrawals that are not finalized.
    function etherIsConserved() private view {
        vm.assertEq(address(portal).balance, actors.etherOnL2() + actors.etherLeaving());
        vm.assertEq(actors.recipient().balance, actors.etherPaid());
        vm.assertEq(actors.paidTwice(), 0);
        vm.assertEq(actors.paidForged(), 0);
    }

    /// @dev The bridge holds exactly the tokens on L2 and in withdrawals that are not finalized.
    function tokensAreConserved() private view {
        (address l1, address l2) = (address(actors.token()), address(actors.l2Token()));
        uint256 owed = actors.l2Token().totalSupply() + actors.tokensLeaving();
        vm.assertEq(bridge.deposits(l1, l2), owed);
        vm.assertEq(actors.token().balanceOf(address(bridge)), owed);
    }

    /// @dev Outputs of finalized withdrawals have final ancestors, and the views agree with the tree.
    function viewsFollowUndisputedOutputs() private view {
        uint256 latest = rollup.latestOutputIndex();
        vm.assertEq(rollup.isDisputed(latest), false);
        uint256 latestBlock = rollup.latestBlockNumber();
        for (uint256 number; number <= latestBlock; number += 1 + latestBlock / 8) {
            uint256 index = rollup.getL2OutputIndexAfter(number);
            vm.assertEq(rollup.isDisputed(index), false);
            vm.assertGe(rollup.output(index).l2BlockNumber, number);
            if (index == 0) continue;
            vm.assertGt(number, rollup.output(rollup.output(index).parentIndex).l2BlockNumber);
        }
    }
}
