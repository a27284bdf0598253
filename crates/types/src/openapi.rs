//! What the derived schemas cannot say by themselves: enumerations, the few values that are
//! always the same, and an example of each resource (`examples`). Only with the feature
//! `openapi`.

use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{OneOfBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

pub use crate::examples::*;
use crate::oauth::{ActiveIntrospection, Introspection};
use crate::{Secret, Timestamp};

/// A text that is one of these.
pub fn names(names: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(names))
        .into()
}

pub fn always_true() -> RefOr<Schema> {
    always(true)
}

pub fn always_false() -> RefOr<Schema> {
    always(false)
}

fn always(value: bool) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::Boolean)
        .enum_values(Some([value]))
        .into()
}

pub fn bearer() -> RefOr<Schema> {
    names(["Bearer"].into_iter())
}

impl PartialSchema for Secret {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).into()
    }
}

impl ToSchema for Secret {
    fn name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A time in UTC with microseconds."))
            .pattern(Some(
                r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}\+00:00$",
            ))
            .examples(["2026-02-03T09:15:27.104882+00:00"])
            .into()
    }
}

impl ToSchema for Timestamp {}

/// `{"active": false}` and nothing else.
#[derive(ToSchema)]
#[expect(dead_code, reason = "a schema only; the document is an `Activity`")]
pub struct Inactive {
    #[schema(schema_with = always_false)]
    active: bool,
}

impl PartialSchema for Introspection {
    fn schema() -> RefOr<Schema> {
        let reference = |name: &str| utoipa::openapi::Ref::from_schema_name(name);
        OneOfBuilder::new()
            .item(reference("ActiveIntrospection"))
            .item(reference("Inactive"))
            .into()
    }
}

impl ToSchema for Introspection {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("ActiveIntrospection".to_owned(), ActiveIntrospection::schema()));
        schemas.push(("Inactive".to_owned(), Inactive::schema()));
        ActiveIntrospection::schemas(schemas);
    }
}

/// A domain name, with `*.` in front for all below it.
#[derive(ToSchema)]
#[schema(value_type = String, min_length = 1, max_length = 255, example = "*.example.edu")]
#[schema(
    pattern = r"^(\*\.)?[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x9f]([^\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x60\x7b-\x9f]{0,61}[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x9f])?(\.[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x9f]([^\x00-\x2c\x2e\x2f\x3a-\x40\x5b-\x60\x7b-\x9f]{0,61}[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x9f])?)*$"
)]
pub struct Domain(#[expect(dead_code, reason = "a schema only")] String);

/// Absolute; https, or http on loopback, or for installed clients a private-use scheme. No
/// fragment, no wildcard.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 2048, example = "https://portal.example.org/callback")]
#[schema(pattern = r#"^[A-Za-z][A-Za-z0-9+.-]*:[!$-)+-;=?-\[\]_a-z~%&]+$"#)]
pub struct RedirectUri(#[expect(dead_code, reason = "a schema only")] String);
