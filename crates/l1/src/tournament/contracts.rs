//! Contract interfaces and creation code, from the committed artefacts.
#![allow(missing_docs, clippy::all, unreachable_pub)] // generated

alloy::sol!(
    #[sol(rpc)]
    #[derive(Debug)]
    RollupV2,
    "../../contracts/artifacts/RollupV2.json"
);
alloy::sol!(
    #[sol(rpc)]
    #[derive(Debug)]
    Tournament,
    "../../contracts/artifacts/Tournament.json"
);
alloy::sol!(
    #[sol(rpc)]
    #[derive(Debug, PartialEq, Eq)]
    DisputeV2,
    "../../contracts/artifacts/DisputeV2.json"
);
alloy::sol!(
    #[sol(rpc)]
    #[derive(Debug)]
    Programs,
    "../../contracts/artifacts/Programs.json"
);
