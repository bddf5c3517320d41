//! Texts that were checked once and are right from then on.

use crate::rules;
use crate::rules::Rule;
use schemars::JsonSchema;
use schemars::Schema;
use schemars::SchemaGenerator;
use serde::Deserialize;
use serde::Serialize;
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// Why a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {right}")]
pub struct InvalidText {
    /// Its beginning.
    text: String,
    /// What would be right.
    right: &'static str,
}

impl InvalidText {
    pub(crate) fn of(text: &str, rule: &Rule) -> Self {
        Self { text: beginning(text), right: rule.right }
    }
}

/// As much of a text as an error shows.
pub(crate) fn beginning(text: &str) -> String {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// The schema of a text with a rule.
pub(crate) fn schema_of(rule: &Rule) -> Schema {
    let mut schema = schemars::json_schema!({
        "type": "string",
        "format": rule.format,
        "minLength": rule.least,
        "maxLength": rule.most,
        "description": rule.right,
    });
    if let Some(pattern) = rule.pattern {
        schema.insert("pattern".to_owned(), pattern.into());
    }
    schema
}

/// Makes a text type with a rule.
macro_rules! checked_text {
    ($($(#[$doc:meta])* $name:ident = $rule:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidText;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let rule = &rules::$rule;
                if rule.takes(text) { Ok(Self(text.to_owned())) } else { Err(InvalidText::of(text, rule)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidText;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

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

checked_text! {
    /// One line that people read: a title, an author, a licence.
    Line = LINE;
    /// A longer text that people read.
    Description = DESCRIPTION;
    /// Why an app wants something, in its own words.
    Reason = REASON;
    /// A version after semver.org.
    Version = VERSION;
    /// The name of a container among those of its app.
    ContainerName = CONTAINER_NAME;
    /// The name of a folder that lasts, among those of its app.
    VolumeName = VOLUME_NAME;
    /// The name of a variable that an app may set.
    EnvName = ENV_NAME;
    /// The value of a variable.
    EnvValue = ENV_VALUE;
    /// An argument of a program.
    Argument = ARGUMENT;
    /// A path inside of a container.
    ContainerPath = CONTAINER_PATH;
    /// The path of an HTTP address.
    HttpPath = HTTP_PATH;
    /// The name of an API, below its maker's domain.
    ApiId = API_ID;
    /// The name of an image: `[registry/]repository[:tag][@digest]`.
    ImageReference = IMAGE;
    /// A user inside of a container: `user[:group]`.
    User = USER;
    /// The name of a signal.
    Signal = SIGNAL;
}

impl HttpPath {
    /// `/`.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }
}
