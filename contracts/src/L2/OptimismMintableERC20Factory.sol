// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { IOptimismMintableERC20Factory } from "../interfaces/IOptimismMintableERC20Factory.sol";
import { Predeploys } from "../lib/Predeploys.sol";
import { OptimismMintableERC20 } from "./OptimismMintableERC20.sol";

/// @title OptimismMintableERC20Factory
/// @notice Creates tokens for the bridge on L2; see IOptimismMintableERC20Factory.
contract OptimismMintableERC20Factory is IOptimismMintableERC20Factory {
    uint8 private constant DECIMALS = 18;

    /// @inheritdoc IOptimismMintableERC20Factory
    mapping(address localToken => address remoteToken) public deployments; // slot 0

    /// @inheritdoc IOptimismMintableERC20Factory
    function createOptimismMintableERC20(address _remoteToken, string calldata _name, string calldata _symbol)
        external
        returns (address)
    {
        return _create(_remoteToken, _name, _symbol, DECIMALS);
    }

    /// @inheritdoc IOptimismMintableERC20Factory
    function createOptimismMintableERC20WithDecimals(
        address _remoteToken,
        string calldata _name,
        string calldata _symbol,
        uint8 _decimals
    ) external returns (address) {
        return _create(_remoteToken, _name, _symbol, _decimals);
    }

    /// @inheritdoc IOptimismMintableERC20Factory
    function createStandardL2Token(address _remoteToken, string calldata _name, string calldata _symbol)
        external
        returns (address)
    {
        return _create(_remoteToken, _name, _symbol, DECIMALS);
    }

    /// @inheritdoc IOptimismMintableERC20Factory
    function bridge() external pure returns (address) {
        return Predeploys.L2_STANDARD_BRIDGE;
    }

    /// @inheritdoc IOptimismMintableERC20Factory
    function BRIDGE() external pure returns (address) {
        return Predeploys.L2_STANDARD_BRIDGE;
    }

    function _create(address remoteToken, string calldata name, string calldata symbol, uint8 decimals)
        private
        returns (address localToken)
    {
        if (remoteToken == address(0)) revert OptimismMintableERC20Factory_NoRemoteToken();
        bytes32 salt = keccak256(abi.encode(remoteToken, name, symbol, decimals));
        localToken = address(
            new OptimismMintableERC20{ salt: salt }(
                Predeploys.L2_STANDARD_BRIDGE, remoteToken, name, symbol, decimals
            )
        );
        deployments[localToken] = remoteToken;
        emit StandardL2TokenCreated(remoteToken, localToken);
        emit OptimismMintableERC20Created(localToken, remoteToken, msg.sender);
    }
}
