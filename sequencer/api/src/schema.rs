//! Schemas and responses that several endpoints name in their OpenAPI annotations.

use std::{borrow::Cow, collections::BTreeMap};

use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema, Type},
};

use super::problem::{MEDIA_TYPE, Problem};

/// Schemas of values that are strings in JSON.
macro_rules! texts {
    ($($name:ident => $description:literal, $pattern:literal, $example:literal;)*) => {$(
        #[doc = $description]
        #[derive(Debug)]
        pub(super) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($description))
                    .pattern(Some($pattern))
                    .examples([$example])
                    .into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                stringify!($name).into()
            }
        }
    )*};
}

texts! {
    Hash => "32 bytes in hexadecimal", "^0x[0-9a-fA-F]{64}$", "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060";
    AddressText => "An address", "^0x[0-9a-fA-F]{40}$", "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
    Data => "Bytes in hexadecimal", "^0x([0-9a-fA-F]{2})*$", "0x02f86b";
    Quantity => "A number in hexadecimal", "^0x[0-9a-f]+$", "0x1";
    Wei => "An amount of wei, decimal", "^[0-9]+$", "1000000000000000000";
    Signature => "A signature: r, s and v, in hexadecimal", "^0x[0-9a-fA-F]{130}$", "0xb8a0b8a0b8a0b8a0b8a0b8a0b8a0b8a0b8a0b8a0b8a0b8a0b8a0b8a0b8a0b8a01ba01ba01ba01ba01ba01ba01ba01ba01ba01ba01ba01ba01ba01ba01ba01ba01b";
}

/// Responses that are problem documents.
macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident => $($status:literal $description:literal),*;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(($status, $description)),*].into_iter().map(problem).collect()
            }
        }
    )*};
}

problems! {
    /// A malformed path or query.
    Malformed => "400" "The path or the query is malformed.";
    /// An unknown item.
    Missing => "404" "The item is unknown.";
    /// The node cannot read its own database.
    Failing => "500" "The node failed to answer.";
    /// The response needs L1.
    L1Silent => "502" "L1 does not answer.";
    /// Everything that can be wrong with a submission.
    NotTaken =>
        "400" "The query, the body or the transaction is malformed.",
        "403" "This node accepts no transactions.",
        "413" "The body or the transaction is too long.",
        "415" "The body has another media type.",
        "422" "The transaction is refused; `code` is a refusal code.",
        "503" "The node accepts no transactions at the moment.";
    /// No permit for another client.
    Full => "503" "The maximum number of clients is reached.";
}

fn problem((status, description): (&str, &str)) -> (String, RefOr<Response>) {
    let schema = Ref::from_schema_name(Problem::name());
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response = ResponseBuilder::new().description(description).content(MEDIA_TYPE, content);
    (status.to_owned(), response.build().into())
}
