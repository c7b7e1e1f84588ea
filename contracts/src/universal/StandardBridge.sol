// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ReentrancyGuardTransient } from "solady/utils/ReentrancyGuardTransient.sol";
import { SafeTransferLib } from "solady/utils/SafeTransferLib.sol";
import { IOptimismMintableERC20 } from "../interfaces/IOptimismMintableERC20.sol";
import { IStandardBridge } from "../interfaces/IStandardBridge.sol";
import { CallerLib } from "../lib/CallerLib.sol";
import { MintableLib } from "../lib/MintableLib.sol";

/// @title StandardBridge
/// @notice The common part of the bridges on L1 and L2; see IStandardBridge.
/// @dev Token contracts are untrusted: during a call to one, no token function of the bridge can be entered.
abstract contract StandardBridge is IStandardBridge, ReentrancyGuardTransient {
    /// @dev Gas for the recipient of ether that was sent without calldata.
    uint32 internal constant RECEIVE_GAS_LIMIT = 200_000;

    /// @inheritdoc IStandardBridge
    mapping(address localToken => mapping(address remoteToken => uint256)) public deposits; // slot 0

    modifier onlyEoa() {
        if (!CallerLib.isEoa()) revert StandardBridge_NotEoa(msg.sender);
        _;
    }

    modifier onlyOtherBridge() {
        if (!_isOtherBridge()) revert StandardBridge_NotOtherBridge(msg.sender);
        _;
    }

    /// @inheritdoc IStandardBridge
    receive() external payable onlyEoa {
        _bridgeETH(msg.sender, RECEIVE_GAS_LIMIT, "");
    }

    /// @inheritdoc IStandardBridge
    function bridgeETH(uint32 _minGasLimit, bytes calldata _extraData) public payable onlyEoa {
        _bridgeETH(msg.sender, _minGasLimit, _extraData);
    }

    /// @inheritdoc IStandardBridge
    function bridgeETHTo(address _to, uint32 _minGasLimit, bytes calldata _extraData) public payable {
        _bridgeETH(_to, _minGasLimit, _extraData);
    }

    /// @inheritdoc IStandardBridge
    function bridgeERC20(
        address _localToken,
        address _remoteToken,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) public onlyEoa {
        _bridgeERC20(_localToken, _remoteToken, msg.sender, _amount, _minGasLimit, _extraData);
    }

    /// @inheritdoc IStandardBridge
    function bridgeERC20To(
        address _localToken,
        address _remoteToken,
        address _to,
        uint256 _amount,
        uint32 _minGasLimit,
        bytes calldata _extraData
    ) public {
        _bridgeERC20(_localToken, _remoteToken, _to, _amount, _minGasLimit, _extraData);
    }

    /// @inheritdoc IStandardBridge
    function otherBridge() public view virtual returns (address);

    /// @dev Whether this call comes from the other bridge.
    function _isOtherBridge() internal view virtual returns (bool);

    /// @dev Calls the other bridge with `message` and `value` wei.
    function _send(uint256 value, bytes memory message, uint32 minGasLimit) internal virtual;

    /// @dev Emits a transfer's start under both event names.
    function _emitETHInitiated(address from, address to, uint256 amount, bytes memory extraData)
        internal
        virtual;
    function _emitERC20Initiated(
        address localToken,
        address remoteToken,
        address from,
        address to,
        uint256 amount,
        bytes memory extraData
    ) internal virtual;

    function _bridgeETH(address to, uint32 minGasLimit, bytes memory extraData) internal {
        _emitETHInitiated(msg.sender, to, msg.value, extraData);
        bytes memory message =
            abi.encodeCall(IStandardBridge.finalizeBridgeETH, (msg.sender, to, msg.value, extraData));
        _send(msg.value, message, minGasLimit);
    }

    function _bridgeERC20(
        address localToken,
        address remoteToken,
        address to,
        uint256 amount,
        uint32 minGasLimit,
        bytes memory extraData
    ) internal nonReentrant {
        uint256 taken = _take(localToken, remoteToken, amount);
        _emitERC20Initiated(localToken, remoteToken, msg.sender, to, taken, extraData);
        bytes memory message = abi.encodeCall(
            IStandardBridge.finalizeBridgeERC20, (remoteToken, localToken, msg.sender, to, taken, extraData)
        );
        _send(0, message, minGasLimit);
    }

    /// @dev Takes tokens from the caller. Returns the amount that arrived or was burned.
    function _take(address localToken, address remoteToken, uint256 amount) private returns (uint256 taken) {
        if (MintableLib.isMintable(localToken)) {
            _checkPair(localToken, remoteToken);
            IOptimismMintableERC20(localToken).burn(msg.sender, amount);
            return amount;
        }
        uint256 before = SafeTransferLib.balanceOf(localToken, address(this));
        SafeTransferLib.safeTransferFrom(localToken, msg.sender, address(this), amount);
        taken = SafeTransferLib.balanceOf(localToken, address(this)) - before;
        deposits[localToken][remoteToken] += taken;
    }

    /// @dev Pays out or mints tokens.
    function _give(address localToken, address remoteToken, address to, uint256 amount) internal {
        if (MintableLib.isMintable(localToken)) {
            _checkPair(localToken, remoteToken);
            IOptimismMintableERC20(localToken).mint(to, amount);
            return;
        }
        uint256 deposited = deposits[localToken][remoteToken];
        if (amount > deposited) revert StandardBridge_NotDeposited(deposited, amount);
        deposits[localToken][remoteToken] = deposited - amount;
        SafeTransferLib.safeTransfer(localToken, to, amount);
    }

    function _checkPair(address localToken, address remoteToken) private view {
        address found = IOptimismMintableERC20(localToken).remoteToken();
        if (found != remoteToken) revert StandardBridge_WrongPair(localToken, remoteToken, found);
    }

    /// @dev Both chains have transient storage.
    function _useTransientReentrancyGuardOnlyOnMainnet() internal pure override returns (bool) {
        return false;
    }
}
