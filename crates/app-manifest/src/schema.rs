//! The JSON schema of `hearth.json`, made from the types. It is published, and it is what documents are compared with.

use crate::manifest::Manifest;
use crate::rules;
use crate::text::schema_of;
use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let mut schema = schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Manifest>();
    schema.insert("title".to_owned(), "hearth.json".into());
    schema.to_value()
});

/// The schema (draft 2020-12).
#[must_use]
pub fn schema() -> Value {
    SCHEMA.clone()
}

pub(crate) fn compiled() -> &'static Value {
    &SCHEMA
}

/// An object whose keys are texts of one type.
pub(crate) fn map_of<K: JsonSchema, V: JsonSchema>(
    generator: &mut SchemaGenerator,
    least: usize,
    most: usize,
) -> Schema {
    schemars::json_schema!({
        "type": "object",
        "propertyNames": generator.subschema_for::<K>(),
        "additionalProperties": generator.subschema_for::<V>(),
        "minProperties": least,
        "maxProperties": most,
    })
}

/// Stands for types of `model`, which know nothing of schemas.
macro_rules! schema_of_model {
    ($($name:ident = $rule:ident;)*) => {$(
        pub(crate) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                schema_of(&rules::$rule)
            }
        }
    )*};
}

schema_of_model! {
    Port = PORT;
    DomainPattern = DOMAIN_PATTERN;
    AppId = APP_ID;
}
