// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { Programs } from "../../src/v2/Programs.sol";
import { IPrograms, ProgramsConfig } from "../../src/v2/interfaces/IPrograms.sol";
import { IRollupV2, Status } from "../../src/v2/interfaces/IRollupV2.sol";
import { DisputeV2Fixture } from "./utils/DisputeV2Fixture.sol";

/// @title ProgramsTest
/// @notice The notice of a new program, and the escape.
contract ProgramsTest is DisputeV2Fixture {
    bytes32 private constant NEXT = keccak256("next program");

    function announce(bytes32 state) private {
        vm.prank(ADMIN);
        programs.announce(state);
    }

    function test_genesisProgram_judgesEverything() external view {
        vm.assertEq(programs.programCount(), 1);
        vm.assertEq(programs.initialStateOf(0), PROGRAM);
        vm.assertEq(programs.initialStateOf(type(uint64).max), PROGRAM);
    }

    function test_activate_afterTheNotice_forEntriesToCome() external {
        vm.expectRevert(IPrograms.Programs_NothingAnnounced.selector);
        programs.activate();
        announce(NEXT);
        uint64 from = uint64(block.timestamp) + NOTICE;
        (bytes32 state, uint64 announcedFrom) = programs.announced();
        vm.assertTrue(state == NEXT && announcedFrom == from);
        vm.warp(from - 1);
        vm.expectRevert(abi.encodeWithSelector(IPrograms.Programs_NoticeNotOver.selector, from));
        programs.activate();
        vm.warp(from);
        vm.expectEmit(address(programs));
        emit IPrograms.ProgramActivated(1, NEXT, ENTRIES + 1);
        programs.activate();
        vm.assertEq(programs.initialStateOf(ENTRIES), PROGRAM);
        vm.assertEq(programs.initialStateOf(ENTRIES + 1), NEXT);
        vm.expectRevert(IPrograms.Programs_NothingAnnounced.selector);
        programs.activate();
    }

    function test_announce_again_restartsTheNotice() external {
        announce(NEXT);
        vm.warp(block.timestamp + NOTICE - 1);
        announce(keccak256("other"));
        uint64 from = uint64(block.timestamp) + NOTICE;
        vm.warp(block.timestamp + 1);
        vm.expectRevert(abi.encodeWithSelector(IPrograms.Programs_NoticeNotOver.selector, from));
        programs.activate();
        announce(0);
        vm.warp(from);
        vm.expectRevert(IPrograms.Programs_NothingAnnounced.selector);
        programs.activate();
    }

    function test_announce_byAnybodyElse_reverts() external {
        vm.expectRevert(abi.encodeWithSelector(IPrograms.Programs_NotAdmin.selector, address(this)));
        programs.announce(NEXT);
    }

    function test_escape_needsAnAnnouncedProgram_andNoFinalOutputForLong() external {
        uint64 from = uint64(START_TIME) + ESCAPE_AFTER;
        announce(NEXT);
        vm.warp(from - 1);
        vm.expectRevert(abi.encodeWithSelector(IPrograms.Programs_NoEscape.selector, from));
        programs.escape();
        announce(0);
        vm.warp(from);
        vm.expectRevert(IPrograms.Programs_NothingAnnounced.selector);
        programs.escape();
    }

    function test_escape_isPutOffByEveryFinalOutput() external {
        announce(NEXT);
        uint256 index = propose(HONEST, 0, truth());
        vm.warp(START_TIME + ESCAPE_AFTER - 1);
        rollup.finalize(index);
        vm.warp(START_TIME + ESCAPE_AFTER);
        uint64 from = uint64(START_TIME) + 2 * ESCAPE_AFTER - 1;
        vm.expectRevert(abi.encodeWithSelector(IPrograms.Programs_NoEscape.selector, from));
        programs.escape();
    }

    /// @dev A final output after entry 5, children on it that stand, and an escape.
    function escaped() private returns (uint256 last, uint256 child) {
        last = propose(HONEST, 0, truth());
        vm.warp(block.timestamp + WINDOW);
        rollup.finalize(last);
        inbox.append(uint64(block.timestamp));
        child = propose(HONEST, last, truth());
        announce(NEXT);
        vm.warp(uint256(rollup.lastFinalAt()) + ESCAPE_AFTER);
        programs.escape();
    }

    function test_escape_opensAGenerationAtTheLastFinalOutput() external {
        (uint256 last, uint256 child) = escaped();
        vm.assertEq(uint256(rollup.generation()), 1);
        vm.assertEq(rollup.generationFrom(), last);
        assertStatus(last, Status.Final);
        assertStatus(child, Status.Void);
        vm.assertEq(rollup.latestOutputIndex(), last);
        vm.assertEq(programs.initialStateOf(5), PROGRAM);
        vm.assertEq(programs.initialStateOf(6), NEXT);

        // The same child again is another claim, in another tournament, with a window of its own.
        bytes32 before = rollup.output(child).claim;
        uint256 again = propose(HONEST, last, truth());
        vm.assertNotEq(rollup.output(again).claim, before);
        vm.assertEq(rollup.contender(again).tournament, 1 << 64 | last);
        vm.warp(block.timestamp + WINDOW);
        rollup.finalize(again);
        assertStatus(again, Status.Final);
        assertStatus(child, Status.Void);
        rollup.voidOutput(child);
        vm.assertEq(rollup.bondCredit(HONEST), 3 * BOND);
    }

    function test_escape_oldGeneration_takesNoChildren() external {
        (, uint256 child) = escaped();
        inbox.append(uint64(block.timestamp));
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_BadParent.selector, child, Status.Void));
        this.proposeOn(child);
        vm.expectRevert(abi.encodeWithSelector(IRollupV2.Rollup_BadParent.selector, 0, Status.Final));
        this.proposeOn(0);
    }

    function proposeOn(uint256 parent) external {
        propose(HONEST, parent, lie(3, "other"));
    }

    function test_program_isTheLastInListOrder() external {
        // The next program is activated at entry 7, the escape's one at entry 6, after it in the list.
        uint256 last = propose(HONEST, 0, truth());
        vm.warp(block.timestamp + WINDOW);
        rollup.finalize(last);
        inbox.append(uint64(block.timestamp));
        announce(NEXT);
        vm.warp(block.timestamp + NOTICE);
        programs.activate();
        vm.assertEq(programs.initialStateOf(7), NEXT);
        announce(keccak256("escape"));
        vm.warp(uint256(rollup.lastFinalAt()) + ESCAPE_AFTER);
        programs.escape();
        vm.assertEq(programs.initialStateOf(6), keccak256("escape"));
        vm.assertEq(programs.initialStateOf(7), keccak256("escape"));
        vm.assertEq(programs.initialStateOf(5), PROGRAM);
    }

    function test_constructor_noticeIsLongEnoughToLeave() external {
        // Force window, interval, window, two clocks, two rounds of increments, a pause.
        uint64 needed =
            inbox.forceWindow() + INTERVAL + WINDOW + 2 * CLOCK + 36 * INCREMENT + inbox.pauseMax();
        ProgramsConfig memory config = programsConfig();
        config.notice = needed;
        deployReverts(PROGRAM, config);
        config.escapeAfter = 0;
        config.notice = needed + 1;
        deployReverts(PROGRAM, config);
        config.escapeAfter = 1;
        deployReverts(0, config);
        mockPrograms();
        new Programs(rollup, PROGRAM, config);
        // Without an account that announces, nobody has to needed.
        mockPrograms();
        Programs none =
            new Programs(rollup, PROGRAM, ProgramsConfig({ admin: address(0), notice: 0, escapeAfter: 0 }));
        vm.expectRevert(abi.encodeWithSelector(IPrograms.Programs_NotAdmin.selector, ADMIN));
        vm.prank(ADMIN);
        none.announce(NEXT);
    }

    function mockPrograms() private {
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        vm.mockCall(address(rollup), abi.encodeWithSelector(IRollupV2.programs.selector), abi.encode(next));
    }

    function deployReverts(bytes32 state, ProgramsConfig memory config) private {
        mockPrograms();
        vm.expectRevert(IPrograms.Programs_BadConfig.selector);
        new Programs(rollup, state, config);
    }
}
