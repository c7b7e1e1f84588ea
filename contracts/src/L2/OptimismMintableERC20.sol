// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import { ERC20 } from "solady/tokens/ERC20.sol";
import { IOptimismMintableERC20 } from "../interfaces/IOptimismMintableERC20.sol";

/// @title OptimismMintableERC20
/// @notice A token on L2 that represents a token on L1; see IOptimismMintableERC20.
contract OptimismMintableERC20 is ERC20, IOptimismMintableERC20 {
    /// @notice The caller is not the bridge.
    error OptimismMintableERC20_NotBridge(address caller);

    /// @notice The bridge minted or burned tokens.
    event Mint(address indexed account, uint256 amount);
    event Burn(address indexed account, uint256 amount);

    bytes4 private constant ERC165_ID = 0x01ffc9a7;

    address public immutable BRIDGE;
    address public immutable REMOTE_TOKEN;
    uint8 private immutable _decimals;
    string private _name;
    string private _symbol;

    constructor(
        address bridge_,
        address remoteToken_,
        string memory name_,
        string memory symbol_,
        uint8 decimals_
    ) {
        BRIDGE = bridge_;
        REMOTE_TOKEN = remoteToken_;
        _decimals = decimals_;
        _name = name_;
        _symbol = symbol_;
    }

    modifier onlyBridge() {
        if (msg.sender != BRIDGE) revert OptimismMintableERC20_NotBridge(msg.sender);
        _;
    }

    /// @inheritdoc IOptimismMintableERC20
    function mint(address _to, uint256 _amount) external onlyBridge {
        _mint(_to, _amount);
        emit Mint(_to, _amount);
    }

    /// @inheritdoc IOptimismMintableERC20
    function burn(address _from, uint256 _amount) external onlyBridge {
        _burn(_from, _amount);
        emit Burn(_from, _amount);
    }

    /// @inheritdoc IOptimismMintableERC20
    function remoteToken() external view returns (address) {
        return REMOTE_TOKEN;
    }

    /// @inheritdoc IOptimismMintableERC20
    function bridge() external view returns (address) {
        return BRIDGE;
    }

    /// @notice Older name of remoteToken.
    function l1Token() external view returns (address) {
        return REMOTE_TOKEN;
    }

    /// @notice Older name of bridge.
    function l2Bridge() external view returns (address) {
        return BRIDGE;
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == ERC165_ID || interfaceId == type(IOptimismMintableERC20).interfaceId;
    }

    function name() public view override returns (string memory) {
        return _name;
    }

    function symbol() public view override returns (string memory) {
        return _symbol;
    }

    function decimals() public view override returns (uint8) {
        return _decimals;
    }

    /// @dev Permit2 needs the holder's approval like every other spender.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }
}
