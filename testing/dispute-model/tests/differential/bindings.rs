//! Interfaces and creation code of the contracts, from the committed artefacts.
#![allow(missing_docs, missing_debug_implementations, clippy::all, unreachable_pub, dead_code)] // generated

alloy::sol!(
    #[derive(Debug)]
    Inbox,
    "../../contracts/artifacts/Inbox.json"
);
alloy::sol!(Portal, "../../contracts/artifacts/Portal.json");
alloy::sol!(
    #[derive(Debug)]
    RollupV2,
    "../../contracts/artifacts/RollupV2.json"
);
alloy::sol!(
    #[derive(Debug)]
    Tournament,
    "../../contracts/artifacts/Tournament.json"
);
alloy::sol!(Programs, "../../contracts/artifacts/Programs.json");
alloy::sol!(
    #[derive(Debug)]
    DisputeV2,
    "../../contracts/artifacts/DisputeV2.json"
);
