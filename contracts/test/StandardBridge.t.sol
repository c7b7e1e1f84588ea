// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { OptimismMintableERC20 } from "../src/L2/OptimismMintableERC20.sol";
import { IL1StandardBridge } from "../src/interfaces/IL1StandardBridge.sol";
import { IL2StandardBridge } from "../src/interfaces/IL2StandardBridge.sol";
import { IOptimismMintableERC20 } from "../src/interfaces/IOptimismMintableERC20.sol";
import { IOptimismMintableERC20Factory } from "../src/interfaces/IOptimismMintableERC20Factory.sol";
import { IPortal, WithdrawalTransaction } from "../src/interfaces/IPortal.sol";
import { IStandardBridge } from "../src/interfaces/IStandardBridge.sol";
import { AddressAliasHelper } from "../src/lib/AddressAliasHelper.sol";
import { BridgeFixture } from "./utils/BridgeFixture.sol";
import { Refuser } from "./utils/Fakes.sol";
import { FeeToken, ReenteringToken, TestToken } from "./utils/Tokens.sol";

contract StandardBridgeTest is BridgeFixture {
    address private immutable OTHER = account("other");

    function l1Token(uint256 amount) private returns (TestToken token) {
        token = new TestToken();
        fund(token, amount);
    }

    function fund(TestToken token, uint256 amount) private {
        token.mint(USER, amount);
        vm.prank(USER);
        token.approve(address(bridge), amount);
    }

    function depositETH(address to, uint256 amount, uint32 minGasLimit, bytes memory extraData) private {
        vm.prank(USER, USER);
        bridge.bridgeETHTo{ value: amount }(to, minGasLimit, extraData);
    }

    function depositERC20(address token, address l2Token, address to, uint256 amount) private {
        vm.prank(USER, USER);
        bridge.bridgeERC20To(token, l2Token, to, amount, 100_000, "");
    }

    // --- views

    function test_bridges_knowEachOther() public view {
        vm.assertEq(bridge.otherBridge(), address(L2_BRIDGE));
        vm.assertEq(bridge.l2TokenBridge(), address(L2_BRIDGE));
        vm.assertEq(address(bridge.portal()), address(portal));
        vm.assertEq(L2_BRIDGE.otherBridge(), address(bridge));
        vm.assertEq(L2_BRIDGE.l1TokenBridge(), address(bridge));
    }

    // --- ether

    function test_ether_goesAndComesBack() public {
        vm.expectEmit(address(bridge));
        emit IL1StandardBridge.ETHDepositInitiated(USER, USER, 5 ether, "note");
        vm.expectEmit(address(bridge));
        emit IStandardBridge.ETHBridgeInitiated(USER, USER, 5 ether, "note");
        vm.prank(USER, USER);
        bridge.depositETH{ value: 5 ether }(21_000, "note");
        vm.assertEq(USER.balance, 995 ether);
        vm.deal(USER, 0); // from here on, USER's balance is that on L2
        vm.expectEmit(address(L2_BRIDGE));
        emit IL2StandardBridge.DepositFinalized(address(0), ETHER, USER, USER, 5 ether, "note");
        vm.expectEmit(address(L2_BRIDGE));
        emit IStandardBridge.ETHBridgeFinalized(USER, USER, 5 ether, "note");
        vm.assertTrue(relayDeposit());
        vm.assertEq(USER.balance, 5 ether);

        vm.expectEmit(address(L2_BRIDGE));
        emit IL2StandardBridge.WithdrawalInitiated(address(0), ETHER, USER, OTHER, 2 ether, "back");
        vm.prank(USER, USER);
        L2_BRIDGE.withdrawTo{ value: 2 ether }(ETHER, OTHER, 2 ether, 50_000, "back");
        WithdrawalTransaction memory w = proveWithdrawal();
        vm.expectEmit(address(bridge));
        emit IL1StandardBridge.ETHWithdrawalFinalized(USER, OTHER, 2 ether, "back");
        vm.expectEmit(address(bridge));
        emit IStandardBridge.ETHBridgeFinalized(USER, OTHER, 2 ether, "back");
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(OTHER.balance, 2 ether);
        vm.assertEq(address(portal).balance, 3 ether);
    }

    function test_ether_sentWithoutCalldata() public {
        vm.prank(USER, USER);
        (bool ok,) = address(bridge).call{ value: 1 ether }("");
        vm.assertTrue(ok);
        vm.deal(USER, 0);
        vm.assertTrue(relayDeposit());
        vm.assertEq(USER.balance, 1 ether);
        vm.prank(USER, USER);
        (ok,) = address(L2_BRIDGE).call{ value: 1 ether }("");
        vm.assertTrue(ok);
        relayWithdrawal();
        vm.assertEq(USER.balance, 1 ether);
    }

    function test_ether_recipientGetsTheGasAskedFor() public {
        Meter meter = new Meter();
        depositETH(address(meter), 1 ether, 1_000_000, "");
        vm.assertTrue(relayDeposit());
        vm.assertEq(address(meter).balance, 1 ether);
        vm.assertGe(meter.gasFound() + 1000, 1_000_000);
    }

    function refusedEtherComesBack(address to, bytes memory extraData, uint32 minGasLimit) private {
        uint256 before = USER.balance;
        depositETH(to, 4 ether, minGasLimit, extraData);
        vm.assertEq(USER.balance, before - 4 ether);
        vm.expectEmit(address(L2_BRIDGE));
        emit IL2StandardBridge.DepositFailed(address(0), ETHER, USER, to, 4 ether, extraData);
        vm.assertTrue(relayDeposit());
        vm.assertEq(to.balance, to == address(PASSER) ? 4 ether : 0);
        relayWithdrawal();
        vm.assertEq(USER.balance, before);
        vm.assertEq(address(portal).balance, 0);
    }

    function test_ether_refusedOnL2_comesBack() public {
        refusedEtherComesBack(address(new Refuser()), "", 0);
    }

    function test_ether_refusedWithLargeExtraData_comesBack() public {
        refusedEtherComesBack(address(new Refuser()), pattern(60_000), 1_000_000);
    }

    function test_ether_recipientUsesAllGasOnL2_comesBack() public {
        refusedEtherComesBack(address(new Glutton()), "", 0);
        refusedEtherComesBack(address(new Glutton()), pattern(10_000), 3_000_000);
    }

    function test_ether_toTheBridgeItself_comesBack() public {
        refusedEtherComesBack(address(L2_BRIDGE), "", 0);
    }

    function test_ether_toTheMessagePasser_comesBack() public {
        refusedEtherComesBack(address(PASSER), "", 0);
    }

    function test_ether_refusedOnL1_canBeTriedAgain() public {
        depositETH(USER, 3 ether, 0, "");
        vm.assertTrue(relayDeposit());
        vm.etch(OTHER, type(Refuser).runtimeCode);
        vm.prank(USER, USER);
        L2_BRIDGE.bridgeETHTo{ value: 3 ether }(OTHER, 0, "");
        WithdrawalTransaction memory w = proveWithdrawal();
        vm.expectRevert();
        portal.finalizeWithdrawalTransaction(w);
        vm.etch(OTHER, "");
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(OTHER.balance, 3 ether);
    }

    function test_withdraw_wrongValue_reverts() public {
        TestToken token = new TestToken();
        address l2Token = address(newL2Token(address(token)));
        vm.expectRevert(abi.encodeWithSelector(IStandardBridge.StandardBridge_WrongValue.selector, 2, 1));
        vm.prank(USER, USER);
        L2_BRIDGE.withdraw{ value: 1 }(ETHER, 2, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IStandardBridge.StandardBridge_WrongValue.selector, 0, 1));
        vm.prank(USER, USER);
        L2_BRIDGE.withdraw{ value: 1 }(l2Token, 1, 0, "");
    }

    function test_withoutRecipient_fromContract_reverts() public {
        vm.deal(address(this), 10);
        bytes memory reason =
            abi.encodeWithSelector(IStandardBridge.StandardBridge_NotEoa.selector, address(this));
        vm.expectRevert(reason);
        bridge.depositETH{ value: 1 }(0, "");
        vm.expectRevert(reason);
        bridge.bridgeETH{ value: 1 }(0, "");
        vm.expectRevert(reason);
        bridge.depositERC20(OTHER, OTHER, 1, 0, "");
        vm.expectRevert(reason);
        L2_BRIDGE.withdraw{ value: 1 }(ETHER, 1, 0, "");
        vm.expectRevert(reason);
        (bool reverted,) = address(bridge).call{ value: 1 }("");
        vm.assertTrue(reverted);
    }

    // --- tokens

    function test_token_goesAndComesBack() public {
        TestToken token = l1Token(100);
        OptimismMintableERC20 l2Token = newL2Token(address(token));
        vm.expectEmit(address(bridge));
        emit IL1StandardBridge.ERC20DepositInitiated(
            address(token), address(l2Token), USER, USER, 100, "note"
        );
        vm.expectEmit(address(bridge));
        emit IStandardBridge.ERC20BridgeInitiated(address(token), address(l2Token), USER, USER, 100, "note");
        vm.prank(USER, USER);
        bridge.depositERC20(address(token), address(l2Token), 100, 0, "note");
        vm.assertEq(bridge.deposits(address(token), address(l2Token)), 100);
        vm.assertEq(token.balanceOf(address(bridge)), 100);
        vm.expectEmit(address(L2_BRIDGE));
        emit IL2StandardBridge.DepositFinalized(address(token), address(l2Token), USER, USER, 100, "note");
        vm.expectEmit(address(L2_BRIDGE));
        emit IStandardBridge.ERC20BridgeFinalized(address(l2Token), address(token), USER, USER, 100, "note");
        vm.assertTrue(relayDeposit());
        vm.assertEq(l2Token.balanceOf(USER), 100);

        vm.prank(USER, USER);
        L2_BRIDGE.withdrawTo(address(l2Token), OTHER, 60, 0, "back");
        vm.assertEq(l2Token.totalSupply(), 40);
        WithdrawalTransaction memory w = proveWithdrawal();
        vm.expectEmit(address(bridge));
        emit IL1StandardBridge.ERC20WithdrawalFinalized(
            address(token), address(l2Token), USER, OTHER, 60, "back"
        );
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(token.balanceOf(OTHER), 60);
        vm.assertEq(bridge.deposits(address(token), address(l2Token)), 40);

        vm.prank(USER, USER);
        L2_BRIDGE.bridgeERC20(address(l2Token), address(token), 40, 0, "");
        relayWithdrawal();
        vm.assertEq(token.balanceOf(USER), 40);
        vm.assertEq(bridge.deposits(address(token), address(l2Token)), 0);
    }

    function undeliverableTokensComeBack(address l2Token) private {
        TestToken token = l1Token(100);
        depositERC20(address(token), l2Token, OTHER, 100);
        vm.expectEmit(address(L2_BRIDGE));
        emit IL2StandardBridge.DepositFailed(address(token), l2Token, USER, OTHER, 100, "");
        vm.assertTrue(relayDeposit());
        relayWithdrawal();
        vm.assertEq(token.balanceOf(USER), 100);
        vm.assertEq(bridge.deposits(address(token), l2Token), 0);
    }

    function test_token_withoutContractOnL2_comesBack() public {
        undeliverableTokensComeBack(OTHER);
    }

    function test_token_ofAnotherPair_comesBack() public {
        undeliverableTokensComeBack(address(newL2Token(address(0x1234))));
    }

    function test_token_notMadeForTheBridge_comesBack() public {
        undeliverableTokensComeBack(address(new TestToken()));
    }

    function test_token_mintUsesAllGas_comesBack() public {
        undeliverableTokensComeBack(address(new GreedyToken()));
    }

    function test_token_withFee_creditsWhatArrived() public {
        FeeToken token = new FeeToken();
        fund(token, 1000);
        OptimismMintableERC20 l2Token = newL2Token(address(token));
        depositERC20(address(token), address(l2Token), USER, 1000);
        vm.assertEq(bridge.deposits(address(token), address(l2Token)), 990);
        vm.assertTrue(relayDeposit());
        vm.assertEq(l2Token.balanceOf(USER), 990);
    }

    /// @dev Without the guard, a token that reenters bridgeERC20 during its transfer would be counted twice.
    function test_token_reentering_reverts() public {
        ReenteringToken token = new ReenteringToken();
        fund(token, 100);
        address l2Token = address(newL2Token(address(token)));
        token.onTransfer(
            address(bridge), abi.encodeCall(bridge.bridgeERC20To, (address(token), l2Token, USER, 0, 0, ""))
        );
        // The call from within the transfer reverts, and so does the transfer.
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        depositERC20(address(token), l2Token, USER, 100);
    }

    /// @dev Deposits of one pair cannot be withdrawn with another pair.
    function test_token_worthlessTwin_getsNothing() public {
        TestToken token = l1Token(100);
        OptimismMintableERC20 l2Token = newL2Token(address(token));
        depositERC20(address(token), address(l2Token), USER, 100);
        vm.assertTrue(relayDeposit());

        OptimismMintableERC20 twin =
            new OptimismMintableERC20(address(this), address(token), "Token", "TKN", 18);
        twin.mint(OTHER, 100);
        vm.etch(address(0x7717), address(new FreeToken(address(token))).code);
        vm.prank(OTHER, OTHER);
        L2_BRIDGE.bridgeERC20(address(0x7717), address(token), 100, 0, "");
        WithdrawalTransaction memory w = proveWithdrawal();
        vm.expectRevert(
            abi.encodeWithSelector(
                IPortal.Portal_CallFailed.selector,
                hashOf(w),
                abi.encodeWithSelector(IStandardBridge.StandardBridge_NotDeposited.selector, 0, 100)
            )
        );
        portal.finalizeWithdrawalTransaction(w);
        vm.assertEq(token.balanceOf(address(bridge)), 100);
    }

    function test_token_wrongPairOnL2_reverts() public {
        TestToken token = new TestToken();
        address l2Token = address(newL2Token(address(token)));
        vm.expectRevert(
            abi.encodeWithSelector(
                IStandardBridge.StandardBridge_WrongPair.selector, l2Token, OTHER, address(token)
            )
        );
        vm.prank(USER, USER);
        L2_BRIDGE.bridgeERC20(l2Token, OTHER, 1, 0, "");
    }

    /// @dev The bridge on L2 escrows a token of L2, and a mintable token represents it on L1.
    function test_token_ofL2_goesToL1() public {
        TestToken native = new TestToken();
        native.mint(USER, 50);
        OptimismMintableERC20 onL1 =
            new OptimismMintableERC20(address(bridge), address(native), "Native", "NTV", 18);
        vm.prank(USER);
        native.approve(address(L2_BRIDGE), 50);
        vm.prank(USER, USER);
        L2_BRIDGE.bridgeERC20(address(native), address(onL1), 50, 0, "");
        relayWithdrawal();
        vm.assertEq(onL1.balanceOf(USER), 50);
        depositERC20(address(onL1), address(native), OTHER, 20);
        vm.assertTrue(relayDeposit());
        vm.assertEq(native.balanceOf(OTHER), 20);
        vm.assertEq(L2_BRIDGE.deposits(address(native), address(onL1)), 30);
        vm.assertEq(onL1.totalSupply(), 30);
    }

    // --- who may speak for the other bridge

    function test_finalize_notFromTheOtherBridge_reverts() public {
        bytes memory reason =
            abi.encodeWithSelector(IStandardBridge.StandardBridge_NotOtherBridge.selector, USER);
        vm.expectRevert(reason);
        vm.prank(USER);
        bridge.finalizeBridgeETH{ value: 1 }(USER, USER, 1, "");
        vm.expectRevert(reason);
        vm.prank(USER);
        bridge.finalizeBridgeERC20(OTHER, OTHER, USER, USER, 1, "");
        vm.expectRevert(reason);
        vm.prank(USER);
        L2_BRIDGE.finalizeBridgeETH{ value: 1 }(USER, USER, 1, "");
        vm.expectRevert(reason);
        vm.prank(USER);
        L2_BRIDGE.finalizeBridgeERC20(OTHER, OTHER, USER, USER, 1, "");
        // The bridge's own address on L2 is not its alias.
        vm.expectRevert(
            abi.encodeWithSelector(IStandardBridge.StandardBridge_NotOtherBridge.selector, address(bridge))
        );
        vm.prank(address(bridge));
        L2_BRIDGE.finalizeBridgeERC20(OTHER, OTHER, USER, USER, 1, "");
        vm.expectRevert(abi.encodeWithSelector(IL2StandardBridge.L2StandardBridge_NotSelf.selector, USER));
        vm.prank(USER);
        L2_BRIDGE.deliverERC20(OTHER, OTHER, USER, 1);
    }

    function test_finalize_withdrawalOfAStranger_reverts() public {
        TestToken token = l1Token(100);
        address l2Token = address(newL2Token(address(token)));
        depositERC20(address(token), l2Token, USER, 100);
        bytes memory forged =
            abi.encodeCall(bridge.finalizeBridgeERC20, (address(token), l2Token, OTHER, OTHER, 100, ""));
        vm.prank(OTHER, OTHER);
        PASSER.initiateWithdrawal(address(bridge), 200_000, forged);
        WithdrawalTransaction memory w = proveWithdrawal();
        vm.expectRevert(
            abi.encodeWithSelector(
                IPortal.Portal_CallFailed.selector,
                hashOf(w),
                abi.encodeWithSelector(
                    IStandardBridge.StandardBridge_NotOtherBridge.selector, address(portal)
                )
            )
        );
        portal.finalizeWithdrawalTransaction(w);
    }

    function test_finalize_wrongValue_reverts() public {
        address alias_ = AddressAliasHelper.toL2(address(bridge));
        vm.deal(alias_, 1);
        vm.expectRevert(abi.encodeWithSelector(IStandardBridge.StandardBridge_WrongValue.selector, 2, 1));
        vm.prank(alias_);
        L2_BRIDGE.finalizeBridgeETH{ value: 1 }(USER, USER, 2, "");
    }

    // --- tokens made for the bridge

    function test_mintable_hasTheOpStacksInterface() public {
        OptimismMintableERC20 token = newL2Token(OTHER);
        vm.assertEq(bytes32(type(IOptimismMintableERC20).interfaceId), bytes32(bytes4(0xec4fc8e3)));
        vm.assertTrue(token.supportsInterface(0xec4fc8e3));
        vm.assertTrue(token.supportsInterface(0x01ffc9a7));
        vm.assertEq(token.supportsInterface(0xffffffff), false);
        vm.assertEq(token.remoteToken(), OTHER);
        vm.assertEq(token.REMOTE_TOKEN(), OTHER);
        vm.assertEq(token.l1Token(), OTHER);
        vm.assertEq(token.bridge(), address(L2_BRIDGE));
        vm.assertEq(token.BRIDGE(), address(L2_BRIDGE));
        vm.assertEq(token.l2Bridge(), address(L2_BRIDGE));
        vm.assertEq(bytes(token.name()), "Token");
        vm.assertEq(bytes(token.symbol()), "TKN");
        vm.assertEq(uint256(token.decimals()), 18);
    }

    function test_mintable_onlyTheBridgeMintsAndBurns() public {
        OptimismMintableERC20 token = newL2Token(OTHER);
        bytes memory reason =
            abi.encodeWithSelector(OptimismMintableERC20.OptimismMintableERC20_NotBridge.selector, USER);
        vm.expectRevert(reason);
        vm.prank(USER);
        token.mint(USER, 1);
        vm.expectRevert(reason);
        vm.prank(USER);
        token.burn(USER, 1);
    }

    function test_factory_recordsDeployments() public {
        address token = FACTORY.createOptimismMintableERC20WithDecimals(OTHER, "Six", "SIX", 6);
        vm.assertEq(FACTORY.deployments(token), OTHER);
        vm.assertEq(uint256(OptimismMintableERC20(token).decimals()), 6);
        vm.assertEq(FACTORY.bridge(), address(L2_BRIDGE));
        vm.assertEq(FACTORY.BRIDGE(), address(L2_BRIDGE));
        vm.expectRevert();
        FACTORY.createOptimismMintableERC20WithDecimals(OTHER, "Six", "SIX", 6);
        vm.expectRevert(IOptimismMintableERC20Factory.OptimismMintableERC20Factory_NoRemoteToken.selector);
        FACTORY.createStandardL2Token(address(0), "None", "NON");
    }
}

/// @dev Records the gas that is left when it receives ether.
contract Meter {
    uint256 public gasFound;

    receive() external payable {
        gasFound = gasleft();
    }
}

/// @dev Uses up all gas.
contract Glutton {
    receive() external payable {
        while (true) { }
    }
}

/// @dev Claims to be a mintable token of any pair.
contract GreedyToken {
    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id != 0xffffffff;
    }

    function remoteToken() external pure returns (address) {
        while (true) { }
        return address(0);
    }
}

/// @dev A mintable token that burns nothing. Its creator sets its remote token.
contract FreeToken {
    address public immutable remoteToken;

    constructor(address remoteToken_) {
        remoteToken = remoteToken_;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id != 0xffffffff;
    }

    function burn(address, uint256) external { }
}
