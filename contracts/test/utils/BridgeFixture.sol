// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { L1StandardBridge } from "../../src/L1/L1StandardBridge.sol";
import { L2StandardBridge } from "../../src/L2/L2StandardBridge.sol";
import { L2ToL1MessagePasser } from "../../src/L2/L2ToL1MessagePasser.sol";
import { OptimismMintableERC20 } from "../../src/L2/OptimismMintableERC20.sol";
import { OptimismMintableERC20Factory } from "../../src/L2/OptimismMintableERC20Factory.sol";
import { IL2ToL1MessagePasser } from "../../src/interfaces/IL2ToL1MessagePasser.sol";
import { IPortal, WithdrawalTransaction } from "../../src/interfaces/IPortal.sol";
import { Predeploys } from "../../src/lib/Predeploys.sol";
import { Log } from "./Vm.sol";
import { WithdrawalFixture } from "./WithdrawalFixture.sol";

/// @title BridgeFixture
/// @notice Both bridges and a relay of their messages. The relay executes deposits as L2 does, and proves and
///         finalizes withdrawals.
abstract contract BridgeFixture is WithdrawalFixture {
    address internal constant ETHER = 0xDeadDeAddeAddEAddeadDEaDDEAdDeaDDeAD0000;
    L2StandardBridge internal constant L2_BRIDGE = L2StandardBridge(payable(Predeploys.L2_STANDARD_BRIDGE));
    L2ToL1MessagePasser internal constant PASSER =
        L2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER));
    OptimismMintableERC20Factory internal constant FACTORY =
        OptimismMintableERC20Factory(Predeploys.OPTIMISM_MINTABLE_ERC20_FACTORY);
    uint256 internal constant OTHER_BRIDGE_SLOT = 1;

    L1StandardBridge internal bridge;

    function setUp() public virtual override {
        super.setUp();
        bridge = new L1StandardBridge(portal);
        vm.etch(address(PASSER), type(L2ToL1MessagePasser).runtimeCode);
        vm.etch(address(L2_BRIDGE), type(L2StandardBridge).runtimeCode);
        vm.etch(address(FACTORY), type(OptimismMintableERC20Factory).runtimeCode);
        vm.store(address(L2_BRIDGE), bytes32(OTHER_BRIDGE_SLOT), bytes32(uint256(uint160(address(bridge)))));
        vm.deal(address(portal), 0);
        vm.recordLogs();
    }

    function newL2Token(address l1Token) internal returns (OptimismMintableERC20) {
        return OptimismMintableERC20(FACTORY.createOptimismMintableERC20(l1Token, "Token", "TKN"));
    }

    /// @dev Executes the deposit among the events since the last relay, with its L2 gas limit.
    function relayDeposit() internal returns (bool ok) {
        Log memory log = find(IPortal.TransactionDeposited.selector);
        address from = address(uint160(uint256(log.topics[1])));
        address to = address(uint160(uint256(log.topics[2])));
        bytes memory opaqueData = abi.decode(log.data, (bytes));
        (uint256 mint, uint256 value, uint64 gasLimit, bytes memory data) = this.split(opaqueData);
        uint256 intrinsic = 21_000;
        for (uint256 i; i < data.length; ++i) {
            intrinsic += data[i] == 0 ? 4 : 16;
        }
        vm.deal(from, from.balance + mint);
        vm.prank(from, from);
        (ok,) = to.call{ value: value, gas: gasLimit - intrinsic }(data);
    }

    function split(bytes calldata opaqueData)
        external
        pure
        returns (uint256 mint, uint256 value, uint64 gasLimit, bytes memory data)
    {
        mint = uint256(bytes32(opaqueData[:32]));
        value = uint256(bytes32(opaqueData[32:64]));
        gasLimit = uint64(bytes8(opaqueData[64:72]));
        data = opaqueData[73:];
    }

    /// @dev The withdrawal among the events since the last relay.
    function findWithdrawal() internal returns (WithdrawalTransaction memory w) {
        Log memory log = find(IL2ToL1MessagePasser.MessagePassed.selector);
        w.nonce = uint256(log.topics[1]);
        w.sender = address(uint160(uint256(log.topics[2])));
        w.target = address(uint160(uint256(log.topics[3])));
        (w.value, w.gasLimit, w.data,) = abi.decode(log.data, (uint256, uint256, bytes, bytes32));
    }

    /// @dev Proves the withdrawal among the events and waits until it can be finalized.
    function proveWithdrawal() internal returns (WithdrawalTransaction memory w) {
        w = findWithdrawal();
        uint256 index = proposeHolding(rollup.lastFinalIndex(), w);
        prove(w, index);
        vm.warp(block.timestamp + WINDOW);
    }

    function relayWithdrawal() internal {
        portal.finalizeWithdrawalTransaction(proveWithdrawal());
    }

    function find(bytes32 topic) private returns (Log memory) {
        Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = logs.length; i != 0; --i) {
            if (logs[i - 1].topics[0] == topic) return logs[i - 1];
        }
        revert("no such event");
    }
}
